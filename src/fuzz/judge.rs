//! Whether values are as right as their arithmetic can be.
//!
//! In: the graphs that mean them (as it was made; as the passes left it), what they are run on, what the interpreter says, what was
//! found. Out: nothing, or the first element that is wrong. A value that agrees to a few units in f32's last place is right. For
//! others the yardstick is the computation itself: everything that is rounded, also in the rounds of loops, is moved as little as f32
//! may move it ([`shaken`]), several times, and a value may be a few times as far off as the interpreter's values then spread. So a
//! difference of two equal sums has the scale of the sums, a choice that rounding decides may be decided otherwise, and a small
//! value that nothing cancels has to be right in all its digits.

use super::shake::{regrouped, shaken, undecided};
use super::values::nudged;
use crate::ir::interp::evaluate;
use crate::ir::{Bindings, DType, Graph, NodeId, Op, Tensor};
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How exact a computation is.
#[derive(Clone, Copy, Debug)]
pub struct Exact {
    /// What is right without a further look, relative to itself.
    near: f64,
    /// How many times as far as values spread when f32's rounding is moved.
    reach: f64,
    /// A driver's compiler may take a factor out of a sum, and what is near f32's largest leaves it on the way.
    regroups: bool,
}

/// f64, in another order.
pub const F64: Exact = Exact { near: 1e-9, reach: 1e-3, regroups: false };
/// f32.
pub const F32: Exact = Exact { near: 4e-6, reach: 8.0, regroups: false };

/// f32 with the functions of a shader, which are allowed a few more units.
pub const SHADERS: Exact = Exact { near: 2e-5, reach: 64.0, regroups: true };

/// How often all is moved: where hundreds of elements hang on whether a number is below 1 (`floor(tanh(x))`), twelve times left one of them where it
/// was.
const SHAKES: u64 = 24;

/// An element that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Wrong {
    pub output: usize,
    pub element: usize,
    pub found: f64,
    pub wanted: f64,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "output {} is {:?} at {}, not {:?}", self.output, self.found, self.element, self.wanted)
    }
}

/// An element that has yet to be explained, and how far it may be off.
struct Open {
    wrong: Wrong,
    near: f64,
    spread: f64,
}

/// What the graphs give where all is moved: computed as far as somebody asks, and kept, for it does not hang on what was found. One belongs to certain
/// graphs and bindings.
#[derive(Default)]
pub struct Moved {
    settled: OnceCell<Bindings>,
    /// By how it is moved, by seed and graph; none where the interpreter refuses it.
    known: RefCell<BTreeMap<(How, u64, usize), Option<Rc<Vec<Tensor>>>>>,
}

/// How a graph is moved.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    /// All that f32 rounds.
    Rounded,
    /// Likewise, where what is near f32's largest is beyond it.
    Regrouped,
    /// Sums that are not decided.
    Undecided,
}

/// Elements of results that are kept.
const KEPT: usize = 1 << 20;

impl Moved {
    fn settled(&self, graphs: &[&Graph], bindings: &Bindings) -> &Bindings {
        self.settled.get_or_init(|| settled(graphs[0], bindings))
    }

    fn of(&self, graphs: &[&Graph], n: usize, how: How, k: u64, bindings: &Bindings) -> Option<Rc<Vec<Tensor>>> {
        if let Some(known) = self.known.borrow().get(&(how, k, n)) {
            return known.clone();
        }
        let settled = self.settled(graphs, bindings);
        let (mut other, given) = match how {
            // What is given is f32's own; it is moved in some of the rounds, for what it stands for.
            How::Rounded if (k / 4).is_multiple_of(2) => (shaken(graphs[n], k), nudged(settled, k)),
            How::Rounded => (shaken(graphs[n], k), settled.clone()),
            How::Regrouped => (regrouped(graphs[n], k), settled.clone()),
            How::Undecided => (undecided(graphs[n], k), settled.clone()),
        };
        other.measured.clear();
        let wanted: Vec<NodeId> = other.outputs.iter().map(|o| o.node).collect();
        let made = evaluate(&other, &given, &wanted).ok().map(Rc::new);
        if made.as_ref().is_none_or(|all| all.iter().map(Tensor::len).sum::<usize>() <= KEPT) {
            self.known.borrow_mut().insert((how, k, n), made.clone());
        }
        made
    }
}

