//! `--pin sum@8:24=2`, `--pin 'sum of y@8:24=made'`: which way is taken at a place, as `hnet explain` numbers or calls them.

use super::on::On;
use super::plan::place;
use crate::cli::open::Opened;
use crate::cli::talk::{Exit, Talk, usage};
use crate::cpu;
use crate::diag::Diagnostic;
use crate::gpu;
use crate::ir::pin::order;
use crate::ir::{Target, What};
use crate::pipeline;
use crate::plan::{Asked, Decision, Pins, Site, Sizes, Terms, Way, Wish};
use crate::source::Sources;

/// Places that an error names, at most.
const NAMED: usize = 12;

/// What texts pin.
#[derive(Default)]
pub struct Pinned {
    pub asked: Asked,
    /// What each text that fits is about.
    about: Vec<(String, What)>,
    /// Those that fit at other lengths than these.
    elsewhere: Vec<(String, What)>,
    /// Those that fit nothing, and why.
    unfit: Vec<(String, String)>,
}

impl Pinned {
    pub fn pins(&self) -> Pins {
        if self.asked == Asked::default() { Pins::None } else { Pins::At(self.asked.clone()) }
    }

    /// Those that fit nothing that is decided at these lengths, which is none of anybody's faults: they may at others.
    pub fn idle(&self) -> impl Iterator<Item = &str> {
        self.elsewhere.iter().map(|(text, _)| text).chain(self.unfit.iter().map(|(text, _)| text)).map(String::as_str)
    }

    /// Says of what changes nothing here that it does so. `on`: none for the interpreter.
    pub fn warn(&self, on: Option<&On>, talk: Talk) {
        for (text, what) in self.about.iter().chain(&self.elsewhere) {
            let why = match on {
                None => "the interpreter has no plan".to_string(),
                Some(on) if on.decides(*what) => continue,
                Some(_) => match what.target() {
                    Target::Gpu => format!("`{}` is decided for the graphics device alone", what.word()),
                    Target::Cpu | Target::Both => format!("`{}` is decided for the CPU alone", what.word()),
                },
            };
            talk.warn(&format!("`--pin {text}` does nothing here: {why}"));
        }
        if on.is_some() {
            self.at_others(on, talk);
        }
    }

    /// Says of what is decided at other lengths alone that it is.
    pub fn at_others(&self, on: Option<&On>, talk: Talk) {
        for (text, _) in self.elsewhere.iter().filter(|(_, what)| on.is_none_or(|on| on.decides(*what))) {
            talk.warn(&format!("`--pin {text}` does nothing at these lengths: it is decided at others alone"));
        }
    }
}

/// What texts are looked up in.
pub struct Look<'a> {
    pub opened: &'a Opened,
    /// The lengths of a run; none where there are many, as in training.
    pub sizes: Option<&'a Sizes>,
    /// Machine and memory.
    pub terms: &'a Terms,
    /// What the decisions are for; none for the interpreter, and where it is all the same.
    pub on: Option<&'a On>,
}

/// What is pinned by these texts; what a processor and what a device decides may both be, and what is decided only where another text holds. Errors:
/// no such place at any length that is tried, no such way, two ways of one thing.
pub fn pins(look: &Look, texts: &[String], talk: Talk) -> Result<Pinned, Exit> {
    let out = look.up(texts, talk)?;
    match out.unfit.first() {
        Some((text, why)) => Err(usage(&format!("`--pin {text}`{why}"))),
        None => Ok(out),
    }
}

