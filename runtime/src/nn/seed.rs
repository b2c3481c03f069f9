//! Runs that repeat.

/// Sets the state of libtorch's random numbers, on the CPU and on each GPU: the same program draws the same numbers
/// again. `torch.manual_seed`.
///
/// That covers what tensors draw: initial weights, dropout, `randn`, `rand`, `randperm`, `multinomial`. What is drawn
/// elsewhere takes a seed of its own, such as [`DataLoader::shuffle`](crate::data::DataLoader::shuffle),
/// [`Compose`](crate::data::augment::Compose), [`random_split`](crate::data::random_split) and
/// [`Sampler`](crate::text::Sampler). `rand::rng` and `rand::random` cannot be seeded:
/// `rand::rngs::StdRng::seed_from_u64` gives a generator that can. On a GPU cuDNN is also kept from choosing its
/// algorithms by measuring them; some sums there still depend on the order in which threads finish.
///
/// ```
/// use oxtorch::prelude::*;
/// let weights = || {
///     seed(42);
///     nn::linear(nn::VarStore::new(device()).root(), 3, 2, Default::default()).ws
/// };
/// assert_eq!(weights(), weights());
/// ```
pub fn seed(seed: u64) {
    // The bits are what counts: PyTorch takes them as they are too.
    tch::manual_seed(seed as i64);
    if tch::utils::has_cuda() {
        tch::Cuda::cudnn_set_benchmark(false);
    }
}
