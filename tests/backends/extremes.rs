//! The largest, least and softmax of the rows of each segment, and their gradients: they go over the rows once, and give what loops by hand do.

use crate::common::make::{F, I, Make, k, n};
use crate::suite::{Case, Target, numbers, sum, targets};
use hnet::fuzz::check::model;
use hnet::ir::{Data, Fold, Op, Origin, Tensor};
use hnet::opt::optimize;

/// The best of the values of each group, as a fold of them in order has it.
fn best<T: Copy>(index: &[i32], values: &[T], groups: usize, start: T, better: impl Fn(T, T) -> bool) -> Vec<T> {
    let mut out = vec![start; groups];
    for (i, v) in index.iter().zip(values) {
        if let Some(old) = usize::try_from(*i).ok().and_then(|i| out.get_mut(i))
            && better(*v, *old)
        {
            *old = *v;
        }
    }
    out
}

/// From none to many rows, on devices by each of their three ways. Some rows belong to no group, and some groups have none.
#[test]
fn each_row_is_looked_at_once() {
    for (rows, groups) in [(0, 3), (1, 1), (9, 4), (255, 7), (300, 2), (2000, 5), (4097, 1100)] {
        let mut m = Make::new(rows);
        let index: Vec<i32> = (0..rows).map(|q| (q * 7919 % (groups + 2)) as i32 - 1).collect();
        let mut values: Vec<f32> = (0..rows).map(|q| ((q * 37) % 101) as f32 / 8.0 - 5.0).collect();
        for (q, v) in [(3, f32::INFINITY), (4, f32::NEG_INFINITY), (8, f32::NAN), (200, -0.0), (201, 0.0)] {
            if let Some(place) = values.get_mut(q) {
                *place = v;
            }
        }
        let whole: Vec<i32> = (0..rows).map(|q| if q == 5 { i32::MIN } else { (q * 31 % 64) as i32 - 32 }).collect();
        let at = m.input_as(Origin::Input, &[n()], Data::I32(index.clone()));
        let (x, w) = (
            m.input_as(Origin::Input, &[n()], Data::F32(values.clone())),
            m.input_as(Origin::Input, &[n()], Data::I32(whole.clone())),
        );
        let mut wanted = Vec::new();
        for fold in [Fold::Max, Fold::Min] {
            for (dtype, of) in [(F, x), (I, w)] {
                wanted.push(m.add(Op::Scatter { axis: 0, fold }, dtype, &[k(groups)], &[n()], &[(at, &[1]), (of, &[1])]));
            }
        }
        let nan = |new: f32, old: f32| new.is_nan() && !old.is_nan();
        let most = best(&index, &values, groups, f32::NEG_INFINITY, |a, b| a > b || nan(a, b));
        let least = best(&index, &values, groups, f32::INFINITY, |a, b| a < b || nan(a, b));
        let (high, low) =
            (best(&index, &whole, groups, i32::MIN, |a, b| a > b), best(&index, &whole, groups, i32::MAX, |a, b| a < b));
        let case = Case::made(&format!("{rows} rows, {groups} groups"), &m, &wanted);
        case.each(|way, got| {
            for g in 0..groups {
                let real = [(0, most[g]), (2, least[g])];
                for (o, want) in real {
                    let found = got[o].get(g);
                    let same = found == f64::from(want) || found.is_nan() && want.is_nan();
                    assert!(same, "{rows} rows, {way:?}: group {g} of output {o} is {found}, not {want}");
                }
                assert_eq!((got[1].get(g), got[3].get(g)), (f64::from(high[g]), f64::from(low[g])), "{rows} rows, {way:?}: {g}");
            }
        });
    }
}

/// Over batches of their own, in the middle of the result, of values that more loops have than the index.
#[test]
fn dims_stand_in_any_order() {
    for (rows, width) in [(1, 1), (6, 5), (700, 3)] {
        let mut m = Make::new(rows);
        let index = m.i(&[k(2), n()], -1, 4);
        let x = m.f(&[n(), k(width), k(2), k(3)]);
        let fold = Fold::Max;
        let shape = [k(2), k(4), k(width)];
        let middle = m.add(Op::Scatter { axis: 1, fold }, F, &shape, &[n(), k(3)], &[(index, &[0, 3]), (x, &[3, 2, 0, 4])]);
        Case::made(&format!("{rows} rows of {width}"), &m, &[middle]).agrees();
    }
}

