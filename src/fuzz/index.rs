//! Index notation: reads of values, binders, reductions.

use super::Gen;
use super::scope::{E, Index, Kind, Names, Range, Scope, Size, Var, level, same, union};
use std::cell::Cell;
use std::rc::Rc;

impl Gen {
    /// A value, a read of one, or a number.
    pub fn leaf(&mut self, sc: &Scope, sizes: &[Size]) -> E {
        let n = sizes.len();
        let fits: Vec<Var> = sc
            .vars
            .iter()
            .filter(|v| matches!(v.kind, Kind::Float) && v.sizes.len() >= n && same(&v.sizes[v.sizes.len() - n..], sizes))
            .cloned()
            .collect();
        // Values that can be read with the indices at hand come first.
        let near: Vec<Var> = fits.iter().filter(|v| v.sizes.len() == n || !sc.indices.is_empty()).cloned().collect();
        let list = if !near.is_empty() && self.rng.chance(85) { near } else { fits };
        let literal = n == 0 && self.rng.chance(12);
        if !list.is_empty() && !literal {
            let v = self.rng.pick(&list).clone();
            if let Some(e) = self.read(sc, &v, n) {
                return e;
            }
        }
        if n > 0 {
            return self.constant(sc, sizes);
        }
        if let Some(i) = self.some(&sc.indices).cloned()
            && self.rng.chance(30)
        {
            let divide = self.rng.chance(50);
            let text = if divide { format!("{} / 4", i.name) } else { format!("number({})", i.name) };
            let level = if divide { level::PRODUCT } else { level::POSTFIX };
            return E::new(text, level).typed(Names::from([i.name]), vec![]).bounded(6.0, 6.0);
        }
        if let Some(l) = self.some(&sc.counters).cloned()
            && self.rng.chance(40)
        {
            return E::new(format!("{l} / 4"), level::PRODUCT).bounded(5.0, 5.0);
        }
        self.number()
    }

    /// Something of these sizes from nothing.
    fn constant(&mut self, sc: &Scope, sizes: &[Size]) -> E {
        let scalars: Vec<Var> = sc
            .vars
            .iter()
            .filter(|v| matches!(v.kind, Kind::Float) && v.sizes.is_empty() && v.names.is_subset(&sc.allowed))
            .cloned()
            .collect();
        let name = format!("k{}", self.fresh());
        let binders: Vec<String> = sizes.iter().enumerate().map(|(i, s)| format!("{name}_{i} < {}", s.text())).collect();
        let indices: Vec<String> = (0..sizes.len()).map(|i| format!("{name}_{i}")).collect();
        let (text, names) = match self.some(&scalars) {
            Some(v) => (format!("{} * ({} + 1) / 4", v.text, indices[0]), v.names.clone()),
            None => (format!("({} + 1) / 4", indices.join(" + ")), Names::new()),
        };
        self.hoist(format!("let {name}[{}] = {text}", binders.join(", ")));
        E::new(name, level::POSTFIX).typed(names, sizes.to_vec()).bounded(4.0, 4.0)
    }

