//! Derivatives and what is left out: however infinite a slope is where nothing is let through, it makes no NaN, through running sums and loops, too.

use super::suite::{Case, numbers};

/// 1, 4, then zeros, where a root has no slope.
fn roots() -> Vec<f64> {
    let mut x = vec![0.0; 24];
    (x[0], x[1]) = (1.0, 4.0);
    x
}

fn starts_with(front: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; 24];
    out[..front.len()].copy_from_slice(front);
    out
}

/// All derivatives of a text begin like this, and go on with zeros.
fn begin_like(text: &str, wants: &[(&str, &[f64])]) {
    let case = Case::new(text, &[("t", 24)], &[("x", numbers(&roots()))]);
    for (name, front) in wants {
        case.gives(name, &starts_with(front));
    }
}

#[test]
fn running_sums() {
    begin_like(
        "dim t\nmodel M {\n    input x: [t]\n    input never: f32\n    let root = sqrt(x)\n\
         \x20   let some[t] = cumsum[t](root)\n    output few: [t] = grad(sum[t where t < 2] some[t], x)\n\
         \x20   let every = if never > 5 { sum[t] cumsum[t](log(x)) } else { 0 }\n    output none: [t] = grad(every, x)\n\
         \x20   let first = sum[t where t < 2] some[t]^2\n    output again: [t] = grad(sum[t] grad(first, x)[t], x)\n}\n",
        // Once more of r1² + (r1 + r2)²: by x1 2 + r2 / r1, by x2 1 + r1 / r2, and of that sum once more.
        &[("few", &[1.0, 0.25]), ("none", &[]), ("again", &[-0.75, 0.1875])],
    );
}

const LOOPS: &str = "dim t
fn masked(v: [t], n: i32) -> f32 {
    var h = 0.0
    for t in 0..count[t] { h = if t < n { 0.5 * h + v[t] } else { h } }
    h
}
fn until_full(v: [t]) -> f32 {
    var h = 0.0
    for t in 0..count[t] until h > 2.5 { h = h + v[t] }
    h
}
fn yielded(v: [t], n: i32) -> f32 {
    var h = 0.0
    let y[t] = for t in 0..count[t] { h = v[t]; yield h }
    sum[t where t < n] y[t]
}
fn carried(v: [t], open: bool) -> f32 {
    var h = v
    for k in 0..20 { h = 0.5 * h }
    if open { sum[t] h[t] } else { 0 }
}
fn inside(x: [t], open: bool) -> f32 {
    var h = 1.0
    for t in 0..count[t] { h = if open { h + log(x[t: 2]) * x[t] } else { 0.5 * h } }
    h
}
fn nested(v: [t], n: i32) -> f32 {
    var h = 0.0
    for t in 0..count[t] {
        var g = 0.0
        for k in 0..20 { g = if t < n { 0.5 * g + v[t] } else { g } }
        h = h + g
    }
    h
}
fn weighed(v: [t], x: [t], open: bool) -> f32 {
    let w[t, t'] = v[t] * v[t']
    var h = 0 * x + 1
    for k in 0..20 {
        let next[t] = sum[t'] w[t, t'] * h[t']
        h[t] = if open { next[t] } else { h[t] }
    }
    sum[t] h[t]
}
model M {
    input x: [t]
    input never: f32
    let root = sqrt(x)
    output masked_: [t] = grad(masked(root, 2), x)
    output masked_again: [t] = grad(sum[t] grad(masked(root, 2), x)[t], x)
    output until_: [t] = grad(until_full(root), x)
    output yielded_: [t] = grad(yielded(root, 2), x)
    output carried_: [t] = grad(carried(root, never > 5), x)
    output inside_: [t] = grad(inside(x, never > 5), x)
    output nested_: [t] = grad(nested(root, 2), x)
    output weighed_: [t] = grad(weighed(root, x, never > 5), x)
}
";

#[test]
fn rounds() {
    let near = 2.0 * (1.0 - 0.5f64.powi(20));
    begin_like(
        LOOPS,
        &[
            ("masked_", &[0.25, 0.25]),
            ("masked_again", &[-0.125, -0.03125]),
            ("until_", &[0.5, 0.25]),
            ("yielded_", &[0.5, 0.25]),
            ("carried_", &[]),
            ("inside_", &[]),
            ("nested_", &[0.5 * near, 0.25 * near]),
            ("weighed_", &[]),
        ],
    );
}
