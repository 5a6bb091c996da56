//! The data of a block: columns of files, and how their rows fall into batches.
//!
//! In: a block, open files. Out: [`Table`], which gives the inputs of any rows. Promised: what is fed (`feed noise = normal()`) is computed
//! for all rows of a group at once, so that a row's value does not depend on its batch.

mod column;
mod outside;
mod shared;

use self::column::Column;
use super::eval::Setting;
use crate::bind::init;
use crate::bind::inputs::{Given, assemble};
use crate::bind::params::{READ, unread};
use crate::check::model::{DataFile, Input, InputKind, Model, Rows};
use crate::diag::{Code, Diagnostic, Label, suggest};
use crate::exec::session::{evaluate, rebind};
use crate::files::archive::Archive;
use crate::ir::{Bindings, DType, Data, NodeId, Op, Sym, Tensor};
use crate::plan::measured::exec::COLUMN_BYTES;
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Opens the block's files.
pub fn open(folder: &Path, asked: &Rows) -> Result<Vec<Arc<Archive>>, Diagnostic> {
    let one = |data: &DataFile| {
        let place = |d: Diagnostic| Diagnostic { primary: Some(Label::at(data.span)), ..d }.here("named here");
        Archive::open(&folder.join(&data.file)).map(Arc::new).map_err(place)
    };
    asked.data.iter().map(one).collect()
}

/// The columns, and how their rows fall into batches.
pub struct Table {
    columns: Vec<Column>,
    /// dim, its length in the files, rows of a batch
    pub dims: Vec<(Sym, usize, usize)>,
    /// Sizes of dims that no column has.
    pub extents: Vec<(Sym, i64)>,
    /// Name of the group's column, and for each group the rows of the first dim.
    pub group: Option<(String, BTreeMap<i32, Vec<usize>>)>,
    /// What was fed to the group that was asked for last.
    fed: Option<(Option<i32>, Vec<Tensor>)>,
}

/// Rows that are run together.
pub struct Batch {
    pub group: Option<i32>,
    /// dim, row numbers
    pub parts: Vec<(Sym, Vec<usize>)>,
}

impl Table {
    pub fn new(model: &Model, asked: &Rows, files: &[Arc<Archive>]) -> Result<Table, Diagnostic> {
        let mut table = Table { columns: Vec::new(), dims: Vec::new(), extents: Vec::new(), group: None, fed: None };
        let mut room = COLUMN_BYTES;
        for (data, file) in asked.data.iter().zip(files) {
            for (name, column) in &data.columns {
                if file.get(column).is_none() {
                    return Err(no_column(column, file, data.span));
                }
                if let Some(input) = model.inputs.iter().find(|i| i.name == *name) {
                    table.columns.push(Column::new(input, file, column, data.span, &mut room));
                }
            }
        }
        let mut batch: Vec<_> = asked.batch.iter().collect();
        batch.sort_by_key(|(_, _, by)| by.is_none());
        for (dim, size, by) in batch {
            match (table.length(dim)?, size) {
                (Some(n), size) => table.dims.push((dim.clone(), n, size.unwrap_or(n).max(1))),
                (None, Some(size)) => table.extents.push((dim.clone(), *size as i64)),
                (None, None) => {
                    return Err(Diagnostic::error(
                        Code::H0603,
                        asked.span,
                        format!("`batch {dim} = all`: no column of the data has `{dim}`"),
                    ));
                }
            }
            if let (Some(by), None) = (by, &table.group) {
                table.group = Some((by.clone(), groups(asked, files, by, &table.dims)?));
            }
        }
        Ok(table)
    }

    /// How long the axes of a batch are, as far as files and batches decide.
    pub fn lengths(&self) -> Vec<(Sym, i64)> {
        let mut out = self.extents.clone();
        out.extend(self.dims.iter().map(|(dim, _, rows)| (dim.clone(), *rows as i64)));
        for c in &self.columns {
            let (axes, lengths) =
                if c.is_shared() { (&c.input.shape[1..], c.inner()) } else { (&c.input.shape[..], c.stored().shape) };
            for ((dim, _), n) in axes.iter().zip(lengths) {
                if let Some(dim) = dim.as_ref().filter(|dim| !out.iter().any(|(known, _)| known == *dim)) {
                    out.push((dim.clone(), *n as i64));
                }
            }
        }
        out
    }

