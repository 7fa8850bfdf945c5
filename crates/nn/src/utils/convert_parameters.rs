//! Parameters as one vector, and back.

use super::check_writable;
use crate::{Error, Result};
use std::borrow::Borrow;
use tape::{DType, Tensor};

/// All parameters one after the other as one vector, each in row-major order; mixed dtypes are promoted.
///
/// Gradients of the vector flow to the parameters. Parameters that do not lie in row-major order, which torch
/// refuses, are read in it too.
///
/// ```
/// use nn::utils::parameters_to_vector;
/// use nn::{Linear, Module};
///
/// let layer = Linear::new(2, 3);
/// let vector = parameters_to_vector(layer.parameters());
/// assert_eq!(vector.shape(), [9]);
/// vector.square().sum().backward()?;
/// assert!(layer.weight.grad().unwrap().equal(&(&layer.weight * 2.0)));
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Panics
/// If there is no parameter.
#[track_caller]
pub fn parameters_to_vector<I>(parameters: I) -> Tensor
where
    I: IntoIterator<Item: Borrow<Tensor>>,
{
    let flat: Vec<Tensor> = parameters.into_iter().map(|parameter| parameter.borrow().reshape(-1)).collect();
    Tensor::cat(flat, 0)
}

/// Sets the parameters to the elements of a vector, in the order of [`parameters_to_vector`].
///
/// The elements are copied, unrecorded, and rounded to the dtype of their parameter: the parameters keep their
/// memory and their dtype. (torch's become views of the vector instead: what is done to it later is done to them,
/// and they take its dtype.) Nothing is written unless all of it fits.
///
/// ```
/// use nn::utils::{parameters_to_vector, vector_to_parameters};
/// use nn::{Linear, Module};
/// use tape::{Tensor, no_grad};
///
/// let layer = Linear::new(2, 1);
/// vector_to_parameters(&Tensor::from([1.0f32, 2.0, 3.0]), layer.parameters())?;
/// assert_eq!(layer.weight.to_vec::<f32>(), [1.0, 2.0]);
///
/// let step = no_grad(|| parameters_to_vector(layer.parameters()) - 1.0);
/// vector_to_parameters(&step, layer.parameters())?;
/// assert_eq!(layer.weight.to_vec::<f32>(), [0.0, 1.0]);
/// # Ok::<(), nn::Error>(())
/// ```
///
/// # Errors
/// [`Error::VectorTooShort`] or [`Error::VectorTooLong`] if the vector has not as many elements as all parameters
/// together. (torch ignores what is left over.)
///
/// # Panics
/// If `vec` has not exactly one dimension or is not floating point, or if a parameter is not floating point or
/// repeats elements (`expand`).
#[track_caller]
pub fn vector_to_parameters<I>(vec: &Tensor, parameters: I) -> Result<()>
where
    I: IntoIterator<Item: Borrow<Tensor>>,
{
    let parameters: Vec<Tensor> = parameters.into_iter().map(|parameter| parameter.borrow().clone()).collect();
    if vec.dim() != 1 || !vec.dtype().is_floating_point() {
        panic!(
            "vector_to_parameters: a floating-point vector is expected, but got {} of shape {:?}; parameters_to_vector \
             makes one",
            vec.dtype(),
            vec.sizes()
        );
    }
    check_writable("vector_to_parameters", &parameters);
    check_length(vec.numel(), &parameters)?;
    // All of it is read before anything is written: the vector may look into a parameter.
    match vec.dtype() {
        DType::F64 => write(&vec.to_vec::<f64>(), &parameters),
        _ => write(&vec.to_vec::<f32>(), &parameters),
    }
    Ok(())
}

fn check_length(vector: usize, parameters: &[Tensor]) -> Result<()> {
    let total: usize = parameters.iter().map(Tensor::numel).sum();
    let mut left = vector;
    for parameter in parameters {
        if parameter.numel() > left {
            return Err(Error::VectorTooShort { shape: parameter.sizes().to_vec(), left, vector, parameters: total });
        }
        left -= parameter.numel();
    }
    if left > 0 {
        return Err(Error::VectorTooLong { vector, parameters: total });
    }
    Ok(())
}

fn write<T: tape::Element>(mut values: &[T], parameters: &[Tensor]) {
    for parameter in parameters {
        let (own, rest) = values.split_at(parameter.numel());
        parameter.write_from(own);
        values = rest;
    }
}
