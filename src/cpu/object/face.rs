//! What a C program sees of a model: the names of its structs and functions, and what each field is.

use crate::ir::{DType, Size, Sym};
use crate::plan::Fresh;
use std::collections::BTreeSet;

/// A free size.
#[derive(Clone, Debug)]
pub struct Free {
    pub size: Sym,
    /// The condition whose value it is.
    pub condition: Option<String>,
    /// The stretches of numbers that it may be, each from the first to the last; any where there are none.
    pub allowed: Vec<(i64, i64)>,
}

/// What is to be said of a model besides its plan.
#[derive(Clone, Debug, Default)]
pub struct Face {
    pub model: String,
    /// In the order of their struct.
    pub sizes: Vec<Free>,
    /// Paths of inputs and conditions, and a word on each; every other source is a parameter.
    pub inputs: Vec<(String, String)>,
    /// The names of the results.
    pub outputs: Vec<String>,
    /// What is said of each demand that is broken: the computed ones, then those on inputs.
    pub demands: Vec<String>,
}

/// A field of a struct.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// As C spells it.
    pub word: String,
    /// As the model and files spell it.
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<Size>,
    pub about: String,
}

/// Words that are no names in C or in C++.
const TAKEN: &str = "alignas alignof and and_eq asm atomic_cancel atomic_commit atomic_noexcept auto bitand bitor bool break case catch char \
    char16_t char32_t char8_t class co_await co_return co_yield compl complex concept const const_cast consteval constexpr constinit \
    continue decltype default delete do double dynamic_cast else enum explicit export extern false float for friend goto if imaginary \
    inline int linux long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public reflexpr register \
    reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch synchronized template \
    this thread_local throw true try typedef typeid typename typeof typeof_unqual union unix unsigned using virtual void volatile wchar_t \
    while xor xor_eq NULL EOF errno stdin stdout stderr assert";

/// Names of one struct, each given once.
#[derive(Default)]
pub(super) struct Words(Fresh);

impl Words {
    /// The word of a path: `a.b[3]` is `a_b_3`.
    pub fn word(&mut self, path: &str) -> String {
        let word = plain(path);
        let reserved: BTreeSet<&str> = TAKEN.split_whitespace().collect();
        self.0.fresh(if reserved.contains(word.as_str()) { word + "_" } else { word })
    }
}

/// Letters, digits and single `_`, not beginning with a digit.
pub(super) fn plain(path: &str) -> String {
    let mut word = String::new();
    for c in path.chars() {
        match c.is_ascii_alphanumeric() {
            true => word.push(c),
            false if word.is_empty() || word.ends_with('_') => {}
            false => word.push('_'),
        }
    }
    let word = word.trim_end_matches('_');
    if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) { format!("x{word}") } else { word.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_a_word_of_its_own() {
        let mut words = Words::default();
        let all = ["a.b[3]", "a.b.3", "x'", "for", "3d", "block.*.w", "_", "a_b_3_2", "π"].map(|p| words.word(p));
        assert_eq!(all, ["a_b_3", "a_b_3_2", "x", "for_", "x3d", "block_w", "x_2", "a_b_3_2_2", "x_3"]);
    }
}
