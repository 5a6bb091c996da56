//! What a model is run on: inputs and conditions from files, from the command line, from their defaults, or drawn.
//!
//! In: a [`Model`] and a [`Request`]. Out: [`Given`]: a tensor for each input that there is one for, and the sizes of the
//! free dims. Promised: every value has its declared type and shape, every size is allowed. Whether an index lies inside of its axis
//! depends on what is computed of it: [`indices`] looks where that is known.

use super::known::{Known, declared};
use super::params::{READ, unread};
use super::{init, literal};
use crate::check::model::{Allowed, Init, Input, InputKind, Model};
use crate::diag::{Code, Diagnostic, Label, Severity, suggest};
use crate::files::archive::Archive;
use crate::files::stored::position;
use crate::ir::outside::arriving;
use crate::ir::sizes::Sizes;
use crate::ir::{DType, Data, Sym, Tensor};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the user gave.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub files: Vec<PathBuf>,
    /// `task=3`, `lam=0.3,0.7`, `instruction=@file.npy`
    pub conditions: Vec<(String, String)>,
    pub dims: Vec<(String, i64)>,
    /// Draws what is not given.
    pub random: bool,
    pub seed: i32,
}

/// What a run starts from.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub tensors: BTreeMap<String, Tensor>,
    pub sizes: Sizes,
    /// Inputs and conditions that there is no value for.
    pub absent: Vec<String>,
    pub warnings: Vec<Diagnostic>,
    /// Dims that were chosen because nothing said their size.
    pub chosen: Vec<(String, i64)>,
}

/// Rows of a free dim that nothing decides, when inputs are drawn.
const ROWS: i64 = 4;

/// Brings together what the user gave.
pub fn gather(model: &Model, request: &Request) -> Result<Given, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut out = Given::default();
    let mut known = Known::of(model);
    let mut note = |r: Result<(), Diagnostic>| problems.extend(r.err());
    for (name, size) in &request.dims {
        note(known.ask(model, name, *size));
    }
    for (name, text) in &request.conditions {
        note(condition(model, name, text, &mut known, &mut out));
    }
    for path in &request.files {
        match Archive::open(path) {
            Ok(file) => from_file(model, &file, &mut known, &mut out, &mut problems),
            Err(d) => problems.push(d),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    complete(model, request, &mut known, &mut out, &mut problems);
    for input in &model.inputs {
        match out.tensors.get(&input.name) {
            Some(t) => problems.extend(check(input, t, &known).err()),
            None => out.absent.push(input.name.clone()),
        }
    }
    out.sizes = known.sizes();
    if problems.is_empty() { Ok(out) } else { Err(problems) }
}

/// Values that a program brings (name, tensor, what a message calls it), with defaults for the rest.
pub fn assemble(
    model: &Model,
    values: Vec<(&Input, Tensor, String)>,
    extents: &[(Sym, i64)],
    seed: i32,
) -> Result<Given, Diagnostic> {
    let mut out = Given::default();
    let mut known = Known::of(model);
    for (name, size) in extents {
        known.assume(name, *size, "the batch");
    }
    for (input, tensor, who) in values {
        take(input, tensor, &who, &mut known, &mut out)?;
    }
    let mut problems = Vec::new();
    complete(model, &Request { seed, ..Request::default() }, &mut known, &mut out, &mut problems);
    if let Some(first) = problems.into_iter().next() {
        return Err(first);
    }
    for input in &model.inputs {
        match out.tensors.get(&input.name) {
            Some(t) => check(input, t, &known)?,
            None => out.absent.push(input.name.clone()),
        }
    }
    out.sizes = known.sizes();
    Ok(out)
}

/// Takes a value for an input.
fn take(input: &Input, tensor: Tensor, who: &str, known: &mut Known, out: &mut Given) -> Result<(), Diagnostic> {
    known.fit(input, &tensor.shape, who)?;
    learn(input, &tensor, known);
    out.tensors.insert(input.name.clone(), tensor);
    Ok(())
}

/// A size condition decides a size.
fn learn(input: &Input, tensor: &Tensor, known: &mut Known) {
    if matches!(input.kind, InputKind::Size(_)) && tensor.shape.is_empty() {
        known.assume(&input.name.as_str().into(), tensor.get(0) as i64, &format!("the condition `{}`", input.name));
    }
}

/// Names that `--condition` may give.
fn find<'a>(model: &'a Model, name: &str) -> Result<&'a Input, Diagnostic> {
    model.inputs.iter().find(|i| i.name == name).ok_or_else(|| {
        let d = Diagnostic::plain(Code::H0612, format!("the model has no condition or input `{name}`"));
        let names: Vec<&str> = model.inputs.iter().map(|i| i.name.as_str()).collect();
        match suggest(name, names.iter().copied()) {
            Some(near) => d.help(format!("there is `{near}`")),
            None if names.is_empty() => d.help("it has none at all"),
            None => d.help(format!("it has {}", names.join(", "))),
        }
    })
}

