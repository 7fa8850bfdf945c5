//! Activations as modules: what [`crate::functional`] has as functions.

mod shaped;

pub use shaped::{ELU, GELU, Hardtanh, LeakyReLU, PReLU, PReLUBuilder};

use crate::Module;
use crate::module::{boxed_copy, deep_copy};
use tape::Tensor;

/// Declares activations that take no options.
macro_rules! activations {
    ($($(#[$doc:meta])* $name:ident = $method:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default)]
            pub struct $name;

            deep_copy! { $name {} }

            impl Module for $name {
                #[track_caller]
                fn forward(&self, input: &Tensor) -> Tensor {
                    input.$method()
                }

                boxed_copy!();
            }
        )*
    };
}

activations! {
    /// Hyperbolic tangent, elementwise: [`Tensor::tanh`].
    ///
    /// ```
    /// use nn::{Module, Tanh};
    /// use tape::Tensor;
    ///
    /// assert_eq!(Tanh.forward(&Tensor::from([0.0, 1.0])).to_vec::<f64>(), [0.0, 1.0_f64.tanh()]);
    /// ```
    Tanh = tanh;

    /// Rectifier `max(x, 0)`, elementwise: [`Tensor::relu`].
    ///
    /// ```
    /// use nn::{Module, ReLU};
    /// use tape::Tensor;
    ///
    /// assert_eq!(ReLU.forward(&Tensor::from([-1.0, 2.0])).to_vec::<f64>(), [0.0, 2.0]);
    /// ```
    ReLU = relu;

    /// Logistic function `1 / (1 + exp(-x))`, elementwise: [`Tensor::sigmoid`].
    ///
    /// ```
    /// use nn::{Module, Sigmoid};
    /// use tape::Tensor;
    ///
    /// assert_eq!(Sigmoid.forward(&Tensor::from([0.0])).to_vec::<f64>(), [0.5]);
    /// ```
    Sigmoid = sigmoid;

    /// Logarithm of the logistic function, `-log(1 + exp(-x))`, elementwise: [`Tensor::logsigmoid`].
    ///
    /// ```
    /// use nn::{LogSigmoid, Module};
    /// use tape::Tensor;
    ///
    /// assert_eq!(LogSigmoid.forward(&Tensor::from([-1000.0])).to_vec::<f64>(), [-1000.0]);
    /// ```
    LogSigmoid = logsigmoid;

    /// Rectifier that ends at six, `min(max(x, 0), 6)`, elementwise: [`Tensor::relu6`].
    ///
    /// ```
    /// use nn::{Module, ReLU6};
    /// use tape::Tensor;
    ///
    /// assert_eq!(ReLU6.forward(&Tensor::from([-1.0, 2.0, 9.0])).to_vec::<f64>(), [0.0, 2.0, 6.0]);
    /// ```
    ReLU6 = relu6;

    /// `x sigmoid(x)`, elementwise: [`Tensor::silu`].
    ///
    /// ```
    /// use nn::{Mish, Module, SiLU};
    /// use tape::Tensor;
    ///
    /// let far = Tensor::from([0.0, 50.0]);
    /// assert_eq!(SiLU.forward(&far).to_vec::<f64>(), [0.0, 50.0]);
    /// assert_eq!(Mish.forward(&far).to_vec::<f64>(), [0.0, 50.0]);
    /// ```
    SiLU = silu;

    /// `x tanh(softplus(x))`, elementwise: [`Tensor::mish`].
    Mish = mish;

    /// `x / (1 + |x|)`, elementwise: [`Tensor::softsign`].
    ///
    /// ```
    /// use nn::{Module, Softsign};
    /// use tape::Tensor;
    ///
    /// assert_eq!(Softsign.forward(&Tensor::from([-1.0, 3.0])).to_vec::<f64>(), [-0.5, 0.75]);
    /// ```
    Softsign = softsign;

    /// The [`ELU`] that keeps mean and variance in deep networks: [`Tensor::selu`].
    ///
    /// ```
    /// use nn::{Module, SELU};
    /// use tape::Tensor;
    ///
    /// assert_eq!(SELU.forward(&Tensor::from([1.0])).item(), 1.0507009873554805);
    /// ```
    SELU = selu;

    /// `min(max(x + 3, 0), 6) / 6`, elementwise: [`Tensor::hardsigmoid`].
    ///
    /// ```
    /// use nn::{Hardsigmoid, Hardswish, Module};
    /// use tape::Tensor;
    ///
    /// let x = Tensor::from([-3.0, 0.0, 3.0]);
    /// assert_eq!(Hardsigmoid.forward(&x).to_vec::<f64>(), [0.0, 0.5, 1.0]);
    /// assert_eq!(Hardswish.forward(&x).to_vec::<f64>(), [0.0, 0.0, 3.0]);
    /// ```
    Hardsigmoid = hardsigmoid;

    /// `x` times the [`Hardsigmoid`] of `x`: [`Tensor::hardswish`].
    Hardswish = hardswish;
}

/// Softmax along one dimension: [`Tensor::softmax`].
///
/// ```
/// use nn::{Module, Softmax};
/// use tape::Tensor;
///
/// assert_eq!(Softmax::new(-1).forward(&Tensor::from([[1.0, 1.0]])).to_vec::<f64>(), [0.5, 0.5]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    dim: isize,
}

