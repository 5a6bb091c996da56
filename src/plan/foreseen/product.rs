//! Products of matrices.

use super::{Counter, How, Work};
use crate::ir::Size;
use crate::plan::measured::plan::{
    BATCH_NS, DOT_NS, DOT_TOUCHES, FEW_PRICE, FEW_ROWS, GROUP_NS, PANEL_HIGH, PRODUCT_PRICE, SHORT_PRICE, STORED_TOUCHES,
    STREWN_PART, THIN_NS, THIN_SIDE, THIN_TOUCHES, TURNED_COLUMNS, TURNED_TOUCHES, WALKED_TOUCHES,
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
        // How many of the matrices are read.
        let uses = |at: &Access| at.terms.iter().filter_map(|t| Some(self.n(&p.spans.get(t.0)?.size))).product::<f64>();
        let read = chosen.map_or(1.0, |(count, at)| distinct(self.n(count), uses(at)));
        // A few rows of columns that lie along memory are those columns, each with few rows.
        let sum = p.spans.iter().rfind(|s| s.out.is_none() && self.n(&s.size) > 1.0);
        let along = sum.and_then(|s| s.b.as_ref()).is_some_and(|s| value(s, self.sizes) == 1);
        let turned = chosen.is_none() && rows <= TURNED_COLUMNS && columns > rows && along;
        let ([high, wide], [from, other]) = if turned { ([columns, rows], [b, a]) } else { ([rows, columns], [a, b]) };
        let multiplied = self.prices.multiply(macs);
        let mut ns = PRODUCT_PRICE * multiplied + touch * STORED_TOUCHES * out;
        if wide == 1.0 && high > wide && sums > THIN_SIDE {
            ns = touch * DOT_TOUCHES * from + DOT_NS * several * high;
        } else if wide <= TURNED_COLUMNS && high > wide && sums > THIN_SIDE {
            // Columns are laid out first, each row is read once for all of them.
            ns += touch * (TURNED_TOUCHES * other + THIN_TOUCHES * from) + THIN_NS * several * high * (wide / 4.0).ceil() * 4.0;
        } else if sums <= THIN_SIDE {
            // Of thin sides vectors are not full.
            ns = ns.max(if wide > THIN_SIDE { SHORT_PRICE } else { FEW_PRICE } * multiplied);
            ns += if chosen.is_some() { touch * STREWN_PART * out } else { 0.0 };
        } else if wide <= THIN_SIDE {
            let price = if high >= PANEL_HIGH && chosen.is_none() { 1.0 } else { FEW_PRICE };
            ns = ns.max(price * multiplied * THIN_SIDE / wide.max(4.0));
        }
        // A matrix is read, if it is used but once.
        ns = ns.max(touch * WALKED_TOUCHES * b * read);
        if chosen.is_some() {
            ns += GROUP_NS * read;
        }
        let mut work = Work { ns: ns + BATCH_NS * several, ..Work::default() };
        work.touches(p.a.0, a, if columns > 1.0 { How::Rows } else { How::Read });
        // Few rows do not take as long as their matrix takes to arrive.
        let few = chosen.is_some() && macs <= FEW_ROWS * b * read;
        work.touches(p.b.0, b * read, if few { How::Few } else { How::Read });
        work.touches(p.out.0, out, How::Written);
        work
    }
}

/// How many of so many matrices are among these, chosen by chance.
fn distinct(count: f64, chosen: f64) -> f64 {
    if count <= 1.0 { count.min(chosen) } else { count * (1.0 - (1.0 - 1.0 / count).powf(chosen)) }
}
