//! Blocks that write: each line is an output of the model, with an axis for each number in the name.

use super::pattern::Pattern;
use super::{Checker, Reading};
use crate::check::binders::BoundNames;
use crate::check::model::Model;
use crate::check::model::weights::Written;
use crate::check::relation::slot_span;
use crate::check::report::Report;
use crate::check::scope::Binding;
use crate::check::value::{NameId, Tens, Value};
use crate::check::{Options, Res};
use crate::diag::{Code, Diagnostic, Sink};
use crate::ir::{DType, Output, OutputKind};
use crate::program::Program;
use crate::syntax::ast::{self, Bound, Expr, ItemKind, Layout, ModelDef, Slot, Stored, WeightLineKind, Weights};

/// A model with an output for each line of its `weights to` blocks, and these lines.
pub fn written(program: &Program, options: &Options, model: &str, sink: &mut Sink) -> Option<(Model, Vec<Written>)> {
    let def = program.files[0].ast.items.iter().find_map(|i| match &i.kind {
        ItemKind::Model(m) if &*m.name.name == model => Some(m),
        _ => None,
    })?;
    let mut checker = Checker::new(program, options, Report::new(std::mem::take(sink)));
    let made = checker.with_lines_written(def);
    *sink = checker.report.into_sink();
    made
}

/// A line that writes.
struct Line<'a> {
    value: &'a Expr,
    name: &'a Stored,
    layout: Layout,
}

impl<'a> Checker<'a> {
    /// Says what is wrong with the blocks of a model that write.
    pub(super) fn lines_that_write(&mut self, def: &'a ModelDef) {
        let mut checker = Checker::new(self.program, self.options, Report::default());
        checker.with_lines_written(def);
        self.report.adopt(checker.report);
    }

    fn with_lines_written(&mut self, def: &'a ModelDef) -> Option<(Model, Vec<Written>)> {
        let mut lines = vec![];
        let model = self.model(def, None, |c| {
            let blocks = c.own_blocks(def);
            let writes = blocks.into_iter().filter_map(|b| match b {
                Weights::To { lines, .. } => Some(lines),
                Weights::From { .. } | Weights::Model { .. } => None,
            });
            for (block, all) in writes.enumerate() {
                let prefix: String = all
                    .iter()
                    .filter_map(|l| if let WeightLineKind::Prefix(p, _) = &l.kind { Some(p.as_str()) } else { None })
                    .collect();
                c.reading = Reading { prefix, ..Reading::default() };
                for line in all {
                    if let WeightLineKind::Write { value, name, layout, .. } = &line.kind {
                        // What is wrong was said.
                        let _ = c.write_line(&Line { value, name, layout: *layout }, block, &mut lines);
                    }
                }
            }
            c.prove(0);
        })?;
        Some((model, lines))
    }

    fn write_line(&mut self, line: &Line<'a>, block: usize, out: &mut Vec<Written>) -> Res<()> {
        let text = format!("{}{}", self.reading.prefix, line.name.pattern);
        let pattern = match Pattern::read(&text) {
            Ok(p) if p.has_star() || p.is_open() => {
                let d =
                    Diagnostic::error(Code::H0623, line.name.span, "what is written has one name, and this stands for several");
                return self.fail(d.help("a number in a name is `{l}`; stars and `[..]` are for reading"));
            }
            Ok(p) => p,
            Err(why) => return self.error(Code::H0623, line.name.span, format!("this is no pattern of a name: {why}")),
        };
        let (t, numbers) = self.in_scope(|c| c.written_value(line, &pattern))?;
        let name = format!("{block}:{text}").into();
        self.build.graph_mut(0).outputs.push(Output { name, kind: OutputKind::Output, node: t.node });
        out.push(Written { block, pattern: text, numbers, span: line.name.span });
        Ok(())
    }

    /// The value of a line: an axis for each number of the name, then those of the tensor.
    fn written_value(&mut self, line: &Line<'a>, pattern: &Pattern) -> Res<(Tens, usize)> {
        let mut bound = BoundNames::default();
        let words = pattern.words();
        for word in &words {
            let n = self.axes.open_name(word);
            self.scopes.name(word, Binding::Index(n));
            bound.groups.push(vec![n]);
            bound.fresh.push((n, line.name.span));
        }
        for slot in line.name.slots.iter().flat_map(|(slots, _)| slots) {
            let parts: &[Bound] = match slot {
                Slot::Bound(b) => std::slice::from_ref(b),
                Slot::Merged(parts, _) => parts,
                Slot::Index(_) => {
                    let d =
                        Diagnostic::error(Code::H0407, slot_span(slot), "the whole tensor is written: here stand its indices");
                    return self.fail(d.help("`\"name\"[o, i] <- place[i, o]`"));
                }
            };
            let mut group: Vec<NameId> = vec![];
            for b in parts {
                group.push(self.open_bound(b, true, &mut bound)?);
            }
            bound.groups.push(group);
        }
        let v = self.bound_inner(&bound, line.value)?;
        self.ranges_known(&bound)?;
        let t = match v {
            Value::Num(n) => self.num_f32(&n),
            v => self.as_tens(v, line.value.span)?,
        };
        let names = bound.names();
        if let Some(n) = t.names().find(|n| !names.contains(n)) {
            let word = self.axes.name_text(n).to_string();
            let d = Diagnostic::error(
                Code::H0346,
                line.value.span,
                format!("this varies over `{word}`, and a tensor of a file does not"),
            );
            return self.fail(d.help(format!("say which of them is written, `[{word}: 0]`, or reduce it")));
        }
        if line.name.slots.is_some() && !t.sized().is_empty() {
            let message = format!("the indices name all axes, and this still has sizes: it is {}", self.show(&t));
            return self.error(Code::H0401, line.value.span, message);
        }
        let t = self.bind_groups(t, &bound);
        let t = self.turned_to_write(t, line, words.len())?;
        if t.level > 0 {
            return self.report.bug(line.value.span, "a line of weights is inside of a loop");
        }
        Ok((if t.dtype == DType::F32 { self.to_f32(&t) } else { t }, words.len()))
    }

    fn turned_to_write(&mut self, t: Tens, line: &Line<'a>, numbers: usize) -> Res<Tens> {
        let rank = t.labels.len();
        match line.layout {
            Layout::Unsaid | Layout::Straight => Ok(t),
            Layout::Transposed if line.name.slots.is_some() => {
                let at: &ast::Expr = line.value;
                self.error(Code::H0629, at.span, "indices say which way round it is: `transposed` says nothing more")
            }
            Layout::Transposed if rank < numbers + 2 => {
                let message = format!("only what has two sizes can be transposed: this is {}", self.show(&t));
                self.error(Code::H0615, line.value.span, message)
            }
            Layout::Transposed => {
                let mut order: Vec<usize> = (0..rank).collect();
                order.swap(rank - 2, rank - 1);
                Ok(self.permute(&t, &order))
            }
        }
    }
}
