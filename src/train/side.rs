//! An arm with its data: which rows a batch has.

use super::order;
use super::ready::Ready;
use super::step::Part;
use crate::bind::init::fnv1a;
use crate::check::model::{Arm, Rows};
use crate::diag::{Code, Diagnostic};
use crate::exec::table::{Batch, Table};
use crate::ir::Sym;
use std::collections::BTreeMap;

/// An arm with its data.
pub(super) struct Side {
    pub arm: Arm,
    /// Its rows without feeds, which are part of the step.
    pub rows: Rows,
    pub table: Table,
    /// How long axes are in every batch.
    pub lengths: Vec<(Sym, i64)>,
    pub ready: BTreeMap<Part, Ready>,
    /// Keys its order of rows.
    pub key: u32,
}

impl Side {
    /// The rows of batch `q`.
    pub fn batch(&self, q: u64, seed: i32, fixed: Option<i64>) -> Result<Batch, Diagnostic> {
        let (mut parts, mut group) = (vec![], None);
        for (n, (dim, all, size)) in self.table.dims.iter().enumerate() {
            let whole = self.rows.batch.iter().any(|(name, size, _)| name == dim && size.is_none());
            let rows = match (n, &self.table.group) {
                (0, Some((name, groups))) => {
                    let lists: Vec<(&i32, &Vec<usize>)> = groups.iter().collect();
                    let chosen = match fixed.filter(|_| self.arm.rows.batch.iter().all(|b| b.2.as_ref() != Some(name))) {
                        Some(value) => lists.iter().position(|(v, _)| i64::from(**v) == value),
                        None if whole => order::grouped(&vec![1; lists.len()], 1, q, seed, self.key).map(|g| g.0),
                        None => {
                            let lengths: Vec<usize> = lists.iter().map(|(_, rows)| rows.len()).collect();
                            let found = order::grouped(&lengths, *size, q, seed, self.key);
                            if let Some((g, places)) = found {
                                group = Some(*lists[g].0);
                                parts.push((dim.clone(), places.into_iter().map(|p| lists[g].1[p]).collect()));
                                continue;
                            }
                            None
                        }
                    };
                    let Some(g) = chosen else { return Err(self.no_rows(fixed)) };
                    group = Some(*lists[g].0);
                    let own = lists[g].1;
                    match whole {
                        true => own.clone(),
                        false => order::rows(own.len(), *size, q, seed, self.key).into_iter().map(|p| own[p]).collect(),
                    }
                }
                (0, None) if !whole => order::rows(*all, *size, q, seed, self.key),
                (_, _) if !whole && size < all => {
                    // A window of neighbours, chosen anew in each step.
                    let windows = all / (*size).max(1);
                    let window = order::rows(windows, 1, q, seed, self.key ^ fnv1a(dim)).first().copied().unwrap_or(0);
                    (window * size..(window + 1) * size).collect()
                }
                (_, _) => (0..*all).collect(),
            };
            if rows.is_empty() {
                return Err(self.no_rows(fixed));
            }
            parts.push((dim.clone(), rows));
        }
        Ok(Batch { group, parts })
    }

    fn no_rows(&self, fixed: Option<i64>) -> Diagnostic {
        let which = fixed.map_or(String::new(), |v| format!(" for round {v}"));
        let at = self.rows.data.first().map_or(self.rows.span, |d| d.span);
        Diagnostic::error(Code::H0622, at, format!("the data have no rows{which}"))
    }
}
