//! The house's rules, as far as a text can be looked at: which room may know which, no wildcard arm over primitives, short files and
//! functions, passes and messages that are all in use.
//!
//! An exception stands in a list with its reason. Lists only shrink: an entry that is no longer needed fails, too.

use hnet::diag::explain::PAGES;
use hnet::opt::{ORDER, PASSES};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms of `src/`, from the ground up. Each may use those before it, and none after it.
const ROOMS: &[&str] = &[
    "source", "diag", "disk", "syntax", "program", "ir", "grad", "files", "check", "opt", "plan", "cpu", "gpu", "bind",
    "pipeline", "exec", "train", "web", "draw", "emit", "snapshot", "testing", "fuzz", "cli", "lib", "main",
];

/// Longer than 400 lines, and why.
const LONG_FILES: &[(&str, &str)] = &[
    ("src/cpu/fold.rs", "one idea that takes more lines"),
    ("src/syntax/walk.rs", "an arm for each node of the tree"),
    ("src/gpu/wgsl/kernel.rs", "a kernel's loops, front to back"),
    ("src/gpu/wgsl/helpers.rs", "the text of all helpers"),
    ("src/gpu/wgsl/rows.rs", "stages that share a workgroup, front to back"),
    ("src/syntax/ast.rs", "the whole tree, type by type"),
];

/// Longer than 80 lines, and why.
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[
    ("src/gpu/wgsl/rows.rs", "sum", "one step after the other"),
    ("src/fuzz/relations.rs", "single", "a list of the relations that a program may say"),
    ("src/fuzz/call.rs", "call_of", "a list of the calls that a program may make"),
    ("src/fuzz/loops.rs", "unrolled", "a loop and what it is without one, side by side"),
    ("src/syntax/print/expr.rs", "bare", "an arm for each kind of expression"),
    ("src/gpu/absorb.rs", "merge", "one kernel drawn into another, step by step"),
    ("src/gpu/wgsl/sort.rs", "emit", "mostly the text of a shader"),
    ("src/gpu/wgsl/tile.rs", "emit", "mostly the text of a shader"),
];

/// Codes of which no page's example and no known-bad program gives the message, and why.
const UNSEEN: &[(&str, &str)] = &[
    ("H0191", "a text of gigabytes"),
    ("H0605", "sizes that the checker lets pass are not known to exist"),
    ("H0621", "steps of a training run"),
    ("H0622", "steps of a training run"),
    ("H0631", "a file that was changed behind the back of a run"),
    ("H0632", "a folder of a run with another file in it"),
    ("H0633", "a run whose files were changed"),
    ("H0634", "a loop that needs gigabytes"),
    ("H0635", "steps of a training run"),
    ("H0636", "the environment, tried in tests/tools/vectors.rs"),
    ("H0811", "a text that takes minutes to check"),
    ("H0818", "a system that refuses threads"),
    ("H0899", "a bug"),
    ("H0901", "a machine without a device"),
    ("H0902", "what does not fit differs from device to device"),
    ("H0903", "a device that gives up"),
    ("H0904", "a device without a clock"),
    ("H0905", "a warning of a device"),
    ("H0911", "said by `build --target web`, tried in tests/tools/web.rs"),
    ("H0912", "said by `build --target web --train`, tried in tests/tools/web/training.rs"),
    ("H0913", "said by `build`, tried in tests/tools/object.rs"),
    ("H0921", "said by `run --profile`, which a page does not show"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files of a folder and below, by their paths from the root, with their texts.
fn texts(folder: &str, end: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut todo: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(at) = todo.pop() {
        for entry in std::fs::read_dir(&at).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == end) {
                let name = path.strip_prefix(root()).expect("inside").to_string_lossy().replace('\\', "/");
                out.push((name, std::fs::read_to_string(&path).expect("text")));
            }
        }
    }
    out.sort();
    out
}

/// The sources that are built into the library, without their tests.
fn sources() -> Vec<(String, String)> {
    let is_test = |name: &str| name.contains("/tests/") || name.ends_with("/tests.rs");
    texts("src", "rs").into_iter().filter(|(name, _)| !is_test(name)).collect()
}

