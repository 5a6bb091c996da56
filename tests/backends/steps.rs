//! Every kind of step at sizes around those of workgroups, and at one that takes more workgroups than fit one dimension of a grid.

use crate::common::make::{B, F, I, Make, k, n};
use crate::suite::Case;
use crate::suite::Way::{Device, Native};
use hnet::ir::{Body, Data, Dist, Fold, Map, NodeId, Op, Origin, Output, OutputKind, Pick};

const SIZES: [usize; 6] = [0, 1, 63, 64, 65, 4099];
/// More than 65,535 workgroups of 64 threads where one thread makes one element.
const MANY: usize = 65_535 * 64 + 4099;
/// More than 65,535 workgroups where a workgroup makes a row.
const ROWS: usize = 65_535 + 4099;
/// Mesa's software device ends the loops of a thread after 65,535 rounds in all: so far go eight folds of one shader.
const LONG: usize = 8_000;

/// Makes a graph at every size; code and shaders of it as it is give what the interpreter says.
fn everywhere(what: &str, sizes: &[usize], make: impl Fn(&mut Make) -> Vec<NodeId>) {
    for size in sizes {
        let mut m = Make::new(*size);
        let wanted = make(&mut m);
        Case::made(what, &m, &wanted).on(&[Native(1), Device]).agrees();
    }
}

fn with(last: usize) -> Vec<usize> {
    SIZES.into_iter().chain([last]).collect()
}

#[test]
fn pointwise_kernels() {
    everywhere("pointwise", &with(MANY), |m| {
        let (x, y) = (m.f(&[n()]), m.f(&[n()]));
        let e = m.add(Op::Map(Map::Tanh), F, &[n()], &[], &[(x, &[0])]);
        let lt = m.add(Op::Map(Map::Lt), B, &[n()], &[], &[(x, &[0]), (y, &[0])]);
        vec![m.add(Op::Map(Map::Select), F, &[n()], &[], &[(lt, &[0]), (e, &[0]), (y, &[0])])]
    });
}

#[test]
fn functions_of_one_number() {
    let all = [Map::Neg, Map::Exp, Map::Sqrt, Map::Abs, Map::Sin, Map::Cos, Map::Tan, Map::Tanh, Map::Sigmoid, Map::Softplus];
    let more = [Map::Log, Map::Erf, Map::Floor, Map::Ceil, Map::Round, Map::Sign];
    everywhere("functions of one number", &[1, 65, 4099], |m| {
        let x = m.f(&[n()]);
        let five = m.add(Op::Const(5.0), F, &[], &[], &[]);
        let wide = m.add(Op::Map(Map::Mul), F, &[n()], &[], &[(x, &[0]), (five, &[])]);
        // Away from the poles of the tangent, where an ulp of the argument is much.
        let of = |f| if f == Map::Tan { x } else { wide };
        all.into_iter().chain(more).map(|f| m.add(Op::Map(f), F, &[n()], &[], &[(of(f), &[0])])).collect()
    });
}

#[test]
fn functions_of_two_numbers() {
    everywhere("functions of two numbers", &[1, 65, 4099], |m| {
        let (x, y) = (m.f(&[n()]), m.f(&[n()]));
        let (i, j) = (m.i(&[n()], -9, 10), m.i(&[n()], -3, 4));
        let three = m.add(Op::Const(3.0), F, &[], &[], &[]);
        let wide = m.add(Op::Map(Map::Mul), F, &[n()], &[], &[(x, &[0]), (three, &[])]);
        let whole = m.add(Op::Map(Map::Round), F, &[n()], &[], &[(wide, &[0])]);
        let mut out = Vec::new();
        for f in [Map::Add, Map::Sub, Map::Mul, Map::Min, Map::Max, Map::Pow] {
            out.push(m.add(Op::Map(f), F, &[n()], &[], &[(x, &[0]), (y, &[0])]));
            out.push(m.add(Op::Map(f), I, &[n()], &[], &[(i, &[0]), (j, &[0])]));
        }
        for f in [Map::IntDiv, Map::Mod] {
            out.push(m.add(Op::Map(f), F, &[n()], &[], &[(whole, &[0]), (three, &[])]));
            out.push(m.add(Op::Map(f), I, &[n()], &[], &[(i, &[0]), (j, &[0])]));
        }
        for f in [Map::Eq, Map::Ne, Map::Lt, Map::Le] {
            out.push(m.add(Op::Map(f), B, &[n()], &[], &[(x, &[0]), (y, &[0])]));
            out.push(m.add(Op::Map(f), B, &[n()], &[], &[(i, &[0]), (j, &[0])]));
        }
        out
    });
}

