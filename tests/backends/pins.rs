//! Pins in the source: each way of each kind of decision gives the same numbers, and the plan follows the pin, wherever it stands.

mod programs;

use crate::common::{files, name};
use crate::suite::Case;
use hnet::fuzz::check::model;
use hnet::ir::{Op, OutputKind};
use hnet::opt;
use hnet::pipeline;
use hnet::plan::{By, Decision, Pins, Terms, What};
use hnet::source::Sources;
use hnet::train::course;
use programs::PROGRAMS;
use std::collections::BTreeSet;
use std::path::Path;

fn decisions(text: &str, dims: &[(&str, i64)]) -> Vec<Decision> {
    Case::new(text, dims, &[]).decisions()
}

/// `@pin(sum of "y_add" = "made")`
fn pin(d: &Decision, way: usize) -> String {
    format!("@pin({} of \"{}\" = \"{}\")", d.site.what.word(), d.name, d.ways[way].text)
}

/// Whether a decision about the same value is taken by the source, in this way. Another statement may have a value of that name.
fn follows(made: &[Decision], d: &Decision, way: usize) -> bool {
    // Two orders of one statement may be about products of one name, with other factors.
    let same =
        |m: &&Decision| m.site.what == d.site.what && m.name == d.name && m.ways.iter().any(|w| w.text == d.ways[way].text);
    let taken = |m: &Decision| m.ways[m.taken].text == d.ways[way].text && matches!(m.by, By::Source(_));
    made.iter().any(|m| same(&m) && taken(m))
}

#[test]
fn each_way_of_each_kind_agrees_and_is_taken() {
    let mut tried = BTreeSet::new();
    for (kind, text, dims) in PROGRAMS {
        let mut found: Vec<Decision> = decisions(&text.replace("PIN", ""), dims);
        found.retain(|d| d.site.what.word() == *kind);
        let first = found.first().unwrap_or_else(|| panic!("no {kind} is decided in\n{text}")).site;
        found.retain(|d| d.site == first);
        for d in &found {
            for way in 0..d.ways.len() {
                let text = text.replace("PIN", &pin(d, way));
                let made = decisions(&text, dims);
                assert!(follows(&made, d, way), "{text}\n{made:#?}");
                Case::new(&text, dims, &[]).agrees();
                tried.insert(d.site.what);
            }
        }
    }
    assert_eq!(tried.len(), What::ALL.len(), "{tried:?}");
}

const LAYER: &str = "
import std.linear { Linear }
dim b
net Two(d) {
    sub one = Linear(d, d)
    (x: [d], v: [3, d]) -> [d] {
        BODY
        let y = one(x)
        y
    }
}
model M {
    input x: [b, 24]
    input v: [3, 24]
    input c: [24, 3]
    input d: [24, 3]
    SUB
    sub net = Two(24)
    sub other = Two(24)
    ADAPT
    adapt net.one.w by c @ v
    adapt other.one.w by d @ v
    CALL
    output y: [b, 24] = net(x, v)
    output z: [b, 24] = other(x, v)
}
";

/// Which way is taken for the sums of `net` and of `other`, with these pins at these places.
fn sums(pins: &[(&str, &str)]) -> Vec<String> {
    let mut text = LAYER.to_string();
    for (at, way) in pins {
        text = text.replace(at, &format!("@pin(sum = \"{way}\")"));
    }
    for at in ["BODY", "SUB", "ADAPT", "CALL"] {
        text = text.replace(at, "");
    }
    let mut found: Vec<Decision> = decisions(&text, &[("b", 5)]).into_iter().filter(|d| d.site.what == What::Sum).collect();
    found.sort_by_key(|d| !d.name.starts_with("net"));
    assert_eq!(found.len(), 2, "{found:#?}");
    found.iter().map(|d| d.ways[d.taken].text.clone()).collect()
}

