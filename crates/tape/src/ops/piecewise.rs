//! Rounding, signs, absolute values and the rectifier: functions with kinks or jumps.

use super::arithmetic::Number;
use super::elementary::Derivative;
use crate::autograd::{Gradients, Op, Rule, gradients, save_output, saves};
use crate::dtype::{dispatch_float, dispatch_number};
use crate::kernel::map::{Binary, Unary};
use crate::op::{fused2, map};
use crate::{DType, Float, Tensor};

/// `max(x, 0)`.
#[derive(Clone, Copy)]
pub(crate) struct Relu;
/// `|x|`.
#[derive(Clone, Copy)]
pub(crate) struct Abs;
/// `-1`, `0` or `1`.
#[derive(Clone, Copy)]
pub(crate) struct Sign;

impl<T: Number> Unary<T> for Relu {
    #[inline(always)]
    fn apply(self, x: T) -> T {
        // Keeps NaN and -0.0.
        if x < T::default() { T::default() } else { x }
    }
}

impl<T: Float> Binary<T> for Derivative<Relu> {
    #[inline(always)]
    fn apply(self, grad: T, y: T) -> T {
        // A NaN lets the gradient through, as in torch's `threshold_backward`.
        if y <= T::ZERO { T::ZERO } else { grad }
    }
}

macro_rules! abs_of_float {
    ($($type:ty),*) => {$(
        impl Unary<$type> for Abs {
            #[inline(always)]
            fn apply(self, x: $type) -> $type {
                x.abs()
            }
        }
    )*};
}
abs_of_float!(f32, f64);

impl Unary<i64> for Abs {
    #[inline(always)]
    fn apply(self, x: i64) -> i64 {
        x.wrapping_abs()
    }
}

impl<T: Number> Unary<T> for Sign {
    #[inline(always)]
    fn apply(self, x: T) -> T {
        // 0 for NaN.
        T::from_i64(i64::from(x > T::default()) - i64::from(x < T::default()))
    }
}

/// `grad * sign(x)`.
impl<T: Float> Binary<T> for Derivative<Abs> {
    #[inline(always)]
    fn apply(self, grad: T, x: T) -> T {
        let sign = if x > T::ZERO { T::ONE } else { T::ZERO };
        grad * if x < T::ZERO { -T::ONE } else { sign }
    }
}

impl Op for Relu {
    fn name(&self) -> &'static str {
        "ReluBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let y = rule.saved(0);
        gradients![rule; fused2(grad, y, Derivative(Relu), || grad.masked_fill(&y.le(0), 0))]
    }
    fn is_flat(&self) -> bool {
        true
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::unary_samples(-2.0, 2.0, |x| x.relu() * x)
    }
}

impl Op for Abs {
    fn name(&self) -> &'static str {
        "AbsBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let x = rule.saved(0);
        gradients![rule; fused2(grad, x, Derivative(Abs), || grad * x.sign())]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::unary_samples(-2.0, 2.0, |x| x.abs() * x)
    }
}

impl Op for Sign {
    fn name(&self) -> &'static str {
        "SignBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.zeros_like()]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::unary_samples(-2.0, 2.0, |x| x.sign() * x)
    }
}

/// Declares roundings to an integer: the method, the operation, torch's name of the node, and the function.
macro_rules! roundings {
    ($($(#[$doc:meta])* fn $method:ident: $op:ident, $node:literal, $function:ident;)+) => {$(
        #[doc = concat!("`", stringify!($method), "` of every element.")]
        #[derive(Clone, Copy)]
        pub(crate) struct $op;

        impl Unary<f32> for $op {
            #[inline(always)]
            fn apply(self, x: f32) -> f32 {
                x.$function()
            }
        }
        impl Unary<f64> for $op {
            #[inline(always)]
            fn apply(self, x: f64) -> f64 {
                x.$function()
            }
        }

        impl Op for $op {
            fn name(&self) -> &'static str {
                $node
            }
            fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
                gradients![rule; grad.zeros_like()]
            }
            #[cfg(test)]
            fn samples() -> Vec<crate::op::Sample> {
                crate::op::unary_samples(-2.0, 2.0, |x| x.$method() * x)
            }
        }

        impl Tensor {
            $(#[$doc])*
            #[track_caller]
            pub fn $method(&self) -> Tensor {
                if self.dtype() == DType::I64 {
                    return self.copy();
                }
                let out = dispatch_float!(stringify!($method), self.dtype(), T => map::<T, T, _>(self, $op));
                out.record(&[self], || $op, |_| saves![])
            }
        }
    )+};
}

