//! Which sums are multiplied out, and which had better not be.

use super::*;
use crate::ir::read::read;
use crate::plan::decide::Terms;
use crate::plan::rewrite::meaning::stays;

/// The graph that a text becomes where `b` is so long, and what of it is wanted; none where it stays. Its meaning stays, too.
fn at(text: &str, b: i64) -> Option<String> {
    let graph = read(text).unwrap_or_else(|e| panic!("{text}{e:?}"));
    let sizes: Sizes = [("b".into(), b)].into();
    let wanted: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
    let (new, places) = expand(&graph, &wanted, &graph.rates(), &sizes, &Choices::new(&Terms::default(), &graph))?;
    stays((&graph, &wanted), (&new, &places), &sizes);
    let ops: Vec<String> = new.to_string().lines().filter(|l| l.contains("sum(")).map(str::to_string).collect();
    Some(ops.join("\n"))
}

#[test]
fn an_update_of_each_sample_is_multiplied_out() {
    let text = "%0: f32[b, i=64] = input \"x\"
         %1: f32[i=64, o=64] = param \"w\"
         %2: f32[b, i=64, r=4] = input \"a\"
         %3: f32[b, r=4, o=64] = input \"u\"
         %4: f32[b, i=64, o=64] = sum(r=4) %2[b, i, r] * %3[b, r, o]
         %5: f32[b, i=64, o=64] = add %1[i, o], %4[b, i, o]
         %6 y: f32[b, o=64] = sum(i=64) %0[b, i] * %5[b, i, o]
         output y = %6";
    for b in [1, 2, 3, 64, 1000] {
        assert_eq!(
            at(text, b).as_deref(),
            Some(
                "%4: f32[b, o=64] = sum(i=64) %0[b, i] * %1[i, o]\n\
                 %5: f32[b, o=64] = sum(i=64, r=4) %0[b, i] * %2[b, i, r] * %3[b, r, o]"
            ),
            "{b}"
        );
    }
    // Nobody is there to have an update.
    assert_eq!(at(text, 0), None);
}

#[test]
fn an_update_that_many_samples_share_is_made_once() {
    let text = "%0: f32[b, i=64] = input \"x\"
         %1: f32[i=64, o=64] = param \"w\"
         %2: f32[i=64, r=4] = input \"a\"
         %3: f32[r=4, o=64] = input \"u\"
         %4: f32[i=64, o=64] = sum(r=4) %2[i, r] * %3[r, o]
         %5: f32[i=64, o=64] = add %1[i, o], %4[i, o]
         %6 y: f32[b, o=64] = sum(i=64) %0[b, i] * %5[i, o]
         output y = %6";
    assert!(at(text, 1).is_some() && at(text, 4).is_some());
    assert!(at(text, 1000).is_none() && at(text, 100_000).is_none());
}

#[test]
fn two_updates_and_a_scale_are_multiplied_out() {
    let text = "%0: f32[b, i=64] = input \"x\"
         %1: f32[i=64, o=64] = param \"w\"
         %2: f32[b, i=64] = input \"s\"
         %3: f32[b, o=64] = input \"t\"
         %4: f32[b, i=64, o=64] = mul %1[i, o], %2[b, i]
         %5: f32[b, i=64, o=64] = mul %2[b, i], %3[b, o]
         %6: f32[b, i=64, o=64] = add %1[i, o], %4[b, i, o]
         %7: f32[b, i=64, o=64] = sub %6[b, i, o], %5[b, i, o]
         %8: f32[b, o=64] = sum(i=64) %0[b, i] * %7[b, i, o]
         output y = %8";
    let found = at(text, 32).unwrap();
    assert_eq!(found.lines().count(), 3, "{found}");
    assert!(!found.contains("f32[b, i=64, o=64]"), "{found}");
}

#[test]
fn a_centred_value_is_not_multiplied_out() {
    let text = "%0: f32[b, i=64] = input \"x\"
         %1: f32[b] = input \"mean\"
         %2: f32[b, i=64] = sub %0[b, i], %1[b]
         %3: f32[i=64, o=8] = param \"w\"
         %4: f32[b, o=8] = sum(i=64) %2[b, i] * %3[i, o]
         output y = %4";
    assert_eq!([1, 7, 1000].map(|b| at(text, b)), [None, None, None]);
}

/// `sum(x - y)` is not `sum(x) - sum(y)`, whatever that would save: where all terms nearly vanish, their sum has digits that the others lose.
#[test]
fn a_difference_of_values_that_lie_there_is_not_multiplied_out() {
    let text = |x: &str, y: &str, w: &str| {
        format!(
            "%0: f32[b, n=64] = input \"x\"
         %1: f32[t=64, n=64] = input \"y\"
         %2: f32[n=64, o=8] = param \"w\"
         %3: f32 = const 0.5
         %4: f32[b, n=64] = {x}
         %5: f32[t=64, n=64] = {y}
         %6: f32[b, t=64, n=64] = sub %4[b, n], %5[t, n]
         {w}
         output y = %7"
        )
    };
    let sums = ["%7: f32[b, t=64] = fold sum(n=64) %6[b, t, n]", "%7: f32[b, t=64, o=8] = sum(n=64) %6[b, t, n] * %2[n, o]"];
    let values =
        [("copy %0[b, n]", "copy %1[t, n]"), ("mul %3, %0[b, n]", "mul %3, %1[t, n]"), ("neg %0[b, n]", "mul %3, %1[t, n]")];
    for (sum, (x, y)) in sums.into_iter().flat_map(|s| values.map(|v| (s, v))) {
        assert_eq!([1, 2, 64, 1000].map(|b| at(&text(x, y, sum), b)), [None, None, None, None], "{x} {y} {sum}");
    }
}

