//! Weights: from files into a model's parameters, and back.
//!
//! In: a [`Model`], open files, the sizes that are known. Out: a tensor for each parameter under its path, where an array of nets is one
//! tensor with a leading axis for each `*` of the path. A file may have one tensor for each net (`expert.0.w1`), one for the whole
//! array (`expert.w1`), or for nested arrays a mixture (`block.3.expert.w1`); nets of a family, too, if they are alike.
//! Promised: everything that is wrong is said at once, and each message shows what the file has and what the model wants.

mod stacked;

use super::init;
use crate::check::model::families::Families;
use crate::check::model::{Model, Param};
use crate::diag::{Code, Diagnostic, Label, Severity, suggest};
use crate::files::archive::Archive;
use crate::files::memory;
use crate::files::stored::Stored;
use crate::ir::sizes::Sizes;
use crate::ir::{Origin, Tensor, type_text};
use stacked::Stack;
use std::collections::{BTreeMap, BTreeSet};

/// Parameters, and what may be wrong with them all the same.
#[derive(Debug, Default)]
pub struct Loaded {
    pub tensors: BTreeMap<String, Tensor>,
    pub warnings: Vec<Diagnostic>,
}

/// The shape of a parameter, leading axes included.
pub fn shape(param: &Param, sizes: &Sizes) -> Result<Vec<usize>, Diagnostic> {
    let of = |s: &str| sizes.get(s).copied();
    let one = |s: &crate::ir::Size| {
        s.eval(&of)
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| Diagnostic::error(Code::H0603, param.span, format!("the size `{s}` of `{}` is not known", param.path)))
    };
    param.shape.iter().map(one).collect()
}

/// The parameters of a model from files; the first file that has a tensor wins.
pub fn load(model: &Model, files: &[Archive], sizes: &Sizes, seed: i32) -> Result<Loaded, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut missing: Vec<(&Param, Vec<String>)> = Vec::new();
    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut begun: BTreeSet<&str> = BTreeSet::new();
    let mut out = Loaded::default();
    let families = Families::of(model);
    for param in &model.params {
        let mut fill = match Fill::new(param, files, &families, sizes) {
            Ok(fill) => fill,
            Err(d) => {
                problems.push(d);
                continue;
            }
        };
        fill.run(&mut used);
        problems.append(&mut fill.problems);
        let absent = fill.absent();
        if absent.is_empty() {
            out.tensors.insert(param.path.clone(), fill.tensor);
        } else if param.origin == Origin::State && param.init.is_some() && fill.covered.iter().all(|c| !c) {
            begun.insert(&param.path);
        } else {
            missing.push((param, absent));
        }
    }
    // Where a parameter is missing, what starts from it is not looked at.
    let whole = missing.is_empty() && problems.is_empty();
    for param in init::begin(model)?.into_iter().map(|k| &model.params[k]).filter(|p| whole && begun.contains(p.path.as_str())) {
        match init::initialise(model, param, sizes, seed, &out.tensors) {
            Ok(t) => drop(out.tensors.insert(param.path.clone(), t)),
            Err(d) => problems.push(d),
        }
    }
    let extra = extra(model, files, &used);
    if !missing.is_empty() {
        problems.push(say_missing(&missing, files, &extra));
    }
    out.warnings.extend(say_extra(&extra));
    if problems.is_empty() {
        return Ok(out);
    }
    problems.append(&mut out.warnings);
    problems.sort_by_key(|d| d.severity == Severity::Warning);
    Err(problems)
}

/// Whether files have every parameter under its own name, in whatever spelling.
pub fn has_all(model: &Model, files: &[Archive]) -> bool {
    let named: BTreeSet<&str> = files.iter().flat_map(Archive::names).collect();
    let families = Families::of(model);
    model.params.iter().filter(|p| p.origin != Origin::State || p.init.is_none()).all(|p| {
        let stars = p.arrays();
        let Some(lead) = p.shape.iter().take(stars).map(|s| usize::try_from(s.constant()?).ok()).collect::<Option<Vec<_>>>()
        else {
            return false;
        };
        (0..lead.iter().product()).all(|n| {
            let net = unravel(n, &lead);
            let there = |mask: usize| {
                let numbers: Vec<_> = net.iter().enumerate().map(|(k, n)| (mask >> k & 1 == 1).then_some(*n)).collect();
                named.contains(&*key(&p.path, &numbers)) || Stack::find(&families, &p.path, &numbers, files).is_some()
            };
            p.provided.iter().any(|given| matches(&net, given)) || (0..1usize << stars).any(there)
        })
    })
}

