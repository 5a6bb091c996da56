//! The nets of a model, with their parameters and relations.
//!
//! In: declarations. Out: nets and parameters by number, with what is known of each. Nothing is computed here.

use super::{Asked, Inst, InstId, MemberRef, Param, ParamId, Sub, SubFrom, SubState, Thunk, join};
use crate::check::model::RelationKind;
use crate::check::report::Res;
use crate::check::scope::{Binding, Frame};
use crate::check::value::{NameId, NetVal, Pick, Tens, Tree};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::ast::{self, Expr, Name, Slot};
use std::collections::{HashMap, HashSet};
use std::ops::{Index, IndexMut};

/// A parameter, possibly of single nets of its arrays.
#[derive(Clone, Debug)]
pub struct Target {
    pub param: ParamId,
    pub elems: Vec<(NameId, Pick)>,
}

/// A relation with its targets.
pub struct Rel<'a> {
    pub kind: RelationKind,
    pub place: &'a ast::Place,
    pub value: &'a Expr,
    pub owner: InstId,
    pub targets: Vec<Target>,
    /// Array indices bound on the left.
    pub bound: Vec<(Name, NameId)>,
    /// Numbers of families that the left side binds: there is a relation for each.
    pub numbers: Vec<(Name, Binding<'a>)>,
    /// Element indices on the left.
    pub slots: Option<&'a [Slot]>,
    /// The left side ends in `.*`: the value is a tree or a flat vector.
    pub tree: Option<Tree>,
    pub with_self: bool,
    /// Values for all targets, when they do not depend on `self`.
    pub values: Option<Res<Vec<Tens>>>,
}

/// Nets, parameters and relations of a model.
#[derive(Default)]
pub struct Nets<'a> {
    insts: Vec<Inst<'a>>,
    params: Vec<Param<'a>>,
    pub relations: Vec<Rel<'a>>,
    /// Parameters whose values are being computed.
    pub asking: Vec<ParamId>,
    /// Whether anything is a family, which an index can only pick of when it is written out.
    pub has_families: bool,
    /// Copies that `each` made.
    pub each_copies: Vec<InstId>,
    /// Nets and functions that were called, by the places of their names.
    pub used: HashSet<Span>,
}

impl<'a> Index<InstId> for Nets<'a> {
    type Output = Inst<'a>;

    fn index(&self, id: InstId) -> &Inst<'a> {
        &self.insts[id.0]
    }
}

impl<'a> IndexMut<InstId> for Nets<'a> {
    fn index_mut(&mut self, id: InstId) -> &mut Inst<'a> {
        &mut self.insts[id.0]
    }
}

impl<'a> Index<ParamId> for Nets<'a> {
    type Output = Param<'a>;

    fn index(&self, p: ParamId) -> &Param<'a> {
        &self.params[p.0]
    }
}

impl<'a> IndexMut<ParamId> for Nets<'a> {
    fn index_mut(&mut self, p: ParamId) -> &mut Param<'a> {
        &mut self.params[p.0]
    }
}

