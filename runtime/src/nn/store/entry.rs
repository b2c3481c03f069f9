//! A variable that may be there already, by its name.

use tch::Tensor;
use tch::nn::Init;

use super::path::Path;

/// A variable of a [`Path`] that is there or is made, as `tch` has one: to share weights, or to keep them when a cell
/// is run again.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let scale = vs.root().entry("scale").or_ones(&[3]);
/// no_grad(|| scale.shallow_clone().fill_(2.0));
/// assert_eq!(vs.root().entry("scale").or_ones(&[3]), scale);
/// ```
///
/// It holds no lock: a name or a size that is refused leaves the store as it was. A variable that is there has to have
/// the size that is asked for.
#[derive(Debug, Clone, Copy)]
#[must_use = "an entry does nothing by itself: `.or_zeros(&[3])` gives the variable, and makes it if there is none"]
pub struct Entry<'a> {
    path: &'a Path<'a>,
    name: &'a str,
}

macro_rules! entries {
    ($($(#[$doc:meta])* $name:ident, $make:ident($($argument:ident: $ty:ty),*);)*) => {
        $($(#[$doc])*
        ///
        /// # Panics
        ///
        /// Where it is there in another size, and where the name or the size is refused.
        pub fn $name(self, dims: &[i64], $($argument: $ty),*) -> Tensor {
            self.or(dims, |path, name| path.$make(name, dims, $($argument),*))
        })*
    };
}

impl<'a> Entry<'a> {
    pub(super) fn new(path: &'a Path<'a>, name: &'a str) -> Self {
        Self { path, name }
    }

    fn or(self, dims: &[i64], make: impl FnOnce(&Path<'a>, &str) -> Tensor) -> Tensor {
        let Self { path, name } = self;
        let Some(variable) = path.get(name) else { return make(path, name) };
        assert!(
            variable.size() == dims,
            "the variable {:?} already has the size {:?}, not {dims:?}: give the new one another name",
            path.path(name),
            variable.size()
        );
        variable
    }

    entries! {
        /// The variable, or one that is trained.
        or_var, var(init: Init);
        /// The variable, or one of zeros.
        or_zeros, zeros();
        /// The variable, or one of ones.
        or_ones, ones();
        /// The variable, or one that is normal with a mean of 0 and a deviation of 1.
        or_randn_standard, randn_standard();
        /// The variable, or one that is normal.
        or_randn, randn(mean: f64, stdev: f64);
        /// The variable, or one that is uniform.
        or_uniform, uniform(lo: f64, up: f64);
        /// The variable, or one as [`Path::kaiming_uniform`] draws it.
        or_kaiming_uniform, kaiming_uniform();
        /// The variable, or one as [`Path::kaiming_normal`] draws it.
        or_kaiming_normal, kaiming_normal();
        /// The variable, or one as [`Path::orthogonal`] draws it.
        or_orthogonal, orthogonal(gain: f64);
        /// The variable, or one of zeros that is not trained, such as a statistic.
        or_zeros_no_train, zeros_no_train();
        /// The variable, or one of ones that is not trained, such as a statistic.
        or_ones_no_train, ones_no_train();
    }

    /// The variable, or one with the numbers of a tensor.
    ///
    /// # Panics
    ///
    /// As [`Entry::or_var`].
    pub fn or_var_copy(self, tensor: &Tensor) -> Tensor {
        self.or(&tensor.size(), |path, name| path.var_copy(name, tensor))
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use tch::{Device, Kind};

    use super::*;
    use crate::nn::VarStore;

    #[test]
    fn an_entry_is_what_is_there_or_is_made() {
        let mut vs = VarStore::new(Device::Cpu);
        vs.double();
        let path = vs.root() / "layer";
        let made = [
            path.entry("zeros").or_zeros(&[2]),
            path.entry("ones").or_ones(&[2]),
            path.entry("var").or_var(&[2], Init::Const(3.0)),
            path.entry("randn").or_randn(&[2], 50.0, 0.1),
            path.entry("standard").or_randn_standard(&[2]),
            path.entry("uniform").or_uniform(&[2], 5.0, 6.0),
            path.entry("kaiming_uniform").or_kaiming_uniform(&[2, 2]),
            path.entry("kaiming_normal").or_kaiming_normal(&[2, 2]),
            path.entry("orthogonal").or_orthogonal(&[2, 2], 2.0),
            path.entry("copy").or_var_copy(&Tensor::from_slice(&[1.0, 2.0])),
        ];
        assert!(made.iter().all(|made| made.kind() == Kind::Double && made.requires_grad()));
        let still = [path.entry("mean").or_zeros_no_train(&[2]), path.entry("variance").or_ones_no_train(&[2])];
        assert!(still.iter().all(|still| still.kind() == Kind::Double && !still.requires_grad()));
        assert_eq!((vs.len(), vs.trainable_variables().len()), (12, 10));
        // What kaiming_uniform draws for two inputs lies within the root of 3; a normal one would be sqrt(1) wide, and
        // now and then further out.
        let wide = path.entry("wide").or_kaiming_uniform(&[1000, 2]);
        assert!(wide.abs().max().double_value(&[]) <= 3f64.sqrt());
        assert_eq!(path.entry("copy").or_zeros(&[2]), made[9]);
        assert_eq!(vs.variables()["layer.uniform"], made[5]);
    }

    #[test]
    fn what_is_refused_leaves_the_store_as_it_was() {
        let vs = VarStore::new(Device::Cpu);
        let path = vs.root();
        let weight = path.ones("weight", &[2]);
        let refused: [&dyn Fn() -> Tensor; 7] = [
            &|| path.entry("a.b").or_zeros(&[2]),
            &|| path.entry("x").or_var(&[-1], Init::Const(0.0)),
            &|| path.entry("x").or_kaiming_uniform(&[-1]),
            &|| path.entry("x").or_orthogonal(&[2], 1.0),
            &|| path.entry("x").or_ones_no_train(&[-1]),
            &|| path.entry("weight").or_ones(&[3]),
            &|| path.get("a.b").expect("no such name"),
        ];
        for (number, refused) in refused.into_iter().enumerate() {
            assert!(catch_unwind(AssertUnwindSafe(refused)).is_err(), "{number}");
            assert!(!vs.variables_.is_poisoned(), "{number}");
            assert_eq!((vs.len(), vs.trainable_variables().len()), (1, 1), "{number}");
        }
        assert_eq!(path.entry("weight").or_zeros(&[2]), weight);
    }
}
