//! What a report looks like: its styles, and lines that fit into a cell.

pub(crate) mod window;

use annotate_snippets::renderer::{Effects, Style};
use annotate_snippets::{Group, Renderer};
use console::{measure_text_width, strip_ansi_codes};

/// Columns. A frontend breaks longer lines, and then nothing is below the word that it belongs to.
pub const WIDTH: usize = 100;

/// What the longest beginning of a message takes: `error[E0308]: `.
const BEGINNING: usize = 14;

/// A label is not broken into lines that are shorter than this.
const NARROW: usize = 40;

/// What goes on in another line of a list begins so many columns further to the right.
const INDENT: usize = 2;

const BOLD: Style = Style::new().effects(Effects::BOLD);
const PLAIN: Style = Style::new();

/// In the frontend's own color: no other has a contrast of 4.5 on the light red as well as on the dark red that
/// JupyterLab puts behind errors, where the best reaches 3.4.
const RENDERER: Renderer = Renderer::styled()
    .term_width(WIDTH)
    .error(BOLD)
    .warning(BOLD)
    .info(BOLD)
    .note(BOLD)
    .help(BOLD)
    .emphasis(BOLD)
    .addition(BOLD)
    .line_num(PLAIN)
    .context(PLAIN)
    .removal(PLAIN);

