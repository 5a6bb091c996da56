//! The bodies under way: what their words mean, and what holds where the walk is.
//!
//! Whatever holds for a part of the walk only is set by a function that takes this part, and taken back by it, also where the part
//! fails: a condition, a block's names, a body, a level of the graph, replaced parameters.

use super::locals::Locals;
use super::value::{InstId, NameId, ParamId, Pick, Tens, Value};
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, Name, Stmt};

/// A local.
#[derive(Clone)]
pub enum Binding<'a> {
    Value(Value<'a>),
    /// `var`: may be assigned what its type, if it has one, says.
    Var(Value<'a>, Option<&'a ast::Type>),
    /// An index: a temporary name (or an axis under its own name).
    Index(NameId),
    /// A loop's variable spelled like an axis: a number that goes home to it.
    Round(Value<'a>, NameId),
}

/// One body under way.
#[derive(Clone)]
pub struct Frame<'a> {
    pub file: usize,
    /// Whose members are seen.
    pub inst: Option<InstId>,
    /// How the arrays that the instance stands in are indexed here.
    pub picks: Vec<(NameId, Pick)>,
    pub scopes: Vec<Locals<'a>>,
    /// Names of the signature.
    pub axes: Vec<(Name, NameId)>,
    /// The axes of arguments of which all have names, in the order of their types.
    pub declared: Vec<(Name, Vec<NameId>)>,
    /// It is called: what is wrong in it was made by the call.
    pub called: bool,
    /// A model sees the dims of its file.
    pub sees_dims: bool,
    /// Names that the call is lifted over, invisible here.
    pub lifted: Vec<NameId>,
    /// Dotted path, for draws and losses.
    pub path: Name,
    /// The statement under way, for the graph's spans.
    pub span: Span,
    /// The name that this statement gives a value.
    pub member: Option<Name>,
    /// `self` of a relation.
    pub own: Option<Value<'a>>,
    /// Yields of the innermost loop.
    pub yields: Option<Vec<Value<'a>>>,
    /// Relations that are being applied to a parameter that this body reads.
    pub relating: Vec<Span>,
    /// It is nobody's call: what is made in it is everybody's.
    pub apart: bool,
}

impl<'a> Frame<'a> {
    pub fn new(file: usize, inst: Option<InstId>) -> Frame<'a> {
        Frame {
            file,
            inst,
            picks: vec![],
            scopes: vec![Locals::default()],
            axes: vec![],
            declared: vec![],
            called: false,
            sees_dims: false,
            lifted: vec![],
            path: "".into(),
            span: Span::default(),
            member: None,
            own: None,
            yields: None,
            relating: vec![],
            apart: false,
        }
    }
}

/// The bodies under way, the innermost last.
#[derive(Default)]
pub struct Scopes<'a> {
    frames: Vec<Frame<'a>>,
    /// Parameters replaced by relations in blocks and by `net{..}`; the last one wins.
    overrides: Vec<(ParamId, Tens)>,
    /// Overrides below this are not seen (a member of a model knows nothing of the block that asks for it).
    hidden: usize,
    /// Conditions that hold here.
    guards: Vec<Tens>,
    /// Trees are asked for their shapes, not their values.
    shapes_only: bool,
    /// What is read so is kept: it is stored, whatever writes it.
    storing: bool,
    depth: usize,
    /// Calls, rounds and nets so far, and how many there may be.
    entered: usize,
    most_entered: usize,
}

