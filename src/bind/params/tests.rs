//! Weights in every spelling, and everything that can be wrong with them.

use super::*;
use crate::check::model::Init;
use crate::diag::Code;
use crate::files::archive;
use crate::ir::{DType, Data, Graph, Size};
use crate::source::Span;
use std::path::Path;

/// A model with nothing in it.
pub fn empty() -> Model {
    Model {
        name: "M".into(),
        doc: None,
        graph: Graph::default(),
        dims: vec![],
        params: vec![],
        inputs: vec![],
        instances: vec![],
        relations: vec![],
        routes: vec![],
        evals: vec![],
        trains: vec![],
        weights: vec![],
    }
}

fn param(path: &str, shape: &[i64]) -> Param {
    Param {
        path: path.into(),
        origin: Origin::Param,
        dtype: DType::F32,
        shape: shape.iter().map(|n| Size::from(*n)).collect(),
        init: Some(Init::Fill(1.0)),
        frozen: vec![],
        provided: vec![],
        span: Span::default(),
    }
}

fn numbers(shape: &[usize], from: f32) -> Tensor {
    let n = shape.iter().product::<usize>();
    Tensor::new(shape.to_vec(), Data::F32((0..n).map(|i| from + i as f32).collect()))
}

fn from_file(params: Vec<Param>, tensors: &[(&str, Tensor)]) -> Result<Loaded, Vec<Diagnostic>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let named: Vec<(String, Tensor)> = tensors.iter().map(|(n, t)| (n.to_string(), t.clone())).collect();
    archive::save(&path, &named).unwrap();
    let file = Archive::open(Path::new(&path)).unwrap();
    load(&Model { params, ..empty() }, &[file], &Sizes::new(), 0)
}

#[test]
fn one_tensor_for_each_net_or_stacked_or_mixed_is_the_same() {
    let want = numbers(&[2, 3, 4], 0.0);
    let array = || vec![param("block.*.expert.*.w", &[2, 3, 4])];
    let stacked = from_file(array(), &[("block.expert.w", want.clone())]).unwrap();
    let outer = from_file(array(), &[("block.0.expert.w", numbers(&[3, 4], 0.0)), ("block.1.expert.w", numbers(&[3, 4], 12.0))]);
    let inner: Vec<(String, Tensor)> = (0..3)
        .map(|e| {
            let rows = [0, 1].map(|b| numbers(&[4], (b * 12 + e * 4) as f32).to_f64()).concat();
            (format!("block.expert.{e}.w"), Tensor::new(vec![2, 4], Data::F32(rows.iter().map(|v| *v as f32).collect())))
        })
        .collect();
    let inner: Vec<(&str, Tensor)> = inner.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    for loaded in [stacked, outer.unwrap(), from_file(array(), &inner).unwrap()] {
        assert_eq!(loaded.tensors["block.*.expert.*.w"], want);
        assert!(loaded.warnings.is_empty());
    }
    let model = Model { params: array(), ..empty() };
    let split = split(&model, &BTreeMap::from([("block.*.expert.*.w".to_string(), want.clone())]));
    assert_eq!((split.len(), split[4].0.as_str()), (6, "block.1.expert.1.w"));
    let again: Vec<(&str, Tensor)> = split.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    assert_eq!(from_file(array(), &again).unwrap().tensors["block.*.expert.*.w"], want);
}

#[test]
fn everything_wrong_is_said_at_once() {
    let params = vec![param("embed", &[5, 16]), param("head.w", &[3, 4]), param("block.*.w", &[2, 2]), param("gone", &[1])];
    let file = [
        ("embd", numbers(&[5, 16], 0.0)),
        ("head.w", numbers(&[4, 3], 0.0)),
        ("block.1.w", Tensor::new(vec![2], Data::Bool(vec![0, 1]))),
        ("block.0.w", numbers(&[3], 0.0)),
    ];
    let said = from_file(params, &file).unwrap_err();
    let codes: Vec<_> = said.iter().map(|d| d.code).collect();
    assert_eq!(codes, [Code::H0615, Code::H0615, Code::H0609, Code::H0613]);
    assert!(said[0].help.as_ref().unwrap().text.contains("transposed"));
    assert!(said[0].notes[0].contains("f32[4, 3]") && said[0].notes[1].contains("f32[3, 4]"));
    let file = said[3].message.split('`').nth(3).unwrap();
    assert_eq!(said[2].message, format!("2 parameters are not in `{file}`"));
    assert!(said[2].help.as_ref().unwrap().text.contains("`embd`"));
}

#[test]
fn a_net_that_two_tensors_give_is_an_error() {
    let both = [("e.w", numbers(&[2, 3], 0.0)), ("e.0.w", numbers(&[3], 9.0))];
    let said = from_file(vec![param("e.*.w", &[2, 3])], &both).unwrap_err();
    assert_eq!((said[0].code, said.len()), (Code::H0619, 1));
    assert!(said[0].message.contains("`e.0.w` and `e.w`"), "{}", said[0].message);
}

#[test]
fn a_name_that_is_near_is_named() {
    let help = |there: &str, wanted: &str| {
        let said = from_file(vec![param(wanted, &[2])], &[(there, numbers(&[2], 0.0))]).unwrap_err();
        said[0].help.as_ref().map(|h| h.text.clone()).unwrap_or_default()
    };
    assert!(help("model.fc.w", "fc.w").contains("begin with `model.`"));
    assert!(help("fc.weight", "fc.w").contains("the file has `fc.weight`"));
    assert!(help("fc.gain", "fc.bias").contains("the file has `fc.gain`"));
    assert_eq!(help("other.gain", "fc.bias"), "");
}

#[test]
fn a_tensor_of_a_type_that_is_not_read_is_not_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let header = r#"{"w":{"dtype":"F8_E8M0","shape":[2],"data_offsets":[0,2]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0, 0]].concat();
    std::fs::write(&path, bytes).unwrap();
    let file = Archive::open(&path).unwrap();
    let model = Model { params: vec![param("w", &[2])], ..empty() };
    let said = load(&model, &[file], &Sizes::new(), 0).unwrap_err();
    assert_eq!((said[0].code, said.len()), (Code::H0616, 1));
    assert!(said[0].message.contains("is of type F8_E8M0"), "{}", said[0].message);
}

#[test]
fn what_a_relation_provides_is_not_asked_for() {
    let provided = Param { provided: vec![vec![1]], ..param("block.*.w", &[2, 2]) };
    let loaded = from_file(vec![provided.clone()], &[("block.0.w", numbers(&[2], 5.0))]).unwrap();
    assert_eq!(loaded.tensors["block.*.w"].to_f64(), [5.0, 6.0, 0.0, 0.0]);
    let model = Model { params: vec![provided], ..empty() };
    assert_eq!(split(&model, &loaded.tensors).len(), 1);
    let huge = param("w", &[1 << 40, 1 << 40]);
    assert_eq!(from_file(vec![huge], &[]).unwrap_err()[0].code, Code::H0801);
}

#[test]
fn a_parameter_without_initialiser_needs_weights() {
    let model = Model { params: vec![Param { init: None, ..param("w", &[2]) }, param("v", &[2])], ..empty() };
    let said = init::initialise_all(&model, &Sizes::new(), 0).unwrap_err();
    assert_eq!((said.len(), said[0].code), (1, Code::H0607));
}
