//! Powers.

use super::arithmetic::f::Invert;
use super::elementary::Derivative;
use crate::autograd::{Gradients, Op, Rule, Saved, gradients, no_grad, saves};
use crate::dtype::dispatch_float;
use crate::kernel::map::{Binary, Unary};
use crate::kernel::vmath::VMath;
use crate::op::{Left, Operand, Right, fused2, map, promoted, zip};
use crate::{DType, Float, Scalar, Tensor};

/// `x^p` for a number `p`.
pub(crate) struct PowScalar(Scalar);
/// `a^b`.
pub(crate) struct Pow;
/// `number^x`.
pub(crate) struct ScalarPow(Scalar);

/// The general power of elements; integers wrap on overflow.
#[derive(Clone, Copy)]
struct Power;

impl Binary<f32> for Power {
    const COSTLY: bool = true;
    #[inline(always)]
    fn apply(self, x: f32, p: f32) -> f32 {
        VMath::pow(x, p)
    }
}

impl Binary<f64> for Power {
    const COSTLY: bool = true;
    #[inline(always)]
    fn apply(self, x: f64, p: f64) -> f64 {
        VMath::pow(x, p)
    }
}

impl Binary<i64> for Power {
    const COSTLY: bool = true;
    #[inline(always)]
    fn apply(self, x: i64, p: i64) -> i64 {
        let (mut power, mut square, mut rest) = (1i64, x, p);
        if p < 0 {
            // The reciprocal, rounded towards zero as torch does, even for x = 0.
            return match x {
                1 => 1,
                -1 => 1 - 2 * (p & 1),
                _ => 0,
            };
        }
        while rest > 0 {
            if rest & 1 == 1 {
                power = power.wrapping_mul(square);
            }
            square = square.wrapping_mul(square);
            rest >>= 1;
        }
        power
    }
}

/// Declares the powers that torch computes without a general power.
macro_rules! special_powers {
    ($($name:ident: |$x:ident| $value:expr;)+) => {$(
        #[derive(Clone, Copy)]
        struct $name;
        impl<T: Float> Unary<T> for $name {
            #[inline(always)]
            fn apply(self, $x: T) -> T {
                $value
            }
        }
    )+};
}
special_powers! {
    Square: |x| x * x;
    Cube: |x| x * x * x;
    Root: |x| x.sqrt();
    InverseRoot: |x| T::ONE / x.sqrt();
    InverseSquare: |x| T::ONE / (x * x);
}

// The derivatives below are one pass with the roundings of the several that the formula takes.

impl<T: Float> Binary<T> for Derivative<Square> {
    #[inline(always)]
    fn apply(self, grad: T, x: T) -> T {
        grad * (x + x)
    }
}

impl<T: Float> Binary<T> for Derivative<Cube> {
    #[inline(always)]
    fn apply(self, grad: T, x: T) -> T {
        grad * (T::from_f64(3.0) * (x * x))
    }
}

impl Op for PowScalar {
    fn name(&self) -> &'static str {
        "PowBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let x = rule.saved(0);
        let p = self.0.to_f64();
        let formula = || grad * (p * x.pow(p - 1.0));
        gradients![rule; match p {
            // Also where x is 0, infinite or NaN.
            0.0 => grad.zeros_like(),
            1.0 => grad.clone(),
            2.0 => fused2(grad, x, Derivative(Square), formula),
            3.0 => fused2(grad, x, Derivative(Cube), formula),
            _ => formula(),
        }]
    }
    fn is_flat(&self) -> bool {
        true
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        let mut samples = crate::op::unary_samples(-2.0, 2.0, |x| x.pow(2.0));
        samples.extend(crate::op::unary_samples(-2.0, 2.0, |x| x.pow(3)));
        samples.extend(crate::op::unary_samples(0.5, 2.0, |x| x.pow(-1.5)));
        samples.extend(crate::op::unary_samples(0.5, 2.0, |x| x.pow(0.5) + x.pow(1.0) * x.pow(0.0)));
        samples.extend(crate::op::unary_samples(0.5, 2.0, |x| x.pow(-0.5) + x.pow(-1) + x.pow(-2)));
        samples
    }
}

/// `grad * y * log(base)` for `y = base^p`, and 0 where the base is 0 and the exponent is not negative.
fn exponent_gradient(grad: &Tensor, base_is_zero: Tensor, p: &Tensor, slope: Tensor) -> Tensor {
    grad * slope.masked_fill(&base_is_zero.logical_and(&p.ge(0)), 0)
}

impl Op for Pow {
    fn name(&self) -> &'static str {
        "PowBackward1"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (x, p, y) = (rule.saved(0), rule.saved(1), rule.saved(2));
        gradients![rule;
            (grad * (p * x.pow(p - 1.0))).masked_fill(&p.eq(0), 0),
            exponent_gradient(grad, x.eq(0), p, y * x.log()),
        ]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::binary_samples(|x| (&x[0] + 2.5).pow(&x[1]))
    }
}

