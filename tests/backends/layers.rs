//! Layers that are alike share their shaders: so that a device is ready as soon for a deep net as for a flat one.

use crate::common::{self, models};
use crate::suite::Case;
use crate::suite::Way::{Device, OptimizedDevice};
use hnet::gpu::{Dispatch, Item, Program, check};
use hnet::{pipeline, source::Sources};
use std::collections::BTreeSet;

/// Blocks of attention and a network, one after the other: parameters in stacks, or each with its own.
fn deep(layers: usize, apart: bool) -> String {
    let (nets, calls) = match apart {
        false => (
            format!("    sub block[{layers}] = Block(d, heads, h)\n"),
            format!("    for l in 0..{layers} {{ x = block[l](x) }}\n"),
        ),
        true => (
            (0..layers).map(|l| format!("    sub b{l} = Block(d, heads, h)\n")).collect(),
            (0..layers).map(|l| format!("    x = b{l}(x)\n")).collect(),
        ),
    };
    format!(
        "import std.math {{ silu }}
import std.linear {{ Matrix }}
import std.norm {{ RmsNorm }}
import std.attention {{ RotaryAttention }}

dim t
const d = 16
const heads = 2
const h = 24
const vocab = 11

net Block(d, heads, h) {{
    sub norm1 = RmsNorm(d)
    sub attn = RotaryAttention(d, heads)
    sub norm2 = RmsNorm(d)
    sub up = Matrix(d, h)
    sub gate = Matrix(d, h)
    sub down = Matrix(h, d)

    (x: [t, d]) -> [t, d] {{
        let y = x + attn(norm1(x))
        let z = norm2(y)
        y + down(silu(gate(z)) * up(z))
    }}
}}

model Deep {{
    input token: i32[t]

    param embed: [vocab, d] = normal(std: 0.02)
{nets}    sub norm = RmsNorm(d)
    sub head = Matrix(d, vocab)

    var x = embed[token]
{calls}    output y: [t, vocab] = x |> norm |> head
}}
"
    )
}

/// A narrow network of many layers.
fn narrow(layers: usize) -> String {
    format!(
        "import std.linear {{ Linear }}

dim b

model Narrow {{
    input x: [b, 8]

    sub layer[{layers}] = Linear(8, 8)

    var h = x
    for l in 0..{layers} {{ h = tanh(layer[l](h)) + h }}
    output y: [b, 8] = h
}}
"
    )
}

fn program(text: &str, set: &[(&str, f64)], size: i64) -> Program {
    let mut sources = Sources::default();
    let file = sources.add("deep.hnet", None, text);
    let set: Vec<(String, f64)> = set.iter().map(|(n, v)| (n.to_string(), *v)).collect();
    let checked = pipeline::check(&mut sources, file, &set);
    assert!(checked.is_fine(), "{text}");
    let model = &checked.models[0];
    let program = hnet::emit::shaders(model, &pipeline::sizes_near(model, size), &|_| None).unwrap().1;
    let texts: BTreeSet<&str> = program.shaders.iter().map(|s| s.read()).collect();
    assert_eq!(texts.len(), program.shaders.len(), "two shaders are one");
    for s in &program.shaders {
        check::validate(&s.code).unwrap_or_else(|why| panic!("{why}\n{}", s.code));
    }
    program
}

fn dispatches(items: &[Item]) -> Vec<&Dispatch> {
    items.iter().flat_map(|i| if let Item::Repeat { body, .. } = i { dispatches(body) } else { one(i) }).collect()
}

fn one(item: &Item) -> Vec<&Dispatch> {
    if let Item::Dispatch(d) = item { vec![d] } else { Vec::new() }
}

#[test]
fn twelve_layers_take_as_many_shaders_as_three() {
    for apart in [false, true] {
        for size in [1, 16, 200, 1000] {
            let [few, many] = [3, 12].map(|layers| program(&deep(layers, apart), &[], size));
            let (n, m) = (few.shaders.len(), many.shaders.len());
            assert_eq!(n, m, "at {size}, {apart}");
            assert!(n <= 14, "at {size}, {apart}: {n}");
            assert!(dispatches(&many.items).len() >= 2 * 12, "at {size}, {apart}");
        }
    }
}

