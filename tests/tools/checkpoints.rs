//! Checkpoints of other libraries, loaded unchanged: what the transformers library and PEFT write, with what they compute from it, and
//! stacked tensors for nets of arrays and families.
//!
//! The files of `weights/` were made by `weights/published.py`.

use crate::weights::{folder, outputs, refused, said, tensors};
use hnet::files::archive;
use hnet::ir::{Data, Tensor};
use std::path::Path;

const PUBLISHED: [&str; 14] = [
    "llama",
    "mixtral",
    "olmoe",
    "qwen2_moe",
    "deepseek_v3",
    "gpt_oss",
    "phi3",
    "gpt_neox",
    "gemma2",
    "t5",
    "mamba",
    "vit",
    "whisper",
    "lokr",
];

#[test]
fn checkpoints_of_other_libraries_load_and_compute_what_these_do() {
    let here = tempfile::tempdir().unwrap();
    for name in PUBLISHED {
        for backend in ["interp", "cpu"] {
            let out = here.path().join("y.safetensors");
            let program = format!("{name}.hnet");
            said(&folder(), &["run", &program, "--backend", backend, "--out", out.to_str().unwrap()]);
            let (have, want) = (tensors(&out), tensors(&folder().join(format!("{name}.expected.safetensors"))));
            let (have, want) = (&have["logits"], &want["logits"]);
            assert_eq!(have.shape, want.shape);
            for (a, b) in have.to_f64().iter().zip(want.to_f64()) {
                assert!((a - b).abs() <= 1e-5 * (1.0 + b.abs()), "{name} on {backend}: {a} and {b}");
            }
        }
    }
}

/// Layers of which the first has one net in the place of three.
const STACKED: &str = "dim b
net Expert(d) {
    param w: [d, d]
    (x: [d]) -> [d] { x @ w }
}
net Layer(d, dense: bool) {
    if dense {
        sub ffn = Expert(d)
    } else {
        sub expert[3] = Expert(d)
    }
    (x: [d]) -> [d] { if dense { ffn(x) } else { sum[e] expert[e](x) } }
}
model M {
    input x: [b, 2]
    sub layer[l < 3] = Layer(2, l == 0)
    sub same[2] = Layer(2, false)
    output y: [b, 2] = x |> layer[0] |> layer[1] |> layer[2] |> same[0] |> same[1]
}
weights from \"w.safetensors\" {
    layer[l].ffn.w[i, o]       <- \"{l}.dense\"[o, i]
    layer[l].expert[e].w[i, o] <- \"{l}.stack\"[e, o, i]
    same[l].expert[e].w[i, o]  <- 2 * \"all\"[l, e, i, o]
}
";

fn counted(shape: &[usize], from: usize) -> Tensor {
    let n: usize = shape.iter().product();
    Tensor::new(shape.to_vec(), Data::F32((from..from + n).map(|k| k as f32).collect()))
}

fn stacked(at: &Path, experts: usize) {
    let named = |name: &str, shape: &[usize], from| (name.to_string(), counted(shape, from));
    let file = [
        named("0.dense", &[2, 2], 0),
        named("1.stack", &[experts, 2, 2], 100),
        named("2.stack", &[experts, 2, 2], 200),
        named("all", &[2, 3, 2, 2], 300),
    ];
    archive::save(&at.join("w.safetensors"), &file).unwrap();
}

