//! Statements, members, blocks and types.

use super::Printer;
use super::expr::{FREE, OR, SUM};
use crate::syntax::ast::{
    ArrayDecl, AxisExpr, Block, ConstDef, ConstDraw, Each, Expr, ExprKind, ParamDecl, ParamKind, Path, Pin, Place, Relation,
    Scalar, Signature, Stmt, StmtKind, SubDecl, Type, TypeKind, TypedName, Within,
};
use crate::syntax::parse::JOINING;

/// Whether a line with this statement would go on with the line before.
pub(super) fn joins(stmt: &Stmt) -> bool {
    match &stmt.kind {
        StmtKind::Assign { name, .. } => JOINING.contains(&&*name.name),
        StmtKind::Expr(value) => first_name(value).is_some_and(|name| JOINING.contains(&name)),
        _ => false,
    }
}

/// The name that an expression begins with, if it begins with one.
pub(super) fn first_name(expr: &Expr) -> Option<&str> {
    match &*expr.kind {
        ExprKind::Name(name) => Some(name),
        ExprKind::Binary { left, .. } => first_name(left),
        ExprKind::Pipe { value, .. } => first_name(value),
        ExprKind::Call { callee: base, .. }
        | ExprKind::Index { base, .. }
        | ExprKind::With { base, .. }
        | ExprKind::Field { base, .. }
        | ExprKind::Tree { base } => first_name(base),
        _ => None,
    }
}

impl Printer {
    /// `{ .. }`; one expression stands on one line.
    pub(super) fn block(&mut self, block: &Block) {
        if let [Stmt { doc: None, pins, kind: StmtKind::Expr(value), .. }] = &block.stmts[..]
            && pins.is_empty()
        {
            let mark = self.out.len();
            self.expr_statement(value);
            // Printing twice would cost twice as much for each block in a block.
            let text = self.out.split_off(mark);
            if self.inline || !text.contains('\n') {
                self.put("{ ");
                self.put(&text);
                self.put(" }");
                return;
            }
            self.put("{");
            self.indent += 1;
            self.line();
            self.indent -= 1;
            self.put(&text.replace('\n', "\n    "));
            self.line();
            self.put("}");
            return;
        }
        self.statements(&block.stmts);
    }

    /// `{ .. }`, one line for each.
    pub(super) fn statements(&mut self, stmts: &[Stmt]) {
        self.braces(stmts, joins, |p, stmt| {
            p.doc(stmt.doc.as_ref());
            p.pins(&stmt.pins);
            p.statement(&stmt.kind);
        });
    }

    /// `@pin(..)` above the present line.
    fn pins(&mut self, pins: &[Pin]) {
        if pins.is_empty() {
            return;
        }
        self.put("@pin(");
        self.commas(pins, |p, pin| {
            p.put(&pin.what.name);
            if let Some(of) = &pin.of {
                p.put(&format!(" of \"{}\"", of.text));
            }
            p.put(&format!(" = \"{}\"", pin.way.text));
        });
        self.put(")");
        if self.inline { self.put(" ") } else { self.line() }
    }

    /// An expression as a statement: not read as `yield x`.
    fn expr_statement(&mut self, value: &Expr) {
        let risky = first_name(value).is_some_and(|name| matches!(name, "yield" | "seed"));
        if risky {
            self.put("(");
        }
        self.expr(value, FREE);
        if risky {
            self.put(")");
        }
    }

