//! A plan → functions in a Cranelift module: in memory to run, as an object file, or as text.

use super::call::Jit;
use super::r#gen::{Around, Calls, Made, Slots, generate, signature};
use super::symbols::WHOLE_POWER;
use super::whole::Whole;
use crate::diag::{Code, Diagnostic};
use crate::ir::Map;
use crate::plan::{Expr, Kernel, Plan, Sizes, Step};
use cranelift_codegen::ir::types::{F32, I32, I64};
use cranelift_codegen::ir::{AbiParam, FuncRef, Function, Signature, UserFuncName};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{Context, isa};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};
use std::fmt::Write;

/// The functions of a plan: one for each kernel step, and those of loop bodies.
#[derive(Clone, Debug)]
pub(super) struct Functions<F> {
    pub steps: Vec<Entry<F>>,
}

#[derive(Clone, Debug)]
pub(super) enum Entry<F> {
    None,
    Kernel(F, Made),
    Body(Functions<F>),
}

impl<F> Functions<F> {
    fn map<G>(self, f: &dyn Fn(F) -> G) -> Functions<G> {
        let one = |e| match e {
            Entry::None => Entry::None,
            Entry::Kernel(x, made) => Entry::Kernel(f(x), made),
            Entry::Body(b) => Entry::Body(b.map(f)),
        };
        Functions { steps: self.steps.into_iter().map(one).collect() }
    }
}

pub(super) fn failed(what: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::plain(Code::H0899, format!("native code generation failed: {what}")).note("this is a bug in hnet")
}

/// The machine that this runs on.
pub(super) fn native(pic: bool) -> Result<OwnedTargetIsa, Diagnostic> {
    let mut flags = settings::builder();
    let wanted = [("opt_level", "speed"), ("enable_verifier", "false"), ("is_pic", if pic { "true" } else { "false" })];
    for (key, value) in wanted {
        flags.set(key, value).map_err(failed)?;
    }
    let builder = cranelift_native::builder().map_err(failed)?;
    builder.finish(settings::Flags::new(flags)).map_err(failed)
}

fn has_fma(isa: &dyn isa::TargetIsa) -> bool {
    let x86 = isa.triple().architecture.to_string().starts_with("x86");
    !x86 || isa.isa_flags().iter().any(|f| f.name == "has_fma" && f.as_bool() == Some(true))
}

