//! How far a training is, on the screen.

use super::work::Means;
use crate::plot::{Figure, LivePlot};
use crate::progress::{ProgressBar, progress_bar};

/// Bars for the epochs and for the batches of one, and the curves, as far as they are wanted.
pub(super) struct Report {
    epochs: Option<ProgressBar>,
    batches: Option<ProgressBar>,
    plot: Option<LivePlot>,
}

impl Report {
    pub(super) fn new(epochs: usize, quiet: bool, live: bool) -> Self {
        let plot = live.then(|| Figure::new().x_label("epoch").y_label("loss").live());
        let bar = (!quiet).then(|| {
            let bar = progress_bar(epochs as u64).describe("training").unit("epoch");
            // A bar is on the screen from its first step on; this one stands above those of the batches.
            bar.inc(0);
            bar
        });
        Self { epochs: bar, batches: None, plot }
    }

    pub(super) fn begin(&mut self, epoch: usize, batches: usize) {
        self.batches =
            self.epochs.as_ref().map(|_| progress_bar(batches as u64).describe(format!("epoch {epoch}")).unit("batch"));
    }

    pub(super) fn batch(&self, means: &Means) {
        if let Some(bar) = &self.batches {
            for (name, value) in means.values() {
                bar.postfix(&name, value);
            }
            bar.inc(1);
        }
    }

    pub(super) fn end(&mut self, epoch: usize, values: &[(String, f64)]) {
        self.batches = None;
        for (name, value) in values {
            if let Some(bar) = &self.epochs {
                bar.postfix(name, *value);
            }
            if let (Some(plot), true) = (&self.plot, name.ends_with("loss")) {
                plot.push_xy(name, epoch as f64, *value);
            }
        }
        if let Some(bar) = &self.epochs {
            bar.inc(1);
        }
    }

    /// The training ends before its last epoch.
    pub(super) fn stop(&self, why: &str) {
        if let Some(bar) = &self.epochs {
            bar.postfix("", why);
            bar.finish();
        }
    }
}