    /// One statement.
    fn statement(&mut self, kind: &StmtKind) {
        match kind {
            StmtKind::Const(list) => self.consts(list),
            StmtKind::ConstDraw(draw) => self.const_draw(draw),
            StmtKind::Param(param) => self.param(param),
            StmtKind::Sub(sub) => self.sub(sub),
            StmtKind::Relation(relation) => self.relation(relation),
            StmtKind::Each(each) => self.each(each),
            StmtKind::Signature(signature) => self.signature(signature),
            StmtKind::Let { name, binders, value } => {
                self.put("let ");
                self.put(&name.name);
                if let Some(binders) = binders {
                    self.binders(binders);
                }
                self.equals(value);
            }
            StmtKind::Var { name, ty, value } => {
                self.put("var ");
                self.put(&name.name);
                if let Some(ty) = ty {
                    self.put(": ");
                    self.ty(ty);
                }
                self.equals(value);
            }
            StmtKind::Assign { name, slots, value } => {
                self.put(&name.name);
                if let Some(slots) = slots {
                    self.slots(slots);
                }
                self.equals(value);
            }
            StmtKind::Yield(value) | StmtKind::Seed(value) => {
                self.put(if matches!(kind, StmtKind::Yield(_)) { "yield " } else { "seed " });
                self.yielded(value);
            }
            StmtKind::Expr(value) => self.expr_statement(value),
            _ => self.port(kind),
        }
    }

    /// The value of a `yield` or `seed`: what could be taken for something else stands in parentheses.
    fn yielded(&mut self, value: &Expr) {
        let loop_first = matches!(*value.kind, ExprKind::For(_));
        self.expr(value, if loop_first { u8::MAX } else { FREE });
    }

    /// What a model exchanges with the world, its losses and states.
    fn port(&mut self, kind: &StmtKind) {
        match kind {
            StmtKind::Input { name, ty } => self.typed("input ", &name.name, ty),
            StmtKind::Condition { name, ty, within, default } => {
                self.typed("condition ", &name.name, ty);
                match within {
                    Some(Within::Range(from, to)) => {
                        self.put(" in ");
                        self.range(from, to);
                    }
                    Some(Within::List(items, _)) => {
                        self.put(" in [");
                        self.commas(items, |p, item| p.expr(item, FREE));
                        self.put("]");
                    }
                    None => {}
                }
                if let Some(default) = default {
                    self.equals(default);
                }
            }
            StmtKind::Output { name, binders, ty, value } => {
                self.put("output ");
                self.put(&name.name);
                if let Some(binders) = binders {
                    self.binders(binders);
                }
                if !ty.is_missing() {
                    self.typed("", "", ty);
                }
                self.equals(value);
            }
            StmtKind::Loss { name, value } => {
                self.put("loss ");
                self.put(&name.name);
                self.equals(value);
            }
            StmtKind::Update { place, value } => {
                self.put("update ");
                self.place(place);
                self.equals(value);
            }
            StmtKind::Draw { name, ty, value, by } => {
                self.typed("draw ", &name.name, ty);
                self.put(" = ");
                self.expr(value, if by.is_some() { OR } else { FREE });
                if let Some(by) = by {
                    self.put(" by ");
                    self.expr(by, FREE);
                }
            }
            _ => {}
        }
    }

    /// ` = value`
    pub(super) fn equals(&mut self, value: &Expr) {
        self.put(" = ");
        self.expr(value, FREE);
    }

    /// `word name: type`
    fn typed(&mut self, word: &str, name: &str, ty: &Type) {
        self.put(word);
        self.put(name);
        self.put(": ");
        self.ty(ty);
    }

    /// `const a = 1, b = 2`
    pub(super) fn consts(&mut self, list: &[ConstDef]) {
        self.put("const ");
        self.commas(list, |p, def| {
            p.put(&def.name.name);
            p.equals(&def.value);
        });
    }

    /// `const basis: [n, m] = normal()`
    pub(super) fn const_draw(&mut self, draw: &ConstDraw) {
        self.typed("const ", &draw.name.name, &draw.ty);
        self.equals(&draw.value);
    }

    /// `param w: [i, o] = normal()`
    fn param(&mut self, param: &ParamDecl) {
        self.put(match param.kind {
            ParamKind::Param => "param ",
            ParamKind::State => "state ",
            ParamKind::Load => "load ",
        });
        self.put(&param.name.name);
        if let Some((index, tree)) = &param.over {
            self.leaves(&index.name, tree);
        }
        self.put(": ");
        self.ty(&param.ty);
        if let Some(init) = &param.init {
            self.equals(init);
        }
    }

    /// `[q in tree.*]`
    fn leaves(&mut self, index: &str, tree: &Path) {
        self.put("[");
        self.put(index);
        self.put(" in ");
        self.path(tree);
        self.put("]");
    }

