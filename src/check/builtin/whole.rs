//! Functions of a whole value: its length, a pairing, its derivative.

use super::table::Call;
use crate::check::value::{Label, NameId, Tens, Value};
use crate::check::{Checker, Res};
use crate::diag::Diagnostic;
use crate::ir::{DType, Fold, Map, Node, Op, Operand};

impl<'a> Checker<'a> {
    /// `norm(x)`: the Euclidean length over all sizes.
    pub(super) fn norm(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [(v, at)] = self.values(call.args)?;
        let flat = match v {
            Value::Tree(tree) => self.flatten(&tree)?,
            v => {
                let t = self.as_tens(v, at)?;
                self.arithmetic(&t, at)?;
                let t = self.to_f32(&t);
                self.in_a_row(&t)
            }
        };
        let dim = flat.sized()[0];
        let n = self.axes.new_name("i", self.extent(&flat, dim), Some(at));
        let named = self.dim_to_name(&flat, dim, n);
        let squares = self.contract(&[&named, &named], &[n], at)?;
        Ok(Value::Tensor(self.pointwise(Map::Sqrt, &[&squares])?))
    }

    /// `assignment(cost)`: the column of each row at least cost.
    pub(super) fn assignment(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [(v, at)] = self.values(call.args)?;
        let t = self.as_tens(v, at)?;
        let sized = t.sized();
        let square = match sized.as_slice() {
            [r, c] => {
                let (a, b) = (self.extent(&t, *r), self.extent(&t, *c));
                self.axes.same(&a, &b)
            }
            _ => false,
        };
        if !square {
            let message = format!("`assignment` takes a square matrix of costs, and this is {}", self.show(&t));
            return self.error("H0350", at, message);
        }
        let t = self.to_f32(&t);
        let names: Vec<usize> = (0..t.labels.len()).filter(|i| t.labels[*i] != Label::Sized).collect();
        let order: Vec<usize> = names.iter().copied().chain(t.sized()).collect();
        let t = self.permute(&t, &order);
        let shape = self.build.at(&t).shape.clone();
        let rank = names.len() + 1;
        let mut node = Node::new(Op::Assign, DType::I32, shape[..rank].to_vec());
        node.inner = vec![shape[rank].clone()];
        let operand = self.build.node(&t);
        let labels = t.labels[..rank].to_vec();
        Ok(Value::Tensor(self.emit(node, labels, vec![Operand::new(operand, (0..=rank).collect())])))
    }

    /// `surrogate(forward, backward)`: the one value with the other's gradient; nothing takes gradients yet.
    pub(super) fn surrogate(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [(forward, _), _] = self.values(call.args)?;
        Ok(forward)
    }

    /// `stop_gradient(x)`
    pub(super) fn stop_gradient(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [(v, _)] = self.values(call.args)?;
        Ok(v)
    }

    /// `grad(y, x)`: typed like `x`; nothing computes it yet, so what needs it is left out of a run.
    pub(super) fn grad(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let at = call.at;
        let [(y, y_at), (x, x_at)] = self.values(call.args)?;
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

    /// The sum of a value over names, when it has them.
    pub fn sum_over(&mut self, t: &Tens, names: &[NameId]) -> Tens {
        let t = self.spread(t, names);
        self.fold(Fold::Sum, &t, names)
    }
}
