//! Which ways a run takes: `--pin`, and a file of choices that `hnet explain --measure --keep F` found to be the fastest on a machine.

use super::explain::{On, named, pins};
use super::open::Opened;
use super::talk::{Exit, Talk};
use crate::diag::{Code, Diagnostic};
use crate::exec::session::{Backend, Options};
use crate::files::atomic;
use crate::gpu::Device;
use crate::ir::Sym;
use crate::plan::{Pins, Site, Sizes};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Bytes that a file of choices may have.
const MOST: u64 = 16 << 20;

/// Which ways are taken.
#[derive(clap::Args)]
pub struct Ways {
    /// Takes another way than the cheapest at a place: `sum@8:24=2`, as `hnet explain M.hnet` numbers or calls them; may be repeated
    #[arg(long, value_name = "WHAT@LINE:COLUMN=WAY")]
    pin: Vec<String>,
    /// Takes the ways that were measured to be the fastest on this machine: a file that `hnet explain M.hnet --measure --keep F` wrote
    #[arg(long, value_name = "F")]
    choices: Option<PathBuf>,
}

/// What is kept in a file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    model: String,
    backend: String,
    /// What it was measured on, and the version of what drives that.
    device: String,
    driver: String,
    sizes: BTreeMap<String, i64>,
    /// As `--pin` takes them.
    pins: Vec<String>,
}

impl Ways {
    /// The pins of a run. Errors: a pin that fits nothing, a file that holds no choices; one that was made for something else is warned of, and not
    /// used.
    pub fn pins(&self, opened: &Opened, sizes: &Sizes, options: &Options, talk: Talk) -> Result<Pins, Exit> {
        let mut all = match &self.choices {
            Some(file) => read(file, opened, options, talk)?,
            None => Vec::new(),
        };
        // Sizes at which less is decided leave less to choose.
        let kept = pins(opened, sizes, &all, &options.prices, false, talk)?;
        all.clone_from(&self.pin);
        let asked = pins(opened, sizes, &all, &options.prices, true, talk)?;
        Ok(match (kept, asked) {
            (Pins::At(mut kept), Pins::At(asked)) => {
                kept.extend(asked);
                Pins::At(kept)
            }
            (kept, Pins::None | Pins::Any(_)) => kept,
            (_, asked) => asked,
        })
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

/// The pins of a file, where it was made for this. Errors: H0003 where it cannot be read or holds none.
fn read(file: &Path, opened: &Opened, options: &Options, talk: Talk) -> Result<Vec<String>, Exit> {
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
    let Some(on) = on(options).map_err(fail)? else {
        talk.warn("`--choices` does nothing here: the interpreter has no plan");
        return Ok(Vec::new());
    };
    let (device, driver) = on.machine();
    let differs = [
        ("the model", &kept.model, &opened.model.name),
        ("the backend", &kept.backend, &word(&on).to_string()),
        ("the device", &kept.device, &device),
        ("the driver", &kept.driver, &driver),
    ];
    if let Some((what, then, now)) = differs.into_iter().find(|(_, then, now)| then != now) {
        talk.warn(&format!(
            "`--choices {}` does nothing here: {what} was `{then}` when they were measured, and is `{now}`; measure again: {help}",
            file.display()
        ));
        return Ok(Vec::new());
    }
    Ok(kept.pins)
}

/// Writes the ways that paid.
pub(super) fn keep(
    opened: &Opened,
    file: &Path,
    on: &On,
    sizes: &Sizes,
    ways: &BTreeMap<Site, usize>,
    talk: Talk,
) -> Result<(), Exit> {
    let (device, driver) = on.machine();
    let sizes = sizes.iter().map(|(name, n): (&Sym, &i64)| (name.to_string(), *n)).collect();
    let pins = ways.iter().filter_map(|(site, way)| named(&opened.sources, *site, *way)).collect::<Vec<_>>();
    let count = pins.len();
    let kept = Kept { model: opened.model.name.clone(), backend: word(on).into(), device, driver, sizes, pins };
    let text = serde_json::to_string_pretty(&kept).unwrap_or_default();
    atomic::write(file, format!("{text}\n").as_bytes()).map_err(|d| opened.fail(talk, &[d]))?;
    talk.note(&match count {
        0 => format!("no other way is faster than what is taken: {} pins nothing", file.display()),
        1 => format!("one way is another than usual: {0}; `hnet run --choices {0}` takes it", file.display()),
        n => format!("{n} ways are others than usual: {0}; `hnet run --choices {0}` takes them", file.display()),
    });
    Ok(())
}
