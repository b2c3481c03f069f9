//! One transform after the other, with random numbers of a seed.

use std::fmt::Debug;
use std::sync::Mutex;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tch::Tensor;

use crate::lock::lock;
use crate::modes::no_grad;

/// A change of an image that may be drawn at random. Write `image` for one of your own.
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{Compose, StdRng, Transform};
/// use rand::Rng;
/// #[derive(Debug)]
/// struct RandomInvert;
/// impl Transform for RandomInvert {
///     fn image(&self, image: &Tensor, random: &mut StdRng) -> Tensor {
///         if random.random_bool(0.5) { 1.0 - image } else { image.shallow_clone() }
///     }
/// }
/// let images = Compose::new(1).add(RandomInvert).apply(&digits().images);
/// assert_eq!(images.size(), [1797, 1, 8, 8]);
/// ```
pub trait Transform: Debug + Send {
    /// One image, `[C, H, W]`, with what it needs of random numbers.
    fn image(&self, image: &Tensor, random: &mut StdRng) -> Tensor;

    /// A batch, `[N, C, H, W]`: each image draws for itself. What draws nothing can do it at once.
    fn batch(&self, images: &Tensor, random: &mut StdRng) -> Tensor {
        let images: Vec<Tensor> = images.unbind(0).iter().map(|image| self.image(image, random)).collect();
        Tensor::stack(&images, 0)
    }
}

/// Applies transforms in their order. The same seed gives the same draws, image after image and batch after batch.
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{Compose, RandomRotation};
/// let turn = |seed| Compose::new(seed).add(RandomRotation::new(15.0)).apply(&digits().images.narrow(0, 0, 4));
/// assert_eq!(turn(3), turn(3));
/// assert_ne!(turn(3), turn(4));
/// ```
#[derive(Debug)]
pub struct Compose {
    transforms: Vec<Box<dyn Transform>>,
    random: Mutex<StdRng>,
}

impl Compose {
    /// No transform yet.
    pub fn new(seed: u64) -> Self {
        Self { transforms: Vec::new(), random: Mutex::new(StdRng::seed_from_u64(seed)) }
    }

    /// Goes on with another transform.
    #[allow(clippy::should_implement_trait, reason = "named as in a chain of layers")]
    pub fn add(mut self, transform: impl Transform + 'static) -> Self {
        self.transforms.push(Box::new(transform));
        self
    }

    /// An image `[C, H, W]` or a batch `[N, C, H, W]`, of which each image draws for itself. No gradient flows through.
    ///
    /// # Panics
    ///
    /// Where it is neither, or is of integers: `to_kind(Kind::Float) / 255` makes bytes images.
    pub fn apply(&self, images: &Tensor) -> Tensor {
        let size = images.size();
        assert!(
            matches!(size.len(), 3 | 4) && images.is_floating_point(),
            "Compose: a tensor of {size:?} {:?}; images are [C, H, W] or [N, C, H, W], of floats from 0 to 1",
            images.kind()
        );
        // A panic of a transform leaves the generator as good as any.
        let mut random = lock(&self.random);
        let step = |images: Tensor, transform: &dyn Transform, random: &mut StdRng| match size.len() {
            3 => transform.image(&images, random),
            _ if size[0] == 0 => images,
            _ => transform.batch(&images, random),
        };
        no_grad(|| {
            self.transforms
                .iter()
                .fold(images.shallow_clone(), |images, transform| step(images, transform.as_ref(), &mut random))
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;
    use tch::{Device, Kind};

    use super::*;
    use crate::data::augment::*;

    /// Adds a number from 0 to 1 to each image.
    #[derive(Debug)]
    struct Shift;

    impl Transform for Shift {
        fn image(&self, image: &Tensor, random: &mut StdRng) -> Tensor {
            image + random.random::<f64>()
        }
    }

    fn all(seed: u64) -> Compose {
        Compose::new(seed)
            .add(Resize::new([10, 10]))
            .add(RandomCrop::new([8, 8]).padding(1))
            .add(RandomHorizontalFlip::new(0.5))
            .add(RandomVerticalFlip::new(0.5))
            .add(RandomRotation::new(20.0))
            .add(RandomResizedCrop::new([6, 6]))
            .add(ColorJitter::new().brightness(0.3).contrast(0.3).saturation(0.3).hue(0.1))
            .add(RandomErasing::new(0.5))
            .add(Normalize::new(&[0.5, 0.4, 0.3], &[0.2, 0.3, 0.4]))
    }

    #[test]
    fn each_image_of_a_batch_draws_for_itself_and_a_seed_repeats_the_draws() {
        let images = Tensor::rand([1, 3, 9, 7], (Kind::Float, Device::Cpu)).expand([5, 3, 9, 7], false).copy();
        let (first, second) = (all(7), all(7));
        for _ in 0..2 {
            let out = first.apply(&images);
            assert_eq!(out.size(), [5, 3, 6, 6]);
            assert!(out.equal(&second.apply(&images)));
            assert!(!out.get(0).equal(&out.get(1)));
        }
        assert!(!all(7).apply(&images).equal(&all(8).apply(&images)));
    }

    #[test]
    fn an_image_draws_as_a_batch_of_one() {
        let image = Tensor::zeros([1, 2, 2], (Kind::Float, Device::Cpu));
        let shifted = Compose::new(2).add(Shift).apply(&image);
        assert!(shifted.equal(&Compose::new(2).add(Shift).apply(&image.unsqueeze(0)).get(0)));
        assert!(shifted.max().double_value(&[]) > 0.0);
    }

    #[test]
    fn a_loader_augments_its_batches() {
        let augment = Compose::new(1).add(RandomCrop::new([8, 8]).padding(2));
        let images = |augment: Compose| {
            let loader = crate::data::DataLoader::new(crate::data::digits(), 900);
            let loader = loader.prefetch(1).map(move |(images, labels)| (augment.apply(&images), labels));
            loader.into_iter().map(|(images, _)| images).collect::<Vec<_>>()
        };
        let first = images(augment);
        let second = images(Compose::new(1).add(RandomCrop::new([8, 8]).padding(2)));
        assert!(first.iter().zip(&second).all(|(first, second)| first.equal(second)));
        assert!(!first[0].equal(&crate::data::digits().images.narrow(0, 0, 900)));
    }

    #[test]
    #[should_panic(expected = "[8, 8] Float; images are [C, H, W]")]
    fn what_is_no_image_is_refused() {
        let _ = all(0).apply(&Tensor::zeros([8, 8], (Kind::Float, Device::Cpu)));
    }
}
