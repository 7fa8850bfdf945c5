//! Extreme values along one dimension, and where they stand.

use super::rows::fold_row;
use super::{Dim, Dims, GRAIN, Number, PARALLEL, Prefer, offset};
use crate::kernel::Strided;
use crate::kernel::simd::{Kernel, dispatch};
use std::marker::PhantomData;

/// Results that are looked for side by side.
const LANES: usize = 64;

/// The preferred element along `dim` and its index, dense and row-major over the other dimensions. The first
/// of equal elements wins; the first NaN wins over everything, as in torch.
///
/// # Panics
/// If `dim` has no element although there are results, or `values` and `indices` do not have one element per
/// result.
pub(crate) fn arg_reduce<P: Prefer, T: Number>(x: Strided<'_, T>, dim: usize, values: &mut [T], indices: &mut [i64]) {
    let along = Dim { size: x.shape[dim], stride: x.strides[dim] };
    let kept: Dims = (0..x.shape.len())
        .filter(|&other| other != dim)
        .map(|other| Dim { size: x.shape[other], stride: x.strides[other] })
        .collect();
    let kept = super::merge(&kept);
    let results = if x.numel() == 0 { values.len() } else { super::count(&kept) };
    assert!(
        values.len() == results && indices.len() == results,
        "arg_reduce: {} values and {} indices for {results} results; allocate one per result",
        values.len(),
        indices.len()
    );
    if results == 0 {
        return;
    }
    assert!(along.size > 0, "arg_reduce: no elements along dimension {dim}; a maximum of nothing has no index");
    let parallel = x.numel() >= PARALLEL && rayon::current_num_threads() > 1;
    let lane = kept.last().copied().unwrap_or(Dim { size: 1, stride: 0 });
    let side_by_side = lane.size > 1 && lane.stride < along.stride;
    let len = (GRAIN / along.size).max(1);
    let piece = |first: usize, values: &mut [T], indices: &mut [i64]| {
        if !side_by_side {
            for (i, (value, index)) in values.iter_mut().zip(indices).enumerate() {
                let x = &x.data[offset(first + i, &kept)..];
                (*value, *index) = dispatch(Line::<T, P>::new(x, along));
            }
            return;
        }
        let mut done = 0;
        while done < values.len() {
            // A run of results stays within one row of lanes.
            let row_left = lane.size - (first + done) % lane.size;
            let width = row_left.min(values.len() - done).min(LANES);
            let x = &x.data[offset(first + done, &kept)..];
            let (value, index) = dispatch(Lanes::<T, P>::new(x, along, lane.stride, width));
            values[done..done + width].copy_from_slice(&value[..width]);
            indices[done..done + width].copy_from_slice(&index[..width]);
            done += width;
        }
    };
    if parallel && results > len {
        crate::kernel::parallel::for_chunks2((values, indices), len, &piece);
    } else {
        piece(0, values, indices);
    }
}

/// One result: its value first, then the first element that has it.
struct Line<'a, T, P> {
    x: &'a [T],
    along: Dim,
    prefer: PhantomData<P>,
}

impl<'a, T, P> Line<'a, T, P> {
    fn new(x: &'a [T], along: Dim) -> Self {
        Line { x, along, prefer: PhantomData }
    }
}

impl<T: Number, P: Prefer> Kernel for Line<'_, T, P> {
    type Output = (T, i64);

    #[inline(always)]
    fn run(self) -> (T, i64) {
        let Line { x, along: Dim { size, stride }, .. } = self;
        let value = fold_row::<P::Value<T>>(x, Dim { size, stride });
        let mut index = 0;
        while index + 1 < size {
            let x = x[index * stride];
            if (x == value) | (x.unordered() & value.unordered()) {
                break;
            }
            index += 1;
        }
        // The element itself, not an equal one: the sign of a zero is that of the first.
        (x[index * stride], index as i64)
    }
}

/// Neighbouring results, one per lane.
struct Lanes<'a, T, P> {
    x: &'a [T],
    along: Dim,
    stride: usize,
    width: usize,
    prefer: PhantomData<P>,
}

impl<'a, T, P> Lanes<'a, T, P> {
    fn new(x: &'a [T], along: Dim, stride: usize, width: usize) -> Self {
        Lanes { x, along, stride, width, prefer: PhantomData }
    }
}

impl<T: Number, P: Prefer> Kernel for Lanes<'_, T, P> {
    type Output = ([T; LANES], [i64; LANES]);

    #[inline(always)]
    fn run(self) -> Self::Output {
        let Lanes { x, along, stride, width, .. } = self;
        let (mut values, mut indices) = ([T::ZERO; LANES], [0; LANES]);
        for (i, value) in values[..width].iter_mut().enumerate() {
            *value = x[i * stride];
        }
        for index in 1..along.size {
            let x = &x[index * along.stride..][..(width - 1) * stride + 1];
            for (i, (value, at)) in values[..width].iter_mut().zip(&mut indices).enumerate() {
                let x = x[i * stride];
                let better = P::displaces(*value, x);
                *value = if better { x } else { *value };
                *at = if better { index as i64 } else { *at };
            }
        }
        (values, indices)
    }
}
