//! Conditions: what may stand in an `if`, a filter, behind `until`, and what it guards.

use super::Gen;
use super::scope::{E, Kind, Names, Scope, Size, level, union};

impl Gen {
    /// `if c { a } else { b }`
    pub(super) fn condition(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> E {
        let (c, a) = if self.rng.chance(30) {
            let (c, wild) = self.guarded(sc);
            let a = self.filled(sc, wild, sizes);
            (c, self.tame(a))
        } else {
            (self.truth(sc, depth), self.expr(sc, sizes, depth))
        };
        let mut b = self.expr(sc, sizes, depth);
        self.unlike(sc, &a, &mut b);
        let text = format!("if {} {{ {} }} else {{ {} }}", c.text, a.text, b.text);
        E::new(text, level::OR)
            .typed(union(&c.names, &union(&a.names, &b.names)), sizes.to_vec())
            .bounded(a.mag.max(b.mag), a.err.max(b.err))
    }

    /// A truth value, and a number that is finite where it holds and may be NaN or infinite where it does not.
    pub fn guarded(&mut self, sc: &Scope) -> (E, E) {
        let v = self.leaf(sc, &[]);
        let v = self.varying(sc, v);
        // Where it holds, the value is at least as large as this.
        let least = 0.37;
        let text = format!("{} > {least}", v.at(level::SUM));
        let holds = E::new(text, level::COMPARE).typed(v.names.clone(), vec![]);
        let (text, mag, err) = match self.rng.below(4) {
            0 => (format!("log({})", v.text), 1.0f64.max(v.mag.ln_1p()), v.err / least + 2.0),
            1 => (format!("sqrt({})", v.text), 1.0 + v.mag.sqrt(), v.err + 2.0),
            2 => (format!("(1 / {})", v.at(level::POWER)), 1.0 / least, v.err / (least * least) + 4.0),
            _ => (format!("exp(-400 * {})", v.at(level::POWER)), 1.0, v.err + 2.0),
        };
        (holds, E::new(text, level::POSTFIX).typed(v.names, vec![]).bounded(mag, err))
    }

    /// Makes sure that two sides are not one value, which would not vary with the condition.
    pub fn unlike(&mut self, sc: &Scope, a: &E, b: &mut E) {
        if a.text == b.text || !Self::varies(sc, a) && !Self::varies(sc, b) {
            let more = self.varying(sc, E::new("0.5", level::POSTFIX));
            let text = format!("{} + 0.1 * {}", b.at(level::SUM), more.at(level::POWER));
            *b = E { text, level: level::SUM, names: union(&b.names, &more.names), err: b.err + more.err, ..b.clone() };
        }
    }

    /// A truth value, one for each example.
    pub fn truth(&mut self, sc: &Scope, depth: usize) -> E {
        let d = depth.saturating_sub(1);
        let bools: Vec<_> = sc
            .vars
            .iter()
            .filter(|v| matches!(v.kind, Kind::Bool) && v.sizes.is_empty() && v.names.is_subset(&sc.allowed))
            .cloned()
            .collect();
        if !bools.is_empty() && self.rng.chance(30) {
            let v = self.rng.pick(&bools).clone();
            return E::new(v.text, level::POSTFIX).typed(v.names, vec![]);
        }
        match self.rng.below(if depth == 0 { 3 } else { 6 }) {
            0 | 1 => {
                let (a, b) = (self.expr(sc, &[], d), self.number());
                let a = self.varying(sc, a);
                let op = *self.rng.pick(&["<", ">", "<=", ">="]);
                // A number that no value hits by accident.
                let text = format!("{} {op} {} * 0.37", a.at(level::SUM), b.text);
                E::new(text, level::COMPARE).typed(a.names, vec![])
            }
            2 => self.index_truth(sc),
            3 => {
                let a = self.truth(sc, d);
                E { text: format!("not {}", a.at(level::NOT)), level: level::NOT, ..a }
            }
            n => {
                let (a, b) = (self.truth(sc, d), self.truth(sc, d));
                let (op, l) = if n == 4 { ("and", level::AND) } else { ("or", level::OR) };
                E::new(format!("{} {op} {}", a.at(l), b.at(l + 1)), l).typed(union(&a.names, &b.names), vec![])
            }
        }
    }

    /// Something was not written after all: whether an index stands bare is not known any more.
    pub fn forget(sc: &Scope) {
        sc.indices.iter().for_each(|i| i.said.set(true));
    }

    /// An expression that is not known when it is compiled: a condition on one would leave a side out.
    pub(super) fn varying(&mut self, sc: &Scope, e: E) -> E {
        if Self::varies(sc, &e) {
            return e;
        }
        Self::forget(sc);
        let vars: Vec<_> =
            sc.vars.iter().filter(|v| matches!(v.kind, Kind::Float) && !sc.known.contains(&v.text)).cloned().collect();
        self.some(&vars).cloned().and_then(|v| self.read(sc, &v, 0)).unwrap_or(e)
    }

    /// Whether an expression mentions a value that is not known when it is compiled.
    pub fn varies(sc: &Scope, e: &E) -> bool {
        let words = |text: &str| {
            text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '\'')).map(String::from).collect::<Vec<_>>()
        };
        let said = words(&e.text);
        sc.vars.iter().any(|v| words(&v.text).first().is_some_and(|w| said.contains(w) && !sc.known.contains(w)))
    }

    /// A comparison of indices, or of whole numbers.
    pub fn index_truth(&mut self, sc: &Scope) -> E {
        let op = *self.rng.pick(&["<", ">", "<=", ">=", "==", "!="]);
        if let Some(a) = self.some(&sc.indices).cloned() {
            if let Some(b) = self.some(&sc.indices).filter(|_| self.rng.chance(60)).cloned()
                && a.name != b.name
            {
                let names = Names::from([a.name.clone(), b.name.clone()]);
                return E::new(format!("{} {op} {}", a.name, b.name), level::COMPARE).typed(names, vec![]);
            }
            let n = self.rng.below(3);
            let text = if self.rng.chance(30) { format!("{} mod 2 {op} {n}", a.name) } else { format!("{} {op} {n}", a.name) };
            return E::new(text, level::COMPARE).typed(Names::from([a.name]), vec![]);
        }
        let ints: Vec<_> = sc
            .vars
            .iter()
            .filter(|v| matches!(v.kind, Kind::Int(_)) && v.sizes.is_empty() && v.names.is_subset(&sc.allowed))
            .filter(|v| !sc.known.contains(&v.text))
            .cloned()
            .collect();
        if let Some(v) = self.some(&ints) {
            let n = self.rng.below(3);
            return E::new(format!("{} {op} {n}", v.text), level::COMPARE).typed(v.names.clone(), vec![]);
        }
        let n = self.rng.below(2);
        let a = self.leaf(sc, &[]);
        let a = self.varying(sc, a);
        E::new(format!("{} {op} {n}.125", a.at(level::SUM)), level::COMPARE).typed(a.names, vec![])
    }
}
