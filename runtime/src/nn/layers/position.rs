//! Where a token stands: what is added to its vector, or turns it.

use std::borrow::Borrow;

use tch::nn::{Init, Module};
use tch::{Device, Kind, Tensor};

use crate::nn::Path;

/// Sines and cosines of falling frequency: `pe[t, 2i] = sin(t / 10000^(2i/d))`, `pe[t, 2i+1] = cos(t / 10000^(2i/d))`
/// (A. Vaswani et al., Attention is all you need, 2017). `[length, d_model]`, float32.
///
/// ```
/// use oxtorch::prelude::*;
/// let positions = nn::sinusoidal_positions(50, 16, device());
/// let x = Tensor::zeros([8, 50, 16], (Kind::Float, device())) + positions;
/// assert_eq!(x.i((0, 0, ..2)), Tensor::from_slice(&[0f32, 1.0]));
/// ```
///
/// # Panics
///
/// Where `d_model` is odd.
pub fn sinusoidal_positions(length: i64, d_model: i64, device: Device) -> Tensor {
    let angles = angles(0, length, d_model, "sinusoidal_positions", device);
    Tensor::stack(&[angles.sin(), angles.cos()], -1).view([length, d_model]).to_kind(Kind::Float)
}

/// Turns pairs of numbers by an angle that grows with the position, so that a product of two vectors depends on their
/// distance (J. Su et al., RoFormer, 2021). For queries and keys, `[..., length, d]`; the shape stays. The first half
/// of a vector is paired with the second, as in Llama.
///
/// ```
/// use oxtorch::prelude::*;
/// let q = Tensor::randn([2, 4, 10, 8], (Kind::Float, device()));
/// let turned = nn::rotary(&q);
/// assert!(turned.norm().allclose(&q.norm(), 1e-4, 1e-4, false));
/// ```
///
/// # Panics
///
/// Where `d` is odd or there are fewer than two dimensions.
pub fn rotary(xs: &Tensor) -> Tensor {
    turned(xs, 0, "rotary")
}

/// As [`rotary`], for positions that begin at `offset`: where keys of earlier tokens are kept, it is how many those
/// are.
///
/// ```
/// use oxtorch::prelude::*;
/// let keys = Tensor::randn([2, 4, 10, 8], (Kind::Float, device()));
/// let kept = nn::rotary(&keys.i((.., .., ..9, ..)));
/// let new = nn::rotary_from(&keys.i((.., .., 9.., ..)), kept.size()[2]);
/// assert!(Tensor::cat(&[kept, new], 2).allclose(&nn::rotary(&keys), 1e-5, 1e-6, false));
/// ```
///
/// # Panics
///
/// As [`rotary`], and where `offset` is negative.
pub fn rotary_from(xs: &Tensor, offset: i64) -> Tensor {
    assert!(offset >= 0, "rotary_from: an offset of {offset}; positions count from 0");
    turned(xs, offset, "rotary_from")
}

fn turned(xs: &Tensor, offset: i64, what: &str) -> Tensor {
    let size = xs.size();
    let [.., length, d] = size.as_slice() else {
        panic!("{what}: a tensor of {size:?}; it is [..., length, d]");
    };
    let angles = angles(offset, *length, *d, what, xs.device());
    let (sin, cos) = (angles.sin().to_kind(xs.kind()), angles.cos().to_kind(xs.kind()));
    let halves = xs.chunk(2, -1);
    let (a, b) = (&halves[0], &halves[1]);
    Tensor::cat(&[a * &cos - b * &sin, b * &cos + a * &sin], -1)
}

/// `t / 10000^(2i/d)` for each position `t` from `first` on, and each pair: `[length, d / 2]`, float64.
fn angles(first: i64, length: i64, d: i64, what: &str, device: Device) -> Tensor {
    assert!(
        d > 0 && d % 2 == 0,
        "{what}: vectors of {d} numbers; sines and cosines come in pairs, so give an even number"
    );
    let times = Tensor::arange_start(first, first + length, (Kind::Double, device)).unsqueeze(1);
    let exponents = Tensor::arange(d / 2, (Kind::Double, device)) * (-2.0 / d as f64 * 10000f64.ln());
    times * exponents.exp()
}

/// A vector for each position, learned: `x + weight[:length]`, as in GPT-2.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let positions = nn::learned_positions(vs.root() / "position", 128, 16);
/// let x = Tensor::zeros([8, 50, 16], (Kind::Float, device()));
/// assert_eq!(positions.forward(&x).size(), [8, 50, 16]);
/// ```
#[derive(Debug)]
pub struct LearnedPositions {
    /// `[max_length, d_model]`.
    pub weight: Tensor,
}

