//! Derivatives against central differences, in f64, each primitive in the middle of a graph, at orders 1 and 2.

use hnet::grad::{derivatives, pull_back};
use hnet::ir::interp::evaluate;
use hnet::ir::read::read;
use hnet::ir::verify::verify;
use hnet::ir::{Axis, Bindings, DType, Data, Graph, Node, NodeId, Op, Operand, Origin, Tensor};
use hnet::opt;
use std::collections::BTreeMap;

/// A graph whose output `y` depends on f32 inputs.
struct Case {
    name: &'static str,
    text: &'static str,
    /// Whole inputs.
    whole: &'static [(&'static str, &'static [i32])],
    /// Between which numbers inputs lie.
    range: (f64, f64),
}

const SIZES: &[(&str, i64)] = &[("b", 3), ("n", 5)];

fn case(name: &'static str, text: &'static str) -> Case {
    Case { name, text, whole: &[], range: (-1.5, 1.5) }
}

/// Numbers that look random, and are no neighbours of an edge.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as f64) / f64::from(1u32 << 31)
    }
}

fn extents(graph: &Graph, id: NodeId) -> Vec<usize> {
    let of = |s: &str| SIZES.iter().find(|(n, _)| *n == s).map(|(_, n)| *n);
    graph.node(id).shape.iter().map(|a| a.size.eval(&of).expect("a known size") as usize).collect()
}

pub fn sources(graph: &Graph) -> Vec<(String, NodeId)> {
    let path = |id: NodeId| match &graph.node(id).op {
        Op::Source { path, .. } => Some((path.to_string(), id)),
        _ => None,
    };
    graph.ids().filter_map(path).collect()
}

/// `sum(weight * value)`, the weight being an input of its own.
pub fn weighed(graph: &mut Graph, value: NodeId, path: &str) -> NodeId {
    let shape = graph.node(value).shape.clone();
    let source = Op::Source { origin: Origin::Input, path: path.into() };
    let weight = graph.add(Node::new(source, DType::F32, shape.clone()), vec![]);
    let all: Vec<usize> = (0..shape.len()).collect();
    let node = Node { inner: shape, ..Node::new(Op::Contract, DType::F32, vec![]) };
    graph.add(node, vec![Operand::new(value, all.clone()), Operand::new(weight, all)])
}

struct Check<'c> {
    case: &'c Case,
    bound: Bindings,
    numbers: Numbers,
}

