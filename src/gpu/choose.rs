//! What is decided for a device beyond the plan: which kernel takes a product, what shares a shader, what is taken once.
//!
//! In: a stage, and how it is usually done, which a rule says (there are no prices: a card's are not known before something ran on it). Out: what is
//! done, for anything may be pinned. Promised: the same question has the same answer, so it may be asked again; a decision is noted where it is
//! acted on.

use super::reach::Reach;
use super::wgsl::tiling;
use crate::ir::pin::{
    AFTERWARDS, ALONE, AS_STORED, BY_ELEMENTS, BY_THREADS, HIGH_TILES, IN_PLACE, LONG_PARTS, LOW_TILES, SHORT_PARTS, TAKEN_ONCE,
    THROUGH_WORKGROUP, WITH_NEIGHBOURS,
};
use crate::ir::{Size, What};
use crate::plan::{Choices, Decision, Kernel, Place, Plan, Way, measured::gpu};

/// What is decided while a program is written.
pub(super) struct Chooser<'a> {
    choices: Choices<'a>,
    pub size: &'a dyn Fn(&Size) -> i64,
    /// How products usually reach their factors.
    pub reach: Reach,
}

/// What a product is computed by: the rows of a tile, or none, and the decision, if there was something to decide.
pub(super) struct Tiling {
    pub side: Option<i64>,
    decision: Option<Decision>,
}

impl<'a> Chooser<'a> {
    pub fn new(plan: &'a Plan, size: &'a dyn Fn(&Size) -> i64, reach: Reach) -> Chooser<'a> {
        Chooser { choices: Choices::of(&plan.terms, &plan.pins), size, reach }
    }

    fn choose(&self, usual: usize, what: What, about: &Place, name: &str, ways: &[&str]) -> Decision {
        let ways = ways.iter().map(|w| Way::unpriced(w)).collect();
        self.choices.choose_or(usual, what, about.clone(), name, ways)
    }

    /// One of two ways, noted.
    fn first(&self, usual: usize, what: What, about: &Place, name: &str, ways: [&str; 2]) -> bool {
        let decision = self.choose(usual, what, about, name, &ways);
        let taken = decision.taken == 0;
        self.choices.note([decision]);
        taken
    }

    /// Whether a product that has a shader of its own goes tile by tile. `groups`: how many matrices there are, of which an index picks one for each
    /// row.
    pub fn tiling(&self, about: &Place, kernel: &Kernel, sum: usize, groups: Option<&Size>) -> Tiling {
        let Some((pays, side)) = tiling(kernel, sum, groups, self.size) else { return Tiling { side: None, decision: None } };
        let usual = match (pays, side) {
            (true, 64) => 0,
            (true, _) => 1,
            (false, _) => 2,
        };
        let decision = self.choose(usual, What::Tiles, about, &kernel.name, &[HIGH_TILES, LOW_TILES, BY_ELEMENTS]);
        Tiling { side: [Some(64), Some(32), None][decision.taken], decision: Some(decision) }
    }

    /// Takes note of what was acted on.
    pub fn note(&self, tiling: Tiling) {
        self.choices.note(tiling.decision);
    }

    /// How the threads of a tile reach what they multiply.
    pub fn factors(&self, about: &Place, name: &str) -> Reach {
        let usual = if self.reach == Reach::Staged { 0 } else { 1 };
        match self.first(usual, What::Factors, about, name, [THROUGH_WORKGROUP, IN_PLACE]) {
            true => Reach::Staged,
            false => Reach::Direct,
        }
    }

    fn shader(&self, about: &Place, name: &str) -> Decision {
        self.choose(0, What::Shader, about, name, &[WITH_NEIGHBOURS, ALONE])
    }

    /// Whether a stage that could share a shader has one of its own.
    pub fn is_alone(&self, about: &Place, name: &str) -> bool {
        self.shader(about, name).taken == 1
    }

    /// Takes note of what [`Chooser::is_alone`] said.
    pub fn note_shader(&self, about: &Place, name: &str) {
        self.choices.note([self.shader(about, name)]);
    }

    /// Whether a fold of so many elements is taken once for all threads that need it; to be noted.
    pub fn fold(&self, about: &Place, name: &str, elements: i64) -> Decision {
        let usual = if elements > gpu::FOLD_AGAIN { 0 } else { 1 };
        self.choose(usual, What::Folds, about, name, &[TAKEN_ONCE, BY_THREADS])
    }

    pub fn note_fold(&self, decision: Decision) {
        self.choices.note([decision]);
    }

    /// Whether what follows a product is done to its elements as they are stored.
    pub fn is_finished(&self, about: &Place, name: &str) -> bool {
        self.first(0, What::Finish, about, name, [AS_STORED, AFTERWARDS])
    }

    /// How many steps of a long sum are a part, of few or of many; usually the `shorter` ones.
    pub fn part(&self, about: &Place, name: &str, [few, many]: [i64; 2], shorter: bool) -> i64 {
        if self.first(usize::from(!shorter), What::Parts, about, name, [SHORT_PARTS, LONG_PARTS]) { few } else { many }
    }

    /// All that was noted, and what became of the source's pins by it.
    pub fn into_decisions(self) -> (Vec<Decision>, Vec<crate::plan::Fate>) {
        self.choices.into_decisions()
    }
}
