//! The largest and smallest elements, of a tensor or along dimensions, and where they stand.

use crate::autograd::{Gradients, Op, Rule, Saved, gradients, record_many, saves};
use crate::dtype::dispatch_number;
use crate::kernel::Strided;
use crate::kernel::reduce::{self, Combine, Largest, Prefer, Smallest};
use crate::shape::{Dims, Ints, dim_mask, normalize_dim};
use crate::storage::build;
use crate::{DType, Tensor};

/// The extreme element of all; equal ones share the gradient. Holds torch's name of the node.
pub(crate) struct Extreme(&'static str);
/// The extreme elements over dimensions; equal ones share the gradient.
pub(crate) struct ExtremeOver {
    /// The input's shape with the reduced dimensions as one: the gradient in this shape broadcasts.
    kept: Dims,
    /// Reduced dimensions.
    dims: Ints,
    name: &'static str,
}
/// The extreme elements along one dimension and their indices; the element of the index gets the gradient.
pub(crate) struct ExtremeAlong {
    dim: usize,
    name: &'static str,
}

impl Op for Extreme {
    fn name(&self) -> &'static str {
        self.0
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (x, value) = (rule.saved(0), rule.saved(1));
        let extreme = if value.item().is_nan() { x.isnan() } else { x.eq(value) };
        gradients![rule; Tensor::where_(&extreme, grad / extreme.sum(), 0)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![
            Sample::new([spread(&[2, 3], -2.0, 2.0)], |x| x[0].max() * 2.0),
            Sample::new([spread(&[2, 3], -2.0, 2.0)], |x| x[0].t().min() * &x[0]),
            Sample::new([spread(&[], -2.0, 2.0)], |x| x[0].max() * &x[0]),
        ]
    }
}

impl Op for ExtremeOver {
    fn name(&self) -> &'static str {
        self.name
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let (x, value) = (rule.saved(0), rule.saved(1));
        // As in torch, NaN equals nothing: zero of zero elements makes the gradient NaN everywhere.
        let extreme = x.eq(value.reshape_to(&self.kept));
        let grad = grad.reshape_to(&self.kept);
        gradients![rule; (grad * &extreme) / extreme.sum_dim(self.dims.clone(), true)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let x = || [spread(&[2, 3, 2], -2.0, 2.0)];
        vec![
            Sample::new(x(), |x| x[0].amax([0, -1], false) * 2.0),
            Sample::new(x(), |x| x[0].amin(1, true) * &x[0]),
            Sample::new(x(), |x| x[0].transpose(0, 1).amax(0, false)),
            Sample::new(x(), |x| x[0].amin((), false)),
            Sample::new([spread(&[], -2.0, 2.0)], |x| x[0].amax(0, true) * &x[0]),
            Sample::new([spread(&[0, 2], -2.0, 2.0)], |x| x[0].amax(1, false)),
        ]
    }
}

impl Op for ExtremeAlong {
    fn name(&self) -> &'static str {
        self.name
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let input = rule.input_shape();
        gradients![rule; if input.is_empty() {
            grad.reshape_to(&[])
        } else {
            let mut kept = Dims::from_slice(input);
            kept[self.dim] = 1;
            let mut along = Dims::from_elem(1, input.len());
            along[self.dim] = input[self.dim];
            let positions = Tensor::arange(0, input[self.dim], 1).reshape_to(&along);
            let chosen = positions.eq(rule.saved(0).reshape_to(&kept));
            Tensor::where_(&chosen, grad.reshape_to(&kept), 0)
        }]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let x = || [spread(&[2, 3, 2], -2.0, 2.0)];
        vec![
            Sample::new(x(), |x| x[0].max_dim(1, false).0 * 2.0),
            Sample::new(x(), |x| x[0].min_dim(-1, true).0 * &x[0]),
            Sample::new(x(), |x| x[0].transpose(0, 1).max_dim(0, false).0),
            Sample::new([spread(&[], -2.0, 2.0)], |x| x[0].min_dim(0, true).0 * &x[0]),
            Sample::new([spread(&[0, 2], -2.0, 2.0)], |x| x[0].max_dim(1, false).0),
        ]
    }
}

/// `shape` without the marked dimensions, or with size one for them.
fn reduced_shape(shape: &[usize], marked: &[bool], keepdim: bool) -> Dims {
    let sizes = shape.iter().zip(marked);
    match keepdim {
        true => sizes.map(|(&size, &marked)| if marked { 1 } else { size }).collect(),
        false => sizes.filter(|(_, marked)| !**marked).map(|(&size, _)| size).collect(),
    }
}

