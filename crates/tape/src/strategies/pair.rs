//! Pairs of tensors that fit each other.

use super::values::Values;
use super::{in_dtype, shape};
use crate::{DType, Tensor};
use proptest::prelude::*;
use proptest::strategy::NewTree;
use proptest::test_runner::TestRunner;
use std::ops::RangeInclusive;

/// Pairs whose shapes broadcast: each one may lack leading dimensions or have size 1 where the other has
/// more. Up to 3 dimensions of sizes 1 to 4, `F64` values in -2..2, unless told otherwise.
///
/// ```
/// use proptest::prelude::*;
/// use tape::strategies::broadcastable_pair;
/// proptest!(|((a, b) in broadcastable_pair().values(0.5..2.0))| {
///     prop_assert!((&a / &b).numel() >= a.numel().max(b.numel()));
/// });
/// ```
pub fn broadcastable_pair() -> BroadcastablePair {
    BroadcastablePair { dims: 0..=3, sizes: 1..=4, values: Values::default(), dtype: DType::F64 }
}

/// A strategy for pairs, see [`broadcastable_pair()`].
#[derive(Clone, Debug)]
#[must_use = "a strategy is used by `x in ...` of proptest!"]
pub struct BroadcastablePair {
    dims: RangeInclusive<usize>,
    sizes: RangeInclusive<usize>,
    values: Values,
    dtype: DType,
}

impl BroadcastablePair {
    /// The number of dimensions of the result of broadcasting.
    pub fn dims(mut self, dims: RangeInclusive<usize>) -> Self {
        self.dims = dims;
        self
    }

    /// The sizes of the dimensions of the result.
    pub fn sizes(mut self, sizes: RangeInclusive<usize>) -> Self {
        self.sizes = sizes;
        self
    }

    value_options!();

    fn build(&self) -> BoxedStrategy<(Tensor, Tensor)> {
        let BroadcastablePair { dims, sizes, values, dtype } = self.clone();
        shape(dims, sizes)
            .prop_flat_map(|full| {
                let narrowed = proptest::collection::vec(any::<bool>(), full.len());
                let operand = (narrowed, 0..=full.len());
                (Just(full), operand.clone(), operand, any::<bool>())
            })
            .prop_flat_map(move |(full, a, b, only_first)| {
                // One operand of the two may be smaller than the result, so that it is never both.
                let (small, keep) = if only_first { (&a, &full) } else { (&b, &full) };
                let narrow = narrowed(&full, small);
                let (a, b) = if only_first { (narrow, keep.clone()) } else { (keep.clone(), narrow) };
                let filled = (values.vector(a.iter().product()), values.vector(b.iter().product()));
                filled.prop_map(move |(x, y)| (in_dtype(x, &a, dtype), in_dtype(y, &b, dtype)))
            })
            .boxed()
    }
}
strategy!(BroadcastablePair => (Tensor, Tensor));

/// `full` with size 1 in some dimensions and without some leading ones.
fn narrowed(full: &[usize], (ones, dropped): &(Vec<bool>, usize)) -> Vec<usize> {
    let sizes = full.iter().zip(ones).map(|(&size, &one)| if one { 1 } else { size });
    sizes.skip(*dropped).collect()
}

/// Pairs that `matmul` takes: `[.., m, k]` and `[.., k, n]` with a common batch dimension or none, or
/// vectors in their place.
///
/// ```
/// use proptest::prelude::*;
/// use tape::strategies::matmul_pair;
/// proptest!(|((a, b) in matmul_pair())| {
///     a.matmul(&b);
/// });
/// ```
pub fn matmul_pair() -> MatmulPair {
    MatmulPair { sizes: 1..=4, values: Values::default(), dtype: DType::F64 }
}

/// A strategy for pairs, see [`matmul_pair()`].
#[derive(Clone, Debug)]
#[must_use = "a strategy is used by `x in ...` of proptest!"]
pub struct MatmulPair {
    sizes: RangeInclusive<usize>,
    values: Values,
    dtype: DType,
}

impl MatmulPair {
    /// The sizes of all dimensions.
    pub fn sizes(mut self, sizes: RangeInclusive<usize>) -> Self {
        self.sizes = sizes;
        self
    }

    value_options!();

    fn build(&self) -> BoxedStrategy<(Tensor, Tensor)> {
        let MatmulPair { sizes, values, dtype } = self.clone();
        let [m, k, n, batch] = std::array::from_fn(|_| sizes.clone());
        (m, k, n, batch, 0..5usize)
            .prop_flat_map(move |(m, k, n, batch, kind)| {
                let (a, b) = match kind {
                    0 => (vec![k], vec![k]),
                    1 => (vec![m, k], vec![k]),
                    2 => (vec![batch, m, k], vec![k, n]),
                    3 => (vec![batch, m, k], vec![batch, k, n]),
                    _ => (vec![m, k], vec![k, n]),
                };
                let filled = (values.vector(a.iter().product()), values.vector(b.iter().product()));
                filled.prop_map(move |(x, y)| (in_dtype(x, &a, dtype), in_dtype(y, &b, dtype)))
            })
            .boxed()
    }
}
strategy!(MatmulPair => (Tensor, Tensor));

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::Config;

    #[test]
    fn pairs_broadcast_in_every_way() {
        let mut runner = TestRunner::new(Config::default());
        let mut seen = [false; 4];
        for _ in 0..300 {
            let (a, b) = broadcastable_pair().new_tree(&mut runner).unwrap().current();
            let sum = &a + &b;
            seen[0] |= a.sizes() == b.sizes();
            seen[1] |= a.dim() < b.dim();
            seen[2] |= b.dim() < a.dim();
            seen[3] |= a.dim() == b.dim() && sum.numel() > a.numel();
        }
        assert_eq!(seen, [true; 4]);
    }

    #[test]
    fn factors_fit_and_vectors_occur() {
        let mut runner = TestRunner::new(Config::default());
        let pairs: Vec<(Tensor, Tensor)> =
            (0..100).map(|_| matmul_pair().new_tree(&mut runner).unwrap().current()).collect();
        let shapes: Vec<usize> = pairs.iter().map(|(a, b)| a.matmul(b).dim()).collect();
        assert!((0..=3).all(|dims| shapes.contains(&dims)));
    }
}
