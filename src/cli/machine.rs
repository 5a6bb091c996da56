//! `--machine FILE|here`: for which machine plans are made.

use super::doctor;
use super::open;
use super::talk::Talk;
use crate::diag::{Code, Diagnostic};
use crate::files::atomic;
use crate::plan::{Prices, Terms};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that a file of prices may have.
const MOST: u64 = 1 << 20;

/// For whom plans are made.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Machine {
    /// Plans for the machine that this file describes, as `hnet doctor -o FILE` writes it, or for this one: `here`, which is measured where
    /// `hnet doctor` did not yet. Without it plans are the same everywhere
    #[arg(long, value_name = "FILE|here")]
    machine: Option<PathBuf>,
    /// Ways that write down or keep more than that at one place (512MB, 2GiB) are taken only where no other holds less
    #[arg(long, value_name = "SIZE", value_parser = open::size)]
    at_most: Option<bytesize::ByteSize>,
}

impl Machine {
    /// What somebody asked for that only plans know.
    pub fn given(&self) -> Option<&'static str> {
        let all = [("--machine", self.machine.is_some()), ("--at-most", self.at_most.is_some())];
        all.into_iter().find(|(_, given)| *given).map(|(word, _)| word)
    }

    /// On what terms plans are made. Errors: no such file, or no prices.
    pub fn terms(&self, talk: Talk) -> Result<Terms, Diagnostic> {
        let at_most = self.at_most.map(|size| size.0 as f64);
        Ok(Terms { prices: self.prices(talk)?, at_most, ..Terms::default() })
    }

    /// The prices that plans are made by. Errors: no such file, or no prices.
    fn prices(&self, talk: Talk) -> Result<Arc<Prices>, Diagnostic> {
        let prices = match &self.machine {
            None => Prices::generic(),
            Some(word) if word == Path::new("here") => match stored().filter(|f| f.is_file()) {
                Some(file) => read(&file)?,
                None => doctor::measured(talk)?,
            },
            Some(file) => read(file)?,
        };
        Ok(Arc::new(prices))
    }
}

/// Where this machine's prices are kept: where programs keep what they can make again.
pub(super) fn stored() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|h| h.join(".cache"))).or_else(|| folder("LOCALAPPDATA"));
    cache.map(|c| c.join("hnet").join("machine.json"))
}

/// Reads prices. Errors: H0003 where the file cannot be read or is none of these.
fn read(file: &Path) -> Result<Prices, Diagnostic> {
    let place = file.display();
    let wrong = |why: String| {
        Diagnostic::plain(Code::H0003, format!("`{place}` does not describe a machine: {why}"))
            .help("`hnet doctor -o box.json` measures this one and writes such a file")
    };
    let cannot = |e: std::io::Error| {
        Diagnostic::plain(Code::H0003, format!("cannot read `{place}`: {e}"))
            .help("`hnet doctor -o box.json` measures this machine and writes such a file")
    };
    if std::fs::metadata(file).map_err(cannot)?.len() > MOST {
        return Err(wrong("it is larger than such a file ever is".into()));
    }
    let text = std::fs::read_to_string(file).map_err(cannot)?;
    let prices: Prices = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    match prices.wrong() {
        None => Ok(prices),
        Some(why) => Err(wrong(why)),
    }
}

/// Writes prices; the folder is made.
pub(super) fn write(file: &Path, prices: &Prices) -> Result<(), Diagnostic> {
    if let Some(folder) = file.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| atomic::cannot(file, &e))?;
    }
    let text = serde_json::to_string_pretty(prices).unwrap_or_default();
    atomic::write(file, format!("{text}\n").as_bytes())
}
