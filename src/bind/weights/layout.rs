//! Tensors under the names of another layout.
//!
//! In: the lines of a block that writes, each with a value that has an axis for each number in the name. Out: a tensor for each name; and
//! what PEFT wants to know of an adapter.

use crate::bind::params::unravel;
use crate::check::Pattern;
use crate::check::model::weights::Written;
use crate::diag::{Code, Diagnostic};
use crate::ir::Tensor;
use crate::source::Span;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A tensor for each name that the lines make; sorted. Errors: two have one name.
pub fn names<'a>(
    lines: impl Iterator<Item = (&'a Written, &'a Tensor)>,
    block: Span,
) -> Result<Vec<(String, Tensor)>, Diagnostic> {
    let mut out: BTreeMap<String, (Tensor, Span)> = BTreeMap::new();
    for (line, tensor) in lines {
        let Ok(pattern) = Pattern::read(&line.pattern) else { continue };
        let (lead, rest) = tensor.shape.split_at(line.numbers);
        let each: usize = rest.iter().product();
        for n in 0..lead.iter().product() {
            let numbers = pattern.words().into_iter().zip(unravel(n, lead)).map(|(w, k)| (w, k as i64)).collect();
            let Some(name) = pattern.names(&numbers).pop() else { continue };
            let part = Tensor::new(rest.to_vec(), tensor.data.slice(n * each..(n + 1) * each));
            if let Some((_, first)) = out.insert(name.clone(), (part, line.span)) {
                let d = Diagnostic::error(Code::H0619, line.span, format!("`{name}` is written twice"));
                return Err(d.here("by this line").label(first, "and by this one"));
            }
        }
    }
    if out.is_empty() {
        return Err(Diagnostic::error(Code::H0629, block, "this block writes nothing"));
    }
    Ok(out.into_iter().map(|(name, (t, _))| (name, t)).collect())
}

/// An adapter of low rank as PEFT stores it.
pub struct Adapter {
    /// Rank by module.
    ranks: BTreeMap<String, usize>,
}

impl Adapter {
    /// What tensors are, if all of them are `base_model.model.PATH.lora_A.weight` and `lora_B.weight` in pairs.
    pub fn of(named: &[(String, Tensor)]) -> Option<Adapter> {
        let mut found: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
        for (name, t) in named {
            let path = name.strip_prefix("base_model.model.")?;
            let (module, side) = match (path.strip_suffix(".lora_A.weight"), path.strip_suffix(".lora_B.weight")) {
                (Some(module), _) => (module, 0),
                (None, Some(module)) => (module, 1),
                (None, None) => return None,
            };
            found.entry(module).or_default()[side] = *t.shape.get(side).filter(|_| t.shape.len() == 2)?;
        }
        let paired = found.values().all(|[a, b]| a == b);
        (paired && !found.is_empty()).then(|| Adapter { ranks: found.into_iter().map(|(m, r)| (m.to_string(), r[0])).collect() })
    }

    /// The rank that most modules have.
    pub fn rank(&self) -> usize {
        let count = |r: &usize| (self.ranks.values().filter(|o| *o == r).count(), std::cmp::Reverse(*r));
        self.ranks.values().copied().max_by_key(count).unwrap_or(0)
    }

    /// `adapter_config.json`: alpha is the rank, so that the factor is 1 and what is written is what is added.
    pub fn config(&self) -> String {
        let last = |m: &String| m.rsplit('.').next().unwrap_or(m).to_string();
        let modules: BTreeSet<String> = self.ranks.keys().map(last).collect();
        let rank = self.rank();
        let others: BTreeMap<&String, usize> = self.ranks.iter().filter(|(_, r)| **r != rank).map(|(m, r)| (m, *r)).collect();
        let config = json!({
            "peft_type": "LORA",
            "base_model_name_or_path": null,
            "task_type": null,
            "inference_mode": true,
            "r": rank,
            "lora_alpha": rank,
            "lora_dropout": 0.0,
            "bias": "none",
            "fan_in_fan_out": false,
            "use_rslora": false,
            "use_dora": false,
            "target_modules": modules,
            "rank_pattern": others,
            "alpha_pattern": others,
        });
        format!("{config:#}\n")
    }
}
