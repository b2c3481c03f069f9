//! `:time` and `%timeit`.

use std::time::Instant;

use oxtorch_protocol::Timing;
use oxtorch_session::CellError;

use crate::cell::{Execution, NativeEngine};
use crate::commands::{Segment, Timeit};
use crate::perform::say;
use crate::source::fragment::CellText;
use crate::source::parse::parse_as_one;

impl NativeEngine {
    /// Runs a part of a cell and says how long that took, also where it failed.
    pub(super) async fn time(&mut self, body: Vec<Segment>, call: Execution<'_>) -> Result<(), CellError> {
        let is_code = body.iter().all(|segment| matches!(segment, Segment::Code(_)));
        let before = self.spent;
        let start = Instant::now();
        let result = self.run_segments(body, call).await;
        let passed = start.elapsed();
        let running = self.spent.running;
        let compiling = self.spent.compiling - before.compiling;
        let user = running.user - before.running.user;
        let system = running.system - before.running.system;
        // Shell commands count on the clock; what they compute in their own processes is not ours.
        let wall = if is_code { running.wall - before.running.wall } else { passed.saturating_sub(compiling) };
        if result.is_ok() || !wall.is_zero() {
            let [total, user, system] = [user + system, user, system].map(|time| span(time.as_secs_f64()));
            say(call, &format!("CPU times: user {user}, sys: {system}, total: {total}")).await;
            say(call, &format!("Wall time: {}", span(wall.as_secs_f64()))).await;
            say(call, &format!("Compile time: {}", span(compiling.as_secs_f64()))).await;
        }
        result
    }

    /// Runs code many times and says how long one time takes.
    pub(super) async fn timeit(&mut self, timeit: Timeit, call: Execution<'_>) -> Result<(), CellError> {
        let Timeit { code, measured, loops, repeats } = timeit;
        let text = CellText::part(call.request, code, self.dir());
        let begin = format!(" ::oxtorch::cell::timeit({loops}, {repeats}, || {{ let value = {{");
        let end = "\n}; ::core::hint::black_box(value); ::core::result::Result::Ok(()) })?; }";
        let ours = [(0, "{ ".to_owned()), (measured, begin), (text.text.len(), end.to_owned())];
        let parsed = parse_as_one(&text, &ours).map(|mut cell| {
            cell.measured = true;
            cell
        });
        let told = self.run_cell(&text, parsed, call).await?;
        if let Some(timing) = told.timing {
            say(call, &summary(&timing)).await;
        }
        Ok(())
    }
}

/// As IPython words it.
fn summary(Timing { loops, runs }: &Timing) -> String {
    let count = runs.len();
    let per_loop: Vec<f64> = runs.iter().map(|run| run.as_secs_f64() / *loops as f64).collect();
    let mean = per_loop.iter().sum::<f64>() / count as f64;
    let variance = per_loop.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / count as f64;
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    format!(
        "{} ± {} per loop (mean ± std. dev. of {count} run{}, {} loop{} each)",
        span(mean),
        span(variance.sqrt()),
        plural(count as u64),
        thousands(*loops),
        plural(*loops)
    )
}

/// A time in seconds with three digits that count, in the unit that suits it. A cell can tell any number.
fn span(seconds: f64) -> String {
    if seconds >= 60.0 {
        // One that is too large is the largest.
        let whole = seconds as u64;
        let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
        let hours = if hours > 0 { format!("{hours}h ") } else { String::new() };
        return format!("{hours}{minutes}min {seconds}s");
    }
    let (value, unit) = match seconds {
        _ if seconds >= 1.0 => (seconds, "s"),
        _ if seconds >= 1e-3 => (seconds * 1e3, "ms"),
        _ if seconds >= 1e-6 => (seconds * 1e6, "µs"),
        _ => (seconds * 1e9, "ns"),
    };
    let decimals = match value {
        _ if value >= 99.95 => 0,
        _ if value >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn spans_have_three_digits_and_a_unit() {
        let check = |seconds: f64, text: &str| assert_eq!(span(seconds), text);
        check(0.0, "0 ns");
        check(1.2e-9, "1.2 ns");
        check(0.00123, "1.23 ms");
        check(0.0123, "12.3 ms");
        check(0.1234, "123 ms");
        check(4e-6, "4 µs");
        check(2.0, "2 s");
        check(65.0, "1min 5s");
        check(3725.0, "1h 2min 5s");
        check(f64::INFINITY, "5124095576030431h 0min 15s");
        check(f64::NAN, "NaN ns");
    }

    #[test]
    fn a_summary_reads_as_in_ipython() {
        let runs = vec![Duration::from_millis(1000), Duration::from_millis(2000)];
        let summary = |loops| summary(&Timing { loops, runs: runs.clone() });
        assert_eq!(summary(1000), "1.5 ms ± 500 µs per loop (mean ± std. dev. of 2 runs, 1,000 loops each)");
        let forged = Timing { loops: 0, runs: vec![Duration::MAX, Duration::ZERO] };
        assert!(super::summary(&forged).contains("2 runs, 0 loops each"));
        assert!(super::summary(&Timing { loops: u64::MAX, runs: Vec::new() }).contains("0 runs"));
        assert_eq!(summary(1), "1.5 s ± 500 ms per loop (mean ± std. dev. of 2 runs, 1 loop each)");
    }
}
