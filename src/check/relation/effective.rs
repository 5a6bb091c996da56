//! The value of a parameter after all relations that write it.

use crate::check::instance::{Asked, Effective, ParamId, Target};
use crate::check::scope::{Binding, Frame};
use crate::check::value::{NameId, Pick, Tens, Value};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Map, Size};
use crate::source::Span;
use std::collections::HashSet;

/// Single nets of an array that is too long for that.
pub(super) fn written_out(span: Span, count: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::limit(Code::H0812, span, format!("{count} nets would be written out one by one"))
        .here(format!("{} is the most", crate::check::MAX_MATCHES))
        .help("a free name in brackets means all of them at once, `adapt layer[l].w by ..`")
}

/// A parameter's value while its relations are applied.
#[derive(Default)]
struct SoFar {
    whole: Option<Tens>,
    /// An array whose nets were written one by one.
    parts: Option<(NameId, Vec<Option<Tens>>)>,
    /// Where it was first written, and which of its nets; none: all.
    written: Option<(Span, HashSet<i64>)>,
}

impl<'a> Checker<'a> {
    /// What a parameter is here: replaced by a block, or its value after all relations.
    pub fn param_value(&mut self, p: ParamId, span: Span) -> Res<Tens> {
        if self.scopes.by_shapes() {
            return self.param_source(p);
        }
        if let Some(t) = self.scopes.replaced(p) {
            return Ok(t.clone());
        }
        match self.effective(p, span)? {
            Effective::Whole(t) => Ok(t),
            Effective::Each(axis, list) => self.join_elements(axis, &list),
        }
    }

    fn join_elements(&mut self, axis: NameId, list: &[Tens]) -> Res<Tens> {
        let span = self.scopes.frame().span;
        let parts = list.iter().map(|t| (t.clone(), span)).collect();
        let stacked = self.at_level(0, |c| c.stack(parts, span))?;
        let dim = stacked.sized()[0];
        Ok(self.dim_to_name(&stacked, dim, axis))
    }

    pub fn effective(&mut self, p: ParamId, span: Span) -> Res<Effective> {
        match &self.nets[p].effective {
            Asked::Not => {}
            Asked::Now => return self.cycle(p, span),
            Asked::Done(known) => return known.clone(),
        }
        self.nets[p].effective = Asked::Now;
        self.nets.asking.push(p);
        // The value is everybody's: what holds where it is asked for first says nothing about it.
        let value = self.unguarded(|c| c.relate(p, span));
        self.nets.asking.pop();
        self.nets[p].effective = Asked::Done(value.clone());
        value
    }

    fn cycle<T>(&mut self, p: ParamId, span: Span) -> Res<T> {
        let from = self.nets.asking.iter().position(|q| *q == p).unwrap_or(0);
        let mut path: Vec<String> = self.nets.asking[from..].iter().map(|q| format!("`{}`", self.nets[*q].path)).collect();
        path.push(format!("`{}`", self.nets[p].path));
        let mut written = vec![];
        for &q in &self.nets.asking[from..] {
            if let Some((r, _)) = self.nets[q].relations.first() {
                written.push((self.nets.relations[*r].place.span, format!("`{}` is written here", self.nets[q].path)));
            }
        }
        let places: Vec<Span> = written.iter().map(|w| w.0).collect();
        let message = format!("parameters are made from themselves: {}", path.join(" needs "));
        let mut written = written.into_iter();
        let (at, text) = written.next().unwrap_or((span, String::new()));
        let mut d = Diagnostic::error(Code::H0405, at, message).here(text);
        for (at, text) in written {
            d = d.label(at, text);
        }
        self.report.circle(&places, d.help("one of them must be learned, or be made from something else"))
    }

    /// Applies a parameter's relations in order.
    fn relate(&mut self, p: ParamId, span: Span) -> Res<Effective> {
        let relations = self.nets.in_order(p);
        if relations.is_empty() {
            return self.unwritten(p, span);
        }
        let mut so_far = SoFar::default();
        for (r, k) in relations {
            if !self.nets.keeps(r) {
                self.written_once(p, r, k, &mut so_far)?;
            }
            let at = self.nets.relations[r].place.span;
            self.relating(at, |c| match c.single(r, k) {
                Some((axis, n)) => c.relate_single(p, (r, k), axis, n, &mut so_far),
                None => c.relate_whole(p, (r, k), &mut so_far),
            })?;
        }
        match so_far.parts.take() {
            Some((axis, list)) => Ok(Effective::Each(axis, self.all_elements(p, axis, list, so_far.whole)?)),
            None => Ok(Effective::Whole(so_far.whole.expect("there is a relation"))),
        }
    }