const SEGMENTS: &str = "
import std.graph { segment_max, segment_softmax }
dim edge
dim v
model M {
    input x: [edge, 3]
    input of: i32[edge]
    input _size_of: [v]
    let shares = segment_softmax(x, of, count[v])
    let best = segment_max(x, of, count[v])
    let most_of[v, d] = best[v, d]
    let low_of[v, d] = min[edge where of == v] x[edge, d]
    let both_of[v, d] = logsumexp[edge where of == v] 2 * x[edge, d]
    output y: [edge, 3] = shares
    output most: [v, 3] = most_of
    output low: [v, 3] = low_of
    output both: [v, 3] = both_of
    let by_share = sum[edge, d] shares[edge, d] * shares[edge, d] * (d + 1)
    let by_most = sum[v, d] best[v, d] * best[v, d]
    output share: [edge, 3] = grad(by_share, x)
    output top: [edge, 3] = grad(by_most, x)
}";

/// What is said of rows of segments, by hand.
struct Hand {
    y: Vec<f64>,
    most: Vec<f64>,
    low: Vec<f64>,
    both: Vec<f64>,
    share: Vec<Target>,
    top: Vec<f64>,
}

fn by_hand(x: &[f64], of: &[usize], groups: usize) -> Hand {
    let at = |e: usize, d: usize| e * 3 + d;
    let (mut y, mut share, mut top) = (vec![0.0; x.len()], vec![Target::from(0.0); x.len()], vec![0.0; x.len()]);
    let (mut most, mut low, mut both) =
        (vec![0.0; groups * 3], vec![f64::INFINITY; groups * 3], vec![f64::NEG_INFINITY; groups * 3]);
    for v in 0..groups {
        let rows: Vec<usize> = (0..of.len()).filter(|e| of[*e] == v).collect();
        for d in (0..3).filter(|_| !rows.is_empty()) {
            let all = || rows.iter().map(|e| x[at(*e, d)]);
            let (high, least) = (all().fold(f64::NEG_INFINITY, f64::max), all().fold(f64::INFINITY, f64::min));
            let total: f64 = all().map(|x| (x - high).exp()).sum();
            (most[v * 3 + d], low[v * 3 + d]) = (high, least);
            both[v * 3 + d] = 2.0 * high + all().map(|x| (2.0 * (x - high)).exp()).sum::<f64>().ln();
            rows.iter().for_each(|e| y[at(*e, d)] = (x[at(*e, d)] - high).exp() / total);
            let handed = |e: &usize| 2.0 * y[at(*e, d)] * (d + 1) as f64;
            let mean: f64 = rows.iter().map(|e| handed(e) * y[at(*e, d)]).sum();
            rows.iter().for_each(|e| share[at(*e, d)] = sum([y[at(*e, d)] * handed(e), -y[at(*e, d)] * mean]));
            let ties = all().filter(|x| *x == high).count() as f64;
            rows.iter().filter(|e| x[at(**e, d)] == high).for_each(|e| top[at(*e, d)] = 2.0 * high / ties);
        }
    }
    Hand { y, most, low, both, share, top }
}

/// Ties among the largest, segments of one row and of none.
#[test]
fn segments_are_what_loops_by_hand_give() {
    for (edges, groups) in [(1, 1), (2, 5), (40, 7), (700, 50)] {
        let x: Vec<f64> = (0..edges * 3).map(|k| ((k * 37) % 23) as f64 / 4.0 - 2.5).collect();
        let of: Vec<usize> = (0..edges).map(|e| (e * e + e / 3) % groups).collect();
        let index = Tensor::new(vec![edges], Data::I32(of.iter().map(|v| *v as i32).collect()));
        let shaped = Tensor::new(vec![edges, 3], numbers(&x).data);
        let dims = [("edge", edges as i64), ("v", groups as i64)];
        let case = Case::new(SEGMENTS, &dims, &[("x", shaped), ("of", index)]);
        let hand = by_hand(&x, &of, groups);
        let all = [("y", &hand.y), ("most", &hand.most), ("low", &hand.low), ("both", &hand.both), ("top", &hand.top)];
        let mut wants: Vec<_> = all.iter().map(|(name, w)| (name.to_string(), targets(w.as_slice()))).collect();
        wants.push(("share".to_string(), hand.share));
        case.meets(4e-6, &wants);
    }
}

/// No value and no fold has both an edge and a node: 100,000 edges of 10,000 nodes are no 1,000,000,000 of anything.
#[test]
fn nothing_is_made_for_each_edge_and_each_node() {
    let graph = optimize(&model(SEGMENTS).unwrap_or_else(|f| panic!("{}", f.detail)).graph, &mut |_, _| ());
    for id in graph.ids() {
        let node = graph.node(id);
        let has = |name: &str| node.shape.iter().chain(&node.inner).any(|a| a.size.symbols().iter().any(|s| &**s == name));
        assert!(
            !(has("edge") && has("v")) || matches!(node.op, Op::Scatter { .. }),
            "{}\n{graph}",
            hnet::ir::text::word(&graph.node(id).op)
        );
    }
}
