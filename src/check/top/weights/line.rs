//! One line of a block that reads: once for all numbers that the names in the files give its patterns.

use super::pattern::{Numbers, Pattern};
use super::{Checker, stored_in};
use crate::check::Res;
use crate::check::instance::Target;
use crate::check::model::weights::{How, Move, Places, STORED, numbered};
use crate::check::relation::Found;
use crate::check::scope::Binding;
use crate::check::value::{Label, Pick, Tens, Value};
use crate::diag::{Code, Diagnostic};
use crate::files::stored::Kind;
use crate::ir::{Axis, DType, Node, Op, Origin, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Dropped, ExprKind, Layout, PlacePart, Slot, WeightLine, WeightLineKind};

/// The part of a parameter that a place names, as far as nets go.
pub(super) struct Aim {
    /// Place in the model's list.
    pub param: usize,
    pub dtype: DType,
    /// For each axis of an array: which net; all, where none is named.
    pub nets: Vec<Places>,
    /// The axes of one net's tensor.
    pub sizes: Vec<usize>,
    /// `block.3.attn.wq`
    pub path: String,
}

/// A line that reads.
pub(super) struct Read<'a> {
    pub value: &'a ast::Expr,
    pub place: &'a ast::Place,
    pub layout: Layout,
    pub optional: bool,
    pub span: Span,
}

impl<'a> Checker<'a> {
    /// The lines of a block that reads from this shelf.
    pub(super) fn read_block(&mut self, span: Span, lines: &'a [WeightLine], shelf: usize) {
        self.reading.shelf = shelf;
        self.reading.prefix = String::new();
        for line in lines {
            if let WeightLineKind::Prefix(text, _) = &line.kind {
                self.reading.prefix.push_str(text);
            }
        }
        self.reading.absent.clear();
        let from = self.report.length();
        let mut any = false;
        for line in lines {
            match &line.kind {
                WeightLineKind::Read { value, place, layout, optional, .. } => {
                    any = true;
                    let read = Read { value, place, layout: *layout, optional: *optional, span: line.span };
                    // What is wrong with it was said.
                    self.reading.out.failed |= self.read_line(&read).is_err();
                }
                WeightLineKind::Drop { list, optional } => list.iter().for_each(|one| self.drop_one(one, *optional)),
                WeightLineKind::Prefix(..) | WeightLineKind::Write { .. } => {}
            }
        }
        self.absent_together(from);
        if !any {
            self.equal_names(span, shelf);
        }
    }

    /// The pattern of a text in a line, behind the block's prefix.
    fn prefixed(&mut self, text: &str, span: Span) -> Res<Pattern> {
        match Pattern::read(&format!("{}{text}", self.reading.prefix)) {
            Ok(p) => Ok(p),
            Err(why) => self.error(Code::H0623, span, format!("this is no pattern of a name: {why}")),
        }
    }

    /// What a `drop` names: tensors as the file calls them, without the block's prefix.
    fn drop_one(&mut self, one: &'a Dropped, optional: bool) {
        let shelf = self.reading.shelf;
        match one {
            Dropped::Stored(text, span) => {
                // What is wrong with it was said.
                let Ok(pattern) = Pattern::read(text) else { return };
                let shelves = self.reading.shelves.clone();
                let found: Vec<&String> = shelves[shelf].tensors.keys().filter(|n| pattern.matches(n).is_some()).collect();
                if found.is_empty() && !optional {
                    self.reading.out.failed = true;
                    return self.drops_nothing(text, *span);
                }
                self.reading.out.dropped[shelf].extend(found.into_iter().cloned());
            }
            Dropped::Params(path) => {
                let Ok(found) = self.in_scope(|c| c.find_path(path)) else { return };
                for target in found.into_targets() {
                    let at = self.nets[target.param].path.clone();
                    let Some(param) = self.out.model.params.iter().position(|p| p.path == at) else { continue };
                    let arrays = self.nets[self.nets[target.param].inst].arrays.clone();
                    let number = |axis| {
                        target.elems.iter().find(|(a, _)| *a == axis).and_then(|(_, pick)| match pick {
                            Pick::Number(n) => n.constant().map(|n| n as usize),
                            Pick::Name(_) | Pick::Data(_) | Pick::Mix(_) => None,
                        })
                    };
                    let numbers = arrays.into_iter().map(number).collect();
                    self.reading.out.begun.push((param, numbers));
                }
            }
        }
    }

