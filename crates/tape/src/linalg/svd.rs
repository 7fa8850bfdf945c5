//! Singular values and vectors.

use super::matrix::{batch_index, batch_of, check_matrix, elements, mask, tensor, with_sizes};
use super::qr::qr;
use crate::autograd::{Gradients, Op, Rule, Saved, Saves, gradients, record_many};
use crate::kernel::factor::svd::decompose;
use crate::{Error, Tensor, no_grad};

/// `A = U diag(S) V^T`.
pub(crate) struct Svd;

impl Op for Svd {
    fn name(&self) -> &'static str {
        "LinalgSvdBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        self.backward_many(rule, &[Some(grad.clone()), None, None])
    }
    fn backward_many(&self, rule: &Rule<'_>, grads: &[Option<Tensor>]) -> Gradients {
        // Of full matrices, only the columns that belong to singular values determine the function.
        let s = rule.saved(1);
        let rank = s.size(-1);
        let left = |x: &Tensor| x.narrow(-1, 0, rank);
        let right = |x: &Tensor| x.narrow(-2, 0, rank);
        let (of_u, of_vh) = (grads[0].as_ref().map(left), grads[2].as_ref().map(right));
        gradients![rule; gradient(&left(rule.saved(0)), s, &right(rule.saved(2)), of_u, grads[1].as_ref(), of_vh)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use super::tests::regular;
        use crate::op::{Sample, spread};
        // Functions that do not depend on the signs of the vectors.
        let all = |x: &[Tensor]| {
            let (u, s, vh) = svd(&x[0], false).expect("finite");
            (u * s.sin().unsqueeze(-2)).matmul(&vh)
        };
        let tall = || [spread(&[3, 2], -1.0, 1.0)];
        vec![
            Sample::new([regular(&[3, 3])], all),
            Sample::new(tall(), all),
            Sample::new(tall(), move |x| all(&[x[0].t()])),
            Sample::new([regular(&[2, 2, 2])], all),
            Sample::new(tall(), |x| svd(&x[0], true).expect("finite").0.abs().narrow(-1, 0, 2)),
            Sample::new(tall(), |x| svd(&x[0].t(), true).expect("finite").2.abs().narrow(-2, 0, 2)),
            Sample::new(tall(), |x| svdvals(&x[0]).expect("finite")),
            Sample::new([spread(&[0, 2], -1.0, 1.0)], all),
            Sample::new([spread(&[0, 2, 2], -1.0, 1.0)], all),
        ]
    }
}

/// The gradient of a matrix from those of its reduced decomposition: J. Townsend, "Differentiating the singular
/// value decomposition" (2016).
fn gradient(
    u: &Tensor,
    s: &Tensor,
    vh: &Tensor,
    of_u: Option<Tensor>,
    of_s: Option<&Tensor>,
    of_vh: Option<Tensor>,
) -> Tensor {
    if of_u.is_none() && of_vh.is_none() {
        // Without the vectors, equal singular values do no harm.
        return match of_s {
            Some(of_s) => (u * of_s.unsqueeze(-2)).matmul(vh),
            None => u.matmul(vh).zeros_like(),
        };
    }
    let (rows, columns) = (s.unsqueeze(-1), s.unsqueeze(-2));
    let gaps = (&columns - &rows) * (&columns + &rows);
    let gaps = Tensor::where_(&mask(s.size(-1), |i, j| i == j), 1, gaps);
    let skew = |x: Tensor| (&x - x.mt()) / &gaps;
    let (ut, v) = (u.mt(), vh.mt());
    let from_u = of_u.as_ref().map(|g| skew(ut.matmul(g)) * &columns);
    let from_v = of_vh.as_ref().map(|g| &rows * skew(g.matmul(&v).mt()));
    let from_s = of_s.map(|of_s| of_s.diag_embed(0, -2, -1));
    let inner = [from_u, from_v, from_s].into_iter().flatten().reduce(|sum, term| sum + term);
    let inner = inner.expect("one of the vectors has a gradient");
    let k = s.size(-1);
    if let (Some(g), true) = (&of_u, u.size(-2) > k) {
        // The part of dU outside of the space of U.
        let scaled = g / &columns;
        let outside = &scaled - u.matmul(&ut.matmul(&scaled));
        return (u.matmul(&inner) + outside).matmul(vh);
    }
    if let (Some(g), true) = (&of_vh, vh.size(-1) > k) {
        let scaled = g / &rows;
        let outside = &scaled - scaled.matmul(&v).matmul(vh);
        return u.matmul(&(inner.matmul(vh) + outside));
    }
    u.matmul(&inner).matmul(vh)
}

/// What is computed beside the singular values.
#[derive(Clone, Copy, PartialEq)]
enum Vectors {
    None,
    Reduced,
    Full,
}

