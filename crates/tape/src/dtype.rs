//! Element types, run-time dtypes and torch's type promotion.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// The element type of a tensor, chosen at run time.
///
/// ```
/// use tape::{DType, Tensor};
/// assert_eq!(Tensor::from([1.0, 2.0]).dtype(), DType::F64);
/// assert_eq!(Tensor::from([1.0f32]).dtype(), DType::F32);
/// assert_eq!(DType::F32.to_string(), "float32");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// Truth values, torch's `bool`.
    Bool,
    /// Signed 64-bit integers, torch's `int64`.
    I64,
    /// IEEE single precision, torch's `float32`.
    F32,
    /// IEEE double precision, torch's `float64`.
    F64,
}

impl DType {
    /// Bytes of one element.
    pub fn size_of(self) -> usize {
        match self {
            DType::Bool => 1,
            DType::F32 => 4,
            DType::I64 | DType::F64 => 8,
        }
    }

    /// Whether the type is a floating-point type, the only kind that can require gradients.
    pub fn is_floating_point(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }

    /// Machine epsilon, `torch.finfo(dtype).eps`; `None` for types that are not floating point.
    pub fn eps(self) -> Option<f64> {
        match self {
            DType::F32 => Some(f32::EPSILON.into()),
            DType::F64 => Some(f64::EPSILON),
            _ => None,
        }
    }

    /// The short name that torch's older messages use: `float`, `double`, `long`, `bool`.
    pub(crate) fn short_name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::I64 => "long",
            DType::F32 => "float",
            DType::F64 => "double",
        }
    }

    /// `torch.FloatTensor` and its like, as torch prints tensor types in errors.
    pub(crate) fn tensor_type(self) -> &'static str {
        match self {
            DType::Bool => "torch.BoolTensor",
            DType::I64 => "torch.LongTensor",
            DType::F32 => "torch.FloatTensor",
            DType::F64 => "torch.DoubleTensor",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::Bool => "bool",
            DType::I64 => "int64",
            DType::F32 => "float32",
            DType::F64 => "float64",
        })
    }
}

/// Whether [`get_default_dtype`] is `F64` instead of `F32`.
static DEFAULT_IS_F64: AtomicBool = AtomicBool::new(false);

/// Sets the dtype of the parameters of layers made from now on, for the whole process: torch's
/// `set_default_dtype`, as far as a dtype is not written out.
///
/// Where a dtype is written out it stays the one written: in constructors such as
/// [`Tensor::zeros`](crate::Tensor::zeros), and in [`Tensor::from`](crate::Tensor::from), where Rust's types
/// say it. Operations on integers go on giving `F32`.
///
/// ```
/// use tape::{DType, get_default_dtype, set_default_dtype};
/// assert_eq!(get_default_dtype(), DType::F32);
/// set_default_dtype(DType::F64);
/// assert_eq!(get_default_dtype(), DType::F64);
/// ```
///
/// # Panics
/// If the dtype is not a floating-point type.
#[track_caller]
pub fn set_default_dtype(dtype: DType) {
    assert!(
        dtype.is_floating_point(),
        "set_default_dtype: only floating-point types are supported as the default type, but got {dtype}; use \
         DType::F32 or DType::F64"
    );
    DEFAULT_IS_F64.store(dtype == DType::F64, Ordering::Relaxed);
}

/// The dtype of the parameters of layers where none is given: `F32`, unless [`set_default_dtype`] says
/// otherwise.
pub fn get_default_dtype() -> DType {
    if DEFAULT_IS_F64.load(Ordering::Relaxed) { DType::F64 } else { DType::F32 }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for bool {}
    impl Sealed for i64 {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A Rust type that can be an element of a tensor: `f32`, `f64`, `i64` or `bool`.
pub trait Element:
    sealed::Sealed + Copy + Default + PartialEq + PartialOrd + fmt::Debug + Send + Sync + 'static
{
    /// The dtype of this type.
    const DTYPE: DType;
    /// The value as `f64` (`true` is 1, integers round to nearest).
    fn to_f64(self) -> f64;
    /// The nearest value of this type; floats convert to `i64` by truncation, to `bool` by `!= 0`.
    fn from_f64(value: f64) -> Self;
    /// The value as `i64`, floats by truncation.
    fn to_i64(self) -> i64;
    /// The value of this type nearest to an integer.
    fn from_i64(value: i64) -> Self;
    /// Conversion between element types as torch's `to(dtype)` does it.
    fn cast<U: Element>(self) -> U {
        match (Self::DTYPE, U::DTYPE) {
            (DType::I64 | DType::Bool, DType::I64 | DType::Bool) => U::from_i64(self.to_i64()),
            _ => U::from_f64(self.to_f64()),
        }
    }
}

macro_rules! float_element {
    ($type:ty, $dtype:ident) => {
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                self as i64
            }
            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                value as $type
            }
        }
    };
}
float_element!(f32, F32);
float_element!(f64, F64);

