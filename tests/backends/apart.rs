//! Nets of an array that learn apart from each other, or not at all, beside the same nets written one by one.

use crate::training::{backends, model, options, rows, start, trained};
use hnet::exec::session::Backend;
use hnet::ir::{Data, Tensor};
use std::collections::BTreeMap;

/// A mixture of four nets and a number, as an array and as nets of their own. In what the model and its block say besides, `<2>` is net 2.
fn four(arrayed: bool, beside: &str, clauses: &str) -> String {
    let (subs, net) = match arrayed {
        true => ("    sub e[4] = E(6)\n".to_string(), (0..4).map(|k| format!("e[{k}]")).collect::<Vec<_>>()),
        false => ((0..4).map(|k| format!("    sub e{k} = E(6)\n")).collect(), (0..4).map(|k| format!("e{k}")).collect()),
    };
    let said = |text: &str| (0..4).fold(text.to_string(), |text, k| text.replace(&format!("<{k}>"), &net[k]));
    format!(
        "dim b\nnet E(d) {{\n    param w: [d] = ones()\n    param v: [d] = ones()\n    (x: [d]) -> f32 {{ (x @ w) * (x @ v) }}\n}}\n\
         model M {{\n    input x: [b, 6]\n    param c: f32 = ones()\n{subs}    {}\n\
         loss fit = mean[b] ({}(x) + 2 * {}(x) - {}(x) + 3 * {}(x) - c)^2\n}}\n\
         train M {{\n    data \"rows.safetensors\" {{ x }}\n    batch b = 20\n    clip 0.5\n    {}\n    steps 9\n}}\n",
        said(beside),
        net[0],
        net[1],
        net[2],
        net[3],
        said(clauses)
    )
}

/// Trains both; both end with the same weights. Gives those of the array.
fn alike(beside: &str, clauses: &str) -> BTreeMap<String, Tensor> {
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path());
    let (one, apart) = (model(&four(true, beside, clauses)), model(&four(false, beside, clauses)));
    let begin = start(&one, 3);
    let alone = |values: &BTreeMap<String, Tensor>, k: usize, name: &str| {
        Tensor::new(vec![6], Data::F64(values[&format!("e.*.{name}")].to_f64()[6 * k..6 * k + 6].to_vec()))
    };
    let each = (0..4).flat_map(|k| ["w", "v"].map(|n| (format!("e{k}.{n}"), alone(&begin, k, n))));
    let each = each.chain([("c".to_string(), begin["c"].clone())]).collect();
    let (_, wanted) = trained(&apart, each, folder.path(), options(Backend::Interp, 1));
    let mut last = BTreeMap::new();
    for backend in backends() {
        let (_, got) = trained(&one, begin.clone(), folder.path(), options(backend, 2));
        let near = if backend == Backend::Interp { 1e-9 } else { 1e-4 };
        for (path, t) in &wanted {
            let found = match path.strip_prefix('e') {
                Some(rest) => alone(&got, rest[..1].parse().unwrap(), &rest[2..]),
                None => got[path].clone(),
            };
            for (p, q) in found.to_f64().iter().zip(t.to_f64()) {
                assert!((p - q).abs() <= near * q.abs(), "{backend:?}: {beside} {clauses}: {path} {p} {q}");
            }
        }
        last = got;
    }
    last
}

#[test]
fn nets_of_an_array_learn_apart() {
    for over in [
        "over <2>.*",
        "over <1>.*, <3>.w with sgd(lr: 0.01, momentum: 0.9)\n    over <0>.* with adamw(lr: 0.01, decay: 0.1, decay_all: true)",
        "over * except <0>.*, <1>.v with rmsprop(lr: 0.001)",
        "over <3>.w with lion(lr: 0.01)\n    with adam(lr: 0.02)",
    ] {
        alike("", &format!("minimize fit\n    {over}"));
    }
}

#[test]
fn a_frozen_net_of_an_array_is_alone() {
    for (freeze, kept) in
        [("freeze <0>.*", vec![0]), ("freeze <1>.*, <3>.*", vec![1, 3]), ("freeze <2>.w\n    freeze <2>.v", vec![2])]
    {
        let got = alike(freeze, "minimize fit\n    with adamw(lr: 0.01, decay: 0.1, decay_all: true)");
        for name in ["e.*.w", "e.*.v"] {
            for k in 0..4 {
                let own = &got[name].to_f64()[6 * k..6 * k + 6];
                assert_eq!(own.iter().all(|v| *v == 1.0), kept.contains(&k), "{freeze}: {name} {k}: {own:?}");
            }
        }
    }
    // Those that are named learn, but for what is frozen; where all of it is frozen, nothing does.
    alike("freeze <0>.*", "minimize fit\n    over <0>.*, <1>.* with sgd(lr: 0.01)");
}

#[test]
fn averages_move_in_every_step_whoever_learns_in_it() {
    let arms = "average 0.5\n    alternate 1 { minimize fit over <0>.* with sgd(lr: 0.1) } 2 { minimize fit over <1>.*, c with adam(lr: 0.1) }";
    let got = alike("", arms);
    // What never learns is its own average, to the bit.
    assert!(got["e.*.w"].to_f64()[12..].iter().all(|v| *v == 1.0));
}

/// A parameter that follows `x -> x / 2` in every third step, with averages of a half.
#[test]
fn averages_are_those_of_a_model_that_is_averaged_after_each_step() {
    let text = "dim b\nmodel M {\n    input x: [b, 6]\n    param w: f32 = ones()\n    param v: f32 = ones()\n\
                loss one = 0.5 * w^2 + 0 * mean[b] x[b, 0]\n    loss two = 0.5 * v^2\n}\n\
                train M {\n    data \"rows.safetensors\" { x }\n    batch b = 5\n    average 0.5\n    \
                alternate 1 { minimize one over w with sgd(lr: 0.5) } 2 { minimize two over v with sgd(lr: 0.5) }\n    steps 6\n}\n";
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path());
    let model = model(text);
    let mean = |halves: &dyn Fn(usize) -> bool| {
        (0..6).fold((1.0, 1.0), |(value, mean), k| {
            let value = if halves(k) { value / 2.0 } else { value };
            (value, mean + (value - mean) * 0.5)
        })
    };
    for backend in backends() {
        let (_, got) = trained(&model, start(&model, 0), folder.path(), options(backend, 1));
        assert_eq!(got["w"].get(0), mean(&|k| k % 3 == 0).1, "{backend:?}");
        assert_eq!(got["v"].get(0), mean(&|k| k % 3 != 0).1, "{backend:?}");
    }
}

#[test]
fn a_number_that_no_net_has_is_refused() {
    for (beside, clauses) in
        [("freeze e[4].*", ""), ("", "over e[4].*"), ("", "over * except e[7].*"), ("", "over e[-1].w"), ("freeze e[9].w", "")]
    {
        let text = four(true, beside, &format!("minimize fit\n    {clauses}"));
        let found = crate::training::refused(&text);
        assert!(found.iter().any(|d| d.code == hnet::diag::Code::H0316), "{beside} {clauses}: {found:?}");
    }
}
