//! The table of the functions that the language has: word, arguments, bracket, rule, and a line about each.
//!
//! A row is all that is said of a function: calls are checked by it, the reference is printed from it, misspelt words are compared with
//! it. The functions at every point that are primitives have their rows in `ir::scalar`.

use crate::check::value::Value;
use crate::check::{Checker, Res};
use crate::ir::Map;
use crate::source::Span;
use crate::syntax::ast::{Expr, Index};

/// A call of a function, its arguments in the order of the table.
pub struct Call<'a> {
    pub function: Function,
    /// The word.
    pub at: Span,
    /// What stands in brackets after it.
    pub axes: &'a [Index],
    pub args: Vec<Arg<'a>>,
    pub span: Span,
}

/// An argument, not computed yet.
pub enum Arg<'a> {
    Written(&'a Expr),
    /// What `|>` puts in front.
    Piped(Value<'a>, Span),
}

/// How a call becomes a value.
#[derive(Clone, Copy)]
pub enum Rule {
    /// A primitive at every point.
    Point(Map),
    /// A rule of its own.
    Own(for<'a> fn(&mut Checker<'a>, Call<'a>) -> Res<Value<'a>>),
    /// It draws, or says how a parameter starts: only where a type is declared.
    Drawn(Distribution),
}

/// Distributions and initialisers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    Zeros,
    Ones,
    Fill,
    Normal,
    TruncatedNormal,
    Uniform,
    Bernoulli,
    RandInt,
    Categorical,
    Choose,
    Permutation,
    Exponential,
    Gumbel,
    Gamma,
    Beta,
    Dirichlet,
    KaimingUniform,
    KaimingNormal,
    XavierUniform,
    XavierNormal,
    Orthogonal,
    Eye,
    /// For a layer that writes a net: by fan-in or by fan-out.
    Hyperfan {
        forward: bool,
        uniform: bool,
    },
}

/// What may stand in brackets after a word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Bracket {
    /// Axes.
    Axes,
    /// Axes, and no arguments follow.
    Alone,
    /// Nothing; this is a way to say what may be meant.
    None(&'static str),
}

/// Where a function stands in the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Point,
    Sizes,
    Order,
    Nets,
    Gradients,
    Chance,
}

/// A row of the table.
#[derive(Clone, Copy)]
pub struct Function {
    pub word: &'static str,
    /// The names of its arguments; `..` at the end: as many as there are.
    pub args: &'static [&'static str],
    pub bracket: Bracket,
    pub kind: Kind,
    pub rule: Rule,
    /// What it gives, in a few words.
    pub about: &'static str,
}

impl Function {
    /// Whether it takes any number of arguments.
    pub fn takes_many(&self) -> bool {
        self.args.last() == Some(&"..")
    }

    /// `top_k[axis](x, k)`
    pub fn signature(&self) -> String {
        match self.bracket {
            Bracket::Axes => format!("{}[axis]({})", self.word, self.args.join(", ")),
            Bracket::Alone => format!("{}[axis]", self.word),
            Bracket::None(_) => format!("{}({})", self.word, self.args.join(", ")),
        }
    }
}

const PLAIN: Bracket =
    Bracket::None("`sort`, `argsort`, `cumsum`, `top_k` and `admitted` take one; reductions bind theirs, `sum[t] ..`");
const SIZED: Bracket = Bracket::None("it acts on sizes; `let w[j < count[t]] = x[t: j]` turns a name into a size");
const LENGTH: Bracket = Bracket::None("for the length along an axis: `sqrt(sum[i] v[i]^2)`");

type Own = for<'a> fn(&mut Checker<'a>, Call<'a>) -> Res<Value<'a>>;

const fn row(
    word: &'static str,
    args: &'static [&'static str],
    (kind, bracket): (Kind, Bracket),
    rule: Own,
    about: &'static str,
) -> Function {
    Function { word, args, bracket, kind, rule: Rule::Own(rule), about }
}