impl<'c> Check<'c> {
    fn new(case: &'c Case) -> Check<'c> {
        let sizes = SIZES.iter().map(|(n, x)| ((*n).into(), *x)).collect();
        Check { case, bound: Bindings { sources: BTreeMap::new(), sizes }, numbers: Numbers(case.name.len() as u64 + 77) }
    }

    /// Gives numbers to the sources that have none.
    fn bind(&mut self, graph: &Graph) {
        for (path, id) in sources(graph) {
            let shape = extents(graph, id);
            let count: usize = shape.iter().product();
            let (low, high) = if path.starts_with("weight") { (-1.5, 1.5) } else { self.case.range };
            let data = match self.case.whole.iter().find(|(n, _)| *n == path) {
                Some((_, list)) => Data::I32(list.to_vec()),
                None => Data::F64((0..count).map(|_| low + (high - low) * self.numbers.next()).collect()),
            };
            self.bound.sources.entry(path).or_insert_with(|| Tensor::new(shape, data));
        }
    }

    fn values(&self, graph: &Graph, ids: &[NodeId]) -> Vec<Vec<f64>> {
        let tensors = evaluate(graph, &self.bound, ids).unwrap_or_else(|d| panic!("{}: {}\n{graph}", self.case.name, d.message));
        tensors.iter().map(|t| (0..t.len()).map(|i| t.get(i)).collect()).collect()
    }

    /// The slope of a number by element `i` of an input, from two values beside it.
    fn difference(&mut self, graph: &Graph, of: NodeId, path: &str, i: usize) -> f64 {
        let before = self.bound.sources[path].clone();
        let Data::F64(data) = before.data.clone() else { panic!("inputs are real") };
        let h = 1e-5 * data[i].abs().max(1.0);
        let mut at = |x: f64| {
            let mut moved = data.clone();
            moved[i] = x;
            self.bound.sources.insert(path.to_string(), Tensor::new(before.shape.clone(), Data::F64(moved)));
            self.values(graph, &[of])[0][0]
        };
        let slope = (at(data[i] + h) - at(data[i] - h)) / (2.0 * h);
        self.bound.sources.insert(path.to_string(), before);
        slope
    }

    /// Compares the derivatives of a number with differences; gives them.
    fn agree(&mut self, graph: &mut Graph, number: NodeId, order: usize) -> Vec<NodeId> {
        let by: Vec<(String, NodeId)> = sources(graph)
            .into_iter()
            .filter(|(p, id)| !p.starts_with("weight") && graph.node(*id).dtype == DType::F32)
            .collect();
        let ids: Vec<NodeId> = by.iter().map(|(_, id)| *id).collect();
        let found = derivatives(graph, number, &ids);
        let name = self.case.name;
        if let Err(what) = verify(graph) {
            panic!("{name}, order {order}: {what}\n{graph}");
        }
        let mut out = Vec::new();
        for ((path, id), found) in by.iter().zip(found) {
            let Some(found) = found else { continue };
            let got = self.values(graph, &[found.node]).remove(0);
            assert_eq!(extents(graph, found.node), extents(graph, *id), "{name}: the shape of the derivative by `{path}`");
            let want: Vec<f64> = (0..got.len()).map(|i| self.difference(graph, number, path, i)).collect();
            let size = self.values(graph, &[number])[0][0].abs();
            let scale = want.iter().fold(0f64, |m, x| m.max(x.abs()));
            for (i, (g, w)) in got.iter().zip(&want).enumerate() {
                assert!(
                    (g - w).abs() <= 1e-6 * scale + 1e-9 * size.max(1.0),
                    "{name}, order {order}, by `{path}` [{i}]: {g} and not {w}\n{graph}"
                );
            }
            out.push(found.node);
        }
        assert!(!out.is_empty(), "{name}, order {order}: nothing has a derivative");
        self.optimized(graph, &out);
        out
    }

    /// Passes keep what the derivatives are.
    fn optimized(&self, graph: &Graph, ids: &[NodeId]) {
        let want = self.values(graph, ids);
        let (part, places) = opt::optimize_for(graph, ids);
        let got = self.values(&part, &places);
        for (g, w) in got.iter().flatten().zip(want.iter().flatten()) {
            let same = (g - w).abs() <= 1e-9 * w.abs().max(1.0) || (g.is_nan() && w.is_nan());
            assert!(same, "{}: the passes make {g} of {w}\n{part}", self.case.name);
        }
    }
}

fn check(case: &Case, orders: usize) {
    let mut graph = read(case.text).unwrap_or_else(|e| panic!("{}: {e:?}", case.name));
    verify(&graph).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let mut check = Check::new(case);
    let y = graph.output("y").expect("an output").node;
    let mut number = weighed(&mut graph, y, "weight0");
    for order in 1..=orders {
        check.bind(&graph);
        let slopes = check.agree(&mut graph, number, order);
        if order < orders {
            let parts: Vec<NodeId> =
                slopes.into_iter().enumerate().map(|(k, s)| weighed(&mut graph, s, &format!("weight{order}{k}"))).collect();
            let sum = |graph: &mut Graph, a: NodeId, b: NodeId| {
                let operands = vec![Operand::new(a, vec![]), Operand::new(b, vec![])];
                graph.add(Node::new(Op::Map(hnet::ir::Map::Add), DType::F32, vec![]), operands)
            };
            number = parts[1..].iter().fold(parts[0], |a, b| sum(&mut graph, a, *b));
        }
    }
}

fn unary(name: &'static str, word: &str, range: (f64, f64)) -> Case {
    let text = format!(
        "%0: f32[b, i=2] = input \"x\"\n%1: f32[b, i=2] = mul %0[b, i], %0[b, i]\n%2: f32[b, i=2] = {word} %0[b, i]\n%3: f32[b, i=2] = mul %2[b, i], %1[b, i]\noutput y = %3\n"
    );
    Case { range, ..case(name, Box::leak(text.into_boxed_str())) }
}

fn binary(name: &'static str, word: &str, range: (f64, f64)) -> Case {
    let text = format!(
        "%0: f32[b, i=2] = input \"x\"\n%1: f32[i=2] = input \"w\"\n%2: f32[b, i=2] = {word} %0[b, i], %1[i]\n%3: f32[b, i=2] = mul %2[b, i], %2[b, i]\noutput y = %3\n"
    );
    Case { range, ..case(name, Box::leak(text.into_boxed_str())) }
}

#[test]
fn functions_of_one_number() {
    for (name, range) in [
        ("copy", (-2.0, 2.0)),
        ("neg", (-2.0, 2.0)),
        ("exp", (-2.0, 2.0)),
        ("log", (0.3, 3.0)),
        ("sqrt", (0.3, 3.0)),
        ("abs", (-2.0, 2.0)),
        ("sin", (-9.0, 9.0)),
        ("cos", (-9.0, 9.0)),
        ("tan", (-1.2, 1.2)),
        ("tanh", (-2.0, 2.0)),
        ("sigmoid", (-4.0, 4.0)),
        ("softplus", (-4.0, 4.0)),
        ("erf", (-2.0, 2.0)),
    ] {
        check(&unary(name, name, range), 3);
    }
}

#[test]
fn functions_of_two_numbers() {
    for (name, range) in [
        ("add", (-2.0, 2.0)),
        ("sub", (-2.0, 2.0)),
        ("mul", (-2.0, 2.0)),
        ("div", (0.4, 3.0)),
        ("pow", (0.4, 2.0)),
        ("min", (-2.0, 2.0)),
        ("max", (-2.0, 2.0)),
        ("mod", (0.4, 3.0)),
        ("atan2", (0.4, 3.0)),
    ] {
        check(&binary(name, name, range), 2);
    }
}

#[test]
fn choices() {
    check(
        &case(
            "select",
            "%0: f32[b, n] = input \"x\"\n%1: f32[n] = input \"w\"\n%2: bool[b, n] = lt %0[b, n], %1[n]\n%3: f32[b, n] = exp %0[b, n]\n%4: f32[n] = sin %1[n]\n%5: f32[b, n] = select %2[b, n], %3[b, n], %4[n]\n%6: f32[b, n] = mul %5[b, n], %5[b, n]\noutput y = %6\n",
        ),
        2,
    );
}

#[test]
fn folds() {
    for word in ["sum", "max", "min"] {
        let text = format!(
            "%0: f32[b, n] = input \"x\"\n%1: f32[b, n] = exp %0[b, n]\n%2: f32[b] = fold {word}(n) %1[b, n]\n%3: f32[b] = mul %2[b], %2[b]\noutput y = %3\n"
        );
        check(&case("fold", Box::leak(text.into_boxed_str())), 2);
    }
    let few =
        "%0: f32[b, k=4] = input \"x\"\n%1: f32[b] = fold prod(k=4) %0[b, k]\n%2: f32[b] = mul %1[b], %1[b]\noutput y = %2\n";
    check(&case("prod of few", few), 2);
    let many = "%0: f32[n, b] = input \"x\"\n%1: f32[b] = fold prod(n) %0[n, b]\n%2: f32[b] = mul %1[b], %1[b]\noutput y = %2\n";
    check(&case("prod of many", many), 2);
    let all = "%0: f32[n, b] = input \"x\"\n%1: f32 = fold prod(n, b) %0[n, b]\noutput y = %1\n";
    check(&case("prod of all", all), 2);
}

#[test]
fn products() {
    let text = "%0: f32[b, n] = input \"x\"\n%1: f32[n, k=2] = input \"w\"\n%2: f32[b, k=2] = input \"g\"\n%3: f32[b, k=2] = sum(n) %0[b, n] * %1[n, k] * %2[b, k]\n%4: f32[b, k=2] = tanh %3[b, k]\noutput y = %4\n";
    check(&case("three factors", text), 2);
    let text = "%0: f32[i=3, k=3] = input \"x\"\n%1: f32[i=3] = sum(k=3) %0[k, k] * %0[i, k]\n%2: f32[i=3] = mul %1[i], %1[i]\noutput y = %2\n";
    check(&case("a diagonal", text), 2);
    let text = "%0: f32[b, n] = input \"x\"\n%1: f32[n] = input \"w\"\n%2: bool[b, n] = lt %0[b, n], %1[n]\n%3: f32[b] = sum(n) %0[b, n] * %1[n] * %1[n] * %2[b, n]\noutput y = %3\n";
    check(&case("a filter", text), 2);
}

#[test]
fn gathers() {
    let text = "%0: f32[n, k=2] = input \"x\"\n%1: i32[b] = input \"at\"\n%2: f32[b, k=2] = gather %0[%1[b], k]\n%3: f32[b, k=2] = mul %2[b, k], %2[b, k]\noutput y = %3\n";
    check(&Case { whole: &[("at", &[4, 1, 4])], ..case("rows", text) }, 2);
    let text = "%0: f32[n, k=2] = input \"x\"\n%1: i32[b] = input \"at\"\n%2: f32[b, k=2] = gather %0[%1[b], k] else 0\n%3: f32[b, k=2] = exp %2[b, k]\noutput y = %3\n";
    check(&Case { whole: &[("at", &[4, -1, 7])], ..case("rows or nothing", text) }, 2);
    let text = "%0: f32[n, k=2] = input \"x\"\n%1: i32[b] = input \"at\"\n%2: f32[b, k=2] = gather %0[%1[b], k]\n%3: f32[b, k=2] = exp %2[b, k]\noutput y = %3\n";
    check(&Case { whole: &[("at", &[4, -1, 7])], ..case("nearest rows", text) }, 2);
    let text = "%0: f32[n, k=4, b] = input \"x\"\n%1: i32[b] = input \"at\"\n%2: i32[b, m=2] = input \"too\"\n%3: f32[m=2, b] = gather %0[%1[b], %2[b, m], b] else 1\n%4: f32[m=2, b] = exp %3[m, b]\noutput y = %4\n";
    check(&Case { whole: &[("at", &[4, 1, 9]), ("too", &[0, 1, 3, 3, 2, -1])], ..case("two places", text) }, 2);
    let text = "%0: f32[k=7] = input \"x\"\n%1: i32[o=3] = iota\n%2: i32[j=3] = iota\n%3: i32 = const 2\n%4: i32[o=3] = mul %1[o], %3\n%5: i32[o=3, j=3] = add %4[o], %2[j]\n%6: f32[o=3, j=3] = gather %0[%5[o, j]]\n%7: f32[o=3] = sum(j=3) %6[o, j] * %6[o, j]\noutput y = %7\n";
    check(&case("windows", text), 2);
    let text = "%0: f32[n, k=2] = input \"x\"\n%1: i32[n] = iota\n%2: i32 = const 1\n%3: i32[n] = sub %1[n], %2\n%4: f32[n, k=2] = gather %0[%3[n], k] else 0\n%5: f32[n, k=2] = mul %4[n, k], %0[n, k]\noutput y = %5\n";
    check(&case("the one before", text), 2);
    let text = "%0: f32[n] = input \"x\"\n%1: i32[n] = iota\n%2: i32 = const 3\n%3: i32[n] = sub %2, %1[n]\n%4: f32[n] = gather %0[%3[n]] else 0\n%5: f32[n] = mul %4[n], %0[n]\noutput y = %5\n";
    check(&case("backwards", text), 2);
    let text = "%0: f32[n, m=5] = input \"x\"\n%1: i32[q=4] = iota\n%2: i32 = const 1\n%3: i32[q=4] = add %1[q], %2\n%4: f32[q=4] = gather %0[%1[q], %3[q]]\n%5: f32[q=4] = exp %4[q]\noutput y = %5\n";
    check(&case("beside the diagonal", text), 2);
}

#[test]
fn scatters() {
    let text = "%0: f32[n, k=2] = input \"x\"\n%1: i32[n] = input \"at\"\n%2: f32[o=4, k=2] = scatter(n) into o %1[n], %0[n, k]\n%3: f32[o=4, k=2] = exp %2[o, k]\noutput y = %3\n";
    check(&Case { whole: &[("at", &[3, 0, 3, -1, 9])], ..case("scatter", text) }, 2);
}

#[test]
fn shapes() {
    let text = "%0: f32[b, k=2] = input \"x\"\n%1: f32[k=3] = input \"w\"\n%2: f32[b, q=5] = concat along q %0[b, q], %1[q]\n%3: f32[b, q=5] = exp %2[b, q]\noutput y = %3\n";
    check(&case("concat", text), 2);
    let text = "%0: f32[k=4, b] = input \"x\"\n%1: f32[i=2, j=2, b] = reshape %0\n%2: f32[i=2, j=2, b] = mul %1[i, j, b], %1[j, i, b]\noutput y = %2\n";
    check(&case("reshape", text), 2);
    let text =
        "%0: f32[b, n] = input \"x\"\n%1: f32[b, n] = scan along n %0[b, n]\n%2: f32[b, n] = exp %1[b, n]\noutput y = %2\n";
    check(&case("scan", text), 2);
}

#[test]
fn loops() {
    let plain = "%0: f32[b, k=2] = input \"x\"\n%1: f32[k=2, j=2] = input \"w\"\n%2: f32 = loop 4 carry 1 yield 1 %0, %1 {\n  %0: i32 = arg 0\n  %1: f32[b, k=2] = arg 1\n  %2: f32[k=2, j=2] = arg 2\n  %3: f32[b, j=2] = sum(k=2) %1[b, k] * %2[k, j]\n  %4: f32[b, j=2] = tanh %3[b, j]\n  %5: f32[b, j=2] = exp %4[b, j]\n  output next = %4\n  output y = %5\n}\n%3: f32[b, j=2] = result 0 %2\n%4: f32[t=4, b, j=2] = result 1 %2\n%5: f32[t=4, b, j=2] = mul %4[t, b, j], %3[b, j]\noutput y = %5\n";
    check(&case("a recurrence", plain), 2);
    let scanned = "%0: f32[n, b] = input \"x\"\n%1: f32 = input \"w\"\n%2: f32 = const 0\n%3: f32[b] = copy %2\n%4: f32 = loop n carry 1 yield 1 %3, %0, %1 {\n  %0: i32 = arg 0\n  %1: f32[b] = arg 1\n  %2: f32[n, b] = arg 2\n  %3: f32 = arg 3\n  %4: f32[b] = gather %2[%0, b]\n  %5: f32[b] = mul %1[b], %3\n  %6: f32[b] = add %5[b], %4[b]\n  %7: f32[b] = sin %6[b]\n  output next = %7\n  output y = %7\n}\n%5: f32[b] = result 0 %4\n%6: f32[n, b] = result 1 %4\n%7: f32[n, b] = mul %6[n, b], %6[n, b]\n%8: f32[n, b] = mul %7[n, b], %5[b]\noutput y = %8\n";
    check(&case("rows one by one", scanned), 2);
    let stops = "%0: f32 = input \"x\"\n%1: f32 = input \"w\"\n%2: f32 = loop 9 reverse stop carry 2 yield 1 %0, %0, %1 {\n  %0: i32 = arg 0\n  %1: f32 = arg 1\n  %2: f32 = arg 2\n  %3: f32 = arg 3\n  %4: f32 = sin %1\n  %5: f32 = mul %4, %3\n  %6: f32 = add %5, %2\n  %7: i32 = const 6\n  %8: bool = le %0, %7\n  output a = %5\n  output b = %6\n  output stop = %8\n  output y = %6\n}\n%3: f32 = result 0 %2\n%4: f32 = result 1 %2\n%5: f32[r=9] = result 2 %2\n%6: f32[r=9] = mul %5[r], %5[r]\n%7: f32[r=9] = mul %6[r], %4\n%8: f32[r=9] = mul %7[r], %3\noutput y = %8\n";
    check(&case("an early end", stops), 2);
    let none = "%0: f32[b] = input \"x\"\n%1: f32 = loop 0 carry 1 yield 0 %0 {\n  %0: i32 = arg 0\n  %1: f32[b] = arg 1\n  %2: f32[b] = exp %1[b]\n  output a = %2\n}\n%2: f32[b] = result 0 %1\n%3: f32[b] = exp %2[b]\noutput y = %3\n";
    check(&case("no round", none), 2);
    let nested = "%0: f32[b] = input \"x\"\n%1: f32 = input \"w\"\n%2: f32 = loop 2 carry 1 yield 0 %0, %1 {\n  %0: i32 = arg 0\n  %1: f32[b] = arg 1\n  %2: f32 = arg 2\n  %3: f32 = loop 3 carry 1 yield 0 %1, %2 {\n    %0: i32 = arg 0\n    %1: f32[b] = arg 1\n    %2: f32 = arg 2\n    %3: f32[b] = mul %1[b], %2\n    %4: f32[b] = sin %3[b]\n    output a = %4\n  }\n  %4: f32[b] = result 0 %3\n  output a = %4\n}\n%3: f32[b] = result 0 %2\noutput y = %3\n";
    check(&case("a loop in a loop", nested), 2);
}

/// The Jacobian of `y` by every input, element by element.
fn jacobian(case: &Case) {
    let mut graph = read(case.text).unwrap();
    let mut check = Check::new(case);
    check.bind(&graph);
    let y = graph.output("y").expect("an output").node;
    let by: Vec<(String, NodeId)> = sources(&graph).into_iter().filter(|(_, id)| graph.node(*id).dtype == DType::F32).collect();
    let ids: Vec<NodeId> = by.iter().map(|(_, id)| *id).collect();
    let found = derivatives(&mut graph, y, &ids);
    verify(&graph).unwrap_or_else(|e| panic!("{}: {e}\n{graph}", case.name));
    let outer = extents(&graph, y);
    for ((path, id), found) in by.iter().zip(found) {
        let found = found.unwrap_or_else(|| panic!("{}: nothing by `{path}`", case.name));
        let got = check.values(&graph, &[found.node]).remove(0);
        let shape = extents(&graph, found.node);
        let inner = extents(&graph, *id);
        let count: usize = inner.iter().product();
        for n in 0..outer.iter().product::<usize>() {
            let at = places(n, &outer);
            let mut one = graph.clone();
            let picked = element(&mut one, y, &at);
            for i in 0..count {
                let place = places(i, &inner);
                let want = check.difference(&one, picked, path, i);
                let on = found.tied.iter().zip(&at).all(|(t, p)| t.is_none_or(|d| place[d] == *p));
                let free = found.tied.iter().zip(&at).filter(|(t, _)| t.is_none()).map(|(_, p)| *p);
                let index = free.chain(place.iter().copied()).zip(&shape).fold(0, |n, (p, e)| n * e + p);
                let have = if on { got[index] } else { 0.0 };
                assert!((have - want).abs() < 1e-6, "{}: y{at:?} by {path}{place:?}: {have} and not {want}\n{graph}", case.name);
            }
        }
    }
}

fn places(mut n: usize, extents: &[usize]) -> Vec<usize> {
    let mut out = vec![0; extents.len()];
    for (k, e) in extents.iter().enumerate().rev() {
        out[k] = n % e;
        n /= e;
    }
    out
}

/// One element of a node, as a number.
fn element(graph: &mut Graph, node: NodeId, at: &[usize]) -> NodeId {
    let mut operands = vec![Operand::new(node, vec![])];
    for p in at {
        let number = graph.add(Node::new(Op::Const(*p as f64), DType::I32, vec![]), vec![]);
        operands.push(Operand::new(number, vec![]));
    }
    let picks = (1..=at.len()).map(hnet::ir::Pick::Operand).collect();
    graph.add(Node::new(Op::Gather { picks, fill: None }, DType::F32, Vec::<Axis>::new()), operands)
}

#[test]
fn a_derivative_for_each_element() {
    let rows = "%0: f32[b, k=2] = input \"x\"\n%1: f32[k=2, j=3] = input \"w\"\n%2: f32[b, j=3] = sum(k=2) %0[b, k] * %1[k, j]\n%3: f32[b, j=3] = tanh %2[b, j]\n%4: f32[b] = sum(j=3) %3[b, j] * %3[b, j]\noutput y = %4\n";
    jacobian(&case("one net for each row", rows));
    let mixed = "%0: f32[b, k=2] = input \"x\"\n%1: f32[k=2] = fold max(b) %0[b, k]\n%2: f32[b, k=2] = sub %0[b, k], %1[k]\n%3: f32[b, k=2] = exp %2[b, k]\noutput y = %3\n";
    jacobian(&case("rows that meet", mixed));
    let moved = "%0: f32[b, k=4] = input \"x\"\n%1: f32[b, i=2, j=2] = reshape %0\n%2: f32[b, j=2] = sum(i=2) %1[b, i, j] * %1[b, j, i]\n%3: f32[b, j=2] = scan along j %2[b, j]\n%4: f32[b, q=3] = concat along q %3[b, q], %2[b, 0]\noutput y = %3\n";
    let moved: &str = Box::leak(moved.replace("%4: f32[b, q=3] = concat along q %3[b, q], %2[b, 0]\n", "").into_boxed_str());
    jacobian(&case("shapes", moved));
    let looped = "%0: f32[b, k=2] = input \"x\"\n%1: f32[k=2, j=2] = input \"w\"\n%2: f32 = loop 3 carry 1 yield 0 %0, %1 {\n  %0: i32 = arg 0\n  %1: f32[b, k=2] = arg 1\n  %2: f32[k=2, j=2] = arg 2\n  %3: f32[b, j=2] = sum(k=2) %1[b, k] * %2[k, j]\n  %4: f32[b, j=2] = tanh %3[b, j]\n  output next = %4\n}\n%3: f32[b, j=2] = result 0 %2\noutput y = %3\n";
    jacobian(&case("a loop", looped));
    let taken = "%0: f32[b, n] = input \"x\"\n%1: i32[b] = input \"at\"\n%2: f32[b] = gather %0[b, %1[b]]\n%3: f32[b] = exp %2[b]\noutput y = %3\n";
    jacobian(&Case { whole: &[("at", &[4, 1, 1])], ..case("one of a row", taken) });
}

/// Seeds of one's own.
#[test]
fn adjoints_are_pulled_back() {
    let mut graph =
        read("%0: f32[n] = input \"x\"\n%1: f32[n] = exp %0[n]\n%2: f32[n] = input \"seed\"\noutput y = %1\n").unwrap();
    let ids: Vec<NodeId> = graph.ids().collect();
    let found = pull_back(&mut graph, &[(ids[1], ids[2])], &[ids[0]]);
    let case = case("seeds", "");
    let mut check = Check::new(&case);
    check.bind(&graph);
    let values = check.values(&graph, &[found[0].expect("it depends on x"), ids[0], ids[2]]);
    let [slope, x, seed] = values.as_slice() else { panic!("three values") };
    for ((slope, x), seed) in slope.iter().zip(x).zip(seed) {
        assert!((slope - x.exp() * seed).abs() < 1e-12);
    }
}

/// The derivatives of `y`, one number, by `x` at these places, at orders 1 and 2.
fn slopes(text: &str, inputs: &[(&str, &[f64])]) -> (Vec<f64>, Option<Vec<f64>>) {
    let mut graph = read(text).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    let y = graph.output("y").expect("an output").node;
    let x = sources(&graph).into_iter().find(|(p, _)| p == "x").expect("an input").1;
    let first = derivatives(&mut graph, y, &[x]).remove(0).expect("y depends on x").node;
    let axes = graph.node(first).shape.clone();
    let all: Vec<usize> = (0..axes.len()).collect();
    let sum = Node { inner: axes, ..Node::new(Op::Fold(hnet::ir::Fold::Sum), DType::F32, vec![]) };
    let total = graph.add(sum, vec![Operand::new(first, all)]);
    let second = derivatives(&mut graph, total, &[x]).remove(0).map(|d| d.node);
    let mut bound = Bindings::default();
    for (path, id) in sources(&graph) {
        let data = inputs.iter().find(|(n, _)| *n == path).expect("a value").1.to_vec();
        bound.sources.insert(path, Tensor::new(extents(&graph, id), Data::F64(data)));
    }
    let mut value = |id: NodeId| {
        let t = evaluate(&graph, &bound, &[id]).unwrap_or_else(|d| panic!("{}", d.message)).remove(0);
        (0..t.len()).map(|i| t.get(i)).collect::<Vec<f64>>()
    };
    (value(first), second.map(&mut value))
}

fn same(what: &str, got: &[f64], want: &[f64]) {
    let alike = |(g, w): (&f64, &f64)| g == w || (g.is_nan() && w.is_nan()) || (g - w).abs() <= 1e-12 * w.abs();
    assert!(got.len() == want.len() && got.iter().zip(want).all(alike), "{what}: {got:?} and not {want:?}");
}

/// One number in, one out: `body` makes %1 or what follows of `%0`.
fn at(what: &str, body: &str, last: usize, x: f64, want: [f64; 2]) {
    let text = format!("%0: f32 = input \"x\"\n{body}output y = %{last}\n");
    let (first, second) = slopes(&text, &[("x", &[x])]);
    same(&format!("{what} at {x}"), &first, &want[..1]);
    same(&format!("{what} at {x}, order 2"), &second.unwrap_or_else(|| vec![0.0]), &want[1..]);
}

const INF: f64 = f64::INFINITY;

#[test]
fn edges_have_the_slopes_that_are_written_down() {
    let relu = "%1: f32 = const 0\n%2: f32 = max %0, %1\n";
    at("relu", relu, 2, 0.0, [0.0, 0.0]);
    at("relu", relu, 2, 2.0, [1.0, 0.0]);
    at("relu", relu, 2, -2.0, [0.0, 0.0]);
    let clamp = "%1: f32 = const 1\n%2: f32 = const 0\n%3: f32 = min %0, %1\n%4: f32 = max %3, %2\n";
    for (x, slope) in [(0.0, 0.0), (1.0, 0.0), (0.5, 1.0), (-1.0, 0.0), (2.0, 0.0)] {
        at("clamp", clamp, 4, x, [slope, 0.0]);
    }
    at("abs", "%1: f32 = abs %0\n", 1, 0.0, [0.0, 0.0]);
    at("sqrt", "%1: f32 = sqrt %0\n", 1, 0.0, [INF, -INF]);
    at("x^0", "%1: f32 = const 0\n%2: f32 = pow %0, %1\n%3: f32 = add %2, %0\n", 3, 0.0, [1.0, 0.0]);
    at("x^1", "%1: f32 = const 1\n%2: f32 = pow %0, %1\n", 2, 0.0, [1.0, 0.0]);
    at("x^2", "%1: f32 = const 2\n%2: f32 = pow %0, %1\n", 2, 0.0, [0.0, 2.0]);
    at("x^3", "%1: f32 = const 3\n%2: f32 = pow %0, %1\n", 2, 0.0, [0.0, 0.0]);
    at("0^x", "%1: f32 = const 0\n%2: f32 = pow %1, %0\n", 2, 2.0, [0.0, 0.0]);
    at("(-2)^x", "%1: f32 = const -2\n%2: f32 = pow %1, %0\n", 2, 2.0, [f64::NAN, f64::NAN]);
    at("x mod 0", "%1: f32 = const 0\n%2: f32 = mod %0, %1\n", 2, 2.0, [0.0, 0.0]);
    at("2.5 mod x", "%1: f32 = const 2.5\n%2: f32 = mod %1, %0\n", 2, 1.0, [-2.0, 0.0]);
    at("atan2(x, 0)", "%1: f32 = const 0\n%2: f32 = atan2 %0, %1\n", 2, 0.0, [0.0, 0.0]);
    at("atan2(0, x)", "%1: f32 = const 0\n%2: f32 = atan2 %1, %0\n", 2, 0.0, [0.0, 0.0]);
    at("atan x", "%1: f32 = const 1\n%2: f32 = atan2 %0, %1\n", 2, 2.0, [0.2, -0.16]);
    at("floor", "%1: f32 = floor %0\n%2: f32 = mul %1, %0\n", 2, 2.5, [2.0, 0.0]);
}

#[test]
fn the_side_that_is_not_taken_makes_no_nan() {
    let log = "%1: f32 = const 0\n%2: bool = lt %1, %0\n%3: f32 = log %0\n%4: f32 = select %2, %3, %1\n";
    at("if x > 0 { log x } else { 0 }", log, 4, 0.0, [0.0, 0.0]);
    at("if x > 0 { log x } else { 0 }", log, 4, -1.0, [0.0, 0.0]);
    at("if x > 0 { log x } else { 0 }", log, 4, 2.0, [0.5, -0.25]);
    let root = "%1: f32 = const 0\n%2: bool = lt %1, %0\n%3: f32 = sqrt %0\n%4: f32 = mul %3, %3\n%5: f32 = div %4, %0\n%6: f32 = select %2, %5, %0\n";
    at("a chain", root, 6, 0.0, [1.0, 0.0]);
    let shared =
        "%1: f32 = const 0\n%2: bool = lt %1, %0\n%3: f32 = sqrt %0\n%4: f32 = select %2, %3, %1\n%5: f32 = add %4, %3\n";
    at("used on both sides", shared, 5, 0.0, [INF, -INF]);
    let square = "%1: f32 = const 1\n%2: f32 = sub %0, %1\n%3: f32 = mul %2, %2\n%4: f32 = const 0\n%5: bool = lt %4, %0\n%6: f32 = select %5, %3, %4\n";
    at("if x > 0 { (x - 1)^2 } else { 0 }", square, 6, 1.0, [0.0, 2.0]);
    let norm = "%1: f32 = mul %0, %0\n%2: f32 = const 0\n%3: bool = lt %2, %1\n%4: f32 = sqrt %1\n%5: f32 = select %3, %4, %2\n";
    at("a norm", norm, 5, 0.0, [0.0, 0.0]);
}

#[test]
fn ties_zeros_and_filters() {
    let fold = |word: &str| format!("%0: f32[k=3] = input \"x\"\n%1: f32 = fold {word}(k=3) %0[k]\noutput y = %1\n");
    same("a tie", &slopes(&fold("max"), &[("x", &[1.0, 3.0, 3.0])]).0, &[0.0, 0.5, 0.5]);
    same("all equal", &slopes(&fold("min"), &[("x", &[2.0, 2.0, 2.0])]).0, &[1.0 / 3.0; 3]);
    let (first, second) = slopes(&fold("prod"), &[("x", &[0.0, 2.0, 3.0])]);
    same("one zero", &first, &[6.0, 0.0, 0.0]);
    same("one zero, order 2", &second.unwrap(), &[5.0, 3.0, 2.0]);
    let (first, second) = slopes(&fold("prod"), &[("x", &[0.0, 0.0, 3.0])]);
    same("two zeros", &first, &[0.0, 0.0, 0.0]);
    same("two zeros, order 2", &second.unwrap(), &[3.0, 3.0, 0.0]);
    let pair = "%0: f32 = input \"x\"\n%1: f32 = input \"w\"\n%2: f32 = max %0, %1\noutput y = %2\n";
    same("two equal", &slopes(pair, &[("x", &[1.0]), ("w", &[1.0])]).0, &[0.5]);
    let filter = "%0: f32[k=3] = input \"x\"\n%1: f32[k=3] = input \"w\"\n%2: f32 = const 5\n%3: bool[k=3] = lt %0[k], %2\n%4: f32[k=3] = log %0[k]\n%5: f32 = sum(k=3) %4[k] * %1[k] * %3[k]\noutput y = %5\n";
    let (first, second) = slopes(filter, &[("x", &[1.0, 2.0, 9.0]), ("w", &[1.0, 4.0, INF])]);
    same("a filter", &first, &[1.0, 2.0, 0.0]);
    same("a filter, order 2", &second.unwrap(), &[-1.0, -1.0, 0.0]);
    let nothing = "%0: f32[k=0] = input \"x\"\n%1: f32 = fold prod(k=0) %0[k]\n%2: f32 = fold max(k=0) %0[k]\n%3: f32 = add %1, %2\noutput y = %3\n";
    same("nothing", &slopes(nothing, &[("x", &[])]).0, &[]);
}

#[test]
fn marks_cut_and_replace() {
    let cut = "%1: f32 = cut %0\n%2: f32 = mul %0, %1\n";
    at("x * stop(x)", cut, 2, 3.0, [3.0, 0.0]);
    let through = "%1: f32 = round %0\n%2: f32 = mul %0, %0\n%3: f32 = surrogate %1, %2\n%4: f32 = mul %3, %0\n";
    // y = round(x) x, with the slope of x^2 x at round(x): 2x x + round(x).
    at("a surrogate", through, 4, 1.25, [2.0 * 1.25 * 1.25 + 1.0, 3.0 * 2.0 * 1.25]);
}
