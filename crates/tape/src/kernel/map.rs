//! Elementwise loops over one, two or three operands.
//!
//! The function of an element is a type, not a closure: its `apply` is `#[inline(always)]`, so that the
//! loop around it vectorises at every instruction set.

use super::parallel::for_chunks;
use super::rows::Rows;
use super::simd::{Kernel, dispatch};
use super::{Strided, StridedMut};
use crate::Element;

/// Elements that one thread works through at a time when a large operation is split. Fixed, although
/// an elementwise result does not depend on it.
const CHUNK: usize = 1 << 14;
/// From how many elements on a second thread pays for waking it, for functions of a few instructions
/// (bound by memory) and of many.
const PARALLEL_CHEAP: usize = 1 << 18;
const PARALLEL_COSTLY: usize = 1 << 15;

/// `T -> U` on one element.
pub(crate) trait Unary<T, U = T>: Copy + Send + Sync {
    /// Whether the function takes tens of instructions.
    const COSTLY: bool = false;
    fn apply(self, x: T) -> U;
}

/// `(A, B) -> U` on one element each.
pub(crate) trait Binary<A, B = A, U = A>: Copy + Send + Sync {
    const COSTLY: bool = false;
    fn apply(self, a: A, b: B) -> U;
}

/// `(A, B, C) -> U` on one element each.
pub(crate) trait Ternary<A, B = A, C = A, U = A>: Copy + Send + Sync {
    fn apply(self, a: A, b: B, c: C) -> U;
}

fn parallel_from(costly: bool) -> usize {
    if costly { PARALLEL_COSTLY } else { PARALLEL_CHEAP }
}

/// `out[i] = f(x[i])`.
#[inline]
pub(crate) fn unary<T: Element, U: Element, F: Unary<T, U>>(x: Strided<'_, T>, out: &mut [U], f: F) {
    struct Loop<'a, T, U, F>(&'a [T], &'a mut [U], F);
    impl<T: Copy, U, F: Unary<T, U>> Kernel for Loop<'_, T, U, F> {
        type Output = ();
        #[inline(always)]
        fn run(self) {
            for (out, &x) in self.1.iter_mut().zip(self.0) {
                *out = self.2.apply(x);
            }
        }
    }
    let dense;
    let values = match x.as_slice() {
        Some(values) => values,
        None => {
            let mut gathered = vec![T::default(); out.len()];
            super::copy::to_dense(x, &mut gathered);
            dense = gathered;
            &dense
        }
    };
    if out.len() < parallel_from(F::COSTLY) {
        dispatch(Loop(values, out, f));
    } else {
        for_chunks(out, CHUNK, &|start, out| dispatch(Loop(&values[start..start + out.len()], out, f)));
    }
}

/// `x[i] = f(x[i])`.
#[inline]
pub(crate) fn unary_in_place<T: Element, F: Unary<T>>(x: &mut [T], f: F) {
    struct Loop<'a, T, F>(&'a mut [T], F);
    impl<T: Copy, F: Unary<T>> Kernel for Loop<'_, T, F> {
        type Output = ();
        #[inline(always)]
        fn run(self) {
            for x in self.0 {
                *x = self.1.apply(*x);
            }
        }
    }
    if x.len() < parallel_from(F::COSTLY) {
        dispatch(Loop(x, f));
    } else {
        for_chunks(x, CHUNK, &|_, x| dispatch(Loop(x, f)));
    }
}

/// `x[i] = f(x[i])` in any layout, row by row.
pub(crate) fn unary_in_place_strided<T: Element, F: Unary<T>>(x: StridedMut<'_, T>, f: F) {
    let rows = Rows::new(x.shape, [x.strides]);
    let [stride] = rows.strides;
    rows.for_each(|[start]| {
        if stride == 1 {
            return unary_in_place(&mut x.data[start..start + rows.len], f);
        }
        for x in x.data[start..].iter_mut().step_by(stride).take(rows.len) {
            *x = f.apply(*x);
        }
    });
}

