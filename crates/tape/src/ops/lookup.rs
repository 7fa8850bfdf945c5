//! Positions and membership: where elements are, which ones occur, classes as vectors, elements per line.

use crate::shape::{Dims, broadcast, normalize_dim};
use crate::{DType, Tensor};
use std::cmp::Ordering;

impl Tensor {
    /// The indices of all elements that are not zero (NaN is not), in row-major order: one row per element,
    /// one column per dimension.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let at = Tensor::from([[0.0, 1.0], [2.0, 0.0]]).nonzero();
    /// assert_eq!((at.sizes(), at.to_vec::<i64>()), (&[2, 2][..], vec![0, 1, 1, 0]));
    /// ```
    pub fn nonzero(&self) -> Tensor {
        let marks = self.detach().ne(0).to_vec::<bool>();
        let strides = crate::shape::row_major(self.sizes());
        let mut found = Vec::new();
        for (flat, _) in marks.iter().enumerate().filter(|(_, mark)| **mark) {
            let index = strides.iter().zip(self.sizes()).map(|(&stride, &size)| (flat / stride % size) as i64);
            found.extend(index);
        }
        let count = marks.iter().filter(|&&mark| mark).count();
        Tensor::from_vec(found, [count, self.dim()])
    }

    /// Whether each element occurs among those of `values`. NaN equals nothing.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.isin(&Tensor::from([4.0, 1.0])).to_vec::<bool>(), [true, false, false, true]);
    /// ```
    pub fn isin(&self, values: &Tensor) -> Tensor {
        let (x, values) = crate::op::promoted(&self.detach(), &values.detach());
        let marks: Vec<bool> = if x.dtype().is_floating_point() {
            let order = |a: &f64, b: &f64| a.partial_cmp(b).unwrap_or(Ordering::Equal);
            let mut sorted = values.double().to_vec::<f64>();
            sorted.retain(|value| !value.is_nan());
            sorted.sort_unstable_by(order);
            let occurs = |x: &f64| !x.is_nan() && sorted.binary_search_by(|value| order(value, x)).is_ok();
            x.double().to_vec::<f64>().iter().map(occurs).collect()
        } else {
            let mut sorted = values.long().to_vec::<i64>();
            sorted.sort_unstable();
            x.long().to_vec::<i64>().iter().map(|x| sorted.binary_search(x).is_ok()).collect()
        };
        Tensor::from_vec(marks, self.sizes())
    }

    /// Class numbers as vectors along a new last dimension of size `classes`: one at the number's index, zero
    /// elsewhere. With `None`, there are as many classes as the largest number asks for.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([0i64, 2]);
    /// assert_eq!(x.one_hot(3).to_vec::<i64>(), [1, 0, 0, 0, 0, 1]);
    /// assert_eq!(x.one_hot(None).shape(), [2, 3]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not `I64`, a number is negative or not below `classes`, or there is neither a number
    /// nor a class.
    #[track_caller]
    pub fn one_hot(&self, classes: impl Into<Option<usize>>) -> Tensor {
        if self.dtype() != DType::I64 {
            panic!(
                "one_hot: one_hot is only applicable to index tensor of type LongTensor, but got {}; convert it with \
                 long()",
                self.dtype()
            );
        }
        let numbers = self.to_vec::<i64>();
        if let Some(number) = numbers.iter().find(|&&number| number < 0) {
            panic!("one_hot: Class values must be non-negative, but one is {number}");
        }
        let largest = numbers.iter().max().copied();
        let classes = match (classes.into(), largest) {
            (None | Some(0), None) => panic!(
                "one_hot: Can not infer total number of classes from empty tensor; pass their number (shape {:?})",
                self.sizes()
            ),
            (Some(classes), Some(largest)) if largest >= classes as i64 => {
                panic!("one_hot: Class values must be smaller than num_classes, but {largest} >= {classes}")
            }
            (Some(classes), _) => classes,
            (None, Some(largest)) => largest as usize + 1,
        };
        let mut shape = self.layout().shape.clone();
        shape.push(classes);
        Tensor::zeros(shape, DType::I64).scatter(-1, &self.unsqueeze(-1), 1)
    }

