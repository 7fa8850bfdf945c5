//! Elements and rows chosen by index tensors, and sums into such places: each pair is mutually adjoint.

use super::reduced::at_least_one_dimension;
use crate::autograd::{Gradients, Op, Rule, gradients, saves};
use crate::dtype::{dispatch, dispatch_number};
use crate::kernel::axis::Axis;
use crate::kernel::{copy, gather as kernel};
use crate::shape::normalize_dim;
use crate::storage::build;
use crate::{DType, Tensor};

/// One element per index, within its line along the dimension.
pub(crate) struct Gather(usize);
/// Sums into the elements that [`Gather`] would read.
pub(crate) struct ScatterAdd(usize);
/// Whole slices along the dimension.
pub(crate) struct IndexSelect(usize);
/// Sums into the slices that [`IndexSelect`] would read.
pub(crate) struct IndexAdd(usize);

impl Op for Gather {
    fn name(&self) -> &'static str {
        "GatherBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let zeros = || Tensor::zeros(rule.input_shape(), grad.dtype());
        gradients![rule; zeros().scatter_add(self.0 as isize, rule.saved(0), grad)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let index = || Tensor::from([[0i64, 2, 0], [1, 1, 2]]);
        vec![
            Sample::new([spread(&[3, 4], -1.0, 1.0)], move |x| x[0].gather(0, &index()).pow(2.0)),
            Sample::new([spread(&[4, 3], -1.0, 1.0)], move |x| x[0].t().gather(-1, &index().t())),
            Sample::new([spread(&[5], -1.0, 1.0)], |x| x[0].take(&Tensor::from([[4i64, -1], [0, 2]])).pow(2.0)),
            Sample::new([spread(&[], -1.0, 1.0)], |x| x[0].gather(0, &Tensor::from([0i64, 0]))),
            Sample::new([spread(&[2, 3], -1.0, 1.0)], |x| x[0].gather(1, &Tensor::zeros([0, 3], DType::I64))),
        ]
    }
}

impl Op for ScatterAdd {
    fn name(&self) -> &'static str {
        "ScatterAddBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.clone(), grad.gather(self.0 as isize, rule.saved(0))]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let inputs = |a: &[usize], b: &[usize]| [spread(a, -1.0, 1.0), spread(b, -0.9, 0.9)];
        let index = || Tensor::from([[0i64, 2, 0], [1, 1, 2]]);
        vec![
            Sample::new(inputs(&[3, 4], &[2, 3]), move |x| x[0].scatter_add(0, &index(), &x[1]).pow(2.0)),
            // Only part of the source is addressed.
            Sample::new(inputs(&[2, 3], &[3, 4]), move |x| x[0].scatter_add(1, &index(), &x[1])),
            Sample::new(inputs(&[], &[2]), |x| x[0].scatter_add(0, &Tensor::from([0i64, 0]), &x[1])),
        ]
    }
}

impl Op for IndexSelect {
    fn name(&self) -> &'static str {
        "IndexSelectBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        let zeros = || Tensor::zeros(rule.input_shape(), grad.dtype());
        gradients![rule; zeros().index_add(self.0 as isize, rule.saved(0), grad)]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let index = || Tensor::from([2i64, 0, 2]);
        vec![
            Sample::new([spread(&[3, 2], -1.0, 1.0)], move |x| x[0].index_select(0, &index()).pow(2.0)),
            Sample::new([spread(&[3, 2], -1.0, 1.0)], move |x| x[0].t().index_select(-1, &index())),
            Sample::new([spread(&[3], -1.0, 1.0)], move |x| x[0].index_select(0, &Tensor::from(1i64))),
            Sample::new([spread(&[3, 2], -1.0, 1.0)], |x| x[0].index_select(0, &Tensor::zeros(0, DType::I64))),
        ]
    }
}

