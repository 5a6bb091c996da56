//! What is no number, infinities and the ends of what f32 holds: each function on each, by hand, on every backend, alone, in vectors and
//! through all passes.

use crate::common::make::{B, F, I, Make, n};
use crate::suite::{Case, Way};
use hnet::ir::scalar::Types;
use hnet::ir::{DType, Data, Fold, Map, NodeId, Op, Origin, Size, Tensor};
use hnet::opt::optimize;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// As far apart as f32 may be. Zeros have signs, but for devices; f32 has an end, and f64 numbers below f32's.
fn same(way: Way, got: f64, want: f64) -> bool {
    let ends = !matches!(way, Way::Interpreter | Way::Passes) && want.abs() > f64::from(f32::MAX);
    let want = if ends { want * INF } else { want };
    if want == 0.0 {
        return got.abs() < 1e-45 && (way.is_device() || got.is_sign_negative() == want.is_sign_negative());
    }
    got == want || (got.is_nan() && want.is_nan()) || (got - want).abs() <= 2e-6 * want.abs()
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
        Case::made(map.word(), &m, &[y]).each(|way, found| {
            for (k, (x, want)) in all.iter().enumerate() {
                let got = found[0].get(k);
                assert!(same(way, got, *want), "{} of {x:?} is {got:?} and not {want:?} ({way:?}, {times})", map.word());
            }
        });
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
    let least = 2f64.powi(-24);
    let to_half = [
        (NAN, NAN),
        (INF, INF),
        (-INF, -INF),
        (-0.0, -0.0),
        (65_519.996_093_75, 65_504.0),
        (65_520.0, INF),
        (-65_520.0, -INF),
        (3e38, INF),
        (2049.0, 2048.0),
        (2051.0, 2052.0),
        (least, least),
        (least / 2.0, 0.0),
        (-0.75 * least, -least),
        (1.5 * least, 2.0 * least),
        (1023.5 * least, 1024.0 * least),
        (1022.5 * least, 1022.0 * least),
    ];
    one(Map::Half, &to_half);
    check(
        Map::ToI32,
        I,
        &[(&[NAN], -2147483648.0), (&[INF], 2147483647.0), (&[-INF], -2147483648.0), (&[3e9], 2147483647.0), (&[-2.9], -2.0)],
    );
}

/// y, x, and the angle of the point, as IEEE 754 says: signs of zeros and infinities count.
fn angles() -> Vec<(f64, f64, f64)> {
    const PI: f64 = std::f64::consts::PI;
    let above = [
        (0.0, 0.0, 0.0),
        (0.0, -0.0, PI),
        (0.0, 2.0, 0.0),
        (0.0, -2.0, PI),
        (0.0, INF, 0.0),
        (0.0, -INF, PI),
        (3.0, 0.0, PI / 2.0),
        (3.0, -0.0, PI / 2.0),
        (3.0, INF, 0.0),
        (3.0, -INF, PI),
        (INF, 0.0, PI / 2.0),
        (INF, -2.0, PI / 2.0),
        (INF, INF, PI / 4.0),
        (INF, -INF, PI * 0.75),
        (1.0, 1.0, PI / 4.0),
        (1.0, -1.0, PI * 0.75),
        (1e38, 1e38, PI / 4.0),
        (f64::from(3e38f32), f64::from(1e38f32), (f64::from(3e38f32) / f64::from(1e38f32)).atan()),
        (f64::from(1e-30f32), f64::from(-2e-30f32), f64::from(1e-30f32).atan2(f64::from(-2e-30f32))),
        (1.0, f64::from(1e-30f32), PI / 2.0),
        (f64::from(0.1f32), 1.0, f64::from(0.1f32).atan()),
        (8.0, 1.0, 8f64.atan()),
    ];
    let below = above.map(|(y, x, angle)| (-y, x, -angle));
    let none = [(NAN, 1.0, NAN), (1.0, NAN, NAN), (NAN, NAN, NAN), (NAN, INF, NAN), (0.0, NAN, NAN), (NAN, 0.0, NAN)];
    above.into_iter().chain(below).chain(none).collect()
}

