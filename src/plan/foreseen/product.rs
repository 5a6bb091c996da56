//! Products of matrices.

use super::{Counter, Touched, Work};
use crate::ir::Size;
use crate::plan::measured::plan::{BATCH_NS, GROUP_NS, SHORT_SUM, STORED_TOUCHES, THIN_PRICE, THIN_SIDE, WALKED_TOUCHES};
use crate::plan::told::roles;
use crate::plan::view::value;
use crate::plan::{Access, Product, Span};

impl Counter<'_> {
    /// A product, perhaps with one of so many matrices for each row, chosen by an index.
    pub(super) fn product(&self, p: &Product, chosen: Option<(&Size, &Access)>) -> Work {
        let [several, rows, sums, columns] = roles(p, self.sizes).map(|n| n as f64);
        let moves = |x: &Option<Size>| x.as_ref().is_some_and(|s| value(s, self.sizes) != 0);
        let side = |pick: &dyn Fn(&Span) -> bool| p.spans.iter().filter(|s| pick(s)).map(|s| self.n(&s.size)).product::<f64>();
        let (a, b, out) = (side(&|s| moves(&s.a)), side(&|s| moves(&s.b)), side(&|s| moves(&s.out)));
        let (touch, macs) = (self.prices.touch_ns, several * rows * sums * columns);
        // How many of the matrices are read, at most.
        let uses = |at: &Access| at.terms.iter().filter_map(|t| Some(self.n(&p.spans.get(t.0)?.size))).product::<f64>();
        let read = chosen.map_or(1.0, |(count, at)| self.n(count).min(uses(at)));
        let mut ns = self.prices.multiply(macs) + touch * STORED_TOUCHES * out * if sums < SHORT_SUM { 1.5 } else { 1.0 };
        // Of thin sides vectors are not full.
        if columns <= THIN_SIDE || sums <= THIN_SIDE {
            ns = ns.max(THIN_PRICE * self.prices.multiply(macs));
        }
        if chosen.is_some() {
            // Rows are brought together.
            ns += touch * WALKED_TOUCHES * a + GROUP_NS * read;
        }
        let mut work = Work { ns: ns + BATCH_NS * several, ..Work::default() };
        work.reads(p.a.0, a);
        work.meanwhile = Some((Touched { buffer: p.b.0, elements: b * read, written: false }, touch * WALKED_TOUCHES));
        work.writes(p.out.0, out);
        work
    }
}
