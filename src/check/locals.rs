//! The names that one block gives a meaning.
//!
//! In order, because what a loop carries and a branch merges is listed in order; found by name in one step, because a body may
//! have ten thousand of them.

use super::scope::Binding;
use crate::syntax::ast::Name;
use std::collections::HashMap;

/// Names up to which looking through them is as fast as a table.
const FEW: usize = 8;

/// One block's names. Of two equal ones the later is meant.
#[derive(Clone, Default)]
pub struct Locals<'a> {
    list: Vec<(Name, Binding<'a>)>,
    /// Where a name stands; empty while there are few.
    places: HashMap<Name, usize>,
}

impl<'a> Locals<'a> {
    /// Gives a name a meaning.
    pub fn push(&mut self, (name, binding): (Name, Binding<'a>)) {
        self.list.push((name, binding));
        if self.list.len() > FEW {
            let known = self.places.len();
            let from = if known == 0 { 0 } else { self.list.len() - 1 };
            for (at, (name, _)) in self.list.iter().enumerate().skip(from) {
                self.places.insert(name.clone(), at);
            }
        }
    }

    /// Where a name stands.
    pub fn place(&self, name: &str) -> Option<usize> {
        match self.places.is_empty() {
            true => self.list.iter().rposition(|(n, _)| **n == *name),
            false => self.places.get(name).copied(),
        }
    }

    /// What a name means.
    pub fn get(&self, name: &str) -> Option<&Binding<'a>> {
        Some(&self.list[self.place(name)?].1)
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut Binding<'a>> {
        let at = self.place(name)?;
        Some(&mut self.list[at].1)
    }

    /// All in order.
    pub fn iter(&self) -> std::slice::Iter<'_, (Name, Binding<'a>)> {
        self.list.iter()
    }
}

impl<'a> Extend<(Name, Binding<'a>)> for Locals<'a> {
    fn extend<I: IntoIterator<Item = (Name, Binding<'a>)>>(&mut self, more: I) {
        more.into_iter().for_each(|one| self.push(one));
    }
}

impl<'a> FromIterator<(Name, Binding<'a>)> for Locals<'a> {
    fn from_iter<I: IntoIterator<Item = (Name, Binding<'a>)>>(all: I) -> Self {
        let mut out = Locals::default();
        out.extend(all);
        out
    }
}

impl<'a, const N: usize> From<[(Name, Binding<'a>); N]> for Locals<'a> {
    fn from(all: [(Name, Binding<'a>); N]) -> Self {
        all.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::value::NameId;

    #[test]
    fn the_later_of_two_equal_names_is_meant_among_few_and_many() {
        for n in [0, 3, FEW, FEW + 1, 100] {
            let mut all = Locals::default();
            all.push(("x".into(), Binding::Index(NameId(1))));
            all.extend((0..n).map(|k| (format!("v{k}").into(), Binding::Index(NameId(k as u32)))));
            all.push(("x".into(), Binding::Index(NameId(2))));
            assert!(matches!(all.get("x"), Some(Binding::Index(NameId(2)))));
            assert_eq!(all.place("x"), Some(n + 1));
            assert!(all.get("y").is_none());
            assert_eq!(all.iter().count(), n + 2);
        }
    }
}
