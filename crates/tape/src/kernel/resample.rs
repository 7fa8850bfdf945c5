//! Sparse linear maps along one dimension: sums over windows, interpolation, and their adjoints.

use super::axis::Axis;
use super::parallel;
use crate::Float;

/// Multiplications from which a second thread pays.
const PARALLEL: usize = 1 << 16;

/// A sparse matrix by rows: `out[i] = sum over t in starts[i]..starts[i + 1] of weights[t] * x[indices[t]]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Taps {
    starts: Vec<usize>,
    indices: Vec<usize>,
    weights: Vec<f64>,
    /// Number of columns.
    inputs: usize,
}

impl Taps {
    /// A matrix of `inputs` columns from the entries of each row.
    pub fn new<R: IntoIterator<Item = (usize, f64)>>(inputs: usize, rows: impl IntoIterator<Item = R>) -> Taps {
        let mut taps = Taps { starts: vec![0], inputs, ..Taps::default() };
        for row in rows {
            for (index, weight) in row {
                assert!(index < inputs, "an entry in column {index} of a matrix of {inputs} columns");
                taps.indices.push(index);
                taps.weights.push(weight);
            }
            taps.starts.push(taps.indices.len());
        }
        taps
    }

    /// Number of rows.
    pub fn outputs(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of columns.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.starts[row]..self.starts[row + 1];
        self.indices[range.clone()].iter().copied().zip(self.weights[range].iter().copied())
    }

    /// The transposed matrix; the entries of its rows keep the order of the rows they come from.
    pub fn transposed(&self) -> Taps {
        let mut rows = vec![Vec::new(); self.inputs];
        for output in 0..self.outputs() {
            for (index, weight) in self.row(output) {
                rows[index].push((output, weight));
            }
        }
        Taps::new(self.outputs(), rows)
    }
}

/// Applies `taps` along one dimension of a dense `x`, whose size is the number of columns.
pub(crate) fn resample<T: Float>(x: &[T], axis: Axis, taps: &Taps, out: &mut [T]) {
    let (Axis { len, inner, .. }, outputs) = (axis, taps.outputs());
    if out.is_empty() {
        return;
    }
    let weights: Vec<T> = taps.weights.iter().map(|&weight| T::from_f64(weight)).collect();
    let row = |number: usize, out: &mut [T]| {
        let plane = &x[number / outputs * len * inner..];
        let terms = taps.starts[number % outputs]..taps.starts[number % outputs + 1];
        let mut terms = taps.indices[terms.clone()].iter().zip(&weights[terms]);
        let source = |index: usize| &plane[index * inner..][..inner];
        let Some((&index, &weight)) = terms.next() else { return out.fill(T::ZERO) };
        for (out, &x) in out.iter_mut().zip(source(index)) {
            *out = weight * x;
        }
        for (&index, &weight) in terms {
            for (out, &x) in out.iter_mut().zip(source(index)) {
                *out += weight * x;
            }
        }
    };
    let line = |number: usize, out: &mut [T]| {
        let line = &x[number * len..][..len];
        for (output, out) in out.iter_mut().enumerate() {
            let mut sum = T::ZERO;
            for term in taps.starts[output]..taps.starts[output + 1] {
                sum += weights[term] * line[taps.indices[term]];
            }
            *out = sum;
        }
    };
    let cost = out.len() / outputs * taps.weights.len();
    let unit = if inner == 1 { outputs } else { inner };
    let units = if cost < PARALLEL { out.len() / unit } else { (PARALLEL / 16).div_ceil(unit) };
    let piece = |start: usize, out: &mut [T]| {
        for (number, out) in out.chunks_exact_mut(unit).enumerate() {
            let number = start / unit + number;
            if inner == 1 { line(number, out) } else { row(number, out) }
        }
    };
    if cost < PARALLEL {
        piece(0, out);
    } else {
        parallel::for_chunks(out, units * unit, &piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_are_a_matrix_along_any_dimension() {
        // Four outputs of three inputs; one has no terms, one an input twice.
        let taps = Taps::new(3, [vec![(0, 1.0), (2, 0.5)], vec![], vec![(1, 2.0), (1, 1.0)], vec![(2, -1.0)]]);
        let dense = [[1.0, 0.0, 0.5], [0.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, -1.0]];
        let shape = [2, 3, 5];
        let x: Vec<f64> = (0..30).map(|i| f64::from(i * 7 % 11)).collect();
        let mut out = vec![f64::NAN; 2 * 4 * 5];
        resample(&x, Axis::new(&shape, 1), &taps, &mut out);
        for (i, &out) in out.iter().enumerate() {
            let (outer, o, inner) = (i / 20, i / 5 % 4, i % 5);
            let expected: f64 = (0..3).map(|k| dense[o][k] * x[(outer * 3 + k) * 5 + inner]).sum();
            assert_eq!(out, expected);
        }
        let mut last = vec![f64::NAN; 40];
        resample(&x, Axis::new(&[10, 3], 1), &taps, &mut last);
        for (i, &out) in last.iter().enumerate() {
            let expected: f64 = (0..3).map(|k| dense[i % 4][k] * x[i / 4 * 3 + k]).sum();
            assert_eq!(out, expected);
        }
        let transposed = taps.transposed();
        assert_eq!((transposed.outputs(), transposed.inputs()), (3, 4));
        assert_eq!(transposed.row(2).collect::<Vec<_>>(), [(0, 0.5), (3, -1.0)]);
    }
}
