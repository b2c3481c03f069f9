//! The next token, drawn from a language model's logits.

use std::sync::Mutex;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tch::Tensor;

use crate::elements::elements;
use crate::lock::lock;

/// Draws tokens from logits, of which it keeps the likely ones: `softmax(logits / temperature)` cut down by top-k and
/// then by top-p. The default draws from the whole distribution.
///
/// ```
/// use oxtorch::prelude::*;
/// let logits = Tensor::from_slice(&[2.0f32, 1.0, 0.5, -3.0]);
/// let sampler = text::Sampler::new(42).temperature(0.8).top_k(3).top_p(0.9);
/// let token = sampler.sample(&logits, &[]);
/// assert!((0..3).contains(&token));
/// assert_eq!(text::Sampler::greedy().sample(&logits, &[]), 0);
/// ```
///
/// The same seed draws the same tokens from the same logits.
#[derive(Debug)]
pub struct Sampler {
    temperature: f64,
    top_k: Option<usize>,
    top_p: f64,
    repetition_penalty: f64,
    random: Mutex<StdRng>,
}

impl Sampler {
    /// Draws from all tokens, with random numbers of a seed.
    pub fn new(seed: u64) -> Self {
        let random = Mutex::new(StdRng::seed_from_u64(seed));
        Self { temperature: 1.0, top_k: None, top_p: 1.0, repetition_penalty: 1.0, random }
    }

    /// Always takes the likeliest token.
    pub fn greedy() -> Self {
        Self::new(0).top_k(1)
    }

    /// Below 1 the likely tokens become likelier, above 1 less so. Default 1.
    ///
    /// # Panics
    ///
    /// Where it is not positive; for the likeliest token there is [`Sampler::greedy`].
    pub fn temperature(mut self, temperature: f64) -> Self {
        assert!(
            temperature > 0.0,
            "a temperature of {temperature}; it must be positive; Sampler::greedy() takes the likeliest"
        );
        self.temperature = temperature;
        self
    }

    /// Keeps the `k` likeliest tokens (A. Fan et al., Hierarchical neural story generation, 2018). Of equals the first
    /// ones.
    ///
    /// # Panics
    ///
    /// Where `k` is 0.
    pub fn top_k(mut self, k: usize) -> Self {
        assert!(k > 0, "top_k of 0 keeps no token; give at least 1");
        self.top_k = Some(k);
        self
    }

    /// Keeps the likeliest tokens which together have a probability of at least `p` (A. Holtzman et al., The curious
    /// case of neural text degeneration, 2020). Default 1: all.
    ///
    /// # Panics
    ///
    /// Where `p` is not above 0 and up to 1.
    pub fn top_p(mut self, p: f64) -> Self {
        assert!(p > 0.0 && p <= 1.0, "top_p of {p}; it must be above 0 and up to 1");
        self.top_p = p;
        self
    }

    /// Divides positive logits of tokens that came before by this, and multiplies negative ones (N. S. Keskar et al.,
    /// CTRL, 2019). Default 1: nothing changes.
    ///
    /// # Panics
    ///
    /// Where it is not positive.
    pub fn repetition_penalty(mut self, penalty: f64) -> Self {
        assert!(penalty > 0.0, "a repetition penalty of {penalty}; it must be positive, and 1 changes nothing");
        self.repetition_penalty = penalty;
        self
    }

    /// The token to come after `before`, from logits `[V]`: 0 to V - 1.
    ///
    /// # Panics
    ///
    /// Where the logits are no vector, are empty, hold a NaN, or leave no token: all are -inf.
    pub fn sample(&self, logits: &Tensor, before: &[i64]) -> i64 {
        self.draw(&self.distribution(logits, before))
    }

