//! Parameters to run a model with: from files, through its `weights` blocks, or drawn.

use super::open::Opened;
use super::talk::{Exit, Talk};
use crate::bind::weights::{self, Source};
use crate::bind::{init, params};
use crate::check::model::weights::{Block, Mapping, Shelf};
use crate::diag::{Diagnostic, Label};
use crate::files::archive::Archive;
use crate::files::shards;
use crate::ir::Tensor;
use crate::ir::sizes::Sizes;
use crate::pipeline;
use crate::program::outside;
use crate::source::{Sources, Span};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where parameters come from.
pub enum From {
    /// Files whose names are the model's own.
    Own(Vec<Archive>),
    /// The lines of the model's blocks, and the files that they read.
    Lines(Lines),
    /// Nothing was given.
    Drawn,
}

/// What the lines of `weights from` blocks come to.
pub struct Lines {
    pub sources: Vec<Source>,
    /// None: a line failed in a way that leaves nothing to look at.
    pub mapping: Option<Mapping>,
    pub said: Vec<Diagnostic>,
    /// The texts that the messages speak of.
    pub texts: Sources,
}

impl Opened {
    /// Parameters to begin training with: from files, or drawn.
    pub fn begin(&self, files: &[PathBuf], sizes: &Sizes, seed: i32, talk: Talk) -> Result<BTreeMap<String, Tensor>, Exit> {
        match self.source_of(files, talk)? {
            From::Drawn => init::initialise_all(&self.model, sizes, seed).map_err(|list| self.fail(talk, &list)),
            from => self.loaded(from, sizes, seed, talk),
        }
    }

    /// Parameters from files, from the file beside the model, through its `weights` blocks, or drawn.
    pub fn params(&self, files: &[PathBuf], sizes: &Sizes, seed: i32, talk: Talk) -> Result<BTreeMap<String, Tensor>, Exit> {
        let beside: Vec<PathBuf> = self.beside("params").into_iter().collect();
        let from = match files.is_empty() && !beside.is_empty() {
            true => {
                self.tell_beside("params", talk);
                From::Own(self.open_all(&beside, talk)?)
            }
            false => self.source_of(files, talk)?,
        };
        if let (From::Lines(_), true) = (&from, files.is_empty()) {
            talk.note(&format!("the weights are those of {}, as `weights` says", self.weights_from(files).join(", ")));
        }
        if let From::Drawn = from
            && self.model.params.iter().any(|p| p.init.is_some())
        {
            talk.note(&format!("no weights were given: they are drawn with seed {seed}"));
        }
        self.loaded(from, sizes, seed, talk)
    }

    /// The files that [`Self::params`] takes the weights from; none where they are drawn.
    pub fn weights_from(&self, files: &[PathBuf]) -> Vec<String> {
        let shown = |p: &PathBuf| p.display().to_string();
        if let Some(beside) = self.beside("params").filter(|_| files.is_empty()) {
            return vec![shown(&beside)];
        }
        if !files.is_empty() {
            return files.iter().map(shown).collect();
        }
        let mut out: Vec<String> = vec![];
        for block in self.model.weights.iter().filter(|b| !b.writes) {
            let path = shown(&self.folder().join(&block.file));
            if !out.contains(&path) {
                out.push(path);
            }
        }
        out
    }

    fn loaded(&self, from: From, sizes: &Sizes, seed: i32, talk: Talk) -> Result<BTreeMap<String, Tensor>, Exit> {
        let loaded = match from {
            From::Drawn => return init::initialise_all(&self.model, sizes, seed).map_err(|list| self.fail(talk, &list)),
            From::Own(files) => params::load(&self.model, &files, sizes, seed).map_err(|list| self.fail(talk, &list))?,
            From::Lines(lines) => {
                talk.say(&lines.texts, &lines.said)?;
                let mapping = lines.mapping.unwrap_or_default();
                weights::load(&self.model, &mapping, &lines.sources, sizes, seed).map_err(|list| self.fail(talk, &list))?
            }
        };
        talk.say(&self.sources, &loaded.warnings)?;
        Ok(loaded.tensors)
    }

