//! Variables: loops that are written out or run, walks along an axis, branches that assign.

use super::Gen;
use super::scope::{E, Kind, Names, Scope, Size, Var, level};

impl Gen {
    /// A variable, and a loop that is written out or runs.
    pub fn unrolled(&mut self, sc: &mut Scope) -> Vec<String> {
        let sizes = self.some_sizes(sc);
        let first = self.expr(sc, &sizes, 1);
        let first = self.settled(first);
        let name = format!("h{}", self.fresh());
        let mut inner = sc.clone();
        inner.allowed = first.names.iter().filter(|n| sc.allowed.contains(*n)).cloned().collect();
        // Indices outside the variable's own names are not seen.
        inner.indices.retain(|i| inner.allowed.contains(&i.name));
        let err = first.err.max(50.0);
        let fixed = Self::carried(sc, &mut inner, &name, &first, &sizes, err);
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
        let end = match self.some(&ends) {
            Some(v) => v.text.clone(),
            None => {
                let outer = std::mem::take(&mut self.pending);
                let before = Scope { counters: sc.counters.clone(), ..head_scope.clone() };
                let e = self.expr(&before, &[], 0);
                let e = self.settled(e);
                let own = std::mem::replace(&mut self.pending, outer);
                lines.extend(own);
                format!("int({} * 1.3)", e.at(level::PRODUCT))
            }
        };
        let ran = match rounds {
            "0..2" | "1..3" => 2,
            "0..3" | "rev 0..3" => 3,
            "0..20" => 20,
            "0..1" => 1,
            _ => 0,
        };
        let (head, trips) = match self.rng.below(7) {
            0 => (format!("for {l} in 0..5{}", self.until(&head_scope, &mut lines)), 5),
            1 if !dim.is_empty() => (format!("for {l} in 0..count[{}]", self.rng.pick(&dim)), 0),
            2 | 3 => {
                let rev = if self.rng.chance(25) { "rev " } else { "" };
                let until = if self.rng.chance(35) { self.until(&head_scope, &mut lines) } else { String::new() };
                let most = self.rng.below(4) as i64 + 1;
                (format!("for {l} in {rev}0..{end}{until} at most {most}"), most)
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

    /// Makes the variable that a loop carries known in its body; says whether it starts as something fixed.
    fn carried(sc: &Scope, inner: &mut Scope, name: &str, first: &E, sizes: &[Size], err: f64) -> bool {
        let fixed = !Self::varies(sc, first);
        if fixed {
            inner.known.insert(name.to_string());
        }
        inner.vars.push(Var {
            text: name.to_string(),
            kind: Kind::Float,
            names: first.names.clone(),
            sizes: sizes.to_vec(),
            mag: 4.0,
            err,
        });
        fixed
    }

    /// ` until c`; what `c` needs goes before the loop, behind its variable.
    fn until(&mut self, sc: &Scope, lines: &mut Vec<String>) -> String {
        let outer = std::mem::take(&mut self.pending);
        let c = self.truth(sc, 0);
        let own = std::mem::replace(&mut self.pending, outer);
        lines.extend(own);
        format!(" until {}", c.text)
    }

    /// `let out[t] = for t in 0..count[t] { .. yield h }`
    pub fn walk(&mut self, sc: &mut Scope) -> Vec<String> {
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
        let fixed = Self::carried(sc, &mut inner, &name, &first, &sizes, 50.0);
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
    pub fn branch(&mut self, sc: &mut Scope) -> Vec<String> {
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
}