fn room(file: &str) -> &str {
    let inside = file.strip_prefix("src/").expect("a file of the library");
    inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
}

/// A text without the unit tests at its end.
fn untested(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("")
}

/// The modules of the crate that a text names, `crate::{a, b::c}` included; comments do not count.
fn named(text: &str) -> BTreeSet<String> {
    let code: String = untested(text).lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let word = |s: &str| s.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let mut out = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => {
                out.insert(word(rest));
            }
            Some(list) => {
                let mut depth = 0;
                for (k, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 && (k == 0 || c == ',') {
                        out.insert(word(list[k..].trim_start_matches([',', ' ', '\n'])));
                    }
                }
            }
        }
    }
    out
}

#[test]
fn rooms_use_only_those_below_them() {
    let height = |room: &str| ROOMS.iter().position(|r| *r == room);
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let here = room(&file);
        let Some(own) = height(here) else { panic!("`{here}` has no place in the order of the rooms") };
        let above = named(&text).into_iter().filter(|o| height(o).is_some_and(|h| h > own));
        wrong.extend(above.map(|other| format!("{file} uses `{other}`, which is above it")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short() {
    let lines: BTreeMap<String, usize> = sources().into_iter().map(|(file, text)| (file, text.lines().count())).collect();
    let known = |file: &str| LONG_FILES.iter().any(|(f, _)| *f == file);
    let mut wrong: Vec<String> =
        lines.iter().filter(|(f, n)| **n > 400 && !known(f)).map(|(f, n)| format!("{f} has {n} lines")).collect();
    let gone = LONG_FILES.iter().filter(|(f, _)| lines.get(*f).is_none_or(|n| *n <= 400));
    wrong.extend(gone.map(|(f, _)| format!("take {f} off the list: it is short")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The functions of a text with their lengths: from `fn` to the brace at the same column, as rustfmt sets it.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let body = line.trim_start();
        let words: Vec<&str> = body.split_whitespace().take_while(|w| !w.contains('(') || w.starts_with("pub(")).collect();
        let Some(at) = body.split_whitespace().position(|w| w == "fn") else { continue };
        if at > words.len() || line.trim_end().ends_with('}') || body.starts_with("//") {
            continue;
        }
        let name: String =
            body.split("fn ").nth(1).unwrap_or("").chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let close = format!("{}}}", &line[..line.len() - body.len()]);
        if let Some(n) = lines[start..].iter().position(|l| *l == close) {
            out.push((name, n + 1));
        }
    }
    out
}

#[test]
fn functions_are_short() {
    let mut long: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (file, text) in sources() {
        long.extend(functions(&text).into_iter().filter(|(_, n)| *n > 80).map(|(name, n)| ((file.clone(), name), n)));
    }
    let known = |file: &str, name: &str| LONG_FUNCTIONS.iter().any(|(f, n, _)| *f == file && *n == name);
    let found = long.iter().filter(|((f, name), _)| !known(f, name));
    let mut wrong: Vec<String> = found.map(|((f, name), n)| format!("{f}: `{name}` has {n} lines")).collect();
    let gone = LONG_FUNCTIONS.iter().filter(|(f, n, _)| !long.contains_key(&(f.to_string(), n.to_string())));
    wrong.extend(gone.map(|(f, n, _)| format!("take `{n}` of {f} off the list: it is short")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The patterns of the arms of each match of a text, by its line: an arm stands one step deeper than its match, as rustfmt sets it.
fn matches(text: &str) -> Vec<(usize, Vec<String>)> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |l: &str| l.len() - l.trim_start().len();
    let mut out = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if code.starts_with("//")
            || !line.ends_with('{')
            || !(code.starts_with("match ") || line.contains(" match ") || line.contains("(match "))
        {
            continue;
        }
        let depth = indent(line);
        let mut arms = Vec::new();
        for l in lines[at + 1..].iter().take_while(|l| l.trim().is_empty() || indent(l) > depth) {
            let inside = l.trim_start();
            if indent(l) == depth + 4
                && !inside.starts_with("//")
                && (inside.contains(" => ") || inside.ends_with("=> {") || inside.starts_with('|') || inside.contains("::"))
            {
                arms.push(inside.split(" =>").next().unwrap_or("").to_string());
            }
        }
        out.push((at + 1, arms));
    }
    out
}

/// Matches with an arm for a primitive and an arm for whatever is left.
fn wildcards(text: &str) -> Vec<usize> {
    let primitive = |arm: &String| {
        ["Op::", "Map::", "Fold::", "Step::", "Expr::", "Stage::"]
            .iter()
            .any(|p| arm.match_indices(p).any(|(k, _)| k == 0 || !arm.as_bytes()[k - 1].is_ascii_alphanumeric()))
    };
    let rest = |arm: &String| matches!(arm.as_str(), "_" | "(_, _)" | "(_, _, _)" | "Some(_)");
    matches(text)
        .into_iter()
        .filter(|(_, arms)| arms.iter().any(primitive) && arms.iter().any(rest))
        .map(|(line, _)| line)
        .collect()
}

#[test]
fn no_match_over_primitives_has_a_wildcard_arm() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        if ["ir", "opt", "plan", "cpu", "gpu", "exec"].contains(&room(&file)) {
            wrong.extend(wildcards(&text).iter().map(|line| format!("{file}:{line}: a wildcard arm over primitives")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A closure that an iterator calls is compiled on its own where the compiler likes, without the vectors of the function around it: an exponential
/// became forty times as slow that way.
#[test]
fn code_for_wide_vectors_hands_no_closure_to_an_iterator() {
    let wide = sources().into_iter().filter(|(_, text)| text.contains("target_feature(enable"));
    let mut count = 0;
    for (name, text) in wide {
        count += 1;
        for call in [".for_each(", ".fold("] {
            assert!(!untested(&text).contains(call), "{name}: `{call}..)` beside `target_feature`; write the loop");
        }
    }
    assert!(count > 5, "{count} files have code for wide vectors");
}

#[test]
fn the_looking_itself_finds_what_it_should() {
    assert_eq!(
        named("use crate::ir::Op;\nuse crate::{cpu, gpu::{self, Device}};\n// crate::cli\n"),
        ["cpu", "gpu", "ir"].map(String::from).into()
    );
    let text = "fn f(op: &Op) -> u8 {\n    match op {\n        Op::Iota => 1,\n        Op::Const(_) => {\n            match 3 {\n                _ => 4,\n            }\n        }\n        _ => 2,\n    }\n}\n";
    assert_eq!(wildcards(text), [2]);
    assert_eq!(functions(text), [("f".to_string(), 11)]);
    assert!(wildcards(&text.replace("        _ => 2,\n", "")).is_empty());
}

#[test]
fn every_pass_of_the_order_exists_and_every_pass_is_in_it() {
    let passes: BTreeSet<&str> = PASSES.iter().map(|p| p.name).collect();
    let ordered: BTreeSet<&str> = ORDER.iter().copied().collect();
    assert_eq!(passes, ordered);
    assert_eq!(passes.len(), PASSES.len(), "two passes of one name");
}

/// Codes that a text says. That each has a page the compiler promises.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.split("Code::").skip(1).filter_map(|s| s.get(..5)).filter(|s| s.starts_with('H'))
}

#[test]
fn every_page_is_of_a_message_that_is_said_and_seen() {
    let pages: BTreeSet<&str> = PAGES.iter().map(|p| p.0).collect();
    let all = sources();
    let said: BTreeSet<&str> = all.iter().flat_map(|(_, text)| codes(untested(text))).collect();
    let mut wrong: Vec<String> = pages.difference(&said).map(|c| format!("nothing says {c} any more")).collect();
    let (agreed, bad) = (texts("tests/messages", "txt"), texts("tests/ui", "stderr"));
    let seen = |code: &&&str| agreed.iter().chain(&bad).any(|(_, text)| text.contains(&format!("[{code}]")));
    let unseen: BTreeSet<&str> = said.iter().filter(|c| !seen(c)).copied().collect();
    let known: BTreeSet<&str> = UNSEEN.iter().map(|u| u.0).collect();
    wrong.extend(unseen.difference(&known).map(|c| format!("no example and no known-bad program says {c}")));
    wrong.extend(known.difference(&unseen).map(|c| format!("take {c} off the list: it is seen")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
