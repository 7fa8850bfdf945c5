//! Signs, fractions and replacements of elements; elementwise combinations of two or three tensors.

use super::function::{Derivative, Function, PairFunction, Slope, operands};
use crate::autograd::{Gradients, Op, Rule, gradients, no_grad, saves};
use crate::op::{Operand, promoted};
use crate::{DType, Scalar, Tensor};

/// The parameters: what replaces NaN, infinity and minus infinity.
static NAN_TO_NUM: Function = Function {
    value: |x, &[nan, posinf, neginf]| match x {
        f64::INFINITY => posinf,
        f64::NEG_INFINITY => neginf,
        _ if x.is_nan() => nan,
        _ => x,
    },
    derivative: Derivative { node: "NanToNumBackward0", gradient: |grad, x, _| grad * x.isfinite() },
};

static HYPOT: PairFunction = PairFunction {
    value: f64::hypot,
    integers: None,
    derivatives: [Slope::Of(|grad, a, b| grad * (a / a.hypot(b))), Slope::Of(|grad, a, b| grad * (b / a.hypot(b)))],
};

static COPYSIGN: PairFunction = PairFunction {
    value: f64::copysign,
    integers: None,
    derivatives: [Slope::Of(|grad, a, b| grad * no_grad(|| (a.copysign(b) / a).masked_fill(&a.eq(0), 0))), Slope::Zero],
};

static HEAVISIDE: PairFunction = PairFunction {
    value: |x, value| if x == 0.0 { value } else { f64::from(u8::from(x > 0.0)) },
    integers: Some(|x, value| if x == 0 { value } else { i64::from(x > 0) }),
    derivatives: [Slope::Zero, Slope::Of(|grad, x, _| grad.masked_fill(&x.ne(0), 0))],
};

/// `start + weight (end - start)` with a number as weight.
pub(crate) struct LerpNumber(f64);
/// `start + weight (end - start)` with a tensor as weight.
pub(crate) struct Lerp;

impl Op for LerpNumber {
    fn name(&self) -> &'static str {
        "LerpBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad * (1.0 - self.0), grad * self.0]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        let mut samples = crate::op::binary_samples(|x| (&x[0] * &x[0]).lerp(&x[1], 0.3));
        samples.extend(crate::op::binary_samples(|x| (&x[0] * &x[0]).lerp(&x[1], 1.5)));
        samples
    }
}

impl Op for Lerp {
    fn name(&self) -> &'static str {
        "LerpBackward1"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let weight = rule.saved(0);
        gradients![rule; grad * (1.0 - weight), grad * weight, grad * (rule.saved(2) - rule.saved(1))]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let mut samples = crate::op::binary_samples(|x| x[0].lerp(&x[1], &(&x[0] * &x[1])));
        samples.push(Sample::new([spread(&[2, 1], -1.0, 1.0), spread(&[3], -1.0, 1.0), spread(&[], 0.0, 1.0)], |x| {
            x[0].lerp(&x[1], &x[2])
        }));
        samples
    }
}

/// `value` as a factor of tensors of `dtype`.
#[track_caller]
fn factor(op: &str, value: f64, dtype: DType) -> Scalar {
    if dtype.is_floating_point() {
        return Scalar::Float(value);
    }
    if value.fract() != 0.0 {
        panic!("{op}: value must not be a floating point number for integers, but got {value}; convert with double()");
    }
    Scalar::Int(value as i64)
}