    /// `v[..]` with `keep` sizes left; `None` when it cannot be read here.
    pub fn read(&mut self, sc: &Scope, v: &Var, keep: usize) -> Option<E> {
        let mut indices: Vec<String> = vec![];
        let mut names = v.names.clone();
        let mut fill = false;
        for n in &v.names {
            let copies: Vec<Index> =
                sc.indices.iter().filter(|i| matches!(&i.range, Range::Axis(a) if a == n) && i.name != *n).cloned().collect();
            let free = sc.allowed.contains(n);
            if sc.rounds.contains(n) {
                names.remove(n);
                if self.rng.chance(30) {
                    fill = true;
                    indices.push(format!("{n} - 1"));
                } else {
                    indices.push(n.clone());
                }
                continue;
            }
            let own_index = sc.indices.iter().any(|i| i.name == *n);
            if free && !copies.is_empty() && self.rng.chance(50) || !free && !copies.is_empty() {
                let copy = self.rng.pick(&copies).clone();
                names.remove(n);
                let text = match self.rng.below(8) {
                    0 => {
                        fill = true;
                        format!("{} - 1", copy.name)
                    }
                    1 => {
                        copy.bare.set(true);
                        format!("{n}: {}", copy.name)
                    }
                    _ => {
                        copy.bare.set(true);
                        copy.name.clone()
                    }
                };
                names.insert(copy.name.clone());
                indices.push(text);
            } else if free && (own_index || sc.dim(n).is_some()) && self.rng.chance(12) {
                fill = true;
                let by = self.rng.below(3) + 1;
                let sign = if self.rng.chance(50) { "-" } else { "+" };
                indices.push(format!("{n} {sign} {by}"));
            } else if !free {
                fill = true;
                names.remove(n);
                let at = self.rng.below(3);
                indices.push(format!("{n}: {at}"));
            }
        }
        let lead = v.sizes.len() - keep;
        for s in &v.sizes[..lead] {
            let (text, more, f) = self.index_of(sc, s, &v.names)?;
            names = union(&names, &more);
            fill |= f;
            indices.push(text);
        }
        if indices.is_empty() {
            return Some(E::new(v.text.clone(), level::POSTFIX).typed(names, v.sizes.clone()).bounded(v.mag, v.err));
        }
        let mut text = format!("{}[{}]", v.text, indices.join(", "));
        let mut level = level::POSTFIX;
        if fill {
            text.push_str(if self.rng.chance(70) { " else 0" } else { " else 0.5" });
            level = level::PRODUCT;
        }
        Some(E::new(text, level).typed(names, v.sizes[lead..].to_vec()).bounded(v.mag, v.err))
    }

    /// An index along a sized axis: its text, names that it varies over, whether it may lie outside.
    fn index_of(&mut self, sc: &Scope, s: &Size, home: &Names) -> Option<(String, Names, bool)> {
        let bare: Vec<Index> = sc.indices.iter().filter(|i| matches!(&i.range, Range::Size(n) if n.same(s))).cloned().collect();
        // An index that is spelled like an axis of the value would go home.
        let other: Vec<Index> = sc.indices.iter().filter(|i| !home.contains(i.name.trim_end_matches('\''))).cloned().collect();
        let one = |i: &Index| Names::from([i.name.clone()]);
        if !bare.is_empty() && self.rng.chance(70) {
            let i = self.rng.pick(&bare).clone();
            if self.rng.chance(12) && s.positive() {
                return Some((format!("{} - 1 - {}", s.text(), i.name), one(&i), false));
            }
            i.bare.set(true);
            return Some((i.name.clone(), one(&i), false));
        }
        let ints: Vec<Var> = sc
            .vars
            .iter()
            .filter(|v| matches!(&v.kind, Kind::Int(Some(b)) if b.same(s)) && v.sizes.is_empty())
            .filter(|v| v.names.is_subset(&sc.allowed) && v.names.is_disjoint(home))
            .cloned()
            .collect();
        if let Some(v) = self.some(&ints).cloned()
            && self.rng.chance(50)
        {
            return Some(self.moved(v, s));
        }
        if let Some(i) = self.some(&other).cloned()
            && self.rng.chance(75)
        {
            let by = self.rng.below(3) + 1;
            let names = one(&i);
            return Some(match self.rng.below(5) {
                0 => (format!("{} + {by}", i.name), names, true),
                1 => (format!("{} - {by}", i.name), names, true),
                2 if s.positive() => {
                    // A product binds no tighter than `mod`.
                    let n = if s.factor != 1 && s.formal.is_some() { format!("({})", s.text()) } else { s.text() };
                    (format!("({} + {by}) mod {n}", i.name), names, false)
                }
                3 => (format!("{} div 2", i.name), names, true),
                _ => {
                    let second = self.rng.pick(&other).clone();
                    let text = format!("{} + {} - 1", i.name, second.name);
                    (text, union(&names, &one(&second)), true)
                }
            });
        }
        // Two indices whose ranges multiply to it.
        for a in &other {
            for b in &other {
                if let (Range::Size(m), Range::Size(n)) = (&a.range, &b.range)
                    && let (Some(m), Some(n), Some(s)) = (m.known(), n.known(), s.known())
                    && m * n == s
                    && a.name != b.name
                    && s > 0
                {
                    a.said.set(true);
                    b.said.set(true);
                    return Some((format!("({}, {})", a.name, b.name), union(&one(a), &one(b)), false));
                }
            }
        }
        match s.known() {
            Some(n) if n > 0 => Some((self.rng.below(n as usize).to_string(), Names::new(), false)),
            None if s.positive() => Some(("0".into(), Names::new(), false)),
            _ => Some(("0".into(), Names::new(), true)),
        }
    }

