//! Convolution and its two adjoints, as matrix products with columns of window contents.
//!
//! With `C` the columns of one sample and group (`[channels * places, windows]`), `W` the weight
//! (`[features, channels * places]`) and `G` an array like the output (`[features, windows]`):
//!
//! | result | product |
//! |---|---|
//! | output | `W @ C` |
//! | input gradient | what lies in the columns `W^T @ G`, added where the windows saw it |
//! | weight gradient | sum over the samples of `G @ C^T` |
//!
//! The columns are made tile by tile, so that a product finds them in the cache. How the work is cut depends
//! on the sizes alone, so the bits do not depend on the number of threads.

use super::matmul::{MatMul, Matrices, Start, matmul};
use super::parallel::{self, Locked};
use super::window::Window;
use crate::buffer::Buffer;
use crate::{Float, vector};
use std::ops::Range;

/// Elements that the columns of one tile should have: they fit a second-level cache.
const TILE: usize = 1 << 17;
/// Windows in a tile below which the packing of the weight would cost more than the product.
const FEW_WINDOWS: usize = 256;
/// Units of work that the samples and channels are cut into at least, if they can.
const UNITS: usize = 4;
/// Most partial sums of a weight gradient, and most elements of all of them together.
const PARTIALS: usize = 8;
const PARTIAL_ELEMENTS: usize = 1 << 21;
/// Multiplications from which a second thread pays.
const PARALLEL: usize = 1 << 18;

/// The sizes of a convolution: input `[samples, groups * channels, window.input]`, weight
/// `[groups * features, channels, window.kernel]`, output `[samples, groups * features, window.output]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Convolution {
    pub samples: usize,
    pub groups: usize,
    /// Input channels of one group.
    pub channels: usize,
    /// Output channels of one group.
    pub features: usize,
    pub window: Window,
}

/// A part of the windows: some samples, and some rows of windows in each.
#[derive(Clone)]
struct Tile {
    samples: Range<usize>,
    rows: Range<usize>,
}

/// How the windows are cut into tiles: several whole samples each, or rows of one sample.
struct Tiling {
    samples_per_tile: usize,
    rows_per_tile: usize,
    tiles_per_sample: usize,
}

/// Elements for a matrix that is about to be written; from the cache of this thread.
fn scratch<T: Float>(len: usize) -> Buffer {
    Buffer::new(T::DTYPE, len)
}

/// One product of dense or transposed matrices.
fn product<T: MatMul>(
    mkn: [usize; 3],
    a: (&[T], [usize; 2]),
    b: (&[T], [usize; 2]),
    start: Start<'_, T>,
    out: &mut [T],
) {
    let a = Matrices { data: a.0, batch_strides: &[], strides: a.1 };
    let b = Matrices { data: b.0, batch_strides: &[], strides: b.1 };
    matmul(&[], mkn, a, b, start, out);
}

/// Runs `work` on every unit of `len` elements of `out`, on several threads if that pays. The products within
/// a unit then stay on its thread.
fn for_units<T: Send>(out: &mut [T], len: usize, cost: usize, work: &(dyn Fn(usize, &mut [T]) + Sync)) {
    if cost < PARALLEL || out.len() <= len {
        out.chunks_mut(len).enumerate().for_each(|(unit, out)| work(unit, out));
    } else {
        parallel::for_chunks(out, len, &|start, out| {
            let _serial = Locked::new();
            work(start / len, out);
        });
    }
}

impl Convolution {
    /// Rows of the columns, the terms of an output element.
    fn terms(&self) -> usize {
        self.channels * self.window.places()
    }

    fn sample_input(&self) -> usize {
        self.groups * self.channels * self.window.plane()
    }

    fn sample_output(&self) -> usize {
        self.groups * self.features * self.window.count()
    }

    /// Elements of the weight of one group.
    fn group_weight(&self) -> usize {
        self.features * self.terms()
    }

    fn cost(&self) -> usize {
        self.samples * self.groups * self.group_weight() * self.window.count()
    }

