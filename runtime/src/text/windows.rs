//! Windows of a long text, to train a language model: each token's target is the next one.

use anyhow::{Result, ensure};
use tch::{Device, Kind, Tensor};

use crate::data::Dataset;

/// Inputs `[context]` and targets `[context]`, the same shifted by one; as batches `[N, context]` both, int64.
///
/// ```
/// use oxtorch::prelude::*;
/// let tokenizer = text::CharTokenizer::train(moby_dick());
/// let tokens = tokenizer.encode(&moby_dick()[..10_000])?;
/// let loader = DataLoader::new(text::TokenWindows::new(&tokens, 64)?, 16).shuffle(42);
/// for (inputs, targets) in &loader {
///     assert_eq!(inputs.size()[1], 64);
///     assert_eq!(inputs.i((0, 1..)), targets.i((0, ..63)));
/// }
/// ```
#[derive(Debug)]
pub struct TokenWindows {
    tokens: Tensor,
    context: i64,
    stride: i64,
}

impl TokenWindows {
    /// Windows of `context` tokens side by side: each token is an input once an epoch.
    ///
    /// # Errors
    ///
    /// Where there are too few tokens for one window, or the context is 0.
    pub fn new(tokens: &[i64], context: usize) -> Result<Self> {
        ensure!(context > 0, "a context of 0 tokens; give at least 1");
        ensure!(
            tokens.len() > context,
            "{} tokens for a context of {context}: a window takes one more than the context",
            tokens.len()
        );
        let context = context as i64;
        Ok(Self { tokens: Tensor::from_slice(tokens), context, stride: context })
    }

    /// A window begins every so many tokens: 1 for all that there are.
    ///
    /// # Panics
    ///
    /// Where it is 0.
    pub fn stride(mut self, stride: usize) -> Self {
        assert!(stride > 0, "TokenWindows: a stride of 0; give at least 1");
        self.stride = stride as i64;
        self
    }
}

impl Dataset for TokenWindows {
    type Sample = (Tensor, Tensor);

    fn len(&self) -> usize {
        ((self.tokens.size()[0] - self.context - 1) / self.stride + 1) as usize
    }

    fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
        let (inputs, targets) = self.batch(&[index])?;
        Ok((inputs.squeeze_dim(0), targets.squeeze_dim(0)))
    }

    fn batch(&self, indices: &[usize]) -> Result<(Tensor, Tensor)> {
        let len = self.len();
        if let Some(index) = indices.iter().find(|index| **index >= len) {
            anyhow::bail!("there is no window {index} among {len}, which count from 0");
        }
        let starts: Vec<i64> = indices.iter().map(|index| *index as i64 * self.stride).collect();
        let places =
            Tensor::from_slice(&starts).unsqueeze(1) + Tensor::arange(self.context + 1, (Kind::Int64, Device::Cpu));
        let windows = self.tokens.f_take(&places)?;
        Ok((windows.narrow(1, 0, self.context), windows.narrow(1, 1, self.context)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(tensor: &Tensor) -> Vec<i64> {
        Vec::try_from(tensor.flatten(0, -1)).expect("numbers")
    }

    #[test]
    fn targets_are_the_inputs_shifted_by_one() {
        let tokens: Vec<i64> = (10..21).collect();
        let windows = TokenWindows::new(&tokens, 3).expect("windows");
        assert_eq!(windows.len(), 3);
        let (inputs, targets) = windows.batch(&[2, 0]).expect("a batch");
        assert_eq!((numbers(&inputs), numbers(&targets)), (vec![16, 17, 18, 10, 11, 12], vec![17, 18, 19, 11, 12, 13]));
        let (inputs, _) = windows.get(1).expect("a window");
        assert_eq!((inputs.size(), numbers(&inputs)), (vec![3], vec![13, 14, 15]));
    }

    #[test]
    fn with_a_stride_of_1_all_windows_come_up_to_the_last_token() {
        let tokens: Vec<i64> = (0..6).collect();
        let windows = TokenWindows::new(&tokens, 2).expect("windows").stride(1);
        assert_eq!(windows.len(), 4);
        assert_eq!(numbers(&windows.get(3).expect("the last").1), [4, 5]);
        assert!(windows.get(4).expect_err("none").to_string().contains("no window 4 among 4"));
        assert_eq!(TokenWindows::new(&tokens, 5).expect("one").len(), 1);
        assert!(TokenWindows::new(&tokens, 6).expect_err("none").to_string().contains("6 tokens for a context of 6"));
    }
}
