//! The program as a person meets it: commands, exit codes, files.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn hnet(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().expect("hnet starts")
}

pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_hnet"));
    c.args(args).current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null());
    c
}

pub fn out(o: &Output) -> String {
    String::from_utf8_lossy(&o.stdout).into_owned()
}

pub fn err(o: &Output) -> String {
    String::from_utf8_lossy(&o.stderr).into_owned()
}

/// Runs and demands an exit code.
pub fn exits(folder: &Path, args: &[&str], code: i32) -> Output {
    let o = hnet(folder, args);
    assert_eq!(o.status.code(), Some(code), "hnet {}\n{}\n{}", args.join(" "), out(&o), err(&o));
    o
}

fn json_lines(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e} in {l}"))).collect()
}

const COMMANDS: [&str; 16] = [
    "check",
    "run",
    "bench",
    "eval",
    "train",
    "init",
    "weights",
    "export",
    "build",
    "fmt",
    "graph",
    "snapshot",
    "explain",
    "doc",
    "new",
    "completions",
];

/// A project made by `hnet new`.
fn project() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    exits(folder.path(), &["new", "my-tasks"], 0);
    let path = folder.path().join("my-tasks");
    (folder, path)
}

#[test]
fn every_command_has_help_with_an_example() {
    let folder = tempfile::tempdir().unwrap();
    for name in COMMANDS {
        let text = out(&exits(folder.path(), &[name, "--help"], 0));
        assert!(text.contains("Example") && text.contains(&format!("hnet {name}")), "{text}");
    }
    let o = exits(folder.path(), &[], 2);
    assert!(err(&o).contains("Usage"));
}

#[test]
fn wrong_arguments_files_and_devices_have_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    exits(here, &["fly"], 2);
    exits(here, &["run"], 2);
    exits(here, &["run", "m.hnet", "--dim", "b"], 2);
    assert!(err(&exits(here, &["check", "none.hnet"], 2)).contains("H0001"));
    // With a device it gets as far as the file.
    let (code, said) = if hnet::gpu::Device::shared().is_ok() { (2, "H0001") } else { (3, "H0901") };
    assert!(err(&exits(here, &["run", "none.hnet", "--backend", "gpu"], code)).contains(said));
    assert!(err(&exits(here, &["explain", "H9999"], 2)).contains("no page"));
    std::fs::write(here.join("bytes.hnet"), [0xff, 0xfe, 0]).unwrap();
    assert!(err(&exits(here, &["check", "bytes.hnet"], 2)).contains("UTF-8"));
    std::fs::write(here.join("wrong.hnet"), "model M { output y = }").unwrap();
    exits(here, &["check", "wrong.hnet"], 1);
    let o = exits(here, &["check", "wrong.hnet", "none.hnet", "--json"], 1);
    let lines = json_lines(&out(&o));
    assert!(lines.len() >= 2 && lines.iter().all(|l| l["code"].is_string() && l["severity"] == "error"), "{lines:?}");
    assert_eq!((&lines[0]["file"], &lines[0]["line"]), (&"wrong.hnet".into(), &1.into()));
}

#[test]
fn the_library_says_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.hnet"), "//! Mine.\n\n/// Twice.\nfn two(x: f32, by: f32 = 2) -> f32 { by * x }\n")
        .unwrap();
    let text = |args: &[&str]| out(&exits(folder.path(), args, 0)).to_string();
    let list = text(&["doc"]);
    assert!(list.contains("std.moe  mixtures of experts.") && list.lines().count() > 20, "{list}");
    let module = text(&["doc", "std.moe"]);
    assert!(
        module.contains("net Moe(d, h, n, k, even: bool = true)\n    (x: [d]) -> [d]") && module.contains("Mixtral"),
        "{module}"
    );
    assert_eq!(text(&["doc", "moe"]), module);
    let net = text(&["doc", "DeepSeekMoe"]);
    assert!(
        net.contains("std.moe")
            && net.contains("scaling: f32 = 1")
            && !net.contains("sub expert")
            && net.contains("Parameters: `gate.*` of `Matrix(d, n)`"),
        "{net}"
    );
    assert!(text(&["doc", "own.hnet"]).contains("fn two(x: f32, by: f32 = 2) -> f32\n```\n\nTwice."));
    assert!(err(&exits(folder.path(), &["doc", "std.mo"], 2)).contains("there is std.moe"));
    assert!(err(&exits(folder.path(), &["doc", "none.hnet"], 2)).contains("none.hnet"));
}

