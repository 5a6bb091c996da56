//! Small models: loops, prepared parts, symbolic sizes, layers.

use super::{B, Engine, F, I, Make, Options};
use crate::ir::{Axis, Body, Fold, Map, Node, NodeId, Op, Operand, Origin, Output, OutputKind, Size};
use crate::ir::{Bindings, Data, Tensor};

fn output(node: NodeId) -> Output {
    Output { name: "o".into(), kind: OutputKind::Output, node }
}

/// carry c[n]: c * k + round; yields it; stops when its sum is large.
fn looping(n: usize, trips: usize, reverse: bool, limit: f64) -> (Make, Vec<NodeId>) {
    let mut body = Make::default();
    let round = body.add(Op::Arg(0), I, &[], &[], &[]);
    let carry = body.add(Op::Arg(1), F, &[n], &[], &[]);
    let k = body.add(Op::Arg(2), F, &[n], &[], &[]);
    let r = body.add(Op::Map(Map::ToF32), F, &[], &[], &[(round, &[])]);
    let e = body.add(Op::Map(Map::Exp), F, &[n], &[], &[(k, &[0])]);
    let p = body.add(Op::Map(Map::Mul), F, &[n], &[], &[(carry, &[0]), (e, &[0])]);
    let next = body.add(Op::Map(Map::Add), F, &[n], &[], &[(p, &[0]), (r, &[])]);
    let sum = body.add(Op::Fold(Fold::Sum), F, &[], &[n], &[(next, &[0])]);
    let top = body.add(Op::Const(limit), F, &[], &[], &[]);
    let stop = body.add(Op::Map(Map::Lt), B, &[], &[], &[(top, &[]), (sum, &[])]);
    body.graph.outputs = [next, stop, next].map(output).into();
    let mut m = Make::default();
    let (first, k) = (m.f(&[n]), m.f(&[n]));
    let body = Body { graph: body.graph, trips: trips.into(), reverse, carries: 1, yields: 1, stop: true };
    let node = m.add(Op::Loop(Box::new(body)), F, &[], &[], &[(first, &[0]), (k, &[0])]);
    let last = m.add(Op::Result(0), F, &[n], &[], &[(node, &[])]);
    let all = m.add(Op::Result(1), F, &[trips, n], &[], &[(node, &[])]);
    let twice = m.add(Op::Map(Map::Add), F, &[n], &[], &[(last, &[0]), (last, &[0])]);
    (m, vec![last, all, twice])
}

#[test]
fn loops_carry_yield_and_stop() {
    for (n, trips, reverse, limit) in [(1, 0, false, 1e9), (3, 5, false, 1e9), (17, 4, true, 1e9), (5, 30, false, 8.0)] {
        let (m, wanted) = looping(n, trips, reverse, limit);
        m.check(&wanted);
        m.check(&wanted[2..]);
    }
}

