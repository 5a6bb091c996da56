//! A tree as canonical text.
//!
//! In: a tree, from the parser or made by a program. Out: text that parses to the same tree, but for spans and parentheses.
//! Parentheses stand where precedence needs them and nowhere else; a block stands on one line if it is one expression.

mod expr;
mod item;
mod stmt;
mod weights;

use super::ast::{Expr, File};

/// The file as text. Its comments are lost, its documentation is not.
pub fn print(file: &File) -> String {
    let mut printer = Printer { out: String::new(), indent: 0, inline: false };
    printer.file(file);
    printer.out
}

/// The expression on one line, for messages.
pub fn print_expr(expr: &Expr) -> String {
    let mut printer = Printer { out: String::new(), indent: 0, inline: true };
    printer.expr(expr, expr::FREE);
    printer.out
}

/// Text that grows.
struct Printer {
    out: String,
    indent: usize,
    /// Everything on one line.
    inline: bool,
}

impl Printer {
    /// Adds text.
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Begins a new line.
    fn line(&mut self) {
        self.out.push('\n');
        for _ in 0..self.indent {
            self.out.push_str("    ");
        }
    }

    /// Things with commas between them.
    fn commas<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.put(", ");
            }
            each(self, item);
        }
    }

    /// `{ .. }` with a line for each thing, or all on one line.
    fn braces<T>(&mut self, items: &[T], joins: impl Fn(&T) -> bool, mut each: impl FnMut(&mut Self, &T)) {
        if items.is_empty() {
            self.put("{}");
            return;
        }
        self.put("{");
        self.indent += 1;
        for (i, item) in items.iter().enumerate() {
            // A line that would go on with the one before is cut off from it.
            if i > 0 && (self.inline || joins(item)) {
                self.put(";");
            }
            if self.inline {
                self.put(" ");
            } else {
                self.line();
            }
            each(self, item);
        }
        self.indent -= 1;
        if self.inline {
            self.put(" }");
        } else {
            self.line();
            self.put("}");
        }
    }

    /// `/// ..` above the present line.
    fn doc(&mut self, doc: Option<&String>) {
        if self.inline {
            return;
        }
        for text in doc.into_iter().flat_map(|d| d.split('\n')) {
            self.put(if text.is_empty() { "///" } else { "/// " });
            self.put(text);
            self.line();
        }
    }
}
