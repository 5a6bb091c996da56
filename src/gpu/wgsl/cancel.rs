//! What compilers of shaders would cancel by their own algebra, which knows no NaN and no infinity.
//!
//! In: a function of floats in a kernel, and the texts of its operands. Out: a text that gives what IEEE says, or operands behind a bit
//! pattern that no compiler sees through. Values are the same where they are computed the same: drivers find that, too.

use super::module::Module;
use crate::ir::{DType, Fold, Map};
use crate::plan::{Expr, Kernel};

/// A constant 0, and whether it is the one below.
pub(super) fn zero(e: &Expr) -> Option<bool> {
    if let Expr::Const(c) = e { (*c == 0.0).then(|| c.is_sign_negative()) } else { None }
}

/// What compilers take for 0 or 1 whatever the value is: by 0, less itself, over itself, 0 over it, it over 0. For what is not
/// finite (or is 0 itself, where it is divided by) it is no number.
pub(super) fn to_constant(m: &mut Module, k: &Kernel, map: Map, args: &[usize], v: &[String]) -> Option<String> {
    let [a, b] = args else { return None };
    let [(x, up), (y, down)] = [*a, *b].map(|e| plain(k, e, true, Family::Sums));
    // The same but for its sign.
    let (same, turned) = (alike(k, x, y), up != down);
    let known = [*a, *b].map(|n| zero(&k.body[n]));
    let (name, x, below) = if map == Map::Mul {
        let n = known.iter().position(Option::is_some)?;
        ("by_zero", &v[1 - n], known[n] == Some(true))
    } else if same && (map == Map::Sub && !turned || map == Map::Add && turned) {
        return Some(format!("abs({}({}))", m.function("by_zero"), v[0]));
    } else if map != Map::Div {
        return None;
    } else if same {
        ("by_itself", &v[0], turned)
    } else if let Some(below) = known[0] {
        ("zero_over", &v[1], below)
    } else if let Some(below) = known[1] {
        ("over_zero", &v[0], below)
    } else if matches!(k.body[*b], Expr::Size(_)) {
        return Some(format!("{}({}, {})", m.function("among"), v[0], v[1]));
    } else {
        return None;
    };
    let text = format!("{}({x})", m.function(name));
    Some(if below { format!("(-{text})") } else { text })
}

/// Hides a sum of which a term is taken off again, and a product that is divided by its factor: `(x + c) - c` is x for every compiler, and
/// NaN where c is no number. Gives whether it did: then what comes of it is hidden, too, or `((x + c) - c) + 1` becomes `(x + c) - (c - 1)`,
/// which is 0 where c is large.
pub(super) fn shield(m: &mut Module, k: &Kernel, map: Map, args: &[usize], v: &mut [String]) -> bool {
    let (Some(family), [a, b]) = (family(map), args) else { return false };
    let sides = [(*a, true), (*b, !undoes(map))].map(|(e, up)| {
        let (e, up) = plain(k, e, up, family);
        (e, up, parts(k, e, up, family))
    });
    let hide = [0, 1].map(|n| {
        let (e, up, parts) = &sides[1 - n];
        let others: Vec<(usize, bool)> = parts.iter().chain([&(*e, *up)]).copied().collect();
        sides[n].2.iter().any(|(x, up)| others.iter().any(|(y, down)| up != down && alike(k, *x, *y)))
    });
    for (text, _) in v.iter_mut().zip(hide).filter(|(_, hide)| *hide) {
        *text = hidden(m, text);
    }
    hide.contains(&true)
}

/// A value behind a bit pattern that no compiler sees through.
pub(super) fn hidden(m: &mut Module, text: &str) -> String {
    let unknown = m.number(0, "zero");
    format!("{}({text}, {unknown})", m.function("hidden"))
}

