//! Products as loop nests.
//!
//! In: a product of the plan. Out: a kernel of the same meaning, whose last loop goes along memory where one does, so that it runs in lanes.

use crate::ir::{DType, Fold, Map, Size};
use crate::plan::{Access, Expr, Grouped, Index, Kernel, Loop, Product};

/// The loops of a product in the order of a kernel: those of the result, then the summed ones; for each its number in the product.
struct Order {
    spans: Vec<usize>,
    outer: usize,
}

fn order(p: &Product) -> Order {
    let one = |s: &Option<Size>| s.as_ref().is_some_and(|s| s.is(1));
    let own = |k: &usize| p.spans[*k].out.is_some();
    let mut spans: Vec<usize> = (0..p.spans.len()).filter(own).collect();
    // Last comes what lies along memory in the result and in one of the factors, at best.
    let along = |k: &usize| {
        let s = &p.spans[*k];
        usize::from(one(&s.out)) + usize::from(one(&s.out) && (one(&s.a) || one(&s.b)))
    };
    if let Some(last) = spans.iter().copied().max_by_key(|k| (along(k), *k)).filter(|k| along(k) > 0) {
        spans.retain(|k| *k != last);
        spans.push(last);
    }
    let outer = spans.len();
    spans.extend((0..p.spans.len()).filter(|k| !own(k)));
    Order { spans, outer }
}

/// A kernel under construction.
struct Body {
    body: Vec<Expr>,
    types: Vec<DType>,
}

impl Body {
    fn add(&mut self, e: Expr, t: DType) -> usize {
        self.body.push(e);
        self.types.push(t);
        self.body.len() - 1
    }
}

impl Order {
    fn access(&self, (buffer, offset): &(usize, Size), stride: &dyn Fn(usize) -> Option<Size>) -> Access {
        let moves = |(n, k): (usize, &usize)| stride(*k).filter(|s| !s.is(0)).map(|s| (n, s));
        Access { buffer: *buffer, offset: offset.clone(), terms: self.spans.iter().enumerate().filter_map(moves).collect() }
    }

    fn kernel(&self, p: &Product, body: Body, value: usize) -> Kernel {
        let one = |k: &usize| Loop { name: p.spans[*k].name.clone(), size: p.spans[*k].size.clone() };
        Kernel {
            name: p.name.clone(),
            loops: self.spans.iter().map(one).collect(),
            outer: self.outer,
            store: self.access(&p.out, &|k| p.spans[k].out.clone()),
            body: body.body,
            types: body.types,
            value,
            unit: Size::from(1i64),
        }
    }

    fn summed(&self, body: &mut Body, a: usize, b: usize) -> usize {
        let value = body.add(Expr::Map(Map::Mul, vec![a, b]), DType::F32);
        let loops: Vec<usize> = (self.outer..self.spans.len()).collect();
        if loops.is_empty() { value } else { body.add(Expr::Reduce { fold: Fold::Sum, loops, value }, DType::F32) }
    }
}

/// The kernel of a product.
pub(super) fn kernel(p: &Product) -> Kernel {
    let order = order(p);
    let mut body = Body { body: Vec::new(), types: Vec::new() };
    let a = body.add(Expr::Load(order.access(&p.a, &|k| p.spans[k].a.clone())), DType::F32);
    let b = body.add(Expr::Load(order.access(&p.b, &|k| p.spans[k].b.clone())), DType::F32);
    let value = order.summed(&mut body, a, b);
    order.kernel(p, body, value)
}

/// The kernel of a product whose matrix an index chooses. A row that chooses none is 0, whatever stands in it.
pub(super) fn grouped(g: &Grouped) -> Kernel {
    let p = &g.product;
    let order = order(p);
    let mut body = Body { body: Vec::new(), types: Vec::new() };
    let place = |k: usize| g.index.terms.iter().find(|t| t.0 == k).map(|t| t.1.clone());
    let index = order.access(&(g.index.buffer, g.index.offset.clone()), &place);
    let index = body.add(Expr::Load(index), DType::I32);
    let a = body.add(Expr::Load(order.access(&p.a, &|k| p.spans[k].a.clone())), DType::F32);
    let b = Expr::Pick {
        access: order.access(&p.b, &|k| p.spans[k].b.clone()),
        at: vec![Index { value: index, extent: g.count.clone(), stride: g.stride.clone() }],
        fill: (!g.clamp).then_some(0.0),
    };
    let b = body.add(b, DType::F32);
    let value = order.summed(&mut body, a, b);
    order.kernel(p, body, value)
}
