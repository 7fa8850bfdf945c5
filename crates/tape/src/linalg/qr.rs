//! The QR factorisation.

use super::matrix::{batch_of, check_matrix, elements, tensor, with_sizes};
use super::triangular::solve_left;
use crate::Tensor;
use crate::autograd::{Gradients, Op, Rule, Saved, Saves, gradients, record_many};
use crate::kernel::factor::qr::factor;

/// `A = Q R` for at least as many rows as columns.
pub(crate) struct Qr;

impl Op for Qr {
    fn name(&self) -> &'static str {
        "LinalgQrBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        self.backward_many(rule, &[Some(grad.clone()), None])
    }

    /// `(dQ + Q copyltu(R dR^T - dQ^T Q)) R^-T`, where `copyltu` repeats the lower triangle above: S. F. Walter,
    /// L. Lehmann, "Algorithmic differentiation of linear algebra functions with application in optimum experimental
    /// design" (2010).
    fn backward_many(&self, rule: &Rule<'_>, grads: &[Option<Tensor>]) -> Gradients {
        let (q, r) = (rule.saved(0), rule.saved(1));
        gradients![rule; {
            let from_r = grads[1].as_ref().map(|of_r| r.matmul(&of_r.mt()));
            let from_q = grads[0].as_ref().map(|of_q| -of_q.mt().matmul(q));
            match [from_r, from_q].into_iter().flatten().reduce(|a, b| a + b) {
                None => q.matmul(r).zeros_like(),
                Some(inner) => {
                    let lower = inner.tril(0);
                    let strict = inner.tril(-1);
                    let mut of_a = q.matmul(&(lower + strict.mt()));
                    if let Some(of_q) = &grads[0] {
                        of_a = of_a + of_q;
                    }
                    // X R^-T is the transpose of R^-1 X^T.
                    solve_left(r, &of_a.mt(), true, false).mt()
                }
            }
        }]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use super::tests::regular;
        use crate::op::{Sample, spread};
        let both = |x: &Tensor| {
            let (q, r) = qr(x);
            let square = r.narrow(-1, 0, q.size(-1));
            q.matmul(&square.sin()) + q.matmul(&r).sum() + r.sum()
        };
        let system = |a: &[usize], b: &[usize]| {
            Sample::new([spread(a, -1.0, 1.0), spread(b, -1.0, 1.0)], |x| super::lstsq(&x[0], &x[1]).expect("finite"))
        };
        vec![
            Sample::new([regular(&[3, 3])], move |x| both(&x[0])),
            Sample::new([spread(&[4, 2], -1.0, 1.0)], move |x| both(&x[0])),
            Sample::new([spread(&[2, 3, 2], -1.0, 1.0)], |x| qr(&x[0]).0),
            Sample::new([spread(&[2, 3], -1.0, 1.0)], move |x| both(&x[0])),
            Sample::new([spread(&[2, 3], -1.0, 1.0)], |x| qr(&x[0].t()).1),
            Sample::new([spread(&[2, 0], -1.0, 1.0)], move |x| both(&x[0])),
            Sample::new([spread(&[0, 2], -1.0, 1.0)], move |x| both(&x[0])),
            system(&[3, 2], &[3, 2]),
            system(&[3, 2], &[3]),
            system(&[2, 3], &[2, 1]),
            system(&[2, 3, 2], &[2, 3]),
        ]
    }
}

/// `(Q, R)` with `A = Q R`: orthonormal columns `Q`, `[.., m, k]`, and an upper triangular `R`, `[.., k, n]`, with
/// `k = min(m, n)`. By Householder reflections with LAPACK's signs, so that the diagonal of `R` may be negative.
/// Computed in `f64` for either dtype.
///
/// The gradient exists where the first `k` columns are linearly independent.
///
/// ```
/// use tape::{Tensor, linalg};
/// let (q, r) = linalg::qr(&Tensor::from([[3.0, 1.0], [4.0, 2.0]]));
/// assert!(r.allclose(&Tensor::from([[-5.0, -2.2], [0.0, 0.4]]), 1e-14, 0.0));
/// assert!(q.t().matmul(&q).allclose(&Tensor::eye(2, q.dtype()), 0.0, 1e-14));
/// ```
///
/// # Panics
/// If `a` has fewer than two dimensions or is not floating point.
#[track_caller]
pub fn qr(a: &Tensor) -> (Tensor, Tensor) {
    check_matrix("linalg.qr", "A", a);
    let (m, n) = (a.size(-2), a.size(-1));
    if m < n {
        // The first columns determine Q; the others follow.
        let (q, r) = qr(&a.narrow(-1, 0, m));
        let rest = q.mt().matmul(&a.narrow(-1, m as isize, n - m));
        return (q, Tensor::cat(&[&r, &rest], -1));
    }
    let batch = batch_of(a);
    let mut q = elements(a);
    let mut r = vec![0.0; batch.iter().product::<usize>() * n * n];
    for (q, r) in q.chunks_exact_mut((m * n).max(1)).zip(r.chunks_exact_mut((n * n).max(1))) {
        factor(q, m, n, r);
    }
    let outputs = vec![tensor(&q, a.sizes(), a.dtype()), tensor(&r, &with_sizes(batch, &[n, n]), a.dtype())];
    let mut outputs = record_many(
        outputs,
        &[a],
        || Qr,
        |outputs| outputs.iter().enumerate().map(|(i, output)| Saved::output(output, i as u32)).collect::<Saves>(),
    );
    let r = outputs.pop().expect("two outputs");
    (outputs.pop().expect("two outputs"), r)
}
