//! Conversion between dtypes, and copies.

use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::dtype::dispatch;
use crate::kernel::copy;
use crate::storage::build;
use crate::{DType, Tensor};

/// Conversion of the elements to another dtype; the gradient is converted back.
pub(crate) struct Cast(DType);
/// A copy of the elements in new, dense memory.
pub(crate) struct Copy;

impl Op for Cast {
    fn name(&self) -> &'static str {
        "ToCopyBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.to_dtype(self.0)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        // There and back, on values that single precision represents: the rounding is not differentiable.
        vec![crate::op::Sample::new([Tensor::from([0.5, -1.0])], |x| {
            (&x[0] * &Tensor::from([2.0f32, 4.0])) * x[0].to_dtype(DType::F64)
        })]
    }
}

impl Op for Copy {
    fn name(&self) -> &'static str {
        "CloneBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.clone()]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        crate::op::unary_samples(-2.0, 2.0, Tensor::copy)
    }
}

impl Tensor {
    /// The elements converted to `dtype`: floats to integers by truncation, to booleans by `!= 0`. The
    /// tensor itself if it is of that dtype already. Gradients flow through conversions between
    /// floating-point types.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// assert_eq!(Tensor::from([1.7, -1.7]).to_dtype(DType::I64).to_vec::<i64>(), [1, -1]);
    /// ```
    #[inline]
    pub fn to_dtype(&self, dtype: DType) -> Tensor {
        if dtype == self.dtype() { self.clone() } else { self.convert(dtype) }
    }

    fn convert(&self, dtype: DType) -> Tensor {
        let out = dispatch!(dtype, T => {
            let buffer = build::<T>(self.numel(), |out| {
                dispatch!(self.dtype(), S => self.with::<S, _>(|x| copy::cast_to_dense(x, out)));
            });
            Tensor::from_buffer(buffer, self.layout().shape.clone())
        });
        if !dtype.is_floating_point() {
            return out;
        }
        out.record(&[self], || Cast(self.dtype()), |_| saves![])
    }

    /// The elements as `f64`.
    pub fn double(&self) -> Tensor {
        self.to_dtype(DType::F64)
    }

    /// The elements as `f32`.
    pub fn float(&self) -> Tensor {
        self.to_dtype(DType::F32)
    }

    /// The elements as `i64`.
    pub fn long(&self) -> Tensor {
        self.to_dtype(DType::I64)
    }

    /// Whether each element differs from zero.
    pub fn bool(&self) -> Tensor {
        self.to_dtype(DType::Bool)
    }

    /// The elements in memory of their own, torch's differentiable `clone`: gradients flow back to this
    /// tensor, in-place changes do not reach it.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0]);
    /// x.copy().fill_(0.0);
    /// assert_eq!(x.to_vec::<f64>(), [1.0, 2.0]);
    /// ```
    pub fn copy(&self) -> Tensor {
        let out = dispatch!(self.dtype(), T => {
            let buffer = build::<T>(self.numel(), |out| self.with(|x| copy::to_dense(x, out)));
            Tensor::from_buffer(buffer, self.layout().shape.clone())
        });
        out.record(&[self], || Copy, |_| saves![])
    }

    /// This tensor if its elements lie densely in row-major order, else a [`copy`](Tensor::copy) that does.
    pub fn contiguous(&self) -> Tensor {
        if self.is_contiguous() { self.clone() } else { self.copy() }
    }
}
