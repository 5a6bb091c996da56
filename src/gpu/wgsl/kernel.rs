//! A kernel's loop nest as statements: values are computed in the outermost loop in which they are known, folds one after the other.
//!
//! Sums of many f32 keep their digits: so many terms as [`CHAIN`] are added one after the other, and these partial sums with what
//! each addition rounded away (Kahan 1965).

use super::cancel::{self, zero};
use super::module::Module;
use super::scalar::{apply, convert, literal, small_power};
use super::wide;
use crate::ir::{DType, Fold, Map, Size};
use crate::plan::{Access, Expr, Kernel};

/// Threads that fold one element together: thread `part` of `parts` takes every `parts`-th step of the longest loop.
#[derive(Clone, Debug)]
pub(super) struct Share {
    pub parts: u32,
    /// Distance in lanes between two threads of an element.
    pub apart: u32,
    /// Variables in workgroup memory for partial results: of f32, of i32, for places of the best, and for the rest of a product.
    pub scratch: [String; 4],
    /// For each loop its extent.
    pub extents: Vec<i64>,
}

/// Threads that fold one element without meeting: this one takes every `parts`-th step of a loop from step `part` on.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub looped: usize,
    pub part: String,
    pub parts: String,
    pub count: Size,
}

/// So many f32 are added up before rounding is made good.
const CHAIN: i64 = 32;
/// So many partial sums of threads are just added up.
const FEW: u32 = 64;

/// Where a long sum is cut: at the loop number `level` of a fold, after so many of its rounds.
pub(super) struct Chain {
    pub level: usize,
    pub rounds: i64,
}

/// Loops of these extents, the innermost last, in chains of so many terms; `None`: one chain is enough.
pub(super) fn chain(extents: &[i64], longest: i64) -> Option<Chain> {
    let mut inside = 1i64;
    for (level, n) in extents.iter().enumerate().rev() {
        if inside.saturating_mul(*n) > longest {
            return Some(Chain { level, rounds: (longest / inside).max(1) });
        }
        inside *= (*n).max(1);
    }
    None
}

/// Statements for one kernel.
pub(super) struct Nest<'m, 'a, 'k> {
    pub m: &'m mut Module<'a>,
    pub k: &'k Kernel,
    /// For each loop the name of its counter, while it runs.
    pub counters: Vec<String>,
    /// Likewise for buffers in workgroup memory, whose rows count from the workgroup's first.
    pub local: Vec<String>,
    /// How several threads share a fold.
    pub share: Option<Share>,
    /// How the fold that is the result is cut.
    pub cut: Option<Cut>,
    /// Loops of folds that run now.
    depth: usize,
    deps: Vec<u128>,
    text: Vec<Option<String>>,
    /// Products that only a sum reads, which multiplies and adds in one.
    fused: Vec<bool>,
    /// What a compiler can compute.
    steady: Vec<bool>,
}

fn fused(k: &Kernel, steady: &[bool]) -> Vec<bool> {
    let mut users = vec![0; k.body.len()];
    for e in &k.body {
        match e {
            Expr::Map(_, args) => args.iter().for_each(|a| users[*a] += 1),
            Expr::Reduce { value, .. } => users[*value] += 1,
            Expr::Mend { of, value, .. } => [of, value].into_iter().for_each(|v| users[*v] += 1),
            Expr::Pick { at, .. } => at.iter().for_each(|i| users[i.value] += 1),
            Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Load(_) => {}
        }
    }
    users[k.value] += 1;
    let mut fused = vec![false; k.body.len()];
    for e in &k.body {
        if let Expr::Reduce { fold: Fold::Sum, value, .. } = e
            && let Expr::Map(Map::Mul, args) = &k.body[*value]
            && args.iter().chain([value]).all(|a| k.types[*a] == DType::F32)
            && args.iter().all(|a| zero(&k.body[*a]).is_none() && !cancel::is_seen(k, steady, *a))
        {
            fused[*value] = users[*value] == 1;
        }
    }
    fused
}

impl<'m, 'a, 'k> Nest<'m, 'a, 'k> {
    /// `outer`: the counters of the outer loops.
    pub fn new(m: &'m mut Module<'a>, k: &'k Kernel, outer: Vec<String>) -> Self {
        let mut counters = outer;
        counters.resize(k.loops.len(), String::new());
        let steady = cancel::steady(k);
        Nest {
            m,
            k,
            local: counters.clone(),
            counters,
            share: None,
            cut: None,
            depth: 0,
            deps: k.dependencies(),
            text: vec![None; k.body.len()],
            fused: fused(k, &steady),
            steady,
        }
    }