    /// A line, with all numbers that it is meant for.
    fn read_line(&mut self, read: &Read<'a>) -> Res<()> {
        let mut patterns: Vec<(String, Span, Pattern)> = vec![];
        for (text, span) in stored_in(read.value) {
            if !patterns.iter().any(|(t, _, _)| *t == text) {
                let pattern = self.prefixed(&text, span)?;
                patterns.push((text, span, pattern));
            }
        }
        let mut all = vec![Numbers::new()];
        for (text, span, pattern) in &patterns {
            let shelf = self.reading.shelves.clone();
            let shelf = &shelf[self.reading.shelf];
            if pattern.words().iter().all(|w| all.iter().all(|n| n.contains_key(w))) && all.len() != 1 {
                continue;
            }
            let found: Vec<Numbers> = shelf.tensors.keys().filter_map(|name| pattern.matches(name)).collect();
            if found.is_empty() {
                return if read.optional { Ok(()) } else { self.no_tensor((text, pattern), *span) };
            }
            all = joined(&all, &found);
        }
        all.sort_by(|a, b| a.values().cmp(b.values()));
        all.dedup();
        for numbers in all {
            if self.spell(&patterns, &numbers, read.optional)? {
                self.with_numbers(&numbers, |c| c.read_once(read))?;
            }
        }
        Ok(())
    }

    /// The names that the patterns are with these numbers; false: one is not there, and need not be.
    fn spell(&mut self, patterns: &[(String, Span, Pattern)], numbers: &Numbers, optional: bool) -> Res<bool> {
        let shelves = self.reading.shelves.clone();
        let shelf = &shelves[self.reading.shelf];
        self.reading.spelt.clear();
        for (text, span, pattern) in patterns {
            let names = pattern.names(numbers);
            let there: Vec<&String> = names.iter().filter(|n| shelf.tensors.contains_key(*n)).collect();
            match there.as_slice() {
                [] if optional => return Ok(false),
                [] => {
                    let name = names.first().map_or(text.as_str(), |n| n);
                    return self.not_there(name, *span);
                }
                [one] => drop(self.reading.spelt.insert(text.clone(), one.to_string())),
                [one, other, ..] => {
                    let message = format!("`{}` has both `{one}` and `{other}`", shelf.name);
                    let d = Diagnostic::error(Code::H0619, *span, message).here("which of them is meant?");
                    return self.fail(d.help("write the name in full, and `drop` the other one"));
                }
            }
        }
        Ok(true)
    }

    fn with_numbers<T>(&mut self, numbers: &Numbers, work: impl FnOnce(&mut Self) -> T) -> T {
        self.in_scope(|c| {
            for (word, n) in numbers {
                c.scopes.name(word, Binding::Value(Value::from(Size::from(*n))));
            }
            work(c)
        })
    }

    /// A line with its numbers.
    fn read_once(&mut self, read: &Read<'a>) -> Res<()> {
        let found = self.find_place(read.place)?;
        if let Some(word) = found.free_word() {
            return self.read_for_each(read, word, self.free_count(&found));
        }
        let (aim, slots) = self.aim(found, read.place)?;
        let (part, how) = self.in_light(&aim, |c| c.read_part(read, &aim, slots))?;
        let mut names: Vec<String> = self.reading.spelt.values().cloned().collect();
        names.sort();
        let (shelf, line) = (self.reading.shelf, read.span);
        let part = aim.nets.iter().copied().chain(part).collect();
        self.reading.out.moves.push(Move { shelf, line, param: aim.param, part, how, names });
        Ok(())
    }

