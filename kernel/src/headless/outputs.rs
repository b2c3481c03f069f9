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
    cells: Vec<CellOutputs>,
    /// Where displays with an id stand (cell, output), for updates from later cells.
    displays: HashMap<String, Vec<(usize, usize)>>,
}

/// What one cell has shown.
#[derive(Default)]
struct CellOutputs {
    outputs: Vec<Output>,
    execution_count: u32,
    /// The next output takes the place of those that the cell has.
    clear_next: bool,
}

impl Outputs {
    /// From here on outputs are those of the next cell.
    pub(super) fn next_cell(&mut self, execution_count: u32) {
        // What comes later from threads of the cells before replaces nothing.
        self.cells.iter_mut().for_each(|cell| cell.clear_next = false);
        self.cells.push(CellOutputs { execution_count, ..CellOutputs::default() });
    }

    /// The outputs of each cell, in the order of [`Outputs::next_cell`].
    pub(super) fn cells(&self) -> impl Iterator<Item = &[Output]> {
        self.cells.iter().map(|cell| cell.outputs.as_slice())
    }

    /// Takes what the cell shows. A question to the user is declined: nobody is there.
    pub(super) fn take(&mut self, event: Event) {
        self.take_of(self.last(), event);
    }

    /// Takes what was shown before the cell ran: it belongs to the one before, if there is one.
    pub(super) fn take_earlier(&mut self, event: Event) {
        self.take_of(self.last().saturating_sub(1), event);
    }

    fn take_of(&mut self, cell: usize, event: Event) {
        match event {
            Event::Stream { stream, text } => self.stream(cell, stream, text),
            Event::Display(display) => self.display(cell, display),
            Event::Note(note) => self.display(cell, note_display(&note)),
            // Whoever runs a notebook without a frontend has decided what comes next.
            Event::StillRuns(_) => {}
            Event::ClearOutput { wait: true } => self.cell(cell).clear_next = true,
            Event::ClearOutput { wait: false } => self.clear(cell),
            Event::Input { reply, .. } => drop(reply.send(None)),
        }
    }

    /// The number of the running cell, or of the last one.
    fn last(&self) -> usize {
        self.cells.len().saturating_sub(1)
    }

    fn cell(&mut self, cell: usize) -> &mut CellOutputs {
        if self.cells.is_empty() {
            self.cells.push(CellOutputs::default());
        }
        &mut self.cells[cell]
    }

    /// Takes the error that ended the cell.
    pub(super) fn error(&mut self, error: &CellError) {
        let CellError { ename, evalue, traceback } = error.clone();
        self.push(self.last(), Output::Error(v4::ErrorOutput { ename, evalue, traceback }));
    }

    fn stream(&mut self, cell: usize, stream: Stream, text: String) {
        let name = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        self.clear_if_waiting(cell);
        match self.cell(cell).outputs.last_mut() {
            Some(Output::Stream { name: last, text: so_far }) if last == name => so_far.0.push_str(&text),
            _ => {
                self.push(cell, Output::Stream { name: name.into(), text: MultilineString(text) });
            }
        }
    }

    fn display(&mut self, cell: usize, display: Display) {
        let Display { kind, data, metadata, display_id } = display;
        let data = media(data);
        let output = match kind {
            DisplayKind::Update => return self.update(display_id, v4::DisplayData { data, metadata }),
            DisplayKind::Data => Output::DisplayData(v4::DisplayData { data, metadata }),
            DisplayKind::Result => {
                let execution_count = ExecutionCount::new(self.cell(cell).execution_count as usize);
                Output::ExecuteResult(v4::ExecuteResult { execution_count, data, metadata })
            }
        };
        let place = self.push(cell, output);
        if let Some(id) = display_id {
            self.displays.entry(id).or_default().push(place);
        }
    }

    /// Gives every display with this id its new content; one that is gone is not shown again.
    fn update(&mut self, display_id: Option<String>, new: v4::DisplayData) {
        let places = display_id.and_then(|id| self.displays.get(&id)).into_iter().flatten();
        for &(cell, output) in places {
            match &mut self.cells[cell].outputs[output] {
                Output::DisplayData(display) => *display = new.clone(),
                Output::ExecuteResult(result) => {
                    result.data = new.data.clone();
                    result.metadata = new.metadata.clone();
                }
                Output::Stream { .. } | Output::Error(_) => {}
            }
        }
    }

    fn push(&mut self, cell: usize, output: Output) -> (usize, usize) {
        self.clear_if_waiting(cell);
        let outputs = &mut self.cell(cell).outputs;
        outputs.push(output);
        (cell, outputs.len() - 1)
    }

    fn clear_if_waiting(&mut self, cell: usize) {
        if std::mem::take(&mut self.cell(cell).clear_next) {
            self.clear(cell);
        }
    }

    fn clear(&mut self, cell: usize) {
        let outputs = self.cell(cell);
        outputs.clear_next = false;
        outputs.outputs.clear();
        self.displays.values_mut().for_each(|places| places.retain(|place| place.0 != cell));
    }
}
