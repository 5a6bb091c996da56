//! Weights in other layouts: what a line of `weights from` and `weights to` does, compared with what numpy says; checkpoints in several
//! files, archives of arrays, types of elements; and what does not fit.
//!
//! The files of `weights/` were made by `weights/make.py`.

use hnet::files::archive::{self, Archive};
use hnet::ir::{DType, Data, Tensor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/weights")
}

fn hnet(at: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hnet")).current_dir(at).args(args).output().expect("hnet runs")
}

/// What a command says that succeeds.
pub fn said(at: &Path, args: &[&str]) -> String {
    let out = hnet(at, args);
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{args:?}: {text}");
    text
}

/// What a command says that fails.
pub fn refused(at: &Path, args: &[&str]) -> String {
    let out = hnet(at, args);
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && out.status.code() != Some(101), "{args:?}: {text}");
    text
}

/// The outputs of a run that says them as JSON, whatever else it says.
pub fn outputs(text: &str) -> Value {
    let line = text.lines().find(|l| l.starts_with('{')).unwrap_or_else(|| panic!("no JSON: {text}"));
    serde_json::from_str::<Value>(line).unwrap()["outputs"].clone()
}

pub fn tensors(path: &Path) -> BTreeMap<String, Tensor> {
    let file = Archive::open(path).unwrap_or_else(|d| panic!("{}", d.message));
    let names: Vec<String> = file.names().map(str::to_string).collect();
    names.into_iter().map(|n| (n.clone(), file.get(&n).expect("listed").load(DType::F32).expect("numbers"))).collect()
}

/// Compares two files of tensors: to the last bit, where no arithmetic is done, and near to it elsewhere.
pub fn compare(found: &Path, wanted: &Path, spare: &[&str]) {
    let (found, wanted) = (tensors(found), tensors(wanted));
    for (name, want) in &wanted {
        let have = found.get(name).unwrap_or_else(|| panic!("`{name}` is missing"));
        assert_eq!(have.shape, want.shape, "{name}");
        for (k, (a, b)) in have.to_f64().iter().zip(want.to_f64()).enumerate() {
            assert!((a - b).abs() <= 1e-7 * b.abs(), "{name} at {k}: {a} and {b}");
        }
    }
    let extra: Vec<&String> = found.keys().filter(|n| !wanted.contains_key(*n) && !spare.contains(&n.as_str())).collect();
    assert!(extra.is_empty(), "{extra:?}");
}

#[test]
fn lines_move_tensors_as_numpy_does() {
    let here = tempfile::tempdir().unwrap();
    let out = here.path().join("own.safetensors");
    let out = out.to_str().unwrap();
    for (name, spare) in [("layouts", &["fresh"][..]), ("kinds", &[])] {
        let text = said(&folder(), &["weights", &format!("{name}.hnet"), "-o", out]);
        assert!(!text.contains("MISSING") && !text.contains("LEFT OVER"), "{text}");
        compare(Path::new(out), &folder().join(format!("{name}.expected.safetensors")), spare);
        // Under its own names it is taken as it is, whatever the lines say.
        let run = ["run", &format!("{name}.hnet"), "--random-inputs", "--dim", "b=2", "--backend", "cpu", "--json"];
        let own = said(&folder(), &[&run[..], &["--params", out]].concat());
        assert_eq!(outputs(&own), outputs(&said(&folder(), &run)));
    }
}

#[test]
fn the_table_shows_both_sides() {
    let text = said(&folder(), &["weights", "layouts.hnet"]);
    for part in [
        "block.{0..2}.expert.{0..3}.w1",
        "model.layers.{0..2}.moe.expert_{0..3}.w1.weight",
        "f32[6, 4]",
        "transposed",
        "dropped",
        "as it is drawn",
    ] {
        assert!(text.contains(part), "no {part}: {text}");
    }
    let json: Value = serde_json::from_str(&said(&folder(), &["weights", "layouts.hnet", "--json"])).unwrap();
    let rows = json["rows"].as_array().unwrap();
    let one = rows.iter().find(|r| r["parameter"] == "block.1.expert.2.w1").unwrap();
    assert_eq!(one["tensors"][0], "model.layers.1.moe.expert_2.w1.weight");
    assert_eq!((one["has"].as_str(), one["wants"].as_str()), (Some("f32[6, 4]"), Some("f32[4, 6]")));
}

