//! Where a program of a page is right: what the plans that it was made of take for granted about their sizes.
//!
//! Several plans may make one program, and it is right where all that one of them takes for granted holds. A page asks that of few
//! sizes: within a range most of it holds anyway, and what is left is said by the weakest plans alone.

use super::expr;
use crate::ir::size::{Bounds, Size, Sym};
use crate::plan::{Granted, Sizes};
use std::collections::{BTreeMap, BTreeSet};

/// What a plan takes for granted: that none of these is negative.
pub type Taken = Vec<Size>;

/// Between which numbers each dim lies.
pub type Range = BTreeMap<Sym, Bounds>;

/// Plans of which a program is asked at most; any more would let it run at more sizes.
const PLANS: usize = 3;
/// Plans that are compared with each other at most.
const COMPARED: usize = 24;

/// A program is right where one of these holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard(Vec<Taken>);

/// That the first is at most the second: what is not negative then, with the sizes that are known in it. None where that always holds.
pub fn noted(least: &Size, most: &Size, fixed: &Sizes) -> Option<Size> {
    let known = |name: &str| fixed.get(name).map(|n| Size::from(*n));
    Some(most.sub(least).substitute(&known)).filter(|s| !s.at_least(0, 0))
}

/// What a plan takes for granted, without what is asked anyway.
pub fn taken(granted: &[Granted], fixed: &Sizes, asked: &BTreeSet<Size>) -> Taken {
    let all: BTreeSet<Size> = granted.iter().filter_map(|g| noted(&g.least, &g.most, fixed)).collect();
    all.difference(asked).cloned().collect()
}

/// Whether what the first says follows from what the second says, within a range.
fn follows(what: &Size, from: &Size, range: &Range) -> bool {
    bounds(&what.sub(from), range).least.is_some_and(|least| least >= 0)
}

fn bounds(size: &Size, range: &Range) -> Bounds {
    size.bounds(&|name| range.get(name).copied().unwrap_or(Bounds { least: None, most: None }))
}

/// Whether the second holds wherever the first does, within a range.
fn within(narrow: &Taken, wide: &Taken, range: &Range) -> bool {
    wide.iter().all(|w| narrow.iter().any(|n| follows(w, n, range)))
}

/// What is left to ask within a range; nothing where it never holds there.
fn left(taken: &Taken, range: &Range) -> Option<Taken> {
    let mut out: Taken = Vec::new();
    for size in taken {
        let Bounds { least, most } = bounds(size, range);
        if most.is_some_and(|most| most < 0) {
            return None;
        }
        if least.is_some_and(|least| least >= 0) || out.iter().any(|o| follows(size, o, range)) {
            continue;
        }
        out.retain(|o| !follows(o, size, range));
        out.push(size.clone());
    }
    Some(out)
}

impl Guard {
    /// What is to be asked within a range of a program that these plans make.
    pub fn of<'a>(plans: impl Iterator<Item = &'a Taken>, range: &Range) -> Guard {
        let plans: BTreeSet<&Taken> = plans.collect();
        let mut plans: Vec<Taken> = plans.into_iter().filter_map(|p| left(p, range)).collect();
        plans.sort_by_key(|p| p.len());
        plans.dedup();
        plans.truncate(COMPARED);
        let mut out: Vec<Taken> = Vec::new();
        for plan in plans {
            if !out.iter().any(|wide| within(&plan, wide, range)) {
                out.retain(|o| !within(o, &plan, range));
                out.push(plan);
            }
        }
        out.truncate(PLANS);
        Guard(out)
    }

    /// Whether there is nothing to ask.
    pub fn always(&self) -> bool {
        self.0.iter().any(Vec::is_empty)
    }

    /// Whether it holds nowhere.
    pub fn never(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it holds, within a range, only where one of the others does.
    pub fn adds_nothing(&self, others: &[&Guard], range: &Range) -> bool {
        let known = |plan: &Taken| others.iter().any(|o| o.0.iter().any(|wide| within(plan, wide, range)));
        self.0.iter().all(known)
    }

    /// Whether the program is right at these sizes. What has no value does not hold.
    pub fn holds(&self, sizes: &Sizes) -> bool {
        let holds = |s: &Size| s.value(&|name| sizes.get(name).copied()).is_ok_and(|n| n >= 0);
        self.0.iter().any(|all| all.iter().all(holds))
    }

    /// The question in JavaScript, of dims `d`.
    pub fn script(&self) -> String {
        let all = |list: &Taken| list.iter().map(asked).collect::<Vec<_>>().join(" && ");
        self.0.iter().map(all).collect::<Vec<_>>().join(" || ")
    }
}

