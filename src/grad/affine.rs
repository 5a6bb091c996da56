//! Indices that are sums of counters: `2 * o + k - 1`.
//!
//! What a window, a stride or a shift reads is added up where it came from without any search: the place solves for one of the counters, so
//! the adjoint of such a gather is a gather, too.

use crate::ir::{Graph, Map, Op, Operand, Size};

/// An index over the loops of a node: the sum of its terms.
#[derive(Debug, Default)]
pub struct Affine {
    /// Counters: how often, and of which loop.
    pub counters: Vec<(i64, usize)>,
    /// Whole numbers of any origin, and how often.
    pub rest: Vec<(i64, Operand)>,
    /// Whether a run fails where the index is outside.
    pub demanded: bool,
}

/// No index that people write has more.
const TERMS: usize = 16;

/// The terms of an index.
pub fn affine(graph: &Graph, index: &Operand) -> Option<Affine> {
    let mut out = Affine::default();
    collect(graph, index, 1, &mut out)?;
    let mut counters: Vec<(i64, usize)> = Vec::new();
    for (times, k) in out.counters {
        match counters.iter_mut().find(|(_, l)| *l == k) {
            Some(same) => same.0 += times,
            None => counters.push((times, k)),
        }
    }
    counters.retain(|(times, _)| *times != 0);
    Some(Affine { counters, ..out })
}

fn collect(graph: &Graph, o: &Operand, times: i64, out: &mut Affine) -> Option<()> {
    let through = |n: usize| {
        let inner = &graph.operands(o.node)[n];
        Operand::new(inner.node, inner.subscripts.iter().map(|k| o.subscripts[*k]).collect())
    };
    match &graph.node(o.node).op {
        Op::Iota => out.counters.push((times, o.subscripts[0])),
        Op::Inside(_) => {
            out.demanded = true;
            collect(graph, &through(0), times, out)?;
        }
        Op::Map(Map::Copy) => collect(graph, &through(0), times, out)?,
        Op::Map(Map::Neg) => collect(graph, &through(0), times.checked_neg()?, out)?,
        Op::Map(map @ (Map::Add | Map::Sub)) => {
            collect(graph, &through(0), times, out)?;
            let second = if *map == Map::Add { times } else { times.checked_neg()? };
            collect(graph, &through(1), second, out)?;
        }
        Op::Map(Map::Mul) => match (number(graph, &through(0)), number(graph, &through(1))) {
            (Some(n), _) => collect(graph, &through(1), times.checked_mul(n)?, out)?,
            (_, Some(n)) => collect(graph, &through(0), times.checked_mul(n)?, out)?,
            (None, None) => out.rest.push((times, o.clone())),
        },
        _other => out.rest.push((times, o.clone())),
    }
    (out.counters.len() + out.rest.len() <= TERMS).then_some(())
}

fn number(graph: &Graph, o: &Operand) -> Option<i64> {
    match &graph.node(o.node).op {
        Op::Const(x) => Some(*x as i64),
        Op::Extent(size) => size.constant(),
        _other => None,
    }
}

impl Affine {
    /// Whether an index is inside of an axis of this size for sure; `extent` is how long a loop is.
    pub fn is_inside(&self, graph: &Graph, axis: &Size, extent: &dyn Fn(usize) -> Size) -> bool {
        let (mut least, mut most) = (Size::from(0i64), Size::from(0i64));
        for (times, o) in &self.rest {
            let size = match &graph.node(o.node).op {
                Op::Const(x) => Size::from(*x as i64),
                Op::Extent(size) => size.clone(),
                _other => return false,
            };
            let size = size.mul(&Size::from(*times));
            (least, most) = (least.add(&size), most.add(&size));
        }
        for (times, k) in &self.counters {
            let last = extent(*k).sub(&Size::from(1i64)).mul(&Size::from(*times));
            if *times > 0 { most = most.add(&last) } else { least = least.add(&last) }
        }
        least.at_least(0, 0) && axis.sub(&most).at_least(1, 0)
    }

    /// The counter to solve for, and how often it counts: of those that are `allowed` the longest, so that what remains to be summed is short.
    pub fn solved(&self, extent: &dyn Fn(usize) -> Size, allowed: &dyn Fn(usize) -> bool) -> Option<(i64, usize)> {
        let free = |k: usize| self.rest.iter().all(|(_, o)| !o.subscripts.contains(&k));
        let longest = |(times, k): &&(i64, usize)| (extent(*k).constant().unwrap_or(i64::MAX), -times.abs());
        self.counters.iter().filter(|(times, k)| times.abs() < 1 << 15 && allowed(*k) && free(*k)).max_by_key(longest).copied()
    }
}
