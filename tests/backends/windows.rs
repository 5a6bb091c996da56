//! Convolutions whose windows are not written down: sizes and kernels of all kinds, borders, kernels of each image's own, and sums of
//! many terms; what is no number stays where its windows are.

use crate::suite::{Case, Way, floats};
use hnet::fuzz::check::model;
use hnet::plan;

const NATIVE: [Way; 3] = [Way::Native(1), Way::Optimized(1), Way::Optimized(2)];

fn text(channels: usize, net: &str) -> String {
    format!(
        "import std.conv {{ Conv, ConvFirst, Conv1d, Conv2d }}\nimport std.linear {{ Linear }}\ndim b\ndim row\ndim col\n\
         model M {{\n    input x: [b, row, col, {channels}]\n{net}\n}}\n"
    )
}

/// The plan of a text at these sizes.
pub fn planned(text: &str, dims: &[(&str, i64)]) -> plan::Plan {
    let model = model(text).unwrap_or_else(|f| panic!("{}", f.detail));
    let graph = hnet::opt::optimize(&model.graph, &mut |_, _| {});
    let wanted: Vec<_> = graph.outputs.iter().map(|o| o.node).collect();
    let sizes = dims.iter().map(|(n, v)| (hnet::ir::Sym::from(*n), *v)).collect();
    plan::plan(&graph, &wanted, &sizes).unwrap_or_else(|d| panic!("{}", d.message))
}

/// Whether windows of the text's plan lie in memory nowhere, at these sizes.
fn is_free(text: &str, dims: &[(&str, i64)]) -> bool {
    !planned(text, dims).taps.is_empty()
}

