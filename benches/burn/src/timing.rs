//! Checks that all sides of a workload agree, then times them in turn.

use crate::Result;
use crate::workloads::Workload;
use serde_json::{Map, Value, json};
use std::time::Instant;

/// The difference that is allowed, as a part of the largest value.
const CLOSE: f64 = 1e-3;
/// Rounds that do not count; pipelines are made and burn's autotune chooses kernels in them.
const WARM_UPS: usize = 3;

/// Somebody who can run a workload.
pub trait Side {
    fn name(&self) -> &'static str;

    /// Runs on an input that lies on the device, and waits until it is done.
    fn run(&mut self) -> Result<()>;

    /// Uploads the input, runs, and reads the result.
    fn with_transfers(&mut self) -> Result<Vec<f32>>;
}

#[derive(Clone, Copy)]
pub enum Way {
    Run,
    WithTransfers,
}

impl Way {
    pub const ALL: [Way; 2] = [Way::Run, Way::WithTransfers];

    pub fn name(self) -> &'static str {
        match self {
            Way::Run => "run",
            Way::WithTransfers => "with transfers",
        }
    }
}

/// What was measured for a workload. Sides are in the order they came in; hnet is the first.
pub struct Row {
    pub name: &'static str,
    pub what: &'static str,
    pub sides: Vec<&'static str>,
    /// How far each side is from hnet.
    pub apart: Vec<f64>,
    /// Milliseconds, for each way and each side.
    pub times: [Vec<Vec<f64>>; 2],
}

impl Row {
    pub fn json(&self) -> Value {
        let by_side = |values: &dyn Fn(usize) -> Value| -> Value {
            self.sides.iter().enumerate().map(|(n, side)| (side.to_string(), values(n))).collect::<Map<_, _>>().into()
        };
        let ways = |values: &dyn Fn(&[f64]) -> Value| -> Value {
            let each = Way::ALL.iter().zip(&self.times);
            each.map(|(way, times)| (way.name().to_string(), by_side(&|n| values(&times[n])))).collect::<Map<_, _>>().into()
        };
        json!({
            "workload": self.name,
            "what": self.what,
            "apart": by_side(&|n| json!(self.apart[n])),
            "median_ms": ways(&|times| json!(median(times))),
            "times_ms": ways(&|times| json!(times)),
        })
    }
}

pub fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 }
}

pub fn measure(workload: &Workload, mut sides: Vec<Box<dyn Side>>, rounds: u32) -> Result<Row> {
    let expected = sides[0].with_transfers()?;
    let mut apart = Vec::new();
    for side in &mut sides {
        let name = format!("{}: {}", workload.name(), side.name());
        let far = distance(&expected, &side.with_transfers()?).map_err(|e| format!("{name}: {e}"))?;
        if far > CLOSE {
            return Err(format!("{name} differs by {far:.1e} of the largest value").into());
        }
        apart.push(far);
    }
    let mut times = [vec![Vec::new(); sides.len()], vec![Vec::new(); sides.len()]];
    for (way, times) in Way::ALL.iter().zip(&mut times) {
        for round in 0..WARM_UPS + rounds as usize {
            // Who begins changes from round to round, so that no side always follows the same one.
            for turn in 0..sides.len() {
                let n = (turn + round) % sides.len();
                let start = Instant::now();
                match way {
                    Way::Run => sides[n].run()?,
                    Way::WithTransfers => drop(sides[n].with_transfers()?),
                }
                if round >= WARM_UPS {
                    times[n].push(start.elapsed().as_secs_f64() * 1e3);
                }
            }
        }
    }
    Ok(Row { name: workload.name(), what: workload.what(), sides: sides.iter().map(|s| s.name()).collect(), apart, times })
}

/// The largest difference, as a part of the largest value.
fn distance(a: &[f32], b: &[f32]) -> Result<f64> {
    if a.len() != b.len() {
        return Err(format!("{} numbers beside {}", a.len(), b.len()).into());
    }
    let (mut apart, mut largest) = (0f64, 0f64);
    for (n, (x, y)) in a.iter().zip(b).enumerate() {
        if !x.is_finite() || !y.is_finite() {
            return Err(format!("number {n} is {x} beside {y}").into());
        }
        apart = apart.max((f64::from(*x) - f64::from(*y)).abs());
        largest = largest.max(f64::from(*x).abs());
    }
    if largest == 0.0 { Err("all results are zero".into()) } else { Ok(apart / largest) }
}
