//! When hnet itself is wrong: it says so, and keeps what is needed to find out why.

use super::talk::{Exit, tell};
use crate::files::atomic;
use std::backtrace::Backtrace;
use std::fmt::Write;
use std::panic::{self, PanicHookInfo};
use std::sync::Mutex;

/// Name and text of the program that is being worked on.
static TEXT: Mutex<Option<(String, String)>> = Mutex::new(None);

/// Remembers a program for a report.
pub fn remember(name: &str, text: &str) {
    if let Ok(mut slot) = TEXT.lock() {
        *slot = Some((name.to_string(), text.to_string()));
    }
}

/// From here on a panic is reported as a bug in hnet.
pub fn watch() {
    panic::set_hook(Box::new(report));
}

/// Whether the system refused something that a library cannot do without: no bug, and no time to look at the stack.
fn exhausted(what: &str) -> bool {
    ["failed to spawn thread", "Cannot allocate memory", "Resource temporarily unavailable", "ThreadPoolBuildError"]
        .iter()
        .any(|text| what.contains(text))
}

fn report(info: &PanicHookInfo) {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let what = text.unwrap_or("no message");
    if exhausted(what) {
        tell(&format!("hnet: there is no memory or no thread left: {what}\n"));
        atomic::abandon();
        std::process::exit(Exit::Memory as i32);
    }
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let mut text = format!("hnet {}\n{}\n", env!("CARGO_PKG_VERSION"), std::env::args().collect::<Vec<_>>().join(" "));
    let _ = writeln!(text, "\n{what}\nat {place}\n\n{}", Backtrace::force_capture());
    if let Some((name, program)) = TEXT.lock().ok().and_then(|mut t| t.take()) {
        let _ = writeln!(text, "--- {name}\n{program}");
    }
    let kept = tempfile::Builder::new().prefix("hnet-bug-").suffix(".txt").tempfile().and_then(|mut file| {
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.keep().map(|(_, path)| path).map_err(|e| e.error)
    });
    let kept = match kept {
        Ok(path) => format!("What happened, with the program, is in {}; please send it in.", path.display()),
        Err(_) => text,
    };
    tell(&format!("\nThis is a bug in hnet, not in your program: {what}\n  at {place}\n{kept}\n"));
}
