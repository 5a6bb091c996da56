//! Elements to their places: a copy from one tensor into a part of another.

use crate::check::model::weights::Places;
use crate::ir::{Data, Tensor};

/// Where elements stand in a row of them: the first, and how far each dimension goes.
pub struct Lie {
    pub from: i64,
    pub steps: Vec<i64>,
}

/// Where a part of a tensor of this shape stands.
pub fn of_part(shape: &[usize], part: &[Places]) -> Lie {
    let mut lie = Lie { from: 0, steps: vec![] };
    for (places, step) in part.iter().zip(super::view::row_major(shape)) {
        match places {
            Places::At(k) => lie.from += *k as i64 * step,
            Places::Along { from, step: each, .. } => {
                lie.from += *from as i64 * step;
                lie.steps.push(*each as i64 * step);
            }
        }
    }
    lie
}

/// Copies what lies so in `from` to where it lies in `to`; both have one type.
pub fn copy(shape: &[usize], from: &Data, at: &Lie, to: &mut Tensor, into: &Lie) {
    match (from, &mut to.data) {
        (Data::F32(a), Data::F32(b)) => copy_all(shape, a, at, b, into),
        (Data::I32(a), Data::I32(b)) => copy_all(shape, a, at, b, into),
        (Data::Bool(a), Data::Bool(b)) => copy_all(shape, a, at, b, into),
        _ => unreachable!("both sides have one type"),
    }
}

/// Rows and columns that are copied at a time, so that both sides of a transposition stay near.
const TILE: usize = 32;

fn copy_all<T: Copy>(shape: &[usize], from: &[T], at: &Lie, to: &mut [T], into: &Lie) {
    if shape.contains(&0) {
        return;
    }
    let (outer, inner) = shape.split_at(shape.len().saturating_sub(2));
    let mut steps = [(0, 0), (0, 0)];
    let mut sizes = [1, 1];
    let first = 2 - inner.len();
    for (k, n) in inner.iter().enumerate() {
        let d = outer.len() + k;
        (sizes[first + k], steps[first + k]) = (*n, (at.steps[d], into.steps[d]));
    }
    let mut counter = vec![0usize; outer.len()];
    loop {
        let base = |lie: &Lie| lie.from + counter.iter().zip(&lie.steps).map(|(c, s)| *c as i64 * s).sum::<i64>();
        let (a, b) = (base(at), base(into));
        for (r, c) in tiles(sizes) {
            for row in r..sizes[0].min(r + TILE) {
                let (a, b) = (a + row as i64 * steps[0].0, b + row as i64 * steps[0].1);
                for col in c..sizes[1].min(c + TILE) {
                    to[(b + col as i64 * steps[1].1) as usize] = from[(a + col as i64 * steps[1].0) as usize];
                }
            }
        }
        let Some(d) = (0..outer.len()).rev().find(|d| counter[*d] + 1 < outer[*d]) else { return };
        counter[d] += 1;
        counter[d + 1..].fill(0);
    }
}

/// The corners of the tiles of a matrix.
fn tiles(sizes: [usize; 2]) -> impl Iterator<Item = (usize, usize)> {
    (0..sizes[0]).step_by(TILE).flat_map(move |r| (0..sizes[1]).step_by(TILE).map(move |c| (r, c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_matrix_becomes_a_part_of_another_tensor() {
        let from = Data::I32((0..100 * 70).collect());
        let mut to = Tensor::new(vec![2, 70, 201], Data::I32(vec![-1; 2 * 70 * 201]));
        let part = [Places::At(1), Places::all(70), Places::Along { from: 1, step: 2, count: 100 }];
        let lie = of_part(&to.shape.clone(), &part);
        copy(&[70, 100], &from, &Lie { from: 0, steps: vec![1, 70] }, &mut to, &lie);
        for (i, o) in (0..70).flat_map(|i| (0..201).map(move |o| (i, o))) {
            let want = if o % 2 == 1 { ((o - 1) / 2 * 70 + i) as f64 } else { -1.0 };
            assert_eq!((to.get(i * 201 + o), to.get((70 + i) * 201 + o)), (-1.0, want));
        }
        let mut one = Tensor::new(vec![3], Data::I32(vec![0; 3]));
        let lie = of_part(&[3], &[Places::At(2)]);
        copy(&[], &Data::I32(vec![5, 6]), &Lie { from: 1, steps: vec![] }, &mut one, &lie);
        assert_eq!(one.data, Data::I32(vec![0, 0, 6]));
    }
}
