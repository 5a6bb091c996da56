//! A model as a folder that any web server can serve: shaders, weights, a module with types, and a page to try it.
//!
//! ```text
//! graph ─optimize→ graph ─variants→ programs at several sizes ─table→ programs.json, wgsl/*.wgsl
//!                                                             └module→ model.js, model.d.ts   (+ runtime.js, the same for all)
//! ```
//!
//! In: a checked model and its parameters. Out: a [`Bundle`] of files; their bytes depend on nothing but these. The page itself
//! needs nothing else: no package, no other server, no evaluation of text as code.

mod examples;
mod expr;
mod folder;
mod guards;
mod known;
mod module;
mod table;
mod train;
mod variants;
mod ways;

pub use folder::write;
pub use variants::{Family, family};

use crate::bind::init;
use crate::check::model::{Init, Model, Train};
use crate::diag::{Code, Diagnostic, suggest};
use crate::files::archive::{self, Archive};
use crate::gpu::{Kind, Locate, Program};
use crate::ir::outside::arriving;
use crate::ir::{DType, Data, Graph, NodeId, Op, Origin, OutputKind, Sym, Tensor, needs};
use crate::opt;
use crate::plan::Sizes;
use module::{Ask, Chosen, Indexes, Measure, Output, Parts};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use table::Table;

/// What a bundle is made of.
pub struct Request<'a> {
    pub model: &'a Model,
    pub params: BTreeMap<String, Tensor>,
    /// The lines at the top of the file, for the page.
    pub about: String,
    /// Paths in `eval` blocks start here.
    pub folder: &'a Path,
    /// Inputs beside the model: the page's examples where no `eval` block has better ones.
    pub inputs: Option<&'a Archive>,
    /// Names of the outputs; all that can be computed where there are none.
    pub outputs: &'a [String],
    /// Says which line a place is, for messages of the page.
    pub locate: Locate<'a>,
    /// The block by which the page trains.
    pub train: Option<&'a Train>,
    /// Instead of the block's own.
    pub seed: Option<i32>,
}

/// A file of the bundle, its path relative to the folder.
pub struct File {
    pub path: String,
    pub bytes: Vec<u8>,
}

/// What was built.
pub struct Bundle {
    pub files: Vec<File>,
    /// Remarks: outputs that were left out, and why.
    pub notes: Vec<String>,
}

impl Bundle {
    /// A file's text; empty where there is no such file.
    pub fn text(&self, path: &str) -> &str {
        let file = self.files.iter().find(|f| f.path == path);
        file.and_then(|f| std::str::from_utf8(&f.bytes).ok()).unwrap_or("")
    }
}

const RUNTIME: &str = include_str!("runtime.js");
const PAGE: &str = include_str!("index.html");
const STYLE: &str = include_str!("demo.css");
const DEMO: &str = include_str!("demo.js");
const TEST: &str = include_str!("test.js");
const TEST_TYPES: &str = include_str!("test.d.ts");
/// More, where the page learns.
const LEARNS: [(&str, &str); 3] = [
    ("train.js", include_str!("train/train.js")),
    ("order.js", include_str!("train/order.js")),
    ("learn.js", include_str!("train/learn.js")),
];

/// Outputs of the graph that the page offers.
fn chosen(request: &Request, notes: &mut Vec<String>) -> Result<Vec<usize>, Diagnostic> {
    let model = request.model;
    let graph = &model.graph;
    let known = |path: &str, origin: Origin| match origin {
        Origin::Input | Origin::Condition => model.inputs.iter().any(|i| i.name == path),
        Origin::Param | Origin::State | Origin::Load => request.params.contains_key(path),
        Origin::Seed => true,
    };
    let mut out = Vec::new();
    for (k, output) in graph.outputs.iter().enumerate().filter(|(_, o)| o.kind != OutputKind::Update) {
        if !request.outputs.is_empty() && !request.outputs.iter().any(|n| **n == *output.name) {
            continue;
        }
        let reach = graph.reachable([output.node]);
        let lacks = graph.ids().filter(|id| reach[id.index()]).find_map(|id| match &graph.node(id).op {
            Op::Source { path, origin } if !known(path, *origin) => Some(path.clone()),
            _ => None,
        });
        match lacks {
            None => out.push(k),
            Some(path) => notes.push(format!("left out {}: it needs `{path}`", output.name)),
        }
    }
    let all: Vec<&str> = graph.outputs.iter().map(|o| &*o.name).collect();
    if let Some(name) = request.outputs.iter().find(|n| !all.contains(&n.as_str())) {
        let d = Diagnostic::plain(Code::H0612, format!("`{}` has no output `{name}`", model.name));
        return Err(match suggest(name, all.iter().copied()) {
            Some(near) => d.help(format!("there is `{near}`")),
            None => d.help(format!("it has {}", all.join(", "))),
        });
    }
    if out.is_empty() {
        let d = Diagnostic::plain(Code::H0911, format!("`{}` has no output that a page can compute", model.name));
        return Err(notes.drain(..).fold(d, Diagnostic::note));
    }
    Ok(out)
}

