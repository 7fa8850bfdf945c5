//! `pow(x, y) = exp(y log |x|)` with C's special cases.
//!
//! `f32` works in `f64`. `f64` carries the logarithm to some 65 bits as the sum of two numbers, since an
//! error in it is multiplied by up to 745.

use super::exp::{ROUND_F64, expm1_poly_f64, reduce_f64, scale_f64};
use super::log::{split_any_f64, split_f64};

/// A number as an unevaluated sum `high + low`.
type Double = (f64, f64);

/// Exponents (natural for `f64`, binary for `f32`) beyond these overflow or underflow for certain.
const F64_EXPONENT_LIMIT: f64 = 800.0;
const F32_EXPONENT_LIMIT: f64 = 300.0;

macro_rules! signed_power {
    ($t:ident, $name:ident) => {
        /// C's `pow` from `magnitude = pow(|x|, y)`, where that already holds for `|x|` of 0 and infinity.
        #[inline(always)]
        fn $name(x: $t, y: $t, magnitude: $t) -> $t {
            let half = 0.5 * y;
            let integer = y.trunc() == y;
            let odd = integer && half.trunc() != half;
            let signed = if x.is_sign_negative() && odd { -magnitude } else { magnitude };
            let outside = x < 0.0 && x > $t::NEG_INFINITY && !integer;
            let value = if outside { $t::NAN } else { signed };
            let value = if x.abs() == 1.0 && y.abs() == $t::INFINITY { 1.0 } else { value };
            let value = if x.is_nan() || y.is_nan() { x + y } else { value };
            if x == 1.0 || y == 0.0 { 1.0 } else { value }
        }
    };
}

signed_power!(f32, signed_power_f32);
signed_power!(f64, signed_power_f64);

/// `value` for positive finite `a`, else the logarithm's limit at 0 or infinity.
#[inline(always)]
fn log_limits(a: f64, value: f64) -> f64 {
    let value = if a == f64::INFINITY { f64::INFINITY } else { value };
    if a == 0.0 { f64::NEG_INFINITY } else { value }
}

/// `log2(a)` to about 42 bits, for an `f32` (whose subnormals are normal here).
#[inline(always)]
fn log2_short(a: f64) -> f64 {
    let (k, f) = split_f64(a);
    let s = f / (2.0 + f);
    let z = s * s;
    let q = halves!(
        f64, z;
        2.0 * std::f64::consts::LOG2_E, 0.9617966940582797, 0.5770779529800212, 0.4122084275986616,
        0.31993357750363827, 0.28255844049278617
    );
    log_limits(a, s.mul_add(q, k))
}

#[inline(always)]
pub(super) fn pow_f32(x: f32, y: f32) -> f32 {
    let exponent = f64::from(y) * log2_short(f64::from(x.abs()));
    let exponent = clamp!(exponent, -F32_EXPONENT_LIMIT, F32_EXPONENT_LIMIT);
    let shifted = exponent + ROUND_F64;
    let r = exponent - (shifted - ROUND_F64);
    let p = halves!(
        f64, r;
        1.0, 0.6931471805472683, 0.2402265069829232, 0.05550410939420763, 0.009618128585925732,
        0.0013333450722577917, 1.5403837461478839e-4, 1.531027887051081e-5, 1.317818881527138e-6
    );
    let n = shifted.to_bits().wrapping_sub(ROUND_F64.to_bits());
    // Within the normal exponents of f64, so one factor does; the conversion rounds once.
    let magnitude = p * f64::from_bits(n.wrapping_add(1023) << 52);
    signed_power_f32(x, y, magnitude as f32)
}

/// `log(a)` as a sum of two numbers: `k ln 2 + 2 s + s^3 (2/3 + s^2 q(s^2))`, `s = f / (2 + f)`, where only
/// `s^2 q` may do with one number.
#[inline(always)]
fn log_double(a: f64) -> Double {
    const LN2: Double = (0.6931471805598903, 5.497923018708371e-14);
    const TWO_THIRDS: Double = (0.6666666666666666, 3.700743415417188e-17);
    let (k, f) = split_any_f64(a);

    let denominator = 2.0 + f;
    let denominator_low = f - (denominator - 2.0);
    let inverse = 1.0 / denominator;
    let s = f * inverse;
    let s_low = (s.mul_add(-denominator, f) - s * denominator_low) * inverse;

    let z = s * s;
    let z_low = s.mul_add(s, -z) + 2.0 * s * s_low;
    let q = halves!(
        f64, z;
        0.40000000000002267, 0.28571428570093554, 0.22222222521100943, 0.18181784256493103,
        0.15386762728329773, 0.13256685862059506, 0.13197604681382907
    );
    let zq = z * q;
    let c = TWO_THIRDS.0 + zq;
    let c_low = (TWO_THIRDS.0 - c) + zq + TWO_THIRDS.1;
    let cube = s * z;
    let cube_low = s.mul_add(z, -cube) + (s * z_low + s_low * z);
    let tail = cube * c;
    let tail_low = cube.mul_add(c, -tail) + (cube * c_low + cube_low * c);

    let twice = 2.0 * s;
    let part = twice + tail;
    let part_low = (twice - part) + tail + (2.0 * s_low + tail_low);
    let multiple = k * LN2.0;
    let sum = multiple + part;
    let low = (multiple - sum) + part + k.mul_add(LN2.1, part_low);
    let high = sum + low;
    (log_limits(a, high), (sum - high) + low)
}

#[inline(always)]
pub(super) fn pow_f64(x: f64, y: f64) -> f64 {
    let (log, log_low) = log_double(x.abs());
    let product = y * log;
    let product_low = y.mul_add(log, -product) + y * log_low;
    // Out of the exponent's range only the sign of the product matters, and its low part may be NaN.
    let inside = product.abs() < F64_EXPONENT_LIMIT;
    let product_low = if inside { product_low } else { 0.0 };
    let (n, r) = reduce_f64(clamp!(product, -F64_EXPONENT_LIMIT, F64_EXPONENT_LIMIT), product_low);
    signed_power_f64(x, y, scale_f64(1.0 + expm1_poly_f64(r), n))
}
