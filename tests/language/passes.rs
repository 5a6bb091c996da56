//! Each pass on a small graph: text before, text after.

use hnet::ir::read::read;
use hnet::ir::verify::verify;
use hnet::opt::{optimize, pass, rolled};

/// The text after the named passes, one after another.
fn after(names: &str, text: &str) -> String {
    let mut graph = read(text).unwrap_or_else(|e| panic!("{e}"));
    verify(&graph).unwrap();
    for name in names.split(' ') {
        graph = (pass(name).expect(name).run)(&graph);
        verify(&graph).unwrap_or_else(|e| panic!("{e}\n{graph}"));
    }
    graph.to_string()
}

pub fn becomes(names: &str, before: &str, expected: &str) {
    let trim = |text: &str| text.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n");
    let found = after(names, before);
    assert_eq!(trim(&found), trim(expected), "\nfound:\n{found}");
}

#[test]
fn copies_go_into_the_subscripts_of_their_users() {
    becomes(
        "simplify dce",
        "%0: f32[i=3, j=4] = input \"x\"
         %1: f32[j=4, i=3] = copy %0[i, j]
         %2: f32[b, j=4, i=3] = copy %1[j, i]
         %3: f32[b, j=4, i=3] = exp %2[b, j, i]
         output y = %3",
        "%0: f32[i=3, j=4] = input \"x\"
         %1: f32[b, j=4, i=3] = exp %0[i, j]
         output y = %1",
    );
}

#[test]
fn a_copy_that_is_an_output_stays_one() {
    becomes(
        "simplify dce",
        "%0: f32[i=3, j=4] = input \"x\"
         %1 t: f32[j=4, i=3] = copy %0[i, j]
         output y = %1",
        "%0: f32[i=3, j=4] = input \"x\"
         %1 t: f32[j=4, i=3] = copy %0[i, j]
         output y = %1",
    );
}

#[test]
fn neutral_elements_go() {
    becomes(
        "simplify dce",
        "%0: f32[b] = input \"x\"
         %1: f32 = const -0
         %2: f32 = const 1
         %3: f32[b] = add %1, %0[b]
         %4: f32[b] = mul %3[b], %2
         %5: f32[b] = sub %1, %4[b]
         %6: f32[b] = neg %5[b]
         %7: f32[b] = sum() %6[b] * %2
         %8: f32[b] = mul %7[b], %1
         %9: f32 = const 2
         %10 y: f32[b] = pow %8[b], %9
         output y = %10",
        // Zero times what may be infinite is not zero.
        "%0: f32[b] = input \"x\"
         %1: f32 = const -0
         %2: f32[b] = mul %0[b], %1
         %3 y: f32[b] = mul %2[b], %2[b]
         output y = %3",
    );
}

#[test]
fn a_plain_zero_makes_a_plain_zero_of_the_other() {
    becomes(
        "simplify dce",
        "%0: f32[b] = input \"x\"
         %1: f32 = const 0
         %2: f32[b] = add %0[b], %1
         %3: f32[b] = sub %1, %2[b]
         %4: f32[b] = exp %3[b]
         %5: f32[b] = add %1, %4[b]
         %6: f32[b] = sub %5[b], %1
         output y = %6",
        "%0: f32[b] = input \"x\"
         %1: f32 = const 0
         %2: f32[b] = add %0[b], %1
         %3: f32[b] = sub %1, %2[b]
         %4: f32[b] = exp %3[b]
         output y = %4",
    );
}

#[test]
fn a_loop_that_nothing_reads_is_a_factor() {
    becomes(
        "simplify dce",
        "%0: f32[b, i=3] = input \"x\"
         %1: f32[i=3] = param \"w\"
         %2: f32 = const 0.5
         %3: f32[b] = sum(k=4, i=3, t) %0[b, i] * %2 * %1[i]
         %4: f32[b, i=3] = fold sum(k=5) %0[b, i]
         %5: f32[b] = sum(k=4) %2 * %3[b] * %2
         output y = %3
         output z = %4
         output u = %5",
        "%0: f32[b, i=3] = input \"x\"
         %1: f32[i=3] = param \"w\"
         %2: f32 = const 2
         %3: f32[b] = sum(i=3, t) %0[b, i] * %1[i] * %2
         %4: f32 = const 5
         %5: f32[b, i=3] = mul %0[b, i], %4
         output y = %3
         output z = %5
         output u = %3",
    );
}

