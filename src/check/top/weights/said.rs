//! What is said where a tensor does not fit: both sides with their axes, and a way out.

use super::line::{Aim, Read};
use super::pattern::Pattern;
use crate::check::value::Tens;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic, listed, suggest};
use crate::ir::{Size, type_text};
use crate::source::Span;
use crate::syntax::ast::Layout;

/// A name that a file does not have.
#[derive(Clone)]
pub struct Absent {
    name: String,
    /// What is wrong with it: names with the same mistake are said together.
    slip: String,
}

impl Absent {
    /// A name, and the one that is there and near.
    fn new(name: &str, near: Option<&str>) -> Absent {
        let parts = |n: &str| n.split('.').map(String::from).collect::<Vec<_>>();
        let slip = match near.map(|n| (parts(name), parts(n))) {
            None => "nothing is near".to_string(),
            Some((own, there)) if own.len() == there.len() => {
                let differ = own.iter().zip(&there).filter(|(a, b)| a != b);
                differ.map(|(a, b)| format!("{a} {b}")).collect::<Vec<_>>().join(", ")
            }
            Some(_) => name.to_string(),
        };
        Absent { name: name.to_string(), slip }
    }
}

/// Letters for axes that have no names.
const LETTERS: [&str; 6] = ["i", "j", "k", "m", "n", "p"];

impl<'a> Checker<'a> {
    /// The notes that every message about a line has: what the file has, what the model wants.
    pub(super) fn both_sides(&self, aim: &Aim, names: &[String]) -> Vec<String> {
        let shelf = &self.reading.shelves[self.reading.shelf];
        let mut out: Vec<String> = vec![];
        for name in names.iter().take(4) {
            out.push(format!("`{name}` in `{}` is {}", shelf.name, shelf.tensors[name].text));
        }
        out.push(format!("`{}` is {}", aim.path, self.axes_of(aim)));
        out
    }

    /// `f32[n = 64, m = 128]`, as it is declared.
    fn axes_of(&self, aim: &Aim) -> String {
        let param = &self.out.model.params[aim.param];
        let declared = self.declared_sizes(param.span).unwrap_or_default();
        let one = |(k, n): (usize, &usize)| match declared.get(k) {
            Some(text) if *text != n.to_string() => format!("{text} = {n}"),
            _ => n.to_string(),
        };
        let all = self.all_sizes(aim);
        let lead = all.len() - aim.sizes.len();
        let lead = all[..lead].iter().map(|n| format!("{n} nets"));
        let sizes: Vec<String> = lead.chain(aim.sizes.iter().enumerate().map(one)).collect();
        type_text(aim.dtype.word(), &sizes)
    }

    /// The texts of the sizes of the parameter that is declared here.
    fn declared_sizes(&self, name: Span) -> Option<Vec<String>> {
        let file = self.program.files.iter().find(|f| f.id == name.file)?;
        let text = file.text.get(name.end as usize..)?;
        let line = text.lines().next()?;
        let open = line.find('[')?;
        let mut depth = 0;
        let mut parts = vec![String::new()];
        for c in line[open..].chars() {
            match c {
                '[' | '(' => depth += 1,
                ']' | ')' => depth -= 1,
                _ => {}
            }
            match c {
                '[' if depth == 1 => {}
                ']' if depth == 0 => return Some(parts.iter().map(|p| p.trim().to_string()).collect()),
                ',' if depth == 1 => parts.push(String::new()),
                c => parts.last_mut()?.push(c),
            }
        }
        None
    }

    /// The sizes that a tensor for the whole aim has, nets that are not named first.
    pub(super) fn all_sizes(&self, aim: &Aim) -> Vec<usize> {
        let nets = aim.nets.iter().filter(|p| !matches!(p, crate::check::model::weights::Places::At(_)));
        nets.map(|p| p.count()).chain(aim.sizes.iter().copied()).collect()
    }

    /// Whether a tensor that becomes a whole parameter is turned round.
    pub(super) fn moved(&mut self, read: &Read<'a>, aim: &Aim, name: &str) -> Res<bool> {
        let have = self.reading.shelves[self.reading.shelf].tensors[name].shape.clone();
        let want = self.all_sizes(aim);
        let turned = turned(&want);
        match read.layout {
            Layout::Unsaid if have == want && square(aim) => self.both_ways(read, aim),
            Layout::Unsaid | Layout::Straight if have == want => Ok(false),
            Layout::Transposed if have == turned && aim.sizes.len() > 1 => Ok(true),
            layout => {
                let d = self.wrong_shape(read.span, aim);
                self.fail(way_out(d, layout, &have, &want, read))
            }
        }
    }

