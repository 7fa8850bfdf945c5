//! State dicts: torch's ids for parameters, and the checks of a dict that is to be loaded.

use super::{OptimizerBase, lock};
use crate::{Error, Optimizer, ParamGroup, Result};
use checkpoint::{Dict, Key, Value};
use std::collections::HashMap;
use tape::{DType, Tensor};

/// What a state dict holds for an optimizer, once its groups have been found to fit. It shares no memory with
/// the dict.
#[derive(Debug)]
pub struct Loaded {
    /// State by parameter, in the dict's order. Tensors have been converted to the dtype of the parameter, or
    /// to [`Optimizer::state_dtype`] where that is another one, except those under the key `step`.
    pub state: Vec<(Tensor, Value)>,
    /// The options of each group as they will be; an optimizer may add what older dicts lack.
    pub options: Vec<Dict>,
    /// Entries of the state that belong to no parameter.
    extra: Dict,
}

impl Loaded {
    /// The state of one parameter.
    pub fn state_of(&self, param: &Tensor) -> Option<&Value> {
        self.state.iter().find(|(other, _)| other.same(param)).map(|(_, value)| value)
    }

    /// Gives every group that lacks an option this value for it.
    pub fn set_default(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        for options in &mut self.options {
            if !options.contains_key(name) {
                options.insert(name, value.clone());
            }
        }
    }
}

/// A copy whose tensors are copies too.
pub(crate) fn deep_copy(dict: &Dict) -> Dict {
    dict.iter().map(|(key, value)| (key.clone(), value.deep_copy())).collect()
}

/// The state dict of an optimizer, under torch's keys, without hooks.
pub(crate) fn pack(optimizer: &dyn Optimizer) -> Value {
    let base = optimizer.base();
    let (ids, groups) = pack_groups(base);
    let mut state = Dict::new();
    for (param, entries) in optimizer.save_state() {
        if let Some(&id) = ids.get(&param.id()) {
            state.insert(id, entries);
        }
    }
    state.extend(deep_copy(&lock(&base.extra)));
    Dict::from_iter([("state", state.into()), ("param_groups", groups)]).into()
}

/// The ids of the parameters, by [`Tensor::id`], and the groups as a state dict has them.
///
/// A parameter met again keeps its first id, except within one group, where the last position wins; ids count
/// positions, duplicates included. That is how torch packs.
fn pack_groups(base: &OptimizerBase) -> (HashMap<usize, usize>, Value) {
    let mut ids = HashMap::new();
    let mut start = 0;
    let mut packed = Vec::new();
    for group in base.groups.all().iter() {
        let fresh: HashMap<usize, usize> = (group.params().iter().enumerate())
            .filter(|(_, p)| !ids.contains_key(&p.id()))
            .map(|(i, p)| (p.id(), start + i))
            .collect();
        ids.extend(fresh);
        start += group.params().len();
        let mut options = deep_copy(&group.options());
        options.insert("params", group.params().iter().map(|p| ids[&p.id()]).collect::<Value>());
        packed.push(options);
    }
    (ids, packed.into())
}

/// Loads a state dict, without hooks. Everything is checked before anything changes.
pub(crate) fn unpack(optimizer: &dyn Optimizer, state_dict: Value) -> Result<()> {
    let base = optimizer.base();
    let _running = base.start("load_state_dict")?;
    let mut loaded = check(optimizer, &optimizer.adapt_state_dict(state_dict))?;
    optimizer.load_state(&mut loaded)?;
    *lock(&base.extra) = loaded.extra;
    for (group, options) in base.groups.all().iter().zip(loaded.options) {
        group.replace_options(options);
    }
    Ok(())
}

/// torch's checks of a state dict: number and sizes of groups.
fn check(optimizer: &dyn Optimizer, state_dict: &Value) -> Result<Loaded> {
    let saved = state_dict.require("param_groups")?;
    let saved = saved.as_list().ok_or_else(|| wrong_kind("a list", saved))?;
    let own = optimizer.base().groups.all();
    if saved.len() != own.len() {
        return Err(Error::GroupCount { saved: saved.len(), own: own.len() });
    }
    let mut params = HashMap::new();
    let options: Vec<Dict> = (saved.iter().zip(own.iter()).enumerate())
        .map(|(i, (saved, own))| check_group(i, saved, own, &mut params))
        .collect::<Result<_>>()?;
    let saved = state_dict.require("state")?;
    let (mut state, mut extra) = (Vec::new(), Dict::new());
    for (key, value) in saved.as_dict().ok_or_else(|| wrong_kind("a dict", saved))?.iter() {
        match params.get(key) {
            Some((param, group)) => {
                let conversion = Conversion::new(optimizer, param, &options[*group]);
                state.push((Tensor::clone(param), conversion.copy(None, value)));
            }
            None => {
                extra.insert(key.clone(), value.deep_copy());
            }
        }
    }
    Ok(Loaded { state, options, extra })
}