    /// A parameter that no relation is about: as it is stored.
    fn unwritten(&mut self, p: ParamId, span: Span) -> Res<Effective> {
        if !self.nets[self.nets[p].inst].form || self.scopes.by_shapes() {
            return Ok(Effective::Whole(self.param_source(p)?));
        }
        let message = format!("nothing writes `{}`: a form has a layout and no parameters", self.nets[p].path);
        // The call that lacks them stands in the root file, however deep the parameter is read.
        let root = self.program.files[0].id;
        let call = self.scopes.frames().find(|f| f.file == 0 && f.span.file == root).map(|f| f.span);
        let mut d = Diagnostic::error(Code::H0402, call.unwrap_or(span), message);
        if call.is_some_and(|c| c.file != span.file) {
            d = d.label(span, "read here");
        }
        self.fail(d.help("give them with the call, `target{* = theta}(x)`, or with a relation, `generate target.* from ..`"))
    }

    /// Refuses a second source of what a relation writes without keeping anything.
    fn written_once(&mut self, p: ParamId, r: usize, k: usize, so_far: &mut SoFar) -> Res<()> {
        let (at, single) = (self.nets.relations[r].place.span, self.single(r, k).map(|s| s.1));
        let clash = match (&so_far.written, single) {
            (Some((first, _)), None) => Some(*first),
            (Some((first, list)), Some(n)) if list.is_empty() || list.contains(&n) => Some(*first),
            _ => None,
        };
        if let Some(first) = clash {
            let message = format!("`{}` has two sources", self.nets[p].path);
            return self.fail(
                Diagnostic::error(Code::H0403, at, message).here("written again here").label(first, "written here first").help(
                    "a second relation may change what the first one wrote: `adapt`, `scale`, or an expression with `self`",
                ),
            );
        }
        so_far.written.get_or_insert_with(|| (at, HashSet::new())).1.extend(single);
        Ok(())
    }

    /// A relation about one net of an array.
    fn relate_single(&mut self, p: ParamId, (r, k): (usize, usize), axis: NameId, n: i64, so_far: &mut SoFar) -> Res<()> {
        let at = self.nets.relations[r].place.span;
        let Some(count) = self.axes.size_of(axis).constant() else { return self.unknown(at, "the number of nets") };
        if n < 0 || n >= count {
            return self.no_such_net(at, count, n);
        }
        if count as usize > crate::check::MAX_MATCHES {
            return self.fail(written_out(at, count));
        }
        let alone = self.only_singles(p, axis);
        let list = &mut so_far.parts.get_or_insert_with(|| (axis, vec![None; count as usize])).1;
        if alone {
            let value = self.single_value(p, axis, n)?;
            list[n as usize] = Some(value);
            return Ok(());
        }
        let own = match (list[n as usize].clone(), self.nets.keeps(r)) {
            (Some(t), _) => Some(t),
            (None, false) => None,
            (None, true) => Some(self.element(p, so_far.whole.clone(), axis, n)?),
        };
        let value = self.relation_value(r, k, own)?;
        so_far.parts.as_mut().expect("just made").1[n as usize] = Some(value);
        Ok(())
    }

    /// A relation about all nets, or about nets that an index or data choose.
    fn relate_whole(&mut self, p: ParamId, (r, k): (usize, usize), so_far: &mut SoFar) -> Res<()> {
        if let Some((axis, list)) = so_far.parts.take() {
            let all = self.all_elements(p, axis, list, so_far.whole.take())?;
            so_far.whole = Some(self.join_elements(axis, &all)?);
        }
        let elems = self.nets.relations[r].targets[k].elems.clone();
        let own = match (so_far.whole.clone(), self.nets.keeps(r) || !elems.is_empty()) {
            (Some(t), _) => Some(t),
            (None, true) => Some(self.param_source(p)?),
            (None, false) => None,
        };
        let value = self.relation_value(r, k, own.clone())?;
        so_far.whole = Some(if elems.is_empty() { value } else { self.place_elements(value, own, &elems)? });
        Ok(())
    }

    /// The values of an array's nets: those that are written one by one, and the others.
    fn all_elements(&mut self, p: ParamId, axis: NameId, list: Vec<Option<Tens>>, whole: Option<Tens>) -> Res<Vec<Tens>> {
        let mut out = vec![];
        for (n, t) in list.into_iter().enumerate() {
            out.push(match t {
                Some(t) => t,
                None => self.element(p, whole.clone(), axis, n as i64)?,
            });
        }
        Ok(out)
    }

    /// One net's value out of a whole one (the stored one where there is none yet).
    pub(super) fn element(&mut self, p: ParamId, whole: Option<Tens>, axis: NameId, n: i64) -> Res<Tens> {
        let whole = match whole {
            Some(t) => t,
            None => self.param_source(p)?,
        };
        let span = self.scopes.frame().span;
        self.at_level(0, |c| c.pick_all(whole, &[(axis, Pick::Number(Size::from(n)))], span))
    }