impl Element for i64 {
    const DTYPE: DType = DType::I64;
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self as f64
    }
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as i64
    }
    #[inline(always)]
    fn to_i64(self) -> i64 {
        self
    }
    #[inline(always)]
    fn from_i64(value: i64) -> Self {
        value
    }
}

impl Element for bool {
    const DTYPE: DType = DType::Bool;
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(u8::from(self))
    }
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value != 0.0
    }
    #[inline(always)]
    fn to_i64(self) -> i64 {
        i64::from(self)
    }
    #[inline(always)]
    fn from_i64(value: i64) -> Self {
        value != 0
    }
}

/// A floating-point element type: `f32` or `f64`.
pub trait Float:
    Element
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::Neg<Output = Self>
    + std::ops::AddAssign
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// Fused multiply-add: `self * a + b` with one rounding.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// Square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// `self` to the power of `exponent`, by the system's mathematical library.
    fn powf(self, exponent: Self) -> Self;
    /// Whether the value is NaN.
    fn is_nan(self) -> bool;
    /// Whether the value is neither infinite nor NaN.
    fn is_finite(self) -> bool;
}

macro_rules! float {
    ($type:ty) => {
        impl Float for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const INFINITY: Self = <$type>::INFINITY;
            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                <$type>::mul_add(self, a, b)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                <$type>::abs(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                <$type>::sqrt(self)
            }
            #[inline(always)]
            fn powf(self, exponent: Self) -> Self {
                <$type>::powf(self, exponent)
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                <$type>::is_nan(self)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                <$type>::is_finite(self)
            }
        }
    };
}
float!(f32);
float!(f64);

/// A plain number beside tensors: it never widens a tensor of its own category (`f32 + 2.0` stays
/// `f32`), as in torch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
}

impl Scalar {
    /// The number converted to an element type.
    pub fn cast<T: Element>(self) -> T {
        match self {
            Scalar::Bool(value) => value.cast(),
            Scalar::Int(value) => value.cast(),
            Scalar::Float(value) => value.cast(),
        }
    }

    /// The number as `f64`.
    pub fn to_f64(self) -> f64 {
        self.cast()
    }

    /// The dtype of a tensor of `dtype` combined with this number, by torch's promotion rules: an
    /// integer tensor with a floating-point number gives `float32`, torch's default dtype.
    pub(crate) fn promote(self, dtype: DType) -> DType {
        match self {
            Scalar::Float(_) if !dtype.is_floating_point() => DType::F32,
            Scalar::Int(_) if dtype == DType::Bool => DType::I64,
            _ => dtype,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Bool(value) => write!(f, "{value}"),
            Scalar::Int(value) => write!(f, "{value}"),
            Scalar::Float(value) => write!(f, "{value}"),
        }
    }
}

macro_rules! scalar_from {
    ($($type:ty => $variant:ident),*) => {
        $(impl From<$type> for Scalar {
            fn from(value: $type) -> Self {
                Scalar::$variant(value.into())
            }
        })*
    };
}
scalar_from!(bool => Bool, i32 => Int, i64 => Int, u32 => Int, u8 => Int, f32 => Float, f64 => Float);

impl From<usize> for Scalar {
    fn from(value: usize) -> Self {
        Scalar::Int(value as i64)
    }
}

/// torch's `result_type` of two tensors: a tensor with dimensions outranks one without unless the
/// latter is of a higher category (bool < integer < floating point).
pub(crate) fn promote(a: DType, a_dim: usize, b: DType, b_dim: usize) -> DType {
    fn category(dtype: DType) -> u8 {
        match dtype {
            DType::Bool => 0,
            DType::I64 => 1,
            DType::F32 | DType::F64 => 2,
        }
    }
    if a == b {
        return a;
    }
    match (a_dim > 0, b_dim > 0) {
        (true, false) if category(a) >= category(b) => a,
        (false, true) if category(b) >= category(a) => b,
        // The declaration order of `DType` is the promotion order within equal ranks.
        _ => a.max(b),
    }
}

/// Runs `$body` with `$T` bound to the element type of `$dtype`; any dtype.
macro_rules! dispatch {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::DType::F64 => {
                type $T = f64;
                $body
            }
            $crate::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::DType::Bool => {
                type $T = bool;
                $body
            }
        }
    };
}

/// Runs `$body` with `$T` bound to `f32` or `f64`; panics for other dtypes, naming the op.
macro_rules! dispatch_float {
    ($op:expr, $dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::DType::F64 => {
                type $T = f64;
                $body
            }
            other => panic!(
                "{}: not implemented for dtype {other}; convert with to_dtype(DType::F32) or to_dtype(DType::F64)",
                $op
            ),
        }
    };
}

/// Runs `$body` with `$T` bound to `f32`, `f64` or `i64`; panics for bool, naming the op.
macro_rules! dispatch_number {
    ($op:expr, $dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::DType::F64 => {
                type $T = f64;
                $body
            }
            $crate::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::DType::Bool => {
                panic!("{}: not implemented for dtype bool; convert with to_dtype(DType::I64) first", $op)
            }
        }
    };
}
pub(crate) use {dispatch, dispatch_float, dispatch_number};
