//! Values by path: parameters, and what is none of them, whose path begins with `#`.

use crate::check::model::Model;
use crate::ir::{Data, Tensor};
use std::collections::BTreeMap;

/// What running averages are called, and what measured best in a state.
const AVERAGE: &str = "#average.";
const BEST: &str = "#best.";

/// The values of a state, and what measured best of them, by their own paths.
pub(super) fn apart(state: BTreeMap<String, Tensor>) -> (BTreeMap<String, Tensor>, BTreeMap<String, Tensor>) {
    let (mut values, mut best) = (BTreeMap::new(), BTreeMap::new());
    for (path, t) in state {
        match path.strip_prefix(BEST) {
            Some(own) => best.insert(own.to_string(), t),
            None => values.insert(path, t),
        };
    }
    (values, best)
}

/// Puts what measured best beside the values, as a state has it.
pub(super) fn join(values: &mut BTreeMap<String, Tensor>, best: &BTreeMap<String, Tensor>) {
    values.extend(best.iter().map(|(path, t)| (format!("{BEST}{path}"), t.clone())));
}

/// Values with running averages in the place of what they are averages of.
pub(super) fn averaged(mut values: BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    let averages: Vec<(String, Tensor)> =
        values.iter().filter_map(|(path, t)| Some((path.strip_prefix(AVERAGE)?.to_string(), t.clone()))).collect();
    values.retain(|path, _| !path.starts_with(AVERAGE));
    values.extend(averages);
    values
}

/// Puts what was set in its place: a parameter's path, or `#set.` and the name of a condition.
pub(super) fn put(values: &mut BTreeMap<String, Tensor>, model: &Model, path: &str, t: Tensor) {
    let dtype = model.inputs.iter().find(|i| i.name == path).map(|i| i.dtype);
    match dtype {
        Some(dtype) => values.insert(format!("#set.{path}"), crate::bind::init::cast(&t, dtype)),
        None => {
            let dtype = values.get(path).map_or(t.dtype(), Tensor::dtype);
            // The interpreter's values have 64 bits, and what is set keeps them.
            let exact = dtype == t.dtype() && values.values().any(|v| matches!(v.data, Data::F64(_)));
            let t = if exact { t } else { crate::bind::init::cast(&t, dtype) };
            values.insert(path.to_string(), t)
        }
    };
}

/// How many elements of each parameter are no finite numbers, where any are.
pub(super) fn lost(model: &Model, values: &BTreeMap<String, Tensor>) -> BTreeMap<String, usize> {
    let count = |t: &Tensor| if let Data::F32(v) = &t.data { v.iter().filter(|x| !x.is_finite()).count() } else { 0 };
    let params = model.params.iter().filter_map(|p| values.get_key_value(&p.path));
    params.map(|(path, t)| (path.clone(), count(t))).filter(|(_, n)| *n > 0).collect()
}