#[test]
fn what_was_decided_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let n = 64;
    let text = "dim b\nconst n = 64\nmodel M {\n    input x: [b, n]\n    param w: [n, n] = normal()\n    input a: [n, 4]\n    input u: [4, n]\n    \
                output y: [b, n] = x @ (w + a @ u)\n}\n";
    std::fs::write(folder.path().join("m.hnet"), text).unwrap();
    let told = |more: &[&str]| out(&exits(folder.path(), &[&["explain", "m.hnet"], more].concat(), 0));
    let (few, many) = (told(&["--dim", "b=1"]), told(&["--dim", "b=1000"]));
    let taken = |text: &str| text.lines().find(|l| l.trim_start().starts_with('→')).unwrap().to_string();
    assert!(taken(&few).ends_with("multiplied out") && taken(&many).ends_with("made"), "{few}{many}");
    assert!(few.contains("m.hnet:8:5") && few.contains("holds for b from 1 to "), "{few}");
    let json: serde_json::Value = serde_json::from_str(&told(&["--dim", "b=1000", "--json"])).unwrap();
    let sum = &json["decisions"][0];
    assert_eq!((sum["what"].as_str(), sum["taken"].as_u64(), sum["ways"].as_array().unwrap().len()), (Some("sum"), Some(0), 2));
    // The end of the range is where the other way begins.
    let end = sum["holds"]["b"]["from"].as_u64().unwrap();
    assert!(taken(&told(&["--dim", &format!("b={end}")])).ends_with("made"));
    assert!(taken(&told(&["--dim", &format!("b={}", end - 1)])).ends_with("multiplied out"));
    // Each way is run, and may be taken.
    let text = told(&["--dim", "b=1", "--measure"]);
    let ways = |text: &str| {
        text.lines().filter(|l| l.contains("multiplied out") || l.ends_with("made")).map(str::to_string).collect::<Vec<_>>()
    };
    assert!(ways(&text).len() == 2 && ways(&text).iter().all(|l| l.contains("a run took")), "{text}");
    // What is measured is priced at its own sizes; a size that is asked for counts more than a file that lies there.
    let given = |name: &str, shape: &[usize]| {
        let n = shape.iter().product();
        (name.to_string(), hnet::ir::Tensor::new(shape.to_vec(), hnet::ir::Data::F32(vec![1.0; n])))
    };
    let inputs = [given("x", &[8, n]), given("a", &[n, 4]), given("u", &[4, n])];
    hnet::files::archive::save(&folder.path().join("m.inputs.safetensors"), &inputs).unwrap();
    assert!(told(&["--measure"]).starts_with("M at b = 8\n"));
    let said = exits(folder.path(), &["explain", "m.hnet", "--measure", "--dim", "b=5"], 0);
    assert!(out(&said).starts_with("M at b = 5\n") && err(&said).contains("is not read"), "{}", err(&said));
    assert!(told(&["--inputs", "m.inputs.safetensors"]).starts_with("M at b = 8\n"));
    let bench = |pin: &str, code| exits(folder.path(), &["bench", "m.hnet", "--dim", "b=3", "--runs", "1", "--pin", pin], code);
    assert!(out(&bench("sum@8:5=2", 0)).contains("median"));
    assert!(out(&bench("sum@m.hnet:8:5=1", 0)).contains("median"));
    assert!(out(&bench("sum@8:5=multiplied out", 0)).contains("median"));
    // A picture has every way of every decision, and a file that cannot be one is refused before anything is measured.
    assert!(told(&["-o", "m.svg"]).contains("multiplied out"));
    let drawn = std::fs::read_to_string(folder.path().join("m.svg")).unwrap();
    assert!(drawn.starts_with("<svg") && ["made", "multiplied out", "m.hnet:8:5"].iter().all(|w| drawn.contains(w)), "{drawn}");
    let said = exits(folder.path(), &["explain", "m.hnet", "--measure", "-o", "m.txt"], 2);
    assert!(err(&said).contains(".svg, .png and .pdf"), "{}", err(&said));
    for (pin, said) in [
        ("sum@8:5=3", "ways 1 to 2"),
        ("sum@9:5=1", "there are sum@m.hnet:8:5"),
        ("sum=1", "is not like"),
        ("sum@8:5=x", "there are `made`, `multiplied out`"),
    ] {
        assert!(err(&bench(pin, 2)).contains(said), "{pin}");
    }
    assert!(err(&exits(folder.path(), &["explain", "none.hnet"], 2)).contains("none.hnet"));
    std::fs::write(folder.path().join("n.hnet"), "model N {\n    input x: [3]\n    output y = exp(x)\n}\n").unwrap();
    assert!(err(&exits(folder.path(), &["explain", "n.hnet"], 1)).contains("H0"));
    std::fs::write(folder.path().join("n.hnet"), "model N {\n    input x: [3]\n    output y: [3] = exp(x)\n}\n").unwrap();
    assert!(out(&exits(folder.path(), &["explain", "n.hnet"], 0)).contains("nothing was to be decided"));
}

