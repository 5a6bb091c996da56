//! What `eval` blocks report is what one run over all rows gives, whatever the batches: values from arithmetic by hand.

use crate::common;
use hnet::check::model::Model;
use hnet::diag::Diagnostic;
use hnet::exec::eval::{self, Report, Setting};
use hnet::exec::session::{Backend, Options};
use hnet::files::archive;
use hnet::ir::{Data, Tensor};
use hnet::pipeline;
use hnet::program::NoFiles;
use hnet::source::Sources;
use std::collections::BTreeMap;
use std::path::Path;

const ROWS: usize = 23;

/// Rows of two numbers, a label, whether it counts, and a task: none of them regular.
fn x(r: usize) -> [f64; 2] {
    let of = |k: usize| (((r * 37 + k * 11) % 29) as f64 - 14.0) / 8.0;
    [of(0), of(5)]
}

fn label(r: usize) -> i32 {
    (r * 7 % 3) as i32
}

fn keep(r: usize) -> bool {
    r % 5 != 1
}

fn task(r: usize) -> i32 {
    [0, 2, 2, 0, 5][r * r % 5]
}

fn write(folder: &Path, rows: usize) {
    let floats = (0..rows).flat_map(x).map(|v| v as f32).collect();
    let columns = [
        ("x", Tensor::new(vec![rows, 2], Data::F32(floats))),
        ("label", Tensor::new(vec![rows], Data::I32((0..rows).map(label).collect()))),
        ("keep", Tensor::new(vec![rows], Data::Bool((0..rows).map(|r| keep(r).into()).collect()))),
        ("task", Tensor::new(vec![rows], Data::I32((0..rows).map(task).collect()))),
    ];
    let named: Vec<_> = columns.into_iter().map(|(n, t)| (n.to_string(), t)).collect();
    archive::save(&folder.join("rows.safetensors"), &named).unwrap();
}

/// The model whose body this is, with an `eval` block.
fn model(body: &str, batch: &str, report: &str) -> Model {
    let text = format!(
        "dim b\nmodel M {{\n    condition task: i32 = 0\n    input x: [b, 2]\n    input label: i32[b]\n    input keep: bool[b]\n{body}\n}}\n\
         eval M {{\n    data \"rows.safetensors\" {{ x, label, keep{} }}\n    {batch}\n    report {report}\n}}\n",
        if batch.contains("by task") { ", task" } else { "" }
    );
    let mut sources = Sources::default();
    let root = sources.add("m.hnet", None, text.clone());
    let checked = pipeline::check_with(&mut sources, &NoFiles, root, &[]);
    assert!(checked.is_fine(), "{text}{:#?}", checked.diagnostics);
    checked.models.into_iter().next().unwrap()
}

fn measured(model: &Model, folder: &Path, backend: Backend) -> Result<Report, Diagnostic> {
    let (params, options) = (BTreeMap::new(), Options { backend, threads: 1, half: false, ..Options::default() });
    let setting = Setting { model, params: &params, folder, options, seed: 0 };
    eval::run(&setting, &model.evals[0], &mut |_, _| {})
}

fn backends(test: &str) -> Vec<Backend> {
    let device = common::device(test).map(|_| Backend::Gpu);
    [Backend::Interp, Backend::Cpu].into_iter().chain(device).collect()
}

fn near(got: f64, want: f64) -> bool {
    (got.is_nan() && want.is_nan()) || got == want || (got - want).abs() <= 1e-6 * want.abs()
}

const BODY: &str = "
    output total: f32  = sum[b] x[0]
    output middle: f32 = mean[b] x[1]
    output kept: f32   = mean[b where keep] x[1]
    output most: f32   = max[b, i] x[i]
    output least: f32  = min[b where keep] x[0]
    output some: bool  = any[b] (x[0] > 1.7)
    output every: bool = all[b] (x[0] > -1.7)
    output hits: i32   = sum[b where keep] label
    output rms: f32    = sqrt(mean[b] x[0]^2)
    output ratio: f32  = (sum[b where label == 1] x[0]) / (sum[b] x[1]^2)
    output corr: f32   = (mean[b] x[0] * x[1] - (mean[b] x[0]) * (mean[b] x[1])) / sqrt(mean[b] x[1]^2)
    output macro: f32  = max[c < 3] ((sum[b where label == c] x[0]) / (1 + sum[b] number(label == c)))
    output both: f32   = mean[b, i] x[i]
    loss fit = mean[b] (x[0] - x[1])^2";

const REPORT: &str = "total, middle, kept, most, least, some, every, hits, rms, ratio, corr, macro, both, fit";

