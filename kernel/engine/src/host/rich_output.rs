//! Rich output that a cell prints: the convention of evcxr, which crates and notebooks written for it keep to.
//!
//! ```text
//! EVCXR_BEGIN_CONTENT text/html
//! <b>bold</b>
//! EVCXR_END_CONTENT
//! ```
//!
//! Lines that are these, and are closed, become a display; all else is text. Blocks of different types with nothing
//! between them are formats of one display.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use oxtorch_protocol::{Display, DisplayKind, is_too_deep};
use oxtorch_session::{Event, Stream};
use serde_json::{Map, Value};
use uuid::Uuid;

/// What a line begins with that begins a block; its MIME type follows.
pub(crate) const BEGIN: &str = "EVCXR_BEGIN_CONTENT ";
/// The line that ends one.
pub(crate) const END: &str = "EVCXR_END_CONTENT";
const TEXT: &str = "text/plain";
/// No MIME type is longer; a line that is has only begun like a block.
const LONGEST_BEGIN: usize = 200;
/// What a block may hold, or several that are formats of one display, in bytes. A longer one is text: its end may never
/// come.
const LONGEST_BLOCK: usize = 64 << 20;

/// Turns what a cell prints to stdout into text and displays.
#[derive(Debug, Default)]
pub(crate) struct RichOutput {
    /// The block that has begun, or what may be the beginning of one. Whole lines, but for the last.
    held: String,
    /// In `held`, where the lines begin that have not been looked at.
    seen: usize,
    /// The block's MIME type.
    mime: Option<String>,
    /// Whether what was printed last ends within a line.
    in_line: bool,
    /// The display that was shown last, if nothing was printed since.
    last: Option<Display>,
    /// The bytes of its blocks.
    last_bytes: usize,
}

impl RichOutput {
    /// Takes what was printed; returns what to show.
    pub(crate) fn take(&mut self, text: &str) -> Vec<Event> {
        let mut events = Vec::new();
        // Nearly all text: it neither continues a block nor holds what could begin one.
        if self.held.is_empty() && !text.contains(BEGIN) && begun(last_line(text, self.in_line)).is_none() {
            self.text(text, &mut events);
            return events;
        }
        // What was held from `seen` on has no line end; a block of one long line is not to be searched again and again.
        let mut from = self.held.len();
        self.held.push_str(text);
        while let Some(end) = self.held[from..].find('\n').map(|end| from + end + 1) {
            self.line(end, &mut events);
            from = self.seen;
        }
        if self.mime.is_none() {
            let rest = &self.held[self.seen..];
            let kept = if !self.in_line && begun(rest).is_some() { self.seen } else { self.held.len() };
            let waits = self.held.split_off(kept);
            let text = std::mem::replace(&mut self.held, waits);
            self.seen = 0;
            self.text(&text, &mut events);
        } else if self.held.len() > LONGEST_BLOCK {
            events.extend(self.flush());
        }
        events
    }

    /// Whether there is text that may only have begun like a block.
    pub(crate) fn waits(&self) -> bool {
        self.mime.is_none() && !self.held.is_empty()
    }

    /// Gives up what is held: nothing completes it. What comes next is no part of the display before.
    pub(crate) fn flush(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let text = std::mem::take(&mut self.held);
        self.seen = 0;
        self.mime = None;
        self.last = None;
        self.text(&text, &mut events);
        events
    }

    /// What is printed next has nothing to do with what was printed so far.
    pub(crate) fn begin_cell(&mut self) {
        *self = Self::default();
    }

    /// Takes the line that begins at `seen` and ends at `end`.
    fn line(&mut self, end: usize, events: &mut Vec<Event>) {
        let line = self.held[self.seen..end].trim_end_matches(['\r', '\n']);
        if self.mime.is_none() {
            if !self.in_line
                && let Some(mime) = mime_type(line)
            {
                let mime = mime.to_owned();
                let block = self.held.split_off(self.seen);
                let text = std::mem::replace(&mut self.held, block);
                self.text(&text, events);
                self.mime = Some(mime);
                self.seen = end - text.len();
                return;
            }
            self.in_line = false;
            self.seen = end;
            return;
        }
        if line != END {
            self.seen = end;
            return;
        }
        let rest = self.held.split_off(end);
        let block = std::mem::replace(&mut self.held, rest);
        let (_, content) = block[..self.seen].split_once('\n').unwrap_or_default();
        self.seen = 0;
        let mime = self.mime.take().unwrap_or_default();
        match value(&mime, content) {
            Some(value) => self.display(mime, value, block.len(), events),
            None => self.text(&block, events),
        }
        self.in_line = false;
    }

