//! `hnet explain`: what a code means, or what a function of the language gives.

use super::talk::{self, BOLD, DIM, Exit, usage};
use crate::check;
use crate::diag::explain::{PAGES, full, page, title};
use crate::diag::suggest;

/// Say what the code of a message means, with an example and its remedy, or what a function gives
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  hnet explain H0301\n  hnet explain top_k\n  hnet explain --list\n  hnet explain --functions"
)]
pub struct Args {
    /// The code: H0301, or 301; or the word of a function: softplus
    #[arg(required_unless_present_any = ["list", "functions"], conflicts_with_all = ["list", "functions"])]
    code: Option<String>,
    /// All codes with their titles
    #[arg(long)]
    list: bool,
    /// All functions of the language
    #[arg(long, conflicts_with = "list")]
    functions: bool,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    if args.functions {
        talk::print(&styled(&check::reference()));
        return Ok(());
    }
    let Some(code) = args.code.as_deref().filter(|_| !args.list) else {
        for (code, text) in PAGES {
            talk::print(&format!("{BOLD}{code}{BOLD:#}  {}\n", title(text)));
        }
        return Ok(());
    };
    if let Some(text) = page(code) {
        talk::print(&styled(text));
    } else if let Some(text) = check::described(code) {
        talk::print(&format!("{text}\n"));
    } else {
        let words = check::words();
        let near = suggest(&full(code), PAGES.iter().map(|(c, _)| *c)).or_else(|| suggest(code, words));
        let near = near.map_or(String::new(), |c| format!("; there is {c}"));
        let all = "`hnet explain --list` has all codes, `--functions` all functions";
        return Err(usage(&format!("there is no page for `{code}`{near} ({all})")));
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
