//! A plan as an object file that a C program calls, and the header for it.
//!
//! In: a plan, likely sizes, and what is to be said of the model. Out: an object with one function that runs the whole model (and two that
//! do it in parts), and one that says how much memory that takes. Everything is in it: loop nests and products as kernels, orders, running sums,
//! scatters, draws and assignments as functions of their own, loops as loops. Besides it needs the functions of C's mathematics, memcpy and memset.
//!
//! The workspace begins with a mark, then a pointer for each thing in memory, then a table of numbers (where slots begin, all sizes), then
//! the slots. Sizes are arguments: the plan is written in symbols, and where what it takes for granted does not hold the functions say so.

mod block;
mod blocked;
mod check;
mod code;
mod entry;
mod face;
mod grouped;
mod header;
mod memory;
mod product;
mod steps;
mod table;
mod whole;

use super::compile::{Writer, failed, native, write};
use super::r#gen::{Slots, signature};
use super::symbols::WHOLE_POWER;
use crate::diag::Diagnostic;
use crate::ir::{Dist, Fold, Size};
use crate::plan::measured::cpu::OBJECT_MANY;
use crate::plan::{Grouped, Kernel, Kind, Plan, Product, Sizes, Step};
use code::Code;
use cranelift_codegen::ir::types::{F64, I32, I64};
use cranelift_codegen::ir::{AbiParam, FuncRef, Function, InstBuilder, Signature, StackSlotData, StackSlotKind};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};
use cranelift_object::{ObjectBuilder, ObjectModule};
use entry::{Entry, Given};
pub use face::{Face, Free};
use face::{Field, Words};
use header::Header;
use memory::{Memory, Own};
use std::cell::RefCell;
use std::collections::BTreeMap;
use table::Table;

/// Bytes before the numbers, without the pointers.
const NUMBERS: i64 = 8;
/// What stands in a workspace that is prepared, mixed with its address.
const MARK: i64 = 0x686e_6574_2e6f_626a;

/// What the functions give.
struct Codes;

impl Codes {
    const FINE: i64 = 0;
    const SIZES: i64 = 1;
    const MISSING: i64 = 2;
    const UNPREPARED: i64 = 3;
    const VALUE: i64 = 4;
    /// The first of those for demands.
    const OUTSIDE: i64 = 16;
}

/// The next multiple of a cache line.
fn rounded(bytes: i64) -> i64 {
    (bytes + 63) & !63
}

/// The functions of a plan's steps.
struct Built {
    steps: Vec<One>,
}

enum One {
    /// A function, and the end of its first loop.
    Call(FuncId, Size),
    /// One function where there are few rows, and one where there are many.
    Either {
        few: FuncId,
        many: FuncId,
        rows: Size,
        extent: Size,
    },
    Loop(Built),
}

/// The loop nest that a step is, if it is one.
fn kernel_of(step: &Step) -> Option<Kernel> {
    match step {
        Step::Kernel(k) => Some(k.clone()),
        Step::Product(p) => Some(product::kernel(p)),
        Step::Grouped(g) => Some(product::grouped(g)),
        Step::Segments(_) | Step::Order { .. } | Step::Scan { .. } | Step::Assign { .. } => None,
        Step::Scatter { .. } | Step::Random { .. } | Step::Rounds(_) => None,
    }
}

/// Writes the functions of all steps.
struct Builder<'w, 'm> {
    w: &'w mut Writer<'m, ObjectModule>,
    table: &'w RefCell<Table>,
    memory: &'w Memory,
}

impl Builder<'_, '_> {
    fn plan(&mut self, plan: &Plan, own: &Own) -> Result<Built, Diagnostic> {
        let mut steps = Vec::new();
        for (k, step) in plan.steps.iter().enumerate() {
            steps.push(match (step, &own.steps[k].body) {
                (Step::Rounds(r), Some(body)) => One::Loop(self.plan(&r.body, body)?),
                (Step::Product(p), _) => self.product(p, own, k)?,
                (Step::Grouped(g), _) => self.grouped(g, own, k)?,
                (Step::Kernel(_) | Step::Segments(_) | Step::Rounds(_) | Step::Order { .. } | Step::Scan { .. }, _)
                | (Step::Assign { .. } | Step::Scatter { .. } | Step::Random { .. }, _) => match kernel_of(step) {
                    Some(kernel) => self.kernel(&kernel, own).map(|(id, extent)| One::Call(id, extent))?,
                    None => self.other(plan, own, k)?,
                },
            });
        }
        Ok(Built { steps })
    }

    fn kernel(&mut self, k: &Kernel, own: &Own) -> Result<(FuncId, Size), Diagnostic> {
        let table = self.table;
        let slots = Slots { buffer: &|_, b| own.first + b, size: &|_, s| table.borrow_mut().slot(s) };
        let (id, _) = self.w.kernel(k, slots)?;
        let extent = if k.outer > 0 { k.loops[0].size.clone() } else { Size::from(1i64) };
        Ok((id, extent))
    }

