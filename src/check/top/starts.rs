//! What parameters start from is there before any data, and does not go in a circle.

use crate::check::Checker;
use crate::diag::{Code, Diagnostic};
use crate::ir::Origin;

impl Checker<'_> {
    /// Looks at the initialisers of a whole model that are computed.
    pub(super) fn starts(&mut self) {
        let model = &self.out.model;
        let mut said = vec![];
        for (k, param) in model.params.iter().enumerate() {
            let of_a_run = |(origin, _): &&(Origin, String)| matches!(origin, Origin::Input | Origin::Condition);
            if let Some((_, name)) = model.starts_from(k).iter().find(of_a_run) {
                let message = format!("`{}` starts from `{name}`, which only a run knows", param.path);
                let d = Diagnostic::error(Code::H0510, param.span, message).here("it begins before there are data");
                said.push(d.help("what a run decides writes a parameter by a relation: `generate w from ..`"));
            }
        }
        if let Err(circle) = model.beginning() {
            let of = |k: &usize| &model.params[*k];
            let path: Vec<String> = circle.iter().chain(&circle[..1]).map(|k| format!("`{}`", of(k).path)).collect();
            let message = format!("parameters start from themselves: {}", path.join(" needs "));
            let mut d = Diagnostic::error(Code::H0405, of(&circle[0]).span, message).here("declared here");
            for k in circle.iter().skip(1).take(8) {
                d = d.label(of(k).span, format!("`{}` too", of(k).path));
            }
            said.push(d.help("one of them must be drawn, `= normal()` say"));
        }
        for d in said {
            self.report.say(d);
        }
    }
}
