//! The readable form of a plan. Two plans that read alike are alike.

use super::{Access, Expr, Grouped, Kept, Kernel, Kind, Plan, Product, Rounds, Step, View, Window};
use crate::ir::Fold;
use std::fmt;

impl Step {
    /// What kind of step it is, in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Step::Kernel(_) => "kernel",
            Step::Product(_) => "product",
            Step::Grouped(_) => "grouped",
            Step::Segments(_) => "segments",
            Step::Order { .. } => "order",
            Step::Scan { .. } => "scan",
            Step::Assign { .. } => "assign",
            Step::Scatter { .. } => "scatter",
            Step::Random { .. } => "random",
            Step::Rounds(_) => "loop",
        }
    }
}

impl Plan {
    fn name(&self, b: usize) -> &str {
        &self.buffers[b].name
    }

    fn address(&self, a: &Access, loops: &dyn Fn(usize) -> String) -> String {
        let mut text = format!("{}[{}", self.name(a.buffer), a.offset);
        for (l, s) in &a.terms {
            text += &format!(" + {}*({s})", loops(*l));
        }
        text + "]"
    }

    fn seen(&self, v: &View) -> String {
        let strides: Vec<String> = v.strides.iter().map(ToString::to_string).collect();
        format!("{}[{}; {}]", self.name(v.buffer), v.offset, strides.join(", "))
    }

    fn pane(&self, w: &Window) -> String {
        let shape: Vec<String> = w.shape.iter().map(ToString::to_string).collect();
        format!("{} of ({})", self.seen(&w.view), shape.join(", "))
    }

    fn write_kernel(&self, f: &mut fmt::Formatter<'_>, k: &Kernel) -> fmt::Result {
        let name = |l: usize| format!("{}.{l}", k.loops[l].name);
        let show = |from: usize, to: usize| {
            (from..to).map(|l| format!("{}={}", name(l), k.loops[l].size)).collect::<Vec<_>>().join(", ")
        };
        writeln!(f, "  kernel {} for ({}) unit {}", k.name, show(0, k.outer), k.unit)?;
        for (n, (e, t)) in k.body.iter().zip(&k.types).enumerate() {
            write!(f, "    %{n}: {} = ", t.word())?;
            match e {
                Expr::Const(c) => writeln!(f, "{c:?}")?,
                Expr::Counter(l) => writeln!(f, "counter {}", name(*l))?,
                Expr::Size(s) => writeln!(f, "size {s}")?,
                Expr::Load(a) => writeln!(f, "{}", self.address(a, &name))?,
                Expr::Pick { access, at, fill } => {
                    write!(f, "pick {}", self.address(access, &name))?;
                    for i in at {
                        write!(f, " at %{} of {} by {}", i.value, i.extent, i.stride)?;
                    }
                    match fill {
                        Some(c) => writeln!(f, " else {c:?}")?,
                        None => writeln!(f, " clamped")?,
                    }
                }
                Expr::Map(m, args) => {
                    let args: Vec<String> = args.iter().map(|a| format!("%{a}")).collect();
                    writeln!(f, "{} {}", format!("{m:?}").to_lowercase(), args.join(", "))?;
                }
                Expr::Reduce { fold, loops, value } => {
                    let loops: Vec<String> = loops.iter().map(|l| format!("{}={}", name(*l), k.loops[*l].size)).collect();
                    writeln!(f, "{} ({}) %{value}", format!("{fold:?}").to_lowercase(), loops.join(", "))?;
                }
                Expr::Mend { of, loops, value } => {
                    let loops: Vec<String> = loops.iter().map(|l| format!("{}={}", name(*l), k.loops[*l].size)).collect();
                    writeln!(f, "mend %{of} by sum ({}) %{value}", loops.join(", "))?;
                }
            }
        }
        writeln!(f, "    {} <- %{}", self.address(&k.store, &name), k.value)
    }

    fn write_product(&self, f: &mut fmt::Formatter<'_>, p: &Product) -> fmt::Result {
        write!(f, "{} = {}[{}] * {}[{}] over", self.name(p.out.0), self.name(p.a.0), p.a.1, self.name(p.b.0), p.b.1)?;
        for s in &p.spans {
            let show = |x: &Option<crate::ir::Size>| x.as_ref().map_or(String::from("-"), ToString::to_string);
            write!(f, " {}={} ({}, {} -> {})", s.name, s.size, show(&s.a), show(&s.b), show(&s.out))?;
        }
        writeln!(f)
    }

    fn write_grouped(&self, f: &mut fmt::Formatter<'_>, g: &Grouped) -> fmt::Result {
        let at = self.address(&g.index, &|l| g.product.spans[l].name.to_string());
        write!(f, "  grouped by {at} of {} by {}{}: ", g.count, g.stride, if g.clamp { " clamped" } else { "" })?;
        self.write_product(f, &g.product)
    }

    fn write_rounds(&self, f: &mut fmt::Formatter<'_>, r: &Rounds) -> fmt::Result {
        let operands: Vec<String> = r.operands.iter().map(|(b, o)| format!("{}[{o}]", self.name(*b))).collect();
        let results: Vec<&str> = r.results.iter().map(|b| self.name(*b)).collect();
        let flags = format!("{}{}", if r.reverse { " reverse" } else { "" }, if r.stop { " until stopped" } else { "" });
        writeln!(
            f,
            "  loop {} for {}{flags} carries {} ({}) -> ({})",
            r.name,
            r.trips,
            r.carries,
            operands.join(", "),
            results.join(", ")
        )?;
        for line in r.body.to_string().lines() {
            writeln!(f, "    | {line}")?;
        }
        Ok(())
    }