    fn open_all(&self, files: &[PathBuf], talk: Talk) -> Result<Vec<Archive>, Exit> {
        let mut out = vec![];
        for path in files {
            out.extend(shards::open(path).map_err(|d| talk.fail(&self.sources, d))?);
        }
        Ok(out)
    }

    /// Where the parameters come from. Files that have all of them under their own names are taken as they are; others go through the
    /// lines of the `weights` blocks, where the model has such.
    pub fn source_of(&self, files: &[PathBuf], talk: Talk) -> Result<From, Exit> {
        let blocks: Vec<&Block> = self.model.weights.iter().filter(|b| !b.writes).collect();
        if !files.is_empty() {
            let archives = self.open_all(files, talk)?;
            let all = params::has_all(&self.model, &archives);
            if blocks.is_empty() || all && archives.iter().all(Archive::is_own) {
                return Ok(From::Own(archives));
            }
            let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
            let shelf = weights::shelf(&names.join(", "), &archives);
            let of = vec![0; blocks.len()];
            let mut lines = self.lines(vec![Source { shelf, span: blocks[0].span, files: archives }], &of);
            // Names may be equal on both sides and the lines speak of how tensors lie; where they do not fit these files, these are the
            // model's own.
            let fits = lines.said.is_empty() && lines.mapping.as_ref().is_some_and(|m| !m.failed);
            if all && !fits {
                return Ok(From::Own(lines.sources.swap_remove(0).files));
            }
            return Ok(From::Lines(lines));
        }
        if blocks.is_empty() {
            return Ok(From::Drawn);
        }
        let mut sources: Vec<Source> = vec![];
        let mut of = vec![];
        for block in blocks {
            if let Some(k) = sources.iter().position(|s| s.shelf.name == block.file) {
                of.push(k);
                continue;
            }
            let path = self.folder().join(&block.file);
            let archives = shards::open_where(&path, &|p| self.allow(p, block.span)).map_err(|d| {
                let d = if d.primary.is_none() { Diagnostic { primary: Some(Label::at(block.span)), ..d } } else { d };
                self.fail(talk, &[d])
            })?;
            of.push(sources.len());
            let shelf = weights::shelf(&block.file, &archives);
            sources.push(Source { shelf, span: block.span, files: archives });
        }
        Ok(From::Lines(self.lines(sources, &of)))
    }

    /// Both sides of what files give the model, whatever names they have.
    pub fn both_sides(&self, files: &[PathBuf], talk: Talk) -> Result<Lines, Exit> {
        match self.source_of(files, talk)? {
            From::Lines(lines) => Ok(lines),
            From::Own(archives) => {
                let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
                let shelf = weights::shelf(&names.join(", "), &archives);
                Ok(self.lines(vec![Source { shelf, span: Span::default(), files: archives }], &[]))
            }
            From::Drawn => Ok(self.lines(vec![], &[])),
        }
    }

    /// Reads the lines of the model's blocks, each with the shelf that `of` says; where it says nothing, names are equal.
    fn lines(&self, sources: Vec<Source>, of: &[usize]) -> Lines {
        let shelves: Vec<Shelf> = sources.iter().map(|s| s.shelf.clone()).collect();
        let mut texts = self.sources.clone();
        let (mapping, said) =
            pipeline::weights(&mut texts, &*self.loader(), self.root, &self.set, &self.model.name, &shelves, of);
        Lines { sources, mapping, said, texts }
    }

    /// Refuses a file that the program may not read.
    fn allow(&self, path: &Path, span: Span) -> Result<(), Diagnostic> {
        if self.may_read(path) { Ok(()) } else { Err(outside(path, span)) }
    }
}
