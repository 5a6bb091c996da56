//! Objects that C programs call: a model is built, compiled with a program, linked, run, and compared with the interpreter.
//!
//! `HNET_OBJECTS=all` runs all shipped models, at several sizes.

use crate::cli::{err, exits};
use crate::common::{drawn, files, gap, models, name, root};
use hnet::bind::inputs::{Request, gather};
use hnet::check::model::Model;
use hnet::emit::{Stage, emit};
use hnet::exec::session::{self, Backend, Options, Session};
use hnet::files::archive::Archive;
use hnet::ir::{Bindings, DType, Data, Tensor};
use hnet::pipeline;
use hnet::plan::Terms;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Whether there is a C compiler; where there is none, people read that the test did not run.
fn is_compiled(test: &str) -> bool {
    let found = Command::new("cc").arg("--version").output().is_ok_and(|o| o.status.success());
    if !found {
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: there is no cc");
    }
    found
}

/// A field of a struct in the header: as C calls it, as the model does, and its type.
struct Field {
    word: String,
    name: String,
    dtype: DType,
}

fn fields(header: &str, what: &str) -> Vec<Field> {
    let from = header.find(&format!("_{what} {{\n")).unwrap_or_else(|| panic!("no {what} in {header}"));
    let lines = header[from..].lines().skip(1).take_while(|l| !l.starts_with("};"));
    let one = |line: &str| {
        let (left, about) = line.split_once("; /* ")?;
        let word = left.rsplit([' ', '*']).next()?.to_string();
        let (name, rest) = about.trim_end_matches(" */").split_once(": ").unwrap_or((about.trim_end_matches(" */"), ""));
        let dtype = match rest.split(['[', ',']).next()? {
            "f32" => DType::F32,
            "bool" => DType::Bool,
            _ => DType::I32,
        };
        (word != "none").then(|| Field { word, name: name.to_string(), dtype })
    };
    lines.filter_map(one).collect()
}

/// An object in a folder, with its program.
struct Built {
    folder: tempfile::TempDir,
    header: String,
}

impl Built {
    /// Compiles a model and a program that takes everything from a file and writes everything to one.
    fn new(path: &Path, model: &Model) -> Built {
        let (sizes, _) = pipeline::sizes(model, &[]).unwrap();
        let made = emit(model, path, Stage::Obj, &sizes, &Terms::default(), &|_| None)
            .unwrap_or_else(|d| panic!("{}: {d:?}", path.display()));
        let folder = tempfile::tempdir().unwrap();
        made.iter().for_each(|(end, a)| std::fs::write(folder.path().join(format!("m.{end}")), a.bytes()).unwrap());
        let header = std::fs::read_to_string(folder.path().join("m.h")).unwrap();
        let built = Built { folder, header };
        std::fs::write(built.folder.path().join("main.c"), built.program(&model.name)).unwrap();
        built.compile("main.c", "main");
        built
    }

    fn compile(&self, from: &str, to: &str) {
        let flags = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1"];
        let done = Command::new("cc").args(flags).args([from, "m.o", "-lm", "-o", to]).current_dir(self.folder.path()).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{}\n{}", String::from_utf8_lossy(&done.stderr), self.header);
    }

