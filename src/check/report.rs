//! What was said, and the token that says so.
//!
//! In: diagnostics. Out: the program's [`Sink`], and a [`Said`] for each error. No other room can make one, so a value that is
//! missing was missed by somebody who said why, and no incomplete graph leaves the checker without a message.
//!
//! What the walk must know of earlier messages is kept here as facts: nobody looks a code up.

use crate::diag::{Code, Diagnostic, Label, Sink};
use crate::source::Span;
use std::collections::HashSet;

/// Something failed and was said: only a [`Report`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    _by: (),
}

/// What a step of the checker gives.
pub type Res<T> = Result<T, Said>;

/// Codes that are certain whatever the numbers of a net are, besides those about names.
const CERTAIN: &[Code] = &[
    Code::H0301,
    Code::H0307,
    Code::H0308,
    Code::H0318,
    Code::H0321,
    Code::H0332,
    Code::H0333,
    Code::H0336,
    Code::H0337,
    Code::H0340,
    Code::H0341,
    Code::H0342,
    Code::H0343,
    Code::H0501,
    Code::H0931,
    Code::H0933,
];

/// The messages of a program.
#[derive(Default)]
pub struct Report {
    sink: Sink,
    /// Errors so far, also those that were said before at the same place.
    faults: usize,
    /// Numbers are not known: what depends on them is left unsaid, and nothing that is made is used.
    generic: bool,
    /// A model is too large to be written out.
    too_large: Option<Said>,
    /// Lines of which a mistake that shows in the library was said.
    blamed: HashSet<Span>,
    /// Where parameters that are made from themselves were first written.
    circles: Vec<(Span, Said)>,
    /// What every message says besides, for as long as it holds.
    light: Vec<String>,
}

impl Report {
    /// Goes on where a sink is.
    pub fn new(sink: Sink) -> Report {
        Report { sink, ..Report::default() }
    }

    /// A report on a net with unknown numbers.
    pub fn generic() -> Report {
        Report { generic: true, ..Report::default() }
    }

    pub fn into_sink(self) -> Sink {
        self.sink
    }

    /// From here on every message has these notes.
    pub fn in_the_light_of(&mut self, notes: Vec<String>) {
        self.light = notes;
    }

    fn push(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.notes.extend(self.light.iter().cloned());
        let certain = diagnostic.code.stage() == "02" || CERTAIN.contains(&diagnostic.code);
        if certain || !self.generic {
            self.sink.push(diagnostic);
        }
    }

    /// Says an error.
    pub fn say(&mut self, diagnostic: Diagnostic) -> Said {
        debug_assert!(diagnostic.is_fatal(), "a warning is no reason to fail");
        self.faults += 1;
        self.push(diagnostic);
        Said { _by: () }
    }

    /// Says an error in the place of a value.
    pub fn fail<T>(&mut self, diagnostic: Diagnostic) -> Res<T> {
        Err(self.say(diagnostic))
    }

    /// Says an error that shows in the library at the line that made it: once for each.
    pub fn blame(&mut self, mut diagnostic: Diagnostic, at: Span, what: &str) -> Said {
        self.faults += 1;
        if self.blamed.insert(at) {
            if let Some(inside) = diagnostic.primary.replace(Label { span: at, text: format!("made by {what}") }) {
                let text = if inside.text.is_empty() { "it shows here".to_string() } else { inside.text };
                diagnostic.labels.insert(0, Label { span: inside.span, text });
            }
            // The library is not to be edited.
            if diagnostic.help.as_ref().is_some_and(|h| !h.edits.is_empty()) {
                diagnostic.help = None;
            }
            self.push(diagnostic);
        }
        Said { _by: () }
    }

    /// What was tried is tried again, better: whoever catches this knows what to change.
    pub fn again<T>(&mut self) -> Res<T> {
        Err(Said { _by: () })
    }

    /// What cannot be, unless the checker is wrong.
    pub fn bug<T>(&mut self, span: Span, what: &str) -> Res<T> {
        self.fail(Diagnostic::error(Code::H0899, span, format!("{what}: this is a bug in hnet")))
    }

    /// A model is too large: said once, for it is so from there on.
    pub fn too_large<T>(&mut self, diagnostic: Diagnostic) -> Res<T> {
        let said = match self.too_large {
            Some(said) => said,
            None => self.say(diagnostic),
        };
        self.too_large = Some(said);
        Err(said)
    }

    pub fn is_too_large(&self) -> bool {
        self.too_large.is_some()
    }

    /// Parameters that are made from themselves, with the places where they are written. A circle is met from each of its sides; it
    /// is one mistake.
    pub fn circle<T>(&mut self, written: &[Span], diagnostic: Diagnostic) -> Res<T> {
        if let Some((_, said)) = self.circles.iter().find(|(at, _)| written.contains(at)) {
            return Err(*said);
        }
        let at = diagnostic.primary.as_ref().map_or(Span::default(), |l| l.span);
        let said = self.say(diagnostic);
        self.circles.push((at, said));
        Err(said)
    }
    /// Takes the errors of another report over; `None`: it has none.
    pub fn adopt(&mut self, other: Report) -> Option<Said> {
        let fatal = other.sink.list().iter().filter(|d| d.is_fatal());
        fatal.cloned().map(|d| self.say(d)).last()
    }

    /// How many messages there are, for [`Self::fold`].
    pub fn length(&self) -> usize {
        self.sink.list().len()
    }

    /// Of the messages from place `from` on that have the same key, the first stands for all.
    pub fn fold(&mut self, from: usize, key: impl Fn(&Diagnostic) -> Option<String>, more: impl Fn(&[Diagnostic]) -> String) {
        self.sink.fold(from, key, more);
    }

    /// Whether no further mistake will be shown: what makes its message need not look far.
    pub fn is_full(&self) -> bool {
        self.sink.is_full()
    }

    /// That something was said before, if anything was.
    pub fn said(&self) -> Option<Said> {
        (self.faults > 0).then_some(Said { _by: () })
    }

    /// How many errors were said, also those that were said before at the same place.
    pub fn faults(&self) -> usize {
        self.faults
    }

    /// Whether numbers are unknown.
    pub fn is_generic(&self) -> bool {
        self.generic
    }
}
