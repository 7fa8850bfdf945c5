//! Lists and dicts of modules and parameters that are not chains: what a module's own `forward` uses as it
//! likes.

use crate::module::{boxed_copy, deep_copy};
use crate::{Members, Mode, Module};
use std::ops::{Index, IndexMut};
use tape::Tensor;

/// A list of modules of different types, as `torch.nn.ModuleList`; parameters are named `"0.weight"`.
///
/// For modules of one type a `Vec` will do, with [`Members::modules`].
///
/// ```
/// use nn::{Linear, Module, ModuleList, Tanh};
/// use tape::{DType, Tensor};
///
/// let blocks = ModuleList::new([Linear::new(2, 2).boxed(), Tanh.boxed()]);
/// let x = Tensor::ones([1, 2], DType::F32);
/// let y = blocks.iter().fold(x.clone(), |y, block| y + block.forward(&x));
/// assert_eq!(y.shape(), [1, 2]);
/// assert_eq!(blocks.named_parameters()[1].0, "0.bias");
/// ```
#[derive(Default)]
pub struct ModuleList {
    modules: Vec<Box<dyn Module>>,
    mode: Mode,
}

/// Modules of different types under names, in order of insertion, as `torch.nn.ModuleDict`; parameters are
/// named `"name.weight"`.
///
/// ```
/// use nn::{Linear, Module, ModuleDict, ReLU, Tanh};
/// use tape::Tensor;
///
/// let mut choices = ModuleDict::new([("tanh", Tanh.boxed()), ("relu", ReLU.boxed())]);
/// choices.insert("map", Linear::new(1, 1));
/// assert_eq!(choices["relu"].forward(&Tensor::from([-1.0])).to_vec::<f64>(), [0.0]);
/// assert_eq!(choices.named_parameters()[0].0, "map.weight");
/// ```
#[derive(Default)]
pub struct ModuleDict {
    modules: Vec<(String, Box<dyn Module>)>,
    mode: Mode,
}

/// A list of parameters, as `torch.nn.ParameterList`, named `"0"`, `"1"`, ..
///
/// ```
/// use nn::{Module, ParameterList};
/// use tape::{DType, Tensor};
///
/// let coefficients = ParameterList::new((0..3).map(|_| Tensor::zeros(2, DType::F32)));
/// assert!(coefficients[2].requires_grad());
/// assert_eq!(coefficients.named_parameters()[2].0, "2");
/// ```
#[derive(Clone, Debug, Default)]
pub struct ParameterList {
    parameters: Vec<Tensor>,
}

deep_copy! {
    ModuleList { modules, mode }
    ModuleDict { modules, mode }
    ParameterList { parameters }
}

/// A tensor to be learned, as `torch.nn.Parameter(data)`: a leaf that requires grad, on the memory of `data`.
///
/// ```
/// use nn::parameter;
/// use tape::{DType, Tensor};
///
/// let scale = parameter(1.0f32);
/// assert!(scale.requires_grad() && scale.is_leaf());
/// let weights = parameter(Tensor::zeros([3, 2], DType::F64));
/// assert_eq!(weights.shape(), [3, 2]);
/// ```
///
/// # Panics
/// If the dtype is not a floating-point type.
#[track_caller]
pub fn parameter(data: impl Into<Tensor>) -> Tensor {
    data.into().detach().requires_grad_(true)
}

#[track_caller]
fn no_forward(name: &str) -> ! {
    panic!(
        "{name}: Module [{name}] is missing the required \"forward\" function; call the forward of the modules in \
         it, or use a Sequential"
    )
}

impl ModuleList {
    /// A list of these modules.
    pub fn new(modules: impl IntoIterator<Item = Box<dyn Module>>) -> ModuleList {
        ModuleList { modules: modules.into_iter().collect(), mode: Mode::new() }
    }

    /// Appends a module.
    pub fn push(&mut self, module: impl Module) {
        self.modules.push(module.boxed());
    }

    /// Puts a module before the one at `position`.
    ///
    /// # Panics
    /// If the position is beyond the end.
    pub fn insert(&mut self, position: usize, module: impl Module) {
        self.modules.insert(position, module.boxed());
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
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &dyn Module> {
        self.modules.iter().map(|module| &**module)
    }
}

impl FromIterator<Box<dyn Module>> for ModuleList {
    fn from_iter<I: IntoIterator<Item = Box<dyn Module>>>(modules: I) -> Self {
        ModuleList::new(modules)
    }
}

/// # Panics
/// If the position is outside of the list.
impl Index<usize> for ModuleList {
    type Output = Box<dyn Module>;