#[test]
fn row_reductions() {
    everywhere("rows", &with(MANY), |m| {
        let x = m.f(&[n(), k(3)]);
        [Fold::Sum, Fold::Max].map(|f| m.add(Op::Fold(f), F, &[n()], &[k(3)], &[(x, &[0, 1])])).to_vec()
    });
}

#[test]
fn reductions_over_the_free_dim() {
    everywhere("columns", &with(LONG), |m| {
        let (x, w) = (m.f(&[n(), k(5)]), m.i(&[n(), k(5)], -5, 6));
        let zero = m.add(Op::Const(0.0), I, &[], &[], &[]);
        let truth = m.add(Op::Map(Map::Lt), B, &[n(), k(5)], &[], &[(zero, &[]), (w, &[0, 1])]);
        let mut out = Vec::new();
        for f in [Fold::Sum, Fold::Prod, Fold::Max, Fold::Min, Fold::Argmax, Fold::Argmin, Fold::Any, Fold::All] {
            let (of, dtype) = match f {
                Fold::Any | Fold::All => (truth, B),
                Fold::Argmax | Fold::Argmin => (x, I),
                Fold::Sum | Fold::Prod | Fold::Max | Fold::Min => (x, F),
            };
            out.push(m.add(Op::Fold(f), dtype, &[k(5)], &[n()], &[(of, &[1, 0])]));
        }
        out
    });
}

#[test]
fn a_softmax_with_its_neighbours() {
    everywhere("softmax", &with(ROWS), |m| {
        let x = m.f(&[n(), k(33)]);
        let top = m.add(Op::Fold(Fold::Max), F, &[n()], &[k(33)], &[(x, &[0, 1])]);
        let d = m.add(Op::Map(Map::Sub), F, &[n(), k(33)], &[], &[(x, &[0, 1]), (top, &[0])]);
        let e = m.add(Op::Map(Map::Exp), F, &[n(), k(33)], &[], &[(d, &[0, 1])]);
        let sum = m.add(Op::Fold(Fold::Sum), F, &[n()], &[k(33)], &[(e, &[0, 1])]);
        vec![m.add(Op::Map(Map::Div), F, &[n(), k(33)], &[], &[(e, &[0, 1]), (sum, &[0])])]
    });
}

#[test]
fn products() {
    everywhere("product", &with(MANY), |m| {
        let (x, w) = (m.f(&[n(), k(3)]), m.f(&[k(3), k(2)]));
        vec![m.add(Op::Contract, F, &[n(), k(2)], &[k(3)], &[(x, &[0, 2]), (w, &[2, 1])])]
    });
    everywhere("large product", &SIZES, |m| {
        let (x, w, bias) = (m.f(&[n(), k(67)]), m.f(&[k(67), k(65)]), m.f(&[k(65)]));
        let y = m.add(Op::Contract, F, &[n(), k(65)], &[k(67)], &[(x, &[0, 2]), (w, &[2, 1])]);
        let y = m.add(Op::Map(Map::Add), F, &[n(), k(65)], &[], &[(y, &[0, 1]), (bias, &[1])]);
        vec![m.add(Op::Map(Map::Tanh), F, &[n(), k(65)], &[], &[(y, &[0, 1])])]
    });
    everywhere("product over the free dim", &SIZES, |m| {
        let (x, y) = (m.f(&[n(), k(67)]), m.f(&[n(), k(65)]));
        vec![m.add(Op::Contract, F, &[k(67), k(65)], &[n()], &[(x, &[2, 0]), (y, &[2, 1])])]
    });
    everywhere("product of a transposed matrix", &SIZES, |m| {
        let (x, w) = (m.f(&[k(64), n()]), m.f(&[k(32), k(64)]));
        vec![m.add(Op::Contract, F, &[n(), k(32)], &[k(64)], &[(x, &[2, 0]), (w, &[1, 2])])]
    });
}

