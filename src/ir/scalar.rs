//! The scalar functions, in one table: word, types, price, what rounding does to them, what algebra may do with them, meaning, and what
//! users call them.
//!
//! Everything that is said of a function is a row here: the enum, the words of graph texts and their reader, the verifier's types, the
//! interpreter's meaning, the planner's price, what the passes may do with it, how random graphs treat it, and the functions that the
//! language has at every point. What is left to say elsewhere are the spellings of the backends (`cpu/map.rs`, `gpu/wgsl/scalar.rs`):
//! matches without a wildcard, to which the compiler leads.

use super::DType;

const NUMBERS: &[DType] = &[DType::F32, DType::I32];
const REALS: &[DType] = &[DType::F32];
const BOOLS: &[DType] = &[DType::Bool];
const ANY: &[DType] = &[DType::F32, DType::I32, DType::Bool];

/// What a function takes and gives.
#[derive(Clone, Copy, Debug)]
pub enum Types {
    /// All of one type among these.
    Same(&'static [DType]),
    /// Anything; the result is this.
    Cast(DType),
    /// Operands of one type among these; a truth value.
    Test(&'static [DType]),
    /// A truth value and two of one type, which is the result's.
    Choice,
}

/// What f32 makes of a function's result, and what a small change of the operands does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// An operand, its negative or its magnitude: never rounded.
    Handed,
    /// Exact where the operands have few digits.
    Exact,
    /// Whole or a truth value, exact; it may jump.
    Steps,
    /// Rounded.
    Smooth,
    /// Rounded; it may jump.
    Rough,
}

impl Nature {
    /// Whether the result may jump where the operands hardly change.
    pub fn jumps(self) -> bool {
        matches!(self, Nature::Steps | Nature::Rough)
    }

    /// Whether operands of few digits give a result that is not rounded.
    pub fn is_exact(self) -> bool {
        matches!(self, Nature::Handed | Nature::Exact | Nature::Steps)
    }
}

/// What algebra knows of a function, whatever its operands are; a pass may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// Nothing.
    None,
    /// It is its operand, the first one.
    Identity,
    /// It changes nothing but the type.
    Cast,
    /// Twice is not at all.
    Undoes,
    /// Twice is once.
    Settles,
    /// Of a value and itself it is that value. The other order may give the other NaN.
    Extreme,
    /// The operands may change places.
    Commutes,
    Sum,
    Difference,
    Product,
    Quotient,
    Power,
    Both,
    Either,
    /// By its first operand one of the others.
    Choice,
}

/// A scalar function with its arity.
#[derive(Clone, Copy)]
pub enum Scalar {
    One(fn(f64) -> f64),
    Two(fn(f64, f64) -> f64),
    Select,
}

/// All that is said of one function.
pub struct Row {
    word: &'static str,
    types: Types,
    price: f64,
    nature: Nature,
    law: Law,
    real: Scalar,
    whole: Option<Scalar>,
    called: Option<Called>,
}

/// A function that users call.
#[derive(Clone, Copy, Debug)]
pub struct Called {
    pub word: &'static str,
    pub args: &'static [&'static str],
    /// What it gives, in a few words.
    pub about: &'static str,
}