#[test]
fn a_checkpoint_may_lie_in_several_files() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    let all: Vec<(String, Tensor)> = tensors(&folder().join("layouts.safetensors")).into_iter().collect();
    let (first, second) = all.split_at(all.len() / 2);
    let names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    std::fs::create_dir(at.join("shards")).unwrap();
    let mut map = serde_json::Map::new();
    for (name, part) in names.iter().zip([first, second]) {
        archive::save(&at.join("shards").join(name), part).unwrap();
        map.extend(part.iter().map(|(n, _)| (n.clone(), (*name).into())));
    }
    std::fs::copy(folder().join("layouts.hnet"), at.join("layouts.hnet")).unwrap();
    let out = at.join("own.safetensors");
    let good = |files: &[&str]| {
        said(at, &[&["weights", "layouts.hnet", "-o", out.to_str().unwrap()], files].concat());
        compare(&out, &folder().join("layouts.expected.safetensors"), &["fresh"]);
    };
    let (a, b) = (format!("shards/{}", names[0]), format!("shards/{}", names[1]));
    good(&["shards"]);
    good(&[&a, &b]);
    let index = at.join("shards/model.safetensors.index.json");
    let write = |map: &serde_json::Map<String, Value>| {
        std::fs::write(&index, serde_json::json!({ "metadata": {}, "weight_map": map }).to_string()).unwrap();
    };
    write(&map);
    good(&["shards"]);
    good(&["shards/model.safetensors.index.json"]);
    // Half of it is not enough, and says so line by line.
    let text = refused(at, &["weights", "layouts.hnet", &b]);
    assert!(text.contains("H0625") && text.contains("layouts.hnet:"), "{text}");
    // An index that lies.
    let mut wrong = map.clone();
    wrong.insert("gone".into(), names[0].into());
    write(&wrong);
    assert!(refused(at, &["weights", "layouts.hnet", "shards"]).contains("says that `gone` is in"));
    wrong.insert("gone".into(), "../own.safetensors".into());
    write(&wrong);
    assert!(refused(at, &["weights", "layouts.hnet", "shards"]).contains("no file of its folder"));
    std::fs::write(&index, "{\"weight_map\": 3").unwrap();
    assert!(refused(at, &["weights", "layouts.hnet", "shards"]).contains("no index of tensors"));
    std::fs::create_dir(at.join("empty")).unwrap();
    assert!(refused(at, &["weights", "layouts.hnet", "empty"]).contains("has no .safetensors file"));
    std::fs::write(at.join("empty/pytorch_model.bin"), b"PK\x03\x04 archive/data.pkl and so on and on").unwrap();
    assert!(refused(at, &["weights", "layouts.hnet", "empty"]).contains("safetensors.torch.save_file(torch.load("));
}

const FC: &str = "dim b
model Fc {
    input x: [b, 3]
    sub fc = Linear(3, 4)
    output y: [b, 4] = fc(x)
}
net Linear(i, o) {
    param w: [i, o] = normal(std: 1)
    param bias: [o] = zeros()
    (x: [i]) -> [o] { x @ w + bias }
}
";

#[test]
fn arrays_of_numpy_are_read_and_written() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    std::fs::write(at.join("fc.hnet"), FC).unwrap();
    for file in ["plain.npz", "packed.npz"] {
        let from = folder().join(file);
        said(at, &["weights", "fc.hnet", from.to_str().unwrap(), "-o", "own.npz"]);
        compare(&at.join("own.npz"), &folder().join("arrays.expected.safetensors"), &[]);
    }
    let run = ["run", "fc.hnet", "--random-inputs", "--dim", "b=2", "--params", "own.npz"];
    said(at, &[&run[..], &["--out", "y.npz"]].concat());
    said(at, &[&run[..], &["--out", "y.safetensors"]].concat());
    compare(&at.join("y.npz"), &at.join("y.safetensors"), &[]);
    let whole = std::fs::read(folder().join("packed.npz")).unwrap();
    std::fs::write(at.join("cut.npz"), &whole[..whole.len() - 30]).unwrap();
    assert!(refused(at, &["run", "fc.hnet", "--random-inputs", "--params", "cut.npz"]).contains("not a whole .npz file"));
    // An array that says it is larger than what is packed could be.
    let mut lies = whole.clone();
    let table = lies.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    lies[table + 24..table + 28].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
    std::fs::write(at.join("lies.npz"), &lies).unwrap();
    assert!(refused(at, &["run", "fc.hnet", "--random-inputs", "--params", "lies.npz"]).contains("which cannot be"));
}

