//! The front end from outside: texts in; trees, messages and well laid out texts out.

use hnet::diag::{Diagnostic, Sink};
use hnet::source::FileId;
use hnet::syntax::ast::{ArrayDecl, BinaryOp, Expr, ExprKind, File, ItemKind, Slot, Stmt, StmtKind};
use hnet::syntax::{format, parse, print, print_expr, strip};

const TOUR: &str = include_str!("../syntax/tour.hnet");

const STD: [(&str, &str); 13] = [
    ("adapter", include_str!("../../std/adapter.hnet")),
    ("attention", include_str!("../../std/attention.hnet")),
    ("conv", include_str!("../../std/conv.hnet")),
    ("diffusion", include_str!("../../std/diffusion.hnet")),
    ("hyper", include_str!("../../std/hyper.hnet")),
    ("linear", include_str!("../../std/linear.hnet")),
    ("math", include_str!("../../std/math.hnet")),
    ("mlp", include_str!("../../std/mlp.hnet")),
    ("moe", include_str!("../../std/moe.hnet")),
    ("norm", include_str!("../../std/norm.hnet")),
    ("recurrent", include_str!("../../std/recurrent.hnet")),
    ("siren", include_str!("../../std/siren.hnet")),
    ("transformer", include_str!("../../std/transformer.hnet")),
];

/// The tree of a text and what was said about it.
fn read(text: &str) -> (File, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let file = parse(FileId(0), text, &mut sink);
    (file, sink.into_sorted())
}

/// The tree of a text without mistakes.
fn tree(text: &str) -> File {
    let (file, said) = read(text);
    assert!(said.is_empty(), "{said:#?}\n{text}");
    file
}

/// The tree without what does not matter.
fn bare(text: &str) -> File {
    let mut file = tree(text);
    strip(&mut file);
    file
}

/// The statements of a function's body.
fn body(text: &str) -> Vec<Stmt> {
    let file = tree(&format!("fn f(x: [n]) -> [n] {{\n{text}\n}}"));
    match file.items.into_iter().next().map(|i| i.kind) {
        Some(ItemKind::Fn(function)) => function.signature.body.stmts,
        other => panic!("no function: {other:?}"),
    }
}

/// The expression that a body of one statement is.
fn expr(text: &str) -> Expr {
    match body(text).pop().map(|s| s.kind) {
        Some(StmtKind::Expr(value)) => value,
        other => panic!("no expression: {other:?}"),
    }
}

/// An expression with all parentheses that its structure has.
fn grouped(text: &str) -> String {
    fn walk(e: &Expr) -> String {
        match &*e.kind {
            ExprKind::Binary { left, right, op, .. } => format!("({} {op:?} {})", walk(left), walk(right)),
            ExprKind::Unary { op, arg } => format!("({op:?} {})", walk(arg)),
            ExprKind::Reduce { op, body, .. } => format!("({} {})", op.word(), walk(body)),
            ExprKind::Paren(inner) => walk(inner),
            _ => print_expr(e),
        }
    }
    walk(&expr(text))
}

#[test]
fn the_library_and_the_tour_are_read_without_a_word() {
    for (name, text) in STD {
        assert!(!tree(text).items.is_empty(), "{name}");
    }
    assert_eq!(tree(TOUR).items.len(), 18);
}

#[test]
fn a_printed_tree_reads_as_the_same_tree() {
    for text in STD.iter().map(|(_, text)| *text).chain([TOUR]) {
        let before = bare(text);
        let printed = print(&tree(text));
        assert_eq!(before, bare(&printed), "{printed}");
        assert_eq!(printed, print(&tree(&printed)));
        // Without its parentheses too: those that are needed come back.
        assert_eq!(before, bare(&print(&before)), "{}", print(&before));
    }
}

#[test]
fn documentation_belongs_to_what_follows() {
    let file = tree(TOUR);
    assert_eq!(file.doc.as_deref(), Some("Every construct of the grammar, once at least.\nIt parses; it need not make sense."));
    let documented: Vec<_> = file.items.iter().filter_map(|i| i.doc.as_deref()).collect();
    assert_eq!(documented, ["One head.\nWith two lines."]);
}

