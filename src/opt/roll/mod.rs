//! Rounds that are written out and alike become a loop.
//!
//! In: a graph in which a `for` of known length stands round by round, as the checker leaves it: all that a number decides in a round is
//! decided, and said, there. Out: the same graph, where rounds that do the same are one body and a count. So the two forms cannot differ
//! in what they mean; what is gained is the time of everything behind this pass, which goes by the number of nodes.
//!
//! Rounds are alike ([`find`]) if each reads what the one before it read: a value of its own, one that so many rounds before have left,
//! or one from before all of them. Numbers may differ ([`numbers`]). A first round that starts from something special, and a last one of
//! which less is needed, stay written out before and behind the loop. Draws are never alike: each has a key of its own, and the numbers
//! that are drawn stay as they are.
//!
//! Little stays as it is: other passes see through what is written out, and loops of the graph do not fuse with what is around them.

mod find;
mod make;
mod numbers;
mod rounds;
mod uses;

use super::cse;
use super::rebuild::rebuild;
use crate::ir::{Graph, Op};

/// Nodes from which on rounds are made a loop. A node costs up to half a millisecond to plan and to make code of, so what is
/// left alone costs about a second at most.
const LARGE: usize = 2048;

pub fn run(graph: &Graph) -> Graph {
    rolled(graph, LARGE)
}

/// As the pass, where the rounds of a loop come to this many nodes.
pub fn rolled(graph: &Graph, large: usize) -> Graph {
    let inside = |id| matches!(&graph.node(id).op, Op::Loop(body) if body.graph.len() >= large);
    let graph = match graph.ids().any(inside) {
        true => rebuild(graph, run, |r, id| r.keep(id)),
        false => graph.clone(),
    };
    if graph.len() < large {
        return graph;
    }
    // What is the same in all rounds is computed before them.
    let once = cse::run(&graph);
    let sequence = find::Sequence::new(&once);
    let rates = once.rates();
    let mut runs: Vec<rounds::Run> = vec![];
    for candidate in sequence.candidates(large) {
        if runs.iter().all(|r| r.end() <= candidate.from || candidate.to <= r.start)
            && let Some(run) = sequence.aligned(&candidate, large)
            && rounds::pays(&sequence, &rates, &run)
        {
            runs.push(run);
        }
    }
    runs.sort_by_key(|r| r.start);
    match runs.is_empty() {
        true => graph,
        false => make::loops(&sequence, runs, large).unwrap_or(graph),
    }
}
