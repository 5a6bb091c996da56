//! What is made to break the program: devices and pipes as files, little memory, files that are cut or lie, interrupts, programs of strangers.
//! Whatever comes, the answer is a message and an exit code of the table, soon, within a bound of memory; nothing of anybody else's is
//! overwritten, and nothing half written is left.
#![cfg(unix)]

use hnet::files::archive;
use hnet::ir::{Data, Tensor};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What one command may take; generous, because machines that run tests are busy.
const PATIENCE: Duration = Duration::from_secs(60);

const MODEL: &str = "dim b\nmodel M {\n    input x: [b, 4]\n    param w: [4, 3] = normal()\n    output y: [b, 3] = x @ w\n    \
    output m: f32 = mean[b] sum(x)\n}\neval M {\n    data \"rows.safetensors\" { x }\n    batch b = 2\n    report m\n}\n";

/// A folder with a model and its data.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.hnet"), MODEL).unwrap();
    let x = Tensor::new(vec![6, 4], Data::F32((0..24).map(|i| i as f32).collect()));
    archive::save(&folder.path().join("rows.safetensors"), &[("x".to_string(), x)]).unwrap();
    folder
}

/// The program in a shell with limits (`ulimit -v 450000`).
fn command(folder: &Path, limits: &str, args: &[&str]) -> Command {
    let mut c = Command::new("sh");
    c.arg("-c").arg(format!("{limits}\nexec \"$0\" \"$@\"")).arg(env!("CARGO_BIN_EXE_hnet")).args(args);
    c.current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    c
}

