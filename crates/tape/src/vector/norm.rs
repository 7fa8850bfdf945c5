//! The norm of a slice, added up in the order of torch's CPU kernels.

use super::max_abs;
use crate::Float;
use crate::kernel::simd::{Kernel, dispatch};

/// The `p`-norm `(sum_i |x[i]|^p)^(1/p)` with the bits of torch's `linalg.vector_norm` on a CPU with AVX2: the
/// largest (smallest) absolute value for `p` infinite (minus infinite), the number of elements that are not
/// zero for `p = 0`.
///
/// torch adds one term after the other, for `p = 2` in eight lanes of `f32` or four of `f64`, so the rounding
/// error grows with the length; [`Tensor::norm`](crate::Tensor::norm) adds up in a tree and is the more
/// accurate one. Powers other than 1 and 2 are those of the system's mathematical library, torch's on Linux.
/// Nothing has norm zero, and for negative `p` an infinite one.
///
/// ```
/// use tape::vector::norm;
/// assert_eq!((norm(&[3.0f32, -4.0], 2.0), norm(&[3.0, -4.0], 1.0)), (5.0, 7.0));
/// assert_eq!(norm(&[3.0, -4.0, 0.0], f64::INFINITY), 4.0);
/// assert_eq!(norm(&[3.0, -4.0, 0.0], 0.0), 2.0);
/// ```
pub fn norm<T: Float>(x: &[T], p: f64) -> T {
    match x {
        [x] if p != 0.0 => x.abs(),
        _ if p == 2.0 => dispatch(SumSquares(x)).sqrt(),
        _ => norm_one_by_one(x, p),
    }
}

/// As [`norm`], without lanes for `p = 2`: torch's order for elements that do not lie side by side.
pub(crate) fn norm_one_by_one<T: Float>(x: &[T], p: f64) -> T {
    if let [x] = x
        && p != 0.0
    {
        x.abs()
    } else if p == 0.0 {
        T::from_f64(dispatch(Count(x)) as f64)
    } else if p == 1.0 {
        x.iter().fold(T::ZERO, |sum, x| sum + x.abs())
    } else if p == 2.0 {
        x.iter().fold(T::ZERO, |sum, &x| sum + x * x).sqrt()
    } else if p == f64::INFINITY {
        max_abs(x)
    } else if p == f64::NEG_INFINITY {
        dispatch(Smallest(x))
    } else {
        let power = T::from_f64(p);
        x.iter().fold(T::ZERO, |sum, x| sum + x.abs().powf(power)).powf(T::ONE / power)
    }
}

/// Sum of the squares as torch's compiler arranged it: lanes whose products are rounded, folded from first to
/// last; of the rest four with rounded products, as long as there are four, and fused ones.
struct SumSquares<'a, T>(&'a [T]);

impl<T: Float> Kernel for SumSquares<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run(self) -> T {
        let (sum, rest) = if size_of::<T>() == 4 { lanes::<T, 8>(self.0) } else { lanes::<T, 4>(self.0) };
        let (four, rest) = rest.as_chunks::<4>();
        let sum = four.as_flattened().iter().fold(sum, |sum, &x| sum + x * x);
        rest.iter().fold(sum, |sum, &x| x.mul_add(x, sum))
    }
}

/// The sum over all whole blocks of `N` elements, and what is left of `x`.
#[inline(always)]
fn lanes<T: Float, const N: usize>(x: &[T]) -> (T, &[T]) {
    let (blocks, rest) = x.as_chunks::<N>();
    let mut sums = [T::ZERO; N];
    for block in blocks {
        let mut next = [T::ZERO; N];
        for i in 0..N {
            next[i] = sums[i] + block[i] * block[i];
        }
        sums = next;
    }
    (sums[1..].iter().fold(sums[0], |sum, &lane| sum + lane), rest)
}

/// How many elements are not zero.
struct Count<'a, T>(&'a [T]);

impl<T: Float> Kernel for Count<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        self.0.iter().map(|&x| usize::from(x != T::ZERO)).sum()
    }
}

