//! Activations that training spends its time in: one pass over the elements for the value, one for the first
//! derivative. Derivatives of higher order are those of the formula in tensor operations.

use super::elementary::Derivative;
use crate::autograd::{Gradients, Op, Rule, gradients, is_grad_enabled, saves};
use crate::dtype::dispatch_float;
use crate::kernel::map::{Binary, Unary, binary_in_place};
use crate::kernel::vmath::VMath;
use crate::op::map;
use crate::{DType, Float, Scalar, Tensor};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

pub(crate) mod piecewise;

/// The density of the normal distribution at 0, `1 / sqrt(2 pi)`.
const DENSITY: f64 = 0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI;
/// `sqrt(2 / pi)` and the cubic term of the approximation of [`GeluTanh`].
const SLOPE: f64 = FRAC_1_SQRT_2 * FRAC_2_SQRT_PI;
const CUBIC: f64 = 0.044715;

/// Declares activations. A declaration reads
///
/// ```text
/// /// `x` above zero, `x` times a slope else.
/// LeakyRelu { negative_slope }, "LeakyReluBackward0":
///     |x| if x > T::ZERO { x } else { x * negative_slope },
///     fused |grad, x| if x > T::ZERO { grad } else { grad * negative_slope },
///     formula |grad, x| Tensor::where_(&x.gt(0), grad, grad * *negative_slope);
/// ```
///
/// with the operation and its parameters (numbers of the element's type in the first two functions, references
/// in the last), torch's name of the backward node, the function of an element, its derivative as a function of
/// elements, and the same in tensor operations.
macro_rules! activations {
    ($(
        $(#[$doc:meta])*
        $op:ident { $($parameter:ident),* }, $node:literal:
            |$x:ident| $value:expr,
            fused |$grad:ident, $kept:ident| $slope:expr,
            formula |$outer:ident, $input:ident| $formula:expr;
    )+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $op {
            $($parameter: f64,)*
        }

        impl<T: Float + VMath> Unary<T> for $op {
            const COSTLY: bool = true;
            #[inline(always)]
            fn apply(self, $x: T) -> T {
                $(let $parameter = T::from_f64(self.$parameter);)*
                $value
            }
        }

        impl<T: Float + VMath> Binary<T> for Derivative<$op> {
            const COSTLY: bool = true;
            #[inline(always)]
            fn apply(self, $grad: T, $kept: T) -> T {
                $(let $parameter = T::from_f64(self.0.$parameter);)*
                $slope
            }
        }

        impl Op for $op {
            fn name(&self) -> &'static str {
                $node
            }
            fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
                let $op { $($parameter),* } = self;
                let formula = |$outer: &Tensor, $input: &Tensor| -> Tensor { $formula };
                let x = rule.saved(0);
                gradients![rule; fused(grad, x, Derivative(*self), || formula(grad, x))]
            }
            fn is_flat(&self) -> bool {
                true
            }
            #[cfg(test)]
            fn samples() -> Vec<crate::op::Sample> {
                tests::samples_of(stringify!($op))
            }
        }

        impl $op {
            /// The function of every element, recorded.
            #[track_caller]
            fn of(self, op: &str, x: &Tensor) -> Tensor {
                let out = dispatch_float!(op, x.dtype(), T => map::<T, T, _>(x, self));
                out.record(&[x], || self, |_| saves![x])
            }
        }
    )+};
}

