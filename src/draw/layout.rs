//! Where the boxes of a scene go: left to right in layers, boxes within boxes.
//!
//! In: a [`Scene`]. Out: a rectangle for each item, points that each edge passes, the size of the picture. Layers by longest
//! path, order within a layer by the mean place of the neighbours (Sugiyama, Tagawa and Toda 1981), each box laid out by itself first.
//! Deterministic: ties go to the order of the scene.

use super::scene::{Kind, Scene};

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
    /// For each edge of the scene: points between its ends.
    pub bends: Vec<Vec<(f64, f64)>>,
    pub width: f64,
    pub height: f64,
}

/// Width of a character of the font.
pub const CHAR: f64 = 7.0;
/// Height of the part of a box that has its name.
pub const HEAD: f64 = 44.0;
const PAD: f64 = 14.0;
const GAP_X: f64 = 56.0;
const GAP_Y: f64 = 18.0;

/// One level: the children of a box, and the points where long edges pass their layers.
struct Level {
    /// `Some`: an item; `None`: a bend.
    items: Vec<Option<usize>>,
    size: Vec<(f64, f64)>,
    layer: Vec<usize>,
    links: Vec<(usize, usize)>,
    /// Edge of the scene → its bends, as positions in `items`.
    bends: Vec<(usize, Vec<usize>)>,
}

/// Lays a scene out.
pub fn place(scene: &Scene) -> Placed {
    let n = scene.items.len();
    let mut out = Placed { boxes: vec![Rect::default(); n], bends: vec![Vec::new(); scene.edges.len()], ..Placed::default() };
    let (w, h) = inside(scene, None, &mut out);
    (out.width, out.height) = (w, h);
    absolute(scene, &out)
}

/// Places the children of a box from (0, 0) on; gives the size that they take.
fn inside(scene: &Scene, parent: Option<usize>, out: &mut Placed) -> (f64, f64) {
    let children: Vec<usize> = (0..scene.items.len()).filter(|k| scene.items[*k].parent == parent).collect();
    for k in &children {
        let (w, h) = inside(scene, Some(*k), out);
        let (own_w, own_h) = own_size(scene, *k);
        let full = if w > 0.0 { (own_w.max(w + 2.0 * PAD), HEAD + h + PAD) } else { (own_w, own_h) };
        (out.boxes[*k].w, out.boxes[*k].h) = full;
    }
    if children.is_empty() {
        return (0.0, 0.0);
    }
    let level = level(scene, parent, &children, out);
    let rows = order(&level);
    let spots = spots(&level, &rows);
    let left = spots.iter().map(|s| s.0).fold(f64::INFINITY, f64::min);
    let top = spots.iter().map(|s| s.1).fold(f64::INFINITY, f64::min);
    let (mut w, mut h) = (0.0f64, 0.0f64);
    for (k, (x, y)) in spots.iter().enumerate() {
        let (x, y) = (x - left, y - top);
        (w, h) = (w.max(x + level.size[k].0), h.max(y + level.size[k].1));
        if let Some(item) = level.items[k] {
            (out.boxes[item].x, out.boxes[item].y) = (x, y);
        }
    }
    for (edge, list) in &level.bends {
        out.bends[*edge] = list.iter().map(|k| (spots[*k].0 - left, spots[*k].1 - top)).collect();
    }
    (w, h)
}

fn own_size(scene: &Scene, k: usize) -> (f64, f64) {
    let item = &scene.items[k];
    let name = item.name.chars().count() + item.count.as_ref().map_or(0, |c| c.chars().count() + 1);
    let chars = name.max(item.about.chars().count()) as f64;
    let extra = if item.kind == Kind::Router { 20.0 } else { 0.0 };
    ((chars * CHAR + 2.0 * PAD + extra).max(64.0), HEAD)
}

/// The child of `parent` that an item lies in.
fn lift(scene: &Scene, parent: Option<usize>, mut item: usize) -> Option<usize> {
    loop {
        if scene.items[item].parent == parent {
            return Some(item);
        }
        item = scene.items[item].parent?;
    }
}

