//! Measures how long code takes, for `%timeit`.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use oxtorch_protocol::Timing;

use super::Error;
use crate::checkpoint::checkpoint;

/// A run that takes this long says enough.
const LONG_ENOUGH: Duration = Duration::from_millis(200);

/// No code needs more loops than this to take long enough.
const MOST_LOOPS: u64 = 1_000_000_000;

thread_local! {
    static TIMING: RefCell<Option<Timing>> = const { RefCell::new(None) };
}

/// Runs code `repeats` times, `loops` times each; with `loops` of 0 as often as makes a run take 0.2 s.
pub fn timeit(loops: u64, repeats: u32, mut body: impl FnMut() -> Result<(), Error>) -> Result<(), Error> {
    measure(loops, repeats, &mut body)
}

/// Not generic: the loop stands here and the code in the cell, so that nothing moves from the one to the other.
fn measure(loops: u64, repeats: u32, body: &mut dyn FnMut() -> Result<(), Error>) -> Result<(), Error> {
    let loops = if loops == 0 { enough_loops(body)? } else { loops };
    let mut runs = Vec::new();
    for _ in 0..repeats {
        runs.push(run(loops, body)?);
    }
    TIMING.set(Some(Timing { loops, runs }));
    Ok(())
}

/// The first power of ten that takes long enough.
fn enough_loops(body: &mut dyn FnMut() -> Result<(), Error>) -> Result<u64, Error> {
    let mut loops = 1;
    while loops < MOST_LOOPS && run(loops, body)? < LONG_ENOUGH {
        loops *= 10;
    }
    Ok(loops)
}

fn run(loops: u64, body: &mut dyn FnMut() -> Result<(), Error>) -> Result<Duration, Error> {
    let start = Instant::now();
    for _ in 0..loops {
        checkpoint();
        body()?;
    }
    Ok(start.elapsed())
}

/// What the cell has measured.
pub(super) fn take() -> Option<Timing> {
    TIMING.take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_runs_as_often_as_asked() {
        let mut count = 0;
        let measured = timeit(10, 3, || {
            count += 1;
            Ok(())
        });
        assert!(measured.is_ok());
        let timing = take().expect("was measured");
        assert_eq!((count, timing.loops, timing.runs.len()), (30, 10, 3));
    }

    #[test]
    fn slow_code_runs_once_a_run() {
        let measured = timeit(0, 1, || {
            std::thread::sleep(LONG_ENOUGH);
            Ok(())
        });
        assert!(measured.is_ok());
        assert_eq!(take().expect("was measured").loops, 1);
    }

    #[test]
    fn an_error_ends_the_measurement() {
        let measured = timeit(5, 5, || Err(std::fmt::Error.into()));
        assert!(measured.is_err());
        assert_eq!(take(), None);
    }
}
