//! Functions at every point that are made of others, or whose arguments have names: with what comes out by hand, on every backend.

use crate::brothers::{gives, says};
use std::f64::consts::PI;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

#[test]
fn angles_of_points_and_of_slopes() {
    let text = "
dim n
model M {
    input y: [n]
    input x: [n]
    output a: [n] = atan2(y, x)
    output named: [n] = atan2(x: x, y: y)
    output slope: [n] = atan(y)
    output piped: [n] = y |> atan
    output mixed: [n] = atan2(y, 1)
    output known: f32 = atan2(1, -1)
}
";
    let (y, x) = ([0.0, 1.0, -1.0, 0.0, INF, NAN, -1.0], [-1.0, 1.0, -1.0, 1.0, -INF, 1.0, NAN]);
    let a = [PI, PI / 4.0, -0.75 * PI, 0.0, 0.75 * PI, NAN, NAN];
    let slope = [0.0, PI / 4.0, -PI / 4.0, 0.0, PI / 2.0, NAN, -PI / 4.0];
    let all: [(&str, &[f64]); 5] = [("a", &a), ("named", &a), ("slope", &slope), ("piped", &slope), ("mixed", &slope)];
    gives(text, &[("n", 7)], &[("y", &y), ("x", &x)], &all);
    for n in [0, 1, 3] {
        let cut: Vec<(&str, &[f64])> = all.iter().map(|(name, v)| (*name, &v[..n])).collect();
        let known: &[f64] = &[0.75 * PI];
        let wants: Vec<_> = cut.iter().copied().chain([("known", known)]).collect();
        gives(text, &[("n", n as i64)], &[("y", &y[..n]), ("x", &x[..n])], &wants);
    }
}

#[test]
fn a_value_kept_between_two() {
    let text = "
dim n
model M {
    input x: [n]
    input i: i32[n]
    input low: [n]
    output plain: [n] = clamp(x, -1, 2)
    output named: [n] = clamp(x, high: 2, low: -1)
    output each: [n] = clamp(x, low, 2)
    output whole: i32[n] = clamp(i, 0, 3)
    output upside: [n] = clamp(x, 2, -1)
    output endless: [n] = clamp(x, -1 / 0.0, 2)
}
";
    let x = [-3.0, 0.5, 5.0, NAN, INF, -INF, -1.0];
    let i = [-3.0, 0.0, 2.0, 3.0, 4.0, 70000.0, 1.0];
    let low = [0.0, 1.0, 1.0, 1.0, 1.0, NAN, -9.0];
    let plain: &[f64] = &[-1.0, 0.5, 2.0, NAN, 2.0, -1.0, -1.0];
    let each: &[f64] = &[0.0, 1.0, 2.0, NAN, 2.0, NAN, -1.0];
    let whole: &[f64] = &[0.0, 0.0, 2.0, 3.0, 3.0, 3.0, 1.0];
    let upside: &[f64] = &[-1.0, -1.0, -1.0, NAN, -1.0, -1.0, -1.0];
    let endless: &[f64] = &[-3.0, 0.5, 2.0, NAN, 2.0, -INF, -1.0];
    let all = [("plain", plain), ("named", plain), ("each", each), ("whole", whole), ("upside", upside), ("endless", endless)];
    for n in [0, 1, 7] {
        let wants: Vec<(&str, &[f64])> = all.iter().map(|(name, v)| (*name, &v[..n])).collect();
        gives(text, &[("n", n as i64)], &[("x", &x[..n]), ("i", &i[..n]), ("low", &low[..n])], &wants);
    }
}

/// A number that is known stays one: a size, an index that is proved inside.
#[test]
fn numbers_that_are_known_are_computed_exactly() {
    let text = "
const n = clamp(9, 2, 5), m = relu(2 - 4) + abs(-3)
model M {
    input x: [n, m]
    input at: i32[n]
    output y: [5, 3] = x
    let row[i] = sum[j] x[clamp(at[i], 0, n - 1), j]
    output picked: [n] = row
}
";
    let x: Vec<f64> = (0..15).map(f64::from).collect();
    let picked: &[f64] = &[3.0, 3.0, 12.0, 39.0, 39.0];
    gives(text, &[], &[("x", &x), ("at", &[-7.0, 0.0, 1.0, 4.0, 9.0])], &[("y", &x), ("picked", picked)]);
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    for call in ["atan2(x)", "atan2(x, x, x)", "clamp(x)", "atan(x, 1)"] {
        says(&format!("model M {{\n    input x: [4]\n    output y: [4] = {call}\n}}\n"), "H0333");
    }
    for call in ["atan2(x > 0, x)", "clamp(x, x > 0, 1)", "atan(x > 0)"] {
        says(&format!("model M {{\n    input x: [4]\n    output y: [4] = {call}\n}}\n"), "H0307");
    }
    says("model M {\n    input x: [4]\n    input z: [3]\n    output y: [4] = atan2(x, z)\n}\n", "H0301");
}
