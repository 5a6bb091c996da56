//! Statements and members.
//!
//! Nets, models, bodies and blocks share them: any may be read anywhere, and the checker says what may stand where. Only the
//! signature is bound to its place, directly in a net.

use super::index::to_slots;
use super::{Mark, Parse, Parser, Scope};
use crate::source::Span;
use crate::syntax::ast::{
    ArrayDecl, ConstDef, ConstDraw, Each, Expr, ExprKind, Ident, Index, ParamDecl, ParamKind, Relation, Signature, Slot, Stmt,
    StmtKind, SubDecl, Type, Within,
};
use crate::syntax::lex::Kind;

impl Parser<'_, '_> {
    /// One statement or member.
    pub(super) fn statement(&mut self) -> Parse<Stmt> {
        let doc = self.doc();
        let pins = self.pins()?;
        let (doc, start) = (doc.or_else(|| self.doc()), self.at);
        let kind = match self.kind() {
            Kind::Let => self.let_()?,
            Kind::Var => self.var()?,
            Kind::Param => self.param(ParamKind::Param)?,
            Kind::Sub => {
                self.advance();
                StmtKind::Sub(self.sub(false)?)
            }
            Kind::LParen if self.scope == Scope::Net => StmtKind::Signature(self.signature()?),
            Kind::Name if self.declares(self.word(start)) || self.misnames() => self.declaration()?,
            Kind::Name if self.yields(self.word(start)) => {
                let word = self.take_word();
                let value = self.expr()?;
                if word == "yield" { StmtKind::Yield(value) } else { StmtKind::Seed(value) }
            }
            _ => self.expr_or_assign()?,
        };
        Ok(Stmt { doc, pins, kind, span: self.since(start) })
    }

    /// Whether a declaration has a reserved word for a name: `loss for = 1`.
    fn misnames(&self) -> bool {
        let declaring = super::DECLARING.contains(&self.word(self.at));
        declaring && self.peek(1).is_reserved() && matches!(self.peek(2), Kind::Colon | Kind::Assign)
    }

    /// A statement that begins with a word and a name.
    fn declaration(&mut self) -> Parse<StmtKind> {
        Ok(match self.word(self.at) {
            "const" => self.const_()?,
            "state" => self.param(ParamKind::State)?,
            "load" => self.param(ParamKind::Load)?,
            "form" => {
                self.advance();
                StmtKind::Sub(self.sub(true)?)
            }
            "each" => StmtKind::Each(self.each()?),
            "input" | "output" | "condition" => self.port()?,
            "loss" => {
                self.advance();
                let name = self.name("a loss")?;
                self.expect(Kind::Assign, "after the name of the loss")?;
                StmtKind::Loss { name, value: self.expr()? }
            }
            "update" => {
                self.advance();
                let place = self.place("a state")?;
                self.expect(Kind::Assign, "after what is updated")?;
                StmtKind::Update { place, value: self.expr()? }
            }
            "draw" => self.draw()?,
            _ => StmtKind::Relation(self.relation()?),
        })
    }

    /// `let w[i, j < n] = e`
    fn let_(&mut self) -> Parse<StmtKind> {
        self.advance();
        let name = self.name("a value")?;
        let binders = if self.sees_tight(Kind::LBracket) { Some(self.binders()?) } else { None };
        if !self.eat(Kind::Assign) {
            return self.let_without_value(&name);
        }
        Ok(StmtKind::Let { name, binders, value: self.expr()? })
    }

    /// `var h: [d] = zeros()`
    fn var(&mut self) -> Parse<StmtKind> {
        self.advance();
        let name = self.name("a variable")?;
        let ty = if self.eat(Kind::Colon) { Some(self.ty()?) } else { None };
        self.expect(Kind::Assign, "and a first value after the name of a variable")?;
        Ok(StmtKind::Var { name, ty, value: self.expr()? })
    }

