//! Nets out of arrays and families.

use super::IndexValue;
use crate::check::value::{NetVal, Pick, Value};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Op, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Expr};

impl<'a> Checker<'a> {
    /// A net out of an array or family, or a renaming of axes for a call.
    pub fn index_net(&mut self, mut net: NetVal, indices: &'a [ast::Index], span: Span) -> Res<NetVal> {
        for index in indices {
            let (value, at) = match index {
                ast::Index::At(e) => (self.index_value(e)?, e.span),
                ast::Index::Rename { axis, .. } => {
                    return self.error(Code::H0314, axis.span, "an axis is given where a net is called: `net[t = patch](x)`");
                }
                ast::Index::Along { axis, .. } => {
                    return self.error(Code::H0314, axis.span, "an array of nets has no named axes");
                }
                ast::Index::Lifted(s) | ast::Index::Merged(_, s) => {
                    return self.error(Code::H0314, *s, "this does not index an array of nets");
                }
                ast::Index::Range { from, .. } => {
                    return self.error(Code::H0314, from.span, "a range of nets is no net; call them with an index, `net[i](x)`");
                }
            };
            let Some(&array) = self.nets.open_arrays(&net).first() else {
                return self.error(Code::H0315, span, "this is one net and no array");
            };
            let n = self.axes.size_of(array);
            let pick = match value {
                IndexValue::Name(name) => {
                    let own = self.axes.size_of(name);
                    if !self.axes.same(&n, &own) {
                        return self.range_error(name, &n, at, "nets");
                    }
                    self.axes.note_range(name, at);
                    Pick::Name(name)
                }
                IndexValue::Tens(t) => match self.build.at(&t).op {
                    Op::Const(v) => {
                        let k = v as i64;
                        if k < 0 || n.constant().is_some_and(|n| k >= n) {
                            let message = format!(
                                "there are {} nets here, numbered from 0, and this is number {k}",
                                self.axes.show_size(&n)
                            );
                            return self.error(Code::H0316, at, message);
                        }
                        Pick::Number(Size::from(k))
                    }
                    _ => Pick::Data(self.inside(&t, Some(array), &n, at)?),
                },
            };
            net.picks.push((array, pick));
        }
        Ok(net)
    }

    pub(super) fn family_member(&mut self, nets: &[(ast::Name, NetVal)], index: &'a Expr) -> Res<NetVal> {
        let value = self.expr(index)?;
        if let Value::LeafName(leaf, _) = &value {
            return match nets.iter().find(|(n, _)| n == leaf) {
                Some((_, net)) => Ok(net.clone()),
                None => self.error(Code::H0314, index.span, format!("there is no net for the leaf `{leaf}`")),
            };
        }
        let known = match &value {
            Value::Num(n) => n.known(),
            _ => None,
        };
        let Some(k) = known else {
            if self.report.is_generic()
                && let Some((_, first)) = nets.first()
            {
                return Ok(first.clone());
            }
            return self.fail(
                Diagnostic::error(
                    Code::H0317,
                    index.span,
                    "a family of nets is indexed by a number that is known when the model is compiled",
                )
                .help("its nets differ in their sizes; equal nets are an array, `sub net[n] = ..`, and take any index"),
            );
        };
        match nets.get(k as usize).filter(|_| k >= 0.0 && k.fract() == 0.0) {
            Some((_, net)) => Ok(net.clone()),
            None => {
                let message = format!("there are {} nets here, numbered from 0, and this is number {k}", nets.len());
                self.error(Code::H0316, index.span, message)
            }
        }
    }
}
