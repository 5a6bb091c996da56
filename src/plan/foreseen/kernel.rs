//! Loop nests: each value of a body is computed in the outermost loop in which it is known.

use super::{Counter, How, Work};
use crate::ir::{Map, Size};
use crate::plan::measured::plan::{
    APART_TOUCHES, BLOCK_TOUCHES, CHOSEN_NS, CHOSEN_TOUCHES, CONSTANT_TOUCHES, FOLD_NS, FOLDED_TOUCHES, FUNCTION_PART,
    FUNCTION_TOUCHES, PLAIN_TOUCHES, READ_TOUCHES, RUN_NS, STORE_TOUCHES, STREWN_TOUCHES, SUMMED_TOUCHES,
};
use crate::plan::view::value;
use crate::plan::{Access, Expr, Kernel};

/// Elements of a line of memory, and a stride beyond which a reader goes from row to row.
const LINE: f64 = 16.0;
const FAR_STRIDE: i64 = 64;

/// A nest with its loops counted.
struct Nest<'a> {
    k: &'a Kernel,
    /// Steps of each loop.
    n: Vec<f64>,
    deps: Vec<u128>,
    /// For each value how many of the outer loops it is computed in.
    under: Vec<usize>,
    /// The loop that runs in lanes.
    lanes: Option<usize>,
}

impl Nest<'_> {
    fn of<'a>(k: &'a Kernel, c: &Counter) -> Nest<'a> {
        let n: Vec<f64> = k.loops.iter().map(|l| c.n(&l.size)).collect();
        let deps = k.dependencies();
        let depth = |d: &u128| (0..k.outer).rev().find(|l| d >> l & 1 == 1).map_or(0, |l| l + 1);
        let mut under: Vec<usize> = deps.iter().map(depth).collect();
        // What a fold reads is computed where the fold is.
        for (e, x) in k.body.iter().enumerate().rev() {
            let (Expr::Reduce { loops, .. } | Expr::Mend { loops, .. }) = x else { continue };
            let inside = loops.iter().fold(0u128, |m, l| m | 1 << l);
            for i in (0..e).filter(|i| deps[*i] & inside != 0) {
                under[i] = under[i].max(under[e]);
            }
        }
        let lanes = (0..k.outer).rev().find(|l| n[*l] > 1.0);
        Nest { k, n, deps, under, lanes }
    }

    /// How often something with these dependencies is computed in so many outer loops.
    fn times(&self, under: usize, deps: u128) -> f64 {
        let inside = (self.k.outer..self.n.len()).filter(|l| deps >> l & 1 == 1).map(|l| self.n[l]);
        self.n[..under].iter().product::<f64>() * inside.product::<f64>()
    }

    fn count(&self, e: usize) -> f64 {
        self.times(self.under[e], self.deps[e])
    }

    /// How far an address goes with each step of the loop in lanes, and of the innermost that it depends on.
    fn strides(&self, a: &Access, e: usize, c: &Counter) -> [i64; 2] {
        let of = |l: Option<usize>| l.and_then(|l| a.terms.iter().find(|t| t.0 == l)).map_or(0, |t| value(&t.1, c.sizes));
        let inner = (self.k.outer..self.n.len()).rev().find(|l| self.deps[e] >> l & 1 == 1);
        [of(self.lanes), of(inner)]
    }
}

