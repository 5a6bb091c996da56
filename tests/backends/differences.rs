//! Gradients of every shipped model beside central differences, in f64.
//!
//! Along the whole of each parameter, at one number of each, and along all of them together, to a millionth. Where a loss has a corner just
//! there, the direction is passed over and counted, and only a few may be.

use super::taught::{Taught, taught};
use crate::common::{drawn, files, models, name};
use hnet::bind::init;
use hnet::bind::inputs::{Request, gather};
use hnet::exec::session;
use hnet::grad::differences::{Verdict, compare};
use hnet::ir::interp::evaluate;
use hnet::ir::random::philox;
use hnet::ir::{Bindings, Data, NodeId, Tensor};
use std::path::Path;

/// Directions of one loss that may be passed over.
const PASSED: usize = 3;

/// A direction: how far each number of some parameters moves.
type Direction = Vec<(String, Vec<f64>)>;

struct Check {
    who: String,
    taught: Taught,
    bound: Bindings,
    slopes: Vec<(String, Vec<f64>)>,
    passed: Vec<String>,
    compared: usize,
}

/// Numbers that look random, between -1 and 1.
fn noise(key: u32, count: usize) -> Vec<f64> {
    let one = |k: usize| f64::from(philox([k as u32, key, 0, 0], [3, 5])[0]) / f64::from(u32::MAX) * 2.0 - 1.0;
    (0..count).map(one).collect()
}

impl Check {
    fn new(who: String, mut taught: Taught) -> Check {
        let model = taught.model.clone();
        let size = |d: &hnet::check::model::Dim| (d.name.to_string(), if LARGE.contains(&&*name_of(&who)) { 1 } else { 2 });
        let dims = model.dims.iter().filter(|d| d.size.is_none()).map(size).collect();
        let mut given = gather(&model, &Request { random: true, seed: 3, dims, ..Request::default() }).unwrap();
        given.tensors.insert("step".into(), init::scalar(70));
        let mut bound = session::bindings(drawn(&model, &given), given, 3);
        let found = taught.slopes();
        for id in taught.graph.ids() {
            let hnet::ir::Op::Source { path, .. } = &taught.graph.node(id).op else { continue };
            if path.starts_with("weight.") {
                let of = |s: &str| bound.sizes.get(s).copied();
                let shape: Vec<usize> = taught.graph.node(id).shape.iter().map(|a| a.size.eval(&of).unwrap() as usize).collect();
                let count = shape.iter().product();
                bound.sources.insert(path.to_string(), Tensor::new(shape, Data::F64(noise(path.len() as u32, count))));
            }
        }
        let nodes: Vec<NodeId> = found.iter().filter_map(|(_, node)| *node).collect();
        let mut values = evaluate(&taught.graph, &bound, &nodes).unwrap_or_else(|d| panic!("{who}: {d:#?}")).into_iter();
        let slopes = found.into_iter().map(|(path, node)| {
            let zeros = vec![0.0; bound.sources[&path].len()];
            (path, node.map_or(zeros, |_| values.next().unwrap().to_f64()))
        });
        let slopes: Vec<(String, Vec<f64>)> = slopes.collect();
        for (path, slope) in &slopes {
            assert!(slope.iter().all(|s| s.is_finite()), "{who}, by `{path}`: {slope:?}");
        }
        Check { who, taught, bound, slopes, passed: vec![], compared: 0 }
    }

    fn moved(&self, along: &Direction, by: f64) -> f64 {
        let mut bound = self.bound.clone();
        for (path, direction) in along {
            let old = &bound.sources[path];
            let data = old.to_f64().iter().zip(direction).map(|(x, d)| x + by * d).collect();
            bound.sources.insert(path.clone(), Tensor::new(old.shape.clone(), Data::F64(data)));
        }
        evaluate(&self.taught.graph, &bound, &[self.taught.loss]).unwrap()[0].get(0)
    }

    /// Compares the slope along a direction with differences.
    fn along(&mut self, what: &str, along: &Direction) {
        let slope_of = |path: &String| &self.slopes.iter().find(|(p, _)| p == path).expect("a parameter").1;
        let slope: f64 = along.iter().flat_map(|(path, d)| slope_of(path).iter().zip(d)).map(|(s, d)| s * d).sum();
        match compare(slope, |t| Some(self.moved(along, t))) {
            Verdict::Alike(_) => self.compared += 1,
            Verdict::Corner => self.passed.push(what.to_string()),
            Verdict::Apart(wanted) => panic!("{}: along {what} the slope is {slope:e} and not {wanted:e}", self.who),
        }
    }

    fn all(mut self) -> usize {
        let shapes: Vec<(String, usize)> = self.slopes.iter().map(|(path, s)| (path.clone(), s.len())).collect();
        let direction = |k: usize, n: usize| noise(1000 + k as u32, n);
        let whole: Direction = shapes.iter().enumerate().map(|(k, (path, n))| (path.clone(), direction(k, *n))).collect();
        self.along("everything", &whole);
        for (k, (path, n)) in shapes.iter().enumerate() {
            self.along(path, &vec![(path.clone(), direction(k, *n))]);
            let place = philox([k as u32, 0, 0, 0], [9, 9])[0] as usize % (*n).max(1);
            let one = (0..*n).map(|j| if j == place { 1.0 } else { 0.0 }).collect();
            self.along(&format!("{path} at {place}"), &vec![(path.clone(), one)]);
        }
        assert!(self.passed.len() <= PASSED, "{}: passed over along {:?}", self.who, self.passed);
        self.compared
    }
}

fn name_of(who: &str) -> String {
    who.split(',').next().unwrap().to_string()
}

/// Models that are long in the interpreter, with one row.
const LARGE: [&str; 2] = ["hypino", "steel"];

/// Every second file from `first` on: two tests, which run side by side.
fn compare_all(first: usize) {
    let only = std::env::var("HNET_ONLY").ok();
    let chosen = |path: &Path| only.as_ref().is_none_or(|o| *o == name(path));
    for path in files("models").iter().skip(first).step_by(2).filter(|p| chosen(p)) {
        for model in models(path) {
            for t in taught(&model) {
                let start = std::time::Instant::now();
                let who = format!("{}, {}, {}", name(path), model.name, t.which);
                let check = Check::new(who.clone(), t);
                println!("{who} {:.1} s", start.elapsed().as_secs_f64());
                let compared = check.all();
                println!("{who}: {compared} directions, {:.1} s", start.elapsed().as_secs_f64());
            }
        }
    }
}

#[test]
fn models_have_the_slopes_that_differences_show() {
    compare_all(0);
}

#[test]
fn more_models_have_the_slopes_that_differences_show() {
    compare_all(1);
}
