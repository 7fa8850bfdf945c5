//! `P A = L U` with partial pivoting.

use super::triangular::{Triangle, solve};
use super::{Block, copy_columns, half, subtract_product};
use crate::Float;
use crate::kernel::simd::{Kernel, dispatch};

/// Columns of the base case.
const BASE: usize = 16;

/// What a factorisation leaves beside the triangles.
pub(crate) struct Pivots {
    /// Row `i` of the permuted matrix is this row of the original.
    pub rows: Vec<usize>,
    /// Whether the permutation is odd.
    pub odd: bool,
    /// The first zero on the diagonal of `U`, counted from one.
    pub zero: Option<usize>,
}

/// Overwrites the `n x n` matrix `a` by `U` and, below its diagonal, the unit lower triangle `L`.
pub(crate) fn factor<T: Float>(a: &mut [T], n: usize, parallel: bool) -> Pivots {
    let mut pivots = Pivots { rows: (0..n).collect(), odd: false, zero: None };
    recurse(a, n, 0, n, &mut pivots, parallel);
    pivots
}

/// Factors the columns `from..to`, rows from `from` on; whole rows are exchanged.
fn recurse<T: Float>(a: &mut [T], n: usize, from: usize, to: usize, pivots: &mut Pivots, parallel: bool) {
    if to - from <= BASE {
        return base(a, n, from, to, pivots);
    }
    let middle = from + half(to - from, BASE);
    recurse(a, n, from, middle, pivots, parallel);
    let (top, bottom) = a.split_at_mut(middle * n);
    let (top, width) = (&mut top[from * n..], middle - from);
    let left = copy_columns(top, n, from, middle);
    let unit_lower = Triangle { block: Block::rows(&left, width), upper: false, unit: true };
    solve(unit_lower, width, &mut top[middle..], n, to - middle, parallel);
    let left = copy_columns(bottom, n, from, middle);
    let sizes = [n - middle, width, to - middle];
    let right = Block::rows(&top[middle..], n);
    if !bottom.is_empty() {
        subtract_product(&mut bottom[middle..], n, sizes, Block::rows(&left, width), right, parallel);
    }
    recurse(a, n, middle, to, pivots, parallel);
}

fn base<T: Float>(a: &mut [T], n: usize, from: usize, to: usize, pivots: &mut Pivots) {
    for k in from..to {
        let mut largest = k;
        for i in k + 1..n {
            if a[i * n + k].abs() > a[largest * n + k].abs() {
                largest = i;
            }
        }
        if largest != k {
            let (top, bottom) = a.split_at_mut(largest * n);
            top[k * n..][..n].swap_with_slice(&mut bottom[..n]);
            pivots.rows.swap(k, largest);
            pivots.odd = !pivots.odd;
        }
        if a[k * n + k] == T::ZERO {
            // The whole column is zero: there is nothing to eliminate.
            pivots.zero.get_or_insert(k + 1);
            continue;
        }
        let (top, bottom) = a.split_at_mut((k + 1) * n);
        dispatch(Eliminate { row: &top[k * n..][k..to], below: bottom, n, k });
    }
}

/// Subtracts multiples of a row from those below, so that their first element of its columns is zero, and
/// keeps the multiples there.
struct Eliminate<'a, T> {
    row: &'a [T],
    below: &'a mut [T],
    n: usize,
    k: usize,
}

impl<T: Float> Kernel for Eliminate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Eliminate { row, below, n, k } = self;
        for below in below.chunks_exact_mut(n) {
            let below = &mut below[k..][..row.len()];
            let factor = below[0] / row[0];
            below[0] = factor;
            for (element, &pivot) in below[1..].iter_mut().zip(&row[1..]) {
                *element = (-factor).mul_add(pivot, *element);
            }
        }
    }
}

/// Overwrites the `n x columns` matrix `b` by the solution of `A x = b`, or of `A^T x = b`, from the factors.
pub(crate) fn solve_factored<T: Float>(
    lu: &[T],
    pivots: &Pivots,
    transposed: bool,
    b: &mut [T],
    columns: usize,
    parallel: bool,
) {
    let n = pivots.rows.len();
    let block = Block::rows(lu, n);
    let lower = Triangle { block, upper: false, unit: true };
    let upper = Triangle { block, upper: true, unit: false };
    if transposed {
        solve(upper.transposed(), n, b, columns, columns, parallel);
        solve(lower.transposed(), n, b, columns, columns, parallel);
        let solved = b.to_vec();
        for (solved, &row) in solved.chunks_exact(columns.max(1)).zip(&pivots.rows) {
            b[row * columns..][..columns].copy_from_slice(solved);
        }
    } else {
        let given = b.to_vec();
        for (b, &row) in b.chunks_exact_mut(columns.max(1)).zip(&pivots.rows) {
            b.copy_from_slice(&given[row * columns..][..columns]);
        }
        solve(lower, n, b, columns, columns, parallel);
        solve(upper, n, b, columns, columns, parallel);
    }
}
