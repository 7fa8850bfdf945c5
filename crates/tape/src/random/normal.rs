//! Normally distributed numbers.
//!
//! torch has two ways of drawing them, and which one a tensor takes decides which numbers it gets: sixteen
//! or more contiguous elements are transformed in blocks of sixteen, everything else is drawn one by one in
//! f64.

use super::Source;
use super::box_muller_f32::BoxMuller;
use super::uniform::{fill_uniform_f32, fill_uniform_f64, unit_f64};
use crate::kernel::simd::dispatch;
use std::f64::consts::TAU;

/// The block that is transformed at once; fewer elements are drawn one by one.
pub(super) const BLOCK: usize = 16;

/// Fills a contiguous `out` with normal numbers: `std * n + mean`, in torch's order of draws.
///
/// Below 16 elements each is drawn by [`fill_normal_serial_f32`]. From 16 on all of `out` is first filled
/// with uniforms, then each block of 16 is transformed in f32. Where the length is no multiple of 16 the
/// last 16 elements are drawn afresh, over values already finished: that is what torch does.
///
/// ```
/// use tape::random::{Generator, fill_normal_f32};
///
/// let mut out = [0.0; 16];
/// fill_normal_f32(&mut Generator::new(0), 0.0, 1.0, &mut out);
/// assert_eq!(out[..2], [-1.1258398294448853, -1.152360200881958]); // torch.manual_seed(0); torch.randn(16)
/// ```
pub fn fill_normal_f32<S: Source + ?Sized>(source: &mut S, mean: f64, std: f64, out: &mut [f32]) {
    if out.len() < BLOCK {
        return fill_normal_serial_f32(source, mean, std, out);
    }
    let (mean, std) = (mean as f32, std as f32);
    fill_uniform_f32(source, out);
    let (blocks, tail) = out.as_chunks_mut();
    dispatch(BoxMuller { blocks, mean, std });
    if !tail.is_empty() {
        let start = out.len() - BLOCK;
        let last = &mut out[start..];
        fill_uniform_f32(source, last);
        dispatch(BoxMuller { blocks: last.as_chunks_mut().0, mean, std });
    }
}

/// Fills a contiguous `out` with normal numbers, by the same rule of blocks as [`fill_normal_f32`], in f64
/// with the system's logarithm, sine and cosine.
pub fn fill_normal_f64<S: Source + ?Sized>(source: &mut S, mean: f64, std: f64, out: &mut [f64]) {
    if out.len() < BLOCK {
        return fill_normal_serial_f64(source, mean, std, out);
    }
    fill_uniform_f64(source, out);
    let (blocks, tail) = out.as_chunks_mut();
    for block in blocks {
        box_muller_f64(block, mean, std);
    }
    if !tail.is_empty() {
        let start = out.len() - BLOCK;
        let last = &mut out[start..];
        fill_uniform_f64(source, last);
        for block in last.as_chunks_mut().0 {
            box_muller_f64(block, mean, std);
        }
    }
}

fn box_muller_f64(block: &mut [f64; BLOCK], mean: f64, std: f64) {
    let (first, second) = block.split_at_mut(BLOCK / 2);
    for (x, y) in first.iter_mut().zip(second) {
        let radius = (-2.0 * (1.0 - *x).ln()).sqrt();
        let theta = TAU * *y;
        *x = (radius * theta.cos()).mul_add(std, mean);
        *y = (radius * theta.sin()).mul_add(std, mean);
    }
}

/// Fills `out` one by one, as torch fills tensors of fewer than 16 elements and non-contiguous ones: every
/// number is computed in f64 and then rounded, and the second of each pair is kept in the source for the
/// next such draw.
pub fn fill_normal_serial_f32<S: Source + ?Sized>(source: &mut S, mean: f64, std: f64, out: &mut [f32]) {
    for x in out {
        *x = serial(source).mul_add(std, mean) as f32;
    }
}

/// Fills `out` one by one in f64; see [`fill_normal_serial_f32`].
pub fn fill_normal_serial_f64<S: Source + ?Sized>(source: &mut S, mean: f64, std: f64, out: &mut [f64]) {
    for x in out {
        *x = serial(source).mul_add(std, mean);
    }
}

