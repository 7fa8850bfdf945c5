//! What stands in an index, and what converts into it.

use crate::Tensor;
use crate::ops::view::IndexRange;
use smallvec::SmallVec;

/// A dimension of size one where it stands in an index, Python's `None`.
///
/// ```
/// use tape::{NewAxis, Tensor};
/// assert_eq!(Tensor::from([1.0, 2.0]).i((.., NewAxis)).shape(), [2, 1]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct NewAxis;

/// As many whole dimensions as the rest of an index leaves over, Python's `...`.
///
/// ```
/// use tape::{DType, Ellipsis, Tensor};
/// assert_eq!(Tensor::zeros([2, 3, 4], DType::F32).i((Ellipsis, 0)).shape(), [2, 3]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Ellipsis;

/// One entry of an index.
#[derive(Clone, Debug)]
pub enum Index {
    /// One position; the dimension disappears.
    At(isize),
    /// The positions of a range, clipped as Python clips slices.
    Range(Option<isize>, Option<isize>),
    /// A new dimension of size one.
    NewAxis,
    /// All dimensions not named.
    Ellipsis,
    /// Positions given by an integer tensor, or those where a boolean tensor is true.
    Tensor(Tensor),
}

macro_rules! index_from_integer {
    ($($type:ty),*) => {$(
        impl From<$type> for Index {
            fn from(index: $type) -> Self {
                Index::At(index as isize)
            }
        }
    )*};
}
index_from_integer!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

macro_rules! index_from_range {
    ($($range:ident)*) => {$(
        impl<T> From<std::ops::$range<T>> for Index
        where
            std::ops::$range<T>: IndexRange,
        {
            fn from(range: std::ops::$range<T>) -> Self {
                let (start, end) = range.bounds();
                Index::Range(start, end)
            }
        }
    )*};
}
index_from_range!(Range RangeInclusive RangeFrom RangeTo RangeToInclusive);

impl From<std::ops::RangeFull> for Index {
    fn from(_: std::ops::RangeFull) -> Self {
        Index::Range(None, None)
    }
}
impl From<NewAxis> for Index {
    fn from(_: NewAxis) -> Self {
        Index::NewAxis
    }
}
impl From<Option<NewAxis>> for Index {
    fn from(_: Option<NewAxis>) -> Self {
        Index::NewAxis
    }
}
impl From<Ellipsis> for Index {
    fn from(_: Ellipsis) -> Self {
        Index::Ellipsis
    }
}
impl From<&Tensor> for Index {
    fn from(index: &Tensor) -> Self {
        Index::Tensor(index.clone())
    }
}
impl From<Tensor> for Index {
    fn from(index: Tensor) -> Self {
        Index::Tensor(index)
    }
}
/// Lists of positions, or of flags as a mask, in all forms a list comes in.
macro_rules! index_from_list {
    ($($type:ty => $position:expr;)*) => {$(
        impl From<&[$type]> for Index {
            fn from(list: &[$type]) -> Self {
                Index::Tensor(Tensor::from(list.iter().copied().map($position).collect::<Vec<_>>()))
            }
        }
        impl From<Vec<$type>> for Index {
            fn from(list: Vec<$type>) -> Self {
                Index::from(&list[..])
            }
        }
        impl From<&Vec<$type>> for Index {
            fn from(list: &Vec<$type>) -> Self {
                Index::from(&list[..])
            }
        }
        impl<const N: usize> From<[$type; N]> for Index {
            fn from(list: [$type; N]) -> Self {
                Index::from(&list[..])
            }
        }
        impl<const N: usize> From<&[$type; N]> for Index {
            fn from(list: &[$type; N]) -> Self {
                Index::from(&list[..])
            }
        }
    )*};
}
index_from_list! {
    i32 => i64::from;
    i64 => std::convert::identity;
    // What i64 does not hold is out of range of every dimension all the same.
    usize => |position| i64::try_from(position).unwrap_or(i64::MAX);
    bool => std::convert::identity;
}

/// What `i(..)` takes: one entry or a tuple of up to six.
pub trait Indices {
    /// The entries in order.
    fn entries(self) -> SmallVec<[Index; 4]>;
}

impl<I: Into<Index>> Indices for I {
    fn entries(self) -> SmallVec<[Index; 4]> {
        SmallVec::from_iter([self.into()])
    }
}

/// Entries that are already a list.
pub(super) struct Entries(pub SmallVec<[Index; 4]>);

impl Indices for Entries {
    fn entries(self) -> SmallVec<[Index; 4]> {
        self.0
    }
}

macro_rules! tuple_indices {
    ($($name:ident)+) => {
        impl<$($name: Into<Index>),+> Indices for ($($name,)+) {
            fn entries(self) -> SmallVec<[Index; 4]> {
                #[expect(non_snake_case, reason = "type and value share the macro's name")]
                let ($($name,)+) = self;
                SmallVec::from_iter([$($name.into()),+])
            }
        }
    };
}
tuple_indices!(A);
tuple_indices!(A B);
tuple_indices!(A B C);
tuple_indices!(A B C D);
tuple_indices!(A B C D E);
tuple_indices!(A B C D E F);
