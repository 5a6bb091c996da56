//! How each value of a graph depends on the rows of a batch.
//!
//! In: a graph, the dim that is cut into batches. Out: a [`Kind`] for each node. Promised: what is called `Rows` or `Fixed` has in every
//! batch the elements that it has when all rows are run at once, so that sums, extremes and counts over them may be taken batch by
//! batch; what is called `Total` depends on rows through such reductions alone. Everything else is `Mixed`: it needs all rows
//! at once. Not known here: that some mixtures come out the same all the same (a running sum whose last value is used).

use crate::ir::{Body, DType, Fold, Graph, Map, NodeId, Op, Operand, Pick, Size, Sym};
use crate::source::Span;
use std::collections::BTreeMap;

/// How the elements of an axis lie: element `i` belongs to row `i / after % rows`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    pub before: Size,
    pub after: Size,
}

impl Layout {
    fn plain() -> Layout {
        Layout { before: Size::from(1i64), after: Size::from(1i64) }
    }
}

/// How a value depends on the rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Not at all, and it has no axis of theirs.
    Fixed,
    /// One axis goes along the rows, and what stands at a row depends on that row alone; without a layout all rows have the same.
    Rows(Option<Layout>),
    /// It has no axis of theirs and depends on them through sums, extremes and counts.
    Total,
    /// Rows depend on each other, or on where they stand.
    Mixed(Mixed),
}

/// Where rows begin to depend on each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixed {
    pub span: Span,
    pub what: &'static str,
}

/// The kind of every node.
pub fn kinds(graph: &Graph, dim: &Sym) -> Vec<Kind> {
    Walk { graph, dim, args: &[], inside: false, loops: BTreeMap::new() }.run()
}

/// How a loop over the rows is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    Add,
    Mul,
    Max,
    Min,
    Any,
    All,
}

/// How the parts of this node that are computed batch by batch come together, where it closes the rows or counts them.
pub fn closes(graph: &Graph, id: NodeId, dim: &Sym) -> Option<Combine> {
    let node = graph.node(id);
    if let Op::Extent(size) = &node.op {
        return counts(size, dim).then_some(Combine::Add);
    }
    // A count as a number: counted so, for it may be more than a whole number of 32 bits holds.
    if matches!(node.op, Op::Map(Map::ToF32)) && node.dtype == DType::F32 {
        let of = &graph.node(graph.operands(id)[0].node).op;
        return if let Op::Extent(size) = of { counts(size, dim).then_some(Combine::Add) } else { None };
    }
    if !node.inner.iter().any(|a| mentions(&a.size, dim)) {
        return None;
    }
    match &node.op {
        Op::Contract | Op::Scatter { fold: Fold::Sum, .. } | Op::Fold(Fold::Sum) => Some(Combine::Add),
        Op::Fold(Fold::Prod) => Some(Combine::Mul),
        Op::Fold(Fold::Max) | Op::Scatter { fold: Fold::Max, .. } => Some(Combine::Max),
        Op::Fold(Fold::Min) | Op::Scatter { fold: Fold::Min, .. } => Some(Combine::Min),
        Op::Fold(Fold::Any) => Some(Combine::Any),
        Op::Fold(Fold::All) => Some(Combine::All),
        Op::Fold(Fold::Argmax | Fold::Argmin)
        | Op::Source { .. }
        | Op::Const(_)
        | Op::Iota
        | Op::Extent(_)
        | Op::Random { .. }
        | Op::Map(_)
        | Op::Gather { .. }
        | Op::Inside(_)
        | Op::Concat { .. }
        | Op::Reshape
        | Op::Order { .. }
        | Op::Scan { .. }
        | Op::Scatter { .. }
        | Op::Assign
        | Op::Loop(_)
        | Op::Result(_)
        | Op::Arg(_) => None,
    }
}

