//! The reference interpreter: what a graph means, in f64.
//!
//! In: a graph, a tensor for each source and a number for each free size, the nodes that are wanted. Out: their tensors (f64 for
//! f32). Plain loops, no cleverness but one (`pairs`); only what is needed is computed, in node order, and values are dropped after their last use.
//! Every backend, pass and gradient is compared with it. What the bindings get wrong is a [`Diagnostic`], never a panic.
//!
//! H0601: a value is missing. H0602: one has another type or shape. H0603: a size is not known. H0604: a size is negative or not
//! whole. H0605: sizes that were unknown until now do not fit. H0801: memory. H0899: the graph itself is wrong.

mod assign;
mod index;
mod nest;
mod node;
mod pairs;
mod reduce;
mod rounds;
#[cfg(test)]
mod tests;
mod value;

pub use assign::assign;

use super::outside::Found;
use super::size::Fault;
use super::{Axis, DType, Graph, NodeId, Op, Size, Sym};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Bindings, Tensor};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use value::{Meter, Value};

/// How many bytes of elements may be live at a time, unless said otherwise: 8 GiB.
pub const MEMORY: usize = 8 << 30;

/// Evaluates the nodes `wanted` and what they need.
pub fn evaluate(graph: &Graph, bindings: &Bindings, wanted: &[NodeId]) -> Result<Vec<Tensor>, Diagnostic> {
    evaluate_within(graph, bindings, wanted, MEMORY)
}

/// As [`evaluate`], with no more than `limit` bytes of elements live at a time.
pub fn evaluate_within(graph: &Graph, bindings: &Bindings, wanted: &[NodeId], limit: usize) -> Result<Vec<Tensor>, Diagnostic> {
    let sources = bindings.sources.iter().map(|(path, t)| (path.as_str(), t)).collect();
    evaluate_on(graph, sources, bindings.sizes.clone(), wanted, limit)
}

/// As [`evaluate_within`], on values from anywhere.
pub fn evaluate_on(
    graph: &Graph,
    sources: BTreeMap<&str, &Tensor>,
    sizes: BTreeMap<Sym, i64>,
    wanted: &[NodeId],
    limit: usize,
) -> Result<Vec<Tensor>, Diagnostic> {
    let run = Run { sources, meter: Meter::new(limit), found: RefCell::default() };
    let values = run.graph(graph, &[], sizes, wanted);
    // What went wrong afterwards may have come of it.
    run.found.borrow().report()?;
    let values = values?;
    Ok(values.iter().map(|v| v.to_tensor()).collect())
}

/// All that an evaluation finds outside of its axis, of which [`evaluate`] says the first.
pub fn all_outside(graph: &Graph, bindings: &Bindings, wanted: &[NodeId]) -> Vec<Diagnostic> {
    let sources = bindings.sources.iter().map(|(path, t)| (path.as_str(), t)).collect();
    let run = Run { sources, meter: Meter::new(MEMORY), found: RefCell::default() };
    // What else is wrong does not matter here.
    let _ = run.graph(graph, &[], bindings.sizes.clone(), wanted);
    run.found.take().all()
}

/// What all graphs of one evaluation share.
struct Run<'a> {
    sources: BTreeMap<&'a str, &'a Tensor>,
    meter: Rc<Meter>,
    /// Indices outside of their axes.
    found: RefCell<Found>,
}

/// One graph under evaluation.
struct Frame<'a> {
    run: &'a Run<'a>,
    graph: &'a Graph,
    args: &'a [Rc<Value>],
    sizes: BTreeMap<Sym, i64>,
    /// A loop has several values, every other node one.
    values: Vec<Option<Vec<Rc<Value>>>>,
    /// How many uses each value still has.
    uses: Vec<usize>,
}

impl Run<'_> {
    /// Evaluates one graph: the model's, or a loop's body with its arguments.
    fn graph(
        &self,
        graph: &Graph,
        args: &[Rc<Value>],
        sizes: BTreeMap<Sym, i64>,
        wanted: &[NodeId],
    ) -> Result<Vec<Rc<Value>>, Diagnostic> {
        if let Some(id) = wanted.iter().find(|id| id.index() >= graph.len()) {
            return Err(wrong(format!("there is no node %{} in this graph", id.index())));
        }
        let mut needed = graph.reachable(wanted.iter().copied());
        let mut uses = vec![0; graph.len()];
        for id in wanted {
            uses[id.index()] += 1;
        }
        for id in graph.ids().filter(|id| needed[id.index()]) {
            graph.operands(id).iter().for_each(|o| uses[o.node.index()] += 1);
        }
        let values = graph.ids().map(|_| None).collect();
        let mut frame = Frame { run: self, graph, args, sizes, values, uses };
        // One round, unless a size is measured after a node that has it.
        while needed.contains(&true) {
            let mut idle = true;
            for id in graph.ids() {
                if needed[id.index()] && frame.is_ready(id) {
                    frame.visit(id)?;
                    needed[id.index()] = false;
                    idle = false;
                }
            }
            if idle {
                return Err(wrong("a size depends on a value that depends on the size"));
            }
        }
        wanted.iter().map(|id| frame.value(*id)).collect()
    }
}

/// A mistake of the compiler that made the graph, not of its user.
fn wrong(what: impl Into<String>) -> Diagnostic {
    Diagnostic::plain(Code::H0899, format!("the graph is not well-formed: {}", what.into()))
}

