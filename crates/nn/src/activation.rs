//! Elementwise activations as modules without parameters.

use crate::Module;
use tape::Tensor;

/// Hyperbolic tangent, elementwise: [`Tensor::tanh`].
///
/// ```
/// use nn::{Module, Tanh};
/// use tape::Tensor;
///
/// assert_eq!(Tanh.forward(&Tensor::from([0.0, 1.0])).to_vec::<f64>(), [0.0, 1.0_f64.tanh()]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Tanh;

/// Rectifier `max(x, 0)`, elementwise: [`Tensor::relu`].
///
/// ```
/// use nn::{Module, ReLU};
/// use tape::Tensor;
///
/// assert_eq!(ReLU.forward(&Tensor::from([-1.0, 2.0])).to_vec::<f64>(), [0.0, 2.0]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ReLU;

/// Logistic function `1 / (1 + exp(-x))`, elementwise: [`Tensor::sigmoid`].
///
/// ```
/// use nn::{Module, Sigmoid};
/// use tape::Tensor;
///
/// assert_eq!(Sigmoid.forward(&Tensor::from([0.0])).to_vec::<f64>(), [0.5]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Sigmoid;

impl Module for Tanh {
    fn forward(&self, input: &Tensor) -> Tensor {
        input.tanh()
    }

    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }
}

impl Module for ReLU {
    fn forward(&self, input: &Tensor) -> Tensor {
        input.relu()
    }

    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }
}

impl Module for Sigmoid {
    fn forward(&self, input: &Tensor) -> Tensor {
        input.sigmoid()
    }

    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }
}
