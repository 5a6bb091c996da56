//! Paths to parameters, and the places that relations write to.

use super::{Parse, Parser};
use crate::syntax::ast::{Path, PathPart, Place, PlacePart};
use crate::syntax::lex::Kind;

impl Parser<'_, '_> {
    /// `base.layer[3].*.w`
    pub(super) fn path(&mut self, what: &str) -> Parse<Path> {
        let start = self.at;
        let root = self.name(what)?;
        let mut parts = Vec::new();
        loop {
            let here = self.here();
            parts.push(match self.kind() {
                Kind::Dot if !self.breaks() => {
                    self.advance();
                    PathPart::Field(self.name("a part of the path")?)
                }
                Kind::DotStar if !self.breaks() => {
                    self.advance();
                    PathPart::Star(here)
                }
                Kind::LBracket if self.touches() => {
                    let list = self.at;
                    PathPart::Index(self.indices()?, self.since(list))
                }
                _ => break,
            });
        }
        Ok(Path { root, parts, span: self.since(start) })
    }

    /// `conv[l].kernel[u, v, (p < 2, o)]`
    pub(super) fn place(&mut self, what: &str) -> Parse<Place> {
        let start = self.at;
        let root = self.name(what)?;
        let mut parts = Vec::new();
        loop {
            let here = self.here();
            parts.push(match self.kind() {
                Kind::Dot if !self.breaks() => {
                    self.advance();
                    PlacePart::Field(self.name("a part of the path")?)
                }
                Kind::DotStar if !self.breaks() => {
                    self.advance();
                    PlacePart::Star(here)
                }
                Kind::LBracket if self.touches() => {
                    let (slots, span) = self.slots()?;
                    PlacePart::Slots(slots, span)
                }
                _ => break,
            });
        }
        Ok(Place { root, parts, span: self.since(start) })
    }

    /// `a.*, b.c`
    pub(super) fn paths(&mut self, what: &str) -> Parse<Vec<Path>> {
        self.series(|p| p.path(what))
    }
}
