//! Values that are drawn: initial parameters, default conditions, inputs to try a model with.
//!
//! In: an [`Init`], a path, a seed. Out: a tensor. The same seed gives the same bits everywhere: element `i` of `path` is a
//! function of Philox4x32-10 with the key (seed, FNV-1a of the path) and the counter `i`.

use super::params::shape;
use crate::check::model::{Columns, Init, Model, Param};
use crate::diag::{Code, Diagnostic};
use crate::files::memory;
use crate::ir::random::{counter, normal, philox, uniform};
use crate::ir::sizes::Sizes;
use crate::ir::{DType, Data, NodeId, Tensor, interp};
use std::collections::{BTreeMap, BTreeSet};

/// All parameters from their initialisers; one without any is an error that lists every such parameter.
pub fn initialise_all(model: &Model, sizes: &Sizes, seed: i32) -> Result<BTreeMap<String, Tensor>, Vec<Diagnostic>> {
    let without: Vec<&Param> = model.params.iter().filter(|p| p.init.is_none() && !all_provided(p)).collect();
    if let Some(first) = without.first() {
        let message = match without.len() {
            1 => format!("`{}` has no initialiser, and no weights were given", first.path),
            n => format!("{n} parameters have no initialiser, and no weights were given"),
        };
        let mut d = Diagnostic::error(Code::H0607, first.span, message).here("declared here");
        for p in without.iter().skip(1).take(8) {
            d = d.label(p.span, format!("`{}` too", p.path));
        }
        d = d.help("give a weights file with `--params F`, or an initialiser: `= normal(std: 0.1)`");
        return Err(vec![d]);
    }
    each(model, |k, known| initialise(model, &model.params[k], sizes, seed, known))
}

fn all_provided(param: &Param) -> bool {
    let nets: i64 = param.shape.iter().take(param.arrays()).filter_map(|s| s.constant()).product();
    param.provided.len() as i64 >= nets.max(1)
}

/// Makes each parameter, by its place, behind those that it starts from. What starts from one that failed is not tried.
pub fn each(
    model: &Model,
    mut make: impl FnMut(usize, &BTreeMap<String, Tensor>) -> Result<Tensor, Diagnostic>,
) -> Result<BTreeMap<String, Tensor>, Vec<Diagnostic>> {
    let mut out = BTreeMap::new();
    let mut problems = vec![];
    let mut lost: BTreeSet<&str> = BTreeSet::new();
    for k in begin(model)? {
        let path = &model.params[k].path;
        if !lost.is_empty() && model.starts_from(k).iter().any(|(_, from)| lost.contains(from.as_str())) {
            lost.insert(path);
            continue;
        }
        match make(k, &out) {
            Ok(t) => drop(out.insert(path.clone(), t)),
            Err(d) => {
                lost.insert(path);
                problems.push(d);
            }
        }
    }
    if problems.is_empty() { Ok(out) } else { Err(problems) }
}

/// Places of the parameters in the order in which they begin.
pub fn begin(model: &Model) -> Result<Vec<usize>, Vec<Diagnostic>> {
    let bug = |_| vec![Diagnostic::plain(Code::H0899, "parameters start from themselves: this is a bug in hnet")];
    model.beginning().map_err(bug)
}

/// One parameter from its initialiser; zeros where a relation provides it. `known` are those that begin before it.
pub fn initialise(
    model: &Model,
    param: &Param,
    sizes: &Sizes,
    seed: i32,
    known: &BTreeMap<String, Tensor>,
) -> Result<Tensor, Diagnostic> {
    let shape = shape(param, sizes)?;
    match &param.init {
        None => memory::zeros(&param.path, param.dtype, shape),
        Some(Init::Node(node)) => evaluate(model, *node, param.dtype, sizes, seed, known),
        Some(init) => draw(init, &param.path, param.dtype, shape, seed),
    }
}

