//! How surprised a language model is.

use tch::{Kind, Reduction, Tensor};

/// `exp(mean cross entropy)`: from how many tokens the model chooses on average as if at random. Logits `[..., V]` for
/// target tokens `[...]` int64; targets of -100 do not count, as in PyTorch's losses.
///
/// ```
/// use oxtorch::prelude::*;
/// let logits = Tensor::zeros([2, 5, 50], (Kind::Float, Device::Cpu)); // any of 50 tokens
/// let tokens = Tensor::ones([2, 5], (Kind::Int64, Device::Cpu));
/// assert!((metrics::perplexity(&logits, &tokens) - 50.0).abs() < 1e-3);
/// ```
///
/// # Panics
///
/// Where the shapes do not go together.
pub fn perplexity(logits: &Tensor, targets: &Tensor) -> f64 {
    let (of_logits, of_targets) = (logits.size(), targets.size());
    assert!(
        of_logits.split_last().is_some_and(|(_, rest)| rest == of_targets),
        "perplexity: logits of {of_logits:?} for tokens of {of_targets:?}; they are [..., V] and [...]"
    );
    let vocabulary = of_logits[of_logits.len() - 1];
    let logits = logits.detach().to_kind(Kind::Double).reshape([-1, vocabulary]);
    let loss = logits.cross_entropy_loss(&targets.reshape([-1]), None::<Tensor>, Reduction::Mean, -100, 0.0);
    loss.double_value(&[]).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn it_is_the_exponential_of_pytorchs_loss() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/metrics.json"));
        let actual = perplexity(&reference.tensor("/perplexity/logits"), &reference.tensor("/perplexity/tokens"));
        let expected = reference.number("/perplexity/value");
        assert!((actual - expected).abs() < 1e-5 * expected, "{actual} instead of {expected}");
    }
}
