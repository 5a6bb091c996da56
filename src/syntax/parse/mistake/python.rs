//! Lines and blocks as other languages have them: imports, loops over layers, named arguments, settings of a training script.
//!
//! In: the tokens around the mistake. Out: the message with what stands for it here, and an edit of all that has to change at once.

use super::habit::MODULES;
use crate::diag::Diagnostic;
use crate::source::Span;
use crate::syntax::lex::Kind;
use crate::syntax::parse::{Parser, Scope};

/// What a setting of a training script is here.
pub(super) struct Says {
    help: String,
    edits: Vec<(Span, String)>,
}

impl Says {
    pub(super) fn on(self, d: Diagnostic) -> Diagnostic {
        d.fixes(self.help, self.edits)
    }
}

/// Settings that `with` has, here as arguments of the rule.
const OF_THE_RULE: &[&str] = &["lr", "learning_rate", "weight_decay", "momentum", "betas", "optimizer", "optim"];

impl Parser<'_, '_> {
    /// `Linear(4, 3, bias=False)`: all `=` of the call at once, and truth values as they are written here.
    pub(super) fn named_by_assignment(&self, opener: usize, plain: Diagnostic) -> Diagnostic {
        let (close, depth) = (self.tokens[opener].mate as usize, self.tokens[opener].depth + 1);
        let named = |k: &usize| {
            self.tokens[*k].depth == depth
                && self.tokens[*k].kind == Kind::Assign
                && self.tokens[k - 1].kind == Kind::Name
                && matches!(self.tokens[k - 2].kind, Kind::Comma | Kind::LParen)
        };
        let mut edits = vec![];
        for k in (opener + 2..close.min(self.tokens.len())).filter(named) {
            let (before, value) = (self.tokens[k - 1], self.tokens[k + 1]);
            let alone = matches!(self.tokens[k + 2].kind, Kind::Comma | Kind::RParen);
            let truth = match self.word(k + 1) {
                "True" if alone => Some("true"),
                "False" if alone => Some("false"),
                _ => None,
            };
            let end = if truth.is_some() { value.end } else { value.start };
            edits.push((Span { start: before.end, end, ..self.here() }, format!(": {}", truth.unwrap_or_default())));
        }
        let help = "an argument is named with `:`";
        if edits.is_empty() { plain.help(help) } else { plain.fixes(help, edits) }
    }

    /// `from std.linear import Linear`, `import std.linear`, `import torch`.
    pub(super) fn foreign_import(&self, i: usize, error: Diagnostic) -> Diagnostic {
        let end = self.statement_end(i);
        let line = self.span(i, end);
        let module = self.word(i + 1);
        if MODULES.contains(&module) {
            let says = format!(
                "functions need no import, and the library's nets are `import std.linear {{ Linear }}`: leave `{module}` out"
            );
            return error.fix(says, line, "");
        }
        let help = "write `import std.linear { Linear }`, or `import \"./file.hnet\" { Net }`";
        let path: String = self.text(i + 1, end).split_whitespace().collect();
        let word = (i + 1..end).find(|k| self.word(*k) == "import");
        let (from, names) = match (self.word(i), word) {
            ("from", Some(k)) => (self.text(i + 1, k), self.text(k + 1, end)),
            // `import std.conv.Conv2d`: the name stands last.
            ("import", None) if path.matches('.').count() == 2 && path.starts_with("std.") && !path.contains('{') => {
                (self.text(i + 1, end - 2), self.word(end - 1))
            }
            _ => return error.help(help),
        };
        let names = names.trim_start_matches('(').trim_end_matches(')').trim();
        let plain = !names.is_empty() && names.split(',').all(|n| n.trim().chars().all(|c| c.is_alphanumeric() || c == '_'));
        if !from.starts_with("std.") {
            return error.help(help);
        }
        if !plain {
            return error
                .help(format!("names are imported one by one: `import {from} {{ Name }}`; `hnet doc {from}` shows them"));
        }
        error.fix("write `import .. { .. }`", line, format!("import {from} {{ {names} }}"))
    }

