//! What a loop captures gets a sum over its rounds. There are four ways to it:
//!
//! - An array that is read at the round alone gets its adjoint place by place: what a round adds is yielded. Carrying an array of which
//!   a round touches one place would cost the square of the rounds.
//! - A product that is larger than its factors, as the adjoint of a weight is, is not built in a round: the factors are yielded, and
//!   one product after the loop has the rounds among what it sums over.
//! - What is small is yielded and summed after the loop, which keeps more digits than adding up.
//! - Everything else is added up in a carry, as is what a loop has no room to yield ([`Room`](super::Room)).
//!
//! Where no round lets anything through, a guard of the sum says so.

use super::Reverse;
use super::adjoint::Adjoint;
use super::nest::Nest;
use super::rounds::{Outer, Round, Shell, round_axis};
use crate::ir::{Axis, DType, Fold, Graph, Map, NodeId, Op, Operand, Pick, Size};

/// Up to so many elements are yielded in every round.
pub const SMALL: i64 = 1 << 12;

/// What unknown sizes count as, where sizes are compared.
const UNKNOWN: i64 = 64;

/// A part of the adjoint of a captured value, found after the loop.
pub struct Sum {
    /// The operand of the loop.
    operand: usize,
    tied: Vec<Option<usize>>,
    way: Way,
    guard: Option<Guard>,
}

/// Where a captured value has an adjoint at all: a stacked result, and which loops of the adjoint it has behind the rounds.
struct Guard {
    stacked: usize,
    subscripts: Vec<usize>,
}

enum Way {
    /// The loop's result of this number, over the adjoint's loops.
    Carried(usize),
    /// A stacked result, to be summed over the rounds.
    Yielded(usize),
    /// A stacked result: the array's dimension of this number is the round.
    Placed(usize, usize),
    /// A product of stacked results and values from outside, with the shape and the inner loops that it has in a round, and how the adjoint
    /// reads it.
    Product { factors: Vec<Factor>, shape: Vec<Axis>, inner: Vec<Axis>, view: Vec<usize> },
}

struct Factor {
    from: From,
    subscripts: Vec<usize>,
}

enum From {
    Stacked(usize),
    Outside(NodeId),
}

/// Where derivatives inside of a round end: an argument, or the reads of it at the round where it has no others.
pub fn leaves(graph: &Graph, arguments: &[NodeId], round: NodeId) -> Vec<NodeId> {
    arguments.iter().flat_map(|arg| reads(graph, *arg, round).map_or_else(|| vec![*arg], |r| r.nodes)).collect()
}

/// All reads of an array, which are of one dimension at the round.
pub struct Reads {
    pub nodes: Vec<NodeId>,
    pub dimension: usize,
}

pub fn reads(graph: &Graph, argument: NodeId, round: NodeId) -> Option<Reads> {
    let is_argument = matches!(graph.node(argument).op, Op::Arg(_));
    let nodes = graph.users(argument);
    let mut dimension = None;
    for id in &nodes {
        let Op::Gather { picks, .. } = &graph.node(*id).op else { return None };
        let mut at = None;
        for (d, pick) in picks.iter().enumerate() {
            match pick {
                // The other dimensions in order, as they are.
                Pick::Loop(k) => {
                    if *k != d - usize::from(at.is_some()) {
                        return None;
                    }
                }
                Pick::Operand(n) => {
                    let index = &graph.operands(*id)[*n];
                    if at.is_some() || index.node != round || graph.operands(*id)[0].node != argument {
                        return None;
                    }
                    at = Some(d);
                }
            }
        }
        let at = at.filter(|_| graph.node(*id).rank() + 1 == picks.len())?;
        if *dimension.get_or_insert(at) != at {
            return None;
        }
    }
    Some(Reads { dimension: dimension.filter(|_| is_argument)?, nodes })
}

fn elements(axes: &[Axis]) -> i64 {
    let size = axes.iter().fold(Size::from(1i64), |n, a| n.mul(&a.size));
    size.eval(&|_| Some(UNKNOWN)).unwrap_or(i64::MAX)
}

/// Adds to a round what its captured values need.
pub fn sums(round: &mut Round, outer: &Outer, shell: &mut Shell) -> Vec<Sum> {
    let mut out = Vec::new();
    for operand in outer.body.carries..outer.operands.len() {
        if !outer.wanted[operand] {
            continue;
        }
        let Some(arg) = round.argument(&outer.body, operand + 1) else { continue };
        match reads(round.r.graph, arg, round.counter) {
            Some(reads) => {
                for node in reads.nodes {
                    if let Some(adjoint) = round.r.found(node) {
                        let part = round.masked(node, &adjoint);
                        let guard = round.guard(node, &adjoint, shell);
                        let tied = adjoint.tied.iter().map(|t| t.map(|d| d + usize::from(d >= reads.dimension))).collect();
                        out.push(Sum { operand, tied, way: Way::Placed(shell.yields.len(), reads.dimension), guard });
                        shell.yields.push(part);
                    }
                }
            }
            None => {
                for adjoint in round.r.parts(arg) {
                    let (way, guard) = (round.way(outer, arg, &adjoint, shell), round.guard(arg, &adjoint, shell));
                    out.push(Sum { operand, tied: adjoint.tied, way, guard });
                }
            }
        }
    }
    // Yields come after all carries.
    let carries = shell.carries.len();
    for sum in &mut out {
        sum.guard.iter_mut().for_each(|g| g.stacked += carries);
        match &mut sum.way {
            Way::Carried(_) => {}
            Way::Yielded(n) | Way::Placed(n, _) => *n += carries,
            Way::Product { factors, .. } => {
                for f in factors {
                    if let From::Stacked(n) = &mut f.from {
                        *n += carries;
                    }
                }
            }
        }
    }
    out
}

