//! Every kernel of products, for each kind of vector that this machine has, at the edges of its blocks.
#![allow(unsafe_code)]

use crate::cpu::call::{self, Ptr};
use crate::cpu::laid::Stored;
use crate::cpu::micro::Shape;
use crate::cpu::pack::Panels;
use crate::cpu::part::Bias;
use crate::cpu::places::{Places, Rows};
use crate::cpu::{micro, sweep, thin};

type Made = Vec<(&'static str, fn(&Shape, &[f32], &[f32], &mut [f32]))>;

/// Calls a kernel that needs features of the processor.
#[cfg(target_arch = "x86_64")]
macro_rules! with_features {
    ($kernel:path) => {
        // SAFETY: `kernels` names it where the processor has the features.
        |s, a, b, out| unsafe { $kernel(s, a, b, out) }
    };
}

/// The kernel of one row, for each of some; sums that are too long for it are in two parts.
fn by_row(kernel: fn(&Shape, &[f32], &[f32], &mut [f32]), s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    for i in 0..s.m {
        for from in (0..s.k).step_by(micro::SHORT) {
            let part = Shape { m: 1, k: micro::SHORT.min(s.k - from), add: s.add || from > 0, ..*s };
            kernel(&part, &a[i * s.a_row + from..], &b[from * s.b_row..], &mut out[i * s.out_row..]);
        }
    }
}

/// The kernels of this machine.
fn kernels() -> Made {
    let mut out: Made = vec![("rows, base", micro::rows_plain), ("swept, base", sweep::sweep_plain)];
    out.push(("row, base", |s, a, b, out| by_row(micro::row_plain, s, a, b, out)));
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            out.push(("rows, AVX2", with_features!(micro::rows_avx2)));
            out.push(("swept, AVX2", with_features!(sweep::sweep_avx2)));
            out.push(("row, AVX2", |s, a, b, out| by_row(with_features!(micro::row_avx2), s, a, b, out)));
        }
        if std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512vl") {
            out.push(("rows, AVX-512", with_features!(micro::rows_avx512)));
            out.push(("swept, AVX-512", with_features!(sweep::sweep_avx512)));
            out.push(("row, AVX-512", |s, a, b, out| by_row(with_features!(micro::row_avx512), s, a, b, out)));
        }
    }
    out
}

/// Numbers between -1 and 1.
fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut x = seed;
    let mut next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

#[test]
fn each_kernel_sums_what_f64_sums() {
    for (name, kernel) in kernels() {
        for m in [1, 2, 3, 4, 5, 7, 8, 13] {
            for n in [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 48, 50, 64, 97, 129] {
                for k in [1, 2, 31, 32, 33, 64, 65, 1025, 2049] {
                    // Rows of all three lie apart: what is between them stays as it is.
                    let (a_row, b_row, out_row) = (k + 3, n + 5, n + 2);
                    let (a, b) = (numbers(m * a_row, 1), numbers(k * b_row, 2));
                    for add in [false, true] {
                        let mut out = vec![7.0f32; (m - 1) * out_row + n];
                        kernel(&Shape { m, n, k, a_row, b_row, out_row, add }, &a, &b, &mut out);
                        for (at, got) in out.iter().enumerate() {
                            let (i, j) = (at / out_row, at % out_row);
                            if j >= n {
                                assert_eq!(*got, 7.0, "{name} {m}×{k}×{n}: between rows, at {at}");
                                continue;
                            }
                            let terms = (0..k).map(|t| f64::from(a[i * a_row + t]) * f64::from(b[t * b_row + j]));
                            let sum: f64 = terms.clone().sum::<f64>() + if add { 7.0 } else { 0.0 };
                            let size: f64 = terms.map(f64::abs).sum::<f64>() + 7.0;
                            assert!(
                                (f64::from(*got) - sum).abs() <= 1e-6 * size,
                                "{name} {m}×{k}×{n} ({i}, {j}): {got}, not {sum}"
                            );
                        }
                    }
                }
            }
        }
    }
}