    /// The value of a line without indices, turned round where the line says so.
    pub(super) fn way_round(&mut self, t: Tens, read: &Read<'a>, aim: &Aim) -> Res<Tens> {
        let sized = t.sized();
        let reads = !super::stored_in(read.value).is_empty();
        match read.layout {
            Layout::Unsaid if reads && sized.len() > 1 && sized.len() == aim.sizes.len() && square(aim) => {
                self.both_ways(read, aim)
            }
            Layout::Unsaid | Layout::Straight => Ok(t),
            Layout::Transposed => {
                let [.., a, b] = sized.as_slice() else {
                    let message = format!("only what has two sizes can be transposed: this is {}", self.show(&t));
                    return self.error(Code::H0615, read.span, message);
                };
                let mut order: Vec<usize> = (0..t.labels.len()).collect();
                order.swap(*a, *b);
                Ok(self.permute(&t, &order))
            }
        }
    }

    fn both_ways<T>(&mut self, read: &Read<'a>, aim: &Aim) -> Res<T> {
        let message = format!("`{}` is square: it fits both ways", aim.path);
        let end = Span { start: read.span.end, ..read.span };
        let d = Diagnostic::error(Code::H0624, read.span, message).here("transposed, or not?");
        self.fail(d.fix("libraries that store `[out, in]` are `transposed`; else write `not transposed`", end, " transposed"))
    }

    fn wrong_shape(&self, line: Span, aim: &Aim) -> Diagnostic {
        let param = &self.out.model.params[aim.param];
        Diagnostic::error(Code::H0615, line, format!("what the file has does not fit `{}`", aim.path))
            .here("by this line")
            .label(param.span, "declared here")
    }

    /// A computed value of another shape than the part that it is for.
    pub(super) fn does_not_fit<T>(&mut self, t: &Tens, wanted: &[usize], aim: &Aim, at: Span) -> Res<T> {
        let own = self.sized_extents(t);
        let mut d = self.wrong_shape(at, aim).here(format!("this is {}", self.show(t)));
        d = d.note(format!("wanted is {wanted:?}"));
        let swapped = turned(wanted);
        if wanted.len() > 1 && own.len() == wanted.len() && own.iter().zip(&swapped).all(|(a, b)| *a == Size::from(*b)) {
            d = d.help("the last two axes are exchanged: say `transposed`, or name the indices on both sides");
        }
        self.fail(d)
    }

    /// Says names with the same mistake once.
    pub(super) fn absent_together(&mut self, from: usize) {
        let absent = std::mem::take(&mut self.reading.absent);
        let of = |d: &Diagnostic| d.primary.as_ref().and_then(|l| absent.get(&l.span)).filter(|_| d.code == Code::H0625);
        self.report.fold(
            from,
            |d| of(d).map(|a| a.slip.clone()),
            |rest| {
                let names: Vec<String> = rest.iter().filter_map(of).map(|a| format!("`{}`", a.name)).collect();
                format!("nor has it {}", listed(&names))
            },
        );
    }

    /// A name that the file does not have.
    pub(super) fn not_there<T>(&mut self, name: &str, at: Span) -> Res<T> {
        let shelf = &self.reading.shelves[self.reading.shelf];
        let d = Diagnostic::error(Code::H0625, at, format!("`{}` has no tensor `{name}`", shelf.name));
        let known = || shelf.tensors.keys().map(String::as_str);
        let (d, absent) = match known().find(|k| k.ends_with(&format!(".{name}"))) {
            Some(longer) => {
                let prefix = longer[..longer.len() - name.len()].to_string();
                let help = format!("there is `{longer}`: say `prefix \"{prefix}\"` once, for all lines of the block");
                (d.help(help), Absent { name: name.to_string(), slip: format!("prefix {prefix}") })
            }
            None => match suggest(name, known()) {
                Some(near) => (d.help(format!("there is `{near}`")), Absent::new(name, Some(near))),
                None => {
                    let help = "`hnet weights` shows the names of both sides; a line that ends in `optional` may find nothing";
                    (d.help(help), Absent::new(name, None))
                }
            },
        };
        self.reading.absent.insert(at, absent);
        self.fail(d)
    }

