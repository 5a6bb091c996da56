//! Numbers that are others in each round: counted, where that gives the same to the last bit, or looked up.

use crate::ir::{Axis, DType, Graph, Map, Node, NodeId, Op, Operand, Pick};

/// Whole numbers up to here are exact in f32, and so is what one is divided by another rounded but once.
const EXACT: f64 = 16_777_216.0;

/// `(first + step * round) / by`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Count {
    pub first: f64,
    pub step: f64,
    pub by: f64,
}

impl Count {
    /// What counts like these values, if anything does.
    pub fn of(values: &[f64], dtype: DType) -> Option<Count> {
        let [a, b, ..] = values else { return None };
        let difference = b - a;
        let bys = (1..=64).map(|m| (f64::from(m) / difference.abs()).round());
        let bys = std::iter::once(1.0).chain(bys.filter(|_| dtype == DType::F32));
        bys.filter(|by| (1.0..=EXACT).contains(by)).find_map(|by| {
            let count = Count { first: (a * by).round(), step: (difference * by).round(), by };
            let is = |(round, v): (usize, &f64)| {
                let above = count.first + count.step * round as f64;
                above.abs() <= EXACT && (count.step * round as f64).abs() <= EXACT && (above / by).to_bits() == v.to_bits()
            };
            (dtype != DType::Bool && values.iter().enumerate().all(is)).then_some(count)
        })
    }

    /// The same, when rounds are counted down from so many.
    pub fn reversed(self, rounds: usize) -> Count {
        Count { first: self.first + self.step * (rounds as f64 - 1.0), step: -self.step, ..self }
    }

    /// Its value in a body.
    pub fn add(self, body: &mut Graph, round: NodeId, dtype: DType) -> NodeId {
        let mut value = round;
        for (map, with) in [(Map::Mul, self.step), (Map::Add, self.first)] {
            if with != if map == Map::Mul { 1.0 } else { 0.0 } {
                let with = number(body, with, DType::I32);
                value = pointwise(body, map, DType::I32, &[value, with]);
            }
        }
        if dtype == DType::F32 {
            value = pointwise(body, Map::ToF32, DType::F32, &[value]);
        }
        if self.by != 1.0 {
            let by = number(body, self.by, DType::F32);
            value = pointwise(body, Map::Div, DType::F32, &[value, by]);
        }
        value
    }
}

pub fn number(graph: &mut Graph, x: f64, dtype: DType) -> NodeId {
    graph.add(Node::new(Op::Const(x), dtype, vec![]), vec![])
}

fn pointwise(graph: &mut Graph, map: Map, dtype: DType, operands: &[NodeId]) -> NodeId {
    graph.add(Node::new(Op::Map(map), dtype, vec![]), operands.iter().map(|o| Operand::new(*o, vec![])).collect())
}

/// Numbers in a row, as a value.
pub fn table(graph: &mut Graph, values: &[f64], dtype: DType) -> NodeId {
    let mut parts = vec![];
    for x in values {
        let x = number(graph, *x, dtype);
        let one = Node::new(Op::Map(Map::Copy), dtype, vec![Axis::new("round", 1i64)]);
        parts.push(Operand::new(graph.add(one, vec![Operand::new(x, vec![])]), vec![0]));
    }
    let all = Node::new(Op::Concat { axis: 0 }, dtype, vec![Axis::new("round", values.len())]);
    graph.add(all, parts)
}

/// What a stack has for a round.
pub fn picked(graph: &mut Graph, stack: NodeId, round: NodeId) -> NodeId {
    let of = graph.node(stack).clone();
    let shape: Vec<Axis> = of.shape[1..].to_vec();
    let picks = std::iter::once(Pick::Operand(1)).chain((0..shape.len()).map(Pick::Loop)).collect();
    let node = Node::new(Op::Gather { picks, fill: None }, of.dtype, shape);
    graph.add(node, vec![Operand::new(stack, vec![]), Operand::new(round, vec![])])
}
