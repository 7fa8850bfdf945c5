//! Deep copies of modules: Python's `copy.deepcopy`.

use crate::{Mode, Module};
use std::collections::HashMap;
use tape::{ConvOptions, DType, Interpolate, Ints, PadMode, PoolOptions, Tensor};

/// A value that can be copied together with the memory of its tensors. A plain `clone()` of a module or
/// tensor is another handle on the same numbers.
///
/// A struct copies its fields one by one, which keeps tensors that are shared within it shared in the copy;
/// [`Module::deep_copy`] starts it. To be copied as a `Box<dyn Module>`, inside of a
/// [`Sequential`](crate::Sequential) for example, a module also says so in [`Module::boxed_copy`].
///
/// ```
/// use nn::{Copies, DeepCopy, Linear, Members, Module, Sequential};
/// use tape::{DType, Tensor};
///
/// struct Residual {
///     inner: Linear,
/// }
///
/// impl DeepCopy for Residual {
///     fn copy_with(&self, copies: &mut Copies) -> Residual {
///         Residual { inner: self.inner.copy_with(copies) }
///     }
/// }
///
/// impl Module for Residual {
///     fn forward(&self, x: &Tensor) -> Tensor {
///         x + self.inner.forward(x).tanh()
///     }
///     fn members(&self) -> Members<'_> {
///         Members::new().module("inner", &self.inner)
///     }
///     fn boxed_copy(&self, copies: &mut Copies) -> Box<dyn Module> {
///         self.copy_with(copies).boxed()
///     }
/// }
///
/// let model = Sequential::new([Residual { inner: Linear::new(3, 3) }.boxed()]);
/// let frozen = model.deep_copy();
/// frozen.requires_grad_(false);
/// assert_eq!(frozen.state_dict(), model.state_dict());
/// assert!(model.parameters()[0].requires_grad() && !frozen.parameters()[0].requires_grad());
/// ```
pub trait DeepCopy: Sized {
    /// A copy that takes the copies of tensors from `copies`.
    fn copy_with(&self, copies: &mut Copies) -> Self;
}

/// The tensors that have been copied in one [`deep_copy`](Module::deep_copy), so that what is shared stays
/// shared.
#[derive(Default)]
pub struct Copies {
    /// What floating-point tensors are converted to.
    pub(super) dtype: Option<DType>,
    /// By the original's id: the original, which keeps the id its own, and the copy.
    tensors: HashMap<usize, (Tensor, Tensor)>,
}

impl Copies {
    /// No copies yet.
    pub fn new() -> Copies {
        Copies::default()
    }
}

impl DeepCopy for Tensor {
    /// A leaf with the same numbers that requires grad if the original does; `.grad` is not copied. Within
    /// [`Module::to_dtype`] it is converted.
    ///
    /// # Panics
    /// If the tensor was computed from tensors that require grad.
    #[track_caller]
    fn copy_with(&self, copies: &mut Copies) -> Tensor {
        assert!(
            self.is_leaf(),
            "deep_copy: Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at \
             the moment, but this one of shape {:?} was computed; keep its detach() in the module",
            self.sizes()
        );
        let dtype = copies.dtype.filter(|_| self.dtype().is_floating_point()).unwrap_or(self.dtype());
        let copied = || {
            let data = self.detach();
            let data = if dtype == self.dtype() { data.copy() } else { data.to_dtype(dtype) };
            (self.clone(), data.requires_grad_(self.requires_grad()))
        };
        copies.tensors.entry(self.id()).or_insert_with(copied).1.clone()
    }
}

impl DeepCopy for Mode {
    fn copy_with(&self, _: &mut Copies) -> Mode {
        let mode = Mode::new();
        mode.set_training(self.is_training());
        mode
    }
}

impl DeepCopy for Box<dyn Module> {
    #[track_caller]
    fn copy_with(&self, copies: &mut Copies) -> Box<dyn Module> {
        (**self).boxed_copy(copies)
    }
}

impl<T: DeepCopy> DeepCopy for Option<T> {
    fn copy_with(&self, copies: &mut Copies) -> Option<T> {
        self.as_ref().map(|value| value.copy_with(copies))
    }
}

impl<T: DeepCopy> DeepCopy for Vec<T> {
    fn copy_with(&self, copies: &mut Copies) -> Vec<T> {
        self.iter().map(|value| value.copy_with(copies)).collect()
    }
}

impl<A: DeepCopy, B: DeepCopy> DeepCopy for (A, B) {
    fn copy_with(&self, copies: &mut Copies) -> (A, B) {
        (self.0.copy_with(copies), self.1.copy_with(copies))
    }
}

/// Values without tensors.
macro_rules! plain {
    ($($type:ty),*) => {
        $(impl DeepCopy for $type {
            fn copy_with(&self, _: &mut Copies) -> $type {
                self.clone()
            }
        })*
    };
}
plain!(bool, usize, isize, i64, f32, f64, String, DType, Ints, ConvOptions, PoolOptions, PadMode, Interpolate);

/// Declares how a struct of this crate is copied: field by field.
macro_rules! deep_copy {
    ($($type:ident { $($field:ident),* })*) => {
        $(impl $crate::DeepCopy for $type {
            #[allow(unused_variables, reason = "a layer without fields")]
            fn copy_with(&self, copies: &mut $crate::Copies) -> $type {
                $type { $($field: $crate::DeepCopy::copy_with(&self.$field, copies)),* }
            }
        })*
    };
}
pub(crate) use deep_copy;

/// The hook of [`Module`] for a type that is [`DeepCopy`].
macro_rules! boxed_copy {
    () => {
        fn boxed_copy(&self, copies: &mut $crate::Copies) -> Box<dyn $crate::Module> {
            $crate::Module::boxed($crate::DeepCopy::copy_with(self, copies))
        }
    };
}
pub(crate) use boxed_copy;
