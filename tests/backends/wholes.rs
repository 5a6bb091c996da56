//! Whole numbers stay whole: literals, sides of an `if`, variables, sums and products. By hand, on every backend.

use crate::brothers::{gives, says};

#[test]
fn literals_take_the_type_of_what_they_meet() {
    let text = "model M {
    input x: [3]
    input k: i32[3]
    let a = if x[0] > 0 { 4 } else { 0 }
    let c = if x[0] > 0 { 4 } else { 0.5 }
    let d = if x[0] > 5 { 4 } else { k[1] }
    let ones[i < 3] = 1
    output a: i32 = a
    output c: f32 = c / 8
    output d: i32 = d
    output e: i32 = sum[i where x[i] < 0.5] 1
    output f: i32 = sum[i] 2 * k[i]
    output g: i32 = sum[i] k[i] * k[i] * ones[i]
    output h: f32 = sum[i] k[i] * x[i]
    output l: f32 = mean[i] k[i]
    output m: i32 = max(a, 2)
    output n: i32[3] = [1, k[0], 3]
    output o: i32[4] = concat([1, 2], [3, 4])
    output p: f32 = sum[i] k[i] / 2
    output q: i32 = max[i] k[i] + 1
}
"
    .replace("    output a:", "    output aa:")
    .replace("    output c:", "    output cc:")
    .replace("    output d:", "    output dd:");
    let wants: &[(&str, &[f64])] = &[
        ("aa", &[4.0]),
        ("cc", &[0.5]),
        ("dd", &[7.0]),
        ("e", &[2.0]),
        ("f", &[16_777_217.0 * 2.0 + 14.0 - 2.0]),
        ("h", &[16_777_217.0 * 0.9 + 7.0 * 0.25 - 0.1]),
        ("m", &[4.0]),
        ("n", &[1.0, 16_777_217.0, 3.0]),
        ("o", &[1.0, 2.0, 3.0, 4.0]),
        ("q", &[16_777_218.0]),
    ];
    // A whole number that no f32 is: sums of products keep it.
    gives(&text, &[], &[("x", &[0.9, 0.25, 0.1]), ("k", &[16_777_217.0, 7.0, -1.0])], wants);
    let small: &[(&str, &[f64])] = &[("g", &[9.0 + 49.0 + 1.0]), ("l", &[3.0]), ("p", &[4.5])];
    gives(&text, &[], &[("x", &[0.9, 0.25, 0.1]), ("k", &[3.0, 7.0, -1.0])], small);
}

#[test]
fn variables_are_whole_until_something_real_is_assigned() {
    let text = "dim b
dim t
model M {
    input x: [b, t]
    var n = 0
    for t in 0..count[t] { n = if x[t] > 0 { n + 1 } else { n } }
    var h = 0
    for t in 0..count[t] { h = 0.5 * h + x[t] }
    var steps = 0
    for l in 0..40 until steps * steps > 30 { steps = steps + l }
    var last = 0
    for l in 0..3 { last = l + 1 }
    var real: f32 = 0
    for l in 0..3 { real = real + 1 }
    output count_of: i32[b] = n
    output h_of: [b] = h
    output steps_of: i32 = steps
    output last_of: i32 = last
    output real_of: f32 = real / 2
}
";
    let wants: &[(&str, &[f64])] = &[
        ("count_of", &[2.0, 0.0]),
        ("h_of", &[0.25 - 1.0 + 3.0, -1.75]),
        ("steps_of", &[6.0]),
        ("last_of", &[3.0]),
        ("real_of", &[1.5]),
    ];
    gives(text, &[("b", 2), ("t", 3)], &[("x", &[1.0, -2.0, 3.0, -1.0, -1.0, -1.0])], wants);
    let none: &[(&str, &[f64])] = &[("count_of", &[0.0]), ("h_of", &[0.0])];
    gives(text, &[("b", 1), ("t", 0)], &[("x", &[])], none);
    says("model M {\n    var n: i32 = 0.5\n    output y: i32 = n\n}\n", "H0336");
}

