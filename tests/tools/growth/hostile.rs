//! Small sources that ask for very much: an answer in seconds and in a gigabyte.

use super::limited;

/// A name, a source, the arguments after `hnet`, what is said.
type Case = (&'static str, String, &'static str, &'static [&'static str]);

/// Thirty levels, each made twice of the one below.
fn doubling(first: &str, level: impl Fn(usize) -> String, last: &str) -> String {
    let levels: String = (1..=30).map(level).collect();
    format!("dim b\n{first}{levels}model M {{\n    input x: [b, 4]\n{last}}}\n")
}

fn nets(part: &str, calls: &str) -> String {
    let (part, calls) = (part.to_string(), calls.to_string());
    doubling(
        "net N0() {\n    param p: [4] = zeros()\n    (x: [4]) -> [4] { x + p }\n}\n",
        move |i| {
            format!("net N{i}() {{\n{}    (x: [4]) -> [4] {{ {calls} }}\n}}\n", part.replace("BELOW", &format!("N{}", i - 1)))
        },
        "    sub s = N30()\n    output y: [b, 4] = s(x)\n",
    )
}

/// A model that has a hundred million nets.
fn array(line: &str) -> String {
    let net = "net N() {\n    param w: [4, 4] = zeros()\n    (x: [4]) -> [4] { x @ w }\n}\n";
    format!("dim b\n{net}model M {{\n    input x: [b, 4]\n    sub s[100000000] = N()\n{line}    output y: [b, 4] = s[0](x)\n}}\n")
}

fn model(body: &str) -> String {
    format!("dim a\ndim b\nmodel M {{\n    input x: [a, b]\n{body}    output y: f32 = 0\n}}\n")
}

/// Constants, each made of the one before.
fn chain(next: impl Fn(usize) -> String) -> String {
    let lines: String = (1..=40).map(|i| format!("    const c{i} = {}\n", next(i - 1))).collect();
    model(&format!("    const c0 = count[a] + count[b]\n{lines}    let v = c40\n"))
}

const CHECK: &str = "check m.hnet";

/// Twenty products with a matrix of four by four, one after the other, of so many rows.
fn folds(rows: &str) -> String {
    format!(
        "dim b\ndim s = {rows}\nmodel M {{\n    input x: [b, s, 4, 3]\n    var h = tanh(0.01 * sum[b'] x[b: b'])\n    \
         for l in 0..20 {{ let k[i < 4, j < 4] = (i + j + 1) / 4; h = tanh(softplus(tanh(0.01 * (k @ h)))) }}\n    \
         output y: [s, 4, 3] = h\n}}\n"
    )
}

