//! Each primitive at sizes 0, 1, odd ones, and around the widths of vectors.

use super::{B, F, I, Make};
use crate::diag::Code;
use crate::ir::{Bindings, Data};
use crate::ir::{DType, Dist, Fold, Map, NodeId, Op, Origin, Pick};

const SIZES: [usize; 9] = [0, 1, 3, 4, 17, 31, 64, 65, 1000];

#[test]
fn pointwise_functions_of_floats() {
    for n in SIZES {
        let mut m = Make::default();
        let (x, y) = (m.f(&[n]), m.f(&[n]));
        let one = [Map::Neg, Map::Exp, Map::Sqrt, Map::Abs, Map::Sin, Map::Cos, Map::Tan, Map::Tanh, Map::Sigmoid];
        let two = [Map::Add, Map::Sub, Map::Mul, Map::Div, Map::Min, Map::Max, Map::IntDiv, Map::Mod, Map::Pow];
        let mut wanted: Vec<NodeId> = one.iter().map(|f| m.add(Op::Map(*f), F, &[n], &[], &[(x, &[0])])).collect();
        for f in [Map::Log, Map::Softplus, Map::Erf, Map::Floor, Map::Ceil, Map::Round, Map::Sign] {
            wanted.push(m.add(Op::Map(f), F, &[n], &[], &[(x, &[0])]));
        }
        wanted.extend(two.iter().map(|f| m.add(Op::Map(*f), F, &[n], &[], &[(x, &[0]), (y, &[0])])));
        for f in [Map::Eq, Map::Ne, Map::Lt, Map::Le] {
            let c = m.add(Op::Map(f), B, &[n], &[], &[(x, &[0]), (y, &[0])]);
            wanted.push(m.add(Op::Map(Map::Select), F, &[n], &[], &[(c, &[0]), (x, &[0]), (y, &[0])]));
            wanted.push(c);
        }
        m.check(&wanted);
    }
}

#[test]
fn pointwise_functions_of_whole_numbers_and_bools() {
    for n in SIZES {
        let mut m = Make::default();
        let (x, y) = (m.i(&[n], -9, 10), m.i(&[n], -3, 4));
        let mut wanted = Vec::new();
        for f in [Map::Neg, Map::Abs, Map::Sign] {
            wanted.push(m.add(Op::Map(f), I, &[n], &[], &[(x, &[0])]));
        }
        for f in [Map::Add, Map::Sub, Map::Mul, Map::Min, Map::Max, Map::IntDiv, Map::Mod, Map::Pow] {
            wanted.push(m.add(Op::Map(f), I, &[n], &[], &[(x, &[0]), (y, &[0])]));
        }
        let compare = [Map::Eq, Map::Ne, Map::Lt, Map::Le].map(|f| m.add(Op::Map(f), B, &[n], &[], &[(x, &[0]), (y, &[0])]));
        let and = m.add(Op::Map(Map::And), B, &[n], &[], &[(compare[1], &[0]), (compare[3], &[0])]);
        let or = m.add(Op::Map(Map::Or), B, &[n], &[], &[(compare[0], &[0]), (and, &[0])]);
        let not = m.add(Op::Map(Map::Not), B, &[n], &[], &[(or, &[0])]);
        wanted.extend([and, or, not]);
        wanted.push(m.add(Op::Map(Map::ToF32), F, &[n], &[], &[(not, &[0])]));
        wanted.push(m.add(Op::Map(Map::ToI32), I, &[n], &[], &[(not, &[0])]));
        wanted.push(m.add(Op::Map(Map::ToF32), F, &[n], &[], &[(x, &[0])]));
        wanted.push(m.add(Op::Map(Map::Select), I, &[n], &[], &[(not, &[0]), (x, &[0]), (y, &[0])]));
        wanted.push(m.add(Op::Map(Map::Eq), B, &[n], &[], &[(and, &[0]), (or, &[0])]));
        m.check(&wanted);
    }
}

