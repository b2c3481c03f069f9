//! What a notebook's cells have shown, as a frontend would have kept it.

use std::collections::HashMap;

use jupyter_protocol::ExecutionCount;
use nbformat::v4::{self, MultilineString, Output};
use oxtorch_protocol::{Display, DisplayKind, Told};
use oxtorch_session::formats::media;
use oxtorch_session::{CellError, Event, Stream, note_display};
use serde_json::{Map, Value};

/// What is kept of the outputs of one cell, in bytes: who reads the notebook has to load all of it.
const ROOM_OF_CELL: usize = 64 << 20;

/// What is kept of the outputs of all cells, in bytes.
const ROOM: usize = 512 << 20;

/// What an output takes besides what it holds.
const BYTES_OF_OUTPUT: usize = 256;

/// Stands for a widget, which a frontend draws as long as the session lives. In a notebook that ran without one there
/// is nothing to draw.
const WIDGET: &str = "application/vnd.jupyter.widget-view+json";

/// The outputs of all cells so far.
pub(super) struct Outputs {
    cells: Vec<CellOutputs>,
    /// What is kept of one cell, in bytes.
    room_of_cell: usize,
    /// What all of them take.
    bytes: usize,
    /// Where displays with an id stand (cell, output), for updates from later cells.
    displays: HashMap<String, Vec<(usize, usize)>>,
    /// What tests have told of themselves.
    marks: Vec<Told>,
}

/// What one cell has shown.
#[derive(Default)]
struct CellOutputs {
    outputs: Vec<Output>,
    /// What each of them takes.
    sizes: Vec<usize>,
    /// What came when there was no room for it any more. From then on nothing is kept, so that what is has no gaps.
    missed: usize,
    execution_count: u32,
    /// The next output takes the place of those that the cell has.
    clear_next: bool,
}

impl Outputs {
    /// Outputs that keep so many bytes of one cell, or as many as usual.
    pub(super) fn with_room(room_of_cell: Option<usize>) -> Self {
        let room_of_cell = room_of_cell.unwrap_or(ROOM_OF_CELL).min(ROOM);
        Self { cells: Vec::new(), room_of_cell, bytes: 0, displays: HashMap::new(), marks: Vec::new() }
    }

    /// From here on outputs are those of the next cell.
    pub(super) fn next_cell(&mut self, execution_count: u32) {
        // What comes later from threads of the cells before replaces nothing.
        self.cells.iter_mut().for_each(|cell| cell.clear_next = false);
        self.cells.push(CellOutputs { execution_count, ..CellOutputs::default() });
    }

    /// Says at the end of a cell's outputs what of them is not there.
    pub(super) fn tell_what_is_missed(&mut self) {
        for cell in 0..self.cells.len() {
            let missed = std::mem::take(&mut self.cells[cell].missed);
            if missed > 0 {
                let megabytes = missed.div_ceil(1 << 20);
                let (of_cell, of_all) = (self.room_of_cell >> 20, ROOM >> 20);
                let note = format!(
                    "{megabytes} MB more were printed or shown and are not kept: a notebook gets at most {of_cell} MB of one \
                     cell's outputs and {of_all} MB of all"
                );
                let Display { data, metadata, .. } = note_display(&note);
                self.add(cell, Output::DisplayData(v4::DisplayData { data: media(data), metadata }), note.len());
            }
        }
    }

