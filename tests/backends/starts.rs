//! What parameters start from: mean and variance of what is drawn, against the formulas.

use hnet::bind::init;
use hnet::pipeline;
use hnet::program::NoFiles;
use hnet::source::Sources;
use std::collections::BTreeMap;

/// The parameters of a model with this body.
fn started(body: &str) -> BTreeMap<String, Vec<f64>> {
    let imports = "import std.linear { Linear, Matrix }\n";
    let text = format!("{imports}dim b\nmodel M {{\n{body}\n}}\n");
    let mut sources = Sources::default();
    let root = sources.add("m.hnet", None, text.clone());
    let checked = pipeline::check_with(&mut sources, &NoFiles, root, &[]);
    assert!(checked.is_fine(), "{text}{:#?}", checked.diagnostics);
    let params = init::initialise_all(&checked.models[0], &BTreeMap::new(), 3).unwrap();
    params.into_iter().map(|(name, t)| (name, t.to_f64())).collect()
}

/// A matrix of 200 by 300 from an initialiser.
fn matrix(initialiser: &str) -> Vec<f64> {
    let body = format!("input x: [b, 200]\nparam w: [200, 300] = {initialiser}\noutput y: [b, 300] = x @ w");
    started(&body).remove("w").unwrap()
}

fn mean(v: &[f64]) -> f64 {
    v.iter().sum::<f64>() / v.len() as f64
}

fn variance(v: &[f64]) -> f64 {
    let m = mean(v);
    v.iter().map(|x| (x - m).powi(2)).sum::<f64>() / v.len() as f64
}

/// That numbers have mean 0 and a variance, as near as so many of them allow: five standard deviations of either.
fn has(what: &str, v: &[f64], want: f64) {
    let n = v.len() as f64;
    assert!(mean(v).abs() <= 5.0 * (want / n).sqrt(), "{what}: mean {}", mean(v));
    // The fourth moment of a normal distribution is the largest among these.
    assert!((variance(v) / want - 1.0).abs() <= 5.0 * (2.0 / n).sqrt(), "{what}: {} is not {want}", variance(v));
}

#[test]
fn each_initialiser_has_the_variance_of_its_formula() {
    let xavier = 2.0 / 500.0;
    // Of a normal distribution, what lies within two deviations.
    let inside = 0.773_741_303_5;
    for (text, want) in [
        ("normal(std: 0.5)", 0.25),
        ("truncated_normal(std: 2)", 4.0 * inside),
        ("uniform(-3, 3)", 3.0),
        ("kaiming_normal()", 2.0 / 200.0),
        ("kaiming_uniform()", 2.0 / 200.0),
        ("kaiming_uniform(fan_in: 50, gain: 1)", 1.0 / 50.0),
        ("xavier_normal()", xavier),
        ("xavier_uniform(gain: 3)", 9.0 * xavier),
        ("xavier_uniform(fan_in: 10, fan_out: 30)", 2.0 / 40.0),
        // Rows of length 1 in 300 places.
        ("orthogonal()", 1.0 / 300.0),
    ] {
        has(text, &matrix(text), want);
    }
}

#[test]
fn what_is_even_has_an_end() {
    for (text, end) in [("kaiming_uniform()", 6.0 / 200.0), ("xavier_uniform()", 6.0 / 500.0)] {
        let most = matrix(text).iter().fold(0.0f64, |m, v| m.max(v.abs()));
        assert!(most <= f64::sqrt(end) && most > 0.999 * f64::sqrt(end), "{text}: {most}");
    }
}

