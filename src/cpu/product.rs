//! Matrix products with any strides: which loops are rows, columns, sums and batches is decided when the sizes are known.

use super::call::{Matrix, Ptr};
use super::laid::{Laid, Stored};
use super::multiply::{By, Doing, Few, is_library};
use super::pack::Panels;
use super::part::{Bias, Part};
use crate::ir::Size;
use crate::plan;

/// A loop with its stride in both operands and the result (0 where it does not move).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dim {
    pub n: i64,
    pub a: i64,
    pub b: i64,
    pub o: i64,
}

const UNIT: Dim = Dim { n: 1, a: 0, b: 0, o: 0 };

/// What the first axis of the result became.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lead {
    None,
    Rows,
    Columns,
    Batch(usize),
}

/// A side of a product in panels.
#[derive(Debug)]
pub(super) struct Packed {
    /// It is `a`; the result is computed as the transposed product.
    pub turned: bool,
    pub panels: Panels,
}

/// A product ready to run.
#[derive(Debug)]
pub(super) struct Product {
    pub a: i64,
    pub b: i64,
    pub out: i64,
    batch: Vec<Dim>,
    m: Dim,
    n: Dim,
    k: Dim,
    /// Sums that strides cannot join with `k`: run one after the other.
    sums: Vec<Dim>,
    /// Where their steps lie in `a` and in `b`.
    places: Vec<(i64, i64)>,
    lead: Lead,
    /// Steps of the lead loop for each step of the result's first axis.
    unit: i64,
    empty: bool,
    packed: Option<Packed>,
    /// What is added to each row.
    bias: Option<plan::Row>,
    by: By,
    /// Where it is one product that the kernel of few rows computes: of small ones, asking would take as long as computing.
    few: Option<Box<Few>>,
    /// Multiply-adds of it all.
    work: f64,
}

/// Where a product's buffers start: the result, both operands, and what is added to each row.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub out: Ptr,
    pub a: Ptr,
    pub b: Ptr,
    pub bias: Ptr,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Batch,
    Row,
    Column,
    Sum,
}

/// Joins what strides allow within one role; `lead` stays the outer one of its group and takes part in `unit`.
fn join(dims: &mut Vec<(Dim, bool)>) -> i64 {
    let mut unit = 1;
    loop {
        let mut found = None;
        for p in 0..dims.len() {
            for q in 0..dims.len() {
                let (x, y) = (dims[p].0, dims[q].0);
                let fits = x.a == y.a * y.n && x.b == y.b * y.n && x.o == y.o * y.n;
                if p != q && fits && !dims[q].1 {
                    found = Some((p, q));
                }
            }
        }
        let Some((p, q)) = found else { return unit };
        let inner = dims[q].0;
        if dims[p].1 {
            unit *= inner.n;
        }
        dims[p].0 = Dim { n: dims[p].0.n * inner.n, ..inner };
        dims.remove(q);
    }
}

/// Where all steps of these loops lie, the first one outermost.
fn places(sums: &[(Dim, bool)]) -> Vec<(i64, i64)> {
    let mut out = vec![(0, 0)];
    for (d, _) in sums {
        out = out.iter().flat_map(|(a, b)| (0..d.n).map(move |i| (a + d.a * i, b + d.b * i))).collect();
    }
    out
}

