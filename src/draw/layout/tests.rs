use super::*;
use crate::draw::scene::{Edge, Item, Link};
use crate::draw::svg;
use crate::ir::Rate;

fn scene() -> Scene {
    let mut s = Scene { title: "Tasks".into(), ..Scene::default() };
    let mut add = |path: &str, kind: Kind, about: &str, count: Option<&str>, rate: Rate, parent: Option<usize>| {
        let name = path.rsplit('.').next().unwrap_or(path).to_string();
        s.items.push(Item { path: path.into(), kind, name, about: about.into(), count: count.map(Into::into), rate, parent });
        s.items.len() - 1
    };
    let (input, condition) = (Rate::Input, Rate::Condition);
    let task = add("task", Kind::Condition, "i32", None, condition, None);
    let x = add("x", Kind::Input, "f32[b, 64]", None, input, None);
    let label = add("label", Kind::Input, "i32[b]", None, input, None);
    let embed = add("embed", Kind::Param, "f32[5, 16]", None, Rate::Parameter, None);
    let hyper = add("hyper", Kind::Net, "Hyper", None, condition, None);
    let trunk = add("hyper.trunk", Kind::Net, "Linear", None, condition, Some(hyper));
    let head = add("hyper.head", Kind::Net, "Linear", None, condition, Some(hyper));
    let target = add("target", Kind::Net, "Mlp", None, input, None);
    let fc1 = add("target.fc1", Kind::Net, "Linear", None, input, Some(target));
    let fc2 = add("target.fc2", Kind::Net, "Linear", None, input, Some(target));
    let gate = add("gate", Kind::Net, "Linear", None, input, None);
    let router = add("router", Kind::Router, "capacity 1.25", None, input, None);
    let expert = add("expert", Kind::Net, "Ffn", Some("× 8"), input, None);
    let logits = add("logits", Kind::Output, "f32[b, 10]", None, input, None);
    let nll = add("nll", Kind::Loss, "f32", None, input, None);
    s.items[router].name = "2 of 8".into();
    let flow = [
        (task, trunk),
        (embed, trunk),
        (trunk, head),
        (x, fc1),
        (fc1, fc2),
        (fc2, gate),
        (fc2, router),
        (gate, router),
        (expert, logits),
        (expert, nll),
        (label, nll),
    ];
    s.edges.extend(flow.map(|(from, to)| Edge { from, to, link: Link::Flow }));
    s.edges.push(Edge { from: hyper, to: target, link: Link::Generate });
    s.edges.push(Edge { from: trunk, to: fc2, link: Link::Scale });
    s.edges.push(Edge { from: router, to: expert, link: Link::Route });
    s.edges.push(Edge { from: nll, to: gate, link: Link::Tie });
    s
}

#[test]
fn boxes_hold_their_parts_and_do_not_overlap() {
    let s = scene();
    let placed = place(&s);
    let r = |k: usize| placed.boxes[k];
    for a in 0..s.items.len() {
        if let Some(p) = s.items[a].parent {
            let (inner, outer) = (r(a), r(p));
            assert!(
                inner.x >= outer.x
                    && inner.y >= outer.y
                    && inner.x + inner.w <= outer.x + outer.w
                    && inner.y + inner.h <= outer.y + outer.h
            );
        }
        for b in 0..a {
            let apart =
                r(a).x + r(a).w <= r(b).x || r(b).x + r(b).w <= r(a).x || r(a).y + r(a).h <= r(b).y || r(b).y + r(b).h <= r(a).y;
            assert!(apart || s.within(a, b) || s.within(b, a), "{} and {}", s.items[a].path, s.items[b].path);
        }
    }
    if let Ok(path) = std::env::var("HNET_PICTURE") {
        std::fs::write(path, svg::write(&s, &placed)).unwrap();
    }
}

#[test]
fn edges_go_from_left_to_right() {
    let s = scene();
    let placed = place(&s);
    for e in s.edges.iter().filter(|e| e.link != Link::Tie) {
        let (a, b) = (placed.boxes[e.from], placed.boxes[e.to]);
        assert!(a.x + a.w <= b.x, "{} to {}", s.items[e.from].path, s.items[e.to].path);
    }
}