impl Round<'_> {
    /// An adjoint as a node: 0 where the round did not run.
    fn masked(&mut self, id: NodeId, adjoint: &Adjoint) -> NodeId {
        let axes = self.r.loops(id, &adjoint.tied);
        let nest = Nest { axes: axes.clone(), first: 0 };
        let ran = self.ran.clone().into_iter().collect();
        let view = self.r.chosen(&nest, ran, adjoint.view.clone());
        self.r.built(&axes, &view)
    }

    /// Yields where an adjoint is anything but 0, over those loops on which that depends. What would be too large to keep is nowhere left out.
    fn guard(&mut self, id: NodeId, adjoint: &Adjoint, shell: &mut Shell) -> Option<Guard> {
        let nest = Nest { axes: self.r.loops(id, &adjoint.tied), first: 0 };
        let guards: Vec<Operand> = self.ran.iter().chain(&adjoint.guards).cloned().collect();
        let all = self.r.all_of(&nest, &guards)?;
        let mut subscripts = all.subscripts.clone();
        subscripts.sort();
        subscripts.dedup();
        let axes: Vec<Axis> = subscripts.iter().map(|k| nest.axes[*k].clone()).collect();
        if elements(&axes) > SMALL {
            return None;
        }
        let place = |k: &usize| subscripts.iter().position(|s| s == k).expect("one of them");
        let packed = Operand::new(all.node, all.subscripts.iter().map(place).collect());
        shell.yields.push(self.r.built(&axes, &packed));
        Some(Guard { stacked: shell.yields.len() - 1, subscripts })
    }

    fn way(&mut self, outer: &Outer, arg: NodeId, adjoint: &Adjoint, shell: &mut Shell) -> Way {
        if let Some(way) = self.product(outer, adjoint, shell) {
            return way;
        }
        let part = self.masked(arg, adjoint);
        let axes = self.r.graph.node(part).shape.clone();
        if elements(&axes) <= SMALL && self.may_yield(outer, &[part]) {
            shell.yields.push(part);
            return Way::Yielded(shell.yields.len() - 1);
        }
        let so_far = self.r.add(Op::Arg(0), DType::F32, axes.clone(), vec![], vec![]);
        let all: Vec<usize> = (0..axes.len()).collect();
        let operands = vec![Operand::new(so_far, all.clone()), Operand::new(part, all)];
        let next = self.r.add(Op::Map(Map::Add), DType::F32, axes, vec![], operands);
        shell.carries.push((so_far, NodeId::end(), next));
        Way::Carried(shell.carries.len() - 1)
    }

    /// Whether there is room for these values in every round; where nothing is known of that, there is.
    fn may_yield(&self, outer: &Outer, values: &[NodeId]) -> bool {
        let shapes = values.iter().map(|id| &*self.r.graph.node(*id).shape);
        self.r.room.is_none_or(|room| room.holds(&outer.body.trips, shapes))
    }

    /// The factors of a product, where they are smaller than it.
    fn product(&mut self, outer: &Outer, adjoint: &Adjoint, shell: &mut Shell) -> Option<Way> {
        let id = adjoint.view.node;
        let node = self.r.graph.node(id).clone();
        if !matches!(node.op, Op::Contract | Op::Map(Map::Mul)) {
            return None;
        }
        let operands = self.r.graph.operands(id).to_vec();
        let outside = |r: &Reverse, captures: &[(NodeId, NodeId)], n: NodeId| {
            matches!(r.graph.node(n).op, Op::Arg(_)).then(|| captures.iter().find(|(arg, _)| *arg == n).map(|c| c.1)).flatten()
        };
        let inside: Vec<&Operand> = operands.iter().filter(|o| outside(&self.r, &shell.captures, o.node).is_none()).collect();
        let small: i64 = inside.iter().map(|o| elements(&self.r.graph.node(o.node).shape)).fold(0, i64::saturating_add);
        if inside.is_empty() || small >= elements(&node.shape) {
            return None;
        }
        let mut fresh: Vec<NodeId> = inside.iter().map(|o| o.node).filter(|n| !shell.yields.contains(n)).collect();
        fresh.dedup();
        if !self.may_yield(outer, &fresh) {
            return None;
        }
        let mut factors = Vec::new();
        for o in &operands {
            let from = match outside(&self.r, &shell.captures, o.node) {
                Some(node) => From::Outside(node),
                None => {
                    let at = shell.yields.iter().position(|y| *y == o.node).unwrap_or(shell.yields.len());
                    if at == shell.yields.len() {
                        shell.yields.push(o.node);
                    }
                    From::Stacked(at)
                }
            };
            factors.push(Factor { from, subscripts: o.subscripts.clone() });
        }
        Some(Way::Product { factors, shape: node.shape, inner: node.inner, view: adjoint.view.subscripts.clone() })
    }
}

