//! Files that lie in memory, and tensors over them.

use std::ffi::c_void;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use memmap2::{MmapOptions, MmapRaw};
use tch::{Device, Kind, TchError, Tensor};
use torch_sys::C_tensor;

use super::FileError;
use crate::shim::{pointer, succeeded};

// As `kernel/setup/src/shim/memory.h` defines it; the shim is loaded with the runtime.
unsafe extern "C" {
    fn oxtorch_keep_memory(
        over: *mut C_tensor,
        owner: *mut c_void,
        drop: unsafe extern "C" fn(*mut c_void),
    ) -> *mut C_tensor;
}

/// A file in memory, of which the system reads what is looked at. What is written to it stays in memory. It is there
/// as long as this or a tensor over it is, also if the file is removed.
#[derive(Debug)]
pub(super) struct Mapped(Arc<MmapRaw>);

impl Mapped {
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let file = File::open(path).map_err(FileError::reading(path))?;
        if file.metadata().map_err(FileError::reading(path))?.len() == 0 {
            return Err(FileError::damaged(path, "is empty: it was not written or copied in full"));
        }
        // SAFETY: a file that another process shortens would end this one; that nobody does so is asked of the user in
        // the documentation of `StateDict::read`, and what Oxtorch saves takes a new file.
        let map = unsafe { MmapOptions::new().map_copy(&file) }.map_err(FileError::reading(path))?;
        Ok(Self(Arc::new(map.into())))
    }

    /// How many bytes the file has.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The whole file; to be read before a tensor is made.
    pub(super) fn bytes(&self) -> &[u8] {
        self.part(0..self.len())
    }

    fn part(&self, place: Range<usize>) -> &[u8] {
        assert!(place.start <= place.end && place.end <= self.len(), "{place:?} is outside the file");
        // SAFETY: the place is in the mapping, which lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(place.start), place.len()) }
    }

    /// The numbers at a place in the file, as many as the shape says. Where they begin between two addresses that
    /// numbers of this kind have, they are copied.
    ///
    /// # Panics
    ///
    /// Where the place is outside the file or has another size.
    pub(super) fn tensor(&self, place: Range<usize>, shape: &[i64], kind: Kind) -> Result<Tensor, TchError> {
        let count: usize = shape.iter().map(|extent| *extent as usize).product();
        assert_eq!(place.len(), count * kind.elt_size_in_bytes(), "the bytes of {shape:?}");
        // The parts of a complex number are aligned as numbers are, and no number is wider than 8 bytes.
        if !place.start.is_multiple_of(kind.elt_size_in_bytes().min(8)) {
            return Tensor::f_from_data_size(self.part(place), shape, kind);
        }
        assert!(place.end <= self.len(), "{place:?} is outside the file");
        // SAFETY: the place is in the mapping, which the tensor below keeps.
        let over = unsafe {
            let start = self.0.as_mut_ptr().add(place.start);
            Tensor::f_from_blob(start, shape, &[], kind, Device::Cpu)?
        };
        let owner = Arc::into_raw(Arc::clone(&self.0)).cast_mut().cast();
        // SAFETY: the tensor lives for the call, and the owner is given away to be released once.
        let kept = unsafe { oxtorch_keep_memory(pointer(&over), owner, release) };
        succeeded()?;
        // SAFETY: it is a tensor of its own.
        Ok(unsafe { Tensor::from_ptr(kept) })
    }
}

unsafe extern "C" fn release(owner: *mut c_void) {
    // SAFETY: it is what `Mapped::tensor` has given away.
    drop(unsafe { Arc::from_raw(owner.cast_const().cast::<MmapRaw>()) });
}
