//! What is said of an index outside of its axis: the same words wherever it was found.
//!
//! In: places that demand an index, and what broke them. Out: one message. Of several places the first in the source is reported; of
//! several values there the greatest beyond the end, else the one nearest to the start. So it does not depend on who computed it.

use super::{Axis, Graph, NodeId, Op};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Data, Tensor};
use crate::source::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Stands for "nothing is outside" where [`code`] stands else; the least of all codes.
pub const NOTHING: i32 = i32::MIN;

/// What an axis is called that has no name.
pub const UNNAMED: &str = "axis";

/// A demand at known sizes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    pub span: Span,
    pub name: Arc<str>,
    /// Places of the axis.
    pub size: i64,
}

/// The axis's size as the codes take it.
fn places(size: i64) -> i64 {
    size.clamp(1, i32::MAX.into())
}

/// An index outside of an axis as one whole number above [`NOTHING`]: itself beyond the end, and the axis's size more where it is
/// negative. The greatest code is the one that is reported. `None` for an index inside.
pub fn code(index: i32, size: i64) -> Option<i32> {
    match i64::from(index) {
        n if n < 0 => Some((n + places(size)) as i32),
        n if n >= size => Some(index),
        _inside => None,
    }
}

/// The index that has this code.
fn index(code: i32, size: i64) -> i64 {
    let code = i64::from(code);
    if code >= places(size) { code } else { code - places(size) }
}

/// The source that a node demands to lie on an axis: all of it, and under no condition. So it can be looked at where it arrives.
pub fn arriving(graph: &Graph, id: NodeId) -> Option<(&Arc<str>, &Axis)> {
    let (Op::Inside(axis), [index]) = (&graph.node(id).op, graph.operands(id)) else { return None };
    let Op::Source { path, .. } = &graph.node(index.node).op else { return None };
    let mut loops = index.subscripts.clone();
    loops.sort();
    loops.into_iter().eq(0..graph.node(id).rank()).then_some((path, axis))
}

/// The code that is reported of all these indices.
pub fn worst(indices: &Tensor, size: i64) -> i32 {
    match &indices.data {
        Data::I32(list) => list.iter().filter_map(|n| code(*n, size)).max().unwrap_or(NOTHING),
        Data::F32(_) | Data::F64(_) | Data::Bool(_) => NOTHING,
    }
}

/// All that was outside in a run.
#[derive(Clone, Debug, Default)]
pub struct Found(BTreeMap<Site, i32>);

impl Found {
    pub fn note(&mut self, site: Site, code: i32) {
        if code != NOTHING {
            let worst = self.0.entry(site).or_insert(code);
            *worst = code.max(*worst);
        }
    }

    /// What there is to say of each place, the first in the source first.
    pub fn all(&self) -> Vec<Diagnostic> {
        self.0.iter().map(|(site, code)| message(site, *code)).collect()
    }

    /// An error, if anything was.
    pub fn report(&self) -> Result<(), Diagnostic> {
        self.0.first_key_value().map_or(Ok(()), |(site, code)| Err(message(site, *code)))
    }
}

/// What a message calls an axis.
pub fn axis_words(name: &str) -> String {
    if name == UNNAMED { "its axis".to_string() } else { format!("the axis `{name}`") }
}

fn message(site: &Site, code: i32) -> Diagnostic {
    let axis = axis_words(&site.name);
    let value = index(code, site.size);
    let (message, allowed) = match site.size {
        0 => (format!("an index is outside of {axis}, which has no places"), "there is nothing to index".to_string()),
        1 => (format!("index {value} is outside of {axis}, which has 1 place"), "0 is allowed".to_string()),
        n => (format!("index {value} is outside of {axis}, which has {n} places"), format!("0 to {} are allowed", n - 1)),
    };
    let mut d = Diagnostic::error(Code::H0617, site.span, message).here(allowed);
    if value == i64::from(i32::MIN) && site.size > 0 {
        d = d.note("this is what `int` makes of NaN");
    }
    d.help(
        "say what lies outside, `v[..] else 0`; keep the index inside with `mod`, or with `min` and `max`; \
         or do not use it there, by `where` or `if`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_every_index_outside_apart_and_none_is_nothing() {
        for size in [1, 2, 7, i64::from(i32::MAX), i64::from(i32::MAX) + 5] {
            for n in [i32::MIN, i32::MIN + 1, -9, -1, 0, 1, 2, 6, 7, 8, 1 << 30, i32::MAX - 1, i32::MAX] {
                let outside = i64::from(n) < 0 || i64::from(n) >= size;
                let c = code(n, size);
                assert_eq!(c.is_some(), outside, "{n} of {size}");
                if let Some(c) = c {
                    assert!(c != NOTHING, "{n} of {size}");
                    assert_eq!(index(c, size), i64::from(n), "{n} of {size}");
                }
            }
        }
        assert!(code(0, 0).is_some() && code(-1, 0).is_some());
    }

    #[test]
    fn beyond_the_end_comes_before_below_the_start() {
        let order = [-3, -2, -1, 4, 5, 9].map(|n| code(n, 4).unwrap());
        assert!(order.is_sorted(), "{order:?}");
    }
}
