//! `value["state"][0]["n_iter"]`: reading and writing through `[]`.

use crate::{Dict, Error, Key, Result, Value};
use std::ops::{Index, IndexMut};

/// A key that is not owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRef<'a> {
    /// An integer key, or a position in a list.
    Int(i64),
    /// A string key.
    Str(&'a str),
}

impl KeyRef<'_> {
    pub(crate) fn to_key(self) -> Key {
        match self {
            Self::Int(i) => Key::Int(i),
            Self::Str(s) => Key::Str(s.to_owned()),
        }
    }

    /// The place in a list of `len` items; negative numbers count from the end.
    fn position(self, len: usize) -> Option<usize> {
        let Self::Int(i) = self else { return None };
        let len = i64::try_from(len).ok()?;
        let at = if i < 0 { i + len } else { i };
        usize::try_from(at).ok().filter(|_| at < len)
    }
}

mod sealed {
    pub trait Sealed {
        fn key_ref(&self) -> super::KeyRef<'_>;
    }
}
use sealed::Sealed;

/// What a [`Value`] can be indexed with: strings and integers. An integer is a position in a list (negative
/// counts from the end) and an integer key in a dict.
pub trait ValueIndex: Sealed {}

macro_rules! index_with {
    ($($t:ty => |$key:ident| $make:expr),* $(,)?) => {$(
        impl Sealed for $t {
            fn key_ref(&self) -> KeyRef<'_> {
                let $key = self;
                $make
            }
        }
        impl ValueIndex for $t {}
    )*};
}

index_with! {
    i64 => |key| KeyRef::Int(*key),
    i32 => |key| KeyRef::Int((*key).into()),
    usize => |key| KeyRef::Int(i64::try_from(*key).unwrap_or(i64::MAX)),
    str => |key| KeyRef::Str(key),
    String => |key| KeyRef::Str(key),
    Key => |key| key.borrow(),
}

impl<T: ValueIndex + ?Sized> Sealed for &T {
    fn key_ref(&self) -> KeyRef<'_> {
        (**self).key_ref()
    }
}
impl<T: ValueIndex + ?Sized> ValueIndex for &T {}

/// What reading an absent key gives.
static ABSENT: Value = Value::None;

impl Value {
    /// The value at `key`: by key in a dict, by position in a list; `None` where there is none.
    ///
    /// ```
    /// use checkpoint::Value;
    /// let list = Value::from(vec![1, 2, 3]);
    /// assert_eq!(list.get(-1).and_then(Value::as_int), Some(3));
    /// assert_eq!(list.get("lr"), None);
    /// ```
    pub fn get<I: ValueIndex>(&self, key: I) -> Option<&Value> {
        let key = key.key_ref();
        match self {
            Self::Dict(dict) => dict.get_ref(key),
            Self::List(items) | Self::Tuple(items) => items.get(key.position(items.len())?),
            _ => None,
        }
    }

    /// The value at `key`, or an error that lists the keys there are.
    ///
    /// # Errors
    /// [`Error::MissingKey`] where `key` is absent, [`Error::WrongKind`] where this is no dict and no list.
    pub fn require<I: ValueIndex>(&self, key: I) -> Result<&Value> {
        match self {
            Self::Dict(_) | Self::List(_) | Self::Tuple(_) => {
                self.get(&key).ok_or_else(|| Error::MissingKey { key: key.key_ref().to_key(), present: self.present() })
            }
            other => Err(Error::WrongKind { wanted: "a dict or a list", found: other.kind() }),
        }
    }

    fn present(&self) -> String {
        match self {
            Self::Dict(dict) => {
                let keys: Vec<_> = dict.keys().map(Key::to_string).collect();
                format!("[{}]", keys.join(", "))
            }
            Self::List(items) | Self::Tuple(items) => format!("positions 0 to {}", items.len()),
            _ => String::from("nothing"),
        }
    }
}

/// Reads as a torch script does, except that an absent key gives [`Value::None`] instead of an error, so that
/// `sd["state"][0]` can be asked before the first step; use [`Value::require`] to insist on a key.
///
/// # Panics
/// If a position is outside a list, or if this is neither a dict, nor a list, nor `None`.
impl<I: ValueIndex> Index<I> for Value {
    type Output = Value;

    #[track_caller]
    fn index(&self, key: I) -> &Value {
        let shown = key.key_ref();
        match self {
            Self::Dict(dict) => dict.get_ref(shown).unwrap_or(&ABSENT),
            Self::None => &ABSENT,
            Self::List(items) | Self::Tuple(items) => match shown.position(items.len()) {
                Some(at) => &items[at],
                None => panic!("index: {} is not a position in a list of {}", shown.to_key(), items.len()),
            },
            other => panic!("index: {} has no {}; only dicts and lists do", other.kind(), shown.to_key()),
        }
    }
}

/// Writes as a torch script does: a key that a dict lacks is inserted (as [`Value::None`], to be assigned),
/// and `None` becomes a dict.
///
/// # Panics
/// If a position is outside a list, or if this is neither a dict, nor a list, nor `None`.
impl<I: ValueIndex> IndexMut<I> for Value {
    #[track_caller]
    fn index_mut(&mut self, key: I) -> &mut Value {
        let shown = key.key_ref();
        if self.is_none() {
            *self = Self::Dict(Dict::new());
        }
        match self {
            Self::Dict(dict) => dict.entry(shown),
            Self::List(items) | Self::Tuple(items) => match shown.position(items.len()) {
                Some(at) => &mut items[at],
                None => panic!("index: {} is not a position in a list of {}", shown.to_key(), items.len()),
            },
            other => panic!("index: {} has no {}; only dicts and lists do", other.kind(), shown.to_key()),
        }
    }
}