    /// `const a = 1, b = 2` or `const basis: [n, m] = normal()`
    pub(super) fn const_(&mut self) -> Parse<StmtKind> {
        self.advance();
        let name = self.name("a constant")?;
        if self.eat(Kind::Colon) {
            let ty = self.ty()?;
            self.expect(Kind::Assign, "before the value of a constant")?;
            return Ok(StmtKind::ConstDraw(ConstDraw { name, ty, value: self.expr()? }));
        }
        let mut name = Some(name);
        Ok(StmtKind::Const(self.series(|p| {
            let name = match name.take() {
                Some(first) => first,
                None => p.name("a constant")?,
            };
            p.expect(Kind::Assign, "after the name of a constant")?;
            Ok(ConstDef { name, value: p.expr()? })
        })?))
    }

    /// `param w[q in tree.*]: [i, o] = normal()`
    fn param(&mut self, kind: ParamKind) -> Parse<StmtKind> {
        self.advance();
        let name = self.name("a parameter")?;
        let over = if self.sees_tight(Kind::LBracket) {
            self.inside(false, |p| match p.leaf_of()? {
                Some(leaf) => Ok(Some(leaf)),
                None => p.expected("`name in tree.*`", "in the brackets of a parameter; its axes follow a `:`"),
            })?
        } else {
            None
        };
        self.expect(Kind::Colon, "and a type after the name of a parameter")?;
        let ty = self.ty()?;
        let init = if self.eat(Kind::Assign) { Some(self.expr()?) } else { None };
        Ok(StmtKind::Param(ParamDecl { kind, name, over, ty, init }))
    }

    /// `expert[n] = SwiGlu(d, h)`, after `sub` or `form`.
    pub(super) fn sub(&mut self, form: bool) -> Parse<SubDecl> {
        let name = self.name("a net")?;
        let array = if self.sees_tight(Kind::LBracket) { self.inside(false, Self::array)? } else { ArrayDecl::One };
        self.expect(Kind::Assign, "after the name of the net")?;
        let net = self.name("a net")?;
        if !self.sees_tight(Kind::LParen) {
            return self.no_arguments(&net);
        }
        let args = self.list(Self::actual)?;
        Ok(SubDecl { form, name, array, net, args })
    }

    /// `n`, `l < n`, `p in target.*`
    fn array(&mut self) -> Parse<ArrayDecl> {
        if let Some((index, tree)) = self.leaf_of()? {
            return Ok(ArrayDecl::Leaves { index, tree });
        }
        if self.peek(1) == Kind::Less {
            let index = self.name("an index")?;
            self.advance();
            return Ok(ArrayDecl::Family { index, count: self.sum()? });
        }
        Ok(ArrayDecl::Array(self.sum()?))
    }

    /// `(x: [t, d]) -> [t, d] { .. }`
    pub(super) fn signature(&mut self) -> Parse<Signature> {
        let start = self.at;
        let args = self.args()?;
        self.expect(Kind::Arrow, "and a result type after the arguments")?;
        let result = self.ty()?;
        let span = self.since(start);
        let body = self.block("after the result type")?;
        Ok(Signature { args, result, body, span })
    }

    /// `generate place from e` and its kin
    fn relation(&mut self) -> Parse<Relation> {
        let word = self.take_word();
        if word == "freeze" {
            return Ok(Relation::Freeze { paths: self.paths("what is frozen")? });
        }
        let place = self.place("a parameter")?;
        let after = "after the parameter that the relation is about";
        match word {
            "generate" => self.expect_word("from", after)?,
            "tie" => self.expect_word("to", after)?,
            "init" => self.expect(Kind::Assign, after)?,
            _ => self.expect_word("by", after)?,
        }
        let value = self.expr()?;
        Ok(match word {
            "generate" => Relation::Generate { place, value },
            "adapt" => Relation::Adapt { place, value },
            "scale" => Relation::Scale { place, value },
            "tie" => Relation::Tie { place, value },
            _ => Relation::Init { place, value },
        })
    }

