//! Where the boxes of a scene go, and which way its edges take: left to right in columns, boxes within boxes.
//!
//! In: a [`Scene`]. Out: a rectangle for each item, the points of each edge, the size of the picture. Promised: no two boxes overlap but a
//! box and what lies in it, and no edge runs through a box that it does not begin, end or lie in. Edges are level within a column, where they pass
//! between boxes like a box themselves, and change their height between columns, where nothing else is. Deterministic: ties go to the
//! order of the scene.

use super::layers::{Layers, children, lift, order};
use super::scene::{Kind, Link, Scene};
use std::collections::BTreeMap;

/// A rectangle, x and y of its upper left corner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

impl Rect {
    pub fn middle(&self) -> f64 {
        self.y + self.h / 2.0
    }
}

/// Places of everything.
#[derive(Clone, Debug, Default)]
pub struct Placed {
    pub boxes: Vec<Rect>,
    /// For each edge the points that it passes, ends included; between two points of one height it is straight.
    pub paths: Vec<Vec<(f64, f64)>>,
    /// For each edge the point of its path after which it goes from one outermost box of its own to the other: there its word stands.
    pub words: Vec<usize>,
    pub width: f64,
    pub height: f64,
}

/// Width of a character of the font.
pub const CHAR: f64 = 7.0;
/// Height of the part of a box that has its name.
pub const HEAD: f64 = 44.0;
/// How far the boxes of an array stand out behind each other.
pub const STACK: f64 = 8.0;
const PAD: f64 = 16.0;
const GAP_X: f64 = 52.0;
const GAP_Y: f64 = 18.0;

/// Something in a column: a box, or an edge that passes.
struct Spot {
    item: Option<usize>,
    layer: usize,
    w: f64,
    h: f64,
    x: f64,
    mid: f64,
}

/// A part of an edge at one level, from left to right.
struct Chain {
    edge: usize,
    spots: Vec<usize>,
    /// It comes from, or goes on, outside of the box around this level.
    open: (bool, bool),
    back: bool,
}

/// One level: what stands in a box, or outside of all.
struct Level {
    spots: Vec<Spot>,
    chains: Vec<Chain>,
    rows: Vec<Vec<usize>>,
    /// Left and right edge of each column.
    columns: Vec<(f64, f64)>,
}

struct Placer<'s> {
    scene: &'s Scene,
    layers: Layers,
    boxes: Vec<Rect>,
    /// Of each edge the points at each level, in the order in which the edge goes.
    parts: BTreeMap<(usize, Option<usize>), Vec<(f64, f64)>>,
}

/// Lays a scene out.
pub fn place(scene: &Scene) -> Placed {
    let boxes = vec![Rect::default(); scene.items.len()];
    let mut placer = Placer { scene, layers: Layers::of(scene), boxes, parts: BTreeMap::new() };
    let (width, height) = placer.inside(None);
    let boxes = (0..scene.items.len()).map(|k| placer.shifted(k)).collect();
    let (paths, words) = (0..scene.edges.len()).map(|e| placer.path(e)).unzip();
    Placed { boxes, paths, words, width, height }
}

