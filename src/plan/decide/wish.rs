//! The ways that somebody asks for.

use super::{Site, Way};
use std::collections::BTreeMap;

/// How somebody says which way is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// By its number among the ways, which changes with lengths.
    Number(usize),
    /// By its words, which do not: wherever there is such a way, it is taken.
    Words(String),
}

impl From<usize> for Wish {
    fn from(number: usize) -> Wish {
        Wish::Number(number)
    }
}

impl From<&str> for Wish {
    fn from(words: &str) -> Wish {
        Wish::Words(words.to_string())
    }
}

impl Wish {
    /// Its number among these ways, if it is one of them.
    pub(super) fn among(&self, ways: &[Way]) -> Option<usize> {
        match self {
            Wish::Number(n) => Some(*n).filter(|n| *n < ways.len()),
            Wish::Words(words) => ways.iter().position(|w| w.text == *words),
        }
    }
}

/// The ways that somebody asks for: at sites, and of single values there, which count more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    all: BTreeMap<Site, Wish>,
    named: BTreeMap<(Site, String), Wish>,
}

impl Asked {
    /// Asks for a way of all values at a site, or of the one that is called so; the way that was asked for before.
    pub fn insert(&mut self, site: Site, of: Option<&str>, way: impl Into<Wish>) -> Option<Wish> {
        match of {
            Some(name) => self.named.insert((site, name.to_string()), way.into()),
            None => self.all.insert(site, way.into()),
        }
    }

    /// What is asked for of a value.
    pub fn of(&self, site: Site, name: &str) -> Option<&Wish> {
        // Most runs ask for nothing.
        let named = if self.named.is_empty() { None } else { self.named.get(&(site, name.to_string())) };
        named.or_else(|| self.all.get(&site))
    }

    /// Likewise, and what another asks for, which counts more.
    pub fn extend(&mut self, other: Asked) {
        self.all.extend(other.all);
        self.named.extend(other.named);
    }

    /// Every site with the value that is meant, where it is a single one, and the way.
    pub fn iter(&self) -> impl Iterator<Item = (Site, Option<&str>, &Wish)> {
        let all = self.all.iter().map(|(site, way)| (*site, None, way));
        all.chain(self.named.iter().map(|((site, name), way)| (*site, Some(name.as_str()), way)))
    }
}

impl<const N: usize> From<[(Site, usize); N]> for Asked {
    fn from(all: [(Site, usize); N]) -> Asked {
        Asked { all: all.map(|(site, way)| (site, way.into())).into(), named: BTreeMap::new() }
    }
}
