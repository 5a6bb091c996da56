//! The language as people meet it: texts, messages, documents, and what passes make of a graph. Nothing here runs a model fast.

mod align;
mod docs;
mod examples;
mod gallery;
mod habits;
mod pages;
mod passes;
mod robust;
mod syntax;
mod tidy;
mod ui;
