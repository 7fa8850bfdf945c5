//! Determinants and their logarithms.

use super::factors::Factors;
use super::matrix::{check_square, identity, mask};
use super::solve::solve_with;
use super::svd::svd;
use crate::autograd::{Gradients, Op, Rule, Saved, gradients, saves};
use crate::{Tensor, is_grad_enabled, no_grad};
use std::sync::Arc;

/// The determinant.
pub(crate) struct Det {
    factors: Arc<Factors>,
}
/// The matrix of cofactors: the derivative of the determinant by every element.
pub(crate) struct Cofactor;
/// The logarithm of the determinant's absolute value.
pub(crate) struct SlogDet {
    factors: Arc<Factors>,
}

impl Op for Det {
    fn name(&self) -> &'static str {
        "LinalgDetBackward0"
    }

    /// `grad` times the cofactors: `det(A) A^-T`, or where `A` is singular from its singular values. Near a singular
    /// matrix the first form is still accurate, but its own derivative is a difference of large numbers.
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (a, det) = (rule.saved(0), rule.saved(1));
        gradients![rule; if self.factors.singular().is_some() || (is_grad_enabled() && self.factors.nearly_singular()) {
            grad.unsqueeze(-1).unsqueeze(-1) * cofactor(a)
        } else {
            let scale = (grad * det).unsqueeze(-1).unsqueeze(-1) * identity(a);
            solve_with(&self.factors, a, &scale, true, "LinalgSolveExBackward0")
        }]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use super::tests::{deficient, regular};
        use crate::op::Sample;
        vec![
            Sample::new([regular(&[3, 3])], |x| det(&x[0])),
            Sample::new([regular(&[2, 2, 2])], |x| det(&x[0].transpose(0, 1))),
            Sample::new([regular(&[1, 1])], |x| det(&x[0])),
            Sample::new([regular(&[0, 0])], |x| det(&x[0])),
            Sample::new([deficient(3, 2)], |x| det(&x[0])),
            Sample::new([deficient(4, 2)], |x| det(&x[0])),
            Sample::new([Tensor::zeros([3, 3], crate::DType::F64)], |x| det(&x[0])),
        ]
    }
}

impl Op for Cofactor {
    fn name(&self) -> &'static str {
        "LinalgDetBackward1"
    }

    /// With `A = U S V^T` and `G = U^T grad V`, the derivative of the cofactors of a diagonal matrix, rotated back:
    /// element `(j, j)` is `sum_i p_ij G_ii`, element `(j, i)` is `-p_ij G_ij`, where `p_ij` is the product of all
    /// singular values but the i-th and j-th. There is no division in it, so that it holds for any rank.
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let a = rule.saved(0);
        gradients![rule; match svd(a, false) {
            Err(_) => a * f64::NAN,
            Ok((u, s, vh)) => {
                let inner = u.mt().matmul(grad).matmul(&vh.mt());
                let products = products_without(&s, |i, j, k| i == k || j == k);
                let products = Tensor::where_(&mask(a.size(-1), |i, j| i == j), 0, products);
                let on_diagonal = products.matmul(&inner.diagonal(0, -2, -1).unsqueeze(-1)).squeeze_dim(-1);
                let rotated = on_diagonal.diag_embed(0, -2, -1) - products * inner.mt();
                u.matmul(&rotated).matmul(&vh) * orientation(&u, &vh)
            }
        }]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use super::tests::{deficient, regular};
        use crate::op::Sample;
        vec![
            Sample::new([regular(&[3, 3])], |x| cofactor(&x[0])),
            Sample::new([regular(&[2, 2, 2])], |x| cofactor(&x[0])),
            Sample::new([deficient(3, 2)], |x| cofactor(&x[0])),
            Sample::new([regular(&[0, 0])], |x| cofactor(&x[0])),
        ]
    }
}

impl Op for SlogDet {
    fn name(&self) -> &'static str {
        "LinalgSlogdetBackward0"
    }

    /// `grad A^-T`.
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let a = rule.saved(0);
        gradients![rule; {
            let scale = grad.unsqueeze(-1).unsqueeze(-1) * identity(a);
            solve_with(&self.factors, a, &scale, true, "LinalgSolveExBackward0")
        }]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use super::tests::regular;
        use crate::op::Sample;
        vec![
            Sample::new([regular(&[3, 3])], |x| slogdet(&x[0]).1),
            Sample::new([regular(&[2, 2, 2])], |x| slogdet(&x[0]).1),
            Sample::new([regular(&[2, 2])], |x| logdet(&x[0].matmul(&x[0].t()))),
            Sample::new([regular(&[0, 0])], |x| logdet(&x[0])),
            Sample::new([regular(&[0, 2, 2])], |x| logdet(&x[0])),
        ]
    }
}

