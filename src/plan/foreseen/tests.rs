//! What is foreseen grows as the work grows, and is what its parts are.

use super::foreseen;
use crate::ir::read::read;
use crate::plan::{self, Sizes, Step};

/// Nanoseconds of each step of all outputs of a graph, and the steps.
fn of(text: &str, sizes: &[(&str, i64)]) -> (Vec<Option<f64>>, Vec<Step>) {
    let graph = read(text).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    let wanted: Vec<_> = graph.outputs.iter().map(|o| o.node).collect();
    let sizes: Sizes = sizes.iter().map(|(name, n)| ((*name).into(), *n)).collect();
    let plan = plan::plan(&graph, &wanted, &sizes).unwrap();
    (foreseen(&plan, &sizes), plan.steps)
}

fn whole(text: &str, b: i64) -> f64 {
    of(text, &[("b", b)]).0.into_iter().map(|ns| ns.expect("a step of which something is known")).sum()
}

const PRODUCT: &str = "%0: f32[b, i=256] = input \"x\"
%1: f32[i=256, o=256] = param \"w\"
%2: f32[b, o=256] = sum(i=256) %0[b, i] * %1[i, o]
output y = %2
";

const DEAR: &str = "%0: f32[b, i=256] = input \"x\"
%1: f32[b, i=256] = tanh %0[b, i]
output y = %1
";

const PLAIN: &str = "%0: f32[b, i=256] = input \"x\"
%1: f32[b, i=256] = neg %0[b, i]
output y = %1
";

#[test]
fn twice_the_work_takes_about_twice_as_long() {
    for text in [PRODUCT, DEAR, PLAIN] {
        for b in [64, 100, 1000, 5000] {
            let (once, twice) = (whole(text, b), whole(text, 2 * b));
            // A level of memory may lie between the two.
            assert!((1.5..6.0).contains(&(twice / once)), "{b}: {once} {twice}\n{text}");
        }
        assert!(whole(text, 1) < whole(text, 1000) && whole(text, 0) > 0.0);
    }
    // A multiplication is at least what it costs on this machine, and a function more than none.
    let prices = plan::Prices::generic();
    assert!(whole(PRODUCT, 512) >= prices.multiply(512.0 * 256.0 * 256.0));
    assert!(whole(PRODUCT, 512) < 2.0 * prices.multiply(512.0 * 256.0 * 256.0));
    assert!(whole(DEAR, 1000) > 1.5 * whole(PLAIN, 1000));
}

#[test]
fn a_loop_takes_what_its_rounds_take() {
    let text = |trips: usize| {
        format!(
            "%0: f32[b] = input \"x\"
%1: f32 = loop {trips} carry 1 yield 1 %0 {{
  %0: f32[b] = arg 1
  %1: f32[b] = exp %0[b]
  output c = %1
  output y = %1
}}
%2: f32[b] = result 0 %1
output y = %2
"
        )
    };
    let loops = |trips: usize| {
        let (times, steps) = of(&text(trips), &[("b", 900)]);
        let at = steps.iter().position(|s| matches!(s, Step::Rounds(_))).expect("a loop");
        times[at].expect("a loop of so many rounds")
    };
    assert_eq!(loops(0), 0.0);
    assert!(loops(1) > 0.0 && (loops(30) / loops(10) - 3.0).abs() < 1e-9);
}
