//! Matrix products of strided operands into a dense row-major output.
//!
//! Transposes and broadcasts are strides, never copies. Which kernel runs, and into which pieces the work is
//! cut, depends on sizes and strides alone, so the bits do not depend on the number of threads.

mod float;

use crate::Element;

/// Multiplications of a whole call from which a second thread wins over its wake-up.
const PARALLEL: usize = 1 << 17;
/// What one product of a batch costs beside its multiplications, in multiplications.
const OVERHEAD: usize = 256;
/// Multiplications of one product of a batch from which the threads share the product, not the batch.
const LARGE: usize = 1 << 22;

/// A batch of matrices: `data[0]` is the first element, strides count elements, zero broadcasts.
#[derive(Clone, Copy)]
pub(crate) struct Matrices<'a, T> {
    pub data: &'a [T],
    /// One stride per batch dimension.
    pub batch_strides: &'a [usize],
    /// Distance between rows and between columns.
    pub strides: [usize; 2],
}

/// What the products are added to.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a, T> {
    /// Nothing: `out = a @ b`.
    Zero,
    /// The present contents: `out += a @ b`.
    Accumulate,
    /// A row for every row of the output: `out = bias + a @ b`.
    Bias(&'a [T]),
}

/// One matrix of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    data: &'a [T],
    row_stride: usize,
    col_stride: usize,
}

impl<T> Matrix<'_, T> {
    fn transposed(self) -> Self {
        Matrix { data: self.data, row_stride: self.col_stride, col_stride: self.row_stride }
    }
}

/// One product `[m, k] @ [k, n]`; none of the sizes is zero.
pub(crate) struct Product<'a, T> {
    m: usize,
    k: usize,
    n: usize,
    a: Matrix<'a, T>,
    b: Matrix<'a, T>,
    accumulate: bool,
    parallel: bool,
}

/// Element types that can be multiplied and added: `f32`, `f64`, `i64`.
pub(crate) trait MatMul: Element {
    /// Zero.
    const NOTHING: Self;

    /// Writes `a @ b`, or adds it, to the dense row-major `out` of `m * n` elements.
    fn product(product: Product<'_, Self>, out: &mut [Self]);
}

/// `out[.., m, n] = start + a[.., m, k] @ b[.., k, n]` for every index of `batch`, into the dense `out`.
///
/// # Panics
/// If an operand's strides reach beyond its data, or `out` or the bias have the wrong length.
pub(crate) fn matmul<T: MatMul>(
    batch: &[usize],
    [m, k, n]: [usize; 3],
    a: Matrices<'_, T>,
    b: Matrices<'_, T>,
    start: Start<'_, T>,
    out: &mut [T],
) {
    let count: usize = batch.iter().product();
    assert!(
        out.len() == count * m * n,
        "matmul: output of {} elements for {count} products of {m} x {n}; allocate {}",
        out.len(),
        count * m * n
    );
    if out.is_empty() {
        return;
    }
    if let Start::Bias(bias) = start {
        assert!(bias.len() == n, "matmul: bias of {} elements for {n} columns; pass one per column", bias.len());
        out.chunks_exact_mut(n).for_each(|row| row.copy_from_slice(bias));
    }
    if k == 0 {
        if matches!(start, Start::Zero) {
            out.fill(T::NOTHING);
        }
        return;
    }
    check_extent("left", batch, [m, k], &a);
    check_extent("right", batch, [k, n], &b);
    let accumulate = !matches!(start, Start::Zero);
    let work = count.saturating_mul(m * k * n + OVERHEAD);
    let parallel = work >= PARALLEL && crate::kernel::parallel::allowed();
    let matrix = |operand: &Matrices<'_, T>, data| {
        let [row_stride, col_stride] = operand.strides;
        Matrix { data, row_stride, col_stride }
    };
    if let Some(row_stride) = rows_of_one_matrix(batch, m, &a, &b) {
        let a = Matrix { data: a.data, row_stride, col_stride: a.strides[1] };
        let b = matrix(&b, b.data);
        T::product(Product { m: count * m, k, n, a, b, accumulate, parallel }, out);
        return;
    }
    let shared = parallel && m * k * n >= LARGE;
    let one = |index: usize, out: &mut [T]| {
        let a = matrix(&a, &a.data[offset(index, batch, a.batch_strides)..]);
        let b = matrix(&b, &b.data[offset(index, batch, b.batch_strides)..]);
        T::product(Product { m, k, n, a, b, accumulate, parallel: shared }, out);
    };
    if parallel && !shared {
        let per_piece = (PARALLEL / 4 / (m * k * n + OVERHEAD)).max(1);
        super::parallel::for_chunks(out, per_piece * m * n, &|start, out| {
            out.chunks_mut(m * n).enumerate().for_each(|(index, out)| one(start / (m * n) + index, out));
        });
    } else {
        out.chunks_mut(m * n).enumerate().for_each(|(index, out)| one(index, out));
    }
}

