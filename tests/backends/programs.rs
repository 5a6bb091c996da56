//! Random programs: each is accepted, reads back, means the same after every pass, and runs compiled as interpreted.
//!
//! `HNET_SEEDS=17` runs one of them, `HNET_SEEDS=0..5000` many; `hnet fuzz` also makes small what fails.

use crate::common;
use hnet::bind::init;
use hnet::bind::inputs::{Request, gather};
use hnet::exec::session;
use hnet::fuzz::check::{How, Passed, also_on, check, check_how, keep_panics, model};
use hnet::fuzz::program;
use hnet::ir::interp::evaluate;

#[test]
fn random_programs_mean_one_thing() {
    let asked = std::env::var("HNET_SEEDS").unwrap_or("0..300".into());
    let (from, to) = asked.split_once("..").unwrap_or((&asked, ""));
    let from: u64 = from.parse().expect("a seed");
    let seeds = from..to.parse().unwrap_or(from + 1);
    keep_panics(true);
    let mut failed = vec![];
    let (mut runs, mut ties) = (0, 0);
    for seed in seeds.clone() {
        match std::panic::catch_unwind(|| program(seed)).map(|text| check(&text, seed)) {
            Ok(Ok(passed)) => {
                runs += passed.runs;
                ties += passed.ties;
            }
            Ok(Err(f)) => failed.push(format!("seed {seed}: {}: {}", f.class, f.detail.lines().next().unwrap_or(""))),
            Err(_) => failed.push(format!("seed {seed}: the generator panics")),
        }
    }
    drop(std::panic::take_hook());
    println!("seeds {seeds:?}: {runs} runs, {ties} of them on a tie");
    assert!(failed.is_empty(), "`hnet fuzz --count 1 --seed N` makes them small:\n{}", failed.join("\n"));
    assert!(ties * 20 <= runs.max(20), "{ties} of {runs} runs hang on a tie: too many to trust");
}

/// The same on the graphics device, with every shader through naga; other seeds than above.
#[test]
fn random_programs_mean_the_same_on_the_device() {
    let Some(device) = common::device("random_programs_mean_the_same_on_the_device") else { return };
    also_on(Some(device));
    let (mut runs, mut ties) = (0, 0);
    for seed in 300..340 {
        match check(&program(seed), seed) {
            Ok(passed) => {
                runs += passed.runs;
                ties += passed.ties;
            }
            Err(f) => panic!("`hnet fuzz --gpu --only {seed}`: {}: {}", f.class, f.detail),
        }
    }
    also_on(None);
    assert!(ties * 20 <= runs.max(20), "{ties} of {runs} runs hang on a tie: too many to trust");
}

/// Each way that the planner might have taken, in turn; `hnet fuzz --ways` goes on with other seeds, and with `--gpu` on a device.
#[test]
fn random_programs_mean_the_same_every_way() {
    let how = How { turns: true, ..How::default() };
    let mut turns = 0;
    for seed in 400..480 {
        match check_how(&program(seed), seed, how) {
            Ok(passed) => turns += passed.turns,
            Err(f) => panic!("`hnet fuzz --ways --only {seed}`: {}: {}", f.class, f.detail),
        }
    }
    println!("{turns} runs with another way");
    assert!(turns > 80, "{turns} runs with another way");
}

/// Derivatives of these programs: differences, and all ways to compute them, say the same.
fn derived(seeds: std::ops::Range<u64>, order: usize) -> Passed {
    let mut sum = Passed::default();
    for seed in seeds {
        match check_how(&program(seed), seed, How { order, ..How::default() }) {
            Ok(passed) => sum += passed,
            Err(f) => panic!("`hnet fuzz --order {order} --only {seed}`: {}: {}", f.class, f.detail),
        }
    }
    sum
}

#[test]
fn random_programs_have_the_slopes_that_differences_show() {
    for (seeds, order) in [(0..80, 1), (80..100, 2)] {
        let Passed { slopes, corners, .. } = derived(seeds, order);
        println!("order {order}: {slopes} slopes, {corners} at a corner");
        assert!(slopes >= 200 && corners * 20 <= slopes, "{corners} corners beside {slopes} slopes: too many to trust");
    }
}

#[test]
fn random_programs_have_the_same_slopes_on_the_device() {
    also_on(Some(match common::device("random_programs_have_the_same_slopes_on_the_device") {
        Some(device) => device,
        None => return,
    }));
    derived(300..306, 1);
    derived(306..308, 2);
    also_on(None);
}

/// An output called `off` is how far a value is from what it has to be.
fn means(text: &str, seed: i32) -> Result<(), String> {
    let model = model(text).map_err(|f| f.detail)?;
    let dims = model.dims.iter().filter(|d| d.size.is_none()).map(|d| (d.name.to_string(), 5)).collect();
    let request = Request { random: true, seed, dims, ..Request::default() };
    let given = gather(&model, &request).map_err(|list| list[0].message.clone())?;
    let params = init::initialise_all(&model, &given.sizes, 0).map_err(|list| list[0].message.clone())?;
    let bound = session::bindings(params, given, 0);
    let asked: Vec<_> = model.graph.outputs.iter().filter(|o| o.name.starts_with("off")).collect();
    let nodes: Vec<_> = asked.iter().map(|o| o.node).collect();
    let values = evaluate(&model.graph, &bound, &nodes).map_err(|d| d.message)?;
    for (output, value) in asked.iter().zip(values) {
        if value.to_f64().iter().any(|v| v.is_nan() || v.abs() > 1e-6) {
            return Err(format!("{} is {:?}", output.name, value.to_f64()));
        }
    }
    Ok(())
}

/// Programs that random ones, or reading what they cannot find, led to.
#[test]
fn what_was_found_stays_mended() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions");
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    for path in names.iter().filter(|p| p.extension().is_some_and(|e| e == "hnet")) {
        let text = std::fs::read_to_string(path).unwrap();
        if path.file_stem().unwrap().to_string_lossy().starts_with("wrong_") {
            // Mistakes, and no panic.
            let said = model(&text).expect_err("a mistake");
            assert!(said.class.starts_with("rejected"), "{}: {said:?}", path.display());
            continue;
        }
        for seed in 0..4 {
            if let Err(f) = check(&text, seed) {
                panic!("{}: {}: {}", path.display(), f.class, f.detail);
            }
        }
        for seed in 0..8 {
            means(&text, seed).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        }
    }
}
