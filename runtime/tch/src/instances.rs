//! The generic functions of tensors that cells call most, compiled here for what they are given most.
//!
//! A crate that calls a generic function compiles it, here with all that an error of `tch` may consist of: for
//! `x.sum(Kind::Float)` that takes longer than the rest of a small cell. This crate and `tch` are built so that cells
//! take what they have compiled (`kernel/setup/src/build.rs`).

use torch::{Device, Kind, Reduction, Tensor};

use crate::IndexOp;

/// Evaluates an expression once for each type of values that a name may have.
macro_rules! each {
    ($name:ident in [$($value:expr),* $(,)?], $call:expr) => {$({
        let $name = $value;
        drop($call);
    })*};
}

/// The same for lists of one to four integers, owned and borrowed, and for a slice.
macro_rules! each_list {
    ($name:ident, $call:expr) => {
        each!($name in [[1_i64; 1], [1_i64; 2], [1_i64; 3], [1_i64; 4]], $call);
        each!($name in [&[1_i64; 1], &[1_i64; 2], &[1_i64; 3], &[1_i64; 4]], $call);
        each!($name in [&[1_i64][..]], $call);
    };
}

/// Calls them all, so that they are compiled. It is not for being called.
pub fn instances(x: &Tensor) {
    makes();
    reshapes(x);
    indexes(x);
    reduces(x);
    works_with_scalars(x);
    serves_networks(x);
}

fn makes() {
    let options = (Kind::Float, Device::Cpu);
    each_list!(size, Tensor::zeros(size, options));
    each_list!(size, Tensor::ones(size, options));
    each_list!(size, Tensor::rand(size, options));
    each_list!(size, Tensor::randn(size, options));
    each_list!(size, Tensor::randint(9, size, options));
    each_list!(size, Tensor::full(size, 1.0, options));
    drop(Tensor::arange(9, options));
    drop(Tensor::arange_start(1, 9, options));
    drop(Tensor::linspace(0.0, 1.0, 9, options));
    drop(Tensor::from_slice(&[1.0_f32]));
    drop(Tensor::from_slice(&[1.0_f64]));
    drop(Tensor::from_slice(&[1_i64]));
    drop(Tensor::from_slice(&[1_i32]));
    drop(Tensor::from_slice(&[1_u8]));
    drop(Tensor::from_slice(&[true]));
}

fn reshapes(x: &Tensor) {
    each!(size in [[1; 1], [1; 2], [1; 3], [1; 4]], x.view(size));
    each!(size in [(1, 1), (1, 1, 1), (1, 1, 1, 1)], x.view(size));
    each_list!(size, x.reshape(size));
    each_list!(size, x.repeat(size));
    each_list!(size, x.permute(size));
    each_list!(size, x.flip(size));
    each_list!(size, x.expand(size, false));
    drop(x.pad([1, 1], "constant", 0.0));
    drop(x.slice(0, 0, 1, 1));
    drop(x.slice(0, 0, None::<i64>, 1));
    each!(parts in [[x, x]], (Tensor::cat(&parts, 0), Tensor::stack(&parts, 0)));
    each!(part in [x.shallow_clone()], (Tensor::cat(&[&part], 0), Tensor::stack(&[part], 0)));
    drop(Tensor::cat(&[x.shallow_clone()], 0));
}

fn indexes(x: &Tensor) {
    drop(x.i(0));
    drop(x.i(0..1));
    drop(x.i(x));
    drop(x.i((0, 0)));
    drop(x.i((.., 0)));
    drop(x.i((.., 0..1)));
}

fn reduces(x: &Tensor) {
    let keepdim = true;
    each!(kind in [Kind::Float, None::<Kind>], {
        let of_all = (x.sum(kind), x.mean(kind));
        let along_one = (x.sum_dim_intlist(0, keepdim, kind), x.mean_dim(0, keepdim, kind));
        let several = [0].as_slice();
        let along_several = (x.sum_dim_intlist(several, keepdim, kind), x.mean_dim(several, keepdim, kind));
        (of_all, along_one, along_several, x.softmax(-1, kind), x.log_softmax(-1, kind), x.cumsum(-1, kind))
    });
    each!(dim in [0, [0].as_slice()], x.std_dim(dim, true, keepdim));
    each!(dim in [0, [0].as_slice()], x.var_dim(dim, true, keepdim));
    each!(dim in [0, [0]], (x.amax(dim, keepdim), x.amin(dim, keepdim), x.logsumexp(dim, keepdim)));
    each!(dim in [0, None::<i64>], (x.argmax(dim, keepdim), x.argmin(dim, keepdim)));
}

fn works_with_scalars(x: &Tensor) {
    each!(scalar in [1.0, 1_i64], {
        let owned = || x.shallow_clone();
        let borrowed = (x + scalar, x - scalar, x * scalar, x / scalar);
        let consumed = (owned() + scalar, owned() - scalar, owned() * scalar, owned() / scalar);
        let compared = (x.eq(scalar), x.ne(scalar), x.gt(scalar), x.ge(scalar), x.lt(scalar), x.le(scalar));
        let clamped = (x.clamp(scalar, scalar), x.clamp_min(scalar), x.clamp_max(scalar));
        let filled = (x.masked_fill(x, scalar), owned().fill_(scalar));
        (borrowed, consumed, compared, clamped, filled, x.pow_tensor_scalar(scalar), x.remainder(scalar))
    });
}

fn serves_networks(x: &Tensor) {
    let none = None::<&Tensor>;
    each!(bias in [Some(x), None::<Tensor>], x.linear(x, bias));
    each!(bias in [Some(x), None::<Tensor>], x.conv2d(x, bias, [1, 1], [1, 1], [1, 1], 1));
    drop(x.max_pool2d([1, 1], [1, 1], [1, 1], [1, 1], false));
    drop(x.layer_norm([1], Some(x), Some(x), 1e-5, true));
    drop(x.binary_cross_entropy_with_logits(x, none, none, Reduction::Mean));
    drop(Tensor::scaled_dot_product_attention(x, x, x, none, 0.0, true, None::<f64>, false));
}
