//! What a device cannot take: bytes, bindings, rounds.
//!
//! In: a program, where its buffers lie, a device. Out: nothing, or the message (H0902) with what is missing.

use crate::diag::{Code, Diagnostic};
use crate::gpu::arena::{self, Layout};
use crate::gpu::device::Device;
use crate::gpu::program::{Grid, Program};
use crate::ir::Size;

pub(super) fn refuse(what: String) -> Diagnostic {
    Diagnostic::plain(Code::H0902, what).help("make a free dim smaller, or run on the CPU with `--backend cpu`")
}

pub(super) fn fits(program: &Program, layout: &Layout, device: &Device, memory: u64) -> Result<(), Diagnostic> {
    let limit = device.limits.max_storage_buffer_binding_size;
    let reach = program.windows.map_or(limit, |(n, bytes)| bytes * u64::from(n));
    // Words are counted in 32 bits.
    let most = memory.min(device.limits.max_buffer_size).min(4 << 32);
    if layout.total > most {
        return Err(refuse(format!(
            "the model takes {} bytes at this size, {} more than the {most} that this device holds in one piece",
            layout.total,
            layout.total - most
        )));
    }
    let mut wrong = None;
    for item in &program.items {
        arena::visit(item, &mut |d| {
            if d.packed && layout.total > reach {
                wrong.get_or_insert_with(|| {
                    format!(
                        "the model takes {} bytes at this size, {} more than the {reach} that a shader of this device reaches",
                        layout.total,
                        layout.total - reach
                    )
                });
            }
            for b in d.bindings.iter().filter(|b| !d.packed && layout.lengths[**b] > limit) {
                let (name, n) = (&program.buffers[*b].name, layout.lengths[*b]);
                wrong.get_or_insert_with(|| {
                    format!("`{name}` takes {n} bytes, {} more than this device binds at once", n - limit)
                });
            }
        });
    }
    wrong.map_or(Ok(()), |w| Err(refuse(w)))
}

/// Rounds after which Mesa's software device ends the loops of a thread, without a word.
const SOFTWARE_ROUNDS: i64 = 65_535;

/// Whether a software device would give wrong numbers: some thread would go round too often.
pub(super) fn finishes(program: &Program, device: &Device, size: &dyn Fn(&Size) -> i64) -> Result<(), Diagnostic> {
    if !device.info.name.contains("llvmpipe") {
        return Ok(());
    }
    let mut wrong = None;
    for item in &program.items {
        arena::visit(item, &mut |d| {
            let known = size(&d.rounds);
            let rounds = match &d.grid {
                Grid::Work { count, per } if d.rounds.is(0) => {
                    let code = &program.shaders[d.shader].code;
                    let threads = code
                        .split("@workgroup_size(")
                        .nth(1)
                        .and_then(|t| t.split(')').next())
                        .and_then(|t| t.parse::<i64>().ok());
                    let groups = size(count).max(1) as u64;
                    let all = groups.div_ceil(u64::from(*per)) as i64 * threads.unwrap_or(64);
                    // A multiplication and an addition a round.
                    size(&d.flops) / 2 / all
                }
                Grid::Work { .. } | Grid::Indirect { .. } => known,
            };
            if rounds > SOFTWARE_ROUNDS {
                wrong = Some(d.name.clone());
            }
        });
    }
    wrong.map_or(Ok(()), |name| {
        let name = format!("`{name}` has a longer loop than {} runs: it stops after {SOFTWARE_ROUNDS} rounds", device.info.name);
        Err(refuse(name))
    })
}