/// What the source pins reaches every command, and gives way to the command line.
#[test]
fn a_pin_in_the_source_is_followed_by_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let text = |pin: &str| {
        format!(
            "dim b\nconst n = 64\nmodel M {{\n    input x: [b, n]\n    param w: [n, n] = normal()\n    input a: [n, 4]\n    input u: [4, n]\n    \
             {pin}\n    output y: [b, n] = x @ (w + a @ u)\n}}\n"
        )
    };
    std::fs::write(at.join("m.hnet"), text("@pin(sum = \"made\")")).unwrap();
    std::fs::write(at.join("free.hnet"), text("")).unwrap();
    let explained = |more: &[&str]| out(&exits(at, &[&["explain", "m.hnet", "--dim", "b=1"], more].concat(), 0));
    let taken = |text: &str| text.lines().find(|l| l.trim_start().starts_with('→')).unwrap().to_string();
    assert!(taken(&explained(&[])).ends_with("made") && explained(&[]).contains("pinned by m.hnet:8:10"));
    let asked = explained(&["--pin", "sum@9:5=1"]);
    assert!(taken(&asked).ends_with("multiplied out") && asked.contains("pinned by the command line"), "{asked}");
    let json: serde_json::Value = serde_json::from_str(&explained(&["--json"])).unwrap();
    assert_eq!((json["decisions"][0]["pinned"].as_str(), json["idle"].as_array().unwrap().len()), (Some("m.hnet:8:10"), 0));
    // The plans of the two are two.
    let built = |file: &str, stage: &str| {
        out(&exits(at, &["build", file, "--emit", stage, "--dim", "b=1", "-o", "-"], 0)).replace("free.hnet", "m.hnet")
    };
    for stage in ["plan", "wgsl", "dispatches", "clif"] {
        assert_ne!(built("m.hnet", stage), built("free.hnet", stage), "{stage}");
    }
    // The graph is one: a pin says nothing about what is computed.
    for stage in ["ir", "opt"] {
        assert_eq!(built("m.hnet", stage), built("free.hnet", stage).replace("free.hnet", "m.hnet"), "{stage}");
    }
    let run = |file: &str| {
        let o = exits(at, &["run", file, "--random-inputs", "--dim", "b=1", "--json", "--backend", "cpu"], 0);
        let json: serde_json::Value = serde_json::from_str(&out(&o)).unwrap();
        json["outputs"][0]["data"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<_>>()
    };
    let (pinned, free) = (run("m.hnet"), run("free.hnet"));
    let largest = free.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    assert!(pinned.iter().zip(&free).all(|(p, f)| (p - f).abs() <= 1e-5 * largest));
    assert!(out(&exits(at, &["bench", "m.hnet", "--dim", "b=1", "--runs", "1"], 0)).contains("median"));
    // What has nothing to do here is named; what fits nothing anywhere is warned of by whoever reads the text.
    let rows = "import std.mlp { Mlp }\ndim t\nmodel M {\n    input x: [t, 32]\n    input g: [t]\n    sub a = Mlp(32, 96, 32)\n    \
                @pin(rows = \"for all rows\")\n    output y: [t, 32] = if g > 0.25 { x + g * a(x) } else { x }\n}\n";
    std::fs::write(at.join("r.hnet"), rows).unwrap();
    let rows = |t: &str| out(&exits(at, &["explain", "r.hnet", "--dim", t], 0));
    let many = rows("t=96");
    assert!(many.contains("no price  for all rows") && many.contains("pinned by r.hnet:7:10"), "{many}");
    assert!(rows("t=8").contains("the pin r.hnet:7:10 does nothing: no `rows` is decided there at these lengths"));
    std::fs::write(at.join("w.hnet"), text("@pin(windows = \"written down\")")).unwrap();
    for command in ["check", "run", "bench"] {
        let more: &[&str] = if command == "check" { &[] } else { &["--random-inputs", "--dim", "b=1"] };
        let more = if command == "bench" { &more[1..] } else { more };
        let said = exits(at, &[&[command, "w.hnet"], more].concat(), 0);
        assert!(err(&said).contains("H0932"), "{command}: {}", err(&said));
    }
    // What is wrong with a pin is wrong with the program, and has nothing to do with a device.
    for (pin, code) in
        [("@pin(sum = \"mode\")", "H0931"), ("@pin(sum = \"made\", sum = \"made\")", "H0933"), ("@pi(sum)", "H0152")]
    {
        std::fs::write(at.join("w.hnet"), text(pin)).unwrap();
        for command in [&["check", "w.hnet"][..], &["run", "w.hnet", "--dim", "b=1"]] {
            assert!(err(&exits(at, command, 1)).contains(code), "{pin}");
        }
    }
}

#[test]
fn a_code_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let text = out(&exits(folder.path(), &["explain", "h0602"], 0));
    assert!(text.starts_with("H0602: "), "{text}");
    let list = out(&exits(folder.path(), &["explain", "--list"], 0));
    assert!(list.lines().count() > 10);
}

#[test]
fn completions_know_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = out(&exits(folder.path(), &["completions", shell], 0));
        assert!(COMMANDS.iter().all(|c| text.contains(c)), "{shell}");
    }
}

