//! `hnet specialize`: the model that a condition leaves, with what was generated for it as plain parameters.
//!
//! The relations of a model are cut out of its text, and what they gave its parameters is computed and stored under the parameters' own
//! names. What is left is a program like any other: it is checked, and runs beside the one that it came from before anything is written.

mod cut;
mod kept;

use super::check::grouped;
use super::expect;
use super::given::Values;
use super::open::{self, Opened, Which};
use super::run::Where;
use super::talk::{self, Exit, Talk, usage};
use crate::bind::inputs::{self, Given};
use crate::check::model::{InputKind, Model};
use crate::diag::{Code, Diagnostic, Severity};
use crate::exec::session::{self, Options, Session};
use crate::files::{archive, atomic};
use crate::ir::{OutputKind, Tensor};
use crate::pipeline;
use crate::source::Sources;
use cut::{Cut, Left, alone};
use kept::Kept;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Write the small model that a condition leaves, with generated weights as plain parameters
#[derive(clap::Args)]
#[command(after_help = "Example:
  hnet specialize inr.hnet --condition z=@code.npy -o cat.hnet

writes cat.hnet and cat.params.safetensors: the generated network alone. Relations that depend on inputs stay, and so does what reads a
condition otherwise, which becomes a parameter. Train, eval and weights blocks are left out. Both models run on the same inputs before
anything is written, and have to agree.")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    values: Values,
    /// The program that is written; its parameters go beside it
    #[arg(long, short, value_name = "F.hnet")]
    out: PathBuf,
    #[command(flatten)]
    place: Where,
}

/// How far the two models may be apart, as a part of the largest number of an output.
const FAR: f64 = 1e-4;

/// What both models run on, and how.
struct Run {
    given: Given,
    params: BTreeMap<String, Tensor>,
    options: Options,
    seed: i32,
}

/// What is written.
struct Small {
    model: Model,
    sources: Sources,
    left: Left,
    params: BTreeMap<String, Tensor>,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let talk = Talk::Text;
    args.values.once()?;
    let out = &args.out;
    if out.extension().is_none_or(|e| e != "hnet") {
        return Err(usage(&format!("`-o {}` is the program that is written: its name ends in .hnet", out.display())));
    }
    let params_file = out.with_extension("params.safetensors");
    let options = args.place.options(talk).map_err(|d| talk.fail(&Sources::default(), d))?;
    let opened = open::model(&args.which, talk)?;
    opened.spare(&params_file, &args.values.params)?;
    spare(&opened, out)?;
    if let Some(there) = [out, &params_file].into_iter().find(|f| f.exists()) {
        return Err(usage(&format!(
            "`{}` is there already, and nothing is written over it: remove it, or name another",
            there.display()
        )));
    }
    let given = gathered(args, &opened, talk)?;
    let params = opened.params(&args.values.params, &given.sizes, args.values.seed, talk)?;
    let run = Run { given, params, options, seed: args.values.seed };
    let small = small(&opened, &run, talk)?;
    let far = compared(&opened, &small, &run, talk)?;
    if let Some(folder) = out.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| opened.fail(talk, &[atomic::cannot(out, &e)]))?;
    }
    let named: Vec<(String, Tensor)> = small.params.iter().map(|(k, t)| (k.clone(), t.clone())).collect();
    archive::save_params(&params_file, &named).map_err(|d| opened.fail(talk, &[d]))?;
    atomic::write(out, small.left.text.as_bytes()).map_err(|d| opened.fail(talk, &[d]))?;
    told(&small, &run.params, far, (out, &params_file));
    Ok(())
}

/// Refuses to write over a program that is read here.
fn spare(opened: &Opened, out: &Path) -> Result<(), Exit> {
    let real = |p: &Path| p.canonicalize().ok();
    let read = opened.sources.iter().filter_map(|(_, s)| s.path.as_deref()).any(|p| real(p).is_some() && real(p) == real(out));
    if read {
        return Err(usage(&format!("`{}` is read here: write to another file", out.display())));
    }
    let home = |p: &Path| real(if p.as_os_str().is_empty() { Path::new(".") } else { p });
    let imports = opened.sources.iter().filter(|(_, s)| s.path.is_some()).count() > 1;
    if imports && home(opened.folder()) != home(out.parent().unwrap_or(Path::new(""))) {
        let folder = opened.folder().display();
        return Err(usage(&format!("the model imports files that lie beside it: write to that folder, `{folder}`, too")));
    }
    Ok(())
}

