//! Losses that take more than one call of a tensor's methods.

use tch::{Kind, Reduction, Tensor};

use super::rows;

/// Cross entropy against targets of which `smoothing` is spread over all classes (C. Szegedy et al., 2016). Logits and
/// targets as [`cross_entropy`](super::cross_entropy) takes them; the mean over all targets. Targets of -100 do not
/// count.
///
/// ```
/// use oxtorch::prelude::*;
/// let logits = Tensor::from_slice2(&[[2f32, 0.0], [0.0, 3.0]]);
/// let targets = Tensor::from_slice(&[0i64, 1]);
/// let loss = |smoothing| nn::smoothed_cross_entropy(&logits, &targets, smoothing).double_value(&[]);
/// assert!(loss(0.1) > loss(0.0));
/// ```
#[track_caller]
pub fn smoothed_cross_entropy(logits: &Tensor, targets: &Tensor, smoothing: f64) -> Tensor {
    let (logits, targets) = rows("smoothed_cross_entropy", logits, targets);
    logits.cross_entropy_loss(&targets, None::<Tensor>, Reduction::Mean, -100, smoothing)
}

/// `-(1 - p)^gamma * log(p)` with the probability `p` of the right class: what is easy counts little (T.-Y. Lin et al.,
/// Focal loss for dense object detection, 2017). Logits and targets as [`cross_entropy`](super::cross_entropy) takes
/// them; the mean over all targets.
///
/// ```
/// use oxtorch::prelude::*;
/// let logits = Tensor::from_slice2(&[[2f32, 0.0], [0.0, 3.0]]);
/// let targets = Tensor::from_slice(&[0i64, 1]);
/// let loss = nn::focal_loss(&logits, &targets, 2.0);
/// assert!(loss.double_value(&[]) < logits.cross_entropy_for_logits(&targets).double_value(&[]));
/// ```
#[track_caller]
pub fn focal_loss(logits: &Tensor, targets: &Tensor, gamma: f64) -> Tensor {
    let (logits, targets) = rows("focal_loss", logits, targets);
    let log_p = logits.log_softmax(-1, None::<Kind>).gather(1, &targets.unsqueeze(1), false).squeeze_dim(1);
    (-(log_p.exp() * -1.0 + 1.0).pow_tensor_scalar(gamma) * log_p).mean(None::<Kind>)
}

/// InfoNCE between two views of each sample, both ways (A. van den Oord et al., 2018; A. Radford et al., CLIP, 2021):
/// the other samples of the batch are what a view must not be taken for. Views `[N, D]`, which are made unit vectors;
/// the mean over the batch.
///
/// ```
/// use oxtorch::prelude::*;
/// let a = Tensor::randn([8, 16], (Kind::Float, device()));
/// assert!(nn::info_nce(&a, &a, 0.1).double_value(&[]) < nn::info_nce(&a, &a.flip([0]), 0.1).double_value(&[]));
/// ```
pub fn info_nce(a: &Tensor, b: &Tensor, temperature: f64) -> Tensor {
    let unit = |xs: &Tensor| xs / xs.norm_scalaropt_dim(2.0, [-1i64], true).clamp_min(1e-12);
    let logits = unit(a).matmul(&unit(b).tr()) / temperature;
    let targets = Tensor::arange(logits.size()[0], (Kind::Int64, logits.device()));
    (logits.cross_entropy_for_logits(&targets) + logits.tr().cross_entropy_for_logits(&targets)) / 2.0
}

/// `max(|a - p| - |a - n| + margin, 0)`, for an anchor, a sample like it and one unlike it (F. Schroff et al., FaceNet,
/// 2015). `[N, D]` each; the mean over the batch.
///
/// ```
/// use oxtorch::prelude::*;
/// let a = Tensor::zeros([2, 3], (Kind::Float, device()));
/// let far = Tensor::ones([2, 3], (Kind::Float, device())) * 9.0;
/// assert_eq!(nn::triplet_loss(&a, &a, &far, 1.0).double_value(&[]), 0.0);
/// ```
pub fn triplet_loss(anchor: &Tensor, positive: &Tensor, negative: &Tensor, margin: f64) -> Tensor {
    let distance = |other: &Tensor| (anchor - other + 1e-6).norm_scalaropt_dim(2.0, [-1i64], false);
    (distance(positive) - distance(negative) + margin).clamp_min(0.0).mean(None::<Kind>)
}

/// `-1/2 * sum(1 + log_var - mean^2 - exp(log_var))`: how far the normal distributions of a variational autoencoder are
/// from the standard one (D. P. Kingma and M. Welling, 2014). `[N, D]` each; summed over D, the mean over N. In nats.
///
/// ```
/// use oxtorch::prelude::*;
/// let zeros = Tensor::zeros([4, 2], (Kind::Float, device()));
/// assert_eq!(nn::kl_to_standard_normal(&zeros, &zeros).double_value(&[]), 0.0);
/// ```
pub fn kl_to_standard_normal(mean: &Tensor, log_var: &Tensor) -> Tensor {
    let each = (log_var + 1.0 - mean.square() - log_var.exp()) * -0.5;
    each.sum_dim_intlist(-1i64, false, None::<Kind>).mean(None::<Kind>)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn losses_are_as_defined() {
        let reference = Reference::parse(include_str!("../../../tests/reference/layers.json"));
        let get = |name: &str| reference.tensor(&format!("/loss/{name}"));
        let (logits, targets, a, b, c) = (get("logits"), get("targets"), get("a"), get("b"), get("c"));
        let check = |name: &str, loss: Tensor| reference.check(&format!("/loss/{name}"), &loss, 1e-5);
        check("smoothed", smoothed_cross_entropy(&logits, &targets, 0.2));
        check("focal", focal_loss(&logits, &targets, 1.5));
        check("info_nce", info_nce(&a, &b, 0.3));
        check("triplet", triplet_loss(&a, &b, &c, 0.7));
        check("kl", kl_to_standard_normal(&a, &b));
    }
}
