//! Small programs of one kind each, with what comes out by hand: what is no number, infinite, empty, tied, too wide, or called like
//! something else. On every backend.

use crate::suite::{Case, numbers};
use hnet::fuzz::check::model;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;
const LEAST: f64 = i32::MIN as f64;
const MOST: f64 = i32::MAX as f64;

fn case(text: &str, dims: &[(&str, i64)], inputs: &[(&str, &[f64])]) -> Case {
    let inputs: Vec<_> = inputs.iter().map(|(name, values)| (*name, numbers(values))).collect();
    Case::new(text, dims, &inputs)
}

/// Every output has these values in every way: NaN is NaN, and 0 any zero.
pub fn gives(text: &str, dims: &[(&str, i64)], inputs: &[(&str, &[f64])], wants: &[(&str, &[f64])]) {
    case(text, dims, inputs).all(2e-6, wants);
}

/// What the checker says of a text.
pub fn says(text: &str, code: &str) {
    let class = model(text).err().map(|f| f.class).unwrap_or_default();
    assert!(class.starts_with(&format!("rejected {code} ")), "{class:?}, not {code}\n{text}");
}

#[test]
fn places_of_the_best_among_nan_ties_and_infinities() {
    let text = "dim b
model M {
    input x: [b, 5]
    output most: i32[b] = argmax(x)
    output least: i32[b] = argmin(x)
    output top: [b] = max(x)
    output low: [b] = min(x)
}
";
    let x = [
        [3.0, NAN, 1.0, NAN, 0.0],
        [-INF; 5],
        [INF; 5],
        [2.0, 2.0, 1.0, 1.0, 2.0],
        [0.0, -0.0, -0.0, 0.0, -0.0],
        [-INF, INF, -INF, INF, 0.0],
        [1.0, 2.0, 3.0, 4.0, NAN],
    ]
    .concat();
    gives(
        text,
        &[("b", 7)],
        &[("x", &x)],
        &[
            ("most", &[1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 4.0]),
            ("least", &[1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 4.0]),
            ("top", &[NAN, -INF, INF, 2.0, 0.0, INF, NAN]),
            ("low", &[NAN, -INF, INF, 1.0, 0.0, -INF, NAN]),
        ],
    );
}

#[test]
fn one_nan_anywhere_in_rows_of_any_length() {
    let text = "dim t\nmodel M {\n    input x: [t]\n    output most: f32 = max[t] x\n    output least: f32 = min[t] x\n    \
                output place: i32 = argmax[t] x\n    output total: f32 = sum[t] x\n    output soft: f32 = logsumexp[t] x\n    \
                output average: f32 = mean[t] x\n}\n";
    for n in [1usize, 2, 5, 31, 33, 130, 5000] {
        for at in [0, n / 2, n - 1] {
            let x: Vec<f64> = (0..n).map(|i| if i == at { NAN } else { (i % 7) as f64 }).collect();
            let none: &[f64] = &[NAN];
            gives(
                text,
                &[("t", n as i64)],
                &[("x", &x)],
                &[("most", none), ("least", none), ("place", &[at as f64]), ("total", none), ("soft", none), ("average", none)],
            );
        }
    }
}

#[test]
fn orders_put_nan_last_and_keep_ties() {
    let text = "model M {
    input x: [6]
    let p = top_k(x, 3)
    output up: [6] = sort(x)
    output places: i32[6] = argsort(x)
    output best: [3] = p.value
    output whose: i32[3] = p.index
}
";
    gives(
        text,
        &[],
        &[("x", &[NAN, 1.0, INF, 1.0, -INF, NAN])],
        &[
            ("up", &[-INF, 1.0, 1.0, INF, NAN, NAN]),
            ("places", &[4.0, 1.0, 3.0, 2.0, 0.0, 5.0]),
            ("best", &[INF, 1.0, 1.0]),
            ("whose", &[2.0, 1.0, 3.0]),
        ],
    );
    gives(
        text,
        &[],
        &[("x", &[NAN; 6])],
        &[("up", &[NAN; 6]), ("places", &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), ("whose", &[0.0, 1.0, 2.0])],
    );
}

