//! Softmax and its relatives along one dimension of a dense array.
//!
//! The elements come to the vector registers as a *tile*: a sequence of [`LANES`] elements that are worked on
//! together. In a tile of *lines*, each lane holds a line of its own; in a tile of one *row*, the lanes hold
//! neighbours of the same line, and what was reduced per lane is reduced once more over the lanes. Which of the
//! two is used depends on the shape alone, so the bits do not depend on the number of threads.

use super::axis::Axis;
use super::simd::{Kernel, dispatch};
use super::vmath::VMath;
use crate::Float;

const LANES: usize = 16;
/// Up to this length adjacent lines are transposed into lanes; longer ones fill the lanes themselves.
const SHORT: usize = 64;
/// Terms of a sum that are added up before they join the total.
const BLOCK: usize = 64;
/// Elements from which a second thread pays, and about as many as it takes at a time.
const PARALLEL: usize = 1 << 15;
const GRAIN: usize = 1 << 13;

type Lane<T> = [T; LANES];

/// A function of whole lines, given as a tile that holds its first operand and takes the result. `ROW` says
/// that all lanes are one line. Implementers mark `run` `#[inline(always)]`.
pub(crate) trait Along<T>: Copy + Send + Sync {
    /// Whether there is a second operand.
    const BINARY: bool = false;
    /// Whether the result of a line is one number, written to the first element of the tile.
    const REDUCES: bool = false;
    /// What fills up the last lanes of a row without changing its result.
    const PADDING: f64 = 0.0;
    fn run<const ROW: bool>(self, tile: &mut [Lane<T>], other: &[Lane<T>]);
}

/// `exp(x) / sum exp(x)`.
#[derive(Clone, Copy)]
pub(crate) struct Softmax;
/// `x - log sum exp(x)`.
#[derive(Clone, Copy)]
pub(crate) struct LogSoftmax;
/// `log sum exp(x)`, one number per line.
#[derive(Clone, Copy)]
pub(crate) struct LogSumExp;
/// Gradient of [`Softmax`] from that of its result and the result: `y (g - sum g y)`.
#[derive(Clone, Copy)]
pub(crate) struct SoftmaxBackward;
/// Gradient of [`LogSoftmax`] from that of its result and the result: `g - exp(y) sum g`.
#[derive(Clone, Copy)]
pub(crate) struct LogSoftmaxBackward;

impl<T: Float + VMath> Along<T> for Softmax {
    const PADDING: f64 = f64::NEG_INFINITY;
    #[inline(always)]
    fn run<const ROW: bool>(self, tile: &mut [Lane<T>], _: &[Lane<T>]) {
        let largest = maximum::<T, ROW>(tile);
        for lane in tile.iter_mut() {
            for l in 0..LANES {
                lane[l] = VMath::exp(lane[l] - largest[l]);
            }
        }
        let sum = total::<T, ROW>(tile);
        for lane in tile {
            for l in 0..LANES {
                lane[l] = lane[l] / sum[l];
            }
        }
    }
}

impl<T: Float + VMath> Along<T> for LogSoftmax {
    const PADDING: f64 = f64::NEG_INFINITY;
    #[inline(always)]
    fn run<const ROW: bool>(self, tile: &mut [Lane<T>], _: &[Lane<T>]) {
        let largest = maximum::<T, ROW>(tile);
        let mut log = exponentials::<T, ROW>(tile, largest);
        for log in &mut log {
            *log = VMath::log(*log);
        }
        for lane in tile {
            for l in 0..LANES {
                lane[l] = lane[l] - largest[l] - log[l];
            }
        }
    }
}

impl<T: Float + VMath> Along<T> for LogSumExp {
    const REDUCES: bool = true;
    const PADDING: f64 = f64::NEG_INFINITY;
    #[inline(always)]
    fn run<const ROW: bool>(self, tile: &mut [Lane<T>], _: &[Lane<T>]) {
        let mut largest = maximum::<T, ROW>(tile);
        for value in &mut largest {
            // An infinite maximum would give inf - inf.
            *value = if value.abs() == T::INFINITY { T::ZERO } else { *value };
        }
        let sum = exponentials::<T, ROW>(tile, largest);
        for l in 0..LANES {
            tile[0][l] = VMath::log(sum[l]) + largest[l];
        }
    }
}

impl<T: Float> Along<T> for SoftmaxBackward {
    const BINARY: bool = true;
    #[inline(always)]
    fn run<const ROW: bool>(self, tile: &mut [Lane<T>], result: &[Lane<T>]) {
        let mut sum = [T::ZERO; LANES];
        for (gradients, results) in tile.chunks(BLOCK).zip(result.chunks(BLOCK)) {
            let mut part = [T::ZERO; LANES];
            for (grad, y) in gradients.iter().zip(results) {
                for l in 0..LANES {
                    part[l] += grad[l] * y[l];
                }
            }
            for l in 0..LANES {
                sum[l] += part[l];
            }
        }
        let sum = added::<T, ROW>(sum);
        for (grad, y) in tile.iter_mut().zip(result) {
            for l in 0..LANES {
                grad[l] = (grad[l] - sum[l]) * y[l];
            }
        }
    }
}

