//! Triangular systems of equations.

use super::{Block, half, subtract_product};
use crate::Float;
use crate::kernel::simd::{Kernel, dispatch};

/// Unknowns of the base case.
pub(super) const BASE: usize = 32;
/// Right-hand sides that the base case takes at a time.
const WIDTH: usize = 32;
/// Up to this many multiplications plain loops beat packing.
const TINY: usize = 512;

/// One triangle of a square matrix; the elements beyond it are not read.
#[derive(Clone, Copy)]
pub(crate) struct Triangle<'a, T> {
    pub block: Block<'a, T>,
    pub upper: bool,
    /// The diagonal is taken to be one.
    pub unit: bool,
}

impl<T: Float> Triangle<'_, T> {
    pub fn transposed(self) -> Self {
        Triangle { block: self.block.transposed(), upper: !self.upper, unit: self.unit }
    }

    /// The triangle of the part from row and column `i` on.
    fn from(self, i: usize) -> Self {
        Triangle { block: self.block.from(i, i), ..self }
    }
}

/// Overwrites the `n x columns` matrix `b`, rows at distance `stride`, by the solution of `triangle @ x = b`.
pub(crate) fn solve<T: Float>(
    triangle: Triangle<'_, T>,
    n: usize,
    b: &mut [T],
    stride: usize,
    columns: usize,
    parallel: bool,
) {
    if n == 0 || columns == 0 {
        return;
    }
    if n * n * columns <= TINY {
        return substitute_plainly(triangle, n, b, stride, columns);
    }
    if n <= BASE {
        return solve_base(triangle, n, b, stride, columns);
    }
    let cut = half(n, BASE);
    let (top, bottom) = b.split_at_mut(cut * stride);
    if triangle.upper {
        solve(triangle.from(cut), n - cut, bottom, stride, columns, parallel);
        let (block, known) = (triangle.block.from(0, cut), Block::rows(bottom, stride));
        subtract_product(top, stride, [cut, n - cut, columns], block, known, parallel);
        solve(triangle, cut, top, stride, columns, parallel);
    } else {
        solve(triangle, cut, top, stride, columns, parallel);
        let (block, known) = (triangle.block.from(cut, 0), Block::rows(top, stride));
        subtract_product(bottom, stride, [n - cut, cut, columns], block, known, parallel);
        solve(triangle.from(cut), n - cut, bottom, stride, columns, parallel);
    }
}

fn substitute_plainly<T: Float>(triangle: Triangle<'_, T>, n: usize, b: &mut [T], stride: usize, columns: usize) {
    for step in 0..n {
        let (i, known) = if triangle.upper { (n - 1 - step, n - step..n) } else { (step, 0..step) };
        for column in 0..columns {
            let mut sum = b[i * stride + column];
            for j in known.clone() {
                sum = (-triangle.block.at(i, j)).mul_add(b[j * stride + column], sum);
            }
            b[i * stride + column] = if triangle.unit { sum } else { sum / triangle.block.at(i, i) };
        }
    }
}

/// The rows of a triangle in the order in which they are solved, each as far as its diagonal.
fn pack<T: Float>(triangle: Triangle<'_, T>, n: usize) -> [[T; BASE]; BASE] {
    let mut packed = [[T::ZERO; BASE]; BASE];
    let place = |i: usize| if triangle.upper { n - 1 - i } else { i };
    for (i, row) in packed[..n].iter_mut().enumerate() {
        for (j, element) in row[..=i].iter_mut().enumerate() {
            *element = if i == j && triangle.unit { T::ONE } else { triangle.block.at(place(i), place(j)) };
        }
    }
    packed
}

fn solve_base<T: Float>(triangle: Triangle<'_, T>, n: usize, b: &mut [T], stride: usize, columns: usize) {
    let packed = pack(triangle, n);
    let mut tile = [[T::ZERO; WIDTH]; BASE];
    let place = |i: usize| if triangle.upper { n - 1 - i } else { i };
    for left in (0..columns).step_by(WIDTH) {
        let width = WIDTH.min(columns - left);
        for (i, row) in tile[..n].iter_mut().enumerate() {
            row[..width].copy_from_slice(&b[place(i) * stride + left..][..width]);
        }
        dispatch(Substitute { triangle: &packed[..n], tile: &mut tile[..n] });
        for (i, row) in tile[..n].iter().enumerate() {
            b[place(i) * stride + left..][..width].copy_from_slice(&row[..width]);
        }
    }
}

/// Overwrites the `m x n` matrix `b`, rows at distance `stride`, by the solution of `x @ lower^T = b`.
pub(super) fn solve_right_transposed<T: Float>(
    lower: Block<'_, T>,
    n: usize,
    b: &mut [T],
    stride: usize,
    m: usize,
    parallel: bool,
) {
    let b = &mut b[..(m - 1) * stride + n];
    if n > BASE {
        let cut = half(n, BASE);
        solve_right_transposed(lower, cut, b, stride, m, parallel);
        let known = super::copy_columns(b, stride, 0, cut);
        let block = lower.from(cut, 0).transposed();
        subtract_product(&mut b[cut..], stride, [m, cut, n - cut], Block::rows(&known, cut), block, parallel);
        return solve_right_transposed(lower.from(cut, cut), n - cut, &mut b[cut..], stride, m, parallel);
    }
    let packed = pack(Triangle { block: lower, upper: false, unit: false }, n);
    let mut tile = [[T::ZERO; WIDTH]; BASE];
    for rows in b.chunks_mut(WIDTH * stride) {
        for (lane, row) in rows.chunks(stride).enumerate() {
            for (tile, &element) in tile.iter_mut().zip(&row[..n]) {
                tile[lane] = element;
            }
        }
        dispatch(Substitute { triangle: &packed[..n], tile: &mut tile[..n] });
        for (lane, row) in rows.chunks_mut(stride).enumerate() {
            for (tile, element) in tile.iter().zip(&mut row[..n]) {
                *element = tile[lane];
            }
        }
    }
}

/// Forward substitution for [`WIDTH`] right-hand sides at once.
struct Substitute<'a, T> {
    triangle: &'a [[T; BASE]],
    tile: &'a mut [[T; WIDTH]],
}

impl<T: Float> Kernel for Substitute<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (i, row) in self.triangle.iter().enumerate() {
            let (known, rest) = self.tile.split_at_mut(i);
            let mut sum = rest[0];
            for (x, &factor) in known.iter().zip(row) {
                for (sum, &x) in sum.iter_mut().zip(x) {
                    *sum = (-factor).mul_add(x, *sum);
                }
            }
            for (out, &sum) in rest[0].iter_mut().zip(&sum) {
                *out = sum / row[i];
            }
        }
    }
}
