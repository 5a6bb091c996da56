//! Takes folds out of kernels that would compute them again and again: a fold that does not depend on all loops of the result
//! becomes a kernel of its own.
//!
//! Compiled code for a CPU computes such a fold in an outer loop; on a device every element is a thread, and a softmax would
//! sum each row once for each of its elements.

use super::choose::Chooser;
use super::program::{Buffer, Kind};
use crate::ir::{DType, Size};
use crate::plan::{Access, Decision, Expr, Kernel, Place};

/// The kernels that compute `kernel`, in order; new buffers go to the end of `buffers`. `about`: what it is made for.
pub(super) fn split(mut kernel: Kernel, about: &Place, buffers: &mut Vec<Buffer>, early: bool, chooser: &Chooser) -> Vec<Kernel> {
    let mut out = Vec::new();
    loop {
        let mut folds = repeated(&kernel, about, chooser).into_iter();
        let Some((e, decision)) = folds.by_ref().find(|(_, d)| d.taken == 0) else { break };
        chooser.note_fold(decision);
        let Expr::Reduce { fold, .. } = &kernel.body[e] else { unreachable!("what is repeated is a fold") };
        let word = fold.word();
        out.push(hoist(&mut kernel, e, word, buffers, early));
    }
    repeated(&kernel, about, chooser).into_iter().for_each(|(_, d)| chooser.note_fold(d));
    out.push(kernel);
    out
}

/// The folds that are computed more often than there are different results of them, and what is done about each.
fn repeated(k: &Kernel, about: &Place, chooser: &Chooser) -> Vec<(usize, Decision)> {
    let (deps, size) = (k.dependencies(), chooser.size);
    let decided = |(e, x): (usize, &Expr)| {
        let Expr::Reduce { loops, .. } = x else { return None };
        let again: i64 =
            (0..k.outer).filter(|l| deps[e] >> l & 1 == 0).map(|l| size(&k.loops[l].size)).fold(1, i64::saturating_mul);
        let inner = loops.iter().map(|l| size(&k.loops[*l].size)).fold(1, i64::saturating_mul);
        (again > 1 && inner > 1).then(|| (e, chooser.fold(about, &k.name, inner)))
    };
    k.body.iter().enumerate().filter_map(decided).collect()
}

/// Makes value `e` a kernel; what it was is a load. `word`: what is computed there.
pub(super) fn hoist(k: &mut Kernel, e: usize, word: &str, buffers: &mut Vec<Buffer>, early: bool) -> Kernel {
    let deps = k.dependencies();
    let own: Vec<usize> = (0..k.loops.len()).filter(|l| deps[e] >> l & 1 == 1).collect();
    let shape: Vec<Size> = own.iter().map(|l| k.loops[*l].size.clone()).collect();
    let mut strides = vec![Size::from(1i64); shape.len()];
    for d in (0..shape.len().saturating_sub(1)).rev() {
        strides[d] = strides[d + 1].mul(&shape[d + 1]);
    }
    let dtype = k.types[e];
    let base = format!("{}_{word}", k.name);
    let others = buffers.iter().rev().take(32).filter(|b| b.name == base || b.name.starts_with(&format!("{base}_"))).count();
    let name = if others == 0 { base } else { format!("{base}_{}", others + 1) };
    buffers.push(Buffer { name: name.clone(), dtype, shape: shape.clone(), kind: Kind::Temp, early, half: false });
    let buffer = buffers.len() - 1;
    let kept = needed(k, e);
    // Loops of the new kernel: those of the result, then those of the folds inside, in their order.
    let inner: Vec<usize> = (0..k.loops.len()).filter(|l| !own.contains(l) && used(k, &kept, *l)).collect();
    let order: Vec<usize> = own.iter().chain(&inner).copied().collect();
    let place = |l: &usize| order.iter().position(|x| x == l).unwrap_or_else(|| unreachable!("the loop is used"));
    let number = |v: &usize| kept.iter().position(|x| x == v).unwrap_or_else(|| unreachable!("the value is needed"));
    let body = kept.iter().map(|v| renamed(&k.body[*v], &place, &number)).collect();
    let types = kept.iter().map(|v| k.types[*v]).collect();
    let terms = |of: &dyn Fn(usize, &usize) -> usize| {
        own.iter().enumerate().map(|(d, l)| (of(d, l), strides[d].clone())).collect::<Vec<_>>()
    };
    let store = Access { buffer, offset: Size::from(0i64), terms: terms(&|d, _| d) };
    let hoisted = Kernel {
        name,
        loops: order.iter().map(|l| k.loops[*l].clone()).collect(),
        outer: own.len(),
        body,
        types,
        store,
        value: number(&e),
        unit: Size::from(1i64),
    };
    k.body[e] = Expr::Load(Access { buffer, offset: Size::from(0i64), terms: terms(&|_, l| *l) });
    sweep(k);
    hoisted
}

