//! `lgamma`, `digamma` and `polygamma`, scalar: recurrences and reflection make them branchy, and they are rare.
//! `f32` rounds the `f64` result.

use std::f64::consts::PI;

/// `log |gamma(x)|`.
///
/// Around 1, 1.5 and 2 minimax polynomials (with the zeros at 1 and 2 factored out, so that the result is
/// accurate relatively), the recurrence up to 8, Stirling's series beyond, Euler's reflection below 0.
#[inline(always)]
pub(super) fn lgamma(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let a = x.abs();
    if a == f64::INFINITY || (x <= 0.0 && x.trunc() == x) {
        return f64::INFINITY;
    }
    let value = lgamma_positive(a);
    // gamma(x) gamma(-x) = -pi / (x sin(pi x))
    if x < 0.0 { (PI / (a * sin_pi(a)).abs()).ln() - value } else { value }
}

/// [`lgamma`] for `a > 0`.
#[inline(always)]
fn lgamma_positive(a: f64) -> f64 {
    if a < 8.0 {
        let (mut product, mut b) = (1.0, if a < 0.7 { a + 1.0 } else { a });
        while b >= 2.7 {
            b -= 1.0;
            product *= b;
        }
        let logarithm = if a < 0.7 { -a.ln() } else { product.ln() };
        return logarithm + lgamma_base(b);
    }
    let half_log_two_pi = 0.9189385332046728;
    let z = 1.0 / (a * a);
    let series = horner!(
        f64, z;
        1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360360.0, 1.0 / 156.0
    );
    let stirling = series / a + half_log_two_pi;
    (a - 0.5).mul_add(a.ln(), stirling - a)
}

/// `lgamma` on `[0.7, 2.7]`.
#[inline(always)]
fn lgamma_base(x: f64) -> f64 {
    if x < 1.3 {
        let t = x - 1.0;
        t * horner!(
            f64, t;
            -0.5772156649015329, 0.8224670334241132, -0.4006856343865316, 0.27058080842782517,
            -0.20738555102863035, 0.16955717698769332, -0.14404989677123858, 0.1255096705883515,
            -0.11133426604595471, 0.10009939364676895, -0.0909539908277595, 0.08335613856536218,
            -0.07693383926857404, 0.07138136888560818, -0.06663300417845287, 0.0632259070660126,
            -0.05938914754453196, 0.04940962001028684, -0.047420050696133705, 0.07798300741610754,
            -0.07291445856623292
        )
    } else if x < 1.7 {
        horner!(
            f64, x - 1.5;
            -0.12078223763524522, 0.03648997397857649, 0.4674011002723397, -0.13813277403902938,
            0.05871212641673411, -0.028952081895263323, 0.015435484176902317, -0.008622603181128147,
            0.0049657281368980415, -0.002921015585177695, 0.001745071293196943, -0.0010534591499053098,
            6.42656130534106e-4, -4.195980031531929e-4, 2.607369735287003e-4
        )
    } else {
        let t = x - 2.0;
        t * horner!(
            f64, t;
            0.42278433509846713, 0.3224670334241132, -0.06735230105319805, 0.02058080842778408,
            -0.007385551028680893, 0.0028905103307888553, -0.0011927539113802317, 5.096695224719165e-4,
            -2.2315476419036627e-4, 9.945756904386927e-5, -4.492623361164991e-5, 2.0506513640338477e-5,
            -9.438363712279065e-6, 4.378222835617444e-6, -2.051556938043789e-6, 9.614457575470318e-7,
            -4.17642909525941e-7, 1.3849482247449008e-7, -2.394982322938593e-8
        )
    }
}

/// `sin(pi x)`, exact at the integers.
fn sin_pi(x: f64) -> f64 {
    let n = x.round_ties_even();
    let s = (PI * (x - n)).sin();
    if (0.5 * n).trunc() == 0.5 * n { s } else { -s }
}