    fn read_part(&mut self, read: &Read<'a>, aim: &Aim, slots: Option<&'a [Slot]>) -> Res<(Vec<Places>, How)> {
        if let (ExprKind::Stored(text), None) = (&*read.value.kind, slots) {
            let name = self.reading.spelt[text].clone();
            self.kind_of(&name, read.value.span)?;
            let transposed = self.moved(read, aim, &name)?;
            return Ok((aim.sizes.iter().map(|n| Places::all(*n)).collect(), How::Stored { transposed }));
        }
        let (t, part) = self.in_scope(|c| c.left_side(read, aim, slots, None))?;
        let graph = self.build.graph(0);
        let foreign = graph.needs_of(t.node).into_iter().find_map(|id| match &graph.node(id).op {
            Op::Source { path, .. } => (!path.starts_with(STORED)).then(|| path.clone()),
            _ => None,
        });
        if let Some(path) = foreign {
            let message = format!("`{path}` is no tensor of the file");
            let d = Diagnostic::error(Code::H0629, read.value.span, message).here("this reads it");
            return self
                .fail(d.help("a line of `weights from` is computed from tensors of the file, numbers and constants alone"));
        }
        Ok((part, How::Computed(Box::new((Default::default(), t.node)))))
    }

    /// A line whose index of nets is one of a stacked tensor: once for each net.
    fn read_for_each(&mut self, read: &Read<'a>, word: &ast::Name, count: Size) -> Res<()> {
        let place = read.place;
        if !super::mentions(read.value, word) {
            let at = slot_of(place, word).unwrap_or(place.span);
            let d = Diagnostic::error(Code::H0206, at, format!("the index `{word}` is not bound here"));
            return self.fail(d.help(format!(
                "write its number, or `{{{word}}}` in the name on the other side, or it as an index of a stacked tensor"
            )));
        }
        let Some(count) = count.constant() else {
            return self.unknown(place.span, &format!("how many nets `{word}` counts"));
        };
        self.stack_fits(read, word, count)?;
        (0..count).try_for_each(|k| self.with_numbers(&Numbers::from([(word.clone(), k)]), |c| c.read_once(read)))
    }

    /// Whether the index of nets goes along all of what it indexes, as every other index does: the line is looked at once with an axis for
    /// them.
    fn stack_fits(&mut self, read: &Read<'a>, word: &ast::Name, count: i64) -> Res<()> {
        let found = self.with_numbers(&Numbers::from([(word.clone(), 0)]), |c| c.find_place(read.place))?;
        if let Some(other) = found.free_word() {
            let first = Numbers::from([(other.clone(), 0)]);
            return self.with_numbers(&first, |c| c.stack_fits(read, word, count));
        }
        let (aim, slots) = self.aim(found, read.place)?;
        self.in_light(&aim, |c| c.in_scope(|c| c.left_side(read, &aim, slots, Some((word, count as usize)))))?;
        Ok(())
    }

    /// Does what may go wrong with what both sides are at hand.
    fn in_light<T>(&mut self, aim: &Aim, work: impl FnOnce(&mut Self) -> T) -> T {
        let mut names: Vec<String> = self.reading.spelt.values().cloned().collect();
        names.sort();
        let notes = self.both_sides(aim, &names);
        self.report.in_the_light_of(notes);
        let done = work(self);
        self.report.in_the_light_of(vec![]);
        done
    }

    /// The parameter that a place names, the nets of it, and the indices behind it.
    fn aim(&mut self, found: Found<'a>, place: &ast::Place) -> Res<(Aim, Option<&'a [Slot]>)> {
        let slots = found.element_slots();
        let targets = found.into_targets();
        let [target] = targets.as_slice() else {
            let message = format!("a line gives one parameter, and {} match this path", targets.len());
            return self.error(Code::H0406, place.span, message);
        };
        let Target { param: id, elems } = target.clone();
        let path = self.nets[id].path.clone();
        let Some(param) = self.out.model.params.iter().position(|p| p.path == path) else {
            let d = Diagnostic::error(Code::H0629, place.span, format!("`{path}` is not stored: a relation writes it"));
            return self.fail(d.help("`drop` the tensor, or take the relation away"));
        };
        let shape = self.param_shape(id)?;
        let arrays = self.nets[self.nets[id].inst].arrays.clone();
        let (mut nets, mut sizes) = (vec![], vec![]);
        for (label, size) in &shape {
            let Some(n) = self.axes.resolve(size).constant().and_then(|n| usize::try_from(n).ok()) else {
                return self.unknown(place.span, &format!("every size of `{path}`"));
            };
            match label {
                Label::Named(axis) if arrays.contains(axis) => {
                    let pick = elems.iter().find(|(a, _)| a == axis).map(|(_, p)| p);
                    nets.push(self.net_of(pick, n, place.span)?);
                }
                Label::Named(_) | Label::Sized => sizes.push(n),
            }
        }
        let numbers: Vec<Option<usize>> = nets.iter().map(|p| if let Places::At(k) = p { Some(*k) } else { None }).collect();
        let dtype = self.out.model.params[param].dtype;
        let path = numbered(&path, &numbers);
        Ok((Aim { param, dtype, nets, sizes, path }, slots))
    }