/// Compares `found` with `values`, both of all outputs and of the same shapes. The graphs have the same outputs.
/// The result tells whether rounding had to explain something.
pub fn judge(graphs: &[&Graph], bindings: &Bindings, values: &[Tensor], found: &[Tensor], exact: Exact) -> Result<bool, Wrong> {
    judge_again(&Moved::default(), graphs, bindings, values, found, exact)
}

/// Likewise, with what was computed for others that were found of the same graphs and bindings.
pub fn judge_again(
    moved: &Moved,
    graphs: &[&Graph],
    bindings: &Bindings,
    values: &[Tensor],
    found: &[Tensor],
    exact: Exact,
) -> Result<bool, Wrong> {
    let factored = graphs.iter().any(|g| has_factors(g));
    let mut open = Vec::new();
    for (output, (got, want)) in found.iter().zip(values).enumerate() {
        for element in 0..want.len() {
            let (x, y) = (got.get(element), want.get(element));
            // Whole numbers and truths do not round.
            let close = if want.dtype() == DType::F32 { exact.near } else { 0.0 };
            if !(near(x, y, close) || factored && is_undecided(x, y)) {
                open.push(Open { wrong: Wrong { output, element, found: x, wanted: y }, near: close, spread: 0.0 });
            }
        }
    }
    if open.is_empty() {
        return Ok(false);
    }
    // What hangs on sums that are not decided may be anything.
    let hows = [
        (How::Rounded, SHAKES),
        (How::Regrouped, if exact.regroups { 1 } else { 0 }),
        (How::Undecided, if factored { SHAKES } else { 0 }),
    ];
    for (how, k) in hows.into_iter().flat_map(|(how, times)| (0..times).map(move |k| (how, k))) {
        for n in 0..graphs.len() {
            let Some(made) = moved.of(graphs, n, how, k, bindings) else { continue };
            for o in &mut open {
                let (Wrong { output, element, wanted, .. }, Some(t)) = (&o.wrong, made.get(o.wrong.output)) else { continue };
                o.spread = match how {
                    How::Rounded | How::Regrouped => o.spread.max(apart(t.get(*element), *wanted)),
                    How::Undecided if t.shape != values[*output].shape || !near(t.get(*element), *wanted, F64.near) => {
                        f64::INFINITY
                    }
                    How::Undecided => o.spread,
                };
            }
        }
        open.retain(|o| !is_explained(o, exact));
        if open.is_empty() {
            return Ok(true);
        }
    }
    Err(open.swap_remove(0).wrong)
}

/// The same with the sizes that values decide: they are the interpreter's on every backend, and no rounding moves them.
fn settled(graph: &Graph, bindings: &Bindings) -> Bindings {
    let reach = graph.reachable(graph.outputs.iter().map(|o| o.node));
    let measured: Vec<_> = graph.measured.iter().filter(|(_, n)| reach[n.index()]).collect();
    let nodes: Vec<NodeId> = measured.iter().map(|(_, n)| *n).collect();
    let mut out = bindings.clone();
    let values = evaluate(graph, bindings, &nodes).unwrap_or_default();
    let lengths = values.iter().map(|t| (libm::rint(t.get(0)) as i64).max(0));
    out.sizes.extend(measured.iter().map(|(s, _)| s.clone()).zip(lengths));
    out
}

/// How far values are apart; without end where one of them is no number.
fn apart(x: f64, y: f64) -> f64 {
    if x == y || (x.is_nan() && y.is_nan()) { 0.0 } else { Some((x - y).abs()).filter(|d| !d.is_nan()).unwrap_or(f64::INFINITY) }
}

fn near(x: f64, y: f64, limit: f64) -> bool {
    let beyond = y.is_finite() && y.abs() > f64::from(f32::MAX) * (1.0 - limit);
    x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= limit * y.abs() || (beyond && x.is_infinite() && (x > 0.0) == (y > 0.0))
        // The least steps of f32 are coarse.
        || (x - y).abs() <= 3e-45
}

/// A product taken factor by factor may be NaN where it is infinite taken at once, and the other way round.
fn is_undecided(x: f64, y: f64) -> bool {
    !x.is_finite() && !y.is_finite()
}

