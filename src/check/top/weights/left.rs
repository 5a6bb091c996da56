//! The left side of a line: which part of a parameter it is, and its value, laid out as that part.

use super::Checker;
use super::line::{Aim, Read};
use crate::check::Res;
use crate::check::model::weights::Places;
use crate::check::relation::slot_span;
use crate::check::scope::Binding;
use crate::check::value::{NameId, Tens, Value};
use crate::check::word::Meaning;
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Bound, Expr, Index, Layout, Slot};

/// What one axis of the parameter is on the left side.
enum Side {
    At(usize),
    /// Indices: one, or the parts of a merged one, from here on and so far from each other.
    Named {
        names: Vec<NameId>,
        from: usize,
        step: usize,
        at: Span,
    },
    /// A size of the value.
    Sized(Places),
}

impl<'a> Checker<'a> {
    /// The value of a line and the part that it becomes; the value has a size for each axis along which the part goes. `nets`: an index
    /// that goes over so many nets, and the axis in front.
    pub(super) fn left_side(
        &mut self,
        read: &Read<'a>,
        aim: &Aim,
        slots: Option<&'a [Slot]>,
        nets: Option<(&ast::Name, usize)>,
    ) -> Res<(Tens, Vec<Places>)> {
        let given = slots.unwrap_or(&[]);
        if let Some(extra) = given.get(aim.sizes.len()) {
            let n = aim.sizes.len();
            let message = format!("`{}` has {n} {}, and here is an index more", aim.path, if n == 1 { "axis" } else { "axes" });
            return self.error(Code::H0410, slot_span(extra), message);
        }
        let (mut sides, mut sizes) = (vec![], vec![]);
        if let Some((word, n)) = nets {
            let name = self.axes.new_name(word, Size::from(n), Some(read.place.span));
            self.left_word(word, name, read.place.span)?;
            sides.push(Side::Named { names: vec![name], from: 0, step: 1, at: read.place.span });
            sizes.push(n);
        }
        sizes.extend(&aim.sizes);
        for (k, n) in aim.sizes.iter().enumerate() {
            sides.push(match given.get(k) {
                None => Side::Sized(Places::all(*n)),
                Some(slot) => self.side(slot, *n)?,
            });
        }
        if slots.is_some() && read.layout != Layout::Unsaid {
            let d =
                Diagnostic::error(Code::H0629, read.span, "indices say which way round it is: `transposed` says nothing more");
            return self.fail(d.help("leave the word out, or the indices"));
        }
        let v = self.expr(read.value)?;
        let t = match v {
            Value::Num(n) if aim.dtype == DType::F32 => self.num_f32(&n),
            Value::Num(n) => self.num_tens(&n),
            v => self.as_tens(v, read.value.span)?,
        };
        let t = self.of_kind(t, aim, read.value.span)?;
        let t = if slots.is_none() { self.way_round(t, read, aim)? } else { t };
        self.laid(t, &sides, &sizes, aim, read.value.span)
    }

    /// What one entry of a left side is, for an axis of `n`.
    fn side(&mut self, slot: &'a Slot, n: usize) -> Res<Side> {
        let at = slot_span(slot);
        match slot {
            Slot::Bound(b) => {
                if let Meaning::Local(Binding::Value(Value::Num(_))) = self.meaning(&b.name.name)
                    && b.range.is_none()
                {
                    let value = self.word(&b.name.name, b.name.span)?;
                    let k = self.whole(value, at)?;
                    return self.place_at(&k, n, at);
                }
                let size = if b.range.is_none() { Some(Size::from(n)) } else { None };
                let name = self.left_name(b, size)?;
                Ok(Side::Named { names: vec![name], from: 0, step: 1, at })
            }
            Slot::Merged(parts, _) => {
                let mut names = vec![];
                for b in parts {
                    names.push(self.left_name(b, None)?);
                }
                Ok(Side::Named { names, from: 0, step: 1, at })
            }
            Slot::Index(Index::Range { from, to }) => {
                let (a, b) = (self.size_of_expr(from)?, self.size_of_expr(to)?);
                match (a.constant(), b.constant()) {
                    (Some(a), Some(b)) if a <= b && b as usize <= n => {
                        Ok(Side::Sized(Places::Along { from: a as usize, step: 1, count: (b - a) as usize }))
                    }
                    _ => self.error(Code::H0316, at, format!("`{a}..{b}` is no part of an axis of {n}")),
                }
            }
            Slot::Index(Index::At(e)) => self.computed_side(e, n, at),
            Slot::Index(_) => self.error(Code::H0407, at, "this cannot stand on the left of a line of weights"),
        }
    }