fn dims(b: i64, row: i64, col: i64) -> [(&'static str, i64); 3] {
    [("b", b), ("row", row), ("col", col)]
}

#[test]
fn kernels_of_all_kinds() {
    let all = [dims(2, 9, 11), dims(1, 8, 8), dims(3, 20, 7), dims(0, 9, 9), dims(2, 3, 3)];
    for (k, (conv, shape, free)) in [
        ("Conv2d(3, 5, 6)", "count[row], count[col], 6", true),
        ("Conv2d(1, 5, 6)", "count[row], count[col], 6", false),
        ("Conv2d(5, 5, 9)", "count[row], count[col], 9", true),
        ("Conv2d(2, 5, 4, pad: 0)", "count[row] - 1, count[col] - 1, 4", false),
        ("Conv2d(3, 5, 6, dilation: 2)", "count[row], count[col], 6", true),
        ("Conv2d(3, 5, 6, pad: 3)", "count[row] + 4, count[col] + 4, 6", true),
        ("Conv2d(3, 5, 6, stride: 2)", "(count[row] - 1) div 2 + 1, (count[col] - 1) div 2 + 1, 6", false),
    ]
    .into_iter()
    .enumerate()
    {
        let text = text(5, &format!("    sub conv = {conv}\n    output y: [b, {shape}] = conv(x)"));
        assert_eq!(is_free(&text, &dims(2, 9, 11)), free, "{conv}");
        for at in if k == 0 { all.to_vec() } else { vec![all[k % 3]] } {
            Case::new(&text, &at, &[]).on(&NATIVE).agrees();
        }
    }
}

/// A kernel of its own for each image, channels first and last.
#[test]
fn kernels_of_each_image() {
    let net = "    sub gate = Linear(4, 3)\n    sub expert[3] = Conv2d(3, 4, 7)\n    let g = sigmoid(gate(mean[row, col] x))\n\
               \x20   output y: [b, count[row], count[col], 7] = blend(expert, g)(x)";
    let blended = text(4, net);
    assert!(is_free(&blended, &dims(3, 9, 10)));
    for at in [dims(3, 9, 10), dims(1, 7, 7), dims(2, 1, 60), dims(2, 60, 1)] {
        Case::new(&blended, &at, &[]).on(&NATIVE).agrees();
    }
    let first = "import std.conv { ConvFirst }\ndim b\ndim row\ndim col\nmodel M {\n    input x: [b, 4, row, col]\n\
                 \x20   sub conv = ConvFirst(4, 5, 3)\n    output y: [b, 5, row, col] = conv(x)\n}\n";
    assert!(is_free(first, &dims(2, 8, 9)));
    Case::new(first, &dims(2, 8, 9), &[]).agrees();
}

/// A bias and a rectifier are done as results are written; NaN stays, and what somebody else reads is written down.
#[test]
fn results_that_are_finished() {
    let of = |conv: &str, uses: &str, more: &str| {
        let net = "    sub conv = Conv2d(3, 5, 6)\n";
        let out = format!("    let y = {conv}\n    output z: [b, count[row], count[col], 6] = {uses}\n{more}");
        text(5, &format!("{net}    input c: [count[row], count[col], 6]\n{out}"))
    };
    let is_finished = |text: &str| !planned(text, &dims(2, 9, 11)).finished.is_empty();
    for uses in ["relu(y)", "max(y, 0.25)", "y", "max(y, -2)"] {
        let text = of("conv(x)", uses, "");
        assert!(is_finished(&text), "{uses}");
        for at in [dims(2, 9, 11), dims(1, 8, 8), dims(0, 9, 9), dims(3, 20, 7)] {
            Case::new(&text, &at, &[]).on(&NATIVE).agrees();
        }
        let mut x = vec![0.5f32; 2 * 9 * 11 * 5];
        (x[7], x[301], x[600]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
        Case::new(&text, &dims(2, 9, 11), &[("x", floats(&x))]).on(&NATIVE).agrees();
    }
    let asked = of("conv(x)", "relu(y)", "    output y_: [b, count[row], count[col], 6] = y");
    for text in
        [&asked, &of("conv(x)", "max(y, 0.5 * y)", ""), &of("conv(x)", "min(y, 0)", ""), &of("conv(x)", "relu(y + c)", "")]
    {
        Case::new(text, &dims(2, 9, 11), &[]).on(&NATIVE).agrees();
    }
}

#[test]
fn lines_and_long_sums() {
    let line = "import std.conv { Conv1d }\ndim b\ndim t\nmodel M {\n    input x: [b, t, 6]\n    sub conv = Conv1d(5, 6, 8)\n\
                \x20   sub past = Conv1d(3, 6, 8, dilation: 4, causal: true)\n    output y: [b, count[t], 8] = conv(x)\n    output z: [b, count[t], 8] = past(x)\n}\n";
    for t in [1, 48, 130] {
        Case::new(line, &[("b", 2), ("t", t)], &[]).on(&NATIVE).agrees();
    }
    let long = text(130, "    sub conv = Conv2d(3, 130, 5)\n    output y: [b, count[row], count[col], 5] = conv(x)");
    assert!(is_free(&long, &dims(1, 7, 8)));
    Case::new(&long, &dims(1, 7, 8), &[]).on(&NATIVE).agrees();
}

/// NaN and infinities reach the windows that hold them and no others; the border is 0.
#[test]
fn what_is_no_number() {
    let text = text(4, "    sub conv = Conv2d(3, 4, 5)\n    output y: [b, count[row], count[col], 5] = conv(x)");
    let mut x = vec![0.5f32; 9 * 9 * 4];
    (x[0], x[(4 * 9 + 8) * 4], x[(8 * 9 + 3) * 4 + 2]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
    Case::new(&text, &dims(1, 9, 9), &[("x", floats(&x))]).on(&NATIVE).agrees();
}

/// Many columns, which places in panels meet: channels first and last, lines of all lengths, images that share panels and some that are left.
#[test]
fn many_columns() {
    let last = text(5, "    sub conv = Conv2d(3, 5, 17)\n    output y: [b, count[row], count[col], 17] = relu(conv(x))");
    let wide = text(3, "    sub conv = Conv2d(5, 3, 40)\n    output y: [b, count[row], count[col], 40] = conv(x)");
    let first = "import std.conv { ConvFirst }\ndim b\ndim row\ndim col\nmodel M {\n    input x: [b, 4, row, col]\n\
                 \x20   sub conv = ConvFirst(4, 33, 3)\n    output y: [b, 33, row, col] = conv(x)\n}\n";
    let groups = text(6, "    sub conv = Conv2d(3, 6, 40, groups: 2)\n    output y: [b, count[row], count[col], 40] = conv(x)");
    let own = "    sub gate = Linear(4, 3)\n    sub expert[3] = Conv2d(3, 4, 36)\n    let g = sigmoid(gate(mean[row, col] x))\n\
               \x20   output y: [b, count[row], count[col], 36] = max(blend(expert, g)(x), 0.1)";
    for (text, dims) in [
        (
            last.as_str(),
            &[dims(2, 9, 11), dims(1, 7, 7), dims(7, 7, 7), dims(13, 8, 9), dims(0, 9, 9), dims(2, 60, 1), dims(1, 1, 60)][..],
        ),
        (&wide, &[dims(2, 9, 11), dims(3, 17, 16), dims(11, 7, 8)]),
        (first, &[dims(1, 7, 7), dims(7, 7, 7), dims(2, 16, 16), dims(3, 5, 37)]),
        (&groups, &[dims(3, 8, 9), dims(9, 7, 7)]),
        (&text(4, own), &[dims(3, 9, 10), dims(1, 7, 7)]),
    ] {
        assert!(is_free(text, &dims[1]), "{text}");
        for at in dims {
            Case::new(text, at, &[]).on(&NATIVE).agrees();
        }
    }
    // Longer sums than are taken in f32 alone, and windows that hold what is no number.
    let long = text(460, "    sub conv = Conv2d(3, 460, 13)\n    output y: [b, count[row], count[col], 13] = conv(x)");
    assert!(is_free(&long, &dims(1, 7, 8)));
    Case::new(&long, &dims(1, 7, 8), &[]).on(&[Way::Optimized(1)]).agrees();
    let mut x = vec![0.5f32; 3 * 9 * 9 * 5];
    (x[0], x[(4 * 9 + 8) * 5], x[(8 * 9 + 3) * 5 + 2], x[2 * 81 * 5]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::NAN);
    Case::new(&last, &dims(3, 9, 9), &[("x", floats(&x))]).on(&NATIVE).agrees();
}

/// Windows that are read where they lie: strides, dilations, groups, kernels of each image's own, channels that lie apart, pieces of many
/// channels, results whose columns lie apart; what is no number stays where its windows are.
#[test]
fn windows_where_they_lie() {
    let half = "(count[row] - 1) div 2 + 1, (count[col] - 1) div 2 + 1";
    let conv = |channels: usize, conv: &str, shape: &str| {
        text(channels, &format!("    sub conv = {conv}\n    output y: [b, {shape}] = relu(conv(x))"))
    };
    let strided = conv(9, "Conv2d(3, 9, 20, stride: 2)", &format!("{half}, 20"));
    let few = conv(3, "Conv2d(7, 3, 16, stride: 2)", &format!("{half}, 16"));
    let groups = conv(18, "Conv2d(3, 18, 24, stride: 2, dilation: 2, groups: 2)", &format!("{half}, 24"));
    let third = conv(10, "Conv2d(2, 10, 33, stride: 3, pad: 1)", "count[row] div 3 + 1, count[col] div 3 + 1, 33");
    let many = conv(300, "Conv2d(3, 300, 13)", "count[row], count[col], 13");
    let own = format!(
        "    sub gate = Linear(8, 3)\n    sub expert[3] = Conv2d(3, 8, 36, stride: 2)\n    let g = sigmoid(gate(mean[row, col] x))\n\
         \x20   output y: [b, {half}, 36] = blend(expert, g)(x)"
    );
    let first = format!(
        "dim b\ndim row\ndim col\nmodel M {{\n    input x: [b, 5, row, col]\n    param w: [14, 5, 3, 3] = normal(0, 0.2)\n\
         \x20   let at[b, j, p < (count[row] - 1) div 2 + 1, q < (count[col] - 1) div 2 + 1] = \
         sum[i, u, v] (x[b, i, row: 2 * p + u - 1, col: 2 * q + v - 1] else 0) * w[j, i, u, v]\n\
         \x20   output y: [b, 14, {half}] = at\n}}\n"
    );
    for (text, dims) in [
        (strided.as_str(), &[dims(2, 17, 19), dims(1, 14, 14), dims(13, 5, 8), dims(0, 9, 9), dims(60, 1, 1)][..]),
        (&few, &[dims(2, 17, 18), dims(9, 7, 8)]),
        (&groups, &[dims(2, 17, 19), dims(7, 9, 9)]),
        (&third, &[dims(2, 20, 31), dims(7, 11, 9)]),
        (&many, &[dims(1, 7, 8)]),
        (&text(8, &own), &[dims(3, 17, 20), dims(1, 14, 14)]),
        (&first, &[dims(2, 17, 19), dims(9, 7, 8)]),
    ] {
        assert!(is_free(text, &dims[0]), "{text}");
        for at in dims {
            Case::new(text, at, &[]).on(&NATIVE).agrees();
        }
    }
    let mut x = vec![0.5f32; 2 * 17 * 19 * 9];
    (x[0], x[(4 * 19 + 18) * 9], x[(16 * 19 + 3) * 9 + 2], x[17 * 19 * 9]) =
        (f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::NAN);
    Case::new(&strided, &dims(2, 17, 19), &[("x", floats(&x))]).on(&NATIVE).agrees();
}
