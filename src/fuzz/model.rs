//! The whole program: axes, constants, nets, one model with its inputs, parts and outputs.

use super::Gen;
use super::nets::Part;
use super::scope::{Dim, Kind, Names, Scope, Size, Var};

impl Gen {
    /// A length: one of a few, so that things fit each other.
    pub fn length(&mut self) -> Size {
        let n = *self.rng.pick(&self.palette.clone());
        match self.consts.iter().find(|(_, v)| *v == n) {
            Some((word, _)) if self.rng.chance(40) => Size { word: Some(word.clone()), ..Size::of(n) },
            _ => Size::of(n),
        }
    }

    fn add(&mut self, sc: &mut Scope, text: &str, kind: Kind, names: Names, sizes: Vec<Size>, mag: f64) {
        sc.vars.push(Var { text: text.into(), kind, names, sizes, mag, err: mag });
    }

    /// Writes everything; sums over windows and weights of several factors where they are wanted.
    pub fn program(&mut self, windows: bool, factors: bool) -> String {
        self.palette = vec![*self.rng.pick(&[3, 3, 2, 5]), *self.rng.pick(&[2, 4, 1, 7]), *self.rng.pick(&[3, 1, 2, 6])];
        if self.rng.chance(20) {
            self.palette.push(0);
        }
        let mut sc = Scope::default();
        self.items.push("dim b".into());
        sc.dims.push(Dim { name: "b".into(), size: None });
        if self.rng.chance(50) {
            self.items.push("dim t".into());
            sc.dims.push(Dim { name: "t".into(), size: None });
        }
        if self.rng.chance(25) {
            let n = self.rng.below(4) as i64;
            self.items.push(format!("dim s = {n}"));
            sc.dims.push(Dim { name: "s".into(), size: Some(n) });
        }
        self.dims = sc.dims.clone();
        sc.allowed = sc.dims.iter().map(|d| d.name.clone()).collect();
        if self.rng.chance(40) {
            let n = self.palette[0];
            self.items.push(format!("const width = {n}"));
            self.consts.push(("width".into(), n));
        }
        for _ in 0..self.rng.below(4) {
            if self.rng.chance(25) {
                self.function_item();
            }
            self.net();
        }
        sc.calls = self.functions.clone();
        let mut lines = vec![];
        self.sources(&mut sc, &mut lines);
        self.parts(&mut sc, &mut lines);
        let count = self.rng.below(6) + 1;
        self.statements(&mut sc, count, &mut lines);
        if windows {
            self.windows(&mut sc, &mut lines);
        }
        if factors {
            self.factors(&mut sc, &mut lines);
        }
        self.outputs(&mut sc, &mut lines);
        let mut text = self.items.join("\n\n");
        text.push_str(&format!("\n\nmodel M {{\n    {}\n}}\n", lines.join("\n    ")));
        text
    }

    fn sources(&mut self, sc: &mut Scope, lines: &mut Vec<String>) {
        let dims: Vec<String> = sc.dims.iter().map(|d| d.name.clone()).collect();
        for k in 0..1 + self.rng.below(3) {
            let names: Names = dims.iter().filter(|_| self.rng.chance(60)).cloned().collect();
            let sizes: Vec<Size> = (0..*self.rng.pick(&[0, 1, 1, 2])).map(|_| self.length()).collect();
            let text = format!("x{k}");
            lines.push(format!("input {text}: {}", Self::type_text(&names, &sizes)));
            self.add(sc, &text, Kind::Float, names, sizes, 1.5);
        }
        if self.rng.chance(60) {
            let names: Names = dims.iter().filter(|_| self.rng.chance(50)).cloned().collect();
            let axes: Vec<String> = names.iter().cloned().collect();
            let ty = if axes.is_empty() { "i32".into() } else { format!("i32[{}]", axes.join(", ")) };
            let n = self.length();
            let word = if self.rng.chance(50) { "input" } else { "condition" };
            lines.push(format!("{word} pick: {ty}"));
            let below = n.positive().then_some(n);
            self.add(sc, "pick", Kind::Int(below), names, vec![], 3.0);
        }
        if self.rng.chance(15) {
            lines.push("input flag: bool[b]".into());
            self.add(sc, "flag", Kind::Bool, Names::from(["b".to_string()]), vec![], 1.0);
        }
        if self.rng.chance(30) {
            let sizes: Vec<Size> = (0..self.rng.below(2)).map(|_| self.length()).collect();
            lines.push(format!("condition code: {}", Self::type_text(&Names::new(), &sizes)));
            self.add(sc, "code", Kind::Float, Names::new(), sizes, 1.5);
        }
        if self.rng.chance(15) {
            lines.push("condition key: seed".into());
            self.add(sc, "key", Kind::Int(None), Names::new(), vec![], 1.0);
            sc.vars.last_mut().expect("just added").sizes = vec![];
        }
        for k in 0..1 + self.rng.below(3) {
            let sizes: Vec<Size> = (0..*self.rng.pick(&[0, 1, 2, 2, 3])).map(|_| self.length()).collect();
            let text = format!("p{k}_");
            lines.push(format!("param {text}: {} = {}", Self::type_text(&Names::new(), &sizes), self.initialiser(&sizes)));
            self.add(sc, &text, Kind::Float, Names::new(), sizes, 1.5);
        }
        if self.rng.chance(12) {
            let big = self.palette[0].max(3);
            lines.push("condition span: size in [1, 2, 3] = 2".into());
            lines.push(format!("param wide: [{big}, {big}] = uniform(-1, 1)"));
            lines.push("let narrow = wide[0..span, 0..span]".into());
            let span = Size::formal("span");
            self.add(sc, "narrow", Kind::Float, Names::new(), vec![span.clone(), span], 1.0);
        }
    }

