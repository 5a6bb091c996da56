//! `sub fc = nn.Linear(4, 2)`: what the library has under the name, where the parser only saw a prefix.
//!
//! In: what was said about a program that cannot be read. Out: the same, where a prefix is to go with the import that the name then wants, so
//! that one edit is all; and without the edit where the name means another net here, or none.

use super::habit;
use super::library::{Wanted, exports, import_of};
use crate::diag::{Code, Diagnostic, Help};
use crate::program::{Loaded, Program};
use crate::syntax::ast::ItemKind;

/// Completes the advice about prefixes.
pub fn without_prefix(program: &Program, found: &mut [Diagnostic]) {
    for d in found.iter_mut().filter(|d| d.code == Code::H0132) {
        let Some(file) = d.primary.as_ref().and_then(|l| program.files.iter().find(|f| f.id == l.span.file)) else { continue };
        if let Some(help) = d.help.as_mut() {
            complete(file, help);
        }
    }
}

fn complete(file: &Loaded, help: &mut Help) {
    let [(span, new)] = help.edits.as_slice() else { return };
    let text = |from: u32, to: u32| file.text.get(from as usize..to as usize).unwrap_or("");
    let prefix = text(span.start, span.end);
    if !new.is_empty() || !prefix.ends_with('.') || !habit::MODULES.contains(&prefix.split('.').next().unwrap_or("")) {
        return;
    }
    let word: String =
        text(span.end, file.text.len() as u32).chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    if is_own(file, &word) {
        help.text = "a net has no prefix: it is called by its name alone".to_string();
        return;
    }
    if let Some(says) = habit::of_net(&word) {
        *help = Help { text: says.to_string(), edits: vec![] };
        return;
    }
    let nets: Vec<_> = exports().iter().filter(|e| e.is(Wanted::Net(&[])) && e.name() == word).collect();
    match nets.as_slice() {
        [one] => {
            help.text = format!("a net has no prefix, and the library has it: {}", one.shown());
            help.edits.extend(import_of(file, one.module, &word));
        }
        _ => {
            let text = format!(
                "a net of the library is imported and has no prefix, and none of them is called `{word}`: `hnet doc` shows what there is"
            );
            *help = Help { text, edits: vec![] };
        }
    }
}

/// Whether a file has a net of this name, or imports something that is called so.
fn is_own(file: &Loaded, word: &str) -> bool {
    file.ast.items.iter().any(|item| match &item.kind {
        ItemKind::Import(import) => import.names.iter().any(|n| *n.name == *word),
        ItemKind::Net(def) => *def.name.name == *word,
        _ => false,
    })
}