impl Product {
    pub fn new(p: &plan::Product, size: &dyn Fn(&Size) -> i64) -> Product {
        let mut groups: [Vec<(Dim, bool)>; 4] = Default::default();
        let (mut empty, mut unit) = (false, 1);
        for (k, s) in p.spans.iter().enumerate() {
            let of = |x: &Option<Size>| x.as_ref().map_or(0, size);
            let d = Dim { n: size(&s.size), a: of(&s.a), b: of(&s.b), o: of(&s.out) };
            let role = match (s.out.is_some(), d.a != 0, d.b != 0) {
                (false, _, _) => Role::Sum,
                (true, true, false) => Role::Row,
                (true, false, true) => Role::Column,
                (true, true, true) | (true, false, false) => Role::Batch,
            };
            empty |= d.n == 0 && s.out.is_some();
            if d.n != 1 || p.lead == Some(k) {
                groups[role as usize].push((d, p.lead == Some(k)));
            }
        }
        for g in &mut groups {
            unit *= join(g);
        }
        let [batch, mut rows, mut columns, mut sums] = groups;
        let mut batch = batch;
        let m = largest(&mut rows);
        let n = largest(&mut columns);
        let k = largest(&mut sums);
        batch.extend(rows);
        batch.extend(columns);
        let lead = if m.1 {
            Lead::Rows
        } else if n.1 {
            Lead::Columns
        } else {
            batch.iter().position(|d| d.1).map_or(Lead::None, Lead::Batch)
        };
        let mut out = Product {
            a: size(&p.a.1),
            b: size(&p.b.1),
            out: size(&p.out.1),
            batch: batch.into_iter().map(|d| d.0).collect(),
            m: m.0,
            n: n.0,
            k: k.0,
            places: places(&sums),
            sums: sums.into_iter().map(|d| d.0).collect(),
            lead,
            unit,
            empty,
            packed: None,
            bias: None,
            by: By::Shape,
            few: None,
            work: 0.0,
        };
        if out.lead == Lead::None {
            out.batch.retain(|d| d.n != 1);
        }
        let all = out.batch.iter().chain(&out.sums).chain([&out.m, &out.n, &out.k]);
        out.work = all.map(|d| d.n as f64).product();
        out
    }

    /// Decides whether a side that stays from run to run (`a`, `b`) will be laid out in panels of at most so many elements; as many as
    /// they will have.
    pub fn lay_out(&mut self, stays: [bool; 2], room: usize) -> usize {
        let (m, n, k) = (self.m.n as usize, self.n.n as usize, self.k.n as usize);
        // Which side runs along a row of the result, and whether the first axis leaves its columns whole.
        let turned = self.n.o != 1;
        let (side, along, rows, columns) = if turned { (0, self.m.o, n, m) } else { (1, self.n.o, m, n) };
        let whole = self.lead != if turned { Lead::Rows } else { Lead::Columns };
        let moves = |d: &Dim| if turned { d.a != 0 } else { d.b != 0 };
        let panels = Panels::new(k, columns);
        let length = panels.length();
        let fits = stays[side] && along == 1 && whole && !self.empty && self.places.len() == 1 && length <= room;
        if !fits || self.batch.iter().any(moves) || !panels.pay(rows, 1) {
            return 0;
        }
        self.packed = Some(Packed { turned, panels });
        length
    }

    /// It is read as it lies.
    pub fn leave(&mut self) {
        self.packed = None;
    }

    /// Its result and its operands as matrices, without their places, and its sizes.
    fn matrices(&self) -> ([Matrix; 3], (usize, usize, usize)) {
        let strides = [(self.m.o, self.n.o), (self.m.a, self.k.a), (self.k.b, self.n.b)];
        let matrices = strides.map(|(row, col)| Matrix { at: Ptr::null(), row, col });
        (matrices, (self.m.n as usize, self.n.n as usize, self.k.n as usize))
    }

    /// What computes it of a kernel of our own and the library's, and the other one; none where only one of them can, or neither does.
    pub fn kernels(&self) -> Option<[By; 2]> {
        let ([out, a, b], shape) = self.matrices();
        let library = |by: By| is_library(&out, &a, &b, shape, by);
        let nothing = self.packed.is_some() || self.empty || self.k.n == 0;
        match (library(By::Shape), library(By::Own)) {
            _ if nothing => None,
            (false, _) => Some([By::Own, By::Library]),
            (true, false) => Some([By::Library, By::Own]),
            (true, true) => None,
        }
    }

    /// It is computed by this.
    pub fn take(&mut self, by: By) {
        self.by = by;
    }

    /// Nothing of it changes any more, but where it begins.
    pub fn settle(&mut self) {
        let single = self.batch.is_empty() && self.places.len() == 1 && self.packed.is_none() && !self.empty;
        let ([out, a, b], shape) = self.matrices();
        self.few = if single { Few::of(out, a, b, shape, self.by).map(Box::new) } else { None };
    }

