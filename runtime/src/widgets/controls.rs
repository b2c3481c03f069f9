//! What the user moves: sliders, choices and ticks, each with the state of its model in the frontend.

use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use super::comms::Widget;

/// How many steps a slider of real numbers has at least, if nobody says.
const STEPS: f64 = 100.0;

/// The largest integers that a frontend, which has no others than `f64`, tells from their neighbours.
const LARGEST: i64 = (1 << 53) - 1;

/// What the frontend's model of a control is told, and tells.
pub trait Model: 'static {
    /// The model as it is at first.
    fn widget(&self) -> Widget;

    /// Takes what the user has changed; says whether the value is another one now.
    fn set(&mut self, state: &Map<String, Value>) -> bool;

    /// Its name, value and range.
    fn text(&self) -> String;
}

/// Something that the user changes in the notebook, and whose value a closure gets.
pub trait Control: Model {
    /// What the closure gets.
    type Value;

    /// The value at this moment.
    fn current(&self) -> Self::Value;
}

/// A number that a [`slider`] moves over: `f64` or `i64`.
pub trait Number: Copy + PartialOrd + Display + Debug + 'static {
    /// The name of the frontend's widget.
    #[doc(hidden)]
    const WIDGET: &'static str;

    /// Whether a frontend has the number.
    #[doc(hidden)]
    fn is_exact(self) -> bool;

    /// The step from one number to another, if nobody says.
    #[doc(hidden)]
    fn usual_step(start: Self, end: Self) -> Self;

    /// A number half-way between two, by a step.
    #[doc(hidden)]
    fn middle(start: Self, end: Self, step: Self) -> Self;

    /// How a slider with this step writes its value, in the language of d3-format.
    #[doc(hidden)]
    fn format(step: Self) -> String;

    /// For the frontend.
    #[doc(hidden)]
    fn to_json(self) -> Value;

    /// From the frontend.
    #[doc(hidden)]
    fn from_json(value: &Value) -> Option<Self>;

    /// 0.
    #[doc(hidden)]
    const ZERO: Self;
}

impl Number for f64 {
    const WIDGET: &'static str = "FloatSlider";
    const ZERO: Self = 0.0;

    fn is_exact(self) -> bool {
        self.is_finite()
    }

    fn usual_step(start: f64, end: f64) -> f64 {
        // 1, 2 or 5 of a power of ten, so that the values in between have few digits.
        let widest = (end - start) / STEPS;
        let power = 10_f64.powf(widest.log10().floor());
        let step = [5.0, 2.0].into_iter().map(|times| times * power).find(|step| *step <= widest * (1.0 + 1e-9));
        rounded(step.unwrap_or(power), decimals(power))
    }

    fn middle(start: f64, end: f64, step: f64) -> f64 {
        let steps = ((end - start) / step / 2.0).round();
        // `0.1 * 3.0` has more digits than 0.1 and 3.
        rounded(start + steps * step, decimals(step).max(decimals(start))).clamp(start, end)
    }

    fn format(step: f64) -> String {
        format!(".{}f", decimals(step))
    }

    fn to_json(self) -> Value {
        json!(self)
    }

    fn from_json(value: &Value) -> Option<f64> {
        value.as_f64()
    }
}

impl Number for i64 {
    const WIDGET: &'static str = "IntSlider";
    const ZERO: Self = 0;

    fn is_exact(self) -> bool {
        (-LARGEST..=LARGEST).contains(&self)
    }

    fn usual_step(_: i64, _: i64) -> i64 {
        1
    }

    fn middle(start: i64, end: i64, step: i64) -> i64 {
        start + (end - start) / step / 2 * step
    }

    fn format(_: i64) -> String {
        "d".to_owned()
    }

    fn to_json(self) -> Value {
        json!(self)
    }

    fn from_json(value: &Value) -> Option<i64> {
        value.as_i64().or_else(|| value.as_f64().filter(|value| value.fract() == 0.0).map(|value| value as i64))
    }
}

