//! ast → model: names, dims, axes, sizes, rates, who owns or generates each parameter.
//!
//! In: a [`Program`]. Out: a [`Model`] for each `model` item of its root file, or diagnostics.
//!
//! Checking and lowering are one walk, because the rule that types an expression is the rule that lifts it: the value of
//! an expression is a node of the graph together with what its dimensions are called ([`value::Tens`]). A net is checked
//! once for each instance, with its numbers known, and once with unknown numbers when nobody uses it.
//!
//! The walk is one object, [`Checker`], and works with parts that have a duty each. What touches one part is that part's; the walk's
//! own methods bring parts together.
//!
//! | part | file | what it keeps |
//! |---|---|---|
//! | `Report` | `report` | what was said; it alone makes the token that an error was said |
//! | `Axes` | `axes` | what axes are called, and how long they are |
//! | `Nets` | `instance` | nets, arrays, families, their parameters and relations |
//! | `Scopes` | `scope`, `locals` | the bodies under way, and what holds where the walk is |
//! | `Build` | `build` | the graph under construction, and the bodies of loops |
//! | `Proof` | `bounds` | that an index stays inside its axis: looks, and changes nothing |
//! | `Product` | `top` | the model as far as it is |
//!
//! | files | what they decide |
//! |---|---|
//! | `names`, `word`, `habit`, `foreign`, `prefixed`, `library` | that a word has one meaning, and which; what an unknown one may have been |
//! | `expr`, `operator`, `number`, `list` | expressions, compile-time numbers, sizes, lists of them |
//! | `block`, `var`, `declared`, `loss`, `pinned` | statements |
//! | `control`, `loops` | `if`, `for` |
//! | `tensor` | alignment by name, equal sizes, broadcasting |
//! | `index` | index notation |
//! | `binders`, `unroll`, `reduce`, `filter` | bound indices, those that are written out, reductions, and what a filter or a missing seat leaves out |
//! | `call`, `route` | calls of nets and functions; routing, capacity, blends |
//! | `builtin` | functions that are primitives |
//! | `chance` | draws and initialisers |
//! | `relation`, `tree` | who generates, adapts, ties, freezes a parameter; parameters as values |
//! | `top` | models, `eval` and `train` blocks |
//! | `generic`, `unused` | nets with unknown numbers, and what nobody reads |

mod axes;
mod binders;
mod block;
mod bounds;
mod build;
mod builtin;
mod call;
mod chance;
mod control;
mod declared;
mod expr;
mod filter;
mod foreign;
mod generic;
mod habit;
mod index;
mod instance;
mod kind;
mod library;
mod list;
mod locals;
mod loops;
mod loss;
pub mod model;
mod names;
mod number;
mod operator;
mod pinned;
mod prefixed;
mod reduce;
mod relation;
mod report;
mod route;
mod scope;
mod tensor;
mod top;
mod tree;
mod unroll;
mod unused;
mod value;
mod var;
mod word;

use crate::diag::{Code, Diagnostic, Sink};
use crate::program::Program;
use crate::source::Span;
use axes::Axes;
use build::Build;
pub use builtin::{described, reference, words};
use chance::Draws;
use instance::Nets;
pub use model::Model;
use pinned::Pinned;
pub use prefixed::without_prefix;
use report::{Report, Res, Said};
use scope::Scopes;
use std::rc::Rc;
pub use top::weights::{Pattern, read as read_weights, written};
use top::{Product, RootItems};
use word::{FileConstants, FileScope};

/// What the command line decides.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--set d=48`: replaces a file's or model's constant.
    pub set: Vec<(String, f64)>,
    /// Conditions that vary over a dim: a block binds them to a column of the batch.
    pub lift: Vec<(String, String)>,
    /// Checks the side of `training` that learns, too.
    pub training: bool,
}

/// Checks the root file of a program; gives its models in order.
pub fn check(program: &Program, options: &Options, sink: &mut Sink) -> Vec<Model> {
    top::check(program, options, sink)
}

/// The walk, and the parts that it works with.
struct Checker<'a> {
    program: &'a Program,
    options: &'a Options,
    files: Rc<Vec<FileScope<'a>>>,
    /// What is looked up in the root file for every model.
    root: Rc<RootItems>,
    /// What was said.
    report: Report,
    /// What axes are called, and how long they are.
    axes: Axes,
    /// Nets, parameters, relations.
    nets: Nets<'a>,
    /// The bodies under way, and what holds in them.
    scopes: Scopes<'a>,
    /// The graph under construction.
    build: Build,
    /// Constants of files that were computed.
    constants: FileConstants<'a>,
    draws: Draws,
    /// What statements say about how they are computed.
    pinned: Pinned,
    /// Lines of `weights` blocks, while it is known what the files have.
    reading: top::weights::Reading,
    /// The model as far as it is.
    out: Product,
}

/// A number or a size that has outgrown what is computed with.
fn too_long(span: Span) -> Diagnostic {
    Diagnostic::limit(Code::H0820, span, "this number becomes too large")
        .here("more than 37 digits, or a formula of more than four thousand terms")
        .help("a number with a dot, `1.0`, is rounded and may be as large as an `f32`")
}

/// Nodes that one model may have.
const MAX_NODES: usize = 500_000;

/// Single nets of an array, and parameters that one path matches: each is written out.
const MAX_MATCHES: usize = 4096;

/// Calls, written-out rounds and nets that one model may have.
const MAX_ENTERED: usize = 2_000_000;

/// As many for all models of a program together, and for nets and functions that none of them uses.
const MAX_IN_ALL: usize = 8_000_000;

/// As many for one net or function that no model uses: it is only looked at.
const MAX_UNUSED: usize = 100_000;

impl<'a> Checker<'a> {
    /// Says an error in the place of a value.
    fn fail<T>(&mut self, diagnostic: Diagnostic) -> Res<T> {
        Err(self.say(diagnostic))
    }

    /// Says an error: what shows in the library at the user's line.
    fn say(&mut self, diagnostic: Diagnostic) -> Said {
        match self.blamed(&diagnostic) {
            Some((at, what)) => self.report.blame(diagnostic, at, &what),
            None => self.report.say(diagnostic),
        }
    }

    /// Something needs a known number; with unknown numbers that is nobody's fault.
    fn unknown<T>(&mut self, span: Span, what: &str) -> Res<T> {
        let message = format!("{what} must be a number that is known when the model is compiled");
        self.error(Code::H0320, span, message)
    }

    fn error<T>(&mut self, code: Code, span: Span, message: impl Into<String>) -> Res<T> {
        self.fail(Diagnostic::error(code, span, message))
    }

    /// Whose line a mistake is that shows in the library, which is right for other numbers: the `sub` that makes the net there, or the
    /// statement that calls it.
    fn blamed(&self, diagnostic: &Diagnostic) -> Option<(Span, String)> {
        let file = |span: Span| self.program.files.iter().find(|f| f.id == span.file);
        let library = |span: Span| file(span).is_some_and(|f| f.library);
        if !library(diagnostic.primary.as_ref()?.span) {
            return None;
        }
        for frame in self.scopes.frames() {
            // What a net is made of was made where somebody says that it is.
            let mut inst = frame.inst.filter(|_| !frame.called);
            while let Some(id) = inst {
                let inside = &self.nets[id];
                // Nobody made the model: the statement that calls says more.
                if inside.parent.is_some() && !library(inside.span) && file(inside.span).is_some() {
                    return Some((inside.span, inside.made_by()));
                }
                inst = inside.parent;
            }
            if !library(frame.span) && file(frame.span).is_some() {
                return Some((frame.span, "this".into()));
            }
        }
        None
    }
}
