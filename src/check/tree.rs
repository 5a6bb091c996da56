//! Parameter trees as values: flat vectors out of them and into them, leaf by leaf.

use super::value::{Label, NameId, Num, Tens, Tree, Value};
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Axis, Node, Op, Operand, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Name, PathPart};

impl<'a> Checker<'a> {
    /// Applies something to each leaf.
    pub fn tree_map(&mut self, tree: &Tree, f: &mut dyn FnMut(&mut Self, &Tens) -> Res<Tens>) -> Res<Tree> {
        match tree {
            Tree::Leaf(t) => Ok(Tree::Leaf(f(self, t)?)),
            Tree::Node(parts) => {
                let mut out = Vec::new();
                for (n, t) in parts {
                    out.push((n.clone(), self.tree_map(t, f)?));
                }
                Ok(Tree::Node(out))
            }
            Tree::Array { axis, item } => Ok(Tree::Array { axis: *axis, item: Box::new(self.tree_map(item, f)?) }),
        }
    }

    /// Applies something to the leaves of two trees of one structure. Arrays of the second one take the first one's axis.
    pub fn tree_zip(
        &mut self,
        a: &Tree,
        b: &Tree,
        span: Span,
        f: &mut dyn FnMut(&mut Self, &Tens, &Tens) -> Res<Tens>,
    ) -> Res<Tree> {
        match (a, b) {
            (Tree::Leaf(x), Tree::Leaf(y)) => Ok(Tree::Leaf(f(self, x, y)?)),
            (Tree::Node(x), Tree::Node(y)) if x.len() == y.len() && x.iter().zip(y).all(|(p, q)| p.0 == q.0) => {
                let mut out = Vec::new();
                for ((n, p), (_, q)) in x.iter().zip(y) {
                    out.push((n.clone(), self.tree_zip(p, q, span, f)?));
                }
                Ok(Tree::Node(out))
            }
            (Tree::Array { axis, item }, Tree::Array { axis: other, item: own }) => {
                let (n, m) = (self.axes.size_of(*axis), self.axes.size_of(*other));
                if !self.axes.same(&n, &m) {
                    return self.tree_error(a, b, span);
                }
                let own = self.rename_tree(own, *other, *axis);
                Ok(Tree::Array { axis: *axis, item: Box::new(self.tree_zip(item, &own, span, f)?) })
            }
            _ => self.tree_error(a, b, span),
        }
    }

    fn tree_error<T>(&mut self, a: &Tree, b: &Tree, span: Span) -> Res<T> {
        let list = |t: &Tree| t.leaves().into_iter().map(|l| l.0).collect::<Vec<_>>().join(", ");
        let (x, y) = (list(a), list(b));
        self.fail(
            Diagnostic::error(Code::H0330, span, "these parameter trees have different leaves")
                .note(format!("the first has {x}"))
                .note(format!("the second has {y}")),
        )
    }

    /// The same tree under another array name.
    pub fn rename_tree(&self, tree: &Tree, from: NameId, to: NameId) -> Tree {
        match tree {
            Tree::Leaf(t) => Tree::Leaf(self.relabel(t, from, Label::Named(to))),
            Tree::Node(parts) => Tree::Node(parts.iter().map(|(n, t)| (n.clone(), self.rename_tree(t, from, to))).collect()),
            Tree::Array { axis, item } => Tree::Array { axis: *axis, item: Box::new(self.rename_tree(item, from, to)) },
        }
    }