#[test]
fn folds_along_each_axis() {
    for (n, k) in [(0, 5), (5, 0), (1, 1), (3, 17), (17, 3), (64, 65), (65, 64), (3, 1000), (1000, 3)] {
        let mut m = Make::default();
        let x = m.f(&[n, k]);
        let whole = m.i(&[n, k], -5, 6);
        let zero = m.add(Op::Const(0.0), I, &[], &[], &[]);
        let truth = m.add(Op::Map(Map::Lt), B, &[n, k], &[], &[(zero, &[]), (whole, &[0, 1])]);
        let mut wanted = Vec::new();
        for f in [Fold::Sum, Fold::Prod, Fold::Max, Fold::Min, Fold::Any, Fold::All, Fold::Argmax, Fold::Argmin] {
            let logic = matches!(f, Fold::Any | Fold::All);
            let at = matches!(f, Fold::Argmax | Fold::Argmin);
            for (o, dtype) in [
                (if logic { truth } else { x }, if logic { B } else { F }),
                (if logic { truth } else { whole }, if logic { B } else { I }),
            ] {
                let dtype = if at { I } else { dtype };
                wanted.push(m.add(Op::Fold(f), dtype, &[n], &[k], &[(o, &[0, 1])]));
                wanted.push(m.add(Op::Fold(f), dtype, &[k], &[n], &[(o, &[1, 0])]));
                if !at {
                    wanted.push(m.add(Op::Fold(f), dtype, &[], &[n, k], &[(o, &[0, 1])]));
                }
            }
        }
        m.check(&wanted);
    }
}

/// Columns fill a vector, several, a block, more than one; rows are few, a part of a sum, several parts.
#[test]
fn folds_down_columns() {
    let shapes =
        [(2, 40, 64), (3, 33, 100), (1, 1000, 513), (5, 8, 64), (2, 7, 80), (0, 9, 64), (2, 0, 64), (1, 300, 17), (2, 65, 1030)];
    for (b, n, k) in shapes {
        let mut m = Make::default();
        let (x, y) = (m.f(&[b, n, k]), m.f(&[b, n, k]));
        let mut wanted = Vec::new();
        for f in [Fold::Sum, Fold::Max, Fold::Min] {
            wanted.push(m.add(Op::Fold(f), F, &[b, k], &[n], &[(x, &[0, 2, 1])]));
            wanted.push(m.add(Op::Fold(f), F, &[k], &[b, n], &[(x, &[1, 2, 0])]));
        }
        let both = m.add(Op::Map(Map::Mul), F, &[b, n, k], &[], &[(x, &[0, 1, 2]), (y, &[0, 1, 2])]);
        let sum = m.add(Op::Fold(Fold::Sum), F, &[b, k], &[n], &[(both, &[0, 2, 1])]);
        let count = m.add(Op::Const(n as f64 + 1.0), F, &[], &[], &[]);
        let mean = m.add(Op::Map(Map::Div), F, &[b, k], &[], &[(sum, &[0, 1]), (count, &[])]);
        let gate = m.add(Op::Map(Map::Sigmoid), F, &[b, k], &[], &[(mean, &[0, 1])]);
        wanted.extend([mean, gate]);
        m.check(&wanted);
    }
}

#[test]
fn products_of_every_shape() {
    let shapes =
        [(1, 64, 10), (3, 17, 5), (64, 64, 64), (65, 31, 33), (1, 1000, 1), (5, 0, 3), (0, 4, 4), (2, 3, 200), (100, 1, 100)];
    // Few rows and a matrix beyond the second cache.
    let large = [(1, 513, 601), (7, 520, 600), (48, 400, 900)];
    for (b, i, o) in shapes.into_iter().chain(large) {
        let mut m = Make::default();
        let (x, w, v, t) = (m.f(&[b, i]), m.f(&[i, o]), m.f(&[o, i]), m.f(&[i, b]));
        let p = m.add(Op::Contract, F, &[b, o], &[i], &[(x, &[0, 2]), (w, &[2, 1])]);
        let q = m.add(Op::Contract, F, &[b, o], &[i], &[(x, &[0, 2]), (v, &[1, 2])]);
        let r = m.add(Op::Contract, F, &[o, b], &[i], &[(t, &[2, 1]), (w, &[2, 0])]);
        let s = m.add(Op::Contract, F, &[], &[b, i], &[(x, &[0, 1]), (x, &[0, 1])]);
        let e = m.add(Op::Contract, F, &[b, i, o], &[], &[(x, &[0, 1]), (w, &[1, 2])]);
        m.check(&[p, q, r, s, e]);
    }
}

