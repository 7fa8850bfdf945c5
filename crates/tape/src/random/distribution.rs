//! What is drawn, checked and laid out as torch does it.

use super::Source;
use super::bernoulli::fill_bernoulli;
use super::{fill_normal_f32, fill_normal_f64, fill_normal_serial_f32, fill_normal_serial_f64};
use super::{fill_uniform_range_f32, fill_uniform_range_f64};
use crate::dtype::dispatch;
use crate::storage::build;
use crate::{DType, Shape, Tensor};

/// What to draw, already found valid.
pub(super) enum Distribution {
    Uniform { from: f64, to: f64 },
    Normal { mean: f64, std: f64 },
    Bernoulli { p: f64 },
}

impl Distribution {
    #[track_caller]
    pub(super) fn uniform(op: &str, from: f64, to: f64, dtype: DType) -> Self {
        check_float(op, dtype);
        let max = if dtype == DType::F32 { f64::from(f32::MAX) } else { f64::MAX };
        for (name, bound) in [("from", from), ("to", to)] {
            // Written so that NaN is refused too.
            let inside = bound.abs() <= max;
            assert!(inside, "{op}: {name} is out of bounds for {dtype}: {bound}; give a finite bound");
        }
        assert!(
            from <= to,
            "{op}: uniform_ expects to return a [from, to) range, but found from={from} > to={to}; \
             swap the bounds"
        );
        assert!(
            to - from <= max,
            "{op}: uniform_ expects to-from <= std::numeric_limits<{dtype}>::max(), but found to={to} and \
             from={from} which result in to-from to exceed the limit; draw from a narrower range"
        );
        Distribution::Uniform { from, to }
    }

    #[track_caller]
    pub(super) fn normal(op: &str, mean: f64, std: f64, dtype: DType) -> Self {
        check_float(op, dtype);
        assert!(
            std >= 0.0,
            "{op}: normal expects std >= 0.0, but found std {std}; \
             the second argument is a standard deviation"
        );
        Distribution::Normal { mean, std }
    }

    #[track_caller]
    pub(super) fn bernoulli(op: &str, p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "{op}: bernoulli_ expects p to be in [0, 1], but got p={p}");
        Distribution::Bernoulli { p }
    }

    /// A new tensor. `blocks` says whether normal numbers may be drawn in blocks.
    pub(super) fn sample<S: Source + ?Sized>(
        &self,
        source: &mut S,
        shape: Shape,
        dtype: DType,
        blocks: bool,
    ) -> Tensor {
        let len = shape.iter().product();
        let buffer = match (dtype, self) {
            (_, &Distribution::Bernoulli { p }) => {
                dispatch!(dtype, T => build::<T>(len, |out| fill_bernoulli(source, p, out)))
            }
            (DType::F32, &Distribution::Uniform { from, to }) => {
                build(len, |out| fill_uniform_range_f32(source, from as f32, to as f32, out))
            }
            (DType::F32, &Distribution::Normal { mean, std }) if blocks => {
                build(len, |out| fill_normal_f32(source, mean, std, out))
            }
            (DType::F32, &Distribution::Normal { mean, std }) => {
                build(len, |out| fill_normal_serial_f32(source, mean, std, out))
            }
            (_, &Distribution::Uniform { from, to }) => build(len, |out| fill_uniform_range_f64(source, from, to, out)),
            (_, &Distribution::Normal { mean, std }) if blocks => {
                build(len, |out| fill_normal_f64(source, mean, std, out))
            }
            (_, &Distribution::Normal { mean, std }) => {
                build(len, |out| fill_normal_serial_f64(source, mean, std, out))
            }
        };
        Tensor::from_buffer(buffer, shape.0)
    }

    /// Values for every element of `target`, drawn in its memory order.
    pub(super) fn sample_over<S: Source + ?Sized>(&self, source: &mut S, target: &Tensor) -> Tensor {
        if target.is_contiguous() {
            return self.sample(source, target.sizes().into(), target.dtype(), true);
        }
        self.sample_ordered(source, target, &memory_order(target), false)
    }

    /// A new tensor like `model`. Its dimensions lie in memory in the order of the model's, without the
    /// model's gaps, so that a model which only skips elements has a contiguous likeness.
    pub(super) fn sample_like<S: Source + ?Sized>(&self, source: &mut S, model: &Tensor) -> Tensor {
        let order = memory_order(model);
        // Where a dimension of size 1 stands makes no difference to what is contiguous.
        let blocks = order.iter().filter(|&&dim| model.sizes()[dim] != 1).is_sorted();
        self.sample_ordered(source, model, &order, blocks)
    }

    fn sample_ordered<S: Source + ?Sized>(
        &self,
        source: &mut S,
        model: &Tensor,
        order: &[usize],
        blocks: bool,
    ) -> Tensor {
        let shape: Vec<usize> = order.iter().map(|&dim| model.sizes()[dim]).collect();
        let drawn = self.sample(source, shape.into(), model.dtype(), blocks);
        if order.is_sorted() {
            return drawn;
        }
        let mut back = vec![0_isize; order.len()];
        for (position, &dim) in order.iter().enumerate() {
            back[dim] = position as isize;
        }
        drawn.permute(back)
    }
}

#[track_caller]
fn check_float(op: &str, dtype: DType) {
    assert!(
        dtype.is_floating_point(),
        "{op}: not implemented for {dtype}; use DType::F32 or DType::F64, or randint for integers"
    );
}

/// The dimensions of a tensor from the slowest in memory to the fastest, in the order in which torch's
/// iterators walk them: an insertion sort by stride in which a stride of 0 compares equal to every other,
/// and equal strides are told apart by size.
fn memory_order(tensor: &Tensor) -> Vec<usize> {
    let (shape, stride) = (tensor.sizes(), tensor.stride());
    let mut order: Vec<usize> = (0..shape.len()).rev().collect(); // fastest first
    for start in 1..order.len() {
        let mut at = start;
        for below in (0..start).rev() {
            let (a, b) = (order[below], order[at]);
            if stride[a] == 0 || stride[b] == 0 {
                continue;
            }
            if (stride[a], shape[a]) > (stride[b], shape[b]) {
                order.swap(below, at);
                at = below;
            } else if stride[a] < stride[b] {
                break;
            }
        }
    }
    order.reverse();
    order
}
