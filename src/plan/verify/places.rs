//! Where sizes are known: nobody reads or writes beyond a buffer, and each element is written once.

use super::{at, ensure, name};
use crate::ir::Size;
use crate::plan::{Access, Expr, Kernel, Plan, Product, Rounds, Sizes, Span, Step, View, Window};

/// Checks what a plan reads and writes at these sizes, and what the bodies in it do; and that what it takes for granted holds. That it is
/// well-formed is known.
pub fn verify_sized(plan: &Plan, sizes: &Sizes) -> Result<(), String> {
    let mut rule = Rule { plan, sizes, lengths: Vec::new(), written: vec![Vec::new(); plan.buffers.len()] };
    for b in &plan.buffers {
        let axes = b.shape.iter().map(|s| rule.n(s)).collect::<Result<Vec<i128>, String>>()?;
        ensure(axes.iter().all(|n| *n >= 0), || format!("`{}` has a negative length", b.name))?;
        rule.lengths.push(axes.iter().fold(1i128, |n, axis| n.saturating_mul(*axis)));
    }
    for (n, step) in plan.steps.iter().enumerate() {
        rule.step(n, step).map_err(|what| at(plan, n, &what))?;
    }
    rule.covered()?;
    rule.rows()?;
    for g in &plan.granted {
        ensure(rule.n(&g.least)? <= rule.n(&g.most)?, || format!("`{g}` is taken for granted, and does not hold"))?;
    }
    Ok(())
}

/// Runs that are looked at one by one.
const RUNS: i128 = 1 << 12;

/// Places of a strided box: where it starts, and for each axis its stride and its extent.
#[derive(Clone)]
struct Places {
    step: usize,
    offset: i128,
    axes: Vec<(i128, i128)>,
}

impl Places {
    fn count(&self) -> i128 {
        self.axes.iter().fold(1i128, |n, (_, extent)| n.saturating_mul(*extent))
    }

    /// The first place and the last one; none where there are no places.
    fn ends(&self) -> Option<(i128, i128)> {
        let reach = |(stride, n): &(i128, i128)| stride.saturating_mul(n - 1);
        let (low, high) = self.axes.iter().map(reach).fold((0i128, 0i128), |(l, h), r| (l + r.min(0), h + r.max(0)));
        (self.count() > 0).then_some((self.offset + low, self.offset + high))
    }

    /// Its axes with more than one place, the nearest first; none where two points of it may share a place.
    fn apart(&self) -> Option<Vec<(i128, i128)>> {
        let mut axes: Vec<(i128, i128)> = self.axes.iter().copied().filter(|a| a.1 > 1).collect();
        axes.sort();
        let mut reach = 0i128;
        for (stride, n) in &axes {
            if *stride <= reach {
                return None;
            }
            reach = reach.saturating_add(stride.saturating_mul(n - 1));
        }
        Some(axes)
    }

    /// Stretches of places one after the other, as ranges; none where they are too many.
    fn runs(&self) -> Option<Vec<(i128, i128)>> {
        let (mut run, mut axes) = (1i128, self.apart()?);
        axes.retain(|(stride, n)| {
            let joins = *stride == run;
            run *= if joins { *n } else { 1 };
            !joins
        });
        let count = axes.iter().fold(1i128, |n, (_, extent)| n.saturating_mul(*extent));
        let mut from = vec![self.offset];
        for (stride, n) in axes.iter().filter(|_| count <= RUNS) {
            from = from.iter().flat_map(|at| (0..*n).map(move |i| at + stride * i)).collect();
        }
        (count <= RUNS).then(|| from.into_iter().map(|at| (at, at + run)).collect())
    }
}

struct Rule<'a> {
    plan: &'a Plan,
    sizes: &'a Sizes,
    /// Elements of every buffer.
    lengths: Vec<i128>,
    /// What is written of every buffer.
    written: Vec<Vec<Places>>,
}

