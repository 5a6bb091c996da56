//! What a picture of a model shows: boxes within boxes, and edges.

use super::flow;
use crate::bind::known::declared;
use crate::check::model::{Model, Param, RelationKind, RouteInfo};
use crate::ir::{OutputKind, Rate, type_text};
use std::collections::{BTreeMap, BTreeSet};

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Input,
    Condition,
    Param,
    Net,
    /// A layout that others fill.
    Form,
    /// Sends each example to some of many nets.
    Router,
    Output,
    Loss,
}

/// A box.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Dotted, without the `*` of arrays.
    pub path: String,
    pub kind: Kind,
    /// First line.
    pub name: String,
    /// Second line: the type or the net.
    pub about: String,
    /// `× 8`
    pub count: Option<String>,
    pub rate: Rate,
    pub parent: Option<usize>,
}

/// What an edge means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    Flow,
    Generate,
    Adapt,
    Scale,
    Tie,
    Blend,
    /// From a router to its nets: slots solid, the rest faint.
    Route,
}

impl Link {
    pub fn word(self) -> &'static str {
        match self {
            Link::Flow => "value",
            Link::Generate => "generate",
            Link::Adapt => "adapt",
            Link::Scale => "scale",
            Link::Tie => "tie",
            Link::Blend => "blend",
            Link::Route => "route",
        }
    }

    /// Whether it says more than that a value goes there.
    pub fn is_relation(self) -> bool {
        match self {
            Link::Flow | Link::Route => false,
            Link::Generate | Link::Adapt | Link::Scale | Link::Tie | Link::Blend => true,
        }
    }

    /// Of a relation that one net has to another's parameters.
    pub fn of(kind: RelationKind) -> Option<Link> {
        match kind {
            RelationKind::Generate => Some(Link::Generate),
            RelationKind::Adapt => Some(Link::Adapt),
            RelationKind::Scale => Some(Link::Scale),
            RelationKind::Tie => Some(Link::Tie),
            RelationKind::Freeze | RelationKind::Init => None,
        }
    }
}

/// An edge between boxes.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    pub link: Link,
}

/// Boxes and edges.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Scene {
    pub title: String,
    pub items: Vec<Item>,
    pub edges: Vec<Edge>,
}

/// The number of a net in its family: `stage.0`.
fn number(path: &str) -> Option<&str> {
    path.rsplit('.').next().filter(|p| p.parse::<u64>().is_ok())
}

/// Whether a path names one of a family.
fn number_within(path: &str) -> bool {
    path.split('.').any(|p| p.parse::<u64>().is_ok())
}

/// A path without the `*` and the numbers of arrays, and without a final `.*`.
pub fn plain(path: &str) -> String {
    let named = |p: &&str| *p != "*" && p.parse::<u64>().is_err();
    path.split('.').map(|p| p.split('[').next().unwrap_or(p)).filter(named).collect::<Vec<_>>().join(".")
}

impl Scene {
    /// The scene of a model.
    pub fn of(model: &Model) -> Scene {
        let mut scene = Scene { title: model.name.clone(), ..Scene::default() };
        for i in &model.inputs {
            let (kind, rate) = if i.condition { (Kind::Condition, Rate::Condition) } else { (Kind::Input, Rate::Input) };
            scene.add(&i.name, kind, &i.name, declared(i), None, rate);
        }
        scene.add_nets(model);
        scene.add_params(model);
        let rates = model.graph.rates();
        for o in model.graph.outputs.iter().filter(|o| o.kind != OutputKind::Update) {
            let node = model.graph.node(o.node);
            let sizes: Vec<String> = node.shape.iter().map(|a| a.size.to_string()).collect();
            let kind = if o.kind == OutputKind::Loss { Kind::Loss } else { Kind::Output };
            let path = format!("output {}", o.name);
            scene.add(&path, kind, &o.name, type_text(node.dtype.word(), &sizes), None, rates[o.node.index()]);
        }
        scene.tie(model);
        flow::trace(model, &mut scene);
        flow::unread(model, &mut scene);
        scene.gather();
        scene.bundle();
        for r in &model.routes {
            scene.add_router(r);
        }
        scene
    }

    fn add(&mut self, path: &str, kind: Kind, name: &str, about: String, count: Option<String>, rate: Rate) -> usize {
        let (path, name) = (path.to_string(), name.to_string());
        self.items.push(Item { path, kind, name, about, count, rate, parent: None });
        self.items.len() - 1
    }