/// One parameter being filled from files.
struct Fill<'a> {
    param: &'a Param,
    files: &'a [Archive],
    families: &'a Families,
    /// Sizes of the arrays (of each `*`), and of one net's tensor.
    lead: Vec<usize>,
    rest: Vec<usize>,
    tensor: Tensor,
    /// For each net: whether a file or a relation has it.
    covered: Vec<bool>,
    /// For each net: the name of the tensor that it was taken from.
    by: Vec<Option<String>>,
    provided: Vec<bool>,
    problems: Vec<Diagnostic>,
    /// Tensors of this parameter that do not fit, but the first one, which has been said.
    more: usize,
}

impl<'a> Fill<'a> {
    fn new(param: &'a Param, files: &'a [Archive], families: &'a Families, sizes: &Sizes) -> Result<Self, Diagnostic> {
        let shape = shape(param, sizes)?;
        let stars = param.path.split('.').filter(|p| *p == "*").count().min(shape.len());
        let (lead, rest) = (shape[..stars].to_vec(), shape[stars..].to_vec());
        let nets: usize = lead.iter().product();
        let mut provided = vec![false; nets];
        for numbers in &param.provided {
            for net in (0..nets).filter(|n| matches(&unravel(*n, &lead), numbers)) {
                provided[net] = true;
            }
        }
        let tensor = memory::zeros(&param.path, param.dtype, shape)?;
        let covered = vec![false; nets];
        let by = vec![None; nets];
        Ok(Fill { param, files, families, lead, rest, tensor, covered, by, provided, problems: Vec::new(), more: 0 })
    }

    /// Looks for every spelling, single nets first.
    fn run(&mut self, used: &mut BTreeSet<String>) {
        let stars = self.lead.len();
        for mask in (0..1usize << stars).rev() {
            let numbered: Vec<usize> = (0..stars).filter(|s| mask >> s & 1 == 1).collect();
            let sizes: Vec<usize> = numbered.iter().map(|s| self.lead[*s]).collect();
            for n in 0..sizes.iter().product() {
                let mut numbers = vec![None; stars];
                for (s, k) in numbered.iter().zip(unravel(n, &sizes)) {
                    numbers[*s] = Some(k);
                }
                let key = key(&self.param.path, &numbers);
                let files = self.files;
                let stack = Stack::find(self.families, &self.param.path, &numbers, files);
                // Of a checkpoint with running averages, these are what was measured.
                let average = format!("#average.{key}");
                if let Some(stored) = files.iter().find_map(|f| f.get(&average).or_else(|| f.get(&key))) {
                    used.insert(key);
                    self.put(&numbers, &stored);
                    if let Some(stack) = stack {
                        self.problems.push(twice(self.param, stored.name, &stack.stored));
                    }
                } else if let Some(stack) = stack {
                    used.insert(stack.stored.name.to_string());
                    self.put_of(&numbers, &stack);
                } else if let Some((file, kind)) = files.iter().find_map(|f| Some((f, f.kind_unread(&key)?))) {
                    self.nets(&numbers).iter().for_each(|n| self.covered[*n] = true);
                    let d = Diagnostic::error(Code::H0616, self.param.span, unread(&key, file.name(), kind)).here("wanted here");
                    self.problems.push(d.help(READ));
                }
            }
        }
        if self.more > 0
            && let Some(last) = self.problems.last_mut()
        {
            last.notes.push(format!("{} more tensors of `{}` have a wrong shape", self.more, self.param.path));
        }
    }

    /// The nets that these numbers name; all along an axis without one.
    fn nets(&self, numbers: &[Option<usize>]) -> Vec<usize> {
        let named = |n: &usize| unravel(*n, &self.lead).iter().zip(numbers).all(|(k, want)| want.is_none_or(|w| w == *k));
        (0..self.covered.len()).filter(named).collect()
    }

    /// The shape of a tensor whose name has these numbers.
    fn wanted(&self, numbers: &[Option<usize>]) -> Vec<usize> {
        let stacked = numbers.iter().zip(&self.lead).filter(|(n, _)| n.is_none()).map(|(_, size)| *size);
        stacked.chain(self.rest.iter().copied()).collect()
    }

