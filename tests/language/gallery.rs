//! The gallery is the models: `models/README.md` has, between two marks, a section for each kind of model, and `models/pictures` what
//! `hnet graph` draws of them.
//!
//! A model says in its first lines what it is, from which paper, and of which kind: `//! Kind: mixtures; top-2 of eight experts`. All
//! else is read off the checked model and the files beside it. `HNET_ACCEPT=1 cargo test --test language gallery` writes page and pictures.

use hnet::check::model::{Model, Param};
use hnet::ir::{Origin, Size};
use hnet::source::Sources;
use hnet::{draw, pipeline};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Kinds in the order of the page: the word in the models, the title, and what belongs there.
const KINDS: &[(&str, &str, &str)] = &[
    (
        "writing",
        "Nets that write nets",
        "A hypernetwork gives all parameters of another net, from a code, a condition, or each sample.",
    ),
    (
        "adapters",
        "Adapters",
        "A net stays as it is, and something small that is written for a task, a document or a person changes it.",
    ),
    ("mixtures", "Mixtures of experts", "A gate picks few of many nets for each token."),
    ("blends", "Blended weights", "A gate mixes the parameters of many nets into one, which then runs once."),
    ("modulation", "Modulated features", "What is written is not weights, but factors and shifts of what passes."),
    ("skipping", "Conditional computation", "Some of the work is left out, by token or by channel."),
    ("growing", "Shared weights, small and large", "Nets of several sizes from the same parameters."),
    ("search", "Architecture search", "Weights for many candidates at once, and the choice among them."),
    ("examples", "From a few examples", "What a net is follows from a handful of labelled examples."),
    ("sequence", "One task after the other", "What was learned before stays."),
    ("aims", "Several aims", "More than one loss, and more than one who learns."),
    ("zoo", "Weights as data", "Generative models whose samples are the weights of a net."),
    ("programs", "Programs with derivatives", "Solvers, sorting, drawing and circuits that can be learned through."),
];

/// A picture with more bytes is left out of the page.
const LARGEST_PICTURE: usize = 40_000;
const ALL_PICTURES: usize = 1_000_000;
const MARKS: [&str; 2] = ["<!-- gallery: written by the tests -->\n", "<!-- end of the gallery -->\n"];

struct Entry {
    name: String,
    kind: String,
    /// In a few words, for the table.
    shows: String,
    /// The first lines of the file, without the kind.
    about: String,
    /// Of several models of a file the one with the most parameters: what grows, not what it grew out of.
    model: Model,
    /// The first one, to which the tensors beside the file belong; none: it is the same.
    first: Option<Model>,
}

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models")
}

fn entry(path: &Path) -> Entry {
    let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).expect("a text");
    let lines: Vec<&str> = text.lines().map_while(|l| l.strip_prefix("//!")).map(str::trim).collect();
    let kind = lines.iter().find_map(|l| l.strip_prefix("Kind: ")).and_then(|l| l.split_once("; "));
    let (kind, shows) = kind.unwrap_or_else(|| panic!("{name}.hnet has no line `//! Kind: WORD; what it shows`"));
    assert!(KINDS.iter().any(|k| k.0 == kind), "{name}.hnet: there is no kind `{kind}`; tests/language/gallery.rs lists them");
    let about: Vec<&str> = lines.iter().filter(|l| !l.starts_with("Kind: ")).copied().collect();
    let mut sources = Sources::default();
    let root = pipeline::read(&mut sources, path).expect("it can be read");
    let models = pipeline::check(&mut sources, root, &[]).models;
    let stored = |k: &usize| models[*k].params.iter().map(numbers).sum::<i64>();
    let large = (0..models.len()).rev().max_by_key(stored).expect("a model");
    let mut models = models;
    let model = models.swap_remove(large);
    let first = (large > 0).then(|| models.swap_remove(0));
    Entry { name, kind: kind.into(), shows: shows.into(), about: about.join("\n").trim().into(), model, first }
}

/// The paper in short: what stands in the first brackets with a year, up to the title; else the title, where a text says only that.
fn paper(about: &str) -> String {
    let flat = about.replace('\n', " ");
    let groups: Vec<&str> = flat.split('(').skip(1).filter_map(|g| g.split(')').next()).collect();
    let year = |g: &&&str| g.split([' ', ',']).any(|w| w.len() == 4 && w.parse::<u16>().is_ok_and(|y| (1900..2100).contains(&y)));
    if let Some(title) = groups.iter().find_map(|g| g.strip_prefix('"')) {
        return title.split([':', '"']).next().unwrap_or(title).to_string();
    }
    let found = groups.iter().find(year).map(|g| g.split(", \"").next().unwrap_or(g).trim_start_matches("after "));
    found.unwrap_or("").to_string()
}

/// How many numbers of a parameter are stored.
fn numbers(p: &Param) -> i64 {
    let sizes: Vec<i64> = p.shape.iter().map(|s| Size::constant(s).expect("a known size")).collect();
    let (nets, each): (i64, i64) = (sizes[..p.arrays()].iter().product(), sizes[p.arrays()..].iter().product());
    (nets - p.provided.len() as i64) * each
}

/// `12,345`
fn grouped(n: i64) -> String {
    let digits = n.to_string();
    let comma = |(k, c): (usize, char)| if k > 0 && (digits.len() - k).is_multiple_of(3) { vec![',', c] } else { vec![c] };
    digits.chars().enumerate().flat_map(comma).collect()
}