    /// Tiles whose columns have `terms` rows.
    fn tiling(&self, terms: usize) -> Tiling {
        let (count, rows, width) = (self.window.count(), self.window.rows(), self.window.output[2]);
        if count < FEW_WINDOWS {
            let samples_per_tile = FEW_WINDOWS.div_ceil(count).min(self.samples);
            return Tiling { samples_per_tile, rows_per_tile: rows, tiles_per_sample: 1 };
        }
        let windows = (TILE / terms).max(FEW_WINDOWS);
        let tiles_per_sample = rows.div_ceil((windows / width).clamp(1, rows));
        let rows_per_tile = rows.div_ceil(tiles_per_sample);
        Tiling { samples_per_tile: 1, rows_per_tile, tiles_per_sample: rows.div_ceil(rows_per_tile) }
    }

    /// The tiles in order.
    fn tiles(&self, tiling: &Tiling) -> Vec<Tile> {
        let mut tiles = Vec::new();
        for sample in (0..self.samples).step_by(tiling.samples_per_tile) {
            let samples = sample..(sample + tiling.samples_per_tile).min(self.samples);
            for row in (0..self.window.rows()).step_by(tiling.rows_per_tile) {
                let rows = row..(row + tiling.rows_per_tile).min(self.window.rows());
                tiles.push(Tile { samples: samples.clone(), rows });
            }
        }
        tiles
    }

    fn windows_in(&self, tile: &Tile) -> usize {
        tile.samples.len() * tile.rows.len() * self.window.output[2]
    }

    /// The columns of a tile for some channels of a group.
    fn lower<T: Float>(&self, x: &[T], group: usize, tile: &Tile, columns: &mut [T]) {
        let windows = self.windows_in(tile);
        let per_sample = tile.rows.len() * self.window.output[2];
        let planes = self.channels * self.window.plane();
        for (number, sample) in tile.samples.clone().enumerate() {
            let planes = &x[sample * self.sample_input() + group * planes..][..planes];
            self.window.lower(planes, tile.rows.clone(), &mut columns[number * per_sample..], windows);
        }
    }

    /// Calls `run` with a tile of an array like the output, as a matrix of one row per feature, and the
    /// distance of its rows. Several samples have to be copied next to each other.
    fn with_features<T: Float, R>(
        &self,
        grad: &[T],
        group: usize,
        tile: &Tile,
        run: impl FnOnce(&[T], usize) -> R,
    ) -> R {
        let (count, width) = (self.window.count(), self.window.output[2]);
        let offset = |sample: usize| sample * self.sample_output() + group * self.features * count;
        if tile.samples.len() == 1 {
            return run(&grad[offset(tile.samples.start) + tile.rows.start * width..], count);
        }
        let windows = self.windows_in(tile);
        let mut gathered = scratch::<T>(self.features * windows);
        let rows = gathered.as_mut_slice::<T>().chunks_exact_mut(windows);
        for (feature, row) in rows.enumerate() {
            for (sample, row) in tile.samples.clone().zip(row.chunks_exact_mut(count)) {
                row.copy_from_slice(&grad[offset(sample) + feature * count..][..count]);
            }
        }
        run(gathered.as_slice(), windows)
    }

    /// `out[n, f] = bias[f] + sum over c of weight[f, c] * windows of x[n, c]`.
    pub fn forward<T: Float + MatMul>(&self, x: &[T], weight: &[T], bias: Option<&[T]>, out: &mut [T]) {
        let count = self.window.count();
        let nothing = self.window.plane() == 0;
        if nothing || self.window.is_identity() {
            if nothing {
                out.fill(T::ZERO)
            } else {
                self.pointwise(x, weight, out)
            };
            if let Some(bias) = bias {
                add_to_rows(out, bias, count);
            }
            return;
        }
        let tiling = self.tiling(self.terms());
        let tiles = self.tiles(&tiling);
        let compute = |unit: usize, out: &mut [T]| {
            let (tile, windows) = (&tiles[unit], self.windows_in(&tiles[unit]));
            let mut columns = scratch::<T>(self.terms() * windows);
            let columns = columns.as_mut_slice::<T>();
            let weights = weight.chunks_exact(self.group_weight()).take(self.groups);
            for (group, (weight, out)) in weights.zip(out.chunks_exact_mut(self.features * windows)).enumerate() {
                self.lower(x, group, tile, columns);
                let mkn = [self.features, self.terms(), windows];
                product(mkn, (weight, [self.terms(), 1]), (columns, [windows, 1]), Start::Zero, out);
            }
            if let Some(bias) = bias {
                add_to_rows(&mut out[..bias.len() * windows], bias, windows);
            }
        };
        if tiling.samples_per_tile == 1 && tiling.tiles_per_sample == 1 {
            for_units(out, self.sample_output(), self.cost(), &compute);
            return;
        }
        let unit = self.groups * self.features * self.windows_in(&tiles[0]);
        let mut parts = scratch::<T>(unit * tiles.len());
        for_units(parts.as_mut_slice(), unit, self.cost(), &compute);
        self.assemble(&tiling, &tiles, parts.as_slice(), unit, out);
    }

