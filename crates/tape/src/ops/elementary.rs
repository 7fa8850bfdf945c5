//! Exponentials, logarithms, roots and sigmoids, and how functions of one floating-point tensor are declared.

use crate::autograd::{Gradients, Op, Rule, gradients, save_output, saves};
use crate::dtype::dispatch_float;
use crate::kernel::map::{Binary, Unary};
use crate::kernel::vmath::VMath;
use crate::op::{fused2, map};
use crate::{DType, Float, Tensor};
use std::f64::consts::{FRAC_2_SQRT_PI, LN_2, LN_10};

/// The derivative of a function, as a function of elements: the gradient and what was saved.
#[derive(Clone, Copy)]
pub(crate) struct Derivative<F>(pub F);

/// Declares functions of one floating-point tensor. A declaration reads
///
/// ```text
/// /// Documentation of the method.
/// fn tanh: Tanh, "TanhBackward0", VMath::tanh;
///     output, |grad, y| grad * (1.0 - y * y), fused grad * (-y).mul_add(y, 1.0);
///     samples -2.0, 2.0;
/// ```
///
/// with the method, the operation (its type is the function of elements too), torch's name of the backward
/// node, and the function of elements; whether the derivative needs the `input` or the `output`, and its
/// formula; and a range for the gradient checks.
///
/// The formula is compiled with numbers for `grad` and `y`, as one pass over the elements, and with tensors,
/// for derivatives that are differentiated again. Where numbers need another formula it follows as `fused`;
/// `unfused` says that there is none.
macro_rules! elementary {
    ($(
        $(#[$doc:meta])*
        fn $method:ident: $op:ident, $node:literal, $value:expr;
            $saved:ident, |$grad:ident, $kept:ident| $formula:expr $(, $how:ident $($fused:expr)?)?;
            samples $low:literal, $high:literal;
    )+) => {$(
        #[doc = concat!("`", stringify!($method), "` of every element.")]
        #[derive(Clone, Copy)]
        pub(crate) struct $op;

        impl<T: Float + VMath> Unary<T> for $op {
            const COSTLY: bool = true;
            #[inline(always)]
            fn apply(self, x: T) -> T {
                $value(x)
            }
        }

        elementary!(@fused $op, |$grad, $kept| $formula $(, $how $($fused)?)?);

        impl Op for $op {
            fn name(&self) -> &'static str {
                $node
            }
            fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
                let formula = |$grad: &Tensor, $kept: &Tensor| -> Tensor { $formula };
                gradients![rule; elementary!(@apply $op, grad, rule.saved(0), formula $(, $how)?)]
            }
            #[cfg(test)]
            fn samples() -> Vec<crate::op::Sample> {
                crate::op::unary_samples($low, $high, Tensor::$method)
            }
        }

        impl Tensor {
            $(#[$doc])*
            #[track_caller]
            pub fn $method(&self) -> Tensor {
                if !self.dtype().is_floating_point() {
                    return self.to_dtype(DType::F32).$method();
                }
                let out = dispatch_float!(stringify!($method), self.dtype(), T => map::<T, T, _>(self, $op));
                out.record(&[self], || $op, elementary!(@save $saved, self))
            }
        }
    )+};

    (@fused $op:ident, |$grad:ident, $kept:ident| $formula:expr) => {
        elementary!(@fused $op, |$grad, $kept| $formula, fused $formula);
    };
    (@fused $op:ident, |$grad:ident, $kept:ident| $formula:expr, unfused) => {};
    (@fused $op:ident, |$grad:ident, $kept:ident| $formula:expr, fused $fused:expr) => {
        impl Binary<f32> for Derivative<$op> {
            #[inline(always)]
            fn apply(self, $grad: f32, $kept: f32) -> f32 {
                $fused
            }
        }
        impl Binary<f64> for Derivative<$op> {
            #[inline(always)]
            fn apply(self, $grad: f64, $kept: f64) -> f64 {
                $fused
            }
        }
    };

    (@apply $op:ident, $grad:expr, $kept:expr, $formula:ident, unfused) => {
        $formula($grad, $kept)
    };
    (@apply $op:ident, $grad:expr, $kept:expr, $formula:ident $(, fused)?) => {
        fused2($grad, $kept, Derivative($op), || $formula($grad, $kept))
    };

    (@save input, $x:expr) => {
        |_| saves![$x]
    };
    (@save output, $x:expr) => {
        save_output
    };
}
pub(crate) use elementary;

