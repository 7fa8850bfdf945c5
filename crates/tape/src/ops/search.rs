//! Positions in sorted sequences, counts, histograms and distinct elements. Nothing here has a gradient.

use crate::dtype::{dispatch, dispatch_float};
use crate::kernel::sort::{self as kernel, Entry, NAN};
use crate::op::{Operand, promoted};
use crate::storage::build;
use crate::{DType, Element, Float, Tensor};

/// How many elements of a sorted line stand before `value`; `right`: or beside it. After all, for NaN.
#[inline(always)]
fn position<T: Element>(line: &[T], value: T, right: bool) -> i64 {
    // Nothing is behind NaN.
    let behind = |x: T| if right { x > value } else { x >= value };
    line.partition_point(|&x| !behind(x)) as i64
}

impl Tensor {
    /// Where each value is to be inserted into the ascending innermost dimension of `sorted` to keep its order, as
    /// `I64`: before equal elements, or after them with `right`.
    ///
    /// `sorted` is a vector, or has the leading sizes of `values` line by line. The result has the shape of `values`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let sorted = Tensor::from([1.0, 3.0, 5.0]);
    /// let at = Tensor::searchsorted(&sorted, &Tensor::from([3.0, 6.0]), false);
    /// assert_eq!(at.to_vec::<i64>(), [1, 3]);
    /// assert_eq!(Tensor::searchsorted(&sorted, 3.0, true).item(), 2.0);
    /// ```
    ///
    /// # Panics
    /// If `sorted` has no dimensions, or more than one and not the leading sizes of `values`, or if the dtypes of the
    /// tensors differ.
    #[track_caller]
    pub fn searchsorted<'a>(sorted: &Tensor, values: impl Into<Operand<'a>>, right: bool) -> Tensor {
        search("searchsorted", sorted, values.into(), right)
    }

    /// The number of the bucket between ascending `boundaries`, a vector, that each element falls into, as `I64`:
    /// `boundaries[i-1] < x <= boundaries[i]`, or with `right`, `boundaries[i-1] <= x < boundaries[i]`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let boundaries = Tensor::from([1.0, 3.0, 5.0]);
    /// let x = Tensor::from([[3.0, 6.0], [0.0, 4.0]]);
    /// assert_eq!(x.bucketize(&boundaries, false).to_vec::<i64>(), [1, 3, 0, 2]);
    /// ```
    ///
    /// # Panics
    /// If `boundaries` is not a vector or the dtypes differ.
    #[track_caller]
    pub fn bucketize(&self, boundaries: &Tensor, right: bool) -> Tensor {
        if boundaries.dim() != 1 {
            panic!("bucketize: boundaries tensor must be 1 dimension, but got dim({})", boundaries.dim());
        }
        search("bucketize", boundaries, self.into(), right)
    }

    /// How often each integer from 0 on occurs, or the sum of its `weights`; at least `minlength` numbers are counted.
    /// Counts are `I64`; sums have the dtype of the weights if it is floating point, else `F64`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1i64, 3, 1]);
    /// assert_eq!(x.bincount(None, 0).to_vec::<i64>(), [0, 2, 0, 1]);
    /// assert_eq!(x.bincount(Some(&Tensor::from([0.5, 1.0, 0.25])), 5).to_vec::<f64>(), [0.0, 0.75, 0.0, 1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is not a vector of `I64`, an element is negative, or there is not one weight per element.
    #[track_caller]
    pub fn bincount(&self, weights: Option<&Tensor>, minlength: usize) -> Tensor {
        if self.dim() != 1 || self.dtype() != DType::I64 {
            panic!(
                "bincount: bincount only supports 1-d non-negative integral inputs, but got shape {:?} of {}",
                self.sizes(),
                self.dtype()
            );
        }
        let places = self.to_vec::<i64>();
        if let Some(negative) = places.iter().find(|&&place| place < 0) {
            panic!("bincount: bincount only supports 1-d non-negative integral inputs, but got {negative}");
        }
        let size = places.iter().max().map_or(0, |&largest| largest as usize + 1).max(minlength);
        let Some(weights) = weights else {
            return Tensor::zeros(size, DType::I64).index_add(0, self, &self.ones_like());
        };
        if weights.sizes() != self.sizes() {
            panic!(
                "bincount: weights should be 1-d and have the same length as input, but the shapes are {:?} and {:?}",
                weights.sizes(),
                self.sizes()
            );
        }
        if places.is_empty() {
            return Tensor::zeros(size, DType::I64);
        }
        let weights = if weights.dtype() == DType::F32 { weights.detach() } else { weights.detach().double() };
        Tensor::zeros(size, weights.dtype()).index_add(0, self, &weights)
    }

    /// A histogram of all elements: how many fall into each of `bins` intervals of equal length from `min` to `max`,
    /// in this dtype. The last interval contains its end; elements outside and NaN count nowhere. If `min` equals
    /// `max`, the smallest and the largest element are taken.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0, 1.0, 3.0, 9.0]);
    /// assert_eq!(x.histc(4, 0, 3).to_vec::<f64>(), [0.0, 2.0, 1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point, `bins` is 0, `max` is less than `min`, or the range is not finite.
    #[track_caller]
    pub fn histc(&self, bins: usize, min: impl Into<f64>, max: impl Into<f64>) -> Tensor {
        let (min, max) = (min.into(), max.into());
        if bins == 0 {
            panic!("histc: bins must be > 0, but got 0");
        }
        if max < min {
            panic!("histc: torch.histc: max must be larger than min, but they are {max} and {min}");
        }
        let x = self.detach();
        let range = if min == max && x.numel() > 0 { (x.min().item(), x.max().item()) } else { (min, max) };
        if !(range.0.is_finite() && range.1.is_finite()) {
            panic!("histc: torch.histc: range of [{}, {}] is not finite; name min and max", range.0, range.1);
        }
        let (low, high) = if range.0 == range.1 { (range.0 - 1.0, range.1 + 1.0) } else { range };
        let mut counts = vec![0i64; bins];
        dispatch_float!("histc", x.dtype(), T => x.dense().with::<T, _>(|dense| {
            count(&dense.data[..x.numel()], low as T, high as T, &mut counts);
        }));
        Tensor::from(counts).to_dtype(x.dtype())
    }

    /// The distinct elements in ascending order, as a vector. NaN is distinct from NaN.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([[3i64, 1], [3, 2]]).unique().to_vec::<i64>(), [1, 2, 3]);
    /// ```
    pub fn unique(&self) -> Tensor {
        self.unique_inverse().0
    }

    /// The distinct elements in ascending order, for each element of this tensor the index of its value among them,
    /// and how often each value occurs.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (values, inverse, counts) = Tensor::from([3i64, 1, 3]).unique_inverse();
    /// assert_eq!(values.to_vec::<i64>(), [1, 3]);
    /// assert_eq!((inverse.to_vec::<i64>(), counts.to_vec::<i64>()), (vec![1, 0, 1], vec![1, 2]));
    /// ```
    pub fn unique_inverse(&self) -> (Tensor, Tensor, Tensor) {
        let (x, numel) = (self.detach(), self.numel());
        let flat = x.dense().reshape_to(&[numel]);
        let keys = dispatch!(x.dtype(), T => flat.with::<T, _>(|x| kernel::keys(&x.data[..numel], false)));
        let mut entries: Vec<Entry> = keys.into_iter().zip(0..).collect();
        entries.sort_unstable();
        let nan = |key: u64| key == NAN && x.dtype().is_floating_point();
        let (mut firsts, mut counts, mut inverse) = (Vec::new(), Vec::new(), vec![0; numel]);
        for run in entries.chunk_by(|a, b| a.0 == b.0 && !nan(a.0)) {
            for &(_, place) in run {
                inverse[place] = firsts.len() as i64;
            }
            firsts.push(run[0].1 as i64);
            counts.push(run.len() as i64);
        }
        let values = flat.index_select(0, &Tensor::from(firsts));
        (values, Tensor::from_vec(inverse, self.sizes()), Tensor::from(counts))
    }
}

