//! `erf` and `erfc`.
//!
//! `erf`: an odd polynomial up to 1, `1 - exp(-g(x))` beyond it with `g` a polynomial for `-log(erfc(x))`.
//! `erfc`: `exp(-x^2) v(t) / (x + k)` with `t = (x - k) / (x + k)`, one polynomial for the whole half axis
//! (the mapping of Shepherd and Laframboise, Math. Comp. 36, 1981), and `2 - erfc(-x)` on the other half.
//!
//! `erfcx` and `erfinv` are scalar: branches, and rare.

use super::exp::{exp_bounded_f32, exp_bounded_f64, expm1_poly_f64, reduce_f64, scale_f64};
use std::f64::consts::{FRAC_2_SQRT_PI, PI};

#[inline(always)]
pub(super) fn erf_f32(x: f32) -> f32 {
    let a = x.abs();
    let z = a * a;
    let near = halves!(
        f32, z;
        1.283_791_7e-1, -3.761_262_6e-1, 1.128_359_36e-1, -2.685_411e-2, 5.188_818_6e-3, -8.014_064_5e-4,
        7.865_614e-5
    );
    let b = clamp!(a, 0.0, 4.0);
    let g = halves!(
        f32, b;
        3.004_683e-4, 1.127_251_3, 6.378_833_7e-1, 1.033_270_9e-1, -2.194_029_8e-2, 2.972_407_7e-3,
        -1.888_199_8e-4
    );
    let far = 1.0 - exp_bounded_f32(-g);
    (if a < 1.0 { near.mul_add(a, a) } else { far }).copysign(x)
}

#[inline(always)]
pub(super) fn erf_f64(x: f64) -> f64 {
    let a = x.abs();
    let z = a * a;
    let near = quarters!(
        f64, z;
        0.12837916709551256, -0.37612638903183343, 0.11283791670936826, -0.026866170641926517,
        0.005223977596355332, -8.548325461038068e-4, 1.2055279602199129e-4, -1.4924444952780589e-5,
        1.64438513753839e-6, -1.618136073056719e-7, 1.3603854484946672e-8, -7.581114552981857e-10
    );
    let b = clamp!(a, 0.0, 6.0);
    let g = quarters!(
        f64, b;
        1.505302502260382e-7, 1.1283776139110597, 0.6366271907095911, 0.10275091819835543,
        -0.01908533700270676, -2.7012636069471485e-4, 0.0017575886427920345, -6.313659390743431e-4,
        3.815713855804329e-5, 7.397608868489539e-5, -4.6598308591002906e-5, 1.705171315193556e-5,
        -4.4735443843407974e-6, 8.817047107750618e-7, -1.3075117407192244e-7, 1.4228824816709083e-8,
        -1.0755038590818995e-9, 5.0508661760012045e-11, -1.110330551850207e-12
    );
    let far = 1.0 - exp_bounded_f64(-g);
    (if a < 1.0 { near.mul_add(a, a) } else { far }).copysign(x)
}

/// In `f64`, where `exp(-x^2)` stays normal down to the smallest `f32`.
#[inline(always)]
pub(super) fn erfc_f32(x: f32) -> f32 {
    const K: f64 = 2.0;
    let a = f64::from(clamp!(x.abs(), 0.0, 10.2));
    let inverse = 1.0 / (a + K);
    let v = quarters!(
        f64, (a - K) * inverse;
        1.02158270544689, -0.6871606881581727, 0.27947206999661767, -0.03644208267888871,
        -0.021510210518357314, 0.006477628083100854, 0.0030869011542188907, -8.311925375615149e-4,
        -6.480843217955786e-4, 2.6671745447034097e-5, 1.1523162233221107e-4, 2.8276316933266494e-5
    );
    let value = exp_bounded_f64(-a * a) * (v * inverse);
    (if x < 0.0 { 2.0 - value } else { value }) as f32
}

