//! What nets are made with: numbers, truth values, lists, nets, and members under an `if`. Each program with what comes out by hand, on every
//! backend.

use crate::brothers::{gives, says};
use hnet::fuzz::check::model;

#[test]
fn a_number_a_truth_value_and_their_defaults() {
    let text = "dim b
net Line(d, by: f32 = 0.5, shift: i32 = -d, on: bool = true) {
    (x: [d]) -> [d] { if on { by * x + shift } else { x } }
}
model M {
    input x: [b, 2]
    sub one = Line(2)
    sub two = Line(2, 4, 1)
    sub three = Line(2, shift: 10, by: 1 / 4)
    sub off = Line(2, on: 1 > 2)
    output a: [b, 2] = one(x)
    output c: [b, 2] = two(x)
    output d: [b, 2] = three(x)
    output e: [b, 2] = off(x)
}
";
    let wants: &[(&str, &[f64])] = &[("a", &[-1.5, -1.0]), ("c", &[5.0, 9.0]), ("d", &[10.25, 10.5]), ("e", &[1.0, 2.0])];
    gives(text, &[("b", 1)], &[("x", &[1.0, 2.0])], wants);
    let none: &[(&str, &[f64])] = &[("a", &[]), ("e", &[])];
    gives(text, &[("b", 0)], &[("x", &[])], none);
}

#[test]
fn lists_are_sizes_numbers_and_tensors() {
    let text = "const width = [2, 3, 1], table = [[1, 2], [3, 4]]
net Sum(width: size[n], scale: f32[2], on: list) {
    param w: [width[0], width[n - 1]] = fill(scale[1])
    (x: [width[0]]) -> [width[n - 1]] { if on[0] { x @ w } else { 0 * (x @ w) } }
}
model M {
    input x: [2]
    input k: i32
    sub net = Sum(width, [0.5, 10], [true, false])
    sub off = Sum(width[0..2], [1, 2], [false])
    output y: [1] = net(x)
    output z: [3] = off(x)
    output picked: i32 = width[k]
    output total: i32 = sum(width)
    output row: i32[2] = table[1]
    output one: i32 = table[1][0] + table[0, 1]
    output scaled: [3] = 0.5 * width
    let squares[i] = width[i]^2
    output s: [3] = squares
}
";
    let wants: &[(&str, &[f64])] = &[
        ("y", &[30.0]),
        ("z", &[0.0; 3]),
        ("picked", &[3.0]),
        ("total", &[6.0]),
        ("row", &[3.0, 4.0]),
        ("one", &[5.0]),
        ("scaled", &[1.0, 1.5, 0.5]),
        ("s", &[4.0, 9.0, 1.0]),
    ];
    gives(text, &[], &[("x", &[1.0, 2.0]), ("k", &[1.0])], wants);
    says("model M {\n    const w = [1, 2]\n    output y: f32 = w[2]\n}\n", "H0316");
    says("model M {\n    const w = [1, 2]\n    output y: f32 = w[-1]\n}\n", "H0316");
}

