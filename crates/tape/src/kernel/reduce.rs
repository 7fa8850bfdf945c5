//! Reductions of strided views over any set of dimensions into a dense row-major output.
//!
//! The elements of one result are combined in a tree that depends on shape and strides alone: leaves of a
//! bounded number of elements, halved ranges above them. The bits do not depend on the number of threads, and
//! the rounding error of a sum grows with the logarithm of its length (pairwise summation).

mod arg;
mod columns;
mod combine;
mod rows;

pub(crate) use arg::arg_reduce;
pub(crate) use combine::{All, Any, Combine, CountNonzero, Largest, Number, Prefer, Prod, Smallest, Sum, SumSquares};
#[cfg(test)]
pub(crate) use combine::{Max, Min};

use super::Strided;
use smallvec::SmallVec;

/// Elements from which a second thread wins over its wake-up.
const PARALLEL: usize = 1 << 18;
/// Elements that one thread takes at a time, about.
const GRAIN: usize = 1 << 14;

/// A dimension of a view.
#[derive(Clone, Copy)]
struct Dim {
    size: usize,
    stride: usize,
}

type Dims = SmallVec<[Dim; 6]>;

/// Combines the elements of `x` over the dimensions marked in `reduced`; `out` is dense and row-major over
/// the others. Results of no element are `C::START`.
///
/// # Panics
/// If `out` does not have one element per index of the kept dimensions.
pub(crate) fn reduce<C: Combine>(x: Strided<'_, C::In>, reduced: &[bool], out: &mut [C::Out]) {
    let (kept, gone) = split_dims(x.shape, x.strides, reduced, out.len());
    if out.is_empty() || x.numel() == 0 {
        out.fill(C::START);
        return;
    }
    let parallel = x.numel() >= PARALLEL && crate::kernel::parallel::allowed();
    match (gone.last(), kept.last()) {
        (None, _) => columns::reduce::<C>(x.data, &kept, &[Dim { size: 1, stride: 0 }], parallel, out),
        (Some(inner), Some(lane)) if lane.stride < inner.stride => {
            columns::reduce::<C>(x.data, &kept, &gone, parallel, out);
        }
        _ => rows::reduce::<C>(x.data, &kept, &gone, parallel, out),
    }
}

/// [`reduce`] over all dimensions.
pub(crate) fn reduce_all<C: Combine>(x: Strided<'_, C::In>) -> C::Out {
    let mut out = [C::START];
    let reduced: SmallVec<[bool; 6]> = x.shape.iter().map(|_| true).collect();
    reduce::<C>(x, &reduced, &mut out);
    out[0]
}

/// The kept dimensions and the reduced ones, both merged.
fn split_dims(shape: &[usize], strides: &[usize], reduced: &[bool], results: usize) -> (Dims, Dims) {
    assert!(
        shape.len() == strides.len() && shape.len() == reduced.len(),
        "reduce: {} sizes, {} strides and {} marks; pass one of each per dimension",
        shape.len(),
        strides.len(),
        reduced.len()
    );
    let (mut kept, mut gone) = (Dims::new(), Dims::new());
    for ((&size, &stride), &reduced) in shape.iter().zip(strides).zip(reduced) {
        if reduced { gone.push(Dim { size, stride }) } else { kept.push(Dim { size, stride }) }
    }
    let expected: usize = kept.iter().map(|dim| dim.size).product();
    assert!(
        results == expected,
        "reduce: output of {results} elements for {expected} results of {shape:?}; allocate one per result"
    );
    // Reductions commute, so their dimensions are walked in the order of memory.
    gone.sort_by_key(|dim| std::cmp::Reverse(dim.stride));
    (merge(&kept), merge(&gone))
}

/// Drops dimensions of size one, and joins neighbours that are one dimension in memory.
fn merge(dims: &[Dim]) -> Dims {
    let mut merged = Dims::new();
    for &dim in dims.iter().filter(|dim| dim.size != 1) {
        match merged.last_mut() {
            Some(outer) if outer.stride == dim.size * dim.stride => {
                *outer = Dim { size: outer.size * dim.size, stride: dim.stride };
            }
            _ => merged.push(dim),
        }
    }
    merged
}

/// Where the element of a flat index lies.
#[inline(always)]
fn offset(mut index: usize, dims: &[Dim]) -> usize {
    if let [dim] = dims {
        return index * dim.stride;
    }
    let mut offset = 0;
    for dim in dims.iter().rev() {
        offset += index % dim.size * dim.stride;
        index /= dim.size;
    }
    offset
}

/// The product of the sizes.
fn count(dims: &[Dim]) -> usize {
    dims.iter().map(|dim| dim.size).product()
}

/// Runs `work` on pieces of `len` elements with their numbers, on several threads if `parallel`.
fn pieces<T: Send>(out: &mut [T], len: usize, parallel: bool, work: impl Fn(usize, &mut [T]) + Sync) {
    if parallel && out.len() > len {
        super::parallel::for_chunks(out, len, &|start, out| work(start / len, out));
    } else {
        out.chunks_mut(len).enumerate().for_each(|(index, out)| work(index, out));
    }
}

#[cfg(test)]
mod tests;
