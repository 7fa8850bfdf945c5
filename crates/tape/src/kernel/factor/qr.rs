//! `A = Q R` by blocks of Householder reflections `I - V T V^T`. Schreiber and Van Loan, "A storage-efficient WY
//! representation for products of Householder transformations", SIAM J. Sci. Stat. Comput. 10 (1989).

use super::reflect::reflector;
use super::{Block, subtract_product};
use crate::vector;

/// Reflections of a block.
const BLOCK: usize = 32;

/// A product of reflections that act on the rows from `start` on.
struct Panel {
    start: usize,
    /// The vectors, one per dense row of `rows` elements.
    vectors: Vec<f64>,
    rows: usize,
    /// Upper triangle, one dense row per reflection.
    t: Vec<f64>,
    count: usize,
}

/// Writes `R`, `n x n`, to `r`, and replaces the `m x n` matrix `a` by `Q`; `m >= n`. Signs are those of LAPACK:
/// every reflection makes the diagonal of `R` the opposite of what it finds there.
pub(crate) fn factor(a: &mut [f64], m: usize, n: usize, r: &mut [f64]) {
    let mut panels = Vec::new();
    for start in (0..n).step_by(BLOCK) {
        let panel = Panel::factor(a, m, n, start);
        let end = start + panel.count;
        if end < n {
            panel.apply(&mut a[start * n + end..], n, n - end, true);
        }
        panels.push(panel);
    }
    for (i, (r, a)) in r.chunks_exact_mut(n.max(1)).zip(a.chunks_exact(n.max(1))).enumerate() {
        r[..i].fill(0.0);
        r[i..].copy_from_slice(&a[i..]);
    }
    a.fill(0.0);
    a.iter_mut().step_by(n + 1).take(n).for_each(|x| *x = 1.0);
    for panel in panels.iter().rev() {
        // Columns before the panel are still those of the identity, zero where it acts.
        panel.apply(&mut a[panel.start * n + panel.start..], n, n - panel.start, false);
    }
}

impl Panel {
    /// Factors the columns from `start` on and writes their part of `R` over them.
    fn factor(a: &mut [f64], m: usize, n: usize, start: usize) -> Panel {
        let (count, rows) = (BLOCK.min(n - start), m - start);
        let mut vectors = vec![0.0; count * rows];
        for (i, row) in a[start * n..].chunks_exact(n).enumerate() {
            for (c, &element) in row[start..start + count].iter().enumerate() {
                vectors[c * rows + i] = element;
            }
        }
        for c in 0..count {
            let (before, after) = vectors.split_at_mut((c + 1) * rows);
            let column = &mut before[c * rows..];
            let beta = reflector(&mut column[c..], 0);
            for i in 0..c {
                a[(start + i) * n + start + c] = std::mem::take(&mut column[i]);
            }
            a[(start + c) * n + start + c] = beta;
            for other in after.chunks_exact_mut(rows) {
                let dot = vector::dot(&column[c..], &other[c..]);
                vector::axpy(-dot, &column[c..], &mut other[c..]);
            }
        }
        let t = triangle(&vectors, rows, count);
        Panel { start, vectors, rows, t, count }
    }

    /// `c = (I - V T V^T) c`, or with `T^T`, for `columns` columns of rows at distance `stride`.
    fn apply(&self, c: &mut [f64], stride: usize, columns: usize, transposed: bool) {
        let (rows, count) = (self.rows, self.count);
        let vectors = Block::rows(&self.vectors, rows);
        let t = Block::rows(&self.t, count);
        let t = if transposed { t.transposed() } else { t };
        // Both products have a minus sign; together they have none.
        let (mut projected, mut combined) = (vec![0.0; count * columns], vec![0.0; count * columns]);
        subtract_product(&mut projected, columns, [count, rows, columns], vectors, Block::rows(c, stride), true);
        subtract_product(&mut combined, columns, [count, count, columns], t, Block::rows(&projected, columns), true);
        let combined = Block::rows(&combined, columns);
        subtract_product(c, stride, [rows, count, columns], vectors.transposed(), combined, true);
    }
}

/// `T` with `H_0 H_1 .. = I - V T V^T`, column by column: `T[..i, i] = -T[..i, ..i] V[:, ..i]^T v_i`.
fn triangle(vectors: &[f64], rows: usize, count: usize) -> Vec<f64> {
    let mut t = vec![0.0; count * count];
    let vector = |i: usize| &vectors[i * rows..][..rows];
    for i in 0..count {
        let dots: Vec<f64> = (0..i).map(|j| vector::dot(vector(j), vector(i))).collect();
        for j in 0..i {
            t[j * count + i] = -(j..i).map(|l| t[j * count + l] * dots[l]).sum::<f64>();
        }
        t[i * count + i] = 1.0;
    }
    t
}
