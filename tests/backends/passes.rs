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
