//! Both factors come through workgroup memory, `DEEP` steps of the sum at a time, with zeros beyond the edges. They lie there as vectors of
//! four rows or columns, so that a thread reads 4 vectors for 64 multiplications.

use super::{PARTS, THREADS, Tile, VECTORS, WIDTH, named, part};
use crate::gpu::wgsl::module::Module;
use crate::plan::measured::gpu::{TILE_STEPS as DEEP, TILE_UNROLL as UNROLL};
use crate::plan::{Access, Kernel};

/// The variables in workgroup memory: `DEEP` stretches of a tile's rows, and of its columns.
pub(super) struct Staged {
    left: String,
    right: String,
    side: i64,
}

/// One factor's way into workgroup memory.
struct Side<'k> {
    access: &'k Access,
    /// The variable in workgroup memory: `DEEP` stretches of `lines` elements.
    store: &'k str,
    lines: i64,
    /// Rows or columns, and where the tile's first one is.
    loops: &'k [usize],
    first: &'k str,
    count: &'k str,
    /// What does not change along the sum.
    base: &'k str,
    /// For grouped rows: where the addresses of the tile's rows lie, and how many there are.
    listed: Option<&'k str>,
}

impl Staged {
    pub fn new(m: &mut Module, side: i64) -> Staged {
        let mut store = |name: &str, lines: i64| m.shared(name, &format!("array<vec4<f32>, {}>", lines / 4 * DEEP));
        Staged { left: store("left", side), right: store("right", WIDTH), side }
    }

    /// Rounds of a thread's loops for `DEEP` steps of the sum: both fills and the products.
    pub fn rounds(&self) -> i64 {
        1 + (self.side + WIDTH) / 4 * DEEP / i64::from(THREADS) + DEEP / UNROLL
    }

    /// `DEEP` steps of the sum, from step `at` on.
    pub fn steps(&self, m: &mut Module, t: &Tile) {
        let l = Side {
            access: t.factors[0],
            store: &self.left,
            lines: self.side,
            loops: &t.roles.rows,
            first: "top_row",
            count: &t.counts[0],
            base: "base_left",
            listed: t.listed.as_deref(),
        };
        fill(m, t.kernel, &l, (&t.roles.sums, t.order), t.end, None);
        let s = Side {
            access: t.factors[1],
            store: &self.right,
            lines: WIDTH,
            loops: &t.roles.columns,
            first: "left_column",
            count: &t.counts[1],
            base: "base_right",
            listed: None,
        };
        fill(m, t.kernel, &s, (&t.roles.sums, t.order), t.end, t.none.as_deref());
        m.line("workgroupBarrier();");
        m.open(format!("for (var i = 0u; i < {DEEP}u; i += {UNROLL}u)"));
        let high = self.side / 8;
        for u in 0..UNROLL {
            let vectors = |s: &Side, lane: &str, count: i64, n: i64| {
                let (all, first) = (s.lines / 4, u * s.lines / 4 + n);
                format!("{}[i * {all}u + {lane} * {count}u + {first}u]", s.store)
            };
            for n in 0..high / 4 {
                m.line(format!("let a{u}_{n}_ = {};", vectors(&l, "y", high / 4, n)));
            }
            for n in 0..VECTORS {
                m.line(format!("let b{u}_{n}_ = {};", vectors(&s, "x", VECTORS, n)));
            }
            for i in 0..high {
                for j in 0..VECTORS {
                    let row = format!("a{u}_{}_.{}", i / 4, PARTS[i as usize % 4]);
                    m.line(format!("c{i}_{j}_ = fma(vec4<f32>({row}), b{u}_{j}_, c{i}_{j}_);"));
                }
            }
        }
        m.close();
        m.line("workgroupBarrier();");
    }
}

fn steps(a: &Access, loops: &[usize]) -> bool {
    loops.last().is_some_and(|l| a.terms.iter().any(|t| t.0 == *l && t.1.is(1)))
}

/// Brings the tile's rows (or columns) of `DEEP` steps into workgroup memory, neighbours in memory to neighbouring threads.
/// Where `order` is given, steps of the sum are places in it.
fn fill(m: &mut Module, k: &Kernel, s: &Side, (sums, order): (&[usize], Option<usize>), deep: &str, more: Option<&str>) {
    let vectors = s.lines / 4;
    m.open(format!("for (var e = lane; e < {}u; e += {THREADS}u)", vectors * DEEP));
    if order.is_none() && steps(s.access, sums) || !steps(s.access, s.loops) {
        m.line(format!("let line = e / {DEEP}u * 4u;"));
        m.line(format!("let step = e % {DEEP}u;"));
    } else {
        m.line(format!("let line = e % {vectors}u * 4u;"));
        m.line(format!("let step = e / {vectors}u;"));
    }
    m.line("var value = vec4<f32>(0.0);");
    let more = more.map_or(String::new(), |t| format!(" && {t}"));
    m.open(format!("if (at + step < {deep}{more})"));
    let step = match order {
        None => "(at + step)".to_string(),
        Some(order) => {
            let place = m.element(order, "at + step");
            m.line(format!("let place = u32({place});"));
            "place".to_string()
        }
    };
    let names = m.split(&step, &named(k, sums));
    let deeper = part(m, s.access, sums, &names);
    m.line(format!("let source = {} + {deeper};", s.base));
    for (n, component) in PARTS.iter().enumerate() {
        match s.listed {
            Some(_) => m.open(format!("if (line + {n}u < count)")),
            None => m.open(format!("if ({} + line + {n}u < {})", s.first, s.count)),
        }
        let own = match s.listed {
            Some(list) => format!("{list}[line + {n}u]"),
            None => {
                let names = m.split(&format!("({} + line + {n}u)", s.first), &named(k, s.loops));
                part(m, s.access, s.loops, &names)
            }
        };
        let x = m.load(s.access.buffer, &format!("source + {own}"));
        m.line(format!("value.{component} = {x};"));
        m.close();
    }
    m.close();
    m.line(format!("{}[step * {vectors}u + line / 4u] = value;", s.store));
    m.close();
}
