//! What a step does otherwise where memory or precision ask for it: loops that are cut into stretches, products of 16 bits.

use crate::training::{ALL, backends, floats, losses, model, options, rows, save, start, trained};
use hnet::exec::session::Backend;
use hnet::train::{Options, Trainer};
use std::collections::BTreeMap;

/// A recurrent net whose loop reads a place of its input in each round, and its number; goes one way and the other; draws; yields.
const ROUNDS: &str = "dim b\ndim t\nnet Cell(n, h) {
    param w: [n, h] = normal(0, 0.3)
    param u: [h, h] = normal(0, 0.1)
    param bias: [h] = normal(0, 0.1)
    (x: [n], s: [h]) -> [h] { tanh(x @ w + s @ u + bias) }
}
model M {
    input x: [b, t, 3]
    input y: [b]
    sub cell = Cell(3, 40)
    sub back = Cell(3, 5)
    param out: [40] = normal(0, 0.4)
    param last: [5] = normal(0, 0.4)
    param turn: [5] = normal(0, 0.4)
    var s: [40] = zeros()
    let row[t] = for t in 0..count[t] {
        s = cell(x[t], s) * (1 + 0.01 * t)
        yield s @ out
    }
    var r: [5] = ones()
    for t in rev 0..count[t] {
        draw eps: [5] = normal()
        r = back(x[t], r) + 0.1 * eps * turn
    }
    loss fit = mean[b] (0.1 * sum[t] row + r @ last - y)^2
}
train M {
    data \"series.safetensors\" { x, y }
    batch b = 4
    minimize fit
    with sgd(lr: 0.01)
    steps 3
}
";

/// A model learns the same, however little its loops may keep: series of so many `rounds`, on a device those of `on_device` alone, with so many
/// bytes of `memory`.
fn learns_the_same(text: &str, rounds: &[usize], on_device: usize, memory: &[u64]) {
    let model = model(text);
    for rounds in rounds {
        let folder = tempfile::tempdir().unwrap();
        let series = floats(&[8, *rounds, 3], |k| ((k * 31 + 7) % 23) as f64 / 9.0 - 1.2);
        save(folder.path(), "series.safetensors", vec![("x", series), ("y", floats(&[8], |k| k as f64 / 4.0))]);
        let with = |backend, memory| Options { memory: Some(memory), ..options(backend, 2) };
        let (whole, wanted) = trained(&model, start(&model, 5), folder.path(), with(Backend::Interp, 1 << 40));
        for backend in backends().into_iter().filter(|b| *b != Backend::Gpu || *rounds == on_device) {
            let near = if backend == Backend::Interp { 1e-8 } else { 2e-3 };
            for memory in memory {
                let (cut, values) = trained(&model, start(&model, 5), folder.path(), with(backend, *memory));
                for (a, b) in losses(&cut).iter().zip(losses(&whole)) {
                    assert!((a - b).abs() <= near * b.abs(), "{backend:?}, {rounds} rounds, {memory} bytes: {a} {b}");
                }
                for (path, t) in wanted.iter().filter(|_| backend == Backend::Interp) {
                    for (a, b) in values[path].to_f64().iter().zip(t.to_f64()) {
                        assert!((a - b).abs() <= 1e-6 * b.abs().max(1e-3), "{rounds} rounds, {memory} bytes, {path}: {a} {b}");
                    }
                }
            }
        }
    }
}

#[test]
fn loops_that_are_cut_into_stretches_teach_the_same() {
    // With nothing kept but what must be, and with loops cut as well.
    learns_the_same(ROUNDS, &[0, 1, 2, 3, 4, 5, 7, 12, 13, 36, 67], 13, &[0, 1 << 11, 1 << 40]);
}

/// Loops in the rounds of others, both long: the weights of the inner one are read by its number, too, and another round reads a place.
const NESTED: &str = "dim b\ndim t\nmodel M {
    input x: [b, t, 3]
    input y: [b]
    param w: [5, 7, 7] = normal(0, 0.3)
    param v: [7, 7] = normal(0, 0.3)
    param u: [3, 7] = normal(0, 0.4)
    param gain: [9] = normal(1, 0.1)
    param out: [7] = normal(0, 0.4)
    var h: [7] = zeros()
    let hs[t] = for t in 0..count[t] {
        var z = h
        for j in 0..9 {
            draw eps: [7] = normal()
            z = z + 0.1 * gain[j] * tanh(z @ v + z @ w[j mod 5] + x[t] @ u) + 0.01 * eps
        }
        h = 0.7 * z
        yield h @ out
    }
    loss fit = mean[b] (0.2 * sum[t] hs - y)^2
}
train M {
    data \"series.safetensors\" { x, y }
    batch b = 4
    minimize fit
    with sgd(lr: 0.01)
    steps 3
}
";