    /// A `drop` that finds nothing.
    pub(super) fn drops_nothing(&mut self, text: &str, at: Span) {
        let shelf = &self.reading.shelves[self.reading.shelf];
        let d = Diagnostic::error(Code::H0625, at, format!("`{}` has no tensor `{text}` to drop", shelf.name));
        let known = || shelf.tensors.keys().map(String::as_str);
        let behind = format!("{}{text}", self.reading.prefix);
        let is_there = |text: &str| Pattern::read(text).is_ok_and(|p| known().any(|n| p.matches(n).is_some()));
        let d = match known().find(|k| k.ends_with(&format!(".{text}"))) {
            _ if !self.reading.prefix.is_empty() && is_there(&behind) => {
                d.fix("a `drop` has names as the file has them, the prefix with them", at, format!("\"{behind}\""))
            }
            Some(longer) => d.help(format!("there is `{longer}`: a `drop` has names as the file has them")),
            None => match suggest(text, known()) {
                Some(near) => d.help(format!("there is `{near}`")),
                None => d.help("`hnet weights` shows the names; a `drop` that ends in `optional` may find nothing"),
            },
        };
        self.report.say(d);
    }

    /// A pattern that no name of the file fits.
    pub(super) fn no_tensor<T>(&mut self, (written, pattern): (&str, &Pattern), at: Span) -> Res<T> {
        let numbers = pattern.words().into_iter().map(|w| (w, 0)).collect();
        let name = pattern.names(&numbers).first().cloned().unwrap_or_default();
        if pattern.words().is_empty() {
            return self.not_there(&name, at);
        }
        let shelf = &self.reading.shelves[self.reading.shelf];
        let d = Diagnostic::error(Code::H0625, at, format!("no tensor in `{}` fits this name", shelf.name));
        let near = suggest(&name, shelf.tensors.keys().map(String::as_str));
        let d = match (near, shelf.tensors.keys().next()) {
            (Some(near), _) => d.help(format!("there is `{near}`")),
            (None, Some(first)) => d.help(format!("its names are like `{first}`; `hnet weights` shows them all")),
            (None, None) => d.help("it has no tensors at all"),
        };
        // With the words of the numbers, as it is written.
        let absent = Absent { name: written.to_string(), ..Absent::new(&name, near) };
        self.reading.absent.insert(at, absent);
        self.fail(d)
    }
}

/// With the last two sizes exchanged.
fn turned(sizes: &[usize]) -> Vec<usize> {
    let mut out = sizes.to_vec();
    if let [.., a, b] = out.as_mut_slice() {
        std::mem::swap(a, b);
    }
    out
}

/// Whether one net's tensor is the same both ways round.
fn square(aim: &Aim) -> bool {
    matches!(aim.sizes.as_slice(), [.., a, b] if a == b && *a > 1)
}

/// How the line could be written so that it fits.
fn way_out(d: Diagnostic, layout: Layout, have: &[usize], want: &[usize], read: &Read) -> Diagnostic {
    let end = Span { start: read.span.end, ..read.span };
    if layout == Layout::Unsaid && have == turned(want) {
        return d.fix("the last two axes are exchanged: say `transposed`", end, " transposed");
    }
    if layout == Layout::Straight && have == turned(want) {
        return d.help("the last two axes are exchanged: say `transposed`");
    }
    if layout == Layout::Transposed && have == want {
        return d.help("it fits as it is: without `transposed`");
    }
    let product = |s: &[usize]| s.iter().map(|n| *n as u128).product::<u128>();
    let right = |names: &[String]| format!("`place[{}] <- \"..\"[{}]`", letters(want.len()).join(", "), names.join(", "));
    if let Some(order) = same_without_ones(have, want) {
        return d.help(format!("name the indices: {}", right(&order)));
    }
    if product(have) == product(want) {
        return d
            .help("the number of elements is the same: name the indices on both sides, `place[(a, b), i] <- \"..\"[i, a, b]`");
    }
    d.help("a part of a tensor is read by its places: `place[i, o] <- \"..\"[64 + o, i]`, `place <- \"..\"[0..64]`")
}

fn letters(n: usize) -> Vec<String> {
    (0..n).map(|k| LETTERS.get(k).map_or(format!("i{k}"), |l| l.to_string())).collect()
}

/// Indices for each axis of `have` in those of `want`, where they are the same sizes but for ones.
fn same_without_ones(have: &[usize], want: &[usize]) -> Option<Vec<String>> {
    let names = letters(want.len());
    let mut left: Vec<usize> = (0..want.len()).collect();
    let mut out = vec![];
    let spare = have.len().checked_sub(want.len())?;
    let mut ones = 0;
    for n in have {
        match left.iter().position(|k| want[*k] == *n) {
            Some(at) => out.push(names[left.remove(at)].clone()),
            None if *n == 1 && ones < spare => {
                ones += 1;
                out.push("0".into());
            }
            None => return None,
        }
    }
    left.is_empty().then_some(out)
}
