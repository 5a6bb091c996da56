//! Sizes that are found as tensors come in.
//!
//! In: declared shapes and the shapes of what was given. Out: a number for each free dim. Promised: when two tensors
//! disagree, the message names both.

use crate::check::model::{Input, Model};
use crate::diag::{Code, Diagnostic, suggest};
use crate::ir::sizes::Sizes;
use crate::ir::{Size, Sym, type_text};
use std::collections::BTreeMap;

/// Sizes that are known, and who said so.
#[derive(Clone, Debug, Default)]
pub struct Known {
    sizes: BTreeMap<Sym, (i64, String)>,
}

impl Known {
    /// The sizes that the model itself fixes.
    pub fn of(model: &Model) -> Known {
        let fixed = model.dims.iter().filter_map(|d| Some((d.name.clone(), (d.size?, "the file says so".to_string()))));
        Known { sizes: fixed.collect() }
    }

    /// `--dim b=17`
    pub fn ask(&mut self, model: &Model, name: &str, size: i64) -> Result<(), Diagnostic> {
        let Some(dim) = model.dims.iter().find(|d| &*d.name == name) else {
            let mut d = Diagnostic::plain(Code::H0612, format!("`--dim {name}={size}`: the model has no dim `{name}`"));
            if let Some(near) = suggest(name, model.dims.iter().map(|d| &*d.name)) {
                d = d.help(format!("there is `{near}`"));
            }
            return Err(d);
        };
        if size < 0 {
            return Err(Diagnostic::error(Code::H0604, dim.span, format!("the size of `{name}` cannot be {size}")));
        }
        match dim.size {
            Some(fixed) if fixed != size => {
                Err(Diagnostic::error(Code::H0602, dim.span, format!("`{name}` is {fixed}, not {size}"))
                    .here("its size is fixed here")
                    .note(format!("`--dim {name}={size}` asks for another")))
            }
            _ => {
                self.sizes.insert(dim.name.clone(), (size, format!("`--dim {name}={size}`")));
                Ok(())
            }
        }
    }

    /// Sets a size unless it is known.
    pub fn assume(&mut self, name: &Sym, size: i64, who: &str) {
        self.sizes.entry(name.clone()).or_insert_with(|| (size, who.to_string()));
    }

    pub fn get(&self, name: &str) -> Option<i64> {
        self.sizes.get(name).map(|(n, _)| *n)
    }

    pub fn eval(&self, size: &Size) -> Option<i64> {
        size.eval(&|s| self.get(s))
    }

    /// The numbers alone.
    pub fn sizes(&self) -> Sizes {
        self.sizes.iter().map(|(name, (n, _))| (name.clone(), *n)).collect()
    }

    /// Takes the shape of a value that was given for `input`; `who` is what the message calls it: "`x` in `f`".
    pub fn fit(&mut self, input: &Input, shape: &[usize], who: &str) -> Result<(), Diagnostic> {
        let wanted = declared(input);
        if shape.len() != input.shape.len() {
            let mut d = Diagnostic::error(Code::H0602, input.span, format!("`{}` has the wrong number of axes", input.name))
                .here(format!("declared as {wanted}"))
                .note(format!("{who} is {}", type_text(input.dtype.word(), shape)));
            if shape.len() == input.shape.len() + 1 && shape.first() == Some(&1) {
                d = d.help("its first axis has length 1; leave it out");
            }
            return Err(d);
        }
        for (k, (have, (name, size))) in shape.iter().zip(&input.shape).enumerate() {
            let axis = name.as_ref().map_or_else(|| format!("axis {k}"), |n| format!("`{n}`"));
            let have = *have as i64;
            if let Some(want) = self.eval(size) {
                if want != have {
                    return Err(self.disagree(input, size, &axis, have, want, who, shape));
                }
            } else if let [one] = size.symbols().as_slice()
                && Size::sym(one.clone()) == *size
            {
                let said = format!("{who}, which is {}", type_text(input.dtype.word(), shape));
                self.sizes.insert(one.clone(), (have, said));
            }
        }
        Ok(())
    }

    fn disagree(&self, input: &Input, size: &Size, axis: &str, have: i64, want: i64, who: &str, shape: &[usize]) -> Diagnostic {
        let message = format!("`{}` has {have} along {axis}, where {want} is wanted", input.name);
        let d = Diagnostic::error(Code::H0602, input.span, message)
            .here(format!("declared as {}", declared(input)))
            .note(format!("{who} is {}", type_text(input.dtype.word(), shape)));
        let others = size
            .symbols()
            .into_iter()
            .filter_map(|s| Some(format!("`{s}` is {} by {}", self.sizes.get(&s)?.0, self.sizes.get(&s)?.1)));
        others.fold(d, Diagnostic::note)
    }

    /// Axes of an input whose size nothing said: the unknown, in order.
    pub fn unknown<'a>(&self, input: &'a Input) -> Vec<&'a Size> {
        input.shape.iter().map(|(_, s)| s).filter(|s| self.eval(s).is_none()).collect()
    }

    /// The shape of an input, when all of it is known.
    pub fn shape(&self, input: &Input) -> Option<Vec<usize>> {
        input.shape.iter().map(|(_, s)| usize::try_from(self.eval(s)?).ok()).collect()
    }
}

/// `f32[b, 64]`
pub fn declared(input: &Input) -> String {
    let axes: Vec<String> = input.shape.iter().map(|(name, size)| axis(name.as_ref(), size)).collect();
    type_text(input.dtype.word(), &axes)
}

/// `b`, `64`, `t=16`
pub fn axis(name: Option<&Sym>, size: &Size) -> String {
    match name {
        Some(n) if *size != Size::sym(n.clone()) => format!("{n}={size}"),
        Some(n) => n.to_string(),
        None => size.to_string(),
    }
}