#[test]
fn a_net_that_is_an_argument_is_a_part_and_a_named_one_is_shared() {
    let text = "net Scale(by: f32) {
    param w: [2] = fill(by)
    (x: [2]) -> [2] { w * x }
}
net Twice(inner: net) {
    (x: [2]) -> [2] { inner(inner(x)) }
}
fn half(x: f32) -> f32 { x / 2 }
model M {
    input x: [2]
    sub own = Twice(Scale(3))
    sub deep = Twice(Twice(Scale(2)))
    sub named = Scale(5)
    sub shared = Twice(named)
    sub of_function = Twice(half)
    sub many[2] = Twice(Scale(10))
    init many[e].inner.w[i] = 10 ^ e
    adapt own.inner.w by 1
    output a: [2] = own(x)
    output c: [2] = deep(x)
    output d: [2] = shared(x)
    output e: [2] = of_function(x)
    output f: [2] = many[0](x)
    output n: i32 = size(own.*) + size(shared.*) + size(many.*)
}
";
    let wants: &[(&str, &[f64])] =
        &[("a", &[16.0, 32.0]), ("c", &[16.0, 32.0]), ("d", &[25.0, 50.0]), ("e", &[0.25, 0.5]), ("n", &[6.0])];
    gives(
        &text
            .replace("    init many[e].inner.w[i] = 10 ^ e\n", "")
            .replace("    output f: [2] = many[0](x)\n", "    output f: [2] = many[1](x)\n"),
        &[],
        &[("x", &[1.0, 2.0])],
        wants,
    );
    let model = model(&text.replace("    init many[e].inner.w[i] = 10 ^ e\n", "")).unwrap_or_else(|f| panic!("{}", f.detail));
    let paths: Vec<&str> = model.params.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(paths, ["own.inner.w", "deep.inner.inner.w", "named.w", "many.*.inner.w"]);
}

#[test]
fn members_under_an_if_stand_where_they_are_written() {
    let text = "net Block(d, routed: bool, shared: size = 0) {
    param a: [d] = ones()
    if routed {
        param gate: [d, 2] = ones()
        sub expert[2] = Scale(d)
    } else if shared > 0 {
        param gate: [shared] = ones()
    } else {
        param plain: [d] = ones()
        scale plain by 4
    }
    param z: [d] = ones()
    (x: [d]) -> [d] {
        if routed { expert[1](x) } else { if shared > 0 { x * sum(gate) } else { x * plain } }
    }
}
net Scale(d) {
    param w: [d] = fill(3)
    (x: [d]) -> [d] { w * x }
}
model M {
    input x: [2]
    const extra = 1
    sub routed = Block(2, true)
    sub plain = Block(2, false)
    sub both = Block(2, false, 5)
    if extra > 0 {
        param more: [2] = fill(7)
        output u: [2] = more + x
    } else {
        input gone: [2]
        output u: [2] = gone
    }
    output a: [2] = routed(x)
    output c: [2] = plain(x)
    output d: [2] = both(x)
}
";
    let wants: &[(&str, &[f64])] = &[("a", &[3.0, 6.0]), ("c", &[4.0, 8.0]), ("d", &[5.0, 10.0]), ("u", &[8.0, 9.0])];
    gives(text, &[], &[("x", &[1.0, 2.0])], wants);
    let model = model(text).unwrap_or_else(|f| panic!("{}", f.detail));
    let paths: Vec<&str> = model.params.iter().map(|p| p.path.as_str()).collect();
    let want = "more routed.a routed.gate routed.z routed.expert.*.w plain.a plain.plain plain.z both.a both.gate both.z";
    assert_eq!(paths.join(" "), want);
    says(&text.replace("x * plain", "x * gone"), "H0201");
    says(&text.replace("if routed { expert[1](x) } else { if", "if gone { x } else { if"), "H0201");
}

#[test]
fn what_contains_itself_is_said_whoever_is_the_argument() {
    let text = "net A(f: net) {
    sub g = Twice(A(f))
    (x: [2]) -> [2] { g(x) }
}
net Twice(inner: net) {
    (x: [2]) -> [2] { inner(inner(x)) }
}
fn same(x: f32) -> f32 { x }
model M {
    input x: [2]
    sub a = A(same)
    output y: [2] = a(x)
}
";
    says(text, "H0215");
}