    /// Whether it is one product that one thread computes at once.
    pub fn is_few(&self) -> bool {
        self.few.is_some()
    }

    /// Lays it out as it is now. Pointers are of the buffers' starts; `laid` as [`Panels::fill`] takes it.
    pub fn pack(&mut self, a: Ptr, b: Ptr, laid: Option<(&Laid, u64)>) {
        let (m, n, k) = (self.m, self.n, self.k);
        let Some(packed) = &mut self.packed else { return };
        let (at, row, col) = match packed.turned {
            true => (a.moved(self.a + self.places[0].0), k.a, m.a),
            false => (b.moved(self.b + self.places[0].1), k.b, n.b),
        };
        packed.panels.fill(&Stored { at, count: 1, apart: 0, row, col }, laid);
    }

    /// Adds a row to each row of the result, which runs along memory.
    pub fn adding(self, bias: plan::Row) -> Product {
        Product { bias: Some(bias), ..self }
    }

    /// The buffer of what is added to each row.
    pub fn bias(&self) -> Option<usize> {
        self.bias.map(|b| b.buffer)
    }

    /// Multiply-adds of it all.
    pub fn work(&self) -> f64 {
        self.work
    }

    /// Steps of the lead loop.
    pub fn extent(&self) -> i64 {
        match self.lead {
            Lead::None => 1,
            Lead::Rows => self.m.n,
            Lead::Columns => self.n.n,
            Lead::Batch(k) => self.batch[k].n,
        }
    }

    /// Steps of the lead loop in each step of the first axis.
    pub fn unit(&self) -> i64 {
        self.unit
    }

    /// Whether parts of the lead loop can run side by side without losing much.
    pub fn splits(&self) -> bool {
        matches!(self.lead, Lead::Batch(_))
    }

    /// Runs steps [start, end) of the lead loop.
    pub fn run(&self, at: &At, start: i64, end: i64, threads: usize) {
        if self.empty || end <= start {
            return;
        }
        let (a, b, out) = (at.a.moved(self.a), at.b.moved(self.b), at.out.moved(self.out));
        let bias = self.bias.map(|row| Bias { at: at.bias.moved(row.at), step: row.step });
        let doing = Doing { threads, by: self.by };
        if let Some(few) = &self.few
            && start == 0
            && end == self.extent()
        {
            let (x, y) = self.places[0];
            few.multiply(out, a.moved(x), b.moved(y));
            return Part { m: self.m, n: self.n, a, b, out, bias, doing }.add();
        }
        let mut part = Part { m: self.m, n: self.n, a, b, out, bias, doing };
        let mut range = None;
        match self.lead {
            Lead::None => {}
            Lead::Rows => {
                part = part.moved(&self.m, start);
                part.m.n = end - start;
            }
            Lead::Columns => {
                part = part.moved(&self.n, start);
                part.n.n = end - start;
            }
            Lead::Batch(k) => range = Some((k, start, end)),
        }
        self.batches(0, range, &part);
    }

    fn batches(&self, level: usize, range: Option<(usize, i64, i64)>, part: &Part) {
        let Some(d) = self.batch.get(level) else {
            // Of nothing, there is no place to sum from.
            match &self.packed {
                _ if self.k.n == 0 || self.places.is_empty() => part.zero(),
                Some(packed) => return part.with_panels(&self.k, self.places[0], packed),
                None => part.multiply(&self.k, &self.places),
            }
            return part.add();
        };
        let (from, to) = range.filter(|r| r.0 == level).map_or((0, d.n), |r| (r.1, r.2));
        for i in from..to {
            self.batches(level + 1, range, &part.moved(d, i));
        }
    }
}

/// Takes the longest loop out of a group; the lead among equals.
fn largest(dims: &mut Vec<(Dim, bool)>) -> (Dim, bool) {
    let best = (0..dims.len()).max_by_key(|k| (dims[*k].0.n, dims[*k].1));
    best.map_or((UNIT, false), |k| dims.remove(k))
}
