//! Pages that train: their losses are those of the CPU, step by step, whatever the block asks for; what they store goes on to the same
//! numbers; mistakes are said and change nothing.

use super::browser::Browser;
use super::programs::{ALL, NAMES, ROUNDS, SIZED, TURNS};
use super::{Built, common, served};
use hnet::bind::init;
use hnet::check::model::Model;
use hnet::exec::session::{Backend, Options as Run};
use hnet::files::archive::{self, Archive};
use hnet::files::stored::Kind;
use hnet::ir::{DType, Data, Tensor};
use hnet::pipeline;
use hnet::program::NoFiles;
use hnet::source::Sources;
use hnet::train::{Options, Record, Trainer, course};
use hnet::web;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A page that trains, beginning with drawn weights as `hnet train` does.
fn taught(name: &str, model: Model, folder: &Path, block: &str) -> Built {
    let train = course::phase(&model, block).unwrap();
    let sizes = model.dims.iter().filter_map(|d| Some((d.name.clone(), d.size?))).collect();
    let params = init::initialise_all(&model, &sizes, model.trains[0].seed).unwrap();
    let request = web::Request {
        model: &model,
        params: params.clone(),
        about: String::new(),
        folder,
        inputs: None,
        locate: &|_| None,
        outputs: &[],
        train: Some(train),
        seed: None,
    };
    let bundle = web::bundle(&request).unwrap_or_else(|d| panic!("{name}: {d:?}"));
    Built { name: name.into(), model, params, bundle }
}

fn checked(text: &str) -> Model {
    let mut sources = Sources::default();
    let file = sources.add("page.hnet", None, text);
    let checked = pipeline::check_with(&mut sources, &NoFiles, file, &[]);
    assert!(checked.is_fine(), "{:#?}", checked.diagnostics);
    checked.models.into_iter().next().unwrap()
}

/// What the CPU's trainer records of the first steps, and its weights after them.
fn on_cpu(b: &Built, folder: &Path, block: &str, steps: usize) -> (Vec<Record>, BTreeMap<String, Tensor>) {
    let run = Run { backend: Backend::Cpu, threads: 1, half: false, ..Run::default() };
    let options = Options { run, phase: Some(block.into()), ..Options::default() };
    let mut trainer = Trainer::new(&b.model, b.params.clone(), folder, options).unwrap();
    let records = (0..steps).map(|_| trainer.step().unwrap().unwrap()).collect();
    (records, trainer.params().unwrap())
}

/// Opens a page's model as `m`.
fn open(browser: &mut Browser, b: &Built) {
    browser.open(&served([b]));
    browser.eval(&format!("(async () => {{ window.m = await (await import('/{}/model.js')).load(); }})()", b.name));
}

/// Takes steps of the page on the rows that went with it.
fn steps(browser: &mut Browser, count: usize) -> Vec<Value> {
    let taken = browser.eval(&format!(
        "(async () => {{
            const out = [];
            for (let k = 0; k < {count}; k++) out.push(await m.train.step());
            return out;
        }})()"
    ));
    taken.as_array().unwrap().clone()
}

fn near(what: &str, got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * want.abs().max(1e-6), "{what}: {got} on the page, {want} on the CPU");
}