impl Frame<'_> {
    /// Whether its operands and measured sizes are known.
    fn is_ready(&self, id: NodeId) -> bool {
        let measured = |s: &Sym| self.graph.measured.iter().all(|(m, n)| m != s || n.index() == id.index() || self.is_known(m));
        let operands = self.graph.operands(id);
        operands.iter().all(|o| self.values[o.node.index()].is_some())
            && (self.graph.measured.is_empty() || self.graph.symbols_of(id).iter().all(measured))
    }

    fn is_known(&self, size: &Sym) -> bool {
        self.sizes.contains_key(size)
    }

    fn value(&self, id: NodeId) -> Result<Rc<Value>, Diagnostic> {
        match self.values[id.index()].as_deref() {
            Some([value, ..]) => Ok(value.clone()),
            Some([]) | None => Err(wrong(format!("{} has no value", self.name(id)))),
        }
    }

    /// Computes a node, notes the sizes that it measures, drops what nobody needs any more.
    fn visit(&mut self, id: NodeId) -> Result<(), Diagnostic> {
        let values = self.compute(id)?;
        for (sym, _) in self.graph.measured.iter().filter(|(_, n)| *n == id) {
            let x = values.first().and_then(|v| v.data.first()).copied().unwrap_or(0.0);
            self.sizes.insert(sym.clone(), (libm::rint(x) as i64).max(0));
        }
        self.values[id.index()] = Some(values);
        for o in self.graph.operands(id) {
            let left = &mut self.uses[o.node.index()];
            *left -= 1;
            if *left == 0 {
                self.values[o.node.index()] = Some(Vec::new());
            }
        }
        if self.uses[id.index()] == 0 {
            self.values[id.index()] = Some(Vec::new());
        }
        Ok(())
    }

    /// What people call a node.
    fn name(&self, id: NodeId) -> String {
        match &self.graph.node(id).name {
            Some(name) => format!("`{name}` (%{})", id.index()),
            None => format!("%{}", id.index()),
        }
    }

    fn size(&self, id: NodeId, size: &Size) -> Result<i64, Diagnostic> {
        size.value(&|s| self.sizes.get(s).copied()).map_err(|fault| {
            let name = self.name(id);
            match fault {
                Fault::Unknown(s) => Diagnostic::plain(Code::H0603, format!("the size `{s}` is not known, and {name} needs it")),
                Fault::Fraction => {
                    Diagnostic::plain(Code::H0604, format!("the size `{size}` of {name} is not a whole number here"))
                }
                Fault::TooLarge => {
                    Diagnostic::plain(Code::H0604, format!("the size `{size}` of {name} does not fit 64 bits here"))
                }
            }
        })
    }

    fn extents(&self, id: NodeId, axes: &[Axis]) -> Result<Vec<usize>, Diagnostic> {
        axes.iter()
            .map(|a| {
                let n = self.size(id, &a.size)?;
                usize::try_from(n).map_err(|_| {
                    let name = self.name(id);
                    Diagnostic::plain(Code::H0604, format!("the axis `{}` of {name} would have the negative size {n}", a.name))
                })
            })
            .collect()
    }

    /// Takes memory and computes the elements of one value.
    fn make(&self, id: NodeId, shape: Vec<usize>, fill: impl FnOnce(&mut Vec<f64>)) -> Result<Rc<Value>, Diagnostic> {
        let full = |bytes: f64| {
            let message = format!("{} does not fit in memory: {bytes:.0} bytes would be live", self.name(id));
            Diagnostic::plain(Code::H0801, message)
        };
        let room = self.run.meter.take(&shape).map_err(full)?;
        let mut data = Vec::new();
        let elements: usize = shape.iter().product();
        data.try_reserve_exact(elements).map_err(|_| full(8.0 * elements as f64))?;
        fill(&mut data);
        if data.len() != shape.iter().product::<usize>() {
            return Err(wrong(format!("{} has {} elements", self.name(id), data.len())));
        }
        Ok(Rc::new(Value { dtype: self.graph.node(id).dtype, shape, data, _room: room }))
    }

    /// The value or values of a node whose operands are known.
    fn compute(&self, id: NodeId) -> Result<Vec<Rc<Value>>, Diagnostic> {
        let node = self.graph.node(id);
        let value = match &node.op {
            Op::Loop(body) => return self.rounds(id, body),
            Op::Result(k) => return self.result(id, *k),
            Op::Arg(k) => self.args.get(*k).cloned().ok_or_else(|| wrong(format!("there is no argument {k}"))),
            Op::Source { path, .. } => self.source(id, path),
            Op::Const(x) => self.make(id, Vec::new(), |out| out.push(*x)),
            Op::Iota => {
                let shape = self.extents(id, &node.shape)?;
                let n = shape.iter().product::<usize>();
                self.make(id, shape, |out| out.extend((0..n).map(|i| i as f64)))
            }
            Op::Extent(size) => {
                let n = self.size(id, size)?;
                if node.dtype == DType::I32 && i32::try_from(n).is_err() {
                    return Err(crate::diag::beyond_i32(node.span, n));
                }
                self.make(id, Vec::new(), |out| out.push(n as f64))
            }
            Op::Random { .. } | Op::Map(_) | Op::Fold(_) | Op::Contract | Op::Gather { .. } | Op::Scatter { .. } => self.nest(id),
            Op::Inside(_) | Op::Concat { .. } | Op::Reshape | Op::Order { .. } | Op::Scan { .. } | Op::Assign => self.nest(id),
        };
        Ok(vec![value?])
    }

    /// A value from outside.
    fn source(&self, id: NodeId, path: &str) -> Result<Rc<Value>, Diagnostic> {
        let shape = self.extents(id, &self.graph.node(id).shape)?;
        let tensor = Tensor::given(path, self.run.sources.get(path).copied(), self.graph.node(id).dtype, &shape)?;
        self.make(id, shape, |out| out.extend((0..tensor.len()).map(|i| tensor.get(i))))
    }
}