/// Inputs, drawn where nobody gives them, and conditions, which somebody has to give.
fn gathered(args: &Args, opened: &Opened, talk: Talk) -> Result<Given, Exit> {
    let fail = |list: &[Diagnostic]| opened.fail(talk, list);
    let mut request = args.values.request(opened, true, false, talk);
    let known = inputs::gather(&opened.model, &request).map_err(|list| fail(&list))?;
    let conditions = opened.model.inputs.iter().filter(|i| i.condition);
    let absent: Vec<&str> = conditions.clone().map(|i| i.name.as_str()).filter(|n| known.absent.iter().any(|a| a == n)).collect();
    if conditions.count() == 0 {
        let name = &opened.model.name;
        return Err(usage(&format!(
            "`{name}` has no condition that it could be specialized for: `condition z: [8]`, instead of `input z: [8]`, says what stays the same"
        )));
    }
    if let Some(name) = absent.first() {
        let d = Diagnostic::plain(
            Code::H0601,
            format!("`{}` is to be specialized, and nobody says what {} is", opened.model.name, absent.join(", ")),
        );
        return Err(fail(&[d.help(format!("say it: --condition {name}=.., or --inputs with a tensor of that name"))]));
    }
    request.random = true;
    let given = inputs::gather(&opened.model, &request).map_err(|list| fail(&list))?;
    talk.say(&opened.sources, &given.warnings)?;
    Ok(given)
}

/// The small model and its parameters. Relations whose values depend on inputs are found by trying: they stay.
fn small(opened: &Opened, run: &Run, talk: Talk) -> Result<Small, Exit> {
    let model = &opened.model;
    let fixed = |i: &&crate::check::model::Input| {
        i.condition && !matches!(i.kind, InputKind::Seed) && i.shape.iter().all(|a| a.0.is_none())
    };
    let conditions: BTreeMap<String, Tensor> = model
        .inputs
        .iter()
        .filter(fixed)
        .filter_map(|i| Some((i.name.clone(), run.given.tensors.get(&i.name)?.clone())))
        .collect();
    let text = opened.sources.get(opened.root).text.clone();
    let relations = cut::applicable(&text, &model.name);
    let mut kept = Kept::none(&relations);
    loop {
        let cut = Cut { model: &model.name, set: &opened.set, conditions: &conditions, kept: &kept.numbers };
        let left = cut.apply(&text);
        if left.applied.is_empty()
            && left.stored.is_empty()
            && model.inputs.iter().all(|i| !i.condition || !conditions.contains_key(&i.name))
        {
            return Err(usage(
                "whatever this model does with its conditions depends on inputs, too: nothing can be computed ahead",
            ));
        }
        let mut sources = Sources::default();
        let source = opened.sources.get(opened.root);
        let root = sources.add(source.name.clone(), source.path.as_deref(), left.text.as_str());
        let checked = pipeline::check_with(&mut sources, &*opened.loader(), root, &[]);
        let wrong = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
        let Some(made) = checked.models.into_iter().next().filter(|_| wrong == 0) else {
            return Err(cannot(opened, &checked.diagnostics));
        };
        // What only relations that stay give to is stored as it was.
        let stays = |path: &String| kept.wholly(&member(path));
        let (own, wanted): (Vec<String>, Vec<String>) =
            made.params.iter().map(|p| p.path.clone()).filter(|p| !left.stored.contains(p)).partition(stays);
        match written(opened, &wanted, &kept.left_out(), run, talk)? {
            Ok(mut values) => {
                values.extend(own.into_iter().filter_map(|path| run.params.get(&path).cloned().map(|t| (path, t))));
                values.extend(left.stored.iter().filter_map(|name| Some((name.clone(), conditions.get(name)?.clone()))));
                return Ok(Small { model: made, sources, left, params: values });
            }
            Err(roots) => {
                for root in &roots {
                    let of = |path: &&String| member(path) == *root;
                    let own: Vec<String> = wanted.iter().filter(of).cloned().collect();
                    let computable = |k: &Kept| written(opened, &own, &k.left_out(), run, talk).map(|made| made.is_ok());
                    if !kept.keep(root, &computable)? {
                        return Err(cannot(opened, &[]));
                    }
                }
            }
        }
    }
}

