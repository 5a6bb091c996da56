//! What tests ask of a graph that is planned in the place of another: that it is well-formed, and means the same.

use super::super::{Sizes, view};
use crate::ir::interp::evaluate;
use crate::ir::verify::verify;
use crate::ir::{Bindings, DType, Data, Graph, NodeId, Op, Tensor};

/// Panics where the second graph gives something else for what is wanted, with some numbers for all sources.
pub fn stays((graph, wanted): (&Graph, &[NodeId]), (new, places): (&Graph, &[NodeId]), sizes: &Sizes) {
    verify(new).unwrap_or_else(|e| panic!("{e}\n{new}"));
    let mut bound = Bindings { sizes: sizes.clone(), ..Bindings::default() };
    for (k, id) in graph.ids().enumerate() {
        let Op::Source { path, .. } = &graph.node(id).op else { continue };
        let shape: Vec<usize> = graph.node(id).shape.iter().map(|a| view::value(&a.size, sizes) as usize).collect();
        let count: usize = shape.iter().product();
        let number = |n: usize| ((n * 37 + k * 11) % 101) as f64 / 50.0 - 1.0;
        let data = match graph.node(id).dtype {
            DType::I32 => Data::I32((0..count).map(|n| (n * 7 % 4) as i32).collect()),
            DType::F32 | DType::Bool => Data::F64((0..count).map(number).collect()),
        };
        bound.sources.insert(path.to_string(), Tensor::new(shape, data));
    }
    let (before, after) = (evaluate(graph, &bound, wanted).unwrap(), evaluate(new, &bound, places).unwrap());
    for (a, b) in before.iter().zip(&after) {
        assert_eq!(a.shape, b.shape);
        let largest = a.to_f64().iter().fold(1.0f64, |m, x| m.max(x.abs()));
        assert!(a.to_f64().iter().zip(b.to_f64()).all(|(x, y)| (x - y).abs() <= 1e-12 * largest));
    }
}
