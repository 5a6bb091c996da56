//! What commands are given, and what they say of it: data with one value for all rows, weights that are found by themselves, arrays of
//! NumPy in other orders, tensors that nobody wants.

use crate::cli::{err, exits, out};
use hnet::files::archive::{save, save_npy};
use hnet::ir::{Data, Tensor};
use std::path::Path;

fn floats(shape: &[usize], of: impl Fn(usize) -> f32) -> Tensor {
    Tensor::new(shape.to_vec(), Data::F32((0..shape.iter().product()).map(of).collect()))
}

fn whole(shape: &[usize], of: impl Fn(usize) -> i32) -> Tensor {
    Tensor::new(shape.to_vec(), Data::I32((0..shape.iter().product()).map(of).collect()))
}

fn store(here: &Path, name: &str, tensors: &[(&str, Tensor)]) {
    let all: Vec<(String, Tensor)> = tensors.iter().map(|(n, t)| (n.to_string(), t.clone())).collect();
    save(&here.join(name), &all).unwrap();
}

/// The numbers of a block's report, the last row.
fn measured(here: &Path, file: &str) -> serde_json::Value {
    let text = out(&exits(here, &["eval", file, "--json", "--params", "w.safetensors"], 0));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["rows"].as_array().unwrap().last().unwrap()["values"].clone()
}

/// A table that a condition reads, and the mean over all rows of what is read times `x`.
const TABLE: &str = "dim b\nmodel M {\n    condition task: i32\n    input x: [b]\n    param w: [3] = zeros()\n    output m: f32 = mean[b] x * w[task]\n}\n";

#[test]
fn a_condition_of_which_the_data_have_one_value_is_that_of_all_rows() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    store(here, "w.safetensors", &[("w", floats(&[3], |k| [1.0, 10.0, 100.0][k]))]);
    let x = || ("x", floats(&[6], |k| k as f32));
    store(here, "each.safetensors", &[x(), ("task", whole(&[6], |k| (k % 3) as i32))]);
    store(here, "one.safetensors", &[x(), ("task", whole(&[], |_| 1))]);
    store(here, "row.safetensors", &[x(), ("task", whole(&[1], |_| 1))]);
    let block = |file: &str, batch: &str| {
        let text = format!("{TABLE}eval M {{\n    data \"{file}.safetensors\" {{ x, task }}\n    {batch}\n    report m\n}}\n");
        std::fs::write(here.join("m.hnet"), text).unwrap();
    };
    // 0, 10, 200, 3, 40, 500 over six rows; 10 times the mean of 0 to 5.
    for (file, want) in [("each", 753.0 / 6.0), ("one", 25.0), ("row", 25.0)] {
        for batch in ["batch b = all", "batch b = 4", "batch b = 6"] {
            block(file, batch);
            let found = measured(here, "m.hnet")["m"].as_f64().unwrap();
            assert!((found - want).abs() < 1e-5 * want, "{file}, {batch}: {found}");
        }
    }
    for file in ["one", "row"] {
        block(file, "");
        assert!((measured(here, "m.hnet")["m"].as_f64().unwrap() - 25.0).abs() < 1e-5, "{file}");
    }
    block("each", "");
    let said = err(&exits(here, &["eval", "m.hnet", "--params", "w.safetensors"], 1));
    assert!(
        said.contains("H0802") && said.contains("`batch b = all by task`") && said.contains("each row has its own"),
        "{said}"
    );
    block("one", "batch b = all by task");
    let said = err(&exits(here, &["eval", "m.hnet", "--params", "w.safetensors"], 2));
    assert!(said.contains("leave `by task` out"), "{said}");
    // Training takes the same rows.
    let text = format!(
        "{TABLE}train M {{\n    data \"one.safetensors\" {{ x, task }}\n    batch b = 4\n    minimize m\n    with sgd(lr: 1)\n    steps 1\n}}\n"
    );
    std::fs::write(here.join("t.hnet"), text).unwrap();
    exits(here, &["train", "t.hnet", "--dir", "t", "--out", "t.safetensors"], 0);
    let learned = crate::weights::tensors(&here.join("t.safetensors"))["w"].to_f64();
    assert!(learned[0] == 0.0 && learned[1] != 0.0 && learned[2] == 0.0, "{learned:?}");
}

