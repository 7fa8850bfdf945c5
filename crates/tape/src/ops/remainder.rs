//! Remainders and quotients of divisions that give whole numbers.

use super::function::{PairFunction, Slope, operands};
use crate::autograd::no_grad;
use crate::op::Operand;
use crate::{DType, Tensor};

static FMOD: PairFunction = PairFunction {
    value: |a, b| a % b,
    integers: Some(i64::wrapping_rem),
    derivatives: [Slope::One, Slope::Of(|grad, a, b| -grad * no_grad(|| (a / b).trunc()))],
};

static REMAINDER: PairFunction = PairFunction {
    value: |a, b| {
        let rest = a % b;
        if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
    },
    integers: Some(|a, b| {
        let rest = a.wrapping_rem(b);
        if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
    }),
    derivatives: [Slope::One, Slope::Of(|grad, a, b| -grad * no_grad(|| a.floor_divide(b)))],
};

static FLOOR_DIVIDE: PairFunction = PairFunction {
    value: floor_divide,
    integers: Some(|a, b| {
        let quotient = a.wrapping_div(b);
        if a.wrapping_rem(b) != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient }
    }),
    derivatives: [Slope::Zero, Slope::Zero],
};

/// The quotient that belongs to the remainder with the divisor's sign, as Python's `//`: `floor(a / b)` would
/// be one too large where `a / b` rounds up to a whole number.
fn floor_divide(a: f64, b: f64) -> f64 {
    if b == 0.0 {
        return a / b;
    }
    let rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest != 0.0 && (b < 0.0) != (rest < 0.0) {
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return 0f64.copysign(a / b);
    }
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}

/// The function of a tensor and a tensor or number, with torch's names of the node for each.
#[track_caller]
fn divide(
    function: &'static PairFunction,
    op: &str,
    [number, tensor]: [&'static str; 2],
    x: &Tensor,
    other: Operand<'_>,
) -> Tensor {
    let node = if matches!(other, Operand::Scalar(_)) { number } else { tensor };
    let (a, b) = operands(x, other);
    if b.dtype() == DType::I64 && b.logical_not().any().item_as::<bool>() {
        panic!("{op}: ZeroDivisionError: an integer divisor is zero; convert with double() for NaN instead");
    }
    function.of(op, node, &a, &b)
}

impl Tensor {
    /// The remainder of `self / other` with the sign of `self`, C's `fmod`, elementwise under broadcasting.
    /// `other` is a tensor or a number. NaN where `other` is zero or `self` is infinite.
    ///
    /// The gradient is 1 for `self` and `-trunc(self / other)` for `other`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-3.5, 3.5]).fmod(2).to_vec::<f64>(), [-1.5, 1.5]);
    /// ```
    ///
    /// # Panics
    /// If an integer divisor is zero, both are boolean, or the shapes do not broadcast.
    #[track_caller]
    pub fn fmod<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        divide(&FMOD, "fmod", ["FmodBackward0", "FmodBackward1"], self, other.into())
    }

    /// The remainder of `self / other` with the sign of `other`, Python's `%`, elementwise under broadcasting.
    /// `other` is a tensor or a number. NaN where `other` is zero or `self` is infinite.
    ///
    /// The gradient is 1 for `self` and `-floor(self / other)` for `other`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-3.5, 3.5]).remainder(2).to_vec::<f64>(), [0.5, 1.5]);
    /// assert_eq!(Tensor::from([-7i64, 7]).remainder(-4).to_vec::<i64>(), [-3, -1]);
    /// ```
    ///
    /// # Panics
    /// If an integer divisor is zero, both are boolean, or the shapes do not broadcast.
    #[track_caller]
    pub fn remainder<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        divide(&REMAINDER, "remainder", ["RemainderBackward0", "RemainderBackward1"], self, other.into())
    }

    /// `self / other` rounded down to a whole number, Python's `//`, elementwise under broadcasting; integers
    /// stay integers. `other` is a tensor or a number. The gradient is zero.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-7i64, 7]).floor_divide(2).to_vec::<i64>(), [-4, 3]);
    /// assert_eq!(Tensor::from([-7.5, 7.5]).floor_divide(2).to_vec::<f64>(), [-4.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If an integer divisor is zero, both are boolean, or the shapes do not broadcast.
    #[track_caller]
    pub fn floor_divide<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        divide(&FLOOR_DIVIDE, "floor_divide", ["FloorDivideBackward0"; 2], self, other.into())
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::op::Sample> {
    use crate::op::{binary_samples, unary_samples};
    let mut samples = binary_samples(|x| (&x[0] * 3.0).fmod(&(&x[1] + 2.5)) * &x[0]);
    samples.extend(binary_samples(|x| (&x[0] * 3.0).remainder(&(&x[1] + 2.5)) * &x[0]));
    samples.extend(binary_samples(|x| (&x[0] * 3.0).floor_divide(&(&x[1] + 2.5)) * &x[0]));
    samples.extend(unary_samples(-2.0, 2.0, |x| x.fmod(0.7) * x + x.remainder(0.7) * x + x.floor_divide(-0.7) * x));
    samples
}

#[cfg(test)]
mod tests;
