//! Counts, places and their products beyond 32 bits; whole numbers that do not fit are refused, and sums of data wrap alike.

use crate::common::device;
use crate::suite::Way::{Interpreter, Optimized, OptimizedDevice};
use crate::suite::{Case, Way};
use hnet::bind::init;
use hnet::bind::inputs::{Request, gather};
use hnet::exec::session::{self, Backend, Options, Session};
use hnet::fuzz::check::model;

/// Where sizes are too large for the interpreter.
const QUICK: &[Way] = &[Optimized(1), OptimizedDevice];
const ALL: &[Way] = &[Interpreter, Optimized(1), OptimizedDevice];

const MEANS: &str = "dim a
dim c
model M {
    input x: [a]
    input y: [c]
    output m: f32 = mean[a, c] (1 + 0 * x) * (1 + 0 * y)
    output n: f32 = count[a] * count[c]
    output share: f32 = 1.0 / (count[a] * count[c])
    output more: f32 = sum[a] (0 * x + count[a] * count[c] - count[a] * count[c] + 1)
}
";

#[test]
fn a_mean_over_more_places_than_32_bits() {
    for (a, c) in [(70_000i64, 70_000i64), (3, 5), (1, 1), (46_341, 46_341)] {
        let places = a as f64 * c as f64;
        let wants = [("m", &[1.0][..]), ("n", &[places]), ("share", &[1.0 / places]), ("more", &[a as f64])];
        Case::new(MEANS, &[("a", a), ("c", c)], &[]).on(if a < 100 { ALL } else { QUICK }).all(2e-6, &wants);
    }
}

#[test]
fn a_count_beyond_an_i32_is_refused_before_it_runs() {
    let text = "dim a\ndim c\nmodel M {\n    input x: [a]\n    input y: [c]\n    output n: i32 = count[a] * count[c]\n    output s: f32 = sum[a] x + sum[c] y\n}\n";
    let case = |size| Case::new(text, &[("a", size), ("c", size)], &[]);
    case(46_340).gives("n", &[2_147_395_600.0]);
    case(46_341).says("H0358", "", "output n: i32 = count[a] * count[c]");
}

#[test]
fn an_axis_beyond_31_bits_is_refused() {
    let text = "model M {\n    input x: f32\n    output n: f32 = sum[i < 3000000000] cos(x + i)\n}\n";
    Case::new(text, &[], &[]).on(QUICK).says("H0822", "", "");
}

#[test]
fn whole_numbers_of_data_wrap_alike() {
    let text = "dim b
model M {
    input x: f32[b]
    let k = int(0 * x) + 2147483647
    output up: i32[b] = k + 1
    output down: i32[b] = -k - 2
    output twice: i32[b] = k * 2
    output total: i32 = sum[b] k
}
";
    for b in [1, 3] {
        let all = |v: i32| vec![f64::from(v); b as usize];
        let sum = f64::from((0..b).fold(0i32, |s, _| s.wrapping_add(i32::MAX)));
        let wants = [("up", &*all(i32::MIN)), ("down", &*all(i32::MAX)), ("twice", &*all(-2)), ("total", &[sum])];
        Case::new(text, &[("b", b)], &[]).all(0.0, &wants);
    }
}

#[test]
fn numbers_of_compile_time_are_exact() {
    let text = "const n = 9007199254740993
const m = 170141183460469231731687303715884105
model M {
    output a: i32 = n - 9007199254740992
    output c: i32 = m mod 1000
    output d: i32 = (n * n) div n - n
}
";
    Case::new(text, &[], &[]).all(0.0, &[("a", &[1.0]), ("c", &[105.0]), ("d", &[0.0])]);
}

#[test]
fn merged_places_beyond_31_bits_are_refused() {
    let text = "dim a\ndim c\nmodel M {\n    input x: [a]\n    input y: [c]\n    let m[(i, j)] = x[a: i] * y[c: j]\n    \
                output n: f32 = sum[k] m[k]\n}\n";
    let case = |a, c| Case::new(text, &[("a", a), ("c", c)], &[]);
    case(3, 0).gives("n", &[0.0]);
    case(3, 2).agrees();
    // The interpreter has no room for the value; code and shaders are not even planned.
    case(70_000, 70_000).on(QUICK).says("H0822", "", "");
    case(70_000, 70_000).on(&[Interpreter]).says("H0801", "", "");
}

/// Once, by name; NaN and infinities are kept.
#[test]
fn what_16_bits_cannot_hold_is_warned_of() {
    if device("what_16_bits_cannot_hold_is_warned_of").is_none() {
        return;
    }
    let text = "model M {\n    input x: [2]\n    param large: [2] = fill(1e5)\n    param small: [2] = fill(1e-9)\n    \
                param fine: [2] = ones()\n    output y: [2] = x * large * fine\n    output z: [2] = x * small\n}\n";
    let model = model(text).unwrap();
    let given = gather(&model, &Request { random: true, ..Request::default() }).unwrap();
    let params = init::initialise_all(&model, &given.sizes, 0).unwrap();
    let bound = session::bindings(params, given, 0);
    let mut session =
        Session::new(&model, &[0, 1], &Options { backend: Backend::Gpu, threads: 1, half: true, ..Options::default() }).unwrap();
    for _ in 0..2 {
        let got = session.run(&bound).unwrap();
        assert!(got[0].get(0).is_infinite() && got[1].get(0) == 0.0, "{got:?}");
    }
    let said: Vec<(&str, &str)> = session.warnings.iter().map(|w| (w.code.as_str(), w.message.as_str())).collect();
    let wanted = [
        ("H0905", "`large` does not fit 16 bits: 2 of its 2 values are beyond 65504 (up to 1e5) and become infinite"),
        ("H0905", "`small` does not fit 16 bits: 2 of its 2 values become 0"),
    ];
    assert_eq!(said, wanted);
}
