//! What a source says about how it is computed: which of several ways is taken, where there are several.
//!
//! A pin changes no meaning, so nothing but a planner looks at it. It belongs to a graph, and travels with it; a node says in the course of which
//! pinned statements it was made, so that a pin at a call or at a net concerns what is computed in there.

use crate::source::Span;
use std::sync::Arc;

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// In which order the factors of a sum of products meet.
    Order,
    /// Whether a sum in a product is made, or multiplied out.
    Sum,
    /// Whether what is prepared stays by itself, or joins the product that reads it.
    Prepared,
    /// Whether products that have a part in common compute it once.
    Shared,
    /// Whether steps are run for those rows alone that a choice keeps.
    Rows,
    /// Whether the windows of a product are written down, or read where they lie.
    Windows,
    /// Whether the scores of attention are written down, or computed block by block.
    Scores,
    /// Whether matrices that a product writes for another are written down, or panel by panel where they are read.
    Matrices,
    /// Whether what a row of a table decides is computed for each row of the table, or for each that asks for one.
    Tables,
    /// Whether sums of products that are squared and summed are made, or multiplied out.
    Squares,
    /// Whether rows of a batch that are equal are found, and what they decide is computed once.
    Equal,
    /// Whether a value that several elements need is written down, or computed for each of them.
    Values,
    /// Whether matrices that an index chooses are read where they lie, or gathered first.
    Gathered,
    /// Whether outer products that an index sorts are summed group by group, or each is written down and added.
    Segments,
    /// Whether steps go one after the other, or all of them through a tile of rows, and then through the next.
    Chains,
    /// Whether what is done to a product's results is done as they are written.
    Epilogue,
    /// Whether parameters that a product reads are laid out once, in panels, or read as they lie.
    Panels,
    /// Whether a product is computed by a kernel of our own, or by the library's.
    Kernel,
    /// On a device: whether a product with a shader of its own goes tile by tile, and how high these are.
    Tiles,
    /// On a device: how the threads of a tile reach what they multiply.
    Factors,
    /// On a device: whether a stage shares a shader with its neighbours.
    Shader,
    /// On a device: whether a fold that many threads need is taken once.
    Folds,
    /// On a device: whether what is done to a product's elements is done as they are stored.
    Finish,
    /// On a device: how long the parts are in which a long sum is taken, side by side.
    Parts,
}

/// What runs the code about which something is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Both,
    Cpu,
    Gpu,
}

pub const MADE: &str = "made";
pub const MULTIPLIED_OUT: &str = "multiplied out";
pub const MADE_ONCE: &str = "made once, and read";
pub const JOINS: &str = "joins the product";
pub const COMPUTED_ONCE: &str = "computed once";
pub const BY_EACH: &str = "by each product for itself";
pub const KEPT_ROWS: &str = "for the rows that are kept";
pub const ALL_ROWS: &str = "for all rows";
pub const IN_PLACE: &str = "read where they lie";
pub const BY_BLOCKS: &str = "block by block";
pub const BY_PANELS: &str = "panel by panel";
pub const WRITTEN_DOWN: &str = "written down";
pub const EACH_ROW: &str = "once for each row";
pub const EACH_ASKING: &str = "for each that asks";
pub const ONCE_IF_EQUAL: &str = "once for equal rows";
pub const FOR_EACH_ROW: &str = "for each row";
pub const WHERE_USED: &str = "where it is used";
pub const GATHERED_FIRST: &str = "gathered first";
pub const BY_GROUPS: &str = "group by group";
pub const BY_ROWS: &str = "row by row";
pub const BY_TILES: &str = "tile by tile";
pub const BY_STEPS: &str = "step by step";
pub const LAID_OUT: &str = "laid out once";
pub const AS_THEY_LIE: &str = "as they lie";
pub const OWN_KERNEL: &str = "its own kernel";
pub const LIBRARY_KERNEL: &str = "the library";
pub const HIGH_TILES: &str = "in tiles of 64 rows";
pub const LOW_TILES: &str = "in tiles of 32 rows";
pub const BY_ELEMENTS: &str = "element by element";
pub const THROUGH_WORKGROUP: &str = "through workgroup memory";
pub const WITH_NEIGHBOURS: &str = "with its neighbours";
pub const ALONE: &str = "of its own";
pub const TAKEN_ONCE: &str = "taken once, and read";
pub const BY_THREADS: &str = "by each thread that needs it";
pub const AS_STORED: &str = "as it is stored";
pub const AFTERWARDS: &str = "afterwards";
pub const SHORT_PARTS: &str = "in short parts";
pub const LONG_PARTS: &str = "in long parts";

impl What {
    /// All that may be decided, with its word.
    pub const ALL: [(What, &'static str); 24] = [
        (What::Order, "order"),
        (What::Sum, "sum"),
        (What::Prepared, "prepared"),
        (What::Shared, "shared"),
        (What::Rows, "rows"),
        (What::Windows, "windows"),
        (What::Scores, "scores"),
        (What::Matrices, "matrices"),
        (What::Tables, "tables"),
        (What::Squares, "squares"),
        (What::Equal, "equal"),
        (What::Values, "values"),
        (What::Gathered, "gathered"),
        (What::Segments, "segments"),
        (What::Chains, "chains"),
        (What::Epilogue, "epilogue"),
        (What::Panels, "panels"),
        (What::Kernel, "kernel"),
        (What::Tiles, "tiles"),
        (What::Factors, "factors"),
        (What::Shader, "shader"),
        (What::Folds, "folds"),
        (What::Finish, "finish"),
        (What::Parts, "parts"),
    ];

    pub fn word(self) -> &'static str {
        What::ALL.iter().find(|(what, _)| *what == self).map_or("", |(_, word)| word)
    }

