//! Models, and the blocks that speak of them.

pub(super) mod blocks;
mod chosen;
mod files;
mod inputs;
mod learn;
mod learner;
mod load;
mod once;
mod optimizer;
mod outputs;
mod starts;
mod train;
pub(super) mod weights;

use super::block;
use super::chance::Draws;
use super::instance::{InstId, MemberRef, Nets, Thunk, Whose};
use super::model::{Input, Model};
use super::pinned::Pinned;
use super::scope::{Frame, Scopes};
use super::value::{Tens, Value};
use super::word::FileConstants;
use super::word::FileScope;
use super::{Axes, Build, Checker, MAX_ENTERED, MAX_IN_ALL, Options, Report, Res};
use crate::diag::{Code, Diagnostic, Sink};
use crate::ir::verify::verify;
use crate::ir::{Graph, Op};
use crate::program::Program;
use crate::source::Span;
use crate::syntax::ast::{self, ItemKind, StmtKind};
use crate::syntax::walk;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// What all models of a program share: what the names of its files mean.
#[derive(Clone)]
pub struct Shared<'a> {
    files: Rc<Vec<FileScope<'a>>>,
    /// The axes that the files declare.
    axes: Axes,
    root: Rc<RootItems>,
}

/// Items of the root file by what they are about, by their numbers.
#[derive(Default)]
pub struct RootItems {
    dims: Vec<usize>,
    /// `eval` and `train` blocks by their model.
    blocks: HashMap<ast::Name, Vec<usize>>,
    has_weights: bool,
    /// `--set`
    set: HashMap<String, f64>,
}

/// The model under way.
#[derive(Default)]
pub struct Product {
    pub model: Model,
    /// Places of inputs and conditions in the model, by name.
    places: HashMap<ast::Name, usize>,
    /// By dotted path, a value for each call.
    pub losses: Vec<(String, Tens, Span)>,
    /// What they come to, once the whole model has been walked.
    pub totals: HashMap<String, Tens>,
    pub updates: Vec<(String, Tens)>,
}

impl Product {
    pub fn add_input(&mut self, input: Input) {
        self.places.insert(input.name.as_str().into(), self.model.inputs.len());
        self.model.inputs.push(input);
    }

    /// An input or a condition.
    pub fn input(&self, name: &str) -> Option<&Input> {
        Some(&self.model.inputs[*self.places.get(name)?])
    }

    pub fn input_mut(&mut self, name: &str) -> Option<&mut Input> {
        Some(&mut self.model.inputs[*self.places.get(name)?])
    }
}

impl RootItems {
    /// The number that the command line puts in the place of a constant.
    pub fn setting(&self, word: &str) -> Option<f64> {
        self.set.get(word).copied()
    }

    fn of(items: &[ast::Item], options: &Options) -> RootItems {
        let mut out = RootItems::default();
        // The first of two for one constant holds.
        out.set.extend(options.set.iter().rev().cloned());
        for (n, item) in items.iter().enumerate() {
            match &item.kind {
                ItemKind::Dim { .. } => out.dims.push(n),
                ItemKind::Eval(ast::EvalDef { model, .. }) | ItemKind::Train(ast::TrainDef { model, .. }) => {
                    out.blocks.entry(model.name.clone()).or_default().push(n);
                }
                ItemKind::Weights(w) => out.has_weights |= !matches!(w, ast::Weights::To { .. }),
                ItemKind::Import(_) | ItemKind::Const(_) | ItemKind::ConstDraw(_) | ItemKind::Fn(_) | ItemKind::Net(_) => {}
                ItemKind::Model(_) | ItemKind::Form(_) => {}
            }
        }
        out
    }
}

