//! Tensors with reverse-mode automatic differentiation: torch's names, torch's numbers, torch's errors.
//!
//! ```
//! use tape::{Tensor, grad, no_grad};
//!
//! // Fit y = a x + b by gradient descent.
//! let x = Tensor::from([0.0, 1.0, 2.0, 3.0]);
//! let y = Tensor::from([1.0, 3.0, 5.0, 7.0]);
//! let (a, b) = (Tensor::from(0.0).requires_grad_(true), Tensor::from(0.0).requires_grad_(true));
//! for _ in 0..200 {
//!     let loss = (&a * &x + &b - &y).pow(2.0).mean();
//!     let gradients = grad(&loss, [&a, &b]).compute()?;
//!     no_grad(|| {
//!         a.sub_(&gradients[0] * 0.1);
//!         b.sub_(&gradients[1] * 0.1);
//!     });
//! }
//! assert!((a.item() - 2.0).abs() < 1e-3 && (b.item() - 1.0).abs() < 1e-3);
//! # Ok::<(), tape::Error>(())
//! ```
//!
//! # Tensors
//! A [`Tensor`] is a cheap handle: `clone()` gives the same tensor again, and torch's differentiable
//! `clone` is [`Tensor::copy`]. Its dtype ([`DType`]) is chosen at run time; Rust's own types pick it in
//! [`Tensor::from`]: `1.0` makes `F64`, `1.0f32` makes `F32`, `1i64` makes `I64`. Views made by indexing,
//! `transpose`, `reshape` and their like share memory.
//!
//! Names are torch's. Where torch overloads on arguments, the bare name works on all elements (`sum()`)
//! and `_dim` on dimensions (`sum_dim([0, -1], true)`). Operators take tensors by value or by reference
//! and numbers on either side; arguments that are a tensor or a number in torch are one here
//! ([`Operand`]). Python's `x[...]` is [`Tensor::i`].
//!
//! # Gradients
//! Operations on tensors that require gradients are recorded. [`Tensor::backward`] adds to the `.grad` of
//! the leaves, [`grad()`] returns gradients of any tensor, and both can record themselves
//! (`create_graph`) for gradients of every order. [`no_grad`] switches recording off. The graph belongs to
//! the tensors made by it and is freed with them; neither walking nor freeing it recurses, whatever its
//! depth. In-place operations are part of the graph; one that would falsify a gradient is found when the
//! gradient is computed.
//!
//! Derivatives of your own functions are checked with [`gradcheck()`] and [`gradgradcheck()`].
//!
//! # Errors and panics
//! What depends on the code as written (shapes, dtypes, indices) panics with the operation, both sides
//! and the remedy. What depends on run-time state is a [`Result`] with an [`Error`]. Texts begin with
//! torch's where torch has one.
//!
//! # Determinism and threads
//! The same inputs give the same bits, whatever the number of threads: work is split into pieces of
//! fixed size, and sums are trees of fixed shape. Tensors are `Send + Sync`; every operation locks the
//! memory it touches, and backward passes on several threads add into shared leaves exactly.

#![deny(unsafe_op_in_unsafe_fn)]

pub mod functional;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod vector;

mod approximate;
mod autograd;
mod buffer;
mod dtype;
mod error;
mod gradcheck;
mod hooks;
mod kernel;
#[cfg(feature = "linalg")]
pub mod linalg;
mod op;
mod ops;
pub mod random;
mod shape;
mod storage;
mod tensor;

pub use autograd::{
    BackwardOptions, Context, EnableGradGuard, Function, Grad, GradAllowUnused, MultiFunction, NoGradGuard, Tensors,
    checkpoint, enable_grad, grad, is_grad_enabled, no_grad, set_grad_enabled, watch_leaves,
};
pub use buffer::empty_cache;
pub use dtype::{DType, Element, Float, Scalar, get_default_dtype, set_default_dtype};
pub use error::Error;
pub use gradcheck::{GradCheck, gradcheck, gradgradcheck};
pub use hooks::{HookList, RemovableHandle, ScopedHandle};
pub use op::Operand;
pub use ops::arrange::Indexing;
pub use ops::bound::Bound;
pub use ops::convolution::ConvOptions;
pub use ops::grid::{GridMode, GridPadding, GridSample};
pub use ops::index::{Ellipsis, Index, Indices, NewAxis};
pub use ops::interpolate::{Interpolate, InterpolateMode, ScaleFactors};
pub use ops::pad::PadMode;
pub use ops::pool::PoolOptions;
pub use ops::scatter::Reduce;
pub use ops::view::IndexRange;
pub use random::{Generator, initial_seed, manual_seed};
pub use shape::{Ints, Shape};
pub use tensor::{Nested, Number, Tensor};
