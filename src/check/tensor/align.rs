//! Alignment: what operands share is a loop, what one lacks is broadcast.

use crate::check::value::{Label, NameId, Tens};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{self, Axis, DType, Fold, Map, Node, Op, Operand, Size};
use crate::source::Span;

/// Loops of a result and how each operand is read in them.
pub struct Aligned {
    pub labels: Vec<Label>,
    pub axes: Vec<Axis>,
    pub subscripts: Vec<Vec<usize>>,
}

impl<'a> Checker<'a> {
    /// Aligns operands: the union of their names, and their common sizes.
    pub fn align(&mut self, operands: &[(&Tens, Span)], what: &str, span: Span) -> Res<Aligned> {
        let mut labels: Vec<Label> = vec![];
        let mut axes: Vec<Axis> = vec![];
        for (t, _) in operands {
            for (i, label) in t.labels.iter().enumerate() {
                if matches!(label, Label::Named(_)) && !labels.contains(label) {
                    labels.push(*label);
                    axes.push(self.build.at(t).shape[i].clone());
                }
            }
        }
        let names = labels.len();
        let sized = operands.iter().find(|(t, _)| !t.sized().is_empty());
        if let Some((t, _)) = sized {
            for i in t.sized() {
                labels.push(Label::Sized);
                axes.push(self.build.at(t).shape[i].clone());
            }
        }
        for (t, at) in operands {
            let own = t.sized();
            if own.is_empty() {
                continue;
            }
            let (first, first_at) = sized.expect("this one is sized");
            let equal = own.len() == labels.len() - names
                && own.iter().enumerate().all(|(k, &i)| {
                    let (a, b) = (self.extent(t, i), axes[names + k].size.clone());
                    self.axes.same(&a, &b)
                });
            if !equal {
                return self.mismatch(what, span, (first, *first_at), (t, *at));
            }
        }
        let subscripts = operands
            .iter()
            .map(|(t, _)| {
                let mut next = names;
                t.labels
                    .iter()
                    .map(|l| match l {
                        Label::Named(_) => labels.iter().position(|x| x == l).expect("in the union"),
                        Label::Sized => {
                            next += 1;
                            next - 1
                        }
                    })
                    .collect()
            })
            .collect();
        Ok(Aligned { labels, axes, subscripts })
    }

    fn mismatch<T>(&mut self, what: &str, span: Span, a: (&Tens, Span), b: (&Tens, Span)) -> Res<T> {
        let (left, right) = (self.show(a.0), self.show(b.0));
        let transposed = {
            let (x, y) = (a.0.sized(), b.0.sized());
            x.len() == 2 && y.len() == 2 && {
                let (p, q) = (self.extents(a.0), self.extents(b.0));
                p[x[0]] == q[y[1]] && p[x[1]] == q[y[0]] && !p[x[0]].is(1) && !p[x[1]].is(1)
            }
        };
        let (p, q) = (self.sized_extents(a.0), self.sized_extents(b.0));
        let op = what.trim_matches('`');
        let advice = by_index(&p, &q, if matches!(op, "+" | "-" | "*" | "/") { op } else { ".." });
        let mut d = Diagnostic::error(Code::H0301, span, format!("{what} wants equal sizes, and these differ"))
            .label(a.1, format!("this is {left}"))
            .label(b.1, format!("this is {right}"));
        d = if transposed { d.help("one of them is transposed: `transpose(..)` turns two sizes round") } else { d.help(advice) };
        self.fail(d)
    }

    /// A scalar function at every point.
    pub fn map(&mut self, f: Map, dtype: DType, operands: &[(&Tens, Span)], what: &str, span: Span) -> Res<Tens> {
        let aligned = self.align(operands, what, span)?;
        let uses: Vec<Operand> = operands
            .iter()
            .zip(aligned.subscripts)
            .map(|((t, _), subscripts)| Operand::new(self.build.node(t), subscripts))
            .collect();
        Ok(self.emit(Node::new(Op::Map(f), dtype, aligned.axes), aligned.labels, uses))
    }

    /// A scalar function of operands that are known to align.
    pub fn pointwise(&mut self, f: Map, operands: &[&Tens]) -> Res<Tens> {
        let dtype = f.gives(operands[usize::from(f == Map::Select)].dtype);
        let span = self.scopes.frame().span;
        let with: Vec<(&Tens, Span)> = operands.iter().map(|t| (*t, span)).collect();
        self.map(f, dtype, &with, "this", span)
    }

