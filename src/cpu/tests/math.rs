//! Accuracy of the own functions, vector and scalar, in units of the last place.

use super::{F, Make};
use crate::ir::Data;
use crate::ir::{Map, Op};

fn ulps(a: f32, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return if a.is_nan() && b.is_nan() { 0.0 } else { f64::INFINITY };
    }
    let near = b as f32;
    if a == near {
        return 0.0;
    }
    if near.is_infinite() || a.is_infinite() {
        return f64::INFINITY;
    }
    let unit = f64::from(f32::from_bits((near.abs().to_bits() & 0x7f80_0000).max(0x0080_0000))) * 2f64.powi(-23);
    (f64::from(a) - b).abs() / unit
}

fn worst(map: Map, from: impl Fn(f64) -> f64, inputs: Vec<f32>, allowed: f64) {
    for cut in [0, 3] {
        let inputs = inputs[cut.min(inputs.len())..].to_vec();
        let mut m = Make::default();
        let x = m.input(&[inputs.len()], Data::F32(inputs.clone()));
        let y = m.add(Op::Map(map), F, &[inputs.len()], &[], &[(x, &[0])]);
        let out = m.run(&[y], 1).remove(0);
        let mut most = (0.0, 0.0f32, 0.0, 0.0);
        for (k, x) in inputs.iter().enumerate() {
            let expect = from(f64::from(*x));
            let u = ulps(out.get(k) as f32, expect);
            if u > most.0 {
                most = (u, *x, out.get(k), expect);
            }
        }
        eprintln!("{map:?}: {:.3} ulp at {:e} ({:e} for {:e})", most.0, most.1, most.2, most.3);
        assert!(most.0 <= allowed, "{map:?}: {} ulp at {:e}: {:e} for {:e}", most.0, most.1, most.2, most.3);
    }
}

fn inputs(low: f32, high: f32) -> Vec<f32> {
    let mut v = vec![
        0.0,
        -0.0,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        1e-40,
        -1e-40,
        f32::MIN_POSITIVE,
        f32::MAX,
        f32::MIN,
        1.0,
        -1.0,
    ];
    let n = 60_000;
    v.extend((0..=n).map(|k| low + (high - low) * k as f32 / n as f32));
    v.extend((0..4000).map(|k| f32::from_bits(k * 0x8_1234 + k)).filter(|x| x.is_finite()));
    v.extend((0..4000).map(|k| -f32::from_bits(k * 0x8_1234 + k)).filter(|x| x.is_finite()));
    v
}

#[test]
fn exp_log_and_their_kin() {
    worst(Map::Exp, libm::exp, inputs(-104.0, 89.0), 2.0);
    worst(Map::Log, libm::log, inputs(0.0, 10.0), 2.0);
    worst(Map::Sigmoid, |x| 1.0 / (1.0 + libm::exp(-x)), inputs(-100.0, 30.0), 2.5);
    worst(
        Map::Softplus,
        |x| x.max(0.0) + libm::log1p(libm::exp(-x.abs())) + if x.is_nan() { x } else { 0.0 },
        inputs(-90.0, 90.0),
        3.0,
    );
    worst(Map::Tanh, libm::tanh, inputs(-10.0, 10.0), 2.5);
    worst(Map::Erf, libm::erf, inputs(-5.0, 5.0), 2.0);
}

#[test]
fn turns() {
    worst(Map::Sin, libm::sin, inputs(-100.0, 100.0), 2.0);
    worst(Map::Cos, libm::cos, inputs(-100.0, 100.0), 2.0);
    worst(Map::Sin, libm::sin, inputs(-2e5, 2e5), 2.0);
    worst(Map::Cos, libm::cos, inputs(-2e5, 2e5), 2.0);
    worst(Map::Tan, libm::tan, inputs(-10.0, 10.0), 1.0);
}

/// Every f32 about a quarter of a turn, with what a reduction leaves beyond it: rounded or not, none is larger than 1.
#[test]
fn no_sine_is_larger_than_one() {
    let inputs: Vec<f32> = (1.5f32.to_bits()..=1.574f32.to_bits()).map(f32::from_bits).collect();
    let mut m = Make::default();
    let x = m.input(&[inputs.len()], Data::F32(inputs.clone()));
    let y = m.add(Op::Map(Map::Sin), F, &[inputs.len()], &[], &[(x, &[0])]);
    let out = m.run(&[y], 1).remove(0);
    for (k, x) in inputs.iter().enumerate() {
        let (found, right) = (out.get(k), libm::sin(f64::from(*x)));
        assert!(found <= 1.0 && (found - right).abs() <= 1.2e-7, "sin({x:?}) is {found:?}, not {right:?}");
    }
}

#[test]
fn angles_of_points() {
    let sides: Vec<f32> =
        inputs(-5.0, 5.0).into_iter().step_by(171).chain([0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY]).collect();
    for cut in [0, 3] {
        let (y, x): (Vec<f32>, Vec<f32>) = sides.iter().flat_map(|a| sides.iter().map(move |b| (*a, *b))).skip(cut).unzip();
        let mut m = Make::default();
        let n = y.len();
        let (a, b) = (m.input(&[n], Data::F32(y.clone())), m.input(&[n], Data::F32(x.clone())));
        let z = m.add(Op::Map(Map::Atan2), F, &[n], &[], &[(a, &[0]), (b, &[0])]);
        let out = m.run(&[z], 1).remove(0);
        let mut most = 0.0f64;
        for k in 0..n {
            let want = libm::atan2(f64::from(y[k]), f64::from(x[k]));
            let u = ulps(out.get(k) as f32, want);
            assert!(u <= 2.5, "atan2({:e}, {:e}) is {:e} and not {want:e}: {u} ulp", y[k], x[k], out.get(k));
            most = most.max(u);
        }
        eprintln!("atan2: {most:.3} ulp");
    }
}

