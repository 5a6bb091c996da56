//! Which rows of a batch are equal: where it is worth looking, and what was found.
//!
//! Rows are equal where all their bits are: a NaN is equal to itself, and 0 differs from -0. So what they decide is the same, whatever it is. A
//! graph takes the rows that differ as a table, and for each row of the batch its number there ([`plan::Equal`]). Tables have lengths of
//! few kinds, so that few plans serve all batches: what is left of one repeats its first row.

use super::backend::Task;
use crate::ir::{Data, Tensor};
use crate::plan::measured::exec::{EQUAL_KNOWN, EQUAL_LEAST};
use crate::plan::{self, Equal, Sizes};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Where equal rows are looked for: the graph that takes them as a table, made ready.
pub(super) struct Look {
    pub equal: Equal,
    pub task: Arc<Task>,
    /// All sizes of a batch.
    sizes: Sizes,
    /// For tables of some lengths whether they pay.
    pays: Mutex<BTreeMap<usize, bool>>,
}

impl Look {
    /// All sizes, where a table has so many rows.
    pub fn sizes(&self, rows: usize) -> Sizes {
        self.equal.with(&self.sizes, rows as i64)
    }

    fn pays(&self, rows: usize) -> bool {
        let now = || self.equal.pays(&self.sizes(rows), &self.task.terms);
        self.pays.lock().is_ok_and(|mut known| *known.entry(rows).or_insert_with(now))
    }
}

/// Where to look, for the sizes that were asked for lately.
#[derive(Default)]
pub(super) struct Looks(Vec<(Sizes, Arc<[Look]>)>);

impl Looks {
    /// What was found out before; nothing where nobody asked.
    pub fn known(&self, sizes: &Sizes) -> Arc<[Look]> {
        let known = self.0.iter().find(|(s, _)| s == sizes);
        known.map_or_else(|| Vec::new().into(), |(_, looks)| looks.clone())
    }

    pub fn at(&mut self, task: &Task, sizes: &Sizes) -> Arc<[Look]> {
        if let Some((_, looks)) = self.0.iter().find(|(s, _)| s == sizes) {
            return looks.clone();
        }
        let found = plan::equal(&task.graph, &task.wanted, sizes, &task.terms);
        let look = |equal: Equal| {
            let (graph, wanted) = (equal.graph.clone(), equal.wanted.clone());
            let task = Arc::new(Task { graph, wanted, terms: task.terms.clone() });
            Look { task, equal, sizes: sizes.clone(), pays: Mutex::default() }
        };
        let looks: Arc<[Look]> = found.into_iter().map(look).collect();
        if self.0.len() >= EQUAL_KNOWN {
            self.0.remove(0);
        }
        self.0.push((sizes.clone(), looks.clone()));
        looks
    }
}

/// The next age: they count down, those of stored values up, and never meet.
static NEXT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Equal rows of a source, or of several that are looked at as one.
pub(super) struct Found {
    /// Which look it is, and since when the sources are what they are; 0: one comes with a run.
    pub look: usize,
    pub since: u64,
    /// A number that nothing else has which is bound to a source; 0: it is bound anew with every run.
    pub age: u64,
    index: Arc<str>,
    which: Tensor,
    tables: Vec<(Arc<str>, Tensor)>,
}

impl Found {
    /// The rows of values that differ, where they are few enough. It is look number `look`, and the values are what they are `since` then.
    pub fn among(values: &[&Tensor], (look, of): (usize, &Look), since: u64) -> Option<Found> {
        let &rows = values.first()?.shape.first()?;
        let all: Vec<(&[f32], usize)> = values.iter().map(|v| wide(v, rows)).collect::<Option<_>>()?;
        let (which, firsts) = distinct(&all, rows, rows / EQUAL_LEAST)?;
        let length = firsts.len().next_power_of_two().min(rows / EQUAL_LEAST);
        if !of.pays(length) {
            return None;
        }
        let table = |value: &Tensor, (v, wide): (&[f32], usize)| {
            let mut table = Vec::with_capacity(wide * length);
            let all = firsts.iter().copied().chain(std::iter::repeat(firsts[0])).take(length);
            all.for_each(|row| table.extend_from_slice(&v[row * wide..][..wide]));
            let mut shape = value.shape.clone();
            shape[0] = length;
            Tensor::new(shape, Data::F32(table))
        };
        let tables =
            of.equal.paths.iter().zip(values).zip(all).map(|((path, value), v)| (path.clone(), table(value, v))).collect();
        let age = if since > 0 { NEXT.fetch_sub(1, Ordering::Relaxed) } else { 0 };
        let (index, which) = (of.equal.index.clone(), Tensor::new(vec![rows], Data::I32(which)));
        Some(Found { look, since, age, index, which, tables })
    }

    /// Which placement it needs: of which look, and for how many rows.
    pub fn key(&self) -> (usize, usize) {
        (self.look, self.tables[0].1.shape[0])
    }

    /// What is bound to a source instead of its value, or to what says the rows of a batch.
    pub fn get(&self, path: &str) -> Option<&Tensor> {
        let table = self.tables.iter().find(|(of, _)| **of == *path).map(|(_, table)| table);
        table.or_else(|| Some(&self.which).filter(|_| *self.index == *path))
    }
}

