//! Running a model that was put together by hand: inputs, sessions, eval blocks, pictures. No front end is needed.

use hnet::bind::inputs::{Given, Request, gather, indices};
use hnet::bind::{init, params};
use hnet::check::model::{
    Allowed, DataFile, Dim, Eval, Init, Input, InputKind, Instance, Model, Param, RelationInfo, RelationKind, RouteInfo, Rows,
};
use hnet::draw;
use hnet::exec::eval;
use hnet::exec::session::{self, Backend, Options, Session};
use hnet::files::archive;
use hnet::ir::{Axis, DType, Data, Fold, Graph, Map, Node, NodeId, Op, Operand, Origin, Output, OutputKind, Pick, Size, Tensor};
use hnet::source::Span;
use std::collections::BTreeMap;
use std::path::Path;

fn interp() -> Options {
    Options { backend: Backend::Interp, threads: 1, ..Options::default() }
}

fn add(
    g: &mut Graph,
    op: Op,
    dtype: DType,
    shape: &[(&str, Size)],
    inner: &[(&str, Size)],
    operands: &[(NodeId, &[usize])],
) -> NodeId {
    let axes = |list: &[(&str, Size)]| list.iter().map(|(n, s)| Axis::new(*n, s.clone())).collect();
    let node = Node { inner: axes(inner), ..Node::new(op, dtype, axes(shape)) };
    g.add(node, operands.iter().map(|(n, s)| Operand::new(*n, s.to_vec())).collect())
}

fn source(g: &mut Graph, origin: Origin, path: &str, dtype: DType, shape: &[(&str, Size)]) -> NodeId {
    add(g, Op::Source { origin, path: path.into() }, dtype, shape, &[], &[])
}

fn input(name: &str, dtype: DType, shape: Vec<(Option<&str>, Size)>) -> Input {
    Input {
        name: name.into(),
        condition: false,
        lifted: false,
        kind: InputKind::Tensor,
        dtype,
        shape: shape.into_iter().map(|(n, s)| (n.map(Into::into), s)).collect(),
        default: None,
        below: None,
        span: Span::default(),
    }
}

/// `score = mean[b] sum[i] x[b, i] * w[task, i]`, and `scaled = score * gain` for an input that is often absent.
fn model() -> Model {
    let (b, two, three) = (Size::sym("b"), Size::from(2i64), Size::from(3i64));
    let mut g = Graph::default();
    let x = source(&mut g, Origin::Input, "x", DType::F32, &[("b", b.clone()), ("i", two.clone())]);
    let task = source(&mut g, Origin::Condition, "task", DType::I32, &[]);
    let w = source(&mut g, Origin::Param, "table.w", DType::F32, &[("t", three.clone()), ("i", two.clone())]);
    let picks = vec![Pick::Operand(1), Pick::Loop(0)];
    let row = add(&mut g, Op::Gather { picks, fill: None }, DType::F32, &[("i", two.clone())], &[], &[(w, &[]), (task, &[])]);
    let sum = add(&mut g, Op::Contract, DType::F32, &[], &[("b", b.clone()), ("i", two.clone())], &[(x, &[0, 1]), (row, &[1])]);
    for made in [row, sum] {
        g.node_mut(made).net = Some("table".into());
    }
    let n = add(&mut g, Op::Extent(b.clone()), DType::I32, &[], &[], &[]);
    let n = add(&mut g, Op::Map(Map::ToF32), DType::F32, &[], &[], &[(n, &[])]);
    let score = add(&mut g, Op::Map(Map::Div), DType::F32, &[], &[], &[(sum, &[]), (n, &[])]);
    let gain = source(&mut g, Origin::Input, "gain", DType::F32, &[]);
    let scaled = add(&mut g, Op::Map(Map::Mul), DType::F32, &[], &[], &[(score, &[]), (gain, &[])]);
    let most = add(&mut g, Op::Fold(Fold::Max), DType::F32, &[], &[("b", b.clone()), ("i", two.clone())], &[(x, &[0, 1])]);
    for (name, node) in [("score", score), ("scaled", scaled), ("most", most)] {
        g.outputs.push(Output { name: name.into(), kind: OutputKind::Output, node });
    }
    let task = Input { condition: true, below: Some(three.clone()), ..input("task", DType::I32, vec![]) };
    let table = Param {
        path: "table.w".into(),
        origin: Origin::Param,
        dtype: DType::F32,
        shape: vec![three, two.clone()],
        init: Some(Init::Normal { mean: 0.0, std: 1.0 }),
        frozen: vec![],
        provided: vec![],
        span: Span::default(),
    };
    Model {
        name: "M".into(),
        doc: None,
        graph: g,
        dims: vec![Dim { name: "b".into(), size: None, span: Span::default() }],
        params: vec![table],
        inputs: vec![task, input("x", DType::F32, vec![(Some("b"), b), (None, two)]), input("gain", DType::F32, vec![])],
        instances: vec![Instance { path: "table".into(), net: "Table".into(), form: false, count: None, span: Span::default() }],
        relations: vec![],
        routes: vec![],
        evals: vec![],
        trains: vec![],
        weights: vec![],
    }
}

