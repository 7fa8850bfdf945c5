//! Tensors with reverse-mode automatic differentiation, by torch's names and with torch's numbers.

pub mod vector;

mod autograd;
mod buffer;
mod dtype;
mod error;
mod gradcheck;
mod kernel;
mod op;
mod ops;
pub mod random;
mod shape;
mod storage;
mod tensor;

pub use autograd::{
    BackwardOptions, EnableGradGuard, Grad, GradAllowUnused, HookHandle, NoGradGuard, Tensors, enable_grad, grad,
    is_grad_enabled, no_grad,
};
pub use buffer::empty_cache;
pub use dtype::{DType, Element, Float, Scalar};
pub use error::Error;
pub use gradcheck::{GradCheck, gradcheck, gradgradcheck};
pub use op::Operand;
pub use ops::index::{Ellipsis, Index, Indices, NewAxis};
pub use ops::view::IndexRange;
pub use random::{Generator, initial_seed, manual_seed};
pub use shape::{Ints, Shape};
pub use tensor::{Nested, Number, Tensor};
