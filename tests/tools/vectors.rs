//! Narrower vectors than a processor has: another machine's kernels on this one.

use crate::cli::{command, err, exits};
use crate::common::{beside, close, files, name};
use hnet::files::archive::Archive;
use hnet::ir::DType;

/// Shipped models whose products, windows, experts, generated weights and functions have kernels for each width.
const SHIPPED: [&str; 11] =
    ["condconv", "decoder", "film", "hyperlstm", "inr", "lora_hyper", "moe", "per_sample", "skip", "smear", "task_digits"];

/// As the shipped models agree with their references on any backend.
const LIMIT: f64 = 1e-4;

#[test]
fn every_width_of_vectors_computes_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for path in files("models").into_iter().filter(|p| SHIPPED.contains(&name(p).as_str())) {
        let wanted = Archive::open(&beside(&path, "expected").unwrap()).unwrap();
        for bits in ["512", "256", "128", ""] {
            let [inputs, params] = ["inputs", "params"].map(|what| beside(&path, what).unwrap().display().to_string());
            let args = [
                "run",
                path.to_str().unwrap(),
                "--inputs",
                &inputs,
                "--params",
                &params,
                "--backend",
                "cpu",
                "--out",
                "y.safetensors",
            ];
            let ran = command(folder.path(), &args).env("HNET_VECTORS", bits).output().unwrap();
            assert!(ran.status.success(), "{}", err(&ran));
            let made = Archive::open(&folder.path().join("y.safetensors")).unwrap();
            for output in wanted.names() {
                let load = |a: &Archive| a.get(output).unwrap().load(DType::F32).unwrap();
                close(&format!("{}, {bits} bits, {output}", path.display()), &load(&made), &load(&wanted), LIMIT);
                seen += 1;
            }
        }
    }
    assert!(seen >= 4 * SHIPPED.len(), "{seen}");
}

#[test]
fn a_width_that_there_is_not_is_said() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.hnet"), "model M {\n    input x: [4]\n    output y: [4] = x + 1\n}\n").unwrap();
    let args = ["run", "m.hnet", "--random-inputs", "--backend", "cpu"];
    for wrong in ["1024", "wide", "-1"] {
        let ran = command(folder.path(), &args).env("HNET_VECTORS", wrong).output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{}", err(&ran));
        assert!(err(&ran).contains("H0636") && err(&ran).contains(wrong) && err(&ran).contains("256"), "{}", err(&ran));
    }
    // Who does not compute there is not concerned.
    let checked = command(folder.path(), &["check", "m.hnet"]).env("HNET_VECTORS", "wide").output().unwrap();
    assert!(checked.status.success());
    exits(folder.path(), &args, 0);
}