    fn program(&self, m: &str) -> String {
        let mut c = format!(
            "#define _GNU_SOURCE\n#include \"m.h\"\n#include <stdio.h>\n#include <stdlib.h>\n#include <sys/mman.h>\n#include <unistd.h>\n\
             /* Memory behind which nobody may read or write. */\n\
             static void *room(int64_t n) {{\n    size_t page = (size_t)sysconf(_SC_PAGESIZE), all = ((size_t)n + page - 1) / page * page;\n    \
             char *p = mmap(NULL, all + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);\n    \
             if (p == MAP_FAILED || mprotect(p + all, page, PROT_NONE)) exit(93);\n    return p + all - n;\n}}\n\
             static void *take(FILE *f) {{\n    int64_t n;\n    void *p;\n    if (fread(&n, 8, 1, f) != 1) exit(99);\n    \
             p = room(n);\n    if (fread(p, 1, (size_t)n, f) != (size_t)n) exit(98);\n    return p;\n}}\n\
             int main(int argc, char **argv) {{\n    FILE *f = fopen(argv[1], \"rb\"), *g = fopen(argv[2], \"wb\");\n    \
             struct {m}_sizes sizes;\n    struct {m}_params params;\n    struct {m}_inputs inputs;\n    struct {m}_outputs outputs;\n    \
             size_t bytes;\n    void *work;\n    int code;\n    int64_t n;\n    (void)argc;\n    memset(&sizes, 0, sizeof sizes);\n    \
             memset(&params, 0, sizeof params);\n    memset(&inputs, 0, sizeof inputs);\n    memset(&outputs, 0, sizeof outputs);\n"
        );
        for s in fields(&self.header, "sizes") {
            let _ = writeln!(c, "    if (fread(&sizes.{}, 8, 1, f) != 1) return 97;", s.word);
        }
        for (what, of) in ["params", "inputs"].into_iter().flat_map(|w| fields(&self.header, w).into_iter().map(move |f| (w, f)))
        {
            match what {
                "params" => {
                    let _ = writeln!(c, "    if (!{m}_set_param(&params, \"{}\", take(f))) return 96;", of.name);
                }
                _ => {
                    let _ = writeln!(c, "    inputs.{} = take(f);", of.word);
                }
            }
        }
        for o in fields(&self.header, "outputs") {
            let _ = writeln!(c, "    if (fread(&n, 8, 1, f) != 1) return 95;\n    outputs.{} = room(n);", o.word);
        }
        let _ = write!(
            c,
            "    bytes = {m}_workspace(&sizes);\n    work = room((int64_t)bytes);\n    memset(work, 255, bytes);\n    \
             code = {m}_run(&sizes, &params, &inputs, &outputs, work);\n    \
             if (!code) code = {m}_run_prepared(&sizes, &params, &inputs, &outputs, work);\n    rewind(f);\n"
        );
        // What was told of lengths comes last.
        for (k, o) in fields(&self.header, "outputs").iter().rev().enumerate() {
            let _ = writeln!(
                c,
                "    fseek(f, -8 * {}L, SEEK_END);\n    if (fread(&n, 8, 1, f) != 1) return 94;\n    \
                 if (!code) fwrite(outputs.{}, 1, (size_t)n, g);",
                k + 1,
                o.word
            );
        }
        c += "    fclose(g);\n    printf(\"%d %d\\n\", code, bytes > 0);\n    return 0;\n}\n";
        c
    }

    /// Runs the program: its code and whether there is a workspace, and results as the model names them; `want` says their shapes.
    fn run(&self, bound: &Bindings, want: &[(String, Tensor)]) -> (i32, bool, Vec<(String, Tensor)>) {
        let mut given: Vec<u8> = Vec::new();
        for s in fields(&self.header, "sizes") {
            let condition = s.name.strip_prefix("the value of the condition ");
            let n = match condition {
                Some(path) => bound.sources[path].get(0) as i64,
                None => bound.sizes[s.name.as_str()],
            };
            given.extend(n.to_le_bytes());
        }
        for f in fields(&self.header, "params").into_iter().chain(fields(&self.header, "inputs")) {
            let t = bound.sources.get(&f.name).unwrap_or_else(|| panic!("nobody gives {}", f.name));
            let bytes: Vec<u8> = match (f.dtype, &t.data) {
                (DType::F32, _) => t.to_f64().iter().flat_map(|x| (*x as f32).to_le_bytes()).collect(),
                (DType::I32 | DType::Bool, _) => t.to_f64().iter().flat_map(|x| (*x as i32).to_le_bytes()).collect(),
            };
            given.extend((bytes.len() as i64).to_le_bytes());
            given.extend(bytes);
        }
        let outputs = fields(&self.header, "outputs");
        let shape = |f: &Field| &want.iter().find(|(n, _)| *n == f.name).unwrap_or_else(|| panic!("no {}", f.name)).1;
        outputs.iter().for_each(|o| given.extend((shape(o).len() as i64 * 4).to_le_bytes()));
        let (from, to) = (self.folder.path().join("given"), self.folder.path().join("made"));
        std::fs::write(&from, given).unwrap();
        let done = Command::new(self.folder.path().join("main")).args([&from, &to]).output().unwrap();
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{:?} {text} {}", done.status, String::from_utf8_lossy(&done.stderr));
        let numbers: Vec<i32> = text.split_whitespace().map(|n| n.parse().unwrap()).collect();
        let bytes = std::fs::read(&to).unwrap();
        let mut words = bytes.chunks_exact(4).map(|w| <[u8; 4]>::try_from(w).unwrap());
        let mut made = Vec::new();
        if numbers[0] == 0 {
            for o in outputs.iter().rev() {
                let n = shape(o).len();
                let data = match o.dtype {
                    DType::F32 => Data::F32(words.by_ref().take(n).map(f32::from_le_bytes).collect()),
                    DType::I32 => Data::I32(words.by_ref().take(n).map(i32::from_le_bytes).collect()),
                    DType::Bool => Data::Bool(words.by_ref().take(n).map(|w| i32::from_le_bytes(w) as u8).collect()),
                };
                made.push((o.name.clone(), Tensor::new(shape(o).shape.clone(), data)));
            }
        }
        (numbers[0], numbers[1] == 1, made)
    }
}

