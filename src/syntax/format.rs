//! A text laid out well.
//!
//! In: the text of a file without mistakes. Out: the same program with four spaces for each level, one space between words,
//! no blank line too many and no space at the end of a line. Promised: no comment is lost, the tree stays the same, and
//! formatting twice gives what formatting once gives. Line breaks are the author's, and so are columns: words that stand in
//! one column stay in one column (`align`).

mod align;
mod space;

use super::ast::File;
use super::lex::{Kind, Lexed};
use super::parse::{JOINING, Mark, Parsed, parse_marked};
use super::report::Report;
use crate::diag::{Diagnostic, Sink};
use crate::source::FileId;

/// Lays out a text; a text with mistakes is left to its author, with what is wrong in it. Spans are in the file number 0.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let mut sink = Sink::default();
    let parsed = parse_marked(FileId::default(), text, &mut Report::new(&mut sink));
    if sink.has_errors() {
        return Err(sink.into_sorted());
    }
    let out = Layout::new(&parsed).text();
    debug_assert!(same_program(&out, parsed.file.clone()), "formatting changed the program");
    Ok(out)
}

/// Whether a text is the program `before`.
fn same_program(text: &str, mut before: File) -> bool {
    let mut after = super::parse(FileId::default(), text, &mut Sink::default());
    super::strip(&mut before);
    super::strip(&mut after);
    before == after
}

/// A line of the text: tokens, a comment, or both.
struct Line {
    /// Its number in the source.
    number: u32,
    /// Its tokens, from `first` up to `end`.
    first: usize,
    end: usize,
    /// Which comment ends it.
    comment: Option<usize>,
    indent: usize,
    /// The opening bracket around its first token; `usize::MAX` outside of all.
    parent: usize,
    /// Spaces before each of its tokens.
    gaps: Vec<usize>,
    /// Spaces before the comment.
    comment_gap: usize,
}

/// The file on its way to a text.
struct Layout<'p> {
    lexed: &'p Lexed<'p>,
    marks: &'p [Mark],
    lines: Vec<Line>,
}

/// An open bracket.
struct Frame {
    opener: usize,
    /// Indentation of lines inside, and of a line that begins with the closer.
    inside: usize,
    close: usize,
    /// Whether statements stand inside, which a line may continue.
    block: bool,
}

impl<'p> Layout<'p> {
    /// Cuts a file into lines and lays them out.
    fn new(parsed: &'p Parsed<'p>) -> Self {
        let mut layout = Layout { lexed: &parsed.lexed, marks: &parsed.marks, lines: Vec::new() };
        layout.cut();
        layout.indent();
        layout.space();
        layout.align();
        layout
    }

    /// The lines of the source that are not blank.
    fn cut(&mut self) {
        let tokens = &self.lexed.tokens[..self.lexed.tokens.len() - 1];
        let mut comments = self.lexed.comments.iter().enumerate().peekable();
        let mut first = 0;
        loop {
            let token_line = tokens.get(first).map(|t| t.line);
            let comment_line = comments.peek().map(|(_, c)| c.line);
            let Some(number) = token_line.into_iter().chain(comment_line).min() else { break };
            let mut end = first;
            while tokens.get(end).is_some_and(|t| t.line == number) {
                end += 1;
            }
            let comment = comments.next_if(|(_, c)| c.line == number).map(|(i, _)| i);
            let kept = if end > first && self.is_idle_semicolon(end - 1) { end - 1 } else { end };
            let (indent, parent, gaps, comment_gap) = (0, usize::MAX, Vec::new(), 0);
            self.lines.push(Line { number, first, end: kept, comment, indent, parent, gaps, comment_gap });
            first = end;
        }
    }

