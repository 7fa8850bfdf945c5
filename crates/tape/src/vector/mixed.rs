//! Vectors that are kept in `f32` beside vectors of another type: half the memory traffic of `f64`, with
//! products and sums in the wider type.
//!
//! The results have the bits that widening the `f32` vector first would give (for [`super::dot`] from four
//! elements on).

use super::{Lanes, Pieces, Product, STRIP, fold_lanes, run, same_length};
use crate::Float;
use crate::kernel::simd::Kernel;

/// Dot product `sum_i x[i] * y[i]`, each product and the sum in `T`.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use tape::vector::mixed;
/// // 1e-9 would be lost beside 1 in f32.
/// assert_eq!(mixed::dot(&[1.0, 1.0], &[1.0_f64, 1e-9]), 1.0 + 1e-9);
/// ```
#[inline]
#[track_caller]
pub fn dot<T: Float>(x: &[f32], y: &[T]) -> T {
    same_length("mixed::dot", x.len(), y.len());
    run(Dot { x, y })
}

/// `y[i] = fma(alpha, x[i], y[i])` for every element, in `T`.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// let mut y = [1.0_f64, 1.0];
/// tape::vector::mixed::axpy(-0.5, &[2.0, 4.0], &mut y);
/// assert_eq!(y, [0.0, -1.0]);
/// ```
#[inline]
#[track_caller]
pub fn axpy<T: Float>(alpha: T, x: &[f32], y: &mut [T]) {
    same_length("mixed::axpy", x.len(), y.len());
    run(Axpy { alpha, x, y });
}

/// [`axpy`] and then [`dot`] of `z` with the new `y`, in one pass over memory and with the same bits.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// let mut y = [1.0_f64, 1.0];
/// assert_eq!(tape::vector::mixed::axpy_dot(2.0, &[1.0, 2.0], &mut y, &[10.0, 1.0]), 35.0);
/// assert_eq!(y, [3.0, 5.0]);
/// ```
#[inline]
#[track_caller]
pub fn axpy_dot<T: Float>(alpha: T, x: &[f32], y: &mut [T], z: &[f32]) -> T {
    same_length("mixed::axpy_dot", x.len(), y.len());
    same_length("mixed::axpy_dot", y.len(), z.len());
    run(AxpyDot { alpha, x, y, z })
}

#[inline(always)]
fn widen<T: Float>(x: f32) -> T {
    T::from_f64(f64::from(x))
}

/// Folds the whole blocks of `N` pairs, as [`super::fold_blocks`] does.
#[inline(always)]
fn fold_blocks<T: Float, const N: usize>(x: &[f32], y: &[T], acc: &mut [T; N]) {
    let mut local = *acc;
    for (x, y) in x.as_chunks::<N>().0.iter().zip(y.as_chunks::<N>().0) {
        let mut next = [T::ZERO; N];
        for i in 0..N {
            next[i] = widen::<T>(x[i]).mul_add(y[i], local[i]);
        }
        local = next;
    }
    *acc = local;
}

struct Dot<'a, T> {
    x: &'a [f32],
    y: &'a [T],
}

impl<T: Float> Lanes<T> for Dot<'_, T> {
    #[inline(always)]
    fn fold<const N: usize>(&mut self, acc: &mut [T; N]) {
        let whole = self.x.len() / N * N;
        let (x, x_rest) = self.x.split_at(whole);
        let (y, y_rest) = self.y.split_at(whole);
        fold_blocks::<T, N>(x, y, acc);
        (self.x, self.y) = (x_rest, y_rest);
    }
}

impl<T: Float> Kernel for Dot<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run(self) -> T {
        fold_lanes::<T, Product>(self.x.len(), self)
    }
}

impl<T: Float> Pieces for Dot<'_, T> {
    fn len(&self) -> usize {
        self.x.len()
    }

    fn split_at(self, mid: usize) -> (Self, Self) {
        let (x, x_right) = self.x.split_at(mid);
        let (y, y_right) = self.y.split_at(mid);
        (Dot { x, y }, Dot { x: x_right, y: y_right })
    }

    fn join(left: T, right: T) -> T {
        left + right
    }
}