    /// Says that value `e` is known.
    pub fn know(&mut self, e: usize, text: &str) {
        self.text[e] = Some(text.to_string());
    }

    /// Computes the result and gives its text.
    pub fn result(&mut self) -> String {
        self.scope(None);
        for l in 0..self.k.outer {
            self.scope(Some(l));
        }
        self.got(self.k.value)
    }

    /// Computes what follows value `known`, which is there, and gives the result's text.
    pub fn finish(&mut self, known: usize) -> String {
        for e in 0..known {
            // The factors and their product are behind it.
            self.text[e].get_or_insert_with(String::new);
        }
        self.result()
    }

    /// Where the result goes.
    pub fn place(&mut self) -> String {
        let store = self.k.store.clone();
        self.address(&store)
    }

    fn home(&self, e: usize) -> Option<usize> {
        let d = self.deps[e];
        (d != 0).then(|| 127 - d.leading_zeros() as usize)
    }

    fn scope(&mut self, l: Option<usize>) {
        for e in 0..self.k.body.len() {
            if self.home(e) == l && self.text[e].is_none() && !self.fused[e] {
                let t = self.value(e);
                self.text[e] = Some(t);
            }
        }
    }

    fn got(&self, e: usize) -> String {
        self.text[e].clone().unwrap_or_else(|| unreachable!("operands come first"))
    }

    pub fn address(&mut self, a: &Access) -> String {
        let counters = if self.m.private.contains_key(&a.buffer) { &self.local } else { &self.counters };
        let terms: Vec<(String, Size)> = a.terms.iter().map(|(l, s)| (counters[*l].clone(), s.clone())).collect();
        self.m.address(&a.offset, &terms)
    }

    fn bind(&mut self, e: usize, text: String) -> String {
        let name = format!("t{e}");
        self.m.line(format!("let {name} = {text};"));
        name
    }

    fn value(&mut self, e: usize) -> String {
        let k = self.k;
        let dtype = k.types[e];
        match &k.body[e] {
            Expr::Const(c) => literal(self.m, *c, dtype),
            Expr::Size(s) if dtype == DType::F32 => match s.constant() {
                Some(n) => literal(self.m, n as f64, dtype),
                None => self.m.real(s),
            },
            Expr::Size(s) => {
                let n = self.m.size(s);
                format!("i32({n})")
            }
            Expr::Counter(l) => format!("i32({})", self.counters[*l]),
            Expr::Load(a) => {
                let at = self.address(a);
                let text = self.m.load(a.buffer, &at);
                self.bind(e, text)
            }
            Expr::Pick { access, at, fill } => self.pick(e, access, at, *fill),
            Expr::Map(map, args) => {
                let text = self.map(*map, args, dtype);
                self.bind(e, text)
            }
            Expr::Reduce { fold, loops, value } => self.reduce(e, *fold, loops, *value),
            Expr::Mend { of, loops, value } => self.mend(e, *of, loops, *value),
        }
    }

    fn map(&mut self, map: Map, args: &[usize], dtype: DType) -> String {
        let k = self.k;
        let of = k.operand_type(map, args);
        let mut v = Vec::new();
        for (n, a) in args.iter().enumerate() {
            let want = if n == 0 && map == Map::Select { DType::Bool } else { of };
            let text = self.got(*a);
            v.push(convert(self.m, text, k.types[*a], want));
        }
        // WGSL computes with constants itself, and rejects what gives no finite number; with a variable it does not.
        let known = |e: &Expr| match e {
            Expr::Const(_) => true,
            Expr::Size(s) => s.constant().is_some(),
            Expr::Counter(_) | Expr::Load(_) | Expr::Pick { .. } | Expr::Map(..) | Expr::Reduce { .. } | Expr::Mend { .. } => {
                false
            }
        };
        if args.iter().all(|a| known(&k.body[*a])) {
            let name = self.m.fresh("c");
            self.m.line(format!("var {name} = {};", v[0]));
            v[0] = name;
        }
        let mut shielded = false;
        if of == DType::F32 {
            if let Some(text) = cancel::to_constant(self.m, k, map, args, &v) {
                return text;
            }
            cancel::veil(self.m, k, &self.steady, map, args, &mut v);
            shielded = cancel::shield(self.m, k, map, args, &mut v);
        }
        if let Some(n) = k.whole_power(map, args) {
            return small_power(&v[0], n);
        }
        let text = apply(self.m, map, &v, of, dtype);
        if shielded { cancel::hidden(self.m, &text) } else { text }
    }