#[test]
fn roots_and_rounding_are_exact() {
    worst(Map::Sqrt, libm::sqrt, inputs(0.0, 1e6), 0.51);
    worst(Map::Round, libm::rint, inputs(-10.0, 10.0), 0.0);
    let half = |x: f64| half::f16::from_f64(x).to_f64();
    worst(Map::Half, half, inputs(-10.0, 10.0), 0.0);
    worst(Map::Half, half, inputs(-7e-5, 7e-5), 0.0);
    worst(Map::Half, half, inputs(-66_000.0, 66_000.0), 0.0);
    worst(Map::Floor, libm::floor, inputs(-10.0, 10.0), 0.0);
    worst(Map::Ceil, libm::ceil, inputs(-10.0, 10.0), 0.0);
}

/// Where a row of values ends decides what computes the last of them: rows at once, four side by side, or one by one.
#[test]
fn every_way_gives_the_same_bits() {
    let mut x = inputs(-120.0, 120.0);
    x.extend(inputs(-3e5, 3e5));
    x.truncate(x.len() / 24 * 24);
    for map in [Map::Exp, Map::Log, Map::Tanh, Map::Sigmoid, Map::Softplus, Map::Erf, Map::Sin, Map::Cos] {
        // A factor for each column keeps the rows apart.
        let rows = |n: usize| {
            let mut m = Make::default();
            let rows = x.len() / n;
            let (a, one) = (m.input(&[rows, n], Data::F32(x.clone())), m.input(&[n], Data::F32(vec![1.0; n])));
            let product = m.add(Op::Map(Map::Mul), F, &[rows, n], &[], &[(a, &[0, 1]), (one, &[1])]);
            let y = m.add(Op::Map(map), F, &[rows, n], &[], &[(product, &[0, 1])]);
            let out = m.run(&[y], 1).remove(0);
            (0..x.len()).map(|k| (out.get(k) as f32).to_bits()).collect::<Vec<u32>>()
        };
        let single = rows(3);
        for n in [8, 24, x.len()] {
            for (k, (a, b)) in rows(n).into_iter().zip(&single).enumerate() {
                let nan = f32::from_bits(a).is_nan() && f32::from_bits(*b).is_nan();
                assert!(a == *b || nan, "{map:?} of {:e} in rows of {n}: {a:x} and {b:x}", x[k]);
            }
        }
    }
}

/// Which element of a row something is shows in no bit of it, nor how wide the vectors are.
#[cfg(target_arch = "x86_64")]
#[test]
fn stretches_are_computed_element_by_element() {
    use crate::cpu::apply::{Function, Stretch};
    use crate::cpu::call;
    if !call::has_rows() {
        return;
    }
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e5, -3e7, 1e30, 90.0, -110.0, 1e-40];
    let some = |n: usize, seed: usize| -> Vec<f32> {
        let one = |k: usize| {
            if k % 23 == seed { odd[k / 23 % odd.len()] } else { ((k * 7919 + seed * 31) % 8001) as f32 / 1000.0 - 4.0 }
        };
        (0..n).map(one).collect()
    };
    let ones = [Map::Exp, Map::Log, Map::Tanh, Map::Sigmoid, Map::Softplus, Map::Erf, Map::Sin, Map::Cos].map(Function::One);
    let others = [
        Function::Least(0.0),
        Function::Silu,
        Function::Gelu { times: 0.5, scale: std::f32::consts::FRAC_1_SQRT_2 },
        Function::GeluOfQuotient { times: 1.0, root: std::f32::consts::SQRT_2 },
        Function::GeluTanh { times: 1.0, scale: 0.797_884_6, cube: 0.044715 },
    ];
    for function in ones.into_iter().chain(others) {
        for (rows, columns) in [(1, 1), (3, 1), (1, 15), (2, 16), (5, 17), (3, 63), (2, 1300)] {
            let (from, row, gate) = (some(rows * columns, 3), some(columns, 5), some(rows * columns, 7));
            for (row, gate) in [(&row[..0], &gate[..0]), (&row[..], &gate[..0]), (&row[..0], &gate[..]), (&row[..], &gate[..])] {
                let mut all = vec![0.0; from.len()];
                call::apply(&mut Stretch { function, from: &from, row, gate, out: &mut all });
                for (k, got) in all.iter().enumerate() {
                    let mut alone = [0.0];
                    let own = |v: &[f32], at: usize| if v.is_empty() { vec![] } else { vec![v[at]] };
                    let (row, gate) = (own(row, k % columns), own(gate, k));
                    call::apply(&mut Stretch { function, from: &from[k..=k], row: &row, gate: &gate, out: &mut alone });
                    let same = alone[0].to_bits() == got.to_bits() || alone[0].is_nan() && got.is_nan();
                    assert!(same, "{function:?} of {} in row {columns}: {got}, alone {}", from[k], alone[0]);
                }
            }
        }
    }
}
