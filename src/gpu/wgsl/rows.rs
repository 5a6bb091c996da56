//! A shader that takes several rows through several stages, with a barrier between them.

use super::super::program::Grid;
use super::super::rows::{BLOCK, Group, Lead, element};
use super::super::stage::{Placed, Stage};
use super::kernel::{Nest, Share, chain};
use super::module::Module;
use super::special::{self, share};
use super::work::rounds;
use crate::ir::{DType, Fold, Size};
use crate::plan::measured::gpu::{self, ROWS_UNROLL as UNROLL};
use crate::plan::{Access, Expr, Kernel, Step};
use std::collections::BTreeMap;

/// Threads of a workgroup.
pub(super) const THREADS: u32 = 128;
/// Columns of a product that one thread computes.
const ACROSS: i64 = 4;

/// Terms of a product's sum that are added up before they go to the sum of all, and so many from which on what that rounds away is
/// kept, too.
const CHAIN: i64 = 64;
const KEPT: i64 = 4096;

/// What a group needs of a workgroup.
pub(super) struct Shape {
    /// Rows a workgroup.
    pub rows: i64,
    /// Workgroup memory: name, type, and elements for all of its rows.
    pub slots: Vec<(String, DType, i64)>,
    /// Which slot holds each private buffer.
    pub private: BTreeMap<usize, usize>,
    /// For each stage the elements of a row.
    pub widths: Vec<i64>,
    /// Partial results, of f32 and of i32, where threads share folds.
    pub extents: Vec<Vec<i64>>,
}

struct Rows<'r, 'm, 'a> {
    m: &'m mut Module<'a>,
    group: &'r Group,
    shape: &'r Shape,
    /// Number of rows as text, where there are rows.
    all: Option<String>,
    scratch: [String; 4],
}

/// Counters of a kernel's outer loops: in the whole, and from the workgroup's first row.
struct Spot {
    counters: Vec<String>,
    local: Vec<String>,
    /// Whether the row exists, where that is not certain.
    valid: Option<String>,
}

pub(super) fn emit(m: &mut Module, group: &Group, stages: &[Placed], shape: &Shape) -> Grid {
    m.reserve("first part slot other k mine theirs rank j");
    let rows = shape.rows;
    let all = (!group.rows.is(1)).then(|| m.size(&group.rows));
    if let Some(all) = &all {
        m.line(format!("let first = (wg.y * 65535u + wg.x) * {rows}u;"));
        m.line(format!("if (first >= {all}) {{ return; }}"));
    }
    let slot = |(name, dtype, n): &(String, DType, i64)| m.shared(name, &format!("array<{}, {}>", element(*dtype), n * rows));
    let slots: Vec<String> = shape.slots.iter().map(slot).collect();
    m.private.extend(shape.private.iter().map(|(b, slot)| (*b, slots[*slot].clone())));
    let mut r = Rows { m, group, shape, all, scratch: Default::default() };
    for (k, s) in stages.iter().enumerate() {
        r.stage(k, s, k + 1 == stages.len());
    }
    match group.rows.is(1) {
        true => Grid::Work { count: Size::from(1i64), per: 1 },
        false => Grid::Work { count: group.rows.clone(), per: rows as u32 },
    }
}

