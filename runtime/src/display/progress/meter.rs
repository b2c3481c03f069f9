//! How far, how fast, and how long still. Time is given, not read, so that every figure can be checked.

use std::time::Duration;

/// Over about that time the rate is averaged: a pause shows soon, and a single slow item does not shake the estimate.
const MEMORY_SECONDS: f64 = 5.0;

/// Counts items over time.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    pub(super) total: Option<u64>,
    pub(super) done: u64,
    /// What was done, and when, at the last look.
    seen: (u64, Duration),
    /// Exponentially weighted items a second, and the sum of the weights: the estimate is their quotient, which is
    /// right from the first observation on.
    weighted: f64,
    weight: f64,
}

impl Meter {
    pub(super) fn new(total: Option<u64>) -> Self {
        Self { total, done: 0, seen: (0, Duration::ZERO), weighted: 0.0, weight: 0.0 }
    }

    pub(super) fn advance(&mut self, count: u64) {
        self.done = self.done.saturating_add(count);
    }

    pub(super) fn is_full(&self) -> bool {
        self.total.is_some_and(|total| self.done >= total)
    }

    /// Takes note of how much was done by now. Nothing is learnt while an item is not done yet.
    pub(super) fn observe(&mut self, elapsed: Duration) {
        let (done, at) = self.seen;
        let seconds = elapsed.saturating_sub(at).as_secs_f64();
        if self.done == done || seconds <= 0.0 {
            return;
        }
        let forgotten = (-seconds / MEMORY_SECONDS).exp();
        self.weighted = self.weighted * forgotten + (1.0 - forgotten) * (self.done - done) as f64 / seconds;
        self.weight = self.weight * forgotten + (1.0 - forgotten);
        self.seen = (self.done, elapsed);
    }

    /// Items a second lately.
    pub(super) fn rate(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.weighted / self.weight)
    }

    /// Items a second over the whole time.
    pub(super) fn mean_rate(&self, elapsed: Duration) -> Option<f64> {
        (self.done > 0 && !elapsed.is_zero()).then(|| self.done as f64 / elapsed.as_secs_f64())
    }

    /// How long the rest takes at that rate.
    pub(super) fn remaining(&self) -> Option<Duration> {
        let left = self.total?.saturating_sub(self.done) as f64;
        Duration::try_from_secs_f64(left / self.rate()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn nothing_is_known_before_the_first_item() {
        let mut meter = Meter::new(Some(10));
        meter.observe(3 * SECOND);
        assert_eq!((meter.rate(), meter.remaining(), meter.mean_rate(3 * SECOND)), (None, None, None));
    }

    #[test]
    fn a_steady_rate_is_found_at_once_and_kept() {
        let mut meter = Meter::new(Some(100));
        for second in 1..=20 {
            meter.advance(2);
            meter.observe(second * SECOND);
            assert!((meter.rate().expect("known") - 2.0).abs() < 1e-9);
        }
        assert_eq!(meter.remaining().expect("known").as_secs_f64().round(), 30.0);
        assert_eq!(meter.mean_rate(20 * SECOND), Some(2.0));
        assert!(!meter.is_full());
    }

    #[test]
    fn a_change_of_pace_is_followed_within_seconds() {
        let mut meter = Meter::new(None);
        for second in 1..=60 {
            meter.advance(if second <= 40 { 100 } else { 10 });
            meter.observe(second * SECOND);
        }
        let rate = meter.rate().expect("known");
        assert!((10.0..13.0).contains(&rate), "{rate}");
        assert_eq!(meter.remaining(), None);
    }

    #[test]
    fn time_without_an_item_waits_for_the_next_one() {
        let mut meter = Meter::new(Some(2));
        meter.observe(SECOND);
        meter.observe(2 * SECOND);
        meter.advance(1);
        meter.observe(4 * SECOND);
        assert_eq!(meter.rate(), Some(0.25));
        assert_eq!(meter.remaining(), Some(4 * SECOND));
    }

    #[test]
    fn more_than_the_total_leaves_nothing() {
        let mut meter = Meter::new(Some(1));
        meter.advance(u64::MAX);
        meter.advance(1);
        meter.observe(SECOND);
        assert_eq!(meter.remaining(), Some(Duration::ZERO));
        assert!(meter.is_full());
    }
}
