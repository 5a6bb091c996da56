//! A failing program made small: statements and items go, expressions become their parts or numbers, sizes shrink, as long as
//! it fails in the same way.

use super::check::{Failure, How, check_how};
use super::walk::{self, Visit, children};
use crate::diag::Sink;
use crate::source::{FileId, Span};
use crate::syntax::ast::*;
use crate::syntax::{parse, print, strip};
use std::time::{Duration, Instant};

/// One change, chosen by its place in the walk.
enum Change {
    Stmt(usize),
    /// A part, or a number, in the place of an expression.
    Expr(usize, usize),
}

struct Apply {
    change: Change,
    at: usize,
    done: bool,
}

fn number(n: f64, text: &str) -> Expr {
    let whole = !text.contains('.');
    Expr { kind: Box::new(ExprKind::Number { value: n, whole, text: text.into() }), span: Span::default() }
}

impl Visit for Apply {
    fn stmts(&mut self, list: &mut Vec<Stmt>) {
        let Change::Stmt(n) = self.change else { return };
        if !self.done && (self.at..self.at + list.len()).contains(&n) {
            list.remove(n - self.at);
            self.done = true;
        }
        self.at += list.len();
    }

    fn expr(&mut self, e: &mut Expr) {
        let Change::Expr(n, how) = self.change else { return };
        if !self.done && self.at == n {
            self.done = replace(e, how);
        }
        self.at += 1;
    }
}

/// Ways in which one expression is made simpler.
const WAYS: usize = 10;

fn replace(e: &mut Expr, how: usize) -> bool {
    let simple = matches!(&*e.kind, ExprKind::Number { .. } | ExprKind::Name(_) | ExprKind::ReductionName(_));
    let parts = children(e);
    let new = match (&*e.kind, how) {
        (ExprKind::Number { value, whole: true, .. }, 0) if *value > 1.0 => number(value - 1.0, &format!("{}", value - 1.0)),
        (ExprKind::Number { value, whole: true, .. }, 1) if *value > 2.0 => number(1.0, "1"),
        _ if simple => return false,
        (_, 0) => number(1.0, "1"),
        (_, 1) => number(0.5, "0.5"),
        (_, k) if k - 2 < parts.len() => parts[k - 2].clone(),
        _ => return false,
    };
    *e = new;
    true
}

fn tree(text: &str) -> File {
    let mut tree = parse(FileId::default(), text, &mut Sink::default());
    strip(&mut tree);
    tree
}

/// How large a program is.
fn weight(file: &File) -> usize {
    print(file).len()
}

/// The smallest program found that fails like `failure`, checked in this way.
pub fn shrink(text: &str, seed: u64, how: How, failure: &Failure, limit: Duration) -> String {
    let start = Instant::now();
    let mut best = tree(text);
    let fails = |f: &File| check_how(&print(f), seed, how).err().is_some_and(|g| g.class == failure.class);
    if !fails(&best) {
        return text.to_string();
    }
    let late = || start.elapsed() > limit;
    loop {
        let before = weight(&best);
        let mut k = best.items.len();
        while k > 0 && !late() {
            k -= 1;
            let mut next = best.clone();
            next.items.remove(k);
            if fails(&next) {
                best = next;
            }
        }
        // Statements from the last to the first: what is bound last is needed least.
        let mut n = count(&best, Change::Stmt(usize::MAX));
        while n > 0 && !late() {
            n -= 1;
            if let Some(next) = changed(&best, Change::Stmt(n))
                && fails(&next)
            {
                best = next;
            }
        }
        let mut at = 0;
        while at < count(&best, Change::Expr(usize::MAX, 0)) && !late() {
            for how in 0..WAYS {
                if let Some(next) = changed(&best, Change::Expr(at, how))
                    && weight(&next) <= weight(&best)
                    && fails(&next)
                {
                    best = next;
                    break;
                }
            }
            at += 1;
        }
        if late() || weight(&best) >= before {
            return print(&best);
        }
    }
}

fn count(file: &File, change: Change) -> usize {
    let mut apply = Apply { change, at: 0, done: false };
    walk::file(&mut file.clone(), &mut apply);
    apply.at
}

fn changed(file: &File, change: Change) -> Option<File> {
    let mut next = file.clone();
    let mut apply = Apply { change, at: 0, done: false };
    walk::file(&mut next, &mut apply);
    apply.done.then_some(next)
}