/// That steps of a page are those of the CPU.
fn same(what: &str, got: &[Value], want: &[Record], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(want) {
        assert_eq!(g["step"], w.step, "{what}");
        assert_eq!(
            g["losses"].as_object().unwrap().len(),
            w.losses.iter().map(|l| &l.0).collect::<std::collections::BTreeSet<_>>().len()
        );
        for (name, v) in &w.losses {
            near(&format!("{what}, {name} of step {}", w.step), g["losses"][name].as_f64().unwrap(), *v, tolerance);
        }
        for (name, v) in &w.rates {
            near(&format!("{what}, {name} of step {}", w.step), g["rates"][name].as_f64().unwrap(), *v, 1e-6);
        }
        near(&format!("{what}, norm of step {}", w.step), g["norm"].as_f64().unwrap(), w.norm, 10.0 * tolerance);
        for (name, v) in &w.loads {
            let got: Vec<f64> = g["loads"][name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            assert!(got.iter().zip(v).all(|(a, b)| (a - b).abs() < 1e-6), "{what}, {name} of step {}: {got:?}, {v:?}", w.step);
        }
        for (name, v) in &w.dropped {
            near(&format!("{what}, {name} of step {}", w.step), g["dropped"][name].as_f64().unwrap(), *v, 1e-6);
        }
    }
}

#[test]
fn a_page_learns_digits_as_the_cpu_does() {
    let Some(mut browser) = Browser::start() else { return };
    let path = common::root().join("models/task_digits.hnet");
    let folder = path.parent().unwrap().to_path_buf();
    let b = taught("task_digits", common::models(&path).remove(0), &folder, "TaskDigits");
    let (want, params) = on_cpu(&b, &folder, "TaskDigits", 50);
    open(&mut browser, &b);
    let start = std::time::Instant::now();
    let first = steps(&mut browser, 25);
    browser.eval("(async () => { window.kept = await m.train.state(); })()");
    let rest = steps(&mut browser, 25);
    eprintln!("50 steps took {:.1?}", start.elapsed());
    same("digits", &[first, rest.clone()].concat(), &want, 1e-4);
    // What was stored goes on to the same bits, in another page, too.
    browser.eval("m.train.load(window.kept)");
    assert_eq!(steps(&mut browser, 25), rest);
    all_close(&weights(&mut browser), &params);
    assert_eq!(browser.faults, Vec::<String>::new());
}

fn floats(shape: &[usize], value: impl Fn(usize) -> f64) -> Tensor {
    Tensor::new(shape.to_vec(), Data::F32((0..shape.iter().product()).map(|k| value(k) as f32).collect()))
}

fn whole(shape: &[usize], value: impl Fn(usize) -> usize) -> Tensor {
    Tensor::new(shape.to_vec(), Data::I32((0..shape.iter().product()).map(|k| value(k) as i32).collect()))
}

/// A folder with rows of every kind.
fn rows() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let n = 50;
    let columns = [
        ("x", floats(&[n, 6], |k| ((k * 37 + 11) % 29) as f64 / 10.0 - 1.4)),
        ("label", whole(&[n], |r| r * 7 % 3)),
        ("task", whole(&[n], |r| r * r % 3)),
        ("y", floats(&[n], |k| (k as f64).cos())),
    ];
    archive::save(&folder.path().join("rows.safetensors"), &columns.map(|(n, t)| (n.to_string(), t))).unwrap();
    folder
}

/// A page of a program whose data lie in a folder, with what the CPU makes of it.
fn both(name: &str, text: &str, block: &str, count: usize) -> (Built, Vec<Record>, BTreeMap<String, Tensor>) {
    let folder = rows();
    let b = taught(name, checked(text), folder.path(), block);
    let (want, params) = on_cpu(&b, folder.path(), block, count);
    (b, want, params)
}

/// The weights that a page gives, in its own spelling; those apart are the same numbers.
fn weights(browser: &mut Browser) -> BTreeMap<String, Tensor> {
    let apart = "(async () => {
        const header = (b) => JSON.parse(new TextDecoder().decode(b.subarray(8, 8 + Number(new DataView(b.buffer).getBigUint64(0, true)))));
        const [joined, apart] = [await m.train.params(), await m.train.params({ apart: true })];
        const bytes = (b) => b.slice(8 + Number(new DataView(b.buffer).getBigUint64(0, true))).join();
        return { same: bytes(joined) === bytes(apart), names: Object.keys(header(apart)), joined: Object.keys(header(joined)) };
    })()";
    let said = browser.eval(apart);
    assert_eq!(said["same"], true);
    let stars = said["joined"].as_array().unwrap().iter().any(|n| n.as_str().unwrap().contains("expert.*."));
    let numbered = said["names"].as_array().unwrap().iter().any(|n| n.as_str().unwrap().contains("expert.3."));
    assert!(stars == numbered && !said["names"].to_string().contains('*'), "{said}");
    let got = browser.eval("(async () => [...await m.train.params()])()");
    let bytes: Vec<u8> = got.as_array().unwrap().iter().map(|b| b.as_u64().unwrap() as u8).collect();
    let file = tempfile::NamedTempFile::with_suffix(".safetensors").unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let archive = Archive::open(file.path()).unwrap();
    let all = archive.names().map(|n| (n.to_string(), archive.get(n).unwrap()));
    all.map(|(n, s)| (n, s.load(if s.kind == Kind::I32 { DType::I32 } else { DType::F32 }).unwrap())).collect()
}

fn all_close(got: &BTreeMap<String, Tensor>, want: &BTreeMap<String, Tensor>) {
    assert_eq!(got.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>());
    want.iter().for_each(|(path, w)| common::close(path, &got[path], w, 1e-3));
}