#[test]
fn drawn_weights_are_written_and_are_those_of_a_run() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    std::fs::write(at.join("fc.hnet"), FC).unwrap();
    let run = |more: &[&str]| said(at, &[&["run", "fc.hnet", "--random-inputs", "--dim", "b=2", "--json"], more].concat());
    let drawn = run(&["--seed", "3"]);
    said(at, &["init", "fc.hnet", "-o", "own.safetensors", "--seed", "3"]);
    assert_eq!(outputs(&run(&["--seed", "3", "--params", "own.safetensors"])), outputs(&drawn));
    said(at, &["init", "fc.hnet", "-o", "other.safetensors", "--seed", "4"]);
    assert_ne!(tensors(&at.join("own.safetensors"))["fc.w"], tensors(&at.join("other.safetensors"))["fc.w"]);
    assert!(refused(at, &["init", "fc.hnet", "-o", "fc.hnet"]).contains("nothing is written over it"));
}

/// The model of [`FC`] with lines; what is said of them.
fn lines(at: &Path, lines: &str) -> String {
    std::fs::write(at.join("m.hnet"), format!("{FC}weights from \"w.safetensors\" {{\n{lines}\n}}\n")).unwrap();
    refused(at, &["run", "m.hnet", "--random-inputs"])
}

#[test]
fn what_does_not_fit_names_its_line_both_shapes_and_a_way_out() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    let zeros = |shape: &[usize]| Tensor::new(shape.to_vec(), Data::F32(vec![0.0; shape.iter().product()]));
    let file = [("m.weight", &[4, 3][..]), ("m.bias", &[4]), ("m.flat", &[12]), ("m.conv", &[3, 1, 4]), ("m.tall", &[8, 3])];
    let file: Vec<(String, Tensor)> = file.iter().map(|(n, s)| (n.to_string(), zeros(s))).collect();
    archive::save(&at.join("w.safetensors"), &file).unwrap();
    let rest = "\ndrop \"m.flat\", \"m.conv\", \"m.tall\", \"m.weight\"";
    let with = |first: &str| lines(at, &format!("{first}\n\"m.bias\" -> fc.bias{rest}"));
    for (line, parts) in [
        ("\"m.weight\" -> fc.w", &["m.hnet:13", "f32[4, 3]", "f32[i = 3, o = 4]", "say `transposed`"][..]),
        ("\"m.conv\" -> fc.w", &["f32[3, 1, 4]", "`place[i, j] <- \"..\"[i, 0, j]`"]),
        ("\"m.flat\" -> fc.w", &["f32[12]", "the number of elements is the same"]),
        ("\"m.tall\" -> fc.w", &["f32[8, 3]", "a part of a tensor is read by its places"]),
        (
            "fc.w[i, o] <- \"m.tall\"[o, i]",
            &["H0305", "`o` ranges over 4 and indexes 8 places", "f32[8, 3]", "f32[i = 3, o = 4]"],
        ),
        ("fc.w[i, o] <- \"m.tall\"[5 + o, i]", &["5 to 8", "8 places"]),
        ("fc.w[i, 1 + o] <- \"m.weight\"[o, i]", &["goes to place 4"]),
        ("fc.w[i, 0..2] <- \"m.weight\"[0..2, i]", &["a part of `fc.w` is given by no line", "6 of its 12 numbers"]),
        ("fc.w[i, o, k] <- \"m.weight\"[o, i]", &["H0410", "here is an index more"]),
        ("fc.w[i, o] <- \"m.weight\"[o, i]\nfc.w[i, 0..2] <- \"m.weight\"[0..2, i]", &["H0619", "`fc.w` is given twice"]),
        ("\"m.wieght\" -> fc.w transposed", &["H0625", "there is `m.weight`"]),
        ("\"weight\" -> fc.w transposed", &["say `prefix \"m.\"` once"]),
        ("\"m.{k}.weight\" -> fc.w transposed", &["no tensor in `w.safetensors` fits this name"]),
        ("1 + \"m.weight\" -> fc.w", &["this is [4, 3]", "say `transposed`"]),
        ("\"m.weight\" -> fc.w transposed\n\"m.flat\" -> fc", &["H0406", "is a net and no parameter"]),
    ] {
        let text = with(line);
        for part in parts {
            assert!(text.contains(part), "{line}: no {part}\n{text}");
        }
    }
    // A name that is wrong in every line is said once, with those of the others.
    let text = lines(at, "\"mx.weight\" -> fc.w transposed\n\"mx.bias\" -> fc.bias\ndrop \"m.flat\", \"m.conv\", \"m.tall\"");
    assert_eq!(text.matches("H0625").count() - text.matches("explain H0625").count(), 1, "{text}");
    assert!(text.contains("there is `m.weight`") && text.contains("nor has it `mx.bias`"), "{text}");
    let text = lines(at, "\"m.weight\" -> fc.w transposed\ndrop \"m.flat\", \"m.conv\", \"m.bias\"");
    assert!(text.contains("`m.tall` in `w.safetensors` goes nowhere") && text.contains("drop fc.bias"), "{text}");
}