fn condition(model: &Model, name: &str, text: &str, known: &mut Known, out: &mut Given) -> Result<(), Diagnostic> {
    let input = find(model, name)?;
    if let Some(path) = text.strip_prefix('@') {
        let file = Archive::open(path.as_ref())?;
        let entry = if file.is_single() { file.names().next().map(String::from) } else { Some(name.to_string()) };
        let Some(stored) = entry.as_deref().and_then(|e| file.get(e)) else {
            if let Some(kind) = file.kind_unread(name) {
                return Err(Diagnostic::plain(Code::H0616, unread(name, path, kind)).help(READ));
            }
            return Err(Diagnostic::plain(Code::H0612, format!("`{path}` has no tensor `{name}`")));
        };
        let tensor = stored.load(input.dtype).map_err(|d| at(input, d))?;
        return take(input, tensor, &format!("the value in `{path}`"), known, out);
    }
    let tensor = literal::parse(input, text, known)?;
    take(input, tensor, &format!("`--condition {name}={text}`"), known, out)
}

/// Gives a message about a value the place where the input is declared.
fn at(input: &Input, d: Diagnostic) -> Diagnostic {
    if d.primary.is_some() {
        return d;
    }
    let place = Some(Label::at(input.span));
    Diagnostic { primary: place, ..d }.here(format!("declared as {}", declared(input)))
}

fn from_file(model: &Model, file: &Archive, known: &mut Known, out: &mut Given, problems: &mut Vec<Diagnostic>) {
    for name in file.names() {
        let input = match model.inputs.iter().find(|i| i.name == name) {
            Some(input) => input,
            None if file.is_single() => match only_input(model, out) {
                Some(input) => input,
                None => {
                    problems.push(which_input(model, file.name()));
                    return;
                }
            },
            None => {
                out.warnings.push(unknown_column(model, name, file.name()));
                continue;
            }
        };
        if out.tensors.contains_key(&input.name) {
            continue;
        }
        let who = format!("`{name}` in `{}`", file.name());
        let loaded = file.get(name).expect("a name of this file").load(input.dtype).map_err(|d| at(input, d));
        problems.extend(loaded.and_then(|t| take(input, t, &who, known, out)).err());
    }
    for (name, kind) in file.unread().iter().filter(|(n, _)| model.inputs.iter().any(|i| i.name == *n)) {
        problems.push(Diagnostic::plain(Code::H0616, unread(name, file.name(), kind)).help(READ));
    }
}

/// The one tensor that a nameless file must be meant for.
fn only_input<'a>(model: &'a Model, out: &Given) -> Option<&'a Input> {
    let mut open = model.inputs.iter().filter(|i| !i.condition && !out.tensors.contains_key(&i.name));
    open.next().filter(|_| open.next().is_none())
}

fn which_input(model: &Model, file: &str) -> Diagnostic {
    let names: Vec<String> = model.inputs.iter().map(|i| format!("`{}`", i.name)).collect();
    Diagnostic::plain(Code::H0612, format!("`{file}` does not say which input it is for"))
        .help(format!("call the file like the input (the model has {}), or use safetensors", names.join(", ")))
}

fn unknown_column(model: &Model, name: &str, file: &str) -> Diagnostic {
    let d = Diagnostic::plain(Code::H0612, format!("`{name}` in `{file}` is no input of the model; it is left out"));
    let d = Diagnostic { severity: Severity::Warning, ..d };
    match suggest(name, model.inputs.iter().map(|i| i.name.as_str())) {
        Some(near) => d.help(format!("there is an input `{near}`")),
        None => d,
    }
}

/// Defaults, then drawn values.
fn complete(model: &Model, request: &Request, known: &mut Known, out: &mut Given, problems: &mut Vec<Diagnostic>) {
    for input in &model.inputs {
        if let (false, Some(value)) = (out.tensors.contains_key(&input.name), &input.default) {
            problems.extend(default(model, input, value, request.seed, known, out).err());
        }
    }
    if !request.random {
        return;
    }
    let sizes = model.inputs.iter().filter(|i| matches!(i.kind, InputKind::Size(_)));
    let others = model.inputs.iter().filter(|i| !matches!(i.kind, InputKind::Size(_)));
    for input in sizes.chain(others) {
        if out.tensors.contains_key(&input.name) {
            continue;
        }
        for symbol in known.unknown(input).into_iter().flat_map(|s| s.symbols()).collect::<Vec<_>>() {
            if known.get(&symbol).is_none() {
                known.assume(&symbol, ROWS, "it was chosen, for nothing says it");
                out.chosen.push((symbol.to_string(), ROWS));
            }
        }
        problems.extend(drawn(input, request.seed, known, out).err());
    }
}

