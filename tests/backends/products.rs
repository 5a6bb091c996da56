//! Products of many factors: no part of them leaves what a number can hold, whatever the order, on every backend.

use crate::common::make::{F, Make, k, n};
use crate::suite::Case;
use hnet::ir::{Data, Fold, Op, Origin};

const INF: f32 = f32::INFINITY;

/// What every way makes of the products of these columns.
fn gives(free: usize, x: &[f32], want: [f64; 3]) {
    let mut m = Make::new(free);
    let x = m.input_as(Origin::Input, &[n(), k(3)], Data::F32(x.to_vec()));
    let down = m.add(Op::Fold(Fold::Prod), F, &[k(3)], &[n()], &[(x, &[1, 0])]);
    Case::made("products", &m, &[down]).all(1e-6, &[("0", &want)]);
}

/// The same factor in every column, by its place.
fn columns(free: usize, factor: impl Fn(usize) -> f32) -> Vec<f32> {
    (0..free * 3).map(|i| factor(i / 3)).collect()
}

#[test]
fn large_and_small_factors_in_any_order_make_their_product() {
    for half in [1, 2, 7, 650, 5000] {
        let free = 2 * half;
        // All the large ones first, all the small ones first, by turns.
        let x: Vec<f32> = (0..free)
            .flat_map(|i| {
                let first = if i < half { 1024.0 } else { 1.0 / 1024.0 };
                [first, 1.0 / first, if i % 2 == 0 { 3e38 } else { 1.0 / 3e38f32 }]
            })
            .collect();
        let last = (0..half).fold(1.0f64, |p, _| p * f64::from(3e38f32) * f64::from(1.0 / 3e38f32));
        gives(free, &x, [1.0, 1.0, last]);
    }
}

#[test]
fn products_at_every_length() {
    for free in [0, 1, 3, 35, 1301, 40_001] {
        // 1.5 and 2/3 by turns, rounded: what is left of them is far from 1 after a while.
        let x = columns(free, |i| if i % 2 == 0 { 1.5 } else { 1.0 / 1.5 });
        let want = (0..free).fold(1.0f64, |p, i| p * f64::from(if i % 2 == 0 { 1.5f32 } else { 1.0 / 1.5 }));
        gives(free, &x, [want; 3]);
    }
}

#[test]
fn what_leaves_f32_in_the_end_does() {
    gives(300, &columns(300, |_| 2.0), [f64::INFINITY; 3]);
    gives(301, &columns(301, |_| -2.0), [f64::NEG_INFINITY; 3]);
    gives(127, &columns(127, |_| 2.0), [2f64.powi(127); 3]);
    gives(300, &columns(300, |_| 0.5), [0.0; 3]);
    gives(126, &columns(126, |_| 0.5), [2f64.powi(-126); 3]);
}

#[test]
fn nothing_infinite_and_missing_factors() {
    for free in [3, 40, 5001] {
        for at in [0, 1, free - 1] {
            let one = |x: f32| columns(free, move |i| if i == at { x } else { 1e10 });
            gives(free, &one(0.0), [0.0; 3]);
            gives(free, &one(INF), [INF.into(); 3]);
            gives(free, &one(-INF), [(-INF).into(); 3]);
            gives(free, &one(f32::NAN), [f64::NAN; 3]);
            let both = columns(free, move |i| {
                if i == at {
                    0.0
                } else if i == 2 && at != 2 || i == 1 && at == 2 {
                    INF
                } else {
                    1e10
                }
            });
            gives(free, &both, [f64::NAN; 3]);
        }
    }
}

#[test]
fn a_million_factors_near_one() {
    let free = 1_000_003;
    let near = |i: usize| 1.0 + if i.is_multiple_of(2) { 3e-6 } else { -2.9e-6 } as f32;
    let want = (0..free).fold(1.0f64, |p, i| p * f64::from(near(i)));
    gives(free, &columns(free, near), [want; 3]);
}

/// What rounding takes from equal factors has one sign, and adds up; and they are more than a software device goes through in one workgroup
/// of the usual width.
#[test]
fn millions_of_equal_factors() {
    for (free, factor) in [(3_000_000, 1.000_000_3f32), (5_000_001, 0.999_999_9), (5_000_001, -1.000_000_1)] {
        let mut m = Make::new(free);
        let x = m.input_as(Origin::Input, &[n()], Data::F32(vec![factor; free]));
        let all = m.add(Op::Fold(Fold::Prod), F, &[], &[n()], &[(x, &[0])]);
        let power = (f64::from(factor).abs().ln() * free as f64).exp();
        let want = if factor < 0.0 { -power } else { power };
        Case::made("equal factors", &m, &[all]).all(1e-6, &[("0", &[want])]);
    }
}