/// Functions that fold, by name.
type Folds = Vec<(Whole, &'static str)>;

/// Declares and defines functions one after the other.
pub(super) struct Writer<'m, M: Module> {
    pub module: &'m mut M,
    pub hints: &'m Sizes,
    pub context: Context,
    pub builder: FunctionBuilderContext,
    pub fma: bool,
    linkage: Linkage,
    prefix: String,
    taken: std::collections::BTreeSet<String>,
    /// Functions of rows in place: this program's own, so no object file has them.
    rows: Vec<(Map, &'static str)>,
    /// Folds: of whole rows, down columns, and of rows that come one after the other, what takes one and what ends it.
    folds: [Folds; 4],
    /// Text of functions, where it is wanted.
    clif: Option<String>,
    asm: Option<String>,
}

impl<M: Module> Writer<'_, M> {
    fn plan(&mut self, plan: &Plan) -> Result<Functions<FuncId>, Diagnostic> {
        let mut steps = Vec::new();
        for step in &plan.steps {
            steps.push(match step {
                Step::Kernel(k) => {
                    let own = Slots { buffer: &|n, _| n, size: &|n, _| n };
                    let (id, made) = self.kernel(k, own)?;
                    Entry::Kernel(id, made)
                }
                Step::Rounds(r) => Entry::Body(self.plan(&r.body)?),
                Step::Product(_) | Step::Grouped(_) | Step::Segments(_) => Entry::None,
                Step::Order { .. } | Step::Scan { .. } => Entry::None,
                Step::Assign { .. } | Step::Scatter { .. } | Step::Random { .. } => Entry::None,
            });
        }
        Ok(Functions { steps })
    }

    fn outside(&mut self, name: &str, count: usize, whole: bool) -> Result<FuncId, Diagnostic> {
        let ty = if whole { I32 } else { F32 };
        let mut s = self.module.make_signature();
        s.params = vec![AbiParam::new(ty); count];
        s.returns = vec![AbiParam::new(ty)];
        self.module.declare_function(name, Linkage::Import, &s).map_err(failed)
    }

    /// The functions of rows that a kernel can use.
    fn rows(&mut self, k: &Kernel, func: &mut Function) -> Result<Vec<(Map, FuncRef)>, Diagnostic> {
        let mut refs = Vec::new();
        for (map, name) in self.rows.clone() {
            if k.body.iter().any(|e| matches!(e, Expr::Map(m, _) if *m == map)) {
                let mut s = self.module.make_signature();
                s.params = vec![AbiParam::new(I64); 2];
                let f = self.module.declare_function(name, Linkage::Import, &s).map_err(failed)?;
                refs.push((map, self.module.declare_func_in_func(f, func)));
            }
        }
        Ok(refs)
    }

    /// The functions that fold, where a kernel folds anything.
    fn folds(&mut self, k: &Kernel, func: &mut Function) -> Result<[Vec<(Whole, FuncRef)>; 4], Diagnostic> {
        let mut refs: [Vec<(Whole, FuncRef)>; 4] = Default::default();
        if !k.body.iter().any(|e| matches!(e, Expr::Reduce { .. })) {
            return Ok(refs);
        }
        for ((refs, names), params) in refs.iter_mut().zip(self.folds.clone()).zip([(3, 1), (7, 0), (4, 0), (3, 0)]) {
            let mut signature = self.module.make_signature();
            signature.params = vec![AbiParam::new(I64); params.0];
            signature.returns = vec![AbiParam::new(F32); params.1];
            for (fold, name) in names {
                let f = self.module.declare_function(name, Linkage::Import, &signature).map_err(failed)?;
                refs.push((fold, self.module.declare_func_in_func(f, func)));
            }
        }
        Ok(refs)
    }

    /// The functions that kernels call, as `func` calls them; those of rows that `k` can use.
    fn calls(&mut self, k: Option<&Kernel>, func: &mut Function) -> Result<Calls, Diagnostic> {
        let names = [("sinf", 1, false), ("cosf", 1, false), ("tanf", 1, false), ("powf", 2, false), (WHOLE_POWER, 2, true)];
        let mut refs = Vec::new();
        for (n, count, whole) in names {
            let f = self.outside(n, count, whole)?;
            refs.push(self.module.declare_func_in_func(f, func));
        }
        let rows = k.map_or(Ok(Vec::new()), |k| self.rows(k, func))?;
        let [wholes, downs, takes, ends] = k.map_or(Ok(Default::default()), |k| self.folds(k, func))?;
        Ok(Calls { sin: refs[0], cos: refs[1], tan: refs[2], pow: refs[3], whole: refs[4], rows, wholes, downs, takes, ends })
    }

    /// A name that no function has yet, after what is asked for.
    fn fresh(&mut self, name: &str) -> String {
        let mut name = format!("{}{name}", self.prefix);
        while !self.taken.insert(name.clone()) {
            name.push('_');
        }
        name
    }

    /// The function of a kernel, which finds its buffers and sizes where `slots` says.
    pub(super) fn kernel(&mut self, k: &Kernel, slots: Slots) -> Result<(FuncId, Made), Diagnostic> {
        let conv = self.module.isa().default_call_conv();
        let mut made = None;
        let id = self.function(&k.name, signature(conv), &mut |w, func| {
            let calls = w.calls(Some(k), func)?;
            let around = Around { calls, has_fma: w.fma, hints: w.hints, config: w.module.target_config(), slots };
            made = Some(generate(k, func, &mut w.builder, around));
            Ok(())
        })?;
        Ok((id, made.unwrap_or_else(|| unreachable!("it was generated"))))
    }

    /// A function called `name`, or nearly so, that `fill` writes.
    pub(super) fn function(
        &mut self,
        name: &str,
        signature: Signature,
        fill: &mut dyn FnMut(&mut Self, &mut Function) -> Result<(), Diagnostic>,
    ) -> Result<FuncId, Diagnostic> {
        let name = self.fresh(name);
        let id = self.module.declare_function(&name, self.linkage, &signature).map_err(failed)?;
        self.define(id, &name, signature, fill)?;
        Ok(id)
    }

    /// Writes a function that is declared.
    pub(super) fn define(
        &mut self,
        id: FuncId,
        name: &str,
        signature: Signature,
        fill: &mut dyn FnMut(&mut Self, &mut Function) -> Result<(), Diagnostic>,
    ) -> Result<(), Diagnostic> {
        let mut func = Function::with_name_signature(UserFuncName::user(0, id.as_u32()), signature);
        fill(self, &mut func)?;
        if let Some(text) = &mut self.clif {
            let _ = writeln!(text, "; {name}\n{}", func.display());
        }
        self.context.func = func;
        self.context.set_disasm(self.asm.is_some());
        self.module.define_function(id, &mut self.context).map_err(failed)?;
        if let (Some(text), Some(code)) = (&mut self.asm, self.context.compiled_code()) {
            let _ = writeln!(text, "{name}:\n{}", code.vcode.as_deref().unwrap_or(""));
        }
        self.module.clear_context(&mut self.context);
        Ok(())
    }
}