#[test]
fn precedence_is_that_of_the_grammar() {
    for (text, wanted) in [
        ("a + b * c", "(a Add (b Mul c))"),
        ("a - b - c", "((a Sub b) Sub c)"),
        ("-x^2", "(Neg (x Pow 2))"),
        ("2^-k", "(2 Pow (Neg k))"),
        ("a^b^c", "(a Pow (b Pow c))"),
        ("a @ b div c mod d", "(((a Matmul b) IntDiv c) Mod d)"),
        ("not a == b and c or d", "(((Not (a Eq b)) And c) Or d)"),
        ("c / n * sum[k] a[k] * b[k] / d + e", "(((c Div n) Mul (sum ((a[k] Mul b[k]) Div d))) Add e)"),
        ("-sum[i] x[i] - 1", "((Neg (sum x[i])) Sub 1)"),
        ("a * (v[i] else -u) + w", "((a Mul v[i] else -u) Add w)"),
    ] {
        assert_eq!(grouped(text), wanted, "{text}");
    }
    assert!(matches!(*expr("v[i] else u * w").kind, ExprKind::Binary { op: BinaryOp::Mul, .. }));
}

#[test]
fn a_star_may_end_a_line() {
    let file = tree("train M {\n    over *\n    with adam()\n}\nmodel M {\n    let y = base.*.w[0..w]\n}");
    assert_eq!(print(&file).matches("with").count(), 1);
}

#[test]
fn only_the_innermost_bracket_decides_about_newlines() {
    let stmts = body("let y = f(\n    for i in 0..3 {\n        x = 1\n        yield x\n    },\n    2\n)\n(y)\n[y]");
    assert_eq!(stmts.len(), 3);
    let net = tree("net A(d) {\n    param w: [d]\n    (x: [d]) -> [d] { x }\n}");
    let ItemKind::Net(net) = &net.items[0].kind else { panic!() };
    assert!(matches!(net.members[1].kind, StmtKind::Signature(_)));
}

#[test]
fn a_brace_that_touches_sets_parameters() {
    assert!(matches!(*expr("if open > c { y }").kind, ExprKind::If { .. }));
    assert!(matches!(*expr("net{* = v}(x)").kind, ExprKind::Call { .. }));
    let ExprKind::Route(route) = *expr("route x over e at i by w { capacity: 2 per [*] }").kind else { panic!() };
    assert_eq!(route.options.len(), 1);
    assert!(matches!(*expr("if (route x over e at i by w) { y }").kind, ExprKind::If { .. }));
}

#[test]
fn parentheses_are_records_merged_indices_or_nothing() {
    assert!(matches!(*expr("(a: x)").kind, ExprKind::Record(_)));
    assert!(matches!(*expr("(a)").kind, ExprKind::Paren(_)));
    assert_eq!(print_expr(&expr("joined[(r - shift) mod side, (a, c)]")), "joined[(r - shift) mod side, (a, c)]");
}

#[test]
fn statement_words_are_names_elsewhere() {
    let stmts =
        body("let state[l] = read[m = s](slot[l])\nloss load = 1\nsub set = Linear(1)\nscale * y\nf(from: at, max: over)");
    let kinds: Vec<_> = stmts.iter().map(|s| format!("{:?}", s.kind)).collect();
    for (kind, start) in kinds.iter().zip(["Let", "Loss", "Sub", "Expr", "Expr"]) {
        assert!(kind.starts_with(start), "{kind}");
    }
    let stmts = body("seed = 3\nseed 4\nseed-x\nyield [x]\nyield[x]\nvar h = 1 let g = 2; h");
    let kinds: Vec<_> = stmts.iter().map(|s| format!("{:?}", s.kind)).collect();
    for (kind, start) in kinds.iter().zip(["Assign", "Seed", "Expr", "Yield", "Expr", "Var", "Let", "Expr"]) {
        assert!(kind.starts_with(start), "{kind}");
    }
}

#[test]
fn a_comparison_on_a_left_side_is_a_range() {
    let stmts = body("y[i < n, (a, c < 2), j + 1, 3, k] = x[i < n]");
    let StmtKind::Assign { slots: Some(slots), value, .. } = &stmts[0].kind else { panic!() };
    assert!(matches!(&slots[0], Slot::Bound(b) if b.range.is_some()));
    assert!(matches!(&slots[1], Slot::Merged(parts, _) if parts.len() == 2));
    assert!(matches!(&slots[2], Slot::Index(_)));
    assert!(matches!(&slots[4], Slot::Bound(b) if b.range.is_none()));
    assert_eq!(print_expr(value), "x[i < n]");
    let family = body("sub stage[l < 3] = Stage(2 ^ l)");
    assert!(matches!(&family[0].kind, StmtKind::Sub(sub) if matches!(sub.array, ArrayDecl::Family { .. })));
}

