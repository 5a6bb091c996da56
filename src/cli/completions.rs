//! `hnet completions`: completion of commands and options for a shell.

use super::talk::{self, Exit};
use clap_complete::Shell;

/// Write the completions of a shell to stdout
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  hnet completions bash > ~/.local/share/bash-completion/completions/hnet\n  hnet completions fish > ~/.config/fish/completions/hnet.fish"
)]
pub struct Args {
    /// Which shell
    shell: Shell,
}

pub fn main(args: &Args, command: &mut clap::Command) -> Result<(), Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, command, "hnet", &mut text);
    talk::print(&String::from_utf8_lossy(&text));
    Ok(())
}
