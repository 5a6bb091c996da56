//! A graph with everything that f32 rounds moved a little.
//!
//! In: a graph, a seed. Out: the same graph, where each value that is computed, also in the rounds of loops, is multiplied by about 1,
//! at each place by another number; where what f32 cannot tell from 0 is 0, what is beyond f32 is infinite, and a sum that is 0 has
//! either sign.

use crate::ir::scalar::Nature;
use crate::ir::{Axis, DType, Dist, Fold, Graph, Map, Node, NodeId, Op, Operand};
use crate::opt::{Rebuild, rebuild};

/// How far a value moves, relative to itself: a few units in f32's last place.
const STEP: f64 = 1e-6;
/// The least step of f32: where it has lost digits no value is nearer than a part of it, however small it is.
const LEAST: f64 = 1.4e-45;
/// What may be 0 in f32: nothing; less than half of its least number; what has lost digits; a product with 0.01 on the way there.
const TINY: [f64; 4] = [0.0, 7e-46, 1.2e-38, 1e-36];

/// f32's largest.
const MOST: f64 = f32::MAX as f64;

/// The graph moved, otherwise for each seed.
pub fn shaken(graph: &Graph, seed: u64) -> Graph {
    moved(graph, &mut Shake { seed, key: 0, tiny: TINY[seed as usize % TINY.len()], most: MOST, body: false, rounds: true })
}

/// Likewise, where what is near f32's largest is beyond it, what is given, too: of `0.5 * x + 0.5 * x` a driver's compiler makes `0.5 * (x + x)`.
pub fn regrouped(graph: &Graph, seed: u64) -> Graph {
    moved(graph, &mut Shake { seed, key: 0, tiny: 0.0, most: MOST / 8.0, body: false, rounds: true })
}

/// The graph as it is, but for sums that are not decided: in some of their places is what another order of terms may make of them.
pub fn undecided(graph: &Graph, seed: u64) -> Graph {
    moved(graph, &mut Shake { seed, key: 0, tiny: 0.0, most: MOST, body: false, rounds: false })
}

/// How a graph is shaken.
struct Shake {
    seed: u64,
    /// Number of the next node that is moved: each has bits of its own.
    key: u32,
    /// What is smaller becomes 0.
    tiny: f64,
    /// What is larger becomes infinite.
    most: f64,
    /// The graph is a loop's body: each round has bits of its own.
    body: bool,
    /// Whether what is rounded is moved.
    rounds: bool,
}

/// The same graph with all that is rounded moved a little.
fn moved(graph: &Graph, how: &mut Shake) -> Graph {
    rebuild(graph, Graph::clone, |r, id| {
        let node = graph.node(id);
        let value = match &node.op {
            Op::Loop(body) => {
                let operands = r.operands(id);
                let mut body = body.clone();
                let outer = std::mem::replace(&mut how.body, true);
                body.graph = moved(&body.graph, how);
                how.body = outer;
                r.add(Node { op: Op::Loop(body), ..node.clone() }, operands)
            }
            _ => r.keep(id),
        };
        let value = match node.dtype == DType::F32 && sums(&node.op) {
            true => endless(r, how, id, value),
            false => value,
        };
        let value = if how.rounds && node.dtype == DType::F32 && sums(&node.op) { either_zero(r, how, id, value) } else { value };
        let given = how.most < MOST && matches!(node.op, Op::Source { .. });
        let value = if how.rounds && node.dtype == DType::F32 && (given || rounds(&node.op)) {
            move_by(r, how, id, value)
        } else {
            value
        };
        if how.rounds && node.dtype == DType::F32 && sums(&node.op) { on_the_way(r, how, id, value) } else { value }
    })
}

/// Whether terms are added up, in an order that nobody says.
fn sums(op: &Op) -> bool {
    match op {
        Op::Contract | Op::Scan { .. } => true,
        Op::Fold(f) | Op::Scatter { fold: f, .. } => *f == Fold::Sum,
        Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Map(_) | Op::Gather { .. } => false,
        Op::Inside(_) | Op::Concat { .. } | Op::Reshape | Op::Order { .. } | Op::Assign => false,
        Op::Loop(_) | Op::Result(_) | Op::Arg(_) => false,
    }
}

