//! Trains a model from Rust, keeps the run in a folder, and goes on where it was cut off:
//! `cargo run --release --example train -- models/task_digits.hnet /tmp/digits.train`.

use hnet::bind::init;
use hnet::ir::sizes::Sizes;
use hnet::source::Sources;
use hnet::train::folder::{Begin, Keep, Kept};
use hnet::train::identity::Identity;
use hnet::train::report::Head;
use hnet::train::{Options, Trainer, checkpoint};
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("which model?")?;
    let run = PathBuf::from(args.next().ok_or("which folder keeps the run?")?);
    let path = Path::new(&file);
    let mut sources = Sources::default();
    let root = hnet::pipeline::read(&mut sources, path).map_err(|d| d.message)?;
    let checked = hnet::pipeline::check(&mut sources, root, &[]);
    let said = |d: hnet::diag::Diagnostic| hnet::diag::render::render_plain(&sources, &[d]);
    if !checked.is_fine() {
        return Err(hnet::diag::render::render_plain(&sources, &checked.diagnostics).into());
    }
    let model = &checked.models[0];
    let params = init::initialise_all(model, &Sizes::new(), 0).map_err(|list| list[0].message.clone())?;
    let data = path.parent().unwrap_or(Path::new("."));
    let mut trainer = Trainer::new(model, params, data, Options::default()).map_err(said)?;

    // Who the run is: a checkpoint of another text, or other settings, is refused.
    let identity = Identity::new(&sources, &[], "cpu", vec![]).map_err(said)?;
    let begin = if checkpoint::steps(&run).is_empty() { Begin::New } else { Begin::Resume { force: false } };
    let mut kept = Kept::open(Keep { folder: run, begin, every: 500, last: 2, identity }, &mut trainer)?;
    if let Some(step) = kept.after() {
        println!("goes on after step {step}");
    }
    let ended = kept.run(&mut trainer, &mut |record, (left, all)| {
        if record.step % 100 == 0 {
            println!("{} of {all}: {:?}, norm {:.4}, {left} left", record.step, record.losses, record.norm);
        }
        // `false` would keep the run as it is, and stop.
        true
    });
    ended.map_err(said)?;
    let (values, _) = kept.trained(&mut trainer).map_err(said)?;
    let head = Head { model: model.name.clone(), backend: "cpu".into(), ..Head::default() };
    let page = kept.report(&head, &[]).map_err(said)?;
    println!("{} tensors in {:.1} s; the curves are in {}", values.len(), kept.seconds(), page.display());
    Ok(())
}
