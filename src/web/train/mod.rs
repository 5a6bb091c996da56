//! A page that trains: what its steps run, what they hand on, which rows they take.
//!
//! In: a `train` block. Out: a [`Lesson`]: for each arm its inputs and the programs of its steps, which are the graphs that the trainer runs
//! ([`crate::train::course`]), made for a page as all others are. What a page cannot do is refused here (H0912), and nothing is left
//! out in silence. *Not looked at:* how steps follow each other, which `train.js` knows.

mod held;
mod script;
mod shipped;
mod types;

pub use held::{HELD, held};
pub use script::lesson;
pub use shipped::{Columns, FILE, Shipped};
pub use types::types;

use super::module::{self, Ask, Chosen, Indexes};
use super::{Request, asks, defaults, indexing, needs, variants};
use crate::check::model::{Arm, Input, InputKind, Model, Rows, Set, Train};
use crate::diag::{Code, Diagnostic};
use crate::exec::table::Table;
use crate::ir::{DType, Graph, NodeId, Size, Sym, Tensor};
use crate::opt;
use crate::plan::Sizes;
use crate::source::Span;
use crate::train::{Carried, List, MEMORY, Number, Part, Step, Told, Within, course, named};
use std::collections::{BTreeMap, BTreeSet};

/// What a page needs to train.
pub struct Lesson<'a> {
    pub train: &'a Train,
    /// The phase's name; the model's where it has none.
    pub name: String,
    pub seed: i32,
    pub arms: Vec<Taught<'a>>,
    /// What is set when a round begins.
    pub begin: Option<Change>,
    pub every: Vec<(u64, Change)>,
}

/// An arm.
pub struct Taught<'a> {
    pub arm: &'a Arm,
    pub key: u32,
    /// Sizes that the block says.
    pub dims: Sizes,
    /// Those that a page may give, and whether a step cannot do without.
    pub inputs: Vec<(Input, bool)>,
    pub indexing: BTreeMap<String, Vec<Indexes>>,
    pub defaults: BTreeMap<String, Tensor>,
    pub parts: Vec<Lent>,
    /// Where the rows lie that are shipped with the page.
    pub rows: Option<Shipped>,
}

/// A step as a page runs it.
pub struct Lent {
    pub told: Vec<Heard>,
    pub carried: Vec<Carried>,
    pub numbers: Vec<(String, Number)>,
    pub asks: Vec<Ask>,
    pub chosen: Chosen,
}

/// Something that a step tells.
pub struct Heard {
    pub list: List,
    pub name: String,
    pub shape: Vec<Size>,
    /// Whether a step counts only where it is finite.
    pub finite: bool,
}

/// Values that get others now and then.
pub struct Change {
    /// Whether the first result says if anything is changed.
    pub when: bool,
    /// Where the others go.
    pub paths: Vec<String>,
    pub asks: Vec<Ask>,
    pub chosen: Chosen,
}

/// Makes programs of some nodes of an optimized graph and adds them to the page's.
pub type Make<'a> = dyn FnMut(&Graph, &[NodeId], &Sizes, &BTreeMap<Sym, Vec<i64>>) -> Result<Chosen, Diagnostic> + 'a;

fn refused(span: Span, message: String) -> Diagnostic {
    Diagnostic::error(Code::H0912, span, message)
}

/// Makes a lesson of a block. `shipped` collects the columns that go with the page. Errors: a page cannot do what the block asks for (H0912);
/// data that do not fit.
pub fn teach<'a>(
    request: &Request<'a>,
    train: &'a Train,
    make: &mut Make,
    columns: &mut Columns,
    notes: &mut Vec<String>,
) -> Result<Lesson<'a>, Diagnostic> {
    let phase = train.phase.clone().unwrap_or_default();
    if let Some(watch) = &train.watch {
        notes.push(format!("`validate {}` is left to the page: run the model on rows of its own now and then", watch.block));
    }
    if let Some(after) = &train.after {
        notes.push(format!("`{after}` comes before: give the weights that it left with --params"));
    }
    let mut arms = vec![];
    for (k, arm) in train.arms.iter().enumerate() {
        let rows = course::rows(train, arm);
        let table = columns.open(request, &arm.model, &rows, notes)?;
        let dims = sizes(&arm.model, &rows, table.as_ref());
        let shipped = table.map(|t| columns.ship(arm, &rows, &t)).transpose()?;
        arms.push(taught(request, train, arm, course::key(&phase, k), dims, shipped, make)?);
    }
    let first = &train.arms[0].model;
    let dims = &arms[0].dims;
    let begin = match train.sets.as_slice() {
        [] => None,
        sets => Some(change(request, first, (None, sets), dims, make)?),
    };
    let mut every = vec![];
    for e in &train.every {
        every.push((e.interval, change(request, first, (e.when, &e.sets), dims, make)?));
    }
    let name = train.phase.clone().unwrap_or_else(|| request.model.name.clone());
    Ok(Lesson { train, name, seed: request.seed.unwrap_or(train.seed), arms, begin, every })
}