    #[track_caller]
    fn index(&self, position: usize) -> &Box<dyn Module> {
        &self.modules[position]
    }
}

/// # Panics
/// If the position is outside of the list.
impl IndexMut<usize> for ModuleList {
    #[track_caller]
    fn index_mut(&mut self, position: usize) -> &mut Box<dyn Module> {
        &mut self.modules[position]
    }
}

impl Module for ModuleList {
    /// # Panics
    /// Always: a list does not say how its modules are to be applied.
    #[track_caller]
    fn forward(&self, _: &Tensor) -> Tensor {
        no_forward("ModuleList")
    }

    fn members(&self) -> Members<'_> {
        let modules = self.iter().enumerate();
        modules.fold(Members::new().mode(&self.mode), |members, (i, module)| members.module(i.to_string(), module))
    }

    boxed_copy!();
}

impl ModuleDict {
    /// A dict of these modules.
    pub fn new<N: Into<String>>(modules: impl IntoIterator<Item = (N, Box<dyn Module>)>) -> ModuleDict {
        let mut dict = ModuleDict::default();
        for (name, module) in modules {
            dict.insert(name, module);
        }
        dict
    }

    /// Puts a module under a name: at the end, or in the place of the one that has the name.
    pub fn insert(&mut self, name: impl Into<String>, module: impl Module) {
        let name = name.into();
        match self.modules.iter_mut().find(|(own, _)| *own == name) {
            Some((_, old)) => *old = module.boxed(),
            None => self.modules.push((name, module.boxed())),
        }
    }

    /// Takes the module of a name out.
    pub fn remove(&mut self, name: &str) -> Option<Box<dyn Module>> {
        let position = self.modules.iter().position(|(own, _)| own == name)?;
        Some(self.modules.remove(position).1)
    }

    /// Number of modules.
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether there are no modules.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// The module of a name, if there is one.
    pub fn get(&self, name: &str) -> Option<&dyn Module> {
        self.iter().find(|(own, _)| *own == name).map(|(_, module)| module)
    }

    /// Names and modules in order of insertion.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &dyn Module)> {
        self.modules.iter().map(|(name, module)| (name.as_str(), &**module))
    }
}

/// # Panics
/// If no module has this name.
impl Index<&str> for ModuleDict {
    type Output = Box<dyn Module>;

    #[track_caller]
    fn index(&self, name: &str) -> &Box<dyn Module> {
        let names = || self.iter().map(|(name, _)| name).collect::<Vec<_>>();
        match self.modules.iter().find(|(own, _)| own == name) {
            Some((_, module)) => module,
            None => panic!("ModuleDict: no module is named {name:?}; there are {:?}", names()),
        }
    }
}

impl Module for ModuleDict {
    /// # Panics
    /// Always: a dict does not say how its modules are to be applied.
    #[track_caller]
    fn forward(&self, _: &Tensor) -> Tensor {
        no_forward("ModuleDict")
    }

    fn members(&self) -> Members<'_> {
        self.iter().fold(Members::new().mode(&self.mode), |members, (name, module)| members.module(name, module))
    }

    boxed_copy!();
}

impl ParameterList {
    /// A list of these tensors, made [parameters](parameter()) where they are not.
    ///
    /// # Panics
    /// If a dtype is not a floating-point type.
    #[track_caller]
    pub fn new(tensors: impl IntoIterator<Item = Tensor>) -> ParameterList {
        let mut list = ParameterList::default();
        for tensor in tensors {
            list.push(tensor);
        }
        list
    }

    /// Appends a tensor, made a [parameter](parameter()) if it is none.
    ///
    /// # Panics
    /// If the dtype is not a floating-point type.
    #[track_caller]
    pub fn push(&mut self, tensor: Tensor) {
        let is_parameter = tensor.is_leaf() && tensor.requires_grad();
        self.parameters.push(if is_parameter { tensor } else { parameter(tensor) });
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.parameters.len()
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }

    /// The parameters in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Tensor> {
        self.parameters.iter()
    }
}

impl<'a> IntoIterator for &'a ParameterList {
    type Item = &'a Tensor;
    type IntoIter = std::slice::Iter<'a, Tensor>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// # Panics
/// If the position is outside of the list.
impl Index<usize> for ParameterList {
    type Output = Tensor;

    #[track_caller]
    fn index(&self, position: usize) -> &Tensor {
        &self.parameters[position]
    }
}

impl Module for ParameterList {
    /// # Panics
    /// Always: a list of parameters is no function.
    #[track_caller]
    fn forward(&self, _: &Tensor) -> Tensor {
        no_forward("ParameterList")
    }

    fn members(&self) -> Members<'_> {
        let parameters = self.iter().enumerate();
        parameters.fold(Members::new(), |members, (i, tensor)| members.parameter(i.to_string(), tensor))
    }

    boxed_copy!();
}
