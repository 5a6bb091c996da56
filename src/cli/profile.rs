//! How a profile is shown: a table, JSON, and a trace that a browser draws.

use super::table::{short, table};
use crate::exec::profile::{Profile, Spent};
use serde_json::{Value, json};

/// Seconds of all kernels. The sum of nothing would be -0.
fn total(p: &Profile) -> f64 {
    0.0 + p.kernels.iter().map(|k| k.seconds).sum::<f64>()
}

/// A row for each kernel, those that take longest first, and what all of them take.
pub fn shown(p: &Profile) -> String {
    let total = total(p);
    let mut rows: Vec<&Spent> = p.kernels.iter().collect();
    rows.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let part = |s: f64| if total > 0.0 { format!("{:.1} %", 100.0 * s / total) } else { String::new() };
    let Some(peak) = &p.peak else {
        let rate = |k: &Spent| k.flops.map_or(String::new(), |n| format!("{}flop/s", unit(n / k.seconds)));
        let foreseen = |k: &Spent| k.foreseen.map_or(String::new(), time);
        let row = |k: &&Spent| vec![k.name.clone(), k.what.clone(), time(k.seconds), part(k.seconds), foreseen(k), rate(k)];
        let rows: Vec<_> = rows.iter().map(row).collect();
        let all = format!("{} steps, {}\n", p.kernels.len(), time(total));
        return table(&["step", "", "time", "share", "foreseen", "products"], &rows, 2) + &all;
    };
    let row = |k: &&Spent| {
        let share = k.share(peak).map_or(String::new(), |(s, of)| format!("{:.1} % {of}", 100.0 * s));
        let many = |n: Option<f64>| n.map_or(String::new(), unit);
        vec![k.name.clone(), k.count.to_string(), time(k.seconds), part(k.seconds), many(k.bytes), many(k.flops), share]
    };
    let head = ["kernel", "runs", "time", "share", "bytes", "flop", "of peak"];
    let text = table(&head, &rows.iter().map(row).collect::<Vec<_>>(), 1);
    let count = p.dispatches.unwrap_or(p.events.len());
    let cut = if count > p.events.len() { format!(", the first {} of them measured", p.events.len()) } else { String::new() };
    let peaks = format!("{}flop/s, {}B/s", unit(peak.flops), unit(peak.bytes));
    let word = if count == 1 { "dispatch" } else { "dispatches" };
    text + &format!("{count} {word}{cut}, {}; {} at its peak: {peaks}\n", time(total), p.device)
}

pub fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{s:.3} s "),
        s if s >= 1e-3 => format!("{:.3} ms", s * 1e3),
        s => format!("{:.1} µs", s * 1e6),
    }
}

/// `1.5 G`: thousands, with their letter.
fn unit(n: f64) -> String {
    let letters = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match letters.iter().find(|l| n >= l.0) {
        Some((scale, letter)) => format!("{:.1} {letter}", n / scale),
        None => format!("{} ", short(n)),
    }
}

/// For `--json`.
pub fn as_json(p: &Profile) -> Value {
    let kernel = |k: &Spent| {
        let share = p.peak.as_ref().and_then(|peak| k.share(peak));
        json!({
            "name": k.name,
            "what": k.what,
            "runs": k.count,
            "seconds": k.seconds,
            "bytes": k.bytes,
            "flops": k.flops,
            "foreseen": k.foreseen,
            "of_peak": share.map(|s| s.0),
            "bound": share.map(|s| s.1),
        })
    };
    json!({
        "device": p.device,
        "seconds": total(p),
        "dispatches": p.dispatches,
        "peak": p.peak.map(|peak| json!({ "flops": peak.flops, "bytes": peak.bytes })),
        "kernels": p.kernels.iter().map(kernel).collect::<Vec<_>>(),
    })
}

/// Chrome's trace format, which chrome://tracing and ui.perfetto.dev draw.
pub fn trace(p: &Profile, model: &str) -> String {
    let mut events = vec![
        json!({ "ph": "M", "name": "process_name", "pid": 1, "tid": 1, "args": { "name": model } }),
        json!({ "ph": "M", "name": "thread_name", "pid": 1, "tid": 1, "args": { "name": p.device } }),
    ];
    for e in &p.events {
        let k = &p.kernels[e.kernel];
        let each = |n: Option<f64>| n.map(|n| n / k.count as f64);
        let (start, length) = (e.start * 1e6, (e.end - e.start) * 1e6);
        let args = json!({ "bytes": each(k.bytes), "flops": each(k.flops) });
        let event =
            json!({ "ph": "X", "name": k.name, "cat": p.backend, "pid": 1, "tid": 1, "ts": start, "dur": length, "args": args });
        events.push(event);
    }
    let all = json!({ "traceEvents": events, "displayTimeUnit": "ns" });
    format!("{all}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::profile::Event;
    use crate::exec::profile::Peak;

    fn profile() -> Profile {
        let kernel = |name: &str, seconds, flops| {
            let (name, what) = (name.into(), String::new());
            Spent { name, what, count: 2, seconds, bytes: Some(4e6), flops: Some(flops), foreseen: None }
        };
        Profile {
            backend: "gpu",
            device: "a device".into(),
            kernels: vec![kernel("hidden", 1e-3, 5e9), kernel("y", 3e-6, 0.0)],
            events: vec![Event { kernel: 0, start: 0.0, end: 5e-4 }, Event { kernel: 1, start: 6e-4, end: 7e-4 }],
            dispatches: Some(4),
            peak: Some(Peak { flops: 1e13, bytes: 1e12 }),
        }
    }

    #[test]
    fn a_table_shows_shares_of_the_nearer_peak() {
        let text = shown(&profile());
        assert!(text.contains("50.0 % arithmetic") && text.contains("133.3 % memory"), "{text}");
        assert!(text.contains("4 dispatches, the first 2 of them measured, 1.003 ms"), "{text}");
    }

    #[test]
    fn a_trace_is_what_chrome_reads() {
        let trace: Value = serde_json::from_str(&trace(&profile(), "M")).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        assert_eq!((events.len(), &events[2]["name"], &events[2]["dur"]), (4, &"hidden".into(), &500.0.into()));
    }
}
