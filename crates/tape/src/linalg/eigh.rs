//! Eigenvalues of symmetric matrices.

use super::matrix::{batch_index, batch_of, check_square, elements, mask, tensor, with_sizes};
use crate::autograd::{Gradients, Op, Rule, Saved, Saves, gradients, record_many};
use crate::kernel::factor::eigen::symmetric;
use crate::{Error, Tensor};

/// Eigenvalues and eigenvectors.
pub(crate) struct Eigh;

impl Op for Eigh {
    fn name(&self) -> &'static str {
        "LinalgEighBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        self.backward_many(rule, &[Some(grad.clone()), None])
    }

    /// `V (diag(dL) + K) V^T` with `K_ij = skew(V^T dV)_ij / (L_j - L_i)` off the diagonal. M. Giles, "An extended
    /// collection of matrix derivative results for forward and reverse mode algorithmic differentiation" (2008), 3.1.
    fn backward_many(&self, rule: &Rule<'_>, grads: &[Option<Tensor>]) -> Gradients {
        let (values, v) = (rule.saved(0), rule.saved(1));
        gradients![rule; match (&grads[0], &grads[1]) {
            (of_values, Some(of_vectors)) => {
                let inner = v.mt().matmul(of_vectors);
                let skew = (&inner - inner.mt()) * 0.5;
                let gaps = values.unsqueeze(-2) - values.unsqueeze(-1);
                let mut inner = skew / Tensor::where_(&mask(v.size(-1), |i, j| i == j), 1, gaps);
                if let Some(of_values) = of_values {
                    inner = inner + of_values.diag_embed(0, -2, -1);
                }
                v.matmul(&inner).matmul(&v.mt())
            }
            (Some(of_values), None) => (v * of_values.unsqueeze(-2)).matmul(&v.mt()),
            (None, None) => v.zeros_like(),
        }]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use super::tests::regular;
        use crate::op::Sample;
        let symmetric = |x: &Tensor| x + x.mt();
        // Functions that do not depend on the signs of the vectors.
        let vectors = move |x: &[Tensor]| {
            let (values, v) = eigh(&symmetric(&x[0])).expect("finite");
            (&v * values.sin().unsqueeze(-2)).matmul(&v.mt())
        };
        vec![
            Sample::new([regular(&[3, 3])], vectors),
            Sample::new([regular(&[2, 2, 2])], vectors),
            Sample::new([regular(&[2, 2])], move |x| eigh(&symmetric(&x[0])).expect("finite").1.abs()),
            Sample::new([regular(&[3, 3])], move |x| eigvalsh(&symmetric(&x[0].t())).expect("finite")),
            Sample::new([regular(&[1, 1])], vectors),
            Sample::new([regular(&[0, 0])], vectors),
        ]
    }
}

/// Values, and vectors if wanted, without history.
#[track_caller]
fn decompose(op: &str, a: &Tensor, with_vectors: bool) -> Result<(Tensor, Option<Tensor>), Error> {
    let n = check_square(op, a);
    let mut matrices = elements(a);
    let count: usize = batch_of(a).iter().product();
    let mut values = vec![0.0; count * n];
    let mut vectors = vec![0.0; if with_vectors { matrices.len() } else { 0 }];
    for (index, matrix) in matrices.chunks_exact_mut((n * n).max(1)).enumerate() {
        let vectors = with_vectors.then(|| &mut vectors[index * n * n..][..n * n]);
        symmetric(matrix, n, &mut values[index * n..][..n], vectors)
            .map_err(|found| Error::NoEigenvalues { batch: batch_index(a, index), found })?;
    }
    let vectors = with_vectors.then(|| tensor(&vectors, a.sizes(), a.dtype()));
    Ok((tensor(&values, &with_sizes(batch_of(a), &[n]), a.dtype()), vectors))
}

/// Eigenvalues, ascending, `[.., n]`, and orthonormal eigenvectors in the columns of `[.., n, n]`, of symmetric
/// matrices: `A = V diag(values) V^T`. Reads the lower triangle of `A` alone; the gradient is symmetric. Computed in
/// `f64` for either dtype.
///
/// The sign of a vector is arbitrary, and of equal eigenvalues only the space of their vectors is determined: the
/// gradient is that of functions that respect this. Where eigenvalues are equal, a gradient through the vectors is
/// infinite or NaN; through the values it is not.
///
/// ```
/// use tape::{Tensor, linalg};
/// let a = Tensor::from([[2.0, 1.0], [1.0, 2.0]]);
/// let (values, vectors) = linalg::eigh(&a)?;
/// assert!(values.allclose(&Tensor::from([1.0, 3.0]), 1e-14, 0.0));
/// let back = (&vectors * &values).matmul(&vectors.t());
/// assert!(back.allclose(&a, 1e-14, 0.0));
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// [`Error::NoEigenvalues`] if elements are not finite.
///
/// # Panics
/// If the matrices are not square or the dtype is not floating point.
#[track_caller]
pub fn eigh(a: &Tensor) -> Result<(Tensor, Tensor), Error> {
    let (values, vectors) = decompose("linalg.eigh", a, true)?;
    let outputs = values_and(vectors, values);
    let mut outputs = record_many(
        outputs,
        &[a],
        || Eigh,
        |outputs| outputs.iter().enumerate().map(|(i, output)| Saved::output(output, i as u32)).collect::<Saves>(),
    );
    let vectors = outputs.pop().expect("two outputs");
    Ok((outputs.pop().expect("two outputs"), vectors))
}

fn values_and(vectors: Option<Tensor>, values: Tensor) -> Vec<Tensor> {
    std::iter::once(values).chain(vectors).collect()
}

/// The eigenvalues of symmetric matrices, ascending, `[.., n]`: [`eigh`] without the vectors, which are only
/// computed if a gradient is wanted. Equal eigenvalues do not disturb the gradient.
///
/// ```
/// use tape::{DType, Tensor, linalg};
/// let a = Tensor::eye(2, DType::F64).requires_grad_(true);
/// linalg::eigvalsh(&a)?.sum().backward()?;
/// assert_eq!(a.grad().unwrap().to_vec::<f64>(), [1.0, 0.0, 0.0, 1.0]);
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// [`Error::NoEigenvalues`] if elements are not finite.
///
/// # Panics
/// If the matrices are not square or the dtype is not floating point.
#[track_caller]
pub fn eigvalsh(a: &Tensor) -> Result<Tensor, Error> {
    if crate::is_grad_enabled() && a.requires_grad() {
        return Ok(eigh(a)?.0);
    }
    Ok(decompose("linalg.eigvalsh", a, false)?.0)
}
