//! Which programs a page needs: one for each range of sizes in which the planner decides alike.
//!
//! In: an optimized graph and the nodes that are wanted. Out: a [`Family`]: programs, and a table of ranges of the free dims that
//! says which one runs. Planner and emitter look at the numbers themselves, so programs are made at many points, and where two
//! neighbours differ the border between them is found by halving. What a program takes for granted about its sizes is that they
//! are small (a row fits a workgroup); so it is right for smaller ones too, only slower. Where there would be too many ranges,
//! narrow ones join the next, and each range has the program of its largest sizes. A program may also hold only because two sizes
//! happen to be equal: so where a range is wide, primes stand for it, another one for each dim.
//!
//! What the planner itself takes for granted is noted, and asked where it does not hold in all of a range ([`ways`]). Where none of these
//! programs is right at sizes of a range, a few more are made for such; where that is not enough, the page says so.

use super::guards::{Range, noted, taken};
use super::reached;
use super::ways::{self, Cell, Made, Way};
use crate::diag::{Code, Diagnostic};
use crate::gpu::{self, Program};
use crate::ir::size::Bounds;
use crate::ir::{Graph, NodeId, Op, Size, Sym, needs};
use crate::plan::{self, Sizes};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Programs by ranges of sizes.
pub struct Family {
    /// The free dims that decide, in order.
    pub dims: Vec<Sym>,
    /// For each dim the first size of each range, ascending.
    pub cuts: Vec<Vec<i64>>,
    /// For each combination of ranges, the last dim fastest, what may run there: the first that is right does. Nothing where the model
    /// cannot have such sizes.
    pub cells: Vec<Vec<Way>>,
    pub programs: Vec<Program>,
}

impl Family {
    /// The program that runs at these sizes, as a page chooses it; none where none is right.
    pub fn program(&self, sizes: &Sizes) -> Option<&Program> {
        let ranges = self.dims.iter().zip(&self.cuts);
        let cell = ranges.fold(0, |cell, (dim, cuts)| {
            let size = sizes.get(dim).copied().unwrap_or(0);
            cell * cuts.len() + cuts.iter().rposition(|from| *from <= size).unwrap_or(0)
        });
        let way = self.cells[cell].iter().find(|way| way.guard.holds(sizes))?;
        Some(&self.programs[way.program])
    }
}

/// Most combinations of ranges.
const CELLS: usize = 12;
/// Most borders that are looked for along a dim; they are joined afterwards.
const CUTS: usize = 64;
/// Nodes of a graph beyond which it is probed at few sizes.
const LONG: usize = 300;
/// The largest size that is probed.
const LARGEST: i64 = 65_536;
/// Programs that are made for sizes at which those of the ranges are not right, at most.
const MORE: usize = 6;
/// Where the other dims stand while one is probed: sizes that are equal by no chance.
const APART: [i64; 8] = [41, 53, 67, 79, 97, 103, 109, 127];

/// Sizes at which a dim is probed: small ones, powers of two and their neighbours, and a spread. Few of each for long graphs, and
/// where many dims decide together.
fn probes(few: bool) -> Vec<i64> {
    if few {
        return vec![0, 1, 2, 3, 17, 64, 257, 1000, LARGEST];
    }
    let mut out: Vec<i64> = (0..=9).collect();
    let mut n = 10.0f64;
    while n < LARGEST as f64 {
        out.push(n as i64);
        n *= 1.3;
    }
    for power in 4..=16 {
        out.extend([(1 << power) - 1, 1 << power, (1 << power) + 1]);
    }
    out.retain(|n| *n <= LARGEST);
    out.sort();
    out.dedup();
    out
}

/// Plans and remembers.
struct Prober<'a> {
    graph: &'a Graph,
    wanted: &'a [NodeId],
    fixed: &'a Sizes,
    /// What the page asks of sizes whichever of the nodes it runs.
    asked: BTreeSet<Size>,
    dims: Vec<Sym>,
    /// Whether borders are taken where they are probed.
    coarse: bool,
    /// Whether a dim can have the probed sizes only.
    listed: Vec<bool>,
    programs: Vec<Program>,
    /// By all that is in it: two plans may differ in what matters to a CPU only.
    texts: BTreeMap<String, usize>,
    points: BTreeMap<Vec<i64>, Option<Made>>,
    /// The last thing that the planner could not do.
    refused: Option<Diagnostic>,
}

