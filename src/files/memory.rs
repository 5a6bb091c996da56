//! Room for tensors: sizes that no memory holds are a message, not a crash.
//!
//! In: a type and a shape. Out: zeros. Promised: what is more than the memory that is free is refused before any of it is taken, for a
//! system that promises more than it has ends a program only when the memory is used.

use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Data, Tensor};

/// Zeros of this type and shape; `name` is what the message calls it.
pub fn zeros(name: &str, dtype: DType, shape: Vec<usize>) -> Result<Tensor, Diagnostic> {
    let n = shape.iter().try_fold(1usize, |n, s| n.checked_mul(*s));
    let bytes = shape.iter().map(|s| *s as f64).product::<f64>() * if dtype == DType::Bool { 1.0 } else { 4.0 };
    enough(name, bytes).map_err(|d| d.note(format!("its shape is {shape:?}")))?;
    let data = n.and_then(|n| match dtype {
        DType::F32 => filled(n, 0.0).map(Data::F32),
        DType::I32 => filled(n, 0).map(Data::I32),
        DType::Bool => filled(n, 0).map(Data::Bool),
    });
    match data {
        Some(data) => Ok(Tensor::new(shape, data)),
        None => {
            Err(Diagnostic::plain(Code::H0801, format!("there is no memory for `{name}`"))
                .note(format!("its shape is {shape:?}")))
        }
    }
}

/// Bytes that are taken without a question.
const LITTLE: f64 = 64e6;

/// Refuses what is larger than the memory that is free; `name` is what the message calls it.
pub fn enough(name: &str, bytes: f64) -> Result<(), Diagnostic> {
    room_for(&format!("`{name}`"), bytes)
}

/// As [`enough`], for what has no name of its own.
pub fn room_for(what: &str, bytes: f64) -> Result<(), Diagnostic> {
    if bytes <= LITTLE {
        return Ok(());
    }
    match free() {
        Some(free) if bytes > free => {
            let size = |n: f64| if n < 1e12 { format!("{:.1} GB", n * 1e-9) } else { format!("{n:.1e} bytes") };
            let d = Diagnostic::plain(Code::H0801, format!("there is no memory for {what}"));
            Err(d.note(format!("it takes {}, more than is free", size(bytes))))
        }
        Some(_) | None => Ok(()),
    }
}

/// No more than `most` bytes, and no more than are free.
pub fn at_most(most: usize) -> usize {
    free().map_or(most, |free| most.min(free as usize))
}

/// Bytes that are free: of the machine, and of what this process may have. `None`: nobody can tell.
#[cfg(target_os = "linux")]
fn free() -> Option<f64> {
    let line = |text: String, word: &str| {
        let found = text.lines().find_map(|l| l.strip_prefix(word).map(str::to_string))?;
        found.trim().trim_end_matches("kB").trim().parse::<f64>().ok().map(|k| k * 1024.0)
    };
    let read = |path: &str| crate::disk::text(path.as_ref(), 1 << 20).ok();
    let machine = line(read("/proc/meminfo")?, "MemAvailable:");
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current;
    let own = limit.and_then(|all| Some((all as f64 - line(read("/proc/self/status")?, "VmSize:")?).max(0.0)));
    let group = read("/sys/fs/cgroup/memory.max").and_then(|t| t.trim().parse::<f64>().ok());
    let used = read("/sys/fs/cgroup/memory.stat").and_then(|t| line(t, "anon "));
    let group = group.map(|all| (all - used.unwrap_or(0.0) / 1024.0).max(0.0));
    [machine, own, group].into_iter().flatten().min_by(f64::total_cmp)
}

#[cfg(not(target_os = "linux"))]
fn free() -> Option<f64> {
    None
}

fn filled<T: Clone>(n: usize, value: T) -> Option<Vec<T>> {
    let mut out = Vec::new();
    out.try_reserve_exact(n).ok()?;
    out.resize(n, value);
    Some(out)
}
