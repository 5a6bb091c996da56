//! What is linear, and what is pulled back through it: `<Jx, y> = <x, J'y>`, in f64, for each linear primitive.

use super::grads::sources;
use hnet::grad::pull_back;
use hnet::ir::interp::evaluate;
use hnet::ir::random::philox;
use hnet::ir::read::read;
use hnet::ir::verify::verify;
use hnet::ir::{Bindings, DType, Data, Graph, Node, NodeId, Op, Origin, Tensor};

const SIZES: [(&str, i64); 2] = [("b", 3), ("n", 5)];

fn extents(graph: &Graph, id: NodeId) -> Vec<usize> {
    let of = |s: &str| SIZES.iter().find(|(n, _)| *n == s).map(|(_, n)| *n);
    graph.node(id).shape.iter().map(|a| a.size.eval(&of).expect("a known size") as usize).collect()
}

fn noise(key: u32, shape: Vec<usize>) -> Tensor {
    let count = shape.iter().product::<usize>();
    let one = |k: usize| f64::from(philox([k as u32, key, 0, 0], [1, 1])[0]) / f64::from(u32::MAX) * 2.0 - 1.0;
    Tensor::new(shape, Data::F64((0..count).map(one).collect()))
}

fn product(a: &Tensor, b: &Tensor) -> (f64, f64) {
    let terms: Vec<f64> = a.to_f64().iter().zip(b.to_f64()).map(|(a, b)| a * b).collect();
    (terms.iter().sum(), terms.iter().map(|t| t.abs()).sum())
}

/// `y` of a text is linear in `x`; `w` and whole inputs are fixed.
fn linear(name: &str, text: &str, whole: &[(&str, &[i32])]) {
    let mut graph = read(text).unwrap_or_else(|e| panic!("{name}: {e:?}"));
    verify(&graph).unwrap_or_else(|e| panic!("{name}: {e}"));
    let y = graph.output("y").expect("an output").node;
    let mut bound = Bindings { sizes: SIZES.iter().map(|(n, v)| ((*n).into(), *v)).collect(), ..Bindings::default() };
    for (k, (path, id)) in sources(&graph).into_iter().enumerate() {
        let shape = extents(&graph, id);
        let value = match whole.iter().find(|(n, _)| *n == path) {
            Some((_, list)) => Tensor::new(shape, Data::I32(list.to_vec())),
            None => noise(k as u32, shape),
        };
        bound.sources.insert(path, value);
    }
    let value = |graph: &Graph, bound: &Bindings, id: NodeId| {
        evaluate(graph, bound, &[id]).unwrap_or_else(|d| panic!("{name}: {}", d.message)).remove(0)
    };
    let along = value(&graph, &bound, y);
    let x = sources(&graph).into_iter().find(|(p, _)| p == "x").expect("an input").1;
    let given = bound.sources["x"].clone();
    let seed_shape = graph.node(y).shape.clone();
    let seed = graph.add(Node::new(Op::Source { origin: Origin::Input, path: "seed".into() }, DType::F32, seed_shape), vec![]);
    bound.sources.insert("seed".into(), noise(99, along.shape.clone()));
    let back = pull_back(&mut graph, &[(y, seed)], &[x]).remove(0).unwrap_or_else(|| panic!("{name}: nothing is handed back"));
    verify(&graph).unwrap_or_else(|e| panic!("{name}: {e}\n{graph}"));
    let (there, scale) = product(&along, &bound.sources["seed"]);
    let (again, other) = product(&given, &value(&graph, &bound, back));
    assert!(scale > 0.1, "{name}: nothing is compared");
    assert!((there - again).abs() <= 1e-12 * scale.max(other), "{name}: {there:e} and {again:e}\n{graph}");
}

#[test]
fn functions_that_are_linear() {
    let x = "%0: f32[b, n] = input \"x\"\n%1: f32[n] = input \"w\"\n";
    linear("turned", &format!("{x}%2: f32[n, b] = copy %0[b, n]\noutput y = %2\n"), &[]);
    linear("repeated", &format!("{x}%2: f32[b, k=4, n] = copy %0[b, n]\noutput y = %2\n"), &[]);
    linear("less", &format!("{x}%2: f32[b, n] = neg %0[b, n]\n%3: f32[b, n] = sub %2[b, n], %0[b, n]\noutput y = %3\n"), &[]);
    linear("more", &format!("{x}%2: f32[n, b] = add %0[b, n], %0[b, n]\noutput y = %2\n"), &[]);
    linear("scaled", &format!("{x}%2: f32[b, n] = mul %0[b, n], %1[n]\noutput y = %2\n"), &[]);
    linear("divided", &format!("{x}%2: f32[b, n] = div %0[b, n], %1[n]\noutput y = %2\n"), &[]);
    let choice = "%2: f32 = const 0\n%3: bool[n] = lt %1[n], %2\n%4: f32[b, n] = mul %0[b, n], %1[n]\n%5: f32[b, n] = select %3[n], %4[b, n], %0[b, n]\noutput y = %5\n";
    linear("chosen", &format!("{x}{choice}"), &[]);
    linear("a diagonal", "%0: f32[i=4, j=4] = input \"x\"\n%1: f32[k=4] = copy %0[k, k]\noutput y = %1\n", &[]);
}

