//! Arguments of a call that are left out: their defaults, in which the ones before them are known.

use crate::check::scope::{Binding, Frame};
use crate::check::value::Value;
use crate::check::{Checker, Res};
use crate::diag::Code;
use crate::source::Span;
use crate::syntax::ast;

impl<'a> Checker<'a> {
    /// Arguments that are not given have their defaults, in which the ones before are known.
    pub(super) fn completed(
        &mut self,
        signature: &'a ast::Signature,
        mut frame: Frame<'a>,
        slots: Vec<Option<(Value<'a>, Span)>>,
        span: Span,
    ) -> Res<Vec<(Value<'a>, Span)>> {
        (frame.span, frame.called) = (span, true);
        let mut out = vec![];
        for (k, slot) in slots.into_iter().enumerate() {
            let arg = signature.args.get(k);
            let (value, at) = match (slot, arg.and_then(|a| a.default.as_ref())) {
                (Some(given), _) => given,
                (None, Some(e)) => (self.nested(span, |c| c.in_frame(frame.clone(), |c| c.expr(e)))?, e.span),
                (None, None) => return self.error(Code::H0333, span, "an argument is missing"),
            };
            if let Some(arg) = arg {
                frame.scopes[0].push((arg.name.name.clone(), Binding::Value(value.clone())));
            }
            out.push((value, at));
        }
        Ok(out)
    }

    /// Adds the defaults of arguments that are left out at the end.
    pub(super) fn with_defaults(
        &mut self,
        signature: &'a ast::Signature,
        frame: Frame<'a>,
        args: Vec<(Value<'a>, Span)>,
        span: Span,
    ) -> Res<Vec<(Value<'a>, Span)>> {
        let left = signature.args.get(args.len()..).unwrap_or_default();
        if left.is_empty() || left.iter().any(|a| a.default.is_none()) {
            return Ok(args);
        }
        let slots = args.into_iter().map(Some).chain(left.iter().map(|_| None)).collect();
        self.completed(signature, frame, slots, span)
    }
}
