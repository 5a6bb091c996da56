//! One node that reads operands: checks them against its loops, then calls the plain loops of its family.

use super::nest::{Walk, strides};
use super::pairs::contract_pairs;
use super::reduce::Read;
use super::value::Value;
use super::{Frame, index, reduce, wrong};
use crate::diag::{Code, Diagnostic};
use crate::ir::random::{counter, normal, philox, uniform};
use crate::ir::{Axis, DType, Dist, NodeId, Op, Operand, Pick, needs, outside};
use std::rc::Rc;

/// A node's loops, with their extents, and its operands.
struct Nest<'a> {
    id: NodeId,
    shape: Vec<usize>,
    inner: Vec<usize>,
    operands: &'a [Operand],
    values: &'a [Rc<Value>],
}

impl<'a> Nest<'a> {
    /// Operand `n`, read through its subscripts.
    fn read(&self, n: usize) -> Read<'a> {
        let value: &'a Value = &self.values[n];
        let loops = self.shape.len() + self.inner.len();
        Read { data: &value.data, strides: strides(&value.shape, &self.operands[n].subscripts, loops), dtype: value.dtype }
    }

    fn reads(&self) -> Vec<Read<'a>> {
        (0..self.values.len()).map(|n| self.read(n)).collect()
    }
}

