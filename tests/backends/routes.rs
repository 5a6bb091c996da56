//! Routing decisions agree exactly: orders and assignments of values with ties, NaN, both zeros and infinities.

use crate::common::make::{I, Make, k};
use crate::suite::Way::{Interpreter, Native, Optimized};
use crate::suite::{Case, wholes};
use hnet::ir::{Data, Fold, NodeId, Op, Origin, Pick};

/// The values that a comparison may get wrong.
fn special() -> Vec<f32> {
    let tiny = f32::from_bits(1);
    let nan = f32::from_bits(0x7fc0_0001);
    vec![0.0, -0.0, 1.0, 1.0, -1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -f32::NAN, nan, f32::MAX, f32::MIN, tiny]
}

/// Rows of `width` values: all of the special ones in ever another order, then rows of nothing but ties.
fn rows(width: usize, count: usize) -> Vec<f32> {
    let all = special();
    let mut out = Vec::new();
    for row in 0..count {
        for i in 0..width {
            out.push(match row % 4 {
                3 => [0.0, -0.0, f32::NAN, f32::INFINITY][row / 4 % 4],
                // Coprime strides walk through all values.
                step => all[(i * (2 * step + 1) + row * 5) % all.len()],
            });
        }
    }
    out
}

/// All results are whole numbers, which the interpreter's have to be.
fn exactly(what: &str, make: impl Fn(&mut Make) -> Vec<NodeId>) {
    let mut m = Make::new(0);
    let wanted = make(&mut m);
    Case::made(what, &m, &wanted).within(0.0);
}

#[test]
fn orders_of_special_values() {
    for (width, count) in [(1, 4), (2, 40), (8, 64), (14, 64), (17, 33), (64, 20), (300, 12)] {
        exactly(&format!("orders of {width} values"), |m| {
            let x = m.input_as(Origin::Input, &[k(count), k(width)], Data::F32(rows(width, count)));
            let mut out = Vec::new();
            for descending in [false, true] {
                for taken in [1, 2, width] {
                    let shape = [k(count), k(taken.min(width))];
                    out.push(m.add(Op::Order { axis: 1, descending }, I, &shape, &[k(width)], &[(x, &[0, 2])]));
                    out.push(m.add(
                        Op::Order { axis: 0, descending },
                        I,
                        &[k(taken.min(count)), k(width)],
                        &[k(count)],
                        &[(x, &[2, 1])],
                    ));
                }
            }
            out
        });
    }
}

/// The route of a mixture: the best two experts of each token, and how many tokens chose each.
#[test]
fn routes_with_ties() {
    for (tokens, experts) in [(64, 2), (65, 8), (33, 17)] {
        exactly(&format!("routes to {experts} experts"), |m| {
            let score = m.input_as(Origin::Input, &[k(tokens), k(experts)], Data::F32(rows(experts, tokens)));
            let order = Op::Order { axis: 1, descending: true };
            let best = m.add(order, I, &[k(tokens), k(2)], &[k(experts)], &[(score, &[0, 2])]);
            let one = m.add(Op::Const(1.0), I, &[], &[], &[]);
            let load = m.add(
                Op::Scatter { axis: 0, fold: Fold::Sum },
                I,
                &[k(experts)],
                &[k(tokens), k(2)],
                &[(best, &[1, 2]), (one, &[])],
            );
            let along = m.i(&[k(experts), k(3)], -100, 100);
            let picks = vec![Pick::Operand(1), Pick::Loop(2)];
            let taken =
                m.add(Op::Gather { picks, fill: None }, I, &[k(tokens), k(2), k(3)], &[], &[(along, &[]), (best, &[0, 1])]);
            vec![best, load, taken]
        });
    }
}

#[test]
fn assignments_with_ties_and_infinities() {
    let cost = [
        vec![1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        vec![0.0, f32::INFINITY, 2.0, f32::INFINITY, 1.0, 1.0, 3.0, 2.0, f32::INFINITY],
        vec![f32::NAN, 1.0, 2.0, 0.0, f32::NEG_INFINITY, 1.0, 1.0, 2.0, f32::NAN],
        vec![-1.0, -2.0, -3.0, -1.0, -2.0, -3.0, -1.0, -2.0, -3.0],
    ];
    exactly("assignments", |m| {
        let x = m.input_as(Origin::Input, &[k(4), k(3), k(3)], Data::F32(cost.concat()));
        vec![m.add(Op::Assign, I, &[k(4), k(3)], &[k(3)], &[(x, &[0, 1, 2])])]
    });
}

/// Rows of a group that lie side by side, or every second one, are read and written where they are; others are brought together first.
#[test]
fn rows_of_a_group_wherever_they_lie() {
    let lie: [(&str, Vec<i32>); 5] = [
        ("side by side", (0..60).map(|r| [0, 0, 0, 1, 3, 3, 3, 3, 4, 4][r / 6]).collect()),
        ("by turns", (0..60).map(|r| r % 2).collect()),
        ("alone", (0..60).map(|r| if r == 7 { 2 } else { 4 }).collect()),
        ("the last comes first", (0..60).map(|r| if r == 59 { 0 } else { r / 12 }).collect()),
        ("anywhere", (0..60).map(|r| r * 37 % 60 % 5).collect()),
    ];
    for (k, m) in [(1, 1), (1, 70), (40, 3), (64, 70), (1030, 8)] {
        let text = format!(
            "model M {{
                input e: i32[60]
                input x: [60, {k}]
                input t: [{k}, 60]
                input c: [5, {k}, {m}]
                let plain[r, o] = sum[i] x[r, i] * c[e[r], i, o]
                let turned[o, r] = sum[i] x[r, i] * c[e[r], i, o]
                let across[r, o] = sum[i] t[i, r] * c[e[r], i, o]
                output a: [60, {m}] = plain
                output b: [{m}, 60] = turned
                output d: [60, {m}] = across
            }}"
        );
        for (how, e) in &lie {
            let case = Case::new(&text, &[], &[("e", wholes(e))]);
            println!("{how}, {k} by {m}");
            case.on(&[Interpreter, Native(1), Native(2), Optimized(2)]).agrees();
        }
    }
}
