//! How steps run: alone, or split among threads where the work is worth them. No bit of a result shows which.

use super::call;
use crate::plan::measured::cpu;
use rayon::{ThreadPool, Yield};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// How steps run.
#[derive(Clone, Copy)]
pub(super) struct Exec<'a> {
    pub pool: Option<&'a ThreadPool>,
    pub threads: usize,
}

impl Exec<'_> {
    /// Runs steps, in the pool if those of them that may be split are so much `work`: then none of them has to enter it, and its other threads wait
    /// awake between them for a while.
    pub(super) fn enter(self, work: f64, steps: impl FnOnce(Exec) + Send) {
        let Some(pool) = self.pool.filter(|_| work >= cpu::ENTERS_FROM) else { return steps(Exec { pool: None, threads: 1 }) };
        let over = AtomicBool::new(false);
        pool.scope(|s| {
            let (own, over) = (rayon::current_thread_index(), &over);
            for _ in 1..self.threads {
                s.spawn(move |_| wait(own, over));
            }
            call::clean();
            steps(self);
            over.store(true, Ordering::Relaxed);
        });
    }

    /// Runs what uses threads itself, where the work is worth them.
    pub(super) fn whole(&self, work: f64, f: &(dyn Fn(usize) + Sync)) {
        match self.pool.filter(|_| work >= cpu::SPLITS_FROM) {
            Some(pool) => pool.install(|| f(self.threads)),
            None => f(1),
        }
    }

    /// Runs parts of 0..n, in parallel where the work is worth it.
    pub(super) fn split(&self, n: i64, unit: i64, work: f64, f: &(dyn Fn(i64, i64) + Sync)) {
        let whole = n / unit.max(1);
        let parts = (self.threads as i64).min(whole);
        let Some(pool) = self.pool.filter(|_| parts > 1 && work >= cpu::SPLITS_FROM) else { return f(0, n) };
        pool.scope(|s| {
            for p in 0..parts {
                s.spawn(move |_| {
                    // A library's worker may have left this thread's registers dirty.
                    call::clean();
                    f(whole * p / parts * unit, if p + 1 == parts { n } else { whole * (p + 1) / parts * unit });
                });
            }
        });
    }
}

/// Takes what is split off, until all is over or nothing came for a while. The thread that splits does not wait for itself.
fn wait(splits: Option<usize>, over: &AtomicBool) {
    let mut last = Instant::now();
    while !over.load(Ordering::Relaxed) && rayon::current_thread_index() != splits {
        match rayon::yield_now() {
            Some(Yield::Executed) => last = Instant::now(),
            Some(Yield::Idle) | None if last.elapsed() > cpu::AWAKE => return,
            Some(Yield::Idle) | None => std::hint::spin_loop(),
        }
    }
}