/// `[U, S, Vh]`, or `[S]`, without history.
fn values(a: &Tensor, vectors: Vectors) -> Result<Vec<Tensor>, Error> {
    let (m, n) = (a.size(-2), a.size(-1));
    if m < n {
        let mut outputs = values(&a.mt(), vectors)?;
        outputs.reverse();
        if vectors != Vectors::None {
            (outputs[0], outputs[2]) = (outputs[0].mt().dense(), outputs[2].mt().dense());
        }
        return Ok(outputs);
    }
    if m > n && vectors != Vectors::Full {
        // Of a tall matrix the small factor has the same singular values.
        let (q, r) = qr(a);
        let mut outputs = square_or_full(&r, vectors)?;
        if vectors == Vectors::Reduced {
            outputs[0] = q.matmul(&outputs[0]);
        }
        return Ok(outputs);
    }
    square_or_full(a, vectors)
}

/// As [`values`], for `m >= n`, with all `m` columns of `U`.
fn square_or_full(a: &Tensor, vectors: Vectors) -> Result<Vec<Tensor>, Error> {
    let (m, n, batch) = (a.size(-2), a.size(-1), batch_of(a));
    let mut matrices = elements(a);
    let count: usize = batch.iter().product();
    let with_vectors = vectors != Vectors::None;
    let mut s = vec![0.0; count * n];
    let (mut u, mut vh) = match with_vectors {
        true => (vec![0.0; count * m * m], vec![0.0; count * n * n]),
        false => (Vec::new(), Vec::new()),
    };
    for index in 0..count {
        let vectors = with_vectors.then(|| (&mut u[index * m * m..][..m * m], &mut vh[index * n * n..][..n * n]));
        decompose(&mut matrices[index * m * n..][..m * n], m, n, &mut s[index * n..][..n], vectors)
            .map_err(|()| Error::NoSingularValues { batch: batch_index(a, index) })?;
    }
    let s = tensor(&s, &with_sizes(batch, &[n]), a.dtype());
    if !with_vectors {
        return Ok(vec![s]);
    }
    let u = tensor(&u, &with_sizes(batch, &[m, m]), a.dtype());
    Ok(vec![u, s, tensor(&vh, &with_sizes(batch, &[n, n]), a.dtype())])
}

/// `(U, S, Vh)` with `A = U diag(S) Vh`, singular values `S` descending, `[.., k]` with `k = min(m, n)`. Of the
/// orthogonal `U` and `Vh` the first `k` columns and rows, `[.., m, k]` and `[.., k, n]`, or with `full_matrices` all,
/// `[.., m, m]` and `[.., n, n]`. Computed in `f64` for either dtype.
///
/// Columns of `U` with the same rows of `Vh` have arbitrary signs, and of equal singular values only the spaces of
/// their vectors are determined: the gradient is that of functions that respect this, and of the first `k` columns
/// and rows alone. Where singular values are equal, or zero with `m != n`, a gradient through the vectors is infinite
/// or NaN; through `S` it is not.
///
/// ```
/// use tape::{Tensor, linalg};
/// let a = Tensor::from([[3.0, 0.0], [0.0, -2.0], [0.0, 0.0]]);
/// let (u, s, vh) = linalg::svd(&a, false)?;
/// assert!(s.allclose(&Tensor::from([3.0, 2.0]), 1e-14, 0.0));
/// assert!((u * s).matmul(&vh).allclose(&a, 0.0, 1e-14));
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// [`Error::NoSingularValues`] if elements are not finite.
///
/// # Panics
/// If `a` has fewer than two dimensions or is not floating point.
#[track_caller]
pub fn svd(a: &Tensor, full_matrices: bool) -> Result<(Tensor, Tensor, Tensor), Error> {
    check_matrix("linalg.svd", "A", a);
    let outputs = no_grad(|| values(&a.detach(), if full_matrices { Vectors::Full } else { Vectors::Reduced }))?;
    let outputs = record_many(
        outputs,
        &[a],
        || Svd,
        |outputs| outputs.iter().enumerate().map(|(i, output)| Saved::output(output, i as u32)).collect::<Saves>(),
    );
    let [u, s, vh] = <[Tensor; 3]>::try_from(outputs).expect("three outputs");
    Ok((u, s, vh))
}

/// The singular values, descending, `[.., min(m, n)]`: [`svd`] without the vectors, which are only computed if a
/// gradient is wanted. Equal singular values do not disturb the gradient.
///
/// ```
/// use tape::{Tensor, linalg};
/// let s = linalg::svdvals(&Tensor::from([[0.0, 2.0], [-3.0, 0.0]]))?;
/// assert!(s.allclose(&Tensor::from([3.0, 2.0]), 1e-14, 0.0));
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// [`Error::NoSingularValues`] if elements are not finite.
///
/// # Panics
/// If `a` has fewer than two dimensions or is not floating point.
#[track_caller]
pub fn svdvals(a: &Tensor) -> Result<Tensor, Error> {
    check_matrix("linalg.svdvals", "A", a);
    if crate::is_grad_enabled() && a.requires_grad() {
        return Ok(svd(a, false)?.1);
    }
    Ok(no_grad(|| values(&a.detach(), Vectors::None))?.remove(0))
}