impl Frame<'_> {
    /// The value of a node that reads operands.
    pub(super) fn nest(&self, id: NodeId) -> Result<Rc<Value>, Diagnostic> {
        let node = self.graph.node(id);
        let operands = self.graph.operands(id);
        let values = operands.iter().map(|o| self.value(o.node)).collect::<Result<Vec<_>, _>>()?;
        let (shape, inner) = (self.extents(id, &node.shape)?, self.extents(id, &node.inner)?);
        needs::needs(self.graph, id).iter().try_for_each(|n| n.check(&|s| self.sizes.get(s).copied()))?;
        let nest = Nest { id, shape, inner, operands, values: &values };
        let n = values.len();
        let count = |good: bool| if good { Ok(()) } else { Err(wrong(format!("{} has {n} operands", self.name(id)))) };
        match &node.op {
            Op::Random { .. } | Op::Scatter { .. } => count(n == 2)?,
            Op::Map(map) => count(n == map.arity())?,
            Op::Fold(_) | Op::Reshape | Op::Order { .. } | Op::Scan { .. } | Op::Assign => count(n == 1)?,
            Op::Contract | Op::Gather { .. } | Op::Concat { .. } => count(n > 0)?,
            Op::Inside(_) => count(n == 1 || n == 2)?,
            Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Loop(_) | Op::Result(_) | Op::Arg(_) => {
                count(false)?
            }
        }
        match &node.op {
            Op::Gather { picks, fill } => self.gather(&nest, picks, *fill),
            Op::Inside(axis) => self.inside(&nest, axis),
            Op::Reshape => self.make(id, nest.shape.clone(), |out| out.extend_from_slice(&values[0].data)),
            Op::Concat { axis } => self.join(&nest, *axis),
            Op::Random { .. } | Op::Map(_) | Op::Fold(_) | Op::Contract | Op::Scatter { .. } => self.plain(&nest),
            Op::Order { .. } | Op::Scan { .. } | Op::Assign => self.plain(&nest),
            Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Loop(_) | Op::Result(_) | Op::Arg(_) => {
                Err(wrong(format!("{} reads nothing", self.name(id))))
            }
        }
    }

    /// Checks that an operand's dimensions are as long as the loops that index them; the loop `own` may differ.
    fn fits(&self, nest: &Nest, n: usize, own: Option<usize>) -> Result<(), Diagnostic> {
        let (value, subscripts) = (&nest.values[n], &nest.operands[n].subscripts);
        let extent = |k: &usize| nest.shape.iter().chain(&nest.inner).nth(*k);
        let good = value.shape.len() == subscripts.len()
            && value.shape.iter().zip(subscripts).all(|(n, k)| extent(k).is_some_and(|e| e == n || Some(*k) == own));
        let names = || format!("{} does not fit its operand {}", self.name(nest.id), self.name(nest.operands[n].node));
        if good { Ok(()) } else { Err(wrong(names())) }
    }

    /// A node all of whose operands are read through subscripts.
    fn plain(&self, nest: &Nest) -> Result<Rc<Value>, Diagnostic> {
        (0..nest.values.len()).try_for_each(|n| self.fits(nest, n, None))?;
        let (id, shape, inner) = (nest.id, &nest.shape, &nest.inner);
        let reads = nest.reads();
        let limit = |text: String| Err(Diagnostic::plain(Code::H0605, text));
        let op = &self.graph.node(id).op;
        if matches!(op, Op::Order { .. }) && inner.len() != 1 {
            return Err(wrong(format!("{} orders along {} axes", self.name(id), inner.len())));
        }
        if matches!(op, Op::Assign) && shape.last() != inner.first() {
            return limit(format!("the costs of {} are not square", self.name(id)));
        }
        self.make(id, shape.clone(), |out| match op {
            Op::Random { dist, key } => random(*dist, *key, &reads[0], &reads[1], shape, out),
            Op::Map(map) => reduce::map(*map, &reads, shape, out),
            Op::Fold(fold) => reduce::fold(*fold, &reads[0], shape, inner, out),
            Op::Contract if guarded(&reads) => reduce::contract_guarded(&reads, shape, inner, out),
            Op::Contract if several(&reads) && ![shape.as_slice(), inner].concat().contains(&0) => {
                contract_pairs(&reads, shape, inner, out);
            }
            Op::Contract => reduce::contract(&reads, shape, inner, out),
            Op::Scatter { axis, fold } => index::scatter((*axis, *fold), &reads[0], &reads[1], shape, inner, out),
            Op::Order { axis, descending } => index::order(*axis, *descending, &reads[0], shape, inner[0], out),
            Op::Scan { axis } => reduce::scan(*axis, &reads[0], shape, out),
            Op::Assign => index::permutation(&reads[0], shape, out),
            Op::Gather { .. } | Op::Inside(_) | Op::Concat { .. } | Op::Reshape => {}
            Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Loop(_) | Op::Result(_) | Op::Arg(_) => {}
        })
    }

    /// The index as it is; what is outside is noted, and the run goes on: others may be outside, too.
    fn inside(&self, nest: &Nest, axis: &Axis) -> Result<Rc<Value>, Diagnostic> {
        (0..nest.values.len()).try_for_each(|n| self.fits(nest, n, None))?;
        let size = self.size(nest.id, &axis.size)?;
        let reads = nest.reads();
        let always = [1.0];
        let needed = reads.get(1).map_or((&always[..], vec![0; nest.shape.len()]), |r| (r.data, r.strides.clone()));
        let mut worst = outside::NOTHING;
        let made = self.make(nest.id, nest.shape.clone(), |out| {
            Walk::new(&nest.shape, vec![reads[0].strides.clone(), needed.1]).each(|w| {
                let index = reads[0].data[w.at[0]];
                if needed.0[w.at[1]] != 0.0 {
                    worst = worst.max(outside::code(index as i32, size).unwrap_or(outside::NOTHING));
                }
                out.push(index);
            });
        })?;
        let site = outside::Site { span: self.graph.node(nest.id).span, name: axis.name.clone(), size };
        self.run.found.borrow_mut().note(site, worst);
        Ok(made)
    }

    fn gather(&self, nest: &Nest, picks: &[Pick], fill: Option<f64>) -> Result<Rc<Value>, Diagnostic> {
        (1..nest.values.len()).try_for_each(|n| self.fits(nest, n, None))?;
        let source = &nest.values[0];
        let known = picks.iter().all(|p| match p {
            Pick::Loop(k) => *k < nest.shape.len(),
            Pick::Operand(n) => (1..nest.values.len()).contains(n),
        });
        if !known || picks.len() != source.shape.len() {
            return Err(wrong(format!("{} picks what it does not have", self.name(nest.id))));
        }
        let indices: Vec<Read> = (1..nest.values.len()).map(|n| nest.read(n)).collect();
        self.make(nest.id, nest.shape.clone(), |out| {
            index::gather(&source.data, &source.shape, picks, fill, &indices, &nest.shape, out);
        })
    }

    /// The operands side by side along loop `axis`.
    fn join(&self, nest: &Nest, axis: usize) -> Result<Rc<Value>, Diagnostic> {
        (0..nest.values.len()).try_for_each(|n| self.fits(nest, n, Some(axis)))?;
        let length = |(v, o): (&Rc<Value>, &Operand)| o.subscripts.iter().position(|k| *k == axis).map(|d| v.shape[d]);
        let lengths: Option<Vec<usize>> = nest.values.iter().zip(nest.operands).map(length).collect();
        let lengths = lengths.ok_or_else(|| wrong(format!("an operand of {} has nothing to join", self.name(nest.id))))?;
        if lengths.iter().sum::<usize>() != nest.shape[axis] {
            let message =
                format!("the parts of {} have the lengths {lengths:?}, not {} in all", self.name(nest.id), nest.shape[axis]);
            return Err(Diagnostic::plain(Code::H0605, message));
        }
        self.make(nest.id, nest.shape.clone(), |out| {
            out.resize(nest.shape.iter().product(), 0.0);
            let mut first = 0;
            for (read, length) in nest.reads().iter().zip(lengths) {
                index::concat(axis, read, first, length, &nest.shape, out);
                first += length;
            }
        })
    }
}

/// Whether a contraction leaves terms out.
fn guarded(reads: &[Read]) -> bool {
    reads.iter().any(|r| r.dtype == DType::Bool)
}

/// Whether a contraction has more real factors than two.
fn several(reads: &[Read]) -> bool {
    reads.len() > 2 && reads[0].dtype == DType::F32
}

/// Random values at every point.
fn random(dist: Dist, key: u32, seed: &Read, round: &Read, shape: &[usize], out: &mut Vec<f64>) {
    let mut position = 0u64;
    Walk::new(shape, vec![seed.strides.clone(), round.strides.clone()]).each(|w| {
        let (seed, round) = (seed.data[w.at[0]] as i32, round.data[w.at[1]] as i32);
        let words = philox(counter(position, round), [seed as u32, key]);
        out.push(match dist {
            Dist::Uniform => uniform(words[0]),
            Dist::Normal => normal(words),
        });
        position += 1;
    });
}
