//! Runs that somebody watches: what measured best is what a phase or a round leaves, and it is what was measured. Beside sums written out here.

use crate::training::{backends, floats, model, options, refused, save, start, trained};
use hnet::check::model::Model;
use hnet::exec::session::Backend;
use hnet::ir::Tensor;
use hnet::train::Trainer;
use std::collections::BTreeMap;
use std::path::Path;

/// Numbers that learn to be 0 by `clauses`; `other` stands beside the block.
fn numbers(score: &str, clauses: &str, other: &str) -> Model {
    model(&format!(
        "dim b\nmodel M {{\n    condition round: i32 = 0\n    input x: [b]\n    param p: f32 = ones()\n    param q: f32 = ones()\n\
         \x20   loss fit = mean[b] x * p^2\n    loss late = mean[b] x * q^2\n    output score: f32 = {score}\n}}\n\
         train M {{\n    data \"rows.safetensors\" {{ x }}\n    batch b = all\n    minimize fit\n    over p\n    {clauses}\n}}\n{other}\
         eval M as held {{\n    data \"rows.safetensors\" {{ x }}\n    report score\n}}\n"
    ))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "rows.safetensors", vec![("x", floats(&[3], |_| 1.0))]);
    folder
}

/// Trains on every backend, left alone and cut off after every step; all ends are the same. Gives `p` and `q`, and the steps that were taken.
fn ends(model: &Model, folder: &Path, check: &dyn Fn(f64, f64, usize)) {
    for backend in backends() {
        let (records, whole) = trained(model, start(model, 0), folder, options(backend, 1));
        check(whole["p"].get(0), whole["q"].get(0), records.len());
        if backend == Backend::Gpu {
            continue;
        }
        let mut trainer = Trainer::new(model, start(model, 0), folder, options(backend, 1)).unwrap();
        while trainer.step().unwrap().is_some() {
            let state = trainer.state().unwrap();
            trainer = Trainer::new(model, BTreeMap::new(), folder, options(backend, 1)).unwrap();
            trainer.resume(state);
        }
        let again = trainer.params().unwrap();
        assert!(whole.iter().all(|(path, t)| t.same_bits(&again[path])), "{backend:?}");
        assert_eq!(trainer.place().updates, records.len() as u64);
    }
}

fn near(got: f64, want: f64, what: &str) {
    assert!((got - want).abs() <= 1e-5 * want.abs().max(1e-3), "{what}: {got}, not {want}");
}

/// A rate that grows until it is too large, running averages, and who waits for three looks: `p` of every step and its average.
fn growing(steps: usize, average: f64) -> Vec<(f64, f64)> {
    let (mut p, mut mean) = (1.0f64, 1.0f64);
    let step = |k: usize| {
        p -= 0.05 * 1.4f64.powi(k as i32) * 2.0 * p;
        mean = average * mean + (1.0 - average) * p;
        (p, mean)
    };
    (0..steps).map(step).collect()
}

/// The place of the least, and where three looks after it were no better.
fn best(scores: &[f64]) -> (usize, usize) {
    let (mut at, mut since) = (0, 0);
    for (k, s) in scores.iter().enumerate() {
        if k == 0 || *s < scores[at] {
            (at, since) = (k, 0);
        } else {
            since += 1;
        }
        if since == 3 {
            return (at, k);
        }
    }
    (at, scores.len() - 1)
}

#[test]
fn averages_that_measured_best_are_what_is_left() {
    let (folder, rule) = (folder(), "with sgd(lr: 0.05 * 1.4 ^ step)\n    validate held every 1 patience 3\n    steps 40");
    for average in [None, Some(0.6)] {
        let path = growing(40, average.unwrap_or(0.0));
        let scores: Vec<f64> = path.iter().map(|(_, mean)| mean * mean).collect();
        let (at, end) = best(&scores);
        assert!(at > 2 && end < 39, "the run has a best place");
        let clauses = average.map_or(rule.to_string(), |a| format!("average {a}\n    {rule}"));
        let m = numbers("-p^2", &clauses, "");
        ends(&m, folder.path(), &|p, q, steps| {
            near(p, path[at].1, "what measured best");
            assert_eq!((q, steps), (1.0, end + 1));
        });
        // A phase behind it goes on from there, and what it makes is kept.
        let behind = "train M as behind {\n    data \"rows.safetensors\" { x }\n    batch b = all\n    minimize late\n    over q\n    with sgd(lr: 0.1)\n    steps 10\n}\n";
        let m = numbers("-p^2", &clauses, behind);
        ends(&m, folder.path(), &|p, q, steps| {
            near(p, path[at].1, "what the first phase left");
            near(q, 0.8f64.powi(10), "what the second made");
            assert_eq!(steps, end + 11);
        });
    }
}