/// One standard normal number: the kept one, or the first of a new pair.
fn serial<S: Source + ?Sized>(source: &mut S) -> f64 {
    if let Some(spare) = source.take_spare_normal() {
        return spare;
    }
    let u1 = unit_f64(source);
    let u2 = unit_f64(source);
    let radius = (-2.0 * (-u2).ln_1p()).sqrt();
    let theta = TAU * u1;
    source.keep_spare_normal(radius * theta.sin());
    radius * theta.cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Generator, fill_randint, randperm};

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|x| x.to_bits()).collect()
    }

    /// One run of torch 2.8.0 after `manual_seed(0)`, AVX2 kernels: `rand(3)`, `randn(2)`, `randn(17)`,
    /// `randn(2, dtype=float64)`, `randperm(8)`, `randint(0, 100, (5,))`. It crosses from single draws to
    /// blocks with a tail and back.
    #[test]
    fn one_run_of_torch() {
        let source = &mut Generator::new(0);
        let mut uniform = [0.0; 3];
        fill_uniform_f32(source, &mut uniform);
        assert_eq!(bits(&uniform), [0x3efe1558, 0x3f44aa2f, 0x3db533a8]);

        let mut pair = [0.0; 2];
        fill_normal_f32(source, 0.0, 1.0, &mut pair);
        assert_eq!(bits(&pair), [0x3eba8a89, 0x3e099f31]);

        let mut tailed = [0.0; 17];
        fill_normal_f32(source, 0.0, 1.0, &mut tailed);
        #[rustfmt::skip]
        assert_eq!(bits(&tailed), [
            0xc0075fc1, 0x3eefaa55, 0xbe217f5f, 0x3fb8c9db, 0x3e8837a1, 0x3e2a7345, 0x3f5fd77d, 0xbe12eacf,
            0xbde4936f, 0x3f6e8c30, 0x3fa12737, 0x4000519a, 0x3d5c1b3a, 0x3f1e38f6, 0xbed35ad0, 0xbf575006,
            0xc0143a08,
        ]);

        let mut double = [0.0; 2];
        fill_normal_f64(source, 0.0, 1.0, &mut double);
        assert_eq!(double.map(f64::to_bits), [0x3fd7_b487_141f_6310, 0x3ff7_4dd5_ad6b_407c]);

        assert_eq!(randperm(source, 8), [3, 5, 0, 2, 6, 4, 1, 7]);
        let mut integers = [0; 5];
        fill_randint(source, 0, 100, &mut integers);
        assert_eq!(integers, [69, 73, 41, 11, 80]);
    }

    /// torch 2.8.0: `manual_seed(0)`, then `randn(16)`.
    #[test]
    fn one_block_of_torch() {
        let mut out = [0.0; 16];
        fill_normal_f32(&mut Generator::new(0), 0.0, 1.0, &mut out);
        #[rustfmt::skip]
        assert_eq!(bits(&out), [
            0xbf901b85, 0xbf93808a, 0xbe804bd6, 0xbede255d, 0x3f594515, 0x3f312783, 0xbea1cc6d, 0xc0075fc1,
            0x3ea50138, 0xbfa1b4f4, 0x3eb330ff, 0x3e9dc3bb, 0x3df56f77, 0x3f9e6b93, 0x3f8ef28e, 0xbe7d367c,
        ]);
    }

    #[test]
    fn a_spare_crosses_calls_and_dtypes_and_blocks_leave_it() {
        let (mut split, mut whole) = (Generator::new(9), Generator::new(9));
        let (mut three, mut one, mut four) = ([0.0; 3], [0.0; 1], [0.0; 4]);
        fill_normal_f32(&mut split, 0.0, 1.0, &mut three);
        let mut block = [0.0; 16];
        fill_normal_f64(&mut split, 0.0, 1.0, &mut block);
        fill_normal_f64(&mut split, 0.0, 1.0, &mut one);
        fill_normal_f64(&mut whole, 0.0, 1.0, &mut four);
        assert_eq!(three, [four[0] as f32, four[1] as f32, four[2] as f32]);
        assert_eq!(one[0].to_bits(), four[3].to_bits());
    }

    /// Seventeen elements spend 17 + 16 uniforms.
    #[test]
    fn a_tail_is_drawn_afresh() {
        let (mut source, mut counted) = (Generator::new(2), Generator::new(2));
        fill_normal_f32(&mut source, 0.0, 1.0, &mut [0.0; 17]);
        for _ in 0..33 {
            counted.next_u32();
        }
        assert_eq!(source, counted);
    }
}
