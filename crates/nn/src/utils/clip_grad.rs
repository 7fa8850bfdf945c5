//! Gradients whose norm, or whose every element, is kept below a bound.

use super::check_writable;
use crate::{Error, Result};
use std::borrow::Borrow;
use tape::{DType, Float, Tensor, vector};

/// Which norm is taken, and whether it may be infinite or NaN; torch's keyword arguments of the same names.
///
/// ```
/// use nn::utils::{NormOptions, get_total_norm_with};
/// use tape::Tensor;
///
/// let largest = NormOptions::new().norm_type(f64::INFINITY);
/// assert_eq!(get_total_norm_with([Tensor::from([1.0, -7.0]), Tensor::from(2.0)], largest)?.item(), 7.0);
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormOptions {
    norm_type: f64,
    error_if_nonfinite: bool,
}

impl Default for NormOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl NormOptions {
    /// The 2-norm, whatever its value.
    pub fn new() -> Self {
        Self { norm_type: 2.0, error_if_nonfinite: false }
    }

    /// The order `p` of the norm `(sum |x|^p)^(1/p)`: infinity stands for the largest absolute value, minus
    /// infinity for the smallest, 0 for the number of what is not zero.
    pub fn norm_type(mut self, p: impl Into<f64>) -> Self {
        self.norm_type = p.into();
        self
    }

    /// Whether a norm that is infinite or NaN is an error.
    pub fn error_if_nonfinite(mut self, error: bool) -> Self {
        self.error_if_nonfinite = error;
        self
    }
}

/// Multiplies the gradients by `min(1, max_norm / (norm + 1e-6))`, where `norm` is the 2-norm of all of them taken
/// as one vector, and returns `norm` as it was before.
///
/// Norm and gradients have torch's bits. As there, the factor is applied even if the norm is small, so that a norm
/// just above `max_norm - 1e-6` shrinks a little; an infinite norm makes finite gradients zero and infinite ones
/// NaN, a norm that is NaN makes all of them NaN: [`NormOptions::error_if_nonfinite`] refuses both. A negative
/// `max_norm` turns the gradients around. Parameters without a gradient are left out; with no gradient at all the
/// norm is 0, of the default dtype.
///
/// ```
/// use nn::utils::clip_grad_norm_;
/// use tape::Tensor;
///
/// let w = Tensor::from([3.0, 4.0]).requires_grad_(true);
/// (&w * &w / 2.0).sum().backward()?;
/// assert_eq!(clip_grad_norm_([&w], 2.5)?.item(), 5.0);
/// assert!(w.grad().unwrap().allclose(&Tensor::from([1.5, 2.0]), 1e-6, 0.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// None: those of [`clip_grad_norm_with_`] need its options.
///
/// # Panics
/// If a gradient is not floating point or repeats elements (`expand`); no gradient is changed then.
#[track_caller]
pub fn clip_grad_norm_<I>(parameters: I, max_norm: impl Into<f64>) -> Result<Tensor>
where
    I: IntoIterator<Item: Borrow<Tensor>>,
{
    clip_grad_norm_with_(parameters, max_norm, NormOptions::new())
}

/// [`clip_grad_norm_`] with a norm of another order, or an error where the norm is infinite or NaN.
///
/// ```
/// use nn::utils::{NormOptions, clip_grad_norm_with_};
/// use tape::Tensor;
///
/// let w = Tensor::from([1.0, 2.0]).requires_grad_(true);
/// w.set_grad(Some(Tensor::from([f64::NAN, 1.0])));
/// let error = clip_grad_norm_with_([&w], 1.0, NormOptions::new().error_if_nonfinite(true)).unwrap_err();
/// assert!(error.to_string().starts_with("The total norm of order 2.0 for gradients from `parameters` is non-finite"));
/// assert_eq!(w.grad().unwrap().i(1).item(), 1.0); // as it was
/// ```
///
/// # Errors
/// [`Error::NonFiniteNorm`] if the options ask for it; no gradient is changed then.
///
/// # Panics
/// As [`clip_grad_norm_`].
#[track_caller]
pub fn clip_grad_norm_with_<I>(parameters: I, max_norm: impl Into<f64>, options: NormOptions) -> Result<Tensor>
where
    I: IntoIterator<Item: Borrow<Tensor>>,
{
    let grads = gradients("clip_grad_norm_", parameters);
    let total_norm = get_total_norm_with(&grads, options)?;
    scale(&grads, max_norm.into(), &total_norm);
    Ok(total_norm)
}