/// An argument of a function or of a call that is left out has its default, in which the ones before it are known.
#[test]
fn arguments_of_calls_have_defaults() {
    let text = "dim b
const three = 3
fn leaky(x: f32, slope: f32 = 1 / 4) -> f32 { if x > 0 { x } else { slope * x } }
fn ends(x: [n], n: size, from: size = n - 1, by: f32 = three) -> f32 { by * x[from] }
net Scaled(d) {
    param w: [d] = fill(2)
    (x: [d], by: f32 = 10, bias: [d] = by * w) -> [d] { by * x + bias }
}
model M {
    input x: [b, 2]
    sub scaled = Scaled(2)
    output a: [b, 2] = leaky(x)
    output c: [b, 2] = leaky(x, slope: 0.5)
    output d: [b] = ends(x, 2)
    output e: [b] = ends(x, 2, by: 1)
    output f: [b] = ends(x, 2, 0)
    output g: [b, 2] = scaled(x)
    output h: [b, 2] = x |> scaled(bias: x)
}
";
    let text =
        text.replace("fn ends(x: [n], n: size", "fn ends(x: [d], d: size").replace("from: size = n - 1", "from: size = d - 1");
    let wants: &[(&str, &[f64])] = &[
        ("a", &[1.0, -0.5]),
        ("c", &[1.0, -1.0]),
        ("d", &[-6.0]),
        ("e", &[-2.0]),
        ("f", &[3.0]),
        ("g", &[30.0, 0.0]),
        ("h", &[11.0, -22.0]),
    ];
    gives(&text, &[("b", 1)], &[("x", &[1.0, -2.0])], wants);
    says(&text.replace("ends(x, 2, by: 1)", "ends(x)"), "H0333");
    says(&text.replace("leaky(x, slope: 0.5)", "leaky(slope: 0.5)"), "H0333");
    says(&text.replace("by: f32 = three", "by: f32 = nothing"), "H0201");
    // A default that needs itself.
    says(&text.replace("slope: f32 = 1 / 4", "slope: f32 = leaky(1)"), "H0290");
}

#[test]
fn a_function_of_the_language_is_an_argument() {
    let text = "dim b
net Mlp(d, act: net = relu, gate: net = softmax) {
    param w: [d, d] = eye()
    (x: [d]) -> [d] { x @ w |> act |> gate }
}
net Along(f: net) {
    (x: [4]) -> [4] { f(x) }
}
model M {
    input x: [b, 2]
    input y: [4]
    sub one = Mlp(2)
    sub two = Mlp(2, tanh, abs)
    sub run = Along(cumsum)
    output a: [b, 2] = one(x)
    output c: [b, 2] = two(x)
    output d: [4] = run(y)
}
";
    let e = std::f64::consts::E;
    let wants: &[(&str, &[f64])] =
        &[("a", &[e / (e + 1.0), 1.0 / (e + 1.0)]), ("c", &[1f64.tanh(), 2f64.tanh()]), ("d", &[1.0, 3.0, 6.0, 10.0])];
    gives(text, &[("b", 1)], &[("x", &[1.0, -2.0]), ("y", &[1.0, 2.0, 3.0, 4.0])], wants);
    says(&text.replace("Mlp(2, tanh, abs)", "Mlp(2, normal, abs)"), "H0201");
    says(&text.replace("Mlp(2, tanh, abs)", "Mlp(2, tanhh, abs)"), "H0201");
}

/// What a net is made of may hang on a size that nobody gives: a net that no model uses is looked at all the same, and nothing is said of it
/// that is wrong for some sizes only.
#[test]
fn nets_that_nobody_uses_may_hang_on_sizes() {
    let text = "net Low(i, o, r: size = 0) {
    if r > 0 {
        param down: [i, r] = normal()
        param up: [r, o] = normal()
    } else {
        param w: [i, o] = normal()
    }

    (x: [i]) -> [o] { if r > 0 { x @ down @ up } else { x @ w } }
}
fn part(x: [w], w: size, part: size = w) -> [w] {
    let y = exp(x[0..part])
    if part == w { y } else { concat(y, x[part..w]) }
}
model M {
    input x: [2]
    output y: [2] = x
}
";
    let wants: &[(&str, &[f64])] = &[("y", &[1.0, 2.0])];
    gives(text, &[], &[("x", &[1.0, 2.0])], wants);
    says(&text.replace("exp(x[0..part])", "exq(x[0..part])"), "H0201");
}
