//! Nets and functions: formals, parameters, parts, a signature, a body.

use super::Gen;
use super::scope::{Callable, Dim, E, Kind, Names, Scope, Size, Var, level};

/// A parameter of a net: its name and sizes. `w` has two sizes, `m` three, `u` one, `g` none.
pub type Own = (String, Vec<Size>);

/// A part of a net.
#[derive(Clone, Debug)]
pub struct Part {
    pub name: String,
    pub net: usize,
    pub actuals: Vec<Size>,
    pub array: Option<Size>,
}

/// What callers must know of a net.
#[derive(Clone, Debug)]
pub struct Net {
    pub name: String,
    pub formals: Vec<String>,
    pub params: Vec<Own>,
    pub parts: Vec<Part>,
    pub args: Vec<(Names, Vec<Size>)>,
    pub results: Vec<(String, Names, Vec<Size>)>,
    pub err: f64,
    /// Works only where it is lifted over an axis.
    pub lifted: bool,
    /// Generates parameters of its parts.
    pub generates: bool,
}

impl Gen {
    /// A size in a net: a formal, or a small number.
    fn inner_size(&mut self, formals: &[String]) -> Size {
        match self.rng.below(10) {
            0..=5 if !formals.is_empty() => Size::formal(&self.rng.pick(formals).clone()),
            6 if !formals.is_empty() => Size { factor: 2, ..Size::formal(&self.rng.pick(formals).clone()) },
            _ => self.length(),
        }
    }

    /// An initialiser for values of moderate size.
    pub fn initialiser(&mut self, sizes: &[Size]) -> String {
        let words = ["normal(std: 0.5)", "uniform(-1, 1)", "normal(mean: 0.2, std: 0.4)", "ones()", "fill(0.25)", "zeros()"];
        let at = self.rng.below(words.len() + 6);
        match (sizes, at) {
            ([a, _], 9) => format!("kaiming_uniform(fan_in: {})", a.text()),
            ([_, _], 10) => "orthogonal()".into(),
            (_, 11) => "truncated_normal(std: 0.5)".into(),
            _ => words[if at < words.len() { at } else { at % 2 }].into(),
        }
    }

    /// A callable for a part.
    pub fn callable(&self, text: &str, net: &Net, actuals: &[Size], array: Option<Size>) -> Callable {
        let given: Vec<(String, Size)> = net.formals.iter().cloned().zip(actuals.iter().cloned()).collect();
        let with = |list: &[Size]| list.iter().map(|s| s.with(&given)).collect::<Vec<_>>();
        Callable {
            text: text.into(),
            args: net.args.iter().map(|(n, s)| (n.clone(), with(s))).collect(),
            results: net.results.iter().map(|(f, n, s)| (f.clone(), n.clone(), with(s))).collect(),
            mag: 4.0,
            err: net.err,
            array,
            names: Names::new(),
            lifted: net.lifted,
        }
    }

    /// `f32`, `[t, d]`
    pub fn type_text(names: &Names, sizes: &[Size]) -> String {
        let axes: Vec<String> = names.iter().cloned().chain(sizes.iter().map(Size::text)).collect();
        if axes.is_empty() { "f32".into() } else { format!("[{}]", axes.join(", ")) }
    }

    /// Writes a net and remembers it.
    pub fn net(&mut self) {
        let id = self.fresh();
        let name = format!("N{id}");
        let formals: Vec<String> = ["d", "h"][..self.rng.below(3)].iter().map(|s| s.to_string()).collect();
        let mut sc = Scope { net: true, calls: self.functions.clone(), ..Scope::default() };
        let mut lines = vec![];
        let mut params: Vec<Own> = vec![];
        for (word, rank) in [("w", 2), ("u", 1), ("m", 3), ("g", 0)] {
            if !self.rng.chance(if rank == 2 { 80 } else { 35 }) {
                continue;
            }
            let sizes: Vec<Size> = (0..rank).map(|_| self.inner_size(&formals)).collect();
            lines.push(format!("param {word}: {} = {}", Self::type_text(&Names::new(), &sizes), self.initialiser(&sizes)));
            sc.vars.push(Var {
                text: word.into(),
                kind: Kind::Float,
                names: Names::new(),
                sizes: sizes.clone(),
                mag: 1.5,
                err: 1.5,
            });
            params.push((word.into(), sizes));
        }
        if self.rng.chance(15) {
            let sizes = vec![self.inner_size(&formals)];
            lines.push(format!("const basis: {} = normal()", Self::type_text(&Names::new(), &sizes)));
            sc.vars.push(Var { text: "basis".into(), kind: Kind::Float, names: Names::new(), sizes, mag: 3.0, err: 3.0 });
        }
        let mut parts = vec![];
        for word in ["one", "two"] {
            if self.nets.is_empty() || !self.rng.chance(40) {
                continue;
            }
            let net = self.rng.below(self.nets.len());
            let inner = self.nets[net].clone();
            let actuals: Vec<Size> = inner
                .formals
                .iter()
                .map(|_| self.inner_size(&formals))
                .map(|s| if s.positive() { s } else { Size::of(1) })
                .collect();
            let array = self.rng.chance(35).then(|| Size::of(self.rng.below(3) as i64 + 1));
            let part = Part { name: word.into(), net, actuals, array };
            lines.push(self.part_text(&part));
            sc.calls.push(self.callable(word, &inner, &part.actuals, part.array.clone()));
            parts.push(part);
        }
        self.member_relations(&sc, &params, &parts, &mut lines);
        let generates = lines.iter().any(|l| l.starts_with("generate") || l.starts_with("tie"));
        let (text, c) = self.signature(&mut sc, &formals);
        lines.push(text);
        let head: Vec<&str> = formals.iter().map(String::as_str).collect();
        self.items.push(format!("net {name}({}) {{\n    {}\n}}", head.join(", "), lines.join("\n    ")));
        let Callable { args, results, err, lifted, .. } = c;
        self.nets.push(Net { name, formals, params, parts, args, results, err, lifted, generates });
    }

