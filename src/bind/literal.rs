//! Values written on the command line: `3`, `0.3,0.7`, `[1, 2]`, `true`.

use super::known::{Known, declared};
use crate::check::model::Input;
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Data, Tensor};

/// The text as a value for `input`; one unknown size is found from the number of values.
pub fn parse(input: &Input, text: &str, known: &Known) -> Result<Tensor, Diagnostic> {
    let wrong = |why: String| {
        Diagnostic::error(Code::H0611, input.span, format!("`{text}` is no value for `{}`", input.name))
            .here(format!("declared as {}", declared(input)))
            .note(why)
    };
    let words: Vec<&str> = text.split([',', '[', ']']).map(str::trim).filter(|w| !w.is_empty()).collect();
    let shape = shape(input, words.len(), known).map_err(&wrong)?;
    let data = match input.dtype {
        DType::F32 => Data::F32(all(&words, "a number", |w| w.parse().ok()).map_err(&wrong)?),
        DType::I32 => Data::I32(all(&words, "a whole number of 32 bits", |w| w.parse().ok()).map_err(&wrong)?),
        DType::Bool => Data::Bool(all(&words, "true or false", truth).map_err(&wrong)?),
    };
    Ok(Tensor::new(shape, data))
}

fn truth(word: &str) -> Option<u8> {
    match word {
        "true" | "1" => Some(1),
        "false" | "0" => Some(0),
        _ => None,
    }
}

fn all<T>(words: &[&str], what: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    words.iter().map(|w| read(w).ok_or_else(|| format!("`{w}` is not {what}"))).collect()
}

fn shape(input: &Input, values: usize, known: &Known) -> Result<Vec<usize>, String> {
    let sizes: Vec<Option<usize>> =
        input.shape.iter().map(|(_, s)| known.eval(s).and_then(|n| usize::try_from(n).ok())).collect();
    let product: usize = sizes.iter().flatten().product();
    let open = sizes.iter().filter(|s| s.is_none()).count();
    match open {
        0 if product == values => {}
        0 => return Err(format!("{values} values are given and {product} wanted")),
        1 if product > 0 && values.is_multiple_of(product) => {}
        1 => return Err(format!("{values} values do not fill rows of {product}")),
        _ => return Err("several of its sizes are unknown; give it in a file".into()),
    }
    Ok(sizes.into_iter().map(|s| s.unwrap_or(values / product.max(1))).collect())
}