#[test]
fn known_choices_are_taken() {
    becomes(
        "simplify dce",
        "%0: f32[b] = input \"x\"
         %1: f32[b] = input \"y\"
         %2: bool = const 0
         %3: f32[b] = select %2, %0[b], %1[b]
         output z = %3",
        "%0: f32[b] = input \"y\"
         output z = %0",
    );
}

#[test]
fn a_gather_by_a_counter_is_a_copy() {
    becomes(
        "simplify dce",
        "%0: f32[n, d=4] = input \"x\"
         %1: i32[n] = iota
         %2: f32[d=4, n] = gather %0[%1[n], d] else 0
         %3: f32[d=4, n] = exp %2[d, n]
         output y = %3",
        "%0: f32[n, d=4] = input \"x\"
         %1: f32[d=4, n] = exp %0[n, d]
         output y = %1",
    );
}

#[test]
fn a_shorter_counter_is_no_copy() {
    let text = "%0: f32[n=5] = input \"x\"
         %1: i32[m=3] = iota
         %2: f32[m=3] = gather %0[%1[m]] else 0
         output y = %2";
    becomes("simplify dce", text, text);
}

#[test]
fn a_gather_reads_through_a_transpose() {
    becomes(
        "simplify dce",
        "%0: f32[d=4, n] = input \"x\"
         %1: f32[n, d=4] = copy %0[d, n]
         %2: i32[b] = input \"i\"
         %3: f32[b, d=4] = gather %1[%2[b], d] else 0
         output y = %3",
        "%0: f32[d=4, n] = input \"x\"
         %1: i32[b] = input \"i\"
         %2: f32[b, d=4] = gather %0[d, %1[b]] else 0
         output y = %2",
    );
}

#[test]
fn reshapes_join_and_vanish() {
    becomes(
        "simplify dce",
        "%0: f32[i=6] = input \"x\"
         %1: f32[a=2, b=3] = reshape %0
         %2: f32[c=3, d=2] = reshape %1
         %3: f32[one=1, i=6] = reshape %2
         %4: f32[one=1, i=6] = exp %3[one, i]
         output y = %2
         output z = %4",
        "%0: f32[i=6] = input \"x\"
         %1: f32[c=3, d=2] = reshape %0
         %2: f32[one=1, i=6] = exp %0[i]
         output y = %1
         output z = %2",
    );
}

#[test]
fn what_depends_on_nothing_is_computed() {
    becomes(
        "fold dce",
        "%0: f32[b] = input \"x\"
         %1: f32 = const 3
         %2: f32 = const 4
         %3: f32[b] = mul %1, %2
         %4: i32[k=5] = iota
         %5: i32 = fold sum(k=5) %4[k]
         %6: f32 = to_f32 %5
         %7: f32[b] = add %3[b], %6
         %8: f32[b] = mul %0[b], %7[b]
         output y = %8",
        "%0: f32[b] = input \"x\"
         %1: f32 = const 22
         %2: f32[b] = mul %0[b], %1
         output y = %2",
    );
}

#[test]
fn arithmetic_of_counters_that_counts_is_a_counter() {
    becomes(
        "fold simplify dce",
        "%0: f32[n=12] = input \"x\"
         %1: i32[a=3] = iota
         %2: i32[c=4] = iota
         %3: i32 = const 4
         %4: i32[a=3] = mul %1[a], %3
         %5: i32[a=3, c=4] = add %4[a], %2[c]
         %6: i32[n=12] = reshape %5
         %7: f32[n=12] = gather %0[%6[n]]
         %8: i32[n=12] = mod %6[n], %3
         output y = %7
         output z = %8",
        "%0: f32[n=12] = input \"x\"
         %1: i32 = const 4
         %2: i32[n=12] = iota
         %3: i32[n=12] = mod %2[n], %1
         output y = %0
         output z = %3",
    );
}

