//! What a cell should show: the lines below its `---`.

use std::fmt::{self, Write};

use oxtorch_session::CellError;
use similar::{ChangeTag, TextDiff};

use crate::session::{Shown, without_colors};

/// Text that a cell shows in one place.
#[derive(Default, Clone)]
struct Text {
    /// The whole text; with no parts and no whole, nothing may be shown.
    whole: Option<String>,
    /// Pieces of it, each somewhere.
    parts: Vec<String>,
}

/// What a cell should show. What is not named must not be there.
#[derive(Default, Clone)]
pub struct Expected {
    /// What the user answers to `input()`, in order.
    pub answers: Vec<String>,
    result: Text,
    stdout: Text,
    stderr: Text,
    /// What Oxtorch says of a cell that did not fail.
    notes: Text,
    report: Text,
    /// What the report must not hold.
    absent: Vec<String>,
    /// The report has fewer lines than this.
    report_limit: Option<usize>,
    /// The error's kind and a piece of its one-line message.
    error: Option<(String, String)>,
    /// The MIME type of each display, in order.
    displays: Vec<String>,
    /// How often the cell clears its output.
    cleared: usize,
}

impl Text {
    fn add_line(&mut self, line: &str) {
        match &mut self.whole {
            Some(whole) => {
                whole.push('\n');
                whole.push_str(line);
            }
            None => self.whole = Some(line.to_owned()),
        }
    }

    fn complaints(&self, place: &str, shown: &str, complaints: &mut Vec<String>) {
        let shown = shown.trim_end_matches('\n');
        if let Some(whole) = &self.whole
            && whole != shown
        {
            complaints.push(format!("{place} differs (- expected, + shown):\n{}", diff(whole, shown)));
        }
        let lacking: Vec<_> = self.parts.iter().filter(|part| !contains(shown, part)).collect();
        for part in &lacking {
            complaints.push(format!("{place} lacks: {part}"));
        }
        if !lacking.is_empty() || (self.whole.is_none() && self.parts.is_empty() && !shown.is_empty()) {
            complaints.push(format!("{place} is:\n{}", indented(shown)));
        }
    }

    fn update(&mut self, shown: &str) {
        let shown = shown.trim_end_matches('\n');
        self.parts.retain(|part| contains(shown, part));
        self.whole = (self.parts.is_empty() && !shown.is_empty()).then(|| shown.to_owned());
    }

    fn write(&self, whole: &str, part: &str, to: &mut impl Write) -> fmt::Result {
        for line in self.whole.iter().flat_map(|text| text.split('\n')) {
            writeln!(to, "{}", format!("{whole} {line}").trim_end())?;
        }
        self.parts.iter().try_for_each(|text| writeln!(to, "{part} {text}"))
    }
}

impl Expected {
    /// Takes one line of a scenario file.
    pub fn parse_line(&mut self, line: &str) -> Result<(), String> {
        if line.trim().is_empty() {
            return Ok(());
        }
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        match mark {
            "=>" => self.result.add_line(rest),
            "=>~" => self.result.parts.push(rest.to_owned()),
            "out:" => self.stdout.add_line(rest),
            "out~" => self.stdout.parts.push(rest.to_owned()),
            "err:" => self.stderr.add_line(rest),
            "err~" => self.stderr.parts.push(rest.to_owned()),
            "note:" => self.notes.add_line(rest),
            "note~" => self.notes.parts.push(rest.to_owned()),
            "report:" => self.report.add_line(rest),
            "report~" => self.report.parts.push(rest.to_owned()),
            "report!" => self.absent.push(rest.to_owned()),
            "report<" => self.report_limit = Some(rest.parse().map_err(|_| format!("`{rest}` is not a number"))?),
            "error" => {
                let (ename, evalue) = rest.split_once(':').unwrap_or((rest, ""));
                self.error = Some((ename.to_owned(), evalue.trim_start().to_owned()));
            }
            "display" => self.displays.push(rest.to_owned()),
            "clear" => self.cleared += 1,
            "<<" => self.answers.push(rest.to_owned()),
            _ => return Err(format!("`{mark}` is not an expectation; tests/cells/README.md lists them")),
        }
        Ok(())
    }

    /// How what was shown differs from this; empty where it does not.
    pub fn complaints(&self, shown: &Shown) -> Vec<String> {
        let mut complaints = Vec::new();
        let report = shown.report().unwrap_or_default();
        self.complain_about_ending(shown, &report, &mut complaints);
        self.stdout.complaints("stdout", &shown.stdout, &mut complaints);
        self.stderr.complaints("stderr", &without_colors(&shown.stderr), &mut complaints);
        self.notes.complaints("the notes", &shown.notes, &mut complaints);
        self.result.complaints("the result", shown.text().unwrap_or_default(), &mut complaints);
        if shown.displays.len() != self.displays.len()
            || !shown.displays.iter().zip(&self.displays).all(|(display, mime)| display.data.contains_key(mime))
        {
            let types: Vec<Vec<&String>> = shown.displays.iter().map(|display| display.data.keys().collect()).collect();
            complaints.push(format!("displays: expected {:?}, shown {types:?}", self.displays));
        }
        if shown.cleared != self.cleared {
            complaints.push(format!("the output was cleared {} times, not {}", shown.cleared, self.cleared));
        }
        complaints
    }

