//! A mean that grows batch by batch.

/// The mean of values of which each stands for a number of samples: the loss of an epoch, whose last batch may be
/// smaller.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut loss = metrics::Mean::new();
/// loss.add(0.5, 64);
/// loss.add(0.8, 32);
/// assert!((loss.value() - 0.6).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value that is the mean of `count` samples.
    pub fn add(&mut self, value: f64, count: usize) {
        self.sum += value * count as f64;
        self.count += count as f64;
    }

    /// The mean so far; NaN of nothing.
    pub fn value(&self) -> f64 {
        self.sum / self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_count_and_not_batches() {
        let mut mean = Mean::new();
        assert!(mean.value().is_nan());
        mean.add(1.0, 3);
        mean.add(5.0, 1);
        assert_eq!(mean.value(), 2.0);
    }
}