/// The 2-norm of tensors taken as one vector: the norm of their norms.
///
/// Each norm is computed in the dtype of its tensor, and the norm of the norms in the wider dtype if there are two,
/// in torch's order and with its bits ([`Tensor::norm_in_memory_order`]). The result is a constant without
/// dimensions; no tensors have the norm 0, of the default dtype.
///
/// ```
/// use nn::utils::get_total_norm;
/// use tape::Tensor;
///
/// let (a, b) = (Tensor::from([1.0, 2.0, 2.0]), Tensor::from([[4.0]]));
/// assert_eq!(get_total_norm([&a, &b])?.item(), 5.0);
/// # Ok::<(), nn::Error>(())
/// ```
///
/// # Errors
/// None: those of [`get_total_norm_with`] need its options.
///
/// # Panics
/// If a tensor is not floating point.
#[track_caller]
pub fn get_total_norm<I>(tensors: I) -> Result<Tensor>
where
    I: IntoIterator<Item: Borrow<Tensor>>,
{
    get_total_norm_with(tensors, NormOptions::new())
}

/// [`get_total_norm`] of another order, or an error where it is infinite or NaN.
///
/// A tensor without elements adds nothing. torch has no answer to it for norms of infinite or negative order.
///
/// ```
/// use nn::utils::{NormOptions, get_total_norm_with};
/// use tape::Tensor;
///
/// let tensors = [Tensor::from([1.0, -2.0]), Tensor::from([3.0])];
/// assert_eq!(get_total_norm_with(&tensors, NormOptions::new().norm_type(1.0))?.item(), 6.0);
/// # Ok::<(), nn::Error>(())
/// ```
///
/// # Errors
/// [`Error::NonFiniteNorm`] if the options ask for it.
///
/// # Panics
/// As [`get_total_norm`].
#[track_caller]
pub fn get_total_norm_with<I>(tensors: I, options: NormOptions) -> Result<Tensor>
where
    I: IntoIterator<Item: Borrow<Tensor>>,
{
    let tensors: Vec<I::Item> = tensors.into_iter().collect();
    let tensors: Vec<&Tensor> = tensors.iter().map(Borrow::borrow).collect();
    let total = total_norm(&tensors, options.norm_type);
    if options.error_if_nonfinite && !total.item().is_finite() {
        return Err(Error::NonFiniteNorm { norm_type: options.norm_type });
    }
    Ok(total)
}

#[track_caller]
fn total_norm(tensors: &[&Tensor], p: f64) -> Tensor {
    let Some(first) = tensors.first().map(|tensor| tensor.dtype()) else {
        return Tensor::zeros((), tape::get_default_dtype());
    };
    let dtype = if tensors.iter().any(|tensor| tensor.dtype() == DType::F64) { DType::F64 } else { first };
    // torch takes the tensors dtype by dtype, the dtype that it meets last before the first one.
    let (own, other): (Vec<&Tensor>, Vec<&Tensor>) = tensors.iter().partition(|tensor| tensor.dtype() == first);
    let mut norms = Vec::with_capacity(tensors.len());
    for tensor in other.into_iter().chain(own) {
        if tensor.numel() > 0 || (p >= 0.0 && p.is_finite()) {
            norms.push(tensor.norm_in_memory_order(p));
        }
    }
    if norms.is_empty() {
        return Tensor::zeros((), dtype);
    }
    match dtype {
        DType::F64 => Tensor::from(vector::norm(&norms, p)),
        _ => Tensor::from(vector::norm(&norms.iter().map(|&norm| norm as f32).collect::<Vec<f32>>(), p)),
    }
}

