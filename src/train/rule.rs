//! Rules by which a gradient changes a parameter, as graphs. All follow PyTorch's conventions (2.15), to the place of every `eps`.
//!
//! A rule reads the parameter, its gradient and what it remembers of earlier steps, and gives the new parameter and what to remember. What
//! changes with the number of updates alone ([`Number`]) is computed in f64 outside of the graph: `1 - beta` in f32 would be off in the
//! fifth digit.

use super::make::Maker;
use crate::check::model::{Method, Optimizer};
use crate::ir::{Map, NodeId};

/// A number that depends on how many updates there were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// `1 / (1 - beta^t)`
    Correction(f64),
    /// `1 / sqrt(1 - beta^t)`
    RootCorrection(f64),
    /// 1 in the first update, then `1 - dampening`
    Damping(f64),
}

impl Number {
    /// Its value in update `t`, the first of which is 1.
    pub fn value(self, t: u64) -> f64 {
        // 1 - beta^t without losing digits where it is small.
        let left = |beta: f64| if beta == 0.0 { 1.0 } else { -libm::expm1(t as f64 * libm::log(beta)) };
        match self {
            Number::Correction(beta) => 1.0 / left(beta),
            Number::RootCorrection(beta) => 1.0 / left(beta).sqrt(),
            Number::Damping(dampening) => {
                if t <= 1 {
                    1.0
                } else {
                    1.0 - dampening
                }
            }
        }
    }
}

/// What a rule remembers for each parameter: names, and the number that all elements begin with.
pub fn memories(o: &Optimizer) -> Vec<(&'static str, f64)> {
    let momentum = o.setting("momentum") != 0.0;
    match o.method {
        Method::Sgd if momentum => vec![("momentum", 0.0)],
        Method::Sgd => vec![],
        Method::Adam | Method::AdamW => vec![("mean", 0.0), ("square", 0.0)],
        Method::RmsProp => {
            let mut out = vec![("square", 0.0)];
            out.extend((o.setting("centered") != 0.0).then_some(("mean", 0.0)));
            out.extend(momentum.then_some(("momentum", 0.0)));
            out
        }
        Method::Adagrad => vec![("square", o.setting("initial"))],
        Method::Lion => vec![("mean", 0.0)],
        Method::Muon => vec![("momentum", 0.0)],
    }
}

/// The numbers that a rule wants in each update.
pub fn numbers(o: &Optimizer) -> Vec<Number> {
    match o.method {
        Method::Sgd if o.setting("momentum") != 0.0 && o.setting("dampening") != 0.0 => {
            vec![Number::Damping(o.setting("dampening"))]
        }
        Method::Adam | Method::AdamW => {
            vec![Number::Correction(o.setting("beta1")), Number::RootCorrection(o.setting("beta2"))]
        }
        Method::Sgd | Method::RmsProp | Method::Adagrad | Method::Lion | Method::Muon => vec![],
    }
}

/// One parameter in one update.
pub struct Update<'a> {
    pub optimizer: &'a Optimizer,
    pub value: NodeId,
    pub gradient: NodeId,
    /// As [`memories`] lists them.
    pub memories: &'a [NodeId],
    /// As [`numbers`] lists them.
    pub numbers: &'a [NodeId],
    /// How many of the leading dimensions count nets of an array.
    pub nets: usize,
}

/// The new value of a parameter, and what is remembered of the update.
pub fn apply(m: &mut Maker, u: &Update) -> (NodeId, Vec<NodeId>) {
    let o = u.optimizer;
    let matrix = m.graph.node(u.value).rank() - u.nets >= 2;
    let decay = if matrix || o.setting("decay_all") != 0.0 { o.setting("decay") } else { 0.0 };
    match o.method {
        Method::Sgd => sgd(m, u, decay),
        Method::Adam => {
            let gradient = with_decay(m, u, decay);
            adam(m, u, u.value, gradient)
        }
        Method::AdamW => {
            let value = decayed(m, u, decay);
            adam(m, u, value, u.gradient)
        }
        Method::RmsProp => rmsprop(m, u, decay),
        Method::Adagrad => {
            let gradient = with_decay(m, u, decay);
            let square = m.mul(gradient, gradient);
            let sum = m.add(u.memories[0], square);
            let root = m.sqrt(sum);
            let below = shifted(m, root, o.setting("eps"));
            let step = m.div(gradient, below);
            (moved(m, u, u.value, step), vec![sum])
        }
        Method::Lion => lion(m, u, decay),
        Method::Muon => muon(m, u, decay),
    }
}

/// The gradient, and `decay` times the value: a penalty on squares.
fn with_decay(m: &mut Maker, u: &Update, decay: f64) -> NodeId {
    if decay == 0.0 {
        return u.gradient;
    }
    let pull = m.scale(u.value, decay);
    m.add(u.gradient, pull)
}

/// `value * (1 - rate * decay)`: decay apart from the gradient (Loshchilov & Hutter 2019).
fn decayed(m: &mut Maker, u: &Update, decay: f64) -> NodeId {
    if decay == 0.0 {
        return u.value;
    }
    let part = m.scale(u.optimizer.rate, decay);
    let one = m.number(1.0);
    let kept = m.sub(one, part);
    m.mul(u.value, kept)
}

/// `value - rate * step`
fn moved(m: &mut Maker, u: &Update, value: NodeId, step: NodeId) -> NodeId {
    let way = m.mul(step, u.optimizer.rate);
    m.sub(value, way)
}

fn shifted(m: &mut Maker, a: NodeId, by: f64) -> NodeId {
    let by = m.number(by);
    m.add(a, by)
}

