//! Shapes: conversion from what a user writes, dimension numbers, broadcasting.

use smallvec::SmallVec;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Dimensions that a list keeps inline.
const INLINE: usize = 4;

/// Dimension sizes or strides, kept inline up to four dimensions. A `SmallVec` whose copies are plain
/// memory copies: every operation makes several.
#[derive(PartialEq, Eq, Hash, Default)]
pub(crate) struct Dims(SmallVec<[usize; INLINE]>);

impl Dims {
    #[inline]
    pub fn new() -> Dims {
        Dims(SmallVec::new())
    }

    #[inline]
    pub fn from_slice(values: &[usize]) -> Dims {
        // Each arm is a few stores; every operation makes several of these.
        let inline = match *values {
            [] => [0; INLINE],
            [a] => [a, 0, 0, 0],
            [a, b] => [a, b, 0, 0],
            [a, b, c] => [a, b, c, 0],
            [a, b, c, d] => [a, b, c, d],
            _ => return Dims(SmallVec::from_slice(values)),
        };
        Dims(SmallVec::from_buf_and_len(inline, values.len()))
    }

    #[inline]
    pub fn from_elem(value: usize, len: usize) -> Dims {
        if len > INLINE {
            return Dims(SmallVec::from_elem(value, len));
        }
        Dims(SmallVec::from_buf_and_len([value; INLINE], len))
    }

    pub fn from_vec(values: Vec<usize>) -> Dims {
        Dims(SmallVec::from_vec(values))
    }
}

impl Clone for Dims {
    #[inline]
    fn clone(&self) -> Dims {
        Dims::from_slice(&self.0)
    }
}

impl Deref for Dims {
    type Target = SmallVec<[usize; INLINE]>;
    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Dims {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// As a list: sizes stand in messages.
impl fmt::Debug for Dims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self[..], f)
    }
}

impl<'a> IntoIterator for &'a Dims {
    type Item = &'a usize;
    type IntoIter = std::slice::Iter<'a, usize>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<usize> for Dims {
    #[inline]
    fn from_iter<I: IntoIterator<Item = usize>>(values: I) -> Dims {
        let mut inline = [0; INLINE];
        let mut len = 0;
        let mut values = values.into_iter();
        while len < INLINE {
            let Some(value) = values.next() else { return Dims(SmallVec::from_buf_and_len(inline, len)) };
            inline[len] = value;
            len += 1;
        }
        let mut dims = SmallVec::from_buf_and_len(inline, len);
        dims.extend(values);
        Dims(dims)
    }
}

/// The sizes of a tensor's dimensions. Anything that reads as a shape converts into one:
/// `[2, 3]`, `&[2, 3][..]`, a `Vec`, a single `usize`, or `()` for a tensor without dimensions.
///
/// ```
/// use tape::{DType, Tensor};
/// assert_eq!(Tensor::zeros([2, 3], DType::F32).shape(), [2, 3]);
/// assert_eq!(Tensor::zeros(4, DType::F32).shape(), [4]);
/// assert_eq!(Tensor::zeros((), DType::F32).dim(), 0);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Shape(pub(crate) Dims);

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self[..], f)
    }
}

/// Shapes compare with whatever else lists sizes, from both sides.
macro_rules! shape_compares {
    ($([$($generics:tt)*] $type:ty;)+) => {$(
        impl<$($generics)*> PartialEq<$type> for Shape {
            fn eq(&self, other: &$type) -> bool {
                self[..] == other[..]
            }
        }
        impl<$($generics)*> PartialEq<Shape> for $type {
            fn eq(&self, other: &Shape) -> bool {
                self[..] == other[..]
            }
        }
    )+};
}
shape_compares! {
    [const N: usize] [usize; N];
    [const N: usize] &[usize; N];
    [] [usize];
    [] &[usize];
    [] Vec<usize>;
}

impl AsRef<[usize]> for Shape {
    fn as_ref(&self) -> &[usize] {
        self
    }
}

