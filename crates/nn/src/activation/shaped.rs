//! Activations whose shape is an option or learned.

use crate::module::{boxed_copy, deep_copy};
use crate::{Members, Module};
use tape::{DType, Tensor, get_default_dtype};

/// `x P(X <= x)` for a standard normal `X`, as `torch.nn.GELU`: [`Tensor::gelu`].
///
/// ```
/// use nn::{GELU, Module};
/// use tape::Tensor;
///
/// let x = Tensor::from([-1.0, 0.0, 1.0]);
/// assert!((GELU::new().forward(&x).sum().item() - 0.6826894921370859).abs() < 1e-15);
/// assert!(GELU::new().tanh(true).forward(&x).allclose(&x.gelu(), 0.0, 1e-3));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GELU {
    tanh: bool,
}

/// `x` above zero and `alpha (exp(x) - 1)` below, as `torch.nn.ELU`: [`Tensor::elu`].
///
/// ```
/// use nn::{ELU, Module};
/// use tape::Tensor;
///
/// let y = ELU::new().alpha(2.0).forward(&Tensor::from([-1000.0, 3.0]));
/// assert_eq!(y.to_vec::<f64>(), [-2.0, 3.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ELU {
    alpha: f64,
}

/// `x` above zero and `negative_slope * x` below, as `torch.nn.LeakyReLU`: [`Tensor::leaky_relu`].
///
/// ```
/// use nn::{LeakyReLU, Module};
/// use tape::Tensor;
///
/// assert_eq!(LeakyReLU::new().forward(&Tensor::from([-1.0, 3.0])).to_vec::<f64>(), [-0.01, 3.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LeakyReLU {
    negative_slope: f64,
}

/// `x` between two bounds and the nearer bound outside, as `torch.nn.Hardtanh`: [`Tensor::hardtanh`].
///
/// ```
/// use nn::{Hardtanh, Module};
/// use tape::Tensor;
///
/// let y = Hardtanh::new().min_val(0.0).forward(&Tensor::from([-5.0, 0.5, 5.0]));
/// assert_eq!(y.to_vec::<f64>(), [0.0, 0.5, 1.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Hardtanh {
    min_val: f64,
    max_val: f64,
}

/// `x` above zero and `weight * x` below, where the weight is learned, as `torch.nn.PReLU`: [`Tensor::prelu`].
///
/// ```
/// use nn::{Module, PReLU};
/// use tape::Tensor;
///
/// let layer = PReLU::new();
/// assert_eq!(layer.forward(&Tensor::from([-4.0f32, 3.0])).to_vec::<f32>(), [-1.0, 3.0]);
/// assert_eq!(PReLU::builder().num_parameters(8).init(0.1).build().weight.shape(), [8]);
/// ```
#[derive(Clone, Debug)]
pub struct PReLU {
    /// `[num_parameters]`: one weight for all, or one per channel.
    pub weight: Tensor,
}

deep_copy! {
    GELU { tanh }
    ELU { alpha }
    LeakyReLU { negative_slope }
    Hardtanh { min_val, max_val }
    PReLU { weight }
}

/// Declares activations with options: `new` with torch's defaults, the options, and the module.
macro_rules! shaped {
    ($($name:ident::$method:ident { $($(#[$doc:meta])* $option:ident: $default:expr,)* })*) => {
        $(
            impl $name {
                /// The activation with torch's defaults.
                pub fn new() -> $name {
                    $name { $($option: $default),* }
                }

                $($(#[$doc])*
                #[must_use]
                pub fn $option(mut self, $option: impl Into<f64>) -> $name {
                    self.$option = $option.into();
                    self
                })*
            }

            impl Default for $name {
                fn default() -> $name {
                    $name::new()
                }
            }

            impl Module for $name {
                /// # Panics
                /// If the input is not floating point.
                #[track_caller]
                fn forward(&self, input: &Tensor) -> Tensor {
                    input.$method($(self.$option),*)
                }

                boxed_copy!();
            }
        )*
    };
}

shaped! {
    ELU::elu {
        /// What large negative numbers approach, negated (default: 1).
        alpha: 1.0,
    }
    LeakyReLU::leaky_relu {
        /// The slope below zero (default: 0.01).
        negative_slope: 0.01,
    }
    Hardtanh::hardtanh {
        /// The lower bound (default: -1).
        min_val: -1.0,
        /// The upper bound (default: 1).
        max_val: 1.0,
    }
}

impl GELU {
    /// The activation itself, not an approximation.
    pub fn new() -> GELU {
        GELU { tanh: false }
    }

    /// Whether it is approximated by a hyperbolic tangent, torch's `approximate='tanh'`: [`Tensor::gelu_tanh`].
    #[must_use]
    pub fn tanh(mut self, tanh: bool) -> GELU {
        self.tanh = tanh;
        self
    }
}

impl Module for GELU {
    /// # Panics
    /// If the input is not floating point.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        if self.tanh { input.gelu_tanh() } else { input.gelu() }
    }

    boxed_copy!();
}

impl PReLU {
    /// One weight for all elements, of the [default dtype](get_default_dtype), 0.25 at first.
    pub fn new() -> PReLU {
        PReLU::builder().build()
    }

    /// Options: [`num_parameters`](PReLUBuilder::num_parameters), [`init`](PReLUBuilder::init),
    /// [`dtype`](PReLUBuilder::dtype).
    pub fn builder() -> PReLUBuilder {
        PReLUBuilder { num_parameters: 1, init: 0.25, dtype: get_default_dtype() }
    }
}

impl Default for PReLU {
    fn default() -> PReLU {
        PReLU::new()
    }
}

impl Module for PReLU {
    /// # Panics
    /// If there is neither one weight nor one per channel (dimension 1 of the input), or the dtypes differ.
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        input.prelu(&self.weight)
    }

    fn members(&self) -> Members<'_> {
        Members::new().parameter("weight", &self.weight)
    }

    boxed_copy!();
}

/// Options of a [`PReLU`], made by [`PReLU::builder`].
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder does nothing until build() is called"]
pub struct PReLUBuilder {
    num_parameters: usize,
    init: f64,
    dtype: DType,
}

impl PReLUBuilder {
    /// One (the default), or the number of channels.
    pub fn num_parameters(mut self, num_parameters: usize) -> Self {
        self.num_parameters = num_parameters;
        self
    }

    /// The first value of the weights (default: 0.25).
    pub fn init(mut self, init: impl Into<f64>) -> Self {
        self.init = init.into();
        self
    }

    /// The dtype of the weight (default: [`get_default_dtype`], `F32`).
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    /// Makes the module.
    ///
    /// # Panics
    /// If the dtype is not a floating-point type.
    #[track_caller]
    pub fn build(self) -> PReLU {
        crate::init::check_dtype("PReLU", "the weight", self.dtype);
        PReLU { weight: Tensor::full([self.num_parameters], self.init, self.dtype).requires_grad_(true) }
    }
}
