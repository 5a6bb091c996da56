//! `hnet weights`: both sides of what files give a model, and what does not fit.

use super::load::Lines;
use super::open::{self, Opened, Which};
use super::table::table;
use super::talk::{self, Exit, Talk, usage};
use crate::bind::known::Known;
use crate::bind::params;
use crate::bind::weights::{self, Source};
use crate::check::model::weights::{How, Mapping, Move, Places, numbered};
use crate::check::model::{Model, Param};
use crate::diag::Diagnostic;
use crate::files::archive;
use crate::ir::type_text;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Show which tensors of files become which parameters, and what does not fit
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hnet weights mixtral.hnet
  hnet weights mixtral.hnet checkpoint/ -o mixtral.params.safetensors

Without files those are read that the `weights from` blocks name. A folder or an index (model.safetensors.index.json) stands
for all files of a checkpoint.")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// The weights: safetensors, .npz, a folder or an index
    #[arg(value_name = "F")]
    files: Vec<PathBuf>,
    /// Writes the parameters under the model's own names: safetensors or .npz
    #[arg(long, short, value_name = "F")]
    out: Option<PathBuf>,
    /// Seed of what begins as it is drawn
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    seed: i32,
    /// One JSON object, with every tensor by itself
    #[arg(long)]
    json: bool,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let talk = Talk::json(args.json);
    let opened = open::model(&args.which, talk)?;
    if let Some(out) = &args.out {
        opened.spare(out, &args.files)?;
        open::ends(out, &["safetensors", "npz"])?;
    }
    let mut files = args.files.clone();
    if files.is_empty() && !opened.model.weights.iter().any(|b| !b.writes) {
        opened.tell_beside("params", talk);
        files.extend(opened.beside("params"));
        if files.is_empty() {
            return Err(usage("no file: name one, or say in the program which, `weights from \"F\"`"));
        }
    }
    let Lines { sources, mapping, said, texts } = opened.both_sides(&files, talk)?;
    let mapping = mapping.unwrap_or_default();
    let sizes = Known::of(&opened.model).sizes();
    let left: Vec<Diagnostic> = weights::left(&opened.model, &mapping, &sources, &sizes);
    let rows = rows(&opened.model, &mapping, &sources);
    if args.json {
        talk::print(&format!("{}\n", as_json(&opened, &rows)));
    } else {
        talk::print(&as_table(&rows));
    }
    // What a line got wrong leaves something over on both sides, which the table shows.
    talk.say(&texts, if said.is_empty() { &left } else { &said })?;
    if let Some(out) = &args.out {
        let loaded = weights::load(&opened.model, &mapping, &sources, &sizes, args.seed);
        let loaded = loaded.map_err(|list| opened.fail(talk, &list))?;
        let stored = params::split(&opened.model, &loaded.tensors);
        archive::save_params(out, &stored).map_err(|d| opened.fail(talk, &[d]))?;
        talk.note(&format!("{} tensors written to {}", stored.len(), out.display()));
    }
    Ok(())
}

/// One net's parameter, or a tensor that none takes.
#[derive(Default)]
struct Row {
    /// With stars for the numbers of arrays, and without.
    param: Option<(String, String)>,
    wants: String,
    tensors: Vec<String>,
    has: String,
    how: String,
}

fn rows(model: &Model, mapping: &Mapping, sources: &[Source]) -> Vec<Row> {
    let mut out: Vec<Row> = mapping.moves.iter().map(|m| moved(model, sources, m)).collect();
    for (k, p) in model.params.iter().enumerate() {
        let given = mapping.moves.iter().any(|m| m.param == k);
        if given {
            continue;
        }
        let how = match mapping.begun.iter().any(|(b, _)| *b == k) {
            true => "as it is drawn",
            false => "MISSING",
        };
        out.push(Row { param: Some((p.path.clone(), p.path.clone())), wants: wants(p), how: how.into(), ..Row::default() });
    }
    for (k, s) in sources.iter().enumerate() {
        let used: BTreeSet<&String> = mapping.moves.iter().filter(|m| m.shelf == k).flat_map(|m| &m.names).collect();
        for (name, listed) in s.shelf.tensors.iter().filter(|(n, _)| !used.contains(n)) {
            let dropped = mapping.dropped.get(k).is_some_and(|d| d.contains(name));
            let how = if dropped { "dropped" } else { "LEFT OVER" };
            out.push(Row { tensors: vec![name.clone()], has: listed.text.clone(), how: how.into(), ..Row::default() });
        }
    }
    out
}

fn wants(p: &Param) -> String {
    let stars = p.arrays();
    type_text(p.dtype.word(), &p.shape[stars..])
}

fn moved(model: &Model, sources: &[Source], m: &Move) -> Row {
    let p = &model.params[m.param];
    let numbers: Vec<Option<usize>> = m.part.iter().map(|p| if let Places::At(k) = p { Some(*k) } else { None }).collect();
    let tensors = &sources[m.shelf].shelf.tensors;
    let has: Vec<&str> = m.names.iter().filter_map(|n| tensors.get(n)).map(|l| l.text.as_str()).collect();
    let how = match &m.how {
        How::Stored { transposed: false } => "",
        How::Stored { transposed: true } => "transposed",
        How::Computed(_) => "by its line",
    };
    Row {
        param: Some((p.path.clone(), numbered(&p.path, &numbers))),
        wants: wants(p),
        tensors: m.names.clone(),
        has: has.join(", "),
        how: how.into(),
    }
}