fn level(scene: &Scene, parent: Option<usize>, children: &[usize], out: &Placed) -> Level {
    let at = |item: usize| children.iter().position(|c| *c == item);
    let mut between: Vec<(usize, usize, usize)> = Vec::new();
    for (e, edge) in scene.edges.iter().enumerate() {
        let ends = (lift(scene, parent, edge.from).and_then(at), lift(scene, parent, edge.to).and_then(at));
        if let (Some(a), Some(b)) = ends
            && a != b
        {
            between.push((e, a, b));
        }
    }
    let layer = layers(scene, children, &between);
    let size = children.iter().map(|c| (out.boxes[*c].w, out.boxes[*c].h)).collect();
    let mut level =
        Level { items: children.iter().copied().map(Some).collect(), size, layer, links: Vec::new(), bends: Vec::new() };
    for (e, a, b) in between {
        let (from, to) = (level.layer[a], level.layer[b]);
        let mut last = a;
        let mut bends = Vec::new();
        for l in from + 1..to {
            level.items.push(None);
            level.size.push((0.0, 6.0));
            level.layer.push(l);
            let k = level.items.len() - 1;
            level.links.push((last, k));
            bends.push(k);
            last = k;
        }
        level.links.push((last, b));
        level.bends.push((e, bends));
    }
    level
}

/// Longest path from the left; edges that would close a cycle are left out. Outputs stand at the far right, and what
/// has no edge into it stands just before what it feeds.
fn layers(scene: &Scene, children: &[usize], edges: &[(usize, usize, usize)]) -> Vec<usize> {
    let n = children.len();
    let mut kept: Vec<(usize, usize)> = Vec::new();
    for (_, a, b) in edges {
        if !reaches(&kept, *b, *a, n) {
            kept.push((*a, *b));
        }
    }
    let mut layer = vec![0; n];
    for _ in 0..n {
        for (a, b) in &kept {
            layer[*b] = layer[*b].max(layer[*a] + 1);
        }
    }
    let last = layer.iter().copied().max().unwrap_or(0);
    for k in (0..n).rev() {
        let first_user = kept.iter().filter(|(a, _)| *a == k).map(|(_, b)| layer[*b]).min();
        match scene.items[children[k]].kind {
            Kind::Output | Kind::Loss => layer[k] = last,
            _ if !kept.iter().any(|(_, b)| *b == k) => layer[k] = first_user.map_or(0, |u| u - 1),
            _ => {}
        }
    }
    layer
}

fn reaches(edges: &[(usize, usize)], from: usize, to: usize, n: usize) -> bool {
    let mut seen = vec![false; n];
    let mut todo = vec![from];
    while let Some(k) = todo.pop() {
        if k == to {
            return true;
        }
        if !std::mem::replace(&mut seen[k], true) {
            todo.extend(edges.iter().filter(|(a, _)| *a == k).map(|(_, b)| *b));
        }
    }
    false
}

/// The items of each layer from top to bottom.
fn order(level: &Level) -> Vec<Vec<usize>> {
    let count = level.layer.iter().copied().max().unwrap_or(0) + 1;
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (k, l) in level.layer.iter().enumerate() {
        rows[*l].push(k);
    }
    for sweep in 0..8 {
        let forward = sweep % 2 == 0;
        let layers: Vec<usize> = if forward { (1..count).collect() } else { (0..count.saturating_sub(1)).rev().collect() };
        for l in layers {
            let place = places(&rows, level.items.len());
            let key = |k: &usize| {
                let near: Vec<f64> = level
                    .links
                    .iter()
                    .filter_map(|(a, b)| if forward { (b == k).then_some(*a) } else { (a == k).then_some(*b) })
                    .map(|m| place[m])
                    .collect();
                if near.is_empty() { place[*k] } else { near.iter().sum::<f64>() / near.len() as f64 }
            };
            let mut row = std::mem::take(&mut rows[l]);
            row.sort_by(|a, b| key(a).total_cmp(&key(b)));
            rows[l] = row;
        }
    }
    rows
}

