//! `eval` blocks: what a model measures on data files.
//!
//! In: an [`Eval`], parameters, the folder that its paths are relative to. Out: a [`Report`]: a row for each group and one for all.
//! Promised: a value is what one run over all rows would give, whatever the batches: sums add, means weigh what they counted, extremes
//! are extremes, and what is computed from these is computed from the whole ([`cut`]). What needs all rows at once is an error
//! where a batch has fewer (H0720). Groups stand in ascending order.

mod cut;
mod join;
mod rows;

use super::table::{self, Batch, Table};
use crate::bind::inputs::Given;
use crate::check::model::{Eval, Model};
use crate::diag::{Code, Diagnostic};
use crate::exec::session::{Options, Session, bindings, rebind};
use crate::ir::sizes::Sizes;
use crate::ir::{Bindings, NodeId, Op, Output, OutputKind, Sym, Tensor, interp};
use crate::source::Span;
use cut::{Cut, cut};
use join::Joined;
use rows::Mixed;
use std::collections::BTreeMap;
use std::path::Path;

/// One line of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `None`: all rows of the data.
    pub group: Option<i32>,
    pub rows: usize,
    /// NaN also where there is no single value for all groups; [`Report::notes`] say so.
    pub values: Vec<f64>,
}

/// What an `eval` block found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub model: String,
    pub phase: Option<String>,
    /// The column that rows are grouped by.
    pub group: Option<String>,
    pub columns: Vec<String>,
    /// Groups in ascending order, then all.
    pub rows: Vec<Row>,
    pub backend: &'static str,
    pub notes: Vec<String>,
    pub warnings: Vec<Diagnostic>,
}

/// Where a run stands: batches done, batches in all.
pub type Progress<'a> = dyn FnMut(usize, usize) + 'a;

/// What an evaluation needs besides the block.
pub struct Setting<'a> {
    pub model: &'a Model,
    pub params: &'a BTreeMap<String, Tensor>,
    /// Data paths are relative to it.
    pub folder: &'a Path,
    pub options: Options,
    pub seed: i32,
}

/// Runs one block.
pub fn run(setting: &Setting, eval: &Eval, progress: &mut Progress) -> Result<Report, Diagnostic> {
    let model = eval.lifted.as_deref().unwrap_or(setting.model);
    let setting = &Setting { model, options: setting.options.clone(), ..*setting };
    let files = table::open(setting.folder, &eval.rows)?;
    let table = Table::new(setting.model, &eval.rows, &files)?;
    let wanted = |name: &String| {
        let found = model.graph.output(name).map(|o| o.node);
        found.ok_or_else(|| Diagnostic::error(Code::H0614, eval.rows.span, format!("the model has no output `{name}` to report")))
    };
    let wanted: Vec<NodeId> = eval.report.iter().map(wanted).collect::<Result<_, _>>()?;
    let levels = levels(model, eval, &table, &wanted)?;
    let session = Session::new(&asks(model, levels.last(), &wanted), &each(levels.last(), &wanted), &setting.options)?;
    let bound = bindings(setting.params.clone(), Given::default(), setting.seed);
    let all = table.groups().iter().map(|(_, rows)| batches(&table, &levels, rows)).sum();
    let mut work = Work { setting, eval, table, levels, session, bound, progress, done: 0, all };
    let (rows, notes) = work.rows()?;
    Ok(Report {
        model: model.name.clone(),
        phase: eval.phase.clone(),
        group: work.table.group.as_ref().map(|(name, _)| name.clone()),
        columns: eval.report.clone(),
        rows,
        backend: work.session.backend(),
        notes,
        warnings: work.session.warnings,
    })
}

/// A dim that is cut into batches, and what is computed for each.
struct Level {
    /// Its number in [`Table::dims`].
    dim: usize,
    cut: Cut,
}

/// A level for each dim that more than one batch has, the outermost first. What a level wants of each of its batches is put together
/// by the next from batches of its own.
fn levels(model: &Model, eval: &Eval, table: &Table, wanted: &[NodeId]) -> Result<Vec<Level>, Diagnostic> {
    chain(model, table, wanted).map_err(|(k, mixed)| {
        let alone = |node: &NodeId| chain(model, table, &[*node]).is_err();
        let column = wanted.iter().position(alone).unwrap_or(0);
        let (dim, _, size) = &table.dims[k];
        refused(eval, &eval.report[column], dim, *size, &mixed)
    })
}

/// The levels; the error has the number of the dim.
fn chain(model: &Model, table: &Table, wanted: &[NodeId]) -> Result<Vec<Level>, (usize, Mixed)> {
    let mut out: Vec<Level> = Vec::new();
    let groups = table.groups();
    for (k, (dim, n, size)) in table.dims.iter().enumerate() {
        let grouped = k == 0 && table.group.is_some();
        let longest = if k == 0 { groups.iter().map(|(_, rows)| rows.len()).max().unwrap_or(0) } else { *n };
        let several = longest > *size;
        if !several && !grouped {
            continue;
        }
        let roots: Vec<NodeId> = out.last().map_or_else(|| wanted.to_vec(), |l| l.cut.parts.iter().map(|p| p.node).collect());
        // Where each group is one batch, what needs all of its rows has them.
        let made = cut(&model.graph, dim, &roots, !several).map_err(|mixed| (k, mixed))?;
        out.push(Level { dim: k, cut: made });
    }
    Ok(out)
}

