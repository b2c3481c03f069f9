//! Progress of the whole set-up, as one text that takes the place of the one before: which step of how many, what share
//! is done, how long it will still take.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::progress::{Part, Progress, Update, line};

/// How long a text stands before the next.
const BETWEEN: Duration = Duration::from_secs(2);

/// A part that tells nothing of how far it is counts as nearly done when it takes longer than usual.
const MOST_GUESSED: f64 = 0.95;

/// How much faster or slower than usual a machine or a network may be, as far as the rest is guessed from it.
const PACES: (f64, f64) = (0.2, 5.0);

/// Too little is done for a guess of the rest.
const TOO_SOON: Duration = Duration::from_secs(10);

/// Gives the whole text anew from time to time, also while a step tells nothing.
pub struct Whole {
    shared: Arc<Shared>,
}

struct Shared {
    write: Box<dyn Fn(String) + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What is being done.
    step: String,
    /// More of that.
    doing: String,
    parts: &'static [Part],
    part: Option<Running>,
    /// What the parts that were done took, and what they usually take.
    took: Duration,
    usually: Duration,
    last: Instant,
}

#[derive(Debug)]
struct Running {
    part: Part,
    since: Instant,
    /// About how much it downloads.
    bytes: Option<u64>,
    /// The share of it that is done, where it tells.
    told: Option<f64>,
}

impl Whole {
    /// Progress that gives each text to `write`.
    pub fn new(write: impl Fn(String) + Send + Sync + 'static) -> Self {
        let state = State {
            step: String::new(),
            doing: String::new(),
            parts: &Part::ALL,
            part: None,
            took: Duration::ZERO,
            usually: Duration::ZERO,
            last: Instant::now(),
        };
        Self { shared: Arc::new(Shared { write: Box::new(write), state: Mutex::new(state) }) }
    }

    /// Tells again and again until the progress is dropped or done.
    fn keep_telling(shared: &Arc<Shared>) {
        let shared = Arc::downgrade(shared);
        // Without it the text changes only when there is something new.
        let _ = std::thread::Builder::new().name("progress".into()).spawn(move || {
            loop {
                std::thread::park_timeout(BETWEEN);
                let Some(shared) = Weak::upgrade(&shared) else { return };
                let mut state = shared.state.lock();
                if state.step.is_empty() {
                    return;
                }
                if state.last.elapsed() >= BETWEEN {
                    shared.tell(&mut state, Instant::now());
                }
            }
        });
    }
}

impl Shared {
    fn tell(&self, state: &mut State, now: Instant) {
        state.last = now;
        (self.write)(state.text(now));
    }
}

impl Progress for Whole {
    fn step(&self, what: &str) {
        let mut state = self.shared.state.lock();
        if state.step.is_empty() {
            Self::keep_telling(&self.shared);
        }
        what.clone_into(&mut state.step);
        state.doing.clear();
        self.shared.tell(&mut state, Instant::now());
    }

    fn parts(&self, parts: &'static [Part]) {
        let mut state = self.shared.state.lock();
        state.parts = parts;
        state.part = None;
    }

    fn part(&self, part: Part, bytes: Option<u64>) {
        let mut state = self.shared.state.lock();
        let now = Instant::now();
        state.end_part(now);
        state.part = Some(Running { part, since: now, bytes, told: None });
    }

    fn update(&self, update: Update<'_>) {
        let mut state = self.shared.state.lock();
        state.doing = line(update);
        if let Some(running) = &mut state.part {
            running.hear(update);
        }
        if state.last.elapsed() >= BETWEEN {
            self.shared.tell(&mut state, Instant::now());
        }
    }

    fn done(&self) {
        self.shared.state.lock().step.clear();
    }
}

impl Running {
    fn hear(&mut self, update: Update<'_>) {
        let share = |done: u64, all: u64, most: f64| (all > 0).then(|| (done as f64 / all as f64).min(most));
        self.told = match update {
            Update::Count { done, total, .. } => share(done, total, 1.0),
            // What arrived is unpacked then.
            Update::Bytes(done) => self.bytes.and_then(|all| share(done, all, MOST_GUESSED)),
            Update::Doing(_) => self.told,
        };
    }
}

impl State {
    fn end_part(&mut self, now: Instant) {
        if let Some(running) = self.part.take() {
            self.took += now - running.since;
            self.usually += running.part.usually();
        }
    }

    fn text(&self, now: Instant) -> String {
        let doing = if self.doing.is_empty() { String::new() } else { format!(": {}", self.doing) };
        let step = format!("{}{doing}", self.step);
        let Some(running) = &self.part else { return step };
        let step_of = match self.parts.len() {
            1 => String::new(),
            of => format!("step {} of {of}, ", self.number(running.part)),
        };
        let (share, left) = self.estimate(running, now);
        let left = left.map(|left| format!(", {} left", about(left))).unwrap_or_default();
        format!("Setting up, which happens once: {step_of}{:.0} % done{left}\n{step}", 100.0 * share)
    }

