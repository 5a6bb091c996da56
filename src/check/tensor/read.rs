//! Values read at indices, and nets picked out of arrays.

use crate::check::value::{Label, NameId, Pick, Tens, Value};
use crate::check::{Checker, Res};
use crate::diag::Code;
use crate::ir::{self, Axis, Node, Op, Operand};
use crate::source::Span;

impl<'a> Checker<'a> {
    /// Applies picks of arrays to a value that carries the arrays' names.
    pub fn pick_all(&mut self, t: Tens, picks: &[(NameId, Pick)], span: Span) -> Res<Tens> {
        let mut t = t;
        for (array, pick) in picks {
            let Some(dim) = t.find(*array) else { continue };
            t = match pick {
                Pick::Name(n) if n == array => t,
                Pick::Name(n) => {
                    let (a, b) = (self.extent(&t, dim), self.axes.size_of(*n));
                    if !self.axes.same(&a, &b) {
                        let message = format!(
                            "`{}` ranges over {}, and there are {} nets here",
                            self.axes.name_text(*n),
                            self.axes.show_size(&b),
                            self.axes.show_size(&a)
                        );
                        return self.error(Code::H0305, span, message);
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
}
