//! Names in `train` and `weights` blocks: what they name must be there. What a `train` block then asks for is made in `learn`.
//!
//! In: a checked model. Out: errors at words that are no input, output, loss, parameter, dim, function, optimizer or schedule.

use super::blocks::Near;
use crate::check::instance::{InstId, MemberRef, Parts, join};
use crate::check::library::Wanted;
use crate::check::word::{FileItem, Meaning};
use crate::check::{Checker, builtin, habit};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, ClauseKind, Expr, ExprKind, Ident, ItemKind, Name};
use crate::syntax::walk::{self, Visit, What};

/// Words that have a value in a train block only: the step under way, how many there are, the load of the busiest expert, and
/// schedules, which are functions of a fraction.
const WORDS: &[&str] = &["step", "steps", "max_load"];

/// Collects the words that an expression does not bind itself.
#[derive(Default)]
pub(super) struct Words {
    scopes: Vec<Vec<Name>>,
    pub free: Vec<(Name, Span)>,
    /// `base.name`
    dotted: Vec<(Expr, Ident)>,
}

impl Visit for Words {
    fn open(&mut self) {
        self.scopes.push(vec![]);
    }

    fn close(&mut self) {
        self.scopes.pop();
    }

    fn declare(&mut self, name: &Ident, _: What) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(name.name.clone());
        }
    }

    fn mention(&mut self, word: &Name, span: Span) {
        if !self.scopes.iter().flatten().any(|n| n == word) {
            self.free.push((word.clone(), span));
        }
    }

    fn dotted(&mut self, base: &Expr, name: &Ident) {
        self.dotted.push((base.clone(), name.clone()));
    }
}

/// The words of something that is walked in a scope of its own.
pub(super) fn words(walk: impl FnOnce(&mut Words)) -> Words {
    let mut out = Words::default();
    out.open();
    walk(&mut out);
    out
}

/// The words of an optimizer's arguments; its own is looked up where it is made.
fn settings_of(e: &Expr, w: &mut Words) {
    match &*e.kind {
        ExprKind::Call { args, .. } => args.iter().for_each(|a| walk::expr(&a.value, w)),
        ExprKind::Name(_) => {}
        _ => walk::expr(e, w),
    }
}

impl<'a> Checker<'a> {
    /// A `train` block of the model under way.
    pub(super) fn train_block(&mut self, t: &'a ast::TrainDef) {
        if let Some((word, from, to)) = &t.each {
            // What is unknown was said; the clauses are looked at all the same.
            let _ = self.known_input(word);
            self.known_words(words(|w| [from, to].into_iter().for_each(|e| walk::expr(e, w))));
        }
        if let Some(after) = &t.after {
            self.known_phase(after);
            self.some_phase_is_first(t, after);
        }
        self.said_once(&t.clauses);
        self.clauses(&t.clauses);
    }

    /// Says where phases come after each other in a circle: at one of them.
    fn some_phase_is_first(&mut self, t: &ast::TrainDef, after: &Ident) {
        let program = self.program;
        let mut before: Vec<(&str, &str)> = vec![];
        for item in &program.files[0].ast.items {
            if let ItemKind::Train(ast::TrainDef { phase: Some(phase), after: Some(after), .. }) = &item.kind {
                before.push((&phase.name, &after.name));
            }
        }
        let Some(own) = t.phase.as_ref().map(|p| &*p.name) else { return };
        let (mut at, mut around) = (&*after.name, vec![own]);
        while at != own {
            match before.iter().find(|(phase, _)| *phase == at) {
                // A circle that this phase only leads to is said by those in it.
                Some((phase, next)) if !around.contains(phase) => {
                    around.push(phase);
                    at = next;
                }
                _ => return,
            }
        }
        // Said once: by the first of them.
        if around.iter().all(|p| own <= *p) {
            let d = Diagnostic::error(Code::H0728, after.span, "these phases come after each other in a circle");
            self.report.say(d.help("one of them must be the first: leave its `after` away"));
        }
    }

    /// `after warmup`: another train block.
    fn known_phase(&mut self, after: &Ident) {
        let program = self.program;
        let phases: Vec<&str> = program.files[0]
            .ast
            .items
            .iter()
            .filter_map(|i| match &i.kind {
                ItemKind::Train(other) => other.phase.as_ref().map(|p| &*p.name),
                _ => None,
            })
            .collect();
        if !phases.contains(&&*after.name) {
            let d = Diagnostic::error(Code::H0709, after.span, format!("no train block is called `{}`", after.name));
            self.report.say(d.near(after, &phases, "`train M as name { .. }` names one"));
        }
    }

