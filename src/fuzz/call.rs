//! Calls of nets and functions, mixtures, routes.

use super::Gen;
use super::scope::{Callable, Dim, E, Kind, Names, Scope, Size, Var, level, same, union};

impl Gen {
    /// A call whose result has these sizes.
    pub fn call(&mut self, sc: &Scope, sizes: &[Size], depth: usize) -> Option<E> {
        let fits: Vec<Callable> = sc
            .calls
            .iter()
            .filter(|c| c.results.len() == 1 && c.names.is_subset(&sc.allowed) && self.mode(sc, c, 0, sizes).is_some())
            .cloned()
            .collect();
        let c = self.some(&fits)?.clone();
        self.call_of(sc, &c, 0, sizes, depth)
    }

    /// Whether the names of a signature take sized axes (`Some(true)`), or names.
    fn mode(&self, sc: &Scope, c: &Callable, field: usize, sizes: &[Size]) -> Option<bool> {
        let (_, names, own) = &c.results[field];
        let taken: Names = c.args.iter().fold(Names::new(), |n, a| union(&n, &a.0));
        if taken.is_empty() {
            return same(own, sizes).then_some(false);
        }
        let visible = taken.iter().all(|n| sc.dim(n).is_some() && !sc.rounds.contains(n));
        if visible && same(own, sizes) && names.is_subset(&sc.allowed) && taken.is_disjoint(&c.names) {
            return Some(false);
        }
        // A sized axis in the place of the one name.
        // A dim of known length takes no other.
        let free = taken.iter().all(|n| !matches!(self.dims.iter().find(|d| d.name == *n), Some(Dim { size: Some(_), .. })));
        (free && taken.len() == 1 && names == &taken && sizes.len() == own.len() + 1 && same(own, &sizes[1..])).then_some(true)
    }

    fn call_of(&mut self, sc: &Scope, c: &Callable, field: usize, sizes: &[Size], depth: usize) -> Option<E> {
        let sized = self.mode(sc, c, field, sizes)?;
        self.called = true;
        let taken: Names = c.args.iter().fold(Names::new(), |n, a| union(&n, &a.0));
        let mut names = c.names.clone();
        let mut args = vec![];
        let mut err = c.err;
        let mut inner = sc.clone();
        for n in &taken {
            if sized {
                inner.allowed.remove(n);
                // Its own axis of that name would be taken instead.
                inner.vars.retain(|v| !v.names.contains(n));
                inner.indices.retain(|i| i.name != *n);
            } else {
                if inner.indices.iter().any(|i| i.name == *n) {
                    return None;
                }
                inner.allowed.insert(n.clone());
            }
        }
        for (own, shape) in &c.args {
            let mut want = shape.clone();
            if sized && !own.is_empty() {
                want.insert(0, sizes[0].clone());
            }
            self.called = false;
            let mut e = self.expr(&inner, &want, depth.min(1));
            // A call in it may lack names of what its net does not use.
            let loose = std::mem::replace(&mut self.called, true);
            if !sized && !own.is_empty() && (loose || !own.is_subset(&e.names)) {
                let fits: Vec<_> = inner
                    .vars
                    .iter()
                    .filter(|v| {
                        matches!(v.kind, Kind::Float)
                            && own.is_subset(&v.names)
                            && same(&v.sizes, &want)
                            && v.names.is_subset(&inner.allowed)
                    })
                    .cloned()
                    .collect();
                let v = self.some(&fits)?.clone();
                // What stood bare in the first try does not stand there any more.
                Self::forget(sc);
                e = E::new(v.text, level::POSTFIX).typed(v.names, v.sizes).bounded(v.mag, v.err);
            }
            if e.mag > 4.0 {
                e = E { text: format!("tanh({})", e.text), level: level::POSTFIX, mag: 1.0, err: e.err + 2.0, ..e };
            }
            // A name of the signature that an argument has without being asked for it is another axis: none of those here.
            if !sized && !taken.is_subset(own) && e.names.iter().any(|n| taken.contains(n) && !own.contains(n)) {
                return None;
            }
            names = union(&names, &e.names);
            err += 3.0 * e.err;
            args.push(e);
        }
        if c.lifted {
            let more = self.lifting(&inner, &taken)?;
            if !sized && more.names.iter().any(|n| taken.contains(n) && !c.args[0].0.contains(n)) {
                return None;
            }
            let first = &mut args[0];
            names = union(&names, &more.names);
            first.text = format!("tanh({} + 0.1 * {})", first.at(level::SUM), more.at(level::POWER));
            first.level = level::POSTFIX;
        }
        for n in &taken {
            names.remove(n);
        }
        if !sized {
            names = union(&names, &c.results[field].1);
        }
        let mut text = c.text.clone();
        if let Some(n) = &c.array {
            let (at, more) = self.array_index(sc, n)?;
            // The net would be lifted over an axis that it also takes.
            if !more.is_disjoint(&taken) {
                return None;
            }
            text = if text.contains("[]") { text.replace("[]", &format!("[{at}]")) } else { format!("{text}[{at}]") };
            names = union(&names, &more);
        }
        if !sized {
            text = self.given(text, &taken);
        }
        let piped = args.len() == 1 && self.rng.chance(15) && c.array.is_none();
        let (text, level) = if piped {
            (format!("{} |> {text}", args[0].at(level::OR)), level::PIPE)
        } else {
            (format!("{text}({})", args.iter().map(|a| a.text.clone()).collect::<Vec<_>>().join(", ")), level::POSTFIX)
        };
        Some(E::new(text, level).typed(names, sizes.to_vec()).bounded(c.mag, err.min(1e6)))
    }