#[test]
fn running_sums_of_infinities_and_whole_numbers() {
    let text = "dim b\nmodel M {\n    input x: [b, 4]\n    input k: i32[b, 4]\n    output run: [b, 4] = cumsum(x)\n    \
                output whole: i32[b, 4] = cumsum(k)\n    output down: [b, 4] = cumsum[b](x)\n}\n";
    gives(
        text,
        &[("b", 2)],
        &[("x", &[1.0, INF, -INF, 2.0, -1.0, -INF, -INF, NAN]), ("k", &[MOST, 1.0, 1.0, -1.0, LEAST, -1.0, 0.0, 1.0])],
        &[
            ("run", &[1.0, INF, NAN, NAN, -1.0, -INF, -INF, NAN]),
            ("whole", &[MOST, LEAST, LEAST + 1.0, LEAST, LEAST, MOST, MOST, LEAST]),
            ("down", &[1.0, INF, -INF, 2.0, 0.0, NAN, -INF, NAN]),
        ],
    );
    gives(text, &[("b", 0)], &[], &[("run", &[]), ("whole", &[]), ("down", &[])]);
}

#[test]
fn moments_of_none_one_and_infinite() {
    let text = "dim t
fn spread(x: [t]) -> f32 {
    let mu = mean[t] x
    mean[t] (x - mu)^2
}
model M {
    input x: [t]
    output mu: f32 = mean[t] x
    output wide: f32 = spread(x)
    output size: f32 = sqrt(sum[t] x^2)
    output score: [t] = (x - mean[t] x) / sqrt(spread(x))
}
";
    gives(text, &[("t", 0)], &[], &[("mu", &[NAN]), ("wide", &[NAN]), ("size", &[0.0]), ("score", &[])]);
    gives(text, &[("t", 1)], &[("x", &[3.0])], &[("mu", &[3.0]), ("wide", &[0.0]), ("size", &[3.0]), ("score", &[NAN])]);
    gives(
        text,
        &[("t", 2)],
        &[("x", &[INF, 1.0])],
        &[("mu", &[INF]), ("wide", &[NAN]), ("size", &[INF]), ("score", &[NAN, NAN])],
    );
    let three = [("mu", &[2.0][..]), ("wide", &[2.0 / 3.0]), ("score", &[-1.224_744_9, 0.0, 1.224_744_9])];
    gives(text, &[("t", 3)], &[("x", &[1.0, 2.0, 3.0])], &three);
}

#[test]
fn norms_and_products_of_nothing_and_everything() {
    let text = "dim b\nmodel M {\n    input x: [b, 2]\n    output size: [b] = norm(x)\n    output whole: [b] = prod(x)\n    \
                output over: [2] = prod[b] x\n}\n";
    let x = [3.0, 4.0, 0.0, -0.0, INF, 1.0, -INF, 0.0, NAN, 0.0];
    gives(
        text,
        &[("b", 5)],
        &[("x", &x)],
        &[("size", &[5.0, 0.0, INF, INF, NAN]), ("whole", &[12.0, 0.0, INF, NAN, NAN]), ("over", &[NAN, 0.0])],
    );
    gives(text, &[("b", 0)], &[], &[("size", &[]), ("whole", &[]), ("over", &[1.0, 1.0])]);
}

#[test]
fn nothing_to_order_or_join() {
    let text = "dim b
model M {
    input x: [b]
    let v[i < count[b]] = x[b: i]
    output none: [0] = sort(v[0..0])
    output run: [0] = cumsum(v[0..0])
    output both: [2] = concat(v[0..0], [1, 2])
    output total: f32 = sum(v[0..0])
}
";
    for b in [0, 1, 3] {
        gives(text, &[("b", b)], &[], &[("none", &[]), ("run", &[]), ("both", &[1.0, 2.0]), ("total", &[0.0])]);
    }
}

