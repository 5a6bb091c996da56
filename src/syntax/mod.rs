//! Text to a spanned tree, and back.
//!
//! In: the text of one `.hnet` file. Out: [`ast::File`] by [`parse()`], the same text laid out well by [`format()`], a tree as
//! canonical text by [`print()`]. The parser reports every mistake once, goes on after it, and never panics.

pub mod ast;
mod bracket;
pub mod doc;
pub mod edits;
pub mod format;
mod lex;
pub mod parse;
pub mod print;
mod report;
mod slashes;
pub mod strip;
mod token;
pub mod walk;

use crate::source::{FileId, Span};

/// Where a text says a name, in order: what an edit that renames it changes.
pub fn places(file: FileId, text: &str, name: &str) -> Vec<Span> {
    let mut sink = crate::diag::Sink::default();
    let mut report = report::Report::new(&mut sink);
    let lexed = lex::lex(file, text, &mut report);
    let said = lexed.tokens.iter().filter(|t| t.kind == token::Kind::Name && lexed.slice(t) == name);
    said.map(|t| lexed.span(t)).collect()
}

pub use format::format;
pub use parse::parse;
pub use print::{print, print_expr};
pub use strip::strip;
