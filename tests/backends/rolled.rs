//! Rounds that are written out and those that are a loop mean the same: each program in both forms, on every backend.
//!
//! What the pass makes a loop is seen from the graph's text, so that a case which is meant to roll does.

use super::suite::Case;
use super::suite::Way::{Native, Optimized, OptimizedDevice, Passes};
use hnet::fuzz::check::model;
use hnet::ir::verify::verify;
use hnet::ir::{Graph, Op};
use hnet::opt::{optimize, pass, rolled};

/// The loops of a graph and of their bodies: the rounds of each.
fn loops(graph: &Graph) -> Vec<String> {
    let mut out = vec![];
    for id in graph.ids() {
        if let Op::Loop(body) = &graph.node(id).op {
            out.push(body.trips.to_string());
            out.extend(loops(&body.graph));
        }
    }
    out
}

/// A program whose loops are written out, and its graph where so many nodes are a loop already.
fn both(text: &str, large: usize) -> (Case, Graph) {
    let case = Case::new(text, &[("b", 3)], &[]);
    let needed = (pass("dce").expect("a pass").run)(case.source());
    let graph = rolled(&needed, large);
    verify(&graph).unwrap_or_else(|why| panic!("{why}\n{text}\n{graph}"));
    assert_eq!(rolled(&needed, large).to_string(), graph.to_string(), "the same graph gives the same graph");
    (case, graph)
}

/// Both forms agree; the loops of the one that has some.
fn alike(text: &str) -> Vec<String> {
    let (case, graph) = both(text, 24);
    let found = loops(&graph);
    let after = optimize(&graph, &mut |_, _| {});
    case.on(&[Native(1), Passes, Optimized(1), OptimizedDevice]).becomes(graph).agrees();
    both(text, 24).0.on(&[Passes, Optimized(2)]).becomes(after).agrees();
    found
}

/// A model around the rounds of `h` from `x`, in which `w` is a matrix.
fn around(before: &str, rounds: &str) -> String {
    format!(
        "dim b
net Field() {{
    param w: [4, 4] = normal(std: 0.4)
    (h: [4], t: f32) -> [4] {{ let v = tanh(h @ w + t); v }}
}}
model M {{
    sub f = Field()
    param w: [4, 4] = normal(std: 0.4)
    input x: [b, 4]
    input first: [b, 4]
    var h = x
    var old = first
    var number = 0.0
    {before}
    {rounds}
    output last: [b, 4] = h
    output before: [b, 4] = old
    output count: f32 = number
}}"
    )
}

#[test]
fn rounds_that_are_alike_become_a_loop() {
    let rolls = [
        ("", "for k in 0..12 { h = tanh(h @ w) + 0.5 * h }"),
        // The number of a round, counted and looked up, as a number and as a place.
        ("", "for k in 0..12 { h = h + f(h, k / 12) / 12 }"),
        ("", "for k in 3..15 { h = tanh(tanh(h @ w) + 0.1) * cos(k / 12 * 3.14) + k * h * 0.01 - k^3 * 1e-5 }"),
        ("let c[i < 14] = sin(i)", "for k in 1..13 { h = tanh(h @ w) + c[k] + c[k - 1] * c[k + 1] }"),
        ("", "for k in rev 0..12 { h = tanh(h @ w) * (1 - k / 24) + k * 0.01 }"),
        // What rounds before the last one have left.
        ("", "for k in 0..12 { let next = h + 0.1 * tanh(h @ w) + 0.5 * (h - old); old = h; h = next }"),
        // A number that is one in all rounds.
        ("", "for k in 0..12 { number = number + 0.1; h = tanh(h @ w) * number + 0.2 }"),
        // The first round, and the last, are another matter.
        ("", "for k in 0..14 { h = if k == 0 { 2 * h } else { tanh(h @ w) + 0.1 * h * k } }"),
        ("", "for k in 0..14 { h = if k < 13 { tanh(h @ w) + 0.1 * h } else { h @ w } }"),
        // What all rounds share.
        ("", "for k in 0..12 { let c[b] = sum[j] first[b, j]^2; h = tanh(h @ w) + 0.01 * c }"),
        // A loop in a loop.
        ("", "for k in 0..12 { for j in 0..3 { h = tanh(h @ w) + j * 0.1 * h + k / 100 }; h = tanh(h @ w) }"),
    ];
    for (before, rounds) in rolls {
        let found = alike(&around(before, rounds));
        assert!(found.iter().any(|n| n.parse::<usize>().is_ok_and(|n| n >= 8)), "{found:?}: {rounds}");
    }
}

#[test]
fn what_is_yielded_is_one_value_in_both_forms() {
    for range in ["0..12", "rev 0..12", "2..14"] {
        let yields = format!("let seen = for k in {range} {{ h = tanh(h @ w) + 0.1 * h * k; yield (h: h, one: sum[j] h[j]) }}");
        let text = around("", &yields).replace(
            "output count",
            "output each: [12, b, 4] = seen.h
    output ones: [12, b] = seen.one
    output some: [b, 4] = seen.h[7]
    output count",
        );
        let found = alike(&text);
        assert_eq!(found.len(), 1, "{found:?}: {range}");
    }
}

