//! Rich output: MIME bundles, and sending them to the frontend while a cell runs.
//!
//! A type says how it looks by implementing [`RichDisplay`]. The value of a cell's last expression is then shown that
//! way, and [`display`] shows it at any other place:
//!
//! ```
//! use oxtorch::prelude::*;
//!
//! struct Accuracy(f64);
//!
//! impl RichDisplay for Accuracy {
//!     fn mime_bundle(&self) -> MimeBundle {
//!         MimeBundle::html(format!("<b>{:.1} %</b> correct", 100.0 * self.0))
//!             .with("text/plain", format!("{:.1} % correct", 100.0 * self.0))
//!     }
//! }
//!
//! let shown = display(&Accuracy(0.5));
//! shown.update(&Accuracy(0.97)); // in place of the first
//! ```

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use oxtorch_protocol::{Display, DisplayKind, FromHost};
use serde_json::{Map, Value, json};

use crate::host::channel;

pub mod animation;
mod confusion;
pub mod font;
mod history;
pub(crate) mod live;
pub(crate) mod network;
pub mod picture;
pub(crate) mod player;
pub mod progress;
pub mod table;
pub mod tensor;
mod tensors;

pub use tensors::HoldsTensors;

const TEXT: &str = "text/plain";

/// One value in several formats, of which a frontend shows the richest that it can: MIME type to data.
///
/// Every bundle but the [`empty`](MimeBundle::empty) one holds `text/plain`. Binary formats are kept in base64, as the
/// Jupyter protocol asks.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use = "a bundle is shown if the cell ends with it; elsewhere write `display(&bundle)`"]
pub struct MimeBundle {
    data: Map<String, Value>,
    metadata: Map<String, Value>,
}

impl MimeBundle {
    /// A bundle that shows nothing.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::empty().with(TEXT, text.into())
    }

    /// HTML, with its length in place of a plain text; give a better one by `.with("text/plain", ...)`.
    pub fn html(html: impl Into<String>) -> Self {
        let html = html.into();
        Self::text(format!("<HTML, {} bytes>", html.len())).with("text/html", html)
    }

    /// Markdown; its source is the plain text.
    pub fn markdown(markdown: impl Into<String>) -> Self {
        let markdown = markdown.into();
        Self::text(markdown.clone()).with("text/markdown", markdown)
    }

    /// LaTeX, with the dollar signs of a formula (`$\alpha$`); its source is the plain text.
    pub fn latex(latex: impl Into<String>) -> Self {
        let latex = latex.into();
        Self::text(latex.clone()).with("text/latex", latex)
    }

    /// The bytes of a PNG file.
    pub fn png(png: &[u8]) -> Self {
        Self::text("<PNG image>").with_png(png)
    }

    /// Adds the bytes of a PNG file.
    pub(crate) fn with_png(self, png: &[u8]) -> Self {
        self.with("image/png", BASE64.encode(png))
    }

    /// An SVG document.
    pub fn svg(svg: impl Into<String>) -> Self {
        Self::text("<SVG image>").with("image/svg+xml", svg.into())
    }

    /// JSON, which a frontend shows as a tree; the plain text is the same, indented.
    pub fn json(json: impl Into<Value>) -> Self {
        let json = json.into();
        Self::text(format!("{json:#}")).with("application/json", json)
    }

    /// A Vega-Lite chart: its specification as JSON, with its title or description in place of a plain text.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let spec = json!({
    ///     "title": "Accuracy",
    ///     "data": { "values": [{ "epoch": 1, "accuracy": 0.81 }, { "epoch": 2, "accuracy": 0.93 }] },
    ///     "mark": "line",
    ///     "encoding": { "x": { "field": "epoch" }, "y": { "field": "accuracy", "type": "quantitative" } }
    /// });
    /// display(&MimeBundle::vega_lite(spec));
    /// ```
    pub fn vega_lite(spec: impl Into<Value>) -> Self {
        let spec = spec.into();
        let title = [&spec["title"], &spec["title"]["text"], &spec["description"]].into_iter().find_map(Value::as_str);
        Self::text(titled("Vega-Lite chart", title)).with("application/vnd.vegalite.v5+json", spec)
    }

    /// A Plotly figure: `{"data": [...], "layout": {...}}` as JSON, with its title in place of a plain text.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let figure = json!({ "data": [{ "type": "bar", "x": ["cat", "dog"], "y": [12, 30] }], "layout": {} });
    /// display(&MimeBundle::plotly(figure));
    /// ```
    pub fn plotly(figure: impl Into<Value>) -> Self {
        let figure = figure.into();
        let title = &figure["layout"]["title"];
        let title = [title, &title["text"]].into_iter().find_map(Value::as_str);
        Self::text(titled("Plotly figure", title)).with("application/vnd.plotly.v1+json", figure)
    }

    /// Adds a format, or replaces the data of one.
    pub fn with(mut self, mime: impl Into<String>, data: impl Into<Value>) -> Self {
        self.data.insert(mime.into(), data.into());
        if !self.data.contains_key(TEXT) {
            let kinds: Vec<_> = self.data.keys().map(String::as_str).collect();
            let text = format!("<{}>", kinds.join(", "));
            self.data.insert(TEXT.to_owned(), text.into());
        }
        self
    }

    /// Says how large a frontend should show the image of this type, in CSS pixels.
    pub fn with_size(mut self, mime: impl Into<String>, width: u32, height: u32) -> Self {
        self.metadata.insert(mime.into(), json!({ "width": width, "height": height }));
        self
    }

    /// The data of one format.
    pub fn get(&self, mime: &str) -> Option<&Value> {
        self.data.get(mime)
    }

    /// The plain text; empty for the empty bundle.
    pub fn plain(&self) -> &str {
        self.get(TEXT).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Data and metadata, by MIME type.
    pub fn into_parts(self) -> (Map<String, Value>, Map<String, Value>) {
        (self.data, self.metadata)
    }
}