impl Op for IndexAdd {
    fn name(&self) -> &'static str {
        "IndexAddBackward0"
    }
    fn backward(&self, rule: &Rule<'_>, grad: &Tensor) -> Gradients {
        gradients![rule; grad.clone(), grad.index_select(self.0 as isize, rule.saved(0))]
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        use crate::op::{Sample, spread};
        let inputs = || [spread(&[4, 2], -1.0, 1.0), spread(&[3, 2], -0.9, 0.9)];
        let index = || Tensor::from([3i64, 0, 3]);
        vec![
            Sample::new(inputs(), move |x| x[0].index_add(0, &index(), &x[1]).pow(2.0)),
            Sample::new(inputs(), move |x| x[0].t().index_add(1, &index(), &x[1].t())),
        ]
    }
}

/// The indices in dense memory, if they are integers from 0 up to but not including `size`.
#[track_caller]
fn checked(op: &str, text: &str, index: &Tensor, dim: usize, size: usize) -> Tensor {
    if index.dtype() != DType::I64 {
        panic!(
            "{op}: {op}(): Expected dtype int64 for index, but got {}; convert it with long() (boolean masks \
             go through masked_select)",
            index.dtype()
        );
    }
    let index = index.dense();
    let outside = |&&at: &&i64| at < 0 || at as usize >= size;
    let bad = index.with::<i64, _>(|index| index.data[..index.numel()].iter().find(outside).copied());
    if let Some(bad) = bad {
        panic!(
            "{op}: {text}index {bad} is out of bounds for dimension {dim} with size {size}; indices run from \
             0 to size - 1, negative ones do not count from the end here"
        );
    }
    index
}

/// As [`checked`], for an index that is read where it lies: of elements that it repeats, one is looked at.
#[track_caller]
fn checked_in_place(op: &str, index: &Tensor, dim: usize, size: usize) {
    let mut core = index.detach();
    for (i, &stride) in index.stride().iter().enumerate() {
        if stride == 0 && core.sizes()[i] > 1 {
            core = core.slice_to(i, 0, 1, 1);
        }
    }
    checked(op, "", &core, dim, size);
}

/// What torch says of an index that is too large for `index_select` and `index_add`.
const OUT_OF_RANGE: &str = "index out of range in self: ";

#[track_caller]
fn check_vector(op: &str, index: &Tensor) {
    if index.dim() > 1 {
        panic!(
            "{op}: {op}(): Index is supposed to be a vector, but its shape is {:?}; flatten it, or use \
             gather",
            index.sizes()
        );
    }
}

#[track_caller]
fn check_dtypes(op: &str, x: &Tensor, src: &Tensor) {
    if x.dtype() != src.dtype() {
        panic!(
            "{op}: {op}(): Expected self.dtype to be equal to src.dtype, but got {} and {}; convert one with \
             to_dtype(DType::{:?})",
            x.dtype(),
            src.dtype(),
            x.dtype()
        );
    }
}

/// Whether each size of `small`, except at `dim`, is at most that of `large`.
fn fits(small: &Tensor, large: &Tensor, except: Option<usize>) -> bool {
    small.sizes().iter().zip(large.sizes()).enumerate().all(|(i, (a, b))| Some(i) == except || a <= b)
}

/// What every scatter works on: the target and an index of its number of dimensions, and for each index the
/// value to put there.
pub(super) struct Places {
    pub x: Tensor,
    pub at: Tensor,
    pub values: Tensor,
    pub axis: usize,
}

impl Places {
    #[track_caller]
    pub fn new(op: &str, x: &Tensor, dim: isize, index: &Tensor, src: &Tensor) -> Places {
        check_dtypes(op, x, src);
        let (target, at, values) =
            (at_least_one_dimension(x), at_least_one_dimension(index), at_least_one_dimension(src));
        let axis = normalize_dim(op, dim, target.dim());
        if at.dim() != target.dim() || values.dim() != target.dim() {
            panic!(
                "{op}: Index tensor must have the same number of dimensions as self tensor and src tensor, but \
                 their shapes are {:?}, {:?} and {:?}; unsqueeze and expand, or use index_add or index_copy for \
                 whole slices",
                index.sizes(),
                x.sizes(),
                src.sizes()
            );
        }
        if !fits(&at, &target, Some(axis)) || !fits(&at, &values, None) {
            panic!(
                "{op}: Expected index {:?} to be no larger than self {:?} apart from dimension {axis} and to be no \
                 larger size than src {:?}; narrow the index",
                index.sizes(),
                x.sizes(),
                src.sizes()
            );
        }
        checked_in_place(op, &at, axis, target.sizes()[axis]);
        let cut = |values: Tensor, (dim, &size): (usize, &usize)| values.slice_to(dim, 0, size, 1);
        let values = at.sizes().iter().enumerate().fold(values, cut);
        Places { x: target, at, values, axis }
    }
}

