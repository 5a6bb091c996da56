//! Index notation: ranges from any side, axes that are split, joined and squared, parts that are assigned. By hand, on every backend.

use crate::brothers::{gives, says};
use crate::suite::{Case, numbers};

#[test]
fn a_bare_index_goes_on_over_its_own_range_with_an_else() {
    let text = "dim t
model M {
    input g: [3]
    input x: [t]
    let longer[i < 5] = (g[i] else -1)
    let shorter[i < 2] = (g[i] else -1)
    let along[q < 4] = (x[t: q] else 9)
    let other[i] = (g[i] else 0) + longer[i]
    let swapped[i] = longer[i] + (g[i] else 0)
    output a: [5] = longer
    output c: [2] = shorter
    output d: [4] = along
    output e: [5] = other
    output f: [5] = swapped
    output n: f32 = sum[i] (g[i] else 100) * longer[i]
}
";
    let sums = [2.0, 4.0, 6.0, -1.0, -1.0];
    for t in [0usize, 1, 3, 4, 6] {
        let x: Vec<f64> = (0..t).map(|k| k as f64).collect();
        let along: Vec<f64> = (0..4).map(|k| if k < t { k as f64 } else { 9.0 }).collect();
        let wants: &[(&str, &[f64])] = &[
            ("a", &[1.0, 2.0, 3.0, -1.0, -1.0]),
            ("c", &[1.0, 2.0]),
            ("d", &along),
            ("e", &sums),
            ("f", &sums),
            ("n", &[14.0 - 200.0]),
        ];
        gives(text, &[("t", t as i64)], &[("g", &[1.0, 2.0, 3.0]), ("x", &x)], wants);
    }
    says("model M {\n    input g: [3]\n    input x: [4]\n    let a[i] = g[i] + x[i]\n    output y: [3] = a\n}\n", "H0305");
}

#[test]
fn parts_of_a_merged_index_have_their_ranges_from_any_side() {
    let text = "model M {
    input a: [6]
    input x: [2, 3]
    let first[g, s] = a[(g, s)] * x[g, s]
    let last[g, s] = x[g, s] * a[(g, s)]
    let one[g < 2, s] = a[(g, s)]
    output y: [2, 3] = first
    output z: [2, 3] = last
    output u: [2, 3] = one
    output v: f32 = sum[g, s] a[(g, s)] * x[g, s]
    output w[g, s]: [2, 3] = max(a[(g, s)], x[g, s])
}
";
    let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let product = [1.0, 2.0, 3.0, 8.0, 10.0, 12.0];
    let wants: &[(&str, &[f64])] = &[("y", &product), ("z", &product), ("u", &a), ("v", &[36.0]), ("w", &a)];
    gives(text, &[], &[("a", &a), ("x", &[1.0, 1.0, 1.0, 2.0, 2.0, 2.0])], wants);
    says("model M {\n    input a: [6]\n    let y[g, s] = a[(g, s)]\n    output z: [2, 3] = y\n}\n", "H0312");
    says(
        "model M {\n    input a: [6]\n    input x: [2, 4]\n    let y[g, s] = a[(g, s)] * x[g, s]\n    output z: [2, 4] = y\n}\n",
        "H0311",
    );
}

#[test]
fn a_named_axis_is_split_sliced_and_put_together() {
    let text = "dim t
model M {
    input x: [t, 2]
    let pair[g, e] = mean[s < 2] x[t: (g, s), e]
    let back[t: (g, s < 2), e] = pair[g, e] + 10 * s
    let turned[t: q] = x[t: count[t] - 1 - q, 0] + 0 * q
    output m: [2] = sum[g] pair[g]
    output y: [t, 2] = back
    output z: [t] = turned
    output head: [2, 2] = x[t: 0..2]
}
";
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let wants: &[(&str, &[f64])] = &[
        ("m", &[8.0, 10.0]),
        ("y", &[2.0, 3.0, 12.0, 13.0, 6.0, 7.0, 16.0, 17.0]),
        ("z", &[7.0, 5.0, 3.0, 1.0]),
        ("head", &[1.0, 2.0, 3.0, 4.0]),
    ];
    gives(text, &[("t", 4)], &[("x", &x)], wants);
    let none = text.replace("    output head: [2, 2] = x[t: 0..2]\n", "");
    let empty: &[(&str, &[f64])] = &[("m", &[0.0, 0.0]), ("y", &[]), ("z", &[])];
    gives(&none, &[("t", 0)], &[("x", &[])], empty);
    says(
        "dim t\nmodel M {\n    input x: [t, 2]\n    let y[t: (g < 3, s < 2)] = g + s\n    output z: [t] = y\n    output u: [t] = x[0]\n}\n",
        "H0311",
    );
}

