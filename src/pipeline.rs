//! From a text to a plan: the front stages in a row, and the file to read first.
//!
//! ```text
//! text ─parse→ ast ─check→ model ─optimize→ graph ─plan→ plan
//! ```
//!
//! What becomes of a model is said elsewhere: [`crate::emit`] writes what every stage makes, [`crate::exec`] runs it.

mod pins;

use crate::bind::known::Known;
use crate::check;
use crate::check::model::weights::{Mapping, Shelf, Written};
use crate::check::model::{Allowed, InputKind, Model};
use crate::diag::{Code, Diagnostic, Sink, suggest};
use crate::ir::{Graph, NodeId, Op, OutputKind, Sym};
use crate::opt;
use crate::plan::{self, Sizes, Terms};
use crate::program::{self, Disk, Loader};
use crate::source::{FileId, Sources};
use crate::syntax;
pub use pins::decisions;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;

/// A file, read as far as it can be.
#[derive(Debug, Default)]
pub struct Checked {
    pub models: Vec<Model>,
    pub diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// Whether its models may be used.
    pub fn is_fine(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_fatal)
    }
}

/// Reads a source file into the table.
pub fn read(sources: &mut Sources, path: &Path) -> Result<FileId, Diagnostic> {
    let name = path.display().to_string();
    if name == "-" {
        // Imports are found from where the reader stands.
        let text = crate::disk::limited(std::io::stdin().lock(), program::MAX_SOURCE)
            .map_err(|e| crate::disk::cannot_read("stdin", &e))?;
        return Ok(sources.add("stdin".to_string(), None, text));
    }
    let text = Disk.read(path).map_err(|e| crate::disk::cannot_read(&name, &e))?;
    Ok(sources.add(name, Some(path), text))
}

/// Bytes of stack for the front end: nesting is bounded, and this is enough for the bound.
const STACK: usize = 256 << 20;