/// `exp(a^2) erfc(a)` for `a` in `[0, 27.3]`.
#[inline(always)]
fn scaled_erfc(a: f64) -> f64 {
    const K: f64 = 4.0;
    let inverse = 1.0 / (a + K);
    // One Newton step on t (a + K) = a - K, for v is steep next to 0.
    let t = (a - K) * inverse;
    let t = (-a).mul_add(t, (-K).mul_add(1.0 + t, a)).mul_add(inverse, t);
    let v = quarters!(
        f64, t;
        1.095995661000491, -0.976548729080882, 0.7732087022652373, -0.5408538313132351, 0.3308515878779959,
        -0.17401093723992786, 0.07638151490981589, -0.026370053340530587, 0.006112055647920599,
        -2.8095886323161465e-4, -4.55052616666507e-4, 1.768128076507549e-4, -3.6355295534922063e-6,
        -1.8860873279803118e-5, 4.695641531125819e-6, 1.4242814304649934e-6, -8.489386224035196e-7,
        -7.597723752241603e-8, 1.280211932134416e-7, 1.7991622642515573e-9, -1.8603027703036466e-8,
        -8.350013582354803e-10, 2.1056030319354946e-9, 4.17000350290786e-10
    );
    v * inverse
}

#[inline(always)]
pub(super) fn erfc_f64(x: f64) -> f64 {
    let a = clamp!(x.abs(), 0.0, 27.3);
    // The rounding error of the square, up to 2^-44 here, belongs into the exponent.
    let square = a * a;
    let (n, r) = reduce_f64(-square, -a.mul_add(a, -square));
    let factor = scaled_erfc(a);
    let value = scale_f64(expm1_poly_f64(r).mul_add(factor, factor), n);
    if x < 0.0 { 2.0 - value } else { value }
}

/// `exp(x^2) erfc(x)`; scalar.
pub(crate) fn erfcx(x: f64) -> f64 {
    alone!(erfcx_of, x)
}

#[inline(always)]
fn erfcx_of(x: f64) -> f64 {
    let a = x.abs();
    let value = if a <= 27.0 {
        scaled_erfc(a)
    } else {
        // The asymptotic series (Abramowitz and Stegun 7.1.23).
        let z = 0.5 / (a * a);
        let series = horner!(f64, z; 1.0, -1.0, 3.0, -15.0, 105.0, -945.0, 10395.0);
        0.5 * FRAC_2_SQRT_PI * series / a
    };
    if x < 0.0 {
        // The rounding error of the square belongs into the exponent.
        let square = x * x;
        let low = if square.is_finite() { x.mul_add(x, -square) } else { 0.0 };
        return 2.0 * (square.exp() * (1.0 + low)) - value;
    }
    value
}

/// The number with this error function: infinite at -1 and 1, NaN beyond; scalar.
///
/// A first value by Giles, *Approximating the erfinv function* (GPU Computing Gems, Jade edition, 2011), good to
/// single precision, or by the leading term of `erfc` next to 1; then steps of Halley's method on `erf` or, from
/// 1/2 on, on `erfc`, whose relative accuracy carries over.
pub(crate) fn erfinv(x: f64) -> f64 {
    alone!(erfinv_of, x)
}

#[inline(always)]
fn erfinv_of(x: f64) -> f64 {
    let a = x.abs();
    if a >= 1.0 {
        return if a == 1.0 { f64::INFINITY.copysign(x) } else { f64::NAN };
    }
    let w = -((1.0 - a) * (1.0 + a)).ln();
    let mut y = if w < 5.0 {
        a * horner!(
            f64, w - 2.5;
            1.50140941, 0.246640727, -0.00417768164, -0.00125372503, 0.00021858087, -4.39150654e-06, -3.5233877e-06,
            3.43273939e-07, 2.81022636e-08
        )
    } else {
        // The fixed point of erfc(y) = exp(-y^2) / (y sqrt(pi)).
        let log = -(1.0 - a).ln();
        let next = |y: f64| (log - (PI.sqrt() * y).ln()).sqrt();
        next(next(next(log.sqrt())))
    };
    // Each step triples the number of digits: seven from the polynomial, about two from the fixed point.
    for _ in 0..if w < 5.0 { 2 } else { 4 } {
        let excess = if a < 0.5 { erf_f64(y) - a } else { (1.0 - a) - erfc_f64(y) };
        let step = excess / (FRAC_2_SQRT_PI * (-y * y).exp());
        y -= step / y.mul_add(step, 1.0);
    }
    y.copysign(x)
}
