//! The trait of everything that has parameters and maps a tensor to a tensor.

mod copy;
mod members;
mod state;

use crate::error::Result;
use checkpoint::Value;
use std::any::Any;
use tape::{DType, Tensor};

pub use copy::{Copies, DeepCopy};
pub(crate) use copy::{boxed_copy, deep_copy};
pub use members::{Members, Mode};
pub use state::IncompatibleKeys;

/// A function of a tensor together with the parameters it owns.
///
/// One method makes a module: [`forward`](Module::forward). A module that owns something says so in
/// [`members`](Module::members), and everything else follows from there: parameter lists, state dicts,
/// training mode, walks over the parts.
///
/// The trait is object safe: a `Box<dyn Module>` is a module, and [`boxed`](Module::boxed) makes one.
/// Modules are `Send + Sync`, so that a model can be shared between threads as its tensors can.
///
/// The [crate documentation](crate) shows how to write one.
pub trait Module: Any + Send + Sync {
    /// Applies the module to `input`.
    fn forward(&self, input: &Tensor) -> Tensor;

    /// The parameters, buffers and submodules that the module owns itself, and its mode. A module without
    /// any of them needs no such method.
    fn members(&self) -> Members<'_> {
        Members::new()
    }

    /// The parameters with torch's dotted names (`"0.weight"`), in the order in which torch lists them. A
    /// parameter that several modules share is listed once, under the first of its names.
    ///
    /// They follow from [`members`](Module::members). A module may list them here instead, for which
    /// [`child_parameters`] helps, if it has no buffers and no parts that differ between training and
    /// evaluation: only members are reached by [`train`](Module::train) and [`apply`](Module::apply).
    ///
    /// ```
    /// use nn::{Linear, Module};
    ///
    /// let names: Vec<_> = Linear::new(2, 1).named_parameters().into_iter().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["weight", "bias"]);
    /// ```
    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        let members = self.members();
        state::once_each(members.parameters.into_iter().chain(child_parameters(members.children)))
    }

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

    /// How many numbers all parameters hold.
    ///
    /// ```
    /// use nn::{Linear, Module};
    ///
    /// assert_eq!(Linear::new(10, 3).num_parameters(), 33);
    /// ```
    fn num_parameters(&self) -> usize {
        self.parameters().iter().map(Tensor::numel).sum()
    }

    /// The buffers, saved and unsaved ones, with dotted names; each tensor once.
    fn named_buffers(&self) -> Vec<(String, Tensor)> {
        state::named_buffers(self.members())
    }

    /// The buffers, in the order of [`named_buffers`](Module::named_buffers).
    fn buffers(&self) -> Vec<Tensor> {
        self.named_buffers().into_iter().map(|(_, buffer)| buffer).collect()
    }

    /// The submodules that the module owns itself, with their names.
    ///
    /// ```
    /// use nn::{Linear, Module, Sequential, Tanh};
    ///
    /// let model = Sequential::new([Linear::new(2, 3).boxed(), Tanh.boxed()]);
    /// let names: Vec<_> = model.named_children().into_iter().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["0", "1"]);
    /// ```
    fn named_children(&self) -> Vec<(String, &dyn Module)> {
        self.members().children
    }

    /// The module itself, under the empty name, and all modules within it under dotted names, parents before
    /// their children.
    ///
    /// ```
    /// use nn::{Linear, Module, Sequential, Tanh};
    ///
    /// let inner = Sequential::new([Linear::new(2, 3).boxed(), Tanh.boxed()]);
    /// let model = Sequential::named([("inner", inner.boxed())]);
    /// let names: Vec<_> = model.named_modules().into_iter().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["", "inner", "inner.0", "inner.1"]);
    /// ```
    fn named_modules(&self) -> Vec<(String, &dyn Module)>
    where
        Self: Sized,
    {
        let mut modules = Vec::new();
        collect_modules(String::new(), self, &mut modules);
        modules
    }

    /// Calls `function` on every submodule, children before their parents, and on the module itself: torch's
    /// way to initialise a network. The layers of a `Sequential` are met in their order.
    ///
    /// What a module is says [`downcast_ref`](#method.downcast_ref). A layer that is owned twice is met twice.
    ///
    /// ```
    /// use nn::{Linear, Module, Sequential, Tanh, init};
    ///
    /// let model = Sequential::new([Linear::new(2, 8).boxed(), Tanh.boxed(), Linear::new(8, 1).boxed()]);
    /// model.apply(|module| {
    ///     if let Some(linear) = module.downcast_ref::<Linear>() {
    ///         init::xavier_uniform_(&linear.weight, 1.0);
    ///         init::constant_(linear.bias.as_ref().unwrap(), 0.01);
    ///     }
    /// });
    /// assert!(model.parameters()[1].to_vec::<f32>().iter().all(|&b| b == 0.01));
    /// ```
    fn apply(&self, mut function: impl FnMut(&dyn Module))
    where
        Self: Sized,
    {
        apply(self, &mut function);
    }

    /// Puts the module and all its parts into training mode (`true`) or evaluation mode (`false`).
    ///
    /// ```
    /// use nn::{Module, Sequential, Tanh};
    ///
    /// let model = Sequential::new([Tanh.boxed()]);
    /// assert!(model.is_training());
    /// model.train(false);
    /// assert!(!model.is_training());
    /// ```
    fn train(&self, training: bool) {
        let members = self.members();
        if let Some(mode) = members.mode {
            mode.set_training(training);
        }
        for (_, child) in members.children {
            child.train(training);
        }
    }

    /// Puts the module and all its parts into evaluation mode: `train(false)`.
    fn eval(&self) {
        self.train(false);
    }

    /// Whether the module is in training mode, in which it starts. A module without a [`Mode`] is in the
    /// mode of its parts; without any, as a lone `Linear`, it does the same in both and says `true`.
    fn is_training(&self) -> bool {
        state::training(&self.members()).unwrap_or(true)
    }

    /// Parameters and saved buffers under torch's names and in torch's order. The tensors are detached
    /// handles on the module's own memory, as in torch: later steps change them.
    /// [`deep_copy`](Value::deep_copy) takes a snapshot.
    ///
    /// ```
    /// use nn::{Linear, Module};
    ///
    /// let state = Linear::new(2, 1).state_dict();
    /// assert_eq!(state["weight"].as_tensor().unwrap().shape(), [1, 2]);
    /// ```
    fn state_dict(&self) -> Value {
        state::to_value(state::entries(self.members(), self.named_parameters()))
    }

    /// Copies the tensors of a state dict into the module's, converting their dtype where it differs.
    ///
    /// ```
    /// use nn::{Linear, Module};
    ///
    /// let (trained, fresh) = (Linear::new(2, 1), Linear::new(2, 1));
    /// fresh.load_state_dict(&trained.state_dict())?;
    /// assert_eq!(fresh.weight.to_vec::<f32>(), trained.weight.to_vec::<f32>());
    ///
    /// let error = Linear::new(3, 1).load_state_dict(&trained.state_dict()).unwrap_err();
    /// assert!(error.to_string().contains("size mismatch for weight"));
    /// # Ok::<(), nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the value is no dict, lacks a key, has one that the module has not, or if a value is no tensor or
    /// one of another shape. Then nothing is written.
    fn load_state_dict(&self, state: &Value) -> Result<()> {
        self.load_state_dict_with(state, true).map(|_| ())
    }

    /// As [`load_state_dict`](Module::load_state_dict); if not `strict`, missing and unexpected keys are no
    /// error but returned.
    ///
    /// # Errors
    /// As [`load_state_dict`](Module::load_state_dict).
    fn load_state_dict_with(&self, state: &Value, strict: bool) -> Result<IncompatibleKeys> {
        state::load(self.type_name(), &state::entries(self.members(), self.named_parameters()), state, strict)
    }

    /// The name of the type without its path, as messages show it: `"Linear"`.
    fn type_name(&self) -> &'static str {
        let path = std::any::type_name::<Self>();
        let arguments = path.find('<').unwrap_or(path.len());
        path[..arguments].rfind("::").map_or(path, |at| &path[at + 2..])
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

    /// A copy with memory of its own, Python's `copy.deepcopy`: parameters without `.grad`, buffers, modes.
    /// Parameters that are shared within the module are shared within the copy.
    ///
    /// ```
    /// use nn::{Linear, Module};
    ///
    /// let layer = Linear::new(2, 1);
    /// let copy = layer.deep_copy();
    /// assert_eq!(copy.weight.to_vec::<f32>(), layer.weight.to_vec::<f32>());
    /// nn::init::zeros_(&copy.weight);
    /// assert_ne!(copy.weight.to_vec::<f32>(), layer.weight.to_vec::<f32>());
    /// ```
    ///
    /// # Panics
    /// If a part of another type does not implement [`boxed_copy`](Module::boxed_copy), or holds a tensor
    /// that was computed from others.
    #[track_caller]
    #[must_use = "the copy is returned, the module stays what it is"]
    fn deep_copy(&self) -> Self
    where
        Self: DeepCopy,
    {
        self.copy_with(&mut Copies::new())
    }

    /// A [deep copy](Module::deep_copy) whose floating-point parameters and buffers are of another dtype: what
    /// torch's `module.double()` makes of a module itself. Build the optimizer from the copy.
    ///
    /// ```
    /// use nn::{Linear, Module, Sequential, Tanh};
    /// use tape::{DType, Tensor};
    ///
    /// let model = Sequential::new([Linear::new(2, 3).boxed(), Tanh.boxed()]).to_dtype(DType::F64);
    /// assert_eq!(model.forward(&Tensor::from([[1.0, 2.0]])).dtype(), DType::F64);
    /// ```
    ///
    /// # Panics
    /// As [`deep_copy`](Module::deep_copy), or if the dtype is not a floating-point type.
    #[track_caller]
    #[must_use = "a converted copy is returned, the module stays what it is"]
    fn to_dtype(&self, dtype: DType) -> Self
    where
        Self: DeepCopy,
    {
        assert!(
            dtype.is_floating_point(),
            "to_dtype: nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}; use \
             DType::F32 or DType::F64"
        );
        let mut copies = Copies::new();
        copies.dtype = Some(dtype);
        self.copy_with(&mut copies)
    }

    /// How the module is copied where its type is not known, as in a `Sequential`: for a module that
    /// implements [`DeepCopy`] this is `self.copy_with(copies).boxed()`.
    ///
    /// # Panics
    /// If the module does not implement it.
    #[track_caller]
    fn boxed_copy(&self, _: &mut Copies) -> Box<dyn Module> {
        panic!(
            "deep_copy: {0} does not say how it is copied; implement nn::DeepCopy for {0}, and \
             Module::boxed_copy as self.copy_with(copies).boxed()",
            self.type_name()
        )
    }
}

