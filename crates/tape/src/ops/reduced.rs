//! Which dimensions a reduction takes away, and the shapes that follow.

use crate::kernel::reduce::{self, Combine};
use crate::shape::{Dims, Ints, dim_mask};
use crate::storage::build;
use crate::{Element, Tensor};
use smallvec::SmallVec;

/// The dimensions of a reduction of one tensor.
pub(crate) struct Reduced {
    pub marked: SmallVec<[bool; 6]>,
    /// The reduced dimensions, by number.
    pub dims: Ints,
    /// The shape with the reduced dimensions as one: the gradient in this shape broadcasts.
    pub kept: Dims,
    /// Number of elements behind each result.
    pub count: usize,
}

impl Reduced {
    /// The dimensions `dims` of a tensor of `shape`, or all of them if none is named.
    #[track_caller]
    pub fn new(op: &str, shape: &[usize], dims: &[isize]) -> Reduced {
        let mask = dim_mask(op, dims, shape.len());
        let marked: SmallVec<[bool; 6]> = mask.iter().map(|&named| named || dims.is_empty()).collect();
        let sizes = || shape.iter().zip(&marked);
        Reduced {
            dims: Ints((0..shape.len() as isize).filter(|&dim| marked[dim as usize]).collect()),
            kept: sizes().map(|(&size, &gone)| if gone { 1 } else { size }).collect(),
            count: sizes().map(|(&size, &gone)| if gone { size } else { 1 }).product(),
            marked,
        }
    }

    /// The shape of the result.
    pub fn shape(&self, keepdim: bool) -> Dims {
        if keepdim {
            return self.kept.clone();
        }
        self.kept.iter().zip(&self.marked).filter(|(_, gone)| !**gone).map(|(&size, _)| size).collect()
    }

    /// The reduction of the elements, not recorded.
    pub fn reduce<C: Combine>(&self, x: &Tensor, keepdim: bool) -> Tensor
    where
        C::Out: Element,
    {
        let shape = self.shape(keepdim);
        let numel = shape.iter().product();
        let buffer = build::<C::Out>(numel, |out| x.with::<C::In, _>(|x| reduce::reduce::<C>(x, &self.marked, out)));
        Tensor::from_buffer(buffer, shape)
    }
}

/// `shape` with size one in dimension `dim`, or without it.
pub(crate) fn without(shape: &[usize], dim: usize, keepdim: bool) -> Dims {
    let sizes = shape.iter().enumerate();
    match keepdim {
        true => sizes.map(|(i, &size)| if i == dim { 1 } else { size }).collect(),
        false => sizes.filter(|&(i, _)| i != dim).map(|(_, &size)| size).collect(),
    }
}

/// A tensor without dimensions as a vector of one element, which is how functions along a dimension, and
/// indexing, see it.
pub(crate) fn at_least_one_dimension(x: &Tensor) -> Tensor {
    if x.dim() == 0 { x.reshape_to(&[1]) } else { x.clone() }
}
