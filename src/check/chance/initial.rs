//! What parameters start from.

use super::distribution::{Chosen, Given, OF};
use super::fans::Keeps;
use super::{Random, fnv};
use crate::check::builtin::{self, Distribution};
use crate::check::kind::{elements, kind_of};
use crate::check::model::{Columns, Init};
use crate::check::value::{Label, Tens, Value};
use crate::check::word::Meaning;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic, suggest};
use crate::ir::{Axis, DType, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind};

impl<'a> Checker<'a> {
    /// What a parameter starts from.
    pub fn initialiser(&mut self, e: &'a Expr, shape: &[(Label, Size)]) -> Res<Init> {
        let Some(Chosen { word, what, args }) = self.distribution(e)? else {
            if let ExprKind::Call { callee, .. } = &*e.kind
                && let ExprKind::Name(word) = &*callee.kind
                && matches!(self.meaning(word), Meaning::Nothing)
                && builtin::find(word).is_none()
            {
                let mut d = Diagnostic::error(Code::H0510, callee.span, format!("`{word}` is no initialiser"));
                let known: Vec<&str> = builtin::all().map(|f| f.word).filter(|w| builtin::distribution(w).is_some()).collect();
                if let Some(said) = crate::check::habit::of_word(d.clone(), word, callee.span) {
                    return self.fail(said);
                }
                d = match suggest(word, known.iter().copied()) {
                    Some(near) => d.meant(word, callee.span, near),
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
            if v > 0.0 { Ok(v) } else { c.error(Code::H0509, e.span, format!("`{what}` is {v}; it must be positive")) }
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
                Init::spread(what == Distribution::KaimingUniform, std)
            }
            Distribution::XavierUniform | Distribution::XavierNormal => {
                let (i, o) = (arg(self, "fan_in", fan(self, 2))?, arg(self, "fan_out", fan(self, 1))?);
                let sum = if i + o == 0.0 { 1.0 } else { positive(self, i + o, "fan_in + fan_out")? };
                Init::spread(what == Distribution::XavierUniform, arg(self, "gain", Some(1.0))? * (2.0 / sum).sqrt())
            }
            Distribution::Orthogonal => Init::Orthogonal { gain: arg(self, "gain", Some(1.0))? },
            Distribution::Eye if shape.len() < 2 => {
                return self.error(Code::H0509, e.span, "`eye` starts a matrix, and this has fewer than two sizes");
            }
            Distribution::Eye => Init::Eye { gain: arg(self, "gain", Some(1.0))? },
            Distribution::Hyperfan { forward, uniform } => {
                let keeps = if forward { Keeps::In } else { Keeps::Out };
                Init::Columns { parts: self.hyperfan(&args, shape, keeps, e.span)?, uniform }
            }
            Distribution::Exponential | Distribution::Gumbel | Distribution::Gamma | Distribution::Beta => {
                return self.initial_draw(word, what, &args, shape, e.span);
            }
            Distribution::Dirichlet | Distribution::Categorical | Distribution::Choose | Distribution::Permutation => {
                return self.initial_draw(word, what, &args, shape, e.span);
            }
        })
    }

    /// The columns of a layer that writes other parameters.
    fn hyperfan(&mut self, args: &Given<'a>, shape: &[(Label, Size)], keeps: Keeps, span: Span) -> Res<Vec<Columns>> {
        let Some((_, Value::Tree(tree), at)) = args.iter().find(|(name, _, _)| *name == OF) else {
            return self.error(Code::H0509, span, "`of` is missing: what the layer writes, `target.*` say");
        };
        let [.., (_, width), (_, columns)] = shape else {
            return self.error(
                Code::H0509,
                span,
                "this starts the matrix of a layer, and the parameter has fewer than two sizes",
            );
        };
        let total = self.tree_len(tree);
        if !self.axes.same(&total, columns) {
            let (has, wants) = (self.axes.show_size(columns), self.axes.show_size(&total));
            let message = format!("the layer gives {has} numbers, and what it writes takes {wants}");
            return self.fail(Diagnostic::error(Code::H0509, *at, message).here("what it writes"));
        }
        let Some(width) = self.axes.resolve(width).number() else { return self.unknown(span, "the width of the layer") };
        let variance = self.number_arg(args, "variance", Some(1.0), span)?;
        let gain = self.number_arg(args, "gain", Some(std::f64::consts::SQRT_2), span)?;
        if variance.is_nan() || variance <= 0.0 {
            return self.error(Code::H0509, span, format!("`variance` is {variance}; it must be positive"));
        }
        self.columns(tree, keeps, gain * gain / (width.max(1.0) * variance), *at)
    }

