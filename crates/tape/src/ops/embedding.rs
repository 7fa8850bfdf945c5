//! Rows of a table, by number.

use crate::shape::Dims;
use crate::{DType, Tensor};

impl Tensor {
    /// The rows of `weight`, `[words, width]`, that `index` (`I64`, any shape) names: `[index.., width]`.
    /// Gradients of a row that is named several times add up.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let table = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    /// let words = Tensor::embedding(&Tensor::from([[2i64, 0]]), &table);
    /// assert_eq!((words.sizes(), words.to_vec::<f64>()), (&[1, 2, 2][..], vec![5.0, 6.0, 1.0, 2.0]));
    /// ```
    ///
    /// # Panics
    /// If the index is not `I64` or names a row that does not exist, or the weight is not a matrix.
    #[track_caller]
    pub fn embedding(index: &Tensor, weight: &Tensor) -> Tensor {
        if weight.dim() != 2 {
            panic!("embedding: 'weight' must be 2-D, [words, width], but its shape is {:?}", weight.sizes());
        }
        if index.dtype() != DType::I64 {
            panic!(
                "embedding: Expected tensor for argument #1 'indices' to have scalar type Long, but got {}; convert it \
                 with long()",
                index.dtype()
            );
        }
        let shape: Dims = index.sizes().iter().copied().chain([weight.sizes()[1]]).collect();
        weight.index_select(0, &index.reshape_to(&[index.numel()])).reshape_to(&shape)
    }
}

#[cfg(test)]
mod tests {
    use crate::op::spread;
    use crate::{Tensor, gradcheck, gradgradcheck};

    #[test]
    fn a_row_that_is_named_twice_gets_both_gradients() {
        let weight = spread(&[3, 2], -1.0, 1.0).requires_grad_(true);
        Tensor::embedding(&Tensor::from([[0i64, 2], [2, 2]]), &weight).sum().backward().unwrap();
        assert_eq!(weight.grad().unwrap().to_vec::<f64>(), [1.0, 1.0, 0.0, 0.0, 3.0, 3.0]);
        let one = Tensor::embedding(&Tensor::from(1i64), &weight);
        assert_eq!(one.sizes(), [2]);
        let table = [&spread(&[3, 2], -1.0, 1.0)];
        let call = |x: &[Tensor]| Tensor::embedding(&Tensor::from([[0i64, 2], [2, 2]]), &x[0]).pow(2.0);
        gradcheck(call, &table).unwrap();
        gradgradcheck(call, &table).unwrap();
    }

    #[test]
    #[should_panic(expected = "index out of range in self")]
    fn rows_that_do_not_exist_are_refused() {
        Tensor::embedding(&Tensor::from([3i64]), &spread(&[3, 2], -1.0, 1.0));
    }
}