/// The smallest absolute value, NaN if any element is NaN.
struct Smallest<'a, T>(&'a [T]);

impl<T: Float> Smallest<'_, T> {
    #[inline(always)]
    fn of(a: T, b: T) -> T {
        let choice = if a < b { a } else { b };
        if a.is_nan() { a } else { choice }
    }
}

impl<T: Float> Kernel for Smallest<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run(self) -> T {
        let (blocks, rest) = self.0.as_chunks::<16>();
        let mut lanes = [T::INFINITY; 16];
        for block in blocks {
            let mut next = [T::INFINITY; 16];
            for i in 0..16 {
                next[i] = Self::of(lanes[i], block[i].abs());
            }
            lanes = next;
        }
        let smallest = rest.iter().fold(T::INFINITY, |a, b| Self::of(a, b.abs()));
        lanes.into_iter().fold(smallest, Self::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::at_every_level;
    use crate::vector::tests::noisy;

    const INF: f64 = f64::INFINITY;

    /// The definition, in double precision.
    fn naive(x: &[f64], p: f64) -> f64 {
        let sizes = x.iter().map(|x| x.abs());
        match p {
            0.0 => sizes.filter(|&x| x != 0.0).count() as f64,
            INF => sizes.fold(0.0, f64::max),
            f64::NEG_INFINITY => sizes.fold(INF, f64::min),
            _ => sizes.map(|x| x.powf(p)).sum::<f64>().powf(1.0 / p),
        }
    }

    #[test]
    fn every_length_and_order_is_the_definition_but_for_rounding() {
        for n in (0..70).chain([1000, 4097]) {
            let (x, narrow) = (noisy::<f64>(n, 5), noisy::<f32>(n, 5));
            let exact = narrow.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
            for p in [2.0, 1.0, 3.0, 0.5, -1.5, 0.0, INF, -INF] {
                for norm in [norm, norm_one_by_one] {
                    let (found, expected) = (norm(&x, p), naive(&x, p));
                    assert!(found == expected || (found / expected - 1.0).abs() < 1e-12, "f64 {n} {p}: {found}");
                }
                let (found, expected) = (f64::from(norm(&narrow, p)), naive(&exact, p));
                assert!(found == expected || (found / expected - 1.0).abs() < 1e-3, "f32 {n} {p}: {found}");
            }
        }
    }

    #[test]
    fn two_norms_add_lanes_then_rounded_fours_then_fused_ones() {
        let x = noisy::<f32>(31, 9);
        let mut lanes = [0f32; 8];
        (0..24).for_each(|i| lanes[i % 8] += x[i] * x[i]);
        let mut sum = lanes[0];
        lanes[1..].iter().for_each(|lane| sum += lane);
        x[24..28].iter().for_each(|x| sum += x * x);
        x[28..].iter().for_each(|&x| sum = x.mul_add(x, sum));
        for (level, found) in at_every_level(|| SumSquares(&x)) {
            assert_eq!(found.to_bits(), sum.to_bits(), "{level:?}");
        }
        assert_eq!(norm(&x, 2.0).to_bits(), sum.sqrt().to_bits());
    }

    #[test]
    fn a_single_element_is_neither_squared_nor_raised() {
        for p in [2.0, 1.0, 3.0, -1.5, INF, -INF] {
            assert_eq!((norm(&[-1e30f32], p), norm_one_by_one(&[-1e-30f32], p)), (1e30, 1e-30), "{p}");
        }
        assert_eq!((norm(&[-7.0], 0.0), norm(&[0.0], 0.0), norm(&[f64::NAN], 0.0)), (1.0, 0.0, 1.0));
    }

    #[test]
    fn nan_shows_wherever_it_stands() {
        for at in [0, 5, 16, 36] {
            let mut x = noisy::<f32>(37, 1);
            x[at] = f32::NAN;
            for p in [2.0, 1.0, 3.0, -1.0, INF, -INF] {
                assert!(norm(&x, p).is_nan(), "{p} at {at}");
            }
        }
    }
}
