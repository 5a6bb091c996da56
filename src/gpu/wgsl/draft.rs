//! Shaders before anything in them has a name: texts with marks, so that those that do the same are the same text.
//!
//! In: modules as they are finished. Out: one shader for all that have the same text, and the words of each dispatch. What is not the
//! same in all of them (where a layer's matrix begins in a stack of matrices) is a word of the uniform block; what is, stands in the
//! text. Names and comments are those of the first use.

use super::super::program::{Dispatch, Item, Shader, Word};
use super::module::ident;
use super::{Locate, helpers};
use crate::source::Span;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

/// Stands around a mark: nothing that is written in a shader has it.
const EDGE: char = '\u{1}';
/// Other values of a word that its comment lists, and other uses and places that a shader's does.
const SHOWN: usize = 3;
const LISTED: usize = 8;

/// What a text holds open.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Mark {
    /// A name of its own, number so and so.
    Name(usize),
    /// What a comment says of this use.
    Said(usize),
    /// A word, as a value.
    Hole(usize),
    /// A word that is added to what follows: nothing where it is 0.
    Ahead(usize),
}

impl Mark {
    pub fn text(self) -> String {
        let (kind, n) = match self {
            Mark::Name(n) => ('n', n),
            Mark::Said(n) => ('s', n),
            Mark::Hole(n) => ('h', n),
            Mark::Ahead(n) => ('a', n),
        };
        format!("{EDGE}{kind}{n}{EDGE}")
    }

    fn read(text: &str) -> Mark {
        let n = text[1..].parse().unwrap_or_else(|_| unreachable!("a mark has a number"));
        match text.as_bytes()[0] {
            b'n' => Mark::Name(n),
            b's' => Mark::Said(n),
            b'h' => Mark::Hole(n),
            _ => Mark::Ahead(n),
        }
    }
}

/// What a word is called.
#[derive(Clone)]
pub(super) enum Called {
    Name(String),
    /// This letter and the word's number.
    Number(char),
}

/// A place of a text where a word may stand.
#[derive(Clone)]
pub(super) struct Hole {
    pub called: Called,
    /// Which of the module's words.
    pub word: usize,
    /// Whether it may be a number in the text, where it is the same one in all uses.
    pub plain: bool,
}

/// A finished module.
pub(super) struct Draft {
    /// All but the comment and the uniform block.
    pub text: String,
    pub names: Vec<String>,
    pub said: Vec<String>,
    pub reserved: BTreeSet<String>,
    pub holes: Vec<Hole>,
    pub words: Vec<Word>,
}

/// A text with all of its uses.
struct Shared {
    draft: Draft,
    /// For each hole of which class it is: those of one class hold the same word in every use.
    classes: Vec<usize>,
    /// For each hole the first of its different values, and whether there are more.
    values: Vec<(Vec<Word>, bool)>,
    /// Names of the dispatches.
    uses: Vec<String>,
    /// Places of all of them; so many of the first.
    places: Vec<Span>,
    own: usize,
}

/// All texts of a program, in order of first use.
#[derive(Default)]
pub(super) struct Drafts {
    all: Vec<Shared>,
    known: HashMap<String, usize>,
}

/// Numbers for pairs, in order of first appearance.
fn classes(pairs: impl Iterator<Item = (usize, usize)>) -> Vec<usize> {
    let mut known = HashMap::new();
    pairs
        .map(|p| {
            let next = known.len();
            *known.entry(p).or_insert(next)
        })
        .collect()
}

impl Drafts {
    /// Takes in a use. The dispatch gets a word for each hole; [`Drafts::finish`] leaves those that differ.
    pub fn add(&mut self, draft: Draft, dispatch: &mut Dispatch) {
        dispatch.words = draft.holes.iter().map(|h| draft.words[h.word].clone()).collect();
        if let Some(n) = self.known.get(&draft.text) {
            self.all[*n].again(&draft, dispatch);
            dispatch.shader = *n;
            return;
        }
        dispatch.shader = self.all.len();
        self.known.insert(draft.text.clone(), self.all.len());
        self.all.push(Shared {
            classes: classes(draft.holes.iter().map(|h| (0, h.word))),
            values: dispatch.words.iter().map(|w| (vec![w.clone()], false)).collect(),
            uses: vec![dispatch.name.clone()],
            places: dispatch.places.clone(),
            own: dispatch.places.len(),
            draft,
        });
    }

    /// The shaders; the dispatches keep the words that these ask for.
    pub fn finish(self, items: &mut [Item], locate: Locate) -> Vec<Shader> {
        let made: Vec<(Shader, Vec<usize>)> = self.all.iter().map(|s| s.shader(locate)).collect();
        settle(items, &made);
        made.into_iter().map(|m| m.0).collect()
    }
}

