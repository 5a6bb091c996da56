//! What holds within a kernel: values come before those that use them, stay in their loops, and have the types that functions take.

use super::ensure;
use super::steps::{access, typed};
use crate::ir::scalar::Types;
use crate::ir::{DType, Fold, Map};
use crate::plan::{Access, Expr, Kernel, Plan};

pub(super) fn check(plan: &Plan, k: &Kernel) -> Result<(), String> {
    let (loops, values) = (k.loops.len(), k.body.len());
    ensure(k.outer <= loops, || format!("{} of {loops} loops are the result's", k.outer))?;
    ensure(k.types.len() == values, || format!("{values} values have {} types", k.types.len()))?;
    ensure(k.value < values, || format!("it stores value {}, of {values}", k.value))?;
    let mut closed = vec![false; loops];
    for n in 0..values {
        operands(plan, k, n).and_then(|()| closes(k, n, &mut closed)).map_err(|what| format!("value %{n}: {what}"))?;
    }
    access(plan, &k.store, k.outer).map_err(|what| format!("its store: {what}"))?;
    let left = (k.outer..loops).find(|l| !closed[*l]);
    ensure(left.is_none(), || format!("nothing goes through the loop {}", left.map_or("", |l| &k.loops[l].name)))?;
    // There is a bit for each loop, of so many.
    if (1..128).contains(&loops) {
        let own = (1u128 << k.outer) - 1;
        ensure(k.dependencies()[k.value] & !own == 0, || "its result depends on a loop of a fold".into())?;
    }
    typed(plan, k.store.buffer, &[k.types[k.value]])
}

/// What value `n` is made of, and its type.
fn operands(plan: &Plan, k: &Kernel, n: usize) -> Result<(), String> {
    let before = |v: usize| ensure(v < n, || format!("it uses %{v}, which comes later"));
    let gives =
        |types: &[DType]| ensure(types.contains(&k.types[n]), || format!("it is {}, not {}", k.types[n].word(), types[0].word()));
    let load = |a: &Access| access(plan, a, k.loops.len()).and_then(|()| typed(plan, a.buffer, &[k.types[n]]));
    match &k.body[n] {
        Expr::Const(_) => Ok(()),
        Expr::Counter(l) => {
            ensure(*l < k.loops.len(), || format!("it counts loop {l}, which is not there"))?;
            gives(&[DType::I32])
        }
        Expr::Size(_) => gives(&[DType::I32, DType::F32]),
        Expr::Load(a) => load(a),
        Expr::Pick { access, at, .. } => {
            load(access)?;
            ensure(!at.is_empty(), || "it picks without an index".into())?;
            for i in at {
                before(i.value)?;
                ensure(k.types[i.value] == DType::I32, || format!("its index %{} is {}", i.value, k.types[i.value].word()))?;
            }
            Ok(())
        }
        Expr::Map(map, args) => {
            args.iter().try_for_each(|v| before(*v))?;
            mapped(k, *map, args, k.types[n])
        }
        Expr::Reduce { fold, value, .. } => {
            before(*value)?;
            match fold {
                Fold::Sum | Fold::Prod | Fold::Max | Fold::Min => gives(&[k.types[*value]]),
                Fold::Any | Fold::All => gives(&[DType::Bool]).and(ensure(k.types[*value] == DType::Bool, || "no bools".into())),
                Fold::Argmax | Fold::Argmin => gives(&[DType::I32]),
            }
        }
        Expr::Mend { of, value, .. } => {
            before(*of).and(before(*value))?;
            gives(&[k.types[*of]]).and(gives(&[k.types[*value]]))
        }
    }
}

/// A function has as many operands as it takes, of types that it takes.
fn mapped(k: &Kernel, map: Map, args: &[usize], result: DType) -> Result<(), String> {
    let word = map.word();
    ensure(args.len() == map.arity(), || format!("`{word}` takes {} values, has {}", map.arity(), args.len()))?;
    let types: Vec<DType> = args.iter().map(|a| k.types[*a]).collect();
    let alike = |of: &[DType], allowed: &[DType]| {
        ensure(of.iter().all(|t| *t == of[0]) && allowed.contains(&of[0]), || {
            format!("`{word}` is given {}", of.iter().map(|t| t.word()).collect::<Vec<_>>().join(", "))
        })
    };
    let gives = |dtype: DType| ensure(result == dtype, || format!("`{word}` gives {}, not {}", dtype.word(), result.word()));
    match map.types() {
        Types::Same(of) => alike(&types, of).and(gives(types[0])),
        Types::Cast(to) => gives(to),
        Types::Test(of) => alike(&types, of).and(gives(DType::Bool)),
        Types::Choice => alike(&types[..1], &[DType::Bool]).and(alike(&types[1..], &[types[1]])).and(gives(types[1])),
    }
}

/// The loops that value `n` goes through are no others' and none of the result's.
fn closes(k: &Kernel, n: usize, closed: &mut [bool]) -> Result<(), String> {
    let (Expr::Reduce { loops, .. } | Expr::Mend { loops, .. }) = &k.body[n] else { return Ok(()) };
    for l in loops {
        ensure((k.outer..k.loops.len()).contains(l), || format!("it folds over loop {l}, which is no loop of a fold"))?;
        ensure(!std::mem::replace(&mut closed[*l], true), || format!("it folds over loop {l}, as another one does"))?;
    }
    Ok(())
}