    /// The tokens to come after a batch of texts, `[B]` int64 on the device of the logits: each row of the logits
    /// `[B, V]` draws for itself, the first one first, as [`Sampler::sample`] does. `before` are the texts so far,
    /// `[B, T]` int64, for the repetition penalty.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let sampler = text::Sampler::new(42).temperature(0.8).top_k(3);
    /// let mut tokens = Tensor::zeros([2, 1], (Kind::Int64, device()));
    /// for _ in 0..4 {
    ///     let logits = Tensor::randn([2, 10], (Kind::Float, device()));
    ///     let next = sampler.sample_batch(&logits, &tokens);
    ///     tokens = Tensor::cat(&[tokens, next.unsqueeze(1)], 1);
    /// }
    /// assert_eq!(tokens.size(), [2, 5]);
    /// ```
    ///
    /// # Panics
    ///
    /// Where the logits are no matrix, or there is not one text for each of its rows; else as [`Sampler::sample`].
    pub fn sample_batch(&self, logits: &Tensor, before: &Tensor) -> Tensor {
        let (size, texts) = (logits.size(), before.size());
        assert!(
            size.len() == 2,
            "sample_batch: logits of {size:?}; they are [B, V]: take the last position of each sequence"
        );
        assert!(
            texts.len() == 2 && texts[0] == size[0],
            "sample_batch: texts of {texts:?} for logits of {size:?}; they are [B, T], one for each row of the logits"
        );
        let before: Vec<i64> = elements(before);
        let row = |at: i64| {
            let length = texts[1] as usize;
            self.sample(&logits.get(at), &before[at as usize * length..][..length])
        };
        let tokens: Vec<i64> = (0..size[0]).map(row).collect();
        Tensor::from_slice(&tokens).to_device(logits.device())
    }

    fn draw(&self, probabilities: &[f64]) -> i64 {
        let mut left: f64 = lock(&self.random).random();
        for (token, probability) in probabilities.iter().enumerate() {
            left -= probability;
            if left < 0.0 && *probability > 0.0 {
                return token as i64;
            }
        }
        // Sums of rounded numbers may end a little below 1.
        probabilities.iter().rposition(|probability| *probability > 0.0).unwrap_or(0) as i64
    }