fn places(rows: &[Vec<usize>], n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n];
    for row in rows {
        for (i, k) in row.iter().enumerate() {
            out[*k] = (i as f64 + 0.5) / row.len() as f64;
        }
    }
    out
}

/// Upper left corners: layers side by side, each item near the middle of its neighbours.
fn spots(level: &Level, rows: &[Vec<usize>]) -> Vec<(f64, f64)> {
    let n = level.items.len();
    let mut x = vec![0.0; n];
    let mut left = 0.0;
    for row in rows {
        let width = row.iter().map(|k| level.size[*k].0).fold(0.0, f64::max);
        row.iter().for_each(|k| x[*k] = left + (width - level.size[*k].0) / 2.0);
        left += width + GAP_X;
    }
    let mut mid = vec![0.0; n];
    for row in rows {
        let total: f64 = row.iter().map(|k| level.size[*k].1 + GAP_Y).sum::<f64>() - GAP_Y;
        let mut y = -total / 2.0;
        for k in row {
            mid[*k] = y + level.size[*k].1 / 2.0;
            y += level.size[*k].1 + GAP_Y;
        }
    }
    for _ in 0..6 {
        for row in rows {
            let wish: Vec<f64> = row.iter().map(|k| wanted(level, &mid, *k)).collect();
            settle(level, row, &wish, &mut mid);
        }
    }
    (0..n).map(|k| (x[k], mid[k] - level.size[k].1 / 2.0)).collect()
}

fn wanted(level: &Level, mid: &[f64], k: usize) -> f64 {
    let near: Vec<f64> = level
        .links
        .iter()
        .filter_map(|(a, b)| {
            if *a == k {
                Some(mid[*b])
            } else if *b == k {
                Some(mid[*a])
            } else {
                None
            }
        })
        .collect();
    if near.is_empty() { mid[k] } else { near.iter().sum::<f64>() / near.len() as f64 }
}

/// Puts a row where it wants to be without overlap: pushed down from above, then moved up so that the mean wish is met.
fn settle(level: &Level, row: &[usize], wish: &[f64], mid: &mut [f64]) {
    let mut bottom = f64::NEG_INFINITY;
    for (k, want) in row.iter().zip(wish) {
        let half = level.size[*k].1 / 2.0;
        mid[*k] = want.max(bottom + half);
        bottom = mid[*k] + half + GAP_Y;
    }
    let off: f64 = row.iter().zip(wish).map(|(k, w)| w - mid[*k]).sum::<f64>() / row.len().max(1) as f64;
    row.iter().for_each(|k| mid[*k] += off);
}

/// Turns places that are relative to the box around them into places in the picture.
fn absolute(scene: &Scene, placed: &Placed) -> Placed {
    let mut out = placed.clone();
    for k in 0..scene.items.len() {
        let (dx, dy) = origin(scene, placed, scene.items[k].parent);
        out.boxes[k].x += dx;
        out.boxes[k].y += dy;
    }
    for (e, edge) in scene.edges.iter().enumerate() {
        let (dx, dy) = origin(scene, placed, scene.around(edge.from, edge.to));
        out.bends[e].iter_mut().for_each(|(x, y)| (*x, *y) = (*x + dx, *y + dy));
    }
    out
}

/// Where the inside of a box begins.
fn origin(scene: &Scene, placed: &Placed, parent: Option<usize>) -> (f64, f64) {
    let (mut x, mut y) = (0.0, 0.0);
    let mut at = parent;
    while let Some(k) = at {
        x += placed.boxes[k].x + PAD;
        y += placed.boxes[k].y + HEAD;
        at = scene.items[k].parent;
    }
    (x, y)
}

#[cfg(test)]
mod tests {
    use super::super::scene::{Edge, Item, Link};
    use super::super::svg;
    use super::*;
    use crate::ir::Rate;