    /// The sum over names (all of which the operands have somewhere) of a product.
    pub fn contract(&mut self, operands: &[&Tens], over: &[NameId], span: Span) -> Res<Tens> {
        let with: Vec<(&Tens, Span)> = operands.iter().map(|t| (*t, span)).collect();
        let aligned = self.align(&with, "a product", span)?;
        let operands: Vec<ir::NodeId> = operands.iter().map(|t| self.build.node(t)).collect();
        let (labels, axes, inner, order) = split_loops(aligned.labels, aligned.axes, over);
        let mut node = Node::new(Op::Contract, DType::F32, axes);
        node.inner = inner;
        let uses = operands
            .into_iter()
            .zip(aligned.subscripts)
            .map(|(n, s)| Operand::new(n, s.into_iter().map(|k| order[k]).collect()))
            .collect();
        Ok(self.emit(node, labels, uses))
    }

    /// Folds a value over names that it has.
    pub fn fold(&mut self, f: Fold, t: &Tens, over: &[NameId]) -> Tens {
        let shape = self.build.at(t).shape.clone();
        let (labels, axes, inner, order) = split_loops(t.labels.clone(), shape, over);
        let dtype = match f {
            Fold::Any | Fold::All => DType::Bool,
            Fold::Argmax | Fold::Argmin => DType::I32,
            Fold::Sum | Fold::Prod | Fold::Max | Fold::Min => t.dtype,
        };
        let mut node = Node::new(Op::Fold(f), dtype, axes);
        node.inner = inner;
        let operand = self.build.node(t);
        self.emit(node, labels, vec![Operand::new(operand, order)])
    }
}

/// Loops of a result, closed loops, and where each loop went.
fn split_loops(labels: Vec<Label>, axes: Vec<Axis>, over: &[NameId]) -> (Vec<Label>, Vec<Axis>, Vec<Axis>, Vec<usize>) {
    let closed = |l: &Label| matches!(l, Label::Named(n) if over.contains(n));
    let open: Vec<usize> = (0..labels.len()).filter(|&i| !closed(&labels[i])).collect();
    let mut shut: Vec<usize> = (0..labels.len()).filter(|&i| closed(&labels[i])).collect();
    shut.sort_by_key(|&i| over.iter().position(|n| Label::Named(*n) == labels[i]));
    let mut order = vec![0; labels.len()];
    for (k, &i) in open.iter().chain(&shut).enumerate() {
        order[i] = k;
    }
    let pick = |list: &[usize]| list.iter().map(|&i| axes[i].clone()).collect::<Vec<_>>();
    (open.iter().map(|&i| labels[i]).collect(), pick(&open), pick(&shut), order)
}

/// How two values of unequal sizes are brought together with indices.
fn by_index(p: &[Size], q: &[Size], op: &str) -> String {
    let letters = ["i", "j", "k", "l", "m", "n"];
    let write = |value: &str, of: &[&str]| if of.is_empty() { value.to_string() } else { format!("{value}[{}]", of.join(", ")) };
    let (long, short, swap) = if p.len() >= q.len() { (p, q, false) } else { (q, p, true) };
    if long.len() > letters.len() || long.iter().chain(short).any(|s| s.is(1)) {
        return format!(
            "only names broadcast, a size of 1 does not: leave it out, and say with indices which axis is which, `let w[i, j] = a[i] {op} c[j]`"
        );
    }
    let all = &letters[..long.len()];
    let (k, n) = (short.len(), long.len());
    if k < n {
        let at = if long[n - k..] == *short {
            Some(n - k)
        } else if long[..k] == *short {
            Some(0)
        } else {
            None
        };
        if let Some(at) = at {
            let (one, other) = (write("a", all), write("c", &all[at..at + k]));
            let (one, other) = if swap { (write("a", &all[at..at + k]), write("c", all)) } else { (one, other) };
            return format!(
                "sizes do not broadcast; say along which axis it is repeated: `let w[{}] = {one} {op} {other}`",
                all.join(", ")
            );
        }
    }
    if k == 1 && n == 1 {
        return format!("sizes do not broadcast; if all pairs are meant, say so with indices: `let w[i, j] = a[i] {op} c[j]`");
    }
    format!("sizes do not broadcast; say with indices which axes belong together: `let w[i, j, k] = a[i, j] {op} c[j, k]`")
}
