//! What a source asks of the compiler: no more than n log n for each thing that it may have n of, and an answer in bounded time and
//! memory whatever it says.
//!
//! Work is measured as processor time of a process of its own, which does not depend on what else the machine does; memory is
//! bounded by the shell that starts it.
#![cfg(unix)]

mod hostile;
mod kinds;

use std::path::Path;
use std::process::{Command, Stdio};

/// What a run of `hnet` did.
pub struct Ran {
    pub code: Option<i32>,
    pub said: String,
    /// Processor time in seconds.
    pub seconds: f64,
}

/// Runs `hnet` under a limit of virtual memory (KiB) and of processor time (seconds).
pub fn limited(folder: &Path, arguments: &str, memory: u64, seconds: u64) -> Ran {
    let hnet = env!("CARGO_BIN_EXE_hnet");
    let script = format!(
        "ulimit -v {memory}; ulimit -t {seconds}; '{hnet}' {arguments} >said.txt 2>&1; code=$?; times >times.txt; exit $code"
    );
    let status = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .status()
        .expect("a shell starts");
    let text = |name: &str| String::from_utf8_lossy(&std::fs::read(folder.join(name)).unwrap_or_default()).into_owned();
    // The second line is about children: `0m0.120s 0m0.010s`.
    let part = |t: &str| {
        let (minutes, seconds) = t.trim_end_matches('s').split_once('m')?;
        Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
    };
    let seconds = text("times.txt").lines().nth(1).map_or(f64::NAN, |l| l.split_whitespace().filter_map(part).sum());
    Ran { code: status.code(), said: text("said.txt"), seconds }
}

/// Processor time of checking a text; it must be right or wrong as is said.
fn seconds(folder: &Path, name: &str, text: &str, fine: bool) -> f64 {
    seconds_of(folder, name, "check m.hnet", text, fine)
}

/// Processor time of a command on a text; it must be right or wrong as is said.
fn seconds_of(folder: &Path, name: &str, command: &str, text: &str, fine: bool) -> f64 {
    std::fs::write(folder.join("m.hnet"), text).unwrap();
    let run = || {
        let ran = limited(folder, command, 1 << 20, 120);
        let head: String = ran.said.chars().take(600).collect();
        assert_eq!(ran.code, Some(i32::from(!fine)), "{name}: {head}");
        ran.seconds
    };
    run().min(run())
}

/// Below this a time says nothing.
const LEAST: f64 = 0.06;

#[test]
fn checking_takes_hardly_more_than_in_proportion() {
    let folder = tempfile::tempdir().unwrap();
    let mut slow = vec![];
    for kind in kinds::ALL {
        let (n, m) = (kind.n, 4 * kind.n);
        let one = seconds(folder.path(), kind.name, &(kind.text)(n), kind.fine);
        let four = seconds(folder.path(), kind.name, &(kind.text)(m), kind.fine);
        // Squares would be sixteen times as much.
        if four > 9.0 * one.max(LEAST) {
            slow.push(format!("{}: {one:.2} s for {n}, {four:.2} s for {m}", kind.name));
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
}

/// A model of `n` blocks in a row, each a norm and a product.
fn layers(n: usize) -> String {
    let net = "dim b\nnet Block() {\n    param w: [16, 16] = normal(std: 0.2)\n    param g: [16] = ones()\n    (x: [16]) -> [16] {\n        \
               let c = x - mean[i] x[i]\n        x + tanh((c / sqrt(mean[i] c[i] * c[i] + 0.001) * g) @ w)\n    }\n}\n";
    let each = |line: &dyn Fn(usize) -> String| (0..n).map(line).collect::<String>();
    let (subs, lets) = (each(&|i| format!("    sub b{i} = Block()\n")), each(&|i| format!("    let h{} = b{i}(h{i})\n", i + 1)));
    format!("{net}model M {{\n    input x: [b, 16]\n{subs}    let h0 = x\n{lets}    output y: [b, 16] = h{n}\n}}\n")
}

#[test]
fn passes_plans_and_shaders_of_many_layers_take_hardly_more_than_in_proportion() {
    let folder = tempfile::tempdir().unwrap();
    let mut slow = vec![];
    for stage in ["opt", "plan", "wgsl", "clif"] {
        let command = format!("build m.hnet --emit {stage} --dim b=4 -o out");
        let [one, four] = [150, 600].map(|n| seconds_of(folder.path(), stage, &command, &layers(n), true));
        if four > 9.0 * one.max(LEAST) {
            slow.push(format!("{stage}: {one:.2} s for 150 layers, {four:.2} s for 600"));
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
}
