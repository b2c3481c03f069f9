//! Small matrix products run on one thread, whatever the number of threads is, and by other code than MKL's where that
//! takes less time.
//!
//! MKL shares out a product of 32 x 32 x 128 as well; waking the other threads then takes longer than the product
//! itself, and many times longer where the processors are busy, as on a server that many use. libtorch calls MKL's
//! `sgemm_` and `dgemm_` through the dynamic linker, which finds these before MKL's.

use std::ffi::{CStr, c_int, c_void};
use std::mem::transmute;
use std::sync::OnceLock;

use oxtorch_boundary::{Matrix, Product};

use crate::support::support;

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

/// Whether this processor multiplies small matrices faster by other code than MKL's: MKL has its best code for Intel's
/// processors only. On an AMD EPYC with AVX-512, a product of 32 x 128 x 32 takes it 2.9 µs and the `gemm` crates 1.3
/// µs; a step of training an LSTM takes a tenth less time so.
fn is_slow_in_mkl() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let vendor = std::arch::x86_64::__cpuid(0);
        let vendor = [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes);
        // The crates' code for AVX-512 takes what that for AVX2 does as well.
        let has_all = [
            is_x86_feature_detected!("avx512f"),
            is_x86_feature_detected!("avx512bw"),
            is_x86_feature_detected!("avx512cd"),
            is_x86_feature_detected!("avx512dq"),
            is_x86_feature_detected!("avx512vl"),
            is_x86_feature_detected!("avx2"),
            is_x86_feature_detected!("fma"),
            is_x86_feature_detected!("bmi1"),
            is_x86_feature_detected!("bmi2"),
            is_x86_feature_detected!("lzcnt"),
            is_x86_feature_detected!("popcnt"),
            is_x86_feature_detected!("movbe"),
        ];
        vendor.as_flattened() == b"AuthenticAMD" && has_all.iter().all(|has| *has)
    })
}

/// A product in single precision; none where an argument is special, or not what BLAS knows, which is
/// MKL's to report.
///
/// # Safety
/// As BLAS has it.
#[expect(clippy::too_many_arguments, reason = "BLAS has that many")]
unsafe fn small(
    trans_a: Address,
    trans_b: Address,
    [m, n, k]: [c_int; 3],
    alpha: Address,
    a: Address,
    lda: c_int,
    b: Address,
    ldb: c_int,
    beta: Address,
    c: *mut c_void,
    ldc: c_int,
) -> Option<Product> {
    // Columns lie one behind the other, so that the rows of a transposed matrix do.
    let matrix = |start: Address, transposed: Address, [rows, columns]: [c_int; 2], stride: c_int| {
        // SAFETY: the caller's promise.
        let is_transposed = match unsafe { *transposed.cast::<u8>() } {
            b'N' | b'n' => false,
            b'T' | b't' | b'C' | b'c' => true,
            _ => return None,
        };
        let height = if is_transposed { columns } else { rows };
        let stride = isize::try_from(stride).ok().filter(|_| stride >= height)?;
        let (row, column) = if is_transposed { (stride, 1) } else { (1, stride) };
        Some(Matrix { start: start.cast::<f32>(), row, column })
    };
    // SAFETY: the caller's promise.
    let (alpha, beta) = unsafe { (*alpha.cast::<f32>(), *beta.cast::<f32>()) };
    if alpha == 0.0 {
        // A and B are not to be read, be they infinite or not.
        return None;
    }
    Some(Product {
        rows: usize::try_from(m).ok()?,
        columns: usize::try_from(n).ok()?,
        inner: usize::try_from(k).ok()?,
        alpha,
        a: matrix(a, trans_a, [m, k], lda)?,
        b: matrix(b, trans_b, [k, n], ldb)?,
        beta,
        c: Matrix { start: c.cast(), row: 1, column: isize::try_from(ldc).ok().filter(|_| ldc >= m)? },
    })
}

macro_rules! product {
    ($name:ident, $symbol:literal, is_single: $is_single:literal) => {
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
            if $is_single && is_small && multiplications > 0 && is_slow_in_mkl() {
                // SAFETY: the caller's promise.
                let small = unsafe { small(trans_a, trans_b, size, alpha, a, *lda, b, *ldb, beta, c, *ldc) };
                if let (Some(small), Ok(support)) = (small, support()) {
                    // SAFETY: the caller's promise.
                    return unsafe { (support.multiply)(&small) };
                }
            }
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

product!(sgemm_, c"sgemm_", is_single: true);
product!(dgemm_, c"dgemm_", is_single: false);

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
        // With 0 for alpha MKL multiplies the small ones too.
        for (n, alpha) in [8, 64, 65, 80].into_iter().flat_map(|n| [(n, 0.0), (n, 1.0)]) {
            product(b'N', b'N', [n, n, n], [alpha, 0.0, 0.0]);
        }
        // SAFETY: 0 stands for what holds elsewhere.
        assert_eq!(unsafe { set(0) }, 3);
    }
}