/// Threads take columns of a product with few rows: a sum comes to the same bits whatever columns are beside it.
#[test]
fn swept_columns_are_the_same_in_any_share() {
    for (name, kernel) in kernels().into_iter().filter(|k| k.0.starts_with("swept")) {
        for m in [1, 2, 3, 5, 8, 9, 15] {
            let (n, k) = (203, 77);
            let (a, b) = (numbers(m * k, 5), numbers(k * n, 6));
            let of = |from: usize, to: usize| {
                let mut out = vec![0.0f32; m * (to - from)];
                let shape = Shape { m, n: to - from, k, a_row: k, b_row: n, out_row: to - from, add: false };
                kernel(&shape, &a, &b[from..], &mut out);
                out
            };
            let all = of(0, n);
            for (from, to) in [(0, 16), (16, 64), (48, 112), (64, 80), (96, 203), (112, 203), (192, 203)] {
                let part = of(from, to);
                for (i, row) in part.chunks(to - from).enumerate() {
                    let whole = &all[i * n + from..i * n + to];
                    let same = row.iter().zip(whole).all(|(x, y)| x.to_bits() == y.to_bits());
                    assert!(same, "{name}: row {i} of {m}, columns {from} to {to}");
                }
            }
        }
    }
}

type Thin = Vec<(&'static str, fn(&thin::Shape, &[f32], &[f32], &mut [f32]))>;

/// The kernels for few columns of this machine.
fn thin_kernels() -> Thin {
    let mut out: Thin = vec![("thin, base", thin::thin_plain)];
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            out.push(("thin, AVX2", with_features!(thin::thin_avx2)));
        }
        if std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512vl") {
            out.push(("thin, AVX-512", with_features!(thin::thin_avx512)));
        }
    }
    out
}