struct Axpy<'a, T> {
    alpha: T,
    x: &'a [f32],
    y: &'a mut [T],
}

impl<T: Float> Kernel for Axpy<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            *y = self.alpha.mul_add(widen(x), *y);
        }
    }
}

impl<T: Float> Pieces for Axpy<'_, T> {
    fn len(&self) -> usize {
        self.y.len()
    }

    fn split_at(self, mid: usize) -> (Self, Self) {
        let (x, x_right) = self.x.split_at(mid);
        let (y, y_right) = self.y.split_at_mut(mid);
        let alpha = self.alpha;
        (Axpy { alpha, x, y }, Axpy { alpha, x: x_right, y: y_right })
    }

    fn join(_: (), _: ()) {}
}

struct AxpyDot<'a, T> {
    alpha: T,
    x: &'a [f32],
    y: &'a mut [T],
    z: &'a [f32],
}

impl<T: Float> Lanes<T> for AxpyDot<'_, T> {
    #[inline(always)]
    fn fold<const N: usize>(&mut self, acc: &mut [T; N]) {
        let whole = self.y.len() / N * N;
        let (x, x_rest) = self.x.split_at(whole);
        let (y, y_rest) = std::mem::take(&mut self.y).split_at_mut(whole);
        let (z, z_rest) = self.z.split_at(whole);
        for ((x, y), z) in x.chunks(STRIP).zip(y.chunks_mut(STRIP)).zip(z.chunks(STRIP)) {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = self.alpha.mul_add(widen(x), *y);
            }
            fold_blocks::<T, N>(z, y, acc);
        }
        (self.x, self.y, self.z) = (x_rest, y_rest, z_rest);
    }
}

impl<T: Float> Kernel for AxpyDot<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run(self) -> T {
        fold_lanes::<T, Product>(self.y.len(), self)
    }
}

impl<T: Float> Pieces for AxpyDot<'_, T> {
    fn len(&self) -> usize {
        self.y.len()
    }

    fn split_at(self, mid: usize) -> (Self, Self) {
        let (x, x_right) = self.x.split_at(mid);
        let (y, y_right) = self.y.split_at_mut(mid);
        let (z, z_right) = self.z.split_at(mid);
        let alpha = self.alpha;
        (AxpyDot { alpha, x, y, z }, AxpyDot { alpha, x: x_right, y: y_right, z: z_right })
    }

    fn join(left: T, right: T) -> T {
        left + right
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LENGTHS, noisy};
    use super::super::{axpy as wide_axpy, axpy_dot as wide_axpy_dot, dot as wide_dot};
    use super::*;

    #[test]
    fn the_bits_are_those_of_widening_first() {
        for n in LENGTHS {
            let (x, z) = (noisy::<f32>(n, 1), noisy::<f32>(n, 2));
            let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
            let (wide_x, wide_z) = (wide(&x), wide(&z));
            let start = noisy::<f64>(n, 3);
            let (mut y, mut expected) = (start.clone(), start.clone());
            axpy(0.37, &x, &mut y);
            wide_axpy(0.37, &wide_x, &mut expected);
            assert_eq!(y, expected, "axpy {n}");
            let (mut fused, mut expected) = (start.clone(), start.clone());
            let found = axpy_dot(0.37, &x, &mut fused, &z);
            let widened = wide_axpy_dot(0.37, &wide_x, &mut expected, &wide_z);
            assert_eq!(fused, expected, "axpy_dot {n}");
            assert_eq!(found.to_bits(), dot(&z, &y).to_bits(), "{n}");
            if n > 3 {
                assert_eq!(dot(&x, &start).to_bits(), wide_dot(&wide_x, &start).to_bits(), "dot {n}");
                assert_eq!(found.to_bits(), widened.to_bits(), "{n}");
            } else {
                assert!((dot(&x, &start) - wide_dot(&wide_x, &start)).abs() < 1e-15);
            }
        }
    }

    #[test]
    #[should_panic(expected = "mixed::dot: slices of different lengths, 2 and 3")]
    fn different_lengths_are_refused() {
        dot(&[1.0, 2.0], &[1.0_f64, 2.0, 3.0]);
    }
}
