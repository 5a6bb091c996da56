//! `hnet explain route`: what the language reference says of a word that is no function.

/// The reference, which the tests compile.
const REFERENCE: &str = include_str!("../../../docs/language.md");

/// Words and the heading under which the reference speaks of them.
const WORDS: &[(&str, &str)] = &[
    ("import const dim fn", "## A file"),
    ("where let", "## Indices"),
    ("net sub param form state update load", "## Nets"),
    ("generate adapt scale tie freeze each", "## Relations"),
    ("route blend capacity", "## Routing"),
    ("if else for until var yield rev", "## Conditions and loops"),
    ("draw seed", "## Chance"),
    ("model input output condition loss", "## Models"),
    ("pin", "## Pins"),
    ("eval report data", "## Blocks about a model"),
    ("train minimize over with steps batch by feed clip accumulate average validate patience every set alternate", "## Training"),
    ("weights prefix drop transposed optional", "## Weights"),
    ("div mod and or not", "## Operators"),
    ("sum mean max min prod any all argmax argmin logsumexp softmax", "## Reductions"),
    ("f32 i32 bool size", "## Values and their types"),
];

/// The section of the reference about a word.
pub fn section(word: &str) -> Option<&'static str> {
    let (_, heading) = WORDS.iter().find(|(words, _)| words.split(' ').any(|w| w == word))?;
    let start = REFERENCE.find(&format!("\n{heading}\n"))? + 1;
    let length = REFERENCE[start + 3..].find("\n## ").map_or(REFERENCE.len() - start, |n| n + 4);
    Some(REFERENCE[start..start + length].trim_end())
}

/// All words.
pub fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().flat_map(|(words, _)| words.split(' '))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_word_has_a_section_that_speaks_of_it() {
        for word in super::words() {
            let text = super::section(word).unwrap_or_else(|| panic!("{word} has no section"));
            assert!(text.starts_with("## ") && text.contains(word), "{word}");
            assert!(!text[3..].contains("\n## "), "{word}");
        }
    }
}
