//! What a row of a table decides is computed once for each row of the table, not for each that asks.
//!
//! `f(table[task[b]])` is `f(table)[task[b]]` where `f` looks at one row at a time. Where more ask than there are rows, the second is less
//! work: five tasks have five networks, however many samples a batch has. What a step of training gains by it is more than the forward way:
//! the gradient of a network that samples share is one product for each task. And where nothing but who asks depends on an input, all of it is
//! prepared.
//!
//! In: a graph, and which requests of rows are to be served like that. Out: a graph of the same meaning, where the old nodes are in it, and what
//! is computed by rows. Promised: what is not finite in a row that nobody asks for reaches no value, and with [`Rows::Asked`] no gradient either.

mod asked;
mod parted;
#[cfg(test)]
mod tests;

use crate::ir::{Axis, Graph, Node, NodeId, Op, Operand, Pick};

/// Which rows of a table are computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Those that are asked for, of a table of known length. In the place of each of the others stands one of these, so that what is not finite in
    /// a row that nobody asks for makes no gradient NaN.
    Asked,
    /// All: they wait for nobody who asks. What one makes reaches nobody who asks for another.
    All,
    /// All likewise, and of one product the parts by themselves that rows decide, as the factors of an update of low rank are.
    Apart,
}

/// Rows of a table are asked for.
pub struct Request<'g> {
    /// The node that reads them, and who asks.
    pub gather: NodeId,
    pub index: NodeId,
    /// The axis of the table.
    pub axis: &'g Axis,
}

/// A graph that computes by rows.
pub struct Apiece {
    pub graph: Graph,
    /// Where the old nodes are.
    pub places: Vec<NodeId>,
    /// What is read by who asks, once it is computed for each row.
    pub made: Vec<Made>,
    /// The old nodes that are known by rows, or a part of which is, each with the request.
    pub known: Vec<(NodeId, NodeId)>,
}

/// A value that is computed for each row.
pub struct Made {
    /// The first node, of the old graph, that asks these rows of this table.
    pub gather: NodeId,
    /// The value, in the new graph.
    pub node: NodeId,
}

/// Computes once for each row of a table what depends on nothing else that differs between those who ask, where that is wanted.
pub fn apiece(graph: &Graph, rows: Rows, wanted: &dyn Fn(&Request) -> bool) -> Apiece {
    let mut work = Work {
        old: graph,
        new: graph.successor(),
        places: vec![],
        by: vec![],
        asked: vec![],
        rows,
        wanted,
        made: vec![],
        parted: vec![],
    };
    for id in graph.ids() {
        let by = work.by_rows(id);
        let parted = if by.is_none() { work.parted(id) } else { None };
        let place = parted.unwrap_or_else(|| {
            let operands = graph.operands(id).iter().map(|o| Operand::new(work.read(o.node), o.subscripts.clone())).collect();
            work.new.add(graph.node(id).clone(), operands)
        });
        work.places.push(place);
        work.by.push(by);
    }
    let Work { mut new, places, by, asked, made, parted, .. } = work;
    new.outputs.extend(graph.outputs.iter().cloned().map(|o| crate::ir::Output { node: places[o.node.index()], ..o }));
    new.measured.extend(graph.measured.iter().map(|(sym, n)| (sym.clone(), places[n.index()])));
    let whole = by.iter().enumerate().filter_map(|(k, by)| Some((NodeId::new(k), asked[by.as_ref()?.asked].gather)));
    let known = whole.chain(parted).collect();
    Apiece { graph: new, places, made, known }
}

/// A table's rows that are asked for.
struct Asked {
    /// The first that reads them (a node of the old graph), who asks, and the axis of the table.
    gather: NodeId,
    index: NodeId,
    axis: Axis,
    /// The row that stands at each place.
    rows: NodeId,
}

/// A value of the old graph that is known by rows.
#[derive(Clone)]
struct ByRows {
    asked: usize,
    /// The dimension of the old value for each dimension of the index.
    at: Vec<usize>,
    /// Its value for each row: the row comes first, then the other dimensions.
    node: NodeId,
    /// Whether anything was summed for it: what is only handed on is not worth it.
    summed: bool,
    /// The old value, read from that, once somebody wants it.
    read: Option<NodeId>,
}

