//! The 35 problems of Moré, Garbow and Hillstrom, "Testing Unconstrained Optimization Software", ACM
//! Transactions on Mathematical Software 7 (1981), section 3, under the numbers they have there.

mod few;
mod fits;
mod many;
pub mod reference;

use tape::Tensor;

/// A sum of squares to be minimised.
pub struct Problem {
    pub number: u64,
    pub name: &'static str,
    /// The standard start.
    pub start: Vec<f64>,
    /// The functions whose squares are summed, as one vector.
    pub residuals: fn(&Tensor) -> Tensor,
    /// Values at minima, as printed in the paper: zero, or the first six digits.
    pub minima: &'static [f64],
    /// Where the paper says the loss has the first of `minima`.
    pub minimizer: Option<Vec<f64>>,
}

impl Problem {
    /// The loss as a tensor without dimensions.
    pub fn loss(&self, x: &Tensor) -> Tensor {
        (self.residuals)(x).square().sum()
    }

    /// How many variables there are.
    pub fn n(&self) -> usize {
        self.start.len()
    }

    /// Name and number of variables.
    pub fn title(&self) -> String {
        format!("{} {} n={}", self.number, self.name, self.n())
    }
}

/// Every problem; those of variable size at the sizes for which the paper gives a minimum that is not zero,
/// or at one usual size.
pub fn problems() -> Vec<Problem> {
    few::problems().into_iter().chain(fits::problems()).chain(many::problems()).collect()
}

/// The elements of a vector of `N`.
fn unknowns<const N: usize>(x: &Tensor) -> [Tensor; N] {
    x.unbind(0).try_into().expect("as many unknowns as the problem has")
}

/// Scalars as a vector.
fn vector<const N: usize>(residuals: [Tensor; N]) -> Tensor {
    Tensor::stack(residuals.to_vec(), 0)
}

/// `scale * first, scale * (first + 1), ..`, `count` numbers. A product rounds once, so that no number depends on
/// those before it.
fn steps(first: usize, count: usize, scale: f64) -> Tensor {
    Tensor::from((first..first + count).map(|i| i as f64 * scale).collect::<Vec<_>>())
}

/// `1 / divisor, 2 / divisor, ..`, `count` numbers.
fn fractions(count: usize, divisor: f64) -> Tensor {
    Tensor::from((1..=count).map(|i| i as f64 / divisor).collect::<Vec<_>>())
}

/// A matrix from its elements by row and column, counted from 1 as in the paper.
fn matrix(rows: usize, columns: usize, element: impl Fn(usize, usize) -> f64) -> Tensor {
    let elements = (1..=rows).flat_map(|i| (1..=columns).map(move |j| (i, j))).map(|(i, j)| element(i, j));
    Tensor::from_vec(elements.collect(), [rows, columns])
}

/// `matrix x` with every sum taken in one fixed order.
fn product(matrix: &Tensor, x: &Tensor) -> Tensor {
    (matrix * x).sum_dim(1, false)
}