#[test]
fn a_product_for_each_sample() {
    everywhere("batched", &with(ROWS), |m| {
        let (x, w) = (m.f(&[n(), k(2)]), m.f(&[n(), k(2), k(2)]));
        vec![m.add(Op::Contract, F, &[n(), k(2)], &[k(2)], &[(x, &[0, 2]), (w, &[0, 2, 1])])]
    });
    everywhere("batched, larger", &SIZES[..5], |m| {
        let (x, w) = (m.f(&[n(), k(5), k(33)]), m.f(&[n(), k(33), k(17)]));
        vec![m.add(Op::Contract, F, &[n(), k(5), k(17)], &[k(33)], &[(x, &[0, 1, 3]), (w, &[0, 3, 2])])]
    });
}

#[test]
fn matrix_times_vector() {
    everywhere("matrix-vector", &with(MANY), |m| {
        let (x, w) = (m.f(&[k(3)]), m.f(&[n(), k(3)]));
        vec![m.add(Op::Contract, F, &[n()], &[k(3)], &[(w, &[0, 1]), (x, &[1])])]
    });
    everywhere("vector-matrix", &SIZES, |m| {
        let (x, w) = (m.f(&[n()]), m.f(&[n(), k(65)]));
        vec![m.add(Op::Contract, F, &[k(65)], &[n()], &[(x, &[1]), (w, &[1, 0])])]
    });
}

#[test]
fn gathers() {
    for fill in [None, Some(0.5)] {
        everywhere("gather", &with(MANY), |m| {
            let x = m.f(&[k(17), k(2)]);
            let wild = m.i(&[n()], -3, 20);
            let picks = vec![Pick::Operand(1), Pick::Loop(1)];
            vec![m.add(Op::Gather { picks, fill }, F, &[n(), k(2)], &[], &[(x, &[]), (wild, &[0])])]
        });
    }
}

#[test]
fn scatters() {
    // One thread a result: its row takes what is for it.
    everywhere("scatter", &with(MANY), |m| {
        let (at, x) = (m.i(&[n(), k(3)], -1, 3), m.f(&[n(), k(3)]));
        vec![m.add(Op::Scatter { axis: 1, fold: Fold::Sum }, F, &[n(), k(2)], &[k(3)], &[(at, &[0, 2]), (x, &[0, 2])])]
    });
    everywhere("scatter over the free dim", &with(LONG), |m| {
        let (at, x, w) = (m.i(&[n()], -1, 6), m.f(&[n(), k(2)]), m.i(&[n()], -4, 5));
        let sums = m.add(Op::Scatter { axis: 0, fold: Fold::Sum }, F, &[k(5), k(2)], &[n()], &[(at, &[2]), (x, &[2, 1])]);
        let counts = m.add(Op::Scatter { axis: 0, fold: Fold::Sum }, I, &[k(5)], &[n()], &[(at, &[1]), (w, &[1])]);
        vec![sums, counts]
    });
    // So many results that the values are sorted first; some values are for none.
    everywhere("scatter in order", &with(60_001), |m| {
        let places = m.free as i32;
        let (at, x) = (m.i(&[n()], -3, places + 3), m.f(&[n()]));
        vec![m.add(Op::Scatter { axis: 0, fold: Fold::Sum }, F, &[n()], &[n()], &[(at, &[1]), (x, &[1])])]
    });
    everywhere("scatter into many places", &[65, 4099, MANY], |m| {
        let places = m.free as i32;
        let (at, x) = (m.i(&[k(300)], -3, places + 3), m.f(&[k(300)]));
        vec![m.add(Op::Scatter { axis: 0, fold: Fold::Sum }, F, &[n()], &[k(300)], &[(at, &[1]), (x, &[1])])]
    });
    everywhere("scatter in order, rows of their own", &SIZES, |m| {
        let (at, x) = (m.i(&[k(2), n(), k(3)], -1, 700), m.f(&[n(), k(3), k(5), k(2)]));
        vec![m.add(
            Op::Scatter { axis: 1, fold: Fold::Sum },
            F,
            &[k(2), k(700), k(5)],
            &[n(), k(3)],
            &[(at, &[0, 3, 4]), (x, &[3, 4, 2, 0])],
        )]
    });
}

