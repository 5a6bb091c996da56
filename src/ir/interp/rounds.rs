//! Loops: the body graph, evaluated round by round.

use super::value::Value;
use super::{Frame, wrong};
use crate::diag::Diagnostic;
use crate::ir::{Body, DType, NodeId};
use std::rc::Rc;

impl Frame<'_> {
    /// Runs a loop: its final carries, then its stacked yields.
    pub(super) fn rounds(&self, id: NodeId, body: &Body) -> Result<Vec<Rc<Value>>, Diagnostic> {
        let operands = self.graph.operands(id);
        let given = operands.iter().map(|o| self.value(o.node)).collect::<Result<Vec<_>, _>>()?;
        let wanted: Vec<NodeId> = body.graph.outputs.iter().map(|o| o.node).collect();
        if given.len() < body.carries || wanted.len() != body.carries + usize::from(body.stop) + body.yields {
            return Err(wrong(format!("the loop {} has too few operands or results", self.name(id))));
        }
        let trips = usize::try_from(self.size(id, &body.trips)?).unwrap_or(0);
        let (mut carries, captures) = (given[..body.carries].to_vec(), &given[body.carries..]);
        let mut stacks = self.stacks(id, body, trips)?;
        for turn in 0..trips {
            let round = if body.reverse { trips - 1 - turn } else { turn };
            let counter = self.scalar(id, round)?;
            let args: Vec<Rc<Value>> = std::iter::once(&counter).chain(&carries).chain(captures).cloned().collect();
            let results = self.run.graph(&body.graph, &args, self.sizes.clone(), &wanted)?;
            let (next, rest) = results.split_at(body.carries);
            carries = next.to_vec();
            let stops = body.stop && rest.first().and_then(|v| v.data.first()).is_some_and(|x| *x != 0.0);
            for (stack, part) in stacks.iter_mut().zip(&rest[usize::from(body.stop)..]) {
                let at = round * part.data.len();
                let place = stack.data.get_mut(at..at + part.data.len());
                place
                    .ok_or_else(|| wrong(format!("a result of {} changes its shape", self.name(id))))?
                    .copy_from_slice(&part.data);
            }
            if stops {
                break;
            }
        }
        Ok(carries.into_iter().chain(stacks.into_iter().map(Rc::new)).collect())
    }

    /// Room for the yields, all zero.
    fn stacks(&self, id: NodeId, body: &Body, trips: usize) -> Result<Vec<Value>, Diagnostic> {
        let yields = &body.graph.outputs[body.carries + usize::from(body.stop)..];
        yields
            .iter()
            .map(|y| {
                let node = body.graph.node(y.node);
                let mut shape = vec![trips];
                shape.extend(self.extents(id, &node.shape)?);
                self.zeros(id, shape, node.dtype)
            })
            .collect()
    }

    fn zeros(&self, id: NodeId, shape: Vec<usize>, dtype: DType) -> Result<Value, Diagnostic> {
        let elements = shape.iter().product();
        let made = self.make(id, shape, |out| out.resize(elements, 0.0))?;
        let value = Rc::try_unwrap(made).map_err(|_| wrong("a new value is shared"))?;
        Ok(Value { dtype, ..value })
    }

    /// The number of a round.
    fn scalar(&self, id: NodeId, n: usize) -> Result<Rc<Value>, Diagnostic> {
        let mut value = self.zeros(id, Vec::new(), DType::I32)?;
        value.data[0] = n as f64;
        Ok(Rc::new(value))
    }

    /// Result number `k` of the loop that is operand 0.
    pub(super) fn result(&self, id: NodeId, k: usize) -> Result<Vec<Rc<Value>>, Diagnostic> {
        let of = self.graph.operands(id).first().map(|o| o.node);
        let value = of.and_then(|n| self.values[n.index()].as_ref()).and_then(|values| values.get(k));
        Ok(vec![value.ok_or_else(|| wrong(format!("{} asks for a result that is not there", self.name(id))))?.clone()])
    }
}
