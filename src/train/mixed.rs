//! graph → graph: products that read their factors in 16 bits.
//!
//! In: a step whose gradients are built. Out: the same, but what a sum of products reads is rounded to 16 bits where it comes from: parameters,
//! inputs, what functions give. Sums stay 32 bits, and so does what they hand to other products, however it is moved or added on the way: nothing
//! that the planner may reorder is torn apart. *Not rounded:* numbers of the text, squares (norms, variances), and all that is no product.

use crate::ir::{Body, DType, Graph, Map, Node, NodeId, Op, Operand, Output};

/// The graph with its products in mixed precision, and where the old nodes are.
pub fn in_16_bits(graph: &Graph) -> (Graph, Vec<NodeId>) {
    let mut work = Work { new: graph.successor(), places: vec![], summed: vec![], low: vec![] };
    for id in graph.ids() {
        let mut node = graph.node(id).clone();
        if let Op::Loop(body) = &node.op {
            node.op = Op::Loop(Box::new(Body { graph: in_16_bits(&body.graph).0, ..(**body).clone() }));
        }
        let mut operands: Vec<Operand> =
            graph.operands(id).iter().map(|o| Operand::new(work.places[o.node.index()], o.subscripts.clone())).collect();
        if is_product(graph, id) {
            for o in &mut operands {
                o.node = work.low(o.node);
            }
        }
        let place = work.add(node, operands);
        work.places.push(place);
    }
    let Work { mut new, places, .. } = work;
    new.outputs.extend(graph.outputs.iter().cloned().map(|o| Output { node: places[o.node.index()], ..o }));
    new.measured.extend(graph.measured.iter().map(|(sym, n)| (sym.clone(), places[n.index()])));
    (new, places)
}

/// Whether this sums products of different values.
fn is_product(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    let factors: Vec<&Operand> = graph.operands(id).iter().filter(|o| graph.node(o.node).dtype == DType::F32).collect();
    let alike = |a: &&&Operand, b: &&&Operand| a.node == b.node && a.subscripts == b.subscripts;
    let square = factors.iter().any(|a| factors.iter().filter(|b| alike(&a, b)).count() > 1);
    matches!(node.op, Op::Contract) && node.dtype == DType::F32 && factors.len() > 1 && !node.inner.is_empty() && !square
}

/// Whether a node hands on or adds what it reads, so that its parts may be rounded instead.
fn hands_on(op: &Op) -> bool {
    match op {
        Op::Map(map) => matches!(map, Map::Copy | Map::Neg | Map::Add | Map::Sub | Map::Cut | Map::Surrogate | Map::Select),
        Op::Gather { .. } | Op::Concat { .. } | Op::Reshape => true,
        Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Fold(_) | Op::Contract => false,
        Op::Scatter { .. } | Op::Inside(_) | Op::Order { .. } | Op::Scan { .. } | Op::Assign => false,
        Op::Loop(_) | Op::Result(_) | Op::Arg(_) => false,
    }
}

struct Work {
    new: Graph,
    /// Where the old nodes are.
    places: Vec<NodeId>,
    /// For each new node, whether it is a sum of products, or hands one on.
    summed: Vec<bool>,
    /// For each new node, what a product reads in its place.
    low: Vec<Option<NodeId>>,
}

impl Work {
    fn add(&mut self, node: Node, operands: Vec<Operand>) -> NodeId {
        let on = hands_on(&node.op) && operands.iter().any(|o| self.summed[o.node.index()]);
        self.summed.push(on || matches!(node.op, Op::Contract));
        self.low.push(None);
        self.new.add(node, operands)
    }

    /// What a product reads in the place of a value.
    fn low(&mut self, id: NodeId) -> NodeId {
        if let Some(known) = self.low[id.index()] {
            return known;
        }
        let node = self.new.node(id).clone();
        let made = match &node.op {
            _ if node.dtype != DType::F32 => id,
            Op::Contract | Op::Const(_) | Op::Extent(_) | Op::Map(Map::Half) => id,
            op if hands_on(op) && self.summed[id.index()] => {
                let operands = self.new.operands(id).to_vec();
                let operands = operands.into_iter().map(|o| Operand::new(self.low(o.node), o.subscripts)).collect();
                self.add(Node { name: None, ..node }, operands)
            }
            _ => {
                let all = (0..node.rank()).collect();
                let half = Node { op: Op::Map(Map::Half), name: None, inner: vec![], ..node };
                self.add(half, vec![Operand::new(id, all)])
            }
        };
        self.low[id.index()] = Some(made);
        made
    }
}
