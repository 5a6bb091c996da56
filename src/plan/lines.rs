//! Windows as rows of a product that lie where they lie: a row is several stretches of the source, one for each place of a window.
//!
//! In: the loops of a product over windows. Out: where each window is, and which of its places are outside. Strides and dilations make no
//! difference here.

use super::measured::plan::{LINE_COLUMNS, WINDOW_PLACES, WINDOW_TERMS};
use super::taps::{Moves, Roles, spread};
use std::collections::BTreeMap;

/// What a window sees. Of the places that are counted in [`Lines::taps`] those whose bits are 1 are `outside`.
#[derive(Clone, Copy, Debug)]
pub struct Pane {
    /// From where [`Lines::taps`] and [`Lines::channels`] count in the source, which may be before its first element.
    pub from: i64,
    /// In the result.
    pub to: i64,
    pub outside: u64,
}

/// Windows where they lie. A term of a sum is a channel of a place: both add up.
#[derive(Clone, Debug)]
pub struct Lines {
    /// Every place of a window, in the weights and in the source.
    pub taps: Vec<(usize, i64)>,
    /// Every channel, in the weights and in the source.
    pub channels: Vec<(usize, i64)>,
    pub windows: Vec<Pane>,
}

/// Axes that windows move along, at most.
const AXES: usize = 4;

/// For axes of these extents and strides, from index `start` on. `images` have the same weights. `None`: windows are too few, or too large.
pub(super) fn lines(axes: &[(i64, i64)], start: &[i64], roles: &Roles, columns: usize, images: i64) -> Option<Lines> {
    let count = |of: &[&Moves]| of.iter().map(|m| m.n).product::<i64>();
    let (places, near, deep) = (count(&roles.places), count(&roles.near), count(&roles.deep));
    let fits = columns >= LINE_COLUMNS && places * images >= WINDOW_PLACES as i64 && near * deep >= WINDOW_TERMS as i64;
    if !fits || axes.len() > AXES || near > i64::from(u64::BITS) {
        return None;
    }
    let listed = |of: &[&Moves], by: &dyn Fn(&Moves) -> i64| {
        let mut list = vec![[0; AXES + 1]];
        for m in of {
            spread(&mut list, m.n, std::array::from_fn(|d| if d == AXES { by(m) } else { m.along.get(d).copied().unwrap_or(0) }));
        }
        list
    };
    let taps = listed(&roles.near, &|m| m.w.unwrap_or(0));
    let along = |index: &[i64; AXES + 1]| index.iter().zip(axes).map(|(i, (_, stride))| i * stride).sum::<i64>();
    let mut channels = vec![[0, 0]];
    roles.deep.iter().for_each(|m| spread(&mut channels, m.n, [m.w.unwrap_or(0), m.x]));
    if channels.iter().any(|c| c[0] < 0) || taps.iter().any(|t| t[AXES] < 0) {
        return None;
    }
    // What is outside along an axis is the same for all windows of one index.
    let mut seen: Vec<BTreeMap<i64, u64>> = vec![BTreeMap::new(); axes.len()];
    let outside = |d: usize, index: i64| {
        let bit = |(n, t): (usize, &[i64; AXES + 1])| u64::from(!(0..axes[d].0).contains(&(index + t[d]))) << n;
        taps.iter().enumerate().map(bit).sum::<u64>()
    };
    let mut window = |place: &[i64; AXES + 1]| {
        let index: [i64; AXES + 1] = std::array::from_fn(|d| place[d] + start.get(d).copied().unwrap_or(0));
        let masks = seen.iter_mut().enumerate().map(|(d, seen)| *seen.entry(index[d]).or_insert_with(|| outside(d, index[d])));
        Pane { from: along(&index), to: place[AXES], outside: masks.fold(0, |all, m| all | m) }
    };
    Some(Lines {
        windows: listed(&roles.places, &|m| m.out.unwrap_or(0)).iter().map(&mut window).collect(),
        taps: taps.iter().map(|t| (t[AXES] as usize, along(t))).collect(),
        channels: channels.iter().map(|c| (c[0] as usize, c[1])).collect(),
    })
}