#[test]
fn angles_of_points_keep_their_digits() {
    let size = |i: i32| (if i % 2 == 0 { 1.0 } else { -1.0 }) * 10f32.powf((i / 2) as f32 * 0.74 - 37.0);
    let pair = |k: i32| (size(k / 202), size(k % 202));
    let (y, x): (Vec<f32>, Vec<f32>) = (0..202 * 202).map(pair).unzip();
    let mut m = Make::new(y.len());
    let [a, b] = [&y, &x].map(|v| m.input_as(Origin::Input, &[n()], Data::F32(v.clone())));
    let angle = m.add(Op::Map(Map::Atan2), F, &[n()], &[], &[(a, &[0]), (b, &[0])]);
    Case::made("atan2", &m, &[angle]).each(|way, found| {
        for (k, (y, x)) in y.iter().zip(&x).enumerate() {
            let (got, want) = (found[0].get(k), f64::from(*y).atan2(f64::from(*x)));
            // What is below the normal numbers may be 0 for a driver.
            assert!((got - want).abs() <= 5e-7 * want.abs() + 1.2e-38, "atan2({y}, {x}) is {got} and not {want} ({way:?})");
        }
    });
}

/// Whoever adds a function is led here.
#[test]
fn every_function_of_real_numbers_is_looked_at_at_its_edges() {
    let text = include_str!("edges.rs");
    let real = |m: &Map| match m.types() {
        Types::Same(of) | Types::Test(of) => of.contains(&F) && !matches!(m, Map::Copy | Map::Cut | Map::Surrogate),
        Types::Cast(_) | Types::Choice => false,
    };
    let missing: Vec<&Map> = Map::ALL.iter().filter(|m| real(m) && !text.contains(&format!("Map::{m:?}"))).collect();
    assert!(missing.is_empty(), "no edges of {missing:?}");
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
    two(Map::Atan2, F, &angles());
    let quotients = [(7.0, 2.0, 3.0), (-7.0, 2.0, -4.0), (INF, 2.0, INF), (1.0, INF, 0.0), (1.0, 0.0, 0.0), (NAN, 0.0, 0.0)];
    two(Map::IntDiv, F, &quotients);
    two(Map::IntDiv, F, &[(NAN, 1.0, NAN), (1.0, NAN, NAN), (INF, INF, NAN)]);
    two(Map::Mod, F, &[(7.0, 3.0, 1.0), (-7.0, 3.0, 2.0), (INF, 2.0, NAN), (5.0, INF, NAN), (1.0, 0.0, 0.0), (NAN, 0.0, 0.0)]);
    two(Map::Mod, F, &[(NAN, 1.0, NAN), (1.0, NAN, NAN)]);
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
    for map in [Map::Add, Map::Sub, Map::Mul, Map::Div, Map::Pow, Map::Max, Map::Min, Map::Atan2] {
        let mut m = Make::new(21);
        let data: Vec<f32> = (0..21).map(|i| special[i % 7] as f32).collect();
        let x = m.input_as(Origin::Input, &[n()], Data::F32(data));
        let (mut wanted, mut about) = (Vec::new(), Vec::new());
        for c in [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -2.0, 3.0, INF, -INF] {
            let c_node = m.add(Op::Const(c), F, &[], &[], &[]);
            for operands in [[(c_node, &[][..]), (x, &[0][..])], [(x, &[0]), (c_node, &[])]] {
                wanted.push(m.add(Op::Map(map), F, &[n()], &[], &operands));
                about.push(c);
            }
        }
        let case = Case::made(map.word(), &m, &wanted);
        let expect = case.run(Way::Interpreter).unwrap().unwrap();
        let mut wrong = Vec::new();
        case.each(|way, found| {
            for ((got, want), c) in found.iter().zip(&expect).zip(&about) {
                for i in 0..21 {
                    let (got, want) = (got.get(i), want.get(i));
                    // Of two zeros either is the larger one.
                    let of_two = matches!(map, Map::Max | Map::Min) && *c == 0.0 && got == want;
                    if !same(way, got, want) && !of_two {
                        let what = format!("{} with {c:?} and {:?}", map.word(), special[i % 7]);
                        wrong.push(format!("{what}: {got:?}, not {want:?} ({way:?})"));
                    }
                }
            }
        });
        wrong.dedup();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
                let mut case = Case::made("folds", &m, &wanted);
                if (length, at) != (67, 33) && length < 600 {
                    case = case.on(&[Way::Interpreter, Way::Native(1), Way::Optimized(2)]);
                }
                case.each(|way, found| {
                    for (k, tensor) in found.iter().enumerate() {
                        let last = tensor.get(tensor.len() - 1);
                        let fine = if k < 8 { last.is_nan() } else { last == at as f64 };
                        assert!(fine, "fold {k} of {length} with NaN at {at} is {last} ({way:?})");
                        assert!(!tensor.get(0).is_nan() || tensor.len() == 1, "fold {k}: NaN in another row ({way:?})");
                    }
                });
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
        Case::made("best", &m, &[up, down]).all(0.0, &[("0", &[most]), ("1", &[least])]);
    }
}