#[test]
fn orders_of_rows() {
    for (descending, taken) in [(false, 3), (true, 2)] {
        everywhere("order", &with(ROWS), |m| {
            let x = m.f(&[n(), k(3)]);
            vec![m.add(Op::Order { axis: 1, descending }, I, &[n(), k(taken)], &[k(3)], &[(x, &[0, 2])])]
        });
    }
    everywhere("order of whole numbers", &SIZES, |m| {
        let x = m.i(&[n(), k(7)], -2, 3);
        vec![m.add(Op::Order { axis: 1, descending: true }, I, &[n(), k(4)], &[k(7)], &[(x, &[0, 2])])]
    });
    // Three values only: ties must stay in order through all merges.
    everywhere("order of one long row", &with(MANY), |m| {
        let x = m.i(&[n()], 0, 3);
        vec![m.add(Op::Order { axis: 0, descending: true }, I, &[n()], &[n()], &[(x, &[1])])]
    });
    for taken in [1, 255, 256, 257] {
        everywhere("the first of long rows", &[1, 3, 65], |m| {
            let x = m.f(&[k(600), n()]);
            vec![m.add(Op::Order { axis: 0, descending: true }, I, &[k(taken), n()], &[k(600)], &[(x, &[2, 1])])]
        });
    }
    everywhere("order of the free dim", &SIZES, |m| {
        let (x, coarse) = (m.f(&[n(), k(2)]), m.i(&[n()], 0, 3));
        let all = m.add(Op::Order { axis: 0, descending: false }, I, &[n(), k(2)], &[n()], &[(x, &[2, 1])]);
        vec![all, m.add(Op::Order { axis: 0, descending: true }, I, &[n()], &[n()], &[(coarse, &[1])])]
    });
}

#[test]
fn running_sums() {
    everywhere("scan of rows", &with(ROWS), |m| {
        let x = m.f(&[n(), k(5)]);
        vec![m.add(Op::Scan { axis: 1 }, F, &[n(), k(5)], &[], &[(x, &[0, 1])])]
    });
    everywhere("scan of the free dim", &with(ROWS), |m| {
        let (x, w) = (m.f(&[n(), k(2)]), m.i(&[n()], 0, 3));
        let sums = m.add(Op::Scan { axis: 0 }, F, &[n(), k(2)], &[], &[(x, &[0, 1])]);
        vec![sums, m.add(Op::Scan { axis: 0 }, I, &[n()], &[], &[(w, &[0])])]
    });
}

