//! What is done with tensors, whatever construct asks for it: each step adds at most one node to the graph under construction, with
//! the axes that its dimensions are called by, at the place that the walk has reached.
//!
//! Names are aligned by name, sizes by position, nothing else.

mod align;
mod arrange;
mod number;
mod read;

use super::value::{Label, NameId, Tens};
use super::{Checker, too_long};
use crate::ir::{DType, Node, Op, Operand, Size};

impl<'a> Checker<'a> {
    /// Adds a node whose dimensions have these labels.
    pub fn emit(&mut self, node: Node, labels: Vec<Label>, operands: Vec<Operand>) -> Tens {
        node.shape.iter().chain(&node.inner).for_each(|a| self.kept(&a.size));
        let (span, within, net) = (self.scopes.place(), self.scopes.place_name(), self.scopes.net_path().cloned());
        let under = self.under();
        self.build.add(Node { span, within, net, under, ..node }, labels, operands)
    }

    /// Does something at another level.
    pub fn at_level<T>(&mut self, level: usize, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.build.go_to(level);
        let out = work(self);
        self.build.go_to(before);
        out
    }

    /// A number.
    pub fn constant(&mut self, value: f64, dtype: DType) -> Tens {
        if dtype == DType::I32 && value as i32 as f64 != value.trunc() {
            let span = self.scopes.place();
            self.say(crate::diag::beyond_i32(span, value));
        }
        self.build.constant(value, dtype)
    }

    /// A size as an i32 scalar.
    pub fn size_value(&mut self, size: &Size) -> Tens {
        self.extent_value(size, DType::I32)
    }

    /// A size as a number, which may be larger than an i32.
    pub fn extent_value(&mut self, size: &Size, dtype: DType) -> Tens {
        let size = self.axes.resolve(size);
        self.kept(&size);
        if let Some(n) = size.constant() {
            return self.constant(n as f64, dtype);
        }
        let span = self.scopes.place();
        self.build.extent(size, dtype, span)
    }

    /// Says that a size could not be kept.
    fn kept(&mut self, size: &Size) {
        if size.is_lost() {
            let d = too_long(self.scopes.place());
            self.say(d);
        }
    }

    /// The counter of a name: 0, 1, .. along it.
    pub fn iota(&mut self, name: NameId) -> Tens {
        if let Some(known) = self.build.iota(name) {
            return known;
        }
        let axis = self.axes.axis(Label::Named(name), "", self.axes.size_of(name));
        let t = self.emit(Node::new(Op::Iota, DType::I32, vec![axis]), vec![Label::Named(name)], vec![]);
        self.build.note_iota(name, &t);
        t
    }

    /// Extents of a tensor's dimensions.
    pub fn extents(&self, t: &Tens) -> Vec<Size> {
        self.build.at(t).shape.iter().map(|a| self.axes.resolve(&a.size)).collect()
    }

    pub fn extent(&self, t: &Tens, dim: usize) -> Size {
        self.axes.resolve(&self.build.at(t).shape[dim].size)
    }

    /// Extents of the sized dimensions.
    pub fn sized_extents(&self, t: &Tens) -> Vec<Size> {
        let all = self.extents(t);
        t.sized().into_iter().map(|i| all[i].clone()).collect()
    }

    /// A type for people: `{b, t}[heads, 8]`.
    pub fn show(&self, t: &Tens) -> String {
        let sizes = self.extents(t);
        let names: Vec<&str> = t.names().map(|n| self.axes.name_text(n)).collect();
        let sized: Vec<String> = t.sized().into_iter().map(|i| self.axes.show_size(&sizes[i])).collect();
        let scalar = match t.dtype {
            DType::F32 => "",
            DType::I32 => "i32",
            DType::Bool => "bool",
        };
        match (names.is_empty(), sized.is_empty()) {
            (true, true) => format!("{scalar}one number")
                .replace("i32one number", "one whole number")
                .replace("boolone number", "one truth value"),
            (true, false) => format!("{scalar}[{}]", sized.join(", ")),
            (false, true) => format!("{scalar}{{{}}}", names.join(", ")),
            (false, false) => format!("{scalar}{{{}}}[{}]", names.join(", "), sized.join(", ")),
        }
    }

    /// The kind of element, and the type: `f32`, `i32{b}[8]`.
    pub fn show_kind(&self, t: &Tens) -> String {
        match (t.labels.is_empty(), t.dtype) {
            (true, _) => t.dtype.word().to_string(),
            (false, DType::F32) => format!("f32 {}", self.show(t)).replace("f32 ", "f32"),
            (false, _) => self.show(t),
        }
    }
}
