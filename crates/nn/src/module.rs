//! The trait of everything that has parameters and maps a tensor to a tensor.

use std::collections::HashSet;
use tape::Tensor;

/// A function of a tensor together with the parameters it owns.
///
/// The trait is object safe: a `Box<dyn Module>` is a module, and [`boxed`](Module::boxed) makes one.
/// Modules are `Send + Sync`, so that a model can be shared between threads as its tensors can.
///
/// The [crate documentation](crate) shows how to write one.
pub trait Module: Send + Sync {
    /// Applies the module to `input`.
    fn forward(&self, input: &Tensor) -> Tensor;

    /// The parameters with torch's dotted names (`"0.weight"`), in the order in which torch lists them. A
    /// module without parameters returns an empty list.
    ///
    /// ```
    /// use nn::{Linear, Module};
    ///
    /// let names: Vec<_> = Linear::new(2, 1).named_parameters().into_iter().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["weight", "bias"]);
    /// ```
    fn named_parameters(&self) -> Vec<(String, Tensor)>;

    /// The parameters, in the order of [`named_parameters`](Module::named_parameters): what an optimizer
    /// takes.
    ///
    /// ```
    /// use nn::{Linear, Module};
    ///
    /// let count: usize = Linear::new(10, 3).parameters().iter().map(|p| p.numel()).sum();
    /// assert_eq!(count, 33);
    /// ```
    fn parameters(&self) -> Vec<Tensor> {
        self.named_parameters().into_iter().map(|(_, parameter)| parameter).collect()
    }

    /// Drops the gradient of every parameter.
    ///
    /// ```
    /// use nn::{Linear, Module};
    /// use tape::{DType, Tensor};
    ///
    /// let layer = Linear::new(2, 1);
    /// layer.forward(&Tensor::ones([1, 2], DType::F32)).sum().backward()?;
    /// assert!(layer.weight.grad().is_some());
    /// layer.zero_grad();
    /// assert!(layer.weight.grad().is_none());
    /// # Ok::<(), tape::Error>(())
    /// ```
    fn zero_grad(&self) {
        for parameter in self.parameters() {
            parameter.set_grad(None);
        }
    }

    /// Says of every parameter whether it takes part in differentiation: `requires_grad_(false)` freezes
    /// the module.
    ///
    /// ```
    /// use nn::{Linear, Module};
    ///
    /// let layer = Linear::new(2, 1);
    /// layer.requires_grad_(false);
    /// assert!(layer.parameters().iter().all(|p| !p.requires_grad()));
    /// ```
    fn requires_grad_(&self, requires_grad: bool) {
        for parameter in self.parameters() {
            parameter.requires_grad_(requires_grad);
        }
    }

    /// Boxes the module, for lists of modules of different types.
    ///
    /// ```
    /// use nn::{Linear, Module, ReLU, Sequential};
    ///
    /// let model = Sequential::new([Linear::new(2, 2).boxed(), ReLU.boxed()]);
    /// assert_eq!(model.len(), 2);
    /// ```
    fn boxed(self) -> Box<dyn Module>
    where
        Self: Sized + 'static,
    {
        Box::new(self)
    }
}

impl<M: Module + ?Sized> Module for Box<M> {
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        (**self).forward(input)
    }

    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        (**self).named_parameters()
    }
}

/// The parameters of named submodules, each under `"child.parameter"`: the usual body of
/// [`named_parameters`](Module::named_parameters).
///
/// As in torch a parameter that two children share is listed once, under the first of its names.
///
/// ```
/// use nn::{Linear, Module, child_parameters};
///
/// let encoder = Linear::new(3, 2);
/// let tied = encoder.clone(); // the same weight and bias
/// let parameters = child_parameters([("encoder", &encoder as &dyn Module), ("tied", &tied)]);
/// let names: Vec<_> = parameters.iter().map(|(name, _)| name.as_str()).collect();
/// assert_eq!(names, ["encoder.weight", "encoder.bias"]);
/// ```
pub fn child_parameters<'a, N: AsRef<str>>(
    children: impl IntoIterator<Item = (N, &'a dyn Module)>,
) -> Vec<(String, Tensor)> {
    let mut seen = HashSet::new();
    let mut collected = Vec::new();
    for (child, module) in children {
        for (name, parameter) in module.named_parameters() {
            if seen.insert(parameter.id()) {
                collected.push((format!("{}.{name}", child.as_ref()), parameter));
            }
        }
    }
    collected
}
