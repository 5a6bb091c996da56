//! Rows of a batch that are equal: what they decide is computed once for all of them, and no number differs from what each gets by itself.

use crate::common;
use hnet::bind::init;
use hnet::bind::inputs::{Request, gather};
use hnet::check::model::Model;
use hnet::exec::{Engine, session};
use hnet::ir::pin::{FOR_EACH_ROW, ONCE_IF_EQUAL};
use hnet::ir::{Bindings, Data, NodeId, Tensor};
use hnet::plan::{Asked, Decision, Pins, Terms, What};
use hnet::{fuzz, gpu, plan};

/// A network for each row, which the row's code writes.
const WRITTEN: &str = "
import std.mlp { Mlp }
import std.hyper { Hyper }
dim b
model M {
    KIND z: [b, 6]
    input x: [b, 40]
    sub hyper = Hyper(6, 12, size(target.*))
    sub target = Mlp(40, 30, 3)
    generate target.* from hyper(z)
    output y: [b, 3] = target(x)
}
";

/// What is said of a row among the others, and a look-up that may be outside.
const ASKED: &str = "
dim b
model M {
    input z: [b, 6]
    param w: [6, 40, 40] = normal()
    param t: [9] = normal()
    input x: [b, 40]
    let made[i, o] = tanh(sum[k] z[k] * w[k, i, o])
    let at = int(round(z[0]))
    output y: [b, 40] = x @ made + t[at]
}
";

fn model(text: &str) -> Model {
    fuzz::check::model(text).unwrap_or_else(|f| panic!("{}\n{text}", f.detail))
}

fn roots(model: &Model) -> Vec<NodeId> {
    model.graph.outputs.iter().map(|o| o.node).collect()
}

/// Everything drawn; row `k` of `z` has the numbers of kind `kinds[k]`.
fn given(model: &Model, kinds: &[i32]) -> Bindings {
    let dims = [("b".to_string(), kinds.len() as i64)].into();
    let mut given = gather(model, &Request { random: true, dims, ..Request::default() }).unwrap();
    let z = kinds.iter().flat_map(|kind| (0..6).map(move |i| ((kind * 7 + i) % 11) as f32 / 4.0));
    given.tensors.insert("z".to_string(), Tensor::new(vec![kinds.len(), 6], Data::F32(z.collect())));
    session::bindings(init::initialise_all(model, &given.sizes, 3).unwrap(), given, 3)
}

/// Native code in two ways, and shaders where there is a device.
fn engines(model: &Model) -> Vec<Engine> {
    let (graph, roots) = (&model.graph, roots(model));
    let mut out = vec![Engine::cpu(graph, &roots, 1).unwrap(), Engine::cpu(graph, &roots, 2).unwrap()];
    out.extend(common::device("equal rows").map(|device| Engine::gpu(&device, graph, &roots, gpu::Options::default())));
    out
}

fn agrees(got: &[Tensor], oracle: &[Tensor]) {
    for (got, want) in got.iter().zip(oracle) {
        assert_eq!(got.shape, want.shape);
        let scale = want.to_f64().iter().filter(|x| x.is_finite()).fold(1e-30, |m: f64, x| m.max(x.abs()));
        for (g, w) in got.to_f64().into_iter().zip(want.to_f64()) {
            assert!((g - w).abs() <= 1e-5 * scale || g.is_nan() && w.is_nan(), "{g} for {w}");
        }
    }
}

/// Whether what ran last took a table of rows.
fn took_a_table(engine: &Engine) -> bool {
    let sizes = engine.program().map(|(_, sizes)| sizes.contains_key("z_rows"));
    sizes.unwrap_or_else(|| engine.plan_text().is_some_and(|text| text.contains("z_rows")))
}