/// Whether the lengths of all buffers are numbers.
fn countable(plan: &plan::Plan, sizes: &Sizes) -> bool {
    let counts = |size: &Size| size.value(&|name| sizes.get(name).copied()).is_ok_and(|n| n < i64::MAX / 64);
    let mut inner = plan.steps.iter().filter_map(|s| if let plan::Step::Rounds(r) = s { Some(&r.body) } else { None });
    inner.all(|p| countable(p, sizes))
        && plan.buffers.iter().all(|b| counts(&b.shape.iter().fold(Size::from(1i64), |n, s| n.mul(s))))
}

impl Prober<'_> {
    /// The number of the program at a point.
    fn at(&mut self, point: &[i64]) -> Option<usize> {
        if let Some(known) = self.points.get(point) {
            return known.as_ref().map(|made| made.0);
        }
        let mut sizes = self.fixed.clone();
        sizes.extend(self.dims.iter().cloned().zip(point.iter().copied()));
        let made = match plan::plan_anywhere(self.graph, self.wanted, &sizes) {
            Err(d) => {
                self.refused = Some(d);
                None
            }
            // What no number of 64 bits counts no device holds.
            Ok(plan) if !countable(&plan, &sizes) => {
                let message = "values have more elements here than can be counted";
                self.refused = Some(Diagnostic::limit(
                    Code::H0822,
                    plan.places.iter().flatten().next().copied().unwrap_or_default(),
                    message,
                ));
                None
            }
            Ok(plan) => Some((self.program(&plan, &sizes), Rc::new(taken(&plan.granted, self.fixed, &self.asked)))),
        };
        let number = made.as_ref().map(|made| made.0);
        self.points.insert(point.to_vec(), made);
        number
    }

    fn program(&mut self, plan: &plan::Plan, sizes: &Sizes) -> usize {
        let program = gpu::emit(plan, sizes, &|_| None);
        let next = self.programs.len();
        let number = *self.texts.entry(format!("{program:?}")).or_insert(next);
        if number == next {
            self.programs.push(program);
        }
        number
    }

    /// The first size in `low + 1 ..= high` along a dim whose program is not that at `low`; the two ends differ.
    fn border(&mut self, point: &[i64], dim: usize, mut low: i64, mut high: i64) -> i64 {
        let mut at = point.to_vec();
        at[dim] = low;
        let first = self.at(&at);
        while high - low > 1 {
            at[dim] = low + (high - low) / 2;
            if self.at(&at) == first {
                low = at[dim];
            } else {
                high = at[dim];
            }
        }
        high
    }

    /// Where the program changes along a dim, with the others near some base.
    fn cuts(&mut self, dim: usize, values: &[Vec<i64>]) -> Vec<i64> {
        let mut out = vec![values[dim].first().copied().unwrap_or(0)];
        let near = |d: usize| values[d].iter().copied().min_by_key(|n| (n - APART[d % APART.len()]).abs()).unwrap_or(0);
        let base = |d: usize| if self.listed[d] { near(d) } else { APART[d % APART.len()] };
        let mut point: Vec<i64> = (0..values.len()).map(base).collect();
        for pair in values[dim].windows(2) {
            let mut low = pair[0];
            // Between two neighbours there may be more than one border.
            loop {
                point[dim] = low;
                let first = self.at(&point);
                point[dim] = pair[1];
                if self.at(&point) == first || out.len() > CUTS {
                    break;
                }
                // Of sizes that are listed, none lies between two.
                low = if self.coarse || self.listed[dim] { pair[1] } else { self.border(&point, dim, low, pair[1]) };
                out.push(low);
            }
        }
        out.sort();
        out.dedup();
        out
    }

    /// A combination of ranges, with a program for its largest sizes.
    fn cell(&mut self, cuts: &[Vec<i64>], cell: usize, values: &[Vec<i64>]) -> Cell {
        let mut rest = cell;
        let (mut point, mut least, mut largest) = (vec![0; cuts.len()], vec![0; cuts.len()], vec![0; cuts.len()]);
        let mut range = Range::new();
        for dim in (0..cuts.len()).rev() {
            let k = rest % cuts[dim].len();
            rest /= cuts[dim].len();
            let (from, next) = (cuts[dim][k], cuts[dim].get(k + 1).copied());
            let to = next.unwrap_or(LARGEST + 1);
            if self.listed[dim] {
                point[dim] = values[dim].iter().copied().filter(|n| *n < to).max().unwrap_or(from);
                (least[dim], largest[dim]) = (point[dim], point[dim]);
            } else {
                point[dim] = upper(from, to, &point[dim + 1..]);
                (least[dim], largest[dim]) = (from, next.map_or(i64::MAX, |next| next - 1));
            }
            let most = Some(largest[dim]).filter(|most| *most < i64::MAX);
            range.insert(self.dims[dim].clone(), Bounds { least: Some(from), most });
        }
        // Where all are long at once nothing holds it: the program of the largest sizes that something does.
        let mut made = self.at(&point);
        while made.is_none() && point != least {
            point.iter_mut().zip(&least).for_each(|(n, least)| *n = (*n / 2).max(*least));
            largest.clone_from(&point);
            made = self.at(&point);
        }
        Cell { range, made: self.points[&point].clone(), point, largest }
    }

    /// What may run in each range. Ranges of large sizes come first: what is made for these may be right for smaller ones, too.
    fn ways(&mut self, mut cells: Vec<Cell>, values: &[Vec<i64>]) -> Vec<Vec<Way>> {
        let (mut out, mut tried) = (Vec::new(), BTreeSet::new());
        for cell in (0..cells.len()).rev() {
            out.push(loop {
                let ways = ways::ways(&self.dims, &cells, &self.points, cell);
                let gap = ways::gap(&self.dims, &cells[cell], &ways, values, self.fixed, &tried);
                let Some(at) = gap.filter(|_| tried.len() < MORE) else { break ways };
                let more = self.more(&cells[cell], &at);
                cells.push(more);
                tried.insert(at);
            });
        }
        out.reverse();
        out
    }

    /// A program for some sizes of a range.
    fn more(&mut self, cell: &Cell, at: &[i64]) -> Cell {
        let (mut point, mut largest) = (cell.point.clone(), cell.largest.clone());
        for dim in (0..at.len()).filter(|dim| at[*dim] != cell.point[*dim]) {
            // Not at sizes that are equal to others by chance, where there is a choice.
            let apart = (at[dim]..=cell.largest[dim].min(2 * at[dim] + 2)).find(|n| prime(*n) && !cell.point.contains(n));
            point[dim] = apart.filter(|_| !self.listed[dim]).unwrap_or(at[dim]);
            largest[dim] = point[dim];
        }
        self.at(&point);
        Cell { range: Range::new(), made: self.points[&point].clone(), point, largest }
    }
}

