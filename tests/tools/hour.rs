//! What a newcomer asks for in the first hour: how long it takes, what it is run on, what a program is, its picture.

use super::cli::{command, err, exits, out};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Duration;

const TEXT: &str = "dim b
net Twice(n) {
    param w: [n] = zeros()
    (x: [n]) -> [n] { 2 * x + w }
}
/// What it is for.
model M {
    condition task: i32 = 0
    condition _width: size in [1, 2] = 2
    input x: [b, 2]
    param table: [3, 2] = normal(std: 0.5)
    sub t = Twice(2)
    generate t.w from table[task]
    let made = t(x)
    output y: [b, 2] = made
    loss cost = mean[b] sum(made^2)
}
";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.hnet"), TEXT).unwrap();
    folder
}

#[test]
fn bench_says_a_median_and_its_spread() {
    let folder = folder();
    let text = out(&exits(folder.path(), &["bench", "m.hnet", "--runs", "4", "--backend", "cpu", "--dim", "b=3"], 0));
    assert!(text.starts_with("M on cpu, ") && text.contains("x: f32[3, 2]") && text.contains("of 4 runs"), "{text}");
    for backend in ["interp", "cpu"] {
        let args = ["bench", "m.hnet", "--runs", "5", "--backend", backend, "--output", "y", "--json", "--threads", "1"];
        let o = exits(folder.path(), &args, 0);
        assert!(err(&o).is_empty(), "{}", err(&o));
        let value: serde_json::Value = serde_json::from_str(&out(&o)).unwrap();
        assert_eq!((&value["runs"], &value["backend"], &value["outputs"][0]), (&5.into(), &backend.into(), &"y".into()));
        let times = [&value["min"], &value["quartiles"][0], &value["median"], &value["quartiles"][1], &value["max"]];
        let times: Vec<f64> = times.iter().map(|t| t.as_f64().unwrap()).collect();
        assert!(times[0] > 0.0 && times.is_sorted(), "{times:?}");
    }
    exits(folder.path(), &["bench", "m.hnet", "--runs", "0"], 2);
    assert!(err(&exits(folder.path(), &["bench", "m.hnet", "--output", "z"], 2)).contains("H0612"));
    exits(folder.path(), &["bench", "m.hnet", "--dim", "b=-1"], 2);
}

#[test]
fn what_was_drawn_can_be_kept() {
    let folder = folder();
    let run = |more: &[&str], code| exits(folder.path(), &[&["run", "m.hnet", "--params", "p.safetensors"], more].concat(), code);
    exits(folder.path(), &["init", "m.hnet", "-o", "p.safetensors"], 0);
    run(&["--random-inputs", "--seed", "3", "--save-inputs", "i.safetensors", "-o", "y.safetensors"], 0);
    let again = run(&["--inputs", "i.safetensors", "--expect", "y.safetensors", "--tol", "0"], 0);
    assert!(out(&again).contains("yes"), "{}", out(&again));
    run(&["--random-inputs", "--save-inputs", "y.safetensors", "-o", "y.safetensors"], 2);
    run(&["--random-inputs", "--save-inputs", "y.txt"], 2);
    run(&["--random-inputs", "--save-inputs", "p.safetensors"], 2);
}

#[test]
fn a_model_is_json_for_programs() {
    let folder = folder();
    insta::assert_snapshot!("model", out(&exits(folder.path(), &["build", "m.hnet", "--emit", "model"], 0)));
}

#[test]
fn pictures_are_pixels_and_pages_too() {
    let folder = folder();
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    exits(folder.path(), &["graph", "m.hnet", "-o", "m.svg"], 0);
    exits(folder.path(), &["graph", "m.hnet", "--format", "png"], 2);
    exits(folder.path(), &["graph", "m.hnet", "-o", "m.jpg"], 2);
    exits(folder.path(), &["graph", "m.hnet", "--format", "pdf", "-o", "m.png"], 2);
    if !cfg!(feature = "pictures") {
        let o = exits(folder.path(), &["draw", "m.hnet", "-o", "m.png"], 2);
        return assert!(err(&o).contains("--features pictures"), "{}", err(&o));
    }
    exits(folder.path(), &["draw", "m.hnet", "-o", "m.png"], 0);
    exits(folder.path(), &["graph", "m.hnet", "-o", "m.pdf"], 0);
    let (svg, png, pdf) = (String::from_utf8(read("m.svg")).unwrap(), read("m.png"), read("m.pdf"));
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && pdf.starts_with(b"%PDF-"));
    // Two pixels for each unit of the SVG.
    let width: f64 = svg.split("width=\"").nth(1).and_then(|s| s.split('"').next()).unwrap().parse().unwrap();
    assert_eq!(f64::from(u32::from_be_bytes(png[16..20].try_into().unwrap())), 2.0 * width);
}

#[test]
fn a_program_is_checked_again_when_it_or_what_it_imports_changes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("parts")).unwrap();
    write("parts/f.hnet", "fn f(x: f32) -> f32 { x + 1 }\n");
    write("m.hnet", "import \"parts/f.hnet\" { f }\nmodel M {\n    input x: f32\n    output y: f32 = f(x)\n}\n");
    let mut child =
        command(folder.path(), &["check", "m.hnet", "--watch"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (send, lines) = channel();
    let read = |from: Box<dyn std::io::Read + Send>| {
        let send = send.clone();
        std::thread::spawn(move || BufReader::new(from).lines().map_while(Result::ok).for_each(|l| drop(send.send(l))));
    };
    read(Box::new(child.stdout.take().unwrap()));
    read(Box::new(child.stderr.take().unwrap()));
    let until = |word: &str| {
        let mut seen = vec![];
        while !seen.last().is_some_and(|l: &String| l.contains(word)) {
            match lines.recv_timeout(Duration::from_secs(30)) {
                Ok(line) => seen.push(line),
                Err(_) => return Err(seen),
            }
        }
        Ok(())
    };
    let seen = until("m.hnet: fine")
        .and_then(|()| {
            write("parts/f.hnet", "fn f(x: f32) -> f32 { x + }\n");
            until("H0133")
        })
        .and_then(|()| {
            write("parts/f.hnet", "fn f(x: f32) -> f32 { x + 2 }\n");
            until("m.hnet: fine")
        })
        .and_then(|()| {
            write("new", "model M { input x: f32 }\n");
            std::fs::rename(folder.path().join("new"), folder.path().join("m.hnet")).unwrap();
            until("nothing reads")
        });
    child.kill().unwrap();
    child.wait().unwrap();
    seen.unwrap();
    exits(folder.path(), &["check", "-", "--watch"], 2);
}