/// A sum where its terms leave f32, or a part of them may: for most seeds itself, NaN or an infinity, as another order of the terms or
/// factors may make it. What may leave f32 is told from the sum of magnitudes; a factor below 1 makes no other smaller. Where a term is NaN every
/// order says so.
fn endless(r: &mut Rebuild, how: &mut Shake, id: NodeId, value: Operand) -> Operand {
    if how.rounds && how.seed.is_multiple_of(4) {
        return value;
    }
    let node = r.old.node(id).clone();
    let number = |r: &mut Rebuild, x: f64| r.add(Node::new(Op::Const(x), DType::F32, vec![]), vec![]);
    let (one, most) = (number(r, 1.0), number(r, MOST));
    let all = sizes(r, id, Some(&one));
    let leaves = r.add(Node::new(Op::Map(Map::Lt), DType::Bool, node.shape.clone()), vec![most, all]);
    // One of four in each place by itself: what is compared may be undecided on both sides.
    let bits = random(r, how, &node.shape);
    let choose = |r: &mut Rebuild, below: f64, is: Operand, or: Operand| {
        let limit = number(r, below);
        let chosen = r.add(Node::new(Op::Map(Map::Lt), DType::Bool, node.shape.clone()), vec![bits.clone(), limit]);
        r.add(Node::new(Op::Map(Map::Select), DType::F32, node.shape.clone()), vec![chosen, is, or])
    };
    let (nan, up, down) = (number(r, f64::NAN), number(r, f64::INFINITY), number(r, f64::NEG_INFINITY));
    let other = choose(r, 0.75, up, down);
    let other = choose(r, 0.5, nan, other);
    let other = choose(r, 0.25, value.clone(), other);
    r.add(Node::new(Op::Map(Map::Select), DType::F32, node.shape.clone()), vec![leaves, other, value])
}

/// The sum of the magnitudes of a sum's terms; of several factors none counts as less than `least`.
fn sizes(r: &mut Rebuild, id: NodeId, least: Option<&Operand>) -> Operand {
    let node = r.old.node(id).clone();
    let mut operands = r.operands(id);
    let several = operands.iter().filter(|o| r.new.node(o.node).dtype == DType::F32).count() > 1;
    for o in &mut operands {
        let of = r.new.node(o.node).clone();
        if of.dtype != DType::F32 {
            continue;
        }
        let whole = Operand::new(o.node, (0..of.rank()).collect());
        let mut size = r.add(Node::new(Op::Map(Map::Abs), DType::F32, of.shape.clone()), vec![whole]);
        if let Some(least) = least.filter(|_| several) {
            size = r.add(Node::new(Op::Map(Map::Max), DType::F32, of.shape.clone()), vec![size, least.clone()]);
        }
        o.node = size.node;
    }
    r.add(Node { name: None, ..node }, operands)
}

/// A sum that f32 rounds on the way, where its terms may be far larger than what is left of them. Terms that are all eighths are added exactly.
fn on_the_way(r: &mut Rebuild, how: &mut Shake, id: NodeId, value: Operand) -> Operand {
    let shape = r.old.node(id).shape.clone();
    let all = sizes(r, id, None);
    let bits = random(r, how, &shape);
    let number = |r: &mut Rebuild, x: f64| r.add(Node::new(Op::Const(x), DType::F32, vec![]), vec![]);
    let (half, part, eight, most) = (number(r, 0.5), number(r, STEP / 4.0), number(r, 8.0), number(r, MOST));
    let map = |r: &mut Rebuild, m, dtype, list: &[&Operand]| {
        r.add(Node::new(Op::Map(m), dtype, shape.clone()), list.iter().map(|o| (*o).clone()).collect())
    };
    let by = map(r, Map::Sub, DType::F32, &[&bits, &half]);
    let by = map(r, Map::Mul, DType::F32, &[&by, &part]);
    let by = map(r, Map::Mul, DType::F32, &[&by, &all]);
    let moved = map(r, Map::Add, DType::F32, &[&value, &by]);
    let eighths = map(r, Map::Mul, DType::F32, &[&all, &eight]);
    let whole = map(r, Map::Floor, DType::F32, &[&eighths]);
    let rounded = map(r, Map::Ne, DType::Bool, &[&eighths, &whole]);
    let known = map(r, Map::Le, DType::Bool, &[&all, &most]);
    let moves = map(r, Map::And, DType::Bool, &[&rounded, &known]);
    map(r, Map::Select, DType::F32, &[&moves, &moved, &value])
}

/// A sum where it is zero: with either sign, which nobody says.
fn either_zero(r: &mut Rebuild, how: &mut Shake, id: NodeId, value: Operand) -> Operand {
    let shape = r.old.node(id).shape.clone();
    let number = |r: &mut Rebuild, x: f64| r.add(Node::new(Op::Const(x), DType::F32, vec![]), vec![]);
    let (zero, less, half) = (number(r, 0.0), number(r, -0.0), number(r, 0.5));
    let bits = random(r, how, &shape);
    let map = |r: &mut Rebuild, m, dtype, operands| r.add(Node::new(Op::Map(m), dtype, shape.clone()), operands);
    let chosen = map(r, Map::Lt, DType::Bool, vec![bits, half]);
    let other = map(r, Map::Select, DType::F32, vec![chosen, zero.clone(), less]);
    let nothing = map(r, Map::Eq, DType::Bool, vec![value.clone(), zero]);
    map(r, Map::Select, DType::F32, vec![nothing, other, value])
}