/// A line for all nets of an array that are given alike.
fn as_table(rows: &[Row]) -> String {
    let mut order: Vec<([String; 5], Vec<&Row>)> = vec![];
    for row in rows {
        let names: Vec<String> = row.tensors.iter().map(|t| starred(t)).collect();
        let param = row.param.as_ref().map_or(String::new(), |(path, _)| path.clone());
        let key = [param, row.wants.clone(), names.join(", "), row.has.clone(), row.how.clone()];
        match order.iter_mut().find(|(k, _)| *k == key) {
            Some((_, alike)) => alike.push(row),
            None => order.push((key, vec![row])),
        }
    }
    let line = |(key, alike): ([String; 5], Vec<&Row>)| {
        let mut cells = key.to_vec();
        let paths: Vec<&str> = alike.iter().filter_map(|r| r.param.as_ref()).map(|(_, numbered)| numbered.as_str()).collect();
        if paths.iter().any(|p| p.chars().any(|c| c.is_ascii_digit())) {
            cells[0] = ranged(&paths);
        }
        let tensors = alike.first().map_or(0, |r| r.tensors.len());
        let of = |k: usize| ranged(&alike.iter().map(|r| r.tensors[k].as_str()).collect::<Vec<_>>());
        cells[2] = (0..tensors).map(of).collect::<Vec<_>>().join(", ");
        cells.push(if alike.len() > 1 { alike.len().to_string() } else { String::new() });
        cells
    };
    let lines: Vec<Vec<String>> = order.into_iter().map(line).collect();
    table(&["parameter", "type", "tensor", "in the file", "how", "nets"], &lines, 5)
}

/// Names that differ in their numbers alone, as one: `h.{0..12}.w`, a range as the language has it, without its end; `h.{0, 2, 5}.w`
/// where numbers are left out; a star where there are too many to list.
fn ranged(names: &[&str]) -> String {
    let Some(first) = names.first() else { return String::new() };
    let split: Vec<Vec<(&str, bool)>> = names.iter().map(|n| pieces(n)).collect();
    if split.iter().any(|s| s.len() != split[0].len()) {
        return starred(first);
    }
    let mut sets: Vec<BTreeSet<u64>> = vec![];
    let mut out = String::new();
    for (k, (text, number)) in split[0].iter().enumerate() {
        let all: Option<BTreeSet<u64>> = split.iter().map(|s| s[k].0.parse().ok()).collect();
        let Some(all) = all.filter(|all| *number && all.len() > 1) else {
            out.push_str(text);
            continue;
        };
        let (low, high) = (all.first().copied().unwrap_or(0), all.last().copied().unwrap_or(0));
        match all.len() as u64 == high - low + 1 {
            true => out.push_str(&format!("{{{low}..{}}}", high.saturating_add(1))),
            false if all.len() <= MOST => {
                let listed: Vec<String> = all.iter().map(u64::to_string).collect();
                out.push_str(&format!("{{{}}}", listed.join(", ")));
            }
            false => out.push('*'),
        }
        sets.push(all);
    }
    // Where not all combinations are there, ranges would say that they are.
    let product: usize = sets.iter().map(BTreeSet::len).product();
    if product == names.iter().collect::<BTreeSet<_>>().len() { out } else { starred(first) }
}

/// Numbers of a name that are listed one by one.
const MOST: usize = 8;

/// Parts of a name, and which of them are numbers that a star may stand for.
fn pieces(name: &str) -> Vec<(&str, bool)> {
    let mut out = vec![];
    let mut from = 0;
    let bytes = name.as_bytes();
    for k in 0..=bytes.len() {
        let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
        let begins = digit(k) && (k == 0 || matches!(bytes[k - 1], b'.' | b'_' | b'-' | b'['));
        let ends = k > from && digit(k - 1) && !digit(k);
        if k > from && (begins || ends || k == bytes.len()) {
            let part = &name[from..k];
            let after = from == 0 || matches!(bytes[from - 1], b'.' | b'_' | b'-' | b'[');
            out.push((part, after && part.bytes().all(|b| b.is_ascii_digit())));
            from = k;
        }
    }
    out
}

/// A name with stars for its numbers.
fn starred(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c.is_ascii_digit() {
            true if out.ends_with('*') => {}
            true if out.ends_with(['.', '_', '-']) || out.is_empty() => out.push('*'),
            _ => out.push(c),
        }
    }
    out
}

fn as_json(opened: &Opened, rows: &[Row]) -> Value {
    let one = |r: &Row| {
        json!({
            "parameter": r.param.as_ref().map(|(_, path)| path),
            "wants": r.param.as_ref().map(|_| &r.wants),
            "tensors": r.tensors,
            "has": r.has,
            "how": r.how,
        })
    };
    json!({ "model": opened.model.name, "rows": rows.iter().map(one).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::ranged;

    #[test]
    fn names_that_differ_in_a_number_are_a_range() {
        assert_eq!(ranged(&["h.0.w", "h.1.w", "h.2.w"]), "h.{0..3}.w");
        assert_eq!(ranged(&["h.0.w"]), "h.0.w");
        assert_eq!(ranged(&["h.0.w", "h.2.w"]), "h.{0, 2}.w");
        assert_eq!(ranged(&["h.0.e.0.fc1", "h.0.e.1.fc1", "h.1.e.0.fc1", "h.1.e.1.fc1"]), "h.{0..2}.e.{0..2}.fc1");
        assert_eq!(ranged(&["h.0.e.0.w", "h.1.e.1.w"]), "h.*.e.*.w");
        assert_eq!(ranged(&["block[0].fc1.w", "block[1].fc1.w"]), "block[{0..2}].fc1.w");
    }
}