/// How many decimals a number is written with.
fn decimals(number: f64) -> usize {
    number.to_string().split_once('.').map_or(0, |(_, decimals)| decimals.len()).min(12)
}

fn rounded(number: f64, decimals: usize) -> f64 {
    format!("{number:.decimals$}").parse().unwrap_or(number)
}

/// A number that is moved over a range; see [`slider`].
#[derive(Debug, Clone)]
pub struct Slider<T: Number> {
    name: String,
    start: T,
    end: T,
    step: T,
    value: T,
}

/// A slider over a range, both ends included: `slider("learning rate", 0.0..=1.0)` gives an `f64`,
/// `slider("neighbours", 1..=20)` an `i64`. At first it stands in the middle.
///
/// # Panics
///
/// If the range is empty, or an end of it is not finite or an integer beyond 2<sup>53</sup>.
#[track_caller]
pub fn slider<T: Number>(name: impl Into<String>, range: RangeInclusive<T>) -> Slider<T> {
    let (name, (start, end)) = (name.into(), range.into_inner());
    assert!(
        start < end,
        "the slider `{name}` has no room between {start:?} and {end:?}: its range is `smallest..=largest`"
    );
    assert!(start.is_exact() && end.is_exact(), "the slider `{name}` cannot go from {start:?} to {end:?}");
    let step = T::usual_step(start, end);
    Slider { name, start, end, step, value: T::middle(start, end, step) }
}

impl<T: Number> Slider<T> {
    /// Where it stands at first.
    ///
    /// # Panics
    ///
    /// If the value is not in the range.
    #[must_use]
    #[track_caller]
    pub fn value(self, value: T) -> Self {
        let Self { ref name, start, end, .. } = self;
        assert!(start <= value && value <= end, "{value:?} is not on the slider `{name}` from {start:?} to {end:?}");
        Self { value, ..self }
    }

    /// How far it moves at once.
    ///
    /// # Panics
    ///
    /// If the step is not above 0.
    #[must_use]
    #[track_caller]
    pub fn step(self, step: T) -> Self {
        assert!(step > T::ZERO && step.is_exact(), "the slider `{}` cannot move by {step:?}", self.name);
        Self { step, ..self }
    }
}

impl<T: Number> Model for Slider<T> {
    fn widget(&self) -> Widget {
        Widget::described(
            T::WIDGET,
            "SliderStyle",
            &self.name,
            [
                ("min", self.start.to_json()),
                ("max", self.end.to_json()),
                ("step", self.step.to_json()),
                ("value", self.value.to_json()),
                ("readout", true.into()),
                ("readout_format", T::format(self.step).into()),
                ("continuous_update", true.into()),
                ("orientation", "horizontal".into()),
            ],
        )
    }

    fn set(&mut self, state: &Map<String, Value>) -> bool {
        let new = state.get("value").and_then(T::from_json).filter(|new| self.start <= *new && *new <= self.end);
        new.is_some_and(|new| new != std::mem::replace(&mut self.value, new))
    }

    fn text(&self) -> String {
        format!("{}: {} ({} to {})", self.name, self.value, self.start, self.end)
    }
}

impl<T: Number> Control for Slider<T> {
    type Value = T;

    fn current(&self) -> T {
        self.value
    }
}

/// A positive number that is moved over powers of ten; see [`log_slider`].
#[derive(Debug, Clone)]
pub struct LogSlider(Slider<f64>);

/// A slider over powers of ten, such as a learning rate from `1e-5..=1.0`; it gives an `f64`. At first it stands in the
/// middle, which is at the geometric mean.
///
/// # Panics
///
/// If the range is empty, or does not begin above 0.
#[track_caller]
pub fn log_slider(name: impl Into<String>, range: RangeInclusive<f64>) -> LogSlider {
    let (name, (start, end)) = (name.into(), range.into_inner());
    assert!(
        0.0 < start && start < end && end.is_finite(),
        "the slider `{name}` cannot go over powers of ten from {start:?} to {end:?}: its range is \
         `smallest..=largest`, both above 0"
    );
    let step = f64::usual_step(start, end);
    LogSlider(Slider { name, start, end, step, value: as_shown((start * end).sqrt(), start, end) })
}