#[test]
fn infinities_are_not_folded() {
    let text = "%0: f32 = const -1
         %1: f32 = log %0
         output y = %1";
    becomes("fold dce", text, text);
}

#[test]
fn equal_values_are_computed_once() {
    becomes(
        "cse dce",
        "%0: f32[b, i=3] = input \"x\"
         %1: f32[i=3] = param \"w\"
         %2: f32[b, i=3] = mul %0[b, i], %1[i]
         %3: f32[b, j=3] = mul %1[j], %0[b, j]
         %4: f32[b, i=3] = sub %2[b, i], %3[b, i]
         %5: f32[b, i=3] = sub %0[b, i], %1[i]
         output y = %4
         output z = %5",
        "%0: f32[b, i=3] = input \"x\"
         %1: f32[i=3] = param \"w\"
         %2: f32[b, i=3] = mul %0[b, i], %1[i]
         %3: f32[b, i=3] = sub %2[b, i], %2[b, i]
         %4: f32[b, i=3] = sub %0[b, i], %1[i]
         output y = %3
         output z = %4",
    );
}

#[test]
fn loops_with_equal_bodies_are_one() {
    let one = |n: usize| {
        format!(
            "%{n}: f32 = loop 3 carry 1 yield 0 %0 {{
              %0: f32 = arg 1
              %1: f32 = exp %0
              %2: f32 = exp %0
              %3: f32 = add %1, %2
              output c = %3
            }}
            %{}: f32 = result 0 %{n}\n",
            n + 1
        )
    };
    becomes(
        "cse dce",
        &format!("%0: f32 = input \"x\"\n{}{}output y = %2\noutput z = %4", one(1), one(3)),
        "%0: f32 = input \"x\"
         %1: f32 = loop 3 carry 1 yield 0 %0 {
         %0: f32 = arg 1
         %1: f32 = exp %0
         %2: f32 = add %1, %1
         output c = %2
         }
         %2: f32 = result 0 %1
         output y = %2
         output z = %2",
    );
}

#[test]
fn a_sum_of_a_product_is_a_contraction() {
    becomes(
        "contract dce",
        "%0: f32[b, i=64] = input \"x\"
         %1: f32[i=64, o=10] = param \"w\"
         %2: f32[i=64] = param \"gain\"
         %3: f32[b, i=64, o=10] = mul %0[b, i], %1[i, o]
         %4: f32[b, i=64, o=10] = mul %3[b, i, o], %2[i]
         %5 y: f32[b, o=10] = fold sum(i=64) %4[b, i, o]
         output y = %5",
        "%0: f32[b, i=64] = input \"x\"
         %1: f32[i=64, o=10] = param \"w\"
         %2: f32[i=64] = param \"gain\"
         %3 y: f32[b, o=10] = sum(i=64) %0[b, i] * %1[i, o] * %2[i]
         output y = %3",
    );
}

#[test]
fn nested_contractions_become_one() {
    becomes(
        "contract dce",
        "%0: f32[b, i=64] = input \"x\"
         %1: f32[b, i=64, r=4] = input \"a\"
         %2: f32[b, r=4, o=64] = input \"u\"
         %3: f32[b, p=64, q=64] = sum(r=4) %1[b, p, r] * %2[b, r, q]
         %4 y: f32[b, o=64] = sum(i=64) %0[b, i] * %3[b, i, o]
         output y = %4",
        "%0: f32[b, i=64] = input \"x\"
         %1: f32[b, i=64, r=4] = input \"a\"
         %2: f32[b, r=4, o=64] = input \"u\"
         %3 y: f32[b, o=64] = sum(i=64, r=4) %0[b, i] * %1[b, i, r] * %2[b, r, o]
         output y = %3",
    );
}