/// All rows equal, some, none; one engine for all of them, forth and back.
#[test]
fn equal_rows_give_what_each_row_gives() {
    let cases: [(&[i32], bool); 9] = [
        (&[1; 64], true),
        (&[0, 1, 2, 3, 2, 1, 0, 4, 4, 4, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4], true),
        (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1], false),
        (&[7; 2], true),
        (&[7], false),
        (&[], false),
        (&[3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 5, 5, 3], true),
        (&[1; 64], true),
        (&[0, 1, 2, 3, 2, 1, 0, 4, 4, 4, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4], true),
    ];
    for kind in ["input", "condition"] {
        let model = model(&WRITTEN.replace("KIND", kind));
        let mut engines = engines(&model);
        for (kinds, shared) in cases {
            let bindings = given(&model, kinds);
            let oracle = Engine::interpreter(&model.graph, &roots(&model)).run(&bindings).unwrap();
            for engine in &mut engines {
                agrees(&engine.run(&bindings).unwrap(), &oracle);
                if kinds.len() > 2 {
                    assert_eq!(took_a_table(engine), shared, "{kind} {kinds:?} on {}", engine.name());
                }
            }
        }
    }
}

/// What is prepared once, and inputs that change; a condition that changes; and what is NaN stays in its rows.
#[test]
fn rows_may_differ_from_run_to_run() {
    for kind in ["input", "condition"] {
        let model = model(&WRITTEN.replace("KIND", kind));
        for engine in &mut engines(&model) {
            let cases: [&[i32]; 4] =
                [&[1, 1, 1, 2, 2, 2, 1, 1], &[1, 2, 3, 4, 5, 6, 7, 8], &[2, 2, 2, 2, 2, 2, 2, 2], &[2, 2, 2, 2, 9, 2, 2, 2]];
            // Each comes back, after each of the others.
            for kinds in [0, 1, 0, 2, 0, 3, 1, 3, 2, 1, 2, 3, 0].map(|k| cases[k]) {
                let mut all = given(&model, kinds);
                if let Some(Tensor { data: Data::F32(z), .. }) = all.sources.get_mut("z")
                    && kinds[4] == 9
                {
                    z[4 * 6] = f32::NAN;
                }
                let late = |path: &String| path == "x" || path == "z" && kind == "input";
                let (mut early, mut inputs) = (all.clone(), all.clone());
                early.sources.retain(|path, _| !late(path));
                inputs.sources.retain(|path, _| late(path));
                let oracle = Engine::interpreter(&model.graph, &roots(&model)).run(&all).unwrap();
                engine.prepare(&early).unwrap();
                for _ in 0..2 {
                    agrees(engine.run_prepared(&inputs).unwrap(), &oracle);
                }
                let nan: Vec<bool> = oracle[0].to_f64().chunks(3).map(|row| row.iter().any(|x| x.is_nan())).collect();
                assert_eq!(nan, kinds.iter().map(|k| *k == 9).collect::<Vec<_>>());
            }
        }
    }
}

/// What a code and a style decide together, and what the code decides alone.
const TOGETHER: &str = "
dim b
model M {
    A z: [b, 6]
    B s: [b, 5]
    param w: [6, 40, 40] = normal()
    param v: [5, 40, 40] = normal()
    input x: [b, 40]
    let made[i, o] = tanh((sum[k] z[k] * w[k, i, o]) + (sum[k] s[k] * v[k, i, o]))
    output y: [b, 40] = x @ made
}
";