    /// `fn f(x: [t, 3]) -> [t] { .. }`, to be called by all that follows.
    pub fn function_item(&mut self) {
        let name = format!("f{}", self.fresh());
        let mut sc = Scope { net: true, calls: self.functions.clone(), ..Scope::default() };
        let (text, c) = self.signature(&mut sc, &[]);
        self.items.push(format!("fn {name}{}", text.replace("\n    ", "\n")));
        self.functions.push(Callable { text: name, ..c });
    }

    /// A signature with its body, and what callers must know of it.
    fn signature(&mut self, sc: &mut Scope, formals: &[String]) -> (String, Callable) {
        self.lifted = false;
        let mut args = vec![];
        let mut texts = vec![];
        let axis = self.rng.chance(25).then(|| self.rng.pick(&["t", "s"]).to_string());
        if let Some(t) = &axis {
            sc.dims.push(Dim { name: t.clone(), size: None });
            sc.allowed.insert(t.clone());
        }
        for k in 0..1 + usize::from(self.rng.chance(35)) {
            let mut names = Names::new();
            if k == 0 {
                names.extend(axis.clone());
            }
            let rank = *self.rng.pick(&[1, 1, 1, 0, 2]);
            let sizes: Vec<Size> = (0..rank).map(|_| self.inner_size(formals)).collect();
            let arg = ["x", "z"][k];
            texts.push(format!("{arg}: {}", Self::type_text(&names, &sizes)));
            sc.vars.push(Var {
                text: arg.into(),
                kind: Kind::Float,
                names: names.clone(),
                sizes: sizes.clone(),
                mag: 4.0,
                err: 30.0,
            });
            args.push((names, sizes));
        }
        let mut body = vec![];
        let count = self.rng.below(3);
        self.statements(sc, count, &mut body);
        let fields = if self.rng.chance(15) { 2 } else { 1 };
        let mut results = vec![];
        let mut values = vec![];
        let mut err = 0.0f64;
        for f in 0..fields {
            let sizes = self.some_sizes(sc);
            let mut e = self.expr(sc, &sizes, 2);
            body.append(&mut self.pending);
            if e.mag > 4.0 {
                e = E { text: format!("2 * tanh({})", e.text), level: level::PRODUCT, mag: 2.0, ..e };
            }
            // The declared axes are those that it has.
            err = err.max(e.err);
            results.push((if fields > 1 { ["mu", "spread"][f].to_string() } else { String::new() }, e.names.clone(), sizes));
            values.push(e.text);
        }
        let (result, value) = if fields == 1 {
            (Self::type_text(&results[0].1, &results[0].2), values[0].clone())
        } else {
            let list: Vec<String> = results.iter().map(|(f, n, s)| format!("{f}: {}", Self::type_text(n, s))).collect();
            let values: Vec<String> = results.iter().zip(&values).map(|((f, _, _), v)| format!("{f}: {v}")).collect();
            (format!("({})", list.join(", ")), format!("({})", values.join(", ")))
        };
        body.push(value);
        let text = format!("({}) -> {result} {{\n        {}\n    }}", texts.join(", "), body.join("\n        "));
        let (array, names) = (None, Names::new());
        (text, Callable { text: String::new(), args, results, mag: 4.0, err, array, names, lifted: self.lifted })
    }

    /// `sub one[3] = N1(d, 2)`
    pub fn part_text(&self, part: &Part) -> String {
        let actuals: Vec<String> = part.actuals.iter().map(Size::text).collect();
        let array = part.array.as_ref().map_or(String::new(), |n| format!("[{}]", n.text()));
        format!("sub {}{array} = {}({})", part.name, self.nets[part.net].name, actuals.join(", "))
    }
}
