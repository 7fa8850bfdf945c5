//! The larger and the smaller of two values: `clamp`, `maximum`, `minimum`, `fmax`, `fmin`.

use super::elementary::Derivative;
use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::dtype::dispatch_number;
use crate::kernel::map::{Binary, Unary};
use crate::kernel::reduce::Number;
use crate::op::{Operand, fused2, map, promoted, zip};
use crate::{DType, Float, Scalar, Tensor};
use std::borrow::Cow;

/// A limit of [`Tensor::clamp`]: a number, a tensor, or `None` for no limit.
///
/// ```
/// # use tape::Tensor;
/// let x = Tensor::from([-2.0, 5.0]);
/// assert_eq!(x.clamp(None, 1.0).to_vec::<f64>(), [-2.0, 1.0]);
/// assert_eq!(x.clamp(&Tensor::from([-1.0, 6.0]), None).to_vec::<f64>(), [-1.0, 6.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Bound<'a>(Option<Operand<'a>>);

impl From<Option<f64>> for Bound<'_> {
    fn from(limit: Option<f64>) -> Self {
        Bound(limit.map(Operand::from))
    }
}

macro_rules! bound_from {
    ($($type:ty),*) => {$(
        impl<'a> From<$type> for Bound<'a> {
            fn from(limit: $type) -> Self {
                Bound(Some(limit.into()))
            }
        }
    )*};
}
bound_from!(&'a Tensor, Tensor, Operand<'a>, Scalar, f32, f64, i32, i64, usize);

/// Between two numbers; holds them in double precision, and torch's name of the node.
#[derive(Clone, Copy)]
pub(crate) struct Clamp {
    low: Option<f64>,
    high: Option<f64>,
    name: &'static str,
}
/// Between the elements of two tensors.
pub(crate) struct ClampTensors;
/// Not below the elements of a tensor; holds torch's name of the node.
pub(crate) struct ClampMin(&'static str);
/// Not above the elements of a tensor; holds torch's name of the node.
pub(crate) struct ClampMax(&'static str);
/// The larger of two elements, or NaN.
pub(crate) struct Maximum;
/// The smaller of two elements, or NaN.
pub(crate) struct Minimum;
/// The larger of two elements, the other one beside NaN.
pub(crate) struct Fmax;
/// The smaller of two elements, the other one beside NaN.
pub(crate) struct Fmin;

/// Between two elements; the upper one wins over the lower one.
#[derive(Clone, Copy)]
struct Within<T> {
    low: T,
    high: T,
}

impl<T: Number> Unary<T> for Within<T> {
    #[inline(always)]
    fn apply(self, x: T) -> T {
        // NaN passes both comparisons, and so does -0.0 at a limit of 0.0.
        let x = if x < self.low { self.low } else { x };
        if x > self.high { self.high } else { x }
    }
}

impl<T: Float> Binary<T> for Derivative<Clamp> {
    #[inline(always)]
    fn apply(self, grad: T, x: T) -> T {
        let low = T::from_f64(self.0.low.unwrap_or(f64::NEG_INFINITY));
        let high = T::from_f64(self.0.high.unwrap_or(f64::INFINITY));
        if (x >= low) & (x <= high) { grad } else { T::ZERO }
    }
}

/// Declares choices between two elements.
macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident: |$a:ident, $b:ident| $second:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        struct $name;
        impl<T: Number> Binary<T> for $name {
            #[inline(always)]
            fn apply(self, $a: T, $b: T) -> T {
                if $second { $b } else { $a }
            }
        }
    )+};
}
choices! {
    // A NaN in `b` is taken; one in `a` stays, because no comparison with it holds.
    Larger: |a, b| (b > a) | b.unordered();
    Smaller: |a, b| (b < a) | b.unordered();
    LargerNumber: |a, b| (b > a) | a.unordered();
    SmallerNumber: |a, b| (b < a) | a.unordered();
}

