//! The colours of series, and colour maps for values.

use super::scene::Ink;

/// Told apart also by most people who see colours differently, and in this order.
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

/// The colour of a number: of a class, or of the place among the series.
pub(super) fn of_class(class: usize) -> Ink {
    SERIES[class % SERIES.len()]
}

/// Gives each label its colour: the same label, in this figure or one beside it, the same colour.
#[derive(Debug, Default)]
pub(super) struct Palette {
    labels: Vec<(String, usize)>,
    /// In the figure that is drawn.
    taken: Vec<usize>,
}

impl Palette {
    /// Begins a figure with these labels: what has no label gets none of their colours, and none of the classes' up to
    /// `classes`.
    pub(super) fn begin<'a>(&mut self, labels: impl Iterator<Item = &'a str>, classes: usize) {
        let known = labels.filter_map(|label| self.place(label));
        self.taken = known.chain(0..classes).collect();
    }

    pub(super) fn colour(&mut self, label: &str) -> Ink {
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

/// How values become colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ColourMap {
    /// From dark violet over green to yellow, equally bright steps (S. van der Walt and N. Smith, 2015).
    #[default]
    Viridis,
    /// White to dark blue: for shares and counts.
    Blues,
    /// Blue over white to red: for values around a middle, which is 0 where no range is given.
    Diverging,
    /// Black to white.
    Grey,
    /// Black over red and orange to pale yellow.
    Inferno,
}

impl ColourMap {
    /// Colours at equal distances, in between which it is linear.
    fn stops(self) -> &'static [[u8; 3]] {
        match self {
            Self::Viridis => &[
                [68, 1, 84],
                [72, 24, 106],
                [71, 45, 123],
                [66, 64, 134],
                [59, 82, 139],
                [51, 99, 141],
                [44, 114, 142],
                [38, 130, 142],
                [33, 145, 140],
                [31, 160, 136],
                [40, 174, 128],
                [63, 188, 115],
                [94, 201, 98],
                [132, 212, 75],
                [173, 220, 48],
                [216, 226, 25],
                [253, 231, 37],
            ],
            Self::Blues => {
                &[[247, 251, 255], [222, 235, 247], [158, 202, 225], [66, 146, 198], [8, 81, 156], [8, 48, 107]]
            }
            Self::Diverging => &[
                [33, 102, 172],
                [103, 169, 207],
                [209, 229, 240],
                [247, 247, 247],
                [253, 219, 199],
                [239, 138, 98],
                [178, 24, 43],
            ],
            Self::Grey => &[[0, 0, 0], [255, 255, 255]],
            Self::Inferno => &[
                [0, 0, 4],
                [11, 7, 36],
                [33, 12, 74],
                [61, 9, 101],
                [87, 16, 110],
                [113, 25, 110],
                [138, 34, 106],
                [163, 44, 97],
                [188, 55, 84],
                [210, 70, 68],
                [228, 90, 49],
                [241, 115, 29],
                [249, 142, 9],
                [252, 172, 17],
                [249, 203, 53],
                [242, 234, 105],
                [252, 255, 164],
            ],
        }
    }

    /// The colour of a share of the range, from 0 to 1; grey for NaN.
    pub(super) fn colour(self, share: f64) -> Ink {
        if share.is_nan() {
            return Ink::new(200, 200, 200);
        }
        let stops = self.stops();
        let place = share.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
        let below = (place as usize).min(stops.len() - 2);
        let part = place - below as f64;
        let (from, to) = (stops[below], stops[below + 1]);
        let [red, green, blue] = std::array::from_fn(|channel| {
            let (from, to) = (f64::from(from[channel]), f64::from(to[channel]));
            (from + (to - from) * part).round() as u8
        });
        Ink::new(red, green, blue)
    }

    /// The range of colours for values that lie between `low` and `high`.
    pub(super) fn range(self, (low, high): (f64, f64)) -> (f64, f64) {
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
    fn colour_maps_are_those_of_matplotlib() {
        let reference = Reference::parse(include_str!("../../../tests/reference/plot.json"));
        for (name, map) in [("viridis", ColourMap::Viridis), ("inferno", ColourMap::Inferno), ("gray", ColourMap::Grey)]
        {
            let expected = reference.numbers(&format!("/colours/{name}"));
            for (index, expected) in expected.chunks(3).enumerate() {
                let colour = map.colour(index as f64 / 20.0);
                for (actual, expected) in colour.rgb.iter().zip(expected) {
                    assert!((f64::from(*actual) - expected).abs() <= 6.0, "{name} {index}: {colour:?}, {expected}");
                }
            }
        }
    }

    #[test]
    fn a_diverging_map_has_its_middle_at_zero() {
        assert_eq!(ColourMap::Diverging.range((-1.0, 3.0)), (-3.0, 3.0));
        assert_eq!(ColourMap::Viridis.range((-1.0, 3.0)), (-1.0, 3.0));
        assert_eq!(ColourMap::Viridis.range((2.0, 2.0)), (1.5, 2.5));
        assert_eq!(ColourMap::Diverging.colour(0.5).rgb, [247, 247, 247]);
        assert_eq!(ColourMap::Grey.colour(f64::NAN).rgb, [200, 200, 200]);
    }

    #[test]
    fn the_same_label_has_the_same_colour() {
        let mut palette = Palette::default();
        let (train, other) = (palette.colour("train"), palette.colour("validation"));
        assert_ne!(train, other);
        assert_eq!(palette.colour("train"), train);
        assert_ne!(palette.colour(""), palette.colour(""), "what has no label is a series of its own");
        palette.begin(["", "train"].into_iter(), 0);
        assert_eq!(palette.colour(""), other, "the first colour that no label of this figure has");
        palette.begin([""].into_iter(), 3);
        assert_eq!(palette.colour(""), of_class(3), "classes keep their colours");
    }
}
