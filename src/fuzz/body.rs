//! Statements of bodies and models: lets, index notation, variables, loops, conditions, draws.

use super::Gen;
use super::scope::{E, Index, Kind, Names, Range, Scope, Size, Var, level};
use std::cell::Cell;
use std::rc::Rc;

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
    fn left(&self, name: &str, e: &E) -> String {
        if !self.called || e.names.is_empty() {
            return name.to_string();
        }
        format!("{name}[{}]", e.names.iter().cloned().collect::<Vec<_>>().join(", "))
    }

    /// As a value of its own, with all names that it is said to have.
    fn settled(&mut self, e: E) -> E {
        if !self.called || e.names.is_empty() {
            return e;
        }
        let name = format!("f{}", self.fresh());
        let line = format!("let {} = {}", self.left(&name, &e), e.text);
        self.hoist(line);
        E { text: name, level: level::POSTFIX, ..e }
    }

    /// `next` with all names that the variable has.
    fn with_names(&self, next: E, name: &str, names: &Names) -> E {
        if next.names == *names && !self.called || names.is_empty() {
            return next;
        }
        E { text: format!("{} + 0.1 * {name}", next.at(level::SUM)), level: level::SUM, names: names.clone(), ..next }
    }

    fn statement(&mut self, sc: &mut Scope) -> Vec<String> {
        let depth = self.rng.below(3) + 1;
        match self.rng.below(25) {
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
            18 => self.draw(sc),
            19 | 20 => match self.mixture(sc) {
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
    fn some_size(&mut self, sc: &Scope) -> Size {
        let sizes: Vec<Size> = sc.vars.iter().flat_map(|v| v.sizes.iter().cloned()).collect();
        match self.some(&sizes).cloned() {
            Some(s) if self.rng.chance(80) => s,
            _ => self.length(),
        }
    }

    /// `let w[i, t] = ..`
    fn indexed(&mut self, sc: &mut Scope, depth: usize) -> Vec<String> {
        let mut inner = sc.clone();
        let mut bound: Vec<Index> = vec![];
        let mut axes: Vec<String> = vec![];
        for _ in 0..self.rng.below(3) + usize::from(self.rng.chance(80)) {
            let s = self.some_size(sc);
            let i = self.sized_index(&s);
            inner = inner.with(i.clone());
            bound.push(i);
        }
        for d in &sc.dims {
            if sc.allowed.contains(&d.name) && !sc.indices.iter().any(|i| i.name == d.name) && self.rng.chance(40) {
                let i = Index {
                    name: d.name.clone(),
                    range: Range::Axis(d.name.clone()),
                    bare: Rc::new(Cell::new(true)),
                    said: Rc::default(),
                };
                inner = inner.with(i);
                axes.push(d.name.clone());
            }
        }
        if bound.is_empty() && axes.is_empty() {
            let s = self.some_size(sc);
            let i = self.sized_index(&s);
            inner = inner.with(i.clone());
            bound.push(i);
        }
        let rest = if self.rng.chance(15) { vec![self.some_size(sc)] } else { vec![] };
        let body = self.expr(&inner, &rest, depth);
        let mut names = body.names.clone();
        names.extend(axes.iter().cloned());
        let mut list: Vec<String> = bound
            .iter()
            .map(|i| {
                names.remove(&i.name);
                self.binder(i)
            })
            .collect();
        if self.called {
            axes.extend(names.iter().filter(|n| sc.dim(n).is_some() && !sc.rounds.contains(n)).cloned());
            axes.sort();
            axes.dedup();
        }
        let mut at = 0;
        for a in axes {
            at = (at + self.rng.below(3)).min(list.len());
            list.insert(at, a);
        }
        let mut sizes: Vec<Size> = bound
            .iter()
            .map(|i| match &i.range {
                Range::Size(s) => s.clone(),
                Range::Axis(_) => unreachable!("a sized index"),
            })
            .collect();
        sizes.extend(rest);
        let name = format!("v{}", self.fresh());
        let e = E { names, sizes, ..body };
        self.bind(sc, &name, &e);
        vec![format!("let {name}[{}] = {}", list.join(", "), e.text)]
    }

    /// `let w[(i, j)] = ..`
    fn merged(&mut self, sc: &mut Scope, depth: usize) -> Vec<String> {
        let (a, b) = (self.some_size(sc), self.some_size(sc));
        let size = match (&a.formal, &b.formal) {
            (Some(_), Some(_)) => return self.indexed(sc, depth),
            (Some(_), None) => Size { factor: a.factor * b.factor, word: None, ..a.clone() },
            _ => Size { factor: a.factor * b.factor, word: None, ..b.clone() },
        };
        let (i, j) = (self.sized_index(&a), self.sized_index(&b));
        let inner = sc.with(i.clone()).with(j.clone());
        let body = self.expr(&inner, &[], depth);
        let mut names = body.names.clone();
        names.remove(&i.name);
        names.remove(&j.name);
        let name = format!("w{}", self.fresh());
        let mut list = vec![format!("({}, {})", self.binder(&i), self.binder(&j))];
        if self.called {
            list.extend(names.iter().filter(|n| sc.dim(n).is_some() && !sc.rounds.contains(n)).cloned());
        }
        let text = format!("let {name}[{}] = {}", list.join(", "), body.text);
        self.bind(sc, &name, &E { names, sizes: vec![size], ..body });
        vec![text]
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

    /// `let v[i < 2, j] = x[(i, j)]`: an axis cut in two, and perhaps made whole again.
    fn split(&mut self, sc: &mut Scope) -> Vec<String> {
        let fits: Vec<Var> = sc
            .vars
            .iter()
            .filter(|v| matches!(v.kind, Kind::Float) && v.names.is_subset(&sc.allowed))
            .filter(|v| v.sizes.first().is_some_and(|s| s.factor > 1))
            .cloned()
            .collect();
        let Some(v) = self.some(&fits).cloned() else { return self.indexed(sc, 2) };
        let whole = v.sizes[0].clone();
        let factors: Vec<i64> = (1..=whole.factor).filter(|k| whole.factor % k == 0).collect();
        let outer = Size::of(*self.rng.pick(&factors));
        let inner = Size { factor: whole.factor / outer.factor, word: None, ..whole.clone() };
        let (i, j) = (self.sized_index(&outer).name, self.sized_index(&inner).name);
        // One of the ranges follows from the other.
        let binders = match self.rng.below(3) {
            0 => format!("{i} < {}, {j} < {}", outer.text(), inner.text()),
            1 => format!("{i} < {}, {j}", outer.text()),
            _ => format!("{i}, {j} < {}", inner.text()),
        };
        let id = self.fresh();
        let (cut, again) = (format!("v{id}"), format!("w{id}"));
        let mut lines = vec![format!("let {cut}[{binders}] = {}[({i}, {j})]", v.text)];
        let rest = &v.sizes[1..];
        let e = E::new("", 9).typed(v.names.clone(), [&[outer, inner], rest].concat()).bounded(v.mag, v.err);
        self.bind(sc, &cut, &e);
        if self.rng.chance(40) {
            // Rows and columns change their places.
            lines.push(format!("let {again}[({j}, {i})] = {cut}[{i}, {j}]"));
            self.bind(sc, &again, &E { sizes: v.sizes.clone(), ..e });
        }
        lines
    }

    /// A variable, and a loop that is written out or runs.
    fn unrolled(&mut self, sc: &mut Scope) -> Vec<String> {
        let sizes = self.some_sizes(sc);
        let first = self.expr(sc, &sizes, 1);
        let first = self.settled(first);
        let name = format!("h{}", self.fresh());
        let mut inner = sc.clone();
        inner.allowed = first.names.iter().filter(|n| sc.allowed.contains(*n)).cloned().collect();
        // Indices outside the variable's own names are not seen.
        inner.indices.retain(|i| inner.allowed.contains(&i.name));
        let err = first.err.max(50.0);
        let fixed = !Self::varies(sc, &first);
        if fixed {
            inner.known.insert(name.clone());
        }
        inner.vars.push(Var {
            text: name.clone(),
            kind: Kind::Float,
            names: first.names.clone(),
            sizes: sizes.clone(),
            mag: 4.0,
            err,
        });
        let l = format!("l{}", self.fresh());
        inner.counters.push(l.clone());
        let rounds = *self.rng.pick(&["0..2", "0..3", "rev 0..3", "1..3", "0..0", "0..20", "0..1"]);
        let mut lines = vec![format!("var {name} = {}", first.text)];
        let outer = std::mem::take(&mut self.pending);
        let mut body = vec![];
        let count = self.rng.below(2);
        // What ends the loop does not see what its body binds.
        let head_scope = inner.clone();
        self.statements(&mut inner, count, &mut body);
        let next = self.expr(&inner, &sizes, 2);
        let next = self.with_names(next, &name, &first.names);
        let fixed = fixed || !Self::varies(&inner, &next);
        body.append(&mut self.pending);
        self.pending = outer;
        let next_text = if next.mag > 4.0 || self.rng.chance(50) { format!("tanh({})", next.text) } else { next.text.clone() };
        body.push(format!("{name} = {next_text}"));
        let dim = sc.dims.iter().map(|d| d.name.clone()).filter(|d| !sc.rounds.contains(d)).collect::<Vec<_>>();
        // A length that is data, for each example its own.
        let ends: Vec<Var> = head_scope
            .vars
            .iter()
            .filter(|v| matches!(v.kind, Kind::Int(Some(_))) && v.sizes.is_empty() && v.names.is_subset(&first.names))
            .cloned()
            .collect();
        let end = self.some(&ends).cloned();
        let ran = match rounds {
            "0..2" | "1..3" => 2,
            "0..3" | "rev 0..3" => 3,
            "0..20" => 20,
            "0..1" => 1,
            _ => 0,
        };
        let (head, trips) = match (self.rng.below(7), end) {
            (0, _) => (format!("for {l} in 0..5{}", self.until(&head_scope, &mut lines)), 5),
            (1, _) if !dim.is_empty() => (format!("for {l} in 0..count[{}]", self.rng.pick(&dim)), 0),
            (2 | 3, Some(end)) => {
                let rev = if self.rng.chance(25) { "rev " } else { "" };
                let until = if self.rng.chance(35) { self.until(&head_scope, &mut lines) } else { String::new() };
                let most = self.rng.below(4) as i64 + 1;
                (format!("for {l} in {rev}0..{}{until} at most {most}", end.text), most)
            }
            _ => (format!("for {l} in {rounds}"), ran),
        };
        let yields = self.rng.chance(30);
        let ys = format!("y{}", self.fresh());
        if yields && trips > 0 {
            body.push(format!("yield {name}"));
            lines.push(format!("let {ys} = {head} {{ {} }}", body.join("; ")));
        } else {
            lines.push(format!("{head} {{ {} }}", body.join("; ")));
        }
        let e = E::new("", 9).typed(first.names.clone(), sizes.clone()).bounded(4.0, 400.0);
        self.bind(sc, &name, &e);
        if fixed {
            sc.known.insert(name.clone());
        }
        if yields && trips > 0 {
            let mut stacked = vec![Size::of(trips)];
            stacked.extend(sizes);
            self.bind(sc, &ys, &E { sizes: stacked, ..e });
        }
        lines
    }

    /// ` until c`; what `c` needs goes before the loop.
    fn until(&mut self, sc: &Scope, lines: &mut Vec<String>) -> String {
        let outer = std::mem::take(&mut self.pending);
        let c = self.truth(sc, 0);
        let own = std::mem::replace(&mut self.pending, outer);
        lines.splice(0..0, own);
        format!(" until {}", c.text)
    }

    /// `let out[t] = for t in 0..count[t] { .. yield h }`
    fn walk(&mut self, sc: &mut Scope) -> Vec<String> {
        let dims: Vec<String> =
            sc.dims.iter().map(|d| d.name.clone()).filter(|d| sc.allowed.contains(d) && !sc.rounds.contains(d)).collect();
        let Some(t) = self.some(&dims).cloned() else { return self.unrolled(sc) };
        if sc.indices.iter().any(|i| i.name == t) {
            return self.unrolled(sc);
        }
        let mut outside = sc.clone();
        outside.allowed.remove(&t);
        let sizes = self.some_sizes(sc);
        let first = self.expr(&outside, &sizes, 1);
        let first = self.settled(first);
        let name = format!("h{}", self.fresh());
        let mut inner = outside.clone();
        inner.rounds.push(t.clone());
        inner.allowed = first.names.clone();
        let fixed = !Self::varies(sc, &first);
        if fixed {
            inner.known.insert(name.clone());
        }
        inner.vars.push(Var {
            text: name.clone(),
            kind: Kind::Float,
            names: first.names.clone(),
            sizes: sizes.clone(),
            mag: 4.0,
            err: 50.0,
        });
        let mut lines = vec![format!("var {name} = {}", first.text)];
        let outer = std::mem::take(&mut self.pending);
        let mut body = vec![];
        let count = self.rng.below(2);
        self.statements(&mut inner, count, &mut body);
        let next = self.expr(&inner, &sizes, 2);
        let next = self.with_names(next, &name, &first.names);
        let fixed = fixed || !Self::varies(&inner, &next);
        body.append(&mut self.pending);
        body.push(format!("{name} = tanh({})", next.text));
        let given = self.expr(&inner, &sizes, 1);
        let given = self.with_names(given, &name, &first.names);
        body.append(&mut self.pending);
        self.pending = outer;
        let given = if self.rng.chance(60) { E { text: name.clone(), mag: 1.0, ..given } } else { given };
        body.push(format!("yield {}", given.text));
        let out = format!("y{}", self.fresh());
        let rev = if self.rng.chance(25) { "rev " } else { "" };
        lines.push(format!("let {out}[{t}] = for {t} in {rev}0..count[{t}] {{ {} }}", body.join("; ")));
        let mut names = if given.text == name { first.names.clone() } else { given.names.clone() };
        names.insert(t);
        let e = E::new("", 9).typed(first.names.clone(), sizes.clone()).bounded(1.0, 400.0);
        self.bind(sc, &name, &E { mag: 4.0, ..e.clone() });
        if fixed {
            sc.known.insert(name.clone());
        }
        self.bind(sc, &out, &E { names, mag: given.mag.max(1.0), ..e });
        lines
    }

    /// `var v = a; if c { v = b } else { v = d }`
    fn branch(&mut self, sc: &mut Scope) -> Vec<String> {
        let sizes = self.some_sizes(sc);
        let (a, b, mut d) = (self.expr(sc, &sizes, 1), self.expr(sc, &sizes, 1), self.expr(sc, &sizes, 1));
        self.unlike(sc, &b, &mut d);
        let c = self.truth(sc, 1);
        let (b, c, d) = (self.settled(b), self.settled(c), self.settled(d));
        let name = format!("p{}", self.fresh());
        let mut names: Names = c.names.clone();
        names.extend(b.names.iter().chain(&d.names).cloned());
        let (mag, err) = (b.mag.max(d.mag), b.err.max(d.err));
        let e = E::new("", 9).typed(names, sizes).bounded(mag, err);
        let mut out = vec![format!("var {name} = {}", a.text)];
        if self.rng.chance(80) {
            out.push(format!("if {} {{ {name} = {} }} else {{ {name} = {} }}", c.text, b.text, d.text));
            self.bind(sc, &name, &e);
        } else {
            // By a constant: one side is all that there is.
            out.push(format!(
                "if {} {{ {name} = {} }} else {{ {name} = {} }}",
                self.rng.pick(&["training", "2 > 1", "not training"]),
                b.text,
                b.text
            ));
            self.bind(sc, &name, &E { text: b.text.clone(), names: b.names.clone(), ..e });
        }
        out
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