impl Entry {
    fn has(&self, end: &str) -> bool {
        models().join(format!("{}.{end}.safetensors", self.name)).exists()
    }

    fn size(&self) -> String {
        let of = |frozen: bool| {
            let own = self.model.params.iter().filter(|p| p.origin == Origin::Param && (!frozen || p.is_frozen()));
            own.map(numbers).sum::<i64>()
        };
        let frozen = if of(true) > 0 { format!(", {} of them frozen", grouped(of(true))) } else { String::new() };
        let own = if self.first.is_some() { format!("`{}` has ", self.model.name) } else { String::new() };
        format!("{own}{} parameters{frozen}; {} nodes", grouped(of(false)), grouped(self.model.graph.len() as i64))
    }

    fn reference(&self) -> &'static str {
        let script = models().join("reference").join(format!("{}.py", self.name)).exists();
        match (script, self.has("expected")) {
            (true, _) => "; checked against a script of its own in `reference/`",
            (false, true) => "; checked against values from outside hnet",
            (false, false) => "",
        }
    }

    /// The commands that do something with it.
    fn commands(&self) -> String {
        let name = &self.name;
        let mut run = format!("hnet run models/{name}.hnet");
        if !self.has("inputs") {
            run.push_str(" --random-inputs");
        }
        let mut out = vec![run];
        let model = self.first.as_ref().unwrap_or(&self.model);
        if !model.trains.is_empty() {
            out.push(format!("hnet train models/{name}.hnet --out {name}.safetensors --dir {name}.train"));
        }
        if !model.evals.is_empty() {
            out.push(format!("hnet eval models/{name}.hnet"));
        }
        out.join("\n")
    }

    fn section(&self, picture: bool) -> String {
        let (name, about) = (&self.name, &self.about);
        let mut out = format!("### {name}\n\n{about}\n\n");
        if picture {
            let _ = writeln!(out, "![{name}](pictures/{name}.svg)\n");
        }
        let _ = writeln!(out, "[`{name}.hnet`]({name}.hnet): {}{}.\n", self.size(), self.reference());
        let _ = writeln!(out, "```sh\n{}\n```\n", self.commands());
        out
    }
}

/// What stands between the marks.
fn page(entries: &[Entry], shown: &dyn Fn(&Entry) -> bool) -> String {
    let mut out = String::new();
    for (word, title, _) in KINDS {
        let own = entries.iter().filter(|e| e.kind == *word);
        let links: Vec<String> = own.map(|e| format!("[{0}](#{0})", e.name)).collect();
        assert!(!links.is_empty(), "nothing is of the kind `{word}`");
        let anchor = title.to_lowercase().replace(' ', "-").replace(',', "");
        let _ = writeln!(out, "- [{title}](#{anchor}): {}", links.join(", "));
    }
    for (word, title, about) in KINDS {
        let own: Vec<&Entry> = entries.iter().filter(|e| e.kind == *word).collect();
        let _ = writeln!(out, "\n## {title}\n\n{about}\n\n| model | what it shows | paper | references |\n|---|---|---|:-:|");
        for e in &own {
            let mark = if e.has("expected") { "✓" } else { "" };
            let _ = writeln!(out, "| [{0}](#{0}) | {1} | {2} | {mark} |", e.name, e.shows, paper(&e.about));
        }
        out.push('\n');
        own.iter().for_each(|e| out.push_str(&e.section(shown(e))));
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    out.push('\n');
    out
}

#[test]
fn the_gallery_is_the_models() {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(models()).expect("a folder").flatten().map(|f| f.path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "hnet"));
    paths.sort();
    let entries: Vec<Entry> = paths.iter().map(|p| entry(p)).collect();
    let accept = std::env::var_os("HNET_ACCEPT").is_some();
    let (mut wrong, mut total) = (Vec::new(), 0);
    let mut agreed = |path: PathBuf, text: &str| {
        if accept {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(&path, text).expect("written");
        }
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            return;
        }
        wrong.push(path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(&path).display().to_string());
    };
    let mut shown = Vec::new();
    for e in &entries {
        let picture = draw::to_svg(&e.model);
        if picture.len() <= LARGEST_PICTURE {
            total += picture.len();
            agreed(models().join("pictures").join(format!("{}.svg", e.name)), &picture);
            shown.push(&e.name);
        }
    }
    let path = models().join("README.md");
    let old = std::fs::read_to_string(&path).expect("the page");
    let (head, rest) = old.split_once(MARKS[0]).expect("the first mark");
    let (_, tail) = rest.split_once(MARKS[1]).expect("the second mark");
    let text = page(&entries, &|e| shown.contains(&&e.name));
    agreed(path, &format!("{head}{}{text}{}{tail}", MARKS[0], MARKS[1]));
    assert!(wrong.is_empty(), "other ones; HNET_ACCEPT=1 writes them: {wrong:?}");
    assert!(total <= ALL_PICTURES, "{total} bytes of pictures");
    for file in std::fs::read_dir(models().join("pictures")).expect("a folder").flatten() {
        let stem = file.path().file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(shown.contains(&&stem), "models/pictures/{stem}.svg is of no model");
    }
}
