//! The trait that all optimizers share, and the part of them that torch's base class has.

use crate::{BoxError, Error, IntoParams, Param, ParamGroup, Result};
use checkpoint::{Dict, Key, Value};
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tape::{EnableGradGuard, Tensor, no_grad};

/// A closure that computes the loss anew: clears the gradients, evaluates, calls `backward`, returns the
/// loss.
pub type Closure<'a> = dyn FnMut() -> std::result::Result<Tensor, BoxError> + 'a;

/// What every optimizer can do, whether it evaluates the loss itself ([`Lbfgs`](crate::Lbfgs)) or only reads
/// gradients ([`Sgd`](crate::Sgd)).
///
/// All methods take `&self`, so that the closure of a running step may use the optimizer.
///
/// ```
/// use optim::{Lbfgs, Optimizer, Sgd};
/// use tape::Tensor;
/// let p = Tensor::from([3.0, -4.0]).requires_grad_(true);
/// let optimizers: [Box<dyn Optimizer>; 2] =
///     [Box::new(Sgd::builder([&p]).lr(0.25).build()?), Box::new(Lbfgs::builder([&p]).build()?)];
/// for optimizer in &optimizers {
///     optimizer.step_closure(&mut || {
///         optimizer.zero_grad();
///         let loss = (&p * &p).sum();
///         loss.backward()?;
///         Ok(loss)
///     })?;
/// }
/// assert!(p.to_vec::<f64>().iter().all(|x| x.abs() < 1e-6));
/// # Ok::<(), optim::Error>(())
/// ```
pub trait Optimizer: Send + Sync {
    /// One step. The closure runs with gradients enabled; what it returned at its first call is returned.
    ///
    /// # Errors
    /// What the closure returned, or what the optimizer cannot do; the parameters are then at the last
    /// accepted point.
    fn step_closure(&self, closure: &mut Closure<'_>) -> Result<Tensor>;

    /// Drops the gradients of all parameters: `zero_grad_set_to_none(true)`.
    fn zero_grad(&self) {
        self.zero_grad_set_to_none(true);
    }

    /// Drops the gradients of all parameters, or (`false`) keeps them as tensors of zeros.
    fn zero_grad_set_to_none(&self, set_to_none: bool);

    /// A snapshot of state and options under torch's keys. It shares no numbers with the optimizer.
    fn state_dict(&self) -> Value;

    /// Takes over what [`state_dict`](Self::state_dict) saved, possibly by torch.
    ///
    /// # Errors
    /// If the dict does not fit; nothing has been changed then.
    fn load_state_dict(&self, state_dict: Value) -> Result<()>;

    /// The groups, as handles: an option set through one counts from the next step on.
    fn param_groups(&self) -> Vec<ParamGroup>;

    /// Adds a group; options it lacks get the optimizer's defaults.
    ///
    /// # Errors
    /// If a parameter is in another group already, is no leaf, or names are given in one group but not in
    /// another.
    fn add_param_group(&self, group: ParamGroup) -> Result<()>;

    /// What torch would have warned of, such as a parameter that occurs twice in its group.
    fn warnings(&self) -> Vec<String>;
}

/// A mutex that outlives panics: what it guards is never left half-written.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the closure with gradients enabled and reads the loss as a plain number.
pub(crate) fn evaluate(closure: &mut Closure<'_>) -> Result<(Tensor, f64)> {
    let outcome = {
        let _recording = EnableGradGuard::new();
        closure()
    };
    let loss = outcome.map_err(Error::Closure)?;
    if loss.numel() != 1 {
        return Err(Error::LossNotScalar { shape: loss.sizes().to_vec() });
    }
    let value = loss.item();
    Ok((loss, value))
}

/// Groups, defaults and the running flag.
#[derive(Debug)]
pub(crate) struct Core {
    groups: Mutex<Arc<Vec<ParamGroup>>>,
    defaults: Dict,
    running: AtomicBool,
    warnings: Mutex<Vec<String>>,
}

/// As long as it lives, no other step, load or added group.
#[derive(Debug)]
pub(crate) struct Running<'a>(&'a AtomicBool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Core {
    pub(crate) fn new(params: impl IntoParams, defaults: Dict) -> Result<Self> {
        let params = params.into_params();
        let core =
            Self { groups: Mutex::default(), defaults, running: AtomicBool::new(false), warnings: Mutex::default() };
        match params.first() {
            None => return Err(Error::EmptyParameterList),
            // The first element alone decides whether these are groups, as in torch.
            Some(Param::Group(_)) => {
                for param in params {
                    match param {
                        Param::Group(group) => core.add(group)?,
                        Param::Tensor(_) => return Err(Error::NotAGroup("a Tensor")),
                        Param::Named(..) => return Err(Error::NotAGroup("a named Tensor")),
                    }
                }
            }
            Some(_) => core.add(ParamGroup::new(params))?,
        }
        Ok(core)
    }

    pub(crate) fn groups(&self) -> Arc<Vec<ParamGroup>> {
        Arc::clone(&lock(&self.groups))
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        lock(&self.warnings).clone()
    }

