//! A choice for each row: the rows that a side is for are brought together, and what comes out is what computing all of them gives.
//! Some rows, all, none; conditions that are NaN; rows that hold no number where nobody looks; values that other rows look at.

use crate::suite::{Case, Way, floats};
use hnet::fuzz::check::model;
use hnet::plan;

const NETS: &str = "
import std.linear { Linear }
import std.math { gelu_tanh }
dim t
net Block(d, h) {
    sub up = Linear(d, h)
    sub down = Linear(h, d)
    (x: [d]) -> [d] { x |> up |> gelu_tanh |> down }
}
";

/// A model of two blocks of 32 numbers, with this output of `x` by the gate `g`, row by row.
fn text(output: &str) -> String {
    let head = "model M {\n    input x: [t, 32]\n    input g: [t]\n    sub a = Block(32, 96)\n    sub b = Block(32, 128)\n";
    format!("{NETS}{head}    {output}\n}}\n")
}

/// The text of the plan at so many rows.
fn planned(text: &str, t: i64) -> String {
    let model = model(text).unwrap_or_else(|f| panic!("{}", f.detail));
    let graph = hnet::opt::optimize(&model.graph, &mut |_, _| {});
    let wanted: Vec<_> = graph.outputs.iter().map(|o| o.node).collect();
    let sizes = [(hnet::ir::Sym::from("t"), t)].into_iter().collect();
    plan::plan(&graph, &wanted, &sizes).unwrap_or_else(|d| panic!("{}", d.message)).to_string()
}

/// Gates of so many rows: of all kinds, open, shut, no numbers, the first alone, the last alone.
fn gates(t: usize) -> Vec<Vec<f32>> {
    let kinds = [2.0, -1.0, f32::NAN, 0.5, 0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, 1.5, -3.0, 0.25];
    let one = |k: usize| (0..t).map(|i| if i == k { 1.0 } else { -1.0 }).collect();
    let mixed = (0..t).map(|i| kinds[i * 7 % kinds.len()]).collect();
    vec![mixed, vec![1.0; t], vec![-1.0; t], vec![f32::NAN; t], one(0), one(t.saturating_sub(1))]
}

fn agrees(text: &str, rows: &[usize]) {
    for &t in rows {
        for gate in gates(t) {
            Case::new(text, &[("t", t as i64)], &[("g", floats(&gate))]).on(&[Way::Native(1), Way::Optimized(2)]).agrees();
        }
    }
    let (mixed, t) = (gates(97).remove(0), 97);
    Case::new(text, &[("t", t)], &[("g", floats(&mixed))]).agrees();
}

const ROWS: [usize; 4] = [0, 1, 2, 96];

#[test]
fn one_side() {
    let text = text("output y: [t, 32] = if g > 0.25 { x + g * a(x) } else { x }");
    let plan = planned(&text, 96);
    assert_eq!(plan.matches("rows where ").count(), 1, "{plan}");
    // So few rows are not worth it.
    assert!(!planned(&text, 8).contains("rows where "));
    agrees(&text, &ROWS);
}

#[test]
fn both_sides_and_sides_within() {
    let both = text("output y: [t, 32] = if g > 0 { a(x) } else { b(x) }");
    let plan = planned(&both, 96);
    assert_eq!((plan.matches("rows where ").count(), plan.matches("rows where not ").count()), (2, 1), "{plan}");
    agrees(&both, &ROWS);
    let within = text("output y: [t, 32] = if g > 0 { if g > 1 { a(x) } else { b(x) } } else { relu(x) }");
    let plan = planned(&within, 96);
    assert!(plan.contains(" and not "), "{plan}");
    agrees(&within, &[1, 96]);
}

/// What others look at is computed in all rows; what looks across rows sees all of them.
#[test]
fn across_rows() {
    let spread = text("let mean_a[i] = mean[t] a(x[t])[i]\n    output y: [t, 32] = if g > 0 { x + mean_a } else { x }");
    assert!(!planned(&spread, 96).contains("rows where "));
    agrees(&spread, &[1, 96]);
    let used = text("let v = a(x)\n    output y: [t, 32] = if g > 0 { v } else { x }\n    output most: [32] = max[t] v[t]");
    assert!(!planned(&used, 96).contains("rows where "));
    agrees(&used, &[1, 96]);
    // The sum is across rows, its terms are not: the side is for rows still.
    let summed = text("output y: [32] = sum[t] (if g[t] > 0 { a(x[t]) } else { 0 * x[t] + 1 })");
    agrees(&summed, &[0, 1, 96]);
    let numbered = text("let y_of[t] = if g[t] > 0 { a(x[t] * t) } else { x[t] }\n    output y: [t, 32] = y_of");
    agrees(&numbered, &[1, 96]);
}

/// A row that is not for a side may hold anything.
#[test]
fn what_is_not_kept_is_not_looked_at() {
    let text = text("output y: [t, 32] = if g > 0 { a(x) } else { b(x) * 0.5 }");
    let t = 96;
    let gate: Vec<f32> = (0..t).map(|i| if i % 3 == 0 { 1.0 } else { -1.0 }).collect();
    let x: Vec<f32> = (0..t * 32).map(|i| if i / 32 % 5 == 4 { f32::NAN } else { (i % 17) as f32 * 0.1 - 0.8 }).collect();
    Case::new(&text, &[("t", t)], &[("g", floats(&gate)), ("x", floats(&x))]).agrees();
}

/// More rows than go through at a time: the same bits on any number of threads.
#[test]
fn many_rows() {
    let text = text("output y: [t, 32] = if g > 0 { x + a(x) } else { x }");
    // One tile, two that are hardly more than one, two full ones, some.
    for t in [1100, 2300, 4500, 9000] {
        let gate: Vec<f32> = (0..t).map(|i| if i % 9 == 4 { -1.0 } else { 1.0 }).collect();
        let case = Case::new(&text, &[("t", t)], &[("g", floats(&gate))]);
        let runs = [1, 2, 3, 5].map(|n| case.run(Way::Optimized(n)).expect("native").unwrap_or_else(|d| panic!("{}", d.message)));
        assert!(runs.iter().all(|r| r[0].same_bits(&runs[0][0])), "{t} rows");
        case.on(&[Way::Optimized(2)]).agrees();
    }
}