#[test]
fn an_arrow_to_the_left_is_read_in_weights_only() {
    assert_eq!(grouped("x <-1"), "(x Lt (Neg 1))");
    let file = tree("weights from Small { a[l] <- 2 * a[l]\n    c <- -c }");
    assert_eq!(print(&file), "weights from Small {\n    a[l] <- 2 * a[l]\n    c <- -c\n}\n");
}

#[test]
fn a_comma_goes_on_with_the_clause() {
    let text = "train M {\n    set a = 1,\n        c = 2\n    batch b = all by task, t = 64\n    over a.*, c except\n        a.d, a.e\n}\n";
    let ItemKind::Train(train) = &tree(&text.replace("except\n        ", "except ")).items[0].kind else { panic!() };
    assert_eq!(train.clauses.len(), 3);
}

#[test]
fn lines_go_on_where_one_side_of_them_says_so() {
    let text = "let a = x +\n    y\nlet c =\n    x\n    |> f\nlet e = v[i]\n    else 0\ngenerate w\n    from a\n- x";
    assert_eq!(body(text).len(), 5);
}

#[test]
fn texts_from_elsewhere_are_read() {
    let windows = TOUR.replace('\n', "\r\n").replace("    ", "\t");
    assert_eq!(bare(&format!("\u{FEFF}{windows}")), bare(TOUR));
}

mod layout {
    use super::*;

    #[test]
    fn the_tour_and_the_library_are_laid_out_well_already() {
        assert_eq!(format(TOUR).as_deref(), Ok(TOUR));
        for (name, text) in STD {
            assert_eq!(format(text).as_deref(), Ok(text), "{name}");
        }
    }

    #[test]
    fn formatting_keeps_programs_and_comments_and_settles_at_once() {
        for text in STD.iter().map(|(_, text)| *text).chain([TOUR]) {
            for spoilt in [text.to_string(), text.replace("    ", " "), text.replace(" = ", "=").replace(", ", " ,  ")] {
                let once = format(&spoilt).expect("no mistakes");
                assert_eq!(bare(&spoilt), bare(&once));
                assert_eq!(spoilt.matches("//").count(), once.matches("//").count());
                assert_eq!(format(&once).as_ref(), Ok(&once));
            }
        }
    }

    #[test]
    fn spaces_lines_and_columns_are_put_right() {
        let text = "net  A( i,o ){\n\n  sub  up=Linear (i , o)\n sub down   =Linear( o,i );   // c\n\n\n  //own\n    (x:[ i ])->[i]{ x|>up\n|>down }\n}";
        let text = text.replace("Linear (", "Linear(");
        let wanted = "net A(i, o) {\n    sub up = Linear(i, o)\n    sub down = Linear(o, i)   // c\n\n    //own\n    (x: [i]) -> [i] { x |> up\n            |> down }\n}\n";
        assert_eq!(format(&text).as_deref(), Ok(wanted));
        let aligned = "model M {\n    sub a       = F()\n    sub longer  = F()\n    over_all(1,  2)\n}\n";
        let wanted = "model M {\n    sub a      = F()\n    sub longer = F()\n    over_all(1, 2)\n}\n";
        assert_eq!(format(aligned).as_deref(), Ok(wanted));
    }

    #[test]
    fn what_means_something_stays_as_it_is() {
        let text = "fn f(x: [n]) -> [n] {\n    seed-x\n    yield (x)\n    yield(x)\n    v[0..n]^2 + 10 ^ (-k)\n    -x |> f{* = v}\n    x;\n    at[0]\n}\n";
        let once = format(text).expect("no mistakes");
        assert_eq!(bare(text), bare(&once), "{once}");
        assert!(once.contains("v[0..n]^2 + 10 ^ (-k)"), "{once}");
    }

    #[test]
    fn a_text_with_mistakes_is_left_alone() {
        assert_eq!(format("dim b dim c").map_err(|said| said[0].code), Err(hnet::diag::Code::H0131));
    }
}

mod mistakes;
