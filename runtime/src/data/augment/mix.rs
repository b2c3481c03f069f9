//! Images of a batch mixed with each other, and their labels with them.

use tch::{Device, Kind, Tensor};

use super::sides;
use crate::data::one_hot;
use crate::distributions::{Beta, Distribution};

/// A weighted mean of each image and the one before it in the batch, and of their labels (H. Zhang et al., mixup:
/// beyond empirical risk minimization, 2018): `weight * x + (1 - weight) * x_before`, with one weight for the batch
/// that is drawn from the beta distribution of `alpha` and `alpha`. As torchvision's `MixUp`.
///
/// Images `[N, C, H, W]` in floating point and labels `[N]` int64 become images `[N, C, H, W]` and the share of each
/// class `[N, num_classes]`, which [`nn::cross_entropy`](crate::nn::cross_entropy) takes. An `alpha` of 0.2 to 0.4
/// mostly has one image prevail, and with 1 all weights are equally probable. [`seed`](crate::nn::seed) makes a run
/// repeat.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let net = nn::seq().add_fn(|x| x.flatten(1, -1)).add(nn::linear(vs.root(), 64, 10, Default::default()));
/// let mixed = DataLoader::new(digits(), 64)
///     .map(|(images, labels)| data::augment::mixup(&images, &labels, 10, 0.2))
///     .to_device(device());
/// for (images, shares) in mixed.iter().take(3) {
///     nn::cross_entropy(&net.forward(&images), &shares).backward();
/// }
/// ```
///
/// # Panics
///
/// Where the images are no batch in floating point, there is not one label for each, a label is not in 0 to
/// `num_classes`, or `alpha` is not positive.
#[track_caller]
pub fn mixup(images: &Tensor, labels: &Tensor, num_classes: i64, alpha: f64) -> (Tensor, Tensor) {
    let shares = shares("mixup", images, labels, num_classes);
    let weight = weight("mixup", alpha);
    (mixed(images, weight), mixed(&shares, weight))
}

/// A rectangle of each image replaced by that of the one before it in the batch, and the labels mixed by area (S. Yun
/// et al., CutMix: regularization strategy to train strong classifiers with localizable features, 2019). The rectangle,
/// at a random place and the same in all images, has `1 - weight` of the area, with a weight that is drawn from the
/// beta distribution of `alpha` and `alpha`, less what would be beyond the image. As torchvision's `CutMix`; otherwise
/// as [`mixup`].
///
/// ```
/// use oxtorch::prelude::*;
/// let digits = digits();
/// let (images, labels) = (digits.images.narrow(0, 0, 8), digits.labels.narrow(0, 0, 8));
/// let (mixed, shares) = data::augment::cutmix(&images, &labels, 10, 1.0);
/// assert_eq!((mixed.size(), shares.size()), (images.size(), vec![8, 10]));
/// ```
///
/// # Panics
///
/// As [`mixup`].
#[track_caller]
pub fn cutmix(images: &Tensor, labels: &Tensor, num_classes: i64, alpha: f64) -> (Tensor, Tensor) {
    let shares = shares("cutmix", images, labels, num_classes);
    let weight = weight("cutmix", alpha);
    let center = sides("cutmix", images).map(|side| Tensor::randint(side, [1], (Kind::Int64, Device::Cpu)));
    let (images, weight) = pasted(images, center.map(|place| place.int64_value(&[0])), weight);
    (images, mixed(&shares, weight))
}

/// The share of each class in each image of a batch, before images are mixed.
#[track_caller]
fn shares(what: &str, images: &Tensor, labels: &Tensor, num_classes: i64) -> Tensor {
    let (of_images, of_labels) = (images.size(), labels.size());
    assert!(
        of_images.len() == 4 && images.is_floating_point(),
        "{what}: images {of_images:?} of {:?}; they are a batch [N, C, H, W] in floating point",
        images.kind()
    );
    assert!(of_labels == of_images[..1], "{what}: labels of {of_labels:?} for {} images; each has one", of_images[0]);
    one_hot(labels, num_classes).to_kind(images.kind()).to_device(images.device())
}