/// A layer norm, a gelu and a softmax in a row, for rows of `n`.
fn layers(b: usize, n: usize) -> (Make, Vec<NodeId>) {
    let mut m = Make::default();
    let (x, w, bias) = (m.f(&[b, n]), m.param(&[n, n]), m.param(&[n]));
    let constant = |m: &mut Make, c: f64| m.add(Op::Const(c), F, &[], &[], &[]);
    let count = constant(&mut m, n as f64);
    let (eps, half, one) = (constant(&mut m, 1e-5), constant(&mut m, 0.5), constant(&mut m, 1.0));
    let two = |m: &mut Make, f: Map, a: (NodeId, &[usize]), c: (NodeId, &[usize])| m.add(Op::Map(f), F, &[b, n], &[], &[a, c]);
    let row = |m: &mut Make, f: Map, a: NodeId, c: NodeId| m.add(Op::Map(f), F, &[b], &[], &[(a, &[0]), (c, &[])]);
    let sum = m.add(Op::Fold(Fold::Sum), F, &[b], &[n], &[(x, &[0, 1])]);
    let mean = row(&mut m, Map::Div, sum, count);
    let d = two(&mut m, Map::Sub, (x, &[0, 1]), (mean, &[0]));
    let sq = two(&mut m, Map::Mul, (d, &[0, 1]), (d, &[0, 1]));
    let var = m.add(Op::Fold(Fold::Sum), F, &[b], &[n], &[(sq, &[0, 1])]);
    let var = row(&mut m, Map::Div, var, count);
    let var = row(&mut m, Map::Add, var, eps);
    let dev = m.add(Op::Map(Map::Sqrt), F, &[b], &[], &[(var, &[0])]);
    let u = two(&mut m, Map::Div, (d, &[0, 1]), (dev, &[0]));
    let p = m.add(Op::Contract, F, &[b, n], &[n], &[(u, &[0, 2]), (w, &[2, 1])]);
    let p = two(&mut m, Map::Add, (p, &[0, 1]), (bias, &[1]));
    let e = m.add(Op::Map(Map::Erf), F, &[b, n], &[], &[(p, &[0, 1])]);
    let g = two(&mut m, Map::Add, (e, &[0, 1]), (one, &[]));
    let g = two(&mut m, Map::Mul, (g, &[0, 1]), (p, &[0, 1]));
    let g = two(&mut m, Map::Mul, (g, &[0, 1]), (half, &[]));
    let max = m.add(Op::Fold(Fold::Max), F, &[b], &[n], &[(g, &[0, 1])]);
    let low = two(&mut m, Map::Sub, (g, &[0, 1]), (max, &[0]));
    let ex = m.add(Op::Map(Map::Exp), F, &[b, n], &[], &[(low, &[0, 1])]);
    let total = m.add(Op::Fold(Fold::Sum), F, &[b], &[n], &[(ex, &[0, 1])]);
    let soft = two(&mut m, Map::Div, (ex, &[0, 1]), (total, &[0]));
    (m, vec![u, g, soft])
}

#[test]
fn normalised_layers() {
    for (b, n) in [(0, 8), (1, 1), (3, 17), (64, 64), (65, 33), (300, 128)] {
        let (m, wanted) = layers(b, n);
        m.check(&wanted);
        m.check(&wanted[2..]);
    }
}

#[test]
fn results_do_not_depend_on_threads_or_repetition() {
    let (m, wanted) = layers(700, 257);
    let first = m.run(&wanted, 1);
    assert_eq!(first, m.run(&wanted, 1));
    assert_eq!(first, m.run(&wanted, 2));
    assert_eq!(first, m.run(&wanted, 3));
}

#[test]
fn one_plan_serves_all_sizes_that_read_alike() {
    let mut m = Make::default();
    let b = Size::sym("b");
    let axis = |n: &Size| Axis::new("b", n.clone());
    let x = m.graph.add(
        Node::new(Op::Source { origin: Origin::Input, path: "x".into() }, F, vec![axis(&b), Axis::new("i", 5usize)]),
        vec![],
    );
    let w = m.param(&[5, 7]);
    let mut node = Node::new(Op::Contract, F, vec![axis(&b), Axis::new("o", 7usize)]);
    node.inner = vec![Axis::new("i", 5usize)];
    let y = m.graph.add(node, vec![Operand::new(x, vec![0, 2]), Operand::new(w, vec![2, 1])]);
    let z =
        m.graph.add(Node::new(Op::Map(Map::Tanh), F, vec![axis(&b), Axis::new("o", 7usize)]), vec![Operand::new(y, vec![0, 1])]);
    let mut engine = Engine::cpu_unoptimized(&m.graph, &[z], &Options::default()).unwrap();
    engine.prepare(&m.bindings).unwrap();
    for n in [3usize, 40, 1, 3, 0, 41] {
        let data = (0..n * 5).map(|i| (i as f32).sin()).collect();
        let inputs =
            Bindings { sources: [("x".to_string(), Tensor::new(vec![n, 5], Data::F32(data)))].into(), ..Bindings::default() };
        let mut all = m.bindings.clone();
        all.sources.extend(inputs.sources.clone());
        all.sizes.insert("b".into(), n as i64);
        let expect = crate::ir::interp::evaluate(&m.graph, &all, &[z]).unwrap();
        let got = engine.run_prepared(&inputs).unwrap();
        assert_eq!(got[0].shape, expect[0].shape);
        for (a, e) in got[0].to_f64().iter().zip(expect[0].to_f64()) {
            assert!((a - e).abs() < 1e-5, "{a} {e}");
        }
    }
}

