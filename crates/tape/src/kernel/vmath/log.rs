//! The logarithms: `log`, `log2`, `log10`, `log1p`.
//!
//! `x = 2^k (1 + f)` with `1 + f` in `[sqrt(1/2), sqrt(2))` and `log(1 + f) = f + h(f)`, `h` from a minimax
//! polynomial in `f` (`f32`) or in `s^2 = (f / (2 + f))^2` (`f64`, the form of fdlibm's `e_log.c`). The sum
//! with the multiple of `k` is compensated, so that only its last addition rounds.

/// A constant as the sum of a high part, whose product with an exponent is exact, and a low part.
type Split<T> = [T; 2];

const LN2_F32: Split<f32> = [0.693_145_75, 1.428_606_8e-6];
const LN2_F64: Split<f64> = [0.6931471805598903, 5.497923018708371e-14];

/// `(k, f)` of a positive normal `x = 2^k (1 + f)`.
#[inline(always)]
fn split_f32(x: f32) -> (f32, f32) {
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let bits = x.to_bits().wrapping_sub(SQRT_HALF);
    let k = (bits as i32) >> 23;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(SQRT_HALF));
    (k as f32, m - 1.0)
}

/// `(k, f)` of a positive normal `x = 2^k (1 + f)`. The exponent becomes a number through the mantissa of
/// `2^52`: AVX2 converts no 64-bit integers.
#[inline(always)]
pub(super) fn split_f64(x: f64) -> (f64, f64) {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const TWO_52: f64 = 4503599627370496.0;
    let bits = x.to_bits().wrapping_sub(SQRT_HALF);
    let biased = bits.wrapping_add(1023 << 52) >> 52;
    let k = f64::from_bits(biased | TWO_52.to_bits()) - (TWO_52 + 1023.0);
    let m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff).wrapping_add(SQRT_HALF));
    (k, m - 1.0)
}

/// `split_f32` for subnormal `x` too.
#[inline(always)]
fn split_any_f32(x: f32) -> (f32, f32) {
    let tiny = x < f32::MIN_POSITIVE;
    let (k, f) = split_f32(x * if tiny { 8388608.0 } else { 1.0 });
    (k - if tiny { 23.0 } else { 0.0 }, f)
}

/// `split_f64` for subnormal `x` too.
#[inline(always)]
pub(super) fn split_any_f64(x: f64) -> (f64, f64) {
    let tiny = x < f64::MIN_POSITIVE;
    let (k, f) = split_f64(x * if tiny { 4503599627370496.0 } else { 1.0 });
    (k - if tiny { 52.0 } else { 0.0 }, f)
}

/// `log(1 + f) - f`.
#[inline(always)]
fn log_rest_f32(f: f32) -> f32 {
    let q = halves!(
        f32, f;
        3.333_331_3e-1, -2.500_001_5e-1, 2.000_207_2e-1, -1.666_764e-1, 1.422_001_3e-1, -1.241_140_4e-1,
        1.189_123_2e-1, -1.164_652e-1, 6.706_606e-2
    );
    (f * f) * q.mul_add(f, -0.5)
}

/// `log(1 + f) - f = s (f^2 / 2 + R) - f^2 / 2` with `s = f / (2 + f)`, `log(1 + f) = 2 s + s R`.
#[inline(always)]
fn log_rest_f64(f: f64) -> f64 {
    let s = f / (2.0 + f);
    let z = s * s;
    let r = z * halves!(
        f64, z;
        0.6666666666666735, 0.39999999999409264, 0.28571428743724264, 0.22222198423058875,
        0.18183572784307395, 0.15313817672325358, 0.1479844222352112
    );
    let half_square = 0.5 * f * f;
    s.mul_add(half_square + r, -half_square)
}

macro_rules! logarithms {
    (
        $t:ident, $log:ident, $log2:ident, $log10:ident, $log1p:ident, $special:ident, $in_base:ident;
        split: $split:ident, split_any: $split_any:ident, rest: $rest:ident, ln2: $ln2:ident,
        log2_e: $log2_e:expr, log10_e: $log10_e:expr, log10_2: $log10_2:expr
    ) => {
        /// `value` where `x` is positive and finite, else what C's `log(x)` gives.
        #[inline(always)]
        fn $special(x: $t, value: $t) -> $t {
            let outside = if x == 0.0 { $t::NEG_INFINITY } else { $t::NAN };
            let value = if x < $t::INFINITY { value } else { x };
            if x > 0.0 { value } else { outside }
        }

        #[inline(always)]
        pub(super) fn $log(x: $t) -> $t {
            let (k, f) = $split_any(x);
            let high = k * $ln2[0];
            let sum = high + f;
            let error = f - (sum - high);
            $special(x, sum + (error + k.mul_add($ln2[1], $rest(f))))
        }

        /// `k * step + (f + rest) * factor`, `step = log_b 2` and `factor = log_b e`.
        #[inline(always)]
        fn $in_base(x: $t, step: Split<$t>, factor: Split<$t>) -> $t {
            let (k, f) = $split_any(x);
            let high = k * step[0];
            let first = f * factor[0];
            let first_error = f.mul_add(factor[0], -first);
            let sum = high + first;
            let error = first - (sum - high);
            let low = k.mul_add(step[1], f.mul_add(factor[1], first_error));
            $special(x, sum + (error + $rest(f).mul_add(factor[0], low)))
        }

        #[inline(always)]
        pub(super) fn $log2(x: $t) -> $t {
            $in_base(x, [1.0, 0.0], $log2_e)
        }

        #[inline(always)]
        pub(super) fn $log10(x: $t) -> $t {
            $in_base(x, $log10_2, $log10_e)
        }

        /// `log(u) + c / u` with `u` the rounded `1 + x` and `c` its rounding error.
        #[inline(always)]
        pub(super) fn $log1p(x: $t) -> $t {
            let u = 1.0 + x;
            let part = u - 1.0;
            let c = (1.0 - (u - part)) + (x - part);
            let (k, f) = $split(u);
            let high = k * $ln2[0];
            let sum = high + f;
            let error = f - (sum - high);
            let low = k.mul_add($ln2[1], $rest(f) + c / u);
            let value = $special(u, sum + (error + low));
            if x == 0.0 { x } else { value }
        }
    };
}

logarithms! {
    f32, log_f32, log2_f32, log10_f32, log1p_f32, special_f32, in_base_f32;
    split: split_f32, split_any: split_any_f32, rest: log_rest_f32, ln2: LN2_F32,
    log2_e: [std::f32::consts::LOG2_E, 1.925_963e-8],
    log10_e: [std::f32::consts::LOG10_E, -1.010_305e-8],
    log10_2: [0.301_025_4, 4.605_039e-6]
}

logarithms! {
    f64, log_f64, log2_f64, log10_f64, log1p_f64, special_f64, in_base_f64;
    split: split_f64, split_any: split_any_f64, rest: log_rest_f64, ln2: LN2_F64,
    log2_e: [std::f64::consts::LOG2_E, 2.0355273740931033e-17],
    log10_e: [std::f64::consts::LOG10_E, 1.098319650216765e-17],
    log10_2: [0.30102999566395283, 2.8363394551044964e-14]
}