#[test]
fn batched_products_and_products_of_three() {
    for (b, t, i, o) in [(1, 1, 16, 32), (9, 1, 16, 8), (3, 5, 7, 11), (4, 64, 32, 32), (2, 0, 3, 3)] {
        let mut m = Make::default();
        let (x, w, g, e) = (m.f(&[b, t, i]), m.f(&[b, i, o]), m.f(&[b, 4]), m.f(&[4, i, o]));
        let p = m.add(Op::Contract, F, &[b, t, o], &[i], &[(x, &[0, 1, 3]), (w, &[0, 3, 2])]);
        let blend = m.add(Op::Contract, F, &[b, t, o], &[4, i], &[(g, &[0, 3]), (e, &[3, 4, 2]), (x, &[0, 1, 4])]);
        let (a, u) = (m.f(&[b, i, 2]), m.f(&[b, 2, o]));
        let low = m.add(Op::Contract, F, &[b, t, o], &[i, 2], &[(x, &[0, 1, 3]), (a, &[0, 3, 4]), (u, &[0, 4, 2])]);
        let heads = m.add(Op::Contract, F, &[t, b, o], &[i], &[(x, &[1, 0, 3]), (w, &[1, 3, 2])]);
        m.check(&[p, blend, low, heads]);
    }
}

#[test]
fn gathers_slices_and_windows() {
    for n in [1, 3, 17, 64, 65] {
        let mut m = Make::default();
        let x = m.f(&[n, 9]);
        let wild = m.i(&[33], -3, n as i32 + 3);
        let mut wanted = Vec::new();
        for fill in [None, Some(0.5)] {
            let picks = vec![Pick::Operand(1), Pick::Loop(1)];
            wanted.push(m.add(Op::Gather { picks, fill }, F, &[33, 9], &[], &[(x, &[]), (wild, &[0])]));
            let picks = vec![Pick::Operand(1), Pick::Loop(0)];
            wanted.push(m.add(Op::Gather { picks, fill }, F, &[9, 33], &[], &[(x, &[]), (wild, &[1])]));
        }
        // Shifted by one against the border, along both axes.
        for (d, extent) in [(0, n), (1, 9)] {
            let iota = m.add(Op::Iota, I, &[extent], &[], &[]);
            let one = m.add(Op::Const(1.0), I, &[], &[], &[]);
            let at = m.add(Op::Map(Map::Sub), I, &[extent], &[], &[(iota, &[0]), (one, &[])]);
            let picks = if d == 0 { vec![Pick::Operand(1), Pick::Loop(1)] } else { vec![Pick::Loop(0), Pick::Operand(1)] };
            for fill in [None, Some(0.0)] {
                let op = Op::Gather { picks: picks.clone(), fill };
                wanted.push(m.add(op, F, &[n, 9], &[], &[(x, &[]), (at, if d == 0 { &[0] } else { &[1] })]));
            }
        }
        // A slice, reshaped: a view.
        let iota = m.add(Op::Iota, I, &[6], &[], &[]);
        let two = m.add(Op::Const(2.0), I, &[], &[], &[]);
        let at = m.add(Op::Map(Map::Add), I, &[6], &[], &[(iota, &[0]), (two, &[])]);
        let slice = m.add(
            Op::Gather { picks: vec![Pick::Loop(0), Pick::Operand(1)], fill: None },
            F,
            &[n, 6],
            &[],
            &[(x, &[]), (at, &[1])],
        );
        let shaped = m.add(Op::Reshape, F, &[n, 2, 3], &[], &[(slice, &[])]);
        let y = m.f(&[n, 2]);
        wanted.push(m.add(Op::Contract, F, &[n, 3], &[2], &[(y, &[0, 2]), (shaped, &[0, 2, 1])]));
        wanted.extend([slice, shaped]);
        m.check(&wanted);
    }
}