#[test]
fn each_round_looks_for_itself_and_goes_on_from_what_was_left() {
    let folder = folder();
    // In every round p grows: the first look is the best of it.
    let clauses = "with sgd(lr: 0.1)\n    validate held every 1 patience 3\n    steps 10";
    let text = |what: &str, average: &str, clauses: &str| {
        format!(
            "dim b\nmodel M {{\n    condition round: i32 = 0\n    input x: [b]\n    param p: f32 = ones()\n    param q: f32 = ones()\n\
             \x20   loss fit = mean[b] x * p^2\n    output score: f32 = -p^2\n}}\n\
             train M for round in 0..3 {{\n    data \"rows.safetensors\" {{ x }}\n    batch b = all\n    minimize {what}\n    over p\n    {average}\n    {clauses}\n}}\n\
             eval M as held {{\n    data \"rows.safetensors\" {{ x }}\n    report score\n}}\n"
        )
    };
    let m = model(&text("-fit", "", clauses));
    ends(&m, folder.path(), &|p, _, steps| {
        near(p, 1.2f64.powi(3), "the best of each round");
        assert_eq!(steps, 12);
    });
    let m = model(&text("fit", "average 0.5", "with sgd(lr: 0.1)\n    steps 4"));
    let round = |p: f64| {
        let (mut p, mut mean) = (p, p);
        (0..4).for_each(|_| {
            p *= 0.8;
            mean = 0.5 * mean + 0.5 * p;
        });
        mean
    };
    ends(&m, folder.path(), &|p, _, _| near(p, round(round(round(1.0))), "the averages of each round"));
}

#[test]
fn a_score_that_is_not_finite_is_never_the_best() {
    let folder = folder();
    let clauses = "with sgd(lr: 0.1)\n    validate held every 1 patience 6\n    steps 12";
    // NaN until p is below a half, then better with each step.
    let m = numbers("log(0.5 - p)", clauses, "");
    ends(&m, folder.path(), &|p, _, steps| {
        near(p, 0.8f64.powi(12), "the last");
        assert_eq!(steps, 12);
    });
    // Infinite first: no progress six times, and nothing measured that could be taken.
    let m = numbers("1 / (q - 1) + 0 * p", clauses, "");
    ends(&m, folder.path(), &|p, _, steps| {
        near(p, 0.8f64.powi(6), "the last");
        assert_eq!(steps, 6);
    });
}

#[test]
fn rates_and_parameters_that_are_not_finite_are_said() {
    let folder = folder();
    for (rate, good) in [("linear(step / (steps - 1))", 0), ("sqrt(2.5 - step)", 3), ("0.1 / (step - 1)", 1)] {
        let m = numbers("p", &format!("with sgd(lr: 1e-30 * ({rate}))\n    steps {}", if good == 0 { 1 } else { 5 }), "");
        for backend in backends() {
            let mut trainer = Trainer::new(&m, start(&m, 0), folder.path(), options(backend, 1)).unwrap();
            (0..good).for_each(|_| drop(trainer.step().unwrap()));
            let before = trainer.state().unwrap();
            let said = trainer.step().unwrap_err();
            assert!(said.code == "H0621" && said.message.contains("learning rate"), "{backend:?} {rate}: {said:?}");
            assert!(
                before.values.iter().all(|(path, t)| t.same_bits(&trainer.state().unwrap().values[path])),
                "{backend:?} {rate}"
            );
        }
    }
    // All that is told is finite, and the update is not.
    let m = numbers("p", "with sgd(lr: 3e38)\n    steps 5", "");
    // The interpreter's 64 bits hold it.
    for backend in backends().into_iter().filter(|b| *b != Backend::Interp) {
        let mut trainer = Trainer::new(&m, start(&m, 0), folder.path(), options(backend, 1)).unwrap();
        trainer.whole().unwrap();
        trainer.step().unwrap();
        let said = trainer.whole().unwrap_err();
        assert!(said.code == "H0621" && said.message.contains("`p` is not finite after step 1"), "{backend:?}: {said:?}");
    }
    // What was no number in the beginning may stay so.
    let mut params = start(&m, 0);
    params.insert("q".into(), floats(&[], |_| f64::NAN));
    Trainer::new(&m, params, folder.path(), options(Backend::Interp, 1)).unwrap().whole().unwrap();
}