/// The elements of a value of so many rows, and how many each row has.
fn wide(value: &Tensor, rows: usize) -> Option<(&[f32], usize)> {
    let Data::F32(v) = &value.data else { return None };
    let wide = value.shape.get(1..)?.iter().product::<usize>();
    (value.shape[0] == rows && v.len() == rows * wide).then_some((v, wide))
}

/// For each row of all these values its number among those that differ, and where each of these comes first; none where there are more than `most`.
fn distinct(all: &[(&[f32], usize)], rows: usize, most: usize) -> Option<(Vec<i32>, Vec<usize>)> {
    const NOBODY: u32 = u32::MAX;
    if most == 0 || rows >= NOBODY as usize {
        return None;
    }
    let parts = |k: usize| all.iter().map(move |(v, wide)| &v[k * wide..][..*wide]);
    let marked = |k: usize| parts(k).fold(0, |h, part| mark(part, h));
    let same = |a: usize, b: usize| parts(a).zip(parts(b)).all(|(a, b)| alike(a, b));
    let mut slots = vec![NOBODY; (2 * most).next_power_of_two()];
    let (mut which, mut firsts): (Vec<i32>, Vec<usize>) = (Vec::with_capacity(rows), Vec::new());
    for k in 0..rows {
        let mut slot = marked(k) as usize & (slots.len() - 1);
        while slots[slot] != NOBODY && !same(firsts[slots[slot] as usize], k) {
            slot = (slot + 1) & (slots.len() - 1);
        }
        if slots[slot] == NOBODY {
            if firsts.len() == most {
                return None;
            }
            slots[slot] = firsts.len() as u32;
            firsts.push(k);
        }
        which.push(slots[slot] as i32);
    }
    Some((which, firsts))
}

fn alike(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).all(|(x, y)| x.to_bits() == y.to_bits())
}

/// A number that equal rows share, after the same before them. Four sums side by side, for one would wait for itself at each number.
fn mark(row: &[f32], before: u64) -> u64 {
    const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |h: u64, x: f32| (h ^ u64::from(x.to_bits())).wrapping_mul(PRIME).rotate_left(31);
    let mut sums = [1u64, 2, 3, 4];
    let (fours, rest) = row.as_chunks::<4>();
    for four in fours {
        sums = std::array::from_fn(|k| mix(sums[k], four[k]));
    }
    let last = rest.iter().fold(5 ^ before, |h, x| mix(h, *x));
    let all = sums.iter().fold(last, |h, s| (h ^ s).wrapping_mul(PRIME).rotate_left(31));
    all ^ all >> 29
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_equal_where_all_bits_are() {
        let nan = f32::NAN;
        let v = [1.0, 2.0, 0.0, 2.0, 1.0, 2.0, -0.0, 2.0, nan, 2.0, nan, 2.0, 1.0, 2.0, 0.0, 2.0];
        let distinct = |v: &[f32], (rows, wide): (usize, usize), most| distinct(&[(v, wide)], rows, most);
        assert_eq!(distinct(&v, (8, 2), 4), Some((vec![0, 1, 0, 2, 3, 3, 0, 1], vec![0, 1, 3, 4])));
        assert_eq!(distinct(&v, (8, 2), 3), None);
        // Of nothing all rows are equal; of one row there is nothing to save, and no rows have none that differ.
        assert_eq!(distinct(&[], (5, 0), 2), Some((vec![0; 5], vec![0])));
        assert_eq!(distinct(&[1.0], (1, 1), 0), None);
        assert_eq!(distinct(&[], (0, 3), 0), None);
        let whole = |shape: &[usize]| Tensor::new(shape.to_vec(), Data::F32(v.to_vec()));
        assert!(wide(&whole(&[8, 2]), 8).is_some_and(|(_, wide)| wide == 2) && wide(&whole(&[8, 2]), 7).is_none());
        assert!(wide(&Tensor::new(vec![2], Data::I32(vec![1, 2])), 2).is_none());
    }

    #[test]
    fn rows_of_several_values_are_equal_where_all_of_them_are() {
        let (a, b) = ([1.0, 1.0, 2.0, 1.0, 2.0], [5.0, 6.0, 5.0, 6.0, 0.0, 0.0, 5.0, 6.0, 5.0, 6.0]);
        assert_eq!(distinct(&[(&a, 1), (&b, 2)], 5, 3), Some((vec![0, 0, 1, 0, 2], vec![0, 2, 4])));
        assert_eq!(distinct(&[(&b, 2), (&a, 1)], 5, 3), Some((vec![0, 0, 1, 0, 2], vec![0, 2, 4])));
        assert_eq!(distinct(&[(&a, 1), (&b, 2)], 5, 2), None);
        // The same numbers in other places are other rows.
        assert_eq!(distinct(&[(&[1.0, 2.0], 1), (&[2.0, 1.0], 1)], 2, 2), Some((vec![0, 1], vec![0, 1])));
    }

    #[test]
    fn rows_that_share_a_mark_are_told_apart() {
        // More rows than a mark of few bits has values.
        let rows = 600;
        let v: Vec<f32> = (0..rows).flat_map(|k| [(k % 300) as f32, 7.0]).collect();
        let (which, firsts) = distinct(&[(&v, 2)], rows, 300).unwrap();
        assert_eq!(firsts, (0..300).collect::<Vec<_>>());
        assert!(which.iter().enumerate().all(|(k, w)| *w as usize == k % 300));
    }
}