/// An operand as a tensor; a number with the dtype it takes beside elements of `dtype`.
fn tensor(operand: Operand<'_>, dtype: DType) -> Cow<'_, Tensor> {
    match operand {
        Operand::Tensor(tensor) => tensor,
        Operand::Scalar(number) => Cow::Owned(Tensor::full((), number, number.promote(dtype))),
    }
}

/// `f` of two tensors of one dtype under broadcasting, not recorded; booleans as integers.
#[track_caller]
fn choose<F>(op: &str, a: &Tensor, b: &Tensor, f: F) -> Tensor
where
    F: Binary<f32> + Binary<f64> + Binary<i64>,
{
    if a.dtype() == DType::Bool {
        return choose(op, &a.long(), &b.long(), f).bool();
    }
    dispatch_number!(op, a.dtype(), T => zip::<T, T, T, F>(op, a, b, f))
}

impl Op for Clamp {
    fn name(&self) -> &'static str {
        self.name
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let x = rule.saved(0);
        gradients![rule; fused2(grad, x, Derivative(*self), || {
            let above = x.ge(self.low.unwrap_or(f64::NEG_INFINITY));
            let inside = above.logical_and(&x.le(self.high.unwrap_or(f64::INFINITY)));
            Tensor::where_(&inside, grad, 0)
        })]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        let mut samples = crate::op::unary_samples(-2.0, 2.0, |x| x.clamp(-0.5, 1.25) * x);
        samples.extend(crate::op::unary_samples(-2.0, 2.0, |x| x.clamp_min(0.1) * x));
        samples.extend(crate::op::unary_samples(-2.0, 2.0, |x| x.clamp_max(0.1) * x));
        samples
    }
}

impl Op for ClampTensors {
    fn name(&self) -> &'static str {
        "ClampBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (x, low, high) = (rule.saved(0), rule.saved(1), rule.saved(2));
        gradients![rule;
            Tensor::where_(&x.ge(low).logical_and(&x.le(high)), grad, 0),
            Tensor::where_(&x.lt(low).logical_and(&low.lt(high)), grad, 0),
            Tensor::where_(&x.gt(high).logical_or(&high.lt(low)), grad, 0),
        ]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let limits = |shape: &[usize]| [spread(&[3, 2], -2.0, 2.0), spread(shape, -1.9, -0.3), spread(&[2], -0.6, 1.8)];
        let call = |x: &[Tensor]| x[0].clamp(&x[1], &x[2]) * &x[0];
        vec![Sample::new(limits(&[3, 2]), call), Sample::new(limits(&[3, 1]), call), Sample::new(limits(&[]), call)]
    }
}

impl Op for ClampMin {
    fn name(&self) -> &'static str {
        self.0
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (x, low) = (rule.saved(0), rule.saved(1));
        gradients![rule; Tensor::where_(&x.ge(low), grad, 0), Tensor::where_(&x.lt(low), grad, 0)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::binary_samples(|x| x[0].clamp_min(&(&x[1] * 0.9)) * &x[0])
    }
}

impl Op for ClampMax {
    fn name(&self) -> &'static str {
        self.0
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (x, high) = (rule.saved(0), rule.saved(1));
        gradients![rule; Tensor::where_(&x.le(high), grad, 0), Tensor::where_(&x.gt(high), grad, 0)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::binary_samples(|x| x[0].clamp(None, &(&x[1] * 0.9)) * &x[0])
    }
}

/// The gradient of a maximum or minimum to the operand that loses where `beaten`: halved at ties, whole
/// beside NaN.
fn shared(grad: &Tensor, tie: &Tensor, beaten: &Tensor) -> Tensor {
    Tensor::where_(tie, grad / 2.0, grad).masked_fill(beaten, 0)
}

impl Op for Maximum {
    fn name(&self) -> &'static str {
        "MaximumBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (a, b) = (rule.saved(0), rule.saved(1));
        let tie = a.eq(b);
        gradients![rule; shared(grad, &tie, &a.lt(b)), shared(grad, &tie, &b.lt(a))]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::binary_samples(|x| x[0].maximum(&(&x[1] * 0.9)) * &x[0])
    }
}

impl Op for Minimum {
    fn name(&self) -> &'static str {
        "MinimumBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (a, b) = (rule.saved(0), rule.saved(1));
        let tie = a.eq(b);
        gradients![rule; shared(grad, &tie, &a.gt(b)), shared(grad, &tie, &b.gt(a))]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::binary_samples(|x| x[0].minimum(&(&x[1] * 0.9)) * &x[0])
    }
}

impl Op for Fmax {
    fn name(&self) -> &'static str {
        "FmaxBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (a, b) = (rule.saved(0), rule.saved(1));
        let first = a.ge(b).logical_or(&b.isnan());
        gradients![rule; Tensor::where_(&first, grad, 0), Tensor::where_(&first, 0, grad)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::binary_samples(|x| x[0].fmax(&(&x[1] * 0.9)) * &x[0])
    }
}

