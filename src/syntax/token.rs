//! The tokens of the language.
//!
//! What the lexer hands to the bracket matcher, the parser and the formatter.

/// What a token is. Words that may also be names (`net`, `from`) are `Name`s here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    Str,
    /// `sum`, `max`, ..
    Reduction,
    Let,
    Var,
    For,
    If,
    Else,
    In,
    Where,
    Route,
    Rev,
    Div,
    Mod,
    And,
    Or,
    Not,
    Param,
    Sub,
    Pipe,
    Arrow,
    EqEq,
    NotEq,
    LessEq,
    GreaterEq,
    DotDot,
    DotStar,
    Plus,
    Minus,
    Star,
    Slash,
    Caret,
    At,
    Assign,
    Less,
    Greater,
    LParen,
    RParen,
    LBrace,
    RBrace,
    LBracket,
    RBracket,
    Comma,
    Colon,
    Dot,
    Semi,
    /// Something that has been complained about already.
    Bad,
    /// The end of the file.
    End,
}

impl Kind {
    /// What a name-shaped word is.
    pub(super) fn of_word(word: &str) -> Kind {
        match word {
            "let" => Kind::Let,
            "var" => Kind::Var,
            "for" => Kind::For,
            "if" => Kind::If,
            "else" => Kind::Else,
            "in" => Kind::In,
            "where" => Kind::Where,
            "route" => Kind::Route,
            "rev" => Kind::Rev,
            "div" => Kind::Div,
            "mod" => Kind::Mod,
            "and" => Kind::And,
            "or" => Kind::Or,
            "not" => Kind::Not,
            "param" => Kind::Param,
            "sub" => Kind::Sub,
            "sum" | "mean" | "max" | "min" | "prod" | "any" | "all" | "argmax" | "argmin" | "logsumexp" | "softmax" => {
                Kind::Reduction
            }
            _ => Kind::Name,
        }
    }

    /// Whether it is a word that can never be a name.
    pub(super) fn is_reserved(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Reduction | Let | Var | For | If | Else | In | Where | Route | Rev | Div | Mod | And | Or | Not | Param | Sub
        )
    }

    /// Whether it is an infix operator.
    pub(super) fn is_binary(self) -> bool {
        use Kind::*;
        self.is_comparison() || matches!(self, Or | And | Plus | Minus | Star | Slash | At | Div | Mod | Caret)
    }

    /// Whether it is a comparison.
    pub(super) fn is_comparison(self) -> bool {
        use Kind::*;
        matches!(self, EqEq | NotEq | Less | Greater | LessEq | GreaterEq)
    }

    /// Whether the statement goes on after a line that ends with it.
    pub(super) fn joins_next_line(self) -> bool {
        self.is_binary() || matches!(self, Kind::Comma | Kind::Assign | Kind::Arrow | Kind::Pipe | Kind::DotDot)
    }

    /// Whether it opens a bracket.
    pub(super) fn is_opener(self) -> bool {
        matches!(self, Kind::LParen | Kind::LBracket | Kind::LBrace)
    }

    /// Whether it closes a bracket.
    pub(super) fn is_closer(self) -> bool {
        matches!(self, Kind::RParen | Kind::RBracket | Kind::RBrace)
    }

    /// The other side of a bracket.
    pub(super) fn mate(self) -> Kind {
        match self {
            Kind::LParen => Kind::RParen,
            Kind::LBracket => Kind::RBracket,
            Kind::LBrace => Kind::RBrace,
            Kind::RParen => Kind::LParen,
            Kind::RBracket => Kind::LBracket,
            Kind::RBrace => Kind::LBrace,
            other => other,
        }
    }

    /// How messages write it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Kind::Name => "a name",
            Kind::Number => "a number",
            Kind::Str => "a text in quotes",
            Kind::Reduction => "a reduction",
            Kind::Let => "let",
            Kind::Var => "var",
            Kind::For => "for",
            Kind::If => "if",
            Kind::Else => "else",
            Kind::In => "in",
            Kind::Where => "where",
            Kind::Route => "route",
            Kind::Rev => "rev",
            Kind::Div => "div",
            Kind::Mod => "mod",
            Kind::And => "and",
            Kind::Or => "or",
            Kind::Not => "not",
            Kind::Param => "param",
            Kind::Sub => "sub",
            Kind::Pipe => "|>",
            Kind::Arrow => "->",
            Kind::EqEq => "==",
            Kind::NotEq => "!=",
            Kind::LessEq => "<=",
            Kind::GreaterEq => ">=",
            Kind::DotDot => "..",
            Kind::DotStar => ".*",
            Kind::Plus => "+",
            Kind::Minus => "-",
            Kind::Star => "*",
            Kind::Slash => "/",
            Kind::Caret => "^",
            Kind::At => "@",
            Kind::Assign => "=",
            Kind::Less => "<",
            Kind::Greater => ">",
            Kind::LParen => "(",
            Kind::RParen => ")",
            Kind::LBrace => "{",
            Kind::RBrace => "}",
            Kind::LBracket => "[",
            Kind::RBracket => "]",
            Kind::Comma => ",",
            Kind::Colon => ":",
            Kind::Dot => ".",
            Kind::Semi => ";",
            Kind::Bad => "something unknown",
            Kind::End => "the end of the file",
        }
    }
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: u32,
    pub end: u32,
    /// Line, from 0.
    pub line: u32,
    /// Brackets around it; an opener and its closer have the depth of what is outside.
    pub depth: u32,
    /// For brackets, the index of the other side; else its own.
    pub mate: u32,
    /// Whether a comma stands directly inside this opener.
    pub comma: bool,
}
