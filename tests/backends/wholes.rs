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
    says("model M {\n    var n: i32 = 0.5\n    output y: i32 = n\n}\n", "H0304");
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
