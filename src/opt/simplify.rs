//! Local algebra: copies go into the subscripts of their users; neutral elements, double negations, casts to the same type, choices
//! that are known, folds over nothing and reshapes that change nothing go away. Nothing here can turn a NaN into a number.

use super::rebuild::{Rebuild, rebuild};
use crate::ir::scalar::Law;
use crate::ir::{Axis, DType, Fold, Graph, Map, Node, NodeId, Op, Operand, Pick};

pub fn run(graph: &Graph) -> Graph {
    rebuild(graph, run, |r, id| match &r.old.node(id).op {
        Op::Map(map) => pointwise(r, id, *map),
        Op::Fold(fold) => folded(r, id, *fold),
        Op::Contract => {
            let operands = r.operands(id);
            product(r, id, operands)
        }
        Op::Gather { picks, fill } => gather(r, id, picks, *fill),
        Op::Reshape => reshape(r, id),
        Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Scatter { .. } => r.keep(id),
        Op::Inside(_) => inside(r, id),
        Op::Concat { .. } | Op::Order { .. } | Op::Scan { .. } | Op::Assign => r.keep(id),
        Op::Loop(_) | Op::Result(_) | Op::Arg(_) => r.keep(id),
    })
}

fn pointwise(r: &mut Rebuild, id: NodeId, map: Map) -> Operand {
    let operands = r.operands(id);
    let simpler = match operands.as_slice() {
        [a] => unary(r, map, a),
        [a, b] => binary(r, id, map, a, b),
        [c, a, b] => match r.number(c) {
            Some(x) => Some(if x != 0.0 { a.clone() } else { b.clone() }),
            None => (a == b || is_root_of_squares(r, c, a, b)).then(|| a.clone()),
        },
        _ => None,
    };
    simpler.unwrap_or_else(|| r.keep_with(id, operands))
}

/// `if 0 < s { sqrt(s) } else { s }` of a sum of squares `s` is `sqrt(s)`: the choice is there for derivatives alone.
fn is_root_of_squares(r: &Rebuild, c: &Operand, a: &Operand, b: &Operand) -> bool {
    let tests = r.map(c) == Some(Map::Lt) && r.number(&r.through(c, 0)) == Some(0.0) && r.through(c, 1) == *b;
    let roots = tests && r.map(a) == Some(Map::Sqrt) && r.through(a, 0) == *b;
    let squares = matches!(r.new.node(b.node).op, Op::Contract | Op::Map(Map::Mul));
    roots && squares && matches!(r.new.operands(b.node), [x, y] if x == y)
}

fn unary(r: &Rebuild, map: Map, a: &Operand) -> Option<Operand> {
    let dtype = r.new.node(a.node).dtype;
    let inner = r.map(a);
    match map.law() {
        Law::Identity => Some(a.clone()),
        Law::Undoes => (inner == Some(map)).then(|| r.through(a, 0)),
        Law::Settles => (inner == Some(map)).then(|| a.clone()),
        Law::Cast if map.gives(dtype) == dtype => Some(a.clone()),
        Law::Cast if (map, inner) == (Map::ToI32, Some(Map::ToF32)) => {
            let from = r.through(a, 0);
            (r.new.node(from.node).dtype == DType::I32).then_some(from)
        }
        Law::None | Law::Cast => None,
        Law::Extreme | Law::Commutes | Law::Sum | Law::Difference | Law::Product | Law::Quotient | Law::Power => None,
        Law::Both | Law::Either | Law::Choice => None,
    }
}

fn binary(r: &mut Rebuild, id: NodeId, map: Map, a: &Operand, b: &Operand) -> Option<Operand> {
    let (x, y) = (r.number(a), r.number(b));
    let whole = r.new.node(a.node).dtype == DType::I32;
    let when = |n: Option<f64>, value: f64, then: &Operand| (n == Some(value)).then(|| then.clone());
    match map.law() {
        Law::Sum if nothing(r, x, b) => Some(b.clone()),
        Law::Sum => nothing(r, y, a).then(|| a.clone()),
        // 0 - 0 is 0, not -0.
        Law::Difference if x.is_some_and(|x| x == 0.0 && (whole || x.is_sign_negative())) => {
            Some(r.replace(id, Op::Map(Map::Neg), vec![b.clone()]))
        }
        Law::Difference => y.is_some_and(|y| y == 0.0 && (whole || y.is_sign_positive())).then(|| a.clone()),
        Law::Product => when(x, 1.0, b).or(when(y, 1.0, a)),
        Law::Quotient => when(y, 1.0, a),
        Law::Power if y == Some(2.0) => Some(r.replace(id, Op::Map(Map::Mul), vec![a.clone(), a.clone()])),
        Law::Power => when(y, 1.0, a),
        Law::Extreme => (a == b).then(|| a.clone()),
        Law::Both => when(x, 1.0, b).or(when(y, 1.0, a)).or(when(x, 0.0, a)).or(when(y, 0.0, b)).or((a == b).then(|| a.clone())),
        Law::Either => {
            when(x, 0.0, b).or(when(y, 0.0, a)).or(when(x, 1.0, a)).or(when(y, 1.0, b)).or((a == b).then(|| a.clone()))
        }
        Law::Identity => Some(a.clone()),
        Law::None | Law::Cast | Law::Undoes | Law::Settles | Law::Commutes | Law::Choice => None,
    }
}