#[test]
fn a_stacked_tensor_has_an_index_of_nets() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    std::fs::write(at.join("m.hnet"), STACKED).unwrap();
    stacked(at, 3);
    said(at, &["weights", "m.hnet", "-o", "own.safetensors"]);
    let own = tensors(&at.join("own.safetensors"));
    assert_eq!(own["layer.0.ffn.w"].to_f64(), [0.0, 2.0, 1.0, 3.0]);
    assert_eq!(own["layer.1.expert.2.w"].to_f64(), [108.0, 110.0, 109.0, 111.0]);
    assert_eq!(own["layer.2.expert.0.w"].to_f64(), [200.0, 202.0, 201.0, 203.0]);
    assert_eq!(own["same.1.expert.2.w"].to_f64(), [640.0, 642.0, 644.0, 646.0]);
    // Nets that have nothing, and a part of the tensor that goes nowhere.
    for (experts, place) in [(2, "2 places"), (4, "4 places")] {
        stacked(at, experts);
        let text = refused(at, &["weights", "m.hnet"]);
        assert!(text.contains("H0305") && text.contains("`e` ranges over 3") && text.contains(place), "{text}");
    }
    // An index that nothing on the other side has.
    std::fs::write(at.join("m.hnet"), STACKED.replace("\"[e, o, i]", "\"[0, o, i]")).unwrap();
    let text = refused(at, &["weights", "m.hnet"]);
    assert!(text.contains("H0206") && text.contains("`e` is not bound here"), "{text}");
}

#[test]
fn nets_of_a_family_may_lie_in_one_tensor() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    let program = "dim b
net Expert(d) {
    param w: [d, d] = zeros()
    (x: [d]) -> [d] { x @ w }
}
net Layer(d, gated: bool) {
    param shift: [d] = zeros()
    sub expert[2] = Expert(d)
    if gated {
        param gate: [d] = ones()
    }
    (x: [d]) -> [d] {
        let y[i] = shift[i] + sum[e] expert[e](x)[i]
        if gated { y * gate } else { y }
    }
}
model M {
    input x: [b, 2]
    sub layer[l < 3] = Layer(2, l > 0)
    output y: [b, 2] = x |> layer[0] |> layer[1] |> layer[2]
}
";
    std::fs::write(at.join("m.hnet"), program).unwrap();
    let named = |name: &str, shape: &[usize], from| (name.to_string(), counted(shape, from));
    let gates = [named("layer.1.gate", &[2], 50), named("layer.2.gate", &[2], 60)];
    let save = |name: &str, more: &[(String, Tensor)]| archive::save(&at.join(name), &[&gates[..], more].concat()).unwrap();
    let single: Vec<(String, Tensor)> = (0..3)
        .flat_map(|l| {
            let experts = (0..2).map(move |e| (format!("layer.{l}.expert.{e}.w"), counted(&[2, 2], 100 + l * 8 + e * 4)));
            experts.chain([(format!("layer.{l}.shift"), counted(&[2], l * 2))])
        })
        .collect();
    save("single.safetensors", &single);
    let (shift, expert) = (named("layer.shift", &[3, 2], 0), named("layer.expert.w", &[3, 2, 2, 2], 100));
    save("stacked.safetensors", &[shift.clone(), expert.clone()]);
    // Single experts, each of all layers.
    let picked = |e: usize| {
        let values = (0..3).flat_map(|l| (0..4).map(move |k| (100 + l * 8 + e * 4 + k) as f32)).collect();
        (format!("layer.expert.{e}.w"), Tensor::new(vec![3, 2, 2], Data::F32(values)))
    };
    save("mixed.safetensors", &[shift.clone(), picked(0), picked(1)]);
    let run = |file: &str| {
        said(at, &["run", "m.hnet", "--random-inputs", "--dim", "b=2", "--backend", "interp", "--json", "--params", file])
    };
    let wanted = outputs(&run("single.safetensors"));
    assert!(wanted.is_array());
    for file in ["stacked.safetensors", "mixed.safetensors"] {
        assert_eq!(outputs(&run(file)), wanted, "{file}");
    }
    let run = ["run", "m.hnet", "--random-inputs", "--dim", "b=2", "--params", "wrong.safetensors"];
    for (more, parts) in [
        (vec![named("layer.shift", &[2, 2], 0), expert.clone()], &["H0615", "f32[2, 2]", "f32[3, 2]"][..]),
        (vec![shift.clone(), expert.clone(), named("layer.1.shift", &[2], 0)], &["H0619", "layer.1.shift"]),
    ] {
        save("wrong.safetensors", &more);
        let text = refused(at, &run);
        parts.iter().for_each(|p| assert!(text.contains(p), "no {p}: {text}"));
    }
    // Layers that are not alike in this have a tensor each.
    archive::save(&at.join("wrong.safetensors"), &[shift, expert, named("layer.gate", &[3, 2], 0)]).unwrap();
    let text = refused(at, &run);
    assert!(text.contains("H0609") && text.contains("layer.1.gate"), "{text}");
}