/// Adds the elements between `low` and `high` to the counts of their intervals.
fn count<T: Float>(x: &[T], low: T, high: T, counts: &mut [i64]) {
    let bins = counts.len();
    // In the dtype, and in this order, as torch: at the edges the rounding decides.
    let scale = T::from_i64(bins as i64);
    for &x in x.iter().filter(|&&x| x >= low && x <= high) {
        let at = ((x - low) * scale / (high - low)).to_i64() as usize;
        counts[at.min(bins - 1)] += 1;
    }
}

#[track_caller]
fn search(op: &str, sorted: &Tensor, values: Operand<'_>, right: bool) -> Tensor {
    let (sorted, values) = match values {
        Operand::Scalar(number) => {
            if sorted.dim() != 1 {
                panic!(
                    "{op}: input value can be a scalar only when boundaries tensor dimension is 1, but got boundaries \
                     tensor dim({})",
                    sorted.dim()
                );
            }
            let dtype = number.promote(sorted.dtype());
            promoted(sorted, &Tensor::full(1, number, dtype).reshape_to(&[]))
        }
        Operand::Tensor(values) => {
            if values.dtype() != sorted.dtype() {
                panic!(
                    "{op}: boundary tensor and input value tensor should have same dtype, but got boundary tensor of {} \
                     and input value tensor of {}; convert one of them",
                    sorted.dtype(),
                    values.dtype()
                );
            }
            (sorted.clone(), values.into_owned())
        }
    };
    let lead = |x: &Tensor| x.sizes()[..x.dim().saturating_sub(1)].to_vec();
    if sorted.dim() == 0 {
        panic!("{op}: boundaries tensor should have positive dimension, but got 0 dimension; reshape it to [1]");
    }
    if sorted.dim() > 1 && (values.dim() != sorted.dim() || lead(&sorted) != lead(&values)) {
        panic!(
            "{op}: boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input \
             value tensor must match, but we got boundaries tensor {:?} and input value tensor {:?}",
            sorted.sizes(),
            values.sizes()
        );
    }
    let len = sorted.size(-1);
    // Values per line of the sequence.
    let each = if sorted.dim() == 1 { values.numel() } else { values.size(-1) };
    let buffer = build::<i64>(values.numel(), |out| {
        dispatch!(sorted.dtype(), T => sorted.dense().with2::<T, T, _>(&values.dense(), |sorted, values| {
            for (i, (out, &value)) in out.iter_mut().zip(values.data).enumerate() {
                let line = i / each * len;
                *out = position(&sorted.data[line..line + len], value, right);
            }
        }));
    });
    Tensor::from_buffer(buffer, values.layout().shape.clone())
}