#[test]
fn an_eye_is_one_of_each_matrix() {
    let body = "input x: [3]\nparam w: [2, 3, 5] = eye(gain: 0.5)\nparam v: [3, 2] = eye()\noutput y: [2] = sum[i] x[i] * v[i] + sum[j] w[0, 0, j] * v[0]";
    let p = started(body);
    let at = |k: usize| if (k / 5) % 3 == k % 5 { 0.5 } else { 0.0 };
    assert_eq!(p["w"], (0..30).map(at).collect::<Vec<_>>());
    assert_eq!(p["v"], [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
}

/// Columns `from..to` of a matrix of `width` columns.
fn columns(v: &[f64], width: usize, from: usize, to: usize) -> Vec<f64> {
    v.chunks_exact(width).flat_map(|row| row[from..to].iter().copied()).collect()
}

#[test]
fn a_layer_that_writes_a_net_starts_by_the_fans_of_what_it_writes() {
    let (k, i, o) = (64.0, 30.0, 50.0);
    let layer = |init: &str, target: &str, of: &str, y: &str| {
        let written = match of {
            "target.w" => "generate target.w[i, o] from head(code)[(i, o)]".to_string(),
            _ => format!("generate {of} from head(code)"),
        };
        let body = format!(
            "input x: [b, 30]\ncondition code: [64]\nsub head = Matrix(64, size({of}))\nsub target = {target}\n\
             init head.w = {init}\n{written}\noutput y: [b, 50] = {y}"
        );
        started(&body).remove("head.w").unwrap()
    };
    for (init, g2, v, weight, bias) in [
        ("hyperfan_in_normal(target.*)", 2.0, 1.0, 1.0 / (2.0 * i), 0.5),
        ("hyperfan_in_uniform(target.*, gain: 1)", 1.0, 1.0, 1.0 / (2.0 * i), 0.5),
        ("hyperfan_out_normal(of: target.*, variance: 0.25)", 2.0, 0.25, 1.0 / o, 1.0 - i / o),
        ("hyperfan_out_uniform(target.*)", 2.0, 1.0, 1.0 / o, 1.0 - i / o),
    ] {
        let w = layer(init, "Linear(30, 50)", "target.*", "target(x)");
        has(init, &columns(&w, 1550, 0, 1500), g2 * weight / (k * v));
        has(init, &columns(&w, 1550, 1500, 1550), g2 * bias / (k * v));
    }
    // Without a bias all of the variance is the weight's; a bias alone has a weight that nobody writes.
    let w = layer("hyperfan_in_normal(target.*)", "Matrix(30, 50)", "target.*", "target(x)");
    has("no bias", &w, 2.0 / (k * i));
    let w = layer("hyperfan_in_uniform(target.w)", "Linear(30, 50)", "target.w", "target(x)");
    has("a weight alone", &w, 2.0 / (k * i));
}

#[test]
fn more_inputs_than_outputs_leave_nothing_to_a_bias_by_fan_out() {
    let body = "input x: [b, 9]\ncondition code: [4]\nsub head = Matrix(4, size(target.*))\nsub target = Linear(9, 3)\n\
                init head.w = hyperfan_out_normal(target.*)\ngenerate target.* from head(code)\noutput y: [b, 3] = target(x)";
    let w = started(body).remove("head.w").unwrap();
    assert!(columns(&w, 30, 27, 30).iter().all(|v| *v == 0.0) && columns(&w, 30, 0, 27).iter().all(|v| *v != 0.0));
}

#[test]
fn an_array_of_nets_is_written_net_by_net() {
    let body = "input x: [b, 8]\ncondition code: [400]\nsub head = Matrix(400, size(layer.*))\nsub layer[3] = Linear(8, 8)\n\
                init head.w = hyperfan_in_normal(layer.*)\ngenerate layer.* from head(code)\n\
                output y: [b, 8] = layer[2](layer[1](layer[0](x)))";
    let w = started(body).remove("head.w").unwrap();
    for n in 0..3 {
        has("weight", &columns(&w, 216, 72 * n, 72 * n + 64), 2.0 / (400.0 * 16.0));
        has("bias", &columns(&w, 216, 72 * n + 64, 72 * (n + 1)), 2.0 / (400.0 * 2.0));
    }
}

#[test]
fn what_a_written_layer_makes_has_the_variance_of_its_inputs() {
    let (k, i, o, all) = (40, 60, 90, 5490);
    let body = "input x: [b, 60]\ncondition code: [40]\nsub head = Matrix(40, size(target.*))\nsub target = Linear(60, 90)\n\
                init head.w = hyperfan_in_normal(target.*, gain: 1)\ngenerate target.* from head(code)\noutput y: [b, 90] = target(x)";
    let w = started(body).remove("head.w").unwrap();
    let normal = hnet::check::model::Init::Normal { mean: 0.0, std: 1.0 };
    let drawn = |name: &str, shape: Vec<usize>| init::draw(&normal, name, hnet::ir::DType::F32, shape, 1).unwrap().to_f64();
    let (codes, x) = (drawn("code", vec![300, k]), drawn("x", vec![300, i]));
    let mut y = Vec::new();
    for (code, x) in codes.chunks_exact(k).zip(x.chunks_exact(i)) {
        let made: Vec<f64> = (0..all).map(|c| (0..k).map(|r| code[r] * w[r * all + c]).sum()).collect();
        y.extend((0..o).map(|j| made[i * o + j] + (0..i).map(|r| x[r] * made[r * o + j]).sum::<f64>()));
    }
    // Outputs of one code are not independent: a twentieth allows for that.
    assert!((variance(&y) - 1.0).abs() < 0.05, "{}", variance(&y));
}

/// Two copies of a net, each cut into two, whatever stands first in the file; and one that starts from those again.
#[test]
fn a_parameter_starts_from_others() {
    let body = "input x: [b, 3]
sub layer[2] = Both()
param last: [2] = normal()
init last[l] = 2 * layer[l].early
output y: [b] = sum(layer[0](x)) + last[1]";
    let both = "net Both() {
    param early: f32 = zeros()
    sub part[4] = Matrix(3, 2)
    sub plain = Matrix(3, 4)
    init early = sum[i, k] part[3].w[i, k]
    init part[e].w[i, k] = plain.w[i, e mod 2 * 2 + k]
    (x: [3]) -> [2] { part[0](x) + early + sum(plain(x)) }
}
model N {
";
    let p = started(&format!("{body}\n}}\n{both}input x: [3]\nsub one = Both()\noutput y: [2] = one(x)"));
    let (plain, part) = (&p["layer.*.plain.w"], &p["layer.*.part.*.w"]);
    assert!(plain.iter().all(|v| *v != 0.0) && plain[..12] != plain[12..]);
    for (at, got) in part.iter().enumerate() {
        let (l, e, i, k) = (at / 24, at / 6 % 4, at / 2 % 3, at % 2);
        assert_eq!(*got, plain[l * 12 + i * 4 + e % 2 * 2 + k], "{l}, {e}, {i}, {k}");
    }
    for l in 0..2 {
        let sum: f64 = part[l * 24 + 18..l * 24 + 24].iter().sum();
        assert!((p["layer.*.early"][l] - sum).abs() < 1e-6);
        assert_eq!(p["last"][l], 2.0 * p["layer.*.early"][l]);
    }
}

#[test]
fn a_start_in_a_circle_or_from_data_is_said() {
    let of = |body: &str| format!("dim b\nmodel M {{\n    input x: [b, 4]\n{body}\n    output y: [b] = x @ (v + w)\n}}\n");
    let both = "    param v: [4] = normal()\n    param w: [4] = normal()\n";
    crate::brothers::says(&of(&format!("{both}    init v = 2 * w\n    init w = v + 1")), "H0405");
    crate::brothers::says(&of(&format!("{both}    init v = v + 1")), "H0405");
    crate::brothers::says(&of(&format!("{both}    init v = mean[b] x")), "H0510");
    crate::brothers::says(&of(&format!("{both}    condition c: [4]\n    init v = c")), "H0510");
}