    /// Copies one tensor of a file to where it belongs.
    fn put(&mut self, numbers: &[Option<usize>], stored: &Stored) {
        let nets = self.nets(numbers);
        if let Some(first) = nets.iter().find_map(|n| self.by[*n].clone()) {
            self.problems.push(twice(self.param, &first, stored));
            nets.iter().for_each(|n| self.covered[*n] = true);
            return;
        }
        nets.iter().for_each(|n| self.by[*n] = Some(stored.name.to_string()));
        let wanted = self.wanted(numbers);
        nets.iter().for_each(|n| self.covered[*n] = true);
        if stored.shape != wanted {
            if self.problems.iter().any(|d| d.code == Code::H0615) {
                self.more += 1;
            } else {
                self.problems.push(wrong_shape(self.param, stored, &wanted, self.lead.len()));
            }
            return;
        }
        let each: usize = self.rest.iter().product();
        for (i, net) in nets.iter().enumerate() {
            match stored.part(self.param.dtype, i * each..(i + 1) * each) {
                Ok(part) => self.tensor.data.put(net * each, &part),
                Err(d) => {
                    let at = Diagnostic { primary: Some(Label::at(self.param.span)), ..d };
                    self.problems.push(at.here("wanted here"));
                    return;
                }
            }
        }
    }

    /// Names of the tensors that no file has and no relation provides.
    fn absent(&self) -> Vec<String> {
        let gone: Vec<usize> = (0..self.covered.len()).filter(|n| !self.covered[*n] && !self.provided[*n]).collect();
        if gone.len() == self.covered.len() && gone.len() > 1 {
            return vec![self.param.path.clone()];
        }
        let name = |n: usize| key(&self.param.path, &unravel(n, &self.lead).into_iter().map(Some).collect::<Vec<_>>());
        gone.into_iter().map(name).collect()
    }
}

/// Whether the numbers of a net are those given; a shorter list means all nets below.
fn matches(net: &[usize], numbers: &[usize]) -> bool {
    net.iter().zip(numbers).all(|(a, b)| a == b)
}

pub(super) fn unravel(mut n: usize, sizes: &[usize]) -> Vec<usize> {
    let mut out = vec![0; sizes.len()];
    for (o, size) in out.iter_mut().zip(sizes).rev() {
        *o = n % size;
        n /= size;
    }
    out
}

/// A path with its `*`s replaced by numbers, or left out where the array is stacked.
pub fn key(path: &str, numbers: &[Option<usize>]) -> String {
    let mut numbers = numbers.iter();
    let parts = path.split('.').filter_map(|p| match p {
        "*" => numbers.next().copied().flatten().map(|n| n.to_string()),
        p => Some(p.to_string()),
    });
    parts.collect::<Vec<_>>().join(".")
}

/// Element types that are read, and what to do about others.
pub const READ: &str = "f64 f32 f16 bf16, f8 (e4m3, e5m2), i8 to i64, u8 to u64 and bool are read: save it as one of these, with PyTorch `x.to(torch.float32)`";

/// `w` is of a type that is not read.
pub fn unread(name: &str, file: &str, kind: &str) -> String {
    format!("`{name}` in `{file}` is of type {kind}, which is not read")
}

/// Two tensors for one net: the whole array and one of it.
fn twice(param: &Param, first: &str, second: &Stored) -> Diagnostic {
    Diagnostic::error(
        Code::H0619,
        param.span,
        format!("`{first}` and `{}` in `{}` are for the same parameter", second.name, second.file),
    )
    .here("wanted once")
    .note("an array of nets has one tensor for each net, or a single one with a leading axis")
    .help(format!("leave one of them out of `{}`", second.file))
}

fn wrong_shape(param: &Param, stored: &Stored, wanted: &[usize], stars: usize) -> Diagnostic {
    let mut d = Diagnostic::error(Code::H0615, param.span, format!("`{}` in `{}` has the wrong shape", stored.name, stored.file))
        .here(format!("declared here as {}", sizes_text(param, stars)))
        .note(format!("the file has    {}", stored.describe()))
        .note(format!("the model wants {}", type_text(param.dtype.word(), wanted)));
    let mut turned = wanted.to_vec();
    if let [.., a, b] = turned.as_mut_slice() {
        std::mem::swap(a, b);
    }
    if turned == stored.shape {
        d = d.help("the last two axes are swapped: the file looks transposed (other libraries store `[out, in]`)");
    } else if stored.shape.iter().product::<usize>() == wanted.iter().product::<usize>() {
        d = d.help("the number of elements is the same; perhaps the file needs another order or grouping of axes");
    }
    d
}

fn sizes_text(param: &Param, stars: usize) -> String {
    type_text(param.dtype.word(), &param.shape[stars.min(param.shape.len())..])
}

/// Tensors in files that nobody asked for: file, name.
fn extra<'a>(model: &Model, files: &'a [Archive], used: &BTreeSet<String>) -> Vec<(&'a str, &'a str)> {
    let provided = |name: &str| {
        model.params.iter().any(|p| {
            let given = |numbers: &Vec<usize>| key(&p.path, &numbers.iter().copied().map(Some).collect::<Vec<_>>()) == name;
            p.provided.iter().any(given)
        })
    };
    let all = files.iter().flat_map(|f| f.names().map(|n| (f.name(), n)));
    // What a checkpoint has besides parameters begins so: moments, averages, what a run has measured.
    all.filter(|(_, n)| !used.contains(*n) && !provided(n) && !n.starts_with('#')).collect()
}