    /// A draw that a parameter starts from: computed from the seed like all draws.
    fn initial_draw(
        &mut self,
        word: &str,
        what: Distribution,
        args: &Given<'a>,
        shape: &[(Label, Size)],
        span: Span,
    ) -> Res<Init> {
        let path = format!("{}:{word}", self.scopes.frame().path);
        let count = self.draws.call(&path);
        let random = Random { shape: shape.to_vec(), seed: self.run_seed(), key: fnv(&format!("{path}#{count}")) };
        if what == Distribution::Choose {
            let t = self.one_of(args, None, &random, span)?;
            return self.init_node(t, shape);
        }
        match self.shaped(what, args, DType::I32, &random, span)? {
            Some(t) => self.init_node(t, shape),
            None => self.report.bug(span, "a draw that nobody makes"),
        }
    }

    /// An initialiser that is computed: a node of the parameter's shape.
    pub fn init_node(&mut self, t: Tens, shape: &[(Label, Size)]) -> Res<Init> {
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
            return self.error(
                Code::H0510,
                span,
                format!("this initialiser is {}, which does not fit the parameter", self.show(&t)),
            );
        };
        Ok(Init::Node(self.copy(&t, labels, axes, subscripts).node))
    }

    /// An initialiser gives elements of the declared kind.
    pub fn init_fits(&mut self, init: &Init, e: &Expr, ty: &ast::Type) -> Res<()> {
        let want = elements(kind_of(ty));
        let word = match &*e.kind {
            ExprKind::Call { callee, .. } => crate::syntax::print_expr(callee),
            _ => "this".to_string(),
        };
        match init {
            Init::Fill(v) => self.fill_fits(*v, want, e.span, ty.span),
            Init::Bernoulli { .. } => Ok(()),
            Init::Node(node) => {
                let own = Tens { level: 0, node: *node, labels: vec![], dtype: self.build.graph(0).node(*node).dtype };
                self.scalar_kind(own, kind_of(ty), e.span, ty.span).map(|_| ())
            }
            Init::RandInt { .. } if want != DType::Bool => Ok(()),
            Init::Eye { gain } => self.fill_fits(*gain, want, e.span, ty.span),
            _ if want == DType::F32 => Ok(()),
            Init::RandInt { .. }
            | Init::Normal { .. }
            | Init::TruncatedNormal { .. }
            | Init::Uniform { .. }
            | Init::Orthogonal { .. }
            | Init::Columns { .. } => self.wrong_kind(&word, want, e.span, ty.span),
        }
    }

    /// A distribution gives elements of another kind than is declared.
    pub(super) fn wrong_kind<T>(&mut self, word: &str, want: DType, at: Span, declared: Span) -> Res<T> {
        let gives = if word == "randint" { "whole numbers" } else { "real numbers" };
        let message = format!("`{word}` gives {gives}, and {} is declared", want.word());
        let help = match want {
            DType::I32 => "`randint(n)` draws whole numbers below `n`, `bernoulli(p)` 0 or 1",
            DType::Bool => "`bernoulli(p)` draws truth values",
            DType::F32 => "declare `f32`",
        };
        self.fail(Diagnostic::error(Code::H0336, at, message).label(declared, "declared here").help(help))
    }

    /// A number that fills something must be of its kind.
    pub(super) fn fill_fits(&mut self, v: f64, want: DType, at: Span, declared: Span) -> Res<()> {
        let fits = match want {
            DType::F32 => true,
            DType::I32 => v.fract() == 0.0,
            DType::Bool => v == 0.0 || v == 1.0,
        };
        if fits {
            return Ok(());
        }
        let message = format!("this is {v}, and {} is declared", want.word());
        self.fail(Diagnostic::error(Code::H0336, at, message).label(declared, "declared here"))
    }

    pub(super) fn plain_fill(&mut self, v: f64, dtype: DType, shape: &[(Label, Size)]) -> Res<Value<'a>> {
        let t = self.constant(v, dtype);
        let labels = shape.iter().map(|(l, _)| *l).collect();
        let axes = shape.iter().enumerate().map(|(i, (l, s))| self.axes.axis(*l, &format!("d{i}"), s.clone())).collect();
        Ok(Value::Tensor(self.copy(&t, labels, axes, vec![])))
    }
}