impl Look<'_> {
    /// Likewise; a text that fits nothing is left out.
    pub fn up(&self, texts: &[String], talk: Talk) -> Result<Pinned, Exit> {
        let unfit = texts.iter().map(|text| (text.clone(), String::new())).collect();
        let mut out = Pinned { unfit, ..Pinned::default() };
        // What is decided may hang on what was pinned.
        while !out.unfit.is_empty() {
            let left = out.unfit.len();
            if let Some(sizes) = self.sizes {
                let decisions = self.decided(sizes, &out).map_err(|d| self.opened.fail(talk, &[d]))?;
                self.take(&mut out, &decisions, true)?;
            }
            if out.unfit.len() == left && !self.anywhere(&mut out)? {
                break;
            }
        }
        Ok(out)
    }

    /// What is decided at these lengths where this is pinned. A card and a processor that plays one share shaders otherwise, so that each decides some
    /// things that the other does not.
    fn decided(&self, sizes: &Sizes, pinned: &Pinned) -> Result<Vec<Decision>, Diagnostic> {
        let plan = pipeline::plan_on(&self.opened.model, sizes, &self.terms(pinned))?;
        let mut decisions = gpu::decided(&plan, sizes, gpu::Reach::Staged).0;
        decisions.extend(gpu::decided(&plan, sizes, gpu::Reach::Direct).0);
        decisions.extend(cpu::decided(&plan, sizes).0);
        Ok(decisions)
    }

    fn terms(&self, pinned: &Pinned) -> Terms {
        Terms { pins: pinned.pins(), ..self.terms.clone() }
    }

    /// Takes the texts that fit these decisions; `here`: they are those of the run.
    fn take(&self, out: &mut Pinned, decisions: &[Decision], here: bool) -> Result<(), Exit> {
        for (text, known) in std::mem::take(&mut out.unfit) {
            let found = match self.one(decisions, &text) {
                Ok(found) => found,
                Err(why) => {
                    // Of a run it counts what is wrong there.
                    out.unfit.push((text, if here || known.is_empty() { why } else { known }));
                    continue;
                }
            };
            for site in &found.sites {
                let before = out.asked.insert(*site, found.of.as_deref(), found.way.clone());
                if before.is_some_and(|way| way != found.way) {
                    return Err(usage(&format!("`--pin {text}`: another `--pin` asks for another way of the same")));
                }
            }
            if here || self.sizes.is_none() {
                out.about.push((text, found.sites[0].what));
            } else {
                out.elsewhere.push((text, found.sites[0].what));
            }
        }
        Ok(())
    }

    /// Looks at other lengths, and at what is measured and trained; whether a text fits there.
    fn anywhere(&self, out: &mut Pinned) -> Result<bool, Exit> {
        let left = out.unfit.len();
        let mut all: Vec<Decision> = Vec::new();
        let mut failed = None;
        pipeline::decisions(&self.opened.model, &self.terms(out), &mut |decisions| {
            failed = self.take(out, &decisions, false).err();
            all.extend(decisions);
            failed.is_some() || out.unfit.is_empty()
        });
        if let Some(failed) = failed {
            return Err(failed);
        }
        if self.sizes.is_none() {
            // What is wrong is said of all that there is.
            for (text, why) in &mut out.unfit {
                *why = self.one(&all, text).err().unwrap_or_default();
            }
        }
        Ok(out.unfit.len() < left)
    }

    /// What a text pins. Errors: why it pins nothing.
    fn one(&self, decisions: &[Decision], text: &str) -> Result<One, String> {
        let sources = &self.opened.sources;
        let parts = text.split_once('@').and_then(|(what, rest)| Some((what, rest.rsplit_once('=')?)));
        let Some((what, (at, way))) = parts else {
            return Err(" is not like `sum@8:24=2`: what is decided, its line and column, a way's number or words".into());
        };
        let (what, of) = what.split_once(" of ").map_or((what, None), |(what, of)| (what, Some(of.trim().trim_matches('"'))));
        let Some(kind) = What::of(what.trim()) else {
            let all: Vec<&str> = What::ALL.iter().map(|(_, word)| *word).collect();
            return Err(format!(": `{what}` is nothing that is decided; there are {}", all.join(", ")));
        };
        let here = |d: &&Decision| {
            let place = place(sources, d.site.span).unwrap_or_default();
            d.site.what == kind && (place == at || place.ends_with(&format!(":{at}")))
        };
        let there: Vec<&Decision> = decisions.iter().filter(here).collect();
        if there.is_empty() {
            return Err(format!(": nothing of this kind is decided there; {}", self.known(decisions, kind)));
        }
        let found: Vec<&Decision> = there.iter().copied().filter(|d| of.is_none_or(|of| of == d.name)).collect();
        let Some(first) = found.first() else {
            let names = once(there.iter().map(|d| format!("`{}`", d.name)));
            return Err(format!(": it is decided there of {}", names.join(", ")));
        };
        if found.iter().any(|d| d.site.span.file != first.site.span.file) {
            return Err(": several files have that place; say the file, too: `sum@std.linear:8:23=2`".into());
        }
        let digits = way.strip_prefix('-').unwrap_or(way);
        let way = match !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()) {
            true => self.numbered(way.parse().unwrap_or(0), &found)?,
            false => called(way, &found)?,
        };
        let mut sites: Vec<Site> = found.iter().map(|d| d.site).collect();
        sites.sort();
        sites.dedup();
        Ok(One { sites, of: of.map(str::to_string), way })
    }

    /// The way of this number, counted from 1.
    fn numbered(&self, number: usize, found: &[&Decision]) -> Result<Wish, String> {
        if self.sizes.is_none() {
            return Err(format!(": a way has a number at single lengths only, and here are many; {}", words(found)));
        }
        let most = found.iter().map(|d| d.ways.len()).max().unwrap_or(0);
        if !(1..=most).contains(&number) {
            return Err(format!(": there are ways 1 to {most}"));
        }
        let text = |d: &&Decision| d.ways.get(number - 1).map(|w| w.text.clone());
        let meant = once(found.iter().filter_map(text));
        let is_one = |name: &str| once(found.iter().filter(|d| d.name == name).filter_map(text)).len() < 2;
        match &meant[..] {
            [one] => Ok(Wish::Words(one.clone())),
            // Of each value it means what it means there.
            _ if found.iter().all(|d| is_one(&d.name)) => Ok(Wish::Number(number - 1)),
            _ => Err(format!(
                ": several things of one name are decided there, and the number means another way of each; {}",
                words(found)
            )),
        }
    }

    /// What there is of a kind, or of all kinds where there is nothing of it.
    fn known(&self, decisions: &[Decision], kind: What) -> String {
        let mut all: Vec<&Decision> = decisions.iter().filter(|d| self.on.is_none_or(|on| on.decides(d.site.what))).collect();
        if all.iter().any(|d| d.site.what == kind) {
            all.retain(|d| d.site.what == kind);
        }
        all.sort_by_key(|d| (d.site.span, d.site.what));
        let of = |d: &Decision| Some(format!("{}@{}", d.site.what.word(), place(&self.opened.sources, d.site.span)?));
        let all = once(all.into_iter().filter_map(of));
        match all.len() {
            0 => "nothing is decided here".into(),
            n if n > NAMED => format!("there are {} and {} more, which `hnet explain` lists", all[..NAMED].join(", "), n - NAMED),
            _ => format!("there are {}", all.join(", ")),
        }
    }
}

