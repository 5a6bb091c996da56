//! What a command says: results on stdout, messages on stderr, and the exit code that follows from them.

use crate::diag::{Code, Diagnostic, Severity, render};
use crate::source::Sources;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// Exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Fine = 0,
    /// The program is wrong.
    Program = 1,
    /// The arguments or the files are.
    Usage = 2,
    Device = 3,
    /// No memory, or no thread.
    Memory = 4,
    Bug = 101,
    Interrupted = 130,
}

/// How messages are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Talk {
    /// Text on stderr.
    #[default]
    Text,
    /// JSON lines on stderr; results are JSON on stdout.
    Json,
    /// JSON lines on stdout: for a command whose result is messages.
    JsonResult,
}

impl Talk {
    /// `--json` of a command that has results.
    pub fn json(yes: bool) -> Talk {
        if yes { Talk::Json } else { Talk::Text }
    }

    /// Shows messages; a fatal one decides the exit code.
    pub fn say(self, sources: &Sources, list: &[Diagnostic]) -> Result<(), Exit> {
        match self {
            Talk::Text => say_text(sources, list),
            Talk::Json => list.iter().for_each(|d| tell(&format!("{}\n", render::to_json(sources, d)))),
            Talk::JsonResult => list.iter().for_each(|d| print(&format!("{}\n", render::to_json(sources, d)))),
        }
        exit_of(list)
    }

    /// Shows one fatal message and gives its exit code.
    pub fn fail(self, sources: &Sources, d: Diagnostic) -> Exit {
        self.say(sources, &[d]).err().unwrap_or(Exit::Usage)
    }

    /// An option that does nothing.
    pub fn warn(self, text: &str) {
        let d = Diagnostic { severity: Severity::Warning, ..Diagnostic::plain(Code::H0007, text) };
        // A warning is never fatal.
        let _ = self.say(&Sources::default(), &[d]);
    }

    /// A remark that is no diagnostic; kept from programs.
    pub fn note(self, text: &str) {
        if self == Talk::Text {
            tell(&format!("{DIM}{text}{DIM:#}\n"));
        }
    }
}

/// Quiet text.
pub const DIM: clap::builder::styling::Style = clap::builder::styling::Style::new().dimmed();
/// Loud text.
pub const BOLD: clap::builder::styling::Style = clap::builder::styling::Style::new().bold();

fn say_text(sources: &Sources, list: &[Diagnostic]) {
    if list.is_empty() {
        return;
    }
    let mut text = render::render(sources, list);
    if let Some(summary) = render::summary(list).filter(|_| list.len() > 1) {
        text.push_str(&format!("{BOLD}{summary}{BOLD:#}\n"));
    }
    if let Some(Diagnostic { code, .. }) = list.first() {
        text.push_str(&format!("{DIM}`hnet explain {code}` says more{DIM:#}\n"));
    }
    tell(&text);
}

/// What may be wrong with a pin in a source.
const PINS: [Code; 3] = [Code::H0931, Code::H0932, Code::H0933];

/// The exit code that messages ask for.
fn exit_of(list: &[Diagnostic]) -> Result<(), Exit> {
    // What is pinned stands in the program, whatever it is about.
    let stage = |d: &Diagnostic| if PINS.contains(&d.code) { "01" } else { d.code.stage() };
    let fatal: Vec<&str> = list.iter().filter(|d| d.is_fatal()).map(stage).collect();
    if fatal.is_empty() {
        return Ok(());
    }
    if list.iter().any(|d| d.is_fatal() && [Code::H0801, Code::H0818].contains(&d.code)) {
        return Err(Exit::Memory);
    }
    Err(if fatal.iter().any(|s| !["00", "06", "09"].contains(s)) {
        Exit::Program
    } else if fatal.contains(&"09") {
        Exit::Device
    } else {
        Exit::Usage
    })
}

/// Writes to stdout. A reader that has gone away ends the program quietly.
pub fn print(text: &str) {
    if !prints(text) {
        std::process::exit(Exit::Fine as i32);
    }
}

/// As [`print`]; `false` where the reader has gone away.
pub fn prints(text: &str) -> bool {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => true,
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => false,
        Err(e) => {
            tell(&format!("hnet: cannot write the result: {e}\n"));
            std::process::exit(Exit::Usage as i32);
        }
    }
}

/// Writes to stderr; nobody is left to tell if that fails.
pub fn tell(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// A mistake in the arguments that no diagnostic covers.
pub fn usage(text: &str) -> Exit {
    tell(&format!("{BOLD}error:{BOLD:#} {text}\n"));
    Exit::Usage
}

/// A sign of life on a terminal's stderr; shown only when it takes long enough to be seen.
pub fn spinner(text: &str) -> indicatif::ProgressBar {
    let bar = indicatif::ProgressBar::new_spinner().with_message(text.to_string());
    // It takes a thread, which there may not be; nobody sees it elsewhere.
    if io::stderr().is_terminal() {
        bar.enable_steady_tick(Duration::from_millis(120));
    }
    bar
}