#[test]
fn a_new_project_checks_runs_evaluates_and_is_drawn() {
    let (_kept, here) = project();
    assert!(out(&exits(&here, &["check", "model.hnet"], 0)).contains("MyTasks"));
    let text = out(&exits(&here, &["run", "model.hnet"], 0));
    assert!(text.contains("logits") && text.contains("f32[24, 4]"), "{text}");
    for backend in ["interp", "cpu"] {
        let o = exits(&here, &["run", "model.hnet", "--json", "--backend", backend, "--condition", "task=2"], 0);
        let line = &json_lines(&out(&o))[0];
        assert_eq!((line["backend"].as_str(), line["outputs"][0]["name"].as_str()), (Some(backend), Some("logits")));
        assert_eq!(line["outputs"][0]["data"].as_array().unwrap().len(), 96);
    }
    // A card is taken where there is one; a program that plays one is not.
    let o = exits(&here, &["run", "model.hnet", "--json"], 0);
    let card = hnet::gpu::Device::hardware().is_some();
    assert_eq!(json_lines(&out(&o))[0]["backend"], if card { "gpu" } else { "cpu" });
    assert_eq!(err(&o), "");
    let text = out(&exits(&here, &["eval", "model.hnet"], 0));
    assert_eq!(text.lines().count(), 6, "{text}");
    let rows = &json_lines(&out(&exits(&here, &["eval", "model.hnet", "--json"], 0)))[0]["rows"];
    assert_eq!((rows.as_array().unwrap().len(), &rows[3]["group"], &rows[3]["rows"]), (4, &serde_json::Value::Null, &24.into()));
    exits(&here, &["graph", "model.hnet", "-o", "m.svg"], 0);
    assert!(std::fs::read_to_string(here.join("m.svg")).unwrap().contains("generate"));
    assert!(out(&exits(&here, &["graph", "model.hnet", "--format", "dot"], 0)).starts_with("digraph"));
    exits(here.parent().unwrap(), &["new", "my-tasks"], 2);
}

#[test]
fn outputs_are_stored_and_drawn_inputs_can_be_repeated() {
    let (_kept, here) = project();
    let draw = ["run", "model.hnet", "--random-inputs", "--dim", "b=5", "--seed", "3"];
    let with = |more: &[&str]| exits(&here, &[&draw, more].concat(), 0);
    assert_eq!(out(&with(&[])), out(&with(&[])));
    with(&["--out", "all.safetensors"]);
    with(&["--out", "logits.npy", "--output", "logits"]);
    assert!(std::fs::read(here.join("logits.npy")).unwrap().starts_with(b"\x93NUMPY"));
    assert!(here.join("all.safetensors").is_file());
    exits(&here, &[&draw[..], &["--out", "all.npy"]].concat(), 2);
    assert!(err(&exits(&here, &["run", "model.hnet", "--output", "logit"], 2)).contains("`logits`"));
    assert!(err(&exits(&here, &["run", "model.hnet", "--model", "MyTask"], 2)).contains("`MyTasks`"));
    assert!(err(&exits(&here, &["run", "model.hnet", "--out", "no/such/f.safetensors"], 2)).contains("H0003"));
}

#[test]
fn texts_are_laid_out_and_checked() {
    let (_kept, here) = project();
    exits(&here, &["fmt", "--check", "model.hnet"], 0);
    let path = here.join("model.hnet");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, good.replace("    sub ", "  sub   ")).unwrap();
    assert_eq!(out(&exits(&here, &["fmt", "--check", "model.hnet"], 1)), "model.hnet\n");
    exits(&here, &["fmt", "model.hnet"], 0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), good);
    let mut child = command(&here, &["fmt", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"dim   b\n").unwrap();
    assert_eq!(out(&child.wait_with_output().unwrap()), "dim b\n");
    std::fs::write(here.join("bad.hnet"), "model {").unwrap();
    exits(&here, &["fmt", "bad.hnet"], 1);
    assert_eq!(std::fs::read_to_string(here.join("bad.hnet")).unwrap(), "model {");
}

#[test]
fn every_stage_can_be_written() {
    let (_kept, here) = project();
    exits(&here, &["build", "model.hnet", "--emit", "ast,model,ir,opt,plan,wgsl,dispatches,clif,asm,obj", "-o", "out"], 0);
    let shaders =
        std::fs::read_dir(here.join("out")).unwrap().flatten().filter(|e| e.path().extension().is_some_and(|e| e == "wgsl"));
    assert!(shaders.count() > 0);
    for end in ["ast", "model.json", "ir", "opt.ir", "plan", "dispatches", "clif", "s", "o"] {
        assert!(here.join(format!("out/MyTasks.{end}")).metadata().is_ok_and(|m| m.len() > 0), "{end}");
    }
    let text = out(&exits(&here, &["build", "model.hnet", "--emit", "model"], 0));
    let facts: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&facts["layout"], &facts["model"]), (&1.into(), &"MyTasks".into()), "{text}");
    assert!(text.contains("generate target") && text.contains("\"rate\": \"input\""), "{text}");
    assert!(err(&exits(&here, &["build", "model.hnet", "--print-after", "nothing"], 2)).contains("no pass"));
    exits(&here, &["build", "model.hnet", "--emit", "opt", "--print-after", "all"], 0);
}