#[test]
fn a_contraction_read_twice_is_computed_once() {
    let text = "%0: f32[b, i=64] = input \"x\"
         %1: f32[i=64, h=64] = param \"w\"
         %2: f32[h=64, o=64] = param \"v\"
         %3: f32[b, h=64] = sum(i=64) %0[b, i] * %1[i, h]
         %4: f32[b, o=64] = sum(h=64) %3[b, h] * %2[h, o]
         output y = %4
         output h = %3";
    becomes("contract dce", text, text);
}

#[test]
fn a_generated_weight_that_is_prepared_once_stays() {
    let text = "%0: f32[b, i=64] = input \"x\"
         %1: f32[h=32] = condition \"z\"
         %2: f32[h=32, i=64, o=64] = param \"head\"
         %3: f32[i=64, o=64] = sum(h=32) %1[h] * %2[h, i, o]
         %4: f32[b, o=64] = sum(i=64) %0[b, i] * %3[i, o]
         output y = %4";
    becomes("contract dce", text, text);
}

#[test]
fn a_sum_in_a_product_is_left_to_the_planner() {
    let text = "%0: f32[b, i=64] = input \"x\"
         %1: f32[i=64, o=64] = param \"w\"
         %2: f32[b, i=64, r=4] = input \"a\"
         %3: f32[b, r=4, o=64] = input \"u\"
         %4: f32[b, i=64, o=64] = sum(r=4) %2[b, i, r] * %3[b, r, o]
         %5: f32[b, i=64, o=64] = add %1[i, o], %4[b, i, o]
         %6 y: f32[b, o=64] = sum(i=64) %0[b, i] * %5[b, i, o]
         output y = %6";
    becomes("contract dce", text, text);
}

#[test]
fn a_sum_over_a_comparison_is_a_scatter() {
    becomes(
        "scatter dce",
        "%0: i32[q] = input \"i\"
         %1: f32[q, d=4] = input \"v\"
         %2: i32[t=9] = iota
         %3: bool[q, t=9] = eq %0[q], %2[t]
         %4: f32 = const 0
         %5: f32[t=9, d=4, q] = select %3[q, t], %1[q, d], %4
         %6: f32[t=9, d=4] = fold sum(q) %5[t, d, q]
         output y = %6",
        "%0: i32[q] = input \"i\"
         %1: f32[q, d=4] = input \"v\"
         %2: f32[t=9, d=4] = scatter(q) into t %0[q], %1[q, d]
         output y = %2",
    );
}

#[test]
fn a_one_hot_product_is_a_scatter_of_what_is_summed_before() {
    becomes(
        "scatter dce",
        "%0: i32[b, q] = input \"i\"
         %1: f32[b, q, i=8] = input \"v\"
         %2: f32[i=8, d=4] = param \"w\"
         %3: i32[t=9] = iota
         %4: bool[b, q, t=9] = eq %3[t], %0[b, q]
         %5: f32 = const 0
         %6: f32[b, q, t=9, i=8] = select %4[b, q, t], %1[b, q, i], %5
         %7: f32[b, t=9, d=4] = sum(q, i=8) %6[b, q, t, i] * %2[i, d] * %4[b, q, t]
         %8: f32[b, q, t=9] = to_f32 %4[b, q, t]
         %9: f32[b, t=9] = sum(q) %8[b, q, t]
         output y = %7
         output count = %9",
        "%0: i32[b, q] = input \"i\"
         %1: f32[b, q, i=8] = input \"v\"
         %2: f32[i=8, d=4] = param \"w\"
         %3: f32[b, d=4, q] = sum(i=8) %1[b, q, i] * %2[i, d]
         %4: f32[b, t=9, d=4] = scatter(q) into t %0[b, q], %3[b, d, q]
         %5: f32 = const 1
         %6: f32[b, t=9] = scatter(q) into t %0[b, q], %5
         output y = %4
         output count = %6",
    );
}

#[test]
fn a_comparison_times_what_may_be_infinite_stays() {
    let text = "%0: i32[q] = input \"i\"
         %1: f32[q] = input \"v\"
         %2: i32[t=9] = iota
         %3: bool[q, t=9] = eq %2[t], %0[q]
         %4: f32[q, t=9] = to_f32 %3[q, t]
         %5: f32[t=9] = sum(q) %4[q, t] * %1[q]
         output y = %5";
    becomes("scatter dce", text, text);
}

