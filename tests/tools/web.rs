//! Models as folders for the web: every shipped model builds, its shaders pass both naga and Tint, and in a real browser the pages
//! give the CPU's numbers. Without Chromium the parts that need it are skipped, unless `HNET_REQUIRE_GPU` is 1.

mod browser;
mod held;
mod programs;
mod server;
mod training;
mod values;

use crate::common;
use browser::Browser;
use hnet::bind::inputs::{Given, Request, gather};
use hnet::check::model::Model;
use hnet::exec::session::{self, Backend, Options, Session};
use hnet::files::archive::Archive;
use hnet::gpu::check::validate;
use hnet::ir::{Data, Tensor};
use hnet::web::{self, Bundle};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

struct Built {
    name: String,
    model: Model,
    params: BTreeMap<String, Tensor>,
    bundle: Bundle,
}

/// The first model of a file of `models/`.
fn build(path: &Path) -> Built {
    let (name, model) = (common::name(path), common::models(path).remove(0));
    let sizes = model.dims.iter().filter_map(|d| Some((d.name.clone(), d.size?))).collect();
    let params = common::weights(path, &model, &Given { sizes, ..Given::default() });
    let inputs = common::beside(path, "inputs").map(|p| Archive::open(&p).unwrap());
    let request = web::Request {
        locate: &|_| None,
        model: &model,
        params: params.clone(),
        about: String::new(),
        folder: path.parent().unwrap(),
        inputs: inputs.as_ref(),
        outputs: &[],
        train: None,
        seed: None,
    };
    let bundle = web::bundle(&request).unwrap_or_else(|d| panic!("{name}: {d:?}"));
    Built { name, model, params, bundle }
}

/// Every file of `models/`, built once.
fn all() -> &'static [Built] {
    static ALL: OnceLock<Vec<Built>> = OnceLock::new();
    ALL.get_or_init(|| common::files("models").par_iter().map(|f| build(f)).collect())
}

fn of(name: &str) -> &'static Built {
    all().iter().find(|b| b.name == name).unwrap()
}

fn served<'a>(models: impl IntoIterator<Item = &'a Built>) -> String {
    let path = |b: &Built, f: &web::File| (format!("/{}/{}", b.name, f.path), f.bytes.clone());
    server::serve(models.into_iter().flat_map(|b| b.bundle.files.iter().map(move |f| path(b, f))).collect())
}

/// One of the shipped models, without waiting for the others.
fn one(name: &str) -> Built {
    build(&common::root().join(format!("models/{name}.hnet")))
}

#[test]
fn every_model_builds_small_and_naga_takes_its_shaders() {
    assert!(all().len() > 30);
    for b in all() {
        let script = b.bundle.text("model.js").len() + b.bundle.text("runtime.js").len();
        assert!(script < 46_000, "{}: {script} bytes of script", b.name);
        let shaders = b.bundle.files.iter().filter(|f| f.path.starts_with("wgsl/"));
        for f in shaders {
            let code = b.bundle.text(&f.path);
            validate(code).unwrap_or_else(|e| panic!("{}, {}: {e}\n{code}", b.name, f.path));
        }
        for file in ["index.html", "model.d.ts", "programs.json"] {
            assert!(!b.bundle.text(file).is_empty(), "{}: no {file}", b.name);
        }
    }
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    for (a, b) in one("smear").bundle.files.iter().zip(&one("smear").bundle.files) {
        assert!(a.path == b.path && a.bytes == b.bytes, "{} differs", a.path);
    }
}

#[test]
fn tint_takes_every_shader() {
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&served(all()));
    for b in all() {
        // Creating a module is what checks it; no pipeline is made.
        let wrong = browser.eval(&format!(
            "(async () => {{
                const device = await (await navigator.gpu.requestAdapter()).requestDevice();
                const {{ shaders }} = await (await fetch('/{0}/programs.json')).json();
                const wrong = [];
                for (const name of shaders) {{
                    device.pushErrorScope('validation');
                    const code = await (await fetch(`/{0}/wgsl/${{name}}`)).text();
                    const {{ messages }} = await device.createShaderModule({{ code }}).getCompilationInfo();
                    const error = await device.popErrorScope();
                    const found = messages.filter((m) => m.type === 'error').map((m) => `${{name}}:${{m.lineNum}}: ${{m.message}}`);
                    wrong.push(...found, ...(error && !found.length ? [error.message] : []));
                }}
                device.destroy();
                return wrong;
            }})()",
            b.name
        ));
        assert_eq!(wrong, json!([]), "{}", b.name);
    }
}

