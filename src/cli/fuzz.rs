//! `hnet fuzz`: random programs through every stage, for those who work on hnet.

use super::open;
use super::quiet::quietly;
use super::talk::{self, Exit, Talk};
use crate::fuzz::check::{Failure, How, Passed, also_on, check_how, keep_panics};
use crate::fuzz::program;
use crate::fuzz::shrink::shrink;
use crate::gpu;
use crate::source::Sources;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Check random programs; what fails is made small
#[derive(clap::Args)]
pub struct Args {
    /// How many programs
    #[arg(long, value_name = "N", default_value_t = 300)]
    count: u64,
    /// The first seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Only the program of this seed, which is printed
    #[arg(long, value_name = "N")]
    only: Option<u64>,
    /// A program of one's own, with the values of `--seed`
    #[arg(long, value_name = "F")]
    file: Option<PathBuf>,
    /// A folder for what fails
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Seconds for making one failure small
    #[arg(long, value_name = "S", default_value_t = 20)]
    shrink: u64,
    /// Also on the graphics device
    #[arg(long)]
    gpu: bool,
    /// Their derivatives of this order instead, beside differences, too
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    order: u8,
    /// Also with every other way that the planner might have taken, in turn
    #[arg(long)]
    ways: bool,
}

impl Args {
    fn how(&self) -> How {
        How { order: self.order.into(), turns: self.ways }
    }
}

pub fn main(args: &Args) -> Result<(), Exit> {
    if args.out.as_deref().is_some_and(open::is_stdout) {
        return Err(talk::usage("`--out` is a folder, and `-` is stdout: what fails is printed there without it"));
    }
    if args.gpu {
        also_on(Some(quietly(gpu::Device::shared).map_err(|d| Talk::Text.fail(&Sources::default(), d))?));
    }
    keep_panics(false);
    if let Some(path) = &args.file {
        let text = crate::disk::text(path, crate::program::MAX_SOURCE).map_err(|_| talk::usage("cannot read the program"))?;
        return verdict(args, args.seed, &text);
    }
    if let Some(seed) = args.only {
        let text = program(seed);
        talk::print(&text);
        return verdict(args, seed, &text);
    }
    let mut kinds: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut sum = Passed::default();
    for seed in args.seed..args.seed + args.count {
        let made = std::panic::catch_unwind(|| program(seed));
        let Ok(text) = made else {
            kinds.entry("generator".into()).or_default().push(seed);
            continue;
        };
        match check_how(&text, seed, args.how()) {
            Ok(p) => sum += p,
            Err(f) => {
                let seeds = kinds.entry(f.class.clone()).or_default();
                seeds.push(seed);
                if seeds.len() == 1 {
                    report(args, seed, &text, &f);
                }
            }
        }
    }
    let failed: usize = kinds.values().map(Vec::len).sum();
    talk::print(&format!("{} programs from seed {}: {}, {failed} failed\n", args.count, args.seed, counts(args, &sum)));
    for (class, seeds) in &kinds {
        talk::print(&format!("{:>6}  {class}: seeds {:?}\n", seeds.len(), &seeds[..seeds.len().min(5)]));
    }
    if failed == 0 { Ok(()) } else { Err(Exit::Bug) }
}

fn counts(args: &Args, p: &Passed) -> String {
    let turns = if args.ways { format!(", {} with another way", p.turns) } else { String::new() };
    let runs = format!("{} runs compared, {} on a tie, {} nodes{turns}", p.runs, p.ties, p.nodes);
    match args.order {
        0 => runs,
        _derivatives => format!("{} slopes beside differences, {} at a corner, {runs}", p.slopes, p.corners),
    }
}

fn verdict(args: &Args, seed: u64, text: &str) -> Result<(), Exit> {
    match check_how(text, seed, args.how()) {
        Ok(p) => {
            talk::print(&format!("// fine: {}\n", counts(args, &p)));
            Ok(())
        }
        Err(f) => {
            talk::print(&format!("// {}: {}\n", f.class, f.detail));
            Err(Exit::Bug)
        }
    }
}

fn report(args: &Args, seed: u64, text: &str, f: &Failure) {
    let small =
        if args.shrink > 0 { shrink(text, seed, args.how(), f, Duration::from_secs(args.shrink)) } else { text.to_string() };
    let now = check_how(&small, seed, args.how()).err().unwrap_or_else(|| f.clone());
    let notes: String = format!("{}: {}", now.class, now.detail).lines().take(40).map(|l| format!("// {l}\n")).collect();
    let all = format!("// seed {seed}\n{notes}{small}");
    talk::print(&format!("{all}\n"));
    let Some(folder) = &args.out else { return };
    let kept = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(folder.join(format!("{seed}.hnet")), &all))
        .and_then(|()| std::fs::write(folder.join(format!("{seed}.whole.hnet")), text));
    if let Err(e) = kept {
        talk::tell(&format!("cannot write to {}: {e}\n", folder.display()));
    }
}
