//! Whether a shader may run everywhere: naga's validation, and what naga does not check and browsers insist on.
//!
//! - A barrier stands where all threads of a workgroup come by ([`uniform`]).
//! - No variable has the name of a buffer or a function, which it would hide ([`names`]).
//! - Workgroup memory, threads of a workgroup and storage buffers stay within what every device offers ([`limits`]).

use super::program::BINDINGS;
use naga::proc::Layouter;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Block, BuiltIn, Expression, Function, Handle, LocalVariable, Module, Statement};
use std::collections::HashSet;

/// Bytes of workgroup memory that every device has.
const WORKGROUP: u32 = 16 << 10;
/// Threads of a workgroup that every device runs.
const THREADS: u32 = 256;

/// Parses a module and checks it. Errors: naga's report with the place in the shader, or what every device offers and this exceeds.
pub fn validate(code: &str) -> Result<Module, String> {
    let module = naga::front::wgsl::parse_str(code).map_err(|e| e.emit_to_string(code))?;
    Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module).map_err(|e| e.emit_to_string(code))?;
    limits(&module)?;
    uniform(&module)?;
    names(code)?;
    Ok(module)
}

/// Whether a variable hides something of the module. WGSL allows it; here it would be a mistake of the emitter.
pub fn names(code: &str) -> Result<(), String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let (outside, inside) = code.split_once("\nfn main(").ok_or("there is no function `main`")?;
    let mut known = HashSet::new();
    for line in outside.lines() {
        let variable = line.split_once("var<").and_then(|(_, rest)| rest.split_once("> ")).map(|(_, rest)| word(rest));
        known.extend(variable);
        known.extend(line.strip_prefix("fn ").map(word));
    }
    for keyword in ["let ", "var "] {
        for (at, _) in inside.match_indices(keyword) {
            let name = word(&inside[at + keyword.len()..]);
            if known.contains(&name) {
                return Err(format!("the variable `{name}` hides what the module calls so"));
            }
        }
    }
    Ok(())
}

/// What a module takes of a workgroup.
pub fn limits(module: &Module) -> Result<(), String> {
    let mut layouter = Layouter::default();
    layouter.update(module.to_ctx()).map_err(|e| e.to_string())?;
    let mut memory = 0;
    let mut buffers = 0;
    for (_, v) in module.global_variables.iter() {
        match v.space {
            AddressSpace::WorkGroup => memory += layouter[v.ty].size,
            AddressSpace::Storage { .. } => buffers += 1,
            _ => {}
        }
    }
    if memory > WORKGROUP {
        return Err(format!("{memory} bytes of workgroup memory, where {WORKGROUP} are certain"));
    }
    if buffers > BINDINGS {
        return Err(format!("{buffers} storage buffers, where {BINDINGS} are certain"));
    }
    for entry in &module.entry_points {
        let threads: u32 = entry.workgroup_size.iter().product();
        if threads > THREADS {
            return Err(format!("{threads} threads in a workgroup, where {THREADS} are certain"));
        }
    }
    Ok(())
}

/// Whether every barrier stands in control flow that is the same for all threads of a workgroup. Stricter than the rules of the
/// language, and simpler: a variable is the same for all threads when everything that is ever stored in it is.
pub fn uniform(module: &Module) -> Result<(), String> {
    for entry in &module.entry_points {
        let mut walk = Walk { module, function: &entry.function, varying: HashSet::new(), calls: HashSet::new(), wrong: false };
        loop {
            let before = (walk.varying.len(), walk.calls.len());
            walk.wrong = false;
            walk.block(&entry.function.body, true);
            if (walk.varying.len(), walk.calls.len()) == before {
                break;
            }
        }
        if walk.wrong {
            return Err(format!("a barrier in `{}` stands where not all threads may come by", entry.name));
        }
    }
    Ok(())
}

struct Walk<'m> {
    module: &'m Module,
    function: &'m Function,
    /// Variables that may differ between threads.
    varying: HashSet<Handle<LocalVariable>>,
    /// Results of calls that may.
    calls: HashSet<Handle<Expression>>,
    wrong: bool,
}

