//! What kernels between two products make of a score, as one formula, whichever way they are cut.

use super::view::value;
use super::{Access, Expr, Kernel, Plan, Sizes, Step};
use crate::ir::{Fold, Map, Size};

/// A softmax along the keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softmax {
    /// What scores are multiplied with before.
    pub scale: f32,
    /// Where a query looks at no key beyond its own place: how far apart queries lie among the scores, and how many there are.
    pub causal: Option<(i64, i64)>,
}

/// A formula of the score at some place.
#[derive(Clone, Debug, PartialEq)]
enum Term {
    Score,
    /// Its bits.
    Number(u64),
    /// The index along the axis with this stride among the scores, and of this length.
    Place(i64, i64),
    Map(Map, Vec<Term>),
    /// Folds along the keys.
    Max(Box<Term>),
    Sum(Box<Term>),
}

/// Formulas with more parts than that are none of these.
const LONGEST: usize = 200;

pub(super) struct Reader<'a> {
    pub plan: &'a Plan,
    pub sizes: &'a Sizes,
    /// The buffer of the scores.
    pub scores: usize,
    /// How far apart keys lie among the scores, and how many there are.
    pub keys: (i64, i64),
    /// How many scores there are.
    pub length: i64,
}

/// What the elements of this buffer are of the scores, where that is a softmax.
pub(super) fn softmax(r: &Reader, weights: usize) -> Option<Softmax> {
    let term = r.buffer(weights, &mut LONGEST.clone())?;
    let number = |x: f64| Term::Number(x.to_bits());
    let (mask, share) = match &term {
        Term::Map(Map::Select, parts) if parts[2] == number(0.0) => (Some(&parts[0]), &parts[1]),
        share => (None, share),
    };
    let Term::Map(Map::Div, share) = share else { return None };
    let [Term::Map(Map::Exp, power), Term::Sum(total)] = &share[..] else { return None };
    let Term::Map(Map::Sub, parts) = &power[0] else { return None };
    let (score, top) = (&parts[0], Term::Max(Box::new(parts[0].clone())));
    let some = Term::Map(Map::Lt, vec![number(f64::NEG_INFINITY), top.clone()]);
    if **total != share[0] || parts[1] != Term::Map(Map::Select, vec![some, top, number(0.0)]) {
        return None;
    }
    let (score, causal) = match mask {
        None => (score, None),
        Some(mask) => {
            let Term::Map(Map::Select, parts) = score else { return None };
            let same = parts[0] == *mask && parts[2] == number(f64::NEG_INFINITY);
            (&parts[1], Some(r.own_place(mask).filter(|_| same)?))
        }
    };
    let scale = scale(score)?;
    Some(Softmax { scale, causal })
}

/// What a score is multiplied with, if that is all.
fn scale(term: &Term) -> Option<f32> {
    if *term == Term::Score {
        return Some(1.0);
    }
    let Term::Map(Map::Mul, parts) = term else { return None };
    if let [Term::Number(x), Term::Score] | [Term::Score, Term::Number(x)] = &parts[..] {
        return Some(f64::from_bits(*x) as f32);
    }
    None
}

impl Reader<'_> {
    fn n(&self, s: &Size) -> i64 {
        value(s, self.sizes)
    }

    /// The axis of the queries, if a mask lets a query look at the keys up to its own place.
    fn own_place(&self, mask: &Term) -> Option<(i64, i64)> {
        let Term::Map(Map::Le, parts) = mask else { return None };
        let (key, query) = (&parts[0], &parts[1]);
        let Term::Place(stride, count) = *query else { return None };
        (*key == Term::Place(self.keys.0, self.keys.1) && *query != *key).then_some((stride, count))
    }

    /// What an element of a buffer is of the score in the same place.
    fn buffer(&self, buffer: usize, left: &mut usize) -> Option<Term> {
        if buffer == self.scores {
            return Some(Term::Score);
        }
        let write = |s: &&Step| s.writes().contains(&buffer);
        let Some(Step::Kernel(k)) = self.plan.steps.iter().find(write) else { return None };
        // It goes through all scores, and leaves none out.
        let all: i64 = k.loops[..k.outer].iter().map(|l| self.n(&l.size)).product();
        let own = self.terms(&k.store, k)?;
        let reach = own.iter().map(|(l, s)| s * (self.n(&k.loops[*l].size) - 1)).sum::<i64>() + 1;
        let apart = own.windows(2).all(|w| w[1].1 >= w[0].1 * self.n(&k.loops[w[0].0].size));
        let outer = own.iter().all(|(l, s)| *l < k.outer && *s > 0);
        (outer && apart && all == self.length && reach == all).then_some(())?;
        self.value(k, k.value, None, left)
    }

    /// Loops that move an access with their strides, the smallest first; it has to start at 0.
    fn terms(&self, a: &Access, k: &Kernel) -> Option<Vec<(usize, i64)>> {
        let moving = a.terms.iter().filter(|(l, _)| self.n(&k.loops[*l].size) != 1);
        let mut all: Vec<(usize, i64)> = moving.map(|(l, s)| (*l, self.n(s))).filter(|t| t.1 != 0).collect();
        all.sort_by_key(|t| (t.1, t.0));
        (self.n(&a.offset) == 0).then_some(all)
    }

    /// A value of a kernel in its own place; within a fold along the keys, in that of loop `fold`.
    fn value(&self, k: &Kernel, e: usize, fold: Option<usize>, left: &mut usize) -> Option<Term> {
        *left = left.checked_sub(1)?;
        let own = self.terms(&k.store, k)?;
        let at = |t: &(usize, i64)| match fold {
            Some(fold) if t.1 == self.keys.0 && self.n(&k.loops[t.0].size) == self.keys.1 => (fold, t.1),
            _ => *t,
        };
        let mut places: Vec<(usize, i64)> = own.iter().map(at).collect();
        places.sort_by_key(|t| (t.1, t.0));
        match &k.body[e] {
            Expr::Const(c) => Some(Term::Number(c.to_bits())),
            Expr::Counter(l) => {
                let (l, stride) = places.iter().find(|t| t.0 == *l)?;
                Some(Term::Place(*stride, self.n(&k.loops[*l].size)))
            }
            Expr::Load(a) => {
                let same = self.terms(a, k)? == places && fold.is_none_or(|f| places.iter().any(|t| t.0 == f));
                if same { self.buffer(a.buffer, left) } else { None }
            }
            Expr::Map(map, args) => {
                let args = args.iter().map(|a| self.value(k, *a, fold, left)).collect::<Option<Vec<Term>>>()?;
                Some(Term::Map(*map, args))
            }
            Expr::Reduce { fold: how @ (Fold::Max | Fold::Sum), loops, value } if fold.is_none() && loops.len() == 1 => {
                let keys = self.n(&k.loops[loops[0]].size) == self.keys.1;
                let inside = Box::new(if keys { self.value(k, *value, Some(loops[0]), left)? } else { return None });
                Some(if *how == Fold::Max { Term::Max(inside) } else { Term::Sum(inside) })
            }
            Expr::Reduce { .. } | Expr::Mend { .. } | Expr::Size(_) | Expr::Pick { .. } => None,
        }
    }
}