#[test]
fn loops_in_rounds_that_are_cut_teach_the_same() {
    // Nothing is kept but what must be; some of it; parts of adjoints and sums of products, too.
    learns_the_same(NESTED, &[0, 1, 6], 6, &[0, 1 << 13, 1 << 15]);
}

#[test]
fn mixed_precision_learns_as_the_plain_one() {
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path());
    let model = model(ALL);
    let (plain, _) = trained(&model, start(&model, 5), folder.path(), options(Backend::Interp, 1));
    for backend in backends() {
        let mixed = |threads| Options { mixed: true, ..options(backend, threads) };
        let (records, values) = trained(&model, start(&model, 5), folder.path(), mixed(2));
        assert!(records.iter().all(|r| r.scale == Some(65_536.0) && !r.skipped));
        // Routing may choose another expert where 16 bits say so: the first steps agree, and all of them learn.
        for (a, b) in losses(&records).iter().zip(losses(&plain)).take(5) {
            assert!((a - b).abs() <= 2e-2 * b.abs() && a != &b, "{backend:?}: {a} {b}");
        }
        assert!(losses(&records)[39] < losses(&records)[0]);
        // Cut off and resumed: the same bits.
        let mut first = Trainer::new(&model, start(&model, 5), folder.path(), mixed(1)).unwrap();
        (0..17).for_each(|_| drop(first.step().unwrap()));
        let mut second = Trainer::new(&model, BTreeMap::new(), folder.path(), mixed(1)).unwrap();
        second.resume(first.state().unwrap());
        while second.step().unwrap().is_some() {}
        let got = second.params().unwrap();
        assert!(values.iter().all(|(path, t)| t.same_bits(&got[path])), "{backend:?}");
    }
}

#[test]
fn a_step_whose_gradients_are_beyond_16_bits_is_skipped() {
    let text = |extra: &str, factor: &str, steps: usize| {
        format!(
            "dim b\nmodel M {{\n    input x: [b, 6]\n    param w: [6] = ones()\n    state seen: f32 = zeros()\n    update seen = seen + 1\n\
             loss fit = {factor} * mean[b] (x @ w - 9)^2\n}}\n\
             train M {{\n    data \"rows.safetensors\" {{ x }}\n    batch b = 5\n    {extra}minimize fit\n    with adam(lr: 0.01)\n    steps {steps}\n}}\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path());
    for backend in backends() {
        for extra in ["", "accumulate 3\n    "] {
            let model = model(&text(extra, "10", 12));
            let mixed = Options { mixed: true, ..options(backend, 1) };
            let mut trainer = Trainer::new(&model, start(&model, 5), folder.path(), mixed.clone()).unwrap();
            let (mut before, mut skipped) = (trainer.state().unwrap().values, 0);
            while let Some(record) = trainer.step().unwrap() {
                let state = trainer.state().unwrap();
                if record.skipped {
                    skipped += 1;
                    assert!(before.iter().all(|(path, t)| t.same_bits(&state.values[path])), "{backend:?}: {extra}");
                    assert_eq!(record.scale, Some(65_536.0 / f64::powi(2.0, skipped)));
                }
                assert_eq!(record.step + skipped as u64, record.at);
                before = state.values;
            }
            assert!((2..9).contains(&skipped), "{backend:?}: {extra}: {skipped}");
            // Adam's first step is of the learning rate's length, however many were skipped before it.
            let seen = before["seen"].get(0);
            assert_eq!(seen, (12 - skipped) as f64 * if extra.is_empty() { 1.0 } else { 3.0 });
            for w in before["w"].to_f64() {
                assert!((w - 1.0).abs() <= 0.011 * (12 - skipped) as f64, "{w}");
            }
        }
        // Where no scale helps, the run stops and says so.
        let model = model(&text("", "100000000", 40));
        let mixed = Options { mixed: true, ..options(backend, 1) };
        let mut trainer = Trainer::new(&model, start(&model, 5), folder.path(), mixed).unwrap();
        let (steps, stopped) = (0..40).find_map(|k| trainer.step().err().map(|d| (k, d))).unwrap();
        assert_eq!((steps, stopped.code.to_string().as_str()), (16, "H0621"), "{stopped:?}");
        assert_eq!(trainer.place().updates, 0);
    }
}
