//! Items, and the clauses of `train` and `eval`.

use super::Printer;
use super::expr::{FREE, OR, SUM};
use crate::syntax::ast::{
    BatchItem, Clause, ClauseKind, Expr, ExprKind, File, FormalKind, Ident, Import, ImportFrom, Item, ItemKind, NetDef,
    Reduction, SetItem, TrainDef,
};

impl Printer {
    /// The whole file.
    pub(super) fn file(&mut self, file: &File) {
        for text in file.doc.iter().flat_map(|d| d.split('\n')) {
            self.put(if text.is_empty() { "//!" } else { "//! " });
            self.put(text);
            self.put("\n");
        }
        let mut before: Option<&Item> = None;
        for item in &file.items {
            let blank = before.map_or(file.doc.is_some(), |b| {
                !(is_short(b) && is_short(item) && is_import(b) == is_import(item)) || item.doc.is_some()
            });
            if blank {
                self.put("\n");
            }
            self.doc(item.doc.as_ref());
            self.item(&item.kind);
            self.put("\n");
            before = Some(item);
        }
    }

    /// One item.
    fn item(&mut self, kind: &ItemKind) {
        match kind {
            ItemKind::Import(import) => self.import(import),
            ItemKind::Dim { name, size } => {
                self.put("dim ");
                self.put(&name.name);
                if let Some(size) = size {
                    self.equals(size);
                }
            }
            ItemKind::Const(list) => self.consts(list),
            ItemKind::ConstDraw(draw) => self.const_draw(draw),
            ItemKind::Fn(function) => {
                self.put("fn ");
                self.put(&function.name.name);
                self.signature(&function.signature);
            }
            ItemKind::Net(net) => self.net(net),
            ItemKind::Model(model) => {
                self.put("model ");
                self.put(&model.name.name);
                self.put(" ");
                self.statements(&model.body.stmts);
            }
            ItemKind::Form(sub) => self.sub(sub),
            ItemKind::Weights(weights) => self.weights(weights),
            ItemKind::Train(train) => self.train(train),
            ItemKind::Eval(eval) => {
                self.put("eval ");
                self.put(&eval.model.name);
                self.word(" as ", eval.phase.as_ref());
                self.put(" ");
                self.clauses(&eval.clauses);
            }
        }
    }