impl Rows<'_, '_, '_> {
    fn stage(&mut self, k: usize, placed: &Placed, last: bool) {
        let target = placed.stage.target();
        let name = self.m.said(&self.m.buffers[target].name);
        match self.m.private.get(&target).cloned() {
            Some(slot) => self.m.line(format!("// {name}, in {slot}")),
            None => self.m.line(format!("// {name}")),
        }
        let lead = self.group.leads[k];
        match &placed.stage {
            Stage::Product { kernel, sum } if self.blocked(k, kernel, lead) => self.block(k, kernel, *sum, lead),
            Stage::Kernel(kernel) | Stage::Product { kernel, .. } | Stage::Grouped { kernel, .. } => {
                match self.parts(k, kernel) {
                    1 => self.single(k, kernel, lead),
                    parts => self.shared(k, kernel, lead, parts),
                }
            }
            Stage::Parts(_) => unreachable!("parts of a fold share no rows"),
            Stage::Other(step) => self.order(k, step, lead),
        }
        if !last {
            self.m.line("workgroupBarrier();");
            if !self.shape.private.contains_key(&target) {
                self.m.line("storageBarrier();");
            }
        }
    }

    /// Elements of a row, as text; of all rows of the workgroup.
    fn width(&mut self, dims: &[(String, Size)], lead: Option<Lead>) -> (String, String, Size) {
        let mut width = Size::from(1i64);
        for (d, (_, s)) in dims.iter().enumerate() {
            width = match lead {
                Some(l) if l.dim == d => width.mul(&Size::from(l.unit)),
                _ => width.mul(s),
            };
        }
        let whole = width.mul(&Size::from(self.shape.rows));
        (self.m.size(&width), self.m.size(&whole), width)
    }

    /// Says how often a thread goes round for elements of a row, each computed by `parts` threads in so many rounds.
    fn goes(&mut self, width: &Size, parts: u32, rounds: &Size) {
        let own = share(&width.mul(&Size::from(self.shape.rows)), THREADS / parts);
        let each = if parts == 1 { rounds.clone() } else { share(rounds, parts).add(&Size::from(i64::from(parts))) };
        self.m.rounds(&own.mul(&each.add(&Size::from(1i64))));
    }

    /// Counters for element `e` of the workgroup's rows; `clamp`: rows beyond the last are the last one.
    fn spot(&mut self, e: &str, dims: &[(String, Size)], lead: Option<Lead>, clamp: bool) -> Spot {
        let Some(lead) = lead else {
            let counters = self.m.split(e, dims);
            return Spot { local: counters.clone(), counters, valid: None };
        };
        let (width, _, size) = self.width(dims, Some(lead));
        let (row, rest) = if size.is(1) || size.is(0) {
            (e.to_string(), "0u".to_string())
        } else if self.shape.rows == 1 {
            ("0u".to_string(), e.to_string())
        } else {
            let row = self.m.fresh("row");
            self.m.line(format!("let {row} = {e} / {width};"));
            let rest = self.m.fresh("rest");
            self.m.line(format!("let {rest} = {e} % {width};"));
            (row, rest)
        };
        let mut inner: Vec<(String, Size)> = dims.to_vec();
        inner[lead.dim].1 = Size::from(lead.unit);
        let mut counters = self.m.split(&rest, &inner);
        let sub = counters[lead.dim].clone();
        let mut local = counters.clone();
        let all = self.all.clone().unwrap_or_else(|| "1u".to_string());
        let whole = self.m.fresh("r");
        let near = if row == "0u" { "first".to_string() } else { format!("first + {row}") };
        let certain = self.shape.rows == 1;
        let valid = (!certain).then(|| format!("{near} < {all}"));
        let own = if clamp && !certain { format!("min({near}, {all} - 1u)") } else { near };
        self.m.line(format!("let {whole} = {own};"));
        let row = if clamp && !certain { format!("({whole} - first)") } else { row };
        let at = |r: &str| match lead.unit {
            1 => r.to_string(),
            u if sub == "0u" => format!("({r} * {u}u)"),
            u => format!("({r} * {u}u + {sub})"),
        };
        counters[lead.dim] = at(&whole);
        local[lead.dim] = at(&row);
        Spot { counters, local, valid }
    }

    fn dims(k: &Kernel) -> Vec<(String, Size)> {
        k.loops[..k.outer].iter().enumerate().map(|(n, l)| (format!("{}_{n}", l.name), l.size.clone())).collect()
    }

    /// One thread an element.
    fn single(&mut self, _k: usize, kernel: &Kernel, lead: Option<Lead>) {
        let dims = Self::dims(kernel);
        let (_, whole, width) = self.width(&dims, lead);
        self.goes(&width, 1, &rounds(kernel));
        let e = self.m.fresh("e");
        self.m.open(format!("for (var {e} = lane; {e} < {whole}; {e} += {THREADS}u)"));
        let spot = self.spot(&e, &dims, lead, false);
        if let Some(valid) = &spot.valid {
            self.m.open(format!("if ({valid})"));
        }
        let mut nest = Nest::new(self.m, kernel, spot.counters);
        nest.local = sized(spot.local, kernel);
        let value = nest.result();
        let place = nest.place();
        self.m.store(kernel.store.buffer, &place, &value);
        if spot.valid.is_some() {
            self.m.close();
        }
        self.m.close();
    }

    /// How many threads share an element's folds.
    fn parts(&self, k: usize, kernel: &Kernel) -> u32 {
        let mut longest = 0;
        let mut inside = 0u128;
        for e in &kernel.body {
            if let Expr::Reduce { loops, .. } = e {
                longest = longest.max(loops.iter().map(|l| self.shape.extents[k][*l]).max().unwrap_or(0));
                inside |= loops.iter().fold(0, |m, l| m | 1u128 << l);
            }
        }
        // A fold inside a fold stays with one thread.
        let deps = kernel.dependencies();
        let nested = kernel.body.iter().zip(&deps).any(|(e, d)| matches!(e, Expr::Reduce { .. }) && d & inside != 0);
        let elements = (self.shape.widths[k] * self.shape.rows).max(1);
        if nested || longest < gpu::SHARED_FOLD || elements >= i64::from(THREADS) {
            return 1;
        }
        let free = THREADS / (elements as u32).next_power_of_two();
        let most = ((longest / gpu::SHARED_STEPS) as u32 + 1).next_power_of_two() / 2;
        free.min(most.max(1)).min(gpu::SHARED_THREADS)
    }

    /// Workgroup memory for what the threads of an element have each: of f32, of whole numbers, where the best was, and what rounding
    /// took from a product.
    fn scratch(&mut self, kernel: &Kernel) -> [String; 4] {
        let mut needs = [false; 4];
        for e in &kernel.body {
            if let Expr::Reduce { fold, value, .. } = e {
                let real = kernel.types[*value] == DType::F32 && !matches!(fold, Fold::Any | Fold::All);
                needs[usize::from(!real)] = true;
                needs[2] |= matches!(fold, Fold::Argmax | Fold::Argmin);
                if real && *fold == Fold::Prod {
                    (needs[1], needs[3]) = (true, true);
                }
            }
        }
        for (n, (name, kind)) in
            [("partial", "f32"), ("partial_i", "i32"), ("partial_at", "i32"), ("partial_low", "f32")].into_iter().enumerate()
        {
            if needs[n] && self.scratch[n].is_empty() {
                self.scratch[n] = self.m.shared(name, &format!("array<{kind}, {THREADS}>"));
            }
        }
        self.scratch.clone()
    }

    /// Several threads an element: every thread goes along, and only the stores ask whether there is something to store.
    fn shared(&mut self, k: usize, kernel: &Kernel, lead: Option<Lead>, parts: u32) {
        let scratch = self.scratch(kernel);
        let dims = Self::dims(kernel);
        let (_, whole, width) = self.width(&dims, lead);
        self.goes(&width, parts, &rounds(kernel));
        let slots = THREADS / parts;
        let apart = if self.along(k, kernel) { 1 } else { slots };
        self.m.line("{");
        let (part, slot) = if apart == 1 { ("%", "/") } else { ("/", "%") };
        let by = if apart == 1 { parts } else { slots };
        self.m.line(format!("let part = lane {part} {by}u;"));
        self.m.line(format!("let slot = lane {slot} {by}u;"));
        let base = self.m.fresh("base");
        self.m.open(format!("for (var {base} = 0u; {base} < {whole}; {base} += {slots}u)"));
        let e = self.m.fresh("e");
        self.m.line(format!("let {e} = min({base} + slot, {whole} - 1u);"));
        let spot = self.spot(&e, &dims, lead, true);
        let mut nest = Nest::new(self.m, kernel, spot.counters);
        nest.local = sized(spot.local, kernel);
        nest.share = Some(Share { parts, apart, scratch, extents: self.shape.extents[k].clone() });
        let value = nest.result();
        let place = nest.place();
        let more = spot.valid.map_or(String::new(), |v| format!(" && {v}"));
        self.m.open(format!("if (part == 0u && {base} + slot < {whole}{more})"));
        self.m.store(kernel.store.buffer, &place, &value);
        self.m.close();
        self.m.close();
        self.m.line("}");
    }

    /// Whether a fold's longest loop walks along memory.
    fn along(&self, k: usize, kernel: &Kernel) -> bool {
        kernel.body.iter().any(|e| {
            let Expr::Reduce { loops, .. } = e else { return false };
            let Some(l) = loops.iter().max_by_key(|l| self.shape.extents[k][**l]) else { return false };
            let walks = |a: &Access| a.terms.iter().any(|t| t.0 == *l && t.1.is(1));
            let moving = |a: &&Access| a.terms.iter().any(|t| t.0 == *l);
            let loads: Vec<&Access> = kernel.body.iter().filter_map(Expr::access).filter(moving).collect();
            !loads.is_empty() && loads.iter().all(|a| walks(a))
        })
    }

    /// Whether each thread shall compute several rows of a product at once: one matrix for all of them, and enough columns.
    fn blocked(&self, k: usize, kernel: &Kernel, lead: Option<Lead>) -> bool {
        let Some(lead) = lead.filter(|l| l.unit == 1) else { return false };
        let moves = |e: usize| matches!(&kernel.body[e], Expr::Load(a) if a.terms.iter().any(|t| t.0 == lead.dim));
        let rows = self.shape.rows;
        rows >= BLOCK && moves(0) != moves(1) && self.shape.widths[k] * rows / BLOCK >= i64::from(THREADS) / gpu::BLOCKED_THREADS
    }

    /// Columns that one thread computes of each of its rows, where the first factor is the same for all of them.
    fn across(&self, k: usize, kernel: &Kernel, lead: Lead, moving: usize, width: &Size) -> i64 {
        let alone = load(kernel, moving).terms.iter().all(|t| t.0 == lead.dim || t.0 >= kernel.outer);
        // Whole at every size, not at those of this run only: a page runs the same text at others.
        let whole = width.is_multiple_of(ACROSS);
        let threads = self.shape.widths[k] * self.shape.rows / (BLOCK * ACROSS);
        if alone && whole && threads >= i64::from(THREADS) / gpu::ACROSS_THREADS { ACROSS } else { 1 }
    }

    /// A thread computes some columns of some rows: what it reads of either factor it uses several times.
    fn block(&mut self, k: usize, kernel: &Kernel, sum: usize, lead: Option<Lead>) {
        let Some(lead) = lead else { return };
        let moving = usize::from(!load(kernel, 0).terms.iter().any(|t| t.0 == lead.dim));
        let (a, b) = (load(kernel, moving), load(kernel, 1 - moving));
        let mut columns = Self::dims(kernel);
        columns[lead.dim].1 = Size::from(1i64);
        let width = columns.iter().fold(Size::from(1i64), |n, c| n.mul(&c.1));
        let across = self.across(k, kernel, lead, moving, &width);
        let apart = width.mul(&Size::fraction(1, across));
        let whole = self.m.size(&apart.mul(&Size::from(self.shape.rows / BLOCK)));
        let w = self.m.size(&apart);
        let all = self.all.clone().unwrap_or_else(|| "1u".to_string());
        self.goes(&apart.mul(&Size::fraction(1, BLOCK)), 1, &rounds(kernel));
        let e = self.m.fresh("e");
        self.m.open(format!("for (var {e} = lane; {e} < {whole}; {e} += {THREADS}u)"));
        let (x, top) = (self.m.fresh("x"), self.m.fresh("top"));
        self.m.line(format!("let {x} = {e} % {w};"));
        self.m.line(format!("let {top} = first + {e} / {w} * {BLOCK}u;"));
        let column = |j: i64| if j == 0 { x.clone() } else { format!("({x} + {j}u * {w})") };
        let own: Vec<Vec<String>> = (0..across).map(|j| self.m.split(&column(j), &columns)).collect();
        let outer = |x: &Access| x.terms.iter().filter(|t| t.0 < kernel.outer).cloned().collect::<Vec<_>>();
        let mut starts = Vec::new();
        for j in 0..BLOCK {
            let r = self.m.fresh("r");
            self.m.line(format!("let {r} = min({top} + {j}u, {all} - 1u);"));
            let mut at = own[0].clone();
            at[lead.dim] = if self.m.private.contains_key(&a.buffer) { format!("({r} - first)") } else { r };
            starts.push(self.start("a", a, &outer(a), &at));
        }
        let mut sides = Vec::new();
        for at in &own {
            sides.push(self.start("b", b, &outer(b), at));
        }
        let sums: Vec<String> = (0..BLOCK * across).map(|_| self.m.fresh("sum")).collect();
        for s in &sums {
            self.m.line(format!("var {s} = 0.0;"));
        }
        self.sum(kernel, sum, (a, &starts), (b, &sides), &sums);
        let (list, i, r) = (self.m.fresh("sums"), self.m.fresh("i"), self.m.fresh("r"));
        self.m.line(format!("var {list} = array<f32, {}>({});", sums.len(), sums.join(", ")));
        self.m.open(format!("for (var {i} = 0u; {i} < {}u; {i}++)", sums.len()));
        self.m.line(format!("let {r} = {top} + {i} / {across}u;"));
        self.m.open(format!("if ({r} < {all})"));
        let column = if across == 1 { x } else { format!("({x} + {i} % {across}u * {w})") };
        let mut at = self.m.split(&column, &columns);
        let mut near = at.clone();
        at[lead.dim].clone_from(&r);
        near[lead.dim] = format!("({r} - first)");
        let mut nest = Nest::new(self.m, kernel, at);
        nest.local = sized(near, kernel);
        nest.know(sum, &format!("{list}[{i}]"));
        let value = nest.finish(sum);
        let place = nest.place();
        self.m.store(kernel.store.buffer, &place, &value);
        self.m.close();
        self.m.close();
        self.m.close();
    }

    /// A variable with where a factor starts at some outer counters.
    fn start(&mut self, name: &str, x: &Access, outer: &[(usize, Size)], at: &[String]) -> String {
        let terms: Vec<(String, Size)> = outer.iter().map(|(l, s)| (at[*l].clone(), s.clone())).collect();
        let text = self.m.address(&x.offset, &terms);
        let name = self.m.fresh(name);
        self.m.line(format!("let {name} = {text};"));
        name
    }

    /// The loops of a product's sum, the innermost written out where its length allows: rows of `a` by columns of `b`.
    fn sum(&mut self, kernel: &Kernel, sum: usize, a: (&Access, &[String]), b: (&Access, &[String]), sums: &[String]) {
        let Expr::Reduce { loops, .. } = &kernel.body[sum] else { return };
        let mut counters: BTreeMap<usize, String> = BTreeMap::new();
        let extents: Vec<i64> = loops.iter().map(|l| self.m.measure(&kernel.loops[*l].size)).collect();
        let long = extents.iter().copied().fold(1, i64::saturating_mul) > KEPT;
        let chain = chain(&extents, CHAIN);
        let kind = if long { "vec2<f32>" } else { "f32" };
        let totals: Vec<String> = match &chain {
            None => Vec::new(),
            Some(_) => sums.iter().map(|_| self.m.fresh("all")).collect(),
        };
        totals.iter().for_each(|t| self.m.line(format!("var {t} = {kind}(0.0);")));
        let before = self.m.depth();
        // Blocks that are open when a chain of the sum begins.
        let mut outside = before;
        for (n, l) in loops.iter().enumerate() {
            let size = &kernel.loops[*l].size;
            let unroll = n + 1 == loops.len() && size.constant().is_some_and(|c| c % UNROLL == 0);
            let extent = self.m.size(size);
            let c = self.m.fresh(&format!("{}_{l}", kernel.loops[*l].name));
            let step = if unroll { format!("{c} += {UNROLL}u") } else { format!("{c}++") };
            let rounds = chain.as_ref().filter(|x| x.level == n).map(|x| x.rounds);
            let (mut first, mut last) = ("0u".to_string(), extent.clone());
            if let Some(r) = rounds.filter(|r| *r > 1) {
                first = self.m.fresh("chunk");
                last = format!("min({first} + {r}u, {extent})");
                self.m.open(format!("for (var {first} = 0u; {first} < {extent}; {first} += {r}u)"));
                outside = self.m.depth();
                sums.iter().for_each(|s| self.m.line(format!("{s} = 0.0;")));
            }
            self.m.open(format!("for (var {c} = {first}; {c} < {last}; {step})"));
            if rounds == Some(1) {
                outside = self.m.depth();
                sums.iter().for_each(|s| self.m.line(format!("{s} = 0.0;")));
            }
            counters.insert(*l, c);
            if n + 1 < loops.len() {
                continue;
            }
            for u in 0..if unroll { UNROLL } else { 1 } {
                let read = |m: &mut Module, name: &str, x: &Access, from: &str| {
                    let mut terms: Vec<(String, Size)> =
                        x.terms.iter().filter_map(|(l, s)| Some((counters.get(l)?.clone(), s.clone()))).collect();
                    let mut offset = Size::from(0i64);
                    if let Some((_, s)) = x.terms.iter().find(|t| t.0 == *l) {
                        offset = s.mul(&Size::from(u));
                    }
                    terms.insert(0, (from.to_string(), Size::from(1i64)));
                    let at = m.address(&offset, &terms);
                    let value = m.load(x.buffer, &at);
                    let name = m.fresh(name);
                    m.line(format!("let {name} = {value};"));
                    name
                };
                let columns: Vec<String> = b.1.iter().map(|from| read(self.m, "w", b.0, from)).collect();
                for (row, from) in a.1.iter().enumerate() {
                    let x = read(self.m, "v", a.0, from);
                    for (column, w) in columns.iter().enumerate() {
                        let s = &sums[row * columns.len() + column];
                        self.m.line(format!("{s} = fma({x}, {w}, {s});"));
                    }
                }
            }
        }
        while self.m.depth() > outside {
            self.m.close();
        }
        for (all, s) in totals.iter().zip(sums) {
            match long {
                true => {
                    let (kept, zero) = (self.m.function("kept"), self.m.number(0, "zero"));
                    self.m.line(format!("{all} = {kept}({all}, {s}, {zero});"));
                }
                false => self.m.line(format!("{all} += {s};")),
            }
        }
        while self.m.depth() > before {
            self.m.close();
        }
        for (all, s) in totals.iter().zip(sums) {
            self.m.line(format!("{s} = {all}{};", if long { ".x" } else { "" }));
        }
    }

    fn order(&mut self, _k: usize, step: &Step, lead: Option<Lead>) {
        let Step::Order { input, out, axis, descending, dtype } = step else { return };
        let (along, rows) = input.shape.split_last().expect("an order has a row");
        let mut dims: Vec<(String, Size)> = rows.iter().enumerate().map(|(k, s)| (format!("row{k}_"), s.clone())).collect();
        dims.push(("i".to_string(), along.clone()));
        let (_, whole, width) = self.width(&dims, lead);
        self.goes(&width, 1, along);
        let e = self.m.fresh("e");
        self.m.open(format!("for (var {e} = lane; {e} < {whole}; {e} += {THREADS}u)"));
        let spot = self.spot(&e, &dims, lead, false);
        if let Some(valid) = &spot.valid {
            self.m.open(format!("if ({valid})"));
        }
        special::rank(self.m, (input, out, *axis), *descending, *dtype, &spot.counters, &spot.local);
        if spot.valid.is_some() {
            self.m.close();
        }
        self.m.close();
    }
}

/// A factor of a product.
fn load(k: &Kernel, n: usize) -> &Access {
    k.body[n].access().unwrap_or_else(|| unreachable!("the factors of a product are loads"))
}

fn sized(mut local: Vec<String>, k: &Kernel) -> Vec<String> {
    local.resize(k.loops.len(), String::new());
    local
}
