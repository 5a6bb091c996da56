//! What is left over, on either side.

use super::{Source, has_net};
use crate::bind::params::{shape, unravel};
use crate::check::model::weights::{Mapping, Move, Places, numbered};
use crate::check::model::{Model, Param};
use crate::diag::{Code, Diagnostic, suggest};
use crate::ir::Origin;
use crate::ir::sizes::Sizes;
use std::collections::BTreeSet;

/// Names that a message lists.
const SHOWN: usize = 8;

/// Tensors that no line takes and no `drop` names, file by file.
pub fn left_over(mapping: &Mapping, sources: &[Source]) -> Vec<Diagnostic> {
    let mut out = vec![];
    for (k, source) in sources.iter().enumerate() {
        let of_shelf = mapping.moves.iter().filter(|m| m.shelf == k);
        let used: BTreeSet<&String> =
            of_shelf.flat_map(|m| &m.names).chain(mapping.dropped.get(k).into_iter().flatten()).collect();
        let left: Vec<&String> = source.shelf.tensors.keys().filter(|n| !used.contains(n)).collect();
        let Some(first) = left.first() else { continue };
        let message = match left.len() {
            1 => format!("`{first}` in `{}` goes nowhere", source.shelf.name),
            n => format!("{n} tensors in `{}` go nowhere", source.shelf.name),
        };
        let mut d = Diagnostic::error(Code::H0626, source.span, message).here("no line of this file's blocks takes it");
        for name in left.iter().take(SHOWN) {
            d = d.note(format!("`{name}` is {}", source.shelf.tensors[*name].text));
        }
        if left.len() > SHOWN {
            d = d.note(format!("and {} more", left.len() - SHOWN));
        }
        out.push(d.help(format!("give it a line, or say that nobody wants it: `drop \"{first}\"`")));
    }
    out
}

/// Parameters that have a part twice, or that nothing gives.
pub fn parameters(model: &Model, mapping: &Mapping, sources: &[Source], sizes: &Sizes) -> Vec<Diagnostic> {
    let mut out = vec![];
    let mut missing: Vec<(&Param, String)> = vec![];
    for (k, param) in model.params.iter().enumerate() {
        let moves: Vec<&Move> = mapping.moves.iter().filter(|m| m.param == k).collect();
        let shape = match shape(param, sizes) {
            Ok(shape) => shape,
            Err(d) => {
                out.push(d);
                continue;
            }
        };
        let stars = param.path.split('.').filter(|p| *p == "*").count().min(shape.len());
        let (lead, rest) = shape.split_at(stars);
        for net in 0..lead.iter().product() {
            let net = unravel(net, lead);
            let name = numbered(&param.path, &net.iter().copied().map(Some).collect::<Vec<_>>());
            let given = |list: &[usize]| net.iter().zip(list).all(|(a, b)| a == b);
            let here: Vec<&Move> = moves.iter().copied().filter(|m| has_net(&m.part[..stars], &net)).collect();
            if param.provided.iter().any(|p| given(p)) {
                if let Some(m) = here.first() {
                    out.push(written(&name, m, param));
                    break;
                }
                continue;
            }
            let begun = mapping
                .begun
                .iter()
                .any(|(p, numbers)| *p == k && net.iter().zip(numbers).all(|(n, picked)| picked.is_none_or(|p| p == *n)));
            let kept = param.origin == Origin::State && param.init.is_some();
            match amount(&here, stars, rest) {
                Amount::Twice(a, b) => {
                    out.push(twice(&name, a, b));
                    break;
                }
                Amount::Nothing if begun || kept => {}
                Amount::Nothing => missing.push((param, name)),
                Amount::Part(n, all) if !begun => {
                    out.push(part(&name, here[0], n, all));
                    break;
                }
                Amount::Part(..) | Amount::All => {}
            }
        }
    }
    out.extend(say_missing(&missing, mapping, sources));
    out
}

/// How much of a net's tensor is given.
enum Amount<'m> {
    Nothing,
    Part(u128, u128),
    All,
    Twice(&'m Move, &'m Move),
}

