//! Activations, all of them methods of tensors too.

use tape::Tensor;

/// `max(x, 0)`, elementwise: [`Tensor::relu`].
#[track_caller]
pub fn relu(input: &Tensor) -> Tensor {
    input.relu()
}

/// Hyperbolic tangent, elementwise: [`Tensor::tanh`].
#[track_caller]
pub fn tanh(input: &Tensor) -> Tensor {
    input.tanh()
}

/// `1 / (1 + exp(-x))`, elementwise: [`Tensor::sigmoid`].
#[track_caller]
pub fn sigmoid(input: &Tensor) -> Tensor {
    input.sigmoid()
}

/// `-log(1 + exp(-x))`, elementwise: [`Tensor::logsigmoid`].
#[track_caller]
pub fn logsigmoid(input: &Tensor) -> Tensor {
    input.logsigmoid()
}

/// `log(1 + exp(x))`, elementwise, and `x` itself above 20: [`Tensor::softplus`] with torch's defaults;
/// [`Softplus`](crate::Softplus) takes others.
///
/// # Panics
/// If the input is not floating point.
#[track_caller]
pub fn softplus(input: &Tensor) -> Tensor {
    input.softplus(1.0, 20.0)
}

/// `exp(x) / sum(exp(x))` along `dim`: [`Tensor::softmax`].
///
/// ```
/// use nn::functional::{log_softmax, softmax};
/// use tape::Tensor;
///
/// let x = Tensor::from([[0.0, 0.0, 0.0, 0.0]]);
/// assert_eq!(softmax(&x, -1).to_vec::<f64>(), [0.25; 4]);
/// assert_eq!(log_softmax(&x, 1).to_vec::<f64>(), [-4.0_f64.ln(); 4]);
/// ```
///
/// # Panics
/// If the input has no such dimension.
#[track_caller]
pub fn softmax(input: &Tensor, dim: isize) -> Tensor {
    input.softmax(dim)
}

/// Logarithm of the [`softmax`] along `dim`: [`Tensor::log_softmax`].
///
/// # Panics
/// If the input has no such dimension.
#[track_caller]
pub fn log_softmax(input: &Tensor, dim: isize) -> Tensor {
    input.log_softmax(dim)
}