/// For each value whether a compiler can compute it: from numbers alone, as a fold of nothing, as a place among one, as what stands for a place
/// that is known to lie outside, or as the side of a choice that is known to be taken (either may be).
pub(super) fn steady(k: &Kernel) -> Vec<bool> {
    let mut out: Vec<bool> = Vec::with_capacity(k.body.len());
    let nothing = |l: &usize| k.loops[*l].size.is(0);
    let one = |l: &usize| k.loops[*l].size.is(1);
    for e in &k.body {
        out.push(match e {
            Expr::Const(_) => true,
            Expr::Size(s) => s.constant().is_some(),
            Expr::Map(Map::Select, args) => out[args[0]] && (out[args[1]] || out[args[2]]) || out[args[1]] && out[args[2]],
            Expr::Map(_, args) => args.iter().all(|a| out[*a]),
            Expr::Counter(l) => one(l),
            Expr::Reduce { fold: Fold::Argmax | Fold::Argmin, loops, .. } if loops.last().is_some_and(one) => true,
            Expr::Reduce { loops, value, .. } => out[*value] || loops.iter().any(nothing),
            Expr::Pick { at, fill: Some(_), .. } => at.iter().any(|i| out[i.value]),
            Expr::Load(_) | Expr::Pick { fill: None, .. } | Expr::Mend { .. } => false,
        });
    }
    out
}

/// Whether a compiler may see a factor 0 that is not written as one, and take the product for 0 (or a choice for the product): it is a
/// truth value as a number, or can be computed.
pub(super) fn is_seen(k: &Kernel, steady: &[bool], factor: usize) -> bool {
    let (e, _) = plain(k, factor, true, Family::Sums);
    match &k.body[e] {
        Expr::Const(_) => false,
        _ if steady[e] || k.types[e] == DType::Bool => true,
        Expr::Map(Map::ToF32, args) => k.types[args[0]] == DType::Bool,
        _other => false,
    }
}

/// Hides factors (and what is divided) that are seen.
pub(super) fn veil(m: &mut Module, k: &Kernel, steady: &[bool], map: Map, args: &[usize], v: &mut [String]) {
    if family(map) != Some(Family::Products) {
        return;
    }
    for (text, _) in v.iter_mut().zip(args).filter(|(_, a)| is_seen(k, steady, **a)) {
        let unknown = m.number(0, "zero");
        *text = format!("{}({text}, {unknown})", m.function("hidden"));
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Family {
    Sums,
    Products,
}

fn family(map: Map) -> Option<Family> {
    match map {
        Map::Add | Map::Sub => Some(Family::Sums),
        Map::Mul | Map::Div => Some(Family::Products),
        _other => None,
    }
}

fn undoes(map: Map) -> bool {
    matches!(map, Map::Sub | Map::Div)
}

/// A value without copies; of a sum's term also without signs, which change whether it is added.
fn plain(k: &Kernel, mut e: usize, mut up: bool, family: Family) -> (usize, bool) {
    while let Expr::Map(map, args) = &k.body[e] {
        match map {
            Map::Copy | Map::Cut | Map::Surrogate => {}
            Map::Neg if k.types[e] == DType::F32 => up ^= family == Family::Sums,
            _other => break,
        }
        e = args[0];
    }
    (e, up)
}

/// What a value is the sum (the product) of, and whether each is added or taken off.
fn parts(k: &Kernel, e: usize, up: bool, of: Family) -> Vec<(usize, bool)> {
    match &k.body[e] {
        Expr::Map(map, args) if family(*map) == Some(of) && k.operand_type(*map, args) == DType::F32 => {
            vec![plain(k, args[0], up, of), plain(k, args[1], up ^ undoes(*map), of)]
        }
        _other => Vec::new(),
    }
}

/// Whether a compiler sees that two values are the same.
fn alike(k: &Kernel, a: usize, b: usize) -> bool {
    same(k, a, b, 4)
}

/// `depth`: so far operands are looked at.
fn same(k: &Kernel, a: usize, b: usize, depth: usize) -> bool {
    let (a, b) = (plain(k, a, true, Family::Sums), plain(k, b, true, Family::Sums));
    let ((a, x), (b, y)) = (a, b);
    x == y
        && (a == b
            || match (&k.body[a], &k.body[b]) {
                (Expr::Load(a), Expr::Load(b)) => a == b,
                (Expr::Const(a), Expr::Const(b)) => a.to_bits() == b.to_bits(),
                (Expr::Size(a), Expr::Size(b)) => a == b,
                (Expr::Counter(a), Expr::Counter(b)) => a == b,
                (Expr::Map(f, x), Expr::Map(g, y)) if depth > 0 && f == g => {
                    k.types[a] == k.types[b] && x.iter().zip(y).all(|(x, y)| same(k, *x, *y, depth - 1))
                }
                _others => false,
            })
}
