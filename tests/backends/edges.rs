//! What is no number, infinities and the ends of what f32 holds: each function on each, by hand, in the interpreter and in native code,
//! alone, in vectors and through all passes.

use crate::common::make::{B, F, I, Make, n};
use hnet::cpu::Options;
use hnet::exec::Engine;
use hnet::ir::interp::evaluate;
use hnet::ir::{DType, Fold, Map, NodeId, Op, Origin, Size};
use hnet::ir::{Data, Tensor};
use hnet::opt::optimize;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// What the wanted nodes are in the interpreter, in native code, and in native code after all passes.
pub fn everywhere(m: &Make, wanted: &[NodeId]) -> [Vec<Tensor>; 3] {
    let run = |graph: &hnet::ir::Graph, wanted: &[NodeId]| {
        let mut engine = Engine::cpu_unoptimized(graph, wanted, &Options::default()).unwrap();
        engine.run(&m.bindings).unwrap()
    };
    let (after, places) = hnet::opt::optimize_keeping(&m.graph, wanted, &mut |_, _| {});
    [evaluate(&m.graph, &m.bindings, wanted).unwrap(), run(&m.graph, wanted), run(&after, &places)]
}

/// As far apart as f32 may be; zeros have signs.
fn same(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan())
        || (a == b && a != 0.0)
        // f64 has numbers that f32 has not.
        || (b == 0.0 && a.abs() < 1e-45 && a.is_sign_negative() == b.is_sign_negative())
        || (b != 0.0 && (a - b).abs() <= 2e-6 * b.abs())
}

/// `map` of one column of arguments or two, in lanes and one by one.
fn check(map: Map, to: DType, rows: &[(&[f64], f64)]) {
    for times in [1, 23] {
        let all: Vec<_> = (0..times).flat_map(|_| rows).collect();
        let mut m = Make::new(all.len());
        let mut operands: Vec<(NodeId, &[usize])> = Vec::new();
        for k in 0..map.arity() {
            let data = all.iter().map(|r| r.0[k] as f32).collect();
            operands.push((m.input_as(Origin::Input, &[n()], Data::F32(data)), &[0]));
        }
        let y = m.add(Op::Map(map), to, &[n()], &[], &operands);
        for (who, found) in ["interpreter", "native", "optimized"].iter().zip(everywhere(&m, &[y])) {
            for (k, (x, want)) in all.iter().enumerate() {
                let got = found[0].get(k);
                let want = if to == F && want.abs() > f64::from(f32::MAX) && *who != "interpreter" { want * INF } else { *want };
                assert!(same(got, want), "{} of {x:?} is {got:?} and not {want:?} ({who}, {times})", map.word());
            }
        }
    }
}

fn one(map: Map, rows: &[(f64, f64)]) {
    let rows: Vec<([f64; 1], f64)> = rows.iter().map(|(x, y)| ([*x], *y)).collect();
    let rows: Vec<(&[f64], f64)> = rows.iter().map(|(x, y)| (x.as_slice(), *y)).collect();
    check(map, F, &rows);
}

fn two(map: Map, to: DType, rows: &[(f64, f64, f64)]) {
    let rows: Vec<([f64; 2], f64)> = rows.iter().map(|(a, b, y)| ([*a, *b], *y)).collect();
    let rows: Vec<(&[f64], f64)> = rows.iter().map(|(x, y)| (x.as_slice(), *y)).collect();
    check(map, to, &rows);
}

