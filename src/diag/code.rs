//! Codes of messages: an enum that the build makes of the pages in `docs/errors`.

use std::fmt;

include!(concat!(env!("OUT_DIR"), "/codes.rs"));

impl Code {
    /// The stage that says it: `03` of `H0301`.
    pub fn stage(self) -> &'static str {
        self.as_str().get(1..3).unwrap_or("")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl PartialEq<&str> for Code {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<Code> for &str {
    fn eq(&self, other: &Code) -> bool {
        *self == other.as_str()
    }
}