fn refused(eval: &Eval, column: &str, dim: &Sym, size: usize, mixed: &Mixed) -> Diagnostic {
    let message = format!("`{column}` cannot be measured in batches of {size} along `{dim}`");
    let d = match mixed.span == Span::default() {
        true => Diagnostic::error(Code::H0720, eval.rows.span, message).here(mixed.what),
        false => Diagnostic::error(Code::H0720, mixed.span, message)
            .here(mixed.what)
            .label(eval.rows.span, "this block has the batches"),
    };
    d.note(
        "sums, means, extremes and counts over the rows are put together from batches, and so is all that is computed from them",
    )
    .help(format!("take all rows at once: `batch {dim} = all`"))
}

/// The model with what a batch is asked for as its outputs.
fn asks(model: &Model, level: Option<&Level>, wanted: &[NodeId]) -> Model {
    let mut out = model.clone();
    let asked: Vec<NodeId> = level.map_or_else(|| wanted.to_vec(), |l| l.cut.parts.iter().map(|p| p.node).collect());
    let output = |node: NodeId| Output { name: format!("#{}", node.index()).into(), kind: OutputKind::Output, node };
    out.graph.outputs = asked.into_iter().map(output).collect();
    out
}

fn each(level: Option<&Level>, wanted: &[NodeId]) -> Vec<usize> {
    (0..level.map_or(wanted.len(), |l| l.cut.parts.len())).collect()
}

/// How many batches a group has.
fn batches(table: &Table, levels: &[Level], rows: &[usize]) -> usize {
    let of = |l: &Level| match l.dim {
        0 => table.chunks(0, rows).len(),
        k => table.dims[k].1.div_ceil(table.dims[k].2).max(1),
    };
    levels.iter().map(of).product()
}

/// A block that is running.
struct Work<'a, 'p, 'q> {
    setting: &'a Setting<'a>,
    eval: &'a Eval,
    table: Table,
    levels: Vec<Level>,
    session: Session,
    bound: Bindings,
    progress: &'p mut Progress<'q>,
    done: usize,
    all: usize,
}

/// What a group comes to.
struct Sum {
    rows: usize,
    parts: Vec<Joined>,
    /// Those that all batches share.
    sizes: Option<Sizes>,
}

impl Sum {
    fn of(level: &Level) -> Sum {
        Sum { rows: 0, parts: level.cut.parts.iter().map(|p| Joined::new(p.join)).collect(), sizes: None }
    }

    fn take(&mut self, values: &[Tensor], sizes: &Sizes) {
        self.parts.iter_mut().zip(values).for_each(|(joined, t)| joined.take(t));
        match &mut self.sizes {
            None => self.sizes = Some(sizes.clone()),
            Some(known) => known.retain(|name, n| sizes.get(name) == Some(n)),
        }
    }
}

