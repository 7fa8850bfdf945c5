//! The largest element of every window, and where it stands.

use super::parallel;
use crate::Float;

/// Elements of the output from which a second thread pays.
const PARALLEL: usize = 1 << 13;

/// The elements along one dimension that a window sees: `start`, `start + step`, .. below `end`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub start: usize,
    pub end: usize,
    pub step: usize,
}

impl Span {
    fn positions(self) -> impl Iterator<Item = usize> + Clone {
        (self.start..self.end).step_by(self.step)
    }
}

/// The largest element of every window of every `height x width` plane of a dense `x`, and its position in the
/// plane: the first of equal ones, and NaN, the last one, before all. A window of nothing but `-inf` names its
/// first element. A window is a pair of spans, of `rows` and of `columns`.
pub(crate) fn max_pool<T: Float>(
    x: &[T],
    [height, width]: [usize; 2],
    rows: &[Span],
    columns: &[Span],
    (values, indices): (&mut [T], &mut [i64]),
) {
    let count = rows.len() * columns.len();
    let plane = |number: usize, out: &mut [i64]| {
        let x = &x[number * height * width..][..height * width];
        for (row, out) in rows.iter().zip(out.chunks_exact_mut(columns.len())) {
            for (column, out) in columns.iter().zip(out) {
                *out = largest(x, width, *row, *column) as i64;
            }
        }
    };
    if values.len() < PARALLEL {
        indices.chunks_exact_mut(count).enumerate().for_each(|(number, out)| plane(number, out));
    } else {
        let planes = (PARALLEL / 8).div_ceil(count);
        parallel::for_chunks(indices, planes * count, &|start, out| {
            for (number, out) in out.chunks_exact_mut(count).enumerate() {
                plane(start / count + number, out);
            }
        });
    }
    for (number, (values, indices)) in values.chunks_exact_mut(count).zip(indices.chunks_exact(count)).enumerate() {
        let x = &x[number * height * width..];
        for (value, &index) in values.iter_mut().zip(indices) {
            *value = x[index as usize];
        }
    }
}

/// The position of the largest element of one window.
fn largest<T: Float>(x: &[T], width: usize, rows: Span, columns: Span) -> usize {
    let mut best = -T::INFINITY;
    let mut position = rows.start * width + columns.start;
    for row in rows.positions() {
        let start = row * width;
        for column in columns.positions() {
            let value = x[start + column];
            if value > best || value.is_nan() {
                (best, position) = (value, start + column);
            }
        }
    }
    position
}