/// A node of the model's graph that needs nothing but sizes, the seed and the parameters that are known.
pub fn evaluate(
    model: &Model,
    node: NodeId,
    dtype: DType,
    sizes: &Sizes,
    seed: i32,
    known: &BTreeMap<String, Tensor>,
) -> Result<Tensor, Diagnostic> {
    let seed = scalar(seed);
    let mut sources: BTreeMap<&str, &Tensor> = known.iter().map(|(path, t)| (path.as_str(), t)).collect();
    sources.insert("seed", &seed);
    let mut out = interp::evaluate_on(&model.graph, sources, sizes.clone(), &[node], interp::MEMORY)?;
    Ok(cast(&out.remove(0), dtype))
}

/// An i32 of rank 0.
pub fn scalar(value: i32) -> Tensor {
    Tensor::new(vec![], Data::I32(vec![value]))
}

/// The same numbers as another type; f32 values are truncated towards zero for i32.
pub fn cast(t: &Tensor, dtype: DType) -> Tensor {
    let numbers = (0..t.len()).map(|i| t.get(i));
    let data = match dtype {
        DType::F32 => Data::F32(numbers.map(|v| v as f32).collect()),
        DType::I32 => Data::I32(numbers.map(|v| v as i32).collect()),
        DType::Bool => Data::Bool(numbers.map(|v| u8::from(v != 0.0)).collect()),
    };
    Tensor::new(t.shape.clone(), data)
}

/// FNV-1a, 32 bits (Fowler, Noll and Vo).
pub fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

/// Draws a tensor. `Init::Node` is no distribution: it is evaluated by [`evaluate`].
pub fn draw(init: &Init, path: &str, dtype: DType, shape: Vec<usize>, seed: i32) -> Result<Tensor, Diagnostic> {
    let mut out = memory::zeros(path, dtype, shape)?;
    if out.is_empty() {
        return Ok(out);
    }
    let key = [seed as u32, fnv1a(path)];
    if let Init::Orthogonal { gain } = init {
        orthogonal(&mut out, *gain, key);
        return Ok(out);
    }
    // What hangs on the place of an element, besides its bits.
    let columns = match init {
        Init::Columns { parts, .. } => deviations(parts),
        _ => vec![],
    };
    let (width, height) = (out.shape.last().copied().unwrap_or(1), out.shape.iter().rev().nth(1).copied().unwrap_or(1));
    let one = |i: usize| match init {
        Init::Eye { gain } => f64::from(i % width == i / width % height) * gain,
        Init::Columns { uniform, .. } => {
            let std = columns.get(i % width).copied().unwrap_or(0.0);
            value(&Init::spread(*uniform, std), i as u64, key)
        }
        _ => value(init, i as u64, key),
    };
    match &mut out.data {
        Data::F32(v) => v.iter_mut().enumerate().for_each(|(i, x)| *x = one(i) as f32),
        Data::F64(v) => v.iter_mut().enumerate().for_each(|(i, x)| *x = one(i)),
        Data::I32(v) => v.iter_mut().enumerate().for_each(|(i, x)| *x = one(i) as i32),
        Data::Bool(v) => v.iter_mut().enumerate().for_each(|(i, x)| *x = u8::from(one(i) != 0.0)),
    }
    Ok(out)
}

fn value(init: &Init, position: u64, key: [u32; 2]) -> f64 {
    let words = |attempt: i32| philox(counter(position, attempt), key);
    match *init {
        Init::Fill(v) => v,
        Init::Normal { mean, std } => mean + std * normal(words(0)),
        // One draw in twenty is outside; after 64 of them something is wrong with the bits, not with luck.
        Init::TruncatedNormal { mean, std } => {
            mean + std * (0..64).map(|a| normal(words(a))).find(|z| z.abs() <= 2.0).unwrap_or(0.0)
        }
        Init::Uniform { from, to } => from + (to - from) * uniform(words(0)[0]),
        Init::Bernoulli { p } => f64::from(uniform(words(0)[0]) < p),
        Init::RandInt { n } => (uniform(words(0)[0]) * n).floor(),
        Init::Orthogonal { .. } | Init::Eye { .. } | Init::Columns { .. } | Init::Node(_) => 0.0,
    }
}

