//! Circular and hyperbolic functions and their inverses.

use super::elementary::{Derivative, elementary};
use crate::autograd::{Gradients, Op, Rule, gradients, is_grad_enabled, save_output, saves};
use crate::dtype::dispatch_float;
use crate::kernel::map::{Binary, Unary};
use crate::kernel::simd::{Kernel, dispatch};
use crate::kernel::vmath::VMath;
use crate::op::{fused2, map, promoted, zip};
use crate::storage::build;
use crate::{DType, Float, Tensor};
use std::marker::PhantomData;

elementary! {
    /// The hyperbolic tangent.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, 30.0]).tanh().to_vec::<f64>(), [0.0, 1.0]);
    /// ```
    fn tanh: Tanh, "TanhBackward0", VMath::tanh;
        // torch's kernel is compiled to a fused multiply-add; its derivatives of higher order are not.
        output, |grad, y| grad * (1.0 - y * y), fused grad * (-y).mul_add(y, 1.0);
        samples -2.0, 2.0;

    /// The hyperbolic sine.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, 1e-20]).sinh().to_vec::<f64>(), [0.0, 1e-20]);
    /// ```
    fn sinh: Sinh, "SinhBackward0", VMath::sinh;
        input, |grad, x| grad * x.cosh(), fused grad * VMath::cosh(x);
        samples -2.0, 2.0;

    /// The hyperbolic cosine.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0]).cosh().item(), 1.0);
    /// ```
    fn cosh: Cosh, "CoshBackward0", VMath::cosh;
        input, |grad, x| grad * x.sinh(), fused grad * VMath::sinh(x);
        samples -2.0, 2.0;

    /// The angle in `[-pi/2, pi/2]` with this sine; NaN beyond `[-1, 1]`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0]).asin().item(), std::f64::consts::FRAC_PI_2);
    /// ```
    fn asin: Asin, "AsinBackward0", VMath::asin;
        input, |grad, x| grad / (1.0 - x * x).sqrt();
        samples -0.8, 0.8;

    /// The angle in `[0, pi]` with this cosine; NaN beyond `[-1, 1]`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-1.0]).acos().item(), std::f64::consts::PI);
    /// ```
    fn acos: Acos, "AcosBackward0", VMath::acos;
        input, |grad, x| -grad / (1.0 - x * x).sqrt();
        samples -0.8, 0.8;

    /// The angle in `[-pi/2, pi/2]` with this tangent.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([f64::INFINITY]).atan().item(), std::f64::consts::FRAC_PI_2);
    /// ```
    fn atan: Atan, "AtanBackward0", VMath::atan;
        input, |grad, x| grad / (x * x + 1.0);
        samples -2.0, 2.0;
}

/// Elements whose arguments are checked together.
const BLOCK: usize = 256;
/// Elements that one thread takes at a time, and from how many on a second thread helps.
const CHUNK: usize = 1 << 14;
const PARALLEL: usize = 1 << 15;

/// A function of an angle, which has a fast form for angles up to [`VMath::TRIG_LIMIT`].
trait Angle: Send + Sync {
    fn near<T: VMath + Float>(x: T) -> T;
    fn far<T: VMath + Float>(x: T) -> T;
}

macro_rules! angle {
    ($name:ident, |$x:ident| $near:expr, $far:expr) => {
        impl Angle for $name {
            #[inline(always)]
            fn near<T: VMath + Float>($x: T) -> T {
                $near
            }
            #[inline(always)]
            fn far<T: VMath + Float>($x: T) -> T {
                $far
            }
        }
    };
}

/// `sin` of every element.
pub(crate) struct Sin;
/// `cos` of every element.
pub(crate) struct Cos;
/// `tan` of every element.
#[derive(Clone, Copy)]
pub(crate) struct Tan;
/// `-sin`, the derivative of `cos`.
struct MinusSin;
angle!(Sin, |x| x.sin(), x.sin_any());
angle!(Cos, |x| x.cos(), x.cos_any());
angle!(Tan, |x| x.tan(), x.tan_any());
angle!(MinusSin, |x| -x.sin(), -x.sin_any());

/// `out[i] = A(x[i])`, or `scale[i] * A(x[i])`.
struct Angles<'a, T, A> {
    x: &'a [T],
    scale: Option<&'a [T]>,
    out: &'a mut [T],
    function: PhantomData<A>,
}

impl<T: VMath + Float, A: Angle> Kernel for Angles<'_, T, A> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (block, (out, x)) in self.out.chunks_mut(BLOCK).zip(self.x.chunks(BLOCK)).enumerate() {
            if T::trig_in_range(x) {
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = A::near(x);
                }
            } else {
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = A::far(x);
                }
            }
            if let Some(scale) = self.scale {
                for (out, &scale) in out.iter_mut().zip(&scale[block * BLOCK..]) {
                    *out = scale * *out;
                }
            }
        }
    }
}

