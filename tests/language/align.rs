//! The order of axes that values have in memory: as they are read and written, where that is free.

use super::passes::becomes;

#[test]
fn a_pointwise_value_lies_as_what_it_is_made_of() {
    // A softmax over keys that stand first in the source and last in the scores: all of it runs along the keys, and what sums them too.
    becomes(
        "align dce",
        "%0: f32[t=9, a=2, i=4] = input \"q\"
         %1: f32[k=9, a=2, i=4] = input \"k\"
         %2: f32[t=9, a=2, k=9] = sum(i=4) %0[t, a, i] * %1[k, a, i]
         %3: f32[k=9, t=9, a=2] = exp %2[t, a, k]
         %4: f32[t=9, a=2] = fold sum(k=9) %3[k, t, a]
         %5: f32[k=9, t=9, a=2] = div %3[k, t, a], %4[t, a]
         %6 y: f32[t=9, a=2, e=4] = sum(k=9) %5[k, t, a] * %1[k, a, e]
         output y = %6",
        "%0: f32[t=9, a=2, i=4] = input \"q\"
         %1: f32[k=9, a=2, i=4] = input \"k\"
         %2: f32[t=9, a=2, k=9] = sum(i=4) %0[t, a, i] * %1[k, a, i]
         %3: f32[t=9, a=2, k=9] = exp %2[t, a, k]
         %4: f32[t=9, a=2] = fold sum(k=9) %3[t, a, k]
         %5: f32[t=9, a=2, k=9] = div %3[t, a, k], %4[t, a]
         %6 y: f32[t=9, a=2, e=4] = sum(k=9) %5[t, a, k] * %1[k, a, e]
         output y = %6",
    );
}

#[test]
fn what_an_output_wants_is_made_so() {
    // A product, through two functions, to an output with the channel in front: nothing is left to turn.
    becomes(
        "align simplify dce",
        "%0: f32[b=3, p=5, i=4] = input \"x\"
         %1: f32[i=4, c=6] = param \"w\"
         %2: f32[c=6] = param \"bias\"
         %3: f32[b=3, p=5, c=6] = sum(i=4) %0[b, p, i] * %1[i, c]
         %4: f32[b=3, p=5, c=6] = add %3[b, p, c], %2[c]
         %5: f32[b=3, p=5, c=6] = exp %4[b, p, c]
         %6 y: f32[b=3, c=6, p=5] = copy %5[b, p, c]
         output y = %6",
        "%0: f32[b=3, p=5, i=4] = input \"x\"
         %1: f32[i=4, c=6] = param \"w\"
         %2: f32[c=6] = param \"bias\"
         %3: f32[b=3, c=6, p=5] = sum(i=4) %0[b, p, i] * %1[i, c]
         %4: f32[b=3, c=6, p=5] = add %3[b, c, p], %2[c]
         %5 y: f32[b=3, c=6, p=5] = exp %4[b, c, p]
         output y = %5",
    );
}

#[test]
fn what_is_read_as_a_whole_or_two_ways_stays() {
    for text in [
        // Reshaped: the order is what counts.
        "%0: f32[a=2, b=3] = input \"x\"
         %1: f32[b=3, a=2] = exp %0[a, b]
         %2: f32[n=6] = reshape %1
         output y = %2",
        // Two outputs that want it differently.
        "%0: f32[i=4, a=2] = input \"x\"
         %1: f32[i=4, b=3] = input \"z\"
         %2: f32[a=2, b=3] = sum(i=4) %0[i, a] * %1[i, b]
         %3: f32[a=2, b=3] = exp %2[a, b]
         %4: f32[b=3, a=2] = exp %2[a, b]
         output y = %3
         output z = %4",
        // Its other operand has it as it is, and an axis of one element lies anywhere.
        "%0: f32[a=2, b=3] = input \"x\"
         %1: f32[b=3, a=2] = input \"z\"
         %2: f32[a=2, b=3] = add %1[b, a], %0[a, b]
         %3: f32[a=2] = fold sum(b=3) %2[a, b]
         output y = %3",
        "%0: f32[a=2, b=1] = input \"x\"
         %1: f32[b=1, a=2] = exp %0[a, b]
         %2: f32[a=2] = fold sum(b=1) %1[b, a]
         output y = %2",
    ] {
        becomes("align dce", text, text);
    }
}