#[test]
fn functions_of_numbers_that_are_none() {
    let text = "dim b
model M {
    input x: [b]
    output keep: [b] = min(max(x, 0), 1)
    output back: [b] = max(0, min(1, x))
    output bend: [b] = relu(x)
    output side: [b] = sign(x)
    output down: [b] = floor(x)
    output near: [b] = round(x)
    output cut: i32[b] = int(x)
    output odd: bool[b] = x != x
    output low: bool[b] = not (x >= 0)
    output size: [b] = abs(x)
}
";
    gives(
        text,
        &[("b", 7)],
        &[("x", &[NAN, INF, -INF, -0.0, 2.5, -3.5, 3e9])],
        &[
            ("keep", &[NAN, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0]),
            ("back", &[NAN, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0]),
            ("bend", &[NAN, INF, 0.0, 0.0, 2.5, 0.0, 3e9]),
            ("side", &[NAN, 1.0, -1.0, 0.0, 1.0, -1.0, 1.0]),
            ("down", &[NAN, INF, -INF, 0.0, 2.0, -4.0, 3e9]),
            ("near", &[NAN, INF, -INF, 0.0, 2.0, -4.0, 3e9]),
            ("cut", &[LEAST, MOST, LEAST, 0.0, 2.0, -3.0, MOST]),
            ("odd", &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
            ("low", &[1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]),
            ("size", &[NAN, INF, INF, 0.0, 2.5, 3.5, 3e9]),
        ],
    );
}

#[test]
fn divisions_and_powers_at_their_ends() {
    let text = "dim b
model M {
    input x: [b]
    input y: [b]
    output over: [b] = x / y
    output power: [b] = x ^ y
    output itself: [b] = x / x
    output none: [b] = x - x
    output zero: [b] = 0 * x
    output inverse: [b] = 1 / x
}
";
    gives(
        text,
        &[("b", 8)],
        &[("x", &[1.0, 0.0, INF, -2.0, -8.0, NAN, INF, -1.0]), ("y", &[0.0, 0.0, INF, 3.0, 0.5, 0.0, -1.0, INF])],
        &[
            ("over", &[INF, NAN, NAN, -2.0 / 3.0, -16.0, NAN, -INF, 0.0]),
            ("power", &[1.0, 1.0, INF, -8.0, NAN, 1.0, 0.0, 1.0]),
            ("itself", &[1.0, NAN, NAN, 1.0, 1.0, NAN, NAN, 1.0]),
            ("none", &[0.0, 0.0, NAN, 0.0, 0.0, NAN, NAN, 0.0]),
            ("zero", &[0.0, 0.0, NAN, 0.0, 0.0, NAN, NAN, 0.0]),
            ("inverse", &[1.0, INF, 0.0, -0.5, -0.125, NAN, 0.0, -1.0]),
        ],
    );
}

/// A place that is known to lie outside is a number that the compiler of a shader knows, too, and takes for what the rest is multiplied by.
#[test]
fn what_stands_for_a_place_outside_is_no_more_than_a_number() {
    let text = "dim b
model M {
    input x: [b, 1]
    output over: [b] = (x[b, 1] else 0) / (1 + x[b, 0]^2)
    output by: [b] = (x[b, 1] else 0) * x[b, 0]
}
";
    gives(text, &[("b", 4)], &[("x", &[1.0, INF, NAN, -2.0])], &[("over", &[0.0, 0.0, NAN, 0.0]), ("by", &[0.0, NAN, NAN, 0.0])]);
}

#[test]
fn whole_numbers_at_their_ends() {
    let text = "dim b
model M {
    input k: i32[b]
    input n: i32[b]
    output quotient: i32[b] = k div n
    output rest: i32[b] = k mod n
    output back: i32[b] = -k
    output size: i32[b] = abs(k)
    output square: i32[b] = k * k
    output real: [b] = k * 0.5
    output most: i32[b] = max(k, n)
}
";
    gives(
        text,
        &[("b", 7)],
        &[("k", &[LEAST, 7.0, -7.0, 7.0, 0.0, 65_536.0, MOST]), ("n", &[-1.0, 0.0, 2.0, -2.0, -5.0, 3.0, MOST])],
        &[
            ("quotient", &[LEAST, 0.0, -4.0, -4.0, 0.0, 21_845.0, 1.0]),
            ("rest", &[0.0, 0.0, 1.0, -1.0, 0.0, 1.0, 0.0]),
            ("back", &[LEAST, -7.0, 7.0, -7.0, 0.0, -65_536.0, -MOST]),
            ("size", &[LEAST, 7.0, 7.0, 7.0, 0.0, 65_536.0, MOST]),
            ("square", &[0.0, 49.0, 49.0, 49.0, 0.0, 0.0, 1.0]),
            ("real", &[LEAST / 2.0, 3.5, -3.5, 3.5, 0.0, 32_768.0, f64::from(0.5 * MOST as f32)]),
            ("most", &[-1.0, 7.0, 2.0, 7.0, 0.0, 65_536.0, MOST]),
        ],
    );
}

#[test]
fn a_filter_that_is_no_number_keeps_nothing() {
    let text = "dim b
model M {
    input x: [b, 3]
    input w: [b, 3]
    output kept: [b] = pick(x, w).kept
    output few: [b] = pick(x, w).few
    output first: i32[b] = pick(x, w).first
    output soft: [b, 3] = pick(x, w).soft
}
fn pick(x: [3], w: [3]) -> (kept: f32, few: f32, first: i32, soft: [3]) {
    let p[i] = softmax[i where w[i] > 0] x[i]
    (kept: sum[i where w[i] > 0] x[i] * w[i], few: min[i where not (w[i] <= 0)] x[i], first: argmin[i where w[i] > 0] x[i], soft: p)
}
";
    gives(
        text,
        &[("b", 2)],
        &[("x", &[5.0, NAN, INF, 1.0, 1.0, -INF]), ("w", &[2.0, NAN, -INF, NAN, NAN, NAN])],
        &[("kept", &[10.0, 0.0]), ("few", &[NAN, -INF]), ("first", &[0.0, 0.0]), ("soft", &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0])],
    );
}