    fn pick(&mut self, e: usize, access: &Access, at: &[crate::plan::Index], fill: Option<f64>) -> String {
        let k = self.k;
        let mut address = self.address(access);
        let mut inside = Vec::new();
        for i in at {
            let index = self.got(i.value);
            let index = convert(self.m, index, k.types[i.value], DType::I32);
            let extent = self.m.size(&i.extent);
            let safe = format!("u32(clamp({index}, 0, i32({extent}) - 1))");
            let part = self.m.times(&safe, &i.stride);
            address = if address == "0u" { part } else { format!("{address} + {part}") };
            inside.push(format!("{index} >= 0 && {index} < i32({extent})"));
        }
        let loaded = self.m.load(access.buffer, &address);
        let text = match fill {
            None => loaded,
            Some(c) => {
                let other = literal(self.m, c, k.types[e]);
                format!("select({other}, {loaded}, {})", inside.join(" && "))
            }
        };
        self.bind(e, text)
    }

    /// Value `of`; where it is NaN, a sum instead. Each thread asks for itself, so none waits for another in there.
    fn mend(&mut self, e: usize, of: usize, loops: &[usize], value: usize) -> String {
        let name = format!("whole{e}");
        let old = self.got(of);
        self.m.line(format!("var {name} = {old};"));
        // On the bits: a compiler may take a number to be equal to itself.
        self.m.open(format!("if ((bitcast<u32>({name}) & 0x7fffffffu) > 0x7f800000u)"));
        let (share, cut) = (self.share.take(), self.cut.take());
        let again = self.reduce(e, Fold::Sum, loops, value);
        (self.share, self.cut) = (share, cut);
        self.m.line(format!("{name} = {again};"));
        self.m.close();
        name
    }

    fn reduce(&mut self, e: usize, fold: Fold, loops: &[usize], value: usize) -> String {
        let k = self.k;
        let of = match fold {
            Fold::Any | Fold::All => DType::Bool,
            Fold::Sum | Fold::Prod | Fold::Max | Fold::Min | Fold::Argmax | Fold::Argmin if k.types[value] == DType::Bool => {
                DType::I32
            }
            Fold::Sum | Fold::Prod | Fold::Max | Fold::Min | Fold::Argmax | Fold::Argmin => k.types[value],
        };
        let acc = format!("t{e}");
        let start = neutral(self.m, fold, of);
        let counted = matches!(fold, Fold::Argmax | Fold::Argmin);
        let saved = self.text.clone();
        let share = self.share.clone().filter(|_| self.depth == 0);
        let cut = self.cut.clone().filter(|_| self.depth == 0 && e == k.value);
        let steps = self.steps(loops, share.as_ref(), cut.as_ref());
        let extents: Vec<i64> = steps.iter().map(|s| s.rounds).collect();
        let chain = chain(&extents, CHAIN).filter(|_| fold == Fold::Sum && of == DType::F32);
        let all = self.m.fresh(&format!("{acc}_all"));
        let wide = fold == Fold::Prod && of == DType::F32;
        match &chain {
            Some(_) => self.m.line(format!("var {all} = vec2<f32>(0.0);")),
            None if wide => {
                let one = wide::start(self.m);
                self.m.line(format!("var {all} = {one};"));
            }
            None => self.m.line(format!("var {acc} = {start};")),
        }
        let at = counted.then(|| self.m.fresh(&format!("{acc}_at")));
        if let Some(at) = &at {
            self.m.line(format!("var {at} = 0;"));
        }
        self.depth += 1;
        let before = self.m.depth();
        for (level, (l, step)) in loops.iter().zip(&steps).enumerate() {
            self.open(*l, step, chain.as_ref().filter(|c| c.level == level).map(|c| (c.rounds, acc.as_str())));
            self.scope(Some(*l));
        }
        self.fold(fold, of, (if wide { &all } else { &acc }, at.as_deref()), value, loops);
        // Back to the loop that was cut: what it added up so far goes to the whole.
        let rounds = chain.as_ref().map_or(0, |c| c.rounds);
        let inner = chain.as_ref().map_or(0, |c| loops.len() - c.level - usize::from(rounds == 1));
        (0..inner).for_each(|_| self.m.close());
        if chain.is_some() {
            let zero = self.m.number(0, "zero");
            let kept = self.m.function("kept");
            self.m.line(format!("{all} = {kept}({all}, {acc}, {zero});"));
        }
        while self.m.depth() > before {
            self.m.close();
        }
        if chain.is_some() {
            self.m.line(format!("var {acc} = {all}.x;"));
        }
        self.depth -= 1;
        self.text = saved;
        match &share {
            Some(s) if wide => wide::gather(self.m, s, &all),
            Some(s) => self.gather(s, fold, of, (&acc, at.as_deref())),
            None => {}
        }
        if wide {
            let product = wide::narrow(self.m, &all);
            self.m.line(format!("let {acc} = {product};"));
        }
        let result = at.unwrap_or(acc);
        let kind = if counted { DType::I32 } else { of };
        convert(self.m, result, kind, k.types[e])
    }

