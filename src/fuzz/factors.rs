//! Layers whose weights are written, mixed, picked, gated and of low rank: products of several factors and sums in products, for which a planner
//! has more than one way.

use super::Gen;
use super::scope::{E, Names, Scope, Size, level};

/// What a weight may depend on besides its parameters.
#[derive(Clone, Copy, PartialEq)]
enum Code {
    Parameter,
    Condition,
    Input,
    /// One for each row.
    Rows,
}

/// A layer under construction: its number, and how long its axes are.
struct Layer {
    id: usize,
    inner: usize,
    outer: usize,
    rank: usize,
    code: usize,
    experts: usize,
    /// Whether what it reads, and what steers it, has a value for each row.
    of: Code,
}

impl Layer {
    fn name(&self, word: &str) -> String {
        format!("{word}{}", self.id)
    }
}

impl Gen {
    /// One layer or two, one on the other, what they give as outputs, and what others may use.
    pub fn factors(&mut self, sc: &mut Scope, lines: &mut Vec<String>) {
        let (mut read, mut inner) = (String::new(), *self.rng.pick(&[1, 3, 8, 24, 40]));
        for k in 0..1 + self.rng.below(2) {
            let id = self.fresh();
            let layer = Layer {
                id,
                inner,
                outer: *self.rng.pick(&[1, 2, 8, 17, 32]),
                rank: *self.rng.pick(&[1, 2, 5]),
                code: *self.rng.pick(&[1, 2, 9, 20]),
                experts: *self.rng.pick(&[3, 4]),
                of: *self.rng.pick(&[Code::Parameter, Code::Condition, Code::Input, Code::Rows]),
            };
            if k == 0 {
                read = layer.name("row");
                let (given, i) = (layer.name("given"), layer.name("n"));
                lines.push(format!("input {given}: [b, {inner}]"));
                lines.push(format!("let {read}[{i} < {inner}] = 0.2 + min(abs({given}[{i}]), 3)"));
            }
            self.layer(&layer, &read, sc, lines);
            (read, inner) = (layer.name("layer"), layer.outer);
        }
    }

    fn layer(&mut self, l: &Layer, read: &str, sc: &mut Scope, lines: &mut Vec<String>) {
        let (i, o) = (l.name("ri"), l.name("ro"));
        // All is above 0 and below 4: sums that nearly vanish, or leave f32, would say little.
        let (raw, m) = (l.name("raw"), l.name("m"));
        lines.push(match l.of {
            Code::Parameter => format!("param {raw}: [{}] = uniform(-1, 1)", l.code),
            Code::Condition => format!("condition {raw}: [{}]", l.code),
            Code::Input => format!("input {raw}: [{}]", l.code),
            Code::Rows => format!("input {raw}: [b, {}]", l.code),
        });
        lines.push(format!("let {}[{m} < {}] = 0.2 + min(abs({raw}[{m}]), 3)", l.name("code"), l.code));
        let count = 1 + self.rng.below(3);
        let addends: Vec<String> = (0..count).map(|n| self.addend(l, n, (&i, &o), lines)).collect();
        let sign = if self.rng.chance(25) { " - 0.1 * " } else { " + " };
        let weight = addends.join(sign);
        // As a value of its own, which several may read, or where it is used.
        let (weights, apart) = (l.name("weight"), self.rng.chance(70));
        if apart {
            lines.push(format!("let {weights}[{i} < {}, {o} < {}] = {weight}", l.inner, l.outer));
        }
        let one = if apart { format!("{weights}[{i}, {o}]") } else { format!("({weight})") };
        let gate = match self.rng.below(4) {
            0 => format!(" * {}", self.gate(l, &i, lines)),
            _ => String::new(),
        };
        let sum = format!("(sum[{i} < {}] {read}[{i}] * {one}{gate})", l.inner);
        let whole = match self.rng.below(4) {
            0 => format!("max({sum}, 0)"),
            1 => format!("tanh({sum})"),
            2 => format!("{sum} + 0.1 * {o}"),
            _ => sum,
        };
        lines.push(format!("let {}[{o} < {}] = {whole}", l.name("layer"), l.outer));
        let named = Names::from(["b".to_string()]);
        lines.push(format!("output all{}: {} = {}", l.id, Self::type_text(&named, &[Size::of(l.outer as i64)]), l.name("layer")));
        if apart && self.rng.chance(25) {
            // Somebody else reads the weights, too.
            let steered = l.of == Code::Rows && ["code", "made"].iter().any(|word| weight.contains(word));
            let ty = if steered || weight.contains("pick") { "[b]" } else { "f32" };
            lines.push(format!("output size{}: {ty} = sum[{i} < {}, {o} < {}] {one} * {one}", l.id, l.inner, l.outer));
        }
        let name = l.name("seen");
        lines.push(format!("let {name}[{o} < {}] = tanh({}[{o}])", l.outer, l.name("layer")));
        let found = E::new("", level::POSTFIX).typed(named, vec![Size::of(l.outer as i64)]).bounded(1.0, 100.0);
        self.bind(sc, &name, &found);
    }

