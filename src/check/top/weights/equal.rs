//! A block without lines: tensors whose names are those of parameters.

use super::Checker;
use crate::check::model::weights::{How, Move, Places};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use std::collections::HashMap;

impl Checker<'_> {
    /// Each tensor of the shelf that is called as a parameter is, of one net or of several.
    pub(super) fn equal_names(&mut self, span: Span, shelf: usize) {
        let mut ends: HashMap<String, Vec<usize>> = HashMap::new();
        for (k, p) in self.out.model.params.iter().enumerate() {
            ends.entry(last(&p.path).to_string()).or_default().push(k);
        }
        let shelves = self.reading.shelves.clone();
        let prefix = self.reading.prefix.clone();
        for (name, listed) in &shelves[shelf].tensors {
            let Some(own) = name.strip_prefix(&prefix) else { continue };
            let params = ends.get(last(own)).map_or(&[][..], |l| l);
            let found = params.iter().find_map(|k| Some((*k, numbers(&self.out.model.params[*k].path, own)?)));
            let Some((param, numbers)) = found else { continue };
            let p = &self.out.model.params[param];
            let sizes: Option<Vec<usize>> = p.shape.iter().map(|s| usize::try_from(s.constant()?).ok()).collect();
            let Some(sizes) = sizes else {
                let _: crate::check::Res<()> = self.unknown(span, &format!("every size of `{}`", p.path));
                return;
            };
            let net = |(k, n): (usize, &usize)| numbers.get(k).copied().flatten().map_or(Places::all(*n), Places::At);
            let part: Vec<Places> = sizes.iter().enumerate().map(net).collect();
            let beyond = part.iter().zip(&sizes).any(|(p, n)| matches!(p, Places::At(k) if k >= n));
            if beyond {
                continue;
            }
            let how = How::Stored { transposed: false };
            let one = Move { shelf, line: span, param, part, how, names: vec![name.clone()] };
            if one.shape() == listed.shape && listed.kind.is_some() {
                self.reading.out.moves.push(one);
                continue;
            }
            let p = &self.out.model.params[param];
            let message = format!("`{name}` in `{}` does not fit `{}`", shelves[shelf].name, p.path);
            let d = Diagnostic::error(Code::H0615, span, message)
                .label(p.span, "declared here")
                .note(format!("the file has    {}", listed.text))
                .note(format!("the model wants {}", crate::ir::type_text(p.dtype.word(), &one.shape())));
            self.report.say(d.help(format!("say how it lies: `{{ \"{name}\" -> {} transposed }}`", p.path)));
            self.reading.out.failed = true;
        }
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// The numbers that a name has where the path has stars, or none where the array is stacked.
fn numbers(path: &str, name: &str) -> Option<Vec<Option<usize>>> {
    fn rest(path: &[&str], name: &[&str], out: &mut Vec<Option<usize>>) -> bool {
        match (path.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((&"*", path)), name_all) => {
                if let Some((first, after)) = name_all
                    && let Ok(n) = first.parse::<usize>()
                    && first.len() < 10
                {
                    out.push(Some(n));
                    if rest(path, after, out) {
                        return true;
                    }
                    out.pop();
                }
                out.push(None);
                if rest(path, name, out) {
                    return true;
                }
                out.pop();
                false
            }
            (Some((a, path)), Some((b, name))) => a == b && rest(path, name, out),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
    let mut out = vec![];
    let (path, name): (Vec<&str>, Vec<&str>) = (path.split('.').collect(), name.split('.').collect());
    rest(&path, &name, &mut out).then_some(out)
}