    /// Whether token `i` is a `;` at the end of a line that ends its statement anyway.
    fn is_idle_semicolon(&self, i: usize) -> bool {
        let tokens = &self.lexed.tokens;
        let next = &tokens[i + 1];
        let joined = matches!(next.kind, Kind::Pipe | Kind::Else | Kind::Semi)
            || next.kind == Kind::Name && JOINING.contains(&self.lexed.slice(next));
        let alone = i == 0 || tokens[i - 1].line != tokens[i].line || tokens[i - 1].kind == Kind::Semi;
        tokens[i].kind == Kind::Semi && !joined && !alone
    }

    /// Finds the indentation of every line.
    fn indent(&mut self) {
        let mut open: Vec<Frame> = Vec::new();
        for i in 0..self.lines.len() {
            let (first, end) = (self.lines[i].first, self.lines[i].end);
            let tokens = &self.lexed.tokens;
            // A line of comment stands like the line after it.
            let indent = self.indent_at(first, end > first, &open);
            self.lines[i].indent = indent;
            self.lines[i].parent = open.last().map_or(usize::MAX, |f| f.opener);
            for at in first..end {
                if tokens[at].kind.is_opener() {
                    let starts = matches!(self.marks[at + 1], Mark::Start) || tokens[at + 1].kind == Kind::Semi;
                    let block = tokens[at].kind == Kind::LBrace && starts;
                    open.push(Frame { opener: at, inside: indent + 4, close: indent, block });
                } else if tokens[at].kind.is_closer() {
                    open.pop();
                }
            }
        }
    }

    /// The indentation of a line whose first token is `first`.
    fn indent_at(&self, first: usize, closes: bool, open: &[Frame]) -> usize {
        let tokens = &self.lexed.tokens;
        let closers = tokens[first..].iter().take_while(|t| t.kind.is_closer()).count();
        let inside = open.last().map_or(0, |f| f.inside);
        if closers > 0 && closes {
            let line = tokens[first].line;
            let closers = tokens[first..].iter().take_while(|t| t.kind.is_closer() && t.line == line).count();
            return open.len().checked_sub(closers).map_or(0, |left| open[left].close);
        }
        let block = open.last().is_none_or(|f| f.block);
        let else_after_block = tokens[first].kind == Kind::Else && first > 0 && tokens[first - 1].kind == Kind::RBrace;
        let begins = self.marks[first] == Mark::Start || closers > 0 || tokens[first].kind == Kind::End;
        if !block || begins || else_after_block { inside } else { inside + 4 }
    }

    /// The text.
    fn text(&self) -> String {
        let mut out = String::with_capacity(self.lexed.text.len() + 64);
        for (i, line) in self.lines.iter().enumerate() {
            if self.is_apart(i) {
                out.push('\n');
            }
            out.extend(std::iter::repeat_n(' ', line.indent));
            for (token, gap) in self.lexed.tokens[line.first..line.end].iter().zip(&line.gaps) {
                out.extend(std::iter::repeat_n(' ', *gap));
                out.push_str(self.lexed.slice(token));
            }
            if let Some(comment) = line.comment.map(|i| &self.lexed.comments[i]) {
                out.extend(std::iter::repeat_n(' ', line.comment_gap));
                out.push_str(self.lexed.text[comment.start as usize..comment.end as usize].trim_end());
            }
            out.push('\n');
        }
        out
    }

    /// Whether a blank line stands before line `i`.
    fn is_apart(&self, i: usize) -> bool {
        let Some(before) = i.checked_sub(1).map(|b| &self.lines[b]) else { return false };
        let line = &self.lines[i];
        line.number > before.number + 1 && !self.opens(before) && !self.closes(line)
    }

    /// Whether a line ends with an opening bracket.
    fn opens(&self, line: &Line) -> bool {
        line.end > line.first && self.lexed.tokens[line.end - 1].kind.is_opener()
    }

    /// Whether a line begins with a closing bracket.
    fn closes(&self, line: &Line) -> bool {
        line.end > line.first && self.lexed.tokens[line.first].kind.is_closer()
    }
}