/// Whether a size is so many for each row.
fn counts(size: &Size, dim: &Sym) -> bool {
    mentions(size, dim) && size.div(&Size::sym(dim.clone())).is_some_and(|each| !mentions(&each, dim))
}

fn mentions(size: &Size, dim: &Sym) -> bool {
    size.symbols().iter().any(|s| s == dim)
}

/// One graph under analysis: a model's, or a loop's body.
struct Walk<'a> {
    graph: &'a Graph,
    dim: &'a Sym,
    args: &'a [Kind],
    /// In a body: what closes the rows there is only a part of what the next round starts from.
    inside: bool,
    loops: BTreeMap<NodeId, Vec<Kind>>,
}

impl Walk<'_> {
    fn run(mut self) -> Vec<Kind> {
        let mut out: Vec<Kind> = Vec::with_capacity(self.graph.len());
        for id in self.graph.ids() {
            let kind = self.kind(id, &out);
            out.push(kind);
        }
        out
    }

    fn mixed(&self, id: NodeId, what: &'static str) -> Kind {
        Kind::Mixed(Mixed { span: self.graph.node(id).span, what })
    }

    /// The loops of a node that go along the rows.
    fn along(&self, id: NodeId) -> Vec<usize> {
        let node = self.graph.node(id);
        (0..node.shape.len() + node.inner.len()).filter(|k| mentions(&node.axis(*k).size, self.dim)).collect()
    }

    /// The axis of a value of kind `Rows`.
    fn axis(&self, id: NodeId) -> Option<usize> {
        self.graph.node(id).shape.iter().position(|a| mentions(&a.size, self.dim))
    }

    fn kind(&mut self, id: NodeId, known: &[Kind]) -> Kind {
        let (node, operands) = (self.graph.node(id), self.graph.operands(id));
        let of = |o: &Operand| &known[o.node.index()];
        if let Op::Result(k) = &node.op {
            let results = operands.first().and_then(|o| self.loops.get(&o.node));
            return results.and_then(|r| r.get(*k)).cloned().unwrap_or_else(|| self.mixed(id, "this loop"));
        }
        if let Some(mixed) = operands.iter().map(of).find(|k| matches!(k, Kind::Mixed(_))) {
            return mixed.clone();
        }
        let open = |s: &Sym| self.graph.measured.iter().any(|(m, n)| m == s && known.get(n.index()) != Some(&Kind::Fixed));
        if self.graph.symbols_of(id).iter().any(open) {
            return self.mixed(id, "a size that depends on all rows");
        }
        let along = self.along(id);
        if along.len() > 1 {
            return self.mixed(id, "this takes rows in pairs");
        }
        let kinds: Vec<&Kind> = operands.iter().map(of).collect();
        let row = along.first().copied();
        match &node.op {
            Op::Source { .. } => match row {
                None => Kind::Fixed,
                Some(k) if node.shape[k].size == Size::sym(self.dim.clone()) => Kind::Rows(Some(Layout::plain())),
                Some(_) => self.mixed(id, "an axis that is as long as all rows together"),
            },
            Op::Const(_) => Kind::Fixed,
            Op::Extent(size) if mentions(size, self.dim) => Kind::Total,
            Op::Extent(_) => Kind::Fixed,
            Op::Iota if row.is_some() => self.mixed(id, "this depends on where a row stands"),
            Op::Random { .. } if row.is_some() => self.mixed(id, "this draws by where a row stands"),
            Op::Iota => Kind::Fixed,
            Op::Arg(k) => self.args.get(*k).cloned().unwrap_or(Kind::Fixed),
            Op::Inside(axis) if mentions(&axis.size, self.dim) => self.mixed(id, "this picks rows by number"),
            Op::Inside(_) | Op::Random { .. } | Op::Map(_) | Op::Contract => self.nest(id, row, &kinds),
            Op::Fold(Fold::Argmax | Fold::Argmin) if row.is_some_and(|k| k >= node.rank()) => {
                self.mixed(id, "this gives the place of a row")
            }
            Op::Fold(_) => self.nest(id, row, &kinds),
            Op::Gather { picks, .. } => self.gather(id, picks, row, operands, &kinds),
            Op::Scatter { axis, .. } if row == Some(*axis) => self.mixed(id, "this writes into rows by number"),
            Op::Concat { axis } if row == Some(*axis) => self.mixed(id, "this joins rows"),
            Op::Scan { axis } if row == Some(*axis) => self.mixed(id, "this runs along the rows"),
            Op::Order { axis, .. } if row.is_some_and(|k| k == *axis || k >= node.rank()) => self.mixed(id, "this sorts rows"),
            Op::Assign if row.is_some_and(|k| k + 1 >= node.rank()) => self.mixed(id, "this matches rows"),
            Op::Scatter { .. } | Op::Concat { .. } | Op::Scan { .. } | Op::Order { .. } | Op::Assign => {
                self.nest(id, row, &kinds)
            }
            Op::Reshape => self.reshape(id, row, operands, &kinds),
            Op::Loop(body) => self.rounds(id, body, &kinds),
            Op::Result(_) => unreachable!("seen above"),
        }
    }

    /// What is computed point by point, and closed over inner loops.
    fn nest(&self, id: NodeId, row: Option<usize>, kinds: &[&Kind]) -> Kind {
        let total = kinds.contains(&&Kind::Total);
        let Some(row) = row else { return if total { Kind::Total } else { Kind::Fixed } };
        if total {
            return self.mixed(id, "each row needs what all rows together give");
        }
        let mut layout: Option<&Layout> = None;
        for own in kinds.iter().filter_map(|k| if let Kind::Rows(Some(l)) = k { Some(l) } else { None }) {
            if layout.is_some_and(|l| l != own) {
                return self.mixed(id, "rows meet others here");
            }
            layout = Some(own);
        }
        if row < self.graph.node(id).rank() {
            Kind::Rows(layout.cloned())
        } else if self.inside {
            self.mixed(id, "rows meet in a loop")
        } else if closes(self.graph, id, self.dim).is_none() {
            self.mixed(id, "this needs all rows")
        } else {
            Kind::Total
        }
    }

    fn gather(&self, id: NodeId, picks: &[Pick], row: Option<usize>, operands: &[Operand], kinds: &[&Kind]) -> Kind {
        let node = self.graph.node(id);
        let source = operands.first().map(|o| o.node);
        let shape = source.map_or(&[][..], |s| self.graph.node(s).shape.as_slice());
        let rows = matches!(kinds.first(), Some(Kind::Rows(_)));
        let own = source.filter(|_| rows).and_then(|s| self.axis(s));
        for (n, pick) in picks.iter().enumerate() {
            let whole = |k: usize| shape.get(n).is_some_and(|a| a.size == node.axis(k).size);
            match pick {
                Pick::Operand(_) if own == Some(n) => return self.mixed(id, "this picks rows by number"),
                Pick::Loop(k) if own == Some(n) && (row != Some(*k) || !whole(*k)) => return self.mixed(id, "this moves rows"),
                Pick::Loop(k) if own != Some(n) && row == Some(*k) => {
                    return self.mixed(id, "this depends on where a row stands");
                }
                Pick::Operand(_) | Pick::Loop(_) => {}
            }
        }
        self.nest(id, row, kinds)
    }

    fn reshape(&self, id: NodeId, row: Option<usize>, operands: &[Operand], kinds: &[&Kind]) -> Kind {
        let layout = match (kinds.first(), row) {
            (Some(Kind::Rows(Some(layout))), Some(_)) => layout,
            (Some(kind), _) => return (*kind).clone(),
            (None, _) => return Kind::Fixed,
        };
        let product = |axes: &[crate::ir::Axis]| axes.iter().fold(Size::from(1i64), |p, a| p.mul(&a.size));
        let moved = || {
            let (new, old) = (&self.graph.node(id).shape, &self.graph.node(operands.first()?.node).shape);
            let (to, from) = (row?, self.axis(operands.first()?.node)?);
            let before = product(&old[..from]).mul(&layout.before).div(&product(&new[..to]))?;
            let after = product(&old[from + 1..]).mul(&layout.after).div(&product(&new[to + 1..]))?;
            let fits = before.mul(&after).mul(&Size::sym(self.dim.clone())) == new[to].size;
            (before.is_whole() && after.is_whole() && fits).then_some(Layout { before, after })
        };
        moved().map_or_else(|| self.mixed(id, "this lays rows out anew"), |layout| Kind::Rows(Some(layout)))
    }

    /// Notes the kinds of a loop's results.
    fn rounds(&mut self, id: NodeId, body: &Body, given: &[&Kind]) -> Kind {
        let results = body.carries + body.yields;
        let known = self.results(id, body, given).unwrap_or_else(|mixed| vec![mixed; results]);
        self.loops.insert(id, known);
        Kind::Fixed
    }

    fn results(&self, id: NodeId, body: &Body, given: &[&Kind]) -> Result<Vec<Kind>, Kind> {
        if mentions(&body.trips, self.dim) {
            return Err(self.mixed(id, "this goes through the rows one after the other"));
        }
        let rows = given.iter().any(|k| matches!(k, Kind::Rows(_)));
        let mut args: Vec<Kind> = std::iter::once(Kind::Fixed).chain(given.iter().map(|k| (*k).clone())).collect();
        loop {
            let inner = Walk { graph: &body.graph, dim: self.dim, args: &args, inside: true, loops: BTreeMap::new() };
            let kinds = inner.run();
            let out: Vec<Kind> = body.graph.outputs.iter().map(|o| kinds[o.node.index()].clone()).collect();
            let mut next = args.clone();
            for (k, new) in out.iter().take(body.carries).enumerate() {
                next[k + 1] = self.join(id, &args[k + 1], new);
            }
            if next != args {
                args = next;
                continue;
            }
            let stop = if body.stop { out.get(body.carries).cloned() } else { None };
            let late = match stop {
                None | Some(Kind::Fixed) => false,
                Some(Kind::Total) => true,
                Some(Kind::Rows(_)) => return Err(self.mixed(id, "when this ends depends on the rows")),
                Some(mixed @ Kind::Mixed(_)) => return Err(mixed),
            };
            let results = args[1..].iter().take(body.carries).chain(&out[body.carries + usize::from(body.stop)..]);
            let settle = |k: &Kind| match k {
                Kind::Fixed if late => Kind::Total,
                Kind::Rows(_) if late => self.mixed(id, "each row needs what all rows together give"),
                Kind::Fixed | Kind::Rows(_) | Kind::Total | Kind::Mixed(_) => k.clone(),
            };
            let settled: Vec<Kind> = results.map(settle).collect();
            // A loop is run in one place: with the rows, or after them.
            let both = rows && settled.contains(&Kind::Total);
            return if both { Err(self.mixed(id, "each row needs what all rows together give")) } else { Ok(settled) };
        }
    }

    /// A value that is one kind at first and another later.
    fn join(&self, id: NodeId, a: &Kind, b: &Kind) -> Kind {
        match (a, b) {
            (a, b) if a == b => a.clone(),
            (Kind::Mixed(_), _) => a.clone(),
            (_, Kind::Mixed(_)) => b.clone(),
            (Kind::Fixed, Kind::Total) | (Kind::Total, Kind::Fixed) => Kind::Total,
            (Kind::Rows(None), Kind::Rows(l)) | (Kind::Rows(l), Kind::Rows(None)) => Kind::Rows(l.clone()),
            (Kind::Rows(_), _) | (_, Kind::Rows(_)) => self.mixed(id, "rows meet others here"),
            (Kind::Fixed | Kind::Total, Kind::Fixed | Kind::Total) => Kind::Total,
        }
    }
}