impl Placer<'_> {
    /// Places the children of a box from (0, 0) on; the size that they take.
    fn inside(&mut self, parent: Option<usize>) -> (f64, f64) {
        let children = children(self.scene, parent);
        for k in &children {
            let (w, h) = self.inside(Some(*k));
            let (own_w, own_h) = own_size(self.scene, *k);
            let full = if w > 0.0 { (own_w.max(w + 2.0 * PAD), HEAD + h + PAD) } else { (own_w, own_h) };
            (self.boxes[*k].w, self.boxes[*k].h) = full;
        }
        if children.is_empty() {
            return (0.0, 0.0);
        }
        let mut level = self.level(parent, &children);
        self.columns(&mut level);
        self.heights(&mut level);
        let (mut width, mut height) = (0.0f64, 0.0f64);
        let top = level.spots.iter().map(|s| s.mid - s.h / 2.0).fold(f64::INFINITY, f64::min);
        for s in &mut level.spots {
            s.mid -= top;
            (width, height) = (width.max(s.x + s.w), height.max(s.mid + s.h / 2.0));
            if let Some(k) = s.item {
                let stacked = self.stack(k);
                (self.boxes[k].x, self.boxes[k].y) = (s.x, s.mid - s.h / 2.0 + stacked);
            }
        }
        for chain in &level.chains {
            let mut points = self.points(&level, chain, width);
            if chain.back {
                points.reverse();
            }
            self.parts.insert((chain.edge, parent), points);
        }
        (width, height)
    }

    fn stack(&self, k: usize) -> f64 {
        if self.scene.items[k].count.is_some() { STACK } else { 0.0 }
    }

    fn level(&self, parent: Option<usize>, children: &[usize]) -> Level {
        let box_of = |k: &usize| {
            let stacked = self.stack(*k);
            let (w, h) = (self.boxes[*k].w + stacked, self.boxes[*k].h + stacked);
            Spot { item: Some(*k), layer: self.layers.of[*k], w, h, x: 0.0, mid: 0.0 }
        };
        let mut spots: Vec<Spot> = children.iter().map(box_of).collect();
        let last = spots.iter().map(|s| s.layer).max().unwrap_or(0);
        let mut chains = Vec::new();
        for (e, edge) in self.scene.edges.iter().enumerate() {
            let at = |item: usize| lift(self.scene, parent, item).and_then(|k| children.iter().position(|c| *c == k));
            let back = self.layers.back[e];
            let (mut a, mut b) = (at(edge.from), at(edge.to));
            if back {
                (a, b) = (b, a);
            }
            if a == b {
                continue;
            }
            let (from, to) = (a.map_or(0, |a| spots[a].layer + 1), b.map_or(last + 1, |b| spots[b].layer));
            let mut chain = Chain { edge: e, spots: a.into_iter().collect(), open: (a.is_none(), b.is_none()), back };
            for layer in from..to {
                chain.spots.push(spots.len());
                spots.push(Spot { item: None, layer, w: 0.0, h: 8.0, x: 0.0, mid: 0.0 });
            }
            chain.spots.extend(b);
            chains.push(chain);
        }
        let layer: Vec<usize> = spots.iter().map(|s| s.layer).collect();
        let links: Vec<(usize, usize)> = chains.iter().flat_map(|c| c.spots.windows(2).map(|p| (p[0], p[1]))).collect();
        let rows = order(&layer, &links);
        Level { spots, chains, rows, columns: Vec::new() }
    }

    /// Columns side by side, the boxes of one in its middle.
    fn columns(&self, level: &mut Level) {
        let mut left = 0.0;
        for (l, row) in level.rows.iter().enumerate() {
            let width = row.iter().map(|k| level.spots[*k].w).fold(0.0, f64::max);
            row.iter().for_each(|k| level.spots[*k].x = left + (width - level.spots[*k].w) / 2.0);
            level.columns.push((left, left + width));
            // Words need room.
            let word = level.chains.iter().filter(|c| c.open == (false, false) && level.spots[c.spots[0]].layer == l);
            let word = word.filter(|c| self.scene.edges[c.edge].link.is_relation());
            let word = word.map(|c| self.scene.edges[c.edge].link.word().len() as f64 * CHAR + 28.0).fold(GAP_X, f64::max);
            left += width + word;
        }
    }

    /// Heights: each near the middle of its neighbours.
    fn heights(&self, level: &mut Level) {
        for row in &level.rows {
            let total: f64 = row.iter().map(|k| level.spots[*k].h + GAP_Y).sum::<f64>() - GAP_Y;
            let mut y = -total / 2.0;
            for k in row {
                level.spots[*k].mid = y + level.spots[*k].h / 2.0;
                y += level.spots[*k].h + GAP_Y;
            }
        }
        // Neighbours, with where the line meets each of the two, from its middle.
        let mut near: Vec<Vec<(usize, f64)>> = (0..level.spots.len()).map(|_| Vec::new()).collect();
        for c in &level.chains {
            for pair in c.spots.windows(2) {
                let (a, b) = (self.port(level, c, pair[0], true), self.port(level, c, pair[1], false));
                near[pair[0]].push((pair[1], b - a));
                near[pair[1]].push((pair[0], a - b));
            }
        }
        for sweep in 0..24 {
            let forward = sweep % 2 == 0;
            let rows: Vec<usize> = if forward { (0..level.rows.len()).collect() } else { (0..level.rows.len()).rev().collect() };
            for r in rows {
                let row = level.rows[r].clone();
                let wish = |k: &usize| {
                    let wishes: Vec<f64> = near[*k].iter().map(|(m, off)| level.spots[*m].mid + off).collect();
                    if wishes.is_empty() { level.spots[*k].mid } else { wishes.iter().sum::<f64>() / wishes.len() as f64 }
                };
                let wish: Vec<f64> = row.iter().map(wish).collect();
                settle(&mut level.spots, &row, &wish);
            }
        }
    }

    /// Where a line meets a spot, from its middle: where the edge goes on in a box, at the head of a box with parts, else in the middle.
    fn port(&self, level: &Level, chain: &Chain, spot: usize, right: bool) -> f64 {
        let s = &level.spots[spot];
        let Some(k) = s.item else { return 0.0 };
        let top = self.stack(k) - s.h / 2.0;
        if let Some(points) = self.parts.get(&(chain.edge, Some(k))) {
            let first = (points[0], points[points.len() - 1]);
            let end = if right != chain.back { first.1 } else { first.0 };
            return top + HEAD + end.1;
        }
        let has_parts = self.scene.items.iter().any(|t| t.parent == Some(k));
        let middle = top + if has_parts { HEAD / 2.0 } else { self.boxes[k].h / 2.0 };
        middle + if right { 0.0 } else { self.lane(k, self.scene.edges[chain.edge].link) }
    }

    /// Edges of different kinds into one box do not end at one point.
    fn lane(&self, to: usize, link: Link) -> f64 {
        let mut links: Vec<Link> = self.scene.edges.iter().filter(|e| e.to == to).map(|e| e.link).collect();
        links.sort();
        links.dedup();
        let at = links.iter().position(|l| *l == link).unwrap_or(0) as f64;
        (at - (links.len().max(1) - 1) as f64 / 2.0) * 13.0
    }

    /// The points of a chain, from left to right.
    fn points(&self, level: &Level, chain: &Chain, width: f64) -> Vec<(f64, f64)> {
        let mut out = Vec::new();
        let last = chain.spots.len() - 1;
        for (i, k) in chain.spots.iter().enumerate() {
            let s = &level.spots[*k];
            let (left, right) = level.columns[s.layer];
            let (first, end) = (i == 0 && !chain.open.0, i == last && !chain.open.1);
            let y = s.mid + self.port(level, chain, *k, !end || (first && last == 0));
            if !first {
                out.push((left, y));
            }
            if end && s.item.is_some() {
                out.push((s.x, y));
                continue;
            }
            if first && let Some(item) = s.item {
                let stacked = if self.parts.contains_key(&(chain.edge, Some(item))) { self.stack(item) } else { 0.0 };
                out.push((s.x + s.w - stacked, y));
            }
            out.push((right, y));
        }
        if chain.open.0 && out[0].0 > 0.0 {
            out.insert(0, (0.0, out[0].1));
        }
        if chain.open.1 {
            let y = out[out.len() - 1].1;
            out.push((width, y));
        }
        out
    }

    /// A rectangle in the picture.
    fn shifted(&self, k: usize) -> Rect {
        let (dx, dy) = self.origin(self.scene.items[k].parent);
        let r = self.boxes[k];
        Rect { x: r.x + dx, y: r.y + dy, ..r }
    }

    /// The whole path of an edge: out of boxes, across, into boxes.
    fn path(&self, e: usize) -> (Vec<(f64, f64)>, usize) {
        let edge = &self.scene.edges[e];
        let common = self.scene.around(edge.from, edge.to);
        let up = |item: usize| {
            let mut out = Vec::new();
            let mut at = self.scene.items[item].parent;
            while at != common {
                out.push(at);
                at = at.and_then(|k| self.scene.items[k].parent);
            }
            out
        };
        let mut levels = up(edge.from);
        let before = levels.len();
        levels.push(common);
        levels.extend(up(edge.to).into_iter().rev());
        let mut out: Vec<(f64, f64)> = Vec::new();
        let mut word = 0;
        for (i, level) in levels.iter().enumerate() {
            let (dx, dy) = self.origin(*level);
            if i == before {
                word = out.len();
            }
            let points = self.parts.get(&(e, *level)).map_or(&[][..], |p| p);
            out.extend(points.iter().map(|(x, y)| (x + dx, y + dy)));
        }
        (out, word)
    }

    /// Where the inside of a box begins.
    fn origin(&self, parent: Option<usize>) -> (f64, f64) {
        let (mut x, mut y) = (0.0, 0.0);
        let mut at = parent;
        while let Some(k) = at {
            x += self.boxes[k].x + PAD;
            y += self.boxes[k].y + HEAD;
            at = self.scene.items[k].parent;
        }
        (x, y)
    }
}

