//! A shader under construction: its bindings, its uniform block, the functions that it calls, and its lines.

mod memory;

use super::super::program::{Buffer, Dispatch, Grid, Word};
use super::super::reach::Reach;
use super::draft::{Called, Draft, Hole, Mark};
use super::{helpers, words};
use crate::ir::{DType, Size};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// The windows through which the arena is bound, where it is not bound as one: how many, of how many words.
type Windows = Option<(u32, u64)>;

/// A WGSL module with one entry point.
pub(in crate::gpu) struct Module<'a> {
    pub buffers: &'a [Buffer],
    bound: Vec<usize>,
    writes: BTreeSet<usize>,
    idents: BTreeMap<usize, String>,
    names: Vec<String>,
    said: Vec<String>,
    reserved: BTreeSet<String>,
    words: Vec<Word>,
    holes: Vec<Hole>,
    functions: BTreeSet<&'static str>,
    /// Variables in workgroup memory: name and type.
    shared: Vec<(String, String)>,
    /// Buffers that are bound as vectors of four.
    fours: BTreeSet<usize>,
    lines: Vec<String>,
    depth: usize,
    /// Whether all buffers are reached through the arena.
    packed: bool,
    /// The windows through which the arena is bound: how many, of how many words.
    windows: Windows,
    /// How products reach their factors.
    pub reach: Reach,
    /// The most rounds that the loops of one thread may make, where the operations do not say it.
    rounds: Size,
    /// What sizes are in this run: they choose between texts.
    sizes: &'a dyn Fn(&Size) -> i64,
    /// Buffers that lie in workgroup memory, with the variable that holds their rows.
    pub private: BTreeMap<usize, String>,
}

/// A name that WGSL takes.
pub(in crate::gpu) fn ident(name: &str) -> String {
    let mut text: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    while text.contains("__") {
        text = text.replace("__", "_");
    }
    let mut text = text.trim_end_matches('_').to_string();
    let local = text.len() > 1 && text[1..].chars().all(|c| c.is_ascii_digit());
    if text.is_empty() || text == "_" || text.starts_with(|c: char| c.is_ascii_digit()) {
        text.insert_str(0, "b_");
    }
    if local || words::reserved(&text) {
        text.push_str("_b");
    }
    text
}

/// The arena through several bindings, which no single one holds.
fn windows(count: u32, words: u64) -> String {
    let mut code = String::new();
    for n in 0..count {
        code += &format!("@group(0) @binding({}) var<storage, read_write> arena_{n}: array<u32>;\n", n + 1);
    }
    code += "\nfn get_word(i: u32) -> u32 {\n";
    for n in 0..count {
        let (from, to) = (u64::from(n) * words, u64::from(n + 1) * words);
        match n + 1 < count {
            true => code += &format!("    if (i < {to}u) {{ return arena_{n}[i - {from}u]; }}\n"),
            false => code += &format!("    return arena_{n}[i - {from}u];\n}}\n"),
        }
    }
    code += "\nfn put_word(i: u32, v: u32) {\n";
    for n in 0..count {
        let (from, to) = (u64::from(n) * words, u64::from(n + 1) * words);
        match n + 1 < count {
            true => code += &format!("    if (i < {to}u) {{ arena_{n}[i - {from}u] = v; return; }}\n"),
            false => code += &format!("    arena_{n}[i - {from}u] = v;\n}}\n"),
        }
    }
    code
}

