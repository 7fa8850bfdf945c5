//! The Moore-Penrose inverse.

use super::matrix::check_matrix;
use super::svd::svd;
use crate::autograd::{Gradients, Op, Rule, Saved, gradients, saves};
use crate::{Error, Tensor, no_grad};

/// The pseudo-inverse.
pub(crate) struct Pinv;

impl Op for Pinv {
    fn name(&self) -> &'static str {
        "LinalgPinvBackward0"
    }

    /// The transpose of `dP = -P dA P + P P^T dA^T (I - A P) + (I - P A) dA^T P^T P`: G. H. Golub, V. Pereyra, "The
    /// differentiation of pseudo-inverses and nonlinear least squares problems whose variables separate" (1973), 4.12.
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (a, p) = (rule.saved(0), rule.saved(1));
        gradients![rule; {
            let (pt, gt) = (p.mt(), grad.mt());
            let first = pt.matmul(grad).matmul(&pt);
            let second = gt.matmul(p).matmul(&pt);
            let second = &second - a.matmul(p).matmul(&second);
            let third = pt.matmul(p).matmul(&gt);
            let third = &third - third.matmul(p).matmul(a);
            second + third - first
        }]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use super::tests::regular;
        use crate::op::{Sample, spread};
        let sample = |input: Tensor| Sample::new([input], |x| pinv(&x[0]).expect("finite"));
        vec![
            sample(regular(&[3, 3])),
            sample(spread(&[3, 2], -1.0, 1.0)),
            sample(spread(&[2, 2, 3], -1.0, 1.0)),
            sample(spread(&[0, 3], -1.0, 1.0)),
            Sample::new([spread(&[3, 1], 0.5, 1.0), spread(&[1, 3], 0.5, 1.0)], |x| {
                pinv(&x[0].matmul(&x[1])).expect("finite")
            }),
            Sample::new([regular(&[2, 2])], |x| pinv(&x[0].t()).expect("finite")),
        ]
    }
}

/// The Moore-Penrose inverse `[.., n, m]` of matrices `[.., m, n]`: `V diag(1 / S) U^T`, without the singular values
/// up to `max(m, n)` times the machine epsilon times the largest. Its gradient is that of matrices of the same rank.
///
/// ```
/// use tape::{Tensor, linalg};
/// let inverse = linalg::pinv(&Tensor::from([[2.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))?;
/// assert!(inverse.allclose(&Tensor::from([[0.5, 0.0, 0.0], [0.0, 0.0, 0.0]]), 1e-15, 0.0));
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// [`Error::NoSingularValues`] if elements are not finite.
///
/// # Panics
/// If `a` has fewer than two dimensions or is not floating point.
#[track_caller]
pub fn pinv(a: &Tensor) -> Result<Tensor, Error> {
    check_matrix("linalg.pinv", "A", a);
    let value = no_grad(|| {
        if a.numel() == 0 {
            return Ok(a.mt().contiguous());
        }
        let (u, s, vh) = svd(&a.detach(), false)?;
        let kept = s.gt(&super::norm::rank_tolerance(a, &s));
        let inverse = Tensor::where_(&kept, s.reciprocal(), 0);
        Ok((vh.mt() * inverse.unsqueeze(-2)).matmul(&u.mt()))
    })?;
    Ok(value.detach().record(
        &[a],
        || Pinv,
        |p| {
            let mut saved = saves![a];
            saved.push(Saved::output(p, 0));
            saved
        },
    ))
}
