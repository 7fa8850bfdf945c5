//! The operations of [`crate::linalg`], where their files are.

pub(crate) use crate::linalg::cholesky::Cholesky;
pub(crate) use crate::linalg::determinant::{Cofactor, Det, SlogDet};
pub(crate) use crate::linalg::eigh::Eigh;
pub(crate) use crate::linalg::exponential::MatrixExp;
pub(crate) use crate::linalg::pinv::Pinv;
pub(crate) use crate::linalg::qr::Qr;
pub(crate) use crate::linalg::solve::Solve;
pub(crate) use crate::linalg::svd::Svd;
pub(crate) use crate::linalg::triangular::SolveTriangular;