/// Whether adding `n` leaves `other` as it is: -0 + 0 is 0, so a plain 0 does so only where there is no -0.
fn nothing(r: &Rebuild, n: Option<f64>, other: &Operand) -> bool {
    let positive = matches!(r.map(other), Some(Map::Exp | Map::Abs | Map::Sigmoid | Map::Softplus | Map::ToF32));
    let whole = r.new.node(other.node).dtype == DType::I32;
    n.is_some_and(|n| n == 0.0 && (whole || positive || n.is_sign_negative()))
}

fn folded(r: &mut Rebuild, id: NodeId, fold: Fold) -> Operand {
    let is_element = match fold {
        Fold::Sum | Fold::Prod | Fold::Max | Fold::Min | Fold::Any | Fold::All => true,
        // A place, not an element.
        Fold::Argmax | Fold::Argmin => false,
    };
    let operands = r.operands(id);
    if is_element && r.old.node(id).inner.is_empty() {
        return operands[0].clone();
    }
    if fold == Fold::Sum { product(r, id, operands) } else { r.keep_with(id, operands) }
}

/// Whether f32 holds a number with all its digits.
fn holds(x: f64) -> bool {
    x == 0.0 || (x as f32).is_normal()
}

/// How often a loop of known extent that no factor reads repeats the product; the other inner loops, with their old numbers.
fn repeats(node: &Node, operands: &[Operand]) -> (f64, Vec<usize>) {
    let rank = node.rank();
    let mut times = 1.0;
    let mut left = Vec::new();
    for (k, axis) in node.inner.iter().enumerate() {
        let read = operands.iter().any(|o| o.subscripts.contains(&(rank + k)));
        match axis.size.constant().filter(|n| *n > 0 && !read && node.dtype == DType::F32) {
            Some(n) => times *= n as f64,
            None => left.push(rank + k),
        }
    }
    (times, left)
}

/// A sum of products: at most one constant factor, none that is 1, no loop of known extent that nothing reads. One factor is a
/// `sum`, two without a sum a `mul`.
fn product(r: &mut Rebuild, id: NodeId, mut operands: Vec<Operand>) -> Operand {
    let old = r.old.node(id).clone();
    let decided = |r: &Rebuild, o: &Operand| r.number(o).filter(|_| r.is_guard(o)).map(|x| x != 0.0);
    if operands.iter().any(|o| decided(r, o) == Some(false)) {
        return r.constant(id, 0.0);
    }
    operands.retain(|o| decided(r, o) != Some(true));
    let (times, left) = repeats(&old, &operands);
    let constants: Vec<f64> = operands.iter().filter_map(|o| r.number(o)).collect();
    let constant = constants.iter().product::<f64>() * times;
    let mut factors: Vec<Operand> = operands.iter().filter(|o| r.number(o).is_none()).cloned().collect();
    if old.dtype != DType::F32 || factors.iter().all(|f| r.is_guard(f)) || !holds(constant) {
        return r.keep_with(id, operands);
    }
    let at = factors.iter().position(|f| r.is_guard(f)).unwrap_or(factors.len());
    if constants.len() == 1 && times == 1.0 && constant != 1.0 {
        let number = operands.iter().find(|o| r.number(o).is_some()).cloned();
        factors.splice(at..at, number);
    } else if constant != 1.0 {
        let number = r.constant(id, constant);
        r.new.node_mut(number.node).name = None;
        factors.insert(at, number);
    }
    let place = |k: &usize| left.iter().position(|l| l == k).map_or(*k, |n| old.rank() + n);
    for f in &mut factors {
        f.subscripts = f.subscripts.iter().map(place).collect();
    }
    let inner: Vec<Axis> = left.iter().map(|k| old.axis(*k).clone()).collect();
    r.product(Node { inner, ..old }, factors)
}