impl Tensor {
    /// One element of this tensor for each index: `out[i, j] = self[index[i, j], j]` for `dim = 0`,
    /// `self[i, index[i, j]]` for `dim = 1`, and so on. The index has as many dimensions as the tensor,
    /// and no size but that of `dim` may be larger than the tensor's; the result has its shape.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// let index = Tensor::from([[0i64, 0], [1, 0]]);
    /// assert_eq!(x.gather(1, &index).to_vec::<f64>(), [1.0, 1.0, 4.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the index is not `I64`, does not fit the tensor, or holds a number that is negative or too large.
    #[track_caller]
    pub fn gather(&self, dim: isize, index: &Tensor) -> Tensor {
        let (x, at) = (at_least_one_dimension(self), at_least_one_dimension(index));
        let axis = normalize_dim("gather", dim, x.dim());
        if at.dim() != x.dim() {
            panic!(
                "gather: Index tensor must have the same number of dimensions as input tensor, but their \
                 shapes are {:?} and {:?}; unsqueeze and expand the index, or use index_select for whole \
                 slices",
                index.sizes(),
                self.sizes()
            );
        }
        if !fits(&at, &x, Some(axis)) {
            panic!(
                "gather: Size does not match: expected index {:?} to be no larger than self {:?} apart from \
                 dimension {axis}; narrow the index",
                index.sizes(),
                self.sizes()
            );
        }
        checked_in_place("gather", &at, axis, x.sizes()[axis]);
        let out = dispatch!(x.dtype(), T => {
            let buffer = build::<T>(at.numel(), |out| {
                x.with2::<T, i64, _>(&at, |x, at| kernel::gather(x, axis, at, out));
            });
            Tensor::from_buffer(buffer, at.layout().shape.clone())
        });
        out.record(&[&x], || Gather(axis), |_| saves![&at]).reshape_to(index.sizes())
    }

    /// This tensor with `src` added at the places that `index` names: `out[index[i, j], j] += src[i, j]`
    /// for `dim = 0`, `out[i, index[i, j]] += src[i, j]` for `dim = 1`, and so on; the adjoint of
    /// [`gather`](Tensor::gather). Places that are named repeatedly get the sum, in the order of the
    /// index. Of a `src` larger than the index, the leading part is used.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let index = Tensor::from([0i64, 2, 0]);
    /// let sums = Tensor::zeros(3, DType::F64).scatter_add(0, &index, &Tensor::from([1.0, 2.0, 3.0]));
    /// assert_eq!(sums.to_vec::<f64>(), [4.0, 0.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the index is not `I64`, does not fit both tensors, or holds a number that is negative or too
    /// large, or if the dtypes differ.
    #[track_caller]
    pub fn scatter_add(&self, dim: isize, index: &Tensor, src: &Tensor) -> Tensor {
        let Places { x, at, values, axis } = Places::new("scatter_add", self, dim, index, src);
        let out = dispatch_number!("scatter_add", x.dtype(), T => {
            let strides = crate::shape::row_major(x.sizes());
            let buffer = build::<T>(x.numel(), |out| {
                x.with(|x| copy::to_dense(x, out));
                values.with2::<T, i64, _>(&at, |values, at| {
                    kernel::scatter_add(out, &strides, axis, at, values);
                });
            });
            Tensor::from_buffer(buffer, x.layout().shape.clone())
        });
        out.record(&[&x, &values], || ScatterAdd(axis), |_| saves![&at]).reshape_to(self.sizes())
    }