#[test]
fn a_changed_parameter_is_noticed() {
    let mut m = Make::default();
    let p = m.param(&[4]);
    let e = m.add(Op::Map(Map::Exp), F, &[4], &[], &[(p, &[0])]);
    let x = m.f(&[4]);
    let y = m.add(Op::Map(Map::Add), F, &[4], &[], &[(e, &[0]), (x, &[0])]);
    let mut engine = Engine::cpu_unoptimized(&m.graph, &[y], &Options::default()).unwrap();
    let first = engine.run(&m.bindings).unwrap();
    assert_eq!(first, engine.run(&m.bindings).unwrap());
    m.bindings.sources.insert("x0".into(), Tensor::new(vec![4], Data::F32(vec![0.0; 4])));
    let second = engine.run(&m.bindings).unwrap();
    assert_ne!(first, second);
    assert_eq!(second, m.run(&[y], 1));
}

#[test]
fn a_measured_size_is_known_before_what_needs_it() {
    let mut m = Make::default();
    let count = m.input_as(Origin::Condition, &[], Data::F32(vec![2.6]));
    m.graph.measured.push(("n".into(), count));
    let iota = m.graph.add(Node::new(Op::Iota, I, vec![Axis::new("n", Size::sym("n"))]), vec![]);
    let mut node = Node::new(Op::Fold(Fold::Sum), I, vec![]);
    node.inner = vec![Axis::new("n", Size::sym("n"))];
    let sum = m.graph.add(node, vec![Operand::new(iota, vec![0])]);
    assert_eq!(m.run(&[sum, iota], 1)[0].to_f64(), [3.0]);
}

#[test]
fn texts_and_objects_are_made() {
    let (m, wanted) = layers(8, 16);
    let sizes = Default::default();
    let plan = crate::plan::plan(&m.graph, &wanted, &sizes).unwrap();
    assert_eq!(plan.to_string(), crate::plan::plan(&m.graph, &wanted, &sizes).unwrap().to_string());
    assert!(crate::cpu::emit_clif(&plan, &sizes).unwrap().contains("function"));
    assert!(crate::cpu::emit_asm(&plan, &sizes).unwrap().contains("xmm"));
    let outputs = (0..wanted.len()).map(|k| format!("y{k}")).collect();
    let face = crate::cpu::Face { model: "Layers".into(), outputs, ..crate::cpu::Face::default() };
    let (bytes, header) = crate::cpu::emit_object(&plan, &sizes, &face).unwrap();
    assert!(bytes.len() > 100 && header.contains("int Layers_run("), "{header}");
}

#[test]
fn rows_go_through_several_steps_tile_by_tile() {
    let mut m = Make::default();
    let (n, k) = (5000, 64);
    let (x, w, v) = (m.f(&[n, k]), m.param(&[k, k]), m.param(&[k, 3]));
    let p = m.add(Op::Contract, F, &[n, k], &[k], &[(x, &[0, 2]), (w, &[2, 1])]);
    let s = m.add(Op::Map(Map::Sin), F, &[n, k], &[], &[(p, &[0, 1])]);
    let q = m.add(Op::Contract, F, &[n, k], &[k], &[(s, &[0, 2]), (w, &[2, 1])]);
    let t = m.add(Op::Map(Map::Tanh), F, &[n, k], &[], &[(q, &[0, 1])]);
    let y = m.add(Op::Contract, F, &[n, 3], &[k], &[(t, &[0, 2]), (v, &[2, 1])]);
    assert!(m.text(&[y]).contains("tiles of"), "{}", m.text(&[y]));
    m.check(&[y]);
    assert_eq!(m.run(&[y], 1), m.run(&[y], 2));
}
