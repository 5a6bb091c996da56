//! Texts with mistakes: what is said, where, and how often; and texts that are made to break the parser.

use super::{STD, TOUR, body, read, tree};
use hnet::syntax::{ast::File, format, print};

/// A mistake in the body of a function: the text, the code, the marked text, a part of the message, a part of the help.
type Mistake = (&'static str, &'static str, &'static str, &'static str, &'static str);

const BODIES: &[Mistake] = &[
    ("let a = x && y", "H0101", "&&", "`&&` is no operator", "`and`"),
    ("let a = x ? y : z", "H0101", "?", "no meaning", "if c { a }"),
    ("let a = 1 # c", "H0101", "#", "no meaning", "`//`"),
    ("let a = \u{201C}x\u{201D}", "H0101", "\u{201C}", "no meaning", "straight quote"),
    ("let a = \"x", "H0102", "\"x", "no closing", "close it"),
    ("let a = 1.", "H0103", "1.", "both sides of its dot", "zero after"),
    ("let a = .5", "H0103", ".5", "both sides of its dot", "zero before"),
    ("let a = 2x", "H0103", "2x", "cannot follow a number", "`*`"),
    ("let a = 1 /* c */", "H0104", "/*", "no block comments", "`//`"),
    ("let a = (x + 1", "H0110", "(", "expected `)` to close this `(`", "put a `)`"),
    ("let a = f(x[i)", "H0110", "[", "expected `]` to close this `[`", "put a `]`"),
    ("let a = x)", "H0111", ")", "closes nothing", "leave it out"),
    ("let a = x[i)", "H0112", ")", "expected `]` to close this `[`", "write `]`"),
    ("let sum = 1", "H0120", "sum", "reserved word", "`sum_`"),
    ("let 3 = 1", "H0121", "3", "expected the name of a value", ""),
    ("let a = b c", "H0131", "c", "end of the statement", "new line"),
    ("lett a = b", "H0131", "a", "end of the statement", "did you mean `let`?"),
    ("return x", "H0131", "x", "end of the statement", "stands last"),
    ("let a = b = c", "H0131", "=", "end of the statement", "`==` compares"),
    ("for i in n { x }", "H0132", "{", "expected `..`", "both ends"),
    ("generate w by x", "H0132", "by", "expected `from`", ""),
    ("let a = if c { x }\nelse 2", "H0132", "2", "expected `{` after `else`", "braces"),
    ("let a = x +", "H0133", "", "found the end of the line", "right"),
    ("h += 1", "H0133", "=", "expected an expression", "no assignment with an operator"),
    ("h = = 1", "H0133", "=", "expected an expression", "`==`"),
    ("let a = x ** 2", "H0133", "*", "expected an expression", "`^`"),
    ("let a = f(x y)", "H0134", "y", "or `)`", "comma"),
    ("let a = f(x = 1)", "H0134", "=", "or `)`", "`:`"),
    ("param w: 3", "H0136", "3", "expected a type", "i32[b]"),
    ("let a = 1 < x < 2", "H0140", "<", "do not chain", "`and`"),
    ("let a = x |> f + 1", "H0141", "+", "cannot follow a pipe", "parentheses"),
    ("let a = if x = 1 { y } else { z }", "H0142", "=", "compares with `==`", "`==`"),
    ("let a = (x, y)", "H0143", "(x, y)", "have names", "[a, c]"),
    ("let a", "H0144", "", "expected `=` and a value", "`var`"),
    ("let a: [n] = x", "H0144", ":", "expected `=`", "no type"),
    ("x.y = 3", "H0145", "x.y", "only a variable", "`update`"),
    ("if x{ y }", "H0146", "{", "sets no parameters", "space"),
    ("let a = net{theta}(x)", "H0146", "{", "sets no parameters", "net{* = theta}"),
    ("let a = f (x)", "H0147", "(", "must touch", "space"),
    ("let a = sum [i] x[i]", "H0147", "[", "must touch", "space"),
    ("x\nby 3", "H0148", "by", "line before", "parentheses"),
    ("for i in 0..n until a until c { x }", "H0149", "until", "twice", "leave"),
    ("let a = x[]", "H0150", "[]", "at least one", ""),
];

const FILES: &[Mistake] = &[
    ("modle M {\n    let a = 1\n}\ndim b", "H0130", "modle", "begins no item", "`model`"),
    ("net A {\n    sub a = B()\n}\ndim b", "H0132", "{", "expected `(`", ""),
    ("net A(d)\n    sub a = B()\n}\ndim b", "H0132", "", "expected `{`", ""),
    ("dim b dim c", "H0131", "dim", "end of the item", "new line"),
    ("train M {\n    stps 3\n}", "H0135", "stps", "no clause of train", "`steps`"),
    ("eval M {\n    steps 3\n}", "H0135", "steps", "no clause of eval", "train block"),
    ("net A(d) {\n    x + 1\n}", "H0137", "x + 1", "directly in a net", "body"),
    ("net A(d) {\n    (x: [d]) -> [d] {\n        x\n\n}\n\nnet B(d) { }", "H0110", "{", "to close this `{`", ""),
    ("model M {\n    let a = 1", "H0110", "{", "to close this `{`", ""),
    ("import std.moe\ndim b", "H0132", "", "names to import", ""),
    ("weights from S {\n    a = c\n}", "H0132", "=", "expected `<-`", "`<-`"),
];

fn check(text: &str, (_, code, marked, message, help): &Mistake) {
    let (_, said) = read(text);
    assert_eq!(said.len(), 1, "{text}\n{said:#?}");
    let (error, span) = (&said[0], said[0].primary.as_ref().expect("a place").span);
    assert_eq!(error.code, *code, "{text}\n{error:#?}");
    assert_eq!(&text[span.start as usize..span.end as usize], *marked, "{text}\n{error:#?}");
    assert!(error.message.contains(message), "{text}\n{error:#?}");
    assert!(error.help.as_ref().map_or("", |h| &h.text).contains(help), "{text}\n{error:#?}");
}

#[test]
fn each_mistake_is_said_once_and_where_it_is() {
    for mistake in BODIES {
        check(&format!("fn f(x: [n]) -> [n] {{\n    {}\n    let ok = 1\n    x\n}}\ndim b\n", mistake.0), mistake);
    }
    for mistake in FILES {
        check(mistake.0, mistake);
    }
}

#[test]
fn several_mistakes_are_found_in_one_run() {
    let (file, said) =
        read("dim 3\nmodel M {\n    let a\n    let c = 1 < 2 < 3\n    let ok = 1\n    x y\n}\nnet (d) { }\ndim b\n");
    assert_eq!(said.iter().map(|d| d.code).collect::<Vec<_>>(), ["H0121", "H0144", "H0140", "H0131", "H0121"]);
    assert_eq!(file.items.len(), 2);
    let many = "$\n".repeat(1000);
    assert_eq!(read(&many).1.len(), 50);
}

#[test]
fn an_edit_that_is_offered_mends_the_text() {
    for mistake in BODIES.iter().filter(|m| !["H0110", "H0131", "H0104"].contains(&m.1)) {
        let mut text = format!("fn f(x: [n]) -> [n] {{\n    {}\n    let ok = 1\n    x\n}}\n", mistake.0);
        let (_, said) = read(&text);
        let mut edits = said[0].help.clone().map_or(Vec::new(), |h| h.edits);
        if edits.is_empty()
            || mistake.0.contains(['\u{201C}', '"', '#'])
            || mistake.0.contains("{theta}")
            || mistake.0.contains("= =")
        {
            continue;
        }
        edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        for (span, new) in edits {
            text.replace_range(span.start as usize..span.end as usize, &new);
        }
        let (_, left) = read(&text);
        assert!(left.is_empty(), "{text}\n{left:#?}");
    }
}

#[test]
fn a_text_cut_anywhere_is_no_danger() {
    for (at, _) in TOUR.char_indices() {
        survive(&TOUR[..at]);
        if at % 41 == 0 {
            survive(&TOUR[at..]);
        }
    }
}

#[test]
fn changed_texts_are_no_danger() {
    const BITS: [&str; 24] = [
        "(", ")", "[", "]", "{", "}", "\n", "", " ", ",", "=", "<-", "let ", "x", "seed ", "over", " else ", "*", ".*", "|>",
        "\"", "//", "1.", "\u{e9}",
    ];
    let mut state = 88172645463325252u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..1500 {
        let mut text = STD[draw(STD.len())].1.to_string();
        for _ in 0..=draw(2) {
            let at = draw(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                text.replace_range(at..at + draw(2), BITS[draw(BITS.len())]);
            }
        }
        survive(&text);
    }
}

/// Reads a text; where it has no mistakes, prints and formats it too.
fn survive(text: &str) -> File {
    let (file, said) = read(text);
    assert!(said.len() <= 50);
    for span in said.iter().filter_map(|d| d.primary.as_ref()).map(|l| l.span) {
        assert!(text.get(span.start as usize..span.end as usize).is_some(), "{span:?}\n{text}");
    }
    let printed = print(&file);
    if said.is_empty() {
        assert_eq!(super::bare(text), super::bare(&printed), "{text}");
        let once = format(text).expect("no mistakes");
        assert_eq!(super::bare(text), super::bare(&once), "{text}");
        assert_eq!(format(&once).as_ref(), Ok(&once), "{text}");
    }
    file
}

#[test]
fn depth_is_bounded_and_needs_little_stack() {
    let nests = [
        ("(", "x", ")"),
        ("[", "x", "]"),
        ("f(", "x", ")"),
        ("(a: ", "x", ")"),
        ("x[", "x", "]"),
        ("x{* = ", "x", "}"),
        ("if c { ", "x", " }"),
        ("for i in 0..n { ", "x", " }"),
        ("if c { x } else ", "{ x }", ""),
        ("- ", "x", ""),
        ("not ", "x", ""),
        ("x^", "x", ""),
        ("x + ", "x", ""),
        ("x |> ", "x", ""),
        ("a.", "a", ""),
        ("sum[i] ", "x", ""),
        ("v[i] else ", "x", ""),
        ("route x over ", "e", ""),
        ("if a { let b = for i in 0..n { ", "x", " } }"),
    ];
    for (open, middle, close) in nests {
        for (depth, fits) in [(30, true), (97, true), (100, true), (150, true), (10_000, false)] {
            let text = format!("fn f(x: f32) -> f32 {{\n{}{middle}{}\n}}\n", open.repeat(depth), close.repeat(depth));
            let (_, said) = read(&text);
            survive(&text);
            let limit = said.iter().any(|d| d.code == "H0190");
            assert!(fits && depth > 30 || limit != fits, "{open} {depth}: {said:?}");
        }
        survive(&open.repeat(10_000));
        survive(&close.repeat(10_000));
    }
    assert_eq!(read(&" ".repeat((4 << 20) + 1)).1[0].code, "H0191");
}

#[test]
fn good_neighbours_of_mistakes_are_kept() {
    let (file, said) = read("model M {\n    let a = (1\n    let c = 2\n}\ndim b\n");
    assert_eq!((file.items.len(), said.len()), (2, 1));
    assert_eq!(body("let a = 1\nlet c = 2").len(), 2);
    assert_eq!(tree("").items.len(), 0);
}