/// Drawn values for a model.
fn values(who: &str, model: &Model, dims: &[(&str, i64)], conditions: &[(&str, &str)], seed: i32) -> Bindings {
    let dims = dims.iter().map(|(n, s)| (n.to_string(), *s)).collect();
    let conditions = conditions.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    let request = Request { random: true, seed, dims, conditions, ..Request::default() };
    let given = gather(model, &request).unwrap_or_else(|d| panic!("{who}: {d:#?}"));
    session::bindings(drawn(model, &given), given, seed)
}

/// What the interpreter makes of it.
fn meant(model: &Model, bound: &Bindings) -> Vec<(String, Tensor)> {
    made_by(Backend::Interp, model, bound)
}

fn made_by(backend: Backend, model: &Model, bound: &Bindings) -> Vec<(String, Tensor)> {
    let outputs: Vec<usize> = (0..model.graph.outputs.len()).collect();
    let options = Options { backend, threads: 1, ..Options::default() };
    let mut session = Session::new(model, &outputs, &options).unwrap();
    let names = session.names().to_vec();
    let made = session.run(bound).unwrap_or_else(|d| panic!("{d:?}"));
    names.into_iter().zip(made).collect()
}

/// The object agrees with the interpreter.
fn agrees(who: &str, built: &Built, model: &Model, bound: &Bindings, limit: f64) {
    let want = meant(model, bound);
    let (code, _, made) = built.run(bound, &want);
    assert_eq!(code, 0, "{who}\n{}", built.header);
    for (name, got) in &made {
        let want = &want.iter().find(|(n, _)| n == name).unwrap().1;
        let far = gap(got, want);
        let limit = if matches!(got.data, Data::F32(_)) { limit } else { 0.0 };
        if far <= limit {
            continue;
        }
        // What few bits cannot say, or a loop drives apart, is as far off in compiled code.
        let other = made_by(Backend::Cpu, model, bound);
        let usual = gap(&other.iter().find(|(n, _)| n == name).unwrap().1, want);
        assert!(far <= 4.0 * usual, "{who}: {name} is off by {far:.1e}, compiled code by {usual:.1e}");
    }
    assert!(!made.is_empty(), "{who}");
}

/// Builds a text once and runs it at these sizes.
fn at_sizes(test: &str, text: &str, sizes: &[&[(&str, i64)]], conditions: &[(&str, &str)]) {
    if !is_compiled(test) {
        return;
    }
    let (_kept, path, model) = written(text);
    let built = Built::new(&path, &model);
    for (seed, dims) in sizes.iter().enumerate() {
        let who = format!("{test} at {dims:?}");
        agrees(&who, &built, &model, &values(&who, &model, dims, conditions, seed as i32 + 1), 1e-5);
    }
}

fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf, Model) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.hnet");
    std::fs::write(&path, text).unwrap();
    let model = models(&path).remove(0);
    (folder, path, model)
}

const BATCHES: [&[(&str, i64)]; 5] = [&[("b", 1)], &[("b", 3)], &[("b", 17)], &[("b", 0)], &[("b", 130)]];

