//! Indices that leave their axes: the same error on every backend, and none where nobody needs the place.
//!
//! The sizes are 0, 1, odd and large; the values stand in the tests.

use crate::suite::Case;
use hnet::bind::init;
use hnet::ir::{Data, Tensor};

fn whole(values: &[i32]) -> Tensor {
    Tensor::new(vec![values.len()], Data::I32(values.to_vec()))
}

fn real(values: &[f32]) -> Tensor {
    Tensor::new(vec![values.len()], Data::F32(values.to_vec()))
}

/// `dim b`, a model with an input `k: i32[b]` and a table of ten rows, and these statements.
fn lookup(rest: &str, k: &[i32]) -> Case {
    let text = format!(
        "dim b\nmodel M {{\n    input k: i32[b]\n    input table: [10]\n{}}}\n",
        rest.lines().map(|l| format!("    {}\n", l.trim())).collect::<String>()
    );
    let table: Vec<f32> = (0..10).map(|n| n as f32 * 2.0).collect();
    Case::new(&text, &[("b", k.len() as i64)], &[("k", whole(k)), ("table", real(&table))])
}

#[test]
fn a_computed_index_outside_is_named_with_its_axis() {
    let y = "output y: [b] = table[k + 5]";
    lookup(y, &[1, 9, 2]).says("H0617", "index 14 is outside of its axis, which has 10 places", "k + 5");
    lookup(y, &[1, -6, 2]).says("H0617", "index -1 is outside of its axis, which has 10 places", "k + 5");
    lookup(y, &[1, -6, -9, 5, 6]).says("H0617", "index 11 is outside of its axis, which has 10 places", "k + 5");
    lookup(y, &[i32::MIN]).says("H0617", "index -2147483643 is outside of its axis, which has 10 places", "k + 5");
    // 32 bits wrap, here as everywhere.
    lookup(y, &[i32::MAX]).says("H0617", "index -2147483644 is outside of its axis, which has 10 places", "k + 5");
    lookup(y, &[-5, 4, 0]).gives("y", &[0.0, 18.0, 10.0]);
    lookup(y, &[]).gives("y", &[]);
    let many: Vec<i32> = (0..70_001).map(|n| if n == 70_000 { 5 } else { n % 5 }).collect();
    lookup(y, &many).says("H0617", "index 10 is outside of its axis, which has 10 places", "k + 5");
}

#[test]
fn a_number_too_large_is_no_place() {
    let text = "dim b\nmodel M {\n    input x: [b]\n    param t: [4] = ones()\n    output y: [b] = t[int(x)]\n}\n";
    let case = |x: &[f32]| Case::new(text, &[("b", x.len() as i64)], &[("x", real(x))]);
    case(&[1.0, f32::INFINITY]).says("H0617", "index 2147483647 is outside of its axis, which has 4 places", "int(x)");
    // `int` of NaN is the least i32, never place 0.
    let nan = case(&[1.0, f32::NAN]);
    nan.says("H0617", "index -2147483648 is outside of its axis, which has 4 places", "int(x)");
    assert!(nan.on_all(&["y"]).unwrap_err().notes.iter().any(|n| n.contains("NaN")));
    case(&[-0.5, 3.9]).gives("y", &[1.0, 1.0]);
    case(&[]).gives("y", &[]);
}

#[test]
fn what_a_condition_keeps_from_being_used_may_hold_anything() {
    let labels = [1, -100, 0, i32::MAX];
    lookup("let own[b] = if k >= 0 and k < 10 { table[k] } else { 0 }\noutput y: [b] = own", &labels)
        .gives("y", &[2.0, 0.0, 0.0, 0.0]);
    lookup("output y: [b] = if k < 0 or k > 9 { -1 } else { table[k] }", &labels).gives("y", &[2.0, -1.0, 0.0, -1.0]);
    lookup("output y: f32 = sum[b where k == 1] table[k]", &labels).gives("y", &[2.0]);
    lookup("output y: f32 = sum[b where k != -100 and k < 9] table[k + 1]", &labels).gives("y", &[6.0]);
    lookup("output y: [b] = table[k] else 7", &labels).gives("y", &[2.0, 7.0, 0.0, 7.0]);
    lookup("output y: [b] = number(k > 0 and k < 9 and table[k] == 2)", &labels).gives("y", &[1.0, 0.0, 0.0, 0.0]);
    lookup("output y: [b] = number(k < 0 or k > 9 or table[k] == 0)", &labels).gives("y", &[0.0, 1.0, 1.0, 1.0]);
    // A condition that lets one through does not help.
    lookup("output y: [b] = if k >= -100 { table[k] } else { 0 }", &labels).says(
        "H0617",
        "index 2147483647 is outside of its axis, which has 10 places",
        "k",
    );
    lookup("output y: f32 = sum[b where k != 0] table[k + 0 * k]", &[0, -3, 2]).says(
        "H0617",
        "index -3 is outside of its axis, which has 10 places",
        "k + 0 * k",
    );
}

