//! State dicts of modules: torch's keys in torch's order.

use crate::error::{Error, Result, StateDictError};
use crate::{Members, Module};
use checkpoint::{Dict, Key, Value};
use std::collections::HashSet;
use tape::{Tensor, no_grad};

/// The keys in which a state dict and a module differ, as `load_state_dict` of torch returns them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncompatibleKeys {
    /// What the module has and the dict lacks.
    pub missing_keys: Vec<String>,
    /// What the dict has and the module lacks.
    pub unexpected_keys: Vec<String>,
}

/// The saved tensors of a module: its own parameters, its own buffers, and then those of its submodules. A
/// tensor that several modules share has an entry for each.
pub(crate) fn entries(members: Members<'_>, named_parameters: Vec<(String, Tensor)>) -> Vec<(String, Tensor)> {
    let mut entries = members.parameters;
    let saved = members.buffers.into_iter().filter(|buffer| buffer.persistent);
    entries.extend(saved.map(|buffer| (buffer.name, buffer.tensor)));
    for (child, module) in members.children {
        let of_child = self::entries(module.members(), module.named_parameters());
        entries.extend(of_child.into_iter().map(|(name, tensor)| (format!("{child}.{name}"), tensor)));
    }
    // A module may list its parameters without naming its members.
    let known: HashSet<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    let mut listed = named_parameters;
    listed.retain(|(name, _)| !known.contains(name.as_str()));
    entries.extend(listed);
    entries
}

pub(crate) fn to_value(entries: Vec<(String, Tensor)>) -> Value {
    Value::Dict(entries.into_iter().map(|(name, tensor)| (name, tensor.detach())).collect::<Dict>())
}

/// Copies the tensors of `state` into those of a module, after everything has been checked.
pub(crate) fn load(
    module: &str,
    entries: &[(String, Tensor)],
    state: &Value,
    strict: bool,
) -> Result<IncompatibleKeys> {
    let dict = state.as_dict().ok_or(Error::NotADict(state.kind()))?;
    let own: HashSet<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    let is_own = |key: &&Key| key.as_str().is_some_and(|key| own.contains(key));
    let text = |key: &Key| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    let mut keys = IncompatibleKeys {
        missing_keys: Vec::new(),
        unexpected_keys: dict.keys().filter(|key| !is_own(key)).map(text).collect(),
    };
    let (mut pairs, mut mismatches) = (Vec::new(), Vec::new());
    for (name, tensor) in entries {
        match dict.get(name.as_str()) {
            None => keys.missing_keys.push(name.clone()),
            Some(Value::Tensor(saved)) if saved.sizes() == tensor.sizes() => pairs.push((tensor, saved)),
            Some(Value::Tensor(saved)) => mismatches.push(format!(
                "size mismatch for {name}: copying a param with shape torch.Size({:?}) from checkpoint, the shape in \
                 current model is torch.Size({:?}).",
                saved.sizes(),
                tensor.sizes()
            )),
            Some(other) => mismatches.push(format!(
                "While copying the parameter named \"{name}\", expected torch.Tensor or Tensor-like object from \
                 checkpoint but received {}",
                other.kind()
            )),
        }
    }
    let differ = strict && !(keys.missing_keys.is_empty() && keys.unexpected_keys.is_empty());
    if differ || !mismatches.is_empty() {
        let IncompatibleKeys { missing_keys, unexpected_keys } =
            if strict { keys } else { IncompatibleKeys::default() };
        let module = module.to_owned();
        return Err(Error::StateDict(StateDictError { module, missing_keys, unexpected_keys, mismatches }));
    }
    no_grad(|| {
        for (tensor, saved) in pairs {
            tensor.copy_(saved);
        }
    });
    Ok(keys)
}

/// Whether a module trains: by its own mode, or else by that of a submodule; `None` without any.
pub(crate) fn training(members: &Members<'_>) -> Option<bool> {
    let of_children = || members.children.iter().filter_map(|(_, child)| training(&child.members()));
    members.mode.map(crate::Mode::is_training).or_else(|| of_children().reduce(|a, b| a || b))
}

/// Named buffers of a module and its submodules, each tensor once.
pub(crate) fn named_buffers(members: Members<'_>) -> Vec<(String, Tensor)> {
    let own = members.buffers.into_iter().map(|buffer| (buffer.name, buffer.tensor));
    let of_child = |(child, module): (String, &dyn Module)| {
        let buffers = module.named_buffers().into_iter();
        buffers.map(|(name, tensor)| (format!("{child}.{name}"), tensor)).collect::<Vec<_>>()
    };
    once_each(own.chain(members.children.into_iter().flat_map(of_child)))
}

/// Each tensor under the first of its names.
pub(crate) fn once_each(tensors: impl Iterator<Item = (String, Tensor)>) -> Vec<(String, Tensor)> {
    let mut seen = HashSet::new();
    tensors.filter(|(_, tensor)| seen.insert(tensor.id())).collect()
}
