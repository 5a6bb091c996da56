//! Folds down columns of what is computed: row by row of a block of columns, with dear functions for a whole row, which then joins what came of the
//! rows before. Going down some columns at a time would read a line of memory for each row of them, and take such functions four at a time.

use super::r#gen::Gen;
use super::lanes::stride_of;
use super::panel::LINE;
use super::passes::{Block, Dear, Of, Pass, ROW, behind};
use super::whole::Whole;
use crate::ir::{DType, Fold, Size};
use crate::plan::measured::cpu::{ROWS_DEAR, ROWS_LONG, ROWS_ODD, ROWS_WIDE};
use crate::plan::{Access, Expr, Sizes};
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{FuncRef, InstBuilder, StackSlotData, StackSlotKind};

impl Gen<'_> {
    /// A fold of what is computed for each column of the last outer loop, if rows of it are read as they lie at least as often as columns. `among`: of
    /// a kernel with a dear function somewhere.
    pub(super) fn by_rows(
        &self,
        e: usize,
        (fold, loops, value): (Fold, &[usize], usize),
        (columns, rows, among): (i64, i64, bool),
        hints: &Sizes,
    ) -> Option<(Of, FuncRef)> {
        let (k, last) = (self.k, self.k.outer - 1);
        let whole = match fold {
            Fold::Sum => Whole::Sum,
            Fold::Prod => Whole::Product,
            Fold::Max => Whole::Max,
            Fold::Min => Whole::Min,
            Fold::Any | Fold::All | Fold::Argmax | Fold::Argmin => return None,
        };
        let real = [e, value].iter().all(|v| k.types[*v] == DType::F32);
        let folds_columns = self.deps[value] >> last & 1 == 1 && self.deps[e] >> k.outer == 0;
        if !real || !folds_columns {
            return None;
        }
        let inside = loops.iter().fold(0u128, |m, l| m | 1 << l);
        let steps = |e: usize| self.deps[e] & inside != 0;
        let (mut apart, mut along) = (0, 0);
        let mut dear = fold == Fold::Prod;
        let near = |a: &Access, l: usize| matches!(stride_of(a, l).eval(&|s| hints.get(s).copied()), Some(0 | 1));
        for (v, wanted) in behind(k, value, &|_| false).iter().enumerate() {
            if !wanted || !steps(v) {
                continue;
            }
            match &k.body[v] {
                Expr::Load(a) | Expr::Pick { access: a, .. } => {
                    apart += i32::from(!near(a, last));
                    along += i32::from(loops.last().is_some_and(|l| !near(a, *l)));
                }
                Expr::Mend { .. } => return None,
                Expr::Reduce { loops, .. } if !self.is_brief(loops) => return None,
                Expr::Map(map, _) => dear |= self.row_of(*map).is_some(),
                Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Reduce { .. } => {}
            }
        }
        let pays = if dear || among && columns >= ROWS_ODD {
            rows >= ROWS_DEAR
        } else {
            rows >= ROWS_LONG && (columns >= ROWS_WIDE || columns >= ROWS_ODD && columns % LINE as i64 != 0)
        };
        let find = |list: &[(Whole, FuncRef)]| list.iter().find(|f| f.0 == whole).map(|f| f.1);
        let (take, end) = (find(&self.calls.takes)?, find(&self.calls.ends)?);
        (apart <= along && pays).then(|| (Of::Rows { loops: loops.to_vec(), value, end }, take))
    }

    /// Such a fold, number `made`, of a block of columns.
    pub(super) fn rows(&mut self, block: &Block, dear: &[Dear], made: usize, (loops, value, end): (&[usize], usize, FuncRef)) {
        let fold = &dear[made];
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, 4 * block.room as u32, 6);
        let slot = self.b.create_sized_stack_slot(slot);
        let row = self.b.ins().stack_addr(I64, slot, 0);
        let base = self.b.ins().isub(row, block.before);
        self.bases.insert(ROW, base);
        let to = Access { buffer: ROW, offset: Size::from(0i64), terms: vec![(block.level, Size::from(1i64))] };
        let number = self.b.declare_var(I64);
        let zero = self.b.ins().iconst(I64, 0);
        self.b.def_var(number, zero);
        // What is the same for all columns is computed once for each row.
        let lies = |e: usize| dear[..made].iter().any(|d| d.within.is_none() && d.value == e);
        let mut wanted = behind(self.k, value, &lies);
        wanted.iter_mut().zip(&self.deps).for_each(|(w, d)| *w &= d >> block.level & 1 == 0);
        let before = self.pass.replace(Pass { wanted, made });
        let (state, take) = (block.slots[made], fold.call);
        self.steps_of(loops, &mut |g: &mut Self| {
            for (n, inner) in dear[..made].iter().enumerate() {
                if inner.within == Some(fold.value) {
                    g.make(block, dear, n);
                }
            }
            g.one_pass(block.level, (block.from, block.to), made, (value, &to));
            let now = g.b.use_var(number);
            g.b.ins().call(take, &[state, row, block.count, now]);
            let next = g.b.ins().iadd_imm_s(now, 1);
            g.b.def_var(number, next);
        });
        self.pass = before;
        let count = self.b.use_var(number);
        self.b.ins().call(end, &[state, block.count, count]);
    }

    /// All steps of these loops, one by one.
    fn steps_of(&mut self, loops: &[usize], body: &mut dyn FnMut(&mut Self)) {
        let Some((first, rest)) = loops.split_first() else { return body(self) };
        self.run(*first, None, &mut |g: &mut Self| g.steps_of(rest, body));
    }
}