impl Tensor {
    /// Each element without its whole part, with its sign: `x - trunc(x)`. NaN for infinities.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.5, -1.25]).frac().to_vec::<f64>(), [0.5, -0.25]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn frac(&self) -> Tensor {
        if !self.dtype().is_floating_point() {
            panic!("frac: not implemented for dtype {}; convert with double() first", self.dtype());
        }
        self - self.trunc()
    }

    /// The nearest multiple of `10^-decimals`, halves to the even one; the gradient is zero.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.2345, -0.125]).round_decimals(2).to_vec::<f64>(), [1.23, -0.12]);
    /// assert_eq!(Tensor::from([1234.0]).round_decimals(-2).item(), 1200.0);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn round_decimals(&self, decimals: i32) -> Tensor {
        if !self.dtype().is_floating_point() {
            panic!("round_decimals: not implemented for dtype {}; convert with double() first", self.dtype());
        }
        let scale = 10f64.powi(decimals.abs());
        match decimals {
            0 => self.round(),
            1.. => (self * scale).round() / scale,
            _ => (self / scale).round() * scale,
        }
    }

    /// `nan` in place of NaN, `posinf` and `neginf` in place of the infinities; `None` stands for the largest
    /// and the smallest finite number of the dtype. Integers and booleans are copied. The gradient of a
    /// replaced element is 0.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.0]);
    /// assert_eq!(x.nan_to_num(0.0, 9.0, None).to_vec::<f64>(), [0.0, 9.0, f64::MIN, 1.0]);
    /// ```
    pub fn nan_to_num(
        &self,
        nan: impl Into<f64>,
        posinf: impl Into<Option<f64>>,
        neginf: impl Into<Option<f64>>,
    ) -> Tensor {
        let largest = match self.dtype() {
            DType::F32 => f32::MAX.into(),
            DType::F64 => f64::MAX,
            DType::I64 | DType::Bool => return self.copy(),
        };
        let parameters = [nan.into(), posinf.into().unwrap_or(largest), neginf.into().unwrap_or(-largest)];
        NAN_TO_NUM.of("nan_to_num", self, parameters)
    }

    /// Degrees as radians, `x pi / 180`; integers are converted to `float32`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([180.0]).deg2rad().item(), std::f64::consts::PI);
    /// ```
    pub fn deg2rad(&self) -> Tensor {
        self * 1f64.to_radians()
    }

    /// Radians as degrees, `x 180 / pi`; integers are converted to `float32`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([std::f64::consts::PI]).rad2deg().item(), 180.0);
    /// ```
    pub fn rad2deg(&self) -> Tensor {
        self * 1f64.to_degrees()
    }

    /// The sign, as [`sign`](Tensor::sign): in torch the two differ for complex numbers alone.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-1.5, 0.0, 2.0]).sgn().to_vec::<f64>(), [-1.0, 0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn sgn(&self) -> Tensor {
        self.sign()
    }

    /// The same tensor, as Python's unary `+`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([-1.5]);
    /// assert!(x.positive().same(&x));
    /// ```
    ///
    /// # Panics
    /// If the tensor is boolean.
    #[track_caller]
    pub fn positive(&self) -> Tensor {
        if self.dtype() == DType::Bool {
            panic!("positive: The `+` operator, on a bool tensor is not supported; convert with long() first");
        }
        self.clone()
    }

    /// Whether each element has its sign bit set: negative numbers, `-0.0`, and NaN of that sign.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-1.0, -0.0, 0.0]).signbit().to_vec::<bool>(), [true, true, false]);
    /// ```
    pub fn signbit(&self) -> Tensor {
        if !self.dtype().is_floating_point() {
            return self.lt(0);
        }
        Tensor::full((), 1, self.dtype()).copysign(self.detach()).lt(0)
    }

    /// Whether each element is positive infinity.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([f64::INFINITY, f64::NEG_INFINITY]).isposinf().to_vec::<bool>(), [true, false]);
    /// ```
    pub fn isposinf(&self) -> Tensor {
        self.eq(f64::INFINITY)
    }

    /// Whether each element is negative infinity.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([f64::INFINITY, f64::NEG_INFINITY]).isneginf().to_vec::<bool>(), [false, true]);
    /// ```
    pub fn isneginf(&self) -> Tensor {
        self.eq(f64::NEG_INFINITY)
    }

    /// `sqrt(self^2 + other^2)` under broadcasting, without overflow on the way. The gradient where both are
    /// zero is NaN.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([3.0, 1e300]).hypot(&Tensor::from([4.0, 1.0])).to_vec::<f64>(), [5.0, 1e300]);
    /// ```
    ///
    /// # Panics
    /// If a dtype is not floating point or the shapes do not broadcast.
    #[track_caller]
    pub fn hypot(&self, other: &Tensor) -> Tensor {
        let (a, b) = promoted(self, other);
        HYPOT.of("hypot", "HypotBackward0", &a, &b)
    }

    /// The magnitude of `self` with the sign of `other`, a tensor or a number, under broadcasting; integers
    /// are converted to `float32`. The gradient is 1 or -1 for `self`, 0 where it is zero, and 0 for `other`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, -2.0]).copysign(-0.0).to_vec::<f64>(), [-1.0, -2.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn copysign<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        let other = other.into();
        let node = if matches!(other, Operand::Scalar(_)) { "CopysignBackward1" } else { "CopysignBackward0" };
        let (a, b) = operands(self, other);
        COPYSIGN.of("copysign", node, &a.to_floating(), &b.to_floating())
    }

    /// The step function: 0 below zero (and at NaN), 1 above, and the element of `values` at zero, under
    /// broadcasting. The gradient is zero for `self` and goes to `values` at zero.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let step = Tensor::from([-1.5, 0.0, 2.0]).heaviside(&Tensor::from(0.5));
    /// assert_eq!(step.to_vec::<f64>(), [0.0, 0.5, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtypes differ or the shapes do not broadcast.
    #[track_caller]
    pub fn heaviside(&self, values: &Tensor) -> Tensor {
        if self.dtype() != values.dtype() {
            panic!(
                "heaviside: is not implemented for tensors with different dtypes, but got {} and {}; convert one of \
                 them with to_dtype",
                self.dtype(),
                values.dtype()
            );
        }
        match self.dtype() {
            DType::Bool => self.logical_or(values),
            _ => HEAVISIDE.of("heaviside", "HeavisideBackward0", self, values),
        }
    }

    /// `self + weight (end - self)`, the point at `weight` of the way from `self` to `end`, under broadcasting;
    /// exactly `end` where the weight is 1. The weight is a number or a tensor.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (start, end) = (Tensor::from([1.0, 2.0]), Tensor::from([3.0, 6.0]));
    /// assert_eq!(start.lerp(&end, 0.5).to_vec::<f64>(), [2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtypes differ or are not floating point, or the shapes do not broadcast.
    #[track_caller]
    pub fn lerp<'a>(&self, end: &Tensor, weight: impl Into<Operand<'a>>) -> Tensor {
        let weight = weight.into();
        let weight_dtype = match &weight {
            Operand::Tensor(weight) => weight.dtype(),
            Operand::Scalar(_) => self.dtype(),
        };
        if !self.dtype().is_floating_point() || end.dtype() != self.dtype() || weight_dtype != self.dtype() {
            panic!(
                "lerp: expected one floating-point dtype, but got {} for `self`, {} for `end` and {weight_dtype} for \
                 `weight`; convert with to_dtype",
                self.dtype(),
                end.dtype()
            );
        }
        // From the nearer end, so that both ends are met exactly.
        match weight {
            Operand::Scalar(number) => {
                let weight = number.to_f64();
                let from_end = if self.dtype() == DType::F32 { f64::from(1.0 - weight as f32) } else { 1.0 - weight };
                let out = no_grad(|| {
                    let way = end - self;
                    if weight.abs() < 0.5 { self + way * weight } else { end - way * from_end }
                });
                out.record(&[self, end], || LerpNumber(weight), |_| saves![])
            }
            Operand::Tensor(weight) => {
                let out = no_grad(|| {
                    let way = end - self;
                    Tensor::where_(&weight.abs().lt(0.5), self + &way * &*weight, end - &way * (1.0 - &*weight))
                });
                out.record(
                    &[self, end, &weight],
                    || Lerp,
                    |_| match weight.requires_grad() {
                        true => saves![&weight, self, end],
                        false => saves![&weight],
                    },
                )
            }
        }
    }

    /// `self + value * a * b` under broadcasting. torch's default `value` is 1.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0]);
    /// assert_eq!(x.addcmul(&x, &x, 10.0).to_vec::<f64>(), [11.0, 42.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, or all are integers and `value` is not.
    #[track_caller]
    pub fn addcmul(&self, a: &Tensor, b: &Tensor, value: impl Into<f64>) -> Tensor {
        match value.into() {
            1.0 => self + a * b,
            value => self + a * factor("addcmul", value, self.dtype().max(a.dtype()).max(b.dtype())) * b,
        }
    }

    /// `self + value * a / b` under broadcasting. torch's default `value` is 1.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0]);
    /// assert_eq!(x.addcdiv(&x, &Tensor::from([2.0, 4.0]), 10.0).to_vec::<f64>(), [6.0, 7.0]);
    /// ```
    ///
    /// # Panics
    /// If `a` and `b` are both integers or the shapes do not broadcast.
    #[track_caller]
    pub fn addcdiv(&self, a: &Tensor, b: &Tensor, value: impl Into<f64>) -> Tensor {
        if !a.dtype().is_floating_point() && !b.dtype().is_floating_point() {
            panic!("addcdiv: Integer division with addcdiv is not supported; convert one of the tensors with double()");
        }
        match value.into() {
            1.0 => self + a / b,
            value => self + a * value / b,
        }
    }

    /// [`pow`](Tensor::pow) in double precision, whatever the dtypes: of integers to negative powers, too.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([2i64, 4]).float_power(-1).to_vec::<f64>(), [0.5, 0.25]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn float_power<'a>(&self, exponent: impl Into<Operand<'a>>) -> Tensor {
        match exponent.into() {
            Operand::Scalar(number) => self.double().pow(number.to_f64()),
            Operand::Tensor(exponent) => self.double().pow(exponent.double()),
        }
    }
}

