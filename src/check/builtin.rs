//! Functions that are primitives of the graph, or one step above them.

use super::scope::Binding;
use super::value::{Label, NameId, Num, Tens, Value};
use super::word::Meaning;
use super::{Checker, Res};
use crate::diag::Diagnostic;
use crate::ir::{Axis, DType, Fold, Map, Node, Op, Operand, Size};
use crate::source::Span;
use crate::syntax::ast::{self, ExprKind, Index, Name};

/// All of them.
pub const WORDS: &[&str] = &[
    "exp",
    "log",
    "log2",
    "sqrt",
    "abs",
    "sin",
    "cos",
    "tan",
    "tanh",
    "sigmoid",
    "relu",
    "softplus",
    "erf",
    "floor",
    "ceil",
    "round",
    "sign",
    "number",
    "int",
    "size",
    "concat",
    "stack",
    "flatten",
    "unflatten",
    "transpose",
    "sort",
    "argsort",
    "cumsum",
    "top_k",
    "admitted",
    "blend",
    "norm",
    "assignment",
    "surrogate",
    "stop_gradient",
    "grad",
    "count",
    "zeros",
    "ones",
    "fill",
    "normal",
    "uniform",
    "bernoulli",
    "randint",
];

type Args<'a> = Vec<(Option<Name>, Value<'a>, Span)>;

impl<'a> Checker<'a> {
    /// Calls a primitive function; `axes` is what stands in brackets after its name.
    pub fn builtin(
        &mut self,
        word: &str,
        at: Span,
        axes: &'a [Index],
        first: Option<(Value<'a>, Span)>,
        args: &'a [ast::Arg],
        span: Span,
    ) -> Res<Value<'a>> {
        self.brackets(word, at, axes)?;
        self.named_args(word, args)?;
        // Sizes of trees are known before their values are.
        match (word, args) {
            ("size", [arg]) if first.is_none() => {
                if let ExprKind::Tree { base } = &*arg.value.kind {
                    return match self.for_shapes(|c| c.expr(base))? {
                        Value::Net(net) => Ok(Value::from(self.tree_size(&net)?)),
                        v => {
                            let tree = self.shape_tree(v, arg.value.span)?;
                            Ok(Value::from(self.tree_len(&tree)))
                        }
                    };
                }
            }
            ("unflatten", [_, like]) | ("unflatten", [like]) if first.is_some() || args.len() == 2 => {
                let tree = self.for_shapes(|c| c.expr(&like.value).and_then(|v| c.tree_of(v, like.value.span)));
                let (flat, flat_at) = match first {
                    Some(f) => f,
                    None => (self.expr(&args[0].value)?, args[0].value.span),
                };
                let flat = self.as_tens(flat, flat_at)?;
                let tree = self.unflatten(&flat, &tree?, flat_at)?;
                return Ok(Value::Tree(tree.into()));
            }
            _ => {}
        }
        let mut values: Args<'a> = first.into_iter().map(|(v, s)| (None, v, s)).collect();
        for arg in args {
            values.push((arg.name.as_ref().map(|n| n.name.clone()), self.expr(&arg.value)?, arg.value.span));
        }
        self.primitive(word, at, axes, values, span)
    }

    /// Refuses an axis in brackets where none is taken.
    fn brackets(&mut self, word: &str, at: Span, axes: &[Index]) -> Res<()> {
        if axes.is_empty() || matches!(word, "top_k" | "sort" | "argsort" | "cumsum" | "admitted") {
            return Ok(());
        }
        let help = match word {
            "norm" => "for the length along an axis: `sqrt(sum[i] v[i]^2)`",
            "concat" | "stack" | "flatten" | "transpose" => {
                "it acts on sizes; `let w[j < count[t]] = x[t: j]` turns a name into a size"
            }
            _ => "`sort`, `argsort`, `cumsum`, `top_k` and `admitted` take one; reductions bind theirs, `sum[t] ..`",
        };
        self.fail(Diagnostic::error("H0357", at, format!("`{word}` takes no axis in brackets")).help(help))
    }

    /// Refuses names of arguments that a primitive function does not have.
    fn named_args(&mut self, word: &str, args: &'a [ast::Arg]) -> Res<()> {
        for (i, arg) in args.iter().enumerate() {
            let Some(name) = &arg.name else { continue };
            let known = match word {
                "surrogate" => matches!(&*name.name, "forward" | "backward"),
                "top_k" => i + 1 == args.len() && &*name.name == "k",
                // These say themselves which they have.
                _ => super::chance::DISTRIBUTIONS.contains(&word),
            };
            if !known {
                return self.error("H0333", name.span, format!("`{word}` has no argument `{}`", name.name));
            }
        }
        Ok(())
    }

