//! hnet's GPU backend beside burn's, on one device, in one process and in turn. README.md says how to run it.

mod ours;
mod peer;
mod report;
mod timing;
mod workloads;

use clap::Parser;
use peer::Burn;
use serde_json::json;
use std::error::Error;
use std::path::PathBuf;
use workloads::Workload;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Parser)]
struct Args {
    /// Only these, with commas
    #[arg(long, value_delimiter = ',', default_value = "product,moe,inr")]
    only: Vec<Workload>,
    /// How often each side is timed
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Every time goes there
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let device = hnet::gpu::Device::shared().map_err(ours::error)?;
    let burn = Burn::open()?;
    // Both look for the fastest device, each in its own way.
    if (&burn.info.name, burn.info.backend) != (&device.info.name, device.info.backend) {
        let found = format!("{} ({:?})", burn.info.name, burn.info.backend);
        return Err(format!("hnet runs on {}, burn on {found}", device.describe()).into());
    }
    let before = report::load();
    let mut rows = Vec::new();
    for workload in &args.only {
        eprintln!("running {} …", workload.name());
        rows.push(timing::measure(workload, workload.sides(&device, &burn)?, args.rounds)?);
    }
    let report = json!({
        "device": device.describe(),
        "driver": format!("{} {}", device.info.driver, device.info.driver_info),
        "peer": peer::VERSION,
        "cpus": std::thread::available_parallelism()?.get(),
        "load": [before, report::load()],
        "rounds": args.rounds,
        "results": rows.iter().map(timing::Row::json).collect::<Vec<_>>(),
    });
    if let Some(path) = &args.json {
        std::fs::write(path, format!("{report:#}\n"))?;
    }
    report::print(&report, &rows);
    Ok(())
}