    fn text(&mut self, text: &str, events: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        self.in_line = !text.ends_with('\n');
        self.last = None;
        match events.last_mut() {
            Some(Event::Stream { text: so_far, .. }) => so_far.push_str(text),
            _ => events.push(Event::Stream { stream: Stream::Stdout, text: text.to_owned() }),
        }
    }

    /// Shows a block, as a format more of the display right before it where that lacks it.
    fn display(&mut self, mime: String, value: Value, bytes: usize, events: &mut Vec<Event>) {
        let with_last = self.last_bytes.saturating_add(bytes);
        let is_format_of = |last: &Display| !last.data.contains_key(&mime) || is_fallback(last, &mime);
        self.last_bytes = bytes;
        let display = match self.last.take() {
            Some(last) if with_last <= LONGEST_BLOCK && is_format_of(&last) => {
                self.last_bytes = with_last;
                let mut display = Display { kind: DisplayKind::Update, ..last };
                display.data.insert(mime, value);
                display
            }
            _ => {
                let mut data = Map::new();
                if mime != TEXT {
                    data.insert(TEXT.to_owned(), format!("<{mime}>").into());
                }
                data.insert(mime, value);
                let display_id = Some(Uuid::new_v4().to_string());
                Display { kind: DisplayKind::Data, data, metadata: Map::new(), display_id }
            }
        };
        events.push(Event::Display(display.clone()));
        self.last = Some(display);
    }
}

/// Whether the display has a text for want of one of its own.
fn is_fallback(display: &Display, mime: &str) -> bool {
    let text = display.data.get(TEXT).and_then(Value::as_str);
    mime == TEXT && text.is_some_and(|text| display.data.keys().any(|mime| text == format!("<{mime}>")))
}

/// The data of a block as the Jupyter protocol wants it; `None` where it is not of its type.
pub(crate) fn value(mime: &str, content: &str) -> Option<Value> {
    let content = content.strip_suffix('\n').unwrap_or(content);
    if mime == "application/json" || mime.ends_with("+json") {
        return serde_json::from_str(content).ok().filter(|value| !is_too_deep(value));
    }
    if mime.starts_with("image/") && !mime.ends_with("+xml") {
        let base64: String = content.split_whitespace().collect();
        return BASE64.decode(&base64).is_ok().then(|| base64.into());
    }
    Some(content.into())
}

/// The MIME type of a line that begins a block.
fn mime_type(line: &str) -> Option<&str> {
    let mime = line.strip_prefix(BEGIN)?.trim_end();
    let (kind, of) = mime.split_once('/')?;
    let is_token = |part: &str| {
        !part.is_empty() && part.chars().all(|char| char.is_ascii_alphanumeric() || "!#$&-^_.+".contains(char))
    };
    (is_token(kind) && is_token(of)).then_some(mime)
}

/// What of a text stands behind its last line end; nothing where that is not a line's beginning.
fn last_line(text: &str, in_line: bool) -> &str {
    match text.rfind('\n') {
        Some(end) => &text[end + 1..],
        None if in_line => "",
        None => text,
    }
}

