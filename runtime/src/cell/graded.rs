//! Tests that are graded: what the code around a test tells the kernel, and nobody else can.
//!
//! Each run of a test has a key. The host lays it where the first statement of the test takes it, before anything of
//! the student's runs on that thread, and what is told without the key counts for nothing. So neither what a student's
//! functions print and send, nor a process that ends with 0, makes a test pass.

use std::cell::RefCell;
use std::fmt::Display;
use std::sync::Mutex;

use oxtorch_protocol::{FromHost, Mark, Told};

use crate::host::channel;
use crate::lock::lock;

thread_local! {
    /// The key of the test that is about to run.
    static KEY: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Lays the key of a test ready for it, or takes away one that nobody has taken.
pub(crate) fn lay_key(key: Option<String>) {
    KEY.set(key);
}

/// What the crate of a test tells the kernel by. It stands in that crate, where no other crate can name it.
#[derive(Debug, Default)]
pub struct GradedTest(Mutex<Option<String>>);

impl GradedTest {
    /// A test that has not begun.
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Takes the key.
    pub fn begin(&self) {
        *lock(&self.0) = KEY.take();
    }

    /// Gives points, with what the student is told of them.
    pub fn points(&self, points: impl Into<f64>, message: impl Display) {
        self.tell(Told::Points { points: points.into(), message: message.to_string() });
    }

    /// Tells that the test has come to its end.
    pub fn end(&self) {
        self.tell(Told::Ended);
    }

    fn tell(&self, told: Told) {
        // Not held while it is sent: the message may be a display of the student's own.
        let key = lock(&self.0).clone();
        if let Some(key) = key {
            channel::send(&FromHost::Mark(Mark { key, told }));
        }
    }
}

/// Says how many points a test gives for what it has found, such as `points(2.5, "accuracy 0.63 of 0.80")`. Where tests
/// are graded, the sum of these is what the test gives, up to what it is worth, and one that fails keeps what it gave
/// before; a test that has no such call in its text gives all it is worth if it comes to its end. Anywhere else it
/// prints a line.
pub fn points(points: impl Into<f64>, message: impl Display) {
    let points = points.into();
    println!("{points} {}: {message}", if points == 1.0 { "point" } else { "points" });
}
