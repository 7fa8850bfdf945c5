//! Integer powers of matrices.

use super::matrix::{check_square, identity};
use super::solve::inv;
use crate::{Error, Tensor};

/// `A` multiplied by itself `n` times, by repeated squaring; for negative `n` the power of the inverse, for 0 the
/// identity. Shape `[.., m, m]`.
///
/// ```
/// use tape::{Tensor, linalg};
/// let fibonacci = Tensor::from([[1.0, 1.0], [1.0, 0.0]]);
/// assert_eq!(linalg::matrix_power(&fibonacci, 10)?.to_vec::<f64>(), [89.0, 55.0, 55.0, 34.0]);
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// [`Error::NotInvertible`] for a negative power of a singular matrix.
///
/// # Panics
/// If the matrices are not square or the dtype is not floating point.
#[track_caller]
pub fn matrix_power(a: &Tensor, n: i64) -> Result<Tensor, Error> {
    check_square("linalg.matrix_power", a);
    let mut square = if n < 0 { inv(a)? } else { a.copy() };
    let mut product: Option<Tensor> = None;
    let mut left = n.unsigned_abs();
    while left > 0 {
        if left & 1 == 1 {
            product = Some(match product {
                Some(product) => product.matmul(&square),
                None => square.clone(),
            });
        }
        left >>= 1;
        if left > 0 {
            square = square.matmul(&square);
        }
    }
    Ok(product.unwrap_or_else(|| identity(a).expand_to(a.layout().shape.clone()).contiguous()))
}
