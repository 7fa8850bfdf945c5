//! A group of parameters with options of its own.

use crate::base::deep_copy;
use crate::{Error, IntoParams, Param, Result};
use checkpoint::{Dict, Key, Value};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tape::Tensor;

/// Parameters that share hyper-parameters: torch's param-group dict.
///
/// A group is a handle, as a dict is in Python: the optimizer and every clone see the same options, so a
/// learning rate set here is the one the next step uses. Options are open: what an optimizer does not know (a
/// scheduler's `initial_lr`) is kept and saved.
///
/// ```
/// use optim::{Optimizer, ParamGroup, Sgd};
/// use tape::{DType, Tensor};
/// let (w, b) = (Tensor::zeros([2, 2], DType::F32), Tensor::zeros([2], DType::F32));
/// let sgd = Sgd::builder([ParamGroup::new([&w]), ParamGroup::new([&b]).with("lr", 0.5)]).lr(0.1).build()?;
/// assert_eq!(sgd.param_groups()[0].lr(), 0.1);
/// sgd.param_groups()[1].set_lr(0.25);
/// assert_eq!(sgd.state_dict()["param_groups"][1]["lr"].as_float(), Some(0.25));
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ParamGroup(Arc<Group>);

#[derive(Debug)]
struct Group {
    params: Vec<Tensor>,
    naming: Naming,
    options: Mutex<Dict>,
}

/// What the elements given for a group looked like; judged when the group joins an optimizer.
#[derive(Clone, Debug)]
enum Naming {
    Unnamed,
    Named(Vec<String>),
    SomeMissing,
    NestedGroup,
}

impl ParamGroup {
    /// A group of these parameters. What is wrong with them is reported when the group joins an optimizer.
    pub fn new(params: impl IntoParams) -> Self {
        let params = params.into_params();
        let given = params.len();
        let (mut tensors, mut names) = (Vec::new(), Vec::new());
        for param in params {
            match param {
                Param::Tensor(tensor) => tensors.push(tensor),
                Param::Named(name, tensor) => {
                    names.push(name);
                    tensors.push(tensor);
                }
                Param::Group(_) => {}
            }
        }
        let naming = match names.len() {
            0 if tensors.len() < given => Naming::NestedGroup,
            0 => Naming::Unnamed,
            named if named == given => Naming::Named(names),
            _ => Naming::SomeMissing,
        };
        Self(Arc::new(Group { params: tensors, naming, options: Mutex::default() }))
    }

    /// The same group with an option set.
    #[must_use]
    pub fn with(self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    fn lock(&self) -> MutexGuard<'_, Dict> {
        self.0.options.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The parameters.
    pub fn params(&self) -> &[Tensor] {
        &self.0.params
    }

    /// The names of the parameters, if they have names.
    pub fn names(&self) -> Option<Vec<String>> {
        let options = self.lock();
        let names = options.get("param_names")?.as_list()?;
        Some(names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
    }

    /// The learning rate.
    ///
    /// # Panics
    /// If the group has no numeric `lr`: it joined no optimizer yet, or a state dict without it was loaded.
    #[track_caller]
    pub fn lr(&self) -> f64 {
        match self.get("lr") {
            Some(Value::Tensor(lr)) => lr.item(),
            Some(ref lr) if lr.as_float().is_some() => lr.as_float().unwrap_or(f64::NAN),
            Some(other) => panic!("lr: the group's lr is {}; set a number with set_lr", other.kind()),
            None => panic!("lr: the group has no lr; add the group to an optimizer, or set it with set_lr"),
        }
    }

    /// Sets the learning rate; one that is a tensor keeps being the same tensor and is filled.
    pub fn set_lr(&self, lr: f64) {
        match self.get("lr") {
            Some(Value::Tensor(tensor)) => tensor.write_from(&vec![lr; tensor.numel()]),
            _ => self.set("lr", lr),
        }
    }

    /// An option, by torch's name for it.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.lock().get(name).cloned()
    }

    /// Sets an option, known to the optimizer or not. The next step reads it.
    pub fn set(&self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        self.lock().insert(name, value);
    }

    /// Removes an option and returns it. One that the optimizer needs is then an error of its next step.
    pub fn remove(&self, name: &str) -> Option<Value> {
        self.lock().remove(name)
    }

    /// The names of all options, in torch's order.
    pub fn keys(&self) -> Vec<String> {
        self.lock().keys().filter_map(Key::as_str).map(str::to_owned).collect()
    }

    /// Reads several options at once.
    pub(crate) fn with_options<R>(&self, read: impl FnOnce(&Dict) -> R) -> R {
        read(&self.lock())
    }

    /// A copy of all options.
    pub(crate) fn options(&self) -> Dict {
        self.lock().clone()
    }

    /// Replaces all options, but keeps the names of the parameters where the new options have none.
    pub(crate) fn replace_options(&self, mut new: Dict) {
        let mut options = self.lock();
        if let Some(names) = options.get("param_names")
            && !new.contains_key("param_names")
        {
            new.insert("param_names", names.clone());
        }
        *options = new;
    }

    /// The same parameters with options of their own.
    pub(crate) fn deep_copy(&self) -> Self {
        let options = deep_copy(&self.lock());
        let Group { params, naming, .. } = &*self.0;
        Self(Arc::new(Group { params: params.clone(), naming: naming.clone(), options: Mutex::new(options) }))
    }

    pub(crate) fn has_names(&self) -> bool {
        self.lock().contains_key("param_names")
    }

    pub(crate) fn repeats_params(&self) -> bool {
        let mut seen = HashSet::new();
        !self.params().iter().all(|p| seen.insert(p.id()))
    }

    /// torch's checks of what is inside one group, and its defaults: caller's options first, then the names,
    /// then the defaults the caller left out. An optimizer that is itself differentiated (`differentiable`)
    /// may have computed parameters.
    pub(crate) fn prepare(&self, required: &[&'static str], defaults: &Dict) -> Result<()> {
        match &self.0.naming {
            Naming::NestedGroup => return Err(Error::NotATensor),
            Naming::SomeMissing => return Err(Error::NamesMissing),
            Naming::Named(names) => self.set("param_names", names.clone()),
            Naming::Unnamed => {}
        }
        let differentiable = defaults.get("differentiable").and_then(Value::as_bool).unwrap_or(false);
        let computed = |p: &Tensor| !differentiable && !p.is_leaf() && !p.retains_grad();
        if let Some(index) = self.params().iter().position(computed) {
            return Err(Error::NonLeaf { index });
        }
        let mut options = self.lock();
        if let Some(name) = required.iter().find(|&&name| !options.contains_key(name)) {
            return Err(Error::RequiredOption(name));
        }
        for (name, value) in defaults.iter() {
            if !options.contains_key(name.clone()) {
                options.insert(name.clone(), value.clone());
            }
        }
        Ok(())
    }
}
