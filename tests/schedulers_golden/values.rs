//! Values of the golden files beside those of state dicts and groups.

use crate::golden::{float, text};
use serde_json::Value as Json;
use wolfe::checkpoint::{Dict, Key};
use wolfe::prelude::Value;

/// A number that may be an integer in the file.
pub fn number(json: &Json) -> f64 {
    json.as_f64().unwrap_or_else(|| float(json))
}

/// Whether two numbers are equal: to the bit with glibc, whose `pow`, `cos` and `log` torch used for the file, else to
/// rounding.
pub fn same(found: f64, expected: f64) -> bool {
    if found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan() {
        return true;
    }
    !cfg!(target_env = "gnu") && (found - expected).abs() <= 1e-14 * expected.abs().max(1.0)
}

pub fn same_list(found: &[f64], expected: &Json) -> bool {
    let expected = expected.as_array().expect("a list of numbers");
    found.len() == expected.len() && found.iter().zip(expected).all(|(&found, expected)| same(found, number(expected)))
}

/// A value of the file as a state dict has it; a function is its name.
pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(flag) => (*flag).into(),
        Json::Number(_) => json.as_i64().expect("a plain number of the file is an integer").into(),
        Json::String(_) => float(json).into(),
        Json::Array(items) => items.iter().map(value).collect(),
        Json::Object(entry) => match entry.iter().next().map(|(kind, inner)| (kind.as_str(), inner)) {
            Some(("str" | "function", name)) => text(name).into(),
            Some(("tuple", items)) => Value::Tuple(items.as_array().expect("a list").iter().map(value).collect()),
            Some(("map" | "counter", pairs)) => dict(pairs).into(),
            other => panic!("no such kind of value: {other:?}"),
        },
    }
}

/// A list of pairs as a dict.
pub fn dict(pairs: &Json) -> Dict {
    let mut dict = Dict::new();
    for pair in pairs.as_array().expect("a list of pairs") {
        let key = match &pair[0] {
            Json::String(key) => Key::from(key.as_str()),
            key => Key::from(key.as_i64().expect("keys are strings and integers")),
        };
        dict.insert(key, value(&pair[1]));
    }
    dict
}

/// Asserts equal values with equal order of keys. A whole number may be an integer on one side and a float on the
/// other: options that Python takes as either are of type `f64` here.
pub fn assert_same(found: &Value, expected: &Value, place: &str) {
    match (found, expected) {
        (Value::Float(_) | Value::Int(_), Value::Float(_) | Value::Int(_)) => {
            let float = |value: &Value| value.as_float().unwrap_or_else(|| panic!("{value} is a number"));
            let (found, expected) = (float(found), float(expected));
            assert!(same(found, expected), "{place}: {found} instead of {expected}");
        }
        (Value::List(found), Value::List(expected)) | (Value::Tuple(found), Value::Tuple(expected)) => {
            assert_eq!(found.len(), expected.len(), "{place}");
            for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert_same(found, expected, &format!("{place}[{i}]"));
            }
        }
        (Value::Dict(found), Value::Dict(expected)) => {
            let keys = |dict: &Dict| dict.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(found), keys(expected), "{place}");
            for ((key, found), (_, expected)) in found.iter().zip(expected.iter()) {
                assert_same(found, expected, &format!("{place}[{key}]"));
            }
        }
        _ => assert_eq!(found, expected, "{place}"),
    }
}