    /// What [`Sampler::sample`] draws from: a probability for each token, float64 on the CPU.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn probabilities(&self, logits: &Tensor, before: &[i64]) -> Tensor {
        Tensor::from_slice(&self.distribution(logits, before))
    }

    fn distribution(&self, logits: &Tensor, before: &[i64]) -> Vec<f64> {
        let size = logits.size();
        assert!(
            size.len() == 1 && size[0] > 0,
            "sampling: logits of {size:?}; they are [V], one number for each token: take the last position of a \
             sequence, and `sample_batch` for a batch"
        );
        let mut logits = elements::<f64>(logits);
        assert!(!logits.iter().any(|logit| logit.is_nan()), "sampling: a logit is NaN; look at the loss of the model");
        assert!(
            logits.iter().any(|logit| *logit > f64::NEG_INFINITY),
            "sampling: all logits are -inf, so there is no token to draw; check the mask that was applied to them"
        );
        self.penalize(&mut logits, before);
        logits.iter_mut().for_each(|logit| *logit /= self.temperature);

        // The likeliest first; of equals the one of the lower index, for the order is stable.
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
        order.truncate(self.top_k.unwrap_or(order.len()));
        let highest = logits[order[0]];
        let weight = |token: usize| if logits[token] == highest { 1.0 } else { (logits[token] - highest).exp() };
        let total: f64 = order.iter().map(|token| weight(*token)).sum();
        let mut before = 0.0;
        let kept = order.iter().take_while(|token| {
            let is_kept = before < self.top_p * total;
            before += weight(**token);
            is_kept
        });
        let kept: Vec<usize> = kept.copied().collect();
        let total: f64 = kept.iter().map(|token| weight(*token)).sum();
        let mut probabilities = vec![0.0; logits.len()];
        for token in kept {
            probabilities[token] = weight(token) / total;
        }
        probabilities
    }

    fn penalize(&self, logits: &mut [f64], before: &[i64]) {
        let mut seen: Vec<usize> = before.iter().filter_map(|token| usize::try_from(*token).ok()).collect();
        seen.sort_unstable();
        seen.dedup();
        for token in seen {
            if let Some(logit) = logits.get_mut(token) {
                *logit = if *logit > 0.0 { *logit / self.repetition_penalty } else { *logit * self.repetition_penalty };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn what_is_kept_is_what_pytorch_keeps() {
        let reference = Reference::parse(include_str!("../../../tests/reference/sampling.json"));
        let logits = reference.tensor("/logits");
        let before = [1, 4, 4, 7];
        let cases = [
            ("all", Sampler::new(0)),
            ("cold", Sampler::new(0).temperature(0.5)),
            ("top_k", Sampler::new(0).top_k(4)),
            ("top_p", Sampler::new(0).top_p(0.8)),
            ("both", Sampler::new(0).temperature(1.5).top_k(6).top_p(0.7)),
            ("penalised", Sampler::new(0).repetition_penalty(1.3).top_p(0.9)),
            ("greedy", Sampler::greedy()),
        ];
        for (name, sampler) in cases {
            reference.check(&format!("/kept/{name}"), &sampler.probabilities(&logits, &before), 1e-6);
        }
    }

    #[test]
    fn tokens_come_as_often_as_they_are_likely_and_a_seed_repeats_them() {
        let logits = Tensor::from_slice(&[0.6f64.ln(), 0.3f64.ln(), 0.1f64.ln(), f64::NEG_INFINITY]);
        let draw = |seed| {
            let sampler = Sampler::new(seed);
            (0..4000).map(|_| sampler.sample(&logits, &[])).collect::<Vec<_>>()
        };
        let tokens = draw(3);
        assert_eq!(tokens, draw(3));
        assert_ne!(tokens, draw(4));
        // Five standard deviations of a binomial distribution of 4,000 draws are less than 0.04.
        for (token, expected) in [0.6, 0.3, 0.1, 0.0].into_iter().enumerate() {
            let share = tokens.iter().filter(|drawn| **drawn == token as i64).count() as f64 / 4000.0;
            assert!((share - expected).abs() < 0.04, "{token}: {share}");
        }
    }

    #[test]
    fn each_row_of_a_batch_draws_as_it_does_alone() {
        let logits = Tensor::randn([6, 9], (Kind::Float, Device::Cpu));
        let texts = Tensor::from_slice2(&[[0i64, 1], [2, 2], [3, 4], [5, 6], [7, 8], [0, 0]]);
        let sampler = || Sampler::new(5).temperature(0.9).top_k(5).top_p(0.9).repetition_penalty(2.0);
        let (together, alone) = (sampler(), sampler());
        for _ in 0..3 {
            let drawn = together.sample_batch(&logits, &texts);
            let rows = (0..6).map(|row| alone.sample(&logits.get(row), &elements::<i64>(&texts.get(row))));
            assert_eq!(drawn, Tensor::from_slice(&rows.collect::<Vec<i64>>()));
        }
        assert_eq!(Sampler::greedy().sample_batch(&logits, &texts.narrow(1, 0, 0)), logits.argmax(1, false));
        assert_eq!(sampler().sample_batch(&logits.narrow(0, 0, 0), &texts.narrow(0, 0, 0)).size(), [0]);
        let message = panic_message(|| sampler().sample_batch(&logits, &texts.narrow(0, 0, 2)));
        assert!(message.contains("texts of [2, 2] for logits of [6, 9]"), "{message}");
        assert!(panic_message(|| sampler().sample_batch(&logits.get(0), &texts)).contains("they are [B, V]"));
    }

    #[test]
    fn what_cannot_be_drawn_from_is_said() {
        let says = |sampler: Sampler, logits: &Tensor| panic_message(|| sampler.sample(logits, &[]));
        let matrix = says(Sampler::new(0), &Tensor::zeros([2, 5], (Kind::Float, Device::Cpu)));
        assert!(matrix.contains("logits of [2, 5]") && matrix.contains("sample_batch"), "{matrix}");
        assert!(says(Sampler::new(0), &Tensor::from_slice(&[f64::NAN, 1.0])).contains("NaN"));
        let masked = Tensor::full([3], f64::NEG_INFINITY, (Kind::Float, Device::Cpu));
        for sampler in [Sampler::new(0), Sampler::greedy(), Sampler::new(0).top_p(0.5)] {
            assert!(says(sampler, &masked).contains("all logits are -inf"));
        }
    }
}