/// Joins narrow ranges with the next one until there are few enough combinations. A range is as wide as the ratio of its ends; one
/// that holds size 1 alone is kept longest, for a single row is what pages ask most.
fn join(cuts: &mut [Vec<i64>]) {
    while cuts.iter().map(Vec::len).product::<usize>() > CELLS {
        let mut best: Option<(f64, usize, usize)> = None;
        for (dim, c) in cuts.iter().enumerate() {
            for k in 1..c.len() {
                let alone = c[k] == 2 && c[k - 1] == 1;
                let width = (c[k] + 1) as f64 / (c[k - 1] + 1) as f64 + if alone { 1e6 } else { 0.0 };
                // The empty range joins first: there is hardly any work in it.
                let width = if c[k] == 1 { 0.0 } else { width };
                if best.is_none_or(|b| width < b.0) {
                    best = Some((width, dim, k));
                }
            }
        }
        let Some((_, dim, k)) = best else { return };
        cuts[dim].remove(k);
    }
}

fn prime(n: i64) -> bool {
    n > 1 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
}

/// The largest prime of a range that no other dim has; the largest size where there is none.
fn upper(from: i64, to: i64, others: &[i64]) -> i64 {
    (from..to).rev().find(|n| prime(*n) && !others.contains(n)).unwrap_or(to - 1)
}