#[test]
fn a_condition_on_other_axes_counts_where_it_holds_anywhere() {
    let text = "dim b\ndim t\nmodel M {\n    input k: i32[b]\n    input m: [t]\n    input table: [4]\n    \
                output y: f32 = sum[b, t where m > 0 and k >= 0] m * table[k + 1]\n}\n";
    let case = |m: &[f32], k: &[i32]| {
        let inputs = [("k", whole(k)), ("m", real(m)), ("table", real(&[1.0, 2.0, 3.0, 4.0]))];
        Case::new(text, &[("b", k.len() as i64), ("t", m.len() as i64)], &inputs)
    };
    case(&[0.0, -1.0], &[9, 8]).gives("y", &[0.0]);
    case(&[1.0, 2.0], &[0, -7]).gives("y", &[6.0]);
    case(&[0.0, 2.0], &[0, 3]).says("H0617", "index 4 is outside of its axis, which has 4 places", "k + 1");
    case(&[], &[0, 3]).gives("y", &[0.0]);
}

#[test]
fn bounds_are_understood_and_cost_nothing() {
    let clear = [
        "table[min(max(k, 0), 9)]",
        "table[k mod 10]",
        "table[(k mod 20) div 2]",
        "table[max(min(k + 3, 9), 0)]",
        "if k >= 0 and k < 5 { table[k + 5] } else { 0 }",
        "if not (k < 0 or k > 9) { table[k] } else { 0 }",
        "table[argmax(table)]",
        "table[int(k > 3)]",
    ];
    for e in clear {
        let case = lookup(&format!("output y: [b] = {e} + 0 * k"), &[3, -100, 12]);
        let text = case.source().to_string();
        assert!(!text.contains("inside"), "{e} is not proved:\n{text}");
        case.on_all(&["y"]).unwrap_or_else(|d| panic!("{e}: {d:#?}"));
    }
    for e in ["table[max(k, 0)]", "table[min(k, 9)]", "table[k div 2]", "if k < 10 { table[k] } else { 0 }"] {
        let text = lookup(&format!("output y: [b] = {e}"), &[3]).source().to_string();
        assert!(text.contains("inside"), "{e} is not proved, and nothing is demanded:\n{text}");
    }
}

/// A place that is made of counters, but leaves 32 bits on the way, is another one: so it is looked at.
#[test]
fn a_place_that_wraps_on_the_way_is_no_place() {
    let text = "dim c\nmodel M {\n    input w: [c]\n    input x: [3]\n    \
                let y[i < 3] = x[(i * (count[c] * count[c])) div (count[c] * count[c])]\n    output y: [3] = y\n    \
                output n: f32 = sum[c] w\n}\n"
        .replace("let y[i", "let v[i")
        .replace("= y\n", "= v\n");
    let case = |c: usize| Case::new(&text, &[("c", c as i64)], &[("w", real(&vec![0.0; c])), ("x", real(&[1.0, 2.0, 3.0]))]);
    case(1).gives("y", &[1.0, 2.0, 3.0]);
    case(300).gives("y", &[1.0, 2.0, 3.0]);
    case(40_000).says_of(&["y"], "H0617", "index -1 is outside of its axis, which has 3 places", "");
}

