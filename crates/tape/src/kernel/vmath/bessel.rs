//! The modified Bessel functions of orders 0 and 1, scalar.
//!
//! Up to 22 the power series (Abramowitz and Stegun 9.6.10), whose terms have one sign; beyond, the asymptotic
//! series (9.7.1), whose smallest term there is below the rounding error.

use std::f64::consts::TAU;

/// From here on the asymptotic series is exact to double precision.
const LARGE: f64 = 22.0;

/// The sum of `(x/2)^2k / (k! (k + order)!)`.
fn series(x: f64, order: f64) -> f64 {
    let quarter = 0.25 * x * x;
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > 1e-17 * sum {
        term *= quarter / (k * (k + order));
        sum += term;
        k += 1.0;
    }
    sum
}

/// `I(x)` for large `x`; NaN at infinity, as in torch.
fn asymptotic(x: f64, order: f64) -> f64 {
    let mu = 4.0 * order * order;
    let (mut term, mut sum, mut k) = (1.0f64, 1.0, 1.0);
    while term.abs() > 1e-17 && k < 2.0 * LARGE {
        let odd = 2.0 * k - 1.0;
        term *= (odd * odd - mu) / (8.0 * k * x);
        sum += term;
        k += 1.0;
    }
    // The exponential alone would overflow before the function does.
    let root = (0.5 * x).exp();
    root * (sum / (TAU * x).sqrt()) * root
}

/// The modified Bessel function of the first kind of order 0.
pub(crate) fn i0(x: f64) -> f64 {
    let a = x.abs();
    if a < LARGE { series(a, 0.0) } else { asymptotic(a, 0.0) }
}

/// The modified Bessel function of the first kind of order 1.
pub(crate) fn i1(x: f64) -> f64 {
    let a = x.abs();
    let value = if a < LARGE { 0.5 * a * series(a, 1.0) } else { asymptotic(a, 1.0) };
    if x < 0.0 { -value } else { value }
}