/// What nodes are computed from, and the sizes in it that values decide.
fn reached(graph: &Graph, roots: &[NodeId]) -> Vec<bool> {
    let mut roots = roots.to_vec();
    loop {
        let reach = graph.reachable(roots.iter().copied());
        let symbols: BTreeSet<Sym> = graph.ids().filter(|id| reach[id.index()]).flat_map(|id| graph.symbols_of(id)).collect();
        let more = graph.measured.iter().filter(|(s, n)| symbols.contains(&**s) && !roots.contains(n));
        let more: Vec<NodeId> = more.map(|(_, n)| *n).collect();
        if more.is_empty() {
            return reach;
        }
        roots.extend(more);
    }
}

/// Inputs that a node is computed from.
fn needs(model: &Model, graph: &Graph, root: NodeId) -> Vec<String> {
    let reach = reached(graph, &[root]);
    let paths: BTreeSet<&str> = graph
        .ids()
        .filter(|id| reach[id.index()])
        .filter_map(|id| match &graph.node(id).op {
            Op::Source { path, .. } => Some(&**path),
            _ => None,
        })
        .collect();
    // A condition that is a size is read through the shapes.
    let sizes: BTreeSet<Sym> = graph.ids().filter(|id| reach[id.index()]).flat_map(|id| graph.symbols_of(id)).collect();
    let names = model.inputs.iter().filter(|i| paths.contains(i.name.as_str()) || sizes.contains(i.name.as_str()));
    names.map(|i| i.name.clone()).collect()
}

/// What outputs ask of sizes that data give.
fn asks(graph: &Graph, roots: &[NodeId], locate: Locate) -> Vec<Ask> {
    let mut out: Vec<Ask> = Vec::new();
    for (k, root) in roots.iter().enumerate() {
        for need in needs::all(graph, &reached(graph, &[*root])) {
            match out.iter_mut().find(|a| a.need == need) {
                Some(known) if known.by.last() == Some(&k) => {}
                Some(known) => known.by.push(k),
                None => out.push(Ask { place: locate(need.span).unwrap_or_default(), need, by: vec![k] }),
            }
        }
    }
    // Where an earlier one says the same for all these outputs, a later one never speaks.
    let same = |a: &Ask, b: &Ask| (&a.need.least, &a.need.most, a.need.kind) == (&b.need.least, &b.need.most, b.need.kind);
    let mut kept: Vec<Ask> = Vec::new();
    for ask in out {
        if !kept.iter().any(|k| same(k, &ask) && ask.by.iter().all(|output| k.by.contains(output))) {
            kept.push(ask);
        }
    }
    kept
}

/// For each input what it must lie on as it is, and which outputs ask for that.
fn indexing(graph: &Graph, roots: &[NodeId]) -> BTreeMap<String, Vec<Indexes>> {
    let mut out: BTreeMap<String, Vec<Indexes>> = BTreeMap::new();
    for (k, root) in roots.iter().enumerate() {
        let reach = graph.reachable([*root]);
        for (path, axis) in graph.ids().filter(|id| reach[id.index()]).filter_map(|id| arriving(graph, id)) {
            let list = out.entry(path.to_string()).or_default();
            match list.iter_mut().find(|i| i.below == axis.size) {
                Some(known) if known.by.last() == Some(&k) => {}
                Some(known) => known.by.push(k),
                None => list.push(Indexes { below: axis.size.clone(), by: vec![k] }),
            }
        }
    }
    out
}

