//! Sources with n of something.

/// What a source may have many of.
pub struct Kind {
    pub name: &'static str,
    pub n: usize,
    /// Whether it is a program; else it is full of mistakes.
    pub fine: bool,
    pub text: fn(usize) -> String,
}

/// One line for each number.
fn each(n: usize, line: impl Fn(usize) -> String) -> String {
    (0..n).map(line).collect()
}

/// A model with an input and these statements.
fn model(body: &str) -> String {
    format!("dim b\nmodel M {{\n    input x: [b, 4]\n{body}    output y: [b, 4] = x\n}}\n")
}

/// A model that calls a function with these statements.
fn function(body: &str) -> String {
    format!("dim b\nfn f(x: f32) -> f32 {{\n{body}    x\n}}\nmodel M {{\n    input x: [b]\n    output y: [b] = f(x)\n}}\n")
}

const fn fine(name: &'static str, n: usize, text: fn(usize) -> String) -> Kind {
    Kind { name, n, fine: true, text }
}

const fn wrong(name: &'static str, n: usize, text: fn(usize) -> String) -> Kind {
    Kind { name, n, fine: false, text }
}

pub static ALL: &[Kind] = &[
    fine("lets of a model", 2500, |n| model(&each(n, |i| format!("    let v{i} = x + {i}\n")))),
    fine("lets of a body", 2500, |n| function(&each(n, |i| format!("    let v{i} = x + {i}\n")))),
    fine("variables", 2000, |n| {
        let declared = each(n, |i| format!("    var v{i} = x\n"));
        function(&(declared + &each(n, |i| format!("    v{i} = v{i} + 1\n"))))
    }),
    fine("branches beside many names", 1500, |n| {
        let declared = each(n, |i| format!("    var v{i} = x\n"));
        function(&(declared + &each(n, |i| format!("    if x > {i} {{ v{i} = 1 }}\n"))))
    }),
    fine("variables of a loop", 500, |n| {
        let declared = each(n, |i| format!("    var v{i} = 0.0\n"));
        let body = each(n, |i| format!("        v{i} = v{i} + 1\n"));
        model(&format!("{declared}    for i in 0..count[b] {{\n{body}    }}\n"))
    }),
    fine("values that a loop reads", 1500, |n| {
        let declared = each(n, |i| format!("    let c{i} = sum[b] sum(x) * {i}.5\n"));
        let body = each(n, |i| format!("        v = v + c{i}\n"));
        model(&format!("{declared}    var v = 0.0\n    for i in 0..count[b] {{\n{body}    }}\n"))
    }),
    fine("nets", 1000, |n| {
        let nets = each(n, |i| format!("net N{i}() {{\n    (x: [4]) -> [4] {{ x + {i} }}\n}}\n"));
        let subs = each(n, |i| format!("    sub s{i} = N{i}()\n    let v{i} = s{i}(x)\n"));
        nets + &model(&subs)
    }),
    fine("nets that nobody uses", 1000, |n| each(n, |i| format!("net N{i}() {{\n    (x: [4]) -> [4] {{ x + {i} }}\n}}\n"))),
    fine("functions", 1000, |n| {
        let functions = each(n, |i| format!("fn f{i}(x: f32) -> f32 {{ x + {i} }}\n"));
        functions + &model(&each(n, |i| format!("    let v{i} = f{i}(sum(x))\n")))
    }),
    fine("functions that nobody uses", 1000, |n| each(n, |i| format!("fn f{i}(x: f32) -> f32 {{ x + {i} }}\n"))),
    fine("models", 1000, |n| {
        String::from("dim b\n") + &each(n, |i| format!("model M{i} {{\n    input x: [b]\n    output y: [b] = x + {i}\n}}\n"))
    }),
    fine("parameters", 1500, |n| model(&each(n, |i| format!("    param p{i}: [4] = zeros()\n    let v{i} = x + p{i}\n")))),
    fine("relations", 1000, |n| model(&each(n, |i| format!("    param p{i}: [4] = zeros()\n    adapt p{i} by 1\n")))),
    fine("relations of one parameter", 2000, |n| {
        model(&format!("    param p: [4] = zeros()\n{}", each(n, |i| format!("    adapt p by {i}\n"))))
    }),
    fine("parameters that are generated", 1000, |n| {
        let net = format!(
            "net N() {{\n{}    (x: [4]) -> [4] {{ x + p0 }}\n}}\n",
            each(n, |i| format!("    param p{i}: [4] = zeros()\n"))
        );
        net + &model("    param z: [size(t.*)] = zeros()\n    sub t = N()\n    generate t.* from z\n")
    }),
    fine("matches", 800, |n| {
        let net = format!(
            "net N() {{\n{}    (x: [4]) -> [4] {{ x }}\n}}\n",
            each(n, |i| format!("    param p{i}: [4, 4] = zeros()\n"))
        );
        net + &model(
            "    sub t = N()\n    each l(w: [i, o]) in t.* {\n        param u: [i, o] = zeros()\n        adapt w by u\n    }\n",
        )
    }),
    fine("nets of a family", 400, |n| {
        let net = "net N() {\n    (x: [4]) -> [4] { x + 1 }\n}\n".to_string();
        net + &model(&format!("    sub s[l < {n}] = N()\n{}", each(n, |i| format!("    let v{i} = s[{i}](x)\n"))))
    }),
    fine("calls of one net", 1500, |n| {
        let net = "net N() {\n    param w: [4] = zeros()\n    (x: [4]) -> [4] { x + w }\n}\n".to_string();
        net + &model(&format!("    sub s = N()\n{}", each(n, |i| format!("    let v{i} = s(x)\n"))))
    }),
    fine("outputs", 2000, |n| model(&each(n, |i| format!("    output o{i}: [b, 4] = x + {i}\n")))),
    fine("inputs", 1500, |n| model(&each(n, |i| format!("    input i{i}: [b, 4]\n    let v{i} = x + i{i}\n")))),
    fine("inputs that index", 1000, |n| {
        model(&format!(
            "    param e: [9, 4] = zeros()\n{}",
            each(n, |i| format!("    input i{i}: i32[b]\n    let v{i} = e[i{i}]\n"))
        ))
    }),
    fine("conditions", 1500, |n| model(&each(n, |i| format!("    condition c{i}: f32 = 0\n    let v{i} = x * c{i}\n")))),
    fine("losses", 1000, |n| model(&each(n, |i| format!("    loss l{i} = mean[b] sum(x) * {i}\n")))),
    fine("constants", 1500, |n| {
        let first = String::from("const c0 = 1\n");
        first
            + &each(n, |i| format!("const c{} = c{} + 1\n", i + 1, i - i % 50))
            + &model(&each(n, |i| format!("    let v{i} = x + c{i}\n")))
    }),
    fine("axes", 1500, |n| {
        let dims = each(n, |i| format!("dim d{i}\n"));
        dims + &model(&each(n, |i| format!("    input i{i}: [d{i}]\n    let v{i} = i{i} + 1\n")))
    }),
    fine("draws", 1000, |n| model(&each(n, |i| format!("    draw d{i}: [4] = normal()\n    let v{i} = x + d{i}\n")))),
    fine("indices", 1000, |n| {
        model(&each(n, |i| format!("    let v{i}[k < 4] = x[k] + 1\n    let w{i}[k < 4] = (x[k + 1] else 0)\n")))
    }),
    fine("arguments", 1500, |n| {
        let list = |f: &dyn Fn(usize) -> String| (0..n).map(f).collect::<Vec<_>>().join(", ");
        let (formal, given) = (list(&|i| format!("a{i}: f32")), list(&|i| format!("a{}: sum(x)", n - 1 - i)));
        format!("fn f({formal}) -> f32 {{ a0 }}\n") + &model(&format!("    let v = f({given})\n"))
    }),
    fine("blocks", 400, |n| {
        let blocks =
            each(n, |i| format!("eval M as e{i} {{\n    data \"r.safetensors\" {{ x }}\n    batch b = 64\n    report m\n}}\n"));
        model("    output m: f32 = mean[b] sum(x)\n") + &blocks
    }),
    fine("numbers that are reported", 1000, |n| {
        let names: Vec<String> = (0..n).map(|i| format!("m{i}")).collect();
        let outputs = each(n, |i| format!("    output m{i}: f32 = mean[b] sum(x)\n"));
        model(&outputs)
            + &format!("eval M {{\n    data \"r.safetensors\" {{ x }}\n    batch b = 64\n    report {}\n}}\n", names.join(", "))
    }),
    fine("comments", 20000, |n| "// nothing\n".repeat(n) + &model("")),
    wrong("misspelt names", 1000, |n| model(&each(n, |i| format!("    let v{i} = xq{i} + 1\n")))),
    wrong("misspelt functions", 1000, |n| model(&each(n, |i| format!("    let v{i} = reluu{i}(x)\n")))),
    wrong("misspelt nets", 1000, |n| model(&each(n, |i| format!("    sub s{i} = Linaer{i}(4, 4)\n")))),
    wrong("mistakes", 2000, |n| model(&each(n, |i| format!("    let v{i} = x + x[{i}]\n")))),
    wrong("names that are taken", 2000, |n| model(&"    let v = x\n".repeat(n))),
    wrong("imports that are not there", 2000, |n| {
        format!("import std.linear {{ {} }}\n", vec!["Linaer"; n].join(", ")) + &model("")
    }),
    wrong("statements that cannot be read", 2000, |n| model(&each(n, |i| format!("    let v{i} = x + * {i}\n")))),
    wrong("nets in one another", 200, |n| {
        let first = "net N0() {\n    (x: [4]) -> [4] { x }\n}\n".to_string();
        let nets = each(n, |i| format!("net N{}() {{\n    sub s = N{i}()\n    (x: [4]) -> [4] {{ s(x) }}\n}}\n", i + 1));
        first + &nets + &model(&format!("    sub s = N{n}()\n    let v = s(x)\n"))
    }),
];
