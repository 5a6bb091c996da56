//! Programs as data for the page: `programs.json`.
//!
//! Every size is the number of an entry in one list: constants first, then those that the free dims decide, which the module
//! computes in the same order. A shader is a file; equal ones are one. What the letters mean stands at the top of `runtime.js`.

use crate::gpu::Locate;
use crate::gpu::program::Word;
use crate::gpu::{Buffer, Dispatch, Grid, Item, Kind, Program, Shader};
use crate::ir::{Size, outside};
use crate::plan::Demand;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Files and sizes that programs share.
#[derive(Default)]
pub struct Table {
    /// File names with their texts, in order of first use.
    pub shaders: Vec<(String, String)>,
    known: BTreeMap<String, usize>,
    names: BTreeSet<String>,
    sizes: Vec<Size>,
    places: BTreeMap<Size, usize>,
    pub programs: Vec<Value>,
}

impl Table {
    /// Adds a program; gives its number.
    pub fn add(&mut self, p: &Program, locate: Locate) -> usize {
        let shaders: Vec<usize> = p.shaders.iter().map(|s| self.shader(s)).collect();
        let buffers: Vec<Value> = p.buffers.iter().map(|b| self.buffer(b)).collect();
        let items: Vec<Value> = p.items.iter().map(|i| self.item(i, &shaders)).collect();
        let mut program = json!({ "buffers": buffers, "items": items, "prepared": p.prepared, "outputs": p.outputs });
        let demands = &p.demands.computed;
        if !demands.is_empty() {
            let mut order: Vec<_> = demands.iter().map(|d| d.span).collect();
            order.sort();
            let rank = |d: &Demand| order.iter().position(|s| *s == d.span);
            let demands: Vec<Value> = demands.iter().map(|d| self.demand(d, rank(d), locate)).collect();
            program["inside"] = json!(demands);
        }
        self.programs.push(program);
        self.programs.len() - 1
    }

    /// Constants come first when all is written; until then a size is known by when it was added.
    fn size(&mut self, size: &Size) -> usize {
        if let Some(known) = self.places.get(size) {
            return *known;
        }
        self.sizes.push(size.clone());
        self.places.insert(size.clone(), self.sizes.len() - 1);
        self.sizes.len() - 1
    }

    fn shader(&mut self, shader: &Shader) -> usize {
        if let Some(known) = self.known.get(shader.read()) {
            return *known;
        }
        let plain: String = shader.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(60).collect();
        let mut file = format!("{plain}.wgsl");
        let mut n = 2;
        // Some disks take `A` and `a` for one name.
        while !self.names.insert(file.to_lowercase()) {
            file = format!("{plain}-{n}.wgsl");
            n += 1;
        }
        self.shaders.push((file, shader.code.clone()));
        self.known.insert(shader.read().to_string(), self.shaders.len() - 1);
        self.shaders.len() - 1
    }

    fn buffer(&mut self, b: &Buffer) -> Value {
        let len = self.size(&b.len());
        match &b.kind {
            Kind::Source(path) => json!([len, &**path, u8::from(b.early)]),
            Kind::Temp | Kind::Output => json!(len),
        }
    }

    /// The axis's size, its name in a message, the outputs that ask for it, where, and how many stand before it in the source.
    fn demand(&mut self, d: &Demand, rank: Option<usize>, locate: Locate) -> Value {
        json!([self.size(&d.axis.size), outside::axis_words(&d.axis.name), d.by, locate(d.span).unwrap_or_default(), rank])
    }

    fn item(&mut self, item: &Item, shaders: &[usize]) -> Value {
        match item {
            Item::Dispatch(d) => self.dispatch(d, shaders),
            Item::Repeat { trips, body } => {
                let n = self.size(trips);
                let body: Vec<Value> = body.iter().map(|i| self.item(i, shaders)).collect();
                json!({ "x": n, "d": body })
            }
        }
    }

