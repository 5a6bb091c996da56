//! Values and derivatives of tables' rows, by the interpreter.

use super::{Apiece, Request, Rows, apiece};
use crate::grad::pull_back;
use crate::ir::interp::evaluate;
use crate::ir::read::read;
use crate::ir::verify::verify;
use crate::ir::{Bindings, DType, Data, Graph, Node, NodeId, Op, Rate, Tensor};

/// A net of two layers that is generated from the row of a table which each sample names, cut out of a vector.
const GENERATED: &str = "\
%0: f32[k=3, z=2] = param \"table\"
%1: i32[b] = input \"at\"
%2: f32[b, z=2] = gather %0[%1[b], z]
%3: f32[z=2, n=10] = param \"head\"
%4: f32[b, n=10] = sum(z=2) %2[b, z] * %3[z, n]
%5: f32[b, n=10] = exp %4[b, n]
%6: i32[m=6] = iota
%7: f32[b, m=6] = gather %5[b, %6[m]]
%8: f32[b, i=2, o=3] = reshape %7
%9: f32[b, i=2] = input \"x\"
%10: f32[b, o=3] = sum(i=2) %9[b, i] * %8[b, i, o]
%11: f32[b] = sum(n=10) %5[b, n] * %5[b, n]
%12: f32[b, o=3] = mul %10[b, o], %11[b]
%13: f32 = sum(b, o=3) %12[b, o] * %12[b, o]
output y = %13
";

fn bound(table: [f64; 6], at: Vec<i32>) -> Bindings {
    let n = at.len();
    let mut out = Bindings { sizes: [("b".into(), n as i64)].into(), ..Bindings::default() };
    let real = |shape: Vec<usize>, list: Vec<f64>| Tensor::new(shape, Data::F64(list));
    out.sources.insert("table".into(), real(vec![3, 2], table.to_vec()));
    out.sources.insert("head".into(), real(vec![2, 10], (0..20).map(|k| (k as f64 * 0.7).sin()).collect()));
    out.sources.insert("x".into(), real(vec![n, 2], (0..2 * n).map(|k| (k as f64 * 1.3).cos()).collect()));
    out.sources.insert("at".into(), Tensor::new(vec![n], Data::I32(at)));
    out
}

/// A number and its slopes by all parameters.
fn values(graph: &Graph, y: NodeId, bound: &Bindings) -> Vec<f64> {
    let mut graph = graph.clone();
    let by: Vec<NodeId> = ["table", "head"]
        .iter()
        .filter_map(|p| graph.ids().find(|id| matches!(&graph.node(*id).op, Op::Source { path, .. } if **path == **p)))
        .collect();
    let one = graph.add(Node::new(Op::Const(1.0), DType::F32, vec![]), vec![]);
    let slopes = pull_back(&mut graph, &[(y, one)], &by);
    let wanted: Vec<NodeId> = [y].into_iter().chain(slopes.into_iter().flatten()).collect();
    evaluate(&graph, bound, &wanted).unwrap().iter().flat_map(Tensor::to_f64).collect()
}

fn changed(graph: &Graph, rows: i64) -> (Graph, NodeId) {
    let more_ask = |r: &Request| r.axis.size.constant().is_some_and(|n| (1..rows).contains(&n));
    let Apiece { graph: new, places, .. } = apiece(graph, Rows::Asked, &more_ask);
    verify(&new).unwrap();
    let y = places[graph.outputs[0].node.index()];
    assert_eq!(new.outputs[0].node, y);
    (new, y)
}

#[test]
fn values_and_slopes_stay() {
    let graph = read(GENERATED).unwrap();
    let y = graph.outputs[0].node;
    // All rows, some, one; and what a gather makes of places outside.
    for at in [vec![0, 1, 2, 0, 1, 2, 2], vec![2, 0, 0, 2], vec![1; 5], vec![-4, 1, 9, 3]] {
        let bound = bound([0.3, -0.2, 0.5, 0.1, -0.4, 0.25], at.clone());
        let (new, place) = changed(&graph, at.len() as i64);
        assert_ne!(graph.len(), new.len());
        let (before, after) = (values(&graph, y, &bound), values(&new, place, &bound));
        assert_eq!(before.len(), after.len());
        for (a, b) in before.iter().zip(&after) {
            assert!((a - b).abs() <= 1e-12 * a.abs().max(1e-12), "{at:?}: {a} and {b}");
        }
    }
}

#[test]
fn a_row_that_nobody_asks_for_reaches_nobody() {
    let graph = read(GENERATED).unwrap();
    for worst in [f64::NAN, f64::INFINITY, 1e300] {
        let bound = bound([worst, -worst, 0.5, 0.1, worst, worst], vec![1, 1, 1, 1]);
        let (new, place) = changed(&graph, 4);
        let (before, after) = (values(&graph, graph.outputs[0].node, &bound), values(&new, place, &bound));
        assert!(after.iter().all(|v| v.is_finite()), "{worst}: {after:?}");
        assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() <= 1e-12 * a.abs().max(1e-12)));
    }
}