#[test]
fn what_nobody_needs_goes_with_its_size() {
    becomes(
        "dce",
        "%0: f32 = condition \"n\"
         %1: f32 = condition \"m\"
         %2: i32[n] = iota
         %3: i32[m] = iota
         output y = %2
         size n = %0
         size m = %1",
        "%0: f32 = condition \"n\"
         %1: i32[n] = iota
         output y = %1
         size n = %0",
    );
}

#[test]
fn a_loop_keeps_only_what_is_read() {
    becomes(
        "dce",
        "%0: f32 = input \"x\"
         %1: f32 = input \"y\"
         %2: f32 = input \"z\"
         %3: f32 = loop 3 stop carry 3 yield 2 %0, %1, %2, %0, %1 {
           %0: i32 = arg 0
           %1: f32 = arg 1
           %2: f32 = arg 2
           %3: f32 = arg 3
           %4: f32 = arg 4
           %5: f32 = arg 5
           %6: f32 = mul %2, %4
           %7: f32 = add %3, %6
           %8: f32 = exp %5
           %9: i32 = const 1
           %10: bool = eq %0, %9
           output a = %1
           output b = %6
           output c = %7
           output stop = %10
           output d = %8
           output e = %7
         }
         %4: f32[r=3] = result 4 %3
         output y = %4",
        "%0: f32 = input \"x\"
         %1: f32 = input \"y\"
         %2: f32 = input \"z\"
         %3: f32 = loop 3 stop carry 2 yield 1 %1, %2, %0 {
           %0: i32 = arg 0
           %1: f32 = arg 1
           %2: f32 = arg 2
           %3: f32 = arg 3
           %4: f32 = mul %1, %3
           %5: f32 = add %2, %4
           %6: i32 = const 1
           %7: bool = eq %0, %6
           output b = %4
           output c = %5
           output stop = %7
           output e = %5
         }
         %4: f32[r=3] = result 2 %3
         output y = %4",
    );
}

#[test]
fn all_passes_together() {
    let text = "%0: f32[b, i=64] = input \"x\"
         %1 w: f32[i=64, o=64] = param \"w\"
         %2: f32[b, z=8] = input \"z\"
         %3: f32[z=8, n=256] = param \"down\"
         %4: f32[b, n=256] = sum(z=8) %2[b, z] * %3[z, n]
         %5: f32[b, i=64, r=4] = reshape %4
         %6: f32[r=4, o=64] = param \"up\"
         %7: f32[b, i=64, o=64] = sum(r=4) %5[b, i, r] * %6[r, o]
         %8: f32 = const 1
         %9: f32[b, i=64, o=64] = mul %7[b, i, o], %8
         %10: f32[b, i=64, o=64] = add %1[i, o], %9[b, i, o]
         %11: f32[b, i=64, o=64] = mul %0[b, i], %10[b, i, o]
         %12 y: f32[b, o=64] = fold sum(i=64) %11[b, i, o]
         output y = %12";
    let mut names = Vec::new();
    let graph = optimize(&read(text).unwrap(), &mut |name, _| names.push(name.to_string()));
    assert!(names.contains(&"contract".to_string()));
    let expected = "%0: f32[b, i=64] = input \"x\"
%1 w: f32[i=64, o=64] = param \"w\"
%2: f32[b, z=8] = input \"z\"
%3: f32[z=8, n=256] = param \"down\"
%4: f32[b, n=256] = sum(z=8) %2[b, z] * %3[z, n]
%5: f32[b, i=64, r=4] = reshape %4
%6: f32[r=4, o=64] = param \"up\"
%7: f32[b, i=64, o=64] = sum(r=4) %5[b, i, r] * %6[r, o]
%8: f32[b, i=64, o=64] = add %1[i, o], %7[b, i, o]
%9 y: f32[b, o=64] = sum(i=64) %0[b, i] * %8[b, i, o]
output y = %9
";
    assert_eq!(graph.to_string(), expected, "\n{graph}");
}

