//! What the functions on matrices share: checks, masks, and the way to the elements.

use crate::shape::{Dims, broadcast};
use crate::{DType, Element, Tensor};

/// Panics unless `a` is a floating-point tensor of at least two dimensions.
#[track_caller]
pub(super) fn check_matrix(op: &str, name: &str, a: &Tensor) {
    if a.dim() < 2 {
        panic!(
            "{op}: The input tensor {name} must have at least 2 dimensions. (its shape is {:?}; unsqueeze makes a \
             vector a matrix)",
            a.sizes()
        );
    }
    if !a.dtype().is_floating_point() {
        panic!(
            "{op}: Expected a floating point or complex tensor as input. Got {} (convert {name} with double() or \
             float())",
            a.dtype()
        );
    }
}

/// Panics unless `a` holds square floating-point matrices; their size.
#[track_caller]
pub(super) fn check_square(op: &str, a: &Tensor) -> usize {
    check_matrix(op, "A", a);
    let (rows, columns) = (a.size(-2), a.size(-1));
    if rows != columns {
        panic!(
            "{op}: A must be batches of square matrices, but they are {rows} by {columns} matrices (shape {:?})",
            a.sizes()
        );
    }
    rows
}

/// Panics unless both tensors have one dtype.
#[track_caller]
pub(super) fn check_same_dtype(op: &str, a: &Tensor, b: &Tensor) {
    if a.dtype() != b.dtype() {
        panic!(
            "{op}: Expected A and B to have the same dtype, but found A of type {} and B of type {} instead; convert \
             one with to_dtype",
            a.dtype(),
            b.dtype()
        );
    }
}

/// The dimensions before the last two.
pub(super) fn batch_of(a: &Tensor) -> &[usize] {
    &a.sizes()[..a.dim() - 2]
}

/// The common batch of two tensors of matrices.
#[track_caller]
pub(super) fn common_batch(op: &str, a: &Tensor, b: &Tensor) -> Dims {
    broadcast(op, batch_of(a), batch_of(b))
}

/// For each index of `batch`, in row-major order, which matrix of a tensor with batch `own` belongs to it.
pub(super) fn matrices_of(own: &[usize], batch: &[usize]) -> Vec<usize> {
    let strides = crate::shape::broadcast_strides(own, &crate::shape::row_major(own), batch);
    let count: usize = batch.iter().product();
    let place = |mut index: usize| {
        let mut offset = 0;
        for (&size, &stride) in batch.iter().zip(&strides).rev() {
            offset += index % size * stride;
            index /= size;
        }
        offset
    };
    (0..count).map(place).collect()
}

/// A shape of matrices.
pub(super) fn with_sizes(batch: &[usize], sizes: &[usize]) -> Dims {
    batch.iter().chain(sizes).copied().collect()
}

/// The elements as `f64`, in row-major order.
pub(super) fn elements(a: &Tensor) -> Vec<f64> {
    let mut values = vec![0.0; a.numel()];
    a.read_into(&mut values);
    values
}

/// A tensor without history of values computed in `f64`.
pub(super) fn tensor(values: &[f64], shape: &[usize], dtype: DType) -> Tensor {
    crate::dtype::dispatch_float!("linalg", dtype, T => {
        let fill = |out: &mut [T]| out.iter_mut().zip(values).for_each(|(out, value)| *out = value.cast());
        Tensor::from_buffer(crate::storage::build::<T>(values.len(), fill), Dims::from_slice(shape))
    })
}

/// The index of a matrix for an error: none if it is the only one by its shape.
pub(super) fn batch_index(a: &Tensor, index: usize) -> Option<usize> {
    (a.dim() > 2).then_some(index)
}

/// Where `row - column` satisfies a condition, in an `n x n` matrix.
pub(super) fn mask(n: usize, holds: impl Fn(usize, usize) -> bool) -> Tensor {
    Tensor::from_vec((0..n * n).map(|index| holds(index / n, index % n)).collect::<Vec<bool>>(), [n, n])
}

/// The identity in `a`'s dtype.
pub(super) fn identity(a: &Tensor) -> Tensor {
    Tensor::eye(a.size(-1), a.dtype())
}
