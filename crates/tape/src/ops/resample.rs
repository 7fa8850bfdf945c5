//! Sparse linear maps along one dimension, of which averages over windows and interpolations are made.

use crate::Tensor;
use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::dtype::dispatch_float;
use crate::kernel::axis::Axis;
use crate::kernel::resample::{Taps, resample};
use crate::storage::build;
use std::sync::Arc;

/// A matrix applied along a dimension. Its derivative is the transposed matrix, and so on in turn.
pub(crate) struct Resample {
    taps: Arc<Taps>,
    transposed: Arc<Taps>,
    dim: usize,
    name: &'static str,
}

impl Op for Resample {
    fn name(&self) -> &'static str {
        self.name
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; apply(grad, self.dim, [&self.transposed, &self.taps], self.name)]
    }
    fn is_flat(&self) -> bool {
        // As torch has it: averages over windows know their input, interpolations only its size.
        self.name.contains("AvgPool")
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let taps = || Taps::new(3, [vec![(0, 1.0), (2, 0.5)], vec![], vec![(1, 2.0), (1, 1.0)], vec![(2, -1.0)]]);
        vec![
            Sample::new([spread(&[2, 3, 2], -1.0, 1.0)], move |x| x[0].resample(1, taps(), "Test").pow(2.0)),
            Sample::new([spread(&[3, 2], -1.0, 1.0)], move |x| x[0].t().resample(1, taps(), "Test").pow(2.0)),
            Sample::new([spread(&[3, 0], -1.0, 1.0)], move |x| x[0].resample(0, taps(), "Test")),
        ]
    }
}

fn apply(x: &Tensor, dim: usize, [taps, transposed]: [&Arc<Taps>; 2], name: &'static str) -> Tensor {
    let dense = x.dense();
    let mut shape = x.layout().shape.clone();
    shape[dim] = taps.outputs();
    let out = dispatch_float!("resample", x.dtype(), T => {
        let buffer = build::<T>(shape.iter().product(), |out| {
            dense.with::<T, _>(|x| resample(x.data, Axis::new(x.shape, dim), taps, out));
        });
        Tensor::from_buffer(buffer, shape)
    });
    let op = || Resample { taps: Arc::clone(taps), transposed: Arc::clone(transposed), dim, name };
    out.record(&[x], op, |_| saves![])
}

impl Tensor {
    /// The matrix `taps`, whose columns are the elements along `dim`, applied along that dimension.
    pub(super) fn resample(&self, dim: usize, taps: Taps, name: &'static str) -> Tensor {
        debug_assert_eq!(self.sizes()[dim], taps.inputs());
        let transposed = Arc::new(taps.transposed());
        apply(self, dim, [&Arc::new(taps), &transposed], name)
    }
}