impl Walk<'_> {
    /// Whether an expression is the same for all threads of a workgroup.
    fn same(&self, e: Handle<Expression>) -> bool {
        match &self.function.expressions[e] {
            Expression::FunctionArgument(n) => matches!(
                self.function.arguments[*n as usize].binding,
                Some(naga::Binding::BuiltIn(BuiltIn::WorkGroupId | BuiltIn::NumWorkGroups | BuiltIn::WorkGroupSize))
            ),
            Expression::Load { pointer } => self.loaded(*pointer),
            Expression::CallResult(_) => !self.calls.contains(&e),
            Expression::WorkGroupUniformLoadResult { .. } => true,
            Expression::Literal(_) | Expression::Constant(_) | Expression::ZeroValue(_) | Expression::Override(_) => true,
            Expression::GlobalVariable(_) | Expression::LocalVariable(_) => true,
            Expression::Access { base, index } => self.same(*base) && self.same(*index),
            Expression::AccessIndex { base, .. } => self.same(*base),
            Expression::Splat { value, .. } => self.same(*value),
            Expression::Swizzle { vector, .. } => self.same(*vector),
            Expression::Compose { components, .. } => components.iter().all(|c| self.same(*c)),
            Expression::Unary { expr, .. } | Expression::As { expr, .. } => self.same(*expr),
            Expression::Binary { left, right, .. } => self.same(*left) && self.same(*right),
            Expression::Select { condition, accept, reject } => self.same(*condition) && self.same(*accept) && self.same(*reject),
            Expression::Relational { argument, .. } => self.same(*argument),
            Expression::Math { arg, arg1, arg2, arg3, .. } => {
                self.same(*arg) && [arg1, arg2, arg3].into_iter().flatten().all(|a| self.same(*a))
            }
            Expression::ArrayLength(_) => true,
            _ => false,
        }
    }

    /// Whether what a pointer points to is the same for all threads.
    fn loaded(&self, pointer: Handle<Expression>) -> bool {
        match &self.function.expressions[pointer] {
            Expression::LocalVariable(v) => !self.varying.contains(v),
            Expression::GlobalVariable(v) => matches!(self.module.global_variables[*v].space, AddressSpace::Uniform),
            Expression::Access { base, index } => self.loaded(*base) && self.same(*index),
            Expression::AccessIndex { base, .. } => self.loaded(*base),
            _ => false,
        }
    }

    fn root(&self, pointer: Handle<Expression>) -> Option<Handle<LocalVariable>> {
        match &self.function.expressions[pointer] {
            Expression::LocalVariable(v) => Some(*v),
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => self.root(*base),
            _ => None,
        }
    }

    /// Goes through a block; `flow`: all threads come by. Gives whether they all come out at its end.
    fn block(&mut self, block: &Block, flow: bool) -> bool {
        let mut flow = flow;
        for s in block {
            match s {
                Statement::ControlBarrier(_) | Statement::WorkGroupUniformLoad { .. } => self.wrong |= !flow,
                Statement::Store { pointer, value } => {
                    if let Some(v) = self.root(*pointer)
                        && !(flow && self.same(*value))
                    {
                        self.varying.insert(v);
                    }
                }
                Statement::Call { arguments, result: Some(result), .. } if !arguments.iter().all(|a| self.same(*a)) => {
                    self.calls.insert(*result);
                }
                Statement::Block(inner) => flow = self.block(inner, flow),
                Statement::If { condition, accept, reject } => {
                    let inside = flow && self.same(*condition);
                    let accepted = self.block(accept, inside);
                    let rejected = self.block(reject, inside);
                    // Where some threads left for good, the others are not all any more.
                    if !inside && (leaves(accept) || leaves(reject)) || inside && !(accepted && rejected) {
                        flow = false;
                    }
                }
                Statement::Switch { selector, cases } => {
                    let inside = flow && self.same(*selector);
                    for c in cases {
                        self.block(&c.body, inside);
                    }
                    flow = flow && (inside || !cases.iter().any(|c| leaves(&c.body)));
                }
                Statement::Loop { body, continuing, break_if } => {
                    // A loop that threads leave at different times is not walked by all of them.
                    let together = flow && self.together(body) && break_if.is_none_or(|b| self.same(b));
                    self.block(body, together);
                    self.block(continuing, together);
                    flow = flow && (together || !returns(body));
                }
                _ => {}
            }
        }
        flow
    }

    /// Whether all threads leave a loop in the same round.
    fn together(&self, body: &Block) -> bool {
        body.iter().all(|s| match s {
            Statement::If { condition, accept, reject } => {
                let exits = leaves(accept) || leaves(reject);
                (!exits || self.same(*condition)) && self.together(accept) && self.together(reject)
            }
            Statement::Block(inner) => self.together(inner),
            Statement::Switch { selector, cases } => {
                cases.iter().all(|c| (self.same(*selector) || !leaves(&c.body)) && self.together(&c.body))
            }
            _ => true,
        })
    }
}