    /// Puts the outputs of the tiles, each a matrix of one row per feature, in their places.
    fn assemble<T: Float>(&self, tiling: &Tiling, tiles: &[Tile], parts: &[T], unit: usize, out: &mut [T]) {
        let (count, features) = (self.window.count(), self.groups * self.features);
        for (row, out) in out.chunks_exact_mut(count).enumerate() {
            let (sample, feature) = (row / features, row % features);
            let first = sample / tiling.samples_per_tile * tiling.tiles_per_sample;
            let mut rest = out;
            for (number, tile) in tiles[first..first + tiling.tiles_per_sample].iter().enumerate() {
                let windows = self.windows_in(tile);
                let per_sample = windows / tile.samples.len();
                let start = (first + number) * unit + feature * windows + (sample - tile.samples.start) * per_sample;
                let (part, others) = rest.split_at_mut(per_sample);
                part.copy_from_slice(&parts[start..start + per_sample]);
                rest = others;
            }
        }
    }

    /// [`forward`](Self::forward) of windows that are the elements: the columns are the input.
    fn pointwise<T: Float + MatMul>(&self, x: &[T], weight: &[T], out: &mut [T]) {
        let count = self.window.count();
        let weights = Matrices { data: weight, batch_strides: &[0, self.group_weight()], strides: [self.channels, 1] };
        let inputs =
            Matrices { data: x, batch_strides: &[self.sample_input(), self.channels * count], strides: [count, 1] };
        matmul(&[self.samples, self.groups], [self.features, self.channels, count], weights, inputs, Start::Zero, out);
    }

    /// The gradient of the input for the gradient `grad` of the output.
    pub fn input_gradient<T: Float + MatMul>(&self, grad: &[T], weight: &[T], out: &mut [T]) {
        let (count, places) = (self.window.count(), self.window.places());
        if self.window.is_identity() {
            let weights =
                Matrices { data: weight, batch_strides: &[0, self.group_weight()], strides: [1, self.channels] };
            let strides = [self.sample_output(), self.features * count];
            let grads = Matrices { data: grad, batch_strides: &strides, strides: [count, 1] };
            let mkn = [self.channels, self.features, count];
            matmul(&[self.samples, self.groups], mkn, weights, grads, Start::Zero, out);
            return;
        }
        // A unit is some channels of one group of one sample, or one or several whole samples.
        let split = self.samples < UNITS && count >= FEW_WINDOWS;
        let channels = if split { self.channels_per_unit() } else { self.channels };
        let tiling = self.tiling(channels * places);
        let (unit, units_per_sample) = match split {
            true => (channels * self.window.plane(), self.groups * self.channels / channels),
            false => (tiling.samples_per_tile * self.sample_input(), 1),
        };
        let tiles = self.tiles(&tiling);
        let compute = |unit: usize, out: &mut [T]| {
            out.fill(T::ZERO);
            let piece = unit % units_per_sample;
            let pieces = if split { piece..piece + 1 } else { 0..self.groups };
            let first = unit / units_per_sample * tiling.tiles_per_sample;
            for tile in &tiles[first..first + tiling.tiles_per_sample] {
                for (piece, number) in pieces.clone().enumerate() {
                    let first_channel = number * channels;
                    self.raise_tile(grad, weight, tile, first_channel..first_channel + channels, out, piece * channels);
                }
            }
        };
        for_units(out, unit, self.cost(), &compute);
    }

