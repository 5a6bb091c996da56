//! The pointwise functions as WGSL expressions.

use super::module::Module;
use crate::ir::{DType, Map};

/// A number as a literal of its type. Infinities and NaN come from a function, since they may not be constants; so do -0 and what is
/// too small for a normal number, which not every compiler of shaders reads as they are written.
pub(in crate::gpu) fn literal(m: &mut Module, c: f64, dtype: DType) -> String {
    match dtype {
        DType::F32 => {
            let f = c as f32;
            if f.is_normal() || f.to_bits() == 0 {
                return decimal(f);
            }
            let call = m.function("from_bits");
            format!("{call}({:#010x}u)", f.to_bits())
        }
        DType::I32 => match c as i32 {
            i32::MIN => "(-2147483647 - 1)".to_string(),
            n if n < 0 => format!("({n})"),
            n => n.to_string(),
        },
        DType::Bool => (c != 0.0).to_string(),
    }
}

/// The decimal text of a finite f32. The shortest one of the largest numbers lies above them: browsers refuse it, so these are
/// written out.
fn decimal(f: f32) -> String {
    let short = format!("{f:?}");
    let beyond = short.parse::<f64>().is_ok_and(|v| v.abs() > f64::from(f32::MAX));
    let text = if beyond { format!("{:?}", f64::from(f)) } else { short };
    if f < 0.0 { format!("({text})") } else { text }
}

/// Another element type for the same value; to i32 it truncates. NaN is true.
pub(in crate::gpu) fn convert(m: &mut Module, x: String, from: DType, to: DType) -> String {
    match (from, to) {
        (DType::F32, DType::F32) | (DType::I32, DType::I32) | (DType::Bool, DType::Bool) => x,
        (DType::Bool, DType::I32) => format!("select(0, 1, {x})"),
        (DType::Bool, DType::F32) => format!("select(0.0, 1.0, {x})"),
        (DType::I32, DType::F32) => format!("f32({x})"),
        (DType::F32, DType::I32) => format!("{}({x})", m.function("to_i32")),
        (DType::F32, DType::Bool) => format!("!({x} == 0.0)"),
        (DType::I32, DType::Bool) => format!("({x} != 0)"),
    }
}

/// The type that the operands of a function are brought to.
pub(in crate::gpu) fn operand_type(types: impl Iterator<Item = DType>) -> DType {
    let joined = types.reduce(|a, b| match (a, b) {
        (a, b) if a == b => a,
        (DType::F32, _) | (_, DType::F32) => DType::F32,
        _ => DType::I32,
    });
    joined.unwrap_or(DType::F32)
}

/// `map` of operands that all have type `of` (a select's condition is a bool); the result has type `to`.
pub(in crate::gpu) fn apply(m: &mut Module, map: Map, v: &[String], of: DType, to: DType) -> String {
    let x = &v[0];
    match map {
        Map::Copy => x.clone(),
        Map::ToF32 => convert(m, x.clone(), of, DType::F32),
        Map::ToI32 => convert(m, x.clone(), of, DType::I32),
        Map::Select => format!("select({}, {}, {x})", v[2], v[1]),
        Map::Not => {
            let b = convert(m, x.clone(), of, DType::Bool);
            convert(m, format!("!{b}"), DType::Bool, to)
        }
        Map::And | Map::Or => {
            let (a, b) = (convert(m, x.clone(), of, DType::Bool), convert(m, v[1].clone(), of, DType::Bool));
            let symbol = if map == Map::And { "&&" } else { "||" };
            convert(m, format!("({a} {symbol} {b})"), DType::Bool, to)
        }
        Map::Eq | Map::Ne | Map::Lt | Map::Le => {
            let text = comparison(m, map, v, of);
            convert(m, text, DType::Bool, to)
        }
        Map::Exp
        | Map::Log
        | Map::Sqrt
        | Map::Sin
        | Map::Cos
        | Map::Tan
        | Map::Tanh
        | Map::Sigmoid
        | Map::Softplus
        | Map::Erf
        | Map::Div => {
            let v: Vec<String> = v.iter().map(|x| convert(m, x.clone(), of, DType::F32)).collect();
            real(m, map, &v)
        }
        Map::Neg
        | Map::Abs
        | Map::Floor
        | Map::Ceil
        | Map::Round
        | Map::Sign
        | Map::Add
        | Map::Sub
        | Map::Mul
        | Map::Pow
        | Map::Min
        | Map::Max
        | Map::IntDiv
        | Map::Mod => match of {
            DType::F32 => real(m, map, v),
            DType::I32 | DType::Bool => {
                let v: Vec<String> = v.iter().map(|x| convert(m, x.clone(), of, DType::I32)).collect();
                let r = whole(m, map, &v);
                convert(m, r, DType::I32, to)
            }
        },
    }
}

