//! Notes on losses that were given predictions and targets of shapes that differ: libtorch broadcasts them and says
//! nothing, and of `[N, 1]` and `[N]` each prediction is compared with the targets of all.
//!
//! The shim sees such a call (`kernel/setup/src/shim/broadcasts.h`); an operator such as `-` it does not tell of, since
//! there broadcasting is meant.

use std::ffi::{CStr, c_char};

use super::notes::note_each;

const DIFFERENT_SHAPES: &str = "the shapes differ and are broadcast, so that predictions are compared with targets that are not theirs. Make them one shape \
                                first, as by `predictions.squeeze_dim(-1)` or `targets.unsqueeze(-1)`; if you mean it, say so with \
                                `targets.expand_as(&predictions)`";

// SAFETY: as `kernel/setup/src/shim/broadcasts.h` defines it; the shim is loaded with the runtime. It takes any
// function, and calls it with a text that ends with a 0 and lives for that call.
unsafe extern "C" {
    safe fn oxtorch_tell_broadcasts_to(tell: unsafe extern "C" fn(*const c_char));
}

/// From now on each such call of a cell is noted, once for each pair of shapes.
pub(crate) fn note_broadcasts() {
    oxtorch_tell_broadcasts_to(note_broadcast);
}

/// # Safety
///
/// The text ends with a 0.
unsafe extern "C" fn note_broadcast(call: *const c_char) {
    // SAFETY: the shim, which alone calls this, gives such a text.
    let call = unsafe { CStr::from_ptr(call) };
    note_each(DIFFERENT_SHAPES, &call.to_string_lossy());
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Reduction, Tensor};

    use super::super::notes::take;
    use super::*;

    #[test]
    fn a_loss_of_a_column_and_a_row_is_noted_once() {
        note_broadcasts();
        let ones = |shape: &[i64]| Tensor::ones(shape, (Kind::Float, Device::Cpu));
        for _ in 0..2 {
            let _ = ones(&[5, 1]).mse_loss(&ones(&[5]), Reduction::Mean);
            let _ = ones(&[1, 5]).mse_loss(&ones(&[5]), Reduction::Mean);
        }
        let notes: Vec<String> = take().into_iter().filter(|note| note.contains("[5, 1]")).collect();
        assert_eq!(notes, [format!("`mse_loss([5, 1], [5])`: {DIFFERENT_SHAPES}.")]);
    }
}