fn floats(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::new(shape.to_vec(), Data::F32(values.to_vec()))
}

fn with(folder: &Path, tensors: &[(&str, Tensor)]) -> Request {
    let path = folder.join("in.safetensors");
    let named: Vec<_> = tensors.iter().map(|(n, t)| (n.to_string(), t.clone())).collect();
    archive::save(&path, &named).unwrap();
    Request { files: vec![path], ..Request::default() }
}

fn codes(r: Result<Given, Vec<hnet::diag::Diagnostic>>) -> Vec<&'static str> {
    r.map(|_| vec![]).unwrap_or_else(|list| list.iter().map(|d| d.code.as_str()).collect())
}

#[test]
fn only_outputs_whose_inputs_are_there_are_computed() {
    let folder = tempfile::tempdir().unwrap();
    let m = model();
    let mut request = with(folder.path(), &[("x", floats(&[2, 2], &[1.0, 2.0, 3.0, 4.0]))]);
    let given = gather(&m, &request).unwrap();
    let (can, left) = session::computable(&m, &given);
    assert_eq!((can, left[0].needs(), left[1].needs()), (vec![2], vec!["task".to_string()], vec!["gain".into(), "task".into()]));
    request.conditions.push(("task".into(), "1".into()));
    let given = gather(&m, &request).unwrap();
    let (can, _) = session::computable(&m, &given);
    let table = floats(&[3, 2], &[0.0, 0.0, 1.0, 10.0, 0.0, 0.0]);
    let mut session = Session::new(&m, &can, &interp()).unwrap();
    let out = session.run(&session::bindings(BTreeMap::from([("table.w".into(), table)]), given, 0)).unwrap();
    assert_eq!((session.names(), out[0].get(0), out[1].get(0)), (&["score".to_string(), "most".into()][..], 32.0, 4.0));
}

#[test]
fn an_index_outside_is_said_for_the_outputs_that_use_it() {
    let text = "dim b\nmodel M {\n    input k: i32[b]\n    param t: [5] = ones()\n    output y: [b] = t[k]\n    \
                output z: i32[b] = k + 1\n    output w: [b] = if k < 5 { t[max(k, 0)] } else { 0 }\n}\n";
    let m = hnet::fuzz::check::model(text).unwrap();
    let mut given = gather(&m, &Request { random: true, dims: vec![("b".into(), 3)], ..Request::default() }).unwrap();
    assert!(indices(&m, &[0, 1, 2], &given).is_ok());
    given.tensors.insert("k".into(), Tensor::new(vec![3], Data::I32(vec![0, 5, 1])));
    let said = indices(&m, &[1, 0], &given).unwrap_err();
    assert_eq!((said.code.as_str(), said.notes[0].as_str()), ("H0610", "the value is 5 at [1]"));
    assert!(indices(&m, &[1, 2], &given).is_ok());
}

#[test]
fn wrong_inputs_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let m = model();
    let good = floats(&[2, 2], &[0.0; 4]);
    let said = |x: &Tensor, conditions: &[(&str, &str)], dims: &[(&str, i64)]| {
        let mut request = with(folder.path(), &[("x", x.clone())]);
        request.conditions = conditions.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        request.dims = dims.iter().map(|(a, b)| (a.to_string(), *b)).collect();
        codes(gather(&m, &request))
    };
    assert!(said(&good, &[("task", "2")], &[("b", 2)]).is_empty());
    assert_eq!(said(&good, &[("task", "1.5")], &[]), ["H0611"]);
    assert_eq!(said(&good, &[("task", "1,2")], &[]), ["H0611"]);
    assert_eq!(said(&good, &[("tusk", "1")], &[("c", 1)]), ["H0612", "H0612"]);
    assert_eq!(said(&good, &[], &[("b", 3)]), ["H0602"]);
    assert_eq!(said(&good, &[], &[("b", -3)]), ["H0604"]);
    assert_eq!(said(&floats(&[2, 3], &[0.0; 6]), &[], &[]), ["H0602"]);
    assert_eq!(said(&floats(&[4], &[0.0; 4]), &[], &[]), ["H0602"]);
    assert_eq!(said(&Tensor::new(vec![1, 2], Data::Bool(vec![0, 1])), &[], &[]), [] as [&str; 0]);
    let request = Request { files: vec![folder.path().join("none.npy")], ..Request::default() };
    assert_eq!(codes(gather(&m, &request)), ["H0001"]);
    let missing = session::nothing_to_run(&m, &session::computable(&m, &gather(&m, &Request::default()).unwrap()).1);
    assert_eq!(missing.code, "H0601");
    assert!(missing.notes.iter().any(|n| n == "input x: f32[b, 2]"), "{missing:?}");
}

