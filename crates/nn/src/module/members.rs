//! What a module owns, and the mode it is in.

use crate::Module;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tape::Tensor;

/// What a module owns: parameters, buffers, submodules and its mode, each under the name that torch would
/// give it. The result of [`Module::members`].
///
/// ```
/// use nn::{Linear, Members, Mode, Module, parameter};
/// use tape::{DType, Tensor};
///
/// struct Net {
///     layers: Vec<Linear>,
///     scale: Tensor,
///     mean: Tensor, // known, not learned
///     mode: Mode,
/// }
///
/// impl Module for Net {
///     fn forward(&self, x: &Tensor) -> Tensor {
///         let x = self.layers.iter().fold(x - &self.mean, |x, layer| layer.forward(&x).tanh());
///         let y = &self.scale * x;
///         if self.mode.is_training() { &y + 0.01 * y.randn_like() } else { y }
///     }
///
///     fn members(&self) -> Members<'_> {
///         Members::new()
///             .parameter("scale", &self.scale)
///             .buffer("mean", &self.mean)
///             .modules("layers", &self.layers)
///             .mode(&self.mode)
///     }
/// }
///
/// let net = Net {
///     layers: vec![Linear::new(2, 2), Linear::new(2, 2)],
///     scale: parameter(1.0f32),
///     mean: Tensor::zeros(2, DType::F32),
///     mode: Mode::new(),
/// };
/// let keys: Vec<String> = net.state_dict().keys().map(|key| key.as_str().unwrap().to_owned()).collect();
/// assert_eq!(keys, ["scale", "mean", "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]);
/// net.eval();
/// assert!(!net.is_training());
/// ```
#[derive(Default)]
#[must_use = "members are what a module answers; they register nothing"]
pub struct Members<'a> {
    pub(crate) parameters: Vec<(String, Tensor)>,
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) children: Vec<(String, &'a dyn Module)>,
    pub(crate) mode: Option<&'a Mode>,
}

/// A tensor that belongs to a module and is not learned.
pub(crate) struct Buffer {
    pub name: String,
    pub tensor: Tensor,
    /// Whether it is part of the state dict.
    pub persistent: bool,
}

#[track_caller]
fn checked(kind: &str, name: impl Into<String>) -> String {
    let name = name.into();
    assert!(!name.is_empty(), "Members: {kind} name can't be empty string \"\"; name it as torch would");
    assert!(!name.contains('.'), "Members: {kind} name can't contain \".\", got: {name}; dots separate modules");
    name
}

impl<'a> Members<'a> {
    /// Nothing, to be added to.
    pub fn new() -> Members<'a> {
        Members::default()
    }

    /// A learned tensor; `None` (a bias that is switched off) adds nothing.
    ///
    /// # Panics
    /// If the name is empty or has a dot.
    #[track_caller]
    pub fn parameter<'t>(mut self, name: impl Into<String>, tensor: impl Into<Option<&'t Tensor>>) -> Self {
        let name = checked("parameter", name);
        self.parameters.extend(tensor.into().map(|tensor| (name, tensor.clone())));
        self
    }

    /// A tensor that is saved with the module but not learned, such as a running mean; `None` adds nothing.
    ///
    /// # Panics
    /// If the name is empty or has a dot.
    #[track_caller]
    pub fn buffer<'t>(self, name: impl Into<String>, tensor: impl Into<Option<&'t Tensor>>) -> Self {
        self.add_buffer(name, tensor.into(), true)
    }

    /// A tensor that belongs to the module and is neither learned nor saved: torch's
    /// `register_buffer(.., persistent=False)`. `None` adds nothing.
    ///
    /// # Panics
    /// If the name is empty or has a dot.
    #[track_caller]
    pub fn unsaved_buffer<'t>(self, name: impl Into<String>, tensor: impl Into<Option<&'t Tensor>>) -> Self {
        self.add_buffer(name, tensor.into(), false)
    }

    #[track_caller]
    fn add_buffer(mut self, name: impl Into<String>, tensor: Option<&Tensor>, persistent: bool) -> Self {
        let name = checked("buffer", name);
        self.buffers.extend(tensor.map(|tensor| Buffer { name, tensor: tensor.clone(), persistent }));
        self
    }

    /// A submodule.
    ///
    /// # Panics
    /// If the name is empty or has a dot.
    #[track_caller]
    pub fn module(mut self, name: impl Into<String>, module: &'a dyn Module) -> Self {
        self.children.push((checked("module", name), module));
        self
    }

    /// Submodules of one type under `"name.0"`, `"name.1"`, ..: torch's names for a
    /// [`ModuleList`](crate::ModuleList).
    ///
    /// # Panics
    /// If the name is empty or has a dot.
    #[track_caller]
    pub fn modules<M: Module>(mut self, name: impl Into<String>, modules: impl IntoIterator<Item = &'a M>) -> Self {
        let name = checked("module", name);
        let numbered = |(i, module): (usize, &'a M)| (format!("{name}.{i}"), module as &dyn Module);
        self.children.extend(modules.into_iter().enumerate().map(numbered));
        self
    }

    /// Whether the module trains or evaluates; needed only if it asks.
    pub fn mode(mut self, mode: &'a Mode) -> Self {
        self.mode = Some(mode);
        self
    }
}

/// Whether a module trains or evaluates: torch's `training`. A field of modules that differ in the two, such
/// as dropout, named in their [`members`](Module::members).
///
/// [`Module::train`] and [`Module::eval`] set it through a shared reference. A clone is the same mode.
///
/// ```
/// use nn::Mode;
///
/// let mode = Mode::new();
/// assert!(mode.is_training());
/// mode.set_training(false);
/// assert!(!mode.is_training());
/// ```
#[derive(Clone, Debug)]
pub struct Mode(Arc<AtomicBool>);

impl Mode {
    /// Training, as a module starts.
    pub fn new() -> Mode {
        Mode(Arc::new(AtomicBool::new(true)))
    }

    /// Whether the module trains.
    pub fn is_training(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Says whether the module trains.
    pub fn set_training(&self, training: bool) {
        self.0.store(training, Ordering::Relaxed);
    }
}

impl Default for Mode {
    fn default() -> Mode {
        Mode::new()
    }
}
