//! What a file says of itself: the page of a module.
//!
//! In: a text and its tree. Out: Markdown with the `//!` lines, then every net, function and constant as it is written, with its `///` lines, and
//! what a net stores.

mod stored;

use super::ast::{File, Item, ItemKind, StmtKind};
use crate::source::Span;

/// A page about a file.
pub fn page(title: &str, text: &str, file: &File) -> String {
    let mut out = format!("# {title}\n");
    if let Some(doc) = &file.doc {
        out.push_str(&format!("\n{}\n", about(doc, title)));
    }
    for item in &file.items {
        if let Some(head) = head(text, item) {
            out.push_str(&format!("\n```text\n{head}\n```\n"));
            out.push_str(&below(text, item));
        }
    }
    out
}

/// The page of one net or function of a file, where it has one of this name.
pub fn entry(name: &str, text: &str, file: &File) -> Option<String> {
    let item = file.items.iter().find(|i| word(i) == Some(name))?;
    Some(format!("{}\n{}", head(text, item)?, below(text, item)))
}

/// What stands below the head of an item: its `///` lines, and of a net what it stores.
fn below(text: &str, item: &Item) -> String {
    let doc = item.doc.as_ref().map(|doc| doc.trim().to_string());
    let stored = if let ItemKind::Net(net) = &item.kind { stored::stored(text, net) } else { None };
    doc.into_iter().chain(stored).map(|part| format!("\n{part}\n")).collect()
}

/// The names of a file's nets and functions.
pub fn names(file: &File) -> Vec<&str> {
    file.items.iter().filter_map(word).collect()
}

/// What a file says first: its first sentence, without its own name.
pub fn summary(title: &str, file: &File) -> String {
    let all = file.doc.as_ref().map_or(String::new(), |doc| about(doc, title).replace('\n', " "));
    let end = all.find(". ").map_or(all.len(), |k| k + 1);
    all[..end].to_string()
}

/// The `//!` lines, without `std.moe — ` in front.
fn about(doc: &str, title: &str) -> String {
    let doc = doc.trim();
    doc.strip_prefix(title).map_or(doc, |rest| rest.trim_start_matches([' ', '—'])).to_string()
}

fn word(item: &Item) -> Option<&str> {
    match &item.kind {
        ItemKind::Net(net) => Some(&net.name.name),
        ItemKind::Fn(f) => Some(&f.name.name),
        ItemKind::Import(_)
        | ItemKind::Dim { .. }
        | ItemKind::Const(_)
        | ItemKind::ConstDraw(_)
        | ItemKind::Model(_)
        | ItemKind::Form(_)
        | ItemKind::Weights(_)
        | ItemKind::Train(_)
        | ItemKind::Eval(_) => None,
    }
}

/// An item as it is written, without its body.
fn head(text: &str, item: &Item) -> Option<String> {
    let slice = |from: u32, to: u32| text.get(from as usize..to as usize).unwrap_or_default().trim().to_string();
    let between = |span: Span| slice(span.start, span.end);
    match &item.kind {
        ItemKind::Net(net) => {
            let whole = between(item.span);
            let name = whole.split('{').next().unwrap_or_default().trim().to_string();
            let signature = net.members.iter().find_map(|s| match &s.kind {
                StmtKind::Signature(signature) => Some(between(signature.span)),
                _ => None,
            });
            Some(signature.map_or(name.clone(), |s| format!("{name}\n    {s}")))
        }
        ItemKind::Fn(f) => Some(slice(item.span.start, f.signature.body.span.start)),
        ItemKind::Const(_) => Some(between(item.span)),
        ItemKind::Import(_)
        | ItemKind::Dim { .. }
        | ItemKind::ConstDraw(_)
        | ItemKind::Model(_)
        | ItemKind::Form(_)
        | ItemKind::Weights(_)
        | ItemKind::Train(_)
        | ItemKind::Eval(_) => None,
    }
}
