//! A product over windows ready to run: where windows lie in memory nowhere, they are read where they lie ([`super::lines`]), or are a copy of
//! their image, moved ([`super::taps`]).

use super::call::{self, Ptr, slice};
use super::exec::Exec;
use super::finished::Finished;
use super::laid::Laid;
use super::lines::Lines;
use super::panel::Form;
use super::taps::Taps;
use crate::plan::{Finish, Geometry};
use std::ops::Range;

enum How {
    Lines(Lines),
    Copied(Taps),
}

pub(super) struct Windows {
    how: How,
    weights: usize,
    /// What is added to each column, and what no result is less than.
    bias: Option<(usize, Vec<i64>)>,
    least: Option<f32>,
}

impl Windows {
    pub fn new(g: Geometry) -> Windows {
        Windows::with(g, call::forms()[0])
    }

    pub(super) fn with(mut g: Geometry, form: Form) -> Windows {
        let (weights, copied, lines) = (g.w.0, g.copied.take(), g.lines.take());
        let how = match (copied, lines) {
            (Some(copied), None) => How::Copied(Taps::new(form, g, copied)),
            (Some(copied), Some(lines)) if !Lines::are_faster(&g, &lines) => How::Copied(Taps::new(form, g, copied)),
            (_, Some(lines)) => How::Lines(Lines::new(form, g, lines)),
            (None, None) => unreachable!("windows lie somewhere"),
        };
        Windows { how, weights, bias: None, least: None }
    }

    /// With results in another buffer, and finished; NaN stays what it is.
    pub fn finished(mut self, finish: Finish) -> Windows {
        match &mut self.how {
            How::Lines(l) => l.move_to(finish.out),
            How::Copied(t) => t.move_to(finish.out),
        }
        (self.bias, self.least) = (finish.bias, finish.least);
        self
    }

    /// The buffer of the weights.
    pub fn weights(&self) -> usize {
        self.weights
    }

    /// Decides whether weights that stay from run to run are laid out once, in at most so many elements; as many as that takes.
    pub fn lay_out(&mut self, stays: bool, room: usize) -> usize {
        match &mut self.how {
            How::Lines(l) => l.lay_out(stays, room),
            How::Copied(t) => t.lay_out(stays, room),
        }
    }

    /// Lays them out as they are now.
    pub fn pack(&mut self, ptrs: &[Ptr], laid: Option<(&Laid, u64)>) {
        match &mut self.how {
            How::Lines(l) => l.pack(ptrs, laid),
            How::Copied(t) => t.pack(ptrs, laid),
        }
    }

    /// Multiply-adds.
    pub fn work(&self) -> f64 {
        match &self.how {
            How::Lines(l) => l.work(),
            How::Copied(t) => t.work(),
        }
    }

    /// Runs it all.
    pub fn run(&self, ptrs: &[Ptr], exec: Exec) {
        let finish = |columns: Range<usize>| Finished {
            bias: self.bias.as_ref().map_or(Vec::new(), |(b, places)| {
                places[columns].iter().map(|at| slice::<f32>(ptrs[*b].moved(*at), 1)[0]).collect()
            }),
            least: self.least,
        };
        match &self.how {
            How::Lines(l) => l.run(ptrs, &finish, exec),
            How::Copied(t) => t.run(ptrs, &finish, exec),
        }
    }
}
