//! Householder reflections and plane rotations, gathered and applied to many rows at once.

use crate::kernel::parallel::for_chunks;
use crate::kernel::simd::{Kernel, dispatch};

/// Rows of a basis that are transformed side by side.
const LANES: usize = 16;
/// Rotations that are gathered before they are applied: a row stays in the cache for all of them.
const GATHERED: usize = 1 << 14;
/// Elements of a basis from which its tiles are shared between threads.
const PARALLEL: usize = 1 << 14;

/// Overwrites `x` by the vector `v` of the reflection `H = I - v v^T` (`v . v = 2`) that takes `x` to `beta` times
/// the unit vector of `pivot`, and returns `beta`. As in LAPACK, `beta` has the opposite sign of the pivot, and an
/// `x` that has this form already is left as it is: `v = 0`.
pub(super) fn reflector(x: &mut [f64], pivot: usize) -> f64 {
    let alpha = x[pivot];
    let scale = x.iter().fold(0.0, |max: f64, x| if x.abs() > max || x.is_nan() { x.abs() } else { max });
    if x.iter().enumerate().all(|(i, &x)| i == pivot || x == 0.0) {
        x.fill(0.0);
        return alpha;
    }
    // Relative to the largest element: exact length even of a vector that is nearly nothing.
    x.iter_mut().for_each(|x| *x /= scale);
    let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let sign = if alpha.is_sign_negative() { -1.0 } else { 1.0 };
    x.iter_mut().for_each(|x| *x /= norm);
    x[pivot] += sign;
    let length = x[pivot].abs().sqrt();
    x.iter_mut().for_each(|x| *x /= length);
    -sign * norm * scale
}

/// `(x_i, x_j) = (cos x_i + sin x_j, cos x_j - sin x_i)`.
#[derive(Clone, Copy)]
struct Rotation {
    i: usize,
    j: usize,
    cos: f64,
    sin: f64,
}

/// An orthogonal matrix that is multiplied from the right, [`LANES`] of its rows side by side.
pub(super) struct Basis {
    n: usize,
    /// Tiles of `n x LANES`: element `[j][lane]` is in column `j`.
    tiles: Vec<f64>,
    gathered: Vec<Rotation>,
}

impl Basis {
    /// The product of the reflections with these vectors, given as rows of length `n` with zeros where a
    /// reflection does not act, in the order of the product.
    pub fn of_reflections<'a>(n: usize, vectors: impl Iterator<Item = (usize, &'a [f64])>) -> Basis {
        let mut tiles = vec![0.0; n.div_ceil(LANES) * n * LANES];
        for i in 0..n {
            tiles[i / LANES * n * LANES + i * LANES + i % LANES] = 1.0;
        }
        let mut basis = Basis { n, tiles, gathered: Vec::new() };
        let vectors: Vec<(usize, &[f64])> = vectors.collect();
        basis.for_tiles(&|tile| dispatch(Reflect { vectors: &vectors, tile }));
        basis
    }

    fn for_tiles(&mut self, work: &(dyn Fn(&mut [f64]) + Sync)) {
        let size = (self.n * LANES).max(1);
        if self.tiles.len() >= PARALLEL {
            for_chunks(&mut self.tiles, size, &|_, tile| work(tile));
        } else {
            self.tiles.chunks_mut(size).for_each(work);
        }
    }

    /// Rotates columns: `(x_i, x_j) = (cos x_i + sin x_j, cos x_j - sin x_i)`.
    #[inline]
    pub fn rotate(&mut self, i: usize, j: usize, cos: f64, sin: f64) {
        self.gathered.push(Rotation { i, j, cos, sin });
        if self.gathered.len() == GATHERED {
            self.apply();
        }
    }

    fn apply(&mut self) {
        let rotations = std::mem::take(&mut self.gathered);
        self.for_tiles(&|tile| dispatch(Rotate { rotations: &rotations, tile }));
        self.gathered = rotations;
        self.gathered.clear();
    }

    /// Writes the columns that `columns` names, times the number beside, to the dense rows of `out`.
    pub fn write(mut self, columns: &[(usize, f64)], out: &mut [f64]) {
        self.apply();
        for (row, out) in out.chunks_exact_mut(columns.len().max(1)).enumerate() {
            let tile = &self.tiles[row / LANES * self.n * LANES..];
            for (out, &(column, sign)) in out.iter_mut().zip(columns) {
                *out = sign * tile[column * LANES + row % LANES];
            }
        }
    }
}

struct Reflect<'a> {
    /// Where a vector begins, and its elements.
    vectors: &'a [(usize, &'a [f64])],
    tile: &'a mut [f64],
}

impl Kernel for Reflect<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (columns, _) = self.tile.as_chunks_mut::<LANES>();
        for &(start, vector) in self.vectors {
            let columns = &mut columns[start..][..vector.len()];
            let mut sums = [0.0f64; LANES];
            for (column, &v) in columns.iter().zip(vector) {
                for (sum, &x) in sums.iter_mut().zip(column) {
                    *sum = x.mul_add(v, *sum);
                }
            }
            for (column, &v) in columns.iter_mut().zip(vector) {
                // A copy: in place, LLVM would vectorise over the columns, with gathers.
                let mut reflected = *column;
                for (x, &sum) in reflected.iter_mut().zip(&sums) {
                    *x = (-sum).mul_add(v, *x);
                }
                *column = reflected;
            }
        }
    }
}

struct Rotate<'a> {
    rotations: &'a [Rotation],
    tile: &'a mut [f64],
}

impl Kernel for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (columns, _) = self.tile.as_chunks_mut::<LANES>();
        let Some(first) = self.rotations.first() else { return };
        // Rotations come in chains, (i, j), (j, k), ..: the column that the next one needs stays in registers.
        let mut held = first.i;
        let mut x = columns[held];
        for &Rotation { i, j, cos, sin } in self.rotations {
            if i != held {
                columns[held] = x;
                x = columns[i];
            }
            let mut y = columns[j];
            for (x, y) in x.iter_mut().zip(&mut y) {
                let (before, beside) = (*x, *y);
                *x = cos.mul_add(before, sin * beside);
                *y = cos.mul_add(beside, -sin * before);
            }
            columns[i] = x;
            (held, x) = (j, y);
        }
        columns[held] = x;
    }
}
