//! Uniform floating-point numbers.

use super::Source;
use crate::kernel::simd::{Kernel, dispatch};

/// A number in `[0, 1)` from the low 24 bits of one word: `(word & (2^24 - 1)) * 2^-24`.
#[inline]
pub(super) fn unit_f32<S: Source + ?Sized>(source: &mut S) -> f32 {
    const STEP: f32 = 1.0 / (1 << 24) as f32;
    (source.next_u32() & 0x00ff_ffff) as f32 * STEP
}

/// A number in `[0, 1)` from the low 53 bits of two words: `(word & (2^53 - 1)) * 2^-53`.
#[inline]
pub(super) fn unit_f64<S: Source + ?Sized>(source: &mut S) -> f64 {
    const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
    (source.next_u64() & ((1 << 53) - 1)) as f64 * STEP
}

/// Fills `out` with numbers from `[0, 1)`, one word each, in order.
///
/// ```
/// use tape::random::{Generator, fill_uniform_f32};
///
/// let mut out = [0.0; 2];
/// fill_uniform_f32(&mut Generator::new(0), &mut out);
/// assert_eq!(out, [0.4962566, 0.7682218]); // torch.manual_seed(0); torch.rand(2)
/// ```
pub fn fill_uniform_f32<S: Source + ?Sized>(source: &mut S, out: &mut [f32]) {
    for x in out {
        *x = unit_f32(source);
    }
}

/// Fills `out` with numbers from `[0, 1)`, two words each, in order.
pub fn fill_uniform_f64<S: Source + ?Sized>(source: &mut S, out: &mut [f64]) {
    for x in out {
        *x = unit_f64(source);
    }
}

/// Fills `out` with numbers from `[from, to)`: `fma(u, to - from, from)` over what [`fill_uniform_f32`]
/// draws, rounded once, as torch's kernels do wherever the processor has a fused multiply-add.
pub fn fill_uniform_range_f32<S: Source + ?Sized>(source: &mut S, from: f32, to: f32, out: &mut [f32]) {
    fill_uniform_f32(source, out);
    dispatch(Stretch { values: out, from, width: to - from });
}

/// Fills `out` with numbers from `[from, to)`: `fma(u, to - from, from)` over what [`fill_uniform_f64`]
/// draws.
pub fn fill_uniform_range_f64<S: Source + ?Sized>(source: &mut S, from: f64, to: f64, out: &mut [f64]) {
    fill_uniform_f64(source, out);
    dispatch(Stretch { values: out, from, width: to - from });
}

/// Maps `[0, 1)` to `[from, from + width)` in place.
struct Stretch<'a, T> {
    values: &'a mut [T],
    from: T,
    width: T,
}

impl Kernel for Stretch<'_, f32> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for x in self.values {
            *x = x.mul_add(self.width, self.from);
        }
    }
}

impl Kernel for Stretch<'_, f64> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for x in self.values {
            *x = x.mul_add(self.width, self.from);
        }
    }
}