    /// What is added up to a weight, at the places `i` and `o`.
    fn addend(&mut self, l: &Layer, n: usize, (i, o): (&str, &str), lines: &mut Vec<String>) -> String {
        let own = |word: &str| format!("{word}{}_{n}", l.id);
        let (inner, outer, rank) = (l.inner, l.outer, l.rank);
        let scale = 1.0 / ((inner as f64).sqrt() * 2.0);
        let mut param = |word: &str, axes: &str| {
            lines.push(format!("param {}: [{axes}] = uniform(0.2, 1)", own(word)));
            own(word)
        };
        let (code, z, r) = (l.name("code"), own("z"), own("r"));
        let text = match self.rng.below(7) {
            // A weight as it is.
            0 => format!("{}[{i}, {o}]", param("w", &format!("{inner}, {outer}"))),
            // A generator's head.
            1 => {
                let head = param("head", &format!("{}, {inner}, {outer}", l.code));
                format!("(sum[{z}] {code}[{z}] * {head}[{z}, {i}, {o}])")
            }
            // A pair of low rank, one side of it written.
            2 => {
                let (head, up) =
                    (param("head", &format!("{}, {inner}, {rank}", l.code)), param("up", &format!("{rank}, {outer}")));
                format!("(sum[{z}, {r}] {code}[{z}] * {head}[{z}, {i}, {r}] * {up}[{r}, {o}])")
            }
            // Likewise, modulated by a parameter.
            3 => {
                let head = param("head", &format!("{}, {inner}, {rank}", l.code));
                let (by, up) = (param("by", &format!("{inner}, {rank}")), param("up", &format!("{rank}, {outer}")));
                let made = own("made");
                lines.push(format!(
                    "let {made}[{i} < {inner}, {r} < {rank}] = {by}[{i}, {r}] * (sum[{z}] {code}[{z}] * {head}[{z}, {i}, {r}])"
                ));
                format!("(sum[{r}] {made}[{i}, {r}] * {up}[{r}, {o}])")
            }
            // Templates, mixed.
            4 => {
                let (mix, of) = (
                    param("mix", &format!("{}, {}", l.code, l.experts)),
                    param("of", &format!("{}, {inner}, {outer}", l.experts)),
                );
                let k = own("k");
                format!("(sum[{z}, {k}] {code}[{z}] * {mix}[{z}, {k}] * {of}[{k}, {i}, {o}])")
            }
            // An expert that each row picks.
            5 => {
                let (pick, of) = (own("pick"), own("of"));
                lines.push(format!("input {pick}: i32[b]"));
                lines.push(format!("param {of}: [{}, {inner}, {outer}] = uniform(0.2, 1)", l.experts));
                format!("{of}[{pick}, {i}, {o}]")
            }
            // Adapters that each row picks.
            _ => {
                let (pick, down, up) = (own("pick"), own("down"), own("up"));
                lines.push(format!("input {pick}: i32[b]"));
                lines.push(format!("param {down}: [{}, {inner}, {rank}] = uniform(0.2, 1)", l.experts));
                lines.push(format!("param {up}: [{}, {rank}, {outer}] = uniform(0.2, 1)", l.experts));
                format!("(sum[{r}] {down}[{pick}, {i}, {r}] * {up}[{pick}, {r}, {o}])")
            }
        };
        format!("{scale:.3} * {text}")
    }

    /// A number for each place of what a layer reads.
    fn gate(&mut self, l: &Layer, i: &str, lines: &mut Vec<String>) -> String {
        let gate = l.name("gate");
        lines.push(match self.rng.below(3) {
            0 => format!("param {gate}: [{}] = uniform(-1, 1)", l.inner),
            1 => format!("input {gate}: [{}]", l.inner),
            _ => format!("input {gate}: [b, {}]", l.inner),
        });
        format!("(0.2 + min(abs({gate}[{i}]), 3))")
    }
}
