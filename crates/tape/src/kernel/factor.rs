//! Factorisations of dense row-major matrices, in place: Cholesky and LU with partial pivoting for `f32` and
//! `f64`; QR, symmetric eigenvalues and singular values in `f64` alone, to which `f32` is converted.
//!
//! Cholesky, LU and triangular systems are recursive: halves of the matrix down to a base case, with a matrix
//! product between them that does nearly all the work. Elmroth, Gustavson, Jonsson, Kågström, "Recursive blocked
//! algorithms and hybrid data structures for dense matrix library software", SIAM Review 46 (2004).

pub(crate) mod cholesky;
pub(crate) mod eigen;
pub(crate) mod lu;
pub(crate) mod qr;
mod reflect;
pub(crate) mod svd;
pub(crate) mod triangular;

use super::parallel::{allowed, on_own_threads};
use crate::{Float, vector};
use gemm::{Parallelism, gemm};

/// Multiplications of a product from which a second thread wins over its wake-up.
const PARALLEL: usize = 1 << 18;

/// A strided matrix to read: `data[0]` is its first element.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a, T> {
    pub data: &'a [T],
    /// Distance between rows and between columns.
    pub strides: [usize; 2],
}

impl<'a, T: Float> Block<'a, T> {
    /// A matrix of dense rows.
    pub fn rows(data: &'a [T], stride: usize) -> Self {
        Block { data, strides: [stride, 1] }
    }

    #[inline(always)]
    pub fn at(&self, i: usize, j: usize) -> T {
        self.data[i * self.strides[0] + j * self.strides[1]]
    }

    /// The part from row `i` and column `j` on.
    pub fn from(self, i: usize, j: usize) -> Self {
        Block { data: &self.data[i * self.strides[0] + j * self.strides[1]..], ..self }
    }

    pub fn transposed(self) -> Self {
        Block { data: self.data, strides: [self.strides[1], self.strides[0]] }
    }

    /// Whether all `rows x columns` elements lie within the data.
    fn holds(&self, rows: usize, columns: usize) -> bool {
        (rows - 1) * self.strides[0] + (columns - 1) * self.strides[1] < self.data.len()
    }
}

/// `c -= a[m, k] @ b[k, n]` for a `c` of dense rows at distance `stride`.
///
/// # Panics
/// If a matrix reaches beyond its data.
fn subtract_product<T: Float>(
    c: &mut [T],
    stride: usize,
    [m, k, n]: [usize; 3],
    a: Block<'_, T>,
    b: Block<'_, T>,
    parallel: bool,
) {
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    assert!(a.holds(m, k) && b.holds(k, n), "subtract_product: an operand of {m} x {k} x {n} is too short");
    assert!(n <= stride.max(1) && (m - 1) * stride + n <= c.len(), "subtract_product: {m} x {n} exceed the output");
    if n == 1 && b.strides[0] == 1 {
        return subtract_matrix_vector(c, stride, [m, k], a, &b.data[..k]);
    }
    let parallel = parallel && m * k * n >= PARALLEL && allowed();
    let run = |c: &mut [T], parallelism: Parallelism| {
        // SAFETY: the assertions above keep every element of the three matrices within its slice, and the
        // exclusive borrow of `c` keeps it apart from the others; `T` is f32 or f64, which gemm supports.
        unsafe {
            gemm(
                m,
                n,
                k,
                c.as_mut_ptr(),
                1,
                stride as isize,
                true,
                a.data.as_ptr(),
                a.strides[1] as isize,
                a.strides[0] as isize,
                b.data.as_ptr(),
                b.strides[1] as isize,
                b.strides[0] as isize,
                T::ONE,
                -T::ONE,
                false,
                false,
                false,
                parallelism,
            );
        }
    };
    if parallel { on_own_threads(|| run(c, Parallelism::Rayon(0))) } else { run(c, Parallelism::None) }
}

/// `c -= a @ x` for one column, which is not worth packing for `gemm`.
fn subtract_matrix_vector<T: Float>(c: &mut [T], stride: usize, [m, k]: [usize; 2], a: Block<'_, T>, x: &[T]) {
    if a.strides[1] == 1 {
        for i in 0..m {
            let dot = vector::dot(&a.data[i * a.strides[0]..][..k], x);
            c[i * stride] = c[i * stride] - dot;
        }
    } else if a.strides[0] == 1 && stride == 1 {
        for (j, &x) in x.iter().enumerate() {
            vector::axpy(-x, &a.data[j * a.strides[1]..][..m], &mut c[..m]);
        }
    } else {
        for i in 0..m {
            for (j, &x) in x.iter().enumerate() {
                c[i * stride] = (-a.at(i, j)).mul_add(x, c[i * stride]);
            }
        }
    }
}

/// Where to cut a problem of `n > base` rows: near the middle, at a multiple of the base case.
fn half(n: usize, base: usize) -> usize {
    (n / 2).next_multiple_of(base)
}

/// Columns `from..to` of rows at distance `stride`, next to each other.
fn copy_columns<T: Float>(rows: &[T], stride: usize, from: usize, to: usize) -> Vec<T> {
    rows.chunks(stride).flat_map(|row| &row[from..to]).copied().collect()
}

#[cfg(test)]
mod tests;