#[test]
fn whatever_a_block_asks_for_a_page_takes_the_steps_of_the_cpu() {
    let Some(mut browser) = Browser::start() else { return };
    for (name, text, block, count) in [("all", ALL, "M", 30), ("rounds", ROUNDS, "each", 14), ("turns", TURNS, "T", 12)] {
        let (b, want, params) = both(name, text, block, count);
        open(&mut browser, &b);
        let half = count / 2;
        let first = steps(&mut browser, half);
        browser.eval("(async () => { window.kept = await m.train.state(); })()");
        let rest = steps(&mut browser, count - half);
        same(name, &[first.clone(), rest.clone()].concat(), &want, 2e-4);
        all_close(&weights(&mut browser), &params);
        // What was stored goes on to the same bits, and so does a new beginning.
        browser.eval("m.train.load(window.kept)");
        assert_eq!(steps(&mut browser, count - half), rest, "{name}");
        browser.eval("m.train.reset()");
        assert_eq!(steps(&mut browser, half), first, "{name}");
        assert_eq!(browser.eval("(m.destroy(), m.train.name)"), block);
    }
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn a_page_gives_rows_of_its_own_and_reads_losses_when_it_likes() {
    let Some(mut browser) = Browser::start() else { return };
    let (b, want, params) = both("all", ALL, "M", 30);
    open(&mut browser, &b);
    // Rows by hand, most steps unread; runs in between see the weights as they are, without a way through the host.
    let got = browser.eval(
        "(async () => {
            const out = [], read = [];
            const x = { shape: [2, 6], data: [1, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1] };
            m.prepare({ task: 1 });
            for (let k = 0; k < 30; k++) {
                const rows = (await m.train.rows()).map(({ x, label, task }) => ({ x: [...x.data], label: label.data, task }));
                const losses = k % 10 === 9;
                const taken = await m.train.step(rows, { losses });
                if (losses) out.push(taken);
                else if (taken !== undefined) throw new Error('it was read');
                if (k % 15 === 14) read.push([...(await m.run({ x })).logits.data]);
            }
            const weights = await m.train.params();
            const other = await (await import('/all/model.js')).load({ weights });
            other.prepare({ task: 1 });
            read.push([...(await other.run({ x })).logits.data]);
            other.destroy();
            return { out, read, done: m.train.done, taken: m.train.taken, wants: m.train.wants };
        })()",
    );
    let told: Vec<Record> = want.into_iter().filter(|r| r.step % 10 == 0).collect();
    same("unread", got["out"].as_array().unwrap(), &told, 2e-4);
    assert_ne!(got["read"][0], got["read"][1]);
    assert_eq!(got["read"][1], got["read"][2], "a run uses the weights that params() gives");
    assert_eq!((&got["done"], &got["taken"], &got["wants"]), (&json!(false), &json!(30), &json!(["task", "x", "label"])));
    all_close(&weights(&mut browser), &params);
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn mistakes_of_a_page_that_trains_change_nothing() {
    let Some(mut browser) = Browser::start() else { return };
    let (b, want, _) = both("turns", TURNS, "T", 12);
    open(&mut browser, &b);
    browser.eval("m.prepare({ task: 1 })");
    let first = steps(&mut browser, 3);
    let cases = [
        ("m.train.step({ x: [], y: [] })", "a step of `T` needs `task`, i32[b]"),
        (
            "m.train.step({ x: new Float32Array(24), y: new Float32Array(5), task: [0, 0, 0, 0, 0] })",
            "`x` is f32[b, 6]: [5, 6] is wanted",
        ),
        (
            "m.train.step({ x: new Float32Array(30), y: new Float32Array(4), task: [0, 0, 0, 0, 0] })",
            "`y` is f32[b]: [5] is wanted",
        ),
        (
            "m.train.step({ x: new Float32Array(30), y: new Float32Array(5), task: [0, 0, 3, 0, 0] })",
            "`task` is i32[b] and indexes an axis of 3: element 2 is 3",
        ),
        ("m.train.step({ x: new Float32Array(30), z: 1 })", "a step of `T` takes no `z`; it takes `task`, `x`, `y`"),
        ("m.train.step(3)", "a step of `T` takes { task, x, y }"),
        ("m.train.step([])", "a step of `T` takes one batch, and 0 are given"),
        (
            "m.train.step({ x: new Float32Array(30).fill(1e30), y: new Float32Array(5), task: [0, 0, 0, 0, 0] })",
            "the loss of step 4 is Infinity: nothing was changed by this step",
        ),
        (
            "m.train.step({ x: new Float32Array(30).fill(NaN), y: new Float32Array(5), task: [0, 0, 0, 0, 0] })",
            "the loss of step 4 is NaN",
        ),
        ("m.train.load(new Uint8Array(20))", "this is no safetensors file"),
        (
            "(async () => m.train.load((await (await fetch('/turns/rows.safetensors')).arrayBuffer())))()",
            "the file has no `scale`",
        ),
        ("Promise.all([m.train.step(), m.train.step()])", "a step is under way"),
    ];
    let mut taken = 3;
    for (text, want) in cases {
        let said = browser.eval(&format!(
            "(async () => {{ try {{ await ({text}); return 'no error'; }} catch (e) {{ return e.message; }} }})()"
        ));
        assert!(said.as_str().unwrap().starts_with(want), "{text}: {said}");
        taken += u64::from(text.contains("all"));
        browser.wait(&format!("m.train.taken === {taken}"));
    }
    let rest = steps(&mut browser, 4);
    // A device that is lost takes along what was learned, and nothing else is put in its place unasked.
    let lost = browser.eval(
        "(async () => {
            const kept = await m.train.state(), said = [];
            m.device.destroy();
            await m.device.lost;
            for (const work of [() => m.train.step(), () => m.train.params(), () => m.run({ x: new Float32Array(6), y: [1] })]) {
                try { await work(); said.push('no error'); } catch (e) { said.push(e.code); }
            }
            await m.train.load(kept);
            return said;
        })()",
    );
    assert_eq!(lost, json!(["lost", "lost", "lost"]));
    let rest = [rest, steps(&mut browser, 4)].concat();
    same("after mistakes", &first, &want[..3], 2e-4);
    same("after mistakes", &rest, &want[4..], 2e-4);
    let said = browser.eval("(async () => { try { await m.train.step(); } catch (e) { return e.message; } })()");
    assert!(said.as_str().unwrap().starts_with("all 12 steps of `T` are taken"), "{said}");
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn a_step_of_several_batches_of_which_one_is_not_finite_changes_nothing() {
    let Some(mut browser) = Browser::start() else { return };
    let (b, want, _) = both("all", ALL, "M", 6);
    open(&mut browser, &b);
    let first = steps(&mut browser, 3);
    let said = browser.eval(
        "(async () => {
            const [good, bad] = await m.train.rows();
            bad.x.data.fill(NaN);
            try { await m.train.step([good, bad]); } catch (e) { return [e.code, e.message]; }
        })()",
    );
    assert_eq!(said, json!(["not-finite", "the loss of step 4 is NaN: nothing was changed by this step"]));
    same("after NaN", &[first, steps(&mut browser, 3)].concat(), &want, 2e-4);
}

