//! Nets of a family whose parameters lie in one tensor, the family as its first axis.
//!
//! In: the parameters of a model. Out: for a parameter of one net, `layer.3.attn.w`, the names `layer.attn.w` under which all of them may
//! lie, and which row of it is meant. Promised: only where each net of the family has this parameter, in one shape; families that are left
//! out of a name stand before arrays that are.

use super::Model;
use std::collections::{BTreeMap, BTreeSet};

/// Families in a path of which each may be left out of a name.
const MOST: usize = 4;

/// Parameters that are alike but for the numbers of nets of families.
struct Alike {
    numbers: BTreeSet<Vec<usize>>,
    shape: Vec<String>,
    one_shape: bool,
}

/// The families of a model, by paths with `#` for the numbers that are left out.
pub struct Families {
    alike: BTreeMap<String, Alike>,
}

/// A parameter as a row of a tensor for several nets.
pub struct Row {
    /// The path without the families; with the `*` of arrays.
    pub path: String,
    /// How many nets each family has.
    pub sizes: Vec<usize>,
    /// Which net of each.
    pub numbers: Vec<usize>,
    /// How many arrays stand before the last of the families: their numbers must be in the name.
    arrays: usize,
}

impl Row {
    /// Whether a name with these numbers for its arrays keeps families in front of arrays.
    pub fn in_order(&self, numbers: &[Option<usize>]) -> bool {
        numbers.iter().take(self.arrays).all(Option::is_some)
    }

    /// The place of the net among all.
    pub fn place(&self) -> usize {
        self.numbers.iter().zip(&self.sizes).fold(0, |row, (n, size)| row * size + n)
    }
}

/// The parts of a path, and which of them are numbers of families.
fn parts(path: &str) -> (Vec<&str>, Vec<usize>) {
    let parts: Vec<&str> = path.split('.').collect();
    let mut numbered: Vec<usize> = (0..parts.len()).filter(|k| parts[*k].parse::<usize>().is_ok()).collect();
    numbered.truncate(MOST);
    (parts, numbered)
}

/// The ways to leave some of these out.
fn choices(numbered: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    (1..1usize << numbered.len())
        .map(|mask| numbered.iter().enumerate().filter(|(k, _)| mask >> k & 1 == 1).map(|(_, at)| *at).collect())
}

fn without(parts: &[&str], out: &[usize], sign: Option<&str>) -> String {
    let kept = parts.iter().enumerate().filter_map(|(k, p)| if out.contains(&k) { sign } else { Some(*p) });
    kept.collect::<Vec<_>>().join(".")
}

impl Families {
    pub fn of(model: &Model) -> Families {
        let mut alike: BTreeMap<String, Alike> = BTreeMap::new();
        for p in &model.params {
            let (parts, numbered) = parts(&p.path);
            let shape: Vec<String> = p.shape.iter().map(|s| s.to_string()).collect();
            for out in choices(&numbered) {
                let one = alike.entry(without(&parts, &out, Some("#"))).or_insert_with(|| Alike {
                    numbers: BTreeSet::new(),
                    shape: shape.clone(),
                    one_shape: true,
                });
                one.one_shape &= one.shape == shape;
                one.numbers.insert(out.iter().filter_map(|k| parts[*k].parse().ok()).collect());
            }
        }
        Families { alike }
    }

    /// The tensors for several nets that may have a parameter.
    pub fn rows(&self, path: &str) -> Vec<Row> {
        let (parts, numbered) = parts(path);
        let row = |out: Vec<usize>| {
            let alike = self.alike.get(&without(&parts, &out, Some("#"))).filter(|a| a.one_shape)?;
            let sizes: Vec<usize> = (0..out.len()).map(|k| 1 + alike.numbers.iter().map(|n| n[k]).max().unwrap_or(0)).collect();
            let all = sizes.iter().try_fold(1usize, |n, s| n.checked_mul(*s));
            let last = out.iter().copied().max().unwrap_or(0);
            (all == Some(alike.numbers.len())).then(|| Row {
                path: without(&parts, &out, None),
                sizes,
                numbers: out.iter().filter_map(|k| parts[*k].parse().ok()).collect(),
                arrays: parts[..last].iter().filter(|p| **p == "*").count(),
            })
        };
        choices(&numbered).filter_map(row).collect()
    }
}
