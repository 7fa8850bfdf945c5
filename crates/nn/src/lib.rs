//! Layers and losses with torch's names, parameter names and initial values.
//!
//! A [`Module`] is a function of a tensor together with the parameters it owns. Compose the ones here with
//! [`Sequential`], hand `parameters()` to an optimizer, and run `forward`:
//!
//! ```
//! use nn::{Linear, Module, Sequential, Tanh, functional};
//! use tape::{DType, Tensor};
//!
//! tape::manual_seed(0); // the weights are those of torch after torch.manual_seed(0)
//! let model = Sequential::new([Linear::new(4, 8).boxed(), Tanh.boxed(), Linear::new(8, 3).boxed()]);
//!
//! let (x, classes) = (Tensor::randn([16, 4], DType::F32), Tensor::randint(0, 3, [16]));
//! let loss = functional::cross_entropy(&model.forward(&x), &classes);
//! loss.backward()?;
//!
//! let names: Vec<String> = model.named_parameters().into_iter().map(|(name, _)| name).collect();
//! assert_eq!(names, ["0.weight", "0.bias", "2.weight", "2.bias"]);
//! assert!(model.parameters().iter().all(|p| p.grad().is_some()));
//! # Ok::<(), tape::Error>(())
//! ```
//!
//! # A module of your own
//! One method says what the module computes, another what it owns. From the second follow the names of the
//! parameters, state dicts, training mode and [`apply`](Module::apply):
//!
//! ```
//! use nn::{Linear, Members, Module, parameter};
//! use tape::{DType, Tensor};
//!
//! /// A layer with a way around it: `x + s tanh(x W^T + b)`.
//! struct Residual {
//!     inner: Linear,
//!     scale: Tensor,
//! }
//!
//! impl Module for Residual {
//!     fn forward(&self, x: &Tensor) -> Tensor {
//!         x + &self.scale * self.inner.forward(x).tanh()
//!     }
//!
//!     fn members(&self) -> Members<'_> {
//!         Members::new().parameter("scale", &self.scale).module("inner", &self.inner)
//!     }
//! }
//!
//! let block = Residual { inner: Linear::new(5, 5), scale: parameter(0.5f32) };
//! assert_eq!(block.forward(&Tensor::zeros([2, 5], DType::F32)).shape(), [2, 5]);
//! let names: Vec<String> = block.named_parameters().into_iter().map(|(name, _)| name).collect();
//! assert_eq!(names, ["scale", "inner.weight", "inner.bias"]);
//! ```
//!
//! [`Members`] shows buffers, lists of modules and a [`Mode`], [`DeepCopy`] how a module is copied.
//!
//! # Saving and loading
//! ```
//! use nn::{Linear, Module};
//!
//! let layer = Linear::new(2, 1);
//! let best = layer.state_dict().deep_copy();
//! nn::init::zeros_(&layer.weight); // further steps
//! layer.load_state_dict(&best)?; // all of it, or an error and nothing
//! assert_eq!(layer.state_dict(), best);
//! # Ok::<(), nn::Error>(())
//! ```
//!
//! # Where things are
//! - [`Module`], and the containers [`Sequential`], [`ModuleList`], [`ModuleDict`], [`ParameterList`]
//! - [`Linear`], [`Bilinear`], [`Embedding`]; [`Identity`], [`Flatten`], [`Unflatten`]
//! - [`Conv1d`], [`Conv2d`], [`ConvTranspose2d`]; [`MaxPool2d`], [`AvgPool2d`], [`AdaptiveAvgPool2d`], [`Upsample`]
//! - [`BatchNorm1d`], [`BatchNorm2d`], [`LayerNorm`], [`GroupNorm`], [`Dropout`]
//! - the activations [`Tanh`], [`ReLU`], [`ReLU6`], [`LeakyReLU`], [`PReLU`], [`ELU`], [`SELU`], [`GELU`], [`SiLU`],
//!   [`Mish`], [`Sigmoid`], [`LogSigmoid`], [`Hardsigmoid`], [`Hardswish`], [`Hardtanh`], [`Softsign`], [`Softmax`],
//!   [`LogSoftmax`], [`Softplus`]
//! - [`functional`]: losses, activations and all that layers compute as functions
//! - [`loss`]: losses with options
//! - [`init`]: how initial weights are drawn
//! - [`utils`]: clipping gradients, parameters as one vector
//! - [`distributions`]: log-densities and draws that gradients pass through
//!
//! Layers are made in the dtype of [`tape::get_default_dtype`] where none is given.

#![forbid(unsafe_code)]

mod activation;
mod batch_norm;
mod bilinear;
mod container;
mod convolution;
pub mod distributions;
mod dropout;
mod embedding;
mod error;
pub mod functional;
pub mod init;
mod linear;
pub mod loss;
mod module;
mod normalization;
mod pool;
mod reshape;
mod sequential;
pub mod utils;

pub use activation::{
    ELU, GELU, Hardsigmoid, Hardswish, Hardtanh, LeakyReLU, LogSigmoid, LogSoftmax, Mish, PReLU, PReLUBuilder, ReLU,
    ReLU6, SELU, SiLU, Sigmoid, Softmax, Softplus, Softsign, Tanh,
};
pub use batch_norm::{BatchNorm1d, BatchNorm1dBuilder, BatchNorm2d, BatchNorm2dBuilder};
pub use bilinear::{Bilinear, BilinearBuilder};
pub use container::{ModuleDict, ModuleList, ParameterList, parameter};
pub use convolution::{Conv1d, Conv1dBuilder, Conv2d, Conv2dBuilder, ConvTranspose2d, ConvTranspose2dBuilder};
pub use dropout::Dropout;
pub use embedding::{Embedding, EmbeddingBuilder};
pub use error::{Error, Result, StateDictError};
pub use linear::{Linear, LinearBuilder};
pub use loss::{
    BCELoss, BCEWithLogitsLoss, CosineEmbeddingLoss, CrossEntropyLoss, GaussianNLLLoss, HingeEmbeddingLoss, HuberLoss,
    KLDivLoss, L1Loss, MSELoss, MarginRankingLoss, NLLLoss, PoissonNLLLoss, Reduction, SmoothL1Loss, SoftMarginLoss,
    TripletMarginLoss,
};
pub use module::{Copies, DeepCopy, IncompatibleKeys, Members, Mode, Module, apply, child_parameters};
pub use normalization::{GroupNorm, GroupNormBuilder, LayerNorm, LayerNormBuilder};
pub use pool::{AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, Upsample};
pub use reshape::{Flatten, Identity, Unflatten};
pub use sequential::Sequential;
pub use tape::{
    ConvOptions, GridMode, GridPadding, GridSample, Interpolate, InterpolateMode, PadMode, PoolOptions, ScaleFactors,
};