impl Work<'_, '_, '_> {
    /// All rows of the report, and remarks.
    fn rows(&mut self) -> Result<(Vec<Row>, Vec<String>), Diagnostic> {
        let others: usize = self.table.dims.iter().skip(1).map(|(_, n, _)| n).product();
        let groups = self.table.groups();
        let Some(first) = self.levels.first().map(|l| l.dim) else {
            let values = self.run(&Batch { group: None, parts: self.parts(&BTreeMap::new()) })?;
            let rows = if self.table.dims.is_empty() { self.table.rows() } else { self.table.dims[0].1 * others };
            return Ok((vec![Row { group: None, rows, values: values.iter().map(|t| t.get(0)).collect() }], vec![]));
        };
        let mut total = Sum::of(&self.levels[0]);
        let mut out = Vec::new();
        let mut notes = Vec::new();
        for (group, rows) in groups {
            let along: Vec<usize> = if first == 0 { rows.clone() } else { (0..self.table.dims[first].1).collect() };
            let mut sum = Sum::of(&self.levels[0]);
            for chunk in self.table.chunks(first, &along) {
                let mut chosen = BTreeMap::from([(0, rows.clone())]);
                chosen.insert(first, chunk);
                let values = self.values(0, group, &chosen)?;
                let sizes = self.bound.sizes.clone();
                sum.take(&values, &sizes);
                total.take(&values, &sizes);
            }
            sum.rows = rows.len() * others;
            total.rows += sum.rows;
            if group.is_some() {
                out.push(self.row(group, &sum, along.len(), &mut notes)?);
            }
        }
        if !(self.table.group.is_some() && out.is_empty()) {
            let along = if first == 0 && others > 0 { total.rows / others } else { self.table.dims[first].1 };
            out.push(self.row(None, &total, along, &mut notes)?);
        }
        Ok((out, notes))
    }

    /// A row of the report from what its batches came to; `along` is how many rows the outermost dim has.
    fn row(&self, group: Option<i32>, sum: &Sum, along: usize, notes: &mut Vec<String>) -> Result<Row, Diagnostic> {
        let level = &self.levels[0];
        let sizes = self.whole(sum.sizes.clone().unwrap_or_default(), 0, along);
        let values = finish(&level.cut, &sum.parts, &sizes, &level.cut.roots)?;
        for (column, _) in self.eval.report.iter().zip(&values).filter(|(_, v)| v.is_none()) {
            notes.push(match group {
                Some(g) => format!("`{column}` has no value for group {g}: a sum of whole numbers leaves 32 bits"),
                None => format!("`{column}` has no value for all rows together: it has one for each group, or a sum of whole numbers leaves 32 bits"),
            });
        }
        let values = values.into_iter().map(|v| v.map_or(f64::NAN, |t| t.get(0))).collect();
        Ok(Row { group, rows: sum.rows, values })
    }

    /// What each part of level `i` is for the rows that are chosen along its dim and those outside of it.
    fn values(&mut self, i: usize, group: Option<i32>, chosen: &BTreeMap<usize, Vec<usize>>) -> Result<Vec<Tensor>, Diagnostic> {
        let Some(inner) = self.levels.get(i + 1) else {
            let parts = self.parts(chosen);
            return self.run(&Batch { group, parts });
        };
        let (dim, mut sum) = (inner.dim, Sum::of(inner));
        let all: Vec<usize> = (0..self.table.dims[dim].1).collect();
        for chunk in self.table.chunks(dim, &all) {
            let mut chosen = chosen.clone();
            chosen.insert(dim, chunk);
            let values = self.values(i + 1, group, &chosen)?;
            sum.take(&values, &self.bound.sizes);
        }
        let sizes = self.whole(sum.sizes.unwrap_or_default(), i + 1, all.len());
        let cut = &self.levels[i + 1].cut;
        let values = finish(cut, &sum.parts, &sizes, &cut.roots)?;
        let lost = || Diagnostic::error(Code::H0606, self.eval.rows.span, "a sum of whole numbers leaves 32 bits");
        values.into_iter().map(|v| v.ok_or_else(lost)).collect()
    }

    /// Sizes with all rows of the dims from level `i` on; the first of these has `along`.
    fn whole(&self, mut sizes: Sizes, i: usize, along: usize) -> Sizes {
        for (n, level) in self.levels.iter().enumerate().skip(i) {
            let (dim, all, _) = &self.table.dims[level.dim];
            sizes.insert(dim.clone(), if n == i { along } else { *all } as i64);
        }
        sizes
    }

    /// Rows of every dim: those chosen, else all.
    fn parts(&self, chosen: &BTreeMap<usize, Vec<usize>>) -> Vec<(Sym, Vec<usize>)> {
        let part = |(k, (dim, n, _)): (usize, &(Sym, usize, usize))| {
            (dim.clone(), chosen.get(&k).cloned().unwrap_or_else(|| (0..*n).collect()))
        };
        self.table.dims.iter().enumerate().map(part).collect()
    }

    /// One batch.
    fn run(&mut self, batch: &Batch) -> Result<Vec<Tensor>, Diagnostic> {
        (self.progress)(self.done, self.all);
        let given = self.table.given(self.setting, &self.eval.rows, batch, &mut self.bound)?;
        rebind(&mut self.bound, given);
        self.done += 1;
        let run = self.session.run(&self.bound);
        run.map_err(|d| table::unbound(&self.eval.rows, self.table.blamed(self.setting.model, batch, &self.bound.sizes, d)))
    }
}

/// Nodes of what is left of a graph when its parts are known; none where one that they need has no single value.
fn finish(cut: &Cut, parts: &[Joined], sizes: &Sizes, nodes: &[NodeId]) -> Result<Vec<Option<Tensor>>, Diagnostic> {
    let tensors = cut.parts.iter().zip(parts).filter_map(|(p, joined)| Some((p.path.clone(), joined.tensor()?)));
    let bound = Bindings { sources: tensors.collect(), sizes: sizes.clone() };
    let known = |node: &NodeId| {
        let reach = cut.rest.reachable([*node]);
        let decided = |s: &Sym| sizes.contains_key(s) || cut.rest.measured.iter().any(|(m, _)| m == s);
        cut.rest.ids().filter(|id| reach[id.index()]).all(|id| {
            let lost = matches!(&cut.rest.node(id).op, Op::Source { path, .. } if !bound.sources.contains_key(&**path));
            !lost && cut.rest.symbols_of(id).iter().all(decided)
        })
    };
    let there: Vec<NodeId> = nodes.iter().copied().filter(known).collect();
    let mut values = interp::evaluate(&cut.rest, &bound, &there)?.into_iter();
    Ok(nodes.iter().map(|n| if there.contains(n) { values.next() } else { None }).collect())
}