/// `Name = "word": types, price, nature, law, meaning in f64 (, whole: meaning on i32, wrapping) (, called: word(arguments) "what it is");`
///
/// The price is what one evaluation costs, in additions.
macro_rules! table {
    ($($(#[$doc:meta])* $name:ident = $word:literal: $types:expr, $price:literal, $nature:ident, $law:ident, $real:expr
        $(, whole: $whole:expr)? $(, called: $called:ident($($arg:ident),*) $about:literal)?;)*) => {
        /// Scalar functions. A bool is 0 or 1.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Map {
            $($(#[$doc])* $name,)*
        }

        impl Map {
            /// All scalar functions.
            pub const ALL: &[Map] = &[$(Map::$name,)*];
        }

        use Scalar::{One, Select, Two};
        use Types::{Cast, Choice, Same, Test};

        static ROWS: &[Row] = &[$(Row {
            word: $word,
            types: $types,
            price: $price,
            nature: Nature::$nature,
            law: Law::$law,
            real: $real,
            whole: table!(@given $($whole)?),
            called: table!(@given $(Called { word: stringify!($called), args: &[$(stringify!($arg)),*], about: $about })?),
        },)*];
    };
    (@given) => { None };
    (@given $value:expr) => { Some($value) };
}

table! {
    Copy = "copy": Same(ANY), 0.5, Handed, Identity, One(|x| x);
    Neg = "neg": Same(NUMBERS), 1.0, Handed, Undoes, One(|x| -x), whole: One(|x| wrap(-(x as i64)));
    Not = "not": Same(BOOLS), 0.5, Handed, Undoes, One(|x| truth(x == 0.0));
    Exp = "exp": Same(REALS), 10.0, Smooth, None, One(libm::exp),
        called: exp(x) "e to the power of `x`";
    Log = "log": Same(REALS), 10.0, Smooth, None, One(libm::log),
        called: log(x) "the natural logarithm of `x`";
    Sqrt = "sqrt": Same(REALS), 3.0, Smooth, None, One(libm::sqrt),
        called: sqrt(x) "the square root of `x`";
    Abs = "abs": Same(NUMBERS), 1.0, Handed, Settles, One(libm::fabs), whole: One(|x| wrap((x as i64).abs())),
        called: abs(x) "the magnitude of `x`";
    Sin = "sin": Same(REALS), 14.0, Smooth, None, One(libm::sin),
        called: sin(x) "the sine of `x`, an angle in radians";
    Cos = "cos": Same(REALS), 14.0, Smooth, None, One(libm::cos),
        called: cos(x) "the cosine of `x`, an angle in radians";
    Tan = "tan": Same(REALS), 40.0, Smooth, None, One(libm::tan),
        called: tan(x) "the tangent of `x`, an angle in radians";
    Tanh = "tanh": Same(REALS), 10.0, Smooth, None, One(libm::tanh),
        called: tanh(x) "the hyperbolic tangent of `x`";
    Sigmoid = "sigmoid": Same(REALS), 10.0, Smooth, None, One(|x| 1.0 / (1.0 + libm::exp(-x))),
        called: sigmoid(x) "`1 / (1 + exp(-x))`";
    Softplus = "softplus": Same(REALS), 14.0, Smooth, None, One(softplus),
        called: softplus(x) "`log(1 + exp(x))`";
    Erf = "erf": Same(REALS), 14.0, Smooth, None, One(libm::erf),
        called: erf(x) "the error function of `x`";
    Floor = "floor": Same(REALS), 1.0, Steps, Settles, One(libm::floor),
        called: floor(x) "the next whole number below `x`, or `x`";
    Ceil = "ceil": Same(REALS), 1.0, Steps, Settles, One(libm::ceil),
        called: ceil(x) "the next whole number above `x`, or `x`";
    /// Ties to even.
    Round = "round": Same(REALS), 1.0, Steps, Settles, One(libm::rint),
        called: round(x) "the nearest whole number; halves go to the even one";
    /// The nearest number of 16 bits (IEEE 754's binary16); ties to even, infinite from 65520 on. Mixed precision reads factors so; it is made after
    /// derivatives are.
    Half = "half": Same(REALS), 4.0, Rough, Settles, One(|x| half::f16::from_f64(x).to_f64());
    /// -1, 0 or 1; NaN of NaN.
    Sign = "sign": Same(NUMBERS), 1.0, Steps, Settles, One(sign),
        called: sign(x) "-1, 0 or 1; NaN of NaN";
    ToF32 = "to_f32": Cast(DType::F32), 0.5, Handed, Cast, One(|x| x);
    /// Cuts towards zero and stops at the ends of i32; the least i32 of NaN.
    ToI32 = "to_i32": Cast(DType::I32), 0.5, Steps, Cast, One(to_i32);
    Add = "add": Same(NUMBERS), 1.0, Exact, Sum, Two(|a, b| a + b), whole: Two(|a, b| wrap(a as i64 + b as i64));
    Sub = "sub": Same(NUMBERS), 1.0, Exact, Difference, Two(|a, b| a - b), whole: Two(|a, b| wrap(a as i64 - b as i64));
    Mul = "mul": Same(NUMBERS), 1.0, Exact, Product, Two(|a, b| a * b), whole: Two(|a, b| wrap(a as i64 * b as i64));
    Div = "div": Same(REALS), 3.0, Smooth, Quotient, Two(|a, b| a / b);
    /// As C's `pow` does at the edges.
    Pow = "pow": Same(NUMBERS), 40.0, Rough, Power, Two(libm::pow), whole: Two(whole_pow);
    /// The angle of the point (x, y), y first, in [-pi, pi]; signs of zeros and infinities count as in C.
    Atan2 = "atan2": Same(REALS), 20.0, Rough, None, Two(libm::atan2),
        called: atan2(y, x) "the angle of the point `(x, y)` in radians, from -pi to pi";
    /// NaN if either is.
    Min = "min": Same(NUMBERS), 1.0, Handed, Extreme, Two(smaller);
    /// NaN if either is.
    Max = "max": Same(NUMBERS), 1.0, Handed, Extreme, Two(larger);
    /// Whole quotient, rounded down; on i32 and on whole f32 values. By zero: 0.
    IntDiv = "int_div": Same(NUMBERS), 5.0, Steps, None, Two(int_div), whole: Two(|a, b| wrap(int_div(a, b) as i64));
    /// `a - b * floor(a / b)`. By zero: 0.
    Mod = "mod": Same(NUMBERS), 5.0, Steps, None, Two(modulo);
    /// False where either is NaN, as all comparisons but `Ne`.
    Eq = "eq": Test(ANY), 1.0, Steps, Commutes, Two(|a, b| truth(a == b));
    /// True where either is NaN.
    Ne = "ne": Test(ANY), 1.0, Steps, Commutes, Two(|a, b| truth(a != b));
    Lt = "lt": Test(NUMBERS), 1.0, Steps, None, Two(|a, b| truth(a < b));
    Le = "le": Test(NUMBERS), 1.0, Steps, None, Two(|a, b| truth(a <= b));
    And = "and": Same(BOOLS), 1.0, Handed, Both, Two(|a, b| truth(a != 0.0 && b != 0.0));
    Or = "or": Same(BOOLS), 1.0, Handed, Either, Two(|a, b| truth(a != 0.0 || b != 0.0));
    /// A mark for derivatives: its operand, through which none flows. Derivatives are taken before any pass runs; passes drop it.
    Cut = "cut": Same(REALS), 0.5, Handed, Identity, One(|x| x);
    /// A mark for derivatives: its first operand, with the derivative of the second. Passes drop it.
    Surrogate = "surrogate": Same(REALS), 0.5, Handed, Identity, Two(|a, _| a);
    /// condition, value if true, value if false
    Select = "select": Choice, 1.0, Handed, Choice, Select;
}

impl Map {
    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The word in texts.
    pub fn word(self) -> &'static str {
        self.row().word
    }

    /// How many operands it takes.
    pub fn arity(self) -> usize {
        match self.row().real {
            One(_) => 1,
            Two(_) => 2,
            Select => 3,
        }
    }

    /// What it takes and gives.
    pub fn types(self) -> Types {
        self.row().types
    }

    /// What one evaluation costs, in additions.
    pub fn price(self) -> f64 {
        self.row().price
    }

    /// What rounding does to it.
    pub fn nature(self) -> Nature {
        self.row().nature
    }

    /// What algebra knows of it.
    pub fn law(self) -> Law {
        self.row().law
    }

    /// What users call it, where it is a function at every point by itself.
    pub fn called(self) -> Option<Called> {
        self.row().called
    }

    /// The element type that operands of type `of` are brought to where kernels mix types: their own if the function takes it, else a
    /// whole number for a truth value, else a real one.
    pub fn works_in(self, of: DType) -> DType {
        match self.types() {
            Same(on) | Test(on) if on.contains(&of) => of,
            Same(on) | Test(on) => on.iter().copied().find(|d| *d == DType::I32).unwrap_or(on[0]),
            Cast(_) | Choice => of,
        }
    }

    /// The element type of the result, of operands of type `of` (for `Select`, of those to choose from).
    pub fn gives(self, of: DType) -> DType {
        match self.types() {
            Same(_) | Choice => of,
            Cast(to) => to,
            Test(_) => DType::Bool,
        }
    }

    /// What it means on operands of element type `dtype` (for `Select`, any).
    pub fn meaning(self, dtype: DType) -> Scalar {
        self.row().whole.filter(|_| dtype == DType::I32).unwrap_or(self.row().real)
    }
}

fn truth(b: bool) -> f64 {
    f64::from(u8::from(b))
}

/// A whole number cut to 32 bits.
fn wrap(n: i64) -> f64 {
    f64::from(n as i32)
}

/// The larger one; NaN if either is.
pub fn larger(a: f64, b: f64) -> f64 {
    if a > b || a.is_nan() { a } else { b }
}

/// The smaller one; NaN if either is.
pub fn smaller(a: f64, b: f64) -> f64 {
    if a < b || a.is_nan() { a } else { b }
}

fn sign(x: f64) -> f64 {
    if x.is_nan() { x } else { truth(x > 0.0) - truth(x < 0.0) }
}

/// Cut towards zero, kept inside i32; the least i32 for NaN.
fn to_i32(x: f64) -> f64 {
    if x.is_nan() { f64::from(i32::MIN) } else { f64::from(x as i32) }
}

fn softplus(x: f64) -> f64 {
    libm::fmax(x, 0.0) + libm::log1p(libm::exp(-libm::fabs(x)))
}

fn int_div(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { libm::floor(a / b) }
}

fn modulo(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a - b * libm::floor(a / b) }
}

/// Whole powers; a negative exponent gives the truncated quotient.
fn whole_pow(base: f64, exponent: f64) -> f64 {
    let (b, n) = (base as i64, exponent as i64);
    match (b, n) {
        (_, 0..) => f64::from((b as i32).wrapping_pow(n as u32)),
        (1, _) => 1.0,
        (-1, _) => {
            if n % 2 == 0 {
                1.0
            } else {
                -1.0
            }
        }
        (_, _) => 0.0,
    }
}

/// The function of two that a map is; maps that folds are made of.
pub(super) fn binary(map: Map, dtype: DType) -> fn(f64, f64) -> f64 {
    match map.meaning(dtype) {
        Two(f) => f,
        One(_) | Select => |a, _| a,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart() {
        for (k, map) in Map::ALL.iter().enumerate() {
            assert_eq!(*map as usize, k);
            assert!(Map::ALL.iter().all(|m| m == map || m.word() != map.word()));
            assert!(map.called().is_none_or(|c| c.args.len() == map.arity()), "{map:?}");
        }
    }
}