    fn parts(&mut self, sc: &mut Scope, lines: &mut Vec<String>) {
        for k in 0..self.rng.below(4) {
            if self.nets.is_empty() {
                return;
            }
            let net = self.rng.below(self.nets.len());
            let own = self.nets[net].clone();
            let actuals: Vec<Size> =
                own.formals.iter().map(|_| self.length()).map(|s| if s.positive() { s } else { Size::of(1) }).collect();
            let name = ["top", "mid", "low"][k].to_string();
            if self.rng.chance(10) && !own.formals.is_empty() {
                // A family: the nets differ in their sizes.
                let l = format!("l{}", self.fresh());
                let texts: Vec<String> = actuals
                    .iter()
                    .enumerate()
                    .map(|(i, s)| if i == 0 { format!("{} + {l}", s.text()) } else { s.text() })
                    .collect();
                lines.push(format!("sub {name}[{l} < 2] = {}({})", own.name, texts.join(", ")));
                for m in 0..2 {
                    let mut actuals = actuals.clone();
                    actuals[0] = Size::of(actuals[0].factor + m);
                    sc.calls.push(self.callable(&format!("{name}[{m}]"), &own, &actuals, None));
                }
                continue;
            }
            let array = self.rng.chance(55).then(|| Size::of(self.rng.below(4) as i64 + 1));
            let part = Part { name: name.clone(), net, actuals, array };
            let any = !self.leaves(&part).is_empty();
            if any && part.array.is_none() && self.rng.chance(15) {
                // A form takes its parameters with the call.
                let f = format!("flat{k}");
                lines.push(self.part_text(&part).replacen("sub", "form", 1));
                lines.push(format!("param {f}: [size({name}.*)] = uniform(-1, 1)"));
                let given = if self.rng.chance(40) { format!("unflatten({f}, {name}.*)") } else { f };
                let text = format!("{name}{{* = {given}}}");
                sc.calls.push(self.callable(&text, &own, &part.actuals, None));
                continue;
            }
            lines.push(self.part_text(&part));
            let names = self.relations(sc, &part, lines);
            let mut c = self.callable(&name, &own, &part.actuals, part.array.clone());
            c.names = names;
            if any && part.array.is_none() && self.rng.chance(15) {
                let mut with = c.clone();
                let f = format!("flat{k}");
                lines.push(format!("param {f}: [size({name}.*)] = normal(std: 0.5)"));
                let given = match self.rng.below(4) {
                    0 => format!("unflatten({f}, {name}.*)"),
                    1 => format!("0.5 * {name}.* + 0.5 * unflatten({f}, {name}.*)"),
                    _ => f,
                };
                if !given.starts_with('0') {
                    with.names = Names::new();
                }
                with.text = format!("{name}{{* = {given}}}");
                sc.calls.push(with);
            }
            sc.calls.push(c);
        }
    }

    fn outputs(&mut self, sc: &mut Scope, lines: &mut Vec<String>) {
        // What was computed last is read first, and everything of a small program.
        let vars: Vec<Var> = sc.vars.iter().rev().filter(|v| !v.text.starts_with('x')).cloned().collect();
        let mut count = 0;
        for v in vars {
            if count >= 4 || count > 0 && self.rng.chance(40) {
                continue;
            }
            let word = match v.kind {
                Kind::Float => "",
                Kind::Int(_) => "i32",
                Kind::Bool => "bool",
            };
            if v.text == "key" {
                continue;
            }
            let axes = Self::type_text(&v.names, &v.sizes);
            let ty = match (word, axes.as_str()) {
                ("", a) => a.to_string(),
                (w, "f32") => w.to_string(),
                (w, a) => format!("{w}{a}"),
            };
            lines.push(format!("output o{count}: {ty} = {}", v.text));
            count += 1;
        }
        let sizes = self.some_sizes(sc);
        let e = self.expr(sc, &sizes, 3);
        lines.append(&mut self.pending);
        lines.push(format!("output last: {} = {}", Self::type_text(&e.names, &sizes), e.text));
    }
}