#[test]
fn damaged_files_behind_a_block_are_messages() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    let whole = std::fs::read(folder().join("layouts.safetensors")).unwrap();
    std::fs::copy(folder().join("layouts.hnet"), at.join("layouts.hnet")).unwrap();
    let file = at.join("layouts.safetensors");
    for end in [0, 7, 8, 100, whole.len() - 1] {
        std::fs::write(&file, &whole[..end]).unwrap();
        let text = refused(at, &["run", "layouts.hnet", "--random-inputs"]);
        assert!(text.contains("H0608") && text.contains("layouts.hnet:"), "{text}");
    }
    std::fs::remove_file(&file).unwrap();
    let text = refused(at, &["run", "layouts.hnet", "--random-inputs"]);
    assert!(text.contains("H0001") && text.contains("there is no such file"), "{text}");
    let outside = std::fs::read_to_string(at.join("layouts.hnet")).unwrap().replace("\"layouts.safe", "\"../layouts.safe");
    std::fs::write(at.join("layouts.hnet"), outside).unwrap();
    assert!(refused(at, &["run", "layouts.hnet", "--random-inputs"]).contains("H0008"));
}

const WRITER: &str = "dim b
net Lora(i, r, o) {
    param down: [i, r]
    param up: [r, o] = zeros()
    (x: [i]) -> [o] { x @ down @ up }
}
net Layer(d) {
    sub q = Lora(d, 2, d)
    sub v = Lora(d, 2, d)
    (x: [d]) -> [d] { x + q(x) + v(x) }
}
model Writer {
    condition task: i32
    input x: [b, 4]
    param code: [3, 5] = normal(std: 1)
    param write: [5, 8] = normal(std: 1)
    sub layer[2] = Layer(4)
    generate layer[l].q.down[i, r] from (l + 1) * sum[k] code[task, k] * write[k, (i, r)]
    generate layer[l].v.down[i, r] from sum[k] code[task, k] * write[k, (i, r)]
    output y: [b, 4] = layer[1](layer[0](x))
}
weights to \"adapter/adapter_model.safetensors\" {
    prefix \"base_model.model.model.layers.\"
    layer[l].q.down     -> \"{l}.self_attn.q_proj.lora_A.weight\" transposed
    2 * layer[l].q.up   -> \"{l}.self_attn.q_proj.lora_B.weight\" transposed
    \"{l}.self_attn.v_proj.lora_A.weight\"[r, i] <- layer[l].v.down[i, r]
    \"{l}.self_attn.v_proj.lora_B.weight\"[o, r] <- layer[l].v.up[r, o]
}
";

