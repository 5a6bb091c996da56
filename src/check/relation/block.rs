//! Relations that stand in a block and hold to its end.

use super::{find::Found, print_place, value::EACH, walk_names};
use crate::check::instance::{ParamId, fixed_slots, join};
use crate::check::model::RelationKind;
use crate::check::scope::Binding;
use crate::check::value::{NameId, Pick, Tens, Tree, Value};
use crate::check::{Checker, Res};
use crate::diag::Code;
use crate::syntax::ast::{Expr, Place, Relation};

impl<'a> Checker<'a> {
    /// A relation in a body or block: it holds to the end of the block.
    pub fn block_relation(&mut self, relation: &'a Relation) -> Res<()> {
        let (kind, place, value) = match relation {
            Relation::Generate { place, value } => (RelationKind::Generate, place, value),
            Relation::Adapt { place, value } => (RelationKind::Adapt, place, value),
            Relation::Scale { place, value } => (RelationKind::Scale, place, value),
            Relation::Tie { place, value } => (RelationKind::Tie, place, value),
            Relation::Init { place, .. } => {
                return self.error(Code::H0412, place.span, "`init` is about what is stored; it stands among the members");
            }
            Relation::Freeze { paths } => {
                return self.error(Code::H0412, paths[0].span, "`freeze` is about what is learned; it stands among the members");
            }
        };
        let found = self.find_place(place)?;
        self.note_block(kind, place, value, &found);
        let all = self.written_values(kind, place, value, found)?;
        self.scopes.replace(all);
        Ok(())
    }

    /// What parameters are once a place in them has a value.
    pub fn placed_values(&mut self, place: &'a Place, value: &'a Expr) -> Res<Vec<(ParamId, Tens)>> {
        let found = self.find_place(place)?;
        self.written_values(RelationKind::Generate, place, value, found)
    }

    fn written_values(
        &mut self,
        kind: RelationKind,
        place: &'a Place,
        value: &'a Expr,
        found: Found<'a>,
    ) -> Res<Vec<(ParamId, Tens)>> {
        if let Some((word, _)) = &found.family {
            let message = format!("the nets of a family are unequal: which of them is `{word}`?");
            return self.error(Code::H0407, place.span, message);
        }
        let frame_picks = self.scopes.frame().picks.clone();
        let tree = match &found.under {
            Some(net) => Some(self.shape_tree(Value::Net(net.clone()), place.span)?),
            None => None,
        };
        self.in_scope(|c| {
            found.bound.iter().for_each(|(w, n)| c.scopes.name(w, Binding::Index(*n)));
            c.block_values(kind, value, found, tree, &frame_picks)
        })
    }

    /// Keeps a block's relation for people.
    fn note_block(&mut self, kind: RelationKind, place: &Place, value: &Expr, found: &Found<'a>) {
        let path = self.scopes.net_path().map_or(String::new(), |p| p.to_string());
        let mut sources = vec![];
        self.mentions(value, &mut sources);
        let sources = sources.into_iter().map(|s| join(&path, &s)).collect();
        self.note_relation(kind, join(&path, &print_place(place)), &found.targets, sources, place.span);
    }

    fn block_values(
        &mut self,
        kind: RelationKind,
        value: &'a Expr,
        found: Found<'a>,
        tree: Option<Tree>,
        picks: &[(NameId, Pick)],
    ) -> Res<Vec<(ParamId, Tens)>> {
        let mut out = vec![];
        let mut with_self = false;
        walk_names(value, &mut |w| with_self |= &**w == "self");
        let together = match with_self || fixed_slots(found.slots) {
            true => None,
            false => Some(self.own_values(kind, |c| c.place_values(value, found.slots, &found.targets, tree))?),
        };
        for (k, target) in found.targets.iter().enumerate() {
            let needs = kind == RelationKind::Adapt || kind == RelationKind::Scale || with_self || fixed_slots(found.slots);
            let whole = if needs || !target.elems.is_empty() { Some(self.param_value(target.param, value.span)?) } else { None };
            let all: Vec<(NameId, Pick)> = picks.iter().chain(&target.elems).cloned().collect();
            let own = match &whole {
                Some(t) => Some(self.pick_all(t.clone(), &all, value.span)?),
                None => None,
            };
            let v = match &together {
                Some(list) => list[k].clone(),
                None => {
                    let one = [target.clone()];
                    let made = self.with_self(own.clone().map(Value::Tensor), |c| match fixed_slots(found.slots) {
                        true => c.partial_value(value, found.slots.unwrap_or(&[]), target, own.clone()).map(|t| vec![t]),
                        false => c.own_values(kind, |c| c.place_values(value, found.slots, &one, None)),
                    });
                    made?.pop().expect(EACH)
                }
            };
            let v = if fixed_slots(found.slots) { v } else { self.combine(kind, own, v, value.span, target.param)? };
            let elems: Vec<_> = target.elems.iter().filter(|(a, p)| !matches!(p, Pick::Name(n) if n == a)).cloned().collect();
            let v = if elems.is_empty() { v } else { self.place_elements(v, whole, &elems)? };
            out.push((target.param, v));
        }
        Ok(out)
    }
}
