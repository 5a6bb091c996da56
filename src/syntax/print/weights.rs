//! `weights` blocks.

use super::Printer;
use super::expr::FREE;
use crate::syntax::ast::{Dropped, Layout, Stored, WeightLine, WeightLineKind, Weights};
use crate::syntax::parse::JOINING;

impl Printer {
    /// `weights from ..`, `weights to ..`
    pub(super) fn weights(&mut self, weights: &Weights) {
        match weights {
            Weights::From { file, lines, .. } => {
                self.put("weights from ");
                self.quoted(file);
                if let Some(lines) = lines {
                    self.put(" ");
                    self.weight_lines(lines);
                }
            }
            Weights::To { file, lines, .. } => {
                self.put("weights to ");
                self.quoted(file);
                self.put(" ");
                self.weight_lines(lines);
            }
            Weights::Model { model, sets } => {
                self.put("weights from ");
                self.put(&model.name);
                self.put(" ");
                // A place at the start of a line may be called `at`.
                self.braces(
                    sets,
                    |set| JOINING.contains(&&*set.place.root.name),
                    |p, set| {
                        p.place(&set.place);
                        p.put(" <- ");
                        p.expr(&set.value, FREE);
                    },
                );
            }
        }
    }

    fn weight_lines(&mut self, lines: &[WeightLine]) {
        let joins = |line: &WeightLine| match &line.kind {
            WeightLineKind::Read { place, back: true, .. } => JOINING.contains(&&*place.root.name),
            WeightLineKind::Read { value, .. } | WeightLineKind::Write { value, back: false, .. } => {
                super::stmt::first_name(value).is_some_and(|name| JOINING.contains(&name))
            }
            WeightLineKind::Write { .. } | WeightLineKind::Prefix(..) | WeightLineKind::Drop { .. } => false,
        };
        self.braces(lines, joins, |p, line| p.weight_line(&line.kind));
    }

    fn weight_line(&mut self, line: &WeightLineKind) {
        match line {
            WeightLineKind::Read { value, place, back, layout, optional } => {
                if *back {
                    self.place(place);
                    self.put(" <- ");
                    self.expr(value, FREE);
                } else {
                    self.expr(value, FREE);
                    self.put(" -> ");
                    self.place(place);
                }
                self.layout(*layout);
                self.put(if *optional { " optional" } else { "" });
            }
            WeightLineKind::Write { value, name, back, layout } => {
                if *back {
                    self.stored(name);
                    self.put(" <- ");
                    self.expr(value, FREE);
                } else {
                    self.expr(value, FREE);
                    self.put(" -> ");
                    self.stored(name);
                }
                self.layout(*layout);
            }
            WeightLineKind::Prefix(text, _) => {
                self.put("prefix ");
                self.quoted(text);
            }
            WeightLineKind::Drop { list, optional } => {
                self.put("drop ");
                self.commas(list, |p, one| match one {
                    Dropped::Stored(text, _) => p.quoted(text),
                    Dropped::Params(path) => p.path(path),
                });
                self.put(if *optional { " optional" } else { "" });
            }
        }
    }

    fn stored(&mut self, name: &Stored) {
        self.quoted(&name.pattern);
        if let Some((slots, _)) = &name.slots {
            self.slots(slots);
        }
    }

    fn layout(&mut self, layout: Layout) {
        self.put(match layout {
            Layout::Unsaid => "",
            Layout::Transposed => " transposed",
            Layout::Straight => " not transposed",
        });
    }
}
