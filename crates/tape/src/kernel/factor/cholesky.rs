//! `A = L L^T`.

use super::triangular::{BASE, solve_right_transposed};
use super::{Block, copy_columns, half, subtract_product};
use crate::Float;
use crate::kernel::simd::{Kernel, dispatch};

/// Rows of a symmetric product that is computed as one, with the half that nobody reads.
const SQUARE: usize = 128;

/// Overwrites the lower triangle of the `n x n` matrix `a` by its Cholesky factor and clears the rest.
/// The elements above the diagonal are not read.
///
/// # Errors
/// The order of the first leading minor that is not positive.
pub(crate) fn factor<T: Float>(a: &mut [T], n: usize, parallel: bool) -> Result<(), usize> {
    recurse(a, n, n, parallel)?;
    for (i, row) in a.chunks_exact_mut(n.max(1)).enumerate() {
        row[i + 1..].fill(T::ZERO);
    }
    Ok(())
}

fn recurse<T: Float>(a: &mut [T], stride: usize, n: usize, parallel: bool) -> Result<(), usize> {
    if n <= BASE {
        return match dispatch(Base { a, stride, n }) {
            0 => Ok(()),
            order => Err(order),
        };
    }
    let cut = half(n, BASE);
    recurse(a, stride, cut, parallel)?;
    let (top, bottom) = a[..(n - 1) * stride + n].split_at_mut(cut * stride);
    solve_right_transposed(Block::rows(top, stride), cut, bottom, stride, n - cut, parallel);
    let panel = copy_columns(bottom, stride, 0, cut);
    subtract_square(&mut bottom[cut..], stride, n - cut, &panel, cut, parallel);
    recurse(&mut bottom[cut..], stride, n - cut, parallel).map_err(|order| cut + order)
}

/// `c -= panel @ panel^T` in the lower triangle of `c`, for a dense panel of `n` rows of `k`.
fn subtract_square<T: Float>(c: &mut [T], stride: usize, n: usize, panel: &[T], k: usize, parallel: bool) {
    let rows = |from: usize| Block::rows(&panel[from * k..], k);
    if n <= SQUARE {
        return subtract_product(c, stride, [n, k, n], rows(0), rows(0).transposed(), parallel);
    }
    let cut = half(n, BASE);
    subtract_square(c, stride, cut, &panel[..cut * k], k, parallel);
    let bottom = &mut c[cut * stride..];
    subtract_product(bottom, stride, [n - cut, k, cut], rows(cut), rows(0).transposed(), parallel);
    subtract_square(&mut bottom[cut..], stride, n - cut, &panel[cut * k..], k, parallel);
}

/// At most [`BASE`] rows, column by column; the order of the minor that is not positive, or 0.
struct Base<'a, T> {
    a: &'a mut [T],
    stride: usize,
    n: usize,
}

impl<T: Float> Kernel for Base<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let Base { a, stride, n } = self;
        let mut column = [T::ZERO; BASE];
        for k in 0..n {
            let pivot = a[k * stride + k];
            // NaN is no positive number either.
            if pivot <= T::ZERO || pivot.is_nan() {
                return k + 1;
            }
            let root = pivot.sqrt();
            a[k * stride + k] = root;
            for i in k + 1..n {
                column[i] = a[i * stride + k] / root;
                a[i * stride + k] = column[i];
            }
            for i in k + 1..n {
                let factor = -column[i];
                for (element, &other) in a[i * stride..][k + 1..=i].iter_mut().zip(&column[k + 1..=i]) {
                    *element = factor.mul_add(other, *element);
                }
            }
        }
        0
    }
}
