//! LU factors, computed once for a value and its derivatives.

use super::matrix::{batch_of, elements, matrices_of, tensor};
use super::triangular::{expanded_copy, for_matrices};
use crate::dtype::dispatch_float;
use crate::kernel::copy::to_dense;
use crate::kernel::factor::lu::{Pivots, factor, solve_factored};
use crate::shape::Dims;
use crate::storage::build;
use crate::{DType, Float, Tensor};
use std::sync::Mutex;

/// The factors `P A = L U` of every matrix of a batch.
pub(crate) struct Factors {
    /// `L` below the diagonal and `U` above, dense.
    lu: Tensor,
    pivots: Vec<Pivots>,
}

impl Factors {
    pub fn of(a: &Tensor) -> Factors {
        let n = a.size(-1);
        let count: usize = batch_of(a).iter().product();
        let pivots: Vec<Mutex<Option<Pivots>>> = (0..count).map(|_| Mutex::new(None)).collect();
        let buffer = dispatch_float!("linalg", a.dtype(), T => build::<T>(a.numel(), |out| {
            a.with(|a| to_dense(a, out));
            for_matrices(out, n * n, n * n * n * 2 / 3, &|index, matrix, parallel| {
                let found = factor(matrix, n, parallel);
                *pivots[index].lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(found);
            });
        }));
        let empty = || Pivots { rows: Vec::new(), odd: false, zero: None };
        let found = |pivots: Mutex<Option<Pivots>>| {
            pivots.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).unwrap_or_else(empty)
        };
        Factors {
            lu: Tensor::from_buffer(buffer, a.layout().shape.clone()),
            pivots: pivots.into_iter().map(found).collect(),
        }
    }

    /// The first singular matrix and the position of the zero on the diagonal of its `U`, counted from one.
    pub fn singular(&self) -> Option<(usize, usize)> {
        self.pivots.iter().enumerate().find_map(|(index, pivots)| Some((index, pivots.zero?)))
    }

    /// Whether some matrix is singular or nearly so, as far as the diagonal of `U` shows it.
    pub fn nearly_singular(&self) -> bool {
        let n = self.lu.size(-1);
        elements(&self.lu.diagonal(0, -2, -1)).chunks(n.max(1)).any(|diagonal| {
            let smallest = diagonal.iter().fold(f64::INFINITY, |min, x| min.min(x.abs()));
            let largest = diagonal.iter().fold(0.0, |max: f64, x| max.max(x.abs()));
            smallest <= largest * self.lu.dtype().eps().unwrap_or(f64::EPSILON).sqrt()
        })
    }

    /// Signs of the determinants and the diagonals of `U`, whose product they belong to.
    pub fn diagonals(&self) -> (Tensor, Tensor) {
        let sign = |pivots: &Pivots| if pivots.odd { -1.0 } else { 1.0 };
        let signs: Vec<f64> = self.pivots.iter().map(sign).collect();
        (tensor(&signs, batch_of(&self.lu), self.lu.dtype()), self.lu.diagonal(0, -2, -1))
    }

    /// The solution of `A X = B` or `A^T X = B`, without history; batches broadcast to `batch`.
    pub fn solve(&self, b: &Tensor, transposed: bool, batch: &Dims) -> Tensor {
        dispatch_float!("linalg.solve", b.dtype(), T => self.solve_in::<T>(b, transposed, batch))
    }

    fn solve_in<T: Float>(&self, b: &Tensor, transposed: bool, batch: &Dims) -> Tensor {
        let out = expanded_copy::<T>(b, batch);
        if out.numel() == 0 {
            return out;
        }
        let (n, columns) = (self.lu.size(-1), b.size(-1));
        let matrices = matrices_of(batch_of(&self.lu), batch);
        out.write_with::<T, T>(&self.lu, |out, lu| {
            for_matrices(&mut out.data[..], n * columns, n * n * columns, &|index, b, parallel| {
                let matrix = matrices[index];
                let lu = &lu.data[matrix * n * n..][..n * n];
                solve_factored(lu, &self.pivots[matrix], transposed, b, columns, parallel);
            });
        });
        out
    }

    pub fn dtype(&self) -> DType {
        self.lu.dtype()
    }
}