/// A pin as [`Look::up`] reads it. None: the place is nowhere in a text.
pub fn named(sources: &Sources, site: Site, of: Option<&str>, way: &Wish) -> Option<String> {
    let of = of.map_or(String::new(), |name| format!(" of {name}"));
    let way = match way {
        Wish::Number(n) => (n + 1).to_string(),
        Wish::Words(words) => words.clone(),
    };
    Some(format!("{}{of}@{}={way}", site.what.word(), place(sources, site.span)?))
}

/// What a text pins.
struct One {
    /// All that begin there.
    sites: Vec<Site>,
    of: Option<String>,
    way: Wish,
}

/// Each of them once, as they come.
fn once(all: impl Iterator<Item = String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for one in all {
        if !out.contains(&one) {
            out.push(one);
        }
    }
    out
}

/// The way that is called by these words, wherever there is one.
fn called(text: &str, found: &[&Decision]) -> Result<Wish, String> {
    let is_called = |w: &&Way| w.text == text || w.text == order(text);
    match found.iter().flat_map(|d| &d.ways).find(is_called) {
        Some(way) => Ok(Wish::Words(way.text.clone())),
        None => Err(format!(": no way there is called so; {}", words(found))),
    }
}

/// What ways are called.
fn words(found: &[&Decision]) -> String {
    let mut ways: Vec<String> = found.iter().flat_map(|d| &d.ways).map(|w| format!("`{}`", w.text)).collect();
    ways.sort();
    ways.dedup();
    format!("there are {}", ways.join(", "))
}