impl Reverse<'_> {
    /// Hands a captured value its part, given the results of the adjoint's loop.
    pub(super) fn summed(&mut self, outer: &Outer, sum: Sum, results: &[NodeId]) {
        let target = outer.operands[sum.operand];
        let loops = self.loops(target, &sum.tied);
        let free = sum.tied.iter().filter(|t| t.is_none()).count();
        let all = (0..loops.len()).collect::<Vec<_>>();
        let guard = sum.guard.map(|guard| self.let_through(outer, guard, &sum.way, results, &loops, free));
        let view = match sum.way {
            Way::Carried(n) => Operand::new(results[n], all),
            Way::Yielded(n) => {
                let mut axes = vec![round_axis(&outer.body)];
                axes.extend(loops);
                let nest = Nest { axes, first: 0 };
                let stacked = Operand::new(results[n], (0..nest.axes.len()).collect());
                let total = self.folded(&nest, Fold::Sum, DType::F32, stacked, &|k| k == 0);
                Operand::new(total.node, total.subscripts.iter().map(|k| k - 1).collect())
            }
            Way::Placed(n, d) => self.placed(outer, results[n], &loops, free + d),
            Way::Product { factors, shape, inner, view } => {
                let rank = shape.len();
                // The rounds are the first inner loop.
                let moved = |k: &usize| if *k >= rank { k + 1 } else { *k };
                let mut operands: Vec<Operand> = factors
                    .iter()
                    .map(|f| {
                        let own = f.subscripts.iter().map(moved);
                        match f.from {
                            From::Stacked(n) => Operand::new(results[n], std::iter::once(rank).chain(own).collect()),
                            From::Outside(node) => Operand::new(node, own.collect()),
                        }
                    })
                    .collect();
                operands.sort_by_key(|o| self.graph.node(o.node).dtype == DType::Bool);
                operands.extend(outer.ran.map(|ran| Operand::new(ran, vec![rank])));
                let inner = std::iter::once(round_axis(&outer.body)).chain(inner).collect();
                Operand::new(self.add(Op::Contract, DType::F32, shape, inner, operands), view)
            }
        };
        self.hand(target, Adjoint { view, tied: sum.tied, guards: guard.into_iter().collect() });
    }

    /// Whether any round lets something through; for an array that is read at the round, whether its own does.
    fn let_through(
        &mut self,
        outer: &Outer,
        guard: Guard,
        way: &Way,
        results: &[NodeId],
        loops: &[Axis],
        free: usize,
    ) -> Operand {
        let Guard { stacked, subscripts } = guard;
        if let Way::Placed(_, d) = way {
            // The loops that it has, and the round's.
            let along = free + d;
            let moved = |k: &usize| k + usize::from(*k >= along);
            let mut own: Vec<usize> = subscripts.iter().map(moved).collect();
            let at = own.iter().filter(|k| **k < along).count();
            own.insert(at, along);
            let axes: Vec<Axis> = own.iter().map(|k| loops[*k].clone()).collect();
            let view = self.placed(outer, results[stacked], &axes, at);
            return Operand::new(view.node, view.subscripts.iter().map(|k| own[*k]).collect());
        }
        let axes = std::iter::once(round_axis(&outer.body)).chain(subscripts.iter().map(|k| loops[*k].clone())).collect();
        let nest = Nest { axes, first: 0 };
        let whole = Operand::new(results[stacked], (0..nest.axes.len()).collect());
        let any = self.folded(&nest, Fold::Any, DType::Bool, whole, &|k| k == 0);
        Operand::new(any.node, any.subscripts.iter().map(|k| subscripts[k - 1]).collect())
    }

    /// Stacked parts of an array, one for each place along loop `along`; places that no round had are 0.
    fn placed(&mut self, outer: &Outer, stacked: NodeId, loops: &[Axis], along: usize) -> Operand {
        let subscript = |k: usize| match k {
            0 => along,
            k if k <= along => k - 1,
            k => k,
        };
        if loops[along].size == outer.body.trips {
            return Operand::new(stacked, (0..loops.len()).map(subscript).collect());
        }
        let nest = Nest { axes: loops.to_vec(), first: 0 };
        let place = self.counter(&nest, along);
        let picks = (0..loops.len()).map(|k| if k == 0 { Pick::Operand(1) } else { Pick::Loop(subscript(k)) }).collect();
        let operands = vec![Operand::new(stacked, vec![]), place];
        let dtype = self.graph.node(stacked).dtype;
        let id = self.add(Op::Gather { picks, fill: Some(0.0) }, dtype, loops.to_vec(), vec![], operands);
        Operand::new(id, (0..loops.len()).collect())
    }
}