    /// A product: as a loop nest, and in blocks where that may be worth it.
    fn product(&mut self, p: &Product, own: &Own, k: usize) -> Result<One, Diagnostic> {
        let blocks = blocked::blocks(p, self.w.hints);
        let rows = blocks.as_ref().map(|b| b.rows(p));
        let always = rows.as_ref().and_then(Size::constant).is_some_and(|n| n >= OBJECT_MANY);
        let nest = if always { None } else { Some(self.kernel(&product::kernel(p), own)?) };
        let (Some(blocks), Some(rows), Some(panel)) = (blocks, rows, own.steps[k].scratch) else {
            let (id, extent) = nest.unwrap_or_else(|| unreachable!("without blocks there is a nest"));
            return Ok(One::Call(id, extent));
        };
        let conv = self.w.module.isa().default_call_conv();
        let table = self.table;
        let many = self.w.function(&p.name, signature(conv), &mut |w, func| {
            let config = w.module.target_config();
            let mut c = Code::new(func, &mut w.builder, config, table);
            let bases = [p.out.0, p.a.0, p.b.0].map(|b| c.item(own.first + b));
            let panel = c.item(panel);
            blocked::product(&mut c, p, &blocks, bases, panel, w.fma);
            c.finish(&[]);
            Ok(())
        })?;
        match nest {
            Some((few, extent)) => Ok(One::Either { few, many, rows, extent }),
            None => Ok(One::Call(many, Size::from(1i64))),
        }
    }

    /// A product whose matrix an index chooses: as a loop nest, or group by group.
    fn grouped(&mut self, g: &Grouped, own: &Own, k: usize) -> Result<One, Diagnostic> {
        let (Some(groups), Some(scratch)) = (grouped::groups(g, self.w.hints), own.steps[k].scratch) else {
            return self.kernel(&product::grouped(g), own).map(|(id, extent)| One::Call(id, extent));
        };
        let conv = self.w.module.isa().default_call_conv();
        let table = self.table;
        let id = self.w.function(&g.product.name, signature(conv), &mut |w, func| {
            let config = w.module.target_config();
            let mut c = Code::new(func, &mut w.builder, config, table);
            let p = &g.product;
            let bases = [p.out.0, p.a.0, p.b.0, g.index.buffer].map(|b| c.item(own.first + b));
            let scratch = c.item(scratch);
            grouped::product(&mut c, g, &groups, bases, scratch, w.fma);
            c.finish(&[]);
            Ok(())
        })?;
        Ok(One::Call(id, Size::from(1i64)))
    }

    /// A step that is no loop nest.
    fn other(&mut self, plan: &Plan, own: &Own, k: usize) -> Result<One, Diagnostic> {
        let step = &plan.steps[k];
        let name = step.writes().first().map_or("step", |b| plan.buffers[*b].name.as_str());
        let conv = self.w.module.isa().default_call_conv();
        let (table, memory) = (self.table, self.memory);
        let id = self.w.function(name, signature(conv), &mut |w, func| {
            let drawn = if matches!(step, Step::Random { dist: Dist::Normal, .. }) {
                Some(steps::Functions { log: wide_function(w, func, "log")?, cos: wide_function(w, func, "cos")? })
            } else {
                None
            };
            let config = w.module.target_config();
            let mut c = Code::new(func, &mut w.builder, config, table);
            special(&mut c, plan, (own, k), memory, drawn);
            c.finish(&[]);
            Ok(())
        })?;
        Ok(One::Call(id, Size::from(1i64)))
    }
}

/// A function of the library from one number of 64 bits to another.
fn wide_function(w: &mut Writer<ObjectModule>, func: &mut Function, name: &str) -> Result<FuncRef, Diagnostic> {
    let mut s = w.module.make_signature();
    s.params = vec![AbiParam::new(F64)];
    s.returns = vec![AbiParam::new(F64)];
    let id = w.module.declare_function(name, Linkage::Import, &s).map_err(failed)?;
    Ok(w.module.declare_func_in_func(id, func))
}

