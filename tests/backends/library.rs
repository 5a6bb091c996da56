//! The library's nets against plain arithmetic, written down a second time, in the interpreter, in compiled code and on a device.

use crate::suite::{self, Way};
use hnet::bind::inputs::{Request, gather};
use hnet::bind::params;
use hnet::check::model::Model;
use hnet::exec::session;
use hnet::ir::{Bindings, Data, Tensor};
use hnet::pipeline;
use hnet::source::Sources;
use std::collections::BTreeMap;
use std::path::Path;

type V = Vec<f64>;

/// A model with values for everything that it reads, and all its outputs.
struct Case {
    bound: Bindings,
    out: BTreeMap<String, Tensor>,
}

fn models() -> Vec<Model> {
    let mut sources = Sources::default();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library/models.hnet");
    let file = pipeline::read(&mut sources, &path).unwrap();
    let checked = pipeline::check(&mut sources, file, &[]);
    assert!(checked.is_fine(), "{:#?}", checked.diagnostics);
    checked.models
}

/// Numbers in -1..1 for a name: nothing is zero or one by chance of an initialiser.
fn noise(name: &str, n: usize) -> V {
    let mut s = name.bytes().fold(1u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3) | 1);
    let mut next = || {
        s = s.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        f64::from((s >> 33) as u32) / f64::from(1u32 << 30) - 1.0
    };
    (0..n).map(|_| f64::from(next() as f32)).collect()
}

fn case(name: &str) -> Case {
    let all = models();
    let model = all.iter().find(|m| m.name == name).unwrap();
    let dims = vec![("b".to_string(), 3), ("t".to_string(), 5)];
    let dims = dims.into_iter().filter(|(d, _)| model.dims.iter().any(|m| *m.name == **d)).collect();
    let given = gather(model, &Request { random: true, seed: 5, dims, ..Request::default() }).unwrap();
    let values = |p: &hnet::check::model::Param| {
        let shape = params::shape(p, &given.sizes).unwrap();
        let mut v = noise(&p.path, shape.iter().product());
        // A variance is positive.
        if p.path.ends_with("spread") {
            v.iter_mut().for_each(|v| *v += 2.0);
        }
        (p.path.clone(), Tensor::new(shape, Data::F32(v.iter().map(|v| *v as f32).collect())))
    };
    let params: BTreeMap<String, Tensor> = model.params.iter().map(values).collect();
    let (can, left) = session::computable(model, &given);
    assert!(left.is_empty(), "{left:?}");
    let bound = session::bindings(params, given, 5);
    let case = suite::Case::of(name, model, &can, bound.clone());
    case.agrees();
    let out = case.run(Way::Interpreter).expect("runs anywhere").unwrap();
    Case { bound, out: case.source().outputs.iter().map(|o| o.name.to_string()).zip(out).collect() }
}

/// As near as f64 is to itself: relative to each number, or to what cancelled.
fn near(who: &str, got: &[f64], want: &[f64], limit: f64) {
    assert_eq!(got.len(), want.len(), "{who}");
    let largest = want.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    for (i, (a, b)) in got.iter().zip(want).enumerate() {
        assert!((a - b).abs() <= (limit * b.abs()).max(1e-13 * largest), "{who}: element {i} is {a}, not {b}");
    }
}

impl Case {
    fn get(&self, path: &str) -> V {
        self.bound.sources.get(path).unwrap_or_else(|| panic!("no {path}: {:?}", self.bound.sources.keys())).to_f64()
    }

    /// The net number `k` of an array.
    fn nth(&self, path: &str, k: usize) -> V {
        let t = &self.bound.sources[path];
        let each = t.len() / t.shape[0];
        t.to_f64()[k * each..(k + 1) * each].to_vec()
    }

    /// The rows of an input, each `n` long.
    fn rows(&self, path: &str, n: usize) -> Vec<V> {
        self.get(path).chunks(n).map(<[f64]>::to_vec).collect()
    }

    /// An output is what `row` says for each example.
    fn says(&self, output: &str, count: usize, row: impl Fn(usize) -> V) {
        let want: V = (0..count).flat_map(row).collect();
        near(output, &self.out[output].to_f64(), &want, 1e-6);
    }

    fn linear(&self, path: &str, x: &[f64]) -> V {
        add(&mul(x, &self.get(&format!("{path}.w"))), &self.get(&format!("{path}.bias")))
    }

    fn matrix(&self, path: &str, x: &[f64]) -> V {
        mul(x, &self.get(&format!("{path}.w")))
    }

