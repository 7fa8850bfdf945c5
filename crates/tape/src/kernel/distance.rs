//! Distances of all pairs of rows.

use super::parallel::{allowed, for_chunks};
use crate::Float;

/// Multiplications from which a second thread pays.
const PARALLEL: usize = 1 << 17;
/// Sums that run side by side.
const LANES: usize = 8;

/// `out[i, j] = (sum_k |a[i, k] - b[j, k]|^p)^(1/p)` for rows of `width` elements, and its limits for `p` zero
/// (the number of differences) and infinite.
pub(crate) fn distances<T: Float>(a: &[T], b: &[T], width: usize, p: f64, out: &mut [T]) {
    if width == 0 || out.is_empty() {
        return out.fill(T::ZERO);
    }
    let columns = b.len() / width;
    if p == 0.0 {
        pairs(a, b, width, out, &|a, b| sum(a, b, |d| if d == T::ZERO { T::ZERO } else { T::ONE }));
    } else if p == 1.0 {
        pairs(a, b, width, out, &|a, b| sum(a, b, Float::abs));
    } else if p == 2.0 {
        pairs(a, b, width, out, &|a, b| sum(a, b, |d| d * d).sqrt());
    } else if p == f64::INFINITY {
        let larger = |max: T, d: T| if d > max || d.is_nan() { d } else { max };
        let widest = |a: &[T], b: &[T]| a.iter().zip(b).map(|(&a, &b)| (a - b).abs()).fold(T::ZERO, larger);
        pairs(a, b, width, out, &widest);
    } else {
        let power = |d: T| d.abs().to_f64().powf(p);
        let root = |a: &[T], b: &[T]| a.iter().zip(b).map(|(&a, &b)| power(a - b)).sum::<f64>().powf(1.0 / p);
        pairs(a, b, width, out, &|a, b| T::from_f64(root(a, b)));
    }
    debug_assert_eq!(out.len() * width, a.len() * columns);
}

/// Calls `distance` for all pairs of rows.
fn pairs<T: Float>(a: &[T], b: &[T], width: usize, out: &mut [T], distance: &(impl Fn(&[T], &[T]) -> T + Sync)) {
    let columns = b.len() / width;
    let work = |first: usize, out: &mut [T]| {
        let rows = a[first / columns * width..].chunks_exact(width);
        for (a, out) in rows.zip(out.chunks_exact_mut(columns)) {
            for (b, out) in b.chunks_exact(width).zip(out) {
                *out = distance(a, b);
            }
        }
    };
    if out.len() * width < PARALLEL || !allowed() {
        return work(0, out);
    }
    for_chunks(out, (PARALLEL / 8).div_ceil(columns * width) * columns, &work);
}

/// The sum of `f` of all differences.
#[inline(always)]
fn sum<T: Float>(a: &[T], b: &[T], f: impl Fn(T) -> T) -> T {
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [T::ZERO; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += f(a - b);
        }
    }
    let rest = rest_a.iter().zip(rest_b).fold(T::ZERO, |sum, (&a, &b)| sum + f(a - b));
    // A tree: short rows are bound by the length of this chain.
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h)) + rest
}
