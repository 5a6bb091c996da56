//! Texts that are made to break the front end: whatever stands in a file, the answer is a list of messages, soon.

use hnet::diag::Severity;
use hnet::pipeline;
use hnet::program::NoFiles;
use hnet::source::Sources;
use std::path::Path;
use std::time::{Duration, Instant};

/// What one text may take; generous, because machines that run tests are busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks a text: parser, checker and lowering. Gives whether it is fine.
fn survive(text: &str) -> bool {
    let start = Instant::now();
    let mut sources = Sources::default();
    let root = sources.add("text.hnet", None, text.to_string());
    let checked = pipeline::check_with(&mut sources, &NoFiles, root, &[]);
    let took = start.elapsed();
    assert!(took < PATIENCE, "{took:?} for {} bytes: {}", text.len(), &text[..text.len().min(400)]);
    let said: String =
        checked.diagnostics.iter().filter(|d| d.severity != Severity::Warning).map(|d| d.message.clone()).collect();
    assert!(!said.contains("bug in hnet"), "{said}\n{text}");
    checked.is_fine()
}

/// Programs of the repository that are worth breaking.
fn programs() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out = Vec::new();
    for folder in ["std", "models", "tests/syntax", "tests/ui", "examples"] {
        let Ok(files) = std::fs::read_dir(root.join(folder)) else { continue };
        let mut paths: Vec<_> = files.filter_map(|f| f.ok().map(|f| f.path())).collect();
        paths.sort();
        for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == "hnet")) {
            out.push(std::fs::read_to_string(path).expect("a text"));
        }
    }
    out
}

