//! A graph under construction whose free dim is `n`, and what it is run on.

use hnet::ir::random::philox;
use hnet::ir::{Axis, DType, Graph, Node, NodeId, Op, Operand, Origin, Size};
use hnet::ir::{Bindings, Data, Tensor};

pub const F: DType = DType::F32;
pub const I: DType = DType::I32;
pub const B: DType = DType::Bool;

/// The free dim.
pub fn n() -> Size {
    Size::sym("n")
}

/// A size that is known.
pub fn k(size: usize) -> Size {
    Size::from(size)
}

#[derive(Default)]
pub struct Make {
    pub graph: Graph,
    pub bindings: Bindings,
    /// What the free dim is.
    pub free: usize,
}

fn axes(sizes: &[Size]) -> Vec<Axis> {
    sizes.iter().map(|s| Axis::new("a", s.clone())).collect()
}

impl Make {
    pub fn new(free: usize) -> Make {
        let mut m = Make { free, ..Make::default() };
        m.bindings.sizes.insert("n".into(), free as i64);
        m
    }

    fn fixed(&self, shape: &[Size]) -> Vec<usize> {
        shape.iter().map(|s| s.eval(&|_| Some(self.free as i64)).unwrap() as usize).collect()
    }

    pub fn input_as(&mut self, origin: Origin, shape: &[Size], data: Data) -> NodeId {
        let tensor = Tensor::new(self.fixed(shape), data);
        let path = format!("x{}", self.graph.len());
        let node = Node::new(Op::Source { origin, path: path.as_str().into() }, tensor.dtype(), axes(shape));
        self.bindings.sources.insert(path, tensor);
        self.graph.add(node, vec![])
    }

    fn words(&self, shape: &[Size]) -> impl Iterator<Item = u32> + use<> {
        let count = self.fixed(shape).iter().product::<usize>() as u32;
        let key = self.graph.len() as u32;
        (0..count).map(move |i| philox([i, key, 0, 0], [1, 2])[0])
    }

    /// Floats of about -1..1.
    pub fn f(&mut self, shape: &[Size]) -> NodeId {
        let data = self.words(shape).map(|w| (w >> 8) as f32 / (1 << 23) as f32 - 1.0).collect();
        self.input_as(Origin::Input, shape, Data::F32(data))
    }

    /// Whole numbers of low..high.
    pub fn i(&mut self, shape: &[Size], low: i32, high: i32) -> NodeId {
        let data = self.words(shape).map(|w| low + (w % (high - low) as u32) as i32).collect();
        self.input_as(Origin::Input, shape, Data::I32(data))
    }

    pub fn add(&mut self, op: Op, dtype: DType, shape: &[Size], inner: &[Size], operands: &[(NodeId, &[usize])]) -> NodeId {
        let mut node = Node::new(op, dtype, axes(shape));
        node.inner = axes(inner);
        self.graph.add(node, operands.iter().map(|(n, s)| Operand::new(*n, s.to_vec())).collect())
    }
}