/// Waits; what takes too long is ended and fails.
fn finish(mut child: Child, what: &str) -> Output {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("{what}: more than {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// Runs within limits; its exit code and what it said. A signal is a failure.
fn limited(folder: &Path, limits: &str, args: &[&str]) -> (i32, String) {
    let what = format!("{limits}; hnet {}", args.join(" "));
    let o = finish(command(folder, limits, args).spawn().unwrap(), &what);
    let said = String::from_utf8_lossy(&o.stderr).into_owned();
    let code = o.status.code().unwrap_or_else(|| panic!("{what}: {:?}\n{said}", o.status));
    assert!(!said.contains("bug in hnet") && code != 101, "{what}\n{said}");
    (code, said)
}

fn hnet(folder: &Path, args: &[&str]) -> (i32, String) {
    limited(folder, "", args)
}

/// Names of the files in a folder that begin with a dot.
fn hidden(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|n| n.starts_with('.')).collect()
}

#[test]
fn devices_pipes_and_folders_are_no_files() {
    let folder = folder();
    let here = folder.path();
    assert!(Command::new("mkfifo").arg(here.join("pipe")).status().unwrap().success());
    std::fs::write(here.join("imports.hnet"), "import \"./pipe\" { A }\n").unwrap();
    let data = MODEL.replace("rows.safetensors", "pipe");
    std::fs::write(here.join("data.hnet"), data).unwrap();
    // 2 GiB are far less than any of these would take.
    let limit = "ulimit -v 2000000";
    for file in ["/dev/zero", "/dev/random", "pipe", "/"] {
        let value = format!("x=@{file}");
        let all: [&[&str]; 8] = [
            &["check", file],
            &["run", file],
            &["fmt", file],
            &["graph", file],
            &["run", "m.hnet", "--inputs", file],
            &["run", "m.hnet", "--random-inputs", "--params", file],
            &["run", "m.hnet", "--condition", &value],
            &["eval", "m.hnet", "--params", file],
        ];
        for args in all {
            let (code, said) = limited(here, limit, args);
            assert!(code == 2 && said.contains("H0001"), "{args:?}: {code} {said}");
        }
    }
    assert_eq!(limited(here, limit, &["check", "imports.hnet"]).0, 2);
    assert_eq!(limited(here, limit, &["eval", "data.hnet"]).0, 2);
    let mut endless = command(here, limit, &["fmt", "-"]);
    endless.stdin(std::fs::File::open("/dev/zero").unwrap());
    let o = finish(endless.spawn().unwrap(), "fmt - < /dev/zero");
    assert_eq!(o.status.code(), Some(2));
    std::fs::write(here.join("long.hnet"), vec![b' '; 5 << 20]).unwrap();
    assert!(hnet(here, &["check", "long.hnet"]).1.contains("more than a text may have"));
}

#[test]
fn little_memory_and_no_threads_are_said() {
    let folder = folder();
    for kilobytes in [100_000, 200_000, 330_000, 450_000, 700_000, 1_500_000] {
        let limit = format!("ulimit -v {kilobytes}");
        let runs: [&[&str]; 4] = [
            &["check", "m.hnet"],
            &["run", "m.hnet", "--random-inputs"],
            &["eval", "m.hnet"],
            &["run", "m.hnet", "--random-inputs", "--threads", "8"],
        ];
        for args in runs {
            let (code, said) = limited(folder.path(), &limit, args);
            assert!([0, 4].contains(&code), "{limit}, {args:?}: {code} {said}");
            assert!(code == 0 || said.contains("memory") || said.contains("thread"), "{said}");
            assert!(kilobytes < 1_500_000 || code == 0, "{args:?}: {said}");
        }
    }
    // A stack of 256 MB, and the 128 that an allocator reserves.
    let (code, said) = limited(folder.path(), "ulimit -v 550000", &["check", "m.hnet"]);
    assert_eq!(code, 0, "{said}");
    let (code, _) = limited(folder.path(), "ulimit -v 550000", &["run", "m.hnet", "--random-inputs", "--backend", "gpu"]);
    assert_eq!(code, 3);
}

#[test]
fn sizes_that_no_memory_holds_are_refused_before_it_is_taken() {
    let folder = folder();
    for rows in ["1000000000000", "4000000000000000000", "30000000000"] {
        for backend in ["interp", "cpu"] {
            let dim = format!("b={rows}");
            let args = ["run", "m.hnet", "--random-inputs", "--backend", backend, "--dim", &dim];
            let (code, said) = limited(folder.path(), "ulimit -v 8000000", &args);
            assert!(code == 4 && said.contains("H0801"), "{args:?}: {code} {said}");
        }
    }
}

#[test]
fn a_file_that_is_cut_while_it_is_read_is_a_message() {
    let folder = folder();
    let here = folder.path();
    let text = "model M {\n    param w: [2000, 4000] = zeros()\n    output y: f32 = sum[i, j] w[i, j]\n}\n";
    std::fs::write(here.join("big.hnet"), text).unwrap();
    let w = Tensor::new(vec![2000, 4000], Data::F32(vec![1.0; 8_000_000]));
    for wait in [0, 10, 30, 60, 100] {
        let path = here.join("w.safetensors");
        archive::save(&path, &[("w".to_string(), w.clone())]).unwrap();
        let child = command(here, "", &["run", "big.hnet", "--params", "w.safetensors", "--backend", "cpu"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        std::fs::File::options().write(true).open(&path).unwrap().set_len(1000).unwrap();
        let o = finish(child, "a file that is cut");
        assert!([Some(0), Some(2)].contains(&o.status.code()), "{:?} {}", o.status, String::from_utf8_lossy(&o.stderr));
    }
}

#[test]
fn files_of_other_kinds_say_what_they_are() {
    let folder = folder();
    let here = folder.path();
    let said = |name: &str, bytes: &[u8]| {
        std::fs::write(here.join(name), bytes).unwrap();
        let (code, said) = hnet(here, &["run", "m.hnet", "--random-inputs", "--params", name]);
        assert!(code == 2 && said.contains("H0608"), "{name}: {code} {said}");
        said
    };
    assert!(said("w.npz", b"PK\x03\x04xxxxxxxxxxxxxxxxxxxxxxxxxxw.npy").contains("its directory is not at its end"));
    assert!(said("w.pt", b"PK\x03\x04xxxxxxxxxxxxxxxxxxxxxxxxxxarchive/data.pkl").contains("torch.load"));
    assert!(said("w.pkl", b"\x80\x04\x95xx").contains("pickle"));
    assert!(said("w.gguf", b"GGUF\x03\0\0\0").contains("GGUF"));
    let huge = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    assert!(said("w.safetensors", &huge).contains("not one of a safetensors file"));
    let lies = r#"{"w":{"dtype":"F32","shape":[4,3],"data_offsets":[0,48]}}"#;
    assert!(
        said("w.safetensors", &[&(lies.len() as u64).to_le_bytes()[..], lies.as_bytes(), &[0; 8]].concat()).contains("cut short")
    );
}

/// Sends a signal to a process.
fn signal(child: &Child, name: &str) {
    // It may be over.
    let _ = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).stderr(Stdio::null()).status();
}

/// When interrupts come, in milliseconds; the last ones are after the end of quick machines.
const MOMENTS: [u64; 10] = [5, 20, 40, 70, 110, 160, 230, 320, 450, 700];

#[test]
fn an_interrupt_leaves_the_old_file_or_the_new_one_and_nothing_else() {
    let folder = folder();
    let here = folder.path();
    std::fs::write(here.join("y.safetensors"), "old").unwrap();
    let run =
        ["run", "m.hnet", "--random-inputs", "--backend", "cpu", "--dim", "b=300000", "--output", "y", "--out", "y.safetensors"];
    for (k, wait) in MOMENTS.iter().enumerate() {
        let child = command(here, "", &run).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(*wait));
        signal(&child, ["INT", "TERM"][k % 2]);
        let o = finish(child, "an interrupted run");
        assert!([Some(0), Some(130), None].contains(&o.status.code()), "{:?} {}", o.status, String::from_utf8_lossy(&o.stderr));
        assert_eq!(hidden(here), [] as [String; 0], "after {wait} ms");
        let bytes = std::fs::read(here.join("y.safetensors")).unwrap();
        assert!(bytes == b"old" || bytes.len() > 300_000 * 12, "{} bytes", bytes.len());
    }
}

/// The parts of a site that are the same in every build of one model.
fn version(site: &Path) -> String {
    let list = std::fs::read_to_string(site.join("hnet-files.txt")).unwrap();
    for line in list.lines() {
        let (_, path) = line.split_once(' ').unwrap();
        assert!(site.join(path).is_file(), "{path} is listed and not there");
    }
    list
}

#[test]
fn a_site_that_is_killed_midway_is_the_old_or_the_new_one() {
    let folder = folder();
    let here = folder.path();
    let build = |name: &str| ["build".to_string(), name.to_string(), "--target".into(), "web".into(), "-o".into(), "site".into()];
    std::fs::write(here.join("other.hnet"), MODEL.replace("x @ w", "tanh(x @ w) + 1")).unwrap();
    let whole = |name: &str| {
        let args = build(name);
        let (code, said) = hnet(here, &args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(code, 0, "{said}");
        version(&here.join("site"))
    };
    let versions = [whole("m.hnet"), whole("other.hnet")];
    assert_ne!(versions[0], versions[1]);
    std::fs::write(here.join("site/CNAME"), "mine").unwrap();
    for (k, wait) in MOMENTS.iter().enumerate() {
        let args = build(["m.hnet", "other.hnet"][k % 2]);
        let child = command(here, "", &args.iter().map(String::as_str).collect::<Vec<_>>()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(*wait));
        let name = ["INT", "KILL", "TERM"][k % 3];
        signal(&child, name);
        finish(child, "an interrupted build");
        assert!(versions.contains(&version(&here.join("site"))), "after {wait} ms");
        assert_eq!(std::fs::read_to_string(here.join("site/CNAME")).unwrap(), "mine");
        assert!(name == "KILL" || hidden(here).len() <= usize::from(k > 0), "{:?}", hidden(here));
    }
    // What was left by those that were killed goes with the next.
    whole("m.hnet");
    assert_eq!(hidden(here), [] as [String; 0]);
}

#[test]
fn nothing_that_is_read_is_written_over() {
    let folder = folder();
    let here = folder.path();
    std::fs::copy(here.join("rows.safetensors"), here.join("m.inputs.safetensors")).unwrap();
    std::os::unix::fs::symlink("m.hnet", here.join("link.svg")).unwrap();
    std::fs::hard_link(here.join("m.hnet"), here.join("hard.dot")).unwrap();
    let refused: [&[&str]; 9] = [
        &["graph", "m.hnet", "-o", "m.hnet"],
        &["graph", "m.hnet", "-o", "new.hnet"],
        &["graph", "m.hnet", "-o", "link.svg"],
        &["graph", "m.hnet", "-o", "hard.dot"],
        &["run", "m.hnet", "--random-inputs", "--out", "m.hnet"],
        &["run", "m.hnet", "--random-inputs", "--trace", "m.hnet"],
        &["run", "m.hnet", "--out", "m.inputs.safetensors"],
        &["run", "m.hnet", "--inputs", "rows.safetensors", "--out", "./rows.safetensors"],
        &["build", "m.hnet", "--target", "web", "-o", "."],
    ];
    let before: Vec<Vec<u8>> = ["m.hnet", "rows.safetensors"].iter().map(|f| std::fs::read(here.join(f)).unwrap()).collect();
    for args in refused {
        let (code, said) = hnet(here, args);
        assert_eq!(code, 2, "{args:?}: {said}");
    }
    let after: Vec<Vec<u8>> = ["m.hnet", "rows.safetensors"].iter().map(|f| std::fs::read(here.join(f)).unwrap()).collect();
    assert!(before == after && !here.join("new.hnet").exists());
    // A folder of somebody else's files.
    std::fs::create_dir(here.join("site")).unwrap();
    std::fs::write(here.join("site/index.html"), "mine").unwrap();
    let (code, said) = hnet(here, &["build", "m.hnet", "--target", "web", "-o", "site"]);
    assert!(code == 2 && said.contains("not from a build"), "{said}");
    assert_eq!(std::fs::read_to_string(here.join("site/index.html")).unwrap(), "mine");
}

#[test]
fn a_full_disk_and_a_closed_pipe_are_said_or_quiet() {
    let folder = folder();
    let here = folder.path();
    if Path::new("/dev/full").exists() {
        let (code, said) = hnet(here, &["run", "m.hnet", "--random-inputs", "--out", "/dev/full"]);
        assert!(code == 2 && said.contains("the disk is full"), "{code} {said}");
        let mut c = command(here, "exec > /dev/full", &["explain", "--list"]);
        let o = finish(c.spawn().unwrap(), "explain > /dev/full");
        assert_eq!(o.status.code(), Some(2));
    }
    let o = finish(command(here, "exec 1>&-", &["check", "m.hnet"]).spawn().unwrap(), "no stdout");
    assert!(o.status.code().is_some_and(|c| c != 101), "{:?}", o.status);
}

#[test]
fn a_program_of_a_stranger_shows_nothing_of_other_files() {
    let folder = folder();
    let (here, own) = (folder.path(), folder.path().join("own"));
    std::fs::create_dir(&own).unwrap();
    let secret = "root:SECRET:0:0 is nobody's business\n";
    std::fs::write(here.join("secret"), secret).unwrap();
    for link in ["link.hnet", "m.params.safetensors"] {
        std::os::unix::fs::symlink("../secret", own.join(link)).unwrap();
    }
    std::os::unix::fs::symlink("..", own.join("up")).unwrap();
    let absolute = here.join("secret").display().to_string();
    for path in ["../secret", "./../secret", "up/secret", "./up/secret", "link.hnet", &absolute] {
        for text in [format!("import \"{path}\" {{ A }}\n"), MODEL.replace("rows.safetensors", path)] {
            std::fs::write(own.join("m.hnet"), &text).unwrap();
            let commands: [&[&str]; 4] = [
                &["check", "m.hnet"],
                &["check", "m.hnet", "--json"],
                &["eval", "m.hnet"],
                &["build", "m.hnet", "--target", "web", "-o", "site"],
            ];
            for args in commands {
                let what = format!("{args:?} {path}");
                let o = finish(command(&own, "", args).spawn().unwrap(), &what);
                let said = [o.stdout, o.stderr].concat();
                let said = String::from_utf8_lossy(&said);
                assert!(!said.contains("SECRET") && o.status.code() != Some(101), "{what}: {said}");
                let data = text.starts_with("dim") && args[0] == "check";
                assert!(data || said.contains("H0008"), "{what}: {said}");
            }
        }
    }
    // Whoever knows the program says so.
    std::fs::write(here.join("parts.hnet"), "fn twice(x: [n]) -> [n] { 2 * x }\n").unwrap();
    let uses = "import \"../parts.hnet\" { twice }\nmodel M {\n    input x: [4]\n    output y: [4] = twice(x)\n}\n";
    std::fs::write(own.join("uses.hnet"), uses).unwrap();
    assert_eq!(hnet(&own, &["check", "uses.hnet"]).0, 2);
    assert_eq!(hnet(&own, &["check", "uses.hnet", "--allow-outside"]).0, 0);
}
