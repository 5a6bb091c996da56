//! What people write who come from Python, PyTorch and JAX: each line gives one message, with the right word; where an edit is offered, the
//! program is right with it, or the next message is one that says what only the author can know.

use hnet::diag::Diagnostic;
use hnet::pipeline;
use hnet::program::NoFiles;
use hnet::source::Sources;

/// A line in a model's body, what the advice says, and the line after its edit; empty: there is none.
const LINES: &[(&str, &str, &str)] = &[
    ("let o = if True { x } else { 2 * x }", "`true`", "let o = if true { x } else { 2 * x }"),
    ("let o = None", "leave it out", ""),
    ("let n = x.shape[0]", "by its name: the dim", ""),
    ("let n = x.size(0)", "by its name: the dim", ""),
    ("let o = x.T", "y[i, j] = x[j, i]", ""),
    ("let o = x.transpose(0, 1)", "y[i, j] = x[j, i]", ""),
    ("let o = x.view(2, 2)", "split by indices", ""),
    ("let o = x.unsqueeze(1)", "no axis of length 1", ""),
    ("let o = x.squeeze()", "axis of length 1", ""),
    ("let o = x.item()", "number already", ""),
    ("let o = x.detach()", "stop_gradient", ""),
    ("let o = x[:, 0]", "taken whole", "let o = x[0]"),
    // The first axis in Python, the sized one here: the writer says which.
    ("let o = x[0:2]", "Python begins with the first", ""),
    ("let o = x[1:]", "both ends", ""),
    ("let o = x[:2]", "both ends", ""),
    ("let o = v[0:2]", "`..`", "let o = v[0..2]"),
    ("let o = v[:2]", "both ends", "let o = v[0..2]"),
    ("let o = fc(x)[0:2]", "Python begins with the first", ""),
    ("let o = x[..., 0]", "not written stay", "let o = x[0]"),
    ("let o = x[..., 1:3]", "not written stay", "let o = x[1..3]"),
    ("let o = x[0, ...]", "not written stay", "let o = x[b: 0]"),
    ("let o = x[:, None]", "no axis of length 1", ""),
    ("let o = x[None]", "no axis of length 1", ""),
    ("let o = x.std()", "one less", ""),
    ("let o = torch.nn.functional.relu(x)", "no prefix", "let o = relu(x)"),
    ("let o = nn.functional.softmax(x, -1)", "no prefix", "let o = softmax(x)"),
    ("let o = fc(x)[..., 0]", "not written stay", ""),
    ("let o = x[:, 1:]", "both ends", "let o = x[1..4]"),
    ("let o = x[:, 1:3]", "taken whole", "let o = x[1..3]"),
    ("let o = x[0, :]", "taken whole", "let o = x[b: 0]"),
    ("let o = x[:, ::2]", "no step", ""),
    ("let o = x[:, :-1]", "both ends", ""),
    ("let o = fc(x)[:, 0]", "taken whole", ""),
    ("let o = torch.where(x > 0, x, 0)", "of each element", ""),
    ("let o = F.mse_loss(x, x)", "std.loss { mse }", ""),
    ("for l in fc { h = h + 1 }", "goes through numbers", ""),
    ("for l in 3 { h = h + 1 }", "both ends", "for l in 0..3 { h = h + 1 }"),
    ("sub g = Linear(4, 2, bias: false)", "`Matrix(i, o)`", ""),
    ("sub g = nn.MSELoss()", "a line of the model", ""),
    ("sub g = torch.nn.Linear(4, 2)", "its name alone", "sub g = Linear(4, 2)"),
    ("sub g = nn.GRU(4, 4)", "`GruLayer(i, d)`", ""),
    ("sub g = GRU(4, 4)", "`GruLayer(i, d)`", ""),
    ("sub g = nn.LSTM(4, 4)", "`Lstm(i, d)`", ""),
    ("sub g = TransformerEncoderLayer(4, 2)", "norm_first=True", ""),
    ("sub g = nn.TransformerEncoder(4, 2)", "`Encoder(d, heads, h, depth)`", ""),
    ("sub g = nn.MultiheadAttention(4, 2)", "`Attention(d, heads)`", ""),
    ("sub g = nn.Foo(4, 2)", "none of them is called `Foo`", ""),
    ("sub g = ModuleList([Linear(4, 4) for _ in range(3)])", "sub layer[4] = Linear(8, 8)", ""),
    ("sub g = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])", "`sub layer[4] = Linear(8, 8)`", ""),
    ("let o = [fc(x) for i in range(3)]", "let y[i < 4]", ""),
    ("sub g = MSELoss()", "a line of the model", ""),
    ("let o = x[-1]", "the last place of this axis is 3", ""),
    ("let o = v[-1]", "counted from the start", "let o = v[3]"),
    ("let o = x[b: 0][-1]", "counted from the start", "let o = x[b: 0][3]"),
    ("let o = x(2)", "brackets", "let o = x[2]"),
    ("for l in range(3) { h = h + 1 }", "`0..n`", "for l in 0..3 { h = h + 1 }"),
    ("for l in range(1, 3) { h = h + 1 }", "`0..n`", "for l in 1..3 { h = h + 1 }"),
    ("while 1 < 2 { h = h + 1 }", "for i in 0..n until", ""),
    ("let o = self.fc(x)", "by their names alone", "let o = fc(x)"),
    ("let o = cat(x, x)", "along their first size", ""),
    ("let o = torch.cat([x, x])", "along their first size", ""),
    ("let o = torch.cat((x, x), dim=-1)", "along their first size", ""),
    ("let o = torch.cat([x, x], dim=-1)", "along their first size", ""),
    ("let o = torch.stack((v, v))", "a new first size", ""),
    ("let o = F.log_softmax(x, -1)", "`x - logsumexp(x)`", ""),
    ("for i in 0..2 { pass }", "`{ }`", ""),
    ("let o = jnp.concat([x, x])", "along the first size", ""),
    ("let o = torch.stack([v, v])", "no prefix", "let o = stack([v, v])"),
    ("let o = torch.relu(x)", "no prefix", "let o = relu(x)"),
    ("let o = F.relu(x)", "no prefix", "let o = relu(x)"),
    ("let o = jnp.tanh(x)", "no prefix", "let o = tanh(x)"),
    ("let o = np.exp(x)", "no prefix", "let o = exp(x)"),
    ("let o = nn.ReLU()(x)", "functions are no nets", ""),
    ("let o = x.relu()", "`relu(x)`", "let o = relu(x)"),
    ("let o = x.clamp(0, 1)", "`clamp(x)`", "let o = clamp(x, 0, 1)"),
    // One number of all in Python, one for each example here.
    ("let o = x.mean()", "`mean[b, i] x[b, i]`", ""),
    ("let o = x.sum()", "`sum[b, i] x[b, i]`", ""),
    ("let o = x.argmax()", "argmax(flat)", ""),
    ("let o = torch.max(x)", "`max[b, i] x[b, i]`", ""),
    ("let o = relu(x).sum()", "`sum[b, i] x[b, i]`", ""),
    ("let o = x.norm()", "`sqrt(sum[b, i] x[b, i]^2)`", ""),
    ("let o = torch.norm(x)", "`sqrt(sum[b, i] x[b, i]^2)`", ""),
    ("let o = x.flatten()", "a named one stays", ""),
    ("let o = x.cumsum()", "`cumsum[t](x)`", ""),
    ("let o = v.mean()", "`mean(x)`", "let o = mean(v)"),
    ("let o = torch.sum(v)", "no prefix", "let o = sum(v)"),
    ("let o = v.norm()", "`norm(x)`", "let o = norm(v)"),
    ("let o = torch.norm(v)", "no prefix", "let o = norm(v)"),
    ("let o = x.mean(dim=-1)", "`mean(x)`", "let o = mean(x)"),
    ("let o = x.sum(-1, keepdim=True)", "`sum(x)`", "let o = sum(x)"),
    ("let o = mean(x, dim=-1, keepdim=True)", "named, not counted", "let o = mean(x)"),
    ("let o = mean(x, keepdim=True)", "named, not counted", ""),
    ("let o = x.max(-1).values", "`max(x)`", "let o = max(x)"),
    ("let o = x.max(dim=-1).indices", "`argmax(x)`", "let o = argmax(x)"),
    ("let o = x.max(-1)[0]", "its place", ""),
    ("let o = torch.max(x, -1)", "no prefix", "let o = max(x)"),
    ("let o = torch.max(x, 0)", "`max[i] x[i]`", ""),
    ("let o = torch.max(x, v)", "no prefix", "let o = max(x, v)"),
    ("let o = jnp.max(x, v)", "`max[i] x[i]`", ""),
    ("let o = torch.sum(x, 1)", "`sum[i] x[i]`", ""),
    ("let o = x.cumsum(-1)", "`cumsum(x)`", "let o = cumsum(x)"),
    ("let o = torch.cumsum(x, -1)", "no prefix", "let o = cumsum(x)"),
    ("let o = x.sort()", "`sort(x)`", "let o = sort(x)"),
    ("let o = torch.clamp(x, 0, 1)", "no prefix", "let o = clamp(x, 0, 1)"),
    ("let o = torch.clamp(x, 0, 1, 2)", "`clamp(x, low, high)`", ""),
    ("let o = torch.maximum(x, v)", "`max(a, b)`", ""),
    ("let o = F.softmax(x, -1)", "no prefix", "let o = softmax(x)"),
    ("let o = softmax(x, -1)", "named, not counted", "let o = softmax(x)"),
    ("let o = softmax(x, 1)", "named, not counted", ""),
    ("let o = fc.w.t()", "`transpose(w)`", ""),
    ("let o = x.square()", "`x ^ 2`", ""),
    ("let o = x.add(1)", "`x + y`", ""),
    ("let o = x.mean(dim=1)", "`mean(x)`", ""),
    ("let o = x.softmax(1)", "`softmax[i] x[i]`", ""),
    ("let o = F.softmax(2 * x)", "along the sized axis", ""),
    ("let o = F.softmax(x)", "no prefix", "let o = softmax(x)"),
    ("let o = jax.nn.softmax(2 * x)", "no prefix", "let o = softmax(2 * x)"),
    ("let o = x.sort()[0]", "`sort[t](x)`", ""),
    ("let o = torch.sort(x).values", "`sort[t](x)`", ""),
    ("let o = w.norm(-1)", "`norm(x)` is the length along the sized axes", ""),
    ("let o = torch.sum(2 * x)", "`sum[b, i] x[b, i]`", ""),
    ("let o = softmax(x, dim=-1)", "named, not counted", "let o = softmax(x)"),
    ("let o = sum(x, axis=1)", "named, not counted", ""),
    ("let o = sum(x, axis=-1)", "named, not counted", "let o = sum(x)"),
    ("let o = where(x > 0, x, 0)", "of each element", ""),
    ("let o = dropout(x, 0.1)", "bernoulli", ""),
    ("let o = x ** 2", "`^`", "let o = x ^ 2"),
    ("let o = pow(x, 2)", "`x ^ 2`", ""),
    ("let o = matmul(x, fc.w)", "`x @ w`", ""),
    ("let o = einsum(x, fc.w)", "sum[j]", ""),
    ("let o = clip(x, 0, 1)", "`clamp`", "let o = clamp(x, 0, 1)"),
    ("let o = len(x)", "by its name", ""),
    ("let o = print(x)", "`output`", ""),
    ("let o = arange(4)", "v[i < 4] = i", ""),
    ("let o = ones_like(x)", "write `1`", ""),
    ("let o = float(2)", "`number(n)`", "let o = number(2)"),
    ("let o = lambda v: v + 1", "fn f(v: f32)", ""),
    ("o = x + 1", "`let`", "let o = x + 1"),
    ("let o, q = x, x", "names one value", ""),
    ("h += 1", "no assignment with an operator", "h = h + 1"),
    ("h -= x * 2", "no assignment with an operator", "h = h - (x * 2)"),
    ("h -= 1 if s > 0 else 2", "no assignment with an operator", "h = h - (if s > 0 { 1 } else { 2 })"),
    ("h = h - 1; h += 2", "no assignment with an operator", "h = h - 1; h = h + 2"),
    ("let p = 1; h += s; let k = 2", "no assignment with an operator", "let p = 1; h = h + s; let k = 2"),
    ("if 1 < 2 { h += 1 }", "no assignment with an operator", "if 1 < 2 { h = h + 1 }"),
    ("let p = 1; r = 2", "`let`", "let p = 1; let r = 2"),
    ("let o = relu x; let p = 1", "in parentheses", "let o = relu(x); let p = 1"),
    ("for i in range(3): pass", "in braces", "for i in 0..3 { }"),
    ("for i in range(3): h = h + 1", "in braces", "for i in 0..3 { h = h + 1 }"),
    ("for i in x: h = h + 1", "in braces", ""),
    ("if 1 < 2: h = h + 1", "in braces", "if 1 < 2 { h = h + 1 }"),
    ("if 1 < 2:\n        h = h + 1", "in braces", ""),
    ("let o = 1_000 * x", "decimal digits", "let o = 1000 * x"),
    ("let o = 1_000.5 * x", "decimal digits", "let o = 1000.5 * x"),
    ("let o = 0x1F * x", "decimal digits", "let o = 31 * x"),
    ("let o = 1.0f * x", "no letters", ""),
    ("let o = 2x", "`*`", "let o = 2 * x"),
    ("let o = 2 * (s if s > 0 else 0)", "if c { a } else { b }", "let o = 2 * (if s > 0 { s } else { 0 })"),
    ("let o = relu(s if s > 0 else 0)", "if c { a } else { b }", "let o = relu(if s > 0 { s } else { 0 })"),
    ("let o = concat(v if s > 0 else 2 * v, v)", "if c { a }", "let o = concat(if s > 0 { v } else { 2 * v }, v)"),
    ("let o = s if s > 0 else 0; let p = s", "if c { a }", "let o = if s > 0 { s } else { 0 }; let p = s"),
    ("let o = s if s > 0 else 1 if s > 1 else 2", "if c { a }", "let o = if s > 0 { s } else if s > 1 { 1 } else { 2 }"),
    ("let o = relu(x if s > 0)", "if c { a } else { b }", ""),
    ("let o = ~m", "looser than a comparison", "let o = not m"),
    ("let o = ~m == m", "looser than a comparison", ""),
    ("let o = !m == m", "looser than a comparison", ""),
    ("let o = if 1 < 2 { x } elif 2 < 3 { x } else { x }", "`else if`", "let o = if 1 < 2 { x } else if 2 < 3 { x } else { x }"),
    ("let o = x if 1 < 2 else 0", "if c { a } else { b }", "let o = if 1 < 2 { x } else { 0 }"),
    ("let o = if 1 < 2 && 2 < 3 { x } else { x }", "`and`", "let o = if 1 < 2 and 2 < 3 { x } else { x }"),
    ("let o = if !(1 < 2) { x } else { x }", "`not`", "let o = if not (1 < 2) { x } else { x }"),
    ("let o = if 1 === 2 { x } else { x }", "equal is `==`", "let o = if 1 == 2 { x } else { x }"),
    ("let o = relu x", "in parentheses", "let o = relu(x)"),
    ("let o = 'a'", "double quotes", ""),
    ("# a comment", "`//`", "// a comment"),
    ("sub g = nn.Linear(4, 2)", "no prefix", "sub g = Linear(4, 2)"),
    ("sub g = Linear(in_features: 4, out_features: 2)", "`i`, `o`", ""),
    ("sub g = Sequential(fc, fc)", "x |> fc1", ""),
    ("param z: [4] = zeros", "parentheses", "param z: [4] = zeros()"),
    ("param z: [4] = randn(4)", "normal(std: 1)", ""),
    ("param z: float[4] = zeros()", "`f32`", "param z: f32[4] = zeros()"),
    ("input q: int[b]", "`i32`", "input q: i32[b]"),
    ("input q: Tensor[b, 4]", "axes in brackets", ""),
    ("input q: [b, b / 2]", "count[b]", ""),
];

