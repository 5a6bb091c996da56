//! Is a graph well-formed?
//!
//! In: a graph. Out: nothing, or the first thing that is wrong, as text for whoever made the graph (a user never sees it). What
//! holds afterwards: operands come before users; counts, subscripts, element types and extents fit (sizes are equal as symbols);
//! inner loops stand only where an op closes them; outputs, measured sizes and loop bodies are as [`super::Body`] says.

mod ops;

use super::{Axis, DType, Graph, Node, NodeId, Op, Operand, Size};

/// A value's type: element and extents.
#[derive(Clone, Debug, PartialEq)]
struct Type {
    dtype: DType,
    shape: Vec<Size>,
}

impl Type {
    fn of(node: &Node) -> Type {
        Type { dtype: node.dtype, shape: sizes(&node.shape) }
    }
}

fn sizes(axes: &[Axis]) -> Vec<Size> {
    axes.iter().map(|a| a.size.clone()).collect()
}

/// Checks a graph and the bodies in it.
pub fn verify(graph: &Graph) -> Result<(), String> {
    check(graph, None)
}

/// `args`: what a body is given; `None` for a model's graph.
fn check(graph: &Graph, args: Option<&[Type]>) -> Result<(), String> {
    for id in graph.ids() {
        let rule = Rule { graph, id, node: graph.node(id), operands: graph.operands(id), args };
        rule.check().map_err(|what| {
            let name = rule.node.name.as_ref().map(|n| format!(" `{n}`")).unwrap_or_default();
            format!("%{}{name} ({}): {what}", id.index(), super::text::word(&rule.node.op))
        })?;
    }
    let known = |id: NodeId| id.index() < graph.len() && !matches!(graph.node(id).op, Op::Loop(_));
    for o in &graph.outputs {
        ensure(known(o.node), || format!("the output `{}` is no value of this graph", o.name))?;
    }
    for (i, (sym, node)) in graph.measured.iter().enumerate() {
        ensure(known(*node), || format!("the size `{sym}` is no value of this graph"))?;
        let number = graph.node(*node);
        ensure(number.rank() == 0 && number.dtype != DType::Bool, || format!("the size `{sym}` is not one number"))?;
        ensure(graph.measured[..i].iter().all(|(s, _)| s != sym), || format!("the size `{sym}` is measured twice"))?;
    }
    Ok(())
}

fn ensure(good: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if good { Ok(()) } else { Err(what()) }
}

/// One node under check.
struct Rule<'a> {
    graph: &'a Graph,
    id: NodeId,
    node: &'a Node,
    operands: &'a [Operand],
    args: Option<&'a [Type]>,
}

impl Rule<'_> {
    fn check(&self) -> Result<(), String> {
        for (n, o) in self.operands.iter().enumerate() {
            ensure(o.node.index() < self.id.index(), || format!("operand {n} comes after it"))?;
            let is_loop = matches!(self.graph.node(o.node).op, Op::Loop(_));
            let wants_loop = matches!(self.node.op, Op::Result(_));
            ensure(is_loop == wants_loop, || format!("operand {n} is {}a loop", if is_loop { "" } else { "not " }))?;
        }
        self.op()
    }

    fn operand(&self, n: usize) -> &Node {
        self.graph.node(self.operands[n].node)
    }

    fn loops(&self) -> usize {
        self.node.shape.len() + self.node.inner.len()
    }

    fn count(&self, n: usize) -> Result<(), String> {
        ensure(self.operands.len() == n, || format!("takes {n} operands, has {}", self.operands.len()))
    }

    fn rank(&self, n: usize) -> Result<(), String> {
        ensure(self.node.rank() == n, || format!("has rank {}, not {n}", self.node.rank()))
    }

    fn inner(&self, n: usize) -> Result<(), String> {
        ensure(self.node.inner.len() == n, || format!("closes {} loops, not {n}", self.node.inner.len()))
    }

    fn axis(&self, axis: usize) -> Result<(), String> {
        ensure(axis < self.node.rank(), || format!("has no loop {axis}"))
    }

    /// The result's element type.
    fn result(&self, dtype: DType) -> Result<(), String> {
        ensure(self.node.dtype == dtype, || format!("gives {}, not {}", dtype.word(), self.node.dtype.word()))
    }

    /// An operand's element type is one of these.
    fn takes(&self, n: usize, allowed: &[DType]) -> Result<(), String> {
        let dtype = self.operand(n).dtype;
        ensure(allowed.contains(&dtype), || format!("operand {n} is {}", dtype.word()))
    }

    /// Operand `n` is read through subscripts that fit; the extent along loop `own` may differ.
    fn reads(&self, n: usize, own: Option<usize>) -> Result<(), String> {
        let subscripts = &self.operands[n].subscripts;
        let of = self.operand(n);
        ensure(subscripts.len() == of.rank(), || {
            format!("operand {n} has rank {} and {} subscripts", of.rank(), subscripts.len())
        })?;
        for (axis, k) in of.shape.iter().zip(subscripts) {
            ensure(*k < self.loops(), || format!("operand {n} is indexed by loop {k}, which is not there"))?;
            let extent = &self.node.axis(*k).size;
            let good = *extent == axis.size || own == Some(*k);
            ensure(good, || {
                format!(
                    "operand {n} has {} along `{}`, the loop `{}` has {extent}",
                    axis.size,
                    axis.name,
                    self.node.axis(*k).name
                )
            })?;
        }
        Ok(())
    }

    /// All operands from `first` on are read through subscripts that fit.
    fn reads_all(&self, first: usize) -> Result<(), String> {
        (first..self.operands.len()).try_for_each(|n| self.reads(n, None))
    }

    /// Operand `n` is taken as a whole.
    fn whole(&self, n: usize) -> Result<(), String> {
        ensure(self.operands[n].subscripts.is_empty(), || format!("operand {n} has subscripts"))
    }

    /// Operand `n` is not read through loop `axis`.
    fn avoids(&self, n: usize, axis: usize) -> Result<(), String> {
        ensure(!self.operands[n].subscripts.contains(&axis), || format!("operand {n} is read through the loop {axis}"))
    }
}

