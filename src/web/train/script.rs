//! The part of `model.js` that says how the page trains. What the entries mean stands at the top of `train.js`.

use super::super::module::{self, ask, chosen, list};
use super::super::{expr, module::Described};
use super::{Change, Heard, Lent, Lesson, Shipped, Taught, word};
use crate::plan::Sizes;
use crate::train::{Carried, List, Number, Start, course};
use expr::quoted;
use std::fmt::Write;

/// `train: { .. }`, an entry of the description.
pub fn lesson(l: &Lesson) -> String {
    let mut out = String::from("  train: {\n");
    let each = match &l.train.each {
        Some((name, from, to)) => format!("[{}, {from}, {to}]", quoted(name)),
        None => "null".into(),
    };
    let (name, seed, steps) = (quoted(&l.name), l.seed, l.train.steps);
    let _ = writeln!(out, "    name: {name}, seed: {seed}, steps: {steps}, each: {each}, setKey: {},", course::set_key());
    let begin = l.begin.as_ref().map_or("null".into(), change);
    let _ = writeln!(out, "    begin: {begin},");
    let every = list(&l.every, |(interval, c)| format!("[{interval}, {}]", change(c)));
    let _ = writeln!(out, "    every: {every},\n    arms: [");
    l.arms.iter().for_each(|a| out += &arm(a));
    out += "    ],\n  },\n";
    out
}

fn change(c: &Change) -> String {
    let (paths, asks) = (list(&c.paths, |p| quoted(p)), list(&c.asks, |a| ask(a, &["step".to_string()])));
    format!("{{ when: {}, paths: {paths}, asks: {asks}, family: {} }}", c.when, chosen(&c.chosen))
}

fn sizes(dims: &Sizes) -> String {
    let dims: Vec<String> = dims.iter().map(|(d, n)| format!(", [{}]: {n}", quoted(d))).collect();
    format!("{{ __proto__: null{} }}", dims.concat())
}

fn arm(a: &Taught) -> String {
    let (turns, accumulate) = (a.arm.turns, a.arm.accumulate);
    let dims = sizes(&a.dims);
    let mut out = format!("      {{\n        turns: {turns}, accumulate: {accumulate}, key: {}, dims: {dims},\n", a.key);
    let outputs = ["step".to_string()];
    let described = Described { outputs: &outputs, indexing: &a.indexing, defaults: &a.defaults };
    out += "        inputs: [\n";
    for (i, wanted) in &a.inputs {
        let text = module::input(i, &described);
        let _ = writeln!(out, "          {{ {text}, wanted: {wanted} }},");
    }
    out += "        ],\n";
    let _ = writeln!(out, "        rows: {},", a.rows.as_ref().map_or("null".into(), rows));
    out += "        parts: {\n";
    for (part, lent) in course::parts(a.arm).iter().zip(&a.parts) {
        let _ = writeln!(out, "          {}: {},", word(part), step(lent));
    }
    out += "        },\n      },\n";
    out
}

fn rows(s: &Shipped) -> String {
    let pair = |(a, b): &(String, String)| format!("[{}, {}]", quoted(a), quoted(b));
    let dims =
        list(&s.dims, |(dim, all, size)| format!("[{}, {all}, {}]", quoted(dim), size.map_or("null".into(), |n| n.to_string())));
    let group =
        s.group.as_ref().map_or("null".into(), |(by, tensor, own)| format!("[{}, {}, {own}]", quoted(by), quoted(tensor)));
    format!("{{ columns: {}, dims: {dims}, group: {group} }}", list(&s.columns, pair))
}

fn step(l: &Lent) -> String {
    let told = list(&l.told, |h: &Heard| {
        let words = match h.list {
            List::Losses => "losses",
            List::Rates => "rates",
            List::Norms => "norms",
            List::Loads => "loads",
            List::Dropped => "dropped",
        };
        let shape = list(&h.shape, module::axis_value);
        format!("[\"{words}\", {}, {shape}, {}]", quoted(&h.name), h.finite)
    });
    let carried = list(&l.carried, |c: &Carried| match &c.start {
        Start::Stored => format!("[{}]", quoted(&c.path)),
        Start::Copy(from) => format!("[{}, {}]", quoted(&c.path), quoted(from)),
        Start::Filled(v, like) => format!("[{}, {}, {}]", quoted(&c.path), quoted(like), module::number(*v)),
    });
    let numbers = list(&l.numbers, |(path, n)| {
        let (kind, value) = match n {
            Number::Correction(v) => ("correction", v),
            Number::RootCorrection(v) => ("root", v),
            Number::Damping(v) => ("damping", v),
        };
        format!("[{}, \"{kind}\", {}]", quoted(path), module::number(*value))
    });
    let asks = list(&l.asks, |a| ask(a, &["step".to_string()]));
    format!(
        "{{ told: {told},\n            carried: {carried},\n            numbers: {numbers}, asks: {asks},\n            family: {} }}",
        chosen(&l.chosen)
    )
}
