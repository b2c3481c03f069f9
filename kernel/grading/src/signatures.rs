//! What functions take and return, as text: a function that returns a type of its own can make a test mean something
//! else than it says.

use std::collections::BTreeMap;

use crate::words::words;

/// The functions that a text declares, each with its types as text. Names of parameters say nothing of a type, and are
/// left out. The text need not be valid.
pub fn signatures(text: &str) -> BTreeMap<String, String> {
    let words: Vec<&str> = words(text).map(|(_, word)| word).collect();
    let word = |at: usize| words.get(at).copied().unwrap_or_default();
    let functions = (0..words.len()).filter(|at| word(*at) == "fn" && word(at + 1).starts_with(in_name));
    let signature = |at: usize| {
        let end = (at + 2..words.len()).find(|end| ["{", ";"].contains(&word(*end))).unwrap_or(words.len());
        let mut types = String::new();
        for at in at + 2..end {
            let is_name = word(at).starts_with(in_name);
            let names_something = is_name && word(at + 1) == ":" && word(at + 2) != ":" && word(at - 1) != ":";
            let is_colon = word(at) == ":" && word(at + 1) != ":" && word(at - 1) != ":";
            if !(names_something || is_colon || word(at) == "mut" && word(at - 1) != "&") {
                types += word(at);
            }
        }
        // A comma behind the last parameter means nothing.
        types.replace(",)", ")")
    };
    functions.map(|at| (word(at + 1).to_owned(), signature(at))).collect()
}

fn in_name(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_of_a_function_are_what_counts() {
        let of = |text: &str| signatures(text).remove("f");
        let given = of("fn f(x: &Tensor, k: usize) -> Result<Vec<f64>> {\n    todo!()\n}");
        assert_eq!(
            given,
            of("fn f( input : & Tensor , /* neighbours */ mut n: usize, ) -> Result<Vec<f64>> { body(x: 1) }")
        );
        assert_ne!(given, of("fn f(x: &Tensor, k: usize) -> P { P }"));
        assert_ne!(given, of("fn f(x: &mut Tensor, k: usize) -> Result<Vec<f64>> { }"));
        assert_eq!(of("fn f(x: std::path::Path)"), Some("(std::path::Path)".to_owned()));
        assert_eq!(of("let f = |x| x; // fn f()"), None);
    }
}