/// The values that value `e` needs, itself included, in order.
fn needed(k: &Kernel, e: usize) -> Vec<usize> {
    let mut seen = vec![false; k.body.len()];
    let mut todo = vec![e];
    while let Some(v) = todo.pop() {
        if !std::mem::replace(&mut seen[v], true) {
            match &k.body[v] {
                Expr::Map(_, args) => todo.extend(args),
                Expr::Reduce { value, .. } => todo.push(*value),
                Expr::Mend { of, value, .. } => todo.extend([*of, *value]),
                Expr::Pick { at, .. } => todo.extend(at.iter().map(|i| i.value)),
                Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Load(_) => {}
            }
        }
    }
    (0..k.body.len()).filter(|v| seen[*v]).collect()
}

fn used(k: &Kernel, kept: &[usize], l: usize) -> bool {
    kept.iter().any(|v| match &k.body[*v] {
        Expr::Counter(c) => *c == l,
        Expr::Load(a) | Expr::Pick { access: a, .. } => a.terms.iter().any(|t| t.0 == l),
        Expr::Reduce { loops, .. } | Expr::Mend { loops, .. } => loops.contains(&l),
        Expr::Const(_) | Expr::Size(_) | Expr::Map(..) => false,
    })
}

/// An expression with other numbers for loops and values.
fn renamed(e: &Expr, place: &dyn Fn(&usize) -> usize, number: &dyn Fn(&usize) -> usize) -> Expr {
    let access = |a: &Access| {
        let mut terms: Vec<(usize, Size)> = a.terms.iter().map(|(l, s)| (place(l), s.clone())).collect();
        terms.sort_by_key(|t| t.0);
        Access { buffer: a.buffer, offset: a.offset.clone(), terms }
    };
    match e {
        Expr::Const(_) | Expr::Size(_) => e.clone(),
        Expr::Counter(l) => Expr::Counter(place(l)),
        Expr::Load(a) => Expr::Load(access(a)),
        Expr::Pick { access: a, at, fill } => {
            let at = at.iter().map(|i| crate::plan::Index { value: number(&i.value), ..i.clone() }).collect();
            Expr::Pick { access: access(a), at, fill: *fill }
        }
        Expr::Map(m, args) => Expr::Map(*m, args.iter().map(number).collect()),
        Expr::Reduce { fold, loops, value } => {
            Expr::Reduce { fold: *fold, loops: loops.iter().map(place).collect(), value: number(value) }
        }
        Expr::Mend { of, loops, value } => {
            Expr::Mend { of: number(of), loops: loops.iter().map(place).collect(), value: number(value) }
        }
    }
}

/// Drops values and inner loops that nothing needs any more.
pub(super) fn sweep(k: &mut Kernel) {
    let kept = needed(k, k.value);
    let loops: Vec<usize> = (0..k.loops.len()).filter(|l| *l < k.outer || used(k, &kept, *l)).collect();
    let place = |l: &usize| loops.iter().position(|x| x == l).unwrap_or_else(|| unreachable!("the loop is used"));
    let number = |v: &usize| kept.iter().position(|x| x == v).unwrap_or_else(|| unreachable!("the value is needed"));
    let body = kept.iter().map(|v| renamed(&k.body[*v], &place, &number)).collect();
    let types = kept.iter().map(|v| k.types[*v]).collect::<Vec<DType>>();
    let value = number(&k.value);
    let all = loops.iter().map(|l| k.loops[*l].clone()).collect();
    (k.body, k.types, k.value, k.loops) = (body, types, value, all);
}
