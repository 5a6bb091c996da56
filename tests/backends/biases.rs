//! Products to which a row is added: of all shapes, and what is no such row.

use crate::suite::{Case, Way, floats};
use crate::windows::planned;

const NATIVE: [Way; 3] = [Way::Native(1), Way::Optimized(1), Way::Optimized(2)];

/// Whether products of the text's plan are computed with what is added to them, at these sizes.
fn is_free(text: &str, dims: &[(&str, i64)]) -> bool {
    !planned(text, dims).biased.is_empty()
}

/// `y` of rows `x`, a parameter `w` of 70 by 40, and a bias.
fn text(sum: &str, more: &str) -> String {
    format!(
        "dim b\ndim t\nmodel M {{\n    input x: [b, t, 70]\n    input m: [b, t, 40]\n    param w: [70, 40] = normal()\n\
         \x20   param u: [40, 70] = normal()\n    input c: [40]\n    param r: [80] = normal()\n\
         \x20   let p[b, t, j < 40] = sum[i] x[b, t, i] * w[i, j]\n    let q[b, t, j < 40] = sum[i] x[b, t, i] * u[j, i]\n\
         \x20   let y[b, t, j < 40] = {sum}\n    output out: [b, t, 40] = y\n{more}}}\n"
    )
}

fn dims(b: i64, t: i64) -> [(&'static str, i64); 2] {
    [("b", b), ("t", t)]
}

#[test]
fn rows_are_added() {
    for sum in ["p[b, t, j] + c[j]", "c[j] + p[b, t, j]", "q[b, t, j] + c[j]", "p[b, t, j] + r[2 * j + 1]"] {
        let text = text(sum, "");
        assert!(is_free(&text, &dims(3, 5)), "{sum}");
        for at in [dims(1, 1), dims(2, 1), dims(1, 6), dims(3, 5), dims(5, 70), dims(2, 400), dims(0, 3)] {
            Case::new(&text, &at, &[]).on(&NATIVE).agrees();
        }
    }
}

#[test]
fn what_is_no_row_is_added_apart() {
    let asked = text("p[b, t, j] + c[j]", "    output w_: [b, t, 40] = p\n");
    let other = text("p[b, t, j] + m[b, t, j]", "");
    let twice = text("p[b, t, j] + p[b, t, j]", "");
    let along = text("p[b, t, j] + m[b, t, 3]", "");
    for text in [&asked, &other, &twice, &along] {
        assert!(!is_free(text, &dims(3, 5)), "{text}");
        for at in [dims(3, 5), dims(1, 1), dims(2, 30)] {
            Case::new(text, &at, &[]).on(&NATIVE).agrees();
        }
    }
}

/// Where there is one row, a product may be the row that is added to another.
#[test]
fn two_products_are_added_up() {
    for sum in ["p[b, t, j] + q[b, t, j]", "q[b, t, j] + p[b, t, j]", "(p[b, t, j] + q[b, t, j]) + c[j]"] {
        for at in [dims(1, 1), dims(2, 1), dims(1, 9), dims(2, 9)] {
            Case::new(&text(sum, ""), &at, &[]).on(&NATIVE).agrees();
        }
    }
}

/// What is no number stays in its row, or its column.
#[test]
fn what_is_no_number() {
    let text = text("p[b, t, j] + c[j]", "");
    let mut x = vec![0.5f32; 2 * 9 * 70];
    (x[3], x[9 * 70 + 1]) = (f32::NAN, f32::INFINITY);
    Case::new(&text, &dims(2, 9), &[("x", floats(&x))]).on(&NATIVE).agrees();
    let mut c = vec![0.5f32; 40];
    (c[0], c[39], c[16]) = (f32::NAN, f32::NEG_INFINITY, 3e38);
    Case::new(&text, &dims(2, 9), &[("c", floats(&c))]).on(&NATIVE).agrees();
}
