//! The tree itself.

use crate::{Dict, Error, Result};
use tape::{DType, Tensor};

/// One value of a state dict.
///
/// Equality is by kind and by bits: `Int(1)` is not `Float(1.0)`, a NaN equals the same NaN, `0.0` is not
/// `-0.0`, and two tensors are equal where dtype, shape and all bits agree.
///
/// ```
/// use checkpoint::Value;
/// use tape::Tensor;
/// let t = Value::from(Tensor::from([1.0, f64::NAN]));
/// assert_eq!(t, t.deep_copy());
/// assert_ne!(Value::from(1), Value::from(1.0));
/// ```
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Python's `None`.
    #[default]
    None,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A string.
    Str(String),
    /// A list.
    List(Vec<Value>),
    /// A tuple: read like a list, printed with parentheses, and no equal of a list.
    Tuple(Vec<Value>),
    /// A dict in order of insertion.
    Dict(Dict),
    /// A tensor: a handle, shared between clones of the value.
    Tensor(Tensor),
}

impl Value {
    /// An empty dict.
    pub fn dict() -> Self {
        Self::Dict(Dict::new())
    }

    /// An empty list.
    pub fn list() -> Self {
        Self::List(Vec::new())
    }

    /// The kind of value, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::Float(_) => "a float",
            Self::Str(_) => "a str",
            Self::List(_) => "a list",
            Self::Tuple(_) => "a tuple",
            Self::Dict(_) => "a dict",
            Self::Tensor(_) => "a tensor",
        }
    }

    /// The integer, if this is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(i) => Some(*i),
            _ => None,
        }
    }

    /// The number as `f64`, if this is a float or an integer.
    ///
    /// ```
    /// use checkpoint::Value;
    /// assert_eq!(Value::from(1).as_float(), Some(1.0)); // torch's default lr of L-BFGS is the integer 1
    /// ```
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(x) => Some(*x),
            Self::Int(i) => Some(*i as f64),
            _ => None,
        }
    }

    /// The boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The string, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The items, if this is a list or a tuple.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) | Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The items to change, if this is a list or a tuple.
    pub fn as_list_mut(&mut self) -> Option<&mut Vec<Value>> {
        match self {
            Self::List(items) | Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, if this is a dict.
    pub fn as_dict(&self) -> Option<&Dict> {
        match self {
            Self::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// The entries to change, if this is a dict.
    pub fn as_dict_mut(&mut self) -> Option<&mut Dict> {
        match self {
            Self::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// The tensor, if this is one.
    pub fn as_tensor(&self) -> Option<&Tensor> {
        match self {
            Self::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// Whether this is `None`.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// How many entries, items or characters there are; 0 for everything else.
    pub fn len(&self) -> usize {
        match self {
            Self::List(items) | Self::Tuple(items) => items.len(),
            Self::Dict(dict) => dict.len(),
            Self::Str(s) => s.chars().count(),
            _ => 0,
        }
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys of a dict in order of insertion; nothing for other kinds.
    pub fn keys(&self) -> impl Iterator<Item = &crate::Key> {
        self.as_dict().into_iter().flat_map(Dict::keys)
    }

    /// The items of a list or the values of a dict, in order; nothing for other kinds.
    ///
    /// ```
    /// use checkpoint::Value;
    /// let sum: i64 = Value::from(vec![1, 2, 3]).iter().filter_map(Value::as_int).sum();
    /// assert_eq!(sum, 6);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        let items = self.as_list().into_iter().flatten();
        items.chain(self.as_dict().into_iter().flat_map(|dict| dict.iter().map(|(_, value)| value)))
    }

    /// A copy that shares nothing with this one: tensors are copied too, detached from any graph.
    pub fn deep_copy(&self) -> Self {
        match self {
            Self::List(items) => Self::List(items.iter().map(Self::deep_copy).collect()),
            Self::Tuple(items) => Self::Tuple(items.iter().map(Self::deep_copy).collect()),
            Self::Dict(dict) => Self::Dict(dict.iter().map(|(key, value)| (key.clone(), value.deep_copy())).collect()),
            Self::Tensor(tensor) => Self::Tensor(tensor.detach().copy()),
            plain => plain.clone(),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => a == b,
            (Self::Dict(a), Self::Dict(b)) => a == b,
            (Self::Tensor(a), Self::Tensor(b)) => same_bits(a, b),
            _ => false,
        }
    }
}

impl Eq for Value {}

fn same_bits(a: &Tensor, b: &Tensor) -> bool {
    if a.dtype() != b.dtype() || a.sizes() != b.sizes() {
        return false;
    }
    match a.dtype() {
        DType::F32 => {
            let (a, b) = (a.to_vec::<f32>(), b.to_vec::<f32>());
            a.iter().zip(&b).all(|(a, b)| a.to_bits() == b.to_bits())
        }
        DType::F64 => {
            let (a, b) = (a.to_vec::<f64>(), b.to_vec::<f64>());
            a.iter().zip(&b).all(|(a, b)| a.to_bits() == b.to_bits())
        }
        DType::I64 => a.to_vec::<i64>() == b.to_vec::<i64>(),
        DType::Bool => a.to_vec::<bool>() == b.to_vec::<bool>(),
    }
}

macro_rules! value_from {
    ($($t:ty => |$x:ident| $make:expr),* $(,)?) => {$(
        impl From<$t> for Value {
            fn from($x: $t) -> Self {
                $make
            }
        }
    )*};
}

value_from! {
    bool => |x| Self::Bool(x),
    i64 => |x| Self::Int(x),
    i32 => |x| Self::Int(x.into()),
    u32 => |x| Self::Int(x.into()),
    f64 => |x| Self::Float(x),
    f32 => |x| Self::Float(x.into()),
    String => |x| Self::Str(x),
    &str => |x| Self::Str(x.to_owned()),
    Dict => |x| Self::Dict(x),
    Tensor => |x| Self::Tensor(x),
    &Tensor => |x| Self::Tensor(x.clone()),
}

impl From<usize> for Value {
    /// # Panics
    /// If the number does not fit an `i64`.
    fn from(x: usize) -> Self {
        Self::Int(i64::try_from(x).expect("a count fits 64 signed bits"))
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<A: Into<Value>, B: Into<Value>> From<(A, B)> for Value {
    fn from((a, b): (A, B)) -> Self {
        Self::Tuple(vec![a.into(), b.into()])
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

impl<T: Into<Value>> FromIterator<T> for Value {
    /// A list.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

macro_rules! try_from_value {
    ($($t:ty, $wanted:literal => |$value:ident| $read:expr),* $(,)?) => {$(
        impl TryFrom<&Value> for $t {
            type Error = Error;

            fn try_from($value: &Value) -> Result<Self> {
                $read.ok_or(Error::WrongKind { wanted: $wanted, found: $value.kind() })
            }
        }
    )*};
}

try_from_value! {
    i64, "an int" => |value| value.as_int(),
    f64, "a number" => |value| value.as_float(),
    bool, "a bool" => |value| value.as_bool(),
    String, "a str" => |value| value.as_str().map(str::to_owned),
    Tensor, "a tensor" => |value| value.as_tensor().cloned(),
}
