//! What all optimizers have in common: torch's class `Optimizer` without its step.

mod groups;
mod hooks;
mod packing;
mod printing;

pub use groups::Groups;
pub use hooks::{
    Hooks, OptimizerHook, StateDictHook, StepArgs, StepPostHook, StepPreHook, register_optimizer_step_post_hook,
    register_optimizer_step_post_hook_on_all_threads, register_optimizer_step_pre_hook,
    register_optimizer_step_pre_hook_on_all_threads,
};
pub(crate) use hooks::{load_state_dict, state_dict, step};
pub use packing::Loaded;
pub(crate) use packing::{deep_copy, pack, unpack, wrong_kind};
pub(crate) use printing::formatted;

use crate::lr_scheduler::LrScheduler;
use crate::{Error, IntoParams, Param, ParamGroup, Result};
use checkpoint::{Dict, Value};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tape::{Tensor, no_grad};

/// A mutex that outlives panics: what it guards is never left half-written.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Groups, defaults, hooks and warnings of an optimizer, and the entries of its state that belong to no
/// parameter.
///
/// An optimizer of your own holds one of these and hands it out through [`Optimizer::base`]; the trait then
/// has everything but the step. Its [`Display`](std::fmt::Display) prints as torch prints an optimizer.
///
/// A clone is over the same parameters, with groups of its own that begin with the same options, and without
/// hooks, as a copy of an optimizer is in torch.
///
/// [`Optimizer::base`]: crate::Optimizer::base
#[derive(Debug)]
pub struct OptimizerBase {
    name: &'static str,
    groups: Arc<Groups>,
    /// Options that have no default.
    required: Vec<&'static str>,
    defaults: Dict,
    hooks: Hooks,
    running: AtomicBool,
    warnings: Mutex<Vec<String>>,
    /// Entries of torch's `optimizer.state` whose keys are no parameters.
    extra: Mutex<Dict>,
    /// The scheduler that alone is to set the learning rate.
    scheduler: Mutex<Option<Arc<dyn LrScheduler>>>,
}

/// torch's warning of a parameter that a group has twice.
const REPEATED: &str = "optimizer contains a parameter group with duplicate parameters; in future, this will cause \
                        an error; see github.com/pytorch/pytorch/issues/40967 for more information";

/// As long as it lives, no other step or load.
#[derive(Debug)]
pub(crate) struct Running<'a>(&'a AtomicBool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl OptimizerBase {
    /// The base of an optimizer that prints as `name`, over these parameters. Groups take over the defaults
    /// they have no value of their own for.
    ///
    /// # Errors
    /// torch's, in torch's order: if there are no parameters, tensors and groups are mixed, a parameter is
    /// computed from others, some have names and some have none, or one is in two groups.
    pub fn new(name: &'static str, params: impl IntoParams, defaults: Dict) -> Result<Self> {
        Self::build(name, params.into_params(), &[], defaults)
    }

    /// As [`new`](Self::new), for an optimizer with options that have no default: every group has to bring
    /// them. torch writes `required` where their default would stand.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::RequiredOption`] if a group lacks one of them.
    ///
    /// ```
    /// use checkpoint::Dict;
    /// use optim::{OptimizerBase, ParamGroup};
    /// let p = tape::Tensor::from([1.0]);
    /// let group = ParamGroup::new([&p]).with("lr", 0.1);
    /// OptimizerBase::with_required("Mine", [group], &["lr"], Dict::new())?;
    /// let error = OptimizerBase::with_required("Mine", [&p], &["lr"], Dict::new()).unwrap_err();
    /// assert_eq!(error.to_string(), "parameter group didn't specify a value of required optimization parameter lr");
    /// # Ok::<(), optim::Error>(())
    /// ```
    pub fn with_required(
        name: &'static str,
        params: impl IntoParams,
        required: &[&'static str],
        defaults: Dict,
    ) -> Result<Self> {
        Self::build(name, params.into_params(), required, defaults)
    }

    fn build(name: &'static str, params: Vec<Param>, required: &[&'static str], defaults: Dict) -> Result<Self> {
        let base = Self::over(name, Groups::default(), required, defaults);
        match params.first() {
            None => return Err(Error::EmptyParameterList),
            // The first element alone decides whether these are groups, as in torch.
            Some(Param::Group(_)) => {
                for param in params {
                    match param {
                        Param::Group(group) => base.add_group(group)?,
                        Param::Tensor(_) => return Err(Error::NotAGroup("<class 'torch.Tensor'>")),
                        Param::Named(..) => return Err(Error::NotAGroup("<class 'tuple'>")),
                    }
                }
            }
            Some(_) => base.add_group(ParamGroup::new(params))?,
        }
        Ok(base)
    }