/// The same by hand, for these rows.
fn by_hand(rows: &[usize]) -> Vec<f64> {
    let sum = |of: &dyn Fn(usize) -> f64| rows.iter().map(|r| of(*r)).sum::<f64>();
    let mean = |of: &dyn Fn(usize) -> f64| sum(of) / rows.len() as f64;
    let (a, c) = (|r: usize| x(r)[0], |r: usize| x(r)[1]);
    let kept = |r: usize| f64::from(u8::from(keep(r)));
    let of_class = |k: i32| {
        let is = move |r: usize| f64::from(u8::from(label(r) == k));
        sum(&|r| is(r) * a(r)) / (1.0 + sum(&is))
    };
    vec![
        sum(&a),
        mean(&c),
        sum(&|r| kept(r) * c(r)) / sum(&kept),
        rows.iter().flat_map(|r| x(*r)).fold(f64::NEG_INFINITY, f64::max),
        rows.iter().filter(|r| keep(**r)).map(|r| a(*r)).fold(f64::INFINITY, f64::min),
        f64::from(u8::from(rows.iter().any(|r| a(*r) > 1.7))),
        f64::from(u8::from(rows.iter().all(|r| a(*r) > -1.7))),
        sum(&|r| kept(r) * f64::from(label(r))),
        mean(&|r| a(r) * a(r)).sqrt(),
        sum(&|r| if label(r) == 1 { a(r) } else { 0.0 }) / sum(&|r| c(r) * c(r)),
        (mean(&|r| a(r) * c(r)) - mean(&a) * mean(&c)) / mean(&|r| c(r) * c(r)).sqrt(),
        (0..3).map(of_class).fold(f64::NEG_INFINITY, f64::max),
        mean(&|r| (a(r) + c(r)) / 2.0),
        mean(&|r| (a(r) - c(r)).powi(2)),
    ]
}

#[test]
fn values_do_not_depend_on_the_batches() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), ROWS);
    let want = by_hand(&(0..ROWS).collect::<Vec<_>>());
    for batch in ["", "batch b = all", "batch b = 1", "batch b = 3", "batch b = 7", "batch b = 100"] {
        let model = model(BODY, batch, REPORT);
        for backend in backends("values_do_not_depend_on_the_batches") {
            let report = measured(&model, folder.path(), backend).unwrap();
            assert_eq!((report.rows.len(), report.rows[0].rows, report.notes.len()), (1, ROWS, 0), "{batch}");
            for ((column, got), want) in report.columns.iter().zip(&report.rows[0].values).zip(&want) {
                // A difference of sums has the digits of the sums.
                let fits = near(*got, *want) || (column == "corr" && (got - want).abs() < 1e-6);
                assert!(fits, "{column}, {batch}, {backend:?}: {got}, not {want}");
            }
        }
    }
}

#[test]
fn groups_and_all_rows_are_measured_alike() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), ROWS);
    let of = |group: Option<i32>| (0..ROWS).filter(|r| group.is_none_or(|g| task(*r) == g)).collect::<Vec<_>>();
    for batch in ["batch b = all by task", "batch b = 1 by task", "batch b = 3 by task"] {
        let report = measured(&model(BODY, batch, REPORT), folder.path(), Backend::Cpu).unwrap();
        assert_eq!(report.rows.iter().map(|r| r.group).collect::<Vec<_>>(), [Some(0), Some(2), Some(5), None]);
        for row in &report.rows {
            let rows = of(row.group);
            assert_eq!(row.rows, rows.len());
            for ((column, got), want) in report.columns.iter().zip(&row.values).zip(by_hand(&rows)) {
                let fits = near(*got, want) || (column == "corr" && (got - want).abs() < 1e-6);
                assert!(fits, "{column}, {batch}, {:?}: {got}, not {want}", row.group);
            }
        }
    }
}

#[test]
fn what_each_group_has_of_its_own_has_no_value_for_all() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), ROWS);
    let body = "    output own: f32 = 2 * number(task)\n    output m: f32 = mean[b] (number(task) * x[0])\n    let c = mean[b] x[0]\n    output far: f32 = mean[b] (x[0] - c)^2";
    let report = measured(&model(body, "batch b = all by task", "own, m, far"), folder.path(), Backend::Interp).unwrap();
    let own: Vec<f64> = report.rows.iter().map(|r| r.values[0]).collect();
    assert_eq!(own[..3], [0.0, 4.0, 10.0]);
    assert!(own[3].is_nan() && report.rows[3].values[2].is_nan() && report.notes.len() == 2, "{report:?}");
    let want = (0..ROWS).map(|r| f64::from(task(r)) * x(r)[0]).sum::<f64>() / ROWS as f64;
    assert!(near(report.rows[3].values[1], want));
    let group: Vec<f64> = (0..ROWS).filter(|r| task(*r) == 2).map(|r| x(r)[0]).collect();
    let mean = group.iter().sum::<f64>() / group.len() as f64;
    let far = group.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / group.len() as f64;
    assert!(near(report.rows[1].values[2], far));
}