fn own_size(scene: &Scene, k: usize) -> (f64, f64) {
    let item = &scene.items[k];
    let name = item.name.chars().count() + item.count.as_ref().map_or(0, |c| c.chars().count() + 1);
    let chars = name.max(item.about.chars().count()) as f64;
    let extra = if item.kind == Kind::Router { 20.0 } else { 0.0 };
    ((chars * CHAR + 2.0 * PAD + extra).max(64.0), HEAD)
}

/// Puts a row where it wants to be without overlap: in groups of neighbours that touch, each where the mean of its wishes is.
fn settle(spots: &mut [Spot], row: &[usize], wish: &[f64]) {
    // A group: its first member, how many, the sum of the wishes for its first member's middle.
    let mut groups: Vec<(usize, usize, f64)> = Vec::new();
    let offset = |from: usize, to: usize| (from..to).map(|i| (spots[row[i]].h + spots[row[i + 1]].h) / 2.0 + GAP_Y).sum::<f64>();
    for (i, want) in wish.iter().enumerate() {
        groups.push((i, 1, *want));
        while let [.., (a, n, s), (b, m, t)] = groups[..] {
            let gap = offset(a, b);
            if s / n as f64 + gap <= t / m as f64 {
                break;
            }
            groups.truncate(groups.len() - 2);
            groups.push((a, n + m, s + t - gap * m as f64));
        }
    }
    let mut mids = vec![0.0; row.len()];
    for (a, n, s) in groups {
        for (i, mid) in mids.iter_mut().enumerate().skip(a).take(n) {
            *mid = s / n as f64 + offset(a, i);
        }
    }
    row.iter().zip(mids).for_each(|(k, mid)| spots[*k].mid = mid);
}

#[cfg(test)]
mod tests;
