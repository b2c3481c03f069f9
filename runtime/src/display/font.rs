//! The fonts in which pictures and plots are labelled, shipped with the runtime: a server may have none.
//!
//! Latin, Greek, Cyrillic and mathematical signs are DejaVu Sans; the common Chinese characters, simplified and
//! traditional, and the Japanese syllables are Droid Sans Fallback. For what neither has, the fonts of the machine are
//! searched, and what none of these has either is drawn as a box.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Once};

use flate2::read::GzDecoder;
use plotters::style::{FontStyle, register_font};
use ttf_parser::{Face, GlyphId};

static FILE: &[u8] = include_bytes!("../../data/DejaVuSans-subset.ttf");
static CHINESE: &[u8] = include_bytes!("../../data/DroidSansFallback-subset.ttf.gz");

static LATIN_FACE: LazyLock<Vec<Typeface>> = LazyLock::new(|| Typeface::read(FILE).into_iter().collect());
static CHINESE_FACE: LazyLock<Vec<Typeface>> = LazyLock::new(|| {
    let mut data = Vec::new();
    let unpacked = GzDecoder::new(CHINESE).read_to_end(&mut data);
    unpacked.ok().and_then(|_| Typeface::read(data.leak())).into_iter().collect()
});
static MACHINE_FACES: LazyLock<Vec<Typeface>> = LazyLock::new(faces_of_the_machine);

/// Fonts with many characters, as their files are called on the systems that come with them.
const KNOWN_FILES: [&str; 16] = [
    "notosanscjk",
    "sourcehansans",
    "notosanssc",
    "wqy",
    "droidsansfallback",
    "pingfang",
    "hiragino",
    "stheiti",
    "arialuni",
    "arial unicode",
    "nanumgothic",
    "applesdgothic",
    "dejavusans.ttf",
    "unifont",
    "freesans.ttf",
    "notosans-regular",
];
/// In the names of files whose letters are not the regular ones.
const OTHER_STYLES: [&str; 9] = ["bold", "black", "heavy", "medium", "light", "thin", "italic", "oblique", "mono"];
/// Each may hold megabytes.
const MOST_FILES: usize = 6;

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

/// One font, which lives as long as the process.
pub(crate) struct Typeface {
    pub(crate) data: &'static [u8],
    pub(crate) face: Face<'static>,
}

impl Typeface {
    fn read(data: &'static [u8]) -> Option<Self> {
        Face::parse(data, 0).ok().map(|face| Self { data, face })
    }

    /// How far a glyph moves the pen, in parts of the font's size.
    pub(crate) fn advance(&self, glyph: GlyphId) -> f64 {
        let units = f64::from(self.face.units_per_em());
        f64::from(self.face.glyph_hor_advance(glyph).unwrap_or(0)) / units
    }
}

/// The font of a character, and its glyph there.
pub(crate) fn glyph(char: char) -> Option<(&'static Typeface, GlyphId)> {
    let char = if char.is_whitespace() || char.is_control() { ' ' } else { char };
    let shipped = within(&LATIN_FACE, char).or_else(|| within(&CHINESE_FACE, char));
    let found = shipped.or_else(|| within(&MACHINE_FACES, char));
    found.or_else(|| within(&LATIN_FACE, '\u{25a1}'))
}

/// How wide a line of text is at a font size of 1.
pub(crate) fn width(text: &str) -> f64 {
    text.chars().filter_map(glyph).map(|(face, glyph)| face.advance(glyph)).sum()
}

fn within(faces: &'static [Typeface], char: char) -> Option<(&'static Typeface, GlyphId)> {
    faces.iter().find_map(|face| Some((face, face.face.glyph_index(char)?)))
}

fn faces_of_the_machine() -> Vec<Typeface> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let folders = [
        home.join(".fonts"),
        home.join(".local/share/fonts"),
        home.join("Library/Fonts"),
        "/usr/share/fonts".into(),
        "/usr/local/share/fonts".into(),
        "/Library/Fonts".into(),
        "/System/Library/Fonts".into(),
    ];
    let mut files = Vec::new();
    for folder in folders {
        known_files(&folder, 4, &mut files);
    }
    files.sort();
    let paths = files.into_iter().take(MOST_FILES).map(|(_, path)| path);
    paths.filter_map(|path| fs::read(path).ok()).filter_map(|data| Typeface::read(data.leak())).collect()
}

/// The known fonts below a folder, each with its place in the list of them.
fn known_files(folder: &Path, depth: usize, files: &mut Vec<(usize, PathBuf)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if path.is_dir() {
            if depth > 0 {
                known_files(&path, depth - 1, files);
            }
        } else if let Some(place) = KNOWN_FILES.iter().position(|known| name.starts_with(known))
            && !OTHER_STYLES.iter().any(|style| name.contains(style))
        {
            files.push((place, path));
        }
    }
}

#[cfg(test)]
mod tests {
    use plotters::style::{FontDesc, FontFamily, FontStyle};

    use super::*;

    #[test]
    fn text_has_a_width_without_fonts_on_the_machine() {
        register();
        let width = |text: &str| {
            let font = FontDesc::new(FontFamily::SansSerif, 12.0, FontStyle::Bold);
            font.box_size(text).expect("the font is known").0
        };
        assert!(width("épochs → ∞") > width("épochs"));
    }

    #[test]
    fn latin_and_chinese_come_from_the_shipped_fonts() {
        for char in "aÉωЖ∑→".chars() {
            assert!(within(&LATIN_FACE, char).is_some(), "{char}");
        }
        for char in "训练损失准确率混淆矩阵訓練損失學習率エポックひらがな，。（）".chars()
        {
            assert!(within(&CHINESE_FACE, char).is_some(), "{char}");
        }
        assert!((width("训练") - 2.0).abs() < 1e-9, "Chinese characters are as wide as high");
    }

    #[test]
    fn a_character_that_no_font_has_is_a_box() {
        let unassigned = '\u{e123}';
        let drawn = within(&MACHINE_FACES, unassigned).or_else(|| glyph('□')).map(|(_, glyph)| glyph);
        assert_eq!(glyph(unassigned).map(|(_, glyph)| glyph), drawn);
        assert!(width("\u{e123}") > 0.3);
        assert_eq!(width("a\nb"), width("a b"));
    }

    #[test]
    fn known_fonts_are_found_below_a_folder_in_their_order() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(folder.path().join("truetype/noto")).expect("creates");
        for file in
            ["truetype/noto/NotoSansCJK-Regular.ttc", "truetype/wqy-microhei.ttc", "NotoSansCJK-Bold.ttc", "other.ttf"]
        {
            fs::write(folder.path().join(file), b"no font").expect("writes");
        }
        let mut files = Vec::new();
        known_files(folder.path(), 4, &mut files);
        files.sort();
        let names: Vec<_> = files.iter().filter_map(|(_, path)| path.file_name()).collect();
        assert_eq!(names, ["NotoSansCJK-Regular.ttc", "wqy-microhei.ttc"]);
        assert!(Typeface::read(b"no font").is_none());
    }
}