impl LogSlider {
    /// Where it stands at first.
    ///
    /// # Panics
    ///
    /// If the value is not in the range.
    #[must_use]
    #[track_caller]
    pub fn value(self, value: f64) -> Self {
        Self(self.0.value(value))
    }
}

/// A value of a [`LogSlider`] with the three digits that the slider shows: a power of its logarithm has many more.
fn as_shown(value: f64, start: f64, end: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value).clamp(start, end)
}

impl Model for LogSlider {
    fn widget(&self) -> Widget {
        Widget::described(
            "FloatLogSlider",
            "SliderStyle",
            &self.0.name,
            [
                ("base", json!(10.0)),
                ("min", self.0.start.log10().into()),
                ("max", self.0.end.log10().into()),
                ("step", json!(0.1)),
                ("value", self.0.value.into()),
                ("readout", true.into()),
                ("readout_format", ".3g".into()),
                ("continuous_update", true.into()),
                ("orientation", "horizontal".into()),
            ],
        )
    }

    fn set(&mut self, state: &Map<String, Value>) -> bool {
        let new = state.get("value").and_then(Value::as_f64).map(|new| as_shown(new, self.0.start, self.0.end));
        new.is_some_and(|new| new != std::mem::replace(&mut self.0.value, new))
    }

    fn text(&self) -> String {
        self.0.text()
    }
}

impl Control for LogSlider {
    type Value = f64;

    fn current(&self) -> f64 {
        self.0.value
    }
}

/// One of several values; see [`dropdown`].
#[derive(Debug, Clone)]
pub struct Dropdown<T: Clone + Display + 'static> {
    name: String,
    options: Vec<T>,
    index: usize,
}

/// A list of which the user chooses one, at first the first: `dropdown("activation", ["relu", "tanh"])`. It gives the
/// option.
///
/// # Panics
///
/// If there is no option.
#[track_caller]
pub fn dropdown<T: Clone + Display + 'static>(
    name: impl Into<String>,
    options: impl IntoIterator<Item = T>,
) -> Dropdown<T> {
    let (name, options) = (name.into(), Vec::from_iter(options));
    assert!(!options.is_empty(), "the dropdown `{name}` has no options");
    Dropdown { name, options, index: 0 }
}

impl<T: Clone + Display + 'static> Dropdown<T> {
    /// Which option is chosen at first, counted from 0.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[must_use]
    #[track_caller]
    pub fn selected(self, index: usize) -> Self {
        let (name, count) = (&self.name, self.options.len());
        assert!(index < count, "the dropdown `{name}` has {count} options, and none of index {index}");
        Self { index, ..self }
    }

    fn labels(&self) -> Vec<String> {
        self.options.iter().map(T::to_string).collect()
    }
}

impl<T: Clone + Display + 'static> Model for Dropdown<T> {
    fn widget(&self) -> Widget {
        let state = [("_options_labels", json!(self.labels())), ("index", json!(self.index))];
        Widget::described("Dropdown", "DescriptionStyle", &self.name, state)
    }

    fn set(&mut self, state: &Map<String, Value>) -> bool {
        let index = state.get("index").and_then(Value::as_u64).and_then(|index| usize::try_from(index).ok());
        let index = index.filter(|index| *index < self.options.len());
        index.is_some_and(|index| index != std::mem::replace(&mut self.index, index))
    }

    fn text(&self) -> String {
        format!("{}: {} ({})", self.name, self.options[self.index], self.labels().join(", "))
    }
}