    /// How this thread goes through the loops of a fold.
    fn steps(&self, loops: &[usize], share: Option<&Share>, cut: Option<&Cut>) -> Vec<Steps> {
        let longest = share.and_then(|s| loops.iter().max_by_key(|l| s.extents[**l])).copied();
        let step = |l: &usize| {
            let n = self.m.measure(&self.k.loops[*l].size);
            match (share, cut) {
                (_, Some(c)) if c.looped == *l => {
                    let rounds = n / self.m.measure(&c.count).max(1) + 1;
                    Steps { from: c.part.clone(), by: c.parts.clone(), rounds }
                }
                (Some(s), _) if Some(*l) == longest => {
                    Steps { from: "part".into(), by: format!("{}u", s.parts), rounds: n / i64::from(s.parts) + 1 }
                }
                (_, _) => Steps { from: "0u".into(), by: "1u".into(), rounds: n },
            }
        };
        loops.iter().map(step).collect()
    }

    /// Opens loop `l`. `cut`: a loop over stretches of so many rounds around it, each with a sum of its own.
    fn open(&mut self, l: usize, s: &Steps, cut: Option<(i64, &str)>) {
        let n = self.m.size(&self.k.loops[l].size);
        let c = self.m.fresh(&format!("{}_{l}", self.k.loops[l].name));
        let step = if s.by == "1u" { format!("{c}++") } else { format!("{c} += {}", s.by) };
        match cut {
            Some((rounds, acc)) if rounds > 1 => {
                let first = self.m.fresh("chunk");
                let far = if s.by == "1u" { format!("{rounds}u") } else { format!("{rounds}u * {}", s.by) };
                self.m.open(format!("for (var {first} = {}; {first} < {n}; {first} += {far})", s.from));
                self.m.line(format!("var {acc} = 0.0;"));
                self.m.open(format!("for (var {c} = {first}; {c} < min({first} + {far}, {n}); {step})"));
            }
            Some((_, acc)) => {
                self.m.open(format!("for (var {c} = {}; {c} < {n}; {step})", s.from));
                self.m.line(format!("var {acc} = 0.0;"));
            }
            None => self.m.open(format!("for (var {c} = {}; {c} < {n}; {step})", s.from)),
        }
        self.counters[l].clone_from(&c);
        self.local[l] = c;
    }

    /// Takes one more value into a fold.
    fn fold(&mut self, fold: Fold, of: DType, (acc, at): (&str, Option<&str>), value: usize, loops: &[usize]) {
        let k = self.k;
        if let Expr::Map(_, args) = &k.body[value]
            && self.fused[value]
        {
            let (a, b) = (self.got(args[0]), self.got(args[1]));
            return self.m.line(format!("{acc} = fma({a}, {b}, {acc});"));
        }
        // What depends on none of the loops was computed outside.
        let x = self.got(value);
        let x = convert(self.m, x, k.types[value], of);
        if let Some(at) = at {
            let c = self.counters[loops[loops.len() - 1]].clone();
            let better = better(self.m, fold, of, &x, acc);
            self.m.open(format!("if ({better})"));
            self.m.line(format!("{acc} = {x};"));
            self.m.line(format!("{at} = i32({c});"));
            return self.m.close();
        }
        let wide = fold == Fold::Prod && of == DType::F32;
        let text = if wide { wide::times(self.m, acc, &x) } else { join(self.m, fold, of, acc, &x) };
        self.m.line(format!("{acc} = {text};"));
    }
}

/// How a thread goes through a loop: from where, by how much, and about how often.
struct Steps {
    from: String,
    by: String,
    rounds: i64,
}