/// That a size is not negative, written as a comparison of what is added with what is taken away.
fn asked(size: &Size) -> String {
    let (more, less) = size.sides();
    format!("{} <= {}", expr::size(&less), expr::size(&more))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n() -> Size {
        Size::sym("n")
    }

    /// That a size is at most, and that it is at least.
    fn most(size: &Size, most: i64) -> Size {
        Size::from(most).sub(size)
    }

    fn least(size: &Size, least: i64) -> Size {
        size.sub(&Size::from(least))
    }

    fn range(from: i64, to: Option<i64>) -> Range {
        ["n", "m"].into_iter().map(|s| (s.into(), Bounds { least: Some(from), most: to })).collect()
    }

    fn at(n: i64) -> Sizes {
        Sizes::from([("n".into(), n), ("m".into(), 7)])
    }

    #[test]
    fn a_program_is_right_where_one_of_its_plans_is() {
        let (small, some) = (vec![most(&n(), 1)], vec![most(&n(), 9), least(&n(), 4)]);
        let guard = Guard::of([&small, &some].into_iter(), &range(0, None));
        assert_eq!(guard.script(), "d.n <= 1 || d.n <= 9 && 4 <= d.n");
        let right: Vec<i64> = (0..20).filter(|k| guard.holds(&at(*k))).collect();
        assert_eq!(right, [0, 1, 4, 5, 6, 7, 8, 9]);
        // What has no value is not taken to hold, and of no plan there is nothing that could.
        assert!(!guard.holds(&Sizes::new()));
        assert!(Guard::default().never() && !Guard::default().holds(&at(1)));
    }

    #[test]
    fn what_follows_is_not_asked() {
        let plan = vec![most(&n(), 9), most(&n(), 12), least(&n(), 4), least(&n(), 2)];
        let of = |range: &Range| Guard::of([&plan].into_iter(), range).script();
        // The larger bound follows from the smaller.
        assert_eq!(of(&range(0, None)), "d.n <= 9 && 4 <= d.n");
        // What the range says need not be asked; where it forbids all, there is nothing to ask either.
        assert_eq!(of(&range(4, Some(20))), "d.n <= 9");
        assert!(Guard::of([&plan].into_iter(), &range(4, Some(9))).always());
        assert!(Guard::of([&plan].into_iter(), &range(13, None)).never());
        // A plan that takes less for granted is enough, one that takes as much does nothing.
        let weaker = vec![most(&n(), 30)];
        let (all, one) = (range(0, None), Guard::of([&weaker].into_iter(), &range(0, None)));
        assert_eq!(Guard::of([&plan, &weaker].into_iter(), &all), one);
        assert!(Guard::of([&plan].into_iter(), &all).adds_nothing(&[&one], &all));
        assert!(!one.adds_nothing(&[&Guard::of([&plan].into_iter(), &all)], &all));
        assert!(Guard::of([&plan, &vec![]].into_iter(), &all).always());
    }

    #[test]
    fn few_plans_are_asked() {
        let plans: Vec<Taken> = (0..50).map(|k| vec![least(&n(), 10 * k), most(&n(), 10 * k + 5)]).collect();
        let guard = Guard::of(plans.iter(), &range(0, None));
        assert_eq!(guard.script().matches("||").count() + 1, PLANS);
    }

    #[test]
    fn known_sizes_stand_in_no_question() {
        let granted = |least: Size, most: Size| Granted { least, most };
        let all = [granted(n().mul(&Size::sym("m")), 600i64.into()), granted(Size::sym("m"), 9i64.into())];
        let fixed = Sizes::from([("m".into(), 7)]);
        let taken = super::taken(&all, &fixed, &BTreeSet::new());
        assert_eq!(Guard::of([&taken].into_iter(), &range(0, None)).script(), "7 * d.n <= 600");
        let asked = BTreeSet::from([noted(&all[0].least, &all[0].most, &fixed).unwrap()]);
        assert!(super::taken(&all, &fixed, &asked).is_empty());
    }
}
