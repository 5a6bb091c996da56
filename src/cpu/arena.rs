//! Memory in which what a run computes lies.

use super::call::Ptr;
use crate::plan;

/// One cache line of memory.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Line(pub(super) [u32; 16]);

/// Memory for so many words, and for what is left out so that much of it begins with a page.
pub(super) fn lines(words: usize) -> Vec<Line> {
    let spare = if words < plan::PAGED { 1 } else { 1 + plan::PAGE / 16 };
    vec![Line([0; 16]); words.div_ceil(16) + spare]
}

/// The line at which such memory begins.
pub(super) fn first(lines: &[Line]) -> usize {
    let paged = lines.len() * 16 >= plan::PAGED + plan::PAGE;
    if paged { lines.as_ptr().align_offset(4 * plan::PAGE) } else { 0 }
}

/// Where such memory begins.
pub(super) fn words(lines: &mut [Line]) -> Ptr {
    let first = first(lines);
    lines.get_mut(first).map_or(Ptr::null(), |l| Ptr::of_words(&mut l.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_memory_begins_with_a_page_and_little_takes_little() {
        for n in [0, 1, 15, 16, 17, 1000, plan::PAGED - 1, plan::PAGED, plan::PAGED + 1, 5 * plan::PAGE, 100_000] {
            // Several at once, since one may begin with a page by chance.
            for made in [lines(n), lines(n), lines(n)] {
                let (lines, first) = (made.len(), first(&made));
                assert!(16 * (lines - first) > n, "{n} words have {lines} lines from {first} on");
                assert!(n >= plan::PAGED || lines == n.div_ceil(16) + 1, "{n} words take {lines} lines");
                assert!(n < plan::PAGED || made[first..].as_ptr().addr() % (4 * plan::PAGE) == 0, "{n} words begin amid a page");
            }
        }
    }
}