/// What is left is no model, or cannot be computed.
fn cannot(opened: &Opened, why: &[Diagnostic]) -> Exit {
    let name = &opened.model.name;
    let why = why.iter().find(|d| d.is_fatal()).map_or(String::new(), |d| format!(": {}", d.message));
    usage(&format!("`{name}` cannot be specialized, as what its conditions leave is no model by itself{why}"))
}

/// Computes parameters after their relations, but those that are left out: by path, each `*` a number. Where some depend on inputs, the members that they belong to.
fn written(
    opened: &Opened,
    paths: &[String],
    left_out: &BTreeSet<usize>,
    run: &Run,
    talk: Talk,
) -> Result<Result<BTreeMap<String, Tensor>, Vec<String>>, Exit> {
    if paths.is_empty() {
        return Ok(Ok(BTreeMap::new()));
    }
    let source = opened.sources.get(opened.root);
    let lines: Vec<String> = paths.iter().map(|p| line(p)).collect();
    let whole = alone(&source.text, &opened.model.name, left_out);
    let text = format!("{whole}\n\nweights to \"{OUT}\" {{\n{}\n}}\n", lines.join("\n"));
    let mut texts = Sources::default();
    let root = texts.add(source.name.clone(), source.path.as_deref(), text);
    let (made, said) = pipeline::written(&mut texts, &*opened.loader(), root, &opened.set, &opened.model.name);
    let Some((model, lines)) = made.filter(|_| said.is_empty()) else {
        // A value that has an axis of the inputs has no place in a file; its line says whose it is.
        let begin = whole.len();
        let of = |d: &Diagnostic| {
            let at =
                d.primary.as_ref().filter(|p| p.span.file == root).map(|p| p.span.start as usize).filter(|at| *at > begin)?;
            texts.get(root).text[begin..at].matches('\n').count().checked_sub(3).and_then(|n| paths.get(n))
        };
        let late: Option<Vec<String>> = said.iter().map(|d| of(d).map(|path| member(path))).collect();
        return late.filter(|l| !l.is_empty()).map(Err).map(Ok).unwrap_or_else(|| Err(cannot(opened, &said)));
    };
    let first = model.graph.outputs.len() - lines.len();
    let fail = |d: Diagnostic| opened.fail(talk, &[d]);
    let wanted: Vec<usize> = (first..model.graph.outputs.len()).collect();
    // What comes with every run is not there.
    let early = |name: &str| model.inputs.iter().any(|i| i.name == name && i.condition);
    let tensors = run.given.tensors.iter().filter(|(name, _)| early(name)).map(|(n, t)| (n.clone(), t.clone())).collect();
    let absent = model.inputs.iter().filter(|i| !i.condition).map(|i| i.name.clone()).collect();
    let only = Given { tensors, sizes: run.given.sizes.clone(), absent, ..Given::default() };
    let (can, _) = session::computable(&model, &only);
    let late: Vec<&usize> = wanted.iter().filter(|k| !can.contains(k)).collect();
    if !late.is_empty() {
        let whose = |k: &usize| member(&paths[wanted.iter().position(|w| w == k).unwrap_or(0)]);
        return Ok(Err(late.into_iter().map(whose).collect()));
    }
    let mut session = Session::new(&model, &wanted, &run.options).map_err(fail)?;
    let tensors = session.run(&session::bindings(run.params.clone(), only, run.seed)).map_err(fail)?;
    let mine = wanted.iter().map(|k| &lines[k - first]).zip(&tensors);
    let named = crate::bind::weights::layout::names(mine, crate::source::Span::default()).map_err(fail)?;
    Ok(Ok(named.into_iter().collect()))
}

/// The member of the model that a path begins with.
fn member(path: &str) -> String {
    path.split('.').next().unwrap_or(path).to_string()
}

/// The name of the file that is never written.
const OUT: &str = "specialized.safetensors";

