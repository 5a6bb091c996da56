//! The items of a file.

use super::{Mark, Parse, Parser, Scope, types};
use crate::syntax::ast::{
    File, FnDef, Formal, FormalKind, Import, ImportFrom, Item, ItemKind, ModelDef, NetDef, Scalar, StmtKind,
};
use crate::syntax::lex::Kind;

/// The words that begin an item.
pub(super) const WORDS: [&str; 10] = ["import", "dim", "const", "fn", "net", "model", "form", "weights", "train", "eval"];

impl Parser<'_, '_> {
    /// The whole file.
    pub(super) fn file(&mut self) -> File {
        let mut items = Vec::new();
        let end = self.tokens.len() - 1;
        self.run(end, &mut items, &mut Self::item);
        File { doc: self.lexed.file_doc.clone(), items }
    }

    /// One item.
    fn item(&mut self) -> Parse<Item> {
        let (doc, start) = (self.doc(), self.at);
        let (nesting, height) = (0, 0);
        (self.nesting, self.height) = (nesting, height);
        let word = if self.kind() == Kind::Name { self.word(start) } else { "" };
        let kind = match word {
            "import" => ItemKind::Import(self.import()?),
            "dim" => {
                self.advance();
                let name = self.name("an axis")?;
                let size = if self.eat(Kind::Assign) { Some(self.expr()?) } else { None };
                ItemKind::Dim { name, size }
            }
            "const" => match self.const_()? {
                StmtKind::ConstDraw(draw) => ItemKind::ConstDraw(draw),
                StmtKind::Const(list) => ItemKind::Const(list),
                _ => return self.no_item(),
            },
            "fn" => ItemKind::Fn(self.fn_()?),
            "net" => ItemKind::Net(self.net()?),
            "model" => {
                self.advance();
                let name = self.name("a model")?;
                ItemKind::Model(ModelDef { name, body: self.block("after the name of the model")? })
            }
            "form" => {
                self.advance();
                ItemKind::Form(self.sub(true)?)
            }
            "weights" => ItemKind::Weights(self.weights()?),
            "train" => ItemKind::Train(self.train()?),
            "eval" => ItemKind::Eval(self.eval()?),
            _ => return self.no_item(),
        };
        Ok(Item { doc, kind, span: self.since(start) })
    }

    /// `import std.moe { Moe }`, `import "./blocks.hnet" { Ffn }`
    fn import(&mut self) -> Parse<Import> {
        self.advance();
        let from = if self.sees(Kind::Str) {
            let (path, span) = self.string("")?;
            ImportFrom::File { path, span }
        } else {
            let mut parts = vec![self.name("a library, or a file in quotes")?];
            while self.eat(Kind::Dot) {
                parts.push(self.name("a part of the library")?);
            }
            ImportFrom::Library(parts)
        };
        if !self.sees(Kind::LBrace) {
            return self.expected("`{`", "and the names to import, as in `import std.moe { Moe }`");
        }
        let opener = self.at;
        let names = self.list(|p| p.name("something to import"))?;
        if names.is_empty() {
            return self.empty(opener, "an import names at least one thing");
        }
        Ok(Import { from, names })
    }

    /// `fn gelu(x: [n]) -> [n] { .. }`
    fn fn_(&mut self) -> Parse<FnDef> {
        self.advance();
        let name = self.name("a function")?;
        if self.kind() == Kind::LParen {
            self.marks[self.at] = Mark::Tight;
        }
        Ok(FnDef { name, signature: self.signature()? })
    }

    /// `net Linear(i, o) { .. }`
    fn net(&mut self) -> Parse<NetDef> {
        self.advance();
        let name = self.name("a net")?;
        if !self.sees(Kind::LParen) {
            return self.expected("`(`", "and the net's sizes, as in `net Linear(i, o) { .. }`");
        }
        if !self.touches() {
            self.must_touch();
        }
        let formals = self.list(Self::formal)?;
        self.expect_brace("after the sizes of the net")?;
        Ok(NetDef { name, formals, members: self.braces(Scope::Net, Self::statement) })
    }

    /// `d`, `eps: f32 = 1e-6`, `width: size[n]`, `target: form`
    fn formal(&mut self) -> Parse<Formal> {
        let name = self.name("an argument of the net")?;
        let kind = if self.eat(Kind::Colon) { self.formal_kind()? } else { FormalKind::Size };
        let default = if self.eat(Kind::Assign) { Some(self.expr()?) } else { None };
        Ok(Formal { name, kind, default })
    }

    /// What stands after the `:` of a net's argument.
    fn formal_kind(&mut self) -> Parse<FormalKind> {
        if self.kind() == Kind::LBracket {
            return self.list_of(None);
        }
        let word = if self.kind() == Kind::Name { self.word(self.at) } else { "" };
        let plain = match word {
            "form" => FormalKind::Form,
            "net" => FormalKind::Net,
            "list" => FormalKind::List { scalar: None, length: None },
            _ => match types::scalar(word) {
                Some(scalar) => {
                    self.advance_as(Mark::Keyword);
                    if self.sees_tight(Kind::LBracket) {
                        return self.list_of(Some(scalar));
                    }
                    return Ok(match scalar {
                        Scalar::Size => FormalKind::Size,
                        Scalar::F32 => FormalKind::Real,
                        Scalar::I32 => FormalKind::Whole,
                        Scalar::Bool => FormalKind::Truth,
                    });
                }
                None => {
                    return self.expected(
                        "`size`, `f32`, `i32`, `bool`, `list`, `form` or `net`",
                        "after the `:` of a net's argument, which is known when the model is compiled",
                    );
                }
            },
        };
        self.advance_as(Mark::Keyword);
        Ok(plain)
    }

    /// `[n]` of a list.
    fn list_of(&mut self, scalar: Option<Scalar>) -> Parse<FormalKind> {
        let length = self.inside(false, Self::sum)?;
        Ok(FormalKind::List { scalar: scalar.or(Some(Scalar::F32)), length: Some(length) })
    }
}