/// An unfinished line, if it may become one that begins a block.
fn begun(line: &str) -> Option<&str> {
    let may = if line.len() < BEGIN.len() { BEGIN.starts_with(line) } else { line.starts_with(BEGIN) };
    (may && !line.is_empty() && line.len() < LONGEST_BEGIN).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was shown, one piece a display or a run of text.
    fn shown(pieces: &[&str]) -> Vec<String> {
        let mut contents = RichOutput::default();
        let mut shown: Vec<String> = Vec::new();
        let mut was_text = false;
        let mut events: Vec<Event> = pieces.iter().flat_map(|piece| contents.take(piece)).collect();
        events.extend(contents.flush());
        for event in events {
            match event {
                Event::Stream { text, .. } if was_text => shown.last_mut().expect("was text").push_str(&text),
                Event::Stream { text, .. } => {
                    was_text = true;
                    shown.push(text);
                }
                Event::Display(display) => {
                    was_text = false;
                    shown.push(format!("{:?} {}", display.kind, Value::from(display.data)));
                }
                other => panic!("neither text nor a display: {other:?}"),
            }
        }
        shown
    }

    const HTML: &str = "EVCXR_BEGIN_CONTENT text/html\n<b>a</b>\n<i>b</i>\nEVCXR_END_CONTENT\n";

    #[test]
    fn a_block_is_a_display_between_the_text_around_it() {
        let text = format!("before\n{HTML}after\n");
        let display = r#"Data {"text/html":"<b>a</b>\n<i>b</i>","text/plain":"<text/html>"}"#;
        assert_eq!(shown(&[&text]), ["before\n", display, "after\n"]);
    }

    #[test]
    fn it_does_not_matter_where_the_pipe_cuts() {
        let text = format!("E EV\nEVCXR\n{HTML}损失{HTML}\nEVCXR_BEGIN_CONTENT \nend EVCXR_");
        let whole = shown(&[&text]);
        assert_eq!(whole.len(), 3, "{whole:?}");
        for at in (1..text.len()).filter(|at| text.is_char_boundary(*at)) {
            assert_eq!(shown(&[&text[..at], &text[at..]]), whole, "cut at {at}");
        }
        let letters: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(shown(&letters.iter().map(String::as_str).collect::<Vec<_>>()), whole);
    }

    #[test]
    fn text_that_merely_holds_the_words_stays_text() {
        for text in [
            "see EVCXR_BEGIN_CONTENT text/html\n",
            "EVCXR_BEGIN_CONTENT is how a block begins\nEVCXR_END_CONTENT\n",
            "EVCXR_BEGIN_CONTENT\n",
            "EVCXR_END_CONTENT\n",
            "EVCXR_BEGIN_CONTENT text/html\nnever closed\n",
            "EVCXR_BEGIN_CONTENT text/html",
            "EVCXR_BEGIN_CONTENT text/html\n EVCXR_END_CONTENT\n",
            "EVCXR_BEGIN_CONTENT application/json\n{\nEVCXR_END_CONTENT\n",
            "EVCXR_BEGIN_CONTENT image/png\nno base64!\nEVCXR_END_CONTENT\n",
            "\r 50 %",
        ] {
            assert_eq!(shown(&[text]), [text]);
        }
    }

    #[test]
    fn a_block_without_end_becomes_text() {
        let mut contents = RichOutput::default();
        assert!(contents.take("EVCXR_BEGIN_CONTENT text/html\n").is_empty());
        let piece = format!("{}\n", "a".repeat(1 << 20));
        let shown: Vec<Event> = (0..80).flat_map(|_| contents.take(&piece)).collect();
        let shown: usize =
            shown.iter().map(|event| if let Event::Stream { text, .. } = event { text.len() } else { 0 }).sum();
        assert!(shown > LONGEST_BLOCK && contents.held.is_empty(), "{shown}");
    }

    #[test]
    fn a_display_takes_no_formats_without_end() {
        let mut contents = RichOutput::default();
        let block = |n| format!("EVCXR_BEGIN_CONTENT text/x-{n}\n{}\nEVCXR_END_CONTENT\n", "a".repeat(8 << 20));
        let shown: Vec<Event> = (0..20).flat_map(|n| contents.take(&block(n))).collect();
        for event in &shown {
            let Event::Display(display) = event else { panic!("is no display: {event:?}") };
            assert!(display.data.len() < 10);
        }
        assert_eq!(shown.len(), 20);
    }

    #[test]
    fn formats_right_behind_each_other_are_of_one_display() {
        let text = format!("{HTML}EVCXR_BEGIN_CONTENT text/plain\na b\nEVCXR_END_CONTENT\n{HTML}");
        let shown = shown(&[&text]);
        assert_eq!(shown[1], r#"Update {"text/html":"<b>a</b>\n<i>b</i>","text/plain":"a b"}"#);
        assert!(shown[2].starts_with("Data "), "{shown:?}");
        assert_eq!(shown.len(), 3);
    }

    #[test]
    fn data_is_as_its_type_asks() {
        assert_eq!(value("application/vnd.vegalite.v5+json", "{\"a\": [1]}\n"), Some(serde_json::json!({"a": [1]})));
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(value("application/json", &nested(100)).is_some() && value("application/json", &nested(101)).is_none());
        assert_eq!(value("image/png", "iVBO\nRw==\n"), Some("iVBORw==".into()));
        assert_eq!(value("image/svg+xml", "<svg>\n</svg>\n"), Some("<svg>\n</svg>".into()));
        assert_eq!(value("text/plain", "\n"), Some("".into()));
    }

    #[test]
    fn what_only_begins_like_a_block_waits() {
        let mut contents = RichOutput::default();
        assert!(contents.take("EVCXR_").is_empty() && contents.waits());
        assert_eq!(contents.flush().len(), 1);
        assert!(!contents.waits());
        assert_eq!(contents.take("BEGIN_CONTENT text/html\n").len(), 1);
        assert!(contents.take("EVCXR_BEGIN_CONTENT text/html\n<b>").is_empty() && !contents.waits());
    }
}
