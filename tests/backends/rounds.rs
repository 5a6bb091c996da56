//! Loops whose rounds become an axis: wherever the loop stands in what is given under the axis' name.

use super::suite::{Case, numbers};

const TEXT: &str = "dim t
const plain = 1
fn known(x: [t]) -> [t] {
    var h = 0.0
    let y[t] = if plain == 1 {
        let keep = 0.5
        for t in 0..count[t] { h = keep * h + x[t]; yield h }
    } else {
        for t in 0..count[t] { h = x[t] - h; yield h }
    }
    y
}
fn told(x: [t], which: i32) -> [t] {
    var h = 0.0
    let y[t] = if which == 0 {
        for t in 0..count[t] { h = 0.5 * h + x[t]; yield h }
    } else if which == 1 {
        for t in 0..count[t] { h = x[t] - h; yield h }
    } else { x[t] }
    y
}
fn each_row(x: [t, m]) -> [m, t] {
    let y[m, t] = for t in 0..count[t] { yield x[t] * 10 }
    y
}
model M {
    input x: [t]
    const three = 3
    var h = 0.0
    let short[i] = if plain == 2 { for i in 0..three { h = h + 1; yield h } } else { for i in 0..three { h = h + 2; yield h } }
    let pairs[t, m < 2] = x[t] + m
    output a: [t] = known(x)
    output b: [t] = told(x, 0)
    output c: [t] = told(x, 1)
    output d: [t] = told(x, 2)
    output e: [3] = short
    output f: [2, t] = each_row(pairs)
}
";

#[test]
fn a_loop_that_a_side_of_an_if_ends_in_gives_its_axis_back() {
    let case = Case::new(TEXT, &[("t", 3)], &[("x", numbers(&[1.0, 2.0, 4.0]))]);
    case.gives("a", &[1.0, 2.5, 5.25]);
    case.gives("b", &[1.0, 2.5, 5.25]);
    case.gives("c", &[1.0, 1.0, 3.0]);
    case.gives("d", &[1.0, 2.0, 4.0]);
    case.gives("e", &[2.0, 4.0, 6.0]);
    case.gives("f", &[10.0, 20.0, 40.0, 20.0, 30.0, 50.0]);
    let one = Case::new(TEXT, &[("t", 1)], &[("x", numbers(&[7.0]))]);
    one.gives("a", &[7.0]);
    one.gives("c", &[7.0]);
    one.gives("f", &[70.0, 80.0]);
}
