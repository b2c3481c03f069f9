//! Runs cells one by one, for whoever decides from what became of one which is next.

use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::Context;
use nbformat::v4::Output;
use oxtorch_protocol::Told;
use oxtorch_session::{Aside, CellError, CellRequest, Engine};
use oxtorch_system::signals::Endings;

use crate::outputs::Outputs;
use crate::run_cell;

/// What a cell may take.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// The longest that it may run.
    pub timeout: Option<Duration>,
    /// Whether it ends once it has shown more than is kept.
    pub ends_at_output_limit: bool,
}

/// What became of a cell.
#[derive(Debug)]
pub struct Step {
    /// The error that ended it, if one did.
    pub error: Option<CellError>,
    /// What it showed, as notebook files have it, with the error.
    pub outputs: Vec<Output>,
    /// What it told of itself, if it is a test.
    pub marks: Vec<Told>,
    /// How long it took, with its compilation.
    pub took: Duration,
    /// Nothing more can be run: the cell did not end.
    pub is_last: bool,
    /// A signal has ended it: what became of it is not its own doing.
    pub is_interrupted: bool,
}

/// An engine, and what its cells have shown.
pub struct Stepwise<E> {
    engine: E,
    aside: Aside,
    signals: Endings,
    room_of_cell: usize,
    /// What is kept of all cells from here on, in bytes.
    room: usize,
}

/// How many cells may show as much as one may.
const LARGE_CELLS: usize = 4;

impl<E: Engine> Stepwise<E> {
    /// Takes an engine. So many bytes are kept of what each cell shows, and a few times as many of what all show.
    ///
    /// # Errors
    ///
    /// Where signals cannot be heard.
    pub fn new(mut engine: E, room_of_cell: usize) -> anyhow::Result<Self> {
        let aside = Aside::of(&mut engine);
        let signals = Endings::listen().context("cannot listen for signals")?;
        Ok(Self { engine, aside, signals, room_of_cell, room: LARGE_CELLS * room_of_cell })
    }

    /// Runs a cell to its end.
    pub async fn run(&mut self, request: CellRequest<'_>, limits: Limits) -> Step {
        let mut outputs = Outputs::with_room(Some(self.room_of_cell.min(self.room)));
        outputs.next_cell(request.execution_count);
        while let Some(event) = self.aside.try_next() {
            outputs.take(event);
        }
        let began = Instant::now();
        let Self { engine, aside, signals, .. } = self;
        let ended = run_cell(engine, request, limits, aside, &mut outputs, signals).await;
        let error = ended.outcome.err();
        if let Some(error) = &error {
            outputs.error(error);
        }
        outputs.tell_what_is_missed();
        self.room = self.room.saturating_sub(outputs.bytes());
        Step {
            error,
            marks: outputs.take_marks(),
            outputs: outputs.cells().flatten().cloned().collect(),
            took: began.elapsed(),
            is_last: ended.lost,
            is_interrupted: ended.interrupted,
        }
    }

    /// The engine, for what is asked between cells.
    pub fn engine(&mut self) -> &mut E {
        &mut self.engine
    }

    /// Ends the session. What is shown then is not kept.
    pub async fn end(self) {
        let Self { engine, mut aside, .. } = self;
        let mut ended = Some(pin!(engine.shutdown()));
        while aside.next_until(&mut ended).await.is_some() {}
    }
}
