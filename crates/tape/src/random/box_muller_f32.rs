//! The Box-Muller transform of sixteen f32 at a time, rounding for rounding as torch's AVX2 kernel does it.
//!
//! Logarithm, sine and cosine are the polynomials of the Cephes library in their single-precision vector
//! form (Moshier, "Methods and Programs for Mathematical Functions", 1989). Which products are fused into
//! the following sum is a property of torch's published builds, and is reproduced here operation by
//! operation: every `mul_add` below is a fused operation there, every separate product is rounded there.

use super::normal::BLOCK;
use crate::kernel::simd::Kernel;
use std::f32::consts::TAU;

const HALF: usize = BLOCK / 2;

/// Turns whole blocks of uniforms in `[0, 1)` into normals with the given mean and standard deviation. In a
/// block value `j` takes the radius, value `j + 8` the angle; they become its cosine and its sine.
pub(super) struct BoxMuller<'a> {
    pub(super) blocks: &'a mut [[f32; BLOCK]],
    pub(super) mean: f32,
    pub(super) std: f32,
}

impl Kernel for BoxMuller<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for block in self.blocks {
            let (first, second) = block.split_at_mut(HALF);
            for (x, y) in first.iter_mut().zip(second) {
                let radius = (-2.0 * ln(1.0 - *x)).sqrt();
                let (sin, cos) = sin_cos(TAU * *y);
                *x = (radius * cos).mul_add(self.std, self.mean);
                *y = (radius * sin).mul_add(self.std, self.mean);
            }
        }
    }
}

/// Natural logarithm of a positive normal number.
#[inline(always)]
#[allow(clippy::excessive_precision)] // The coefficients as Cephes prints them.
fn ln(u: f32) -> f32 {
    // u = 2^e * m with m in [0.5, 1), then moved to [sqrt(1/2), sqrt(2)) - 1.
    let bits = u.to_bits();
    let exponent = ((bits >> 23) as i32 - 126) as f32;
    let mantissa = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
    let low = mantissa < std::f32::consts::FRAC_1_SQRT_2;
    let e = if low { exponent - 1.0 } else { exponent };
    let m = (mantissa - 1.0) + if low { mantissa } else { 0.0 };

    let z = m * m;
    let mut y = 7.037_683_629_2e-2_f32;
    y = y.mul_add(m, -1.151_461_031_0e-1);
    y = y.mul_add(m, 1.167_699_874_0e-1);
    y = y.mul_add(m, -1.242_014_084_6e-1);
    y = y.mul_add(m, 1.424_932_278_7e-1);
    y = y.mul_add(m, -1.666_805_766_5e-1);
    y = y.mul_add(m, 2.000_071_476_5e-1);
    y = y.mul_add(m, -2.499_999_399_3e-1);
    y = y.mul_add(m, 3.333_333_117_4e-1);
    y *= m;
    // ln 2 in two parts, 0.693359375 - 2.12194440e-4.
    let correction = e * -2.121_944_40e-4;
    y = y.mul_add(z, correction);
    y = (-z).mul_add(0.5, y);
    e.mul_add(0.693_359_375, m + y)
}

/// Sine and cosine of an angle in `[0, 2 pi]`.
#[inline(always)]
#[allow(clippy::excessive_precision)] // The coefficients as Cephes prints them.
fn sin_cos(angle: f32) -> (f32, f32) {
    // The octant, rounded up to an even one, and what is left of the angle in [-pi/4, pi/4].
    let octant = ((angle * 1.273_239_544_735_16) as i32 + 1) & !1;
    let y = octant as f32;
    let mut x = y.mul_add(-0.785_156_25, angle);
    x = y.mul_add(-2.418_756_484_985_351_562_5e-4, x);
    x = y.mul_add(-3.774_894_977_445_941_08e-8, x);
    let z = x * x;

    let mut even = 2.443_315_711_809_948e-5_f32;
    even = even.mul_add(z, -1.388_731_625_493_765e-3);
    even = even.mul_add(z, 4.166_664_568_298_827e-2);
    even *= z;
    even = even.mul_add(z, -(z * 0.5)) + 1.0;

    let mut odd = -1.951_529_589_1e-4_f32;
    odd = odd.mul_add(z, 8.332_160_873_6e-3);
    odd = odd.mul_add(z, -1.666_665_461_1e-1);
    odd *= z;
    odd = odd.mul_add(x, x);

    let swapped = octant & 2 != 0;
    let (sin, cos) = if swapped { (even, odd) } else { (odd, even) };
    // The octant's third bit negates the sine; the cosine changes sign two octants earlier.
    let sin_sign = ((octant & 4) as u32) << 29;
    let cos_sign = ((!(octant - 2) & 4) as u32) << 29;
    (f32::from_bits(sin.to_bits() ^ sin_sign), f32::from_bits(cos.to_bits() ^ cos_sign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::at_every_level;
    use crate::random::{Generator, fill_uniform_f32};

    /// A wrong sign, octant or coefficient shows against the f64 functions of the standard library.
    #[test]
    fn the_polynomials_are_a_logarithm_and_a_sine_and_cosine() {
        for step in 1..=1_000_u32 {
            let u = step as f32 / 1000.0;
            assert!((f64::from(ln(u)) - f64::from(u).ln()).abs() < 2e-7 * (1.0 - f64::from(u).ln()), "ln({u})");
            let angle = TAU * u;
            let (sin, cos) = sin_cos(angle);
            let (want_sin, want_cos) = f64::from(angle).sin_cos();
            assert!((f64::from(sin) - want_sin).abs() < 2e-7, "sin({angle})");
            assert!((f64::from(cos) - want_cos).abs() < 2e-7, "cos({angle})");
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let mut uniforms = vec![0.0; 64 * BLOCK];
        fill_uniform_f32(&mut Generator::new(11), &mut uniforms);
        let mut buffers = [uniforms.clone(), uniforms.clone(), uniforms];
        let mut free = buffers.iter_mut();
        let levels = at_every_level(|| {
            let blocks = free.next().unwrap().as_chunks_mut().0;
            BoxMuller { blocks, mean: 0.25, std: 3.0 }
        });
        let bits = |k: usize| buffers[k].iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        for (k, (level, ())) in levels.iter().enumerate() {
            assert_eq!(bits(k), bits(0), "{level:?}");
        }
    }
}
