//! What all pages have in common: one file that loads nothing, runs nothing, and reads well in light, dark and print.

pub(super) mod charts;
pub(super) mod notebook;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::text::{one_line, visible};
use crate::results::Verdict;

const STYLE: &str = include_str!("style.css");

/// A page with a title and what stands below it.
pub(super) fn page(title: &str, body: Markup) -> String {
    let title = one_line(title);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                (body)
            }
        }
    };
    page.into_string()
}

/// The page may have this style and pictures that are in it. Were a student's text ever not escaped, it could still
/// neither run, load nor send anything.
fn policy() -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; form-action 'none'")
}

/// A text with its lines.
pub(super) fn lines(text: &str) -> Markup {
    html! { pre { (visible(text)) } }
}

/// An answer beside how it is marked.
pub(super) fn beside(heading: &str, answer: &str, rubric: Option<&str>) -> Markup {
    html! {
        div.beside {
            div { h4 { (heading) } (lines(answer)) }
            @if let Some(rubric) = rubric { div { h4 { "how it is marked" } (lines(rubric)) } }
        }
    }
}

/// A verdict in its color.
pub(super) fn verdict(verdict: Verdict) -> Markup {
    html! { span class={ "verdict " (class_of(verdict)) } { (verdict.name()) } }
}

/// What the style calls a verdict.
pub(super) fn class_of(verdict: Verdict) -> String {
    verdict.name().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_allows_its_own_style_and_no_script() {
        let page = page("<script>\u{202e}", html! {});
        assert!(page.contains("<h1>&lt;script&gt;\\u{202e}</h1>"), "{page}");
        let policy = policy();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe") && !policy.contains("script"));
        // The hash is that of what stands between the tags.
        let style =
            page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).map(|(style, _)| style);
        assert_eq!(style, Some(STYLE));
    }

    #[test]
    fn every_verdict_has_a_color() {
        for verdict in Verdict::ALL {
            assert!(STYLE.contains(&format!(".{} ", class_of(verdict))), "{verdict}");
        }
    }
}