/// Bits of its own for each place of a node, in each round of a loop.
fn random(r: &mut Rebuild, how: &mut Shake, shape: &[Axis]) -> Operand {
    how.key += 1;
    let number = |r: &mut Rebuild, x: f64| r.add(Node::new(Op::Const(x), DType::I32, vec![]), vec![]);
    let seed = number(r, how.seed as f64);
    let round = match how.body {
        true => r.add(Node::new(Op::Arg(0), DType::I32, vec![]), vec![]),
        false => number(r, 0.0),
    };
    let random = Op::Random { dist: Dist::Uniform, key: how.key };
    r.add(Node::new(random, DType::F32, shape.to_vec()), vec![seed, round])
}

/// Whether f32 rounds what this computes; the others hand on what they are given.
fn rounds(op: &Op) -> bool {
    match op {
        Op::Const(_) | Op::Random { .. } | Op::Contract | Op::Scan { .. } => true,
        Op::Fold(f) | Op::Scatter { fold: f, .. } => matches!(f, Fold::Sum | Fold::Prod),
        Op::Map(m) => m.nature() != Nature::Handed,
        Op::Inside(_) => false,
        Op::Source { .. } | Op::Iota | Op::Extent(_) | Op::Gather { .. } | Op::Concat { .. } | Op::Reshape => false,
        Op::Order { .. } | Op::Assign | Op::Loop(_) | Op::Result(_) | Op::Arg(_) => false,
    }
}

/// `value` moved at each place by itself. What f32 has exactly stays: eighths, whole numbers.
fn move_by(r: &mut Rebuild, how: &mut Shake, id: NodeId, value: Operand) -> Operand {
    let shape: Vec<Axis> = r.old.node(id).shape.clone();
    let number = |r: &mut Rebuild, x: f64, dtype| r.add(Node::new(Op::Const(x), dtype, vec![]), vec![]);
    let map = |r: &mut Rebuild, m, dtype, list: &[&Operand]| {
        r.add(Node::new(Op::Map(m), dtype, shape.clone()), list.iter().map(|o| (*o).clone()).collect())
    };
    let bits = random(r, how, &shape);
    let (step, least) = (number(r, STEP, DType::F32), number(r, 1.0 - STEP / 2.0, DType::F32));
    let factor = map(r, Map::Mul, DType::F32, &[&bits, &step]);
    let factor = map(r, Map::Add, DType::F32, &[&factor, &least]);
    let moved = map(r, Map::Mul, DType::F32, &[&value, &factor]);
    // By a step at most either way; below a step to anything up to one, and never across 0. In one of the rounds all go up: a product with
    // 0.9 leaves a few steps what they are, however often it is taken.
    let (twice, last) = (number(r, 2.0 * LEAST, DType::F32), number(r, LEAST, DType::F32));
    let by = map(r, Map::Mul, DType::F32, &[&bits, &twice]);
    let by = if how.seed % 12 == 4 { last } else { map(r, Map::Sub, DType::F32, &[&by, &last]) };
    let own = map(r, Map::Abs, DType::F32, &[&moved]);
    let own = map(r, Map::Add, DType::F32, &[&own, &by]);
    let own = map(r, Map::Abs, DType::F32, &[&own]);
    let side = map(r, Map::Sign, DType::F32, &[&value]);
    let moved = map(r, Map::Mul, DType::F32, &[&own, &side]);
    let (tiny, zero, eight) = (number(r, how.tiny, DType::F32), number(r, 0.0, DType::F32), number(r, 8.0, DType::F32));
    let size = map(r, Map::Abs, DType::F32, &[&value]);
    let small = map(r, Map::Lt, DType::Bool, &[&size, &tiny]);
    let moved = map(r, Map::Select, DType::F32, &[&small, &zero, &moved]);
    let (most, endless) = (number(r, how.most, DType::F32), number(r, f64::INFINITY, DType::F32));
    let large = map(r, Map::Lt, DType::Bool, &[&most, &size]);
    let beyond = map(r, Map::Mul, DType::F32, &[&value, &endless]);
    let moved = map(r, Map::Select, DType::F32, &[&large, &beyond, &moved]);
    let eighths = map(r, Map::Mul, DType::F32, &[&value, &eight]);
    let whole = map(r, Map::Floor, DType::F32, &[&eighths]);
    let exact = map(r, Map::Eq, DType::Bool, &[&eighths, &whole]);
    // Beyond, f32 has no eighths.
    let digits = number(r, f64::from(1 << 21), DType::F32);
    let held = map(r, Map::Lt, DType::Bool, &[&size, &digits]);
    let exact = map(r, Map::And, DType::Bool, &[&exact, &held]);
    let kept = map(r, Map::Select, DType::F32, &[&large, &beyond, &value]);
    map(r, Map::Select, DType::F32, &[&exact, &kept, &moved])
}
