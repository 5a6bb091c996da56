//! Alignment: names by name, sizes by position, nothing else.
//!
//! Every operation here adds at most one node; what its operands share is a loop, what one lacks is broadcast.

use super::value::{Label, NameId, Num, Pick, Tens, Value};
use super::{Checker, Res};
use crate::diag::Diagnostic;
use crate::ir::{self, Axis, DType, Fold, Map, Node, Op, Operand, Size};
use crate::source::Span;

/// Loops of a result and how each operand is read in them.
pub struct Aligned {
    pub labels: Vec<Label>,
    pub axes: Vec<Axis>,
    pub subscripts: Vec<Vec<usize>>,
}

impl<'a> Checker<'a> {
    /// A type for people: `{b, t}[heads, 8]`.
    pub fn show(&self, t: &Tens) -> String {
        let sizes = self.extents(t);
        let names: Vec<&str> = t.names().map(|n| self.name_text(n)).collect();
        let sized: Vec<String> = t.sized().into_iter().map(|i| self.show_size(&sizes[i])).collect();
        let scalar = match t.dtype {
            DType::F32 => "",
            DType::I32 => "i32",
            DType::Bool => "bool",
        };
        match (names.is_empty(), sized.is_empty()) {
            (true, true) => format!("{scalar}one number")
                .replace("i32one number", "one whole number")
                .replace("boolone number", "one truth value"),
            (true, false) => format!("{scalar}[{}]", sized.join(", ")),
            (false, true) => format!("{scalar}{{{}}}", names.join(", ")),
            (false, false) => format!("{scalar}{{{}}}[{}]", names.join(", "), sized.join(", ")),
        }
    }

    /// The kind of element, and the type: `f32`, `i32{b}[8]`.
    pub fn show_kind(&self, t: &Tens) -> String {
        match (t.labels.is_empty(), t.dtype) {
            (true, _) => t.dtype.word().to_string(),
            (false, DType::F32) => format!("f32 {}", self.show(t)).replace("f32 ", "f32"),
            (false, _) => self.show(t),
        }
    }

    /// A size for people; a range that is still open is `?`.
    pub fn show_size(&self, size: &Size) -> String {
        let text = self.resolve(size).to_string();
        if text.contains('?') { "?".into() } else { text }
    }

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
                    self.same(&a, &b)
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
        let mut d = Diagnostic::error("H0301", span, format!("{what} wants equal sizes, and these differ"))
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

    /// The same values as f32.
    #[expect(clippy::wrong_self_convention, reason = "it converts a tensor, not the checker")]
    pub fn to_f32(&mut self, t: &Tens) -> Tens {
        if t.dtype == DType::F32 {
            return t.clone();
        }
        if t.labels.is_empty()
            && let Op::Const(v) = self.build.at(t).op
        {
            return self.constant(v, DType::F32);
        }
        if let Op::Extent(size) = &self.build.at(t).op {
            let size = size.clone();
            return self.extent_value(&size, DType::F32);
        }
        self.pointwise(Map::ToF32, &[t]).expect("one operand aligns")
    }

    /// A number as a tensor: i32 where it is a size, f32 else.
    pub fn num_tens(&mut self, n: &Num) -> Tens {
        match n {
            Num::Real(v) => self.constant(*v, DType::F32),
            Num::Exact(s) => {
                let s = self.resolve(s);
                match s.number() {
                    Some(v) if v.fract() != 0.0 => self.constant(v, DType::F32),
                    None if !surely_whole(&s) => self.num_f32(n),
                    Some(_) | None => self.size_value(&s),
                }
            }
        }
    }

    /// A number as an f32 scalar; unknown quotients are computed.
    pub fn num_f32(&mut self, n: &Num) -> Tens {
        match n {
            Num::Real(v) => self.constant(*v, DType::F32),
            Num::Exact(s) => {
                let s = self.resolve(s);
                match s.number() {
                    Some(v) => self.constant(v, DType::F32),
                    None => {
                        let (top, bottom) = quotient(&s);
                        let integral =
                            |s: &Size| s.parts().all(|((_, d), f)| d == 1 && f.iter().all(|(a, p)| *p > 0 && !is_fractional(a)));
                        if !integral(&top) || !integral(&bottom) {
                            return self.num_parts(&s);
                        }
                        let a = self.extent_value(&top, DType::F32);
                        if bottom.is(1) {
                            return a;
                        }
                        let b = self.extent_value(&bottom, DType::F32);
                        self.pointwise(Map::Div, &[&a, &b]).expect("scalars align")
                    }
                }
            }
        }
    }

