//! `weights` blocks: what they speak of, and what they come to.
//!
//! A block is looked at twice. Without files its words are known or not ([`Checker::weights_blocks`]), which every check of a program
//! says. When it is known which tensors the files have ([`read`]), each line is read once for all numbers that the names in the files
//! give its pattern: the place on its left is a part of a parameter, and its value is a node of the graph whose sources are those
//! tensors, by the rules of every other expression. *Not looked at:* elements.

mod equal;
mod left;
mod line;
mod other;
mod pattern;
mod said;
mod write;

use super::train::{Words, words};
use crate::check::model::weights::{Block, How, Mapping, Shelf};
use crate::check::report::Report;
use crate::check::value::Tens;
use crate::check::word::Meaning;
use crate::check::{Checker, Options};
use crate::diag::{Code, Diagnostic, Sink, suggest};
use crate::program::Program;
use crate::source::Span;
use crate::syntax::ast::{self, Dropped, ItemKind, PlacePart, Slot, WeightLine, WeightLineKind, Weights};
use crate::syntax::walk::{self, Visit};
pub use pattern::Pattern;
use said::Absent;
use std::collections::HashMap;
use std::rc::Rc;
pub use write::written;

/// What is known while lines are read.
#[derive(Default)]
pub struct Reading {
    shelves: Rc<[Shelf]>,
    /// The one that the block under way reads from.
    shelf: usize,
    /// What stands before each of its names.
    prefix: String,
    /// Names by their patterns, for the numbers at hand.
    spelt: HashMap<String, String>,
    /// Names that the shelf under way does not have, by their places: what is wrong with each.
    absent: HashMap<Span, Absent>,
    /// Tensors that were read.
    made: HashMap<(usize, String), Tens>,
    out: Mapping,
}

/// What the blocks of a model that read come to; `of` says for each of them which shelf its file is; empty: all
/// shelves have the model's own names. Nothing: it was said why.
pub fn read(
    program: &Program,
    options: &Options,
    model: &str,
    shelves: &[Shelf],
    of: &[usize],
    sink: &mut Sink,
) -> Option<Mapping> {
    let def = program.files[0].ast.items.iter().find_map(|i| match &i.kind {
        ItemKind::Model(m) if &*m.name.name == model => Some(m),
        _ => None,
    })?;
    let mut checker = Checker::new(program, options, Report::new(std::mem::take(sink)));
    let dropped = vec![Default::default(); shelves.len()];
    checker.reading = Reading { shelves: shelves.into(), out: Mapping { dropped, ..Mapping::default() }, ..Reading::default() };
    let made = checker.model(def, None, |c| {
        let blocks: Vec<&Weights> = c.own_blocks(def);
        let reads = blocks.into_iter().filter_map(|b| match b {
            Weights::From { span, lines, .. } => Some((*span, lines.as_deref().unwrap_or(&[]))),
            Weights::To { .. } | Weights::Model { .. } => None,
        });
        if of.is_empty() {
            (0..shelves.len()).for_each(|shelf| c.read_block(def.name.span, &[], shelf));
        }
        for ((span, lines), shelf) in reads.zip(of) {
            c.read_block(span, lines, *shelf);
        }
        c.prove(0);
    });
    let mut mapping = std::mem::take(&mut checker.reading.out);
    *sink = checker.report.into_sink();
    let Some(model) = made else {
        // What was read of it can still be shown.
        mapping.failed = true;
        return Some(mapping);
    };
    for one in &mut mapping.moves {
        if let How::Computed(computed) = &mut one.how {
            **computed = model.graph.excerpt(computed.1);
        }
    }
    Some(mapping)
}

