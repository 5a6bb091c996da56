//! The same values with other labels, in another order, repeated, on a diagonal, or cut into other sizes.

use crate::check::Checker;
use crate::check::value::{Label, NameId, Tens};
use crate::ir::{Axis, Map, Node, Op, Operand, Size};

impl<'a> Checker<'a> {
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

    /// A value with these dimensions: for each of them, which of its own it is; none: it is the same along it.
    pub fn turned(&mut self, t: &Tens, shape: &[(Label, Size)], order: &[Option<usize>]) -> Tens {
        let axes = shape.iter().enumerate().map(|(i, (l, s))| self.axes.axis(*l, &format!("d{i}"), s.clone())).collect();
        let labels = shape.iter().map(|(l, _)| *l).collect();
        let subscripts =
            (0..t.labels.len()).map(|d| order.iter().position(|o| *o == Some(d)).expect("each has a place")).collect();
        self.copy(t, labels, axes, subscripts)
    }

    /// Names that a value lacks, added in front (it is the same along them).
    pub fn spread(&mut self, t: &Tens, names: &[NameId]) -> Tens {
        let missing: Vec<NameId> = names.iter().copied().filter(|n| t.find(*n).is_none()).collect();
        if missing.is_empty() {
            return t.clone();
        }
        let mut axes: Vec<Axis> = missing.iter().map(|n| self.axes.axis(Label::Named(*n), "", self.axes.size_of(*n))).collect();
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
