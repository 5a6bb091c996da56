//! `hnet train` as a person meets it: what it writes, that it may be killed at any moment, that it refuses to go on from something else.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const TEXT: &str = "import std.mlp { Mlp }
dim b
model M {
    input x: [b, 16]
    sub net = Mlp(16, 64, 4)
    draw noise: [b, 16] = normal(std: 0.1)
    output y: [b, 4] = net(x)
    loss fit = mean[b] mean[k] (net(x + noise)[k] - x[k + 4] * x[k + 8])^2
}
train M {
    data \"rows.safetensors\" { x }
    batch b = 400
    minimize fit
    with adam(lr: 1e-3)
    average 0.9
    steps 300
}
eval M {
    data \"rows.safetensors\" { x }
    batch b = all
    report fit
}
";

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_hnet"));
    c.args(args).current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    c
}

fn hnet(folder: &Path, args: &[&str], code: i32) -> Output {
    let o = command(folder, args).output().expect("hnet starts");
    assert_eq!(o.status.code(), Some(code), "{args:?}\n{}\n{}", String::from_utf8_lossy(&o.stdout), err(&o));
    o
}

fn err(o: &Output) -> String {
    String::from_utf8_lossy(&o.stderr).into_owned()
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.hnet"), TEXT).unwrap();
    rows(folder.path(), 0.0);
    folder
}

fn rows(folder: &Path, shift: f32) {
    let values: Vec<f32> = (0..500 * 16).map(|k| ((k * 37 + 11) % 101) as f32 / 50.0 - 1.0 + shift).collect();
    let x = hnet::ir::Tensor::new(vec![500, 16], hnet::ir::Data::F32(values));
    hnet::files::archive::save(&folder.join("rows.safetensors"), &[("x".to_string(), x)]).unwrap();
}

#[test]
fn a_run_leaves_weights_figures_and_a_report() {
    let folder = project();
    let here = folder.path();
    let o = hnet(here, &["train", "m.hnet", "--backend", "cpu", "--check"], 0);
    assert!(String::from_utf8_lossy(&o.stdout).contains("fit"), "{}", err(&o));
    assert!(err(&o).contains("gradients agree"), "{}", err(&o));
    let run = here.join("m.train");
    let lines = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 300);
    let loss = |line: &str| {
        let v: serde_json::Value = serde_json::from_str(line).unwrap();
        v["losses"]["loss"].as_f64().unwrap_or_else(|| panic!("{v}"))
    };
    let all: Vec<f64> = lines.lines().map(loss).collect();
    assert!(all[299] < 0.5 * all[0], "{} {}", all[0], all[299]);
    assert!(std::fs::read_to_string(run.join("report.html")).unwrap().contains("<html"));
    // The weights are found beside the model.
    hnet(here, &["eval", "m.hnet", "--backend", "cpu"], 0);
    // Nothing of a run is written over by chance.
    let o = hnet(here, &["train", "m.hnet", "--backend", "cpu"], 2);
    assert!(err(&o).contains("--resume"), "{}", err(&o));
    // Other digits: refused, too.
    for other in [&["--mixed"][..], &["--memory", "64KB"]] {
        let o = hnet(here, &[&["train", "m.hnet", "--backend", "cpu", "--resume"], other].concat(), 2);
        assert!(err(&o).contains("H0633") && err(&o).contains(other[0]), "{}", err(&o));
    }
    // Another text, other data: refused unless it is meant.
    rows(here, 0.5);
    let o = hnet(here, &["train", "m.hnet", "--backend", "cpu", "--resume"], 2);
    assert!(err(&o).contains("H0633") && err(&o).contains("--force"), "{}", err(&o));
    hnet(here, &["train", "m.hnet", "--backend", "cpu", "--resume", "--force"], 0);
    hnet(here, &["train", "m.hnet", "--backend", "cpu", "--fresh", "--steps", "3"], 0);
    // Nor are weights that came from elsewhere.
    let weights = std::fs::read(here.join("m.params.safetensors")).unwrap();
    let o = hnet(here, &["train", "m.hnet", "--backend", "cpu", "--dir", "other", "--steps", "3"], 2);
    assert!(err(&o).contains("has weights already"), "{}", err(&o));
    assert!(weights == std::fs::read(here.join("m.params.safetensors")).unwrap());
    std::fs::remove_file(here.join("rows.safetensors")).unwrap();
    let o = hnet(here, &["train", "m.hnet", "--backend", "cpu", "--resume", "--steps", "3"], 2);
    assert!(err(&o).contains("H0001"), "{}", err(&o));
}

