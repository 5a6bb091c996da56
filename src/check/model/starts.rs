//! What parameters start from, where that is computed: other parameters, constants, the seed, but no data.

use super::{Init, Model};
use crate::ir::{Op, Origin};
use std::collections::{BTreeSet, HashMap};

impl Model {
    /// Sources that the initialiser of a parameter is computed from: where they come from, and their paths.
    pub fn starts_from(&self, param: usize) -> BTreeSet<(Origin, String)> {
        let Some(Init::Node(node)) = &self.params[param].init else { return BTreeSet::new() };
        let source = |id| match &self.graph.node(id).op {
            Op::Source { origin, path } => Some((*origin, path.to_string())),
            _ => None,
        };
        self.graph.needs_of(*node).into_iter().filter_map(source).collect()
    }

    /// Places of the parameters in the order in which they begin: each behind those that it starts from. Err: those of a circle, each of
    /// which starts from the next.
    pub fn beginning(&self) -> Result<Vec<usize>, Vec<usize>> {
        let places: HashMap<&str, usize> = self.params.iter().enumerate().map(|(k, p)| (p.path.as_str(), k)).collect();
        let others = |k: usize| -> Vec<usize> {
            let from = self.starts_from(k);
            from.iter().filter_map(|(_, path)| places.get(path.as_str()).copied()).collect()
        };
        let mut out = vec![];
        let mut done = vec![false; self.params.len()];
        for first in 0..self.params.len() {
            // Parameters under way, each with what it starts from and has not been looked at.
            let mut way = if done[first] { vec![] } else { vec![(first, others(first))] };
            while let Some((k, rest)) = way.last_mut() {
                match rest.pop() {
                    None => {
                        done[*k] = true;
                        out.push(*k);
                        way.pop();
                    }
                    Some(next) if done[next] => {}
                    Some(next) => match way.iter().position(|(k, _)| *k == next) {
                        Some(at) => return Err(way[at..].iter().map(|(k, _)| *k).collect()),
                        None => way.push((next, others(next))),
                    },
                }
            }
        }
        Ok(out)
    }
}