/// `false` where two sizes differ whatever the unknowns are.
fn may_equal(a: &Size, b: &Size) -> bool {
    a.sub(b).number().is_none_or(|d| d == 0.0)
}

#[cfg(test)]
mod tests {
    use super::verify;
    use crate::ir::read::read;

    fn says(text: &str, what: &str) {
        let error = verify(&read(text).expect("it reads")).expect_err(what);
        assert!(error.contains(what), "`{error}` does not say `{what}`");
    }

    #[test]
    fn extents_counts_and_types_must_fit() {
        let x = "%0: f32[b, i=3] = input \"x\"\n%1: i32[b] = input \"k\"\n";
        says(&format!("{x}%2: f32[b, i=4] = exp %0[b, i]"), "has 3 along `i`, the loop `i` has 4");
        says(&format!("{x}%2: f32[b] = exp %0[b]"), "rank 2 and 1 subscripts");
        says(&format!("{x}%2: f32[b, i=3] = add %0[b, i]"), "takes 2 operands, has 1");
        says(&format!("{x}%2: f32[b, i=3] = add %0[b, i], %1[b]"), "operand 1 is i32");
        says(&format!("{x}%2: f32[b] = exp %1[b]"), "operand 0 is i32");
        says(&format!("{x}%2: i32[b, i=3] = exp %0[b, i]"), "gives f32, not i32");
        says(&format!("{x}%2: f32[b] = fold argmax(i=3) %0[b, i]"), "gives i32, not f32");
        says(&format!("{x}%2: i32[c] = fold argmax(b, i=3) %0[b, i]"), "closes 2 loops, not 1");
        says(&format!("{x}%2: f32[b, j=5] = reshape %0"), "differ");
        says("%0: f32[i=3] = input \"x\"\n%1: f32[j=5] = reshape %0", "3 and 5 elements differ");
        says(&format!("{x}%2: f32[b, j=7] = concat along j %0[b, j], %0[b, j]"), "join to 6, not 7");
        says(&format!("{x}%2: f32[b] = gather %0[%1[b]]"), "picks 1 of 2 dimensions");
        says("%0: i32 = arg 0", "outside a loop");
    }

    #[test]
    fn loops_must_agree_with_their_bodies() {
        let body = "%0: f32[b] = input \"x\"\n%1: f32 = loop 3 carry 1 yield 1 %0 {\n  %0: f32[b] = arg 1\n  %1: f32[b] = exp %0[b]\n  output c = %1\n  output y = %1\n}\n";
        verify(&read(&format!("{body}%2: f32[b] = result 0 %1\n%3: f32[r=3, b] = result 1 %1\n")).unwrap()).unwrap();
        says(&format!("{body}%2: f32[b] = result 1 %1"), "result 1");
        says(&format!("{body}%2: f32[b] = result 2 %1"), "has no result 2");
        says(&body.replace("output y = %1", ""), "gives 1 values, not 2");
        says(&body.replace("%0: f32[b] = arg 1", "%0: f32[c] = arg 1"), "argument 1");
    }
}