#[test]
fn a_hypernetwork_runs_at_any_batch() {
    let text = "import std.mlp { Mlp }\ndim b\nmodel Digits {\n    condition task: i32\n    input x: [b, 64]\n    \
        param code: [5, 16] = normal()\n    sub hyper  = Mlp(16, 64, size(target.*))\n    sub target = Mlp(64, 32, 10)\n    \
        generate target.* from hyper(code[task])\n    output logits: [b, 10] = target(x)\n    \
        output best: i32[b] = argmax(target(x))\n    output sure: bool[b] = max(target(x)) > 0\n}\n";
    at_sizes("a_hypernetwork_runs_at_any_batch", text, &BATCHES, &[("task", "3")]);
}

#[test]
fn every_sample_has_a_network_of_its_own() {
    let text = "import std.mlp { Mlp }\ndim b\ndim t\nmodel Own {\n    input task: i32[b]\n    input x: [b, t, 12]\n    \
        param code: [5, 16] = normal()\n    sub hyper  = Mlp(16, 32, size(target.*))\n    sub target = Mlp(12, 9, 10)\n    \
        generate target.* from hyper(code[task mod 5])\n    output y: [b, t, 10] = target(x)\n    output first: [b] = mean[t] target(x)[0]\n}\n";
    let sizes: [&[(&str, i64)]; 5] =
        [&[("b", 1), ("t", 1)], &[("b", 3), ("t", 7)], &[("b", 9), ("t", 9)], &[("b", 0), ("t", 2)], &[("b", 5), ("t", 33)]];
    at_sizes("every_sample_has_a_network_of_its_own", text, &sizes, &[]);
}

#[test]
fn loops_carry_stop_and_stack() {
    let text = "dim b\nfn run(x: [t]) -> [t] {\n    var h = 0.0\n    let out[t] = for t in 0..count[t] { h = 0.9 * h + tanh(x[t]); yield h }\n    \
        out\n}\nfn back(x: [t]) -> f32 {\n    var h = 1.0\n    for t in rev 0..count[t] { h = 0.5 * h + x[t]^3 }\n    h\n}\n\
        fn root(x: f32) -> f32 {\n    var y = x\n    for i in 0..100 until abs(y * y - x) < 1e-4 { y = (y + x / y) / 2 }\n    y\n}\n\
        model Loops {\n    input x: [b, 700]\n    output y: [b, 700] = run(x)\n    output z: [b] = back(x)\n    \
        output r: [b] = root(1 + x[0]^2)\n    output p: [b, 700] = (1 + x^2)^-3 + x^5\n}\n";
    at_sizes("loops_carry_stop_and_stack", text, &BATCHES, &[]);
}

#[test]
fn orders_sums_and_pairs_are_those_of_the_interpreter() {
    let text = "dim b\ndim t\nmodel Ordered {\n    input x: [b, t]\n    input k: i32[b, t]\n    input cost: [b, 6, 6]\n    \
        let w = floor(2 * x)\n    output up: [b, t] = sort[t](x)\n    output at: i32[b, t] = argsort[t](w)\n    \
        output whole: i32[b, t] = argsort[t](k)\n    output run: [b, t] = cumsum[t](x)\n    output pair: i32[b, 6] = assignment(cost)\n    \
        output low: i32[b, t] = argsort[t](-w)\n}\n";
    let sizes: [&[(&str, i64)]; 5] =
        [&[("b", 1), ("t", 1)], &[("b", 3), ("t", 40)], &[("b", 2), ("t", 0)], &[("b", 0), ("t", 3)], &[("b", 2), ("t", 257)]];
    at_sizes("orders_sums_and_pairs_are_those_of_the_interpreter", text, &sizes, &[]);
}

#[test]
fn draws_have_the_same_bits() {
    let text = "dim b\nmodel Draws {\n    input x: [b, 4]\n    draw z: [b, 4] = normal()\n    draw u: [b, 4] = uniform(-1, 1)\n    \
        output y: [b, 4] = x + z\n    output v: [b, 4] = u\n    output bits: i32[b, 4] = int(u * 16777216)\n}\n";
    at_sizes("draws_have_the_same_bits", text, &BATCHES, &[]);
}