/// `out[i] = f(a[i], b[i])` for slices of one length.
#[inline]
pub(crate) fn binary_slices<A: Element, B: Element, U: Element, F: Binary<A, B, U>>(
    a: &[A],
    b: &[B],
    out: &mut [U],
    f: F,
) {
    struct Loop<'a, A, B, U, F>(&'a [A], &'a [B], &'a mut [U], F);
    impl<A: Copy, B: Copy, U, F: Binary<A, B, U>> Kernel for Loop<'_, A, B, U, F> {
        type Output = ();
        #[inline(always)]
        fn run(self) {
            for ((out, &a), &b) in self.2.iter_mut().zip(self.0).zip(self.1) {
                *out = self.3.apply(a, b);
            }
        }
    }
    if out.len() < parallel_from(F::COSTLY) {
        dispatch(Loop(a, b, out, f));
    } else {
        for_chunks(out, CHUNK, &|start, out| {
            let range = start..start + out.len();
            dispatch(Loop(&a[range.clone()], &b[range], out, f));
        });
    }
}

/// `a[i] = f(a[i], b[i])` for slices of one length.
#[inline]
pub(crate) fn binary_in_place<A: Element, B: Element, F: Binary<A, B>>(a: &mut [A], b: &[B], f: F) {
    struct Loop<'a, A, B, F>(&'a mut [A], &'a [B], F);
    impl<A: Copy, B: Copy, F: Binary<A, B>> Kernel for Loop<'_, A, B, F> {
        type Output = ();
        #[inline(always)]
        fn run(self) {
            for (a, &b) in self.0.iter_mut().zip(self.1) {
                *a = self.2.apply(*a, b);
            }
        }
    }
    if a.len() < parallel_from(F::COSTLY) {
        dispatch(Loop(a, b, f));
    } else {
        for_chunks(a, CHUNK, &|start, a| dispatch(Loop(a, &b[start..start + a.len()], f)));
    }
}

/// `out[i] = f(a[i], b[i])` for operands of one (broadcast) shape.
pub(crate) fn binary<A: Element, B: Element, U: Element, F: Binary<A, B, U>>(
    a: Strided<'_, A>,
    b: Strided<'_, B>,
    out: &mut [U],
    f: F,
) {
    let rows = Rows::new(a.shape, [a.strides, b.strides]);
    if rows.len == 0 || out.is_empty() {
        return;
    }
    for_row_blocks(out, rows.len, F::COSTLY, &|first, out| {
        dispatch(RowLoop { a: a.data, b: b.data, out, rows: &rows, first, f });
    });
}

/// Splits a large output into blocks of whole rows and runs them on several threads; `work` gets the
/// number of its first row.
fn for_row_blocks<U: Send>(out: &mut [U], row: usize, costly: bool, work: &(dyn Fn(usize, &mut [U]) + Sync)) {
    if out.len() < parallel_from(costly) || out.len() == row {
        return work(0, out);
    }
    let rows_per_block = (CHUNK / row).max(1);
    for_chunks(out, rows_per_block * row, &|start, out| work(start / row, out));
}

struct RowLoop<'a, A, B, U, F> {
    a: &'a [A],
    b: &'a [B],
    out: &'a mut [U],
    rows: &'a Rows<2>,
    /// Row of the first element of `out`.
    first: usize,
    f: F,
}

