//! How fast something may come, or go out: a bucket of permissions that fills with time.

use std::time::Duration;

use tokio::time::Instant;

/// Permissions, of which some may be taken at once, and another after each interval.
pub(super) struct Pace {
    burst: u32,
    interval: Duration,
    left: u32,
    /// When `left` was right.
    since: Instant,
}

impl Pace {
    /// A full bucket.
    pub(super) fn new(burst: u32, interval: Duration) -> Self {
        Self { burst, interval, left: burst, since: Instant::now() }
    }

    /// The moment from which a permission is there.
    pub(super) fn next(&self) -> Instant {
        if self.left > 0 { self.since } else { self.since + self.interval }
    }

    /// Takes a permission, if there is one now.
    pub(super) fn take(&mut self) -> bool {
        let earned = self.since.elapsed().as_millis() / self.interval.as_millis();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX).min(self.burst);
        let is_full = self.left + earned >= self.burst;
        self.since = if is_full { Instant::now() } else { self.since + self.interval * earned };
        self.left = (self.left + earned).min(self.burst);
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn some_may_come_at_once_and_then_one_in_each_interval() {
        let interval = Duration::from_millis(100);
        let mut pace = Pace::new(3, interval);
        let mut taken = async |after: Duration| {
            tokio::time::advance(after).await;
            std::iter::repeat_with(|| pace.take()).take_while(|taken| *taken).count()
        };
        assert_eq!(taken(Duration::ZERO).await, 3);
        assert_eq!(taken(interval / 2).await, 0);
        assert_eq!(taken(interval / 2).await, 1, "the first half counts as well");
        assert_eq!(taken(interval * 100).await, 3, "what nobody takes is not saved up");
        assert_eq!(pace.next(), Instant::now() + interval);
    }
}
