//! The graph under construction: the model's, and those of the loops' bodies around the place where the walk is.
//!
//! In: nodes with what their dimensions are called. Out: tensors of the present level. A value from around a loop that its body
//! reads becomes an argument of the body, once. Numbers, sizes and counters are one node each.

use super::value::{Label, NameId, Tens};
use crate::ir::{DType, Graph, Node, NodeId, Op, Operand, Size};
use crate::source::Span;
use std::collections::HashMap;

/// One graph under construction: the model's, or the body of a loop.
#[derive(Default)]
struct Level {
    graph: Graph,
    captured: Captures,
    iotas: HashMap<NameId, NodeId>,
    /// Constants by their bits, extents by their sizes, so that one number is one node.
    constants: HashMap<(u64, DType), NodeId>,
    extents: HashMap<(Size, DType), NodeId>,
    rounds: Option<Rounds>,
    /// The run's seed.
    seed: Option<NodeId>,
    /// Indices to be proved inside their axes once all ranges are known.
    checks: Vec<Check>,
}

/// An index to be proved inside once all ranges are known: an `Inside` of the graph until then.
pub struct Check {
    pub node: NodeId,
    pub guards: Vec<(usize, NodeId)>,
    /// Whether the index, whatever it is, is somebody's mistake where this is not proved.
    pub free: bool,
}

/// The round of a loop's body, and how many there are.
pub struct Rounds {
    pub round: NodeId,
    pub trips: Size,
}

/// Values from around a loop that its body reads: the value at the level above, and the argument that stands for it.
#[derive(Default)]
struct Captures {
    list: Vec<(Tens, NodeId)>,
    /// Places in the list by the outer node, and by the argument.
    outer: HashMap<NodeId, usize>,
    inner: HashMap<NodeId, usize>,
}

impl Captures {
    fn push(&mut self, outer: Tens, arg: NodeId) {
        self.outer.insert(outer.node, self.list.len());
        self.inner.insert(arg, self.list.len());
        self.list.push((outer, arg));
    }

    /// The argument that stands for an outer node.
    fn arg(&self, outer: NodeId) -> Option<NodeId> {
        Some(self.list[*self.outer.get(&outer)?].1)
    }

    /// What an argument stands for.
    fn outer(&self, arg: NodeId) -> Option<&Tens> {
        Some(&self.list[*self.inner.get(&arg)?].0)
    }
}

/// The graphs, outermost first, and which of them is added to.
pub struct Build {
    levels: Vec<Level>,
    level: usize,
}

impl Default for Build {
    fn default() -> Build {
        Build { levels: vec![Level::default()], level: 0 }
    }
}

/// What waits while something is made at the outermost level.
pub struct Waiting {
    level: usize,
    bodies: Vec<Level>,
}

impl Build {
    /// How many loops are around the walk.
    pub fn level(&self) -> usize {
        self.level
    }

    /// Nodes of the present level.
    pub fn len(&self) -> usize {
        self.levels[self.level].graph.len()
    }

    /// The graph of a level.
    pub fn graph(&self, level: usize) -> &Graph {
        &self.levels[level].graph
    }

    pub fn graph_mut(&mut self, level: usize) -> &mut Graph {
        &mut self.levels[level].graph
    }

    /// The model's graph, which is done.
    pub fn take_graph(&mut self) -> Graph {
        std::mem::take(&mut self.levels[0].graph)
    }

    /// The node of a tensor.
    pub fn at(&self, t: &Tens) -> &Node {
        self.levels[t.level].graph.node(t.node)
    }

    pub fn at_mut(&mut self, t: &Tens) -> &mut Node {
        self.levels[t.level].graph.node_mut(t.node)
    }

    /// Adds a node whose dimensions have these labels.
    pub fn add(&mut self, node: Node, labels: Vec<Label>, operands: Vec<Operand>) -> Tens {
        debug_assert_eq!(node.shape.len(), labels.len());
        let dtype = node.dtype;
        let node = self.levels[self.level].graph.add(node, operands);
        Tens { level: self.level, node, labels, dtype }
    }

    /// A number.
    pub fn constant(&mut self, value: f64, dtype: DType) -> Tens {
        let Level { graph, constants, .. } = &mut self.levels[self.level];
        let node = *constants
            .entry((value.to_bits(), dtype))
            .or_insert_with(|| graph.add(Node::new(Op::Const(value), dtype, vec![]), vec![]));
        Tens { level: self.level, node, labels: vec![], dtype }
    }

    /// A size as a number.
    pub fn extent(&mut self, size: Size, dtype: DType, span: Span) -> Tens {
        let Level { graph, extents, .. } = &mut self.levels[self.level];
        let node = *extents.entry((size, dtype)).or_insert_with_key(|(size, dtype)| {
            graph.add(Node { span, ..Node::new(Op::Extent(size.clone()), *dtype, vec![]) }, vec![])
        });
        Tens { level: self.level, node, labels: vec![], dtype }
    }

