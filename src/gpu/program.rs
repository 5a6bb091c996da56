//! What a device runs: shaders, buffers, and in which order they are dispatched.

use crate::ir::{DType, Size, Sym};
use crate::plan::{Decision, Demands, Fate};
use crate::source::Span;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Workgroups along one dimension that every device takes; a longer grid goes on in the second dimension.
pub const WIDEST: u32 = 65_535;

/// Where a buffer comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Given by the user under a path.
    Source(Arc<str>),
    Temp,
    /// A wanted result.
    Output,
}

/// A stretch of the arena; elements are four bytes each (a bool is the i32 0 or 1).
#[derive(Clone, Debug)]
pub struct Buffer {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<Size>,
    pub kind: Kind,
    /// Whether it depends on no input: then `prepare` fills it, and it stays.
    pub early: bool,
    /// Whether it holds f16 numbers, two a word; shaders compute with them as f32.
    pub half: bool,
}

impl Buffer {
    /// Number of elements.
    pub fn len(&self) -> Size {
        self.shape.iter().fold(Size::from(1i64), |n, s| n.mul(s))
    }

    /// Whether it holds no elements for any size.
    pub fn is_empty(&self) -> bool {
        self.len().is(0)
    }
}

/// One module with one entry point, `main`. Dispatches that do the same with other buffers and words share it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shader {
    /// What people call it: that of the value which its first dispatch computes.
    pub name: String,
    pub code: String,
}

impl Shader {
    /// What a compiler reads of its text: not whose it is.
    pub fn read(&self) -> &str {
        let mut text = self.code.as_str();
        while text.starts_with("//") {
            text = text.split_once('\n').map_or("", |(_, rest)| rest);
        }
        text
    }
}

/// How many workgroups run.
#[derive(Clone, Debug, PartialEq)]
pub enum Grid {
    /// `count` pieces of work, `per` of them a workgroup: group `y * 65535 + x` of a grid folded at 65,535. None: not dispatched.
    Work { count: Size, per: u32 },
    /// Three words of a buffer say it, from word `at` on.
    Indirect { buffer: usize, at: u32 },
}

/// One run of a shader.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// The value that it computes.
    pub name: String,
    pub shader: usize,
    /// Buffers at bindings 1, 2, … of group 0; each is bound whole. Where a shader needs more than a device can bind, there is
    /// one binding, the whole arena as words, and `packed` is set.
    pub bindings: Vec<usize>,
    pub packed: bool,
    /// Those of them that it writes.
    pub writes: Vec<usize>,
    /// The uniform block at binding 0, one word each (an i64 cut to 32 bits): there where it is not empty.
    pub words: Vec<Word>,
    pub grid: Grid,
    /// The places in the source that it computes.
    pub places: Vec<Span>,
    /// Floating-point operations; a transcendental function counts as one.
    pub flops: Size,
    /// The most rounds that the loops of one thread may make, where the operations do not say it.
    pub rounds: Size,
}

/// A word of a uniform block.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    Size(Size),
    /// The bits of a size as an f32.
    Real(Size),
    /// Where a buffer starts in the arena, in elements (packed shaders only).
    At(usize),
}

/// Storage buffers that every device binds at once.
pub const BINDINGS: usize = 8;

/// A dispatch, or several that repeat.
#[derive(Clone, Debug)]
pub enum Item {
    Dispatch(Dispatch),
    Repeat { trips: Size, body: Vec<Item> },
}

/// Everything that a device needs to know.
#[derive(Clone, Debug, Default)]
pub struct Program {
    pub buffers: Vec<Buffer>,
    pub shaders: Vec<Shader>,
    pub items: Vec<Item>,
    /// So many items depend on no input: they run once, in `prepare`.
    pub prepared: usize,
    /// The buffers of the wanted results, in order (one may stand twice); then one word for each computed demand.
    pub outputs: Vec<usize>,
    /// Indices that must lie inside.
    pub demands: Demands,
    /// How packed shaders bind the arena: so many windows of so many bytes (none: one window, all of it).
    pub windows: Option<(u32, u64)>,
    /// What was decided beyond the plan.
    pub decisions: Vec<Decision>,
    /// What became of each pin of the graph by that.
    pub fates: Vec<Fate>,
}

impl Program {
    /// Unknown sizes that it mentions.
    pub fn symbols(&self) -> Vec<Sym> {
        fn of(items: &[Item], out: &mut BTreeSet<Sym>) {
            for item in items {
                match item {
                    Item::Dispatch(d) => {
                        d.words.iter().for_each(|w| match w {
                            Word::Size(s) | Word::Real(s) => out.extend(s.symbols()),
                            Word::At(_) => {}
                        });
                        if let Grid::Work { count, .. } = &d.grid {
                            out.extend(count.symbols());
                        }
                    }
                    Item::Repeat { trips, body } => {
                        out.extend(trips.symbols());
                        of(body, out);
                    }
                }
            }
        }
        let mut out: BTreeSet<Sym> = self.buffers.iter().flat_map(|b| b.len().symbols()).collect();
        let arriving = self.demands.arriving.iter().map(|a| &a.demand);
        out.extend(self.demands.computed.iter().chain(arriving).flat_map(|d| d.axis.size.symbols()));
        of(&self.items, &mut out);
        out.into_iter().collect()
    }

    /// How many dispatches a run makes after `prepare`, every round of a loop counted.
    pub fn dispatches(&self, size: &dyn Fn(&Size) -> i64) -> usize {
        fn count(items: &[Item], size: &dyn Fn(&Size) -> i64) -> usize {
            items
                .iter()
                .map(|i| match i {
                    Item::Dispatch(_) => 1,
                    Item::Repeat { trips, body } => size(trips).max(0) as usize * count(body, size),
                })
                .sum()
        }
        count(&self.items[self.prepared..], size)
    }
}
