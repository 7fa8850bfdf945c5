//! How in-place changes of shared memory enter the graph.
//!
//! A tensor and its views share memory. When one of them is changed in place by a recorded operation,
//! the owner of the memory gets a new history, [`StridedScatter`]: its old elements with those under the
//! view replaced. The other views read their history off the owner, through [`AsStrided`].

use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::kernel::{StridedMut, copy};
use crate::tensor::Layout;
use crate::{DType, Tensor};

/// The elements of a tensor (laid out in memory as `base`) through another layout of that memory.
pub(crate) struct AsStrided {
    pub base: Layout,
    pub view: Layout,
}

/// The adjoint of [`AsStrided`]: adds each element to the one of the base that it was read from.
pub(crate) struct AsStridedBackward {
    base: Layout,
    view: Layout,
}

/// The elements of the first input, except that those under `view` come from the second.
pub(crate) struct StridedScatter {
    pub base: Layout,
    pub view: Layout,
}

/// Values in the memory arrangement of `layout`: `grad`'s elements at their places, zeros between.
fn spread_out(grad: &Tensor, layout: &Layout) -> Vec<f64> {
    let mut memory = vec![0.0; layout.offset + layout.span()];
    let dense = grad.detach().to_dtype(DType::F64).dense().to_vec::<f64>();
    let target = StridedMut { data: &mut memory[layout.offset..], shape: &layout.shape, strides: &layout.strides };
    copy::accumulate(&dense, target);
    memory
}

/// The elements of `memory` that `layout` reaches, as a tensor.
fn collect(mut memory: Vec<f64>, layout: &Layout, dtype: DType) -> Tensor {
    memory.resize(memory.len().max(layout.offset + layout.span()), 0.0);
    let flat = Tensor::from(memory).to_dtype(dtype);
    flat.view_with(layout.clone()).dense()
}

fn read_through(x: &Tensor, base: &Layout, view: &Layout) -> Tensor {
    let out = collect(spread_out(x, base), view, x.dtype());
    out.record(&[x], || AsStrided { base: base.clone(), view: view.clone() }, |_| saves![])
}

fn add_through(x: &Tensor, base: &Layout, view: &Layout) -> Tensor {
    let out = collect(spread_out(x, view), base, x.dtype());
    out.record(&[x], || AsStridedBackward { base: base.clone(), view: view.clone() }, |_| saves![])
}

impl Op for AsStrided {
    fn name(&self) -> &'static str {
        "AsStridedBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; add_through(grad, &self.base, &self.view)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        // A view that is read again after its base was changed in place.
        vec![crate::op::Sample::new([crate::op::spread(&[2, 3], -1.0, 1.0)], |x| {
            let y = &x[0] * 2.0;
            let view = y.t();
            y.mul_(&x[0]);
            &view * &view
        })]
    }
}

impl Op for AsStridedBackward {
    fn name(&self) -> &'static str {
        "AsStridedBackwardBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; read_through(grad, &self.base, &self.view)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        let base = Layout::contiguous([4usize].into_iter().collect());
        let view = Layout { shape: [2, 2].into_iter().collect(), strides: [1, 1].into_iter().collect(), offset: 1 };
        vec![crate::op::Sample::new([crate::op::spread(&[2, 2], -1.0, 1.0)], move |x| {
            let y = add_through(&x[0], &base, &view);
            &y * &y
        })]
    }
}

impl Op for StridedScatter {
    fn name(&self) -> &'static str {
        "CopySlices"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        // The replaced elements of the base get no gradient, not even zero times an infinite one.
        let replaced = || {
            let ones = Tensor::ones(&self.view.shape[..], grad.dtype());
            add_through(&ones, &self.base, &self.view).bool()
        };
        gradients![rule; grad.masked_fill(&replaced(), 0), read_through(grad, &self.base, &self.view)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        vec![crate::op::Sample::new([crate::op::spread(&[3, 2], -1.0, 1.0), crate::op::spread(&[3], -1.0, 1.0)], |x| {
            let y = &x[0] * &x[0];
            y.t().i(1).copy_(&(&x[1] * &x[1]));
            &y * &y
        })]
    }
}