/// Results lie row by row and column by column; a row comes to the same bits whatever rows are beside it.
#[test]
fn products_of_few_columns_sum_what_f64_sums() {
    for (name, kernel) in thin_kernels() {
        for (m, n, k) in [(1, 2, 32), (5, 3, 64), (9, 4, 33), (6, 5, 100), (17, 8, 4096), (3, 7, 47), (4, 2, 39), (8, 1, 16)] {
            let a_row = k + 3;
            let (a, mut columns) = (numbers(m * a_row, 1), numbers(n * k, 2));
            columns.resize(n.next_multiple_of(thin::TOGETHER) * k, 0.0);
            for (out_row, out_col) in [(n + 1, 1), (1, m + 2)] {
                for add in [false, true] {
                    let run = |m: usize, a: &[f32]| {
                        let mut out = vec![7.0f32; (m - 1) * out_row + (n - 1) * out_col + 1];
                        kernel(&thin::Shape { m, n, k, a_row, out_row, out_col, add }, a, &columns, &mut out);
                        out
                    };
                    let out = run(m, &a);
                    for i in 0..m {
                        let alone = run(1, &a[i * a_row..]);
                        for j in 0..n {
                            let terms = (0..k).map(|t| f64::from(a[i * a_row + t]) * f64::from(columns[j * k + t]));
                            let sum: f64 = terms.clone().sum::<f64>() + if add { 7.0 } else { 0.0 };
                            let size: f64 = terms.map(f64::abs).sum::<f64>() + 7.0;
                            let got = out[i * out_row + j * out_col];
                            assert!(
                                (f64::from(got) - sum).abs() <= 1e-6 * size,
                                "{name} {m}×{k}×{n} ({i}, {j}): {got}, not {sum}"
                            );
                            assert_eq!(got.to_bits(), alone[j * out_col].to_bits(), "{name} {m}×{k}×{n} ({i}, {j})");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn nan_and_infinity_stay_in_their_column() {
    for (name, kernel) in kernels() {
        let (m, n, k) = (5, 21, 40);
        let (a, mut b) = (numbers(m * k, 1), numbers(k * n, 2));
        (b[3 * n + 20], b[9 * n + 2]) = (f32::NAN, f32::INFINITY);
        let mut out = vec![0.0; m * n];
        kernel(&Shape { m, n, k, a_row: k, b_row: n, out_row: n, add: false }, &a, &b, &mut out);
        for (at, x) in out.iter().enumerate() {
            let right = match at % n {
                20 => x.is_nan(),
                2 => x.is_infinite(),
                _ => x.is_finite(),
            };
            assert!(right, "{name} ({}, {}): {x}", at / n, at % n);
        }
    }
}

/// The product of `a` and `b` in panels, each row where `places` say.
fn with_panels(panels: &Panels, (a, a_row): (&[f32], usize), places: &[i64], out: &mut [f32], threads: usize) {
    let from: Vec<i64> = (0..places.len()).rev().map(|i| (i * a_row) as i64).collect();
    let a = Rows { at: Ptr::of_f32(a), places: Places::Listed(&from), step: 1 };
    let out = Rows { at: Ptr::of_f32_mut(out), places: Places::Listed(places), step: 1 };
    panels.multiply(0, &a, &out, None, threads);
}

#[test]
fn panels_sum_what_f64_sums() {
    for form in call::forms() {
        for m in [1, 2, 3, 5, 6, 7, 11, 12, 13, 25, 241] {
            for n in [1, 15, 16, 17, 31, 32, 33, 65] {
                for k in [1, 2, 255, 256, 257, 600] {
                    let (a_row, b_row, out_row) = (k + 3, n + 5, n + 2);
                    let (a, b) = (numbers(m * a_row, 1), numbers(k * b_row, 2));
                    let turned: Vec<f32> = (0..n * k).map(|at| b[at % k * b_row + at / k]).collect();
                    let places: Vec<i64> = (0..m).rev().map(|i| (i * out_row) as i64).collect();
                    let mut panels = Panels::of(*form, k, n);
                    let mut made = vec![];
                    for matrix in [
                        Stored { at: Ptr::of_f32(&b), count: 1, apart: 0, row: b_row as i64, col: 1 },
                        Stored { at: Ptr::of_f32(&turned), count: 1, apart: 0, row: 1, col: k as i64 },
                    ] {
                        panels.fill(&matrix, None);
                        for threads in [1, 3] {
                            let mut out = vec![7.0f32; (m - 1) * out_row + n];
                            with_panels(&panels, (&a, a_row), &places, &mut out, threads);
                            made.push(out);
                        }
                    }
                    // Neither the layout nor the number of threads changes a bit.
                    assert!(made.iter().all(|o| o == &made[0]), "{form:?} {m}×{k}×{n}");
                    for (at, got) in made[0].iter().enumerate() {
                        let (i, j) = (at / out_row, at % out_row);
                        if j >= n {
                            assert_eq!(*got, 7.0, "{form:?} {m}×{k}×{n}: between rows, at {at}");
                            continue;
                        }
                        let terms = (0..k).map(|t| f64::from(a[i * a_row + t]) * f64::from(b[t * b_row + j]));
                        let (sum, size) = (terms.clone().sum::<f64>(), terms.map(f64::abs).sum::<f64>());
                        assert!(
                            (f64::from(*got) - sum).abs() <= 1e-6 * size,
                            "{form:?} {m}×{k}×{n} ({i}, {j}): {got}, not {sum}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn rows_with_strides_and_what_is_no_number_stay_in_their_places() {
    let (m, n, k) = (13, 40, 70);
    for form in call::forms() {
        let (mut a, mut b) = (numbers(m * k, 3), numbers(k * n, 4));
        // Row 2 meets an infinity times 0, column 5 a NaN.
        a[2] = f32::INFINITY;
        b[..n].fill(0.0);
        b[3 * n + 5] = f32::NAN;
        let mut panels = Panels::of(*form, k, n);
        panels.fill(&Stored { at: Ptr::of_f32(&b), count: 1, apart: 0, row: n as i64, col: 1 }, None);
        // `a` lies by columns, and so does the result.
        let mut out = vec![0.0f32; m * n];
        let places = Places::Even { stride: 1, count: m };
        let rows = Rows { at: Ptr::of_f32(&a), places, step: m as i64 };
        panels.multiply(0, &rows, &Rows { at: Ptr::of_f32_mut(&mut out), places, step: m as i64 }, None, 1);
        for i in 0..m {
            for j in 0..n {
                let sum: f64 = (0..k).map(|t| f64::from(a[t * m + i]) * f64::from(b[t * n + j])).sum();
                let got = f64::from(out[j * m + i]);
                assert!((got - sum).abs() <= 1e-4 || got.is_nan() && sum.is_nan(), "{form:?} ({i}, {j}): {got}, not {sum}");
            }
        }
        // A row is added to whole sums: with the bits of an addition afterwards, wherever rows go.
        let bias = numbers(2 * n, 5);
        for (step, apart) in [(1, false), (2, false), (1, true)] {
            let added = Bias { at: Ptr::of_f32(&bias), step };
            let mut sums = vec![0.0f32; m * n];
            let to = |out: &mut [f32]| match apart {
                true => Rows { at: Ptr::of_f32_mut(out), places, step: m as i64 },
                false => Rows { at: Ptr::of_f32_mut(out), places: Places::Even { stride: n as i64, count: m }, step: 1 },
            };
            panels.multiply(0, &rows, &to(&mut sums), Some(added), 2);
            for i in 0..m {
                for j in 0..n {
                    let (got, plain) = (sums[if apart { j * m + i } else { i * n + j }], out[j * m + i]);
                    assert_eq!(got.to_bits(), (plain + bias[j * step as usize]).to_bits(), "{form:?} ({i}, {j})");
                }
            }
        }
    }
}
