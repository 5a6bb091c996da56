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
use crate::plan::{Asked, Decision, Pins, Prices, Site, Sizes, Terms};
use crate::source::Sources;
use std::sync::Arc;

/// What texts pin.
#[derive(Default)]
pub struct Pinned {
    pub asked: Asked,
    /// What each text that fits is about.
    about: Vec<(String, What)>,
    /// Those that fit nothing.
    pub unfit: Vec<String>,
}

impl Pinned {
    pub fn pins(&self) -> Pins {
        if self.asked == Asked::default() { Pins::None } else { Pins::At(self.asked.clone()) }
    }

    /// Says of what changes nothing here that it does so. `on`: none for the interpreter.
    pub fn warn(&self, on: Option<&On>, talk: Talk) {
        for (text, what) in &self.about {
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
    }
}

/// What is pinned by these texts; what a processor and what a device decides may both be, and what is decided only where another text holds. Errors,
/// where `strict`: no such place, more than one, no such way, two ways of one thing; such a text is left out else.
pub fn pins(
    opened: &Opened,
    sizes: &Sizes,
    texts: &[String],
    prices: &Arc<Prices>,
    strict: bool,
    talk: Talk,
) -> Result<Pinned, Exit> {
    let mut out = Pinned::default();
    let mut left: Vec<&String> = texts.iter().collect();
    while !left.is_empty() {
        let decisions = decided(opened, sizes, &out, prices).map_err(|d| opened.fail(talk, &[d]))?;
        let mut failed = Vec::new();
        for text in &left {
            let found = match one(&opened.sources, &decisions, text) {
                Ok(found) => found,
                Err(why) => {
                    failed.push((*text, why));
                    continue;
                }
            };
            let before = out.asked.insert(found.site, found.of.as_deref(), found.way);
            if strict && before.is_some_and(|way| way != found.way) {
                return Err(usage(&format!("`--pin {text}`: another `--pin` asks for another way of the same")));
            }
            out.about.push(((*text).clone(), found.site.what));
        }
        if failed.len() == left.len() {
            if let (true, Some((text, why))) = (strict, failed.first()) {
                return Err(usage(&format!("`--pin {text}`{why}")));
            }
            out.unfit = failed.into_iter().map(|(text, _)| text.clone()).collect();
            break;
        }
        // What is decided may hang on what was pinned.
        left = failed.into_iter().map(|(text, _)| text).collect();
    }
    Ok(out)
}

/// What is decided where this is pinned. A card and a processor that plays one share shaders otherwise, so that each decides some things that the
/// other does not.
fn decided(opened: &Opened, sizes: &Sizes, pinned: &Pinned, prices: &Arc<Prices>) -> Result<Vec<Decision>, Diagnostic> {
    let terms = Terms { prices: prices.clone(), pins: pinned.pins() };
    let plan = pipeline::plan_on(&opened.model, sizes, &terms)?;
    let mut decisions = gpu::decided(&plan, sizes, gpu::Reach::Staged).0;
    decisions.extend(gpu::decided(&plan, sizes, gpu::Reach::Direct).0);
    decisions.extend(cpu::decided(&plan, sizes).0);
    Ok(decisions)
}

/// A pin as [`pins`] reads it. None: the place is nowhere in a text.
pub fn named(sources: &Sources, site: Site, of: Option<&str>, way: usize) -> Option<String> {
    let of = of.map_or(String::new(), |name| format!(" of {name}"));
    Some(format!("{}{of}@{}={}", site.what.word(), place(sources, site.span)?, way + 1))
}

/// What a text pins.
struct One {
    site: Site,
    of: Option<String>,
    way: usize,
}

/// What a text pins. Errors: why it pins nothing.
fn one(sources: &Sources, decisions: &[Decision], text: &str) -> Result<One, String> {
    let parts = text.split_once('@').and_then(|(what, rest)| Some((what, rest.rsplit_once('=')?)));
    let Some((what, (at, number))) = parts else {
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
        let of = |d: &Decision| Some(format!("{}@{}", d.site.what.word(), place(sources, d.site.span)?));
        let all = once(decisions.iter().filter_map(of));
        let known = if all.is_empty() { "nothing is decided here".into() } else { format!("there are {}", all.join(", ")) };
        return Err(format!(": nothing of this kind is decided there; {known}"));
    }
    let found: Vec<&Decision> = there.iter().copied().filter(|d| of.is_none_or(|of| of == d.name)).collect();
    let Some(first) = found.first() else {
        let names = once(there.iter().map(|d| format!("`{}`", d.name)));
        return Err(format!(": it is decided there of {}", names.join(", ")));
    };
    if found.iter().any(|d| d.site != first.site) {
        return Err(": several files have that place; say the file, too: `sum@std.linear:8:23=2`".into());
    }
    let most = found.iter().map(|d| d.ways.len()).max().unwrap_or(0);
    let way = match number.parse::<usize>() {
        Ok(n) if (1..=most).contains(&n) => n - 1,
        Ok(_) => return Err(format!(": there are ways 1 to {most}")),
        Err(_) => by_words(number, &found)?,
    };
    Ok(One { site: first.site, of: of.map(str::to_string), way })
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

/// The number of a way that is called by its words, which has to be the same in all decisions of a place.
fn by_words(words: &str, found: &[&Decision]) -> Result<usize, String> {
    let number = |d: &&Decision| d.ways.iter().position(|w| w.text == words || w.text == order(words));
    let mut numbers: Vec<usize> = found.iter().filter_map(number).collect();
    numbers.sort();
    numbers.dedup();
    match numbers[..] {
        [one] => Ok(one),
        [] => {
            let mut ways: Vec<String> = found.iter().flat_map(|d| &d.ways).map(|w| format!("`{}`", w.text)).collect();
            ways.sort();
            ways.dedup();
            Err(format!(": no way there is called so; there are {}", ways.join(", ")))
        }
        [..] => {
            let names = once(found.iter().map(|d| d.name.clone()));
            let (what, name) = (found[0].site.what.word(), &names[0]);
            Err(format!(
                ": several things are decided there, and the way has another number in each: say which, `{what} of {name}@..`, or its number"
            ))
        }
    }
}
