//! Distributions: their moments, by what is known of them; values from the bits alone, worked out a second time; the same on every backend.

use crate::brothers::{gives, says};
use crate::suite::Case;
use hnet::ir::Tensor;
use hnet::ir::random::{counter, philox, uniform};

/// How many are drawn.
const MANY: usize = 40_000;

/// One distribution, drawn often: in every way the same numbers, with this mean and variance.
fn moments(distribution: &str, mean: f64, variance: f64) {
    let text = format!("model M {{\n    draw x: [{MANY}] = {distribution}\n    output y: [{MANY}] = x\n}}\n");
    let case = Case::new(&text, &[], &[]);
    case.agrees();
    case.each(|way, got| {
        let v: Vec<f64> = got[0].to_f64();
        let n = v.len() as f64;
        let m = v.iter().sum::<f64>() / n;
        let s = v.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / n;
        // Five standard errors of the mean, and a share of the variance.
        assert!((m - mean).abs() < 5.0 * (variance / n).sqrt(), "{distribution}, {way:?}: the mean is {m}, not {mean}");
        assert!((s / variance - 1.0).abs() < 0.08, "{distribution}, {way:?}: the variance is {s}, not {variance}");
    });
}

#[test]
fn moments_are_those_of_the_books() {
    // numpy and scipy.stats say the same.
    moments("exponential()", 1.0, 1.0);
    moments("exponential(rate: 4)", 0.25, 0.0625);
    moments("gumbel()", 0.577_215_664_9, std::f64::consts::PI.powi(2) / 6.0);
    moments("gumbel(loc: 1, scale: 0.5)", 1.0 + 0.5 * 0.577_215_664_9, std::f64::consts::PI.powi(2) / 24.0);
    // scipy.stats.truncnorm(-2, 2).var()
    moments("truncated_normal()", 0.0, 0.773_741_3);
    moments("truncated_normal(1, 2)", 1.0, 4.0 * 0.773_741_3);
    moments("gamma(2.5)", 2.5, 2.5);
    moments("gamma(shape: 0.3, rate: 2)", 0.15, 0.075);
    moments("gamma(1)", 1.0, 1.0);
    moments("beta(2, 5)", 2.0 / 7.0, 10.0 / (49.0 * 8.0));
    moments("beta(0.5, 0.5)", 0.5, 0.125);
}

fn bits(path: &str, call: u32, n: usize) -> Vec<f64> {
    let fnv = |text: &str| text.bytes().fold(0x811c_9dc5u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    let key = [0u32, fnv(&format!("{path}#{call}"))];
    (0..n).map(|i| uniform(philox(counter(i as u64, 0), key)[0])).collect()
}

#[test]
fn orders_and_waits_are_a_function_of_the_bits() {
    let text = "model M {
    draw perm: i32[9] = permutation()
    draw wait: [9] = exponential(rate: 2)
    output p: i32[9] = perm
    output w: [9] = wait
}
";
    let u = bits("perm", 1, 9);
    let mut order: Vec<usize> = (0..9).collect();
    order.sort_by(|a, b| u[*a].total_cmp(&u[*b]));
    let order: Vec<f64> = order.into_iter().map(|k| k as f64).collect();
    let waits: Vec<f64> = bits("wait", 1, 9).into_iter().map(|u| -(1.0 - u).ln() / 2.0).collect();
    gives(text, &[], &[], &[("p", &order), ("w", &waits)]);
}

#[test]
fn permutations_have_every_place_once_along_the_last_axis() {
    for n in [0i64, 1, 2, 7, 300] {
        let text = "dim b
dim t
model M {
    draw one: i32[b, 5] = permutation()
    draw two: [b, t] = permutation()
    let places[k < 5] = sum[i] number(one[i] == k)
    output each: bool = all[b, k < 5] (places[k] == 1)
    output low: bool = all[b, t] (two >= 0)
    output high: bool = all[b, t] (two < count[t])
    output total: [b] = sum[t] two
}
";
        let total = (n * (n - 1) / 2) as f64;
        let wants: &[(&str, &[f64])] = &[("each", &[1.0]), ("low", &[1.0]), ("high", &[1.0]), ("total", &[total; 3])];
        gives(text, &[("b", 3), ("t", n)], &[], wants);
    }
}