#[test]
fn fed_sizes_are_among_those_that_are_allowed() {
    let folder = folder();
    let text = |sizes: &str, feed: &str| {
        format!(
            "dim b\nmodel M {{\n    condition depth: size in {sizes} = 2\n    input x: [b]\n    param w: [4] = ones()\n\
             \x20   let first = w[0..depth]\n    loss fit = mean[b] x * sum(first)^2\n}}\n\
             train M {{\n    data \"rows.safetensors\" {{ x }}\n    batch b = all\n    feed depth = {feed}\n    minimize fit\n    steps 3\n}}\n"
        )
    };
    for backend in backends() {
        for (sizes, feed) in [("[1, 2, 3]", "4"), ("1..4", "0"), ("1..4", "4"), ("[1, 2, 3]", "0 - 1"), ("[2, 4]", "randint(2)")]
        {
            let m = model(&text(sizes, feed));
            let mut trainer = Trainer::new(&m, start(&m, 0), folder.path(), options(backend, 1)).unwrap();
            let said = trainer.step().unwrap_err();
            assert_eq!(said.code, "H0611", "{backend:?} {sizes} {feed}: {said:?}");
        }
        let m = model(&text("[1, 2, 3]", "choose([1, 2, 3])"));
        let (records, _) = trained(&m, start(&m, 0), folder.path(), options(backend, 1));
        assert_eq!(records.len(), 3);
    }
}