    /// The axes that a call gives: those that its file declares need not be, for they are found by name.
    fn given(&mut self, text: String, taken: &Names) -> String {
        let known = |g: &Gen, n: &str| g.dims.iter().any(|d| d.name == n);
        let given: Vec<String> =
            taken.iter().filter(|n| !known(self, n) || self.rng.chance(25)).map(|n| format!("{n} = {n}")).collect();
        match (given.is_empty(), text.strip_suffix(']')) {
            (true, _) => text,
            (false, Some(open)) => format!("{open}, {}]", given.join(", ")),
            (false, None) => format!("{text}[{}]", given.join(", ")),
        }
    }

    /// A number that varies over an axis which a net, called here, is lifted over.
    fn lifting(&mut self, sc: &Scope, taken: &Names) -> Option<E> {
        let fits: Vec<Var> = sc
            .vars
            .iter()
            .filter(|v| matches!(v.kind, Kind::Float))
            .filter(|v| if sc.net { v.text == "x" } else { !v.names.is_empty() && v.names.is_disjoint(taken) })
            .cloned()
            .collect();
        let v = self.some(&fits)?.clone();
        // In a net it is the net's own argument: then its callers see to it.
        self.lifted |= sc.net;
        let e = self.read(sc, &v, 0)?;
        (sc.net || e.names.iter().any(|n| sc.dim(n).is_some() && !taken.contains(n))).then_some(e)
    }

    /// Which net of an array.
    fn array_index(&mut self, sc: &Scope, n: &Size) -> Option<(String, Names)> {
        let bare: Vec<_> =
            sc.indices.iter().filter(|i| matches!(&i.range, super::scope::Range::Size(s) if s.same(n))).cloned().collect();
        if let Some(i) = self.some(&bare) {
            i.bare.set(true);
            return Some((i.name.clone(), Names::from([i.name.clone()])));
        }
        let ints: Vec<_> = sc
            .vars
            .iter()
            .filter(|v| {
                matches!(&v.kind, Kind::Int(Some(b)) if b.same(n)) && v.sizes.is_empty() && v.names.is_subset(&sc.allowed)
            })
            .cloned()
            .collect();
        if let Some(v) = self.some(&ints).cloned()
            && self.rng.chance(60)
        {
            return Some((v.text, v.names));
        }
        let known = n.known()?;
        (known > 0).then(|| (self.rng.below(known as usize).to_string(), Names::new()))
    }

