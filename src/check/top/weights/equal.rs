//! A block without lines: tensors whose names are those of parameters, or of a parameter of all nets of a family.

use super::Checker;
use crate::check::Res;
use crate::check::model::families::{Families, Row};
use crate::check::model::weights::{How, Move, Places};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Size};
use crate::source::Span;
use std::collections::{BTreeMap, HashMap};

impl Checker<'_> {
    /// Each tensor of the shelf that is called as a parameter is, of one net or of several.
    pub(super) fn equal_names(&mut self, span: Span, shelf: usize) {
        let mut ends: HashMap<String, Vec<usize>> = HashMap::new();
        for (k, p) in self.out.model.params.iter().enumerate() {
            ends.entry(last(&p.path).to_string()).or_default().push(k);
        }
        let stacks = self.stacks();
        let shelves = self.reading.shelves.clone();
        let prefix = self.reading.prefix.clone();
        for (name, listed) in &shelves[shelf].tensors {
            let Some(own) = name.strip_prefix(&prefix) else { continue };
            let params = ends.get(last(own)).map_or(&[][..], |l| l);
            let found = params.iter().find_map(|k| Some((*k, numbers(&self.out.model.params[*k].path, own)?)));
            let Some((param, numbers)) = found else {
                // What is wrong with it was said.
                let done = stacks.iter().try_for_each(|s| self.stacked_names(span, (name, own), s));
                self.reading.out.failed |= done.is_err();
                continue;
            };
            let Ok(part) = self.places_of(param, &numbers, span) else { return };
            let Some(part) = part else { continue };
            let how = How::Stored { transposed: false };
            let one = Move { shelf, line: span, param, part, how, names: vec![name.clone()] };
            if one.shape() == listed.shape && listed.kind.is_some() {
                self.reading.out.moves.push(one);
                continue;
            }
            let way = format!("say how it lies: `{{ \"{name}\" -> {} transposed }}`", self.out.model.params[param].path);
            // It was said; the next names are looked at all the same.
            let _: Res<()> = self.lies_otherwise(name, param, &one.shape(), span, way);
            self.reading.out.failed = true;
        }
    }

    /// The part of a parameter that these numbers of its nets name; nothing: there are no such nets.
    fn places_of(&mut self, param: usize, numbers: &[Option<usize>], span: Span) -> Res<Option<Vec<Places>>> {
        let p = &self.out.model.params[param];
        let sizes: Option<Vec<usize>> = p.shape.iter().map(|s| usize::try_from(s.constant()?).ok()).collect();
        let Some(sizes) = sizes else { return self.unknown(span, &format!("every size of `{}`", p.path)) };
        let net = |(k, n): (usize, &usize)| numbers.get(k).copied().flatten().map_or(Places::all(*n), Places::At);
        let part: Vec<Places> = sizes.iter().enumerate().map(net).collect();
        let beyond = part.iter().zip(&sizes).any(|(p, n)| matches!(p, Places::At(k) if k >= n));
        Ok((!beyond).then_some(part))
    }

    /// Names under which the parameters of all nets of a family may lie, and the rows that these are.
    fn stacks(&self) -> Vec<Vec<(usize, Row)>> {
        let families = Families::of(&self.out.model);
        let mut out: BTreeMap<String, Vec<(usize, Row)>> = BTreeMap::new();
        for (k, p) in self.out.model.params.iter().enumerate() {
            for row in families.rows(&p.path) {
                out.entry(row.path.clone()).or_default().push((k, row));
            }
        }
        out.into_values().collect()
    }

    /// A tensor that has a parameter of all nets of a family goes to each of them, row by row.
    fn stacked_names(&mut self, span: Span, (name, own): (&str, &str), rows: &[(usize, Row)]) -> Res<()> {
        let Some(numbers) = rows.first().and_then(|(_, row)| numbers(&row.path, own).filter(|n| row.in_order(n))) else {
            return Ok(());
        };
        let shelf = self.reading.shelf;
        let shelves = self.reading.shelves.clone();
        for (param, row) in rows {
            let Some(part) = self.places_of(*param, &numbers, span)? else { return Ok(()) };
            let mut one = Move {
                shelf,
                line: span,
                param: *param,
                part,
                how: How::Stored { transposed: false },
                names: vec![name.to_string()],
            };
            let wanted = [row.sizes.clone(), one.shape()].concat();
            if wanted != shelves[shelf].tensors[name].shape {
                let path = &self.out.model.params[*param].path;
                let at: Vec<String> = row.numbers.iter().map(|n| n.to_string()).collect();
                let way = format!("say how it lies, net by net: `{{ {path} <- \"{name}\"[{}] }}`", at.join(", "));
                return self.lies_otherwise(name, *param, &wanted, span, way);
            }
            self.reading.spelt.insert(name.to_string(), name.to_string());
            let whole = self.stored_tensor(name, span)?;
            let mut t = self.as_tens(whole, span)?;
            for n in &row.numbers {
                let place = self.size_value(&Size::from(*n));
                t = self.gather(&t, &[(0, place)], None)?;
            }
            let dtype = self.out.model.params[*param].dtype;
            let t = if dtype == DType::F32 && t.dtype != DType::Bool { self.to_f32(&t) } else { t };
            if t.dtype != dtype {
                let message = format!("`{own}` is {} in the file, and {} is declared", t.dtype.word(), dtype.word());
                return self.error(Code::H0616, span, message);
            }
            one.how = How::Computed(Box::new((Default::default(), t.node)));
            self.reading.out.moves.push(one);
        }
        Ok(())
    }

    /// A tensor that is called like a parameter and has another shape.
    fn lies_otherwise<T>(&mut self, name: &str, param: usize, wanted: &[usize], span: Span, way: String) -> Res<T> {
        let p = &self.out.model.params[param];
        let shelf = &self.reading.shelves[self.reading.shelf];
        let message = format!("`{name}` in `{}` does not fit `{}`", shelf.name, p.path);
        let d = Diagnostic::error(Code::H0615, span, message)
            .label(p.span, "declared here")
            .note(format!("the file has    {}", shelf.tensors[name].text))
            .note(format!("the model wants {}", crate::ir::type_text(p.dtype.word(), wanted)));
        self.fail(d.help(way))
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// The numbers that a name has where the path has stars, or none where the array is stacked.
fn numbers(path: &str, name: &str) -> Option<Vec<Option<usize>>> {
    fn rest(path: &[&str], name: &[&str], out: &mut Vec<Option<usize>>) -> bool {
        match (path.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((&"*", path)), name_all) => {
                if let Some((first, after)) = name_all
                    && let Ok(n) = first.parse::<usize>()
                    && first.len() < 10
                {
                    out.push(Some(n));
                    if rest(path, after, out) {
                        return true;
                    }
                    out.pop();
                }
                out.push(None);
                if rest(path, name, out) {
                    return true;
                }
                out.pop();
                false
            }
            (Some((a, path)), Some((b, name))) => a == b && rest(path, name, out),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
    let mut out = vec![];
    let (path, name): (Vec<&str>, Vec<&str>) = (path.split('.').collect(), name.split('.').collect());
    rest(&path, &name, &mut out).then_some(out)
}