/// Products too large for a shared workgroup: tiles of 64 by 64, whose last ones are not full.
#[test]
fn products_in_tiles() {
    everywhere("tiles", &SIZES, |m| {
        let (x, w, bias) = (m.f(&[n(), k(300)]), m.f(&[k(300), k(257)]), m.f(&[k(257)]));
        let y = m.add(Op::Contract, F, &[n(), k(257)], &[k(300)], &[(x, &[0, 2]), (w, &[2, 1])]);
        let y = m.add(Op::Map(Map::Add), F, &[n(), k(257)], &[], &[(y, &[0, 1]), (bias, &[1])]);
        vec![m.add(Op::Map(Map::Tanh), F, &[n(), k(257)], &[], &[(y, &[0, 1])])]
    });
    everywhere("tiles of several products", &SIZES[..5], |m| {
        let (x, w) = (m.f(&[k(3), n(), k(300)]), m.f(&[k(3), k(257), k(300)]));
        vec![m.add(Op::Contract, F, &[k(3), n(), k(257)], &[k(300)], &[(x, &[0, 1, 3]), (w, &[0, 2, 3])])]
    });
}

/// Routed rows in tiles: sorted on the device, dispatched by what the sort counted.
#[test]
fn grouped_products_in_tiles() {
    // The interpreter keeps the matrix of each row: many rows have few columns, and many columns few rows.
    for (fill, columns, sizes) in [(None, 136, &[0, 1, 63, 64, 65, 257][..]), (None, 1088, &[21]), (Some(0.0), 136, &[0, 1, 65])]
    {
        everywhere("grouped in tiles", sizes, |m| {
            let (x, w, gate) = (m.f(&[n(), k(128)]), m.f(&[k(8), k(128), k(columns)]), m.f(&[n(), k(2)]));
            let index = m.i(&[n(), k(2)], -1, 9);
            let picks = vec![Pick::Operand(1), Pick::Loop(2), Pick::Loop(3)];
            let shape = [n(), k(2), k(128), k(columns)];
            let g = m.add(Op::Gather { picks, fill }, F, &shape, &[], &[(w, &[]), (index, &[0, 1])]);
            let y = m.add(Op::Contract, F, &[n(), k(2), k(columns)], &[k(128)], &[(x, &[0, 3]), (g, &[0, 1, 3, 2])]);
            vec![m.add(Op::Contract, F, &[n(), k(columns)], &[k(2)], &[(gate, &[0, 2]), (y, &[0, 2, 1])])]
        });
    }
}

/// One matrix of several for each row, and for each of several places of a row.
#[test]
fn grouped_products() {
    for fill in [None, Some(0.0)] {
        everywhere("grouped", &with(ROWS), |m| {
            let (x, w) = (m.f(&[n(), k(2)]), m.f(&[k(4), k(2), k(2)]));
            let index = m.i(&[n()], -1, 5);
            let picks = vec![Pick::Operand(1), Pick::Loop(1), Pick::Loop(2)];
            let g = m.add(Op::Gather { picks, fill }, F, &[n(), k(2), k(2)], &[], &[(w, &[]), (index, &[0])]);
            vec![m.add(Op::Contract, F, &[n(), k(2)], &[k(2)], &[(x, &[0, 2]), (g, &[0, 2, 1])])]
        });
        everywhere("grouped, two experts a row", &SIZES, |m| {
            let (x, w, gate) = (m.f(&[n(), k(32)]), m.f(&[k(8), k(32), k(40)]), m.f(&[n(), k(2)]));
            let index = m.i(&[n(), k(2)], 0, 8);
            let picks = vec![Pick::Operand(1), Pick::Loop(2), Pick::Loop(3)];
            let shape = [n(), k(2), k(32), k(40)];
            let g = m.add(Op::Gather { picks, fill }, F, &shape, &[], &[(w, &[]), (index, &[0, 1])]);
            let y = m.add(Op::Contract, F, &[n(), k(2), k(40)], &[k(32)], &[(x, &[0, 3]), (g, &[0, 1, 3, 2])]);
            vec![m.add(Op::Contract, F, &[n(), k(40)], &[k(2)], &[(gate, &[0, 2]), (y, &[0, 2, 1])])]
        });
    }
}

