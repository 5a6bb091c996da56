//! graph → graph: a table of named passes.
//!
//! In: a well-formed graph. Out: a well-formed graph with the same outputs and measured sizes that means the same to within
//! rounding, and asks for no source that the first did not ask for. A pass reads one graph and builds another, the bodies of
//! loops included; the same graph always gives the same graph. The verifier runs after each in debug builds.
//!
//! Contractions stay n-ary: which two factors meet first is the planner's choice, as is what is computed when it is prepared.

mod align;
mod apiece;
mod contract;
mod cse;
mod dce;
mod fold;
mod rebuild;
mod roll;
mod scatter;
mod simplify;

use crate::ir::verify::verify;
use crate::ir::{Graph, NodeId, Output, OutputKind};
pub use apiece::{Apiece, Request, Rows, apiece};
pub use contract::{Facts, Product};
pub use rebuild::{Rebuild, compose, rebuild};
pub use roll::rolled;

/// A pass.
pub struct Pass {
    /// Its word in the CLI, the docs, the tests.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    pub run: fn(&Graph) -> Graph,
}

/// All passes.
pub static PASSES: &[Pass] = &[
    Pass { name: "roll", about: "Makes rounds that are written out, many and alike, a loop.", run: roll::run },
    Pass { name: "simplify", about: "Drops copies, neutral elements and reshapes that change nothing.", run: simplify::run },
    Pass { name: "fold", about: "Computes what depends on nothing.", run: fold::run },
    Pass { name: "cse", about: "Computes equal values once.", run: cse::run },
    Pass {
        name: "scatter",
        about: "Turns folds over an index comparison into scatters, and picks what it names.",
        run: scatter::run,
    },
    Pass { name: "contract", about: "Joins nested sums of products.", run: contract::run },
    Pass { name: "align", about: "Gives values their axes in the order in which they are read and written.", run: align::run },
    Pass { name: "dce", about: "Drops what no output needs.", run: dce::run },
];

/// The order in which `optimize` runs them.
pub const ORDER: &[&str] = &[
    "dce", "roll", "dce", "simplify", "fold", "simplify", "cse", "scatter", "contract", "scatter", "align", "simplify", "fold",
    "cse", "dce",
];

/// The pass of this name.
pub fn pass(name: &str) -> Option<&'static Pass> {
    PASSES.iter().find(|p| p.name == name)
}

/// Runs all passes; `observer` sees the name of each and the graph after it.
pub fn optimize(graph: &Graph, observer: &mut dyn FnMut(&str, &Graph)) -> Graph {
    check("optimize is given", graph);
    let mut graph = graph.clone();
    for pass in ORDER.iter().filter_map(|name| pass(name)) {
        graph = (pass.run)(&graph);
        check(pass.name, &graph);
        observer(pass.name, &graph);
    }
    graph
}

/// The order in which a graph is settled whose products the planner changed.
const SETTLE: &[&str] = &["scatter", "simplify", "fold", "cse", "dce"];

/// What the planner made of a graph, without what nobody needs now, and equal values once. Bodies of loops stay as they are.
pub fn settle(graph: &Graph) -> Graph {
    SETTLE.iter().filter_map(|name| pass(name)).fold(graph.clone(), |graph, pass| (pass.run)(&graph))
}

/// As [`optimize`], for a graph some of whose nodes are known by number: also gives where they are afterwards.
pub fn optimize_keeping(graph: &Graph, keep: &[NodeId], observer: &mut dyn FnMut(&str, &Graph)) -> (Graph, Vec<NodeId>) {
    let mut kept = graph.clone();
    let name: std::sync::Arc<str> = "kept".into();
    kept.outputs.extend(keep.iter().map(|node| Output { name: name.clone(), kind: OutputKind::Output, node: *node }));
    let mut result = optimize(&kept, observer);
    let places = result.outputs.split_off(graph.outputs.len());
    (result, places.into_iter().map(|o| o.node).collect())
}

/// The part of a graph that some nodes need, optimized, and where they are in it.
pub fn optimize_for(graph: &Graph, roots: &[NodeId]) -> (Graph, Vec<NodeId>) {
    let mut part = graph.clone();
    part.outputs.clear();
    optimize_keeping(&part, roots, &mut |_, _| {})
}

/// A pass that breaks the graph is a bug of the compiler.
fn check(name: &str, graph: &Graph) {
    if cfg!(debug_assertions)
        && let Err(what) = verify(graph)
    {
        panic!("the graph after `{name}` is not well-formed: {what}\n{graph}");
    }
}
