//! Documentation as rustdoc's sources have it, made readable: as markdown for a notebook, as plain text for a terminal.

use oxtorch_session::Documentation;

/// A part of what is told of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// A signature, or code that is to be written.
    Code(String),
    /// Markdown.
    Text(String),
    /// Text whose lines and blanks count.
    Verbatim(String),
    /// A path or an address.
    Place(String),
    /// Names, each with a sentence.
    List(Vec<(String, String)>),
}

/// The parts, one below the other.
pub(crate) fn documentation(parts: &[Part]) -> Documentation {
    let joined = |part: fn(&Part) -> String| parts.iter().map(part).collect::<Vec<_>>().join("\n\n");
    Documentation { plain: joined(Part::plain), markdown: joined(Part::markdown) }
}

impl Part {
    fn plain(&self) -> String {
        match self {
            Self::Code(text) | Self::Verbatim(text) | Self::Place(text) => text.clone(),
            Self::Text(text) => plain_text(text),
            Self::List(rows) => {
                let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
                let lines = rows.iter().map(|(name, about)| format!("{name:width$}  {about}").trim_end().to_owned());
                lines.collect::<Vec<_>>().join("\n")
            }
        }
    }

    fn markdown(&self) -> String {
        match self {
            Self::Code(code) => format!("```rust\n{code}\n```"),
            Self::Text(text) => text.clone(),
            Self::Verbatim(text) => format!("```text\n{text}\n```"),
            Self::Place(address) if address.contains("://") => format!("<{address}>"),
            Self::Place(path) => format!("`{path}`"),
            Self::List(rows) => {
                let rows: Vec<[String; 2]> =
                    rows.iter().map(|(name, about)| [format!("`{name}`"), about.clone()]).collect();
                table(["Name", "What it is"], &rows)
            }
        }
    }
}

/// A doc comment without what only rustdoc understands: lines of code that it hides, and links to items.
pub(crate) fn of_rustdoc(doc: &str) -> String {
    let mut lines = Vec::new();
    // Whether the lines are code, and whether that is Rust.
    let mut code: Option<bool> = None;
    for line in doc.lines() {
        let fence = line.trim_start().strip_prefix("```");
        match (fence, code) {
            (Some(language), None) => {
                let other =
                    ["text", "toml", "json", "sh", "console"].iter().find(|other| language.starts_with(**other));
                lines.push(format!("```{}", other.unwrap_or(&"rust")));
                code = Some(other.is_none());
            }
            (Some(_), Some(_)) => {
                lines.push("```".to_owned());
                code = None;
            }
            (None, Some(true)) if is_hidden(line) => {}
            (None, _) => lines.push(line.to_owned()),
        }
    }
    let text = lines.join("\n").replace("```rust\n\n", "```rust\n");
    outside_of_code(&text, |text| without_links(text).replace("`mod@", "`"))
}

/// Whether a line of an example is there for the compiler alone. A cell has the prelude in scope.
fn is_hidden(line: &str) -> bool {
    let line = line.trim();
    line == "#" || line.starts_with("# ") || line == "use oxtorch::prelude::*;"
}

/// Changes the text between blocks of code.
fn outside_of_code(text: &str, change: impl Fn(&str) -> String) -> String {
    let parts = text.split("```").enumerate();
    let parts: Vec<String> = parts.map(|(at, part)| if at % 2 == 0 { change(part) } else { part.to_owned() }).collect();
    parts.join("```")
}

/// Text in which what a link to an item names is left, and a link to an address stays.
fn without_links(text: &str) -> String {
    let mut found = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, behind) = rest.split_at(open);
        found.push_str(before);
        match link(behind) {
            Some((shown, address, end)) => {
                found.push_str(&if address.contains("://") {
                    format!("[{shown}]({address})")
                } else {
                    shown.to_owned()
                });
                rest = &behind[end..];
            }
            None => {
                found.push('[');
                rest = &behind[1..];
            }
        }
    }
    found + rest
}