struct Work<'g> {
    old: &'g Graph,
    new: Graph,
    places: Vec<NodeId>,
    by: Vec<Option<ByRows>>,
    asked: Vec<Asked>,
    rows: Rows,
    wanted: &'g dyn Fn(&Request) -> bool,
    made: Vec<Made>,
    parted: Vec<(NodeId, NodeId)>,
}

/// How the loops of a node are called where some of them became the row.
struct Loops {
    gone: Vec<usize>,
}

impl Loops {
    fn has(&self, subscripts: &[usize]) -> bool {
        subscripts.iter().any(|k| self.gone.contains(k))
    }

    fn of(&self, k: usize) -> usize {
        1 + k - self.gone.iter().filter(|g| **g < k).count()
    }

    fn all(&self, subscripts: &[usize]) -> Vec<usize> {
        subscripts.iter().map(|k| self.of(*k)).collect()
    }
}

fn distinct(list: &[usize]) -> bool {
    list.iter().enumerate().all(|(n, k)| !list[..n].contains(k))
}

impl Work<'_> {
    /// The new node that has the value of an old one: read from rows where that is less work.
    fn read(&mut self, id: NodeId) -> NodeId {
        let Some(mut known) = self.by[id.index()].clone().filter(|r| r.summed) else { return self.places[id.index()] };
        if let Some(node) = known.read {
            return node;
        }
        let old = self.old.node(id);
        let mut picks = vec![Pick::Operand(1)];
        picks.extend((0..old.rank()).filter(|k| !known.at.contains(k)).map(Pick::Loop));
        let node = Node { op: Op::Gather { picks, fill: None }, inner: vec![], ..old.clone() };
        let made = self.picked(node, known.asked, known.node, known.at.clone());
        known.read = Some(made);
        self.by[id.index()] = Some(known);
        made
    }

    /// Adds a gather of what is known by rows, each asked for by the loops `at`.
    fn picked(&mut self, gather: Node, asked: usize, by_rows: NodeId, at: Vec<usize>) -> NodeId {
        let Asked { gather: first, index, .. } = self.asked[asked];
        self.made.push(Made { gather: first, node: by_rows });
        self.new.add(gather, vec![Operand::new(by_rows, vec![]), Operand::new(self.places[index.index()], at)])
    }

    /// The value of an old node for each row, where it looks at one row at a time.
    fn by_rows(&mut self, id: NodeId) -> Option<ByRows> {
        let operands = self.old.operands(id);
        if operands.iter().any(|o| self.by[o.node.index()].is_some()) {
            return self.carried(id);
        }
        let node = self.old.node(id);
        let Op::Gather { picks, fill: None } = &node.op else { return None };
        let mut indexed = picks.iter().enumerate().filter(|(_, p)| matches!(p, Pick::Operand(_)));
        let (Some((dim, Pick::Operand(n))), None) = (indexed.next(), indexed.next()) else { return None };
        let (index, at) = (operands[*n].node, operands[*n].subscripts.clone());
        let handed = picks.iter().any(|p| matches!(p, Pick::Loop(k) if at.contains(k)));
        if at.is_empty() || handed || !distinct(&at) || at.iter().any(|k| *k >= node.rank()) {
            return None;
        }
        let axis = self.old.node(operands[0].node).axis(dim).clone();
        if !(self.wanted)(&Request { gather: id, index, axis: &axis }) {
            return None;
        }
        let asked = self.asked(id, index, &axis);
        let loops = Loops { gone: at.clone() };
        let picks = picks.iter().map(|p| match p {
            Pick::Loop(k) => Pick::Loop(loops.of(*k)),
            Pick::Operand(_) => Pick::Operand(1),
        });
        let op = Op::Gather { picks: picks.collect(), fill: None };
        let read =
            vec![Operand::new(self.places[operands[0].node.index()], vec![]), Operand::new(self.asked[asked].rows, vec![0])];
        Some(self.made(id, op, read, ByRows { asked, at, node: id, summed: false, read: None }))
    }

    /// A node one or more of whose operands are known by rows.
    fn carried(&mut self, id: NodeId) -> Option<ByRows> {
        let (node, operands) = (self.old.node(id), self.old.operands(id));
        let mut out: Option<ByRows> = None;
        for (n, o) in operands.iter().enumerate() {
            let Some(known) = &self.by[o.node.index()] else { continue };
            let at = self.loops_of(id, n, known)?;
            match &mut out {
                None => out = Some(ByRows { at, read: None, ..known.clone() }),
                Some(first) if first.asked == known.asked && first.at == at => first.summed |= known.summed,
                Some(_) => return None,
            }
        }
        let mut out = out?;
        if !distinct(&out.at) || out.at.iter().any(|k| *k >= node.rank()) {
            return None;
        }
        let loops = Loops { gone: out.at.clone() };
        let mut read = vec![];
        for o in operands {
            let known = self.by[o.node.index()].as_ref();
            let free: Vec<usize> = match known {
                Some(known) => (0..o.subscripts.len()).filter(|d| !known.at.contains(d)).map(|d| o.subscripts[d]).collect(),
                None => o.subscripts.clone(),
            };
            if loops.has(&free) {
                return None;
            }
            let row = known.filter(|_| !o.subscripts.is_empty()).map(|_| 0);
            let subscripts = row.into_iter().chain(loops.all(&free)).collect();
            read.push(Operand::new(known.map_or(self.places[o.node.index()], |k| k.node), subscripts));
        }
        let op = self.op(id, &loops)?;
        out.summed |= matches!(op, Op::Contract | Op::Fold(_)) && !node.inner.is_empty();
        Some(self.made(id, op, read, out))
    }

    /// The loops of a node by which its operand `n` is asked for.
    fn loops_of(&self, id: NodeId, n: usize, known: &ByRows) -> Option<Vec<usize>> {
        let (node, operand) = (self.old.node(id), &self.old.operands(id)[n]);
        match &node.op {
            Op::Map(_) | Op::Fold(_) | Op::Contract | Op::Concat { .. } | Op::Scan { .. } => {
                Some(known.at.iter().map(|d| operand.subscripts[*d]).collect())
            }
            Op::Gather { picks, .. } if n == 0 => {
                let picked = known.at.iter().map(|d| if let Pick::Loop(k) = picks[*d] { Some(k) } else { None });
                picked.collect()
            }
            // What comes first stays first.
            Op::Reshape => {
                let before = &self.old.node(operand.node).shape;
                let leads = known.at.iter().enumerate().all(|(k, d)| k == *d);
                let same = |k: &usize| node.shape.get(*k).is_some_and(|a| a.size == before[*k].size);
                (leads && known.at.iter().all(same)).then(|| known.at.clone())
            }
            Op::Gather { .. } | Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } => None,
            Op::Scatter { .. } | Op::Inside(_) | Op::Order { .. } | Op::Assign => None,
            Op::Loop(_) | Op::Result(_) | Op::Arg(_) => None,
        }
    }

    /// A node's op, by the new names of its loops.
    fn op(&self, id: NodeId, loops: &Loops) -> Option<Op> {
        let node = self.old.node(id);
        let moved = |axis: usize| (!loops.gone.contains(&axis)).then(|| loops.of(axis));
        match &node.op {
            Op::Map(_) | Op::Fold(_) | Op::Contract | Op::Reshape => Some(node.op.clone()),
            Op::Concat { axis } => Some(Op::Concat { axis: moved(*axis)? }),
            Op::Scan { axis } => Some(Op::Scan { axis: moved(*axis)? }),
            Op::Gather { picks, fill } => {
                let known = self.by[self.old.operands(id)[0].node.index()].as_ref()?;
                let mut out = vec![Pick::Loop(0)];
                for (_, pick) in picks.iter().enumerate().filter(|(d, _)| !known.at.contains(d)) {
                    out.push(match pick {
                        Pick::Loop(k) => Pick::Loop(moved(*k)?),
                        Pick::Operand(n) => Pick::Operand(*n),
                    });
                }
                Some(Op::Gather { picks: out, fill: *fill })
            }
            Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } => None,
            Op::Scatter { .. } | Op::Inside(_) | Op::Order { .. } | Op::Assign => None,
            Op::Loop(_) | Op::Result(_) | Op::Arg(_) => None,
        }
    }

    /// Adds the node that has the value for each row.
    fn made(&mut self, id: NodeId, op: Op, read: Vec<Operand>, mut out: ByRows) -> ByRows {
        let old = self.old.node(id);
        let kept = old.shape.iter().enumerate().filter(|(k, _)| !out.at.contains(k)).map(|(_, a)| a.clone());
        let shape = [self.asked[out.asked].axis.clone()].into_iter().chain(kept).collect();
        out.node = self.new.add(Node { op, shape, ..old.clone() }, read);
        out
    }
}