impl<T: Float + VMath> Along<T> for LogSoftmaxBackward {
    const BINARY: bool = true;
    #[inline(always)]
    fn run<const ROW: bool>(self, tile: &mut [Lane<T>], result: &[Lane<T>]) {
        let sum = total::<T, ROW>(tile);
        for (grad, y) in tile.iter_mut().zip(result) {
            for l in 0..LANES {
                grad[l] = grad[l] - VMath::exp(y[l]) * sum[l];
            }
        }
    }
}

/// The larger number, or NaN if there is one.
#[inline(always)]
fn larger<T: Float>(a: T, b: T) -> T {
    if (b > a) | b.is_nan() { b } else { a }
}

/// The maximum of each line.
#[inline(always)]
fn maximum<T: Float, const ROW: bool>(tile: &[Lane<T>]) -> Lane<T> {
    let mut largest = [-T::INFINITY; LANES];
    for lane in tile {
        for l in 0..LANES {
            largest[l] = larger(largest[l], lane[l]);
        }
    }
    if ROW {
        let mut width = LANES / 2;
        while width > 0 {
            for l in 0..width {
                largest[l] = larger(largest[l], largest[l + width]);
            }
            width /= 2;
        }
        largest = [largest[0]; LANES];
    }
    largest
}

/// The sum of `exp(x - largest)` over each line.
#[inline(always)]
fn exponentials<T: Float + VMath, const ROW: bool>(tile: &[Lane<T>], largest: Lane<T>) -> Lane<T> {
    let mut sum = [T::ZERO; LANES];
    for block in tile.chunks(BLOCK) {
        let mut part = [T::ZERO; LANES];
        for lane in block {
            for l in 0..LANES {
                part[l] += VMath::exp(lane[l] - largest[l]);
            }
        }
        for l in 0..LANES {
            sum[l] += part[l];
        }
    }
    added::<T, ROW>(sum)
}

/// The sum of each line.
#[inline(always)]
fn total<T: Float, const ROW: bool>(tile: &[Lane<T>]) -> Lane<T> {
    let mut sum = [T::ZERO; LANES];
    for block in tile.chunks(BLOCK) {
        let mut part = [T::ZERO; LANES];
        for lane in block {
            for l in 0..LANES {
                part[l] += lane[l];
            }
        }
        for l in 0..LANES {
            sum[l] += part[l];
        }
    }
    added::<T, ROW>(sum)
}

/// For a row, the sum of its lanes in every lane.
#[inline(always)]
fn added<T: Float, const ROW: bool>(mut sum: Lane<T>) -> Lane<T> {
    if ROW {
        let mut width = LANES / 2;
        while width > 0 {
            for l in 0..width {
                sum[l] += sum[l + width];
            }
            width /= 2;
        }
        sum = [sum[0]; LANES];
    }
    sum
}

/// Applies `f` to every line along the axis of `a` (and of `b`, of the same shape, if it takes two operands).
/// `out` has the shape of `a`, or one element per line if `f` reduces.
///
/// # Panics
/// If an operand or the output is too short for the axis, or the lines are empty.
pub(crate) fn along<T: Float, F: Along<T>>(axis: Axis, a: &[T], b: &[T], out: &mut [T], f: F) {
    let Axis { outer, len, inner } = axis;
    if out.is_empty() {
        return;
    }
    assert!(len > 0, "a line without elements has no softmax; its caller knows the result");
    let parallel = outer * len * inner >= PARALLEL && crate::kernel::parallel::allowed();
    // Of a block of lines that lie together: how many elements go in and come out.
    let (lines, out_len) = (if inner > 1 { inner } else { 1 }, if F::REDUCES { 1 } else { len });
    let work = |(first, out): (usize, &mut [T])| {
        let count = out.len() / (lines * out_len);
        let part = first * lines * len..(first + count) * lines * len;
        let a = &a[part.clone()];
        let b = if F::BINARY { &b[part] } else { b };
        if inner > 1 {
            dispatch(Strided { len, inner, a, b, out, f });
        } else if len <= SHORT && outer >= LANES {
            dispatch(Short { len, a, b, out, f });
        } else {
            dispatch(Long { len, a, b, out, f });
        }
    };
    if !parallel {
        return work((0, out));
    }
    let blocks = (GRAIN / (len * lines)).max(1);
    let blocks = if lines == 1 && len <= SHORT { blocks.next_multiple_of(LANES) } else { blocks };
    super::parallel::for_chunks(out, blocks * lines * out_len, &|start, out| work((start / (lines * out_len), out)));
}