    /// Expert `e` of an array of `Mlp`.
    fn mlp(&self, path: &str, e: usize, x: &[f64]) -> V {
        let part = |p: &str| self.nth(&format!("{path}.*.{p}"), e);
        let h = map(&add(&mul(x, &part("fc1.w")), &part("fc1.bias")), relu);
        add(&mul(&h, &part("fc2.w")), &part("fc2.bias"))
    }

    /// Expert `e` of an array of `SwiGlu`.
    fn swiglu(&self, path: &str, e: usize, x: &[f64]) -> V {
        let part = |p: &str| self.nth(&format!("{path}.*.{p}"), e);
        mul(&times(&map(&mul(x, &part("w1")), silu), &mul(x, &part("w3"))), &part("w2"))
    }

    fn hyper(&self, path: &str, e: &[f64]) -> V {
        self.linear(&format!("{path}.head"), &map(&self.linear(&format!("{path}.trunk"), e), relu))
    }
}

/// A row times a row-major matrix.
fn mul(x: &[f64], w: &[f64]) -> V {
    let o = w.len() / x.len();
    (0..o).map(|c| x.iter().enumerate().map(|(r, v)| v * w[r * o + c]).sum()).collect()
}

fn zip(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> V {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()
}

fn add(a: &[f64], b: &[f64]) -> V {
    zip(a, b, |a, b| a + b)
}

fn times(a: &[f64], b: &[f64]) -> V {
    zip(a, b, |a, b| a * b)
}

fn map(a: &[f64], f: impl Fn(f64) -> f64) -> V {
    a.iter().map(|a| f(*a)).collect()
}

fn scaled(a: &[f64], s: f64) -> V {
    map(a, |a| a * s)
}

fn mean(a: &[f64]) -> f64 {
    a.iter().sum::<f64>() / a.len() as f64
}

fn relu(x: f64) -> f64 {
    x.max(0.0)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn silu(x: f64) -> f64 {
    x * sigmoid(x)
}

/// The error function by a series whose terms have one sign.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= 2.0 * x * x / (2 * n + 1) as f64;
        sum += term;
    }
    sum * (-x * x).exp() * 2.0 / std::f64::consts::PI.sqrt()
}

fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x / 2f64.sqrt()))
}

fn gelu_tanh(x: f64) -> f64 {
    0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
}

fn softmax(a: &[f64]) -> V {
    let e = map(a, f64::exp);
    let s: f64 = e.iter().sum();
    scaled(&e, 1.0 / s)
}

fn standardize(a: &[f64]) -> V {
    let m = mean(a);
    let v = mean(&map(a, |x| (x - m).powi(2)));
    map(a, |x| (x - m) / (v + 1e-5).sqrt())
}

/// The places of the `k` largest, largest first.
fn top(a: &[f64], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..a.len()).collect();
    order.sort_by(|x, y| a[*y].total_cmp(&a[*x]).then(x.cmp(y)));
    order.truncate(k);
    order
}

#[test]
fn film() {
    let c = case("FilmModel");
    let (x, z) = (c.rows("x", 3), c.rows("z", 2));
    let film = |path: &str, x: &[f64], z: &[f64]| {
        let gamma = map(&c.linear(&format!("{path}.gamma"), z), |g| 1.0 + g);
        add(&times(x, &gamma), &c.linear(&format!("{path}.beta"), z))
    };
    c.says("film_y", 3, |b| film("film", &x[b], &z[b]));
    c.says("layer_y", 3, |b| film("layer.film", &standardize(&x[b]), &z[b]));
    c.says("block_y", 3, |b| {
        let u = film("block", &standardize(&x[b]), &z[b]);
        add(&x[b], &c.linear("block.fc2", &map(&c.linear("block.fc1", &u), gelu_tanh)))
    });
    c.says("batch_y", 3, |b| {
        let spread = map(&c.get("batch.norm.spread"), |v| (v + 1e-5).sqrt());
        let n = zip(&zip(&x[b], &c.get("batch.norm.centre"), |a, b| a - b), &spread, |a, b| a / b);
        film("batch.film", &n, &z[b])
    });
    // DiT: SiLU, one linear map, then shift, scale, gate; a layer norm with 1e-6.
    let m = |b: usize| c.linear("zero.map", &map(&z[b], silu));
    c.says("zero_y", 3, |b| {
        let mu = mean(&x[b]);
        let spread = (mean(&map(&x[b], |v| (v - mu).powi(2))) + 1e-6).sqrt();
        let n = map(&x[b], |v| (v - mu) / spread);
        add(&times(&n, &map(&m(b)[3..6], |v| 1.0 + v)), &m(b)[0..3])
    });
    c.says("zero_gate", 3, |b| m(b)[6..9].to_vec());
}