fn collect_modules<'a>(name: String, module: &'a dyn Module, modules: &mut Vec<(String, &'a dyn Module)>) {
    let dot = if name.is_empty() { "" } else { "." };
    modules.push((name.clone(), module.unboxed()));
    for (child, module) in module.members().children {
        collect_modules(format!("{name}{dot}{child}"), module, modules);
    }
}

/// [`Module::apply`] of a module whose type is not known.
///
/// ```
/// use nn::{Linear, Module};
///
/// fn count_layers(model: &dyn Module) -> usize {
///     let mut layers = 0;
///     nn::apply(model, &mut |module| layers += usize::from(module.is::<Linear>()));
///     layers
/// }
///
/// assert_eq!(count_layers(&Linear::new(2, 1)), 1);
/// ```
pub fn apply(module: &dyn Module, function: &mut dyn FnMut(&dyn Module)) {
    for (_, child) in module.members().children {
        apply(child, function);
    }
    // What is inside of a box is the module that a function looks for.
    function(module.unboxed());
}

impl dyn Module {
    /// The module as its own type, if that is `M`.
    ///
    /// ```
    /// use nn::{Linear, Module, Sequential, Tanh};
    ///
    /// let model = Sequential::new([Linear::new(2, 3).boxed(), Tanh.boxed()]);
    /// assert_eq!(model[0].downcast_ref::<Linear>().unwrap().out_features(), 3);
    /// assert!(model[1].downcast_ref::<Linear>().is_none());
    /// ```
    pub fn downcast_ref<M: Module>(&self) -> Option<&M> {
        (self.unboxed() as &dyn Any).downcast_ref::<M>()
    }