    /// What tests have told since this was last asked.
    pub(super) fn take_marks(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.marks)
    }

    /// What all of them take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the cell has shown more than there is room for.
    pub(super) fn is_over(&self) -> bool {
        self.cells.last().is_some_and(|cell| cell.missed > 0)
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
            // Nobody moves a slider.
            Event::Comm(_) => {}
            Event::ClearOutput { wait: true } => self.cell(cell).clear_next = true,
            Event::ClearOutput { wait: false } => self.clear(cell),
            Event::Input { reply, .. } => drop(reply.send(None)),
            Event::Mark(told) => self.marks.push(told),
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
        let CellError { kind, evalue, traceback } = error.clone();
        let ename = kind.name().into();
        self.clear_if_waiting(self.last());
        // Whatever else is missed, why a cell failed is told.
        let bytes = evalue.len() + traceback.iter().map(String::len).sum::<usize>();
        self.add(self.last(), Output::Error(v4::ErrorOutput { ename, evalue, traceback }), bytes);
    }

    fn stream(&mut self, cell: usize, stream: Stream, text: String) {
        let name = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        self.clear_if_waiting(cell);
        let goes_on = matches!(self.cell(cell).outputs.last(), Some(Output::Stream { name: last, .. }) if last == name);
        let room = if goes_on { text.len() } else { text.len() + BYTES_OF_OUTPUT };
        if !self.has_room(cell, room) {
            return;
        }
        let of_cell = self.cell(cell);
        match (of_cell.outputs.last_mut(), of_cell.sizes.last_mut()) {
            (Some(Output::Stream { text: so_far, .. }), Some(size)) if goes_on => {
                so_far.0.push_str(&text);
                *size += text.len();
                self.bytes += text.len();
            }
            _ => {
                let bytes = text.len();
                self.add(cell, Output::Stream { name: name.into(), text: MultilineString(text) }, bytes);
            }
        }
    }

    /// Whether there is room for so many bytes more; where there is none they are missed.
    fn has_room(&mut self, cell: usize, bytes: usize) -> bool {
        let (of_all, room) = (self.bytes, self.room_of_cell);
        let of_cell = self.cell(cell);
        let taken: usize = of_cell.sizes.iter().sum();
        let has_room = of_cell.missed == 0 && taken + bytes <= room && of_all + bytes <= ROOM;
        if !has_room {
            of_cell.missed += bytes;
        }
        has_room
    }

    fn display(&mut self, cell: usize, display: Display) {
        let Display { kind, mut data, metadata, display_id } = display;
        if data.len() > 1 {
            data.remove(WIDGET);
        }
        let bytes = bytes_of(&data) + bytes_of(&metadata);
        let data = media(data);
        if kind == DisplayKind::Update {
            return self.update(display_id, v4::DisplayData { data, metadata }, bytes);
        }
        self.clear_if_waiting(cell);
        if !self.has_room(cell, bytes + BYTES_OF_OUTPUT) {
            return;
        }
        let output = match kind {
            DisplayKind::Data | DisplayKind::Update => Output::DisplayData(v4::DisplayData { data, metadata }),
            DisplayKind::Result => {
                let execution_count = ExecutionCount::new(self.cell(cell).execution_count as usize);
                Output::ExecuteResult(v4::ExecuteResult { execution_count, data, metadata })
            }
        };
        let place = self.add(cell, output, bytes);
        if let Some(id) = display_id {
            self.displays.entry(id).or_default().push(place);
        }
    }

    /// Gives every display with this id its new content; one that is gone is not shown again.
    fn update(&mut self, display_id: Option<String>, new: v4::DisplayData, bytes: usize) {
        let places = display_id.and_then(|id| self.displays.get(&id)).cloned().unwrap_or_default();
        for (cell, output) in places {
            let before = self.cells[cell].sizes[output];
            if !self.has_room(cell, (bytes + BYTES_OF_OUTPUT).saturating_sub(before)) {
                continue;
            }
            match &mut self.cells[cell].outputs[output] {
                Output::DisplayData(display) => *display = new.clone(),
                Output::ExecuteResult(result) => {
                    result.data = new.data.clone();
                    result.metadata = new.metadata.clone();
                }
                Output::Stream { .. } | Output::Error(_) => continue,
            }
            self.cells[cell].sizes[output] = bytes + BYTES_OF_OUTPUT;
            self.bytes = self.bytes - before + bytes + BYTES_OF_OUTPUT;
        }
    }

    /// Adds an output that holds so many bytes.
    fn add(&mut self, cell: usize, output: Output, bytes: usize) -> (usize, usize) {
        self.bytes += bytes + BYTES_OF_OUTPUT;
        let of_cell = self.cell(cell);
        of_cell.sizes.push(bytes + BYTES_OF_OUTPUT);
        of_cell.outputs.push(output);
        (cell, of_cell.outputs.len() - 1)
    }

    fn clear_if_waiting(&mut self, cell: usize) {
        if std::mem::take(&mut self.cell(cell).clear_next) {
            self.clear(cell);
        }
    }

    fn clear(&mut self, cell: usize) {
        let of_cell = self.cell(cell);
        of_cell.clear_next = false;
        of_cell.missed = 0;
        of_cell.outputs.clear();
        let taken: usize = of_cell.sizes.drain(..).sum();
        self.bytes -= taken;
        self.displays.retain(|_, places| {
            places.retain(|place| place.0 != cell);
            !places.is_empty()
        });
    }
}

