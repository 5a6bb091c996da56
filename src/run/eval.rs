//! `eval` blocks: what a model measures on data files.
//!
//! In: an [`Eval`], parameters, the folder that its paths are relative to. Out: a [`Report`]: a row for each group and one for all.
//! Promised: values are means over the rows of the data, whatever the batches; groups stand in ascending order.

use super::archive::Archive;
use super::init;
use super::inputs::{Given, assemble};
use crate::check::model::{Eval, Input, Model};
use crate::diag::{Diagnostic, suggest};
use crate::exec::session::{Options, Session, bindings, evaluate, rebind};
use crate::ir::{Bindings, Data, Tensor};
use crate::ir::{DType, Sym};
use crate::source::Span;
use std::collections::BTreeMap;
use std::path::Path;

/// One line of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `None`: all rows of the data.
    pub group: Option<i32>,
    pub rows: usize,
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
    let setting = &Setting { model, ..*setting };
    let files = open(setting, eval)?;
    let table = Table::new(setting.model, eval, &files)?;
    let graph = &setting.model.graph;
    let wanted = |name: &String| {
        let found = graph.outputs.iter().position(|o| *o.name == **name);
        found.ok_or_else(|| Diagnostic::error("H0614", eval.span, format!("the model has no output `{name}` to report")))
    };
    let outputs: Vec<usize> = eval.report.iter().map(wanted).collect::<Result<_, _>>()?;
    let mut session = Session::new(setting.model, &outputs, &setting.options)?;
    let batches = table.batches();
    let mut sums: BTreeMap<Option<i32>, (usize, Vec<f64>)> = BTreeMap::new();
    let mut bound = bindings(setting.params.clone(), Given::default(), setting.seed);
    for (done, batch) in batches.iter().enumerate() {
        progress(done, batches.len());
        let given = table.given(setting, eval, batch, &mut bound)?;
        rebind(&mut bound, given);
        let out = session.run(&bound)?;
        let weight = batch.parts.iter().map(|(_, rows)| rows.len()).product::<usize>();
        for group in [batch.group, None].into_iter().take(if batch.group.is_some() { 2 } else { 1 }) {
            let (rows, values) = sums.entry(group).or_insert_with(|| (0, vec![0.0; outputs.len()]));
            *rows += weight;
            values.iter_mut().zip(&out).for_each(|(v, t)| *v += weight as f64 * if t.is_empty() { f64::NAN } else { t.get(0) });
        }
    }
    let row = |(group, (rows, values)): (Option<i32>, (usize, Vec<f64>))| {
        let values = values.into_iter().map(|v| v / rows as f64).collect();
        Row { group, rows, values }
    };
    let mut rows: Vec<Row> = sums.into_iter().map(row).collect();
    // `None`, the row for all, sorts first.
    let all = usize::from(!rows.is_empty());
    rows.rotate_left(all);
    Ok(Report {
        model: setting.model.name.clone(),
        phase: eval.phase.clone(),
        group: table.group.as_ref().map(|(name, _)| name.clone()),
        columns: eval.report.clone(),
        rows,
        backend: session.backend(),
    })
}

fn open(setting: &Setting, eval: &Eval) -> Result<Vec<Archive>, Diagnostic> {
    let one = |data: &crate::check::model::EvalData| {
        let place = |d: Diagnostic| Diagnostic { primary: Diagnostic::error("", data.span, "").primary, ..d }.here("named here");
        Archive::open(&setting.folder.join(&data.file)).map_err(place)
    };
    eval.data.iter().map(one).collect()
}

/// A column of a data file that an input takes.
struct Column<'a> {
    input: &'a Input,
    file: &'a Archive,
    name: &'a str,
    span: Span,
}

/// The columns, and how their rows fall into batches.
struct Table<'a> {
    columns: Vec<Column<'a>>,
    /// dim, its length in the files, rows of a batch
    dims: Vec<(Sym, usize, usize)>,
    /// Sizes of dims that no column has.
    extents: Vec<(Sym, i64)>,
    /// Name of the group's column, and for each group the rows of the first dim.
    group: Option<(String, BTreeMap<i32, Vec<usize>>)>,
}

/// Rows that are run together.
struct Batch {
    group: Option<i32>,
    /// dim, row numbers
    parts: Vec<(Sym, Vec<usize>)>,
}