#[test]
fn what_values_place_is_summed_there() {
    let text = "dim b\nmodel Placed {\n    input word: i32[b]\n    input x: [b, 40]\n    param w: [5, 40, 9] = normal()\n    \
        param e: [7] = normal()\n    let h[b, o] = sum[i] x[b, i] * w[word[b] mod 5, i, o]\n    let total = sum[b, o] (tanh(h[b, o]) * e[word[b] mod 7])\n    \
        output slope: [5, 40, 9] = grad(total, w)\n    output of: [7] = grad(total, e)\n    output y: [b, 9] = h\n}\n";
    at_sizes("what_values_place_is_summed_there", text, &BATCHES, &[]);
}

/// The first numbers of some rows are infinite, and those of others without a matrix, too.
#[test]
fn a_row_without_a_matrix_hides_nothing() {
    for (wide, high) in [(9, 5), (64, 40)] {
        let text = format!(
            "dim b\nmodel Without {{\n    input word: i32[b]\n    input x: [b, {wide}]\n    param w: [5, {wide}, {high}] = normal()\n    \
            let at[b] = (word[b] + b) mod 9 - 2\n    let z[b, i] = if i == 0 and b mod 2 == 0 {{ 1 / (0 * x[b, i]) }} else {{ x[b, i] }}\n    \
            output y: [b, {high}] = z @ (w[at] else 0)\n}}\n"
        );
        at_sizes("a_row_without_a_matrix_hides_nothing", &text, &BATCHES, &[]);
    }
}

#[test]
fn the_best_of_what_values_place_is_found_there() {
    let text = "dim b\nmodel Best {\n    input word: i32[b]\n    input x: [b, 3]\n    let of[b] = word mod 5\n    \
        let best[g < 5, d] = max(max[b where of == g] x[b, d], -100)\n    let less[g < 5, d] = min(min[b where of == g] x[b, d], 100)\n    \
        let first[g < 5] = min[b where of == g] word\n    output most: [5, 3] = best\n    output least: [5, 3] = less\n    \
        output low: i32[5] = first\n    output share: [b, 3] = exp(x - best[of])\n}\n";
    at_sizes("the_best_of_what_values_place_is_found_there", text, &BATCHES, &[]);
}

#[test]
fn long_sums_and_large_products_keep_their_digits() {
    let text = "dim b\ndim n\nmodel Large {\n    input x: [b, n]\n    input y: [n, 37]\n    input z: [41, n]\n    \
        output p: [b, 37] = sum[n] x * y\n    output q: [b, 41] = sum[n] x * z\n    output r: [37, b] = sum[n] x * y\n    \
        output s: [b] = sum[n] x\n}\n";
    let sizes: [&[(&str, i64)]; 4] =
        [&[("b", 1), ("n", 1)], &[("b", 13), ("n", 3000)], &[("b", 5), ("n", 70_000)], &[("b", 18), ("n", 0)]];
    at_sizes("long_sums_and_large_products_keep_their_digits", text, &sizes, &[]);
}

#[test]
fn a_size_may_be_a_condition() {
    let text = "import std.linear { Linear }\ndim b\nmodel Deep {\n    condition depth: size in [1, 2, 3] = 3\n    input g: [b, 4]\n    \
        sub layer[3] = Linear(4, 4)\n    var h = g\n    for l in 0..depth { h = tanh(layer[l](h)) }\n    output y: [b, 4] = h\n}\n";
    for depth in ["1", "3"] {
        at_sizes("a_size_may_be_a_condition", text, &[&[("b", 2)]], &[("depth", depth)]);
    }
}

#[test]
fn nothing_is_run_at_sizes_for_which_it_is_not_right() {
    let text = "dim t\nmodel Places {\n    input x: [t]\n    output third: f32 = x[t: 3] else 0\n    output pair[i < 4]: [4] = (x[t: 2 * i] else 1)\n    \
        output turned: [t] = x[t: count[t] - 1 - t]\n}\n";
    let sizes: [&[(&str, i64)]; 6] = [&[("t", 0)], &[("t", 1)], &[("t", 2)], &[("t", 4)], &[("t", 7)], &[("t", 64)]];
    at_sizes("nothing_is_run_at_sizes_for_which_it_is_not_right", text, &sizes, &[]);
    if !is_compiled("nothing_is_run_at_sizes_for_which_it_is_not_right") {
        return;
    }
    // The last place of an axis without places is none.
    let text = "dim t\nmodel Last {\n    input x: [t]\n    output last: f32 = x[t: count[t] - 1]\n}\n";
    let (_kept, path, model) = written(text);
    let built = Built::new(&path, &model);
    assert!(built.header.contains("Sizes are bad unless"), "{}", built.header);
    agrees("last", &built, &model, &values("last", &model, &[("t", 3)], &[], 1), 0.0);
    let bound = values("last", &model, &[("t", 0)], &[], 1);
    let want = vec![("last".to_string(), Tensor::new(vec![], Data::F32(vec![0.0])))];
    assert_eq!(built.run(&bound, &want).0, 1, "{}", built.header);
}

