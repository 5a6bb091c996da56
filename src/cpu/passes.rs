//! Kernels with dear functions, block by block: what such a function is of, for a whole block; then the function, in the widest vectors that
//! the machine has; then what is made of its results. Folds down columns that lie side by side are such functions, too: a block of columns goes
//! through memory row by row, or is computed so ([`super::columns`]).
//!
//! Between the passes a block lies on the stack. It is long enough that its first vectors are written when they are read again: a vector that
//! is read from narrower ones just before it waits for all of them. What several passes need is computed in each; it is cheap, or a pass.

use super::down::Taken;
use super::r#gen::Gen;
use super::lanes::stride_of;
use crate::ir::{DType, Fold, Size};
use crate::plan::measured::cpu::{DOWN_FROM, PASS_BLOCK, PASS_FEW, PASS_INSIDE, ROWS_BLOCK, ROWS_DEAR, ROWS_FEWEST};
use crate::plan::{Access, Expr, Kernel, Sizes};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{FuncRef, InstBuilder, StackSlotData, StackSlotKind, Value};

/// Dear functions and folds of a kernel at most, of each.
const MOST: usize = 3;
/// Blocks are buffers that no plan has: one for each of these, and one for a row that is folded.
const BLOCKS: usize = usize::MAX - 2 * MOST;
/// The row.
pub(super) const ROW: usize = BLOCKS + 2 * MOST;

/// How a kernel is taken apart.
#[derive(Clone)]
pub(super) struct Passes {
    /// The loop that is cut into blocks, and how many of its steps make one.
    level: usize,
    steps: i64,
    /// Elements for each of these steps.
    inside: i64,
    /// Elements of a block.
    room: i64,
    pub dear: Vec<Dear>,
}

/// A dear function: the value that it computes, what it is of, and where its block lies.
#[derive(Clone)]
pub(super) struct Dear {
    pub value: usize,
    pub of: Of,
    pub call: FuncRef,
    pub block: Access,
    /// The fold whose rows it is computed for.
    pub within: Option<usize>,
}

/// What a dear function is of.
#[derive(Clone)]
pub(super) enum Of {
    /// A value, for each element.
    Value(usize),
    /// What is read as these loops run, and what it is multiplied with, or itself.
    Down { loops: Vec<usize>, rows: [Access; 2], apart: [Size; 2] },
    /// A value, row by row as these loops run; the call takes a row, this one ends the fold.
    Rows { loops: Vec<usize>, value: usize, end: FuncRef },
}

/// What the pass that is generated computes.
pub(super) struct Pass {
    /// Values that it needs.
    pub wanted: Vec<bool>,
    /// So many blocks hold results.
    pub made: usize,
}

/// Values that a value is made of, without looking into those that lie in blocks.
pub(super) fn behind(k: &Kernel, value: usize, made: &dyn Fn(usize) -> bool) -> Vec<bool> {
    let mut wanted = vec![false; k.body.len()];
    wanted[value] = true;
    for e in (0..=value).rev() {
        if !wanted[e] || made(e) {
            continue;
        }
        match &k.body[e] {
            Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Load(_) => {}
            Expr::Pick { at, .. } => at.iter().for_each(|i| wanted[i.value] = true),
            Expr::Map(_, args) => args.iter().for_each(|a| wanted[*a] = true),
            Expr::Reduce { value, .. } => wanted[*value] = true,
            Expr::Mend { of, value, .. } => [*of, *value].into_iter().for_each(|e| wanted[e] = true),
        }
    }
    wanted
}

