//! Other shapes of the same elements: these share memory with their tensor where its layout allows it.

use crate::Tensor;
use crate::autograd::{Gradients, Op, Rule, gradients, is_grad_enabled, saves};
use crate::dtype::dispatch;
use crate::kernel::copy;
use crate::shape::{Dims, Ints, broadcast_strides, dim_mask, infer_sizes, normalize_dim};
use crate::storage::build;
use crate::tensor::Layout;
use smallvec::SmallVec;

/// The elements in another shape; holds the old one.
pub(crate) struct Reshape(Dims);
/// Dimensions in another order; holds the order.
pub(crate) struct Permute(SmallVec<[usize; 4]>);
/// One index of one dimension, which disappears.
pub(crate) struct Select {
    dim: usize,
    index: usize,
}
/// The adjoint of [`Select`]: zeros but for one index.
pub(crate) struct SelectBackward {
    dim: usize,
    index: usize,
}
/// Every `step`-th index of one dimension from `start` on.
pub(crate) struct Slice {
    dim: usize,
    start: usize,
    step: usize,
}
/// The adjoint of [`Slice`]: zeros between.
pub(crate) struct SliceBackward {
    dim: usize,
    start: usize,
    step: usize,
}

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "ViewBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.reshape_to(&self.0)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![
            Sample::new([spread(&[2, 6], -1.0, 1.0)], |x| x[0].reshape([3, -1]) * 2.0),
            Sample::new([spread(&[2, 3], -1.0, 1.0)], |x| x[0].t().reshape(-1)),
            Sample::new([spread(&[2, 1, 3, 1], -1.0, 1.0)], |x| x[0].squeeze().unsqueeze(-1).flatten(0, 1)),
            Sample::new([spread(&[], -1.0, 1.0)], |x| x[0].reshape([1, 1])),
            Sample::new([spread(&[0, 2], -1.0, 1.0)], |x| x[0].reshape([2, 0])),
        ]
    }
}

impl Op for Permute {
    fn name(&self) -> &'static str {
        "PermuteBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let mut inverse = self.0.clone();
        for (to, &from) in self.0.iter().enumerate() {
            inverse[from] = to;
        }
        gradients![rule; grad.permute_to(inverse)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![
            Sample::new([spread(&[2, 3, 4], -1.0, 1.0)], |x| x[0].permute([2, 0, 1]) * 2.0),
            Sample::new([spread(&[2, 3], -1.0, 1.0)], |x| x[0].transpose(0, -1).sin()),
            Sample::new([spread(&[], -1.0, 1.0)], |x| x[0].permute(())),
        ]
    }
}

impl Op for Select {
    fn name(&self) -> &'static str {
        "SelectBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.embed(rule.input_shape(), self.dim, Embedding::Index(self.index))]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![
            Sample::new([spread(&[3], -1.0, 1.0)], |x| x[0].select(0, 1) * x[0].select(0, -1)),
            Sample::new([spread(&[2, 3, 4], -1.0, 1.0)], |x| x[0].select(1, 2)),
        ]
    }
}

impl Op for SelectBackward {
    fn name(&self) -> &'static str {
        "SelectBackwardBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.select(self.dim as isize, self.index as isize)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![Sample::new([spread(&[2, 2], -1.0, 1.0)], |x| x[0].embed(&[2, 3, 2], 1, Embedding::Index(2)))]
    }
}

impl Op for Slice {
    fn name(&self) -> &'static str {
        "SliceBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let embedding = Embedding::Slice { start: self.start, step: self.step };
        gradients![rule; grad.embed(rule.input_shape(), self.dim, embedding)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![
            Sample::new([spread(&[5], -1.0, 1.0)], |x| x[0].narrow(0, 1, 3) * x[0].narrow(0, 0, 3)),
            Sample::new([spread(&[3, 5], -1.0, 1.0)], |x| x[0].slice(-1, 0..5, 2)),
            Sample::new([spread(&[3, 2], -1.0, 1.0)], |x| x[0].narrow(0, 3, 0)),
        ]
    }
}

impl Op for SliceBackward {
    fn name(&self) -> &'static str {
        "SliceBackwardBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.slice_to(self.dim, self.start, grad_len(rule, self.dim), self.step)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        vec![Sample::new([spread(&[2, 2], -1.0, 1.0)], |x| {
            x[0].embed(&[5, 2], 0, Embedding::Slice { start: 1, step: 2 })
        })]
    }
}

