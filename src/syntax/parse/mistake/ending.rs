//! Statements, items, clauses and brackets that do not end or begin where they should.

use crate::diag::{Code, Diagnostic, suggest};
use crate::source::Span;
use crate::syntax::lex::Kind;
use crate::syntax::parse::{DECLARING, EVAL_CLAUSES, Parse, Parser, Scope, TRAIN_CLAUSES, item};

/// Words of statements that are reserved.
const RESERVED: [&str; 5] = ["let", "var", "for", "param", "sub"];

/// What a statement of another language is here.
fn foreign(word: &str) -> Option<&'static str> {
    Some(match word {
        "return" => "the value of a block is the expression that stands last",
        "while" | "loop" | "do" => "a loop is written `for i in 0..n until done { .. }`",
        "def" | "fn" | "function" | "net" | "model" => {
            "nets, models and functions are items of a file: they stand outside of others"
        }
        "val" | "const" | "auto" => "a value gets a name with `let`",
        _ => return None,
    })
}

impl Parser<'_, '_> {
    /// Gives up: something follows a statement.
    pub(in crate::syntax::parse) fn not_ended(&mut self) -> Parse<()> {
        let start = self.start();
        let what = match self.scope {
            Scope::File => "the end of the item",
            Scope::Train | Scope::Eval => "the end of the clause",
            _ => "an operator or the end of the statement",
        };
        let plain = self.expectation(Code::H0131, what, "");
        if let Some(error) = self.juxtaposed() {
            return self.fail(error);
        }
        let (here, word) = (self.here(), self.word(self.at));
        let error = match self.kind() {
            _ if self.is_first(self.at) && self.joins() => Diagnostic::error(
                Code::H0148,
                here,
                format!("a line that begins with `{word}` goes on with the line before, which has no place for it"),
            )
            .help(match self.kind() {
                Kind::Else => "an `else` follows the brace that closes the other side: `if c { a } else { b }`".to_string(),
                _ => format!("if `{word}` is a name, put it in parentheses"),
            }),
            Kind::Assign => plain.help("`=` gives a value, once in a statement; `==` compares"),
            Kind::Comma if self.scope == Scope::File && self.word(start) == "dim" => self.dims(plain),
            Kind::LBracket if self.tokens[start].kind == Kind::Sub => self.array_behind(start, plain),
            Kind::Comma => plain.help("a comma goes on with lists, and with `const`, `batch`, `set`, `over` and `freeze`"),
            Kind::Colon => plain.help("a type stands in `var`, `input`, `output`, `condition`, `param`, `state` and `draw`"),
            Kind::Arrow if self.scope != Scope::Net => {
                plain.help("a signature stands in a `net`; a model has `input` and `output`")
            }
            Kind::DotDot => plain.help("a range stands in an index list, after `for .. in` and after `condition .. in`"),
            Kind::Where => plain.help("`where` stands in the brackets of a reduction, as in `sum[i where c] x[i]`"),
            _ => match self.misspelt(start) {
                Some(right) => {
                    let first = self.lexed.span(&self.tokens[start]);
                    plain.fix(format!("did you mean `{right}`?"), first, right)
                }
                None if foreign(self.word(start)).is_some() => plain.help(foreign(self.word(start)).unwrap_or_default()),
                None if self.scope == Scope::File && self.begins_item() => plain.fix("begin a new line", self.gap(), "\n"),
                None if self.scope == Scope::Train && self.word(start) == "clip" => {
                    plain.help("`clip 1.0` is by the norm of all gradients, `clip value 0.5` by each number of them")
                }
                None if self.begins_value() && matches!(self.scope, Scope::Train | Scope::Eval) => {
                    plain.help("a list goes on after a comma; a new clause begins on a new line")
                }
                None if self.begins_value() => plain.help("a new statement begins on a new line or after `;`"),
                None => plain,
            },
        };
        self.fail(error)
    }

    /// `dim b, k = 4`: each has a line of its own.
    fn dims(&self, plain: Diagnostic) -> Diagnostic {
        let says = "each dim stands on a line of its own";
        match (self.before(), self.tokens.get(self.at + 1)) {
            (Some(before), Some(next)) if next.kind == Kind::Name => {
                plain.fix(says, Span { start: before.end, end: next.start, ..self.here() }, "\ndim ")
            }
            _ => plain.help(says),
        }
    }

    /// `sub e = Net(4)[8]`: how many nets there are stands behind the name.
    fn array_behind(&self, start: usize, plain: Diagnostic) -> Diagnostic {
        let says = "an array of nets says how many behind its name: `sub e[8] = Net(..)`";
        let named =
            matches!(self.tokens.get(start + 1..start + 3), Some([a, b]) if a.kind == Kind::Name && b.kind == Kind::Assign);
        let close = self.tokens.get(self.tokens[self.at].mate as usize).filter(|t| t.kind == Kind::RBracket);
        let (Some(close), true) = (close, named) else { return plain.help(says) };
        let (open, name) = (self.tokens[self.at], self.tokens[start + 1]);
        let count = self.lexed.text.get(open.start as usize..close.end as usize).unwrap_or("").to_string();
        let behind = Span { start: name.end, end: name.end, ..self.here() };
        plain.fixes(says, vec![(behind, count), (Span { end: close.end, ..self.here() }, String::new())])
    }

    /// Whether the next token could begin an expression.
    fn begins_value(&self) -> bool {
        use Kind::{If, LBracket, LParen, Name, Not, Number, Reduction, Route};
        matches!(self.kind(), Name | Number | Reduction | LParen | LBracket | If | Not | Route)
    }