impl Op for ScalarPow {
    fn name(&self) -> &'static str {
        "PowBackward2"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (p, y) = (rule.saved(0), rule.saved(1));
        let base = self.0.to_f64();
        gradients![rule; if base == 0.0 {
            // Constant wherever the derivative is finite; the history of y would bring 0 times log(0).
            exponent_gradient(grad, Tensor::from(true), p, y.detach() * base.ln())
        } else {
            grad * (y * base.ln())
        }]
    }
    fn is_flat(&self) -> bool {
        true
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        let mut samples = crate::op::unary_samples(-2.0, 2.0, |x| x.rpow(2.5));
        samples.extend(crate::op::unary_samples(0.5, 2.0, |x| x.rpow(0)));
        samples
    }
}

/// `x^p` elementwise, without history.
#[track_caller]
fn power(x: &Tensor, p: Scalar) -> Tensor {
    if let (DType::I64, Scalar::Int(exponent)) = (x.dtype(), p) {
        if exponent < 0 {
            panic!(
                "pow: Integers to negative integer powers are not allowed (exponent {exponent}); convert \
                 with double() first"
            );
        }
        return map(x, Right(Power, exponent));
    }
    let exponent = p.to_f64();
    dispatch_float!("pow", x.dtype(), T => match exponent {
        0.0 => x.ones_like(),
        1.0 => no_grad(|| x.copy()),
        2.0 => map::<T, T, _>(x, Square),
        3.0 => map::<T, T, _>(x, Cube),
        0.5 => map::<T, T, _>(x, Root),
        -0.5 => map::<T, T, _>(x, InverseRoot),
        -1.0 => map::<T, T, _>(x, Invert),
        -2.0 => map::<T, T, _>(x, InverseSquare),
        _ => map(x, Right(Power, exponent as T)),
    })
}

