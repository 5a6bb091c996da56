//! Relations: who generates, adapts, scales, ties, freezes the parameters of a part.

use super::Gen;
use super::nets::{Own, Part};
use super::scope::{Index, Kind, Names, Range, Scope, Size, Var, level, same, union};
use std::cell::Cell;
use std::rc::Rc;

/// A parameter below a part: its path, its sizes, the arrays on the way (`[]` in the path).
pub struct Leaf {
    pub path: String,
    pub sizes: Vec<Size>,
    pub arrays: Vec<Size>,
}

impl Gen {
    /// All parameters below a part.
    pub fn leaves(&self, part: &Part) -> Vec<Leaf> {
        let net = &self.nets[part.net];
        let given: Vec<(String, Size)> = net.formals.iter().cloned().zip(part.actuals.iter().cloned()).collect();
        let root = if part.array.is_some() { format!("{}[]", part.name) } else { part.name.clone() };
        let own: Vec<Size> = part.array.iter().cloned().collect();
        let mut out: Vec<Leaf> = net
            .params
            .iter()
            .map(|(n, s)| Leaf {
                path: format!("{root}.{n}"),
                sizes: s.iter().map(|s| s.with(&given)).collect(),
                arrays: own.clone(),
            })
            .collect();
        for inner in &net.parts {
            let actuals = inner.actuals.iter().map(|s| s.with(&given)).collect();
            for leaf in self.leaves(&Part { actuals, ..inner.clone() }) {
                let arrays = own.iter().cloned().chain(leaf.arrays).collect();
                out.push(Leaf { path: format!("{root}.{}", leaf.path), sizes: leaf.sizes, arrays });
            }
        }
        out
    }

    /// Axes that nets below a part take in their signatures: its parameters cannot vary over these.
    pub fn taken(&self, part: &Part) -> Names {
        let net = &self.nets[part.net];
        let own = net.args.iter().fold(Names::new(), |n, a| union(&n, &a.0));
        net.parts.iter().fold(own, |n, p| union(&n, &self.taken(p)))
    }

    /// Whether nets below a part have a source of their own for some of its parameters.
    fn generates(&self, part: &Part) -> bool {
        self.nets[part.net].generates || self.nets[part.net].parts.iter().any(|p| self.generates(p))
    }

    /// Relations of one part; gives the names that its parameters vary over then. `lines` also gets what they need.
    pub fn relations(&mut self, sc: &mut Scope, part: &Part, lines: &mut Vec<String>) -> Names {
        let leaves = self.leaves(part);
        let mut names = Names::new();
        if leaves.is_empty() {
            return names;
        }
        let mut inner = sc.clone();
        for n in self.taken(part) {
            inner.allowed.remove(&n);
            inner.dims.retain(|d| d.name != n);
            inner.vars.retain(|v| !v.names.contains(&n));
        }
        let mut made: Vec<String> = vec![];
        if self.generates(part) {
            made.extend(leaves.iter().map(|l| l.path.clone()));
        }
        let whole = made.is_empty() && part.array.is_none() && leaves.iter().all(|l| l.arrays.is_empty());
        if whole
            && self.rng.chance(35)
            && let Some(n) = self.flat(&mut inner, part, lines)
        {
            names = union(&names, &n);
            made.extend(leaves.iter().map(|l| l.path.clone()));
        }
        for _ in 0..self.rng.below(3) {
            let leaf = self.rng.below(leaves.len());
            if let Some(n) = self.single(&mut inner, &leaves[leaf], &mut made, lines) {
                names = union(&names, &n);
            }
        }
        let two = leaves.iter().any(|l| l.path.matches('.').count() == 2 && l.path.ends_with(".w"));
        if two && whole && self.rng.chance(25) {
            let id = self.fresh();
            let by = self.rng.pick(&["down @ up", "0.5 * (down @ up)", "down @ up / (1 + norm(up))"]).to_string();
            let at = if self.rng.chance(30) { format!(" at l{id}") } else { String::new() };
            lines.push(format!(
                "each lora{id}(w: [i, o]){at} in {}.*.w {{ param down: [i, 2] = normal(std: 0.4); param up: [2, o] = uniform(-0.5, 0.5); adapt w by {by} }}",
                part.name
            ));
        }
        if self.rng.chance(20) {
            let free: Vec<&Leaf> = leaves.iter().filter(|l| !made.contains(&l.path)).collect();
            if let Some(leaf) = self.some(&free) {
                // A number on the way is one step of the path.
                let path = leaf.path.replace("[]", ".*");
                let sizes = leaf.sizes.clone();
                lines.push(format!("init {path} = {}", self.initialiser(&sizes)));
            }
        }
        if self.rng.chance(8) {
            lines.push(format!("freeze {}.*", part.name));
        }
        names
    }