    /// `import std.moe { Moe }`
    fn import(&mut self, import: &Import) {
        self.put("import ");
        match &import.from {
            ImportFrom::Library(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    self.put(if i > 0 { "." } else { "" });
                    self.put(&part.name);
                }
            }
            ImportFrom::File { path, .. } => self.quoted(path),
        }
        self.put(" { ");
        self.commas(&import.names, |p, name| p.put(&name.name));
        self.put(" }");
    }

    /// `net Linear(i, o) { .. }`
    fn net(&mut self, net: &NetDef) {
        self.put("net ");
        self.put(&net.name.name);
        self.put("(");
        self.commas(&net.formals, |p, formal| {
            p.put(&formal.name.name);
            p.formal_kind(&formal.kind);
            if let Some(default) = &formal.default {
                p.equals(default);
            }
        });
        self.put(") ");
        self.statements(&net.members);
    }

    /// What a net's argument is, behind its name.
    fn formal_kind(&mut self, kind: &FormalKind) {
        match kind {
            FormalKind::Size => {}
            FormalKind::Real => self.put(": f32"),
            FormalKind::Whole => self.put(": i32"),
            FormalKind::Truth => self.put(": bool"),
            FormalKind::Form => self.put(": form"),
            FormalKind::Net => self.put(": net"),
            FormalKind::List { scalar, length: Some(length) } => {
                self.put(": ");
                self.scalar(*scalar);
                self.put("[");
                self.expr(length, SUM);
                self.put("]");
            }
            FormalKind::List { length: None, .. } => self.put(": list"),
        }
    }

    /// `"text"`
    pub(super) fn quoted(&mut self, text: &str) {
        self.put("\"");
        self.put(text);
        self.put("\"");
    }

    /// A word and a name, if there is one.
    fn word(&mut self, word: &str, name: Option<&Ident>) {
        if let Some(name) = name {
            self.put(word);
            self.put(&name.name);
        }
    }

    /// `train M as p after q for t in 0..5 { .. }`
    fn train(&mut self, train: &TrainDef) {
        self.put("train ");
        self.put(&train.model.name);
        self.word(" as ", train.phase.as_ref());
        self.word(" after ", train.after.as_ref());
        if let Some((name, from, to)) = &train.each {
            self.word(" for ", Some(name));
            self.put(" in ");
            self.range(from, to);
        }
        self.put(" ");
        self.clauses(&train.clauses);
    }

    /// `{ .. }`
    fn clauses(&mut self, clauses: &[Clause]) {
        self.braces(clauses, |_| false, |p, clause| p.clause(&clause.kind));
    }

    /// One clause.
    fn clause(&mut self, kind: &ClauseKind) {
        match kind {
            ClauseKind::Data { file, columns, .. } => {
                self.put("data ");
                self.quoted(file);
                self.put(" { ");
                self.commas(columns, |p, column| {
                    p.put(&column.name.name);
                    p.word(": ", column.column.as_ref());
                });
                self.put(" }");
            }
            ClauseKind::Batch(items) => {
                self.put("batch ");
                self.commas(items, Printer::batch);
            }
            ClauseKind::Feed { name, binders, value } => {
                self.put("feed ");
                self.put(&name.name);
                if let Some(binders) = binders {
                    self.binders(binders);
                }
                self.equals(value);
            }
            ClauseKind::Minimize(value) => self.value("minimize ", value),
            ClauseKind::With(value) => self.value("with ", value),
            ClauseKind::Steps(value) => self.value("steps ", value),
            ClauseKind::Seed(value) => self.value("seed ", value),
            ClauseKind::Over { all, paths, except } => {
                self.put(if *all { "over *" } else { "over " });
                self.commas(paths, Printer::path);
                if !except.is_empty() {
                    self.put(" except ");
                    self.commas(except, Printer::path);
                }
            }
            ClauseKind::Set(sets) => self.sets(sets),
            ClauseKind::Every { interval, when, sets } => {
                self.put("every ");
                self.expr(interval, OR);
                if let Some(when) = when {
                    self.put(" when ");
                    self.expr(when, OR);
                }
                self.put(" ");
                self.sets(sets);
            }
            ClauseKind::Alternate(parts) => {
                self.put("alternate");
                for (steps, clauses) in parts {
                    self.put(" ");
                    self.expr(steps, OR);
                    self.put(" ");
                    self.clauses(clauses);
                }
            }
            ClauseKind::Clip { each, limit } => self.value(if *each { "clip value " } else { "clip " }, limit),
            ClauseKind::Accumulate(value) => self.value("accumulate ", value),
            ClauseKind::Average(value) => self.value("average ", value),
            ClauseKind::Validate { block, interval, patience } => {
                self.put("validate ");
                self.put(&block.name);
                self.put(" every ");
                self.expr(interval, OR);
                if let Some(patience) = patience {
                    self.value(" patience ", patience);
                }
            }
            ClauseKind::Report(names) => {
                self.put("report ");
                self.commas(names, |p, name| p.put(&name.name));
            }
        }
    }

    /// A word and a value.
    fn value(&mut self, word: &str, value: &Expr) {
        self.put(word);
        self.expr(value, FREE);
    }

    /// `b = 64 by task`
    fn batch(&mut self, item: &BatchItem) {
        self.put(&item.dim.name);
        self.put(" = ");
        // A bare `all` means the whole file; the function of that name stands in parentheses.
        let function = matches!(*item.size.kind, ExprKind::ReductionName(Reduction::All));
        self.expr(&item.size, if function { u8::MAX } else { OR });
        self.word(" by ", item.by.as_ref());
    }

    /// `set a = 1, c = 2`
    fn sets(&mut self, sets: &[SetItem]) {
        self.put("set ");
        self.commas(sets, |p, set| {
            p.place(&set.place);
            p.equals(&set.value);
        });
    }
}

/// Items that stand together without a blank line.
fn is_short(item: &Item) -> bool {
    is_import(item) || matches!(item.kind, ItemKind::Dim { .. } | ItemKind::Const(_) | ItemKind::ConstDraw(_))
}

/// Imports stand together.
fn is_import(item: &Item) -> bool {
    matches!(item.kind, ItemKind::Import(_))
}
