//! Which nodes of a graph are nothing but a tensor of a file, read at places of equal distance.
//!
//! In: the graph of a line of a `weights` block. Out: for a node that only moves elements, where they begin in the file's tensor and how
//! far each loop goes in it. Such a node is copied without arithmetic, and only the bytes that it needs are read.

use crate::check::model::weights::STORED;
use crate::ir::{DType, Graph, Map, NodeId, Op, Pick};
use std::collections::BTreeMap;

/// A tensor of a file, read at places of equal distance.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub offset: i64,
    pub steps: Vec<i64>,
}

impl View {
    /// The first place that is read, and the one after the last.
    pub fn range(&self) -> (usize, usize) {
        if self.shape.contains(&0) {
            return (0, 0);
        }
        let ends = self.shape.iter().zip(&self.steps).map(|(n, s)| (*n as i64 - 1) * s);
        let (low, high) = ends.fold((0, 0), |(low, high), e| (low + e.min(0), high + e.max(0)));
        ((self.offset + low) as usize, (self.offset + high) as usize + 1)
    }
}

/// An index: `from`, and how far it goes with each loop of its node.
#[derive(Clone, Debug)]
struct Affine {
    from: i64,
    steps: Vec<i64>,
}

/// Looks at nodes, each once.
pub struct Views<'g> {
    graph: &'g Graph,
    known: BTreeMap<NodeId, Option<View>>,
}

