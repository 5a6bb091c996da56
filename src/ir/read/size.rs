//! Sizes: `2*b*t + b - 1`, `d/heads`, `ceil(5*b/4)`, `max(n, 4)`.

use super::{DEPTH, Parser, Read, ReadError};
use crate::ir::Size;
use crate::ir::size::SizeFn;
use crate::ir::tokens::{Token, tokens};
use std::str::FromStr;

impl FromStr for Size {
    type Err = ReadError;

    fn from_str(text: &str) -> Read<Size> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0 };
        let size = parser.size(0)?;
        parser.end()?;
        if parser.peek().is_none() { Ok(size) } else { parser.expected("the end of the size") }
    }
}

impl Parser {
    /// A sum of terms.
    pub(super) fn size(&mut self, depth: usize) -> Read<Size> {
        if depth > DEPTH {
            return Err(self.error("parentheses nest too deeply"));
        }
        let minus = self.sign('-');
        let mut sum = self.term(depth)?;
        if minus {
            sum = sum.neg();
        }
        loop {
            if self.sign('+') {
                sum = sum.add(&self.term(depth)?);
            } else if self.sign('-') {
                sum = sum.sub(&self.term(depth)?);
            } else {
                return Ok(sum);
            }
        }
    }

    fn term(&mut self, depth: usize) -> Read<Size> {
        let mut product = self.factor(depth)?;
        loop {
            if self.sign('*') {
                product = product.mul(&self.factor(depth)?);
            } else if self.sign('/') {
                let by = self.factor(depth)?;
                product = product.div(&by).ok_or_else(|| self.error("a size divided by zero"))?;
            } else {
                return Ok(product);
            }
        }
    }

    fn factor(&mut self, depth: usize) -> Read<Size> {
        match self.peek().cloned() {
            Some(Token::Number(_)) => Ok(Size::from(self.count::<i64>()?)),
            Some(Token::Text(name)) => {
                self.at += 1;
                Ok(Size::sym(name))
            }
            Some(Token::Sign('(')) => {
                self.at += 1;
                let size = self.size(depth + 1)?;
                self.need(')')?;
                Ok(size)
            }
            Some(Token::Word(word)) => {
                self.at += 1;
                if self.sign('(') { self.applied(&word, depth) } else { Ok(Size::sym(word)) }
            }
            _ => self.expected("a size"),
        }
    }

    /// The arguments of a closed function.
    fn applied(&mut self, word: &str, depth: usize) -> Read<Size> {
        let (function, arity) = match word {
            "floor" => (SizeFn::Floor, 1),
            "ceil" => (SizeFn::Ceil, 1),
            "log2" => (SizeFn::Log2, 1),
            "max" => (SizeFn::Max, 2),
            "min" => (SizeFn::Min, 2),
            "pow" => (SizeFn::Pow, 2),
            _ => return Err(self.error(format!("`{word}` is no function of sizes"))),
        };
        let mut args = vec![self.size(depth + 1)?];
        while self.sign(',') {
            args.push(self.size(depth + 1)?);
        }
        self.need(')')?;
        if args.len() != arity {
            return Err(self.error(format!("`{word}` takes {arity} sizes, not {}", args.len())));
        }
        Ok(Size::apply(function, args))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_they_print() {
        for text in [
            "0",
            "-3",
            "b",
            "2*b*t + b - 1",
            "d/heads",
            "5*b/4",
            "ceil(5*b/4)",
            "max(4, n)",
            "pow(2, l)",
            "1/(b + 1)",
            "b*t/(b + 1)/h",
            "\"a b\"*c",
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!(size.to_string().parse::<Size>().unwrap(), size, "{text}");
            assert_eq!(size.to_string().parse::<Size>().unwrap().to_string(), size.to_string(), "{text}");
        }
        assert_eq!("heads*(d/heads)".parse::<Size>().unwrap(), Size::sym("d"));
        assert!("1/0".parse::<Size>().is_err() && "b +".parse::<Size>().is_err() && "f(b)".parse::<Size>().is_err());
        assert!(("(".repeat(10_000)).parse::<Size>().is_err());
    }
}