    fn place_at(&mut self, k: &Size, n: usize, at: Span) -> Res<Side> {
        match k.constant().and_then(|k| usize::try_from(k).ok()).filter(|k| *k < n) {
            Some(k) => Ok(Side::At(k)),
            None => {
                let message = format!("this is index {k}, and the axis has {n} places, numbered from 0");
                self.error(Code::H0316, at, message)
            }
        }
    }

    /// A number, or a formula of one index that goes through places of equal distance: `64 + o`, `2 * j + 1`.
    fn computed_side(&mut self, e: &'a Expr, n: usize, at: Span) -> Res<Side> {
        let mut free: Vec<ast::Name> = vec![];
        crate::check::relation::walk_names(e, &mut |w| {
            if matches!(self.meaning(w), Meaning::Nothing) && !free.contains(w) {
                free.push(w.clone());
            }
        });
        let Some(word) = free.first().cloned() else {
            let k = self.size_of_expr(e)?;
            return self.place_at(&k, n, at);
        };
        let mut places = [0i64; 3];
        for (k, place) in places.iter_mut().enumerate() {
            let size = self.in_scope(|c| {
                c.scopes.name(&word, Binding::Value(Value::from(Size::from(k))));
                c.size_of_expr(e)
            })?;
            *place = size.constant().unwrap_or(-1);
        }
        let [from, second, third] = places;
        let step = second - from;
        if from < 0 || step < 1 || third - second != step || free.len() > 1 {
            let d = Diagnostic::error(Code::H0407, at, "this is no formula of one index with places of equal distance");
            return self.fail(d.help("on the left stands an index, `64 + o`, `2 * j + 1`, a merged index, a number, or a range"));
        }
        let name = self.axes.open_name(&word);
        self.left_word(&word, name, at)?;
        Ok(Side::Named { names: vec![name], from: from as usize, step: step as usize, at })
    }

    /// An index that is bound on the left; of this size, where nothing else is said.
    fn left_name(&mut self, b: &'a Bound, size: Option<Size>) -> Res<NameId> {
        let size = match &b.range {
            Some(range) => Some(self.size_of_expr(range)?),
            None => size,
        };
        let name = match size {
            Some(size) => self.axes.new_name(&b.name.name, size, Some(b.name.span)),
            None => self.axes.open_name(&b.name.name),
        };
        self.left_word(&b.name.name, name, b.name.span)?;
        Ok(name)
    }

    /// Gives an index of the left side its meaning: whatever else the model calls so does not count here.
    fn left_word(&mut self, word: &ast::Name, name: NameId, at: Span) -> Res<()> {
        if let Meaning::Local(Binding::Index(_)) = self.meaning(word) {
            let d = Diagnostic::error(Code::H0407, at, format!("`{word}` stands twice on this left side"));
            return self.fail(d.help("each axis has an index of its own; a diagonal alone is no whole parameter"));
        }
        self.scopes.name(word, Binding::Index(name));
        Ok(())
    }

    /// A value of the parameter's type.
    fn of_kind(&mut self, t: Tens, aim: &Aim, at: Span) -> Res<Tens> {
        if aim.dtype == DType::F32 && t.dtype != DType::Bool {
            return Ok(self.to_f32(&t));
        }
        if t.dtype == aim.dtype {
            return Ok(t);
        }
        let message = format!("`{}` is {}, and this is {}", aim.path, aim.dtype.word(), self.show_kind(&t));
        self.error(Code::H0616, at, message)
    }