activations! {
    /// `x sigmoid(x)`.
    Silu {}, "SiluBackward0":
        |x| x * x.sigmoid(),
        fused |grad, x| {
            let (s, slope) = logistic(x);
            grad * (s + x * slope)
        },
        formula |grad, x| {
            let s = x.sigmoid();
            grad * &s * (1.0 + x * (1.0 - &s))
        };

    /// `x tanh(log(1 + e^x))`.
    Mish {}, "MishBackward0":
        |x| x * tanh_softplus(x).0,
        fused |grad, x| {
            let (t, rest) = tanh_softplus(x);
            grad * (t + x * x.sigmoid() * rest)
        },
        formula |grad, x| {
            let t = x.softplus(1.0, 20.0).tanh();
            grad * (&t + x * x.sigmoid() * (1.0 - &t * &t))
        };

    /// `x` times the normal distribution function of `x`.
    Gelu {}, "GeluBackward0":
        |x| x * normal(x),
        fused |grad, x| {
            let density = (T::from_f64(-0.5) * x * x).exp() * T::from_f64(DENSITY);
            grad * (normal(x) + x * density)
        },
        formula |grad, x| {
            let normal = ((x * FRAC_1_SQRT_2).erf() + 1.0) * 0.5;
            grad * (normal + x * ((-0.5 * x * x).exp() * DENSITY))
        };

    /// `x` times an approximation of its normal distribution function by a hyperbolic tangent.
    GeluTanh {}, "GeluBackward0":
        // (1 + tanh(u)) / 2 = sigmoid(2 u), without the cancellation.
        |x| x * (T::from_f64(2.0 * SLOPE) * (x + T::from_f64(CUBIC) * (x * x * x))).sigmoid(),
        fused |grad, x| {
            let square = x * x;
            let (s, slope) = logistic(T::from_f64(2.0 * SLOPE) * (x + T::from_f64(CUBIC) * (square * x)));
            let inner = T::from_f64(2.0 * SLOPE) * (T::ONE + T::from_f64(3.0 * CUBIC) * square);
            grad * (s + x * slope * inner)
        },
        formula |grad, x| {
            let square = x * x;
            let t = ((x + &square * x * CUBIC) * SLOPE).tanh();
            let inner = (square * (3.0 * CUBIC) + 1.0) * SLOPE;
            grad * 0.5 * ((1.0 + &t) + x * (1.0 - &t * &t) * inner)
        };

    /// `x` above zero, `x` times a slope else.
    LeakyRelu { negative_slope }, "LeakyReluBackward0":
        |x| if x > T::ZERO { x } else { x * negative_slope },
        fused |grad, x| if x > T::ZERO { grad } else { grad * negative_slope },
        formula |grad, x| Tensor::where_(&x.gt(0), grad, grad * *negative_slope);

    /// `scale x` above zero, `alpha scale (e^(input_scale x) - 1)` else.
    Elu { alpha, scale, input_scale }, "EluBackward0":
        |x| {
            let below = (x * input_scale).expm1() * (alpha * scale);
            if x <= T::ZERO { below } else { x * scale }
        },
        fused |grad, x| {
            let below = grad * input_scale * (alpha * scale) * (x * input_scale).exp();
            if x <= T::ZERO { below } else { grad * scale }
        },
        formula |grad, x| {
            // The exponential belongs to the elements below zero: at 0 the second derivative is 0, and the
            // overflow far above does not count.
            let below = x.masked_fill(&x.lt(0).logical_not(), 0) * *input_scale;
            Tensor::where_(&x.le(0), grad * (input_scale * alpha * scale) * below.exp(), grad * *scale)
        };

    /// Between two numbers, with gradient 0 at both.
    Hardtanh { min, max }, "HardtanhBackward0":
        |x| {
            let x = if x < min { min } else { x };
            if x > max { max } else { x }
        },
        fused |grad, x| if (x <= min) | (x >= max) { T::ZERO } else { grad },
        formula |grad, x| grad.masked_fill(&x.le(*min).logical_or(&x.ge(*max)), 0);
}

/// A derivative, `f(grad, x)`, in one pass where the result needs no history, else the formula in tensor
/// operations. Always in place, in a copy if somebody else sees the gradient: one loop to compile, not two.
fn fused<F: Binary<f32> + Binary<f64>>(grad: &Tensor, x: &Tensor, f: F, formula: impl FnOnce() -> Tensor) -> Tensor {
    if is_grad_enabled() || grad.dtype() != x.dtype() || grad.sizes() != x.sizes() {
        return formula();
    }
    let out = if grad.is_contiguous() && grad.is_exclusive() { grad.clone() } else { grad.copy() };
    let (x, len) = (x.dense(), x.numel());
    dispatch_float!("backward", x.dtype(), T => out.write_with::<T, T>(&x, |to, from| {
        binary_in_place(&mut to.data[..len], &from.data[..len], f);
    }));
    out
}

/// The sigmoid and its derivative, without the cancellation of `1 - sigmoid(x)`.
#[inline(always)]
fn logistic<T: Float + VMath>(x: T) -> (T, T) {
    let e = (-x.abs()).exp();
    let inverse = T::ONE / (T::ONE + e);
    let small = e * inverse;
    (if x < T::ZERO { small } else { inverse }, small * inverse)
}

/// `t = tanh(log(1 + e^x)) = n / (n + 2)` with `n = e^x (e^x + 2)`, and `1 - t^2 = 4 (n + 1) / (n + 2)^2`.
#[inline(always)]
fn tanh_softplus<T: Float + VMath>(x: T) -> (T, T) {
    // From 20 on t is 1; NaN passes.
    let limit = T::from_f64(20.0);
    let two = T::from_f64(2.0);
    let e = (if x > limit { limit } else { x }).exp();
    let n = e * (e + two);
    let inverse = two / (n + two);
    let rest = (n + T::ONE) * inverse * inverse;
    (n / (n + two), if x > limit { T::ZERO } else { rest })
}

/// The normal distribution function.
#[inline(always)]
fn normal<T: Float + VMath>(x: T) -> T {
    T::from_f64(0.5) * (T::ONE + (x * T::from_f64(FRAC_1_SQRT_2)).erf())
}

