//! The table.

use crate::timing::{Row, Way, median};
use serde_json::Value;

/// Processes that wait or run, where the system says it.
pub fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

pub fn print(report: &Value, rows: &[Row]) {
    let mut table = vec![["workload", "timed", "hnet ms", "peer", "peer ms", "peer / hnet", "apart"].map(String::from)];
    for row in rows {
        for (way, times) in Way::ALL.iter().zip(&row.times) {
            let own = median(&times[0]);
            for (n, side) in row.sides.iter().enumerate().skip(1) {
                let other = median(&times[n]);
                let (ratio, apart) = (format!("{:.2}", other / own), format!("{:.1e}", row.apart[n]));
                let (own, other) = (format!("{own:.2}"), format!("{other:.2}"));
                table.push([row.name.into(), way.name().into(), own, side.to_string(), other, ratio, apart]);
            }
        }
    }
    let text = |key: &str| report[key].as_str().unwrap_or_default().to_string();
    let load: Vec<String> =
        report["load"].as_array().into_iter().flatten().filter_map(|v| Some(format!("{:.1}", v.as_f64()?))).collect();
    println!("{}", text("peer"));
    println!("device: {}, {}; {} CPUs, load {}\n", text("device"), text("driver"), report["cpus"], load.join(" to "));
    let widths: Vec<usize> = (0..table[0].len()).map(|c| table.iter().map(|r| r[c].len()).max().unwrap_or(0)).collect();
    for row in &table {
        let cells: Vec<String> = row.iter().zip(&widths).enumerate().map(|(c, (cell, width))| pad(c, cell, *width)).collect();
        println!("{}", cells.join("  ").trim_end());
    }
}

/// Words begin at the left, numbers end at the right.
fn pad(column: usize, cell: &str, width: usize) -> String {
    if [0, 1, 3].contains(&column) { format!("{cell:width$}") } else { format!("{cell:>width$}") }
}