/// The code of a step that is no loop nest.
fn special(c: &mut Code, plan: &Plan, (own, k): (&Own, usize), memory: &Memory, drawn: Option<steps::Functions>) {
    let scratch = own.steps[k].scratch.map(|s| c.item(s));
    let room = || scratch.unwrap_or_else(|| unreachable!("it was laid out"));
    let at = |c: &mut Code, b: usize| c.item(own.first + b);
    let window = |c: &mut Code, w: &crate::plan::Window| {
        let base = at(c, w.view.buffer);
        c.pane(base, w)
    };
    match &plan.steps[k] {
        Step::Order { input, out, axis, descending, dtype } => {
            let (input, out) = (window(c, input), window(c, out));
            steps::order(c, (&input, &out), *axis, *descending, *dtype, room());
        }
        Step::Scan { input, out, axis, dtype } => {
            let (input, to) = (window(c, input), at(c, *out));
            steps::scan(c, &input, to, *axis, *dtype);
        }
        Step::Assign { input, out } => {
            let (input, to) = (window(c, input), at(c, *out));
            steps::assign(c, &input, to, room());
        }
        Step::Scatter { index, value, out, axis, fold, dtype } => {
            let length = c.size(&memory.items[own.first + out.view.buffer].elements);
            let (index, value, out) = (window(c, index), window(c, value), window(c, out));
            if *fold == Fold::Sum {
                steps::scatter(c, (&index, &value, &out), *axis, length, scratch);
            } else {
                steps::extremes(c, (&index, &value, &out), (*axis, *fold), *dtype, length);
            }
        }
        Step::Random { dist, key, seed, round, out } => {
            let (seed, round, to) = (window(c, seed), window(c, round), at(c, *out));
            steps::random(c, (*dist, *key), (&seed, &round), to, drawn);
        }
        Step::Segments(s) => {
            let bases = [s.product.out.0, s.product.a.0, s.product.b.0, s.index.buffer].map(|b| at(c, b));
            let length = c.size(&memory.items[own.first + s.product.out.0].elements);
            steps::segments(c, s, bases, length, room());
        }
        Step::Kernel(_) | Step::Product(_) | Step::Grouped(_) | Step::Rounds(_) => unreachable!("these are made elsewhere"),
    }
}

/// An object file that runs the plan, and its header. The plan's results are those that the face names, then what is demanded.
pub fn emit_object(plan: &Plan, hints: &Sizes, face: &Face) -> Result<(Vec<u8>, String), Diagnostic> {
    let given = |path: &str| sources(plan).any(|(_, p)| p == path);
    let unread = face.inputs.iter().filter(|(path, _)| path != "seed" && !given(path)).map(|(path, _)| path.clone()).collect();
    let face = &present(plan, face);
    let isa = native(true)?;
    let features: Vec<String> = isa
        .isa_flags()
        .iter()
        .filter(|f| f.as_bool() == Some(true))
        .map(|f| f.name.trim_start_matches("has_").to_string())
        .collect();
    let machine = isa.triple().to_string();
    let word = face::plain(&face.model);
    let mut module = ObjectModule::new(ObjectBuilder::new(isa, face.model.as_str(), default_libcall_names()).map_err(failed)?);
    let params: Vec<usize> =
        sources(plan).filter(|(_, path)| !face.inputs.iter().any(|i| i.0 == *path)).map(|(b, _)| b).collect();
    let find = |path: &str| sources(plan).find(|(_, p)| *p == path).map(|(b, _)| b);
    let inputs: Vec<usize> = face.inputs.iter().filter_map(|(path, _)| find(path)).collect();
    functions(&mut module, (plan, hints, face), &word, (&params, &inputs))?;
    let bytes = module.finish().emit().map_err(failed)?;
    let mut words = Words::default();
    let field = |words: &mut Words, b: usize, name: &str, about: &str| Field {
        word: words.word(name),
        name: name.to_string(),
        dtype: plan.buffers[b].dtype,
        shape: plan.buffers[b].shape.clone(),
        about: about.to_string(),
    };
    let params = params.iter().map(|b| field(&mut words, *b, &plan.buffers[*b].name, "")).collect();
    let mut words = Words::default();
    let inputs = inputs.iter().zip(&face.inputs).map(|(b, (path, about))| field(&mut words, *b, path, about)).collect();
    let mut words = Words::default();
    let outputs = plan.outputs.iter().zip(&face.outputs).map(|(b, name)| field(&mut words, *b, name, "")).collect();
    let mut words = Words::default();
    let sizes = face.sizes.iter().map(|f| words.word(&f.size)).collect();
    let header = Header {
        face,
        word,
        sizes,
        params,
        inputs,
        outputs,
        granted: &plan.granted,
        asked: check::conditions(plan),
        unread,
        machine,
        features,
    };
    Ok((bytes, header.text()))
}

/// The face without inputs that no step reads.
fn present(plan: &Plan, face: &Face) -> Face {
    let read = |path: &str| sources(plan).any(|(_, p)| p == path);
    Face { inputs: face.inputs.iter().filter(|(path, _)| read(path)).cloned().collect(), ..face.clone() }
}

/// The buffers that are given, and their paths.
fn sources(plan: &Plan) -> impl Iterator<Item = (usize, &str)> {
    plan.buffers.iter().enumerate().filter_map(|(n, b)| if let Kind::Source(path) = &b.kind { Some((n, &**path)) } else { None })
}

