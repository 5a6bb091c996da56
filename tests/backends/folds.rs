//! Folds of any length and functions of any number: NaN and infinities, ties, constants at the ends of f32, digits.
//!
//! The expected values are worked out here, in f64.

use crate::common::make::{B, F, I, Make, k, n};
use crate::suite::{Case, Way, in_order, targets};
use hnet::ir::{Data, Fold, Map, NodeId, Op, Origin};

const SIZES: [usize; 8] = [0, 1, 63, 64, 65, 4099, 70_000, 200_001];
const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;

fn given(m: &mut Make, data: &[f32]) -> NodeId {
    m.input_as(Origin::Input, &[k(data.len())], Data::F32(data.to_vec()))
}

/// The fold of f32 as it is meant: NaN wins, the first of the best.
fn best(x: &[f32], larger: bool) -> (f32, i32) {
    let mut out = (if larger { -INF } else { INF }, 0);
    for (i, v) in x.iter().enumerate() {
        let better = if larger { *v > out.0 } else { *v < out.0 };
        if !out.0.is_nan() && (better || v.is_nan()) {
            out = (*v, i as i32);
        }
    }
    out
}

/// The best of whole numbers, and where it is.
fn best_whole(x: &[i32], larger: bool) -> (i32, i32) {
    let mut out = (if larger { i32::MIN } else { i32::MAX }, 0);
    for (i, v) in x.iter().enumerate() {
        if if larger { *v > out.0 } else { *v < out.0 } {
            out = (*v, i as i32);
        }
    }
    out
}

/// Folds of every kind and length, with NaN nowhere, somewhere and last, ties, nothing but infinities.
#[test]
fn long_folds_mean_what_short_ones_mean() {
    for (size, case) in SIZES.into_iter().flat_map(|size| (0..4).map(move |case| (size, case))) {
        let mut x: Vec<f32> = (0..2 * size).map(|i| ((i * 7919) % 1013) as f32 - 500.0).collect();
        match case {
            1 if size > 0 => (x[size / 2], x[size - 1]) = (NAN, NAN),
            2 => x.fill(-INF),
            3 => x.fill(INF),
            _ => {}
        }
        let yes: Vec<u8> = (0..size).map(|i| u8::from(case == 1 || case == 2 && i + 1 == size)).collect();
        let whole: Vec<i32> = (0..size).map(|i| (i * 7919 % 1013) as i32 - 2000).collect();
        let mut m = Make::new(size);
        let rows = m.input_as(Origin::Input, &[k(2), n()], Data::F32(x.clone()));
        let bits = m.input_as(Origin::Input, &[n()], Data::Bool(yes.clone()));
        let ints = m.input_as(Origin::Input, &[n()], Data::I32(whole.clone()));
        let twice = m.add(Op::Map(Map::Add), F, &[k(2), n()], &[], &[(rows, &[0, 1]), (rows, &[0, 1])]);
        let (mut nodes, mut wants) = (Vec::new(), Vec::new());
        for f in [Fold::Max, Fold::Min, Fold::Argmax, Fold::Argmin] {
            let (larger, counted) = (matches!(f, Fold::Max | Fold::Argmax), matches!(f, Fold::Argmax | Fold::Argmin));
            let of = if counted { I } else { F };
            nodes.push(m.add(Op::Fold(f), of, &[k(2)], &[n()], &[(rows, &[0, 1])]));
            nodes.push(m.add(Op::Fold(f), of, &[k(2)], &[n()], &[(twice, &[0, 1])]));
            nodes.push(m.add(Op::Fold(f), I, &[], &[n()], &[(ints, &[0])]));
            let both = [0, 1].map(|row| best(&x[row * size..(row + 1) * size], larger));
            for times in [1.0, 2.0] {
                wants.push(both.map(|(value, place)| if counted { place.into() } else { times * f64::from(value) }).to_vec());
            }
            let (value, place) = best_whole(&whole, larger);
            wants.push(vec![f64::from(if counted { place } else { value })]);
        }
        nodes.push(m.add(Op::Fold(Fold::Any), B, &[], &[n()], &[(bits, &[0])]));
        nodes.push(m.add(Op::Fold(Fold::All), B, &[], &[n()], &[(bits, &[0])]));
        nodes.push(m.add(Op::Fold(Fold::Sum), I, &[], &[n()], &[(ints, &[0])]));
        wants.push(vec![f64::from(u8::from(yes.contains(&1)))]);
        wants.push(vec![f64::from(u8::from(!yes.contains(&0)))]);
        wants.push(vec![whole.iter().map(|v| f64::from(*v)).sum()]);
        let wants = in_order(wants.iter().map(|w| targets(w)).collect());
        Case::made(&format!("folds, case {case}"), &m, &nodes).meets(0.0, &wants);
    }
}