/// Shaders of random programs (`HNET_SEEDS=0..5000` for many): what no shipped model happens to contain.
#[test]
fn tint_takes_the_shaders_of_random_programs() {
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&served(std::iter::once(&one("per_sample"))));
    let seeds = std::env::var("HNET_SEEDS").ok().and_then(|s| {
        let (from, to) = s.split_once("..")?;
        Some((from.parse::<u64>().ok()?, to.parse::<u64>().ok()?))
    });
    let (from, to) = seeds.unwrap_or((500, 530));
    let all: Vec<u64> = (from..to).collect();
    for some in all.chunks(50) {
        let mut codes: BTreeMap<String, u64> = BTreeMap::new();
        for seed in some {
            let Ok(model) = hnet::fuzz::check::model(&hnet::fuzz::program(*seed)) else { continue };
            for size in [2, 70] {
                let sizes = hnet::pipeline::sizes_near(&model, size);
                let Ok((_, program)) = hnet::emit::shaders(&model, &sizes, &|_| None) else { continue };
                for s in program.shaders {
                    validate(&s.code).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{}", s.code));
                    codes.entry(s.code).or_insert(*seed);
                }
            }
        }
        let list: Vec<(&String, &u64)> = codes.iter().collect();
        let wrong = browser.eval(&format!(
            "(async () => {{
                const device = await (await navigator.gpu.requestAdapter()).requestDevice();
                const wrong = [];
                for (const [code, seed] of {}) {{
                    device.pushErrorScope('validation');
                    const {{ messages }} = await device.createShaderModule({{ code }}).getCompilationInfo();
                    const error = await device.popErrorScope();
                    const found = messages.filter((m) => m.type === 'error').map((m) => `seed ${{seed}}:${{m.lineNum}}: ${{m.message}}`);
                    wrong.push(...found, ...(error && !found.length ? [error.message] : []));
                }}
                device.destroy();
                return wrong;
            }})()",
            json!(list)
        ));
        assert_eq!(wrong, json!([]));
    }
}

/// A tensor as the page takes and gives it.
fn to_json(t: &Tensor) -> Value {
    let data: Vec<Value> = match &t.data {
        Data::F32(v) => v.iter().map(|x| json!(f64::from(*x))).collect(),
        _ => (0..t.len()).map(|i| json!(t.get(i) as i64)).collect(),
    };
    json!({ "shape": t.shape, "data": data })
}

/// As the page wrote it; what JSON cannot say is a text there.
fn from_json(v: &Value) -> Tensor {
    let list = |key: &str| v[key].as_array().unwrap().clone();
    let number = |v: &Value| v.as_f64().unwrap_or_else(|| v.as_str().unwrap().parse().unwrap());
    let shape = list("shape").iter().map(|n| n.as_u64().unwrap() as usize).collect();
    Tensor::new(shape, Data::F64(list("data").iter().map(number).collect()))
}

