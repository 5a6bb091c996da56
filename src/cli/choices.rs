//! Which ways a run takes: `--pin`, and a file of choices that `hnet explain --measure --keep F` found to be the fastest on a machine.

use super::explain::{Look, On, Pinned, at_sizes, named, pins};
use super::given::Values;
use super::open::{self, Opened};
use super::talk::{Exit, Talk, usage};
use crate::diag::{Code, Diagnostic};
use crate::exec::session::{Backend, Options};
use crate::files::atomic;
use crate::gpu::Device;
use crate::ir::Sym;
use crate::plan::{Asked, Pins, Sizes};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Bytes that a file of choices may have.
const MOST: u64 = 16 << 20;

/// Which ways are taken.
#[derive(clap::Args)]
pub struct Ways {
    /// Takes another way than the cheapest at a place, as `hnet explain M.hnet` numbers or calls them: `sum@8:24=2`, or of one of several values
    /// there `sum of y@8:24=2`; may be repeated
    #[arg(long, value_name = "WHAT@LINE:COLUMN=WAY")]
    pin: Vec<String>,
    /// Takes the ways that were measured to be the fastest on this machine: a file that `hnet explain M.hnet --measure --keep F` wrote
    #[arg(long, value_name = "F")]
    choices: Option<PathBuf>,
}

/// What is kept in a file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with model, backend, device, driver, sizes, program and pins")]
struct Kept {
    model: String,
    backend: String,
    /// What it was measured on, and the version of what drives that.
    device: String,
    driver: String,
    sizes: BTreeMap<String, i64>,
    /// What says that the program is the same.
    program: String,
    /// As `--pin` takes them.
    pins: Vec<String>,
}

impl Ways {
    /// The pins of a run of these lengths; none where there are many, as in training. Errors: a pin that fits nothing, a file that holds no choices;
    /// one that was made for something else is warned of, and not used.
    pub fn pins(&self, opened: &Opened, sizes: Option<&Sizes>, options: &Options, talk: Talk) -> Result<Pins, Exit> {
        if self.pin.is_empty() && self.choices.is_none() {
            return Ok(Pins::None);
        }
        let on = on(options).map_err(|d| opened.fail(talk, &[d]))?;
        let look = Look { opened, sizes, terms: &options.terms, on: on.as_ref() };
        let mut all = Pinned::default();
        if let Some(file) = &self.choices
            && let Some(kept) = read(file, opened, on.as_ref(), talk)?
        {
            all = look.up(&kept.pins, talk)?;
            if let Some(first) = all.idle().next() {
                let (file, count, many) = (file.display(), all.idle().count(), kept.pins.len());
                let at = at_sizes(&kept.sizes.iter().map(|(name, n)| (name.as_str().into(), *n)).collect());
                let here = if sizes.is_some() { " at these lengths" } else { "" };
                talk.warn(&format!(
                    "{count} of {many} ways in `{file}` fit nothing that is decided{here} (the first is `{first}`); they were measured{at}"
                ));
            }
        }
        let asked = pins(&look, &self.pin, talk)?;
        asked.warn(on.as_ref(), talk);
        all.asked.extend(asked.asked);
        Ok(all.pins())
    }
}

/// What computes with these options.
fn on(options: &Options) -> Result<Option<On>, Diagnostic> {
    Ok(match options.backend {
        Backend::Interp => None,
        Backend::Cpu => Some(On::Cpu),
        Backend::Gpu => Some(On::Gpu(Some(Device::shared()?))),
        Backend::Auto => Some(Device::hardware().map_or(On::Cpu, |d| On::Gpu(Some(d)))),
    })
}

fn word(on: &On) -> &'static str {
    match on {
        On::Cpu => "cpu",
        On::Gpu(_) => "gpu",
    }
}

/// Digits that the texts of another program do not have.
fn program(opened: &Opened) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for (_, source) in opened.sources.iter() {
        hash.update(source.text.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// What a file holds, where it was made for this. Errors: H0003 where it cannot be read or holds no choices.
fn read(file: &Path, opened: &Opened, on: Option<&On>, talk: Talk) -> Result<Option<Kept>, Exit> {
    let fail = |d: Diagnostic| opened.fail(talk, &[d]);
    let help = "`hnet explain M.hnet --measure --keep F` measures this machine and writes such a file";
    let wrong =
        |why: String| fail(Diagnostic::plain(Code::H0003, format!("`{}` holds no choices: {why}", file.display())).help(help));
    let cannot =
        |e: std::io::Error| fail(Diagnostic::plain(Code::H0003, format!("cannot read `{}`: {e}", file.display())).help(help));
    if std::fs::metadata(file).map_err(cannot)?.len() > MOST {
        return Err(wrong("it is larger than such a file ever is".into()));
    }
    let text = std::fs::read_to_string(file).map_err(cannot)?;
    let kept: Kept = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    let Some(on) = on else {
        talk.warn("`--choices` does nothing here: the interpreter has no plan");
        return Ok(None);
    };
    let (device, driver) = on.machine();
    let differs = [
        ("the model", &kept.model, &opened.model.name),
        ("the backend", &kept.backend, &word(on).to_string()),
        ("the device", &kept.device, &device),
        ("the driver", &kept.driver, &driver),
    ];
    if let Some((what, then, now)) = differs.into_iter().find(|(_, then, now)| then != now) {
        talk.warn(&format!(
            "`--choices {}` does nothing here: {what} was `{then}` when they were measured, and is `{now}`; measure again: {help}",
            file.display()
        ));
        return Ok(None);
    }
    if kept.program != program(opened) {
        talk.warn(&format!(
            "`--choices {}` does nothing here: the program is another than when they were measured; measure again: {help}",
            file.display()
        ));
        return Ok(None);
    }
    Ok(Some(kept))
}

/// Says now what would be wrong with such a file.
pub(super) fn may(opened: &Opened, file: &Path, values: &Values) -> Result<(), Exit> {
    opened.spare(file, &values.read(opened))?;
    open::ends(file, &["json"])?;
    match file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        Some(folder) => Err(usage(&format!("`{}`: there is no folder `{}`", file.display(), folder.display()))),
        None if file.is_dir() => Err(usage(&format!("`{}` is a folder", file.display()))),
        None => Ok(()),
    }
}

/// Writes the ways that paid.
pub(super) fn keep(opened: &Opened, file: &Path, on: &On, sizes: &Sizes, ways: &Asked, talk: Talk) -> Result<(), Exit> {
    let (device, driver) = on.machine();
    let sizes = sizes.iter().map(|(name, n): (&Sym, &i64)| (name.to_string(), *n)).collect();
    let pins = ways.iter().filter_map(|(site, of, way)| named(&opened.sources, site, of, way)).collect::<Vec<_>>();
    let count = pins.len();
    let kept = Kept {
        model: opened.model.name.clone(),
        backend: word(on).into(),
        device,
        driver,
        sizes,
        program: program(opened),
        pins,
    };
    let text = serde_json::to_string_pretty(&kept).unwrap_or_default();
    atomic::write(file, format!("{text}\n").as_bytes()).map_err(|d| opened.fail(talk, &[d]))?;
    talk.note(&match count {
        0 => format!("no other way is faster than what is taken: {} pins nothing", file.display()),
        1 => format!("one way is another than usual: {0}; `hnet run --choices {0}` takes it", file.display()),
        n => format!("{n} ways are others than usual: {0}; `hnet run --choices {0}` takes them", file.display()),
    });
    Ok(())
}