#[test]
fn two_tensors_that_disagree_are_both_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut m = model();
    m.inputs.push(input("y", DType::F32, vec![(Some("b"), Size::sym("b"))]));
    let request = with(folder.path(), &[("x", floats(&[2, 2], &[0.0; 4])), ("y", floats(&[3], &[0.0; 3]))]);
    let said = gather(&m, &request).unwrap_err();
    let text = said[0].notes.join("\n");
    assert!(
        text.contains("`y` in") && text.contains("f32[3]") && text.contains("`x` in") && text.contains("f32[2, 2]"),
        "{text}"
    );
}

#[test]
fn a_nameless_file_is_for_the_only_input() {
    let folder = tempfile::tempdir().unwrap();
    let mut m = model();
    let path = folder.path().join("rows.npy");
    archive::save_npy(&path, &floats(&[1, 2], &[5.0, 6.0])).unwrap();
    let request = Request { files: vec![path.clone()], conditions: vec![("gain".into(), "2".into())], ..Request::default() };
    assert_eq!(gather(&m, &request).unwrap().tensors["x"].to_f64(), [5.0, 6.0]);
    let request = Request { conditions: vec![("x".into(), format!("@{}", path.display()))], ..Request::default() };
    assert_eq!(gather(&m, &request).unwrap().tensors["x"].to_f64(), [5.0, 6.0]);
    let request = Request { files: vec![path], ..Request::default() };
    assert_eq!(codes(gather(&m, &request)), ["H0612"]);
    m.inputs.pop();
    assert_eq!(gather(&m, &request).unwrap().tensors["x"].to_f64(), [5.0, 6.0]);
}

#[test]
fn drawn_inputs_fit_the_model_and_are_the_same_again() {
    let mut m = model();
    let size = InputKind::Size(Allowed::List(vec![16, 32]));
    m.inputs.push(Input { kind: size, condition: true, ..input("width", DType::I32, vec![]) });
    let request = Request { random: true, seed: 5, dims: vec![("b".into(), 17)], ..Request::default() };
    let given = gather(&m, &request).unwrap();
    assert_eq!(given.tensors["x"].shape, [17, 2]);
    assert!((0.0..3.0).contains(&given.tensors["task"].get(0)));
    assert_eq!((given.tensors["width"].get(0), given.sizes["width"]), (16.0, 16));
    assert_eq!(given.tensors, gather(&m, &request).unwrap().tensors);
    let free = gather(&m, &Request { random: true, ..Request::default() }).unwrap();
    assert_eq!(free.chosen, [("b".to_string(), 4)]);
    let wrong = Request { conditions: vec![("width".into(), "17".into())], ..request };
    assert_eq!(codes(gather(&m, &wrong)), ["H0611"]);
}

fn block(batch: Option<usize>, by: Option<&str>) -> Eval {
    let columns = ["x", "task"].map(|c| (c.to_string(), c.to_string())).to_vec();
    Eval {
        phase: None,
        rows: Rows {
            data: vec![DataFile { file: "rows.safetensors".into(), columns, span: Span::default() }],
            batch: vec![("b".into(), batch, by.map(Into::into))],
            ..Rows::default()
        },
        report: vec!["score".into(), "most".into()],
        lifted: None,
    }
}