/// Defaults that are neither one number nor of open shape, computed now.
fn defaults(model: &Model, fixed: &Sizes) -> Result<BTreeMap<String, Tensor>, Diagnostic> {
    let mut out = BTreeMap::new();
    for i in &model.inputs {
        let shape: Option<Vec<usize>> =
            i.shape.iter().map(|(_, s)| usize::try_from(s.eval(&|n| fixed.get(n).copied())?).ok()).collect();
        let tensor = match (&i.default, shape) {
            (None | Some(Init::Fill(_)), _) | (_, None) => continue,
            (Some(Init::Node(node)), Some(_)) => init::evaluate(model, *node, i.dtype, fixed, 0, &BTreeMap::new())?,
            (Some(how), Some(shape)) => init::draw(how, &i.name, i.dtype, shape, 0)?,
        };
        out.insert(i.name.clone(), tensor);
    }
    Ok(out)
}

/// Builds the folder. Errors: nothing can be computed (H0911), or the planner refuses.
pub fn bundle(request: &Request) -> Result<Bundle, Diagnostic> {
    let model = request.model;
    let mut notes = Vec::new();
    let outputs = chosen(request, &mut notes)?;
    let mut part = model.graph.clone();
    part.outputs.clear();
    let roots: Vec<NodeId> = outputs.iter().map(|k| model.graph.outputs[*k].node).collect();
    let (graph, roots) = opt::optimize_keeping(&part, &roots, &mut |_, _| {});
    let fixed: Sizes = model.dims.iter().filter_map(|d| Some((d.name.clone(), d.size?))).collect();
    let allowed: BTreeMap<Sym, Vec<i64>> =
        model.inputs.iter().filter_map(|i| Some((i.name.as_str().into(), module::allowed(i)?))).collect();
    let described: Vec<Output> =
        outputs.iter().zip(&roots).map(|(k, root)| described(model, *k, needs(model, &graph, *root))).collect();
    let mut table = Table::default();
    let mut make = |wanted: &[NodeId], outputs: Vec<String>| -> Result<Chosen, Diagnostic> {
        let family = variants::family(&graph, wanted, &fixed, &allowed)?;
        let numbers = family.programs.iter().map(|p| table.add(p, request.locate)).collect();
        Ok(Chosen { outputs, family, numbers })
    };
    let asks = asks(&graph, &roots, request.locate);
    let indexing = indexing(&graph, &roots);
    let families = families(model, &described, &roots, &mut make)?;
    let mut measures = Vec::new();
    let reach = graph.reachable(roots.iter().copied());
    for (dim, node) in graph.measured.iter().filter(|(_, n)| reach[n.index()]) {
        let dtype = graph.node(*node).dtype;
        let needs = needs(model, &graph, *node);
        measures.push(Measure { dim: dim.to_string(), dtype, needs, chosen: make(&[*node], vec![])? });
    }
    let mut columns = train::Columns::default();
    let lesson = lesson(request, &mut table, &mut columns, &mut notes)?;
    let all = || families.iter().chain(measures.iter().map(|m| &m.chosen));
    let seed = used(all()).contains("seed") && !model.inputs.iter().any(|i| i.name == "seed");
    let used = used(all().chain(lesson.iter().flat_map(train::chosen)));
    let shaders = std::mem::take(&mut table.shaders);
    let names: Vec<String> = shaders.iter().map(|s| s.0.clone()).collect();
    let (mut programs, sizes) = table.finish();
    programs["shaders"] = names.into();
    let defaults = defaults(model, &fixed)?;
    let parts = Parts {
        model,
        outputs: &described,
        families: &families,
        measures: &measures,
        sizes: &sizes,
        asks: &asks,
        indexing: &indexing,
        defaults: &defaults,
        seed,
        lesson: lesson.as_ref(),
    };
    let mut demo = examples::demo(request)?;
    let held = if lesson.is_some() { train::held(request, &described)? } else { None };
    if let Some((about, _)) = &held {
        demo["held"] = about.clone();
    }
    let title = model.name.replace('&', "&amp;").replace('<', "&lt;");
    let mut files = vec![
        file("index.html", PAGE.replace("{{title}}", &title)),
        file("demo.css", STYLE),
        file("demo.js", DEMO),
        file("demo.json", demo.to_string()),
        file("model.js", module::script(&parts)),
        file("model.d.ts", module::types(&parts)),
        file("runtime.js", RUNTIME),
        file("test.js", TEST),
        file("test.d.ts", TEST_TYPES),
        file(known::FILE, known::known(request, &described, &families, &fixed).to_string()),
        file("programs.json", programs.to_string()),
        File { path: "weights.safetensors".into(), bytes: weights(request, &used)? },
    ];
    if lesson.is_some() {
        files.extend(LEARNS.map(|(path, text)| file(path, text)));
    }
    files.extend(held.map(|(_, bytes)| File { path: train::HELD.into(), bytes }));
    files.extend(columns.file()?.map(|bytes| File { path: train::FILE.into(), bytes }));
    files.extend(shaders.into_iter().map(|(name, code)| file(&format!("wgsl/{name}"), code)));
    Ok(Bundle { files, notes })
}