    /// A warning where a batch of a step takes more rows than there are: it is full, so rows stand in it several times.
    pub fn repeats(&self, asked: &Rows) -> Option<Diagnostic> {
        let (dim, all, size) = self.dims.first().filter(|(_, all, size)| size > all && *all > 0)?;
        let at = asked.data.first().map_or(asked.span, |d| d.span);
        let d = Diagnostic::warning(Code::H0635, at, format!("a batch has {size} rows of `{dim}`, and the data have {all}"));
        let often = if size % all == 0 { String::new() } else { format!(" or {}", size / all + 1) };
        let times = if size / all == 1 && often.is_empty() { "time" } else { "times" };
        Some(
            d.note(format!("batches are always full: each row stands in one {}{often} {times}", size / all))
                .help(format!("`batch {dim} = all` takes each row once")),
        )
    }

    /// How many rows the columns with this dim have.
    fn length(&self, dim: &Sym) -> Result<Option<usize>, Diagnostic> {
        let mut found: Option<(usize, &Column)> = None;
        let mut shared = None;
        for c in &self.columns {
            let Some(axis) = along(&c.input, dim) else { continue };
            let length = match (c.is_shared(), axis) {
                (true, 0) => {
                    // One value is one row only where nothing else has rows.
                    shared = (c.stored().shape.len() > c.inner().len()).then_some(1).or(shared);
                    continue;
                }
                (true, _) => c.inner().get(axis - 1),
                (false, _) => c.stored().shape.get(axis),
            };
            let Some(&n) = length else { continue };
            match found {
                Some((m, first)) if m != n => {
                    return Err(Diagnostic::error(Code::H0614, c.span, format!("two columns disagree about `{dim}`"))
                        .note(format!("`{}` in `{}` has {m} along it", first.name, first.file.name()))
                        .note(format!("`{}` in `{}` has {n}", c.name, c.file.name())));
                }
                _ => found = Some((n, c)),
            }
        }
        Ok(found.map(|(n, _)| n).or(shared))
    }

    /// Groups in ascending order with their rows of the first dim; one of all rows where nothing groups.
    pub fn groups(&self) -> Vec<(Option<i32>, Vec<usize>)> {
        match (&self.group, self.dims.first()) {
            (Some((_, groups)), _) => groups.iter().map(|(value, rows)| (Some(*value), rows.clone())).collect(),
            (None, Some((_, n, _))) => vec![(None, (0..*n).collect())],
            (None, None) => vec![(None, vec![])],
        }
    }

    /// Rows of dim number `k` as they go into batches: one batch of none where there are none.
    pub fn chunks(&self, k: usize, rows: &[usize]) -> Vec<Vec<usize>> {
        if rows.is_empty() {
            return vec![vec![]];
        }
        rows.chunks(self.dims[k].2).map(<[usize]>::to_vec).collect()
    }

    /// How many rows the data have where the block says nothing about batches: those of the first column that has any.
    pub fn rows(&self) -> usize {
        let lengths = self.columns.iter().filter_map(|c| c.file.get(&c.name)?.shape.first().copied());
        lengths.into_iter().next().unwrap_or(1)
    }

    /// The values of one batch: columns, feeds, defaults.
    pub fn given(&mut self, setting: &Setting, asked: &Rows, batch: &Batch, bound: &mut Bindings) -> Result<Given, Diagnostic> {
        let fed = self.fed(setting, asked, batch.group, bound)?;
        let mut values = self.values(batch, &|_| true)?;
        for (name, tensor) in fed {
            let Some(input) = setting.model.inputs.iter().find(|i| i.name == *name) else { continue };
            let own = batch.parts.iter().filter_map(|(d, rows)| Some((along(input, d)?, self.places(batch.group, d, rows))));
            let part = own.fold(tensor, |t, (axis, rows)| if axis < t.shape.len() { select(&t, axis, &rows) } else { t });
            values.push((input, init::cast(&part, input.dtype), format!("`feed {name}`")));
        }
        assemble(setting.model, values, &self.extents, setting.seed)
    }

