//! Statements in index notation: `let w[i, t] = ..`, axes merged and cut.

use super::Gen;
use super::scope::{E, Index, Kind, Range, Scope, Size, Var};
use std::cell::Cell;
use std::rc::Rc;

impl Gen {
    /// `let w[i, t] = ..`
    pub fn indexed(&mut self, sc: &mut Scope, depth: usize) -> Vec<String> {
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
    pub fn merged(&mut self, sc: &mut Scope, depth: usize) -> Vec<String> {
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

    /// `let v[i < 2, j] = x[(i, j)]`: an axis cut in two, and perhaps made whole again.
    pub fn split(&mut self, sc: &mut Scope) -> Vec<String> {
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
}