/// What is declared whole takes nothing real, wherever it is written: in silence it would be real, or cut off.
#[test]
fn what_is_declared_holds() {
    let model = |members: &str| format!("dim b\nmodel M {{\n    input x: f32\n    input k: i32[b]\n{members}\n}}\n");
    let body = |body: &str| format!("fn f(x: f32) -> f32 {{\n{body}\n}}\n{}", model("    output y: f32 = f(x)"));
    for (text, code) in [
        (model("    output y: i32 = 0.5"), "H0336"),
        (model("    output y: i32 = 3 / 2"), "H0336"),
        (model("    output y: bool = 1"), "H0336"),
        (model("    state n: i32 = zeros()\n    update n = x\n    output y: f32 = n"), "H0336"),
        (model("    state n: i32[2] = zeros()\n    update n = [0.5, 1]\n    output y: f32 = n[0]"), "H0336"),
        (model("    state n: i32 = fill(0)\n    init n = 0.5 * 3\n    output y: f32 = n"), "H0336"),
        (model("    state n: i32[3] = zeros()\n    init n[i] = i / 2\n    output y: f32 = n[0]"), "H0336"),
        (model("    state n: i32 = exponential()\n    output y: f32 = n"), "H0336"),
        (model("    load n: i32\n    generate n from x\n    output y: f32 = n"), "H0336"),
        (model("    load n: i32[3]\n    adapt n by 0.5\n    output y: f32 = n[0]"), "H0336"),
        (model("    load n: i32[3]\n    scale n by x\n    output y: f32 = n[0]"), "H0336"),
        (model("    load n: i32[3]\n    generate n[i] from 0.5 * i\n    output y: f32 = n[0]"), "H0336"),
        (body("    var n: i32 = 0\n    n = 0.5 * x\n    n / 2"), "H0336"),
        (body("    var n: i32 = 0\n    n = 0.5\n    n / 2"), "H0336"),
        (body("    var n: i32[2] = zeros()\n    n[1] = x\n    n[1] / 2"), "H0336"),
        (body("    var n: i32 = 0\n    for i in 0..1000 { n = n + 0.5 }\n    n / 2"), "H0336"),
        (body("    var n: i32 = 0\n    if x > 0 { n = x }\n    n / 2"), "H0336"),
        (body("    var n: f32 = 0\n    n = x > 0\n    number(n)"), "H0336"),
        (body("    var n: f32 = 0\n    n = [x, x]\n    sum(n)"), "H0503"),
        (body("    var n = true\n    n = 0.5\n    n / 2"), "H0503"),
        (body("    var n = 1.0\n    n = x > 0\n    number(n)"), "H0503"),
        ("fn f(x: f32) -> i32 { 0.5 }\n".to_string() + &model("    output y: f32 = f(x)"), "H0336"),
        ("fn f(x: f32) -> bool { 1 }\n".to_string() + &model("    output y: bool = f(x)"), "H0336"),
        ("fn f(x: f32) -> (n: i32) { (n: 0.5) }\n".to_string() + &model("    output y: i32 = f(x).n"), "H0336"),
        // What is declared real is real, also where a whole number is given.
        ("fn f(k: i32, e: f32) -> i32 { k * e }\n".to_string() + &model("    output y: i32[b] = f(k, 2)"), "H0336"),
        (
            "net N(e: f32) {\n    (k: i32) -> i32 { k * e }\n}\n".to_string()
                + &model("    sub n = N(7)\n    output y: i32[b] = n(k)"),
            "H0336",
        ),
    ] {
        says(&text, code);
    }
    let text = "fn whole() -> i32 { 4 / 2 }
fn real(k: i32, e: f32) -> f32 { k * e * k }
model M {
    input k: i32
    state n: i32[2] = zeros()
    param table: i32[2] = fill(1)
    param other: i32[2]
    update n = n + k
    adapt table by k
    generate other[i] from i + k
    var v: i32 = 0
    v = 2 * k
    var part: i32[2] = zeros()
    part[1] = v
    output a: i32 = whole()
    output c: f32 = real(k, 3)
    output d: i32[2] = table + other
    output e: i32[2] = part
}
";
    let wants: &[(&str, &[f64])] =
        &[("a", &[2.0]), ("c", &[3.0 * 50_000.0 * 50_000.0]), ("d", &[100_001.0, 100_002.0]), ("e", &[0.0, 100_000.0])];
    gives(text, &[], &[("k", &[50_000.0])], wants);
}

#[test]
fn products_of_whole_numbers_are_whole() {
    let text = "model M {
    input k: i32[3]
    output a: i32 = prod[i] k[i]
    output c: i32 = prod[i where k[i] > 5] k[i]
    output d: i32 = prod(k)
    output e: f32 = prod[i] k[i] / 2
}
";
    let wants: &[(&str, &[f64])] =
        &[("a", &[3.0 * 5.0 * 16_777_217.0]), ("c", &[16_777_217.0]), ("d", &[3.0 * 5.0 * 16_777_217.0])];
    gives(text, &[], &[("k", &[3.0, 5.0, 16_777_217.0])], wants);
    // Beyond 32 bits it wraps, as a sum does: 2^33 - 2^16 leaves -2^16.
    let wraps: &[(&str, &[f64])] = &[("a", &[-65_536.0]), ("c", &[-65_536.0])];
    gives(text, &[], &[("k", &[131_071.0, 65_536.0, 1.0])], &wraps[..1]);
    let small: &[(&str, &[f64])] = &[("e", &[7.5]), ("c", &[1.0])];
    gives(text, &[], &[("k", &[3.0, 5.0, 4.0])], small);
}

#[test]
fn yields_of_whole_numbers_are_whole() {
    let text = "dim t
model M {
    input x: [t]
    let known = for l in 0..4 { yield l * l }
    let counted[t] = for t in 0..count[t] { yield if x[t] > 0 { 2 } else { 1 } }
    output a: i32[4] = known
    output c: i32[t] = counted
}
";
    let wants: &[(&str, &[f64])] = &[("a", &[0.0, 1.0, 4.0, 9.0]), ("c", &[2.0, 1.0, 2.0])];
    gives(text, &[("t", 3)], &[("x", &[1.0, -1.0, 1.0])], wants);
}