/// Lines of a file, likewise.
const ITEMS: &[(&str, &str, &str)] = &[
    ("class Net(nn.Module):", "`net Name(sizes) { .. }`", ""),
    ("def f(x):", "`fn f(x: f32) -> f32 { .. }`", ""),
    ("import torch", "leave `torch` out", ""),
    ("from std.norm import standardize", "import .. { .. }", "import std.norm { standardize }"),
    ("from std.norm import (standardize, LayerNorm)", "import .. { .. }", "import std.norm { standardize, LayerNorm }"),
    ("from std.norm import *", "one by one", ""),
    ("from torch import nn", "leave `torch` out", ""),
    ("import std.norm", "import std.linear { Linear }", ""),
    ("import std.norm.standardize", "import .. { .. }", "import std.norm { standardize }"),
    ("import numpy as np", "leave `numpy` out", ""),
    ("import std.norm { standardize as s }", "under its own name", ""),
    ("model N(d) { }", "dims and constants of the file", ""),
    ("fn f(v: f32) -> f32 { return v }", "stands last", "fn f(v: f32) -> f32 { v }"),
];

/// Lines with several mistakes, of which one hides the next: what `--fix` makes of them.
const CHAINS: &[(&str, &str)] = &[
    ("let o = (s if s > 0 else 1) if s > 1 else 2", "let o = if s > 1 { (if s > 0 { s } else { 1 }) } else { 2 }"),
    ("for i in range(3): h += 1", "for i in 0..3 { h = h + 1 }"),
    ("let o = F.softmax(x.relu(), -1) ** 2", "let o = softmax(relu(x)) ^ 2"),
    ("let o = v[-1] + v[:2]", "let o = v[3] + v[0..2]"),
    // The second one has no edit: then the first has none either.
    ("let o = x ** 2 if s > 0", "let o = x ** 2 if s > 0"),
];