    /// A leaf is a tensor; whatever has parts stays a tree.
    pub fn tree_value(&mut self, tree: Tree) -> Value<'a> {
        fn arrays(tree: &Tree, out: &mut Vec<NameId>) -> Option<Tens> {
            match tree {
                Tree::Leaf(t) => Some(t.clone()),
                Tree::Array { axis, item } => {
                    out.push(*axis);
                    arrays(item, out)
                }
                Tree::Node(_) => None,
            }
        }
        let mut names = vec![];
        match arrays(&tree, &mut names) {
            Some(t) if names.is_empty() => Value::Tensor(t),
            Some(t) => Value::Tensor(self.names_to_sizes(t, &names)),
            None => Value::Tree(tree.into()),
        }
    }

    /// `value.*`
    pub fn tree_of(&mut self, value: Value<'a>, span: Span) -> Res<Tree> {
        match value {
            Value::Net(net) => {
                let open = self.nets.open_arrays(&net);
                let mut inner = net;
                inner.picks.extend(open.iter().map(|a| (*a, super::value::Pick::Name(*a))));
                let mut tree = self.inst_tree(&inner, span)?;
                for a in open.into_iter().rev() {
                    tree = Tree::Array { axis: a, item: Box::new(tree) };
                }
                Ok(tree)
            }
            Value::Family(nets) => {
                let mut parts = Vec::new();
                for (n, net) in nets.iter() {
                    parts.push((n.clone(), self.inst_tree(net, span)?));
                }
                Ok(Tree::Node(parts))
            }
            Value::Tree(t) => Ok((*t).clone()),
            Value::Poison(said) => Err(said),
            other => {
                let message = format!("the parameter tree of a net is wanted here, and this is {}", other.kind());
                let help = match other {
                    Value::Tensor(_) => {
                        "one tensor is no tree, also where it is a parameter: of a net `fc`, all its parameters are `fc.*`"
                    }
                    _ => "of a net `fc`, all its parameters are `fc.*`",
                };
                self.fail(Diagnostic::error(Code::H0331, span, message).help(help))
            }
        }
    }

    /// All values of a tree as one vector, in the order of the stored paths.
    pub fn flatten(&mut self, tree: &Tree) -> Res<Tens> {
        match tree {
            Tree::Leaf(t) => {
                let sizes = t.sized();
                let total = sizes.iter().fold(Size::from(1i64), |p, &i| p.mul(&self.extent(t, i)));
                let t = self.to_f32(t);
                Ok(self.reshape(&t, vec![total]))
            }
            Tree::Node(parts) => {
                let mut flat = Vec::new();
                for (_, t) in parts {
                    flat.push((self.flatten(t)?, Span::default()));
                }
                match flat.len() {
                    0 => Ok(self.empty_vector()),
                    1 => Ok(flat.pop().expect("one").0),
                    _ => self.concat(flat, Span::default()),
                }
            }
            Tree::Array { axis, item } => {
                let inner = self.flatten(item)?;
                let t = self.names_to_sizes(inner, &[*axis]);
                let total = t.sized().iter().fold(Size::from(1i64), |p, &i| p.mul(&self.extent(&t, i)));
                Ok(self.reshape(&t, vec![total]))
            }
        }
    }

    fn empty_vector(&mut self) -> Tens {
        let zero = self.constant(0.0, crate::ir::DType::F32);
        self.copy(&zero, vec![Label::Sized], vec![Axis::new("i", 0i64)], vec![])
    }

    /// Number of values of a tree.
    pub fn tree_len(&mut self, tree: &Tree) -> Size {
        match tree {
            Tree::Leaf(t) => t.sized().iter().fold(Size::from(1i64), |p, &i| p.mul(&self.extent(t, i))),
            Tree::Node(parts) => parts.iter().fold(Size::from(0i64), |s, (_, t)| s.add(&self.tree_len(t))),
            Tree::Array { axis, item } => self.axes.size_of(*axis).mul(&self.tree_len(item)),
        }
    }

    /// A flat vector (with names) in the form of a tree.
    pub fn unflatten(&mut self, flat: &Tens, like: &Tree, span: Span) -> Res<Tree> {
        let dims = flat.sized();
        let total = self.tree_len(like);
        let fits = match dims.as_slice() {
            [d] => {
                let n = self.extent(flat, *d);
                self.axes.same(&n, &total)
            }
            _ => false,
        };
        if !fits {
            let leaves: Vec<String> = like
                .leaves()
                .into_iter()
                .map(|(p, t)| {
                    let n = t.sized().iter().fold(Size::from(1i64), |q, &i| q.mul(&self.extent(t, i)));
                    format!("{p} has {}", self.axes.show_size(&n))
                })
                .collect();
            let message = format!("the parameters take {} values, and this is {}", self.axes.show_size(&total), self.show(flat));
            let mut d = Diagnostic::error(Code::H0401, span, message).here(format!("this is {}", self.show(flat)));
            let shown = leaves.len().min(8);
            d = d.note(format!("{}{}", leaves[..shown].join(", "), if leaves.len() > shown { ", .." } else { "" }));
            let own = dims.iter().map(|d| self.extent(flat, *d).constant()).collect::<Option<Vec<i64>>>();
            return self.fail(d.help(match (own.as_deref(), total.constant()) {
                (Some([n]), Some(wanted)) if *n > wanted => {
                    "`size(target.*)` is the number of values that a net takes; of a vector with a rest, as chunks leave one, `v[0..size(target.*)]`"
                }
                (Some([_, _, ..]), _) => {
                    "`size(target.*)` is the number of values that a net takes, in a row: `flatten(v)`, and of one with a rest `flatten(v)[0..size(target.*)]`"
                }
                _ => "`size(target.*)` is the number of values that a net takes",
            }));
        }
        self.cut(flat, like)
    }

    /// A vector of the right length, cut up.
    fn cut(&mut self, flat: &Tens, like: &Tree) -> Res<Tree> {
        match like {
            Tree::Leaf(t) => {
                let sizes: Vec<Size> = t.sized().into_iter().map(|i| self.extent(t, i)).collect();
                Ok(Tree::Leaf(self.reshape(flat, sizes)))
            }
            Tree::Node(parts) => {
                let mut out = Vec::new();
                let mut at = Size::from(0i64);
                for (n, part) in parts {
                    let length = self.tree_len(part);
                    let piece = if parts.len() == 1 { flat.clone() } else { self.slice(flat, &at, &length)? };
                    out.push((n.clone(), self.cut(&piece, part)?));
                    at = at.add(&length);
                }
                Ok(Tree::Node(out))
            }
            Tree::Array { axis, item } => {
                let n = self.axes.size_of(*axis);
                let length = self.tree_len(item);
                let rows = self.reshape(flat, vec![n, length]);
                let dim = rows.sized()[0];
                let named = self.dim_to_name(&rows, dim, *axis);
                Ok(Tree::Array { axis: *axis, item: Box::new(self.cut(&named, item)?) })
            }
        }
    }

    /// `length` places of a vector from `at` on.
    pub fn slice(&mut self, flat: &Tens, at: &Size, length: &Size) -> Res<Tens> {
        let dim = flat.sized()[0];
        let axis = Axis::new("i", length.clone());
        let counter =
            self.emit(Node::new(Op::Iota, crate::ir::DType::I32, vec![axis]), vec![Label::Sized], Vec::<Operand>::new());
        let index = if at.is(0) {
            counter
        } else {
            let start = self.size_value(at);
            self.pointwise(crate::ir::Map::Add, &[&counter, &start])?
        };
        self.gather(flat, &[(dim, index)], None)
    }

    /// The value of a path in an expression position (`in target.*`).
    pub fn path_value(&mut self, path: &'a ast::Path) -> Res<Value<'a>> {
        let mut value = self.word(&path.root.name, path.root.span)?;
        for part in &path.parts {
            value = match part {
                PathPart::Field(name) => self.field(value, name)?,
                PathPart::Star(span) => {
                    let tree = self.tree_of(value, *span)?;
                    Value::Tree(tree.into())
                }
                PathPart::Index(indices, span) => match value {
                    Value::Net(net) => Value::Net(self.index_net(net, indices, *span)?),
                    Value::Family(nets) => match indices.as_slice() {
                        [ast::Index::At(e)] => {
                            let k = self.size_of_expr(e)?.constant();
                            match k.and_then(|k| nets.get(k as usize)) {
                                Some((_, net)) => Value::Net(net.clone()),
                                None => return self.error(Code::H0316, *span, "there is no such net in this family"),
                            }
                        }
                        _ => return self.error(Code::H0314, *span, "a family is indexed by one number"),
                    },
                    _ => return self.error(Code::H0314, *span, "only arrays of nets are indexed in a path"),
                },
            };
        }
        Ok(value)
    }

    /// A path that ends in `.*`, by its shapes alone.
    pub fn shape_path(&mut self, path: &'a ast::Path) -> Res<Tree> {
        let value = self.for_shapes(|c| c.path_value(path))?;
        self.shape_tree(value, path.span)
    }

    /// Dotted names of a tree's leaves, from its declarations alone.
    pub fn leaf_names(&mut self, path: &'a ast::Path) -> Res<Vec<(Name, Size)>> {
        let tree = self.shape_path(path)?;
        let values = |c: &Self, t: &Tens| c.sized_extents(t).iter().fold(Size::from(1i64), |p, n| p.mul(n));
        Ok(tree.leaves().into_iter().map(|(p, t)| (p.into(), values(self, t))).collect())
    }

    /// `size(v)`: values of a tree, or of a tensor's sizes.
    pub fn size_function(&mut self, value: Value<'a>, span: Span) -> Res<Value<'a>> {
        match value {
            Value::LeafName(_, n) => Ok(Value::from(n)),
            Value::Tree(t) => Ok(Value::Num(Num::Exact(self.tree_len(&t)))),
            Value::Net(net) => Ok(Value::Num(Num::Exact(self.tree_size(&net)?))),
            v => {
                let t = self.as_tens(v, span)?;
                let n = t.sized().iter().fold(Size::from(1i64), |p, &i| p.mul(&self.extent(&t, i)));
                Ok(Value::from(n))
            }
        }
    }
}
