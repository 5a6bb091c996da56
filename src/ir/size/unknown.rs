//! What is unknown in a size, and sizes in its place.

use super::ratio::Ratio;
use super::{Atom, Size, SizeFn, Sym, Term};

impl Size {
    /// All unknowns in it, in order, each once.
    pub fn symbols(&self) -> Vec<Sym> {
        let mut out = Vec::new();
        self.collect(&mut out);
        out.sort();
        out.dedup();
        out
    }

    /// Whether some unknown in it is one of these.
    pub fn mentions(&self, is: &dyn Fn(&str) -> bool) -> bool {
        self.terms.iter().any(|t| {
            t.factors.iter().any(|(a, _)| match a {
                Atom::Sym(s) => is(s),
                Atom::Apply(_, args) => args.iter().any(|s| s.mentions(is)),
            })
        })
    }

    /// The unknown that it is, when it is nothing else.
    pub fn single(&self) -> Option<&Sym> {
        match &*self.terms {
            [Term { factors, coef }] if *coef == Ratio::ONE && !self.is_lost() => match factors.as_slice() {
                [(Atom::Sym(s), 1)] => Some(s),
                _ => None,
            },
            _ => None,
        }
    }

    fn collect(&self, out: &mut Vec<Sym>) {
        for t in &*self.terms {
            for (a, _) in &t.factors {
                match a {
                    Atom::Sym(s) => out.push(s.clone()),
                    Atom::Apply(_, args) => args.iter().for_each(|s| s.collect(out)),
                }
            }
        }
    }

    /// Puts sizes in the place of unknowns.
    pub fn substitute(&self, of: &dyn Fn(&str) -> Option<Size>) -> Size {
        if self.is_lost() {
            return Size::lost();
        }
        let mut sum = Size::from(0i64);
        for t in &*self.terms {
            let mut product = Size::ratio(t.coef);
            for (a, p) in &t.factors {
                let base = match a {
                    Atom::Sym(s) => of(s).unwrap_or_else(|| Size::sym(s.clone())),
                    Atom::Apply(SizeFn::Group, args) => args[0].substitute(of),
                    Atom::Apply(f, args) => Size::apply(*f, args.iter().map(|s| s.substitute(of)).collect()),
                };
                let base = if *p < 0 { base.recip().unwrap_or_else(|| Size::from(0i64)) } else { base };
                product = product.mul(&base.power(p.unsigned_abs()));
            }
            sum = sum.add(&product);
        }
        sum
    }
}