#[test]
fn random_values() {
    everywhere("random", &with(MANY), |m| {
        let seed = m.input_as(Origin::Seed, &[], Data::I32(vec![7]));
        let round = m.add(Op::Const(3.0), I, &[], &[], &[]);
        let draw = |m: &mut Make, dist| m.add(Op::Random { dist, key: 5 }, F, &[n()], &[], &[(seed, &[]), (round, &[])]);
        vec![draw(m, Dist::Uniform), draw(m, Dist::Normal)]
    });
}

#[test]
fn assignments() {
    everywhere("assignment", &SIZES, |m| {
        let x = m.f(&[n(), k(4), k(4)]);
        vec![m.add(Op::Assign, I, &[n(), k(4)], &[k(4)], &[(x, &[0, 1, 2])])]
    });
}

#[test]
fn joins_and_transposes() {
    everywhere("join", &with(MANY / 2 + 65), |m| {
        let (x, y) = (m.f(&[n(), k(2)]), m.f(&[n()]));
        let e = m.add(Op::Map(Map::Exp), F, &[n(), k(1)], &[], &[(y, &[0])]);
        let join = m.add(Op::Concat { axis: 1 }, F, &[n(), k(3)], &[], &[(x, &[0, 1]), (e, &[0, 1])]);
        vec![m.add(Op::Map(Map::Copy), F, &[k(3), n()], &[], &[(join, &[1, 0])])]
    });
}

/// carry: carry / 2 + x + round; it is yielded; with `stop` the loop ends once its first sum is large.
fn looping(m: &mut Make, width: usize, reverse: bool, stop: bool) -> Vec<NodeId> {
    let shape = [n(), k(width)];
    let mut body = Make::new(m.free);
    let round = body.add(Op::Arg(0), I, &[], &[], &[]);
    let carry = body.add(Op::Arg(1), F, &shape, &[], &[]);
    let x = body.add(Op::Arg(2), F, &shape, &[], &[]);
    let r = body.add(Op::Map(Map::ToF32), F, &[], &[], &[(round, &[])]);
    let half = body.add(Op::Const(0.5), F, &[], &[], &[]);
    let p = body.add(Op::Map(Map::Mul), F, &shape, &[], &[(carry, &[0, 1]), (half, &[])]);
    let p = body.add(Op::Map(Map::Add), F, &shape, &[], &[(p, &[0, 1]), (x, &[0, 1])]);
    let next = body.add(Op::Map(Map::Add), F, &shape, &[], &[(p, &[0, 1]), (r, &[])]);
    let count = body.add(Op::Map(Map::Le), B, &[], &[], &[(half, &[]), (r, &[])]);
    let output = |node| Output { name: "o".into(), kind: OutputKind::Output, node };
    body.graph.outputs =
        [vec![next], if stop { vec![count] } else { vec![] }, vec![next]].concat().into_iter().map(output).collect();
    let (first, x) = (m.f(&shape), m.f(&shape));
    let body = Body { graph: body.graph, trips: k(3), reverse, carries: 1, yields: 1, stop };
    let node = m.add(Op::Loop(Box::new(body)), F, &[], &[], &[(first, &[0, 1]), (x, &[0, 1])]);
    let last = m.add(Op::Result(0), F, &shape, &[], &[(node, &[])]);
    let all = m.add(Op::Result(1), F, &[k(3), n(), k(width)], &[], &[(node, &[])]);
    vec![last, all]
}

#[test]
fn loops_that_run_to_their_end() {
    everywhere("loop", &with(ROWS), |m| looping(m, 1, false, false));
    everywhere("loop backwards", &SIZES, |m| looping(m, 3, true, false));
}

#[test]
fn loops_that_stop() {
    everywhere("loop with a stop", &with(ROWS), |m| looping(m, 1, false, true));
    everywhere("loop backwards with a stop", &SIZES, |m| looping(m, 3, true, true));
}
