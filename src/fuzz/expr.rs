//! Expressions of a wanted type: operators, functions, lists, slices, conditions, calls.

use super::Gen;
use super::scope::{E, Kind, Names, Scope, Size, level, same, union};

/// Beyond these an expression is made smaller.
const MAG: f64 = 12.0;
const ERR: f64 = 400.0;

/// A left factor: a reduction would take what follows, too.
fn factor(e: &E) -> String {
    if e.level == level::UNARY { e.at(level::POWER) } else { e.at(level::PRODUCT) }
}

impl Gen {
    /// A number as text.
    pub fn number(&mut self) -> E {
        let texts = ["0.5", "1", "2", "0.25", "1.5", "0.1", "3", "1e-1", "0.75", "0"];
        let text = *self.rng.pick(&texts);
        let value: f64 = text.parse().expect("a number");
        E::new(text, level::POSTFIX).bounded(value, 1.0)
    }

    /// A float of these sizes (or of none, which is as good in an operator, where `loose`), its names among those allowed.
    pub fn expr(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> E {
        let e = self.any(sc, sizes, depth);
        debug_assert!(same(&e.sizes, sizes), "{} for {sizes:?}", e.text);
        self.tame(e)
    }

    /// The other side of an operator: often of the same sizes, sometimes one number.
    fn side(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> E {
        if !sizes.is_empty() && self.rng.chance(25) { self.expr(sc, &[], depth) } else { self.expr(sc, sizes, depth) }
    }

    /// Keeps values where f32 is sane.
    pub fn tame(&mut self, e: E) -> E {
        if e.mag <= MAG && e.err <= ERR {
            return e;
        }
        let factor = if e.err > ERR { "0.01" } else { "0.1" };
        let f: f64 = factor.parse().expect("a number");
        let (mag, err) = ((e.mag * f).min(1.0), (e.err * f + 2.0).min(ERR));
        let text = format!("tanh({factor} * {})", e.at(level::UNARY));
        E { text, level: level::POSTFIX, mag, err, ..e }
    }

    fn any(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> E {
        if depth == 0 {
            return self.leaf(sc, sizes);
        }
        let d = depth - 1;
        match self.rng.below(34) {
            0..=3 => self.leaf(sc, sizes),
            4..=7 => self.function(sc, sizes, d),
            8..=14 => self.operator(sc, sizes, d),
            15..=18 => self.reduction(sc, sizes, d),
            19 => self.condition(sc, sizes, d),
            20..=22 => match self.call(sc, sizes, d) {
                Some(e) => e,
                None => {
                    Self::forget(sc);
                    self.operator_or_leaf(sc, sizes, d)
                }
            },
            23 => self.ordered(sc, sizes, d),
            24 | 25 => self.product(sc, sizes, d),
            26 => self.joined(sc, sizes, d),
            27 => self.slice(sc, sizes),
            28 => self.turned(sc, sizes, d),
            29 => self.softmax(sc, sizes, d),
            30 => {
                let c = self.truth(sc, d);
                let e = E::new(format!("number({})", c.text), level::POSTFIX).typed(c.names, vec![]);
                self.filled(sc, e, sizes)
            }
            31 => self.counted(sc, sizes),
            _ => self.operator(sc, sizes, d),
        }
    }

    fn operator_or_leaf(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> E {
        if self.rng.chance(50) { self.operator(sc, sizes, depth) } else { self.leaf(sc, sizes) }
    }

    /// One number made as long as wanted by an operator with something that long.
    pub(super) fn filled(&mut self, sc: &Scope, e: E, sizes: &[Size]) -> E {
        if sizes.is_empty() {
            return e;
        }
        let other = self.leaf(sc, sizes);
        self.binary(e, other, "+")
    }

    pub fn binary(&mut self, a: E, b: E, op: &str) -> E {
        let own = if op == "+" || op == "-" { level::SUM } else { level::PRODUCT };
        let text = if own == level::SUM {
            format!("{} {op} {}", a.at(own), b.at(own + 1))
        } else {
            format!("{} {op} {}", factor(&a), b.at(level::POWER))
        };
        let sizes = if a.sizes.is_empty() { b.sizes.clone() } else { a.sizes.clone() };
        let (mag, err) = if op == "*" {
            (a.mag * b.mag, a.mag * b.err + b.mag * a.err + a.mag * b.mag)
        } else {
            (a.mag + b.mag, a.err + b.err + a.mag + b.mag)
        };
        E::new(text, own).typed(union(&a.names, &b.names), sizes).bounded(mag, err)
    }

    fn operator(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> E {
        let a = self.expr(sc, sizes, depth);
        match self.rng.below(12) {
            0..=7 => {
                let less = self.rng.below(2);
                let b = self.side(sc, sizes, depth.saturating_sub(less));
                let op = *self.rng.pick(&["+", "-", "*", "*"]);
                if self.rng.chance(50) { self.binary(a, b, op) } else { self.binary(b, a, op) }
            }
            8 => {
                let b = self.side(sc, sizes, depth);
                let text = format!("{} / (1 + {} ^ 2)", factor(&a), b.at(level::POSTFIX));
                let sizes = if a.sizes.is_empty() { b.sizes.clone() } else { a.sizes.clone() };
                let err = a.err + a.mag * (b.err + 2.0);
                E::new(text, level::PRODUCT).typed(union(&a.names, &b.names), sizes).bounded(a.mag, err)
            }
            9 => {
                let text = format!("{} ^ 2", a.at(level::POSTFIX));
                let (mag, err) = (a.mag * a.mag, 2.0 * a.mag * a.err + a.mag * a.mag);
                E { text, level: level::POWER, mag, err, ..a }
            }
            10 if self.rng.chance(40) => self.angle(sc, a, sizes, depth),
            10 => E { text: format!("-{}", a.at(level::UNARY)), level: level::UNARY, ..a },
            _ => {
                let b = self.side(sc, sizes, depth);
                let f = *self.rng.pick(&["max", "min"]);
                let sizes = if a.sizes.is_empty() { b.sizes.clone() } else { a.sizes.clone() };
                E::new(format!("{f}({}, {})", a.text, b.text), level::POSTFIX)
                    .typed(union(&a.names, &b.names), sizes)
                    .bounded(a.mag.max(b.mag), a.err.max(b.err))
            }
        }
    }

    /// `atan2(a, 1 + b ^ 2)`, `atan(a)`, `clamp(a, -0.5, 0.5)`: an angle in front of the axis, which does not jump.
    fn angle(&mut self, sc: &Scope, a: E, sizes: &[Size], depth: usize) -> E {
        match self.rng.below(3) {
            0 => {
                let b = self.side(sc, sizes, depth);
                let text = format!("atan2({}, 1 + {} ^ 2)", a.text, b.at(level::POSTFIX));
                let sizes = if a.sizes.is_empty() { b.sizes.clone() } else { a.sizes.clone() };
                let err = a.err + 2.0 * b.err + 4.0;
                E::new(text, level::POSTFIX).typed(union(&a.names, &b.names), sizes).bounded(1.6, err)
            }
            1 => E { text: format!("atan({})", a.text), level: level::POSTFIX, mag: 1.6, err: a.err + 2.0, ..a },
            _ => E { text: format!("clamp({}, -0.5, 0.75)", a.text), level: level::POSTFIX, mag: a.mag.min(0.75), ..a },
        }
    }

    fn function(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> E {
        let a = self.expr(sc, sizes, depth);
        let words = ["tanh", "sigmoid", "relu", "softplus", "sin", "cos", "abs", "erf", "exp", "log", "sqrt", "step"];
        let word = *self.rng.pick(&words);
        let (mag, err) = match word {
            "tanh" | "sin" | "cos" | "erf" => (1.0, a.err * 1.2 + 2.0),
            "sigmoid" => (1.0, a.err + 2.0),
            "softplus" => (a.mag + 1.0, a.err + a.mag + 2.0),
            "relu" | "abs" => (a.mag, a.err),
            "exp" if a.mag < 3.0 => (a.mag.exp(), a.mag.exp() * (a.err + 2.0)),
            "log" => (7.0f64.max(2.0 * (a.mag + 1.0).ln()), 32.0 * a.err + 8.0),
            "sqrt" => (a.mag + 1.0, a.err + a.mag + 2.0),
            _ => (1.0, 1.0),
        };
        let text = match word {
            "log" => format!("log(1e-3 + {} ^ 2)", a.at(level::POSTFIX)),
            "sqrt" => format!("sqrt(1 + {} ^ 2)", a.at(level::POSTFIX)),
            "exp" if a.mag >= 3.0 => {
                let text = format!("exp(-{} ^ 2)", a.at(level::POSTFIX));
                return E { text, level: level::POSTFIX, mag: 1.0, err: a.err + 2.0, ..a };
            }
            "step" => {
                let word = *self.rng.pick(&["floor", "ceil", "round", "sign"]);
                let text = format!("{word}({})", a.text);
                return E { text, level: level::POSTFIX, mag: a.mag + 1.0, err: 1.0, ..a };
            }
            _ if self.rng.chance(15) => {
                let text = format!("{} |> {word}", a.at(level::OR));
                return E { text, level: level::PIPE, mag, err, ..a };
            }
            _ => format!("{word}({})", a.text),
        };
        E { text, level: level::POSTFIX, mag, err, ..a }
    }

    /// One of a list, if there is one.
    pub fn some<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        if list.is_empty() { None } else { Some(self.rng.pick(list)) }
    }

    /// `softmax(v)`, `cumsum(v)`, `sort(v)`
    fn ordered(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> E {
        let [n] = sizes else { return self.operator(sc, sizes, depth) };
        let a = self.expr(sc, sizes, depth);
        match self.rng.below(4) {
            0 => E {
                text: format!("cumsum({})", a.text),
                level: level::POSTFIX,
                mag: a.mag * n.guess(),
                err: n.guess() * (a.err + a.mag),
                ..a
            },
            1 => E { text: format!("sort({})", a.text), level: level::POSTFIX, ..a },
            2 => E { text: format!("number(argsort({}))", a.text), level: level::POSTFIX, mag: n.guess(), err: 0.0, ..a },
            _ => E { text: format!("softmax({})", a.text), level: level::POSTFIX, mag: 1.0, err: 2.0 * a.err + 4.0, ..a },
        }
    }

    /// `v @ w`
    fn product(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> E {
        let Some(last) = sizes.last() else { return self.inner_product(sc, depth) };
        let fits: Vec<_> = sc
            .vars
            .iter()
            .filter(|v| matches!(v.kind, Kind::Float) && v.names.is_subset(&sc.allowed))
            .filter(|v| v.sizes.len() == 2 && v.sizes[1].same(last))
            .cloned()
            .collect();
        let Some(w) = self.some(&fits).cloned() else { return self.operator(sc, sizes, depth) };
        let mut left = sizes.to_vec();
        *left.last_mut().expect("not empty") = w.sizes[0].clone();
        let a = self.expr(sc, &left, depth);
        let n = w.sizes[0].guess();
        let (mag, err) = (n * a.mag * w.mag, n * (a.err * w.mag + a.mag * w.err + 2.0 * a.mag * w.mag));
        E::new(format!("{} @ {}", factor(&a), w.text), level::PRODUCT)
            .typed(union(&a.names, &w.names), sizes.to_vec())
            .bounded(mag, err)
    }

    fn inner_product(&mut self, sc: &Scope, depth: usize) -> E {
        let fits: Vec<Size> = sc.vars.iter().filter(|v| v.sizes.len() == 1).map(|v| v.sizes[0].clone()).collect();
        let Some(n) = self.some(&fits).cloned() else { return self.leaf(sc, &[]) };
        let list = [n.clone()];
        let (a, b) = (self.expr(sc, &list, depth), self.expr(sc, &list, 0));
        let (mag, err) = (n.guess() * a.mag * b.mag, n.guess() * (a.err * b.mag + a.mag * b.err + 2.0 * a.mag * b.mag));
        E::new(format!("{} @ {}", factor(&a), b.at(level::POWER)), level::PRODUCT)
            .typed(union(&a.names, &b.names), vec![])
            .bounded(mag, err)
    }

    /// Lists, `concat`, `stack`.
    fn joined(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> E {
        let Some(n) = sizes.first().and_then(Size::known).filter(|n| *n >= 1) else {
            return self.operator(sc, sizes, depth);
        };
        let rest = &sizes[1..];
        let parts: Vec<E>;
        let text;
        if n <= 3 && self.rng.chance(60) {
            parts = (0..n).map(|_| self.expr(sc, rest, depth)).collect();
            let list = parts.iter().map(|p| p.text.clone()).collect::<Vec<_>>().join(", ");
            text = if rest.is_empty() && self.rng.chance(70) { format!("[{list}]") } else { format!("stack({list})") };
        } else {
            let cut = self.rng.below(n as usize + 1) as i64;
            let cuts = if self.rng.chance(20) { vec![cut, 0, n - cut] } else { vec![cut, n - cut] };
            let mut list = vec![];
            for c in cuts {
                let own: Vec<Size> = std::iter::once(Size::of(c)).chain(rest.iter().cloned()).collect();
                // Something of this very length must be there.
                let fits = sc.vars.iter().any(|v| {
                    matches!(v.kind, Kind::Float)
                        && v.names.is_subset(&sc.allowed)
                        && v.sizes.len() == own.len()
                        && same(&v.sizes[1..], rest)
                        && v.sizes[0].known().is_some_and(|k| k >= c)
                });
                if !fits {
                    return self.operator(sc, sizes, depth);
                }
                list.push(self.slice(sc, &own));
            }
            parts = list;
            text = format!("concat({})", parts.iter().map(|p| p.text.clone()).collect::<Vec<_>>().join(", "));
        }
        let names = parts.iter().fold(Names::new(), |n, p| union(&n, &p.names));
        let mag = parts.iter().map(|p| p.mag).fold(0.0, f64::max);
        let err = parts.iter().map(|p| p.err).fold(0.0, f64::max);
        E::new(text, level::POSTFIX).typed(names, sizes.to_vec()).bounded(mag, err)
    }

    /// `v[a..b]`
    fn slice(&mut self, sc: &Scope, sizes: &[Size]) -> E {
        let Some(n) = sizes.first().and_then(Size::known) else { return self.leaf(sc, sizes) };
        let fits: Vec<_> = sc
            .vars
            .iter()
            .filter(|v| matches!(v.kind, Kind::Float) && v.names.is_subset(&sc.allowed) && v.sizes.len() == sizes.len())
            .filter(|v| same(&v.sizes[1..], &sizes[1..]) && v.sizes[0].known().is_some_and(|k| k >= n))
            .cloned()
            .collect();
        let Some(v) = self.some(&fits).cloned() else { return self.leaf(sc, sizes) };
        let room = v.sizes[0].known().unwrap_or(n) - n;
        let from = self.rng.below(room as usize + 1) as i64;
        E::new(format!("{}[{from}..{}]", v.text, from + n), level::POSTFIX).typed(v.names, sizes.to_vec()).bounded(v.mag, v.err)
    }

    /// `transpose(m)`
    fn turned(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> E {
        match sizes {
            [a, b] => {
                let e = self.expr(sc, &[b.clone(), a.clone()], depth);
                E { text: format!("transpose({})", e.text), level: level::POSTFIX, sizes: sizes.to_vec(), ..e }
            }
            [n] if n.known().is_some() => {
                let fits: Vec<_> = sc
                    .vars
                    .iter()
                    .filter(|v| matches!(v.kind, Kind::Float) && v.names.is_subset(&sc.allowed) && v.sizes.len() == 2)
                    .filter(
                        |v| matches!((v.sizes[0].known(), v.sizes[1].known()), (Some(a), Some(b)) if Some(a * b) == n.known()),
                    )
                    .cloned()
                    .collect();
                let Some(v) = self.some(&fits).cloned() else { return self.operator(sc, sizes, depth) };
                let e = self.expr(sc, &v.sizes, depth);
                E { text: format!("flatten({})", e.text), level: level::POSTFIX, sizes: sizes.to_vec(), ..e }
            }
            _ => self.operator(sc, sizes, depth),
        }
    }

    /// `count[t]` as a number, made small.
    fn counted(&mut self, sc: &Scope, sizes: &[Size]) -> E {
        let dims: Vec<_> = sc.dims.iter().map(|d| d.name.clone()).collect();
        let Some(t) = self.some(&dims).cloned() else { return self.leaf(sc, sizes) };
        let e = E::new(format!("count[{t}] / 4"), level::PRODUCT).bounded(5.0, 5.0);
        self.filled(sc, e, sizes)
    }
}