impl Rule<'_> {
    fn n(&self, size: &Size) -> Result<i128, String> {
        size.value(&|s| self.sizes.get(s).copied()).map(i128::from).map_err(|fault| format!("the size `{size}`: {fault}"))
    }

    /// Places from pairs of a stride and an extent.
    fn places<'s>(
        &self,
        step: usize,
        offset: &Size,
        axes: impl Iterator<Item = (Option<&'s Size>, &'s Size)>,
    ) -> Result<Places, String> {
        let axis = |(stride, n): (Option<&Size>, &Size)| Ok((stride.map_or(Ok(0), |s| self.n(s))?, self.n(n)?));
        Ok(Places { step, offset: self.n(offset)?, axes: axes.map(axis).collect::<Result<_, String>>()? })
    }

    fn reads(&self, buffer: usize, places: &Places) -> Result<(), String> {
        let Some((low, high)) = places.ends() else { return Ok(()) };
        let length = self.lengths[buffer];
        ensure(0 <= low && high < length, || {
            format!("it goes from {low} to {high} in {}, which has {length} elements", name(self.plan, buffer))
        })
    }

    fn writes(&mut self, buffer: usize, places: Places) -> Result<(), String> {
        self.reads(buffer, &places)?;
        let apart = places.count() == 0 || places.apart().is_some();
        ensure(apart, || format!("it writes an element of {} twice", name(self.plan, buffer)))?;
        self.written[buffer].push(places);
        Ok(())
    }

    /// All of a buffer, of so many elements.
    fn fills(&mut self, step: usize, buffer: usize, count: i128) -> Result<(), String> {
        let places = Places { step, offset: 0, axes: vec![(1, count)] };
        self.writes(buffer, places)
    }

    fn step(&mut self, n: usize, step: &Step) -> Result<(), String> {
        let count =
            |rule: &Self, shape: &[Size]| shape.iter().try_fold(1i128, |n, s| Ok::<_, String>(n.saturating_mul(rule.n(s)?)));
        match step {
            Step::Kernel(k) => self.kernel(n, k),
            Step::Product(p) => self.product(n, p, None, None),
            Step::Grouped(g) => {
                self.product(n, &g.product, Some((&g.stride, &g.count)), None)?;
                self.index(n, &g.index, &g.product)
            }
            Step::Segments(s) => {
                self.product(n, &s.product, None, Some((&s.stride, &s.count)))?;
                self.index(n, &s.index, &s.product)
            }
            Step::Order { input, out, .. } => {
                self.window(n, input)?;
                let places = self.seen(n, &out.view, &out.shape)?;
                self.writes(out.view.buffer, places)
            }
            Step::Scan { input, out, .. } => {
                self.window(n, input)?;
                self.fills(n, *out, count(self, &input.shape)?)
            }
            Step::Assign { input, out } => {
                self.window(n, input)?;
                self.fills(n, *out, count(self, &input.shape[..input.shape.len() - 1])?)
            }
            Step::Scatter { index, value, out, .. } => {
                self.window(n, index)?;
                self.window(n, value)?;
                let places = self.seen(n, &out.view, &out.shape)?;
                self.writes(out.view.buffer, places)
            }
            Step::Random { seed, round, out, .. } => {
                self.window(n, seed)?;
                self.window(n, round)?;
                self.fills(n, *out, count(self, &seed.shape)?)
            }
            Step::Rounds(r) => self.rounds(n, r),
        }
    }

    fn seen(&self, step: usize, view: &View, shape: &[Size]) -> Result<Places, String> {
        self.places(step, &view.offset, view.strides.iter().map(Some).zip(shape))
    }

    fn window(&self, step: usize, w: &Window) -> Result<(), String> {
        self.reads(w.view.buffer, &self.seen(step, &w.view, &w.shape)?)
    }

    fn kernel(&mut self, n: usize, k: &Kernel) -> Result<(), String> {
        let stride = |a: &'_ Access, l: usize| a.terms.iter().find(|t| t.0 == l).map(|t| t.1.clone());
        let outer: Vec<(Option<Size>, &Size)> = (0..k.outer).map(|l| (stride(&k.store, l), &k.loops[l].size)).collect();
        let store = self.places(n, &k.store.offset, outer.iter().map(|(s, n)| (s.as_ref(), *n)))?;
        let is_empty = store.count() == 0;
        self.writes(k.store.buffer, store)?;
        for e in k.body.iter().filter(|_| !is_empty) {
            let (access, at): (&Access, &[super::super::Index]) = match e {
                Expr::Load(access) => (access, &[]),
                Expr::Pick { access, at, .. } => (access, at),
                Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Map(..) => continue,
                Expr::Reduce { .. } | Expr::Mend { .. } => continue,
            };
            let axes = access.terms.iter().map(|(l, s)| (Some(s), &k.loops[*l].size));
            let places = self.places(n, &access.offset, axes.chain(at.iter().map(|i| (Some(&i.stride), &i.extent))))?;
            self.reads(access.buffer, &places)?;
        }
        let (unit, first) = (self.n(&k.unit)?, k.loops.first().filter(|_| k.outer > 0).map(|l| self.n(&l.size)).transpose()?);
        let whole = first.is_none_or(|n| n == 0 || (unit > 0 && n % unit == 0));
        ensure(whole, || format!("{unit} steps of its first loop are a row, of {}", first.unwrap_or(0)))
    }

    /// `b` and `out`: by what stride, and how often, an index moves those.
    fn product(&mut self, n: usize, p: &Product, b: Option<(&Size, &Size)>, out: Option<(&Size, &Size)>) -> Result<(), String> {
        let operand = |rule: &Self, of: &dyn Fn(&Span) -> &Option<Size>, at: &Size, more: Option<(&Size, &Size)>| {
            let axes = p.spans.iter().filter_map(|s| Some((Some(of(s).as_ref()?), &s.size)));
            rule.places(n, at, axes.chain(more.map(|(stride, n)| (Some(stride), n))))
        };
        let made = operand(self, &|s| &s.out, &p.out.1, out)?;
        let (a, b) = (operand(self, &|s| &s.a, &p.a.1, None)?, operand(self, &|s| &s.b, &p.b.1, b)?);
        if made.count() > 0 && a.count() > 0 && b.count() > 0 {
            self.reads(p.a.0, &a)?;
            self.reads(p.b.0, &b)?;
        }
        self.writes(p.out.0, made)
    }

    fn index(&self, n: usize, index: &Access, p: &Product) -> Result<(), String> {
        let axes = index.terms.iter().map(|(l, s)| (Some(s), &p.spans[*l].size));
        self.reads(index.buffer, &self.places(n, &index.offset, axes)?)
    }

    fn rounds(&mut self, n: usize, r: &Rounds) -> Result<(), String> {
        let own = Rule { plan: &r.body, sizes: self.sizes, lengths: Vec::new(), written: Vec::new() };
        for b in &r.body.buffers {
            let crate::plan::Kind::Arg(k) = b.kind else { continue };
            let length = own.n(&b.len())?;
            if k == 0 {
                ensure(length == 1, || "the number of its round is no number".into())?;
            } else if length > 0 {
                let (buffer, offset) = &r.operands[k - 1];
                let places = Places { step: n, offset: self.n(offset)?, axes: vec![(1, length)] };
                self.reads(*buffer, &places).map_err(|what| format!("its operand {}: {what}", k - 1))?;
            }
        }
        for b in &r.results {
            self.fills(n, *b, self.lengths[*b])?;
        }
        verify_sized(&r.body, self.sizes).map_err(|what| format!("in its body: {what}"))
    }

    /// Every element of what is written is, and is written once.
    fn covered(&self) -> Result<(), String> {
        for (b, parts) in self.written.iter().enumerate() {
            let Some(last) = parts.last() else { continue };
            let wrong = |what: String| at(self.plan, last.step, &what);
            let count = parts.iter().fold(0i128, |n, p| n.saturating_add(p.count()));
            ensure(count == self.lengths[b], || {
                wrong(format!("{count} elements of {} are written, of {}", name(self.plan, b), self.lengths[b]))
            })?;
            let filled = parts.iter().filter(|p| parts.len() > 1 && p.count() > 0);
            let Some(runs) = filled.map(Places::runs).collect::<Option<Vec<_>>>() else { continue };
            let mut runs = runs.concat();
            runs.sort();
            let shared = runs.windows(2).find(|w| w[1].0 < w[0].1);
            ensure(shared.is_none(), || wrong(format!("two parts of {} share an element", name(self.plan, b))))?;
        }
        Ok(())
    }

    /// What goes through tiles row by row has as many rows.
    fn rows(&self) -> Result<(), String> {
        for t in &self.plan.tiles {
            let rows = self.n(&t.extent)?;
            for (b, per) in t.private.iter().chain(t.kept.iter().flat_map(|k| k.read.iter().chain(&k.written))) {
                let good = self.n(per)?.saturating_mul(rows) == self.lengths[*b];
                ensure(good, || at(self.plan, t.first, &format!("tiles: {} has no {rows} rows of {per}", name(self.plan, *b))))?;
            }
            for (view, _) in t.kept.iter().flat_map(|k| &k.conditions) {
                let places = self.seen(t.first, view, std::slice::from_ref(&t.extent))?;
                self.reads(view.buffer, &places).map_err(|what| at(self.plan, t.first, &format!("tiles: {what}")))?;
            }
        }
        Ok(())
    }
}