#[test]
fn an_update_with_a_scale_is_multiplied_out() {
    let text = "%0: f32[b, i=64] = input \"x\"
         %1: f32[i=64, o=64] = param \"w\"
         %2: f32[b, i=64, r=4] = input \"a\"
         %3: f32[b, r=4, o=64] = input \"u\"
         %4: f32[b, i=64, o=64] = sum(r=4) %2[b, i, r] * %3[b, r, o]
         %5: f32 = const 0.5
         %6: f32[b, i=64, o=64] = mul %5, %4[b, i, o]
         %7: f32[b, i=64, o=64] = add %1[i, o], %6[b, i, o]
         %8 y: f32[b, o=64] = sum(i=64) %0[b, i] * %7[b, i, o]
         output y = %8";
    assert!(at(text, 64).is_some_and(|found| found.lines().count() == 2 && !found.contains("f32[b, i=64, o=64]")));
}

#[test]
fn an_update_of_a_weight_that_data_pick_is_multiplied_out() {
    let text = "%0: f32[b, i=32] = input \"x\"
         %1: i32[b] = input \"e\"
         %2: f32[n=4, i=32, o=16] = param \"w\"
         %3: f32[b, i=32, o=16] = gather %2[%1[b], i, o]
         %4: f32[n=4, i=32, r=2] = param \"a\"
         %5: f32[b, i=32, r=2] = gather %4[%1[b], i, r]
         %6: f32[n=4, r=2, o=16] = param \"u\"
         %7: f32[b, r=2, o=16] = gather %6[%1[b], r, o]
         %8: f32[b, i=32, o=16] = sum(r=2) %5[b, i, r] * %7[b, r, o]
         %9: f32[b, i=32, o=16] = add %3[b, i, o], %8[b, i, o]
         %10: f32[b, o=16] = sum(i=32) %0[b, i] * %9[b, i, o]
         output y = %10";
    for b in [1, 3, 100] {
        let found = at(text, b).unwrap();
        assert!(found.lines().count() == 2 && !found.contains("f32[b, i=32, o=16] = sum"), "{found}");
    }
}

#[test]
fn a_centred_weight_is_not_multiplied_out() {
    let text = "%0: f32[b, i=64] = input \"x\"
         %1: f32[i=64, o=8] = param \"w\"
         %2: f32[o=8] = fold sum(i=64) %1[i, o]
         %3: f32 = const 0.015625
         %4: f32[o=8] = mul %2[o], %3
         %5: f32[i=64, o=8] = sub %1[i, o], %4[o]
         %6: f32[b, o=8] = sum(i=64) %0[b, i] * %5[i, o]
         output y = %6";
    assert_eq!([1, 2, 1000].map(|b| at(text, b)), [None, None, None]);
    let read_twice = format!("{text}\n output mean = %4");
    assert_eq!([1, 2, 1000].map(|b| at(&read_twice, b)), [None, None, None]);
}

#[test]
fn an_update_of_larger_values_is_multiplied_out_where_it_shares_nothing_with_the_weight() {
    let text = |weight: &str| {
        format!(
            "%0: f32[b, i=64] = input \"x\"
         %1: f32[i=64, o=64] = param \"w\"
         %2: f32[z=128] = input \"z\"
         %3: f32[z=128, i=64, r=4] = param \"g\"
         %4: f32[r=4, o=64] = param \"u\"
         %5: f32[o=64] = fold sum(r=4) %4[r, o]
         %6: f32[i=64, o=64] = {weight}
         %7: f32[i=64, o=64] = sum(z=128, r=4) %2[z] * %3[z, i, r] * %4[r, o]
         %8: f32[i=64, o=64] = add %6[i, o], %7[i, o]
         %9 y: f32[b, o=64] = sum(i=64) %0[b, i] * %8[i, o]
         output y = %9"
        )
    };
    assert!(at(&text("tanh %1[i, o]"), 1).is_some_and(|found| found.lines().count() == 2));
    // A weight that is made of `u`, too, may be what its update takes away.
    assert_eq!(at(&text("mul %1[i, o], %5[o]"), 1), None);
}

#[test]
fn weights_of_each_condition_are_kept_only_where_that_is_cheaper() {
    let text = |n: i64, codes: &str| {
        format!(
            "%0: f32[b, i={n}] = input \"x\"
         %1: f32[{codes}z=16] = condition \"z\"
         %2: f32[z=16, i={n}, r={n}] = param \"g\"
         %3: f32[r={n}, o={n}] = param \"u\"
         %4: f32[{codes}i={n}, o={n}] = sum(z=16, r={n}) %1[{}z] * %2[z, i, r] * %3[r, o]
         %5: f32[b, o={n}] = sum(i={n}) %0[b, i] * %4[{}i, o]
         output y = %5",
            codes.replace(' ', "").replace(',', ", "),
            codes.replace(' ', "").replace(',', ", "),
        )
    };
    // One condition for all rows: the matrix is made once. One for each row: what it is made of is.
    assert_eq!(at(&text(64, ""), 1000), None);
    assert!(at(&text(48, "b, "), 96).is_some());
}
