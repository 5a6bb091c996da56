//! Sums keep their digits: whatever the shape of the loops, as long as they are, the same for any number of threads.

use crate::common::bits;
use crate::common::make::{F, I, Make, k, n};
use hnet::cpu::Options;
use hnet::exec::Engine;
use hnet::ir::interp::evaluate;
use hnet::ir::{Data, Tensor};
use hnet::ir::{Fold, Map, NodeId, Op, Origin, Size};

/// How far a sum of positive terms may be from f64's, relative to itself.
const DIGITS: f64 = 1e-6;

/// The same number everywhere, so that rounding errs in one direction; or numbers of 0..1.
fn positive(m: &mut Make, shape: &[Size], constant: Option<f32>) -> NodeId {
    let id = m.f(shape);
    let Op::Source { path, .. } = m.graph.node(id).op.clone() else { unreachable!() };
    let Data::F32(v) = &mut m.bindings.sources.get_mut(&*path).unwrap().data else { unreachable!() };
    v.iter_mut().for_each(|x| *x = constant.unwrap_or(x.abs()));
    id
}

fn run(m: &Make, wanted: &[NodeId], threads: usize) -> Vec<Tensor> {
    let mut engine = Engine::cpu_unoptimized(&m.graph, wanted, &Options { threads, ..Options::default() }).unwrap();
    engine.run(&m.bindings).unwrap()
}

/// Every element is right to a millionth, and the same to the last bit for one, two and three threads.
fn check(what: &str, m: &Make, wanted: &[NodeId]) {
    let expect = evaluate(&m.graph, &m.bindings, wanted).unwrap();
    let first = run(m, wanted, 1);
    for (k, (got, want)) in first.iter().zip(&expect).enumerate() {
        for (a, b) in got.to_f64().iter().zip(want.to_f64()) {
            assert!((a - b).abs() <= DIGITS * b.abs(), "{what}, {} terms, output {k}: {a:e}, not {b:e}", m.free);
        }
    }
    for threads in [2, 3] {
        for (k, (a, b)) in run(m, wanted, threads).iter().zip(&first).enumerate() {
            assert!(bits(a) == bits(b), "{what}, {} terms, output {k}: {threads} threads sum otherwise", m.free);
        }
    }
}

const LENGTHS: [usize; 5] = [0, 1, 35, 1000, 300_007];

#[test]
fn folds_of_any_shape_keep_their_digits() {
    let sum = || Op::Fold(Fold::Sum);
    for free in LENGTHS {
        for constant in [Some(0.1), None] {
            let mut m = Make::new(free);
            let rows = positive(&mut m, &[n(), k(3)], constant);
            let columns = positive(&mut m, &[k(3), n()], constant);
            let middle = positive(&mut m, &[k(2), n(), k(5)], constant);
            let all = m.add(sum(), F, &[], &[n(), k(3)], &[(rows, &[0, 1])]);
            let each = m.add(sum(), F, &[n()], &[k(3)], &[(rows, &[0, 1])]);
            let then = m.add(sum(), F, &[], &[n()], &[(each, &[0])]);
            let down = m.add(sum(), F, &[k(3)], &[n()], &[(rows, &[1, 0])]);
            let along = m.add(sum(), F, &[k(3)], &[n()], &[(columns, &[0, 1])]);
            let turned = m.add(sum(), F, &[], &[n(), k(3)], &[(columns, &[1, 0])]);
            let inside = m.add(sum(), F, &[k(2), k(5)], &[n()], &[(middle, &[0, 2, 1])]);
            let outside = m.add(sum(), F, &[k(5)], &[k(2), n()], &[(middle, &[1, 2, 0])]);
            check("folds", &m, &[all, each, then, down, along, turned, inside, outside]);
        }
    }
}

#[test]
fn loops_that_are_known_keep_their_digits_too() {
    for length in [31, 512, 513, 5000, 300_001] {
        let mut m = Make::new(1);
        let x = positive(&mut m, &[k(length), k(3)], Some(0.1));
        let all = m.add(Op::Fold(Fold::Sum), F, &[], &[k(length), k(3)], &[(x, &[0, 1])]);
        let down = m.add(Op::Fold(Fold::Sum), F, &[k(3)], &[k(length)], &[(x, &[1, 0])]);
        check("known", &m, &[all, down]);
    }
}

