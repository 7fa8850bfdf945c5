//! Reductions whose fastest dimension in memory is reduced.

use super::{Combine, Dim, GRAIN, count, offset, pieces};
use crate::kernel::simd::{Kernel, dispatch};

/// Elements of one leaf: a lane combines 128 of them one after the other.
const LEAF: usize = 8192;
/// Rows that are combined one after the other; longer ranges are halved.
const FEW: usize = 16;
/// Lanes of the main blocks: enough operations in flight to hide their latency at every register width.
const WIDE: usize = 64;
/// Lanes of the blocks that take what the wide blocks leave over.
const NARROW: usize = 8;

/// `out[i]` over `gone` for every index of `kept`; the last of `gone` has the smallest stride.
pub(super) fn reduce<C: Combine>(data: &[C::In], kept: &[Dim], gone: &[Dim], parallel: bool, out: &mut [C::Out]) {
    let Some((&inner, outer)) = gone.split_last() else { return };
    if outer.is_empty() && inner.size <= LEAF {
        let per_piece = (GRAIN / inner.size).max(1);
        pieces(out, per_piece, parallel, |index, out| {
            dispatch(ShortRows::<C> { data, kept, row: inner, first: index * per_piece, out });
        });
        return;
    }
    let rows = count(outer);
    pieces(out, 1, parallel, |index, out| {
        let view = LongRows { data: &data[offset(index, kept)..], outer, inner, parallel };
        out[0] = view.range::<C>(0, rows);
    });
}

/// Results of one short row each, `first` the flat index of the first.
struct ShortRows<'a, C: Combine> {
    data: &'a [C::In],
    kept: &'a [Dim],
    row: Dim,
    first: usize,
    out: &'a mut [C::Out],
}

impl<C: Combine> Kernel for ShortRows<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (i, out) in self.out.iter_mut().enumerate() {
            *out = fold_row::<C>(&self.data[offset(self.first + i, self.kept)..], self.row);
        }
    }
}

/// The rows of one result.
struct LongRows<'a, T> {
    data: &'a [T],
    outer: &'a [Dim],
    inner: Dim,
    parallel: bool,
}

impl<T: Copy + Sync> LongRows<'_, T> {
    /// Combines rows `from..to`.
    fn range<C: Combine<In = T>>(&self, from: usize, to: usize) -> C::Out {
        if to - from <= FEW {
            let row = |i| self.row::<C>(offset(i, self.outer), self.inner.size);
            return (from + 1..to).fold(row(from), |acc, i| C::join(acc, row(i)));
        }
        let mid = from.midpoint(to);
        self.both::<C>((to - from) * self.inner.size, || self.range::<C>(from, mid), || self.range::<C>(mid, to))
    }

    /// Combines `size` elements of one row.
    fn row<C: Combine<In = T>>(&self, start: usize, size: usize) -> C::Out {
        if size <= LEAF {
            let row = Dim { size, stride: self.inner.stride };
            return dispatch(Row::<C> { data: &self.data[start..], row });
        }
        let left = size.div_ceil(LEAF).div_ceil(2) * LEAF;
        let middle = start + left * self.inner.stride;
        self.both::<C>(size, || self.row::<C>(start, left), || self.row::<C>(middle, size - left))
    }

    /// Two halves of a range of `elements`.
    fn both<C: Combine>(
        &self,
        elements: usize,
        left: impl FnOnce() -> C::Out + Send,
        right: impl FnOnce() -> C::Out + Send,
    ) -> C::Out {
        let (left, right) = if self.parallel && elements > 2 * GRAIN {
            crate::kernel::parallel::join(left, right)
        } else {
            (left(), right())
        };
        C::join(left, right)
    }
}

struct Row<'a, C: Combine> {
    data: &'a [C::In],
    row: Dim,
}

impl<C: Combine> Kernel for Row<'_, C> {
    type Output = C::Out;

    #[inline(always)]
    fn run(self) -> C::Out {
        fold_row::<C>(self.data, self.row)
    }
}

/// Combines the elements of one row of at most [`LEAF`] elements.
#[inline(always)]
pub(super) fn fold_row<C: Combine>(data: &[C::In], row: Dim) -> C::Out {
    if row.stride == 1 { fold_dense::<C>(&data[..row.size]) } else { fold_strided::<C>(data, row) }
}

/// Wide blocks, then narrow ones, then single elements.
#[inline(always)]
fn fold_dense<C: Combine>(x: &[C::In]) -> C::Out {
    let (wide, x) = x.as_chunks::<WIDE>();
    let (narrow, x) = x.as_chunks::<NARROW>();
    let mut total = C::START;
    if !wide.is_empty() {
        let acc = fold_blocks::<C, WIDE>(wide);
        let (mut half, mut quarter, mut lanes) = ([C::START; 32], [C::START; 16], [C::START; NARROW]);
        for i in 0..32 {
            half[i] = C::join(acc[i], acc[i + 32]);
        }
        for i in 0..16 {
            quarter[i] = C::join(half[i], half[i + 16]);
        }
        for i in 0..NARROW {
            lanes[i] = C::join(quarter[i], quarter[i + NARROW]);
        }
        total = fold_lanes::<C>(lanes);
    }
    if !narrow.is_empty() {
        total = C::join(total, fold_lanes::<C>(fold_blocks::<C, NARROW>(narrow)));
    }
    for &x in x {
        total = C::step(total, x);
    }
    total
}

/// One accumulator per lane. The accumulators are replaced as a whole: changed in place they would be stored
/// and loaded for every block.
#[inline(always)]
fn fold_blocks<C: Combine, const N: usize>(blocks: &[[C::In; N]]) -> [C::Out; N] {
    let mut acc = [C::START; N];
    for x in blocks {
        let mut next = [C::START; N];
        for i in 0..N {
            next[i] = C::step(acc[i], x[i]);
        }
        acc = next;
    }
    acc
}

#[inline(always)]
fn fold_lanes<C: Combine>(lanes: [C::Out; NARROW]) -> C::Out {
    let (mut quad, mut pair) = ([C::START; 4], [C::START; 2]);
    for i in 0..4 {
        quad[i] = C::join(lanes[i], lanes[i + 4]);
    }
    for i in 0..2 {
        pair[i] = C::join(quad[i], quad[i + 2]);
    }
    C::join(pair[0], pair[1])
}

/// Eight accumulators, so that no chain is longer than an eighth of a leaf.
#[inline(always)]
fn fold_strided<C: Combine>(data: &[C::In], row: Dim) -> C::Out {
    let mut lanes = [C::START; NARROW];
    let whole = row.size / NARROW * NARROW;
    let mut start = 0;
    for _ in 0..whole / NARROW {
        for (i, lane) in lanes.iter_mut().enumerate() {
            *lane = C::step(*lane, data[start + i * row.stride]);
        }
        start += NARROW * row.stride;
    }
    for (i, lane) in lanes.iter_mut().enumerate().take(row.size - whole) {
        *lane = C::step(*lane, data[start + i * row.stride]);
    }
    fold_lanes::<C>(lanes)
}
