//! Statements of bodies and models: which comes next; lets, whole numbers, seats, draws, calls with several results.

use super::Gen;
use super::scope::{E, Kind, Names, Scope, Size, Var, level};

impl Gen {
    /// Adds `n` statements; what they bind is in scope afterwards.
    pub fn statements(&mut self, sc: &mut Scope, n: usize, lines: &mut Vec<String>) {
        for _ in 0..n {
            self.called = false;
            let text = self.statement(sc);
            lines.append(&mut self.pending);
            lines.extend(text);
        }
    }

    pub fn bind(&mut self, sc: &mut Scope, name: &str, e: &E) {
        if !e.text.is_empty() && !Self::varies(sc, e) {
            sc.known.insert(name.into());
        }
        sc.vars.push(Var {
            text: name.into(),
            kind: Kind::Float,
            names: e.names.clone(),
            sizes: e.sizes.clone(),
            mag: e.mag,
            err: e.err,
        });
    }

    /// The left side of a `let` that gives the value all names that it is said to have.
    pub fn left(&self, name: &str, e: &E) -> String {
        if !self.called || e.names.is_empty() {
            return name.to_string();
        }
        format!("{name}[{}]", e.names.iter().cloned().collect::<Vec<_>>().join(", "))
    }

    /// As a value of its own, with all names that it is said to have.
    pub fn settled(&mut self, e: E) -> E {
        if !self.called || e.names.is_empty() {
            return e;
        }
        let name = format!("f{}", self.fresh());
        let line = format!("let {} = {}", self.left(&name, &e), e.text);
        self.hoist(line);
        E { text: name, level: level::POSTFIX, ..e }
    }

    /// `next` with all names that the variable has.
    pub fn with_names(&self, next: E, name: &str, names: &Names) -> E {
        if next.names == *names && !self.called || names.is_empty() {
            return next;
        }
        E { text: format!("{} + 0.1 * {name}", next.at(level::SUM)), level: level::SUM, names: names.clone(), ..next }
    }

    fn statement(&mut self, sc: &mut Scope) -> Vec<String> {
        let depth = self.rng.below(3) + 1;
        match self.rng.below(28) {
            0..=3 => {
                let sizes = self.some_sizes(sc);
                let e = self.expr(sc, &sizes, depth);
                let name = format!("a{}", self.fresh());
                self.bind(sc, &name, &e);
                vec![format!("let {} = {}", self.left(&name, &e), e.text)]
            }
            4..=9 => self.indexed(sc, depth),
            10 => self.merged(sc, depth),
            11 => self.whole(sc, depth),
            12 => {
                let c = self.truth(sc, depth);
                let name = format!("c{}", self.fresh());
                let left = self.left(&name, &c);
                let var = Var { text: name.clone(), kind: Kind::Bool, names: c.names, sizes: vec![], mag: 1.0, err: 0.0 };
                sc.vars.push(var);
                vec![format!("let {left} = {}", c.text)]
            }
            13 | 14 => self.unrolled(sc),
            15 | 16 => self.walk(sc),
            17 => self.branch(sc),
            18 | 27 => self.draw(sc),
            19 | 20 | 25 | 26 => match self.mixture(sc) {
                Some(e) => {
                    let e = if e.mag > 12.0 || e.err > 400.0 {
                        E { text: format!("tanh(0.05 * ({}))", e.text), mag: 1.0, err: e.err.min(400.0), ..e }
                    } else {
                        e
                    };
                    let name = format!("m{}", self.fresh());
                    self.bind(sc, &name, &e);
                    vec![format!("let {} = {}", self.left(&name, &e), e.text)]
                }
                None => {
                    Self::forget(sc);
                    self.indexed(sc, depth)
                }
            },
            21 => self.seats(sc),
            22 | 23 => self.split(sc),
            _ => self.record(sc),
        }
    }

    /// Sizes that values here have.
    pub fn some_sizes(&mut self, sc: &Scope) -> Vec<Size> {
        if self.rng.chance(20) {
            return vec![];
        }
        let lists: Vec<Vec<Size>> = sc.vars.iter().filter(|v| matches!(v.kind, Kind::Float)).map(|v| v.sizes.clone()).collect();
        self.some(&lists).cloned().unwrap_or_default()
    }

    /// A length that is around here.
    pub fn some_size(&mut self, sc: &Scope) -> Size {
        let sizes: Vec<Size> = sc.vars.iter().flat_map(|v| v.sizes.iter().cloned()).collect();
        match self.some(&sizes).cloned() {
            Some(s) if self.rng.chance(80) => s,
            _ => self.length(),
        }
    }

    /// Whole numbers from values.
    fn whole(&mut self, sc: &mut Scope, depth: usize) -> Vec<String> {
        let s = self.some_size(sc);
        if !s.positive() {
            return self.indexed(sc, depth);
        }
        let v = self.expr(sc, std::slice::from_ref(&s), depth);
        let v = self.settled(v);
        let name = format!("n{}", self.fresh());
        let var = |text: String, kind, sizes| Var { text, kind, names: v.names.clone(), sizes, mag: s.guess(), err: 0.0 };
        match self.rng.below(3) {
            0 => {
                let word = *self.rng.pick(&["argmax", "argmin"]);
                sc.vars.push(var(name.clone(), Kind::Int(Some(s.clone())), vec![]));
                vec![format!("let {name} = {word}({})", v.text)]
            }
            1 => {
                let k = s.known().map_or(1, |n| 1 + self.rng.below((n as usize).min(3)));
                let at = self.rng.below(k);
                sc.vars.push(var(format!("{name}.index[{at}]"), Kind::Int(Some(s.clone())), vec![]));
                let mut value = var(format!("{name}.value"), Kind::Float, vec![Size::of(k as i64)]);
                value.mag = v.mag;
                value.err = v.err;
                sc.vars.push(value);
                vec![format!("let {name} = top_k({}, {k})", v.text)]
            }
            _ => {
                let n = if s.factor != 1 && s.formal.is_some() { format!("({})", s.text()) } else { s.text() };
                let e = self.expr(sc, &[], 1);
                let e = self.settled(e);
                let text = format!("let {name} = int({} * 1.3) mod {n}", e.at(level::PRODUCT));
                if !Self::varies(sc, &e) {
                    sc.known.insert(name.clone());
                }
                sc.vars.push(Var { names: e.names, ..var(name, Kind::Int(Some(s.clone())), vec![]) });
                vec![text]
            }
        }
    }

