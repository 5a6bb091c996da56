//! `--pin sum@8:24=2`, `--pin sum@8:24=made`: which way is taken at a place, as `hnet explain` numbers or calls them.

use super::plan::place;
use crate::cli::open::Opened;
use crate::cli::talk::{Exit, Talk, usage};
use crate::diag::Diagnostic;
use crate::ir::pin::order;
use crate::pipeline;
use crate::plan::{Decision, Pins, Prices, Sizes, Terms};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sites by their numbers. Errors: no such place, more than one, no such way.
pub fn pins(opened: &Opened, sizes: &Sizes, asked: &[String], prices: &Arc<Prices>, talk: Talk) -> Result<Pins, Exit> {
    if asked.is_empty() {
        return Ok(Pins::None);
    }
    // Ways are numbered in the order of their prices.
    let terms = Terms { prices: prices.clone(), ..Terms::default() };
    let plan = pipeline::plan_on(&opened.model, sizes, &terms).map_err(|d: Diagnostic| opened.fail(talk, &[d]))?;
    let decisions = plan.decisions;
    let mut out = BTreeMap::new();
    for text in asked {
        let parts = text.split_once('@').and_then(|(what, rest)| Some((what, rest.rsplit_once('=')?)));
        let Some((what, (at, number))) = parts else {
            return Err(usage(&format!(
                "`--pin {text}` is not like `sum@8:24=2`: what is decided, its line and column, a way's number or words"
            )));
        };
        let here = |d: &&Decision| {
            let place = place(&opened.sources, d).unwrap_or_default();
            d.site.what.word() == what && (place == at || place.ends_with(&format!(":{at}")))
        };
        let found: Vec<&Decision> = decisions.iter().filter(here).collect();
        let Some(first) = found.first() else {
            let all: Vec<String> =
                decisions.iter().filter_map(|d| Some(format!("{}@{}", d.site.what.word(), place(&opened.sources, d)?))).collect();
            let known = if all.is_empty() { "nothing is decided here".into() } else { format!("there are {}", all.join(", ")) };
            return Err(usage(&format!("`--pin {text}`: nothing of this kind is decided there; {known}")));
        };
        if found.iter().any(|d| d.site != first.site) {
            return Err(usage(&format!(
                "`--pin {text}`: several files have that place; say the file, too: `sum@std.linear:8:23=2`"
            )));
        }
        let most = found.iter().map(|d| d.ways.len()).max().unwrap_or(0);
        match number.parse::<usize>() {
            Ok(n) if (1..=most).contains(&n) => drop(out.insert(first.site, n - 1)),
            Ok(_) => return Err(usage(&format!("`--pin {text}`: there are ways 1 to {most}"))),
            Err(_) => drop(out.insert(first.site, by_words(text, number, &found)?)),
        }
    }
    Ok(Pins::At(out))
}

/// The number of a way that is called by its words, which has to be the same in all decisions of a place.
fn by_words(text: &str, words: &str, found: &[&Decision]) -> Result<usize, Exit> {
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
            Err(usage(&format!("`--pin {text}`: no way there is called so; there are {}", ways.join(", "))))
        }
        [..] => Err(usage(&format!(
            "`--pin {text}`: several things are decided there, and the way has another number in each: say it by number"
        ))),
    }
}