impl Gen<'_> {
    /// How this kernel is taken apart; not at all where it folds anything but columns, where nothing is dear, or where blocks would be short.
    pub(super) fn passes(&self, hints: &Sizes) -> Option<Passes> {
        let k = self.k;
        let last = k.outer.checked_sub(1)?;
        let size = |l: usize| k.loops[l].size.constant();
        let hint = |l: usize| k.loops[l].size.eval(&|s| hints.get(s).copied()).unwrap_or(PASS_FEW);
        let within = |level: usize| (level + 1..k.outer).try_fold(1i64, |n, l| n.checked_mul(size(l)?));
        let folds = |e: &Expr| matches!(e, Expr::Mend { .. }) || matches!(e, Expr::Reduce { loops, .. } if !self.is_brief(loops));
        let folds = k.body.iter().any(folds);
        // Columns are those of the last loop.
        let levels = if folds { last..k.outer } else { 0..k.outer };
        let (level, inside) =
            levels.into_iter().find_map(|l| within(l).filter(|n| (1..=PASS_INSIDE).contains(n)).map(|n| (l, n)))?;
        let fewest = if folds { ROWS_FEWEST } else { PASS_FEW };
        if hint(level).saturating_mul(inside) < fewest || size(last).is_some_and(|n| n < 4) {
            return None;
        }
        let mut dear: Vec<Dear> = Vec::new();
        let is_dear =
            |e: usize| matches!(&k.body[e], Expr::Map(map, _) if self.row_of(*map).is_some() && self.deps[e] >> last & 1 == 1);
        // Folds would keep the functions around them from going through rows.
        let among = (0..k.body.len()).any(is_dear);
        let from = if among { ROWS_DEAR } else { DOWN_FROM };
        for (e, x) in k.body.iter().enumerate() {
            let (of, call) = match x {
                Expr::Map(map, args) if is_dear(e) => {
                    if k.types[e] != DType::F32 || k.types[args[0]] != DType::F32 {
                        return None;
                    }
                    (Of::Value(args[0]), self.row_of(*map)?)
                }
                Expr::Reduce { fold, loops, value } if !self.is_brief(loops) => {
                    let steps = loops.iter().fold(1i64, |n, l| n.saturating_mul(hint(*l)));
                    let (fold, wide) = ((*fold, &loops[..], *value), hint(last));
                    let down = if wide >= PASS_FEW && steps >= from { self.down(e, fold) } else { None };
                    down.or_else(|| self.by_rows(e, fold, (wide, steps, among), hints))?
                }
                Expr::Mend { .. } => return None,
                Expr::Const(_)
                | Expr::Counter(_)
                | Expr::Size(_)
                | Expr::Load(_)
                | Expr::Pick { .. }
                | Expr::Map(..)
                | Expr::Reduce { .. } => continue,
            };
            let mut terms = Vec::new();
            for l in level..k.outer {
                terms.push((l, Size::from(within(l)?)));
            }
            let block = Access { buffer: BLOCKS + dear.len().min(2 * MOST - 1), offset: Size::from(0i64), terms };
            dear.push(Dear { value: e, of, call, block, within: None });
        }
        let count = |folds: bool| dear.iter().filter(|d| matches!(d.of, Of::Value(_)) != folds).count();
        if dear.is_empty() || count(true) > MOST || count(false) > MOST {
            return None;
        }
        self.sort_in(&mut dear)?;
        let (rows, downs) = (|d: &Dear| matches!(d.of, Of::Rows { .. }), |d: &Dear| matches!(d.of, Of::Down { .. }));
        let room = if dear.iter().any(rows) && !dear.iter().any(downs) { ROWS_BLOCK } else { PASS_BLOCK };
        Some(Passes { level, steps: room / inside, inside, room, dear })
    }

    /// Finds for each function of what a fold goes through that fold, if it goes row by row: a block has no place for the steps of another.
    fn sort_in(&self, dear: &mut [Dear]) -> Option<()> {
        let of_folds = |d: &Dear| self.deps[d.value] >> self.k.outer << self.k.outer;
        for i in 0..dear.len() {
            let steps = of_folds(&dear[i]);
            if steps == 0 {
                continue;
            }
            let holds = |d: &Dear| match &d.of {
                Of::Rows { loops, .. } => steps & !loops.iter().fold(0u128, |m, l| m | 1 << l) == 0,
                Of::Value(_) | Of::Down { .. } => false,
            };
            let fold = dear.iter().find(|d| holds(d))?.value;
            dear[i].within = Some(fold);
        }
        Some(())
    }

    /// A fold down columns of the last outer loop, which lie side by side.
    fn down(&self, e: usize, (fold, loops, value): (Fold, &[usize], usize)) -> Option<(Of, FuncRef)> {
        let last = self.k.outer - 1;
        let (whole, rows) = self.lies(fold, value)?;
        let call = self.calls.downs.iter().find(|f| f.0 == whole)?.1;
        let beside = |a: &Access| stride_of(a, last).is(1);
        let apart = [self.even(rows[0], loops)?, self.even(rows[1], loops)?];
        let fits = self.deps[e] >> self.k.outer == 0 && rows.iter().all(|a| beside(a));
        fits.then(|| (Of::Down { loops: loops.to_vec(), rows: rows.map(Access::clone), apart }, call))
    }

    /// Whether a value is computed here: all are, but for those that the present pass does not need.
    pub(super) fn is_wanted(&self, e: usize) -> bool {
        self.pass.as_ref().is_none_or(|p| p.wanted[e])
    }

    /// The block in which a value lies already.
    pub(super) fn lies_in(&self, e: usize) -> Option<Access> {
        let (pass, passes) = (self.pass.as_ref()?, self.passes.as_ref()?);
        passes.dear[..pass.made].iter().find(|d| d.value == e).map(|d| d.block.clone())
    }

    /// The loop `level` and those inside, where it is the one that is cut into blocks.
    pub(super) fn in_passes(&mut self, level: usize) -> bool {
        let Some(passes) = self.passes.clone().filter(|p| p.level == level && self.pass.is_none()) else { return false };
        let slots: Vec<Value> = passes.dear.iter().map(|d| self.room(d, passes.room)).collect();
        let (low, high) = self.bounds(level);
        let i = self.b.declare_var(I64);
        self.b.def_var(i, low);
        let (head, inside, after) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(head);
        let now = self.b.use_var(i);
        let go = self.b.ins().icmp(IntCC::SignedLessThan, now, high);
        self.b.ins().brif(go, inside, &[], after, &[]);
        self.b.switch_to_block(inside);
        let steps = self.b.ins().iconst(I64, passes.steps);
        let next = self.b.ins().iadd(now, steps);
        let stop = self.b.ins().smin(next, high);
        let count = self.b.ins().isub(stop, now);
        let count = self.b.ins().imul_imm_s(count, passes.inside);
        // Addresses in a block count from its first step.
        let before = self.b.ins().imul_imm_s(now, 4 * passes.inside);
        for (dear, slot) in passes.dear.iter().zip(&slots) {
            let base = self.b.ins().isub(*slot, before);
            self.bases.insert(dear.block.buffer, base);
        }
        let block = Block { level, from: now, to: stop, count, before, room: passes.room, slots: &slots };
        for made in 0..passes.dear.len() {
            if passes.dear[made].within.is_none() {
                self.make(&block, &passes.dear, made);
            }
        }
        let k = self.k;
        self.one_pass(level, (now, stop), passes.dear.len(), (k.value, &k.store));
        self.b.def_var(i, stop);
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(after);
        true
    }

    /// Memory for a block, and for what a fold needs besides.
    fn room(&mut self, dear: &Dear, elements: i64) -> Value {
        let bytes = if let Of::Rows { .. } = dear.of { size_of::<Taken>() } else { 4 * elements as usize };
        let slot = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes as u32, 6));
        self.b.ins().stack_addr(I64, slot, 0)
    }

    /// Computes number `made` for a block.
    pub(super) fn make(&mut self, block: &Block, dear: &[Dear], made: usize) {
        let Dear { of, call, block: access, .. } = &dear[made];
        let (slot, count) = (block.slots[made], block.count);
        match of {
            Of::Value(of) => {
                self.one_pass(block.level, (block.from, block.to), made, (*of, access));
                self.b.ins().call(*call, &[slot, count]);
            }
            Of::Down { loops, rows, apart } => {
                let saved = self.counters[block.level].replace(block.from);
                let [x, y] = rows.each_ref().map(|a| self.start(a, loops));
                self.counters[block.level] = saved;
                let [x_step, y_step] = apart.each_ref().map(|s| self.size(s));
                let steps = self.steps(loops);
                self.b.ins().call(*call, &[slot, count, x, x_step, y, y_step, steps]);
            }
            Of::Rows { loops, value, end } => self.rows(block, dear, made, (loops, *value, *end)),
        }
    }

    /// Computes a value for the steps of a block, and stores it; for a step of a fold, if one is going on.
    pub(super) fn one_pass(&mut self, level: usize, (from, to): (Value, Value), made: usize, (value, store): (usize, &Access)) {
        let dear = self.passes.as_ref().map_or(&[][..], |p| &p.dear[..made]);
        let wanted = behind(self.k, value, &|e| dear.iter().any(|d| d.value == e));
        let before = self.pass.replace(Pass { wanted, made });
        let lanes = self.lanes.filter(|l| l.0 == level).map(|l| l.1);
        let i = self.b.declare_var(I64);
        self.b.def_var(i, from);
        let folded: Vec<usize> = (self.k.outer..self.k.loops.len()).filter(|l| self.counters[*l].is_some()).collect();
        self.strips(level, i, (to, None), lanes, &mut |g: &mut Self| {
            folded.iter().for_each(|l| g.scope(Some(*l)));
            g.nest(level + 1, (value, store));
        });
        self.pass = before;
    }
}

/// The block that is computed at present.
pub(super) struct Block<'a> {
    pub level: usize,
    pub from: Value,
    pub to: Value,
    /// Elements.
    pub count: Value,
    /// How many bytes lie before it.
    pub before: Value,
    /// Elements that there is room for.
    pub room: i64,
    /// Where the blocks of dear functions lie.
    pub slots: &'a [Value],
}