    /// The slices of dimension `dim` that `index`, a vector, names, in its order.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    /// assert_eq!(x.index_select(0, &Tensor::from([2i64, 0])).to_vec::<f64>(), [5.0, 6.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the index is not a vector of `I64`, or holds a number that is negative or too large.
    #[track_caller]
    pub fn index_select(&self, dim: isize, index: &Tensor) -> Tensor {
        check_vector("index_select", index);
        let x = at_least_one_dimension(self);
        let dim = normalize_dim("index_select", dim, x.dim());
        let at = checked("index_select", OUT_OF_RANGE, &at_least_one_dimension(index), dim, x.sizes()[dim]);
        if self.dim() == 0 && at.numel() != 1 {
            panic!(
                "index_select: Index to scalar can have only 1 value, got {} value(s); use expand to repeat \
                 it",
                at.numel()
            );
        }
        let axis = Axis::new(x.sizes(), dim);
        let mut shape = x.layout().shape.clone();
        shape[dim] = at.numel();
        let out = dispatch!(x.dtype(), T => {
            let buffer = build::<T>(shape.iter().product(), |out| {
                x.dense().with2::<T, i64, _>(&at, |x, at| {
                    kernel::index_select(x.data, axis, &at.data[..at.numel()], out);
                });
            });
            Tensor::from_buffer(buffer, shape)
        });
        let out = out.record(&[&x], || IndexSelect(dim), |_| saves![&at]);
        if self.dim() == 0 { out.reshape_to(&[]) } else { out }
    }

    /// This tensor with the slices of `src` along `dim` added to those that `index`, a vector, names: the
    /// adjoint of [`index_select`](Tensor::index_select). Slices that are named repeatedly get the sum, in
    /// the order of the index.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let rows = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// let sums = Tensor::zeros([3, 2], DType::F64).index_add(0, &Tensor::from([2i64, 2]), &rows);
    /// assert_eq!(sums.to_vec::<f64>(), [0.0, 0.0, 0.0, 0.0, 4.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the index is not a vector of `I64` with one number per slice of `src`, or holds a number that is
    /// negative or too large, if shapes differ apart from `dim`, or if the dtypes differ.
    #[track_caller]
    pub fn index_add(&self, dim: isize, index: &Tensor, src: &Tensor) -> Tensor {
        check_dtypes("index_add", self, src);
        check_vector("index_add", index);
        let (x, values) = (at_least_one_dimension(self), at_least_one_dimension(src));
        let dim = normalize_dim("index_add", dim, x.dim());
        let mut expected = x.layout().shape.clone();
        expected[dim] = values.sizes().get(dim).copied().unwrap_or(0);
        if expected[..] != *values.sizes() {
            panic!(
                "index_add: source tensor shape must match self tensor shape, excluding the specified \
                 dimension. Got self.shape = {:?} source.shape = {:?} (dimension {dim})",
                self.sizes(),
                src.sizes()
            );
        }
        if index.numel() != expected[dim] {
            panic!(
                "index_add: Number of indices ({}) should be equal to source.size(dim): ({}), for dim: \
                 {dim}; give one index per slice of the source, whose shape is {:?}",
                index.numel(),
                expected[dim],
                src.sizes()
            );
        }
        let at = checked("index_add", OUT_OF_RANGE, &at_least_one_dimension(index), dim, x.sizes()[dim]);
        let axis = Axis::new(x.sizes(), dim);
        let out = dispatch_number!("index_add", x.dtype(), T => {
            let buffer = build::<T>(x.numel(), |out| {
                x.with(|x| copy::to_dense(x, out));
                values.dense().with2::<T, i64, _>(&at, |values, at| {
                    kernel::index_add(out, axis, &at.data[..at.numel()], &values.data[..values.numel()]);
                });
            });
            Tensor::from_buffer(buffer, x.layout().shape.clone())
        });
        out.record(&[&x, &values], || IndexAdd(dim), |_| saves![&at]).reshape_to(self.sizes())
    }

