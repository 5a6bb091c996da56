//! Snapshots of shaders in the tests of a crate that holds models.
//!
//! ```ignore
//! #[test]
//! fn the_shaders_are_as_they_were_agreed() {
//!     hnet::assert_shaders!("models/inr.hnet");
//! }
//! ```
//!
//! The crate needs `insta` among its development dependencies. The files are those of `hnet snapshot`, in `snapshots/` beside
//! the model; `cargo insta review` shows what changed, `INSTA_UPDATE=always cargo test` takes it.

use crate::diag::{Diagnostic, render};
use crate::gpu::locator;
use crate::pipeline;
use crate::plan::Terms;
use crate::snapshot::{self, Folder, Shot, State};
use crate::source::Sources;
use std::path::{Path, PathBuf};

/// The shaders of a file's models as texts.
pub struct Shaders {
    pub shots: Vec<Shot>,
    folders: Vec<(Folder, Vec<Shot>)>,
}

/// The texts of all models of a file, whose path starts from `root`. `set` replaces constants, `dims` are the sizes of free
/// dims that the shaders are made for. Panics with the messages where the file is wrong: it is called by tests.
pub fn shaders(root: &str, file: &str, set: &[(&str, f64)], dims: &[(&str, i64)]) -> Shaders {
    let path = Path::new(root).join(file);
    let mut sources = Sources::default();
    let folders =
        read(&mut sources, &path, set, dims).unwrap_or_else(|list| panic!("{file}:\n{}", render::render_plain(&sources, &list)));
    Shaders { shots: folders.iter().flat_map(|f| f.1.clone()).collect(), folders }
}

type Shots = Vec<(Folder, Vec<Shot>)>;

fn read(sources: &mut Sources, path: &Path, set: &[(&str, f64)], dims: &[(&str, i64)]) -> Result<Shots, Vec<Diagnostic>> {
    let one = |d: Diagnostic| vec![d];
    let set: Vec<(String, f64)> = set.iter().map(|(n, v)| (n.to_string(), *v)).collect();
    let dims: Vec<(String, i64)> = dims.iter().map(|(n, v)| (n.to_string(), *v)).collect();
    let root = pipeline::read(sources, path).map_err(one)?;
    let checked = pipeline::check(sources, root, &set);
    if !checked.is_fine() {
        return Err(checked.diagnostics);
    }
    let home = path.parent().unwrap_or(Path::new(""));
    let mut out = Vec::new();
    for (k, model) in checked.models.iter().enumerate() {
        let (sizes, _) = pipeline::sizes(model, &dims).map_err(one)?;
        let prefix = snapshot::prefix(path, &model.name, k == 0);
        let shots = snapshot::shots(model, &prefix, &sizes, &Terms::default(), &locator(sources, home)).map_err(one)?;
        out.push((Folder::of(path, &prefix), shots));
    }
    Ok(out)
}

impl Shaders {
    /// Where the snapshots lie.
    pub fn folder(&self) -> PathBuf {
        self.folders.first().map_or_else(PathBuf::new, |f| f.0.path.clone())
    }

    /// Snapshots of shaders that are no more: removed where `INSTA_UPDATE` says that all is taken, else a panic.
    pub fn vanished(&self) {
        let take = std::env::var("INSTA_UPDATE").is_ok_and(|v| v == "always" || v == "force");
        for (folder, shots) in &self.folders {
            let (all, _) = folder.compare(shots).unwrap_or_else(|d| panic!("{}", d.message));
            let gone: Vec<_> = all.into_iter().filter(|d| d.state == State::Gone).collect();
            if take {
                folder.accept(&gone).unwrap_or_else(|d| panic!("{}", d.message));
            } else if !gone.is_empty() {
                let names: Vec<&str> = gone.iter().map(|d| d.name.as_str()).collect();
                panic!("snapshots of what is no more: {}; `INSTA_UPDATE=always` removes them", names.join(", "));
            }
        }
    }
}

/// Compares the shaders, the plan and the dispatches of a file's models with the snapshots beside it; the path starts from the
/// folder of the crate. `assert_shaders!("m.hnet", set: [("d", 48.0)], dims: [("b", 1)])` says constants and sizes.
#[macro_export]
macro_rules! assert_shaders {
    ($file:expr) => {
        $crate::assert_shaders!($file, set: [], dims: [])
    };
    ($file:expr, set: $set:expr, dims: $dims:expr) => {{
        let shaders = $crate::testing::shaders(env!("CARGO_MANIFEST_DIR"), $file, &$set, &$dims);
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(shaders.folder());
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        // All of them are compared, so that a review sees every change at once.
        let wrong = settings.bind(|| {
            let one = |shot: &&$crate::snapshot::Shot| {
                std::panic::catch_unwind(|| insta::assert_snapshot!(shot.name.as_str(), shot.text.as_str())).is_err()
            };
            shaders.shots.iter().filter(one).count()
        });
        assert!(wrong == 0, "{wrong} snapshots of {} differ: `cargo insta review`", $file);
        shaders.vanished();
    }};
}
