//! Values against torch 2.8, residuals of factors, and what happens at special points.

use crate::op::spread;
use crate::Tensor;

/// Well conditioned square matrices with distinct eigenvalues and singular values.
pub(crate) fn regular(shape: &[usize]) -> Tensor {
    let n = shape[shape.len() - 1];
    spread(shape, -0.5, 0.5) + Tensor::from_vec(diagonal(n), [n, n])
}

fn diagonal(n: usize) -> Vec<f64> {
    (0..n * n).map(|i| if i % (n + 1) == 0 { 1.0 + (i / n) as f64 * 0.7 } else { 0.0 }).collect()
}

/// An `n x n` matrix of the given rank.
pub(crate) fn deficient(n: usize, rank: usize) -> Tensor {
    spread(&[n, rank], -1.0, 1.0).matmul(&spread(&[rank, n + 1], -1.0, 1.1).slice(1, ..n as isize, 1))
}
