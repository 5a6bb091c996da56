//! `hnet check --watch`: checks again whenever a program changes.
//!
//! What is watched are folders: an editor puts a new file in the place of the old one. They are those of all files that the programs
//! consist of, found anew before each check, so that what changes during a check is seen after it.

use crate::cli::open::Outside;
use crate::diag::{Code, Diagnostic, Sink};
use crate::pipeline;
use crate::program;
use crate::source::Sources;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::ModifyKind};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Changes closer together than this are one.
const QUIET: Duration = Duration::from_millis(60);
/// Where changes never end, a check comes after so long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sees changes of programs.
pub struct Watch {
    changes: Receiver<()>,
    watcher: RecommendedWatcher,
    /// Folders that are watched, and whether with all below them.
    folders: BTreeMap<PathBuf, bool>,
}

fn failed(e: &notify::Error) -> Diagnostic {
    Diagnostic::plain(Code::H0001, format!("changes of files cannot be watched here: {e}"))
}

impl Watch {
    /// Errors: the system does not tell of changes.
    pub fn new() -> Result<Watch, Diagnostic> {
        let (send, changes) = channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|e| matters(&e)) {
                // Nobody listens any more: the program ends.
                let _ = send.send(());
            }
        });
        Ok(Watch { changes, watcher: watcher.map_err(|e| failed(&e))?, folders: BTreeMap::new() })
    }

    /// Watches the folders of these programs and of all that they import, and given folders with all below them.
    pub fn over(&mut self, given: &[PathBuf], programs: &[PathBuf], outside: Outside) -> Result<(), Diagnostic> {
        let mut wanted: BTreeMap<PathBuf, bool> = BTreeMap::new();
        for file in programs {
            for folder in parts(file, outside).iter().filter_map(|p| folder_of(p)) {
                wanted.entry(folder).or_default();
            }
        }
        wanted.extend(given.iter().filter(|p| p.is_dir()).map(|p| (p.clone(), true)));
        for (folder, deep) in wanted {
            if self.folders.get(&folder).is_some_and(|known| *known >= deep) {
                continue;
            }
            let mode = if deep { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            self.watcher.watch(&folder, mode).map_err(|e| failed(&e))?;
            self.folders.insert(folder, deep);
        }
        Ok(())
    }

    /// Waits until something has changed and nothing changes any more.
    pub fn wait(&self) {
        let Ok(()) = self.changes.recv() else { return };
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE && self.changes.recv_timeout(QUIET).is_ok() {}
    }
}

/// Whether a program changed; that somebody reads one is no change.
fn matters(event: &Event) -> bool {
    let changes = match event.kind {
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => false,
        EventKind::Any | EventKind::Other | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) => true,
    };
    changes && event.paths.iter().any(|p| p.extension().is_some_and(|e| e == "hnet"))
}

/// The files that a program consists of: itself, and what it imports as far as that can be read.
fn parts(file: &Path, outside: Outside) -> Vec<PathBuf> {
    let mut sources = Sources::default();
    let mut out = vec![file.to_path_buf()];
    if let Ok(root) = pipeline::read(&mut sources, file) {
        let program = program::load(&mut sources, &*outside.loader(file), root, &mut Sink::default());
        out.extend(program.files.iter().filter_map(|f| sources.get(f.id).path.clone()));
    }
    out
}

/// The folder of a file, if it is there.
fn folder_of(file: &Path) -> Option<PathBuf> {
    let folder = file.parent()?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    folder.is_dir().then(|| folder.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{AccessKind, CreateKind, MetadataKind};

    #[test]
    fn what_is_read_is_no_change_and_what_is_no_program_neither() {
        let event = |kind, path: &str| matters(&Event::new(kind).add_path(path.into()));
        assert!(event(EventKind::Create(CreateKind::File), "a.hnet"));
        assert!(event(EventKind::Modify(ModifyKind::Any), "a.hnet"));
        assert!(!event(EventKind::Access(AccessKind::Any), "a.hnet"));
        assert!(!event(EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)), "a.hnet"));
        assert!(!event(EventKind::Create(CreateKind::File), "a.safetensors"));
    }
}