    /// One element for each index, as [`gather`](Tensor::gather), where tensor and index broadcast against
    /// each other but for dimension `dim`. With `None`, elements of the flattened tensor for the flattened
    /// index.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.take_along_dim(&Tensor::from([[1i64, 0, 1]]), 1).to_vec::<f64>(), [2.0, 1.0, 2.0, 4.0, 3.0, 4.0]);
    /// assert_eq!(x.take_along_dim(&Tensor::from([3i64]), None).to_vec::<f64>(), [4.0]);
    /// ```
    ///
    /// # Panics
    /// If the index is not `I64`, has another number of dimensions than the tensor, does not broadcast, or
    /// holds a number that is negative or too large.
    #[track_caller]
    pub fn take_along_dim(&self, index: &Tensor, dim: impl Into<Option<isize>>) -> Tensor {
        if index.dtype() != DType::I64 {
            panic!("take_along_dim: dtype of indices should be Long but got {}; convert it with long()", index.dtype());
        }
        let Some(dim) = dim.into() else {
            return self.reshape_to(&[self.numel()]).gather(0, &index.reshape_to(&[index.numel()]));
        };
        if self.dim() != index.dim() {
            panic!(
                "take_along_dim: input and indices should have the same number of dimensions, but got {} dimensions \
                 for input, and {} dimensions for indices (shapes {:?} and {:?}); unsqueeze one of them",
                self.dim(),
                index.dim(),
                self.sizes(),
                index.sizes()
            );
        }
        let axis = normalize_dim("take_along_dim", dim, self.dim());
        if self.dim() == 0 {
            return self.gather(0, index);
        }
        let without = |x: &Tensor| {
            let mut shape = x.layout().shape.clone();
            shape[axis] = 1;
            shape
        };
        let common = broadcast("take_along_dim", &without(self), &without(index));
        let with = |size: usize| {
            let mut shape: Dims = common.clone();
            shape[axis] = size;
            shape
        };
        self.expand_to(with(self.sizes()[axis])).gather(dim, &index.expand_to(with(index.sizes()[axis])))
    }
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{DType, Tensor, gradcheck, gradgradcheck};

    #[test]
    fn positions_are_torchs() {
        assert_eq!(Tensor::from(5.0).nonzero().sizes(), [1, 0]);
        assert_eq!(Tensor::from(0.0).nonzero().sizes(), [0, 0]);
        assert_eq!(Tensor::from([f64::NAN, 0.0, -0.0]).nonzero().to_vec::<i64>(), [0]);
        let x = Tensor::from([[true, false, true], [false, false, true]]);
        assert_eq!(x.t().nonzero().to_vec::<i64>(), [0, 0, 2, 0, 2, 1]);
        assert_eq!(Tensor::zeros([2, 0], DType::F32).nonzero().sizes(), [0, 2]);
    }

    #[test]
    fn membership_is_equality() {
        let x = Tensor::from([f64::NAN, 1.0, -0.0, f64::INFINITY]);
        let found = x.isin(&Tensor::from([f64::NAN, 0.0, f64::INFINITY]));
        assert_eq!(found.to_vec::<bool>(), [false, false, true, true]);
        assert_eq!(Tensor::from([1i64, 2]).isin(&Tensor::from([1.0f32, 2.5])).to_vec::<bool>(), [true, false]);
        assert_eq!(Tensor::from([1i64 << 62]).isin(&Tensor::from([(1i64 << 62) + 1])).to_vec::<bool>(), [false]);
        assert_eq!(x.isin(&Tensor::zeros(0, DType::F64)).to_vec::<bool>(), [false; 4]);
    }

    #[test]
    fn classes_are_torchs() {
        assert_eq!(Tensor::from(1i64).one_hot(3).to_vec::<i64>(), [0, 1, 0]);
        assert_eq!(Tensor::zeros([0, 2], DType::I64).one_hot(5).sizes(), [0, 2, 5]);
    }

    #[test]
    #[should_panic(expected = "Class values must be smaller than num_classes, but 3 >= 3")]
    fn classes_are_counted() {
        Tensor::from([3i64]).one_hot(3);
    }

    #[test]
    #[should_panic(expected = "Class values must be non-negative, but one is -1")]
    fn classes_are_not_negative() {
        Tensor::from([-1i64]).one_hot(3);
    }

    #[test]
    #[should_panic(expected = "Can not infer total number of classes from empty tensor")]
    fn nothing_has_no_classes() {
        Tensor::zeros(0, DType::I64).one_hot(None);
    }

    #[test]
    fn lines_broadcast() {
        let x = Tensor::arange(0, 12, 1).reshape([3, 4]);
        let column = Tensor::from([[0i64], [1], [2]]);
        assert_eq!(x.take_along_dim(&column, 1).to_vec::<i64>(), [0, 5, 10]);
        assert_eq!(x.take_along_dim(&Tensor::from([[0i64, 1]]), -1).to_vec::<i64>(), [0, 1, 4, 5, 8, 9]);
        assert_eq!(x.narrow(0, 0, 1).take_along_dim(&column, 1).to_vec::<i64>(), [0, 1, 2]);
        assert_eq!(x.take_along_dim(&Tensor::from([[0i64], [5]]), None).to_vec::<i64>(), [0, 5]);
        let call = |x: &[Tensor]| x[0].take_along_dim(&Tensor::from([[0i64], [1], [0]]), 1).square();
        gradcheck(call, &[&spread(&[1, 2], -1.0, 1.0)]).unwrap();
        gradgradcheck(call, &[&spread(&[1, 2], -1.0, 1.0)]).unwrap();
    }

    #[test]
    #[should_panic(expected = "got 2 dimensions for input, and 1 dimensions for indices")]
    fn lines_have_all_dimensions() {
        Tensor::zeros([3, 4], DType::F32).take_along_dim(&Tensor::from([0i64]), 0);
    }

    #[test]
    #[should_panic(expected = "The size of tensor a (3) must match the size of tensor b (2)")]
    fn lines_must_broadcast() {
        Tensor::zeros([3, 4], DType::F32).take_along_dim(&Tensor::from([[0i64], [1]]), 1);
    }
}