#[test]
fn functions_of_one_at_the_edges() {
    one(Map::Neg, &[(NAN, NAN), (INF, -INF), (0.0, -0.0), (-0.0, 0.0)]);
    one(Map::Abs, &[(NAN, NAN), (-INF, INF), (-0.0, 0.0)]);
    one(Map::Sign, &[(NAN, NAN), (-INF, -1.0), (INF, 1.0), (1e-40, 1.0), (0.0, 0.0)]);
    one(Map::Exp, &[(NAN, NAN), (INF, INF), (-INF, 0.0), (200.0, INF), (-200.0, 0.0), (0.0, 1.0), (-0.0, 1.0)]);
    one(Map::Log, &[(NAN, NAN), (INF, INF), (0.0, -INF), (-0.0, -INF), (-1.0, NAN), (-INF, NAN), (1.0, 0.0)]);
    one(Map::Sqrt, &[(NAN, NAN), (INF, INF), (-INF, NAN), (-1.0, NAN), (-0.0, -0.0), (0.0, 0.0)]);
    one(Map::Tanh, &[(NAN, NAN), (INF, 1.0), (-INF, -1.0), (3e38, 1.0), (-3e38, -1.0), (0.0, 0.0), (-0.0, -0.0)]);
    one(Map::Sigmoid, &[(NAN, NAN), (INF, 1.0), (-INF, 0.0), (3e38, 1.0), (-3e38, 0.0), (0.0, 0.5)]);
    one(Map::Softplus, &[(NAN, NAN), (INF, INF), (-INF, 0.0), (3e38, f64::from(3e38f32)), (-3e38, 0.0)]);
    one(Map::Erf, &[(NAN, NAN), (INF, 1.0), (-INF, -1.0), (3e38, 1.0), (-3e38, -1.0), (0.0, 0.0), (-0.0, -0.0)]);
    one(Map::Sin, &[(NAN, NAN), (INF, NAN), (-INF, NAN), (0.0, 0.0), (-0.0, -0.0)]);
    one(Map::Cos, &[(NAN, NAN), (INF, NAN), (-INF, NAN), (0.0, 1.0)]);
    one(Map::Tan, &[(NAN, NAN), (INF, NAN), (-INF, NAN), (0.0, 0.0), (-0.0, -0.0)]);
    for map in [Map::Floor, Map::Ceil, Map::Round] {
        one(map, &[(NAN, NAN), (INF, INF), (-INF, -INF), (-0.0, -0.0), (3e38, f64::from(3e38f32))]);
    }
    check(
        Map::ToI32,
        I,
        &[(&[NAN], -2147483648.0), (&[INF], 2147483647.0), (&[-INF], -2147483648.0), (&[3e9], 2147483647.0), (&[-2.9], -2.0)],
    );
}

#[test]
fn functions_of_two_at_the_edges() {
    two(Map::Max, F, &[(NAN, 1.0, NAN), (1.0, NAN, NAN), (NAN, INF, NAN), (INF, NAN, NAN), (-INF, 2.0, 2.0), (3.0, INF, INF)]);
    two(Map::Min, F, &[(NAN, 1.0, NAN), (1.0, NAN, NAN), (NAN, -INF, NAN), (-INF, NAN, NAN), (-INF, 2.0, -INF), (3.0, INF, 3.0)]);
    two(Map::Add, F, &[(INF, -INF, NAN), (INF, 1.0, INF), (NAN, 1.0, NAN), (-0.0, -0.0, -0.0), (-0.0, 0.0, 0.0)]);
    two(Map::Sub, F, &[(INF, INF, NAN), (-INF, 1.0, -INF), (0.0, 0.0, 0.0), (-0.0, 0.0, -0.0)]);
    two(Map::Mul, F, &[(0.0, INF, NAN), (INF, 0.0, NAN), (-INF, 2.0, -INF), (0.0, NAN, NAN), (-1.0, 0.0, -0.0)]);
    let divided = [(1.0, 0.0, INF), (-1.0, 0.0, -INF), (1.0, -0.0, -INF), (0.0, 0.0, NAN), (INF, INF, NAN), (1.0, -INF, -0.0)];
    two(Map::Div, F, &divided);
    let powers = [
        (INF, 0.5, INF),
        (-INF, 0.5, INF),
        (-2.0, 2.0, 4.0),
        (-2.0, 3.0, -8.0),
        (-2.0, 0.5, NAN),
        (0.0, 0.0, 1.0),
        (NAN, 0.0, 1.0),
        (1.0, NAN, 1.0),
        (NAN, 1.0, NAN),
        (2.0, NAN, NAN),
        (0.0, -1.0, INF),
        (-0.0, -1.0, -INF),
        (0.0, -2.0, INF),
        (2.0, INF, INF),
        (0.5, INF, 0.0),
        (-1.0, INF, 1.0),
        (INF, -1.0, 0.0),
        (-INF, 3.0, -INF),
        (10.0, 38.0, 1e38),
        (10.0, 39.0, 1e39),
    ];
    two(Map::Pow, F, &powers);
    let compared = |map, with_nan: f64, rows: &[(f64, f64, f64)]| {
        two(map, B, rows);
        two(map, B, &[(NAN, NAN, with_nan), (NAN, 1.0, with_nan), (1.0, NAN, with_nan), (INF, NAN, with_nan)]);
    };
    compared(Map::Eq, 0.0, &[(INF, INF, 1.0), (0.0, -0.0, 1.0), (1.0, 2.0, 0.0)]);
    compared(Map::Ne, 1.0, &[(INF, INF, 0.0), (0.0, -0.0, 0.0), (1.0, 2.0, 1.0)]);
    compared(Map::Lt, 0.0, &[(-INF, INF, 1.0), (INF, INF, 0.0), (-0.0, 0.0, 0.0)]);
    compared(Map::Le, 0.0, &[(-INF, INF, 1.0), (INF, INF, 1.0), (0.0, -0.0, 1.0)]);
}

