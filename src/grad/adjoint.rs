//! What a node is handed: the derivative of the target by it, and how parts of it are added up.

use super::Reverse;
use super::nest::Nest;
use crate::ir::{Axis, DType, Fold, Map, NodeId, Operand};

/// A derivative of the elements of the target by a node: a value over loops, first the kept axes that are *free*, then the
/// dimensions of the node. A kept axis that is *tied* to a dimension has no loop of its own: elements off its diagonal are 0.
#[derive(Clone, Debug)]
pub struct Adjoint {
    pub view: Operand,
    /// For each kept axis, the dimension that it is tied to.
    pub tied: Vec<Option<usize>>,
    /// Bools over the same loops. Where one is false the value is 0, and nothing that is multiplied with it counts.
    pub guards: Vec<Operand>,
}

impl Adjoint {
    /// How many kept axes are loops of their own.
    pub fn free(&self) -> usize {
        self.tied.iter().filter(|t| t.is_none()).count()
    }

    /// The loop of its node's nest that kept axis `q` is.
    pub fn loop_of(&self, q: usize, nest: &Nest) -> usize {
        self.tied[q].map_or_else(|| self.place(q), |d| nest.own(d))
    }

    /// The loop of its own that kept axis `q` has, were it free.
    fn place(&self, q: usize) -> usize {
        self.tied[..q].iter().filter(|t| t.is_none()).count()
    }
}

impl Reverse<'_> {
    /// The loops of an adjoint of a node.
    pub fn loops(&self, id: NodeId, tied: &[Option<usize>]) -> Vec<Axis> {
        let free = self.kept.iter().zip(tied).filter(|(_, t)| t.is_none()).map(|(axis, _)| axis.clone());
        free.chain(self.graph.node(id).shape.iter().cloned()).collect()
    }

    /// The sum of what a node was handed.
    pub fn total(&mut self, id: NodeId, parts: Vec<Adjoint>) -> Adjoint {
        let tied: Vec<Option<usize>> = (0..self.kept.len())
            .map(|q| parts.first().and_then(|first| first.tied[q]).filter(|d| parts.iter().all(|p| p.tied[q] == Some(*d))))
            .collect();
        let parts: Vec<Adjoint> = parts.into_iter().map(|p| self.untie(id, p, &tied)).collect();
        let loops = self.loops(id, &tied);
        let guards = self.either(&loops, &parts);
        let nest = Nest { axes: loops, first: tied.iter().filter(|t| t.is_none()).count() };
        let mut views = parts.into_iter().map(|p| p.view);
        let first = views.next().expect("a node is visited because it was handed something");
        let view = views.fold(first, |sum, view| self.pointwise(&nest, Map::Add, vec![sum, view]));
        Adjoint { view, tied, guards }
    }

    /// Guards of a sum: none where one of its parts has none, for that part counts everywhere.
    fn either(&mut self, loops: &[Axis], parts: &[Adjoint]) -> Vec<Operand> {
        let Some((first, rest)) = parts.split_first() else { return vec![] };
        if rest.iter().all(|p| p.guards == first.guards) {
            return first.guards.clone();
        }
        if parts.iter().any(|p| p.guards.is_empty()) {
            return vec![];
        }
        let nest = Nest { axes: loops.to_vec(), first: 0 };
        let mut any = self.all_of(&nest, &first.guards);
        for part in rest {
            let other = self.all_of(&nest, &part.guards);
            any = any.zip(other).map(|(a, b)| self.pointwise_of(&nest, Map::Or, DType::Bool, vec![a, b]));
        }
        any.into_iter().collect()
    }

    /// One bool that holds where all of these do; none where there are none.
    pub fn all_of(&mut self, nest: &Nest, guards: &[Operand]) -> Option<Operand> {
        let (first, rest) = guards.split_first()?;
        let mut all = first.clone();
        for guard in rest {
            all = self.pointwise_of(nest, Map::And, DType::Bool, vec![all, guard.clone()]);
        }
        Some(all)
    }

    /// The same adjoint with no more kept axes tied than in `wanted`: a tied axis becomes a loop of its own, and the value is 0 where the two
    /// places differ.
    pub fn untie(&mut self, id: NodeId, mut adjoint: Adjoint, wanted: &[Option<usize>]) -> Adjoint {
        for (q, wanted) in wanted.iter().enumerate() {
            let Some(d) = adjoint.tied[q].filter(|_| wanted.is_none()) else { continue };
            let (at, free) = (adjoint.place(q), adjoint.free());
            // Loops from `at` on move one on.
            for o in std::iter::once(&mut adjoint.view).chain(&mut adjoint.guards) {
                o.subscripts.iter_mut().filter(|k| **k >= at).for_each(|k| *k += 1);
            }
            adjoint.tied[q] = None;
            let nest = Nest { axes: self.loops(id, &adjoint.tied), first: free + 1 };
            let same = self.same_place(&nest, at, free + 1 + d);
            adjoint.view = self.chosen(&nest, vec![same.clone()], adjoint.view);
            adjoint.guards.push(same);
        }
        adjoint
    }

    /// Whether two loops are at the same place.
    pub fn same_place(&mut self, nest: &Nest, a: usize, b: usize) -> Operand {
        let (one, other) = (self.counter(nest, a), self.counter(nest, b));
        self.pointwise_of(nest, Map::Eq, DType::Bool, vec![one, other])
    }

    /// Guards as others see them over some of their loops: whether they hold anywhere along the rest. `place` says where a loop is.
    pub fn guards_over(&mut self, nest: &Nest, guards: &[Operand], place: &dyn Fn(usize) -> Option<usize>) -> Vec<Operand> {
        let mut out = Vec::new();
        let (mut there, mut gone) = (Vec::new(), Vec::new());
        for guard in guards {
            if guard.subscripts.iter().all(|k| place(*k).is_some()) { there.push(guard) } else { gone.push(guard.clone()) }
        }
        let moved = |o: &Operand| Operand::new(o.node, o.subscripts.iter().filter_map(|k| place(*k)).collect());
        out.extend(there.into_iter().map(moved));
        if let Some(all) = self.all_of(nest, &gone) {
            let any = self.folded(nest, Fold::Any, DType::Bool, all, &|k| place(k).is_none());
            out.push(moved(&any));
        }
        out
    }
}