#[test]
fn products_of_any_shape_keep_their_digits() {
    for free in [0, 1, 35, 5003, 150_001] {
        for (rows, columns) in [(1, 1), (1, 7), (7, 1), (3, 16), (9, 11)] {
            let mut m = Make::new(free);
            let a = positive(&mut m, &[k(rows), n()], None);
            let b = positive(&mut m, &[n(), k(columns)], Some(0.1));
            let turned = positive(&mut m, &[k(columns), n()], None);
            let two = m.add(Op::Contract, F, &[k(rows), k(columns)], &[n()], &[(a, &[0, 2]), (b, &[2, 1])]);
            let other = m.add(Op::Contract, F, &[k(columns), k(rows)], &[n()], &[(a, &[1, 2]), (turned, &[0, 2])]);
            let three =
                m.add(Op::Contract, F, &[], &[k(rows), n(), k(columns)], &[(a, &[0, 1]), (b, &[1, 2]), (turned, &[2, 1])]);
            check(&format!("{rows} by {columns}"), &m, &[two, other, three]);
        }
    }
}

#[test]
fn sums_that_no_stride_joins_keep_their_digits() {
    for (free, inner) in [(300, 500), (5003, 40)] {
        let mut m = Make::new(free);
        let a = positive(&mut m, &[n(), k(9), k(inner)], Some(0.1));
        let b = positive(&mut m, &[k(inner), k(11), n()], None);
        let y = m.add(Op::Contract, F, &[k(9), k(11)], &[n(), k(inner)], &[(a, &[2, 0, 3]), (b, &[3, 1, 2])]);
        check("apart", &m, &[y]);
    }
}

#[test]
fn chosen_matrices_keep_their_digits() {
    let mut m = Make::new(30_011);
    let x = positive(&mut m, &[k(12), n()], Some(0.1));
    let w = positive(&mut m, &[k(3), n(), k(5)], None);
    let which = m.i(&[k(12)], 0, 3);
    let gather =
        Op::Gather { picks: vec![hnet::ir::Pick::Operand(1), hnet::ir::Pick::Loop(1), hnet::ir::Pick::Loop(2)], fill: None };
    let chosen = m.add(gather, F, &[k(12), n(), k(5)], &[], &[(w, &[]), (which, &[0])]);
    let y = m.add(Op::Contract, F, &[k(12), k(5)], &[n()], &[(x, &[0, 2]), (chosen, &[0, 2, 1])]);
    check("grouped", &m, &[y]);
}

/// Rows that share a tile, with a matrix for each group of them.
#[test]
fn chosen_matrices_keep_their_digits_on_a_device() {
    let Some(device) = crate::common::device("chosen_matrices") else { return };
    for (free, constant) in [(2_000, None), (30_011, Some(0.1))] {
        let mut m = Make::new(free);
        let x = positive(&mut m, &[k(48), n()], constant);
        let w = positive(&mut m, &[k(3), n(), k(17)], constant);
        let which = m.i(&[k(48)], 0, 3);
        let gather =
            Op::Gather { picks: vec![hnet::ir::Pick::Operand(1), hnet::ir::Pick::Loop(1), hnet::ir::Pick::Loop(2)], fill: None };
        let chosen = m.add(gather, F, &[k(48), n(), k(17)], &[], &[(w, &[]), (which, &[0])]);
        let y = m.add(Op::Contract, F, &[k(48), k(17)], &[n()], &[(x, &[0, 2]), (chosen, &[0, 2, 1])]);
        let want = evaluate(&m.graph, &m.bindings, &[y]).unwrap();
        let got = Engine::gpu(&device, &m.graph, &[y], hnet::gpu::Options::default()).run(&m.bindings).unwrap();
        for (a, b) in got[0].to_f64().iter().zip(want[0].to_f64()) {
            assert!((a - b).abs() <= DIGITS * b.abs(), "{free} terms: {a:e}, not {b:e}");
        }
    }
}