impl Tensor {
    /// `self` raised to a power, elementwise under broadcasting. The numbers 0, 1, 2, 3, 0.5, -0.5, -1 and
    /// -2 as exponents are computed by multiplication, square root and division, as in torch. Integers to
    /// integer powers stay integers and wrap on overflow.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0, 3.0]);
    /// assert_eq!(x.pow(2.0).to_vec::<f64>(), [1.0, 4.0, 9.0]);
    /// assert_eq!(x.pow(&Tensor::from([2.0, 3.0, 1.0])).to_vec::<f64>(), [1.0, 8.0, 3.0]);
    /// assert_eq!(Tensor::from([2i64, -3]).pow(3).to_vec::<i64>(), [8, -27]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, or integers are raised to a negative integer number.
    #[track_caller]
    pub fn pow<'a>(&self, exponent: impl Into<Operand<'a>>) -> Tensor {
        // Compiled here and not in every crate that calls it.
        #[track_caller]
        fn apply(this: &Tensor, exponent: Operand<'_>) -> Tensor {
            match exponent {
                Operand::Scalar(p) => {
                    let x = this.in_dtype(p.promote(this.dtype()));
                    power(&x, p).record(&[&x], || PowScalar(p), |_| saves![&x])
                }
                Operand::Tensor(p) if this.dtype() == p.dtype() => {
                    if this.dtype() == DType::I64 {
                        return zip::<i64, i64, i64, _>("pow", this, &p, Power);
                    }
                    let out = dispatch_float!("pow", this.dtype(), T => zip::<T, T, T, _>("pow", this, &p, Power));
                    out.record(
                        &[this, &p],
                        || Pow,
                        |result| {
                            let mut saved = saves![this, &p];
                            saved.push(Saved::output(result, 0));
                            saved
                        },
                    )
                }
                Operand::Tensor(p) => {
                    let (x, p) = promoted(this, &p);
                    x.pow(p)
                }
            }
        }
        apply(self, exponent.into())
    }

    /// `base^self` for a number `base`, elementwise.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([3.0, -1.0]).rpow(2).to_vec::<f64>(), [8.0, 0.5]);
    /// ```
    ///
    /// # Panics
    /// If tensor and base are both boolean.
    #[track_caller]
    pub fn rpow(&self, base: impl Into<Scalar>) -> Tensor {
        let base = base.into();
        let p = self.in_dtype(base.promote(self.dtype()));
        if p.dtype() == DType::I64 {
            return map(&p, Left(Power, base.cast::<i64>()));
        }
        let out = dispatch_float!("pow", p.dtype(), T => map(&p, Left(Power, base.cast::<T>())));
        out.record(
            &[&p],
            || ScalarPow(base),
            |result| {
                let mut saved = saves![&p];
                saved.push(Saved::output(result, 0));
                saved
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::autograd::no_grad;
    use crate::{DType, Tensor};

    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;

    #[track_caller]
    fn assert_same(found: &Tensor, expected: &[f64]) {
        let found = found.to_vec::<f64>();
        let same = |(a, b): (&f64, &f64)| (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= 1e-15 * b.abs();
        assert!(found.iter().zip(expected).all(same), "{found:?} against {expected:?}");
    }

    // Expected gradients at special points are torch's.

    #[test]
    fn gradients_of_fixed_powers_at_their_kinks() {
        let cases: [(f64, [f64; 6]); 9] = [
            (0.0, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
            (1.0, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
            (2.0, [0.0, -0.0, -2.0, NAN, INF, 4.0]),
            (3.0, [0.0, 0.0, 3.0, NAN, INF, 12.0]),
            (0.5, [INF, -INF, NAN, NAN, 0.0, 0.35355339059327373]),
            (1.5, [0.0, -0.0, NAN, NAN, INF, 2.121320343559643]),
            (-1.0, [-INF, -INF, -1.0, NAN, -0.0, -0.25]),
            (-0.5, [-INF, -INF, NAN, NAN, -0.0, -0.1767766952966369]),
            (-2.0, [-INF, INF, 2.0, NAN, -0.0, -0.25]),
        ];
        for (p, expected) in cases {
            for create_graph in [false, true] {
                let x = Tensor::from([0.0, -0.0, -1.0, NAN, INF, 2.0]).requires_grad_(true);
                let gradient = crate::grad(x.pow(p).sum(), &x).create_graph(create_graph).compute().unwrap();
                assert_same(&gradient[0], &expected);
            }
        }
    }

    #[test]
    fn gradients_of_powers_of_tensors_at_their_kinks() {
        let x = Tensor::from([0.0, 0.0, 0.0, -1.0, -2.0, NAN, 2.0, 0.0, -0.0]).requires_grad_(true);
        let p = Tensor::from([0.0, 1.0, -1.0, 2.0, 1.5, 0.0, 3.0, 0.5, 2.0]).requires_grad_(true);
        let y = x.pow(&p);
        assert_same(&y, &[1.0, 0.0, INF, 1.0, NAN, 1.0, 8.0, 0.0, 0.0]);
        y.sum().backward().unwrap();
        assert_same(&x.grad().unwrap(), &[0.0, 1.0, -INF, -2.0, NAN, 0.0, 12.0, INF, 0.0]);
        let exponent = [0.0, 0.0, -INF, NAN, NAN, NAN, 5.545177444479562, 0.0, 0.0];
        assert_same(&p.grad().unwrap(), &exponent);
    }

    #[test]
    fn gradients_of_powers_of_numbers_at_their_kinks() {
        let cases: [(f64, [f64; 4]); 4] = [
            (0.0, [0.0, 0.0, -INF, NAN]),
            (2.0, [std::f64::consts::LN_2, 1.3862943611198906, 0.34657359027997264, NAN]),
            (1.0, [0.0, 0.0, 0.0, 0.0]),
            (-2.0, [NAN; 4]),
        ];
        for (base, expected) in cases {
            let p = Tensor::from([0.0, 1.0, -1.0, NAN]).requires_grad_(true);
            p.rpow(base).sum().backward().unwrap();
            assert_same(&p.grad().unwrap(), &expected);
        }
    }

    #[test]
    fn integers_stay_integers_and_wrap() {
        let x = Tensor::from([1i64, -2, 3]);
        assert_eq!(x.pow(2).to_vec::<i64>(), [1, 4, 9]);
        assert_eq!(x.pow(0).to_vec::<i64>(), [1, 1, 1]);
        assert_eq!(Tensor::from([3i64]).pow(41).to_vec::<i64>(), [3i64.wrapping_pow(41)]);
        assert_eq!(x.rpow(2).to_vec::<i64>(), [2, 0, 8]);
        let p = Tensor::from([-1i64, -3, -1, -2, 4, -1]);
        let x = Tensor::from([1i64, -1, 3, -1, -2, 0]);
        assert_eq!(x.pow(&p).to_vec::<i64>(), [1, -1, 0, 1, 16, 0]);
    }

    #[test]
    fn operands_are_promoted() {
        no_grad(|| {
            assert_eq!(Tensor::from([2i64]).pow(0.5).dtype(), DType::F32);
            assert_eq!(Tensor::from([true]).pow(2).to_vec::<i64>(), [1]);
            assert_eq!(Tensor::from([2.0f32]).pow(2.5).dtype(), DType::F32);
            assert_eq!(Tensor::from([3.0]).pow(Tensor::from([2i64])).to_vec::<f64>(), [9.0]);
            assert_eq!(Tensor::from([3i64]).pow(Tensor::from(2.0f32)).to_vec::<f32>(), [9.0]);
            assert_eq!(Tensor::from([2i64]).rpow(2.5).to_vec::<f32>(), [6.25]);
        });
    }

    #[test]
    #[should_panic(expected = "Integers to negative integer powers are not allowed (exponent -1)")]
    fn negative_powers_of_integers_are_refused() {
        Tensor::from([2i64]).pow(-1);
    }

    #[test]
    #[should_panic(expected = "pow: The size of tensor a (2) must match the size of tensor b (3)")]
    fn shapes_must_broadcast() {
        Tensor::from([1.0, 2.0]).pow(Tensor::from([1.0, 2.0, 3.0]));
    }
}
