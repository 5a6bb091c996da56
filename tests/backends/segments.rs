//! Sums of outer products that an index sorts (the gradients of routed matrices), and folds inside folds that are long together.

use crate::common::make::{F, I, Make, k, n};
use crate::suite::Case;
use hnet::ir::{DType, Data, Fold, Map, NodeId, Op};

/// Scatter of `a[q, s, i] * b[q, o]` at `index[q, s]` of `e` groups, groups first, last, and once more read by somebody else.
fn segments(m: &mut Make, index: NodeId, (s, e, i, o): (usize, usize, usize, usize)) -> Vec<NodeId> {
    let (a, b) = (m.f(&[n(), k(s), k(i)]), m.f(&[n(), k(o)]));
    let shape = [n(), k(s), k(i), k(o)];
    let outer = m.add(Op::Map(Map::Mul), F, &shape, &[], &[(a, &[0, 1, 2]), (b, &[0, 3])]);
    let rows = [n(), k(s)];
    let first = m.add(
        Op::Scatter { axis: 0, fold: Fold::Sum },
        F,
        &[k(e), k(i), k(o)],
        &rows,
        &[(index, &[3, 4]), (outer, &[3, 4, 1, 2])],
    );
    let last = m.add(
        Op::Scatter { axis: 2, fold: Fold::Sum },
        F,
        &[k(i), k(o), k(e)],
        &rows,
        &[(index, &[3, 4]), (outer, &[3, 4, 0, 1])],
    );
    // What nobody asks for may lie as its reader wants it.
    let turned = m.add(
        Op::Scatter { axis: 1, fold: Fold::Sum },
        F,
        &[k(o), k(e), k(i)],
        &rows,
        &[(index, &[3, 4]), (outer, &[3, 4, 2, 0])],
    );
    let w = m.f(&[k(e), k(o)]);
    let read = m.add(Op::Contract, F, &[k(e), k(i)], &[k(o)], &[(turned, &[2, 0, 1]), (w, &[0, 2])]);
    vec![first, last, read]
}

#[test]
fn outer_products_go_to_their_groups() {
    for (t, s, e, i, o) in [
        (0, 2, 3, 8, 8),
        (1, 1, 1, 32, 40),
        (33, 2, 8, 16, 24),
        (17, 3, 5, 7, 9),
        (200, 2, 4, 64, 65),
        (40, 1, 300, 2, 33),
        (30_000, 1, 2, 3, 2),
    ] {
        let mut m = Make::new(t);
        // Some rows belong to no group, and some groups have none.
        let index = m.i(&[n(), k(s)], -1, (e as i32 - 1).max(1) + 1);
        let wanted = segments(&mut m, index, (s, e, i, o));
        Case::made(&format!("{t} rows by {s}, {e} groups of {i} by {o}"), &m, &wanted).agrees();
    }
}

#[test]
fn what_is_not_finite_stays_in_its_group() {
    let mut m = Make::new(64);
    let index = m.input_as(hnet::ir::Origin::Input, &[n(), k(1)], Data::I32((0..64).map(|q| q % 5 - 1).collect()));
    let a: Vec<f32> = (0..64 * 8).map(|i| if i / 8 % 5 == 2 { f32::INFINITY } else { 1.0 }).collect();
    let a = m.input_as(hnet::ir::Origin::Input, &[n(), k(8)], Data::F32(a));
    let b: Vec<f32> = (0..64 * 8).map(|i| if i / 8 % 5 == 3 { f32::NAN } else { i as f32 % 8.0 - 2.0 }).collect();
    let b = m.input_as(hnet::ir::Origin::Input, &[n(), k(8)], Data::F32(b));
    let outer = m.add(Op::Map(Map::Mul), F, &[n(), k(8), k(8)], &[], &[(a, &[0, 1]), (b, &[0, 2])]);
    let shape = [k(4), k(8), k(8)];
    let all = m.add(Op::Scatter { axis: 0, fold: Fold::Sum }, F, &shape, &[n(), k(1)], &[(index, &[3, 4]), (outer, &[3, 1, 2])]);
    Case::made("groups with infinities and NaN", &m, &[all]).within(1e-6);
}

