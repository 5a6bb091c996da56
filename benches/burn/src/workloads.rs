//! The workloads, each with hnet's side and one or more ways to write it with burn.

use crate::Result;
use crate::ours::Ours;
use crate::peer::{Burn, Peer};
use crate::timing::Side;
use burn::tensor::activation::{silu, softmax};
use burn::tensor::module::linear;
use burn::tensor::{Device, Int, Tensor, TensorData};
use hnet::gpu;
use std::sync::Arc;

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Workload {
    Product,
    Moe,
    Inr,
}

const EXPERTS: usize = 8;
const PICKED: usize = 2;

impl Workload {
    pub fn name(self) -> &'static str {
        match self {
            Workload::Product => "product",
            Workload::Moe => "moe",
            Workload::Inr => "inr",
        }
    }

    pub fn what(self) -> &'static str {
        match self {
            Workload::Product => "x [512, 512] @ w [512, 512]",
            Workload::Moe => "top 2 of 8 SwiGLU experts, d 512, h 1024, 512 tokens",
            Workload::Inr => "generated sine network 2-64-64-64-3, 65536 points",
        }
    }

    /// hnet first.
    pub fn sides(self, device: &Arc<gpu::Device>, burn: &Burn) -> Result<Vec<Box<dyn Side>>> {
        match self {
            Workload::Product => product(device, burn),
            Workload::Moe => moe(device, burn),
            Workload::Inr => inr(device, burn),
        }
    }
}

fn product(device: &Arc<gpu::Device>, burn: &Burn) -> Result<Vec<Box<dyn Side>>> {
    let ours = Ours::new(device, "benches/web/product.hnet", &[], &[("n", 512)])?;
    let w: Tensor<2> = burn.tensor(ours.tensor("w")?);
    let peer = Peer::new("matmul", burn, ours.tensor("x")?, move |x| Ok(x.matmul(w.clone())));
    Ok(vec![Box::new(ours), Box::new(peer)])
}

fn moe(device: &Arc<gpu::Device>, burn: &Burn) -> Result<Vec<Box<dyn Side>>> {
    let ours = Ours::new(device, "models/moe.hnet", &[("d", 512.0), ("h", 1024.0)], &[("t", 512)])?;
    let x = ours.tensor("x")?;
    let gate: Tensor<2> = burn.tensor(ours.tensor("gate.w")?);
    let stacked = |name: &str| -> Result<Tensor<3>> { Ok(burn.tensor(ours.tensor(&format!("expert.*.{name}"))?)) };
    let all = Experts { w1: stacked("w1")?, w3: stacked("w3")?, w2: stacked("w2")? };
    let mut each = Vec::new();
    for e in 0..EXPERTS {
        let one = |name: &str| -> Result<Tensor<2>> {
            let (numbers, shape) = ours.tensor(&format!("expert.*.{name}"))?;
            let length = shape[1] * shape[2];
            Ok(burn.tensor((&numbers[e * length..(e + 1) * length], &shape[1..])))
        };
        each.push(Experts { w1: one("w1")?, w3: one("w3")?, w2: one("w2")? });
    }
    let (router, place) = (gate.clone(), burn.device.clone());
    let dense = Peer::new("dense", burn, x, move |x| Ok(dense(x, &gate, &all)));
    let gathered = Peer::new("gathered", burn, x, move |x| gathered(x, &router, &each, &place));
    Ok(vec![Box::new(ours), Box::new(dense), Box::new(gathered)])
}

/// One expert, or all of them along the first axis.
struct Experts<const D: usize> {
    w1: Tensor<D>,
    w3: Tensor<D>,
    w2: Tensor<D>,
}

impl<const D: usize> Experts<D> {
    fn run(&self, x: Tensor<D>) -> Tensor<D> {
        let gate = silu(x.clone().matmul(self.w1.clone()));
        (gate * x.matmul(self.w3.clone())).matmul(self.w2.clone())
    }
}

/// Every expert for every token as three batched products; a mask makes the weights of the others zero. Four times the arithmetic,
/// but few dispatches and nothing to read before the end.
fn dense(x: Tensor<2>, gate: &Tensor<2>, all: &Experts<3>) -> Tensor<2> {
    let score = softmax(x.clone().matmul(gate.clone()), 1);
    let last = score.clone().topk(PICKED, 1).slice_dim(1, PICKED - 1..PICKED);
    let others = score.clone().lower(last.expand(score.shape()));
    let kept = score.mask_fill(others, 0.0);
    let mix = kept.clone() / kept.sum_dim(1);
    let each = all.run(x.unsqueeze_dim::<3>(0)); // [experts, tokens, d]
    (each * mix.transpose().unsqueeze_dim::<3>(2)).sum_dim(0).squeeze_dim::<2>(0)
}

