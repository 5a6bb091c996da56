//! A symbolic size as a JavaScript expression over the free dims.
//!
//! Numbers there are f64: whole numbers below 2^53 are exact, and a quotient that is whole comes out whole. Sums of fractions with
//! known denominators are brought over one denominator, so that `floor` sees no rounding.

use crate::ir::Size;
use crate::ir::size::{Atom, SizeFn};

/// A property of the dims `d`: `d.b`, `d["few#2"]`.
pub fn dim(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain { format!("d.{name}") } else { format!("d[{}]", quoted(name)) }
}

/// A text as JavaScript writes it.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text can be written")
}

/// The expression of a size.
pub fn size(size: &Size) -> String {
    let (text, exact) = sum(size);
    if exact { text } else { format!("Math.round({text})") }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

/// A sum, and whether it is whole without rounding.
fn sum(size: &Size) -> (String, bool) {
    let common = size.parts().fold(1i128, |l, ((_, den), _)| l / gcd(l, den) * den);
    let mut text = String::new();
    let mut quotients = false;
    let mut terms = 0;
    for ((num, den), factors) in size.parts() {
        terms += 1;
        let coef = num * (common / den);
        let above: Vec<String> = powers(factors.iter().filter(|f| f.1 > 0));
        let below: Vec<String> = powers(factors.iter().filter(|f| f.1 < 0));
        let mut product = above.join(" * ");
        if coef.abs() != 1 || product.is_empty() {
            let times = if product.is_empty() { "" } else { " * " };
            product = format!("{}{times}{product}", coef.abs());
        }
        if !below.is_empty() {
            quotients = true;
            product = format!("{product} / ({})", below.join(" * "));
        }
        text += match (text.is_empty(), coef < 0) {
            (true, true) => "-",
            (true, false) => "",
            (false, true) => " - ",
            (false, false) => " + ",
        };
        text += &product;
    }
    if text.is_empty() {
        text.push('0');
    }
    if common != 1 {
        text = if terms > 1 { format!("({text}) / {common}") } else { format!("{text} / {common}") };
    }
    (text, !quotients || terms == 1)
}

fn powers<'a>(factors: impl Iterator<Item = &'a (Atom, i32)>) -> Vec<String> {
    factors.flat_map(|(a, p)| vec![atom(a); p.unsigned_abs() as usize]).collect()
}

fn atom(a: &Atom) -> String {
    let arg = |args: &[Size], k: usize| sum(&args[k]).0;
    match a {
        Atom::Sym(name) => dim(name),
        Atom::Apply(SizeFn::Floor, args) => format!("Math.floor({})", arg(args, 0)),
        Atom::Apply(SizeFn::Ceil, args) => format!("Math.ceil({})", arg(args, 0)),
        Atom::Apply(SizeFn::Max, args) => format!("Math.max({}, {})", arg(args, 0), arg(args, 1)),
        Atom::Apply(SizeFn::Min, args) => format!("Math.min({}, {})", arg(args, 0), arg(args, 1)),
        Atom::Apply(SizeFn::Pow, args) => format!("Math.pow({}, {})", arg(args, 0), arg(args, 1)),
        Atom::Apply(SizeFn::Log2, args) => format!("Math.log2({})", arg(args, 0)),
        Atom::Apply(SizeFn::Group, args) => format!("({})", arg(args, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_javascript() {
        let (b, t) = (Size::sym("b"), Size::sym("few#2"));
        assert_eq!(size(&Size::from(0i64)), "0");
        assert_eq!(size(&b.mul(&Size::from(64i64)).add(&Size::from(-1i64))), "-1 + 64 * d.b");
        let half = Size::apply(SizeFn::Ceil, vec![b.mul(&Size::fraction(5, 4)).add(&Size::fraction(1, 3))]);
        assert_eq!(size(&half), "Math.ceil((4 + 15 * d.b) / 12)");
        assert_eq!(size(&b.mul(&t).div(&Size::sym("h")).unwrap()), "d.b * d[\"few#2\"] / (d.h)");
    }
}
