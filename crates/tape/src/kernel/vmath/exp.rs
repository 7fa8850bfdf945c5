//! The exponential family: `exp`, `exp2`, `expm1`, `sinh`, `cosh`, `tanh`, `sigmoid`, `logsigmoid`.
//!
//! All start from `x = n ln 2 + r` with `|r| <= ln 2 / 2` (Cody and Waite, with fused multiply-adds, so that
//! the first subtraction is exact) and `exp(r) = 1 + r + r^2 q(r)`.

/// `1.5 * 2^23`: adding it rounds to the nearest integer, which then sits in the low bits.
pub(super) const ROUND_F32: f32 = 12582912.0;
/// `1.5 * 2^52`, the same for `f64`.
pub(super) const ROUND_F64: f64 = 6755399441055744.0;

/// `ln 2` as the sum of two `f32`.
const LN2_F32: [f32; 2] = [std::f32::consts::LN_2, -1.904_654_2e-9];
/// `ln 2` as the sum of two `f64`.
const LN2_F64: [f64; 2] = [std::f64::consts::LN_2, 2.3190468138462996e-17];

/// `(n, r)` of `x = n ln 2 + r`; `n` is a small two's complement number.
#[inline(always)]
fn reduce_f32(x: f32) -> (u32, f32) {
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND_F32);
    let n = shifted - ROUND_F32;
    let r = (-n).mul_add(LN2_F32[1], (-n).mul_add(LN2_F32[0], x));
    (shifted.to_bits().wrapping_sub(ROUND_F32.to_bits()), r)
}

/// `(n, r)` of `x + low = n ln 2 + r`; `n` is a small two's complement number.
#[inline(always)]
pub(super) fn reduce_f64(x: f64, low: f64) -> (u64, f64) {
    let shifted = x.mul_add(std::f64::consts::LOG2_E, ROUND_F64);
    let n = shifted - ROUND_F64;
    let r = (-n).mul_add(LN2_F64[0], x) + (-n).mul_add(LN2_F64[1], low);
    (shifted.to_bits().wrapping_sub(ROUND_F64.to_bits()), r)
}

/// `exp(r) - 1` for `|r| <= ln 2 / 2`.
#[inline(always)]
fn expm1_poly_f32(r: f32) -> f32 {
    let q = halves!(f32, r; 4.999_999_4e-1, 1.666_651_7e-1, 4.166_810_2e-2, 8.369_28e-3, 1.383_568_5e-3);
    (r * r).mul_add(q, r)
}

/// `exp(r) - 1` for `|r| <= ln 2 / 2`.
#[inline(always)]
pub(super) fn expm1_poly_f64(r: f64) -> f64 {
    let q = quarters!(
        f64, r;
        0.5, 0.16666666666666682, 0.041666666666666394, 0.008333333333317353, 0.0013888888889042035,
        1.9841269896375452e-4, 2.4801587011445622e-5, 2.755723430716197e-6, 2.755753384643758e-7,
        2.5112377981648973e-8, 2.083762196950311e-9
    );
    (r * r).mul_add(q, r)
}

/// `2^n` for `n` within the normal exponents.
#[inline(always)]
fn pow2_f32(n: u32) -> f32 {
    f32::from_bits(n.wrapping_add(127) << 23)
}

/// `2^n` for `n` within the normal exponents.
#[inline(always)]
fn pow2_f64(n: u64) -> f64 {
    f64::from_bits(n.wrapping_add(1023) << 52)
}

/// `p * 2^n` where the result may overflow or be subnormal: two factors, of which only the last rounds.
#[inline(always)]
fn scale_f32(p: f32, n: u32) -> f32 {
    let both = n.wrapping_add(2 * 127);
    let half = both >> 1;
    p * f32::from_bits(half << 23) * f32::from_bits(both.wrapping_sub(half) << 23)
}

/// `p * 2^n` where the result may overflow or be subnormal: two factors, of which only the last rounds.
#[inline(always)]
pub(super) fn scale_f64(p: f64, n: u64) -> f64 {
    let both = n.wrapping_add(2 * 1023);
    let half = both >> 1;
    p * f64::from_bits(half << 52) * f64::from_bits(both.wrapping_sub(half) << 52)
}