    /// The counter of a name, where there is one.
    pub fn iota(&self, name: NameId) -> Option<Tens> {
        let node = *self.levels[self.level].iotas.get(&name)?;
        Some(Tens { level: self.level, node, labels: vec![Label::Named(name)], dtype: DType::I32 })
    }

    /// The counter of a name from now on.
    pub fn note_iota(&mut self, name: NameId, counter: &Tens) {
        self.levels[counter.level].iotas.insert(name, counter.node);
    }

    /// The seed of a run, which is the model's.
    pub fn seed(&mut self, make: impl FnOnce() -> Node) -> Tens {
        let Level { graph, seed, .. } = &mut self.levels[0];
        let node = *seed.get_or_insert_with(|| graph.add(make(), vec![]));
        Tens { level: 0, node, labels: vec![], dtype: DType::I32 }
    }

    // values from around

    /// The node of a tensor at the present level: itself, or an argument of the loop's body that stands for it.
    pub fn node(&mut self, t: &Tens) -> NodeId {
        if t.level == self.level {
            return t.node;
        }
        assert!(t.level < self.level, "a value does not leave its loop");
        let mut here = t.clone();
        for level in t.level + 1..=self.level {
            here = self.capture(level, here);
        }
        here.node
    }

    /// A tensor as it is at the present level.
    pub fn here(&mut self, t: &Tens) -> Tens {
        Tens { node: self.node(t), level: self.level, ..t.clone() }
    }

    fn capture(&mut self, level: usize, t: Tens) -> Tens {
        if let Some(node) = self.levels[level].captured.arg(t.node) {
            return Tens { level, node, ..t };
        }
        let outer = self.at(&t).clone();
        let Level { graph, captured, .. } = &mut self.levels[level];
        // Numbers need no capture.
        if matches!(outer.op, Op::Const(_) | Op::Extent(_)) {
            return Tens { level, node: graph.add(outer, vec![]), ..t };
        }
        let number = usize::MAX - captured.list.len();
        let node = graph.add(Node { op: Op::Arg(number), inner: vec![], ..outer }, vec![]);
        captured.push(t.clone(), node);
        Tens { level, node, ..t }
    }

    /// The node that a tensor is at a level inside of its own, if that has captured it.
    pub fn captured_at(&self, t: &Tens, level: usize) -> Option<NodeId> {
        if t.level > level {
            return None;
        }
        (t.level + 1..=level).try_fold(t.node, |node, level| self.levels[level].captured.arg(node))
    }

    /// What an argument of a loop's body stands for.
    pub fn outer(&self, level: usize, arg: NodeId) -> Option<&Tens> {
        self.levels[level].captured.outer(arg)
    }

    // loops

    /// Opens the body of a loop: its round.
    pub fn open_loop(&mut self, trips: Size) -> Tens {
        self.levels.truncate(self.level + 1);
        self.levels.push(Level::default());
        self.level += 1;
        let round = self.add(Node::new(Op::Arg(0), DType::I32, vec![]), vec![], vec![]);
        self.levels[self.level].rounds = Some(Rounds { round: round.node, trips });
        round
    }

    /// The loop that a level is the body of.
    pub fn rounds(&self, level: usize) -> Option<&Rounds> {
        self.levels[level].rounds.as_ref()
    }

    /// Whether a node is the round of a level's loop.
    pub fn is_round(&self, level: usize, node: NodeId) -> bool {
        self.rounds(level).is_some_and(|r| r.round == node)
    }

    /// Takes the body of the innermost loop: what it captured follows its `carries` as arguments, in this order.
    pub fn take_body(&mut self, carries: usize) -> (Graph, Vec<Tens>) {
        let Level { graph, captured, .. } = &mut self.levels[self.level];
        let captured = std::mem::take(captured).list;
        for (k, (_, arg)) in captured.iter().enumerate() {
            graph.node_mut(*arg).op = Op::Arg(1 + carries + k);
        }
        (std::mem::take(graph), captured.into_iter().map(|(outer, _)| outer).collect())
    }

    /// Leaves the body of a loop, and what was made in it.
    pub fn leave_to(&mut self, level: usize) {
        self.level = level;
        self.levels.truncate(level + 1);
    }

    /// Adds to another level, around the present one, from here on; which it was.
    pub fn go_to(&mut self, level: usize) -> usize {
        std::mem::replace(&mut self.level, level)
    }

    /// Only the model's graph is left: a loop out there opens a level of its own.
    pub fn suspend(&mut self) -> Waiting {
        Waiting { level: self.go_to(0), bodies: self.levels.split_off(1) }
    }

    pub fn resume(&mut self, waiting: Waiting) {
        self.level = waiting.level;
        self.levels.truncate(1);
        self.levels.extend(waiting.bodies);
    }

    // indices to be proved

    /// Notes an index of the present level.
    pub fn note_check(&mut self, check: Check) {
        self.levels[self.level].checks.push(check);
    }

    pub fn take_checks(&mut self, level: usize) -> Vec<Check> {
        std::mem::take(&mut self.levels[level].checks)
    }
}
