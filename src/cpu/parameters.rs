//! What is decided once a plan's sizes are known: which parameters are laid out in panels for the products that read them, with what is prepared, and
//! what computes the other products.

use super::call::Ptr;
use super::grouped::Grouped;
use super::instead::instead;
use super::job::Job;
use super::laid::Laid;
use super::multiply::By;
use super::product::Product;
use crate::ir::pin::{AS_THEY_LIE, LAID_OUT, LIBRARY_KERNEL, OWN_KERNEL};
use crate::ir::sizes::known;
use crate::ir::{Rate, Size};
use crate::plan::measured::cpu::PANEL_SHARE;
use crate::plan::measured::plan::PANEL_BYTES;
use crate::plan::{Choices, Decision, Fate, Plan, Sizes, Step, Way, What};
use std::collections::BTreeSet;

/// Decides it, in the order of the steps. What a condition decides is not laid out: it would be with every condition. No more memory is
/// taken than a plan's share, nor than a share of `limit` bytes.
pub(super) fn settle(plan: &Plan, jobs: &mut [Job], limit: usize) {
    noted(plan, jobs, limit, &Choices::of(&plan.terms, &plan.pins));
}

/// All that is decided for compiled code, in the plan and beyond it, and what becomes of each pin of the graph.
pub fn decided(plan: &Plan, sizes: &Sizes) -> (Vec<Decision>, Vec<Fate>) {
    let choices = Choices::of(&plan.terms, &plan.pins);
    beyond(plan, sizes, &choices);
    let (more, fates) = choices.into_decisions();
    let fates = plan.fates.iter().zip(fates).map(|(a, b)| (*a).max(b)).collect();
    (plan.decisions.iter().cloned().chain(more).collect(), fates)
}

/// What is decided beyond a plan, and beyond those of the loops in it.
fn beyond(plan: &Plan, sizes: &Sizes, choices: &Choices) {
    let size = |s: &Size| known(s, sizes);
    // Only products are looked at.
    let product = |step: &Step| match step {
        Step::Product(p) => Job::Product { product: Product::new(p, &size), buffers: [p.out.0, p.a.0, p.b.0] },
        Step::Grouped(g) => Job::Grouped(Box::new(Grouped::new(g, &size))),
        Step::Kernel(_) | Step::Segments(_) | Step::Order { .. } | Step::Scan { .. } | Step::Assign { .. } => Job::Done,
        Step::Scatter { .. } | Step::Random { .. } | Step::Rounds(_) => Job::Done,
    };
    let mut jobs: Vec<Job> = plan.steps.iter().map(product).collect();
    // What cannot be together is said when it is to run.
    if instead(plan, &mut jobs, sizes).is_ok() {
        noted(plan, &mut jobs, usize::MAX, choices);
    }
    for step in &plan.steps {
        if let Step::Rounds(r) = step {
            beyond(&r.body, sizes, choices);
        }
    }
}

fn noted(plan: &Plan, jobs: &mut [Job], limit: usize, choices: &Choices) {
    let mut room = PANEL_BYTES.min(limit / PANEL_SHARE) / size_of::<f32>();
    let written: BTreeSet<usize> = plan.steps[plan.prepared..].iter().flat_map(Step::writes).collect();
    let stays = |b: usize| plan.buffers[b].rate <= Rate::Parameter && !written.contains(&b);
    let taken = |what: What, step: usize, ways: [&str; 2]| {
        let made = plan.steps[step].writes();
        let name = made.first().map_or("", |b| &plan.buffers[*b].name);
        let decision = choices.choose(what, plan.about[step].clone(), name, ways.map(Way::unpriced).to_vec());
        let first = decision.taken == 0;
        choices.note([decision]);
        first
    };
    for (k, job) in jobs.iter_mut().enumerate().skip(plan.prepared) {
        let length = lay_out(job, &stays, room);
        if length > 0 && !taken(What::Panels, k, [LAID_OUT, AS_THEY_LIE]) {
            leave(job);
        } else {
            room -= length;
        }
    }
    for (k, job) in jobs.iter_mut().enumerate() {
        let Job::Product { product, .. } = job else { continue };
        if let Some(both) = product.kernels() {
            let ways = both.map(|by| if by == By::Library { LIBRARY_KERNEL } else { OWN_KERNEL });
            if !taken(What::Kernel, k, ways) {
                product.take(both[1]);
            }
        }
        product.settle();
    }
}

/// Has parameters laid out that a product reads, where that pays; as many elements as their panels will have.
fn lay_out(job: &mut Job, stays: &dyn Fn(usize) -> bool, room: usize) -> usize {
    if let Job::Product { product, buffers: [_, a, b] } = job {
        product.lay_out([stays(*a), stays(*b)], room)
    } else if let Job::Grouped(g) = job {
        let stays = stays(g.matrices());
        g.lay_out(stays, room)
    } else if let Job::Written(w) = job {
        w.lay_out(room)
    } else if let Job::Windows(t) = job {
        t.lay_out(stays(t.weights()), room)
    } else {
        0
    }
}

/// Has them read as they lie.
fn leave(job: &mut Job) {
    if let Job::Product { product, .. } = job {
        product.leave();
    } else if let Job::Grouped(g) = job {
        g.leave();
    } else if let Job::Written(w) = job {
        w.lay_out(0);
    } else if let Job::Windows(t) = job {
        t.lay_out(false, 0);
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