    fn write_kept(&self, f: &mut fmt::Formatter<'_>, kept: &Kept) -> fmt::Result {
        let asks = |(v, holds): &(View, bool)| format!("{}{}", if *holds { "" } else { "not " }, self.seen(v));
        let asked: Vec<String> = kept.conditions.iter().map(asks).collect();
        let names = |all: &[(usize, crate::ir::Size)]| all.iter().map(|b| self.name(b.0)).collect::<Vec<_>>().join(", ");
        writeln!(f, " rows where {}: ({}) -> ({})", asked.join(" and "), names(&kept.read), names(&kept.written))
    }

    fn write_step(&self, f: &mut fmt::Formatter<'_>, step: &Step) -> fmt::Result {
        match step {
            Step::Kernel(k) => self.write_kernel(f, k),
            Step::Product(p) => {
                write!(f, "  product ")?;
                self.write_product(f, p)
            }
            Step::Grouped(g) => self.write_grouped(f, g),
            Step::Segments(s) => {
                let at = self.address(&s.index, &|l| s.product.spans[l].name.to_string());
                write!(f, "  segments by {at} of {} by {}: ", s.count, s.stride)?;
                self.write_product(f, &s.product)
            }
            Step::Order { input, out, axis, descending, .. } => {
                let way = if *descending { "descending" } else { "ascending" };
                writeln!(f, "  order {way} axis {axis}: {} -> {}", self.pane(input), self.pane(out))
            }
            Step::Scan { input, out, axis, .. } => writeln!(f, "  scan axis {axis}: {} -> {}", self.pane(input), self.name(*out)),
            Step::Assign { input, out } => writeln!(f, "  assign {} -> {}", self.pane(input), self.name(*out)),
            Step::Scatter { index, value, out, axis, fold, .. } => {
                let word = if *fold == Fold::Sum { "" } else { fold.word() };
                writeln!(
                    f,
                    "  scatter{}{word} axis {axis}: {} at {} -> {}",
                    if word.is_empty() { "" } else { " " },
                    self.pane(value),
                    self.pane(index),
                    self.pane(out)
                )
            }
            Step::Random { dist, key, seed, round, out } => {
                writeln!(f, "  random {dist:?} key {key}: {} {} -> {}", self.pane(seed), self.pane(round), self.name(*out))
            }
            Step::Rounds(r) => self.write_rounds(f, r),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(machine) = &self.machine {
            writeln!(f, "for {machine}")?;
        }
        for (n, b) in self.buffers.iter().enumerate() {
            let shape: Vec<String> = b.shape.iter().map(ToString::to_string).collect();
            let kind = match &b.kind {
                Kind::Source(path) => format!("source {path}"),
                Kind::Arg(k) => format!("argument {k}"),
                Kind::Temp => String::from("temporary"),
                Kind::Output => String::from("output"),
            };
            writeln!(f, "buffer {n} {}: {}[{}] {kind}, rate {:?}", b.name, b.dtype.word(), shape.join(", "), b.rate)?;
        }
        for (k, step) in self.steps.iter().enumerate() {
            if k == 0 && self.prepared > 0 {
                writeln!(f, "prepare")?;
            }
            if k == self.prepared {
                writeln!(f, "run")?;
            }
            if let Some(t) = self.tiles.iter().find(|t| t.first == k) {
                let private: Vec<&str> = t.private.iter().map(|p| self.name(p.0)).collect();
                writeln!(
                    f,
                    " {} of {} along {} through {} steps, private ({})",
                    if t.flat { "stretches" } else { "tiles" },
                    t.rows,
                    t.extent,
                    t.last - t.first,
                    private.join(", ")
                )?;
                if let Some(kept) = &t.kept {
                    self.write_kept(f, kept)?;
                }
            }
            self.write_step(f, step)?;
        }
        for t in &self.taps {
            writeln!(f, "no memory for {}", self.name(t.buffer))?;
        }
        for a in &self.attends {
            let buffers: Vec<&str> = a.buffers.iter().map(|b| self.name(*b)).collect();
            writeln!(f, "no memory for {} of {}", buffers.join(", "), self.name(self.steps[a.result].writes()[0]))?;
        }
        for b in self.biased.iter().map(|b| b.buffer).chain(self.finished.iter().map(|b| b.buffer)) {
            writeln!(f, "no memory for {}", self.name(b))?;
        }
        for w in &self.written {
            let buffers: Vec<&str> = w.buffers().map(|b| self.name(b)).collect();
            writeln!(f, "no memory for {} of {}", buffers.join(", "), self.name(self.steps[w.product].writes()[0]))?;
        }
        let outputs: Vec<&str> = self.outputs.iter().map(|b| self.name(*b)).collect();
        writeln!(f, "outputs {}", outputs.join(", "))?;
        for d in &self.demands.computed {
            writeln!(f, "inside {}={}", crate::ir::text::quoted(&d.axis.name), d.axis.size)?;
        }
        for a in &self.demands.arriving {
            let axis = &a.demand.axis;
            writeln!(f, "given {} inside {}={}", a.path, crate::ir::text::quoted(&axis.name), axis.size)?;
        }
        Ok(())
    }
}
