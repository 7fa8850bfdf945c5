//! Sliding windows over a dimension, as views.

use crate::Tensor;
use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::dtype::dispatch_float;
use crate::kernel::{StridedMut, copy};
use crate::shape::{Dims, normalize_dim};
use crate::storage::build;
use crate::tensor::Layout;

/// Windows of `size` indices of one dimension, `step` apart, along a new last dimension.
#[derive(Clone, Copy)]
pub(crate) struct Unfold {
    dim: usize,
    size: usize,
    step: usize,
}

/// The adjoint of [`Unfold`]: sums what the windows share.
pub(crate) struct UnfoldBackward(Unfold);

impl Op for Unfold {
    fn name(&self) -> &'static str {
        "UnfoldBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; fold(grad, rule.input_shape(), *self)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![
            Sample::new([spread(&[5], -1.0, 1.0)], |x| x[0].unfold(0, 3, 1).square()),
            Sample::new([spread(&[2, 5, 2], -1.0, 1.0)], |x| x[0].unfold(1, 2, 3).square()),
            Sample::new([spread(&[2, 5], -1.0, 1.0)], |x| x[0].t().unfold(0, 3, 2).square()),
            Sample::new([spread(&[], -1.0, 1.0)], |x| x[0].unfold(0, 1, 1).square()),
            Sample::new([spread(&[3], -1.0, 1.0)], |x| x[0].unfold(0, 0, 1)),
            Sample::new([spread(&[4], -1.0, 1.0)], |x| {
                let y = x[0].square();
                let windows = y.unfold(0, 2, 1);
                y.mul_(&x[0]);
                &windows * &windows
            }),
        ]
    }
}

impl Op for UnfoldBackward {
    fn name(&self) -> &'static str {
        "UnfoldBackwardBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; windows(grad, self.0)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let unfold = Unfold { dim: 0, size: 3, step: 1 };
        vec![Sample::new([spread(&[2, 3], -1.0, 1.0)], move |x| fold(&x[0], &[4], unfold).square())]
    }
}

/// How the windows lie in memory that is laid out as `layout`.
fn window_layout(layout: &Layout, Unfold { dim, size, step }: Unfold) -> Layout {
    let mut layout = layout.clone();
    if layout.shape.is_empty() {
        // torch takes a number for a vector of one element, whose only window it is.
        return Layout { shape: Dims::from_slice(&[size]), strides: Dims::from_slice(&[1]), ..layout };
    }
    let stride = layout.strides[dim];
    layout.shape[dim] = (layout.shape[dim] - size) / step + 1;
    layout.strides[dim] = stride.saturating_mul(step);
    layout.shape.push(size);
    layout.strides.push(stride);
    layout
}

fn windows(x: &Tensor, unfold: Unfold) -> Tensor {
    x.view_as(window_layout(x.layout(), unfold), || unfold)
}

/// A tensor of `shape`, each element the sum over the windows that it is in.
fn fold(grad: &Tensor, shape: &[usize], unfold: Unfold) -> Tensor {
    let whole = Layout::contiguous(Dims::from_slice(shape));
    let layout = window_layout(&whole, unfold);
    let dense = grad.dense();
    let out = dispatch_float!("unfold", grad.dtype(), T => {
        let buffer = build::<T>(shape.iter().product(), |out| {
            out.fill(T::default());
            let target = StridedMut { data: out, shape: &layout.shape, strides: &layout.strides };
            dense.with::<T, _>(|grad| copy::accumulate(&grad.data[..dense.numel()], target));
        });
        Tensor::from_buffer(buffer, whole.shape)
    });
    out.record(&[grad], || UnfoldBackward(unfold), |_| saves![])
}

impl Tensor {
    /// All windows of `size` indices of dimension `dim`, `step` apart, as a view: `dim` counts the windows,
    /// `(n - size) / step + 1` of them, and a new last dimension runs within each.
    ///
    /// Windows that overlap share elements: change a [`copy`](Tensor::copy) of them, not the view, in place.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let windows = Tensor::arange(0, 5, 1).unfold(0, 3, 2);
    /// assert_eq!(windows.shape(), [2, 3]);
    /// assert_eq!(windows.to_vec::<i64>(), [0, 1, 2, 2, 3, 4]);
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range or smaller than `size`, or `step` is zero.
    #[track_caller]
    pub fn unfold(&self, dim: isize, size: usize, step: usize) -> Tensor {
        let dim = normalize_dim("unfold", dim, self.dim());
        let whole = self.sizes().get(dim).copied().unwrap_or(1);
        if size > whole {
            panic!(
                "unfold: maximum size for tensor at dimension {dim} is {whole} but size is {size} (shape {:?}); pad \
                 the tensor or take smaller windows",
                self.sizes()
            );
        }
        if step == 0 {
            panic!("unfold: step is 0 but must be > 0");
        }
        windows(self, Unfold { dim, size, step })
    }
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{DType, Tensor};

    #[test]
    fn windows_share_memory_and_history() {
        let x = spread(&[6], -1.0, 1.0).requires_grad_(true);
        let y = &x * 1.0;
        let windows = y.unfold(0, 2, 3);
        assert_eq!(windows.grad_fn_name(), Some("UnfoldBackward0"));
        windows.mul_(3.0);
        let values = x.to_vec::<f64>();
        let factors = [3.0, 3.0, 1.0, 3.0, 3.0, 1.0];
        let expected: Vec<f64> = values.iter().zip(factors).map(|(x, factor)| x * factor).collect();
        assert_eq!(y.to_vec::<f64>(), expected);
        y.sum().backward().unwrap();
        assert_eq!(x.grad().unwrap().to_vec::<f64>(), factors);
    }

    #[test]
    fn shapes_are_torchs() {
        let x = Tensor::arange(0, 12, 1).reshape([3, 4]);
        assert_eq!(x.unfold(1, 2, 1).sizes(), [3, 3, 2]);
        assert_eq!(x.unfold(0, 3, 5).to_vec::<i64>(), [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
        assert_eq!(x.unfold(0, 0, 1).sizes(), [4, 4, 0]);
        assert_eq!(Tensor::from(2.0).unfold(0, 1, 1).to_vec::<f64>(), [2.0]);
        assert_eq!(Tensor::from(2.0).unfold(0, 0, 1).sizes(), [0]);
    }

    #[test]
    #[should_panic(expected = "maximum size for tensor at dimension 0 is 3 but size is 5")]
    fn windows_fit() {
        Tensor::zeros([3, 4], DType::F32).unfold(0, 5, 1);
    }
}
