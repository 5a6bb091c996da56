//! Token by token: what stands here, and what should.

use super::{Parser, Read, ReadError};
use crate::ir::tokens::Token;
use std::sync::Arc;

impl Parser {
    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, t)| t)
    }

    pub(super) fn error(&self, message: impl Into<String>) -> ReadError {
        let line = self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(l, _)| *l);
        ReadError { line, message: message.into() }
    }

    pub(super) fn expected<T>(&self, what: &str) -> Read<T> {
        let found = self.peek().map_or("the end of the text".into(), Token::show);
        Err(self.error(format!("expected {what}, found {found}")))
    }

    pub(super) fn eat(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    pub(super) fn sign(&mut self, c: char) -> bool {
        self.eat(&Token::Sign(c))
    }

    pub(super) fn need(&mut self, c: char) -> Read<()> {
        if self.sign(c) { Ok(()) } else { self.expected(&format!("`{c}`")) }
    }

    pub(super) fn keyword(&mut self, word: &str) -> bool {
        self.eat(&Token::Word(word.into()))
    }

    pub(super) fn need_word(&mut self, word: &str) -> Read<()> {
        if self.keyword(word) { Ok(()) } else { self.expected(&format!("`{word}`")) }
    }

    pub(super) fn word(&mut self, what: &str) -> Read<String> {
        match self.peek().cloned() {
            Some(Token::Word(w)) => {
                self.at += 1;
                Ok(w)
            }
            _ => self.expected(what),
        }
    }

    pub(super) fn text(&mut self, what: &str) -> Read<String> {
        match self.peek().cloned() {
            Some(Token::Text(w)) => {
                self.at += 1;
                Ok(w)
            }
            _ => self.expected(what),
        }
    }

    /// A word or a quoted text.
    pub(super) fn name(&mut self, what: &str) -> Read<Arc<str>> {
        match self.peek() {
            Some(Token::Text(_)) => Ok(self.text(what)?.into()),
            _ => Ok(self.word(what)?.into()),
        }
    }

    /// A whole number.
    pub(super) fn count<N: std::str::FromStr>(&mut self) -> Read<N> {
        if let Some(Token::Number(n)) = self.peek()
            && let Ok(n) = n.parse()
        {
            self.at += 1;
            return Ok(n);
        }
        self.expected("a whole number")
    }

    pub(super) fn number(&mut self) -> Read<f64> {
        let minus = self.sign('-');
        let x = match self.peek() {
            Some(Token::Number(n)) => n.parse().ok(),
            Some(Token::Word(w)) if w == "inf" => Some(f64::INFINITY),
            Some(Token::Word(w)) if w == "nan" => Some(f64::NAN),
            _ => None,
        };
        let Some(x): Option<f64> = x else { return self.expected("a number") };
        self.at += 1;
        Ok(if minus { -x } else { x })
    }

    pub(super) fn node_number(&mut self) -> Read<usize> {
        match self.peek() {
            Some(Token::Node(n)) => {
                let n = *n;
                self.at += 1;
                Ok(n)
            }
            _ => self.expected("a node"),
        }
    }

    pub(super) fn end(&mut self) -> Read<()> {
        if self.eat(&Token::End) || self.peek().is_none() { Ok(()) } else { self.expected("the end of the line") }
    }
}