/// A small program with most constructs, to be cut at every byte.
const WHOLE: &str = "import std.linear { Linear }
dim b
const d = 4
fn half(x: [d]) -> [d] { let y[i] = x[i] / 2; y }
net Mix(n) {
    param w: [d, n] = normal(std: 0.1)
    sub part[2] = Linear(d, d)
    (x: [d]) -> [n] {
        var h = x
        for l in 0..2 { h = relu(part[l](h)) }
        h @ w
    }
}
model M {
    condition k: size in [1, 2] = 2
    input x: [b, d]
    input z: [b, 20]
    sub mix = Mix(3)
    sub expert[4] = Linear(d, d)
    form target = Linear(d, 4)
    adapt expert.w by 0
    let pick = top_k(x @ gate, 2)
    param gate: [d, 4] = zeros()
    output y: [b, 3] = x |> half |> mix
    output r: [b, d] = route x over expert at pick.index by softmax(pick.value) { capacity: 1.5 per [b] }
    output t: [b, 4] = target{* = z}(x)
    loss fit = mean[b] sum(y^2)
}
eval M { data \"rows.safetensors\" { x, z }; batch b = 2; report fit }
";

/// A generator of numbers that is the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

#[test]
fn a_program_cut_at_any_byte_is_no_danger() {
    assert!(survive(WHOLE), "the whole program is fine");
    for at in 0..WHOLE.len() {
        survive(&WHOLE[..at]);
        survive(&WHOLE[at..]);
    }
}

#[test]
fn every_program_of_the_repository_cut_now_and_then_is_no_danger() {
    for text in programs() {
        let step = (text.len() / 12).max(1);
        for at in (0..text.len()).step_by(step).filter(|at| text.is_char_boundary(*at)) {
            survive(&text[..at]);
        }
    }
}

#[test]
fn random_changes_are_no_danger() {
    let words = [
        "b",
        "x",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        "0",
        "1",
        "-1",
        "1e30",
        "9999999999999",
        "sum[i] ",
        "*",
        "@",
        "let",
        "param",
        "sub",
        "for",
        "in",
        "if",
        "..",
        ".*",
        ":",
        "=",
        "self",
        "y",
        "mix",
        "part",
        "expert",
        "d",
        "M",
        "\n",
        ";",
        "'",
        "\"",
        "else",
    ];
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for _ in 0..1500 {
        let mut tokens: Vec<String> = cut(WHOLE);
        for _ in 0..=dice.below(3) {
            let at = dice.below(tokens.len());
            match dice.below(4) {
                0 => drop(tokens.remove(at)),
                1 => tokens[at] = words[dice.below(words.len())].into(),
                2 => tokens.insert(at, words[dice.below(words.len())].into()),
                _ => {
                    let other = dice.below(tokens.len());
                    tokens.swap(at, other);
                }
            }
        }
        survive(&tokens.concat());
    }
}

/// Words, numbers, signs and spaces, each for itself.
fn cut(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut inside = false;
    for c in text.chars() {
        let word = c.is_alphanumeric() || c == '_';
        match out.last_mut() {
            Some(last) if word && inside => last.push(c),
            _ => out.push(c.to_string()),
        }
        inside = word;
    }
    out
}

#[test]
fn bytes_that_are_no_program_are_no_danger() {
    survive("");
    survive("\n\n\n");
    survive("\u{feff}");
    survive("\0\0\0\u{1}\u{7f}");
    survive(&"\u{1F9E0}".repeat(1000));
    let mut dice = Dice(7);
    for _ in 0..60 {
        let bytes: Vec<u8> = (0..400).map(|_| dice.below(256) as u8).collect();
        survive(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn huge_texts_are_no_danger() {
    assert!(!survive(&"// a comment\n".repeat((5 << 20) / 13)), "longer than a file may be");
    survive(&"(".repeat(1 << 20));
    survive(&"x + ".repeat(200_000));
    survive(&"a".repeat(3 << 20));
    survive(&(0..20_000).map(|i| format!("const c{i} = {i}\n")).collect::<String>());
}

#[test]
fn deep_nesting_is_no_danger() {
    for (open, close) in [("(", ")"), ("[", "]"), ("if x > 0 { ", " } else { x }"), ("-", ""), ("not ", ""), ("exp(", ")")] {
        for n in [50, 120, 250, 5000] {
            survive(&format!(
                "fn f(x: f32) -> f32 {{ {}x{} }}\nmodel M {{\n input x: f32\n output y: f32 = f(x)\n}}",
                open.repeat(n),
                close.repeat(n)
            ));
        }
    }
    let chain: String = (0..400).map(|i| format!("fn f{i}(x: f32) -> f32 {{ f{}(x) }}\n", i + 1)).collect();
    survive(&format!("{chain}fn f400(x: f32) -> f32 {{ x }}\nmodel M {{\n input x: f32\n output y: f32 = f0(x)\n}}"));
    let sums = "x + ".repeat(3000);
    survive(&format!("model M {{\n input x: f32\n output y: f32 = {sums} x\n}}"));
}

#[test]
fn sizes_without_sense_are_no_danger() {
    for n in ["0", "-1", "1e18", "9223372036854775807", "99999999999999999999", "1 / 3", "2 ^ 200", "-5 ^ 3"] {
        survive(&format!("const n = {n}\nmodel M {{\n input x: [n]\n param w: [n, n] = normal()\n output y: [n] = x @ w\n}}"));
        survive(&format!(
            "import std.linear {{ Linear }}\nmodel M {{\n input x: [4]\n sub a[{n}] = Linear(4, 4)\n output y: [4] = a[0](x)\n}}"
        ));
        survive(&format!(
            "import std.linear {{ Linear }}\nmodel M {{\n input x: [4]\n sub a[l < {n}] = Linear(4, 4)\n output y: [4] = a[0](x)\n}}"
        ));
    }
}

#[test]
fn programs_that_grow_without_end_are_no_danger() {
    let tail = "model M {\n input x: f32\n output y: f32 = f0(x)\n}";
    let doubling: String = (0..40).map(|i| format!("fn f{i}(x: f32) -> f32 {{ f{0}(f{0}(x)) }}\n", i + 1)).collect();
    survive(&format!("{doubling}fn f40(x: f32) -> f32 {{ x }}\n{tail}"));
    let constants: String = (0..40).map(|i| format!("const c{i} = c{0} + c{0}\n", i + 1)).collect();
    survive(&format!("{constants}const c40 = 1\nmodel M {{\n output y: f32 = c0\n}}"));
    survive(
        "fn f0(x: f32) -> f32 {\n var h = x\n for i in 0..512 { for j in 0..512 { for k in 0..512 { h = x } } }\n h\n}\nmodel M {\n input x: f32\n output y: f32 = f0(x)\n}",
    );
    survive(
        "net A(d) { param w: [d] = zeros() }\nnet B(d) { sub a[l < 4000] = A(l) }\nnet C(d) { sub c[l < 4000] = B(l) }\nmodel M {\n sub all_ = C(1)\n output y: f32 = 1\n}",
    );
}