#[test]
fn loops_of_none_of_one_and_backwards() {
    let text = "dim b
dim t
fn forth(x: [t]) -> f32 {
    var h = 1.0
    for t in 0..count[t] { h = 0.5 * h + x[t] }
    h
}
fn back(x: [t]) -> [t] {
    var h = 0.0
    let out[t] = for t in rev 0..count[t] { h = max(h, x[t]); yield h }
    out
}
fn until_small(x: f32) -> f32 {
    var y = x
    for i in 0..6 until y < 1 { y = y / 2 }
    y
}
model M {
    input x: [b, t]
    input y: [b]
    output end: [b] = forth(x)
    output seen: [b, t] = back(x)
    output small: [b] = until_small(y)
}
";
    gives(text, &[("b", 2), ("t", 0)], &[("y", &[NAN, 9.0])], &[("end", &[1.0, 1.0]), ("seen", &[]), ("small", &[NAN, 0.5625])]);
    gives(
        text,
        &[("b", 2), ("t", 3)],
        &[("x", &[1.0, 2.0, 3.0, NAN, -1.0, INF]), ("y", &[INF, 0.0])],
        &[("end", &[4.375, NAN]), ("seen", &[3.0, 3.0, 3.0, NAN, INF, INF]), ("small", &[INF, 0.0])],
    );
    gives(text, &[("b", 0), ("t", 3)], &[], &[("end", &[]), ("seen", &[])]);
    gives(
        text,
        &[("b", 1), ("t", 1)],
        &[("x", &[-2.0]), ("y", &[64.0])],
        &[("end", &[-1.5]), ("seen", &[0.0]), ("small", &[1.0])],
    );
}

