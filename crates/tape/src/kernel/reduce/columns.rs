//! Reductions whose fastest dimension in memory is kept: many results side by side, one per lane.

use super::{Combine, Dim, GRAIN, count, offset, pieces};
use crate::kernel::simd::{Kernel, dispatch};

/// Results that are accumulated side by side: a kilobyte of `f32`, long enough a run for the prefetcher.
const LANES: usize = 256;
/// Rows that are combined one after the other; longer ranges are halved.
const FEW: usize = 128;
/// Widest row of which several are taken as one, to fill the lanes.
const THIN: usize = 64;

/// `out[i]` over `gone` for every index of `kept`, whose last dimension has the smallest stride.
pub(super) fn reduce<C: Combine>(data: &[C::In], kept: &[Dim], gone: &[Dim], parallel: bool, out: &mut [C::Out]) {
    let Some((&lane, outer)) = kept.split_last() else {
        // A single result of a single element.
        out.fill(C::step(C::START, data[0]));
        return;
    };
    let rows = count(gone);
    // Parallel over results only, unless there are too few: then also within.
    let few = out.len() < 2 * LANES;
    let block = |index: usize, out: &mut [C::Out]| {
        // `index` counts blocks; every outer index has as many blocks as its lanes need.
        let blocks = lane.size.div_ceil(LANES);
        let start = offset(index / blocks, outer) + index % blocks * LANES * lane.stride;
        let view = Block { data: &data[start..], gone, stride: lane.stride, parallel: parallel && few };
        let width = out.len();
        out.copy_from_slice(&view.all::<C>(rows, width)[..width]);
    };
    if lane.size <= LANES {
        let together = (GRAIN / (lane.size * rows)).max(1);
        pieces(out, together * lane.size, parallel, |piece, out| {
            for (i, out) in out.chunks_mut(lane.size).enumerate() {
                block(piece * together + i, out);
            }
        });
    } else {
        let blocks = lane.size.div_ceil(LANES);
        pieces(out, lane.size, parallel, |row, out| {
            pieces(out, LANES, parallel, |i, out| block(row * blocks + i, out));
        });
    }
}

/// Rows of lanes: row `r` starts at `offset(r, gone)`.
#[derive(Clone, Copy)]
struct Block<'a, T> {
    data: &'a [T],
    gone: &'a [Dim],
    stride: usize,
    parallel: bool,
}

impl<T: Copy + Sync> Block<'_, T> {
    /// Combines all rows.
    fn all<C: Combine<In = T>>(&self, rows: usize, width: usize) -> [C::Out; LANES] {
        // Thin rows that lie one behind the other: several of them make one row of the full width.
        let dense = matches!(self.gone, [dim] if dim.stride == width) && self.stride == 1;
        let several = LANES / width;
        if !dense || width > THIN || rows < 2 * several {
            return self.range::<C>(0, rows, width);
        }
        let wide = [Dim { size: rows / several, stride: several * width }];
        let mut acc = Block { gone: &wide, ..*self }.range::<C>(0, rows / several, several * width);
        let whole = rows / several * several;
        if whole < rows {
            let rest = self.range::<C>(whole, rows, width);
            for i in 0..width {
                acc[i] = C::join(acc[i], rest[i]);
            }
        }
        let mut left = several;
        while left > 1 {
            let half = left.div_ceil(2);
            for i in 0..(left - half) * width {
                acc[i] = C::join(acc[i], acc[half * width + i]);
            }
            left = half;
        }
        acc
    }

    /// Combines rows `from..to`.
    fn range<C: Combine<In = T>>(&self, from: usize, to: usize, width: usize) -> [C::Out; LANES] {
        if to - from <= FEW {
            return dispatch(Rows::<C> { block: *self, from, to, width });
        }
        let mid = from + (to - from).div_ceil(FEW).div_ceil(2) * FEW;
        let halves = (|| self.range::<C>(from, mid, width), || self.range::<C>(mid, to, width));
        let (mut left, right) = if self.parallel && (to - from) * width > 2 * GRAIN {
            crate::kernel::parallel::join(halves.0, halves.1)
        } else {
            (halves.0(), halves.1())
        };
        for i in 0..width {
            left[i] = C::join(left[i], right[i]);
        }
        left
    }
}

struct Rows<'a, C: Combine> {
    block: Block<'a, C::In>,
    from: usize,
    to: usize,
    width: usize,
}

impl<C: Combine> Kernel for Rows<'_, C> {
    type Output = [C::Out; LANES];

    #[inline(always)]
    fn run(self) -> [C::Out; LANES] {
        let Rows { block, from, to, width } = self;
        let mut lanes = [C::START; LANES];
        let acc = &mut lanes[..width];
        let row = |row: usize| &block.data[offset(row, block.gone)..];
        if block.stride != 1 {
            for x in (from..to).map(row) {
                for (i, acc) in acc.iter_mut().enumerate() {
                    *acc = C::step(*acc, x[i * block.stride]);
                }
            }
            return lanes;
        }
        // Four rows in one pass over the accumulators, which do not fit into registers.
        let whole = from + (to - from) / 4 * 4;
        for first in (from..whole).step_by(4) {
            let [a, b, c, d] = [first, first + 1, first + 2, first + 3].map(|i| &row(i)[..width]);
            for ((((acc, &a), &b), &c), &d) in acc.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *acc = C::step(C::step(C::step(C::step(*acc, a), b), c), d);
            }
        }
        for x in (whole..to).map(row) {
            for (acc, &x) in acc.iter_mut().zip(&x[..width]) {
                *acc = C::step(*acc, x);
            }
        }
        lanes
    }
}
