//! Probability distributions: drawing from them, how likely a value is, and how far they are from each other. The names
//! are those of `torch.distributions`, and so are the values.
//!
//! ```
//! use oxtorch::prelude::*;
//! use distributions::Normal;
//! let prior = Normal::new(0.0, 1.0);
//! let x = prior.sample(&[1000]);
//! let log_likelihood = prior.log_prob(&x).sum(Kind::Float);
//! ```
//!
//! What to take for what:
//!
//! | for | |
//! | --- | --- |
//! | discrete actions | [`Categorical::from_logits`], [`Bernoulli::from_logits`] |
//! | continuous actions | [`Independent`] of [`Normal`], with the correction shown there if they are squashed |
//! | latent variables | [`Normal`] with [`rsample`](Distribution::rsample) and [`kl_divergence`] |
//! | several possible answers | [`MixtureSameFamily`] |
//! | differentiable categories | [`nn::gumbel_softmax`](crate::nn::gumbel_softmax) |
//!
//! A variational autoencoder draws its code so that gradients reach the encoder, and holds it to a prior:
//!
//! ```
//! use oxtorch::prelude::*;
//! use distributions::{Normal, kl_divergence};
//! let vs = nn::VarStore::new(device());
//! let encoder = nn::linear(vs.root(), 784, 2 * 16, Default::default());
//! let images = Tensor::rand([8, 784], (Kind::Float, device()));
//!
//! let out = encoder.forward(&images).chunk(2, -1);
//! let posterior = Normal::new(&out[0], (&out[1] * 0.5).exp());
//! let code = posterior.rsample(&[]);
//! let prior = Normal::new(&out[0].zeros_like(), 1.0);
//! let kl = kl_divergence(&posterior, &prior).sum_dim_intlist(-1i64, false, None).mean(Kind::Float);
//! kl.backward();
//! # assert_eq!(code.size(), [8, 16]);
//! ```
//!
//! Proximal policy optimization (J. Schulman et al., 2017) compares the policy with the one that acted:
//!
//! ```
//! use oxtorch::prelude::*;
//! use distributions::Categorical;
//! let vs = nn::VarStore::new(device());
//! let policy = nn::linear(vs.root(), 4, 2, Default::default());
//! let states = Tensor::randn([8, 4], (Kind::Float, device()));
//! let advantages = Tensor::randn([8], (Kind::Float, device()));
//! let (actions, old_log_probs) = no_grad(|| {
//!     let dist = Categorical::from_logits(&policy.forward(&states));
//!     let actions = dist.sample(&[]);
//!     let log_probs = dist.log_prob(&actions);
//!     (actions, log_probs)
//! });
//!
//! let dist = Categorical::from_logits(&policy.forward(&states));
//! let ratio = (dist.log_prob(&actions) - &old_log_probs).exp();
//! let clipped = ratio.clamp(0.8, 1.2) * &advantages;
//! let gain = (ratio * &advantages).minimum(&clipped) + dist.entropy() * 0.01;
//! let loss = -gain.mean(Kind::Float);
//! loss.backward();
//! ```
//!
//! Parameters and values are checked, as in PyTorch; [`set_default_validate_args`] says how not to.

mod constraint;
mod continuous;
mod discrete;
mod distribution;
mod independent;
mod kl;
mod limits;
mod mixture;
mod parameter;
#[cfg(test)]
mod tests;

pub use constraint::set_default_validate_args;
pub use continuous::beta::Beta;
pub use continuous::dirichlet::Dirichlet;
pub use continuous::exponential::Exponential;
pub use continuous::gamma::Gamma;
pub use continuous::laplace::Laplace;
pub use continuous::multivariate_normal::MultivariateNormal;
pub use continuous::normal::Normal;
pub use continuous::uniform::Uniform;
pub use discrete::bernoulli::Bernoulli;
pub use discrete::categorical::Categorical;
pub use discrete::poisson::Poisson;
pub use distribution::Distribution;
pub use independent::Independent;
pub use kl::{KlDivergence, kl_divergence};
pub use mixture::MixtureSameFamily;
pub use parameter::Parameter;
