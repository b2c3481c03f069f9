//! How bars look: a line of text each, or HTML that fits dark and light pages.

use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::Ending;
use crate::display::escape_html;
use crate::display::table::writer::padded;

const CELLS: usize = 20;
/// Of a character cell: eighths.
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

const RUNNING: &str = "#1e88e5";
const COMPLETE: &str = "#43a047";
const STOPPED: &str = "#e65100";

/// A bar at one moment.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) description: String,
    pub(super) unit: String,
    pub(super) done: u64,
    pub(super) total: Option<u64>,
    pub(super) elapsed: Duration,
    /// Items a second.
    pub(super) rate: Option<f64>,
    pub(super) remaining: Option<Duration>,
    pub(super) ending: Option<Ending>,
    pub(super) postfix: Vec<(String, String)>,
}

impl View {
    /// From 0 to 1, where the total is known.
    fn share(&self) -> Option<f64> {
        match self.total? {
            0 => Some(1.0),
            total => Some((self.done as f64 / total as f64).min(1.0)),
        }
    }

    fn percent(&self) -> Option<String> {
        // Not 100 before the end.
        self.share().map(|share| format!("{:3} %", (share * 100.0).floor()))
    }

    fn count(&self) -> String {
        match self.total {
            Some(total) => format!("{}/{total}", self.done),
            None => format!("{} {}", self.done, self.unit),
        }
    }

    /// Times, rate, and whether it was stopped.
    fn pace(&self) -> String {
        let elapsed = clock(self.elapsed);
        let times = match (self.remaining, self.ending, self.total) {
            (Some(remaining), ..) => format!("{elapsed} < {}", clock(remaining)),
            (None, None, Some(_)) => format!("{elapsed} < ?"),
            _ => elapsed,
        };
        let rate = self.rate.map(|rate| format!(", {}", speed(rate, &self.unit))).unwrap_or_default();
        let stopped = if self.ending == Some(Ending::Stopped) { ", stopped" } else { "" };
        format!("[{times}{rate}{stopped}]")
    }

    fn postfix(&self) -> String {
        let values: Vec<String> = self.postfix.iter().map(|(name, value)| format!("{name} {value}")).collect();
        values.join(", ")
    }

    fn label(&self) -> String {
        if self.description.is_empty() { String::new() } else { format!("{}:", self.description) }
    }
}

