//! Special functions: gamma and its logarithmic derivatives, Bessel, error and normal distribution functions,
//! entropy, sinc, logit.

use super::function::{Derivative, Function, functions};
use crate::Tensor;
use crate::kernel::vmath::{VMath, erfcx, erfinv, i0, i1, polygamma};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};

functions! {
    /// The number with this error function; NaN beyond `[-1, 1]`. Integers are converted to `float32` first,
    /// here and in all functions of this family.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([-0.5, 0.0, 1.0]);
    /// assert!(x.erfinv().erf().allclose(&x, 1e-15, 0.0));
    /// ```
    fn erfinv, "ErfinvBackward0":
        erfinv,
        |grad, x| grad * (x.erfinv().pow(2).exp() * (1.0 / FRAC_2_SQRT_PI));
        samples -0.8, 0.8;

    /// `log |gamma(x)|`; infinite at zero and at the negative integers.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0, 5.0]).lgamma().to_vec::<f64>(), [0.0, 0.0, 24f64.ln()]);
    /// ```
    fn lgamma, "LgammaBackward0":
        VMath::lgamma,
        |grad, x| grad * x.digamma();
        samples 0.3, 4.0;

    /// The logarithmic derivative of the gamma function; NaN at the negative integers.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let minus_euler = Tensor::from([1.0]).digamma();
    /// assert!((minus_euler.item() + 0.5772156649015329).abs() < 1e-15);
    /// ```
    fn digamma, "DigammaBackward0":
        VMath::digamma,
        |grad, x| grad * x.polygamma(1);
        samples 0.5, 4.0;

    /// The normalized sine cardinal, `sin(pi x) / (pi x)`, and 1 at 0.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, 0.5]).sinc().to_vec::<f64>(), [1.0, std::f64::consts::FRAC_2_PI]);
    /// ```
    fn sinc, "SincBackward0":
        |x| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) },
        |grad, x| {
            let angle = x * PI;
            let square = &angle * x;
            let slope = (&angle * angle.cos() - angle.sin()) / &square;
            (grad * slope).masked_fill(&square.eq(0), 0)
        };
        samples 0.3, 2.0;

    /// The modified Bessel function of the first kind of order 0; NaN at infinity.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0]).i0().item(), 1.0);
    /// ```
    fn i0, "I0Backward0":
        i0,
        |grad, x| grad * bessel_i1(x);
        samples -3.0, 3.0;

    /// The terms of an entropy, `-x log(x)`: 0 at 0 and minus infinity below.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let entropy = Tensor::from([0.5, 0.5, 0.0]).entr().sum();
    /// assert_eq!(entropy.item(), std::f64::consts::LN_2);
    /// ```
    fn entr, "SpecialEntrBackward0":
        |x| match x {
            0.0 => 0.0,
            _ if x < 0.0 => f64::NEG_INFINITY,
            _ => -x * x.ln(),
        },
        |grad, x| grad * (-1.0 - x.log());
        samples 0.2, 2.0;

    /// The logarithm of the normal distribution function, accurate where [`ndtr`](Tensor::ndtr) has run into
    /// zero or one.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let tail = Tensor::from([-100.0]).log_ndtr();
    /// assert!((tail.item() + 5005.524208694205).abs() < 1e-12 * 5005.0);
    /// ```
    fn log_ndtr, "SpecialLogNdtrBackward0":
        log_ndtr,
        |grad, x| grad * log_ndtr_slope(x);
        samples -3.0, 2.0;
}

fn log_ndtr(x: f64) -> f64 {
    let t = x * FRAC_1_SQRT_2;
    if x < -1.0 { (0.5 * erfcx(-t)).ln() - t * t } else { (-0.5 * VMath::erfc(t)).ln_1p() }
}

/// The modified Bessel function of order 1.
fn bessel_i1(x: &Tensor) -> Tensor {
    static FUNCTION: Function = Function {
        value: |x, _| i1(x),
        derivative: Derivative {
            node: "SpecialI1Backward0",
            gradient: |grad, x, _| {
                // I1(x) / x, which is 1/2 at 0.
                let zero = x.eq(0);
                let ratio = (bessel_i1(x) / x.masked_fill(&zero, 1)).masked_fill(&zero, 0.5);
                grad * (x.i0() - ratio)
            },
        },
    };
    FUNCTION.of("i1", x, [0.0; 3])
}

/// The derivative of `log_ndtr`, the density of the normal distribution over its distribution function.
fn log_ndtr_slope(x: &Tensor) -> Tensor {
    static FUNCTION: Function = Function {
        value: |x, _| FRAC_1_SQRT_2 * FRAC_2_SQRT_PI / erfcx(-x * FRAC_1_SQRT_2),
        derivative: Derivative { node: "LogNdtrSlopeBackward0", gradient: |grad, x, _| grad * log_ndtr_curvature(x) },
    };
    FUNCTION.of("log_ndtr", x, [0.0; 3])
}

/// The second derivative of `log_ndtr`: `-g (x + g)` of the first one, `g`. As it holds no reciprocal of `g`
/// it is 0 where that underflows.
fn log_ndtr_curvature(x: &Tensor) -> Tensor {
    static FUNCTION: Function = Function {
        value: |x, _| {
            if x < -5.0 {
                // The sum cancels here. It is 1 / (y + 2 / (y + 3 / (y + ...))) for y = -x, by Laplace's continued
                // fraction (Abramowitz and Stegun, 26.2.14), of which this many terms give all digits.
                let excess = 1.0 / (2..24).rev().fold(-x, |rest, term| f64::from(term) / rest - x);
                return -(excess - x) * excess;
            }
            let slope = FRAC_1_SQRT_2 * FRAC_2_SQRT_PI / erfcx(-x * FRAC_1_SQRT_2);
            -slope * (x + slope)
        },
        derivative: Derivative {
            node: "LogNdtrCurvatureBackward0",
            gradient: |grad, x, _| {
                let slope = log_ndtr_slope(x);
                -grad * (log_ndtr_curvature(x) * (x + 2.0 * &slope) + slope)
            },
        },
    };
    FUNCTION.of("log_ndtr", x, [0.0; 3])
}