    /// Which net of an array of `n` is picked.
    fn net_of(&mut self, pick: Option<&Pick>, n: usize, at: Span) -> Res<Places> {
        match pick {
            None => Ok(Places::all(n)),
            Some(Pick::Number(k)) => match k.constant().and_then(|k| usize::try_from(k).ok()).filter(|k| *k < n) {
                Some(k) => Ok(Places::At(k)),
                None => {
                    let message = format!("there is no net {k}: the array has {n}, counted from 0");
                    let d = Diagnostic::error(Code::H0315, at, message);
                    self.fail(d.help("the numbers are those of the names in the file; `drop` what the model has no place for"))
                }
            },
            Some(Pick::Name(_) | Pick::Data(_) | Pick::Mix(_)) => self.unknown(at, "the number of a net in a line of weights"),
        }
    }

    /// The element type that a tensor of the file is computed with.
    fn kind_of(&mut self, name: &str, at: Span) -> Res<DType> {
        let shelf = &self.reading.shelves[self.reading.shelf];
        match shelf.tensors[name].kind {
            Some(Kind::Bool) => Ok(DType::Bool),
            Some(kind) if kind.is_whole() => Ok(DType::I32),
            Some(_) => Ok(DType::F32),
            None => {
                let message = format!("`{name}` in `{}` is {}, which is not read", shelf.name, shelf.tensors[name].text);
                let d = Diagnostic::error(Code::H0616, at, message);
                self.fail(d.help("save it as another type, or `drop` it"))
            }
        }
    }

    /// A tensor of the file under way, as a value.
    pub fn stored_tensor(&mut self, text: &str, at: Span) -> Res<Value<'a>> {
        let Some(name) = self.reading.spelt.get(text).cloned() else {
            let d = Diagnostic::error(Code::H0629, at, "a text is no value here");
            return self.fail(d.help("tensors of a file are read in `weights from` blocks"));
        };
        let key = (self.reading.shelf, name.clone());
        if let Some(t) = self.reading.made.get(&key) {
            return Ok(Value::Tensor(t.clone()));
        }
        let dtype = self.kind_of(&name, at)?;
        let shape = self.reading.shelves[self.reading.shelf].tensors[&name].shape.clone();
        let axes: Vec<Axis> = shape.iter().enumerate().map(|(d, n)| Axis::new(format!("d{d}"), *n as i64)).collect();
        let labels = vec![Label::Sized; axes.len()];
        let path = format!("{STORED}{name}").into();
        let mut node = Node::new(Op::Source { origin: Origin::Input, path }, dtype, axes);
        node.span = at;
        let t: Tens = self.at_level(0, |c| c.emit(node, labels, vec![]));
        self.reading.made.insert(key, t.clone());
        Ok(Value::Tensor(t))
    }
}

/// Numbers of both that agree.
fn joined(all: &[Numbers], found: &[Numbers]) -> Vec<Numbers> {
    let mut out = vec![];
    for a in all {
        for b in found {
            if b.iter().all(|(w, n)| a.get(w).is_none_or(|m| m == n)) {
                let mut both = a.clone();
                both.extend(b.clone());
                out.push(both);
            }
        }
    }
    out
}

/// Where a word stands among the indices of a place.
fn slot_of(place: &ast::Place, word: &str) -> Option<Span> {
    place.parts.iter().find_map(|part| match part {
        PlacePart::Slots(slots, _) => slots.iter().find_map(|s| match s {
            Slot::Bound(b) if *b.name.name == *word => Some(b.name.span),
            _ => None,
        }),
        PlacePart::Field(_) | PlacePart::Star(_) => None,
    })
}
