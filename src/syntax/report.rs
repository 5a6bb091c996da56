//! How the front end reports mistakes, and how much it takes.
//!
//! In: diagnostics from the lexer, the bracket matcher and the parser. Out: at most [`MOST_ERRORS`] of them in a sink. The
//! limits keep every later stage, which walks trees recursively, on a small stack.

use crate::diag::{Diagnostic, Sink};

/// More mistakes than this in one file are not shown.
pub(super) const MOST_ERRORS: usize = 50;
/// The longest text, in bytes.
pub(super) const MOST_BYTES: usize = 4 << 20;
/// How many brackets, prefixes and blocks may stand in one another.
pub(super) const MOST_NESTING: u32 = 100;
/// How many nodes may stand above one another in the tree of one statement.
pub(super) const MOST_HEIGHT: u32 = 200;

/// The reporting end of one file.
#[derive(Debug)]
pub(super) struct Report<'s> {
    sink: &'s mut Sink,
    said: usize,
}

impl<'s> Report<'s> {
    /// Reports into `sink`.
    pub(super) fn new(sink: &'s mut Sink) -> Self {
        Report { sink, said: 0 }
    }

    /// Reports a mistake, unless there were too many.
    pub(super) fn error(&mut self, diagnostic: Diagnostic) {
        self.said += 1;
        if self.said <= MOST_ERRORS {
            let last = self.said == MOST_ERRORS;
            self.sink.push(if last { diagnostic.note("there may be more mistakes; these are shown first") } else { diagnostic });
        }
    }

    /// Whether nothing more will be shown.
    pub(super) fn is_full(&self) -> bool {
        self.said >= MOST_ERRORS
    }

    /// Whether anything was reported.
    pub(super) fn any(&self) -> bool {
        self.said > 0
    }
}