/// Whole files: what the advice about the first mistake says, and the file after its edits; empty: there are none.
const FILES: &[(&str, &str, &str)] = &[
    // A net of the library that is not imported is no slip for one that is, whose arguments are others.
    (
        "import std.conv { Conv }\ndim row\ndim col\nmodel M {\n    input x: [row, col, 3]\n    sub c = Conv2d(3, 3, 5)\n    sub d = Conv(3, 5, 5)\n    output y: f32 = sum[u, v, j] d(c(x))[u, v, j]\n}\n",
        "Conv2d(k, c, o, ..)",
        "import std.conv { Conv, Conv2d }\ndim row\ndim col\nmodel M {\n    input x: [row, col, 3]\n    sub c = Conv2d(3, 3, 5)\n    sub d = Conv(3, 5, 5)\n    output y: f32 = sum[u, v, j] d(c(x))[u, v, j]\n}\n",
    ),
    // `Conv` and `Conv2d` are as near: who writes it says which.
    (
        "import std.conv { Conv }\ndim row\ndim col\nmodel M {\n    input x: [row, col, 3]\n    sub c = Conv2(3, 3, 5)\n    output y: [row, col, 5] = c(x)\n}\n",
        "`Conv` is near",
        "",
    ),
    // Digits say which of several is meant.
    (
        "import std.linear { Linear }\ndim b\nmodel M {\n    input x: [b, 4]\n    sub fc1 = Linear(4, 4)\n    output y: [b, 4] = fc2(fc1(x))\n}\n",
        "`fc1` is near",
        "",
    ),
    // A near net with other arguments.
    (
        "import std.linear { Matrix }\ndim b\nmodel M {\n    input x: [b, 4]\n    sub fc = Matrx(4, 4, 8)\n    output y: [b, 4] = fc(x)\n}\n",
        "its arguments are `Matrix(i, o)`",
        "",
    ),
    (
        "//! A file.\n\ndim b\nmodel M {\n    input x: [b, 4]\n    output y: [b, 4] = gelu(x)\n}\n",
        "import std.math { gelu }",
        "//! A file.\n\nimport std.math { gelu }\n\ndim b\nmodel M {\n    input x: [b, 4]\n    output y: [b, 4] = gelu(x)\n}\n",
    ),
    (
        "dim b\nmodel M {\n    input x: [b, 4]\n    output y: [b, 4] = F.gelu(x)\n}\n",
        "import std.math { gelu }",
        "import std.math { gelu }\n\ndim b\nmodel M {\n    input x: [b, 4]\n    output y: [b, 4] = gelu(x)\n}\n",
    ),
    (
        "import std.mlp { Mlp }\ndim b\nmodel M {\n    input x: [b, 4]\n    input t: i32[b]\n    sub f = Mlp(4, 4, 3)\n    loss l = mean[b] crossentropy(f(x), t)\n}\n",
        "the library has `cross_entropy`",
        "import std.mlp { Mlp }\nimport std.math { cross_entropy }\ndim b\nmodel M {\n    input x: [b, 4]\n    input t: i32[b]\n    sub f = Mlp(4, 4, 3)\n    loss l = mean[b] cross_entropy(f(x), t)\n}\n",
    ),
    (
        "import std.linear { Linear }\ndim b\nmodel M {\n    input x: [b, 4]\n    sub layers[3] = Linear(4, 4)\n    var h = x\n    for layer in layers {\n        h = relu(layer(h))\n    }\n    output y: [b, 4] = h\n}\n",
        "picked by its own",
        "import std.linear { Linear }\ndim b\nmodel M {\n    input x: [b, 4]\n    sub layers[3] = Linear(4, 4)\n    var h = x\n    for layer in 0..3 {\n        h = relu(layers[layer](h))\n    }\n    output y: [b, 4] = h\n}\n",
    ),
    (
        "import std.conv { Conv2d }\ndim b\nmodel M {\n    input x: [b, 8, 8, 3]\n    sub c = Conv2d(3, 3, 5, stride=2, biased = False)\n    output y: [b, 4, 4, 5] = c(x)\n}\n",
        "named with `:`",
        "import std.conv { Conv2d }\ndim b\nmodel M {\n    input x: [b, 8, 8, 3]\n    sub c = Conv2d(3, 3, 5, stride: 2, biased: false)\n    output y: [b, 4, 4, 5] = c(x)\n}\n",
    ),
    (
        "dim b\nmodel M {\n    input x: [b, 4, 5]\n    output y: [b, 4] = x[:, :, 0]\n}\n",
        "taken whole",
        "dim b\nmodel M {\n    input x: [b, 4, 5]\n    output y: [b, 4] = x[0..4, 0]\n}\n",
    ),
    (
        "dim b\nmodel M {\n    input x: [b, 4]\n    param w: [4] = zeros()\n    loss l = mean[b] (x @ w)^2\n}\ntrain M {\n    data \"r.safetensors\" { x }\n    batch_size = 16\n    minimize l\n    steps 3\n}\n",
        "`batch b = 16`",
        "dim b\nmodel M {\n    input x: [b, 4]\n    param w: [4] = zeros()\n    loss l = mean[b] (x @ w)^2\n}\ntrain M {\n    data \"r.safetensors\" { x }\n    batch b = 16\n    minimize l\n    steps 3\n}\n",
    ),
    (
        "dim b\nmodel M {\n    input x: [b, 4]\n    param w: [4] = zeros()\n    loss l = mean[b] (x @ w)^2\n}\ntrain M {\n    data \"r.safetensors\" { x }\n    minimize l\n    steps 3\n    scheduler cosine(100)\n}\n",
        "cosine(step / steps)",
        "",
    ),
    (
        "dim b\nmodel M {\n    input x: [b, 4]\n    param w: [4] = zeros()\n    loss l = mean[b] (x @ w)^2\n}\ntrain M {\n    data \"r.safetensors\" { x }\n    minimize l\n    steps 3\n    patience 5\n}\n",
        "validate held every 100 patience 5",
        "",
    ),
    (
        "dim b\nmodel M {\n    input x: [b, 4]\n    param w: [4] = zeros()\n    loss l = mean[b] (x @ w)^2\n}\ntrain M {\n    data \"r.safetensors\" { x }\n    minimize l\n    steps 3\n    ema 0.999\n}\n",
        "average 0.999",
        "",
    ),
    (
        "dim b\nmodel M {\n    input x: [b, 4]\n    param w: [4] = zeros()\n    loss l = mean[b] (x @ w)^2\n}\ntrain M {\n    data \"r.safetensors\" { x }\n    minimize l\n    steps 3\n    max_grad_norm 1.0\n}\n",
        "`clip 1.0` is by the norm",
        "",
    ),
    (
        "dim b\nmodel M {\n    input x: [b, 4]\n    param w: [4] = zeros()\n    loss l = mean[b] (x @ w)^2\n}\ntrain M {\n    data \"r.safetensors\" { x }\n    minimize l\n    steps 3\n    clip norm 1.0\n}\n",
        "`clip 1.0` is by the norm",
        "",
    ),
    (
        "dim b\nmodel M {\n    input x: [b, 4]\n    param w: [4] = zeros()\n    loss l = mean[b] (x @ w)^2\n}\ntrain M {\n    data \"r.safetensors\" { x }\n    minimize l\n    steps 3\n    grad_accum 4\n}\n",
        "accumulate 4",
        "",
    ),
    (
        "dim b\nmodel M {\n    input x: [b, 4]\n    param w: [4] = zeros()\n    loss l = mean[b] (x @ w)^2\n}\ntrain M {\n    data \"r.safetensors\" { x }\n    minimize l\n    epochs 3\n}\n",
        "counted in steps",
        "",
    ),
    (
        "dim b\nmodel M {\n    input x: [b, 4]\n    param w: [4] = zeros()\n    loss l = mean[b] (x @ w)^2\n}\ntrain M {\n    data \"r.safetensors\" { x }\n    minimize mse_loss(x, x)\n    steps 3\n}\n",
        "std.loss { mse }",
        "",
    ),
    (
        "from std.norm import standardize\nimport std.linear { Linear }\ndim b\nmodel M {\n    input x: [b, 4]\n    output y: [b, 4] = standardize(x)\n}\n",
        "import .. { .. }",
        "import std.norm { standardize }\nimport std.linear { Linear }\ndim b\nmodel M {\n    input x: [b, 4]\n    output y: [b, 4] = standardize(x)\n}\n",
    ),
    (
        "import std.linear { Linear }\nfrom std.norm import standardize\ndim b\nmodel M {\n    input x: [b, 4]\n    output y: [b, 4] = standardize(x)\n}\n",
        "import .. { .. }",
        "import std.linear { Linear }\nimport std.norm { standardize }\ndim b\nmodel M {\n    input x: [b, 4]\n    output y: [b, 4] = standardize(x)\n}\n",
    ),
    // The import comes with the name.
    (
        "dim b\nmodel M {\n    input x: [b, 4]\n    sub fc = nn.Linear(4, 2)\n    output y: [b, 2] = fc(x)\n}\n",
        "a net has no prefix",
        "import std.linear { Linear }\n\ndim b\nmodel M {\n    input x: [b, 4]\n    sub fc = Linear(4, 2)\n    output y: [b, 2] = fc(x)\n}\n",
    ),
    // A net may be called with axes that its text does not name.
    (
        "dim b\nnet N(n) {\n    (x: [n]) -> f32 { x.sum() }\n}\nmodel M {\n    input x: [b, 4]\n    sub f = N(4)\n    output y: [b] = f(x)\n}\n",
        "one number for each example",
        "",
    ),
    (
        "dim b\nnet N(n) {\n    (x: [n]) -> f32 { x.norm() }\n}\nmodel M {\n    input x: [4]\n    sub f = N(4)\n    output y: f32 = f(x)\n}\n",
        "one for each example",
        "",
    ),
    (
        "dim b\nnet N(n) {\n    (x: [n]) -> f32 { x[-1] }\n}\nmodel M {\n    input x: [4]\n    sub f = N(4)\n    output y: f32 = f(x)\n}\n",
        "counted from the start",
        "",
    ),
    (
        "dim b\nnet N(n) {\n    (x: [n]) -> [2] { x[0:2] }\n}\nmodel M {\n    input x: [b, 4]\n    sub f = N(4)\n    output y: [b, 2] = f(x)\n}\n",
        "Python begins with the first",
        "",
    ),
    // A parameter was meant, no function that is called nearly so; and all lines at once.
    (
        "import std.linear { Linear }\ndim b\nmodel M {\n    input x: [b, 4]\n    sub attn = Linear(4, 2)\n    output y: [b, 2] = attn(x)\n}\nweights from \"r.safetensors\" {\n    \"w\" -> atn.w\n    \"b\" -> atn.bias\n}\n",
        "`attn` is near",
        "import std.linear { Linear }\ndim b\nmodel M {\n    input x: [b, 4]\n    sub attn = Linear(4, 2)\n    output y: [b, 2] = attn(x)\n}\nweights from \"r.safetensors\" {\n    \"w\" -> attn.w\n    \"b\" -> attn.bias\n}\n",
    ),
    (
        "import std.linear { Linear }\ndim b\nmodel M {\n    input x: [b, 4]\n    sub fc[2] = Linear(4, 4)\n    output y: [b, 4] = fc[1](fc[0](x))\n}\nweights to \"r.safetensors\" {\n    \"fc.0.w\" -> \"base.w\"\n}\n",
        "no quotes",
        "import std.linear { Linear }\ndim b\nmodel M {\n    input x: [b, 4]\n    sub fc[2] = Linear(4, 4)\n    output y: [b, 4] = fc[1](fc[0](x))\n}\nweights to \"r.safetensors\" {\n    fc[0].w -> \"base.w\"\n}\n",
    ),
    // What could not be made is not missed a second time where a block reports it.
    (
        "dim b\nmodel M {\n    input image: [b, 4]\n    output y: f32 = mean[b] sum(imagee)\n}\neval M {\n    data \"r.safetensors\" { image }\n    batch b = all\n    report y\n}\n",
        "`image` is near",
        "dim b\nmodel M {\n    input image: [b, 4]\n    output y: f32 = mean[b] sum(image)\n}\neval M {\n    data \"r.safetensors\" { image }\n    batch b = all\n    report y\n}\n",
    ),
];