    /// Adds what a tile contributes to the gradient of some input channels of one group; they stand in `out`
    /// from channel `position` of each sample on.
    fn raise_tile<T: Float + MatMul>(
        &self,
        grad: &[T],
        weight: &[T],
        tile: &Tile,
        channels: Range<usize>,
        out: &mut [T],
        position: usize,
    ) {
        let (places, plane, windows) = (self.window.places(), self.window.plane(), self.windows_in(tile));
        let group = channels.start / self.channels;
        let weight = &weight[group * self.group_weight() + channels.start % self.channels * places..];
        let mut columns = scratch::<T>(channels.len() * places * windows);
        let columns = columns.as_mut_slice::<T>();
        self.with_features(grad, group, tile, |grad, distance| {
            let mkn = [channels.len() * places, self.features, windows];
            product(mkn, (weight, [1, self.terms()]), (grad, [distance, 1]), Start::Zero, columns);
        });
        let per_sample = windows / tile.samples.len();
        for (number, sample) in out.chunks_mut(self.sample_input()).enumerate() {
            let planes = &mut sample[position * plane..][..channels.len() * plane];
            self.window.raise(&mut columns[number * per_sample..], windows, tile.rows.clone(), planes);
        }
    }

    /// Channels of a group whose gradients are computed together if there are few samples for all threads.
    fn channels_per_unit(&self) -> usize {
        let wanted = UNITS.div_ceil(self.samples * self.groups);
        // The fewest equal parts that are enough.
        let parts = (wanted..=self.channels).find(|&parts| self.channels.is_multiple_of(parts));
        self.channels / parts.unwrap_or(1)
    }

    /// The gradient of the weight for the gradient `grad` of the output.
    pub fn weight_gradient<T: Float + MatMul>(&self, x: &[T], grad: &[T], out: &mut [T]) {
        let tiles = self.tiles(&self.tiling(self.terms()));
        let partials = (PARTIAL_ELEMENTS / out.len()).clamp(1, PARTIALS).min(tiles.len());
        let compute = |number: usize, out: &mut [T]| {
            out.fill(T::ZERO);
            for tile in &tiles[tiles.len() * number / partials..tiles.len() * (number + 1) / partials] {
                self.add_tile(x, grad, tile, out);
            }
        };
        if partials == 1 {
            compute(0, out);
            return;
        }
        let len = out.len();
        let mut sums = scratch::<T>(partials * len);
        let sums = sums.as_mut_slice::<T>();
        for_units(sums, len, self.cost(), &compute);
        let (first, others) = sums.split_at(len);
        out.copy_from_slice(first);
        others.chunks_exact(len).for_each(|sum| vector::axpy(T::ONE, sum, out));
    }

    /// Adds what a tile contributes to the gradient of the weight.
    fn add_tile<T: Float + MatMul>(&self, x: &[T], grad: &[T], tile: &Tile, out: &mut [T]) {
        let windows = self.windows_in(tile);
        let in_place = self.window.is_identity() && tile.samples.len() == 1;
        let mut columns = scratch::<T>(if in_place { 0 } else { self.terms() * windows });
        for (group, out) in out.chunks_exact_mut(self.group_weight()).enumerate() {
            let (columns, distance): (&[T], usize) = if in_place {
                let start = tile.samples.start * self.sample_input() + group * self.channels * self.window.plane();
                (&x[start + tile.rows.start * self.window.output[2]..], self.window.count())
            } else {
                self.lower(x, group, tile, columns.as_mut_slice());
                (columns.as_slice(), windows)
            };
            self.with_features(grad, group, tile, |grad, grad_distance| {
                let mkn = [self.features, windows, self.terms()];
                product(mkn, (grad, [grad_distance, 1]), (columns, [1, distance]), Start::Accumulate, out);
            });
        }
    }
}

/// Adds one number to each row, cycling through the numbers.
fn add_to_rows<T: Float>(out: &mut [T], numbers: &[T], width: usize) {
    for (row, &number) in out.chunks_exact_mut(width).zip(numbers.iter().cycle()) {
        row.iter_mut().for_each(|x| *x += number);
    }
}