impl IntoIterator for Shape {
    type Item = usize;
    type IntoIter = smallvec::IntoIter<[usize; INLINE]>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Shape {
    type Item = &'a usize;
    type IntoIter = std::slice::Iter<'a, usize>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Shape> for Vec<usize> {
    fn from(shape: Shape) -> Vec<usize> {
        shape.to_vec()
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Shape {
        shape.clone()
    }
}

impl From<Shape> for Ints {
    fn from(shape: Shape) -> Ints {
        Ints::from(&shape[..])
    }
}

impl From<&Shape> for Ints {
    fn from(shape: &Shape) -> Ints {
        Ints::from(&shape[..])
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(shape: [usize; N]) -> Self {
        Shape(Dims::from_slice(&shape))
    }
}
impl<const N: usize> From<&[usize; N]> for Shape {
    fn from(shape: &[usize; N]) -> Self {
        Shape(Dims::from_slice(shape))
    }
}
impl From<&[usize]> for Shape {
    fn from(shape: &[usize]) -> Self {
        Shape(Dims::from_slice(shape))
    }
}
impl From<Vec<usize>> for Shape {
    fn from(shape: Vec<usize>) -> Self {
        Shape(Dims::from_vec(shape))
    }
}
impl From<&Vec<usize>> for Shape {
    fn from(shape: &Vec<usize>) -> Self {
        Shape(Dims::from_slice(shape))
    }
}
impl From<usize> for Shape {
    fn from(size: usize) -> Self {
        Shape(Dims::from_slice(&[size]))
    }
}
impl From<()> for Shape {
    fn from((): ()) -> Self {
        Shape(Dims::new())
    }
}
impl From<Dims> for Shape {
    fn from(shape: Dims) -> Self {
        Shape(shape)
    }
}

/// A list of signed integers as torch takes them: dimensions (negative ones count from the end) or
/// sizes with `-1`. Converts from arrays, slices and vectors of any common integer type, or one integer.
///
/// ```
/// use tape::{DType, Tensor};
/// let x = Tensor::ones([2, 3, 4], DType::F64);
/// assert_eq!(x.sum_dim([0, -1], true).shape(), [1, 3, 1]);
/// assert_eq!(x.sum_dim(-1, false).shape(), [2, 3]);
/// assert_eq!(x.reshape([2, -1]).shape(), [2, 12]);
/// ```
#[derive(Clone, Debug)]
pub struct Ints(pub(crate) SmallVec<[isize; 4]>);

impl Deref for Ints {
    type Target = [isize];
    fn deref(&self) -> &[isize] {
        &self.0
    }
}

macro_rules! ints_from {
    ($($type:ty),*) => {
        $(
            impl From<$type> for Ints {
                fn from(value: $type) -> Self {
                    Ints(SmallVec::from_slice(&[value as isize]))
                }
            }
            impl<const N: usize> From<[$type; N]> for Ints {
                fn from(values: [$type; N]) -> Self {
                    Ints(values.iter().map(|&v| v as isize).collect())
                }
            }
            impl<const N: usize> From<&[$type; N]> for Ints {
                fn from(values: &[$type; N]) -> Self {
                    Ints(values.iter().map(|&v| v as isize).collect())
                }
            }
            impl From<&[$type]> for Ints {
                fn from(values: &[$type]) -> Self {
                    Ints(values.iter().map(|&v| v as isize).collect())
                }
            }
            impl From<Vec<$type>> for Ints {
                fn from(values: Vec<$type>) -> Self {
                    Ints(values.iter().map(|&v| v as isize).collect())
                }
            }
        )*
    };
}
ints_from!(i32, i64, isize, usize);

impl From<()> for Ints {
    fn from((): ()) -> Self {
        Ints(SmallVec::new())
    }
}

/// Product of the sizes; panics when it does not fit `usize`.
#[track_caller]
#[inline]
pub(crate) fn numel(shape: &[usize]) -> usize {
    if shape.contains(&0) {
        return 0;
    }
    shape
        .iter()
        .try_fold(1usize, |product, &size| product.checked_mul(size))
        .unwrap_or_else(|| panic!("shape {shape:?} has more elements than this machine can address"))
}

/// Row-major strides of a dense tensor.
#[inline]
pub(crate) fn row_major(shape: &[usize]) -> Dims {
    match *shape {
        [] => return Dims::new(),
        [_] => return Dims::from_slice(&[1]),
        [_, columns] => return Dims::from_slice(&[columns.max(1), 1]),
        _ => {}
    }
    let mut strides = Dims::from_elem(1, shape.len());
    let mut step = 1;
    for i in (0..shape.len()).rev() {
        strides[i] = step;
        step *= shape[i].max(1);
    }
    strides
}

/// The dimension that `dim` names in a tensor of `dims` dimensions; a tensor without dimensions takes
/// 0 and -1, as in torch.
#[track_caller]
pub(crate) fn normalize_dim(op: &str, dim: isize, dims: usize) -> usize {
    let range = dims.max(1) as isize;
    if dim < -range || dim >= range {
        panic!(
            "{op}: Dimension out of range (expected to be in range of [{}, {}], but got {dim}); the tensor has {dims} \
             dimensions",
            -range,
            range - 1
        );
    }
    (if dim < 0 { dim + range } else { dim }) as usize
}

/// Which of `dims` dimensions are named; panics on repetition.
#[track_caller]
pub(crate) fn dim_mask(op: &str, named: &[isize], dims: usize) -> SmallVec<[bool; 4]> {
    let mut mask = SmallVec::from_elem(false, dims);
    for &dim in named {
        let dim = normalize_dim(op, dim, dims);
        if dims == 0 {
            continue;
        }
        if mask[dim] {
            panic!("{op}: dim {dim} appears multiple times in the list of dims {named:?}; name each dimension once");
        }
        mask[dim] = true;
    }
    mask
}

/// The common shape of two operands under broadcasting.
#[track_caller]
pub(crate) fn broadcast(op: &str, a: &[usize], b: &[usize]) -> Dims {
    match try_broadcast(a, b) {
        Ok(shape) => shape,
        Err(dim) => panic!(
            "{op}: The size of tensor a ({}) must match the size of tensor b ({}) at non-singleton dimension {dim}; \
             shapes are {a:?} and {b:?}: reshape, unsqueeze or expand one of them",
            a[dim + a.len() - a.len().max(b.len())],
            b[dim + b.len() - a.len().max(b.len())],
        ),
    }
}

/// Whether a tensor of `shape` can be broadcast to `target`.
#[inline]
pub(crate) fn broadcasts_to(shape: &[usize], target: &[usize]) -> bool {
    try_broadcast(shape, target).is_ok_and(|common| common[..] == *target)
}

/// As [`broadcast`]; on failure the offending dimension of the common shape.
pub(crate) fn try_broadcast(a: &[usize], b: &[usize]) -> Result<Dims, usize> {
    let dims = a.len().max(b.len());
    let mut shape = Dims::from_elem(1, dims);
    for i in 0..dims {
        let size = |s: &[usize]| if i + s.len() >= dims { s[i + s.len() - dims] } else { 1 };
        shape[i] = match (size(a), size(b)) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            _ => return Err(i),
        };
    }
    Ok(shape)
}

/// Strides of a tensor of `shape` and `strides` seen under the broader `target` shape: repeated
/// dimensions get stride 0.
pub(crate) fn broadcast_strides(shape: &[usize], strides: &[usize], target: &[usize]) -> Dims {
    let lead = target.len() - shape.len();
    target
        .iter()
        .enumerate()
        .map(|(i, &size)| if i < lead || (shape[i - lead] == 1 && size != 1) { 0 } else { strides[i - lead] })
        .collect()
}

/// Resolves one `-1` in a list of sizes so that the product is `numel`.
#[track_caller]
pub(crate) fn infer_sizes(op: &str, sizes: &[isize], from: &[usize]) -> Dims {
    // A function and matches: a panic in a closure would be located here, not at the caller.
    #[track_caller]
    fn invalid(op: &str, sizes: &[isize], from: &[usize]) -> ! {
        let total = numel(from);
        panic!(
            "{op}: shape {sizes:?} is invalid for input of size {total} (shape {from:?}); the products of the sizes must agree"
        )
    }
    let total = numel(from);
    let mut known = 1usize;
    let mut free = None;
    for (i, &size) in sizes.iter().enumerate() {
        match size {
            -1 if free.is_none() => free = Some(i),
            -1 => panic!("{op}: only one dimension can be inferred, but the sizes are {sizes:?}"),
            size if size < 0 => invalid(op, sizes, from),
            size => match known.checked_mul(size as usize) {
                Some(product) => known = product,
                None => invalid(op, sizes, from),
            },
        }
    }
    let mut shape: Dims = sizes.iter().map(|&size| size.max(0) as usize).collect();
    if let Some(i) = free {
        if known == 0 || !total.is_multiple_of(known) {
            if known == 0 && total == 0 {
                panic!(
                    "{op}: cannot reshape tensor of 0 elements into shape {sizes:?} because the unspecified dimension size \
                     -1 can be any value and is ambiguous; write the size out"
                );
            }
            invalid(op, sizes, from);
        }
        shape[i] = total / known;
    } else if known != total {
        invalid(op, sizes, from);
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, Tensor};

    #[test]
    fn a_shape_compares_and_converts_like_a_list() {
        let shape = Tensor::zeros([2, 3], DType::F32).shape();
        assert_eq!(shape, [2, 3]);
        assert_eq!([2, 3], shape);
        assert_eq!(shape, &[2, 3]);
        assert_eq!(shape, vec![2, 3]);
        assert_eq!(shape, &[2, 3][..]);
        assert_eq!(&[2, 3][..], shape);
        assert_ne!(shape, [3, 2]);
        assert_ne!(shape, [2]);
        let [rows, columns] = shape[..] else { panic!("two sizes") };
        assert_eq!((rows, columns, format!("{shape:?}")), (2, 3, "[2, 3]".into()));
        assert_eq!(shape.clone().into_iter().sum::<usize>(), 5);
        assert_eq!((&shape).into_iter().max(), Some(&3));
        assert_eq!(Tensor::ones(6, DType::F32).reshape(&shape).shape(), shape);
        assert_eq!(Tensor::ones(&shape, DType::F32).reshape(Tensor::zeros(6, DType::F32).shape()).shape(), [6]);
        assert_eq!(Vec::from(shape), [2, 3]);
    }

    #[test]
    fn broadcasting_follows_the_trailing_dimensions() {
        assert_eq!(broadcast("add", &[3, 1], &[4]).as_slice(), [3, 4]);
        assert_eq!(broadcast("add", &[], &[2, 0]).as_slice(), [2, 0]);
        assert_eq!(try_broadcast(&[2, 3], &[2, 4]), Err(1));
        assert_eq!(broadcast_strides(&[3, 1], &[1, 1], &[2, 3, 4]).as_slice(), [0, 1, 0]);
    }

    #[test]
    fn one_size_is_inferred() {
        assert_eq!(infer_sizes("reshape", &[2, -1], &[4, 3]).as_slice(), [2, 6]);
        assert_eq!(infer_sizes("reshape", &[-1], &[]).as_slice(), [1]);
    }

    #[test]
    #[should_panic(expected = "shape [5, -1] is invalid for input of size 12")]
    fn sizes_that_do_not_divide_are_refused() {
        infer_sizes("reshape", &[5, -1], &[4, 3]);
    }
}