impl Nest<'_, '_, '_> {
    /// Partial results of the threads of an element come together in a fixed order; every thread gets the whole. Two barriers and a
    /// short loop: drivers take long over shaders with many barriers, and a tree would need one for each of its levels.
    fn gather(&mut self, s: &Share, fold: Fold, of: DType, (acc, at): (&str, Option<&str>)) {
        let scratch = &s.scratch[usize::from(of != DType::F32)];
        let places = &s.scratch[2];
        let own = if of == DType::Bool { format!("select(0, 1, {acc})") } else { acc.to_string() };
        self.m.line(format!("{scratch}[lane] = {own};"));
        if let Some(at) = at {
            self.m.line(format!("{places}[lane] = {at};"));
        }
        self.m.line("workgroupBarrier();");
        let first = format!("lane - part * {}u", s.apart);
        let next = format!("lane + (k * {}u - part * {}u)", s.apart, s.apart);
        let boolean = of == DType::Bool;
        let value = |text: String| if boolean { format!("({text} != 0)") } else { text };
        self.m.line(format!("{acc} = {};", value(format!("{scratch}[{first}]"))));
        if let Some(at) = at {
            self.m.line(format!("{at} = {places}[{first}];"));
        }
        // Of so many partial sums the rounding counts.
        let rest = (fold == Fold::Sum && of == DType::F32 && s.parts > FEW).then(|| self.m.fresh(&format!("{acc}_kept")));
        if let Some(rest) = &rest {
            self.m.line(format!("var {rest} = vec2<f32>({acc}, 0.0);"));
        }
        self.m.open(format!("for (var k = 1u; k < {}u; k++)", s.parts));
        self.m.line(format!("let other = {};", value(format!("{scratch}[{next}]"))));
        if let Some(at) = at {
            self.m.line(format!("let other_at = {places}[{next}];"));
            let (new, old) = (better(self.m, fold, of, "other", acc), better(self.m, fold, of, acc, "other"));
            self.m.open(format!("if ({new} || (!{old} && other_at < {at}))"));
            self.m.line(format!("{acc} = other;"));
            self.m.line(format!("{at} = other_at;"));
            self.m.close();
        } else if let Some(rest) = &rest {
            let (zero, kept) = (self.m.number(0, "zero"), self.m.function("kept"));
            self.m.line(format!("{rest} = {kept}({rest}, other, {zero});"));
        } else {
            let joined = join(self.m, fold, of, acc, "other");
            self.m.line(format!("{acc} = {joined};"));
        }
        self.m.close();
        if let Some(rest) = rest {
            self.m.line(format!("{acc} = {rest}.x;"));
        }
        self.m.line("workgroupBarrier();");
    }
}

/// What a fold starts from.
pub(super) fn neutral(m: &mut Module, fold: Fold, of: DType) -> String {
    let real = of == DType::F32;
    match fold {
        Fold::Sum => if real { "0.0" } else { "0" }.to_string(),
        Fold::Prod => if real { "1.0" } else { "1" }.to_string(),
        Fold::Max | Fold::Argmax if real => literal(m, f64::NEG_INFINITY, of),
        Fold::Min | Fold::Argmin if real => literal(m, f64::INFINITY, of),
        Fold::Max | Fold::Argmax => "(-2147483647 - 1)".to_string(),
        Fold::Min | Fold::Argmin => "2147483647".to_string(),
        Fold::Any => "false".to_string(),
        Fold::All => "true".to_string(),
    }
}

/// Whether a value takes the place of the best so far: the first NaN does, and stays.
fn better(m: &mut Module, fold: Fold, of: DType, new: &str, old: &str) -> String {
    let most = matches!(fold, Fold::Max | Fold::Argmax);
    match of {
        DType::F32 => format!("{}({new}, {old})", m.function(if most { "above" } else { "below" })),
        DType::I32 | DType::Bool => format!("({new} {} {old})", if most { ">" } else { "<" }),
    }
}

/// Two partial results become one.
pub(super) fn join(m: &mut Module, fold: Fold, of: DType, old: &str, new: &str) -> String {
    match fold {
        Fold::Sum => format!("{old} + {new}"),
        Fold::Prod => format!("{old} * {new}"),
        Fold::Any => format!("{old} || {new}"),
        Fold::All => format!("{old} && {new}"),
        Fold::Max | Fold::Min | Fold::Argmax | Fold::Argmin => {
            let better = better(m, fold, of, new, old);
            format!("select({old}, {new}, {better})")
        }
    }
}