#[test]
fn a_pin_concerns_what_is_computed_in_its_statement_in_what_it_calls_and_in_the_net_that_it_makes() {
    const OUT: &str = "multiplied out";
    assert_eq!(sums(&[]), [OUT, OUT]);
    // What a net says concerns every instance; the others concern one.
    assert_eq!(sums(&[("BODY", "made")]), ["made", "made"]);
    for at in ["SUB", "ADAPT", "CALL"] {
        assert_eq!(sums(&[(at, "made")]), ["made", OUT], "{at}");
    }
    // Who calls counts more.
    assert_eq!(sums(&[("BODY", "made"), ("CALL", OUT)]), [OUT, "made"]);
    assert_eq!(sums(&[("BODY", "made"), ("SUB", OUT)]), [OUT, "made"]);
    assert_eq!(sums(&[("CALL", "made"), ("SUB", OUT)]), ["made", OUT]);
}

#[test]
fn the_command_line_counts_more_than_the_source() {
    let (_, text, dims) = PROGRAMS[1];
    let text = text.replace("PIN", "@pin(sum = \"made\")");
    let case = Case::new(&text, dims, &[]);
    let d = case.decisions().into_iter().find(|d| d.site.what == What::Sum).expect("a sum");
    let other = 1 - d.taken;
    let graph = opt::optimize(case.source(), &mut |_, _| {});
    let wanted: Vec<_> = graph.outputs.iter().map(|o| o.node).collect();
    let terms = Terms { pins: Pins::At([(d.site, other)].into()), ..Terms::default() };
    let sizes = dims.iter().map(|(n, v)| (hnet::ir::Sym::from(*n), *v)).collect();
    let plan = hnet::plan::plan_on(&graph, &wanted, &sizes, &terms).unwrap_or_else(|d| panic!("{}", d.message));
    let d = plan.decisions.iter().find(|d| d.site.what == What::Sum).expect("a sum");
    assert_eq!((d.taken, d.by), (other, By::Asked));
    case.pinned(Pins::At([(d.site, other)].into())).agrees();
}

/// Where nothing is decided a pin has nothing to do; an order that is none of the cheapest is taken all the same, at every length.
#[test]
fn a_pin_holds_at_every_length_at_which_there_is_a_decision() {
    let (_, text, _) = PROGRAMS[5];
    let text = text.replace("PIN", "@pin(rows = \"for all rows\")");
    for t in [0, 1, 8, 96] {
        let rows = decisions(&text, &[("t", t)]).into_iter().filter(|d| d.site.what == What::Rows).count();
        assert_eq!(rows > 0, t == 96, "{t}");
        Case::new(&text, &[("t", t)], &[]).agrees();
    }
    let (_, text, _) = PROGRAMS[0];
    let order = "(x * s) * (a * u)";
    assert!(model(&text.replace("PIN", &format!("@pin(order = \"{order}\")"))).is_ok());
    for order in ["x * (a * (u * s))", "((x * a) * u) * s", "(x*a) * (u*s)", "(x * (a * u)) * s"] {
        let text = text.replace("PIN", &format!("@pin(order = \"{order}\")"));
        for b in [1, 2, 33, 3000] {
            let made = decisions(&text, &[("b", b)]);
            let d = made.iter().find(|d| d.site.what == What::Order).expect("an order");
            assert!(matches!(d.by, By::Source(_)), "{order} at {b}: {d:#?}");
        }
        Case::new(&text, &[("b", 5)], &[]).agrees();
    }
}