    /// `let pick = top_k(..)`, `let seat = number(admitted[b](pick.index, 2))`
    fn seats(&mut self, sc: &mut Scope) -> Vec<String> {
        let s = self.some_size(sc);
        let score = self.expr(sc, std::slice::from_ref(&s), 1);
        let group: Vec<String> = match sc.net {
            true => vec!["*".into()],
            false => {
                sc.dims.iter().map(|d| d.name.clone()).filter(|n| sc.allowed.contains(n) && score.names.contains(n)).collect()
            }
        };
        if group.is_empty() || !s.positive() || !sc.rounds.is_empty() || !sc.indices.is_empty() || !sc.counters.is_empty() {
            Self::forget(sc);
            return self.indexed(sc, 2);
        }
        self.lifted |= sc.net;
        let k = s.known().map_or(1, |n| 1 + self.rng.below((n as usize).min(3)));
        let (id, seats) = (self.fresh(), self.rng.below(4));
        let e = E { sizes: vec![Size::of(k as i64)], mag: 1.0, err: 0.0, ..score };
        let name = format!("s{id}");
        let left = self.left(&name, &e);
        self.bind(sc, &name, &e);
        vec![
            format!("let pick{id} = top_k({}, {k})", e.text),
            format!("let {left} = number(admitted[{}](pick{id}.index, {seats}))", group.join(", ")),
        ]
    }

    /// `draw eps: [..] = normal()`
    fn draw(&mut self, sc: &mut Scope) -> Vec<String> {
        let mut sizes = self.some_sizes(sc);
        sizes.truncate(2);
        let name = format!("e{}", self.fresh());
        let mut axes: Vec<String> = vec![];
        let mut names = Names::new();
        if sc.net {
            // What it is lifted over is not known here: names of the caller stay invisible.
            if self.rng.chance(50) && sc.indices.is_empty() && sc.rounds.is_empty() {
                axes.push("*".into());
            }
        } else {
            for d in &sc.dims {
                if sc.allowed.contains(&d.name) && !sc.rounds.contains(&d.name) && self.rng.chance(50) {
                    axes.push(d.name.clone());
                    names.insert(d.name.clone());
                }
            }
        }
        axes.extend(sizes.iter().map(Size::text));
        let how =
            *self.rng.pick(&["normal(mean: 0.5, std: 0.5)", "uniform(-1, 1)", "bernoulli(0.4)", "uniform(0, 1)", "normal()"]);
        let keys: Vec<String> = sc.vars.iter().filter(|v| v.text == "key").map(|v| v.text.clone()).collect();
        let by = match self.some(&keys).cloned() {
            Some(k) if self.rng.chance(60) => format!(" by {k}"),
            _ => String::new(),
        };
        let n = self.some_size(sc);
        if sizes.is_empty() && n.positive() && self.rng.chance(40) {
            let ty = if axes.is_empty() { "i32".into() } else { format!("i32[{}]", axes.join(", ")) };
            let kind = Kind::Int(Some(n.clone()));
            sc.vars.push(Var { text: name.clone(), kind, names, sizes, mag: n.guess(), err: 0.0 });
            return vec![format!("draw {name}: {ty} = randint({}){by}", n.text())];
        }
        let ty = if axes.is_empty() { "f32".into() } else { format!("[{}]", axes.join(", ")) };
        let e = E::new("", 9).typed(names, sizes).bounded(4.0, 4.0);
        self.bind(sc, &name, &e);
        vec![format!("draw {name}: {ty} = {how}{by}")]
    }

    /// A call with several results.
    fn record(&mut self, sc: &mut Scope) -> Vec<String> {
        let fits: Vec<_> = sc
            .calls
            .iter()
            .filter(|c| c.results.len() > 1 && c.array.is_none() && !c.lifted && c.names.is_subset(&sc.allowed))
            .filter(|c| c.args.iter().all(|a| a.0.is_empty()))
            .cloned()
            .collect();
        let Some(c) = self.some(&fits).cloned() else { return self.indexed(sc, 2) };
        let mut names = c.names.clone();
        let mut args = vec![];
        for (_, sizes) in &c.args {
            let e = self.expr(sc, sizes, 1);
            names.extend(e.names.iter().cloned());
            args.push(if e.mag > 4.0 { format!("tanh({})", e.text) } else { e.text });
        }
        let name = format!("r{}", self.fresh());
        let mut after = vec![];
        for (field, own, sizes) in &c.results {
            let mut names = names.clone();
            names.extend(own.iter().cloned());
            let e = E::new("", 9).typed(names, sizes.clone()).bounded(c.mag, 200.0);
            self.called = true;
            let own = format!("{name}{field}");
            after.push(format!("let {} = {name}.{field}", self.left(&own, &e)));
            self.bind(sc, &own, &e);
        }
        let mut out = vec![format!("let {name} = {}({})", c.text, args.join(", "))];
        out.append(&mut after);
        out
    }
}
