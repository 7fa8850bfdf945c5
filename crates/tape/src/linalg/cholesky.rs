//! The Cholesky factorisation and what it solves.

use super::matrix::{batch_index, check_square, identity};
use super::triangular::{for_matrices, solve_left};
use crate::autograd::{Gradients, Op, Rule, gradients, save_output};
use crate::dtype::dispatch_float;
use crate::kernel::copy::to_dense;
use crate::kernel::factor::cholesky::factor;
use crate::storage::build;
use crate::{Error, Tensor};
use std::sync::Mutex;

/// The lower triangular `L` with `L L^T = A`.
pub(crate) struct Cholesky;

impl Op for Cholesky {
    fn name(&self) -> &'static str {
        "LinalgCholeskyExBackward0"
    }

    /// `L^-T sym(phi(L^T grad)) L^-1`, where `phi` takes the lower triangle with half the diagonal and `sym` the
    /// symmetric part: I. Murray, "Differentiation of the Cholesky decomposition" (2016), section 3.1.
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let l = rule.saved(0);
        gradients![rule; {
            let phi = l.mt().matmul(grad) * lower_half(l);
            let symmetric = (&phi + phi.mt()) * 0.5;
            let l_t = l.mt();
            // L^-T S L^-1 = L^-T (L^-T S)^T for a symmetric S.
            let half = solve_left(&l_t, &symmetric, true, false);
            solve_left(&l_t, &half.mt(), true, false)
        }]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use super::tests::regular;
        use crate::op::Sample;
        let positive = |x: &Tensor| x.matmul(&x.mt());
        let sample = |shape: &[usize]| {
            Sample::new([regular(shape)], move |x| cholesky(&positive(&x[0])).expect("positive definite"))
        };
        let solution = |shape: &[usize], upper: bool| {
            let inputs = [crate::op::spread(&[shape[shape.len() - 1], 2], -1.0, 1.0), regular(shape)];
            Sample::new(inputs, move |x| cholesky_solve(&x[0], &x[1], upper))
        };
        vec![
            sample(&[3, 3]),
            sample(&[1, 1]),
            sample(&[2, 2, 2]),
            sample(&[0, 0]),
            sample(&[0, 2, 2]),
            solution(&[3, 3], false),
            solution(&[2, 2, 2], true),
            Sample::new([regular(&[2, 2])], |x| cholesky_inverse(&x[0].t())),
        ]
    }
}

/// One below the diagonal, a half on it, zero above.
fn lower_half(l: &Tensor) -> Tensor {
    let n = l.size(-1);
    let weight = |index: usize| match (index / n).cmp(&(index % n)) {
        std::cmp::Ordering::Less => 0.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Greater => 1.0,
    };
    super::matrix::tensor(&(0..n * n).map(weight).collect::<Vec<f64>>(), &[n, n], l.dtype())
}

/// The lower triangular matrix `L` with `L L^T = A` and a positive diagonal, of a symmetric positive definite `A`,
/// `[.., n, n]`. Reads the lower triangle of `A` alone; the gradient is symmetric.
///
/// ```
/// use tape::{Tensor, linalg};
/// let l = linalg::cholesky(&Tensor::from([[4.0, 2.0], [2.0, 10.0]]))?;
/// assert_eq!(l.to_vec::<f64>(), [2.0, 0.0, 1.0, 3.0]);
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// [`Error::NotPositiveDefinite`] if it is not.
///
/// # Panics
/// If the matrices are not square or the dtype is not floating point.
#[track_caller]
pub fn cholesky(a: &Tensor) -> Result<Tensor, Error> {
    let n = check_square("linalg.cholesky", a);
    let failure = Mutex::new(None::<(usize, usize)>);
    let buffer = dispatch_float!("linalg.cholesky", a.dtype(), T => build::<T>(a.numel(), |out| {
        a.with(|a| to_dense(a, out));
        for_matrices(out, n * n, n * n * n / 3, &|index, matrix, parallel| {
            if let Err(order) = factor(matrix, n, parallel) {
                let mut first = failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *first = Some(first.map_or((index, order), |found| found.min((index, order))));
            }
        });
    }));
    if let Some((index, order)) = failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(Error::NotPositiveDefinite { batch: batch_index(a, index), order });
    }
    Ok(Tensor::from_buffer(buffer, a.layout().shape.clone()).record(&[a], || Cholesky, save_output))
}

/// The solution of `A X = B`, `[.., n, k]`, for the `A` whose Cholesky factor is `l`: `A = L L^T`, or with `upper`
/// `A = U^T U`. Reads one triangle of `l`, which alone gets a gradient.
///
/// ```
/// use tape::{Tensor, linalg};
/// let a = Tensor::from([[4.0, 2.0], [2.0, 10.0]]);
/// let x = linalg::cholesky_solve(&Tensor::from([[8.0], [22.0]]), &linalg::cholesky(&a)?, false);
/// assert_eq!(x.to_vec::<f64>(), [1.0, 2.0]);
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Panics
/// If the shapes do not fit or the dtypes differ or are not floating point.
#[track_caller]
pub fn cholesky_solve(b: &Tensor, l: &Tensor, upper: bool) -> Tensor {
    const OP: &str = "cholesky_solve";
    let n = check_square(OP, l);
    super::matrix::check_matrix(OP, "B", b);
    super::matrix::check_same_dtype(OP, l, b);
    if b.size(-2) != n {
        panic!(
            "{OP}: Incompatible matrix sizes for cholesky_solve: each A matrix is {n} by {n} but each b matrix is {} by \
             {}",
            b.size(-2),
            b.size(-1)
        );
    }
    let l_t = l.mt();
    let (lower, upper) = if upper { (&l_t, l) } else { (l, &l_t) };
    solve_left(upper, &solve_left(lower, b, false, false), true, false)
}

/// The inverse of `A = L L^T` from its lower Cholesky factor.
///
/// ```
/// use tape::{Tensor, linalg};
/// let inverse = linalg::cholesky_inverse(&Tensor::from([[2.0, 0.0], [0.0, 4.0]]));
/// assert_eq!(inverse.to_vec::<f64>(), [0.25, 0.0, 0.0, 0.0625]);
/// ```
///
/// # Panics
/// If the matrices are not square or the dtype is not floating point.
#[track_caller]
pub fn cholesky_inverse(l: &Tensor) -> Tensor {
    check_square("cholesky_inverse", l);
    cholesky_solve(&identity(l), l, false)
}