    /// A number term by term, for one that holds `max(n / 2, 1)`: no size is a fraction.
    fn num_parts(&mut self, s: &Size) -> Tens {
        use ir::size::{Atom, SizeFn};
        let mut sum = self.constant(0.0, DType::F32);
        for ((top, bottom), factors) in s.parts().map(|(c, f)| (c, f.to_vec())).collect::<Vec<_>>() {
            let mut term = self.constant(top as f64 / bottom as f64, DType::F32);
            for (atom, power) in factors {
                let base = match &atom {
                    Atom::Apply(f @ (SizeFn::Max | SizeFn::Min), args) if is_fractional(&atom) => {
                        let map = if *f == SizeFn::Max { Map::Max } else { Map::Min };
                        let values: Vec<Tens> = args.iter().map(|a| self.num_f32(&Num::Exact(a.clone()))).collect();
                        self.pointwise(map, &[&values[0], &values[1]]).expect("scalars align")
                    }
                    Atom::Apply(SizeFn::Group, args) => self.num_f32(&Num::Exact(args[0].clone())),
                    Atom::Apply(f, args) => self.num_f32(&Num::Exact(Size::apply(*f, args.clone()))),
                    Atom::Sym(n) => self.num_f32(&Num::Exact(Size::sym(n.clone()))),
                };
                let map = if power > 0 { Map::Mul } else { Map::Div };
                for _ in 0..power.abs() {
                    term = self.pointwise(map, &[&term, &base]).expect("scalars align");
                }
            }
            sum = self.pointwise(Map::Add, &[&sum, &term]).expect("scalars align");
        }
        sum
    }

    /// The same node with other labels.
    pub fn relabel(&self, t: &Tens, from: NameId, to: Label) -> Tens {
        let labels = t.labels.iter().map(|l| if *l == Label::Named(from) { to } else { *l }).collect();
        Tens { labels, ..t.clone() }
    }

    /// A copy that is read with these subscripts into loops with these labels (which may broadcast, transpose, repeat).
    pub fn copy(&mut self, t: &Tens, labels: Vec<Label>, axes: Vec<Axis>, subscripts: Vec<usize>) -> Tens {
        let node = self.build.node(t);
        let trivial = subscripts.len() == axes.len() && subscripts.iter().enumerate().all(|(i, s)| i == *s);
        if trivial {
            return Tens { level: self.build.level(), node, labels, dtype: t.dtype };
        }
        self.emit(Node::new(Op::Map(Map::Copy), t.dtype, axes), labels, vec![Operand::new(node, subscripts)])
    }

    /// Dimensions in another order.
    pub fn permute(&mut self, t: &Tens, order: &[usize]) -> Tens {
        let shape = self.build.at(t).shape.clone();
        let axes = order.iter().map(|&i| shape[i].clone()).collect();
        let labels = order.iter().map(|&i| t.labels[i]).collect();
        let mut subscripts = vec![0; order.len()];
        for (k, &i) in order.iter().enumerate() {
            subscripts[i] = k;
        }
        self.copy(t, labels, axes, subscripts)
    }

    /// Names that a value lacks, added in front (it is the same along them).
    pub fn spread(&mut self, t: &Tens, names: &[NameId]) -> Tens {
        let missing: Vec<NameId> = names.iter().copied().filter(|n| t.find(*n).is_none()).collect();
        if missing.is_empty() {
            return t.clone();
        }
        let mut axes: Vec<Axis> = missing.iter().map(|n| self.axis(Label::Named(*n), "", self.size_of(*n))).collect();
        let labels: Vec<Label> = missing.iter().map(|n| Label::Named(*n)).chain(t.labels.iter().copied()).collect();
        axes.extend(self.build.at(t).shape.iter().cloned());
        let subscripts = (0..t.labels.len()).map(|i| i + missing.len()).collect();
        self.copy(t, labels, axes, subscripts)
    }

    /// Turns names into sizes, in this order, in front of the sizes that are there. Names that the value lacks are spread.
    pub fn names_to_sizes(&mut self, t: Tens, names: &[NameId]) -> Tens {
        let t = self.spread(&t, names);
        let mut order: Vec<usize> =
            (0..t.labels.len()).filter(|&i| matches!(t.labels[i], Label::Named(n) if !names.contains(&n))).collect();
        let kept = order.len();
        order.extend(names.iter().map(|n| t.find(*n).expect("spread")));
        order.extend(t.sized());
        let mut out = self.permute(&t, &order);
        for k in 0..names.len() {
            out.labels[kept + k] = Label::Sized;
        }
        out
    }