/// Sizes that the block says, and those that the program does: a batch is always full.
fn sizes(model: &Model, rows: &Rows, table: Option<&Table>) -> Sizes {
    let mut out: Sizes = model.dims.iter().filter_map(|d| Some((d.name.clone(), d.size?))).collect();
    let columns: BTreeSet<&str> = rows.data.iter().flat_map(|d| &d.columns).map(|(name, _)| name.as_str()).collect();
    let has = |dim: &Sym| {
        let bound = model.inputs.iter().filter(|i| columns.contains(i.name.as_str()));
        bound.flat_map(|i| &i.shape).any(|(name, _)| name.as_ref() == Some(dim))
    };
    let mut batch: Vec<_> = rows.batch.iter().collect();
    batch.sort_by_key(|(_, _, by)| by.is_none());
    let mut first = true;
    for (dim, size, _) in batch {
        let Some(size) = size else {
            first = first && !has(dim);
            continue;
        };
        // Of further dims a step takes a window, or all where there are fewer.
        let windowed = table.is_some_and(|t| t.dims.iter().any(|(name, all, size)| name == dim && size < all));
        if !has(dim) || std::mem::take(&mut first) || windowed {
            out.insert(dim.clone(), *size as i64);
        }
    }
    out
}

fn taught<'a>(
    request: &Request,
    train: &Train,
    arm: &'a Arm,
    key: u32,
    dims: Sizes,
    rows: Option<Shipped>,
    make: &mut Make,
) -> Result<Taught<'a>, Diagnostic> {
    let model = &*arm.model;
    let allowed: BTreeMap<Sym, Vec<i64>> =
        model.inputs.iter().filter_map(|i| Some((i.name.as_str().into(), module::allowed(i)?))).collect();
    let (mut wanted, mut indexes) = (BTreeSet::new(), BTreeMap::new());
    let mut parts = vec![];
    for part in course::parts(arm) {
        let step = course::step(arm, *part, &Within { extents: &[], memory: MEMORY, mixed: false })?;
        if let Some((name, node)) = step.early.first() {
            let message = format!("a page cannot train this: what is fed to `{name}` decides sizes or draws before the step");
            return Err(
                refused(model.graph.node(*node).span, message).help(format!("leave it out, and give `{name}` in the page"))
            );
        }
        let (graph, roots) = opt::optimize_for(&step.graph, &step.wanted());
        let reach = graph.reachable(roots.iter().copied());
        if let Some((dim, node)) = graph.measured.iter().find(|(_, n)| reach[n.index()]) {
            let message = format!("a page cannot train this: values decide how long `{dim}` is");
            return Err(refused(graph.node(*node).span, message));
        }
        roots.iter().for_each(|root| wanted.extend(needs(model, &graph, *root)));
        // One run gives all, or nothing: so it is asked of the step as a whole.
        for (path, list) in indexing(&graph, &roots) {
            let known: &mut Vec<Indexes> = indexes.entry(path).or_default();
            for i in list.into_iter().map(|i| Indexes { by: vec![0], ..i }) {
                if !known.iter().any(|k| k.below == i.below) {
                    known.push(i);
                }
            }
        }
        let asks = asked(&graph, &roots, request);
        let chosen = make(&graph, &roots, &dims, &allowed)?;
        parts.push(lent(arm, step, asks, chosen));
    }
    let fed = |name: &str| arm.rows.feeds.iter().any(|(n, _)| n == name);
    let each = |name: &str| train.each.as_ref().is_some_and(|(n, _, _)| n == name);
    // The step itself says these two.
    let own = |name: &str| name == "seed" || name == "step";
    let inputs = model.inputs.iter().filter(|i| !fed(&i.name) && !each(&i.name) && !own(&i.name));
    let inputs = inputs.map(|i| (i.clone(), i.default.is_none() && wanted.contains(&i.name))).collect();
    Ok(Taught { arm, key, inputs, indexing: indexes, defaults: defaults(model, &dims)?, dims, parts, rows })
}

