//! Products of matrices.

use super::{Counter, Work};
use crate::ir::Size;
use crate::plan::measured::plan::{
    BATCH_NS, FEW_PRICE, GROUP_NS, PRODUCT_PRICE, SHORT_PRICE, STORED_TOUCHES, THIN_SIDE, THIN_TOUCHES, TURNED_COLUMNS,
    TURNED_TOUCHES, WALKED_TOUCHES,
};
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
        let multiplied = self.prices.multiply(macs);
        let (few, short) = (columns <= THIN_SIDE, sums <= THIN_SIDE);
        let mut ns = PRODUCT_PRICE * multiplied + touch * STORED_TOUCHES * out;
        if chosen.is_none() && columns <= TURNED_COLUMNS && rows > columns && sums > THIN_SIDE {
            // Columns are laid out first, each row is read once for all of them.
            ns += touch * (TURNED_TOUCHES * b + THIN_TOUCHES * a);
        } else if few || short {
            // Of thin sides vectors are not full.
            ns = ns.max(if few { FEW_PRICE } else { SHORT_PRICE } * multiplied);
        }
        // A matrix is read, if it is used but once.
        ns = ns.max(touch * WALKED_TOUCHES * b * read);
        if chosen.is_some() {
            ns += GROUP_NS * read;
        }
        let mut work = Work { ns: ns + BATCH_NS * several, ..Work::default() };
        work.reads(p.a.0, a);
        work.reads(p.b.0, b * read);
        work.writes(p.out.0, out);
        work
    }
}
