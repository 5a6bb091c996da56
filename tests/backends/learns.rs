//! The shipped models learn: each is trained as its own block says, with fewer steps where that is enough, on the CPU, and reaches the
//! figure that its `eval` block measures. All that is random has a seed, so what is asked lies well on the safe side of what is found.

use crate::common::{files, models, root};
use hnet::bind::init;
use hnet::check::model::Model;
use hnet::exec::eval::{self, Report, Setting};
use hnet::exec::session::{Backend, Options as Run};
use hnet::ir::sizes::Sizes;
use hnet::ir::{Data, Tensor};
use hnet::pipeline;
use hnet::source::Sources;
use hnet::train::{Options, Record, Trainer};
use std::collections::BTreeMap;
use std::path::Path;

fn run() -> Run {
    Run { backend: Backend::Cpu, threads: 1, ..Run::default() }
}

/// A model that was trained.
struct Learned {
    model: Model,
    params: BTreeMap<String, Tensor>,
    records: Vec<Record>,
}

impl Learned {
    /// What an `eval` block measures; the first without a name.
    fn measured(&self, phase: Option<&str>) -> Report {
        let block = self.model.evals.iter().find(|e| phase.is_none_or(|p| e.phase.as_deref() == Some(p))).unwrap();
        let folder = root().join("models");
        let setting = Setting { model: &self.model, params: &self.params, folder: &folder, options: run(), seed: 0 };
        eval::run(&setting, block, &mut |_, _| {}).unwrap()
    }

    /// A column, for all rows.
    fn score(&self, phase: Option<&str>, column: &str) -> f64 {
        let report = self.measured(phase);
        let at = report.columns.iter().position(|c| c == column).unwrap();
        let score = report.rows.last().unwrap().values[at];
        println!("{} {phase:?}: {column} = {score:.4}", self.model.name);
        score
    }

    /// A column, for each group.
    fn by_group(&self, column: &str) -> Vec<f64> {
        let report = self.measured(None);
        let at = report.columns.iter().position(|c| c == column).unwrap();
        let scores: Vec<f64> = report.rows.iter().filter(|r| r.group.is_some()).map(|r| r.values[at]).collect();
        println!("{}: {column} = {scores:.4?}", self.model.name);
        scores
    }

    /// The mean of a loss over some steps.
    fn loss(&self, name: &str, steps: std::ops::Range<usize>) -> f64 {
        let n = steps.len() as f64;
        self.records[steps].iter().map(|r| r.losses.iter().find(|l| l.0 == name).unwrap().1).sum::<f64>() / n
    }
}

fn checked(path: &Path, which: usize, set: &[(&str, f64)]) -> Model {
    let mut sources = Sources::default();
    let file = pipeline::read(&mut sources, path).unwrap();
    let set: Vec<(String, f64)> = set.iter().map(|(name, v)| (name.to_string(), *v)).collect();
    let mut checked = pipeline::check(&mut sources, file, &set);
    assert!(checked.is_fine(), "{}: {:#?}", path.display(), checked.diagnostics);
    checked.models.swap_remove(which)
}

fn begun(model: &Model, seed: i32) -> BTreeMap<String, Tensor> {
    init::initialise_all(model, &Sizes::new(), seed).unwrap()
}

/// The model at this place of a file of `models/`, trained; 0 steps: as many as its block says.
fn learned_at(name: &str, which: usize, set: &[(&str, f64)], steps: u64, seed: i32) -> Learned {
    let folder = root().join("models");
    let model = checked(&folder.join(format!("{name}.hnet")), which, set);
    let options = Options { run: run(), seed: Some(seed), steps: Some(steps).filter(|n| *n > 0), ..Options::default() };
    let mut trainer = Trainer::new(&model, begun(&model, seed), &folder, options).unwrap();
    let mut records = vec![];
    while let Some(record) = trainer.step().unwrap_or_else(|d| panic!("{name}: {d:#?}")) {
        records.push(record);
    }
    let params = trainer.params().unwrap();
    Learned { model, params, records }
}

fn learned(name: &str, set: &[(&str, f64)], steps: u64) -> Learned {
    learned_at(name, 0, set, steps, 0)
}