#[test]
fn what_a_block_lacks_is_said_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    store(here, "w.safetensors", &[("w", floats(&[3], |_| 1.0))]);
    store(here, "x.safetensors", &[("x", floats(&[6], |k| k as f32))]);
    let text = format!("{TABLE}eval M {{\n    data \"x.safetensors\" {{ x }}\n    batch b = all\n    report m\n}}\n");
    std::fs::write(here.join("m.hnet"), text).unwrap();
    let said = err(&exits(here, &["eval", "m.hnet", "--params", "w.safetensors"], 2));
    assert!(
        said.contains("no value is given for `task`") && said.contains("m.hnet:9") && said.contains("feed task = 0"),
        "{said}"
    );
}

#[test]
fn what_is_fed_to_a_group_is_that_of_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    store(here, "w.safetensors", &[("w", floats(&[1], |_| 1.0))]);
    // Groups of 2, 5 and 3 rows that lie among each other.
    let task = [1, 0, 1, 2, 1, 2, 0, 1, 2, 1];
    store(here, "rows.safetensors", &[("x", floats(&[10], |k| k as f32)), ("task", whole(&[10], |k| task[k]))]);
    let text = "dim b\nmodel M {\n    condition task: i32\n    input x: [b]\n    input y: [b]\n    param w: [1] = zeros()\n    \
                output off: f32 = mean[b] abs(x + number(task) - y) * w[0]\n}\neval M {\n    \
                data \"rows.safetensors\" { x, task }\n    batch b = 2BY\n    feed y = x + number(task)\n    report off\n}\n";
    for by in [" by task", ""] {
        std::fs::write(here.join("m.hnet"), text.replace("BY", by)).unwrap();
        assert_eq!(measured(here, "m.hnet")["off"], 0.0, "{by}");
    }
}

#[test]
fn weights_that_are_found_are_named_and_so_are_those_that_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let text = "model M {\n    param w: [2] = zeros()\n    output y: [2] = w\n}\n";
    std::fs::write(here.join("model.hnet"), text).unwrap();
    let w = |v: f32| [("w", floats(&[2], move |_| v))];
    let run = |args: &[&str]| {
        let o = exits(here, &[&["run", "model.hnet"], args].concat(), 0);
        (out(&o), err(&o))
    };
    assert!(run(&[]).1.contains("no weights were given"));
    store(here, "params.npz", &w(1.0));
    let (said, noted) = run(&[]);
    assert!(said.contains("1 1") && noted.contains("the weights are those of ./params.npz"), "{said}{noted}");
    store(here, "model.params.npz", &w(2.0));
    store(here, "params.safetensors", &w(3.0));
    store(here, "model.params.safetensors", &w(4.0));
    let (said, noted) = run(&[]);
    assert!(said.contains("4 4") && noted.contains("H0007"), "{said}{noted}");
    let names = ["`./model.params.safetensors`", "`./model.params.npz`", "`./params.safetensors`", "`./params.npz`", "not read"];
    assert!(names.iter().all(|n| noted.contains(n)), "{noted}");
    let value: serde_json::Value = serde_json::from_str(&run(&["--json"]).0).unwrap();
    assert_eq!(value["params"], serde_json::json!(["./model.params.safetensors"]));
    let (said, noted) = run(&["--params", "params.npz"]);
    assert!(said.contains("1 1") && !noted.contains("H0007") && !noted.contains("weights"), "{said}{noted}");
    // A file that is not there, beside one that is.
    let said = err(&exits(here, &["run", "model.hnet", "--params", "params.pt"], 2));
    assert!(said.contains("there is `params."), "{said}");
}