    /// An index that data give, as it is or computed with: kept inside, said what lies outside, or (rarely) neither, where every backend
    /// must say the same of a place that is not there.
    fn moved(&mut self, v: Var, s: &Size) -> (String, Names, bool) {
        let by = self.rng.below(4) as i64 - 1;
        let text = format!("{} + {by}", v.text).replace("+ -", "- ");
        let n = if s.factor != 1 && s.formal.is_some() { format!("({})", s.text()) } else { s.text() };
        // Of a place that a search gave the range is known, and what leaves its axis is a mistake.
        let any = v.text.starts_with("pick");
        let (text, fill) = match self.rng.below(20) {
            0..=1 => (text, true),
            2..=3 if s.positive() => (format!("({text}) mod {n}"), false),
            4..=5 if s.positive() => (format!("min(max({text}, 0), {n} - 1)"), false),
            6..=7 if any => (format!("if {} > 0 {{ {} - 1 }} else {{ {} }}", v.text, v.text, v.text), false),
            8 if any => (text, false),
            _ => (v.text, false),
        };
        (text, v.names, fill)
    }

    /// A fresh index over a size.
    pub fn sized_index(&mut self, s: &Size) -> Index {
        let letters = ["i", "j", "k", "q", "r"];
        let name = format!("{}{}", self.rng.pick(&letters), self.fresh());
        Index { name, range: Range::Size(s.clone()), bare: Rc::default(), said: Rc::default() }
    }

    /// How a binder writes an index after its body is known.
    pub fn binder(&mut self, i: &Index) -> String {
        match &i.range {
            Range::Size(s) if !i.bare.get() || i.said.get() || self.rng.chance(30) => format!("{} < {}", i.name, s.text()),
            Range::Axis(a) if !i.bare.get() || i.said.get() && i.name != *a => format!("{} < count[{a}]", i.name),
            _ => i.name.clone(),
        }
    }

    /// An index over something in scope: a size, an axis that is not in use, or a copy of one that is.
    pub fn some_index(&mut self, sc: &Scope) -> Option<(Index, bool)> {
        let axis = |name: String, of: &str| {
            let bare = Rc::new(Cell::new(name == of));
            Index { name, range: Range::Axis(of.into()), bare, said: Rc::default() }
        };
        if self.rng.chance(40)
            && let Some(d) = self.some(&sc.dims).cloned()
        {
            let taken =
                |n: &str| sc.allowed.contains(n) || sc.rounds.iter().any(|r| r == n) || sc.indices.iter().any(|i| i.name == n);
            if !taken(&d.name) {
                return Some((axis(d.name.clone(), &d.name), d.positive()));
            }
            let copy = format!("{}'", d.name);
            if !taken(&copy) {
                return Some((axis(copy, &d.name), d.positive()));
            }
        }
        let sizes: Vec<Size> = sc.vars.iter().flat_map(|v| v.sizes.iter().cloned()).collect();
        let s = match self.some(&sizes) {
            Some(s) => s.clone(),
            None => Size::of(self.rng.below(3) as i64 + 1),
        };
        let positive = s.positive();
        Some((self.sized_index(&s), positive))
    }

    fn rounds_of(i: &Index) -> f64 {
        match &i.range {
            Range::Size(s) => s.guess().max(1.0),
            Range::Axis(_) => 17.0,
        }
    }

