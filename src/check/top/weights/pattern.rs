//! Names of tensors with numbers in them.
//!
//! In: `layers.{l + 1}.w`, `fc{i}[.base_layer].weight`, `*.inv_freq`. Out: which names are meant, with which numbers; and the names that
//! numbers make. What stands in square brackets may be there or not; a star is any text, and stands in a `drop` only.

use crate::syntax::ast::Name;
use std::collections::BTreeMap;

/// Numbers by their words.
pub type Numbers = BTreeMap<Name, i64>;

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    /// `times * word + plus`
    Number {
        word: Name,
        times: i64,
        plus: i64,
    },
    Any,
}

/// A pattern, as all its spellings: with and without what may be there.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    spellings: Vec<Vec<Piece>>,
}

/// Parts that may be there or not.
const MOST_OPTIONAL: u32 = 6;

/// Texts that may be any.
const MOST_STARS: usize = 3;

impl Pattern {
    /// Reads a pattern; `Err` says what is wrong with it in words.
    pub fn read(text: &str) -> Result<Pattern, String> {
        let mut spellings: Vec<Vec<Piece>> = vec![vec![]];
        let mut rest = text;
        let mut optional = 0;
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('[') {
                let (part, after) = inside.split_once(']').ok_or("a `[` has no `]`")?;
                let part = pieces(part)?;
                optional += 1;
                if optional > MOST_OPTIONAL {
                    return Err(format!("more than {MOST_OPTIONAL} parts may be there or not"));
                }
                let with: Vec<Vec<Piece>> = spellings.iter().map(|s| [s.clone(), part.clone()].concat()).collect();
                spellings.extend(with);
                rest = after;
            } else {
                let end = rest.find('[').unwrap_or(rest.len());
                let part = pieces(&rest[..end])?;
                spellings.iter_mut().for_each(|s| s.extend(part.iter().cloned()));
                rest = &rest[end..];
            }
        }
        if spellings.iter().any(|s| s.iter().filter(|p| matches!(p, Piece::Any)).count() > MOST_STARS) {
            return Err(format!("more than {MOST_STARS} stars stand in it"));
        }
        let touching = |s: &Vec<Piece>| s.windows(2).any(|w| matches!(w, [Piece::Number { .. }, Piece::Number { .. }]));
        match spellings.iter().any(touching) {
            true => Err("two numbers touch: where the first ends nobody can tell".into()),
            false => Ok(Pattern { spellings }),
        }
    }

    /// Words of its numbers, in order.
    pub fn words(&self) -> Vec<Name> {
        let mut out: Vec<Name> = vec![];
        for piece in self.spellings.iter().flatten() {
            if let Piece::Number { word, .. } = piece
                && !out.contains(word)
            {
                out.push(word.clone());
            }
        }
        out
    }

    /// Whether a part of it may be there or not.
    pub fn is_open(&self) -> bool {
        self.spellings.len() > 1
    }

    /// Whether a star stands in it.
    pub fn has_star(&self) -> bool {
        self.spellings.iter().flatten().any(|p| matches!(p, Piece::Any))
    }

    /// The numbers with which it is this name.
    pub fn matches(&self, name: &str) -> Option<Numbers> {
        self.spellings.iter().find_map(|s| {
            let mut numbers = Numbers::new();
            fits(s, name, &mut numbers).then_some(numbers)
        })
    }

    /// The names that it is with these numbers.
    pub fn names(&self, numbers: &Numbers) -> Vec<String> {
        let one = |piece: &Piece| match piece {
            Piece::Text(text) => Some(text.clone()),
            Piece::Number { word, times, plus } => {
                let n = times.checked_mul(*numbers.get(word)?)?.checked_add(*plus)?;
                (n >= 0).then(|| n.to_string())
            }
            Piece::Any => None,
        };
        let mut out: Vec<String> =
            self.spellings.iter().filter_map(|s| Some(s.iter().map(one).collect::<Option<Vec<_>>>()?.concat())).collect();
        out.dedup();
        out
    }
}

/// Texts, numbers and stars.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut out = vec![];
    let mut rest = text;
    while let Some(at) = rest.find(['{', '*', '}', ']']) {
        if at > 0 {
            out.push(Piece::Text(rest[..at].into()));
        }
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix('*') {
            out.push(Piece::Any);
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let (number, after) = inside.split_once('}').ok_or("a `{` has no `}`")?;
            out.push(number_of(number)?);
            rest = after;
        } else {
            return Err(format!("a `{}` closes nothing", &rest[..1]));
        }
    }
    if !rest.is_empty() {
        out.push(Piece::Text(rest.into()));
    }
    Ok(out)
}

