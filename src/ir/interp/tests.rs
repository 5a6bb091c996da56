//! Each primitive against values computed by hand, with sizes 0, 1 and odd ones.

use crate::diag::Code;
use crate::ir::interp::{evaluate, evaluate_within};
use crate::ir::{Axis, Body, DType, Dist, Fold, Graph, Map, Node, NodeId, Op, Operand, Origin, Output, OutputKind, Pick, Size};
use crate::ir::{Bindings, Data, Tensor};

/// A graph under construction and what it is run on.
#[derive(Default)]
struct Make {
    graph: Graph,
    bindings: Bindings,
}

impl Make {
    fn input(&mut self, shape: &[usize], data: Data) -> NodeId {
        let tensor = Tensor::new(shape.to_vec(), data);
        let axes = shape.iter().map(|n| Axis::new("a", *n)).collect();
        let path = format!("x{}", self.graph.len());
        let id = self
            .graph
            .add(Node::new(Op::Source { origin: Origin::Input, path: path.as_str().into() }, tensor.dtype(), axes), vec![]);
        self.bindings.sources.insert(path, tensor);
        id
    }

    fn f(&mut self, shape: &[usize], data: &[f64]) -> NodeId {
        self.input(shape, Data::F64(data.to_vec()))
    }

    fn i(&mut self, shape: &[usize], data: &[i32]) -> NodeId {
        self.input(shape, Data::I32(data.to_vec()))
    }

    fn add(&mut self, op: Op, dtype: DType, shape: &[usize], inner: &[usize], operands: &[(NodeId, &[usize])]) -> NodeId {
        let axes = |sizes: &[usize]| sizes.iter().map(|n| Axis::new("a", *n)).collect::<Vec<_>>();
        let mut node = Node::new(op, dtype, axes(shape));
        node.inner = axes(inner);
        self.graph.add(node, operands.iter().map(|(n, s)| Operand::new(*n, s.to_vec())).collect())
    }

    fn get(&self, id: NodeId) -> Tensor {
        evaluate(&self.graph, &self.bindings, &[id]).unwrap().remove(0)
    }

    fn values(&self, id: NodeId) -> Vec<f64> {
        self.get(id).to_f64()
    }
}

const F: DType = DType::F32;
const I: DType = DType::I32;
const B: DType = DType::Bool;

/// A scalar function of the given rows.
fn apply(map: Map, result: DType, operands: &[Data]) -> Vec<f64> {
    let mut m = Make::default();
    let n = Tensor::len(&Tensor { shape: vec![], data: operands[0].clone() });
    let ids: Vec<NodeId> = operands.iter().map(|d| m.input(&[n], d.clone())).collect();
    let reads: Vec<(NodeId, &[usize])> = ids.iter().map(|id| (*id, &[0][..])).collect();
    let id = m.add(Op::Map(map), result, &[n], &[], &reads);
    assert_eq!(m.get(id).dtype(), result);
    m.values(id)
}

fn reals(map: Map, a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut operands = vec![Data::F64(a.to_vec())];
    if map.arity() == 2 {
        operands.push(Data::F64(b.to_vec()));
    }
    apply(map, F, &operands)
}