/// Multiplies the gradients by `min(1, max_norm / (total_norm + 1e-6))`: [`clip_grad_norm_`] for a norm that is
/// known already, such as one of a larger set of parameters.
///
/// ```
/// use nn::utils::{clip_grads_with_norm_, get_total_norm};
/// use tape::Tensor;
///
/// let w = Tensor::from([0.0, 0.0]).requires_grad_(true);
/// w.set_grad(Some(Tensor::from([3.0, 4.0])));
/// let norm = get_total_norm([w.grad().unwrap(), Tensor::from([12.0])])?;
/// clip_grads_with_norm_([&w], 6.5, &norm);
/// assert!(w.grad().unwrap().allclose(&Tensor::from([1.5, 2.0]), 1e-6, 0.0));
/// # Ok::<(), nn::Error>(())
/// ```
///
/// # Panics
/// As [`clip_grad_norm_`], and if `total_norm` has not exactly one element.
#[track_caller]
pub fn clip_grads_with_norm_<I>(parameters: I, max_norm: impl Into<f64>, total_norm: &Tensor)
where
    I: IntoIterator<Item: Borrow<Tensor>>,
{
    scale(&gradients("clip_grads_with_norm_", parameters), max_norm.into(), total_norm);
}

#[track_caller]
fn scale(grads: &[Tensor], max_norm: f64, total_norm: &Tensor) {
    let factor = match total_norm.dtype() {
        DType::F64 => factor(max_norm, total_norm.item()),
        _ => factor(max_norm, total_norm.item_as::<f32>()),
    };
    grads.iter().for_each(|grad| grad.scale_by(factor));
}

/// `min(1, max_norm / (norm + 1e-6))`, NaN if the norm is. torch divides a number by a tensor as the product with
/// the reciprocal, which rounds twice.
fn factor<T: Float>(max_norm: f64, norm: T) -> f64 {
    let factor = T::ONE / (norm + T::from_f64(1e-6)) * T::from_f64(max_norm);
    if factor > T::ONE { 1.0 } else { factor.to_f64() }
}

/// Limits every element of the gradients to `[-clip_value, clip_value]`.
///
/// NaN stays NaN. A negative `clip_value` leaves no number between the bounds and replaces every element by itself,
/// as in torch. Where no parameter has a gradient, nothing is done; torch 2.8 fails there on an internal check.
///
/// ```
/// use nn::utils::clip_grad_value_;
/// use tape::Tensor;
///
/// let w = Tensor::from([0.5, -4.0]).requires_grad_(true);
/// (&w * &w).sum().backward()?;
/// clip_grad_value_([&w], 2.0);
/// assert_eq!(w.grad().unwrap().to_vec::<f64>(), [1.0, -2.0]);
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Panics
/// If a gradient is not floating point or repeats elements (`expand`); no gradient is changed then.
#[track_caller]
pub fn clip_grad_value_<I>(parameters: I, clip_value: impl Into<f64>)
where
    I: IntoIterator<Item: Borrow<Tensor>>,
{
    let clip_value = clip_value.into();
    for grad in gradients("clip_grad_value_", parameters) {
        grad.limit_to(-clip_value, clip_value);
    }
}

/// The gradients there are, all of them fit to be changed.
#[track_caller]
fn gradients<I>(op: &str, parameters: I) -> Vec<Tensor>
where
    I: IntoIterator<Item: Borrow<Tensor>>,
{
    let grads: Vec<Tensor> = parameters.into_iter().filter_map(|parameter| parameter.borrow().grad()).collect();
    check_writable(op, &grads);
    grads
}