/// A standard deviation for each column.
fn deviations(list: &[Columns]) -> Vec<f64> {
    let one = |c: &Columns| match c {
        Columns::Alike { count, std } => vec![*std; *count as usize],
        Columns::Times { count, each } => deviations(each).repeat(*count as usize),
    };
    list.iter().flat_map(one).collect()
}

/// Orthonormal rows or columns (whichever are fewer) in each matrix of the last two axes, times `gain` (Saxe et al. 2014):
/// Gram and Schmidt's process, done twice for accuracy, on rows of normal numbers.
fn orthogonal(out: &mut Tensor, gain: f64, key: [u32; 2]) {
    let (rows, cols) = match out.shape.as_slice() {
        [.., r, c] => (*r, *c),
        [n] => (1, *n),
        [] => (1, 1),
    };
    let Data::F32(data) = &mut out.data else { return };
    let (count, length) = (rows.min(cols), rows.max(cols));
    for (m, matrix) in data.chunks_exact_mut((rows * cols).max(1)).enumerate() {
        let first = m * rows * cols;
        let word = |k: usize| normal(philox(counter((first + k) as u64, 0), key));
        let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
        for k in 0..count {
            let mut v: Vec<f64> = (0..length).map(|i| word(k * length + i)).collect();
            for b in basis.iter().chain(&basis) {
                let along: f64 = b.iter().zip(&v).map(|(x, y)| x * y).sum();
                v.iter_mut().zip(b).for_each(|(x, y)| *x -= along * y);
            }
            let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
            v.iter_mut().for_each(|x| *x /= norm);
            basis.push(v);
        }
        for (k, v) in basis.iter().enumerate() {
            for (i, x) in v.iter().enumerate() {
                let at = if rows <= cols { k * cols + i } else { i * cols + k };
                matrix[at] = (gain * x) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_path_give_the_same_bits() {
        let init = Init::Normal { mean: 0.0, std: 1.0 };
        let one = |path: &str, seed| draw(&init, path, DType::F32, vec![100], seed).unwrap();
        assert_eq!(one("a", 1), one("a", 1));
        assert_ne!(one("a", 1), one("b", 1));
        assert_ne!(one("a", 1), one("a", 2));
        assert_eq!(fnv1a("a"), 0xe40c_292c);
    }

    #[test]
    fn distributions_stay_in_their_range() {
        let all = |init: Init, dtype| draw(&init, "p", dtype, vec![4000], 3).unwrap().to_f64();
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        assert!(all(Init::TruncatedNormal { mean: 1.0, std: 0.5 }, DType::F32).iter().all(|v| (0.0..=2.0).contains(v)));
        assert!(all(Init::RandInt { n: 7.0 }, DType::I32).iter().all(|v| (0.0..7.0).contains(v)));
        let coins = all(Init::Bernoulli { p: 0.25 }, DType::F32);
        assert!((mean(&coins) - 0.25).abs() < 0.03);
        assert!((mean(&all(Init::Uniform { from: -1.0, to: 3.0 }, DType::F32)) - 1.0).abs() < 0.1);
    }

    #[test]
    fn an_orthogonal_matrix_is_one() {
        for (r, c) in [(3, 5), (5, 3), (4, 4)] {
            let t = draw(&Init::Orthogonal { gain: 2.0 }, "q", DType::F32, vec![2, r, c], 0).unwrap();
            let at = |m: usize, i: usize, j: usize| t.get(m * r * c + i * c + j);
            for (m, i, j) in (0..2 * 9).map(|k| (k / 9, k / 3 % 3, k % 3)) {
                let dot: f64 = if r <= c {
                    (0..c).map(|k| at(m, i, k) * at(m, j, k)).sum()
                } else {
                    (0..r).map(|k| at(m, k, i) * at(m, k, j)).sum()
                };
                assert!((dot - if i == j { 4.0 } else { 0.0 }).abs() < 1e-5, "{r}x{c} {i} {j} {dot}");
            }
        }
    }
}
