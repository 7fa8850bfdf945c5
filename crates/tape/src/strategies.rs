//! Random tensors for property tests, as strategies of the `proptest` crate (feature `proptest`).
//!
//! [`tensor()`] and [`broadcastable_pair()`] are what most properties need:
//!
//! ```
//! use proptest::prelude::*;
//! use tape::strategies::{broadcastable_pair, tensor};
//! use tape::{Tensor, gradcheck};
//!
//! proptest! {
//!     # #![proptest_config(ProptestConfig::with_cases(8))]
//!     # /*
//!     #[test]
//!     # */
//!     fn softsign_has_the_right_gradient(x in tensor().dims(0..=2).values(-3.0..3.0).away_from(0.0, 1e-3)) {
//!         prop_assert!(gradcheck(|v| &v[0] / (v[0].abs() + 1.0), &[&x]).is_ok());
//!     }
//!
//!     # /*
//!     #[test]
//!     # */
//!     fn sums_commute((a, b) in broadcastable_pair().values(-1.0..1.0)) {
//!         prop_assert_eq!((&a + &b).to_vec::<f64>(), (&b + &a).to_vec::<f64>());
//!     }
//! }
//! # softsign_has_the_right_gradient();
//! # sums_commute();
//! ```
//!
//! A failing case is shrunk: fewer dimensions, smaller sizes, simpler values.

#![allow(clippy::test_attr_in_doctest, reason = "the example calls the tests it declares")]

/// The options that say what the elements are, for strategies with `values` and `dtype`.
macro_rules! value_options {
    () => {
        /// Values uniform in a range. Integer dtypes round them down.
        pub fn values(mut self, range: std::ops::Range<f64>) -> Self {
            self.values.uniform(range);
            self
        }

        /// Values of both signs whose magnitudes are spread evenly over the powers of ten in `exponents`: the
        /// input of a function that claims to be careful with rounding and overflow.
        pub fn ill_scaled(mut self, exponents: RangeInclusive<i32>) -> Self {
            self.values.ill_scaled(exponents);
            self
        }

        /// Keeps values at least `margin` away from `kink`, where the function has no derivative. Can be given
        /// several times.
        pub fn away_from(mut self, kink: f64, margin: f64) -> Self {
            self.values.away_from(kink, margin);
            self
        }

        /// The dtype; `F64` if not given. Boolean tensors are true where the value is positive.
        pub fn dtype(mut self, dtype: DType) -> Self {
            self.dtype = dtype;
            self
        }
    };
}

/// Implements `Strategy` by what `build` makes of the options.
macro_rules! strategy {
    ($type:ty => $value:ty) => {
        impl Strategy for $type {
            type Tree = <BoxedStrategy<$value> as Strategy>::Tree;
            type Value = $value;

            fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
                self.build().new_tree(runner)
            }
        }
    };
}

mod pair;
mod positive_definite;
mod values;

pub use pair::{BroadcastablePair, MatmulPair, broadcastable_pair, matmul_pair};
pub use positive_definite::{PositiveDefinite, positive_definite};

use crate::{DType, Tensor};
use proptest::prelude::*;
use proptest::strategy::NewTree;
use proptest::test_runner::TestRunner;
use std::ops::RangeInclusive;
use values::Values;

/// Shapes with a number of dimensions from `dims`, each of a size from `sizes`.
///
/// ```
/// use proptest::prelude::*;
/// use tape::strategies::shape;
/// proptest!(|(shape in shape(1..=3, 2..=4))| {
///     prop_assert!((1..=3).contains(&shape.len()));
/// });
/// ```
pub fn shape(dims: RangeInclusive<usize>, sizes: RangeInclusive<usize>) -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(sizes, dims)
}

/// Tensors: 0 to 3 dimensions of sizes 1 to 4, `F64` values in -2..2, dense, unless told otherwise.
pub fn tensor() -> TensorStrategy {
    TensorStrategy {
        shape: ShapeChoice::Random { dims: 0..=3, sizes: 1..=4 },
        values: Values::default(),
        dtype: DType::F64,
        any_layout: false,
        requires_grad: false,
    }
}

/// A strategy for tensors, see [`tensor()`].
#[derive(Clone, Debug)]
#[must_use = "a strategy is used by `x in ...` of proptest!"]
pub struct TensorStrategy {
    shape: ShapeChoice,
    values: Values,
    dtype: DType,
    any_layout: bool,
    requires_grad: bool,
}

#[derive(Clone, Debug)]
enum ShapeChoice {
    Fixed(Vec<usize>),
    Random { dims: RangeInclusive<usize>, sizes: RangeInclusive<usize> },
}

impl TensorStrategy {
    /// The number of dimensions. `0..=0` gives scalars.
    pub fn dims(mut self, dims: RangeInclusive<usize>) -> Self {
        self.shape = ShapeChoice::Random { dims, sizes: self.shape.sizes() };
        self
    }

    /// The size of each dimension; a range from 0 gives empty tensors too.
    pub fn sizes(mut self, sizes: RangeInclusive<usize>) -> Self {
        self.shape = ShapeChoice::Random { dims: self.shape.dims(), sizes };
        self
    }

    /// One shape for all tensors.
    pub fn shape(mut self, shape: impl Into<crate::Shape>) -> Self {
        self.shape = ShapeChoice::Fixed(shape.into().to_vec());
        self
    }

    value_options!();

    /// Lets the elements lie in memory in any way: dense, transposed, with gaps, or behind an offset.
    pub fn non_contiguous(mut self) -> Self {
        self.any_layout = true;
        self
    }

    /// Makes the tensors leaves that require gradients.
    pub fn requires_grad(mut self) -> Self {
        self.requires_grad = true;
        self
    }