#[test]
fn no_train_block_lacks_its_data() {
    let mut seen = 0;
    for path in files("models").into_iter().chain(files("examples")) {
        for model in models(&path).iter().filter(|m| !m.trains.is_empty()) {
            let options = Options { run: run(), steps: Some(1), ..Options::default() };
            let mut trainer = Trainer::new(model, begun(model, 0), path.parent().unwrap(), options).unwrap();
            while let Some(record) = trainer.step().unwrap_or_else(|d| panic!("{}: {d:#?}", path.display())) {
                assert!(record.losses.iter().all(|l| l.1.is_finite()), "{}: {record:?}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen} models with a train block");
}

#[test]
fn five_tasks_of_digits() {
    assert!(learned("task_digits", &[], 1500).by_group("accuracy").iter().all(|a| *a >= 0.96));
}

#[test]
fn experts_are_evenly_busy_with_the_losses_that_ask_for_it() {
    let even = learned("sparse_moe", &[], 300).score(None, "spread");
    let left = learned("sparse_moe", &[("evenly", 0.0)], 300).score(None, "spread");
    assert!(even < 0.2 && left > 0.4, "{even} and {left}");
}

/// A fifth task was learned, and the first is still known; without the penalty it is not.
#[test]
fn what_was_learned_first_is_remembered() {
    let (held, free) = (learned("continual", &[], 0), learned("continual", &[("hold", 0.0)], 0));
    let (held, free) = (held.by_group("accuracy"), free.by_group("accuracy"));
    assert!(held[0] >= 0.95 && held[4] >= 0.9 && free[0] < 0.7 && free[4] >= 0.9);
}

#[test]
fn a_code_of_constant_length_learns_faster() {
    for seed in 0..5 {
        let [round, plain] = [0, 1].map(|k| learned_at("magnitude_invariant", k, &[], 500, seed).loss("total", 450..500));
        println!("seed {seed}: {round:.4} and {plain:.4}");
        assert!(round < plain, "seed {seed}: {round} and {plain}");
    }
}

/// What the hypernetwork writes before it has learned, for numbers from 0.1 to 1: as large for all of them, or larger for the large ones.
#[test]
fn a_code_of_constant_length_writes_weights_of_one_size() {
    let path = root().join("models/magnitude_invariant.hnet");
    let largest = [0, 1].map(|which| {
        let mut model = checked(&path, which, &[]);
        let params = begun(&model, 0);
        model.trains.clear();
        let output = model.graph.outputs.iter().position(|o| &*o.name == "written").unwrap();
        let sizes = [0.1, 0.25, 0.5, 0.75, 1.0].map(|gamma| {
            let request = hnet::bind::inputs::Request {
                conditions: vec![("gamma".into(), format!("{gamma}"))],
                dims: vec![("b".into(), 1)],
                random: true,
                ..Default::default()
            };
            let given = hnet::bind::inputs::gather(&model, &request).unwrap();
            let mut session = hnet::exec::session::Session::new(&model, &[output], &run()).unwrap();
            session.run(&hnet::exec::session::bindings(params.clone(), given, 0)).unwrap()[0].get(0)
        });
        println!("{}: {sizes:.5?}", model.name);
        sizes.iter().fold(0.0f64, |m, v| m.max(*v)) / sizes.iter().fold(f64::INFINITY, |m, v| m.min(*v))
    });
    assert!(largest[0] < 2.0 && largest[1] > 50.0, "{largest:?}");
}

#[test]
fn hyperparameters_that_are_tuned_beat_those_that_stay() {
    let tuned = learned("self_tuning", &[], 900).score(None, "held");
    let fixed = learned("self_tuning", &[("tuning", 0.0)], 900).score(None, "held");
    assert!(tuned < fixed - 0.05, "{tuned} and {fixed}");
}

#[test]
fn merged_experts_with_some_left_out() {
    assert!(learned("smear_dropout", &[], 600).score(None, "accuracy") > 0.88);
}

#[test]
fn gates_end_on_two_experts() {
    let model = learned("dselect_k", &[], 0);
    assert!(model.score(None, "busy") <= 2.0 && model.score(None, "mse") < 0.08);
}

/// The loss has second derivatives of a net that another net wrote.
#[test]
fn a_solver_of_an_equation() {
    // A batch has few problems, and some are harder than others: only means of many batches say something.
    let model = learned("hypino", &[], 100);
    for name in ["residual", "fit"] {
        let (first, last) = (model.loss(name, 0..20), model.loss(name, 80..100));
        assert!(last < 0.8 * first, "{name}: {first} and {last}");
    }
}

/// Two steps on five points are worth more than before.
#[test]
fn a_start_from_which_little_is_enough() {
    let model = learned("maml", &[], 600);
    assert!(model.score(None, "mse") < 0.6 * model.score(None, "start"));
}

#[test]
fn two_players() {
    let model = learned("gan", &[], 2000);
    assert!(model.score(None, "near") > 0.9 && model.score(None, "breadth") > 0.9);
}

#[test]
fn weights_that_nobody_fitted() {
    assert!(learned("weight_diffusion", &[], 1500).score(None, "error") < 0.2);
}

#[test]
fn weights_that_change_from_letter_to_letter() {
    let model = learned("hyperlstm", &[], 60);
    let (first, last) = (model.loss("bpc", 0..1), model.loss("bpc", 55..60));
    assert!(last < 0.6 * first, "{first} and {last}");
}

/// The bias evens the load, and without what it became the experts are not evenly busy.
#[test]
fn a_bias_evens_the_load() {
    let mut model = learned("bias_moe", &[], 0);
    let with = model.score(None, "spread");
    let bias = model.params.get_mut("moe.bias").unwrap();
    *bias = Tensor::new(bias.shape.clone(), Data::F32(vec![0.0; bias.len()]));
    let without = model.score(None, "spread");
    assert!(with < 0.2 && without > 0.3, "{with} and {without}");
}

#[test]
fn one_net_for_all_preferences() {
    let model = learned("pareto", &[], 0);
    let [first, middle, second] =
        ["for_the_first", "between", "for_the_second"].map(|p| [model.score(Some(p), "mse1"), model.score(Some(p), "mse2")]);
    assert!(first[0] < 0.1 && second[1] < 0.1, "the ends");
    assert!(first[0] < middle[0] && middle[0] < second[0] && second[1] < middle[1] && middle[1] < first[1], "the front");
}

#[test]
fn low_rank_updates_for_all_preferences() {
    let model = learned("palora", &[], 0);
    let [first, second] =
        ["for_the_first", "for_the_second"].map(|p| [model.score(Some(p), "mse1"), model.score(Some(p), "mse2")]);
    assert!(first[0] < second[0] && second[1] < first[1], "{first:?} and {second:?}");
}
