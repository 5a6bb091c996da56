//! What a row of a table decides is computed once for each row of the table, not for each that asks.
//!
//! `f(table[task[b]])` is `f(table)[task[b]]` where `f` looks at one row at a time. Where more ask than there are rows, the second is less
//! work: five tasks have five networks, however many samples a batch has. What a step of training gains by it is more than the forward way:
//! the gradient of a network that samples share is one product for each task.
//!
//! In: a graph, and how long axes are, as far as it is known. Out: a graph of the same meaning, and where the old nodes are in it.
//! Promised: a row that nobody asks for reaches nobody. In its place stands one that is asked for, so what is not finite in it makes
//! no gradient NaN.

use crate::ir::{Axis, DType, Fold, Graph, Map, Node, NodeId, Op, Operand, Pick, Size};

/// Computes once for each row of a table what more ask for than it has rows.
pub fn apiece(graph: &Graph, length: &dyn Fn(&Size) -> Option<i64>) -> (Graph, Vec<NodeId>) {
    let mut work = Work { old: graph, new: graph.successor(), places: vec![], rows: vec![], asked: vec![], length };
    for id in graph.ids() {
        let rows = work.by_rows(id);
        let operands = graph.operands(id).iter().map(|o| Operand::new(work.read(o.node), o.subscripts.clone())).collect();
        work.places.push(work.new.add(graph.node(id).clone(), operands));
        work.rows.push(rows);
    }
    let Work { mut new, places, .. } = work;
    new.outputs.extend(graph.outputs.iter().cloned().map(|o| crate::ir::Output { node: places[o.node.index()], ..o }));
    new.measured.extend(graph.measured.iter().map(|(sym, n)| (sym.clone(), places[n.index()])));
    (new, places)
}