    /// `validate held ..`: the phase of an `eval` block.
    fn known_measure(&mut self, name: &Ident) {
        let program = self.program;
        let blocks = program.files[0].ast.items.iter().filter_map(|i| match &i.kind {
            ItemKind::Eval(e) => e.phase.as_ref().map(|p| &*p.name),
            _ => None,
        });
        let blocks: Vec<&str> = blocks.collect();
        if !blocks.contains(&&*name.name) {
            let d = Diagnostic::error(Code::H0709, name.span, format!("no eval block is called `{}`", name.name));
            self.report.say(d.near(name, &blocks, "`eval M as held { .. }` names one"));
        }
    }

    fn clauses(&mut self, clauses: &'a [ast::Clause]) {
        for clause in clauses {
            match &clause.kind {
                ClauseKind::Data { columns, .. } => columns.iter().for_each(|c| {
                    let _ = self.known_input(&c.name);
                }),
                ClauseKind::Batch(items) => {
                    for i in items {
                        let _ = self.known_dim(&i.dim);
                        if !matches!(&*i.size.kind, ExprKind::Name(w) if &**w == "all") {
                            self.known_words(words(|w| walk::expr(&i.size, w)));
                        }
                        if let Some(by) = &i.by {
                            let _ = self.known_input(by);
                        }
                    }
                }
                ClauseKind::Feed { name, binders, value } => {
                    let _ = self.known_input(name);
                    self.known_words(words(|w| match binders {
                        Some(b) => walk::bound(b, value, w),
                        None => walk::expr(value, w),
                    }));
                }
                ClauseKind::Minimize(e) | ClauseKind::Steps(e) | ClauseKind::Seed(e) => {
                    self.known_words(words(|w| walk::expr(e, w)));
                }
                ClauseKind::With(e) => self.known_words(words(|w| settings_of(e, w))),
                ClauseKind::Clip { limit: e, .. } | ClauseKind::Accumulate(e) | ClauseKind::Average(e) => {
                    self.known_words(words(|w| walk::expr(e, w)));
                }
                ClauseKind::Validate { block, interval, patience } => {
                    self.known_words(words(|w| [interval].into_iter().chain(patience).for_each(|e| walk::expr(e, w))));
                    self.known_measure(block);
                }
                ClauseKind::Over { paths, except, .. } => {
                    for path in paths.iter().chain(except) {
                        self.known_path(path);
                    }
                }
                ClauseKind::Set(items) => self.known_sets(items),
                ClauseKind::Every { interval, when, sets } => {
                    self.known_words(words(|w| [interval].into_iter().chain(when).for_each(|e| walk::expr(e, w))));
                    self.known_sets(sets);
                }
                ClauseKind::Alternate(parts) => parts.iter().for_each(|(_, c)| self.clauses(c)),
                ClauseKind::Report(names) => {
                    let ranks = self.ranks();
                    for n in names {
                        let _ = self.reported(n, ranks.get(&n.name).copied());
                    }
                }
            }
        }
    }

    /// `set place = value, ..`
    fn known_sets(&mut self, items: &'a [ast::SetItem]) {
        for s in items {
            let condition = self.out.model.inputs.iter().any(|i| *i.name == *s.place.root.name);
            if !condition {
                let _ = self.in_scope(|c| c.find_place(&s.place));
            }
            self.known_words(words(|w| {
                walk::place(&s.place, w);
                walk::expr(&s.value, w);
            }));
        }
    }

