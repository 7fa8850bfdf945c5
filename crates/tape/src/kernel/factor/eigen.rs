//! Eigenvalues and eigenvectors of symmetric matrices: reduction to a tridiagonal matrix by reflections, then
//! implicit QL steps with Wilkinson's shift. Golub and Van Loan, "Matrix Computations", sections 8.3.1 and 8.3.3.

use super::reflect::{Basis, reflector};
use super::svd::{largest, power_of_two};
use crate::kernel::simd::{Kernel, dispatch};
use crate::vector::dot_in_kernel;

/// QL steps for one eigenvalue after which the iteration has failed; two are usual.
const STEPS: usize = 60;

/// Eigenvalues, ascending, into `values`, and the eigenvectors, if wanted, into the columns of the row-major
/// `n x n` matrix `vectors`. Reads the lower triangle of `a` and overwrites it.
///
/// # Errors
/// If the elements are not finite, or (which rounding would have to conspire for) the iteration fails: the number
/// of eigenvalues found.
pub(crate) fn symmetric(a: &mut [f64], n: usize, values: &mut [f64], vectors: Option<&mut [f64]>) -> Result<(), usize> {
    if n == 0 {
        return Ok(());
    }
    // Of size one, squares neither overflow nor vanish. A power of two: no rounding.
    let lower: Vec<f64> = a.chunks_exact(n).enumerate().map(|(i, row)| largest(&row[..=i])).collect();
    let scale = power_of_two(largest(&lower)).ok_or(0usize)?;
    a.iter_mut().for_each(|x| *x /= scale);
    let mut off_diagonal = vec![0.0; n];
    tridiagonal(a, n, values, &mut off_diagonal);
    let reflections = (1..n).rev().map(|i| (0, &a[i * n..][..i]));
    let mut basis = vectors.is_some().then(|| Basis::of_reflections(n, reflections));
    ql(values, &mut off_diagonal, basis.as_mut())?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let sorted: Vec<f64> = order.iter().map(|&i| values[i] * scale).collect();
    values.copy_from_slice(&sorted);
    if let (Some(basis), Some(vectors)) = (basis, vectors) {
        let columns: Vec<(usize, f64)> = order.iter().map(|&i| (i, 1.0)).collect();
        basis.write(&columns, vectors);
    }
    Ok(())
}

/// From the last row up, reflects row `i` so that of its elements left of the diagonal only the one beside it
/// remains. The vector of the reflection stays in the row. `off_diagonal[i]` is between `i` and `i + 1`.
fn tridiagonal(a: &mut [f64], n: usize, diagonal: &mut [f64], off_diagonal: &mut [f64]) {
    // The update of the step before, A -= v w^T + w v^T, is made in the pass that multiplies by the next vector.
    let (mut v, mut w) = (vec![0.0; n], vec![0.0; n]);
    let (mut next, mut product) = (vec![0.0; n], vec![0.0; n]);
    for i in (1..n).rev() {
        let row = &mut a[i * n..][..=i];
        for (j, element) in row.iter_mut().enumerate() {
            *element -= v[i] * w[j] + w[i] * v[j];
        }
        diagonal[i] = row[i];
        off_diagonal[i - 1] = reflector(&mut row[..i], i - 1);
        next[..i].copy_from_slice(&row[..i]);
        product[..i].fill(0.0);
        dispatch(Step { a: &mut a[..i * n], n, v: &v, w: &w, next: &next, product: &mut product });
        let half: f64 = next[..i].iter().zip(&product).map(|(v, p)| v * p).sum::<f64>() / 2.0;
        for ((w, &p), &v) in w.iter_mut().zip(&product[..i]).zip(&next) {
            *w = p - half * v;
        }
        v[..i].copy_from_slice(&next[..i]);
    }
    // The last reflection, of one element, is none.
    diagonal[0] = a[0];
}

/// `a -= v w^T + w v^T` and `product = a @ next`, reading and writing the lower triangle alone.
struct Step<'a> {
    a: &'a mut [f64],
    n: usize,
    v: &'a [f64],
    w: &'a [f64],
    next: &'a [f64],
    product: &'a mut [f64],
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Step { a, n, v, w, next, product } = self;
        for (j, row) in a.chunks_exact_mut(n).enumerate() {
            let row = &mut row[..=j];
            let (vj, wj, nj) = (v[j], w[j], next[j]);
            for ((element, &v), &w) in row.iter_mut().zip(v).zip(w) {
                *element = (-vj).mul_add(w, (-wj).mul_add(v, *element));
            }
            let dot = dot_in_kernel(row, &next[..=j]);
            for (product, &element) in product[..j].iter_mut().zip(&*row) {
                *product = nj.mul_add(element, *product);
            }
            product[j] += dot;
        }
    }
}

/// Makes the off-diagonal elements vanish by rotations of neighbours, which the basis follows.
fn ql(d: &mut [f64], e: &mut [f64], mut basis: Option<&mut Basis>) -> Result<(), usize> {
    let n = d.len();
    for l in 0..n {
        let mut steps = 0;
        loop {
            // The matrix is of size one, so what is below the smallest normal number is nothing.
            let negligible = |i: usize| e[i].abs() <= f64::EPSILON * (d[i].abs() + d[i + 1].abs()) + f64::MIN_POSITIVE;
            let m = (l..n - 1).find(|&i| negligible(i)).unwrap_or(n - 1);
            if m == l {
                break;
            }
            steps += 1;
            if steps > STEPS {
                return Err(l);
            }
            ql_step(d, e, l, m, &mut basis);
        }
    }
    Ok(())
}

/// One implicit step on the rows `l..=m`.
fn ql_step(d: &mut [f64], e: &mut [f64], l: usize, m: usize, basis: &mut Option<&mut Basis>) {
    let ratio = (d[l + 1] - d[l]) / (2.0 * e[l]);
    let mut g = d[m] - d[l] + e[l] / (ratio + ratio.hypot(1.0).copysign(ratio));
    let (mut sin, mut cos, mut p) = (1.0, 1.0, 0.0);
    for i in (l..m).rev() {
        let (f, b) = (sin * e[i], cos * e[i]);
        let r = f.hypot(g);
        e[i + 1] = r;
        if r == 0.0 {
            // The matrix falls apart here; the next search finds it.
            d[i + 1] -= p;
            e[m] = 0.0;
            return;
        }
        (sin, cos) = (f / r, g / r);
        let g_before = d[i + 1] - p;
        let t = (d[i] - g_before) * sin + 2.0 * cos * b;
        p = sin * t;
        d[i + 1] = g_before + p;
        g = cos * t - b;
        if let Some(basis) = basis {
            basis.rotate(i + 1, i, cos, sin);
        }
    }
    d[l] -= p;
    e[l] = g;
    e[m] = 0.0;
}