#[test]
fn scalar_functions_of_reals() {
    assert_eq!(reals(Map::Neg, &[1.5, -0.5], &[]), [-1.5, 0.5]);
    assert_eq!(reals(Map::Round, &[0.5, 1.5, 2.5, -0.5, -1.5], &[]), [0.0, 2.0, 2.0, 0.0, -2.0]);
    assert_eq!(reals(Map::Sign, &[3.0, -2.0, 0.0], &[]), [1.0, -1.0, 0.0]);
    assert!(reals(Map::Sign, &[f64::NAN], &[])[0].is_nan());
    assert_eq!(reals(Map::Floor, &[-1.5, 1.5], &[]), [-2.0, 1.0]);
    assert_eq!(reals(Map::Ceil, &[-1.5, 1.5], &[]), [-1.0, 2.0]);
    assert_eq!(reals(Map::Pow, &[-2.0, -2.0, 2.0, 0.0], &[2.0, 3.0, -1.0, 0.0]), [4.0, -8.0, 0.5, 1.0]);
    assert_eq!(reals(Map::IntDiv, &[7.0, -7.0, 7.0], &[2.0, 2.0, 0.0]), [3.0, -4.0, 0.0]);
    assert_eq!(reals(Map::Mod, &[7.0, -7.0, 7.0], &[3.0, 3.0, 0.0]), [1.0, 2.0, 0.0]);
    assert_eq!(reals(Map::Sigmoid, &[0.0, 1000.0, -1000.0], &[]), [0.5, 1.0, 0.0]);
    assert_eq!(reals(Map::Softplus, &[1000.0, -1000.0, 0.0], &[]), [1000.0, 0.0, std::f64::consts::LN_2]);
    assert_eq!(reals(Map::Max, &[1.0, 4.0], &[2.0, 3.0]), [2.0, 4.0]);
    for (map, a, b) in
        [(Map::Min, 1.0, f64::NAN), (Map::Min, f64::NAN, 1.0), (Map::Max, f64::NAN, 1.0), (Map::Max, 1.0, f64::NAN)]
    {
        assert!(reals(map, &[a], &[b])[0].is_nan());
    }
    assert_eq!(reals(Map::Erf, &[0.0], &[]), [0.0]);
}

#[test]
fn comparisons_with_nan_are_false() {
    let row = |x: f64| Data::F64(vec![x]);
    for map in [Map::Eq, Map::Lt, Map::Le] {
        assert_eq!(apply(map, B, &[row(f64::NAN), row(1.0)]), [0.0]);
    }
    assert_eq!(apply(Map::Ne, B, &[row(f64::NAN), row(f64::NAN)]), [1.0]);
    assert_eq!(apply(Map::Le, B, &[Data::F64(vec![1.0, 2.0]), Data::F64(vec![1.0, 1.0])]), [1.0, 0.0]);
}

#[test]
fn whole_numbers_wrap_and_divide_downwards() {
    let two = |map, a: i32, b: i32| apply(map, I, &[Data::I32(vec![a]), Data::I32(vec![b])])[0] as i32;
    assert_eq!(two(Map::Mul, 65_537, 65_537), 65_537i32.wrapping_mul(65_537));
    assert_eq!(two(Map::Add, i32::MAX, 1), i32::MIN);
    assert_eq!(two(Map::IntDiv, -7, 2), -4);
    assert_eq!(two(Map::Mod, -7, 3), 2);
    assert_eq!(two(Map::IntDiv, 5, 0), 0);
    assert_eq!(two(Map::Pow, -3, 3), -27);
    assert_eq!(apply(Map::ToI32, I, &[Data::F64(vec![-1.9, 2.9, f64::NAN, 1e10])]), [-1.0, 2.0, -2147483648.0, 2147483647.0]);
    assert_eq!(apply(Map::Abs, I, &[Data::I32(vec![-4])]), [4.0]);
}

#[test]
fn logic_and_choice() {
    let bools = |v: &[u8]| Data::Bool(v.to_vec());
    assert_eq!(apply(Map::And, B, &[bools(&[0, 1, 1]), bools(&[1, 0, 1])]), [0.0, 0.0, 1.0]);
    assert_eq!(apply(Map::Or, B, &[bools(&[0, 1, 0]), bools(&[1, 0, 0])]), [1.0, 1.0, 0.0]);
    assert_eq!(apply(Map::Not, B, &[bools(&[0, 1])]), [1.0, 0.0]);
    assert_eq!(apply(Map::Select, I, &[bools(&[1, 0]), Data::I32(vec![3, 4]), Data::I32(vec![5, 6])]), [3.0, 6.0]);
}

