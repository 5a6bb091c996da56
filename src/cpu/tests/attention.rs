//! Attention for each kind of vector that this machine has, and folds of whole rows, against sums in f64.
#![allow(unsafe_code)]

use crate::cpu::attend::Attend;
use crate::cpu::call::{self, Ptr};
use crate::cpu::exec::Exec;
use crate::plan::{Around, Attention, Pair, Softmax};

fn numbers(n: usize, seed: u32) -> Vec<f32> {
    (0..n as u32).map(|i| ((i.wrapping_mul(2_654_435_761).wrapping_add(seed * 97) >> 8) % 2000) as f32 / 1000.0 - 1.0).collect()
}

/// Two heads that lie between one another, with keys of their own.
#[test]
fn attention_is_what_f64_says_for_every_kind_of_vector() {
    let (heads, inner, width) = (2usize, 5usize, 7usize);
    for (queries, keys) in [(8, 16), (49, 33), (100, 70), (13, 130)] {
        for causal in [false, true] {
            let softmax = Softmax { scale: 1.5, causal: causal.then_some((0, 0)) };
            let (q, k, v) =
                (numbers(queries * heads * inner, 1), numbers(keys * heads * inner, 2), numbers(keys * heads * width, 3));
            let at = |n: usize| n as i64;
            let of = Attention {
                q: (0, 0),
                k: (1, 0),
                v: (2, 0),
                out: (3, 0),
                around: vec![Around { n: at(heads), q: at(inner), k: at(inner), v: at(width), out: at(width) }],
                queries: Pair(at(queries), at(heads * inner), at(heads * width)),
                keys: Pair(at(keys), at(heads * inner), at(heads * width)),
                inner: Pair(at(inner), 1, 1),
                width: Pair(at(width), 1, 1),
                softmax,
            };
            for form in call::forms() {
                let mut out = vec![9.0f32; queries * heads * width];
                let ptrs = [Ptr::of_f32(&q), Ptr::of_f32(&k), Ptr::of_f32(&v), Ptr::of_f32_mut(&mut out)];
                Attend::with(of.clone(), *form).run(&ptrs, Exec { pool: None, threads: 1 });
                for (n, got) in out.iter().enumerate() {
                    let (t, h, e) = (n / (heads * width), n / width % heads, n % width);
                    let seen = if causal { (t + 1).min(keys) } else { keys };
                    let score = |s: usize| -> f64 {
                        let (q, k) = (&q[(t * heads + h) * inner..][..inner], &k[(s * heads + h) * inner..][..inner]);
                        q.iter().zip(k).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>() * 1.5
                    };
                    let shares: Vec<f64> = (0..seen).map(|s| score(s).exp()).collect();
                    let total: f64 = shares.iter().sum();
                    let value = |s: usize| f64::from(v[(s * heads + h) * width + e]);
                    let sum: f64 = shares.iter().enumerate().map(|(s, p)| p / total * value(s)).sum();
                    assert!(
                        (f64::from(*got) - sum).abs() < 2e-6,
                        "{form:?} {queries} × {keys} ({t}, {h}, {e}): {got}, not {sum}"
                    );
                }
            }
        }
    }
}

/// A kind of vector, and its folds of whole rows: sum, sum of products, greatest, least.
#[cfg(target_arch = "x86_64")]
type Folds = (&'static str, [fn(&[f32], &[f32]) -> f32; 4]);

/// Those of this machine.
#[cfg(target_arch = "x86_64")]
fn folds() -> Vec<Folds> {
    use crate::cpu::whole::{whole_dot, whole_max, whole_min, whole_sum};
    macro_rules! of {
        ($width:ident) => {{
            // SAFETY: they are named below, where the processor has the features; so for all four.
            let sum: fn(&[f32], &[f32]) -> f32 = |a, b| unsafe { whole_sum::$width(a, b) };
            // SAFETY: as above.
            let dot: fn(&[f32], &[f32]) -> f32 = |a, b| unsafe { whole_dot::$width(a, b) };
            // SAFETY: as above.
            let max: fn(&[f32], &[f32]) -> f32 = |a, b| unsafe { whole_max::$width(a, b) };
            // SAFETY: as above.
            let min: fn(&[f32], &[f32]) -> f32 = |a, b| unsafe { whole_min::$width(a, b) };
            [sum, dot, max, min]
        }};
    }
    let mut out: Vec<Folds> = vec![];
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        out.push(("AVX2", of!(avx2)));
        if std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512vl") {
            out.push(("AVX-512", of!(avx512)));
        }
    }
    out
}

#[cfg(target_arch = "x86_64")]
#[test]
fn whole_rows_fold_to_what_f64_says_with_the_same_bits() {
    for n in [0, 1, 2, 31, 32, 33, 63, 64, 65, 1000, 1023, 1024, 1025, 5001] {
        let (a, b) = (numbers(n, 1), numbers(n, 2));
        let wide = |x: &f32| f64::from(*x);
        let expected = [
            a.iter().map(wide).sum::<f64>(),
            a.iter().zip(&b).map(|(x, y)| wide(x) * wide(y)).sum(),
            a.iter().map(wide).fold(f64::NEG_INFINITY, f64::max),
            a.iter().map(wide).fold(f64::INFINITY, f64::min),
        ];
        let all = folds();
        for (name, folds) in &all {
            for (which, (fold, expected)) in folds.iter().zip(expected).enumerate() {
                let got = fold(&a, &b);
                let size: f64 = a.iter().map(|x| wide(x).abs()).sum();
                let fits = f64::from(got) == expected || (f64::from(got) - expected).abs() <= 2e-7 * size;
                assert!(fits, "{name}, {which} of {n}: {got}, not {expected}");
                assert_eq!(got.to_bits(), all[0].1[which](&a, &b).to_bits(), "{name}, {which} of {n}");
                // NaN anywhere is what comes out.
                for at in [0, n / 2, n.saturating_sub(1)].into_iter().filter(|_| n > 0) {
                    let mut bad = a.clone();
                    bad[at] = f32::NAN;
                    assert!(fold(&bad, &b).is_nan(), "{name}, {which} of {n}, NaN at {at}");
                }
            }
        }
    }
}
