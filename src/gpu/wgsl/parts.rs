//! Parts of a long fold side by side: one thread a part and element, or tiles of a stretch of a product's sum.

use super::super::long::{How, Parts};
use super::super::program::{Grid, Item};
use super::super::stage::Placed;
use super::Emitter;
use super::kernel::{Cut, Nest};
use super::module::Module;
use super::special::LANES;
use super::tile::{self, Form, Stretches};
use crate::ir::Size;

impl Emitter<'_> {
    pub(super) fn parts_of(&mut self, p: &Parts, placed: &Placed) -> Item {
        let (k, places) = (&p.kernel, &placed.places);
        let work = super::work::flops(k);
        match p.how {
            How::Steps { looped, along } => self.shader(&k.name, LANES, places, work, &|m| steps(m, p, looped, along)),
            How::Tiles { deep, side } => {
                let cut = Stretches { count: &p.count, deep, stride: &p.stride };
                self.tiled(k, placed, &|m| tile::emit(m, k, k.value, side, Form::Cut(&cut)))
            }
        }
    }
}

fn steps(m: &mut Module, p: &Parts, looped: usize, along: bool) -> Grid {
    let k = &p.kernel;
    let mut loops: Vec<(String, Size)> =
        k.loops[..k.outer].iter().enumerate().map(|(n, l)| (format!("{}_{n}", l.name), l.size.clone())).collect();
    // Neighbouring threads read neighbours in memory.
    let at = if along { loops.len() } else { 0 };
    loops.insert(at, ("part".to_string(), p.count.clone()));
    let count = loops.iter().fold(Size::from(1i64), |n, l| n.mul(&l.1));
    let item = m.threads(&count, LANES);
    let mut counters = m.split(&item, &loops);
    let part = counters.remove(at);
    let mut nest = Nest::new(m, k, counters);
    let parts = nest.m.size(&p.count);
    nest.cut = Some(Cut { looped, part: part.clone(), parts, count: p.count.clone() });
    let value = nest.result();
    let place = nest.place();
    let step = m.times(&part, &p.stride);
    m.store(k.store.buffer, &format!("{place} + {step}"), &value);
    Grid::Work { count, per: LANES }
}