/// Whether a block may leave what is around it: by a return, or by a break or continue of a loop outside.
fn leaves(block: &Block) -> bool {
    block.iter().any(|s| match s {
        Statement::Return { .. } | Statement::Break | Statement::Continue | Statement::Kill => true,
        Statement::Block(inner) => leaves(inner),
        Statement::If { accept, reject, .. } => leaves(accept) || leaves(reject),
        Statement::Switch { cases, .. } => cases.iter().any(|c| leaves(&c.body)),
        Statement::Loop { body, .. } => returns(body),
        _ => false,
    })
}

fn returns(block: &Block) -> bool {
    block.iter().any(|s| match s {
        Statement::Return { .. } | Statement::Kill => true,
        Statement::Block(inner) => returns(inner),
        Statement::If { accept, reject, .. } => returns(accept) || returns(reject),
        Statement::Switch { cases, .. } => cases.iter().any(|c| returns(&c.body)),
        Statement::Loop { body, .. } => returns(body),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shader(body: &str) -> String {
        format!(
            "struct S {{ n: u32 }}\n@group(0) @binding(0) var<uniform> s: S;\n@group(0) @binding(1) var<storage, read_write> b: array<u32>;\n\
             var<workgroup> w: array<u32, 64>;\n@compute @workgroup_size(64)\n\
             fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{\n{body}\nb[lane] = w[lane];\n}}\n"
        )
    }

    #[test]
    fn barriers_stand_where_all_threads_come_by() {
        let fine = [
            "if (wg.x >= s.n) { return; } workgroupBarrier();",
            "for (var i = 0u; i < s.n; i += 4u) { w[lane] = i; workgroupBarrier(); }",
            "for (var i = lane; i < s.n; i += 4u) { w[lane] = i; } workgroupBarrier();",
            "if (lane == 0u) { w[0] = 1u; } workgroupBarrier();",
            "for (var i = lane; i < s.n; i++) { if (i == 3u) { break; } } workgroupBarrier();",
        ];
        for body in fine {
            assert_eq!(validate(&shader(body)).map(|_| ()), Ok(()), "{body}");
        }
        let wrong = [
            "if (lane >= s.n) { return; } workgroupBarrier();",
            "if (b[0] == 1u) { return; } workgroupBarrier();",
            "for (var i = lane; i < s.n; i++) { workgroupBarrier(); }",
            "for (var i = 0u; i < b[0]; i++) { workgroupBarrier(); }",
            "if (w[1] > 2u) { workgroupBarrier(); }",
            "var k = 0u; if (lane == 1u) { k = 1u; } if (k == 0u) { workgroupBarrier(); }",
            "for (var i = 0u; i < 9u; i++) { if (lane == i) { continue; } workgroupBarrier(); }",
        ];
        for body in wrong {
            assert!(validate(&shader(body)).is_err_and(|e| e.contains("barrier")), "{body}");
        }
    }

    #[test]
    fn what_not_every_device_has_is_refused() {
        let memory = shader("").replace("array<u32, 64>", "array<u32, 4097>");
        assert!(validate(&memory).is_err_and(|e| e.contains("16388 bytes")));
        let threads = shader("").replace("workgroup_size(64)", "workgroup_size(257)");
        assert!(validate(&threads).is_err());
    }
}
