//! How much a round of a loop's adjoint yields for what the loop captures, before that adjoint is built: what [`super::captured`] will do.

use super::captured::{SMALL, reads};
use super::levels::Length;
use crate::ir::{Axis, Body, DType, Graph, NodeId, Op};

/// The arguments of a body that want an adjoint, with their numbers (from 0).
pub fn arguments<'a>(body: &'a Body, wanted: &'a [bool]) -> impl Iterator<Item = (NodeId, usize)> + 'a {
    let graph = &body.graph;
    let argument = move |id: NodeId| match graph.node(id).op {
        Op::Arg(k @ 1..) if wanted[k - 1] && graph.node(id).dtype == DType::F32 => Some((id, k - 1)),
        _ => None,
    };
    graph.ids().filter_map(argument)
}

/// For each operand of a loop, how many numbers a round yields for its adjoint; what is read at the round alone yields no more than the adjoint has.
pub fn of_round(body: &Body, wanted: &[bool], length: Length) -> Vec<u64> {
    let graph = &body.graph;
    let mut out = vec![0; wanted.len()];
    let round = graph.ids().find(|id| matches!(graph.node(*id).op, Op::Arg(0)));
    for (arg, k) in arguments(body, wanted).filter(|(_, k)| *k >= body.carries) {
        if round.is_some_and(|round| reads(graph, arg, round).is_some()) {
            continue;
        }
        let all = elements(&graph.node(arg).shape, length);
        let parts = graph.users(arg).into_iter().map(|user| part(graph, arg, user, length).unwrap_or(all));
        let parts = parts.fold(0, u64::saturating_add);
        out[k] = match all {
            _ if parts < all => parts,
            _ if all <= SMALL as u64 => all,
            _ => 0,
        };
    }
    out
}

/// Numbers of the factors of a part of an argument's adjoint, where the part is a product.
fn part(graph: &Graph, arg: NodeId, user: NodeId, length: Length) -> Option<u64> {
    let node = graph.node(user);
    match &node.op {
        Op::Contract => {
            let others = graph.operands(user).iter().filter(|o| o.node != arg);
            let others = others.map(|o| elements(&graph.node(o.node).shape, length));
            Some(others.fold(elements(&node.shape, length), u64::saturating_add))
        }
        Op::Loop(body) => {
            let wanted: Vec<bool> = graph.operands(user).iter().map(|o| o.node == arg).collect();
            let rounds = u64::try_from(length(&body.trips)?).ok()?;
            let factors = of_round(body, &wanted, length).into_iter().fold(0, u64::saturating_add);
            Some(factors.saturating_mul(rounds))
        }
        _ => None,
    }
}

/// How many there are; 0 where that is not known.
fn elements(axes: &[Axis], length: Length) -> u64 {
    let mut sizes = axes.iter().map(|a| length(&a.size).and_then(|n| u64::try_from(n).ok()));
    sizes.try_fold(1u64, |n, size| Some(n.saturating_mul(size?))).unwrap_or(0)
}
