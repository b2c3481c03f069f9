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
    let angles = angles(&places(0, length, device), BASE, d_model, "sinusoidal_positions");
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
    Rotary::default().turned(xs, 0, "rotary")
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
    Rotary::default().turned(xs, offset, "rotary_from")
}

/// [`rotary`] with a base of its own: `base^(-2i/d)` is by what the position is multiplied for the angle of pair `i`. A
/// greater base, for longer texts, turns more slowly. Attention turns queries and keys by one where it is
/// [made so](crate::nn::MultiheadAttention::with_rotary).
///
/// ```
/// use oxtorch::prelude::*;
/// let positions = nn::Rotary { base: 500_000.0 };  // as in Llama 3
/// let q = Tensor::randn([2, 4, 10, 8], (Kind::Float, device()));
/// let turned = positions.forward(&q);
/// let places = Tensor::arange(10, (Kind::Int64, device()));
/// assert!(positions.forward_at(&q, &places).allclose(&turned, 1e-5, 1e-6, false));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rotary {
    /// Default 10000.
    pub base: f64,
}

impl Default for Rotary {
    fn default() -> Self {
        Self { base: BASE }
    }
}

impl Rotary {
    /// As [`Module::forward`], for positions that begin at `offset`.
    ///
    /// # Panics
    ///
    /// As [`rotary`], and where `offset` is negative or the base is not positive.
    pub fn forward_from(&self, xs: &Tensor, offset: i64) -> Tensor {
        assert!(offset >= 0, "Rotary: an offset of {offset}; positions count from 0");
        self.turned(xs, offset, "Rotary")
    }

    /// As [`Module::forward`], for given positions: `[length]` for all, or `[N, length]` for each sequence of
    /// `[N, ..., length, d]`. They need not be whole numbers.
    ///
    /// # Panics
    ///
    /// As [`rotary`], and where there are not as many positions as vectors.
    pub fn forward_at(&self, xs: &Tensor, positions: &Tensor) -> Tensor {
        let (size, given) = (xs.size(), positions.size());
        let shaped = match (size.as_slice(), given.as_slice()) {
            ([.., length, _], [l]) if l == length => positions.shallow_clone(),
            ([n, .., length, _], [of, l]) if (of, l) == (n, length) => {
                let mut shape = vec![1; size.len() - 1];
                (shape[0], shape[size.len() - 2]) = (*n, *length);
                positions.reshape(&shape)
            }
            _ => panic!(
                "Rotary: positions of {given:?} for a tensor of {size:?}; for [N, ..., length, d] they are [length] or \
                 [N, length]"
            ),
        };
        let d = size[size.len() - 1];
        turned_by(xs, &angles(&shaped.to_device(xs.device()), self.base, d, "Rotary"))
    }

    fn turned(&self, xs: &Tensor, offset: i64, what: &str) -> Tensor {
        let size = xs.size();
        let [.., length, d] = size.as_slice() else {
            panic!("{what}: a tensor of {size:?}; it is [..., length, d]");
        };
        turned_by(xs, &angles(&places(offset, *length, xs.device()), self.base, *d, what))
    }
}

/// `[..., length, d]` to the same shape, for positions from 0.
impl Module for Rotary {
    fn forward(&self, xs: &Tensor) -> Tensor {
        self.turned(xs, 0, "Rotary")
    }
}

/// Pairs `[..., length, d]` by angles that are `[..., length, d / 2]`.
fn turned_by(xs: &Tensor, angles: &Tensor) -> Tensor {
    let (sin, cos) = (angles.sin().to_kind(xs.kind()), angles.cos().to_kind(xs.kind()));
    let halves = xs.chunk(2, -1);
    let (a, b) = (&halves[0], &halves[1]);
    Tensor::cat(&[a * &cos - b * &sin, b * &cos + a * &sin], -1)
}

/// That of the papers.
const BASE: f64 = 10000.0;

/// The positions from `first` on.
fn places(first: i64, length: i64, device: Device) -> Tensor {
    Tensor::arange_start(first, first + length, (Kind::Double, device))
}

/// `t / base^(2i/d)` for each position `t` and each pair: `[...]` to `[..., d / 2]`, float64.
fn angles(positions: &Tensor, base: f64, d: i64, what: &str) -> Tensor {
    assert!(
        d > 0 && d % 2 == 0,
        "{what}: vectors of {d} numbers; sines and cosines come in pairs, so give an even number"
    );
    assert!(base > 0.0, "{what}: a base of {base}; it is positive, and 10000 in most models");
    let exponents = Tensor::arange(d / 2, (Kind::Double, positions.device())) * (-2.0 / d as f64 * base.ln());
    positions.to_kind(Kind::Double).unsqueeze(-1) * exponents.exp()
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
    use crate::tests::panic_message;

    #[test]
    fn positions_are_as_their_definitions_say() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/attention.json"));
        reference.check("/position/sinusoidal", &sinusoidal_positions(7, 6, Device::Cpu), 1e-6);
        reference.check("/position/rotated", &rotary(&reference.tensor("/position/input")), 1e-5);
    }

    #[test]
    fn a_base_and_positions_may_be_given() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/grouped_attention.json"));
        let (xs, slow) = (reference.tensor("/rotary/input"), Rotary { base: 500.0 });
        reference.check("/rotary/base", &slow.forward(&xs), 1e-5);
        reference.check("/rotary/offset", &slow.forward_from(&xs, 7), 1e-5);
        reference.check("/rotary/one_each", &slow.forward_at(&xs, &reference.tensor("/rotary/places")), 1e-5);
        let given = Tensor::from_slice(&[7i64, 8, 9]);
        reference.check("/rotary/offset", &slow.forward_at(&xs, &given), 1e-5);
        assert!(Rotary::default().forward(&xs).equal(&rotary(&xs)));
        assert!(
            panic_message(|| slow.forward_at(&xs, &given.narrow(0, 0, 2))).contains("positions of [2] for a tensor of")
        );
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
        assert!(panic_message(|| positions.forward(&ones(5))).contains("[..., up to 4, 2]"));
    }
}