fn amount<'m>(moves: &[&'m Move], stars: usize, rest: &[usize]) -> Amount<'m> {
    let all = rest.iter().map(|n| *n as u128).product();
    let mut given = 0;
    for (k, m) in moves.iter().enumerate() {
        let own = &m.part[stars..];
        let meets = |other: &&&Move| !own.iter().zip(&other.part[stars..]).any(|(a, b)| a.apart(b));
        if let Some(first) = moves[..k].iter().find(meets) {
            return Amount::Twice(first, m);
        }
        given += own.iter().map(|p: &Places| p.count() as u128).product::<u128>();
    }
    match given {
        _ if moves.is_empty() => Amount::Nothing,
        n if n < all => Amount::Part(n, all),
        _ => Amount::All,
    }
}

fn written(name: &str, m: &Move, param: &Param) -> Diagnostic {
    Diagnostic::error(Code::H0629, m.line, format!("`{name}` is written by a relation, and a line gives it, too"))
        .label(param.span, "declared here")
        .help("`drop` the tensor, or take the relation away")
}

fn twice(name: &str, first: &Move, second: &Move) -> Diagnostic {
    let d = Diagnostic::error(Code::H0619, second.line, format!("`{name}` is given twice"))
        .here(format!("by {}", quoted(second)))
        .note(format!("once by {}", quoted(first)));
    let d = if first.line == second.line { d } else { d.label(first.line, "and by this line") };
    d.help("each place of a parameter is given once: `drop` one of the tensors, or say which part each of them is")
}

fn quoted(m: &Move) -> String {
    match m.names.as_slice() {
        [] => "a number".into(),
        names => names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" and "),
    }
}

fn part(name: &str, m: &Move, given: u128, all: u128) -> Diagnostic {
    Diagnostic::error(Code::H0609, m.line, format!("a part of `{name}` is given by no line"))
        .here("one of the lines that give the rest")
        .note(format!("{given} of its {all} numbers are given"))
        .help("more lines give the other parts; `drop` says that what no line gives begins as it is drawn")
}

fn say_missing(missing: &[(&Param, String)], mapping: &Mapping, sources: &[Source]) -> Option<Diagnostic> {
    let (param, first) = missing.first()?;
    let message = match missing.len() {
        1 => format!("no line of the `weights` blocks gives `{first}`"),
        n => format!("no line of the `weights` blocks gives {n} parameters"),
    };
    let mut d = Diagnostic::error(Code::H0609, param.span, message).here("wanted here");
    if let Some(s) = sources.first() {
        d = d.label(s.span, "this file has none for it");
    }
    for (p, name) in missing.iter().take(SHOWN) {
        let stars = p.path.split('.').filter(|p| *p == "*").count();
        let sizes = crate::ir::type_text(p.dtype.word(), &p.shape[stars.min(p.shape.len())..]);
        d = d.note(format!("`{name}` is {sizes}"));
    }
    if missing.len() > SHOWN {
        d = d.note(format!("and {} more", missing.len() - SHOWN));
    }
    let used = mapping.moves.iter().flat_map(|m| &m.names).chain(mapping.dropped.iter().flatten());
    let used: BTreeSet<&str> = used.map(String::as_str).collect();
    let spare = sources.iter().flat_map(|s| s.shelf.tensors.keys()).map(String::as_str).filter(|n| !used.contains(n));
    match suggest(first, spare) {
        Some(near) => Some(d.help(format!("the file has `{near}`, which no line takes"))),
        None if param.init.is_some() => {
            Some(d.help(format!("give it a line; `drop {}` says that it begins as it is drawn", plain(first))))
        }
        None => Some(d.help("give it a line, or an initialiser and a `drop`")),
    }
}

/// A stored path as a `drop` names it: numbers of nets in brackets.
fn plain(name: &str) -> String {
    let mut out = String::new();
    for part in name.split('.') {
        if part.chars().all(|c| c.is_ascii_digit()) {
            out.push_str(&format!("[{part}]"));
        } else {
            out.push_str(if out.is_empty() { "" } else { "." });
            out.push_str(part);
        }
    }
    out
}