impl<'a> Scopes<'a> {
    /// Nothing under way, and room for so many calls, rounds and nets.
    pub fn new(most: usize) -> Scopes<'a> {
        Scopes { most_entered: most, ..Scopes::default() }
    }

    /// Calls, rounds and nets so far.
    pub fn entered(&self) -> usize {
        self.entered
    }

    /// Counts something that is more than a call.
    pub fn count(&mut self, more: usize) {
        self.entered += more;
    }

    /// The body under way.
    pub fn frame(&self) -> &Frame<'a> {
        self.frames.last().expect("a body is under way")
    }

    pub fn frame_mut(&mut self) -> &mut Frame<'a> {
        self.frames.last_mut().expect("a body is under way")
    }

    /// All bodies under way, the innermost first.
    pub fn frames(&self) -> impl Iterator<Item = &Frame<'a>> {
        self.frames.iter().rev()
    }

    /// The statement under way.
    pub fn place(&self) -> Span {
        self.frames.last().map_or(Span::default(), |f| f.span)
    }

    /// The path of the net that is called. A function belongs to its caller.
    pub fn net_path(&self) -> Option<&Name> {
        self.frames().find(|f| f.inst.is_some()).map(|f| &f.path)
    }

    /// What a value made here belongs to: the path of the net that is called and the name that its statement gives.
    pub fn place_name(&self) -> Option<Name> {
        let frame = self.frames().find(|f| f.inst.is_some())?;
        match (&*frame.path, &frame.member) {
            ("", None) => None,
            ("", Some(m)) => Some(m.clone()),
            (path, None) => Some(path.into()),
            (path, Some(m)) => Some(format!("{path}.{m}").into()),
        }
    }

    /// What a word means in a block of this body.
    pub fn local(&self, word: &str) -> Option<&Binding<'a>> {
        self.frame().scopes.iter().rev().find_map(|s| s.get(word))
    }

    /// Gives a word a meaning in the innermost block.
    pub fn name(&mut self, word: &Name, binding: Binding<'a>) {
        self.frame_mut().scopes.last_mut().expect("a scope").push((word.clone(), binding));
    }

    /// Gives a variable of this body a new value.
    pub fn assign(&mut self, word: &str, value: Value<'a>) {
        if let Some(Binding::Var(old, _)) = self.frame_mut().scopes.iter_mut().rev().find_map(|s| s.get_mut(word)) {
            *old = value;
        }
    }

    /// Conditions that hold here.
    pub fn guards(&self) -> &[Tens] {
        &self.guards
    }

    /// What stands in the place of a parameter here.
    pub fn replaced(&self, p: ParamId) -> Option<&Tens> {
        self.overrides[self.hidden..].iter().rev().find(|(q, _)| *q == p).map(|(_, t)| t)
    }

    /// Replaces parameters to the end of the block.
    pub fn replace(&mut self, all: impl IntoIterator<Item = (ParamId, Tens)>) {
        self.overrides.extend(all);
    }

    /// Whether parameters are read as they are stored.
    pub fn stores(&self) -> bool {
        self.storing
    }

    /// Whether trees are asked for their shapes only.
    pub fn by_shapes(&self) -> bool {
        self.shapes_only
    }
}

/// Calls, rounds, expressions that may stand in one another.
const MAX_DEPTH: usize = 160;