    /// Claims the optimizer for `call`.
    pub(crate) fn start(&self, call: &'static str) -> Result<Running<'_>> {
        match self.running.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(Running(&self.running)),
            Err(_) => Err(Error::StepIsRunning { call }),
        }
    }

    /// torch's checks in torch's order, then the group is in.
    pub(crate) fn add(&self, group: ParamGroup) -> Result<()> {
        group.prepare(&self.defaults)?;
        let mut groups = lock(&self.groups);
        let mut seen = HashSet::new();
        if !group.params().iter().all(|p| seen.insert(p.id())) {
            lock(&self.warnings).push(String::from(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause \
                 an error; see github.com/pytorch/pytorch/issues/40967 for more information",
            ));
        }
        let named = group.has_names();
        if groups.first().is_some_and(|first| first.has_names() != named) {
            let added = if named { "with names" } else { "without names" };
            return Err(Error::MixedNames { added });
        }
        if groups.iter().flat_map(ParamGroup::params).any(|p| seen.contains(&p.id())) {
            return Err(Error::ParameterInTwoGroups);
        }
        let mut all = groups.to_vec();
        all.push(group);
        *groups = Arc::new(all);
        Ok(())
    }

    pub(crate) fn zero_grad(&self, set_to_none: bool) {
        let groups = self.groups();
        for param in groups.iter().flat_map(ParamGroup::params) {
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
            no_grad(|| grad.zero_());
        }
    }

    /// The ids of the parameters in group order, and the groups as a state dict has them.
    ///
    /// A parameter met again keeps its first id, except within one group, where the last position wins; ids
    /// count positions, duplicates included. That is how torch packs.
    pub(crate) fn pack_groups(&self) -> Packed {
        let mut ids = HashMap::new();
        let mut start = 0;
        let mut packed = Vec::new();
        for group in self.groups().iter() {
            let fresh: HashMap<usize, usize> = (group.params().iter().enumerate())
                .filter(|(_, p)| !ids.contains_key(&p.id()))
                .map(|(i, p)| (p.id(), start + i))
                .collect();
            ids.extend(fresh);
            start += group.params().len();
            let mut options = group.options();
            options.insert("params", group.params().iter().map(|p| ids[&p.id()]).collect::<Value>());
            packed.push(options);
        }
        Packed { ids, groups: packed.into() }
    }

    /// Checks the groups of a state dict against the optimizer's own.
    pub(crate) fn unpack_groups(&self, state_dict: &Value) -> Result<Unpacked> {
        let saved = state_dict.require("param_groups")?;
        let saved = saved.as_list().ok_or(wrong_kind("a list", saved))?;
        let own = self.groups();
        if saved.len() != own.len() {
            return Err(Error::GroupCount { saved: saved.len(), own: own.len() });
        }
        let (mut options, mut params) = (Vec::new(), HashMap::new());
        for (i, (group, own)) in saved.iter().zip(own.iter()).enumerate() {
            let ids = group.require("params")?;
            let ids = ids.as_list().ok_or(wrong_kind("a list", ids))?;
            if ids.len() != own.params().len() {
                return Err(Error::GroupSize { group: i, saved: ids.len(), own: own.params().len() });
            }
            for (id, param) in ids.iter().zip(own.params()) {
                params.insert(i64::try_from(id)?, param.clone());
            }
            let mut dict = group.as_dict().cloned().unwrap_or_default();
            dict.remove("params");
            options.push(dict);
        }
        Ok(Unpacked { options, params })
    }

    /// Puts the options of a checked state dict into the groups.
    pub(crate) fn commit_groups(&self, options: Vec<Dict>) {
        for (group, options) in self.groups().iter().zip(options) {
            group.replace_options(options);
        }
    }

    /// torch's `repr`: the options of each group in sorted order.
    pub(crate) fn describe(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{name} (")?;
        for (i, group) in self.groups().iter().enumerate() {
            write!(f, "\nParameter Group {i}\n")?;
            let options = group.options();
            let mut keys: Vec<&Key> = options.keys().collect();
            keys.sort();
            for key in keys {
                if let (Some(name), Some(value)) = (key.as_str(), options.get(key.clone())) {
                    writeln!(f, "    {name}: {value}")?;
                }
            }
        }
        f.write_char(')')
    }
}

/// Groups as a state dict has them.
pub(crate) struct Packed {
    /// From [`Tensor::id`] to the id in the dict.
    pub(crate) ids: HashMap<usize, usize>,
    pub(crate) groups: Value,
}

/// The checked groups of a state dict.
pub(crate) struct Unpacked {
    pub(crate) options: Vec<Dict>,
    /// The optimizer's parameter for each id in the dict.
    pub(crate) params: HashMap<i64, Tensor>,
}

pub(crate) fn wrong_kind(wanted: &'static str, found: &Value) -> checkpoint::Error {
    checkpoint::Error::WrongKind { wanted, found: found.kind() }
}
