//! What every operation's file shares: operands, samples for the gradient checks, and the loops from
//! tensors to kernels.

use crate::autograd::is_grad_enabled;
use crate::dtype::promote;
use crate::kernel::Strided;
use crate::kernel::map::{self, Binary, Unary};
use crate::kernel::parallel::Locked;
use crate::shape::{broadcast, broadcast_strides};
use crate::storage::build;
use crate::{DType, Element, Scalar, Tensor};
use std::borrow::Cow;

/// An argument that may be a tensor or a plain number.
///
/// ```
/// use tape::Tensor;
/// let x = Tensor::from([1.0, 4.0]);
/// assert_eq!(x.pow(2.0).to_vec::<f64>(), [1.0, 16.0]);
/// assert_eq!(x.pow(&Tensor::from([3.0, 0.5])).to_vec::<f64>(), [1.0, 2.0]);
/// ```
#[derive(Clone, Debug)]
pub enum Operand<'a> {
    /// A tensor, borrowed where that will do: a handle's count is shared between threads and not free.
    Tensor(Cow<'a, Tensor>),
    /// A number; it never widens the dtype of a tensor of its own category.
    Scalar(Scalar),
}

impl<'a> From<&'a Tensor> for Operand<'a> {
    #[inline]
    fn from(tensor: &'a Tensor) -> Self {
        Operand::Tensor(Cow::Borrowed(tensor))
    }
}
impl From<Tensor> for Operand<'_> {
    #[inline]
    fn from(tensor: Tensor) -> Self {
        Operand::Tensor(Cow::Owned(tensor))
    }
}
impl<S: Into<Scalar>> From<S> for Operand<'_> {
    #[inline]
    fn from(scalar: S) -> Self {
        Operand::Scalar(scalar.into())
    }
}

/// A call of an operation for the gradient checks: differentiable inputs (f64) and the function of them.
#[cfg(test)]
pub(crate) struct Sample {
    pub inputs: Vec<Tensor>,
    #[expect(clippy::type_complexity, reason = "a function of tensors")]
    pub call: Box<dyn Fn(&[Tensor]) -> Tensor + Send + Sync>,
}

#[cfg(test)]
impl Sample {
    pub fn new<const N: usize>(
        inputs: [Tensor; N],
        call: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static,
    ) -> Sample {
        Sample { inputs: inputs.into(), call: Box::new(call) }
    }
}

/// Deterministic test values spread over a range, no two alike.
#[cfg(test)]
pub(crate) fn spread(shape: &[usize], low: f64, high: f64) -> Tensor {
    let numel: usize = shape.iter().product();
    // Multiples of the golden ratio modulo one fill the unit interval evenly and without pattern.
    let unit = |i: usize| ((i + 1) as f64 * 0.618_033_988_749_894_9).fract();
    Tensor::from_vec((0..numel).map(|i| low + (high - low) * unit(i)).collect::<Vec<f64>>(), shape)
}

/// Samples of an elementwise function on values between `low` and `high`: a matrix, a transposed view,
/// a scalar, and nothing.
#[cfg(test)]
pub(crate) fn unary_samples(
    low: f64,
    high: f64,
    f: impl Fn(&Tensor) -> Tensor + Send + Sync + Copy + 'static,
) -> Vec<Sample> {
    vec![
        Sample::new([spread(&[2, 3], low, high)], move |x| f(&x[0])),
        Sample::new([spread(&[2, 3], low, high)], move |x| f(&x[0].t())),
        Sample::new([spread(&[], low, high)], move |x| f(&x[0])),
        Sample::new([spread(&[0, 2], low, high)], move |x| f(&x[0])),
    ]
}

/// Samples of an elementwise function of two tensors with values in -2..2, broadcasting included.
#[cfg(test)]
pub(crate) fn binary_samples(f: impl Fn(&[Tensor]) -> Tensor + Send + Sync + Copy + 'static) -> Vec<Sample> {
    let pair = |a: &[usize], b: &[usize]| [spread(a, -2.0, 2.0), spread(b, -1.9, 1.9)];
    vec![
        Sample::new(pair(&[2, 3], &[2, 3]), f),
        Sample::new(pair(&[2, 1], &[3]), f),
        Sample::new(pair(&[], &[2, 2]), f),
        Sample::new(pair(&[], &[]), f),
        Sample::new(pair(&[0, 3], &[1, 3]), f),
        Sample::new(pair(&[2, 3], &[3, 2]), move |x| f(&[x[0].t(), x[1].clone()])),
        Sample::new([spread(&[3], -2.0, 2.0)], move |x| f(&[x[0].clone(), x[0].clone()])),
    ]
}

/// Both tensors in their common dtype; conversions are recorded.
pub(crate) fn promoted(a: &Tensor, b: &Tensor) -> (Tensor, Tensor) {
    let dtype = promote(a.dtype(), a.dim(), b.dtype(), b.dim());
    (a.to_dtype(dtype), b.to_dtype(dtype))
}

/// `f` of every element; not recorded.
#[inline]
pub(crate) fn map<T: Element, U: Element, F: Unary<T, U>>(x: &Tensor, f: F) -> Tensor {
    let buffer = build::<U>(x.numel(), |out| x.with::<T, _>(|x| map::unary(x, out, f)));
    Tensor::from_buffer(buffer, x.layout().shape.clone())
}

