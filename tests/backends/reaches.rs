//! Products whose threads read their factors where they lie, and those whose factors come through workgroup memory: both are right, whatever the
//! layout, the length, and how many of a row lie at a multiple of four.

use crate::common::device;
use crate::suite::Case;
use hnet::exec::Engine;
use hnet::fuzz::judge::SHADERS;
use hnet::gpu::{self, Choice, Reach, check::validate};

/// A product of each kind: plain, of factors that are turned, of two sums, of a batch, with several columns' axes, followed by what reads a factor
/// once more, of a matrix with itself, of a matrix for each row, and of rows that an index sorts.
fn text(n: usize, k: usize, m: usize) -> String {
    format!(
        "model M {{
            input x: [{n}, {k}]
            input t: [{k}, {n}]
            input z: [{n}, 3, {k}]
            input g: [3, {n}, {k}]
            input e: i32[{n}]
            param w: [{k}, {m}] = normal()
            param v: [{m}, {k}] = normal()
            param q: [3, {k}, {m}] = normal()
            param s: [{k}, {k}] = normal()
            param c: [5, {k}, {m}] = normal()
            let plain[r, o] = sum[i] x[r, i] * w[i, o]
            let turned[r, o] = sum[i] x[r, i] * v[o, i]
            let across[r, o] = sum[i] t[i, r] * w[i, o]
            let twice[r, o] = sum[j, i] z[r, j, i] * q[j, i, o]
            let batch[b, r, o] = sum[i] g[b, r, i] * q[b, i, o]
            let wide[r, j, o] = sum[i] x[r, i] * q[j, i, o]
            let own[r, o] = (sum[i] x[r, i] * s[i, o]) * 0.5 + x[r, o]
            let self[a, b] = sum[i] x[a, i] * x[b, i]
            let routed[r, o] = sum[i] x[r, i] * c[e[r], i, o]
            let picked[r, o] = if e[r] == 2 {{ 0.0 }} else {{ sum[i] x[r, i] * c[e[r], i, o] }}
            output y0: [{n}, {m}] = plain
            output y1: [{n}, {m}] = turned
            output y2: [{n}, {m}] = across
            output y3: [{n}, {m}] = twice
            output y4: [3, {n}, {m}] = batch
            output y5: [{n}, 3, {m}] = wide
            output y6: [{n}, {k}] = own
            output y7: [{n}, {n}] = self
            output y8: [{n}, {m}] = routed
            output y9: [{n}, {m}] = picked
            output y10: [5, {k}, {m}] = grad(sum[r, o] routed[r, o]^2, c)
        }}"
    )
}

/// Rows, steps of the sum, columns: in shaders with others and, from four million multiplications on, in one of their own; multiples of four and
/// not; sums in one chain and in several.
const SIZES: &[(usize, usize, usize)] = &[(17, 8, 16), (300, 132, 128), (257, 131, 133)];

/// Sums that are cut into stretches.
fn long(k: usize) -> String {
    format!("model M {{ input x: [36, {k}] param w: [{k}, 64] = normal() output y: [36, 64] = x @ w }}")
}

#[test]
fn either_reach_is_right() {
    let Some(device) = device("either_reach_is_right") else { return };
    for text in SIZES.iter().map(|(n, k, m)| text(*n, *k, *m)).chain([2600, 2602].map(long)) {
        let case = Case::new(&text, &[], &[]);
        for reach in [Reach::Staged, Reach::Direct] {
            let options = gpu::Options { reach: Some(reach), ..gpu::Options::default() };
            let roots: Vec<_> = case.source().outputs.iter().map(|o| o.node).collect();
            let got = Engine::gpu(&device, case.source(), &roots, options).run(case.bindings());
            let who = format!("{reach:?}");
            case.is_right(&who, &got.unwrap_or_else(|d| panic!("{who}: {d:#?}")), SHADERS);
        }
    }
}

/// Vectors of four are read where everything lies at multiples of four, and nowhere else.
#[test]
fn vectors_are_read_where_they_are_aligned() {
    let vectors = |n: usize, k: usize, m: usize, reach: Reach| {
        let model = hnet::fuzz::check::model(&text(n, k, m)).unwrap_or_else(|f| panic!("{}", f.detail));
        let plan = hnet::pipeline::plan(&model, &Default::default()).unwrap();
        let program = gpu::emit_with(&plan, &Default::default(), &|_| None, Choice { reach, ..Choice::default() });
        for s in &program.shaders {
            validate(&s.code).unwrap_or_else(|why| panic!("{why}\n{}", s.code));
        }
        program.shaders.iter().map(|s| s.code.matches(": array<vec4<f32>>;").count()).sum::<usize>()
    };
    let all = vectors(300, 132, 128, Reach::Direct);
    assert!(all >= 8, "{all} buffers by fours");
    assert_eq!(vectors(300, 132, 128, Reach::Staged), 0);
    assert_eq!(vectors(257, 131, 133, Reach::Direct), 0);
    // Columns lie at multiples of four, steps of the sum do not.
    let columns = vectors(290, 126, 132, Reach::Direct);
    assert!(columns > 0 && columns < all, "{columns} buffers by fours");
}