impl<'g> Views<'g> {
    pub fn new(graph: &'g Graph) -> Views<'g> {
        Views { graph, known: BTreeMap::new() }
    }

    /// What a node is, where it only moves elements.
    pub fn of(&mut self, id: NodeId) -> Option<View> {
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        let view = self.look(id);
        self.known.insert(id, view.clone());
        view
    }

    fn look(&mut self, id: NodeId) -> Option<View> {
        let node = self.graph.node(id);
        let shape = sizes(self.graph, id)?;
        let operands = self.graph.operands(id);
        match &node.op {
            Op::Source { path, .. } => {
                let name = path.strip_prefix(STORED)?.to_string();
                let steps = row_major(&shape);
                Some(View { name, dtype: node.dtype, shape, offset: 0, steps })
            }
            Op::Map(Map::Copy) => {
                let own = self.of(operands[0].node)?;
                let mut steps = vec![0; shape.len()];
                for (k, step) in operands[0].subscripts.iter().zip(&own.steps) {
                    steps[*k] += step;
                }
                Some(View { shape, steps, ..own })
            }
            Op::Reshape => {
                let own = self.of(operands[0].node)?;
                let steps = reshaped(&own, &shape)?;
                Some(View { shape, steps, ..own })
            }
            Op::Gather { picks, .. } => {
                let own = self.of(operands[0].node)?;
                self.gathered(own, shape, picks, id)
            }
            Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Map(_) | Op::Fold(_) | Op::Contract => None,
            Op::Scatter { .. } | Op::Inside(_) | Op::Concat { .. } | Op::Order { .. } | Op::Scan { .. } | Op::Assign => None,
            Op::Loop(_) | Op::Result(_) | Op::Arg(_) => None,
        }
    }

    fn gathered(&mut self, own: View, shape: Vec<usize>, picks: &[Pick], id: NodeId) -> Option<View> {
        let operands = self.graph.operands(id);
        let mut out = View { steps: vec![0; shape.len()], shape, ..own.clone() };
        for ((pick, extent), step) in picks.iter().zip(&own.shape).zip(&own.steps) {
            let index = match pick {
                Pick::Loop(k) => {
                    let mut steps = vec![0; out.shape.len()];
                    steps[*k] = 1;
                    Affine { from: 0, steps }
                }
                Pick::Operand(n) => {
                    let inner = self.affine(operands[*n].node)?;
                    let mut steps = vec![0; out.shape.len()];
                    for (k, s) in operands[*n].subscripts.iter().zip(&inner.steps) {
                        steps[*k] += s;
                    }
                    Affine { from: inner.from, steps }
                }
            };
            let ends = out.shape.iter().zip(&index.steps).map(|(n, s)| (*n as i64 - 1).max(0) * s);
            let (low, high) = ends.fold((index.from, index.from), |(low, high), e| (low + e.min(0), high + e.max(0)));
            if low < 0 || high >= *extent as i64 {
                return None;
            }
            out.offset += index.from * step;
            out.steps.iter_mut().zip(&index.steps).for_each(|(o, s)| *o += s * step);
        }
        Some(out)
    }

    /// A whole number that goes evenly along the loops of its node.
    fn affine(&self, id: NodeId) -> Option<Affine> {
        let node = self.graph.node(id);
        let rank = node.shape.len();
        let operands = self.graph.operands(id);
        let arg = |k: usize| {
            let inner = self.affine(operands[k].node)?;
            let mut steps = vec![0; rank];
            for (loop_, s) in operands[k].subscripts.iter().zip(&inner.steps) {
                steps[*loop_] += s;
            }
            Some(Affine { from: inner.from, steps })
        };
        let both = |a: Affine, b: Affine, sign: i64| Affine {
            from: a.from + sign * b.from,
            steps: a.steps.iter().zip(&b.steps).map(|(x, y)| x + sign * y).collect(),
        };
        let flat = |a: &Affine| a.steps.iter().all(|s| *s == 0);
        match &node.op {
            Op::Const(v) if v.fract() == 0.0 && v.abs() < 1e15 => Some(Affine { from: *v as i64, steps: vec![] }),
            Op::Extent(size) => Some(Affine { from: size.constant()?, steps: vec![] }),
            Op::Iota => Some(Affine { from: 0, steps: vec![1] }),
            Op::Map(Map::Copy) => arg(0),
            Op::Map(Map::Add) => Some(both(arg(0)?, arg(1)?, 1)),
            Op::Map(Map::Sub) => Some(both(arg(0)?, arg(1)?, -1)),
            Op::Map(Map::Mul) => {
                let (a, b) = (arg(0)?, arg(1)?);
                let (a, k) = if flat(&b) { (a, b.from) } else { (flat(&a).then(|| b.clone())?, a.from) };
                Some(Affine { from: a.from * k, steps: a.steps.iter().map(|s| s * k).collect() })
            }
            Op::Source { .. } | Op::Const(_) | Op::Random { .. } | Op::Map(_) | Op::Fold(_) | Op::Contract => None,
            Op::Gather { .. } | Op::Scatter { .. } | Op::Inside(_) | Op::Concat { .. } | Op::Reshape => None,
            Op::Order { .. } | Op::Scan { .. } | Op::Assign | Op::Loop(_) | Op::Result(_) | Op::Arg(_) => None,
        }
    }
}

/// The numbers of a node's loops.
fn sizes(graph: &Graph, id: NodeId) -> Option<Vec<usize>> {
    graph.node(id).shape.iter().map(|a| usize::try_from(a.size.constant()?).ok()).collect()
}

/// How far each dimension goes in a tensor of this shape.
pub fn row_major(shape: &[usize]) -> Vec<i64> {
    let mut steps = vec![1i64; shape.len()];
    for k in (1..shape.len()).rev() {
        steps[k - 1] = steps[k] * shape[k].max(1) as i64;
    }
    steps
}

/// The steps of a view under another shape with the same elements in the same order, where there are such.
fn reshaped(own: &View, shape: &[usize]) -> Option<Vec<i64>> {
    if own.shape.contains(&0) {
        return Some(vec![0; shape.len()]);
    }
    // Dimensions of one place go nowhere.
    let old: Vec<(usize, i64)> = own.shape.iter().copied().zip(own.steps.iter().copied()).filter(|(n, _)| *n != 1).collect();
    let mut steps = vec![0; shape.len()];
    let (mut i, mut j) = (0, 0);
    while i < old.len() {
        let (from, first) = (i, j);
        let (mut have, mut want) = (old[i].0, 1);
        i += 1;
        while have != want {
            if want < have {
                want *= *shape.get(j)?;
                j += 1;
            } else {
                have *= old.get(i)?.0;
                i += 1;
            }
        }
        // Old dimensions that are taken together must follow each other.
        if old[from..i].windows(2).any(|w| w[0].1 != w[1].1 * w[1].0 as i64) {
            return None;
        }
        let mut step = old[i - 1].1;
        for k in (first..j).rev() {
            steps[k] = step;
            step *= shape[k] as i64;
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(shape: &[usize], steps: &[i64]) -> View {
        View { name: "x".into(), dtype: DType::F32, shape: shape.into(), offset: 0, steps: steps.into() }
    }

    #[test]
    fn a_reshape_is_a_view_where_its_dimensions_follow_each_other() {
        assert_eq!(reshaped(&view(&[6, 4], &[4, 1]), &[2, 3, 4]), Some(vec![12, 4, 1]));
        assert_eq!(reshaped(&view(&[4, 6], &[1, 4]), &[4, 2, 3]), Some(vec![1, 12, 4]));
        assert_eq!(reshaped(&view(&[4, 6], &[1, 4]), &[24]), None);
        assert_eq!(reshaped(&view(&[4, 1, 6], &[6, 9, 1]), &[24]), Some(vec![1]));
        assert_eq!(reshaped(&view(&[2, 3], &[3, 1]), &[1, 6, 1]).unwrap()[1], 1);
        assert_eq!(reshaped(&view(&[0, 3], &[3, 1]), &[3, 0]), Some(vec![0, 0]));
        let back = View { offset: 3, ..view(&[2, 3], &[-3, 1]) };
        assert_eq!(back.range(), (0, 6));
    }
}