    fn add_nets(&mut self, model: &Model) {
        let mut nets: Vec<_> = model.instances.iter().map(|i| (plain(&i.path), i)).collect();
        nets.sort_by_key(|(path, _)| path.matches('.').count());
        for (path, i) in &nets {
            if self.items.iter().any(|t| t.path == *path && t.is_net()) {
                continue;
            }
            let parent = path.rsplit_once('.').and_then(|(up, _)| self.net_of(up));
            let name = parent.map_or(path.as_str(), |p| path[self.items[p].path.len()..].trim_start_matches('.')).to_string();
            let kind = if i.form { Kind::Form } else { Kind::Net };
            let inside = |p: &&Param| plain(&p.path).strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.'));
            let mut own = model.params.iter().filter(inside).peekable();
            let frozen = own.peek().is_some() && own.all(Param::is_frozen);
            let about = format!("{}{}", i.net, if frozen { ", frozen" } else { "" });
            // Unequal nets of a family are one box, too.
            let members: BTreeSet<&str> = nets.iter().filter(|(p, _)| p == path).filter_map(|(_, i)| number(&i.path)).collect();
            let count = i.count.as_ref().map(|n| n.to_string()).or((members.len() > 1).then(|| members.len().to_string()));
            let at = self.add(path, kind, &name, about, count.map(|n| format!("× {n}")), Rate::Parameter);
            self.items[at].parent = parent;
        }
    }

    /// Parameters of the model, and of nets that have parts.
    fn add_params(&mut self, model: &Model) {
        let paths: Vec<String> = model.params.iter().map(|p| plain(&p.path)).collect();
        for (k, p) in model.params.iter().enumerate() {
            let path = &paths[k];
            let parent = self.net_of(path);
            if parent.is_some_and(|p| !self.has_parts(p)) || paths[..k].contains(path) {
                continue;
            }
            let name = parent.map_or(path.as_str(), |p| path[self.items[p].path.len()..].trim_start_matches('.')).to_string();
            let equal: Vec<&Param> = model.params.iter().zip(&paths).filter(|(_, q)| *q == path).map(|(p, _)| p).collect();
            let alike = equal.iter().all(|q| q.shape == p.shape);
            // A leading entry for each array that it stands in is said by the array.
            let arrays = p.path.split('.').filter(|s| *s == "*").count();
            let ty = type_text(p.dtype.word(), p.shape.get(arrays..).unwrap_or_default());
            let about = format!("{ty}{}", if alike { "" } else { ", .." });
            let count = (equal.len() > 1 && number_within(&p.path)).then(|| format!("× {}", equal.len()));
            let count = count.filter(|_| parent.is_none());
            let at = self.add(path, Kind::Param, &name, about, count, Rate::Parameter);
            self.items[at].parent = parent;
        }
    }

    /// The innermost net that a path lies in.
    pub fn net_of(&self, path: &str) -> Option<usize> {
        let mut here = path;
        loop {
            if let Some(k) = self.items.iter().position(|t| t.path == here && t.is_net()) {
                return Some(k);
            }
            here = here.rsplit_once('.')?.0;
        }
    }

    /// The box for a path: a net, a parameter, an input.
    pub fn find(&self, path: &str) -> Option<usize> {
        let exact = self.items.iter().position(|t| t.path == path && !matches!(t.kind, Kind::Output | Kind::Loss));
        exact.or_else(|| self.net_of(path))
    }

    /// Whether `inner` is `outer` or lies in it.
    pub fn within(&self, inner: usize, outer: usize) -> bool {
        let mut at = Some(inner);
        while let Some(k) = at {
            if k == outer {
                return true;
            }
            at = self.items[k].parent;
        }
        false
    }

    /// The smallest box around both, if any.
    pub fn around(&self, a: usize, b: usize) -> Option<usize> {
        let mut at = Some(a);
        while let Some(k) = at.filter(|k| !self.within(b, *k)) {
            at = self.items[k].parent;
        }
        at
    }

    /// Adds an edge unless it is there, or goes between a box and one around it.
    pub fn link(&mut self, from: usize, to: usize, link: Link) {
        let edge = Edge { from, to, link };
        if !self.within(from, to) && !self.within(to, from) && !self.edges.contains(&edge) {
            self.edges.push(edge);
        }
    }

    /// Whether values reach `item` from `net`.
    pub fn comes_from(&self, item: usize, net: usize) -> bool {
        let mut seen = vec![false; self.items.len()];
        let mut todo = vec![net];
        while let Some(k) = todo.pop() {
            if self.within(item, k) {
                return true;
            }
            if !std::mem::replace(&mut seen[k], true) {
                let leaves = |e: &&Edge| self.within(e.from, k) || self.within(k, e.from);
                todo.extend(self.edges.iter().filter(leaves).map(|e| e.to));
            }
        }
        false
    }

    /// A net is as fast as the fastest of its values, and so are the nets around it.
    pub fn raise(&mut self, item: usize, rate: Rate) {
        let mut at = Some(item);
        while let Some(k) = at {
            self.items[k].rate = self.items[k].rate.max(rate);
            at = self.items[k].parent;
        }
    }

    /// The box of an output or a loss.
    pub fn output(&self, name: &str) -> Option<usize> {
        let path = format!("output {name}");
        self.items.iter().position(|t| t.path == path && matches!(t.kind, Kind::Output | Kind::Loss))
    }

    pub fn has_parts(&self, k: usize) -> bool {
        self.items.iter().any(|t| t.parent == Some(k) && t.is_net())
    }