#[cfg(test)]
mod tests {
    use crate::{DType, Tensor};

    const NAN: f64 = f64::NAN;

    #[test]
    fn positions_are_torchs() {
        let sorted = Tensor::from([1.0, 2.0, 2.0, 3.0]);
        let values = Tensor::from([2.0, NAN, 0.0, 4.0]);
        assert_eq!(Tensor::searchsorted(&sorted, &values, false).to_vec::<i64>(), [1, 4, 0, 4]);
        assert_eq!(Tensor::searchsorted(&sorted, &values, true).to_vec::<i64>(), [3, 4, 0, 4]);
        assert_eq!(values.bucketize(&sorted, true).to_vec::<i64>(), [3, 4, 0, 4]);
        assert_eq!(Tensor::searchsorted(&Tensor::from([1i64, 2, 3]), 2.5, false).to_vec::<i64>(), [2]);
        assert_eq!(Tensor::searchsorted(&Tensor::from([1.0, NAN]), NAN, false).item(), 2.0);
        let lines = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).t();
        let values = Tensor::from([[2.5, 3.5, 9.0], [2.5, 3.5, 9.0]]);
        assert_eq!(Tensor::searchsorted(&lines, &values, false).to_vec::<i64>(), [1, 2, 2, 1, 1, 2]);
        assert_eq!(values.t().bucketize(&Tensor::from([3.0]), false).to_vec::<i64>(), [0, 0, 1, 1, 1, 1]);
        assert_eq!(values.bucketize(&Tensor::zeros(0, DType::F64), false).to_vec::<i64>(), [0; 6]);
        assert_eq!(Tensor::searchsorted(&sorted, &Tensor::from(2.5), false).sizes(), [0usize; 0]);
        let empty = Tensor::zeros([2, 0], DType::F64);
        assert_eq!(Tensor::searchsorted(&lines, &empty, false).sizes(), [2, 0]);
    }

    #[test]
    fn counts_are_torchs() {
        let x = Tensor::from([1i64, 3]);
        assert_eq!(x.bincount(None, 6).to_vec::<i64>(), [0, 1, 0, 1, 0, 0]);
        assert_eq!(x.bincount(Some(&Tensor::from([0.5f32, 0.25])), 0).to_vec::<f32>(), [0.0, 0.5, 0.0, 0.25]);
        assert_eq!(x.bincount(Some(&Tensor::from([1i64, 2])), 0).to_vec::<f64>(), [0.0, 1.0, 0.0, 2.0]);
        assert_eq!(Tensor::zeros(0, DType::I64).bincount(None, 2).to_vec::<i64>(), [0, 0]);
    }

    #[test]
    fn histograms_are_torchs() {
        let x = Tensor::from([1.0, 2.0, 1.0, NAN, 3.0, 9.0]);
        assert_eq!(x.histc(4, 0, 3).to_vec::<f64>(), [0.0, 2.0, 1.0, 1.0]);
        assert_eq!(Tensor::from([2.0f32, 2.0]).histc(4, 0, 0).to_vec::<f32>(), [0.0, 0.0, 2.0, 0.0]);
        assert_eq!(Tensor::from([1.0, 2.0, 5.0]).histc(2, 0, 0).to_vec::<f64>(), [2.0, 1.0]);
        assert_eq!(Tensor::zeros(0, DType::F64).histc(3, 0, 0).to_vec::<f64>(), [0.0; 3]);
        // At the edges of the intervals the rounding of the dtype decides.
        let tenths = Tensor::from([0.1f32, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]);
        let single = tenths.histc(10, 0, 1).to_vec::<f32>();
        assert_eq!(single, [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0]);
        let double = tenths.double().histc(10, 0, 1).to_vec::<f64>();
        assert_eq!(double, [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 0.0, 2.0, 1.0]);
    }

    #[test]
    fn distinct_elements_are_torchs() {
        let (values, inverse, counts) = Tensor::from([[NAN, 1.0, NAN], [0.0, -0.0, 1.0]]).unique_inverse();
        assert_eq!(values.to_vec::<f64>()[..2], [0.0, 1.0]);
        assert!(values.sizes() == [4] && values.to_vec::<f64>()[2..].iter().all(|v| v.is_nan()));
        assert_eq!((inverse.to_vec::<i64>(), inverse.sizes()), (vec![2, 1, 3, 0, 0, 1], &[2, 3][..]));
        assert_eq!(counts.to_vec::<i64>(), [2, 2, 1, 1]);
        assert_eq!(Tensor::from([true, false, true]).unique().to_vec::<bool>(), [false, true]);
        assert_eq!(Tensor::from([i64::MAX, i64::MAX]).unique().to_vec::<i64>(), [i64::MAX]);
        assert_eq!(Tensor::zeros([0, 2], DType::F32).unique().sizes(), [0]);
    }

    #[test]
    #[should_panic(expected = "should have same dtype, but got boundary tensor of int64")]
    fn dtypes_must_agree() {
        Tensor::searchsorted(&Tensor::from([1i64]), &Tensor::from([2.5]), false);
    }

    #[test]
    #[should_panic(expected = "boundaries tensor [1, 2] and input value tensor [1]")]
    fn leading_sizes_must_agree() {
        Tensor::searchsorted(&Tensor::from([[1.0, 2.0]]), &Tensor::from([2.5]), false);
    }

    #[test]
    #[should_panic(expected = "only supports 1-d non-negative integral inputs, but got -1")]
    fn negative_numbers_are_not_counted() {
        Tensor::from([-1i64]).bincount(None, 0);
    }

    #[test]
    #[should_panic(expected = "is not finite; name min and max")]
    fn ranges_are_finite() {
        Tensor::from([1.0, NAN]).histc(4, 0, 0);
    }
}