fn errors(text: &str) -> Vec<Diagnostic> {
    let mut sources = Sources::default();
    let root = sources.add("m.hnet", None, text.to_string());
    let found = pipeline::check_with(&mut sources, &NoFiles, root, &[]).diagnostics;
    found.into_iter().filter(Diagnostic::is_fatal).collect()
}

fn in_model(line: &str) -> String {
    // A variable is there where the line changes one.
    let var = if line.contains('h') && (line.contains("h =") || line.contains("h +") || line.contains("h -")) {
        "    var h = x\n"
    } else {
        ""
    };
    format!(
        "import std.linear {{ Linear }}\ndim b\nmodel M {{\n    input x: [b, 4]\n    input e: i32[b]\n    input v: [4]\n    input w: [3, 4]\n    input m: bool[b, 4]\n    \
         input s: f32\n    sub fc = Linear(4, 4)\n{var}    {line}\n    \
         output last: [b, 4] = fc(x) + 0 * number(e)\n}}\n"
    )
}

fn in_file(line: &str) -> String {
    format!("{line}\ndim b\nmodel M {{\n    input x: [b, 4]\n    output y: [b, 4] = x\n}}\n")
}

/// What is wrong with what is said of a line.
fn judged(text: &dyn Fn(&str) -> String, (line, says, mended): (&str, &str, &str)) -> Option<String> {
    let before = text(line);
    let found = errors(&before);
    let [d] = found.as_slice() else { return Some(format!("{line}: {} messages: {found:#?}", found.len())) };
    let Some(help) = &d.help else { return Some(format!("{line}: no advice: {}", d.message)) };
    if !help.text.contains(says) {
        return Some(format!("{line}: {:?}, without {says:?}", help.text));
    }
    let mut edits = help.edits.clone();
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let after = edits.iter().fold(before.clone(), |mut t, (span, new)| {
        t.replace_range(span.start as usize..span.end as usize, new);
        t
    });
    if mended.is_empty() {
        // An edit there may be, but none that is claimed here: it only takes away.
        let only_less = after.len() <= before.len();
        return (!only_less).then(|| format!("{line}: an edit, {after}"));
    }
    if after != text(mended) {
        return Some(format!("{line}: becomes\n{after}"));
    }
    let left = errors(&after);
    (!left.is_empty()).then(|| format!("{line}: after the edit {left:#?}"))
}