#[test]
fn sums_and_products() {
    let x = "%0: f32[b, n] = input \"x\"\n%1: f32[n, k=2] = input \"w\"\n";
    linear("a sum", &format!("{x}%2: f32[b] = fold sum(n) %0[b, n]\noutput y = %2\n"), &[]);
    linear("a sum of all", &format!("{x}%2: f32 = fold sum(b, n) %0[b, n]\noutput y = %2\n"), &[]);
    linear("a sum of the same", &format!("{x}%2: f32[b] = fold sum(n, m=3) %0[b, n]\noutput y = %2\n"), &[]);
    linear("a product", &format!("{x}%2: f32[k=2, b] = sum(n) %0[b, n] * %1[n, k]\noutput y = %2\n"), &[]);
    linear("of three", &format!("{x}%2: f32[b] = sum(n, k=2) %0[b, n] * %1[n, k] * %1[n, k]\noutput y = %2\n"), &[]);
    linear("outer", &format!("{x}%2: f32[b, n, k=2] = mul %0[b, n], %1[n, k]\noutput y = %2\n"), &[]);
    let filter = "%2: f32 = const 0\n%3: bool[n, k=2] = lt %1[n, k], %2\n%4: f32[b] = sum(n, k=2) %0[b, n] * %1[n, k] * %3[n, k]\noutput y = %4\n";
    linear("with a filter", &format!("{x}{filter}"), &[]);
    let trace = "%0: f32[i=3, j=3] = input \"x\"\n%1: f32[i=3, j=3] = input \"w\"\n%2: f32[j=3] = sum(k=3) %0[k, k] * %1[k, j]\noutput y = %2\n";
    linear("with a diagonal", trace, &[]);
}

#[test]
fn gathers_and_scatters() {
    let x = "%0: f32[n, k=2] = input \"x\"\n%1: i32[b] = input \"at\"\n";
    let at: &[i32] = &[4, 1, 4];
    let out: &[i32] = &[4, -1, 7];
    linear("rows", &format!("{x}%2: f32[b, k=2] = gather %0[%1[b], k]\noutput y = %2\n"), &[("at", at)]);
    linear("rows or nothing", &format!("{x}%2: f32[b, k=2] = gather %0[%1[b], k] else 0\noutput y = %2\n"), &[("at", out)]);
    linear("nearest rows", &format!("{x}%2: f32[b, k=2] = gather %0[%1[b], k]\noutput y = %2\n"), &[("at", out)]);
    linear("columns", &format!("{x}%2: f32[n, b] = gather %0[n, %1[b]]\noutput y = %2\n"), &[("at", &[0, 1, 1])]);
    let two =
        "%0: f32[n, k=4] = input \"x\"\n%1: i32[b] = input \"at\"\n%2: f32[b] = gather %0[%1[b], %1[b]] else 0\noutput y = %2\n";
    linear("two places", two, &[("at", &[3, 0, 4])]);
    let place = "%1: i32[o=3] = iota\n%2: i32[j=3] = iota\n%3: i32 = const 2\n%4: i32[o=3] = mul %1[o], %3\n%5: i32[o=3, j=3] = add %4[o], %2[j]\n";
    let windows = "%6: f32[o=3, j=3] = gather %0[%5[o, j]] else 0\noutput y = %6\n";
    linear("windows", &format!("%0: f32[k=7] = input \"x\"\n{place}{windows}"), &[]);
    linear("windows that stand out", &format!("%0: f32[k=5] = input \"x\"\n{place}{windows}"), &[]);
    let back = "%1: i32[n] = iota\n%2: i32 = const 3\n%3: i32[n] = sub %2, %1[n]\n%4: f32[k=2, n] = gather %0[%3[n], k] else 0\noutput y = %4\n";
    linear("backwards", &format!("%0: f32[n, k=2] = input \"x\"\n{back}"), &[]);
    let scatter = "%0: f32[n, k=2] = input \"x\"\n%1: i32[n] = input \"at\"\n%2: f32[o=4, k=2] = scatter(n) into o %1[n], %0[n, k]\noutput y = %2\n";
    linear("scatter", scatter, &[("at", &[3, 0, 3, -1, 9])]);
    let each = "%0: f32[n, k=2] = input \"x\"\n%1: i32[n, k=2] = input \"at\"\n%2: f32[o=4] = scatter(n, k=2) into o %1[n, k], %0[n, k]\noutput y = %2\n";
    linear("scatter of all", each, &[("at", &[3, 0, 3, -1, 9, 1, 2, 2, 0, 0])]);
}