    fn scene() -> Scene {
        let mut s = Scene { title: "Tasks".into(), ..Scene::default() };
        let mut add = |path: &str, kind: Kind, about: &str, count: Option<&str>, rate: Rate, parent: Option<usize>| {
            let name = path.rsplit('.').next().unwrap_or(path).to_string();
            s.items.push(Item { path: path.into(), kind, name, about: about.into(), count: count.map(Into::into), rate, parent });
            s.items.len() - 1
        };
        let (input, condition) = (Rate::Input, Rate::Condition);
        let task = add("task", Kind::Condition, "i32", None, condition, None);
        let x = add("x", Kind::Input, "f32[b, 64]", None, input, None);
        let label = add("label", Kind::Input, "i32[b]", None, input, None);
        let embed = add("embed", Kind::Param, "f32[5, 16]", None, Rate::Parameter, None);
        let hyper = add("hyper", Kind::Net, "Hyper", None, condition, None);
        let trunk = add("hyper.trunk", Kind::Net, "Linear", None, condition, Some(hyper));
        let head = add("hyper.head", Kind::Net, "Linear", None, condition, Some(hyper));
        let target = add("target", Kind::Net, "Mlp", None, input, None);
        let fc1 = add("target.fc1", Kind::Net, "Linear", None, input, Some(target));
        let fc2 = add("target.fc2", Kind::Net, "Linear", None, input, Some(target));
        let gate = add("gate", Kind::Net, "Linear", None, input, None);
        let router = add("router", Kind::Router, "capacity 1.25", None, input, None);
        let expert = add("expert", Kind::Net, "Ffn", Some("× 8"), input, None);
        let logits = add("logits", Kind::Output, "f32[b, 10]", None, input, None);
        let nll = add("nll", Kind::Loss, "f32", None, input, None);
        s.items[router].name = "2 of 8".into();
        let flow = [
            (task, trunk),
            (embed, trunk),
            (trunk, head),
            (x, fc1),
            (fc1, fc2),
            (fc2, gate),
            (fc2, router),
            (gate, router),
            (expert, logits),
            (expert, nll),
            (label, nll),
        ];
        s.edges.extend(flow.map(|(from, to)| Edge { from, to, link: Link::Flow }));
        s.edges.push(Edge { from: hyper, to: target, link: Link::Generate });
        s.edges.push(Edge { from: trunk, to: fc2, link: Link::Scale });
        s.edges.push(Edge { from: router, to: expert, link: Link::Route });
        s.edges.push(Edge { from: nll, to: gate, link: Link::Tie });
        s
    }

    #[test]
    fn boxes_hold_their_parts_and_do_not_overlap() {
        let s = scene();
        let placed = place(&s);
        let r = |k: usize| placed.boxes[k];
        for a in 0..s.items.len() {
            if let Some(p) = s.items[a].parent {
                let (inner, outer) = (r(a), r(p));
                assert!(
                    inner.x >= outer.x
                        && inner.y >= outer.y
                        && inner.x + inner.w <= outer.x + outer.w
                        && inner.y + inner.h <= outer.y + outer.h
                );
            }
            for b in 0..a {
                let apart = r(a).x + r(a).w <= r(b).x
                    || r(b).x + r(b).w <= r(a).x
                    || r(a).y + r(a).h <= r(b).y
                    || r(b).y + r(b).h <= r(a).y;
                assert!(apart || s.within(a, b) || s.within(b, a), "{} and {}", s.items[a].path, s.items[b].path);
            }
        }
        if let Ok(path) = std::env::var("HNET_PICTURE") {
            std::fs::write(path, svg::write(&s, &placed)).unwrap();
        }
    }

    #[test]
    fn edges_go_from_left_to_right() {
        let s = scene();
        let placed = place(&s);
        for e in s.edges.iter().filter(|e| e.link != Link::Tie) {
            let (a, b) = (placed.boxes[e.from], placed.boxes[e.to]);
            assert!(a.x + a.w <= b.x, "{} to {}", s.items[e.from].path, s.items[e.to].path);
        }
    }
}
