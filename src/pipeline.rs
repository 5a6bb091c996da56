//! All stages in a row; the only file that knows every one of them, and the one to read first.
//!
//! ```text
//! text ─parse→ ast ─check→ model ─optimize→ graph ─plan→ compiled code
//!                            └────────────────────→ interpreter
//! ```

use crate::check::model::Model;
use crate::diag::{Diagnostic, Sink};
use crate::ir::{Graph, NodeId, interp};
use crate::run::{Bindings, Tensor};
use crate::source::{FileId, Sources};
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
    let text = std::fs::read_to_string(path).map_err(|e| crate::run::archive::cannot_read(&name, &e))?;
    Ok(sources.add(name, Some(path), text))
}

/// Parses and checks a file and what it imports; `set` replaces constants.
pub fn check(_sources: &mut Sources, _root: FileId, _set: &[(String, f64)]) -> Checked {
    let mut sink = Sink::default();
    sink.push(Diagnostic::plain("H0801", "the checker is not in this build"));
    Checked { models: Vec::new(), diagnostics: sink.into_sorted() }
}

/// The canonical layout of a text; the mistakes when it cannot be parsed.
pub fn format(_sources: &Sources, _file: FileId) -> Result<String, Vec<Diagnostic>> {
    Err(vec![Diagnostic::plain("H0801", "the formatter is not in this build")])
}

/// The reference interpreter, in f64.
pub fn evaluate(graph: &Graph, bindings: &Bindings, nodes: &[NodeId]) -> Result<Vec<Tensor>, Diagnostic> {
    interp::evaluate(graph, bindings, nodes)
}

/// A graph made ready for some of its nodes.
pub enum Engine {
    Interpreter { graph: Graph, roots: Vec<NodeId> },
}

impl Engine {
    /// The reference interpreter, in f64.
    pub fn interpreter(graph: &Graph, roots: &[NodeId]) -> Engine {
        Engine::Interpreter { graph: graph.clone(), roots: roots.to_vec() }
    }

    /// Code for this machine.
    pub fn cpu(_: &Graph, _: &[NodeId], _threads: usize) -> Result<Engine, Diagnostic> {
        Err(Diagnostic::limit("H0801", crate::source::Span::default(), "compiled code is not in this build"))
    }

    pub fn name(&self) -> &'static str {
        match self {
            Engine::Interpreter { .. } => "interp",
        }
    }

    pub fn run(&mut self, bindings: &Bindings) -> Result<Vec<Tensor>, Diagnostic> {
        match self {
            Engine::Interpreter { graph, roots } => evaluate(graph, bindings, roots),
        }
    }
}