#[test]
fn a_drop_names_tensors_as_the_file_has_them_and_finds_one() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let tensors = ["model.fc.weight", "model.norm.weight", "lm_head.weight"].map(|n| (n, floats(&[2, 4], |k| k as f32)));
    store(here, "w.safetensors", &tensors);
    let model = |drop: &str| {
        let text = format!(
            "dim b\nmodel M {{\n    input x: [b, 4]\n    param w: [4, 2]\n    output y: [b, 2] = x @ w\n}}\n\
             weights from \"w.safetensors\" {{\n    prefix \"model.\"\n    \"fc.weight\" -> w transposed\n    {drop}\n}}\n"
        );
        std::fs::write(here.join("m.hnet"), text).unwrap();
    };
    let run = |code: i32| err(&exits(here, &["run", "m.hnet", "--random-inputs"], code));
    model("drop \"lm_head.weight\", \"model.norm.*\"");
    assert!(run(0).contains("the weights are those of ./w.safetensors"));
    model("drop \"lm_head.weight\", \"model.norm.*\"\n    drop \"*.inv_freq\" optional");
    run(0);
    model("drop \"lm_head.weight\", \"norm.weight\"");
    let said = run(2);
    assert!(said.contains("H0625") && said.contains("drop \"lm_head.weight\", \"model.norm.weight\""), "{said}");
    model("drop \"lm_hed.weight\", \"model.norm.weight\"");
    assert!(run(2).contains("there is `lm_head.weight`"));
    // The optional word is laid out and read again.
    model("drop   \"*.inv_freq\"   optional");
    exits(here, &["fmt", "m.hnet"], 0);
    assert!(std::fs::read_to_string(here.join("m.hnet")).unwrap().contains("\"*.inv_freq\" optional\n"));
}

#[test]
fn arrays_of_numpy_in_other_orders_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("m.hnet"), "dim b\nmodel M {\n    input x: [b, 3]\n    output y: [b, 3] = 1 * x\n}\n").unwrap();
    save_npy(&here.join("x.npy"), &floats(&[2, 3], |k| k as f32)).unwrap();
    let bytes = std::fs::read(here.join("x.npy")).unwrap();
    let patched = |from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
        let mut out = bytes.clone();
        out.splice(at..at + from.len(), to.iter().copied());
        std::fs::write(here.join("x.npy"), out).unwrap();
    };
    let run = || {
        let text = out(&exits(here, &["run", "m.hnet", "--inputs", "x.npy", "--json"], 0));
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["outputs"][0]["data"].clone()
    };
    patched(b"False", b"True ");
    assert_eq!(run(), serde_json::json!([0.0, 2.0, 4.0, 1.0, 3.0, 5.0]));
    let mut swapped = bytes.clone();
    let start = bytes.len() - 24;
    swapped[start..].chunks_exact_mut(4).for_each(<[u8]>::reverse);
    let at = swapped.windows(3).position(|w| w == b"<f4").unwrap();
    swapped[at] = b'>';
    std::fs::write(here.join("x.npy"), &swapped).unwrap();
    assert_eq!(run(), serde_json::json!([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
    patched(b"<f4", b"<c8");
    let said = err(&exits(here, &["run", "m.hnet", "--inputs", "x.npy"], 2));
    assert!(said.contains("H0616") && said.contains("<c8"), "{said}");
}

#[test]
fn a_batch_of_more_rows_than_there_are_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    store(here, "x.safetensors", &[("x", floats(&[6], |k| k as f32))]);
    let text = "dim b\nmodel M {\n    input x: [b]\n    param w: f32 = zeros()\n    loss l = mean[b] (x - w)^2\n}\n\
                train M {\n    data \"x.safetensors\" { x }\n    batch b = 16\n    minimize l\n    steps 1\n}\n";
    std::fs::write(here.join("m.hnet"), text).unwrap();
    let said = err(&exits(here, &["train", "m.hnet"], 0));
    assert!(said.contains("H0635") && said.contains("each row stands in one 2 or 3 times"), "{said}");
    std::fs::write(here.join("m.hnet"), text.replace("16", "all")).unwrap();
    assert!(!err(&exits(here, &["train", "m.hnet", "--dir", "other", "--out", "other.safetensors"], 0)).contains("H0635"));
}