#[test]
fn categories_come_as_often_as_their_chances() {
    let text = format!(
        "dim b
model M {{
    input logits: [b, 4]
    draw pick: i32[b, {MANY}] = categorical(logits)
    let share[b, k < 4] = mean[i] number(pick[b, i] == k)
    output y: [b, 4] = share
}}
"
    );
    let inf = f64::NEG_INFINITY;
    let logits = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.0, inf, inf, inf, 3.0, inf];
    let inputs = [("logits", Tensor::new(vec![12], hnet::ir::Data::F64(logits.to_vec())))];
    Case::new(&text, &[("b", 3)], &inputs).each(|way, got| {
        let v = got[0].to_f64();
        for (row, logits) in v.chunks(4).zip(logits.chunks(4)) {
            let sum: f64 = logits.iter().map(|l| l.exp()).sum();
            for (share, logit) in row.iter().zip(logits) {
                let p = logit.exp() / sum;
                let error = 5.0 * (p * (1.0 - p) / MANY as f64).sqrt() + 1e-9;
                assert!((share - p).abs() < error, "{way:?}: {share}, not {p}");
            }
        }
    });
}

/// Each value of a list as often as the others, whatever it is a list of; two draws are two choices, and a slope goes to what was chosen.
#[test]
fn values_of_a_list_come_alike_often() {
    let text = format!(
        "dim b
model M {{
    param table: [3] = zeros()
    draw real: [b, {MANY}] = choose([-0.5, 2, 7])
    draw whole: i32[b, {MANY}] = choose([16, 32, 64, 128])
    draw truth: bool[{MANY}] = choose([true, false])
    draw only: [{MANY}] = choose([3])
    draw entry: [{MANY}] = choose(table)
    let reals[b, k < 3] = mean[i] number(real[b, i] == [-0.5, 2, 7][k])
    let wholes[b, k < 4] = mean[i] number(whole[b, i] == 2 ^ (k + 4))
    let slope = grad(mean[i] entry[i], table)
    output r: [b, 3] = reals
    output w: [b, 4] = wholes
    output t: f32 = mean[i] number(truth[i])
    output o: f32 = max[i] abs(only[i] - 3)
    output s: [3] = slope
    output apart: f32 = mean[b, i] number(whole[b, i] == 16 and real[b, i] == 7)
}}
"
    );
    Case::new(&text, &[("b", 2)], &[]).each(|way, got| {
        let near = |v: f64, p: f64| assert!((v - p).abs() < 5.0 * (p * (1.0 - p) / MANY as f64).sqrt(), "{way:?}: {v}, not {p}");
        got[0].to_f64().iter().for_each(|v| near(*v, 1.0 / 3.0));
        got[1].to_f64().iter().for_each(|v| near(*v, 0.25));
        near(got[2].get(0), 0.5);
        assert_eq!(got[3].get(0), 0.0, "{way:?}");
        got[4].to_f64().iter().for_each(|v| near(*v, 1.0 / 3.0));
        near(got[5].get(0), 1.0 / 12.0);
    });
}

#[test]
fn shares_sum_to_one_and_have_their_means() {
    let text = format!(
        "model M {{
    draw share: [{MANY}, 3] = dirichlet([0.5, 1, 2])
    draw even: [{MANY}, 2] = dirichlet(0.01)
    let mean_share[k] = mean[i] share[i, k]
    let one[i] = abs(sum[k] share[i, k] - 1)
    let other[i] = abs(sum[k] even[i, k] - 1)
    output m: [3] = mean_share
    output worst: f32 = max(one) + max(other)
    output low: f32 = min[i, k] share[i, k]
}}
"
    );
    Case::new(&text, &[], &[]).each(|way, got| {
        for (m, want) in got[0].to_f64().iter().zip([0.5 / 3.5, 1.0 / 3.5, 2.0 / 3.5]) {
            assert!((m - want).abs() < 5.0 * (want / 4.5 / MANY as f64).sqrt(), "{way:?}: {m}, not {want}");
        }
        assert!(got[1].get(0) < 1e-5 && got[2].get(0) >= 0.0, "{way:?}: {:?} {:?}", got[1], got[2]);
    });
}