fn settle(items: &mut [Item], made: &[(Shader, Vec<usize>)]) {
    for item in items {
        match item {
            Item::Dispatch(d) => d.words = made[d.shader].1.iter().map(|h| d.words[*h].clone()).collect(),
            Item::Repeat { body, .. } => settle(body, made),
        }
    }
}

impl Shared {
    fn again(&mut self, draft: &Draft, dispatch: &Dispatch) {
        self.classes = classes(self.classes.iter().copied().zip(draft.holes.iter().map(|h| h.word)));
        for ((seen, more), word) in self.values.iter_mut().zip(&dispatch.words) {
            if !seen.contains(word) {
                if seen.len() < SHOWN { seen.push(word.clone()) } else { *more = true }
            }
        }
        // Rounds of one thing have one name.
        if self.uses.last() != Some(&dispatch.name) {
            self.uses.push(dispatch.name.clone());
        }
        self.places.extend(&dispatch.places);
    }

    /// The number that stands in the text, where it is the same in all uses and may.
    fn number(&self, hole: usize) -> Option<u32> {
        match self.values[hole].0.as_slice() {
            [Word::Size(s)] if self.draft.holes[hole].plain => s.constant().map(|n| n as u32),
            _ => None,
        }
    }

    /// Its text, and for each word of its block a hole that asks for it.
    fn shader(&self, locate: Locate) -> (Shader, Vec<usize>) {
        let draft = &self.draft;
        let mut taken = draft.reserved.clone();
        let names: Vec<String> = draft.names.iter().map(|n| fresh(n, &mut taken)).collect();
        // A word for each class that is not a number.
        let mut asks: Vec<usize> = Vec::new();
        let mut fields: Vec<String> = Vec::new();
        let mut field_of = vec![usize::MAX; draft.holes.len()];
        for (h, hole) in draft.holes.iter().enumerate().filter(|(h, _)| self.number(*h).is_none()) {
            let class = self.classes[h];
            if field_of[class] == usize::MAX {
                let mut name = match &hole.called {
                    Called::Name(name) => name.clone(),
                    Called::Number(letter) => format!("{letter}{}", asks.len()),
                };
                while fields.contains(&name) {
                    name.push('_');
                }
                field_of[class] = asks.len();
                fields.push(name);
                asks.push(h);
            }
        }
        let mut code = self.comment(locate);
        if !asks.is_empty() {
            code += "\nstruct Sizes {\n";
            for (h, name) in asks.iter().zip(&fields) {
                let _ = writeln!(code, "    {name}: u32,{}", self.about(*h, name));
            }
            code += "}\n\n@group(0) @binding(0) var<uniform> s: Sizes;\n";
        } else {
            code += "\n";
        }
        let word = |h: usize| match self.number(h) {
            Some(n) => format!("{n}u"),
            None => format!("s.{}", fields[field_of[self.classes[h]]]),
        };
        for (k, part) in draft.text.split(EDGE).enumerate() {
            if k % 2 == 0 {
                code += part;
                continue;
            }
            match Mark::read(part) {
                Mark::Name(n) => code += &names[n],
                Mark::Said(n) => code += &draft.said[n],
                Mark::Hole(h) => code += &word(h),
                Mark::Ahead(h) if self.number(h) == Some(0) => {}
                Mark::Ahead(h) => {
                    let _ = write!(code, "{} + ", word(h));
                }
            }
        }
        (Shader { name: self.uses[0].clone(), code }, asks)
    }

    /// Says what it computes, and where that is written: of many uses the first.
    fn comment(&self, locate: Locate) -> String {
        let mut code = format!("// {}\n", self.uses[0]);
        let others = &self.uses[1..];
        if !others.is_empty() {
            let rest = if others.len() > LISTED { ", …" } else { "" };
            let _ = writeln!(code, "// and {} more: {}{rest}", others.len(), others[..others.len().min(LISTED)].join(", "));
        }
        let mut lines: Vec<String> = Vec::new();
        let mut own = 0;
        let mut known = BTreeSet::new();
        for (k, place) in self.places.iter().enumerate().filter(|(_, p)| known.insert(**p)) {
            lines.extend(locate(*place).filter(|l| !lines.contains(l)));
            own = if k < self.own { lines.len() } else { own };
        }
        let shown = lines.len().min(own + LISTED);
        lines[..shown].iter().for_each(|l| code += &format!("// {l}\n"));
        if shown < lines.len() {
            let _ = writeln!(code, "// and {} more places", lines.len() - shown);
        }
        code
    }

