//! Products of `f32` and `f64` matrices: the `gemm` crate for matrices, own loops for vectors, for few terms
//! and for tiny matrices, where packing costs more than the product.

use super::{MatMul, Matrix, Product};
use crate::Float;
use crate::kernel::parallel::{for_chunks, on_own_threads};
use crate::kernel::simd::{Kernel, dispatch};
use crate::vector;
use gemm::{Parallelism, gemm};
use smallvec::SmallVec;

/// Up to this many terms per element, an own loop beats packing for `gemm`.
const FEW_TERMS: usize = 2;
/// Up to this many multiplications a product is tiny.
const TINY: usize = 512;
/// About as many terms are in one piece if the terms of a product are cut into pieces.
const PIECE: usize = 512;
/// Most pieces the terms are cut into.
const PIECES: usize = 16;
/// Most elements of an output whose terms are cut into pieces: larger ones have work for all threads.
const FEW_ELEMENTS: usize = 4096;
/// Multiplications of a product from which its terms are cut into pieces.
const LONG: usize = 1 << 19;
/// Elements of the output that one thread takes at a time in the loops of this file.
const GRAIN: usize = 2048;
/// Rows of the right operand that [`Columns`] adds in one pass over the output.
const ROWS: usize = 8;

macro_rules! float {
    ($type:ty) => {
        impl MatMul for $type {
            const NOTHING: Self = 0.0;

            fn product(product: Product<'_, Self>, out: &mut [Self]) {
                float_product(product, out);
            }
        }
    };
}
float!(f32);
float!(f64);

/// Chooses a kernel. Only sizes and strides may decide: the bits must not depend on the number of threads.
fn float_product<T: Float>(product: Product<'_, T>, out: &mut [T]) {
    let Product { m, k, n, a, b, .. } = product;
    let work = m * k * n;
    if m * n <= FEW_ELEMENTS && k >= 2 * PIECE && work >= LONG {
        cut_terms(product, out);
    } else if (k <= FEW_TERMS && n > 1) || work <= TINY {
        few_terms(product, out);
    } else if n == 1 && (a.col_stride == 1 || a.row_stride == 1) {
        matrix_vector(product, out);
    } else if m == 1 && (b.row_stride == 1 || b.col_stride == 1) {
        matrix_vector(Product { m: n, n: 1, a: b.transposed(), b: a.transposed(), ..product }, out);
    } else {
        general(&product, out, [n, 1]);
    }
}

/// Any product, into an output with the given strides.
fn general<T: Float>(product: &Product<'_, T>, out: &mut [T], [row_stride, col_stride]: [usize; 2]) {
    let &Product { m, k, n, a, b, accumulate, parallel } = product;
    debug_assert!(out.len() > (m - 1) * row_stride + (n - 1) * col_stride);
    let run = |out: &mut [T], parallelism: Parallelism| {
        // SAFETY: `matmul` checked that all `m x k` and `k x n` elements lie within the data of `a` and `b`;
        // `out` holds `m * n` elements and `row_stride`, `col_stride` are those of a dense matrix in either
        // order.
        unsafe {
            gemm(
                m,
                n,
                k,
                out.as_mut_ptr(),
                col_stride as isize,
                row_stride as isize,
                accumulate,
                a.data.as_ptr(),
                a.col_stride as isize,
                a.row_stride as isize,
                b.data.as_ptr(),
                b.col_stride as isize,
                b.row_stride as isize,
                T::ONE,
                T::ONE,
                false,
                false,
                false,
                parallelism,
            );
        }
    };
    if parallel { on_own_threads(|| run(out, Parallelism::Rayon(0))) } else { run(out, Parallelism::None) }
}

/// Few elements of many terms: partial products over pieces of the terms, added in a balanced tree.
fn cut_terms<T: Float>(product: Product<'_, T>, out: &mut [T]) {
    let Product { m, k, n, a, b, accumulate, parallel } = product;
    // A power of two, for even work on the usual numbers of threads.
    let pieces = (k / PIECE).next_power_of_two().min(PIECES);
    // The longer side of a partial product is the dense one: it fills the vector registers.
    let strides = if m > n { [1, m] } else { [n, 1] };
    let mut partial = vec![T::ZERO; pieces * m * n];
    let compute = |piece: usize, out: &mut [T]| {
        let (from, to) = (k * piece / pieces, k * (piece + 1) / pieces);
        let a = Matrix { data: &a.data[from * a.col_stride..], ..a };
        let b = Matrix { data: &b.data[from * b.row_stride..], ..b };
        let part = Product { m, k: to - from, n, a, b, accumulate: false, parallel: false };
        if m == 1 || n == 1 {
            float_product(part, out);
        } else {
            general(&part, out, strides);
        }
    };
    if parallel {
        for_chunks(&mut partial, m * n, &|start, out| compute(start / (m * n), out));
    } else {
        partial.chunks_mut(m * n).enumerate().for_each(|(piece, out)| compute(piece, out));
    }
    let mut left = pieces;
    while left > 1 {
        let half = left.div_ceil(2);
        let (low, high) = partial.split_at_mut(half * m * n);
        vector::axpy(T::ONE, &high[..(left - half) * m * n], &mut low[..(left - half) * m * n]);
        left = half;
    }
    for (i, row) in out.chunks_exact_mut(n).enumerate() {
        for (j, out) in row.iter_mut().enumerate() {
            let sum = partial[i * strides[0] + j * strides[1]];
            *out = if accumulate { *out + sum } else { sum };
        }
    }
}

