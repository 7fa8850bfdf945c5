//! One dimension of a dense array, between those before and after it.

/// A dense array seen as `outer` blocks of `len` rows of `inner` elements.
#[derive(Clone, Copy)]
pub(crate) struct Axis {
    pub outer: usize,
    pub len: usize,
    pub inner: usize,
}

impl Axis {
    /// The dimension `dim` of a dense array; an array without dimensions has one of size one.
    pub fn new(shape: &[usize], dim: usize) -> Axis {
        Axis::spanning(shape, dim, (dim + 1).min(shape.len()))
    }

    /// The dimensions from `start` up to but not including `end`, as one.
    pub fn spanning(shape: &[usize], start: usize, end: usize) -> Axis {
        Axis {
            outer: shape[..start].iter().product(),
            len: shape[start..end].iter().product(),
            inner: shape[end..].iter().product(),
        }
    }
}
