//! Texts read and print; what is wrong with one is told with its line.

use super::read;
use crate::ir::verify::verify;

const ALL: &str = r#"
%0 x: f32[b, i=3] = input "x"
%1 "w 1": f32[i=3, o=10] = param "fc.w"
%2 logits: f32[b, o=10] = sum(i=3) %0[b, i] * %1[i, o]
%3: i32 = const -2
%4: f32 = const 1e-7
%5: i32[k=10] = iota
%6: i32 = extent ceil(b/4) + 2*b
%7 seed: i32 = seed "seed"
%8: f32[b] = random normal 7 %7, %3
%9: bool[b, o=10] = lt %2[b, o], %8[b]
%10: f32[b, o=10] = select %9[b, o], %2[b, o], %4
%11: f32[o=10] = fold max(b) %10[b, o]
%12: i32[b] = fold argmax(o=10) %2[b, o]
%13: f32[b, i=3, b_2=b] = gather %1[i, %12[b_2]] else 0
%14: f32[o=10, i=3] = scatter(b) into o %12[b], %0[b, i]
%15: f32[o=20] = concat along o %11[o], %11[o]
%16: f32[p=4, q=5] = reshape %15
%17: i32[k=2, b] = order(o=10) descending into k %2[b, o]
%18: f32[b, o=10] = scan along b %2[b, o]
%19: f32[r=4, c=4] = input "costs"
%20: i32[r=4] = assign(c=4) %19[r, c]
%21: f32[k=10] = copy %15[k]
%22: f32 = loop 5 reverse stop carry 1 yield 1 %11, %4 {
  %0: i32 = arg 0
  %1: f32[o=10] = arg 1
  %2: f32 = arg 2
  %3: f32[o=10] = mul %1[o], %2
  %4: bool = const 0
  output c = %3
  output stop = %4
  output y = %2
}
%23: f32[o=10] = result 0 %22
%24: f32[r=5] = result 1 %22
%25: bool[b] = le %3, %12[b]
%26: i32[b] = inside (o=10) %12[b], %25[b]
%27: i32[b] = inside (b) %26[b]
output logits = %2
loss "n l l" = %4
update s = %11
size n = %6
"#;

#[test]
fn every_op_reads_and_prints() {
    let graph = read(ALL).unwrap();
    assert_eq!(graph.to_string().trim(), ALL.trim());
    // %21 reads 20 elements through a loop of 10.
    let error = verify(&graph).unwrap_err();
    assert!(error.starts_with("%21 (copy)"), "{error}");
    let without: String = ALL.lines().filter(|l| !l.starts_with("%21")).map(|l| format!("{l}\n")).collect();
    verify(&read(&without).unwrap()).unwrap();
}

#[test]
fn equal_names_in_one_node_get_numbers() {
    use crate::ir::{Axis, DType, Graph, Node, Op, Operand, Origin, Size};
    let mut graph = Graph::default();
    let axis = || Axis::new("t", Size::sym("t"));
    let source = Op::Source { origin: Origin::Input, path: "x".into() };
    let x = graph.add(Node::new(source, DType::F32, vec![axis(), axis()]), vec![]);
    graph.add(Node::new(Op::Map(crate::ir::Map::Copy), DType::F32, vec![axis()]), vec![Operand::new(x, vec![0, 0])]);
    let text = "%0: f32[t, t_2=t] = input \"x\"\n%1: f32[t] = copy %0[t, t]\n";
    assert_eq!(graph.to_string(), text);
    assert_eq!(read(text).unwrap().to_string(), text);
}

#[test]
fn numbers_may_be_left_out_and_comments_written() {
    let graph = read(
        "# two numbers\n// and a word
%3: f32 = const 2   # here\n\n%7: f32 = neg %3\n",
    )
    .unwrap();
    assert_eq!(graph.to_string(), "%0: f32 = const 2\n%1: f32 = neg %0\n");
}

#[test]
fn mistakes_are_told_with_their_line() {
    let cases = [
        ("%0: f32 = const 2\n%1: f32 = neg %4", 2, "there is no %4 before this"),
        ("%0: f32 = const 2\n%0: f32 = const 2", 2, "%0 stands here twice"),
        ("%0: f64 = const 2", 1, "`f64` is no element type"),
        ("%0: f32 = nothing %1", 1, "`nothing` is no op"),
        ("%0: f32[b] = input \"x\"\n\n%1: f32[b] = exp %0[c]", 3, "there is no loop `c` here"),
        ("%0: f32[b, b] = input \"x\"", 1, "the axis `b` stands here twice"),
        ("%0: f32[b] = input x", 1, "expected a path in quotes, found `x`"),
        ("%0: f32[b] = input \"x", 1, "a text without an end"),
        ("%0: f32[b = input \"x\"", 1, "expected `,` or `]`"),
        ("%0: f32 = const 2 3", 1, "expected the end of the line, found `3`"),
        ("output x = %0", 1, "there is no %0 before this"),
        ("nothing", 1, "expected a node"),
        ("%0: f32 = loop 3 carry 0 yield 0 {\n", 1, "expected `}`"),
        ("}", 1, "unexpected `}`"),
        ("%0: f32[i=1/0] = iota", 1, "divided by zero"),
        ("%0: f32 = const §", 1, "unexpected"),
    ];
    for (text, line, message) in cases {
        let error = read(text).expect_err(text);
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
}

#[test]
fn broken_texts_never_panic() {
    for end in 0..ALL.len() {
        if ALL.is_char_boundary(end) {
            let _ = read(&ALL[..end]);
            let _ = read(&format!("{}]{}", &ALL[..end], &ALL[end..]));
        }
    }
    assert!(read(&"%0: f32 = loop 1 carry 0 yield 0 {\n".repeat(5000)).is_err());
}