/// Copies a strided vector.
fn gather<T: Float>(data: &[T], len: usize, stride: usize) -> SmallVec<[T; 16]> {
    (0..len).map(|i| data[i * stride]).collect()
}

/// Few terms per element, or a tiny product: every row of the output is updated term by term.
fn few_terms<T: Float>(product: Product<'_, T>, out: &mut [T]) {
    let Product { k, n, a, b, accumulate, parallel, .. } = product;
    let packed: SmallVec<[T; 64]>;
    let b = if b.col_stride == 1 {
        b
    } else {
        packed = (0..k * n).map(|i| b.data[i / n * b.row_stride + i % n * b.col_stride]).collect();
        Matrix { data: &packed, row_stride: n, col_stride: 1 }
    };
    let rows = (GRAIN / n).max(1);
    let piece = |start: usize, out: &mut [T]| {
        let a = Matrix { data: &a.data[start / n * a.row_stride..], ..a };
        dispatch(Rows { k, n, a, b, accumulate, out });
    };
    if parallel {
        for_chunks(out, rows * n, &piece);
    } else {
        piece(0, out);
    }
}

/// `out[i, :] (+)= sum_l a[i, l] * b[l, :]`, the rows of `b` dense.
struct Rows<'a, T> {
    k: usize,
    n: usize,
    a: Matrix<'a, T>,
    b: Matrix<'a, T>,
    accumulate: bool,
    out: &'a mut [T],
}

impl<T: Float> Kernel for Rows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Rows { k, n, a, b, accumulate, out } = self;
        for (i, out) in out.chunks_exact_mut(n).enumerate() {
            let factor = |l: usize| a.data[i * a.row_stride + l * a.col_stride];
            let row = |l: usize| &b.data[l * b.row_stride..][..n];
            let mut done = 0;
            if !accumulate && k == 1 {
                for (out, &b) in out.iter_mut().zip(row(0)) {
                    *out = factor(0) * b;
                }
                done = 1;
            } else if !accumulate {
                for ((out, &b0), &b1) in out.iter_mut().zip(row(0)).zip(row(1)) {
                    *out = factor(1).mul_add(b1, factor(0) * b0);
                }
                done = 2;
            }
            for l in done..k {
                for (out, &b) in out.iter_mut().zip(row(l)) {
                    *out = factor(l).mul_add(b, *out);
                }
            }
        }
    }
}

/// `out = a @ x` for a matrix with dense rows or dense columns.
fn matrix_vector<T: Float>(product: Product<'_, T>, out: &mut [T]) {
    let Product { k, a, b, accumulate, parallel, .. } = product;
    let copy: SmallVec<[T; 16]>;
    let x = if b.row_stride == 1 {
        &b.data[..k]
    } else {
        copy = gather(b.data, k, b.row_stride);
        &copy
    };
    let dots = a.col_stride == 1;
    let per_piece = if dots { (4 * GRAIN / k).max(1) } else { GRAIN / 4 };
    let piece = |start: usize, out: &mut [T]| {
        let a = &a.data[start * product.a.row_stride..];
        if dots {
            dispatch(Dots { a, row_stride: product.a.row_stride, x, accumulate, out });
        } else {
            dispatch(Columns { a, col_stride: product.a.col_stride, x, accumulate, out });
        }
    };
    if parallel {
        for_chunks(out, per_piece, &piece);
    } else {
        out.chunks_mut(per_piece).enumerate().for_each(|(index, out)| piece(index * per_piece, out));
    }
}

/// `out[i] (+)= dot(a[i, :], x)`, the rows of `a` dense.
struct Dots<'a, T> {
    a: &'a [T],
    row_stride: usize,
    x: &'a [T],
    accumulate: bool,
    out: &'a mut [T],
}

impl<T: Float> Kernel for Dots<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let k = self.x.len();
        for (i, out) in self.out.iter_mut().enumerate() {
            let row = &self.a[i * self.row_stride..][..k];
            let dot = vector::dot_in_kernel(row, self.x);
            *out = if self.accumulate { *out + dot } else { dot };
        }
    }
}

/// `out (+)= sum_l a[:, l] * x[l]`, the columns of `a` dense, [`ROWS`] of them in one pass over the output.
struct Columns<'a, T> {
    a: &'a [T],
    col_stride: usize,
    x: &'a [T],
    accumulate: bool,
    out: &'a mut [T],
}

impl<T: Float> Kernel for Columns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Columns { a, col_stride, x, accumulate, out } = self;
        if !accumulate {
            out.fill(T::ZERO);
        }
        let m = out.len();
        let column = |l: usize| &a[l * col_stride..][..m];
        let (groups, rest) = x.as_chunks::<ROWS>();
        for (group, x) in groups.iter().enumerate() {
            let l = group * ROWS;
            let (c0, c1, c2, c3) = (column(l), column(l + 1), column(l + 2), column(l + 3));
            let (c4, c5, c6, c7) = (column(l + 4), column(l + 5), column(l + 6), column(l + 7));
            for i in 0..m {
                let sum01 = c1[i].mul_add(x[1], c0[i] * x[0]);
                let sum23 = c3[i].mul_add(x[3], c2[i] * x[2]);
                let sum45 = c5[i].mul_add(x[5], c4[i] * x[4]);
                let sum67 = c7[i].mul_add(x[7], c6[i] * x[6]);
                out[i] += (sum01 + sum23) + (sum45 + sum67);
            }
        }
        for (offset, &x) in rest.iter().enumerate() {
            for (out, &a) in out.iter_mut().zip(column(groups.len() * ROWS + offset)) {
                *out = a.mul_add(x, *out);
            }
        }
    }
}
