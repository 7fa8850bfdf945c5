//! Order along a dimension: sorted elements, the first few, one by its rank.

use super::reduced::{at_least_one_dimension, without};
use crate::Tensor;
use crate::dtype::dispatch;
use crate::kernel::axis::Axis;
use crate::kernel::sort::{self as kernel, Entry};
use crate::shape::normalize_dim;
use crate::storage::build;

/// Indices along dimension `dim` of a tensor that has dimensions: `results` of each line, as `pick` writes them.
pub(super) fn pick_along(
    x: &Tensor,
    dim: usize,
    descending: bool,
    results: usize,
    pick: &(dyn Fn(&mut [Entry], &mut [i64]) + Sync),
) -> Tensor {
    let (dense, numel) = (x.dense(), x.numel());
    let keys = dispatch!(x.dtype(), T => dense.with::<T, _>(|x| kernel::keys(&x.data[..numel], descending)));
    let mut shape = x.layout().shape.clone();
    shape[dim] = results;
    let axis = Axis::new(x.sizes(), dim);
    let buffer = build::<i64>(shape.iter().product(), |out| kernel::each_line(&keys, axis, results, out, pick));
    Tensor::from_buffer(buffer, shape)
}

/// The element that `pick` names in each line along dimension `dim`, and its index. The element of the index gets
/// the gradient.
#[track_caller]
pub(super) fn one_along(
    op: &str,
    x: &Tensor,
    dim: isize,
    keepdim: bool,
    pick: &(dyn Fn(&mut [Entry]) -> i64 + Sync),
) -> (Tensor, Tensor) {
    let dim = normalize_dim(op, dim, x.dim());
    let shape = if x.dim() == 0 { x.layout().shape.clone() } else { without(x.sizes(), dim, keepdim) };
    let x = at_least_one_dimension(x);
    if x.sizes()[dim] == 0 && without(x.sizes(), dim, false).iter().all(|&size| size > 0) {
        panic!("{op}: {op}(): Expected reduction dim {dim} to have non-zero size (shape {:?})", x.sizes());
    }
    let indices = pick_along(&x, dim, false, 1, &|line, out| out[0] = pick(line));
    (x.gather(dim as isize, &indices).reshape_to(&shape), indices.reshape_to(&shape))
}

impl Tensor {
    /// The elements in ascending (or descending) order along dimension `dim`, and where they stood. Equal elements
    /// keep their order; NaN counts as larger than every number. The gradient goes back to where each element
    /// stood.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (values, indices) = Tensor::from([3.0, 1.0, 2.0]).sort(0, false);
    /// assert_eq!((values.to_vec::<f64>(), indices.to_vec::<i64>()), (vec![1.0, 2.0, 3.0], vec![1, 2, 0]));
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range.
    #[track_caller]
    pub fn sort(&self, dim: isize, descending: bool) -> (Tensor, Tensor) {
        let indices = self.argsort(dim, descending);
        (self.gather(dim, &indices), indices)
    }

    /// The indices that [`sort`](Tensor::sort) the tensor along dimension `dim`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([3.0, 1.0, 2.0]).argsort(0, true).to_vec::<i64>(), [0, 2, 1]);
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range.
    #[track_caller]
    pub fn argsort(&self, dim: isize, descending: bool) -> Tensor {
        let dim = normalize_dim("sort", dim, self.dim());
        let x = at_least_one_dimension(self).detach();
        pick_along(&x, dim, descending, x.sizes()[dim], &|line, out| kernel::first(line, out, true))
            .reshape_to(self.sizes())
    }

