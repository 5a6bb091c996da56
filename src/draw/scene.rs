//! What a picture of a model shows: boxes within boxes, and edges.

use super::flow;
use crate::bind::known::declared;
use crate::check::model::{Model, RelationKind, RouteInfo};
use crate::ir::{OutputKind, Rate, type_text};

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
        for p in model.params.iter() {
            let path = plain(&p.path);
            if scene.net_of(&path).is_none() {
                let name = path.clone();
                scene.add(&path, Kind::Param, &name, type_text(p.dtype.word(), &p.shape), None, Rate::Parameter);
            }
        }
        let rates = model.graph.rates();
        for o in model.graph.outputs.iter().filter(|o| o.kind != OutputKind::Update) {
            let node = model.graph.node(o.node);
            let sizes: Vec<String> = node.shape.iter().map(|a| a.size.to_string()).collect();
            let kind = if o.kind == OutputKind::Loss { Kind::Loss } else { Kind::Output };
            let path = format!("output {}", o.name);
            scene.add(&path, kind, &o.name, type_text(node.dtype.word(), &sizes), None, rates[o.node.index()]);
        }
        scene.relate(model);
        flow::trace(model, &mut scene);
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
        for (path, i) in nets {
            if self.items.iter().any(|t| t.path == path && t.is_net()) {
                continue;
            }
            let parent = path.rsplit_once('.').and_then(|(up, _)| self.net_of(up));
            let name = parent.map_or(path.as_str(), |p| path[self.items[p].path.len()..].trim_start_matches('.')).to_string();
            let kind = if i.form { Kind::Form } else { Kind::Net };
            let at = self.add(&path, kind, &name, i.net.clone(), i.count.as_ref().map(|n| format!("× {n}")), Rate::Parameter);
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

    fn relate(&mut self, model: &Model) {
        for r in &model.relations {
            let (Some(link), Some(to)) = (Link::of(r.kind), self.find(&plain(&r.target))) else { continue };
            let sources: Vec<usize> = r.sources.iter().filter_map(|s| self.find(&plain(s))).collect();
            // What a net is given is not what it writes.
            let nets = sources.iter().any(|k| self.items[*k].is_net());
            for from in sources.into_iter().filter(|k| !nets || self.items[*k].is_net()).collect::<Vec<_>>() {
                self.link(from, to, link);
            }
        }
        // Several relations between parts of the same two nets are one edge in the picture where they are many.
        if self.edges.len() > 24 {
            let tops: Vec<Edge> =
                self.edges.iter().map(|e| Edge { from: self.top(e.from), to: self.top(e.to), link: e.link }).collect();
            self.edges.clear();
            tops.into_iter().for_each(|e| self.link(e.from, e.to, e.link));
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