/// Shipped models that everybody's run compiles; each has something that the others have not.
const SHIPPED: [&str; 8] = ["moe", "hyperlstm", "condconv", "doh", "sorted_net", "neural_ode", "hypershot", "decoder"];

#[test]
fn shipped_models_run_from_c() {
    if !is_compiled("shipped_models_run_from_c") {
        return;
    }
    let all = std::env::var("HNET_OBJECTS").is_ok_and(|v| v == "all");
    let mut seen = 0;
    for path in files("models") {
        let who = name(&path);
        if !all && !SHIPPED.contains(&who.as_str()) {
            continue;
        }
        let model = models(&path).remove(0);
        // Its sizes are computed from values.
        if who == "gateskip" {
            let (sizes, _) = pipeline::sizes(&model, &[]).unwrap();
            let said = emit(&model, &path, Stage::Obj, &sizes, &Terms::default(), &|_| None).err().expect("a message");
            assert_eq!(said.code, "H0913");
            continue;
        }
        seen += 1;
        let built = Built::new(&path, &model);
        for (k, size) in [3i64, 1, 17].into_iter().enumerate().take(if all { 3 } else { 1 }) {
            let dims: Vec<(String, i64)> =
                model.dims.iter().filter(|d| d.size.is_none()).map(|d| (d.name.to_string(), size)).collect();
            let dims: Vec<(&str, i64)> = dims.iter().map(|(n, s)| (n.as_str(), *s)).collect();
            agrees(&format!("{who} at {size}"), &built, &model, &values(&who, &model, &dims, &[], k as i32), 1e-4);
        }
    }
    assert!(seen >= SHIPPED.len(), "{seen}");
}

