//! graph → graph: what is planned in the place of a graph, and means the same.

#[cfg(test)]
pub(super) mod meaning;

use super::Sizes;
use super::asked::check_sizes;
use super::build::{Rates, reachable};
use super::decide::{Choices, Terms};
use crate::ir::{Graph, NodeId};

/// The graph that is planned in the place of one, and what is wanted of it: with sums multiplied out and rows of tables computed once, as these
/// terms have it; none where it is planned as it is, or not at all. Bodies of loops stay as they are.
pub fn rewritten(graph: &Graph, wanted: &[NodeId], sizes: &Sizes, terms: &Terms) -> Option<(Graph, Vec<NodeId>)> {
    check_sizes(graph, &reachable(graph, wanted), sizes).ok()?;
    let choices = Choices::new(terms, graph);
    let by_rows = super::tables::by_rows(graph, wanted, sizes, &choices);
    let (now, places) = by_rows.as_ref().map_or((graph, wanted), |(graph, wanted)| (graph, wanted.as_slice()));
    let out = expanded(now, places, &Graph::rates, sizes, &choices);
    out.or(by_rows)
}

/// Products of very many factors taken in parts, what heads write taken apart, sums in products multiplied out.
pub(super) fn expanded(
    graph: &Graph,
    wanted: &[NodeId],
    rates: Rates,
    sizes: &Sizes,
    choices: &Choices,
) -> Option<(Graph, Vec<NodeId>)> {
    let narrowed = super::narrow::narrow(graph, wanted, sizes);
    let (graph, wanted) = narrowed.as_ref().map_or((graph, wanted), |(graph, wanted)| (graph, wanted.as_slice()));
    let apart = super::heads::apart(graph, wanted, rates, sizes, choices);
    let (graph, wanted) = apart.as_ref().map_or((graph, wanted), |(graph, wanted)| (graph, wanted.as_slice()));
    let expanded = super::expand::expand(graph, wanted, &rates(graph), sizes, choices);
    expanded.or(apart).or(narrowed)
}
