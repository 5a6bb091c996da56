//! What can be told of a kernel from its body.

use super::measured::plan::HEAVY_PRICE;
use super::{Access, Expr, Kernel};
use crate::ir::{DType, Map};

/// Whether a function is a long polynomial in compiled code.
pub fn heavy(map: Map) -> bool {
    map.price() >= HEAVY_PRICE
}

impl Expr {
    /// Where it reads, if it reads memory.
    pub fn access(&self) -> Option<&Access> {
        if let Expr::Load(access) | Expr::Pick { access, .. } = self { Some(access) } else { None }
    }

    /// The loops that a fold closes; none of what is no fold.
    pub fn folded(&self) -> &[usize] {
        if let Expr::Reduce { loops, .. } = self { loops } else { &[] }
    }
}

impl Kernel {
    /// The type that the operands of a scalar function are brought to; a choice's condition is a bool besides.
    pub fn operand_type(&self, map: Map, args: &[usize]) -> DType {
        let types = args.iter().skip(usize::from(map == Map::Select)).map(|a| self.types[*a]);
        let joined = types.reduce(|a, b| match (a, b) {
            (a, b) if a == b => a,
            (DType::F32, _) | (_, DType::F32) => DType::F32,
            (DType::I32 | DType::Bool, _) => DType::I32,
        });
        joined.unwrap_or(DType::F32)
    }

    /// A small whole power of a float, which is taken by squaring.
    pub fn whole_power(&self, map: Map, args: &[usize]) -> Option<i32> {
        if map != Map::Pow || self.operand_type(map, args) != DType::F32 {
            return None;
        }
        let Expr::Const(c) = self.body[*args.last()?] else { return None };
        (c.fract() == 0.0 && (1.0..=16.0).contains(&c.abs())).then_some(c as i32)
    }

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
