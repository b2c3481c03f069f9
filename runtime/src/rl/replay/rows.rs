//! Tensors of one shape and kind, one after the other in memory of one piece.

use tch::{Device, Kind, Tensor};

/// Rows that are numbered from 0.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    /// What a row is, and what several are, for messages.
    one: &'static str,
    all: &'static str,
    /// Those of the first row.
    layout: Option<(Vec<i64>, Kind)>,
    bytes: Vec<u8>,
}

impl Rows {
    pub(super) fn of(one: &'static str, all: &'static str) -> Self {
        Self { one, all, layout: None, bytes: Vec::new() }
    }

    /// Complains where a row is not as the first one.
    #[track_caller]
    pub(super) fn check(&self, row: &Tensor) {
        let Some((shape, kind)) = &self.layout else { return };
        let Self { one, all, .. } = self;
        assert!(row.size() == *shape, "{one} of {:?} in a buffer of {all} of {shape:?}", row.size());
        assert!(row.kind() == *kind, "{one} of {:?} in a buffer of {all} of {kind:?}", row.kind());
    }

    /// Writes a row in place of that number, or behind the last one.
    pub(super) fn put(&mut self, at: usize, row: &Tensor) {
        if self.layout.is_none() {
            self.layout = Some((row.size(), row.kind()));
        }
        let row = row.detach().to_device(Device::Cpu).contiguous();
        let width = row.numel() * row.kind().elt_size_in_bytes();
        let place = at * width..(at + 1) * width;
        if self.bytes.len() < place.end {
            self.bytes.resize(place.end, 0);
        }
        row.copy_data_u8(&mut self.bytes[place], row.numel());
    }

    /// Some rows, on top of each other.
    pub(super) fn gather(&self, drawn: &[usize], device: Device) -> Tensor {
        let (shape, kind) = self.layout.as_ref().expect("there are rows where some are drawn");
        let width = shape.iter().product::<i64>() as usize * kind.elt_size_in_bytes();
        let bytes: Vec<u8> = drawn.iter().flat_map(|at| &self.bytes[at * width..(at + 1) * width]).copied().collect();
        let shape: Vec<i64> = [drawn.len() as i64].iter().chain(shape).copied().collect();
        Tensor::from_data_size(&bytes, &shape, *kind).to_device(device)
    }
}