#[test]
fn a_lone_dash_is_stdout_for_one_text_and_never_a_file() {
    let (_kept, here) = project();
    let build = |emit: &'static str| ["build", "model.hnet", "--emit", emit, "-o", "-"];
    assert_eq!(out(&exits(&here, &build("model"), 0)), out(&exits(&here, &["build", "model.hnet", "--emit", "model"], 0)));
    assert_eq!(out(&exits(&here, &["graph", "model.hnet", "-o", "-"], 0)), out(&exits(&here, &["graph", "model.hnet"], 0)));
    let dot = out(&exits(&here, &["graph", "model.hnet", "-o", "-", "--format", "dot"], 0));
    assert!(dot.starts_with("digraph"), "{dot}");
    let refused = |args: &[&str]| {
        let done = exits(&here, args, 2);
        assert_eq!(out(&done), "", "{args:?}");
        err(&done)
    };
    assert!(refused(&build("ast,model")).contains("there are 2"));
    assert!(refused(&build("wgsl")).contains("one text"));
    assert!(refused(&[&build("model")[..], &["--print-after", "fold"]].concat()).contains("there are 2"));
    assert!(refused(&build("obj")).contains("an object is none"));
    assert!(refused(&["build", "model.hnet", "--target", "web", "-o", "-"]).contains("name a file"));
    assert!(refused(&["run", "model.hnet", "--out", "-"]).contains("`-` is stdout"));
    assert!(refused(&["run", "model.hnet", "--trace", "-"]).contains("`-` is stdout"));
    assert!(refused(&["fuzz", "--count", "0", "--out", "-"]).contains("`-` is stdout"));
    refused(&["new", "-"]);
    assert!(!here.join("-").exists() && !std::path::Path::new("-").exists());
}

/// The names of the files in `snapshots`, in order.
fn snapshots(here: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(here.join("snapshots")).unwrap().flatten();
    let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_changed_constant_changes_a_snapshot_and_names_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let text = "dim b\nmodel Scaled {\n    input x: [b, 4]\n    output y: [b, 4] = tanh(x) * 0.5\n}\n";
    std::fs::write(here.join("scaled.hnet"), text).unwrap();
    let check = |code: i32| out(&exits(here, &["snapshot", "scaled.hnet", "--check"], code));
    // Nothing is there yet.
    assert!(check(1).contains("new scaled__plan"));
    assert!(!here.join("snapshots").exists());
    exits(here, &["snapshot", "scaled.hnet"], 0);
    let names = snapshots(here);
    assert_eq!((names.len(), &names[..2]), (3, &["scaled__dispatches.snap".to_string(), "scaled__plan.snap".to_string()][..]));
    let name = names[2].trim_end_matches(".snap");
    let path = here.join("snapshots").join(&names[2]);
    let pending = path.with_extension("snap.new");
    let shader = std::fs::read_to_string(&path).unwrap();
    assert!(shader.starts_with("---\nsource: \"scaled.hnet\"\n") && shader.contains("// scaled.hnet:4: output y"), "{shader}");
    assert_eq!(check(0), "");

    std::fs::write(here.join("scaled.hnet"), text.replace("0.5", "0.25")).unwrap();
    let said = check(1);
    let (_, shader_said) = said.split_once(&format!("changed {name}\n")).expect("the shader changed");
    assert!(shader_said.contains("  scaled.hnet:4: output y"), "{said}");
    assert!(said.lines().any(|l| l.starts_with('-') && l.contains("0.5")), "{said}");
    assert!(said.lines().any(|l| l.starts_with('+') && l.contains("0.25")), "{said}");
    assert!(!said.contains('\x1b'));
    let coloured = out(&exits(here, &["--color", "always", "snapshot", "scaled.hnet", "--check"], 1));
    assert!(coloured.contains("\x1b[31m-") && coloured.contains("\x1b[32m+"), "{coloured}");
    // Without a word it waits for a decision.
    exits(here, &["snapshot", "scaled.hnet"], 1);
    assert!(pending.is_file());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), shader);
    exits(here, &["snapshot", "scaled.hnet", "--accept"], 0);
    assert!(!pending.exists());
    assert_eq!(check(0), "");

    // A shader that is new, and one that is no more.
    std::fs::write(here.join("scaled.hnet"), text.replace("* 0.5", "* 0.5\n    output total: [4] = sum[b] x")).unwrap();
    let said = check(1);
    assert!(said.contains("new scaled__shader_"), "{said}");
    exits(here, &["snapshot", "scaled.hnet", "--accept"], 0);
    assert!(snapshots(here) != names);
    std::fs::write(here.join("scaled.hnet"), text).unwrap();
    let said = check(1);
    assert!(said.contains("gone scaled__shader_"), "{said}");
    exits(here, &["snapshot", "scaled.hnet", "--accept"], 0);
    assert_eq!(snapshots(here), names);
    exits(here, &["snapshot", "scaled.hnet", "--check", "--accept"], 2);
}

