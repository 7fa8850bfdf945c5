//! Sums and means, and their adjoint, broadcasting.

use super::arithmetic::Number;
use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::buffer::Buffer;
use crate::dtype::dispatch_number;
use crate::kernel::reduce;
use crate::shape::{Dims, Ints, dim_mask};
use crate::storage::build;
use crate::{DType, Tensor};

/// Up to so many elements are summed one after the other.
const FEW: usize = 8;

/// The sum over the dimensions of `mask`, kept as dimensions of size one or dropped.
pub(crate) struct Sum {
    /// The input's shape with the summed dimensions as one: the gradient in this shape broadcasts.
    kept: Dims,
    input: Dims,
}

/// A broadcast to a larger shape; the engine sums its gradient, whose shape does not fit the input.
pub(crate) struct Expand;

impl Op for Sum {
    fn name(&self) -> &'static str {
        if self.kept.iter().all(|&size| size == 1) { "SumBackward0" } else { "SumBackward1" }
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let whole = self.kept.iter().all(|&size| size == 1);
        // A scalar broadcasts from any number of dimensions.
        let grad = if whole { grad.reshape_to(&[]) } else { grad.reshape_to(&self.kept) };
        gradients![rule; grad.expand_to(self.input.clone())]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![
            Sample::new([spread(&[2, 3], -1.0, 1.0)], |x| x[0].sum()),
            Sample::new([spread(&[2, 3, 4], -1.0, 1.0)], |x| x[0].sum_dim([0, -1], false)),
            Sample::new([spread(&[2, 3, 4], -1.0, 1.0)], |x| x[0].transpose(0, 2).sum_dim(1, true)),
            Sample::new([spread(&[2, 3], -1.0, 1.0)], |x| x[0].mean_dim(-1, true)),
            Sample::new([spread(&[2, 3], -1.0, 1.0)], |x| x[0].mean()),
            Sample::new([spread(&[], -1.0, 1.0)], |x| x[0].sum() + x[0].sum_dim(0, false)),
            Sample::new([spread(&[2, 0], -1.0, 1.0)], |x| x[0].sum_dim(1, false)),
        ]
    }
}

impl Op for Expand {
    fn name(&self) -> &'static str {
        "ExpandBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.clone()]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![
            Sample::new([spread(&[3, 1], -1.0, 1.0)], |x| x[0].expand([2, 3, 4])),
            Sample::new([spread(&[], -1.0, 1.0)], |x| x[0].expand([2, 2])),
            Sample::new([spread(&[1, 2], -1.0, 1.0)], |x| x[0].expand([0, 2])),
        ]
    }
}

impl Tensor {
    /// The sum of all elements, a tensor without dimensions. Integers and booleans sum to `I64`.
    ///
    /// Floats are summed pairwise, in an order that depends on the shape alone: the same bits whatever
    /// the number of threads.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 2.0], [3.0, 4.0]]).sum().item(), 10.0);
    /// ```
    pub fn sum(&self) -> Tensor {
        let every = Dims::from_elem(1, self.dim());
        if self.numel() > FEW || !self.is_contiguous() || self.dtype() == DType::Bool {
            return self.sum_mask(&every, false);
        }
        let out = dispatch_number!("sum", self.dtype(), T => self.with::<T, _>(|x| {
            let few = &x.data[..self.numel()];
            let total = few.iter().fold(T::default(), |total, &x| Number::plus(total, x));
            Tensor::from_buffer(Buffer::from_slice(&[total]), Dims::new())
        }));
        out.record(&[self], || Sum { kept: every, input: self.layout().shape.clone() }, |_| saves![])
    }

    /// The sum over dimensions `dims` (all of them if none is named); with `keepdim` they remain with size
    /// one.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let x = Tensor::ones([2, 3, 4], DType::F64);
    /// assert_eq!(x.sum_dim([0, -1], true).shape(), [1, 3, 1]);
    /// assert_eq!(x.sum_dim(1, false).to_vec::<f64>(), [3.0; 8]);
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range or named twice.
    #[track_caller]
    pub fn sum_dim(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        let dims = dims.into();
        if dims.is_empty() {
            return self.sum_mask(&Dims::from_elem(1, self.dim()), keepdim);
        }
        let mask: Dims = dim_mask("sum", &dims, self.dim()).iter().map(|&named| usize::from(named)).collect();
        self.sum_mask(&mask, keepdim)
    }

    /// The mean of all elements.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0, 6.0]).mean().item(), 3.0);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn mean(&self) -> Tensor {
        self.check_mean();
        self.sum().div(self.numel())
    }

    /// The mean over dimensions `dims` (all of them if none is named); with `keepdim` they remain with
    /// size one.
    ///
    /// # Panics
    /// If the dtype is not floating point, or a dimension is out of range or named twice.
    #[track_caller]
    pub fn mean_dim(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        self.check_mean();
        let dims = dims.into();
        let mask = dim_mask("mean", &dims, self.dim());
        let counted = |named: bool| named || dims.is_empty();
        let count: usize =
            self.sizes().iter().zip(&mask).map(|(&size, &named)| if counted(named) { size } else { 1 }).product();
        self.sum_dim(dims, keepdim).div(count)
    }

    #[track_caller]
    fn check_mean(&self) {
        if !self.dtype().is_floating_point() {
            panic!(
                "mean: could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: {}; \
                 convert with float() or double() first",
                self.dtype()
            );
        }
    }

    /// The sum over the dimensions whose mask is one.
    fn sum_mask(&self, mask: &[usize], keepdim: bool) -> Tensor {
        if self.dtype() == DType::Bool {
            return self.long().sum_mask(mask, keepdim);
        }
        let kept: Dims =
            self.sizes().iter().zip(mask).map(|(&size, &summed)| if summed == 1 { 1 } else { size }).collect();
        let shape: Dims = match keepdim {
            true => kept.clone(),
            false => self.sizes().iter().zip(mask).filter(|(_, summed)| **summed == 0).map(|(&size, _)| size).collect(),
        };
        let numel = kept.iter().product();
        let out = dispatch_number!("sum", self.dtype(), T => {
            let marks: smallvec::SmallVec<[bool; 6]> = mask.iter().map(|&summed| summed == 1).collect();
            let buffer = build::<T>(numel, |out| {
                self.with::<T, _>(|x| reduce::reduce::<reduce::Sum<T>>(x, &marks, out));
            });
            Tensor::from_buffer(buffer, shape)
        });
        out.record(&[self], || Sum { kept, input: self.layout().shape.clone() }, |_| saves![])
    }

    /// The sum over whatever dimensions were broadcast from `shape`, torch's `sum_to_size`.
    pub(crate) fn sum_to(&self, shape: &[usize]) -> Tensor {
        let lead = self.dim() - shape.len();
        let mask: Dims = self
            .sizes()
            .iter()
            .enumerate()
            .map(|(i, &size)| usize::from(i < lead || (shape[i - lead] == 1 && size != 1)))
            .collect();
        self.sum_mask(&mask, true).reshape_to(shape)
    }
}
