//! Means and squared deviations of lines, in double precision whatever the dtype.

use super::parallel::{allowed, for_chunks};
use crate::Float;

/// Elements from which a second thread pays.
const PARALLEL: usize = 1 << 17;
/// Sums that run side by side.
const LANES: usize = 16;
/// Elements that are summed one block after the other; the errors of the blocks do not add up along them.
const BLOCK: usize = 4096;

/// For every line of `len` neighbouring elements, the sum of the squared deviations from its mean.
pub(crate) fn squared_deviations<T: Float>(x: &[T], len: usize, out: &mut [f64]) {
    if len == 0 {
        return out.fill(0.0);
    }
    let work = |first: usize, out: &mut [f64]| {
        for (line, out) in x[first * len..].chunks_exact(len).zip(out) {
            *out = deviations(line);
        }
    };
    if x.len() < PARALLEL || out.len() == 1 || !allowed() {
        return work(0, out);
    }
    for_chunks(out, (PARALLEL / 8).div_ceil(len), &work);
}

/// Two passes; the second one also sums the deviations, which are zero together but for the rounding of the
/// mean, and takes its effect out again (Chan, Golub and LeVeque 1983, "corrected two-pass algorithm").
fn deviations<T: Float>(line: &[T]) -> f64 {
    let count = line.len() as f64;
    let mean = sum(line, |x| x) / count;
    let rest = sum(line, |x| x - mean);
    sum(line, |x| (x - mean) * (x - mean)) - rest * rest / count
}

#[inline(always)]
fn sum<T: Float>(line: &[T], f: impl Fn(f64) -> f64) -> f64 {
    let mut total = 0.0;
    for block in line.chunks(BLOCK) {
        let (chunks, rest) = block.as_chunks::<LANES>();
        let mut lanes = [0.0; LANES];
        for chunk in chunks {
            for (lane, &x) in lanes.iter_mut().zip(chunk) {
                *lane += f(x.to_f64());
            }
        }
        total += lanes.iter().sum::<f64>() + rest.iter().map(|&x| f(x.to_f64())).sum::<f64>();
    }
    total
}