    /// The size `dim` becomes the name; a name that the value has already gives the diagonal.
    pub fn dim_to_name(&mut self, t: &Tens, dim: usize, name: NameId) -> Tens {
        match t.find(name) {
            None => {
                let mut labels = t.labels.clone();
                labels[dim] = Label::Named(name);
                Tens { labels, ..t.clone() }
            }
            Some(at) if at == dim => t.clone(),
            Some(at) => self.diagonal(t, at, dim),
        }
    }

    /// Dimension `drop` is read by the counter of dimension `keep`.
    fn diagonal(&mut self, t: &Tens, keep: usize, drop: usize) -> Tens {
        let shape = self.build.at(t).shape.clone();
        let kept: Vec<usize> = (0..shape.len()).filter(|&i| i != drop).collect();
        let place = |i: usize| kept.iter().position(|&k| k == i).expect("kept");
        let subscripts = (0..shape.len()).map(|i| place(if i == drop { keep } else { i })).collect();
        let labels = kept.iter().map(|&i| t.labels[i]).collect();
        let axes = kept.iter().map(|&i| shape[i].clone()).collect();
        self.copy(t, labels, axes, subscripts)
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

    /// Applies picks of arrays to a value that carries the arrays' names.
    pub fn pick_all(&mut self, t: Tens, picks: &[(NameId, Pick)], span: Span) -> Res<Tens> {
        let mut t = t;
        for (array, pick) in picks {
            let Some(dim) = t.find(*array) else { continue };
            t = match pick {
                Pick::Name(n) if n == array => t,
                Pick::Name(n) => {
                    let (a, b) = (self.extent(&t, dim), self.size_of(*n));
                    if !self.same(&a, &b) {
                        let message = format!(
                            "`{}` ranges over {}, and there are {} nets here",
                            self.name_text(*n),
                            self.show_size(&b),
                            self.show_size(&a)
                        );
                        return self.error("H0305", span, message);
                    }
                    self.dim_to_name(&t, dim, *n)
                }
                Pick::Number(n) => {
                    let index = self.size_value(n);
                    self.gather(&t, &[(dim, index)], None)?
                }
                Pick::Data(index) => self.gather(&t, &[(dim, index.clone())], None)?,
                Pick::Mix(weights) => {
                    let dims = weights.sized();
                    let mut labels = weights.labels.clone();
                    labels[dims[0]] = Label::Named(*array);
                    let weights = Tens { labels, ..weights.clone() };
                    self.contract(&[&weights, &t], &[*array], span)?
                }
            };
        }
        Ok(t)
    }

    /// Picks for a value of any kind.
    pub fn pick_value(&mut self, v: Value<'a>, picks: &[(NameId, Pick)], span: Span) -> Res<Value<'a>> {
        if picks.iter().all(|(a, p)| matches!(p, Pick::Name(n) if n == a)) {
            return Ok(v);
        }
        match v {
            Value::Tensor(t) => Ok(Value::Tensor(self.pick_all(t, picks, span)?)),
            Value::Record(fields) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    out.push((n.clone(), self.pick_value(v.clone(), picks, span)?));
                }
                Ok(Value::Record(out.into()))
            }
            other => Ok(other),
        }
    }