#[cfg(test)]
pub(super) fn samples_of_one() -> Vec<crate::op::Sample> {
    use crate::op::unary_samples;
    let mut samples = unary_samples(-1.7, 1.8, |x| x.frac() * x);
    samples.extend(unary_samples(-2.0, 2.0, |x| x.nan_to_num(0.0, None, None) * x));
    samples.extend(unary_samples(-2.0, 2.0, |x| x.round_decimals(1) * x + x.round_decimals(-1) * x));
    samples.extend(unary_samples(-2.0, 2.0, |x| x.deg2rad() * x + x.rad2deg() + x.sgn() * x + x.positive()));
    samples.extend(unary_samples(-2.0, 2.0, |x| x.float_power(3) + x.addcmul(x, x, 2.0)));
    samples
}

#[cfg(test)]
pub(super) fn samples_of_two() -> Vec<crate::op::Sample> {
    use crate::op::{Sample, binary_samples, spread};
    let mut samples = binary_samples(|x| x[0].hypot(&x[1]));
    samples.extend(binary_samples(|x| x[0].copysign(&(&x[1] * 0.9)) * &x[0]));
    samples.extend(binary_samples(|x| x[0].heaviside(&(&x[1] * &x[1])) * &x[0]));
    samples.push(Sample::new([spread(&[2], 1.0, 2.0)], |x| Tensor::zeros_like(&x[0]).heaviside(&(&x[0] * &x[0]))));
    samples.extend(binary_samples(|x| x[0].addcmul(&x[1], &x[0], 1.0) + x[1].addcmul(&x[1], &x[0], -0.7)));
    samples.extend(binary_samples(|x| {
        x[0].addcdiv(&x[1], &(&x[0] + 3.0), 1.0) + x[1].addcdiv(&x[1], &(&x[0] + 3.0), -0.7)
    }));
    samples.extend(binary_samples(|x| (&x[0] + 2.5).float_power(&x[1])));
    samples
}

// Tables of torch's numbers keep their lines.
#[cfg(test)]
#[rustfmt::skip]
mod tests;
