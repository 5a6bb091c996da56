//! Matrices that a product writes for another: a head times a code, experts mixed by their shares. Both are one step, and the matrices lie
//! nowhere: some columns of each are written where the product reads them next.

use super::measured::plan::{PANEL_BYTES, WRITTEN_CODES, WRITTEN_COLUMNS, WRITTEN_ROWS, WRITTEN_SUMS};
use super::uses::Uses;
use super::view::value;
use super::{Access, Plan, Product, Sizes, Step, Written};
use crate::ir::{DType, Rate, Size};

/// `y[m, r, c] = Σ x[m, r, i] w[m, i, c]` with `w[m, i, c] = Σ z[m, q] head[q, i, c] + added[i, c]`: where all start, and what the loops are.
#[derive(Clone, Debug, PartialEq)]
pub struct Writing {
    pub z: (usize, i64),
    pub head: (usize, i64),
    /// With its strides for the terms of a sum and for columns; there may be none.
    pub added: Option<(usize, i64, [i64; 2])>,
    pub x: (usize, i64),
    pub y: (usize, i64),
    /// Matrices, and the strides of z, x and y.
    pub matrices: (i64, [i64; 3]),
    /// Numbers of a code: strides of z and of the head.
    pub codes: (i64, [i64; 2]),
    /// Rows: strides of x and y.
    pub rows: (i64, [i64; 2]),
    /// Terms of a sum: strides of x and of the head.
    pub sums: (i64, [i64; 2]),
    /// Columns: strides of the head and of y.
    pub columns: (i64, [i64; 2]),
}

/// All such pairs, of steps that `may` be one.
pub(super) fn find(plan: &Plan, sizes: &Sizes, may: &dyn Fn(usize) -> bool) -> Vec<Written> {
    let uses = Uses::of(plan);
    let pair = |(maker, reader, buffer): (usize, usize, usize)| {
        let found = match &plan.steps[reader] {
            Step::Kernel(k) => {
                let product = uses.only_reader(plan, reader, k.store.buffer)?;
                Written { maker, added: Some((reader, buffer)), product, buffer: k.store.buffer }
            }
            _product => Written { maker, added: None, product: reader, buffer },
        };
        let pays = |w: Writing| {
            // The head stays what it is, so that it is laid out once.
            let still = |b: usize| plan.buffers[b].rate <= Rate::Parameter && uses.writers[b].is_empty();
            let stays = still(w.head.0) && w.added.is_none_or(|a| still(a.0)) && maker >= plan.prepared;
            let room = w.codes.0.saturating_mul(w.sums.0).saturating_mul(w.columns.0) <= PANEL_BYTES as i64 / 4;
            let long = WRITTEN_ROWS.contains(&w.rows.0) && WRITTEN_SUMS.contains(&w.sums.0) && WRITTEN_CODES.contains(&w.codes.0);
            stays && room && long && w.columns.0 >= WRITTEN_COLUMNS && w.matrices.0 > 1
        };
        let free = found.makers().all(may) && may(found.product);
        (free && writing(plan, &found, sizes).is_some_and(pays)).then_some(found)
    };
    let mut found: Vec<Written> = uses.pairs(plan).filter_map(pair).collect();
    // A product whose matrices are written may write others: then it stays where it is.
    let products: Vec<usize> = found.iter().map(|w| w.product).collect();
    found.retain(|w| !products.contains(&w.maker));
    let mut taken = Vec::new();
    found.retain(|w| {
        let first = !taken.contains(&w.product);
        taken.push(w.product);
        first
    });
    found
}

/// A loop of a product: its steps, and its strides in the result and in two operands, `None` where it does not move there.
struct Span {
    n: i64,
    out: Option<i64>,
    by: [Option<i64>; 2],
}

/// The loops of a product that have more than one step, and of its operands first the one that lies in `first`, or the other one.
fn spans(p: &Product, b_first: bool, n: &dyn Fn(&Size) -> i64) -> Vec<Span> {
    let stride = |s: &Option<Size>| s.as_ref().map(n).filter(|s| *s != 0);
    let span = |s: &super::Span| {
        let (a, b) = (stride(&s.a), stride(&s.b));
        Span { n: n(&s.size), out: s.out.as_ref().map(n), by: if b_first { [b, a] } else { [a, b] } }
    };
    p.spans.iter().map(span).filter(|s| s.n != 1).collect()
}

/// The one loop of a kind; one of a single step where there is none.
fn one<const N: usize>(found: &[(i64, [i64; N])]) -> Option<(i64, [i64; N])> {
    match found {
        [] => Some((1, [0; N])),
        [one] => Some(*one),
        _ => None,
    }
}

