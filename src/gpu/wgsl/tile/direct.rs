//! Every thread reads both factors where they lie, four neighbours at a time where they are aligned at every size: for devices that are
//! processors. There a thread is a lane of a vector, reading an element costs each lane the same wherever it lies, and a way through workgroup
//! memory costs it twice.
//!
//! Rows and columns beyond the edges are read as the last ones, and what becomes of them is not stored.

use super::{PARTS, Tile, VECTORS, WIDTH, named, part};
use crate::gpu::wgsl::module::Module;
use crate::ir::Size;
use crate::plan::{Access, Kernel};

/// Steps of the sum that are written out where their number allows.
const STEPS: i64 = 4;

/// What one vector that is read from memory holds.
#[derive(Clone, Copy, PartialEq)]
enum Read {
    /// Four rows, or four columns, of one step of the sum.
    Lines,
    /// Four steps of one row, or of one column.
    Steps,
    /// Elements are read one by one.
    Single,
}

/// One factor: where a thread's rows (or columns) start, each or by fours.
struct Factor<'k> {
    access: &'k Access,
    read: Read,
    starts: Vec<String>,
    /// From step to step.
    stride: Size,
}

pub(super) struct Direct<'k> {
    factors: [Factor<'k>; 2],
    /// Rows of a thread.
    high: i64,
    /// Steps of the sum that are written out.
    steps: i64,
}

/// Whether four neighbours along loop `l` are one vector at every size.
fn aligned(k: &Kernel, a: &Access, l: usize) -> bool {
    let unit = a.terms.iter().any(|t| t.0 == l && t.1.is(1));
    let others = a.terms.iter().filter(|t| t.0 != l).all(|t| t.1.is_multiple_of(4));
    unit && others && a.offset.is_multiple_of(4) && k.loops[l].size.is_multiple_of(4)
}

impl<'k> Direct<'k> {
    /// Says where a thread's rows and columns start.
    pub fn new(m: &mut Module, t: &Tile<'k>) -> Direct<'k> {
        let k = t.kernel;
        let inner = t.roles.sums.last().copied();
        // The rows of a group stand in the order of a list, wherever they lie.
        let steps = if t.order.is_none() && inner.is_some_and(|l| k.loops[l].size.is_multiple_of(STEPS)) { STEPS } else { 1 };
        let lines = [&t.roles.rows, &t.roles.columns];
        let mut read = [0, 1].map(|n| {
            let a = t.factors[n];
            let (along, across) = (inner.filter(|_| steps == STEPS), lines[n].last().filter(|_| n == 1 || t.sorted.is_none()));
            match (along, across) {
                (_, Some(l)) if aligned_matrix(t, n) && aligned(k, a, *l) => Read::Lines,
                (Some(l), _) if aligned_matrix(t, n) && aligned(k, a, l) => Read::Steps,
                _ => Read::Single,
            }
        });
        for n in [0, 1] {
            if read[n] != Read::Single && !(t.factors[n].buffer != k.store.buffer && m.by_fours(t.factors[n].buffer)) {
                read[n] = Read::Single;
            }
        }
        let high = t.side / 8;
        let factors = [0, 1].map(|n| {
            let access = t.factors[n];
            let stride = access.terms.iter().find(|x| Some(x.0) == inner).map_or(Size::from(0i64), |x| x.1.clone());
            let starts = starts(m, t, n, read[n], if n == 0 { high } else { WIDTH / 8 });
            Factor { access, read: read[n], starts, stride }
        });
        Direct { factors, high, steps }
    }

    pub fn depth(&self) -> i64 {
        self.steps
    }

    /// Some steps of the sum, from step `at` on.
    pub fn steps(&self, m: &mut Module, t: &Tile) {
        let place = match t.order {
            None => "at".to_string(),
            Some(order) => {
                let place = m.element(order, "at");
                m.line(format!("let place = u32({place});"));
                "place".to_string()
            }
        };
        let names = m.split(&place, &named(t.kernel, &t.roles.sums));
        for (f, name) in self.factors.iter().zip(["left_at", "right_at"]) {
            let deeper = part(m, f.access, &t.roles.sums, &names);
            m.line(format!("let {name} = {deeper};"));
        }
        let [a, b] = &self.factors;
        for j in 0..VECTORS {
            for (u, four) in b.vectors(m, "right_at", j, self.steps).into_iter().enumerate() {
                // Rows that no matrix belongs to meet one of zeros.
                let own = t.none.as_ref().map_or(four.clone(), |some| format!("select(vec4<f32>(0.0), {four}, {some})"));
                m.line(format!("let w{u}_{j}_ = {own};"));
            }
        }
        for i in 0..self.high {
            let row = a.elements(m, ("a", "left_at"), i, self.steps);
            for (u, x) in row.iter().enumerate() {
                for j in 0..VECTORS {
                    m.line(format!("c{i}_{j}_ = fma(vec4<f32>({x}), w{u}_{j}_, c{i}_{j}_);"));
                }
            }
        }
    }
}

/// Whether what a batch or a group adds to a factor's address keeps it aligned.
fn aligned_matrix(t: &Tile, n: usize) -> bool {
    n == 0 || t.sorted.is_none_or(|s| s.stride.is_multiple_of(4))
}

/// Variables with where each row or column of a thread starts; by fours where vectors hold four of them.
fn starts(m: &mut Module, t: &Tile, n: usize, read: Read, lines: i64) -> Vec<String> {
    let (loops, base) = if n == 0 { (&t.roles.rows, "base_left") } else { (&t.roles.columns, "base_right") };
    let (lane, first) = if n == 0 { ("y", "top_row") } else { ("x", "left_column") };
    let step = if read == Read::Lines { 4 } else { 1 };
    let mut out = Vec::new();
    for line in (0..lines).step_by(step) {
        let own = format!("{lane} * {lines}u + {line}u");
        let number = match t.sorted.filter(|_| n == 0) {
            None => format!("min({first} + {own}, {} - {step}u)", t.counts[n]),
            Some(s) => {
                let place = m.element(s.order, &format!("top_row + min({own}, count - 1u)"));
                format!("u32({place})")
            }
        };
        let names = m.split(&number, &named(t.kernel, loops));
        let at = part(m, t.factors[n], loops, &names);
        let name = format!("{}{line}_", if n == 0 { "p" } else { "q" });
        m.line(format!("let {name} = {base} + {at};"));
        out.push(name);
    }
    out
}

impl Factor<'_> {
    /// Four columns at each of some steps of the sum.
    fn vectors(&self, m: &mut Module, deeper: &str, block: i64, steps: i64) -> Vec<String> {
        if self.read == Read::Lines {
            return (0..steps).map(|u| self.four(m, deeper, block, u)).collect();
        }
        let lines: Vec<Vec<String>> = (0..4).map(|n| self.elements(m, ("b", deeper), 4 * block + n, steps)).collect();
        (0..steps as usize)
            .map(|u| format!("vec4<f32>({})", lines.iter().map(|l| l[u].as_str()).collect::<Vec<_>>().join(", ")))
            .collect()
    }