/// Every value beside every value.
fn pairs() -> (Vec<f32>, Vec<f32>) {
    let all = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 3.0, -3.0, 1e30, INF, -INF, NAN];
    let pair = |i: usize| (all[i / all.len()], all[i % all.len()]);
    (0..all.len() * all.len()).map(pair).unzip()
}

#[test]
fn numbers_that_are_none_stay_so() {
    let (x, y) = pairs();
    let count = x.len();
    let two: [(Map, fn(f32, f32) -> f32); 5] = [
        (Map::Max, |a, b| if a.is_nan() || b.is_nan() { NAN } else { a.max(b) }),
        (Map::Min, |a, b| if a.is_nan() || b.is_nan() { NAN } else { a.min(b) }),
        (Map::Pow, f32::powf),
        (Map::Div, |a, b| a / b),
        (Map::Add, |a, b| a + b),
    ];
    let compare: [(Map, fn(f32, f32) -> bool); 4] =
        [(Map::Eq, |a, b| a == b), (Map::Ne, |a, b| a != b), (Map::Lt, |a, b| a < b), (Map::Le, |a, b| a <= b)];
    let one: [(Map, fn(f32) -> f32); 5] = [
        (Map::Sign, |a| {
            if a > 0.0 {
                1.0
            } else if a < 0.0 {
                -1.0
            } else {
                a
            }
        }),
        (Map::Sqrt, f32::sqrt),
        (Map::Exp, f32::exp),
        (Map::Log, f32::ln),
        (Map::Abs, f32::abs),
    ];
    let mut m = Make::new(1);
    let wanted = {
        let m = &mut m;
        let (a, b) = (given(m, &x), given(m, &y));
        let shape = [k(count)];
        let mut out: Vec<NodeId> = two.iter().map(|(f, _)| m.add(Op::Map(*f), F, &shape, &[], &[(a, &[0]), (b, &[0])])).collect();
        out.extend(compare.iter().map(|(f, _)| m.add(Op::Map(*f), B, &shape, &[], &[(a, &[0]), (b, &[0])])).collect::<Vec<_>>());
        // With itself: compilers think that they know.
        out.extend(compare.iter().map(|(f, _)| m.add(Op::Map(*f), B, &shape, &[], &[(a, &[0]), (a, &[0])])).collect::<Vec<_>>());
        out.extend(one.iter().map(|(f, _)| m.add(Op::Map(*f), F, &shape, &[], &[(a, &[0])])).collect::<Vec<_>>());
        out.push(m.add(Op::Map(Map::ToI32), I, &shape, &[], &[(a, &[0])]));
        // By a constant, as in relu and in clamp, from either side.
        let zero = m.add(Op::Const(0.0), F, &[], &[], &[]);
        out.push(m.add(Op::Map(Map::Max), F, &shape, &[], &[(a, &[0]), (zero, &[])]));
        out.push(m.add(Op::Map(Map::Max), F, &shape, &[], &[(zero, &[]), (a, &[0])]));
        // What compilers take for 0 and 1.
        out.push(m.add(Op::Map(Map::Mul), F, &shape, &[], &[(zero, &[]), (a, &[0])]));
        out.push(m.add(Op::Map(Map::Sub), F, &shape, &[], &[(a, &[0]), (a, &[0])]));
        out.push(m.add(Op::Map(Map::Div), F, &shape, &[], &[(a, &[0]), (a, &[0])]));
        out
    };
    let relu = |a: f32| if a.is_nan() { a } else { a.max(0.0) };
    Case::made("special values", &m, &wanted).each(|way, got| {
        for i in 0..count {
            let (a, b) = (x[i], y[i]);
            let mut want: Vec<(String, f64)> =
                two.iter().map(|(m, f)| (format!("{m:?}({a}, {b})"), f64::from(f(a, b)))).collect();
            let truth = |f: &fn(f32, f32) -> bool, b| f64::from(u8::from(f(a, b)));
            want.extend(compare.iter().map(|(m, f)| (format!("{m:?}({a}, {b})"), truth(f, b))));
            want.extend(compare.iter().map(|(m, f)| (format!("{m:?}({a}, itself)"), truth(f, a))));
            want.extend(one.iter().map(|(m, f)| (format!("{m:?}({a})"), f64::from(f(a)))));
            want.push((format!("whole({a})"), f64::from(if a.is_nan() { i32::MIN } else { a as i32 })));
            want.push((format!("max({a}, 0)"), f64::from(relu(a))));
            want.push((format!("max(0, {a})"), f64::from(relu(a))));
            want.push((format!("0 * {a}"), f64::from(0.0 * a)));
            want.push((format!("{a} less itself"), if a.is_finite() { 0.0 } else { f64::NAN }));
            want.push((format!("{a} over itself"), if a.is_finite() && a != 0.0 { 1.0 } else { f64::NAN }));
            assert_eq!(got.len(), want.len());
            for (t, (what, w)) in got.iter().zip(want) {
                let g = t.get(i);
                // f64 has numbers beyond f32.
                let g = if way == Way::Interpreter { f64::from(g as f32) } else { g };
                let near = g == w || g.is_nan() && w.is_nan() || (g - w).abs() <= 1e-6 * w.abs();
                assert!(near, "{what} is {g} instead of {w} ({way:?})");
            }
        }
    });
}

