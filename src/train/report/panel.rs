//! What is drawn: a panel for each kind of figure that the records have.

use super::curve::{Points, means, smooth, thin};
use crate::train::record::Record;
use serde::Serialize;
use std::collections::BTreeMap;

/// Curves that are told apart by colour; where there are more, a few lines say how they lie.
const MOST: usize = 12;

/// How a panel is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Lines,
    /// Shares, one on top of the other.
    Stack,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Panel {
    pub title: String,
    /// What a reader should know of it, in a line.
    pub about: String,
    pub kind: Kind,
    /// It begins with a logarithmic axis.
    pub log: bool,
    pub series: Vec<Series>,
    /// A line across: what the values should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub even: Option<f64>,
    /// Where phases and tasks begin.
    pub marks: Vec<(u64, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    pub name: String,
    #[serde(flatten)]
    pub points: Points,
    /// What was measured, where the points are smooth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<Points>,
}

/// A number for each of some steps, by name, in the order in which names came up.
type Columns = Vec<(String, Vec<(u64, f64)>)>;

/// All panels, the most wanted first.
pub fn panels(records: &[Record]) -> Vec<Panel> {
    let mut out = Vec::new();
    let losses = columns(records, |r| r.losses.clone());
    if !losses.is_empty() {
        out.push(lines("Loss", "faint: each step; bold: its running mean", losses, true));
    }
    for (name, curve) in columns(records, |r| r.scores.clone()) {
        out.push(lines(&format!("Validation: {name}"), "", vec![(name, curve)], false));
    }
    out.extend(by_condition(records));
    let rates = columns(records, |r| r.rates.clone());
    if !rates.is_empty() {
        out.push(plain("Learning rate", "", rates));
    }
    let stepped = |r: &&Record| !r.losses.is_empty();
    let norm: Vec<(u64, f64)> = records.iter().filter(stepped).map(|r| (r.step, r.norm)).collect();
    if !norm.is_empty() {
        out.push(lines("Gradient norm", "of all gradients together, before they are clipped", vec![("norm".into(), norm)], true));
    }
    out.extend(loads(records));
    let dropped = columns(records, |r| r.dropped.clone());
    if !dropped.is_empty() {
        out.push(lines("Dropped", "the share of assignments that found no seat", dropped, false));
    }
    out.extend(speed(records));
    let marks = marks(records);
    out.iter_mut().for_each(|p| p.marks.clone_from(&marks));
    out
}

fn columns(records: &[Record], of: impl Fn(&Record) -> Vec<(String, f64)>) -> Columns {
    let (mut out, mut place) = (Columns::new(), BTreeMap::new());
    for r in records {
        for (name, v) in of(r) {
            let k = *place.entry(name.clone()).or_insert_with(|| {
                out.push((name, Vec::new()));
                out.len() - 1
            });
            out[k].1.push((r.step, v));
        }
    }
    out
}

/// A panel of smooth curves with what was measured behind them. `log`: where the values go through decades, the axis does.
fn lines(title: &str, about: &str, columns: Columns, log: bool) -> Panel {
    let decades = columns.iter().all(|(_, curve)| curve.iter().all(|(_, y)| *y > 0.0 || y.is_nan())) && {
        let ends: Vec<f64> = columns.iter().flat_map(|(_, c)| smooth(c).unwrap_or_else(|| c.clone())).map(|p| p.1).collect();
        let finite = || ends.iter().copied().filter(|v| v.is_finite());
        finite().fold(0.0, f64::max) > 20.0 * finite().fold(f64::MAX, f64::min)
    };
    let series = columns.into_iter().map(|(name, curve)| match smooth(&curve) {
        Some(smooth) => Series { name, points: thin(&smooth), raw: Some(thin(&curve)) },
        None => Series { name, points: thin(&curve), raw: None },
    });
    panel(title, about, series.collect(), log && decades)
}

/// A panel of curves as they are.
fn plain(title: &str, about: &str, columns: Columns) -> Panel {
    let series = columns.into_iter().map(|(name, curve)| Series { name, points: thin(&curve), raw: None });
    panel(title, about, series.collect(), false)
}

fn panel(title: &str, about: &str, series: Vec<Series>, log: bool) -> Panel {
    Panel { title: title.into(), about: about.into(), kind: Kind::Lines, log, series, even: None, marks: vec![] }
}

/// A panel for each loss whose batches have one condition each.
fn by_condition(records: &[Record]) -> Vec<Panel> {
    let named = |r: &Record| {
        let Some((condition, value)) = &r.by else { return vec![] };
        r.losses.iter().map(|(loss, v)| (format!("{loss} by {condition}\n{value}"), *v)).collect()
    };
    let mut panels: Vec<(String, Vec<(i64, Vec<(u64, f64)>)>)> = Vec::new();
    for (name, curve) in columns(records, named) {
        let Some((title, value)) = name.split_once('\n') else { continue };
        let value = value.parse().unwrap_or(0);
        match panels.iter_mut().find(|(t, _)| t == title) {
            Some((_, list)) => list.push((value, curve)),
            None => panels.push((title.to_string(), vec![(value, curve)])),
        }
    }
    let each = |(title, mut list): (String, Vec<(i64, Vec<(u64, f64)>)>)| {
        list.sort_by_key(|(value, _)| *value);
        let all = list.len();
        // The worst of too many say where to look.
        if all > MOST {
            let last = |c: &[(u64, f64)]| smooth(c).unwrap_or_else(|| c.to_vec()).last().map_or(0.0, |p| p.1);
            list.sort_by(|a, b| last(&b.1).total_cmp(&last(&a.1)));
            list.truncate(MOST);
        }
        let columns = list.into_iter().map(|(value, curve)| (value.to_string(), smooth(&curve).unwrap_or(curve)));
        let about = if all > MOST { format!("the {MOST} worst of {all}, smooth") } else { String::new() };
        let mut panel = lines(&title, &about, columns.collect(), true);
        // Many curves behind many curves are a fog.
        panel.series.iter_mut().for_each(|s| s.raw = None);
        panel
    };
    panels.into_iter().map(each).collect()
}

/// A panel for each route: how its assignments are shared among experts.
fn loads(records: &[Record]) -> Vec<Panel> {
    let mut routes: Vec<(String, Vec<(u64, &[f64])>)> = Vec::new();
    for r in records {
        for (name, shares) in &r.loads {
            match routes.iter_mut().find(|(n, _)| n == name) {
                Some((_, list)) => list.push((r.step, shares)),
                None => routes.push((name.clone(), vec![(r.step, shares)])),
            }
        }
    }
    let each = |(name, list): (String, Vec<(u64, &[f64])>)| {
        let experts = list.iter().map(|(_, s)| s.len()).max().unwrap_or(0);
        let of = |take: &dyn Fn(&[f64]) -> f64| list.iter().map(|(x, s)| (*x, take(s))).collect::<Vec<_>>();
        let title = format!("Load of {name}");
        if experts <= MOST {
            let expert = |e: usize| Series {
                name: format!("expert {e}"),
                points: means(&of(&|s| s.get(e).copied().unwrap_or(0.0))),
                raw: None,
            };
            let about =
                format!("shares of {experts} experts, one on top of the other; evenly, each has {:.3}", 1.0 / experts as f64);
            return Panel { kind: Kind::Stack, ..panel(&title, &about, (0..experts).map(expert).collect(), false) };
        }
        let sorted = |s: &[f64]| {
            let mut s = s.to_vec();
            s.sort_by(f64::total_cmp);
            s
        };
        let lines = vec![
            ("most".to_string(), of(&|s| sorted(s).last().copied().unwrap_or(0.0))),
            ("middle".to_string(), of(&|s| sorted(s).get(s.len() / 2).copied().unwrap_or(0.0))),
            ("least".to_string(), of(&|s| sorted(s).first().copied().unwrap_or(0.0))),
        ];
        let about = format!("the largest, the middle and the least share of {experts} experts; dashed: even shares");
        let columns = lines.into_iter().map(|(n, c)| (n, smooth(&c).unwrap_or(c))).collect();
        Panel { even: Some(1.0 / experts as f64), ..plain(&title, &about, columns) }
    };
    routes.into_iter().map(each).collect()
}

/// Rows a second, between records that are some time apart.
fn speed(records: &[Record]) -> Option<Panel> {
    let mut curve = Vec::new();
    let first = records.first()?;
    let (all, mut before) = (records.last()?.seconds - first.seconds, first);
    for r in &records[1..] {
        let (rows, seconds) = (r.rows as f64 - before.rows as f64, r.seconds - before.seconds);
        // A clock is coarse and a machine has other things to do: a two-hundredth of the run at a time.
        if seconds > all / 200.0 {
            curve.push((r.step, rows / seconds));
            before = r;
        }
    }
    (curve.len() > 1).then(|| plain("Rows a second", "", vec![("rows a second".into(), curve)]))
}

/// Where phases and tasks begin, if there is more than one.
fn marks(records: &[Record]) -> Vec<(u64, String)> {
    let mut out: Vec<(u64, String)> = Vec::new();
    let mut last = None;
    for r in records {
        let now = (&r.phase, r.round);
        if last != Some(now) {
            let round = r.round.map(|k| format!(" {k}")).unwrap_or_default();
            out.push((r.step, format!("{}{round}", r.phase).trim().to_string()));
            last = Some(now);
        }
    }
    if out.len() > 1 && out.len() <= 40 { out } else { vec![] }
}
