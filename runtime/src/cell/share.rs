//! What a closure that is kept has in place of a borrow.
//!
//! A closure that borrows a variable ends with its cell, since a borrow does. If the variable cannot change, nobody can
//! tell a borrow of it from a value that is the same and stays the same: a number, a text, another handle of one
//! tensor. So the kernel gives such a value to the closure, which can then be kept.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::rc::Rc;
use std::sync::Arc;

use tch::Tensor;

/// A variable that a closure captures.
#[derive(Debug)]
pub struct Shared<'a, T>(pub &'a T);

/// Shares what is copied anyway.
pub trait ViaCopy {
    /// What is shared.
    type Value;
    /// The same once more.
    fn oxtorch_share(&self) -> Self::Value;
}

impl<T: Copy> ViaCopy for &Shared<'_, T> {
    type Value = T;
    fn oxtorch_share(&self) -> T {
        *self.0
    }
}

/// Shares what is [`Share`].
pub trait ViaShare {
    /// What is shared.
    type Value;
    /// The same once more.
    fn oxtorch_share(&self) -> Self::Value;
}

impl<T: Share> ViaShare for Shared<'_, T> {
    type Value = T;
    fn oxtorch_share(&self) -> T {
        self.0.share()
    }
}

/// A value that can be had once more, so that nobody who only reads both can tell which one it is. What can change
/// behind a reference, as a `Cell` does, is not shared so.
pub trait Share {
    /// The same once more.
    fn share(&self) -> Self;
}

impl Share for Tensor {
    fn share(&self) -> Self {
        self.shallow_clone()
    }
}

/// By their clones.
macro_rules! by_clone {
    ($($ty:ty),* $(,)?) => {
        $(impl Share for $ty {
            fn share(&self) -> Self {
                self.clone()
            }
        })*
    };
}

by_clone!(
    (),
    bool,
    char,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    String,
    std::path::PathBuf
);

impl<T: ?Sized> Share for &T {
    fn share(&self) -> Self {
        self
    }
}

impl<T: ?Sized> Share for Rc<T> {
    fn share(&self) -> Self {
        Self::clone(self)
    }
}

impl<T: ?Sized> Share for Arc<T> {
    fn share(&self) -> Self {
        Self::clone(self)
    }
}

impl<T: Share> Share for Box<T> {
    fn share(&self) -> Self {
        Self::new((**self).share())
    }
}

impl<T: Share> Share for Option<T> {
    fn share(&self) -> Self {
        self.as_ref().map(T::share)
    }
}

impl<T: Share, const N: usize> Share for [T; N] {
    fn share(&self) -> Self {
        std::array::from_fn(|at| self[at].share())
    }
}

/// By what they hold.
macro_rules! by_elements {
    ($($collection:ident),*) => {
        $(impl<T: Share> Share for $collection<T> {
            fn share(&self) -> Self {
                self.iter().map(T::share).collect()
            }
        })*
    };
}

by_elements!(Vec, VecDeque);

impl<T: Share + Ord> Share for BTreeSet<T> {
    fn share(&self) -> Self {
        self.iter().map(T::share).collect()
    }
}

impl<K: Share + Ord, V: Share> Share for BTreeMap<K, V> {
    fn share(&self) -> Self {
        self.iter().map(|(key, value)| (key.share(), value.share())).collect()
    }
}

// A copy has the hasher's keys too, and so the order that a loop over it goes in.
impl<T: Share + Clone + Eq + Hash, S: BuildHasher + Clone> Share for HashSet<T, S> {
    fn share(&self) -> Self {
        self.clone()
    }
}

impl<K: Share + Clone + Eq + Hash, V: Share, S: BuildHasher + Clone> Share for HashMap<K, V, S> {
    fn share(&self) -> Self {
        let mut shared = Self::with_capacity_and_hasher(self.capacity(), self.hasher().clone());
        shared.extend(self.iter().map(|(key, value)| (key.share(), value.share())));
        shared
    }
}

macro_rules! by_parts {
    ($($name:ident)*) => {
        impl<$($name: Share),*> Share for ($($name,)*) {
            fn share(&self) -> Self {
                #[expect(non_snake_case, reason = "each part is called as its type")]
                let ($($name,)*) = self;
                ($($name.share(),)*)
            }
        }
    };
}

by_parts!(A);
by_parts!(A B);
by_parts!(A B C);
by_parts!(A B C D);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_is_shared_as_another_handle_of_it() {
        let tensor = Tensor::from_slice(&[1.0, 2.0]);
        let shared = Shared(&tensor).oxtorch_share();
        let _ = tensor.shallow_clone().fill_(5.0);
        assert_eq!(Vec::<f64>::try_from(shared).expect("numbers"), [5.0, 5.0]);
    }

    #[test]
    fn what_is_copied_or_holds_what_is_shared_is_shared() {
        #[derive(Debug, Clone, Copy, PartialEq)]
        struct Point(f64);
        assert_eq!((&Shared(&Point(1.5))).oxtorch_share(), Point(1.5));
        let stoi: HashMap<char, (i64, String)> = HashMap::from([('a', (1, "one".to_owned()))]);
        assert_eq!(Shared(&stoi).oxtorch_share(), stoi);
        let held = Rc::new(std::cell::Cell::new(1));
        let shared = Shared(&vec![Rc::clone(&held)]).oxtorch_share();
        held.set(2);
        assert_eq!(shared[0].get(), 2);
        let numbers = BTreeMap::from([(1_u8, Some([0.5_f32; 2]))]);
        assert_eq!(Shared(&numbers).oxtorch_share(), numbers);
    }
}