fn say_missing(missing: &[(&Param, Vec<String>)], files: &[Archive], extra: &[(&str, &str)]) -> Diagnostic {
    const SHOWN: usize = 12;
    let names: Vec<(&Param, &String)> = missing.iter().flat_map(|(p, list)| list.iter().map(|n| (*p, n))).collect();
    let place = match files {
        [] => "any file".to_string(),
        [one] => format!("`{}`", one.name()),
        [first, ..] => format!("`{}` and {} more", first.name(), files.len() - 1),
    };
    let message = match names.as_slice() {
        [(_, one)] => format!("the parameter `{one}` is not in {place}"),
        many => format!("{} parameters are not in {place}", many.len()),
    };
    let mut d = Diagnostic::error(Code::H0609, names[0].0.span, message).here("wanted here");
    for (param, name) in names.iter().take(SHOWN) {
        let stars = param.path.split('.').filter(|p| *p == "*").count();
        let kept = if name.contains('*') { "one for each net, each " } else { "" };
        d = d.note(format!("`{name}`: {kept}{}", sizes_text(param, stars)));
    }
    if names.len() > SHOWN {
        d = d.note(format!("and {} more", names.len() - SHOWN));
    }
    let spare: Vec<&str> = extra.iter().map(|(_, e)| *e).collect();
    if let Some(prefix) = names.iter().find_map(|(_, n)| prefix(n, &spare)) {
        return d.help(format!("the names in the file begin with `{prefix}`, those of the model do not: write them without it"));
    }
    match names.iter().find_map(|(_, n)| Some((n, near(n, &spare)?))) {
        Some((name, there)) => d.help(format!("the file has `{there}`, which nothing asks for: is it `{name}`?")),
        None => d,
    }
}

/// What stands before the name in a file that has it with more words in front: `model.` of `model.fc.w`.
fn prefix<'a>(name: &str, spare: &[&'a str]) -> Option<&'a str> {
    spare.iter().find_map(|s| s.strip_suffix(name).filter(|p| p.ends_with('.')))
}

/// A name that may be meant: one that is spelt almost so, or the only one that is left of the same net.
fn near<'a>(name: &str, spare: &[&'a str]) -> Option<&'a str> {
    let net = name.rsplit_once('.').map_or("", |(net, _)| net);
    let of_net = |s: &&&str| s.rsplit_once('.').map_or("", |(net, _)| net) == net;
    let last = |s: &str| s.rsplit('.').next().unwrap_or(s).to_string();
    let mut same = spare.iter().filter(of_net);
    let begins = spare.iter().filter(of_net).find(|s| last(s).starts_with(&last(name)));
    suggest(name, spare.iter().copied()).or(begins.copied()).or_else(|| same.next().copied().filter(|_| same.next().is_none()))
}

fn say_extra(extra: &[(&str, &str)]) -> Option<Diagnostic> {
    let (file, first) = extra.first()?;
    let message = match extra.len() {
        1 => format!("`{first}` in `{file}` is no parameter of the model"),
        n => format!("{n} tensors in `{file}` are no parameters of the model"),
    };
    let mut d = Diagnostic { severity: Severity::Warning, ..Diagnostic::plain(Code::H0613, message) };
    if extra.len() > 1 {
        let shown: Vec<String> = extra.iter().take(8).map(|(_, n)| format!("`{n}`")).collect();
        let more = if extra.len() > 8 { format!(" and {} more", extra.len() - 8) } else { String::new() };
        d = d.note(format!("{}{more}", shown.join(", ")));
    }
    Some(d.note("they are left out"))
}

/// Parameters as a file has them: one tensor for each net of an array, and none that a relation provides.
pub fn split(model: &Model, tensors: &BTreeMap<String, Tensor>) -> Vec<(String, Tensor)> {
    let mut out = Vec::new();
    for param in &model.params {
        let Some(t) = tensors.get(&param.path) else { continue };
        let stars = param.path.split('.').filter(|p| *p == "*").count();
        let (lead, rest) = t.shape.split_at(stars);
        let each: usize = rest.iter().product();
        for net in 0..lead.iter().product() {
            let numbers = unravel(net, lead);
            if param.provided.iter().any(|p| matches(&numbers, p)) {
                continue;
            }
            let name = key(&param.path, &numbers.into_iter().map(Some).collect::<Vec<_>>());
            out.push((name, Tensor::new(rest.to_vec(), t.data.slice(net * each..(net + 1) * each))));
        }
    }
    out
}

#[cfg(test)]
mod tests;
