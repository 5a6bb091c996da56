//! What numbers come out of a device: NaN and infinities, sums of very many terms, angles of any size, constants at the ends of f32.
//!
//! The expected values are worked out here, in f64.

use crate::common::device;
use crate::common::make::{B, F, I, Make, k, n};
use hnet::exec::Engine;
use hnet::gpu;
use hnet::ir::{Data, Fold, Map, NodeId, Op, Origin, Tensor};

const SIZES: [usize; 8] = [0, 1, 63, 64, 65, 4099, 70_000, 200_001];
const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;

/// Runs what `make` gives on the device, twice.
fn run(what: &str, free: usize, make: impl Fn(&mut Make) -> Vec<NodeId>) -> Option<Vec<Tensor>> {
    let device = device(what)?;
    let mut m = Make::new(free);
    let wanted = make(&mut m);
    let mut engine = Engine::gpu_unoptimized(&device, &m.graph, &wanted, gpu::Options::default());
    let got = engine.run(&m.bindings).unwrap_or_else(|d| panic!("{what}, size {free}: {}", d.message));
    let again = engine.run(&m.bindings).unwrap();
    let bits = |t: &[Tensor]| t.iter().map(|t| t.data.words()).collect::<Vec<_>>();
    assert!(bits(&again) == bits(&got), "{what}, size {free}: another result the second time");
    Some(got)
}

fn given(m: &mut Make, data: &[f32]) -> NodeId {
    m.input_as(Origin::Input, &[k(data.len())], Data::F32(data.to_vec()))
}

/// A value with the magnitudes of all that was added up to it.
type Summed = (f64, f64);

fn sum(terms: impl IntoIterator<Item = f64>) -> Summed {
    terms.into_iter().fold((0.0, 0.0), |(s, a), x| (s + x, a + x.abs()))
}

/// Sums are right to 1e-6 of what was added up.
fn summed(what: &str, got: &Tensor, want: &[Summed]) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (w, all)) in want.iter().enumerate() {
        let x = got.get(i);
        assert!((x - w).abs() <= 1e-6 * all, "{what}: {x} at {i} instead of {w}, {:.1e} of {all}", (x - w).abs() / all);
    }
}

