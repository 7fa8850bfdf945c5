//! Operations on the bits of integers and booleans.

use super::function::integers_of;
use crate::op::promoted;
use crate::{DType, Tensor};

/// `function` of two tensors of integers or booleans; a common dtype of `bool` gives truth values.
#[track_caller]
fn bitwise(op: &str, a: &Tensor, b: &Tensor, function: fn(i64, i64) -> i64) -> Tensor {
    let (a, b) = promoted(a, b);
    let dtype = a.dtype();
    if dtype.is_floating_point() {
        panic!("{op}: not implemented for dtype {dtype}; convert with long() or bool() first");
    }
    integers_of(op, &a.long(), &b.long(), function).to_dtype(dtype)
}

impl Tensor {
    /// The bits that both elements have, under broadcasting; of booleans, whether both are true.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([12i64, -1]).bitwise_and(&Tensor::from(10i64)).to_vec::<i64>(), [8, 10]);
    /// ```
    ///
    /// # Panics
    /// If a dtype is floating point or the shapes do not broadcast.
    #[track_caller]
    pub fn bitwise_and(&self, other: &Tensor) -> Tensor {
        bitwise("bitwise_and", self, other, |a, b| a & b)
    }

    /// The bits that either element has, under broadcasting; of booleans, whether either is true.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([12i64, -1]).bitwise_or(&Tensor::from(10i64)).to_vec::<i64>(), [14, -1]);
    /// ```
    ///
    /// # Panics
    /// If a dtype is floating point or the shapes do not broadcast.
    #[track_caller]
    pub fn bitwise_or(&self, other: &Tensor) -> Tensor {
        bitwise("bitwise_or", self, other, |a, b| a | b)
    }

    /// The bits that exactly one element has, under broadcasting; of booleans, whether they differ.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([12i64, -1]).bitwise_xor(&Tensor::from(10i64)).to_vec::<i64>(), [6, -11]);
    /// ```
    ///
    /// # Panics
    /// If a dtype is floating point or the shapes do not broadcast.
    #[track_caller]
    pub fn bitwise_xor(&self, other: &Tensor) -> Tensor {
        bitwise("bitwise_xor", self, other, |a, b| a ^ b)
    }

    /// Every bit inverted, `-x - 1`; of booleans, the negation.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0i64, 5]).bitwise_not().to_vec::<i64>(), [-1, -6]);
    /// assert_eq!(Tensor::from([true, false]).bitwise_not().to_vec::<bool>(), [false, true]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is floating point.
    #[track_caller]
    pub fn bitwise_not(&self) -> Tensor {
        match self.dtype() {
            DType::Bool => self.logical_not(),
            _ => bitwise("bitwise_not", self, &Tensor::from(-1i64), |a, b| a ^ b),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{DType, Tensor};

    #[test]
    fn bits_of_integers_and_truth_values() {
        let (a, b) = (Tensor::from([[0b1100i64], [-2]]), Tensor::from([0b1010i64, 1]));
        assert_eq!(a.bitwise_and(&b).to_vec::<i64>(), [8, 0, 10, 0]);
        assert_eq!(a.bitwise_or(&b).to_vec::<i64>(), [14, 13, -2, -1]);
        assert_eq!(a.bitwise_xor(&b).to_vec::<i64>(), [6, 13, -12, -1]);
        let (p, q) = (Tensor::from([true, true, false, false]), Tensor::from([true, false, true, false]));
        assert_eq!(p.bitwise_and(&q).to_vec::<bool>(), [true, false, false, false]);
        assert_eq!(p.bitwise_or(&q).to_vec::<bool>(), [true, true, true, false]);
        assert_eq!(p.bitwise_xor(&q).to_vec::<bool>(), [false, true, true, false]);
        assert_eq!(Tensor::from([i64::MAX, i64::MIN]).bitwise_not().to_vec::<i64>(), [i64::MIN, i64::MAX]);
    }

    #[test]
    fn truth_values_beside_integers_are_zero_and_one() {
        let mixed = Tensor::from([true, false]).bitwise_and(&Tensor::from([5i64, 5]));
        assert_eq!((mixed.dtype(), mixed.to_vec::<i64>()), (DType::I64, vec![1, 0]));
    }

    #[test]
    fn nothing_has_no_bits() {
        let none = Tensor::zeros([0, 2], DType::I64);
        assert_eq!(none.bitwise_or(&Tensor::from([1i64, 2])).sizes(), [0, 2]);
        assert_eq!(none.bitwise_not().sizes(), [0, 2]);
    }

    #[test]
    #[should_panic(expected = "bitwise_and: not implemented for dtype float64; convert with long() or bool() first")]
    fn floats_have_no_bits_to_offer() {
        Tensor::from([1.0]).bitwise_and(&Tensor::from([1i64]));
    }
}
