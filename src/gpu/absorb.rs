//! A kernel drawn into the product that it reads element by element, so that what follows a product is computed on the spot.

use super::choose::Chooser;
use super::program::{Buffer, Kind};
use super::stage::{Counts, Placed, Stage, reads};
use crate::ir::{DType, Map, Size};
use crate::plan::{Access, Expr, Index, Kernel, Place};
use crate::source::Span;
use std::collections::BTreeMap;

/// Draws `k` into the product that it reads element by element, when nobody else reads that; the product leaves its place.
/// `about`: what it is made for.
pub(super) fn drawn(
    k: Kernel,
    about: &Place,
    before: &mut Vec<Placed>,
    buffers: &[Buffer],
    counts: &Counts,
    chooser: &Chooser,
) -> (Stage, Vec<Span>) {
    // Nearly always the last few: what has one reader is read soon.
    let once = |b: &usize| buffers[*b].kind == Kind::Temp && counts.get(b) == Some(&1);
    let last = |b: usize| before.iter().rposition(|s| s.stage.target() == b);
    let mut makers: Vec<usize> = reads(&k).into_iter().filter(once).filter_map(last).collect();
    makers.sort_by_key(|n| std::cmp::Reverse(*n));
    makers.dedup();
    for n in makers {
        let (p, sum) = match &before[n].stage {
            Stage::Product { kernel, sum } | Stage::Grouped { kernel, sum, .. } => (kernel, *sum),
            Stage::Kernel(_) | Stage::Parts(_) | Stage::Other(_) => continue,
        };
        let b = p.store.buffer;
        // A fold that was taken out of `k` may read it as well.
        let other = before[n + 1..].iter().any(|s| s.stage.reads().contains(&b));
        if p.value != sum || other {
            continue;
        }
        if let Some(merged) = merge(p, sum, &k, chooser.size) {
            if !chooser.is_finished(about, &k.name) {
                break;
            }
            let old = before.remove(n);
            let stage = match old.stage {
                Stage::Grouped { grouped, .. } => Stage::Grouped { grouped, kernel: merged, sum },
                Stage::Product { .. } | Stage::Kernel(_) | Stage::Parts(_) | Stage::Other(_) => {
                    Stage::Product { kernel: merged, sum }
                }
            };
            return (stage, old.places);
        }
    }
    (Stage::Kernel(k), Vec::new())
}

/// `k` on the loops of `p`, with `p`'s sum in the place of its load. `None` where `k` reads more than one element of it.
fn merge(p: &Kernel, sum: usize, k: &Kernel, size: &dyn Fn(&Size) -> i64) -> Option<Kernel> {
    let b = p.store.buffer;
    let holes: Vec<usize> = (0..k.body.len())
        .filter(|e| matches!(&k.body[*e], Expr::Load(a) | Expr::Pick { access: a, .. } if a.buffer == b))
        .collect();
    let [hole] = holes.as_slice() else { return None };
    let Expr::Load(load) = &k.body[*hole] else { return None };
    if k.body.iter().any(|e| matches!(e, Expr::Reduce { .. } | Expr::Mend { .. })) || size(&load.offset) != size(&p.store.offset)
    {
        return None;
    }
    let loops = cover(p, k, load, size)?;
    let mut out = p.clone();
    let base = out.body.len();
    let number = |e: usize| if e == *hole { sum } else { base + e };
    let access = |a: &Access| {
        let mut terms: BTreeMap<usize, Size> = BTreeMap::new();
        for (l, s) in &a.terms {
            for (own, times) in &loops[*l] {
                let part = s.mul(times);
                let sum = terms.get(own).map_or_else(|| part.clone(), |t| t.add(&part));
                terms.insert(*own, sum);
            }
        }
        Access { buffer: a.buffer, offset: a.offset.clone(), terms: terms.into_iter().collect() }
    };
    // Counters of joined loops are sums of counters; those values come last, where nothing else has a number yet.
    let mut counters: BTreeMap<usize, usize> = BTreeMap::new();
    let mut extra: Vec<Expr> = Vec::new();
    for e in &k.body {
        let Expr::Counter(l) = e else { continue };
        let first = base + k.body.len();
        let mut total: Option<usize> = None;
        for (own, times) in &loops[*l] {
            extra.push(Expr::Counter(*own));
            let mut term = first + extra.len() - 1;
            if !times.is(1) {
                extra.push(Expr::Size(times.clone()));
                extra.push(Expr::Map(Map::Mul, vec![term, first + extra.len() - 1]));
                term = first + extra.len() - 1;
            }
            total = Some(match total {
                None => term,
                Some(t) => {
                    extra.push(Expr::Map(Map::Add, vec![t, term]));
                    first + extra.len() - 1
                }
            });
        }
        let total = match total {
            Some(t) => t,
            None => {
                extra.push(Expr::Const(0.0));
                first + extra.len() - 1
            }
        };
        counters.insert(*l, total);
    }
    for (e, x) in k.body.iter().enumerate() {
        out.body.push(match x {
            Expr::Const(_) | Expr::Size(_) => x.clone(),
            Expr::Counter(_) => Expr::Const(0.0),
            Expr::Load(_) if e == *hole => Expr::Const(0.0),
            Expr::Load(a) => Expr::Load(access(a)),
            Expr::Pick { access: a, at, fill } => {
                let at = at.iter().map(|i| Index { value: number(i.value), ..i.clone() }).collect();
                Expr::Pick { access: access(a), at, fill: *fill }
            }
            Expr::Map(m, args) => Expr::Map(*m, args.iter().map(|a| number(*a)).collect()),
            Expr::Reduce { .. } | Expr::Mend { .. } => return None,
        });
    }
    out.types.extend(k.types.iter().copied());
    out.types.extend(extra.iter().map(|_| DType::I32));
    out.body.extend(extra);
    let table: BTreeMap<usize, usize> = k
        .body
        .iter()
        .enumerate()
        .filter_map(|(e, x)| Some((base + e, *counters.get(if let Expr::Counter(l) = x { l } else { return None })?)))
        .collect();
    let out_value = number(k.value);
    out.value = *table.get(&out_value).unwrap_or(&out_value);
    out.store = access(&k.store);
    out.name.clone_from(&k.name);
    Some(ordered(&out, &table))
}

