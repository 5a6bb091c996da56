//! Text to a spanned tree, and back.
//!
//! In: the text of one `.hnet` file. Out: [`ast::File`] by [`parse()`], a tree as canonical text by [`print()`]. The parser
//! reports every mistake once, goes on after it, and never panics.

pub mod ast;
mod bracket;
mod lex;
pub mod parse;
pub mod print;
mod report;
pub mod strip;

pub use parse::parse;
pub use print::{print, print_expr};
pub use strip::strip;