/// `exp(x)` where neither the result nor its factor `2^n` leaves the normal range.
#[inline(always)]
pub(super) fn exp_bounded_f32(x: f32) -> f32 {
    let (n, r) = reduce_f32(x);
    (1.0 + expm1_poly_f32(r)) * pow2_f32(n)
}

/// `exp(x)` where neither the result nor its factor `2^n` leaves the normal range.
#[inline(always)]
pub(super) fn exp_bounded_f64(x: f64) -> f64 {
    let (n, r) = reduce_f64(x, 0.0);
    (1.0 + expm1_poly_f64(r)) * pow2_f64(n)
}

macro_rules! exponentials {
    (
        $t:ident, $exp:ident, $exp2:ident, $expm1:ident, $sinh:ident, $cosh:ident, $tanh:ident,
        $sigmoid:ident, $logsigmoid:ident;
        reduce: $reduce:expr, expm1_poly: $expm1_poly:ident, pow2: $pow2:ident, scale: $scale:ident,
        bounded: $bounded:ident, round: $round:ident,
        exp: [$exp_low:expr, $exp_high:expr], exp2: [$exp2_low:expr, $exp2_high:expr],
        expm1_low: $expm1_low:expr, hyperbolic_high: $hyperbolic_high:expr, tiny: $tiny:expr,
        tanh: [$tanh_poly_limit:expr, $tanh_one:expr], tanh_poly: [$($tanh_poly:expr),+],
        exp2_poly: [$($exp2_poly:expr),+], log1p_poly: [$($log1p_poly:expr),+]
    ) => {
        #[inline(always)]
        pub(super) fn $exp(x: $t) -> $t {
            let (n, r) = $reduce(clamp!(x, $exp_low, $exp_high));
            $scale(1.0 + $expm1_poly(r), n)
        }

        #[inline(always)]
        pub(super) fn $exp2(x: $t) -> $t {
            let x = clamp!(x, $exp2_low, $exp2_high);
            let shifted = x + $round;
            let r = x - (shifted - $round);
            let n = shifted.to_bits().wrapping_sub($round.to_bits());
            $scale(halves!($t, r; $($exp2_poly),+).mul_add(r, 1.0), n)
        }

        /// `2^n (exp(r) - 1) + (2^n - 1)`, computed halved because `2^n` itself may overflow.
        #[inline(always)]
        pub(super) fn $expm1(x: $t) -> $t {
            let (n, r) = $reduce(clamp!(x, $expm1_low, $exp_high));
            let scale = $pow2(n.wrapping_sub(1));
            let value = 2.0 * $expm1_poly(r).mul_add(scale, scale - 0.5);
            if x.abs() < $tiny { x } else { value }
        }

        /// With `E = expm1(|x|)`: `(E + E / (E + 1)) / 2`, computed from `E / 4`, which cannot overflow.
        #[inline(always)]
        pub(super) fn $sinh(x: $t) -> $t {
            let a = x.abs();
            let (n, r) = $reduce(clamp!(a, 0.0, $hyperbolic_high));
            let scale = $pow2(n.wrapping_sub(2));
            let quarter = $expm1_poly(r).mul_add(scale, scale - 0.25);
            let half = 2.0 * quarter;
            let second = half / (4.0 * quarter + 1.0);
            let value = if a > 44.0 { half } else { half + second };
            if a < $tiny { x } else { value.copysign(x) }
        }

        /// `h + 1 / (4 h)` with `h = exp(|x|) / 2`.
        #[inline(always)]
        pub(super) fn $cosh(x: $t) -> $t {
            let (n, r) = $reduce(clamp!(x.abs(), 0.0, $hyperbolic_high));
            let scale = $pow2(n.wrapping_sub(2));
            let half = 2.0 * $expm1_poly(r).mul_add(scale, scale);
            half + 0.25 / half
        }

        /// An odd polynomial near 0, `1 - 2 / (exp(2|x|) + 1)` beyond it, where the subtraction is benign.
        #[inline(always)]
        pub(super) fn $tanh(x: $t) -> $t {
            let a = x.abs();
            let far = 1.0 - 2.0 / ($bounded(2.0 * clamp!(a, 0.0, $tanh_one)) + 1.0);
            let z = a * a;
            let near = (z * halves!($t, z; $($tanh_poly),+)).mul_add(a, a);
            (if a < $tanh_poly_limit { near } else { far }).copysign(x)
        }

        /// `1 / (1 + e)` or `e / (1 + e)` with `e = exp(-|x|)`, which keeps small results to full relative
        /// accuracy; the rounding error of `1 + e` and of the quotient is taken back in one correction.
        #[inline(always)]
        pub(super) fn $sigmoid(x: $t) -> $t {
            let e = $exp(-x.abs());
            let sum = 1.0 + e;
            let sum_error = e - (sum - 1.0);
            let inverse = 1.0 / sum;
            let numerator = if x < 0.0 { e } else { 1.0 };
            let quotient = numerator * inverse;
            let rest = quotient.mul_add(-sum, numerator) - quotient * sum_error;
            rest.mul_add(inverse, quotient)
        }

        /// `min(x, 0) - log1p(e)` with `e = exp(-|x|)` in `[0, 1]`: there `log1p(e) = 2 atanh(e / (2 + e))`
        /// needs no range reduction.
        #[inline(always)]
        pub(super) fn $logsigmoid(x: $t) -> $t {
            let e = $exp(-x.abs());
            let twice = 2.0 * e / (2.0 + e);
            let z = 0.25 * twice * twice;
            let log1p = (twice * z).mul_add(halves!($t, z; $($log1p_poly),+), twice);
            (if x < 0.0 { x } else { 0.0 }) - log1p
        }
    };
}