/// Rows that are equal in two sources are found, also where one of them comes with a condition; rows that are equal in one of them alone are not.
#[test]
fn rows_are_equal_where_all_that_decides_together_is() {
    // Where codes alone are equal, what they decide alone is still computed once; where styles are, by a table of those.
    let cases: [(&[i32], &[i32], bool); 7] = [
        (&[0, 1, 0, 1, 0, 1, 0, 1, 0, 1], &[3, 3, 3, 3, 3, 3, 3, 3, 3, 3], true),
        (&[0, 1, 0, 1, 0, 1, 0, 1, 0, 1], &[0, 0, 1, 1, 0, 0, 1, 1, 0, 0], true),
        (&[4; 10], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], true),
        (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], &[4; 10], false),
        (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], &[9, 8, 7, 6, 5, 4, 3, 2, 1, 0], false),
        (&[4; 10], &[5; 10], true),
        (&[4], &[5], false),
    ];
    for (first, second) in [("input", "input"), ("condition", "input"), ("input", "condition"), ("condition", "condition")] {
        let model = model(&TOGETHER.replace("    A z", &format!("    {first} z")).replace("    B s", &format!("    {second} s")));
        for engine in &mut engines(&model) {
            for (codes, styles, shared) in cases.iter().chain(&cases) {
                let mut bindings = given(&model, codes);
                let s = styles.iter().flat_map(|kind| (0..5).map(move |i| ((kind * 5 + i) % 13) as f32 / 8.0 - 0.5));
                bindings.sources.insert("s".to_string(), Tensor::new(vec![styles.len(), 5], Data::F32(s.collect())));
                let oracle = Engine::interpreter(&model.graph, &roots(&model)).run(&bindings).unwrap();
                agrees(&engine.run(&bindings).unwrap(), &oracle);
                assert_eq!(took_a_table(engine), *shared, "{first} {second} {codes:?} {styles:?} on {}", engine.name());
                // And in stages.
                let late = |path: &String| path == "x" || path == "z" && first == "input" || path == "s" && second == "input";
                let (mut early, mut inputs) = (bindings.clone(), bindings.clone());
                early.sources.retain(|path, _| !late(path));
                inputs.sources.retain(|path, _| late(path));
                engine.prepare(&early).unwrap();
                for _ in 0..2 {
                    agrees(engine.run_prepared(&inputs).unwrap(), &oracle);
                }
            }
        }
    }
}

/// An index that is outside is told of the row of the batch, and the engine runs on.
#[test]
fn what_is_wrong_is_told_of_all_rows() {
    let model = model(ASKED);
    for engine in &mut engines(&model) {
        let mut bindings = given(&model, &[0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]);
        let right = bindings.clone();
        if let Some(Tensor { data: Data::F32(z), .. }) = bindings.sources.get_mut("z") {
            (4..8).for_each(|row| z[row * 6] = 40.0);
        }
        let want = Engine::interpreter(&model.graph, &roots(&model)).run(&bindings).unwrap_err();
        let got = engine.run(&bindings).unwrap_err();
        assert_eq!((got.code, &got.message), (want.code, &want.message));
        let oracle = Engine::interpreter(&model.graph, &roots(&model)).run(&right).unwrap();
        agrees(&engine.run(&right).unwrap(), &oracle);
    }
}

/// The decision is one like others: it can be pinned, from the outside and in the source.
#[test]
fn it_is_a_decision() {
    let text = WRITTEN.replace("KIND", "input");
    let found = model(&text);
    let sizes = [("b".into(), 64)].into();
    let decisions = plan::plan_on(&found.graph, &roots(&found), &sizes, &Terms::default()).unwrap().decisions;
    let is_equal = |d: &&Decision| d.site.what == What::Equal;
    let d = decisions.iter().find(is_equal).expect("rows may be equal");
    assert_eq!(d.ways[d.taken].text, ONCE_IF_EQUAL);
    let other = d.ways.iter().position(|w| w.text == FOR_EACH_ROW).unwrap();
    let bindings = given(&found, &[1; 64]);
    for engine in engines(&found) {
        let mut engine = engine.pinned(Pins::At(Asked::from([(d.site, other)])));
        engine.run(&bindings).unwrap();
        assert!(!took_a_table(&engine));
    }
    let pinned = model(&text.replace("input z", "@pin(equal = \"for each row\")\n    input z"));
    for mut engine in engines(&pinned) {
        engine.run(&bindings).unwrap();
        assert!(!took_a_table(&engine));
    }
}
