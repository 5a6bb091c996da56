//! The command line: one file for each command.
//!
//! In: arguments. Out: text on stdout (results), messages and progress on stderr, an exit code:
//!
//! | code | meaning |
//! |---|---|
//! | 0 | fine |
//! | 1 | the program is wrong |
//! | 2 | the arguments or the files are |
//! | 3 | no such device |
//! | 101 | a bug in hnet |

mod bug;
mod build;
mod check;
mod completions;
mod eval;
mod explain;
mod fmt;
mod fuzz;
mod graph;
mod new;
mod open;
mod profile;
mod quiet;
mod run;
mod snapshot;
mod table;
mod talk;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;
use talk::Exit;

/// A declarative compiler for networks that write, choose or steer other networks.
#[derive(Parser)]
#[command(name = "hnet", version, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = "A first project, checked and run:\n  hnet new digits\n  cd digits\n  hnet run model.hnet")]
struct Cli {
    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t, hide_possible_values = true, value_name = "auto|always|never")]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Default, clap::ValueEnum)]
enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Args),
    Run(run::Args),
    Eval(eval::Args),
    Build(build::Args),
    Fmt(fmt::Args),
    #[command(hide = true)]
    Fuzz(fuzz::Args),
    Graph(graph::Args),
    Snapshot(snapshot::Args),
    Explain(explain::Args),
    New(new::Args),
    Completions(completions::Args),
}

/// Bytes of stack: programs may nest deeply, and the checker walks them recursively.
const STACK: usize = 256 << 20;

/// The whole program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::AlwaysAnsi.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    bug::watch();
    let work = std::thread::Builder::new().name("hnet".into()).stack_size(STACK).spawn(move || dispatch(cli.command));
    match work.map(std::thread::JoinHandle::join) {
        Ok(Ok(exit)) => ExitCode::from(exit as u8),
        // The hook has said it.
        Ok(Err(_)) => ExitCode::from(Exit::Bug as u8),
        Err(e) => {
            anstream::eprintln!("hnet: cannot start a thread: {e}");
            ExitCode::from(Exit::Usage as u8)
        }
    }
}

fn dispatch(command: Command) -> Exit {
    let done = match command {
        Command::Check(args) => check::main(&args),
        Command::Run(args) => run::main(&args),
        Command::Eval(args) => eval::main(&args),
        Command::Build(args) => build::main(&args),
        Command::Fmt(args) => fmt::main(&args),
        Command::Fuzz(args) => fuzz::main(&args),
        Command::Graph(args) => graph::main(&args),
        Command::Snapshot(args) => snapshot::main(&args),
        Command::Explain(args) => explain::main(&args),
        Command::New(args) => new::main(&args),
        Command::Completions(args) => completions::main(&args, &mut Cli::command()),
    };
    done.err().unwrap_or(Exit::Fine)
}
