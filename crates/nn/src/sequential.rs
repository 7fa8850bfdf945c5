//! Modules one after another.

use crate::{Module, child_parameters};
use tape::Tensor;

/// A chain of modules, each applied to the output of the one before, as `torch.nn.Sequential`.
///
/// Parameters are named by the position of their module: `"0.weight"`, `"2.bias"`. A chain without modules
/// returns its input.
///
/// ```
/// use nn::{Linear, Module, Sequential, Tanh};
/// use tape::{DType, Tensor};
///
/// let model = Sequential::new([Linear::new(64, 128).boxed(), Tanh.boxed(), Linear::new(128, 10).boxed()]);
/// assert_eq!(model.forward(&Tensor::zeros([7, 64], DType::F32)).shape(), [7, 10]);
/// ```
#[derive(Default)]
pub struct Sequential {
    modules: Vec<Box<dyn Module>>,
}

impl Sequential {
    /// A chain of these modules; [`Module::boxed`] puts modules of different types into one list.
    pub fn new(modules: impl IntoIterator<Item = Box<dyn Module>>) -> Sequential {
        Sequential { modules: modules.into_iter().collect() }
    }

    /// Appends a module.
    ///
    /// ```
    /// use nn::{Linear, Sequential, Tanh};
    ///
    /// let mut model = Sequential::default();
    /// for width in [8, 4, 2] {
    ///     model.push(Linear::new(width, width / 2));
    ///     model.push(Tanh);
    /// }
    /// assert_eq!(model.len(), 6);
    /// ```
    pub fn push(&mut self, module: impl Module + 'static) {
        self.modules.push(module.boxed());
    }

    /// Number of modules.
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether there are no modules.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// The modules in order.
    ///
    /// ```
    /// use nn::{Linear, Module, Sequential, Tanh};
    /// use tape::{DType, Tensor};
    ///
    /// let model = Sequential::new([Linear::new(2, 3).boxed(), Tanh.boxed()]);
    /// let mut x = Tensor::ones([1, 2], DType::F32);
    /// for module in model.iter() {
    ///     x = module.forward(&x); // every hidden value on the way
    /// }
    /// assert_eq!(x.shape(), [1, 3]);
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &dyn Module> {
        self.modules.iter().map(|module| &**module)
    }
}

impl Module for Sequential {
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        match self.modules.split_first() {
            None => input.clone(),
            Some((first, rest)) => rest.iter().fold(first.forward(input), |x, module| module.forward(&x)),
        }
    }

    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        child_parameters(self.iter().enumerate().map(|(position, module)| (position.to_string(), module)))
    }
}

impl FromIterator<Box<dyn Module>> for Sequential {
    fn from_iter<I: IntoIterator<Item = Box<dyn Module>>>(modules: I) -> Self {
        Sequential::new(modules)
    }
}