#[test]
fn shapes_and_running_sums() {
    let concat = "%0: f32[b, k=2] = input \"x\"\n%1: f32[b, k=2] = neg %0[b, k]\n%2: f32[b, q=4] = concat along q %0[b, q], %1[b, q]\noutput y = %2\n";
    linear("concat", concat, &[]);
    let three = "%0: f32[b, k=2] = input \"x\"\n%1: f32[b, z=0] = input \"w\"\n%2: f32[q=4, b] = concat along q %0[b, q], %1[b, q], %0[b, q]\noutput y = %2\n";
    linear("concat with nothing", three, &[]);
    linear("reshape", "%0: f32[k=6, b] = input \"x\"\n%1: f32[i=2, j=3, b] = reshape %0\noutput y = %1\n", &[]);
    linear("reshape of all", "%0: f32[k=6, b] = input \"x\"\n%1: f32[b, j=2, k=3] = reshape %0\noutput y = %1\n", &[]);
    linear("scan", "%0: f32[b, n] = input \"x\"\n%1: f32[b, n] = scan along n %0[b, n]\noutput y = %1\n", &[]);
    linear("scan of the first", "%0: f32[b, n] = input \"x\"\n%1: f32[n, b] = scan along n %0[b, n]\noutput y = %1\n", &[]);
    let turned = "%0: f32[b, n] = input \"x\"\n%1: i32[n] = iota\n%2: i32 = const 4\n%3: i32[n] = sub %2, %1[n]\n%4: f32[b, n] = gather %0[b, %3[n]] else 0\n%5: f32[b, n] = scan along n %4[b, n]\noutput y = %5\n";
    linear("scan from the end", turned, &[]);
}

#[test]
fn loops_that_are_linear() {
    let carry = "%0: f32[b, k=2] = input \"x\"\n%1: f32[k=2, j=2] = input \"w\"\n%2: f32 = loop 4 carry 1 yield 1 %0, %1 {\n  %0: i32 = arg 0\n  %1: f32[b, k=2] = arg 1\n  %2: f32[k=2, j=2] = arg 2\n  %3: f32[b, j=2] = sum(k=2) %1[b, k] * %2[k, j]\n  output next = %3\n  output y = %1\n}\n";
    linear("a carry", &format!("{carry}%3: f32[b, j=2] = result 0 %2\noutput y = %3\n"), &[]);
    linear("a yield", &format!("{carry}%4: f32[t=4, b, j=2] = result 1 %2\noutput y = %4\n"), &[]);
    for reverse in ["", " reverse"] {
        let rows = "%0: f32[n, b] = input \"x\"\n%1: f32 = input \"w\"\n%2: f32 = const 0\n%3: f32[b] = copy %2\n%4: f32 = loop n REV carry 1 yield 1 %3, %0, %1 {\n  %0: i32 = arg 0\n  %1: f32[b] = arg 1\n  %2: f32[n, b] = arg 2\n  %3: f32 = arg 3\n  %4: f32[b] = gather %2[%0, b]\n  %5: f32[b] = mul %1[b], %3\n  %6: f32[b] = add %5[b], %4[b]\n  output next = %6\n  output y = %6\n}\n%6: f32[n, b] = result 1 %4\noutput y = %6\n";
        linear("rows one by one", &rows.replace(" REV", reverse), &[]);
        let stops = "%0: f32[b] = input \"x\"\n%1: f32 = input \"w\"\n%2: f32 = loop 9 REV stop carry 1 yield 1 %0, %1 {\n  %0: i32 = arg 0\n  %1: f32[b] = arg 1\n  %2: f32 = arg 2\n  %3: f32[b] = mul %1[b], %2\n  %4: i32 = const 5\n  %5: bool = eq %0, %4\n  output a = %3\n  output stop = %5\n  output y = %1\n}\n%3: f32[r=9, b] = result 1 %2\noutput y = %3\n";
        linear("an early end", &stops.replace(" REV", reverse), &[]);
    }
    let fixed = "%0: f32[n] = input \"x\"\n%1: f32 = const 0\n%2: f32 = loop 6 carry 1 yield 0 %1, %0 {\n  %0: i32 = arg 0\n  %1: f32 = arg 1\n  %2: f32[n] = arg 2\n  %3: i32 = const 2\n  %4: f32 = gather %2[%3] else 0\n  %5: f32 = fold sum(n) %2[n]\n  %6: f32 = add %1, %4\n  %7: f32 = add %6, %5\n  output next = %7\n}\n%3: f32 = result 0 %2\noutput y = %3\n";
    linear("the same in every round", fixed, &[]);
}
