//! Draws and initialisers.
//!
//! A draw's bits are keyed by the seed, its dotted path, how many draws of this path came before it, and the position, so
//! that they are the same on every backend and for every split of a batch.

use super::builtin::{self, Distribution, Function};
use super::instance::join;
use super::model::Init;
use super::value::{Label, NameId, Num, Tens, Value};
use super::{Checker, Res};
use crate::diag::{Diagnostic, suggest};
use crate::ir::{Axis, DType, Dist, Map, Node, Op, Operand, Origin, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind};
use std::collections::HashMap;

/// A distribution with its arguments by name.
struct Chosen<'a> {
    word: &'a str,
    what: Distribution,
    args: Given<'a>,
}

type Given<'a> = Vec<(&'static str, Value<'a>, Span)>;

/// What tells draws apart.
pub struct Draws {
    /// Calls of draws by dotted path.
    pub calls: HashMap<String, u32>,
    /// The seed of what is drawn once, when the model is compiled.
    pub model_seed: Size,
}

impl Default for Draws {
    fn default() -> Draws {
        Draws { calls: HashMap::new(), model_seed: Size::from(0i64) }
    }
}

impl<'a> Checker<'a> {
    /// A call of a distribution: its word and its arguments by name.
    fn distribution(&mut self, e: &'a Expr) -> Res<Option<Chosen<'a>>> {
        let ExprKind::Call { callee, args } = &*e.kind else { return Ok(None) };
        let ExprKind::Name(word) = &*callee.kind else { return Ok(None) };
        let Some((what, Function { args: formals, .. })) = builtin::distribution(word) else { return Ok(None) };
        self.named_enough(word, what, formals, args)?;
        let mut out: Given<'a> = vec![];
        for arg in args {
            let given = |f: &str| out.iter().any(|(n, _, _)| *n == f);
            let named = |f: &str| args.iter().any(|a| a.name.as_ref().is_some_and(|n| &*n.name == f));
            let formal = match &arg.name {
                None => formals.iter().copied().find(|f| !given(f) && !named(f)),
                Some(name) => formals.iter().copied().find(|f| *f == &*name.name),
            };
            let Some(formal) = formal else {
                let at = arg.name.as_ref().map_or(arg.value.span, |n| n.span);
                let what = arg.name.as_ref().map_or("so many arguments".into(), |n| format!("argument `{}`", n.name));
                let takes =
                    if formals.is_empty() { "it takes none".to_string() } else { format!("it takes {}", formals.join(", ")) };
                let has = if arg.name.is_some() { "has no" } else { "does not take" };
                return self.fail(Diagnostic::error("H0509", at, format!("`{word}` {has} {what}")).help(takes));
            };
            if given(formal) {
                return self.error("H0509", arg.value.span, format!("`{formal}` is given twice"));
            }
            let value = self.expr(&arg.value)?;
            out.push((formal, value, arg.value.span));
        }
        Ok(Some(Chosen { word, what, args: out }))
    }

    /// Refuses arguments without a name where more than one can be meant. The only one of a distribution needs none, and all
    /// of one that has an order which everybody knows: `uniform(from, to)`, `normal(mean, std)`.
    fn named_enough(&mut self, word: &str, what: Distribution, formals: &[&'static str], args: &'a [ast::Arg]) -> Res<()> {
        let known = matches!(what, Distribution::Uniform | Distribution::Normal | Distribution::TruncatedNormal);
        let ordered = known && args.len() == formals.len();
        let Some(nameless) = args.iter().find(|a| a.name.is_none()) else { return Ok(()) };
        if ordered || formals.len() < 2 || args.len() > formals.len() {
            return Ok(());
        }
        let value = crate::syntax::print_expr(&nameless.value);
        let ways: Vec<String> = formals.iter().map(|f| format!("`{word}({f}: {value})`")).collect();
        let which: Vec<String> = formals.iter().map(|f| format!("`{f}`")).collect();
        let message = format!("is this the {} of `{word}`?", which.join(" or the "));
        self.fail(Diagnostic::error("H0514", nameless.value.span, message).help(format!("name it: {}", ways.join(" or "))))
    }

    fn number_arg(&mut self, args: &[(&'static str, Value<'a>, Span)], name: &str, default: Option<f64>, span: Span) -> Res<f64> {
        match args.iter().find(|(n, _, _)| *n == name) {
            None => match default {
                Some(d) => Ok(d),
                None => self.error("H0509", span, format!("`{name}` is missing")),
            },
            Some((_, Value::Num(n), at)) => {
                let n = match n {
                    Num::Exact(s) => Num::Exact(self.axes.resolve(s)),
                    Num::Real(v) => Num::Real(*v),
                };
                match n.known() {
                    Some(v) => Ok(v),
                    None => self.report.unknown(*at, "this"),
                }
            }
            Some((_, _, at)) => self.error("H0509", *at, "an initialiser takes plain numbers"),
        }
    }

    /// What a parameter starts from.
    pub fn initialiser(&mut self, e: &'a Expr, shape: &[(Label, Size)]) -> Res<Init> {
        let Some(Chosen { what, args, .. }) = self.distribution(e)? else {
            if let ExprKind::Call { callee, .. } = &*e.kind
                && let ExprKind::Name(word) = &*callee.kind
                && matches!(self.meaning(word), super::word::Meaning::Nothing)
                && builtin::find(word).is_none()
            {
                let mut d = Diagnostic::error("H0510", callee.span, format!("`{word}` is no initialiser"));
                let known: Vec<&str> = builtin::all().map(|f| f.word).filter(|w| builtin::distribution(w).is_some()).collect();
                d = match suggest(word, known.iter().copied()) {
                    Some(near) => d.fix(format!("`{near}` is near"), callee.span, near),
                    None => d.help(format!("there are {}", known.join(", "))),
                };
                return self.fail(d);
            }
            let t = match self.expr(e)? {
                Value::Num(n) => {
                    if let Some(v) = n.known() {
                        return Ok(Init::Fill(v));
                    }
                    self.num_f32(&n)
                }
                v => self.as_tens(v, e.span)?,
            };
            return self.init_node(t, shape);
        };
        let arg = |c: &mut Self, name: &str, default: Option<f64>| c.number_arg(&args, name, default, e.span);
        let fan = |c: &Self, from_end: usize| {
            let n = shape.len().checked_sub(from_end)?;
            c.axes.resolve(&shape[n].1).number()
        };
        let positive = |c: &mut Self, v: f64, what: &str| {
            if v > 0.0 { Ok(v) } else { c.error("H0509", e.span, format!("`{what}` is {v}; it must be positive")) }
        };
        Ok(match what {
            Distribution::Zeros => Init::Fill(0.0),
            Distribution::Ones => Init::Fill(1.0),
            Distribution::Fill => Init::Fill(arg(self, "value", None)?),
            Distribution::Normal => Init::Normal { mean: arg(self, "mean", Some(0.0))?, std: arg(self, "std", Some(1.0))? },
            Distribution::TruncatedNormal => {
                Init::TruncatedNormal { mean: arg(self, "mean", Some(0.0))?, std: arg(self, "std", Some(1.0))? }
            }
            Distribution::Uniform => Init::Uniform { from: arg(self, "from", Some(0.0))?, to: arg(self, "to", Some(1.0))? },
            Distribution::Bernoulli => Init::Bernoulli { p: arg(self, "p", None)? },
            Distribution::RandInt => Init::RandInt { n: arg(self, "n", None)? },
            Distribution::KaimingUniform | Distribution::KaimingNormal => {
                let n = arg(self, "fan_in", fan(self, 2))?;
                // A net of width 0 has no weights to start.
                let n = if n == 0.0 { 1.0 } else { positive(self, n, "fan_in")? };
                let std = arg(self, "gain", Some(std::f64::consts::SQRT_2))? / n.sqrt();
                spread(what == Distribution::KaimingUniform, std)
            }
            Distribution::XavierUniform | Distribution::XavierNormal => {
                let (i, o) = (arg(self, "fan_in", fan(self, 2))?, arg(self, "fan_out", fan(self, 1))?);
                let sum = if i + o == 0.0 { 1.0 } else { positive(self, i + o, "fan_in + fan_out")? };
                spread(what == Distribution::XavierUniform, arg(self, "gain", Some(1.0))? * (2.0 / sum).sqrt())
            }
            Distribution::Orthogonal => Init::Orthogonal { gain: arg(self, "gain", Some(1.0))? },
        })
    }

    /// An initialiser that is computed: a node of the parameter's shape.
    pub fn init_node(&mut self, t: Tens, shape: &[(Label, Size)]) -> Res<Init> {
        let t = self.to_f32(&t);
        let labels: Vec<Label> = shape.iter().map(|(l, _)| *l).collect();
        let axes: Vec<Axis> =
            shape.iter().enumerate().map(|(i, (l, s))| self.axes.axis(*l, &format!("d{i}"), s.clone())).collect();
        let sized: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == Label::Sized).collect();
        let own = t.sized();
        let mut next = own.len().min(sized.len());
        next = sized.len() - next;
        let subscripts = t
            .labels
            .iter()
            .map(|l| match l {
                Label::Named(_) => labels.iter().position(|x| x == l),
                Label::Sized => {
                    next += 1;
                    sized.get(next - 1).copied()
                }
            })
            .collect::<Option<Vec<usize>>>();
        let span = self.scopes.frame().span;
        let Some(subscripts) = subscripts else {
            return self.error("H0510", span, format!("this initialiser is {}, which does not fit the parameter", self.show(&t)));
        };
        Ok(Init::Node(self.copy(&t, labels, axes, subscripts).node))
    }

    /// `draw name: type = distribution by key`
    pub fn draw(&mut self, name: &'a ast::Ident, ty: &'a ast::Type, value: &'a Expr, by: Option<&'a Expr>) -> Res<Value<'a>> {
        let seed = match by {
            Some(e) => {
                let v = self.expr(e)?;
                self.index_tens(v, e.span)?
            }
            None => self.run_seed(),
        };
        self.drawn(name, ty, value, seed)
    }