impl Counter<'_> {
    pub(super) fn kernel(&self, k: &Kernel) -> Work {
        let nest = Nest::of(k, self);
        let touch = self.prices.touch_ns;
        let points: f64 = nest.n[..k.outer].iter().product();
        if points == 0.0 {
            return Work::default();
        }
        let runs = points / nest.lanes.map_or(1.0, |l| nest.n[l]);
        let mut work = Work { ns: RUN_NS * runs, ..Work::default() };
        for (e, x) in k.body.iter().enumerate() {
            let count = nest.count(e);
            work.ns += match x {
                Expr::Const(_) | Expr::Size(_) => 0.0,
                Expr::Counter(_) => touch * PLAIN_TOUCHES * count,
                Expr::Load(a) => {
                    let each = match nest.strides(a, e, self) {
                        [0, 0] => 0.0,
                        [0, 1] => CONSTANT_TOUCHES,
                        [-1..=1, _] | [_, 1] => READ_TOUCHES,
                        _ => APART_TOUCHES,
                    };
                    touch * each * count
                }
                Expr::Pick { at, .. } => {
                    let by_lane = nest.lanes.is_some_and(|l| at.iter().any(|i| nest.deps[i.value] >> l & 1 == 1));
                    CHOSEN_NS * runs + touch * if by_lane { CHOSEN_TOUCHES } else { READ_TOUCHES } * count
                }
                Expr::Map(map, args) if k.whole_power(*map, args).is_some() => 2.0 * touch * PLAIN_TOUCHES * count,
                Expr::Map(map, _) => self.function(*map, k.outer) * count,
                Expr::Reduce { value, .. } | Expr::Mend { value, .. } => {
                    let under = nest.under[e].max(nest.under[*value]);
                    // Sums that lie side by side in lanes are begun together.
                    let alone = nest.lanes.is_none_or(|l| nest.deps[e] >> l & 1 == 0);
                    let (each, begun) = if alone { (FOLDED_TOUCHES, FOLD_NS) } else { (SUMMED_TOUCHES, 0.0) };
                    touch * each * nest.times(under, nest.deps[*value]) + begun * count
                }
            };
            if let Some(a) = x.access() {
                self.reads(&nest, (e, x, a), &mut work);
            }
        }
        let beside = nest.lanes.is_none_or(|l| k.store.terms.iter().any(|t| t.0 == l && value(&t.1, self.sizes) == 1));
        work.ns += touch * if beside { STORE_TOUCHES } else { STREWN_TOUCHES } * points;
        work.touches(k.store.buffer, points, How::Written);
        work
    }

    /// What an access reads that none before it has read of the same buffer.
    fn reads(&self, nest: &Nest, (e, x, a): (usize, &Expr, &Access), work: &mut Work) {
        let of = |t: &(usize, Size)| if value(&t.1, self.sizes) == 0 { 1.0 } else { nest.n[t.0] };
        let steps: f64 = a.terms.iter().map(of).product();
        let (reached, how) = if let Expr::Pick { at, .. } = x {
            let by = at.iter().fold(0u128, |m, i| m | nest.deps[i.value]);
            let picks: f64 = (0..nest.n.len()).filter(|l| by >> l & 1 == 1).map(|l| nest.n[l]).product();
            let reached = nest.count(e).min(steps * at.iter().map(|i| self.n(&i.extent)).product::<f64>());
            (reached, How::Chosen(picks * (reached / picks.max(1.0) / LINE).max(1.0)))
        } else {
            let [beside, far] = nest.strides(a, e, self);
            (steps, if beside == 1 && far.abs() > FAR_STRIDE { How::Apart } else { How::Read })
        };
        let before = work.touched.iter().filter(|t| t.buffer == a.buffer).map(|t| t.elements).sum::<f64>();
        if reached > before {
            work.touches(a.buffer, reached - before, how);
        }
    }

    /// A function of an element in so many loops: what the machine was measured to take, or its operations.
    fn function(&self, map: Map, outer: usize) -> f64 {
        let called = match map {
            Map::Div | Map::Mod | Map::IntDiv => "divide",
            Map::Pow => "power",
            Map::Cos | Map::Tan => "sin",
            Map::Softplus => "log",
            map => map.word(),
        };
        let measured = self.prices.also.as_ref().and_then(|also| also["functions_ns"][called].as_f64());
        let touch = self.prices.touch_ns;
        // In more loops than those of a matrix rows are short, and all goes block by block.
        let blocks = if outer > 2 && map.word() == called { BLOCK_TOUCHES } else { 0.0 };
        measured.map_or(touch * PLAIN_TOUCHES * map.price(), |ns| FUNCTION_PART * ns + touch * (FUNCTION_TOUCHES + blocks))
    }
}