roundings! {
    /// The largest integer not above each element. The gradient of all roundings is zero; integers are
    /// copied.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.5, -1.5]).floor().to_vec::<f64>(), [1.0, -2.0]);
    /// ```
    fn floor: Floor, "FloorBackward0", floor;

    /// The smallest integer not below each element.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.5, -1.5]).ceil().to_vec::<f64>(), [2.0, -1.0]);
    /// ```
    fn ceil: Ceil, "CeilBackward0", ceil;

    /// The nearest integer; halves go to the even one.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.5, 1.5, -1.7]).round().to_vec::<f64>(), [0.0, 2.0, -2.0]);
    /// ```
    fn round: Round, "RoundBackward0", round_ties_even;

    /// Each element without its fraction.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.5, -1.5]).trunc().to_vec::<f64>(), [1.0, -1.0]);
    /// ```
    fn trunc: Trunc, "TruncBackward0", trunc;
}

impl Tensor {
    /// The rectifier `max(x, 0)`. The gradient at 0 is 0.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-1.0, 2.0]).relu().to_vec::<f64>(), [0.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is boolean.
    #[track_caller]
    pub fn relu(&self) -> Tensor {
        let out = dispatch_number!("relu", self.dtype(), T => map::<T, T, _>(self, Relu));
        out.record(&[self], || Relu, save_output)
    }

    /// The absolute value. The gradient at 0 (and at NaN) is 0.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-1.5, 2.0]).abs().to_vec::<f64>(), [1.5, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is boolean.
    #[track_caller]
    pub fn abs(&self) -> Tensor {
        let out = dispatch_number!("abs", self.dtype(), T => map::<T, T, _>(self, Abs));
        out.record(&[self], || Abs, |_| saves![self])
    }

    /// 1 for positive elements, -1 for negative ones, 0 for zeros and NaN; the gradient is zero.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-1.5, 0.0, 2.0]).sign().to_vec::<f64>(), [-1.0, 0.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is boolean.
    #[track_caller]
    pub fn sign(&self) -> Tensor {
        if self.dtype() == DType::Bool {
            return self.copy();
        }
        let out = dispatch_number!("sign", self.dtype(), T => map::<T, T, _>(self, Sign));
        out.record(&[self], || Sign, |_| saves![])
    }

    /// The square, `pow(2)`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-1.5, 2.0]).square().to_vec::<f64>(), [2.25, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is boolean.
    #[track_caller]
    pub fn square(&self) -> Tensor {
        self.pow(2)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

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

    #[test]
    fn relu_has_gradient_zero_at_zero_and_one_at_nan() {
        for gradient in gradients(&[0.0, -0.0, NAN, INF, -1.0], Tensor::relu) {
            assert_eq!(gradient, [0.0, 0.0, 1.0, 1.0, 0.0]);
        }
        let y = Tensor::from([-0.0, NAN]).relu().to_vec::<f64>();
        assert!(y[0].is_sign_negative() && y[1].is_nan());
    }

    #[test]
    fn abs_has_gradient_zero_at_zero_and_nan() {
        for gradient in gradients(&[0.0, -0.0, NAN, INF, -INF, -2.0], Tensor::abs) {
            assert_eq!(gradient, [0.0, 0.0, 0.0, 1.0, -1.0, -1.0]);
        }
    }

    #[test]
    fn steps_have_zero_gradient() {
        for f in [Tensor::sign, Tensor::floor, Tensor::ceil, Tensor::round, Tensor::trunc] {
            for gradient in gradients(&[0.0, 0.5, -1.0, NAN, INF], f) {
                assert_eq!(gradient, [0.0; 5]);
            }
        }
    }

    #[test]
    fn halves_round_to_even() {
        let x = Tensor::from([0.5, 1.5, 2.5, -0.5, -0.4, INF, 4503599627370497.5]);
        assert_eq!(x.round().to_vec::<f64>(), [0.0, 2.0, 2.0, -0.0, -0.0, INF, 4503599627370498.0]);
        assert!(x.round().to_vec::<f64>()[3].is_sign_negative());
        assert_eq!(x.sign().to_vec::<f64>(), [1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 1.0]);
        assert_eq!(Tensor::from([NAN, -0.0]).sign().to_vec::<f64>(), [0.0, 0.0]);
    }

    #[test]
    fn integers_keep_their_dtype() {
        let x = Tensor::from([1i64, -2, i64::MIN]);
        assert_eq!(x.relu().to_vec::<i64>(), [1, 0, 0]);
        assert_eq!(x.abs().to_vec::<i64>(), [1, 2, i64::MIN]);
        assert_eq!(x.sign().to_vec::<i64>(), [1, -1, -1]);
        assert_eq!(x.floor().to_vec::<i64>(), [1, -2, i64::MIN]);
        assert_eq!(Tensor::from([3i64]).square().to_vec::<i64>(), [9]);
        assert_eq!(Tensor::from([true, false]).sign().to_vec::<bool>(), [true, false]);
    }

    #[test]
    #[should_panic(expected = "relu: not implemented for dtype bool; convert with to_dtype(DType::I64) first")]
    fn relu_of_booleans_is_refused() {
        Tensor::from([true]).relu();
    }
}