#[test]
fn what_needs_all_rows_is_refused_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), ROWS);
    let bodies = [
        "    let c = mean[b] x[0]\n    output y: f32 = mean[b] (x[0] - c)^2",
        "    let p[b] = softmax[b] x[0]\n    output y: f32 = sum[b] p * x[1]",
        "    output y: f32 = number(argmax[b] x[0])",
        "    output y: f32 = logsumexp[b] x[0]",
    ];
    for body in bodies {
        let said = measured(&model(body, "batch b = 3", "y"), folder.path(), Backend::Interp).unwrap_err();
        assert_eq!(said.code, "H0720", "{body}");
        assert!(said.help.as_ref().unwrap().text.contains("batch b = all") && said.primary.is_some());
        for batch in ["batch b = all", "batch b = 23", ""] {
            let report = measured(&model(body, batch, "y"), folder.path(), Backend::Cpu).unwrap();
            assert!(report.rows[0].values[0].is_finite(), "{body}");
        }
    }
}

#[test]
fn what_is_fed_is_the_same_for_a_row_in_any_batch() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), ROWS);
    let of = |batch: &str| {
        let body = "    input noise: [b, 2]\n    output y: f32 = mean[b] (noise[0] * x[0] - noise[1])";
        let model = model(body, batch, "y\n    feed noise = normal(std: 1)");
        measured(&model, folder.path(), Backend::Cpu).unwrap().rows[0].values[0]
    };
    let all = of("batch b = all");
    assert!(["batch b = 1", "batch b = 3", "batch b = 7"].iter().all(|b| near(of(b), all)), "{all}");
}

#[test]
fn no_rows_and_nan_are_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 0);
    let report = measured(&model(BODY, "batch b = 3", "total, middle, most, every"), folder.path(), Backend::Interp).unwrap();
    let values = &report.rows[0].values;
    assert_eq!((report.rows[0].rows, values[0], values[2], values[3]), (0, 0.0, f64::NEG_INFINITY, 1.0));
    assert!(values[1].is_nan());
    write(folder.path(), ROWS);
    let body = "    output roots: f32 = sum[b] sqrt(x[0])";
    let report = measured(&model(body, "batch b = 3", "roots"), folder.path(), Backend::Interp).unwrap();
    assert!(report.rows[0].values[0].is_nan());
}

#[test]
fn two_dims_are_cut_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (b, t) = (5, 4);
    let value = |i: usize| ((i * 13 % 17) as f32 - 8.0) / 4.0;
    let z = Tensor::new(vec![b, t], Data::F32((0..b * t).map(value).collect()));
    archive::save(&folder.path().join("rows.safetensors"), &[("z".to_string(), z)]).unwrap();
    let of = |batch: &str| {
        let text = format!(
            "dim b\ndim t\nmodel M {{\n    input z: [b, t]\n    output m: f32 = mean[b] max[t] z\n    output s: f32 = sqrt(sum[b, t] z^2)\n    \
             output far: f32 = max[b] mean[t] z\n}}\neval M {{\n    data \"rows.safetensors\" {{ z }}\n    {batch}\n    report m, s, far\n}}\n"
        );
        let mut sources = Sources::default();
        let root = sources.add("m.hnet", None, text);
        let checked = pipeline::check_with(&mut sources, &NoFiles, root, &[]);
        assert!(checked.is_fine(), "{:#?}", checked.diagnostics);
        let report = measured(&checked.models[0], folder.path(), Backend::Interp).unwrap();
        (report.rows[0].rows, report.rows[0].values.clone())
    };
    let row = |r: usize| (0..t).map(move |k| f64::from(value(r * t + k)));
    let m = (0..b).map(|r| row(r).fold(f64::NEG_INFINITY, f64::max)).sum::<f64>() / b as f64;
    let s = (0..b).flat_map(row).map(|v| v * v).sum::<f64>().sqrt();
    let far = (0..b).map(|r| row(r).sum::<f64>() / t as f64).fold(f64::NEG_INFINITY, f64::max);
    for batch in
        ["batch b = all, t = all", "batch b = 2, t = 3", "batch b = 1, t = 1", "batch b = 3, t = all", "batch b = all, t = 2"]
    {
        let (rows, got) = of(batch);
        assert_eq!(rows, b * t, "{batch}");
        assert!(near(got[0], m) && near(got[1], s) && near(got[2], far), "{batch}: {got:?}");
    }
}