    /// `sub expert[n] = SwiGlu(d, h)`
    pub(super) fn sub(&mut self, sub: &SubDecl) {
        self.put(if sub.form { "form " } else { "sub " });
        self.put(&sub.name.name);
        match &sub.array {
            ArrayDecl::One => {}
            ArrayDecl::Array(count) => {
                self.put("[");
                self.expr(count, SUM);
                self.put("]");
            }
            ArrayDecl::Family { index, count } => {
                self.put("[");
                self.put(&index.name);
                self.put(" < ");
                self.expr(count, SUM);
                self.put("]");
            }
            ArrayDecl::Leaves { index, tree } => self.leaves(&index.name, tree),
        }
        self.put(" = ");
        self.put(&sub.net.name);
        self.args(&sub.args);
    }

    /// `generate place from value` and its kin
    fn relation(&mut self, relation: &Relation) {
        let mut write = |first: &str, place: &Place, second: &str, value: &Expr| {
            self.put(first);
            self.place(place);
            self.put(second);
            self.expr(value, FREE);
        };
        match relation {
            Relation::Generate { place, value } => write("generate ", place, " from ", value),
            Relation::Adapt { place, value } => write("adapt ", place, " by ", value),
            Relation::Scale { place, value } => write("scale ", place, " by ", value),
            Relation::Tie { place, value } => write("tie ", place, " to ", value),
            Relation::Init { place, value } => write("init ", place, " = ", value),
            Relation::Freeze { paths } => {
                self.put("freeze ");
                self.commas(paths, Printer::path);
            }
        }
    }

    /// `each lora(w: [i, o]) at l in base.*.w { .. }`
    fn each(&mut self, each: &Each) {
        self.put("each ");
        self.put(&each.name.name);
        self.put("(");
        self.put(&each.item.name);
        self.put(": [");
        self.commas(&each.sizes, |p, size| p.put(&size.name));
        self.put("])");
        if let Some(at) = &each.at {
            self.put(" at ");
            self.put(&at.name);
        }
        self.put(" in ");
        self.commas(&each.within, Printer::path);
        self.put(" ");
        self.statements(&each.body.stmts);
    }

    /// `(x: [t, d]) -> [t, d] { .. }`
    pub(super) fn signature(&mut self, signature: &Signature) {
        self.typed_names(&signature.args);
        self.put(" -> ");
        self.ty(&signature.result);
        self.put(" ");
        self.block(&signature.body);
    }

    /// `(x: [t, d], c: f32)`
    fn typed_names(&mut self, names: &[TypedName]) {
        self.put("(");
        self.commas(names, |p, arg| {
            p.typed("", &arg.name.name, &arg.ty);
            if let Some(default) = &arg.default {
                p.equals(default);
            }
        });
        self.put(")");
    }

    /// A type.
    fn ty(&mut self, ty: &Type) {
        match &ty.kind {
            TypeKind::Tensor { scalar, axes } => {
                self.scalar(*scalar);
                if scalar.is_none() || !axes.is_empty() {
                    self.axes(axes);
                }
            }
            TypeKind::Seed => self.put("seed"),
            TypeKind::Tree(path) => self.path(path),
            TypeKind::Record(names) => self.typed_names(names),
        }
    }

    /// The word of a kind of element; none is `f32`.
    pub(super) fn scalar(&mut self, scalar: Option<Scalar>) {
        match scalar {
            Some(Scalar::F32) => self.put("f32"),
            Some(Scalar::I32) => self.put("i32"),
            Some(Scalar::Bool) => self.put("bool"),
            Some(Scalar::Size) => self.put("size"),
            None => {}
        }
    }

    /// `[t, *, 2 * d]`
    pub(super) fn axes(&mut self, axes: &[AxisExpr]) {
        self.put("[");
        self.commas(axes, |p, axis| match axis {
            AxisExpr::Lifted(_) => p.put("*"),
            AxisExpr::Expr(expr) => p.expr(expr, SUM),
        });
        self.put("]");
    }
}
