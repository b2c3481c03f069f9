//! The colors of the page that figures are drawn on.

use std::sync::atomic::{AtomicBool, Ordering};

use super::scene::{self, Ink, Rect, Scene, Shape, Stroke};

/// What figures that choose no theme have.
static IS_DARK: AtomicBool = AtomicBool::new(false);

/// How dark the page of the dark theme is, as JupyterLab's is.
const DARK_PAGE: f64 = 17.0;

/// The colors of page, text and lines. Those of the data are the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Theme {
    /// Dark text on a white page.
    #[default]
    Light,
    /// Light text on a nearly black page, for notebooks in a dark theme.
    Dark,
}

/// Sets the theme of all figures that choose none by [`Figure::theme`](super::Figure::theme), from now on.
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::plot::{self, Theme};
/// plot::theme(Theme::Dark);
/// let figure = Figure::new().line("loss", &[3.0, 1.0]);
/// assert!(figure.svg()?.contains("fill=\"#111111\""));
/// plot::theme(Theme::Light);
/// assert!(!figure.svg()?.contains("fill=\"#111111\""));
/// # anyhow::Ok(())
/// ```
pub fn theme(theme: Theme) {
    IS_DARK.store(theme == Theme::Dark, Ordering::Relaxed);
}

impl Theme {
    pub(super) fn usual() -> Self {
        if IS_DARK.load(Ordering::Relaxed) { Self::Dark } else { Self::Light }
    }

    /// What a color is in this theme. Dark becomes light and light dark, in the same hue.
    pub(super) fn ink(self, ink: Ink) -> Ink {
        if self == Self::Light || !ink.is_page {
            return ink;
        }
        let [low, high] = [ink.rgb.iter().min(), ink.rgb.iter().max()].map(|value| f64::from(*value.unwrap_or(&0)));
        let turned = |value: u8| f64::from(value) + 255.0 - low - high;
        let rgb = ink.rgb.map(|value| (DARK_PAGE + turned(value) * (255.0 - DARK_PAGE) / 255.0).round() as u8);
        Ink { rgb, ..ink }
    }

    /// The shapes on their page.
    pub(super) fn scene(self, (width, height): (u32, u32), mut shapes: Vec<Shape>) -> Scene {
        if self != Self::Light {
            shapes.iter_mut().for_each(|shape| self.color(shape));
            let at = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
            shapes.insert(0, Shape::Rect { at, ink: self.ink(Ink::WHITE) });
        }
        scene::scene((width, height), shapes)
    }

    fn color(self, shape: &mut Shape) {
        match shape {
            Shape::Rect { ink, .. }
            | Shape::Area { ink, .. }
            | Shape::Dot { ink, .. }
            | Shape::Line { stroke: Stroke { ink, .. }, .. } => *ink = self.ink(*ink),
            Shape::Text(text) => text.ink = self.ink(text.ink),
            Shape::Picture { .. } => {}
            Shape::Clipped { shapes, .. } => shapes.iter_mut().for_each(|shape| self.color(shape)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::colors::of_class;
    use super::super::{Figure, Figures};
    use super::*;

    /// By WCAG 2: from 1 for the same color to 21 for black on white.
    fn contrast(one: Ink, other: Ink) -> f64 {
        let linear = |value: u8| match f64::from(value) / 255.0 {
            value if value <= 0.04045 => value / 12.92,
            value => ((value + 0.055) / 1.055).powf(2.4),
        };
        let luminance = |ink: Ink| {
            let [red, green, blue] = ink.rgb.map(linear);
            0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05
        };
        let (one, other) = (luminance(one), luminance(other));
        one.max(other) / one.min(other)
    }

    fn texts(shapes: &[Shape]) -> Vec<(String, Ink)> {
        let inner = |shape: &Shape| match shape {
            Shape::Text(text) => vec![(text.text.clone(), text.ink)],
            Shape::Clipped { shapes, .. } => texts(shapes),
            _ => Vec::new(),
        };
        shapes.iter().flat_map(inner).collect()
    }

    fn figure() -> Figure {
        let figure = Figure::new().title("Training").x_label("epoch").line("train", &[3.0, f64::NAN, 1.0]);
        figure.hline("baseline", 2.0).note(1.0, 1.0, "best")
    }

    #[test]
    fn all_text_can_be_read_in_both_themes() {
        for theme in [Theme::Light, Theme::Dark] {
            let page = theme.ink(Ink::WHITE);
            let scene = figure().theme(theme).scene().expect("draws");
            let texts = texts(&scene.shapes);
            assert!(texts.len() > 8, "{texts:?}");
            for (text, ink) in texts {
                assert!(contrast(ink, page) >= 4.5, "{text} {ink:?} on {page:?}: {}", contrast(ink, page));
            }
        }
    }

    #[test]
    fn all_series_can_be_seen_on_a_dark_page() {
        let page = Theme::Dark.ink(Ink::WHITE);
        for class in 0..10 {
            assert!(contrast(of_class(class), page) >= 3.0, "{class}: {}", contrast(of_class(class), page));
        }
        let grid = contrast(Theme::Dark.ink(Ink::GRID), page);
        assert!((1.1..2.0).contains(&grid), "{grid}");
    }

    #[test]
    fn letters_on_data_stay_as_they_are() {
        let figure = Figure::new().heat_map(&[[0.0, 1.0]]).annotate();
        let inks = |theme| {
            let scene = figure.clone().theme(theme).scene().expect("draws");
            let on_cells = texts(&scene.shapes).into_iter().filter(|(_, ink)| !ink.is_page);
            on_cells.collect::<Vec<_>>()
        };
        assert_eq!(inks(Theme::Light), inks(Theme::Dark));
        assert_eq!(inks(Theme::Dark).len(), 2);
    }

    #[test]
    fn a_dark_page_is_dark_in_each_format_and_side_by_side() {
        let dark = || figure().theme(Theme::Dark);
        for png in
            [dark().png(), Figures::row([dark(), figure()]).png(), Figures::row([figure()]).theme(Theme::Dark).png()]
        {
            let image = image::load_from_memory(&png.expect("draws")).expect("a PNG").to_rgb8();
            assert_eq!(image.get_pixel(1, 1).0, [17, 17, 17]);
        }
        assert!(dark().svg().expect("draws").contains("fill=\"#111111\""));
        assert_eq!(figure().scene().expect("draws").shapes.len() + 1, dark().scene().expect("draws").shapes.len());
    }
}
