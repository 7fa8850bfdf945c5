//! Singular values and vectors: reduction to a bidiagonal matrix by reflections, then implicit QR steps with
//! deflation. Golub and Van Loan, "Matrix Computations", sections 5.4.8 and 8.6.

use super::reflect::{Basis, reflector};
use crate::kernel::simd::{Kernel, dispatch};
use crate::vector::dot_in_kernel;

/// QR steps for one singular value after which the iteration has failed; two are usual.
const STEPS: usize = 100;

/// The largest absolute value; NaN if there is one.
pub(super) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |max: f64, x| if x.abs() > max || x.is_nan() { x.abs() } else { max })
}

/// A power of two next to a finite number, 1 for 0; not below the smallest normal one, whose reciprocal is finite.
pub(super) fn power_of_two(x: f64) -> Option<f64> {
    let bits = x.abs().to_bits() & 0x7ff0_0000_0000_0000;
    x.is_finite().then(|| if x == 0.0 { 1.0 } else { f64::from_bits(bits).max(f64::MIN_POSITIVE) })
}

/// Singular values, descending, into `values`, and if wanted all `m` left singular vectors into the columns of
/// `left`, `m x m`, and the right ones into the rows of `right`, `n x n`. Overwrites the `m x n` matrix `a`, `m >= n`.
///
/// # Errors
/// If the elements are not finite or (which rounding would have to conspire for) the iteration fails.
pub(crate) fn decompose(
    a: &mut [f64],
    m: usize,
    n: usize,
    values: &mut [f64],
    vectors: Option<(&mut [f64], &mut [f64])>,
) -> Result<(), ()> {
    // Of size one, squares neither overflow nor vanish. A power of two: no rounding.
    let scale = power_of_two(largest(a)).ok_or(())?;
    a.iter_mut().for_each(|x| *x /= scale);
    let (left, off_diagonal) = bidiagonal(a, m, n, values);
    let mut bidiagonal = Bidiagonal {
        s: values,
        e: off_diagonal,
        bases: vectors.is_some().then(|| {
            let columns = left.chunks(m.max(1)).enumerate().map(|(k, vector)| (k, &vector[k..]));
            let rows = (0..n.saturating_sub(1)).map(|k| (k + 1, &a[k * n + k + 1..(k + 1) * n]));
            (Basis::of_reflections(m, columns), Basis::of_reflections(n, rows))
        }),
    };
    bidiagonal.diagonalise()?;
    let bases = bidiagonal.bases;
    let mut order: Vec<(usize, f64)> = values.iter().map(|s| if *s < 0.0 { -1.0 } else { 1.0 }).enumerate().collect();
    order.sort_by(|(i, _), (j, _)| values[*j].abs().total_cmp(&values[*i].abs()));
    let sorted: Vec<f64> = order.iter().map(|&(i, _)| values[i].abs() * scale).collect();
    values.copy_from_slice(&sorted);
    if let (Some((left_basis, right_basis)), Some((left, right))) = (bases, vectors) {
        let columns: Vec<(usize, f64)> = order.iter().map(|&(i, _)| (i, 1.0)).chain((n..m).map(|i| (i, 1.0))).collect();
        left_basis.write(&columns, left);
        let mut transposed = vec![0.0; n * n];
        right_basis.write(&order, &mut transposed);
        for i in 0..n {
            for j in 0..n {
                right[i * n + j] = transposed[j * n + i];
            }
        }
    }
    Ok(())
}

/// Reduces `a` to a diagonal and the elements right of it. The vectors of the reflections from the left are the
/// rows of the first result; those from the right stay in the rows of `a`, right of the diagonal.
fn bidiagonal(a: &mut [f64], m: usize, n: usize, diagonal: &mut [f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut left, mut off_diagonal) = (vec![0.0; n * m], vec![0.0; n]);
    let mut product = vec![0.0; n];
    for k in 0..n {
        let column = &mut left[k * m..][k..m];
        for (element, row) in column.iter_mut().zip(a[k * n..].chunks_exact(n)) {
            *element = row[k];
        }
        diagonal[k] = reflector(column, 0);
        if k + 1 == n {
            break;
        }
        let product = &mut product[k + 1..];
        product.fill(0.0);
        dispatch(Gather { rows: &a[k * n..], n, column, product });
        let (row, below) = a[k * n..].split_at_mut(n);
        let row = &mut row[k + 1..];
        for (element, &product) in row.iter_mut().zip(&*product) {
            *element -= column[0] * product;
        }
        off_diagonal[k] = reflector(row, 0);
        dispatch(Update { rows: below, n, column: &column[1..], product, row });
    }
    (left, off_diagonal)
}

/// `product = column^T @ rows`, over the last columns of the rows.
struct Gather<'a> {
    rows: &'a [f64],
    n: usize,
    column: &'a [f64],
    product: &'a mut [f64],
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let start = self.n - self.product.len();
        for (row, &factor) in self.rows.chunks_exact(self.n).zip(self.column) {
            for (product, &element) in self.product.iter_mut().zip(&row[start..]) {
                *product = factor.mul_add(element, *product);
            }
        }
    }
}

/// `rows -= column product^T`, then reflects the rows by the vector `row`; over the last columns of the rows.
struct Update<'a> {
    rows: &'a mut [f64],
    n: usize,
    column: &'a [f64],
    product: &'a [f64],
    row: &'a [f64],
}

