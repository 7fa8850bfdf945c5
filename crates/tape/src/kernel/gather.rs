//! Reading and adding at indices that are data.
//!
//! Callers have checked the indices against the size of their dimension. Sums are added in the order of
//! the index tensor, whatever the number of threads.

use super::Strided;
use super::axis::Axis;
use super::reduce::Number;
use super::rows::Rows;
use crate::Element;
use crate::shape::Dims;

/// Elements from which a second thread pays.
const PARALLEL: usize = 1 << 18;

/// `strides` with that of `dim` taken out, and that stride.
fn without(strides: &[usize], dim: usize) -> (Dims, usize) {
    let mut others = Dims::from_slice(strides);
    let stride = std::mem::replace(&mut others[dim], 0);
    (others, stride)
}

/// `out[i, j, ..] = x[i, index[i, j, ..], ..]` with the index in the place of dimension `dim`.
pub(crate) fn gather<T: Element>(x: Strided<'_, T>, dim: usize, index: Strided<'_, i64>, out: &mut [T]) {
    let (others, stride) = without(x.strides, dim);
    let rows = Rows::new(index.shape, [&others, index.strides]);
    let [step, step_index] = rows.strides;
    let mut out = out.chunks_exact_mut(rows.len.max(1));
    rows.for_each(|[start, start_index]| {
        for (k, out) in out.next().expect("one chunk per row").iter_mut().enumerate() {
            let at = index.data[start_index + k * step_index] as usize;
            *out = x.data[start + k * step + at * stride];
        }
    });
}

/// `out[i, index[i, j, ..], ..] += src[i, j, ..]`: the adjoint of [`gather`]. `strides` are those of `out`.
pub(crate) fn scatter_add<T: Number>(
    out: &mut [T],
    strides: &[usize],
    dim: usize,
    index: Strided<'_, i64>,
    src: Strided<'_, T>,
) {
    let (others, stride) = without(strides, dim);
    let rows = Rows::new(index.shape, [&others, index.strides, src.strides]);
    let [step, step_index, step_src] = rows.strides;
    rows.for_each(|[start, start_index, start_src]| {
        for k in 0..rows.len {
            let at = index.data[start_index + k * step_index] as usize;
            let out = &mut out[start + k * step + at * stride];
            *out = out.plus(src.data[start_src + k * step_src]);
        }
    });
}

/// `out[i, index[i, j, ..], ..] = combine(out[..], src[i, j, ..])`, in the order of the index.
pub(crate) fn scatter<T: Element>(
    out: &mut [T],
    strides: &[usize],
    dim: usize,
    index: Strided<'_, i64>,
    src: Strided<'_, T>,
    combine: fn(T, T) -> T,
) {
    let (others, stride) = without(strides, dim);
    let rows = Rows::new(index.shape, [&others, index.strides, src.strides]);
    let [step, step_index, step_src] = rows.strides;
    rows.for_each(|[start, start_index, start_src]| {
        for k in 0..rows.len {
            let at = index.data[start_index + k * step_index] as usize;
            let out = &mut out[start + k * step + at * stride];
            *out = combine(*out, src.data[start_src + k * step_src]);
        }
    });
}

/// The rows `index` of a dense `x`, in the index's order.
pub(crate) fn index_select<T: Element>(x: &[T], axis: Axis, index: &[i64], out: &mut [T]) {
    let Axis { len, inner, .. } = axis;
    if out.is_empty() {
        return;
    }
    let row = |number: usize, out: &mut [T]| {
        let from = (number / index.len() * len + index[number % index.len()] as usize) * inner;
        match out {
            [out] => *out = x[from],
            out => out.copy_from_slice(&x[from..from + inner]),
        }
    };
    if out.len() < PARALLEL || !crate::kernel::parallel::allowed() {
        out.chunks_exact_mut(inner).enumerate().for_each(|(number, out)| row(number, out));
    } else {
        let grain = (PARALLEL / 16 / inner).max(1);
        super::parallel::for_chunks(out, grain * inner, &|start, out| {
            out.chunks_exact_mut(inner).enumerate().for_each(|(number, out)| row(start / inner + number, out));
        });
    }
}

/// Adds the rows of a dense `src` to the rows `index` of `out`: the adjoint of [`index_select`].
pub(crate) fn index_add<T: Number>(out: &mut [T], axis: Axis, index: &[i64], src: &[T]) {
    let Axis { outer, len, inner } = axis;
    if inner == 0 || index.is_empty() {
        return;
    }
    let rows = (0..outer).flat_map(|o| index.iter().map(move |&at| (o * len + at as usize) * inner));
    for (to, src) in rows.zip(src.chunks_exact(inner)) {
        for (out, &src) in out[to..to + inner].iter_mut().zip(src) {
            *out = out.plus(src);
        }
    }
}
