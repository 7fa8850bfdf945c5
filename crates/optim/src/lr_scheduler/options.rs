//! Options of schedulers, of groups and of saved schedulers.

use crate::{Error, ParamGroup, Result};
use checkpoint::Value;
use std::str::FromStr;

/// The number in a value: a float, an integer, or a tensor of one element.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Tensor(x) if x.numel() == 1 => Some(x.item()),
        plain => plain.as_float(),
    }
}

/// A numeric option of a group.
pub(super) fn option(group: &ParamGroup, name: &'static str) -> Result<f64> {
    let value = group.get(name).ok_or(Error::MissingOption(name))?;
    number(&value).ok_or_else(|| Error::WrongOption { name, wanted: "a number", found: value.to_string() })
}

fn mismatch(key: &str, wanted: &str, found: &Value) -> Error {
    Error::StateMismatch(format!("'{key}': expected {wanted}, found {}", found.kind()))
}

/// A number of a state dict.
pub(super) fn float(saved: &Value, key: &str) -> Result<f64> {
    let value = saved.require(key)?;
    number(value).ok_or_else(|| mismatch(key, "a number", value))
}

/// A list of numbers of a state dict.
pub(super) fn floats(saved: &Value, key: &str) -> Result<Vec<f64>> {
    let value = saved.require(key)?;
    let items = value.as_list().ok_or_else(|| mismatch(key, "a list", value))?;
    items.iter().map(|item| number(item).ok_or_else(|| mismatch(key, "a list of numbers", item))).collect()
}

/// An integer of a state dict.
pub(super) fn integer(saved: &Value, key: &str) -> Result<i64> {
    let value = saved.require(key)?;
    value.as_int().ok_or_else(|| mismatch(key, "an int", value))
}

/// A boolean of a state dict.
pub(super) fn flag(saved: &Value, key: &str) -> Result<bool> {
    let value = saved.require(key)?;
    value.as_bool().ok_or_else(|| mismatch(key, "a bool", value))
}

/// Text of a state dict.
pub(super) fn text<'a>(saved: &'a Value, key: &str) -> Result<&'a str> {
    let value = saved.require(key)?;
    value.as_str().ok_or_else(|| mismatch(key, "a str", value))
}

/// One number for all groups, or one for each.
///
/// ```
/// use optim::lr_scheduler::PerGroup;
/// assert_eq!(PerGroup::from(0.1), PerGroup::One(0.1));
/// assert_eq!(PerGroup::from([0.1, 0.2]), PerGroup::Each(vec![0.1, 0.2]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum PerGroup {
    /// The same for every group.
    One(f64),
    /// One for each group, in order.
    Each(Vec<f64>),
}

impl From<f64> for PerGroup {
    fn from(number: f64) -> Self {
        Self::One(number)
    }
}

impl From<Vec<f64>> for PerGroup {
    fn from(numbers: Vec<f64>) -> Self {
        Self::Each(numbers)
    }
}

impl<const N: usize> From<[f64; N]> for PerGroup {
    fn from(numbers: [f64; N]) -> Self {
        Self::Each(numbers.to_vec())
    }
}

impl PerGroup {
    /// One number for each of so many groups.
    pub(super) fn spread(&self, name: &'static str, groups: usize) -> Result<Vec<f64>> {
        match self {
            Self::One(number) => Ok(vec![*number; groups]),
            Self::Each(numbers) if numbers.len() == groups => Ok(numbers.clone()),
            Self::Each(numbers) => Err(Error::ValuesPerGroup { name, values: numbers.len(), groups }),
        }
    }
}

/// How a learning rate goes from one value to another.
///
/// ```
/// use optim::lr_scheduler::Anneal;
/// assert_eq!("linear".parse::<Anneal>()?, Anneal::Linear);
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anneal {
    /// Along half a period of the cosine (torch's `"cos"`).
    #[default]
    Cos,
    /// Along a straight line (torch's `"linear"`).
    Linear,
}

impl Anneal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cos => "cos",
            Self::Linear => "linear",
        }
    }
}

impl FromStr for Anneal {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "cos" => Ok(Self::Cos),
            "linear" => Ok(Self::Linear),
            other => Err(Error::InvalidScheduler(format!(
                "anneal_strategy must be one of 'cos' or 'linear', instead got {other}"
            ))),
        }
    }
}
