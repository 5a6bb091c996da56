//! Values to run a program on: in range, moderate, the same for the same seed.

use super::rng::Rng;
use crate::bind::init;
use crate::check::model::{Allowed, Input, InputKind, Model};
use crate::ir::{Bindings, DType, Data, Sym, Tensor};
use std::collections::BTreeMap;

/// What arithmetic is asked about: no number, infinities, both zeros, less than f32 holds with all digits, nearly more than it holds.
const SPECIAL: [f32; 9] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1e-40, 3e38, -3e38, 1.0];

/// What free axes are: of these lengths, but one of them may be long.
pub struct Lengths {
    pub of: &'static [i64],
    pub long: Option<i64>,
}

/// Everything that a model asks for, its free axes of such lengths; some of the floats are special where that is
/// wanted.
pub fn bindings(model: &Model, lengths: &Lengths, special: bool, seed: u64) -> Result<Bindings, String> {
    let mut rng = Rng::new(seed ^ 0xABCD);
    let mut sizes: BTreeMap<Sym, i64> = BTreeMap::new();
    let free = model.dims.iter().filter(|d| d.size.is_none()).count();
    let long = rng.below(free.max(1));
    let mut open = 0..free;
    for d in &model.dims {
        let own = d.size.or_else(|| lengths.long.filter(|_| open.next() == Some(long)));
        sizes.insert(d.name.clone(), own.unwrap_or_else(|| *rng.pick(lengths.of)));
    }
    let mut sources = BTreeMap::new();
    for input in &model.inputs {
        if let InputKind::Size(allowed) = &input.kind {
            let n = match allowed {
                Allowed::Any => 2,
                Allowed::Range(a, b) => a + rng.below((b - a).max(1) as usize) as i64,
                Allowed::List(list) => *rng.pick(list),
            };
            sizes.insert(input.name.as_str().into(), n);
            sources.insert(input.name.clone(), init::scalar(n as i32));
        }
    }
    for input in &model.inputs {
        if !matches!(input.kind, InputKind::Size(_)) {
            sources.insert(input.name.clone(), value(input, &sizes, special, &mut rng)?);
        }
    }
    repeat(&mut sources, seed);
    let seed = (seed % 1000) as i32;
    sources.insert("seed".into(), init::scalar(seed));
    let params = init::initialise_all(model, &sizes, seed).map_err(|list| list[0].message.clone())?;
    sources.extend(params);
    Ok(Bindings { sources, sizes })
}

/// In one of so many bindings some inputs have equal rows: a condition of which several samples have the same.
const REPEATED_EVERY: u64 = 3;

fn repeat(sources: &mut BTreeMap<String, Tensor>, seed: u64) {
    let mut rng = Rng::new(seed ^ 0xE9A1);
    for t in sources.values_mut().filter(|_| seed.is_multiple_of(REPEATED_EVERY)) {
        let rows = t.shape.first().copied().unwrap_or(0);
        let wide = t.shape.iter().skip(1).product::<usize>();
        let differ = 1 + rng.below((rows / 2).max(1));
        if let Data::F32(v) = &mut t.data
            && rows > 1
            && rng.chance(60)
        {
            (differ..rows).for_each(|k| v.copy_within((k % differ) * wide..(k % differ + 1) * wide, k * wide));
        }
    }
}

fn value(input: &Input, sizes: &BTreeMap<Sym, i64>, special: bool, rng: &mut Rng) -> Result<Tensor, String> {
    let look = |s: &str| sizes.get(s).copied();
    let mut shape = vec![];
    for (_, size) in &input.shape {
        shape.push(size.eval(&look).ok_or_else(|| format!("the size {size} of {} is not known", input.name))? as usize);
    }
    let n: usize = shape.iter().product();
    let data = match input.dtype {
        DType::F32 => Data::F32(
            (0..n)
                .map(|_| match special && rng.chance(8) {
                    true => *rng.pick(&SPECIAL),
                    false => ((rng.unit() * 2.0 - 1.0) * 1.5) as f32,
                })
                .collect(),
        ),
        DType::I32 => {
            let below = input.below.as_ref().and_then(|s| s.eval(&look)).unwrap_or(3).max(1);
            Data::I32((0..n).map(|_| rng.below(below as usize) as i32).collect())
        }
        DType::Bool => Data::Bool((0..n).map(|_| u8::from(rng.chance(50))).collect()),
    };
    Ok(Tensor::new(shape, data))
}

/// The same with every float moved by about a millionth; what is next to nothing stays what it is.
pub fn nudged(bindings: &Bindings, seed: u64) -> Bindings {
    let mut rng = Rng::new(seed);
    let mut out = bindings.clone();
    for t in out.sources.values_mut() {
        let moved: Option<Vec<f64>> = match &t.data {
            Data::F32(v) => {
                let by = |x: &f32| if x.abs() < 1e-6 { 0.0 } else { (rng.unit() - 0.5) * 4e-6 };
                Some(v.iter().map(by).zip(v).map(|(by, x)| f64::from(*x) + by).collect())
            }
            _ => None,
        };
        if let Some(v) = moved {
            t.data = Data::F64(v);
        }
    }
    out
}

/// The same with every float moved to where nothing is equal by chance: parameters that begin with zeros are ties, and stand in corners.
pub fn apart(bindings: &Bindings, seed: u64) -> Bindings {
    let mut rng = Rng::new(seed ^ 0xC0FE);
    let mut out = bindings.clone();
    for t in out.sources.values_mut() {
        if let Data::F32(v) = &mut t.data {
            v.iter_mut().for_each(|x| *x += (0.1 * (rng.unit() - 0.5)) as f32);
        }
    }
    out
}
