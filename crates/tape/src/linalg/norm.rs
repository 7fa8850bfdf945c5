//! Norms, condition and rank of matrices.

use super::matrix::check_matrix;
use super::svd::svdvals;
use crate::{Error, Tensor, no_grad};

/// Which norm of a matrix [`matrix_norm`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatrixNorm {
    /// Frobenius: the root of the sum of squares of all elements.
    Fro,
    /// Nuclear: the sum of the singular values.
    Nuc,
    /// The largest sum of absolute values of a column.
    One,
    /// The largest sum of absolute values of a row.
    Inf,
    /// The largest singular value.
    Two,
    /// The smallest sum of absolute values of a column, torch's order -1.
    NegOne,
    /// The smallest sum of absolute values of a row, torch's order -inf.
    NegInf,
    /// The smallest singular value, torch's order -2.
    NegTwo,
}

/// A norm of matrices, `[.., m, n]` to `[..]`. Where elements are not finite, norms of singular values are NaN. The
/// gradient of the Frobenius norm is zero at the zero matrix.
///
/// ```
/// use tape::{Tensor, linalg, linalg::MatrixNorm};
/// let a = Tensor::from([[3.0, 0.0], [0.0, -4.0]]);
/// assert_eq!(linalg::matrix_norm(&a, MatrixNorm::Fro).item(), 5.0);
/// assert_eq!(linalg::matrix_norm(&a, MatrixNorm::Inf).item(), 4.0);
/// assert!((linalg::matrix_norm(&a, MatrixNorm::Nuc).item() - 7.0).abs() < 1e-14);
/// ```
///
/// # Panics
/// If `a` has fewer than two dimensions, is not floating point, or has no elements to take the extreme of.
#[track_caller]
pub fn matrix_norm(a: &Tensor, norm: MatrixNorm) -> Tensor {
    check_matrix("linalg.matrix_norm", "A", a);
    let singular = || svdvals(a).unwrap_or_else(|_| (a * f64::NAN).sum_dim(-1, false).narrow(-1, 0, 1));
    match norm {
        MatrixNorm::Fro => a.norm_dim(2.0, [-2, -1], false),
        MatrixNorm::Nuc => singular().sum_dim(-1, false),
        MatrixNorm::One => a.abs().sum_dim(-2, false).amax(-1, false),
        MatrixNorm::NegOne => a.abs().sum_dim(-2, false).amin(-1, false),
        MatrixNorm::Inf => a.abs().sum_dim(-1, false).amax(-1, false),
        MatrixNorm::NegInf => a.abs().sum_dim(-1, false).amin(-1, false),
        MatrixNorm::Two => singular().amax(-1, false),
        MatrixNorm::NegTwo => singular().amin(-1, false),
    }
}

/// The condition number: the largest singular value over the smallest, `[.., m, n]` to `[..]`. Infinite for singular
/// matrices, NaN for zero ones, 0 for those without elements.
///
/// ```
/// use tape::{Tensor, linalg};
/// let condition = linalg::cond(&Tensor::from([[10.0, 0.0], [0.0, 2.0]]))?;
/// assert!((condition.item() - 5.0).abs() < 1e-14);
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// [`Error::NoSingularValues`] if elements are not finite.
///
/// # Panics
/// If `a` has fewer than two dimensions or is not floating point.
#[track_caller]
pub fn cond(a: &Tensor) -> Result<Tensor, Error> {
    check_matrix("linalg.cond", "A", a);
    let s = svdvals(a)?;
    if s.size(-1) == 0 {
        return Ok(s.sum_dim(-1, false));
    }
    Ok(s.select(-1, 0) / s.select(-1, -1))
}

/// The number of singular values greater than `max(m, n)` times the machine epsilon times the largest, as `I64`,
/// `[.., m, n]` to `[..]`.
///
/// ```
/// use tape::{Tensor, linalg};
/// let rank = linalg::matrix_rank(&Tensor::from([[1.0, 2.0], [2.0, 4.0]]))?;
/// assert_eq!(rank.item_as::<i64>(), 1);
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// [`Error::NoSingularValues`] if elements are not finite.
///
/// # Panics
/// If `a` has fewer than two dimensions or is not floating point.
#[track_caller]
pub fn matrix_rank(a: &Tensor) -> Result<Tensor, Error> {
    check_matrix("linalg.matrix_rank", "A", a);
    no_grad(|| {
        let s = svdvals(a)?;
        if s.size(-1) == 0 {
            return Ok(s.sum_dim(-1, false).long());
        }
        Ok(s.gt(&rank_tolerance(a, &s)).sum_dim(-1, false))
    })
}

/// Singular values up to this one count as zero, `[.., 1]`.
pub(super) fn rank_tolerance(a: &Tensor, s: &Tensor) -> Tensor {
    let size = a.size(-2).max(a.size(-1)) as f64;
    s.narrow(-1, 0, 1) * (size * a.dtype().eps().unwrap_or(f64::EPSILON))
}