#[test]
fn rounds_that_are_not_alike_stay_written_out() {
    let stay = [
        // Each draw has a key of its own.
        ("", "for k in 0..12 { draw e: [b, 4] = normal(); h = tanh(h @ w) + 0.1 * e }"),
        // What a layer has is prepared; picking it in each round would copy it.
        ("param each: [12, 4, 4] = normal()", "for k in 0..12 { h = tanh(h @ each[k]) + 0.1 * h }"),
        // So few rounds.
        ("", "for k in 0..6 { h = tanh(h @ w) + 0.5 * h; h = tanh(h @ w) + 0.25 * h; h = tanh(h @ w) - 0.25 * h }"),
        // One round is not as the next.
        (
            "let share[i < 4] = 1 + i",
            "for k in 0..12 { h = if k mod 2 == 0 { tanh(h @ w) } else { h @ w } + 0.1 * h * share[k mod 4] }",
        ),
    ];
    for (before, rounds) in &stay[..3] {
        assert_eq!(alike(&around(before, rounds)), Vec::<String>::new(), "{rounds}");
    }
    // Rounds that are alike by twos are a loop of half as many.
    let (before, rounds) = stay[3];
    alike(&around(before, rounds));
}

#[test]
fn a_derivative_through_rounds_is_one_through_a_loop() {
    let text = around("", "for k in 0..20 { h = tanh(h @ w) + 0.5 * h * k / 20 }").replace(
        "output count",
        "let far = sum[b, j] h[b, j]^2
    output slope: [b, 4] = grad(far, x)
    output matrix: [4, 4] = grad(far, w)
    output count",
    );
    alike(&text);
}

/// Where rounds come to many nodes is the only place where the forms part; there the values go on as they were.
#[test]
fn at_the_edge_nothing_is_seen_but_the_graph() {
    let text = |rounds: usize| {
        format!(
            "model M {{
    input x: f32
    var h = x
    var sum_ = 0.0
    for k in 0..{rounds} {{
        h = h / 2 + k
        sum_ = sum_ + h * (k mod 2) - h / 4
        let a = sum_ * 0.5; let c = a + h; let d = c * 0.25; let e = d - a
        sum_ = sum_ + e * 0.001
    }}
    output y: f32 = h
    output z: f32 = sum_
}}"
        )
    };
    let mut forms = std::collections::BTreeSet::new();
    for rounds in [50, 100, 150, 200, 511, 512] {
        let case = Case::new(&text(rounds), &[], &[]);
        forms.insert(loops(&optimize(case.source(), &mut |_, _| {})).len());
        case.agrees();
    }
    assert!(forms.contains(&0) && forms.len() > 1, "{forms:?}");
}

/// `h` goes to half of itself and a number in each round: by hand, `2^-n x + sum of 2^(k + 1 - n) k`.
#[test]
fn many_rounds_by_hand() {
    let rounds = 512;
    let body = "let a = h * 2; let c = a + k; let d = c - h; let e = d / 2; let g = e * 2; let i = g - h; let j = i + h; let l = j / 4 + k / 4; h = l * 1";
    let text = format!(
        "model M {{\n input x: f32\n var h = x\n let seen = for k in 0..{rounds} {{ {body}; yield h }}\n output y: f32 = h\n output each: [{rounds}] = seen\n}}"
    );
    let case = Case::new(&text, &[], &[("x", super::suite::numbers(&[8.0]))]);
    let found = loops(&optimize(case.source(), &mut |_, _| {}));
    assert_eq!(found.len(), 1, "{found:?}");
    // h' = (2 h + k - h) / 2 * 2 - h + h, a quarter of it, and a quarter of k.
    let mut h = 8.0;
    let mut all = vec![];
    for k in 0..rounds {
        h = (h + f64::from(k)) / 4.0 + f64::from(k) / 4.0;
        all.push(h);
    }
    case.gives("each", &all);
    case.gives("y", &all[all.len() - 1..]);
    assert!(model(&text).is_ok());
}

/// What a round of a random program does; `#` is a number of its own.
const STATEMENTS: [&str; 14] = [
    "h = tanh(h @ w) + 0.1 * h * k",
    "old = h * 0.5 + old * 0.25",
    "let next# = h + 0.1 * old; old = h; h = next#",
    "number = number * 0.5 + k",
    "h = h * 0.5 + c[k] * 0.1",
    "h = h * 0.5 + c[39 - 2 * k] * number * 0.01",
    "h = if k mod 3 == 1 { h * 0.5 } else { h + 0.1 * old }",
    "h = if k > 3 { tanh(h + old) } else { h @ w }",
    "h = h + sin(k) * 0.1",
    "old = tanh(old + first * (k / 7))",
    "for j in 0..3 { h = h * 0.9 + j * 0.01 * old }",
    "h = f(h, k * 0.25)",
    "let v#[b] = sum[i] h[b, i] * old[b, i]; h = h * 0.5 + 0.01 * v#",
    "let before# = sum[b, i] first[b, i]^2; old = old * 0.5 + before# * 0.01",
];

#[test]
fn random_rounds_mean_the_same_in_both_forms() {
    let mut state = 7u64;
    let mut some = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let mut rolled = 0;
    for _ in 0..40 {
        let statements: Vec<String> =
            (0..1 + some(4)).map(|n| STATEMENTS[some(STATEMENTS.len())].replace('#', &n.to_string())).collect();
        let range = format!("{}{}..{}", ["", "rev "][some(2)], some(3), 11 + some(6));
        let gives = ["", "; yield h", "; yield (a: h, c: old)"][some(3)];
        let body = statements.join("; ");
        let (before, after) = match gives {
            "" => ("", ""),
            "; yield h" => ("let seen = ", "output seen_: f32 = sum[b, i] seen[2, b, i] + sum[k, b, i] seen[k, b, i]"),
            _records => ("let seen = ", "output seen_: f32 = sum[k, b, i] seen.a[k, b, i] * seen.c[k, b, i]"),
        };
        let rounds = format!("{before}for k in {range} {{ {body}{gives} }}\n    {after}");
        rolled += usize::from(!alike(&around("let c[i < 40] = sin(i)", &rounds)).is_empty());
    }
    assert!(rolled > 20, "{rolled} of 40");
}