    /// `for layer in layers {`, where `layers` are nets of an array: their number, and each by its place.
    pub(super) fn over_nets(&self, brace: usize, error: Diagnostic) -> Diagnostic {
        let help = "a loop goes through numbers, and its range has both ends, `0..n`; what a value has at each place is `e[i]`, a net of an array `nets[i](x)`";
        let (list, index) = (self.word(brace - 1), self.word(brace - 3));
        if self.tokens[brace - 1].kind == Kind::Number {
            let at = self.span(brace - 1, brace);
            return error.fix("a range has both ends, the second not in it", Span { end: at.start, ..at }, "0..");
        }
        // `sub layers[4] = ..`: a number in brackets.
        let declares = |k: &usize| {
            self.tokens[*k].kind == Kind::Sub
                && self.word(k + 1) == list
                && self.tokens.get(k + 2).is_some_and(|t| t.kind == Kind::LBracket && t.mate as usize == k + 4)
        };
        let mut places = (0..self.tokens.len()).filter(declares);
        let (Some(at), None) = (places.next(), places.next()) else { return error.help(help) };
        let count = self.word(at + 3);
        let mut edits = vec![(self.span(brace - 1, brace), format!("0..{count}"))];
        let end = (self.tokens[brace].mate as usize).min(self.tokens.len());
        for k in (brace + 1..end).filter(|k| self.tokens[*k].kind == Kind::Name && self.word(*k) == index) {
            edits.push((self.span(k, k + 1), format!("{list}[{index}]")));
        }
        error.fixes("a loop goes through numbers, and a net of an array is picked by its own", edits)
    }

    /// `epochs 3`, `batch_size = 16`, `lr = 1e-3`, `loss = ..` in a block.
    pub(super) fn foreign_clause(&self) -> Option<Says> {
        let word = self.word(self.at);
        let train = self.scope == Scope::Train;
        let value = if self.peek(1) == Kind::Assign { self.at + 2 } else { self.at + 1 };
        let end = self.statement_end(self.at);
        let text = self.text(value, end);
        let says = |help: String| Some(Says { help, edits: vec![] });
        match word {
            "epochs" | "epoch" | "num_epochs" | "max_epochs" if train => {
                says("training is counted in steps, `steps 1000`: rows / batch of them take every row once".to_string())
            }
            "batch_size" | "batchsize" | "bs" => {
                let help = "a batch says along which axis: `batch b = 16`";
                // The only dim of the file is the one.
                let dims: Vec<usize> = (1..self.tokens.len()).filter(|k| self.word(k - 1) == "dim").collect();
                let whole = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
                match dims.as_slice() {
                    [dim] if whole => Some(Says {
                        help: help.to_string(),
                        edits: vec![(self.span(self.at, end), format!("batch {} = {text}", self.word(*dim)))],
                    }),
                    _ => says(help.to_string()),
                }
            }
            "loss" | "criterion" | "objective" if train => {
                says("`minimize nll` names a loss of the model, or a sum of losses".to_string())
            }
            "max_steps" | "iterations" | "num_steps" | "step" if train => says("`steps 1000` says how many".to_string()),
            "dataset" | "dataloader" | "train_data" | "load" => {
                says("`data \"rows.safetensors\" { x, label }` names a file and its columns".to_string())
            }
            "scheduler" | "schedule" | "lr_scheduler" | "lr_schedule" if train => {
                says("a rate is an expression of the step: `with adam(lr: 1e-3 * cosine(step / steps))`".to_string())
            }
            "patience" | "early_stopping" if train => {
                says("`validate held every 100 patience 5` looks at the block `eval M as held { .. }`".to_string())
            }
            "ema" | "ema_decay" if train => says("`average 0.999` keeps running means of what learns".to_string()),
            "clip_grad_norm" | "max_grad_norm" | "grad_clip" | "gradient_clip" if train => {
                says("`clip 1.0` is by the norm of all gradients, `clip value 0.5` by each number of them".to_string())
            }
            "gradient_accumulation_steps" | "accumulate_grad_batches" | "grad_accum" if train => {
                says("`accumulate 4` makes a step of four batches".to_string())
            }
            "metrics" | "metric" | "measure" if !train => {
                says("`report accuracy, nll` names outputs and losses that are one number".to_string())
            }
            "freeze" if train => {
                says("who learns is said by `over`: `over * except trunk.*`; `freeze` stands in the model".to_string())
            }
            _ if train && OF_THE_RULE.contains(&word) => {
                says("a rule has its settings in parentheses: `with adam(lr: 1e-3, decay: 0.01)`".to_string())
            }
            _ => None,
        }
    }
}