/// Panics unless every element that the strides reach lies within the data.
fn check_extent<T>(side: &str, batch: &[usize], [rows, cols]: [usize; 2], operand: &Matrices<'_, T>) {
    assert!(
        operand.batch_strides.len() == batch.len(),
        "matmul: {} batch strides of the {side} operand for {} batch dimensions",
        operand.batch_strides.len(),
        batch.len()
    );
    let [row_stride, col_stride] = operand.strides;
    let reach = |size: usize, stride: usize| (size - 1).checked_mul(stride);
    let last = batch
        .iter()
        .zip(operand.batch_strides)
        .map(|(&size, &stride)| reach(size, stride))
        .chain([reach(rows, row_stride), reach(cols, col_stride)])
        .try_fold(0usize, |sum, term| sum.checked_add(term?));
    assert!(
        last.is_some_and(|last| last < operand.data.len()),
        "matmul: {side} operand of {rows} x {cols} with strides {row_stride}, {col_stride} (batch {batch:?}, \
         strides {:?}) reaches beyond its {} elements",
        operand.batch_strides,
        operand.data.len()
    );
}

/// The row stride of all left matrices as one tall matrix, if the right one is the same for the whole batch
/// and the left rows lie at one distance.
fn rows_of_one_matrix<T>(batch: &[usize], m: usize, a: &Matrices<'_, T>, b: &Matrices<'_, T>) -> Option<usize> {
    let (mut rows, mut row_stride) = (1, 0);
    let left = batch.iter().zip(a.batch_strides).chain([(&m, &a.strides[0])]);
    for (&size, &stride) in left.rev().filter(|&(&size, _)| size != 1) {
        if rows == 1 {
            row_stride = stride;
        } else if stride != rows * row_stride {
            return None;
        }
        rows *= size;
    }
    let single = batch.iter().zip(b.batch_strides).all(|(&size, &stride)| size == 1 || stride == 0);
    single.then_some(row_stride)
}

/// Where the matrix of a flat batch index starts.
fn offset(mut index: usize, batch: &[usize], strides: &[usize]) -> usize {
    let mut offset = 0;
    for (&size, &stride) in batch.iter().zip(strides).rev() {
        offset += index % size * stride;
        index /= size;
    }
    offset
}

impl MatMul for i64 {
    const NOTHING: i64 = 0;

    /// Sums wrap around, as integer arithmetic does in torch.
    fn product(product: Product<'_, i64>, out: &mut [i64]) {
        let Product { m: _, k, n, a, b, accumulate, parallel } = product;
        let row = |i: usize, out: &mut [i64]| {
            if !accumulate {
                out.fill(0);
            }
            for l in 0..k {
                let factor = a.data[i * a.row_stride + l * a.col_stride];
                let b = &b.data[l * b.row_stride..];
                for (j, out) in out.iter_mut().enumerate() {
                    *out = out.wrapping_add(factor.wrapping_mul(b[j * product.b.col_stride]));
                }
            }
        };
        if parallel {
            super::parallel::for_chunks(out, n, &|start, out| row(start / n, out));
        } else {
            out.chunks_mut(n).enumerate().for_each(|(i, out)| row(i, out));
        }
    }
}

#[cfg(test)]
mod tests;