fn cases() -> Vec<Case> {
    let long = "a".repeat(20_000);
    let fine: &[&str] = &["fine"];
    vec![
        ("nets in nets", nets("    sub c = BELOW()\n    sub d = BELOW()\n", "c(d(x))"), CHECK, &["H0811"]),
        ("nets that are not called", nets("    sub c = BELOW()\n    sub d = BELOW()\n", "x"), CHECK, &["H0811"]),
        ("families in families", nets("    sub c[l < 4000] = BELOW()\n", "c[0](x)"), CHECK, &["H0811"]),
        ("arrays of arrays", nets("    sub c[1000000] = BELOW()\n", "c[0](x)"), CHECK, &["H08"]),
        ("functions", doubling("fn f0(x: f32) -> f32 { x + 1 }\n", |i| format!("fn f{i}(x: f32) -> f32 {{ f{0}(f{0}(x)) }}\n", i - 1), "    output y: f32 = f30(sum[b] sum(x))\n"), CHECK, &["H0811"]),
        ("a large array", array(""), CHECK, fine),
        ("all nets of it, one by one", array("    adapt s.*.w by 1\n"), CHECK, &["H0812"]),
        ("one of them", array("    adapt s[3].w by 1\n"), CHECK, &["H0812"]),
        ("an initialiser for each", array("    init s.*.w = zeros()\n"), CHECK, &["H0812"]),
        ("members for each", array("    each l(w: [i, o]) in s.*.w {\n        param u: [i, o] = zeros()\n        adapt w by u\n    }\n"), CHECK, &["H0812"]),
        ("all of them at once", array("    adapt s[l].w by 1\n"), CHECK, fine),
        ("squares of a sum", chain(|i| format!("c{i} * c{i}")), CHECK, &["H0820"]),
        ("powers of a sum", chain(|i| format!("c{i} ^ 8")), CHECK, &["H0820"]),
        ("rounded squares", chain(|i| format!("ceil(c{i} * c{i} / 3)")), CHECK, fine),
        ("the larger of two", chain(|i| format!("max(c{i} + 1, c{i} * 2)")), CHECK, &["H0820"]),
        ("squares of a number", chain(|i| if i == 0 { "3".into() } else { format!("c{i} * c{i}") }), CHECK, &["H0820"]),
        ("towers", model("    let v = 9^9^9 + 2^1000000000\n"), CHECK, fine),
        ("an index of doubled sums", {
            let lines: String = (2..60).map(|i| format!("    let k{i}[b] = k{} + k{}\n", i - 1, i - 2)).collect();
            model(&format!("    param w: [9] = zeros()\n    let k0[b] = b * 0\n    let k1[b] = b * 0\n{lines}    let v = w[k59]\n")).replace("[b] =", " =").replace("= b * 0", "= int(0 * x)")
        }, CHECK, &[""]),
        ("rounds in rounds", "fn f(x: f32) -> f32 {\n    var v = x\n    for i in 0..500 { for j in 0..500 { for k in 0..500 { v = v + 1 } } }\n    v\n}\nmodel M {\n    input x: f32\n    output y: f32 = f(x)\n}\n".into(), CHECK, &["H0811"]),
        ("rounds of a hundred million", "fn f(x: f32) -> f32 {\n    var v = x\n    for i in 0..100000000 { v = v + 1 }\n    v\n}\nmodel M {\n    input x: f32\n    output y: f32 = f(x)\n}\n".into(), CHECK, fine),
        ("a long name", model(&format!("    let {long} = 1\n    let v = {long}b\n")), CHECK, &["H0201"]),
        ("a very long name", model(&format!("    let v = {}\n", "a".repeat(3_000_000))), CHECK, &["H0201"]),
        ("a long line", model(&format!("    let v = q {}// {}\n", " ".repeat(1_000_000), "x".repeat(1_000_000))), CHECK, &["H0201"]),
        ("a long number", model(&format!("    let v = 0.{0} + 1e{0} + {0}.5\n", "1".repeat(100_000))), CHECK, fine),
        ("a long whole number", model(&format!("    let v = {}\n", "1".repeat(1_000_000))), CHECK, &["H0820"]),
        ("brackets", model(&format!("    let v = {}x\n", "(".repeat(1_000_000))), CHECK, &["H01"]),
        ("many mistakes", model(&(0..20_000).map(|i| format!("    let v{i} = q{i}\n")).collect::<String>()), CHECK, &["19900 more mistakes are not shown", "100 errors"]),
        ("imports in a circle", format!("import \"m.hnet\" {{ M }}\n{}", "import \"m.hnet\" { }\n".repeat(20_000)) + &model(""), CHECK, &[""]),
        ("a parameter of a trillion", "model M {\n    param w: [1000000, 1000000] = normal()\n    output y: f32 = sum[i, j] w[i, j]\n}\n".into(), "run m.hnet --backend cpu", &["H0801"]),
        ("draws of a trillion", "model M {\n    draw w: [1000000, 1000000] = normal()\n    output y: f32 = sum[i, j] w[i, j]\n}\n".into(), "run m.hnet --backend cpu", &["H0801"]),
        ("an input of a trillion", "dim b\nmodel M {\n    input x: [b]\n    output y: f32 = sum[b] x\n}\n".into(), "run m.hnet --random-inputs --dim b=1000000000000", &["H0"]),
        ("folds in folds of nothing", folds("0"), "run m.hnet --random-inputs --dim b=1 --backend cpu", &["y"]),
        ("folds in folds of one", folds("1"), "run m.hnet --random-inputs --dim b=1 --backend cpu", &["y"]),
        ("folds of a free dim in one another", "dim n\nmodel M {\n    input x: [n]\n    var h = x\n    for l in 0..20 { let g[n] = tanh(0.1 * n * (sum[n] h)); h = tanh(g) }\n    output y: [n] = h\n}\n".into(), "run m.hnet --random-inputs --dim n=1 --backend cpu", &["y"]),
        ("many settings", "const c = 1\n".to_string() + &model("    let v = c\n"), "check m.hnet $(for i in $(seq 2000); do echo --set c=$i; done)", &[""]),
    ]
}

#[test]
fn every_source_has_an_answer_in_seconds_and_a_gigabyte() {
    let folder = tempfile::tempdir().unwrap();
    let mut bad = vec![];
    for (name, text, arguments, says) in cases() {
        std::fs::write(folder.path().join("m.hnet"), text).unwrap();
        let ran = limited(folder.path(), arguments, 1 << 20, 60);
        let crashed =
            ran.said.contains("panicked") || ran.said.contains("memory allocation of") || ran.said.contains("bug in hnet");
        let answered = matches!(ran.code, Some(0..=4)) && !crashed;
        if !answered || !says.iter().all(|s| ran.said.contains(s)) {
            let head: String = ran.said.chars().take(300).collect();
            bad.push(format!("{name}: exit {:?} after {:.1} s, wanted {says:?}: {head}", ran.code, ran.seconds));
        }
        if ran.seconds > 20.0 {
            bad.push(format!("{name}: {:.1} s", ran.seconds));
        }
        if ran.said.len() > 1 << 20 {
            bad.push(format!("{name}: says {} bytes", ran.said.len()));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}
