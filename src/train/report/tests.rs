use super::curve::{BROAD, POINTS, means, smooth, thin};
use super::panel::{Kind, panels};
use super::*;

fn steps(n: u64, loss: impl Fn(u64) -> f64) -> Vec<Record> {
    let one = |k| Record {
        step: k + 1,
        losses: vec![("nll".into(), loss(k))],
        rates: vec![("adam".into(), 1e-3)],
        norm: 1.0,
        rows: 10 * (k + 1),
        seconds: 0.5 * (k + 1) as f64,
        ..Record::default()
    };
    (0..n).map(one).collect()
}

#[test]
fn a_long_curve_keeps_its_extremes() {
    let curve: Vec<(u64, f64)> = (0..100_003).map(|k| (k, ((k * 7919) % 1000) as f64)).collect();
    let mut spiked = curve.clone();
    spiked[77_777].1 = 5e6;
    spiked[12_345].1 = -5e6;
    let thinned = thin(&spiked);
    assert!(thinned.x.len() <= POINTS && thinned.x.len() > POINTS / 2);
    assert!(thinned.x.is_sorted_by(|a, b| a < b));
    let at = |x: u64| thinned.x.iter().position(|v| *v == x).map(|k| thinned.y[k]);
    assert_eq!((thinned.x[0], thinned.x.last()), (0, Some(&100_002)));
    assert_eq!((at(77_777), at(12_345)), (Some(Some(5e6)), Some(Some(-5e6))));
    for n in [0, 1, 2, POINTS, POINTS + 1] {
        let all = thin(&curve[..n]);
        assert!(all.x.len() <= POINTS && (n > POINTS || all.x.len() == n), "{n}");
        assert_eq!(means(&curve[..n]).x.len(), n.min(BROAD));
    }
}

#[test]
fn what_is_not_finite_is_a_gap_and_pulls_nothing() {
    let mut curve: Vec<(u64, f64)> = (0..5000).map(|k| (k, 2.0)).collect();
    curve[2500].1 = f64::NAN;
    curve[2600].1 = f64::INFINITY;
    let thinned = thin(&curve);
    assert_eq!(thinned.y.iter().filter(|y| y.is_none()).count(), 2);
    let smooth = smooth(&curve).unwrap();
    assert!(smooth.iter().all(|(x, y)| (*y - 2.0).abs() < 1e-12 || [2500, 2600].contains(x)));
    assert!(super::curve::smooth(&curve[..10]).is_none());
    assert!(thin(&vec![(0, f64::NAN); 3000]).y.iter().all(Option::is_none));
}

#[test]
fn each_kind_of_figure_has_a_panel() {
    let mut records = steps(100, |k| 1.0 / (k + 1) as f64);
    for (k, r) in records.iter_mut().enumerate() {
        r.by = Some(("task".into(), (k % 3) as i64));
        r.loads = vec![("pick".into(), vec![0.25, 0.75])];
        r.dropped = vec![("pick".into(), 0.1)];
        r.phase = if k < 50 { "first".into() } else { "second".into() };
        if k % 20 == 0 {
            r.scores = vec![("accuracy".into(), 0.5)];
        }
    }
    let all = panels(&records);
    let titles: Vec<&str> = all.iter().map(|p| p.title.as_str()).collect();
    let wanted = [
        "Loss",
        "Validation: accuracy",
        "nll by task",
        "Learning rate",
        "Gradient norm",
        "Load of pick",
        "Dropped",
        "Rows a second",
    ];
    assert_eq!(titles, wanted);
    assert!(all[0].log && all[0].series[0].raw.is_some());
    assert_eq!(all[1].series[0].points.x, [1, 21, 41, 61, 81]);
    let tasks: Vec<&str> = all[2].series.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(tasks, ["0", "1", "2"]);
    assert_eq!((all[5].kind, all[5].series.len()), (Kind::Stack, 2));
    assert!(all[7].series[0].points.y.iter().all(|v| *v == Some(20.0)));
    assert_eq!(all[0].marks, [(1, "first".to_string()), (51, "second".to_string())]);
    assert!(panels(&[]).is_empty());
}

#[test]
fn many_experts_and_many_tasks_are_a_few_lines() {
    let mut records = steps(200, |k| (k % 40) as f64);
    for (k, r) in records.iter_mut().enumerate() {
        r.by = Some(("task".into(), (k % 40) as i64));
        r.loads = vec![("pick".into(), (0..64).map(|e| if e == 7 { 0.37 } else { 0.01 }).collect())];
    }
    let all = panels(&records);
    let tasks = all.iter().find(|p| p.title == "nll by task").unwrap();
    assert_eq!((tasks.series.len(), tasks.series[0].name.as_str()), (12, "39"));
    let load = all.iter().find(|p| p.title == "Load of pick").unwrap();
    let last: Vec<Option<f64>> = load.series.iter().map(|s| *s.points.y.last().unwrap()).collect();
    assert_eq!((load.even, last), (Some(1.0 / 64.0), vec![Some(0.37), Some(0.01), Some(0.01)]));
}

#[test]
fn a_page_needs_nothing_else_and_no_name_breaks_it() {
    let name = "</script><b>\"&{{data}}";
    let mut records = steps(3, |_| f64::NAN);
    records.iter_mut().for_each(|r| r.losses[0].0 = name.into());
    let found = eval::Report {
        model: name.into(),
        phase: None,
        group: Some(name.into()),
        columns: vec![name.into()],
        rows: vec![eval::Row { group: Some(3), rows: 1234, values: vec![0.5] }],
        backend: "cpu",
        notes: vec![name.into()],
        warnings: vec![],
    };
    let head = Head { model: name.into(), ended: Some(name.into()), ..Head::default() };
    let page = html(&head, &records, &[found]);
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("<b>\"") && page.contains("<td>1,234</td><td>0.5000</td>"));
    assert!(!page.contains("src=") && !page.contains("@import") && !page.contains("url(http"));
    let empty = html(&Head::default(), &[], &[]);
    assert!(empty.contains("No step was taken"));
}

#[test]
fn what_is_made_small_is_shown_once() {
    let record = |k: u64, loss: f64, nll: f64| Record {
        step: k,
        losses: vec![("loss".into(), loss), ("nll".into(), nll)],
        ..Record::default()
    };
    let names = |records: &[Record]| told_once(records)[0].losses.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
    let same: Vec<Record> = (0..9).map(|k| record(k, 1.0 / k as f64, 1.0 / k as f64)).collect();
    assert_eq!(names(&same), ["nll"]);
    let other: Vec<Record> = (0..9).map(|k| record(k, k as f64, (k % 8) as f64)).collect();
    assert_eq!(names(&other), ["loss", "nll"]);
    assert_eq!(told_once(&[]), vec![]);
}
