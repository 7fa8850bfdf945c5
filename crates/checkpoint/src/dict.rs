//! A map that keeps the order of insertion, as Python's dict does: the order is visible in files and in
//! prints.

use crate::Value;
use crate::index::KeyRef;
use std::collections::HashMap;

/// A key of a [`Dict`]: an integer (a parameter's id) or a string.
///
/// ```
/// use checkpoint::Key;
/// assert_eq!(Key::from("lr").to_string(), "'lr'");
/// assert_eq!(Key::from(0).to_string(), "0");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// An integer key.
    Int(i64),
    /// A string key.
    Str(String),
}

impl Key {
    pub(crate) fn borrow(&self) -> KeyRef<'_> {
        match self {
            Self::Int(i) => KeyRef::Int(*i),
            Self::Str(s) => KeyRef::Str(s),
        }
    }

    /// The string, if this is a string key.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(s) => Some(s),
            Self::Int(_) => None,
        }
    }

    /// The integer, if this is an integer key.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(i) => Some(*i),
            Self::Str(_) => None,
        }
    }
}

impl From<&str> for Key {
    fn from(key: &str) -> Self {
        Self::Str(key.to_owned())
    }
}

impl From<String> for Key {
    fn from(key: String) -> Self {
        Self::Str(key)
    }
}

impl From<i64> for Key {
    fn from(key: i64) -> Self {
        Self::Int(key)
    }
}

impl From<i32> for Key {
    fn from(key: i32) -> Self {
        Self::Int(key.into())
    }
}

impl From<usize> for Key {
    /// # Panics
    /// If the number does not fit an `i64`.
    fn from(key: usize) -> Self {
        Self::Int(i64::try_from(key).expect("a dict key fits 64 signed bits"))
    }
}

/// Up to this many entries a scan beats a hash.
const SCAN: usize = 16;

/// A map from [`Key`] to [`Value`] in order of insertion.
///
/// ```
/// use checkpoint::{Dict, Value};
/// let mut group = Dict::new();
/// group.insert("lr", 0.1);
/// group.insert("max_iter", 20);
/// group.insert("lr", 1); // keeps its place
/// assert_eq!(Value::from(group).to_string(), "{'lr': 1, 'max_iter': 20}");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Dict {
    entries: Vec<(Key, Value)>,
    /// Positions of all entries, kept once there are more than [`SCAN`] of them.
    positions: Option<HashMap<Key, usize>>,
}

impl Dict {
    /// An empty dict.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn position(&self, key: KeyRef<'_>) -> Option<usize> {
        match &self.positions {
            Some(positions) => positions.get(&key.to_key()).copied(),
            None => self.entries.iter().position(|(k, _)| k.borrow() == key),
        }
    }

    pub(crate) fn get_ref(&self, key: KeyRef<'_>) -> Option<&Value> {
        self.position(key).map(|at| &self.entries[at].1)
    }

    /// The value under `key`, inserted as `Value::None` at the end where absent.
    pub(crate) fn entry(&mut self, key: KeyRef<'_>) -> &mut Value {
        let at = self.position(key).unwrap_or_else(|| self.append(key.to_key(), Value::None));
        &mut self.entries[at].1
    }

    fn append(&mut self, key: Key, value: Value) -> usize {
        let at = self.entries.len();
        if let Some(positions) = &mut self.positions {
            positions.insert(key.clone(), at);
        }
        self.entries.push((key, value));
        if self.positions.is_none() && self.entries.len() > SCAN {
            self.reindex();
        }
        at
    }

    fn reindex(&mut self) {
        self.positions = (self.entries.len() > SCAN)
            .then(|| self.entries.iter().enumerate().map(|(at, (key, _))| (key.clone(), at)).collect());
    }

    /// The value under `key`, if present.
    pub fn get(&self, key: impl Into<Key>) -> Option<&Value> {
        self.get_ref(key.into().borrow())
    }

    /// The value under `key` to change, if present.
    pub fn get_mut(&mut self, key: impl Into<Key>) -> Option<&mut Value> {
        let at = self.position(key.into().borrow())?;
        Some(&mut self.entries[at].1)
    }

    /// Whether `key` is present.
    pub fn contains_key(&self, key: impl Into<Key>) -> bool {
        self.position(key.into().borrow()).is_some()
    }

    /// Puts `value` under `key` and returns what was there; a new key goes to the end, an old one keeps its
    /// place.
    pub fn insert(&mut self, key: impl Into<Key>, value: impl Into<Value>) -> Option<Value> {
        let key = key.into();
        match self.position(key.borrow()) {
            Some(at) => Some(std::mem::replace(&mut self.entries[at].1, value.into())),
            None => {
                self.append(key, value.into());
                None
            }
        }
    }

    /// Takes `key` out and returns its value; the others keep their order.
    pub fn remove(&mut self, key: impl Into<Key>) -> Option<Value> {
        let at = self.position(key.into().borrow())?;
        let (_, value) = self.entries.remove(at);
        self.reindex();
        Some(value)
    }

    /// The keys in order of insertion.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.entries.iter().map(|(key, _)| key)
    }

    /// The entries in order of insertion.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The entries in order of insertion, values open to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Key, &mut Value)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }
}

/// Equal keys and values in any order, as Python compares dicts.
impl PartialEq for Dict {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get_ref(key.borrow()) == Some(value))
    }
}

impl Eq for Dict {}

impl<K: Into<Key>, V: Into<Value>> FromIterator<(K, V)> for Dict {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut dict = Self::new();
        dict.extend(entries);
        dict
    }
}

impl<K: Into<Key>, V: Into<Value>> Extend<(K, V)> for Dict {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl IntoIterator for Dict {
    type Item = (Key, Value);
    type IntoIter = std::vec::IntoIter<(Key, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_positions_survive_growth_and_removal() {
        let mut dict = Dict::new();
        for i in 0..100_i64 {
            dict.insert(i * 7 % 101, i);
        }
        assert_eq!(dict.remove(7), Some(Value::Int(1)));
        assert_eq!(dict.len(), 99);
        for i in (0..100_i64).filter(|&i| i != 1) {
            assert_eq!(dict.get(i * 7 % 101), Some(&Value::Int(i)));
        }
        assert_eq!(dict.keys().nth(1), Some(&Key::Int(14)));
        while dict.len() > 3 {
            let key = dict.keys().next().cloned().unwrap();
            dict.remove(key);
        }
        let left: Vec<_> = dict.iter().map(|(_, v)| v.as_int().unwrap()).collect();
        assert_eq!(left, [97, 98, 99]);
    }

    #[test]
    fn equality_is_blind_to_order_and_not_to_kind() {
        let a = Dict::from_iter([("x", Value::Int(1)), ("y", Value::Float(2.0))]);
        let b = Dict::from_iter([("y", Value::Float(2.0)), ("x", Value::Int(1))]);
        let c = Dict::from_iter([("y", Value::Float(2.0)), ("x", Value::Float(1.0))]);
        assert_eq!(a, b);
        assert_ne!(a, c);
        assert_ne!(a, Dict::from_iter([("x", 1)]));
    }
}
