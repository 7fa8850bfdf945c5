//! `sin`, `cos`, `tan` for arguments up to `VMath::TRIG_LIMIT`.
//!
//! `x = n pi/2 + r`, `|r| <= pi/4`, by subtracting the parts of `pi/2` with fused multiply-adds: the first
//! subtraction is exact, because its result is a multiple of `2^-53` below 1. `f32` works in `f64` (the
//! reduction halves its lanes anyway) and rounds once; `f64` keeps `r` as the sum of two numbers, which stays
//! accurate next to every multiple of `pi/2`.

use super::exp::ROUND_F64;

/// `pi/2` as the sum of three `f64`.
const FRAC_PI_2: [f64; 3] = [std::f64::consts::FRAC_PI_2, 6.123233995736766e-17, -1.4973849048591698e-33];

/// Below this an `f32` is its own sine; keeps the sign of zero.
const TINY_F32: f32 = 1e-5;
/// Below this an `f64` is its own sine; keeps the sign of zero.
const TINY_F64: f64 = 1e-9;

/// The quadrant (modulo 4 in the low bits), `sin r` and `cos r`.
#[inline(always)]
fn parts_f32(x: f32) -> (u64, f64, f64) {
    let x = f64::from(x);
    let shifted = x.mul_add(std::f64::consts::FRAC_2_PI, ROUND_F64);
    let n = shifted - ROUND_F64;
    let r = (-n).mul_add(FRAC_PI_2[1], (-n).mul_add(FRAC_PI_2[0], x));
    let z = r * r;
    let s = horner!(f64, z; -0.16666654, 0.008332102, -0.00019506716);
    let c = horner!(f64, z; 1.0, -0.5, 0.041666646, -0.0013887298, 2.4430143e-5);
    (shifted.to_bits(), (r * z).mul_add(s, r), c)
}

/// The quadrant (modulo 4 in the low bits), `sin r` and `cos r`.
#[inline(always)]
fn parts_f64(x: f64) -> (u64, f64, f64) {
    let shifted = x.mul_add(std::f64::consts::FRAC_2_PI, ROUND_F64);
    let n = shifted - ROUND_F64;
    let first = (-n).mul_add(FRAC_PI_2[0], x);
    // r + low = first - n * FRAC_PI_2[1] - n * FRAC_PI_2[2], the difference by Knuth's two-sum.
    let second = n * FRAC_PI_2[1];
    let second_error = n.mul_add(FRAC_PI_2[1], -second);
    let r = first - second;
    let taken = r - first;
    let error = (first - (r - taken)) - (second + taken);
    let low = (-n).mul_add(FRAC_PI_2[2], error - second_error);

    let z = r * r;
    let s = halves!(
        f64, z;
        -0.16666666666666627, 0.008333333333321076, -1.9841269828696416e-4, 2.7557313293909605e-6,
        -2.5050694067466567e-8, 1.5892993437412982e-10
    );
    let half = 0.5 * z;
    let sin = r + (r * z).mul_add(s, (-half).mul_add(low, low));
    let c = halves!(
        f64, z;
        0.04166666666666658, -0.001388888888887097, 2.480158728752801e-5, -2.7557313791583386e-7,
        2.087564749287159e-9, -1.1355744165150975e-11
    );
    let near = 1.0 - half;
    let cos = near + (((1.0 - near) - half) + (z * z).mul_add(c, -(r * low)));
    (shifted.to_bits(), sin, cos)
}

/// `sin` from the parts of its argument.
#[inline(always)]
fn sin_of((n, s, c): (u64, f64, f64)) -> f64 {
    let value = if n & 1 == 0 { s } else { c };
    f64::from_bits(value.to_bits() ^ ((n & 2) << 62))
}

/// `cos` from the parts of its argument.
#[inline(always)]
fn cos_of((n, s, c): (u64, f64, f64)) -> f64 {
    let value = if n & 1 == 0 { c } else { s };
    f64::from_bits(value.to_bits() ^ ((n.wrapping_add(1) & 2) << 62))
}

/// `tan` as `(numerator, denominator)` from the parts of its argument.
#[inline(always)]
fn tan_of((n, s, c): (u64, f64, f64)) -> (f64, f64) {
    let even = n & 1 == 0;
    (if even { s } else { -c }, if even { c } else { s })
}

#[inline(always)]
pub(super) fn sin_f32(x: f32) -> f32 {
    let value = sin_of(parts_f32(x)) as f32;
    if x.abs() < TINY_F32 { x } else { value }
}

#[inline(always)]
pub(super) fn sin_f64(x: f64) -> f64 {
    let value = sin_of(parts_f64(x));
    if x.abs() < TINY_F64 { x } else { value }
}

#[inline(always)]
pub(super) fn cos_f32(x: f32) -> f32 {
    cos_of(parts_f32(x)) as f32
}

#[inline(always)]
pub(super) fn cos_f64(x: f64) -> f64 {
    cos_of(parts_f64(x))
}

#[inline(always)]
pub(super) fn tan_f32(x: f32) -> f32 {
    let (numerator, denominator) = tan_of(parts_f32(x));
    let value = numerator as f32 / denominator as f32;
    if x.abs() < TINY_F32 { x } else { value }
}

#[inline(always)]
pub(super) fn tan_f64(x: f64) -> f64 {
    let (numerator, denominator) = tan_of(parts_f64(x));
    let value = numerator / denominator;
    if x.abs() < TINY_F64 { x } else { value }
}
