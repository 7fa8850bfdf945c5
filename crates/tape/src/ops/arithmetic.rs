//! `+ - * /` of tensors and numbers, negation, reciprocal.
//!
//! Operands broadcast against each other and take their common dtype. Integers wrap on overflow;
//! division of integers gives `float32`, torch's default floating-point type.

use crate::autograd::{Gradients, Op, Rule, gradients, is_grad_enabled, save_factors, save_output, saves};
use crate::dtype::{dispatch_float, dispatch_number};
use crate::kernel::map::{Binary, Unary};
use crate::op::{Left, Operand, Right, map, map_gradient, promoted, zip_uniform};
use crate::{DType, Element, Float, Scalar, Tensor};

/// The four operations on elements. Floats round, integers wrap.
pub(crate) trait Number: Element {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
}

macro_rules! float_number {
    ($($type:ty),*) => {$(
        impl Number for $type {
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self - other
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }
        }
    )*};
}
float_number!(f32, f64);

impl Number for i64 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self.wrapping_mul(other)
    }
}

/// The element functions.
pub(crate) mod f {
    #[derive(Clone, Copy)]
    pub struct Plus;
    #[derive(Clone, Copy)]
    pub struct Minus;
    #[derive(Clone, Copy)]
    pub struct Times;
    #[derive(Clone, Copy)]
    pub struct Over;
    #[derive(Clone, Copy)]
    pub struct Negate;
    #[derive(Clone, Copy)]
    pub struct Invert;
}

macro_rules! binary_function {
    ($name:ident, $bound:ident, |$a:ident, $b:ident| $body:expr) => {
        impl<T: $bound> Binary<T> for f::$name {
            #[inline(always)]
            fn apply(self, $a: T, $b: T) -> T {
                $body
            }
        }
    };
}
binary_function!(Plus, Number, |a, b| a.plus(b));
binary_function!(Minus, Number, |a, b| a.minus(b));
binary_function!(Times, Number, |a, b| a.times(b));
binary_function!(Over, Float, |a, b| a / b);

impl<T: Number> Unary<T> for f::Negate {
    #[inline(always)]
    fn apply(self, x: T) -> T {
        // -0.0 for 0.0, which 0 - x would not give.
        x.times(T::from_i64(-1))
    }
}
impl<T: Float> Unary<T> for f::Invert {
    #[inline(always)]
    fn apply(self, x: T) -> T {
        T::ONE / x
    }
}
/// `a + b`.
pub(crate) struct Add;
/// `x + number`.
pub(crate) struct AddScalar;
/// `a - b`.
pub(crate) struct Sub;
/// `number - x`.
pub(crate) struct SubScalarFrom;
/// `a * b`.
pub(crate) struct Mul;
/// `x * number`.
pub(crate) struct MulScalar(Scalar);
/// `a / b`.
pub(crate) struct Div;
/// `x / number`.
pub(crate) struct DivScalar(Scalar);
/// `-x`.
pub(crate) struct Neg;
/// `1 / x`.
pub(crate) struct Reciprocal;

/// `grad * number`, recorded only while the backward pass is.
fn scaled(grad: &Tensor, number: Scalar) -> Tensor {
    if is_grad_enabled() {
        return grad.mul(number);
    }
    dispatch_float!("mul", grad.dtype(), T => map_gradient(grad, Right(f::Times, number.cast::<T>())))
}

impl Op for Add {
    fn name(&self) -> &'static str {
        "AddBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.clone(), grad.clone()]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::binary_samples(|x| &x[0] + &x[1])
    }
}

impl Op for AddScalar {
    fn name(&self) -> &'static str {
        "AddBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.clone()]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::unary_samples(-2.0, 2.0, |x| x + 1.5)
    }
}

impl Op for Sub {
    fn name(&self) -> &'static str {
        "SubBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.clone(), -grad]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::binary_samples(|x| &x[0] - &x[1])
    }
}

impl Op for SubScalarFrom {
    fn name(&self) -> &'static str {
        "RsubBackward1"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; scaled(grad, Scalar::Int(-1))]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::unary_samples(-2.0, 2.0, |x| 1.5 - x)
    }
}