#[test]
fn truncated_numbers_stay_within_two_deviations() {
    let text = format!(
        "model M {{\n    draw x: [{MANY}] = truncated_normal(mean: 3, std: 0.5)\n    output low: f32 = min(x)\n    output high: f32 = max(x)\n}}\n"
    );
    Case::new(&text, &[], &[]).each(|way, got| {
        let (low, high) = (got[0].get(0), got[1].get(0));
        assert!((2.0..2.01).contains(&low) && (3.99..=4.0).contains(&high), "{way:?}: {low} {high}");
    });
}

#[test]
fn what_a_draw_lacks_is_said() {
    says("model M {\n    draw x: i32 = permutation()\n    output y: i32 = x\n}\n", "H0509");
    says("model M {\n    input z: f32\n    draw x: i32 = categorical(z)\n    output y: i32 = x\n}\n", "H0509");
    says("model M {\n    draw x: [3] = gamma()\n    output y: [3] = x\n}\n", "H0509");
    says("model M {\n    draw x: [3] = gamma(rate: 2)\n    output y: [3] = x\n}\n", "H0509");
    says("model M {\n    draw x: bool[3] = categorical([1, 2])\n    output y: bool[3] = x\n}\n", "H0336");
    says("model M {\n    draw x: f32 = choose(2)\n    output y: f32 = x\n}\n", "H0509");
    says("model M {\n    draw x: f32 = choose()\n    output y: f32 = x\n}\n", "H0509");
    says("model M {\n    draw x: f32 = choose([[1, 2], [3, 4]])\n    output y: f32 = x\n}\n", "H0509");
    says("model M {\n    draw x: i32 = choose([0.5, 1])\n    output y: i32 = x\n}\n", "H0336");
    says("model M {\n    draw x: i32[3] = gumbel()\n    output y: i32[3] = x\n}\n", "H0336");
}

/// A loop in a loop that both stay loops counts anew in each round of the outer one; what it draws is another number all the same.
#[test]
fn rounds_of_a_loop_in_a_loop_draw_for_themselves() {
    let text = "dim t
dim s
dim q
model M {
    input x: [t]
    input z: [s]
    input v: [q]
    let out[t] = for t in 0..count[t] {
        let row[s] = for s in 0..count[s] {
            draw e: f32 = uniform()
            let low[q] = for q in rev 0..count[q] { draw f: f32 = uniform(); yield f + 0 * v[q] }
            yield (one: e + 0 * z[s], low: low)
        }
        yield (one: row.one, low: row.low, x: x[t])
    }
    output one: [t, s] = out.one
    output deep: [t, s, q] = out.low
}
";
    let case = Case::new(text, &[("t", 3), ("s", 4), ("q", 5)], &[]);
    case.agrees();
    case.each(|way, got| {
        for values in got {
            let mut all = values.to_f64();
            all.sort_by(f64::total_cmp);
            assert!(all.windows(2).all(|w| w[0] != w[1]), "{way:?}: a number was drawn twice: {all:?}");
        }
    });
    // The first loop counts as before: round `r` has the bits of counter `r`.
    let one = Case::new(
        "dim t\nmodel M {\n input x: [t]\n let v[t] = for t in 0..count[t] { draw e: f32 = uniform(); yield e + 0 * x[t] }\n output y: [t] = v\n}",
        &[("t", 4)],
        &[],
    );
    let key = bits("e", 1, 1);
    one.each(|_, got| assert!((got[0].get(0) - key[0]).abs() < 1e-7));
}