/// Writes all functions of the object.
fn functions(
    module: &mut ObjectModule,
    (plan, hints, face): (&Plan, &Sizes, &Face),
    word: &str,
    (params, inputs): (&[usize], &[usize]),
) -> Result<(), Diagnostic> {
    let memory = memory::lay(plan, face.outputs.len(), hints);
    let table = RefCell::new(Table::new(memory.slots.len() + 1));
    let prefix = format!("{word}_step_");
    let mut w = write(module, hints, (&prefix, Linkage::Local), (false, false));
    whole::define(&mut w, WHOLE_POWER)?;
    let built = Builder { w: &mut w, table: &table, memory: &memory }.plan(plan, &memory.own)?;
    let picks = check::picked(plan, &kernel_of, &memory.own);
    let picked = picks.iter().map(|p| p.item).collect();
    let mut entry = Entry { plan, face, memory: &memory, built: &built, picked: &picked, params, inputs, refs: BTreeMap::new() };
    let declare = |w: &mut Writer<ObjectModule>, name: &str, count: usize, result, linkage| {
        let mut s = w.module.make_signature();
        s.params = vec![AbiParam::new(I64); count];
        s.returns = vec![AbiParam::new(result)];
        let name = format!("{word}_{name}");
        let id = w.module.declare_function(&name, linkage, &s).map_err(failed)?;
        Ok::<(FuncId, String, Signature), Diagnostic>((id, name, s))
    };
    let check = declare(&mut w, "sizes_in_full", 2, I64, Linkage::Local)?;
    let prepare = declare(&mut w, "prepare", 4, I32, Linkage::Export)?;
    let prepared = declare(&mut w, "run_prepared", 5, I32, Linkage::Export)?;
    let run = declare(&mut w, "run", 5, I32, Linkage::Export)?;
    let workspace = declare(&mut w, "workspace", 1, I64, Linkage::Export)?;
    let mut write = |w: &mut Writer<ObjectModule>,
                     of: &(FuncId, String, Signature),
                     calls: &[FuncId],
                     body: &mut dyn FnMut(Code, &[FuncRef], &Entry)| {
        w.define(of.0, &of.1, of.2.clone(), &mut |w, func| {
            let refs: Vec<FuncRef> = calls.iter().map(|id| w.module.declare_func_in_func(*id, func)).collect();
            entry.refs = all(&built).into_iter().map(|id| (id, w.module.declare_func_in_func(id, func))).collect();
            let config = w.module.target_config();
            body(Code::new(func, &mut w.builder, config, &table), &refs, &entry);
            Ok(())
        })
    };
    write(&mut w, &prepare, &[workspace.0, check.0], &mut |mut c, refs, entry| {
        let (given, workspace) = (Given { sizes: c.args[0], params: c.args[1], inputs: c.args[2] }, c.args[3]);
        let code = entry.prepare(&mut c, given, workspace, [refs[0], refs[1]]);
        c.finish(&[code]);
    })?;
    write(&mut w, &prepared, &[], &mut |mut c, _, entry| {
        let given = Given { sizes: c.args[0], params: c.args[1], inputs: c.args[2] };
        let (outputs, workspace) = (c.args[3], c.args[4]);
        let code = entry.run(&mut c, given, outputs, workspace);
        c.finish(&[code]);
    })?;
    write(&mut w, &run, &[prepare.0, prepared.0], &mut |mut c, refs, _| {
        let args = c.args.clone();
        let call = c.b.ins().call(refs[0], &[args[0], args[1], args[2], args[4]]);
        let code = c.b.inst_results(call)[0];
        c.pass(code);
        let call = c.b.ins().call(refs[1], &args);
        let code = c.b.inst_results(call)[0];
        c.finish(&[code]);
    })?;
    write(&mut w, &check, &[], &mut |mut c, _, _| {
        let total = check::check(&mut c, (plan, face), &memory, &table.borrow(), &picks);
        c.finish(&[total]);
    })?;
    let numbers = 8 * table.borrow().len() as u32;
    write(&mut w, &workspace, &[check.0], &mut |mut c, refs, _| {
        let slot = c.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, numbers, 3));
        let sizes = c.args[0];
        let total = c.workspace(sizes, face.sizes.is_empty(), slot, refs[0]);
        c.finish(&[total]);
    })
}

/// The functions of all steps, those of loops too.
fn all(built: &Built) -> Vec<FuncId> {
    let of = |one: &One| match one {
        One::Call(id, _) => vec![*id],
        One::Either { few, many, .. } => vec![*few, *many],
        One::Loop(body) => all(body),
    };
    built.steps.iter().flat_map(of).collect()
}