/// A line for each bar, one below the other.
pub(super) fn text(views: &[View]) -> String {
    let labels: Vec<String> = views.iter().map(View::label).collect();
    let widest = labels.iter().map(|label| label.width()).max().unwrap_or_default();
    let lines = views.iter().zip(&labels).map(|(view, label)| {
        let label = padded(label, widest);
        let bar = view.percent().zip(view.share()).map(|(percent, share)| format!("{percent}|{}|", cells(share)));
        let parts = [label, bar.unwrap_or_default(), view.count(), view.pace(), view.postfix()];
        parts.into_iter().filter(|part| !part.trim().is_empty()).collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn cells(share: f64) -> String {
    let eighths = (share * 8.0 * CELLS as f64).floor() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if eighths < 8 * CELLS {
        bar.push(EIGHTHS[eighths % 8]);
        bar.push_str(&" ".repeat(CELLS - 1 - eighths / 8));
    }
    bar
}

/// The same for a page. The colors stand out on white and on black, and the letters have the page's own.
pub(super) fn html(views: &[View]) -> String {
    let widest = views.iter().map(|view| view.label().width()).max().unwrap_or_default();
    views.iter().map(|view| row(view, widest)).collect()
}

fn row(view: &View, widest: usize) -> String {
    let color = match view.ending {
        Some(Ending::Complete) => COMPLETE,
        Some(Ending::Stopped) => STOPPED,
        Some(Ending::Settled) | None => RUNNING,
    };
    let mut html = "<div style=\"display: flex; align-items: center; gap: 0.8em; font-family: monospace; white-space: \
                    pre-wrap; line-height: 1.5\">"
        .to_owned();
    if widest > 0 {
        html += &format!("<span style=\"flex: none; min-width: {widest}ch\">{}</span>", escape_html(&view.label()));
    }
    if let (Some(share), Some(percent)) = (view.share(), view.percent()) {
        html += &format!(
            "<span style=\"flex: none\">{percent}</span><div style=\"flex: none; width: 200px; height: 0.9em; background: rgba(128, 128, 128, \
             0.3); border-radius: 3px; overflow: hidden\"><div style=\"width: {:.1}%; height: 100%; background: \
             {color}\"></div></div>",
            share * 100.0
        );
    }
    let details = [view.count(), view.pace(), view.postfix()];
    let details: Vec<_> = details.iter().filter(|part| !part.is_empty()).map(|part| escape_html(part)).collect();
    html += &format!("<span>{}</span></div>", details.join(" "));
    html
}

/// A duration as one reads it off a clock, with parts of a second while it is short.
fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.995 {
        return format!("{seconds:.2} s");
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// Items a second, or seconds an item where those are few.
fn speed(rate: f64, unit: &str) -> String {
    const STEPS: [(f64, &str); 4] = [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")];
    if rate < 1.0 {
        return format!("{}/{unit}", clock(Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX)));
    }
    let (step, prefix) = STEPS.into_iter().find(|(step, _)| rate >= *step).unwrap_or((1.0, ""));
    let scaled = rate / step;
    let digits = if scaled < 10.0 {
        2
    } else if scaled < 100.0 {
        1
    } else {
        0
    };
    format!("{scaled:.digits$}{prefix} {unit}/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        View {
            description: "train".into(),
            unit: "it".into(),
            done: 45,
            total: Some(100),
            elapsed: Duration::from_secs(75),
            rate: Some(0.6),
            remaining: Some(Duration::from_secs(92)),
            ending: None,
            postfix: vec![("loss".into(), "0.5".into()), ("device".into(), "<cpu>".into())],
        }
    }

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        assert_eq!(
            text(&[view()]),
            "train:  45 %|█████████           | 45/100 [1:15 < 1:32, 1.7 s/it] loss 0.5, device <cpu>"
        );
        let ended = View { done: 100, ending: Some(Ending::Complete), remaining: None, postfix: vec![], ..view() };
        assert_eq!(text(&[ended]), "train: 100 %|████████████████████| 100/100 [1:15, 1.7 s/it]");
        let stopped = View { ending: Some(Ending::Stopped), remaining: None, description: String::new(), ..view() };
        assert!(text(&[stopped]).starts_with(" 45 %|"));
        let unknown = View { total: None, remaining: None, rate: None, postfix: vec![], ..view() };
        assert_eq!(text(&[unknown]), "train: 45 it [1:15]");
        let begun = View { rate: None, remaining: None, done: 0, elapsed: Duration::ZERO, postfix: vec![], ..view() };
        assert_eq!(text(&[begun]), "train:   0 %|                    | 0/100 [0.00 s < ?]");
    }

    #[test]
    fn labels_of_nested_bars_stand_below_each_other() {
        let inner = View { description: "训练".into(), ..view() };
        let text = text(&[view(), inner]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("train:  45 %|") && lines[1].starts_with("训练:   45 %|"), "{text}");
    }

    #[test]
    fn html_has_the_bar_and_the_same_words() {
        let html = html(&[view()]);
        assert!(
            html.contains("width: 45.0%") && html.contains(RUNNING) && html.contains("device &lt;cpu&gt;"),
            "{html}"
        );
        let stopped = View { ending: Some(Ending::Stopped), total: None, ..view() };
        let html = super::html(&[stopped]);
        assert!(html.contains("stopped") && !html.contains("width: 200px"), "{html}");
    }

    #[test]
    fn a_bar_is_full_only_at_the_end() {
        let nearly = View { done: 9999, total: Some(10_000), ..view() };
        assert_eq!(nearly.percent().as_deref(), Some(" 99 %"));
        assert!(cells(0.9999).ends_with('▉'));
        assert_eq!(cells(1.0).chars().count(), CELLS);
        assert_eq!(cells(0.51).chars().count(), CELLS);
        assert_eq!(View { done: 7, total: Some(5), ..view() }.percent().as_deref(), Some("100 %"));
        assert_eq!(View { done: 0, total: Some(0), ..view() }.percent().as_deref(), Some("100 %"));
    }

    #[test]
    fn durations_are_read_off_a_clock() {
        for (seconds, text) in [
            (0.0, "0.00 s"),
            (0.994, "0.99 s"),
            (0.996, "1.0 s"),
            (9.94, "9.9 s"),
            (9.96, "10 s"),
            (59.4, "59 s"),
            (59.6, "1:00"),
            (3723.0, "1:02:03"),
        ] {
            assert_eq!(clock(Duration::from_secs_f64(seconds)), text);
        }
    }

    #[test]
    fn rates_are_short() {
        for (rate, text) in [
            (3.614, "3.61 it/s"),
            (12.34, "12.3 it/s"),
            (999.0, "999 it/s"),
            (1234.0, "1.23k it/s"),
            (2.5e6, "2.50M it/s"),
        ] {
            assert_eq!(speed(rate, "it"), text);
        }
        assert_eq!(speed(0.4, "batch"), "2.5 s/batch");
        assert_eq!(speed(1e-300, "it"), format!("{}/it", clock(Duration::MAX)));
    }
}
