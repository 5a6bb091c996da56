//! Text to a spanned tree, and back.
//!
//! In: the text of one `.hnet` file. Out: [`ast::File`] by [`parse()`]. The parser reports every
//! mistake once, goes on after it, and never panics.

pub mod ast;
mod bracket;
mod lex;
pub mod parse;
mod report;

pub use parse::parse;