impl Tensor {
    /// The derivative of order `n` of [`digamma`](Tensor::digamma), `(-1)^(n + 1) n!` times the sum of
    /// `(x + k)^-(n + 1)` over all `k >= 0`; infinite at zero and at the negative integers.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let basel = Tensor::from([1.0]).polygamma(1);
    /// assert!((basel.item() - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-15);
    /// ```
    pub fn polygamma(&self, n: usize) -> Tensor {
        static FUNCTION: Function = Function {
            value: |x, order| polygamma(order[0] as usize, x),
            derivative: Derivative {
                node: "PolygammaBackward0",
                gradient: |grad, x, order| grad * x.polygamma(order[0] as usize + 1),
            },
        };
        FUNCTION.of("polygamma", &self.to_floating(), [n as f64, 0.0, 0.0])
    }

    /// The logarithm of the multivariate gamma function of dimension `p` (Muirhead, *Aspects of Multivariate
    /// Statistical Theory*, theorem 2.1.12): `p (p - 1) / 4 log(pi)` plus the sum of `lgamma(x - j / 2)` over
    /// `j` from 0 to `p - 1`. Meant for elements above `(p - 1) / 2`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([3.0]);
    /// assert_eq!(x.mvlgamma(1).item(), x.lgamma().item());
    /// ```
    ///
    /// # Panics
    /// If `p` is 0.
    #[track_caller]
    pub fn mvlgamma(&self, p: usize) -> Tensor {
        if p == 0 {
            panic!("mvlgamma: p has to be greater than or equal to 1, but got 0");
        }
        let x = self.to_floating();
        let constant = (p * (p - 1)) as f64 / 4.0 * PI.ln();
        (1..p).fold(x.lgamma(), |sum, j| sum + (&x - 0.5 * j as f64).lgamma()) + constant
    }

    /// `log(x / (1 - x))`, the inverse of [`sigmoid`](Tensor::sigmoid), after moving elements into
    /// `[eps, 1 - eps]` if an `eps` is given; without one NaN beyond `[0, 1]`. The gradient of moved elements
    /// is 0.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([0.0, 0.5, 2.0]);
    /// assert_eq!(x.logit(0.25).to_vec::<f64>(), [(0.25f64 / 0.75).ln(), 0.0, 3f64.ln()]);
    /// assert_eq!(x.logit(None).i(0).item(), f64::NEG_INFINITY);
    /// ```
    pub fn logit(&self, eps: impl Into<Option<f64>>) -> Tensor {
        /// The parameters: the lower and the upper limit, and what the gradient is beyond.
        static FUNCTION: Function = Function {
            value: |x, &[low, high, _]| {
                let x = match x {
                    _ if x < low => low,
                    _ if x > high => high,
                    _ => x,
                };
                (x / (1.0 - x)).ln()
            },
            derivative: Derivative {
                node: "LogitBackward0",
                gradient: |grad, x, &[low, high, beyond]| {
                    let (low, high) = if beyond.is_nan() { (0.0, 1.0) } else { (low, high) };
                    let outside = x.lt(low).logical_or(&x.gt(high));
                    // A sum with 0 has no negative zero: the gradient is infinite at -0, too.
                    (grad / (x * (1.0 - x) + 0.0)).masked_fill(&outside, beyond)
                },
            },
        };
        let parameters = match eps.into() {
            Some(eps) => [eps, 1.0 - eps, 0.0],
            None => [f64::NEG_INFINITY, f64::INFINITY, f64::NAN],
        };
        FUNCTION.of("logit", &self.to_floating(), parameters)
    }

    /// The distribution function of the standard normal distribution, `erfc(-x / sqrt(2)) / 2`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, 40.0]).ndtr().to_vec::<f64>(), [0.5, 1.0]);
    /// ```
    pub fn ndtr(&self) -> Tensor {
        (self.to_floating() * -FRAC_1_SQRT_2).erfc() * 0.5
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::op::Sample> {
    use crate::op::unary_samples;
    let mut samples = declared_samples();
    samples.extend(unary_samples(-3.0, 3.0, bessel_i1));
    samples.extend(unary_samples(-2.0, 1.5, log_ndtr_curvature));
    samples.extend(unary_samples(-0.9, -0.3, |x| x.lgamma() + x.digamma()));
    samples.extend(unary_samples(0.6, 3.0, |x| x.polygamma(0)));
    samples.extend(unary_samples(0.6, 3.0, |x| x.polygamma(2)));
    samples.extend(unary_samples(-0.8, -0.3, |x| x.polygamma(3) * 0.01));
    samples.extend(unary_samples(1.2, 4.0, |x| x.mvlgamma(3)));
    samples.extend(unary_samples(0.2, 0.8, |x| x.logit(None)));
    samples.extend(unary_samples(-0.5, 1.5, |x| x.logit(0.1)));
    samples.extend(unary_samples(-2.0, 2.0, Tensor::ndtr));
    samples
}

// Tables of torch's numbers keep their lines.
#[cfg(test)]
#[rustfmt::skip]
mod tests;