/// About what the data of a display takes.
fn bytes_of(data: &Map<String, Value>) -> usize {
    data.iter().map(|(key, value)| key.len() + bytes_of_value(value)).sum()
}

fn bytes_of_value(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(bytes_of_value).sum(),
            Value::Object(values) => bytes_of(values),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(outputs: &[Output]) -> usize {
        let length = |output: &Output| if let Output::Stream { text, .. } = output { text.0.len() } else { 0 };
        outputs.iter().map(length).sum()
    }

    fn print(outputs: &mut Outputs, bytes: usize) {
        outputs.take(Event::Stream { stream: Stream::Stdout, text: "a".repeat(bytes) });
    }

    fn show(outputs: &mut Outputs, kind: DisplayKind, id: &str, bytes: usize) {
        let data = Map::from_iter([("text/plain".to_owned(), "a".repeat(bytes).into())]);
        outputs.take(Event::Display(Display { kind, data, metadata: Map::new(), display_id: Some(id.to_owned()) }));
    }

    fn taken(outputs: &Outputs) -> usize {
        outputs.cells.iter().flat_map(|cell| &cell.sizes).sum()
    }

    #[test]
    fn what_prints_without_end_fills_no_memory_and_the_notebook_says_so() {
        let mut outputs = Outputs::with_room(None);
        outputs.next_cell(1);
        for _ in 0..100 {
            print(&mut outputs, 1 << 20);
        }
        print(&mut outputs, 1);
        outputs.next_cell(2);
        print(&mut outputs, 3);
        outputs.tell_what_is_missed();
        let cells: Vec<&[Output]> = outputs.cells().collect();
        assert_eq!((text(cells[0]), text(cells[1])), (63 << 20, 3));
        let [Output::Stream { .. }, Output::DisplayData(note)] = cells[0] else { panic!("a note stands at its end") };
        assert!(serde_json::to_string(note).expect("is JSON").contains("38 MB more"), "{note:?}");
        assert_eq!(cells[1].len(), 1);
    }

    #[test]
    fn widgets_are_kept_as_their_text() {
        let mut outputs = Outputs::with_room(None);
        outputs.next_cell(1);
        let data = Map::from_iter([(WIDGET.to_owned(), Value::Null), ("text/plain".to_owned(), "k: 5".into())]);
        let display = Display { kind: DisplayKind::Data, data, metadata: Map::new(), display_id: None };
        outputs.take(Event::Display(display));
        let kept = serde_json::to_value(outputs.cells().next()).expect("is JSON");
        assert_eq!(kept[0]["data"], serde_json::json!({"text/plain": ["k: 5"]}));
    }

    #[test]
    fn all_cells_together_have_a_bound() {
        let mut outputs = Outputs::with_room(None);
        for cell in 0..20 {
            outputs.next_cell(cell);
            print(&mut outputs, 60 << 20);
        }
        let kept: usize = outputs.cells().map(text).sum();
        assert!(kept <= ROOM && kept > ROOM - ROOM_OF_CELL, "{kept}");
        assert_eq!(outputs.bytes, taken(&outputs));
    }

    #[test]
    fn what_is_cleared_or_replaced_takes_no_room() {
        let mut outputs = Outputs::with_room(None);
        outputs.next_cell(1);
        for _ in 0..10 {
            print(&mut outputs, 20 << 20);
            outputs.take(Event::ClearOutput { wait: true });
        }
        show(&mut outputs, DisplayKind::Data, "x", 10);
        for _ in 0..10 {
            show(&mut outputs, DisplayKind::Update, "x", 20 << 20);
        }
        assert_eq!(outputs.bytes, taken(&outputs));
        assert!(outputs.cells[0].missed == 0 && outputs.bytes < 21 << 20, "{}", outputs.bytes);
        // Of many places that one update fills, as many as there is room for.
        for _ in 0..10 {
            show(&mut outputs, DisplayKind::Data, "y", 1);
        }
        show(&mut outputs, DisplayKind::Update, "y", 20 << 20);
        assert!(outputs.cells[0].missed > 0 && outputs.bytes <= ROOM_OF_CELL, "{}", outputs.bytes);
        outputs.take(Event::ClearOutput { wait: false });
        assert!(outputs.bytes == 0 && outputs.displays.is_empty());
    }
}