impl<'a> Checker<'a> {
    /// Runs something in a block of its own.
    pub fn in_scope<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        self.scopes.frame_mut().scopes.push(Locals::default());
        let out = work(self);
        self.scopes.frame_mut().scopes.pop();
        out
    }

    /// Runs a block's statements: what they replace is as it was behind them.
    pub fn in_block<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let overrides = self.scopes.overrides.len();
        let out = self.in_scope(work);
        self.scopes.overrides.truncate(overrides);
        out
    }

    /// Runs a round of a loop, in which a word has a meaning; what it gives, and what it yields.
    pub fn collecting<T>(
        &mut self,
        (word, binding): (Name, Binding<'a>),
        work: impl FnOnce(&mut Self) -> T,
    ) -> (T, Vec<Value<'a>>) {
        let outer = self.scopes.frame_mut().yields.replace(vec![]);
        let out = self.in_scope(|c| {
            c.scopes.name(&word, binding);
            work(c)
        });
        let own = std::mem::replace(&mut self.scopes.frame_mut().yields, outer);
        (out, own.unwrap_or_default())
    }

    /// Runs something that a statement says: what is made belongs to it.
    pub fn stating<T>(&mut self, stmt: &Stmt, work: impl FnOnce(&mut Self) -> T) -> T {
        self.note_pins(stmt);
        let frame = self.scopes.frame_mut();
        let (span, member) = (frame.span, frame.member.clone());
        frame.span = stmt.span;
        frame.member = stmt.gives().or_else(|| member.clone());
        let out = work(self);
        let frame = self.scopes.frame_mut();
        (frame.span, frame.member) = (span, member);
        out
    }

    /// Runs something that applies the relation at this place.
    pub fn relating<T>(&mut self, at: Span, work: impl FnOnce(&mut Self) -> T) -> T {
        self.scopes.frame_mut().relating.push(at);
        let out = work(self);
        self.scopes.frame_mut().relating.pop();
        out
    }

    /// Runs something that is written at this place.
    pub fn placed<T>(&mut self, span: Span, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.scopes.frame_mut().span, span);
        let out = work(self);
        self.scopes.frame_mut().span = before;
        out
    }

    /// Runs something in which `self` is this value.
    pub fn with_self<T>(&mut self, own: Option<Value<'a>>, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.scopes.frame_mut().own, own);
        let out = work(self);
        self.scopes.frame_mut().own = before;
        out
    }

    /// Runs something in a body of its own.
    pub fn in_frame<T>(&mut self, frame: Frame<'a>, work: impl FnOnce(&mut Self) -> T) -> T {
        self.scopes.frames.push(frame);
        let out = work(self);
        self.scopes.frames.pop();
        out
    }

    /// Runs something where the body under way is called; `None`: nobody calls it.
    pub fn at_caller<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let callee = self.scopes.frames.pop()?;
        let out = (!self.scopes.frames.is_empty()).then(|| work(self));
        self.scopes.frames.push(callee);
        out
    }

    /// Runs something in a frame of its own, at the outermost level, blind to the blocks that ask for it.
    pub fn outside<T>(&mut self, frame: Frame<'a>, work: impl FnOnce(&mut Self) -> T) -> T {
        let bodies = self.build.suspend();
        let hidden = std::mem::replace(&mut self.scopes.hidden, self.scopes.overrides.len());
        // What is made here is everybody's: its values count, not its shapes alone.
        let shapes = std::mem::replace(&mut self.scopes.shapes_only, false);
        let storing = std::mem::replace(&mut self.scopes.storing, false);
        let out = self.unguarded(|c| c.in_frame(Frame { apart: true, ..frame }, work));
        self.scopes.hidden = hidden;
        (self.scopes.shapes_only, self.scopes.storing) = (shapes, storing);
        self.build.resume(bodies);
        out
    }

    /// Runs something where these conditions hold, too.
    pub fn assuming<T>(&mut self, more: impl IntoIterator<Item = Tens>, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.scopes.guards.len();
        self.scopes.guards.extend(more);
        let out = work(self);
        self.scopes.guards.truncate(before);
        out
    }

    /// Runs something that is everybody's: what holds here says nothing about it.
    pub fn unguarded<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let guards = std::mem::take(&mut self.scopes.guards);
        let out = work(self);
        self.scopes.guards = guards;
        out
    }

    /// Runs a call in which these stand in the place of parameters.
    pub fn replacing<T>(&mut self, all: &[(ParamId, Tens)], work: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.scopes.overrides.len();
        self.scopes.overrides.extend(all.iter().cloned());
        let out = work(self);
        self.scopes.overrides.truncate(before);
        out
    }

    /// Runs something that asks trees for their shapes only: no relation is asked for a value.
    pub fn for_shapes<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.scopes.shapes_only, true);
        let out = work(self);
        self.scopes.shapes_only = before;
        out
    }

    /// Runs something that reads parameters as they are stored.
    pub fn storing<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.scopes.storing, true);
        let out = self.for_shapes(work);
        self.scopes.storing = before;
        out
    }

    /// Runs a level of nesting; too many are an error, not a crash.
    pub fn nested<T>(&mut self, span: Span, work: impl FnOnce(&mut Self) -> Res<T>) -> Res<T> {
        self.enter(span)?;
        self.scopes.depth += 1;
        let out = work(self);
        self.scopes.depth -= 1;
        out
    }

    /// Counts a call, a round, a net or an expression.
    fn enter(&mut self, span: Span) -> Res<()> {
        if self.scopes.depth >= MAX_DEPTH {
            return self.fail(
                Diagnostic::error(Code::H0290, span, "calls nest too deeply here: does a function call itself?")
                    .help("only a number that is known when the model is compiled can end that; a `for` repeats"),
            );
        }
        self.scopes.count(1);
        if self.build.len() > super::MAX_NODES || self.scopes.entered > self.scopes.most_entered {
            return self.report.too_large(
                Diagnostic::limit(Code::H0811, span, "this model becomes too large when its calls and loops are written out")
                    .help("equal nets are an array, `sub net[n] = ..`; a loop over an axis stays a loop"),
            );
        }
        Ok(())
    }
}
