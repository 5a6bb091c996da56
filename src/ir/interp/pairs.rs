//! Contractions of three and more factors.
//!
//! Plain loops over all of them at once would visit every combination of every loop. So, as long as there are more than two, the
//! pair with the fewest points becomes one factor, and loops that only it has are summed. What a pair makes is never larger than
//! what is there already, the result or a factor, unless it is small; otherwise the rest is done at once.

use super::nest::strides;
use super::reduce::{Read, contract};
use crate::ir::DType;
use std::borrow::Cow;

/// A product of a pair may always have this many elements.
const SMALL: f64 = 65_536.0;

/// A factor: elements, and a stride for each loop; zero for a loop that it does not have.
struct Factor<'a> {
    data: Cow<'a, [f64]>,
    strides: Vec<usize>,
}

impl Factor<'_> {
    fn has(&self, k: usize) -> bool {
        self.strides[k] != 0
    }

    /// Read through these loops only.
    fn read(&self, loops: &[usize]) -> Read<'_> {
        Read { data: &self.data, strides: loops.iter().map(|k| self.strides[*k]).collect(), dtype: DType::F32 }
    }
}

/// The product of real factors, summed over the inner loops; no loop is empty.
pub fn contract_pairs(reads: &[Read], shape: &[usize], inner: &[usize], out: &mut Vec<f64>) {
    let extents = [shape, inner].concat();
    let points = |loops: &[usize]| loops.iter().map(|k| extents[*k] as f64).product::<f64>();
    let outer: Vec<usize> = (0..shape.len()).collect();
    let mut left: Vec<usize> = (shape.len()..extents.len()).collect();
    let mut factors: Vec<Factor> =
        reads.iter().map(|r| Factor { data: Cow::Borrowed(r.data), strides: r.strides.clone() }).collect();
    let largest = factors.iter().map(|f| f.data.len() as f64).fold(points(&outer).max(SMALL), f64::max);
    while factors.len() > 2 {
        let mut best: Option<(f64, usize, usize)> = None;
        for j in 1..factors.len() {
            for i in 0..j {
                let (kept, closed) = meet(&factors, i, j, &outer, &left);
                let work = points(&kept) * points(&closed);
                if points(&kept) <= largest && best.is_none_or(|b| work < b.0) {
                    best = Some((work, i, j));
                }
            }
        }
        let Some((_, i, j)) = best else { break };
        let (kept, closed) = meet(&factors, i, j, &outer, &left);
        let loops = [kept.as_slice(), &closed].concat();
        let sizes = |loops: &[usize]| loops.iter().map(|k| extents[*k]).collect::<Vec<_>>();
        let mut data = Vec::new();
        contract(&[factors[i].read(&loops), factors[j].read(&loops)], &sizes(&kept), &sizes(&closed), &mut data);
        let strides = strides(&sizes(&kept), &kept, extents.len());
        left.retain(|k| !closed.contains(k));
        factors[i] = Factor { data: Cow::Owned(data), strides };
        factors.remove(j);
    }
    let loops = [outer.as_slice(), &left].concat();
    let reads: Vec<Read> = factors.iter().map(|f| f.read(&loops)).collect();
    let inner: Vec<usize> = left.iter().map(|k| extents[*k]).collect();
    contract(&reads, shape, &inner, out);
}

/// Loops that the product of two factors has, and those of them that can be summed at once.
fn meet(factors: &[Factor], i: usize, j: usize, outer: &[usize], left: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let both = |k: &usize| factors[i].has(*k) || factors[j].has(*k);
    let others = |k: &usize| factors.iter().enumerate().any(|(n, f)| n != i && n != j && f.has(*k));
    let (shared, closed): (Vec<usize>, Vec<usize>) = left.iter().copied().filter(both).partition(others);
    (outer.iter().copied().filter(both).chain(shared).collect(), closed)
}