/// A table's rows that are asked for.
struct Asked {
    /// Who asks (a node of the old graph), and the axis of the table.
    index: NodeId,
    axis: Axis,
    /// The row that stands at each place: itself, where anybody asks for it.
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
    rows: Vec<Option<ByRows>>,
    asked: Vec<Asked>,
    length: &'g dyn Fn(&Size) -> Option<i64>,
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
        let Some(mut known) = self.rows[id.index()].clone().filter(|r| r.summed) else { return self.places[id.index()] };
        if let Some(node) = known.read {
            return node;
        }
        let old = self.old.node(id);
        let mut picks = vec![Pick::Operand(1)];
        picks.extend((0..old.rank()).filter(|k| !known.at.contains(k)).map(Pick::Loop));
        let index = self.places[self.asked[known.asked].index.index()];
        let node = Node { op: Op::Gather { picks, fill: None }, inner: vec![], ..old.clone() };
        let made = self.new.add(node, vec![Operand::new(known.node, vec![]), Operand::new(index, known.at.clone())]);
        known.read = Some(made);
        self.rows[id.index()] = Some(known);
        made
    }

    /// The value of an old node for each row, where it looks at one row at a time.
    fn by_rows(&mut self, id: NodeId) -> Option<ByRows> {
        let operands = self.old.operands(id);
        if operands.iter().any(|o| self.rows[o.node.index()].is_some()) {
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
        let asking = self.old.node(index).shape.iter().map(|a| (self.length)(&a.size)).product::<Option<i64>>()?;
        if axis.size.constant().is_none_or(|n| n < 1 || n >= asking) {
            return None;
        }
        let asked = self.asked(index, &axis);
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

    /// The rows that are asked for by an index.
    fn asked(&mut self, index: NodeId, axis: &Axis) -> usize {
        if let Some(known) = self.asked.iter().position(|a| a.index == index && a.axis.size == axis.size) {
            return known;
        }
        let shape = self.old.node(index).shape.clone();
        let own: Vec<usize> = (0..shape.len()).collect();
        let whole = |op: Op, shape: Vec<Axis>| Node::new(op, DType::I32, shape);
        let last = axis.size.constant().map_or(0.0, |n| (n - 1) as f64);
        let (zero, last) =
            (self.new.add(whole(Op::Const(0.0), vec![]), vec![]), self.new.add(whole(Op::Const(last), vec![]), vec![]));
        let given = Operand::new(self.places[index.index()], own.clone());
        let above = self.new.add(whole(Op::Map(Map::Max), shape.clone()), vec![given, Operand::new(zero, vec![])]);
        let between = vec![Operand::new(above, own.clone()), Operand::new(last, vec![])];
        let place = self.new.add(whole(Op::Map(Map::Min), shape.clone()), between);
        let mut most = whole(Op::Fold(Fold::Max), vec![]);
        most.inner = shape.clone();
        let someone = self.new.add(most, vec![Operand::new(place, own.clone())]);
        let counter = self.new.add(whole(Op::Iota, vec![axis.clone()]), vec![]);
        let all: Vec<Axis> = [axis.clone()].into_iter().chain(shape.iter().cloned()).collect();
        let behind: Vec<usize> = own.iter().map(|k| k + 1).collect();
        let compared = vec![Operand::new(place, behind), Operand::new(counter, vec![0])];
        let loops: Vec<usize> = (0..all.len()).collect();
        let mine = self.new.add(Node::new(Op::Map(Map::Eq), DType::Bool, all), compared);
        let mut any = Node::new(Op::Fold(Fold::Any), DType::Bool, vec![axis.clone()]);
        any.inner = shape;
        let present = self.new.add(any, vec![Operand::new(mine, loops)]);
        let chosen = vec![Operand::new(present, vec![0]), Operand::new(counter, vec![0]), Operand::new(someone, vec![])];
        let rows = self.new.add(whole(Op::Map(Map::Select), vec![axis.clone()]), chosen);
        self.asked.push(Asked { index, axis: axis.clone(), rows });
        self.asked.len() - 1
    }

    /// A node one or more of whose operands are known by rows.
    fn carried(&mut self, id: NodeId) -> Option<ByRows> {
        let (node, operands) = (self.old.node(id), self.old.operands(id));
        let mut out: Option<ByRows> = None;
        for (n, o) in operands.iter().enumerate() {
            let Some(known) = &self.rows[o.node.index()] else { continue };
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
            let known = self.rows[o.node.index()].as_ref();
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
                let known = self.rows[self.old.operands(id)[0].node.index()].as_ref()?;
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

#[cfg(test)]
mod tests {
    use super::apiece;
    use crate::grad::pull_back;
    use crate::ir::interp::evaluate;
    use crate::ir::read::read;
    use crate::ir::verify::verify;
    use crate::ir::{Bindings, DType, Data, Graph, Node, NodeId, Op, Tensor};

    /// A net of two layers that is generated from the row of a table which each sample names, cut out of a vector.
    const GENERATED: &str = "\
%0: f32[k=3, z=2] = param \"table\"
%1: i32[b] = input \"at\"
%2: f32[b, z=2] = gather %0[%1[b], z]
%3: f32[z=2, n=10] = param \"head\"
%4: f32[b, n=10] = sum(z=2) %2[b, z] * %3[z, n]
%5: f32[b, n=10] = exp %4[b, n]
%6: i32[m=6] = iota
%7: f32[b, m=6] = gather %5[b, %6[m]]
%8: f32[b, i=2, o=3] = reshape %7
%9: f32[b, i=2] = input \"x\"
%10: f32[b, o=3] = sum(i=2) %9[b, i] * %8[b, i, o]
%11: f32[b] = sum(n=10) %5[b, n] * %5[b, n]
%12: f32[b, o=3] = mul %10[b, o], %11[b]
%13: f32 = sum(b, o=3) %12[b, o] * %12[b, o]
output y = %13
";

    fn bound(table: [f64; 6], at: Vec<i32>) -> Bindings {
        let n = at.len();
        let mut out = Bindings { sizes: [("b".into(), n as i64)].into(), ..Bindings::default() };
        let real = |shape: Vec<usize>, list: Vec<f64>| Tensor::new(shape, Data::F64(list));
        out.sources.insert("table".into(), real(vec![3, 2], table.to_vec()));
        out.sources.insert("head".into(), real(vec![2, 10], (0..20).map(|k| (k as f64 * 0.7).sin()).collect()));
        out.sources.insert("x".into(), real(vec![n, 2], (0..2 * n).map(|k| (k as f64 * 1.3).cos()).collect()));
        out.sources.insert("at".into(), Tensor::new(vec![n], Data::I32(at)));
        out
    }

    /// A number and its slopes by all parameters.
    fn values(graph: &Graph, y: NodeId, bound: &Bindings) -> Vec<f64> {
        let mut graph = graph.clone();
        let by: Vec<NodeId> = ["table", "head"]
            .iter()
            .filter_map(|p| graph.ids().find(|id| matches!(&graph.node(*id).op, Op::Source { path, .. } if **path == **p)))
            .collect();
        let one = graph.add(Node::new(Op::Const(1.0), DType::F32, vec![]), vec![]);
        let slopes = pull_back(&mut graph, &[(y, one)], &by);
        let wanted: Vec<NodeId> = [y].into_iter().chain(slopes.into_iter().flatten()).collect();
        evaluate(&graph, bound, &wanted).unwrap().iter().flat_map(Tensor::to_f64).collect()
    }

    fn changed(graph: &Graph, rows: i64) -> (Graph, NodeId) {
        let (new, places) = apiece(graph, &|size| size.eval(&|_| Some(rows)));
        verify(&new).unwrap();
        let y = places[graph.outputs[0].node.index()];
        assert_eq!(new.outputs[0].node, y);
        (new, y)
    }

    #[test]
    fn values_and_slopes_stay() {
        let graph = read(GENERATED).unwrap();
        let y = graph.outputs[0].node;
        // All rows, some, one; and what a gather makes of places outside.
        for at in [vec![0, 1, 2, 0, 1, 2, 2], vec![2, 0, 0, 2], vec![1; 5], vec![-4, 1, 9, 3]] {
            let bound = bound([0.3, -0.2, 0.5, 0.1, -0.4, 0.25], at.clone());
            let (new, place) = changed(&graph, at.len() as i64);
            assert_ne!(graph.len(), new.len());
            let (before, after) = (values(&graph, y, &bound), values(&new, place, &bound));
            assert_eq!(before.len(), after.len());
            for (a, b) in before.iter().zip(&after) {
                assert!((a - b).abs() <= 1e-12 * a.abs().max(1e-12), "{at:?}: {a} and {b}");
            }
        }
    }

    #[test]
    fn a_row_that_nobody_asks_for_reaches_nobody() {
        let graph = read(GENERATED).unwrap();
        for worst in [f64::NAN, f64::INFINITY, 1e300] {
            let bound = bound([worst, -worst, 0.5, 0.1, worst, worst], vec![1, 1, 1, 1]);
            let (new, place) = changed(&graph, 4);
            let (before, after) = (values(&graph, graph.outputs[0].node, &bound), values(&new, place, &bound));
            assert!(after.iter().all(|v| v.is_finite()), "{worst}: {after:?}");
            assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() <= 1e-12 * a.abs().max(1e-12)));
        }
    }

    /// Nodes that sum over `z`, as long as they are.
    fn longest(graph: &Graph, rows: i64) -> i64 {
        let (new, place) = changed(graph, rows);
        let reach = new.reachable([place]);
        let made = new.ids().filter(|id| reach[id.index()] && new.node(*id).inner.iter().any(|a| *a.name == *"z"));
        made.filter_map(|id| new.node(id).shape[0].size.eval(&|_| Some(rows))).max().unwrap()
    }

    #[test]
    fn only_where_more_ask_than_there_are_rows() {
        let graph = read(GENERATED).unwrap();
        for (rows, wanted) in [(0, 0), (1, 1), (3, 3), (4, 3), (1000, 3)] {
            assert_eq!(longest(&graph, rows), wanted);
        }
    }

    #[test]
    fn what_is_only_handed_on_stays() {
        // A table's rows as they are, or each element through a function.
        let text = "\
%0: f32[k=3, z=2] = param \"table\"
%1: i32[b] = input \"at\"
%2: f32[b, z=2] = gather %0[%1[b], z]
%3: f32[b, z=2] = exp %2[b, z]
%4: f32 = sum(b, z=2) %3[b, z] * %3[b, z]
output y = %4
";
        let graph = read(text).unwrap();
        let (new, place) = changed(&graph, 100);
        let reach = new.reachable([place]);
        assert_eq!(new.ids().filter(|id| reach[id.index()]).count(), graph.len());
    }
}