/// A constant operand, which passes and code generation know: on either side, with every special number on the other.
#[test]
fn constants_hide_nothing() {
    let special = [NAN, INF, -INF, 0.0, -0.0, 2.5, -2.5];
    let maps = [Map::Add, Map::Sub, Map::Mul, Map::Div, Map::Pow, Map::Max, Map::Min];
    for map in maps {
        for c in [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -2.0, 3.0, INF, -INF] {
            for first in [true, false] {
                let mut m = Make::new(21);
                let data: Vec<f32> = (0..21).map(|i| special[i % 7] as f32).collect();
                let x = m.input_as(Origin::Input, &[n()], Data::F32(data));
                let c_node = m.add(Op::Const(c), F, &[], &[], &[]);
                let operands: [(NodeId, &[usize]); 2] =
                    if first { [(c_node, &[]), (x, &[0])] } else { [(x, &[0]), (c_node, &[])] };
                let y = m.add(Op::Map(map), F, &[n()], &[], &operands);
                // One over it shows the sign of a zero.
                let unit = m.add(Op::Const(1.0), F, &[], &[], &[]);
                let over = m.add(Op::Map(Map::Div), F, &[n()], &[], &[(unit, &[]), (y, &[0])]);
                let zero_of_two = matches!(map, Map::Max | Map::Min) && c == 0.0;
                let wanted = if zero_of_two { vec![y] } else { vec![y, over] };
                let [expect, native, optimized] = everywhere(&m, &wanted);
                for (who, found) in [("native", native), ("optimized", optimized)] {
                    for (a, b) in found.iter().zip(&expect) {
                        for i in 0..21 {
                            let (got, want) = (a.get(i), b.get(i));
                            let fine = same(got, want) || (zero_of_two && got == want);
                            assert!(fine, "{} with {c:?} and {:?}: {got:?}, not {want:?} ({who})", map.word(), special[i % 7]);
                        }
                    }
                }
            }
        }
    }
}

/// Folds find NaN wherever it stands, in rows of any length, along memory and across it.
#[test]
fn folds_find_what_is_no_number() {
    for length in [1usize, 2, 3, 4, 5, 16, 17, 64, 67, 600] {
        for at in [0, length / 2, length - 1] {
            let mut data: Vec<f32> = (0..length).map(|i| (i % 7) as f32 - 3.0).collect();
            data[at] = f32::NAN;
            for outer in [1usize, 5, 8] {
                let mut m = Make::new(length);
                let rows: Vec<f32> =
                    (0..outer).flat_map(|r| if r == outer - 1 { data.clone() } else { vec![1.0; length] }).collect();
                let columns: Vec<f32> = (0..length * outer).map(|i| rows[i % outer * length + i / outer]).collect();
                let outer = Size::from(outer);
                let along = m.input_as(Origin::Input, &[outer.clone(), n()], Data::F32(rows));
                let across = m.input_as(Origin::Input, &[n(), outer.clone()], Data::F32(columns));
                let mut wanted = Vec::new();
                for fold in [Fold::Max, Fold::Min, Fold::Sum, Fold::Prod, Fold::Argmax, Fold::Argmin] {
                    let to = if matches!(fold, Fold::Argmax | Fold::Argmin) { I } else { F };
                    wanted.push(m.add(Op::Fold(fold), to, std::slice::from_ref(&outer), &[n()], &[(along, &[0, 1])]));
                    wanted.push(m.add(Op::Fold(fold), to, std::slice::from_ref(&outer), &[n()], &[(across, &[1, 0])]));
                }
                for (who, found) in ["interpreter", "native", "optimized"].iter().zip(everywhere(&m, &wanted)) {
                    for (k, tensor) in found.iter().enumerate() {
                        let last = tensor.get(tensor.len() - 1);
                        let fine = if k < 8 { last.is_nan() } else { last == at as f64 };
                        assert!(fine, "fold {k} of {length} with NaN at {at} is {last} ({who})");
                        assert!(!tensor.get(0).is_nan() || tensor.len() == 1, "fold {k}: NaN in another row ({who})");
                    }
                }
            }
        }
    }
}

