//! What a data set consists of: tensors that can be put on top of each other.

use anyhow::Result;
use tch::{Device, Tensor};

/// A tensor, or a few of them that belong together, in a tuple or an array: one sample, or a batch of samples along the
/// first dimension.
#[diagnostic::on_unimplemented(
    message = "a loader cannot stack samples of `{Self}`",
    label = "neither a tensor nor some of them in a tuple or an array",
    note = "give it a function that makes a batch of them: `DataLoader::with_collate(set, 64, |samples| ..)`"
)]
pub trait Sample: Send + Sized {
    /// Puts samples of one shape on top of each other.
    ///
    /// # Errors
    ///
    /// Where their shapes differ.
    fn stack(samples: &[Self]) -> Result<Self>;

    /// The same on another device.
    fn to_device(&self, device: Device) -> Self;
}

impl Sample for Tensor {
    fn stack(samples: &[Self]) -> Result<Self> {
        if let Some(other) = samples.iter().find(|sample| sample.size() != samples[0].size()) {
            anyhow::bail!(
                "samples of {:?} and {:?} cannot form a batch: crop, resize or pad them to one shape, or make batches \
                 with a function, such as `nn::utils::rnn::pad_sequence`, by `DataLoader::with_collate(set, 64, \
                 |samples| ..)`",
                samples[0].size(),
                other.size()
            );
        }
        Ok(Tensor::f_stack(samples, 0)?)
    }

    fn to_device(&self, device: Device) -> Self {
        Tensor::to_device(self, device)
    }
}

macro_rules! sample {
    (@tensor $part:tt) => { Tensor };
    ($($part:tt)*) => {
        impl Sample for ($(sample!(@tensor $part),)*) {
            fn stack(samples: &[Self]) -> Result<Self> {
                Ok(($({
                    let parts: Vec<Tensor> = samples.iter().map(|sample| sample.$part.shallow_clone()).collect();
                    Sample::stack(&parts)?
                },)*))
            }

            fn to_device(&self, device: Device) -> Self {
                ($(self.$part.to_device(device),)*)
            }
        }
    };
}
sample!(0);
sample!(0 1);
sample!(0 1 2);
sample!(0 1 2 3);
sample!(0 1 2 3 4);
sample!(0 1 2 3 4 5);

impl<const N: usize> Sample for [Tensor; N] {
    fn stack(samples: &[Self]) -> Result<Self> {
        let part = |at: usize| {
            let parts: Vec<Tensor> = samples.iter().map(|sample| sample[at].shallow_clone()).collect();
            Sample::stack(&parts)
        };
        let parts: Vec<Tensor> = (0..N).map(part).collect::<Result<_>>()?;
        Ok(parts.try_into().expect("as many parts as a sample has"))
    }

    fn to_device(&self, device: Device) -> Self {
        self.each_ref().map(|part| part.to_device(device))
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn samples_of_several_shapes_make_no_batch_of_themselves() {
        let samples = [[3i64, 2].as_slice(), &[4]].map(|size| Tensor::zeros(size, (Kind::Float, Device::Cpu)));
        assert_eq!(Sample::stack(&samples[..1]).expect("a batch").size(), [1, 3, 2]);
        let error = Sample::stack(&samples).expect_err("no batch").to_string();
        assert!(error.contains("[3, 2] and [4]") && error.contains("pad_sequence"), "{error}");
    }
}