fn default(model: &Model, input: &Input, value: &Init, seed: i32, known: &mut Known, out: &mut Given) -> Result<(), Diagnostic> {
    let tensor = match value {
        Init::Node(node) => init::evaluate(model, *node, input.dtype, &known.sizes(), seed, &std::collections::BTreeMap::new())?,
        _ => match known.shape(input) {
            Some(shape) => init::draw(value, &input.name, input.dtype, shape, seed)?,
            None => return Ok(()),
        },
    };
    take(input, tensor, "the default", known, out)
}

/// A value to try a model with: normal, or for whole numbers below their bound.
fn drawn(input: &Input, seed: i32, known: &mut Known, out: &mut Given) -> Result<(), Diagnostic> {
    let Some(shape) = known.shape(input) else { return Ok(()) };
    let below = input.below.as_ref().and_then(|s| known.eval(s)).unwrap_or(2);
    let how = match (&input.kind, input.dtype) {
        (InputKind::Size(allowed), _) => Init::Fill(first_allowed(allowed) as f64),
        (InputKind::Seed, _) => Init::Fill(seed.into()),
        (InputKind::Tensor, DType::F32) => Init::Normal { mean: 0.0, std: 1.0 },
        (InputKind::Tensor, DType::I32) => Init::RandInt { n: below as f64 },
        (InputKind::Tensor, DType::Bool) => Init::Bernoulli { p: 0.5 },
    };
    let tensor = init::draw(&how, &input.name, input.dtype, shape, seed)?;
    take(input, tensor, "the drawn value", known, out)
}

fn first_allowed(allowed: &Allowed) -> i64 {
    match allowed {
        Allowed::Any => ROWS,
        Allowed::Range(from, _) => *from,
        Allowed::List(list) => list.first().copied().unwrap_or(1),
    }
}

/// Whether the inputs that these outputs use as indices lie inside. A run would find out, too; here it is known which element it is.
pub fn indices(model: &Model, outputs: &[usize], given: &Given) -> Result<(), Diagnostic> {
    let graph = &model.graph;
    let reach = graph.reachable(outputs.iter().map(|k| graph.outputs[*k].node));
    for (path, axis) in graph.ids().filter(|id| reach[id.index()]).filter_map(|id| arriving(graph, id)) {
        let input = model.inputs.iter().find(|i| *i.name == **path);
        let (Some(input), Some(t)) = (input, given.tensors.get(&**path)) else { continue };
        let (Data::I32(values), Some(below)) = (&t.data, axis.size.eval(&|s| given.sizes.get(s).copied())) else { continue };
        let Some(bad) = values.iter().position(|v| !(0..below).contains(&i64::from(*v))) else { continue };
        let place = if t.shape.is_empty() { String::new() } else { format!(" at {}", position(&t.shape, bad)) };
        return Err(out_of_range(input, below, &format!("{}{place}", values[bad])));
    }
    Ok(())
}

/// The message for an input that indexes an axis of length `below` and has this value, and where.
pub fn out_of_range(input: &Input, below: i64, value: &str) -> Diagnostic {
    let range = if below == 0 { "nothing".to_string() } else { format!("0 to {}", below - 1) };
    Diagnostic::error(Code::H0610, input.span, format!("`{}` has an index that is out of range", input.name))
        .here(format!("indexes an axis of length {below}: {range} is allowed"))
        .note(format!("the value is {value}"))
}

/// Bounds of a value: its shape, sizes.
fn check(input: &Input, t: &Tensor, known: &Known) -> Result<(), Diagnostic> {
    // A size that was found after this value came in.
    known.clone().fit(input, &t.shape, "the value")?;
    allowed(input, t)
}

/// Whether a condition that is a size may be this. Errors: H0611.
pub fn allowed(input: &Input, t: &Tensor) -> Result<(), Diagnostic> {
    let Data::I32(values) = &t.data else { return Ok(()) };
    let InputKind::Size(allowed) = &input.kind else { return Ok(()) };
    let fits = |v: i64| match allowed {
        Allowed::Any => v >= 0,
        Allowed::Range(from, to) => (*from..*to).contains(&v),
        Allowed::List(list) => list.contains(&v),
    };
    match values.iter().position(|v| !fits((*v).into())) {
        None => Ok(()),
        Some(bad) => Err(Diagnostic::error(Code::H0611, input.span, format!("`{}` cannot be {}", input.name, values[bad])).here(
            match allowed {
                Allowed::Any => "a size is not negative".to_string(),
                Allowed::Range(from, to) => format!("{from} to {} are allowed", to - 1),
                Allowed::List(list) => format!("{list:?} are allowed"),
            },
        )),
    }
}