/// The first NaN, also after a larger number; infinities are numbers.
#[test]
fn the_best_place_by_hand() {
    let cases: [(&[f32], f64, f64); 6] = [
        (&[1.0, f32::NAN, 5.0, f32::NAN], 1.0, 1.0),
        (&[f32::INFINITY, f32::NAN], 1.0, 1.0),
        (&[f32::NEG_INFINITY, f32::NEG_INFINITY], 0.0, 0.0),
        (&[f32::INFINITY, f32::INFINITY], 0.0, 0.0),
        (&[2.0, 7.0, 7.0, 2.0], 1.0, 0.0),
        (&[], 0.0, 0.0),
    ];
    for (data, most, least) in cases {
        let mut m = Make::new(data.len());
        let x = m.input_as(Origin::Input, &[n()], Data::F32(data.to_vec()));
        let up = m.add(Op::Fold(Fold::Argmax), I, &[], &[n()], &[(x, &[0])]);
        let down = m.add(Op::Fold(Fold::Argmin), I, &[], &[n()], &[(x, &[0])]);
        for found in everywhere(&m, &[up, down]) {
            assert_eq!((found[0].get(0), found[1].get(0)), (most, least), "{data:?}");
        }
    }
}

/// sin and cos of every finite f32, up to the largest, are inside [-1, 1] and right.
#[test]
fn angles_of_any_size() {
    let mut data: Vec<f32> =
        vec![1000.0, 50_000.0, 1e6, 1.7e9, -1.7e9, 1e15, 3e38, f32::MAX, f32::MIN, 99_999.9, 100_000.1, 1e-40];
    data.extend((0..4000u32).map(|i| f32::from_bits(0x3f00_0000 + i * 262_139)).filter(|x| x.is_finite()));
    data.extend((0..300).map(|k| (f64::from(k) * std::f64::consts::FRAC_PI_2) as f32));
    let mut m = Make::new(data.len());
    let x = m.input_as(Origin::Input, &[n()], Data::F32(data.clone()));
    let sin = m.add(Op::Map(Map::Sin), F, &[n()], &[], &[(x, &[0])]);
    let cos = m.add(Op::Map(Map::Cos), F, &[n()], &[], &[(x, &[0])]);
    let tan = m.add(Op::Map(Map::Tan), F, &[n()], &[], &[(x, &[0])]);
    for found in everywhere(&m, &[sin, cos, tan]) {
        for (i, x) in data.iter().enumerate() {
            let (s, c) = (libm::sin(f64::from(*x)), libm::cos(f64::from(*x)));
            let (gs, gc, gt) = (found[0].get(i), found[1].get(i), found[2].get(i));
            assert!(gs.abs() <= 1.0 && (gs - s).abs() <= 2e-7, "sin({x}) is {gs}, not {s}");
            assert!(gc.abs() <= 1.0 && (gc - c).abs() <= 2e-7, "cos({x}) is {gc}, not {c}");
            assert!((gt - s / c).abs() <= 1e-6 * (s / c).abs(), "tan({x}) is {gt}, not {}", s / c);
        }
    }
}

/// A comparison that is a factor multiplies by 0: what is not finite shows, so no scatter may stand for it.
#[test]
fn a_factor_of_zero_hides_nothing() {
    let mut m = Make::new(6);
    let index = m.input_as(Origin::Input, &[n()], Data::I32(vec![0, 1, 2, 0, 1, 2]));
    let v = m.input_as(Origin::Input, &[n()], Data::F32(vec![1.0, 2.0, f32::INFINITY, 4.0, 5.0, 6.0]));
    let three = Size::from(3usize);
    let iota = m.add(Op::Iota, I, std::slice::from_ref(&three), &[], &[]);
    let hit = m.add(Op::Map(Map::Eq), B, &[three.clone(), n()], &[], &[(index, &[1]), (iota, &[0])]);
    let one = m.add(Op::Map(Map::ToF32), F, &[three.clone(), n()], &[], &[(hit, &[0, 1])]);
    let sum = m.add(Op::Contract, F, std::slice::from_ref(&three), &[n()], &[(one, &[0, 1]), (v, &[1])]);
    let zero = m.add(Op::Const(0.0), F, &[], &[], &[]);
    let chosen = m.add(Op::Map(Map::Select), F, &[three.clone(), n()], &[], &[(hit, &[0, 1]), (v, &[1]), (zero, &[])]);
    let left = m.add(Op::Fold(Fold::Sum), F, &[three], &[n()], &[(chosen, &[0, 1])]);
    for found in everywhere(&m, &[sum, left]) {
        assert!(found[0].get(0).is_nan() && found[0].get(1).is_nan() && found[0].get(2) == INF);
        assert_eq!(found[1].to_f64(), [5.0, 7.0, INF]);
    }
}