impl Tensor {
    /// The sigmoid linear unit `x sigmoid(x)`, also called swish (Hendrycks and Gimpel, arXiv:1606.08415).
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, 50.0]).silu().to_vec::<f64>(), [0.0, 50.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn silu(&self) -> Tensor {
        Silu {}.of("silu", self)
    }

    /// `x tanh(softplus(x))` (Misra, arXiv:1908.08681).
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, 50.0]).mish().to_vec::<f64>(), [0.0, 50.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn mish(&self) -> Tensor {
        Mish {}.of("mish", self)
    }

    /// The Gaussian error linear unit, `x (1 + erf(x / sqrt(2))) / 2` (Hendrycks and Gimpel,
    /// arXiv:1606.08415).
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, 50.0]).gelu().to_vec::<f64>(), [0.0, 50.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn gelu(&self) -> Tensor {
        Gelu {}.of("gelu", self)
    }

    /// An approximation of [`gelu`](Tensor::gelu), torch's `approximate='tanh'`:
    /// `x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([-1.0, 0.5, 2.0]);
    /// assert!(x.gelu_tanh().allclose(&x.gelu(), 0.0, 1e-3));
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn gelu_tanh(&self) -> Tensor {
        GeluTanh {}.of("gelu_tanh", self)
    }

    /// `x` above zero and `negative_slope x` else; the gradient at 0 is the slope. torch's default is 0.01.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-2.0, 3.0]).leaky_relu(0.1).to_vec::<f64>(), [-0.2, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn leaky_relu(&self, negative_slope: impl Into<f64>) -> Tensor {
        LeakyRelu { negative_slope: negative_slope.into() }.of("leaky_relu", self)
    }

    /// The exponential linear unit: `x` above zero and `alpha (e^x - 1)` else (Clevert et al.,
    /// arXiv:1511.07289). The gradient at 0 is `alpha`, the second derivative 0. torch's default is 1.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-50.0, 3.0]).elu(2.0).to_vec::<f64>(), [-2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn elu(&self, alpha: impl Into<f64>) -> Tensor {
        Elu { alpha: alpha.into(), scale: 1.0, input_scale: 1.0 }.of("elu", self)
    }

    /// The exponential linear unit with a continuous derivative: `x` above zero and
    /// `alpha (e^(x / alpha) - 1)` else (Barron, arXiv:1704.07483). torch's default is 1.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-200.0, 3.0]).celu(2.0).to_vec::<f64>(), [-2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If `alpha` is 0 or the dtype is not floating point.
    #[track_caller]
    pub fn celu(&self, alpha: impl Into<f64>) -> Tensor {
        let alpha = alpha.into();
        if alpha == 0.0 {
            panic!("celu: ZeroDivisionError: alpha cannot be 0 for CELU; use relu()");
        }
        Elu { alpha, scale: 1.0, input_scale: 1.0 / alpha }.of("celu", self)
    }

    /// The self-normalizing exponential linear unit: `s x` above zero and `s a (e^x - 1)` else, with
    /// `a` = 1.6732632423543772 and `s` = 1.0507009873554805 (Klambauer et al., arXiv:1706.02515).
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, 1.0]).selu().to_vec::<f64>(), [0.0, 1.0507009873554805]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn selu(&self) -> Tensor {
        Elu { alpha: 1.6732632423543772, scale: 1.0507009873554805, input_scale: 1.0 }.of("selu", self)
    }

    /// Every element moved to the nearer limit if it is outside `min..=max`. Unlike that of
    /// [`clamp`](Tensor::clamp) the gradient is 0 at both limits, and 1 at NaN. torch's defaults are -1 and 1.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-2.0, 0.5, 5.0]).hardtanh(-1.0, 1.0).to_vec::<f64>(), [-1.0, 0.5, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If `min > max` or the tensor is boolean.
    #[track_caller]
    pub fn hardtanh(&self, min: impl Into<f64>, max: impl Into<f64>) -> Tensor {
        let (min, max) = (min.into(), max.into());
        if min > max {
            panic!("hardtanh: min_val cannot be greater than max_val, but got {min} and {max}");
        }
        if self.dtype() == DType::I64 {
            return self.clamp(Scalar::Int(min as i64), Scalar::Int(max as i64));
        }
        Hardtanh { min, max }.of("hardtanh", self)
    }

    /// `min(max(x, 0), 6)`, [`hardtanh`](Tensor::hardtanh) between 0 and 6.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-1.0, 3.0, 7.0]).relu6().to_vec::<f64>(), [0.0, 3.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is boolean.
    #[track_caller]
    pub fn relu6(&self) -> Tensor {
        self.hardtanh(0.0, 6.0)
    }
}

#[cfg(test)]
mod tests;