    /// The parts of a net, where these are all of them, as the net.
    pub fn together(&self, boxes: &BTreeSet<usize>) -> BTreeSet<usize> {
        let mut out = boxes.clone();
        loop {
            let parents: BTreeSet<usize> = out.iter().filter_map(|k| self.items[*k].parent).collect();
            let all = |p: &usize| self.parts(*p).iter().all(|k| out.contains(k));
            let Some(p) = parents.into_iter().find(all) else { return out };
            out.retain(|k| self.items[*k].parent != Some(p));
            out.insert(p);
        }
    }

    fn parts(&self, parent: usize) -> Vec<usize> {
        (0..self.items.len()).filter(|k| self.items[*k].parent == Some(parent)).collect()
    }

    /// One parameter that is another: there is no value of its own to follow.
    fn tie(&mut self, model: &Model) {
        for r in model.relations.iter().filter(|r| r.kind == RelationKind::Tie) {
            let part = r.params.first().filter(|_| !r.target.ends_with(".*")).and_then(|p| self.find(&plain(p)));
            let to = part.or_else(|| self.find(&plain(&r.target)));
            let Some(to) = to else { continue };
            for from in r.sources.iter().filter_map(|s| self.find(&plain(s))).collect::<Vec<_>>() {
                self.link(from, to, Link::Tie);
            }
        }
    }

    /// Relations from one box to all parts of a net are one to the net; where there are very many, those between the same two
    /// outermost nets are one.
    fn gather(&mut self) {
        let kinds: BTreeSet<(usize, Link)> =
            self.edges.iter().filter(|e| e.link != Link::Flow).map(|e| (e.from, e.link)).collect();
        for (from, link) in kinds {
            let of = |e: &&Edge| e.from == from && e.link == link;
            let to: BTreeSet<usize> = self.edges.iter().filter(of).map(|e| e.to).collect();
            let fewer = self.together(&to);
            if fewer.len() < to.len() {
                self.edges.retain(|e| !(e.from == from && e.link == link));
                fewer.into_iter().for_each(|k| self.link(from, k, link));
            }
        }
        if self.edges.iter().filter(|e| e.link != Link::Flow).count() > 24 {
            let all = std::mem::take(&mut self.edges);
            for e in all {
                match e.link {
                    Link::Flow => self.link(e.from, e.to, e.link),
                    _ => self.link(self.top(e.from), self.top(e.to), e.link),
                }
            }
        }
    }

    /// More than three lines from the boxes in a net to one place outside of it are one from the smallest net around them; values
    /// that come in do so, too. Who is written stays seen.
    fn bundle(&mut self) {
        for out in [true, false] {
            let mut groups: BTreeMap<(usize, usize, Link), Vec<usize>> = BTreeMap::new();
            for e in self.edges.iter().filter(|e| out || e.link == Link::Flow) {
                let (inside, other) = if out { (e.from, e.to) } else { (e.to, e.from) };
                let mut outer = inside;
                while let Some(up) = self.items[outer].parent.filter(|up| !self.within(other, *up)) {
                    outer = up;
                }
                groups.entry((outer, other, e.link)).or_default().push(inside);
            }
            for ((_, other, link), inside) in groups.into_iter().filter(|(_, inside)| inside.len() > 3) {
                let net = inside[1..].iter().try_fold(inside[0], |net, k| self.around(net, *k));
                let Some(net) = net else { continue };
                let ends = |e: &Edge| if out { (e.from, e.to) } else { (e.to, e.from) };
                self.edges.retain(|e| !(e.link == link && ends(e).1 == other && inside.contains(&ends(e).0)));
                let (from, to) = if out { (net, other) } else { (other, net) };
                self.link(from, to, link);
            }
        }
    }

    fn top(&self, mut k: usize) -> usize {
        while let Some(p) = self.items[k].parent {
            k = p;
        }
        k
    }

    /// A router in front of an array of nets takes over what flows into them.
    fn add_router(&mut self, r: &RouteInfo) {
        let Some(to) = self.net_of(&plain(&r.over)) else { return };
        let Some(slots) = &r.slots else { return };
        let path = format!("{} router", self.items[to].path);
        if self.items.iter().any(|t| t.path == path) {
            return;
        }
        let about = r.capacity.map_or(String::new(), |c| format!("capacity {c}"));
        let rate = self.items[to].rate;
        let router = self.add(&path, Kind::Router, &format!("{slots} of {}", r.experts), about, None, rate);
        self.items[router].parent = self.items[to].parent;
        for k in 0..self.edges.len() {
            let e = &self.edges[k];
            if e.link == Link::Flow && self.within(e.to, to) && !self.within(e.from, to) {
                self.edges[k].to = router;
            }
        }
        let mut seen = Vec::new();
        self.edges.retain(|e| {
            !seen.contains(e) && {
                seen.push(e.clone());
                true
            }
        });
        self.edges.push(Edge { from: router, to, link: Link::Route });
    }
}

impl Item {
    pub fn is_net(&self) -> bool {
        matches!(self.kind, Kind::Net | Kind::Form)
    }
}