/// sin, cos and tan of every finite f32, up to the largest: inside [-1, 1], and right.
#[test]
fn angles_of_any_size() {
    let quarter = std::f64::consts::FRAC_PI_2;
    let mut data: Vec<f32> =
        vec![0.0, -0.0, 1.0, 1000.0, 32_767.99, 32_768.0, 50_000.0, 99_999.9, 100_000.1, 1e6, 1.7e9, 1e15, 3e38];
    data.extend([f32::MAX, 1e-40]);
    data.extend((0..4000u32).map(|i| f32::from_bits(0x3f00_0000 + i * 262_139)).filter(|x| x.is_finite()));
    data.extend((0..4000).map(|i| i as f32 * 8.3 - 16_000.0));
    // Close to multiples of a quarter, where most digits cancel.
    data.extend((0..300).map(|k| (f64::from(k) * quarter) as f32));
    data.extend((0..127).map(|e| (2.0f64.powi(e) * quarter) as f32));
    data.extend(data.clone().iter().map(|v| -v));
    let mut m = Make::new(data.len());
    let x = m.input_as(Origin::Input, &[n()], Data::F32(data.clone()));
    let all = [Map::Sin, Map::Cos, Map::Tan].map(|f| m.add(Op::Map(f), F, &[n()], &[], &[(x, &[0])]));
    Case::made("angles", &m, &all).each(|way, found| {
        let near = if way.is_device() { 1e-6 } else { 2e-7 };
        for (i, x) in data.iter().enumerate() {
            let (s, c) = (libm::sin(f64::from(*x)), libm::cos(f64::from(*x)));
            let (sin, cos, tan) = (found[0].get(i), found[1].get(i), found[2].get(i));
            assert!(sin.abs() <= 1.0 && (sin - s).abs() <= near, "sin({x}) is {sin}, not {s} ({way:?})");
            assert!(cos.abs() <= 1.0 && (cos - c).abs() <= near, "cos({x}) is {cos}, not {c} ({way:?})");
            // Near its poles a tangent has the error of a small cosine, on a device.
            let limit = if way.is_device() { 1e-6 * (1.0 + (s / c).abs()).powi(2) } else { 1e-6 * (s / c).abs() };
            assert!((tan - s / c).abs() <= limit, "tan({x}) is {tan}, not {} ({way:?})", s / c);
        }
    });
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
    Case::made("a factor of zero", &m, &[sum, left]).all(0.0, &[("0", &[NAN, NAN, INF]), ("1", &[5.0, 7.0, INF])]);
}

/// Rows for which an index chooses no matrix meet one of zeros: what is not finite in them shows, however large the product is and whatever computes it.
#[test]
fn a_row_without_a_matrix_hides_nothing() {
    for (t, i, o) in [(7, 9, 5), (40, 64, 24), (150, 64, 200)] {
        let text = format!(
            "dim t
            model M {{
                input at: i32[t]
                input x: [t, {i}]
                param w: [6, {i}, {o}] = normal()
                output y: [t, {o}] = x @ (w[at] else 0)
            }}"
        );
        let at: Vec<i32> = (0..t).map(|k| if k % 3 == 0 { [-1, 6, 99][k as usize / 3 % 3] } else { k % 6 }).collect();
        let mut x: Vec<f32> = (0..t * i).map(|k| (k * 37 % 101) as f32 / 50.0 - 1.0).collect();
        // A row without a matrix, one with, and one with both of what is not finite.
        (x[0], x[(2 * i) as usize], x[(3 * i + 1) as usize], x[(3 * i + 2) as usize]) =
            (f32::NAN, f32::INFINITY, -f32::INFINITY, 1.0);
        let inputs = [("at", Tensor::new(vec![at.len()], Data::I32(at))), ("x", Tensor::new(vec![x.len()], Data::F32(x)))];
        let case = Case::new(&text, &[("t", i64::from(t))], &inputs);
        case.agrees();
        case.each(|way, found| {
            let row = |k: i32| (0..o).map(|j| found[0].get((k * o + j) as usize)).collect::<Vec<_>>();
            assert!(row(0).iter().chain(&row(3)).all(|y| y.is_nan()), "{way:?}: {:?}", row(0));
            assert!(row(6).iter().all(|y| *y == 0.0), "{way:?}: {:?}", row(6));
        });
    }
}

