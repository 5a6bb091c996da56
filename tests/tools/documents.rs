//! Documents that become adapters: as many together as alone, in any order, and as PEFT has them.

use crate::common::{beside, models, root};
use crate::weights::{said, tensors};
use hnet::bind::inputs::{Request, gather};
use hnet::bind::params;
use hnet::check::model::Model;
use hnet::exec::session::{self, Backend, Options, Session};
use hnet::files::archive::{self, Archive};
use hnet::ir::{Data, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

const NAME: &str = "models/doc_to_lora.hnet";

/// Words, all of them different from what stands elsewhere.
fn words(shape: &[usize], salt: usize) -> Tensor {
    let n = shape.iter().product::<usize>();
    Tensor::new(shape.to_vec(), Data::I32((0..n).map(|k| ((k * k + 7 * k + salt * 5) % 24) as i32).collect()))
}

/// The part of a tensor at a place along its first axis, which stays.
fn one(t: &Tensor, at: usize) -> Tensor {
    let each = t.len() / t.shape[0];
    Tensor::new([&[1][..], &t.shape[1..]].concat(), t.data.slice(at * each..(at + 1) * each))
}

fn near(a: &[f64], b: &[f64], within: f64) {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() <= within * (1.0 + b.abs()), "{a} and {b}"));
}

struct Run<'a> {
    model: &'a Model,
    params: BTreeMap<String, Tensor>,
    session: Session,
    at: &'a Path,
}

impl Run<'_> {
    fn logits(&mut self, doc: &Tensor, token: &Tensor) -> Vec<f64> {
        let file = self.at.join("in.safetensors");
        let given = [("doc", doc), ("token", token), ("answer", token)].map(|(n, t)| (n.to_string(), t.clone()));
        archive::save(&file, &given).unwrap();
        let given = gather(self.model, &Request { files: vec![file], ..Request::default() }).unwrap();
        self.session.run(&session::bindings(self.params.clone(), given, 0)).unwrap()[0].to_f64()
    }
}

#[test]
fn sixteen_questions_with_documents_together_are_sixteen_alone() {
    let here = tempfile::tempdir().unwrap();
    let path = root().join(NAME);
    let model = &models(&path)[0];
    let file = Archive::open(&beside(&path, "params").unwrap()).unwrap();
    let params = params::load(model, &[file], &BTreeMap::new(), 0).unwrap().tensors;
    let logits = model.graph.outputs.iter().position(|o| &*o.name == "logits").unwrap();
    // What it means: how far two ways of rounding lie apart, here some 1e-5, is no question.
    let options = Options { backend: Backend::Interp, ..Options::default() };
    let session = Session::new(model, &[logits], &options).unwrap();
    let mut run = Run { model, params, session, at: here.path() };
    let (doc, token) = (words(&[16, 2, 5], 1), words(&[16, 4], 2));
    let together = run.logits(&doc, &token);
    let each = together.len() / 16;
    for k in 0..16 {
        near(&run.logits(&one(&doc, k), &one(&token, k)), &together[k * each..(k + 1) * each], 1e-9);
    }
    // Documents matter, and their order does not.
    let turned = |k: usize| {
        let Data::I32(all) = one(&doc, k).data else { panic!("words are whole") };
        Tensor::new(vec![1, 2, 5], Data::I32([&all[5..], &all[..5]].concat()))
    };
    near(&run.logits(&turned(3), &one(&token, 3)), &together[3 * each..4 * each], 1e-9);
    let other = run.logits(&one(&doc, 4), &one(&token, 3));
    assert!(other.iter().zip(&together[3 * each..]).any(|(a, b)| (a - b).abs() > 1e-2));
}

#[test]
fn the_adapter_of_two_documents_has_the_ranks_of_both() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    let program = root().join(NAME);
    let export = |name: &str, doc: Tensor| {
        let file = at.join("doc.safetensors");
        archive::save(&file, &[("doc".to_string(), doc)]).unwrap();
        let out = at.join(name);
        let (from, to) = (file.to_str().unwrap(), out.to_str().unwrap());
        said(at, &["export", program.to_str().unwrap(), "--inputs", from, "-o", to]);
        tensors(&out)
    };
    let doc = words(&[2, 1, 5], 3);
    let alone = [0, 1].map(|k| export("one.safetensors", one(&doc, k)));
    let both = export("both.safetensors", Tensor::new(vec![1, 2, 5], doc.data.clone()));
    assert_eq!(both.len(), 4);
    for l in 0..2 {
        let name = |side: &str| format!("base_model.model.model.layers.{l}.mlp.down_proj.lora_{side}.weight");
        let (a, b) = (&both[&name("A")], &both[&name("B")]);
        assert_eq!((a.shape.as_slice(), b.shape.as_slice()), (&[4, 20][..], &[16, 4][..]));
        for (k, own) in alone.iter().enumerate() {
            near(&own[&name("A")].to_f64(), &a.to_f64()[k * 40..(k + 1) * 40], 1e-5);
            let columns: Vec<f64> = (0..16).flat_map(|o| (0..2).map(move |r| b.get(o * 4 + k * 2 + r))).collect();
            near(&own[&name("B")].to_f64(), &columns, 1e-5);
        }
    }
}
