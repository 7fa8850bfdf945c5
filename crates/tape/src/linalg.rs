//! Linear algebra, torch's `torch.linalg`.
//!
//! A matrix is the last two dimensions of a tensor of dtype `F32` or `F64`; the dimensions before are a batch,
//! and every function works on each matrix of it. All functions can be differentiated, to any order, and take
//! tensors of any layout and matrices without elements.
//!
//! What fails for certain values of the elements returns a [`Result`]: a singular system, a matrix without
//! Cholesky factor, singular values of what is not finite. The errors have torch's texts.
//!
//! ```
//! use tape::{Tensor, linalg};
//! // The negative logarithm of a normal density, and its derivative by the covariance.
//! let covariance = Tensor::from([[2.0, 0.5], [0.5, 1.0]]).requires_grad_(true);
//! let y = Tensor::from([[1.0], [-1.0]]);
//! let l = linalg::cholesky(&covariance)?;
//! let z = linalg::solve_triangular(&l, &y, false, true, false);
//! let loss = z.square().sum() * 0.5 + linalg::logdet(&covariance) * 0.5;
//! loss.backward()?;
//! assert!((loss.item() - 0.5 * (16.0 / 7.0 + 1.75f64.ln())).abs() < 1e-14);
//! # Ok::<(), tape::Error>(())
//! ```
//!
//! | function | result | derivative exists |
//! |---|---|---|
//! | [`cholesky`], [`cholesky_solve`], [`cholesky_inverse`] | `A = L L^T` and what follows from it | where `A` is positive definite |
//! | [`solve`], [`solve_triangular`], [`inv`], [`lstsq`], [`pinv`] | solutions of equations | where `A` keeps its rank |
//! | [`det`], [`slogdet`], [`logdet`] | determinants | everywhere; of the logarithms where `A` is regular |
//! | [`eigh`], [`eigvalsh`] | symmetric eigenvalues | of vectors where the values are distinct |
//! | [`svd`], [`svdvals`] | singular values | of vectors where the values are distinct |
//! | [`qr`] | `A = Q R` | where the leading columns are independent |
//! | [`matrix_exp`], [`matrix_power`] | functions of a matrix | everywhere |
//! | [`matrix_norm`], [`cond`], [`matrix_rank`] | sizes | as their singular values, or of `abs` |

pub(crate) mod cholesky;
pub(crate) mod determinant;
pub(crate) mod eigh;
pub(crate) mod exponential;
mod factors;
mod lstsq;
mod matrix;
mod methods;
mod norm;
pub(crate) mod pinv;
mod power;
pub(crate) mod qr;
pub(crate) mod solve;
pub(crate) mod svd;
pub(crate) mod triangular;

pub use cholesky::{cholesky, cholesky_inverse, cholesky_solve};
pub use determinant::{det, logdet, slogdet};
pub use eigh::{eigh, eigvalsh};
pub use exponential::matrix_exp;
pub use lstsq::lstsq;
pub use norm::{MatrixNorm, cond, matrix_norm, matrix_rank};
pub use pinv::pinv;
pub use power::matrix_power;
pub use qr::qr;
pub use solve::{inv, solve};
pub use svd::{svd, svdvals};
pub use triangular::solve_triangular;

#[cfg(test)]
mod tests;
