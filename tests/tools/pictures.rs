//! Pictures of the shipped models: where the lines go, and whether each relation has one.

use hnet::draw::layers::lift;
use hnet::draw::layout::{Placed, place};
use hnet::draw::scene::{Link, Scene, plain};
use hnet::pipeline;
use hnet::source::Sources;
use std::path::PathBuf;

fn models() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models");
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    all.retain(|p| p.extension().is_some_and(|e| e == "hnet"));
    all.sort();
    assert!(all.len() > 30);
    all
}

fn of(path: &std::path::Path) -> hnet::check::model::Model {
    let mut sources = Sources::default();
    let root = pipeline::read(&mut sources, path).unwrap();
    let checked = pipeline::check(&mut sources, root, &[]);
    checked.models.into_iter().next().unwrap()
}

/// Where a line with these points runs through a box that is none of its own.
fn through(scene: &Scene, placed: &Placed, e: usize) -> Option<String> {
    let edge = &scene.edges[e];
    let own = |k: usize| scene.within(edge.from, k) || scene.within(edge.to, k);
    for pair in placed.paths[e].windows(2) {
        for step in 0..=16 {
            // The line is a curve of third order between two heights.
            let t = f64::from(step) / 16.0;
            let (x, y) = (
                pair[0].0 + (pair[1].0 - pair[0].0) * (1.5 * t - 1.5 * t * t + t * t * t),
                pair[0].1 + (pair[1].1 - pair[0].1) * (3.0 * t * t - 2.0 * t * t * t),
            );
            for k in (0..scene.items.len()).filter(|k| !own(*k)) {
                let r = placed.boxes[k];
                if x > r.x + 0.01 && x < r.x + r.w - 0.01 && y > r.y + 0.01 && y < r.y + r.h - 0.01 {
                    return Some(format!(
                        "{} to {} runs through {}",
                        scene.items[edge.from].path, scene.items[edge.to].path, scene.items[k].path
                    ));
                }
            }
        }
    }
    None
}

#[test]
fn no_line_runs_through_a_box_and_no_boxes_overlap() {
    for path in models() {
        let scene = Scene::of(&of(&path));
        let placed = place(&scene);
        for e in 0..scene.edges.len() {
            assert!(placed.paths[e].len() >= 2, "{path:?}: a line without points");
            assert_eq!(through(&scene, &placed, e), None, "{path:?}");
        }
        for a in 0..scene.items.len() {
            for b in 0..a {
                let (p, q) = (placed.boxes[a], placed.boxes[b]);
                let apart = p.x + p.w <= q.x || q.x + q.w <= p.x || p.y + p.h <= q.y || q.y + q.h <= p.y;
                assert!(
                    apart || scene.within(a, b) || scene.within(b, a),
                    "{path:?}: {} and {}",
                    scene.items[a].path,
                    scene.items[b].path
                );
            }
        }
    }
}

#[test]
fn every_relation_has_its_line() {
    for path in models() {
        let model = of(&path);
        let scene = Scene::of(&model);
        for r in &model.relations {
            let Some(link) = Link::of(r.kind) else { continue };
            for p in &r.params {
                let Some(to) = scene.find(&plain(p)) else { panic!("{path:?}: {p} has no box") };
                // Many relations between the same two nets are one line.
                let top = |k: usize| lift(&scene, None, k).unwrap();
                let drawn = scene.edges.iter().any(|e| e.link == link && (scene.within(to, e.to) || top(to) == e.to));
                assert!(drawn, "{path:?}: {} {p} has no line", r.kind.word());
            }
        }
    }
}

/// The names of the boxes that a kind of line goes between.
fn lines(name: &str, link: Link) -> Vec<(String, String)> {
    let scene = Scene::of(&of(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("models/{name}.hnet"))));
    let name = |k: usize| scene.items[k].path.clone();
    scene.edges.iter().filter(|e| e.link == link).map(|e| (name(e.from), name(e.to))).collect()
}

#[test]
fn lines_are_those_that_the_models_say() {
    let has = |model: &str, link: Link, from: &str, to: &str| {
        let all = lines(model, link);
        assert!(all.contains(&(from.into(), to.into())), "{model}: {from} to {to} is not among {all:?}");
    };
    has("task_digits", Link::Generate, "hyper.head", "target");
    has("task_digits", Link::Flow, "target.fc1", "target.fc2");
    has("doh", Link::Generate, "z", "siren");
    has("lora_hyper", Link::Adapt, "down", "base");
    has("lora_hyper", Link::Adapt, "up", "base");
    has("hyperlstm", Link::Scale, "lstm.scale_h.write", "lstm.main.wh");
    has("hyperlstm", Link::Generate, "lstm.shift.write", "lstm.main.bias");
    has("condconv", Link::Blend, "gate", "expert");
    has("decoder", Link::Flow, "embed", "block.norm1");
    has("decoder", Link::Flow, "block.moe.expert", "norm");
    has("moe", Link::Flow, "gate", "expert router");
    has("moe", Link::Route, "expert router", "expert");
    has("steel", Link::Adapt, "net1.lora", "net1.base");
    has("steel", Link::Flow, "denoise.net1.fc3", "net1.lora");
}