impl<'a> Checker<'a> {
    /// Reads what the files define, and says what is wrong with that.
    pub fn new(program: &'a Program, options: &'a Options, report: Report) -> Checker<'a> {
        let root = Rc::new(RootItems::of(&program.files[0].ast.items, options));
        let mut c =
            Checker::with(program, options, report, Shared { files: Rc::default(), axes: Axes::default(), root }, MAX_ENTERED);
        c.file_scopes();
        c
    }

    /// What another checker of the same program and options may begin with.
    pub fn shared(&self) -> Shared<'a> {
        Shared { files: self.files.clone(), axes: self.axes.clone(), root: self.root.clone() }
    }

    /// A checker for one model, or one net that no model uses; it may make so many calls, rounds and nets.
    pub fn with(program: &'a Program, options: &'a Options, report: Report, shared: Shared<'a>, most: usize) -> Checker<'a> {
        Checker {
            program,
            options,
            report,
            files: shared.files,
            axes: shared.axes,
            root: shared.root,
            nets: Nets::default(),
            scopes: Scopes::new(most),
            build: Build::default(),
            constants: FileConstants::default(),
            draws: Draws::default(),
            pinned: Pinned::default(),
            reading: weights::Reading::default(),
            out: Product::default(),
        }
    }

    /// Checks one model; `blocks` makes what the blocks about it ask for.
    fn model(&mut self, def: &'a ast::ModelDef, doc: Option<String>, blocks: impl FnOnce(&mut Self)) -> Option<Model> {
        self.out.model.name = def.name.name.to_string();
        self.out.model.doc = doc;
        let id = self.nets.new_inst(0, None, String::new(), def.name.span);
        self.nets[id].sees_dims = true;
        self.in_frame(self.nets.inst_frame(id), |c| c.declare_all_copies(&def.body.stmts));
        self.declare_members(id, &def.body.stmts, Whose::Model);
        self.make_all(id);
        if self.report.is_too_large() {
            return None;
        }
        self.register_all(id);
        self.in_frame(self.nets.inst_frame(id), |c| {
            c.run_model(id, &def.body.stmts);
            c.ask_all(id);
            c.prove(0);
            c.collect(id);
            blocks(c);
        });
        self.finish();
        self.starts();
        // Whatever could not be made was said: with nothing said, the graph is whole.
        if self.report.faults() > 0 {
            return None;
        }
        // What is lowered wrongly never runs: passes and backends rely on what the verifier promises.
        if let Err(what) = verify(&self.out.model.graph) {
            let message = format!("the graph of `{}` is not well-formed: {what}", self.out.model.name);
            self.report.say(Diagnostic::error(Code::H0899, def.name.span, message).note("this is a bug in hnet"));
            return None;
        }
        Some(std::mem::take(&mut self.out.model))
    }

    /// Second copies of axes that the types of a model declare, wherever they stand.
    fn declare_all_copies(&mut self, stmts: &'a [ast::Stmt]) {
        for stmt in stmts {
            match &stmt.kind {
                StmtKind::Input { ty, .. }
                | StmtKind::Condition { ty, .. }
                | StmtKind::Output { ty, .. }
                | StmtKind::Draw { ty, .. }
                | StmtKind::Var { ty: Some(ty), .. } => self.declare_copies(ty),
                StmtKind::Expr(e) => {
                    if let ast::ExprKind::If { then, otherwise, .. } = &*e.kind {
                        self.declare_all_copies(&then.stmts);
                        if let Some(ast::Else::Block(b)) = otherwise {
                            self.declare_all_copies(&b.stmts);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Inputs, conditions and the seed.
    pub fn declare_ports(&mut self, id: InstId, stmts: &'a [ast::Stmt]) {
        for stmt in stmts {
            let frame = Frame { span: stmt.span, ..self.nets.inst_frame(id) };
            let done = match &stmt.kind {
                StmtKind::Seed(e) => self.outside(frame, |c| c.size_of_expr(e)).map(|s| self.draws.model_seed = s),
                StmtKind::Input { name, ty } => {
                    let v = self.outside(frame, |c| c.input(name, ty, stmt.span));
                    self.nets.add_thunk(id, name, Thunk::Done(v.unwrap_or_else(Value::Poison)));
                    Ok(())
                }
                StmtKind::Condition { name, ty, within, default } => {
                    let v = self.outside(frame, |c| c.condition(name, ty, within.as_ref(), default.as_ref()));
                    self.nets.add_thunk(id, name, Thunk::Done(v.unwrap_or_else(Value::Poison)));
                    Ok(())
                }
                _ => Ok(()),
            };
            // What went wrong was said.
            let _: Res<()> = done;
        }
    }

    /// Statements in order.
    fn run_model(&mut self, id: InstId, stmts: &'a [ast::Stmt]) {
        for stmt in stmts {
            if let Some(choice) = walk::choice(stmt) {
                self.run_model(id, self.side_of(id, choice));
                continue;
            }
            self.scopes.frame_mut().span = stmt.span;
            // A statement that fails was said; the others are checked all the same.
            let _ = self.model_statement(id, stmt);
        }
    }

    fn model_statement(&mut self, id: InstId, stmt: &'a ast::Stmt) -> Res<()> {
        match &stmt.kind {
            StmtKind::Let { name, .. } | StmtKind::Draw { name, .. } | StmtKind::Loss { name, .. } => {
                self.model_member(id, name)?;
            }
            StmtKind::Output { name, ty, .. } => {
                let v = self.model_member(id, name)?;
                self.output(name, ty, v)?;
            }
            StmtKind::Var { name, ty, value } => {
                let v = self.var_value(ty.as_ref(), value);
                if let Some(MemberRef::Thunk(n)) = self.nets[id].members.get(&name.name).copied() {
                    self.nets[id].thunks[n] = Thunk::Var(v.clone().unwrap_or_else(Value::Poison), ty.as_ref());
                }
                v?;
            }
            StmtKind::Expr(_) | StmtKind::Assign { .. } | StmtKind::Update { .. } | StmtKind::Yield(_) => {
                let one = std::slice::from_ref(stmt);
                let v = self.statements(one)?;
                if !matches!(v, Value::Unit) {
                    let help = if block::is_negative(stmt) {
                        block::WENT_ON
                    } else {
                        "`output name: type = ..` gives it to the caller; `let` names it"
                    };
                    self.report
                        .say(Diagnostic::error(Code::H0220, stmt.span, "the value of this expression is not used").help(help));
                }
            }
            StmtKind::Const(defs) => {
                for d in defs {
                    self.model_member(id, &d.name)?;
                }
            }
            StmtKind::ConstDraw(d) => {
                self.model_member(id, &d.name)?;
            }
            StmtKind::Param(_)
            | StmtKind::Sub(_)
            | StmtKind::Relation(_)
            | StmtKind::Each(_)
            | StmtKind::Signature(_)
            | StmtKind::Input { .. }
            | StmtKind::Condition { .. }
            | StmtKind::Seed(_) => {}
        }
        Ok(())
    }

    fn model_member(&mut self, id: InstId, name: &ast::Ident) -> Res<Value<'a>> {
        match self.nets[id].members.get(&name.name).copied() {
            Some(m) => self.member_value(id, m, name.span),
            None => self.report.bug(name.span, "a member has gone"),
        }
    }

    /// Puts found ranges into the graph, and hands it over.
    fn finish(&mut self) {
        let mut graph = self.build.take_graph();
        self.settle(&mut graph);
        graph.pins = self.pinned.take();
        self.out.model.graph = graph;
    }

    /// Puts found ranges into a graph.
    pub fn settle(&self, graph: &mut Graph) {
        for id in graph.ids() {
            let node = graph.node_mut(id);
            for axis in node.shape.iter_mut().chain(&mut node.inner) {
                axis.size = self.axes.resolve(&axis.size);
            }
            match &mut node.op {
                Op::Extent(s) => *s = self.axes.resolve(s),
                Op::Loop(body) => {
                    body.trips = self.axes.resolve(&body.trips);
                    self.settle(&mut body.graph);
                }
                _ => {}
            }
        }
    }
}

/// Checks the root file: every model, every block, and the nets that no model uses.
pub fn check(program: &Program, options: &Options, sink: &mut Sink) -> Vec<Model> {
    let mut models = vec![];
    let mut used = HashSet::new();
    let root = &program.files[0].ast;
    let mut any = false;
    let mut entered = 0;
    let first = Checker::new(program, options, Report::new(std::mem::take(sink)));
    let shared = first.shared();
    let mut report = first.report;
    for item in &root.items {
        let ItemKind::Model(def) = &item.kind else { continue };
        any = true;
        let most = MAX_ENTERED.min(MAX_IN_ALL - entered);
        let mut checker = Checker::with(program, options, report, shared.clone(), most);
        let model = checker.model(def, item.doc.clone(), |c| c.model_blocks(def));
        used.extend(checker.nets.used.iter().copied());
        entered = MAX_IN_ALL.min(entered + checker.scopes.entered());
        report = checker.report;
        models.extend(model);
    }
    let mut checker = Checker::with(program, options, report, shared.clone(), MAX_ENTERED);
    checker.blocks_of_unknown_models();
    if !any {
        checker.sees_constants();
    }
    checker.unknown_settings();
    *sink = checker.report.into_sink();
    super::generic::check(program, options, &used, &shared, entered, sink);
    // What is read is known where all is right.
    if !sink.has_errors() {
        super::unused::check(program, sink);
    }
    models
}