    pub fn of(word: &str) -> Option<What> {
        What::ALL.iter().find(|(_, w)| *w == word).map(|(what, _)| *what)
    }

    /// The ways that there are, wherever this is decided; none where they are made of the names of values.
    pub fn ways(self) -> Option<&'static [&'static str]> {
        match self {
            What::Order => None,
            What::Sum | What::Squares => Some(&[MADE, MULTIPLIED_OUT]),
            What::Prepared => Some(&[MADE_ONCE, JOINS]),
            What::Shared => Some(&[COMPUTED_ONCE, BY_EACH]),
            What::Rows => Some(&[KEPT_ROWS, ALL_ROWS]),
            What::Windows => Some(&[IN_PLACE, WRITTEN_DOWN]),
            What::Scores => Some(&[BY_BLOCKS, WRITTEN_DOWN]),
            What::Matrices => Some(&[BY_PANELS, WRITTEN_DOWN]),
            What::Tables => Some(&[EACH_ROW, EACH_ASKING]),
            What::Equal => Some(&[ONCE_IF_EQUAL, FOR_EACH_ROW]),
            What::Values => Some(&[WHERE_USED, WRITTEN_DOWN]),
            What::Gathered => Some(&[IN_PLACE, GATHERED_FIRST]),
            What::Segments => Some(&[BY_GROUPS, BY_ROWS]),
            What::Chains => Some(&[BY_TILES, BY_STEPS]),
            What::Epilogue => Some(&[AS_STORED, AFTERWARDS]),
            What::Panels => Some(&[LAID_OUT, AS_THEY_LIE]),
            What::Kernel => Some(&[OWN_KERNEL, LIBRARY_KERNEL]),
            What::Tiles => Some(&[HIGH_TILES, LOW_TILES, BY_ELEMENTS]),
            What::Factors => Some(&[THROUGH_WORKGROUP, IN_PLACE]),
            What::Shader => Some(&[WITH_NEIGHBOURS, ALONE]),
            What::Folds => Some(&[TAKEN_ONCE, BY_THREADS]),
            What::Finish => Some(&[AS_STORED, AFTERWARDS]),
            What::Parts => Some(&[SHORT_PARTS, LONG_PARTS]),
        }
    }

    /// Who decides it.
    pub fn target(self) -> Target {
        match self {
            What::Order | What::Sum | What::Prepared | What::Shared | What::Tables => Target::Both,
            What::Squares | What::Equal | What::Values | What::Gathered | What::Segments => Target::Both,
            What::Rows | What::Windows | What::Scores | What::Matrices | What::Chains | What::Epilogue => Target::Cpu,
            What::Panels | What::Kernel => Target::Cpu,
            What::Tiles | What::Factors | What::Shader | What::Folds | What::Finish | What::Parts => Target::Gpu,
        }
    }
}

/// A way that a statement says is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    pub what: What,
    /// What the value is called that the decision is about; all of the statement unless said.
    pub of: Option<String>,
    /// In the words of `hnet explain`.
    pub way: String,
    /// The statement, and the pin's own words.
    pub statement: Span,
    pub span: Span,
}

/// The words of an order as a planner writes them: `(x*a) * u` is `(x · a) · u`, for not everybody can type the dot. A star after a point is a part
/// of a name: `bank.*.kernel`.
pub fn order(text: &str) -> String {
    let mut spaced = String::new();
    for c in text.chars() {
        match c {
            '*' if spaced.ends_with('.') => spaced.push(c),
            '·' | '*' => spaced.push_str(" · "),
            '(' | ')' => spaced.extend([' ', c, ' ']),
            c => spaced.push(c),
        }
    }
    let words: Vec<&str> = spaced.split_whitespace().collect();
    words.join(" ").replace("( ", "(").replace(" )", ")")
}

/// In the course of which pinned statements something was made, those whose pins count more first.
pub type Under = Option<Arc<[Span]>>;

impl Pin {
    /// How much this pin counts for what is made at a place, under these statements: less is more. None: it does not concern it.
    pub fn rank(&self, at: Span, under: &[Span]) -> Option<usize> {
        let within = || self.statement.holds(at).then_some(usize::MAX);
        under.iter().position(|s| *s == self.statement).or_else(within)
    }
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn a_star_is_a_product_unless_it_belongs_to_a_name() {
        assert_eq!(order("(x*a) *u"), "(x · a) · u");
        assert_eq!(order("(bank.*.kernel*mix)*bank.* * x"), "(bank.*.kernel · mix) · bank.* · x");
        assert_eq!(order("bank.*.kernel · ( a · b )"), "bank.*.kernel · (a · b)");
    }
}
