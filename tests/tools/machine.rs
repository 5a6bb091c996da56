//! What a machine is measured to charge, plans that are made for it, and models that are left of a condition.

use super::cli::{command, err, exits, out};
use hnet::files::archive::Archive;
use std::path::Path;

fn models() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/models"))
}

/// A machine on which nothing costs anything but memory.
const DEAR: &str = r#"{ "machine": "all but memory", "multiply_ns": 1e-9, "touch_ns": 50.0, "levels": [] }"#;

#[test]
fn a_machine_is_measured_and_every_answer_on_it_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let value: serde_json::Value =
        serde_json::from_str(&out(&exits(folder.path(), &["doctor", "--backend", "cpu", "-o", "box.json", "--json"], 0)))
            .unwrap();
    let answers = value["answers"]["cpu"].as_array().unwrap();
    assert!(answers.len() > 20 && answers.iter().all(|a| a["right"] == true), "{value}");
    let text = std::fs::read_to_string(folder.path().join("box.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(kept, value["machine"]);
    assert!(kept["multiply_ns"].as_f64().unwrap() > 0.0 && kept["also"]["functions_ns"]["exp"].as_f64().is_some());
    let model = models().join("lora_hyper.hnet");
    let explained = exits(folder.path(), &["explain", model.to_str().unwrap(), "--machine", "box.json"], 0);
    assert!(err(&explained).contains(kept["machine"].as_str().unwrap()), "{}", err(&explained));
}

#[test]
fn what_is_measured_here_is_kept_for_here() {
    let folder = tempfile::tempdir().unwrap();
    let model = models().join("lora_hyper.hnet");
    let here = || {
        let mut c = command(folder.path(), &["explain", model.to_str().unwrap(), "--machine", "here"]);
        c.env("XDG_CACHE_HOME", folder.path().join("cache")).output().unwrap()
    };
    assert!(here().status.success());
    let file = folder.path().join("cache/hnet/machine.json");
    let first = std::fs::read_to_string(&file).unwrap();
    assert!(here().status.success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first, "it is measured once");
}

#[test]
fn plans_for_a_machine_are_by_its_prices_and_say_whose() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("dear.json"), DEAR).unwrap();
    let text = "model M {\n    input x: [64, 64]\n    input a: [64, 64]\n    input b: [64, 64]\n    output y[i, j]: [64, 64] = sum[k, l] x[i, k] * a[k, l] * b[l, j]\n}\n";
    std::fs::write(folder.path().join("m.hnet"), text).unwrap();
    let plan = |more: &[&str]| out(&exits(folder.path(), &[&["build", "m.hnet", "--emit", "plan"], more].concat(), 0));
    let (usual, dear) = (plan(&[]), plan(&["--machine", "dear.json"]));
    assert!(!usual.contains("for all but memory") && usual.matches("product").count() >= 2, "{usual}");
    let mark = dear.lines().next().unwrap().strip_prefix("for all but memory ").unwrap_or_else(|| panic!("{dear}"));
    assert!(mark.len() == 8 && mark.chars().all(|c| c.is_ascii_hexdigit()), "{mark}");
    assert!(!dear.contains("temporary"), "what is written down is dear: {dear}");
    let run = |more: &[&str]| exits(folder.path(), &[&["run", "m.hnet", "--random-inputs", "--json"], more].concat(), 0);
    run(&["-o", "y.safetensors", "--backend", "cpu"]);
    run(&["--expect", "y.safetensors", "--backend", "cpu", "--machine", "dear.json"]);
    exits(folder.path(), &["snapshot", "m.hnet", "--machine", "dear.json"], 0);
    let kept = std::fs::read_to_string(folder.path().join("snapshots/m__plan.snap")).unwrap();
    assert!(kept.contains(&format!("for all but memory {mark}")), "{kept}");
}

