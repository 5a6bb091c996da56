//! Products whose matrices another product writes: of all shapes, and what is nothing of the kind.

use crate::suite::{Case, Way};
use crate::windows::planned;

const NATIVE: [Way; 3] = [Way::Native(1), Way::Optimized(1), Way::Optimized(2)];

/// Whether matrices of the text's plan lie nowhere, at these sizes.
fn is_free(text: &str, dims: &[(&str, i64)]) -> bool {
    !planned(text, dims).written.is_empty()
}

fn dims(b: i64, t: i64) -> [(&'static str, i64); 2] {
    [("b", b), ("t", t)]
}

/// A head writes matrices of 70 by 66 for codes of five numbers.
fn text(uses: &str, columns: i64, more: &str) -> String {
    format!(
        "dim b\ndim t\nmodel M {{\n    input c: [b, 5]\n    input x: [b, t, 70]\n    input u: [b, t, 66]\n\
         \x20   param head: [5, 70, 66] = normal()\n    param flat: [70 * 66, 5] = normal()\n\
         \x20   let w[b, i < 70, o < 66] = sum[h] c[b, h] * head[h, i, o]\n\
         \x20   let v[b, i < 70, o < 66] = sum[h] flat[i * 66 + o, h] * c[b, h]\n\
         \x20   let y[b, t, n < {columns}] = {uses}\n    output out: [b, t, {columns}] = y\n{more}}}\n"
    )
}

#[test]
fn matrices_are_written_where_they_are_read() {
    let shapes = [dims(2, 6), dims(3, 40), dims(13, 12), dims(26, 7), dims(2, 250), dims(2, 512)];
    for (uses, columns) in [
        ("sum[i] x[b, t, i] * w[b, i, n]", 66),
        ("sum[o] u[b, t, o] * w[b, n, o]", 70),
        ("sum[i] x[b, t, i] * v[b, i, n]", 66),
        ("sum[i] w[b, i, n] * x[b, t, i]", 66),
    ] {
        let text = text(uses, columns, "");
        assert!(is_free(&text, &dims(3, 40)), "{uses}");
        for at in shapes.iter().chain(&[dims(0, 9), dims(3, 0), dims(1, 40), dims(3, 1), dims(2, 520)]) {
            Case::new(&text, at, &[]).on(&NATIVE).agrees();
        }
    }
}

#[test]
fn what_others_read_is_written_down() {
    const USE: &str = "sum[i] x[b, t, i] * w[b, i, n]";
    let asked = text(USE, 66, "    output w_: [b, 70, 66] = w\n");
    let twice = text(USE, 66, "    let z[b, t, i < 70] = sum[o] u[b, t, o] * w[b, i, o]\n    output other: [b, t, 70] = z\n");
    // What is read backwards is written so.
    let turned = text("sum[i] x[b, t, i] * w[b, i, 65 - n]", 66, "");
    for (text, free) in [(&asked, false), (&twice, false), (&turned, true)] {
        assert_eq!(is_free(text, &dims(3, 40)), free, "{text}");
        for at in [dims(3, 40), dims(2, 6), dims(1, 1)] {
            Case::new(text, &at, &[]).on(&NATIVE).agrees();
        }
    }
}

/// Experts mixed for each sequence, twice in a row: what comes between is for all rows.
#[test]
fn mixed_experts_follow_one_another() {
    let text = "import std.linear { Linear, Matrix }\nimport std.math { gelu_tanh }\ndim b\ndim t\n\
         net Expert(d, h) {\n    sub fc1 = Matrix(d, h)\n    sub fc2 = Matrix(h, d)\n    (x: [d]) -> [d] { x |> fc1 |> gelu_tanh |> fc2 }\n}\n\
         model M {\n    input x: [b, t, 65]\n    sub gate = Linear(65, 8)\n    sub expert[8] = Expert(65, 97)\n\
         \x20   let g = softmax(gate(mean[t] x))\n    output y: [b, t, 65] = blend(expert, g)(x)\n}\n";
    assert_eq!(planned(text, &dims(4, 20)).written.len(), 2);
    for at in [dims(4, 20), dims(2, 6), dims(29, 31), dims(3, 2)] {
        Case::new(text, &at, &[]).on(&NATIVE).agrees();
    }
}

/// A hypernetwork's head writes all weights of a net in one row, for each sample: where a sample has one row, none of them is written.
#[test]
fn weights_for_one_row_lie_nowhere() {
    let text = |rows: &str, code: usize| {
        format!(
            "import std.linear {{ Linear }}\nimport std.mlp {{ Mlp }}\ndim b\n{}model M {{\n    input z: [b, {code}]\n    input x: [{rows}64]\n\
             \x20   sub hyper = Linear({code}, size(target.*))\n    sub target = Mlp(64, 70, 33)\n    generate target.* from hyper(z)\n\
             \x20   output y: [{rows}33] = target(x)\n}}\n",
            if rows == "b, " { "" } else { "dim t\n" }
        )
    };
    let largest = |text: &str, b: i64| {
        let plan = planned(text, &[("b", b)]);
        let sizes = [("b".into(), b)].into();
        let elements = |s: &hnet::ir::Size| hnet::ir::sizes::known(s, &sizes);
        let made = plan.buffers.iter().filter(|b| matches!(b.kind, hnet::plan::Kind::Temp));
        made.map(|b| b.shape.iter().map(elements).product::<i64>()).max().unwrap_or(0)
    };
    // Ten numbers for each output instead of 64.
    assert!(largest(&text("b, ", 10), 200) <= 200 * 10 * 70, "{}", largest(&text("b, ", 10), 200));
    // With more rows each, they are written where they are read, with what is added to all of them.
    for t in [2, 50] {
        let plan = planned(&text("b, t, ", 10), &[("b", 200), ("t", t)]);
        assert!(plan.written.iter().any(|w| w.added.is_some()), "{t}");
    }
    for code in [1, 3, 10] {
        for b in [0, 1, 2, 7, 200] {
            Case::new(&text("b, ", code), &[("b", b)], &[]).agrees();
        }
        for (b, t) in [(9, 5), (40, 2), (3, 50), (1, 13), (0, 70), (5, 0)] {
            Case::new(&text("b, t, ", code), &[("b", b), ("t", t)], &[]).agrees();
        }
    }
}
