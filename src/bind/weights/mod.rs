//! Weights by the lines of `weights from` blocks.
//!
//! In: a [`Model`], what its blocks come to, the files. Out: a tensor for each parameter. Promised: every element of a parameter is given
//! exactly once, or a `drop` says that it begins as it is drawn; every tensor of a file goes somewhere, or a `drop` names it; each is
//! read when it is wanted, and no more of it than is.

mod cover;
pub mod layout;
mod place;
pub mod view;

use super::init;
use super::params::{Loaded, shape};
use crate::check::model::weights::{How, Listed, Mapping, Move, Places, STORED, Shelf};
use crate::check::model::{Model, Param};
use crate::diag::{Code, Diagnostic, Label};
use crate::files::archive::Archive;
use crate::files::memory;
use crate::files::stored::{Stored, position};
use crate::ir::sizes::Sizes;
use crate::ir::{Data, Graph, Node, NodeId, Op, Operand, Origin, Tensor, interp};
use crate::source::Span;
use place::{Lie, copy, of_part};
use std::collections::{BTreeMap, BTreeSet};
use view::{View, Views, row_major};

/// The tensors of files as a block finds them; the first file that has a name wins.
pub fn shelf(name: &str, files: &[Archive]) -> Shelf {
    let mut out = Shelf { name: name.to_string(), ..Shelf::default() };
    for file in files {
        for name in file.names() {
            let Some(t) = file.get(name) else { continue };
            let listed = Listed { kind: Some(t.kind), text: t.describe(), shape: t.shape.to_vec() };
            out.tensors.entry(name.to_string()).or_insert(listed);
        }
        for (name, kind) in file.unread() {
            let listed = Listed { kind: None, text: kind.clone(), shape: vec![] };
            out.tensors.entry(name.clone()).or_insert(listed);
        }
    }
    out
}

/// A file of a block: what messages call it, where a block names it, and the archives that it is.
pub struct Source {
    pub shelf: Shelf,
    pub span: Span,
    pub files: Vec<Archive>,
}

impl Source {
    fn get(&self, name: &str) -> Result<Stored<'_>, Diagnostic> {
        let found = self.files.iter().find_map(|f| f.get(name));
        found.ok_or_else(|| Diagnostic::plain(Code::H0625, format!("`{}` has no tensor `{name}`", self.shelf.name)))
    }
}

/// The parameters of a model, as the lines say.
pub fn load(model: &Model, mapping: &Mapping, sources: &[Source], sizes: &Sizes, seed: i32) -> Result<Loaded, Vec<Diagnostic>> {
    let problems = left(model, mapping, sources, sizes);
    if !problems.is_empty() {
        return Err(problems);
    }
    let tensors = init::each(model, |k, known| fill(model, mapping, sources, k, sizes, seed, known))?;
    Ok(Loaded { tensors, ..Loaded::default() })
}

/// What is left over on either side, or given twice.
pub fn left(model: &Model, mapping: &Mapping, sources: &[Source], sizes: &Sizes) -> Vec<Diagnostic> {
    let mut out = cover::left_over(mapping, sources);
    out.extend(cover::parameters(model, mapping, sources, sizes));
    out
}

/// One parameter. `known` are those that begin before it.
fn fill(
    model: &Model,
    mapping: &Mapping,
    sources: &[Source],
    k: usize,
    sizes: &Sizes,
    seed: i32,
    known: &BTreeMap<String, Tensor>,
) -> Result<Tensor, Diagnostic> {
    let param = &model.params[k];
    let moves: Vec<&Move> = mapping.moves.iter().filter(|m| m.param == k).collect();
    let drawn = mapping.begun.iter().any(|(p, _)| *p == k) || moves.is_empty();
    let mut out = match drawn {
        true => init::initialise(model, param, sizes, seed, known)?,
        false => memory::zeros(&param.path, param.dtype, shape(param, sizes)?)?,
    };
    for m in moves {
        let lost = |d: Diagnostic| match d.primary {
            None => Diagnostic { primary: Some(Label::at(m.line)), ..d }.here("by this line"),
            Some(_) => d,
        };
        put(m, &sources[m.shelf], param, &mut out).map_err(lost)?;
    }
    Ok(out)
}

/// What one line gives one net, to its place.
fn put(m: &Move, source: &Source, param: &Param, out: &mut Tensor) -> Result<(), Diagnostic> {
    let into = of_part(&out.shape, &m.part);
    let shape = m.shape();
    let (graph, node) = match &m.how {
        How::Stored { transposed } => {
            let mut steps = row_major(source.get(&m.names[0])?.shape);
            if let (true, [.., a, b]) = (*transposed, steps.as_mut_slice()) {
                std::mem::swap(a, b);
            }
            let view = View { name: m.names[0].clone(), dtype: param.dtype, shape, offset: 0, steps };
            return put_view(&view, source, out, &into);
        }
        How::Computed(computed) => (&computed.0, computed.1),
    };
    let mut views = Views::new(graph);
    if let Some(view) = views.of(node).filter(|v| v.dtype == param.dtype) {
        return put_view(&view, source, out, &into);
    }
    let value = computed(graph, node, &mut views, source)?;
    let value = rounded(value, &param.path)?;
    copy(&shape, &value.data, &Lie { from: 0, steps: row_major(&shape) }, out, &into);
    Ok(())
}