#[test]
fn what_describes_no_machine_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = models().join("lora_hyper.hnet");
    for text in [
        "",
        "{}",
        "[1]",
        r#"{ "machine": "m", "multiply_ns": 0, "touch_ns": 1, "levels": [] }"#,
        r#"{ "machine": "m", "multiply_ns": 1, "touch_ns": -1, "levels": [] }"#,
        r#"{ "machine": "m", "multiply_ns": 1, "touch_ns": 1, "levels": [{ "beyond_bytes": 9, "more_ns": 1 }, { "beyond_bytes": 3, "more_ns": 1 }] }"#,
        r#"{ "machine": "m", "multiply_ns": 1, "touch_ns": 1, "levels": [], "multply_ns": 2 }"#,
    ] {
        std::fs::write(folder.path().join("box.json"), text).unwrap();
        let said = err(&exits(folder.path(), &["explain", model.to_str().unwrap(), "--machine", "box.json"], 2));
        assert!(said.contains("H0003") && said.contains("hnet doctor -o box.json"), "{text}: {said}");
    }
    for wrong in [&["-o", "-"][..], &["-o", "m.hnet"], &["--backend", "gpu", "-o", "b.json"]] {
        exits(folder.path(), &[&["doctor"], wrong].concat(), 2);
    }
    let said = err(&exits(folder.path(), &["explain", model.to_str().unwrap(), "--machine", "none.json"], 2));
    assert!(said.contains("none.json"), "{said}");
}

/// Specializes, and compares what both programs give for the same inputs.
fn specialized(folder: &Path, model: &str, more: &[&str]) -> (String, String) {
    for old in ["small.hnet", "small.params.safetensors"] {
        let _ = std::fs::remove_file(folder.join(old));
    }
    let said = exits(folder, &[&["specialize", model, "-o", "small.hnet"], more].concat(), 0);
    exits(folder, &["check", "small.hnet"], 0);
    (out(&said), std::fs::read_to_string(folder.join("small.hnet")).unwrap())
}

#[test]
fn a_generated_network_is_left_alone_with_its_weights() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["inr.hnet", "inr.params.safetensors", "inr.inputs.safetensors", "inr.expected.safetensors"] {
        std::fs::copy(models().join(file), folder.path().join(file)).unwrap();
    }
    let (said, text) = specialized(folder.path(), "inr.hnet", &[]);
    assert!(said.contains("applied  generate image.* from hyper(z)"), "{said}");
    assert!(!text.contains("sub hyper") && !text.contains("condition z") && !text.contains("const code"), "{text}");
    let names: Vec<String> =
        Archive::open(&folder.path().join("small.params.safetensors")).unwrap().names().map(String::from).collect();
    assert_eq!(names.len(), 8, "{names:?}");
    let run =
        ["run", "small.hnet", "--inputs", "inr.inputs.safetensors", "--expect", "inr.expected.safetensors", "--tol", "1e-4"];
    exits(folder.path(), &run, 0);
}

#[test]
fn families_adapters_sizes_and_what_reads_a_condition_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let text = "import std.linear { Linear }
dim b
const width = 4
model M {
    condition z: [3]
    condition n: size in 1..9
    condition flag: i32
    input x: [b, width]
    input u: [b, 2]
    sub hyper = Linear(3, size(layer[0].*))
    sub layer[2] = Linear(width, width)
    sub head = Linear(width, 5)
    sub shift = Linear(3, width)
    sub late = Linear(2, 25)
    sub last = Linear(5, 5)
    generate layer[l].* from hyper(z + l)
    adapt head.w[i, o] by 0.1 * z[0] * number(flag)
    adapt last.w[i, o] by late(u)[(i, o)]
    init head.w = normal(std: 0.5)
    freeze head.bias
    var h = x + shift(z)
    for l in 0..2 { h = tanh(layer[l](h)) }
    output y: [b, 5] = last(head(h))
    output many[i < n]: [n] = number(i) * z[1]
}
";
    std::fs::write(folder.path().join("m.hnet"), text).unwrap();
    let given = ["--condition", "z=1,-2,0.5", "--condition", "n=3", "--condition", "flag=2"];
    let (said, left) = specialized(folder.path(), "m.hnet", &[&given[..], &["--set", "width=6"]].concat());
    assert!(said.contains("applied  generate layer[l].*") && said.contains("applied  adapt head.w"), "{said}");
    assert!(!said.contains("late(u)") && left.contains("adapt last.w"), "what depends on an input stays: {left}");
    assert!(said.contains("stored   z") && left.contains("load z: [3]") && left.contains("const n = 3"), "{left}");
    assert!(left.contains("width = 6") && !left.contains("hyper") && !left.contains("flag") && !left.contains("init"), "{left}");
    // The same outputs for the same inputs, from the files that were written.
    exits(folder.path(), &["init", "m.hnet", "-o", "p.safetensors", "--set", "width=6"], 0);
    let whole =
        ["run", "m.hnet", "--set", "width=6", "--params", "p.safetensors", "--random-inputs", "--dim", "b=5", "--seed", "4"];
    exits(folder.path(), &[&whole[..], &given, &["--save-inputs", "i.safetensors", "-o", "y.safetensors"]].concat(), 0);
    specialized(
        folder.path(),
        "m.hnet",
        &[&given[..], &["--set", "width=6", "--params", "p.safetensors", "--backend", "interp"]].concat(),
    );
    let inputs = Archive::open(&folder.path().join("i.safetensors")).unwrap();
    let only: Vec<_> =
        ["u", "x"].iter().map(|n| (n.to_string(), inputs.get(n).unwrap().load(hnet::ir::DType::F32).unwrap())).collect();
    hnet::files::archive::save(&folder.path().join("only.safetensors"), &only).unwrap();
    exits(folder.path(), &["run", "small.hnet", "--inputs", "only.safetensors", "--expect", "y.safetensors", "--tol", "1e-5"], 0);
}

