//! Products as loop nests.

use crate::ir::{DType, Fold, Map, Size};
use crate::plan::{Access, Expr, Grouped, Index, Kernel, Loop, Product, Segments, Span};

struct Nested {
    loops: Vec<Loop>,
    outer: usize,
    /// For each span its loop.
    order: Vec<usize>,
}

fn loops(spans: &[Span]) -> Nested {
    let outer: Vec<usize> = (0..spans.len()).filter(|k| spans[*k].out.is_some()).collect();
    let inner = (0..spans.len()).filter(|k| spans[*k].out.is_none());
    let all: Vec<usize> = outer.iter().copied().chain(inner).collect();
    let mut order = vec![0; spans.len()];
    all.iter().enumerate().for_each(|(l, k)| order[*k] = l);
    let loops = all.iter().map(|k| Loop { name: spans[*k].name.clone(), size: spans[*k].size.clone() }).collect();
    Nested { loops, outer: outer.len(), order }
}

fn access(n: &Nested, spans: &[Span], at: &(usize, Size), stride: &dyn Fn(&Span) -> Option<Size>) -> Access {
    let mut terms: Vec<(usize, Size)> =
        spans.iter().enumerate().filter_map(|(k, s)| Some((n.order[k], stride(s)?))).filter(|t| !t.1.is(0)).collect();
    terms.sort_by_key(|t| t.0);
    Access { buffer: at.0, offset: at.1.clone(), terms }
}

/// A product as a kernel, one element of the result after the other, and which of its values is the sum (none: nothing is summed).
/// Values 0 and 1 are the factors.
pub(in crate::gpu) fn nest(p: &Product) -> (Kernel, Option<usize>) {
    let n = loops(&p.spans);
    let a = Expr::Load(access(&n, &p.spans, &p.a, &|s| s.a.clone()));
    let b = Expr::Load(access(&n, &p.spans, &p.b, &|s| s.b.clone()));
    finish(p, n, vec![a, b])
}

/// A grouped product as a kernel that picks its matrix for each row. Value 1 is the index, 0 and 2 are the factors.
pub(in crate::gpu) fn grouped_nest(g: &Grouped) -> (Kernel, Option<usize>) {
    let p = &g.product;
    let n = loops(&p.spans);
    let a = Expr::Load(access(&n, &p.spans, &p.a, &|s| s.a.clone()));
    let terms = g.index.terms.iter().map(|(k, s)| (n.order[*k], s.clone())).collect();
    let index = Expr::Load(Access { terms, ..g.index.clone() });
    let source = access(&n, &p.spans, &p.b, &|s| s.b.clone());
    let at = vec![Index { value: 1, extent: g.count.clone(), stride: g.stride.clone() }];
    let b = Expr::Pick { access: source, at, fill: (!g.clamp).then_some(0.0) };
    finish(p, n, vec![a, index, b])
}

/// A sum of outer products as a kernel that goes over all rows for every group.
pub(in crate::gpu) fn segments_nest(s: &Segments) -> Kernel {
    let p = &s.product;
    let mut n = loops(&p.spans);
    // The groups' loop is the last of the result's.
    let group = n.outer;
    n.order.iter_mut().filter(|l| **l >= group).for_each(|l| *l += 1);
    n.loops.insert(group, Loop { name: "group".into(), size: s.count.clone() });
    n.outer += 1;
    let terms = s.index.terms.iter().map(|(k, s)| (n.order[*k], s.clone())).collect();
    let mut store = access(&n, &p.spans, &p.out, &|s| s.out.clone());
    store.terms.push((group, s.stride.clone()));
    let body = vec![
        Expr::Load(access(&n, &p.spans, &p.a, &|s| s.a.clone())),
        Expr::Load(access(&n, &p.spans, &p.b, &|s| s.b.clone())),
        Expr::Load(Access { terms, ..s.index.clone() }),
        Expr::Counter(group),
        Expr::Map(Map::Eq, vec![2, 3]),
        Expr::Map(Map::Mul, vec![0, 1]),
        Expr::Const(0.0),
        Expr::Map(Map::Select, vec![4, 5, 6]),
        Expr::Reduce { fold: Fold::Sum, loops: (n.outer..n.loops.len()).collect(), value: 7 },
    ];
    let types = [DType::F32, DType::F32, DType::I32, DType::I32, DType::Bool, DType::F32, DType::F32, DType::F32, DType::F32];
    let (name, unit, outer) = (p.name.clone(), Size::from(1i64), n.outer);
    Kernel { name, loops: n.loops, outer, body, types: types.to_vec(), store, value: 8, unit }
}

/// An access over the spans of a product, over the loops of its nest.
pub(in crate::gpu) fn moved(p: &Product, a: &Access) -> Access {
    let n = loops(&p.spans);
    let mut terms: Vec<(usize, Size)> = a.terms.iter().map(|(k, s)| (n.order[*k], s.clone())).collect();
    terms.sort_by_key(|t| t.0);
    Access { terms, ..a.clone() }
}

fn finish(p: &Product, n: Nested, mut body: Vec<Expr>) -> (Kernel, Option<usize>) {
    let mut types = vec![DType::F32; body.len()];
    if body.len() == 3 {
        types[1] = DType::I32;
    }
    body.push(Expr::Map(Map::Mul, vec![0, body.len() - 1]));
    types.push(DType::F32);
    let inner: Vec<usize> = (n.outer..n.loops.len()).collect();
    let sum = (!inner.is_empty()).then_some(body.len());
    if sum.is_some() {
        body.push(Expr::Reduce { fold: Fold::Sum, loops: inner, value: body.len() - 1 });
        types.push(DType::F32);
    }
    let store = access(&n, &p.spans, &p.out, &|s| s.out.clone());
    let value = body.len() - 1;
    let kernel =
        Kernel { name: p.name.clone(), loops: n.loops, outer: n.outer, body, types, store, value, unit: Size::from(1i64) };
    (kernel, sum)
}