/// Only the picked experts: the picks are read back, as the host must know how many rows an expert has; then rows are selected for
/// each expert, and its results selected back for each token.
fn gathered(x: Tensor<2>, gate: &Tensor<2>, each: &[Experts<2>], device: &Device) -> Result<Tensor<2>> {
    let [tokens, d] = x.dims();
    let (value, index) = softmax(x.clone().matmul(gate.clone()), 1).topk_with_indices(PICKED, 1);
    let mix = value.clone() / value.sum_dim(1);
    let picks: Vec<i32> = index.try_into_vec_as().map_err(|e| format!("burn: {e:?}"))?;
    let mut order: Vec<usize> = (0..picks.len()).collect();
    order.sort_by_key(|at| picks[*at]);
    let mut place = vec![0; picks.len()]; // in the joined results, by token and slot
    order.iter().enumerate().for_each(|(n, at)| place[*at] = n as i32);
    let rows: Vec<i32> = order.iter().map(|at| (at / PICKED) as i32).collect();

    let numbers = |v: Vec<i32>| Tensor::<1, Int>::from_data(TensorData::from(v.as_slice()), device);
    let sorted = x.select(0, numbers(rows));
    let mut parts = Vec::new();
    let mut from = 0;
    for (e, expert) in each.iter().enumerate() {
        let count = picks.iter().filter(|p| **p == e as i32).count();
        if count > 0 {
            parts.push(expert.run(sorted.clone().slice_dim(0, from..from + count)));
            from += count;
        }
    }
    let back = Tensor::cat(parts, 0).select(0, numbers(place)).reshape([tokens, PICKED, d]);
    Ok((back * mix.unsqueeze_dim::<3>(2)).sum_dim(1).squeeze_dim::<2>(1))
}

fn inr(device: &Arc<gpu::Device>, burn: &Burn) -> Result<Vec<Box<dyn Side>>> {
    let set = [("width", 64.0), ("code", 128.0)];
    let ours = Ours::new(device, "models/inr.hnet", &set, &[("n", 65_536)])?;
    // The peer gets the generated weights ready-made: neither side runs the hypernetwork while it is timed.
    let (z, _) = ours.tensor("z")?;
    let trunk = row(z, ours.tensor("hyper.trunk.w")?.0, ours.tensor("hyper.trunk.bias")?.0);
    let hidden: Vec<f32> = trunk.iter().map(|v| v.max(0.0)).collect();
    let flat = row(&hidden, ours.tensor("hyper.head.w")?.0, ours.tensor("hyper.head.bias")?.0);
    let mut left = flat.as_slice();
    let mut layers = Vec::new();
    for (i, o) in [(2, 64), (64, 64), (64, 64), (64, 3)] {
        let (w, rest) = left.split_at(i * o);
        let (bias, rest) = rest.split_at(o);
        layers.push((burn.tensor::<2>((w, &[i, o])), burn.tensor::<1>((bias, &[o]))));
        left = rest;
    }
    if !left.is_empty() {
        return Err(format!("the hypernetwork writes {} numbers more than the layers take", left.len()).into());
    }
    let peer = Peer::new("linear", burn, ours.tensor("xy")?, move |xy| {
        let layer = |x, n: usize| linear(x, layers[n].0.clone(), Some(layers[n].1.clone()));
        let last = layers.len() - 1;
        Ok(layer((0..last).fold(xy, |x, n| layer(x, n).sin()), last))
    });
    Ok(vec![Box::new(ours), Box::new(peer)])
}

/// `x @ w + bias` for one row on the CPU, added up in f64.
fn row(x: &[f32], w: &[f32], bias: &[f32]) -> Vec<f32> {
    let mut sums: Vec<f64> = bias.iter().map(|b| f64::from(*b)).collect();
    for (x, w) in x.iter().zip(w.chunks_exact(bias.len())) {
        sums.iter_mut().zip(w).for_each(|(sum, w)| *sum += f64::from(*x) * f64::from(*w));
    }
    sums.into_iter().map(|s| s as f32).collect()
}
