//! Text to a spanned tree, and back.
//!
//! In: the text of one `.hnet` file. Out: [`ast::File`] by [`parse()`], the same text laid out well by [`format()`], a tree as
//! canonical text by [`print()`]. The parser reports every mistake once, goes on after it, and never panics.

pub mod ast;
mod bracket;
pub mod format;
mod lex;
pub mod parse;
pub mod print;
mod report;
pub mod strip;
mod token;

pub use format::format;
pub use parse::parse;
pub use print::{print, print_expr};
pub use strip::strip;