#[test]
fn a_generated_adapter_is_written_as_peft_has_it() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    std::fs::write(at.join("writer.hnet"), WRITER).unwrap();
    said(at, &["init", "writer.hnet", "-o", "p.safetensors"]);
    let mut own = tensors(&at.join("p.safetensors"));
    let up: Vec<f32> = (0..8).map(|k| k as f32).collect();
    for l in 0..2 {
        own.insert(format!("layer.{l}.q.up"), Tensor::new(vec![2, 4], Data::F32(up.clone())));
    }
    archive::save(&at.join("p.safetensors"), &own.clone().into_iter().collect::<Vec<_>>()).unwrap();
    said(at, &["export", "writer.hnet", "--params", "p.safetensors", "--condition", "task=2"]);
    let out = tensors(&at.join("adapter/adapter_model.safetensors"));
    let name = |l: usize, m: &str, side: &str| format!("base_model.model.model.layers.{l}.self_attn.{m}_proj.lora_{side}.weight");
    assert_eq!(out.len(), 8);
    for l in 0..2 {
        let (a, b) = (&out[&name(l, "q", "A")], &out[&name(l, "q", "B")]);
        assert_eq!((a.shape.as_slice(), b.shape.as_slice()), (&[2, 4][..], &[4, 2][..]));
        for (r, i) in (0..2).flat_map(|r| (0..4).map(move |i| (r, i))) {
            let code = |k: usize| own["code"].get(2 * 5 + k) * own["write"].get(k * 8 + i * 2 + r);
            let want = (l + 1) as f64 * (0..5).map(code).sum::<f64>();
            assert!((a.get(r * 4 + i) - want).abs() <= 1e-6 * want.abs().max(1e-3), "{l} {r} {i}");
            assert_eq!(b.get(i * 2 + r), 2.0 * f64::from(up[r * 4 + i]));
        }
    }
    let config: Value = serde_json::from_str(&std::fs::read_to_string(at.join("adapter/adapter_config.json")).unwrap()).unwrap();
    assert_eq!(
        (config["r"].as_u64(), config["lora_alpha"].as_u64(), config["peft_type"].as_str()),
        (Some(2), Some(2), Some("LORA"))
    );
    assert_eq!(config["target_modules"], serde_json::json!(["q_proj", "v_proj"]));
    // What is there already stays.
    std::fs::write(at.join("adapter/adapter_config.json"), "{}").unwrap();
    said(at, &["export", "writer.hnet", "--params", "p.safetensors", "--condition", "task=1"]);
    assert_eq!(std::fs::read_to_string(at.join("adapter/adapter_config.json")).unwrap(), "{}");
    said(at, &["export", "writer.hnet", "--params", "p.safetensors", "--condition", "task=2", "-o", "lora.npz"]);
    compare(&at.join("lora.npz"), &at.join("lora.npz"), &[]);
    assert!(refused(at, &["export", "writer.hnet", "--params", "p.safetensors"]).contains("task"));
    assert!(refused(at, &["export", "writer.hnet", "--condition", "task=1", "-o", "x.npy"]).contains("no .npy file is written"));
}

#[test]
fn an_adapter_of_peft_is_read() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    // The factor is alpha / r, here 8 / 2; a base layer may be called so, or not.
    let program = "dim b
net Lora(i, r, o) {
    param base: [i, o]
    param down: [i, r]
    param up: [r, o]
    (x: [i]) -> [o] { x @ base + x @ down @ up }
}
model M {
    input x: [b, 3]
    sub layer[2] = Lora(3, 2, 3)
    output y: [b, 3] = layer[1](layer[0](x))
}
const alpha = 8
weights from \"base\" { \"model.layers.{l}.q_proj[.base_layer].weight\" -> layer[l].base transposed }
weights from \"adapter\" {
    prefix \"base_model.model.model.layers.\"
    \"{l}.q_proj.lora_A[.default].weight\" -> layer[l].down transposed
    layer[l].up[r, o] <- alpha / 2 * \"{l}.q_proj.lora_B[.default].weight\"[o, r]
}
";
    std::fs::write(at.join("m.hnet"), program).unwrap();
    let some = |shape: &[usize], from: f32| {
        let n: usize = shape.iter().product();
        Tensor::new(shape.to_vec(), Data::F32((0..n).map(|k| from + k as f32).collect()))
    };
    for (folder, file) in [("base", "model.safetensors"), ("adapter", "adapter_model.safetensors")] {
        std::fs::create_dir(at.join(folder)).unwrap();
        let names: Vec<(String, Tensor)> = (0..2)
            .flat_map(|l| match folder {
                "base" => vec![(
                    ["model.layers.0.q_proj.weight", "model.layers.1.q_proj.base_layer.weight"][l].to_string(),
                    some(&[3, 3], l as f32),
                )],
                _ => vec![
                    (format!("base_model.model.model.layers.{l}.q_proj.lora_A.weight"), some(&[2, 3], 1.0)),
                    (format!("base_model.model.model.layers.{l}.q_proj.lora_B.default.weight"), some(&[3, 2], 2.0)),
                ],
            })
            .collect();
        archive::save(&at.join(folder).join(file), &names).unwrap();
    }
    said(at, &["weights", "m.hnet", "-o", "own.safetensors"]);
    let own = tensors(&at.join("own.safetensors"));
    assert_eq!(own["layer.1.base"].to_f64(), [1.0, 4.0, 7.0, 2.0, 5.0, 8.0, 3.0, 6.0, 9.0]);
    assert_eq!(own["layer.0.down"].to_f64(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!(own["layer.1.up"].to_f64(), [8.0, 16.0, 24.0, 12.0, 20.0, 28.0]);
}
