//! Gradients of shipped models beside PyTorch's and JAX's.
//!
//! `gradients/torch_models.py` and `gradients/jax_models.py` have the models' losses written out of papers, and share nothing with hnet. Inputs and
//! parameters lie in no file: script and test make the same numbers of the same names. A file has the loss and the gradients: whole
//! ones where they are short, else numbers at some places and two weighed sums of all.

use super::suite::{Case, Way};
use super::taught::{Taught, taught};
use crate::common::{device, models, name, root};
use hnet::files::archive::Archive;
use hnet::ir::{Bindings, DType, Data, Graph, NodeId, Op, Output, OutputKind, Tensor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Gradients with more numbers are looked at in so many places.
const WHOLE: usize = 128;
const PLACES: usize = 96;

/// Models whose shaders take the software device ten seconds and more to compile: there with `HNET_ALL_SIZES=1`.
const SLOW: [&str; 7] = ["decoder", "hypino", "maml", "palora", "pareto", "self_tuning", "widenet"];

/// Words of 64 bits that belong to a name.
fn words(name: &str) -> impl Iterator<Item = u64> + use<> {
    let start = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    (1u64..).map(move |k| {
        let z = start.wrapping_add(k.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// Numbers in [0, 1) that belong to a name.
fn units(name: &str) -> impl Iterator<Item = f64> + use<> {
    words(name).map(|w| (w >> 40) as f64 / f64::from(1 << 24))
}

/// The value that a script says a name has.
fn value(name: &str, how: &Value) -> Tensor {
    let shape: Vec<usize> = how["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let count: usize = shape.iter().product();
    let data = if let Some(n) = how.get("is") {
        Data::I32(vec![n.as_i64().unwrap() as i32; count])
    } else if let Some(n) = how.get("below") {
        Data::I32(units(name).take(count).map(|u| (u * n.as_f64().unwrap()) as i32).collect())
    } else {
        let (centre, spread) = (how["centre"].as_f64().unwrap(), how["spread"].as_f64().unwrap());
        Data::F32(units(name).take(count).map(|u| (centre + spread * (2.0 * u - 1.0)) as f32).collect())
    };
    Tensor::new(shape, data)
}

/// What a script found.
struct Reference {
    name: String,
    values: BTreeMap<String, Tensor>,
    sizes: BTreeMap<String, i64>,
    loss: f64,
    /// By path.
    slopes: BTreeMap<String, Vec<f64>>,
}

impl Reference {
    fn read(path: &Path) -> Reference {
        let archive = Archive::open(path).unwrap();
        let about = |what: &str| serde_json::from_str::<serde_json::Map<String, Value>>(&archive.about()[what]).unwrap();
        let numbers = |name: &str| archive.get(name).unwrap().load(DType::F32).unwrap().to_f64();
        Reference {
            name: name(path),
            values: about("values").iter().map(|(name, how)| (name.clone(), value(name, how))).collect(),
            sizes: about("sizes").iter().map(|(name, n)| (name.clone(), n.as_i64().unwrap())).collect(),
            loss: numbers("loss")[0],
            slopes: archive.names().filter_map(|n| Some((n.strip_prefix("by ")?.to_string(), numbers(n)))).collect(),
        }
    }

    /// The same of hnet's model: its loss and its gradients as outputs of one graph.
    fn graph(&self) -> Graph {
        let (who, which) = self.name.split_once('.').unwrap();
        let all = models(&root().join(format!("models/{who}.hnet")));
        let found = all.iter().flat_map(taught).find(|t| t.which == which);
        let mut taught = found.unwrap_or_else(|| panic!("{who} has no {which}")).with_draws_given();
        let slopes = taught.slopes();
        let Taught { mut graph, loss, .. } = taught;
        let output = |name: &str, node: NodeId| Output { name: name.into(), kind: OutputKind::Output, node };
        graph.outputs = vec![output("loss", loss)];
        let real = slopes.iter().filter_map(|(path, node)| Some((path, (*node)?)));
        graph.outputs.extend(real.map(|(path, node)| output(path, node)));
        let paths: Vec<&String> = slopes.iter().map(|(path, _)| path).collect();
        assert_eq!(paths.len(), self.slopes.len(), "{}: one source for each path: {paths:?}", self.name);
        for (path, node) in &slopes {
            let want = self.slopes.get(path).unwrap_or_else(|| panic!("{}: nothing by {path}", self.name));
            assert!(node.is_some() || want.iter().all(|w| *w == 0.0), "{}: no slope by {path}", self.name);
        }
        graph
    }

    fn bindings(&self, graph: &Graph) -> Bindings {
        let reach = graph.reachable(graph.outputs.iter().map(|o| o.node));
        for id in graph.ids().filter(|id| reach[id.index()]) {
            let Op::Source { path, .. } = &graph.node(id).op else { continue };
            let given = self.values.get(&**path).unwrap_or_else(|| panic!("{}: no value of {path}", self.name));
            assert_eq!((given.shape.len(), given.dtype()), (graph.node(id).rank(), graph.node(id).dtype), "{path}");
        }
        Bindings { sources: self.values.clone(), sizes: self.sizes.iter().map(|(n, v)| (n.as_str().into(), *v)).collect() }
    }

    /// In each way the loss and its gradients are the reference's to a hundred thousandth of the largest number of each, or, in 32 bits, as near
    /// as those can tell.
    fn met(&self, ways: &[Way]) {
        let graph = self.graph();
        let case = Case::graph(&self.name, &graph, &self.bindings(&graph)).on(ways);
        case.each(|way, got| {
            let loss = (got[0].get(0) - self.loss).abs() / self.loss.abs();
            let of = |(output, t): (&Output, &Tensor)| (self.off(&output.name, t), output.name.to_string());
            let slopes = graph.outputs.iter().zip(got).skip(1).map(of);
            let (off, path) = slopes.chain([(loss, "the loss".to_string())]).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
            println!("{} {way:?}: {path} is off by {off:.1e}", self.name);
            match way {
                Way::Interpreter => assert!(off <= 1e-6, "{}: {path} is off by {off:.1e}", self.name),
                way if off > 1e-5 => case.is_right(&format!("{way:?}"), got, way.exact()),
                _right => {}
            }
        });
    }

    /// How far a gradient is from the reference, measured by its largest number.
    fn off(&self, path: &str, got: &Tensor) -> f64 {
        let (want, got) = (&self.slopes[path], got.to_f64());
        let most = |list: &[f64]| list.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        let apart = |a: f64, b: f64| if a.is_finite() { (a - b).abs() } else { f64::INFINITY };
        if got.len() <= WHOLE {
            assert_eq!(got.len(), want.len());
            return got.iter().zip(want).fold(0.0f64, |m, (g, w)| m.max(apart(*g, *w))) / most(want).max(f64::MIN_POSITIVE);
        }
        let largest = want[PLACES + 2];
        let at = words(&format!("at {path}")).map(|w| got[(w % got.len() as u64) as usize]);
        let mut off = at.zip(&want[..PLACES]).fold(0.0f64, |m, (g, w)| m.max(apart(g, *w))) / largest;
        off = off.max(apart(most(&got), largest) / largest);
        for (k, want) in want[PLACES..PLACES + 2].iter().enumerate() {
            let terms = || got.iter().zip(units(&format!("weigh {k} {path}"))).map(|(g, u)| g * (2.0 * u - 1.0));
            let scale: f64 = terms().map(f64::abs).sum();
            off = off.max(apart(terms().sum(), *want) / scale);
        }
        off
    }
}

#[test]
fn losses_have_the_gradients_of_pytorch_and_jax() {
    let folder = root().join("tests/backends/gradients");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "safetensors"));
    files.sort();
    assert!(files.len() >= 12, "{files:?}");
    let all = std::env::var_os("HNET_ALL_SIZES").is_some_and(|v| v == "1");
    let device = device("losses_have_the_gradients_of_pytorch_and_jax").is_some();
    for file in files {
        let reference = Reference::read(&file);
        let on_device = device && (all || !SLOW.iter().any(|s| reference.name.starts_with(s)));
        let ways = [Way::Interpreter, Way::Optimized(2), Way::OptimizedDevice];
        reference.met(if on_device { &ways } else { &ways[..2] });
    }
}