/// Size of the embedded tensor along `dim`.
fn grad_len(rule: &Rule<'_>, dim: usize) -> usize {
    rule.input_shape()[dim]
}

/// Where the elements of a smaller tensor go in a larger one.
#[derive(Clone, Copy)]
enum Embedding {
    Index(usize),
    Slice { start: usize, step: usize },
}

impl Tensor {
    /// A view that changes nothing: the tensor itself, or a constant view of it where recording is off.
    #[inline]
    fn unchanged(&self) -> Tensor {
        if is_grad_enabled() || !self.requires_grad() { self.clone() } else { self.view_with(self.layout().clone()) }
    }

    /// Records a view of this tensor.
    #[inline]
    pub(super) fn view_as<O: Op + crate::ops::Registered>(&self, layout: Layout, op: impl FnOnce() -> O) -> Tensor {
        self.view_with(layout).record(&[self], op, |_| saves![])
    }

    /// The same elements, in row-major order, in another shape; one size may be `-1` and is computed.
    /// Shares memory if the layout allows it, else copies.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::arange(0, 6, 1).reshape([2, -1]).shape(), [2, 3]);
    /// ```
    ///
    /// # Panics
    /// If the number of elements changes.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Ints>) -> Tensor {
        self.reshape_to(&infer_sizes("reshape", &shape.into(), self.sizes()))
    }

    /// [`reshape`](Tensor::reshape) that never copies.
    ///
    /// # Panics
    /// If the number of elements changes, or the elements cannot be seen under that shape without a copy.
    #[track_caller]
    pub fn view(&self, shape: impl Into<Ints>) -> Tensor {
        let shape = infer_sizes("view", &shape.into(), self.sizes());
        if self.strides_for(&shape).is_none() {
            panic!(
                "view: view size is not compatible with input tensor's size and stride (at least one dimension spans \
                 across two contiguous subspaces). Use .reshape(...) instead. (shape {:?}, strides {:?}, wanted {:?})",
                self.sizes(),
                self.stride(),
                &shape[..]
            );
        }
        self.reshape_to(&shape)
    }

    pub(crate) fn reshape_to(&self, shape: &[usize]) -> Tensor {
        if shape == self.sizes() {
            return self.unchanged();
        }
        match self.strides_for(shape) {
            Some(strides) => {
                let layout = Layout { shape: Dims::from_slice(shape), strides, offset: self.layout().offset };
                self.view_as(layout, || Reshape(self.layout().shape.clone()))
            }
            None => self.contiguous().reshape_to(shape),
        }
    }

    /// Strides that give the elements another shape without moving them.
    fn strides_for(&self, shape: &[usize]) -> Option<Dims> {
        let mut strides = crate::shape::row_major(shape);
        if self.is_contiguous() {
            return Some(strides);
        }
        // Groups of adjacent dimensions whose memory is one evenly spaced run; the new dimensions must
        // divide the runs.
        let mut runs: SmallVec<[(usize, usize); 4]> = SmallVec::new();
        for (&size, &stride) in self.sizes().iter().zip(self.stride()).filter(|(size, _)| **size != 1) {
            match runs.last_mut() {
                Some((len, last)) if *last == stride * size => (*len, *last) = (*len * size, stride),
                _ => runs.push((size, stride)),
            }
        }
        let mut run = runs.pop();
        let mut filled = 1;
        for i in (0..shape.len()).rev() {
            if shape[i] == 1 {
                continue;
            }
            let (len, stride) = run?;
            strides[i] = stride * filled;
            filled *= shape[i];
            if len % filled != 0 {
                return None;
            }
            if filled == len {
                run = runs.pop();
                filled = 1;
            }
        }
        Some(strides)
    }

    /// Dimensions `start` to `end` (both included) merged into one.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// assert_eq!(Tensor::zeros([2, 3, 4], DType::F32).flatten(1, -1).shape(), [2, 12]);
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range or `start` comes after `end`.
    #[track_caller]
    pub fn flatten(&self, start: isize, end: isize) -> Tensor {
        let (first, last) = (normalize_dim("flatten", start, self.dim()), normalize_dim("flatten", end, self.dim()));
        if first > last {
            panic!("flatten: has invalid args: start_dim ({start}) cannot come after end_dim ({end})");
        }
        if self.dim() == 0 {
            return self.reshape_to(&[1]);
        }
        let mut shape = Dims::from_slice(&self.sizes()[..first]);
        shape.push(self.sizes()[first..=last].iter().product());
        shape.extend_from_slice(&self.sizes()[last + 1..]);
        self.reshape_to(&shape)
    }

    /// Without all dimensions of size one.
    pub fn squeeze(&self) -> Tensor {
        let shape: Dims = self.sizes().iter().copied().filter(|&size| size != 1).collect();
        self.reshape_to(&shape)
    }

    /// Without those of the named dimensions that have size one.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// assert_eq!(Tensor::zeros([1, 3, 1], DType::F32).squeeze_dim(-1).shape(), [1, 3]);
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range or named twice.
    #[track_caller]
    pub fn squeeze_dim(&self, dims: impl Into<Ints>) -> Tensor {
        let named = dim_mask("squeeze", &dims.into(), self.dim());
        let kept = self.sizes().iter().zip(&named).filter(|&(&size, &named)| !(named && size == 1));
        let shape: Dims = kept.map(|(&size, _)| size).collect();
        self.reshape_to(&shape)
    }

    /// With a dimension of size one inserted before dimension `dim`; `-1` appends it.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// assert_eq!(Tensor::zeros([3], DType::F32).unsqueeze(0).shape(), [1, 3]);
    /// assert_eq!(Tensor::zeros([3], DType::F32).unsqueeze(-1).shape(), [3, 1]);
    /// ```
    ///
    /// # Panics
    /// If `dim` is out of range.
    #[track_caller]
    pub fn unsqueeze(&self, dim: isize) -> Tensor {
        let dim = normalize_dim("unsqueeze", dim, self.dim() + 1);
        let mut shape = self.layout().shape.clone();
        shape.insert(dim, 1);
        self.reshape_to(&shape)
    }

    /// Two dimensions exchanged, as a view.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// assert_eq!(Tensor::zeros([2, 3, 4], DType::F32).transpose(0, -1).shape(), [4, 3, 2]);
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range.
    #[track_caller]
    pub fn transpose(&self, dim0: isize, dim1: isize) -> Tensor {
        let (a, b) = (normalize_dim("transpose", dim0, self.dim()), normalize_dim("transpose", dim1, self.dim()));
        let mut order: SmallVec<[usize; 4]> = (0..self.dim()).collect();
        if self.dim() > 0 {
            order.swap(a, b);
        }
        self.permute_to(order)
    }

    /// The transpose of a matrix, as a view; tensors with fewer than two dimensions are their own.
    ///
    /// # Panics
    /// If the tensor has more than two dimensions.
    #[track_caller]
    pub fn t(&self) -> Tensor {
        if self.dim() > 2 {
            panic!(
                "t: expects a tensor with <= 2 dimensions, but self is {}D (shape {:?}); use transpose(dim0, dim1)",
                self.dim(),
                self.sizes()
            );
        }
        if self.dim() < 2 { self.unchanged() } else { self.permute_to(SmallVec::from_slice(&[1, 0])) }
    }

    /// The dimensions in another order, as a view.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// assert_eq!(Tensor::zeros([2, 3, 4], DType::F32).permute([2, 0, 1]).shape(), [4, 2, 3]);
    /// ```
    ///
    /// # Panics
    /// If `dims` does not name every dimension once.
    #[track_caller]
    pub fn permute(&self, dims: impl Into<Ints>) -> Tensor {
        let dims = dims.into();
        if dims.len() != self.dim() {
            panic!(
                "permute: the number of dimensions in the tensor input does not match the length of the desired ordering of \
                 dimensions i.e. input.dim() = {} is not equal to len(dims) = {} (dims {:?})",
                self.dim(),
                dims.len(),
                &dims[..]
            );
        }
        dim_mask("permute", &dims, self.dim());
        self.permute_to(dims.iter().map(|&dim| normalize_dim("permute", dim, self.dim())).collect())
    }

    fn permute_to(&self, order: SmallVec<[usize; 4]>) -> Tensor {
        let layout = self.layout();
        let layout = Layout {
            shape: order.iter().map(|&dim| layout.shape[dim]).collect(),
            strides: order.iter().map(|&dim| layout.strides[dim]).collect(),
            offset: layout.offset,
        };
        self.view_as(layout, || Permute(order))
    }

    /// Index `index` of dimension `dim`, as a view without that dimension; negative numbers count from
    /// the end.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.select(1, -1).to_vec::<f64>(), [2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the dimension or the index is out of range.
    #[track_caller]
    pub fn select(&self, dim: isize, index: isize) -> Tensor {
        if self.dim() == 0 {
            panic!("select: cannot be applied to a 0-dim tensor; read it with item()");
        }
        let dim = normalize_dim("select", dim, self.dim());
        let size = self.sizes()[dim];
        if index < -(size as isize) || index >= size as isize {
            panic!(
                "select: index {index} is out of bounds for dimension {dim} with size {size} (shape {:?})",
                self.sizes()
            );
        }
        let index = if index < 0 { index + size as isize } else { index } as usize;
        let mut layout = self.layout().clone();
        layout.offset += index * layout.strides[dim];
        layout.shape.remove(dim);
        layout.strides.remove(dim);
        self.view_as(layout, || Select { dim, index })
    }

    /// `length` indices of dimension `dim` from `start` on, as a view.
    ///
    /// # Panics
    /// If the dimension or the range is out of bounds.
    #[track_caller]
    pub fn narrow(&self, dim: isize, start: isize, length: usize) -> Tensor {
        let axis = normalize_dim("narrow", dim, self.dim());
        let size = self.size(dim);
        let first = if start < 0 { start + size as isize } else { start };
        if first < 0 || (first as usize).checked_add(length).is_none_or(|end| end > size) {
            panic!(
                "narrow: start ({start}) + length ({length}) exceeds dimension size ({size}) of dim {dim} (shape {:?})",
                self.sizes()
            );
        }
        self.slice_to(axis, first as usize, length, 1)
    }

    pub(crate) fn slice_to(&self, dim: usize, start: usize, len: usize, step: usize) -> Tensor {
        if start == 0 && step == 1 && len == self.sizes()[dim] {
            return self.unchanged();
        }
        let mut layout = self.layout().clone();
        if len > 0 {
            layout.offset += start * layout.strides[dim];
        }
        layout.shape[dim] = len;
        // A step beyond the end is never taken.
        layout.strides[dim] = layout.strides[dim].saturating_mul(step);
        self.view_as(layout, || Slice { dim, start, step })
    }

    /// A dense tensor of zeros of shape `whole`, except that these elements stand where `layout` has them;
    /// not recorded.
    pub(super) fn spread_into(&self, layout: Layout, whole: Dims) -> Tensor {
        dispatch!(self.dtype(), T => {
            let buffer = build::<T>(whole.iter().product(), |out| {
                out.fill(T::default());
                let start = layout.offset.min(out.len());
                let target = crate::kernel::StridedMut {
                    data: &mut out[start..],
                    shape: &layout.shape,
                    strides: &layout.strides,
                };
                match self.is_contiguous() {
                    true => self.with::<T, _>(|x| copy::cast_from_dense(&x.data[..self.numel()], target)),
                    false => {
                        let mut dense = vec![T::default(); self.numel()];
                        self.with::<T, _>(|x| copy::to_dense(x, &mut dense));
                        copy::cast_from_dense(&dense, target);
                    }
                }
            });
            Tensor::from_buffer(buffer, whole)
        })
    }

    /// A tensor of zeros of `shape` with this tensor's elements at their places along `dim`.
    fn embed(&self, shape: &[usize], dim: usize, embedding: Embedding) -> Tensor {
        let mut layout = Layout::contiguous(Dims::from_slice(shape));
        let whole = layout.shape.clone();
        match embedding {
            Embedding::Index(index) => {
                layout.offset = if self.numel() > 0 { index * layout.strides[dim] } else { 0 };
                layout.shape.remove(dim);
                layout.strides.remove(dim);
            }
            Embedding::Slice { start, step } => {
                layout.offset = if self.numel() > 0 { start * layout.strides[dim] } else { 0 };
                layout.shape[dim] = self.sizes()[dim];
                layout.strides[dim] = layout.strides[dim].saturating_mul(step);
            }
        }
        let out = self.spread_into(layout, whole);
        match embedding {
            Embedding::Index(index) => out.record(&[self], || SelectBackward { dim, index }, |_| saves![]),
            Embedding::Slice { start, step } => {
                out.record(&[self], || SliceBackward { dim, start, step }, |_| saves![])
            }
        }
    }

    /// The tensor broadcast to a larger shape, as a view that repeats elements without copying them;
    /// `-1` keeps a size.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0], [2.0]]);
    /// assert_eq!(x.expand([2, 3]).to_vec::<f64>(), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If a size differs from the tensor's where that is not one.
    #[track_caller]
    pub fn expand(&self, shape: impl Into<Ints>) -> Tensor {
        let sizes = shape.into();
        let lead = sizes.len().checked_sub(self.dim());
        let size = |(i, &size): (usize, &isize)| match size {
            -1 if i >= lead? => Some(self.sizes()[i - lead?]),
            size => usize::try_from(size).ok(),
        };
        let target = sizes.iter().enumerate().map(size).collect::<Option<Dims>>();
        let target = target.filter(|target| lead.is_some() && crate::shape::broadcasts_to(self.sizes(), target));
        let Some(target) = target else {
            panic!(
                "expand: the expanded size of the tensor ({:?}) must match the existing size ({:?}) at non-singleton \
                 dimensions",
                &sizes[..],
                self.sizes()
            )
        };
        crate::shape::numel(&target);
        self.expand_to(target)
    }

    pub(crate) fn expand_to(&self, shape: Dims) -> Tensor {
        if shape[..] == *self.sizes() {
            return self.unchanged();
        }
        let strides = broadcast_strides(self.sizes(), self.stride(), &shape);
        let layout = Layout { shape, strides, offset: self.layout().offset };
        self.view_as(layout, || super::sum::Expand)
    }

    /// As [`expand`](Tensor::expand), to the shape of another tensor.
    ///
    /// # Panics
    /// As [`expand`](Tensor::expand).
    #[track_caller]
    pub fn expand_as(&self, other: &Tensor) -> Tensor {
        self.expand(other.sizes())
    }
}

