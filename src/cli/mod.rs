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
//! | 4 | no memory, or no thread |
//! | 101 | a bug in hnet |
//! | 130 | interrupted |

mod bench;
mod bug;
mod build;
mod check;
mod choices;
mod completions;
mod doc;
mod doctor;
mod eval;
mod expect;
mod explain;
mod export;
mod fmt;
mod fuzz;
mod given;
mod graph;
mod hints;
mod init;
mod load;
mod machine;
pub mod memory;
mod new;
mod open;
mod picture;
mod probe;
mod profile;
mod quiet;
mod run;
mod snapshot;
mod specialize;
mod table;
mod talk;
mod train;
mod weights;

use crate::files::atomic;
use crate::pipeline;
use crate::source::Sources;
use clap::{CommandFactory, Parser, Subcommand};
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use talk::{Exit, Talk};

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
    Bench(bench::Args),
    Eval(eval::Args),
    Train(train::Args),
    Init(init::Args),
    Weights(weights::Args),
    Export(export::Args),
    Build(build::Args),
    Fmt(fmt::Args),
    #[command(hide = true)]
    Fuzz(fuzz::Args),
    #[command(visible_alias = "draw")]
    Graph(graph::Args),
    Snapshot(snapshot::Args),
    Specialize(specialize::Args),
    Explain(explain::Args),
    Doc(doc::Args),
    Doctor(doctor::Args),
    New(new::Args),
    Completions(completions::Args),
}

/// The whole program.
pub fn main() -> ExitCode {
    let cli = match hints::parse() {
        Ok(cli) => cli,
        Err(exit) => return exit,
    };
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::AlwaysAnsi.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    bug::watch();
    // Whoever interrupts leaves no half-written file. Where there is no thread for it the system ends the program, as ever.
    let _ = ctrlc::set_handler(|| {
        if train::stop_soon() {
            return;
        }
        atomic::abandon_soon();
        std::process::exit(Exit::Interrupted as i32);
    });
    match pipeline::on_large_stack(|| std::panic::catch_unwind(AssertUnwindSafe(|| dispatch(cli.command)))) {
        Ok(Ok(exit)) => ExitCode::from(exit as u8),
        // The hook has said it.
        Ok(Err(_)) => ExitCode::from(Exit::Bug as u8),
        Err(d) => ExitCode::from(Talk::Text.fail(&Sources::default(), d) as u8),
    }
}

fn dispatch(command: Command) -> Exit {
    let done = match command {
        Command::Check(args) => check::main(&args),
        Command::Run(args) => run::main(&args),
        Command::Bench(args) => bench::main(&args),
        Command::Eval(args) => eval::main(&args),
        Command::Train(args) => train::main(&args),
        Command::Init(args) => init::main(&args),
        Command::Weights(args) => weights::main(&args),
        Command::Export(args) => export::main(&args),
        Command::Build(args) => build::main(&args),
        Command::Fmt(args) => fmt::main(&args),
        Command::Fuzz(args) => fuzz::main(&args),
        Command::Graph(args) => graph::main(&args),
        Command::Snapshot(args) => snapshot::main(&args),
        Command::Specialize(args) => specialize::main(&args),
        Command::Explain(args) => explain::main(&args),
        Command::Doc(args) => doc::main(&args),
        Command::Doctor(args) => doctor::main(&args),
        Command::New(args) => new::main(&args),
        Command::Completions(args) => completions::main(&args, &mut Cli::command()),
    };
    done.err().unwrap_or(Exit::Fine)
}