/// [`Angles`] on several threads if that pays.
fn angles_of<T: VMath + Float, A: Angle>(x: &[T], scale: Option<&[T]>, out: &mut [T]) {
    if out.len() < PARALLEL || !crate::kernel::parallel::allowed() {
        return dispatch(Angles::<T, A> { x, scale, out, function: PhantomData });
    }
    crate::kernel::parallel::for_chunks(out, CHUNK, &|start, out| {
        let scale = scale.map(|scale| &scale[start..start + out.len()]);
        let x = &x[start..start + out.len()];
        dispatch(Angles::<T, A> { x, scale, out, function: PhantomData });
    });
}

/// `A` of every element; not recorded.
#[track_caller]
fn angles<A: Angle>(op: &str, x: &Tensor) -> Tensor {
    let (x, len) = (x.dense(), x.numel());
    dispatch_float!(op, x.dtype(), T => {
        let buffer = build::<T>(len, |out| x.with::<T, _>(|x| angles_of::<T, A>(&x.data[..len], None, out)));
        Tensor::from_buffer(buffer, x.layout().shape.clone())
    })
}

/// `grad * A(x)` in one pass where the result needs no history, else the formula.
fn scaled_angles<A: Angle>(grad: &Tensor, x: &Tensor, formula: impl FnOnce() -> Tensor) -> Tensor {
    if is_grad_enabled() || grad.dtype() != x.dtype() || grad.sizes() != x.sizes() {
        return formula();
    }
    let (grad, x, len) = (grad.dense(), x.dense(), x.numel());
    dispatch_float!("backward", x.dtype(), T => {
        let buffer = build::<T>(len, |out| {
            x.with2::<T, T, _>(&grad, |x, grad| {
                angles_of::<T, A>(&x.data[..len], Some(&grad.data[..len]), out);
            });
        });
        Tensor::from_buffer(buffer, x.layout().shape.clone())
    })
}

impl<T: Float> Binary<T> for Derivative<Tan> {
    #[inline(always)]
    fn apply(self, grad: T, y: T) -> T {
        grad * (T::ONE + y * y)
    }
}

impl Op for Sin {
    fn name(&self) -> &'static str {
        "SinBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let x = rule.saved(0);
        gradients![rule; scaled_angles::<Cos>(grad, x, || grad * x.cos())]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::unary_samples(-2.0, 2.0, Tensor::sin)
    }
}

impl Op for Cos {
    fn name(&self) -> &'static str {
        "CosBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let x = rule.saved(0);
        gradients![rule; scaled_angles::<MinusSin>(grad, x, || grad * -x.sin())]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::unary_samples(-2.0, 2.0, Tensor::cos)
    }
}

impl Op for Tan {
    fn name(&self) -> &'static str {
        "TanBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let y = rule.saved(0);
        gradients![rule; fused2(grad, y, Derivative(Tan), || grad * (1.0 + y * y))]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::unary_samples(-1.0, 1.0, Tensor::tan)
    }
}

/// The angle of the point `(b, a)`.
#[derive(Clone, Copy)]
pub(crate) struct Atan2;

impl<T: Float + VMath> Binary<T> for Atan2 {
    const COSTLY: bool = true;
    #[inline(always)]
    fn apply(self, a: T, b: T) -> T {
        a.atan2(b)
    }
}

impl Op for Atan2 {
    fn name(&self) -> &'static str {
        "Atan2Backward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (a, b) = (rule.saved(0), rule.saved(1));
        let per_square = (a * a + b * b).reciprocal();
        gradients![rule; grad * b * &per_square, grad * -a * &per_square]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        // Shifted away from the ray where the angle jumps.
        crate::op::binary_samples(|x| x[0].atan2(&(&x[1] + 2.5)))
    }
}