/// A slope of what is NaN is NaN where the value is: no comparison that fails makes it 0. (As PyTorch has it of `relu` and `maximum`; its `clamp`
/// and `abs` have 0, and its `amax` NaN everywhere.)
#[test]
fn the_slope_of_what_is_no_number_is_none() {
    let text = "dim n
        model M {
            input x: [n]
            input w: [n]
            input v: [4]
            input of: i32[n]
            output relu_by: [n] = grad(sum[n] relu(x)^2, x)
            output clamp_by: [n] = grad(sum[n] clamp(x, -1, 1)^2, x)
            output larger_by: [n] = grad(sum[n] max(x, w)^2, x)
            output smaller_by: [n] = grad(sum[n] min(x, w)^2, w)
            output most_by: [n] = grad((max[n] x)^2, x)
            output kept_by: [n] = grad((max[n where w > 0] x)^2, x)
            output length_by: [4] = grad(norm(v), v)
            output size_by: [n] = grad(sum[n] abs(x), x)
            let most[k < 2] = max[n where of == k] x
            output groups_by: [n] = grad(sum[k] most[k]^2, x)
        }";
    const NAN: f32 = f32::NAN;
    let f = |v: [f32; 4]| Tensor::new(vec![4], Data::F32(v.to_vec()));
    let of = Tensor::new(vec![4], Data::I32(vec![0, 1, 1, 0]));
    let inputs = [("x", f([1.0, NAN, -2.0, 0.0])), ("w", f([0.0, 1.0, NAN, 0.0])), ("v", f([1.0, NAN, -2.0, 0.0])), ("of", of)];
    let case = Case::new(text, &[("n", 4)], &inputs);
    case.agrees();
    let wants: [[f32; 4]; 9] = [
        [2.0, NAN, 0.0, 0.0],
        [0.0, NAN, 0.0, 0.0],
        [2.0, NAN, NAN, 0.0],
        [0.0, NAN, NAN, 0.0],
        [0.0, NAN, 0.0, 0.0],
        [0.0, NAN, 0.0, 0.0],
        [NAN; 4],
        [1.0, NAN, -1.0, 0.0],
        [2.0, NAN, 0.0, 0.0],
    ];
    case.each(|way, found| {
        for (k, want) in wants.iter().enumerate() {
            let same = |i: usize| {
                let (got, want) = (found[k].get(i), f64::from(want[i]));
                got == want || got.is_nan() && want.is_nan()
            };
            assert!((0..4).all(same), "{way:?}: output {k}: {:?}", (0..4).map(|i| found[k].get(i)).collect::<Vec<_>>());
        }
    });
}

#[test]
fn the_empty_fold_is_what_it_starts_with() {
    let mut m = Make::new(0);
    let x = m.f(&[n()]);
    let least = m.add(Op::Fold(Fold::Max), F, &[], &[n()], &[(x, &[0])]);
    let most = m.add(Op::Fold(Fold::Min), F, &[], &[n()], &[(x, &[0])]);
    let sum = m.add(Op::Fold(Fold::Sum), F, &[], &[n()], &[(x, &[0])]);
    let prod = m.add(Op::Fold(Fold::Prod), F, &[], &[n()], &[(x, &[0])]);
    let wants = [("0", &[-INF]), ("1", &[INF]), ("2", &[0.0]), ("3", &[1.0])].map(|(name, v)| (name, &v[..]));
    Case::made("nothing", &m, &[least, most, sum, prod]).all(0.0, &wants);
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
        let places = m.bindings.sources.values().find(|t| t.dtype() == I).unwrap().to_f64();
        let over_zeros: Vec<f64> = (0..9).map(|i| if i < 5 { 1.0 / low.0 } else { 1.0 / high.0 }).collect();
        let outside = |at: &f64| !(0.0..9.0).contains(at);
        let apart: Vec<f64> = places.iter().map(|at| if outside(at) { 1.0 / low.0 - 1.0 / high.0 } else { 0.0 }).collect();
        Case::made("both zeros", &m, &[over, less]).all(0.0, &[("0", &over_zeros), ("1", &apart)]);
    }
}

