//! The words, numbers and signs of a graph's text.

use super::read::ReadError;

/// One piece of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// `%7`
    Node(usize),
    Word(String),
    /// `"..."`
    Text(String),
    Number(String),
    Sign(char),
    /// The end of a line that is not empty.
    End,
}

impl Token {
    /// As a message shows it.
    pub fn show(&self) -> String {
        match self {
            Token::Node(n) => format!("`%{n}`"),
            Token::Word(w) | Token::Number(w) => format!("`{w}`"),
            Token::Text(t) => format!("{t:?}"),
            Token::Sign(c) => format!("`{c}`"),
            Token::End => "the end of the line".into(),
        }
    }
}

/// Whether a word may go on with this.
pub fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '\'')
}

/// All tokens, each with its line from 1. `#` and `//` start a comment.
pub fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ReadError> {
    let mut out = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let before = out.len();
        let mut rest = line.trim_start();
        while !rest.is_empty() && !rest.starts_with('#') && !rest.starts_with("//") {
            let (token, after) = next(rest).map_err(|message| ReadError { line: i + 1, message })?;
            out.push((i + 1, token));
            rest = after.trim_start();
        }
        if out.len() > before {
            out.push((i + 1, Token::End));
        }
    }
    Ok(out)
}

fn split(text: &str, of: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !of(c)).unwrap_or(text.len()))
}

/// The first token of a text that is not empty, and the rest.
fn next(text: &str) -> Result<(Token, &str), String> {
    let first = text.chars().next().unwrap_or(' ');
    if let Some(after) = text.strip_prefix('%') {
        let (digits, rest) = split(after, |c| c.is_ascii_digit());
        let n = digits.parse().map_err(|_| "`%` without the number of a node".to_string())?;
        return Ok((Token::Node(n), rest));
    }
    if let Some(after) = text.strip_prefix('"') {
        return string(after);
    }
    if first.is_ascii_digit() {
        return Ok(numeral(text));
    }
    if first.is_alphabetic() || first == '_' {
        let (word, rest) = split(text, in_word);
        return Ok((Token::Word(word.to_string()), rest));
    }
    if "[](){}=:,*+-/".contains(first) {
        return Ok((Token::Sign(first), &text[1..]));
    }
    Err(format!("unexpected {first:?}"))
}

/// `12`, `1.5`, `2e-7`
fn numeral(text: &str) -> (Token, &str) {
    let digits = |s: &str| split(s, |c| c.is_ascii_digit()).0.len();
    let mut end = digits(text);
    if text[end..].starts_with('.') {
        end += 1 + digits(&text[end + 1..]);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let power = digits(&text[end + 1 + sign..]);
        end += if power > 0 { 1 + sign + power } else { 0 };
    }
    (Token::Number(text[..end].to_string()), &text[end..])
}

/// The rest of a quoted text, with the escapes that Rust prints.
fn string(text: &str) -> Result<(Token, &str), String> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::Text(out), &text[at + 1..])),
            '\\' => {
                let (_, escape) = chars.next().ok_or("a text without an end")?;
                out.push(match escape {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    '0' => '\0',
                    'u' => {
                        let code: String = chars.by_ref().map(|(_, c)| c).skip(1).take_while(|c| *c != '}').collect();
                        u32::from_str_radix(&code, 16).ok().and_then(char::from_u32).ok_or("not a character's number")?
                    }
                    '\\' | '"' | '\'' => escape,
                    _ => return Err(format!("unknown escape `\\{escape}`")),
                });
            }
            _ => out.push(c),
        }
    }
    Err("a text without an end".into())
}