#[test]
fn a_chosen_matrix_for_each_row() {
    for (t, s, e, i, o) in [(1, 1, 3, 8, 8), (33, 2, 8, 16, 24), (17, 3, 5, 7, 9), (0, 2, 3, 8, 8), (200, 2, 4, 64, 64)] {
        for fill in [None, Some(0.0)] {
            let mut m = Make::default();
            let (x, w) = (m.f(&[t, i]), m.f(&[e, i, o]));
            let index = m.i(&[t, s], -1, e as i32 + 1);
            let picks = vec![Pick::Operand(1), Pick::Loop(2), Pick::Loop(3)];
            let g = m.add(Op::Gather { picks, fill }, F, &[t, s, i, o], &[], &[(w, &[]), (index, &[0, 1])]);
            let y = m.add(Op::Contract, F, &[t, s, o], &[i], &[(x, &[0, 3]), (g, &[0, 1, 3, 2])]);
            let gate = m.f(&[t, s]);
            let z = m.add(Op::Contract, F, &[t, o], &[s], &[(gate, &[0, 2]), (y, &[0, 2, 1])]);
            assert!(t * i * o < 64 || m.text(&[z]).contains("grouped"), "{}", m.text(&[z]));
            m.check(&[y, z]);
        }
    }
}

#[test]
fn convolution_as_a_product_over_windows() {
    for (b, r, c, i, o) in [(1, 1, 1, 1, 1), (2, 7, 5, 3, 4), (3, 8, 9, 16, 8)] {
        let mut m = Make::default();
        let (x, w) = (m.f(&[b, r, c, i]), m.f(&[3, 3, i, o]));
        let one = m.add(Op::Const(1.0), I, &[], &[], &[]);
        let mut at = Vec::new();
        for n in [r, c] {
            let (p, k) = (m.add(Op::Iota, I, &[n], &[], &[]), m.add(Op::Iota, I, &[3], &[], &[]));
            let sum = m.add(Op::Map(Map::Add), I, &[n, 3], &[], &[(p, &[0]), (k, &[1])]);
            at.push(m.add(Op::Map(Map::Sub), I, &[n, 3], &[], &[(sum, &[0, 1]), (one, &[])]));
        }
        let picks = vec![Pick::Loop(0), Pick::Operand(1), Pick::Operand(2), Pick::Loop(5)];
        let g = m.add(
            Op::Gather { picks, fill: Some(0.0) },
            F,
            &[b, r, c, 3, 3, i],
            &[],
            &[(x, &[]), (at[0], &[1, 3]), (at[1], &[2, 4])],
        );
        let y = m.add(Op::Contract, F, &[b, r, c, o], &[3, 3, i], &[(g, &[0, 1, 2, 4, 5, 6]), (w, &[4, 5, 6, 3])]);
        m.check(&[y]);
    }
}

