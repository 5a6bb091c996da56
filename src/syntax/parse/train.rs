//! `train` and `eval` blocks and their clauses.

use super::{Mark, Parse, Parser, Scope};
use crate::syntax::ast::{BatchItem, Clause, ClauseKind, Column, EvalDef, Expr, ExprKind, SetItem, TrainDef};
use crate::syntax::lex::Kind;

impl Parser<'_, '_> {
    /// `train Stn as tune after warmup { .. }`
    pub(super) fn train(&mut self) -> Parse<TrainDef> {
        self.advance();
        let model = self.name("a model")?;
        let phase = if self.eat_word("as") { Some(self.name("a phase")?) } else { None };
        let after = if self.eat_word("after") { Some(self.name("a phase")?) } else { None };
        let mut each = None;
        if self.eat(Kind::For) {
            let name = self.name("a condition")?;
            self.expect(Kind::In, "after the condition")?;
            let (from, to) = self.range()?;
            each = Some((name, from, to));
        }
        let clauses = self.clauses(Scope::Train, "after the head of the train block")?;
        Ok(TrainDef { model, phase, after, each, clauses })
    }

    /// `eval M as test { .. }`
    pub(super) fn eval(&mut self) -> Parse<EvalDef> {
        self.advance();
        let model = self.name("a model")?;
        let phase = if self.eat_word("as") { Some(self.name("a phase")?) } else { None };
        let clauses = self.clauses(Scope::Eval, "after the head of the eval block")?;
        Ok(EvalDef { model, phase, clauses })
    }

    /// `{ .. }`
    fn clauses(&mut self, scope: Scope, place: &str) -> Parse<Vec<Clause>> {
        self.expect_brace(place)?;
        Ok(self.braces(scope, Self::clause))
    }

    /// One clause.
    fn clause(&mut self) -> Parse<Clause> {
        let start = self.at;
        let word = if self.begins_statement() { self.take_word() } else { "" };
        if self.kind().is_opener() {
            self.marks[self.at] = Mark::Loose;
        }
        let kind = match word {
            "data" => self.data()?,
            "batch" => ClauseKind::Batch(self.series(Self::batch)?),
            "feed" => {
                let name = self.name("an input or condition")?;
                let binders = if self.sees_tight(Kind::LBracket) { Some(self.binders()?) } else { None };
                self.expect(Kind::Assign, "after what is fed")?;
                ClauseKind::Feed { name, binders, value: self.expr()? }
            }
            "minimize" => ClauseKind::Minimize(self.expr()?),
            "over" => self.over()?,
            "with" => ClauseKind::With(self.expr()?),
            "steps" => ClauseKind::Steps(self.expr()?),
            "seed" => ClauseKind::Seed(self.expr()?),
            "set" => ClauseKind::Set(self.series(Self::set)?),
            "every" => {
                let interval = self.expr()?;
                let when = if self.eat_word("when") { Some(self.condition()?) } else { None };
                self.expect_set()?;
                ClauseKind::Every { interval, when, sets: self.series(Self::set)? }
            }
            "alternate" => self.alternate()?,
            "clip" => {
                let each = self.eat_word("value");
                ClauseKind::Clip { each, limit: self.expr()? }
            }
            "accumulate" => ClauseKind::Accumulate(self.expr()?),
            "average" => ClauseKind::Average(self.expr()?),
            "validate" => self.validate()?,
            "report" => ClauseKind::Report(self.series(|p| p.name("an output or loss"))?),
            _ => return self.no_clause(),
        };
        Ok(Clause { kind, span: self.since(start) })
    }

    /// The `set` of an `every`, which otherwise would begin a clause.
    fn expect_set(&mut self) -> Parse<()> {
        self.expect_word("set", "after the interval of `every`")
    }

    /// `data "f.safetensors" { x, label: y }`
    fn data(&mut self) -> Parse<ClauseKind> {
        let (file, file_span) = self.string("after `data`: the file")?;
        if !self.sees(Kind::LBrace) {
            return self.expected("`{`", "and the columns to read, as in `data \"f.safetensors\" { x, label }`");
        }
        let columns = self.list(|p| {
            let name = p.name("an input or condition")?;
            let column = if p.eat(Kind::Colon) { Some(p.name("a column")?) } else { None };
            Ok(Column { name, column })
        })?;
        Ok(ClauseKind::Data { file, file_span, columns })
    }

    /// `b = 64 by task`
    fn batch(&mut self) -> Parse<BatchItem> {
        let dim = self.name("an axis")?;
        self.expect(Kind::Assign, "after the axis of a batch")?;
        let size = self.batch_size()?;
        let by = if self.eat_word("by") { Some(self.name("a column")?) } else { None };
        Ok(BatchItem { dim, size, by })
    }

    /// A number, or `all`, which is a plain name here.
    fn batch_size(&mut self) -> Parse<Expr> {
        let bracket = matches!(self.peek(1), Kind::LBracket | Kind::LParen) && self.touches_at(self.at + 1);
        if self.word(self.at) == "all" && !bracket {
            let all = self.take_ident();
            return Ok(Expr { kind: Box::new(ExprKind::Name(all.name)), span: all.span });
        }
        self.expr()
    }

    /// `over *`, `over a.*, b except a.c`
    fn over(&mut self) -> Parse<ClauseKind> {
        let all = self.sees(Kind::Star);
        let paths = if all {
            self.advance_as(Mark::Star);
            Vec::new()
        } else {
            self.paths("what is trained")?
        };
        let except = if self.eat_word("except") { self.paths("what is not trained")? } else { Vec::new() };
        Ok(ClauseKind::Over { all, paths, except })
    }

    /// `alternate 2 { .. } 1 { .. }`
    fn alternate(&mut self) -> Parse<ClauseKind> {
        let mut parts = Vec::new();
        while parts.is_empty() || self.sees(Kind::Number) {
            if !self.sees(Kind::Number) {
                return self.expected("a number of steps", "after `alternate`");
            }
            let steps = self.primary()?;
            parts.push((steps, self.clauses(Scope::Train, "after the number of steps")?));
        }
        Ok(ClauseKind::Alternate(parts))
    }

    /// `validate held every 100 patience 5`
    fn validate(&mut self) -> Parse<ClauseKind> {
        let block = self.name("the phase of an eval block")?;
        self.expect_word("every", "after the phase that is measured")?;
        let interval = self.expr()?;
        let patience = if self.eat_word("patience") { Some(self.expr()?) } else { None };
        Ok(ClauseKind::Validate { block, interval, patience })
    }

    /// `place = value`
    fn set(&mut self) -> Parse<SetItem> {
        let place = self.place("a parameter")?;
        self.expect(Kind::Assign, "after what is set")?;
        Ok(SetItem { place, value: self.expr()? })
    }
}
