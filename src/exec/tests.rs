//! The engine, whatever computes.

use super::Engine;
use crate::ir::{Axis, DType, Graph, Map, Node, NodeId, Op, Operand, Origin, Size};
use crate::ir::{Bindings, Data, Tensor};

/// `y = x + p` along a free axis, with a parameter of one number.
fn shifted() -> (Graph, NodeId) {
    let mut graph = Graph::default();
    let source = |graph: &mut Graph, origin, path: &str, shape| {
        graph.add(Node::new(Op::Source { origin, path: path.into() }, DType::F32, shape), vec![])
    };
    let axis = vec![Axis::new("b", Size::sym("b"))];
    let x = source(&mut graph, Origin::Input, "x", axis.clone());
    let p = source(&mut graph, Origin::Param, "p", vec![]);
    let node = Node::new(Op::Map(Map::Add), DType::F32, axis);
    let y = graph.add(node, vec![Operand::new(x, vec![0]), Operand::new(p, vec![])]);
    (graph, y)
}

fn given(p: f32, x: &[f32]) -> Bindings {
    let mut out = Bindings::default();
    out.sources.insert("p".into(), Tensor::new(vec![], Data::F32(vec![p])));
    out.sources.insert("x".into(), Tensor::new(vec![x.len()], Data::F32(x.to_vec())));
    out
}

fn engines() -> Vec<Engine> {
    let (graph, y) = shifted();
    vec![Engine::interpreter(&graph, &[y]), Engine::cpu(&graph, &[y], 1).unwrap()]
}

#[test]
fn an_engine_moves_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Engine>();
    for mut engine in engines() {
        engine.run(&given(1.0, &[1.0])).unwrap();
        let moved = std::thread::spawn(move || engine.run(&given(1.0, &[2.0, 3.0])).unwrap()[0].to_f64());
        assert_eq!(moved.join().unwrap(), [3.0, 4.0]);
    }
}

#[test]
fn sizes_come_from_shapes_and_change_from_run_to_run() {
    for mut engine in engines() {
        for n in [3usize, 0, 1, 3, 40] {
            let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let y = engine.run(&given(2.0, &x)).unwrap();
            assert_eq!(y[0].to_f64(), x.iter().map(|x| f64::from(*x) + 2.0).collect::<Vec<_>>());
        }
    }
}

/// More bindings of sizes than are kept, and back.
#[test]
fn placements_are_dropped_and_made_again() {
    for mut engine in engines() {
        for n in (0..40usize).chain([0, 39, 5]) {
            assert_eq!(engine.run(&given(1.0, &vec![1.0; n])).unwrap()[0].to_f64(), vec![2.0; n]);
        }
    }
}

#[test]
fn a_nan_in_a_parameter_is_no_change() {
    for mut engine in engines() {
        engine.run(&given(f32::NAN, &[1.0])).unwrap();
        let before = engine.generation();
        assert!(engine.run(&given(f32::NAN, &[1.0])).unwrap()[0].get(0).is_nan());
        assert_eq!(engine.generation(), before);
        assert_eq!(engine.run(&given(-0.0, &[1.0])).unwrap()[0].get(0), 1.0);
        assert!(engine.generation() > before);
    }
}

#[test]
fn an_input_that_is_missing_is_what_prepare_was_given() {
    for mut engine in engines() {
        engine.prepare(&given(1.0, &[5.0])).unwrap();
        assert_eq!(engine.run_prepared(&Bindings::default()).unwrap()[0].to_f64(), [6.0]);
        let mut other = given(0.0, &[7.0]);
        other.sources.remove("p");
        assert_eq!(engine.run_prepared(&other).unwrap()[0].to_f64(), [8.0]);
        drop(other);
        assert_eq!(engine.run_prepared(&Bindings::default()).unwrap()[0].to_f64(), [6.0]);
    }
}