impl<'a> Checker<'a> {
    /// The `weights` blocks that are about a model: all, where a file has one; else those whose places it has.
    fn own_blocks(&self, def: &ast::ModelDef) -> Vec<&'a Weights> {
        let items = &self.program.files[0].ast.items;
        let alone = items.iter().filter(|i| matches!(i.kind, ItemKind::Model(_))).count() == 1;
        let has = |root: &ast::Ident| other::members(def).any(|m| m.name == root.name);
        let about = |w: &&Weights| match w {
            Weights::From { lines: Some(lines), .. } => lines.iter().all(|l| match &l.kind {
                WeightLineKind::Read { place, .. } => has(&place.root),
                _ => true,
            }),
            Weights::To { lines, .. } => lines.iter().all(|l| match &l.kind {
                WeightLineKind::Write { value, .. } => self.is_of(def, value),
                _ => true,
            }),
            Weights::From { lines: None, .. } => true,
            Weights::Model { .. } => false,
        };
        let blocks = items.iter().filter_map(|i| match &i.kind {
            ItemKind::Weights(w) => Some(w),
            _ => None,
        });
        blocks.filter(|w| alone || about(w)).collect()
    }

    /// What `weights` blocks speak of; and the list of those that name a file.
    pub(super) fn weights_blocks(&mut self, def: &'a ast::ModelDef) {
        let mut writing = false;
        for block in self.own_blocks(def) {
            let (file, span, lines, writes) = match block {
                Weights::From { file, span, lines } => (file, *span, lines.as_deref().unwrap_or(&[]), false),
                Weights::To { file, span, lines } => (file, *span, lines.as_slice(), true),
                Weights::Model { .. } => continue,
            };
            self.out.model.weights.push(Block { file: file.clone(), span, writes });
            let (before, from) = (self.report.faults(), self.report.length());
            lines.iter().for_each(|l| self.known_line(l));
            self.lines_alike(from);
            writing |= writes && self.report.faults() == before;
        }
        if writing {
            let from = self.report.length();
            self.lines_that_write(def);
            self.lines_alike(from);
        }
        self.blocks_beside(def);
    }

    /// A name that is wrong in one line is so in the others: it is said once.
    fn lines_alike(&mut self, from: usize) {
        let more = |rest: &[Diagnostic]| match rest.len() {
            1 => "another line has the same mistake".to_string(),
            n => format!("{n} more lines have the same mistake"),
        };
        self.report.fold(from, |d| Some(format!("{} {}", d.code, d.message)), more);
    }

    /// The words of a line, as far as they are known without a file.
    fn known_line(&mut self, line: &'a WeightLine) {
        match &line.kind {
            WeightLineKind::Read { value, place, .. } => {
                let Some(numbers) = self.patterns_of(value) else { return };
                self.known_left(place, value, &numbers, line.span);
                let numbers = [numbers, self.computed_words(place)].concat();
                self.known_value(&numbers, |w| {
                    walk::place(place, w);
                    walk::expr(value, w);
                });
            }
            WeightLineKind::Write { value, name, .. } => {
                let Some(pattern) = self.pattern(&name.pattern, name.span, false) else { return };
                self.known_value(&pattern.words(), |w| {
                    name.slots.iter().for_each(|(slots, _)| slots.iter().for_each(|s| walk::slot(s, w)));
                    walk::expr(value, w);
                });
            }
            WeightLineKind::Prefix(text, span) => drop(self.pattern(text, *span, false)),
            WeightLineKind::Drop { list, .. } => {
                for one in list {
                    match one {
                        Dropped::Stored(text, span) => drop(self.pattern(text, *span, true)),
                        Dropped::Params(path) => drop(self.in_scope(|c| c.find_path(path))),
                    }
                }
            }
        }
    }

    /// The pattern that a text is; says what is wrong with it.
    fn pattern(&mut self, text: &str, span: Span, stars: bool) -> Option<Pattern> {
        let d = match Pattern::read(text) {
            Ok(p) if p.has_star() && !stars => {
                Diagnostic::error(Code::H0623, span, "a star stands for any text, and here one tensor is meant")
                    .help("a number in a name is `{l}`; what may be there or not stands in `[..]`; `drop` takes stars")
            }
            Ok(p) => return Some(p),
            Err(why) => Diagnostic::error(Code::H0623, span, format!("this is no pattern of a name: {why}"))
                .help("a number in a name is `{l}` or `{l + 1}`; what may be there or not stands in `[..]`"),
        };
        self.report.say(d);
        None
    }

    /// The words of all patterns of an expression.
    fn patterns_of(&mut self, value: &ast::Expr) -> Option<Vec<ast::Name>> {
        let mut out = vec![];
        for (text, span) in stored_in(value) {
            out.extend(self.pattern(&text, span, false)?.words());
        }
        Some(out)
    }

    /// The left side of a line that reads: its net, and that its indices of nets stand in a name or in the value.
    fn known_left(&mut self, place: &'a ast::Place, value: &ast::Expr, numbers: &[ast::Name], line: Span) {
        let mut plain = true;
        for (part, next) in place.parts.iter().zip(place.parts.iter().skip(1)) {
            let (PlacePart::Slots(slots, _), PlacePart::Field(_)) = (part, next) else { continue };
            for slot in slots {
                match slot {
                    Slot::Bound(b) if matches!(self.meaning(&b.name.name), Meaning::Nothing) => {
                        if !numbers.contains(&b.name.name) && !mentions(value, &b.name.name) {
                            let message = format!("the index `{}` is not bound here", b.name.name);
                            let d = Diagnostic::error(Code::H0206, b.name.span, message);
                            self.report.say(d.label(line, format!("no `{{{}}}` stands in a name here", b.name.name)));
                            plain = false;
                        }
                    }
                    Slot::Bound(_) => {}
                    Slot::Merged(..) | Slot::Index(_) => plain = false,
                }
            }
        }
        if plain {
            // What is wrong was said.
            drop(self.in_scope(|c| c.find_place(place)));
        } else if matches!(self.meaning(&place.root.name), Meaning::Nothing) {
            drop(self.in_scope(|c| c.word(&place.root.name, place.root.span)));
        }
    }

    /// Words that a left side binds in formulas: `64 + o`.
    fn computed_words(&self, place: &ast::Place) -> Vec<ast::Name> {
        let mut out = vec![];
        let Some(PlacePart::Slots(slots, _)) = place.parts.last() else { return out };
        for slot in slots {
            if let Slot::Index(ast::Index::At(e)) = slot {
                crate::check::relation::walk_names(e, &mut |w| {
                    if matches!(self.meaning(w), Meaning::Nothing) {
                        out.push(w.clone());
                    }
                });
            }
        }
        out
    }

    /// Says which words of a line mean nothing.
    fn known_value(&mut self, numbers: &[ast::Name], walk: impl FnOnce(&mut Words)) {
        let found = words(|w| {
            numbers.iter().for_each(|n| w.declare(&ast::Ident { name: n.clone(), span: Span::default() }, walk::What::Number));
            walk(w);
        });
        for (word, span) in found.free {
            let known = crate::check::builtin::find(&word).is_some() || matches!(&*word, "true" | "false" | "training");
            if known || !matches!(self.meaning(&word), Meaning::Nothing) {
                continue;
            }
            let known = self.visible_words();
            let d = Diagnostic::error(Code::H0201, span, format!("nothing here is called `{word}`"));
            let d = match suggest(&word, known.iter().map(|n| &**n)) {
                Some(near) => d.meant(&word, span, near),
                None => {
                    d.help("a line of weights knows tensors in quotes, the numbers in their names, indices, and the file's items")
                }
            };
            self.report.say(d);
        }
    }
}

/// Whether an expression has a word: an index of nets on the left is one of a stacked tensor.
fn mentions(value: &ast::Expr, word: &ast::Name) -> bool {
    let mut found = false;
    crate::check::relation::walk_names(value, &mut |w| found |= w == word);
    found
}

/// Tensors of files that an expression names, and where.
fn stored_in(e: &ast::Expr) -> Vec<(String, Span)> {
    struct Found(Vec<(String, Span)>);
    impl Visit for Found {
        fn declare(&mut self, _: &ast::Ident, _: walk::What) {}
        fn mention(&mut self, _: &ast::Name, _: Span) {}
        fn stored(&mut self, pattern: &str, span: Span) {
            self.0.push((pattern.to_string(), span));
        }
    }
    let mut out = Found(vec![]);
    walk::expr(e, &mut out);
    out.0
}
