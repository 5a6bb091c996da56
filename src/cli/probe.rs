//! `hnet run --probe PATH`: values on the way are shown like outputs.

use super::open::{self, Opened};
use super::talk::{Exit, Talk};
use crate::diag::{Code, Diagnostic, suggest};
use crate::exec::probe;

/// Makes outputs of the values that shall be shown.
pub fn add(opened: &mut Opened, paths: &[String], talk: Talk) -> Result<(), Exit> {
    if paths.is_empty() {
        return Ok(());
    }
    open::once_each("--probe", paths)?;
    match probe::with(&opened.model, paths) {
        Ok(model) => opened.model = model,
        Err(path) => {
            let places = probe::places(&opened.model);
            let d = Diagnostic::plain(Code::H0612, format!("`{}` has no value `{path}`", opened.model.name));
            let last = path.rsplit('.').next().unwrap_or(&path);
            if probe::in_rounds(&opened.model.graph).contains(last) {
                let d = d.note(format!("`{last}` stands in a loop, where each round has another one"));
                let help = format!("give it back, `let each[i] = for i in .. {{ ..; yield {last} }}`, and show that");
                return Err(opened.fail(talk, &[d.help(help)]));
            }
            let d = d.note("what a `let` calls one tensor has a name; of several results `let low = h.low` gives a part one");
            let d = match suggest(&path, places.keys().map(String::as_str)) {
                Some(near) => d.help(format!("there is `{near}`")),
                None if places.is_empty() => d.help("nothing in it has a name: `let h = ..` gives one"),
                None => {
                    let known: Vec<&str> = places.keys().map(String::as_str).take(24).collect();
                    d.help(format!("it has {}", known.join(", ")))
                }
            };
            return Err(opened.fail(talk, &[d]));
        }
    }
    Ok(())
}
