//! One matrix product of a step: its rows, its columns, and where it begins.

use super::call::{self, Matrix, Ptr};
use super::multiply::{Doing, summed};
use super::places::{Places, Rows};
use super::product::{Dim, Packed};

/// A row that is added, as a part finds it.
#[derive(Clone, Copy)]
pub(super) struct Bias {
    pub at: Ptr,
    pub step: i64,
}

/// One matrix product: rows, columns, and where it starts.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub m: Dim,
    pub n: Dim,
    pub a: Ptr,
    pub b: Ptr,
    pub out: Ptr,
    pub bias: Option<Bias>,
    pub doing: Doing,
}

impl Part {
    pub fn moved(&self, d: &Dim, i: i64) -> Part {
        // Only the columns, which lie side by side, move what is added.
        let bias = self.bias.map(|b| if d.o == 1 { Bias { at: b.at.moved(b.step * i), ..b } } else { b });
        Part { a: self.a.moved(d.a * i), b: self.b.moved(d.b * i), out: self.out.moved(d.o * i), bias, ..*self }
    }

    /// Adds what is added to each row.
    pub fn add(&self) {
        let Some(bias) = self.bias else { return };
        let (rows, columns) = if self.n.o == 1 { (&self.m, &self.n) } else { (&self.n, &self.m) };
        for i in 0..rows.n {
            let row = call::slice_mut::<f32>(self.out.moved(i * rows.o), columns.n as usize);
            if bias.step == 1 {
                row.iter_mut().zip(call::slice::<f32>(bias.at, columns.n as usize)).for_each(|(x, b)| *x += b);
            } else {
                let one = |j: usize| call::slice::<f32>(bias.at.moved(j as i64 * bias.step), 1)[0];
                row.iter_mut().enumerate().for_each(|(j, x)| *x += one(j));
            }
        }
    }

    pub fn zero(&self) {
        for i in 0..self.m.n {
            for j in 0..self.n.n {
                call::slice_mut::<f32>(self.out.moved(i * self.m.o + j * self.n.o), 1)[0] = 0.0;
            }
        }
    }

    pub fn with_panels(&self, k: &Dim, (a, b): (i64, i64), packed: &Packed) {
        let (m, n) = (&self.m, &self.n);
        let rows = |at: Ptr, stride: i64, count: i64, step: i64| Rows {
            at,
            places: Places::Even { stride, count: count as usize },
            step,
        };
        let (x, out) = match packed.turned {
            true => (rows(self.b.moved(b), n.b, n.n, k.b), rows(self.out, n.o, n.n, m.o)),
            false => (rows(self.a.moved(a), m.a, m.n, k.a), rows(self.out, m.o, m.n, n.o)),
        };
        packed.panels.multiply(0, &x, &out, self.bias, self.doing.threads);
    }

    pub fn multiply(&self, k: &Dim, places: &[(i64, i64)]) {
        let (m, n) = (self.m.n as usize, self.n.n as usize);
        let out = Matrix { at: self.out, row: self.m.o, col: self.n.o };
        let a = Matrix { at: self.a, row: self.m.a, col: k.a };
        let b = Matrix { at: self.b, row: k.b, col: self.n.b };
        summed(out, a, b, (m, n, k.n as usize), places, self.doing);
    }
}
