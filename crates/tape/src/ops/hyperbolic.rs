//! Inverse hyperbolic functions.

use super::function::functions;
use crate::Tensor;
use std::f64::consts::LN_2;

/// From here on the square of a number is so large that the 1 beside it is lost.
const LARGE: f64 = 268_435_456.0;

fn asinh(x: f64) -> f64 {
    let a = x.abs();
    let value = if a > LARGE { a.ln() + LN_2 } else { (a + a * a / (1.0 + a.mul_add(a, 1.0).sqrt())).ln_1p() };
    value.copysign(x)
}

fn acosh(x: f64) -> f64 {
    // The square root is NaN below 1.
    let above = x - 1.0;
    if x > LARGE { x.ln() + LN_2 } else { (above + (above * (above + 2.0)).sqrt()).ln_1p() }
}

fn atanh(x: f64) -> f64 {
    let a = x.abs();
    (0.5 * (2.0 * a / (1.0 - a)).ln_1p()).copysign(x)
}

functions! {
    /// The number with this hyperbolic sine, `log(x + sqrt(x^2 + 1))`. Integers are converted to `float32`
    /// first, here and in all functions of this family.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, 1e-20]).asinh().to_vec::<f64>(), [0.0, 1e-20]);
    /// ```
    fn asinh, "AsinhBackward0":
        asinh,
        |grad, x| grad * (x.pow(2) + 1.0).rsqrt();
        samples -2.0, 2.0;

    /// The number that is not negative and has this hyperbolic cosine, `log(x + sqrt(x^2 - 1))`; NaN below 1.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, f64::INFINITY]).acosh().to_vec::<f64>(), [0.0, f64::INFINITY]);
    /// ```
    fn acosh, "AcoshBackward0":
        acosh,
        |grad, x| grad * (x.pow(2) - 1.0).rsqrt();
        samples 1.2, 3.0;

    /// The number with this hyperbolic tangent, `log((1 + x) / (1 - x)) / 2`; NaN beyond `[-1, 1]`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, 1.0]).atanh().to_vec::<f64>(), [0.0, f64::INFINITY]);
    /// ```
    fn atanh, "AtanhBackward0":
        atanh,
        |grad, x| grad * (1.0 - x.pow(2)).reciprocal();
        samples -0.8, 0.8;
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::op::Sample> {
    declared_samples()
}

#[cfg(test)]
mod tests;
