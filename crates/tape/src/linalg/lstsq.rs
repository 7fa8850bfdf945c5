//! Least squares.

use super::matrix::{check_matrix, check_same_dtype};
use super::pinv::pinv;
use super::qr::qr;
use super::solve::is_vector;
use super::triangular::solve_left;
use crate::{Error, Tensor, no_grad};

/// The `X` of smallest norm among those that make `|A X - B|` smallest, for `A` of shape `[.., m, n]` and `B` of
/// `[.., m, k]` (batches broadcast) or a vector, as in [`solve`](super::solve()). By QR factors, or where `A` lacks
/// rank by [`pinv`].
///
/// ```
/// use tape::{Tensor, linalg};
/// // The line through (0, 1), (1, 3), (2, 5).
/// let a = Tensor::from([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]);
/// let x = linalg::lstsq(&a, &Tensor::from([1.0, 3.0, 5.0]))?;
/// assert!(x.allclose(&Tensor::from([2.0, 1.0]), 1e-13, 0.0));
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// [`Error::NoSingularValues`] if elements of `A` are not finite.
///
/// # Panics
/// If the shapes do not fit or the dtypes differ or are not floating point.
#[track_caller]
pub fn lstsq(a: &Tensor, b: &Tensor) -> Result<Tensor, Error> {
    const OP: &str = "torch.linalg.lstsq";
    check_matrix(OP, "input", a);
    let vector = is_vector(a, b);
    let matrix = if vector { b.unsqueeze(-1) } else { b.clone() };
    check_matrix(OP, "other", &matrix);
    check_same_dtype(OP, a, &matrix);
    let (m, n) = (a.size(-2), a.size(-1));
    if matrix.size(-2) != m {
        panic!(
            "{OP}: input.size(-2) should match other.size(-{}); shapes are {:?} and {:?}",
            if vector { 1 } else { 2 },
            a.sizes(),
            b.sizes()
        );
    }
    let tall = m >= n;
    let (q, r) = qr(&if tall { a.clone() } else { a.mt() });
    let x = if !no_grad(|| has_full_rank(&r, m.max(n))) {
        pinv(a)?.matmul(&matrix)
    } else if tall {
        solve_left(&r, &q.mt().matmul(&matrix), true, false)
    } else {
        q.matmul(&solve_left(&r.mt(), &matrix, false, false))
    };
    Ok(if vector { x.squeeze_dim(-1) } else { x })
}

/// Whether no diagonal element of a triangular factor is as small as rounding makes zeros. False for NaN.
fn has_full_rank(r: &Tensor, size: usize) -> bool {
    let diagonal = r.detach().diagonal(0, -2, -1).abs();
    if diagonal.numel() == 0 {
        return true;
    }
    let tolerance = size as f64 * r.dtype().eps().unwrap_or(f64::EPSILON);
    let largest = diagonal.amax(-1, true);
    diagonal.gt(&(largest * tolerance)).all().item() != 0.0
}