    fn primitive(&mut self, word: &str, at: Span, axes: &'a [Index], args: Args<'a>, span: Span) -> Res<Value<'a>> {
        let expect = |c: &mut Self, n: usize, args: Args<'a>| -> Res<Args<'a>> {
            if args.len() == n {
                return Ok(args);
            }
            let message = format!(
                "`{word}` takes {}, and {} given",
                super::instance::count(n, "argument"),
                if args.len() == 1 { "1 is".into() } else { format!("{} are", args.len()) }
            );
            c.error("H0333", span, message)
        };
        match word {
            "concat" | "stack" => {
                let mut parts = vec![];
                for (_, v, s) in args {
                    let t = match v {
                        Value::Num(n) => self.num_f32(&n),
                        v => self.as_tens(v, s)?,
                    };
                    parts.push((t, s));
                }
                let t = if word == "concat" { self.concat(parts, span)? } else { self.stack(parts, span)? };
                Ok(Value::Tensor(t))
            }
            "size" => {
                let mut args = expect(self, 1, args)?;
                let (_, v, s) = args.pop().expect("one");
                self.size_function(v, s)
            }
            "flatten" => {
                let mut args = expect(self, 1, args)?;
                let (_, v, s) = args.pop().expect("one");
                match v {
                    Value::Tree(t) => Ok(Value::Tensor(self.flatten(&t)?)),
                    Value::Net(net) => {
                        let tree = self.tree_of(Value::Net(net), s)?;
                        Ok(Value::Tensor(self.flatten(&tree)?))
                    }
                    v => {
                        let t = self.as_tens(v, s)?;
                        let total = self.sized_extents(&t).iter().fold(Size::from(1i64), |p, n| p.mul(n));
                        Ok(Value::Tensor(self.reshape(&t, vec![total])))
                    }
                }
            }
            "transpose" => {
                let mut args = expect(self, 1, args)?;
                let (_, v, s) = args.pop().expect("one");
                let t = self.as_tens(v, s)?;
                let sized = t.sized();
                if sized.len() != 2 {
                    let message = format!("`transpose` turns a matrix round, and this is {}", self.show(&t));
                    return self.fail(
                        Diagnostic::error("H0347", s, message)
                            .help("indices say it for more axes: `let w[k, j, i] = v[i, j, k]`"),
                    );
                }
                let order: Vec<usize> = (0..t.labels.len())
                    .map(|i| {
                        if i == sized[0] {
                            sized[1]
                        } else if i == sized[1] {
                            sized[0]
                        } else {
                            i
                        }
                    })
                    .collect();
                Ok(Value::Tensor(self.permute(&t, &order)))
            }
            "top_k" => {
                let args = expect(self, 2, args)?;
                self.top_k(axes, args, span)
            }
            "sort" | "argsort" | "cumsum" => {
                let args = expect(self, 1, args)?;
                self.ordered(word, axes, args, span)
            }
            "admitted" => {
                let args = expect(self, 2, args)?;
                self.admitted_call(axes, args, at, span)
            }
            "blend" => {
                let args = expect(self, 2, args)?;
                self.blend(args, span)
            }
            "norm" => {
                let mut args = expect(self, 1, args)?;
                let (_, v, s) = args.pop().expect("one");
                self.norm(v, s)
            }
            "assignment" => {
                let mut args = expect(self, 1, args)?;
                let (_, v, s) = args.pop().expect("one");
                let t = self.as_tens(v, s)?;
                self.assignment(&t, s).map(Value::Tensor)
            }
            "surrogate" => {
                let mut args = expect(self, 2, args)?;
                let back = args.pop().expect("two");
                let front = args.pop().expect("two");
                let forward = if front.0.as_deref() == Some("backward") { back } else { front };
                Ok(forward.1)
            }
            "stop_gradient" => {
                let mut args = expect(self, 1, args)?;
                Ok(args.pop().expect("one").1)
            }
            "grad" => {
                let args = expect(self, 2, args)?;
                self.grad(args, at)
            }
            "count" => self.error("H0318", at, "`count` wants an axis in brackets: `count[t]`"),
            "zeros" | "ones" | "fill" | "normal" | "uniform" | "bernoulli" | "randint" => self.fail(
                Diagnostic::error("H0511", at, format!("`{word}(..)` needs a declared type"))
                    .help("`var h: [d] = zeros()`, `draw eps: [*, d] = normal()`, `param w: [i, o] = normal()`"),
            ),
            _ => {
                let mut args = expect(self, 1, args)?;
                let (_, v, s) = args.pop().expect("one");
                self.scalar_function(word, v, s)
            }
        }
    }

    /// `grad(y, x)`: typed like `x`; nothing computes it yet, so what needs it is left out of a run.
    fn grad(&mut self, mut args: Args<'a>, at: Span) -> Res<Value<'a>> {
        let (_, x, x_at) = args.pop().expect("two");
        let (_, y, y_at) = args.pop().expect("two");
        let y = self.as_tens(y, y_at)?;
        if !y.sized().is_empty() {
            let message = format!("a derivative is of one number per example, and this is {}", self.show(&y));
            return self.error("H0356", y_at, message);
        }
        self.report.no_derivatives(
            Diagnostic::warning("H0816", at, "derivatives do not run yet")
                .help("what needs this one is left out of a run; everything else runs"),
        );
        let names: Vec<NameId> = y.names().collect();
        let slope = |c: &mut Self, t: &Tens| {
            let t = c.spread(t, &names);
            let axes = c.build.at(&t).shape.clone();
            let node = Node::new(Op::Source { origin: crate::ir::Origin::Input, path: "grad".into() }, DType::F32, axes);
            c.emit(node, t.labels.clone(), vec![])
        };
        match x {
            Value::Tree(tree) => {
                let out = self.tree_map(&tree, &mut |c, leaf| Ok(slope(c, leaf)))?;
                Ok(Value::Tree(out.into()))
            }
            v => {
                let t = self.as_tens(v, x_at)?;
                Ok(Value::Tensor(slope(self, &t)))
            }
        }
    }

    /// `exp`, `relu`, `number`, ..
    fn scalar_function(&mut self, word: &str, v: Value<'a>, at: Span) -> Res<Value<'a>> {
        if let Value::Num(n) = &v {
            let n = match n {
                Num::Exact(s) => Num::Exact(self.resolve(s)),
                Num::Real(r) => Num::Real(*r),
            };
            if let Some(out) = self.num_function(word, &[n]) {
                return Ok(Value::Num(out));
            }
        }
        if let Value::Tree(tree) = &v {
            let out = self.tree_map(tree, &mut |c, leaf| {
                let v = c.scalar_function(word, Value::Tensor(leaf.clone()), at)?;
                c.as_tens(v, at)
            })?;
            return Ok(Value::Tree(out.into()));
        }
        if let (Value::Bool(b), "number") = (&v, word) {
            return Ok(Value::from(Size::from(i64::from(*b))));
        }
        let t = match v {
            Value::Num(n) => self.num_f32(&n),
            v => self.as_tens(v, at)?,
        };
        if word == "number" {
            return Ok(Value::Tensor(self.to_f32(&t)));
        }
        if word == "int" {
            return Ok(Value::Tensor(if t.dtype == DType::I32 { t } else { self.pointwise(Map::ToI32, &[&t])? }));
        }
        self.arithmetic(&t, at)?;
        if t.dtype == DType::I32 && matches!(word, "abs" | "sign" | "relu" | "floor" | "ceil" | "round") {
            return Ok(Value::Tensor(match word {
                "abs" => self.pointwise(Map::Abs, &[&t])?,
                "sign" => self.pointwise(Map::Sign, &[&t])?,
                "relu" => {
                    let zero = self.constant(0.0, DType::I32);
                    self.pointwise(Map::Max, &[&t, &zero])?
                }
                _ => t,
            }));
        }
        let t = self.to_f32(&t);
        let f = match word {
            "relu" => {
                let zero = self.constant(0.0, DType::F32);
                return Ok(Value::Tensor(self.pointwise(Map::Max, &[&t, &zero])?));
            }
            "log2" => {
                let log = self.pointwise(Map::Log, &[&t])?;
                let base = self.constant(std::f64::consts::LN_2, DType::F32);
                return Ok(Value::Tensor(self.pointwise(Map::Div, &[&log, &base])?));
            }
            _ => match Map::of_called(word) {
                Some(f) => f,
                None => return self.report.bug(at, "a function without a meaning"),
            },
        };
        Ok(Value::Tensor(self.pointwise(f, &[&t])?))
    }

    /// One kind of element for all parts.
    fn common(&mut self, parts: Vec<(Tens, Span)>) -> Res<Vec<(Tens, Span)>> {
        let first = parts.first().map(|p| p.0.dtype);
        if parts.iter().all(|(t, _)| Some(t.dtype) == first) {
            return Ok(parts);
        }
        let mut out = vec![];
        for (t, s) in parts {
            self.arithmetic(&t, s)?;
            out.push((self.to_f32(&t), s));
        }
        Ok(out)
    }

    /// Joins values along their first size.
    pub fn concat(&mut self, parts: Vec<(Tens, Span)>, span: Span) -> Res<Tens> {
        let parts = self.common(parts)?;
        let Some((first, first_at)) = parts.first().cloned() else {
            return self.error("H0333", span, "`concat` takes at least one value");
        };
        let rest: Vec<Size> = match self.sized_extents(&first).split_first() {
            Some((_, rest)) => rest.to_vec(),
            None => {
                let message = format!("`concat` joins along the first size, and this is {}", self.show(&first));
                return self
                    .fail(Diagnostic::error("H0348", first_at, message).help("a list makes a vector of numbers: `[a, b]`"));
            }
        };
        let mut length = Size::from(0i64);
        let mut names: Vec<(NameId, Axis)> = vec![];
        for (t, s) in &parts {
            let own = self.sized_extents(t);
            let fits = own.len() == rest.len() + 1 && own[1..].iter().zip(&rest).all(|(a, b)| self.same(a, b));
            if !fits {
                let message =
                    format!("`concat` joins along the first size; the others must be equal, and this is {}", self.show(t));
                return self
                    .fail(Diagnostic::error("H0348", *s, message).label(first_at, format!("this is {}", self.show(&first))));
            }
            length = length.add(&own[0]);
            for (i, l) in t.labels.iter().enumerate() {
                if let Label::Named(n) = l
                    && !names.iter().any(|(m, _)| m == n)
                {
                    names.push((*n, self.build.at(t).shape[i].clone()));
                }
            }
        }
        let k = names.len();
        let mut labels: Vec<Label> = names.iter().map(|(n, _)| Label::Named(*n)).collect();
        let mut axes: Vec<Axis> = names.iter().map(|(_, a)| a.clone()).collect();
        axes.push(Axis::new("i", length));
        labels.push(Label::Sized);
        let tail = first.sized();
        for d in &tail[1..] {
            axes.push(self.build.at(&first).shape[*d].clone());
            labels.push(Label::Sized);
        }
        let dtype = first.dtype;
        let mut uses = vec![];
        for (t, _) in &parts {
            let mut next = k;
            let subscripts = t
                .labels
                .iter()
                .map(|l| match l {
                    Label::Named(n) => names.iter().position(|(m, _)| m == n).expect("joined"),
                    Label::Sized => {
                        next += 1;
                        next - 1
                    }
                })
                .collect();
            uses.push(Operand::new(self.build.node(t), subscripts));
        }
        Ok(self.emit(Node::new(Op::Concat { axis: k }, dtype, axes), labels, uses))
    }

    /// Puts values below each other along a new leading size.
    pub fn stack(&mut self, parts: Vec<(Tens, Span)>, span: Span) -> Res<Tens> {
        let parts = self.common(parts)?;
        let rows: Vec<(Tens, Span)> = {
            let refs: Vec<(&Tens, Span)> = parts.iter().map(|(t, s)| (t, *s)).collect();
            self.align(&refs, "a list", span)?;
            let widest = parts.iter().map(|(t, _)| t.sized().len()).max().unwrap_or(0);
            let model = parts.iter().find(|(t, _)| t.sized().len() == widest).map(|(t, _)| t.clone());
            let mut rows = vec![];
            for (t, s) in &parts {
                let mut t = t.clone();
                // One number stands for all places of the others.
                if let Some(m) = &model
                    && t.sized().len() < widest
                {
                    for d in m.sized() {
                        let axis = self.build.at(m).shape[d].clone();
                        let mut axes = self.build.at(&t).shape.clone();
                        let mut labels = t.labels.clone();
                        let subscripts = (0..axes.len()).collect();
                        axes.push(axis);
                        labels.push(Label::Sized);
                        t = self.copy(&t, labels, axes, subscripts);
                    }
                }
                let names: Vec<usize> = (0..t.labels.len()).filter(|i| t.labels[*i] != Label::Sized).collect();
                let order: Vec<usize> = names.iter().copied().chain(t.sized()).collect();
                let t = self.permute(&t, &order);
                let mut axes = self.build.at(&t).shape.clone();
                let mut labels = t.labels.clone();
                axes.insert(names.len(), Axis::new("i", 1i64));
                labels.insert(names.len(), Label::Sized);
                let subscripts = (0..t.labels.len()).map(|i| if i < names.len() { i } else { i + 1 }).collect();
                rows.push((self.copy(&t, labels, axes, subscripts), *s));
            }
            rows
        };
        self.concat(rows, span)
    }

    /// The axis in brackets, or the only sized one.
    fn order_axis(&mut self, t: &Tens, axes: &'a [Index], word: &str, at: Span) -> Res<(usize, Option<NameId>)> {
        match axes {
            [] => {
                let sized = t.sized();
                if let [d] = sized.as_slice() {
                    return Ok((*d, None));
                }
                let message = format!("`{word}(..)` wants exactly one sized axis, and this is {}", self.show(t));
                self.fail(Diagnostic::error("H0328", at, message).help(format!("name the axis: `{word}[t](..)`")))
            }
            [Index::At(e)] => {
                if let ExprKind::Name(w) = &*e.kind
                    && let Meaning::Axis(n) | Meaning::Local(Binding::Index(n)) = self.meaning(w)
                    && let Some(d) = t.find(n)
                {
                    return Ok((d, Some(n)));
                }
                let message = format!("this is no axis of the value, which is {}", self.show(t));
                self.error("H0318", e.span, message)
            }
            _ => self.error("H0318", at, format!("`{word}` takes one axis")),
        }
    }

    /// The order of a value along a dimension: its labels with that dimension sized, `count` long.
    fn order(&mut self, t: &Tens, dim: usize, count: Size, descending: bool) -> Tens {
        let shape = self.build.at(t).shape.clone();
        let mut axes = shape.clone();
        axes[dim] = Axis::new("rank", count);
        let mut labels = t.labels.clone();
        labels[dim] = Label::Sized;
        let mut node = Node::new(Op::Order { axis: dim, descending }, DType::I32, axes);
        node.inner = vec![shape[dim].clone()];
        let rank = shape.len();
        let subscripts = (0..rank).map(|i| if i == dim { rank } else { i }).collect();
        let operand = self.build.node(t);
        self.emit(node, labels, vec![Operand::new(operand, subscripts)])
    }

    fn top_k(&mut self, axes: &'a [Index], mut args: Args<'a>, span: Span) -> Res<Value<'a>> {
        let (_, k, k_at) = args.pop().expect("two");
        let (_, v, at) = args.pop().expect("two");
        let t = self.as_tens(v, at)?;
        self.arithmetic(&t, at)?;
        let k = self.whole(k, k_at)?;
        let (dim, _) = self.order_axis(&t, axes, "top_k", at)?;
        let n = self.extent(&t, dim);
        if let Some(room) = n.sub(&k).constant()
            && (room < 0 || k.constant().is_some_and(|k| k < 0))
        {
            let message = format!("the {} largest of {} are asked for", self.show_size(&k), self.show_size(&n));
            return self.error("H0349", k_at, message);
        }
        let index = self.order(&t, dim, k, true);
        let value = self.read_order(&t, dim, &index)?;
        let _ = span;
        Ok(Value::Record(vec![("index".into(), Value::Tensor(index)), ("value".into(), Value::Tensor(value))].into()))
    }

    /// A value read in an order along a dimension. The order carries the other dimensions' labels, so each is one loop; what
    /// is read has the order's layout.
    fn read_order(&mut self, t: &Tens, dim: usize, index: &Tens) -> Res<Tens> {
        let others: Vec<usize> = t.sized().into_iter().filter(|d| *d != dim).collect();
        let (mut t, mut index) = (t.clone(), index.clone());
        let mut named = vec![];
        for d in others {
            let n = self.new_name("i", self.extent(&t, d), None);
            t.labels[d] = Label::Named(n);
            index.labels[d] = Label::Named(n);
            named.push(n);
        }
        let handle = self.new_name("order", self.extent(&t, dim), None);
        t.labels[dim] = Label::Named(handle);
        let layout = index.labels.clone();
        let mut out = self.gather(&t, &[(dim, index)], None)?;
        let places: Option<Vec<usize>> = layout.iter().map(|l| out.labels.iter().position(|o| o == l)).collect();
        if let Some(places) = places.filter(|p| p.len() == out.labels.len() && !p.is_sorted()) {
            out = self.permute(&out, &places);
        }
        for n in named {
            out = self.relabel(&out, n, Label::Sized);
        }
        Ok(out)
    }

    fn ordered(&mut self, word: &str, axes: &'a [Index], mut args: Args<'a>, span: Span) -> Res<Value<'a>> {
        let (_, v, at) = args.pop().expect("one");
        let t = self.as_tens(v, at)?;
        self.arithmetic(&t, at)?;
        let (dim, name) = self.order_axis(&t, axes, word, at)?;
        let n = self.extent(&t, dim);
        let back = |c: &Self, mut out: Tens, d: usize| {
            if let Some(n) = name {
                out.labels[d] = Label::Named(n);
            }
            let _ = c;
            out
        };
        match word {
            "cumsum" => {
                let axes = self.build.at(&t).shape.clone();
                let subscripts = (0..axes.len()).collect();
                let operand = self.build.node(&t);
                let node = Node::new(Op::Scan { axis: dim }, t.dtype, axes);
                Ok(Value::Tensor(self.emit(node, t.labels.clone(), vec![Operand::new(operand, subscripts)])))
            }
            "argsort" => {
                let out = self.order(&t, dim, n, false);
                Ok(Value::Tensor(back(self, out, dim)))
            }
            _ => {
                let index = self.order(&t, dim, n, false);
                let out = self.read_order(&t, dim, &index)?;
                let Some(n) = name else { return Ok(Value::Tensor(out)) };
                // The sorted axis is the sized one that was not there before.
                let before = t.sized().len();
                let sized = out.sized();
                if sized.len() != before + 1 {
                    return self.error("H0328", span, "this cannot be sorted along that axis");
                }
                let at = sized.into_iter().find(|d| {
                    let e = self.extent(&out, *d);
                    e == self.size_of(n)
                });
                match at {
                    Some(d) => Ok(Value::Tensor(self.dim_to_name(&out, d, n))),
                    None => self.report.bug(span, "a sorted axis has gone"),
                }
            }
        }
    }

    /// Euclidean length over all sizes.
    fn norm(&mut self, v: Value<'a>, at: Span) -> Res<Value<'a>> {
        let flat = match v {
            Value::Tree(tree) => self.flatten(&tree)?,
            v => {
                let t = self.as_tens(v, at)?;
                self.arithmetic(&t, at)?;
                let t = self.to_f32(&t);
                let total = self.sized_extents(&t).iter().fold(Size::from(1i64), |p, n| p.mul(n));
                self.reshape(&t, vec![total])
            }
        };
        let dim = flat.sized()[0];
        let n = self.new_name("i", self.extent(&flat, dim), Some(at));
        let named = self.dim_to_name(&flat, dim, n);
        let squares = self.contract(&[&named, &named], &[n], at)?;
        Ok(Value::Tensor(self.pointwise(Map::Sqrt, &[&squares])?))
    }

    fn assignment(&mut self, t: &Tens, at: Span) -> Res<Tens> {
        let sized = t.sized();
        let square = match sized.as_slice() {
            [r, c] => {
                let (a, b) = (self.extent(t, *r), self.extent(t, *c));
                self.same(&a, &b)
            }
            _ => false,
        };
        if !square {
            let message = format!("`assignment` takes a square matrix of costs, and this is {}", self.show(t));
            return self.error("H0350", at, message);
        }
        let t = self.to_f32(t);
        let names: Vec<usize> = (0..t.labels.len()).filter(|i| t.labels[*i] != Label::Sized).collect();
        let order: Vec<usize> = names.iter().copied().chain(t.sized()).collect();
        let t = self.permute(&t, &order);
        let shape = self.build.at(&t).shape.clone();
        let rank = names.len() + 1;
        let mut node = Node::new(Op::Assign, DType::I32, shape[..rank].to_vec());
        node.inner = vec![shape[rank].clone()];
        let operand = self.build.node(&t);
        let labels = t.labels[..rank].to_vec();
        Ok(self.emit(node, labels, vec![Operand::new(operand, (0..=rank).collect())]))
    }

    /// The sum of a value over names, when it has them.
    pub fn sum_over(&mut self, t: &Tens, names: &[NameId]) -> Tens {
        let t = self.spread(t, names);
        self.fold(Fold::Sum, &t, names)
    }
}