impl Op for Mul {
    fn name(&self) -> &'static str {
        "MulBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad * rule.right_factor(), grad * rule.left_factor()]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::binary_samples(|x| &x[0] * &x[1])
    }
}

impl Op for MulScalar {
    fn name(&self) -> &'static str {
        "MulBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; scaled(grad, self.0)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::unary_samples(-2.0, 2.0, |x| x * -1.5)
    }
}

impl Op for Div {
    fn name(&self) -> &'static str {
        "DivBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let b = rule.saved(0);
        gradients![rule; grad / b, -grad * ((rule.saved(1) / b) / b)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::binary_samples(|x| &x[0] / (2.5 + &x[1]))
    }
}

impl Op for DivScalar {
    fn name(&self) -> &'static str {
        "DivBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.div(self.0)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::unary_samples(-2.0, 2.0, |x| x / 3.0)
    }
}

impl Op for Neg {
    fn name(&self) -> &'static str {
        "NegBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; scaled(grad, Scalar::Int(-1))]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::unary_samples(-2.0, 2.0, |x| -x)
    }
}

impl Op for Reciprocal {
    fn name(&self) -> &'static str {
        "ReciprocalBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let y = rule.saved(0);
        gradients![rule; -grad * (y * y)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::unary_samples(0.5, 2.0, |x| x.reciprocal())
    }
}