/// What such a pair computes at these sizes. `None`: nothing of the kind.
pub fn writing(plan: &Plan, at: &Written, sizes: &Sizes) -> Option<Writing> {
    let (Step::Product(maker), Step::Product(product)) = (&plan.steps[at.maker], &plan.steps[at.product]) else { return None };
    let n = |s: &Size| value(s, sizes);
    if (product.a.0 == at.buffer) == (product.b.0 == at.buffer) {
        return None;
    }
    let float = |b: usize| plan.buffers[b].dtype == DType::F32;
    // The matrices first, then x; the matrices are read where they were written.
    let (matrices, x) = if product.b.0 == at.buffer { (&product.b, &product.a) } else { (&product.a, &product.b) };
    let uses = spans(product, product.b.0 == at.buffer, &n);
    if n(&matrices.1) != 0 || n(&maker.out.1) != 0 || ![x.0, product.out.0, maker.a.0, maker.b.0].into_iter().all(float) {
        return None;
    }
    let (mut around, mut rows, mut sums, mut columns) = (vec![], vec![], vec![], vec![]);
    for s in &uses {
        match (s.out, s.by) {
            (Some(y), [Some(w), Some(x)]) => around.push((s.n, [w, x, y])),
            (Some(y), [Some(w), None]) => columns.push((s.n, [w, y])),
            (Some(y), [None, Some(x)]) => rows.push((s.n, [x, y])),
            (None, [Some(w), Some(x)]) => sums.push((s.n, [w, x])),
            (None, [_, None] | [None, _]) | (Some(_), [None, None]) => return None,
        }
    }
    let (around, rows, sums, columns) = (one(&around)?, one(&rows)?, one(&sums)?, one(&columns)?);
    if (sums.0 == 1) || (columns.0 == 1) {
        return None;
    }
    let adds = match at.added {
        Some(added) => Some(adds(plan, added, sizes)?),
        None => None,
    };
    for b_first in [false, true] {
        // The code first, then the head.
        let (mut code, mut matrix, mut codes) = (vec![], vec![], vec![]);
        let mut other = false;
        for s in spans(maker, b_first, &n) {
            match (s.out, s.by) {
                (Some(w), [Some(z), None]) => code.push((s.n, [z, w])),
                (Some(w), [None, Some(h)]) => matrix.push((s.n, [h, w])),
                (None, [Some(z), Some(h)]) => codes.push((s.n, [z, h])),
                (Some(_), [Some(_), Some(_)] | [None, None]) | (None, [None, _] | [_, None]) => other = true,
            }
        }
        let (Some(code), Some(codes)) = (one(&code), one(&codes)) else { continue };
        // How far the head moves where the matrices move so far.
        let head = |(n, w): (i64, i64)| matrix.iter().find(|m| (m.0, m.1[1]) == (n, w)).map(|m| m.1[0]);
        let (along, across) = (head((sums.0, sums.1[0])), head((columns.0, columns.1[0])));
        let (Some(along), Some(across)) = (along, across) else { continue };
        let same = around.0 == code.0 && around.1[0] == code.1[1] && matrix.len() == 2 && !other;
        if !same {
            continue;
        }
        let added = match &adds {
            Some(adds) => Some(adds.by((code.0, code.1[1]), [(sums.0, sums.1[0]), (columns.0, columns.1[0])])?),
            None => None,
        };
        let (z, h) = if b_first { (&maker.b, &maker.a) } else { (&maker.a, &maker.b) };
        return Some(Writing {
            z: (z.0, n(&z.1)),
            head: (h.0, n(&h.1)),
            added,
            x: (x.0, n(&x.1)),
            y: (product.out.0, n(&product.out.1)),
            matrices: (code.0, [code.1[0], around.1[1], around.1[2]]),
            codes,
            rows,
            sums: (sums.0, [sums.1[1], along]),
            columns: (columns.0, [across, columns.1[1]]),
        });
    }
    None
}

/// What a step adds to each element of what it reads.
struct Adds {
    from: (usize, i64),
    /// Of each of its loops the steps, how far it moves in what it writes, and in what it adds.
    loops: Vec<[i64; 3]>,
}

/// `None`: it does something else.
fn adds(plan: &Plan, (kernel, buffer): (usize, usize), sizes: &Sizes) -> Option<Adds> {
    let Step::Kernel(k) = &plan.steps[kernel] else { return None };
    let n = |s: &Size| value(s, sizes);
    let (made, Some(added), None) = super::finished::made(k, buffer)? else { return None };
    let stride = |a: &Access, l: usize| a.terms.iter().filter(|t| t.0 == l).map(|t| n(&t.1)).sum::<i64>();
    let long: Vec<usize> = (0..k.loops.len()).filter(|l| n(&k.loops[*l].size) != 1).collect();
    let same = long.iter().all(|l| stride(made, *l) == stride(&k.store, *l)) && n(&made.offset) == 0 && n(&k.store.offset) == 0;
    let points: i64 = k.loops.iter().map(|l| n(&l.size)).product();
    let all: i64 = plan.buffers[buffer].shape.iter().map(n).product();
    let loops = long.iter().map(|l| [n(&k.loops[*l].size), stride(&k.store, *l), stride(added, *l)]).collect();
    (same && points == all).then(|| Adds { from: (added.buffer, n(&added.offset)), loops })
}

impl Adds {
    /// How far what is added moves with each of two loops of the matrices, of which it is the same for all; each loop has steps of some elements.
    fn by(&self, matrices: (i64, i64), both: [(i64, i64); 2]) -> Option<(usize, i64, [i64; 2])> {
        let moves = |(steps, apart): (i64, i64)| {
            // Several loops of the matrices may be one here.
            let holds = |l: &&[i64; 3]| l[1] > 0 && apart % l[1] == 0 && apart / l[1] * (steps - 1) < l[0];
            let mut fitting = self.loops.iter().filter(holds);
            fitting.next().filter(|_| fitting.next().is_none()).map(|l| l[2] * (apart / l[1]))
        };
        let still = matrices.0 == 1 || moves(matrices)? == 0;
        still.then_some((self.from.0, self.from.1, [moves(both[0])?, moves(both[1])?]))
    }
}