impl<A: Copy, B: Copy, U, F: Binary<A, B, U>> Kernel for RowLoop<'_, A, B, U, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let RowLoop { a, b, out, rows, first, f } = self;
        let len = rows.len;
        let mut cursor = rows.cursor(first..first + out.len() / len);
        for out in out.chunks_exact_mut(len) {
            let Some([i, j]) = cursor.next() else { return };
            match rows.strides {
                [1, 1] => {
                    for ((out, &a), &b) in out.iter_mut().zip(&a[i..i + len]).zip(&b[j..j + len]) {
                        *out = f.apply(a, b);
                    }
                }
                [1, 0] => {
                    let b = b[j];
                    for (out, &a) in out.iter_mut().zip(&a[i..i + len]) {
                        *out = f.apply(a, b);
                    }
                }
                [0, 1] => {
                    let a = a[i];
                    for (out, &b) in out.iter_mut().zip(&b[j..j + len]) {
                        *out = f.apply(a, b);
                    }
                }
                [da, db] => {
                    for (k, out) in out.iter_mut().enumerate() {
                        *out = f.apply(a[i + k * da], b[j + k * db]);
                    }
                }
            }
        }
    }
}

/// `out[i] = f(a[i], b[i], c[i])` for operands of one (broadcast) shape.
pub(crate) fn ternary<A: Element, B: Element, C: Element, U: Element, F: Ternary<A, B, C, U>>(
    a: Strided<'_, A>,
    b: Strided<'_, B>,
    c: Strided<'_, C>,
    out: &mut [U],
    f: F,
) {
    let rows = Rows::new(a.shape, [a.strides, b.strides, c.strides]);
    if rows.len == 0 || out.is_empty() {
        return;
    }
    let operands = (a.data, b.data, c.data);
    for_row_blocks(out, rows.len, false, &|first, out| {
        dispatch(TernaryLoop { operands, out, rows: &rows, first, f });
    });
}

struct TernaryLoop<'a, A, B, C, U, F> {
    operands: (&'a [A], &'a [B], &'a [C]),
    out: &'a mut [U],
    rows: &'a Rows<3>,
    first: usize,
    f: F,
}

impl<A: Copy, B: Copy, C: Copy, U, F: Ternary<A, B, C, U>> Kernel for TernaryLoop<'_, A, B, C, U, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let TernaryLoop { operands: (a, b, c), out, rows, first, f } = self;
        let len = rows.len;
        let mut cursor = rows.cursor(first..first + out.len() / len);
        for out in out.chunks_exact_mut(len) {
            let Some([i, j, k]) = cursor.next() else { return };
            if rows.strides == [1, 1, 1] {
                let operands = a[i..i + len].iter().zip(&b[j..j + len]).zip(&c[k..k + len]);
                for (out, ((&a, &b), &c)) in out.iter_mut().zip(operands) {
                    *out = f.apply(a, b, c);
                }
            } else {
                let [da, db, dc] = rows.strides;
                for (n, out) in out.iter_mut().enumerate() {
                    *out = f.apply(a[i + n * da], b[j + n * db], c[k + n * dc]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    struct Sub;
    impl Binary<f64> for Sub {
        #[inline(always)]
        fn apply(self, a: f64, b: f64) -> f64 {
            a - b
        }
    }

    #[test]
    fn broadcast_operands_match_a_naive_loop_at_every_size() {
        let data: Vec<f64> = (0..1 << 19).map(|i| f64::from(i).sin()).collect();
        for (shape, a, b) in [
            ([3usize, 5], [5usize, 1], [0usize, 1]),
            ([3, 5], [1, 0], [5, 1]),
            ([700, 600], [600, 1], [0, 1]),
            ([600, 700], [1, 600], [1, 0]),
            ([2, 300_000], [0, 0], [0, 1]),
        ] {
            let mut out = vec![0.0; shape[0] * shape[1]];
            binary(
                Strided { data: &data, shape: &shape, strides: &a },
                Strided { data: &data, shape: &shape, strides: &b },
                &mut out,
                Sub,
            );
            for i in 0..shape[0] {
                for j in 0..shape[1] {
                    let expected = data[i * a[0] + j * a[1]] - data[i * b[0] + j * b[1]];
                    assert_eq!(out[i * shape[1] + j], expected);
                }
            }
        }
    }
}
