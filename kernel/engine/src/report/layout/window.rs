//! The part of a long line that a suggestion is about: the line as it is to become is drawn whole.

use std::ops::Range;

use crate::report::layout::WIDTH;

/// What the number of the line and the sign beside it take.
const GUTTER: usize = 8;

/// What is kept ahead of the first place.
const AHEAD: usize = 30;

const ELLIPSIS: &str = "...";

/// A text in which one line may be cut, and where its places are now.
pub struct Window {
    pub text: String,
    pub places: Vec<Range<usize>>,
}

/// Cuts the line that the places are in, if it is too long and the places are near each other. All other lines stay,
/// and so each has its number.
pub fn around(text: &str, places: Vec<Range<usize>>) -> Window {
    let whole = |places| Window { text: text.to_owned(), places };
    let (Some(first), Some(last)) =
        (places.iter().map(|place| place.start).min(), places.iter().map(|place| place.end).max())
    else {
        return whole(places);
    };
    let start = text[..first].rfind('\n').map_or(0, |at| at + 1);
    let end = text[first..].find('\n').map_or(text.len(), |at| first + at);
    let room = WIDTH - GUTTER;
    if text[start..end].chars().count() <= room || last > end || text[first..last].chars().count() > room - AHEAD {
        return whole(places);
    }
    let from = text[start..first].char_indices().rev().take(AHEAD).last().map_or(first, |(at, _)| start + at);
    let kept = text[from..last].chars().count();
    let to = text[last..end].char_indices().nth(room - kept).map_or(end, |(at, _)| last + at);
    let (before, after) = (if from > start { ELLIPSIS } else { "" }, if to < end { ELLIPSIS } else { "" });
    let moved = |at: usize| at - from + start + before.len();
    Window {
        text: [&text[..start], before, &text[from..to], after, &text[end..]].concat(),
        places: places.iter().map(|place| moved(place.start)..moved(place.end)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The windows around the words of a text, which have to be there still.
    fn check(text: &str, words: &[&str]) -> String {
        let places = words.iter().map(|word| text.find(word).expect("the word is there")).zip(words);
        let window = around(text, places.map(|(at, word)| at..at + word.len()).collect());
        for (word, place) in words.iter().zip(&window.places) {
            assert_eq!(&window.text[place.clone()], *word);
        }
        assert_eq!(text.lines().count(), window.text.lines().count());
        window.text
    }

    #[test]
    fn a_long_line_is_cut_on_both_sides() {
        let long = "数, ".repeat(60);
        let cut = check(&format!("let a = 1;\nlet b = [{long}wrong, {long}];\nb"), &["wrong"]);
        let line = cut.lines().nth(1).expect("the line");
        assert!(line.starts_with("...") && line.ends_with("...") && line.chars().count() <= WIDTH - 2, "{line}");
        let cut = check(&format!("wrong and {}", "more ".repeat(40)), &["wrong", "and"]);
        assert!(cut.starts_with("wrong and more") && cut.ends_with("..."), "{cut}");
        let cut = check(&format!("{}wrong", "more ".repeat(40)), &["wrong"]);
        assert!(cut.starts_with("...") && cut.ends_with("more wrong"), "{cut}");
    }

    #[test]
    fn short_lines_and_places_far_apart_stay() {
        for text in ["one two".to_owned(), format!("one {} two", "more ".repeat(40)), "one\ntwo".to_owned()] {
            assert_eq!(check(&text, &["one", "two"]), text);
        }
    }
}