/// A tile for lines of `len`, and one for the second operand if there is one.
fn tiles<T: Float, F: Along<T>>(len: usize) -> (Vec<Lane<T>>, Vec<Lane<T>>) {
    let tile = vec![[T::ZERO; LANES]; len];
    (tile.clone(), if F::BINARY { tile } else { Vec::new() })
}

/// Dense lines that are short: [`LANES`] of them make a tile.
struct Short<'a, T, F> {
    len: usize,
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [T],
    f: F,
}

impl<T: Float, F: Along<T>> Kernel for Short<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Short { len, a, b, out, f } = self;
        let (mut tile, mut other) = tiles::<T, F>(len);
        let out_len = if F::REDUCES { 1 } else { len };
        let groups = a.chunks(LANES * len).zip(out.chunks_mut(LANES * out_len)).enumerate();
        for (group, (a, out)) in groups {
            transpose(a, len, &mut tile);
            if F::BINARY {
                transpose(&b[group * LANES * len..][..a.len()], len, &mut other);
            }
            f.run::<false>(&mut tile, &other);
            transpose_back(&tile, out_len, out);
        }
    }
}

/// Up to [`LANES`] dense lines as the lanes of a tile.
#[inline(always)]
fn transpose<T: Float>(lines: &[T], len: usize, tile: &mut [Lane<T>]) {
    if lines.len() == LANES * len {
        for (j, lane) in tile.iter_mut().enumerate().take(len) {
            for (l, value) in lane.iter_mut().enumerate() {
                // SAFETY: `j < len` and `l < LANES`, so the index is below `LANES * len`.
                *value = unsafe { *lines.get_unchecked(l * len + j) };
            }
        }
        return;
    }
    for (l, line) in lines.chunks_exact(len).enumerate() {
        for (lane, &value) in tile.iter_mut().zip(line) {
            lane[l] = value;
        }
    }
}

/// The lanes of a tile as dense lines.
#[inline(always)]
fn transpose_back<T: Float>(tile: &[Lane<T>], len: usize, lines: &mut [T]) {
    if lines.len() == LANES * len {
        for (j, lane) in tile.iter().enumerate().take(len) {
            for (l, &value) in lane.iter().enumerate() {
                // SAFETY: `j < len` and `l < LANES`, so the index is below `LANES * len`.
                unsafe { *lines.get_unchecked_mut(l * len + j) = value };
            }
        }
        return;
    }
    for (l, line) in lines.chunks_exact_mut(len).enumerate() {
        for (out, lane) in line.iter_mut().zip(tile) {
            *out = lane[l];
        }
    }
}

/// Dense lines that are long (or few): each fills a tile by itself.
struct Long<'a, T, F> {
    len: usize,
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [T],
    f: F,
}

impl<T: Float, F: Along<T>> Kernel for Long<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Long { len, a, b, out, f } = self;
        let (mut tile, mut other) = tiles::<T, F>(len.div_ceil(LANES));
        let out_len = if F::REDUCES { 1 } else { len };
        for (i, (a, out)) in a.chunks_exact(len).zip(out.chunks_exact_mut(out_len)).enumerate() {
            let flat = tile.as_flattened_mut();
            flat[..len].copy_from_slice(a);
            flat[len..].fill(T::from_f64(F::PADDING));
            if F::BINARY {
                other.as_flattened_mut()[..len].copy_from_slice(&b[i * len..][..len]);
            }
            f.run::<true>(&mut tile, &other);
            out.copy_from_slice(&tile.as_flattened()[..out_len]);
        }
    }
}

/// Blocks of `inner` lines whose elements alternate: neighbouring lines make a tile.
struct Strided<'a, T, F> {
    len: usize,
    inner: usize,
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [T],
    f: F,
}

impl<T: Float, F: Along<T>> Kernel for Strided<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Strided { len, inner, a, b, out, f } = self;
        let (mut tile, mut other) = tiles::<T, F>(len);
        let out_len = if F::REDUCES { 1 } else { len };
        for (block, out) in out.chunks_exact_mut(out_len * inner).enumerate() {
            let a = &a[block * len * inner..][..len * inner];
            for first in (0..inner).step_by(LANES) {
                let width = LANES.min(inner - first);
                collect(a, inner, first, width, &mut tile);
                if F::BINARY {
                    collect(&b[block * len * inner..][..len * inner], inner, first, width, &mut other);
                }
                f.run::<false>(&mut tile, &other);
                for (out, lane) in out.chunks_exact_mut(inner).zip(&tile) {
                    out[first..first + width].copy_from_slice(&lane[..width]);
                }
            }
        }
    }
}

/// `width` neighbouring lines of a block as the lanes of a tile.
#[inline(always)]
fn collect<T: Float>(block: &[T], inner: usize, first: usize, width: usize, tile: &mut [Lane<T>]) {
    for (lane, row) in tile.iter_mut().zip(block.chunks_exact(inner)) {
        lane[..width].copy_from_slice(&row[first..first + width]);
    }
}
