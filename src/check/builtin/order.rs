//! Functions that order values along an axis, and running sums.

use super::table::Call;
use crate::check::scope::Binding;
use crate::check::value::{Label, NameId, Tens, Value};
use crate::check::word::Meaning;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Axis, DType, Node, Op, Operand, Size};
use crate::source::Span;
use crate::syntax::ast::{ExprKind, Index};

impl<'a> Checker<'a> {
    /// The axis in brackets, or the only sized one.
    fn order_axis(&mut self, t: &Tens, axes: &'a [Index], word: &str, at: Span) -> Res<(usize, Option<NameId>)> {
        match axes {
            [] => {
                let sized = t.sized();
                if let [d] = sized.as_slice() {
                    return Ok((*d, None));
                }
                let message = format!("`{word}(..)` wants exactly one sized axis, and this is {}", self.show(t));
                let name = t.names().last().map(|n| self.axes.name_text(n).to_string());
                let help = match (sized.len(), name) {
                    (0, Some(name)) => format!("say along which axis: `{word}[{name}](..)`"),
                    (0, None) => "a single number has no axis".to_string(),
                    (_, _) => {
                        format!("index the others: `let y[i] = {word}(v[i])`; an axis with a name is said, `{word}[t](..)`")
                    }
                };
                self.fail(Diagnostic::error(Code::H0328, at, message).help(help))
            }
            [Index::At(e)] => {
                if let ExprKind::Name(w) = &*e.kind
                    && let Meaning::Axis(n) | Meaning::Local(Binding::Index(n)) = self.meaning(w)
                    && let Some(d) = t.find(n)
                {
                    return Ok((d, Some(n)));
                }
                let message = format!("this is no axis of the value, which is {}", self.show(t));
                self.error(Code::H0318, e.span, message)
            }
            _ => self.error(Code::H0318, at, format!("`{word}` takes one axis")),
        }
    }

    /// The order of a value along a dimension: its labels with that dimension sized, `count` long.
    pub fn order(&mut self, t: &Tens, dim: usize, count: Size, descending: bool) -> Tens {
        let shape = self.build.at(t).shape.clone();
        let mut axes = shape.clone();
        axes[dim] = Axis::new("rank", count);
        let mut labels = t.labels.clone();
        labels[dim] = Label::Sized;
        let mut node = Node::new(Op::Order { axis: dim, descending }, DType::I32, axes);
        node.inner = vec![shape[dim].clone()];
        let rank = shape.len();
        let subscripts = (0..rank).map(|i| if i == dim { rank } else { i }).collect();
        let operand = self.build.node(t);
        self.emit(node, labels, vec![Operand::new(operand, subscripts)])
    }

    /// `top_k(x, k)`: a record of indices and values.
    pub(super) fn top_k(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [(v, at), (k, k_at)] = self.values(call.args)?;
        let t = self.as_tens(v, at)?;
        self.arithmetic(&t, at)?;
        let k = self.whole(k, k_at)?;
        let (dim, _) = self.order_axis(&t, call.axes, call.function.word, at)?;
        let n = self.extent(&t, dim);
        if let Some(room) = n.sub(&k).constant()
            && (room < 0 || k.constant().is_some_and(|k| k < 0))
        {
            let message = format!("the {} largest of {} are asked for", self.axes.show_size(&k), self.axes.show_size(&n));
            return self.error(Code::H0349, k_at, message);
        }
        let index = self.order(&t, dim, k, true);
        let value = self.read_order(&t, dim, &index)?;
        Ok(Value::Record(vec![("index".into(), Value::Tensor(index)), ("value".into(), Value::Tensor(value))].into()))
    }

    /// A value read in an order along a dimension. The order carries the other dimensions' labels, so each is one loop; what
    /// is read has the order's layout.
    fn read_order(&mut self, t: &Tens, dim: usize, index: &Tens) -> Res<Tens> {
        let others: Vec<usize> = t.sized().into_iter().filter(|d| *d != dim).collect();
        let (mut t, mut index) = (t.clone(), index.clone());
        let mut named = vec![];
        for d in others {
            let n = self.axes.new_name("i", self.extent(&t, d), None);
            t.labels[d] = Label::Named(n);
            index.labels[d] = Label::Named(n);
            named.push(n);
        }
        let handle = self.axes.new_name("order", self.extent(&t, dim), None);
        t.labels[dim] = Label::Named(handle);
        let layout = index.labels.clone();
        let mut out = self.gather(&t, &[(dim, index)], None)?;
        let places: Option<Vec<usize>> = layout.iter().map(|l| out.labels.iter().position(|o| o == l)).collect();
        if let Some(places) = places.filter(|p| p.len() == out.labels.len() && !p.is_sorted()) {
            out = self.permute(&out, &places);
        }
        for n in named {
            out = self.relabel(&out, n, Label::Sized);
        }
        Ok(out)
    }

    /// The value to be ordered, its dimension, and the name of that where it has one.
    fn ordered(&mut self, call: Call<'a>) -> Res<(Tens, usize, Option<NameId>)> {
        let [(v, at)] = self.values(call.args)?;
        let t = self.as_tens(v, at)?;
        self.arithmetic(&t, at)?;
        let (dim, name) = self.order_axis(&t, call.axes, call.function.word, at)?;
        Ok((t, dim, name))
    }

    /// `cumsum(x)`
    pub(super) fn cumsum(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let (t, axis, _) = self.ordered(call)?;
        let axes = self.build.at(&t).shape.clone();
        let subscripts = (0..axes.len()).collect();
        let operand = self.build.node(&t);
        let node = Node::new(Op::Scan { axis }, t.dtype, axes);
        Ok(Value::Tensor(self.emit(node, t.labels.clone(), vec![Operand::new(operand, subscripts)])))
    }

    /// `argsort(x)`
    pub(super) fn argsort(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let (t, dim, name) = self.ordered(call)?;
        let n = self.extent(&t, dim);
        let mut out = self.order(&t, dim, n, false);
        if let Some(name) = name {
            out.labels[dim] = Label::Named(name);
        }
        Ok(Value::Tensor(out))
    }

    /// `sort(x)`
    pub(super) fn sort(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let span = call.span;
        let (t, dim, name) = self.ordered(call)?;
        let n = self.extent(&t, dim);
        let index = self.order(&t, dim, n, false);
        let out = self.read_order(&t, dim, &index)?;
        let Some(name) = name else { return Ok(Value::Tensor(out)) };
        // The sorted axis is the sized one that was not there before.
        let extent = self.axes.size_of(name);
        let sized = out.sized();
        match sized.iter().copied().find(|d| self.extent(&out, *d) == extent) {
            Some(d) if sized.len() == t.sized().len() + 1 => Ok(Value::Tensor(self.dim_to_name(&out, d, name))),
            _ => self.error(Code::H0328, span, "this cannot be sorted along that axis"),
        }
    }
}
