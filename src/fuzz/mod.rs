//! Random programs: valid by construction, checked at every stage, made small where they fail.
//!
//! In: a seed. Out: the text of a program ([`program`]), or what is wrong with the compiler ([`check::check`]) with a program that
//! a person can read ([`shrink::shrink`]).
//!
//! | file | what it makes |
//! |---|---|
//! | `rng` | choices |
//! | `scope` | types, and what is visible |
//! | `expr`, `truth`, `index`, `call` | expressions |
//! | `body`, `cuts`, `loops`, `windows`, `factors` | statements |
//! | `nets`, `relations`, `model` | items |
//! | `values` | inputs |
//! | `check`, `meant` | a verdict |
//! | `judge`, `shake` | whether values are as right as f32 can be |
//! | `slopes` | derivatives in the place of outputs |
//! | `turns` | every other way that the planner might have taken |
//! | `walk`, `shrink` | a smaller program |

mod body;
mod call;
pub mod check;
mod cuts;
mod expr;
mod factors;
mod index;
pub mod judge;
mod loops;
mod meant;
mod model;
mod nets;
mod relations;
pub mod rng;
mod scope;
mod shake;
pub mod shrink;
mod slopes;
mod truth;
mod turns;
mod values;
mod walk;
mod windows;

use rng::Rng;

/// A program under construction.
struct Gen {
    rng: Rng,
    count: usize,
    items: Vec<String>,
    nets: Vec<nets::Net>,
    functions: Vec<scope::Callable>,
    palette: Vec<i64>,
    consts: Vec<(String, i64)>,
    /// Axes that the file declares.
    dims: Vec<scope::Dim>,
    /// Statements that the one under construction needs before it.
    pending: Vec<String>,
    /// A call was written: its result may lack names of what the net does not use.
    called: bool,
    /// What the net under construction does only has a meaning where it is lifted.
    lifted: bool,
}

impl Gen {
    fn fresh(&mut self) -> usize {
        self.count += 1;
        self.count
    }

    fn hoist(&mut self, line: String) {
        self.pending.push(line);
    }
}

/// So many programs of a hundred have sums over windows.
const WINDOWS: usize = 8;

/// So many have layers whose weights are products of several factors.
const FACTORS: usize = 20;

/// The program of a seed.
pub fn program(seed: u64) -> String {
    let mut gen_ = Gen {
        rng: Rng::new(seed),
        count: 0,
        items: vec![],
        nets: vec![],
        functions: vec![],
        palette: vec![],
        dims: vec![],
        consts: vec![],
        pending: vec![],
        called: false,
        lifted: false,
    };
    // Decided apart, so that the other programs of a list stay what they are.
    let (mut windows, mut factors) = (Rng::new(!seed), Rng::new(!seed ^ 0xFAC7));
    gen_.program(windows.chance(WINDOWS), factors.chance(FACTORS))
}