#[test]
fn indices_that_leave_their_axes_in_every_place() {
    let base = "dim b\nmodel M {\n    input k: i32[b]\n    input x: [4, 3]\n";
    let fine = [
        ("output y: [b] = sum[i] (x[k, i] else 0)", vec![6.0, 0.0]),
        ("output y: [b] = x[k mod 4, k mod 3]", vec![2.0, 9.0]),
        ("let v = sort(x[0])\n    output y: [b] = v[k] else -1", vec![2.0, -1.0]),
        ("let c = cumsum(x[0])\n    output y: [b] = if k < 3 { c[k] } else { 7 }", vec![3.0, 7.0]),
    ];
    let x: Vec<f64> = vec![0.0, 1.0, 2.0, 1.0, 2.0, 3.0, 2.0, 2.0, 2.0, 0.0, 9.0, 9.0];
    for (line, want) in fine {
        let text = format!("{base}    {line}\n}}\n");
        let k = if line.contains("mod 4") { [12.0 * 3.0 + 2.0 - 12.0 * 3.0, 7.0] } else { [2.0, 9.0] };
        let want: Vec<f64> = if line.contains("mod 4") { vec![2.0, 9.0] } else { want };
        gives(&text, &[("b", 2)], &[("k", &k), ("x", &x)], &[("y", &want)]);
    }
    let outside = [
        "output y: [b] = x[k, 0]",
        "output y: [b] = sort(x[0])[k]",
        "let v = sort(x[0])\n    output y: [b] = v[k + 0 * k]",
        "let c = cumsum(x[0])\n    output y: [b] = max(c[k], 0)",
        "output y: [b] = sum[i] x[k, i] * x[0, i]",
        "output y: f32 = max[b] x[k - 1, 0]",
        "let p = top_k(x[0], 2)\n    output y: [b] = p.value[k]",
        "output y: bool[b] = x[k, 0] > 0 and k < 4",
    ];
    for line in outside {
        let text = format!("{base}    {line}\n}}\n");
        if model(&text).is_err() {
            continue;
        }
        case(&text, &[("b", 2)], &[("k", &[1.0, 9.0]), ("x", &x)]).says("H0617", "", "");
    }
}

#[test]
fn names_that_two_things_would_have() {
    let cases = [
        "dim t\nnet N(d) {\n    param t: [d] = ones()\n    (x: [d]) -> [d] { x * t }\n}\nmodel M {\n    input x: [t, 4]\n    sub n = N(4)\n    output y: [t, 4] = n(x)\n}\n",
        "dim t\nmodel M {\n    input x: [t]\n    output y: [t] = x\n    let t = 3\n}\n",
        "model M {\n    input x: [4]\n    let x = 2\n    output y: [4] = x\n}\n",
        "dim b\nmodel M {\n    input x: [b]\n    condition b: f32 = 1\n    output y: [b] = x\n}\n",
        "const n = 4\ndim n = 3\nmodel M {\n    input x: [n]\n    output y: [n] = x\n}\n",
    ];
    for text in cases {
        let class = model(text).err().map(|f| f.class).unwrap_or_default();
        assert!(class.starts_with("rejected H02"), "{class:?}\n{text}");
    }
    says("model M {\n    input x: i32\n    output y: i32 = x + 3000000000\n}\n", "H0358");
}

#[test]
fn words_of_signatures_are_no_axes_of_the_caller() {
    let text = "dim d
dim e
fn total(x: [n]) -> f32 { sum[n] x }
fn low(x: [d, 2]) -> [2] { min[d] x }
model M {
    input x: [d, e, 2]
    output y: [d, e] = total(x)
    output z: [e, 2] = low(x)
}
";
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    gives(text, &[("d", 2), ("e", 2)], &[("x", &x)], &[("y", &[3.0, 7.0, 11.0, 15.0]), ("z", &[1.0, 2.0, 3.0, 4.0])]);
    // An axis that the caller calls like a word of the signature is another one.
    let text = text
        .replace("dim d\n", "dim d\ndim n\n")
        .replace("[d, e, 2]", "[d, n, 2]")
        .replace("[d, e]", "[d, n]")
        .replace("[e, 2]", "[n, 2]");
    let text = text.replace("dim e\n", "").replace("total(x: [n]) -> f32 { sum[n] x }", "total(x: [m]) -> f32 { sum[m] x }");
    gives(&text, &[("d", 2), ("n", 2)], &[("x", &x)], &[("y", &[3.0, 7.0, 11.0, 15.0]), ("z", &[1.0, 2.0, 3.0, 4.0])]);
}