/// What is taken off again was there: no algebra makes a number of what was none on the way, in one kernel and where values are computed
/// twice.
#[test]
fn nothing_is_cancelled_that_is_not_finite() {
    let rows: Vec<(f32, f32)> = [1.5, -0.25, 0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]
        .iter()
        .flat_map(|x| [2.0, 0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN].map(|c| (*x, c)))
        .collect();
    // The inner function of c and x, the outer one of c and its result; whether the operands of each change their places.
    let forms = [
        (Map::Add, Map::Sub, true, true),
        (Map::Add, Map::Sub, false, true),
        (Map::Add, Map::Sub, true, false),
        (Map::Sub, Map::Add, true, true),
        (Map::Sub, Map::Add, true, false),
        (Map::Sub, Map::Sub, false, true),
        (Map::Sub, Map::Sub, false, false),
        (Map::Mul, Map::Div, true, true),
        (Map::Mul, Map::Div, false, false),
        (Map::Div, Map::Mul, true, true),
        (Map::Div, Map::Div, false, false),
    ];
    let plain = |f: Map, a: f64, b: f64| match f {
        Map::Add => a + b,
        Map::Sub => a - b,
        Map::Mul => a * b,
        _div => a / b,
    };
    for again in [false, true] {
        let mut m = Make::new(rows.len());
        let x = m.input_as(Origin::Input, &[n()], Data::F32(rows.iter().map(|r| r.0).collect()));
        let c = m.input_as(Origin::Input, &[n()], Data::F32(rows.iter().map(|r| r.1).collect()));
        let map = |m: &mut Make, f: Map, list: &[NodeId]| {
            let operands: Vec<(NodeId, &[usize])> = list.iter().map(|x| (*x, &[0usize][..])).collect();
            m.add(Op::Map(f), F, &[n()], &[], &operands)
        };
        let mut outputs = Vec::new();
        for (inner, outer, turn, over) in &forms {
            // Twice the same computation, or the same value twice.
            let one = map(&mut m, Map::Sqrt, &[c]);
            let two = if again { map(&mut m, Map::Sqrt, &[c]) } else { one };
            let below = map(&mut m, *inner, &if *turn { [x, one] } else { [one, x] });
            outputs.push(map(&mut m, *outer, &if *over { [below, two] } else { [two, below] }));
            // And behind a sign.
            let less = map(&mut m, Map::Neg, &[two]);
            outputs.push(map(&mut m, *outer, &if *over { [below, less] } else { [less, below] }));
        }
        for f in [Map::Add, Map::Sub, Map::Div] {
            let one = map(&mut m, Map::Sqrt, &[c]);
            let two = if again { map(&mut m, Map::Sqrt, &[c]) } else { one };
            let less = map(&mut m, Map::Neg, &[two]);
            outputs.push(map(&mut m, f, &[one, two]));
            outputs.push(map(&mut m, f, &[one, less]));
        }
        let values = || rows.iter().map(|(x, c)| (f64::from(*x), f64::from(*c).sqrt()));
        Case::made("what is taken off again", &m, &outputs).each(|way, found| {
            for (k, f) in [Map::Add, Map::Sub, Map::Div].into_iter().enumerate() {
                for (i, (_, c)) in values().enumerate() {
                    for (j, other) in [c, -c].into_iter().enumerate() {
                        let (got, want) = (found[2 * forms.len() + 2 * k + j].get(i), plain(f, c, other));
                        assert!(same(way, got, want), "{f:?} of {c}, {other}: {got}, not {want} ({way:?})");
                    }
                }
            }
            for (k, (inner, outer, turn, over)) in forms.iter().enumerate() {
                for (i, (x, c)) in values().enumerate() {
                    let below = if *turn { plain(*inner, x, c) } else { plain(*inner, c, x) };
                    for (j, c) in [c, -c].into_iter().enumerate() {
                        let want = if *over { plain(*outer, below, c) } else { plain(*outer, c, below) };
                        let got = found[2 * k + j].get(i);
                        assert!(same(way, got, want), "{inner:?}, {outer:?} of {x}, {c}: {got}, not {want} ({way:?})");
                    }
                }
            }
        });
    }
}