fn titled(what: &str, title: Option<&str>) -> String {
    title.map_or_else(|| format!("<{what}>"), |title| format!("<{what}: {title}>"))
}

/// Text as it stands in HTML, also within a quoted attribute.
pub(crate) fn escape_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            char => html.push(char),
        }
    }
    html
}

/// A type with a display of its own: a picture, HTML, a formula...
///
/// Implement it for your own types; the value of a cell's last expression and [`display`] both use it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no display of its own",
    note = "`impl RichDisplay for {Self}` says how it looks; `MimeBundle::text(..)` is plain text"
)]
pub trait RichDisplay {
    /// The value in every format that it has.
    fn mime_bundle(&self) -> MimeBundle;
}

/// Has the `Debug` form of a type be the text that it is shown as.
macro_rules! debug_as_shown {
    ($ty:ty) => {
        impl ::std::fmt::Debug for $ty {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.mime_bundle().plain())
            }
        }
    };
}
pub(crate) use debug_as_shown;

impl RichDisplay for MimeBundle {
    fn mime_bundle(&self) -> MimeBundle {
        self.clone()
    }
}

impl<T: RichDisplay + ?Sized> RichDisplay for &T {
    fn mime_bundle(&self) -> MimeBundle {
        (**self).mime_bundle()
    }
}

impl<T: RichDisplay + ?Sized> RichDisplay for Box<T> {
    fn mime_bundle(&self) -> MimeBundle {
        (**self).mime_bundle()
    }
}

/// So that a cell may end with `image(&x)` as well as with `image(&x)?`.
impl<T: RichDisplay, E: Debug> RichDisplay for Result<T, E> {
    fn mime_bundle(&self) -> MimeBundle {
        match self {
            Ok(value) => value.mime_bundle(),
            Err(error) => MimeBundle::text(format!("Err({error:?})")),
        }
    }
}

/// HTML, shown as such: `display(&Html("<h3>Epoch 3</h3>"))`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "HTML is shown if the cell ends with it; elsewhere write `display(&html)`"]
pub struct Html<S: AsRef<str>>(pub S);

/// Markdown, shown as such: `display(&Markdown("**done**"))`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "Markdown is shown if the cell ends with it; elsewhere write `display(&markdown)`"]
pub struct Markdown<S: AsRef<str>>(pub S);

/// LaTeX, shown as such: `display(&Latex(r"$\nabla_\theta L$"))`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "LaTeX is shown if the cell ends with it; elsewhere write `display(&latex)`"]
pub struct Latex<S: AsRef<str>>(pub S);

macro_rules! shown_as {
    ($($ty:ident $bundle:ident),*) => {
        $(impl<S: AsRef<str>> RichDisplay for $ty<S> {
            fn mime_bundle(&self) -> MimeBundle {
                MimeBundle::$bundle(self.0.as_ref())
            }
        })*
    };
}

shown_as!(Html html, Markdown markdown, Latex latex);

/// What [`display`] takes: every [`RichDisplay`] type, and strings. In a cell it takes all other values as well, which
/// are shown as a cell's result is: the kernel sees to that.
///
/// Strings are no `RichDisplay` types, so that a cell that ends with one shows it with its quotes, as Rust's `Debug`
/// does.
pub trait Displayable {
    /// The value in every format that it has.
    fn to_bundle(&self) -> MimeBundle;
}

impl<T: RichDisplay + ?Sized> Displayable for T {
    fn to_bundle(&self) -> MimeBundle {
        self.mime_bundle()
    }
}

macro_rules! shown_as_text {
    ($($ty:ty),*) => {
        $(impl Displayable for $ty {
            fn to_bundle(&self) -> MimeBundle {
                MimeBundle::text(&self[..])
            }
        })*
    };
}

shown_as_text!(str, &str, String);

/// A display on the screen, which can be replaced by another.
///
/// It shows nothing itself, so a cell may end with `display(&value)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayHandle {
    id: String,
}

impl DisplayHandle {
    /// Puts `value` in the place of what this display shows.
    pub fn update(&self, value: &(impl Displayable + ?Sized)) {
        update_display(&self.id, value);
    }