    /// Whether the module is of type `M`.
    pub fn is<M: Module>(&self) -> bool {
        self.downcast_ref::<M>().is_some()
    }

    fn unboxed(&self) -> &dyn Module {
        (self as &dyn Any).downcast_ref::<Box<dyn Module>>().map_or(self, |inner| inner.unboxed())
    }
}

impl Module for Box<dyn Module> {
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        (**self).forward(input)
    }

    fn members(&self) -> Members<'_> {
        (**self).members()
    }

    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        (**self).named_parameters()
    }

    fn named_buffers(&self) -> Vec<(String, Tensor)> {
        (**self).named_buffers()
    }

    fn train(&self, training: bool) {
        (**self).train(training);
    }

    fn state_dict(&self) -> Value {
        (**self).state_dict()
    }

    fn load_state_dict_with(&self, state: &Value, strict: bool) -> Result<IncompatibleKeys> {
        (**self).load_state_dict_with(state, strict)
    }

    fn type_name(&self) -> &'static str {
        (**self).type_name()
    }

    #[track_caller]
    fn boxed_copy(&self, copies: &mut Copies) -> Box<dyn Module> {
        (**self).boxed_copy(copies)
    }
}

/// The parameters of named submodules, each under `"child.parameter"`: the usual body of a
/// [`named_parameters`](Module::named_parameters) that is written by hand.
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
    state::once_each(children.into_iter().flat_map(|(child, module)| {
        let parameters = module.named_parameters().into_iter();
        parameters.map(move |(name, parameter)| (format!("{}.{name}", child.as_ref()), parameter)).collect::<Vec<_>>()
    }))
}