impl<'a> Nets<'a> {
    /// A frame in which an instance's members are computed.
    pub fn inst_frame(&self, id: InstId) -> Frame<'a> {
        let inst = &self[id];
        let mut frame = Frame::new(inst.file, Some(id));
        frame.sees_dims = inst.sees_dims;
        frame.path = inst.path.as_str().into();
        frame.span = inst.span;
        frame.picks = inst.arrays.iter().map(|a| (*a, Pick::Name(*a))).collect();
        frame
    }

    /// A frame in which a relation's value is computed: what its left side binds is known.
    pub fn relation_frame(&self, r: usize) -> Frame<'a> {
        let rel = &self.relations[r];
        let mut frame = self.inst_frame(rel.owner);
        frame.scopes.push(rel.bound.iter().map(|(w, n)| (w.clone(), Binding::Index(*n))).collect());
        frame.scopes.push(rel.numbers.iter().cloned().collect());
        frame
    }

    /// An empty instance.
    pub fn new_inst(&mut self, file: usize, parent: Option<InstId>, path: String, span: Span) -> InstId {
        let arrays = parent.map_or(vec![], |p| self[p].arrays.clone());
        let (form, sees_dims) = parent.map_or((false, false), |p| (self[p].form, false));
        self.insts.push(Inst {
            file,
            net: None,
            parent,
            path,
            form,
            given: false,
            decl: None,
            sees_dims,
            arrays,
            members: HashMap::new(),
            absent: HashMap::new(),
            sides: HashMap::new(),
            order: vec![],
            thunks: vec![],
            subs: vec![],
            leaf_params: vec![],
            over_leaves: vec![],
            matches: vec![],
            signature: None,
            relations: vec![],
            eaches: vec![],
            span,
        });
        InstId(self.insts.len() - 1)
    }

    /// Adds a member; the first of its name stays.
    pub fn add_member(&mut self, id: InstId, name: &ast::Ident, member: MemberRef) {
        // The second of two members of one name was said where names are.
        if self[id].members.contains_key(&name.name) {
            return;
        }
        self[id].members.insert(name.name.clone(), member);
        if !matches!(member, MemberRef::Thunk(_) | MemberRef::Match(_)) {
            self[id].order.push((name.name.clone(), member));
        }
    }

    pub fn add_thunk(&mut self, id: InstId, name: &ast::Ident, thunk: Thunk<'a>) {
        self.add_named_thunk(id, &name.name, thunk);
    }

    pub fn add_named_thunk(&mut self, id: InstId, name: &Name, thunk: Thunk<'a>) {
        self[id].thunks.push(thunk);
        let n = self[id].thunks.len() - 1;
        self[id].members.entry(name.clone()).or_insert(MemberRef::Thunk(n));
    }

    /// Takes a declaration that may stand anywhere as a member. `false`: it is none.
    pub fn declare(&mut self, id: InstId, stmt: &'a ast::Stmt) -> bool {
        match &stmt.kind {
            ast::StmtKind::Const(defs) => {
                for def in defs {
                    self.add_thunk(id, &def.name, Thunk::Const(&def.value, def.name.name.clone()));
                }
            }
            ast::StmtKind::ConstDraw(draw) => self.add_thunk(id, &draw.name, Thunk::Draw(draw)),
            ast::StmtKind::Param(decl) => self.declare_param(id, decl),
            ast::StmtKind::Sub(decl) => {
                self.has_families |= matches!(decl.array, ast::ArrayDecl::Family { .. } | ast::ArrayDecl::Leaves { .. });
                self.add_sub(id, &decl.name, SubFrom::Decl(decl));
            }
            ast::StmtKind::Relation(relation) => self[id].relations.push(relation),
            ast::StmtKind::Each(each) => {
                self.has_families = true;
                self[id].eaches.push(each);
            }
            _ => return false,
        }
        true
    }

    /// A net as a part, made when it is first asked for.
    pub fn add_sub(&mut self, id: InstId, name: &'a ast::Ident, from: SubFrom<'a>) {
        self[id].subs.push(Sub { name, from, state: SubState::Waiting, family: None });
        let n = self[id].subs.len() - 1;
        self.add_member(id, name, MemberRef::Sub(n));
    }

    fn declare_param(&mut self, id: InstId, decl: &'a ast::ParamDecl) {
        if decl.over.is_some() {
            self.has_families = true;
            // The tree may be declared below: its leaves are looked up when all parts are made.
            self[id].leaf_params.push(vec![]);
            let n = self[id].leaf_params.len() - 1;
            self[id].over_leaves.push((n, decl));
            self.add_member(id, &decl.name, MemberRef::LeafParams(n));
            return;
        }
        let param = self.new_param(id, decl, None);
        self.add_member(id, &decl.name, MemberRef::Param(param));
    }

    pub fn new_param(&mut self, id: InstId, decl: &'a ast::ParamDecl, leaf: Option<(Name, Name, Size)>) -> ParamId {
        let own = match &leaf {
            Some((_, leaf, _)) => format!("{}.{leaf}", decl.name.name),
            None => decl.name.name.to_string(),
        };
        let path = join(&self[id].path, &own);
        self.params.push(Param {
            inst: id,
            path,
            decl,
            shape: None,
            leaf,
            source: None,
            relations: vec![],
            effective: Asked::Not,
            single: HashMap::new(),
            singly: vec![],
            init: None,
            frozen: vec![],
            kept: false,
        });
        ParamId(self.params.len() - 1)
    }

    /// Nets below an instance, itself first.
    pub fn below(&self, id: InstId) -> Vec<InstId> {
        let mut out = vec![id];
        for sub in &self[id].subs {
            sub.made().into_iter().for_each(|s| out.extend(self.below(s)));
        }
        out
    }

    /// A parameter's relations as they apply: what writes it comes first, the rest in the order written.
    pub fn in_order(&self, p: ParamId) -> Vec<(usize, usize)> {
        let mut all = self[p].relations.clone();
        all.sort_by_key(|(r, _)| self.keeps(*r));
        all
    }

    /// Whether a relation builds on what was there before.
    pub fn keeps(&self, r: usize) -> bool {
        let rel = &self.relations[r];
        matches!(rel.kind, RelationKind::Adapt | RelationKind::Scale) || rel.with_self || fixed_slots(rel.slots)
    }

    /// The member of a name that is seen from a net: its own, or where it is a copy of an `each`, those around it.
    pub fn seen_from(&self, mut inst: Option<InstId>, word: &str) -> Option<(InstId, MemberRef)> {
        while let Some(id) = inst {
            if let Some(member) = self[id].members.get(word) {
                return Some((id, *member));
            }
            inst = if self[id].net.is_none() { self[id].parent } else { None };
        }
        None
    }

    /// Where it is decided that a member which is written in a net is not there.
    pub fn absent_from(&self, mut inst: Option<InstId>, word: &str) -> Option<Span> {
        while let Some(id) = inst {
            if let Some(because) = self[id].absent.get(word) {
                return Some(*because);
            }
            inst = if self[id].net.is_none() { self[id].parent } else { None };
        }
        None
    }

    /// Arrays that a net stands in and that are not indexed yet, outermost first.
    pub fn open_arrays(&self, net: &NetVal) -> Vec<NameId> {
        let picked = |a: &NameId| net.picks.iter().any(|(n, _)| n == a);
        self[net.inst].arrays.iter().copied().filter(|a| !picked(a)).collect()
    }

    /// All parameters by the nets that declare them.
    pub fn params_by_net(&self) -> HashMap<InstId, Vec<ParamId>> {
        let mut out: HashMap<InstId, Vec<ParamId>> = HashMap::new();
        for (n, p) in self.params.iter().enumerate() {
            out.entry(p.inst).or_default().push(ParamId(n));
        }
        out
    }

    /// The nets of a model, in order, those of the copies that `each` makes among them.
    pub fn all_below(&self, id: InstId) -> Vec<InstId> {
        let mut out = self.below(id);
        self.each_copies.iter().for_each(|copy| out.extend(self.below(*copy)));
        out
    }

    /// The form that is declared here, where it was asked for.
    pub fn known_form(&self, declared: Span) -> Option<InstId> {
        self.insts.iter().position(|i| i.form && i.span == declared && i.parent.is_none()).map(InstId)
    }
}

/// Whether a left side writes only a part of a parameter.
pub fn fixed_slots(slots: Option<&[Slot]>) -> bool {
    slots.is_some_and(|s| s.iter().any(|s| matches!(s, Slot::Index(_))))
}