#[test]
fn subscripts_transpose_broadcast_and_take_diagonals() {
    let mut m = Make::default();
    let a = m.f(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let t = m.add(Op::Map(Map::Copy), F, &[3, 2], &[], &[(a, &[1, 0])]);
    assert_eq!(m.values(t), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    let row = m.f(&[3], &[10.0, 20.0, 30.0]);
    let sum = m.add(Op::Map(Map::Add), F, &[2, 3], &[], &[(a, &[0, 1]), (row, &[1])]);
    assert_eq!(m.values(sum), [11.0, 22.0, 33.0, 14.0, 25.0, 36.0]);
    let s = m.f(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let d = m.add(Op::Map(Map::Copy), F, &[2], &[], &[(s, &[0, 0])]);
    assert_eq!(m.values(d), [1.0, 4.0]);
}

#[test]
fn folds_of_rows_and_of_nothing() {
    let mut m = Make::default();
    let a = m.f(&[2, 3], &[1.0, 7.0, 7.0, f64::NAN, -1.0, -2.0]);
    let of = |m: &mut Make, f: Fold, d: DType| m.add(Op::Fold(f), d, &[2], &[3], &[(a, &[0, 1])]);
    let (max, min, best, worst) =
        (of(&mut m, Fold::Max, F), of(&mut m, Fold::Min, F), of(&mut m, Fold::Argmax, I), of(&mut m, Fold::Argmin, I));
    let (max, min) = (m.values(max), m.values(min));
    assert!(max[0] == 7.0 && max[1].is_nan() && min[0] == 1.0 && min[1].is_nan());
    assert_eq!(m.values(best), [1.0, 0.0]);
    assert_eq!(m.values(worst), [0.0, 0.0]);
    let e = m.f(&[2, 0], &[]);
    let b = m.input(&[2, 0], Data::Bool(vec![]));
    let whole = m.i(&[2, 0], &[]);
    let expect = [
        (Fold::Sum, F, e, 0.0),
        (Fold::Prod, F, e, 1.0),
        (Fold::Max, F, e, f64::NEG_INFINITY),
        (Fold::Min, F, e, f64::INFINITY),
        (Fold::Max, I, whole, f64::from(i32::MIN)),
        (Fold::Any, B, b, 0.0),
        (Fold::All, B, b, 1.0),
        (Fold::Argmax, I, e, 0.0),
    ];
    for (fold, dtype, from, value) in expect {
        let id = m.add(Op::Fold(fold), dtype, &[2], &[0], &[(from, &[0, 1])]);
        assert_eq!(m.values(id), [value; 2], "{fold:?}");
    }
    let p = m.add(Op::Fold(Fold::Prod), F, &[], &[1, 1], &[]);
    assert!(evaluate(&m.graph, &m.bindings, &[p]).is_err());
}

#[test]
fn contractions_of_one_two_and_three_factors() {
    let mut m = Make::default();
    let a = m.f(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let b = m.f(&[3, 2], &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    let ab = m.add(Op::Contract, F, &[2, 2], &[3], &[(a, &[0, 2]), (b, &[2, 1])]);
    assert_eq!(m.values(ab), [4.0, 5.0, 10.0, 11.0]);
    let s = m.f(&[2], &[10.0, 100.0]);
    let abs = m.add(Op::Contract, F, &[2], &[3, 2], &[(a, &[0, 1]), (b, &[1, 2]), (s, &[2])]);
    assert_eq!(m.values(abs), [540.0, 1200.0]);
    let one = m.add(Op::Contract, F, &[], &[2, 3], &[(a, &[0, 1])]);
    assert_eq!(m.values(one), [21.0]);
    let i = m.i(&[2], &[65_537, 65_537]);
    let ii = m.add(Op::Contract, I, &[], &[2], &[(i, &[0]), (i, &[0])]);
    assert_eq!(m.values(ii), [f64::from(65_537i32.wrapping_mul(65_537).wrapping_mul(2))]);
    let e = m.f(&[2, 0], &[]);
    let f = m.f(&[0, 3], &[]);
    let ef = m.add(Op::Contract, F, &[2, 3], &[0], &[(e, &[0, 2]), (f, &[2, 1])]);
    assert_eq!(m.values(ef), [0.0; 6]);
    // A loop that no factor has counts.
    let counted = m.add(Op::Contract, F, &[2], &[5], &[(s, &[0])]);
    assert_eq!(m.values(counted), [50.0, 500.0]);
}

#[test]
fn long_rows_of_a_contraction_are_the_same_sums() {
    let mut m = Make::default();
    let a = m.f(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let b = m.f(&[3, 9], &(0..27).map(f64::from).collect::<Vec<_>>());
    let c = m.f(&[9], &[2.0; 9]);
    let wide = m.add(Op::Contract, F, &[2, 9], &[3], &[(a, &[0, 2]), (b, &[2, 1])]);
    let expect: Vec<f64> = (0..18).map(|n| (0..3).map(|i| f64::from((n / 9 * 3 + i + 1) * (i * 9 + n % 9))).sum()).collect();
    assert_eq!(m.values(wide), expect);
    let scaled = m.add(Op::Contract, F, &[2, 9], &[3], &[(c, &[1]), (a, &[0, 2]), (b, &[2, 1])]);
    assert_eq!(m.values(scaled), expect.iter().map(|x| 2.0 * x).collect::<Vec<_>>());
    let square = m.add(Op::Contract, F, &[2, 2], &[3, 9], &[(a, &[0, 2]), (b, &[2, 3]), (c, &[3]), (a, &[1, 2])]);
    let by_hand = |p: usize, q: usize| -> f64 {
        let term = |i: usize, o: usize| (p * 3 + i + 1) as f64 * (i * 9 + o) as f64 * 2.0 * (q * 3 + i + 1) as f64;
        (0..3).map(|i| (0..9).map(|o| term(i, o)).sum::<f64>()).sum()
    };
    assert_eq!(m.values(square), [by_hand(0, 0), by_hand(0, 1), by_hand(1, 0), by_hand(1, 1)]);
    let counted = m.add(Op::Contract, F, &[], &[9, 5], &[(c, &[0]), (c, &[0]), (c, &[0])]);
    assert_eq!(m.values(counted), [9.0 * 5.0 * 8.0]);
    let none = m.f(&[0], &[]);
    let empty = m.add(Op::Contract, F, &[9], &[0], &[(none, &[1]), (c, &[0])]);
    assert_eq!(m.values(empty), [0.0; 9]);
}

#[test]
fn gathers_fill_or_take_the_nearest() {
    let mut m = Make::default();
    let x = m.f(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let i = m.i(&[4], &[2, 0, -1, 3]);
    let picks = || vec![Pick::Operand(1), Pick::Loop(1)];
    let reads: [(NodeId, &[usize]); 2] = [(x, &[]), (i, &[0])];
    let near = m.add(Op::Gather { picks: picks(), fill: None }, F, &[4, 2], &[], &reads);
    assert_eq!(m.values(near), [5.0, 6.0, 1.0, 2.0, 1.0, 2.0, 5.0, 6.0]);
    let fill = m.add(Op::Gather { picks: picks(), fill: Some(9.0) }, F, &[4, 2], &[], &reads);
    assert_eq!(m.values(fill), [5.0, 6.0, 1.0, 2.0, 9.0, 9.0, 9.0, 9.0]);
    let e = m.f(&[0, 2], &[]);
    let reads: [(NodeId, &[usize]); 2] = [(e, &[]), (i, &[0])];
    let none = m.add(Op::Gather { picks: picks(), fill: None }, F, &[4, 2], &[], &reads);
    assert_eq!(m.values(none), [0.0; 8]);
}

#[test]
fn scatter_sums_what_meets() {
    let mut m = Make::default();
    let i = m.i(&[5], &[1, 0, 1, 7, -1]);
    let v = m.f(&[5, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 1.0]);
    let s = m.add(Op::Scatter { axis: 0, fold: Fold::Sum }, F, &[3, 2], &[5], &[(i, &[2]), (v, &[2, 1])]);
    assert_eq!(m.values(s), [3.0, 4.0, 6.0, 8.0, 0.0, 0.0]);
    let none = m.add(Op::Scatter { axis: 0, fold: Fold::Sum }, F, &[0, 2], &[5], &[(i, &[2]), (v, &[2, 1])]);
    assert_eq!(m.get(none).shape, [0, 2]);
}

#[test]
fn joining_and_reshaping() {
    let mut m = Make::default();
    let a = m.f(&[2, 1], &[1.0, 2.0]);
    let b = m.f(&[2, 2], &[3.0, 4.0, 5.0, 6.0]);
    let e = m.f(&[2, 0], &[]);
    let c = m.add(Op::Concat { axis: 1 }, F, &[2, 3], &[], &[(a, &[0, 1]), (e, &[0, 1]), (b, &[0, 1])]);
    assert_eq!(m.values(c), [1.0, 3.0, 4.0, 2.0, 5.0, 6.0]);
    let r = m.add(Op::Reshape, F, &[3, 2], &[], &[(c, &[])]);
    assert_eq!(m.values(r), [1.0, 3.0, 4.0, 2.0, 5.0, 6.0]);
    let wrong = m.add(Op::Reshape, F, &[4], &[], &[(c, &[])]);
    assert!(evaluate(&m.graph, &m.bindings, &[wrong]).is_err());
    let short = m.add(Op::Concat { axis: 1 }, F, &[2, 4], &[], &[(a, &[0, 1]), (b, &[0, 1])]);
    assert_eq!(evaluate(&m.graph, &m.bindings, &[short]).unwrap_err().code, Code::H0605);
}

#[test]
fn orders_are_stable_and_put_nan_last() {
    let mut m = Make::default();
    let x = m.f(&[2, 4], &[2.0, f64::NAN, 1.0, 2.0, 0.0, -0.0, 5.0, f64::NAN]);
    let up = m.add(Op::Order { axis: 1, descending: false }, I, &[2, 4], &[4], &[(x, &[0, 2])]);
    assert_eq!(m.values(up), [2.0, 0.0, 3.0, 1.0, 0.0, 1.0, 2.0, 3.0]);
    let down = m.add(Op::Order { axis: 0, descending: true }, I, &[2, 2], &[4], &[(x, &[1, 2])]);
    assert_eq!(m.values(down), [0.0, 2.0, 3.0, 0.0]);
    let many = m.add(Op::Order { axis: 0, descending: true }, I, &[5, 2], &[4], &[(x, &[1, 2])]);
    assert_eq!(evaluate(&m.graph, &m.bindings, &[many]).unwrap_err().code, Code::H0618);
}

#[test]
fn running_sums_and_assignments() {
    let mut m = Make::default();
    let x = m.f(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let along = m.add(Op::Scan { axis: 1 }, F, &[2, 3], &[], &[(x, &[0, 1])]);
    assert_eq!(m.values(along), [1.0, 3.0, 6.0, 4.0, 9.0, 15.0]);
    let down = m.add(Op::Scan { axis: 0 }, F, &[2, 3], &[], &[(x, &[0, 1])]);
    assert_eq!(m.values(down), [1.0, 2.0, 3.0, 5.0, 7.0, 9.0]);
    let c = m.f(&[3, 3], &[4.0, 1.0, 3.0, 2.0, 0.0, 5.0, 3.0, 2.0, 2.0]);
    let rows = m.add(Op::Assign, I, &[3], &[3], &[(c, &[0, 1])]);
    assert_eq!(m.values(rows), [1.0, 0.0, 2.0]);
    let e = m.f(&[0, 0], &[]);
    let none = m.add(Op::Assign, I, &[0], &[0], &[(e, &[0, 1])]);
    assert!(m.get(none).is_empty());
}

#[test]
fn counters_sizes_constants_and_draws() {
    let mut m = Make::default();
    m.bindings.sizes.insert("b".into(), 3);
    let iota = m.add(Op::Iota, I, &[4], &[], &[]);
    assert_eq!(m.get(iota).data, Data::I32(vec![0, 1, 2, 3]));
    let size = Size::sym("b").mul(&Size::from(2i64)).add(&Size::from(1i64));
    let extent = m.add(Op::Extent(size), I, &[], &[], &[]);
    assert_eq!(m.values(extent), [7.0]);
    let unknown = m.add(Op::Extent(Size::sym("q")), I, &[], &[], &[]);
    assert_eq!(evaluate(&m.graph, &m.bindings, &[unknown]).unwrap_err().code, Code::H0603);
    let seed = m.i(&[], &[5]);
    let round = m.add(Op::Const(2.0), I, &[], &[], &[]);
    let draw = m.add(Op::Random { dist: Dist::Uniform, key: 3 }, F, &[2, 2], &[], &[(seed, &[]), (round, &[])]);
    let expect: Vec<f64> =
        (0..4).map(|i| crate::ir::random::uniform(crate::ir::random::philox([i, 2, 0, 0], [5, 3])[0])).collect();
    assert_eq!(m.values(draw), expect);
}

/// carry c: c + round * k; yields the round's number; stops when c >= limit.
fn counting(m: &mut Make, trips: usize, reverse: bool, limit: f64) -> (NodeId, NodeId) {
    let mut body = Make::default();
    let round = body.add(Op::Arg(0), I, &[], &[], &[]);
    let carry = body.add(Op::Arg(1), F, &[], &[], &[]);
    let k = body.add(Op::Arg(2), F, &[], &[], &[]);
    let r = body.add(Op::Map(Map::ToF32), F, &[], &[], &[(round, &[])]);
    let rk = body.add(Op::Map(Map::Mul), F, &[], &[], &[(r, &[]), (k, &[])]);
    let next = body.add(Op::Map(Map::Add), F, &[], &[], &[(carry, &[]), (rk, &[])]);
    let top = body.add(Op::Const(limit), F, &[], &[], &[]);
    let stop = body.add(Op::Map(Map::Le), B, &[], &[], &[(top, &[]), (next, &[])]);
    body.graph.outputs =
        [next, stop, next].iter().map(|n| Output { name: "o".into(), kind: OutputKind::Output, node: *n }).collect();
    let first = m.f(&[], &[1.0]);
    let k = m.f(&[], &[10.0]);
    let body = Body { graph: body.graph, trips: trips.into(), reverse, carries: 1, yields: 1, stop: true };
    let node = m.add(Op::Loop(Box::new(body)), F, &[], &[], &[(first, &[]), (k, &[])]);
    (m.add(Op::Result(0), F, &[], &[], &[(node, &[])]), m.add(Op::Result(1), F, &[trips], &[], &[(node, &[])]))
}

#[test]
fn loops_carry_yield_stop_and_run_backwards() {
    let mut m = Make::default();
    let (last, all) = counting(&mut m, 3, false, 1e9);
    assert_eq!((m.values(last), m.values(all)), (vec![31.0], vec![1.0, 11.0, 31.0]));
    let (last, all) = counting(&mut m, 3, true, 1e9);
    assert_eq!((m.values(last), m.values(all)), (vec![31.0], vec![31.0, 31.0, 21.0]));
    let (last, all) = counting(&mut m, 4, false, 5.0);
    assert_eq!((m.values(last), m.values(all)), (vec![11.0], vec![1.0, 11.0, 0.0, 0.0]));
    let (last, all) = counting(&mut m, 0, false, 5.0);
    assert_eq!((m.values(last), m.values(all)), (vec![1.0], vec![]));
}

#[test]
fn a_measured_size_is_rounded_and_never_negative() {
    for (given, n) in [(2.6, 3), (-4.0, 0), (1.0, 1)] {
        let mut m = Make::default();
        let count = m.f(&[], &[given]);
        m.graph.measured.push(("n".into(), count));
        let iota = m.graph.add(Node::new(Op::Iota, I, vec![Axis::new("n", Size::sym("n"))]), vec![]);
        assert_eq!(m.get(iota).shape, [n]);
    }
}

#[test]
fn bad_bindings_are_told() {
    let mut m = Make::default();
    let x = m.f(&[2], &[1.0, 2.0]);
    let y = m.add(Op::Map(Map::Exp), F, &[2], &[], &[(x, &[0])]);
    let code = |m: &Make| evaluate(&m.graph, &m.bindings, &[y]).unwrap_err().code;
    m.bindings.sources.insert("x0".into(), Tensor::new(vec![3], Data::F64(vec![0.0; 3])));
    assert_eq!(code(&m), Code::H0602);
    m.bindings.sources.insert("x0".into(), Tensor::new(vec![2], Data::I32(vec![0; 2])));
    assert_eq!(code(&m), Code::H0602);
    m.bindings.sources.clear();
    assert_eq!(code(&m), Code::H0601);
}

#[test]
fn too_much_memory_is_refused_and_freed_memory_counts_no_more() {
    let mut m = Make::default();
    let one = m.add(Op::Const(1.0), F, &[], &[], &[]);
    let huge = m.add(Op::Map(Map::Copy), F, &[1 << 40, 1 << 40], &[], &[(one, &[])]);
    let error = evaluate(&m.graph, &m.bindings, &[huge]).unwrap_err();
    assert_eq!(error.code, Code::H0801);
    assert!(error.message.contains("%1"), "{}", error.message);
    let mut last = m.add(Op::Map(Map::Copy), F, &[100], &[], &[(one, &[])]);
    for _ in 0..50 {
        last = m.add(Op::Map(Map::Neg), F, &[100], &[], &[(last, &[0])]);
    }
    assert!(evaluate_within(&m.graph, &m.bindings, &[last], 2000).is_ok());
    assert!(evaluate_within(&m.graph, &m.bindings, &[last], 1000).is_err());
}

#[test]
fn a_small_network_is_fast() {
    let mut m = Make::default();
    let x = m.f(&[360, 64], &vec![0.5; 360 * 64]);
    let w = m.f(&[64, 64], &vec![0.01; 64 * 64]);
    let mut h = x;
    for _ in 0..3 {
        h = m.add(Op::Contract, F, &[360, 64], &[64], &[(h, &[0, 2]), (w, &[2, 1])]);
        h = m.add(Op::Map(Map::Tanh), F, &[360, 64], &[], &[(h, &[0, 1])]);
    }
    let start = std::time::Instant::now();
    m.values(h);
    let took = start.elapsed();
    eprintln!("three layers: {took:?}");
    assert!(took.as_millis() < 2000, "{took:?}");
}

#[test]
fn an_index_that_must_be_inside_is_handed_on_or_told() {
    let mut m = Make::default();
    let k = m.i(&[4], &[2, -1, 7, 9]);
    let yes = m.input(&[4], Data::Bool(vec![1, 0, 1, 0]));
    let mut inside = |name: &str, n: usize, needed: bool| {
        let reads: &[(NodeId, &[usize])] = if needed { &[(k, &[0]), (yes, &[0])] } else { &[(k, &[0])] };
        m.add(Op::Inside(Axis::new(name, n)), I, &[4], &[], reads)
    };
    let (ten, five, eight) = (inside("ten", 10, true), inside("five", 5, true), inside("eight", 8, false));
    assert_eq!(m.values(ten), vec![2.0, -1.0, 7.0, 9.0]);
    let says = |id| evaluate(&m.graph, &m.bindings, &[id]).unwrap_err().message;
    assert_eq!(says(five), "index 7 is outside of the axis `five`, which has 5 places");
    assert_eq!(says(eight), "index 9 is outside of the axis `eight`, which has 8 places");
}
