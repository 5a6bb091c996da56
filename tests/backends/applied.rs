//! What networks do to each element most often, in the forms in which native code computes whole rows of it: after a bias, times a gate, in tiles,
//! at sizes with nothing, one, few and many elements, of numbers that are none and angles that are far away.

use crate::suite::{Case, Way, numbers};

const FORMS: &str = "
import std.math { silu, gelu, gelu_tanh }
dim b
dim c
model M {
    input x: [b, c]
    input row: [c]
    input gate: [b, c]
    output rectified: [b, c] = max(x + row, 0)
    output least: [b, c] = max(x, -0.5) * gate
    output still: [b, c] = row + max(x, row)
    output silu_row: [b, c] = silu(row + x)
    output silu_gate: [b, c] = gate * silu(x)
    output silu_both: [b, c] = silu(x + row) * gate
    output bent: [b, c] = 2 * gelu(x + row)
    output bent_gate: [b, c] = gelu_tanh(x) * gate
    output bent_row: [b, c] = gelu_tanh(row + x)
    output wave: [b, c] = sin(x + row)
    output wave_gate: [b, c] = cos(x) * gate
    output near: [b, c] = tanh(x + row)
    output open: [b, c] = sigmoid(x + row) * gate
    output soft: [b, c] = softplus(x + row)
    output grown: [b, c] = exp(x + row)
    output bell: [b, c] = erf(x) * gate
    output logs: [b, c] = log(x + row)
    output one: [c] = tanh(row)
}
";

/// Numbers between -4 and 4 with a few that are none, far or nothing.
fn some(n: usize, seed: usize) -> Vec<f64> {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, 1e5, -3e7, 1e30, 90.0, -110.0, 1e-40];
    let one = |k: usize| {
        let place = k * 37 + seed * 11;
        if place % 29 == 3 { odd[place / 29 % odd.len()] } else { ((place * 7919) % 8001) as f64 / 1000.0 - 4.0 }
    };
    (0..n).map(|k| f64::from(one(k) as f32)).collect()
}

#[test]
fn functions_of_rows_at_every_size() {
    for (b, c) in [(0, 3), (3, 0), (1, 1), (1, 5), (7, 1), (3, 17), (5, 64), (2, 530)] {
        let input = |n: usize, seed: usize| numbers(&some(n, seed));
        let inputs = [("x", input(b * c, 1)), ("row", input(c, 2)), ("gate", input(b * c, 3))];
        Case::new(FORMS, &[("b", b as i64), ("c", c as i64)], &inputs).agrees();
    }
}

/// Behind products, whose rows go tile by tile, and in the rounds of a loop.
#[test]
fn functions_of_rows_in_tiles_and_rounds() {
    let text = "
import std.linear { Linear }
import std.math { gelu_tanh, silu }
dim b
model M {
    input x: [b, 16]
    sub one = Linear(16, 32)
    sub two = Linear(32, 48)
    sub gate = Linear(32, 48)
    sub three = Linear(48, 16)
    let h = sin(one(x))
    let w = gelu_tanh(two(h)) * gate(h)
    output y: [b, 16] = max(three(silu(gate(h)) * two(h) + w), 0)
    var z = x
    for k in 0..3 { z = tanh(three(max(two(sin(one(z))), 0))) }
    output last: [b, 16] = z
}
";
    for b in [1, 3, 5000] {
        let x: Vec<f64> = (0..b * 16).map(|k| ((k * 7919) % 4001) as f64 / 2000.0 - 1.0).collect();
        Case::new(text, &[("b", b as i64)], &[("x", numbers(&x))]).agrees();
    }
}

/// A function of sums of few terms, whose matrix stays in registers: at the edges of vectors and of what is made at a time, after a bias, times a gate,
/// with rows that are turned, and with more terms than are few.
#[test]
fn functions_of_sums_of_few_terms() {
    for k in 1..=5 {
        let text = format!(
            "
dim b
dim c
dim s
model M {{
    input x: [b, {k}]
    input turned: [{k}, b]
    input w: [6, {k}, c]
    input row: [c]
    input gate: [b, c]
    input two: [s, b, {k}]
    output wave: [b, c] = sin(x @ w[0] + row)
    output near: [b, c] = tanh(x @ w[1])
    output least: [b, c] = max(row + x @ w[2], 0)
    output open: [b, c] = sigmoid(x @ w[3] + row) * gate
    output other: [b, c] = exp(sum[k < {k}] turned[k, b] * w[4, k, c])
    output each: [s, b, c] = cos(two[s, b] @ w[5] + row)
}}
"
        );
        for (b, c) in [(0, 9), (1, 8), (3, 7), (2, 16), (5, 17), (9, 33), (4, 64), (3, 130), (70, 65), (2, 5000)] {
            let input = |n: usize, seed: usize| numbers(&some(n, seed));
            let inputs = [
                ("x", input(b * k, 1)),
                ("turned", input(b * k, 2)),
                ("w", input(6 * k * c, 4)),
                ("row", input(c, 3)),
                ("gate", input(b * c, 5)),
                ("two", input(3 * b * k, 6)),
            ];
            let case = Case::new(&text, &[("b", b as i64), ("c", c as i64), ("s", 3)], &inputs);
            case.on(&[Way::Native(1), Way::Optimized(1), Way::Optimized(2)]).agrees();
        }
    }
}