impl Tensor {
    /// The sine, accurate for arguments of any size.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, std::f64::consts::FRAC_PI_2]).sin().to_vec::<f64>(), [0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn sin(&self) -> Tensor {
        if !self.dtype().is_floating_point() {
            return self.to_dtype(DType::F32).sin();
        }
        angles::<Sin>("sin", self).record(&[self], || Sin, |_| saves![self])
    }

    /// The cosine, accurate for arguments of any size.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, std::f64::consts::PI]).cos().to_vec::<f64>(), [1.0, -1.0]);
    /// ```
    #[track_caller]
    pub fn cos(&self) -> Tensor {
        if !self.dtype().is_floating_point() {
            return self.to_dtype(DType::F32).cos();
        }
        angles::<Cos>("cos", self).record(&[self], || Cos, |_| saves![self])
    }

    /// The tangent, accurate for arguments of any size.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0]).tan().item(), 0.0);
    /// ```
    #[track_caller]
    pub fn tan(&self) -> Tensor {
        if !self.dtype().is_floating_point() {
            return self.to_dtype(DType::F32).tan();
        }
        angles::<Tan>("tan", self).record(&[self], || Tan, save_output)
    }

    /// The angle in `[-pi, pi]` of the point whose ordinate is `self` and whose abscissa is `other`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let angle = Tensor::from([1.0, 0.0]).atan2(&Tensor::from([0.0, -1.0]));
    /// assert_eq!(angle.to_vec::<f64>(), [std::f64::consts::FRAC_PI_2, std::f64::consts::PI]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn atan2(&self, other: &Tensor) -> Tensor {
        if self.dtype() != other.dtype() || !self.dtype().is_floating_point() {
            let (a, b) = promoted(self, other);
            return a.to_floating().atan2(&b.to_floating());
        }
        let out = dispatch_float!("atan2", self.dtype(), T => zip::<T, T, T, _>("atan2", self, other, Atan2));
        out.record(&[self, other], || Atan2, |_| saves![self, other])
    }
}

#[cfg(test)]
mod tests {
    use crate::autograd::no_grad;
    use crate::{DType, Tensor};

    #[test]
    fn large_arguments_are_reduced_exactly_and_alone() {
        // 1e22 is far beyond the fast range; its sine is a classical test of the reduction.
        let mut values: Vec<f64> = (0..70_000).map(|i| f64::from(i) * 0.37 - 5000.0).collect();
        values[300] = 1e22;
        values[66_000] = f64::MAX;
        let x = Tensor::from(&values[..]);
        assert!((x.sin().i(300).item() - -0.852_200_849_767_188_8).abs() < 1e-14);
        for (found, expected) in [
            (x.sin(), f64::sin as fn(f64) -> f64),
            (x.cos(), f64::cos as fn(f64) -> f64),
            (x.tan(), f64::tan as fn(f64) -> f64),
        ] {
            for (y, &x) in found.to_vec::<f64>().iter().zip(&values) {
                let expected = expected(x);
                assert!((y - expected).abs() <= 1e-15 * (1.0 + expected.abs()), "{x}: {y} against {expected}");
            }
        }
    }

    #[test]
    fn infinity_has_no_sine() {
        let x = Tensor::from([f64::INFINITY, f64::NAN, -0.0]);
        assert!(x.sin().to_vec::<f64>()[..2].iter().all(|y| y.is_nan()));
        assert!(x.cos().to_vec::<f64>()[..2].iter().all(|y| y.is_nan()));
        assert!(x.sin().to_vec::<f64>()[2].is_sign_negative());
    }

    #[test]
    fn one_pass_gradients_agree_with_their_formulas() {
        let values: Vec<f64> = (0..70_000).map(|i| f64::from(i) * 0.013 - 450.0).collect();
        let weights = Tensor::from(&values[..]) * 0.01;
        for f in [Tensor::sin, Tensor::cos, Tensor::tan, Tensor::tanh, Tensor::atan] {
            let [fused, formula] = [false, true].map(|create_graph| {
                let x = Tensor::from(&values[..]).requires_grad_(true);
                let y = (f(&x) * &weights).sum();
                let gradient = crate::grad(&y, &x).create_graph(create_graph).compute().unwrap();
                gradient[0].to_vec::<f64>()
            });
            for (a, b) in fused.iter().zip(&formula) {
                assert!((a - b).abs() <= 1e-14 * (1.0 + b.abs()), "{a} against {b}");
            }
        }
    }

    #[test]
    fn angles_of_the_origin_have_no_gradient() {
        let y = Tensor::from([0.0, 1.0, -0.0]).requires_grad_(true);
        let x = Tensor::from([0.0, -1.0, -1.0]).requires_grad_(true);
        y.atan2(&x).sum().backward().unwrap();
        let (dy, dx) = (y.grad().unwrap().to_vec::<f64>(), x.grad().unwrap().to_vec::<f64>());
        assert!(dy[0].is_nan() && dx[0].is_nan());
        assert_eq!((&dy[1..], &dx[1..]), (&[-0.5, -1.0][..], &[-0.5, 0.0][..]));
    }

    #[test]
    fn operands_are_promoted() {
        no_grad(|| {
            assert_eq!(Tensor::from([1i64]).atan2(&Tensor::from([1i64])).dtype(), DType::F32);
            assert_eq!(Tensor::from([1.0f32]).atan2(&Tensor::from([1.0])).dtype(), DType::F64);
            assert_eq!(Tensor::from([1i64]).sin().dtype(), DType::F32);
        });
    }
}