#[test]
fn the_empty_fold_is_what_it_starts_with() {
    let mut m = Make::new(0);
    let x = m.f(&[n()]);
    let least = m.add(Op::Fold(Fold::Max), F, &[], &[n()], &[(x, &[0])]);
    let most = m.add(Op::Fold(Fold::Min), F, &[], &[n()], &[(x, &[0])]);
    let sum = m.add(Op::Fold(Fold::Sum), F, &[], &[n()], &[(x, &[0])]);
    let prod = m.add(Op::Fold(Fold::Prod), F, &[], &[n()], &[(x, &[0])]);
    for found in everywhere(&m, &[least, most, sum, prod]) {
        let all: Vec<f64> = found.iter().map(|t| t.get(0)).collect();
        assert_eq!(all, [-INF, INF, 0.0, 1.0]);
    }
    // Passes leave it alone.
    assert_eq!(optimize(&m.graph, &mut |_, _| {}).outputs.len(), 0);
}

/// In one kernel, and where equal values are one.
#[test]
fn both_zeros_are_numbers_of_their_own() {
    for (low, high) in [(0.0, -0.0), (-0.0, 0.0)] {
        let mut m = Make::new(9);
        let x = m.input_as(Origin::Input, &[n()], Data::F32((0..9).map(|k| k as f32 - 4.5).collect()));
        let [low, high] = [low, high].map(|c| (c, m.add(Op::Const(c), F, &[], &[], &[])));
        let zero = m.add(Op::Const(0.0), F, &[], &[], &[]);
        let below = m.add(Op::Map(Map::Lt), B, &[n()], &[], &[(x, &[0]), (zero, &[])]);
        let chosen = m.add(Op::Map(Map::Select), F, &[n()], &[], &[(below, &[0]), (low.1, &[]), (high.1, &[])]);
        let one = m.add(Op::Const(1.0), F, &[], &[], &[]);
        let over = m.add(Op::Map(Map::Div), F, &[n()], &[], &[(one, &[]), (chosen, &[0])]);
        let place = m.i(&[n()], -3, 12);
        let pick = |c: f64| Op::Gather { picks: vec![hnet::ir::Pick::Operand(1)], fill: Some(c) };
        let near = m.add(pick(low.0), F, &[n()], &[], &[(over, &[]), (place, &[0])]);
        let far = m.add(pick(high.0), F, &[n()], &[], &[(over, &[]), (place, &[0])]);
        let [near, far] = [near, far].map(|x| m.add(Op::Map(Map::Div), F, &[n()], &[], &[(one, &[]), (x, &[0])]));
        let less = m.add(Op::Map(Map::Sub), F, &[n()], &[], &[(near, &[0]), (far, &[0])]);
        let want = |i: usize| if i < 5 { 1.0 / low.0 } else { 1.0 / high.0 };
        let mut found: Vec<_> = everywhere(&m, &[over, less]).into();
        if let Some(device) = crate::common::device("both_zeros") {
            let mut engine = Engine::gpu(&device, &m.graph, &[over, less], hnet::gpu::Options::default());
            found.push(engine.run(&m.bindings).unwrap());
        }
        let places = m.bindings.sources.values().find(|t| t.dtype() == I).unwrap().to_f64();
        for (who, got) in found.iter().enumerate() {
            for i in 0..9 {
                assert_eq!(got[0].get(i), want(i), "{who}, {low:?}: {:?}", got[0]);
                let outside = !(0.0..9.0).contains(&places[i]);
                let apart = if outside { 1.0 / low.0 - 1.0 / high.0 } else { 0.0 };
                assert_eq!(got[1].get(i), apart, "{who}, {low:?}: {:?} at {places:?}", got[1]);
            }
        }
    }
}