    fn dispatch(&mut self, d: &Dispatch, shaders: &[usize]) -> Value {
        let mut out = json!({ "s": shaders[d.shader], "b": d.bindings, "w": d.writes });
        let words: Vec<Value> = d
            .words
            .iter()
            .map(|w| match w {
                Word::Size(s) => json!(self.size(s)),
                Word::Real(s) => json!([self.size(s)]),
                // Where a buffer starts: below zero, to tell it from a size.
                Word::At(b) => json!(-1 - *b as i64),
            })
            .collect();
        if !words.is_empty() {
            out["u"] = json!(words);
        }
        match &d.grid {
            Grid::Work { count, per } => {
                out["n"] = json!(self.size(count));
                out["p"] = json!(per);
            }
            Grid::Indirect { buffer, at } => out["i"] = json!([buffer, at]),
        }
        if d.packed {
            out["a"] = json!(1);
        }
        out
    }

    /// The file, and the sizes that the module must compute, in order.
    pub fn finish(self) -> (Value, Vec<Size>) {
        let (mut constants, mut open) = (Vec::new(), Vec::new());
        let mut place = vec![0; self.sizes.len()];
        for (k, s) in self.sizes.iter().enumerate() {
            match s.constant() {
                Some(n) => {
                    place[k] = constants.len();
                    constants.push(n);
                }
                None => open.push((k, s.clone())),
            }
        }
        for (n, (k, _)) in open.iter().enumerate() {
            place[*k] = constants.len() + n;
        }
        let programs: Vec<Value> = self.programs.into_iter().map(|p| moved(p, &place)).collect();
        let shaders: Vec<&str> = self.shaders.iter().map(|s| s.0.as_str()).collect();
        (json!({ "shaders": shaders, "constants": constants, "programs": programs }), open.into_iter().map(|o| o.1).collect())
    }
}

/// A program with its sizes at their final places.
fn moved(mut program: Value, place: &[usize]) -> Value {
    let new = |v: &mut Value| {
        if let Some(k) = v.as_u64() {
            *v = json!(place[k as usize]);
        }
    };
    for b in program["buffers"].as_array_mut().into_iter().flatten() {
        match b {
            Value::Array(source) => new(&mut source[0]),
            len => new(len),
        }
    }
    fn items(list: &mut Value, new: &dyn Fn(&mut Value)) {
        for i in list.as_array_mut().into_iter().flatten() {
            for key in ["x", "n"] {
                if let Some(v) = i.get_mut(key) {
                    new(v);
                }
            }
            if let Some(words) = i.get_mut("u") {
                for word in words.as_array_mut().into_iter().flatten() {
                    match word {
                        Value::Array(real) => real.iter_mut().for_each(new),
                        size => new(size),
                    }
                }
            }
            if let Some(body) = i.get_mut("d") {
                items(body, new);
            }
        }
    }
    items(&mut program["items"], &new);
    if let Some(demands) = program.get_mut("inside") {
        demands.as_array_mut().into_iter().flatten().for_each(|d| new(&mut d[0]));
    }
    program
}

/// Paths of the sources that some of a program's outputs are computed from, by what each dispatch writes and binds.
pub fn sources(p: &Program, outputs: &[usize]) -> BTreeSet<String> {
    let mut need: BTreeSet<usize> = outputs.iter().map(|k| p.outputs[*k]).collect();
    back(&p.items, &mut need);
    let path = |b: &usize| match &p.buffers[*b].kind {
        Kind::Source(path) => Some(path.to_string()),
        Kind::Temp | Kind::Output => None,
    };
    need.iter().filter_map(path).collect()
}

fn back(items: &[Item], need: &mut BTreeSet<usize>) {
    for item in items.iter().rev() {
        match item {
            Item::Dispatch(d) => {
                if d.writes.iter().any(|w| need.contains(w)) {
                    need.extend(&d.bindings);
                    if let Grid::Indirect { buffer, .. } = d.grid {
                        need.insert(buffer);
                    }
                }
            }
            // What a round reads, the round before it writes: again until nothing is added.
            Item::Repeat { body, .. } => loop {
                let before = need.len();
                back(body, need);
                if need.len() == before {
                    break;
                }
            },
        }
    }
}