/// What slices of a tensor have in common with Rust's ranges.
pub trait IndexRange {
    /// First index (or `None` for the start) and end (or `None`), possibly negative.
    fn bounds(&self) -> (Option<isize>, Option<isize>);
}

macro_rules! index_range {
    ($($type:ty),*) => {$(
        impl IndexRange for std::ops::Range<$type> {
            fn bounds(&self) -> (Option<isize>, Option<isize>) {
                (Some(self.start as isize), Some(self.end as isize))
            }
        }
        impl IndexRange for std::ops::RangeInclusive<$type> {
            fn bounds(&self) -> (Option<isize>, Option<isize>) {
                let end = *self.end() as isize;
                (Some(*self.start() as isize), if end == -1 { None } else { Some(end + 1) })
            }
        }
        impl IndexRange for std::ops::RangeFrom<$type> {
            fn bounds(&self) -> (Option<isize>, Option<isize>) {
                (Some(self.start as isize), None)
            }
        }
        impl IndexRange for std::ops::RangeTo<$type> {
            fn bounds(&self) -> (Option<isize>, Option<isize>) {
                (None, Some(self.end as isize))
            }
        }
        impl IndexRange for std::ops::RangeToInclusive<$type> {
            fn bounds(&self) -> (Option<isize>, Option<isize>) {
                let end = self.end as isize;
                (None, if end == -1 { None } else { Some(end + 1) })
            }
        }
    )*};
}
index_range!(i32, i64, isize, usize, u32);

