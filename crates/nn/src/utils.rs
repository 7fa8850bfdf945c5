//! Functions on all parameters of a model at once, torch's `torch.nn.utils`: clipping gradients between `backward`
//! and `step`, and parameters as one vector.
//!
//! Parameters are anything that can be iterated over: `model.parameters()`, `[&w, &b]`, `&vec`. Nothing here is
//! recorded but [`parameters_to_vector`]; what is written counts as an in-place change.
//!
//! ```
//! use nn::{Linear, Module, functional, utils};
//! use tape::{DType, Tensor};
//!
//! let (model, x) = (Linear::new(4, 1), Tensor::randn([8, 4], DType::F32));
//! let loss = functional::mse_loss(&model.forward(&x), &Tensor::full([8, 1], 100.0, DType::F32));
//! loss.backward()?;
//!
//! let norm = utils::clip_grad_norm_(model.parameters(), 1.0)?;
//! assert!(norm.item() > 1.0); // what it was
//! let clipped = utils::get_total_norm(model.parameters().iter().filter_map(|p| p.grad()))?;
//! assert!((clipped.item() - 1.0).abs() < 1e-5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clip_grad;
mod convert_parameters;

pub use clip_grad::{
    NormOptions, clip_grad_norm_, clip_grad_norm_with_, clip_grad_value_, clip_grads_with_norm_, get_total_norm,
    get_total_norm_with,
};
pub use convert_parameters::{parameters_to_vector, vector_to_parameters};

use tape::Tensor;

/// Refuses tensors that cannot be written, before any of them is.
#[track_caller]
fn check_writable(op: &str, tensors: &[Tensor]) {
    for tensor in tensors {
        if !tensor.dtype().is_floating_point() {
            panic!(
                "{op}: result type Float can't be cast to {}; only floating-point tensors are changed",
                tensor.dtype()
            );
        }
        let repeated = tensor.sizes().iter().zip(tensor.stride()).any(|(&size, &stride)| size > 1 && stride == 0);
        if repeated && tensor.numel() > 0 {
            panic!(
                "{op}: unsupported operation: more than one element of the written-to tensor refers to a single memory \
                 location (shape {:?}, strides {:?}). Please copy() the tensor before performing the operation.",
                tensor.sizes(),
                tensor.stride()
            );
        }
    }
}
