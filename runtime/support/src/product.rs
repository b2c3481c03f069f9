//! Products of small matrices, by the `gemm` crates.

use gemm_common::Parallelism;
use gemm_f32::gemm::f32::get_gemm_fn;
use oxtorch_boundary::Product;

/// # Safety
///
/// As for [`oxtorch_boundary::Support::multiply`].
pub(crate) unsafe fn multiply(product: &Product) {
    let &Product { rows, columns, inner, alpha, a, b, beta, c } = product;
    // In this crate alpha is the factor of C, and beta that of A B.
    let (of_c, of_product, reads_c) = (beta, alpha, beta != 0.0);
    let is_conjugated = false;
    // SAFETY: the caller's promise is the same.
    unsafe {
        get_gemm_fn()(
            rows,
            columns,
            inner,
            c.start,
            c.column,
            c.row,
            reads_c,
            a.start,
            a.column,
            a.row,
            b.start,
            b.column,
            b.row,
            of_c,
            of_product,
            is_conjugated,
            is_conjugated,
            is_conjugated,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use oxtorch_boundary::Matrix;

    use super::*;

    #[test]
    fn c_is_alpha_a_b_plus_beta_c_and_not_read_where_beta_is_zero() {
        // A is 2 x 3 row by row, B 3 x 2 column by column.
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, 2.0, 0.0, 1.0, 1.0]);
        for (beta, before, expected) in
            [(0.5, 4.0, [16.0, 34.0, 12.0, 24.0]), (0.0, f32::NAN, [14.0, 32.0, 10.0, 22.0])]
        {
            let mut c = [before; 4];
            let product = Product {
                rows: 2,
                columns: 2,
                inner: 3,
                alpha: 2.0,
                a: Matrix { start: a.as_ptr(), row: 3, column: 1 },
                b: Matrix { start: b.as_ptr(), row: 1, column: 3 },
                beta,
                c: Matrix { start: c.as_mut_ptr(), row: 1, column: 2 },
            };
            // SAFETY: the arrays are as large as the strides say.
            unsafe { multiply(&product) };
            assert_eq!(c, expected);
        }
    }
}
