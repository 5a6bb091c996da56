//! Nets of a family whose parameters a file has in one tensor, the family as its first axis.

use super::{Fill, key, wrong_shape};
use crate::check::model::families::{Families, Row};
use crate::files::archive::Archive;
use crate::files::stored::{Place, Stored};

/// A tensor for several nets, and which of them is meant.
pub struct Stack<'a> {
    pub stored: Stored<'a>,
    row: Row,
}

impl<'a> Stack<'a> {
    /// The tensor that has a parameter of a net of families, whose name leaves the numbers of some of them out.
    pub fn find(families: &Families, path: &str, numbers: &[Option<usize>], files: &'a [Archive]) -> Option<Stack<'a>> {
        families.rows(path).into_iter().filter(|row| row.in_order(numbers)).find_map(|row| {
            let name = key(&row.path, numbers);
            let stored = files.iter().find_map(|f| f.get(&name))?;
            Some(Stack { stored, row })
        })
    }

    /// The tensor of the net alone.
    fn part(&self) -> Stored<'a> {
        let shape = &self.stored.shape[self.row.sizes.len()..];
        let from = self.row.place() * shape.iter().product::<usize>() * self.stored.kind.width();
        let place = match self.stored.place {
            Place::Memory(bytes) => Place::Memory(&bytes[from.min(bytes.len())..]),
            Place::File { file, start } => Place::File { file, start: start + from as u64 },
        };
        Stored { shape, place, ..self.stored.clone() }
    }
}

impl Fill<'_> {
    /// Copies the part of a tensor for all nets of a family. One that does not fit is said of its first net.
    pub(super) fn put_of(&mut self, numbers: &[Option<usize>], stack: &Stack) {
        let wanted = [stack.row.sizes.clone(), self.wanted(numbers)].concat();
        if stack.stored.shape == wanted {
            return self.put(numbers, &stack.part());
        }
        self.nets(numbers).iter().for_each(|n| self.covered[*n] = true);
        if stack.row.place() == 0 {
            self.problems.push(wrong_shape(self.param, &stack.stored, &wanted, self.lead.len()));
        }
    }
}
