//! Which rows are taken apart, and that it means the same.

use super::*;
use crate::ir::read::read;
use crate::plan::decide::Terms;
use crate::plan::rewrite::meaning::stays;

/// The graph that a text becomes where `b` is so long; none where it stays. Its meaning stays, too.
fn at(text: &str, b: i64) -> Option<String> {
    let graph = read(text).unwrap_or_else(|e| panic!("{text}{e:?}"));
    let sizes: Sizes = [("b".into(), b)].into();
    let wanted: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
    let (new, places) = apart(&graph, &wanted, &Graph::rates, &sizes, &Choices::new(&Terms::default(), &graph))?;
    stays((&graph, &wanted), (&new, &places), &sizes);
    Some(new.to_string())
}

/// A head writes a matrix and what is added to each row, for each sample; `row` is how many numbers it writes, `more` is what else there is.
fn head(code: &str, row: &str, more: &str) -> String {
    format!(
        "%0: f32[b, k=8] = {code} \"z\"
         %1: f32[b, i=64] = input \"x\"
         %2: f32[k=8, n={row}] = param \"h\"
         %3: f32[b, n={row}] = sum(k=8) %0[b, k] * %2[k, n]
         %4: f32[n={row}] = param \"c\"
         %5: f32[b, n={row}] = add %3[b, n], %4[n]
         %6: i32[m=4096] = iota
         %7: f32[b, m=4096] = gather %5[b, %6[m]]
         %8: f32[b, i=64, o=64] = reshape %7
         %9: i32[o=64] = iota
         %10: i32 = const 4096
         %11: i32[o=64] = add %9[o], %10
         %12: f32[b, o=64] = gather %5[b, %11[o]]
         %13: f32[b, o=64] = sum(i=64) %1[b, i] * %8[b, i, o]
         %14: f32[b, o=64] = add %13[b, o], %12[b, o]
         {more}
         output y = %14"
    )
}

#[test]
fn a_matrix_for_one_row_is_not_made() {
    let text = at(&head("input", "4160", ""), 64).expect("it is cheaper apart");
    // The sums of the code are over stretches of the head as it lies, and nothing has a whole row.
    assert!(
        text.contains("sum(k=8) %0[b, k] * %") && !text.contains("f32[b, n=4160]") && !text.contains("f32[b, m=4096]"),
        "{text}"
    );
    assert!(text.contains("f32[b, i=64, o=64] = sum(k=8)"), "{text}");
    for b in [1, 2, 500] {
        assert!(at(&head("input", "4160", ""), b).is_some(), "{b}");
    }
    // Nobody has a matrix.
    assert!(at(&head("input", "4160", ""), 0).is_none());
}

#[test]
fn what_is_prepared_stays_whole() {
    // A batch of a size that nobody knows before the run is not prepared.
    let known = |code: &str| head(code, "4160", "").replace("f32[b, ", "f32[b=64, ");
    assert!(at(&known("condition"), 64).is_none());
    assert!(at(&known("input"), 64).is_some() && at(&head("condition", "4160", ""), 64).is_some());
}

#[test]
fn a_row_that_somebody_else_reads_stays_whole() {
    assert!(at(&head("input", "4160", "output r = %5"), 64).is_none());
    assert!(at(&head("input", "4160", "%15: f32[b, n=4160] = exp %5[b, n]\noutput r = %15"), 64).is_none());
    assert!(at(&head("input", "4160", "output w = %8"), 64).is_none());
}

#[test]
fn a_matrix_for_many_rows_is_made_as_before_or_where_it_is_read() {
    let text = "%0: f32[b, k=32] = input \"z\"
         %1: f32[b, t=64, i=64] = input \"x\"
         %2: f32[k=32, n=4096] = param \"h\"
         %3: f32[b, n=4096] = sum(k=32) %0[b, k] * %2[k, n]
         %4: f32[n=4096] = param \"c\"
         %5: f32[b, n=4096] = add %3[b, n], %4[n]
         %6: f32[b, i=64, o=64] = reshape %5
         %7: f32[b, t=64, o=64] = sum(i=64) %1[b, t, i] * %6[b, i, o]
         output y = %7";
    assert!(at(text, 16).is_none());
    // Of one row it is not, nor of codes of few numbers, for they are written where they are read.
    assert!(at(&text.replace("t=64", "t=1"), 16).is_some());
    assert!(at(&text.replace("k=32", "k=8"), 16).is_some());
    assert!(at(&text.replace("k=32", "k=8"), 1).is_none());
}

#[test]
fn scaled_differences_are_taken_apart_and_other_functions_are_not() {
    let text = "%0: f32[b, k=8] = input \"z\"
         %1: f32[b, i=64] = input \"x\"
         %2: f32[k=8, n=4096] = param \"h\"
         %3: f32[b, n=4096] = sum(k=8) %0[b, k] * %2[k, n]
         %4: f32[n=4096] = param \"c\"
         %5: f32[b, n=4096] = sub %4[n], %3[b, n]
         %6: f32[b, i=64, o=64] = reshape %5
         %7: f32[b, o=64] = sum(i=64) %1[b, i] * %6[b, i, o]
         output y = %7";
    assert!(at(text, 64).is_some());
    // Without a bias the product that joins has every order.
    assert!(at(&text.replace("sub %4[n], %3[b, n]", "copy %3[b, n]"), 64).is_some());
    assert!(at(&text.replace("sub %4[n], %3[b, n]", "tanh %3[b, n]"), 64).is_none());
}

#[test]
fn stretches_of_stretches_are_stretches() {
    let text = head("input", "5000", "");
    let text =
        text.replace("gather %5[b, %6[m]]", "gather %20[b, %6[m]]").replace("gather %5[b, %11[o]]", "gather %20[b, %11[o]]");
    // Of the row all but the first hundred numbers, and of these some.
    let inner = "%15: i32[r=4160] = iota
         %16: i32 = const 100
         %17: i32[r=4160] = add %15[r], %16
         %20: f32[b, r=4160] = gather %5[b, %17[r]]
         %6:";
    let text = text.replacen("%6:", inner, 1);
    for b in [1, 64] {
        let new = at(&text, b).expect("it is cheaper apart");
        assert!(!new.contains("f32[b, n=5000]") && !new.contains("f32[b, r=4160]"), "{new}");
    }
}

#[test]
fn slices_that_are_counted_out_are_stretches() {
    let text = "%0: f32[b, k=8] = input \"z\"
         %1: f32[b, i=64] = input \"x\"
         %2: f32[k=8, n=5000] = param \"h\"
         %3: f32[b, n=5000] = sum(k=8) %0[b, k] * %2[k, n]
         %4: f32[n=5000] = param \"c\"
         %5: f32[b, n=5000] = add %3[b, n], %4[n]
         %6: i32[i=64] = iota
         %7: i32 = const 70
         %8: i32[i=64] = mul %6[i], %7
         %9: i32[o=60] = iota
         %10: i32[i=64, o=60] = add %8[i], %9[o]
         %11: f32[b, i=64, o=60] = gather %5[b, %10[i, o]]
         %12: f32[b, o=60] = sum(i=64) %1[b, i] * %11[b, i, o]
         output y = %12";
    let turned = text.replace("f32[b, i=64, o=60] = gather %5[b, %10[i, o]]", "f32[b, o=60, i=64] = gather %5[b, %10[i, o]]");
    let turned = turned.replace("%11[b, i, o]", "%11[b, o, i]");
    for text in [text, &turned] {
        let new = at(text, 64).expect("it is cheaper apart");
        assert!(!new.contains("f32[b, n=5000]"), "{new}");
    }
}