/// Nodes that sum over `z`, as long as they are.
fn longest(graph: &Graph, rows: i64) -> i64 {
    let (new, place) = changed(graph, rows);
    let reach = new.reachable([place]);
    let made = new.ids().filter(|id| reach[id.index()] && new.node(*id).inner.iter().any(|a| *a.name == *"z"));
    made.filter_map(|id| new.node(id).shape[0].size.eval(&|_| Some(rows))).max().unwrap()
}

#[test]
fn only_where_more_ask_than_there_are_rows() {
    let graph = read(GENERATED).unwrap();
    for (rows, wanted) in [(0, 0), (1, 1), (3, 3), (4, 3), (1000, 3)] {
        assert_eq!(longest(&graph, rows), wanted);
    }
}

#[test]
fn what_is_only_handed_on_stays() {
    // A table's rows as they are, or each element through a function.
    let text = "\
%0: f32[k=3, z=2] = param \"table\"
%1: i32[b] = input \"at\"
%2: f32[b, z=2] = gather %0[%1[b], z]
%3: f32[b, z=2] = exp %2[b, z]
%4: f32 = sum(b, z=2) %3[b, z] * %3[b, z]
output y = %4
";
    let graph = read(text).unwrap();
    let (new, place) = changed(&graph, 100);
    let reach = new.reachable([place]);
    assert_eq!(new.ids().filter(|id| reach[id.index()]).count(), graph.len());
}

/// All rows, without waiting for who asks; and a linear net, whose product the optimizer has joined with what it is multiplied by.
const JOINED: &str = "\
%0: f32[k=3, z=2] = param \"table\"
%1: i32[b] = input \"at\"
%2: f32[b, z=2] = gather %0[%1[b], z]
%3: f32[z=2, i=2, o=5] = param \"head\"
%4: f32[b, i=2] = input \"x\"
%5: f32[b, o=5] = sum(i=2, z=2) %4[b, i] * %2[b, z] * %3[z, i, o]
output y = %5
";

#[test]
fn all_rows_are_computed_where_somebody_waits_for_none() {
    for text in [GENERATED, JOINED] {
        let graph = read(text).unwrap();
        let y = graph.outputs[0].node;
        let Apiece { graph: new, places, made, known } = apiece(&graph, Rows::All, &|_| true);
        verify(&new).unwrap();
        assert!(!made.is_empty() && made.iter().all(|m| new.rates()[m.node.index()] < Rate::Input), "{new}");
        assert!(known.iter().all(|(_, by)| *by == made[0].gather));
        for at in [vec![0, 1, 2, 0], vec![2], vec![], vec![-4, 1, 9, 3]] {
            // What a row is that nobody asks for does not matter.
            let unasked = if at.contains(&0) || at.contains(&-4) { 0.3 } else { f64::NAN };
            let mut bound = bound([unasked, -0.2, 0.5, 0.1, -0.4, 0.25], at.clone());
            if text == JOINED {
                let head = bound.sources.get_mut("head").unwrap();
                head.shape = vec![2, 2, 5];
            }
            let (before, after) =
                (evaluate(&graph, &bound, &[y]).unwrap(), evaluate(&new, &bound, &[places[y.index()]]).unwrap());
            assert_eq!(before[0].shape, after[0].shape);
            for (a, b) in before[0].to_f64().iter().zip(after[0].to_f64()) {
                assert!((a - b).abs() <= 1e-12 * a.abs().max(1e-12), "{at:?}: {a} and {b}");
            }
        }
    }
}

#[test]
fn only_what_is_summed_alone_is_parted_from_a_product() {
    let graph = read(JOINED).unwrap();
    let Apiece { graph: new, places, .. } = apiece(&graph, Rows::All, &|_| true);
    let sums: Vec<String> = new.to_string().lines().filter(|l| l.contains("sum(")).map(str::to_string).collect();
    assert_eq!(sums.len(), 2, "{new}");
    assert!(sums[0].contains("sum(z=2)") && sums[1].contains("sum(i=2)"), "{new}");
    assert_eq!(new.node(places[5]).shape, graph.node(graph.outputs[0].node).shape);
    // A row of gates has no sum of its own, and neither has one that the sum over who asks goes through.
    for text in [
        JOINED.replace("z=2, i=2, o=5] = param", "z=2, i=2, o=5] = input").replace("(i=2, z=2) %4[b, i]", "(i=2, z=2) %4[b, i] * %4[b, z]"),
        "%0: f32[k=3, o=2] = param \"table\"\n%1: i32[b] = input \"at\"\n%2: f32[b, o=2] = gather %0[%1[b], o]\n%3: f32[b, i=4] = input \"x\"\n\
         %4: f32[i=4, o=2] = param \"w\"\n%5: f32[b, o=2] = sum(i=4) %3[b, i] * %4[i, o] * %2[b, o]\noutput y = %5\n"
            .to_string(),
    ] {
        let graph = read(&text).unwrap();
        let after = apiece(&graph, Rows::All, &|_| true);
        assert!(after.made.is_empty() && after.graph.len() <= graph.len() + 2, "{}", after.graph);
    }
}
