//! In which column each box of a scene stands, and in which order the boxes of a column do.
//!
//! In: a [`Scene`]. Out: for each box a layer among its neighbours, from the left, and which edges go back to the left. Layers by longest path,
//! order within a layer by the mean place of the neighbours (Sugiyama, Tagawa and Toda 1981).

use super::scene::{Kind, Scene};

/// Columns of all boxes, each counted within the box around it.
pub struct Layers {
    pub of: Vec<usize>,
    /// Edges from a box to one further left.
    pub back: Vec<bool>,
}

impl Layers {
    pub fn of(scene: &Scene) -> Layers {
        let mut out = Layers { of: vec![0; scene.items.len()], back: vec![false; scene.edges.len()] };
        for parent in std::iter::once(None).chain((0..scene.items.len()).map(Some)) {
            let children = children(scene, parent);
            let edges: Vec<(usize, usize, usize)> =
                (0..scene.edges.len()).filter_map(|e| between(scene, parent, e).map(|(a, b)| (e, a, b))).collect();
            for (k, layer) in children.iter().zip(layers(scene, &children, &edges)) {
                out.of[*k] = layer;
            }
            for (e, a, b) in edges {
                out.back[e] = out.of[a] >= out.of[b];
            }
        }
        out
    }
}

/// The boxes that stand straight in a box.
pub fn children(scene: &Scene, parent: Option<usize>) -> Vec<usize> {
    (0..scene.items.len()).filter(|k| scene.items[*k].parent == parent).collect()
}

/// The child of `parent` that an item lies in.
pub fn lift(scene: &Scene, parent: Option<usize>, mut item: usize) -> Option<usize> {
    loop {
        if scene.items[item].parent == parent {
            return Some(item);
        }
        item = scene.items[item].parent?;
    }
}

/// The children of `parent` that an edge goes between.
fn between(scene: &Scene, parent: Option<usize>, edge: usize) -> Option<(usize, usize)> {
    let e = &scene.edges[edge];
    let ends = (lift(scene, parent, e.from)?, lift(scene, parent, e.to)?);
    (ends.0 != ends.1).then_some(ends)
}

/// Longest path from the left; edges that would close a cycle count the other way round. Outputs stand at the far right, and what
/// has no edge into it stands just before what it feeds.
fn layers(scene: &Scene, children: &[usize], edges: &[(usize, usize, usize)]) -> Vec<usize> {
    let n = children.len();
    let at = |item: usize| children.iter().position(|c| *c == item).expect("a child");
    let mut kept: Vec<(usize, usize)> = Vec::new();
    for (_, a, b) in edges {
        let (a, b) = (at(*a), at(*b));
        let edge = if reaches(&kept, b, a, n) { (b, a) } else { (a, b) };
        kept.push(edge);
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
        let ends = first_user.is_none() && matches!(scene.items[children[k]].kind, Kind::Output | Kind::Loss);
        match first_user {
            _ if ends => layer[k] = last,
            Some(user) if !kept.iter().any(|(_, b)| *b == k) => layer[k] = user - 1,
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

/// The places of each layer from top to bottom; `links` are neighbours in adjacent layers.
pub fn order(layer: &[usize], links: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let count = layer.iter().copied().max().map_or(0, |m| m + 1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (k, l) in layer.iter().enumerate() {
        rows[*l].push(k);
    }
    let mut best = (crossings(&rows, layer, links), rows.clone());
    for sweep in 0..12 {
        let forward = sweep % 2 == 0;
        let layers: Vec<usize> = if forward { (1..count).collect() } else { (0..count.saturating_sub(1)).rev().collect() };
        for l in layers {
            let place = places(&rows, layer.len());
            let key = |k: &usize| {
                let near = |(a, b): &(usize, usize)| if forward { (b == k).then_some(*a) } else { (a == k).then_some(*b) };
                let near: Vec<f64> = links.iter().filter_map(near).map(|m| place[m]).collect();
                if near.is_empty() { place[*k] } else { near.iter().sum::<f64>() / near.len() as f64 }
            };
            rows[l].sort_by(|a, b| key(a).total_cmp(&key(b)));
        }
        let now = crossings(&rows, layer, links);
        if now < best.0 {
            best = (now, rows.clone());
        }
    }
    best.1
}

/// How many pairs of lines cross.
fn crossings(rows: &[Vec<usize>], layer: &[usize], links: &[(usize, usize)]) -> usize {
    let mut at = vec![0; layer.len()];
    for row in rows {
        row.iter().enumerate().for_each(|(i, k)| at[*k] = i);
    }
    let mut count = 0;
    for (i, (a, b)) in links.iter().enumerate() {
        for (c, d) in links[..i].iter().filter(|(c, _)| layer[*c] == layer[*a]) {
            count += usize::from((at[*a] < at[*c] && at[*b] > at[*d]) || (at[*a] > at[*c] && at[*b] < at[*d]));
        }
    }
    count
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