/// `l`, `l + 1`, `l - 1`, `2 * l`, `2 * l + 1`
fn number_of(text: &str) -> Result<Piece, String> {
    let wrong = || format!("`{{{text}}}` is none of `{{l}}`, `{{l + 1}}`, `{{l - 1}}`, `{{2 * l}}` and `{{2 * l + 1}}`");
    let whole = |t: &str| t.trim().parse::<i64>().ok().filter(|n| (0..1 << 32).contains(n));
    let (product, plus) = match text.split_once(['+', '-']) {
        None => (text, 0),
        Some((product, plus)) => {
            let plus = whole(plus).ok_or_else(wrong)?;
            (product, if text.contains('-') { -plus } else { plus })
        }
    };
    let (times, word) = match product.split_once('*') {
        None => (1, product.trim()),
        Some((a, b)) => match (whole(a), whole(b)) {
            (Some(n), None) => (n, b.trim()),
            (None, Some(n)) => (n, a.trim()),
            _ => return Err(wrong()),
        },
    };
    let begins = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if times == 0 || !begins || !word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(wrong());
    }
    Ok(Piece::Number { word: word.into(), times, plus })
}

/// Whether a spelling is this name, and the numbers with which it is.
fn fits(pieces: &[Piece], name: &str, numbers: &mut Numbers) -> bool {
    let Some((first, rest)) = pieces.split_first() else { return name.is_empty() };
    match first {
        Piece::Text(text) => name.strip_prefix(text.as_str()).is_some_and(|after| fits(rest, after, numbers)),
        Piece::Number { word, times, plus } => {
            let digits = name.len() - name.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            // A number is written in one way, so that it is found again.
            if digits == 0 || digits > 18 || digits > 1 && name.starts_with('0') {
                return false;
            }
            let Ok(n) = name[..digits].parse::<i64>() else { return false };
            let k = n - plus;
            if k < 0 || k % times != 0 {
                return false;
            }
            let known = numbers.insert(word.clone(), k / times);
            if known.is_none_or(|known| known == k / times) && fits(rest, &name[digits..], numbers) {
                return true;
            }
            match known {
                Some(known) => numbers.insert(word.clone(), known),
                None => numbers.remove(word),
            };
            false
        }
        // Without numbers a star has nothing to remember: the last place that fits is as good as any.
        Piece::Any => (0..=name.len()).rev().filter(|at| name.is_char_boundary(*at)).any(|at| fits(rest, &name[at..], numbers)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, name: &str) -> Option<Vec<(String, i64)>> {
        let numbers = Pattern::read(pattern).unwrap().matches(name)?;
        Some(numbers.into_iter().map(|(w, n)| (w.to_string(), n)).collect())
    }

    #[test]
    fn names_are_found_with_their_numbers_and_made_of_them() {
        let one = |w: &str, n| Some(vec![(w.to_string(), n)]);
        assert_eq!(found("layers.{l}.w", "layers.12.w"), one("l", 12));
        assert_eq!(found("layers.{l + 1}.w", "layers.12.w"), one("l", 11));
        assert_eq!(found("layers.{l + 1}.w", "layers.0.w"), None);
        assert_eq!(found("layers.{2 * l + 1}.w", "layers.5.w"), one("l", 2));
        assert_eq!(found("layers.{2 * l + 1}.w", "layers.4.w"), None);
        assert_eq!(found("layers.{l}.w", "layers.07.w"), None);
        assert_eq!(found("layers.{l}.w", "layers.x.w"), None);
        assert_eq!(found("expert_{e}.fc{e}", "expert_3.fc3"), one("e", 3));
        assert_eq!(found("expert_{e}.fc{e}", "expert_3.fc4"), None);
        assert_eq!(found("a{l}[.base_layer].w", "a1.base_layer.w"), one("l", 1));
        assert_eq!(found("a{l}[.base_layer].w", "a1.w"), one("l", 1));
        assert_eq!(found("*.inv_freq", "a.b.inv_freq"), Some(vec![]));
        assert_eq!(found("*.inv_freq", "inv_freq"), None);
        let names = |p: &str, l| Pattern::read(p).unwrap().names(&Numbers::from([("l".into(), l)]));
        assert_eq!(names("a{l - 1}[.x].w", 3), ["a2.w", "a2.x.w"]);
        assert_eq!(names("a{l - 1}.w", 0), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, why) in [
            ("a{", "no `}`"),
            ("a}", "closes nothing"),
            ("a[", "no `]`"),
            ("{l}{m}", "touch"),
            ("{1}", "none of"),
            ("{l * m}", "none of"),
        ] {
            assert!(Pattern::read(text).unwrap_err().contains(why), "{text}");
        }
    }
}
