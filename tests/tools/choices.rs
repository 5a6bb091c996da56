//! What a device decides, what a measurement keeps, and what a run takes of it.

use crate::cli::{err, exits, out};
use crate::common::device;
use std::path::Path;

/// A product that has a shader of its own, in tiles.
const TEXT: &str = "dim b\nmodel M {\n    input x: [b, 130]\n    param w: [130, 120] = normal(std: 0.1)\n    \
                    output y: [b, 120] = tanh(x @ w)\n}\n";

const AT: [&str; 3] = ["m.hnet", "--dim", "b=300"];

/// A matrix with an update of smaller parts.
const UPDATED: &str = "dim b\nmodel M {\n    input x: [b, 256]\n    param w: [256, 256] = normal()\n    input a: [256, 4]\n    \
                       input u: [4, 256]\n    output y: [b, 256] = x @ (w + a @ u)\n}\n";

fn folder() -> tempfile::TempDir {
    folder_of(TEXT)
}

fn folder_of(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.hnet"), text).unwrap();
    folder
}

fn run(at: &Path, command: &str, more: &[&str], code: i32) -> std::process::Output {
    exits(at, &[&[command], &AT[..], more].concat(), code)
}

fn numbers(o: &std::process::Output) -> Vec<f64> {
    let json: serde_json::Value = serde_json::from_str(&out(o)).unwrap();
    json["outputs"][0]["data"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn what_a_device_decides_is_said_and_may_be_pinned() {
    if device("what_a_device_decides_is_said_and_may_be_pinned").is_none() {
        return;
    }
    let folder = folder();
    let told = out(&run(folder.path(), "explain", &["--backend", "gpu"], 0));
    for word in [
        "tiles of `y`",
        "factors of `y`",
        "in tiles of 64 rows",
        "element by element",
        "through workgroup memory",
        "as it is stored",
    ] {
        assert!(told.contains(word), "{word}: {told}");
    }
    // A processor decides other things.
    let told = out(&run(folder.path(), "explain", &[], 0));
    assert!(told.contains("laid out once") && !told.contains("tiles of"), "{told}");
    let plain = numbers(&run(folder.path(), "run", &["--random-inputs", "--backend", "gpu", "--json"], 0));
    for pin in ["tiles@5:5=2", "tiles@5:5=element by element", "factors@m.hnet:5:5=1", "finish@5:5=afterwards"] {
        let told = out(&run(folder.path(), "explain", &["--backend", "gpu", "--pin", pin], 0));
        assert!(told.contains("pinned by the command line"), "{pin}: {told}");
        let made = numbers(&run(folder.path(), "run", &["--random-inputs", "--backend", "gpu", "--json", "--pin", pin], 0));
        assert!(made.len() == plain.len() && made.iter().zip(&plain).all(|(a, b)| (a - b).abs() < 1e-5), "{pin}");
    }
    // A pin for a device holds in the source, and leaves a processor alone.
    std::fs::write(folder.path().join("m.hnet"), TEXT.replace("output", "@pin(tiles = \"in tiles of 32 rows\")\n    output"))
        .unwrap();
    assert_eq!(err(&exits(folder.path(), &["check", "m.hnet"], 0)).matches("H0932").count(), 0);
    assert!(out(&run(folder.path(), "explain", &["--backend", "gpu"], 0)).contains("pinned by m.hnet:5:10"));
    assert!(!out(&run(folder.path(), "explain", &[], 0)).contains("does nothing"));
    let made = numbers(&run(folder.path(), "run", &["--random-inputs", "--backend", "gpu", "--json"], 0));
    assert!(made.iter().zip(&plain).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn what_is_measured_is_kept_and_taken_where_it_was_measured() {
    if device("what_is_measured_is_kept_and_taken_where_it_was_measured").is_none() {
        return;
    }
    let folder = folder();
    let keep = ["--backend", "gpu", "--measure", "--keep", "c.json", "--json"];
    let told: serde_json::Value = serde_json::from_str(&out(&run(folder.path(), "explain", &keep, 0))).unwrap();
    for d in told["decisions"].as_array().unwrap() {
        for way in d["ways"].as_array().unwrap() {
            assert!(way["measured"].as_f64().is_some_and(|s| s > 0.0) && way["agrees"] == true, "{d:#}");
        }
    }
    let file = folder.path().join("c.json");
    let mut kept: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(
        (kept["model"].as_str(), kept["backend"].as_str(), kept["sizes"]["b"].as_i64()),
        (Some("M"), Some("gpu"), Some(300))
    );
    assert!(!kept["device"].as_str().unwrap().is_empty() && !kept["driver"].as_str().unwrap().is_empty());
    // What is kept is taken: a way that fits nothing at these sizes leaves the others.
    kept["pins"] = serde_json::json!(["tiles@m.hnet:5:5=3", "tiles@m.hnet:9:9=1"]);
    std::fs::write(&file, kept.to_string()).unwrap();
    let random = ["--random-inputs", "--json", "--choices", "c.json", "--backend"];
    let chosen = run(folder.path(), "run", &[&random[..], &["gpu"]].concat(), 0);
    let asked = run(folder.path(), "run", &["--random-inputs", "--json", "--pin", "tiles@5:5=3", "--backend", "gpu"], 0);
    assert_eq!(numbers(&chosen), numbers(&asked));
    assert!(out(&run(folder.path(), "bench", &["--runs", "1", "--choices", "c.json", "--backend", "gpu"], 0)).contains("median"));
    // Elsewhere it says that it is of no use, and runs as usual.
    let other = run(folder.path(), "run", &[&random[..], &["cpu"]].concat(), 0);
    assert!(err(&other).contains("H0007") && err(&other).contains("the backend was `gpu`"), "{}", err(&other));
    let interp = run(folder.path(), "run", &[&random[..], &["interp"]].concat(), 0);
    assert!(err(&interp).contains("the interpreter has no plan"), "{}", err(&interp));
    // Nothing is written over what is read, or where nothing can be; that is said before anything is measured.
    for (file, why) in [
        ("m.hnet", "is the name of a program"),
        ("c.txt", "no .txt file"),
        ("none/c.json", "there is no folder"),
        ("-", "`-` is stdout"),
    ] {
        let keep = ["--backend", "gpu", "--measure", "--keep", file];
        assert!(err(&run(folder.path(), "explain", &keep, 2)).contains(why), "{file}");
    }
    std::fs::write(folder.path().join("m.params.safetensors.json"), "{}").unwrap();
    let weights = ["--measure", "--params", "m.params.safetensors.json", "--keep", "m.params.safetensors.json"];
    assert!(err(&run(folder.path(), "explain", &weights, 2)).contains("is read here"));
    // What fits nothing is counted, and another program is no longer what was measured.
    assert!(err(&chosen).contains("1 of 2 ways in `c.json` fit nothing") && err(&chosen).contains("b = 300"), "{}", err(&chosen));
    std::fs::write(folder.path().join("m.hnet"), format!("// more\n{TEXT}")).unwrap();
    let other = run(folder.path(), "run", &[&random[..], &["gpu"]].concat(), 0);
    assert!(err(&other).contains("the program is another than when they were measured"), "{}", err(&other));
    std::fs::write(folder.path().join("m.hnet"), TEXT).unwrap();
    kept["driver"] = "another".into();
    std::fs::write(&file, kept.to_string()).unwrap();
    let other = run(folder.path(), "run", &[&random[..], &["gpu"]].concat(), 0);
    assert!(err(&other).contains("the driver was `another`"), "{}", err(&other));
    for wrong in ["", "{", "[]", "{\"model\": 3}"] {
        std::fs::write(&file, wrong).unwrap();
        let said = run(folder.path(), "run", &[&random[..], &["gpu"]].concat(), 2);
        assert!(err(&said).contains("H0003") && err(&said).contains("holds no choices"), "{}", err(&said));
    }
    let none = run(folder.path(), "run", &["--random-inputs", "--choices", "none.json"], 2);
    assert!(err(&none).contains("cannot read `none.json`"), "{}", err(&none));
}

/// On a processor the ways that pay are kept likewise.
#[test]
fn what_a_processor_is_faster_by_is_kept_too() {
    let folder = folder_of(UPDATED);
    let told = |more: &[&str]| out(&exits(folder.path(), &[&["explain", "m.hnet", "--dim", "b=2"], more].concat(), 0));
    // From the slower way, which is asked for, the faster is found.
    let said = told(&["--pin", "sum@7:5=made", "--measure", "--keep", "c.json"]);
    assert!(said.contains("pinned by the command line"), "{said}");
    let kept: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(folder.path().join("c.json")).unwrap()).unwrap();
    assert_eq!(
        (kept["backend"].as_str(), kept["pins"][0].as_str()),
        (Some("cpu"), Some("sum@m.hnet:7:5=multiplied out")),
        "{kept:#}"
    );
    let run = ["run", "m.hnet", "--dim", "b=2", "--random-inputs", "--backend", "cpu", "--choices", "c.json"];
    assert!(!err(&exits(folder.path(), &run, 0)).contains("H0007"));
}

/// A pin says which of several values at a place it means, may hang on another pin, and says where it does nothing.
#[test]
fn pins_of_the_command_line() {
    // Two things at one place, of which one is decided only where the other is multiplied out.
    let folder = folder_of(UPDATED);
    let explain = |more: &[&str], code| exits(folder.path(), &[&["explain", "m.hnet", "--dim", "b=200"], more].concat(), code);
    assert!(!out(&explain(&[], 0)).contains("order of"));
    let both = out(&explain(&["--pin", "order@7:5=u*(a*x)", "--pin", "sum of y_add@7:5=multiplied out"], 0));
    assert_eq!(both.matches("pinned by the command line").count(), 2, "{both}");
    for (pins, said) in [
        (&["order@6:5=1"][..], "nothing of this kind is decided there; there are sum@m.hnet:7:5"),
        (&["what@7:5=1"], "`what` is nothing that is decided; there are order, sum,"),
        (&["sum of z@7:5=1"], "it is decided there of `y_add`"),
        (&["sum@7:5=1", "sum@7:5=2"], "another `--pin` asks for another way of the same"),
        (&["sum@7:5=3"], "there are ways 1 to 2"),
        (&["sum@7:5=-1"], "there are ways 1 to 2"),
        (&["sum@7:5=99999999999999999999999"], "there are ways 1 to 2"),
        (&["sum@7:5=none"], "no way there is called so; there are `made`, `multiplied out`"),
        (&["sum"], "is not like `sum@8:24=2`"),
    ] {
        let pins: Vec<&str> = pins.iter().flat_map(|p| ["--pin", *p]).collect();
        let told = err(&explain(&pins, 2));
        assert!(told.contains(said), "{told}");
    }
    // An order there is where the sum is multiplied out, which it is at fewer rows.
    assert!(err(&explain(&["--pin", "order@7:5=u*(a*x)"], 0)).contains("does nothing at these lengths"));
    let run = ["run", "m.hnet", "--dim", "b=200", "--random-inputs", "--pin"];
    let told = err(&exits(folder.path(), &[&run[..], &["tiles@7:5=1", "--backend", "cpu"]].concat(), 0));
    assert!(told.contains("does nothing here: `tiles` is decided for the graphics device alone"), "{told}");
    let told = err(&exits(folder.path(), &[&run[..], &["sum@7:5=1", "--backend", "interp"]].concat(), 0));
    assert!(told.contains("the interpreter has no plan"), "{told}");
}

/// A model with a block that measures and one that trains: a sum that is made where there are many rows, and multiplied out where there are few.
const TAUGHT: &str = "dim b
model M {
    input x: [b, 64]
    input t: [b, 64]
    param w: [64, 64] = normal()
    param a: [64, 4] = normal()
    param u: [4, 64] = normal()
    output y: [b, 64] = x @ (w + a @ u)
    // Whose digits show how it was computed.
    output wild: f32 = mean[b, j] sin(3000 * y[b, j])
    loss far = mean[b, j] (y[b, j] - t[b, j])^2
}
eval M {
    data \"d.safetensors\" { x, t }
    batch b = 8
    report far, wild
}
train M {
    data \"d.safetensors\" { x, t }
    batch b = 8
    minimize far
    with adam(lr: 1e-3)
    steps 3
    seed 0
}
";

/// Commands of many lengths take pins by their words, and say what there is where none fits.
#[test]
fn pins_of_what_is_measured_trained_and_built() {
    let folder = folder_of(TAUGHT);
    let data = ["x", "t"].map(|name| {
        let values = (0..20 * 64).map(|k| (k as f32 * if name == "x" { 0.37 } else { 0.11 }).sin()).collect();
        (name.to_string(), hnet::ir::Tensor::new(vec![20, 64], hnet::ir::Data::F32(values)))
    });
    hnet::files::archive::save(&folder.path().join("d.safetensors"), &data).unwrap();
    let hnet = |args: &[&str], code| exits(folder.path(), args, code);
    let pin = "sum@8:5=made";
    let values = |made: &std::process::Output| -> serde_json::Value {
        let line = out(made).lines().last().unwrap().to_string();
        serde_json::from_str(&line).unwrap()
    };
    // The same to within rounding, and not the same run: the other way was taken.
    let far = |more: &[&str]| values(&hnet(&[&["eval", "m.hnet", "--backend", "cpu", "--json"], more].concat(), 0));
    let of = |v: &serde_json::Value, name: &str| v["rows"][0]["values"][name].as_f64().unwrap();
    let (usual, made, out_of_it) = (far(&[]), far(&["--pin", pin]), far(&["--pin", "sum@8:5=multiplied out"]));
    for other in [&made, &out_of_it] {
        assert!((of(&usual, "far") - of(other, "far")).abs() <= 1e-4 * of(&usual, "far"), "{usual} {other}");
    }
    assert_ne!(of(&made, "wild"), of(&out_of_it, "wild"));
    for command in ["eval", "train"] {
        let told = err(&hnet(&[command, "m.hnet", "--pin", "sum@8:5=1"], 2));
        assert!(told.contains("single lengths only") && told.contains("`made`, `multiplied out`"), "{told}");
        let told = err(&hnet(&[command, "m.hnet", "--pin", "sum@1:1=made"], 2));
        assert!(told.contains("nothing of this kind is decided there; there are sum@m.hnet:8:5"), "{told}");
    }
    let trained = |more: &[&str], to: &str| {
        hnet(&[&["train", "m.hnet", "--fresh", "--backend", "cpu", "--out", to], more].concat(), 0);
        let file = hnet::files::archive::Archive::open(&folder.path().join(to)).unwrap();
        file.get("w").unwrap().load(hnet::ir::DType::F32).unwrap().to_f64()
    };
    let (usual, made) = (trained(&[], "a.safetensors"), trained(&["--pin", pin], "b.safetensors"));
    assert!(made.iter().zip(&usual).all(|(a, b)| (a - b).abs() < 1e-3));
    // Texts and objects of stages follow, and pages say that they do not.
    let plan = |more: &[&str]| out(&hnet(&[&["build", "m.hnet", "--emit", "plan", "--dim", "b=8", "-o", "-"], more].concat(), 0));
    assert_ne!(plan(&["--pin", pin]), plan(&["--pin", "sum@8:5=multiplied out"]));
    let site = ["build", "m.hnet", "--target", "web", "-o", "site", "--pin", pin];
    assert!(err(&hnet(&site, 2)).contains("a pin in the source"));
    let graph = ["build", "m.hnet", "--emit", "opt", "--pin", pin];
    assert!(err(&hnet(&graph, 2)).contains("the same for every machine and every plan"));
}

/// Ways that hold more than they may give way to others, on every command that plans; what holds least is taken where all hold too much.
#[test]
fn ways_that_hold_too_much() {
    let folder = folder_of(UPDATED);
    let explain = |more: &[&str]| out(&exits(folder.path(), &[&["explain", "m.hnet", "--dim", "b=200"], more].concat(), 0));
    let taken = |text: &str| text.lines().find(|l| l.trim_start().starts_with('→')).unwrap().to_string();
    assert!(taken(&explain(&[])).ends_with(" made") && taken(&explain(&["--at-most", "1MB"])).ends_with(" made"));
    let less = explain(&["--at-most", "100KB"]);
    assert!(taken(&less).ends_with("multiplied out") && less.contains("pinned by `--at-most`"), "{less}");
    // Whoever says a way gets it.
    assert!(taken(&explain(&["--at-most", "100KB", "--pin", "sum@7:5=made"])).ends_with(" made"));
    let json: serde_json::Value = serde_json::from_str(&explain(&["--json"])).unwrap();
    assert_eq!(json["decisions"][0]["ways"][0]["bytes"], 4.0 * 256.0 * 256.0);
    let plan = |more: &[&str]| {
        let build = ["build", "m.hnet", "--emit", "plan", "--dim", "b=200", "-o", "-"];
        out(&exits(folder.path(), &[&build[..], more].concat(), 0))
    };
    assert_ne!(plan(&[]), plan(&["--at-most", "100KB"]));
    let run = ["run", "m.hnet", "--random-inputs", "--dim", "b=200", "--backend"];
    for (backend, code) in [("cpu", 0), ("interp", 2)] {
        let said = err(&exits(folder.path(), &[&run[..], &[backend, "--at-most", "100KB"]].concat(), code));
        assert_eq!(said.contains("`--at-most` does nothing here"), code == 2, "{said}");
    }
    assert!(err(&exits(folder.path(), &["explain", "m.hnet", "--at-most", "much"], 2)).contains("--at-most"));
    // Rows that each make large values go through their steps a few at a time.
    let text = "dim b\nmodel M {\n    input z: [b, 8]\n    input x: [b, 128]\n    param g: [8, 128, 128] = normal()\n    let w[b, i, j] = tanh(sum[k] z[b, k] * g[k, i, j])\n    \
                output y[b, j]: [b, 128] = sum[i] x[b, i] * w[b, i, j]\n}\n";
    std::fs::write(folder.path().join("m.hnet"), text).unwrap();
    assert!(!plan(&[]).contains("tiles of"), "{}", plan(&[]));
    assert!(plan(&["--at-most", "1MB"]).contains("tiles of 7 along b"), "{}", plan(&["--at-most", "1MB"]));
    let numbers = |more: &[&str]| numbers(&exits(folder.path(), &[&run[..], &["cpu", "--json"], more].concat(), 0));
    assert_eq!(numbers(&[]), numbers(&["--at-most", "1MB"]));
}

/// A pin that fits other lengths than these is no mistake.
#[test]
fn a_pin_that_does_nothing_at_these_lengths() {
    let text = "dim b
model M {
    input code: [b, 16]
    input x: [b, 8]
    param g: [16, 8, 8] = normal()
    let w[b, i, j] = sum[k] code[b, k] * g[k, i, j]
    output y[b, j]: [b, 8] = sum[i] tanh(w[b, i, j]) * x[b, i]
}
";
    let folder = folder_of(text);
    let at = |b: &str, pin: &str, code| {
        err(&exits(folder.path(), &["run", "m.hnet", "--random-inputs", "--backend", "cpu", "--dim", b, "--pin", pin], code))
    };
    let decided = out(&exits(folder.path(), &["explain", "m.hnet", "--dim", "b=4096"], 0));
    assert!(decided.contains("equal of `code`"), "{decided}");
    let pin = "equal@3:5=for each row";
    assert!(!at("b=4096", pin, 0).contains("does nothing"));
    assert!(at("b=1", pin, 0).contains("does nothing at these lengths"), "{}", at("b=1", pin, 0));
    assert!(at("b=1", "equal@99:1=for each row", 2).contains("nothing of this kind is decided there"));
}