#[test]
fn a_known_node_is_found_again() {
    let graph = read("%0: f32[b] = input \"x\"\n%1: f32[b] = copy %0[b]\n%2: f32[b] = exp %1[b]\noutput y = %2\n").unwrap();
    let ids: Vec<_> = graph.ids().collect();
    let (after, places) = hnet::opt::optimize_keeping(&graph, &[ids[1], ids[2]], &mut |_, _| {});
    assert_eq!(places, vec![ids[0], ids[1]]);
    assert_eq!(after.outputs.len(), 1);
}

#[test]
fn demands_that_are_met_go_and_equal_ones_are_one() {
    becomes(
        "simplify cse dce",
        "%0: i32[b] = input \"k\"
         %1: bool[b] = input \"m\"
         %2: f32[n=10] = param \"w\"
         %3: bool = const 1
         %4: bool = const 0
         %5: i32[i=10] = iota
         %6: i32 = const 3
         %7: i32[b] = inside (n=10) %0[b], %1[b]
         %8: i32[b] = inside (n=10) %0[b], %1[b]
         %9: i32[b] = inside (n=10) %0[b], %3
         %10: i32[b] = inside (n=10) %0[b], %4
         %11: i32[i=10] = inside (n=10) %5[i]
         %12: i32 = inside (n=10) %6
         %13: f32[b] = gather %2[%7[b]]
         %14: f32[b] = gather %2[%8[b]]
         %15: f32[b] = gather %2[%9[b]]
         %16: f32[b] = gather %2[%10[b]]
         %17: f32[i=10] = gather %2[%11[i]]
         %18: f32 = gather %2[%12]
         output a = %13
         output b = %14
         output c = %15
         output d = %16
         output e = %17
         output f = %18",
        "%0: i32[b] = input \"k\"
         %1: bool[b] = input \"m\"
         %2: f32[n=10] = param \"w\"
         %3: i32 = const 3
         %4: i32[b] = inside (n=10) %0[b], %1[b]
         %5: i32[b] = inside (n=10) %0[b]
         %6: f32[b] = gather %2[%4[b]]
         %7: f32[b] = gather %2[%5[b]]
         %8: f32[b] = gather %2[%0[b]]
         %9: f32 = gather %2[%3]
         output a = %6
         output b = %6
         output c = %7
         output d = %8
         output e = %2
         output f = %9",
    );
}

/// `h` goes to `tanh(h + k)`, written out: from `exp x` on.
fn rounds(count: usize) -> String {
    let mut text = "%0: f32[b] = input \"x\"\n%1: f32[b] = exp %0[b]\n".to_string();
    for k in 0..count {
        let (c, sum, h, before) = (2 + 3 * k, 3 + 3 * k, 4 + 3 * k, 1 + 3 * k);
        text += &format!("%{c}: f32 = const {k}\n%{sum}: f32[b] = add %{before}[b], %{c}\n%{h}: f32[b] = tanh %{sum}[b]\n");
    }
    text + &format!("output y = %{}\n", 1 + 3 * count)
}

#[test]
fn rounds_that_are_alike_become_a_loop() {
    let graph = read(&rounds(10)).unwrap();
    let found = rolled(&graph, 16);
    verify(&found).unwrap();
    let expected = "%0: f32[b] = input \"x\"
%1: f32[b] = exp %0[b]
%2: f32 = loop 10 carry 1 yield 0 %1 {
  %0: i32 = arg 0
  %1: f32[b] = arg 1
  %2: f32 = to_f32 %0
  %3: f32[b] = add %1[b], %2
  %4: f32[b] = tanh %3[b]
  output r0 = %4
}
%3: f32[b] = result 0 %2
output y = %3
";
    assert_eq!(found.to_string(), expected);
}

#[test]
fn few_rounds_and_few_nodes_stay_written_out() {
    for (count, large) in [(7, 8), (10, 21)] {
        let text = rounds(count);
        let graph = read(&text).unwrap();
        assert_eq!(rolled(&graph, large).to_string(), graph.to_string());
    }
}