/// One wording for all backends, and a mistake leaves the engine as it was.
#[test]
fn what_is_wrong_with_a_value_is_said_alike() {
    let mut said = Vec::new();
    for mut engine in engines() {
        let mut say = |b: &Bindings| engine.run(b).map(|_| ()).map_err(|d| format!("{}: {}", d.code, d.message));
        let mut whole = given(1.0, &[1.0]);
        whole.sources.insert("x".into(), Tensor::new(vec![2], Data::I32(vec![1, 2])));
        let mut deep = given(1.0, &[1.0]);
        deep.sources.insert("p".into(), Tensor::new(vec![1], Data::F32(vec![1.0])));
        let mut none = given(1.0, &[1.0]);
        none.sources.remove("p");
        said.push([say(&whole), say(&deep), say(&none), say(&Bindings::default())].map(Result::unwrap_err));
        say(&given(1.0, &[1.0])).unwrap();
    }
    assert_eq!(said[0], said[1]);
    assert_eq!(said[0][0], "H0602: `x` is f32[2], but the value given is i32[2]");
    assert_eq!(said[0][1], "H0602: `p` is f32, but the value given is f32[1]");
    assert_eq!(said[0][2], "H0601: no value is given for `p`");
    assert_eq!(said[0][3], "H0603: the size `b` is not known");
}

/// `y = (z + x) @ w` with a condition of one number. Its rows are enough for parameters to be laid out.
#[test]
fn what_is_laid_out_for_several_sizes_follows_the_parameters() {
    let n = 80usize;
    let mut graph = Graph::default();
    let source = |graph: &mut Graph, origin, path: &str, shape| {
        graph.add(Node::new(Op::Source { origin, path: path.into() }, DType::F32, shape), vec![])
    };
    let [b, i, o] =
        [("b", Size::sym("b")), ("i", Size::from(n as i64)), ("o", Size::from(n as i64))].map(|(a, s)| Axis::new(a, s));
    let x = source(&mut graph, Origin::Input, "x", vec![b.clone(), i.clone()]);
    let z = source(&mut graph, Origin::Condition, "z", vec![]);
    let w = source(&mut graph, Origin::Param, "w", vec![i.clone(), o.clone()]);
    let sum = Node::new(Op::Map(Map::Add), DType::F32, vec![b.clone(), i.clone()]);
    let sum = graph.add(sum, vec![Operand::new(x, vec![0, 1]), Operand::new(z, vec![])]);
    let product = Node { inner: vec![i], ..Node::new(Op::Contract, DType::F32, vec![b, o]) };
    let y = graph.add(product, vec![Operand::new(sum, vec![0, 2]), Operand::new(w, vec![2, 1])]);
    for threads in [1, 2] {
        let mut engine = Engine::cpu(&graph, &[y], threads).unwrap();
        for (rows, z, scale) in [(8, 0, 1), (16, 0, 1), (8, 0, 3), (16, 0, 3), (16, 5, 3), (8, 5, 3), (8, 5, 1), (16, 2, 1)] {
            let x: Vec<f32> = (0..rows * n).map(|k| (k % 7) as f32).collect();
            let w: Vec<f32> = (0..n * n).map(|k| (scale * (k % 5) as i32) as f32).collect();
            let mut given = Bindings::default();
            given.sources.insert("x".into(), Tensor::new(vec![rows, n], Data::F32(x.clone())));
            given.sources.insert("z".into(), Tensor::new(vec![], Data::F32(vec![z as f32])));
            given.sources.insert("w".into(), Tensor::new(vec![n, n], Data::F32(w.clone())));
            let element = |r: usize, o: usize| (0..n).map(|k| f64::from((x[r * n + k] + z as f32) * w[k * n + o])).sum::<f64>();
            let expected: Vec<f64> = (0..rows * n).map(|k| element(k / n, k % n)).collect();
            assert_eq!(engine.run(&given).unwrap()[0].to_f64(), expected, "{rows} rows, {z}, {scale}");
        }
    }
}