impl IndexRange for std::ops::RangeFull {
    fn bounds(&self) -> (Option<isize>, Option<isize>) {
        (None, None)
    }
}

/// Start and length of a range in a dimension of `size`, with Python's rules: negative numbers count
/// from the end, and what lies outside is cut off.
pub(crate) fn clip_range(bounds: (Option<isize>, Option<isize>), size: usize) -> (usize, usize) {
    let clip = |index: isize| {
        let index = if index < 0 { index + size as isize } else { index };
        index.clamp(0, size as isize) as usize
    };
    let start = bounds.0.map_or(0, clip);
    let end = bounds.1.map_or(size, clip);
    (start, end.saturating_sub(start))
}

impl Tensor {
    /// Every `step`-th index of dimension `dim` within a range, as a view; Python's `x[start:end:step]`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::arange(0, 10, 1);
    /// assert_eq!(x.slice(0, 1.., 3).to_vec::<i64>(), [1, 4, 7]);
    /// assert_eq!(x.slice(0, -2.., 1).to_vec::<i64>(), [8, 9]);
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range or the step is zero.
    #[track_caller]
    pub fn slice(&self, dim: isize, range: impl IndexRange, step: usize) -> Tensor {
        if step == 0 {
            panic!("slice: step must be greater than zero");
        }
        if self.dim() == 0 {
            panic!("slice: cannot be applied to a 0-dim tensor; unsqueeze(0) it first");
        }
        let dim = normalize_dim("slice", dim, self.dim());
        let (start, len) = clip_range(range.bounds(), self.sizes()[dim]);
        self.slice_to(dim, start, len.div_ceil(step), step)
    }
}