/// Of an array only the nets that a loss is computed from learn; a rule with decay leaves the others as they are.
#[test]
fn nets_that_nobody_asks_are_left_alone() {
    let text = |used: &str, over: &str| {
        format!(
            "import std.linear {{ Linear }}\ndim b\nmodel M {{\n    input x: [b, 2]\n    sub e[3] = Linear(2, 2)\n    loss fit = {used}\n}}\n\
             train M {{\n    data \"rows.safetensors\" {{ x }}\n    batch b = all\n    minimize fit\n    {over}\n    with adamw(lr: 0.1, decay: 0.5)\n    steps 3\n}}\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "rows.safetensors", vec![("x", floats(&[4, 2], |k| k as f64 / 3.0 - 1.0))]);
    let nets = |t: &Tensor| t.to_f64().chunks(t.len() / 3).map(<[f64]>::to_vec).collect::<Vec<_>>();
    let all = "var h = x\n    for k in 0..3 { h = e[k](h) }\n    loss other = mean[b] sum(h^2)";
    for (used, over, moves) in [
        ("mean[b] sum(e[1](x)^2)", "", [false, true, false]),
        ("mean[b] sum(e[2](e[0](x))^2)", "", [true, false, true]),
        ("mean[b] sum(e[1](x)^2)", "over e.*", [false, true, false]),
        (&format!("mean[b] sum(e[1](x)^2)\n    {all}"), "", [false, true, false]),
        ("mean[b] sum(e[0](x) * e[1](x) * e[2](x))", "", [true, true, true]),
    ] {
        let m = model(&text(used, over));
        for backend in backends() {
            let begin = start(&m, 2);
            let (_, end) = trained(&m, begin.clone(), folder.path(), options(backend, 1));
            for path in ["e.*.w", "e.*.bias"] {
                let moved: Vec<bool> = nets(&begin[path]).iter().zip(nets(&end[path])).map(|(a, b)| *a != b).collect();
                assert_eq!(moved, moves, "{backend:?} {used}: {path}");
            }
        }
    }
    let said = refused(&text("mean[b] sum(e[1](x)^2)", "over e[0].*"));
    assert!(said.iter().any(|d| d.code == "H0722"), "{said:?}");
}

/// What no slope leads to does not learn, and a loss without any teaches nobody.
#[test]
fn what_is_learned_from_changes_smoothly() {
    let text = |loss: &str| {
        format!(
            "dim b\nmodel M {{\n    input x: [b]\n    param p: f32 = ones()\n    param q: f32 = ones()\n    let hit = mean[b] number(x * p > 0)\n\
             \x20   loss fit = mean[b] x * p^2\n}}\n\
             train M {{\n    data \"rows.safetensors\" {{ x }}\n    batch b = all\n    minimize {loss}\n\
             \x20   with sgd(lr: 0.1, decay: 0.5, decay_all: true)\n    steps 3\n}}\n"
        )
    };
    for loss in ["stop_gradient(fit)", "-hit", "stop_gradient(p) ^ 2"] {
        let said = refused(&text(loss));
        assert!(said.iter().any(|d| d.code == "H0722"), "{loss}: {said:?}");
    }
    let folder = folder();
    for (loss, moves) in
        [("fit + stop_gradient(q)", (true, false)), ("surrogate(hit, q ^ 2)", (false, true)), ("hit + fit * q", (true, true))]
    {
        let m = model(&text(loss));
        for backend in backends() {
            let (_, end) = trained(&m, start(&m, 0), folder.path(), options(backend, 1));
            assert_eq!((end["p"].get(0) != 1.0, end["q"].get(0) != 1.0), moves, "{backend:?} {loss}");
        }
    }
}

/// A clause that stands twice, averages that keep all or more, rates below 0.
#[test]
fn what_nobody_can_mean_is_said() {
    let with = |clauses: &str| {
        let text = format!(
            "dim b\nmodel M {{\n    input x: [b]\n    param p: f32 = ones()\n    param c: f32 = ones()\n    loss fit = mean[b] x * p^2 * c\n}}\n\
             train M {{\n    data \"rows.safetensors\" {{ x }}\n    batch b = all\n    minimize fit\n    {clauses}\n    steps 3\n}}\n\
             eval M as held {{\n    data \"rows.safetensors\" {{ x }}\n    report fit\n}}\n"
        );
        refused(&text).into_iter().map(|d| d.code.to_string()).collect::<Vec<_>>()
    };
    let twice = [
        "steps 4",
        "clip 1.0\n    clip value 2.0",
        "batch b = 2",
        "seed 1\n    seed 1",
        "average 0.5\n    average 0.6",
        "accumulate 2\n    accumulate 4",
    ];
    for twice in twice {
        assert_eq!(with(twice), ["H0729"], "{twice}");
    }
    let arms = "alternate 1 {\n        clip 1.0\n    } 1 {\n        clip 2.0\n    }";
    for fine in ["minimize fit", "over p\n    over c", arms] {
        assert!(with(fine).is_empty(), "{fine}: {:?}", with(fine));
    }
    let wrong =
        [("average 1", "H0726"), ("average 1.5", "H0726"), ("with adam(lr: -1e-2)", "H0723"), ("with sgd(lr: 0 - 1)", "H0723")];
    for (wrong, code) in wrong {
        assert_eq!(with(wrong), [code], "{wrong}");
    }
}

/// What is set is what it is set to, in every backend's own digits.
#[test]
fn a_copy_is_a_copy() {
    let folder = folder();
    let m = model(
        "dim b\nmodel M {\n    input x: [b]\n    condition round: i32 = 0\n    param p: [3] = normal()\n    param old: [3] = zeros()\n\
         \x20   loss fit = mean[b] x * sum(p^2) * 0.3\n    loss apart = sum[k] abs(p[k] - old[k])\n}\n\
         train M for round in 0..3 {\n    data \"rows.safetensors\" { x }\n    batch b = all\n    set old = p\n    minimize fit\n    over p\n\
         \x20   with adam(lr: 0.1)\n    steps 3\n}\n",
    );
    for backend in backends() {
        let (records, _) = trained(&m, start(&m, 5), folder.path(), options(backend, 1));
        for round in records.chunks(3) {
            let apart = round[0].losses.iter().find(|l| l.0 == "apart").unwrap().1;
            assert_eq!(apart, 0.0, "{backend:?}");
        }
    }
}