/// What the maximum and the minimum have in common.
trait End: Prefer {
    /// torch's names of the node of the extreme of all, over dimensions, and along one.
    const NODES: [&'static str; 3];
    /// The method without, with several, and with one dimension.
    const NAMES: [&'static str; 3];
}

impl End for Largest {
    const NODES: [&'static str; 3] = ["MaxBackward1", "AmaxBackward0", "MaxBackward0"];
    const NAMES: [&'static str; 3] = ["max", "amax", "argmax"];
}

impl End for Smallest {
    const NODES: [&'static str; 3] = ["MinBackward1", "AminBackward0", "MinBackward0"];
    const NAMES: [&'static str; 3] = ["min", "amin", "argmin"];
}

#[track_caller]
fn check_not_empty(op: &str, x: &Tensor, remedy: &str) {
    if x.numel() == 0 {
        panic!(
            "{op}: Expected reduction dim to be specified for input.numel() == 0 (shape {:?}). Specify the \
             reduction dim with {remedy}.",
            x.sizes()
        );
    }
}

#[track_caller]
fn check_size(op: &str, x: &Tensor, dim: usize) {
    if x.sizes().get(dim) == Some(&0) && x.sizes().iter().enumerate().all(|(i, &size)| i == dim || size > 0) {
        panic!("{op}: Expected reduction dim {dim} to have non-zero size (shape {:?})", x.sizes());
    }
}

/// The extreme element over the marked dimensions, not recorded.
fn extreme<E: End>(op: &str, x: &Tensor, marked: &[bool], shape: Dims) -> Tensor {
    if x.dtype() == DType::Bool {
        return extreme::<E>(op, &x.long(), marked, shape).bool();
    }
    fn run<C: Combine>(x: Strided<'_, C::In>, marked: &[bool], out: &mut [C::Out]) {
        reduce::reduce::<C>(x, marked, out);
    }
    let buffer = dispatch_number!(op, x.dtype(), T => build::<T>(shape.iter().product(), |out| {
        x.with::<T, _>(|x| run::<E::Value<T>>(x, marked, out));
    }));
    Tensor::from_buffer(buffer, shape)
}

#[track_caller]
fn extreme_of_all<E: End>(x: &Tensor) -> Tensor {
    let [op, ..] = E::NAMES;
    check_not_empty(op, x, &format!("a{op} or {op}_dim"));
    let out = extreme::<E>(op, x, &vec![true; x.dim()], Dims::new());
    let [node, ..] = E::NODES;
    out.record(
        &[x],
        || Extreme(node),
        |value| {
            let mut saved = saves![x];
            saved.push(Saved::output(value, 0));
            saved
        },
    )
}

#[track_caller]
fn extreme_over<E: End>(x: &Tensor, dims: Ints, keepdim: bool) -> Tensor {
    let [_, op, _] = E::NAMES;
    let every = dims.is_empty();
    let marked = if every {
        check_not_empty(op, x, "the dims argument");
        smallvec::SmallVec::from_elem(true, x.dim())
    } else {
        dim_mask(op, &dims, x.dim())
    };
    for (dim, _) in marked.iter().enumerate().filter(|(_, marked)| **marked) {
        if x.sizes()[dim] == 0 {
            panic!("{op}: Expected reduction dim {dim} to have non-zero size (shape {:?})", x.sizes());
        }
    }
    let kept = reduced_shape(x.sizes(), &marked, true);
    let out = extreme::<E>(op, x, &marked, reduced_shape(x.sizes(), &marked, keepdim));
    let reduced = || Ints(marked.iter().enumerate().filter(|(_, marked)| **marked).map(|(i, _)| i as isize).collect());
    let [_, name, _] = E::NODES;
    out.record(
        &[x],
        || ExtremeOver { kept, dims: reduced(), name },
        |value| {
            let mut saved = saves![x];
            saved.push(Saved::output(value, 0));
            saved
        },
    )
}

/// The extreme elements along one dimension and their indices, not recorded.
#[track_caller]
fn extreme_along<E: End>(op: &str, x: &Tensor, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
    let dim = normalize_dim(op, dim, x.dim());
    let lone = x.dim() == 0;
    let x = if lone { x.reshape_to(&[1]) } else { x.clone() };
    check_size(op, &x, dim);
    let marked: smallvec::SmallVec<[bool; 6]> = (0..x.dim()).map(|other| other == dim).collect();
    let shape = if lone { Dims::new() } else { reduced_shape(x.sizes(), &marked, keepdim) };
    let numel = shape.iter().product();
    let mut indices = vec![0i64; numel];
    let values = dispatch_number!(op, x.dtype(), T => build::<T>(numel, |values| {
        x.with::<T, _>(|x| reduce::arg_reduce::<E, T>(x, dim, values, &mut indices));
    }));
    (Tensor::from_buffer(values, shape.clone()), Tensor::from_vec(indices, &shape[..]))
}

#[track_caller]
fn extreme_with_index<E: End>(x: &Tensor, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
    let [op, ..] = E::NAMES;
    if x.dtype() == DType::Bool {
        let (values, indices) = extreme_along::<E>(op, &x.long(), dim, keepdim);
        return (values.bool(), indices);
    }
    let (values, indices) = extreme_along::<E>(op, x, dim, keepdim);
    let [_, _, name] = E::NODES;
    let along = || ExtremeAlong { dim: normalize_dim(op, dim, x.dim()), name };
    let mut outputs = record_many(vec![values, indices], &[x], along, |outputs| saves![&outputs[1]]);
    let indices = outputs.pop().expect("two outputs");
    (outputs.pop().expect("two outputs"), indices)
}

#[track_caller]
fn index_of_all<E: End>(x: &Tensor) -> Tensor {
    let [.., op] = E::NAMES;
    check_not_empty(op, x, &format!("{op}_dim"));
    crate::autograd::no_grad(|| extreme_along::<E>(op, &x.reshape_to(&[x.numel()]), 0, false).1)
}

impl Tensor {
    /// The largest element, or NaN if there is one. Equal largest elements share the gradient, and so do
    /// NaNs.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 5.0], [3.0, 2.0]]).max().item(), 5.0);
    /// ```
    ///
    /// # Panics
    /// If there is no element.
    #[track_caller]
    pub fn max(&self) -> Tensor {
        extreme_of_all::<Largest>(self)
    }

    /// The smallest element, or NaN if there is one. Equal smallest elements share the gradient, and so do
    /// NaNs.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 5.0], [3.0, 2.0]]).min().item(), 1.0);
    /// ```
    ///
    /// # Panics
    /// If there is no element.
    #[track_caller]
    pub fn min(&self) -> Tensor {
        extreme_of_all::<Smallest>(self)
    }

    /// The largest element over dimensions `dims`, or over all for `()`; with `keepdim` they remain with size
    /// one. NaN wins; equal largest elements share the gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 5.0], [3.0, 2.0]]);
    /// assert_eq!(x.amax(1, false).to_vec::<f64>(), [5.0, 3.0]);
    /// assert_eq!(x.amax([0, 1], true).shape(), [1, 1]);
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range, named twice, or has no element.
    #[track_caller]
    pub fn amax(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        extreme_over::<Largest>(self, dims.into(), keepdim)
    }

    /// The smallest element over dimensions `dims`, or over all for `()`; with `keepdim` they remain with
    /// size one. NaN wins; equal smallest elements share the gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 5.0], [3.0, 2.0]]);
    /// assert_eq!(x.amin(0, false).to_vec::<f64>(), [1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range, named twice, or has no element.
    #[track_caller]
    pub fn amin(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        extreme_over::<Smallest>(self, dims.into(), keepdim)
    }

    /// The largest elements along dimension `dim` and their indices; with `keepdim` the dimension remains
    /// with size one. The first of equal elements is taken, the first NaN before all, and gets the whole
    /// gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (values, indices) = Tensor::from([[1.0, 5.0], [3.0, 2.0]]).max_dim(1, false);
    /// assert_eq!((values.to_vec::<f64>(), indices.to_vec::<i64>()), (vec![5.0, 3.0], vec![1, 0]));
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range or has no element.
    #[track_caller]
    pub fn max_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        extreme_with_index::<Largest>(self, dim, keepdim)
    }

    /// The smallest elements along dimension `dim` and their indices; with `keepdim` the dimension remains
    /// with size one. The first of equal elements is taken, the first NaN before all, and gets the whole
    /// gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (values, indices) = Tensor::from([[1.0, 5.0], [3.0, 2.0]]).min_dim(0, true);
    /// assert_eq!((values.sizes(), indices.to_vec::<i64>()), (&[1, 2][..], vec![0, 1]));
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range or has no element.
    #[track_caller]
    pub fn min_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        extreme_with_index::<Smallest>(self, dim, keepdim)
    }

    /// The index of the largest element among all in row-major order: the first of equals, the first NaN
    /// before all.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 5.0], [5.0, 2.0]]).argmax().item(), 1.0);
    /// ```
    ///
    /// # Panics
    /// If there is no element or the tensor is boolean.
    #[track_caller]
    pub fn argmax(&self) -> Tensor {
        index_of_all::<Largest>(self)
    }

    /// The index of the smallest element among all in row-major order: the first of equals, the first NaN
    /// before all.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 5.0], [5.0, 1.0]]).argmin().item(), 0.0);
    /// ```
    ///
    /// # Panics
    /// If there is no element or the tensor is boolean.
    #[track_caller]
    pub fn argmin(&self) -> Tensor {
        index_of_all::<Smallest>(self)
    }

    /// The index of the largest element along dimension `dim`, as [`max_dim`](Tensor::max_dim) finds it.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 5.0], [3.0, 2.0]]);
    /// assert_eq!(x.argmax_dim(1, false).to_vec::<i64>(), [1, 0]);
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range or has no element, or the tensor is boolean.
    #[track_caller]
    pub fn argmax_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        crate::autograd::no_grad(|| extreme_along::<Largest>("argmax", self, dim, keepdim).1)
    }

    /// The index of the smallest element along dimension `dim`, as [`min_dim`](Tensor::min_dim) finds it.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 5.0], [3.0, 2.0]]);
    /// assert_eq!(x.argmin_dim(0, false).to_vec::<i64>(), [0, 1]);
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range or has no element, or the tensor is boolean.
    #[track_caller]
    pub fn argmin_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        crate::autograd::no_grad(|| extreme_along::<Smallest>("argmin", self, dim, keepdim).1)
    }
}

#[cfg(test)]
mod tests;