    /// The value laid out as the part that the sides name.
    fn laid(&mut self, t: Tens, sides: &[Side], sizes: &[usize], aim: &Aim, at: Span) -> Res<(Tens, Vec<Places>)> {
        let mut part = vec![];
        let mut names = vec![];
        for (side, n) in sides.iter().zip(sizes) {
            part.push(match side {
                Side::At(k) => Places::At(*k),
                Side::Sized(places) => *places,
                Side::Named { names: own, from, step, at } => {
                    names.extend(own.iter().copied());
                    self.goes_along(own, *from, *step, *n, *at)?
                }
            });
        }
        if let Some(n) = t.names().find(|n| !names.contains(n)) {
            let message = format!("this varies over `{}`, which the left side does not name", self.axes.name_text(n));
            return self.error(Code::H0346, at, message);
        }
        // Sizes of the value are those of ranges and of axes that have no index, in order.
        let wanted: Vec<usize> =
            sides.iter().filter_map(|s| if let Side::Sized(p) = s { Some(p.count()) } else { None }).collect();
        let own = self.sized_extents(&t);
        let one = own.is_empty() && names.is_empty() && t.labels.is_empty();
        let fits = own.len() == wanted.len() && own.iter().zip(&wanted).all(|(a, b)| a.is(*b as i64));
        if !one && !fits {
            return self.does_not_fit(&t, &wanted, aim, at);
        }
        let t = if one && !wanted.is_empty() { self.repeated(t, &wanted) } else { t };
        let t = self.names_to_sizes(t, &names);
        // Names stand first, then sizes: each where its axis is.
        let (mut named, mut sized) = (0, names.len());
        let mut order = vec![];
        for side in sides {
            match side {
                Side::At(_) => {}
                Side::Named { names, .. } => {
                    order.extend(named..named + names.len());
                    named += names.len();
                }
                Side::Sized(_) => {
                    order.push(sized);
                    sized += 1;
                }
            }
        }
        let mut t = self.permute(&t, &order);
        if sides.iter().any(|s| matches!(s, Side::Named { names, .. } if names.len() > 1)) {
            let counts = part.iter().filter(|p| !matches!(p, Places::At(_))).map(|p| Size::from(p.count()));
            t = self.reshape(&t, counts.collect());
        }
        Ok((t, part))
    }

    /// One number at all places.
    fn repeated(&mut self, t: Tens, sizes: &[usize]) -> Tens {
        let axes = sizes.iter().enumerate().map(|(d, n)| crate::ir::Axis::new(format!("d{d}"), *n as i64)).collect();
        self.copy(&t, vec![crate::check::value::Label::Sized; sizes.len()], axes, vec![])
    }

    /// Where indices go along an axis of `n`.
    fn goes_along(&mut self, names: &[NameId], from: usize, step: usize, n: usize, at: Span) -> Res<Places> {
        if let [one] = names {
            if self.axes.is_open(*one) {
                let size = self.axes.size_of(*one);
                self.axes.same(&size, &Size::from(n.saturating_sub(from).div_ceil(step)));
            }
        } else if !self.cover(names, &Size::from(n), at)?.is_empty() {
            return self.error(Code::H0312, at, "at most one part of a merged index may be without a range");
        }
        let count =
            names.iter().try_fold(1usize, |c, name| c.checked_mul(usize::try_from(self.axes.size_of(*name).constant()?).ok()?));
        let Some(count) = count else { return self.unknown(at, "the range of an index on the left") };
        let last = count.checked_sub(1).map_or(0, |c| c.saturating_mul(step).saturating_add(from));
        if count > 0 && last >= n {
            let message = format!("this goes to place {last}, and the axis has {n}, numbered from 0");
            return self.error(Code::H0316, at, message);
        }
        Ok(Places::Along { from, step, count })
    }
}