/// Runs a model on drawn inputs in the page and on the CPU.
fn agree(browser: &mut Browser, b: &Built, size: i64, conditions: &[(&str, &str)]) {
    let dims = b.model.dims.iter().filter(|d| d.size.is_none()).map(|d| (d.name.to_string(), size)).collect();
    let conditions = conditions.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    let request = Request { random: true, seed: 5, dims, conditions, ..Request::default() };
    let given = gather(&b.model, &request).unwrap();
    let (can, _) = session::computable(&b.model, &given);
    let part = |condition: bool| -> BTreeMap<&str, Value> {
        let these = b.model.inputs.iter().filter(|i| i.condition == condition);
        these.filter_map(|i| Some((i.name.as_str(), to_json(given.tensors.get(&i.name)?)))).collect()
    };
    let start = std::time::Instant::now();
    let free: BTreeMap<&str, i64> = given.sizes.iter().map(|(n, v)| (&**n, *v)).collect();
    let got = browser.eval(&format!(
        "(async () => {{
            const {{ load }} = await import('/{0}/model.js');
            if (window.opened !== '{0}') {{
                window.m?.destroy();
                window.m = await load();
                window.opened = '{0}';
            }}
            m.prepare({1});
            const out = await m.run({2}, {{ dims: {3} }});
            const text = (v) => Number.isFinite(v) ? v : String(v);
            return Object.fromEntries(Object.entries(out).map(([k, {{ shape, data }}]) => [k, {{ shape, data: [...data].map(text) }}]));
        }})()",
        b.name,
        json!(part(true)),
        json!(part(false)),
        json!(free)
    ));
    let mut session =
        Session::new(&b.model, &can, &Options { backend: Backend::Cpu, threads: 1, half: false, ..Options::default() }).unwrap();
    let names = session.names().to_vec();
    let want = session.run(&session::bindings(b.params.clone(), given, 0)).unwrap();
    assert_eq!(got.as_object().unwrap().len(), names.len(), "{}", b.name);
    eprintln!("{} at {size} ran after {:.1?}", b.name, start.elapsed());
    for (name, want) in names.iter().zip(&want) {
        common::close(&format!("{}, {name}, size {size}", b.name), &from_json(&got[name]), want, 2e-4);
    }
}

#[test]
fn pages_give_the_numbers_of_the_cpu() {
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&served(all()));
    // One for each kind of step; the others take long to compile in software.
    for name in ["moe", "film", "per_sample", "lora_hyper", "smear", "skip", "condconv", "palora", "sparse_moe", "hyperlstm"] {
        for size in [1, 17] {
            agree(&mut browser, of(name), size, &[]);
        }
    }
    for size in [0, 2, 257] {
        agree(&mut browser, of("task_digits"), size, &[("task", "4")]);
        agree(&mut browser, of("inr"), size, &[]);
    }
    // Sizes that a condition decides.
    agree(&mut browser, of("gateskip"), 9, &[("budget", "0.2,0.5,0.9,1")]);
    agree(&mut browser, of("learngene"), 3, &[("leave", "3"), ("enter", "1")]);
    // Programs that are right at some of these sizes only.
    for (width, depth) in [("4", "1"), ("8", "2"), ("12", "3"), ("16", "2")] {
        agree(&mut browser, of("sorted_net"), 5, &[("width", width), ("depth", depth)]);
    }
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn known_answers_are_those_of_the_interpreter_and_pages_give_them() {
    for b in all() {
        let known: Value = serde_json::from_str(b.bundle.text("known.json")).unwrap();
        let count = |key: &str| known[key].as_u64().unwrap() as usize;
        let cases = known["cases"].as_array().unwrap();
        assert!(
            count("tested") == cases.len() && cases.len() <= count("programs"),
            "{}: {}",
            b.name,
            b.bundle.text("known.json")
        );
        assert!(cases.len() <= 40 && b.bundle.text("known.json").len() < 4_000_000, "{}: {} cases", b.name, cases.len());
        eprintln!("{}: {} of {} programs", b.name, cases.len(), count("programs"));
    }
    let with = all().iter().filter(|b| !b.bundle.text("known.json").contains("\"cases\":[]")).count();
    assert!(with * 10 >= all().len() * 9, "{with} of {} models have known answers", all().len());
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&served(all()));
    // Experts, sizes that values decide, and those that a condition does.
    for name in ["moe", "gateskip", "sorted_net"] {
        let got = browser.eval(&format!(
            "(async () => {{
                const [{{ load }}, {{ test }}] = await Promise.all([import('/{name}/model.js'), import('/{name}/test.js')]);
                const m = await load();
                const good = await test(m);
                // A device that makes no numbers: only what has none is right.
                const run = m.run;
                const spoil = (v) => ({{ shape: v.shape, data: v.data.map((x) => (v.data instanceof Float32Array ? NaN : x + 1)) }});
                m.run = async (...of) => Object.fromEntries(Object.entries(await run.apply(m, of)).map(([k, v]) => [k, spoil(v)]));
                const none = (await test(m)).answers.filter((a) => a.right).length;
                m.run = run;
                const {{ cases }} = await m.get('known.json', 'json');
                const empty = cases.flatMap((c) => Object.values(c.outputs)).filter((o) => !o.data.some((v) => Number.isFinite(Number(v)))).length;
                // A number that is off, and a case that cannot be.
                const get = m.get;
                m.get = async (...of) => {{
                    const known = await get(...of);
                    if (!known.cases) return known;
                    const first = known.cases.find((c) => Object.values(c.outputs)[0].data.some((v) => Number.isFinite(Number(v)))), [output] = Object.values(first.outputs);
                    const spoilt = {{ shape: output.shape, data: [Number(output.data[0]) + 1 + Math.max(...output.data.map((v) => Math.abs(Number(v)))), ...output.data.slice(1)] }};
                    const [name] = Object.keys(first.outputs);
                    return {{ ...known, cases: [{{ ...first, outputs: {{ [name]: spoilt }} }}, {{ ...first, inputs: {{}}, conditions: {{}} }}] }};
                }};
                const bad = await test(m);
                const own = new Uint8Array(await (await fetch('/{name}/weights.safetensors')).arrayBuffer());
                const other = await load({{ weights: own }});
                const refused = await test(other).then(() => 'no', (e) => e.code);
                m.destroy();
                other.destroy();
                return {{ good, bad: bad.answers.filter((a) => a.right).length, none, empty, refused, conditions: m.conditions.size }};
            }})()"
        ));
        let answers = got["good"]["answers"].as_array().unwrap();
        assert!(!answers.is_empty() && answers.iter().all(|a| a["right"] == true), "{name}: {}", got["good"]);
        let said = (&got["bad"], &got["refused"], &got["conditions"]);
        assert_eq!(said, (&json!(0), &json!("value"), &json!(0)), "{name}: {got}");
        assert_eq!(got["none"], got["empty"], "{name}");
    }
    assert_eq!(browser.faults, Vec::<String>::new());
}

