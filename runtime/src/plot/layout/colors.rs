//! The colors of series, and color maps for values.

use super::super::write::scene::Ink;

/// Told apart also by most people who see colors differently, and in this order.
const SERIES: [Ink; 10] = [
    Ink::new(31, 119, 180),
    Ink::new(255, 127, 14),
    Ink::new(44, 160, 44),
    Ink::new(214, 39, 40),
    Ink::new(148, 103, 189),
    Ink::new(140, 86, 75),
    Ink::new(227, 119, 194),
    Ink::new(23, 162, 184),
    Ink::new(127, 127, 127),
    Ink::new(188, 189, 34),
];

/// The color of a number: of a class, or of the place among the series.
pub(crate) fn of_class(class: usize) -> Ink {
    SERIES[class % SERIES.len()]
}

/// Gives each label its color: the same label, in this figure or one beside it, the same color.
#[derive(Debug, Default)]
pub(in crate::plot) struct Palette {
    labels: Vec<(String, usize)>,
    /// In the figure that is drawn.
    taken: Vec<usize>,
}

impl Palette {
    /// Begins a figure with these labels: what has no label gets none of their colors, and none of the classes' up to
    /// `classes`.
    pub(in crate::plot) fn begin<'a>(&mut self, labels: impl Iterator<Item = &'a str>, classes: usize) {
        let known = labels.filter_map(|label| self.place(label));
        self.taken = known.chain(0..classes).collect();
    }

    pub(in crate::plot) fn color(&mut self, label: &str) -> Ink {
        if let Some(place) = self.place(label) {
            return of_class(place);
        }
        let is_free = |place: &usize| {
            let is_anothers = self.labels.iter().any(|(_, other)| other == place);
            !self.taken.contains(place) && (label.is_empty() || !is_anothers)
        };
        let place = (0..).find(is_free).unwrap_or_default();
        self.taken.push(place);
        if !label.is_empty() {
            self.labels.push((label.to_owned(), place));
        }
        of_class(place)
    }

    fn place(&self, label: &str) -> Option<usize> {
        self.labels.iter().find(|(known, _)| known == label).map(|(_, place)| *place)
    }
}

/// How values become colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ColorMap {
    /// From dark violet over green to yellow, equally bright steps (S. van der Walt and N. Smith, 2015).
    #[default]
    Viridis,
    /// White to dark blue: for shares and counts.
    Blues,
    /// Blue over white to red: for values around a middle, which is 0 where no range is given.
    Diverging,
    /// Black to white.
    Gray,
    /// Black over red and orange to pale yellow.
    Inferno,
}

impl ColorMap {
    /// Colors at equal distances, as 0xRRGGBB, in between which it is linear.
    fn stops(self) -> &'static [u32] {
        match self {
            Self::Viridis => &[
                0x440154, 0x48186a, 0x472d7b, 0x424086, 0x3b528b, 0x33638d, 0x2c728e, 0x26828e, 0x21918c, 0x1fa088,
                0x28ae80, 0x3fbc73, 0x5ec962, 0x84d44b, 0xaddc30, 0xd8e219, 0xfde725,
            ],
            Self::Blues => &[0xf7fbff, 0xdeebf7, 0x9ecae1, 0x4292c6, 0x08519c, 0x08306b],
            Self::Diverging => &[0x2166ac, 0x67a9cf, 0xd1e5f0, 0xf7f7f7, 0xfddbc7, 0xef8a62, 0xb2182b],
            Self::Gray => &[0x000000, 0xffffff],
            Self::Inferno => &[
                0x000004, 0x0b0724, 0x210c4a, 0x3d0965, 0x57106e, 0x71196e, 0x8a226a, 0xa32c61, 0xbc3754, 0xd24644,
                0xe45a31, 0xf1731d, 0xf98e09, 0xfcac11, 0xf9cb35, 0xf2ea69, 0xfcffa4,
            ],
        }
    }

    /// The color of a share of the range, from 0 to 1; grey for NaN.
    pub(in crate::plot) fn color(self, share: f64) -> Ink {
        if share.is_nan() {
            return Ink::new(200, 200, 200);
        }
        let stops = self.stops();
        let place = share.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
        let below = (place as usize).min(stops.len() - 2);
        let part = place - below as f64;
        let (from, to) = (stops[below], stops[below + 1]);
        let [red, green, blue] = std::array::from_fn(|channel| {
            let value = |color: u32| f64::from(color.to_be_bytes()[channel + 1]);
            (value(from) + (value(to) - value(from)) * part).round() as u8
        });
        Ink::new(red, green, blue)
    }

    /// The range of colors for values that lie between `low` and `high`.
    pub(in crate::plot) fn range(self, (low, high): (f64, f64)) -> (f64, f64) {
        match self {
            Self::Diverging => {
                let most = low.abs().max(high.abs());
                if most > 0.0 { (-most, most) } else { (-1.0, 1.0) }
            }
            _ if low < high => (low, high),
            _ => (low - 0.5, low + 0.5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn color_maps_are_those_of_matplotlib() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/plot.json"));
        for (name, map) in [("viridis", ColorMap::Viridis), ("inferno", ColorMap::Inferno), ("gray", ColorMap::Gray)] {
            let expected = reference.numbers(&format!("/colors/{name}"));
            for (index, expected) in expected.chunks(3).enumerate() {
                let color = map.color(index as f64 / 20.0);
                for (actual, expected) in color.rgb.iter().zip(expected) {
                    assert!((f64::from(*actual) - expected).abs() <= 6.0, "{name} {index}: {color:?}, {expected}");
                }
            }
        }
    }

    #[test]
    fn a_diverging_map_has_its_middle_at_zero() {
        assert_eq!(ColorMap::Diverging.range((-1.0, 3.0)), (-3.0, 3.0));
        assert_eq!(ColorMap::Viridis.range((-1.0, 3.0)), (-1.0, 3.0));
        assert_eq!(ColorMap::Viridis.range((2.0, 2.0)), (1.5, 2.5));
        assert_eq!(ColorMap::Diverging.color(0.5).rgb, [247, 247, 247]);
        assert_eq!(ColorMap::Gray.color(f64::NAN).rgb, [200, 200, 200]);
    }

    #[test]
    fn the_same_label_has_the_same_color() {
        let mut palette = Palette::default();
        let (train, other) = (palette.color("train"), palette.color("validation"));
        assert_ne!(train, other);
        assert_eq!(palette.color("train"), train);
        assert_ne!(palette.color(""), palette.color(""), "what has no label is a series of its own");
        palette.begin(["", "train"].into_iter(), 0);
        assert_eq!(palette.color(""), other, "the first color that no label of this figure has");
        palette.begin([""].into_iter(), 3);
        assert_eq!(palette.color(""), of_class(3), "classes keep their colors");
    }
}
