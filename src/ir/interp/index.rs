//! Gather, scatter, joining, sorting, assignment.

use super::assign::assign;
use super::nest::{Walk, strides};
use super::reduce::{Read, rule};
use crate::ir::{Fold, Pick};

/// Where each dimension of a gather's source is indexed from, and how far one index moves in it.
struct Dim {
    pick: Pick,
    extent: usize,
    step: usize,
}

/// Reads `source` at picked places. `indices` are the operands after the source.
pub fn gather(
    source: &[f64],
    of: &[usize],
    picks: &[Pick],
    fill: Option<f64>,
    indices: &[Read],
    shape: &[usize],
    out: &mut Vec<f64>,
) {
    let unit: Vec<usize> = (0..of.len()).collect();
    let steps = strides(of, &unit, of.len());
    let dims: Vec<Dim> =
        picks.iter().zip(of).zip(steps).map(|((pick, extent), step)| Dim { pick: *pick, extent: *extent, step }).collect();
    let empty = of.contains(&0);
    // Where no index changes along the last loop and all of it lies inside, a row of it is read at once.
    let (rows, inside) = match shape.split_last() {
        Some((n, rows)) => {
            let here = |d: &&Dim| matches!(d.pick, Pick::Loop(k) if k == rows.len());
            let fits = dims.iter().filter(here).all(|d| *n <= d.extent) && indices.iter().all(|r| r.strides[rows.len()] == 0);
            (rows, fits.then(|| (*n, dims.iter().filter(here).map(|d| d.step).sum::<usize>())))
        }
        None => (shape, None),
    };
    let (n, step) = inside.unwrap_or((1, 0));
    let loops = if inside.is_some() { rows } else { shape };
    Walk::new(loops, indices.iter().map(|r| r.strides.clone()).collect()).each(|w| {
        let mut at = 0;
        let mut outside = false;
        for dim in &dims {
            let index = match dim.pick {
                Pick::Loop(k) => w.counter.get(k).map_or(0, |c| *c as i64),
                Pick::Operand(n) => indices[n - 1].data[w.at[n - 1]] as i64,
            };
            let last = dim.extent as i64 - 1;
            outside |= index < 0 || index > last;
            at += index.clamp(0, last.max(0)) as usize * dim.step;
        }
        match fill {
            Some(fill) if outside => out.extend(std::iter::repeat_n(fill, n)),
            None | Some(_) if empty => out.extend(std::iter::repeat_n(0.0, n)),
            None | Some(_) if step == 1 => out.extend_from_slice(&source[at..at + n]),
            None | Some(_) => out.extend((0..n).map(|j| source[at + j * step])),
        }
    });
}

/// Sums values where they belong along loop `axis`; neither operand is read through that loop.
pub fn scatter((axis, fold): (usize, Fold), index: &Read, value: &Read, shape: &[usize], inner: &[usize], out: &mut Vec<f64>) {
    let (start, join) = rule(fold, value.dtype);
    out.resize(shape.iter().product(), start);
    let unit: Vec<usize> = (0..shape.len()).collect();
    let mut home = strides(shape, &unit, shape.len() + inner.len());
    let step = std::mem::take(&mut home[axis]);
    let mut extents = [shape, inner].concat();
    let places = std::mem::replace(&mut extents[axis], 1) as f64;
    if places == 0.0 {
        return;
    }
    Walk::new(&extents, vec![index.strides.clone(), value.strides.clone(), home]).each(|w| {
        let place = index.data[w.at[0]];
        if place >= 0.0 && place < places {
            let at = w.at[2] + place as usize * step;
            out[at] = join(out[at], value.data[w.at[1]]);
        }
    });
}

/// Puts one part of a join in its place: `first` is where it starts along loop `axis`, `extent` how long it is there.
pub fn concat(axis: usize, part: &Read, first: usize, extent: usize, shape: &[usize], out: &mut [f64]) {
    let unit: Vec<usize> = (0..shape.len()).collect();
    let home = strides(shape, &unit, shape.len());
    let start = first * home[axis];
    let mut extents = shape.to_vec();
    extents[axis] = extent;
    Walk::new(&extents, vec![part.strides.clone(), home]).each(|w| out[start + w.at[1]] = part.data[w.at[0]]);
}

/// The first indices that sort each row of `n` elements; NaN last, ties to the lower index.
pub fn order(axis: usize, descending: bool, read: &Read, shape: &[usize], n: usize, out: &mut Vec<f64>) {
    out.resize(shape.iter().product(), 0.0);
    let unit: Vec<usize> = (0..shape.len()).collect();
    let home = strides(shape, &unit, shape.len());
    let (step, taken) = (home[axis], shape[axis]);
    let along = read.strides[shape.len()];
    let mut extents = shape.to_vec();
    extents[axis] = 1;
    Walk::new(&extents, vec![read.strides.clone(), home]).each(|w| {
        let key = |i: &usize| {
            let x = read.data[w.at[0] + i * along];
            if descending { -x } else { x }
        };
        let mut rows: Vec<usize> = (0..n).collect();
        rows.sort_by(|i, j| {
            let (a, b) = (key(i), key(j));
            a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
        });
        for (k, row) in rows.iter().take(taken).enumerate() {
            out[w.at[1] + k * step] = *row as f64;
        }
    });
}

/// The cheapest permutation of each square matrix; the last loop of `shape` is the row, the inner loop the column.
pub fn permutation(read: &Read, shape: &[usize], out: &mut Vec<f64>) {
    let Some((n, outer)) = shape.split_last() else { return };
    let (down, along) = (read.strides[shape.len() - 1], read.strides[shape.len()]);
    Walk::new(outer, vec![read.strides.clone()]).each(|w| {
        let costs: Vec<f64> = (0..n * n).map(|i| read.data[w.at[0] + i / n * down + i % n * along]).collect();
        out.extend(assign(&costs, *n).into_iter().map(|c| c as f64));
    });
}