/// Values of both kinds: all the same, which round the same way each time, and scattered ones of one sign or of two.
fn values(kind: usize, count: usize) -> Vec<f32> {
    let at = |i: usize| ((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1 << 24) as f32;
    (0..count)
        .map(|i| match kind {
            0 => 0.1,
            1 => at(i),
            _ => at(i) - 0.5,
        })
        .collect()
}

#[test]
fn sums_keep_their_digits() {
    for (size, kind) in SIZES.into_iter().chain([1_000_000]).flat_map(|s| (0..3).map(move |k| (s, k))) {
        let x = values(kind, 3 * size);
        let got = run("sums", size, |m| {
            let x = m.input_as(Origin::Input, &[n(), k(3)], Data::F32(x.clone()));
            let sum = |m: &mut Make, shape: &[hnet::ir::Size], inner: &[hnet::ir::Size], at: &[usize]| {
                m.add(Op::Fold(Fold::Sum), F, shape, inner, &[(x, at)])
            };
            let square = m.add(Op::Contract, F, &[], &[n(), k(3)], &[(x, &[0, 1]), (x, &[0, 1])]);
            vec![sum(m, &[], &[n(), k(3)], &[0, 1]), sum(m, &[k(3)], &[n()], &[1, 0]), sum(m, &[n()], &[k(3)], &[0, 1]), square]
        });
        let Some(got) = got else { return };
        let f = |i: usize| f64::from(x[i]);
        let what = format!("size {size}, values {kind}");
        summed(&format!("all, {what}"), &got[0], &[sum((0..3 * size).map(f))]);
        let columns: Vec<Summed> = (0..3).map(|c| sum((0..size).map(|r| f(3 * r + c)))).collect();
        summed(&format!("columns, {what}"), &got[1], &columns);
        let rows: Vec<Summed> = (0..size).map(|r| sum((0..3).map(|c| f(3 * r + c)))).collect();
        summed(&format!("rows, {what}"), &got[2], &rows);
        summed(&format!("squares, {what}"), &got[3], &[sum((0..3 * size).map(|i| f(i) * f(i)))]);
    }
}

/// One row, few and many, by a product with few columns and in tiles.
#[test]
fn products_with_long_sums_keep_their_digits() {
    for (size, rows, columns) in
        [(65, 20, 20), (300, 70, 40), (4099, 20, 30), (4099, 1, 3), (70_000, 17, 16), (70_000, 2, 1), (5000, 40, 2)]
    {
        for kind in 0..2 {
            let (a, b) = (values(kind, rows * size), values(2 * kind, size * columns));
            let got = run("products", size, |m| {
                let a = m.input_as(Origin::Input, &[k(rows), n()], Data::F32(a.clone()));
                let b = m.input_as(Origin::Input, &[n(), k(columns)], Data::F32(b.clone()));
                let y = m.add(Op::Contract, F, &[k(rows), k(columns)], &[n()], &[(a, &[0, 2]), (b, &[2, 1])]);
                vec![y, m.add(Op::Map(Map::Neg), F, &[k(rows), k(columns)], &[], &[(y, &[0, 1])])]
            });
            let Some(got) = got else { return };
            let f = |i: usize| {
                let (r, c) = (i / columns, i % columns);
                sum((0..size).map(|j| f64::from(a[r * size + j]) * f64::from(b[j * columns + c])))
            };
            let want: Vec<Summed> = (0..rows * columns).map(f).collect();
            let what = format!("{rows} by {size} by {columns}, values {kind}");
            summed(&what, &got[0], &want);
            summed(&format!("{what}, negated"), &got[1], &want.iter().map(|w| (-w.0, w.1)).collect::<Vec<_>>());
        }
    }
}

#[test]
fn running_sums_keep_their_digits() {
    for (rows, along) in [(0, 3), (5000, 1), (5000, 3), (1000, 17), (70, 64), (70, 65), (3, 4099), (2, 70_000), (1, 1_000_000)] {
        for kind in 0..2 {
            let x = values(kind, rows * along);
            let got = run("running sums", rows, |m| {
                let x = m.input_as(Origin::Input, &[n(), k(along)], Data::F32(x.clone()));
                let across = m.add(Op::Map(Map::Copy), F, &[k(along), n()], &[], &[(x, &[1, 0])]);
                vec![
                    m.add(Op::Scan { axis: 1 }, F, &[n(), k(along)], &[], &[(x, &[0, 1])]),
                    m.add(Op::Scan { axis: 0 }, F, &[k(along), n()], &[], &[(across, &[0, 1])]),
                ]
            });
            let Some(got) = got else { return };
            let mut want = vec![(0.0, 0.0); rows * along];
            let mut turned = want.clone();
            for r in 0..rows {
                let mut s = (0.0, 0.0);
                for i in 0..along {
                    let v = f64::from(x[r * along + i]);
                    s = (s.0 + v, s.1 + v.abs());
                    want[r * along + i] = s;
                    turned[i * rows + r] = s;
                }
            }
            summed(&format!("{rows} rows of {along}"), &got[0], &want);
            summed(&format!("{rows} columns of {along}"), &got[1], &turned);
        }
    }
}

/// Many values for few places: one place may take them all.
#[test]
fn scatters_keep_their_digits() {
    for (size, places, kind) in [(0, 3, 0), (65, 3, 0), (4099, 5, 1), (70_000, 1, 0), (70_000, 300, 1), (200_001, 40, 0)] {
        let x = values(kind, 2 * size);
        // Every second one goes to the last place.
        let to: Vec<i32> = (0..size).map(|i| if i % 2 == 0 { places as i32 - 1 } else { (i * 7 % places) as i32 }).collect();
        let got = run("scatters", size, |m| {
            let x = m.input_as(Origin::Input, &[n(), k(2)], Data::F32(x.clone()));
            let to = m.input_as(Origin::Input, &[n()], Data::I32(to.clone()));
            vec![m.add(Op::Scatter { axis: 0 }, F, &[k(places), k(2)], &[n()], &[(to, &[2]), (x, &[2, 1])])]
        });
        let Some(got) = got else { return };
        let mut want = vec![(0.0, 0.0); places * 2];
        for i in 0..2 * size {
            let (w, v) = (&mut want[to[i / 2] as usize * 2 + i % 2], f64::from(x[i]));
            *w = (w.0 + v, w.1 + v.abs());
        }
        summed(&format!("{size} values for {places} places"), &got[0], &want);
    }
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

/// Folds of every kind and length, with NaN nowhere, somewhere and last, ties, nothing but infinities.
#[test]
fn long_folds_mean_what_short_ones_mean() {
    for size in SIZES {
        for case in 0..4 {
            let mut x: Vec<f32> = (0..2 * size).map(|i| ((i * 7919) % 1013) as f32 - 500.0).collect();
            match case {
                1 if size > 0 => (x[size / 2], x[size - 1]) = (NAN, NAN),
                2 => x.fill(-INF),
                3 => x.fill(INF),
                _ => {}
            }
            let yes: Vec<u8> = (0..size).map(|i| u8::from(case == 1 || case == 2 && i + 1 == size)).collect();
            let whole: Vec<i32> = (0..size).map(|i| (i * 7919 % 1013) as i32 - 2000).collect();
            let folds = [Fold::Max, Fold::Min, Fold::Argmax, Fold::Argmin];
            let got = run("folds", size, |m| {
                let rows = m.input_as(Origin::Input, &[k(2), n()], Data::F32(x.clone()));
                let bits = m.input_as(Origin::Input, &[n()], Data::Bool(yes.clone()));
                let ints = m.input_as(Origin::Input, &[n()], Data::I32(whole.clone()));
                let twice = m.add(Op::Map(Map::Add), F, &[k(2), n()], &[], &[(rows, &[0, 1]), (rows, &[0, 1])]);
                let mut out = Vec::new();
                for f in folds {
                    let of = if matches!(f, Fold::Argmax | Fold::Argmin) { I } else { F };
                    out.push(m.add(Op::Fold(f), of, &[k(2)], &[n()], &[(rows, &[0, 1])]));
                    out.push(m.add(Op::Fold(f), of, &[k(2)], &[n()], &[(twice, &[0, 1])]));
                    out.push(m.add(Op::Fold(f), I, &[], &[n()], &[(ints, &[0])]));
                }
                out.push(m.add(Op::Fold(Fold::Any), B, &[], &[n()], &[(bits, &[0])]));
                out.push(m.add(Op::Fold(Fold::All), B, &[], &[n()], &[(bits, &[0])]));
                out.push(m.add(Op::Fold(Fold::Sum), I, &[], &[n()], &[(ints, &[0])]));
                out
            });
            let Some(got) = got else { return };
            for (f, got) in folds.iter().zip(got.chunks(3)) {
                let larger = matches!(f, Fold::Max | Fold::Argmax);
                let counted = matches!(f, Fold::Argmax | Fold::Argmin);
                for row in 0..2 {
                    let (value, place) = best(&x[row * size..(row + 1) * size], larger);
                    for (times, t) in [(1.0, &got[0]), (2.0, &got[1])] {
                        let want = if counted { f64::from(place) } else { times * f64::from(value) };
                        let g = t.get(row);
                        let same = g == want || g.is_nan() && want.is_nan();
                        assert!(same, "{f:?} of {size}, case {case}, row {row}: {g} instead of {want}");
                    }
                }
                let (mut value, mut place) = (if larger { i32::MIN } else { i32::MAX }, 0);
                for (i, v) in whole.iter().enumerate() {
                    if if larger { *v > value } else { *v < value } {
                        (value, place) = (*v, i as i32);
                    }
                }
                let want = if counted { place } else { value };
                assert_eq!(got[2].get(0), f64::from(want), "{f:?} of {size} whole numbers");
            }
            let rest: Vec<f64> = got[12..].iter().map(|t| t.get(0)).collect();
            let any = yes.contains(&1);
            let all = !yes.contains(&0);
            let sum = whole.iter().map(|v| f64::from(*v)).sum();
            assert_eq!(rest, [f64::from(u8::from(any)), f64::from(u8::from(all)), sum], "any, all, sum of {size}, case {case}");
        }
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
    let got = run("special values", 1, |m| {
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
    });
    let Some(got) = got else { return };
    let relu = |a: f32| if a.is_nan() { a } else { a.max(0.0) };
    for i in 0..count {
        let (a, b) = (x[i], y[i]);
        let mut want: Vec<(String, f64)> = two.iter().map(|(m, f)| (format!("{m:?}({a}, {b})"), f64::from(f(a, b)))).collect();
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
            let near = g == w || g.is_nan() && w.is_nan() || (g - w).abs() <= 1e-6 * w.abs();
            assert!(near, "{what} is {g} instead of {w}");
        }
    }
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
    let got = run("functions", 1, |m| {
        let a = given(m, &x);
        all.iter().map(|f| m.add(Op::Map(f.0), F, &[k(x.len())], &[], &[(a, &[0])])).collect()
    });
    let Some(got) = got else { return };
    for ((map, f), got) in all.iter().zip(&got) {
        for (i, v) in x.iter().enumerate() {
            let (g, w) = (got.get(i), f(f64::from(*v)));
            // What is below the normal numbers may be 0 for a driver.
            let near = g == w || w.is_nan() && g.is_nan() || (g - w).abs() <= 1e-6 * w.abs() + 1.2e-38;
            assert!(near, "{map:?}({v}) is {g} instead of {w}");
        }
    }
}

#[test]
fn angles_of_any_size() {
    let mut x: Vec<f32> = vec![0.0, -0.0, 1.0, -1.0, 1000.0, 32_767.99, 32_768.0, 50_000.0, 1e6, 1.7e9, -1.7e9, 3e38, f32::MAX];
    x.extend((0..4000).map(|i| i as f32 * 8.3 - 16_000.0));
    // Close to multiples of a quarter, where most digits cancel.
    x.extend((0..127).map(|e| (2.0f64.powi(e) * std::f64::consts::FRAC_PI_2) as f32));
    x.extend((0..2000).map(|i| f32::from_bits(0x3f00_0000 + i * 0x0008_1235)).filter(|v| v.is_finite()));
    x.extend(x.clone().iter().map(|v| -v));
    let count = x.len();
    let all = [Map::Sin, Map::Cos, Map::Tan];
    let got = run("angles", 1, |m| {
        let a = given(m, &[x.clone(), vec![NAN, INF, -INF]].concat());
        all.iter().map(|f| m.add(Op::Map(*f), F, &[k(count + 3)], &[], &[(a, &[0])])).collect()
    });
    let Some(got) = got else { return };
    for (i, v) in x.iter().map(|v| f64::from(*v)).enumerate() {
        let (sin, cos, tan) = (got[0].get(i), got[1].get(i), got[2].get(i));
        assert!((sin - v.sin()).abs() <= 1e-6 && sin.abs() <= 1.0, "sin({v}) is {sin} instead of {}", v.sin());
        assert!((cos - v.cos()).abs() <= 1e-6 && cos.abs() <= 1.0, "cos({v}) is {cos} instead of {}", v.cos());
        // Near its poles a tangent has the error of a small cosine.
        let limit = 1e-6 * (1.0 + v.tan().abs()) * (1.0 + v.tan().abs());
        assert!((tan - v.tan()).abs() <= limit, "tan({v}) is {tan} instead of {}", v.tan());
    }
    assert!((count..count + 3).all(|i| got.iter().all(|t| t.get(i).is_nan())), "what is no finite angle has no sine");
}

#[test]
fn constants_at_the_ends() {
    let all = [f32::MAX, -f32::MAX, f32::MIN_POSITIVE, -f32::MIN_POSITIVE, -0.0, 3.402_823e38, 1.0 / 3.0, INF, -INF, NAN];
    let got = run("constants", 3, |m| {
        let x = m.f(&[n()]);
        let zero = m.add(Op::Const(7.0), F, &[], &[], &[]);
        let never = m.add(Op::Map(Map::Lt), B, &[n()], &[], &[(x, &[0]), (x, &[0])]);
        let one = |m: &mut Make, c: f32| {
            let c = m.add(Op::Const(f64::from(c)), F, &[], &[], &[]);
            m.add(Op::Map(Map::Select), F, &[n()], &[], &[(never, &[0]), (zero, &[]), (c, &[])])
        };
        all.iter().map(|c| one(m, *c)).collect()
    });
    let Some(got) = got else { return };
    for (c, t) in all.iter().zip(&got) {
        let Data::F32(v) = &t.data else { unreachable!() };
        assert!(v.iter().all(|x| x.to_bits() == c.to_bits() || x.is_nan() && c.is_nan()), "{c} comes back as {v:?}");
    }
}