    /// The functions of `std.schedule`.
    fn schedules(&self) -> Vec<&'a str> {
        let program = self.program;
        let items = program.schedules.iter().flat_map(|f| &program.files[*f].ast.items);
        let word = |i: &'a ast::Item| if let ItemKind::Fn(f) = &i.kind { Some(&*f.name.name) } else { None };
        items.filter_map(word).collect()
    }

    /// What a path names; an index that nothing binds is said with what may have been meant.
    fn known_path(&mut self, path: &'a ast::Path) {
        for (part, next) in path.parts.iter().zip(path.parts.iter().skip(1).map(Some).chain([None])) {
            let ast::PathPart::Index(list, span) = part else { continue };
            let [ast::Index::At(e)] = list.as_slice() else { continue };
            if let ExprKind::Name(word) = &*e.kind
                && matches!(self.meaning(word), Meaning::Nothing)
            {
                let all = if matches!(next, Some(ast::PathPart::Star(_))) { "" } else { ".*" };
                let d = Diagnostic::error(Code::H0206, e.span, format!("the index `{word}` is not bound here"));
                let says = "all nets of an array are named without an index, one of them by its number";
                self.report.say(d.fix(says, *span, all));
                return;
            }
        }
        if self.find_path(path).is_ok() {
            self.known_words(words(|w| walk::parts_of(path, w)));
        }
    }

    /// Says which words mean nothing.
    pub(super) fn known_words(&mut self, words: Words) {
        for (word, span) in words.free {
            if &*word == "max_load" && !self.out.model.routes.iter().any(|r| r.chosen.is_some()) {
                let d = Diagnostic::error(Code::H0201, span, "there is no `max_load` here: this model chooses no experts");
                self.report.say(d.help("it is the load of the busiest expert of a `route` that stands outside of loops"));
                continue;
            }
            let own = WORDS.contains(&&*word)
                || self.schedules().contains(&&*word)
                || builtin::find(&word).is_some()
                || matches!(&*word, "true" | "false" | "training" | "self");
            if own || !matches!(self.meaning(&word), Meaning::Nothing) {
                continue;
            }
            let mut known: Vec<Name> = self.visible_words();
            known.extend(WORDS.iter().chain(&self.schedules()).map(|w| Name::from(*w)));
            let known: Vec<&str> = known.iter().map(|n| &**n).collect();
            let d = Diagnostic::error(Code::H0201, span, format!("nothing here is called `{word}`"));
            let d = match habit::of_word(d.clone(), &word, span) {
                Some(d) => Ok(d),
                None => self.unknown_word(d, (&word, span), &known, Wanted::Value, 0),
            };
            let help =
                "a train block knows the model's members and the file's items; `step` and `steps`; `cosine`, `linear`, `warmup`";
            self.report.say(d.unwrap_or_else(|d| d.help(help)));
        }
        for (base, name) in words.dotted {
            self.known_part(&base, &name);
        }
    }

    /// `net.name`: a member, or a loss of this net.
    fn known_part(&mut self, base: &Expr, name: &Ident) {
        let Some(inst) = self.net_at(base) else { return };
        if self.nets[inst].members.contains_key(&name.name) {
            return;
        }
        let path = join(&self.nets[inst].path, &name.name);
        if self.build.graph(0).outputs.iter().any(|o| *o.name == *path) {
            return;
        }
        let inside = join(&self.nets[inst].path, "");
        let losses = self.build.graph(0).outputs.iter().filter_map(|o| o.name.strip_prefix(&inside));
        let mut known: Vec<Name> = losses.map(Name::from).chain(self.nets[inst].members.keys().cloned()).collect();
        known.sort();
        known.dedup();
        let known: Vec<&str> = known.iter().map(|k| &**k).collect();
        let net = self.nets[inst].net.map_or("this", |n| &n.name.name);
        let message = format!("`{net}` has no member and no loss `{}`", name.name);
        self.report.say(Diagnostic::error(Code::H0205, name.span, message).near(name, &known, ""));
    }

    /// The net that an expression names: of an array or a family one for all.
    fn net_at(&mut self, e: &Expr) -> Option<InstId> {
        match &*e.kind {
            ExprKind::Name(word) => match self.meaning(word) {
                Meaning::Member(inst, MemberRef::Sub(n)) => self.any_of(inst, n),
                _ => None,
            },
            ExprKind::Field { base, name } => {
                let inst = self.net_at(base)?;
                match self.nets[inst].members.get(&name.name).copied()? {
                    MemberRef::Sub(n) => self.any_of(inst, n),
                    MemberRef::Thunk(_) | MemberRef::Param(_) | MemberRef::LeafParams(_) | MemberRef::Match(_) => None,
                }
            }
            ExprKind::Index { base, .. } | ExprKind::Paren(base) => self.net_at(base),
            _ => None,
        }
    }

    fn any_of(&mut self, inst: InstId, n: usize) -> Option<InstId> {
        match self.sub(inst, n).ok()? {
            Parts::One(s) | Parts::Array(s, _) => Some(s),
            Parts::Family(nets) => nets.first().map(|n| n.1),
        }
    }

    /// A dim of the file.
    pub(super) fn known_dim(&mut self, name: &Ident) -> crate::check::Res<()> {
        if matches!(self.files[0].items.get(&name.name), Some(FileItem::Dim(_))) {
            return Ok(());
        }
        let mut known: Vec<Name> =
            self.files[0].items.iter().filter(|(_, i)| matches!(i, FileItem::Dim(_))).map(|(n, _)| n.clone()).collect();
        known.sort();
        let known: Vec<&str> = known.iter().map(|k| &**k).collect();
        let d = Diagnostic::error(Code::H0703, name.span, format!("no dim is called `{}`", name.name));
        self.fail(d.near(name, &known, ""))
    }
}