impl<'a> Table<'a> {
    fn new(model: &'a Model, eval: &'a Eval, files: &'a [Archive]) -> Result<Table<'a>, Diagnostic> {
        let mut table = Table { columns: Vec::new(), dims: Vec::new(), extents: Vec::new(), group: None };
        for (data, file) in eval.data.iter().zip(files) {
            for (name, column) in &data.columns {
                if file.get(column).is_none() {
                    return Err(no_column(column, file, data.span));
                }
                if let Some(input) = model.inputs.iter().find(|i| i.name == *name) {
                    table.columns.push(Column { input, file, name: column, span: data.span });
                }
            }
        }
        let mut batch: Vec<_> = eval.batch.iter().collect();
        batch.sort_by_key(|(_, _, by)| by.is_none());
        for (dim, size, by) in batch {
            match (table.length(dim)?, size) {
                (Some(n), size) => table.dims.push((dim.clone(), n, size.unwrap_or(n).max(1))),
                (None, Some(size)) => table.extents.push((dim.clone(), *size as i64)),
                (None, None) => {
                    return Err(Diagnostic::error(
                        "H0603",
                        eval.span,
                        format!("`batch {dim} = all`: no column of the data has `{dim}`"),
                    ));
                }
            }
            if let (Some(by), None) = (by, &table.group) {
                table.group = Some((by.clone(), groups(eval, files, by, &table.dims)?));
            }
        }
        Ok(table)
    }

    /// How many rows the columns with this dim have.
    fn length(&self, dim: &Sym) -> Result<Option<usize>, Diagnostic> {
        let mut found: Option<(usize, &Column)> = None;
        for c in &self.columns {
            let stored = c.file.get(c.name).expect("looked up before");
            let Some(axis) = c.input.shape.iter().position(|(n, _)| n.as_ref() == Some(dim)) else { continue };
            let Some(&n) = stored.shape.get(axis) else { continue };
            match found {
                Some((m, first)) if m != n => {
                    return Err(Diagnostic::error("H0614", c.span, format!("two columns disagree about `{dim}`"))
                        .note(format!("`{}` in `{}` has {m} along it", first.name, first.file.name()))
                        .note(format!("`{}` in `{}` has {n}", c.name, c.file.name())));
                }
                _ => found = Some((n, c)),
            }
        }
        Ok(found.map(|(n, _)| n))
    }

    fn batches(&self) -> Vec<Batch> {
        let mut out = vec![];
        let all = |n: usize| (0..n).collect::<Vec<_>>();
        match (&self.group, self.dims.first()) {
            (Some((_, groups)), Some((dim, _, size))) => {
                for (value, rows) in groups {
                    out.extend(rows.chunks(*size).map(|r| Batch { group: Some(*value), parts: vec![(dim.clone(), r.to_vec())] }));
                }
            }
            (_, Some((dim, n, size))) => {
                out.extend(all(*n).chunks(*size).map(|r| Batch { group: None, parts: vec![(dim.clone(), r.to_vec())] }));
            }
            (_, None) => out.push(Batch { group: None, parts: vec![] }),
        }
        for (dim, n, size) in self.dims.iter().skip(1) {
            let parts = all(*n);
            let with = |b: &Batch| {
                let extended = |rows: &[usize]| [b.parts.clone(), vec![(dim.clone(), rows.to_vec())]].concat();
                parts.chunks(*size).map(|rows| Batch { group: b.group, parts: extended(rows) }).collect::<Vec<_>>()
            };
            out = out.iter().flat_map(with).collect();
        }
        out
    }

    /// The values of one batch: columns, feeds, defaults.
    fn given(&self, setting: &Setting, eval: &Eval, batch: &Batch, bound: &mut Bindings) -> Result<Given, Diagnostic> {
        let mut values = Vec::new();
        for c in &self.columns {
            let who = format!("`{}` in `{}`", c.name, c.file.name());
            let place = |d: Diagnostic| {
                if d.primary.is_some() { d } else { Diagnostic { primary: Diagnostic::error("", c.span, "").primary, ..d } }
            };
            values.push((c.input, self.value(c, batch).map_err(place)?, who));
        }
        let first = assemble(setting.model, values.clone(), &self.extents, setting.seed)?;
        if eval.feeds.is_empty() {
            return Ok(first);
        }
        let nodes: Vec<_> = eval.feeds.iter().map(|(_, n)| *n).collect();
        rebind(bound, first);
        for ((name, _), tensor) in eval.feeds.iter().zip(evaluate(setting.model, bound, &nodes)?) {
            if let Some(input) = setting.model.inputs.iter().find(|i| i.name == *name) {
                values.push((input, init::cast(&tensor, input.dtype), format!("`feed {name}`")));
            }
        }
        assemble(setting.model, values, &self.extents, setting.seed)
    }

    /// What a column gives to one batch: the group's value to the condition that is grouped by, else its rows.
    fn value(&self, c: &Column, batch: &Batch) -> Result<Tensor, Diagnostic> {
        let stored = c.file.get(c.name).expect("looked up before");
        if let (Some((by, _)), Some(value)) = (&self.group, batch.group)
            && (c.input.name == *by || c.name == by)
            && c.input.shape.is_empty()
        {
            return Ok(init::cast(&init::scalar(value), c.input.dtype));
        }
        if stored.shape.len() == c.input.shape.len() + 1 {
            let message = format!("`{}` differs from row to row, and batches are not grouped by it", c.input.name);
            return Err(Diagnostic::limit("H0802", c.span, message)
                .help(format!("group the batches: `batch b = all by {}`, or make it an input", c.input.name)));
        }
        let along = |dim: &Sym| c.input.shape.iter().position(|(n, _)| n.as_ref() == Some(dim));
        let mut parts: Vec<(usize, &Vec<usize>)> = batch.parts.iter().filter_map(|(d, rows)| Some((along(d)?, rows))).collect();
        if parts.iter().any(|(axis, _)| *axis >= stored.shape.len()) {
            parts.clear();
        }
        parts.sort();
        let mut tensor = match parts.first() {
            Some((0, rows)) => stored.rows(c.input.dtype, rows)?,
            _ => stored.load(c.input.dtype)?,
        };
        for (axis, rows) in parts.iter().filter(|(axis, _)| *axis > 0) {
            tensor = select(&tensor, *axis, rows);
        }
        Ok(tensor)
    }
}

/// The given rows of one axis.
fn select(t: &Tensor, axis: usize, rows: &[usize]) -> Tensor {
    let inner: usize = t.shape[axis + 1..].iter().product();
    let outer: usize = t.shape[..axis].iter().product();
    let mut shape = t.shape.clone();
    shape[axis] = rows.len();
    let mut data = t.data.slice(0..0);
    for o in 0..outer {
        for r in rows {
            let at = (o * t.shape[axis] + r) * inner;
            data.append(t.data.slice(at..at + inner));
        }
    }
    Tensor::new(shape, data)
}

/// The rows of the last dim for each value of the column that it is grouped by.
fn groups(
    eval: &Eval,
    files: &[Archive],
    by: &str,
    dims: &[(Sym, usize, usize)],
) -> Result<BTreeMap<i32, Vec<usize>>, Diagnostic> {
    let columns = eval.data.iter().zip(files).flat_map(|(d, f)| d.columns.iter().map(move |(name, column)| (name, column, f)));
    let stored = columns.into_iter().find_map(|(name, column, f)| (name == by).then(|| f.get(column)).flatten());
    let stored = stored.or_else(|| files.iter().find_map(|f| f.get(by)));
    let Some(stored) = stored else {
        return Err(match files.first() {
            Some(file) => no_column(by, file, eval.span),
            None => Diagnostic::error("H0614", eval.span, format!("there is no data to group by `{by}`")),
        });
    };
    let column =
        stored.load(DType::I32).map_err(|d| Diagnostic { primary: Diagnostic::error("", eval.span, "").primary, ..d })?;
    let wanted = dims.last().map_or(0, |(_, n, _)| *n);
    let Data::I32(values) = &column.data else { unreachable!("loaded as i32") };
    if column.shape != [wanted] {
        return Err(Diagnostic::error("H0614", eval.span, format!("the column `{by}` does not have one value for each row"))
            .note(format!("it is {} and there are {wanted} rows", stored.describe())));
    }
    let mut out: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for (row, value) in values.iter().enumerate() {
        out.entry(*value).or_default().push(row);
    }
    Ok(out)
}

fn no_column(column: &str, file: &Archive, span: Span) -> Diagnostic {
    let d = Diagnostic::error("H0614", span, format!("`{}` has no column `{column}`", file.name()));
    match suggest(column, file.names()) {
        Some(near) => d.help(format!("it has `{near}`")),
        None => d.note(format!("it has {}", file.names().collect::<Vec<_>>().join(", "))),
    }
}