    /// The name for [`update_display`].
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl RichDisplay for DisplayHandle {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::empty()
    }
}

/// Shows `value` in the output of the running cell: any value that a cell may end with.
///
/// ```
/// use oxtorch::prelude::*;
/// display("training...");
/// display(&Tensor::from_slice(&[1.0f32, 2.5]));
/// ```
pub fn display(value: &(impl Displayable + ?Sized)) -> DisplayHandle {
    show(value.to_bundle(), DisplayKind::Data, new_id())
}

/// Shows `value` under a name of your own choice, for [`update_display`] from anywhere, also from another cell.
pub fn display_with_id(id: &str, value: &(impl Displayable + ?Sized)) -> DisplayHandle {
    show(value.to_bundle(), DisplayKind::Data, id.to_owned())
}

/// Puts `value` in the place of every display of that name. Does nothing where there is none.
pub fn update_display(id: &str, value: &(impl Displayable + ?Sized)) {
    show(value.to_bundle(), DisplayKind::Update, id.to_owned());
}

/// Removes the output of the running cell; with `wait` only when the next output comes, which avoids a flicker.
pub fn clear_output(wait: bool) {
    channel::send(&FromHost::ClearOutput { wait });
}

fn show(bundle: MimeBundle, kind: DisplayKind, id: String) -> DisplayHandle {
    // An empty display would take a line of the screen; an empty update is how one is removed.
    if !bundle.is_empty() || kind == DisplayKind::Update {
        let (data, metadata) = bundle.into_parts();
        channel::send(&FromHost::Display(Display { kind, data, metadata, display_id: Some(id.clone()) }));
    }
    DisplayHandle { id }
}

/// An id that no display or comm of this notebook has had, also not before a restart: old outputs are still on the
/// screen.
pub(crate) fn new_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}-{count}", rand::random::<u64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundle_has_plain_text() {
        for bundle in [
            MimeBundle::text("a"),
            MimeBundle::html("<b>a</b>"),
            MimeBundle::markdown("*a*"),
            MimeBundle::latex("$a$"),
            MimeBundle::png(b"a"),
            MimeBundle::svg("<svg/>"),
            MimeBundle::json(json!({ "a": 1 })),
            MimeBundle::vega_lite(json!({ "mark": "bar" })),
            MimeBundle::plotly(json!({ "data": [] })),
            MimeBundle::empty().with("application/x-own", "a"),
        ] {
            assert!(!bundle.plain().is_empty(), "{bundle:?}");
        }
    }

    #[test]
    fn a_plain_text_of_ones_own_replaces_the_default() {
        let bundle = MimeBundle::html("<b>a</b>").with(TEXT, "a");
        assert_eq!(bundle.plain(), "a");
        assert_eq!(bundle.get("text/html"), Some(&json!("<b>a</b>")));
    }

    #[test]
    fn a_chart_is_told_by_its_title() {
        for (bundle, plain) in [
            (MimeBundle::vega_lite(json!({ "title": "Loss" })), "<Vega-Lite chart: Loss>"),
            (MimeBundle::vega_lite(json!({ "title": { "text": "Loss" } })), "<Vega-Lite chart: Loss>"),
            (MimeBundle::vega_lite(json!({ "description": "d" })), "<Vega-Lite chart: d>"),
            (MimeBundle::vega_lite(json!([])), "<Vega-Lite chart>"),
            (MimeBundle::plotly(json!({ "layout": { "title": { "text": "Loss" } } })), "<Plotly figure: Loss>"),
        ] {
            assert_eq!(bundle.plain(), plain);
        }
        let spec = json!({ "mark": "bar" });
        assert_eq!(MimeBundle::vega_lite(spec.clone()).get("application/vnd.vegalite.v5+json"), Some(&spec));
    }

    #[test]
    fn text_in_html_is_escaped() {
        assert_eq!(escape_html("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
    }

    #[test]
    fn bytes_travel_in_base64() {
        assert_eq!(MimeBundle::png(&[0x89, b'P', b'N', b'G']).get("image/png"), Some(&json!("iVBORw==")));
    }

    #[test]
    fn rich_display_can_be_a_trait_object() {
        let values: Vec<Box<dyn RichDisplay>> = vec![Box::new(Html("<i>x</i>")), Box::new(Latex("$x$".to_owned()))];
        assert_eq!(values[1].mime_bundle().plain(), "$x$");
        assert_eq!(display(&values[0]).mime_bundle(), MimeBundle::empty());
    }

    #[test]
    fn a_result_is_shown_as_what_it_holds() {
        let ok: Result<Html<&str>, String> = Ok(Html("<i>x</i>"));
        assert_eq!(ok.mime_bundle(), MimeBundle::html("<i>x</i>"));
        let err: Result<Html<&str>, String> = Err("no".to_owned());
        assert_eq!(err.mime_bundle().plain(), "Err(\"no\")");
    }

    #[test]
    fn display_ids_differ() {
        assert_ne!(display("a").id(), display(&"a".to_owned()).id());
        assert_eq!(display_with_id("mine", &"a").id(), "mine");
    }
}