    fn over(name: &'static str, groups: Groups, required: &[&'static str], defaults: Dict) -> Self {
        Self {
            name,
            groups: Arc::new(groups),
            required: required.to_vec(),
            defaults,
            hooks: Hooks::default(),
            running: AtomicBool::new(false),
            warnings: Mutex::default(),
            extra: Mutex::default(),
            scheduler: Mutex::default(),
        }
    }

    /// The name under which the optimizer prints: torch's class name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The groups, as a handle that does not keep the optimizer alive.
    pub fn groups(&self) -> &Arc<Groups> {
        &self.groups
    }

    /// The options that a group gets where it has none of its own.
    pub fn defaults(&self) -> &Dict {
        &self.defaults
    }

    /// The hooks, for registration through a `dyn Optimizer`; see also the methods of
    /// [`Optimizer`](crate::Optimizer).
    pub fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// What torch would have warned of.
    pub fn warnings(&self) -> Vec<String> {
        lock(&self.warnings).clone()
    }

    /// See [`Optimizer::lr_scheduler`](crate::Optimizer::lr_scheduler).
    pub(crate) fn scheduler(&self) -> MutexGuard<'_, Option<Arc<dyn LrScheduler>>> {
        lock(&self.scheduler)
    }

    /// Sets an entry of the state that belongs to no parameter: torch's `optimizer.state["name"] = value`. Such
    /// entries are saved and loaded with the rest. Returns what the entry was before.
    ///
    /// ```
    /// use optim::{Optimizer, Sgd};
    /// let p = tape::Tensor::from([1.0]);
    /// let sgd = Sgd::builder([&p]).build()?;
    /// sgd.base().insert_state("epoch", 3);
    /// assert_eq!(sgd.state_dict()["state"]["epoch"].as_int(), Some(3));
    /// # Ok::<(), optim::Error>(())
    /// ```
    pub fn insert_state(&self, name: &str, value: impl Into<Value>) -> Option<Value> {
        lock(&self.extra).insert(name, value)
    }

    /// An entry of the state that belongs to no parameter.
    pub fn state(&self, name: &str) -> Option<Value> {
        lock(&self.extra).get(name).cloned()
    }

    /// Removes an entry of the state that belongs to no parameter, and returns it.
    pub fn remove_state(&self, name: &str) -> Option<Value> {
        lock(&self.extra).remove(name)
    }

    /// Claims the optimizer for `call`.
    pub(crate) fn start(&self, call: &'static str) -> Result<Running<'_>> {
        match self.running.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(Running(&self.running)),
            Err(_) => Err(Error::StepIsRunning { call }),
        }
    }

    /// Refuses `call` inside a step, without claiming the optimizer.
    pub(crate) fn refuse_while_running(&self, call: &'static str) -> Result<()> {
        if self.running.load(Ordering::Relaxed) { Err(Error::StepIsRunning { call }) } else { Ok(()) }
    }

    /// torch's checks in torch's order, then the group is in. torch warns of a repeated parameter before it
    /// looks at the other groups.
    pub(crate) fn add_group(&self, group: ParamGroup) -> Result<()> {
        group.prepare(&self.required, &self.defaults)?;
        if group.repeats_params() {
            lock(&self.warnings).push(REPEATED.to_owned());
        }
        self.groups.join(group)
    }

    /// torch's `zero_grad`: without gradients at all, or with gradients that are zero, have no history and
    /// are the tensors they were.
    pub(crate) fn zero_grad(&self, set_to_none: bool) {
        for param in self.groups.all().iter().flat_map(ParamGroup::params) {
            if set_to_none {
                param.set_grad(None);
                continue;
            }
            let Some(grad) = param.grad() else { continue };
            let grad = if grad.is_leaf() {
                grad.requires_grad_(false)
            } else {
                // A gradient made with create_graph keeps its memory and loses its history.
                let detached = grad.detach();
                param.set_grad(Some(detached.clone()));
                detached
            };
            no_grad(|| each_once(&grad).zero_());
        }
    }

    /// All parameters, group by group.
    pub(crate) fn params(&self) -> Vec<Tensor> {
        self.groups.all().iter().flat_map(ParamGroup::params).cloned().collect()
    }
}

/// Whether several indices reach one element.
pub(crate) fn repeats_elements(tensor: &Tensor) -> bool {
    tensor.numel() > 0 && tensor.sizes().iter().zip(tensor.stride()).any(|(&size, &stride)| size > 1 && stride == 0)
}

/// The elements of a tensor without those that an expanded one repeats.
fn each_once(tensor: &Tensor) -> Tensor {
    let repeated = |dim: &isize| tensor.size(*dim) > 1 && tensor.stride()[dim.unsigned_abs()] == 0;
    (0..tensor.dim() as isize).filter(repeated).fold(tensor.clone(), |tensor, dim| tensor.narrow(dim, 0, 1))
}

impl Clone for OptimizerBase {
    fn clone(&self) -> Self {
        let groups = self.groups.all().iter().map(ParamGroup::deep_copy).collect();
        let base = Self::over(self.name, Groups::over(groups), &self.required, deep_copy(&self.defaults));
        *lock(&base.warnings) = self.warnings();
        *lock(&base.extra) = deep_copy(&lock(&self.extra));
        base
    }
}