    /// The elements at positions `index` of the tensor in row-major order; the result has the shape of the
    /// index. Unlike elsewhere in this family, negative positions count from the end, as in torch.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.take(&Tensor::from([2i64, -1])).to_vec::<f64>(), [3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the index is not `I64` or holds a number out of range.
    #[track_caller]
    pub fn take(&self, index: &Tensor) -> Tensor {
        if index.dtype() != DType::I64 {
            panic!("take: Expected a long tensor for index, but got {}; convert it with long()", index.dtype());
        }
        let count = self.numel() as i64;
        let mut positions = index.to_vec::<i64>();
        for at in &mut positions {
            if *at < -count || *at >= count {
                panic!(
                    "take: out of range: tried to access index {at} on a tensor of {count} elements. (shape \
                     {:?}; the index counts in row-major order)",
                    self.sizes()
                );
            }
            *at += if *at < 0 { count } else { 0 };
        }
        self.reshape_to(&[self.numel()]).index_select(0, &Tensor::from(positions)).reshape_to(index.sizes())
    }
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{DType, Tensor};

    /// Deterministic indices below `size`, with repetitions.
    fn indices(shape: &[usize], size: usize) -> Tensor {
        let numel: usize = shape.iter().product();
        Tensor::from_vec((0..numel).map(|i| ((i * 7 + i / 3) % size) as i64).collect::<Vec<_>>(), shape)
    }

    /// All index triples of a shape, in row-major order.
    fn triples(shape: &[usize]) -> Vec<[usize; 3]> {
        let (a, b, c) = (shape[0], shape[1], shape[2]);
        (0..a * b * c).map(|i| [i / c / b, i / c % b, i % c]).collect()
    }

    fn flat(shape: &[usize], [i, j, k]: [usize; 3]) -> usize {
        (i * shape[1] + j) * shape[2] + k
    }

    #[test]
    fn gather_and_scatter_add_match_naive_loops() {
        let x = spread(&[4, 3, 5], -1.0, 1.0);
        let strided = spread(&[5, 3, 4], -1.0, 1.0).transpose(0, 2);
        for dim in 0..3 {
            let mut shape = [2, 3, 4];
            shape[dim] = 6;
            let index = indices(&shape, x.sizes()[dim]);
            for (x, index) in [(&x, index.clone()), (&strided, index.transpose(0, 2).copy().transpose(0, 2))] {
                let (values, at) = (x.to_vec::<f64>(), index.to_vec::<i64>());
                let source = spread(&[6, 6, 6], 0.0, 1.0);
                let mut sums = values.clone();
                let mut gathered = Vec::new();
                for (n, triple) in triples(&shape).into_iter().enumerate() {
                    let mut place = triple;
                    place[dim] = at[n] as usize;
                    gathered.push(values[flat(x.sizes(), place)]);
                    sums[flat(x.sizes(), place)] += source.to_vec::<f64>()[flat(&[6, 6, 6], triple)];
                }
                assert_eq!(x.gather(dim as isize, &index).to_vec::<f64>(), gathered);
                assert_eq!(x.scatter_add(dim as isize, &index, &source).to_vec::<f64>(), sums);
            }
        }
    }

    #[test]
    fn index_select_and_index_add_match_naive_loops() {
        let x = spread(&[4, 3, 5], -1.0, 1.0);
        for dim in 0..3 {
            let index = indices(&[7], x.sizes()[dim]);
            let mut shape = [4, 3, 5];
            shape[dim] = 7;
            let source = spread(&shape, 0.0, 1.0);
            let (values, added, at) = (x.to_vec::<f64>(), source.to_vec::<f64>(), index.to_vec::<i64>());
            let mut sums = values.clone();
            let mut selected = Vec::new();
            for (n, triple) in triples(&shape).into_iter().enumerate() {
                let mut place = triple;
                place[dim] = at[triple[dim]] as usize;
                selected.push(values[flat(x.sizes(), place)]);
                sums[flat(x.sizes(), place)] += added[n];
            }
            assert_eq!(x.index_select(dim as isize, &index).to_vec::<f64>(), selected);
            assert_eq!(x.index_add(dim as isize, &index, &source).to_vec::<f64>(), sums);
        }
    }