/// Stochastic gradient descent, with momentum (Sutskever et al. 2013; the rate is outside of the buffer) and Nesterov's look ahead.
fn sgd(m: &mut Maker, u: &Update, decay: f64) -> (NodeId, Vec<NodeId>) {
    let gradient = with_decay(m, u, decay);
    let momentum = u.optimizer.setting("momentum");
    let Some(&before) = u.memories.first() else { return (moved(m, u, u.value, gradient), vec![]) };
    let fresh = match u.numbers.first() {
        Some(damping) => m.mul(gradient, *damping),
        None => gradient,
    };
    let kept = m.scale(before, momentum);
    let buffer = m.add(kept, fresh);
    let step = if u.optimizer.setting("nesterov") != 0.0 {
        let ahead = m.scale(buffer, momentum);
        m.add(gradient, ahead)
    } else {
        buffer
    };
    (moved(m, u, u.value, step), vec![buffer])
}

/// Kingma & Ba 2015, with both corrections; `eps` is added to the root of the corrected square.
fn adam(m: &mut Maker, u: &Update, value: NodeId, gradient: NodeId) -> (NodeId, Vec<NodeId>) {
    let o = u.optimizer;
    let mean = m.between(u.memories[0], gradient, 1.0 - o.setting("beta1"));
    let kept = m.scale(u.memories[1], o.setting("beta2"));
    let square = m.mul(gradient, gradient);
    let fresh = m.scale(square, 1.0 - o.setting("beta2"));
    let square = m.add(kept, fresh);
    let root = m.sqrt(square);
    let root = m.mul(root, u.numbers[1]);
    let below = shifted(m, root, o.setting("eps"));
    let step = m.div(mean, below);
    let rate = m.mul(o.rate, u.numbers[0]);
    let way = m.mul(step, rate);
    (m.sub(value, way), vec![mean, square])
}

/// Tieleman & Hinton 2012; `eps` is added outside of the root.
fn rmsprop(m: &mut Maker, u: &Update, decay: f64) -> (NodeId, Vec<NodeId>) {
    let o = u.optimizer;
    let gradient = with_decay(m, u, decay);
    let alpha = o.setting("alpha");
    let kept = m.scale(u.memories[0], alpha);
    let square = m.mul(gradient, gradient);
    let fresh = m.scale(square, 1.0 - alpha);
    let square = m.add(kept, fresh);
    let mut out = vec![square];
    let mut under = square;
    let mut next = 1;
    if o.setting("centered") != 0.0 {
        let mean = m.between(u.memories[1], gradient, 1.0 - alpha);
        let own = m.mul(mean, mean);
        under = m.sub(square, own);
        out.push(mean);
        next = 2;
    }
    let root = m.sqrt(under);
    let below = shifted(m, root, o.setting("eps"));
    let mut step = m.div(gradient, below);
    if let Some(&before) = u.memories.get(next) {
        let kept = m.scale(before, o.setting("momentum"));
        step = m.add(kept, step);
        out.push(step);
    }
    (moved(m, u, u.value, step), out)
}

/// Chen et al. 2023: the sign of a mean, with decay apart from it.
fn lion(m: &mut Maker, u: &Update, decay: f64) -> (NodeId, Vec<NodeId>) {
    let o = u.optimizer;
    let ahead = m.between(u.memories[0], u.gradient, 1.0 - o.setting("beta1"));
    let step = m.map(Map::Sign, &[ahead]);
    let value = decayed(m, u, decay);
    let mean = m.between(u.memories[0], u.gradient, 1.0 - o.setting("beta2"));
    (moved(m, u, value, step), vec![mean])
}

/// Jordan et al. 2024: the momentum as the nearest matrix whose directions weigh the same, by Newton and Schulz's iteration. Stored
/// matrices are `[in, out]`, so a rate of a matrix that widens grows by `sqrt(out / in)`, as PyTorch's of `[out, in]` does.
fn muon(m: &mut Maker, u: &Update, decay: f64) -> (NodeId, Vec<NodeId>) {
    let o = u.optimizer;
    let momentum = o.setting("momentum");
    let buffer = m.between(u.memories[0], u.gradient, 1.0 - momentum);
    let ahead = if o.setting("nesterov") != 0.0 { m.between(u.gradient, buffer, momentum) } else { buffer };
    let shape = m.shape(ahead);
    let side = |k: usize| shape[shape.len() - k].size.constant().unwrap_or(1) as f64;
    let (rows, cols) = (side(2), side(1));
    let squares = m.squares(ahead, 2);
    let norm = m.sqrt(squares);
    let least = m.number(o.setting("eps"));
    let norm = m.map(Map::Max, &[norm, least]);
    let mut x = m.per_matrix(Map::Div, ahead, norm);
    for _ in 0..o.setting("rounds") as usize {
        // On the shorter side: x x' of a wide matrix, x' x of a tall one.
        let wide = rows <= cols;
        let gram = m.product((x, !wide), (x, wide));
        let twice = m.product((gram, false), (gram, false));
        let (one, two) = (m.scale(gram, -4.7750), m.scale(twice, 2.0315));
        let both = m.add(one, two);
        let turned = if wide { m.product((both, false), (x, false)) } else { m.product((x, false), (both, false)) };
        let kept = m.scale(x, 3.4445);
        x = m.add(kept, turned);
    }
    let step = m.scale(x, (cols / rows.max(1.0)).max(1.0).sqrt());
    let value = decayed(m, u, decay);
    (moved(m, u, value, step), vec![buffer])
}