/// A comparison as a bool. Compilers of shaders take a number for equal to itself whatever it is: NaN is told by its bits.
fn comparison(m: &mut Module, map: Map, v: &[String], of: DType) -> String {
    let (a, b) = match of {
        DType::Bool => (format!("select(0, 1, {})", v[0]), format!("select(0, 1, {})", v[1])),
        DType::F32 | DType::I32 => (v[0].clone(), v[1].clone()),
    };
    match (map, of) {
        (Map::Lt, _) => format!("({a} < {b})"),
        (Map::Le, DType::F32) => format!("{}({a}, {b})", m.function("at_most")),
        (Map::Le, _) => format!("({a} <= {b})"),
        (Map::Ne, DType::F32) => format!("!{}({a}, {b})", m.function("equal")),
        (Map::Ne, _) => format!("({a} != {b})"),
        (_, DType::F32) => format!("{}({a}, {b})", m.function("equal")),
        (_, _) => format!("({a} == {b})"),
    }
}

fn real(m: &mut Module, map: Map, v: &[String]) -> String {
    let x = &v[0];
    let mut call = |name: &'static str| format!("{}({})", m.function(name), v.join(", "));
    match map {
        Map::Neg => format!("-{x}"),
        Map::Exp => call("exp_"),
        Map::Log => call("log_"),
        Map::Sin => call("sin_"),
        Map::Cos => call("cos_"),
        Map::Tan => call("tan_"),
        Map::Tanh => call("tanh_"),
        Map::Sigmoid => call("sigmoid_"),
        Map::Softplus => call("softplus_"),
        Map::Erf => call("erf_"),
        Map::Pow => call("pow_"),
        Map::IntDiv => call("floor_div_f"),
        Map::Mod => call("floor_mod_f"),
        Map::Sqrt => format!("sqrt({x})"),
        Map::Abs => format!("abs({x})"),
        Map::Floor => format!("floor({x})"),
        Map::Ceil => format!("ceil({x})"),
        Map::Round => format!("round({x})"),
        Map::Sign => call("sign_"),
        Map::Add => format!("({x} + {})", v[1]),
        Map::Sub => format!("({x} - {})", v[1]),
        Map::Mul => format!("({x} * {})", v[1]),
        Map::Div => format!("({x} / {})", v[1]),
        Map::Max => call("max_"),
        Map::Min => call("min_"),
        Map::Copy
        | Map::Not
        | Map::ToF32
        | Map::ToI32
        | Map::Eq
        | Map::Ne
        | Map::Lt
        | Map::Le
        | Map::And
        | Map::Or
        | Map::Select => {
            unreachable!("`{map:?}` is no function of real numbers alone")
        }
    }
}

fn whole(m: &mut Module, map: Map, v: &[String]) -> String {
    let x = &v[0];
    let mut call = |name: &'static str| format!("{}({})", m.function(name), v.join(", "));
    match map {
        Map::Neg => format!("-{x}"),
        Map::Abs => format!("abs({x})"),
        Map::Sign => format!("sign({x})"),
        Map::Floor | Map::Ceil | Map::Round => x.clone(),
        Map::Add => format!("({x} + {})", v[1]),
        Map::Sub => format!("({x} - {})", v[1]),
        Map::Mul => format!("({x} * {})", v[1]),
        Map::Max => format!("max({x}, {})", v[1]),
        Map::Min => format!("min({x}, {})", v[1]),
        Map::IntDiv => call("floor_div"),
        Map::Mod => call("floor_mod"),
        Map::Pow => call("power_i"),
        Map::Exp
        | Map::Log
        | Map::Sqrt
        | Map::Sin
        | Map::Cos
        | Map::Tan
        | Map::Tanh
        | Map::Sigmoid
        | Map::Softplus
        | Map::Erf
        | Map::Div => unreachable!("`{map:?}` takes real numbers"),
        Map::Copy
        | Map::Not
        | Map::ToF32
        | Map::ToI32
        | Map::Eq
        | Map::Ne
        | Map::Lt
        | Map::Le
        | Map::And
        | Map::Or
        | Map::Select => {
            unreachable!("`{map:?}` is no function of whole numbers alone")
        }
    }
}

/// `x` to a small whole power, by squaring; `x` is a name or a call-free expression.
pub(in crate::gpu) fn small_power(x: &str, n: i32) -> String {
    fn up(x: &str, n: i32) -> String {
        match n {
            1 => x.to_string(),
            n if n % 2 == 0 => {
                let h = up(x, n / 2);
                format!("({h} * {h})")
            }
            n => format!("({} * {x})", up(x, n - 1)),
        }
    }
    if n < 0 { format!("(1.0 / {})", up(x, -n)) } else { up(x, n) }
}
