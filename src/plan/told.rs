//! What each step of a plan is in a few words, with its lengths, and how much it multiplies: for people who look where the time goes.
//!
//! In: a plan, all sizes. Out: a text for each step, floating-point operations of the products in it (a multiply-add is two), and how long it should
//! take. Of steps that are computed together the one that does it tells of all, for the others take no time of their own.

use super::foreseen;
use super::view::value;
use super::{Kernel, Plan, Product, Sizes, Step};
use crate::ir::Size;

/// A step in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// `product 64 × 1024 × 512`: rows, sums, columns.
    pub what: String,
    /// None where nothing is multiplied out of matrices.
    pub flops: Option<f64>,
    /// Seconds that it should take on one thread, by the prices that the plan was made for; none where that is known by the run alone.
    pub seconds: Option<f64>,
    /// Another step does it, and tells of it.
    pub elsewhere: bool,
}

/// Of each step, in their order.
pub fn told(plan: &Plan, sizes: &Sizes) -> Vec<Told> {
    let times = foreseen::foreseen(plan, sizes);
    let one = |(s, ns): (&Step, Option<f64>)| {
        let (what, flops, seconds) = (what(s, sizes), flops(s, sizes), ns.map(|ns| 1e-9 * ns));
        Told { what, flops, seconds, elsewhere: false }
    };
    let mut all: Vec<Told> = plan.steps.iter().zip(times).map(one).collect();
    // Windows that are read where they lie, and what lies between two products of attention, are written nowhere.
    for gather in plan.taps.iter().map(|t| t.gather).chain(plan.attends.iter().flat_map(|a| a.between.iter().copied())) {
        all[gather].seconds = Some(0.0);
        all[gather].elsewhere = true;
    }
    for (part, whole) in together(plan) {
        let Told { what, flops, .. } = all[part].clone();
        let seconds = all[part].seconds.replace(0.0);
        all[part].elsewhere = true;
        let by = &mut all[whole];
        by.seconds = by.seconds.zip(seconds).map(|(a, b)| a + b);
        by.what = format!("{what}, {}", by.what);
        by.flops = by.flops.into_iter().chain(flops).reduce(|a, b| a + b);
    }
    all
}

/// Steps that another one computes, and which.
fn together(plan: &Plan) -> Vec<(usize, usize)> {
    let mut out = vec![];
    out.extend(plan.taps.iter().map(|t| (t.gather, t.product)));
    out.extend(plan.finished.iter().map(|f| (f.taps.product, f.kernel)));
    // What lies between two products of attention would be more words than help.
    out.extend(plan.attends.iter().map(|a| (a.scores, a.result)));
    out.extend(plan.written.iter().flat_map(|w| w.makers().map(|maker| (maker, w.product))));
    out.extend(plan.biased.iter().map(|b| (b.product, b.kernel)));
    out
}

/// How long the loops of a product are, by what they do: times, rows, sums, columns.
pub(super) fn roles(p: &Product, sizes: &Sizes) -> [i64; 4] {
    let mut out = [1i64; 4];
    for s in &p.spans {
        let moves = |x: &Option<Size>| x.as_ref().is_some_and(|s| value(s, sizes) != 0);
        let place = match (moves(&s.a), moves(&s.b), moves(&s.out)) {
            (true, true, true) => 0,
            (true, false, true) => 1,
            (_, _, false) => 2,
            (false, _, true) => 3,
        };
        out[place] = out[place].saturating_mul(value(&s.size, sizes).max(0));
    }
    out
}

fn flops(step: &Step, sizes: &Sizes) -> Option<f64> {
    let of = |p: &Product| Some(2.0 * p.spans.iter().map(|s| value(&s.size, sizes).max(0) as f64).product::<f64>());
    match step {
        Step::Product(p) => of(p),
        Step::Grouped(g) => of(&g.product),
        Step::Segments(s) => of(&s.product),
        Step::Kernel(_)
        | Step::Order { .. }
        | Step::Scan { .. }
        | Step::Assign { .. }
        | Step::Scatter { .. }
        | Step::Random { .. }
        | Step::Rounds(_) => None,
    }
}

fn what(step: &Step, sizes: &Sizes) -> String {
    let times = |list: &[String]| if list.is_empty() { "1".into() } else { list.join(" × ") };
    let shape = |list: &[Size]| times(&list.iter().map(|s| value(s, sizes).to_string()).collect::<Vec<_>>());
    let product = |word: &str, p: &Product| {
        let [several, rows, sums, columns] = roles(p, sizes);
        let several = if several == 1 { String::new() } else { format!("{several} of ") };
        format!("{word} {several}{rows} × {sums} × {columns}")
    };
    let kernel = |k: &Kernel| {
        let loops: Vec<String> = k.loops.iter().map(|l| value(&l.size, sizes).to_string()).collect();
        let inner = if k.outer < k.loops.len() { format!(" over {}", times(&loops[k.outer..])) } else { String::new() };
        format!("{}{inner}", times(&loops[..k.outer]))
    };
    match step {
        Step::Kernel(k) => kernel(k),
        Step::Product(p) => product("product", p),
        Step::Grouped(g) => format!("{} by {} matrices", product("product", &g.product), value(&g.count, sizes)),
        Step::Segments(s) => format!("{} in {} groups", product("product", &s.product), value(&s.count, sizes)),
        Step::Order { input, .. } | Step::Scan { input, .. } | Step::Assign { input, .. } => shape(&input.shape),
        Step::Scatter { value, .. } => shape(&value.shape),
        Step::Random { .. } => "drawn".into(),
        Step::Rounds(r) => format!("{} rounds", value(&r.trips, sizes)),
    }
}
