//! The native backend against the interpreter.

mod attention;
mod kernels;
mod math;
mod models;
mod products;
mod written;

use crate::cpu::Options;
use crate::exec::Engine;
use crate::ir::interp::evaluate;
use crate::ir::random::philox;
use crate::ir::{Axis, DType, Graph, Node, NodeId, Op, Operand, Origin};
use crate::ir::{Bindings, Data, Tensor};

pub const F: DType = DType::F32;
pub const I: DType = DType::I32;
pub const B: DType = DType::Bool;

/// A graph under construction and what it is run on.
#[derive(Default)]
pub struct Make {
    pub graph: Graph,
    pub bindings: Bindings,
}

impl Make {
    pub fn input_as(&mut self, origin: Origin, shape: &[usize], data: Data) -> NodeId {
        let tensor = Tensor::new(shape.to_vec(), data);
        let axes = shape.iter().map(|n| Axis::new("a", *n)).collect();
        let path = format!("x{}", self.graph.len());
        let node = Node::new(Op::Source { origin, path: path.as_str().into() }, tensor.dtype(), axes);
        self.bindings.sources.insert(path, tensor);
        self.graph.add(node, vec![])
    }

    pub fn input(&mut self, shape: &[usize], data: Data) -> NodeId {
        self.input_as(Origin::Input, shape, data)
    }

    /// Floats of about -1..1.
    pub fn f(&mut self, shape: &[usize]) -> NodeId {
        let n = shape.iter().product::<usize>() as u32;
        let key = self.graph.len() as u32;
        let data = (0..n).map(|i| (philox([i, key, 0, 0], [1, 2])[0] >> 8) as f32 / (1 << 23) as f32 - 1.0).collect();
        self.input(shape, Data::F32(data))
    }

    pub fn param(&mut self, shape: &[usize]) -> NodeId {
        let id = self.f(shape);
        if let Op::Source { origin, .. } = &mut self.graph.node_mut(id).op {
            *origin = Origin::Param;
        }
        id
    }

    /// Whole numbers of low..high.
    pub fn i(&mut self, shape: &[usize], low: i32, high: i32) -> NodeId {
        let n = shape.iter().product::<usize>() as u32;
        let key = self.graph.len() as u32;
        let data = (0..n).map(|i| low + (philox([i, key, 0, 0], [1, 2])[0] % (high - low) as u32) as i32).collect();
        self.input(shape, Data::I32(data))
    }

    pub fn add(&mut self, op: Op, dtype: DType, shape: &[usize], inner: &[usize], operands: &[(NodeId, &[usize])]) -> NodeId {
        let axes = |sizes: &[usize]| sizes.iter().map(|n| Axis::new("a", *n)).collect::<Vec<_>>();
        let mut node = Node::new(op, dtype, axes(shape));
        node.inner = axes(inner);
        self.graph.add(node, operands.iter().map(|(n, s)| Operand::new(*n, s.to_vec())).collect())
    }

    pub fn run(&self, wanted: &[NodeId], threads: usize) -> Vec<Tensor> {
        let mut engine = Engine::cpu_unoptimized(&self.graph, wanted, &Options { threads, ..Options::default() }).unwrap();
        engine.run(&self.bindings).unwrap_or_else(|e| panic!("{}", e.message))
    }

    /// The native result is the interpreter's, within `tolerance` of the largest element.
    pub fn check_within(&self, wanted: &[NodeId], tolerance: f64) {
        let expect = evaluate(&self.graph, &self.bindings, wanted).unwrap_or_else(|e| panic!("{}", e.message));
        for threads in [1, 2] {
            let got = self.run(wanted, threads);
            for (k, (g, e)) in got.iter().zip(&expect).enumerate() {
                assert_eq!((&g.shape, g.dtype()), (&e.shape, e.dtype()), "shape of {k}");
                let largest = e.to_f64().iter().filter(|x| x.is_finite()).fold(1e-30f64, |m, x| m.max(x.abs()));
                for (i, (a, b)) in g.to_f64().iter().zip(e.to_f64()).enumerate() {
                    let same = *a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * largest;
                    assert!(
                        same,
                        "output {k} element {i}: {a} instead of {b} (largest {largest}, {threads} threads)\n{}",
                        self.text(wanted)
                    );
                }
            }
        }
    }

    pub fn check(&self, wanted: &[NodeId]) {
        self.check_within(wanted, 2e-4);
    }

    pub fn text(&self, wanted: &[NodeId]) -> String {
        let plan = crate::plan::plan(&self.graph, wanted, &self.bindings.sizes);
        plan.map_or_else(|e| e.message, |p| p.to_string())
    }
}