impl Tensor {
    /// `self + other`, elementwise under broadcasting; also the operator `+`. The sum of booleans is whether
    /// either is true.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0], [2.0]]);
    /// assert_eq!(x.add(&Tensor::from([10.0, 20.0])).to_vec::<f64>(), [11.0, 21.0, 12.0, 22.0]);
    /// assert_eq!((1.0 + &x).to_vec::<f64>(), [2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn add<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        // Compiled here and not in every crate that calls it.
        #[track_caller]
        fn apply(this: &Tensor, other: Operand<'_>) -> Tensor {
            match other {
                Operand::Tensor(other) if this.dtype() == DType::Bool && other.dtype() == DType::Bool => {
                    this.logical_or(&other)
                }
                Operand::Tensor(other) if this.dtype() == other.dtype() => {
                    let out =
                        dispatch_number!("add", this.dtype(), T => zip_uniform::<T, _>("add", this, &other, f::Plus));
                    out.record(&[this, &other], || Add, |_| saves![])
                }
                Operand::Tensor(other) => {
                    let (a, b) = promoted(this, &other);
                    Tensor::add(&a, b)
                }
                Operand::Scalar(number) => {
                    let x = this.in_dtype(number.promote(this.dtype()));
                    let out = dispatch_number!("add", x.dtype(), T => map(&x, Right(f::Plus, number.cast::<T>())));
                    out.record(&[&x], || AddScalar, |_| saves![])
                }
            }
        }
        apply(self, other.into())
    }

    /// `self - other`, elementwise under broadcasting; also the operator `-`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([3.0, 5.0]).sub(1.0).to_vec::<f64>(), [2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn sub<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        // Compiled here and not in every crate that calls it.
        #[track_caller]
        fn apply(this: &Tensor, other: Operand<'_>) -> Tensor {
            match other {
                Operand::Tensor(other) if this.dtype() == other.dtype() => {
                    let out =
                        dispatch_number!("sub", this.dtype(), T => zip_uniform::<T, _>("sub", this, &other, f::Minus));
                    out.record(&[this, &other], || Sub, |_| saves![])
                }
                Operand::Tensor(other) => {
                    let (a, b) = promoted(this, &other);
                    Tensor::sub(&a, b)
                }
                Operand::Scalar(number) => {
                    let x = this.in_dtype(number.promote(this.dtype()));
                    let out = dispatch_number!("sub", x.dtype(), T => map(&x, Right(f::Minus, number.cast::<T>())));
                    out.record(&[&x], || AddScalar, |_| saves![])
                }
            }
        }
        apply(self, other.into())
    }

    /// `number - self`, the operator `-` with a number on the left.
    ///
    /// # Panics
    /// If the tensor is boolean.
    #[track_caller]
    pub fn rsub(&self, number: impl Into<Scalar>) -> Tensor {
        let number = number.into();
        let x = self.in_dtype(number.promote(self.dtype()));
        let out = dispatch_number!("rsub", x.dtype(), T => map(&x, Left(f::Minus, number.cast::<T>())));
        out.record(&[&x], || SubScalarFrom, |_| saves![])
    }

    /// `self * other`, elementwise under broadcasting; also the operator `*`. The product of booleans is whether
    /// both are true.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([3.0, 5.0]).mul(2).to_vec::<f64>(), [6.0, 10.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn mul<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        // Compiled here and not in every crate that calls it.
        #[track_caller]
        fn apply(this: &Tensor, other: Operand<'_>) -> Tensor {
            match other {
                Operand::Tensor(other) if this.dtype() == DType::Bool && other.dtype() == DType::Bool => {
                    this.logical_and(&other)
                }
                Operand::Tensor(other) if this.dtype() == other.dtype() => {
                    let out =
                        dispatch_number!("mul", this.dtype(), T => zip_uniform::<T, _>("mul", this, &other, f::Times));
                    out.record(&[this, &other], || Mul, |_| save_factors(this, &other))
                }
                Operand::Tensor(other) => {
                    let (a, b) = promoted(this, &other);
                    Tensor::mul(&a, b)
                }
                Operand::Scalar(number) => {
                    let x = this.in_dtype(number.promote(this.dtype()));
                    let out = dispatch_number!("mul", x.dtype(), T => map(&x, Right(f::Times, number.cast::<T>())));
                    out.record(&[&x], || MulScalar(number), |_| saves![])
                }
            }
        }
        apply(self, other.into())
    }

    /// `self / other`, elementwise under broadcasting; also the operator `/`. Integers are converted to
    /// `float32` first.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([3.0, 5.0]).div(2.0).to_vec::<f64>(), [1.5, 2.5]);
    /// assert_eq!(Tensor::from([3i64, 5]).div(2).to_vec::<f32>(), [1.5, 2.5]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn div<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        // Compiled here and not in every crate that calls it.
        #[track_caller]
        fn apply(this: &Tensor, other: Operand<'_>) -> Tensor {
            match other {
                Operand::Tensor(other) if this.dtype() == other.dtype() && this.dtype().is_floating_point() => {
                    let out =
                        dispatch_float!("div", this.dtype(), T => zip_uniform::<T, _>("div", this, &other, f::Over));
                    out.record(
                        &[this, &other],
                        || Div,
                        |_| match other.requires_grad() {
                            true => saves![&other, this],
                            false => saves![&other],
                        },
                    )
                }
                Operand::Tensor(other) => {
                    let (a, b) = promoted(this, &other);
                    a.to_floating().div(b.to_floating())
                }
                Operand::Scalar(number) => {
                    let x = this.in_dtype(number.promote(this.dtype())).to_floating();
                    let out = dispatch_float!("div", x.dtype(), T => map(&x, Right(f::Over, number.cast::<T>())));
                    out.record(&[&x], || DivScalar(number), |_| saves![])
                }
            }
        }
        apply(self, other.into())
    }

    /// `-self`; also the operator `-`.
    ///
    /// # Panics
    /// If the tensor is boolean.
    #[track_caller]
    pub fn neg(&self) -> Tensor {
        let out = dispatch_number!("neg", self.dtype(), T => map::<T, T, _>(self, f::Negate));
        out.record(&[self], || Neg, |_| saves![])
    }

    /// `1 / self`. A number divided by a tensor is computed through it, as in torch:
    /// `a / x = x.reciprocal() * a`, with two roundings.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!((3.0 / Tensor::from([2.0, 4.0])).to_vec::<f64>(), [1.5, 0.75]);
    /// ```
    #[track_caller]
    pub fn reciprocal(&self) -> Tensor {
        let x = self.to_floating();
        let out = dispatch_float!("reciprocal", x.dtype(), T => map::<T, T, _>(&x, f::Invert));
        out.record(&[&x], || Reciprocal, save_output)
    }

    /// This tensor, or its conversion to `float32` if it is not floating point.
    pub(crate) fn to_floating(&self) -> Tensor {
        if self.dtype().is_floating_point() { self.clone() } else { self.to_dtype(DType::F32) }
    }
}