#[test]
fn what_is_wrong_has_a_code_and_nothing_crashes() {
    if !is_compiled("what_is_wrong_has_a_code_and_nothing_crashes") {
        return;
    }
    let text = "dim b\nmodel Wrong {\n    input k: i32[b]\n    input on: bool[b]\n    param table: [10, 4] = normal()\n    \
        output y: [b, 4] = table[k + 1]\n    output z: [b, 4] = if on { table[k] } else { 0 }\n}\n";
    let (_kept, path, model) = written(text);
    let built = Built::new(&path, &model);
    let mut bound = values("wrong", &model, &[("b", 3)], &[], 1);
    let mut give = |name: &str, t: Tensor| bound.sources.insert(name.into(), t);
    give("k", Tensor::new(vec![3], Data::I32(vec![0, 8, 3])));
    give("on", Tensor::new(vec![3], Data::Bool(vec![1, 0, 1])));
    let want = meant(&model, &bound);
    assert_eq!(built.run(&bound, &want).0, 0);
    // Outside in the computed index, and only where it is needed in the other.
    for (k, on, code) in
        [([0, 9, 3], [1, 0, 1], 16), ([0, 8, -1], [1, 0, 1], 17), ([0, 8, -1], [1, 1, 0], 0), ([i32::MAX, 0, 0], [0; 3], 16)]
    {
        bound.sources.insert("k".into(), Tensor::new(vec![3], Data::I32(k.to_vec())));
        bound.sources.insert("on".into(), Tensor::new(vec![3], Data::Bool(on.to_vec())));
        assert_eq!(built.run(&bound, &want).0, code, "{k:?} {on:?}\n{}", built.header);
    }
    bound.sources.insert("k".into(), Tensor::new(vec![3], Data::I32(vec![0; 3])));
    bound.sources.insert("on".into(), Tensor::new(vec![3], Data::I32(vec![0, 2, 1])));
    assert_eq!(built.run(&bound, &want).0, 4, "a bool that is none");
    // No such program is run with these: what they would need is not there.
    for bad in [-1, i64::from(i32::MAX) + 1, i64::MAX, i64::MIN] {
        bound.sizes.insert("b".into(), bad);
        let (code, some, _) = built.run(&bound, &want);
        assert_eq!((code, some), (1, false), "{bad}");
    }
    let program = "#include \"m.h\"\n#include <stdio.h>\n#include <stdlib.h>\nint main(void) {\n    struct Wrong_sizes s;\n    \
        struct Wrong_params p;\n    struct Wrong_inputs i;\n    struct Wrong_outputs o;\n    static float table[40], y[4], z[4];\n    \
        static int32_t k[1], on[1];\n    char *w;\n    s.b = 1;\n    p.table = table;\n    i.k = k;\n    i.on = on;\n    o.y = y;\n    o.z = z;\n    \
        w = malloc(Wrong_workspace(&s) + 64);\n    memset(w, 0, Wrong_workspace(&s));\n    \
        printf(\"%d \", Wrong_run_prepared(&s, &p, &i, &o, w));\n    printf(\"%d \", Wrong_prepare(&s, &p, &i, w));\n    \
        printf(\"%d \", Wrong_run_prepared(&s, &p, &i, &o, w));\n    s.b = 2;\n    printf(\"%d \", Wrong_run_prepared(&s, &p, &i, &o, w));\n    \
        s.b = 1;\n    printf(\"%d \", Wrong_run(&s, &p, &i, &o, w + 4));\n    printf(\"%d \", Wrong_run(&s, &p, &i, &o, NULL));\n    \
        printf(\"%d \", Wrong_run(NULL, &p, &i, &o, w));\n    printf(\"%d \", Wrong_run(&s, NULL, &i, &o, w));\n    i.k = NULL;\n    \
        printf(\"%d \", Wrong_run(&s, &p, &i, &o, w));\n    i.k = k;\n    o.z = NULL;\n    printf(\"%d \", Wrong_run(&s, &p, &i, &o, w));\n    \
        s.b = 0;\n    i.k = NULL;\n    i.on = NULL;\n    o.y = NULL;\n    printf(\"%d \", Wrong_run(&s, &p, &i, &o, w));\n    \
        printf(\"%d %d \", (int)Wrong_workspace(NULL), Wrong_set_param(&p, \"tables\", table));\n    \
        printf(\"%s|%s\\n\", Wrong_message(Wrong_OUTSIDE), Wrong_param(0)->name);\n    free(w);\n    return 0;\n}\n";
    std::fs::write(built.folder.path().join("codes.c"), program).unwrap();
    built.compile("codes.c", "codes");
    let done = Command::new(built.folder.path().join("codes")).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(said, "3 0 0 3 2 2 2 2 2 2 0 0 0 an index is outside of its axis|table\n", "{:?}", done.status);
}

/// The first block of a page with this mark.
fn block<'p>(page: &'p str, mark: &str) -> &'p str {
    let from = page.find(&format!("```{mark}\n")).unwrap_or_else(|| panic!("no {mark}")) + mark.len() + 4;
    &page[from..from + page[from..].find("```").unwrap()]
}

#[test]
fn what_the_page_says_works_when_it_is_pasted() {
    if !is_compiled("what_the_page_says_works_when_it_is_pasted") {
        return;
    }
    let page = include_str!("../../docs/c.md");
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("scorer.hnet"), block(page, "hnet")).unwrap();
    std::fs::write(here.join("main.c"), block(page, "c")).unwrap();
    for line in block(page, "sh").lines() {
        let (line, said) = line.split_once(" # ").map_or((line, ""), |(line, said)| (line.trim(), said));
        let (program, args) = line.split_once(' ').unwrap_or((line, ""));
        let args: Vec<&str> = args.split_whitespace().collect();
        if program == "hnet" {
            let noted = err(&exits(here, &args, 0));
            assert!(noted.contains("cc main.c Scorer.o -lm"), "{noted}");
            continue;
        }
        let done =
            Command::new(if program == "cc" { "cc".into() } else { here.join(program) }).args(args).current_dir(here).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), said);
    }
}