#[track_caller]
fn weight(what: &str, alpha: f64) -> f64 {
    assert!(alpha > 0.0, "{what}: alpha is {alpha}; it is above 0, such as 0.2, or 1 for weights of equal probability");
    Beta::new(alpha, alpha).sample(&[]).double_value(&[])
}

/// The one before, in a batch: of the first one, the last.
fn before(batch: &Tensor) -> Tensor {
    batch.roll([1i64], [0i64])
}

fn mixed(batch: &Tensor, weight: f64) -> Tensor {
    before(batch).lerp(batch, weight)
}

/// Images with the rectangle around the place `[row, column]`, and the share of the area that is still their own.
fn pasted(images: &Tensor, center: [i64; 2], weight: f64) -> (Tensor, f64) {
    let sides = sides("cutmix", images);
    let half = sides.map(|side| (0.5 * (1.0 - weight).sqrt() * side as f64) as i64);
    let from = [0, 1].map(|axis| (center[axis] - half[axis]).max(0));
    let size = [0, 1].map(|axis| (center[axis] + half[axis]).min(sides[axis]) - from[axis]);
    let mixed = images.detach().copy();
    // Not `crop`, which refuses a rectangle without pixels.
    let rectangle = |images: &Tensor| images.narrow(-2, from[0], size[0]).narrow(-1, from[1], size[1]);
    rectangle(&mixed).copy_(&rectangle(&before(images)));
    (mixed, 1.0 - (size[0] * size[1]) as f64 / (sides[0] * sides[1]) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    fn reference() -> (Reference, Tensor) {
        let reference = Reference::parse(include_str!("../../../../tests/reference/mixing.json"));
        let images = reference.tensor("/images");
        (reference, images)
    }

    #[test]
    fn images_are_mixed_as_in_torchvision() {
        let (reference, images) = reference();
        reference.check("/mixed", &mixed(&images, 0.3), 1e-6);
        for (name, center) in [("inside", [3, 4]), ("corner", [0, 7])] {
            let (pasted, weight) = pasted(&images, center, 0.75);
            reference.check(&format!("/pasted/{name}"), &pasted, 0.0);
            assert!((weight - reference.number(&format!("/weights/{name}"))).abs() < 1e-12);
        }
        assert_eq!(pasted(&images, [3, 4], 1.0), (images.copy(), 1.0));
        reference.check("/images", &images, 0.0);
    }

    #[test]
    fn shares_of_classes_are_those_of_the_images() {
        // The value of an image is its label, so its mean is the mean of the labels by their shares.
        let labels = Tensor::from_slice(&[0i64, 1, 2, 3]);
        let images = labels.to_kind(Kind::Double).view([4, 1, 1, 1]).expand([4, 1, 8, 8], false).copy();
        for mix in [mixup, cutmix] {
            for _ in 0..20 {
                let (mixed, shares) = mix(&images, &labels, 4, 0.5);
                let expected = shares.matmul(&labels.to_kind(Kind::Double));
                let means = mixed.mean_dim([1i64, 2, 3].as_slice(), false, Kind::Double);
                assert!((means - expected).abs().max().double_value(&[]) < 1e-9);
            }
        }
    }

    #[test]
    fn what_is_no_batch_is_said() {
        let message = |size: &[i64], kind, alpha| {
            let (images, labels) = (Tensor::zeros(size, (kind, Device::Cpu)), Tensor::from_slice(&[0i64, 1]));
            panic_message(|| mixup(&images, &labels, 2, alpha))
        };
        assert!(message(&[3, 4, 4], Kind::Float, 0.2).contains("images [3, 4, 4] of Float"));
        assert!(message(&[2, 1, 4, 4], Kind::Uint8, 0.2).contains("in floating point"));
        assert!(message(&[3, 1, 4, 4], Kind::Float, 0.2).contains("labels of [2] for 3 images"));
        assert!(message(&[2, 1, 4, 4], Kind::Float, 0.0).contains("alpha is 0; it is above 0"));
    }
}
