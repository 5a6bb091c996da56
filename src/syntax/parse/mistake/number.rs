//! Numbers as other languages write them: `1.`, `.5`, `1_000`, `0x1F`, `1.0f`.
//!
//! An edit is offered where it is the same number, and a product where the name behind the number is one that the file has.

use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::lex::Kind;
use crate::syntax::parse::{Parse, Parser};

/// Whole numbers up to here are exact in 64 bits.
const EXACT: u64 = 1 << 53;

impl Parser<'_, '_> {
    /// `1.`, `2.x`
    pub(in crate::syntax::parse) fn half_number<T>(&mut self, number: Span) -> Parse<T> {
        let dot = self.here();
        let after = Span { start: number.end, end: number.end + 1, ..number };
        let error = Diagnostic::error(Code::H0103, number.to(dot), "a number has a digit on both sides of its dot");
        let star = self.kind() == Kind::DotStar;
        self.fail(error.fix("put a zero after it", after, if star { ".0 " } else { ".0" }))
    }

    /// A name that touches the number before it.
    pub(super) fn number_meets_name(&self) -> Diagnostic {
        let (number, name) = (self.at - 1, self.at);
        let both = self.span(number, name + 1);
        let error = Diagnostic::error(Code::H0103, both, "a name cannot follow a number directly");
        let word = self.word(name);
        if let Some(plain) = plain(&format!("{}{word}", self.word(number))) {
            return error.fix("a number is written in decimal digits alone", both, plain);
        }
        let is_name = |k: usize| self.tokens[k].kind == Kind::Name && self.word(k) == word;
        let behind_number = |k: usize| k > 0 && self.tokens[k - 1].kind == Kind::Number && self.touches_at(k);
        if (0..self.tokens.len()).any(|k| is_name(k) && !behind_number(k)) {
            return error.fix("a product is written with `*`", self.gap(), " * ");
        }
        error.help(format!("a product is written with `*`, `2 * {word}`, and no letters say the type of a number"))
    }
}

/// The number that a spelling of another language is.
fn plain(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    for (lead, radix) in [("0x", 16), ("0b", 2), ("0o", 8)] {
        if let Some(digits) = lower.strip_prefix(lead) {
            let whole = u64::from_str_radix(&digits.replace('_', ""), radix).ok();
            return whole.filter(|n| *n <= EXACT).map(|n| n.to_string());
        }
    }
    let bare = text.replace('_', "");
    let digits = bare.chars().all(|c| c.is_ascii_digit() || c == '.') && bare.parse::<f64>().is_ok();
    (digits && bare != text).then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_number_of_another_language_is_the_same_number() {
        for (text, number) in [("1_000", "1000"), ("0x1F", "31"), ("0b101", "5"), ("0o17", "15"), ("1_0.2_5", "10.25")] {
            assert_eq!(plain(text).as_deref(), Some(number));
        }
        for text in ["2x", "1.0f", "3L", "1_000e", "0xfffffffffffffffff", "0b2"] {
            assert_eq!(plain(text), None, "{text}");
        }
    }
}