#[test]
fn the_example_reads_weights_by_name() {
    if !is_compiled("the_example_reads_weights_by_name") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let model = root().join("models/task_digits");
    let beside = |end: &str| model.with_extension(end).display().to_string();
    let out = here.display().to_string();
    exits(here, &["build", &beside("hnet"), "--output", "logits", "--output", "class", "-o", &out], 0);
    let header = std::fs::read_to_string(here.join("TaskDigits.h")).unwrap();
    let none = header.contains("so they are not given: label") && !header.contains("*label");
    assert!(none, "nobody asked for what needs labels\n{header}");
    let program = root().join("examples/c/main.c").display().to_string();
    let flags = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-I."];
    let done = Command::new("cc")
        .args(flags)
        .args([&program, "TaskDigits.o", "-lm", "-o", "digits"])
        .current_dir(here)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let run = |args: &[String]| Command::new(here.join("digits")).args(args).output().unwrap();
    let done = run(&[beside("params.safetensors"), beside("inputs.safetensors")]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    exits(here, &["run", &beside("hnet"), "--backend", "interp", "--out", "want.safetensors"], 0);
    let want = Archive::open(&here.join("want.safetensors")).unwrap().get("class").unwrap().load(DType::I32).unwrap();
    let lines: Vec<String> = want.to_f64().iter().enumerate().map(|(k, n)| format!("image {k}: {n}")).collect();
    assert_eq!(said.lines().collect::<Vec<_>>(), lines, "{}", String::from_utf8_lossy(&done.stderr));
    // Tensors that a file has in parts, and parts of them stacked.
    let words = "#define main example\n#include EXAMPLE\n#undef main\nint main(int argc, char **argv) {\n    \
        struct file f = read_file(argv[1]);\n    float *w = load(&f, \"block.*.moe.expert.*.w1\", 2 * 4 * 32 * 48);\n    \
        (void)argc;\n    (void)example;\n    printf(\"%.9g %.9g\\n\", w[0], w[2 * 4 * 32 * 48 - 1]);\n    return 0;\n}\n";
    std::fs::write(here.join("parts.c"), words).unwrap();
    let define = format!("-DEXAMPLE=\"{program}\"");
    let done = Command::new("cc")
        .args(flags)
        .args([&define, "parts.c", "TaskDigits.o", "-lm", "-o", "parts"])
        .current_dir(here)
        .output();
    let done = done.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let weights = root().join("models/decoder.params.safetensors");
    let done = Command::new(here.join("parts")).arg(&weights).output().unwrap();
    let file = Archive::open(&weights).unwrap();
    let part = |k: usize| file.get(&format!("block.{k}.moe.expert.w1")).unwrap().load(DType::F32).unwrap().to_f64();
    let said: Vec<f64> = String::from_utf8_lossy(&done.stdout).split_whitespace().map(|n| n.parse().unwrap()).collect();
    let (first, last) = (part(0)[0], *part(1).last().unwrap());
    assert!((said[0] - first).abs() < 1e-7 && (said[1] - last).abs() < 1e-7, "{said:?} {first} {last}");
    // What is no such file is said.
    assert!(!run(&[beside("hnet"), beside("inputs.safetensors")]).status.success());
    assert!(err(&exits(here, &["build", &beside("hnet"), "--output", "clas", "-o", &out], 2)).contains("`class`"));
    assert!(err(&exits(here, &["build", &beside("hnet"), "--output", "class", "--emit", "plan"], 2)).contains("--output"));
}

#[test]
fn the_header_lists_what_sizes_have_to_be_and_what_nobody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let text = "dim b\ndim t\nmodel N {\n    input x: [b, t, 4]\n    input _spare: [b]\n    let v[j < count[t] - 2, i] = x[t: j + 2, i]\n    \
                output z: [b, 4] = sum[j] v[j]\n    output y: [t, 4] = x[b: 4]\n}\n";
    std::fs::write(here.join("n.hnet"), text).unwrap();
    exits(here, &["build", "n.hnet", "-o", "."], 0);
    let header = std::fs::read_to_string(here.join("N.h")).unwrap();
    for part in ["       5 <= b\n", "       0 <= t - 2\n", "so they are not given: _spare. */", "is longer than 2147483647"] {
        assert!(header.contains(part), "no {part}: {header}");
    }
    assert!(!header.contains("*_spare") && !header.contains("*spare"), "{header}");
}
