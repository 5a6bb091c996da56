//! The pointwise functions as WGSL expressions.

use super::module::Module;
use crate::ir::{DType, Map};

/// A number as a literal of its type; infinities and NaN come from a function, since they may not be constants.
pub(in crate::gpu) fn literal(m: &mut Module, c: f64, dtype: DType) -> String {
    match dtype {
        DType::F32 => {
            let f = c as f32;
            if f.is_finite() {
                let text = format!("{f:?}");
                return if f < 0.0 || text.starts_with('-') { format!("({text})") } else { text };
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

/// Another element type for the same value; to i32 it truncates.
pub(in crate::gpu) fn convert(m: &mut Module, x: String, from: DType, to: DType) -> String {
    match (from, to) {
        (DType::F32, DType::F32) | (DType::I32, DType::I32) | (DType::Bool, DType::Bool) => x,
        (DType::Bool, DType::I32) => format!("select(0, 1, {x})"),
        (DType::Bool, DType::F32) => format!("select(0.0, 1.0, {x})"),
        (DType::I32, DType::F32) => format!("f32({x})"),
        (DType::F32, DType::I32) => format!("{}({x})", m.function("to_i32")),
        (DType::F32, DType::Bool) => format!("({x} != 0.0)"),
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

fn symbol(map: Map) -> &'static str {
    match map {
        Map::Add => "+",
        Map::Sub => "-",
        Map::Mul => "*",
        Map::Div => "/",
        Map::Eq => "==",
        Map::Ne => "!=",
        Map::Lt => "<",
        Map::Le => "<=",
        Map::And => "&&",
        Map::Or => "||",
        _ => "",
    }
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
            convert(m, format!("({a} {} {b})", symbol(map)), DType::Bool, to)
        }
        Map::Eq | Map::Ne | Map::Lt | Map::Le => {
            let (a, b) = match of {
                DType::Bool => (format!("select(0, 1, {x})"), format!("select(0, 1, {})", v[1])),
                DType::F32 | DType::I32 => (x.clone(), v[1].clone()),
            };
            let text = if map == Map::Ne && of == DType::F32 {
                format!("({a} < {b} || {a} > {b})")
            } else {
                format!("({a} {} {b})", symbol(map))
            };
            convert(m, text, DType::Bool, to)
        }
        _ if of == DType::F32 => real(m, map, v),
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
        _ => {
            let v: Vec<String> = v.iter().map(|x| convert(m, x.clone(), of, DType::I32)).collect();
            let r = whole(m, map, &v);
            convert(m, r, DType::I32, to)
        }
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
        Map::Sign => format!("select(select(0.0, 1.0, {x} > 0.0), -1.0, {x} < 0.0)"),
        Map::Add | Map::Sub | Map::Mul | Map::Div => format!("({x} {} {})", symbol(map), v[1]),
        Map::Max => format!("select({}, {x}, {x} > {})", v[1], v[1]),
        Map::Min => format!("select({}, {x}, {x} < {})", v[1], v[1]),
        Map::Copy | Map::Not | Map::ToF32 | Map::ToI32 | Map::Eq | Map::Ne | Map::Lt | Map::Le | Map::And | Map::Or => x.clone(),
        Map::Select => x.clone(),
    }
}

fn whole(m: &mut Module, map: Map, v: &[String]) -> String {
    let x = &v[0];
    let mut call = |name: &'static str| format!("{}({})", m.function(name), v.join(", "));
    match map {
        Map::Neg => format!("-{x}"),
        Map::Abs => format!("abs({x})"),
        Map::Sign => format!("sign({x})"),
        Map::Add | Map::Sub | Map::Mul => format!("({x} {} {})", symbol(map), v[1]),
        Map::Max => format!("max({x}, {})", v[1]),
        Map::Min => format!("min({x}, {})", v[1]),
        Map::IntDiv => call("floor_div"),
        Map::Mod => call("floor_mod"),
        Map::Pow => call("power_i"),
        _ => x.clone(),
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
