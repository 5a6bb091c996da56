//! Nets of a family whose parameters a file has in one tensor, the family as its first axis.
//!
//! In: a parameter of one net, `layer.3.attn.w`, and files. Out: the tensor `layer.attn.w` that has it, and which row of it is meant.
//! Promised: only where each net of the family has this parameter, in one shape; families that are left out stand before arrays that are.

use super::{Fill, key, wrong_shape};
use crate::check::model::Model;
use crate::files::archive::Archive;
use crate::files::stored::{Place, Stored};
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

/// A tensor for several nets.
pub struct Stack<'a> {
    pub stored: Stored<'a>,
    /// How many nets each family has.
    pub sizes: Vec<usize>,
    /// The place of the net among all.
    pub row: usize,
}

impl<'a> Stack<'a> {
    /// The tensor of the net alone.
    pub fn part(&self) -> Stored<'a> {
        let shape = &self.stored.shape[self.sizes.len()..];
        let from = self.row * shape.iter().product::<usize>() * self.stored.kind.width();
        let place = match self.stored.place {
            Place::Memory(bytes) => Place::Memory(&bytes[from.min(bytes.len())..]),
            Place::File { file, start } => Place::File { file, start: start + from as u64 },
        };
        Stored { shape, place, ..self.stored.clone() }
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

impl Fill<'_> {
    /// Copies the part of a tensor for all nets of a family. One that does not fit is said of its first net.
    pub(super) fn put_of(&mut self, numbers: &[Option<usize>], stack: &Stack) {
        let wanted = [stack.sizes.clone(), self.wanted(numbers)].concat();
        if stack.stored.shape == wanted {
            return self.put(numbers, &stack.part());
        }
        self.nets(numbers).iter().for_each(|n| self.covered[*n] = true);
        if stack.row == 0 {
            self.problems.push(wrong_shape(self.param, &stack.stored, &wanted, self.lead.len()));
        }
    }
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

    /// The tensor that has a parameter of a net of families, whose name leaves the numbers of some of them out.
    pub fn find<'f>(&self, path: &str, numbers: &[Option<usize>], files: &'f [Archive]) -> Option<Stack<'f>> {
        let (parts, numbered) = parts(path);
        choices(&numbered).find_map(|out| {
            let stars = (0..parts.len()).filter(|k| parts[*k] == "*").zip(numbers);
            let first = stars.filter(|(_, n)| n.is_none()).map(|(at, _)| at).next();
            if first.is_some_and(|at| out.iter().any(|k| *k > at)) {
                return None;
            }
            let alike = self.alike.get(&without(&parts, &out, Some("#"))).filter(|a| a.one_shape)?;
            let sizes: Vec<usize> = (0..out.len()).map(|k| 1 + alike.numbers.iter().map(|n| n[k]).max().unwrap_or(0)).collect();
            if sizes.iter().product::<usize>() != alike.numbers.len() {
                return None;
            }
            let name = key(&without(&parts, &out, None), numbers);
            let stored = files.iter().find_map(|f| f.get(&name))?;
            let own = out.iter().filter_map(|k| parts[*k].parse::<usize>().ok());
            let row = own.zip(&sizes).fold(0, |row, (n, size)| row * size + n);
            Some(Stack { stored, sizes, row })
        })
    }
}
