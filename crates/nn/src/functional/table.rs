//! Numbers that name rows.

use super::methods;
use tape::Tensor;

methods! {
    /// A one where each number says and zeros elsewhere, along a new last dimension: [`Tensor::one_hot`].
    ///
    /// ```
    /// use nn::functional::{embedding, one_hot};
    /// use tape::Tensor;
    ///
    /// let words = Tensor::from([2i64, 0]);
    /// assert_eq!(one_hot(&words, 3).to_vec::<i64>(), [0, 0, 1, 1, 0, 0]);
    /// let table = Tensor::from([[1.0], [2.0], [3.0]]);
    /// assert_eq!(embedding(&words, &table).to_vec::<f64>(), [3.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the input is not `I64`, or a number is negative or not below `num_classes`.
    fn one_hot(input, num_classes: impl Into<Option<usize>>) = one_hot;
}

/// The rows of `weight` that the numbers `input` name: [`Tensor::embedding`]; a row that stays as it is:
/// [`Embedding`](crate::Embedding).
///
/// # Panics
/// If the numbers are not `I64` or name a row that does not exist, or the weight is not a matrix.
#[track_caller]
pub fn embedding(input: &Tensor, weight: &Tensor) -> Tensor {
    Tensor::embedding(input, weight)
}
