//! Products of many factors: the digits of the product, what rounding took from them, and a power of two apart, so that no part of it
//! leaves f32 and the whole is right to a millionth.
//!
//! What is 0 or not finite has no power, and stays what IEEE makes of it.

use super::super::program::Grid;
use super::kernel::{Nest, Share};
use super::module::Module;
use super::special::LANES;
use crate::ir::{DType, Fold, Size};
use crate::plan::{Expr, Kernel, measured::gpu};

/// The functions that it takes: name, those that they call, text.
pub(super) const LIBRARY: &[(&str, &[&str], &str)] = &[
    ("Wide", &[], "struct Wide { high: f32, low: f32, power: i32 }\n"),
    (
        // What has lost digits is taken 2^24 times as large.
        "parted",
        &["Wide"],
        "fn parted(x: f32) -> Wide {
    let small = (bitcast<u32>(x) & 0x7f800000u) == 0u;
    let b = bitcast<u32>(select(x, x * 16777216.0, small));
    let e = i32((b >> 23u) & 0xffu);
    if (e == 0 || e == 255) { return Wide(x, 0.0, 0); }
    return Wide(bitcast<f32>((b & 0x807fffffu) | 0x3f800000u), 0.0, e - 127 - select(0, 24, small));
}
",
    ),
    (
        // Dekker's product: the halves of the digits are multiplied without rounding. What was lost stays below the last digit of what is
        // kept, or a million factors would make so much of it that its own products count; cutting a bit off keeps drivers from taking
        // `(a + b) - a` for b.
        "times",
        &["Wide"],
        "fn times(p: Wide, q: Wide) -> Wide {
    let a = bitcast<f32>(bitcast<u32>(p.high) & 0xfffff000u);
    let b = p.high - a;
    let c = bitcast<f32>(bitcast<u32>(q.high) & 0xfffff000u);
    let d = q.high - c;
    let all = p.high * q.high;
    let lost = ((a * c - all) + a * d + b * c) + b * d + (p.high * q.low + p.low * q.high);
    let fine = (bitcast<u32>(lost) & 0x7fffffffu) < 0x7f800000u;
    let both = bitcast<f32>(bitcast<u32>(all + lost) & 0xfffffffeu);
    let high = select(all, both, fine && lost != 0.0);
    let rest = select(0.0, (all - high) + lost, fine);
    let two = abs(high) >= 2.0;
    let half = select(1.0, 0.5, two);
    let power = clamp(p.power + q.power + select(0, 1, two), -0x20000000, 0x20000000);
    return Wide(high * half, rest * half, power);
}
",
    ),
    (
        "narrow",
        &["Wide"],
        "fn narrow(p: Wide) -> f32 {
    let n = clamp(p.power, -300, 300);
    let a = n / 3;
    let b = (n - a) / 2;
    let c = n - a - b;
    let all = select(p.high + p.low, p.high, p.low == 0.0);
    return all * bitcast<f32>((a + 127) << 23u) * bitcast<f32>((b + 127) << 23u) * bitcast<f32>((c + 127) << 23u);
}
",
    ),
];

/// Threads of a workgroup that is as large as any may be.
const MOST_LANES: u32 = 256;

/// How many threads share the products of a kernel, if one of them is long and no fold is inside another.
pub(super) fn lanes(k: &Kernel, size: &dyn Fn(&Size) -> i64) -> Option<u32> {
    let loops = |e: &Expr| if let Expr::Reduce { loops, .. } = e { loops.clone() } else { Vec::new() };
    let inside = k.body.iter().flat_map(loops).fold(0u128, |m, l| m | 1 << l);
    let deps = k.dependencies();
    let nested = k.body.iter().zip(&deps).any(|(e, d)| matches!(e, Expr::Reduce { .. }) && d & inside != 0);
    let product = |e: &&Expr| matches!(e, Expr::Reduce { fold: Fold::Prod, value, .. } if k.types[*value] == DType::F32);
    let factors = |e: &Expr| loops(e).iter().map(|l| size(&k.loops[*l].size)).fold(1, i64::saturating_mul);
    let most = k.body.iter().filter(product).map(factors).max().unwrap_or(0);
    (!nested && most > gpu::FACTORS_SHARED).then_some(if most > gpu::FACTORS_MANY { MOST_LANES } else { LANES })
}

/// A workgroup for each element: its threads share the folds.
pub(super) fn emit(m: &mut Module, k: &Kernel, lanes: u32) -> Grid {
    m.reserve("part other k");
    let outer: Vec<(String, Size)> =
        k.loops[..k.outer].iter().enumerate().map(|(n, l)| (format!("{}_{n}", l.name), l.size.clone())).collect();
    let count = outer.iter().fold(Size::from(1i64), |n, l| n.mul(&l.1));
    let element = m.fresh("element");
    m.line(format!("let {element} = wg.y * 65535u + wg.x;"));
    let n = m.size(&count);
    m.line(format!("if ({element} >= {n}) {{ return; }}"));
    let counters = m.split(&element, &outer);
    m.line("let part = lane;");
    let slots = [("partial", "f32"), ("partial_i", "i32"), ("partial_at", "i32"), ("partial_low", "f32")];
    let scratch = slots.map(|(name, kind)| m.shared(name, &format!("array<{kind}, {lanes}>")));
    let extents = k.loops.iter().map(|l| m.measure(&l.size)).collect();
    let mut nest = Nest::new(m, k, counters);
    nest.share = Some(Share { parts: lanes, apart: 1, scratch, extents });
    let value = nest.result();
    let place = nest.place();
    m.open("if (part == 0u)");
    m.store(k.store.buffer, &place, &value);
    m.close();
    Grid::Work { count, per: 1 }
}

/// A product of nothing.
pub(super) fn start(m: &mut Module) -> String {
    format!("{}(1.0, 0.0, 0)", m.function("Wide"))
}

/// One more factor.
pub(super) fn times(m: &mut Module, all: &str, x: &str) -> String {
    format!("{}({all}, {}({x}))", m.function("times"), m.function("parted"))
}

/// What the product is.
pub(super) fn narrow(m: &mut Module, all: &str) -> String {
    format!("{}({all})", m.function("narrow"))
}

/// The products of the threads of an element come together in a fixed order; every thread gets the whole.
pub(super) fn gather(m: &mut Module, s: &Share, all: &str) {
    let [high, power, _, low] = &s.scratch;
    for (slot, field) in [(high, "high"), (low, "low"), (power, "power")] {
        m.line(format!("{slot}[lane] = {all}.{field};"));
    }
    m.line("workgroupBarrier();");
    let wide = m.function("Wide");
    let of = |lane: &str| format!("{wide}({high}[{lane}], {low}[{lane}], {power}[{lane}])");
    m.line(format!("{all} = {};", of(&format!("lane - part * {}u", s.apart))));
    m.open(format!("for (var k = 1u; k < {}u; k++)", s.parts));
    let times = m.function("times");
    m.line(format!("{all} = {times}({all}, {});", of(&format!("lane + (k * {}u - part * {}u)", s.apart, s.apart))));
    m.close();
    m.line("workgroupBarrier();");
}
