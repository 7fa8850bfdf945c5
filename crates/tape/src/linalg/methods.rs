//! The functions that torch has as methods of tensors, under its names there.

use crate::{Error, Tensor};

impl Tensor {
    /// The Cholesky factor: lower triangular `L` with `L L^T = self`, or with `upper` its transpose. See
    /// [`linalg::cholesky`](crate::linalg::cholesky).
    ///
    /// ```
    /// # use tape::Tensor;
    /// let u = Tensor::from([[4.0, 2.0], [2.0, 10.0]]).cholesky(true)?;
    /// assert_eq!(u.to_vec::<f64>(), [2.0, 1.0, 0.0, 3.0]);
    /// # Ok::<(), tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a matrix is not positive definite.
    ///
    /// # Panics
    /// If the matrices are not square or the dtype is not floating point.
    #[track_caller]
    pub fn cholesky(&self, upper: bool) -> Result<Tensor, Error> {
        let l = super::cholesky(self)?;
        Ok(if upper { l.mt() } else { l })
    }

    /// The inverse of `A` from this Cholesky factor, `A = L L^T` or with `upper` `A = U^T U`. See
    /// [`linalg::cholesky_inverse`](crate::linalg::cholesky_inverse).
    ///
    /// # Panics
    /// If the matrices are not square or the dtype is not floating point.
    #[track_caller]
    pub fn cholesky_inverse(&self, upper: bool) -> Tensor {
        super::cholesky_inverse(&if upper { self.mt() } else { self.clone() })
    }

    /// The solution of `A X = self` for the `A` whose Cholesky factor is `l`. See
    /// [`linalg::cholesky_solve`](crate::linalg::cholesky_solve).
    ///
    /// # Panics
    /// If the shapes do not fit or the dtypes differ or are not floating point.
    #[track_caller]
    pub fn cholesky_solve(&self, l: &Tensor, upper: bool) -> Tensor {
        super::cholesky_solve(self, l, upper)
    }

    /// The inverse. See [`linalg::inv`](crate::linalg::inv).
    ///
    /// # Errors
    /// If a matrix is singular.
    ///
    /// # Panics
    /// If the matrices are not square or the dtype is not floating point.
    #[track_caller]
    pub fn inverse(&self) -> Result<Tensor, Error> {
        super::inv(self)
    }

    /// The pseudo-inverse. See [`linalg::pinv`](crate::linalg::pinv).
    ///
    /// # Errors
    /// If elements are not finite.
    ///
    /// # Panics
    /// If there are fewer than two dimensions or the dtype is not floating point.
    #[track_caller]
    pub fn pinverse(&self) -> Result<Tensor, Error> {
        super::pinv(self)
    }

    /// The determinant. See [`linalg::det`](crate::linalg::det).
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 2.0], [0.0, 3.0]]).det().item(), 3.0);
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square or the dtype is not floating point.
    #[track_caller]
    pub fn det(&self) -> Tensor {
        super::det(self)
    }

    /// The logarithm of the determinant. See [`linalg::logdet`](crate::linalg::logdet).
    ///
    /// # Panics
    /// If the matrices are not square or the dtype is not floating point.
    #[track_caller]
    pub fn logdet(&self) -> Tensor {
        super::logdet(self)
    }

    /// Sign and logarithm of the determinant. See [`linalg::slogdet`](crate::linalg::slogdet).
    ///
    /// # Panics
    /// If the matrices are not square or the dtype is not floating point.
    #[track_caller]
    pub fn slogdet(&self) -> (Tensor, Tensor) {
        super::slogdet(self)
    }

    /// The exponential of square matrices. See [`linalg::matrix_exp`](crate::linalg::matrix_exp).
    ///
    /// # Panics
    /// If the matrices are not square or the dtype is not floating point.
    #[track_caller]
    pub fn matrix_exp(&self) -> Tensor {
        super::matrix_exp(self)
    }

    /// `(Q, R)`. See [`linalg::qr`](crate::linalg::qr).
    ///
    /// # Panics
    /// If there are fewer than two dimensions or the dtype is not floating point.
    #[track_caller]
    pub fn qr(&self) -> (Tensor, Tensor) {
        super::qr(self)
    }

    /// `(U, S, V)` with `self = U diag(S) V^T`, reduced with `some`, else full. As in torch, this method returns `V`,
    /// while [`linalg::svd`](crate::linalg::svd) returns its transpose.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// let (u, s, v) = Tensor::ones([3, 2], DType::F64).svd(true)?;
    /// assert_eq!((u.sizes(), s.sizes(), v.sizes()), (&[3, 2][..], &[2][..], &[2, 2][..]));
    /// # Ok::<(), tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If elements are not finite.
    ///
    /// # Panics
    /// If there are fewer than two dimensions or the dtype is not floating point.
    #[track_caller]
    pub fn svd(&self, some: bool) -> Result<(Tensor, Tensor, Tensor), Error> {
        let (u, s, vh) = super::svd(self, !some)?;
        Ok((u, s, vh.mt()))
    }
}