    fn build(&self) -> BoxedStrategy<Tensor> {
        let shapes = match &self.shape {
            ShapeChoice::Fixed(shape) => Just(shape.clone()).boxed(),
            ShapeChoice::Random { dims, sizes } => shape(dims.clone(), sizes.clone()).boxed(),
        };
        let TensorStrategy { values, dtype, any_layout, requires_grad, .. } = self.clone();
        let layouts = if any_layout { (0..Layouts::COUNT).boxed() } else { Just(Layouts::DENSE).boxed() };
        (shapes, layouts)
            .prop_flat_map(move |(shape, layout)| {
                let filled = values.vector(shape.iter().product());
                filled.prop_map(move |values| {
                    let tensor = Layouts::arrange(in_dtype(values, &shape, dtype), layout);
                    if requires_grad { tensor.requires_grad_(true) } else { tensor }
                })
            })
            .boxed()
    }
}

impl ShapeChoice {
    fn dims(&self) -> RangeInclusive<usize> {
        match self {
            ShapeChoice::Fixed(shape) => shape.len()..=shape.len(),
            ShapeChoice::Random { dims, .. } => dims.clone(),
        }
    }

    fn sizes(&self) -> RangeInclusive<usize> {
        match self {
            ShapeChoice::Fixed(_) => 1..=4,
            ShapeChoice::Random { sizes, .. } => sizes.clone(),
        }
    }
}

strategy!(TensorStrategy => Tensor);

fn in_dtype(values: Vec<f64>, shape: &[usize], dtype: DType) -> Tensor {
    match dtype {
        DType::Bool => Tensor::from_vec(values.iter().map(|&v| v > 0.0).collect::<Vec<bool>>(), shape),
        DType::I64 => Tensor::from_vec(values.iter().map(|v| v.floor() as i64).collect::<Vec<i64>>(), shape),
        _ => Tensor::from_vec(values, shape).to_dtype(dtype),
    }
}

/// The same elements elsewhere in memory.
struct Layouts;

impl Layouts {
    const DENSE: usize = 0;
    const COUNT: usize = 4;

    fn arrange(tensor: Tensor, layout: usize) -> Tensor {
        let dims = tensor.dim() as isize;
        match layout {
            Self::DENSE => tensor,
            // The first dimension runs fastest.
            1 => {
                let reversed: Vec<isize> = (0..dims).rev().collect();
                tensor.permute(&reversed[..]).contiguous().permute(&reversed[..])
            }
            2 => Tensor::stack(&[&tensor, &tensor.zeros_like()], -1).select(-1, 0),
            _ => Tensor::stack(&[&tensor.zeros_like(), &tensor], 0).select(0, 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::Config;

    /// What a strategy gives in 200 draws.
    fn draws(strategy: impl Strategy<Value = Tensor>) -> Vec<Tensor> {
        let mut runner = TestRunner::new(Config::default());
        (0..200).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
    }

    #[test]
    fn options_are_kept() {
        let strategy = tensor().dims(1..=2).sizes(0..=3).values(1.0..2.0).away_from(1.5, 0.1);
        let all = draws(strategy.clone());
        for x in &all {
            assert!((1..=2).contains(&x.dim()) && x.sizes().iter().all(|size| *size <= 3));
            assert!(x.to_vec::<f64>().iter().all(|v| (1.0..2.0).contains(v) && (v - 1.5).abs() >= 0.1 - 1e-12));
        }
        assert!(all.iter().any(|x| x.numel() == 0) && all.iter().any(|x| x.numel() > 4));
        let fixed = draws(tensor().shape([2, 3]).dtype(DType::F32).requires_grad());
        assert!(fixed.iter().all(|x| x.sizes() == [2, 3] && x.dtype() == DType::F32 && x.requires_grad()));
        assert!(draws(tensor().dtype(DType::I64)).iter().any(|x| x.to_vec::<i64>().contains(&-2)));
        assert!(draws(tensor().dtype(DType::Bool)).iter().any(|x| x.any().item() == 1.0));
    }

    #[test]
    fn ill_scaled_values_cover_their_powers_of_ten() {
        let values: Vec<f64> = draws(tensor().ill_scaled(-20..=20)).iter().flat_map(|x| x.to_vec::<f64>()).collect();
        assert!(values.iter().all(|v| (1e-20..1e21).contains(&v.abs())));
        for (test, name) in [(1e-15..1e-10, "small"), (1e10..1e15, "large")] {
            assert!(values.iter().any(|v| test.contains(&v.abs())), "no {name} value");
        }
        assert!(values.iter().any(|v| *v < 0.0) && values.iter().any(|v| *v > 0.0));
    }

    #[test]
    fn layouts_differ_and_elements_do_not() {
        let all = draws(tensor().dims(2..=2).sizes(2..=3).non_contiguous());
        assert!(all.iter().any(|x| !x.is_contiguous()) && all.iter().any(Tensor::is_contiguous));
        let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        for layout in 0..Layouts::COUNT {
            assert_eq!(Layouts::arrange(x.clone(), layout).to_vec::<f64>(), x.to_vec::<f64>());
        }
    }

    #[test]
    fn a_failure_shrinks_to_the_smallest_tensor() {
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
        let too_long = |x: Tensor| if x.numel() < 3 { Ok(()) } else { Err(TestCaseError::fail("long")) };
        let failure = runner.run(&tensor().dims(1..=1).sizes(0..=9), too_long).unwrap_err();
        let proptest::test_runner::TestError::Fail(_, smallest) = failure else { panic!("{failure}") };
        assert_eq!(smallest.sizes(), [3]);
    }
}