#[test]
fn habits_of_python_are_answered_with_the_right_word() {
    let lines = LINES.iter().filter_map(|l| judged(&in_model, *l));
    let items = ITEMS.iter().filter_map(|l| judged(&in_file, *l));
    let whole = |text: &str| text.to_string();
    let wrong: Vec<String> = lines.chain(items).chain(FILES.iter().filter_map(|f| judged(&whole, *f))).collect();
    let all = LINES.len() + ITEMS.len() + FILES.len();
    assert!(wrong.is_empty(), "{} of {all}:\n{}", wrong.len(), wrong.join("\n---\n"));
}

#[test]
fn mistakes_that_hide_one_another_are_mended_one_by_one_or_not_at_all() {
    let mended = |line: &str| {
        let mut text = in_model(line);
        for _ in 0..8 {
            let offered = errors(&text).into_iter().find_map(|d| d.help.map(|h| h.edits).filter(|e| !e.is_empty()));
            let Some(edits) = offered else { break };
            text = hnet::syntax::edits::made(&text, &edits).expect("edits of one message do not meet");
        }
        text
    };
    for (line, becomes) in CHAINS {
        assert_eq!(mended(line), in_model(line).replace(line, becomes));
        assert!(becomes == line || errors(&mended(line)).is_empty(), "{becomes}: {:#?}", errors(&mended(line)));
    }
}

#[test]
fn quotes_of_a_word_processor_are_mended_in_pairs() {
    let found = errors("import “./a.hnet” { f }\n");
    let [d] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!(d.help.as_ref().unwrap().edits.len(), 2);
}