    /// `const name: type = distribution`: drawn from the model's own seed, the same in every run.
    pub fn const_draw(&mut self, draw: &'a ast::ConstDraw) -> Res<Value<'a>> {
        let seed = self.draws.model_seed.clone();
        let seed = self.size_value(&seed);
        self.drawn(&draw.name, &draw.ty, &draw.value, seed)
    }

    /// A draw that feeds an input: it has the input's axes.
    pub fn fed_draw(&mut self, name: &ast::Ident, value: &'a Expr) -> Res<Value<'a>> {
        let program = self.program;
        let declared = program.files[0].ast.items.iter().find_map(|i| match &i.kind {
            ast::ItemKind::Model(m) if *m.name.name == *self.out.model.name => m.body.stmts.iter().find_map(|s| match &s.kind {
                ast::StmtKind::Input { name: n, ty } | ast::StmtKind::Condition { name: n, ty, .. } if n.name == name.name => {
                    Some((n, ty))
                }
                _ => None,
            }),
            _ => None,
        });
        let Some((own, ty)) = declared else { return self.error("H0702", name.span, "there is no such input") };
        let seed = self.run_seed();
        self.drawn(own, ty, value, seed)
    }

    /// A constant of a file that is drawn.
    pub fn file_draw(&mut self, draw: &'a ast::ConstDraw, file: usize) -> Res<Value<'a>> {
        let key = (file, draw.name.span.start);
        if let Some(t) = self.constants.drawn.get(&key) {
            return Ok(Value::Tensor(t.clone()));
        }
        let mut frame = super::scope::Frame::new(file, None);
        frame.sees_dims = true;
        let v = self.outside(frame, |c| c.const_draw(draw))?;
        let t = self.as_tens(v, draw.name.span)?;
        self.constants.drawn.insert(key, t.clone());
        Ok(Value::Tensor(t))
    }

    fn run_seed(&mut self) -> Tens {
        self.build.seed(|| Node::new(Op::Source { origin: Origin::Seed, path: "seed".into() }, DType::I32, vec![]))
    }

    fn drawn(&mut self, name: &'a ast::Ident, ty: &'a ast::Type, value: &'a Expr, seed: Tens) -> Res<Value<'a>> {
        let shape = self.draw_shape(ty)?;
        let Some(Chosen { word, what, args }) = self.distribution(value)? else {
            return self.fail(
                Diagnostic::error("H0510", value.span, "a draw is from a distribution")
                    .help("`normal()`, `normal(mean: m, std: s)`, `uniform(from, to)`, `bernoulli(p)`, `randint(n)`"),
            );
        };
        let scalar_type = self.drawn_type(word, what, ty, value.span)?;
        let path = join(&self.scopes.frame().path.clone(), &name.name);
        let count = self.draws.calls.entry(path.clone()).or_insert(0);
        *count += 1;
        let key = fnv(&format!("{path}#{count}"));
        let get = |name: &str| args.iter().find(|(n, _, _)| *n == name).map(|(_, v, s)| (v.clone(), *s));
        let scalar = |c: &mut Self, name: &str, default: f64| match get(name) {
            None => Ok(c.constant(default, DType::F32)),
            Some((Value::Num(n), _)) => Ok(c.num_f32(&n)),
            Some((v, at)) => {
                let t = c.as_tens(v, at)?;
                Ok(c.to_f32(&t))
            }
        };
        let span = value.span;
        let (scale, shift, dist) = match what {
            Distribution::Uniform => {
                let (from, to) = (scalar(self, "from", 0.0)?, scalar(self, "to", 1.0)?);
                (self.map(Map::Sub, DType::F32, &[(&to, span), (&from, span)], "`uniform`", span)?, from, Dist::Uniform)
            }
            Distribution::Normal => (scalar(self, "std", 1.0)?, scalar(self, "mean", 0.0)?, Dist::Normal),
            Distribution::Bernoulli => {
                let p = scalar(self, "p", 0.5)?;
                let u = self.random(Dist::Uniform, &shape, &seed, key);
                let hit = self.map(Map::Lt, DType::Bool, &[(&u, span), (&p, span)], "`bernoulli`", span)?;
                let whole = |c: &mut Self| {
                    let t = c.to_f32(&hit);
                    c.pointwise(Map::ToI32, &[&t])
                };
                return Ok(Value::Tensor(match scalar_type {
                    DType::Bool => hit,
                    DType::I32 => whole(self)?,
                    DType::F32 => self.to_f32(&hit),
                }));
            }
            Distribution::RandInt => {
                let n = scalar(self, "n", 2.0)?;
                let u = self.random(Dist::Uniform, &shape, &seed, key);
                let scaled = self.map(Map::Mul, DType::F32, &[(&u, span), (&n, span)], "`randint`", span)?;
                let whole = self.pointwise(Map::Floor, &[&scaled])?;
                let index = self.pointwise(Map::ToI32, &[&whole])?;
                return Ok(Value::Tensor(if scalar_type == DType::F32 { self.to_f32(&index) } else { index }));
            }
            Distribution::Zeros | Distribution::Ones | Distribution::Fill => {
                let v = match what {
                    Distribution::Zeros => 0.0,
                    Distribution::Ones => 1.0,
                    _other => self.number_arg(&args, "value", None, span)?,
                };
                self.fill_fits(v, scalar_type, span, ty.span)?;
                return self.plain_fill(v, scalar_type, &shape);
            }
            Distribution::TruncatedNormal
            | Distribution::KaimingUniform
            | Distribution::KaimingNormal
            | Distribution::XavierUniform
            | Distribution::XavierNormal
            | Distribution::Orthogonal => {
                let sizes: Vec<(Label, Size)> = shape.clone();
                match self.initialiser(value, &sizes)? {
                    Init::Normal { mean, std } => (self.constant(std, DType::F32), self.constant(mean, DType::F32), Dist::Normal),
                    Init::Uniform { from, to } => {
                        (self.constant(to - from, DType::F32), self.constant(from, DType::F32), Dist::Uniform)
                    }
                    _ => {
                        return self.fail(Diagnostic::limit(
                            "H0815",
                            span,
                            format!("`{word}` starts parameters; it cannot be drawn"),
                        ));
                    }
                }
            }
        };
        let u = self.random(dist, &shape, &seed, key);
        let scaled = self.map(Map::Mul, DType::F32, &[(&u, span), (&scale, span)], "a draw", span)?;
        Ok(Value::Tensor(self.map(Map::Add, DType::F32, &[(&scaled, span), (&shift, span)], "a draw", span)?))
    }

    /// The kind of element that a draw declares, if its distribution gives such elements.
    fn drawn_type(&mut self, word: &str, what: Distribution, ty: &ast::Type, at: Span) -> Res<DType> {
        let ast::TypeKind::Tensor { scalar, .. } = &ty.kind else { return self.no_type(ty) };
        let want = match scalar {
            None | Some(ast::Scalar::F32) => DType::F32,
            Some(ast::Scalar::I32 | ast::Scalar::Size) => DType::I32,
            Some(ast::Scalar::Bool) => DType::Bool,
        };
        let fits = match what {
            // What they are filled with is looked at where it is known.
            Distribution::Bernoulli | Distribution::Zeros | Distribution::Ones | Distribution::Fill => true,
            Distribution::RandInt => want != DType::Bool,
            Distribution::Normal | Distribution::TruncatedNormal | Distribution::Uniform | Distribution::Orthogonal => {
                want == DType::F32
            }
            Distribution::KaimingUniform | Distribution::KaimingNormal => want == DType::F32,
            Distribution::XavierUniform | Distribution::XavierNormal => want == DType::F32,
        };
        if fits { Ok(want) } else { self.wrong_kind(word, want, at, ty.span) }
    }

    /// A distribution gives elements of another kind than is declared.
    fn wrong_kind<T>(&mut self, word: &str, want: DType, at: Span, declared: Span) -> Res<T> {
        let gives = if word == "randint" { "whole numbers" } else { "real numbers" };
        let message = format!("`{word}` gives {gives}, and {} is declared", want.word());
        let help = match want {
            DType::I32 => "`randint(n)` draws whole numbers below `n`, `bernoulli(p)` 0 or 1",
            DType::Bool => "`bernoulli(p)` draws truth values",
            DType::F32 => "declare `f32`",
        };
        self.fail(Diagnostic::error("H0336", at, message).label(declared, "declared here").help(help))
    }

    /// A number that fills something must be of its kind.
    fn fill_fits(&mut self, v: f64, want: DType, at: Span, declared: Span) -> Res<()> {
        let fits = match want {
            DType::F32 => true,
            DType::I32 => v.fract() == 0.0,
            DType::Bool => v == 0.0 || v == 1.0,
        };
        if fits {
            return Ok(());
        }
        let message = format!("this is {v}, and {} is declared", want.word());
        self.fail(Diagnostic::error("H0336", at, message).label(declared, "declared here"))
    }

    /// An initialiser gives elements of the declared kind.
    pub fn init_fits(&mut self, init: &Init, e: &Expr, ty: &ast::Type) -> Res<()> {
        let want = match &ty.kind {
            ast::TypeKind::Tensor { scalar: Some(ast::Scalar::I32 | ast::Scalar::Size), .. } => DType::I32,
            ast::TypeKind::Tensor { scalar: Some(ast::Scalar::Bool), .. } => DType::Bool,
            _ => DType::F32,
        };
        let word = match &*e.kind {
            ExprKind::Call { callee, .. } => crate::syntax::print_expr(callee),
            _ => "this".to_string(),
        };
        match init {
            Init::Fill(v) => self.fill_fits(*v, want, e.span, ty.span),
            Init::Bernoulli { .. } | Init::Node(_) => Ok(()),
            Init::RandInt { .. } if want != DType::Bool => Ok(()),
            _ if want == DType::F32 => Ok(()),
            Init::RandInt { .. }
            | Init::Normal { .. }
            | Init::TruncatedNormal { .. }
            | Init::Uniform { .. }
            | Init::Orthogonal { .. } => self.wrong_kind(&word, want, e.span, ty.span),
        }
    }

    fn plain_fill(&mut self, v: f64, dtype: DType, shape: &[(Label, Size)]) -> Res<Value<'a>> {
        let t = self.constant(v, dtype);
        let labels = shape.iter().map(|(l, _)| *l).collect();
        let axes = shape.iter().enumerate().map(|(i, (l, s))| self.axes.axis(*l, &format!("d{i}"), s.clone())).collect();
        Ok(Value::Tensor(self.copy(&t, labels, axes, vec![])))
    }

    /// Labels and extents of a draw: `*` are the axes that the call is lifted over.
    fn draw_shape(&mut self, ty: &'a ast::Type) -> Res<Vec<(Label, Size)>> {
        let ast::TypeKind::Tensor { axes, .. } = &ty.kind else {
            return self.no_type(ty);
        };
        let mut out: Vec<(Label, Size)> = vec![];
        // Nets of an array draw for themselves.
        let arrays: Vec<NameId> = self
            .scopes
            .frame()
            .picks
            .iter()
            .filter_map(|(a, p)| matches!(p, super::value::Pick::Name(n) if n == a).then_some(*a))
            .collect();
        for a in arrays {
            out.push((Label::Named(a), self.axes.size_of(a)));
        }
        for axis in axes {
            match axis {
                ast::AxisExpr::Lifted(_) => {
                    for n in self.scopes.frame().lifted.clone() {
                        if !out.iter().any(|(l, _)| *l == Label::Named(n)) {
                            out.push((Label::Named(n), self.axes.size_of(n)));
                        }
                    }
                }
                ast::AxisExpr::Expr(e) => out.push(self.declared_axis(e)?),
            }
        }
        Ok(out)
    }

    fn random(&mut self, dist: Dist, shape: &[(Label, Size)], seed: &Tens, key: u32) -> Tens {
        // A seed that varies over names gives each of them numbers of its own; the position counts the written axes.
        let mut shape = shape.to_vec();
        for n in seed.names().collect::<Vec<_>>() {
            if !shape.iter().any(|(l, _)| *l == Label::Named(n)) {
                shape.push((Label::Named(n), self.axes.size_of(n)));
            }
        }
        let labels: Vec<Label> = shape.iter().map(|(l, _)| *l).collect();
        let axes: Vec<Axis> =
            shape.iter().enumerate().map(|(i, (l, s))| self.axes.axis(*l, &format!("d{i}"), s.clone())).collect();
        let subscripts = seed.labels.iter().map(|l| labels.iter().position(|x| x == l).expect("joined")).collect();
        let round = match self.build.rounds(self.build.level()) {
            Some(r) => r.round,
            None => self.constant(0.0, DType::I32).node,
        };
        let uses = vec![Operand::new(self.build.node(seed), subscripts), Operand::new(round, vec![])];
        self.emit(Node::new(Op::Random { dist, key }, DType::F32, axes), labels, uses)
    }
}

/// Normal or uniform of one standard deviation.
fn spread(uniform: bool, std: f64) -> Init {
    if uniform {
        let b = std * 3f64.sqrt();
        Init::Uniform { from: -b, to: b }
    } else {
        Init::Normal { mean: 0.0, std }
    }
}

/// FNV-1a of a text (Fowler, Noll, Vo), 32 bits.
pub fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}