    /// `sum[i where ..] body` and its kin.
    pub fn reduction(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> E {
        if sc.net && self.rng.chance(12) {
            return self.over_all(sc, sizes, depth);
        }
        let Some((i, positive)) = self.some_index(sc) else { return self.leaf(sc, sizes) };
        let mut inner = sc.with(i.clone());
        let mut bound = vec![i];
        let mut positive = positive;
        if self.rng.chance(25)
            && let Some((j, p)) = self.some_index(&inner)
        {
            inner = inner.with(j.clone());
            bound.push(j);
            positive &= p;
        }
        let mut body = self.expr(&inner, sizes, depth);
        let mut filter = None;
        if self.rng.chance(20) {
            let left = if self.rng.chance(50) { Some(self.guarded(&inner)) } else { None };
            filter = Some(match left {
                Some((holds, wild)) => {
                    // In whichever place it stands.
                    let both = if self.rng.chance(50) { self.binary(wild, body, "*") } else { self.binary(body, wild, "*") };
                    body = both;
                    holds
                }
                None => self.index_truth(&inner),
            });
        }
        let count: f64 = bound.iter().map(Self::rounds_of).product();
        let mut names = body.names.clone();
        if let Some(f) = &filter {
            names = union(&names, &f.names);
        }
        let words = ["sum", "sum", "sum", "mean", "max", "min", "prod", "logsumexp", "argmax", "argmin", "any", "all"];
        let mut word = *self.rng.pick(&words);
        let safe = positive && filter.is_none();
        if !safe && !matches!(word, "sum" | "max" | "min" | "any" | "all" | "prod") || word == "prod" && count > 20.0 {
            word = "sum";
        }
        if !sizes.is_empty() && matches!(word, "any" | "all" | "argmax" | "argmin") {
            word = "sum";
        }
        if bound.len() > 1 && matches!(word, "argmax" | "argmin") {
            word = "max";
        }
        for i in &bound {
            names.remove(&i.name);
        }
        let binders: Vec<String> = bound.iter().map(|i| self.binder(i)).collect();
        let filter = filter.map_or(String::new(), |f| format!(" where {}", f.text));
        let head = format!("{word}[{}{filter}]", binders.join(", "));
        let product = body.at(level::PRODUCT);
        let (text, level, mag, err) = match word {
            "sum" => (format!("{head} {product}"), level::UNARY, count * body.mag, count * (body.err + body.mag)),
            "mean" => (format!("{head} {product}"), level::UNARY, body.mag, body.err + 2.0 * body.mag),
            "prod" => {
                let text = format!("{head} (1 + 0.1 * tanh({}))", body.text);
                (text, level::UNARY, 7.0, 7.0 * count * (0.1 * body.err + 1.0))
            }
            "max" | "min" if safe => (format!("{head} {product}"), level::UNARY, body.mag, body.err),
            "max" => (format!("max(-2, {head} {product})"), level::POSTFIX, body.mag.max(2.0), body.err),
            "min" => (format!("min(2, {head} {product})"), level::POSTFIX, body.mag.max(2.0), body.err),
            "logsumexp" => (format!("{head} {product}"), level::UNARY, body.mag + count.ln(), body.err + body.mag + 4.0),
            "argmax" | "argmin" => (format!("number({head} {product})"), level::POSTFIX, count, 0.0),
            _ => (format!("number({head} ({} > 0.3))", body.at(level::SUM)), level::POSTFIX, 1.0, 0.0),
        };
        E::new(text, level).typed(names, sizes.to_vec()).bounded(mag, err)
    }

    /// `mean[*] body`: over all that the net is lifted over, which may be nothing, or have no places.
    fn over_all(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> E {
        let body = self.expr(sc, sizes, depth);
        let product = body.at(level::PRODUCT);
        let (text, level, mag) = match self.rng.below(if sizes.is_empty() { 4 } else { 3 }) {
            0 => (format!("mean[*] {product}"), level::UNARY, body.mag),
            1 => (format!("max(-2, max[*] {product})"), level::POSTFIX, body.mag.max(2.0)),
            2 => (format!("tanh(0.01 * sum[*] {product})"), level::POSTFIX, 1.0),
            _ => (format!("number(any[*] ({} > 0.3))", body.at(level::SUM)), level::POSTFIX, 1.0),
        };
        E { text, level, mag, ..body }
    }

    /// `softmax[i] body`: over an index or name that is open.
    pub fn softmax(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> E {
        let Some(i) = self.some(&sc.indices).cloned() else { return self.reduction(sc, sizes, depth) };
        let body = self.expr(sc, sizes, depth);
        if !body.names.contains(&i.name) {
            return body;
        }
        let (filter, body) = match self.rng.below(8) {
            0 => (format!(" where {} {} 1", i.name, self.rng.pick(&["<=", "!=", ">="])), body),
            1 => {
                let (holds, wild) = self.guarded(sc);
                (format!(" where {}", holds.text), self.binary(wild, body, "*"))
            }
            _ => (String::new(), body),
        };
        // What is left out of a softmax is 0, all of it where nothing is left.
        let text = format!("softmax[{}{filter}] {}", i.name, body.at(level::PRODUCT));
        E::new(text, level::UNARY).typed(body.names, sizes.to_vec()).bounded(1.0, 2.0 * body.err + 4.0)
    }
}
