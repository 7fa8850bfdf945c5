//! Whole slices, and elements under a mask, replaced by others.

use super::reduced::at_least_one_dimension;
use crate::shape::{Dims, broadcast, normalize_dim};
use crate::{DType, Operand, Tensor};

impl Tensor {
    /// This tensor with `value` in the slices of dimension `dim` that `index`, a vector, names; negative
    /// numbers count from the end. The value is a number or a tensor without dimensions.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.index_fill(1, &Tensor::from([-1i64]), 0.0).to_vec::<f64>(), [1.0, 0.0, 3.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the index is not a vector of `I64` or holds a number out of range, or the value has dimensions.
    #[track_caller]
    pub fn index_fill<'a>(&self, dim: isize, index: &Tensor, value: impl Into<Operand<'a>>) -> Tensor {
        let value = value.into();
        if let Operand::Tensor(value) = &value
            && value.dim() > 0
        {
            panic!(
                "index_fill: only supports a 0-dimensional value tensor, but got tensor with {} dimension(s). (shape \
                 {:?}; use index_copy)",
                value.dim(),
                value.sizes()
            );
        }
        let x = at_least_one_dimension(self);
        let dim = normalize_dim("index_fill", dim, x.dim());
        if index.dim() > 1 || index.dtype() != DType::I64 {
            panic!(
                "index_fill: Index has to be a vector/scalar of dtype int64, but its shape is {:?} and its dtype {}; \
                 flatten it or convert it with long()",
                index.sizes(),
                index.dtype()
            );
        }
        let size = x.sizes()[dim];
        let mut marks = vec![false; size];
        for at in index.to_vec::<i64>() {
            let place = if at < 0 { at + size as i64 } else { at };
            let mark = usize::try_from(place).ok().and_then(|place| marks.get_mut(place));
            *mark.unwrap_or_else(|| {
                panic!(
                    "index_fill: index {at} is out of bounds for dimension {dim} with size {size} (shape {:?})",
                    self.sizes()
                )
            }) = true;
        }
        let mut along = Dims::from_elem(1, x.dim());
        along[dim] = size;
        x.masked_fill(&Tensor::from(marks).reshape_to(&along), value).reshape_to(self.sizes())
    }

    /// This tensor with the slices of dimension `dim` that `index`, a vector, names replaced by those of
    /// `src`. A slice that is named repeatedly is replaced by the last; as in torch, all that were meant for it
    /// get its gradient.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (x, rows) = (Tensor::from([[1.0, 2.0], [3.0, 4.0]]), Tensor::from([[5.0, 6.0]]));
    /// assert_eq!(x.index_copy(0, &Tensor::from([1i64]), &rows).to_vec::<f64>(), [1.0, 2.0, 5.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the index is not a vector of `I64` with one number per slice of `src`, or holds a number that is
    /// negative or too large, if shapes differ apart from `dim`, or if the dtypes differ.
    #[track_caller]
    pub fn index_copy(&self, dim: isize, index: &Tensor, src: &Tensor) -> Tensor {
        const OP: &str = "index_copy";
        if index.dim() > 1 {
            panic!(
                "{OP}: Index should have dimension 1 or 0 (got {}); flatten it (shape {:?})",
                index.dim(),
                index.sizes()
            );
        }
        let (x, values) = (at_least_one_dimension(self), at_least_one_dimension(src));
        let axis = normalize_dim(OP, dim, x.dim());
        let mut expected = x.layout().shape.clone();
        expected[axis] = values.sizes().get(axis).copied().unwrap_or(0);
        if expected[..] != *values.sizes() {
            panic!(
                "{OP}: Source/destination tensor must have same slice shapes. Got {:?} for self and {:?} for the \
                 source, whose sizes must agree but for dimension {axis}",
                self.sizes(),
                src.sizes()
            );
        }
        if index.numel() != expected[axis] {
            panic!(
                "{OP}: Number of indices ({}) should be equal to source.size(dim) ({}); give one index per slice of \
                 the source, whose shape is {:?}",
                index.numel(),
                expected[axis],
                src.sizes()
            );
        }
        let mut along = Dims::from_elem(1, x.dim());
        along[axis] = index.numel();
        let index = index.reshape_to(&along).expand_to(expected);
        x.scatter_as(OP, "IndexCopyBackward0", axis as isize, &index, values.into()).reshape_to(self.sizes())
    }

    /// This tensor with elements of `src`, in row-major order, where `mask` holds; tensor and mask broadcast
    /// first. Of `src`, as many leading elements are used as the mask has places.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let (x, mask) = (Tensor::from([1.0, 2.0, 3.0]), Tensor::from([true, false, true]));
    /// assert_eq!(x.masked_scatter(&mask, &Tensor::from([7.0, 8.0])).to_vec::<f64>(), [7.0, 2.0, 8.0]);
    /// ```
    ///
    /// # Panics
    /// If the mask is not boolean, the shapes do not broadcast, the dtypes differ, or `src` has too few
    /// elements.
    #[track_caller]
    pub fn masked_scatter(&self, mask: &Tensor, src: &Tensor) -> Tensor {
        if mask.dtype() != DType::Bool {
            panic!(
                "masked_scatter: only supports boolean masks, but got mask with dtype {}; make it with a comparison",
                mask.dtype()
            );
        }
        if self.dtype() != src.dtype() {
            panic!(
                "masked_scatter: expected self and source to have same dtypes but got {} and {}; convert one with \
                 to_dtype(DType::{:?})",
                self.dtype(),
                src.dtype(),
                self.dtype()
            );
        }
        let shape = broadcast("masked_scatter", self.sizes(), mask.sizes());
        let mask = mask.expand_to(shape.clone());
        let mut used = 0i64;
        let next = |mark| {
            used += i64::from(mark);
            // What stands at the other places is not used.
            (used - 1).max(0)
        };
        let places: Vec<i64> = mask.to_vec::<bool>().into_iter().map(next).collect();
        if used as usize > src.numel() {
            panic!(
                "masked_scatter: Number of elements of source < number of ones in mask ({} < {used}; shape {:?} of the \
                 source)",
                src.numel(),
                src.sizes()
            );
        }
        if used == 0 {
            return self.expand_to(shape).copy();
        }
        let values = src.reshape_to(&[src.numel()]).index_select(0, &Tensor::from(places)).reshape_to(&shape);
        Tensor::where_(&mask, values, self)
    }

    /// [`index_fill`](Tensor::index_fill) in place. Returns the same tensor.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0, 3.0]);
    /// x.index_fill_(0, &Tensor::from([0i64, 2]), 9.0);
    /// assert_eq!(x.to_vec::<f64>(), [9.0, 2.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// As `index_fill`, and as every in-place operation on a leaf that requires grad.
    #[track_caller]
    pub fn index_fill_<'a>(&self, dim: isize, index: &Tensor, value: impl Into<Operand<'a>>) -> Tensor {
        self.replace_("index_fill_", |x| x.index_fill(dim, index, value))
    }

    /// [`index_copy`](Tensor::index_copy) in place. Returns the same tensor.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0, 3.0]);
    /// x.index_copy_(0, &Tensor::from([2i64, 0]), &Tensor::from([7.0, 8.0]));
    /// assert_eq!(x.to_vec::<f64>(), [8.0, 2.0, 7.0]);
    /// ```
    ///
    /// # Panics
    /// As `index_copy`, and as every in-place operation on a leaf that requires grad.
    #[track_caller]
    pub fn index_copy_(&self, dim: isize, index: &Tensor, src: &Tensor) -> Tensor {
        self.replace_("index_copy_", |x| x.index_copy(dim, index, src))
    }

    /// [`index_add`](Tensor::index_add) in place. Returns the same tensor.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0]);
    /// x.index_add_(0, &Tensor::from([1i64, 1]), &Tensor::from([10.0, 20.0]));
    /// assert_eq!(x.to_vec::<f64>(), [1.0, 32.0]);
    /// ```
    ///
    /// # Panics
    /// As `index_add`, and as every in-place operation on a leaf that requires grad.
    #[track_caller]
    pub fn index_add_(&self, dim: isize, index: &Tensor, src: &Tensor) -> Tensor {
        self.replace_("index_add_", |x| x.index_add(dim, index, src))
    }

    /// [`masked_scatter`](Tensor::masked_scatter) in place. Returns the same tensor.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, -2.0, -3.0]);
    /// x.masked_scatter_(&x.lt(0), &Tensor::from([7.0, 8.0]));
    /// assert_eq!(x.to_vec::<f64>(), [1.0, 7.0, 8.0]);
    /// ```
    ///
    /// # Panics
    /// As `masked_scatter`, if the mask is larger than the tensor, and as every in-place operation on a leaf
    /// that requires grad.
    #[track_caller]
    pub fn masked_scatter_(&self, mask: &Tensor, src: &Tensor) -> Tensor {
        self.replace_("masked_scatter_", |x| x.masked_scatter(mask, src))
    }
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{DType, Tensor, gradcheck, gradgradcheck};

    fn panics_with(text: &str, call: impl FnOnce() -> Tensor) {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains(text), "{message}");
    }

    fn matrix() -> Tensor {
        Tensor::arange(0, 12, 1).reshape([3, 4])
    }

    #[test]
    fn slices_are_replaced() {
        let (x, last) = (matrix(), Tensor::from([-1i64]));
        assert_eq!(x.index_fill(0, &last, 5).to_vec::<i64>(), [0, 1, 2, 3, 4, 5, 6, 7, 5, 5, 5, 5]);
        assert_eq!(Tensor::from([1i64, 2]).index_fill(0, &Tensor::from(0i64), 2.5).to_vec::<i64>(), [2, 2]);
        assert_eq!(Tensor::from(1.0).index_fill(0, &Tensor::from(0i64), 2.0).item(), 2.0);
        let columns = x.index_copy(1, &Tensor::from([3i64, 0]), &Tensor::from([[-1i64, -2]]).expand([3, 2]));
        assert_eq!(columns.to_vec::<i64>(), [-2, 1, 2, -1, -2, 5, 6, -1, -2, 9, 10, -1]);
        let one = Tensor::arange(0, 3, 1).index_copy(0, &Tensor::from([0i64]), &Tensor::from(9i64));
        assert_eq!(one.to_vec::<i64>(), [9, 1, 2]);
        panics_with("index 3 is out of bounds for dimension 0 with size 3", || x.index_fill(0, &Tensor::from(3i64), 5));
        panics_with("Index has to be a vector", || x.index_fill(0, &last.unsqueeze(0), 5));
        panics_with("0-dimensional value tensor, but got tensor with 1", || {
            x.index_fill(0, &last, &Tensor::from([5i64]))
        });
        panics_with("index -1 is out of bounds", || x.index_copy(0, &last, &x.narrow(0, 0, 1)));
        panics_with("Number of indices (1) should be equal to source.size(dim) (3)", || x.index_copy(0, &last, &x));
        panics_with("same slice shapes", || x.index_copy(0, &last, &x.narrow(1, 0, 2)));
    }

    #[test]
    fn masked_elements_are_replaced_in_order() {
        let (x, mask) = (matrix(), Tensor::from([true, false, true, true]));
        // torch.arange(12).reshape(3, 4).masked_scatter(mask, -torch.arange(30))
        let source = Tensor::arange(0, -30, -1);
        assert_eq!(x.masked_scatter(&mask, &source).to_vec::<i64>(), [0, 1, -1, -2, -3, 5, -4, -5, -6, 9, -7, -8]);
        assert_eq!(x.select(0, 0).masked_scatter(&mask.expand([2, 4]), &source).sizes(), [2, 4]);
        let none = Tensor::zeros(4, DType::Bool);
        assert_eq!(x.masked_scatter(&none, &Tensor::zeros(0, DType::I64)).to_vec::<i64>(), x.to_vec::<i64>());
        panics_with("source < number of ones in mask (3 < 9", || x.masked_scatter(&mask, &source.narrow(0, 0, 3)));
        panics_with("same dtypes", || x.masked_scatter(&mask, &source.double()));
        let (x, source) = (spread(&[2, 4], -1.0, 1.0), spread(&[9], -0.9, 0.9));
        let call = |x: &[Tensor]| x[0].masked_scatter(&Tensor::from([true, false, true, true]), &x[1]).square();
        gradcheck(call, &[&x, &source]).unwrap();
        gradgradcheck(call, &[&x, &source]).unwrap();
    }

    #[test]
    fn fills_have_the_derivatives_they_claim() {
        let (x, value) = (spread(&[2, 4], -1.0, 1.0), spread(&[], -0.9, 0.9));
        let call = |x: &[Tensor]| x[0].index_fill(-1, &Tensor::from([1i64, 3, 1]), &x[1]).square();
        gradcheck(call, &[&x, &value]).unwrap();
        gradgradcheck(call, &[&x, &value]).unwrap();
    }

    #[test]
    fn in_place_forms_enter_the_history() {
        let x = Tensor::from([1.0, 2.0, 3.0]).requires_grad_(true);
        let y = &x * 2.0;
        y.index_fill_(0, &Tensor::from([0i64]), 0.0).index_copy_(0, &Tensor::from([1i64]), &x.i([2]));
        y.index_add_(0, &Tensor::from([2i64, 2]), &x.i([0, 0]));
        assert_eq!(y.to_vec::<f64>(), [0.0, 3.0, 8.0]);
        y.masked_scatter_(&y.eq(0), &(&x * 7.0));
        y.sum().backward().unwrap();
        assert_eq!(x.grad().unwrap().to_vec::<f64>(), [9.0, 0.0, 3.0]);
    }
}