    /// The elements in ascending order along the first dimension, as [`sort`](Tensor::sort).
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[3.0, 1.0], [2.0, 4.0]]);
    /// assert_eq!(x.msort().to_vec::<f64>(), [2.0, 1.0, 3.0, 4.0]);
    /// ```
    pub fn msort(&self) -> Tensor {
        self.sort(0, false).0
    }

    /// The `k` largest (or smallest) elements along dimension `dim` and their indices, best first if `sorted`, else
    /// in any order. The first of equals are taken; NaN counts as larger than every number. The elements of the
    /// indices get the gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (values, indices) = Tensor::from([3.0, 1.0, 2.0]).topk(2, 0, true, true);
    /// assert_eq!((values.to_vec::<f64>(), indices.to_vec::<i64>()), (vec![3.0, 2.0], vec![0, 2]));
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range or has fewer than `k` elements.
    #[track_caller]
    pub fn topk(&self, k: usize, dim: isize, largest: bool, sorted: bool) -> (Tensor, Tensor) {
        let at = normalize_dim("topk", dim, self.dim());
        let x = at_least_one_dimension(self);
        if k > x.sizes()[at] {
            panic!(
                "topk: selected index k out of range: k is {k}, dimension {at} of shape {:?} too small",
                self.sizes()
            );
        }
        let indices = pick_along(&x.detach(), at, largest, k, &move |line, out| kernel::first(line, out, sorted));
        let values = x.gather(at as isize, &indices);
        if self.dim() == 0 && k == 1 { (values.reshape_to(&[]), indices.reshape_to(&[])) } else { (values, indices) }
    }

    /// The `k`-th smallest element along dimension `dim`, counted from 1, and its index; with `keepdim` the
    /// dimension remains with size one. NaN counts as larger than every number. The element of the index gets the
    /// gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (value, index) = Tensor::from([3.0, 1.0, 2.0]).kthvalue(2, 0, false);
    /// assert_eq!((value.item(), index.item()), (2.0, 2.0));
    /// ```
    ///
    /// # Panics
    /// If the dimension is out of range, or `k` is 0 or larger than its size.
    #[track_caller]
    pub fn kthvalue(&self, k: usize, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        let at = normalize_dim("kthvalue", dim, self.dim());
        let size = self.sizes().get(at).copied().unwrap_or(1);
        if k == 0 || k > size {
            panic!("kthvalue: kthvalue(): selected number k ({k}) out of range for dimension {at} of size {size}");
        }
        one_along("kthvalue", self, dim, keepdim, &move |line| kernel::nth(line, k - 1))
    }
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{DType, Tensor, gradcheck, gradgradcheck};

    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;

    /// The gradient of the sum of `f` at `x`, weighted by 1, 2, ..
    fn gradient(x: &[f64], f: impl Fn(&Tensor) -> Tensor) -> Vec<f64> {
        let x = Tensor::from(x).requires_grad_(true);
        let y = f(&x);
        let weights = Tensor::arange(1.0, 1.0 + y.numel() as f64, 1.0).reshape_to(y.sizes());
        (y * weights).sum().backward().unwrap();
        x.grad().unwrap().to_vec::<f64>()
    }

    fn pair((values, indices): (Tensor, Tensor)) -> (Vec<String>, Vec<i64>) {
        (values.to_vec::<f64>().iter().map(|v| v.to_string()).collect(), indices.to_vec())
    }

    #[test]
    fn nan_is_larger_than_everything_and_equals_keep_their_order() {
        let x = Tensor::from([3.0, NAN, 1.0, INF, NAN, 1.0, -INF]);
        let text = |values: [&str; 7]| values.map(String::from).to_vec();
        let up = (text(["-inf", "1", "1", "3", "inf", "NaN", "NaN"]), vec![6, 2, 5, 0, 3, 1, 4]);
        let down = (text(["NaN", "NaN", "inf", "3", "1", "1", "-inf"]), vec![1, 4, 3, 0, 2, 5, 6]);
        assert_eq!(pair(x.sort(0, false)), up);
        assert_eq!(pair(x.sort(-1, true)), down);
        let first =
            |k: usize, (values, indices): &(Vec<String>, Vec<i64>)| (values[..k].to_vec(), indices[..k].to_vec());
        for k in 0..8 {
            assert_eq!(pair(x.topk(k, 0, false, true)), first(k, &up));
            assert_eq!(pair(x.topk(k, 0, true, true)), first(k, &down));
        }
        for k in 1..8 {
            let (value, index) = x.kthvalue(k, 0, true);
            assert_eq!((value.item().to_string(), index.item_as::<i64>()), (up.0[k - 1].clone(), up.1[k - 1]));
        }
        let zeros = Tensor::from([0.0, -0.0]).sort(0, false);
        assert_eq!(zeros.1.to_vec::<i64>(), [0, 1]);
    }

    #[test]
    fn gradients_go_back_through_the_permutation() {
        let x = [3.0, 1.0, 2.0];
        assert_eq!(gradient(&x, |x| x.sort(0, false).0), [3.0, 1.0, 2.0]);
        assert_eq!(gradient(&x, |x| x.topk(2, 0, true, false).0), [1.0, 0.0, 2.0]);
        assert_eq!(gradient(&x, |x| x.kthvalue(3, 0, false).0), [1.0, 0.0, 0.0]);
        assert_eq!(gradient(&[3.0, NAN, 2.0], |x| x.kthvalue(3, 0, false).0), [0.0, 1.0, 0.0]);
        let x = spread(&[3, 4], -1.0, 1.0);
        for f in [
            |x: &Tensor| x.sort(0, true).0.pow(2.0),
            |x: &Tensor| x.t().sort(1, false).0 * x.t(),
            |x: &Tensor| x.topk(2, 1, false, true).0.pow(2.0),
            |x: &Tensor| x.kthvalue(2, 0, false).0 * x,
            |x: &Tensor| x.msort(),
        ] {
            gradcheck(|x| f(&x[0]), &[&x]).unwrap();
            gradgradcheck(|x| f(&x[0]), &[&x]).unwrap();
        }
    }

    #[test]
    fn every_layout_and_dtype_is_sorted() {
        let x = spread(&[5, 6, 7], -1.0, 1.0);
        for dim in 0..3 {
            let values = x.transpose(0, 2).sort(dim, false).0.transpose(dim, 2).to_vec::<f64>();
            let size = x.transpose(0, 2).sizes()[dim as usize];
            assert!(values.chunks(size).all(|line| line.is_sorted()), "{dim}");
        }
        let x = Tensor::from([i64::MAX, i64::MIN, 0]);
        assert_eq!(x.sort(0, false).0.to_vec::<i64>(), [i64::MIN, 0, i64::MAX]);
        let x = Tensor::from([true, false, true]);
        assert_eq!(x.sort(0, false).1.to_vec::<i64>(), [1, 0, 2]);
        assert_eq!(x.argsort(0, true).to_vec::<i64>(), [0, 2, 1]);
        assert_eq!(Tensor::from([2.5f32, -1.0]).msort().to_vec::<f32>(), [-1.0, 2.5]);
    }

    #[test]
    fn scalars_and_empty_tensors() {
        let x = Tensor::from(3.0);
        for (value, index) in [x.sort(0, false), x.topk(1, -1, true, true), x.kthvalue(1, 0, true)] {
            assert_eq!((value.item(), index.item(), value.dim(), index.dim()), (3.0, 0.0, 0, 0));
        }
        let empty = Tensor::zeros([2, 0], DType::F32);
        assert_eq!(empty.sort(1, false).1.sizes(), [2, 0]);
        assert_eq!(empty.topk(1, 0, true, true).0.sizes(), [1, 0]);
        assert_eq!(empty.kthvalue(1, 0, false).0.sizes(), [0]);
    }

    #[test]
    #[should_panic(expected = "topk: selected index k out of range: k is 4")]
    fn there_are_not_more_than_all() {
        Tensor::from([1.0, 2.0, 3.0]).topk(4, 0, true, true);
    }

    #[test]
    #[should_panic(expected = "selected number k (0) out of range for dimension 0 of size 3")]
    fn ranks_count_from_one() {
        Tensor::from([1.0, 2.0, 3.0]).kthvalue(0, 0, false);
    }
}
