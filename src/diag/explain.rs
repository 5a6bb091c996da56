//! A page for each code: what the message means, an example that gives it, and the same example mended.
//!
//! The pages are `docs/errors/CODE.md`, built into the program. A page is:
//!
//! ````text
//! # H0609: a parameter is missing from the weights
//!
//! What it means, in a paragraph or two.
//!
//! ```hnet fail                     the text of a file that `hnet check` rejects with exactly this code
//! ```
//! ```hnet                          the same file, mended
//! ```
//! ````
//!
//! A message that only a run gives has `run` and the arguments of `hnet run` after `hnet` or `hnet fail` in the fence (`eval`
//! likewise); blocks called `tensors NAME` before it describe the files that lie beside it, a line for each tensor: `w: f32[3, 4] = 0.5`.
//! A page whose message no small program gives says `There is no example here: ` and why.
//! A test runs every block of every page (`tests/pages.rs`).

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// The page of a code; capitals and the leading `H` do not matter.
pub fn page(code: &str) -> Option<&'static str> {
    let wanted = full(code);
    PAGES.iter().find(|(c, _)| *c == wanted).map(|(_, text)| *text)
}

/// `301`, `h0301` and `H0301` as `H0301`.
pub fn full(code: &str) -> String {
    let digits = code.trim().trim_start_matches(['h', 'H']);
    format!("H{digits:0>4}")
}

/// What the page is about: the first line without its mark and code.
pub fn title(page: &str) -> &str {
    let line = page.lines().next().unwrap_or("").trim_start_matches('#').trim();
    line.split_once(": ").map_or(line, |(_, title)| title)
}

/// A fenced block of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Block<'a> {
    /// The words after the fence: `hnet fail run --random-inputs`.
    pub info: &'a str,
    pub text: String,
}

/// The fenced blocks of a page, in order.
pub fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut out: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(info) => {
                inside = true;
                out.push(Block { info: info.trim(), text: String::new() });
            }
            None if inside => {
                if let Some(block) = out.last_mut() {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
            }
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_its_code_a_failing_and_a_mended_example() {
        for (code, text) in PAGES {
            assert!(text.starts_with(&format!("# {code}: ")), "{code}: the first line is `# {code}: title`");
            if text.contains("There is no example here: ") {
                continue;
            }
            let blocks = blocks(text);
            let fails = |b: &&Block| b.info.split(' ').take(2).eq(["hnet", "fail"]);
            assert!(blocks.iter().any(|b| fails(&b)), "{code}: no failing example");
            assert!(blocks.iter().any(|b| b.info.starts_with("hnet") && !fails(&b)), "{code}: no mended example");
        }
    }

    #[test]
    fn a_code_may_be_shortened() {
        assert_eq!((full("301"), full("h0301"), full("H0301")), ("H0301".into(), "H0301".into(), "H0301".into()));
    }
}
