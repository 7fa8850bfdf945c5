//! Running reductions along one dimension of a dense array.

use super::axis::Axis;
use super::parallel::{allowed, for_chunks};
use crate::Element;

/// Lines that are worked on side by side where the elements of one line are not neighbours.
const TILE: usize = 64;
/// Elements from which a second thread pays.
const PARALLEL: usize = 1 << 17;

/// Runs through every line along `axis`, from its end if `reverse`: `step` gets what it returned for the
/// element before (`start` at first), the place in the line, and the flat index, and returns the next
/// accumulator and the element of `out`.
pub(crate) fn scan<U: Element, A: Copy + Sync>(
    axis: Axis,
    reverse: bool,
    out: &mut [U],
    start: A,
    step: impl Fn(A, usize, usize) -> (A, U) + Sync,
) {
    let Axis { len, inner, .. } = axis;
    let block = len * inner;
    if block == 0 || out.is_empty() {
        return;
    }
    let work = |first: usize, out: &mut [U]| {
        for (number, out) in out.chunks_exact_mut(block).enumerate() {
            let lines = Lines { len, inner, reverse, first: first + number * block };
            if inner == 1 { lines.one(out, start, &step) } else { lines.tiles(out, start, &step) }
        }
    };
    if out.len() < PARALLEL || axis.outer == 1 || !allowed() {
        return work(0, out);
    }
    for_chunks(out, (PARALLEL / 8).div_ceil(block) * block, &work);
}

/// The lines of one block: `len` rows of `inner` elements, the first of them at flat index `first`.
struct Lines {
    len: usize,
    inner: usize,
    reverse: bool,
    first: usize,
}

impl Lines {
    #[inline(always)]
    fn place(&self, i: usize) -> usize {
        if self.reverse { self.len - 1 - i } else { i }
    }

    #[inline(always)]
    fn one<U, A>(&self, out: &mut [U], mut acc: A, step: &impl Fn(A, usize, usize) -> (A, U)) {
        for i in 0..self.len {
            let place = self.place(i);
            let next = step(acc, place, self.first + place);
            (acc, out[place]) = next;
        }
    }

    #[inline(always)]
    fn tiles<U, A: Copy>(&self, out: &mut [U], start: A, step: &impl Fn(A, usize, usize) -> (A, U)) {
        for left in (0..self.inner).step_by(TILE) {
            let width = TILE.min(self.inner - left);
            let mut accs = [start; TILE];
            for i in 0..self.len {
                let place = self.place(i);
                let row = place * self.inner + left;
                for (j, (acc, out)) in accs.iter_mut().zip(&mut out[row..row + width]).enumerate() {
                    let next = step(*acc, place, self.first + row + j);
                    (*acc, *out) = next;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_run_through_in_its_direction() {
        for (outer, len, inner) in [(1, 7, 1), (3, 4, 1), (2, 5, 3), (2, 3, 130), (700, 100, 5), (0, 3, 2), (2, 0, 3)] {
            let axis = Axis { outer, len, inner };
            let total = outer * len * inner;
            let x: Vec<i64> = (0..total as i64).map(|i| i * 7919 % 101).collect();
            for reverse in [false, true] {
                let mut sums = vec![0i64; total];
                scan(axis, reverse, &mut sums, 0i64, |sum, _, at| (sum + x[at], sum + x[at]));
                let mut places = vec![0i64; total];
                scan(axis, reverse, &mut places, (), |(), place, _| ((), place as i64));
                for at in 0..total {
                    let (start, place) = (at / (len * inner) * len * inner + at % inner, at / inner % len);
                    let range = if reverse { place..len } else { 0..place + 1 };
                    assert_eq!(sums[at], range.map(|k| x[start + k * inner]).sum::<i64>());
                    assert_eq!(places[at], place as i64);
                }
            }
        }
    }
}
