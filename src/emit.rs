//! What every stage makes of a model, as texts and objects.
//!
//! In: a checked model, a stage, from the plan on a number for every size. Out: artifacts with the ends of their names.

mod object;

use crate::check::model::Model;
use crate::diag::{Diagnostic, Sink};
use crate::plan::{Plan, Sizes, Terms};
use crate::source::Sources;
use crate::{cpu, draw, gpu, opt, pipeline, syntax};
pub use object::object;
use std::collections::BTreeSet;
use std::path::Path;

/// What a stage can write down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Ast,
    Model,
    Ir,
    Opt,
    Plan,
    Wgsl,
    Dispatches,
    Clif,
    Asm,
    Obj,
}

/// All stages in order: their words, the ends of their files, what they write.
pub const STAGES: &[(Stage, &str, &str, &str)] = &[
    (Stage::Ast, "ast", "ast", "The syntax tree"),
    (Stage::Model, "model", "model.json", "Inputs, parameters, outputs, nets and relations, with types and rates, as JSON"),
    (Stage::Ir, "ir", "ir", "The graph as lowered"),
    (Stage::Opt, "opt", "opt.ir", "The graph after all passes"),
    (Stage::Plan, "plan", "plan", "Kernels, buffers and their order"),
    (Stage::Wgsl, "wgsl", "wgsl", "Shaders, a text for each"),
    (Stage::Dispatches, "dispatches", "dispatches", "Buffers, and the shaders in the order in which they run"),
    (Stage::Clif, "clif", "clif", "Cranelift's input"),
    (Stage::Asm, "asm", "s", "Assembly of this machine"),
    (Stage::Obj, "obj", "o", "An object file and a header, for C programs"),
];

impl Stage {
    /// The stage of this word.
    pub fn called(word: &str) -> Option<Stage> {
        STAGES.iter().find(|s| s.1 == word).map(|s| s.0)
    }

    /// How its file ends.
    pub fn extension(self) -> &'static str {
        STAGES.iter().find(|s| s.0 == self).map_or("", |s| s.2)
    }
}

/// What a stage wrote.
pub enum Artifact {
    Text(String),
    Bytes(Vec<u8>),
}

impl Artifact {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Artifact::Text(t) => t.as_bytes(),
            Artifact::Bytes(b) => b,
        }
    }
}

/// What `stage` makes of a model of `file`: texts and objects with the ends of their names. From the plan on it is made for
/// `sizes`, which know every unknown size of the graph ([`pipeline::unknowns`]); shaders name their places as `locate` does.
pub fn emit(
    model: &Model,
    file: &Path,
    stage: Stage,
    sizes: &Sizes,
    terms: &Terms,
    locate: gpu::Locate,
) -> Result<Vec<(String, Artifact)>, Diagnostic> {
    let end = stage.extension().to_string();
    let text = |text: String| Ok(vec![(end.clone(), Artifact::Text(text))]);
    match stage {
        Stage::Ast => {
            let mut sources = Sources::default();
            let root = pipeline::read(&mut sources, file)?;
            let tree = syntax::parse(root, &sources.get(root).text, &mut Sink::default());
            text(format!("{tree:#?}\n"))
        }
        Stage::Model => text(format!("{:#}\n", draw::facts::model(model, locate))),
        Stage::Ir => text(model.graph.to_string()),
        Stage::Opt => text(opt::optimize(&model.graph, &mut |_, _| {}).to_string()),
        Stage::Plan => text(pipeline::plan_on(model, sizes, terms)?.to_string()),
        Stage::Wgsl => {
            let (_, program) = shaders_on(model, sizes, terms, locate)?;
            let names = file_names(program.shaders.iter().map(|s| s.name.as_str()));
            let one = |(name, s): (String, gpu::Shader)| (format!("{name}.{end}"), Artifact::Text(s.code));
            Ok(names.into_iter().zip(program.shaders).map(one).collect())
        }
        Stage::Dispatches => {
            let (_, program) = shaders_on(model, sizes, terms, locate)?;
            let names = file_names(program.shaders.iter().map(|s| s.name.as_str()));
            text(program.listing(&names, locate))
        }
        Stage::Clif => text(cpu::emit_clif(&pipeline::plan_on(model, sizes, terms)?, sizes)?),
        Stage::Asm => text(cpu::emit_asm(&pipeline::plan_on(model, sizes, terms)?, sizes)?),
        Stage::Obj => {
            let (object, header) = object(model, sizes, terms, &[], locate)?;
            Ok(vec![(end, Artifact::Bytes(object)), ("h".to_string(), Artifact::Text(header))])
        }
    }
}

/// The plan of all outputs and losses, and the shaders and dispatches that it becomes.
pub fn shaders(model: &Model, sizes: &Sizes, locate: gpu::Locate) -> Result<(Plan, gpu::Program), Diagnostic> {
    shaders_on(model, sizes, &Terms::default(), locate)
}

/// As [`shaders`], with some decisions taken already, or for another machine.
pub fn shaders_on(model: &Model, sizes: &Sizes, terms: &Terms, locate: gpu::Locate) -> Result<(Plan, gpu::Program), Diagnostic> {
    let plan = pipeline::plan_on(model, sizes, terms)?;
    let program = gpu::emit(&plan, sizes, locate);
    Ok((plan, program))
}

/// As a file may be called everywhere.
pub fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

/// A name for each shader, different even where files do not tell `a` from `A`.
pub fn file_names<'a>(shaders: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut out = Vec::new();
    for shader in shaders {
        let base = plain(shader);
        let mut name = base.clone();
        let mut n = 2;
        while !taken.insert(name.to_lowercase()) {
            name = format!("{base}_{n}");
            n += 1;
        }
        out.push(name);
    }
    out
}
