//! Trains a model from Rust: `cargo run --release --example train -- models/task_digits.hnet`.

use hnet::bind::init;
use hnet::ir::sizes::Sizes;
use hnet::source::Sources;
use hnet::train::{Options, Trainer};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("which model?")?;
    let path = Path::new(&file);
    let mut sources = Sources::default();
    let root = hnet::pipeline::read(&mut sources, path).map_err(|d| d.message)?;
    let checked = hnet::pipeline::check(&mut sources, root, &[]);
    if !checked.is_fine() {
        return Err(hnet::diag::render::render_plain(&sources, &checked.diagnostics).into());
    }
    let model = &checked.models[0];
    let params = init::initialise_all(model, &Sizes::new(), 0).map_err(|list| list[0].message.clone())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut trainer = Trainer::new(model, params, folder, Options::default()).map_err(|d| d.message)?;
    let begun = std::time::Instant::now();
    loop {
        let record = trainer.step().map_err(|d| hnet::diag::render::render_plain(&sources, &[d]))?;
        let Some(r) = record else { break };
        if r.step % 100 == 0 || r.step <= 3 {
            println!("{} {:?} {:?} {:.4} {:.3}s", r.step, r.by, r.losses, r.norm, begun.elapsed().as_secs_f64());
        }
    }
    let params = trainer.params().map_err(|d| d.message)?;
    println!("{} parameters after {:?}", params.len(), trainer.place());
    Ok(())
}