/// The lines of a report.
pub fn drawn(groups: &[Group<'_>]) -> Vec<String> {
    let drawn = RENDERER.render(groups);
    let lines: Vec<&str> = drawn.lines().collect();
    let below = lines.iter().skip(1).copied().chain([""]);
    lines.iter().zip(below).flat_map(|(line, below)| with_label_folded(line, below)).collect()
}

/// A line of a list: how it begins, what matters in it, and the rest. It goes on below, further to the right.
pub fn listed(beginning: &str, bold: &str, rest: &str) -> Vec<String> {
    let indent = beginning.len() - beginning.trim_start().len() + INDENT;
    let whole = format!("{beginning}{bold}{rest}");
    let bold = beginning.len()..beginning.len() + bold.len();
    let mut from = 0;
    let pieces = folded(&whole, WIDTH - indent).into_iter().enumerate();
    let styled = pieces.map(|(line, piece)| {
        from += whole[from..].find(piece).unwrap_or_default();
        let within = |at: usize| at.clamp(from, from + piece.len()) - from;
        let (start, end) = (within(bold.start), within(bold.end));
        from += piece.len();
        let margin = if line == 0 { 0 } else { indent };
        let (ahead, word, behind) = (&piece[..start], &piece[start..end], &piece[end..]);
        let word = if word.is_empty() { String::new() } else { format!("{BOLD}{word}{BOLD:#}") };
        format!("{:margin$}{ahead}{word}{behind}", "")
    });
    styled.collect()
}

/// A message in lines that fit behind its beginning. A line breaks ahead of code rather than in it.
pub fn wrapped(message: &str) -> String {
    message.lines().flat_map(|line| folded(line, WIDTH - BEGINNING)).collect::<Vec<_>>().join("\n")
}

fn folded(line: &str, width: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while measure_text_width(rest) > width
        && let Some(at) = end_of_line(rest, width)
    {
        pieces.push(rest[..at].trim_end());
        rest = rest[at..].trim_start();
    }
    pieces.push(rest);
    pieces
}

/// The space at which a line is broken: the last one that fits, outside of code unless that leaves a short line.
fn end_of_line(text: &str, width: usize) -> Option<usize> {
    let indent = text.len() - text.trim_start().len();
    let (mut outside, mut anywhere) = (None, None);
    let mut is_code = false;
    let mut column = 0;
    for (at, char) in text.char_indices() {
        if column > width && anywhere.is_some() {
            break;
        }
        match char {
            '`' => is_code = !is_code,
            ' ' if at > indent => {
                anywhere = Some(at);
                outside = if !is_code && column > width / 3 { anywhere } else { outside };
            }
            _ => {}
        }
        column += measure_text_width(char.encode_utf8(&mut [0; 4]));
    }
    outside.or(anywhere)
}

/// A line of underlines whose label is too long, with the label in several lines below each other; any other line as
/// it is.
fn with_label_folded(line: &str, below: &str) -> Vec<String> {
    let plain = strip_ansi_codes(line);
    let is_underline = plain.trim_start().starts_with('|');
    let label = plain.trim_start_matches(|char: char| " |^-_".contains(char)).trim_end();
    let (true, true, Some((ahead, behind))) =
        (measure_text_width(&plain) > WIDTH, is_underline, line.split_once(label).filter(|_| !label.is_empty()))
    else {
        return vec![line.to_owned()];
    };
    let underlines = strip_ansi_codes(ahead);
    let bars = bars_below(&underlines, &strip_ansi_codes(below));
    let style = if ahead.ends_with('m') { ahead.rfind('\u{1b}').map_or("", |at| &ahead[at..]) } else { "" };
    let under = |piece: &str, column: usize| format!("{bars:<column$}{style}{piece}{behind}");
    let column = measure_text_width(&underlines);
    if let Some(room) = WIDTH.checked_sub(column).filter(|room| *room >= NARROW) {
        let pieces = folded(label, room);
        let first = format!("{ahead}{}{behind}", pieces[0]);
        return std::iter::once(first).chain(pieces[1..].iter().map(|piece| under(piece, column))).collect();
    }
    // There is more room below the underlines, to the right of the lines that go on there.
    let column = (WIDTH - measure_text_width(label).min(2 * NARROW)).min(column).max(bars.len() + 1);
    let first = ahead.trim_end_matches(style).trim_end().to_owned();
    let pieces = folded(label, WIDTH.saturating_sub(column).max(NARROW));
    std::iter::once(first).chain(pieces.iter().map(|piece| under(piece, column))).collect()
}

/// The vertical lines that go on below a line: those that are in it, and those that begin there.
fn bars_below(line: &str, below: &str) -> String {
    let begin = if below.contains(|char| !" |".contains(char)) { "" } else { below };
    let begin: Vec<char> = begin.chars().collect();
    let line: Vec<char> = line.chars().collect();
    // A bar ahead of `_` is the end of one.
    let goes_on = |at: usize| line[at] == '|' && line.get(at + 1) != Some(&'_');
    let bars = (0..line.len()).map(|at| if goes_on(at) || begin.get(at) == Some(&'|') { '|' } else { ' ' });
    bars.collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use annotate_snippets::{AnnotationKind, Level, Snippet};

    use super::*;

    const LONG: &str = "move occurs because `names` has type `Vec<String>`, which does not implement the `Copy` trait";

    /// The lines without their styles, when each word has a label.
    fn lines(source: &str, labels: &[(&str, &str)]) -> Vec<String> {
        let marks = labels.iter().enumerate().map(|(index, (word, label))| {
            let at = source.find(word).expect("the word is there");
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            kind.span(at..at + word.len()).label(*label)
        });
        let group =
            Group::with_title(Level::ERROR.primary_title("no")).element(Snippet::source(source).annotations(marks));
        drawn(&[group]).iter().map(|line| strip_ansi_codes(line).into_owned()).collect()
    }

    fn column(line: &str, text: &str) -> usize {
        line.find(text).unwrap_or_else(|| panic!("no {text:?} in {line:?}"))
    }

    #[test]
    fn a_message_breaks_between_words_and_not_in_code() {
        let message = format!("{} `let value = compute(first, second);` and more", "word ".repeat(12).trim_end());
        assert_eq!(
            wrapped(&message),
            format!("{}\n`let value = compute(first, second);` and more", "word ".repeat(12).trim_end())
        );
        let code = format!("`{}`", "word ".repeat(40));
        assert!(wrapped(&code).lines().all(|line| line.len() <= WIDTH - BEGINNING), "code that is too long breaks");
        let word = "x".repeat(300);
        assert_eq!(wrapped(&word), word);
        assert_eq!(wrapped("short\n  and indented"), "short\n  and indented");
        assert_eq!(wrapped(&"数字 ".repeat(30)).lines().count(), 2, "{}", wrapped(&"数字 ".repeat(30)));
    }

    #[test]
    fn a_long_line_of_a_list_goes_on_further_to_the_right() {
        let message = "word ".repeat(40);
        let drawn = listed("cell [5]:9:14: ", message.trim_end(), "");
        let plain: Vec<String> = drawn.iter().map(|line| strip_ansi_codes(line).into_owned()).collect();
        assert!(plain.iter().all(|line| line.len() <= WIDTH), "{plain:#?}");
        assert!(plain[0].starts_with("cell [5]:9:14: word ") && plain[1].starts_with("  word"), "{plain:#?}");
        assert!(drawn[0].starts_with("cell [5]:9:14: \u{1b}[1mword"), "{drawn:?}");
        assert!(drawn.iter().all(|line| line.ends_with("\u{1b}[0m")), "{drawn:?}");
        assert_eq!(listed("  ", "help", ": write `x`"), ["  \u{1b}[1mhelp\u{1b}[0m: write `x`"]);
    }

    #[test]
    fn a_long_label_goes_on_below_itself() {
        let drawn = lines("for name in names {}", &[("names", LONG)]);
        assert!(drawn.iter().all(|line| line.len() <= WIDTH), "{drawn:#?}");
        let first = drawn.iter().position(|line| line.contains("^^^^^ move")).expect("the label's line");
        assert_eq!(column(&drawn[first], "move"), column(&drawn[first + 1], "the `Copy` trait"), "{drawn:#?}");
    }

    #[test]
    fn the_lines_to_other_labels_go_on_beside_a_long_one() {
        let drawn = lines("for name in names {}", &[("names", LONG), ("name", "this is moved")]);
        let first = drawn.iter().position(|line| line.contains("^^^^^ move")).expect("the label's line");
        let bar = column(&drawn[first], "----");
        assert_eq!(drawn[first + 1].as_bytes()[bar], b'|', "{drawn:#?}");
        let other = drawn.iter().find(|line| line.contains("this is moved")).expect("the other label");
        assert_eq!(column(other, "this"), bar);
    }

    #[test]
    fn a_long_line_is_cut_around_the_word_and_its_label_put_below() {
        let source = format!("let all = [{}wrong{}];", "number, ".repeat(30), ", number".repeat(30));
        for label in ["short", LONG] {
            let drawn = lines(&source, &[("wrong", label)]);
            assert!(drawn.iter().all(|line| line.len() <= WIDTH), "{drawn:#?}");
            let code = drawn.iter().position(|line| line.contains("wrong")).expect("the line of code");
            assert_eq!(column(&drawn[code], "wrong"), column(&drawn[code + 1], "^^^^^"), "{drawn:#?}");
        }
        let end = format!("let longer_name = {}wrong;", "number + ".repeat(7));
        let drawn = lines(&end, &[("wrong", LONG)]);
        assert!(drawn.iter().all(|line| line.len() <= WIDTH), "{drawn:#?}");
        assert!(drawn.iter().any(|line| line.contains("^^^^^") && !line.contains("move")), "{drawn:#?}");
    }
}
