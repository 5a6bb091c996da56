//! Counts, places and their products beyond 32 bits; whole numbers that do not fit are refused, and sums of data wrap alike.

use crate::common::device;
use hnet::bind::init;
use hnet::bind::inputs::{Request, gather};
use hnet::exec::session::{self, Backend, Options, Session};
use hnet::fuzz::check::model;
use hnet::ir::Tensor;

/// All outputs of a text at these lengths, or the code of what is said.
fn run(text: &str, dims: &[(&str, i64)], backend: Backend) -> Result<Vec<Tensor>, String> {
    let model = model(text).unwrap_or_else(|f| panic!("{}", f.detail));
    let dims = dims.iter().map(|(n, k)| (n.to_string(), *k)).collect();
    let request = Request { random: true, dims, ..Request::default() };
    let given = gather(&model, &request).map_err(|list| list[0].code.to_string())?;
    let params = init::initialise_all(&model, &given.sizes, 0).map_err(|list| list[0].code.to_string())?;
    let bound = session::bindings(params, given, 0);
    let all: Vec<usize> = (0..model.graph.outputs.len()).collect();
    let options = Options { backend, threads: 1, half: false };
    let made = Session::new(&model, &all, &options).and_then(|mut s| s.run(&bound));
    made.map_err(|d| d.code.to_string())
}

/// The backends that there are here; the interpreter only where it is quick.
fn backends(test: &str, interpreter: bool) -> Vec<Backend> {
    let mut out = vec![Backend::Cpu];
    out.extend(interpreter.then_some(Backend::Interp));
    out.extend(device(test).map(|_| Backend::Gpu));
    out
}

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
    let test = "a_mean_over_more_places_than_32_bits";
    for (a, c) in [(70_000i64, 70_000i64), (3, 5), (1, 1), (46_341, 46_341)] {
        for backend in backends(test, a < 100) {
            let got = run(MEANS, &[("a", a), ("c", c)], backend).unwrap_or_else(|code| panic!("{backend:?}: {code}"));
            let places = a as f64 * c as f64;
            for (got, want) in got.iter().zip([1.0, places, 1.0 / places, a as f64]) {
                let off = (got.get(0) - want).abs() / want;
                assert!(off < 2e-6, "{backend:?}, {a} by {c}: {} instead of {want}", got.get(0));
            }
        }
    }
}

#[test]
fn a_count_beyond_an_i32_is_refused_before_it_runs() {
    let test = "a_count_beyond_an_i32_is_refused_before_it_runs";
    let text = "dim a\ndim c\nmodel M {\n    input x: [a]\n    input y: [c]\n    output n: i32 = count[a] * count[c]\n    output s: f32 = sum[a] x + sum[c] y\n}\n";
    for backend in backends(test, true) {
        assert_eq!(run(text, &[("a", 46_340), ("c", 46_340)], backend).map(|v| v[0].get(0)), Ok(2_147_395_600.0), "{backend:?}");
        assert_eq!(run(text, &[("a", 46_341), ("c", 46_341)], backend).map(|v| v[0].get(0)), Err("H0358".into()), "{backend:?}");
    }
}

#[test]
fn an_axis_beyond_31_bits_is_refused() {
    let text = "model M {\n    input x: f32\n    output n: f32 = sum[i < 3000000000] cos(x + i)\n}\n";
    for backend in backends("an_axis_beyond_31_bits_is_refused", false) {
        assert_eq!(run(text, &[], backend).map(|v| v[0].get(0)), Err("H0822".into()), "{backend:?}");
    }
}

#[test]
fn whole_numbers_of_data_wrap_alike() {
    let text = "dim b
model M {
    input x: f32[b]
    let k[b] = int(0 * x) + 2147483647
    output up: i32[b] = k + 1
    output down: i32[b] = -k - 2
    output twice: i32[b] = k * 2
    output total: i32 = sum[b] k
}
"
    .replace("let k[b] =", "let k =");
    for b in [1, 3] {
        for backend in backends("whole_numbers_of_data_wrap_alike", true) {
            let got = run(&text, &[("b", b)], backend).unwrap();
            let first: Vec<f64> = got.iter().map(|t| t.get(0)).collect();
            let sum = f64::from((0..b).fold(0i32, |s, _| s.wrapping_add(i32::MAX)));
            assert_eq!(first, [-2_147_483_648.0, 2_147_483_647.0, -2.0, sum], "{backend:?}");
        }
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
    for backend in backends("numbers_of_compile_time_are_exact", true) {
        let got: Vec<f64> = run(text, &[], backend).unwrap().iter().map(|t| t.get(0)).collect();
        assert_eq!(got, [1.0, 105.0, 0.0], "{backend:?}");
    }
}

#[test]
fn merged_places_beyond_31_bits_are_refused() {
    let text = "dim a\ndim c\nmodel M {\n    input x: [a]\n    input y: [c]\n    let m[(i, j)] = x[a: i] * y[c: j]\n    \
                output n: f32 = sum[k] m[k]\n}\n";
    for backend in backends("merged_places_beyond_31_bits_are_refused", true) {
        assert_eq!(run(text, &[("a", 3), ("c", 0)], backend).map(|v| v[0].get(0)), Ok(0.0), "{backend:?}");
        assert!(run(text, &[("a", 3), ("c", 2)], backend).is_ok(), "{backend:?}");
        // The interpreter has no room for the value; code and shaders are not even planned.
        let code = if backend == Backend::Interp { "H0801" } else { "H0822" };
        assert_eq!(run(text, &[("a", 70_000), ("c", 70_000)], backend).map(|v| v[0].get(0)), Err(code.into()), "{backend:?}");
    }
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
    let mut session = Session::new(&model, &[0, 1], &Options { backend: Backend::Gpu, threads: 1, half: true }).unwrap();
    for _ in 0..2 {
        let got = session.run(&bound).unwrap();
        assert!(got[0].get(0).is_infinite() && got[1].get(0) == 0.0, "{got:?}");
    }
    let said: Vec<(&str, &str)> = session.warnings.iter().map(|w| (w.code, w.message.as_str())).collect();
    let wanted = [
        ("H0905", "`large` does not fit 16 bits: 2 of its 2 values are beyond 65504 (up to 1e5) and become infinite"),
        ("H0905", "`small` does not fit 16 bits: 2 of its 2 values become 0"),
    ];
    assert_eq!(said, wanted);
}