#[test]
fn names_that_every_object_has_are_names_like_others() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let columns = [("__proto__".to_string(), floats(&[10, 2], |k| k as f64 / 7.0 - 1.0))];
    archive::save(&folder.path().join("names.safetensors"), &columns).unwrap();
    let b = taught("names", checked(NAMES), folder.path(), "Names");
    let (want, params) = on_cpu(&b, folder.path(), "Names", 10);
    open(&mut browser, &b);
    let first = steps(&mut browser, 5);
    browser
        .eval("(async () => { window.kept = await m.train.state(); await m.train.reset(); await m.train.load(window.kept); })()");
    let got = browser.eval(
        "(async () => {
            const out = [];
            for (let k = 0; k < 5; k++) {
                const [rows] = await m.train.rows();
                out.push(await m.train.step({ ['__proto__']: rows['__proto__'], valueOf: 1 }));
            }
            const run = await m.run({ ['__proto__']: [[1, 2], [3, 4]] });
            return { out, names: Object.keys(run), data: [...run.__defineGetter__.data] };
        })()",
    );
    let losses: Vec<Value> = [first, got["out"].as_array().unwrap().clone()].concat();
    for (g, w) in losses.iter().zip(&want) {
        near("isPrototypeOf", g["losses"]["isPrototypeOf"].as_f64().unwrap(), w.losses[1].1, 1e-4);
    }
    assert_eq!(got["names"], json!(["__defineGetter__", "isPrototypeOf"]));
    let p = |k: usize| params["toString"].get(k);
    let at = |a: f64, b: f64| p(0) * a + p(1) * b + params["hasOwnProperty"].get(0);
    for (k, want) in [at(1.0, 2.0), at(3.0, 4.0)].into_iter().enumerate() {
        near("__defineGetter__", got["data"][k].as_f64().unwrap(), want, 1e-3);
    }
    all_close(&weights(&mut browser), &params);
    assert_eq!(browser.faults, Vec::<String>::new());
}