/// `block.*.fc.w` as a line of a `weights to` block.
fn line(path: &str) -> String {
    let (mut place, mut name, mut count) = (String::new(), String::new(), 0);
    for part in path.split('.') {
        let number = part.parse::<usize>().is_ok();
        match part {
            "*" => {
                place.push_str(&format!("[at{count}]"));
                name.push_str(&format!(".{{at{count}}}"));
                count += 1;
            }
            _ if number => {
                place.push_str(&format!("[{part}]"));
                name.push_str(&format!(".{part}"));
            }
            _ => {
                let dot = if place.is_empty() { "" } else { "." };
                place.push_str(&format!("{dot}{part}"));
                name.push_str(&format!("{dot}{part}"));
            }
        }
    }
    format!("    {place} -> \"{name}\"")
}

/// Runs both models on the same inputs: how far the farthest number is, as a part of the largest of its output. Errors: too far.
fn compared(opened: &Opened, small: &Small, run: &Run, talk: Talk) -> Result<f64, Exit> {
    let fail = |d: Diagnostic| opened.fail(talk, &[d]);
    let outputs = |model: &Model| -> Vec<usize> {
        let wanted = |o: &crate::ir::Output| o.kind == OutputKind::Output;
        model.graph.outputs.iter().enumerate().filter(|(_, o)| wanted(o)).map(|(k, _)| k).collect()
    };
    let outcome = |model: &Model, values: BTreeMap<String, Tensor>| {
        let names = |i: &crate::check::model::Input| i.name.clone();
        let known: BTreeSet<String> = model.inputs.iter().map(names).collect();
        let tensors = run.given.tensors.iter().filter(|(n, _)| known.contains(*n)).map(|(n, t)| (n.clone(), t.clone())).collect();
        let own = Given { tensors, sizes: run.given.sizes.clone(), ..Given::default() };
        Session::new(model, &outputs(model), &run.options)?.run(&session::bindings(values, own, run.seed))
    };
    let before = outcome(&opened.model, run.params.clone()).map_err(fail)?;
    let loaded = loaded(small).map_err(|list| talk.say(&small.sources, &list).err().unwrap_or(Exit::Usage))?;
    let after = outcome(&small.model, loaded).map_err(fail)?;
    let mut far = 0.0f64;
    for (k, (a, b)) in before.iter().zip(&after).enumerate() {
        let name = &opened.model.graph.outputs[outputs(&opened.model)[k]].name;
        let most = expect::far(a, b);
        if most > FAR {
            let d = Diagnostic::plain(
                Code::H0899,
                format!("the specialized model has another `{name}`: it is off by {most:.1e} of its largest number"),
            );
            return Err(fail(d.note("nothing was written; this is a bug in hnet")));
        }
        far = far.max(most);
    }
    Ok(far)
}

/// The parameters as the small model reads them from its file.
fn loaded(small: &Small) -> Result<BTreeMap<String, Tensor>, Vec<Diagnostic>> {
    let folder =
        tempfile::tempdir().map_err(|e| vec![Diagnostic::plain(Code::H0003, format!("no folder for what is compared: {e}"))])?;
    let file = folder.path().join("params.safetensors");
    let named: Vec<(String, Tensor)> = small.params.iter().map(|(k, t)| (k.clone(), t.clone())).collect();
    archive::save_params(&file, &named).map_err(|d| vec![d])?;
    let open = archive::Archive::open(&file).map_err(|d| vec![d])?;
    crate::bind::params::load(&small.model, &[open], &BTreeMap::new(), 0).map(|l| l.tensors)
}

fn told(small: &Small, params: &BTreeMap<String, Tensor>, far: f64, (program, file): (&Path, &Path)) {
    let count = |all: &BTreeMap<String, Tensor>| grouped(all.values().map(Tensor::len).sum::<usize>() as i64);
    let mut out = String::new();
    for relation in &small.left.applied {
        out.push_str(&format!("applied  {relation}\n"));
    }
    for name in &small.left.stored {
        out.push_str(&format!("stored   {name}\n"));
    }
    out.push_str(&format!("numbers  {} before, {} now\n", count(params), count(&small.params)));
    out.push_str(&format!("outputs  as before, to {far:.1e} of the largest number\n"));
    talk::print(&out);
    Talk::Text.note(&format!("wrote {} and {}", program.display(), file.display()));
}