/// One group: its parameters and its position by their ids in the dict, and its options.
fn check_group(i: usize, saved: &Value, own: &ParamGroup, params: &mut HashMap<Key, (Tensor, usize)>) -> Result<Dict> {
    let ids = saved.require("params")?;
    let ids = ids.as_list().ok_or_else(|| wrong_kind("a list", ids))?;
    if ids.len() != own.params().len() {
        return Err(Error::GroupSize { group: i, saved: ids.len(), own: own.params().len() });
    }
    for (id, param) in ids.iter().zip(own.params()) {
        // Numbers, or the names that tools for distributed training put in their place.
        let id = match id {
            Value::Int(id) => Key::Int(*id),
            Value::Str(name) => Key::Str(name.clone()),
            other => return Err(wrong_kind("an int or a str", other).into()),
        };
        params.insert(id, (param.clone(), i));
    }
    let mut options = saved.as_dict().map(deep_copy).unwrap_or_default();
    options.remove("params");
    Ok(options)
}

/// torch's conversion of the state of one parameter; `None` keeps a dtype.
struct Conversion {
    /// Of tensors.
    dtype: Option<DType>,
    /// Of tensors under the key `step`.
    step: Option<DType>,
}

impl Conversion {
    fn new(optimizer: &dyn Optimizer, param: &Tensor, options: &Dict) -> Self {
        let is_set = |name| options.get(name).and_then(Value::as_bool).unwrap_or(false);
        Self {
            // Beside an integer parameter torch only moves tensors to its device.
            dtype: param.dtype().is_floating_point().then(|| optimizer.state_dtype(param)),
            // torch counts on the device of the parameter there, in `float32`.
            step: (is_set("capturable") || is_set("fused")).then_some(DType::F32),
        }
    }

    /// A converted copy of what stands under `key`, at any depth. Elements of lists stand under none.
    fn copy(&self, key: Option<&str>, value: &Value) -> Value {
        let items = |items: &[Value]| items.iter().map(|item| self.copy(None, item)).collect();
        match value {
            Value::Tensor(tensor) => {
                let dtype = if key == Some("step") { self.step } else { self.dtype };
                let tensor = tensor.detach();
                let converted = tensor.to_dtype(dtype.unwrap_or(tensor.dtype()));
                // A conversion to the dtype it has already gives the tensor itself.
                if converted.same(&tensor) { tensor.copy() } else { converted }.into()
            }
            Value::List(list) => Value::List(items(list)),
            Value::Tuple(tuple) => Value::Tuple(items(tuple)),
            Value::Dict(dict) => {
                Value::Dict(dict.iter().map(|(key, value)| (key.clone(), self.copy(key.as_str(), value))).collect())
            }
            plain => plain.clone(),
        }
    }
}

pub(crate) fn wrong_kind(wanted: &'static str, found: &Value) -> checkpoint::Error {
    checkpoint::Error::WrongKind { wanted, found: found.kind() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Groups;

    #[test]
    fn a_parameter_met_again_keeps_its_first_id() {
        let [p, q, r] = [1.0, 2.0, 3.0].map(|x| Tensor::from([x]));
        let group = ParamGroup::new([&p, &q, &p]);
        let groups = Groups::over(vec![group.clone(), ParamGroup::new([&r]), group]);
        let (ids, packed) = pack_groups(&OptimizerBase::over("Mine", groups, &[], Dict::new()));
        let packed: Vec<_> = packed.iter().map(|group| group["params"].clone()).collect();
        assert_eq!(packed, [Value::from([2, 1, 2]), Value::from([3]), Value::from([2, 1, 2])]);
        assert_eq!([&p, &q, &r].map(|p| ids[&p.id()]), [2, 1, 3]);
    }
}
