//! Charts of a class, as SVG within a page.

use maud::{Markup, html};

use super::class_of;
use crate::points::Points;
use crate::results::Verdict;

/// How many bars a histogram has.
const BARS: usize = 10;

/// How often each verdict was given, in the order of [`Verdict::ALL`], without those that were not.
pub(in super::super) fn counts(verdicts: impl Iterator<Item = Verdict> + Clone) -> Vec<(Verdict, usize)> {
    let count = |verdict| verdicts.clone().filter(|other| *other == verdict).count();
    let counts = Verdict::ALL.into_iter().map(|verdict| (verdict, count(verdict)));
    counts.filter(|(_, count)| *count > 0).collect()
}

/// One bar that is divided as verdicts were given.
pub(in super::super) fn shares(counts: &[(Verdict, usize)]) -> Markup {
    let total: usize = counts.iter().map(|(_, count)| count).sum();
    let width = |count: usize| 100.0 * count as f64 / total as f64;
    let parts = counts.iter().scan(0, |before, (verdict, count)| {
        let left = width(*before);
        *before += count;
        Some((*verdict, *count, left))
    });
    html! {
        svg.shares viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-hidden="true" {
            @for (verdict, count, left) in parts {
                rect class=(class_of(verdict)) x=(left) y="0" width=(width(count)) height="6" {
                    title { (count) " " (verdict.name()) }
                }
            }
        }
    }
}

/// How many values fall into each tenth of the range from 0 to `most`.
fn bars(values: &[f64], most: f64) -> [usize; BARS] {
    let mut bars = [0; BARS];
    for value in values {
        // The cast takes what is below 0 or no number for 0.
        let bar = (value / most * BARS as f64) as usize;
        bars[bar.min(BARS - 1)] += 1;
    }
    bars
}

/// How many values fall into each tenth of the range from 0 to `most`, as a chart.
pub(in super::super) fn histogram(values: &[f64], most: f64) -> Markup {
    const BASE: f64 = 180.0;
    const HIGHEST: f64 = 150.0;
    const WIDTH: f64 = 60.0;
    let bars = bars(values, most);
    let tallest = bars.into_iter().max().unwrap_or_default().max(1);
    let height = |count: usize| HIGHEST * count as f64 / tallest as f64;
    let left = |bar: usize| WIDTH * bar as f64 + 10.0;
    html! {
        svg.histogram viewBox="0 0 620 210" role="img" {
            title { "How many students have which mark" }
            @for (bar, count) in bars.into_iter().enumerate() {
                rect.bar x=(left(bar) + 2.0) y=(BASE - height(count)) width=(WIDTH - 4.0) height=(height(count)) {}
                @if count > 0 {
                    text x=(left(bar) + WIDTH / 2.0) y=(BASE - height(count) - 6.0) text-anchor="middle" { (count) }
                }
            }
            line.axis x1="10" y1=(BASE) x2=(left(BARS)) y2=(BASE) {}
            @for bar in 0..=BARS {
                text.faint x=(left(bar)) y="200" text-anchor="middle" {
                    (Points(most * bar as f64 / BARS as f64))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_begins_with_its_lower_end_and_the_last_has_both() {
        assert_eq!(bars(&[0.0, 0.9, 1.0, 5.0, 9.9, 10.0], 10.0), [2, 1, 0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(bars(&[12.0, -1.0], 10.0), [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        let chart = histogram(&[1.0, 1.0, 7.0], 10.0).into_string();
        assert_eq!(chart.matches("<rect").count(), BARS);
        assert!(chart.contains("height=\"150\"") && chart.contains("height=\"75\"") && chart.contains(">10</text>"));
        // Nobody has handed in anything, or nothing is worth points.
        assert!(!histogram(&[], 0.0).into_string().contains("NaN"));
        assert!(!histogram(&[0.0], 0.0).into_string().contains("NaN"));
    }

    #[test]
    fn verdicts_share_a_bar_as_often_as_they_were_given() {
        let verdicts = [Verdict::Fail, Verdict::Pass, Verdict::Pass, Verdict::Manual];
        let counts = counts(verdicts.into_iter());
        assert_eq!(counts, [(Verdict::Pass, 2), (Verdict::Fail, 1), (Verdict::Manual, 1)]);
        let bar = shares(&counts).into_string();
        assert!(bar.contains("class=\"pass\" x=\"0\" y=\"0\" width=\"50\""), "{bar}");
        assert!(bar.contains("class=\"fail\" x=\"50\" y=\"0\" width=\"25\""), "{bar}");
        assert!(bar.contains("class=\"manual\" x=\"75\" y=\"0\" width=\"25\""), "{bar}");
    }
}