#[test]
fn a_block_without_lines_reads_nets_of_a_family_out_of_one_tensor() {
    let here = tempfile::tempdir().unwrap();
    let at = here.path();
    let program = "dim b
net Expert(i, o) {
    param w: [i, o] = zeros()
    (x: [i]) -> [o] { x @ w }
}
net Layer() {
    sub expert[l < 3] = Expert(2, 2)
    sub twin[2] = Expert(2, 2)
    (x: [2]) -> [2] { x |> expert[0] |> expert[1] |> expert[2] |> twin[0] |> twin[1] }
}
model M {
    input x: [b, 2]
    sub layer[l < 2] = Layer()
    output y: [b, 2] = x |> layer[0] |> layer[1]
}
weights from \"w.safetensors\"
";
    std::fs::write(at.join("m.hnet"), program).unwrap();
    let named = |name: &str, shape: &[usize], from| (name.to_string(), counted(shape, from));
    let save = |file: &[(String, Tensor)]| archive::save(&at.join("w.safetensors"), file).unwrap();
    let own = || {
        said(at, &["weights", "m.hnet", "-o", "own.safetensors"]);
        let own = tensors(&at.join("own.safetensors"));
        (0..2).flat_map(|l| (0..3).map(move |e| format!("layer.{l}.expert.{e}.w"))).map(|n| own[&n].to_f64()).collect::<Vec<_>>()
    };
    let twins = [
        named("layer.0.twin.w", &[2, 2, 2], 500),
        named("layer.1.twin.0.w", &[2, 2], 600),
        named("layer.1.twin.1.w", &[2, 2], 700),
    ];
    let wanted: Vec<Vec<f64>> = (0..6).map(|k| (0..4).map(|n| f64::from(100 + 4 * k + n)).collect()).collect();
    // Both families in one tensor, each layer's experts in one, and each expert of both layers.
    save(&[&twins[..], &[named("layer.expert.w", &[2, 3, 2, 2], 100)]].concat());
    assert_eq!(own(), wanted);
    let of_layer = [named("layer.0.expert.w", &[3, 2, 2], 100), named("layer.1.expert.w", &[3, 2, 2], 112)];
    save(&[&twins[..], &of_layer].concat());
    assert_eq!(own(), wanted);
    let of_both = |e: usize| {
        let values = (0..2).flat_map(|l| (0..4).map(move |n| (100 + l * 12 + e * 4 + n) as f32)).collect();
        (format!("layer.expert.{e}.w"), Tensor::new(vec![2, 2, 2], Data::F32(values)))
    };
    save(&[&twins[..], &[of_both(0), of_both(1), of_both(2)]].concat());
    assert_eq!(own(), wanted);
    // Too few nets; one that has a tensor of its own besides.
    save(&[&twins[..], &[named("layer.expert.w", &[2, 2, 2, 2], 100)]].concat());
    let text = refused(at, &["weights", "m.hnet"]);
    assert!(text.contains("H0615") && text.contains("f32[2, 3, 2, 2]") && text.contains("<- \"layer.expert.w\"[0, 0]"), "{text}");
    save(&[&twins[..], &[named("layer.expert.w", &[2, 3, 2, 2], 100), named("layer.0.expert.0.w", &[2, 2], 0)]].concat());
    let text = refused(at, &["weights", "m.hnet"]);
    assert!(text.contains("layer.0.expert.0.w"), "{text}");
}