    /// Four neighbouring lines at one step.
    fn four(&self, m: &mut Module, deeper: &str, block: i64, step: i64) -> String {
        let one = Size::from(1i64);
        let terms = [(self.starts[block as usize].clone(), one.clone()), (deeper.to_string(), one)];
        let at = m.address(&self.stride.mul(&Size::from(step)), &terms);
        m.four(self.access.buffer, &at)
    }

    /// One row or column at each of some steps; reads what was not read before.
    fn elements(&self, m: &mut Module, (name, deeper): (&str, &str), line: i64, steps: i64) -> Vec<String> {
        let (b, one) = (self.access.buffer, Size::from(1i64));
        let by = if self.read == Read::Lines { 4 } else { 1 };
        let terms = [(self.starts[(line / by) as usize].clone(), one.clone()), (deeper.to_string(), one)];
        match self.read {
            Read::Steps => {
                let at = m.address(&Size::from(0i64), &terms);
                let four = m.four(b, &at);
                m.line(format!("let {name}{line}_ = {four};"));
                (0..steps).map(|u| format!("{name}{line}_.{}", PARTS[u as usize])).collect()
            }
            Read::Lines => (0..steps)
                .map(|u| {
                    let (block, within) = (line / 4, line % 4);
                    if within == 0 {
                        let four = self.four(m, deeper, block, u);
                        m.line(format!("let {name}{u}_{block}_ = {four};"));
                    }
                    format!("{name}{u}_{block}_.{}", PARTS[within as usize])
                })
                .collect(),
            Read::Single => (0..steps)
                .map(|u| {
                    let at = m.address(&self.stride.mul(&Size::from(u)), &terms);
                    let x = m.load(b, &at);
                    m.line(format!("let {name}{line}_{u}_ = {x};"));
                    format!("{name}{line}_{u}_")
                })
                .collect(),
        }
    }
}
