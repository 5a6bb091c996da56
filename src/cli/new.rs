//! `hnet new`: a small project that works at once.

use super::talk::{self, Exit, Talk, usage};
use crate::bind::init::draw;
use crate::check::model::Init;
use crate::diag::{Code, Diagnostic};
use crate::files::archive;
use crate::files::atomic;
use crate::ir::{DType, Data, Tensor};
use crate::source::Sources;
use std::path::{Path, PathBuf};

/// Start a project: a model that runs at once, inputs for it, a README
#[derive(clap::Args)]
#[command(after_help = "Example:\n  hnet new tasks\n  cd tasks\n  hnet run model.hnet")]
pub struct Args {
    /// The folder; its last part names the model
    #[arg(value_name = "NAME")]
    folder: PathBuf,
}

const MODEL: &str = include_str!("new/model.hnet");
const README: &str = include_str!("new/README.md");

/// Rows of the example's data, its tasks, the width of a row.
const ROWS: usize = 24;
const TASKS: usize = 3;
const WIDTH: usize = 8;

pub fn main(args: &Args) -> Result<(), Exit> {
    let folder = &args.folder;
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let Some(model) = camel(&name) else {
        return Err(usage(&format!("`{name}` cannot name a model: it needs letters, digits, `-` or `_`, a letter first")));
    };
    if folder.read_dir().is_ok_and(|mut d| d.next().is_some()) || folder.is_file() {
        return Err(usage(&format!("`{}` is already there", folder.display())));
    }
    write(folder, &name, &model).map_err(|d| Talk::Text.fail(&Sources::default(), d))?;
    let shown = folder.display();
    talk::print(&format!(
        "made {shown} with model.hnet, inputs.safetensors, data.safetensors and README.md\n\nnext:\n  cd {shown}\n  hnet run model.hnet\n  hnet train model.hnet\n"
    ));
    Ok(())
}

/// `my-tasks` as `MyTasks`.
fn camel(name: &str) -> Option<String> {
    if !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    {
        return None;
    }
    let capital = |part: &str| part[..1].to_ascii_uppercase() + &part[1..];
    Some(name.split(['-', '_']).filter(|p| !p.is_empty()).map(capital).collect())
}

fn write(folder: &Path, name: &str, model: &str) -> Result<(), Diagnostic> {
    std::fs::create_dir_all(folder)
        .map_err(|e| Diagnostic::plain(Code::H0003, format!("cannot make the folder `{}`: {e}", folder.display())))?;
    let fill = |text: &str| text.replace("NAME", name).replace("MODEL", model);
    atomic::write(&folder.join("model.hnet"), fill(MODEL).as_bytes())?;
    atomic::write(&folder.join("README.md"), fill(README).as_bytes())?;
    let rows = rows()?;
    let inputs = [("x".to_string(), rows.0.clone()), ("label".to_string(), rows.1.clone())];
    archive::save(&folder.join("inputs.safetensors"), &inputs)?;
    let task = Tensor::new(vec![ROWS], Data::I32((0..ROWS).map(|r| (r % TASKS) as i32).collect()));
    archive::save(&folder.join("data.safetensors"), &[inputs.as_slice(), &[("task".to_string(), task)]].concat())
}

/// Rows of normal numbers, each labelled with the place of its largest among the first four.
fn rows() -> Result<(Tensor, Tensor), Diagnostic> {
    let x = draw(&Init::Normal { mean: 0.0, std: 1.0 }, "x", DType::F32, vec![ROWS, WIDTH], 0)?;
    let best = |r: usize| (0..4).max_by(|a, b| x.get(r * WIDTH + a).total_cmp(&x.get(r * WIDTH + b))).unwrap_or(0);
    let label = Tensor::new(vec![ROWS], Data::I32((0..ROWS).map(|r| best(r) as i32).collect()));
    Ok((x, label))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_folder_names_a_model() {
        assert_eq!(super::camel("my-first_tasks2").as_deref(), Some("MyFirstTasks2"));
        assert_eq!((super::camel("2x"), super::camel("a b"), super::camel("ü")), (None, None, None));
    }
}
