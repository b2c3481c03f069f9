//! What a notebook's cells have shown, as a frontend would have kept it.

use std::collections::HashMap;

use jupyter_protocol::ExecutionCount;
use nbformat::v4::{self, MultilineString, Output};
use oxtorch_protocol::{Display, DisplayKind};

use crate::jupyter::media;
use crate::session::{CellError, Event, Stream, note_display};

/// The outputs of all cells so far.
#[derive(Default)]
pub(super) struct Outputs {
    cells: Vec<Vec<Output>>,
    execution_count: u32,
    /// Where displays with an id stand (cell, output), for updates from later cells.
    displays: HashMap<String, Vec<(usize, usize)>>,
    /// The next output takes the place of those that the cell has.
    clear_next: bool,
}

impl Outputs {
    /// From here on outputs are those of the next cell.
    pub(super) fn next_cell(&mut self, execution_count: u32) {
        self.cells.push(Vec::new());
        self.execution_count = execution_count;
        self.clear_next = false;
    }

    /// The outputs of each cell, in the order of [`Outputs::next_cell`].
    pub(super) fn cells(&self) -> &[Vec<Output>] {
        &self.cells
    }

    /// Takes what the cell shows. A question to the user is declined: nobody is there.
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Stream { stream, text } => self.stream(stream, text),
            Event::Display(display) => self.display(display),
            Event::Note(note) => self.display(note_display(&note)),
            Event::ClearOutput { wait: true } => self.clear_next = true,
            Event::ClearOutput { wait: false } => self.clear(),
            Event::Input { reply, .. } => drop(reply.send(None)),
        }
    }

    /// Takes the error that ended the cell.
    pub(super) fn error(&mut self, error: &CellError) {
        let CellError { ename, evalue, traceback } = error.clone();
        self.push(Output::Error(v4::ErrorOutput { ename, evalue, traceback }));
    }

    fn stream(&mut self, stream: Stream, text: String) {
        let name = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        self.clear_if_waiting();
        match self.cells.last_mut().and_then(|cell| cell.last_mut()) {
            Some(Output::Stream { name: last, text: so_far }) if last == name => so_far.0.push_str(&text),
            _ => {
                self.push(Output::Stream { name: name.into(), text: MultilineString(text) });
            }
        }
    }

    fn display(&mut self, display: Display) {
        let Display { kind, data, metadata, display_id } = display;
        let data = media(data);
        let output = match kind {
            DisplayKind::Update => return self.update(display_id, v4::DisplayData { data, metadata }),
            DisplayKind::Data => Output::DisplayData(v4::DisplayData { data, metadata }),
            DisplayKind::Result => {
                let execution_count = ExecutionCount::new(self.execution_count as usize);
                Output::ExecuteResult(v4::ExecuteResult { execution_count, data, metadata })
            }
        };
        let place = self.push(output);
        if let Some(id) = display_id {
            self.displays.entry(id).or_default().push(place);
        }
    }

    /// Gives every display with this id its new content; one that is gone is not shown again.
    fn update(&mut self, display_id: Option<String>, new: v4::DisplayData) {
        let places = display_id.and_then(|id| self.displays.get(&id)).into_iter().flatten();
        for &(cell, output) in places {
            match &mut self.cells[cell][output] {
                Output::DisplayData(display) => *display = new.clone(),
                Output::ExecuteResult(result) => {
                    result.data = new.data.clone();
                    result.metadata = new.metadata.clone();
                }
                Output::Stream { .. } | Output::Error(_) => {}
            }
        }
    }

    fn push(&mut self, output: Output) -> (usize, usize) {
        self.clear_if_waiting();
        if self.cells.is_empty() {
            self.cells.push(Vec::new());
        }
        let cell = self.cells.len() - 1;
        self.cells[cell].push(output);
        (cell, self.cells[cell].len() - 1)
    }

    fn clear_if_waiting(&mut self) {
        if std::mem::take(&mut self.clear_next) {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.clear_next = false;
        let Some(cell) = self.cells.len().checked_sub(1) else { return };
        self.cells[cell].clear();
        self.displays.values_mut().for_each(|places| places.retain(|place| place.0 != cell));
    }
}
