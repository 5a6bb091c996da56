//! `with adam(lr: 1e-3)`: which rule, and its settings.
//!
//! The table is all that is said of an optimizer's arguments; what each does stands in `train::rule`.

use super::blocks::Near;
use crate::check::model::{Method, Optimizer};
use crate::check::value::Value;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::syntax::ast::{Expr, ExprKind, Ident};

/// An optimizer of the language: its word, its rule, the learning rate that it has without a word, and its other settings with
/// what they are without a word. All conventions are PyTorch's.
pub struct Row {
    pub word: &'static str,
    pub method: Method,
    pub rate: f64,
    pub settings: &'static [(&'static str, f64)],
}

/// All optimizers.
pub const OPTIMIZERS: &[Row] = &[
    Row {
        word: "sgd",
        method: Method::Sgd,
        rate: 1e-3,
        settings: &[("momentum", 0.0), ("dampening", 0.0), ("nesterov", 0.0), ("decay", 0.0), ("decay_all", 0.0)],
    },
    Row {
        word: "adam",
        method: Method::Adam,
        rate: 1e-3,
        settings: &[("beta1", 0.9), ("beta2", 0.999), ("eps", 1e-8), ("decay", 0.0), ("decay_all", 0.0)],
    },
    Row {
        word: "adamw",
        method: Method::AdamW,
        rate: 1e-3,
        settings: &[("beta1", 0.9), ("beta2", 0.999), ("eps", 1e-8), ("decay", 1e-2), ("decay_all", 0.0)],
    },
    Row {
        word: "rmsprop",
        method: Method::RmsProp,
        rate: 1e-2,
        settings: &[("alpha", 0.99), ("eps", 1e-8), ("momentum", 0.0), ("centered", 0.0), ("decay", 0.0), ("decay_all", 0.0)],
    },
    Row {
        word: "adagrad",
        method: Method::Adagrad,
        rate: 1e-2,
        settings: &[("eps", 1e-10), ("initial", 0.0), ("decay", 0.0), ("decay_all", 0.0)],
    },
    Row {
        word: "lion",
        method: Method::Lion,
        rate: 1e-4,
        settings: &[("beta1", 0.9), ("beta2", 0.99), ("decay", 0.0), ("decay_all", 0.0)],
    },
    Row {
        word: "muon",
        method: Method::Muon,
        rate: 1e-3,
        settings: &[("momentum", 0.95), ("nesterov", 1.0), ("eps", 1e-7), ("rounds", 5.0), ("decay", 0.1), ("decay_all", 0.0)],
    },
];

/// Settings that are true or false.
const TRUTHS: &[&str] = &["nesterov", "centered", "decay_all"];

/// Settings that lie in 0..1, the end left out.
const FACTORS: &[&str] = &["beta1", "beta2", "alpha", "momentum", "dampening"];

impl<'a> Checker<'a> {
    /// `adam`, `adam(lr: 1e-3)`
    pub(super) fn optimizer(&mut self, e: &'a Expr) -> Res<Optimizer> {
        let (word, at, args): (_, _, &'a [_]) = match &*e.kind {
            ExprKind::Name(word) => (word, e.span, &[]),
            ExprKind::Call { callee, args } => match &*callee.kind {
                ExprKind::Name(word) => (word, callee.span, args),
                _ => return self.no_optimizer(e),
            },
            _ => return self.no_optimizer(e),
        };
        let Some(row) = OPTIMIZERS.iter().find(|r| *r.word == **word) else {
            let words: Vec<&str> = OPTIMIZERS.iter().map(|r| r.word).collect();
            let d = Diagnostic::error(Code::H0201, at, format!("no optimizer is called `{word}`"));
            return self.fail(d.near(&Ident { name: word.clone(), span: at }, &words, ""));
        };
        let mut settings = row.settings.to_vec();
        let mut rate = None;
        for (n, arg) in args.iter().enumerate() {
            let name = match &arg.name {
                Some(name) => name.clone(),
                // The learning rate is what comes first everywhere.
                None if n == 0 => Ident { name: "lr".into(), span: arg.value.span },
                None => {
                    let d = Diagnostic::error(Code::H0333, arg.value.span, "the settings of an optimizer have names");
                    return self.fail(d.help("as in `adam(lr: 1e-3, beta1: 0.9)`"));
                }
            };
            if &*name.name == "lr" {
                rate = Some(self.rate(&arg.value)?);
                continue;
            }
            let own = if &*name.name == "weight_decay" { "decay" } else { &*name.name };
            let Some(place) = settings.iter().position(|(word, _)| *word == own) else {
                let words: Vec<&str> = ["lr"].into_iter().chain(row.settings.iter().map(|s| s.0)).collect();
                let d = Diagnostic::error(Code::H0333, name.span, format!("`{}` has no argument `{}`", row.word, name.name));
                return self.fail(match (&*name.name, settings.iter().any(|s| s.0 == "beta1")) {
                    ("learning_rate" | "rate", _) => d.fix("it is called `lr`", name.span, "lr"),
                    ("betas", true) => d.help("they are two settings: `beta1: 0.9, beta2: 0.999`"),
                    _ => d.near(&name, &words, ""),
                });
            };
            settings[place].1 = self.setting(settings[place].0, &arg.value)?;
        }
        let rate = match rate {
            Some(rate) => rate,
            None => self.constant(row.rate, crate::ir::DType::F32).node,
        };
        Ok(Optimizer { method: row.method, rate, settings, span: e.span })
    }

    fn no_optimizer<T>(&mut self, e: &Expr) -> Res<T> {
        let d = Diagnostic::error(Code::H0201, e.span, "this is no optimizer");
        self.fail(d.help("`with adam(lr: 1e-3)`; there are also sgd, adamw, rmsprop, adagrad, lion and muon"))
    }

    /// A number or truth value that is known here.
    fn setting(&mut self, name: &'static str, e: &'a Expr) -> Res<f64> {
        let truth = TRUTHS.contains(&name);
        let value = match self.expr(e)? {
            Value::Bool(b) if truth => return Ok(f64::from(u8::from(b))),
            Value::Num(n) if !truth => n.known(),
            _ => None,
        };
        let fits = |v: &f64| v.is_finite() && *v >= 0.0 && (!FACTORS.contains(&name) || *v < 1.0);
        match value.filter(fits) {
            Some(v) => Ok(v),
            None => {
                let wanted = match (truth, FACTORS.contains(&name)) {
                    (true, _) => "`true` or `false`",
                    (_, true) => "a number from 0 to 1, 1 left out, that is known here",
                    _ => "a number that is not negative and known here",
                };
                let d = Diagnostic::error(Code::H0723, e.span, format!("`{name}` is {wanted}"));
                self.fail(d.help("only the learning rate may change with `step`"))
            }
        }
    }
}