    /// `generate p.* from ..`
    fn flat(&mut self, sc: &mut Scope, part: &Part, lines: &mut Vec<String>) -> Option<Names> {
        let id = self.fresh();
        let p = &part.name;
        let word = match self.rng.below(8) {
            0 | 1 => ("adapt", "by"),
            2 => ("tie", "to"),
            _ => ("generate", "from"),
        };
        let vectors: Vec<Var> = sc
            .vars
            .iter()
            .filter(|v| matches!(v.kind, Kind::Float) && v.sizes.len() == 1 && v.names.is_subset(&sc.allowed))
            .cloned()
            .collect();
        let (text, names) = match self.rng.below(3) {
            0 => {
                let v = self.some(&vectors)?.clone();
                lines.push(format!("param to{id}: [{}, size({p}.*)] = normal(std: 0.4)", v.sizes[0].text()));
                let vector = format!("tanh({} @ to{id})", v.text);
                let tree = self.rng.chance(60);
                (if tree { format!("0.5 * unflatten({vector}, {p}.*)") } else { vector }, v.names)
            }
            1 => {
                let ints: Vec<Var> = sc
                    .vars
                    .iter()
                    .filter(|v| matches!(&v.kind, Kind::Int(Some(_))) && v.sizes.is_empty() && v.names.is_subset(&sc.allowed))
                    .cloned()
                    .collect();
                let v = self.some(&ints)?.clone();
                let Kind::Int(Some(n)) = &v.kind else { return None };
                if self.rng.chance(50) {
                    // Each row of a table writes a net.
                    lines.push(format!("param code{id}: [{}, 3] = normal(std: 0.7)", n.text()));
                    lines.push(format!("param to{id}: [3, size({p}.*)] = normal(std: 0.4)"));
                    let row = format!("code{id}[{}] @ to{id}", v.text);
                    (if self.rng.chance(50) { format!("tanh({row})") } else { row }, v.names)
                } else {
                    lines.push(format!("param code{id}: [{}, size({p}.*)] = uniform(-1, 1)", n.text()));
                    (format!("code{id}[{}]", v.text), v.names)
                }
            }
            _ => {
                lines.push(format!(
                    "sub other{id} = {}({})",
                    self.nets[part.net].name,
                    part.actuals.iter().map(Size::text).collect::<Vec<_>>().join(", ")
                ));
                let e = self.expr(sc, &[], 1);
                let text = match self.rng.below(5) {
                    0 => format!("0.5 * other{id}.*"),
                    1 => format!("other{id}.*"),
                    2 => format!("unflatten(-flatten(other{id}.*), {p}.*)"),
                    3 => format!("flatten(other{id}.*)"),
                    _ => format!("tanh({}) * other{id}.* + 0.25 * other{id}.*", e.text),
                };
                let names = if text.starts_with("tanh") { e.names } else { Names::new() };
                (text, names)
            }
        };
        lines.append(&mut self.pending);
        lines.push(format!("{} {p}.* {} {text}", word.0, word.1));
        Some(names)
    }

    /// Indices on the left of a relation, one for each axis of the parameter, and the scope that knows them.
    fn bound_left(&mut self, scope: &Scope, leaf: &Leaf) -> Option<(Vec<String>, Scope)> {
        let mut deep = scope.clone();
        let mut list = vec![];
        for s in &leaf.sizes {
            let i = self.sized_index(s);
            i.bare.set(true);
            list.push(i.name.clone());
            deep = deep.with(i);
        }
        (!list.is_empty()).then_some((list, deep))
    }