    /// What the columns of these inputs give to a batch.
    pub fn values(&self, batch: &Batch, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<(&Input, Tensor, String)>, Diagnostic> {
        let mut values = Vec::new();
        for c in self.columns.iter().filter(|c| wanted(&c.input.name)) {
            let who = format!("`{}` in `{}`", c.name, c.file.name());
            let place = |d: Diagnostic| {
                if d.primary.is_some() { d } else { Diagnostic { primary: Some(Label::at(c.span)), ..d } }
            };
            values.push((&c.input, self.value(c, batch).map_err(place)?, who));
        }
        Ok(values)
    }

    /// What is fed to all rows of a group.
    fn fed<'e>(
        &mut self,
        setting: &Setting,
        asked: &'e Rows,
        group: Option<i32>,
        bound: &mut Bindings,
    ) -> Result<Vec<(&'e String, Tensor)>, Diagnostic> {
        if asked.feeds.is_empty() {
            return Ok(vec![]);
        }
        if self.fed.as_ref().is_none_or(|(g, _)| *g != group) {
            let nodes: Vec<NodeId> = asked.feeds.iter().map(|(_, n)| *n).collect();
            let graph = &setting.model.graph;
            let reach = graph.reachable(nodes.iter().copied());
            let read: BTreeSet<&str> = graph
                .ids()
                .filter(|id| reach[id.index()])
                .filter_map(|id| if let Op::Source { path, .. } = &graph.node(id).op { Some(&**path) } else { None })
                .collect();
            let rows = self.groups().into_iter().find(|(g, _)| *g == group).map(|(_, rows)| rows).unwrap_or_default();
            let all = |(k, (dim, n, _)): (usize, &(Sym, usize, usize))| {
                (dim.clone(), if k == 0 { rows.clone() } else { (0..*n).collect() })
            };
            let batch = Batch { group, parts: self.dims.iter().enumerate().map(all).collect() };
            let mut extents = self.extents.clone();
            extents.extend(batch.parts.iter().map(|(dim, rows)| (dim.clone(), rows.len() as i64)));
            let values = self.values(&batch, &|name| read.contains(name))?;
            rebind(bound, assemble(setting.model, values, &extents, setting.seed)?);
            self.fed = Some((group, evaluate(setting.model, bound, &nodes)?));
        }
        let tensors = self.fed.iter().flat_map(|(_, t)| t.iter().cloned());
        Ok(asked.feeds.iter().map(|(name, _)| name).zip(tensors).collect())
    }

    /// Where rows stand in what was fed to their group, which has the rows of the group alone.
    fn places(&self, group: Option<i32>, dim: &Sym, rows: &[usize]) -> Vec<usize> {
        let first = self.dims.first().is_some_and(|(d, _, _)| d == dim);
        let own = self.group.as_ref().zip(group).filter(|_| first).and_then(|((_, groups), g)| groups.get(&g));
        match own {
            Some(own) => rows.iter().map(|r| own.binary_search(r).expect("a batch has rows of its group")).collect(),
            None => rows.to_vec(),
        }
    }

    /// A condition has a value for each row, and the block does not say how rows fall into batches, or the condition cannot vary.
    fn varies(&self, c: &Column) -> Diagnostic {
        let name = &c.input.name;
        let dim = self.columns.iter().find_map(|o| o.input.shape.first()?.0.clone());
        let dim = self.dims.first().map(|(d, _, _)| d.clone()).or(dim).unwrap_or_else(|| "b".into());
        let message = format!("`{name}` differs from row to row, and batches are not grouped by it");
        let apart = if self.dims.is_empty() && matches!(c.input.kind, InputKind::Tensor) {
            format!("; with `batch {dim} = all` each row has its own")
        } else {
            String::new()
        };
        Diagnostic::limit(Code::H0802, c.span, message)
            .help(format!("`batch {dim} = all by {name}` takes the rows of one value at a time{apart}"))
    }