exponentials! {
    f32, exp_f32, exp2_f32, expm1_f32, sinh_f32, cosh_f32, tanh_f32, sigmoid_f32, logsigmoid_f32;
    reduce: reduce_f32, expm1_poly: expm1_poly_f32, pow2: pow2_f32, scale: scale_f32,
    bounded: exp_bounded_f32, round: ROUND_F32,
    exp: [-104.0, 89.0], exp2: [-151.0, 129.0],
    expm1_low: -18.0, hyperbolic_high: 89.6, tiny: 1e-8,
    tanh: [0.625, 10.0],
    tanh_poly: [
        -3.333_333e-1, 1.333_322_2e-1, -5.394_847_3e-2, 2.170_882_2e-2, -8.195_276e-3, 2.157_811_3e-3
    ],
    exp2_poly: [
        std::f32::consts::LN_2, 2.402_265e-1, 5.550_405_4e-2, 9.618_068e-3, 1.333_753_5e-3, 1.545_776_8e-4,
        1.444_397_6e-5
    ],
    log1p_poly: [3.333_333_7e-1, 1.999_947_3e-1, 1.430_766_1e-1, 1.072_118_9e-1, 1.212_594_6e-1]
}

exponentials! {
    f64, exp_f64, exp2_f64, expm1_f64, sinh_f64, cosh_f64, tanh_f64, sigmoid_f64, logsigmoid_f64;
    reduce: |x| reduce_f64(x, 0.0), expm1_poly: expm1_poly_f64, pow2: pow2_f64, scale: scale_f64,
    bounded: exp_bounded_f64, round: ROUND_F64,
    exp: [-746.0, 710.0], exp2: [-1076.0, 1025.0],
    expm1_low: -38.0, hyperbolic_high: 710.6, tiny: 1e-17,
    tanh: [0.55, 20.0],
    tanh_poly: [
        -0.333333333333333, 0.1333333333332656, -0.05396825396371512, 0.02186948838427222,
        -0.008863232571173968, 0.0035920916835504523, -0.001455540360763162, 5.884332760760918e-4,
        -2.333506397726984e-4, 8.326881356202435e-5, -1.9463313166959246e-5
    ],
    exp2_poly: [
        std::f64::consts::LN_2, 0.2402265069591007, 0.05550410866482347, 0.00961812910762972,
        0.0013333558145995292, 1.5403530390638377e-4, 1.5252734214510601e-5, 1.3215489262790533e-6,
        1.0177909420573475e-7, 7.0539334040912586e-9, 4.4770456391700704e-10, 2.710561210467858e-11
    ],
    log1p_poly: [
        0.3333333333333315, 0.2000000000008004, 0.14285714273736477, 0.1111111199733266, 0.09090871503229149,
        0.0769329013248532, 0.06650348564703903, 0.060541711332457525, 0.04164980103249856, 0.0851893518216327
    ]
}
