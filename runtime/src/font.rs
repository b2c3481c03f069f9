//! The font in which pictures and plots are labelled, shipped with the runtime: a server may have none.

use std::sync::Once;

use plotters::style::{FontStyle, register_font};

static FILE: &[u8] = include_bytes!("../data/DejaVuSans-subset.ttf");

/// Makes the shipped font known to plotters, under every generic family name: without one, text is an error there.
///
/// Cells that draw with plotters themselves need it too, so the host calls this at its start.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for family in ["sans-serif", "serif", "monospace"] {
            let known = register_font(family, FontStyle::Normal, FILE);
            assert!(known.is_ok(), "the shipped font is well formed: a test reads it");
        }
    });
}

#[cfg(test)]
mod tests {
    use plotters::style::{FontDesc, FontFamily, FontStyle};

    #[test]
    fn text_has_a_width_without_fonts_on_the_machine() {
        super::register();
        let width = |text: &str| {
            let font = FontDesc::new(FontFamily::SansSerif, 12.0, FontStyle::Bold);
            font.box_size(text).expect("the font is known").0
        };
        assert!(width("épochs → ∞") > width("épochs"));
    }
}
