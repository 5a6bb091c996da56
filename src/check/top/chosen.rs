//! Which parameters `over` and `freeze` mean, and which nets of their arrays.
//!
//! In: paths. Out: for each stored parameter that they name, a truth value for every net of its arrays. What has no array is one net.

use crate::check::instance::Target;
use crate::check::model::Param;
use crate::check::value::Pick as Which;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::grad;
use crate::ir::{DType, NodeId, Op, Origin, Pick};
use crate::source::Span;
use crate::syntax::ast::{Clause, ClauseKind, Path};
use std::collections::BTreeMap;

/// For each path, which nets are meant: row-major over the arrays' axes.
#[derive(Default)]
pub(super) struct Chosen(BTreeMap<String, Vec<bool>>);

impl Chosen {
    /// Takes away what others name, too, and gives it.
    pub fn take(&mut self, others: &Chosen) -> Chosen {
        let mut out = Chosen::default();
        for (path, nets) in &others.0 {
            let Some(own) = self.0.get_mut(path) else { continue };
            let both: Vec<bool> = own.iter().zip(nets).map(|(a, b)| *a && *b).collect();
            own.iter_mut().zip(&both).for_each(|(a, taken)| *a &= !taken);
            out.0.insert(path.clone(), both);
        }
        out
    }

    /// The nets of a path; none of it: `None`, all: `Some(None)`.
    pub fn nets(&self, path: &str) -> Option<Option<Vec<bool>>> {
        let nets = self.0.get(path).filter(|nets| nets.contains(&true))?;
        Some(nets.contains(&false).then(|| nets.clone()))
    }

    fn add(&mut self, path: String, nets: Vec<bool>) {
        let own = self.0.entry(path).or_insert_with(|| vec![false; nets.len()]);
        own.iter_mut().zip(nets).for_each(|(a, b)| *a |= b);
    }
}

impl<'a> Checker<'a> {
    /// All parameters that may learn.
    pub(super) fn learned(&self) -> Chosen {
        let may = self.out.model.params.iter().filter(|p| p.origin == Origin::Param && !p.is_frozen() && p.dtype == DType::F32);
        let nets = |p: &Param| {
            let all = vec![true; self.count_of_nets(p)];
            if p.frozen.is_empty() { all } else { p.frozen.iter().map(|frozen| !frozen).collect() }
        };
        Chosen(may.map(|p| (p.path.clone(), nets(p))).collect())
    }

    /// The parameters that a loss changes smoothly with, and of arrays the nets whose own it is: those that are picked by a number.
    pub(super) fn read(&self, loss: NodeId) -> Chosen {
        let (graph, mut out) = (self.build.graph(0), Chosen::default());
        let source = |id: NodeId| match &graph.node(id).op {
            Op::Source { path, origin: Origin::Param } => self.out.model.params.iter().find(|p| *p.path == **path),
            _ => None,
        };
        if let Some(p) = source(loss) {
            out.add(p.path.clone(), vec![true; self.count_of_nets(p)]);
        }
        for (id, k) in grad::edges(graph, loss) {
            let Some(p) = source(graph.operands(id)[k].node) else { continue };
            let picks = if let Op::Gather { picks, .. } = &graph.node(id).op { &picks[..] } else { &[] };
            let picked = |axis: usize| match picks.get(axis) {
                Some(Pick::Operand(n)) => match graph.node(graph.operands(id)[*n].node).op {
                    Op::Const(place) => Some(place),
                    _ => None,
                },
                Some(Pick::Loop(_)) | None => None,
            };
            out.add(p.path.clone(), self.nets_at(p, &picked));
        }
        out
    }

    /// The nets of a parameter's arrays at these places, where they are known; all along the other arrays.
    fn nets_at(&self, p: &Param, place: &dyn Fn(usize) -> Option<f64>) -> Vec<bool> {
        let mut nets = vec![true];
        for (axis, size) in p.shape[..p.arrays()].iter().enumerate() {
            // As many as `count_of_nets` says.
            let Some(count) = size.constant() else { continue };
            let only = place(axis);
            let fits = |k: i64| only.is_none_or(|o| o == k as f64);
            nets = nets.iter().flat_map(|n| (0..count.max(0)).map(move |k| *n && fits(k))).collect();
        }
        nets
    }

    /// How many nets the arrays of a parameter have; 1 where that is not known here.
    fn count_of_nets(&self, p: &Param) -> usize {
        let arrays = &p.shape[..p.arrays()];
        arrays.iter().map(|size| size.constant().map_or(1, |n| n.max(0) as usize)).product()
    }

    /// What a clause `over` names.
    pub(super) fn named(&mut self, clause: &'a Clause) -> Res<Chosen> {
        let ClauseKind::Over { all, paths, except } = &clause.kind else { return Ok(Chosen::default()) };
        let mut out = match all {
            true => self.learned(),
            false => self.chosen_by(paths)?,
        };
        let others = self.chosen_by(except)?;
        out.take(&others);
        Ok(out)
    }

    fn chosen_by(&mut self, paths: &'a [Path]) -> Res<Chosen> {
        let mut out = Chosen::default();
        for path in paths {
            for target in self.find_path(path)?.into_targets() {
                let nets = self.picked_nets(&target, path.span)?;
                out.add(self.nets[target.param].path.clone(), nets);
            }
        }
        Ok(out)
    }

    /// Which nets of a parameter's arrays a path picks, row-major; one where there is no array, or its length is not known and all are
    /// meant.
    pub(in crate::check) fn picked_nets(&mut self, target: &Target, span: Span) -> Res<Vec<bool>> {
        let arrays = self.nets[self.nets[target.param].inst].arrays.clone();
        let mut nets = vec![true];
        for array in arrays {
            let count = self.axes.size_of(array).constant();
            let pick = target.elems.iter().find(|(a, _)| *a == array).map(|(_, pick)| pick);
            let only = match (pick, count) {
                (None, _) => None,
                (Some(Which::Name(n)), _) if *n == array => None,
                (Some(Which::Number(k)), Some(_)) if k.constant().is_some() => k.constant(),
                (Some(_), _) => {
                    let d = Diagnostic::limit(Code::H0824, span, "which net of this array is meant is not known here");
                    return self.fail(d.help("pick it by a number, `expert[3].*`; or name the array, `expert.*`"));
                }
            };
            let places = 0..count.unwrap_or(1);
            if let Some(n) = only.filter(|n| !places.contains(n)) {
                return self.no_such_net(span, places.end, n);
            }
            nets = nets.iter().flat_map(|n| places.clone().map(|k| *n && only.is_none_or(|o| o == k))).collect();
        }
        Ok(nets)
    }

    /// A number that no net of an array has.
    pub(in crate::check) fn no_such_net<T>(&mut self, span: Span, count: i64, n: i64) -> Res<T> {
        self.error(Code::H0316, span, format!("there are {count} nets here, numbered from 0, and this is number {n}"))
    }
}