    /// `blend(expert, p)(x)` or `route x over expert at idx by w`, as the value of a `let`; statements before it go to the block.
    pub fn mixture(&mut self, sc: &Scope) -> Option<E> {
        let fits: Vec<Callable> = sc
            .calls
            .iter()
            .filter(|c| c.results.len() == 1 && c.array.is_some() && !c.text.contains("[]"))
            .filter(|c| {
                c.args.len() == 1 && c.args[0].0.is_empty() && c.results[0].1.is_empty() && c.names.is_subset(&sc.allowed)
            })
            .cloned()
            .collect();
        let c = self.some(&fits)?.clone();
        self.called = true;
        let n = c.array.clone()?;
        let sizes = c.results[0].2.clone();
        let mut x = self.expr(sc, &c.args[0].1, 1);
        if x.mag > 4.0 {
            x = E { text: format!("tanh({})", x.text), level: level::POSTFIX, mag: 1.0, ..x };
        }
        if c.lifted {
            let more = self.lifting(sc, &Names::new())?;
            let text = format!("tanh({} + 0.1 * {})", x.at(level::SUM), more.at(level::POWER));
            x = E { text, level: level::POSTFIX, names: union(&x.names, &more.names), ..x };
        }
        let score = self.expr(sc, std::slice::from_ref(&n), 1);
        let names = union(&c.names, &union(&x.names, &score.names));
        let err = c.err + 3.0 * x.err + 3.0 * score.err;
        if self.rng.chance(35) {
            let text = format!("blend({}, softmax({}))({})", c.text, score.text, x.text);
            return Some(E::new(text, level::POSTFIX).typed(names, sizes).bounded(c.mag, err));
        }
        let k = n.known().map_or(1, |n| 1 + self.rng.below((n as usize).min(2)));
        let id = self.fresh();
        let (at, by);
        let single: Vec<_> = sc
            .vars
            .iter()
            .filter(|v| {
                matches!(&v.kind, Kind::Int(Some(b)) if b.same(&n)) && v.sizes.is_empty() && v.names.is_subset(&sc.allowed)
            })
            .cloned()
            .collect();
        let mut names = names;
        if let Some(v) = self.some(&single).cloned()
            && self.rng.chance(30)
        {
            at = v.text;
            names = union(&union(&c.names, &x.names), &v.names);
            let w = self.expr(sc, &[], 1);
            names = union(&names, &w.names);
            by = w.at(level::SUM);
        } else {
            self.hoist(format!("let pick{id} = top_k({}, {k})", score.text));
            at = format!("pick{id}.index");
            by = match self.rng.below(3) {
                0 => format!("softmax(pick{id}.value)"),
                1 => format!("tanh(pick{id}.value)"),
                _ => format!("sigmoid(pick{id}.value) / {k}"),
            };
        }
        let x = x.text;
        let mut text = format!("route {x} over {} at {at} by {by}", c.text);
        if self.rng.chance(65) {
            let factor = *self.rng.pick(&["1", "1.25", "0.5", "2", "0.3", "0"]);
            let axes = if sc.net {
                vec!["*".to_string()]
            } else {
                sc.dims.iter().map(|d| d.name.clone()).filter(|n| names.contains(n)).collect()
            };
            if !axes.is_empty() && (!sc.net || sc.indices.is_empty()) {
                self.lifted |= sc.net;
                text.push_str(&format!(" {{ capacity: {factor} per [{}] }}", axes.join(", ")));
            }
        }
        Some(E::new(text, level::OR).typed(names, sizes).bounded(3.0 * c.mag, err))
    }
}