    /// A relation of one parameter.
    fn single(&mut self, sc: &mut Scope, leaf: &Leaf, made: &mut Vec<String>, lines: &mut Vec<String>) -> Option<Names> {
        let mut inner = sc.clone();
        let mut path = leaf.path.clone();
        let mut own = vec![];
        for n in &leaf.arrays {
            let l = format!("l{}", self.fresh());
            path = path.replacen("[]", &format!("[{l}]"), 1);
            let index =
                Index { name: l.clone(), range: Range::Size(n.clone()), bare: Rc::new(Cell::new(true)), said: Rc::default() };
            inner = inner.with(index);
            own.push(l);
        }
        let first = !made.contains(&leaf.path);
        let kind = self.rng.below(if first { 11 } else { 5 });
        let (text, mut names) = match kind {
            0 | 1 => {
                let e = self.expr(&inner, &leaf.sizes, 1);
                (format!("adapt {path} by {}", e.text), e.names)
            }
            2 => {
                let e = self.expr(&inner, &[], 1);
                (format!("scale {path} by 1 + 0.1 * {}", e.at(level::UNARY)), e.names)
            }
            3 => {
                let text = if leaf.arrays.is_empty() { "self / (1 + norm(self))" } else { "0.5 * self" };
                (format!("generate {path} from {text}"), Names::new())
            }
            4 => {
                // The left side binds the indices.
                let (list, deep) = self.bound_left(&inner, leaf)?;
                let e = self.expr(&deep, &[], 2);
                let mut names = e.names.clone();
                names.retain(|n| !list.contains(n));
                (format!("scale {path}[{}] by 1 + 0.1 * {}", list.join(", "), e.at(level::UNARY)), names)
            }
            5 | 9 | 10 => {
                let turned: Vec<Size> = leaf.sizes.iter().rev().cloned().collect();
                let ties: Vec<Var> = sc
                    .vars
                    .iter()
                    .filter(|v| matches!(v.kind, Kind::Float) && v.names.is_empty())
                    .filter(|v| same(&v.sizes, &leaf.sizes) || turned.len() == 2 && same(&v.sizes, &turned))
                    .cloned()
                    .collect();
                let v = self.some(&ties)?.clone();
                made.push(leaf.path.clone());
                let straight = same(&v.sizes, &leaf.sizes);
                let text = if straight { v.text } else { format!("transpose({})", v.text) };
                (format!("tie {path} to {text}"), v.names)
            }
            6 => {
                let (list, deep) = self.bound_left(&inner, leaf)?;
                made.push(leaf.path.clone());
                let e = self.expr(&deep, &[], 2);
                let mut names = e.names.clone();
                names.retain(|n| !list.contains(n));
                (format!("generate {path}[{}] from {}", list.join(", "), e.text), names)
            }
            7 => {
                let rank = leaf.sizes.len();
                if rank != 2 || !leaf.arrays.is_empty() {
                    return None;
                }
                let id = self.fresh();
                lines.push(format!("param down{id}: [{}, 2] = normal(std: 0.5)", leaf.sizes[0].text()));
                lines.push(format!("param up{id}: [2, {}] = normal(std: 0.5)", leaf.sizes[1].text()));
                let e = self.expr(&inner, &[], 1);
                (format!("adapt {path} by tanh({}) * (down{id} @ up{id})", e.text), e.names)
            }
            _ => {
                made.push(leaf.path.clone());
                let e = self.expr(&inner, &leaf.sizes, 2);
                (format!("generate {path} from {}", e.text), e.names)
            }
        };
        lines.append(&mut self.pending);
        lines.push(text);
        for l in &own {
            names.remove(l);
        }
        Some(names)
    }

    /// Relations among the members of a net: they know its parameters and nothing else.
    pub fn member_relations(&mut self, sc: &Scope, params: &[Own], parts: &[Part], lines: &mut Vec<String>) {
        for part in parts {
            if params.is_empty() || !self.rng.chance(30) || part.array.is_some() {
                continue;
            }
            let leaves: Vec<Leaf> = self.leaves(part).into_iter().filter(|l| l.arrays.is_empty()).collect();
            let Some(k) = (!leaves.is_empty()).then(|| self.rng.below(leaves.len())) else { continue };
            let leaf = &leaves[k];
            let scope = Scope { calls: vec![], ..sc.clone() };
            let e = self.expr(&scope, &leaf.sizes, 1);
            let one = self.expr(&scope, &[], 1);
            if !self.pending.is_empty() {
                self.pending.clear();
                continue;
            }
            let own: Vec<&Own> = params.iter().filter(|(_, s)| same(s, &leaf.sizes)).collect();
            // A parameter has one source: what the part generates inside may only be changed from here.
            let made = self.generates(part);
            if let Some((name, _)) = self.some(&own)
                && !made
                && self.rng.chance(40)
            {
                lines.push(format!("tie {} to {name}", leaf.path));
                continue;
            }
            lines.push(match self.rng.below(if made { 2 } else { 3 }) {
                0 => format!("adapt {} by {}", leaf.path, e.text),
                1 => format!("scale {} by 1 + 0.1 * {}", leaf.path, one.at(level::UNARY)),
                _ => format!("generate {} from {}", leaf.path, e.text),
            });
        }
    }
}