/// `f` of every pair of elements under broadcasting; not recorded.
#[inline]
#[track_caller]
pub(crate) fn zip<A: Element, B: Element, U: Element, F: Binary<A, B, U>>(
    op: &str,
    a: &Tensor,
    b: &Tensor,
    f: F,
) -> Tensor {
    if a.sizes() == b.sizes() && a.is_contiguous() && b.is_contiguous() {
        let len = a.numel();
        let buffer = build::<U>(len, |out| {
            a.with2::<A, B, _>(b, |a, b| map::binary_slices(&a.data[..len], &b.data[..len], out, f));
        });
        return Tensor::from_buffer(buffer, a.layout().shape.clone());
    }
    let shape = broadcast(op, a.sizes(), b.sizes());
    let strides_a = broadcast_strides(a.sizes(), a.stride(), &shape);
    let strides_b = broadcast_strides(b.sizes(), b.stride(), &shape);
    let buffer = build::<U>(shape.iter().product(), |out| {
        a.with2::<A, B, _>(b, |a, b| {
            let a = Strided { data: a.data, shape: &shape, strides: &strides_a };
            let b = Strided { data: b.data, shape: &shape, strides: &strides_b };
            map::binary(a, b, out, f);
        });
    });
    Tensor::from_buffer(buffer, shape)
}

/// [`zip`] that is fast where one operand is a single number (a gradient of a sum, say).
#[inline]
#[track_caller]
pub(crate) fn zip_uniform<T: Element, F: Binary<T>>(op: &str, a: &Tensor, b: &Tensor, f: F) -> Tensor {
    if b.is_contiguous() && !a.is_contiguous() && a.is_uniform_over(b.sizes()) {
        let number = a.with::<T, _>(|a| a.data[0]);
        return map(b, Left(f, number));
    }
    if a.is_contiguous() && !b.is_contiguous() && b.is_uniform_over(a.sizes()) {
        let number = b.with::<T, _>(|b| b.data[0]);
        return map(a, Right(f, number));
    }
    zip::<T, T, T, F>(op, a, b, f)
}

/// A fused derivative: `f(grad, saved)` in one pass over dense operands where the result needs no
/// history, else the formula in tensor operations, which has one.
#[inline]
pub(crate) fn fused2<F: Binary<f32> + Binary<f64>>(
    grad: &Tensor,
    saved: &Tensor,
    f: F,
    formula: impl FnOnce() -> Tensor,
) -> Tensor {
    if is_grad_enabled() || grad.dtype() != saved.dtype() || grad.sizes() != saved.sizes() {
        return formula();
    }
    match grad.dtype() {
        DType::F32 => zip_dense::<f32, F>(grad, saved, f),
        DType::F64 => zip_dense::<f64, F>(grad, saved, f),
        _ => formula(),
    }
}

/// `f` of every pair of elements of tensors of one shape, in the memory of the gradient if nobody else
/// can see it.
#[inline]
fn zip_dense<T: Element, F: Binary<T>>(grad: &Tensor, saved: &Tensor, f: F) -> Tensor {
    let (grad, saved) =
        (Cow::Borrowed(grad), if saved.is_contiguous() { Cow::Borrowed(saved) } else { Cow::Owned(saved.dense()) });
    let len = grad.numel();
    if grad.is_contiguous() && grad.is_exclusive() {
        grad.write_with::<T, T>(&saved, |to, from| map::binary_in_place(&mut to.data[..len], &from.data[..len], f));
        return grad.into_owned();
    }
    let grad = if grad.is_contiguous() { grad } else { Cow::Owned(grad.dense()) };
    let buffer = build::<T>(len, |out| {
        grad.with2::<T, T, _>(&saved, |a, b| map::binary_slices(&a.data[..len], &b.data[..len], out, f));
    });
    Tensor::from_buffer(buffer, grad.layout().shape.clone())
}

/// `f` of every element of a gradient that a rule was given, in its memory if nobody else can see it.
/// Only for results without history.
#[inline]
pub(crate) fn map_gradient<T: Element, F: Unary<T>>(grad: &Tensor, f: F) -> Tensor {
    if !(grad.is_contiguous() && grad.is_exclusive()) {
        return map::<T, T, F>(grad, f);
    }
    let _locked = Locked::new();
    let mut guard = grad.inner.storage.write();
    let numel = grad.numel();
    map::unary_in_place(&mut grad.strided_mut::<T>(&mut guard).data[..numel], f);
    drop(guard);
    grad.clone()
}

/// A binary function with its second argument fixed.
#[derive(Clone, Copy)]
pub(crate) struct Right<F, B>(pub F, pub B);
/// A binary function with its first argument fixed.
#[derive(Clone, Copy)]
pub(crate) struct Left<F, A>(pub F, pub A);

impl<A: Element, B: Element, U, F: Binary<A, B, U>> Unary<A, U> for Right<F, B> {
    const COSTLY: bool = F::COSTLY;
    #[inline(always)]
    fn apply(self, x: A) -> U {
        self.0.apply(x, self.1)
    }
}

impl<A: Element, B: Element, U, F: Binary<A, B, U>> Unary<B, U> for Left<F, A> {
    const COSTLY: bool = F::COSTLY;
    #[inline(always)]
    fn apply(self, x: B) -> U {
        self.0.apply(self.1, x)
    }
}

impl Tensor {
    /// Whether broadcasting to `shape` would repeat one element and give exactly that shape.
    #[inline]
    fn is_uniform_over(&self, shape: &[usize]) -> bool {
        let layout = self.layout();
        self.dim() <= shape.len()
            && !shape.contains(&0)
            && layout.shape.iter().zip(&layout.strides).all(|(&size, &stride)| size == 1 || stride == 0)
            && layout.shape.iter().rev().zip(shape.iter().rev()).all(|(&size, &full)| size == 1 || size == full)
    }

    /// This tensor in `dtype`: itself, or its recorded conversion.
    #[inline]
    pub(crate) fn in_dtype(&self, dtype: DType) -> Cow<'_, Tensor> {
        if dtype == self.dtype() { Cow::Borrowed(self) } else { Cow::Owned(self.to_dtype(dtype)) }
    }
}
