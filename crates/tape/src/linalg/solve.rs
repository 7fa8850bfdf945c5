//! Systems of linear equations and inverses.

use super::factors::Factors;
use super::matrix::{batch_index, check_matrix, check_same_dtype, check_square, common_batch, identity};
use crate::autograd::{Gradients, Op, Rule, Saved, gradients, saves};
use crate::{Error, Tensor};
use std::sync::Arc;

/// The solution of `A X = B` or `A^T X = B`, from factors that the derivative uses again.
pub(crate) struct Solve {
    factors: Arc<Factors>,
    transposed: bool,
    name: &'static str,
}

impl Op for Solve {
    fn name(&self) -> &'static str {
        self.name
    }

    /// `dB = A^-T grad`, `dA = -dB X^T`.
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (a, x) = (rule.saved(0), rule.saved(1));
        let of_b = solve_with(&self.factors, a, grad, !self.transposed, self.name);
        gradients![rule;
            if self.transposed { -x.matmul(&of_b.mt()) } else { -of_b.matmul(&x.mt()) },
            of_b.clone(),
        ]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use super::tests::regular;
        use crate::op::{Sample, spread};
        let sample = |a: &[usize], b: &[usize]| {
            Sample::new([regular(a), spread(b, -1.0, 1.0)], |x| solve(&x[0], &x[1]).expect("regular"))
        };
        vec![
            sample(&[3, 3], &[3, 2]),
            sample(&[3, 3], &[3]),
            sample(&[2, 2, 2], &[2, 2]),
            sample(&[2, 2, 2], &[2, 2, 1]),
            sample(&[2, 2], &[2, 2, 1]),
            sample(&[2, 1, 2, 2], &[2, 2, 1]),
            sample(&[0, 0], &[0, 2]),
            sample(&[0, 2, 2], &[0, 2]),
            Sample::new([regular(&[3, 3])], |x| inv(&x[0]).expect("regular")),
            Sample::new([regular(&[2, 2, 2])], |x| inv(&x[0].transpose(0, 2)).expect("regular")),
            Sample::new([regular(&[2, 2])], |x| solve(&x[0].t(), &x[0]).expect("regular")),
            Sample::new([regular(&[2, 2])], |x| super::matrix_power(&x[0], -2).expect("regular")),
            Sample::new([regular(&[2, 2])], |x| super::matrix_power(&x[0], 5).expect("regular")),
        ]
    }
}

/// The recorded solution of `A X = B` or `A^T X = B`.
#[track_caller]
pub(super) fn solve_with(
    factors: &Arc<Factors>,
    a: &Tensor,
    b: &Tensor,
    transposed: bool,
    name: &'static str,
) -> Tensor {
    let batch = common_batch("linalg.solve", a, b);
    let b = &b.in_dtype(factors.dtype());
    factors.solve(b, transposed, &batch).record(
        &[a, b],
        || Solve { factors: Arc::clone(factors), transposed, name },
        |x| {
            let mut saved = saves![a];
            saved.push(Saved::output(x, 0));
            saved
        },
    )
}

/// The solution of `A X = B` for regular `A`, `[.., n, n]`, by LU factors with partial pivoting. `B` is `[.., n, k]`
/// with a batch that broadcasts, or a vector: of one dimension, or of `A`'s shape without its last dimension.
///
/// ```
/// use tape::{Tensor, linalg};
/// let a = Tensor::from([[3.0, 1.0], [1.0, 2.0]]);
/// assert_eq!(linalg::solve(&a, &Tensor::from([9.0, 8.0]))?.to_vec::<f64>(), [2.0, 3.0]);
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// [`Error::SingularSystem`] if a matrix is exactly singular.
///
/// # Panics
/// If the shapes do not fit or the dtypes differ or are not floating point.
#[track_caller]
pub fn solve(a: &Tensor, b: &Tensor) -> Result<Tensor, Error> {
    const OP: &str = "linalg.solve";
    let n = check_square(OP, a);
    let vector = is_vector(a, b);
    let matrix = if vector { b.unsqueeze(-1) } else { b.clone() };
    check_matrix(OP, "B", &matrix);
    check_same_dtype(OP, a, &matrix);
    if matrix.size(-2) != n {
        panic!(
            "{OP}: Incompatible shapes of A and B for the equation AX = B ({n}x{n} and {}x{}); shapes are {:?} and \
             {:?}",
            matrix.size(-2),
            matrix.size(-1),
            a.sizes(),
            b.sizes()
        );
    }
    // Shapes are refused before values.
    common_batch(OP, a, &matrix);
    let factors = Arc::new(Factors::of(a));
    if let Some((index, _)) = factors.singular() {
        return Err(Error::SingularSystem { batch: batch_index(a, index) });
    }
    let x = solve_with(&factors, a, &matrix, false, "LinalgSolveExBackward0");
    Ok(if vector { x.squeeze_dim(-1) } else { x })
}

/// Whether `b` is a right-hand side, or a batch of them, without a dimension for several: torch's rule.
pub(super) fn is_vector(a: &Tensor, b: &Tensor) -> bool {
    b.dim() == 1 || (b.dim() + 1 == a.dim() && *b.sizes() == a.sizes()[..a.dim() - 1])
}

/// The inverse of regular matrices, `[.., n, n]`. To multiply by it, [`solve`] is faster and more accurate.
///
/// ```
/// use tape::{Tensor, linalg};
/// let inverse = linalg::inv(&Tensor::from([[2.0, 0.0], [1.0, 1.0]]))?;
/// assert_eq!(inverse.to_vec::<f64>(), [0.5, 0.0, -0.5, 1.0]);
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// [`Error::NotInvertible`] if a matrix is exactly singular.
///
/// # Panics
/// If the matrices are not square or the dtype is not floating point.
#[track_caller]
pub fn inv(a: &Tensor) -> Result<Tensor, Error> {
    check_square("linalg.inv", a);
    let factors = Arc::new(Factors::of(a));
    if let Some((index, element)) = factors.singular() {
        return Err(Error::NotInvertible { batch: batch_index(a, index), element });
    }
    Ok(solve_with(&factors, a, &identity(a), false, "LinalgInvExBackward0"))
}