#[test]
fn running_and_scattered_sums_keep_their_digits() {
    for free in LENGTHS {
        let mut m = Make::new(free);
        let x = positive(&mut m, &[n(), k(3)], Some(0.1));
        let down = m.add(Op::Scan { axis: 0 }, F, &[n(), k(3)], &[], &[(x, &[0, 1])]);
        let to = m.i(&[n()], -1, 4);
        let places = m.add(Op::Scatter { axis: 0 }, F, &[k(4), k(3)], &[n()], &[(to, &[2]), (x, &[2, 1])]);
        check("running", &m, &[down, places]);
    }
}

#[test]
fn long_products_keep_their_digits() {
    for free in [0, 1, 35, 1000, 1_000_003] {
        let mut m = Make::new(free);
        let shape = [n(), k(3)];
        let near = (0..free * 3).map(|i| 1.0 + if i % 2 == 0 { 3e-6 } else { -2.9e-6 } as f32).collect();
        let x = m.input_as(Origin::Input, &shape, Data::F32(near));
        let all = m.add(Op::Fold(Fold::Prod), F, &[], &[n(), k(3)], &[(x, &[0, 1])]);
        let down = m.add(Op::Fold(Fold::Prod), F, &[k(3)], &[n()], &[(x, &[1, 0])]);
        check("products", &m, &[all, down]);
        // Large and small factors by turns: no part may leave what numbers can hold.
        let swing = (0..free * 3).map(|i| if (i / 3) % 8 < 4 { 10.0f32 } else { 0.1 }).collect();
        let x = m.input_as(Origin::Input, &shape, Data::F32(swing));
        if free % 8 == 0 {
            let down = m.add(Op::Fold(Fold::Prod), F, &[k(3)], &[n()], &[(x, &[1, 0])]);
            let got = run(&m, &[down], 1)[0].to_f64();
            assert!(got.iter().all(|x| (x - 1.0).abs() < 1e-4), "{got:?}");
        }
    }
}

#[test]
fn ten_million_terms() {
    let mut m = Make::new(3_333_334);
    let x = positive(&mut m, &[n(), k(3)], Some(0.1));
    let all = m.add(Op::Fold(Fold::Sum), F, &[], &[n(), k(3)], &[(x, &[0, 1])]);
    let squares = m.add(Op::Contract, F, &[], &[n(), k(3)], &[(x, &[0, 1]), (x, &[0, 1])]);
    check("ten million", &m, &[all, squares]);
}

#[test]
fn an_infinity_in_a_long_sum_is_one() {
    for (x, y) in [(f32::INFINITY, f32::INFINITY), (f32::NEG_INFINITY, f32::NEG_INFINITY), (f32::NAN, f32::NAN)] {
        for at in [0, 40, 999, 4999] {
            let mut m = Make::new(5000);
            let mut data = vec![1.0f32; 5000];
            data[at] = x;
            let v = m.input_as(Origin::Input, &[n()], Data::F32(data));
            let sum = m.add(Op::Fold(Fold::Sum), F, &[], &[n()], &[(v, &[0])]);
            let prod = m.add(Op::Fold(Fold::Prod), F, &[], &[n()], &[(v, &[0])]);
            let most = m.add(Op::Fold(Fold::Max), F, &[], &[n()], &[(v, &[0])]);
            let place = m.add(Op::Fold(Fold::Argmax), I, &[], &[n()], &[(v, &[0])]);
            let halves = m.add(Op::Map(Map::Mul), F, &[n()], &[], &[(v, &[0]), (v, &[0])]);
            let dot = m.add(Op::Contract, F, &[], &[n()], &[(v, &[0]), (halves, &[0])]);
            let got = run(&m, &[sum, prod, most, place, dot], 1);
            let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
            assert!(same(got[0].get(0), y.into()), "sum {} for {x} at {at}", got[0].get(0));
            assert!(same(got[1].get(0), y.into()), "product {} for {x} at {at}", got[1].get(0));
            let most = if x == f32::NEG_INFINITY { 1.0 } else { f64::from(y) };
            assert!(same(got[2].get(0), most), "maximum {} for {x} at {at}", got[2].get(0));
            let place = if x == f32::NEG_INFINITY { usize::from(at == 0) } else { at };
            assert_eq!(got[3].get(0), place as f64, "argmax for {x} at {at}");
            assert!(same(got[4].get(0), y.into()), "dot product {} for {x} at {at}", got[4].get(0));
        }
    }
}