#[test]
fn draws_do_not_depend_on_how_many_there_are() {
    let text = "dim b\nnet Noisy() {\n    (x: [3]) -> [3] {\n        draw e: [*, 3] = uniform(0, 1)\n        x + e\n    }\n}\n\
                model M {\n    input x: [b, 3]\n    sub n = Noisy()\n    output y: [b, 3] = n(x)\n}\n";
    let of = |b: i64| {
        let x = vec![0.0; 3 * b as usize];
        let mut all = Vec::new();
        case(text, &[("b", b)], &[("x", &x)]).each(|_, got| all.push(got[0].to_f64()));
        all
    };
    let (one, four) = (of(1), of(4));
    assert_eq!(of(0)[0], Vec::<f64>::new());
    for (k, got) in four.iter().enumerate() {
        assert!(got.iter().all(|v| (0.0..1.0).contains(v)), "{got:?}");
        assert_eq!(got[..3], one[k][..], "backend {k}");
        assert!(got.iter().zip(&four[0]).all(|(a, b)| (a - b).abs() < 1e-6), "backend {k}");
    }
}

#[test]
fn experts_that_overflow_count_for_nothing_without_a_seat() {
    let text = "dim b
net Grow() {
    param w: f32 = ones()
    (x: [2]) -> [2] { exp(1000 * w * x) }
}
model M {
    input x: [b, 2]
    input k: i32[b]
    sub e[2] = Grow()
    output y: [b, 2] = route x over e at k by 1.0 { capacity: 1 per [b] }
}
";
    gives(
        text,
        &[("b", 3)],
        &[("x", &[0.0, 0.0, 0.0, 0.0, 9.0, NAN]), ("k", &[1.0, 1.0, 1.0])],
        &[("y", &[1.0, 1.0, 1.0, 1.0, 0.0, 0.0])],
    );
}

#[test]
fn merged_places_at_odd_sizes() {
    let text = "dim b
model M {
    input x: [b, 15]
    let h[a < 3, e] = x[(a, e)]
    let back[(e, a)] = h[a, e]
    let s[a] = sum[e] h[a, e]
    output y: [b, 15] = back
    output z: [b, 3] = s
}
";
    for b in [0i64, 1, 3] {
        let x: Vec<f64> = (0..15 * b).map(|i| i as f64).collect();
        let y: Vec<f64> = (0..b).flat_map(|r| (0..15).map(move |i| (15 * r + (i % 3) * 5 + i / 3) as f64)).collect();
        let z: Vec<f64> =
            (0..b).flat_map(|r| (0..3).map(move |a| (0..5).map(|e| 15 * r + 5 * a + e).sum::<i64>() as f64)).collect();
        gives(text, &[("b", b)], &[("x", &x)], &[("y", &y), ("z", &z)]);
    }
}

#[test]
fn what_lies_outside_beside_whole_numbers() {
    let text = |kind: &str, other: &str| {
        format!("dim t\nmodel M {{\n    input n: i32[t]\n    input x: [t]\n    output y: {kind}[t] = n[t - 1] else {other}\n}}\n")
    };
    let (n, x): (&[f64], &[f64]) = (&[7.0, -3.0, 2.0], &[0.25, 1.5, 2.5]);
    for (kind, other, first) in [
        ("i32", "5", 5.0),
        ("f32", "(4 / 2)", 2.0),
        ("f32", "0.5", 0.5),
        ("f32", "(1 / 4)", 0.25),
        ("f32", "x", 0.25),
        ("f32", "(x + 1)", 1.25),
        ("i32", "n", 7.0),
    ] {
        gives(&text(kind, other), &[("t", 3)], &[("n", n), ("x", x)], &[("y", &[first, 7.0, -3.0])]);
    }
    // As a constant it is a number, not a truth value, and has its own range.
    says(&text("i32", "3000000000"), "H0358");
    says(&text("f32", "true"), "H0506");
    let texts = "dim b\ndim t\nmodel M {\n    let v[t, b, _i < 1] = 1\n    output last: [b, t] = v @ v[t - 1] else 0.5\n}\n";
    gives(texts, &[("b", 2), ("t", 2)], &[], &[("last", &[0.5, 1.0, 0.5, 1.0])]);
}
