//! What was decided, as a picture.

use super::measure::Measured;
use super::plan::{Held, at_sizes, each, pinned, place};
use super::short;
use super::short::range;
use crate::draw::bars::{self, Bar, Group};
use crate::ir::Sym;
use crate::source::Sources;

/// The decisions as SVG, equal layers once.
pub(super) fn drawn(model: &str, sources: &Sources, sizes: &std::collections::BTreeMap<Sym, i64>, held: &[Held]) -> String {
    let group = |(h, times): (&Held, usize)| {
        let d = h.decision;
        let bar = |(n, way): (usize, &crate::plan::Way)| Bar {
            text: way.text.clone(),
            ns: way.ns,
            measured: h.measured.get(n).and_then(Measured::seconds).map(|s| 1e9 * s),
            taken: n == d.taken,
        };
        let ranges: Vec<String> = h.ranges.iter().map(range).collect();
        let holds = (!ranges.is_empty()).then(|| format!("holds for {}", ranges.join(", and for ")));
        let by = pinned(sources, d).map(|by| format!("pinned by {by}"));
        let about: Vec<String> = [place(sources, d.site.span), by, holds].into_iter().flatten().collect();
        Group {
            title: format!(
                "{} of {}{}",
                d.site.what.word(),
                d.name,
                if times > 1 { format!(", {times} times") } else { String::new() }
            ),
            about: about.join(" · "),
            bars: d.ways.iter().enumerate().map(bar).collect(),
        }
    };
    // There are many of those without a price, and all of them look alike.
    let groups: Vec<Group> = each(held).into_iter().filter(|(h, _)| !short::is_short(h)).map(group).collect();
    bars::write(&format!("{model}{}", at_sizes(sizes)), &groups)
}