    #[test]
    fn a_large_selection_is_the_same_in_parallel() {
        let x = spread(&[1000, 30], -1.0, 1.0);
        let index = indices(&[10_000], 1000);
        let (values, selected) = (x.to_vec::<f64>(), x.index_select(0, &index).to_vec::<f64>());
        for (row, at) in selected.chunks(30).zip(index.to_vec::<i64>()) {
            assert_eq!(row, &values[at as usize * 30..][..30]);
        }
    }

    #[test]
    fn scalars_and_every_dtype_can_be_indexed() {
        let zero = Tensor::from(0i64);
        assert_eq!(Tensor::from(7.0).gather(0, &zero).sizes(), [0usize; 0]);
        assert_eq!(Tensor::from(7.0).gather(0, &zero.reshape(1)).sizes(), [1]);
        assert_eq!(Tensor::from([7.0]).gather(0, &zero).item(), 7.0);
        assert_eq!(Tensor::from(7.0).index_select(0, &zero).dim(), 0);
        assert_eq!(Tensor::from([true, false]).index_select(0, &Tensor::from([1i64])).to_vec::<bool>(), [false]);
        assert_eq!(Tensor::from([1i64, 2]).index_add(0, &zero, &Tensor::from([5i64])).to_vec::<i64>(), [6, 2]);
        let empty = Tensor::zeros([2, 0], DType::F32);
        assert_eq!(empty.index_select(0, &Tensor::from([1i64, 1, 0])).sizes(), [3, 0]);
        assert_eq!(empty.index_add(0, &Tensor::from([1i64]), &Tensor::zeros([1, 0], DType::F32)).sizes(), [2, 0]);
    }

    fn panics_with(text: &str, call: impl FnOnce() -> Tensor) {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains(text), "{message}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let x = Tensor::from([1.0, 2.0, 3.0]);
        let (five, minus, one) = (Tensor::from([5i64]), Tensor::from([-1i64]), Tensor::from([1.0]));
        let outside = "index 5 is out of bounds for dimension 0 with size 3";
        let negative = "index -1 is out of bounds for dimension 0 with size 3";
        panics_with(outside, || x.gather(0, &five));
        panics_with(negative, || x.gather(0, &minus));
        panics_with(outside, || x.scatter_add(0, &five, &one));
        panics_with(outside, || x.index_select(0, &five));
        panics_with("index out of range in self", || x.index_select(0, &minus));
        panics_with(negative, || x.index_add(0, &minus, &one));
        panics_with("Expected dtype int64 for index, but got float64", || x.gather(0, &x));
        panics_with("same number of dimensions as input tensor", || x.gather(0, &five.unsqueeze(0)));
        panics_with("expected index [1, 2] to be no larger than self [3, 1] apart from dimension 0", || {
            x.unsqueeze(1).gather(0, &Tensor::zeros([1, 2], DType::I64))
        });
        panics_with("Expected self.dtype to be equal to src.dtype", || x.scatter_add(0, &minus, &one.float()));
        panics_with("to be no larger size than src [1]", || x.scatter_add(0, &Tensor::from([0i64, 1]), &one));
        panics_with("Index is supposed to be a vector", || x.index_select(0, &five.unsqueeze(0)));
        panics_with("Number of indices (1) should be equal to source.size(dim): (3), for dim: 0", || {
            x.index_add(0, &five, &x)
        });
        panics_with("source tensor shape must match self tensor shape", || x.index_add(0, &five, &x.unsqueeze(0)));
        panics_with("tried to access index 6 on a tensor of 3 elements", || x.take(&Tensor::from([6i64])));
    }
}
