//! Products with logarithms, and logarithms of sums of exponentials, of two tensors.

use super::function::{PairFunction, Slope, operands};
use crate::Tensor;
use crate::op::{Operand, promoted};
use std::f64::consts::LN_2;

static XLOGY: PairFunction = PairFunction {
    value: |x, y| match x {
        _ if y.is_nan() => y,
        0.0 => 0.0,
        _ => x * y.ln(),
    },
    integers: None,
    derivatives: [
        Slope::Of(|grad, x, y| grad.xlogy(y).masked_fill(&x.eq(0).logical_and(&y.le(0)), 0)),
        Slope::Of(|grad, x, y| grad * x / y),
    ],
};

static XLOG1PY: PairFunction = PairFunction {
    value: |x, y| match x {
        _ if y.is_nan() => y,
        0.0 => 0.0,
        _ => x * y.ln_1p(),
    },
    integers: None,
    derivatives: [
        Slope::Of(|grad, x, y| grad.xlog1py(y).masked_fill(&x.eq(0).logical_and(&y.le(-1)), 0)),
        Slope::Of(|grad, x, y| grad * x / (y + 1.0)),
    ],
};

static LOGADDEXP: PairFunction = PairFunction {
    value: |a, b| match (a, b) {
        // The difference of equal infinities is NaN.
        _ if a == b => a + LN_2,
        _ => larger(a, b) + (-(a - b).abs()).exp().ln_1p(),
    },
    integers: None,
    derivatives: [Slope::Of(|grad, a, b| grad * (a - b).sigmoid()), Slope::Of(|grad, a, b| grad * (b - a).sigmoid())],
};

static LOGADDEXP2: PairFunction = PairFunction {
    value: |a, b| match (a, b) {
        _ if a == b => a + 1.0,
        _ => larger(a, b) + (-(a - b).abs()).exp2().ln_1p() / LN_2,
    },
    integers: None,
    derivatives: [
        Slope::Of(|grad, a, b| grad * ((a - b) * LN_2).sigmoid()),
        Slope::Of(|grad, a, b| grad * ((b - a) * LN_2).sigmoid()),
    ],
};

/// The larger number, or NaN.
fn larger(a: f64, b: f64) -> f64 {
    if a > b || a.is_nan() { a } else { b }
}

/// torch's name of a node, which depends on whether the other operand is a number.
fn node(other: &Operand<'_>, tensor: &'static str, number: &'static str) -> &'static str {
    match other {
        Operand::Tensor(_) => tensor,
        Operand::Scalar(_) => number,
    }
}

impl Tensor {
    /// `self * log(other)` under broadcasting; 0 where `self` is 0 unless `other` is NaN. `other` is a tensor or
    /// a number; integers are converted to `float32`.
    ///
    /// Where `self` is 0 and `other` is not positive its gradient is 0.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([0.0, 2.0]);
    /// assert_eq!(x.xlogy(&x).to_vec::<f64>(), [0.0, 2.0 * 2f64.ln()]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn xlogy<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        let other = other.into();
        let node = node(&other, "XlogyBackward0", "XlogyBackward2");
        let (x, y) = operands(self, other);
        XLOGY.of("xlogy", node, &x.to_floating(), &y.to_floating())
    }

    /// `self * log(1 + other)` under broadcasting; 0 where `self` is 0 unless `other` is NaN. `other` is a
    /// tensor or a number; integers are converted to `float32`.
    ///
    /// Where `self` is 0 and `other` is not above -1 its gradient is 0.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let y = Tensor::from([0.0, 2.0]).xlog1py(&Tensor::from([-1.0, 1e-20]));
    /// assert_eq!(y.to_vec::<f64>(), [0.0, 2e-20]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn xlog1py<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        let other = other.into();
        let node = node(&other, "SpecialXlog1PyBackward0", "SpecialXlog1PyBackward2");
        let (x, y) = operands(self, other);
        XLOG1PY.of("xlog1py", node, &x.to_floating(), &y.to_floating())
    }

    /// `log(exp(self) + exp(other))` under broadcasting, without overflow.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1000.0, f64::NEG_INFINITY]);
    /// assert_eq!(x.logaddexp(&Tensor::from([0.0, 2.0])).to_vec::<f64>(), [1000.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If a dtype is not floating point or the shapes do not broadcast.
    #[track_caller]
    pub fn logaddexp(&self, other: &Tensor) -> Tensor {
        let (a, b) = promoted(self, other);
        LOGADDEXP.of("logaddexp", "LogaddexpBackward0", &a, &b)
    }

    /// The logarithm to base 2 of `2^self + 2^other` under broadcasting, without overflow.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([5000.0]).logaddexp2(&Tensor::from([5000.0])).item(), 5001.0);
    /// ```
    ///
    /// # Panics
    /// If a dtype is not floating point or the shapes do not broadcast.
    #[track_caller]
    pub fn logaddexp2(&self, other: &Tensor) -> Tensor {
        let (a, b) = promoted(self, other);
        LOGADDEXP2.of("logaddexp2", "Logaddexp2Backward0", &a, &b)
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::op::Sample> {
    use crate::op::{binary_samples, unary_samples};
    let mut samples = binary_samples(|x| x[0].xlogy(&(&x[1] + 2.5)));
    samples.extend(binary_samples(|x| x[0].xlog1py(&(&x[1] + 1.5))));
    samples.extend(binary_samples(|x| x[0].logaddexp(&x[1])));
    samples.extend(binary_samples(|x| x[0].logaddexp2(&(&x[1] * &x[1]))));
    samples.extend(unary_samples(-2.0, 2.0, |x| (x * x).xlogy(1.5) + (x * x).xlog1py(2)));
    samples
}

// Tables of torch's numbers keep their lines.
#[cfg(test)]
#[rustfmt::skip]
mod tests;