fn keep(browser: &mut Browser, name: &str) {
    let picture = browser.picture();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000, "{name}: {} bytes", picture.len());
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png")), picture).unwrap();
}

const DONE: &str = "document.body?.dataset.done";

#[test]
fn the_page_of_digits_knows_a_drawing_in_every_task() {
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&format!("{}/task_digits/index.html", served([&one("task_digits")])));
    browser.wait(DONE);
    browser.eval("[...document.querySelectorAll('button')].find((b) => b.textContent === 'Clear').click()");
    // A seven, drawn with a pointer.
    browser.eval(
        "(() => {
            const pad = document.querySelector('.pad'), { width, height, left, top } = pad.getBoundingClientRect();
            pad.setPointerCapture = () => {};
            const at = (kind, x, y) => pad.dispatchEvent(new PointerEvent(kind, { clientX: left + x * width, clientY: top + y * height }));
            at('pointerdown', .25, .2);
            for (let k = 0; k <= 10; k++) at('pointermove', .25 + .05 * k, .2);
            for (let k = 0; k <= 10; k++) at('pointermove', .75 - .03 * k, .2 + .065 * k);
            at('pointerup', .45, .85);
        })()",
    );
    for task in 0..5 {
        browser.eval("document.body.dataset.done = '0'");
        browser.eval(&format!("document.querySelectorAll('.choices input')[{task}].click()"));
        browser.wait("document.body.dataset.done !== '0'");
        assert_eq!(browser.eval("document.querySelector('.big').textContent"), "7", "task {task}");
    }
    assert_eq!(browser.eval("document.querySelector('#message').textContent"), "");
    browser.eval("[...document.querySelectorAll('button')].find((b) => b.textContent === 'Test it').click()");
    browser.wait("document.querySelector('#checked [data-wrong]')");
    let said = browser.eval("document.querySelector('#checked p').textContent");
    assert!(said.as_str().unwrap().contains("answers are right on this device"), "{said}");
    browser.eval("document.querySelector('#checked').scrollIntoView({ block: 'end' })");
    keep(&mut browser, "task_digits");
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn the_page_of_the_sine_network_follows_its_slider() {
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&format!("{}/inr/index.html", served([&one("inr")])));
    browser.wait(DONE);
    let colours = "(() => {
        const c = document.querySelector('.paint'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        const all = Array.from({ length: d.length / 4 }, (_, k) => d[4 * k] << 16 | d[4 * k + 1] << 8 | d[4 * k + 2]);
        return { kinds: new Set(all).size, sum: all.reduce((h, v) => (Math.imul(h, 31) + v) | 0, 7) };
    })()";
    let first = browser.eval(colours);
    assert!(first["kinds"].as_u64().unwrap() > 100, "{first}");
    browser.eval("document.body.dataset.done = '0'");
    browser.eval("(() => { const s = document.querySelector('input[type=range]'); s.value = 1.2; s.dispatchEvent(new Event('input')); })()");
    browser.wait("document.body.dataset.done !== '0'");
    let second = browser.eval(colours);
    assert_ne!(first["sum"], second["sum"]);
    keep(&mut browser, "inr");
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn a_page_without_webgpu_says_so() {
    let Some(mut browser) = Browser::start() else { return };
    let hide = "Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined })";
    browser.send("Page.addScriptToEvaluateOnNewDocument", json!({ "source": hide }));
    browser.open(&format!("{}/inr/index.html", served([&one("inr")])));
    browser.wait("document.querySelector('#message')?.dataset.code === 'no-webgpu'");
    let text = browser.eval("document.querySelector('#message').textContent");
    assert!(text.as_str().unwrap().starts_with("This page needs WebGPU: this browser has no WebGPU."), "{text}");
    keep(&mut browser, "no_webgpu");
}