elementary! {
    /// `e` to the power of every element. Integers are converted to `float32` first, here and in all
    /// functions of this family.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, f64::NEG_INFINITY]).exp().to_vec::<f64>(), [1.0, 0.0]);
    /// ```
    fn exp: Exp, "ExpBackward0", VMath::exp;
        output, |grad, y| grad * y;
        samples -2.0, 2.0;

    /// 2 to the power of every element.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([3.0, -1.0]).exp2().to_vec::<f64>(), [8.0, 0.5]);
    /// ```
    fn exp2: Exp2, "Exp2Backward0", VMath::exp2;
        output, |grad, y| grad * y * LN_2, unfused;
        samples -2.0, 2.0;

    /// `e^x - 1` without the cancellation near zero.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1e-20]).expm1().to_vec::<f64>(), [1e-20]);
    /// ```
    fn expm1: Expm1, "Expm1Backward0", VMath::expm1;
        output, |grad, y| grad * (y + 1.0);
        samples -2.0, 2.0;

    /// The natural logarithm; NaN below zero.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 0.0]).log().to_vec::<f64>(), [0.0, f64::NEG_INFINITY]);
    /// ```
    fn log: Log, "LogBackward0", VMath::log;
        input, |grad, x| grad / x;
        samples 0.5, 2.0;

    /// The logarithm to base 2.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([8.0, 0.25]).log2().to_vec::<f64>(), [3.0, -2.0]);
    /// ```
    fn log2: Log2, "Log2Backward0", VMath::log2;
        input, |grad, x| grad / (x * LN_2), unfused;
        samples 0.5, 2.0;

    /// The logarithm to base 10.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1000.0]).log10().to_vec::<f64>(), [3.0]);
    /// ```
    fn log10: Log10, "Log10Backward0", VMath::log10;
        input, |grad, x| grad / (x * LN_10), unfused;
        samples 0.5, 2.0;

    /// `log(1 + x)` without the rounding of `1 + x`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1e-20]).log1p().to_vec::<f64>(), [1e-20]);
    /// ```
    fn log1p: Log1p, "Log1PBackward0", VMath::log1p;
        input, |grad, x| grad / (x + 1.0);
        samples -0.5, 2.0;

    /// The square root, correctly rounded; NaN below zero.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([9.0, 0.25]).sqrt().to_vec::<f64>(), [3.0, 0.5]);
    /// ```
    fn sqrt: Sqrt, "SqrtBackward0", Float::sqrt;
        output, |grad, y| grad / (2.0 * y);
        samples 0.5, 2.0;

    /// `1 / sqrt(x)`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([4.0, 0.25]).rsqrt().to_vec::<f64>(), [0.5, 2.0]);
    /// ```
    fn rsqrt: Rsqrt, "RsqrtBackward0", inverse_sqrt;
        output, |grad, y| -0.5 * grad * (y * y * y);
        samples 0.5, 2.0;

    /// The logistic function `1 / (1 + e^-x)`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let y = Tensor::from([0.0, f64::INFINITY]).sigmoid();
    /// assert_eq!(y.to_vec::<f64>(), [0.5, 1.0]);
    /// ```
    fn sigmoid: Sigmoid, "SigmoidBackward0", VMath::sigmoid;
        output, |grad, y| grad * (1.0 - y) * y;
        samples -2.0, 2.0;

    /// `log(sigmoid(x))`, accurate where the sigmoid has run into zero.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-800.0, 800.0]).logsigmoid().to_vec::<f64>(), [-800.0, 0.0]);
    /// ```
    fn logsigmoid: LogSigmoid, "LogSigmoidBackward0", VMath::logsigmoid;
        input, |grad, x| grad * (-x).sigmoid(), fused grad * VMath::sigmoid(-x);
        samples -2.0, 2.0;

    /// The error function, `2 / sqrt(pi)` times the integral of `e^(-t^2)` from 0 to `x`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, 10.0]).erf().to_vec::<f64>(), [0.0, 1.0]);
    /// ```
    fn erf: Erf, "ErfBackward0", VMath::erf;
        input, |grad, x| FRAC_2_SQRT_PI * (-(x * x)).exp() * grad, unfused;
        samples -2.0, 2.0;

    /// `1 - erf(x)`, accurate where it is small.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert!(Tensor::from([10.0]).erfc().item() > 2e-45);
    /// ```
    fn erfc: Erfc, "ErfcBackward0", VMath::erfc;
        input, |grad, x| -FRAC_2_SQRT_PI * (-(x * x)).exp() * grad, unfused;
        samples -2.0, 2.0;
}

#[inline(always)]
fn inverse_sqrt<T: Float>(x: T) -> T {
    T::ONE / x.sqrt()
}

/// `log(1 + e^(beta x)) / beta`, and `x` itself above a threshold.
#[derive(Clone, Copy)]
pub(crate) struct Softplus {
    beta: f64,
    threshold: f64,
}

impl<T: Float + VMath> Unary<T> for Softplus {
    const COSTLY: bool = true;
    #[inline(always)]
    fn apply(self, x: T) -> T {
        let scaled = x * T::from_f64(self.beta);
        let smooth = scaled.exp().log1p() / T::from_f64(self.beta);
        if scaled > T::from_f64(self.threshold) { x } else { smooth }
    }
}

impl<T: Float + VMath> Binary<T> for Derivative<Softplus> {
    const COSTLY: bool = true;
    #[inline(always)]
    fn apply(self, grad: T, x: T) -> T {
        let scaled = x * T::from_f64(self.0.beta);
        let smooth = grad * scaled.sigmoid();
        if scaled > T::from_f64(self.0.threshold) { grad } else { smooth }
    }
}