fn is_explained(o: &Open, exact: Exact) -> bool {
    let Wrong { found, wanted, .. } = o.wrong;
    // What spreads without end may be anything.
    o.spread == f64::INFINITY || (found - wanted).abs() <= exact.reach * o.spread + o.near * wanted.abs()
}

/// Whether anything is a sum of products, which may be taken in parts or multiplied out.
fn has_factors(graph: &Graph) -> bool {
    graph.ids().any(|id| match &graph.node(id).op {
        Op::Contract => graph.operands(id).len() > 1,
        Op::Loop(body) => has_factors(&body.graph),
        Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Map(_) | Op::Fold(_) => false,
        Op::Gather { .. } | Op::Scatter { .. } | Op::Concat { .. } | Op::Reshape | Op::Order { .. } | Op::Scan { .. } => false,
        Op::Assign | Op::Inside(_) | Op::Result(_) | Op::Arg(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;
    use crate::ir::read::read;

    fn verdict(text: &str, x: &[f32], found: &[f32]) -> Result<bool, Wrong> {
        verdict_of(text, x, found, F32)
    }

    fn verdict_of(text: &str, x: &[f32], found: &[f32], exact: Exact) -> Result<bool, Wrong> {
        let graph = read(text).unwrap();
        let mut bindings = Bindings::default();
        bindings.sources.insert("x".into(), Tensor::new(vec![x.len()], Data::F32(x.to_vec())));
        let wanted: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
        let values = evaluate(&graph, &bindings, &wanted).unwrap();
        let found = [Tensor::new(values[0].shape.clone(), Data::F32(found.to_vec()))];
        judge(&[&graph], &bindings, &values, &found, exact)
    }

    const SCALED: &str = "%0: f32[i=2] = input \"x\"\n%1: f32 = const 0.000001\n%2: f32[i=2] = mul %0[i], %1\noutput y = %2\n";
    const LESS: &str = "%0: f32[i=2] = input \"x\"\n%1: f32[i=2] = exp %0[i]\n%2: f32 = fold sum(i=2) %1[i]\n%3: f32[i=2] = exp %0[i]\n\
                        %4: f32 = fold sum(i=2) %3[i]\n%5: f32 = sub %2, %4\noutput y = %5\n";

    #[test]
    fn a_small_value_that_is_wrong_is_wrong() {
        assert_eq!(verdict(SCALED, &[1.0, 3.0], &[1e-6, 3e-6]), Ok(false));
        assert!(verdict(SCALED, &[1.0, 3.0], &[1e-6, 3.001e-6]).is_err());
        assert!(verdict(SCALED, &[1.0, 3.0], &[0.0, 3e-6]).is_err());
        assert!(verdict(SCALED, &[1.0, 3.0], &[f32::NAN, 3e-6]).is_err());
    }

    #[test]
    fn a_difference_has_the_scale_of_what_cancels() {
        assert_eq!(verdict(LESS, &[1.3, 3.1], &[2e-6]), Ok(true));
        assert!(verdict(LESS, &[1.3, 3.1], &[1e-2]).is_err());
    }

    #[test]
    fn a_sum_has_the_scale_of_its_terms() {
        // Once the terms, once their negatives: what is left of both sums is rounded by what the terms are.
        let text = "%0: f32[i=3] = input \"x\"\n%1: f32[i=3] = exp %0[i]\n%2: f32[i=3] = neg %1[i]\n%3: f32 = fold sum(i=3) %1[i]\n\
                    %4: f32 = fold sum(i=3) %2[i]\n%5: f32 = add %3, %4\noutput y = %5\n";
        assert_eq!(verdict(text, &[5.3, 3.1, 0.7], &[2e-5]), Ok(true));
        assert!(verdict(text, &[5.3, 3.1, 0.7], &[1e-2]).is_err());
    }

    #[test]
    fn what_leaves_f32_on_the_way_may_be_anything_there() {
        let text = "%0: f32[i=2] = input \"x\"\n%1: f32[i=2] = mul %0[i], %0[i]\n%2: f32 = const 0\n%3: f32[i=2] = mul %1[i], %2\n\
                    output y = %3\n";
        assert_eq!(verdict(text, &[3e38, 1.0], &[f32::NAN, 0.0]), Ok(true));
        assert!(verdict(text, &[3e38, 1.0], &[0.0, f32::NAN]).is_err());
        // Of a number that large f32 does not even know the whole ones.
        let turned = "%0: f32[i=2] = input \"x\"\n%1: f32 = const 1.0625\n%2: f32[i=2] = div %0[i], %1\n%3: f32[i=2] = sin %2[i]\n\
                      output y = %3\n";
        assert_eq!(verdict(turned, &[3e38, 0.0], &[-0.98, 0.0]), Ok(true));
    }

    #[test]
    fn a_driver_may_take_a_factor_out_of_a_sum() {
        let text = "%0: f32[i=2] = input \"x\"\n%1: f32 = const 0.5\n%2: f32[i=2] = mul %0[i], %1\n%3: f32[i=2] = add %2[i], %2[i]\n\
                    output y = %3\n";
        assert!(verdict(text, &[3e38, 1.0], &[f32::INFINITY, 1.0]).is_err());
        assert_eq!(verdict_of(text, &[3e38, 1.0], &[f32::INFINITY, 1.0], SHADERS), Ok(true));
        assert!(verdict_of(text, &[3e37, 1.0], &[f32::INFINITY, 1.0], SHADERS).is_err());
        assert!(verdict_of(text, &[3e38, 1.0], &[3e38, f32::INFINITY], SHADERS).is_err());
    }

    #[test]
    fn which_of_two_undecided_sums_is_larger_is_not_decided() {
        let text = "%0: f32[i=2] = input \"x\"\n%1: f32[i=2, j=2] = input \"w\"\n%2: f32[j=2] = sum(i=2) %0[i] * %1[i, j]\n\
                    %3: i32 = fold argmax(j=2) %2[j]\noutput y = %3\n";
        let graph = read(text).unwrap();
        let mut bindings = Bindings::default();
        let w = vec![f32::INFINITY, f32::INFINITY, 1.0, f32::INFINITY];
        bindings.sources.insert("x".into(), Tensor::new(vec![2], Data::F32(vec![1.0, 1.0])));
        bindings.sources.insert("w".into(), Tensor::new(vec![2, 2], Data::F32(w)));
        let wanted: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
        let values = evaluate(&graph, &bindings, &wanted).unwrap();
        let found = [Tensor::new(vec![], Data::I32(vec![1]))];
        assert_eq!(judge(&[&graph], &bindings, &values, &found, F64), Ok(true));
    }

    #[test]
    fn a_sum_with_a_term_that_is_nan_is_nan() {
        let text = "%0: f32[i=2] = input \"x\"\n%1: f32 = sum(i=2) %0[i]\noutput y = %1\n";
        assert_eq!(verdict(text, &[f32::NAN, 1.0], &[f32::NAN]), Ok(false));
        assert!(verdict(text, &[f32::NAN, 1.0], &[1.0]).is_err());
        // Terms that leave f32 in one order and not in another are undecided.
        assert_eq!(verdict(text, &[3e38, 3e38], &[f32::NAN]), Ok(true));
    }

    #[test]
    fn a_sum_that_is_zero_has_either_sign() {
        let text =
            "%0: f32[i=2] = input \"x\"\n%1: f32 = const -1\n%2: f32 = sum(i=2) %0[i]\n%3: f32 = atan2 %2, %1\noutput y = %3\n";
        let pi = std::f32::consts::PI;
        assert_eq!(verdict(text, &[0.5, -0.5], &[pi]), Ok(false));
        assert_eq!(verdict(text, &[0.5, -0.5], &[-pi]), Ok(true));
        assert!(verdict(text, &[0.5, 0.5], &[-2.356_194_5]).is_err());
    }

    #[test]
    fn infinities_and_nan_are_told_apart() {
        assert!(verdict(SCALED, &[f32::INFINITY, f32::NAN], &[f32::INFINITY, f32::NAN]).is_ok());
        assert!(verdict(SCALED, &[f32::INFINITY, f32::NAN], &[f32::NAN, f32::NAN]).is_err());
        assert!(verdict(SCALED, &[f32::INFINITY, f32::NAN], &[f32::INFINITY, 0.0]).is_err());
    }
}
