//! What prepared steps make of conditions lies apart from all else: that of one condition can be exchanged for that of another, whole and
//! without a copy. What they make of parameters alone is the same for all conditions, and stays where it is.

use super::arena::{Line, lines, words};
use super::call::Ptr;
use super::job::Instance;
use crate::ir::{DType, Data};
use crate::plan::{self, Layout, Plan};

/// What was made of one condition: temporary values, and results (of bools also how steps write them).
pub(crate) struct Made {
    lines: Vec<Line>,
    outputs: Vec<(Data, Vec<i32>)>,
}

/// Where what is made of conditions lies.
pub(super) struct Changing {
    /// Temporary buffers, and the word at which each begins.
    places: Vec<(usize, usize)>,
    words: usize,
    lines: Vec<Line>,
    /// Results that are made so: the first of those that share a buffer.
    outputs: Vec<Output>,
}

struct Output {
    number: usize,
    buffer: usize,
    dtype: DType,
    length: usize,
}

/// Memory of a result, and of its staged bools.
pub(super) fn blank(dtype: DType, n: usize) -> (Data, Vec<i32>) {
    match dtype {
        DType::F32 => (Data::F32(vec![0.0; n]), Vec::new()),
        DType::I32 => (Data::I32(vec![0; n]), Vec::new()),
        DType::Bool => (Data::Bool(vec![0; n]), vec![0; n]),
    }
}

/// Where steps write it.
pub(super) fn elements(data: &mut Data, staged: &mut [i32]) -> Ptr {
    match data {
        Data::F32(v) => Ptr::of_f32_mut(v),
        Data::I32(v) => Ptr::of_i32_mut(v),
        Data::Bool(_) | Data::F64(_) => Ptr::of_i32_mut(staged),
    }
}

impl Changing {
    /// Finds places for these buffers, without memory yet. `None`: more than can be counted.
    pub fn new(plan: &Plan, layout: &Layout, buffers: &[usize]) -> Option<Changing> {
        let (mut places, mut outputs, mut total) = (Vec::new(), Vec::new(), 0usize);
        for &b in buffers {
            let length = layout.lengths[b];
            if let Some(number) = plan.outputs.iter().position(|o| *o == b) {
                outputs.push(Output { number, buffer: b, dtype: plan.buffers[b].dtype, length });
            } else {
                places.push((b, total));
                total = total.checked_add(plan::room(length)?)?;
            }
        }
        Some(Changing { places, lines: Vec::new(), outputs, words: total })
    }

    /// Words of temporary values.
    pub fn words(&self) -> usize {
        self.words
    }

    pub fn take_memory(&mut self) {
        self.lines = self.memory();
    }

    fn memory(&self) -> Vec<Line> {
        if self.places.is_empty() { Vec::new() } else { lines(self.words) }
    }

    /// Bytes of all that is made of one condition.
    pub fn bytes(&self) -> usize {
        let each = |dtype: DType| size_of::<u32>() + usize::from(dtype == DType::Bool);
        let outputs: usize = self.outputs.iter().map(|o| o.length * each(o.dtype)).sum();
        outputs + self.lines.len() * size_of::<Line>()
    }
}

impl Instance {
    /// Takes what was made of another condition, or memory for it; gives what it had.
    pub fn exchange_made(&mut self, other: Option<Made>) -> Made {
        let other = other.unwrap_or_else(|| Made {
            lines: self.changing.memory(),
            outputs: self.changing.outputs.iter().map(|o| blank(o.dtype, o.length)).collect(),
        });
        let lines = std::mem::replace(&mut self.changing.lines, other.lines);
        let mut outputs = Vec::new();
        for (o, (data, staged)) in self.changing.outputs.iter().zip(other.outputs) {
            let data = std::mem::replace(&mut self.outputs[o.number].data, data);
            outputs.push((data, std::mem::replace(&mut self.staged[o.number], staged)));
            self.ptrs[o.buffer] = elements(&mut self.outputs[o.number].data, &mut self.staged[o.number]);
        }
        self.point();
        Made { lines, outputs }
    }

    /// Points the buffers at their memory.
    pub fn point(&mut self) {
        let base = words(&mut self.changing.lines);
        for (b, at) in &self.changing.places {
            self.ptrs[*b] = base.moved(*at as i64);
        }
    }
}
