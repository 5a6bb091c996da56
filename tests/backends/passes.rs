//! Kernels with dear functions go block by block: at the edges of blocks, with functions of functions, and with what is the same for a row.

use crate::suite::{Case, Way};

const NATIVE: [Way; 3] = [Way::Native(1), Way::Optimized(1), Way::Optimized(2)];

fn text(inner: &str, value: &str) -> String {
    format!(
        "dim n\ndim t\nmodel M {{\n    input x: [n, {inner}]\n    input y: [n, {inner}]\n    input r: [n]\n    input c: [{inner}]\n\
         \x20   let z[n, j < {inner}] = {value}\n    output out: [n, {inner}] = z\n}}\n"
    )
}

#[test]
fn blocks_of_any_length() {
    let values = [
        "sin(3 * x[n, j] + c[j])",
        "tanh(x[n, j]) * y[n, j] + r[n]",
        "exp(sin(x[n, j]) - r[n]) * cos(y[n, j])",
        "sigmoid(x[n, j] * sin(r[n])) * x[n, j]",
        "(if x[n, j] > 0 { log(1 + x[n, j]^2) } else { erf(y[n, j]) })",
        "sin(sin(sin(sin(x[n, j]))))",
        "softplus(x[n, j]) + softplus(x[n, j])^2 + softplus(0 - x[n, j])",
    ];
    for value in values {
        for inner in ["1", "3", "5", "64", "65", "count[t]"] {
            let text = text(inner, value);
            for (n, t) in [(0, 7), (1, 1), (2, 63), (3, 511), (2, 513), (9, 64), (103, 70), (1100, 5)] {
                Case::new(&text, &[("n", n), ("t", t)], &[]).on(&NATIVE).agrees();
            }
        }
    }
}

/// What is computed for each row joins what came of the rows before: with dear functions inside, outside and on both sides, with what is the same for
/// a row or for a column, with two folds, none of whose rows need be there.
#[test]
fn rows_of_what_is_folded_down_columns() {
    let values = [
        "sum[t] (x[n, t, w] + y[n, t, w])",
        "sum[t] sigmoid(x[n, t, w])",
        "max[t] sigmoid(x[n, t, w] * c[w])",
        "min[t] exp(x[n, t, w] - r[n, t])",
        "exp(0.1 * sum[t] tanh(x[n, t, w] * sin(c[w])))",
        "sum[t] sin(exp(x[n, t, w])) / (1 + sum[t] abs(y[n, t, w]))",
        "sum[t] tanh(y[n, t, w] + r[n, t]) * sin(r[n, t]) + max[t] (x[n, t, w] - r[n, t])",
        "sum[t] (if x[n, t, w] > 0 { log(x[n, t, w]) } else { y[n, t, w] })",
        "prod[t] (0.5 + sigmoid(x[n, t, w]))",
        "prod[t] (x[n, t, w] * 4) + prod[t] y[n, t, w]",
        "sum[t, h < 3] sigmoid(x[n, t, w] * h) + c[w]",
        "max[t] (x[n, t, w] * max[h < 20] (r[n, t] * sin(h)))",
        "sum[t] x[n, t, w] + max[t] x[n, t, w] * y[n, t, w]",
    ];
    for value in values {
        let text = format!(
            "dim n\ndim t\ndim w\nmodel M {{\n    input x: [n, t, w]\n    input y: [n, t, w]\n    input r: [n, t]\n    input c: [w]\n\
             \x20   output out: [n, w] = {value}\n}}\n"
        );
        for (n, t, w) in [
            (1, 0, 70),
            (2, 1, 64),
            (1, 16, 513),
            (3, 31, 65),
            (1, 32, 100),
            (2, 33, 1030),
            (1, 70, 2049),
            (2, 8, 4500),
            (0, 40, 64),
            (1, 100, 3),
            (2, 65, 200),
            (2, 5, 24),
            (1, 70, 49),
            (3, 4, 23),
            (2, 64, 127),
        ] {
            Case::new(&text, &[("n", n), ("t", t), ("w", w)], &[]).on(&NATIVE).agrees();
        }
    }
}
