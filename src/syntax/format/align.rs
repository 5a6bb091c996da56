//! Columns that the author made.
//!
//! A gap of several spaces is there for a column: the word after it stands in the column of a like word of the same
//! paragraph. Such words stay in one column, as far to the left as they can; other gaps shrink to one space. The second words
//! of the statements of one block (`over  *`, `steps 10`) need not be in one paragraph. Comments at the ends of lines keep
//! their column where there is room, and nearly aligned ones are aligned.

use super::{Layout, Line};
use crate::syntax::lex::Kind;
use crate::syntax::parse::Mark;
use std::collections::BTreeMap;

/// Comments of neighbouring lines that are at most so far apart belong together.
const NEAR: usize = 3;
/// Words further to the right are not aligned: nobody sees their columns.
const MOST_WORDS: usize = 200;

/// A word: a line and the number of a token in it.
type Word = (usize, usize);

impl Layout<'_> {
    /// Widens gaps so that columns are straight.
    pub(super) fn align(&mut self) {
        let columns: Vec<Vec<usize>> = self.lines.iter().map(|line| self.columns(line)).collect();
        let mut groups = self.neighbours(&columns);
        groups.extend(self.second_words(&columns));
        groups.retain(|(_, words)| words.len() > 1 && words.iter().any(|&w| self.is_wide(w)));
        // From left to right: what stands before a word is settled then.
        groups.sort();
        for (_, words) in &groups {
            let target = words.iter().map(|&w| self.natural(w)).max().unwrap_or(0);
            for &(line, word) in words {
                let natural = self.natural((line, word));
                self.lines[line].gaps[word] = 1 + target - natural;
            }
        }
        self.align_comments();
    }

    /// The column of every token of a line, in the source.
    fn columns(&self, line: &Line) -> Vec<usize> {
        let tokens = &self.lexed.tokens[line.first..line.end];
        let Some(first) = tokens.first() else { return Vec::new() };
        let mut at = self.line_start(first.start as usize);
        let mut column = 0;
        tokens
            .iter()
            .map(|token| {
                column += self.width(at, token.start as usize);
                at = token.start as usize;
                column
            })
            .collect()
    }

    /// Where the line of a byte begins.
    fn line_start(&self, at: usize) -> usize {
        self.lexed.text[..at].rfind(['\n', '\r']).map_or(0, |p| p + 1)
    }

    /// Characters between two bytes.
    fn width(&self, from: usize, to: usize) -> usize {
        self.lexed.text[from..to].chars().count()
    }

    /// Whether a word has several spaces before it in the source.
    fn is_wide(&self, (line, word): Word) -> bool {
        let at = self.lines[line].first + word;
        word > 0 && self.lexed.tokens[at].start - self.lexed.tokens[at - 1].end > 1
    }

    /// Whether a space stands before a word, which may then be more than one.
    fn is_movable(&self, (line, word): Word) -> bool {
        word > 0 && word < MOST_WORDS && self.lines[line].gaps[word] > 0
    }

    /// Whether a statement begins a line.
    fn begins(&self, line: usize) -> bool {
        let line = &self.lines[line];
        line.end > line.first && self.marks[line.first] == Mark::Start
    }

    /// Words in one column of one paragraph, with that column.
    fn neighbours(&self, columns: &[Vec<usize>]) -> Vec<(usize, Vec<Word>)> {
        let mut done: Vec<(usize, Vec<Word>)> = Vec::new();
        // The columns of this paragraph, by the block of their lines, and where they are in `done`.
        let mut open: BTreeMap<(usize, bool, usize, &str), usize> = BTreeMap::new();
        for (i, line) in self.lines.iter().enumerate() {
            if self.is_apart(i) {
                open.clear();
            }
            let begins = self.begins(i);
            for (word, &column) in columns[i].iter().enumerate() {
                if word == 1 && begins || !self.is_movable((i, word)) {
                    continue;
                }
                let group = *open.entry((line.parent, begins, column, self.sort(line.first + word))).or_insert(done.len());
                if group == done.len() {
                    done.push((column, Vec::new()));
                }
                done[group].1.push((i, word));
            }
        }
        done
    }

    /// What a word is like: a keyword, this operator, or what follows this operator.
    fn sort(&self, at: usize) -> &'static str {
        use Kind::{Minus, Name, Number, Reduction, Str};
        let (kind, before) = (self.lexed.tokens[at].kind, self.lexed.tokens[at - 1].kind);
        let value = matches!(kind, Name | Number | Reduction | Str) || kind.is_opener() || kind == Minus;
        match self.marks[at] {
            Mark::Keyword => "keyword",
            _ if value || kind.is_reserved() => before.text(),
            _ => kind.text(),
        }
    }

    /// The second words of the statements of each block, by column.
    fn second_words(&self, columns: &[Vec<usize>]) -> Vec<(usize, Vec<Word>)> {
        let mut groups: BTreeMap<(usize, usize), Vec<Word>> = BTreeMap::new();
        for (i, line) in self.lines.iter().enumerate() {
            if self.begins(i) && columns[i].len() > 1 && self.is_movable((i, 1)) {
                groups.entry((line.parent, columns[i][1])).or_default().push((i, 1));
            }
        }
        groups.into_iter().map(|((_, column), words)| (column, words)).collect()
    }

    /// Where a word stands with one space before it.
    fn natural(&self, (line, word): Word) -> usize {
        self.end_of(line, word) + 1
    }

    /// Where the first `words` words of a line end.
    fn end_of(&self, line: usize, words: usize) -> usize {
        let line = &self.lines[line];
        let tokens = &self.lexed.tokens[line.first..line.end];
        let widths = tokens.iter().zip(&line.gaps).take(words);
        line.indent + widths.map(|(t, gap)| gap + self.width(t.start as usize, t.end as usize)).sum::<usize>()
    }

    /// Places the comments that follow tokens.
    fn align_comments(&mut self) {
        let mut run: Vec<(usize, usize)> = Vec::new();
        for i in 0..self.lines.len() {
            if self.is_apart(i) {
                self.place_comments(&mut run);
            }
            let line = &self.lines[i];
            let comment = line.comment.filter(|_| line.end > line.first);
            let Some(comment) = comment.map(|c| self.lexed.comments[c].start as usize) else {
                self.place_comments(&mut run);
                continue;
            };
            if comment - self.lexed.text[..comment].trim_end().len() < 2 {
                self.lines[i].comment_gap = 1;
                self.place_comments(&mut run);
                continue;
            }
            let column = self.width(self.line_start(comment), comment);
            run.push((i, column.max(self.end_of(i, usize::MAX) + 2)));
        }
        self.place_comments(&mut run);
    }

    /// Puts the comments of neighbouring lines into their columns; nearly aligned ones into the column of the last of them.
    fn place_comments(&mut self, run: &mut Vec<(usize, usize)>) {
        let mut moved = true;
        while moved {
            moved = false;
            for i in 1..run.len() {
                let (above, below) = (run[i - 1].1, run[i].1);
                if above != below && above.abs_diff(below) <= NEAR {
                    (run[i - 1].1, run[i].1) = (above.max(below), above.max(below));
                    moved = true;
                }
            }
        }
        for (i, column) in run.drain(..) {
            self.lines[i].comment_gap = column - self.end_of(i, usize::MAX);
        }
    }
}