impl Kernel for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let start = self.n - self.product.len();
        for (elements, &factor) in self.rows.chunks_exact_mut(self.n).zip(self.column) {
            let elements = &mut elements[start..];
            for (element, &product) in elements.iter_mut().zip(self.product) {
                *element = (-factor).mul_add(product, *element);
            }
            let dot = dot_in_kernel(elements, self.row);
            for (element, &reflected) in elements.iter_mut().zip(self.row) {
                *element = (-dot).mul_add(reflected, *element);
            }
        }
    }
}

/// Cosine, sine and length of the vector `(f, g)`; the angle is zero where there is none.
fn direction(f: f64, g: f64) -> (f64, f64, f64) {
    let length = f.hypot(g);
    if length == 0.0 { (1.0, 0.0, 0.0) } else { (f / length, g / length, length) }
}

/// Diagonal `s`, elements right of it `e` (as long, the last one unused), and what follows its rotations.
struct Bidiagonal<'a> {
    s: &'a mut [f64],
    e: Vec<f64>,
    bases: Option<(Basis, Basis)>,
}

impl Bidiagonal<'_> {
    fn rotate_left(&mut self, i: usize, j: usize, cos: f64, sin: f64) {
        if let Some((left, _)) = &mut self.bases {
            left.rotate(i, j, cos, sin);
        }
    }

    fn rotate_right(&mut self, i: usize, j: usize, cos: f64, sin: f64) {
        if let Some((_, right)) = &mut self.bases {
            right.rotate(i, j, cos, sin);
        }
    }

    /// Makes the elements right of the diagonal vanish, from the last one up.
    fn diagonalise(&mut self) -> Result<(), ()> {
        let (mut end, mut steps) = (self.s.len(), 0);
        while end > 1 {
            // The matrix is of size one, so what is below the smallest normal number is nothing.
            let small = |x: f64, beside: f64| x.abs() <= f64::EPSILON * beside + f64::MIN_POSITIVE;
            let negligible = |i: usize| small(self.e[i], self.s[i].abs() + self.s[i + 1].abs());
            let cut = (0..end - 1).rev().find(|&i| negligible(i));
            let start = cut.map_or(0, |i| i + 1);
            if let Some(cut) = cut {
                self.e[cut] = 0.0;
            }
            if start == end - 1 {
                (end, steps) = (end - 1, 0);
                continue;
            }
            steps += 1;
            if steps > STEPS {
                return Err(());
            }
            let beside = |i: usize| {
                let right = if i + 1 < end { self.e[i].abs() } else { 0.0 };
                right + if i > start { self.e[i - 1].abs() } else { 0.0 }
            };
            match (start..end).rev().find(|&i| small(self.s[i], beside(i))) {
                Some(zero) if zero + 1 == end => self.clear_column(start, end),
                Some(zero) => self.clear_row(zero, end),
                None => self.qr_step(start, end),
            }
        }
        Ok(())
    }

    /// The last diagonal element is zero: rotates the element above it away.
    fn clear_column(&mut self, start: usize, end: usize) {
        self.s[end - 1] = 0.0;
        let mut f = std::mem::take(&mut self.e[end - 2]);
        for j in (start..end - 1).rev() {
            let (cos, sin, length) = direction(self.s[j], f);
            self.s[j] = length;
            if j > start {
                f = -sin * self.e[j - 1];
                self.e[j - 1] *= cos;
            }
            self.rotate_right(end - 1, j, cos, -sin);
        }
    }

    /// The diagonal element `zero` is zero: rotates the element right of it away.
    fn clear_row(&mut self, zero: usize, end: usize) {
        self.s[zero] = 0.0;
        let mut f = std::mem::take(&mut self.e[zero]);
        for j in zero + 1..end {
            let (cos, sin, length) = direction(self.s[j], f);
            self.s[j] = length;
            if j + 1 < end {
                f = -sin * self.e[j];
                self.e[j] *= cos;
            }
            self.rotate_left(zero, j, cos, -sin);
        }
    }

    /// One implicit step on `start..end` with the shift of the last two rows and columns.
    fn qr_step(&mut self, start: usize, end: usize) {
        let last = end - 1;
        let scale = [self.s[last], self.s[last - 1], self.e[last - 1], self.s[start], self.e[start]];
        let scale = largest(&scale);
        let (sp, sq, ep) = (self.s[last] / scale, self.s[last - 1] / scale, self.e[last - 1] / scale);
        let (sk, ek) = (self.s[start] / scale, self.e[start] / scale);
        let b = ((sq + sp) * (sq - sp) + ep * ep) / 2.0;
        let c = (sp * ep) * (sp * ep);
        let shift = if b == 0.0 && c == 0.0 { 0.0 } else { c / (b + (b * b + c).sqrt().copysign(b)) };
        let (mut f, mut g) = ((sk + sp) * (sk - sp) + shift, sk * ek);
        for j in start..last {
            let (cos, sin, length) = direction(f, g);
            if j > start {
                self.e[j - 1] = length;
            }
            f = cos * self.s[j] + sin * self.e[j];
            self.e[j] = cos * self.e[j] - sin * self.s[j];
            g = sin * self.s[j + 1];
            self.s[j + 1] *= cos;
            self.rotate_right(j, j + 1, cos, sin);
            let (cos, sin, length) = direction(f, g);
            self.s[j] = length;
            f = cos * self.e[j] + sin * self.s[j + 1];
            self.s[j + 1] = cos * self.s[j + 1] - sin * self.e[j];
            if j + 1 < last {
                g = sin * self.e[j + 1];
                self.e[j + 1] *= cos;
            }
            self.rotate_left(j, j + 1, cos, sin);
        }
        self.e[last - 1] = f;
    }
}