/// Logarithm of the softmax along one dimension: [`Tensor::log_softmax`].
///
/// ```
/// use nn::{LogSoftmax, Module};
/// use tape::Tensor;
///
/// let y = LogSoftmax::new(1).forward(&Tensor::from([[0.0, 1000.0]]));
/// assert_eq!(y.to_vec::<f64>(), [-1000.0, 0.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LogSoftmax {
    dim: isize,
}

/// A smooth ramp, `log(1 + exp(beta x)) / beta`, elementwise; the identity where `beta x` exceeds a threshold:
/// [`Tensor::softplus`].
///
/// ```
/// use nn::{Module, Softplus};
/// use tape::Tensor;
///
/// assert_eq!(Softplus::new().forward(&Tensor::from([25.0])).to_vec::<f64>(), [25.0]);
/// assert_eq!(Softplus::new().beta(2.0).forward(&Tensor::from([0.0])).item(), 2.0_f64.ln() / 2.0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Softplus {
    beta: f64,
    threshold: f64,
}

deep_copy! {
    Softmax { dim }
    LogSoftmax { dim }
    Softplus { beta, threshold }
}

impl Softmax {
    /// The softmax along `dim`; negative dimensions count from the end.
    pub fn new(dim: isize) -> Softmax {
        Softmax { dim }
    }
}

impl LogSoftmax {
    /// The logarithm of the softmax along `dim`; negative dimensions count from the end.
    pub fn new(dim: isize) -> LogSoftmax {
        LogSoftmax { dim }
    }
}

impl Softplus {
    /// The softplus with `beta` 1 and `threshold` 20.
    pub fn new() -> Softplus {
        Softplus { beta: 1.0, threshold: 20.0 }
    }

    /// How sharp the bend is.
    pub fn beta(mut self, beta: impl Into<f64>) -> Softplus {
        self.beta = beta.into();
        self
    }

    /// Where the function becomes the identity.
    pub fn threshold(mut self, threshold: impl Into<f64>) -> Softplus {
        self.threshold = threshold.into();
        self
    }
}

impl Default for Softplus {
    fn default() -> Softplus {
        Softplus::new()
    }
}

impl Module for Softmax {
    /// # Panics
    /// If the input has no such dimension.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        input.softmax(self.dim)
    }

    boxed_copy!();
}

impl Module for LogSoftmax {
    /// # Panics
    /// If the input has no such dimension.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        input.log_softmax(self.dim)
    }

    boxed_copy!();
}

impl Module for Softplus {
    /// # Panics
    /// If the input is not floating point.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        input.softplus(self.beta, self.threshold)
    }

    boxed_copy!();
}