#[test]
fn a_mixture_in_every_layer_takes_as_many_shaders_however_deep() {
    let text = std::fs::read_to_string(common::root().join("models/decoder.hnet")).unwrap();
    for size in [1, 16, 200] {
        let [few, many] = [4.0, 12.0].map(|layers| program(&text, &[("layers", layers)], size).shaders.len());
        assert_eq!(few, many, "at {size}");
    }
}

#[test]
fn short_layers_share_a_shader_as_before() {
    let [few, many] = [16, 64].map(|layers| program(&narrow(layers), &[], 5));
    assert!(many.shaders.len() <= few.shaders.len() + 1, "{} and {}", few.shaders.len(), many.shaders.len());
    assert!(dispatches(&many.items).len() <= 64 / 16 + 2, "{}", dispatches(&many.items).len());
}

/// Whoever looks at a profile wants to know which layer it was.
#[test]
fn a_dispatch_is_called_as_its_own_layer() {
    let program = program(&deep(12, true), &[], 16);
    let names: BTreeSet<&str> = dispatches(&program.items).into_iter().map(|d| d.name.as_str()).collect();
    for layer in 1..12 {
        assert!(names.iter().any(|n| n.starts_with(&format!("b{layer}_"))), "{layer}: {names:?}");
    }
    let shared = program.shaders.iter().find(|s| s.code.contains("// and ")).expect("some are shared");
    let layer = |n: usize| shared.code.lines().nth(1).is_some_and(|l| l.contains(&format!("b{n}_")));
    assert!(layer(2) && layer(3), "{}", shared.code);
}

#[test]
fn what_shared_shaders_compute_is_right() {
    for (layers, apart) in [(3, true), (5, false)] {
        for t in [1, 5, 70] {
            Case::new(&deep(layers, apart), &[("t", t)], &[]).on(&[OptimizedDevice]).agrees();
        }
    }
    Case::new(&narrow(20), &[("b", 3)], &[]).on(&[Device, OptimizedDevice]).agrees();
}

/// Nearly alike: other constants, one operand twice, another axis of the same length, a part of a tensor, a bool.
#[test]
fn what_differs_does_not_share_a_shader() {
    let text = "
dim b

net Scaled(s: f32) {
    (x: [b, 6], y: [b, 6]) -> [b, 6] { s * x + tanh(y) }
}

model Nearly {
    input p: [b, 6]
    input q: [b, 6]
    input m: [6, 6]
    input stack: [3, 6, 6]

    sub half = Scaled(0.5)
    sub twice = Scaled(2.0)
    output a: [b, 6] = half(p, q)
    output c: [b, 6] = twice(p, q)
    output d: [b, 6] = half(p, p)
    output e: [b, 6] = half(q, p)
    output f: [b, 6] = p @ m
    output g[b, u < 6]: [b, 6] = sum[v] p[b, v] * m[u, v]
    output h: [b, 6] = p @ stack[0]
    output i: [b, 6] = q @ stack[2]
    output j: [b, 6] = p @ stack[1]
    output k: bool[b, 6] = p < q
    output l: bool[b, 6] = q < p
}
";
    for b in [1, 3, 70] {
        Case::new(text, &[("b", b)], &[]).on(&[Device, OptimizedDevice]).agrees();
    }
}

/// No dispatch sees a word under two names, also where layers share a text.
#[test]
fn buffers_of_shared_shaders_do_not_overlap() {
    for model in models(&common::root().join("models/decoder.hnet")) {
        for size in [1, 64] {
            let sizes = pipeline::sizes_near(&model, size);
            let (_, program) = hnet::emit::shaders(&model, &sizes, &|_| None).unwrap();
            let layout = hnet::gpu::arena::place(&program, &sizes).unwrap();
            assert_eq!(hnet::gpu::arena::disjoint(&program, &layout), Ok(()));
        }
    }
}