const fn drawn(word: &'static str, args: &'static [&'static str], rule: Distribution, about: &'static str) -> Function {
    Function { word, args, bracket: PLAIN, kind: Kind::Chance, rule: Rule::Drawn(rule), about }
}

const POINT: (Kind, Bracket) = (Kind::Point, PLAIN);
const SIZES: (Kind, Bracket) = (Kind::Sizes, SIZED);
const ORDER: (Kind, Bracket) = (Kind::Order, Bracket::Axes);
const NETS: (Kind, Bracket) = (Kind::Nets, PLAIN);
/// What a layer writes comes first.
const HYPERFAN: &[&str] = &["of", "variance", "gain"];
const GRADIENTS: (Kind, Bracket) = (Kind::Gradients, PLAIN);

/// The functions with a rule of their own, and the distributions.
#[rustfmt::skip]
static ROWS: &[Function] = &[
    row("relu", &["x"], POINT, |c, call| c.relu(call), "`max(x, 0)`"),
    row("clamp", &["x", "low", "high"], POINT, |c, call| c.clamp(call), "`min(max(x, low), high)`; NaN if any is"),
    row("atan", &["x"], POINT, |c, call| c.atan(call), "the angle whose tangent is `x`, from -pi / 2 to pi / 2"),
    row("log2", &["x"], POINT, |c, call| c.log2(call), "the logarithm of `x` to base 2"),
    row("number", &["x"], POINT, |c, call| c.number(call), "a whole number or a truth value (0 or 1) as `f32`"),
    row("int", &["x"], POINT, |c, call| c.int(call), "`x` as `i32`: cut towards zero, stops at the ends of `i32`; the least `i32` of NaN"),
    row("concat", &["x", ".."], SIZES, |c, call| c.concat_call(call), "values joined along their first size"),
    row("stack", &["x", ".."], SIZES, |c, call| c.stack_call(call), "equal values along a new first size"),
    row("flatten", &["x"], SIZES, |c, call| c.flatten_call(call), "all numbers of a value or of a tree (`{net}`), one after the other"),
    row("unflatten", &["x", "like"], SIZES, |c, call| c.unflatten_call(call), "a vector cut into a tree shaped like `like`"),
    row("transpose", &["x"], SIZES, |c, call| c.transpose_call(call), "a matrix turned round"),
    row("size", &["x"], SIZES, |c, call| c.size_call(call), "how many numbers a value or a tree has"),
    row("leaves", &["tree"], SIZES, |c, call| c.leaves_call(call), "how many parameters a tree has"),
    row("stored", &["x"], SIZES, |c, call| c.stored_call(call), "a parameter, or a tree of them, as it is stored: before its relations"),
    row("count", &[], (Kind::Sizes, Bracket::Alone), |c, call| c.count_call(call), "how many places an axis has"),
    row("norm", &["x"], (Kind::Sizes, LENGTH), |c, call| c.norm(call), "the Euclidean length over all sizes"),
    row("assignment", &["cost"], (Kind::Sizes, PLAIN), |c, call| c.assignment(call),
        "the column of each row of a square matrix, each column once, at least cost in all; for the greatest likeness `assignment(-alike)`"),
    row("sort", &["x"], ORDER, |c, call| c.sort(call), "values in ascending order, NaN last; `-sort(-x)` is the descending one"),
    row("argsort", &["x"], ORDER, |c, call| c.argsort(call), "the places of the values in ascending order; equal ones as they stand; `argsort(-x)` is the descending one"),
    row("cumsum", &["x"], ORDER, |c, call| c.cumsum(call), "running sums, each place included"),
    row("top_k", &["x", "k"], ORDER, |c, call| c.top_k(call), "the `k` largest: `.index`, their places, and `.value`, in descending order"),
    row("admitted", &["index", "seats"], (Kind::Nets, Bracket::Axes), |c, call| c.admitted_call(call),
        "who among the examples of the axes has one of the `seats` of the net that `index` chooses"),
    row("blend", &["nets", "weight"], NETS, |c, call| c.blend(call), "one net whose parameters are the weighted sum of the nets' own"),
    row("surrogate", &["forward", "backward"], GRADIENTS, |c, call| c.surrogate(call), "`forward` with the gradient of `backward`"),
    row("stop_gradient", &["x"], GRADIENTS, |c, call| c.stop_gradient(call), "`x` without a gradient"),
    row("grad", &["y", "x"], GRADIENTS, |c, call| c.grad(call), "the derivative of the number `y` by `x`, typed like `x`, for each place of the names of `y`"),
    drawn("zeros", &[], Distribution::Zeros, "0 everywhere"),
    drawn("ones", &[], Distribution::Ones, "1 everywhere"),
    drawn("fill", &["value"], Distribution::Fill, "`value` everywhere"),
    drawn("normal", &["mean", "std"], Distribution::Normal, "a normal distribution; 0 and 1 where they are not given"),
    drawn("truncated_normal", &["mean", "std"], Distribution::TruncatedNormal, "likewise, nothing beyond two `std`"),
    drawn("uniform", &["from", "to"], Distribution::Uniform, "evenly from `from` up to `to`, without it; 0 and 1 where they are not given"),
    drawn("bernoulli", &["p"], Distribution::Bernoulli, "1, or true, with chance `p`"),
    drawn("randint", &["n"], Distribution::RandInt, "whole numbers from 0 up to `n`, without it"),
    drawn("categorical", &["logits"], Distribution::Categorical, "a place along the last size of `logits`, with the chances `softmax(logits)`"),
    drawn("choose", &["values"], Distribution::Choose, "one of the `values` of a list, each as likely"),
    drawn("permutation", &[], Distribution::Permutation, "the places of the last declared axis in some order"),
    drawn("exponential", &["rate"], Distribution::Exponential, "how long one waits for what happens `rate` times a unit; 1 where it is not given"),
    drawn("gumbel", &["loc", "scale"], Distribution::Gumbel, "Gumbel's distribution of largest values; 0 and 1 where they are not given"),
    drawn("gamma", &["shape", "rate"], Distribution::Gamma, "a gamma distribution of mean `shape / rate`; the rate is 1 where it is not given"),
    drawn("beta", &["a", "b"], Distribution::Beta, "numbers between 0 and 1 of mean `a / (a + b)`"),
    drawn("dirichlet", &["alpha"], Distribution::Dirichlet, "shares along the last declared axis, of mean `alpha / sum(alpha)`"),
    drawn("kaiming_uniform", &["fan_in", "gain"], Distribution::KaimingUniform, "starts a parameter; the fan is its own, the gain the square root of 2, where they are not given"),
    drawn("kaiming_normal", &["fan_in", "gain"], Distribution::KaimingNormal, "likewise, normal"),
    drawn("xavier_uniform", &["fan_in", "fan_out", "gain"], Distribution::XavierUniform, "starts a parameter; the fans are its own, the gain 1, where they are not given"),
    drawn("xavier_normal", &["fan_in", "fan_out", "gain"], Distribution::XavierNormal, "likewise, normal"),
    drawn("orthogonal", &["gain"], Distribution::Orthogonal, "starts a parameter with orthogonal rows or columns, times the gain"),
    drawn("eye", &["gain"], Distribution::Eye, "starts a parameter with the gain, or 1, on the diagonal of its last two sizes, and 0 elsewhere"),
    drawn("hyperfan_in_uniform", HYPERFAN, Distribution::Hyperfan { forward: true, uniform: true },
        "starts the last layer of a net that writes the parameters `of`, `target.*` say, so that what the written net computes keeps its variance; \
         `variance` is that of the layer's inputs, 1 where it is not given, and the gain the square root of 2"),
    drawn("hyperfan_in_normal", HYPERFAN, Distribution::Hyperfan { forward: true, uniform: false }, "likewise, normal"),
    drawn("hyperfan_out_uniform", HYPERFAN, Distribution::Hyperfan { forward: false, uniform: true },
        "likewise, so that the gradients of the written net keep their variance"),
    drawn("hyperfan_out_normal", HYPERFAN, Distribution::Hyperfan { forward: false, uniform: false }, "likewise, normal"),
];

/// All functions: the primitives at every point, then the others.
pub fn all() -> impl Iterator<Item = Function> {
    let primitives = Map::ALL.iter().filter_map(|map| {
        let c = map.called()?;
        let rule = Rule::Point(*map);
        Some(Function { word: c.word, args: c.args, bracket: PLAIN, kind: Kind::Point, rule, about: c.about })
    });
    primitives.chain(ROWS.iter().copied())
}

/// The function that a word means.
pub fn find(word: &str) -> Option<Function> {
    all().find(|f| f.word == word)
}

/// The distribution or initialiser that a word means, and its arguments.
pub fn distribution(word: &str) -> Option<(Distribution, Function)> {
    let function = find(word)?;
    match function.rule {
        Rule::Drawn(distribution) => Some((distribution, function)),
        Rule::Point(_) | Rule::Own(_) => None,
    }
}
