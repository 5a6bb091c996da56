//! How much a kernel does, by its sizes: what a profile compares with the device's peak, and what a device may refuse.

use super::special;
use crate::ir::Size;
use crate::plan::{Expr, Kernel};

/// The folds of an element, each with the loops that it runs in: its own, and those of the folds around it.
pub(in crate::gpu) fn nests(k: &Kernel) -> Vec<(usize, Vec<usize>)> {
    let mut out = Vec::new();
    for (e, (x, deps)) in k.body.iter().zip(k.dependencies()).enumerate() {
        if let Expr::Reduce { loops, .. } | Expr::Mend { loops, .. } = x {
            let mask = loops.iter().fold(deps, |m, l| m | 1 << l);
            out.push((e, (k.outer..k.loops.len()).filter(|l| mask >> l & 1 == 1).collect()));
        }
    }
    out
}

/// The rounds that the loops of all folds of an element make, those around stretches of sums among them.
pub(super) fn rounds(k: &Kernel) -> Size {
    let points = |loops: Vec<usize>| loops.iter().fold(Size::from(1i64), |n, l| n.mul(&k.loops[*l].size));
    let total = nests(k).into_iter().fold(Size::from(0i64), |n, (_, loops)| n.add(&points(loops)));
    total.add(&special::share(&total, 16))
}

/// Floating-point operations of a kernel.
pub(super) fn flops(k: &Kernel) -> Size {
    let deps = k.dependencies();
    let mut total = Size::from(0i64);
    for (e, d) in k.body.iter().zip(&deps) {
        let points =
            |mask: u128| (0..k.loops.len()).filter(|l| mask >> l & 1 == 1).fold(Size::from(1i64), |n, l| n.mul(&k.loops[l].size));
        match e {
            Expr::Map(..) => total = total.add(&points(*d)),
            Expr::Reduce { loops, .. } => total = total.add(&points(loops.iter().fold(*d, |m, l| m | 1 << l))),
            Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Load(_) | Expr::Pick { .. } | Expr::Mend { .. } => {}
        }
    }
    total
}
