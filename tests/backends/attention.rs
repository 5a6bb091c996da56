//! Attention whose scores are not written down: blocks of queries of all sizes, keys that a query may not look at, groups of heads, many
//! keys; what is no number goes where it goes when all is written down.

use crate::suite::{Case, Way, floats};
use crate::windows::planned;

const NATIVE: [Way; 3] = [Way::Native(1), Way::Optimized(1), Way::Optimized(2)];

/// Whether scores of the text's plan lie in memory nowhere, at these sizes.
fn is_free(text: &str, dims: &[(&str, i64)]) -> bool {
    !planned(text, dims).attends.is_empty()
}

/// Attention over tensors that are given: `t` queries, `s` keys.
fn given(scores: &str, filter: &str) -> String {
    format!(
        "dim b\ndim t\ndim s\nmodel M {{\n    input q: [b, t, 6]\n    input k: [b, s, 6]\n    input v: [b, s, 9]\n\
         \x20   let p[b, t, s] = softmax[s{filter}] {scores}\n    let y[b, t, e < 9] = sum[s] p[b, t, s] * v[b, s, e]\n    output out: [b, t, 9] = y\n}}\n"
    )
}

const PLAIN: &str = "sum[e] q[b, t, e] * k[b, s, e]";
const CAUSAL: &str = " where s <= t";

fn dims(b: i64, t: i64, s: i64) -> [(&'static str, i64); 3] {
    [("b", b), ("t", t), ("s", s)]
}

#[test]
fn queries_and_keys_of_all_numbers() {
    for (scores, filter) in [
        (PLAIN.to_string(), ""),
        (PLAIN.to_string(), CAUSAL),
        (format!("0.25 * {PLAIN}"), CAUSAL),
        (format!("({PLAIN}) * -3"), ""),
        (format!("0 * {PLAIN}"), CAUSAL),
    ] {
        let text = given(&scores, filter);
        assert!(is_free(&text, &dims(2, 30, 30)), "{text}");
        for (t, s) in [(8, 16), (13, 17), (49, 33), (48, 96), (100, 40), (40, 100), (8, 300)] {
            Case::new(&text, &dims(2, t, s), &[]).on(&NATIVE).agrees();
        }
    }
    // Too few to pay, or none.
    let text = given(PLAIN, CAUSAL);
    for at in [dims(2, 7, 40), dims(2, 40, 15), dims(0, 20, 20), dims(2, 0, 20), dims(3, 1, 1)] {
        assert!(!is_free(&text, &at) || at[0].1 == 0, "{at:?}");
        Case::new(&text, &at, &[]).on(&NATIVE).agrees();
    }
    Case::new(&given(PLAIN, ""), &dims(2, 20, 0), &[]).on(&NATIVE).agrees();
}

/// More keys than are summed in f32 alone; a value that is no number far behind makes all of them count.
#[test]
fn many_keys() {
    let at = dims(1, 9, 4500);
    Case::new(&given(PLAIN, ""), &at, &[]).on(&NATIVE).agrees();
    let mut v: Vec<f32> = (0..4500 * 9).map(|k| ((k * 7) % 11) as f32 * 0.2 - 1.0).collect();
    v[4400 * 9 + 2] = f32::NAN;
    Case::new(&given(PLAIN, CAUSAL), &at, &[("v", floats(&v))]).on(&NATIVE).agrees();
}

#[test]
fn nets_of_the_library() {
    for (net, b) in [
        ("Attention(24, 3)", 1),
        ("CausalAttention(24, 3)", 2),
        ("CausalAttention(24, 1)", 1),
        ("RotaryAttention(64, 4)", 2),
        ("GroupedAttention(64, 8, 2)", 1),
        ("GroupedAttention(64, 4, 1)", 3),
        ("GroupedAttention(64, 8, 2, causal: false, norm: true)", 1),
    ] {
        let name = net.split_once('(').map_or("", |n| n.0);
        let d = if net.contains("(24") { 24 } else { 64 };
        let text = format!(
            "import std.attention {{ {name} }}\ndim b\ndim t\nmodel M {{\n    input x: [b, t, {d}]\n    sub a = {net}\n\
             \x20   output y: [b, t, {d}] = a(x)\n}}\n"
        );
        assert!(is_free(&text, &[("b", b), ("t", 40)]), "{net}");
        for t in [16, 57] {
            Case::new(&text, &[("b", b), ("t", t)], &[]).on(&NATIVE).agrees();
        }
    }
}

/// Where weights are asked for, or scores are anything else, they are written down.
#[test]
fn what_is_asked_for_is_there() {
    let at = dims(2, 20, 20);
    let asked = given(PLAIN, "").replace("\n}\n", "\n    output w: [b, t, s] = p\n}\n");
    let other = given(PLAIN, " where s < t + 1 and s + 3 > t");
    let bent = given(&format!("tanh({PLAIN})"), CAUSAL);
    for text in [&asked, &other, &bent] {
        assert!(!is_free(text, &at), "{text}");
        Case::new(text, &at, &[]).on(&NATIVE).agrees();
    }
}

/// NaN and infinities among queries, keys and values, behind a query's place and before it.
#[test]
fn what_is_no_number() {
    let (t, s) = (60usize, 60usize);
    let plain = |n: usize, by: usize| (0..n).map(|k| ((k * by) % 11) as f32 * 0.2 - 1.0).collect::<Vec<f32>>();
    for filter in ["", CAUSAL] {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38] {
            for which in 0..3 {
                let (mut q, mut k, mut v) = (plain(t * 6, 3), plain(s * 6, 5), plain(s * 9, 7));
                match which {
                    0 => q[20 * 6 + 1] = bad,
                    1 => k[30 * 6 + 2] = bad,
                    _ => (v[50 * 9 + 3], v[9 * 9 + 8]) = (bad, if bad == 3e38 { bad } else { 0.5 }),
                }
                let inputs = [("q", floats(&q)), ("k", floats(&k)), ("v", floats(&v))];
                Case::new(&given(PLAIN, filter), &dims(1, t as i64, s as i64), &inputs).on(&NATIVE).agrees();
            }
        }
    }
    // Every score of a row is minus infinity.
    let (q, k) = (vec![f32::NEG_INFINITY; t * 6], vec![1.0; s * 6]);
    let inputs = [("q", floats(&q)), ("k", floats(&k)), ("v", floats(&plain(s * 9, 7)))];
    Case::new(&given(PLAIN, CAUSAL), &dims(1, t as i64, s as i64), &inputs).on(&NATIVE).agrees();
}