fn lent(arm: &Arm, step: Step, asks: Vec<Ask>, chosen: Chosen) -> Lent {
    let heard = |(told, node): &(Told, NodeId)| {
        let (list, name) = named(arm, told);
        let shape = step.graph.node(*node).shape.iter().map(|a| a.size.clone()).collect();
        Heard { list, name, shape, finite: told.must_be_finite() }
    };
    let told = step.told.iter().map(heard).collect();
    Lent { told, carried: step.carried, numbers: step.numbers, asks, chosen }
}

/// What is asked of sizes. One run gives all, or nothing: so it is asked of a step as a whole.
fn asked(graph: &Graph, roots: &[NodeId], request: &Request) -> Vec<Ask> {
    asks(graph, roots, request.locate).into_iter().map(|a| Ask { by: vec![0], ..a }).collect()
}

/// The programs of what is set.
fn change(
    request: &Request,
    model: &Model,
    (when, sets): (Option<NodeId>, &[Set]),
    dims: &Sizes,
    make: &mut Make,
) -> Result<Change, Diagnostic> {
    let mut graph = model.graph.clone();
    course::moving(&mut graph, model);
    let mut paths = vec![];
    for s in sets {
        let input = model.inputs.iter().find(|i| i.name == s.path);
        if let Some(i) = input.filter(|i| i.kind != InputKind::Tensor) {
            let message = format!("a page cannot train this: `{}` decides sizes or draws, and is set", i.name);
            return Err(refused(s.span, message).help(format!("leave it out, and give `{}` in the page", i.name)));
        }
        let stored = || model.params.iter().find(|p| p.path == s.path).map(|p| p.dtype);
        let dtype: Option<DType> = input.map(|i| i.dtype).or_else(stored);
        if dtype.is_some_and(|d| d != graph.node(s.node).dtype) {
            let message = format!("a page cannot train this: `{}` is set to values of another type", s.path);
            return Err(refused(s.span, message).help("`number(..)` makes numbers of whole numbers"));
        }
        paths.push(if input.is_some() { format!("#set.{}", s.path) } else { s.path.clone() });
    }
    let roots: Vec<NodeId> = when.into_iter().chain(sets.iter().map(|s| s.node)).collect();
    let (graph, roots) = opt::optimize_for(&graph, &roots);
    let asks = asked(&graph, &roots, request);
    let allowed = BTreeMap::new();
    Ok(Change { when: when.is_some(), paths, asks, chosen: make(&graph, &roots, dims, &allowed)? })
}

/// Parts of a step have their own names in the page's description.
pub(super) fn word(part: &Part) -> &'static str {
    match part {
        Part::Whole => "whole",
        Part::Gather => "gather",
        Part::Last => "last",
    }
}

/// Programs of a lesson.
pub fn chosen<'l>(lesson: &'l Lesson) -> impl Iterator<Item = &'l Chosen> {
    let parts = lesson.arms.iter().flat_map(|a| &a.parts).map(|p| &p.chosen);
    let changes = lesson.begin.iter().chain(lesson.every.iter().map(|(_, c)| c)).map(|c| &c.chosen);
    parts.chain(changes)
}

/// Makes programs, as all of a page's are made.
pub(super) fn made(
    graph: &Graph,
    wanted: &[NodeId],
    fixed: &Sizes,
    allowed: &BTreeMap<Sym, Vec<i64>>,
    add: &mut dyn FnMut(&crate::gpu::Program) -> usize,
) -> Result<Chosen, Diagnostic> {
    let family = variants::family(graph, wanted, fixed, allowed)?;
    let numbers = family.programs.iter().map(add).collect();
    Ok(Chosen { outputs: vec![], family, numbers })
}
