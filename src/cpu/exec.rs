//! How steps run: alone, or split among threads where the work is worth them. No bit of a result shows which.

use super::call;
use rayon::ThreadPool;

/// Work below which a second thread costs more than it gives.
pub(super) const WORTHWHILE: f64 = 1.5e6;

/// How steps run.
#[derive(Clone, Copy)]
pub(super) struct Exec<'a> {
    pub pool: Option<&'a ThreadPool>,
    pub threads: usize,
}

impl Exec<'_> {
    /// Runs what uses threads itself, where the work is worth them.
    pub(super) fn whole(&self, work: f64, f: &(dyn Fn(usize) + Sync)) {
        match self.pool.filter(|_| work >= WORTHWHILE) {
            Some(pool) => pool.install(|| f(self.threads)),
            None => f(1),
        }
    }

    /// Runs parts of 0..n, in parallel where the work is worth it.
    pub(super) fn split(&self, n: i64, unit: i64, work: f64, f: &(dyn Fn(i64, i64) + Sync)) {
        let whole = n / unit.max(1);
        let parts = (self.threads as i64).min(whole);
        let Some(pool) = self.pool.filter(|_| parts > 1 && work >= WORTHWHILE) else { return f(0, n) };
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
