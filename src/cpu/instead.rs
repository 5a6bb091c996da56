//! Steps that are computed together, without what one of them would write down for the next.

use super::attend::Attend;
use super::job::Job;
use super::windows::Windows;
use super::written::Written;
use crate::diag::{Code, Diagnostic};
use crate::plan::{self, Plan, Sizes, Step};

/// Puts them in the place of the last of their steps; the others have nothing to do.
pub(super) fn instead(plan: &Plan, jobs: &mut [Job], sizes: &Sizes) -> Result<(), Diagnostic> {
    let lost =
        |what: &str| Diagnostic::plain(Code::H0899, format!("{what} of the plan have no memory")).note("this is a bug in hnet");
    for t in &plan.taps {
        let geometry = plan::geometry(plan, t, sizes).ok_or_else(|| lost("windows"))?;
        jobs[t.product] = Job::Windows(Box::new(Windows::new(geometry)));
        jobs[t.gather] = Job::Done;
    }
    for f in &plan.finished {
        let finish = plan::finish(plan, f, sizes).ok_or_else(|| lost("products"))?;
        let Job::Windows(windows) = std::mem::replace(&mut jobs[f.taps.product], Job::Done) else { return Err(lost("products")) };
        jobs[f.kernel] = Job::Windows(Box::new(windows.finished(finish)));
    }
    for a in &plan.attends {
        let attention = plan::attention(plan, a, sizes).ok_or_else(|| lost("scores"))?;
        jobs[a.result] = Job::Attend(Box::new(Attend::new(attention)));
        a.between.iter().chain([&a.scores]).for_each(|k| jobs[*k] = Job::Done);
    }
    for w in &plan.written {
        let writing = plan::writing(plan, w, sizes).ok_or_else(|| lost("matrices"))?;
        jobs[w.product] = Job::Written(Box::new(Written::new(writing)));
        w.makers().for_each(|maker| jobs[maker] = Job::Done);
    }
    for b in &plan.biased {
        let row = plan::row(plan, b, sizes).ok_or_else(|| lost("products"))?;
        let (Job::Product { product, buffers: [_, x, y] }, Step::Kernel(k)) =
            (std::mem::replace(&mut jobs[b.product], Job::Done), &plan.steps[b.kernel])
        else {
            return Err(lost("products"));
        };
        jobs[b.kernel] = Job::Product { product: product.adding(row), buffers: [k.store.buffer, x, y] };
    }
    Ok(())
}