#[test]
fn joins_orders_scans_scatters_and_assignments() {
    for n in [1, 3, 17, 64, 65] {
        let mut m = Make::default();
        let (x, y) = (m.f(&[n, 5]), m.f(&[n, 2]));
        let e = m.add(Op::Map(Map::Exp), F, &[n, 2], &[], &[(y, &[0, 1])]);
        let join = m.add(Op::Concat { axis: 1 }, F, &[n, 7], &[], &[(x, &[0, 1]), (e, &[0, 1])]);
        let up = m.add(Op::Order { axis: 1, descending: false }, I, &[n, 7], &[7], &[(join, &[0, 2])]);
        let down = m.add(Op::Order { axis: 0, descending: true }, I, &[1, 7], &[n], &[(join, &[2, 1])]);
        let coarse = m.i(&[n], 0, 3);
        let ties = m.add(Op::Order { axis: 0, descending: true }, I, &[n], &[n], &[(coarse, &[1])]);
        let run = m.add(Op::Scan { axis: 0 }, F, &[n, 7], &[], &[(join, &[0, 1])]);
        let count = m.add(Op::Scan { axis: 0 }, I, &[n], &[], &[(coarse, &[0])]);
        let place = m.i(&[n], -1, 5);
        let sums = m.add(Op::Scatter { axis: 0, fold: Fold::Sum }, F, &[4, 7], &[n], &[(place, &[2]), (join, &[2, 1])]);
        let square = m.f(&[n.min(17), n.min(17)]);
        let assign = m.add(Op::Assign, I, &[n.min(17)], &[n.min(17)], &[(square, &[0, 1])]);
        m.check(&[join, up, down, ties, run, count, sums, assign]);
    }
}

#[test]
fn sorting_puts_nan_last_and_zeros_together() {
    let mut m = Make::default();
    let x = m.input(&[7], Data::F32(vec![0.0, f32::NAN, -0.0, 1.0, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN]));
    let up = m.add(Op::Order { axis: 0, descending: false }, I, &[7], &[7], &[(x, &[1])]);
    let down = m.add(Op::Order { axis: 0, descending: true }, I, &[3], &[7], &[(x, &[1])]);
    m.check(&[up, down]);
}

#[test]
fn random_values_are_the_interpreters() {
    let mut m = Make::default();
    let seed = m.input_as(Origin::Seed, &[], Data::I32(vec![7]));
    let round = m.add(Op::Const(3.0), I, &[], &[], &[]);
    let draws = [Dist::Uniform, Dist::Normal]
        .map(|dist| m.add(Op::Random { dist, key: 5 }, F, &[9, 3], &[], &[(seed, &[]), (round, &[])]));
    m.check_within(&draws, 1e-6);
}

#[test]
fn results_come_in_every_form() {
    let mut m = Make::default();
    let x = m.f(&[3, 4]);
    let t = m.add(Op::Map(Map::Copy), F, &[4, 3], &[], &[(x, &[1, 0])]);
    let square = m.f(&[4, 4]);
    let diagonal = m.add(Op::Map(Map::Copy), F, &[4], &[], &[(square, &[0, 0])]);
    let flat = m.add(Op::Reshape, F, &[12], &[], &[(t, &[])]);
    let c = m.add(Op::Const(2.5), F, &[], &[], &[]);
    let wide = m.add(Op::Map(Map::Copy), F, &[2, 4], &[], &[(diagonal, &[1])]);
    m.check(&[x, t, diagonal, flat, c, wide, t]);
}

#[test]
fn what_is_wrong_is_told() {
    let mut m = Make::default();
    let x = m.f(&[3, 4]);
    let y = m.add(Op::Map(Map::Exp), F, &[3, 4], &[], &[(x, &[0, 1])]);
    let huge = m.add(Op::Map(Map::Copy), F, &[1 << 20, 1 << 20, 1 << 20, 3, 4], &[], &[(y, &[3, 4])]);
    let code = |wanted, b: &Bindings| {
        let mut e = super::Engine::cpu_unoptimized(&m.graph, &[wanted], &super::Options::default()).unwrap();
        e.run(b).unwrap_err().code
    };
    assert_eq!(code(huge, &m.bindings), Code::H0801);
    assert_eq!(code(y, &Bindings::default()), Code::H0601);
    let mut wrong = m.bindings.clone();
    wrong.sources.insert("x0".into(), crate::ir::Tensor::new(vec![2], Data::F32(vec![0.0; 2])));
    assert_eq!(code(y, &wrong), Code::H0602);
    let _ = DType::F32;
}