    /// The place of a part, from 1.
    fn number(&self, part: Part) -> usize {
        self.parts.iter().position(|other| *other == part).map_or(1, |at| at + 1)
    }

    /// The share of the whole that is done, and how long the rest will take, where there is something to guess from.
    fn estimate(&self, running: &Running, now: Instant) -> (f64, Option<Duration>) {
        let seconds = |duration: Duration| duration.as_secs_f64();
        let all = self.parts.iter().map(|part| seconds(part.usually())).sum::<f64>();
        let before = &self.parts[..self.number(running.part) - 1];
        let before = before.iter().map(|part| seconds(part.usually())).sum::<f64>();
        let (usual, elapsed) = (seconds(running.part.usually()), seconds(now - running.since));
        let share = running.told.unwrap_or_else(|| (elapsed / usual).min(MOST_GUESSED));
        let (took, would) = (seconds(self.took) + elapsed, seconds(self.usually) + share * usual);
        let pace = if would > 0.0 { (took / would).clamp(PACES.0, PACES.1) } else { 1.0 };
        let done = before + share * usual;
        let left = Duration::from_secs_f64((all - done).max(0.0) * pace);
        (done / all, (took >= seconds(TOO_SOON)).then_some(left))
    }
}

fn about(left: Duration) -> String {
    match left.as_secs() {
        0..45 => "less than a minute".to_owned(),
        45..90 => "about a minute".to_owned(),
        seconds => format!("about {} minutes", (seconds + 30) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(part: Part, told: Option<f64>) -> (State, Instant) {
        let since = Instant::now();
        let state = State {
            step: "Building the runtime".into(),
            doing: String::new(),
            parts: &Part::ALL,
            part: Some(Running { part, since, bytes: Some(1000), told }),
            took: Duration::ZERO,
            usually: Duration::ZERO,
            last: since,
        };
        (state, since)
    }

    #[test]
    fn the_share_rises_from_part_to_part_and_stays_below_the_whole() {
        let mut last = -1.0;
        for part in Part::ALL {
            for told in [0.0, 0.5, 1.0] {
                let (state, since) = state(part, Some(told));
                let (share, _) = state.estimate(state.part.as_ref().expect("runs"), since);
                assert!(share >= last && share <= 1.0, "{part:?} {told}: {share} after {last}");
                last = share;
            }
        }
        assert!((last - 1.0).abs() < 1e-9, "{last}");
    }

    #[test]
    fn the_rest_is_guessed_from_what_was_done_here() {
        let (state, since) = state(Part::Runtime, Some(0.25));
        let text = state.text(since + Part::Runtime.usually() / 2);
        let left = (Part::Runtime.usually().as_secs() * 3 / 2 + 30) / 60;
        assert!(text.ends_with(&format!("about {left} minutes left\nBuilding the runtime")), "{text}");
        assert!(state.text(since + Duration::from_secs(1)).contains("% done\n"), "too soon to guess");
    }

    #[test]
    fn a_part_that_tells_nothing_moves_and_never_ends_by_itself() {
        let (state, since) = state(Part::Shim, None);
        let share = |after: Duration| state.estimate(state.part.as_ref().expect("runs"), since + after).0;
        assert!(share(Duration::from_secs(20)) > share(Duration::from_secs(1)));
        let (full, _) = super::tests::state(Part::Shim, Some(1.0));
        assert!(share(Duration::from_secs(10_000)) < full.estimate(full.part.as_ref().expect("runs"), since).0);
    }

    #[test]
    fn a_download_is_measured_by_its_bytes_and_alone_where_nothing_else_is_done() {
        let (mut state, since) = state(Part::Libtorch, None);
        state.parts = &[Part::Libtorch];
        for (arrived, percent) in [(0, 0), (500, 50), (990, 95), (5000, 95)] {
            state.part.as_mut().expect("runs").hear(Update::Bytes(arrived));
            let text = state.text(since + Duration::from_secs(30));
            assert!(text.starts_with(&format!("Setting up, which happens once: {percent} % done")), "{text}");
        }
    }

    #[test]
    fn it_is_told_again_while_a_step_tells_nothing() {
        let (says, hears) = std::sync::mpsc::channel();
        let progress = Whole::new(move |text| drop(says.send(text)));
        progress.part(Part::Shim, None);
        progress.step("Compiling");
        let first = hears.recv().expect("the step");
        assert!(first.starts_with("Setting up, which happens once: step 3 of 4"), "{first}");
        assert!(hears.recv().is_ok_and(|again| again.ends_with("\nCompiling")));
        progress.done();
        drop(progress);
        hears.iter().for_each(drop);
    }
}
