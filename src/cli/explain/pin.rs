//! `--pin sum@8:24=2`, `--pin sum@8:24=made`: which way is taken at a place, as `hnet explain` numbers or calls them.

use super::plan::place;
use crate::cli::open::Opened;
use crate::cli::talk::{Exit, Talk, usage};
use crate::diag::Diagnostic;
use crate::gpu;
use crate::ir::pin::order;
use crate::pipeline;
use crate::plan::{Decision, Pins, Prices, Site, Sizes, Terms};
use crate::source::Sources;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is pinned by these texts; what a processor and what a device decides may both be. Errors, where `strict`: no such place, more than one, no
/// such way; such a text is left out else.
pub fn pins(
    opened: &Opened,
    sizes: &Sizes,
    asked: &[String],
    prices: &Arc<Prices>,
    strict: bool,
    talk: Talk,
) -> Result<Pins, Exit> {
    if asked.is_empty() {
        return Ok(Pins::None);
    }
    // Ways are numbered in the order of their prices.
    let terms = Terms { prices: prices.clone(), ..Terms::default() };
    let plan = pipeline::plan_on(&opened.model, sizes, &terms).map_err(|d: Diagnostic| opened.fail(talk, &[d]))?;
    // A card and a processor that plays one share shaders otherwise, so that each decides some things that the other does not.
    let mut decisions = gpu::decided(&plan, sizes, gpu::Reach::Staged).0;
    decisions.extend(gpu::decided(&plan, sizes, gpu::Reach::Direct).0);
    let mut out = BTreeMap::new();
    for text in asked {
        match one(&opened.sources, &decisions, text) {
            Ok((site, way)) => drop(out.insert(site, way)),
            Err(why) if strict => return Err(usage(&format!("`--pin {text}`{why}"))),
            Err(_) => {}
        }
    }
    Ok(Pins::At(out))
}

/// A pin as [`pins`] reads it. None: the place is nowhere in a text.
pub fn named(sources: &Sources, site: Site, way: usize) -> Option<String> {
    Some(format!("{}@{}={}", site.what.word(), place(sources, site.span)?, way + 1))
}

/// What a text pins. Errors: why it pins nothing.
fn one(sources: &Sources, decisions: &[Decision], text: &str) -> Result<(Site, usize), String> {
    let parts = text.split_once('@').and_then(|(what, rest)| Some((what, rest.rsplit_once('=')?)));
    let Some((what, (at, number))) = parts else {
        return Err(" is not like `sum@8:24=2`: what is decided, its line and column, a way's number or words".into());
    };
    let here = |d: &&Decision| {
        let place = place(sources, d.site.span).unwrap_or_default();
        d.site.what.word() == what && (place == at || place.ends_with(&format!(":{at}")))
    };
    let found: Vec<&Decision> = decisions.iter().filter(here).collect();
    let Some(first) = found.first() else {
        let of = |d: &Decision| Some(format!("{}@{}", d.site.what.word(), place(sources, d.site.span)?));
        let mut all: Vec<String> = Vec::new();
        decisions.iter().filter_map(of).for_each(|site| {
            if !all.contains(&site) {
                all.push(site)
            }
        });
        let known = if all.is_empty() { "nothing is decided here".into() } else { format!("there are {}", all.join(", ")) };
        return Err(format!(": nothing of this kind is decided there; {known}"));
    };
    if found.iter().any(|d| d.site != first.site) {
        return Err(": several files have that place; say the file, too: `sum@std.linear:8:23=2`".into());
    }
    let most = found.iter().map(|d| d.ways.len()).max().unwrap_or(0);
    match number.parse::<usize>() {
        Ok(n) if (1..=most).contains(&n) => Ok((first.site, n - 1)),
        Ok(_) => Err(format!(": there are ways 1 to {most}")),
        Err(_) => Ok((first.site, by_words(number, &found)?)),
    }
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
        [..] => Err(": several things are decided there, and the way has another number in each: say it by number".into()),
    }
}
