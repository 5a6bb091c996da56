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

/// `map` of operands that all have type `of` (a select's condition is a bool); the result has type `to`.
pub(in crate::gpu) fn apply(m: &mut Module, map: Map, v: &[String], of: DType, to: DType) -> String {
    let on = map.works_in(of);
    let v: Vec<String> = v.iter().map(|x| convert(m, x.clone(), of, on)).collect();
    let text = spelled(m, map, &v, on);
    convert(m, text, map.gives(on), to)
}

/// Every function, of operands of the type `on` that it works in.
fn spelled(m: &mut Module, map: Map, v: &[String], on: DType) -> String {
    let (x, real) = (&v[0], on == DType::F32);
    let mut call = |name: &'static str| format!("{}({})", m.function(name), v.join(", "));
    match map {
        Map::Copy | Map::Cut | Map::Surrogate => x.clone(),
        Map::ToF32 => convert(m, x.clone(), on, DType::F32),
        Map::ToI32 => convert(m, x.clone(), on, DType::I32),
        Map::Neg => format!("-{x}"),
        Map::Not => format!("!{x}"),
        Map::Exp => call("exp_"),
        Map::Log => call("log_"),
        Map::Sqrt => format!("sqrt({x})"),
        Map::Abs => format!("abs({x})"),
        Map::Sin => call("sin_"),
        Map::Cos => call("cos_"),
        Map::Tan => call("tan_"),
        Map::Tanh => call("tanh_"),
        Map::Sigmoid => call("sigmoid_"),
        Map::Softplus => call("softplus_"),
        Map::Erf => call("erf_"),
        Map::Floor => format!("floor({x})"),
        Map::Ceil => format!("ceil({x})"),
        Map::Round => format!("round({x})"),
        Map::Half => call("half_"),
        Map::Sign if real => call("sign_"),
        Map::Sign => format!("sign({x})"),
        Map::Add => format!("({x} + {})", v[1]),
        Map::Sub => format!("({x} - {})", v[1]),
        Map::Mul => format!("({x} * {})", v[1]),
        Map::Div => format!("({x} / {})", v[1]),
        Map::Pow => call(if real { "pow_" } else { "power_i" }),
        Map::Atan2 => call("atan2_"),
        Map::Min if real => call("min_"),
        Map::Min => format!("min({x}, {})", v[1]),
        Map::Max if real => call("max_"),
        Map::Max => format!("max({x}, {})", v[1]),
        Map::IntDiv => call(if real { "floor_div_f" } else { "floor_div" }),
        Map::Mod => call(if real { "floor_mod_f" } else { "floor_mod" }),
        Map::Eq => comparison(m, "==", v, on),
        Map::Ne => comparison(m, "!=", v, on),
        Map::Lt => comparison(m, "<", v, on),
        Map::Le => comparison(m, "<=", v, on),
        Map::And => format!("({x} && {})", v[1]),
        Map::Or => format!("({x} || {})", v[1]),
        Map::Select => format!("select({}, {}, {x})", v[2], v[1]),
    }
}

/// A comparison as a bool. Compilers of shaders take a number for equal to itself whatever it is: NaN is told by its bits.
fn comparison(m: &mut Module, sign: &str, v: &[String], on: DType) -> String {
    let (a, b) = (&v[0], &v[1]);
    match (on, sign) {
        (DType::F32, "==") => format!("{}({a}, {b})", m.function("equal")),
        (DType::F32, "!=") => format!("!{}({a}, {b})", m.function("equal")),
        (DType::F32, "<=") => format!("{}({a}, {b})", m.function("at_most")),
        (DType::F32 | DType::I32, _) => format!("({a} {sign} {b})"),
        (DType::Bool, _) => format!("(select(0, 1, {a}) {sign} select(0, 1, {b}))"),
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