    /// What a word is, for those who read.
    fn about(&self, hole: usize, name: &str) -> String {
        let (values, more) = &self.values[hole];
        let text = |w: &Word| match w {
            Word::Size(s) | Word::Real(s) => Some(s.to_string()),
            Word::At(_) => None,
        };
        let Some(all) = values.iter().map(text).collect::<Option<Vec<_>>>() else { return String::new() };
        let constant = matches!(&values[0], Word::Size(s) if s.constant().is_some());
        match all.as_slice() {
            [one] if one == name || constant => String::new(),
            _ => format!(" // {}{}", all.join(", "), if *more { ", …" } else { "" }),
        }
    }
}

/// A name that nobody has yet.
fn fresh(name: &str, taken: &mut BTreeSet<String>) -> String {
    let base = ident(name);
    let mut text = base.clone();
    let mut n = 2;
    while helpers::known(&text) || !taken.insert(text.clone()) {
        text = format!("{base}_{n}");
        n += 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::super::program::Grid;
    use super::*;
    use crate::ir::Size;

    /// A use of `y[AHEAD i] = x[START] + NUMBER` with these three words.
    fn take(drafts: &mut Drafts, name: &str, words: [i64; 3]) -> Item {
        let mut distinct: Vec<Word> = Vec::new();
        let mut hole = |n: i64, plain: bool| {
            let word = Word::Size(Size::from(n));
            let at = distinct.iter().position(|w| *w == word).unwrap_or_else(|| {
                distinct.push(word);
                distinct.len() - 1
            });
            Hole { called: Called::Number('n'), word: at, plain }
        };
        let holes = vec![hole(words[0], true), hole(words[1], true), hole(words[2], false)];
        let [y, x, ahead, start, number] =
            [Mark::Name(0), Mark::Name(1), Mark::Ahead(0), Mark::Hole(1), Mark::Hole(2)].map(Mark::text);
        let draft = Draft {
            text: format!("{y}[{ahead}i] = {x}[{start}] + {number};\n"),
            names: vec![name.to_string(), "x".to_string()],
            said: Vec::new(),
            reserved: BTreeSet::from(["x".to_string()]),
            holes,
            words: distinct,
        };
        let grid = Grid::Work { count: Size::from(1i64), per: 1 };
        let zero = Size::from(0i64);
        let mut dispatch = Dispatch {
            name: name.to_string(),
            shader: 0,
            bindings: Vec::new(),
            packed: false,
            writes: Vec::new(),
            words: Vec::new(),
            grid,
            places: Vec::new(),
            flops: zero.clone(),
            rounds: zero,
        };
        drafts.add(draft, &mut dispatch);
        Item::Dispatch(dispatch)
    }

    /// The one shader of some uses, and the words of each.
    fn made(uses: &[(&str, [i64; 3])]) -> (String, Vec<Vec<i64>>) {
        let mut drafts = Drafts::default();
        let mut items: Vec<Item> = uses.iter().map(|(name, words)| take(&mut drafts, name, *words)).collect();
        let shaders = drafts.finish(&mut items, &|_| None);
        assert_eq!(shaders.len(), 1);
        let words = |i: &Item| match i {
            Item::Dispatch(d) => d.words.iter().map(|w| if let Word::Size(s) = w { s.constant().unwrap() } else { -1 }).collect(),
            Item::Repeat { .. } => Vec::new(),
        };
        (shaders[0].read().to_string(), items.iter().map(words).collect())
    }

    #[test]
    fn what_is_the_same_in_all_uses_stands_in_the_text() {
        let (text, words) = made(&[("a", [0, 4, 7]), ("b", [0, 4, 7])]);
        assert!(text.ends_with("a[i] = x_2[4u] + s.n0;\n"), "{text}");
        assert_eq!(words, [[7], [7]]);
        let (text, _) = made(&[("a", [5, 4, 7])]);
        assert!(text.ends_with("a[5u + i] = x_2[4u] + s.n0;\n"), "{text}");
    }

    #[test]
    fn what_differs_is_a_word_of_each_use() {
        let (text, words) = made(&[("a", [0, 4, 7]), ("b", [6, 4, 8])]);
        assert!(text.ends_with("a[s.n0 + i] = x_2[4u] + s.n1;\n"), "{text}");
        assert_eq!(words, [[0, 7], [6, 8]]);
    }

    #[test]
    fn words_that_are_equal_by_chance_in_one_use_stay_two() {
        let (text, words) = made(&[("a", [3, 3, 3]), ("b", [3, 4, 5]), ("c", [6, 4, 5])]);
        assert!(text.ends_with("a[s.n0 + i] = x_2[s.n1] + s.n2;\n"), "{text}");
        assert_eq!(words, [[3, 3, 3], [3, 4, 5], [6, 4, 5]]);
        let (text, words) = made(&[("a", [3, 3, 9]), ("b", [4, 4, 9])]);
        assert!(text.ends_with("a[s.n0 + i] = x_2[s.n0] + s.n1;\n"), "{text}");
        assert_eq!(words, [[3, 9], [4, 9]]);
    }
}
