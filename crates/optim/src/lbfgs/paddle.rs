//! State dicts of Paddle's L-BFGS.

use super::Lbfgs;
use crate::base;
use checkpoint::{Dict, Key, Value};

/// Paddle's name and torch's, where they differ.
const NAMES: [(&str, &str); 3] = [("alpha", "t"), ("old_yk", "old_dirs"), ("old_sk", "old_stps")];

/// Turns `{"state": {"func_evals": .., "alpha": .., ..}}`, one flat map and no groups, into torch's form with
/// the options the optimizer has. Everything else is returned as it is.
pub(super) fn translate(optimizer: &Lbfgs, state_dict: Value) -> Value {
    if state_dict.get("param_groups").is_some() {
        return state_dict;
    }
    let Some(flat) = state_dict.get("state").and_then(Value::as_dict) else { return state_dict };
    if !flat.is_empty() && !flat.contains_key("func_evals") {
        return state_dict;
    }
    let mut own = base::pack(optimizer);
    let first = own["param_groups"][0]["params"].get(0).and_then(Value::as_int);
    let mut state = Dict::new();
    if let Some(first) = first
        && !flat.is_empty()
    {
        state.insert(first, flat.iter().map(|(key, value)| (renamed(key), value.clone())).collect::<Dict>());
    }
    own["state"] = state.into();
    own
}

fn renamed(key: &Key) -> Key {
    let torchs = NAMES.iter().find(|(paddles, _)| key.as_str() == Some(paddles));
    torchs.map_or_else(|| key.clone(), |&(_, name)| name.into())
}