    /// Reads dimensions through index tensors. Names that an index shares with the value are one loop; sizes of the first
    /// index with sizes stand where its dimension stood.
    pub fn gather(&mut self, t: &Tens, picks: &[(usize, Tens)], fill: Option<f64>) -> Res<Tens> {
        let shape = self.build.at(t).shape.clone();
        let mut labels: Vec<Label> = vec![];
        let mut axes: Vec<Axis> = vec![];
        // Names first: of the value, then of the indices.
        let picked = |i: usize| picks.iter().position(|(d, _)| *d == i);
        for (i, l) in t.labels.iter().enumerate() {
            if matches!(l, Label::Named(_)) && picked(i).is_none() {
                labels.push(*l);
                axes.push(shape[i].clone());
            }
        }
        for (_, index) in picks {
            let own = self.build.at(index).shape.clone();
            for (i, l) in index.labels.iter().enumerate() {
                if matches!(l, Label::Named(_)) && !labels.contains(l) {
                    labels.push(*l);
                    axes.push(own[i].clone());
                }
            }
        }
        let mut ops = vec![ir::Pick::Loop(0); shape.len()];
        let mut operands = vec![];
        let mut sized_loops: Vec<(usize, Vec<usize>)> = vec![];
        for i in 0..shape.len() {
            match (picked(i), t.labels[i]) {
                (Some(n), _) => {
                    ops[i] = ir::Pick::Operand(n + 1);
                    let index = &picks[n].1;
                    let own = self.build.at(index).shape.clone();
                    let mut loops = vec![];
                    for k in index.sized() {
                        loops.push(labels.len());
                        labels.push(Label::Sized);
                        axes.push(own[k].clone());
                    }
                    sized_loops.push((n, loops));
                }
                (None, Label::Sized) => {
                    ops[i] = ir::Pick::Loop(labels.len());
                    labels.push(Label::Sized);
                    axes.push(shape[i].clone());
                }
                (None, l) => ops[i] = ir::Pick::Loop(labels.iter().position(|x| *x == l).expect("listed")),
            }
        }
        operands.push(Operand::new(self.build.node(t), vec![]));
        for (n, (_, index)) in picks.iter().enumerate() {
            let loops = &sized_loops.iter().find(|(m, _)| *m == n).expect("each pick is placed").1;
            let mut next = loops.iter();
            let subscripts = index
                .labels
                .iter()
                .map(|l| match l {
                    Label::Named(_) => labels.iter().position(|x| x == l).expect("listed"),
                    Label::Sized => *next.next().expect("a loop for each size"),
                })
                .collect();
            operands.push(Operand::new(self.build.node(index), subscripts));
        }
        let node = Node::new(Op::Gather { picks: ops, fill }, t.dtype, axes);
        Ok(self.emit(node, labels, operands))
    }

    /// Joins sizes `first..first + n` of the sized dimensions into one, or splits; the same elements in row-major order.
    pub fn reshape(&mut self, t: &Tens, sizes: Vec<Size>) -> Tens {
        // Names in front, so that the sizes are the trailing dimensions.
        let names: Vec<usize> = (0..t.labels.len()).filter(|i| t.labels[*i] != Label::Sized).collect();
        let order: Vec<usize> = names.iter().copied().chain(t.sized()).collect();
        let t = self.permute(t, &order);
        let mut axes: Vec<Axis> = self.build.at(&t).shape[..names.len()].to_vec();
        let mut labels: Vec<Label> = t.labels[..names.len()].to_vec();
        let before: Vec<Size> = self.extents(&t)[names.len()..].to_vec();
        if before == sizes {
            return t;
        }
        for (i, s) in sizes.into_iter().enumerate() {
            axes.push(Axis::new(format!("d{i}"), s));
            labels.push(Label::Sized);
        }
        let node = self.build.node(&t);
        self.emit(Node::new(Op::Reshape, t.dtype, axes), labels, vec![Operand::new(node, vec![])])
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

/// Whether a size is whole whatever its unknowns are.
fn surely_whole(s: &Size) -> bool {
    s.parts().all(|((_, d), f)| d == 1 && f.iter().all(|x| x.1 > 0 && !is_fractional(&x.0)))
}

/// The larger or smaller of two sizes, one of which may be a fraction.
fn is_fractional(atom: &ir::size::Atom) -> bool {
    use ir::size::{Atom, SizeFn};
    matches!(atom, Atom::Apply(SizeFn::Max | SizeFn::Min, args) if args.len() == 2 && args.iter().any(|a| !surely_whole(a)))
}

/// A quotient of two sizes without fractions, for terms that share one denominator.
fn quotient(s: &Size) -> (Size, Size) {
    let mut bottom = Size::from(1i64);
    for ((_, den), factors) in s.parts() {
        let mut own = Size::from(i64::try_from(den).unwrap_or(1));
        for (atom, power) in factors.iter().filter(|f| f.1 < 0) {
            let base = match atom {
                ir::size::Atom::Sym(n) => Size::sym(n.clone()),
                ir::size::Atom::Apply(ir::size::SizeFn::Group, args) => args[0].clone(),
                ir::size::Atom::Apply(f, args) => Size::apply(*f, args.clone()),
            };
            for _ in 0..-power {
                own = own.mul(&base);
            }
        }
        let whole = bottom.div(&own).is_some_and(|q| q.parts().all(|((_, d), f)| d == 1 && f.iter().all(|x| x.1 > 0)));
        if !whole {
            bottom = bottom.mul(&own);
        }
    }
    (s.mul(&bottom), bottom)
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
