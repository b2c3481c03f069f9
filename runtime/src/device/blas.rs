//! Small matrix products run on one thread, whatever the number of threads is, and MKL uses all that the processor has.
//!
//! MKL shares out a product of 32 x 32 x 128 as well; waking the other threads then takes longer than the product
//! itself, and many times longer where the processors are busy, as on a server that many use. libtorch calls MKL's
//! `sgemm_` and `dgemm_` through the dynamic linker, which finds these before MKL's.

use std::ffi::{CStr, c_int, c_void};
use std::mem::transmute;
use std::sync::OnceLock;

/// Up to so many multiplications a product takes less time on one thread: 64 x 64 x 64. Measured with 2 threads that
/// had nothing else to do: 32³ takes 1.4 µs on one and 4.1 µs on both, 64³ 5.8 µs and 5.0 µs, 96³ 17 µs and 11 µs.
const SMALL: u64 = 1 << 18;

/// C = alpha A B + beta C, as BLAS defines it: every argument is an address;
/// `product!` names them.
#[rustfmt::skip]
type Blas = unsafe extern "C" fn(
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
fn next(name: &CStr) -> Blas {
    // SAFETY: nothing is called, only looked for.
    let symbol = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    assert!(!symbol.is_null(), "{name:?} is called, but no library has it");
    // SAFETY: BLAS gives the function this signature.
    unsafe { transmute::<*mut c_void, Blas>(symbol) }
}

/// MKL's question whether this is a processor of Intel's, which it asks before it chooses its code. The answer is yes
/// on AMD's as well, so that the instructions that a processor has decide alone. On an AMD EPYC with AVX-512, `exp` of
/// 131,072 numbers takes 106 µs without this and 26 µs with it, a product of 32 x 128 x 32 3.2 µs and 2.4 µs, and the
/// same product of doubles 11 µs and 5.3 µs.
#[unsafe(no_mangle)]
extern "C" fn mkl_serv_intel_cpu_true() -> c_int {
    1
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
            static NEXT: OnceLock<Blas> = OnceLock::new();
            let next = NEXT.get_or_init(|| next($symbol));
            // SAFETY: the caller's promise.
            let size = unsafe { [*m, *n, *k] };
            let multiplications: u64 = size.iter().map(|&size| u64::try_from(size).unwrap_or(0)).product();
            let is_small = multiplications <= SMALL;
            let set = set_threads().filter(|_| is_small);
            // SAFETY: the caller's promise is the same, and 1 and what MKL has set before are numbers of threads that
            // it takes.
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

    /// alpha op(A) op(B) + beta C, where C is all `c` before, and each matrix has one row more than it needs.
    fn product(trans_a: u8, trans_b: u8, [m, n, k]: [i32; 3], [alpha, beta, c]: [f32; 3]) -> Vec<f32> {
        let height = |transposed: u8, rows: i32, columns: i32| {
            1 + if !transposed.eq_ignore_ascii_case(&b'n') { columns } else { rows }
        };
        let (lda, ldb, ldc) = (height(trans_a, m, k), height(trans_b, k, n), m + 1);
        let (a, b) = (numbers(lda * m.max(k)), numbers(ldb * k.max(n)));
        let mut c = vec![c; (ldc * n) as usize];
        // SAFETY: the matrices are as large as the numbers say.
        unsafe {
            sgemm_(
                (&raw const trans_a).cast(),
                (&raw const trans_b).cast(),
                &m,
                &n,
                &k,
                (&raw const alpha).cast(),
                a.as_ptr().cast(),
                &lda,
                b.as_ptr().cast(),
                &ldb,
                (&raw const beta).cast(),
                c.as_mut_ptr().cast(),
                &ldc,
            )
        };
        c
    }

    fn numbers(count: i32) -> Vec<f32> {
        (0..count).map(|n| (n % 7 - 3) as f32).collect()
    }

    /// The same by its definition.
    fn expected(trans_a: u8, trans_b: u8, [m, n, k]: [i32; 3], [alpha, beta, c]: [f32; 3]) -> Vec<f32> {
        let at = |transposed: u8, rows: i32, columns: i32, row: i32, column: i32| {
            let (height, row, column) = if !transposed.eq_ignore_ascii_case(&b'n') {
                (columns + 1, column, row)
            } else {
                (rows + 1, row, column)
            };
            ((column * height + row) % 7 - 3) as f32
        };
        let mut result = vec![c; ((m + 1) * n) as usize];
        for (row, column) in (0..m).flat_map(|row| (0..n).map(move |column| (row, column))) {
            let sum: f32 = (0..k).map(|i| at(trans_a, m, k, row, i) * at(trans_b, k, n, i, column)).sum();
            let before = if beta == 0.0 { 0.0 } else { beta * c };
            result[(column * (m + 1) + row) as usize] = alpha * sum + before;
        }
        result
    }

    #[test]
    fn products_are_as_blas_defines_them() {
        for size in [[1, 1, 1], [3, 2, 4], [128, 32, 8], [33, 65, 17], [80, 70, 90]] {
            for (trans_a, trans_b) in [(b'N', b'N'), (b'n', b'T'), (b'T', b'N'), (b'C', b't')] {
                for factors in [[1.0, 0.0, f32::NAN], [2.0, 1.0, 0.5], [0.0, 0.5, 4.0]] {
                    let (found, expected) =
                        (product(trans_a, trans_b, size, factors), expected(trans_a, trans_b, size, factors));
                    // The row that C has more than it needs stays as it was.
                    let is_equal =
                        |(found, expected): (&f32, &f32)| found == expected || found.is_nan() && expected.is_nan();
                    assert!(found.iter().zip(&expected).all(is_equal), "{size:?} {trans_a} {trans_b} {factors:?}");
                }
            }
        }
    }

    #[test]
    fn a_product_leaves_the_threads_as_they_were() {
        // libtorch is loaded, and MKL with it.
        assert_eq!(
            tch::Tensor::from_slice(&[1.0f32, 2.0]).dot(&tch::Tensor::from_slice(&[3.0f32, 4.0])).double_value(&[]),
            11.0
        );
        let set = set_threads().expect("libtorch has MKL on this processor");
        // SAFETY: 3 is a number of threads.
        unsafe { set(3) };
        for n in [8, 64, 65, 80] {
            product(b'N', b'N', [n, n, n], [1.0, 0.0, 0.0]);
        }
        // SAFETY: 0 stands for what holds elsewhere.
        assert_eq!(unsafe { set(0) }, 3);
    }
}