/// What sizes can be: those of conditions, and those that are the number of such a condition.
fn measured(graph: &Graph, allowed: &BTreeMap<Sym, Vec<i64>>) -> BTreeMap<Sym, Vec<i64>> {
    let mut out = allowed.clone();
    for (size, node) in &graph.measured {
        if let Op::Source { path, .. } = &graph.node(*node).op
            && let Some(list) = allowed.get(path)
        {
            out.insert(size.clone(), list.clone());
        }
    }
    out
}

/// What the graph asks of sizes for each of these nodes.
fn asked(graph: &Graph, wanted: &[NodeId], fixed: &Sizes) -> BTreeSet<Size> {
    let of = |root: &NodeId| -> BTreeSet<Size> {
        let needs = needs::all(graph, &reached(graph, &[*root]));
        needs.iter().filter_map(|n| noted(&n.least, &n.most, fixed)).collect()
    };
    wanted.iter().map(of).reduce(|a, b| a.intersection(&b).cloned().collect()).unwrap_or_default()
}

/// Makes the programs of the wanted nodes of an optimized graph. `allowed` says which numbers a condition can be, where few. Errors:
/// the planner has no plan for any sizes.
pub fn family(graph: &Graph, wanted: &[NodeId], fixed: &Sizes, allowed: &BTreeMap<Sym, Vec<i64>>) -> Result<Family, Diagnostic> {
    let allowed = measured(graph, allowed);
    let reach = graph.reachable(wanted.iter().copied());
    let mut dims: Vec<Sym> = graph.ids().filter(|id| reach[id.index()]).flat_map(|id| graph.symbols_of(id)).collect();
    dims.retain(|s| !fixed.contains_key(s));
    dims.sort();
    dims.dedup();
    let few = dims.len() > 2 || graph.len() > LONG;
    let values: Vec<Vec<i64>> = dims.iter().map(|d| allowed.get(d).cloned().unwrap_or_else(|| probes(few))).collect();
    let mut p = Prober {
        graph,
        wanted,
        fixed,
        asked: asked(graph, wanted, fixed),
        dims: dims.clone(),
        coarse: few,
        listed: dims.iter().map(|d| allowed.contains_key(d)).collect(),
        programs: vec![],
        texts: BTreeMap::new(),
        points: BTreeMap::new(),
        refused: None,
    };
    let mut cuts: Vec<Vec<i64>> = (0..dims.len()).map(|d| p.cuts(d, &values)).collect();
    join(&mut cuts);
    let cells: Vec<Cell> = (0..cuts.iter().map(Vec::len).product()).map(|cell| p.cell(&cuts, cell, &values)).collect();
    if cells.iter().all(|c| c.made.is_none()) {
        return Err(p.refused.expect("a point without a plan has a reason"));
    }
    let ways = p.ways(cells, &values);
    Ok(kept(dims, cuts, ways, p.programs))
}

/// Drops programs that no range names.
fn kept(dims: Vec<Sym>, cuts: Vec<Vec<i64>>, mut cells: Vec<Vec<Way>>, programs: Vec<Program>) -> Family {
    let mut order: Vec<usize> = Vec::new();
    for way in cells.iter_mut().flatten() {
        way.program = order.iter().position(|o| *o == way.program).unwrap_or_else(|| {
            order.push(way.program);
            order.len() - 1
        });
    }
    let mut programs: Vec<Option<Program>> = programs.into_iter().map(Some).collect();
    let programs = order.iter().filter_map(|o| programs[*o].take()).collect();
    Family { dims, cuts, cells, programs }
}