#[test]
fn what_does_not_divide_or_lies_outside_is_said_when_data_arrive() {
    let text = "dim t
model M {
    input x: [t]
    let y[q < 4] = x[t: q div 2]
    output z: [4] = y
}
";
    gives(text, &[("t", 2)], &[("x", &[5.0, 6.0])], &[("z", &[5.0, 5.0, 6.0, 6.0])]);
    Case::new(text, &[("t", 1)], &[("x", numbers(&[5.0]))]).says("H0617", "", "");
}

#[test]
fn square_data_over_a_free_axis() {
    let text = "dim n
fn spread_over(a: [n, n'], v: [n]) -> [n] {
    let y[n] = sum[n'] a[n, n'] * v[n']
    y
}
fn turned(a: [r, r']) -> [r, r'] {
    let y[r, r'] = a[r', r]
    y
}
fn outer(v: [n]) -> [n, n'] {
    let y[n, n'] = v[n] - 2 * v[n']
    y
}
net Mix(d) {
    (a: [m, m'], x: [m, d]) -> [m, d] {
        let y[m, i] = sum[m'] a[m, m'] * x[m', i]
        y
    }
}
model M {
    input link: [n, n']
    input v: [n]
    sub mix = Mix(2)
    let rows[n, n'] = link[n, n'] / (sum[n'] link[n, n'])
    output y: [n] = sum[n'] link[n, n'] * v[n']
    output z: [n] = spread_over(link, v)
    output w: [n, n'] = outer(v)
    output r: [n, n'] = rows
    output t: [n, n'] = link[n: n', n': n]
    output tt: [n, n'] = link[n', n]
    output c: [n] = sum[n'] link[n', n] * v[n']
    output e: [2, 2] = turned([[1, 2], [3, 4]])
    output u: [3, 2] = mix([[0, 1, 0], [0, 0, 1], [1, 0, 0]], [[1, 2], [3, 4], [5, 6]])
    output d: [n] = link[n, n]
}
";
    let link = [0.0, 1.0, 3.0, 2.0, 0.0, 2.0, 0.0, 4.0, 0.0];
    let wants: &[(&str, &[f64])] = &[
        ("y", &[310.0, 202.0, 40.0]),
        ("z", &[310.0, 202.0, 40.0]),
        ("w", &[-1.0, -19.0, -199.0, 8.0, -10.0, -190.0, 98.0, 80.0, -100.0]),
        ("r", &[0.0, 0.25, 0.75, 0.5, 0.0, 0.5, 0.0, 1.0, 0.0]),
        ("t", &[0.0, 2.0, 0.0, 1.0, 0.0, 4.0, 3.0, 2.0, 0.0]),
        ("tt", &[0.0, 2.0, 0.0, 1.0, 0.0, 4.0, 3.0, 2.0, 0.0]),
        ("c", &[20.0, 401.0, 23.0]),
        ("e", &[1.0, 3.0, 2.0, 4.0]),
        ("u", &[3.0, 4.0, 5.0, 6.0, 1.0, 2.0]),
        ("d", &[0.0, 0.0, 0.0]),
    ];
    gives(text, &[("n", 3)], &[("link", &link), ("v", &[1.0, 10.0, 100.0])], wants);
    let one: &[(&str, &[f64])] = &[("y", &[8.0]), ("w", &[-4.0]), ("r", &[1.0])];
    gives(text, &[("n", 1)], &[("link", &[2.0]), ("v", &[4.0])], one);
    let none: &[(&str, &[f64])] = &[("y", &[]), ("w", &[])];
    gives(text, &[("n", 0)], &[("link", &[]), ("v", &[])], none);
    says("fn f(a: [n, n']) -> f32 { sum[n, n'] a }\nmodel M {\n    input a: [2, 3]\n    output y: f32 = f(a)\n}\n", "H0338");
}

#[test]
fn parts_of_a_variable_at_places_that_data_give() {
    let text = "dim b
dim t
model M {
    input x: [b, t, 2]
    input k: i32[b]
    input new: [b, 2]
    var cache = x
    cache[t: k] = new
    var one = x
    one[t: k, 1] = 7
    var rows = x
    rows[t, 0] = 5
    var sums: [b, t] = zeros()
    for t in 0..count[t] { sums[t] = x[t, 0] + t }
    output y: [b, t, 2] = cache
    output z: [b, t, 2] = one
    output u: [b, t, 2] = rows
    output v: [b, t] = sums
}
";
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let wants: &[(&str, &[f64])] = &[
        ("y", &[1.0, 2.0, 90.0, 91.0, 92.0, 93.0, 7.0, 8.0]),
        ("z", &[1.0, 2.0, 3.0, 7.0, 5.0, 7.0, 7.0, 8.0]),
        ("u", &[5.0, 2.0, 5.0, 4.0, 5.0, 6.0, 5.0, 8.0]),
        ("v", &[1.0, 4.0, 5.0, 8.0]),
    ];
    let new = [90.0, 91.0, 92.0, 93.0];
    gives(text, &[("b", 2), ("t", 2)], &[("x", &x), ("k", &[1.0, 0.0]), ("new", &new)], wants);
    let inputs = [("x", numbers(&x)), ("k", numbers(&[2.0, 0.0])), ("new", numbers(&new))];
    Case::new(text, &[("b", 2), ("t", 2)], &inputs).only(&["y"]).says("H0617", "", "");
    says("model M {\n    input x: [4]\n    var h = x\n    h[i < 2] = 0\n    output y: [4] = h\n}\n", "H0305");
}

#[test]
fn two_axes_are_joined_into_one() {
    let text = "dim u
dim t
fn flat(v: [n, d]) -> [6] {
    let w[q < 6] = (v[q div 2, q mod 2] else 0)
    w
}
model M {
    input c: [u, 2]
    input x: [t, 2]
    let joined[q < count[u] + count[t], e] = if q < count[u] { (c[u: q, e] else 0) } else { (x[t: q - count[u], e] else 0) }
    output y: [6] = flat(joined)
    output z: [2] = sum[q] joined[q]
}
";
    for (u, t) in [(1usize, 2usize), (0, 3), (3, 0), (2, 1)] {
        let all = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let (c, x) = all.split_at(2 * u);
        let wants: &[(&str, &[f64])] = &[("y", &all), ("z", &[9.0, 12.0])];
        gives(text, &[("u", u as i64), ("t", t as i64)], &[("c", c), ("x", x)], wants);
    }
}

#[test]
fn outputs_bind_their_indices() {
    let text = "dim b
model M {
    input x: [b, 2]
    output y[b, i < 2]: [b, 2] = x[b, 1 - i]
    output z[i < 3]: i32[3] = 2 * i
    output w[(i < 2, j < 2)]: [4] = i + 10 * j
}
";
    let wants: &[(&str, &[f64])] = &[("y", &[2.0, 1.0, 4.0, 3.0]), ("z", &[0.0, 2.0, 4.0]), ("w", &[0.0, 10.0, 1.0, 11.0])];
    gives(text, &[("b", 2)], &[("x", &[1.0, 2.0, 3.0, 4.0])], wants);
}

#[test]
fn conditions_bound_loops_and_what_they_index() {
    let text = "model M {
    condition depth: size in [1, 2, 3] = 2
    condition wide: size in 2..1000 = 4
    input x: [2]
    param gain: [3] = fill(3)
    param long: [2000] = ones()
    var h = x
    for l in 0..depth { h = h * gain[l] }
    var s = 0.0
    for l in 0..wide { s = s + long[2 * l + 1] }
    output y: [2] = h
    output z: f32 = s
}
";
    gives(text, &[], &[("x", &[1.0, 2.0])], &[("y", &[9.0, 18.0]), ("z", &[4.0])]);
    says(&text.replace("2..1000", "2..1002"), "H0323");
}