/// The cosine schedule of Nichol & Dhariwal (2021), and the posterior of Ho et al. (2020) as they write it.
#[test]
fn diffusion() {
    let c = case("DiffusionModel");
    let f = |j: f64, all: f64| ((j / all + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
    let left = |j: usize, all: usize| f(j as f64, all as f64) / f(0.0, all as f64);
    for (output, all) in [("short", 1), ("middle", 157), ("long", 4000)] {
        let got = c.out[output].to_f64();
        assert_eq!(got.len(), all + 1);
        for (j, v) in got.iter().enumerate() {
            assert!((v - left(j, all)).abs() < 1e-6, "{output}: {v} at {j}, and {} is wanted", left(j, all));
            assert!((0.0..=1.0).contains(v), "{output}: {v} at {j}");
            assert!(j == 0 || *v < got[j - 1], "{output}: {v} at {j} does not fall");
        }
        assert!(got[0] == 1.0 && got[all] < 1e-6);
    }
    let (clean, eps) = (c.rows("clean", 4), c.rows("eps", 4));
    let a: [f64; 3] = [0.9, 0.5, 1e-9];
    c.says("dirty", 3, |b| zip(&clean[b], &eps[b], |x, e| a[b].sqrt() * x + (1.0 - a[b]).sqrt() * e));
    c.says("back", 3, |b| {
        let x = c.rows("x", 4)[b].clone();
        let before: f64 = 0.95;
        let (alpha, beta) = (a[b] / before, 1.0 - a[b] / before);
        let known = scaled(&clean[b], before.sqrt() * beta / (1.0 - a[b]));
        let seen = scaled(&x, alpha.sqrt() * (1.0 - before) / (1.0 - a[b]));
        let spread = ((1.0 - before) / (1.0 - a[b]) * beta).sqrt();
        add(&add(&known, &seen), &scaled(&eps[b], spread))
    });
}

#[test]
fn lora() {
    let c = case("LoraModel");
    let x = c.rows("x", 4);
    let delta = |path: &str, x: &[f64]| mul(&mul(x, &c.get(&format!("{path}.down"))), &c.get(&format!("{path}.up")));
    for name in ["plain", "fa"] {
        let at = |part: &str| format!("{name}.{part}");
        c.says(&at("y").replace('.', "_"), 3, |b| add(&c.linear(&at("base"), &x[b]), &scaled(&delta(&at("delta"), &x[b]), 3.0)));
    }
    c.says("dora_y", 3, |b| {
        let (down, up) = (c.get("dora.delta.down"), c.get("dora.delta.up"));
        let update: V = down.chunks(2).flat_map(|row| mul(row, &up)).collect();
        let w = add(&c.get("dora.base.w"), &scaled(&update, 3.0));
        let length: V = (0..3).map(|o| (0..4).map(|i| w[i * 3 + o].powi(2)).sum::<f64>().sqrt()).collect();
        let y = times(&zip(&mul(&x[b], &w), &length, |a, b| a / b), &c.get("dora.magnitude"));
        add(&y, &c.get("dora.base.bias"))
    });
    c.says("bank_y", 3, |b| {
        let which = c.get("which")[b] as usize;
        let d = mul(&mul(&x[b], &c.nth("bank.delta.*.down", which)), &c.nth("bank.delta.*.up", which));
        add(&c.linear("bank.base", &x[b]), &d)
    });
    // The shared factors are drawn and not stored: what they do is linear in the stored vectors, and nothing else.
    let stored = |p: &&String| p.starts_with("vera.");
    let names: Vec<&String> = c.bound.sources.keys().filter(stored).collect();
    assert_eq!(names, ["vera.base.bias", "vera.base.w", "vera.inner", "vera.outer"]);
    let y = c.out["vera_y"].to_f64();
    assert!((0..3).any(|b| (y[b * 3] - c.linear("vera.base", &x[b])[0]).abs() > 1e-3));
}

#[test]
fn loss() {
    let c = case("LossModel");
    let (x, y) = (c.rows("x", 4), c.rows("y", 4));
    let d = |b: usize| zip(&x[b], &y[b], |a, b| (a - b).abs());
    c.says("mse_y", 3, |b| vec![mean(&map(&d(b), |r| r * r))]);
    c.says("mae_y", 3, |b| vec![mean(&d(b))]);
    c.says("huber_y", 3, |b| vec![mean(&map(&d(b), |r| if r <= 0.7 { r * r / 2.0 } else { 0.7 * (r - 0.35) }))]);
    let bce = |z: f64, p: f64| -p * sigmoid(z).ln() - (1.0 - p) * (1.0 - sigmoid(z)).ln();
    c.says("bce_y", 3, |b| vec![mean(&zip(&x[b], &map(&y[b], sigmoid), bce))]);
    c.says("kl_y", 3, |b| vec![zip(&softmax(&x[b]), &softmax(&y[b]), |p, q| p * (p / q).ln()).iter().sum()]);
    let normal = |mu: f64, v: f64| 0.5 * (mu * mu + v.exp() - 1.0 - v);
    c.says("normal_y", 3, |b| vec![zip(&x[b], &y[b], normal).iter().sum()]);
    c.says("entropy_y", 3, |b| vec![-softmax(&x[b]).iter().map(|p| p * p.ln()).sum::<f64>()]);
    c.says("distill_y", 3, |b| {
        let (p, q) = (softmax(&scaled(&y[b], 0.5)), softmax(&scaled(&x[b], 0.5)));
        vec![-4.0 * zip(&p, &q, |p, q| p * q.ln()).iter().sum::<f64>()]
    });
}

#[test]
fn embed() {
    let c = case("EmbedModel");
    let x = c.rows("x", 4);
    let table = c.rows("table.w", 3);
    c.says("table_y", 3, |b| table[c.get("id")[b] as usize].clone());
    c.says("sines_y", 15, |n| {
        let t = (n % 5) as f64;
        add(&x[n], &[t.sin(), (t / 100.0).sin(), t.cos(), (t / 100.0).cos()])
    });
    let place = c.rows("learned.place", 4);
    c.says("learned_y", 15, |n| add(&x[n], &place[n % 5]));
    c.says("frequency_y", 15, |n| {
        let a: V = (0..2).flat_map(|k| scaled(&x[n], std::f64::consts::PI * f64::from(1 << k))).collect();
        [map(&a, f64::sin), map(&a, f64::cos)].concat()
    });
    // Sine and cosine of one angle.
    for row in c.out["random_y"].to_f64().chunks(6) {
        (0..3).for_each(|i| assert!((row[i].hypot(row[i + 3]) - 1.0).abs() < 1e-9));
    }
}

#[test]
fn mlp() {
    let c = case("MlpModel");
    let x = c.rows("x", 3);
    c.says("gelu_y", 3, |b| c.linear("gelu_mlp.fc2", &map(&c.linear("gelu_mlp.fc1", &x[b]), gelu)));
    for (name, f) in [("swi", silu as fn(f64) -> f64), ("ge", gelu), ("re", relu)] {
        let part = |p: &str, x: &[f64]| c.matrix(&format!("{name}.{p}"), x);
        c.says(&format!("{name}_y"), 3, |b| part("down", &times(&map(&part("gate", &x[b]), f), &part("up", &x[b]))));
    }
}

#[test]
fn norm() {
    let c = case("NormModel");
    let x = c.rows("x", 24);
    for (output, path, size) in [("group_y", "group", 2), ("instance_y", "instance", 1)] {
        let (gain, bias) = (c.get(&format!("{path}.gain")), c.get(&format!("{path}.bias")));
        c.says(output, 3, |b| {
            let mut y = vec![0.0; 24];
            for group in 0..4 / size {
                let places: Vec<usize> = (0..24).filter(|i| (i % 4) / size == group).collect();
                let part = standardize(&places.iter().map(|i| x[b][*i]).collect::<V>());
                places.iter().zip(part).for_each(|(i, v)| y[*i] = v * gain[i % 4] + bias[i % 4]);
            }
            y
        });
    }
}

#[test]
fn adapter() {
    let c = case("AdapterModel");
    let x = c.rows("x", 4);
    c.says("house_y", 3, |b| add(&x[b], &c.linear("house.up", &map(&c.linear("house.down", &x[b]), gelu))));
    c.says("parallel_y", 3, |b| c.linear("parallel.up", &map(&c.linear("parallel.down", &x[b]), relu)));
    c.says("ia3_y", 3, |b| times(&x[b], &c.get("ia3.factor")));
    let phm = |path: &str, i: usize, o: usize, x: &[f64]| {
        let (rule, part) = (c.get(&format!("{path}.rule")), c.get(&format!("{path}.part")));
        let mut w = vec![0.0; i * o];
        for (k, at) in (0..2).flat_map(|k| (0..i * o).map(move |at| (k, at))) {
            let (row, col) = (at / o, at % o);
            let (p, r, q, s) = (row / (i / 2), row % (i / 2), col / (o / 2), col % (o / 2));
            w[at] += rule[k * 4 + p * 2 + q] * part[k * (i / 2) * (o / 2) + r * (o / 2) + s];
        }
        add(&mul(x, &w), &c.get(&format!("{path}.bias")))
    };
    c.says("phm_y", 3, |b| phm("phm", 4, 6, &x[b]));
    c.says("compact_y", 3, |b| add(&x[b], &phm("compact.up", 2, 4, &map(&phm("compact.down", 4, 2, &x[b]), gelu))));
}

#[test]
fn moe() {
    let c = case("MoeModel");
    let x = c.rows("x", 3);
    let mixed = |picks: Vec<(usize, f64)>, expert: &dyn Fn(usize) -> V| {
        picks.into_iter().fold(vec![0.0; 3], |sum, (e, w)| add(&sum, &scaled(&expert(e), w)))
    };
    let p = |path: &str, n: usize| softmax(&c.matrix(&format!("{path}.gate"), &x[n]));
    c.says("switch_y", 15, |n| {
        let p = p("switch", n);
        mixed(top(&p, 1).into_iter().map(|e| (e, p[e])).collect(), &|e| c.mlp("switch.expert", e, &x[n]))
    });
    let (mut hit, mut chance) = (vec![0.0; 4], vec![0.0; 4]);
    for n in 0..15 {
        hit[top(&p("switch", n), 1)[0]] += 1.0 / 15.0;
        chance = add(&chance, &scaled(&p("switch", n), 1.0 / 15.0));
    }
    near("balance", &c.out["switch.balance"].to_f64(), &[4.0 * times(&hit, &chance).iter().sum::<f64>()], 1e-6);

    let noisy = |n: usize| {
        let score = c.matrix("noisy.gate", &x[n]);
        let order = top(&score, 3);
        let g = softmax(&[score[order[0]], score[order[1]]]);
        (score, order, g)
    };
    c.says("noisy_y", 15, |n| {
        let (_, order, g) = noisy(n);
        mixed(vec![(order[0], g[0]), (order[1], g[1])], &|e| c.mlp("noisy.expert", e, &x[n]))
    });
    let (mut share, mut load) = (vec![0.0; 4], vec![0.0; 4]);
    for (n, row) in x.iter().enumerate() {
        let (score, order, g) = noisy(n);
        share[order[0]] += g[0];
        share[order[1]] += g[1];
        let spread = map(&c.matrix("noisy.noise", row), |v| (1.0 + v.exp()).ln());
        for e in 0..4 {
            let bar = if score[e] > score[order[2]] { score[order[2]] } else { score[order[1]] };
            load[e] += 0.5 * (1.0 + erf((score[e] - bar) / spread[e] / 2f64.sqrt()));
        }
    }
    for (name, v) in [("noisy.importance", share), ("noisy.load", load)] {
        let m = mean(&v);
        near(name, &c.out[name].to_f64(), &[mean(&map(&v, |x| (x - m).powi(2))) / (m * m)], 1e-6);
    }

    c.says("hash_y", 15, |n| c.mlp("hash.expert", c.get("key")[n] as usize % 4, &x[n]));
    c.says("bias_y", 15, |n| {
        let score = map(&c.matrix("bias.gate", &x[n]), sigmoid);
        let pick = top(&add(&score, &c.get("bias.bias")), 2);
        let all = score[pick[0]] + score[pick[1]];
        mixed(pick.into_iter().map(|e| (e, score[e] / all)).collect(), &|e| c.swiglu("bias.expert", e, &x[n]))
    });
    c.says("shared_y", 15, |n| {
        let p = softmax(&c.matrix("shared.routed.gate", &x[n]));
        let pick = top(&p, 2);
        let all = p[pick[0]] + p[pick[1]];
        let picks = pick.into_iter().map(|e| (e, p[e] / all)).collect();
        let routed = mixed(picks, &|e| c.swiglu("shared.routed.expert", e, &x[n]));
        add(&routed, &add(&c.swiglu("shared.always", 0, &x[n]), &c.swiglu("shared.always", 1, &x[n])))
    });
    c.says("grouped_y", 15, |n| {
        let p = p("grouped", n);
        let best: V = p.chunks(2).map(|g| g[0].max(g[1])).collect();
        let open = top(&best, 2);
        let left: V = p.iter().enumerate().map(|(e, v)| if open.contains(&(e / 2)) { *v } else { 0.0 }).collect();
        mixed(top(&left, 2).into_iter().map(|e| (e, p[e])).collect(), &|e| c.swiglu("grouped.expert", e, &x[n]))
    });
}

#[test]
fn dselect() {
    let c = case("MoeModel");
    let step = |t: f64| if t.abs() >= 0.5 { f64::from(t > 0.0) } else { -2.0 * t.powi(3) + 1.5 * t + 0.5 };
    let a = softmax(&c.get("select.alpha"));
    let (mut q, mut entropy) = (vec![0.0; 4], 0.0);
    for (l, i) in (0..2).flat_map(|l| (0..4).map(move |i| (l, i))) {
        let s = map(&c.rows("select.z", 2)[l], step);
        let r: f64 = (0..2).map(|j| if i >> j & 1 == 1 { s[j] } else { 1.0 - s[j] }).product();
        q[i] += a[l] * r;
        entropy -= r * (r + 1e-9).ln();
    }
    c.says("select_q", 1, |_| q.clone());
    c.says("select_entropy", 1, |_| vec![entropy]);
}

#[test]
fn expert_choice_and_ranks() {
    let c = case("ChoiceModel");
    let x = c.rows("x", 3);
    let score: Vec<V> = x.iter().map(|x| softmax(&c.matrix("choice.gate", x))).collect();
    let mut y = vec![vec![0.0; 3]; 15];
    for (b, e) in (0..3).flat_map(|b| (0..4).map(move |e| (b, e))) {
        let of: V = (0..5).map(|t| score[b * 5 + t][e]).collect();
        for n in top(&of, 2).into_iter().map(|t| b * 5 + t) {
            y[n] = add(&y[n], &scaled(&c.mlp("choice.expert", e, &x[n]), score[n][e]));
        }
    }
    c.says("choice_y", 15, |n| y[n].clone());

    // Ranks along a named axis, for each place of the sized one.
    let column = |b: usize, i: usize| (0..5).map(|t| x[b * 5 + t][i]).collect::<V>();
    let rank = |b: usize, i: usize, k: usize| top(&column(b, i), 5)[k];
    c.says("best_index", 6, |n| (0..3).map(|i| rank(n / 2, i, n % 2) as f64).collect());
    c.says("best_value", 6, |n| (0..3).map(|i| column(n / 2, i)[rank(n / 2, i, n % 2)]).collect());
    c.says("sorted", 15, |n| (0..3).map(|i| column(n / 5, i)[rank(n / 5, i, 4 - n % 5)]).collect());
}

#[test]
fn hyper() {
    let c = case("HyperModel");
    let x = c.rows("x", 3);
    // The matrix first, then the bias: the order of declaration.
    let linear = |p: &[f64], x: &[f64], o: usize| add(&mul(x, &p[..3 * o]), &p[3 * o..]);
    c.says("codes_y", 3, |b| {
        (0..3).fold(x[b].clone(), |y, l| linear(&c.hyper("codes.write", &c.rows("codes.code", 2)[l]), &y, 3))
    });
    c.says("heads_y", 3, |b| {
        let h = map(&c.linear("heads.trunk", &c.get("knob")), relu);
        let head = |l: usize| add(&mul(&h, &c.nth("heads.head.*.w", l)), &c.nth("heads.head.*.bias", l));
        (0..3).fold(x[b].clone(), |y, l| linear(&head(l), &y, 3))
    });
    c.says("turned_y", 3, |b| {
        let a = scaled(&c.get("knob"), std::f64::consts::FRAC_PI_2);
        linear(&c.hyper("turned.hyper", &[map(&a, f64::cos), map(&a, f64::sin)].concat()), &x[b], 2)
    });
    c.says("pieces_y", 3, |b| {
        let task = c.rows("pieces.task_code", 2)[1].clone();
        let piece = |k: usize| c.hyper("pieces.write", &[task.clone(), c.rows("pieces.piece_code", 2)[k].clone()].concat());
        let all: V = (0..3).flat_map(piece).collect();
        linear(&all[..12], &x[b], 3)
    });
}
