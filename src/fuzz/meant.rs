//! What comes out beside what has to, and what may excuse a difference.

use super::check::{Failure, sizes_of};
use super::judge::{Exact, Moved, judge_again};
use crate::ir::{Bindings, Graph, NodeId, Output, Tensor};
use crate::plan::{self, Pins, Terms};

/// What values are compared with, and what may excuse a difference.
pub(super) struct Meant<'a> {
    /// The graph as it was made, and as the passes left it.
    pub graphs: [&'a Graph; 2],
    pub bindings: &'a Bindings,
    pub values: &'a [Tensor],
    pub moved: Moved,
}

impl Meant<'_> {
    /// As [`Meant::compare`], for who took what the planner makes of the last graph with these pins. Of `(a - b) * x` that becomes `a * x - b * x`
    /// where that is cheaper, and each of these may leave f32.
    pub fn compare_planned(
        &self,
        what: &str,
        found: &Result<Vec<Tensor>, String>,
        exact: Exact,
        pins: Pins,
    ) -> Result<bool, Failure> {
        self.compare(what, found, exact).or_else(|failure| {
            let (graph, Ok(found)) = (self.graphs[1], found) else { return Err(failure) };
            let wanted: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
            let (sizes, terms) = (sizes_of(graph, self.bindings)?, Terms { pins, ..Terms::default() });
            let Some((mut made, places)) = plan::rewrite::rewritten(graph, &wanted, &sizes, &terms) else { return Err(failure) };
            let outputs = graph.outputs.iter().zip(places);
            made.outputs = outputs.map(|(o, node)| Output { node, ..o.clone() }).collect();
            let bindings = Bindings { sizes, ..self.bindings.clone() };
            judge_again(&Moved::default(), &[&made], &bindings, self.values, found, exact).map_err(|_| failure)
        })
    }

    /// Whether outputs are as they should be; whether rounding had to explain something.
    pub fn compare(&self, what: &str, found: &Result<Vec<Tensor>, String>, exact: Exact) -> Result<bool, Failure> {
        let found = found.as_ref().map_err(|why| Failure::new(format!("{what} fails"), why.clone()))?;
        for (n, (a, b)) in found.iter().zip(self.values).enumerate() {
            if a.shape != b.shape || a.dtype() != b.dtype() {
                return Err(Failure::new(format!("{what} shape"), format!("output {n} is {:?}, not {:?}", a.shape, b.shape)));
            }
        }
        let sizes = &self.bindings.sizes;
        judge_again(&self.moved, &self.graphs, self.bindings, self.values, found, exact)
            .map_err(|wrong| Failure::new(format!("{what} value"), format!("{wrong} with {sizes:?}")))
    }
}
