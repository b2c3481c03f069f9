//! How many threads one operation on the CPU uses.

use std::env;
use std::thread::available_parallelism;

pub(crate) mod choice;
mod load;

const VARIABLE: &str = "OXTORCH_THREADS";
/// More threads than any machine that this is for has processors. libtorch starts each of them, and ends the process
/// where the system has no more.
const MOST: usize = 1024;
/// Who sets one of these has decided, and the libraries below libtorch read them.
const OTHERS: [&str; 2] = ["OMP_NUM_THREADS", "MKL_NUM_THREADS"];

/// How many threads an operation of libtorch uses on the CPU.
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::device::{num_threads, set_num_threads};
/// let before = num_threads();
/// set_num_threads(1);
/// assert_eq!(num_threads(), 1);
/// set_num_threads(before);
/// ```
pub fn num_threads() -> usize {
    usize::try_from(tch::get_num_threads()).unwrap_or(1)
}

/// Uses so many threads from here on, as `torch.set_num_threads`.
///
/// Before the first call, and without the environment variable `OXTORCH_THREADS`, they are as many as the processors
/// that this process may use, also where a container allows it less than the machine has. While other processes keep
/// processors busy for seconds, they are fewer, since threads that wait for each other make small networks many times
/// slower there; `:vars` says so. The last digits of a result may depend on the number of threads: a number that is set
/// stays.
///
/// # Panics
///
/// Where it is 0, or more than 1024.
pub fn set_num_threads(threads: usize) {
    assert!(threads > 0, "set_num_threads: 0 threads compute nothing; give at least 1");
    assert!(
        threads <= MOST,
        "set_num_threads: {threads} threads are more than any machine can use; give at most {MOST}"
    );
    choice::stop();
    use_threads(threads);
}

/// Does something whose operations are so small that to wake other threads takes longer than they do.
pub(crate) fn on_one_thread<T>(run: impl FnOnce() -> T) -> T {
    struct PutBack(usize);
    impl Drop for PutBack {
        fn drop(&mut self) {
            use_threads(self.0);
        }
    }
    let threads = num_threads();
    if threads == 1 {
        return run();
    }
    let _put_back = PutBack(threads);
    use_threads(1);
    run()
}

fn use_threads(threads: usize) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
}

/// Settles the number at the start of the process, and says what is wrong with `OXTORCH_THREADS`.
pub(crate) fn settle() -> Option<String> {
    let asked = env::var(VARIABLE).unwrap_or_default();
    let is_decided = OTHERS.iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()));
    let allowed = available_parallelism().map_or(usize::MAX, Into::into);
    match wanted(&asked, is_decided, allowed, num_threads()) {
        Ok(threads) => {
            threads.into_iter().for_each(use_threads);
            if asked.trim().is_empty() && !is_decided {
                choice::start(num_threads());
            }
            None
        }
        Err(complaint) => Some(complaint),
    }
}

/// The number to set, where libtorch's own is not the right one.
fn wanted(asked: &str, is_decided: bool, allowed: usize, now: usize) -> Result<Option<usize>, String> {
    match asked.trim() {
        "" if is_decided => Ok(None),
        // libtorch counts the processors of the machine, and not those that a container gives.
        "" => Ok((allowed < now).then_some(allowed)),
        number => match number.parse() {
            Ok(threads) if (1..=MOST).contains(&threads) => Ok(Some(threads)),
            _ => Err(format!("{VARIABLE} is {asked:?}, but it must be a number of threads, 1 to {MOST}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_decides_then_others_then_what_a_container_allows() {
        let cases = [
            ("", false, 4, 64, Ok(Some(4))),
            ("", false, 8, 4, Ok(None)),
            ("", true, 4, 64, Ok(None)),
            (" 3 ", true, 4, 64, Ok(Some(3))),
        ];
        for (asked, is_decided, allowed, now, expected) in cases {
            assert_eq!(wanted(asked, is_decided, allowed, now), expected, "{asked:?} {is_decided} {allowed} {now}");
        }
        for asked in ["0", "-1", "all", "1025", "100000"] {
            assert!(wanted(asked, false, 4, 4).is_err_and(|complaint| complaint.contains(asked)), "{asked}");
        }
    }
}
