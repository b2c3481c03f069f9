//! Small matrix products run on one thread, whatever the number of threads is.
//!
//! MKL shares out a product of 32 x 32 x 128 as well; waking the other threads then takes longer than the product itself,
//! and many times longer where the processors are busy, as on a server that many use. libtorch calls MKL's `sgemm_` and
//! `dgemm_` through the dynamic linker, which finds these before MKL's.

use std::ffi::{CStr, c_int, c_void};
use std::mem::transmute;
use std::sync::OnceLock;

/// Up to so many multiplications a product takes less time on one thread: 64 x 64 x 64. Measured with 2 threads that had nothing else
/// to do: 32³ takes 1.4 µs on one and 4.1 µs on both, 64³ 5.8 µs and 5.0 µs, 96³ 17 µs and 11 µs.
const SMALL: u64 = 1 << 18;

/// C = alpha A B + beta C, as BLAS defines it: every argument is an address;
/// `product!` names them.
#[rustfmt::skip]
type Product = unsafe extern "C" fn(
    Address, Address, Size, Size, Size, Address, Address, Size, Address, Size, Address, *mut c_void, Size,
);
type Address = *const c_void;
type Size = *const c_int;

/// Sets the number of threads that MKL uses when this thread calls it, and returns what it was.
type SetThreads = unsafe extern "C" fn(c_int) -> c_int;

/// MKL's function, absent where libtorch has another library for products.
fn set_threads() -> Option<SetThreads> {
    static FOUND: OnceLock<Option<SetThreads>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: nothing is called, only looked for.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"MKL_Set_Num_Threads_Local".as_ptr()) };
        // SAFETY: MKL documents the function with this signature.
        (!symbol.is_null()).then(|| unsafe { transmute::<*mut c_void, SetThreads>(symbol) })
    })
}

/// The function that libtorch would have called.
fn next(name: &CStr) -> Product {
    // SAFETY: nothing is called, only looked for.
    let symbol = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    assert!(!symbol.is_null(), "{name:?} is called, but no library has it");
    // SAFETY: BLAS gives the function this signature.
    unsafe { transmute::<*mut c_void, Product>(symbol) }
}

macro_rules! product {
    ($name:ident, $symbol:literal) => {
        /// # Safety
        /// As BLAS has it: all addresses are valid, and the matrices as large as the numbers say.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            trans_a: Address,
            trans_b: Address,
            m: Size,
            n: Size,
            k: Size,
            alpha: Address,
            a: Address,
            lda: Size,
            b: Address,
            ldb: Size,
            beta: Address,
            c: *mut c_void,
            ldc: Size,
        ) {
            static NEXT: OnceLock<Product> = OnceLock::new();
            let next = NEXT.get_or_init(|| next($symbol));
            // SAFETY: the caller's promise.
            let size = unsafe { [*m, *n, *k] };
            let multiplications: u64 = size.iter().map(|&size| u64::try_from(size).unwrap_or(0)).product();
            let set = set_threads().filter(|_| multiplications <= SMALL);
            // SAFETY: the caller's promise is the same, and 1 and what MKL has set before are numbers of threads that it takes.
            unsafe {
                let before = set.map(|set| set(1));
                next(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
                if let (Some(set), Some(before)) = (set, before) {
                    set(before);
                }
            }
        }
    };
}

product!(sgemm_, c"sgemm_");
product!(dgemm_, c"dgemm_");

#[cfg(test)]
mod tests {
    use super::*;

    /// A B for matrices of n rows and columns, A all 2 and B all 3.
    fn square(n: i32) -> Vec<f32> {
        let size = (n * n) as usize;
        let (a, b, mut c) = (vec![2.0f32; size], vec![3.0f32; size], vec![0.0f32; size]);
        let (transposed, alpha, beta) = (c"N".as_ptr().cast(), &raw const ALPHA, &raw const BETA);
        // SAFETY: the matrices are as large as the numbers say.
        unsafe {
            sgemm_(
                transposed,
                transposed,
                &n,
                &n,
                &n,
                alpha.cast(),
                a.as_ptr().cast(),
                &n,
                b.as_ptr().cast(),
                &n,
                beta.cast(),
                c.as_mut_ptr().cast(),
                &n,
            )
        };
        c
    }

    static ALPHA: f32 = 1.0;
    static BETA: f32 = 0.0;

    #[test]
    fn a_product_is_the_same_on_either_side_and_leaves_the_threads_as_they_were() {
        // libtorch is loaded, and MKL with it.
        assert_eq!(
            tch::Tensor::from_slice(&[1.0f32, 2.0]).dot(&tch::Tensor::from_slice(&[3.0f32, 4.0])).double_value(&[]),
            11.0
        );
        let set = set_threads().expect("libtorch has MKL on this processor");
        // SAFETY: 3 is a number of threads.
        unsafe { set(3) };
        for n in [8, 64, 65, 80] {
            assert_eq!(square(n), vec![6.0 * n as f32; (n * n) as usize], "{n}");
        }
        // SAFETY: 0 stands for what holds elsewhere.
        assert_eq!(unsafe { set(0) }, 3);
    }
}
