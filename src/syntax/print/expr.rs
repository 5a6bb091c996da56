//! Expressions, with the parentheses that precedence needs.

mod place;

use super::Printer;
use crate::syntax::ast::{Arg, BinaryOp, Else, Expr, ExprKind, ForExpr, Index, RouteExpr, UnaryOp};

/// Anything may stand here, and nothing follows that it could swallow.
pub(super) const FREE: u8 = 0;
/// Anything but a pipe or a route: a keyword or a brace follows.
pub(super) const OR: u8 = 1;
const NOT: u8 = 3;
/// Sizes, bounds and ends of ranges.
pub(super) const SUM: u8 = 5;
const PRODUCT: u8 = 6;
const UNARY: u8 = 7;
const POWER: u8 = 8;
const POSTFIX: u8 = 9;
const PRIMARY: u8 = 10;

/// The sign and the level of an infix operator.
fn infix(op: BinaryOp) -> (&'static str, u8) {
    match op {
        BinaryOp::Or => ("or", OR),
        BinaryOp::And => ("and", 2),
        BinaryOp::Eq => ("==", 4),
        BinaryOp::Ne => ("!=", 4),
        BinaryOp::Lt => ("<", 4),
        BinaryOp::Gt => (">", 4),
        BinaryOp::Le => ("<=", 4),
        BinaryOp::Ge => (">=", 4),
        BinaryOp::Add => ("+", SUM),
        BinaryOp::Sub => ("-", SUM),
        BinaryOp::Mul => ("*", PRODUCT),
        BinaryOp::Div => ("/", PRODUCT),
        BinaryOp::Matmul => ("@", PRODUCT),
        BinaryOp::IntDiv => ("div", PRODUCT),
        BinaryOp::Mod => ("mod", PRODUCT),
        BinaryOp::Pow => ("^", POWER),
    }
}

/// How tightly an expression holds together.
fn level(expr: &Expr) -> u8 {
    match &*expr.kind {
        ExprKind::Pipe { .. } | ExprKind::Route(_) => FREE,
        ExprKind::Unary { op: UnaryOp::Not, .. } => NOT,
        ExprKind::Unary { op: UnaryOp::Neg, .. } | ExprKind::Reduce { .. } => UNARY,
        ExprKind::Binary { op, .. } => infix(*op).1,
        // What follows would belong to what stands after `else`.
        ExprKind::Index { otherwise: Some(_), .. } => POWER,
        ExprKind::Call { .. }
        | ExprKind::Index { .. }
        | ExprKind::With { .. }
        | ExprKind::Field { .. }
        | ExprKind::Tree { .. } => POSTFIX,
        _ => PRIMARY,
    }
}

/// Whether an expression ends in a reduction, which would take a factor to its right.
fn takes_factors(expr: &Expr) -> bool {
    match &*expr.kind {
        ExprKind::Reduce { .. } => true,
        ExprKind::Unary { arg, .. } => takes_factors(arg),
        ExprKind::Binary { op, right, .. } => {
            let needed = if *op == BinaryOp::Pow { UNARY } else { infix(*op).1 + 1 };
            level(right) >= needed && takes_factors(right)
        }
        ExprKind::Index { otherwise: Some(otherwise), .. } => level(otherwise) >= UNARY && takes_factors(otherwise),
        _ => false,
    }
}

impl Printer {
    /// An expression where `least` is the loosest level that needs no parentheses.
    pub(super) fn expr(&mut self, expr: &Expr, least: u8) {
        if level(expr) < least { self.parens(expr) } else { self.bare(expr) }
    }

    /// `(expr)`
    fn parens(&mut self, expr: &Expr) {
        self.put("(");
        self.bare(expr);
        self.put(")");
    }

    /// What a call, an index or a field hangs on.
    fn base(&mut self, expr: &Expr) {
        match &*expr.kind {
            ExprKind::Number { .. } | ExprKind::ReductionName(_) | ExprKind::If { .. } | ExprKind::For(_) => self.parens(expr),
            _ => self.expr(expr, POSTFIX),
        }
    }

    /// An expression without parentheses around it.
    fn bare(&mut self, expr: &Expr) {
        match &*expr.kind {
            ExprKind::Number { text, .. } => self.put(text),
            ExprKind::Name(name) => self.put(name),
            ExprKind::Stored(pattern) => self.quoted(pattern),
            ExprKind::ReductionName(reduction) => self.put(reduction.word()),
            ExprKind::Unary { op, arg } => {
                let (sign, least) = if *op == UnaryOp::Not { ("not ", NOT) } else { ("-", UNARY) };
                self.put(sign);
                self.expr(arg, least);
            }
            ExprKind::Binary { op, left, right, .. } => self.binary(*op, left, right),
            ExprKind::Pipe { value, stage } => {
                let chained = matches!(*value.kind, ExprKind::Pipe { .. });
                self.expr(value, if chained { FREE } else { OR });
                self.put(" |> ");
                self.expr(stage, POSTFIX);
            }
            ExprKind::Reduce { op, binders, body, .. } => {
                self.put(op.word());
                self.binders(binders);
                self.put(" ");
                self.expr(body, PRODUCT);
            }
            ExprKind::Call { callee, args } => {
                let function = matches!(*callee.kind, ExprKind::ReductionName(_));
                if function {
                    self.bare(callee)
                } else {
                    self.base(callee)
                }
                self.args(args);
            }
            ExprKind::Index { base, indices, otherwise, .. } => {
                self.base(base);
                self.indices(indices);
                if let Some(otherwise) = otherwise {
                    self.put(" else ");
                    self.expr(otherwise, UNARY);
                }
            }
            ExprKind::With { base, settings } => {
                self.base(base);
                self.put("{");
                self.commas(settings, |p, s| {
                    match &s.path {
                        Some(path) => p.path(path),
                        None => p.put("*"),
                    }
                    p.put(" = ");
                    p.expr(&s.value, FREE);
                });
                self.put("}");
            }
            ExprKind::Field { base, name } => {
                self.base(base);
                self.put(".");
                self.put(&name.name);
            }
            ExprKind::Tree { base } => {
                self.base(base);
                self.put(".*");
            }
            ExprKind::Paren(inner) => self.parens(inner),
            ExprKind::Record(entries) => {
                self.put("(");
                self.commas(entries, |p, (name, value)| {
                    p.put(&name.name);
                    p.put(": ");
                    p.expr(value, FREE);
                });
                self.put(")");
            }
            ExprKind::List(items) => {
                self.put("[");
                self.commas(items, |p, item| p.expr(item, FREE));
                self.put("]");
            }
            ExprKind::If { .. } => self.if_else(expr),
            ExprKind::For(head) => self.loop_over(head),
            ExprKind::Route(route) => self.route(route),
        }
    }

