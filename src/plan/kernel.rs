//! What can be told of a kernel from its body.

use super::{Access, Expr, Kernel};

impl Kernel {
    /// For each value the loops that it depends on, a bit each.
    pub fn dependencies(&self) -> Vec<u128> {
        let mut deps: Vec<u128> = Vec::new();
        for e in &self.body {
            let of = |a: &Access| a.terms.iter().fold(0u128, |m, t| m | 1 << t.0);
            let without = |value: usize, loops: &[usize]| loops.iter().fold(deps[value], |m, l| m & !(1 << l));
            let d = match e {
                Expr::Const(_) | Expr::Size(_) => 0,
                Expr::Counter(l) => 1 << l,
                Expr::Load(a) => of(a),
                Expr::Pick { access, at, .. } => at.iter().fold(of(access), |m, i| m | deps[i.value]),
                Expr::Map(_, args) => args.iter().fold(0, |m, a| m | deps[*a]),
                Expr::Reduce { loops, value, .. } => without(*value, loops),
                Expr::Mend { of, loops, value } => deps[*of] | without(*value, loops),
            };
            deps.push(d);
        }
        deps
    }
}
