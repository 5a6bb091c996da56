//! The graph: what a model means, in about thirty primitives.
//!
//! # What a graph means
//!
//! A node is a loop nest. Its `shape` lists the loops that make the result, its `inner` the loops that a reduction closes.
//! Loop `k` is `shape[k]` for `k < rank`, and `inner[k - rank]` after that. An operand is read through *subscripts*: for each
//! dimension of the operand, the loop whose counter indexes it. So transposing, broadcasting, repeating and taking a diagonal
//! are no operations; they are how an operand is read:
//!
//! ```text
//! %7: f32[b, o=10] = sum(i=32) %3[b, i] * %5[i, o]          a product of any number of factors
//! %8: f32[b, o=10] = add %7[b, o], %6[o]                     broadcasting is a missing subscript
//! %9: f32[k=10]    = copy %4[k, k]                           a diagonal
//! ```
//!
//! A loop's extent equals the extent of every operand dimension that it indexes (the verifier checks this), except where an
//! op says otherwise. Values are reals in the meaning (the interpreter computes in f64), f32 in compiled code; `I32` values
//! are exact, `Bool` is 0 or 1.
//!
//! - **source**: a value that comes from outside, a constant, a counter, a size, random bits.
//! - **pointwise** ([`Map`]): a scalar function at every point.
//! - **reduce** ([`Fold`]): folds one operand over the inner loops.
//! - **contract**: sums the product of its operands over the inner loops. Products stay n-ary until the planner picks an order.
//!   What a filter leaves out is no term of the sum: a factor that has the filter's axes is 0 there, and where another may be NaN
//!   or infinite at a place that is left out, the filter itself is the last operand, a *guard*.
//! - **index**: gather and scatter, and the demand that an index stays inside.
//! - **move**: concatenation, row-major reshape.
//! - **order**: sorting, running sums, assignment.
//! - **loop**: a body graph, run a number of rounds.
//!
//! # Outside of an axis
//!
//! A gather makes no fuss: outside of its source it takes what its text says. That an index *must* be inside, because nobody said what
//! lies outside and nothing proves it, is a node of its own on the way to the gather, [`Op::Inside`]. It hands the index on, and is
//! about this value alone: no pass has to know where the value is used, what nobody uses is not demanded, and equal demands are one.
//! Where it is broken, the run gives an error instead of results (H0617). An index that a condition keeps from being used may
//! hold anything: the condition is an operand of the node. The interpreter notes what is outside while it goes; a plan computes for every
//! demand one whole number beside the outputs (`plan::outside`), so code and shaders know nothing of it.
//!
//! Sizes make demands, too: that a slice fits, that there are as many elements as an order gives. They follow from the
//! nodes (`needs`), and are looked at when the sizes are known, before anything runs (H0618).
//!
//! # What is no number
//!
//! NaN stays NaN and infinities are what IEEE 754 makes of them; where IEEE leaves a choice, this holds on every backend:
//!
//! - Arithmetic on NaN gives NaN. `Max(a, b)` and `Min(a, b)` are NaN if either is, and so is a fold by them if any element is.
//!   `Sign` of NaN is NaN. Which zero `Max` and `Min` give of two is not said.
//! - Comparisons with NaN are false, `Ne` is true.
//! - `Argmax` and `Argmin` give the first NaN if there is one, else the first of the best.
//! - Orders put NaN last, whether they ascend or descend. Ties go to the lower index.
//! - `ToI32` cuts towards zero, stops at the ends of i32, and makes the least i32 of NaN: no axis has that place.
//! - `Pow` is C's: `x^0` and `1^x` are 1 for every `x`, NaN too; `inf^0.5` and `(-inf)^0.5` are infinite, `(-2)^2` is 4 and
//!   `(-2)^0.5` is NaN.
//! - `0 * inf` is NaN: a pass drops a factor of 0, or what a 0 is multiplied with, only where that is finite for sure.
//!
//! A fold over nothing: `Sum` 0, `Prod` 1, `Max` minus infinity and `Min` infinity (of whole numbers the ends of i32), `Any` false,
//! `All` true, `Argmax` and `Argmin` 0.
//!
//! # Sums
//!
//! Every sum (`Sum`, `Contract`, `Scatter`, `Scan`) keeps f32's digits whatever its length and the shape of its loops: it is off by no
//! more than a millionth of the sum of magnitudes at 10^7 terms, and `Prod` by no more than a millionth of itself: no part of it
//! leaves the range of numbers, be the factors large first or small. In which order the terms are summed depends on the graph and the
//! sizes alone, never on threads. The sign of a sum that is zero is not said. Where the sum of magnitudes is beyond f32, the sum may be
//! infinite or NaN.
//! A product of several factors may be summed factor by factor, or multiplied out: where that meets an infinite factor, or a part of
//! it is beyond f32, NaN may stand for an infinity, never another finite number.

mod graph;
pub mod interp;
pub mod needs;
mod op;
pub mod outside;
pub mod pin;
pub mod random;
pub mod read;
pub mod scalar;
pub mod size;
pub mod sizes;
mod tensor;
pub mod text;
mod tokens;
pub mod verify;
mod words;

pub use graph::{Axis, Graph, Node, NodeId, Operand, Output, OutputKind, Rate, Written};
pub use op::{Body, DType, Dist, Fold, Op, Origin, Pick};
pub use pin::{Pin, Target, Under, What};
pub use scalar::Map;
pub use size::{Size, Sym};
pub use tensor::{Bindings, Data, Tensor, type_text};