#[test]
fn a_run_that_is_killed_at_any_moment_goes_on_to_the_same_bytes() {
    let folder = project();
    let here = folder.path();
    let common = ["--backend", "cpu", "--save-every", "7", "--keep", "1000"];
    let whole: Vec<&str> =
        ["train", "m.hnet", "--dir", "whole", "--out", "whole.safetensors", "--threads", "1"].into_iter().chain(common).collect();
    let begun = std::time::Instant::now();
    hnet(here, &whole, 0);
    let long = begun.elapsed();
    let mut kills = 0;
    for k in 0..200_u64 {
        let threads = if k % 2 == 0 { "2" } else { "1" };
        let begun = std::fs::read_dir(here.join("cut"))
            .is_ok_and(|d| d.flatten().any(|e| e.file_name().to_string_lossy().starts_with("step-")));
        let how = if begun { "--resume" } else { "--fresh" };
        let args = ["train", "m.hnet", "--dir", "cut", "--out", "cut.safetensors", "--threads", threads, how];
        let args: Vec<&str> = args.into_iter().chain(common).collect();
        if kills >= 20 {
            hnet(here, &args, 0);
            break;
        }
        let mut child = command(here, &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // From before anything is there to far into the run, never regular.
        std::thread::sleep(long.mul_f64((k * 37 % 100) as f64 / 110.0));
        match child.try_wait().unwrap() {
            Some(status) => {
                // It was faster: once more, from one of the first checkpoints.
                assert!(status.success() || how == "--resume", "{status:?}");
                let mut saved: Vec<_> = std::fs::read_dir(here.join("cut")).unwrap().flatten().map(|e| e.path()).collect();
                saved.retain(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("step-")));
                saved.sort();
                saved.iter().skip(2).for_each(|p| std::fs::remove_file(p).unwrap());
            }
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
            }
        }
    }
    assert_eq!(kills, 20);
    let read = |name: &str| std::fs::read(here.join(name)).unwrap();
    assert!(read("whole.safetensors") == read("cut.safetensors"), "the weights differ");
    let figures = |name: &str| {
        let text = std::fs::read_to_string(here.join(name).join("metrics.jsonl")).unwrap();
        let one = |line: &str| {
            let mut v: serde_json::Value = serde_json::from_str(line).unwrap();
            v["seconds"] = 0.into();
            v.to_string()
        };
        text.lines().map(one).collect::<Vec<_>>()
    };
    assert_eq!(figures("whole"), figures("cut"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_step_and_says_how_to_go_on() {
    let folder = project();
    let here = folder.path();
    let args = ["train", "m.hnet", "--backend", "cpu", "--steps", "1000000"];
    let mut child = command(here, &args).spawn().unwrap();
    let metrics = here.join("m.train/metrics.jsonl");
    let begun = || std::fs::read_to_string(&metrics).is_ok_and(|t| t.lines().count() > 3);
    while child.try_wait().unwrap().is_none() && !begun() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let o = child.wait_with_output().unwrap();
    assert_eq!(o.status.code(), Some(130), "{}", err(&o));
    assert!(err(&o).contains("--resume"), "{}", err(&o));
    let steps = hnet::train::checkpoint::steps(&here.join("m.train"));
    assert_eq!(steps.len(), 1);
    assert_eq!(std::fs::read_to_string(&metrics).unwrap().lines().count() as u64, steps[0].0);
}

#[test]
fn no_checkpoint_keeps_what_is_not_finite() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // The weight goes down by 0.1 a step, and its gradient is NaN from the twelfth on.
    let text = "dim b\nmodel M {\n    input x: [b, 16]\n    param w: f32 = ones()\n    loss fit = w + 0 * log(w) + 0 * mean[b] x[b, 0]\n}\n\
                train M {\n    data \"rows.safetensors\" { x }\n    batch b = 5\n    minimize fit\n    with sgd(lr: 0.1)\n    steps 100\n}\n";
    std::fs::write(here.join("m.hnet"), text).unwrap();
    rows(here, 0.0);
    let o = hnet(here, &["train", "m.hnet", "--backend", "cpu", "--log-every", "50", "--save-every", "5", "--keep", "9"], 2);
    assert!(err(&o).contains("H0621") && err(&o).contains("step 15") && err(&o).contains("step 10 is whole"), "{}", err(&o));
    let names = std::fs::read_dir(here.join("m.train")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut kept: Vec<String> = names.filter(|n| n.ends_with(".safetensors")).collect();
    kept.sort();
    assert_eq!(kept.len(), 2, "{kept:?}");
}

/// Weights of another run are never written over by chance; a block that cannot be measured is found before the first step; a run that is watched says
/// which step it took; what lies in its folder is read as parameters, with the averages.
#[test]
fn what_surrounds_a_run_is_looked_at_first_and_said_last() {
    let folder = project();
    let at = folder.path();
    hnet(at, &["train", "m.hnet", "--steps", "3"], 0);
    let before = std::fs::read(at.join("m.params.safetensors")).unwrap();
    let o = hnet(at, &["train", "m.hnet", "--steps", "3", "--dir", "other", "--fresh", "--seed", "4"], 2);
    assert!(err(&o).contains("has weights already"), "{}", err(&o));
    assert_eq!(std::fs::read(at.join("m.params.safetensors")).unwrap(), before);
    // The averages of a checkpoint are what a run leaves.
    let score = |params: &str| {
        let file = if params.starts_with('w') { "w.hnet" } else { "m.hnet" };
        let o = hnet(at, &["eval", file, "--json", "--params", params], 0);
        assert_eq!(err(&o), "", "{params}");
        String::from_utf8_lossy(&o.stdout).replace(params, "")
    };
    assert_eq!(score("m.params.safetensors"), score("m.train/step-0000000003.safetensors"));
    let o = hnet(at, &["eval", "m.hnet", "--phase", "M"], 0);
    assert!(String::from_utf8_lossy(&o.stdout).contains("fit"));
    let o = hnet(at, &["eval", "m.hnet", "--phase", "N"], 2);
    assert!(err(&o).contains("there are `M`"), "{}", err(&o));

    let watched = TEXT.replace("steps 300", "validate held every 1 patience 2\n    steps 9").replace("eval M", "eval M as held");
    std::fs::write(at.join("w.hnet"), &watched).unwrap();
    let o = hnet(at, &["train", "w.hnet"], 0);
    assert!(err(&o).contains("`held.fit` was") && err(&o).contains("a loss: less is better"), "{}", err(&o));
    assert_eq!(score("w.train/best.safetensors"), score("w.params.safetensors"));

    std::fs::write(at.join("v.hnet"), TEXT.replace("{ x }\n    batch b = all", "{ x: z }\n    batch b = all")).unwrap();
    let o = hnet(at, &["train", "v.hnet", "--steps", "3"], 2);
    assert!(err(&o).contains("H0614") && !at.join("v.train").exists(), "{}", err(&o));
    std::fs::write(at.join("z.hnet"), TEXT.replace("lr: 1e-3", "lr: 1e-3 * cosine(step)")).unwrap();
    let o = hnet(at, &["train", "z.hnet", "--steps", "4"], 0);
    assert!(err(&o).contains("the learning rate was 0 in 3 of 4 steps"), "{}", err(&o));
}

/// Of an index in the data that lies outside of its axis is said which one it is, whoever uses it.
#[test]
fn a_label_that_is_no_class_is_said_with_its_row() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let text = "import std.math { cross_entropy }
dim b
model M {
    input x: [b, 4]
    input label: i32[b]
    param w: [4, 3] = normal(std: 0.1)
    loss nll = mean[b] cross_entropy(x @ w, label)
}
train M {
    data \"d.safetensors\" { x, label: class }
    batch b = 8
    minimize nll
    with adam(lr: 1e-2)
    steps 20
}
eval M {
    data \"d.safetensors\" { x, label: class }
    batch b = 8
    report nll
}
";
    std::fs::write(here.join("m.hnet"), text).unwrap();
    let x = hnet::ir::Tensor::new(vec![40, 4], hnet::ir::Data::F32((0..160).map(|k| k as f32 / 99.0).collect()));
    let class = hnet::ir::Tensor::new(vec![40], hnet::ir::Data::I32((0..40).map(|k| if k == 17 { 3 } else { k % 3 }).collect()));
    let columns = [("x".to_string(), x), ("class".to_string(), class)];
    hnet::files::archive::save(&here.join("d.safetensors"), &columns).unwrap();
    for backend in ["cpu", "interp"] {
        for args in [["train", "m.hnet", "--backend", backend], ["eval", "m.hnet", "--backend", backend]] {
            let said = err(&hnet(here, &args, 2));
            assert!(said.contains("H0610") && said.contains("m.hnet:5:11"), "{args:?}: {said}");
            assert!(said.contains("0 to 2 is allowed"), "{args:?}: {said}");
            assert!(said.contains("the value is 3 at [17] of `class` in `./d.safetensors`"), "{args:?}: {said}");
        }
    }
}