#[test]
fn groups_are_rows_in_ascending_order_and_all_is_weighted_by_rows() {
    let folder = tempfile::tempdir().unwrap();
    let x = floats(&[5, 2], &[1.0, 0.0, 2.0, 0.0, 3.0, 0.0, 4.0, 0.0, 5.0, 0.0]);
    let task = Tensor::new(vec![5], Data::I32(vec![2, 0, 2, 0, 2]));
    archive::save(&folder.path().join("rows.safetensors"), &[("x".into(), x), ("task".into(), task)]).unwrap();
    let m = model();
    let params = BTreeMap::from([("table.w".to_string(), floats(&[3, 2], &[10.0, 0.0, 0.0, 0.0, 1.0, 0.0]))]);
    let setting = eval::Setting { model: &m, params: &params, folder: folder.path(), options: interp(), seed: 0 };
    for batch in [None, Some(1), Some(2)] {
        let report = eval::run(&setting, &block(batch, Some("task")), &mut |_, _| {}).unwrap();
        let rows: Vec<_> = report.rows.iter().map(|r| (r.group, r.rows, (r.values[0] * 1000.0).round() / 1000.0)).collect();
        assert_eq!(rows, [(Some(0), 2, 30.0), (Some(2), 3, 3.0), (None, 5, 13.8)], "batch {batch:?}");
        assert_eq!(report.group.as_deref(), Some("task"));
    }
    let said = eval::run(&setting, &block(None, None), &mut |_, _| {}).unwrap_err();
    assert_eq!(said.code, "H0802");
    let mut lacking = block(None, Some("task"));
    lacking.rows.data[0].columns[0].1 = "tasks".into();
    let said = eval::run(&setting, &lacking, &mut |_, _| {}).unwrap_err();
    assert_eq!((said.code.as_str(), said.help.unwrap().text.as_str()), ("H0614", "it has `task`"));
}

#[test]
fn weights_that_are_saved_are_loaded_again() {
    let folder = tempfile::tempdir().unwrap();
    let m = model();
    let drawn = init::initialise_all(&m, &BTreeMap::new(), 7).unwrap();
    let path = folder.path().join("w.safetensors");
    archive::save(&path, &params::split(&m, &drawn)).unwrap();
    let loaded = params::load(&m, &[archive::Archive::open(&path).unwrap()], &BTreeMap::new(), 0).unwrap();
    assert_eq!(loaded.tensors, drawn);
}

#[test]
fn a_picture_shows_nets_relations_and_routing_and_is_always_the_same() {
    let mut m = model();
    let net = |path: &str, count: Option<i64>| Instance {
        path: path.into(),
        net: "Net<w>".into(),
        form: false,
        count: count.map(Size::from),
        span: Span::default(),
    };
    m.instances.extend([net("hyper", None), net("hyper.head", None), net("expert", Some(8)), net("expert.*.fc1", None)]);
    m.relations.push(RelationInfo {
        kind: RelationKind::Generate,
        target: "table.*".into(),
        params: vec!["table.w".into()],
        sources: vec!["hyper.head".into()],
        span: Span::default(),
    });
    let route = RouteInfo {
        chosen: None,
        over: "expert".into(),
        experts: Size::from(8i64),
        slots: Some(Size::from(2i64)),
        capacity: Some(1.25),
        span: Span::default(),
    };
    m.routes.push(route);
    let svg = draw::to_svg(&m);
    for part in [
        "viewBox=",
        "prefers-color-scheme: dark",
        "2 of 8",
        "capacity 1.25",
        "× 8",
        "Net&lt;w&gt;",
        "relation generate",
        ">condition<",
    ] {
        assert!(svg.contains(part), "{part} is missing in\n{svg}");
    }
    assert_eq!(svg, draw::to_svg(&m));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    let dot = draw::to_dot(&m);
    assert!(dot.contains("subgraph cluster_") && dot.contains("label=\"generate\""), "{dot}");
    let scene = draw::scene::Scene::of(&m);
    let edge = |e: &draw::scene::Edge| (scene.items[e.from].name.clone(), scene.items[e.to].name.clone());
    let edges: Vec<_> = scene.edges.iter().map(edge).collect();
    for (from, to) in [("task", "table"), ("x", "table"), ("table", "score"), ("gain", "scaled"), ("x", "most")] {
        assert!(edges.contains(&(from.into(), to.into())), "{from} to {to} is missing in {edges:?}");
    }
    assert!(!edges.contains(&("x".into(), "score".into())));
    let facts = draw::facts::model(&m, &|_| None);
    assert_eq!(facts["relations"][0]["kind"], "generate");
    assert_eq!((&facts["routes"][0]["experts"], &facts["routes"][0]["slots"]), (&8.into(), &2.into()));
    let nothing = Model {
        graph: Graph::default(),
        inputs: vec![],
        params: vec![],
        instances: vec![],
        relations: vec![],
        routes: vec![],
        ..m
    };
    assert!(draw::to_svg(&nothing).ends_with("</svg>\n"));
}