thread_local! {
    /// Whether this thread has such a stack.
    static LARGE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` where there is stack enough for it: here, or on a thread of its own. Errors: H0818, no thread can be started.
pub fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Diagnostic> {
    if LARGE.get() {
        return Ok(work());
    }
    let work = || {
        LARGE.set(true);
        work()
    };
    std::thread::scope(|s| {
        let thread = std::thread::Builder::new().name("hnet".into()).stack_size(STACK).spawn_scoped(s, work);
        let none = |e| {
            Diagnostic::plain(Code::H0818, format!("no thread can be started: {e}"))
                .note(format!("it needs a stack of {} MB", STACK >> 20))
        };
        Ok(thread.map_err(none)?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Parses and checks a file and what it imports; `set` replaces constants.
pub fn check(sources: &mut Sources, root: FileId, set: &[(String, f64)]) -> Checked {
    check_with(sources, &Disk, root, set)
}

/// As [`check`], with files from anywhere.
pub fn check_with(sources: &mut Sources, loader: &(dyn Loader + Sync), root: FileId, set: &[(String, f64)]) -> Checked {
    let options = check::Options { set: set.to_vec(), ..check::Options::default() };
    let work = || {
        let mut sink = Sink::default();
        let program = program::load(sources, loader, root, &mut sink);
        // A file that cannot be read as written has no meaning to check.
        let models = if sink.has_errors() { vec![] } else { check::check(&program, &options, &mut sink) };
        if !sink.has_errors() {
            pins::fit(&models, &mut sink);
        }
        Checked { models, diagnostics: finished(&program, sink) }
    };
    on_large_stack(work).unwrap_or_else(|d| Checked { models: vec![], diagnostics: vec![d] })
}

/// What was said, ordered by place: with the advice that takes the library to know, and without edits that would break a text.
fn finished(program: &program::Program, sink: Sink) -> Vec<Diagnostic> {
    let mut found = sink.into_sorted();
    check::without_prefix(program, &mut found);
    for file in program.files.iter().filter(|f| !f.library) {
        syntax::edits::withhold(file.id, &file.text, &mut found);
    }
    found
}

/// What the `weights from` blocks of a model come to when it is known what their files have; `of` says for each of them which shelf it reads.
pub fn weights(
    sources: &mut Sources,
    loader: &(dyn Loader + Sync),
    root: FileId,
    set: &[(String, f64)],
    model: &str,
    shelves: &[Shelf],
    of: &[usize],
) -> (Option<Mapping>, Vec<Diagnostic>) {
    let options = check::Options { set: set.to_vec(), ..check::Options::default() };
    let work = || {
        let mut sink = Sink::default();
        let program = program::load(sources, loader, root, &mut sink);
        let mapping = check::read_weights(&program, &options, model, shelves, of, &mut sink);
        let said: Vec<Diagnostic> = finished(&program, sink).into_iter().filter(Diagnostic::is_fatal).collect();
        (mapping, said)
    };
    on_large_stack(work).unwrap_or_else(|d| (None, vec![d]))
}

/// A model with an output for each line of its `weights to` blocks; and these lines, whose outputs are the last.
pub fn written(
    sources: &mut Sources,
    loader: &(dyn Loader + Sync),
    root: FileId,
    set: &[(String, f64)],
    model: &str,
) -> (Option<(Model, Vec<Written>)>, Vec<Diagnostic>) {
    let options = check::Options { set: set.to_vec(), ..check::Options::default() };
    let work = || {
        let mut sink = Sink::default();
        let program = program::load(sources, loader, root, &mut sink);
        let made = check::written(&program, &options, model, &mut sink);
        let said: Vec<Diagnostic> = finished(&program, sink).into_iter().filter(Diagnostic::is_fatal).collect();
        (made, said)
    };
    on_large_stack(work).unwrap_or_else(|d| (None, vec![d]))
}

/// The canonical layout of a text; the mistakes when it cannot be parsed.
pub fn format(sources: &Sources, file: FileId) -> Result<String, Vec<Diagnostic>> {
    syntax::format(&sources.get(file).text)
}

/// Sizes that a model's graph leaves open, in order.
pub fn unknowns(model: &Model) -> Vec<Sym> {
    let all: BTreeSet<Sym> = model.graph.ids().flat_map(|id| model.graph.symbols_of(id)).collect();
    all.into_iter().collect()
}

/// The value that an unknown size may have and that is nearest to a number: a condition that decides it may allow few.
pub fn nearest(model: &Model, size: &Sym, to: i64) -> i64 {
    let decides = |node: NodeId| match &model.graph.node(node).op {
        Op::Source { path, .. } => model.inputs.iter().find(|i| *i.name == **path),
        _other => None,
    };
    let node = model.graph.measured.iter().find(|(sym, _)| sym == size).map(|(_, node)| *node);
    match node.and_then(decides).map(|i| &i.kind) {
        Some(InputKind::Size(Allowed::List(list))) => list.iter().copied().min_by_key(|n| n.abs_diff(to)).unwrap_or(to),
        Some(InputKind::Size(Allowed::Range(from, end))) => to.clamp(*from, (end - 1).max(*from)),
        Some(InputKind::Size(Allowed::Any) | InputKind::Tensor | InputKind::Seed) | None => to,
    }
}

/// All unknown sizes, as near to a number as they may be.
pub fn sizes_near(model: &Model, to: i64) -> Sizes {
    unknowns(model).into_iter().map(|s| (s.clone(), nearest(model, &s, to))).collect()
}

/// A number for every unknown size: as asked, or one that is neither small nor large. Also those that nobody asked for, and what
/// they are. Errors: a dim that there is not.
pub fn sizes(model: &Model, dims: &[(String, i64)]) -> Result<(Sizes, Vec<(Sym, i64)>), Diagnostic> {
    sizes_beside(model, dims, &Sizes::new())
}

/// As [`sizes`], where some are known from what the model runs on.
pub fn sizes_beside(model: &Model, dims: &[(String, i64)], given: &Sizes) -> Result<(Sizes, Vec<(Sym, i64)>), Diagnostic> {
    const ROWS: i64 = 64;
    let mut known = Known::of(model);
    for (name, size) in dims {
        known.ask(model, name, *size)?;
    }
    for (name, size) in given {
        known.assume(name, *size, "it was given");
    }
    let mut assumed = Vec::new();
    for name in unknowns(model) {
        let size = nearest(model, &name, ROWS);
        if known.get(&name).is_none() {
            assumed.push((name.clone(), size));
        }
        known.assume(&name, size, "it was chosen");
    }
    Ok((known.sizes(), assumed))
}

/// The plan of all outputs and losses.
pub fn plan(model: &Model, sizes: &Sizes) -> Result<plan::Plan, Diagnostic> {
    plan_on(model, sizes, &Terms::default())
}

/// As [`plan`], with some decisions taken already, or for another machine.
pub fn plan_on(model: &Model, sizes: &Sizes, terms: &Terms) -> Result<plan::Plan, Diagnostic> {
    forward(model).plan_on(sizes, terms)
}

/// What is planned of a model: its graph, optimized, and its outputs and losses there. Who plans for many sizes makes it once.
pub struct Forward {
    graph: Graph,
    wanted: Vec<NodeId>,
}

/// All outputs and losses.
pub fn forward(model: &Model) -> Forward {
    let wanted = model.graph.outputs.iter().filter(|o| o.kind != OutputKind::Update);
    let (graph, wanted) = opt::optimize_for(&model.graph, &wanted.map(|o| o.node).collect::<Vec<_>>());
    Forward { graph, wanted }
}

impl Forward {
    /// As [`plan_on`].
    pub fn plan_on(&self, sizes: &Sizes, terms: &Terms) -> Result<plan::Plan, Diagnostic> {
        plan::plan_on(&self.graph, &self.wanted, sizes, terms)
    }
}

/// The graph as text after the pass of this name, each time that it runs; after every pass for `all`.
pub fn print_after(model: &Model, pass: &str) -> Result<String, Diagnostic> {
    if pass != "all" && opt::pass(pass).is_none() {
        let names: Vec<&str> = opt::PASSES.iter().map(|p| p.name).collect();
        let d = Diagnostic::plain(Code::H0612, format!("no pass is called `{pass}`"));
        return Err(match suggest(pass, names.iter().copied()) {
            Some(near) => d.help(format!("there is `{near}`")),
            None => d.help(format!("there are {}, and `all`", names.join(", "))),
        });
    }
    let mut out = String::new();
    let mut round = 0;
    opt::optimize(&model.graph, &mut |name, graph| {
        round += 1;
        if name == pass || pass == "all" {
            out.push_str(&format!("// after {name} ({round})\n{graph}\n"));
        }
    });
    Ok(out)
}
