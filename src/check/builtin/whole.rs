//! Functions of a whole value: its length, a pairing.

use super::table::Call;
use crate::check::value::{Label, NameId, Tens, Value};
use crate::check::{Checker, Res};
use crate::diag::Code;
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
        // At 0 it has the slope 0, from all sides. What is NaN is not 0.
        let (root, zero) = (self.pointwise(Map::Sqrt, &[&squares])?, self.constant(0.0, DType::F32));
        let some = self.pointwise(Map::Ne, &[&squares, &zero])?;
        let none = self.without_slope(&squares)?;
        Ok(Value::Tensor(self.pointwise(Map::Select, &[&some, &root, &none])?))
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
            return self.error(Code::H0350, at, message);
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

    /// The sum of a value over names, when it has them.
    pub fn sum_over(&mut self, t: &Tens, names: &[NameId]) -> Tens {
        let t = self.spread(t, names);
        self.fold(Fold::Sum, &t, names)
    }
}