#[test]
fn functions_keep_their_digits() {
    let x: Vec<f32> = (0..40_001).map(|i| (i as f32 - 20_000.0) * 0.0043).collect();
    let all: [(Map, fn(f64) -> f64); 5] = [
        (Map::Exp, f64::exp),
        (Map::Log, f64::ln),
        (Map::Tanh, f64::tanh),
        (Map::Sigmoid, |v| 1.0 / (1.0 + (-v).exp())),
        (Map::Softplus, |v| v.max(0.0) + (-v.abs()).exp().ln_1p()),
    ];
    let mut m = Make::new(1);
    let a = given(&mut m, &x);
    let wanted = all.map(|f| m.add(Op::Map(f.0), F, &[k(x.len())], &[], &[(a, &[0])]));
    let wants = all.map(|(_, f)| targets(&x.iter().map(|v| f(f64::from(*v))).collect::<Vec<_>>()));
    Case::made("functions", &m, &wanted).meets(1e-6, &in_order(wants.to_vec()));
}

#[test]
fn constants_at_the_ends() {
    let all = [f32::MAX, -f32::MAX, f32::MIN_POSITIVE, -f32::MIN_POSITIVE, -0.0, 3.402_823e38, 1.0 / 3.0, INF, -INF, NAN];
    let mut m = Make::new(3);
    let x = m.f(&[n()]);
    let seven = m.add(Op::Const(7.0), F, &[], &[], &[]);
    let never = m.add(Op::Map(Map::Lt), B, &[n()], &[], &[(x, &[0]), (x, &[0])]);
    let wanted = all.map(|c| {
        let c = m.add(Op::Const(f64::from(c)), F, &[], &[], &[]);
        m.add(Op::Map(Map::Select), F, &[n()], &[], &[(never, &[0]), (seven, &[]), (c, &[])])
    });
    Case::made("constants", &m, &wanted).each(|way, got| {
        for (c, t) in all.iter().zip(got) {
            let same = |x: f64| (x as f32).to_bits() == c.to_bits() || x.is_nan() && c.is_nan();
            assert!(t.to_f64().into_iter().all(same), "{c} comes back as {t:?} ({way:?})");
        }
    });
}