    fn complain_about_ending(&self, shown: &Shown, report: &str, complaints: &mut Vec<String>) {
        match (&self.error, &shown.error) {
            (None, None) => {}
            (None, Some(error)) => {
                complaints.push(format!("fails with {}: {}\n{}", error.kind, error.evalue, indented(report)));
                return;
            }
            (Some((ename, _)), None) => complaints.push(format!("should fail with {ename}, but ends well")),
            (Some((ename, evalue)), Some(error)) => {
                if *ename != error.kind.name() || !error.evalue.contains(evalue.as_str()) {
                    complaints.push(format!(
                        "should fail with {ename}: {evalue}\nbut fails with   {}: {}\n{}",
                        error.kind,
                        error.evalue,
                        indented(report)
                    ));
                }
            }
        }
        // An expected error need not have its report written down; every report keeps to these rules.
        if self.report.whole.is_some() || !self.report.parts.is_empty() {
            self.report.complaints("the report", report, complaints);
        }
        for text in &self.absent {
            if report.contains(text.as_str()) {
                complaints.push(format!("the report should not say `{text}`:\n{}", indented(report)));
            }
        }
        if let Some(limit) = self.report_limit
            && report.lines().count() >= limit
        {
            complaints.push(format!("the report should have less than {limit} lines:\n{}", indented(report)));
        }
        for own in machine_names(report).chain(machine_names(&shown.notes)).chain(machine_names(&shown.stderr)) {
            complaints.push(format!("a user should not meet `{own}`:\n{}", indented(report)));
        }
    }

    /// Takes what was shown as what is expected.
    pub fn update(&mut self, shown: &Shown) {
        self.result.update(shown.text().unwrap_or_default());
        self.stdout.update(&shown.stdout);
        self.stderr.update(&without_colors(&shown.stderr));
        self.notes.update(&shown.notes);
        let report = shown.report().unwrap_or_default();
        let evalue = |error: &CellError| error.evalue.lines().next().unwrap_or_default().to_owned();
        self.error = match (self.error.take(), &shown.error) {
            (Some((ename, part)), Some(error)) if ename == error.kind.name() && error.evalue.contains(&part) => {
                Some((ename, part))
            }
            (_, shown) => shown.as_ref().map(|error| (error.kind.name().to_owned(), evalue(error))),
        };
        self.report.update(&report);
        self.absent.retain(|text| !report.contains(text.as_str()));
        self.report_limit = self.report_limit.filter(|limit| report.lines().count() < *limit);
        self.cleared = shown.cleared;
        let richest = |mimes: Vec<&String>| {
            mimes.iter().find(|mime| mime.starts_with("image/png")).or(mimes.first()).map(|mime| mime.to_string())
        };
        self.displays = shown.displays.iter().filter_map(|display| richest(display.data.keys().collect())).collect();
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.answers.iter().try_for_each(|answer| writeln!(formatter, "<< {answer}"))?;
        self.stdout.write("out:", "out~", formatter)?;
        self.stderr.write("err:", "err~", formatter)?;
        self.notes.write("note:", "note~", formatter)?;
        self.displays.iter().try_for_each(|mime| writeln!(formatter, "display {mime}"))?;
        (0..self.cleared).try_for_each(|_| writeln!(formatter, "clear"))?;
        self.result.write("=>", "=>~", formatter)?;
        if let Some((ename, evalue)) = &self.error {
            writeln!(formatter, "error {ename}: {evalue}")?;
        }
        self.report.write("report:", "report~", formatter)?;
        self.absent.iter().try_for_each(|text| writeln!(formatter, "report! {text}"))?;
        self.report_limit.iter().try_for_each(|limit| writeln!(formatter, "report< {limit}"))
    }
}

/// Whether a text says something, wherever its lines are broken.
fn contains(text: &str, part: &str) -> bool {
    let in_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.contains(part) || in_one_line(text).contains(&in_one_line(part))
}

/// Names that only the machine should see: hashes of cells, folders of the engine.
fn machine_names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "`'\"()[]{}<>,;".contains(c)).filter(|word| {
        let hashed = word.split("cell_").skip(1).any(|rest| {
            let digits = rest.chars().take_while(char::is_ascii_hexdigit).count();
            digits >= 6
        });
        hashed || word.contains("__oxtorch") || word.contains("/tmp/") || word.contains("/rustc/")
    })
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    | {line}\n")).collect()
}

fn diff(expected: &str, shown: &str) -> String {
    let mut text = String::new();
    for change in TextDiff::from_lines(expected, shown).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        let line = change.value().trim_end_matches('\n');
        text.push_str(format!("    {sign} {line}").trim_end());
        text.push('\n');
    }
    text
}
