//! Sums keep their digits: whatever the shape of the loops, as long as they are, the same for any number of threads.

use crate::brothers::gives;
use crate::common::bits;
use crate::common::make::{F, I, Make, k, n};
use crate::suite::Way::{Device, Native, OptimizedDevice};
use crate::suite::{Case, Target, Way, in_order, sum};
use hnet::ir::{Data, Fold, Map, NodeId, Op, Origin, Pick, Size, Tensor};

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

const NATIVE: [Way; 3] = [Native(1), Native(2), Native(3)];

/// Every number is right to a millionth, and the same to the last bit for one, two and three threads.
fn check(what: &str, m: &Make, wanted: &[NodeId]) {
    let case = Case::made(what, m, wanted).on(&[NATIVE.as_slice(), &[Device]].concat());
    case.within(DIGITS);
    let mut first: Option<Vec<Tensor>> = None;
    case.on(&NATIVE).each(|way, got| {
        let first = first.get_or_insert_with(|| got.to_vec());
        let same = got.iter().zip(first).all(|(a, b)| bits(a) == bits(b));
        assert!(same, "{what}, {} terms: {way:?} sums otherwise", m.free);
    });
}

const LENGTHS: [usize; 5] = [0, 1, 35, 1000, 300_007];

#[test]
fn folds_of_any_shape_keep_their_digits() {
    let total = || Op::Fold(Fold::Sum);
    for free in LENGTHS {
        for constant in [Some(0.1), None] {
            let mut m = Make::new(free);
            let rows = positive(&mut m, &[n(), k(3)], constant);
            let columns = positive(&mut m, &[k(3), n()], constant);
            let middle = positive(&mut m, &[k(2), n(), k(5)], constant);
            let all = m.add(total(), F, &[], &[n(), k(3)], &[(rows, &[0, 1])]);
            let each = m.add(total(), F, &[n()], &[k(3)], &[(rows, &[0, 1])]);
            let then = m.add(total(), F, &[], &[n()], &[(each, &[0])]);
            let down = m.add(total(), F, &[k(3)], &[n()], &[(rows, &[1, 0])]);
            let along = m.add(total(), F, &[k(3)], &[n()], &[(columns, &[0, 1])]);
            let turned = m.add(total(), F, &[], &[n(), k(3)], &[(columns, &[1, 0])]);
            let inside = m.add(total(), F, &[k(2), k(5)], &[n()], &[(middle, &[0, 2, 1])]);
            let outside = m.add(total(), F, &[k(5)], &[k(2), n()], &[(middle, &[1, 2, 0])]);
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
    let gather = Op::Gather { picks: vec![Pick::Operand(1), Pick::Loop(1), Pick::Loop(2)], fill: None };
    let chosen = m.add(gather, F, &[k(12), n(), k(5)], &[], &[(w, &[]), (which, &[0])]);
    let y = m.add(Op::Contract, F, &[k(12), k(5)], &[n()], &[(x, &[0, 2]), (chosen, &[0, 2, 1])]);
    check("grouped", &m, &[y]);
}

/// Rows that share a tile, with a matrix for each group of them.
#[test]
fn chosen_matrices_keep_their_digits_on_a_device() {
    for (free, constant) in [(2_000, None), (30_011, Some(0.1))] {
        let mut m = Make::new(free);
        let x = positive(&mut m, &[k(48), n()], constant);
        let w = positive(&mut m, &[k(3), n(), k(17)], constant);
        let which = m.i(&[k(48)], 0, 3);
        let gather = Op::Gather { picks: vec![Pick::Operand(1), Pick::Loop(1), Pick::Loop(2)], fill: None };
        let chosen = m.add(gather, F, &[k(48), n(), k(17)], &[], &[(w, &[]), (which, &[0])]);
        let y = m.add(Op::Contract, F, &[k(48), k(17)], &[n()], &[(x, &[0, 2]), (chosen, &[0, 2, 1])]);
        Case::made("chosen in tiles", &m, &[y]).on(&[OptimizedDevice]).within(DIGITS);
    }
}

#[test]
fn running_and_scattered_sums_keep_their_digits() {
    for free in LENGTHS {
        let mut m = Make::new(free);
        let x = positive(&mut m, &[n(), k(3)], Some(0.1));
        let down = m.add(Op::Scan { axis: 0 }, F, &[n(), k(3)], &[], &[(x, &[0, 1])]);
        let to = m.i(&[n()], -1, 4);
        let places = m.add(Op::Scatter { axis: 0, fold: Fold::Sum }, F, &[k(4), k(3)], &[n()], &[(to, &[2]), (x, &[2, 1])]);
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
        check("products", &m, &[down]);
        // A device rounds the product of each of its threads before it joins them.
        Case::made("one product", &m, &[all]).on(&NATIVE).within(DIGITS);
        // Large and small factors by turns: no part may leave what numbers can hold.
        let swing = (0..free * 3).map(|i| if (i / 3) % 8 < 4 { 10.0f32 } else { 0.1 }).collect();
        let x = m.input_as(Origin::Input, &shape, Data::F32(swing));
        if free % 8 == 0 {
            let down = m.add(Op::Fold(Fold::Prod), F, &[k(3)], &[n()], &[(x, &[1, 0])]);
            Case::made("swinging products", &m, &[down]).all(1e-4, &[("0", &[1.0; 3])]);
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
            let top = if x == f32::NEG_INFINITY { 1.0 } else { f64::from(x) };
            let first = if x == f32::NEG_INFINITY { usize::from(at == 0) } else { at };
            let wants = [f64::from(y), y.into(), top, first as f64, y.into()];
            let wants = wants.iter().map(|v| vec![Target::from(*v)]).collect();
            Case::made(&format!("{x} at {at}"), &m, &[sum, prod, most, place, dot]).meets(0.0, &in_order(wants));
        }
    }
}

/// Values of three kinds: all the same, which round the same way each time, and scattered ones of one sign or of two.
fn values(kind: usize, count: usize) -> Vec<f32> {
    let at = |i: usize| ((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1 << 24) as f32;
    let one = |i: usize| match kind {
        0 => 0.1,
        1 => at(i),
        _ => at(i) - 0.5,
    };
    (0..count).map(one).collect()
}

/// Sums of both signs, worked out in f64, are right to a millionth of what was added up.
fn adds_up(what: &str, m: &Make, wanted: &[NodeId], wants: Vec<Vec<Target>>) {
    Case::made(what, m, wanted).meets(DIGITS, &in_order(wants));
}

#[test]
fn sums_of_both_signs_keep_their_digits() {
    let sizes = [0, 1, 63, 64, 65, 4099, 70_000, 200_001, 1_000_000];
    for (size, kind) in sizes.into_iter().flat_map(|s| (0..3).map(move |k| (s, k))) {
        let data = values(kind, 3 * size);
        let mut m = Make::new(size);
        let x = m.input_as(Origin::Input, &[n(), k(3)], Data::F32(data.clone()));
        let mut fold = |shape: &[Size], inner: &[Size], at: &[usize]| m.add(Op::Fold(Fold::Sum), F, shape, inner, &[(x, at)]);
        let mut wanted = vec![fold(&[], &[n(), k(3)], &[0, 1]), fold(&[k(3)], &[n()], &[1, 0]), fold(&[n()], &[k(3)], &[0, 1])];
        wanted.push(m.add(Op::Contract, F, &[], &[n(), k(3)], &[(x, &[0, 1]), (x, &[0, 1])]));
        let f = |i: usize| f64::from(data[i]);
        let columns = (0..3).map(|c| sum((0..size).map(|r| f(3 * r + c)))).collect();
        let rows = (0..size).map(|r| sum((0..3).map(|c| f(3 * r + c)))).collect();
        let wants = vec![vec![sum((0..3 * size).map(f))], columns, rows, vec![sum((0..3 * size).map(|i| f(i) * f(i)))]];
        adds_up(&format!("sums of kind {kind}"), &m, &wanted, wants);
    }
}

/// One row, few and many, by a product with few columns and in tiles.
#[test]
fn products_with_long_sums_keep_their_digits() {
    let all = [(65, 20, 20), (300, 70, 40), (4099, 20, 30), (4099, 1, 3), (70_000, 17, 16), (70_000, 2, 1), (5000, 40, 2)];
    for ((size, rows, columns), kind) in all.into_iter().flat_map(|s| (0..2).map(move |k| (s, k))) {
        let (left, right) = (values(kind, rows * size), values(2 * kind, size * columns));
        let mut m = Make::new(size);
        let a = m.input_as(Origin::Input, &[k(rows), n()], Data::F32(left.clone()));
        let b = m.input_as(Origin::Input, &[n(), k(columns)], Data::F32(right.clone()));
        let y = m.add(Op::Contract, F, &[k(rows), k(columns)], &[n()], &[(a, &[0, 2]), (b, &[2, 1])]);
        let negated = m.add(Op::Map(Map::Neg), F, &[k(rows), k(columns)], &[], &[(y, &[0, 1])]);
        let one = |i: usize| {
            let (r, c) = (i / columns, i % columns);
            sum((0..size).map(|j| f64::from(left[r * size + j]) * f64::from(right[j * columns + c])))
        };
        let want: Vec<Target> = (0..rows * columns).map(one).collect();
        let less = want.iter().map(|w| Target { value: -w.value, ..*w }).collect();
        adds_up(&format!("{rows} by {size} by {columns}, kind {kind}"), &m, &[y, negated], vec![want, less]);
    }
}

#[test]
fn running_sums_keep_their_digits() {
    let all = [(0, 3), (5000, 1), (5000, 3), (1000, 17), (70, 64), (70, 65), (3, 4099), (2, 70_000), (1, 1_000_000)];
    for ((rows, along), kind) in all.into_iter().flat_map(|s| (0..2).map(move |k| (s, k))) {
        let data = values(kind, rows * along);
        let mut m = Make::new(rows);
        let x = m.input_as(Origin::Input, &[n(), k(along)], Data::F32(data.clone()));
        let across = m.add(Op::Map(Map::Copy), F, &[k(along), n()], &[], &[(x, &[1, 0])]);
        let forth = m.add(Op::Scan { axis: 1 }, F, &[n(), k(along)], &[], &[(x, &[0, 1])]);
        let down = m.add(Op::Scan { axis: 0 }, F, &[k(along), n()], &[], &[(across, &[0, 1])]);
        let mut want = vec![Target::from(0.0); rows * along];
        let mut turned = want.clone();
        for r in 0..rows {
            let mut s = Target::from(0.0);
            for i in 0..along {
                let v = f64::from(data[r * along + i]);
                s = Target { value: s.value + v, scale: s.scale + v.abs() };
                want[r * along + i] = s;
                turned[i * rows + r] = s;
            }
        }
        adds_up(&format!("{rows} rows of {along}"), &m, &[forth, down], vec![want, turned]);
    }
}

/// Many values for few places: one place may take them all.
#[test]
fn scatters_keep_their_digits() {
    for (size, places, kind) in [(0, 3, 0), (65, 3, 0), (4099, 5, 1), (70_000, 1, 0), (70_000, 300, 1), (200_001, 40, 0)] {
        let data = values(kind, 2 * size);
        // Every second one goes to the last place.
        let to: Vec<i32> = (0..size).map(|i| if i % 2 == 0 { places as i32 - 1 } else { (i * 7 % places) as i32 }).collect();
        let mut m = Make::new(size);
        let x = m.input_as(Origin::Input, &[n(), k(2)], Data::F32(data.clone()));
        let place = m.input_as(Origin::Input, &[n()], Data::I32(to.clone()));
        let y = m.add(Op::Scatter { axis: 0, fold: Fold::Sum }, F, &[k(places), k(2)], &[n()], &[(place, &[2]), (x, &[2, 1])]);
        let mut want = vec![Target::from(0.0); places * 2];
        for i in 0..2 * size {
            let (w, v) = (&mut want[to[i / 2] as usize * 2 + i % 2], f64::from(data[i]));
            *w = Target { value: w.value + v, scale: w.scale + v.abs() };
        }
        adds_up(&format!("{size} values for {places} places"), &m, &[y], vec![want]);
    }
}

/// The difference of values that nearly are the same has digits that the difference of their sums has not; and sums of their own may be infinite.
#[test]
fn sums_of_differences_are_no_differences_of_sums() {
    let text = "dim b
dim t
dim n
model M {
    input x: [b, n]
    input y: [t, n]
    input w: [n]
    output apart: [b, t] = sum[n] (x - y)
    output weighed: [b, t] = sum[n] (x + -y) * w
    output down: [b, n] = mean[t] (0.5 * x - 0.5 * y)
    output whole: f32 = sum[b, t, n] (x - y)
}
";
    let (b, t, n) = (3usize, 70usize, 65usize);
    let near = |large: f64, k: usize| large + (k * 7919 % 127) as f64 / 64.0;
    for large in [4096.0, -60000.0] {
        let x: Vec<f64> = (0..b * n).map(|k| near(large, k)).collect();
        let y: Vec<f64> = (0..t * n).map(|k| near(large, k + 31)).collect();
        let w: Vec<f64> = (0..n).map(|k| near(-1.0, k)).collect();
        let d = |i: usize, j: usize, k: usize| x[i * n + k] - y[j * n + k];
        let pairs = || (0..b).flat_map(|i| (0..t).map(move |j| (i, j)));
        let apart: Vec<f64> = pairs().map(|(i, j)| (0..n).map(|k| d(i, j, k)).sum()).collect();
        let weighed: Vec<f64> = pairs().map(|(i, j)| (0..n).map(|k| d(i, j, k) * w[k]).sum()).collect();
        let places = (0..b).flat_map(|i| (0..n).map(move |k| (i, k)));
        let down: Vec<f64> = places.map(|(i, k)| 0.5 * (0..t).map(|j| d(i, j, k)).sum::<f64>() / t as f64).collect();
        let whole = [apart.iter().sum()];
        let dims = [("b", b as i64), ("t", t as i64), ("n", n as i64)];
        let wants: [(&str, &[f64]); 4] = [("apart", &apart), ("weighed", &weighed), ("down", &down), ("whole", &whole)];
        gives(text, &dims, &[("x", &x), ("y", &y), ("w", &w)], &wants);
    }
    let (x, y) = (vec![2e38; b * n], vec![2e38; t * n]);
    let zeros = vec![0.0; b * t.max(n)];
    let dims = [("b", b as i64), ("t", t as i64), ("n", n as i64)];
    let wants: [(&str, &[f64]); 4] =
        [("apart", &zeros[..b * t]), ("weighed", &zeros[..b * t]), ("down", &zeros[..b * n]), ("whole", &zeros[..1])];
    gives(text, &dims, &[("x", &x), ("y", &y), ("w", &vec![1.0; n])], &wants);
}