/// The same kernel with operands before users and nothing unused.
fn ordered(k: &Kernel, table: &BTreeMap<usize, usize>) -> Kernel {
    let real = |e: usize| *table.get(&e).unwrap_or(&e);
    let operands = |e: usize| -> Vec<usize> {
        match &k.body[e] {
            Expr::Map(_, args) => args.iter().map(|a| real(*a)).collect(),
            Expr::Pick { at, .. } => at.iter().map(|i| real(i.value)).collect(),
            Expr::Reduce { value, .. } => vec![real(*value)],
            Expr::Mend { of, value, .. } => vec![real(*of), real(*value)],
            Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Load(_) => Vec::new(),
        }
    };
    let mut order: Vec<usize> = Vec::new();
    let mut todo = vec![(real(k.value), false)];
    let mut place: BTreeMap<usize, usize> = BTreeMap::new();
    // The product's own values keep their numbers: the first ones.
    let own = k.body.iter().position(|e| matches!(e, Expr::Reduce { .. })).map_or(0, |e| e + 1);
    for e in 0..own {
        place.insert(e, e);
        order.push(e);
    }
    while let Some((e, ready)) = todo.pop() {
        if place.contains_key(&e) {
            continue;
        }
        if ready {
            place.insert(e, order.len());
            order.push(e);
        } else {
            todo.push((e, true));
            todo.extend(operands(e).into_iter().map(|o| (o, false)));
        }
    }
    let at = |e: &usize| place[&real(*e)];
    let body = order
        .iter()
        .map(|e| match &k.body[*e] {
            Expr::Map(m, args) => Expr::Map(*m, args.iter().map(at).collect()),
            Expr::Pick { access, at: indices, fill } => Expr::Pick {
                access: access.clone(),
                at: indices.iter().map(|i| Index { value: at(&i.value), ..i.clone() }).collect(),
                fill: *fill,
            },
            Expr::Reduce { fold, loops, value } => Expr::Reduce { fold: *fold, loops: loops.clone(), value: at(value) },
            Expr::Mend { of, loops, value } => Expr::Mend { of: at(of), loops: loops.clone(), value: at(value) },
            other => other.clone(),
        })
        .collect();
    let types = order.iter().map(|e| k.types[*e]).collect();
    Kernel { body, types, value: at(&k.value), ..k.clone() }
}

/// For each loop of `k` the loops of `p` that make it up, each with its multiple.
fn cover(p: &Kernel, k: &Kernel, load: &Access, size: &dyn Fn(&Size) -> i64) -> Option<Vec<Vec<(usize, Size)>>> {
    let mut left: Vec<(usize, i64, Size)> = (0..p.outer)
        .filter(|l| size(&p.loops[*l].size) != 1)
        .map(|l| {
            let stride = p.store.terms.iter().find(|t| t.0 == l).map_or(0, |t| size(&t.1));
            (l, stride, p.loops[l].size.clone())
        })
        .collect();
    let mut out = vec![Vec::new(); k.loops.len()];
    for (l, x) in k.loops.iter().enumerate().take(k.outer) {
        let n = size(&x.size);
        if n == 1 {
            continue;
        }
        let stride = load.terms.iter().find(|t| t.0 == l).map(|t| size(&t.1))?;
        let (mut covered, mut times) = (1i64, Size::from(1i64));
        while covered < n {
            let at = left.iter().position(|(_, s, _)| *s == stride * covered)?;
            let (own, _, extent) = left.remove(at);
            out[l].push((own, times.clone()));
            covered *= size(&extent);
            times = times.mul(&extent);
        }
        if covered != n {
            return None;
        }
        out[l].reverse();
    }
    left.is_empty().then_some(out)
}