    /// What a column gives to one batch: the group's value to the condition that is grouped by, else its rows.
    fn value(&self, c: &Column, batch: &Batch) -> Result<Tensor, Diagnostic> {
        let stored = c.stored();
        if let (Some((by, _)), Some(value)) = (&self.group, batch.group)
            && (c.input.name == *by || c.name == *by)
            && c.input.shape.is_empty()
        {
            return Ok(init::cast(&init::scalar(value), c.input.dtype));
        }
        if c.is_shared() {
            return self.shared(c, batch);
        }
        if c.input.condition && stored.shape.len() == c.input.shape.len() + 1 {
            // One row is the row of all.
            return if stored.shape[0] == 1 { c.one(c.input.dtype) } else { Err(self.varies(c)) };
        }
        let own = batch.parts.iter().filter_map(|(d, rows)| Some((along(&c.input, d)?, rows)));
        let mut parts: Vec<(usize, &Vec<usize>)> = own.collect();
        if parts.iter().any(|(axis, _)| *axis >= stored.shape.len()) {
            parts.clear();
        }
        parts.sort();
        let mut tensor = match parts.first() {
            Some((0, rows)) => c.rows(c.input.dtype, rows)?,
            _ => c.all(c.input.dtype)?,
        };
        for (axis, rows) in parts.iter().filter(|(axis, _)| *axis > 0) {
            tensor = select(&tensor, *axis, rows);
        }
        Ok(tensor)
    }
}

/// The axis of an input that goes along a dim.
fn along(input: &Input, dim: &Sym) -> Option<usize> {
    input.shape.iter().position(|(n, _)| n.as_ref() == Some(dim))
}

/// The given rows of one axis.
fn select(t: &Tensor, axis: usize, rows: &[usize]) -> Tensor {
    let inner: usize = t.shape[axis + 1..].iter().product();
    let outer: usize = t.shape[..axis].iter().product();
    let mut shape = t.shape.clone();
    shape[axis] = rows.len();
    let mut data = t.data.slice(0..0);
    data.reserve(outer * rows.len() * inner);
    for o in 0..outer {
        for r in rows {
            let at = (o * t.shape[axis] + r) * inner;
            data.append_part(&t.data, at..at + inner);
        }
    }
    Tensor::new(shape, data)
}

/// The rows of the last dim for each value of the column that it is grouped by.
fn groups(
    asked: &Rows,
    files: &[Arc<Archive>],
    by: &str,
    dims: &[(Sym, usize, usize)],
) -> Result<BTreeMap<i32, Vec<usize>>, Diagnostic> {
    let columns = asked.data.iter().zip(files).flat_map(|(d, f)| d.columns.iter().map(move |(name, column)| (name, column, f)));
    let stored = columns.into_iter().find_map(|(name, column, f)| (name == by).then(|| f.get(column)).flatten());
    let stored = stored.or_else(|| files.iter().find_map(|f| f.get(by)));
    let Some(stored) = stored else {
        return Err(match files.first() {
            Some(file) => no_column(by, file, asked.span),
            None => Diagnostic::error(Code::H0614, asked.span, format!("there is no data to group by `{by}`")),
        });
    };
    let column = stored.load(DType::I32).map_err(|d| Diagnostic { primary: Some(Label::at(asked.span)), ..d })?;
    let wanted = dims.last().map_or(0, |(_, n, _)| *n);
    let Data::I32(values) = &column.data else { unreachable!("loaded as i32") };
    if column.shape != [wanted] {
        let d = Diagnostic::error(Code::H0614, asked.span, format!("the column `{by}` does not have one value for each row"))
            .note(format!("it is {} and there are {wanted} rows", stored.describe()));
        let one = column.len() == 1;
        return Err(if one { d.help(format!("one value is that of all rows: leave `by {by}` out")) } else { d });
    }
    let mut out: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for (row, value) in values.iter().enumerate() {
        out.entry(*value).or_default().push(row);
    }
    Ok(out)
}

/// What a block's run said; a value that is missing was to come from the block.
pub fn unbound(asked: &Rows, d: Diagnostic) -> Diagnostic {
    if d.code != Code::H0601 || d.primary.is_some() {
        return d;
    }
    let at = asked.data.first().map_or(asked.span, |d| d.span);
    let d = Diagnostic { primary: Some(Label::at(at)), ..d }.here("the data of this block do not have it");
    d.help("name its column in `data \"..\" { x, task }`, or say what it is: `feed task = 0`")
}

fn no_column(column: &str, file: &Archive, span: Span) -> Diagnostic {
    if let Some(kind) = file.kind_unread(column) {
        return Diagnostic::error(Code::H0616, span, unread(column, file.name(), kind)).help(READ);
    }
    let d = Diagnostic::error(Code::H0614, span, format!("`{}` has no column `{column}`", file.name()));
    match suggest(column, file.names()) {
        Some(near) => d.help(format!("it has `{near}`")),
        None => d.note(format!("it has {}", file.names().collect::<Vec<_>>().join(", "))),
    }
}