/// A factor of 0 that a compiler finds by itself still makes no number of what is none: truth values, sums of nothing, what numbers alone make.
#[test]
fn no_factor_that_is_found_to_be_zero_hides_anything() {
    let x = [2.0, -3.0, 0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    let rows: Vec<(f32, u8)> = x.iter().flat_map(|x| [(*x, 0), (*x, 1)]).collect();
    let mut m = Make::new(rows.len());
    let v = m.input_as(Origin::Input, &[n()], Data::F32(rows.iter().map(|r| r.0).collect()));
    let on = m.input_as(Origin::Input, &[n()], Data::Bool(rows.iter().map(|r| r.1).collect()));
    let none = m.input_as(Origin::Input, &[n(), Size::from(0usize)], Data::F32(vec![]));
    let single = m.input_as(Origin::Input, &[n(), Size::from(1usize)], Data::F32(rows.iter().map(|r| r.0).collect()));
    let (zero, one) = (m.add(Op::Const(0.0), F, &[], &[], &[]), m.add(Op::Const(1.0), F, &[], &[], &[]));
    let number = m.add(Op::Map(Map::ToF32), F, &[n()], &[], &[(on, &[0])]);
    let chosen = m.add(Op::Map(Map::Select), F, &[n()], &[], &[(on, &[0]), (one, &[]), (zero, &[])]);
    let nothing = m.add(Op::Fold(Fold::Sum), F, &[n()], &[Size::from(0usize)], &[(none, &[0, 1])]);
    let made = m.add(Op::Map(Map::Sub), F, &[], &[], &[(one, &[]), (one, &[])]);
    let sine = m.add(Op::Map(Map::Sin), F, &[], &[], &[(made, &[])]);
    let times = |m: &mut Make, a: NodeId, of: &[usize], b: NodeId, along: &[usize]| {
        m.add(Op::Map(Map::Mul), F, &[n()], &[], &[(a, of), (b, along)])
    };
    let mut outputs = Vec::new();
    for factor in [number, chosen] {
        outputs.push(times(&mut m, factor, &[0], v, &[0]));
        outputs.push(times(&mut m, v, &[0], factor, &[0]));
        // In a sum, which may multiply and add at once.
        outputs.push(m.add(Op::Contract, F, &[n()], &[Size::from(1usize)], &[(factor, &[0]), (v, &[0])]));
    }
    // Where the best of one stands, and the place on an axis that has one.
    let alone = Size::from(1usize);
    let best = m.add(Op::Fold(Fold::Argmax), I, &[n()], std::slice::from_ref(&alone), &[(single, &[0, 1])]);
    let best = m.add(Op::Map(Map::ToF32), F, &[n()], &[], &[(best, &[0])]);
    for (factor, of) in [(nothing, &[0usize][..]), (made, &[]), (sine, &[]), (best, &[0])] {
        outputs.push(times(&mut m, factor, of, v, &[0]));
        outputs.push(m.add(Op::Map(Map::Div), F, &[n()], &[], &[(factor, of), (v, &[0])]));
    }
    let place = m.add(Op::Iota, I, std::slice::from_ref(&alone), &[], &[]);
    let place = m.add(Op::Map(Map::ToF32), F, std::slice::from_ref(&alone), &[], &[(place, &[0])]);
    for map in [Map::Mul, Map::Div] {
        outputs.push(m.add(Op::Map(map), F, &[n(), alone.clone()], &[], &[(place, &[1]), (v, &[0])]));
    }
    Case::made("factors that are found", &m, &outputs).each(|way, found| {
        for (k, got) in found.iter().enumerate() {
            for (i, (x, on)) in rows.iter().map(|r| (f64::from(r.0), f64::from(r.1))).enumerate() {
                let want = match k {
                    0..6 => on * x,
                    k if k % 2 == 0 => 0.0 * x,
                    _over => 0.0 / x,
                };
                // Of a sum that is zero the sign is not said.
                let nothing = [2, 5].contains(&k) && want == 0.0 && got.get(i) == 0.0;
                assert!(nothing || same(way, got.get(i), want), "output {k} at {x}, {on}: {}, not {want} ({way:?})", got.get(i));
            }
        }
    });
}