impl Op for Softplus {
    fn name(&self) -> &'static str {
        "SoftplusBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let x = rule.saved(0);
        gradients![rule; fused2(grad, x, Derivative(*self), || {
            let scaled = x * self.beta;
            Tensor::where_(&scaled.gt(self.threshold), grad, grad * scaled.sigmoid())
        })]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        let mut samples = crate::op::unary_samples(-2.0, 2.0, |x| x.softplus(1.0, 20.0));
        samples.extend(crate::op::unary_samples(-2.0, 2.0, |x| x.softplus(2.0, 3.0)));
        samples
    }
}

impl Tensor {
    /// `log(1 + e^(beta x)) / beta`, a smooth ramp; elements with `beta x > threshold` are returned as they
    /// are. torch's defaults are `beta` 1 and `threshold` 20.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let y = Tensor::from([0.0, 25.0]).softplus(1.0, 20.0);
    /// assert_eq!(y.to_vec::<f64>(), [2.0_f64.ln(), 25.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn softplus(&self, beta: f64, threshold: f64) -> Tensor {
        let function = Softplus { beta, threshold };
        let out = dispatch_float!("softplus", self.dtype(), T => map::<T, T, _>(self, function));
        out.record(&[self], || function, |_| saves![self])
    }
}

#[cfg(test)]
mod tests {
    use crate::{DType, Tensor};
    use std::f64::consts::LN_2;

    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;

    /// The gradients of the sum of `f` at `x`, in one pass and by the formula.
    fn gradients(x: &[f64], f: impl Fn(&Tensor) -> Tensor) -> [Vec<f64>; 2] {
        [false, true].map(|create_graph| {
            let x = Tensor::from(x).requires_grad_(true);
            let gradient = crate::grad(f(&x).sum(), &x).create_graph(create_graph).compute().unwrap();
            gradient[0].to_vec::<f64>()
        })
    }

    #[track_caller]
    fn assert_gradients(x: &[f64], f: impl Fn(&Tensor) -> Tensor, expected: &[f64]) {
        for found in gradients(x, f) {
            let same = |(a, b): (&f64, &f64)| (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= 1e-15 * b.abs();
            assert!(found.iter().zip(expected).all(same), "{found:?} against {expected:?}");
        }
    }

    // The expected gradients at special points are torch's.

    #[test]
    fn roots_and_logarithms_at_their_poles() {
        assert_gradients(&[0.0, -0.0, -1.0, INF], Tensor::sqrt, &[INF, -INF, NAN, 0.0]);
        assert_gradients(&[0.0, -0.0, -1.0, INF], Tensor::rsqrt, &[-INF, INF, NAN, 0.0]);
        assert_gradients(&[0.0, -0.0, -1.0, INF], Tensor::log, &[INF, -INF, -1.0, 0.0]);
        assert_gradients(&[-1.0, INF], Tensor::log1p, &[INF, 0.0]);
        assert_gradients(&[4.0], Tensor::log2, &[0.25 / LN_2]);
    }

    #[test]
    fn saturated_functions_have_zero_gradient() {
        assert_gradients(&[-INF, INF, NAN], Tensor::sigmoid, &[0.0, 0.0, NAN]);
        assert_gradients(&[-INF, INF, NAN], Tensor::exp, &[0.0, INF, NAN]);
        assert_gradients(&[-INF, -800.0, 800.0], Tensor::logsigmoid, &[1.0, 1.0, 0.0]);
        assert_gradients(&[-INF, 0.0, INF], Tensor::erf, &[0.0, std::f64::consts::FRAC_2_SQRT_PI, 0.0]);
    }

    #[test]
    fn softplus_is_linear_strictly_above_its_threshold() {
        let softplus = |x: &Tensor| x.softplus(1.0, 20.0);
        let x = [0.0, 20.0, 20.5, -800.0, 800.0];
        let y = softplus(&Tensor::from(x)).to_vec::<f64>();
        assert_eq!([y[2], y[3], y[4]], [20.5, 0.0, 800.0]);
        assert!(y[1] > 20.0 && y[1] < 20.0 + 3e-9);
        assert_gradients(&x, softplus, &[0.5, 0.9999999979388464, 1.0, 0.0, 1.0]);
        // beta x reaches the threshold of 3 at 1.5, which is still smooth.
        assert_gradients(&[1.0, 1.5, 1.6], |x| x.softplus(2.0, 3.0), &[0.8807970779778824, 0.9525741268224333, 1.0]);
    }

    #[test]
    fn integers_become_single_precision() {
        let y = Tensor::from([0i64, 1]).exp();
        assert_eq!((y.dtype(), y.i(0).item()), (DType::F32, 1.0));
        assert_eq!(Tensor::from([true, false]).sigmoid().to_vec::<f32>()[1], 0.5);
    }

    #[test]
    #[should_panic(expected = "softplus: not implemented for dtype int64; convert with to_dtype(DType::F32)")]
    fn softplus_of_integers_is_refused() {
        Tensor::from([1i64]).softplus(1.0, 20.0);
    }
}