impl<'a> Module<'a> {
    /// `arena`: all buffers are reached through the arena, and through these windows on it.
    pub fn new(buffers: &'a [Buffer], sizes: &'a dyn Fn(&Size) -> i64, reach: Reach, arena: Option<Windows>) -> Module<'a> {
        Module {
            buffers,
            bound: Vec::new(),
            writes: BTreeSet::new(),
            idents: BTreeMap::new(),
            names: Vec::new(),
            said: Vec::new(),
            reserved: BTreeSet::new(),
            words: Vec::new(),
            holes: Vec::new(),
            functions: BTreeSet::new(),
            shared: Vec::new(),
            fours: BTreeSet::new(),
            lines: Vec::new(),
            depth: 1,
            packed: arena.is_some(),
            windows: arena.flatten(),
            reach,
            rounds: Size::from(0i64),
            sizes,
            private: BTreeMap::new(),
        }
    }

    pub fn line(&mut self, text: impl AsRef<str>) {
        let pad = "    ".repeat(self.depth);
        self.lines.push(format!("{pad}{}", text.as_ref()));
    }

    /// A line that opens a block.
    pub fn open(&mut self, text: impl AsRef<str>) {
        self.line(format!("{} {{", text.as_ref()));
        self.depth += 1;
    }

    pub fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    /// How many blocks are open.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// A size in this run. It may choose between texts, but stands in none.
    pub fn measure(&self, size: &Size) -> i64 {
        (self.sizes)(size)
    }

    pub fn otherwise(&mut self) {
        self.depth -= 1;
        self.line("} else {");
        self.depth += 1;
    }

    /// Keeps names from buffers and variables: those that the shader's own text uses.
    pub fn reserve(&mut self, names: &str) {
        self.reserved.extend(names.split_whitespace().map(str::to_string));
    }

    /// A name that nobody else has: one like this, chosen when all is written.
    pub fn fresh(&mut self, name: &str) -> String {
        self.names.push(name.to_string());
        Mark::Name(self.names.len() - 1).text()
    }

    /// What a comment says of this use alone.
    pub fn said(&mut self, text: &str) -> String {
        self.said.push(text.to_string());
        Mark::Said(self.said.len() - 1).text()
    }

    /// The name of a buffer, which is bound from now on.
    fn buffer(&mut self, b: usize) -> String {
        if let Some(name) = self.idents.get(&b) {
            return name.clone();
        }
        let name = self.fresh(&self.buffers[b].name);
        self.bound.push(b);
        self.idents.insert(b, name.clone());
        name
    }

    /// The array of a buffer, for a shader that has few of them.
    pub fn named(&mut self, b: usize, written: bool) -> String {
        if written {
            self.writes.insert(b);
        }
        self.buffer(b)
    }

    /// A variable in workgroup memory.
    pub fn shared(&mut self, name: &str, kind: &str) -> String {
        let name = self.fresh(name);
        self.shared.push((name.clone(), kind.to_string()));
        name
    }

    /// A function of the library; gives its name.
    pub fn function(&mut self, name: &'static str) -> &'static str {
        if self.functions.insert(name) {
            for other in helpers::needs(name) {
                self.function(other);
            }
        }
        name
    }

    /// A size as a u32.
    pub fn size(&mut self, size: &Size) -> String {
        if let Some(n) = size.constant() {
            return format!("{}u", n as u32);
        }
        let text = size.to_string();
        let plain =
            text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !text.starts_with(|c: char| c.is_ascii_digit());
        let called = if plain { Called::Name(ident(&text)) } else { Called::Number('n') };
        self.word(Word::Size(size.clone()), called)
    }

    /// Where something begins. Layers that are alike differ in this, and share a text all the same: what is known, too, may become a
    /// word of the uniform block.
    pub fn start(&mut self, size: &Size) -> String {
        Mark::Hole(self.hole(Word::Size(size.clone()), Called::Number('n'), true)).text()
    }

    /// A size as an f32: rounded where it is computed, for it may be larger than a word.
    pub fn real(&mut self, size: &Size) -> String {
        let bits = self.word(Word::Real(size.clone()), Called::Number('r'));
        format!("bitcast<f32>({bits})")
    }

    /// Says that a thread's loops may make so many rounds more.
    pub fn rounds(&mut self, n: &Size) {
        self.rounds = self.rounds.add(n);
    }

    /// A number that comes with the dispatch, so that several share one text.
    pub fn number(&mut self, n: i64, name: &str) -> String {
        self.word(Word::Size(Size::from(n)), Called::Name(name.to_string()))
    }

    /// A word of the uniform block.
    fn word(&mut self, word: Word, called: Called) -> String {
        Mark::Hole(self.hole(word, called, false)).text()
    }

    fn hole(&mut self, word: Word, called: Called, plain: bool) -> usize {
        let n = self.words.iter().position(|w| *w == word).unwrap_or(self.words.len());
        if n == self.words.len() {
            self.words.push(word);
        }
        self.holes.push(Hole { called, word: n, plain });
        self.holes.len() - 1
    }

    /// `factor * size`, in short where it can be.
    pub fn times(&mut self, factor: &str, size: &Size) -> String {
        match size.constant() {
            Some(1) => factor.to_string(),
            _ => {
                let n = self.size(size);
                format!("{factor} * {n}")
            }
        }
    }

    /// `offset + Σ counter * stride`.
    pub fn address(&mut self, offset: &Size, terms: &[(String, Size)]) -> String {
        let mut text = String::new();
        for (counter, stride) in terms.iter().filter(|t| !t.1.is(0)) {
            let part = match stride.constant() {
                Some(n) if n < 0 => {
                    let part = self.times(counter, &stride.neg());
                    text += &if text.is_empty() { format!("0u - {part}") } else { format!(" - {part}") };
                    continue;
                }
                _ => self.times(counter, stride),
            };
            text += &if text.is_empty() { part } else { format!(" + {part}") };
        }
        match (text.is_empty(), offset.is(0)) {
            (true, true) => "0u".to_string(),
            (true, false) => self.start(offset),
            (false, _) => {
                let ahead = self.hole(Word::Size(offset.clone()), Called::Number('n'), true);
                format!("{}{text}", Mark::Ahead(ahead).text())
            }
        }
    }

    /// Splits `index` over extents, the last one fastest; gives a counter for each.
    pub fn split(&mut self, index: &str, loops: &[(String, Size)]) -> Vec<String> {
        let mut names = vec![String::new(); loops.len()];
        let mut rest = index.to_string();
        for (k, (name, size)) in loops.iter().enumerate().rev() {
            // A loop of no rounds never runs: what it would divide by is no matter, but WGSL rejects a division by zero.
            if size.is(1) || size.is(0) {
                names[k] = "0u".to_string();
                continue;
            }
            names[k] = self.fresh(name);
            if k == 0 || loops[..k].iter().all(|l| l.1.is(1)) {
                let own = names[k].clone();
                self.line(format!("let {own} = {rest};"));
                break;
            }
            let n = self.size(size);
            let own = names[k].clone();
            self.line(format!("let {own} = {rest} % {n};"));
            let next = self.fresh("rest");
            self.line(format!("let {next} = {rest} / {n};"));
            rest = next;
        }
        for n in names.iter_mut().filter(|n| n.is_empty()) {
            *n = "0u".to_string();
        }
        names
    }

    /// The global number of a thread, and the return of those beyond `count`.
    pub fn threads(&mut self, count: &Size, per: u32) -> String {
        let name = self.fresh("item");
        self.line(format!("let {name} = (wg.y * 65535u + wg.x) * {per}u + lane;"));
        let n = self.size(count);
        self.line(format!("if ({name} >= {n}) {{ return; }}"));
        name
    }

    /// The finished module, and how it is dispatched.
    pub(in crate::gpu::wgsl) fn finish(
        self,
        name: &str,
        workgroup: u32,
        grid: Grid,
        places: &[Span],
        flops: Size,
    ) -> (Draft, Dispatch) {
        let mut text = String::new();
        match self.windows {
            _ if !self.packed => {}
            None => text += "@group(0) @binding(1) var<storage, read_write> arena: array<u32>;\n",
            Some((count, words)) => text += &windows(count, words),
        }
        for (n, b) in self.bound.iter().enumerate().filter(|_| !self.packed) {
            let kind = match self.buffers[*b].dtype {
                _ if self.buffers[*b].half => "u32",
                DType::F32 if self.fours.contains(b) => "vec4<f32>",
                DType::F32 => "f32",
                DType::I32 | DType::Bool => "i32",
            };
            let binding = n + 1;
            text += &format!("@group(0) @binding({binding}) var<storage, read_write> {}: array<{kind}>;\n", self.idents[b]);
        }
        if !self.shared.is_empty() {
            text += "\n";
        }
        for (name, kind) in &self.shared {
            text += &format!("var<workgroup> {name}: {kind};\n");
        }
        for f in &self.functions {
            text += &format!("\n{}", helpers::text(f));
        }
        text += &format!(
            "\n@compute @workgroup_size({workgroup})\nfn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) \
             lane: u32) {{\n{}\n}}\n",
            self.lines.join("\n")
        );
        let dispatch = Dispatch {
            name: name.to_string(),
            shader: 0,
            bindings: self.bound,
            packed: self.packed,
            writes: self.writes.into_iter().collect(),
            words: Vec::new(),
            grid,
            places: places.to_vec(),
            flops,
            rounds: self.rounds,
        };
        let Module { names, said, reserved, holes, words, .. } = self;
        (Draft { text, names, said, reserved, holes, words }, dispatch)
    }

    /// Whether a buffer that it binds is longer than one binding takes.
    pub fn exceeds(&self, binding: u64, size: &dyn Fn(&Size) -> i64) -> bool {
        self.bound.iter().any(|b| size(&self.buffers[*b].len()).max(0) as u64 > binding / 4)
    }

    /// Buffers bound so far.
    pub fn bindings(&self) -> usize {
        self.bound.len()
    }
}