    /// A value for some nets in the place of theirs.
    pub(super) fn place_elements(&mut self, value: Tens, own: Option<Tens>, elems: &[(NameId, Pick)]) -> Res<Tens> {
        let Some(own) = own else { return Ok(value) };
        let mut mask: Option<Tens> = None;
        for (axis, pick) in elems {
            let counter = self.iota(*axis);
            let index = match pick {
                Pick::Number(n) => self.size_value(n),
                Pick::Data(t) => t.clone(),
                Pick::Name(n) if n == axis => continue,
                Pick::Name(n) => self.iota(*n),
                Pick::Mix(_) => continue,
            };
            let same = self.pointwise(Map::Eq, &[&counter, &index])?;
            mask = Some(match mask {
                None => same,
                Some(m) => self.pointwise(Map::And, &[&m, &same])?,
            });
        }
        match mask {
            None => Ok(value),
            Some(m) => self.pointwise(Map::Select, &[&m, &value, &own]),
        }
    }

    /// The initialiser that a relation or a declaration gives a parameter.
    pub fn param_init(&mut self, p: ParamId) -> Res<Option<crate::check::model::Init>> {
        let shape = self.param_shape(p)?;
        if let Some((r, k)) = self.nets[p].init {
            let rel = &self.nets.relations[r];
            let (value, slots, target) = (rel.value, rel.slots, rel.targets[k].clone());
            let place = rel.place.span;
            if !self.starts_all(p, r) {
                return self.fail(
                    Diagnostic::error(Code::H0414, place, "the nets of an array start alike, or by an index")
                        .here("some of them are chosen here")
                        .help("a free name means all of them, `init net[e].w[i, j] = ..`; an `if` in it tells them apart"),
                );
            }
            let frame = self.nets.relation_frame(r);
            return match slots {
                None => {
                    let ty = &self.nets[p].decl.ty;
                    let init = self.outside(frame, |c| c.initialiser(value, &shape))?;
                    self.init_fits(&init, value, ty)?;
                    Ok(Some(init))
                }
                Some(slots) => {
                    let t = self.outside(frame, |c| c.slot_value(value, slots, &target))?;
                    self.outside(self.nets.relation_frame(r), |c| c.init_node(t, &shape)).map(Some)
                }
            };
        }
        let param = &self.nets[p];
        let Some(init) = &param.decl.init else { return Ok(None) };
        let mut frame: Frame<'a> = self.nets.inst_frame(param.inst);
        frame.span = param.decl.name.span;
        if let Some((word, leaf, size)) = &param.leaf {
            frame.scopes.push([(word.clone(), Binding::Value(Value::LeafName(leaf.clone(), size.clone())))].into());
        }
        let ty = &param.decl.ty;
        let made = self.outside(frame, |c| c.initialiser(init, &shape))?;
        self.init_fits(&made, init, ty)?;
        Ok(Some(made))
    }

    /// Whether an initialiser is for all nets of the arrays in which a parameter stands.
    fn starts_all(&self, p: ParamId, r: usize) -> bool {
        let mine = self.nets.relations[r].targets.iter().filter(|t| t.param == p);
        let single = |t: &&Target| t.elems.iter().any(|(a, p)| !matches!(p, Pick::Name(n) if n == a));
        let single = mine.filter(single).count();
        let arrays = &self.nets[self.nets[p].inst].arrays;
        let all = arrays.iter().try_fold(1i64, |n, a| n.checked_mul(self.axes.size_of(*a).constant()?));
        single == 0 || all == i64::try_from(single).ok()
    }

    /// Whether a relation writes a parameter (or which single nets' parts) without needing what is stored.
    pub fn provided(&self, p: ParamId) -> (bool, Vec<Vec<usize>>) {
        let mut single = vec![];
        for (r, k) in &self.nets.in_order(p) {
            if self.nets.keeps(*r) {
                // What is kept must be there: stored, unless it was written before.
                if single.is_empty() {
                    return (false, vec![]);
                }
                continue;
            }
            let elems = &self.nets.relations[*r].targets[*k].elems;
            if elems.is_empty() {
                return (true, vec![]);
            }
            let numbers: Option<Vec<usize>> = elems
                .iter()
                .map(|(_, p)| match p {
                    Pick::Number(n) => n.constant().map(|n| n as usize),
                    Pick::Name(_) | Pick::Data(_) | Pick::Mix(_) => None,
                })
                .collect();
            let arrays = &self.nets[self.nets[p].inst].arrays;
            if let Some(n) = numbers
                && n.len() == arrays.len()
            {
                single.push(n);
            }
        }
        // As many as there are nets; of an unknown number nobody knows.
        let all = self.nets[self.nets[p].inst]
            .arrays
            .iter()
            .try_fold(1usize, |n, a| n.checked_mul(usize::try_from(self.axes.size_of(*a).constant()?).ok()?));
        (!single.is_empty() && Some(single.len()) == all, single)
    }
}