    /// Two things side by side that should touch, or the other way round.
    fn juxtaposed(&self) -> Option<Diagnostic> {
        let before = self.before()?;
        if self.is_first(self.at) && self.lines {
            return None;
        }
        let last = self.lexed.span(before);
        match (before.kind, self.kind()) {
            (Kind::Number, Kind::Name) if self.touches() => Some(self.number_meets_name()),
            (Kind::Name | Kind::Reduction | Kind::RParen | Kind::RBracket, Kind::LParen | Kind::LBracket) if !self.touches() => {
                let sign = self.kind().text();
                let gap = Span { start: before.end, end: self.tokens[self.at].start, ..last };
                let what = if sign == "(" { "calls" } else { "is an index of" };
                Some(Diagnostic::error(Code::H0147, self.here(), format!("a `{sign}` that {what} something must touch it")).fix(
                    "leave out the space",
                    gap,
                    "",
                ))
            }
            (Kind::Name | Kind::RParen | Kind::RBracket, Kind::LBrace) => Some(
                Diagnostic::error(Code::H0147, self.here(), "a block cannot stand here")
                    .help("the `{` of a call with other parameters touches the net: `net{* = theta}(x)`"),
            ),
            _ => None,
        }
    }

    /// The word that the first word of the statement may have been meant to be.
    fn misspelt(&self, start: usize) -> Option<&'static str> {
        if self.at != start + 1 || self.tokens[start].kind != Kind::Name {
            return None;
        }
        let known: Vec<&'static str> = match self.scope {
            Scope::File | Scope::Map => return None,
            Scope::Train => TRAIN_CLAUSES.to_vec(),
            Scope::Eval => EVAL_CLAUSES.to_vec(),
            _ => RESERVED.iter().chain(&DECLARING).chain(&["yield", "seed"]).copied().collect(),
        };
        suggest(self.word(start), known)
    }

    /// Gives up: the bracket does not close here.
    pub(in crate::syntax::parse) fn not_closed<T>(&mut self, opener: usize) -> Parse<T> {
        if let Some(error) = self.juxtaposed() {
            return self.fail(error);
        }
        let open = self.tokens[opener];
        let (sign, close) = (open.kind.text(), open.kind.mate().text());
        let lead = if open.kind == Kind::LParen && !self.tokens[opener].comma { "an operator, `,`" } else { "`,`" };
        let found = self.found();
        let plain = Diagnostic::error(Code::H0134, self.here(), format!("expected {lead} or `{close}`, found {found}"))
            .label(self.lexed.span(&open), format!("in this `{sign}`"));
        let error = match self.kind() {
            Kind::Assign if open.kind == Kind::LParen => self.named_by_assignment(opener, plain),
            Kind::Assign => plain.help("to compare, write `==`"),
            Kind::Semi => plain.fix("separate them by commas", self.here(), ","),
            Kind::DotDot => plain.help("a range stands in an index list, after `for .. in` and after `condition .. in`"),
            Kind::Where => plain.help("`where` stands in the brackets of a reduction, which touch it: `sum[i where c]`"),
            Kind::Let | Kind::Var | Kind::Param | Kind::Sub => plain.help("no statement stands in parentheses or brackets"),
            _ if self.begins_value() => plain.fix("put a comma between them", self.gap(), ","),
            _ => plain,
        };
        self.fail(error)
    }

    /// Gives up: this is no item.
    pub(in crate::syntax::parse) fn no_item<T>(&mut self) -> Parse<T> {
        let (here, word) = (self.here(), self.word(self.at));
        let plain = Diagnostic::error(Code::H0130, here, format!("`{word}` begins no item of a file"));
        let meant = match word {
            "use" | "include" | "from" | "require" => Some("import"),
            "def" | "func" | "function" | "fun" => Some("fn"),
            "class" | "module" | "layer" | "struct" | "network" | "block" => Some("net"),
            "axis" | "dims" => Some("dim"),
            "test" | "evaluate" => Some("eval"),
            _ => suggest(word, item::WORDS),
        };
        let error = match meant {
            Some(right) if self.kind() == Kind::Name => plain.fix(format!("did you mean `{right}`?"), here, right),
            _ if RESERVED.contains(&word) || DECLARING.contains(&word) => {
                plain.help(format!("`{word}` stands in a net, a model or a body"))
            }
            _ => plain.help(format!("an item begins with one of {}", item::WORDS.map(|w| format!("`{w}`")).join(", "))),
        };
        self.fail(error)
    }

    /// Gives up: this is no clause.
    pub(in crate::syntax::parse) fn no_clause<T>(&mut self) -> Parse<T> {
        let (block, words) = match self.scope {
            Scope::Train => ("train", &TRAIN_CLAUSES[..]),
            _ => ("eval", &EVAL_CLAUSES[..]),
        };
        let (here, word) = (self.here(), self.word(self.at));
        let plain = Diagnostic::error(Code::H0135, here, format!("`{word}` begins no clause of {block}"));
        let listed = words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ");
        let error = match suggest(word, words.iter().copied()) {
            Some(right) if self.kind() == Kind::Name => plain.fix(format!("did you mean `{right}`?"), here, right),
            _ if self.foreign_clause().is_some() => self.foreign_clause().map_or(plain.clone(), |says| says.on(plain)),
            _ if TRAIN_CLAUSES.contains(&word) => plain.help(format!("`{word}` stands in a train block")),
            _ if EVAL_CLAUSES.contains(&word) => plain.help(format!("`{word}` stands in an eval block")),
            _ => plain.help(format!("a clause begins with one of {listed}")),
        };
        self.fail(error)
    }
}