/// For every pair `(i, j)`, the product over `k` of the numbers in the last dimension of `s` that `left_out` keeps.
fn products_without(s: &Tensor, left_out: impl Fn(usize, usize, usize) -> bool) -> Tensor {
    let n = s.size(-1);
    let mut product = Tensor::ones([n, n], s.dtype());
    for k in 0..n {
        let factor = s.narrow(-1, k as isize, 1).unsqueeze(-1);
        product = product * Tensor::where_(&mask(n, |i, j| left_out(i, j, k)), 1, factor);
    }
    product
}

/// `det(U) det(V)`, one or minus one, as `[.., 1, 1]` and without history.
fn orientation(u: &Tensor, vh: &Tensor) -> Tensor {
    no_grad(|| (det(u) * det(vh)).round().unsqueeze(-1).unsqueeze(-1)).detach()
}

/// The cofactors of any matrix: `det(U) det(V) U diag(p) V^T`, where `p_i` is the product of all singular values but
/// the i-th. N. J. Higham, "What is the adjugate of a matrix?" (2020).
fn cofactor(a: &Tensor) -> Tensor {
    let value = no_grad(|| match svd(a, false) {
        Err(_) => a.detach() * f64::NAN,
        Ok((u, s, vh)) => {
            let products = products_without(&s, |i, _, k| i == k);
            let products = products.expand_to(a.layout().shape.clone()).contiguous().diagonal(0, -2, -1);
            (&u * products.unsqueeze(-2)).matmul(&vh) * orientation(&u, &vh)
        }
    });
    value.detach().record(&[a], || Cofactor, |_| saves![a])
}

/// The determinant of square matrices, `[.., n, n]` to `[..]`. Its gradient is right for singular matrices too,
/// where torch's is zero.
///
/// ```
/// use tape::{Tensor, linalg};
/// let a = Tensor::from([[1.0, 2.0], [2.0, 4.0]]).requires_grad_(true);
/// let det = linalg::det(&a);
/// det.backward()?;
/// assert_eq!(det.item(), 0.0);
/// let cofactors = Tensor::from([[4.0, -2.0], [-2.0, 1.0]]);
/// assert!(a.grad().unwrap().allclose(&cofactors, 0.0, 1e-14));
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Panics
/// If the matrices are not square or the dtype is not floating point.
#[track_caller]
pub fn det(a: &Tensor) -> Tensor {
    let n = check_square("linalg.det", a);
    let factors = Arc::new(Factors::of(a));
    let value = no_grad(|| {
        let (sign, diagonal) = factors.diagonals();
        (0..n as isize).fold(sign, |product, i| product * diagonal.select(-1, i))
    });
    value.record(
        &[a],
        || Det { factors },
        |det| {
            let mut saved = saves![a];
            saved.push(Saved::output(det, 0));
            saved
        },
    )
}

/// The sign of the determinant (-1, 0 or 1) and the logarithm of its absolute value, of square matrices
/// `[.., n, n]`: for determinants that overflow or vanish. The sign has no gradient.
///
/// ```
/// use tape::{DType, Tensor, linalg};
/// let (sign, log) = linalg::slogdet(&(Tensor::eye(400, DType::F64) * 0.1));
/// assert_eq!(sign.item(), 1.0);
/// assert!((log.item() - 400.0 * 0.1f64.ln()).abs() < 1e-10);
/// ```
///
/// # Panics
/// If the matrices are not square or the dtype is not floating point.
#[track_caller]
pub fn slogdet(a: &Tensor) -> (Tensor, Tensor) {
    let n = check_square("linalg.slogdet", a);
    let factors = Arc::new(Factors::of(a));
    let (sign, log) = no_grad(|| {
        let (sign, diagonal) = factors.diagonals();
        let sign = (0..n as isize).fold(sign, |product, i| product * diagonal.select(-1, i).sign());
        (sign, diagonal.abs().log().sum_dim(-1, false))
    });
    (sign, log.record(&[a], || SlogDet { factors }, |_| saves![a]))
}

/// The logarithm of the determinant of square matrices, `[.., n, n]` to `[..]`: negative infinity for singular ones,
/// NaN where the determinant is negative.
///
/// ```
/// use tape::{Tensor, linalg};
/// let log = linalg::logdet(&Tensor::from([[2.0, 1.0], [0.0, 3.0]]));
/// assert!((log.item() - 6f64.ln()).abs() < 1e-15);
/// ```
///
/// # Panics
/// If the matrices are not square or the dtype is not floating point.
#[track_caller]
pub fn logdet(a: &Tensor) -> Tensor {
    check_square("logdet", a);
    let (sign, log) = slogdet(a);
    Tensor::where_(&sign.eq(-1.0), f64::NAN, log)
}