/// Reads the source of a copy instead of the copy; an index that is a counter is a loop; all loops are a copy.
fn gather(r: &mut Rebuild, id: NodeId, picks: &[Pick], fill: Option<f64>) -> Operand {
    let shape = r.old.node(id).shape.clone();
    let from = r.old.operands(id)[0].node;
    let view = r.view(from).clone();
    // An index outside a dimension that the source does not have would still be outside.
    let dropped = |d: usize| !view.subscripts.contains(&d) && !matches!(picks[d], Pick::Loop(_));
    let (source, picks): (NodeId, Vec<Pick>) = if (0..picks.len()).any(dropped) {
        (r.whole(from), picks.to_vec())
    } else {
        (view.node, view.subscripts.iter().map(|d| picks[*d]).collect())
    };
    let indices: Vec<Operand> = r.old.operands(id)[1..].iter().map(|o| r.operand(o)).collect();
    let of = &r.new.node(source).shape;
    let counter = |index: &Operand, axis: &Axis| {
        let is_counter = matches!(r.new.node(index.node).op, Op::Iota);
        index.subscripts.first().copied().filter(|k| is_counter && shape[*k].size == axis.size)
    };
    let (mut operands, mut simpler) = (vec![Operand::new(source, Vec::new())], Vec::new());
    for (pick, axis) in picks.iter().zip(of) {
        simpler.push(match pick {
            Pick::Loop(k) => Pick::Loop(*k),
            Pick::Operand(n) => match counter(&indices[n - 1], axis) {
                Some(k) => Pick::Loop(k),
                None => {
                    operands.push(indices[n - 1].clone());
                    Pick::Operand(operands.len() - 1)
                }
            },
        });
    }
    let loops: Option<Vec<usize>> = simpler
        .iter()
        .map(|p| match p {
            Pick::Loop(k) => Some(*k),
            Pick::Operand(_) => None,
        })
        .collect();
    match loops {
        Some(subscripts) => Operand::new(source, subscripts),
        None => r.replace(id, Op::Gather { picks: simpler, fill }, operands),
    }
}

/// A demand on a number or a counter that is inside is met; one under a condition that always holds is under none.
fn inside(r: &mut Rebuild, id: NodeId) -> Operand {
    let operands = r.operands(id);
    let Op::Inside(axis) = &r.old.node(id).op else { return r.keep_with(id, operands) };
    let index = &operands[0];
    let met = match &r.new.node(index.node).op {
        Op::Const(x) => axis.size.constant().is_some_and(|n| (0.0..n as f64).contains(x)),
        Op::Iota => r.new.node(index.node).shape[0].size == axis.size,
        _other => false,
    };
    match operands.get(1).map(|needed| r.number(needed)) {
        _ if met => index.clone(),
        Some(Some(0.0)) => index.clone(),
        Some(Some(_)) => r.keep_with(id, vec![operands[0].clone()]),
        None | Some(None) => r.keep_with(id, operands),
    }
}

/// A reshape of a reshape is one; one that only adds axes of size 1 is a copy, as is that of one number.
fn reshape(r: &mut Rebuild, id: NodeId) -> Operand {
    let view = r.view(r.old.operands(id)[0].node).clone();
    if view.subscripts.is_empty() {
        // One number everywhere.
        return view;
    }
    let operands = r.operands(id);
    let mut source = operands[0].clone();
    if matches!(r.new.node(source.node).op, Op::Reshape) {
        source = r.new.operands(source.node)[0].clone();
    }
    let to = &r.old.node(id).shape;
    match spread(&r.new.node(source.node).shape, to) {
        Some(subscripts) => Operand::new(source.node, subscripts),
        None => r.keep_with(id, vec![source]),
    }
}

/// Which axes of `to` those of `from` are, when all others have size 1.
fn spread(from: &[Axis], to: &[Axis]) -> Option<Vec<usize>> {
    let mut subscripts = Vec::new();
    for (k, axis) in to.iter().enumerate() {
        match from.get(subscripts.len()) {
            Some(next) if next.size == axis.size => subscripts.push(k),
            _ if axis.size.is(1) => {}
            _ => return None,
        }
    }
    (subscripts.len() == from.len()).then_some(subscripts)
}
