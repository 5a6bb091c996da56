//! `hnet explain`: what a code means.

use super::talk::{self, BOLD, DIM, Exit, usage};
use crate::diag::explain::{PAGES, full, page, title};
use crate::diag::suggest;

/// Say what the code of a message means, with an example and its remedy
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  hnet explain H0301\n  hnet explain --list")]
pub struct Args {
    /// The code: H0301, or 301
    #[arg(required_unless_present = "list", conflicts_with = "list")]
    code: Option<String>,
    /// All codes with their titles
    #[arg(long)]
    list: bool,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let Some(code) = args.code.as_deref().filter(|_| !args.list) else {
        for (code, text) in PAGES {
            talk::print(&format!("{BOLD}{code}{BOLD:#}  {}\n", title(text)));
        }
        return Ok(());
    };
    match page(code) {
        Some(text) => talk::print(&styled(text)),
        None => {
            let wanted = full(code);
            let near = suggest(&wanted, PAGES.iter().map(|(c, _)| *c)).map_or(String::new(), |c| format!("; there is {c}"));
            return Err(usage(&format!("there is no page for `{code}`{near} (`hnet explain --list` has all)")));
        }
    }
    Ok(())
}

/// A page with its headings loud and its fences quiet.
fn styled(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let shown = if line.starts_with('#') {
            format!("{BOLD}{}{BOLD:#}", line.trim_start_matches('#').trim_start())
        } else if line.starts_with("```") {
            format!("{DIM}{line}{DIM:#}")
        } else {
            line.to_string()
        };
        out.push_str(&shown);
        out.push('\n');
    }
    out
}