/// Elements of a tensor of a file, to their places; whole rows of the first axis at a time, so that a large tensor is never there twice.
fn put_view(view: &View, source: &Source, out: &mut Tensor, into: &Lie) -> Result<(), Diagnostic> {
    const AT_ONCE: usize = 1 << 24;
    let stored = source.get(&view.name)?;
    let all: usize = view.shape.iter().product();
    let Some((rows, rest)) = view.shape.split_first().filter(|(n, _)| all > AT_ONCE && **n > 1) else {
        let (low, high) = view.range();
        let data = stored.part(view.dtype, low..high)?;
        let at = Lie { from: view.offset - low as i64, steps: view.steps.clone() };
        copy(&view.shape, &data, &at, out, into);
        return Ok(());
    };
    // Where rows lie side by side in the file, they are read so; a transposed matrix is read whole.
    let each = rest.iter().product::<usize>().max(1);
    let apart = view.steps[0].unsigned_abs() as usize >= each;
    let step = if apart { (AT_ONCE / each).max(1) } else { *rows };
    for first in (0..*rows).step_by(step) {
        let n = step.min(rows - first);
        let shape = [&[n], rest].concat();
        let part = View { shape, offset: view.offset + first as i64 * view.steps[0], ..view.clone() };
        let (low, high) = part.range();
        let data = stored.part(part.dtype, low..high)?;
        let at = Lie { from: part.offset - low as i64, steps: part.steps.clone() };
        let into = Lie { from: into.from + first as i64 * into.steps[0], steps: into.steps.clone() };
        copy(&part.shape, &data, &at, out, &into);
    }
    Ok(())
}

/// A view as a tensor of its own.
fn taken(view: &View, source: &Source) -> Result<Tensor, Diagnostic> {
    let mut out = memory::zeros(&view.name, view.dtype, view.shape.clone())?;
    let into = Lie { from: 0, steps: row_major(&view.shape) };
    put_view(view, source, &mut out, &into)?;
    Ok(out)
}

/// The value of a node; what only moves elements is read as it is wanted, the rest is computed in f64.
fn computed(graph: &Graph, root: NodeId, views: &mut Views, source: &Source) -> Result<Tensor, Diagnostic> {
    // Nodes that are computed, and those below them that are read.
    let mut seen = BTreeSet::new();
    let mut todo = vec![root];
    while let Some(id) = todo.pop() {
        if seen.insert(id) && views.of(id).is_none() {
            todo.extend(graph.operands(id).iter().map(|o| o.node));
        }
    }
    let mut small = Graph::default();
    let mut places: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    let mut tensors: BTreeMap<String, Tensor> = BTreeMap::new();
    for id in seen {
        let node = graph.node(id);
        let new = match views.of(id) {
            Some(view) => {
                let path = format!("{STORED}{}", tensors.len());
                tensors.insert(path.clone(), taken(&view, source)?);
                let op = Op::Source { origin: Origin::Input, path: path.as_str().into() };
                small.add(Node { op, inner: vec![], ..node.clone() }, vec![])
            }
            None => {
                let moved = |o: &Operand| Operand { node: places[&o.node], subscripts: o.subscripts.clone() };
                small.add(node.clone(), graph.operands(id).iter().map(moved).collect())
            }
        };
        places.insert(id, new);
    }
    let given = tensors.iter().map(|(path, t)| (path.as_str(), t)).collect();
    let mut out = interp::evaluate_on(&small, given, BTreeMap::new(), &[places[&root]], memory::at_most(interp::MEMORY))?;
    out.pop().ok_or_else(|| Diagnostic::plain(Code::H0899, "a line of weights has no value: this is a bug in hnet"))
}

/// f64 rounded to f32, which must hold it.
fn rounded(t: Tensor, path: &str) -> Result<Tensor, Diagnostic> {
    let Data::F64(values) = &t.data else { return Ok(t) };
    if let Some(at) = values.iter().position(|v| v.is_finite() && (*v as f32).is_infinite()) {
        let message = format!("what becomes of `{path}` has a value that f32 cannot hold");
        return Err(Diagnostic::plain(Code::H0606, message).note(format!("{:e} at {}", values[at], position(&t.shape, at))));
    }
    let data = Data::F32(values.iter().map(|v| *v as f32).collect());
    Ok(Tensor::new(t.shape.clone(), data))
}

/// Whether a net of an array is among those that a part of a parameter goes over.
fn has_net(part: &[Places], net: &[usize]) -> bool {
    part.iter().zip(net).all(|(p, n)| (0..p.count()).any(|k| p.place(k) == *n))
}
