//! Programs with a place for a pin.

/// For each kind of decision a program with a `PIN` at the statement that the first such decision is about, and the lengths of its axes.
pub const PROGRAMS: &[(&str, &str, &[(&str, i64)])] = &[
    (
        "order",
        "dim b
        model M {
            input x: [b, 24]
            input a: [24, 3]
            input u: [3, 24]
            param s: [24, 5] = normal()
            PIN
            output y: [b, 5] = x @ a @ u @ s
        }",
        &[("b", 7)],
    ),
    (
        "sum",
        "dim b
        model M {
            input x: [b, 24]
            input a: [24, 3]
            input u: [3, 24]
            param w: [24, 24] = normal()
            PIN
            output y: [b, 24] = x @ (w + a @ u)
        }",
        &[("b", 7)],
    ),
    (
        "sum",
        "dim b
        model M {
            input x: [b, 24]
            input a: [24, 3]
            input u: [3, 24]
            input c: [24, 2]
            input v: [2, 24]
            param w: [24, 24] = normal()
            PIN
            output y: [b, 24] = x @ (w + a @ u + c @ v)
        }",
        &[("b", 3)],
    ),
    (
        "prepared",
        "dim b
        model M {
            input x: [b, 24]
            param a: [24, 3] = normal()
            param u: [3, 24] = normal()
            PIN
            let w = a @ u
            output y: [b, 24] = x @ w
        }",
        &[("b", 7)],
    ),
    (
        "shared",
        "dim b
        model M {
            input x: [b, 64]
            PIN input a: [64, 64]
            input u: [64, 64]
            input s: [64, 64]
            let y[o] = sum[i, r, q] x[i] * a[i, r] * u[r, q] * s[q, o]
            let total = sum[b] sum[i] y[i]^2
            output ga: [64, 64] = grad(total, a)
            output gu: [64, 64] = grad(total, u)
            output gs: [64, 64] = grad(total, s)
            output gx: [b, 64] = grad(total, x)
        }",
        &[("b", 40)],
    ),
    (
        "rows",
        "import std.mlp { Mlp }
        dim t
        model M {
            input x: [t, 32]
            input g: [t]
            sub a = Mlp(32, 96, 32)
            PIN
            output y: [t, 32] = if g > 0.25 { x + g * a(x) } else { x }
        }",
        &[("t", 96)],
    ),
    (
        "tables",
        "import std.mlp { Mlp }
        dim b
        model M {
            input task: i32[b]
            input x: [b, 12]
            param code: [5, 6] = normal()
            sub hyper = Mlp(6, 9, size(target.*))
            sub target = Mlp(12, 7, 3)
            PIN
            generate target.* from hyper(code[task])
            output y: [b, 3] = target(x)
        }",
        &[("b", 17)],
    ),
    (
        "squares",
        "dim b
        model M {
            input a: [b, 24, 3]
            input u: [b, 3, 20]
            PIN
            let m[i, o] = sum[r] a[i, r] * u[r, o]
            output y: [b] = sqrt(sum[i, o] m[i, o]^2)
        }",
        &[("b", 5)],
    ),
    (
        "equal",
        "import std.mlp { Mlp }
        dim b
        model M {
            PIN
            input z: [b, 6]
            input x: [b, 12]
            sub hyper = Mlp(6, 9, size(target.*))
            sub target = Mlp(12, 7, 3)
            generate target.* from hyper(z)
            output y: [b, 3] = target(x)
        }",
        &[("b", 17)],
    ),
    (
        "values",
        "dim b
        model M {
            input x: [b, 8]
            PIN
            let y = 2 * x + 1
            output p: [b, 8] = exp(y)
            output q: [b] = sum(y)
        }",
        &[("b", 9)],
    ),
    (
        "gathered",
        "dim t
        model M {
            input at: i32[t]
            input x: [t, 12]
            param w: [6, 12, 10] = normal()
            PIN
            output y: [t, 10] = x @ w[at]
        }",
        &[("t", 20)],
    ),
    (
        "segments",
        "dim t
        model M {
            input at: i32[t]
            input x: [t, 12]
            param w: [6, 12, 10] = normal()
            PIN
            let y = x @ w[at]
            output g: [6, 12, 10] = grad(sum[t] sum(y * y), w)
        }",
        &[("t", 20)],
    ),
    (
        "chains",
        "dim b
        model M {
            input x: [b, 128]
            PIN
            output y: [b, 128] = softmax(x)
        }",
        &[("b", 2000)],
    ),
    (
        "epilogue",
        "dim b
        model M {
            input x: [b, 24]
            param w: [24, 10] = normal()
            param bias: [10] = normal()
            PIN
            output y: [b, 10] = x @ w + bias
        }",
        &[("b", 7)],
    ),
    (
        "panels",
        "dim b
        model M {
            input x: [b, 72]
            param w: [72, 70] = normal()
            PIN
            output y: [b, 70] = x @ w
        }",
        &[("b", 17)],
    ),
    (
        "kernel",
        "dim b
        model M {
            input x: [b, 24]
            input w: [24, 10]
            PIN
            output y: [b, 10] = x @ w
        }",
        &[("b", 7)],
    ),
    (
        "windows",
        "import std.conv { Conv2d }
        dim b
        dim row
        dim col
        model M {
            input x: [b, row, col, 5]
            sub conv = Conv2d(3, 5, 6)
            PIN
            output y: [b, count[row], count[col], 6] = conv(x)
        }",
        &[("b", 2), ("row", 9), ("col", 11)],
    ),
    (
        "scores",
        "dim t
        dim s
        model M {
            input q: [t, 24]
            input k: [s, 24]
            input v: [s, 20]
            let p[t, s] = softmax[s] (sum[e] q[t, e] * k[s, e])
            PIN
            let y[t, e < 20] = sum[s] p[t, s] * v[s, e]
            output out: [t, 20] = y
        }",
        &[("t", 33), ("s", 40)],
    ),
    (
        "matrices",
        "dim b
        dim t
        model M {
            input c: [b, 5]
            input x: [b, t, 70]
            param head: [5, 70, 45] = normal()
            let w[b, i < 70, o < 45] = sum[h] c[b, h] * head[h, i, o]
            PIN
            let y[b, t, n < 45] = sum[i] x[b, t, i] * w[b, i, n]
            output out: [b, t, 45] = y
        }",
        &[("b", 3), ("t", 40)],
    ),
    ("tiles", PRODUCT, &[("b", 300)]),
    ("tiles", GROUPED, &[("b", 130)]),
    ("factors", PRODUCT, &[("b", 300)]),
    ("factors", GROUPED, &[("b", 130)]),
    (
        "shader",
        "import std.mlp { Mlp }
        dim b
        model M {
            input x: [b, 12]
            PIN
            sub net = Mlp(12, 20, 7)
            output y: [b, 7] = softmax(net(x))
        }",
        &[("b", 9)],
    ),
    (
        "folds",
        "dim b
        model M {
            input x: [b, 37]
            PIN
            output y: [b, 37] = softmax(x)
        }",
        &[("b", 9)],
    ),
    ("finish", PRODUCT, &[("b", 300)]),
    (
        "parts",
        "dim b
        dim t
        model M {
            input x: [b, t]
            PIN
            output y: [b] = sum[t] x * x
        }",
        &[("b", 3), ("t", 40_000)],
    ),
    (
        "parts",
        "dim b
        dim t
        model M {
            input x: [b, t]
            input w: [t, 70]
            PIN
            let y[b, o < 70] = sum[t] x[b, t] * w[t, o]
            output out: [b, 70] = y
        }",
        &[("b", 90), ("t", 5000)],
    ),
];

const PRODUCT: &str = "dim b
        model M {
            input x: [b, 130]
            param w: [130, 120] = normal(std: 0.1)
            PIN
            output y: [b, 120] = tanh(x @ w)
        }";

/// Matrices of which an index picks one for each row.
const GROUPED: &str = "dim b
        model M {
            input x: [b, 64]
            input e: i32[b]
            param c: [3, 64, 200] = normal(std: 0.1)
            PIN
            let y[b, o] = sum[i] x[b, i] * c[e[b], i, o]
            output out: [b, 200] = y
        }";
