//! The order of a product as a text, and back: `(x · a) · u`.
//!
//! Promised: what is written here is read again as the same order, and another order reads otherwise.

use super::order::Best;

/// Names of factors, each another one: of equal ones the second has a number.
pub(super) fn told_apart(names: Vec<String>) -> Vec<String> {
    let mut fresh = super::names::Fresh::default();
    names.into_iter().map(|name| fresh.fresh(name)).collect()
}

/// How a set of factors is made.
pub(super) fn text(names: &[String], best: &[Best], set: usize) -> String {
    if set.is_power_of_two() {
        return names[set.trailing_zeros() as usize].clone();
    }
    let rest = best[set].rest;
    let part = |part: usize| {
        let own = text(names, best, part);
        if part.is_power_of_two() { own } else { format!("({own})") }
    };
    format!("{} · {}", part(set & !rest), part(rest))
}

/// For each step of an order the factors that it joins, and those of its second part; parts before what they are parts of. None: it is no
/// order of all of these factors.
pub(super) fn read(text: &str, names: &[String]) -> Option<Vec<(usize, usize)>> {
    let spaced = text.replace('·', " · ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().rev().collect::<Vec<_>>();
    let mut steps = vec![];
    let all = product(&mut words, names, &mut steps)?;
    (words.is_empty() && all == (1 << names.len()) - 1).then_some(steps)
}

/// `a · b`: two parts, each a factor or a product in parentheses.
fn product(words: &mut Vec<&str>, names: &[String], steps: &mut Vec<(usize, usize)>) -> Option<usize> {
    let first = part(words, names, steps)?;
    if words.pop()? != "·" {
        return None;
    }
    let second = part(words, names, steps)?;
    steps.push((first | second, second));
    (first & second == 0).then_some(first | second)
}

fn part(words: &mut Vec<&str>, names: &[String], steps: &mut Vec<(usize, usize)>) -> Option<usize> {
    match words.pop()? {
        "(" => {
            let inside = product(words, names, steps)?;
            (words.pop()? == ")").then_some(inside)
        }
        word => names.iter().position(|n| n == word).map(|k| 1 << k),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let names = told_apart(["x", "a", "u", "x"].map(String::from).to_vec());
        assert_eq!(names, ["x", "a", "u", "x_2"]);
        let mut best = vec![Best { ns: 0.0, rest: 0 }; 16];
        (best[0b0011].rest, best[0b1100].rest, best[0b1111].rest) = (0b0001, 0b0100, 0b0011);
        let written = text(&names, &best, 0b1111);
        assert_eq!(written, "(x_2 · u) · (a · x)");
        assert_eq!(read(&written, &names), Some(vec![(0b1100, 0b0100), (0b0011, 0b0001), (0b1111, 0b0011)]));
        assert_eq!(read(&crate::ir::pin::order("(x_2*u) * ( a*x )"), &names), read(&written, &names));
        for other in ["x · a · u · x_2", "(x · a) · u", "((x · a) · u) · x", "((x · a) · u) · y", "(x · a", "", "x", "()"]
        {
            assert_eq!(read(other, &names), None, "{other}");
        }
    }
}