impl<T: Clone + Display + 'static> Control for Dropdown<T> {
    type Value = T;

    fn current(&self) -> T {
        self.options[self.index].clone()
    }
}

/// Yes or no; see [`checkbox`].
#[derive(Debug, Clone)]
pub struct Checkbox {
    name: String,
    value: bool,
}

/// A box to tick: `checkbox("log scale", false)`. It gives a `bool`.
pub fn checkbox(name: impl Into<String>, value: bool) -> Checkbox {
    Checkbox { name: name.into(), value }
}

impl Model for Checkbox {
    fn widget(&self) -> Widget {
        let state = [("value", self.value.into()), ("indent", true.into())];
        Widget::described("Checkbox", "CheckboxStyle", &self.name, state)
    }

    fn set(&mut self, state: &Map<String, Value>) -> bool {
        let new = state.get("value").and_then(Value::as_bool);
        new.is_some_and(|new| new != std::mem::replace(&mut self.value, new))
    }

    fn text(&self) -> String {
        format!("{}: {}", self.name, self.value)
    }
}

impl Control for Checkbox {
    type Value = bool;

    fn current(&self) -> bool {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::widgets::Controls as _;

    fn state(value: Value) -> Map<String, Value> {
        let Value::Object(state) = value else { panic!("is no object") };
        state
    }

    #[test]
    fn steps_and_middles_have_few_digits() {
        for (range, step, middle) in [
            (0.0..=1.0, 0.01, 0.5),
            (0.0..=3.0, 0.02, 1.5),
            (0.1..=0.4, 0.002, 0.25),
            (-1.0..=1.0, 0.02, 0.0),
            (0.0..=1000.0, 10.0, 500.0),
            (0.5..=4.0, 0.02, 2.26),
            (0.0..=1e-4, 1e-6, 5e-5),
        ] {
            let slider = slider("a", range.clone());
            assert_eq!((slider.step, slider.value), (step, middle), "{range:?}");
        }
        let slider = slider("k", 1..=20);
        assert_eq!((slider.step, slider.value), (1, 10));
    }

    #[test]
    fn values_come_from_the_frontend_and_stay_in_range() {
        let mut controls =
            (slider("a", 0.0..=1.0), slider("k", 1..=4), dropdown("f", ["relu", "tanh"]), checkbox("b", true));
        assert_eq!(controls.values(), (0.5, 2, "relu", true));
        let news = [json!({"value": 1}), json!({"value": 4}), json!({"index": 1}), json!({"value": false})];
        for (control, new) in controls.each().into_iter().zip(news) {
            assert!(control.set(&state(new.clone())));
            assert!(!control.set(&state(new)), "is the same");
        }
        assert_eq!(controls.values(), (1.0, 4, "tanh", false));
        let bad = [json!({"value": 1.5}), json!({"value": 2.5}), json!({"index": 2}), json!({"value": "no"})];
        for (control, new) in controls.each().into_iter().zip(bad) {
            assert!(!control.set(&state(new)));
        }
        assert_eq!(controls.values(), (1.0, 4, "tanh", false));
    }

    #[test]
    fn a_slider_over_powers_of_ten_stays_between_its_ends() {
        let mut rate = log_slider("rate", 1e-4..=1.0);
        assert_eq!(rate.current(), 1e-2);
        assert!(rate.set(&state(json!({"value": 1.0000000000000002}))));
        assert_eq!(rate.current(), 1.0);
    }

    #[test]
    fn a_value_between_powers_of_ten_has_the_digits_that_are_shown() {
        let mut rate = log_slider("rate", 1e-5..=1.0);
        assert_eq!(rate.current(), 0.00316);
        assert!(rate.set(&state(json!({"value": 0.003_981_071_705_534_973}))));
        assert_eq!(rate.current(), 0.00398);
    }

    #[test]
    #[should_panic(expected = "has no room between 3 and 3")]
    fn an_empty_range_is_refused() {
        let _ = slider("k", 3..=3);
    }
}