/// Makes vectors for up to `max_length` positions, normal with a deviation of 0.02 at first.
pub fn learned_positions<'a>(path: impl Borrow<Path<'a>>, max_length: i64, d_model: i64) -> LearnedPositions {
    let init = Init::Randn { mean: 0.0, stdev: 0.02 };
    LearnedPositions { weight: path.borrow().layer().var("weight", &[max_length, d_model], init) }
}

impl LearnedPositions {
    /// As [`Module::forward`], for positions that begin at `offset`: `x + weight[offset..offset + length]`.
    ///
    /// # Panics
    ///
    /// Where the sequence ends behind the last position, or `offset` is negative.
    pub fn forward_from(&self, xs: &Tensor, offset: i64) -> Tensor {
        assert!(offset >= 0, "learned positions: an offset of {offset}; positions count from 0");
        let (size, weight) = (xs.size(), self.weight.size());
        match size.as_slice() {
            [.., length, d] if offset <= weight[0] && *length <= weight[0] - offset && *d == weight[1] => {
                xs + self.weight.narrow(0, offset, *length)
            }
            _ => panic!(
                "learned positions: a tensor of {size:?} for positions of {weight:?}{}; it is [..., up to {}, {}]",
                if offset > 0 { format!(", from {offset} on") } else { String::new() },
                (weight[0] - offset).max(0),
                weight[1]
            ),
        }
    }
}

impl Module for LearnedPositions {
    /// `[..., length, d_model]` to the same shape.
    ///
    /// # Panics
    ///
    /// Where the sequence is longer than there are positions.
    fn forward(&self, xs: &Tensor) -> Tensor {
        self.forward_from(xs, 0)
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::VarStore;

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn positions_are_as_their_definitions_say() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/attention.json"));
        reference.check("/position/sinusoidal", &sinusoidal_positions(7, 6, Device::Cpu), 1e-6);
        reference.check("/position/rotated", &rotary(&reference.tensor("/position/input")), 1e-5);
    }

    #[test]
    fn a_product_of_rotated_vectors_depends_on_their_distance() {
        let (q, k) = (Tensor::randn([8], (Kind::Double, Device::Cpu)), Tensor::randn([8], (Kind::Double, Device::Cpu)));
        let turn = |x: &Tensor| rotary(&x.expand([12, 8], false));
        let products = turn(&q).matmul(&turn(&k).tr());
        let at = |i: i64, j: i64| products.double_value(&[i, j]);
        assert!((at(2, 5) - at(7, 10)).abs() < 1e-9 && (at(2, 5) - at(2, 6)).abs() > 1e-6);
    }

    #[test]
    fn a_sequence_that_goes_on_stands_where_the_whole_has_it() {
        let whole = Tensor::randn([2, 7, 6], (Kind::Float, Device::Cpu));
        let vs = VarStore::new(Device::Cpu);
        let learned = learned_positions(vs.root(), 7, 6);
        let part = |from: i64| whole.narrow(1, from, 7 - from);
        for from in [0, 1, 6] {
            let turned = rotary(&whole).narrow(1, from, 7 - from);
            assert!(rotary_from(&part(from), from).allclose(&turned, 1e-5, 1e-6, false), "{from}");
            let moved = learned.forward(&whole).narrow(1, from, 7 - from);
            assert!(learned.forward_from(&part(from), from).equal(&moved), "{from}");
        }
        for refused in [-1, 1, i64::MAX] {
            let forward = std::panic::AssertUnwindSafe(|| learned.forward_from(&whole, refused));
            assert!(std::panic::catch_unwind(forward).is_err(), "{refused}");
        }
        assert!(
            std::panic::catch_unwind(|| rotary_from(&Tensor::ones([2, 2], (Kind::Float, Device::Cpu)), -1)).is_err()
        );
    }

    #[test]
    fn too_long_a_sequence_is_refused() {
        let vs = VarStore::new(Device::Cpu);
        let positions = learned_positions(vs.root(), 4, 2);
        let ones = |length| Tensor::ones([1, length, 2], (Kind::Float, Device::Cpu));
        assert!(positions.forward(&ones(3)).equal(&(ones(3) + positions.weight.narrow(0, 0, 3))));
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| positions.forward(&ones(5))))
            .expect_err("a panic");
        assert!(panic.downcast_ref::<String>().is_some_and(|text| text.contains("[..., up to 4, 2]")));
    }
}
