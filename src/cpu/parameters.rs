//! Which parameters are laid out in panels for the products that read them, and when: with what is prepared.

use super::call::Ptr;
use super::job::Job;
use super::laid::Laid;
use crate::ir::Rate;
use crate::plan::measured::{cpu, plan::PANEL_BYTES};
use crate::plan::{Plan, Step};
use std::collections::BTreeSet;

/// Decides it, in the order of the steps. What a condition decides is not laid out: it would be with every condition. No more memory is
/// taken than a plan's share, nor than a share of `limit` bytes.
pub(super) fn lay_out(plan: &Plan, jobs: &mut [Job], limit: usize) {
    let mut room = PANEL_BYTES.min(limit / cpu::PANEL_SHARE) / size_of::<f32>();
    let written: BTreeSet<usize> = plan.steps[plan.prepared..].iter().flat_map(Step::writes).collect();
    let stays = |b: usize| plan.buffers[b].rate <= Rate::Parameter && !written.contains(&b);
    for job in &mut jobs[plan.prepared..] {
        if let Job::Product { product, buffers: [_, a, b] } = job {
            room -= product.lay_out([stays(*a), stays(*b)], room);
        } else if let Job::Grouped(g) = job {
            let stays = stays(g.matrices());
            room -= g.lay_out(stays, room);
        } else if let Job::Written(w) = job {
            room -= w.lay_out(room);
        } else if let Job::Windows(t) = job {
            room -= t.lay_out(stays(t.weights()), room);
        }
    }
}

/// Lays them out as they are now. `laid`: what is laid out already, and the age of what memory holds.
pub(super) fn pack(jobs: &mut [Job], ptrs: &[Ptr], laid: Option<(&Laid, u64)>) {
    for job in jobs {
        if let Job::Product { product, buffers: [_, a, b] } = job {
            product.pack(ptrs[*a], ptrs[*b], laid);
        } else if let Job::Grouped(g) = job {
            g.pack(ptrs, laid);
        } else if let Job::Written(w) = job {
            w.pack(ptrs, laid);
        } else if let Job::Windows(t) = job {
            t.pack(ptrs, laid);
        }
    }
}