#[test]
fn a_run_is_measured() {
    let (_kept, here) = project();
    let o = exits(&here, &["run", "model.hnet", "--backend", "cpu", "--profile", "--trace", "trace.json"], 0);
    assert!(out(&o).contains("step") && out(&o).contains("steps, "), "{}", out(&o));
    let trace: serde_json::Value = serde_json::from_slice(&std::fs::read(here.join("trace.json")).unwrap()).unwrap();
    assert!(trace["traceEvents"].as_array().unwrap().len() > 3);
    let o = exits(&here, &["run", "model.hnet", "--backend", "cpu", "--profile", "--json"], 0);
    let line = &json_lines(&out(&o))[0];
    assert!(line["profile"]["kernels"].as_array().unwrap().iter().all(|k| k["seconds"].as_f64().unwrap() > 0.0));
    // Each step with its lengths, steps that are computed together as one, and what products do a second.
    let decoder = concat!(env!("CARGO_MANIFEST_DIR"), "/models/decoder.hnet");
    let o = exits(&here, &["run", decoder, "--backend", "cpu", "--random-inputs", "--dim", "t=40", "--profile", "--json"], 0);
    let kernels = json_lines(&out(&o))[0]["profile"]["kernels"].as_array().unwrap().clone();
    let of = |word: &str| kernels.iter().filter(|k| k["what"].as_str().unwrap().contains(word)).cloned().collect::<Vec<_>>();
    assert!(kernels.iter().all(|k| k["what"] != "") && !of(" matrices").is_empty(), "{kernels:#?}");
    let output = of("product 40 × 32 × 50").pop().unwrap_or_else(|| panic!("{kernels:#?}"));
    assert_eq!(output["flops"], 2.0 * 40.0 * 32.0 * 50.0);
    // Eighty billion operations a second, as a generic machine does them, and what storing takes.
    let foreseen = output["foreseen"].as_f64().unwrap();
    assert!((0.8e-6..10e-6).contains(&foreseen), "{output}");
    let attention = of("product 4 of 40 × 8 × 40, ").pop().unwrap_or_else(|| panic!("{kernels:#?}"));
    assert_eq!(attention["flops"], 2.0 * 2.0 * 4.0 * 40.0 * 8.0 * 40.0);
    assert!(attention["what"].as_str().unwrap().ends_with("product 4 of 40 × 40 × 8"), "{attention}");
    assert!(err(&exits(&here, &["run", "model.hnet", "--backend", "interp", "--profile"], 3)).contains("H0921"));
    let Ok(device) = hnet::gpu::Device::shared() else { return };
    if device.tick.is_none() {
        assert!(err(&exits(&here, &["run", "model.hnet", "--backend", "gpu", "--profile"], 3)).contains("H0904"));
        return;
    }
    let text = out(&exits(&here, &["run", "model.hnet", "--backend", "gpu", "--profile"], 0));
    assert!(text.contains("kernel") && text.contains(" dispatch, ") && text.contains("flop/s"), "{text}");
    let o = exits(&here, &["run", "model.hnet", "--backend", "gpu", "--profile", "--json"], 0);
    let profile = &json_lines(&out(&o))[0]["profile"];
    let kernels = profile["kernels"].as_array().unwrap();
    assert_eq!(kernels.iter().map(|k| k["runs"].as_u64().unwrap()).sum::<u64>(), profile["dispatches"].as_u64().unwrap());
    assert!(profile["peak"]["flops"].as_f64().unwrap() > 1e8 && profile["peak"]["bytes"].as_f64().unwrap() > 1e7, "{profile}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = command(folder.path(), &["explain", "--list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let o = child.wait_with_output().unwrap();
    assert_eq!((o.status.code(), err(&o).as_str()), (Some(0), ""));
}

#[test]
fn a_damaged_weights_file_is_said() {
    let (_kept, here) = project();
    std::fs::write(here.join("w.safetensors"), [1, 2, 3]).unwrap();
    assert!(err(&exits(&here, &["run", "model.hnet", "--params", "w.safetensors"], 2)).contains("H0608"));
    let o = exits(&here, &["run", "model.hnet", "--params", "inputs.safetensors"], 2);
    let text = err(&o);
    assert!(text.contains("H0609") && text.contains("`embed`: f32[3, 4]") && text.contains("1 warning"), "{text}");
    let o = exits(&here, &["run", "model.hnet", "--params", "inputs.safetensors", "--json"], 2);
    assert_eq!(json_lines(&err(&o)).iter().map(|d| d["code"].as_str().unwrap()).collect::<Vec<_>>(), ["H0609", "H0613"]);
}

#[test]
fn what_is_said_twice_or_cannot_be_is_an_error_that_shows_it() {
    let (_kept, here) = project();
    let said = |args: &[&str]| err(&exits(&here, args, 2));
    assert!(said(&["run", "model.hnet", "--dim", "b=2", "--dim", "b=3"]).contains("`--dim b=2` and `--dim b=3`"));
    assert!(said(&["run", "model.hnet", "--condition", "task=1", "--condition", "task=1"]).contains("`task` twice"));
    assert!(
        said(&["run", "model.hnet", "--output", "logits", "--output", "logits"]).contains("`--output logits` is given twice")
    );
    assert!(said(&["check", "model.hnet", "--set", "d=1", "--set", "d=2"]).contains("`--set d=1` and `--set d=2`"));
    assert!(said(&["snapshot", "model.hnet", "--dim", "b=1", "--dim", "b=1"]).contains("twice"));
    assert!(said(&["run", "model.hnet", "--out", "y.h5"]).contains(".safetensors, .npz and .npy can be"));
    assert!(said(&["graph", "model.hnet", "-o", "m.jpg"]).contains(".svg"));
    assert!(said(&["graph", "model.hnet", "-o", "m.dot", "--format", "svg"]).contains("another format"));
    assert!(said(&["run", "model.hnet", "--f16", "--backend", "cpu"]).contains("H0007"));
    assert!(said(&["run", "model.hnet", "--f16", "--backend", "interp"]).contains("H0007"));
    // Where an option does nothing it is not there, or says so.
    for command in ["train", "export", "specialize"] {
        assert!(said(&[command, "model.hnet", "--f16"]).contains("keeps 32 bits"), "{command}");
    }
    for (args, why) in [
        (&["run", "model.hnet", "--machine", "here", "--backend", "interp"][..], "the interpreter has no plan"),
        (&["build", "model.hnet", "--machine", "here", "--emit", "ir,opt"], "the same for every machine"),
        (&["build", "model.hnet", "--machine", "here", "--target", "web", "-o", "site"], "for every device"),
        (&["explain", "H0301", "--machine", "here"], "what was decided for a model"),
        (&["explain", "--list", "--machine", "here"], "what was decided for a model"),
        (&["explain", "softplus", "--measure"], "what was decided for a model"),
    ] {
        assert!(said(args).contains(why), "{args:?}: {}", said(args));
    }
    assert!(!err(&exits(&here, &["run", "model.hnet", "--threads", "2", "--backend", "interp"], 0)).contains("H0007"));
    assert!(!here.join("y.h5").exists() && !here.join("m.jpg").exists());
}

#[test]
fn words_of_other_programs_are_understood() {
    let (_kept, here) = project();
    let said = |args: &[&str]| err(&exits(&here, args, 2));
    assert!(said(&["run", "model.hnet", "--device", "cuda"]).contains("`--backend auto|gpu|cpu|interp`"));
    assert!(said(&["run", "model.hnet", "--backend", "cuda"]).contains("`--backend gpu` is any graphics device"));
    assert!(said(&["run", "model.hnet", "--batch", "4"]).contains("`--dim b=4`"));
    assert!(said(&["run", "model.hnet", "--checkpoint=w.pt"]).contains("`--params F`"));
    exits(&here, &["run", "model.hnet", "--random-inputs", "--seed", "-1"], 0);
    exits(&here, &["eval", "model.hnet", "--seed", "-1"], 0);
}

#[test]
fn what_errors_offer_is_done_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let text = "from std.linear import Linear\ndim b\nmodel M {\n    input x: float[b, 4]\n    input v: [4]\n    sub fc = nn.Linear(4, 2)\n    h = torch.relu(x) ** 2\n    \
                output y: [b, 2] = self.fc(h)\n    output z: f32 = v[-1] if v.sum() > 0 else 1_0\n}\n";
    std::fs::write(here.join("m.hnet"), text).unwrap();
    let fixed = exits(here, &["check", "m.hnet", "--fix"], 0);
    assert!(err(&fixed).contains("edits made"), "{}", err(&fixed));
    let now = std::fs::read_to_string(here.join("m.hnet")).unwrap();
    let wanted = "import std.linear { Linear }\ndim b\nmodel M {\n    input x: f32[b, 4]\n    input v: [4]\n    sub fc = Linear(4, 2)\n    let h = relu(x) ^ 2\n    \
                  output y: [b, 2] = fc(h)\n    output z: f32 = if sum(v) > 0 { v[3] } else { 10 }\n}\n";
    assert_eq!(now, wanted);
    // A second time there is nothing to do, and nothing is written.
    let again = exits(here, &["check", "m.hnet", "--fix"], 0);
    assert!(!err(&again).contains("made"), "{}", err(&again));
    // Where Python reduces everything and hnet each example, nobody chooses for the writer.
    let two = "dim b\nmodel M {\n    input x: [b, 4]\n    output y: f32 = x.sum()\n}\n";
    std::fs::write(here.join("two.hnet"), two).unwrap();
    assert!(err(&exits(here, &["check", "two.hnet", "--fix"], 1)).contains("`sum[b, i] x[b, i]`"));
    assert_eq!(std::fs::read_to_string(here.join("two.hnet")).unwrap(), two);
    // What no edit mends stays, and is said; a warning's edit is not made.
    let left = "dim b\nmodel M {\n    input x: [b, 4]\n    let unused = 1\n    output y: [b] = x.shape + True\n}\n";
    std::fs::write(here.join("l.hnet"), left).unwrap();
    let o = exits(here, &["check", "l.hnet", "--fix"], 1);
    assert!(err(&o).contains("by its name"), "{}", err(&o));
    assert!(std::fs::read_to_string(here.join("l.hnet")).unwrap().contains("let unused"));
}