#[test]
fn a_batch_has_an_index_of_its_own() {
    for (batch, rows) in [(1, 1), (3, 40), (2, 500)] {
        let mut m = Make::new(rows);
        let index = m.i(&[k(batch), n()], -1, 5);
        let (a, b) = (m.f(&[k(batch), n(), k(6)]), m.f(&[k(batch), n(), k(7)]));
        let shape = [k(batch), n(), k(6), k(7)];
        let outer = m.add(Op::Map(Map::Mul), F, &shape, &[], &[(a, &[0, 1, 2]), (b, &[0, 1, 3])]);
        let shape = [k(batch), k(4), k(6), k(7)];
        let operands: [(NodeId, &[usize]); 2] = [(index, &[0, 4]), (outer, &[0, 4, 2, 3])];
        let all = m.add(Op::Scatter { axis: 1, fold: Fold::Sum }, F, &shape, &[n()], &operands);
        Case::made(&format!("{batch} of {rows} rows"), &m, &[all]).agrees();
    }
}

/// The gradient as derivatives make it: a sum that compares an index becomes two factors and no matrix for each row.
#[test]
fn the_gradient_of_a_routed_product_makes_no_matrix_for_a_row() {
    let mut m = Make::new(50);
    let index = m.i(&[n()], 0, 4);
    let (a, b, p) = (m.f(&[n(), k(16)]), m.f(&[n(), k(24)]), m.f(&[n()]));
    let counter = m.add(Op::Iota, I, &[k(4)], &[], &[]);
    let same = m.add(Op::Map(Map::Eq), DType::Bool, &[k(4), n()], &[], &[(counter, &[0]), (index, &[1])]);
    let operands: [(NodeId, &[usize]); 4] = [(a, &[3, 1]), (p, &[3]), (b, &[3, 2]), (same, &[0, 3])];
    let all = m.add(Op::Contract, F, &[k(4), k(16), k(24)], &[n()], &operands);
    Case::made("a sum that compares", &m, &[all]).agrees();
    let (graph, wanted) = hnet::opt::optimize_for(&m.graph, &[all]);
    let plan = hnet::plan::plan(&graph, &wanted, &m.bindings.sizes).unwrap();
    assert!(plan.to_string().contains("segments by"), "{plan}");
    let largest = plan.buffers.iter().map(|b| b.len().eval(&|_| Some(50)).unwrap()).max().unwrap();
    assert!(largest <= 4 * 16 * 24, "{plan}");
}

#[test]
fn folds_that_are_long_together() {
    // None of them has 16,384 steps, but the last, whose parts have long folds inside.
    for (outer, inner) in [(256, 512), (16_000, 20), (20, 16_000), (400, 400), (17_000, 600)] {
        let mut m = Make::new(outer);
        let x = m.f(&[n(), k(inner)]);
        let squares = m.add(Op::Contract, F, &[n()], &[k(inner)], &[(x, &[0, 1]), (x, &[0, 1])]);
        let size = m.add(Op::Const(inner as f64), F, &[], &[], &[]);
        let mean = m.add(Op::Map(Map::Div), F, &[n()], &[], &[(squares, &[0]), (size, &[])]);
        let root = m.add(Op::Map(Map::Sqrt), F, &[n()], &[], &[(mean, &[0])]);
        let all = m.add(Op::Fold(Fold::Sum), F, &[], &[n()], &[(root, &[0])]);
        let most = m.add(Op::Fold(Fold::Max), F, &[n()], &[k(inner)], &[(x, &[0, 1])]);
        let least = m.add(Op::Fold(Fold::Min), F, &[], &[n()], &[(most, &[0])]);
        Case::made(&format!("{outer} of {inner}"), &m, &[all, least]).within(1e-6);
    }
}

#[test]
fn many_folds_of_one_element() {
    let mut m = Make::new(12_000);
    let mut sum: Option<NodeId> = None;
    for _ in 0..9 {
        let x = m.f(&[n()]);
        let own = m.add(Op::Fold(Fold::Sum), F, &[], &[n()], &[(x, &[0])]);
        sum = Some(sum.map_or(own, |s| m.add(Op::Map(Map::Add), F, &[], &[], &[(s, &[]), (own, &[])])));
    }
    Case::made("nine sums", &m, &[sum.unwrap()]).agrees();
}