/// An output of the model's graph.
fn described(model: &Model, output: usize, needs: Vec<String>) -> Output {
    let output = &model.graph.outputs[output];
    let node = model.graph.node(output.node);
    let shape = node.shape.iter().map(|a| a.size.clone()).collect();
    Output { name: output.name.to_string(), dtype: node.dtype, shape, needs }
}

/// How the page trains, where it does.
fn lesson<'a>(
    request: &Request<'a>,
    table: &mut Table,
    columns: &mut train::Columns,
    notes: &mut Vec<String>,
) -> Result<Option<train::Lesson<'a>>, Diagnostic> {
    let Some(block) = request.train else { return Ok(None) };
    let add = &mut |p: &Program| table.add(p, request.locate);
    let make = &mut |graph: &Graph, wanted: &[NodeId], fixed: &Sizes, allowed: &BTreeMap<Sym, Vec<i64>>| {
        train::made(graph, wanted, fixed, allowed, add)
    };
    train::teach(request, block, make, columns, notes).map(Some)
}

fn file(path: &str, text: impl Into<String>) -> File {
    File { path: path.to_string(), bytes: text.into().into_bytes() }
}

/// One family for all outputs; the page leaves out what its inputs are not enough for. Where fused kernels mix inputs of several
/// outputs, sets that need fewer have one of their own, and stand first.
fn families(
    model: &Model,
    outputs: &[Output],
    roots: &[NodeId],
    make: &mut dyn FnMut(&[NodeId], Vec<String>) -> Result<Chosen, Diagnostic>,
) -> Result<Vec<Chosen>, Diagnostic> {
    let names = |set: &[usize]| set.iter().map(|k| outputs[*k].name.clone()).collect::<Vec<_>>();
    let all: Vec<usize> = (0..outputs.len()).collect();
    let whole = make(roots, names(&all))?;
    let mut sets: Vec<(Vec<usize>, BTreeSet<&String>)> = Vec::new();
    for o in outputs {
        let needs: BTreeSet<&String> = o.needs.iter().collect();
        let set: Vec<usize> = all.iter().copied().filter(|k| outputs[*k].needs.iter().all(|n| needs.contains(n))).collect();
        if set.len() < all.len() && !sets.iter().any(|s| s.0 == set) {
            sets.push((set, needs));
        }
    }
    sets.sort_by_key(|s| s.0.len());
    let mut out = Vec::new();
    for (set, needs) in sets {
        let mixed = |p: &Program| {
            let sources = table::sources(p, &set);
            model.inputs.iter().any(|i| sources.contains(&i.name) && !needs.contains(&i.name))
        };
        if whole.family.programs.iter().any(mixed) {
            let roots: Vec<NodeId> = set.iter().map(|k| roots[*k]).collect();
            out.push(make(&roots, names(&set))?);
        }
    }
    out.push(whole);
    Ok(out)
}

/// Paths of all sources.
fn used<'c>(all: impl Iterator<Item = &'c Chosen>) -> BTreeSet<String> {
    let programs = all.flat_map(|c| &c.family.programs);
    programs
        .flat_map(|p| &p.buffers)
        .filter_map(|b| match &b.kind {
            Kind::Source(path) => Some(path.to_string()),
            Kind::Temp | Kind::Output => None,
        })
        .collect()
}

/// The parameters that a program reads; a bool as a number, as a device wants it.
fn weights(request: &Request, used: &BTreeSet<String>) -> Result<Vec<u8>, Diagnostic> {
    let number = |t: &Tensor| match t.dtype() {
        DType::Bool => Tensor::new(t.shape.clone(), Data::I32((0..t.len()).map(|i| t.get(i) as i32).collect())),
        DType::F32 | DType::I32 => t.clone(),
    };
    let tensors: Vec<(String, Tensor)> =
        request.params.iter().filter(|(path, _)| used.contains(*path)).map(|(path, t)| (path.clone(), number(t))).collect();
    archive::bytes(&tensors).map_err(|e| Diagnostic::plain(Code::H0003, format!("cannot write the weights: {e}")))
}
