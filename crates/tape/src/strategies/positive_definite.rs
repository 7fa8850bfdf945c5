//! Matrices that have a Cholesky factor.

use super::in_dtype;
use super::values::Values;
use crate::{DType, Tensor};
use proptest::prelude::*;
use proptest::strategy::NewTree;
use proptest::test_runner::TestRunner;
use std::ops::RangeInclusive;

/// Symmetric positive definite matrices `A A^T / n + I` of 1 to 4 rows, `F64`, unless told otherwise. The values
/// are those of the factor `A`; no eigenvalue is below 1.
///
/// ```
/// use proptest::prelude::*;
/// use tape::strategies::positive_definite;
/// proptest!(|(k in positive_definite().sizes(2..=3))| {
///     prop_assert!(k.allclose(&k.t(), 0.0, 0.0));
/// });
/// ```
pub fn positive_definite() -> PositiveDefinite {
    PositiveDefinite { sizes: 1..=4, values: Values::default(), dtype: DType::F64 }
}

/// A strategy for matrices, see [`positive_definite()`].
#[derive(Clone, Debug)]
#[must_use = "a strategy is used by `x in ...` of proptest!"]
pub struct PositiveDefinite {
    sizes: RangeInclusive<usize>,
    values: Values,
    dtype: DType,
}

impl PositiveDefinite {
    /// The number of rows.
    pub fn sizes(mut self, sizes: RangeInclusive<usize>) -> Self {
        self.sizes = sizes;
        self
    }

    value_options!();

    fn build(&self) -> BoxedStrategy<Tensor> {
        let PositiveDefinite { sizes, values, dtype } = self.clone();
        let matrix = move |n: usize| {
            values.vector(n * n).prop_map(move |values| {
                let factor = Tensor::from_vec(values, [n, n]);
                let product = factor.matmul(&factor.t()) / n.max(1) as f64 + Tensor::eye(n, DType::F64);
                // Rounding may tell the two halves apart.
                in_dtype(((&product + product.t()) * 0.5).to_vec(), &[n, n], dtype)
            })
        };
        sizes.prop_flat_map(matrix).boxed()
    }
}
strategy!(PositiveDefinite => Tensor);