#[test]
fn of_several_relations_only_those_of_inputs_stay() {
    let folder = tempfile::tempdir().unwrap();
    let program = |relations: &str| {
        format!(
            "import std.linear {{ Linear }}
dim b
model M {{
    condition c: [3]
    input x: [b, 4]
    input z: [2]
    sub up = Linear(3, 8)
    sub side = Linear(2, 8)
    sub layer = Linear(4, 2)
    {relations}
    output y: [b, 2] = layer(x)
}}
"
        )
    };
    let (early, late) = ("up(c)[2 * i + o]", "side(z)[2 * i + o]");
    for (relations, stays) in [
        // What adds may be applied in any order.
        (format!("adapt layer.w[i, o] by {early}\n    adapt layer.w[i, o] by {late}"), false),
        (format!("adapt layer.w[i, o] by {late}\n    adapt layer.w[i, o] by {early}"), false),
        (format!("generate layer.w[i, o] from {early}\n    adapt layer.w[i, o] by {late}"), false),
        (format!("generate layer.w[i, o] from {early}\n    scale layer.w[i, o] by {late}"), false),
        (format!("adapt layer.w[i, o] by {late}\n    scale layer.w[i, o] by {early}"), true),
    ] {
        std::fs::write(folder.path().join("m.hnet"), program(&relations)).unwrap();
        let (said, left) = specialized(folder.path(), "m.hnet", &["--condition", "c=1,-2,0.5"]);
        assert!(left.contains("side(z)"), "{left}");
        assert_eq!((left.contains("up(c)"), said.contains("applied")), (stays, !stays), "{relations}: {said}{left}");
    }
}

#[test]
fn what_cannot_be_specialized_says_why_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let none = models().join("lora_hyper.hnet");
    let said = err(&exits(folder.path(), &["specialize", none.to_str().unwrap(), "-o", "s.hnet"], 2));
    assert!(said.contains("no condition"), "{said}");
    std::fs::copy(models().join("inr.hnet"), folder.path().join("inr.hnet")).unwrap();
    let said = err(&exits(folder.path(), &["specialize", "inr.hnet", "-o", "s.hnet"], 2));
    assert!(said.contains("nobody says what z is") && said.contains("--condition z=.."), "{said}");
    let given = ["specialize", "inr.hnet", "--condition", "z=1,2,3,4,5,6,7,8", "-o"];
    assert!(err(&exits(folder.path(), &[&given[..], &["inr.hnet"]].concat(), 2)).contains("is read here"));
    assert!(err(&exits(folder.path(), &[&given[..], &["s.safetensors"]].concat(), 2)).contains(".hnet"));
    assert!(!folder.path().join("s.hnet").exists() && !folder.path().join("s.params.safetensors").exists());
    exits(folder.path(), &[&given[..], &["sub/s.hnet"]].concat(), 0);
    exits(folder.path(), &["run", "sub/s.hnet", "--random-inputs"], 0);
    let said = err(&exits(folder.path(), &[&given[..], &["sub/s.hnet"]].concat(), 2));
    assert!(said.contains("is there already"), "{said}");
}