#[test]
fn an_axis_without_places_has_none() {
    let text = "dim b\ndim t\nmodel M {\n    input k: i32[b]\n    input x: [t]\n    output y: [b] = x[t: k mod 9]\n    \
                output top: f32 = x[t: argmax[t] x]\n    output first: f32 = x[t: 0]\n}\n";
    let case = |k: &[i32], x: &[f32]| {
        Case::new(text, &[("b", k.len() as i64), ("t", x.len() as i64)], &[("k", whole(k)), ("x", real(x))])
    };
    case(&[0], &[]).says_of(&["y"], "H0617", "an index is outside of the axis `t`, which has no places", "k mod 9");
    case(&[], &[]).gives("y", &[]);
    case(&[0], &[]).says_of(&["top"], "H0617", "an index is outside of the axis `t`, which has no places", "");
    case(&[0], &[]).says_of(&["first"], "H0618", "this slice goes to place 1 of an axis that has 0", "");
    case(&[1, 1], &[3.0]).says_of(&["y"], "H0617", "index 1 is outside of the axis `t`, which has 1 place", "k mod 9");
    case(&[0], &[3.0]).gives("top", &[3.0]);
    case(&[0], &[3.0]).gives("first", &[3.0]);
}

#[test]
fn nothing_is_said_of_what_is_not_asked_for() {
    let both = "output y: [b] = table[k + 5]\noutput z: [b] = table[k + 1]";
    let case = lookup(both, &[7]);
    case.gives("z", &[16.0]);
    case.says_of(&["z", "y"], "H0617", "index 12 is outside of its axis, which has 10 places", "k + 5");
    // Of several the first in the source.
    lookup(both, &[20]).says("H0617", "index 25 is outside of its axis, which has 10 places", "k + 5");
}

/// Of an input that is an index as it is, too: for the outputs that use it so, and for no other.
#[test]
fn an_input_outside_matters_where_it_is_an_index() {
    let text = "output y: [b] = table[k]\noutput z: i32[b] = k + k\noutput first: [b] = table[0..3][k]";
    lookup(text, &[3, 12]).gives("z", &[6.0, 24.0]);
    lookup(text, &[3, 12]).says_of(&["y"], "H0617", "index 12 is outside of its axis, which has 10 places", "k");
    lookup(text, &[3, -1]).says_of(&["z", "y"], "H0617", "index -1 is outside of its axis, which has 10 places", "k");
    lookup(text, &[3, 9]).gives("y", &[6.0, 18.0]);
    lookup(text, &[3, 9]).says_of(&["first"], "H0617", "index 9 is outside of its axis, which has 3 places", "k");
    lookup(text, &[2]).gives("first", &[4.0]);
    lookup(text, &[]).gives("y", &[]);
    let many: Vec<i32> = (0..70_001).map(|n| if n == 70_000 { 10 } else { n % 10 }).collect();
    lookup(text, &many).says_of(&["y"], "H0617", "index 10 is outside of its axis, which has 10 places", "k");
    // The first in the source, of those that are computed and those that are looked at where they arrive.
    let both = "output y: [b] = table[k + 5]\noutput z: [b] = table[k]";
    lookup(both, &[12]).says("H0617", "index 17 is outside of its axis, which has 10 places", "k + 5");
    lookup(both, &[-3]).says("H0617", "index -3 is outside of its axis, which has 10 places", "k");
}