pub(super) fn write<'m, M: Module>(
    module: &'m mut M,
    hints: &'m Sizes,
    (prefix, linkage): (&str, Linkage),
    texts: (bool, bool),
) -> Writer<'m, M> {
    let fma = has_fma(module.isa());
    let context = module.make_context();
    Writer {
        module,
        hints,
        context,
        builder: FunctionBuilderContext::new(),
        fma,
        linkage,
        prefix: prefix.to_string(),
        taken: std::collections::BTreeSet::new(),
        rows: Vec::new(),
        folds: Default::default(),
        clif: texts.0.then(String::new),
        asm: texts.1.then(String::new),
    }
}

/// As [`write`], for code that runs in this program.
fn in_memory<'m>(module: &'m mut JITModule, hints: &'m Sizes, texts: (bool, bool)) -> Writer<'m, JITModule> {
    let mut writer = write(module, hints, ("", Linkage::Export), texts);
    if writer.fma {
        writer.rows = super::call::row_symbols().into_iter().map(|(map, name, _)| (map, name)).collect();
        let names = |list: Vec<(Whole, &'static str, *const u8)>| list.into_iter().map(|(fold, name, _)| (fold, name)).collect();
        let part = |n: usize| super::call::taken_symbols().into_iter().map(|(fold, names, _)| (fold, names[n])).collect();
        writer.folds = [names(super::call::whole_symbols()), names(super::call::down_symbols()), part(0), part(1)];
    }
    writer
}

fn jit_module() -> Result<JITModule, Diagnostic> {
    let mut builder = JITBuilder::with_isa(native(false)?, default_libcall_names());
    for (name, address) in super::symbols::symbols() {
        builder.symbol(name, address);
    }
    for (_, name, address) in super::call::row_symbols() {
        builder.symbol(name, address);
    }
    for (_, name, address) in super::call::whole_symbols().into_iter().chain(super::call::down_symbols()) {
        builder.symbol(name, address);
    }
    for (_, names, addresses) in super::call::taken_symbols() {
        names.into_iter().zip(addresses).for_each(|(name, address)| {
            builder.symbol(name, address);
        });
    }
    Ok(JITModule::new(builder))
}

/// Compiles all kernels of a plan into memory.
pub(super) fn compile(plan: &Plan, hints: &Sizes) -> Result<(Jit, Functions<super::call::Code>), Diagnostic> {
    let mut module = jit_module()?;
    let functions = in_memory(&mut module, hints, (false, false)).plan(plan)?;
    module.finalize_definitions().map_err(failed)?;
    let jit = Jit::new(module);
    let functions = functions.map(&|id| jit.code(id));
    Ok((jit, functions))
}

/// Cranelift's text of all kernels.
pub fn emit_clif(plan: &Plan, hints: &Sizes) -> Result<String, Diagnostic> {
    let mut module = jit_module()?;
    let mut w = in_memory(&mut module, hints, (true, false));
    w.plan(plan)?;
    Ok(w.clif.unwrap_or_default())
}

/// The machine's instructions of all kernels.
pub fn emit_asm(plan: &Plan, hints: &Sizes) -> Result<String, Diagnostic> {
    let mut module = jit_module()?;
    let mut w = in_memory(&mut module, hints, (false, true));
    w.plan(plan)?;
    Ok(w.asm.unwrap_or_default())
}
