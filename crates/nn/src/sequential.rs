//! Modules one after another.

use crate::module::{boxed_copy, deep_copy};
use crate::{Members, Mode, Module};
use std::ops::{Index, IndexMut};
use tape::Tensor;

/// A chain of modules, each applied to the output of the one before, as `torch.nn.Sequential`.
///
/// Parameters are named by the position of their module, `"0.weight"`, `"2.bias"`, or by the names given to
/// [`named`](Sequential::named). A chain without modules returns its input. A module is read and replaced by
/// its position or name: `model[2]`, `model["head"]`.
///
/// ```
/// use nn::{Linear, Module, ReLU, Sequential, Tanh};
/// use tape::{DType, Tensor};
///
/// let mut model = Sequential::new([Linear::new(64, 128).boxed(), Tanh.boxed(), Linear::new(128, 10).boxed()]);
/// model[1] = ReLU.boxed();
/// assert_eq!(model.forward(&Tensor::zeros([7, 64], DType::F32)).shape(), [7, 10]);
/// ```
#[derive(Default)]
pub struct Sequential {
    modules: Vec<(String, Box<dyn Module>)>,
    mode: Mode,
}

deep_copy! { Sequential { modules, mode } }

impl Sequential {
    /// A chain of these modules; [`Module::boxed`] puts modules of different types into one list.
    pub fn new(modules: impl IntoIterator<Item = Box<dyn Module>>) -> Sequential {
        let numbered = modules.into_iter().enumerate().map(|(position, module)| (position.to_string(), module));
        Sequential { modules: numbered.collect(), mode: Mode::new() }
    }

    /// A chain of modules with names, torch's `Sequential(OrderedDict(..))`.
    ///
    /// ```
    /// use nn::{Linear, Module, Sequential, Tanh};
    ///
    /// let model = Sequential::named([("hidden", Linear::new(2, 3).boxed()), ("activation", Tanh.boxed())]);
    /// assert_eq!(model.named_parameters()[0].0, "hidden.weight");
    /// assert!(model["activation"].is::<Tanh>());
    /// ```
    ///
    /// # Panics
    /// If a name is used twice.
    #[track_caller]
    pub fn named<N: Into<String>>(modules: impl IntoIterator<Item = (N, Box<dyn Module>)>) -> Sequential {
        let mut chain = Sequential::default();
        for (name, module) in modules {
            let name = name.into();
            assert!(chain.position(&name).is_none(), "Sequential: two modules are named {name:?}; rename one of them");
            chain.modules.push((name, module));
        }
        chain
    }

    /// Appends a module, named by its position.
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
    ///
    /// # Panics
    /// If another module has been given that name.
    #[track_caller]
    pub fn push(&mut self, module: impl Module + 'static) {
        let name = self.modules.len().to_string();
        assert!(
            self.modules.iter().all(|(taken, _)| *taken != name),
            "Sequential::push: the name {name:?}, its position, is taken by another module; name it with Sequential::named"
        );
        self.modules.push((name, module.boxed()));
    }

    /// Number of modules.
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether there are no modules.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// The module at a position, if there is one.
    pub fn get(&self, position: usize) -> Option<&dyn Module> {
        self.modules.get(position).map(|(_, module)| &**module)
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
        self.modules.iter().map(|(_, module)| &**module)
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.modules.iter().position(|(own, _)| own == name)
    }

    #[track_caller]
    fn position_of(&self, name: &str) -> usize {
        let names = || self.modules.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
        self.position(name)
            .unwrap_or_else(|| panic!("Sequential: no module is named {name:?}; there are {:?}", names()))
    }

    #[track_caller]
    fn check(&self, position: usize) {
        let len = self.len();
        assert!(position < len, "Sequential: index {position} is out of range; the chain has {len} modules");
    }
}

/// # Panics
/// If the position is outside of the chain.
impl Index<usize> for Sequential {
    type Output = Box<dyn Module>;

    #[track_caller]
    fn index(&self, position: usize) -> &Box<dyn Module> {
        self.check(position);
        &self.modules[position].1
    }
}

/// # Panics
/// If the position is outside of the chain.
impl IndexMut<usize> for Sequential {
    #[track_caller]
    fn index_mut(&mut self, position: usize) -> &mut Box<dyn Module> {
        self.check(position);
        &mut self.modules[position].1
    }
}

/// # Panics
/// If no module has this name.
impl Index<&str> for Sequential {
    type Output = Box<dyn Module>;

    #[track_caller]
    fn index(&self, name: &str) -> &Box<dyn Module> {
        &self.modules[self.position_of(name)].1
    }
}

/// # Panics
/// If no module has this name.
impl IndexMut<&str> for Sequential {
    #[track_caller]
    fn index_mut(&mut self, name: &str) -> &mut Box<dyn Module> {
        let position = self.position_of(name);
        &mut self.modules[position].1
    }
}

impl Module for Sequential {
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        match self.modules.split_first() {
            None => input.clone(),
            Some(((_, first), rest)) => rest.iter().fold(first.forward(input), |x, (_, module)| module.forward(&x)),
        }
    }

    fn members(&self) -> Members<'_> {
        let modules = self.modules.iter().map(|(name, module)| (name, &**module));
        modules.fold(Members::new().mode(&self.mode), |members, (name, module)| members.module(name, module))
    }

    boxed_copy!();
}

impl FromIterator<Box<dyn Module>> for Sequential {
    fn from_iter<I: IntoIterator<Item = Box<dyn Module>>>(modules: I) -> Self {
        Sequential::new(modules)
    }
}