#[test]
fn an_input_outside_matters_in_loops_and_conditions_too() {
    let text = "dim b\ndim t\nfn walk(k: i32[t], table: [5]) -> f32 {\n    var total = 0.0\n    \
                for t in 0..count[t] { total = total + table[k[t]] }\n    total\n}\n\
                model M {\n    input k: i32[b, t]\n    input table: [5]\n    condition task: i32\n    \
                output y: [b] = walk(k, table)\n    output z: f32 = table[task]\n}\n";
    let case = |k: &[i32], task: i32| {
        let shape = vec![2, k.len() / 2];
        let k = Tensor::new(shape, Data::I32(k.to_vec()));
        let sizes = [("b", 2), ("t", k.shape[1] as i64)];
        let table = real(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        Case::new(text, &sizes, &[("k", k), ("table", table), ("task", init::scalar(task))])
    };
    case(&[0, 1, 2, 3, 4, 0], 7).gives("y", &[6.0, 10.0]);
    case(&[0, 1, 2, 3, 5, 0], 0).says_of(&["y"], "H0617", "index 5 is outside of its axis, which has 5 places", "");
    case(&[0, 1, 2, 3, 5, 0], 4).gives("z", &[5.0]);
    case(&[0, 1], 5).says_of(&["z"], "H0617", "index 5 is outside of its axis, which has 5 places", "task");
    case(&[], -9).gives("y", &[0.0, 0.0]);
}

#[test]
fn rounds_that_do_not_run_read_nothing() {
    let text = "dim b\nfn walk(x: [5], steps: i32) -> f32 {\n    var at = steps * 0\n    var total = 0.0\n    \
                for i in 0..20 until at >= steps { total = total + x[at]; at = at + 1 }\n    total\n}\n\
                model M {\n    input x: [b, 5]\n    input n: i32\n    output y: [b] = walk(x, n)\n}\n";
    let case = |n: i32| {
        let x = Tensor::new(vec![2, 5], Data::F32((0..10).map(|v| v as f32).collect()));
        Case::new(text, &[("b", 2)], &[("x", x), ("n", init::scalar(n))])
    };
    case(3).gives("y", &[3.0, 18.0]);
    case(5).gives("y", &[10.0, 35.0]);
    case(7).says("H0617", "index 6 is outside of its axis, which has 5 places", "at");
}

#[test]
fn an_example_that_is_done_reads_nothing_while_others_go_on() {
    let text = "dim b\nfn walk(x: [5], steps: i32) -> f32 {\n    var at = steps * 0\n    var total = 0.0\n    \
                for i in 0..20 until at >= steps { total = total + x[at + i - i]; at = at + 1 }\n    total\n}\n\
                model M {\n    input x: [b, 5]\n    input n: i32[b]\n    output y: [b] = walk(x, n)\n}\n";
    let case = |n: &[i32]| {
        let x = Tensor::new(vec![n.len(), 5], Data::F32((0..5 * n.len()).map(|v| v as f32).collect()));
        Case::new(text, &[("b", n.len() as i64)], &[("x", x), ("n", whole(n))])
    };
    case(&[1, 5, 3]).gives("y", &[0.0, 35.0, 33.0]);
    case(&[5, 6]).says("H0617", "index 5 is outside of its axis, which has 5 places", "at + i - i");
}

#[test]
fn chosen_experts_are_there() {
    let text = "dim b\nnet Times() {\n    param w: f32 = ones()\n    (x: [2]) -> [2] { w * x }\n}\n\
                model M {\n    input x: [b, 2]\n    input k: i32[b]\n    sub expert[3] = Times()\n    \
                let who[s < 2] = k + s\n    output y: [b, 2] = route x over expert at who by 0.5\n    \
                output z: [b, 2] = expert[k + 1](x)\n}\n";
    let case = |k: &[i32]| {
        let x = Tensor::new(vec![k.len(), 2], Data::F32((0..2 * k.len()).map(|v| v as f32).collect()));
        Case::new(text, &[("b", k.len() as i64)], &[("x", x), ("k", whole(k))])
    };
    case(&[0, 1]).gives("y", &[0.0, 1.0, 2.0, 3.0]);
    case(&[0, 2]).says_of(&["y"], "H0617", "index 3 is outside of the axis `expert`, which has 3 places", "who");
    case(&[0, -4]).says_of(&["z"], "H0617", "index -3 is outside of the axis `expert`, which has 3 places", "k + 1");
    case(&[]).gives("y", &[]);
}

/// Who has no seat may ask for anybody; who has one, for those that are there.
#[test]
fn a_slot_without_a_seat_may_ask_for_any_expert() {
    let text = |capacity: &str| {
        format!(
            "dim b\nnet Times() {{\n    param w: f32 = ones()\n    (x: [2]) -> [2] {{ w * x }}\n}}\n\
             model M {{\n    input x: [b, 2]\n    input k: i32[b]\n    input keep: i32[b]\n    sub expert[3] = Times()\n    \
             let who[s < 2] = if s == 0 {{ k }} else {{ 0 }}\n    \
             output one: [b, 2] = route x over expert at k by 2.0 {{ capacity: {capacity} per [b] }}\n    \
             output two: [b, 2] = route x over expert at who by 1.0 {{ capacity: {capacity} per [b] }}\n    \
             output own: [b, 2] = if keep > 0 {{ route x over expert at k by 1.0 }} else {{ 0 * x }}\n    \
             let has = admitted[b](k, keep)\n    \
             output by: [b, 2] = if has {{ expert[k](x) }} else {{ 0 * x }}\n}}\n"
        )
    };
    let case = |capacity: &str, k: &[i32], keep: &[i32]| {
        let x = Tensor::new(vec![k.len(), 2], Data::F32((0..2 * k.len()).map(|v| v as f32).collect()));
        Case::new(&text(capacity), &[("b", k.len() as i64)], &[("x", x), ("k", whole(k)), ("keep", whole(keep))])
    };
    // No seats: nobody is asked.
    for name in ["one", "two"] {
        case("0", &[9, -100, i32::MIN, 1], &[0; 4]).gives(name, &[0.0; 8]);
    }
    // A seat for each: the one who has it is told.
    let message = "index 9 is outside of the axis `expert`, which has 3 places";
    case("3", &[0, 9, 2], &[1; 3]).says_of(&["one"], "H0617", message, "k");
    case("3", &[0, 9, 2], &[1; 3]).says_of(&["two"], "H0617", message, "who");
    // Who asks for nobody takes no seat from others, and has one, as the first that asks for him.
    case("1", &[9, 2, 2, 2, 2, 2], &[1; 6]).says_of(&["one"], "H0617", message, "k");
    case("3", &[2, 0, 1], &[1; 3]).gives("one", &[0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    case("1", &[2, 2, 0], &[1; 3]).gives("one", &[0.0, 2.0, 0.0, 0.0, 8.0, 10.0]);
    case("1", &[0, 9, 2], &[1, 0, 1]).gives("own", &[0.0, 1.0, 0.0, 0.0, 4.0, 5.0]);
    case("1", &[0, 9, 2], &[1, 1, 1]).says_of(&["own"], "H0617", message, "k");
    case("1", &[0, 9, 2], &[1, 0, 1]).gives("by", &[0.0, 1.0, 0.0, 0.0, 4.0, 5.0]);
    case("1", &[0, 9, 2], &[1, 1, 1]).says_of(&["by"], "H0617", message, "k");
    for name in ["one", "two", "own", "by"] {
        case("1", &[], &[]).gives(name, &[]);
    }
}

#[test]
fn sizes_that_data_give_are_looked_at_first() {
    let text = "dim t\nmodel M {\n    input x: [t]\n    let v[j < count[t]] = x[t: j]\n    output y: [4] = v[0..4]\n    \
                let p = top_k[t](x, 4)\n    output best: [4] = p.value\n    output last: f32 = v[count[t] - 1]\n}\n";
    let case = |n: usize| Case::new(text, &[("t", n as i64)], &[("x", real(&(0..n).map(|v| v as f32).collect::<Vec<_>>()))]);
    case(3).says_of(&["y"], "H0618", "this slice goes to place 4 of an axis that has 3", "");
    case(3).says_of(&["best"], "H0618", "this asks for the first 4 of an axis that has 3", "");
    case(0).says_of(&["best"], "H0618", "this asks for the first 4 of an axis that has 0", "");
    case(0).says_of(&["last"], "H0618", "this slice begins at place -1", "");
    case(3).gives("last", &[2.0]);
    case(4).gives("y", &[0.0, 1.0, 2.0, 3.0]);
    case(5).gives("best", &[4.0, 3.0, 2.0, 1.0]);
}

#[test]
fn a_scatter_by_equality_leaves_out_what_has_no_place() {
    lookup("let hits[t < 4] = sum[b where k == t] 1.0\noutput y: [4] = hits", &[1, -100, 3, 1, 9])
        .gives("y", &[0.0, 2.0, 0.0, 1.0]);
}

#[test]
fn a_demand_of_a_parameter_is_made_in_every_run() {
    let text = "dim b\nmodel M {\n    condition task: i32 = 0\n    input x: [b]\n    param t: [3] = ones()\n    \
                output y: [b] = x * t[task + 1]\n}\n";
    let case = |task| Case::new(text, &[("b", 1)], &[("x", real(&[2.0])), ("task", init::scalar(task))]);
    case(1).gives("y", &[2.0]);
    case(2).says("H0617", "index 3 is outside of its axis, which has 3 places", "task + 1");
}