    /// `each lora(w: [i, o]) at l in base.*.w, head.w { .. }`
    fn each(&mut self) -> Parse<Each> {
        self.advance();
        let name = self.name("the copies")?;
        if !self.sees(Kind::LParen) {
            return self.expected("`(`", "and what a match is called, as in `each lora(w: [i, o]) in base.*.w { .. }`");
        }
        self.marks[self.at] = Mark::Tight;
        let (item, sizes) = self.inside(false, |p| {
            let item = p.name("a match")?;
            p.expect(Kind::Colon, "and the sizes of a match, as in `(w: [i, o])`")?;
            if p.kind() != Kind::LBracket {
                return p.no_axes();
            }
            Ok((item, p.list(|p| p.name("a size"))?))
        })?;
        let at = if self.eat_word("at") { Some(self.name("the number of a match")?) } else { None };
        self.expect(Kind::In, "before the parameters that are matched")?;
        let within = self.paths("what is matched")?;
        let body = self.block("after the parameters that are matched")?;
        Ok(Each { name, item, sizes, at, within, body })
    }

    /// `input x: [b]`, `condition c: f32 in 0..1 = 0`, `output y[i]: [b] = e`
    fn port(&mut self) -> Parse<StmtKind> {
        let word = self.take_word();
        let name = self.name(match word {
            "input" => "an input",
            "output" => "an output",
            _ => "a condition",
        })?;
        let binders = if word == "output" && self.sees_tight(Kind::LBracket) { Some(self.binders()?) } else { None };
        let end = self.before().map_or(self.here().start, |t| t.end);
        if word == "output" && self.eat(Kind::Assign) {
            let ty = Type::missing(Span { start: end, end, ..name.span });
            return Ok(StmtKind::Output { name, binders, ty, value: self.expr()? });
        }
        self.expect(Kind::Colon, "and a type after the name")?;
        let ty = self.ty()?;
        if word == "input" {
            return Ok(StmtKind::Input { name, ty });
        }
        if word == "output" {
            self.expect(Kind::Assign, "before the value of an output")?;
            return Ok(StmtKind::Output { name, binders, ty, value: self.expr()? });
        }
        let within = if self.eat(Kind::In) { Some(self.within()?) } else { None };
        let default = if self.eat(Kind::Assign) { Some(self.expr()?) } else { None };
        Ok(StmtKind::Condition { name, ty, within, default })
    }

    /// `8..256`, `[16, 32]`
    fn within(&mut self) -> Parse<Within> {
        if !self.sees(Kind::LBracket) {
            let (from, to) = self.range()?;
            return Ok(Within::Range(from, to));
        }
        let start = self.at;
        let items = self.list(Self::expr)?;
        if items.is_empty() {
            return self.empty(start, "a list has at least one value");
        }
        Ok(Within::List(items, self.since(start)))
    }

    /// `draw eps: [*, d] = normal() by s`
    fn draw(&mut self) -> Parse<StmtKind> {
        self.advance();
        let name = self.name("a random value")?;
        self.expect(Kind::Colon, "and a type after the name of a random value")?;
        let ty = self.ty()?;
        self.expect(Kind::Assign, "and a distribution after the type")?;
        let value = self.expr()?;
        let by = if self.eat_word("by") { Some(self.expr()?) } else { None };
        Ok(StmtKind::Draw { name, ty, value, by })
    }

    /// `e`, `h = e`, `h[i, j < n] = e`
    fn expr_or_assign(&mut self) -> Parse<StmtKind> {
        let target = self.expr()?;
        if !self.sees(Kind::Assign) {
            // Where it is not the end of the statement, that is the mistake.
            let choice = matches!(*target.kind, ExprKind::If { .. });
            if self.scope == Scope::Net && !choice && self.end().is_ok() {
                return self.expression_in_net(target.span);
            }
            return Ok(StmtKind::Expr(target));
        }
        let Some((name, indices)) = as_target(target) else {
            return self.not_assignable();
        };
        self.advance();
        let slots: Option<Vec<Slot>> = indices.map(to_slots);
        Ok(StmtKind::Assign { name, slots, value: self.expr()? })
    }
}

/// `h`, `h[..]`: what can be assigned to.
fn as_target(target: Expr) -> Option<(Ident, Option<Vec<Index>>)> {
    match *target.kind {
        ExprKind::Name(name) => Some((Ident { name, span: target.span }, None)),
        ExprKind::Index { base, indices, otherwise: None, .. } => match *base.kind {
            ExprKind::Name(name) => Some((Ident { name, span: base.span }, Some(indices))),
            _ => None,
        },
        _ => None,
    }
}