/// A step is asked as a whole, however many of its results ask for the same; so is what is set.
#[test]
fn what_steps_ask_of_sizes_goes_with_the_page() {
    let text = "dim t
model Head {
    input x: [t]
    input y: f32
    param w: [4] = normal(std: 0.3)
    param v: [4] = zeros()
    let head = x[0..4]
    output fit: f32 = sum[j] head[j] * w[j]
    loss mse = (fit - y)^2
}
train Head {
    minimize mse
    over w
    with sgd(lr: 1e-2, momentum: 0.5)
    every 2 set v = 0.5 * v + head
    steps 12
}
";
    let b = taught("head", checked(text), Path::new("."), "Head");
    let script = b.bundle.text("model.js");
    let ask = "asks: [{ outputs: [\"step\"], sizes: (d) => [4, d.t], say: (least, most) => \
               `this slice goes to place ${least} of an axis that has ${most}`";
    assert_eq!(script.matches(ask).count(), 2, "{script}");
}

#[test]
fn what_a_page_cannot_train_is_refused_when_it_is_built() {
    let folder = rows();
    let model = checked(SIZED);
    let mut request = web::Request {
        model: &model,
        params: BTreeMap::new(),
        about: String::new(),
        folder: folder.path(),
        inputs: None,
        locate: &|_| None,
        outputs: &[],
        train: Some(&model.trains[0]),
        seed: None,
    };
    request.params = init::initialise_all(&model, &BTreeMap::new(), 0).unwrap();
    let said = web::bundle(&request).err().expect("it is refused");
    assert!(said.code == "H0912" && said.message.contains("what is fed to `d` decides sizes"), "{said:?}");
}

#[test]
fn the_page_of_digits_learns_before_ones_eyes() {
    let Some(mut browser) = Browser::start() else { return };
    let path = common::root().join("models/task_digits.hnet");
    let b = taught("task_digits", common::models(&path).remove(0), path.parent().unwrap(), "TaskDigits");
    browser.open(&format!("{}/task_digits/index.html", served([&b])));
    let taken = "Number(document.body.dataset.steps)";
    browser.wait("document.body.dataset.steps === '0' && document.querySelector('.learn .scores span')?.textContent > 0");
    let click = |word: &str| format!("[...document.querySelectorAll('button')].find((b) => b.textContent === '{word}').click()");
    browser.eval(&click("Start"));
    browser.wait(&format!("{taken} >= 40"));
    browser.eval(&click("Stop"));
    browser.wait("[...document.querySelectorAll('button')].some((b) => b.textContent === 'Go on')");
    let facts = browser.eval("document.querySelector('.facts').textContent");
    assert!(facts.as_str().unwrap().contains("of 3,000 \u{b7} loss "), "{facts}");
    let kinds = "(() => {
        const c = document.querySelector('.curve'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return new Set(new Uint32Array(d.buffer)).size;
    })()";
    assert!(browser.eval(kinds).as_u64().unwrap() > 20, "there is no curve");
    super::keep(&mut browser, "learns");
    browser.eval(&click("Reset"));
    browser.wait(&format!("{taken} === 0"));
    browser.eval(&click("One step"));
    browser.wait(&format!("{taken} === 1"));
    assert_eq!(browser.eval("document.querySelector('#message').textContent"), "");
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn the_command_says_what_goes_with_a_page_that_trains() {
    let folder = tempfile::tempdir().unwrap();
    let hnet = |block: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hnet"));
        let args = ["build", "models/task_digits.hnet", "--target", "web", "--train", block, "-o"];
        let output = command.current_dir(common::root()).args(args).arg(folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = hnet("TaskDigits");
    assert!(code == Some(0) && said.contains("train.js, order.js") && said.contains("rows.safetensors"), "{said}");
    let path = common::root().join("models/task_digits.hnet");
    let b = taught("task_digits", common::models(&path).remove(0), path.parent().unwrap(), "TaskDigits");
    for file in b.bundle.files.iter().filter(|f| f.path != "demo.json") {
        assert!(std::fs::read(folder.path().join(&file.path)).unwrap() == file.bytes, "{}", file.path);
    }
    let types = b.bundle.text("model.d.ts");
    for line in ["\"x\": Values;", "readonly train: Train;", "losses: { \"loss\": number; \"nll\": number };", "loads: {};"] {
        assert!(types.contains(line), "{line}");
    }
    let (code, said) = hnet("pretrain");
    assert!(code == Some(2) && said.contains("has no train block `pretrain`") && said.contains("there is TaskDigits"), "{said}");
}