/// The link that a text begins with: what it shows, where it leads, and where it ends. Brackets are shapes as well, as
/// in `[N, C]`: those are code, or have no address and no code in them.
fn link(text: &str) -> Option<(&str, &str, usize)> {
    let close = text.find(']')?;
    let shown = &text[1..close];
    if let Some(address) = text[close + 1..].strip_prefix('(') {
        let end = address.find(')')?;
        // `[`image()`](crate::picture::image())`
        let end = if address[end..].starts_with("))") { end + 1 } else { end };
        return Some((shown, &address[..end], close + 2 + end + 1));
    }
    let is_item = shown.len() > 2 && shown.starts_with('`') && shown.ends_with('`');
    is_item.then_some((shown, "", close + 1))
}

/// Markdown without what is there for its looks: headings have no marks, code stands further to the right.
fn plain_text(markdown: &str) -> String {
    let mut in_code = false;
    let mut lines = Vec::new();
    for line in markdown.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if in_code {
            lines.push(format!("    {line}").trim_end().to_owned());
        } else {
            lines.push(line.trim_start_matches('#').trim_start().to_owned());
        }
    }
    lines.join("\n").trim_end().to_owned()
}

/// The first sentence of a doc comment, on one line.
pub(crate) fn first_sentence(doc: &str) -> String {
    let paragraph: Vec<&str> = doc.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    let text = without_links(&paragraph.join(" "));
    if text.starts_with("```") || text.starts_with('#') {
        return String::new();
    }
    let mut is_code = false;
    let mut open = 0usize;
    let mut previous = ' ';
    for (at, char) in text.char_indices() {
        match char {
            '`' => is_code = !is_code,
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            ' ' if previous == '.' && !is_code && open == 0 && starts_sentence(&text[at + 1..]) => {
                return text[..at].to_owned();
            }
            _ => {}
        }
        previous = char;
    }
    text.trim_end_matches(':').to_owned()
}

fn starts_sentence(text: &str) -> bool {
    text.starts_with(|char: char| char.is_uppercase() || char == '`')
}

/// A table.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let line =
        |cells: &[String]| format!("| {} |", cells.iter().map(|cell| cell_of(cell)).collect::<Vec<_>>().join(" | "));
    let mut lines = vec![line(&head.map(str::to_owned)), format!("|{}", " --- |".repeat(N))];
    lines.extend(rows.iter().map(|row| line(row)));
    lines.join("\n")
}

/// A table's cell ends at a bar.
fn cell_of(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rustdoc_alone_understands_is_left_out() {
        let doc = "See [`conv`] and [the store](crate::nn::VarStore), of shape `[N, C]`, [a page](https://a.b/c).\n\n```\n# use a::b;\nuse \
                   oxtorch::prelude::*;\nlet x = [1, 2];\n#[derive(Debug)]\nstruct A;\n```\n\n# Panics\n\nWhere [N] is 0.";
        let shown = of_rustdoc(doc);
        let expected = "See `conv` and the store, of shape `[N, C]`, [a page](https://a.b/c).\n\n```rust\nlet x = [1, \
                        2];\n#[derive(Debug)]\nstruct A;\n```\n\n# Panics\n\nWhere [N] is 0.";
        assert_eq!(shown, expected);
        let plain = plain_text(&shown);
        assert!(plain.contains("\n    let x = [1, 2];\n    #[derive(Debug)]\n"), "{plain}");
        assert!(plain.contains("\n\nPanics\n\n") && !plain.contains("```"), "{plain}");
    }

    #[test]
    fn a_link_may_call() {
        assert_eq!(without_links("for [`image()`](crate::picture::image())."), "for `image()`.");
        assert_eq!(without_links("`x[0]` and [ and [1, 2]"), "`x[0]` and [ and [1, 2]");
    }

    #[test]
    fn the_first_sentence_ends_at_a_point_that_ends_one() {
        let check = |doc: &str, first: &str| assert_eq!(first_sentence(doc), first);
        check("Makes a layer\nof [`N`] inputs. More.\n\nNo.", "Makes a layer of `N` inputs.");
        check("By chance (N. Srivastava et al., 2014), see. Yes", "By chance (N. Srivastava et al., 2014), see.");
        check("As PyTorch's 0.5. default", "As PyTorch's 0.5. default");
        check("Of `a. B` (see C. D). E", "Of `a. B` (see C. D).");
        check("", "");
    }

    #[test]
    fn a_bar_in_a_cell_is_no_border() {
        let table = table(["A", "B"], &[["|x| x".into(), "y".into()]]);
        assert_eq!(table, "| A | B |\n| --- | --- |\n| \\|x\\| x | y |");
    }
}