#[test]
fn programs_of_a_folder_and_of_stdin_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::create_dir_all(here.join("a/.hidden")).unwrap();
    let good = "dim b\nmodel M {\n    input x: [b]\n    output y: [b] = x\n}\n";
    for name in ["a/one.hnet", "a/two.hnet", "a/.hidden/three.hnet", "a/text.md"] {
        std::fs::write(here.join(name), good).unwrap();
    }
    let o = exits(here, &["check", "a"], 0);
    assert_eq!(out(&o).lines().count(), 2, "{}", out(&o));
    std::fs::write(here.join("a/two.hnet"), "model {").unwrap();
    exits(here, &["check", "a"], 1);
    std::fs::create_dir(here.join("empty")).unwrap();
    assert!(err(&exits(here, &["check", "empty"], 2)).contains("has no programs"));
    let mut child =
        command(here, &["check", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(good.as_bytes()).unwrap();
    let o = child.wait_with_output().unwrap();
    assert!(o.status.success() && out(&o).contains("M: 1 input"), "{}", err(&o));
    exits(here, &["check", "-", "--fix"], 2);
}

#[test]
fn outputs_are_compared_and_values_on_the_way_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let text = "dim b\nnet Twice(n) {\n    (x: [n]) -> [n] {\n        let h = 2 * x\n        h + 1\n    }\n}\nmodel M {\n    input x: [b, 2]\n    sub t = Twice(2)\n    \
                let mid = t(x)\n    output y: [b, 2] = mid * mid\n}\n";
    std::fs::write(here.join("m.hnet"), text).unwrap();
    let run = |more: &[&str], code: i32| {
        let args = [&["run", "m.hnet", "--condition", "x=1,2,3,4", "--dim", "b=2"], more].concat();
        exits(here, &args, code)
    };
    run(&["-o", "want.safetensors"], 0);
    assert!(out(&run(&["--expect", "want.safetensors"], 0)).contains("yes"));
    // y = (2 x + 1)^2; the probe is 2 x, and what a body calls h.
    let o = out(&run(&["--probe", "t.h", "--probe", "mid"], 0));
    assert!(o.contains("t.h") && o.contains("2 4 6 8") && o.contains("3 5 7 9") && !o.contains("y "), "{o}");
    assert!(err(&run(&["--probe", "mit"], 2)).contains("there is `mid`"));
    let rounds = "model L {\n    input x: [2]\n    input n: i32\n    var s = x\n    for i in 0..n at most 5 {\n        let twice = 2 * s\n        \
                  s = twice + 1\n    }\n    output y: [2] = s\n}\n";
    std::fs::write(here.join("l.hnet"), rounds).unwrap();
    let said = err(&exits(here, &["run", "l.hnet", "--random-inputs", "--condition", "n=3", "--probe", "twice"], 2));
    assert!(said.contains("`twice` stands in a loop") && said.contains("yield twice"), "{said}");
    let written = "model W {\n    condition c: [2]\n    input x: [2]\n    param w: [2]\n    generate w from 3 * c\n    adapt w by 1\n    output y: [2] = w * x\n}\n";
    std::fs::write(here.join("w.hnet"), written).unwrap();
    let o = out(&exits(here, &["run", "w.hnet", "--condition", "c=1,2", "--random-inputs", "--probe", "w"], 0));
    assert!(o.contains("4 7"), "{o}");
    run(&["--probe", "mid", "-o", "mid.npy"], 0);
    run(&["--probe", "mid", "--expect", "mid.npy"], 0);
    // Another input is not what was expected: which element is the worst, and by how much.
    let other =
        exits(here, &["run", "m.hnet", "--condition", "x=1,2,3,5", "--dim", "b=2", "--expect", "want.safetensors", "--json"], 1);
    let value: serde_json::Value = serde_json::from_str(&out(&other)).unwrap();
    let first = &value["expected"]["outputs"][0];
    assert_eq!((first["at"].as_str(), first["is"].as_f64(), first["wanted"].as_f64()), (Some("[1, 1]"), Some(121.0), Some(81.0)));
    run(&["--output", "y", "--expect", "mid.npy"], 1);
    run(&["--tol", "1e-3"], 2);
    run(&["--expect", "want.safetensors", "--tol", "-1"], 2);
    run(&["--expect", "missing.safetensors"], 2);
}
