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
//! Two methods make a module: what it computes, and what it owns. [`child_parameters`] collects the
//! parameters of submodules under their names:
//!
//! ```
//! use nn::{Linear, Module, child_parameters};
//! use tape::{DType, Tensor};
//!
//! /// A layer with a way around it: `x + tanh(x W^T + b)`.
//! struct Residual {
//!     inner: Linear,
//! }
//!
//! impl Module for Residual {
//!     fn forward(&self, x: &Tensor) -> Tensor {
//!         x + self.inner.forward(x).tanh()
//!     }
//!
//!     fn named_parameters(&self) -> Vec<(String, Tensor)> {
//!         child_parameters([("inner", &self.inner as &dyn Module)])
//!     }
//! }
//!
//! let block = Residual { inner: Linear::new(5, 5) };
//! assert_eq!(block.forward(&Tensor::zeros([2, 5], DType::F32)).shape(), [2, 5]);
//! assert_eq!(block.named_parameters()[0].0, "inner.weight");
//! ```
//!
//! # Where things are
//! - [`Linear`], [`Sequential`], and the activations [`Tanh`], [`ReLU`], [`Sigmoid`]
//! - [`functional`]: losses, as functions
//! - [`init`]: how initial weights are drawn

#![forbid(unsafe_code)]

mod activation;
pub mod functional;
pub mod init;
mod linear;
mod module;
mod sequential;

pub use activation::{ReLU, Sigmoid, Tanh};
pub use linear::{Linear, LinearBuilder};
pub use module::{Module, child_parameters};
pub use sequential::Sequential;