impl Op for Fmin {
    fn name(&self) -> &'static str {
        "FminBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (a, b) = (rule.saved(0), rule.saved(1));
        let first = a.le(b).logical_or(&b.isnan());
        gradients![rule; Tensor::where_(&first, grad, 0), Tensor::where_(&first, 0, grad)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::binary_samples(|x| x[0].fmin(&(&x[1] * 0.9)) * &x[0])
    }
}

/// Declares the choices between the elements of a tensor and those of another or a number.
macro_rules! pairwise {
    ($($(#[$doc:meta])* fn $method:ident: $op:ident, $function:ident;)+) => {
        impl Tensor {$(
            $(#[$doc])*
            #[track_caller]
            pub fn $method<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
                // Compiled here and not in every crate that calls it.
                #[track_caller]
                fn apply(this: &Tensor, other: Operand<'_>) -> Tensor {
                    let other = tensor(other, this.dtype());
                    if this.dtype() != other.dtype() {
                        let (a, b) = promoted(this, &other);
                        return a.$method(&b);
                    }
                    let out = choose(stringify!($method), this, &other, $function);
                    out.record(&[this, &other], || $op, |_| saves![this, &other])
                }
                apply(self, other.into())
            }
        )+}
    };
}

pairwise! {
    /// The larger of two elements, those of a tensor (under broadcasting) or one number; NaN if either is.
    /// Equal elements share the gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let larger = Tensor::from([1.0, 5.0]).maximum(&Tensor::from([2.0, 3.0]));
    /// assert_eq!(larger.to_vec::<f64>(), [2.0, 5.0]);
    /// assert_eq!(Tensor::from([1.0, 5.0]).maximum(3.0).to_vec::<f64>(), [3.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    fn maximum: Maximum, Larger;

    /// The smaller of two elements, those of a tensor (under broadcasting) or one number; NaN if either is.
    /// Equal elements share the gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let smaller = Tensor::from([1.0, 5.0]).minimum(&Tensor::from([2.0, 3.0]));
    /// assert_eq!(smaller.to_vec::<f64>(), [1.0, 3.0]);
    /// assert_eq!(Tensor::from([1.0, 5.0]).minimum(3.0).to_vec::<f64>(), [1.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    fn minimum: Minimum, Smaller;

    /// The larger of two elements, those of a tensor (under broadcasting) or one number, ignoring NaN. Of equal
    /// elements `self` gets the gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let larger = Tensor::from([f64::NAN, 5.0]).fmax(&Tensor::from([2.0, 3.0]));
    /// assert_eq!(larger.to_vec::<f64>(), [2.0, 5.0]);
    /// assert_eq!(Tensor::from([f64::NAN, 5.0]).fmax(3.0).to_vec::<f64>(), [3.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    fn fmax: Fmax, LargerNumber;

    /// The smaller of two elements, those of a tensor (under broadcasting) or one number, ignoring NaN. Of equal
    /// elements `self` gets the gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let smaller = Tensor::from([f64::NAN, 5.0]).fmin(&Tensor::from([2.0, 3.0]));
    /// assert_eq!(smaller.to_vec::<f64>(), [2.0, 3.0]);
    /// assert_eq!(Tensor::from([f64::NAN, 5.0]).fmin(3.0).to_vec::<f64>(), [3.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    fn fmin: Fmin, SmallerNumber;
}

impl Tensor {
    /// Every element moved to the nearer limit if it is outside `min..=max`; where `min > max` to `max`.
    /// A limit is a number, a tensor (under broadcasting), or `None`. NaN stays; a limit of NaN gives NaN.
    ///
    /// The gradient with respect to `self` is 1 from limit to limit, both included, and 0 outside and at NaN;
    /// a tensor as limit gets the gradient of the elements that were moved to it.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([-2.0, 0.5, 5.0]);
    /// assert_eq!(x.clamp(0.0, 1.0).to_vec::<f64>(), [0.0, 0.5, 1.0]);
    /// assert_eq!(x.clamp(None, 1.0).to_vec::<f64>(), [-2.0, 0.5, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If both limits are `None` or the shapes do not broadcast.
    #[track_caller]
    pub fn clamp<'a, 'b>(&self, min: impl Into<Bound<'a>>, max: impl Into<Bound<'b>>) -> Tensor {
        match (min.into().0, max.into().0) {
            (None, None) => {
                panic!("clamp: At least one of 'min' or 'max' must not be None; leave the call out")
            }
            (Some(Operand::Scalar(low)), None) => self.clamp_numbers(Some(low), None, "ClampBackward1"),
            (None, Some(Operand::Scalar(high))) => self.clamp_numbers(None, Some(high), "ClampBackward1"),
            (Some(Operand::Scalar(low)), Some(Operand::Scalar(high))) => {
                self.clamp_numbers(Some(low), Some(high), "ClampBackward1")
            }
            (Some(Operand::Tensor(low)), None) => self.clamp_below(&low, "ClampBackward0"),
            (None, Some(Operand::Tensor(high))) => self.clamp_above(&high, "ClampBackward0"),
            (Some(low), Some(high)) => self.clamp_tensors(&tensor(low, self.dtype()), &tensor(high, self.dtype())),
        }
    }

    /// [`clamp`](Tensor::clamp) with a lower limit alone, a number or a tensor.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-2.0, 5.0]).clamp_min(0.0).to_vec::<f64>(), [0.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn clamp_min<'a>(&self, min: impl Into<Operand<'a>>) -> Tensor {
        // Compiled here and not in every crate that calls it.
        #[track_caller]
        fn apply(this: &Tensor, min: Operand<'_>) -> Tensor {
            match min {
                Operand::Scalar(low) => this.clamp_numbers(Some(low), None, "ClampMinBackward0"),
                Operand::Tensor(low) => this.clamp_below(&low, "ClampMinBackward1"),
            }
        }
        apply(self, min.into())
    }

    /// [`clamp`](Tensor::clamp) with an upper limit alone, a number or a tensor.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([-2.0, 5.0]).clamp_max(0.0).to_vec::<f64>(), [-2.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn clamp_max<'a>(&self, max: impl Into<Operand<'a>>) -> Tensor {
        // Compiled here and not in every crate that calls it.
        #[track_caller]
        fn apply(this: &Tensor, max: Operand<'_>) -> Tensor {
            match max {
                Operand::Scalar(high) => this.clamp_numbers(None, Some(high), "ClampMaxBackward0"),
                Operand::Tensor(high) => this.clamp_above(&high, "ClampMaxBackward1"),
            }
        }
        apply(self, max.into())
    }

    #[track_caller]
    fn clamp_numbers(&self, low: Option<Scalar>, high: Option<Scalar>, name: &'static str) -> Tensor {
        let mut x = self.clone();
        for limit in low.iter().chain(&high) {
            x = x.to_dtype(limit.promote(x.dtype()));
        }
        let [low_number, high_number] = [low, high].map(|limit| limit.map(Scalar::to_f64));
        let out = if low_number.is_some_and(f64::is_nan) || high_number.is_some_and(f64::is_nan) {
            x.full_like(f64::NAN)
        } else {
            dispatch_number!("clamp", x.dtype(), T => map(&x, Within {
                low: low.map_or(T::LOWEST, Scalar::cast::<T>),
                high: high.map_or(T::HIGHEST, Scalar::cast::<T>),
            }))
        };
        out.record(&[&x], || Clamp { low: low_number, high: high_number, name }, |_| saves![&x])
    }

    #[track_caller]
    fn clamp_below(&self, low: &Tensor, name: &'static str) -> Tensor {
        let (x, low) = promoted(self, low);
        choose("clamp", &x, &low, Larger).record(&[&x, &low], || ClampMin(name), |_| saves![&x, &low])
    }

    #[track_caller]
    fn clamp_above(&self, high: &Tensor, name: &'static str) -> Tensor {
        let (x, high) = promoted(self, high);
        choose("clamp", &x, &high, Smaller).record(&[&x, &high], || ClampMax(name), |_| saves![&x, &high])
    }

    #[track_caller]
    fn clamp_tensors(&self, low: &Tensor, high: &Tensor) -> Tensor {
        let (x, low) = promoted(self, low);
        let (x, high) = promoted(&x, high);
        let (x, low) = promoted(&x, &low);
        let out = choose("clamp", &choose("clamp", &x, &low, Larger), &high, Smaller);
        out.record(&[&x, &low, &high], || ClampTensors, |_| saves![&x, &low, &high])
    }
}

#[cfg(test)]
mod tests;
