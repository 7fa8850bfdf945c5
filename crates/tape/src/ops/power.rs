//! Powers.

use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::dtype::dispatch_float;
use crate::kernel::map::{Binary, Unary};
use crate::kernel::vmath::VMath;
use crate::op::{Operand, fused2, map};
use crate::{Element, Float, Scalar, Tensor};

/// `x^p` for a number `p`.
pub(crate) struct PowScalar(Scalar);

/// `x^p` with the exponents that torch computes without a general power.
#[derive(Clone, Copy)]
struct Power<T>(T);

#[derive(Clone, Copy)]
struct Square;
#[derive(Clone, Copy)]
struct Cube;

impl<T: Float> Unary<T> for Square {
    #[inline(always)]
    fn apply(self, x: T) -> T {
        x * x
    }
}
impl<T: Float> Unary<T> for Cube {
    #[inline(always)]
    fn apply(self, x: T) -> T {
        x * x * x
    }
}
#[derive(Clone, Copy)]
struct Sqrt;
impl<T: Float> Unary<T> for Sqrt {
    #[inline(always)]
    fn apply(self, x: T) -> T {
        x.sqrt()
    }
}
#[derive(Clone, Copy)]
struct InverseSqrt;
impl<T: Float> Unary<T> for InverseSqrt {
    #[inline(always)]
    fn apply(self, x: T) -> T {
        T::ONE / x.sqrt()
    }
}
#[derive(Clone, Copy)]
struct InverseSquare;
impl<T: Float> Unary<T> for InverseSquare {
    #[inline(always)]
    fn apply(self, x: T) -> T {
        T::ONE / (x * x)
    }
}
impl<T: Float + VMath> Unary<T> for Power<T> {
    const COSTLY: bool = true;
    #[inline(always)]
    fn apply(self, x: T) -> T {
        VMath::pow(x, self.0)
    }
}

/// `grad * (2 * x)`: the derivative of the square in one pass, rounded as in two.
#[derive(Clone, Copy)]
struct SquareBackward;
impl<T: Float> Binary<T> for SquareBackward {
    #[inline(always)]
    fn apply(self, grad: T, x: T) -> T {
        grad * (x + x)
    }
}

impl Op for PowScalar {
    fn name(&self) -> &'static str {
        "PowBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let x = rule.saved(0);
        let p = self.0.to_f64();
        gradients![rule; if p == 0.0 {
            grad.zeros_like()
        } else if p == 2.0 {
            fused2(grad, x, SquareBackward, || grad * (2.0 * x))
        } else {
            grad * (p * x.pow(p - 1.0))
        }]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        let mut samples = crate::op::unary_samples(-2.0, 2.0, |x| x.pow(2.0));
        samples.extend(crate::op::unary_samples(-2.0, 2.0, |x| x.pow(3)));
        samples.extend(crate::op::unary_samples(0.5, 2.0, |x| x.pow(-1.5)));
        samples.extend(crate::op::unary_samples(0.5, 2.0, |x| x.pow(0.5) + x.pow(1.0) + x.pow(0.0)));
        samples.extend(crate::op::unary_samples(0.5, 2.0, |x| x.pow(-0.5) + x.pow(-1) + x.pow(-2)));
        samples
    }
}

/// `x^p` elementwise, without history.
#[track_caller]
fn power(x: &Tensor, p: Scalar) -> Tensor {
    let exponent = p.to_f64();
    dispatch_float!("pow", x.dtype(), T => match exponent {
        0.0 => Tensor::ones(x.shape(), x.dtype()),
        1.0 => crate::autograd::no_grad(|| x.copy()),
        2.0 => map::<T, T, _>(x, Square),
        3.0 => map::<T, T, _>(x, Cube),
        0.5 => map::<T, T, _>(x, Sqrt),
        -0.5 => map::<T, T, _>(x, InverseSqrt),
        -1.0 => map::<T, T, _>(x, super::arithmetic::f::Invert),
        -2.0 => map::<T, T, _>(x, InverseSquare),
        _ => map(x, Power(T::from_f64(exponent))),
    })
}

impl Tensor {
    /// `self` raised to a power, elementwise. The exponents 0, 1, 2, 3, 0.5, -0.5, -1 and -2 are computed
    /// by multiplication, square root and division, as in torch. Integers keep their dtype under
    /// non-negative integer exponents.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0, 3.0]).pow(2.0).to_vec::<f64>(), [1.0, 4.0, 9.0]);
    /// ```
    #[track_caller]
    pub fn pow<'a>(&self, exponent: impl Into<Operand<'a>>) -> Tensor {
        match exponent.into() {
            Operand::Scalar(p) => {
                let x = self.in_dtype(p.promote(self.dtype()));
                power(&x, p).record(&[&x], || PowScalar(p), |_| saves![&x])
            }
            Operand::Tensor(_) => panic!("pow: exponent tensor"),
        }
    }
}
