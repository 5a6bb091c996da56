//! Sizes as they are written.

use super::{Atom, Size, SizeFn};
use crate::ir::text::quoted;
use std::fmt;

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Atom::Sym(s) => f.write_str(&quoted(s)),
            Atom::Apply(SizeFn::Group, args) => write!(f, "({})", args[0]),
            Atom::Apply(g, args) => {
                write!(f, "{}(", g.word())?;
                for (i, a) in args.iter().enumerate() {
                    write!(f, "{}{a}", if i > 0 { ", " } else { "" })?;
                }
                write!(f, ")")
            }
        }
    }
}

/// Highest power first, the constant last: `2*b*t + b - 1`, `d/heads`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_lost() {
            return write!(f, "a size that is too large");
        }
        if self.terms.is_empty() {
            return write!(f, "0");
        }
        for (i, t) in self.terms.iter().rev().enumerate() {
            let minus = t.coef.num < 0;
            match (i, minus) {
                (0, true) => write!(f, "-")?,
                (0, false) => {}
                (_, true) => write!(f, " - ")?,
                (_, false) => write!(f, " + ")?,
            }
            let mut first = true;
            if t.coef.num.abs() != 1 || !t.factors.iter().any(|x| x.1 > 0) {
                write!(f, "{}", t.coef.num.abs())?;
                first = false;
            }
            for (a, p) in t.factors.iter().filter(|x| x.1 > 0) {
                for _ in 0..*p {
                    write!(f, "{}{a}", if first { "" } else { "*" })?;
                    first = false;
                }
            }
            if t.coef.den != 1 {
                write!(f, "/{}", t.coef.den)?;
            }
            for (a, p) in t.factors.iter().filter(|x| x.1 < 0) {
                for _ in 0..-p {
                    write!(f, "/{a}")?;
                }
            }
        }
        Ok(())
    }
}