/// The logarithmic derivative of the gamma function; torch's values at the poles: an infinity with the sign
/// opposite to that of a zero, NaN at the negative integers.
///
/// The recurrence up to 10, then the asymptotic series (Abramowitz and Stegun 6.3.18); reflection below 0.
pub(super) fn digamma(x: f64) -> f64 {
    if x.abs() < 1e-20 {
        return -1.0 / x;
    }
    if x < 0.0 {
        let n = x.round_ties_even();
        if n == x {
            return f64::NAN;
        }
        // The cotangent has period 1: reduce before multiplying by pi.
        return digamma(1.0 - x) - PI / (PI * (x - n)).tan();
    }
    // The sum is compensated: it cancels against the logarithm around the root at 1.4616.
    let (mut sum, mut low, mut a) = (0.0, 0.0, x);
    while a < 10.0 {
        let term: f64 = 1.0 / a;
        let next = sum + term;
        low += if sum >= term { (sum - next) + term } else { (term - next) + sum };
        sum = next;
        a += 1.0;
    }
    let z = 1.0 / (a * a);
    let series = z * horner!(
        f64, z;
        1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32760.0, 1.0 / 12.0
    );
    (a.ln() - sum) - (0.5 / a + series + low)
}

/// The derivative of order `n` of [`digamma`]: `(-1)^(n + 1) n! zeta(n + 1, x)`; infinite at the poles.
pub(crate) fn polygamma(n: usize, x: f64) -> f64 {
    if n == 0 {
        return digamma(x);
    }
    let factorial: f64 = (2..=n).map(|k| k as f64).product();
    let value = factorial * zeta(n as f64 + 1.0, x);
    if n.is_multiple_of(2) { -value } else { value }
}

/// Hurwitz' zeta function, the sum of `(q + k)^-s`, for integers `s > 1` and every `q`.
fn zeta(s: f64, q: f64) -> f64 {
    if q > 0.0 {
        return zeta_positive(s, q);
    }
    if q.floor() == q {
        return if q.is_finite() { f64::INFINITY } else { f64::NAN };
    }
    // The terms of negative base are those of zeta(s, 1 - fraction) up to 1 - q, with the sign of (-1)^s.
    let fraction = q - q.floor();
    let below = zeta_positive(s, 1.0 - fraction) - zeta_positive(s, 1.0 - q);
    zeta_positive(s, fraction) + if s % 2.0 == 0.0 { below } else { -below }
}

/// [`zeta`] for `q > 0`: some terms, and Euler and Maclaurin's formula for the rest.
fn zeta_positive(s: f64, q: f64) -> f64 {
    // B(2j) / (2j)!
    const COEFFICIENTS: [f64; 12] = [
        1.0 / 12.0,
        -1.0 / 720.0,
        1.0 / 30240.0,
        -1.0 / 1209600.0,
        1.0 / 47900160.0,
        -691.0 / 1307674368000.0,
        1.0 / 74724249600.0,
        -3617.0 / 10670622842880000.0,
        43867.0 / 5109094217170944000.0,
        -174611.0 / 802857662698291200000.0,
        77683.0 / 14101100039391805440000.0,
        -236364091.0 / 1693824136731743669452800000.0,
    ];
    if q == f64::INFINITY {
        return 0.0;
    }
    let (mut sum, mut a) = (0.0, q);
    while a < 10.0 + 0.5 * s {
        let term = a.powf(-s);
        sum += term;
        if term < 1e-19 * sum {
            return sum;
        }
        a += 1.0;
    }
    let power = a.powf(-s);
    let mut rest = power * (a / (s - 1.0) + 0.5);
    let (mut factor, mut rising) = (power * s / a, s);
    for coefficient in COEFFICIENTS {
        rest += coefficient * factor;
        factor *= (rising + 1.0) * (rising + 2.0) / (a * a);
        rising += 2.0;
    }
    sum + rest
}