    /// An infix operator.
    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        let (sign, own) = infix(op);
        let (left_least, right_least) = match own {
            4 => (SUM, SUM),
            POWER => (POSTFIX, UNARY),
            _ => (own, own + 1),
        };
        let swallows = own == PRODUCT && takes_factors(left);
        if swallows {
            self.parens(left)
        } else {
            self.expr(left, left_least)
        }
        self.put(if own == POWER { "" } else { " " });
        self.put(sign);
        self.put(if own == POWER { "" } else { " " });
        self.expr(right, right_least);
    }

    /// `if c { .. } else { .. }`
    fn if_else(&mut self, expr: &Expr) {
        let ExprKind::If { cond, then, otherwise } = &*expr.kind else { return };
        self.put("if ");
        self.expr(cond, OR);
        self.put(" ");
        self.block(then);
        match otherwise {
            None => {}
            Some(Else::Block(block)) => {
                self.put(" else ");
                self.block(block);
            }
            Some(Else::If(next)) => {
                self.put(" else ");
                self.bare(next);
            }
        }
    }

    /// `for i in 0..n { .. }`
    fn loop_over(&mut self, head: &ForExpr) {
        self.put("for ");
        self.put(&head.var.name);
        self.put(if head.rev { " in rev " } else { " in " });
        self.range(&head.from, &head.to);
        if let Some(until) = &head.until {
            self.put(" until ");
            self.expr(until, OR);
        }
        if let Some(most) = &head.at_most {
            self.put(" at most ");
            self.expr(most, OR);
        }
        self.put(" ");
        self.block(&head.body);
    }

    /// `route x over e at i by w { .. }`
    fn route(&mut self, route: &RouteExpr) {
        self.put("route ");
        self.expr(&route.value, OR);
        self.put(" over ");
        self.expr(&route.over, POSTFIX);
        self.put(" at ");
        self.expr(&route.at, OR);
        self.put(" by ");
        self.expr(&route.by, if route.options.is_empty() { FREE } else { OR });
        if route.options.is_empty() {
            return;
        }
        self.put(" { ");
        self.commas(&route.options, |p, option| {
            p.put(&option.name.name);
            p.put(": ");
            p.expr(&option.value, OR);
            if let Some(axes) = &option.per {
                p.put(" per ");
                p.axes(axes);
            }
        });
        self.put(" }");
    }

    /// `(a, std: b)`
    pub(super) fn args(&mut self, args: &[Arg]) {
        self.put("(");
        self.commas(args, |p, arg| {
            if let Some(name) = &arg.name {
                p.put(&name.name);
                p.put(": ");
            }
            p.expr(&arg.value, FREE);
        });
        self.put(")");
    }

    /// `a..b`
    pub(super) fn range(&mut self, from: &Expr, to: &Expr) {
        self.expr(from, SUM);
        self.put("..");
        self.expr(to, SUM);
    }

    /// `[i, (a, b), t: j]`
    fn indices(&mut self, indices: &[Index]) {
        self.put("[");
        self.commas(indices, Printer::index);
        self.put("]");
    }

    /// One index.
    fn index(&mut self, index: &Index) {
        match index {
            Index::Along { axis, value } => {
                self.put(&axis.name);
                self.put(": ");
                self.index(value);
            }
            Index::Rename { axis, to } => {
                self.put(&axis.name);
                self.put(" = ");
                self.put(&to.name);
            }
            Index::Lifted(_) => self.put("*"),
            Index::Range { from, to } => self.range(from, to),
            Index::Merged(parts, _) => {
                self.put("(");
                self.commas(parts, |p, part| p.expr(part, FREE));
                self.put(")");
            }
            Index::At(value) => self.expr(value, FREE),
        }
    }
}

/// Whether an expression on a left side would be read as a bound index.
fn is_bound(value: &Expr) -> bool {
    match &*value.kind {
        ExprKind::Name(_) => true,
        ExprKind::Binary { op: BinaryOp::Lt, left, .. } => matches!(*left.kind, ExprKind::Name(_)),
        _ => false,
    }
}