#[test]
fn mistakes_are_said_and_a_lost_device_is_replaced() {
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&served([&one("task_digits")]));
    browser.eval("(async () => { window.m = await (await import('/task_digits/model.js')).load(); })()");
    let cases = [
        ("m.prepare({ tsk: 1 })", "TaskDigits has no condition `tsk`; it has `task`"),
        ("m.prepare({ task: 5 })", "`task` is i32 and indexes an axis of 5: element 0 is 5"),
        ("m.prepare({ task: 1.5 })", "`task` is i32, but element 0 is 1.5"),
        ("m.prepare({ x: [1] })", "`x` is no condition: give it to run()"),
        ("m.run({ x: new Float32Array(64) })", "TaskDigits needs the condition `task`, i32: give it to prepare()"),
        ("(m.prepare({ task: 1 }), m.run({ x: new Float32Array(65) }))", "`x` is f32[b, 64], but the value has 65 elements"),
        ("m.run({ y: 1 })", "TaskDigits has no input `y`; it has `x`, `label`"),
        ("m.run({}, { outputs: ['logits'] })", "`logits` needs `x`"),
    ];
    for (call, want) in cases {
        let got = browser.eval(&format!("(async () => {{ try {{ await {call}; }} catch (e) {{ return e.message; }} }})()"));
        assert_eq!(got, want, "{call}");
    }
    // A run keeps the conditions that it began with; several may be under way.
    let class = browser.eval(
        "(async () => {
            const x = Array.from({ length: 64 }, (_, k) => (k * 7 % 16) / 16), logits = async () => [...(await m.run({ x })).logits.data];
            const alone = [];
            for (const task of [0, 1, 2]) {
                m.prepare({ task });
                alone.push(await logits());
            }
            const together = await Promise.all([0, 1, 2].map((task) => (m.prepare({ task }), logits())));
            m.device.destroy();
            await m.device.lost;
            const after = await logits();
            return { alone, together, after };
        })()",
    );
    assert_eq!(class["alone"], class["together"]);
    assert_ne!(class["alone"][0], class["alone"][1]);
    assert_eq!(class["alone"][2], class["after"]);
}

