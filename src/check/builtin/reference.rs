//! The reference of the functions that the language has, printed from the table.

use super::table::{Function, Kind, Rule, all};
use crate::syntax::ast::Reduction;
use std::fmt::Write;

/// The sections in order, with a word on each.
const SECTIONS: &[(Kind, &str, &str)] = &[
    (
        Kind::Point,
        "At every point",
        "Of numbers, of values of any axes and sizes, and, where there is one argument, of each leaf of a tree.",
    ),
    (Kind::Sizes, "On sizes", "They act on sized axes; axes with names are lifted over."),
    (Kind::Order, "Along an axis", "Along the only sized axis, or the one in brackets: `sort[t](x)`."),
    (Kind::Nets, "Of nets that data chooses", ""),
    (Kind::Gradients, "Gradients", ""),
    (
        Kind::Chance,
        "Distributions and initialisers",
        "Only where a type is declared: `draw eps: [d] = normal()`, `param w: [i, o] = kaiming_uniform()`, `var h: [d] = zeros()`. \
         Arguments are named, but for the only one of a distribution, all of `normal` and `uniform`, and `of`.",
    ),
];

/// What a reduction gives, in a few words.
fn about(op: Reduction) -> &'static str {
    match op {
        Reduction::Sum => "the sum; of nothing 0",
        Reduction::Mean => "the mean; of nothing NaN",
        Reduction::Max => {
            "the largest, NaN if any is; of nothing minus infinity, of whole numbers the least `i32`. Of two values, `max(a, c)`, the larger at every point"
        }
        Reduction::Min => "the smallest, likewise. Of two values, `min(a, c)`, the smaller at every point",
        Reduction::Prod => "the product; of nothing 1",
        Reduction::Any => "whether one is true; of nothing false",
        Reduction::All => "whether all are true; of nothing true",
        Reduction::Argmax => "the place of the largest, the first of equal ones, the first NaN if there is one; of nothing 0",
        Reduction::Argmin => "the place of the smallest, likewise",
        Reduction::Logsumexp => "`log(sum exp(x))` without overflow; of nothing minus infinity",
        Reduction::Softmax => "`exp(x) / sum exp(x)` at every place; of nothing 0",
    }
}

fn line(out: &mut String, signature: &str, about: &str) {
    let _ = writeln!(out, "| `{signature}` | {about} |");
}

fn section(out: &mut String, title: &str, intro: &str) {
    let intro = if intro.is_empty() { String::new() } else { format!("{intro}\n\n") };
    let _ = write!(out, "\n## {title}\n\n{intro}| | |\n|---|---|\n");
}

/// All functions, as a page in Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# Functions of the language\n\nThese need no import; a file that declares a function of the same name means its own. Arguments may be named, \
         `top_k(x, k: 2)`.\n`hnet explain top_k` says the line of one. The page is printed from the table that calls are checked by.\n",
    );
    for (kind, title, intro) in SECTIONS {
        section(&mut out, title, intro);
        for f in all().filter(|f| f.kind == *kind) {
            line(&mut out, &f.signature(), f.about);
        }
    }
    section(
        &mut out,
        "Reductions",
        "`sum[i] x[i]` binds its indices; `sum(x)` is over the only sized axis, or over all leaves of a tree.",
    );
    for op in Reduction::ALL {
        line(&mut out, &format!("{}[i]", op.word()), about(op));
    }
    out
}

/// The line of one function or reduction.
pub fn described(word: &str) -> Option<String> {
    if let Some(f) = all().find(|f| f.word == word) {
        return Some(format!("{}: {}{}", f.signature(), f.about, where_it_stands(&f)));
    }
    let op = Reduction::from_word(word)?;
    Some(format!("{word}[i] ..: {}", about(op)))
}

fn where_it_stands(f: &Function) -> &'static str {
    match f.rule {
        Rule::Drawn(_) => "; where a type is declared",
        Rule::Point(_) | Rule::Own(_) => "",
    }
}

/// All words that [`described`] knows.
pub fn words() -> Vec<&'static str> {
    all().map(|f| f.word).chain(Reduction::ALL.iter().map(|r| r.word())).collect()
}