#[test]
fn a_body_of_a_loop_is_pinned_like_all_others() {
    let text = "dim b
        model M {
            input x: [b, 24]
            input a: [24, 3]
            input u: [3, 24]
            param w: [24, 24] = normal()
            var h: [b, 24] = x
            for i in 0..count[b] {
                @pin(sum = \"WAY\")
                h = tanh(h @ (w + a @ u))
            }
            output y: [b, 24] = h
        }";
    for way in ["made", "multiplied out"] {
        let text = text.replace("WAY", way);
        let made = decisions(&text, &[("b", 3)]);
        let d = made.iter().find(|d| d.site.what == What::Sum).unwrap_or_else(|| panic!("no sum: {made:#?}"));
        assert!(d.ways[d.taken].text == way && matches!(d.by, By::Source(_)), "{d:#?}");
        Case::new(&text, &[("b", 3)], &[]).agrees();
    }
}

/// Every pass, and everything that makes a graph of another, takes the pins along.
#[test]
fn pins_travel_with_the_graph() {
    let text = "dim b
        model M {
            input x: [b, 24]
            param w: [24, 24] = normal()
            param a: [24, 3] = normal()
            param u: [3, 24] = normal()
            @pin(sum = \"made\")
            output y: [b, 24] = x @ (w + a @ u)
            loss far = mean[b] mean[i] y[i]^2
        }
        train M {
            data \"rows.safetensors\" { x }
            batch b = 4
            minimize far
            over *
            with sgd(lr: 0.1)
            steps 3
        }";
    let model = model(text).unwrap_or_else(|f| panic!("{}", f.detail));
    let own = &model.graph.pins;
    assert_eq!(own.len(), 1);
    for pass in opt::PASSES {
        assert_eq!((pass.run)(&model.graph).pins, *own, "{}", pass.name);
    }
    let arm = &model.trains[0].arms[0];
    for part in course::parts(arm) {
        for mixed in [false, true] {
            let within = hnet::train::Within { extents: &[], memory: 1 << 30, mixed };
            let step = course::step(arm, *part, &within).unwrap_or_else(|d| panic!("{}", d.message));
            assert_eq!(step.graph.pins, *own, "mixed {mixed}");
            let under = |id| step.graph.node(id).under.is_some();
            assert!(step.graph.ids().any(|id| under(id) && matches!(step.graph.node(id).op, Op::Contract)));
        }
    }
    assert!(model.graph.outputs.iter().any(|o| o.kind == OutputKind::Loss));
}

/// A program with this text, from a file that is elsewhere; none where it is no program.
fn read(path: &Path, text: String) -> Option<(Sources, pipeline::Checked)> {
    let mut sources = Sources::default();
    let file = sources.add(path.display().to_string(), Some(path), text);
    let checked = pipeline::check(&mut sources, file, &[]);
    checked.is_fine().then_some((sources, checked))
}

/// What is decided about the models of the gallery in their own files can be pinned there, each way of it: in front of the statement, which is
/// the nearest place above at which a statement begins.
#[test]
fn what_is_decided_in_the_gallery_can_be_pinned_in_its_files() {
    let (mut sites, mut pinned) = (0, 0);
    for path in files("models") {
        let text = std::fs::read_to_string(&path).expect("a text");
        let Some((sources, checked)) = read(&path, text.clone()) else { panic!("{}", path.display()) };
        for (k, own) in checked.models.iter().enumerate() {
            let sizes = pipeline::sizes_near(own, 64);
            let Ok(plan) = pipeline::plan(own, &sizes) else { continue };
            let mut known = BTreeSet::new();
            for d in plan.decisions.iter().filter(|d| sources.get(d.site.span.file).text.as_ref() == text) {
                if d.site.span.start == d.site.span.end || !known.insert((d.site, d.name.clone())) {
                    continue;
                }
                sites += 1;
                let way = d.ways.len() - 1 - d.taken;
                // Where the command line takes this way, another decision may become another one, and leave none here.
                let terms = Terms { pins: Pins::At([(d.site, way)].into()), ..Terms::default() };
                let told = pipeline::plan_on(own, &sizes, &terms).map(|p| p.decisions).unwrap_or_default();
                let there = |t: &Decision| t.site == d.site && t.name == d.name && t.ways[t.taken].text == d.ways[way].text;
                if way == d.taken || !told.iter().any(there) {
                    continue;
                }
                // A function of one line has no statement: it is pinned where it is called.
                let line = text[..d.site.span.start as usize].rfind('\n').map_or(0, |at| at + 1);
                if text[line..].starts_with("fn ") {
                    continue;
                }
                let starts = text[..d.site.span.start as usize].match_indices('\n').map(|(at, _)| at + 1).collect::<Vec<_>>();
                let at = |start: usize, pin: &str| [&text[..start], pin, "\n", &text[start..]].concat();
                let fits = |start: &usize| {
                    let Some((_, with)) = read(&path, at(*start, &pin(d, way))) else { return false };
                    pipeline::plan(&with.models[k], &sizes).is_ok_and(|p| follows(&p.decisions, d, way))
                };
                let found = starts.iter().rev().take(12).any(fits);
                assert!(found, "{}: {} of {} at {:?}", name(&path), d.site.what.word(), d.name, d.site.span);
                pinned += 1;
            }
        }
    }
    println!("{sites} sites, {pinned} pinned");
    assert!(pinned > 10 && 2 * pinned > sites, "{sites} sites, {pinned} pinned");
}