#[test]
fn what_is_outside_is_said_on_the_page() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outside.hnet");
    let text = "dim b\ndim t\nmodel Outside {\n    input k: i32[b]\n    input x: [t]\n    param table: [10] = ones()\n    \
                let v[j < count[t]] = x[t: j]\n    output y: [b] = table[k + 5]\n    output z: [b] = table[k + 1]\n    \
                output head: [4] = v[0..4]\n    output own: [b] = table[k]\n    output twice: i32[b] = k + k\n}\n";
    std::fs::write(&path, text).unwrap();
    let built = build(&path);
    browser.open(&served([&built]));
    browser.eval("(async () => { window.m = await (await import('/outside/model.js')).load(); })()");
    let cases = [
        ("m.run({ k: [1, 9] })", "index 14 is outside of its axis, which has 10 places"),
        ("m.run({ k: [-20, 4, 4] }, { outputs: ['y', 'z'] })", "index -15 is outside of its axis, which has 10 places"),
        ("m.run({ k: [1, 2, 4] })", "1,1,1"),
        ("m.run({ k: [8] }, { outputs: ['z'] })", "1"),
        ("m.run({ k: [9] }, { outputs: ['z'] })", "index 10 is outside of its axis, which has 10 places"),
        ("m.run({ k: [12] }, { outputs: ['own', 'twice'] })", "`k` is i32[b] and indexes an axis of 10: element 0 is 12"),
        ("m.run({ k: [12] }, { outputs: ['twice'] })", "24"),
        ("m.run({ x: [1, 2, 3] })", "this slice goes to place 4 of an axis that has 3"),
        ("m.run({ x: [1, 2, 3, 4] })", "1,2,3,4"),
    ];
    for (call, want) in cases {
        let say = format!(
            "(async () => {{ try {{ const o = await {call}; return (o.y ?? o.z ?? o.head ?? o.own ?? o.twice).data.join(); }} catch (e) {{ return e.message; }} }})()"
        );
        assert_eq!(browser.eval(&say), want, "{call}");
    }
}

#[test]
fn a_page_runs_what_is_right_and_says_where_nothing_is() {
    let b = one("sorted_net");
    let script = b.bundle.text("model.js");
    // The program of all units takes for granted that all are there.
    assert!(script.contains("(d) => 16 <= d[\"width#\"] ? 0 : d[\"width#\"] <= 12 ? 1 : -2"), "{script}");
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&served([&b]));
    let got = browser.eval(
        "(async () => {
            const { load, spec } = await import('/sorted_net/model.js');
            const asked = [];
            for (const f of spec.families) {
                const { cells } = f;
                f.cells = cells.map((c) => (d) => (asked.push(d.b), d.b > 3 ? -2 : c.call ? c(d) : c));
            }
            const m = await load();
            m.prepare({ width: 8, depth: 2 });
            const said = async (b) => {
                try {
                    return (await m.run({ x: Array(12 * b).fill(1), label: Array(b).fill(0) })).logits.shape;
                } catch (e) {
                    return `${e.code}: ${e.message}`;
                }
            };
            return [await said(3), await said(4), asked];
        })()",
    );
    let say = "size: no program of this page is right for b = 4, depth# = 2, width# = 8: \
               hnet build makes one where the source says `dim b = 4`";
    assert_eq!(got, json!([[3, 5], say, [3, 4]]));
}

#[test]
fn the_command_writes_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let hnet = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hnet"));
        let output = command.current_dir(common::root()).args(args).arg("-o").arg(folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = hnet(&["build", "models/inr.hnet", "--target", "web"]);
    assert!(code == Some(0) && said.contains("model.js, runtime.js"), "{said}");
    for file in &one("inr").bundle.files {
        // The page's text is the only difference: here the lines at the top of the file are known.
        let same = file.path == "demo.json" || std::fs::read(folder.path().join(&file.path)).unwrap() == file.bytes;
        assert!(same, "{}", file.path);
    }
    let none = tempfile::NamedTempFile::with_suffix(".hnet").unwrap();
    std::fs::write(
        none.path(),
        "model Silent {\n    input x: f32\n    state level: f32 = zeros()\n    update level = 0.9 * level + 0.1 * x\n}\n",
    )
    .unwrap();
    let (code, said) = hnet(&["build", none.path().to_str().unwrap(), "--target", "web"]);
    assert!(code == Some(3) && said.contains("H0911"), "{said}");
    let (code, said) = hnet(&["build", "models/inr.hnet", "--target", "web", "--output", "outptu"]);
    assert!(code == Some(2) && said.contains("there is `output`"), "{said}");
}
