//! What statements say about how they are computed: that the words are known, and what is made in the course of such a statement.
//!
//! In: statements with pins, when they are declared or run. Out: the pins of the model, and for each node that is made the pinned statements
//! that it is made under. Whether a pin fits a decision only a plan knows ([`crate::pipeline`]).

use super::Checker;
use crate::diag::{Code, Diagnostic, listed, suggest};
use crate::ir::pin::order;
use crate::ir::{Pin, Under, What};
use crate::source::Span;
use crate::syntax::ast::{self, Stmt};

/// The pins that the walk has met.
#[derive(Default)]
pub struct Pinned {
    /// Statements with pins: a body is walked once for each call, its statements are noted once.
    statements: Vec<Span>,
    list: Vec<Pin>,
}

impl Pinned {
    /// The pinned statements that a place lies in, the smallest first.
    fn around(&self, at: Span) -> Vec<Span> {
        let mut out: Vec<Span> = self.statements.iter().copied().filter(|s| s.holds(at)).collect();
        out.sort_by_key(|s| s.end - s.start);
        out
    }

    /// All pins, in the order of the text.
    pub fn take(&mut self) -> Vec<Pin> {
        let mut list = std::mem::take(&mut self.list);
        list.sort_by_key(|p| p.span);
        list
    }
}

impl Checker<'_> {
    /// Notes what a statement pins.
    pub fn note_pins(&mut self, stmt: &Stmt) {
        if stmt.pins.is_empty() || self.pinned.statements.contains(&stmt.span) {
            return;
        }
        self.pinned.statements.push(stmt.span);
        for (n, pin) in stmt.pins.iter().enumerate() {
            let Some(what) = self.pin_words(pin) else { continue };
            let of = |p: &ast::Pin| p.of.as_ref().map(|of| of.text.clone());
            let same = |p: &&ast::Pin| p.what.name == pin.what.name && of(p) == of(pin);
            // Several orders may be about several products.
            if let Some(first) = stmt.pins[..n].iter().find(same).filter(|_| what != What::Order) {
                let message = format!("`{}` is pinned twice for one statement", what.word());
                self.say(
                    Diagnostic::error(Code::H0933, pin.span, message).label(first.span, "pinned here first").help(format!(
                        "`{} of \"NAME\" = ..` says which value is meant, as `hnet explain` calls it",
                        what.word()
                    )),
                );
                continue;
            }
            let way = if what == What::Order { order(&pin.way.text) } else { pin.way.text.clone() };
            self.pinned.list.push(Pin { what, of: of(pin), way, statement: stmt.span, span: pin.span });
        }
    }

    /// What is pinned, if its words are known.
    fn pin_words(&mut self, pin: &ast::Pin) -> Option<What> {
        let (word, at) = (&*pin.what.name, pin.what.span);
        let Some(what) = What::of(word) else {
            let known = What::ALL.map(|(_, word)| word);
            let d = Diagnostic::error(Code::H0931, at, format!("nothing that is decided is called `{word}`"));
            self.say(match suggest(word, known) {
                Some(near) => d.meant(word, at, near),
                None => d.help(format!("there are {}", listed(&known))),
            });
            return None;
        };
        let (way, at) = (&*pin.way.text, pin.way.span);
        match what.ways() {
            Some(known) if !known.contains(&way) => {
                let d = Diagnostic::error(Code::H0931, at, format!("`{word}` has no way that is called \"{way}\""));
                let quoted: Vec<String> = known.iter().map(|w| format!("\"{w}\"")).collect();
                self.say(match suggest(way, known.iter().copied()) {
                    Some(near) => d.fix(format!("\"{near}\" is near"), at, format!("\"{near}\"")),
                    None => d.help(format!("there are {}", listed(&quoted))),
                });
                None
            }
            Some(_) | None => Some(what),
        }
    }

    /// The pinned statements in the course of which something is made here. Who calls counts more than what is called, and of two statements
    /// of one text the inner one.
    pub fn under(&self) -> Under {
        if self.pinned.statements.is_empty() {
            return None;
        }
        let mut groups = vec![];
        for frame in self.scopes.frames() {
            groups.push(self.pinned.around(frame.span));
            groups.extend(frame.relating.iter().rev().map(|r| self.pinned.around(*r)));
            let mut inst = frame.inst;
            while let Some(id) = inst {
                groups.push(self.pinned.around(self.nets[id].span));
                inst = self.nets[id].parent;
            }
            // What is made outside of a body is everybody's, whoever asked first.
            if frame.apart {
                break;
            }
        }
        let mut out: Vec<Span> = vec![];
        for at in groups.into_iter().rev().flatten() {
            if !out.contains(&at) {
                out.push(at);
            }
        }
        (!out.is_empty()).then(|| out.into())
    }
}
