//! Windows that move over up to three spatial dimensions, and the copies between an array and the columns
//! that hold the contents of all windows.
//!
//! One and two spatial dimensions are three whose first sizes are one. Everything here works on whole rows
//! of the output: for one place of a window, the elements that a row of windows sees there are a row of the
//! input, possibly with steps, and zeros where the windows hang over the edge.

use super::simd::{Kernel, dispatch};
use crate::{Element, Float};
use std::ops::Range;

/// Spatial dimensions of every window.
pub(crate) const DIMS: usize = 3;

/// Sizes, and how the window moves: window `o` sees input element `o * stride - padding + k * dilation` at
/// its place `k`. `padding` is that before the first element; behind the last one there is as much as
/// `output` demands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Window {
    pub input: [usize; DIMS],
    pub output: [usize; DIMS],
    pub kernel: [usize; DIMS],
    pub stride: [usize; DIMS],
    pub padding: [usize; DIMS],
    pub dilation: [usize; DIMS],
}

/// A row of windows at one place: where it begins in the input, and which of its elements exist.
struct Row {
    from: usize,
    inside: Range<usize>,
}

impl Window {
    /// Elements of one input plane.
    pub fn plane(&self) -> usize {
        self.input.iter().product()
    }

    /// Places in one window.
    pub fn places(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Number of windows.
    pub fn count(&self) -> usize {
        self.output.iter().product()
    }

    /// Number of rows of windows.
    pub fn rows(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Whether the windows are the elements, one for one.
    pub fn is_identity(&self) -> bool {
        self.places() == 1 && self.stride == [1; DIMS] && self.padding == [0; DIMS] && self.input == self.output
    }

    /// The windows of a row that see an existing element at place `k` of dimension `dim`.
    fn inside(&self, dim: usize, k: usize) -> Range<usize> {
        let (stride, reach) = (self.stride[dim], k * self.dilation[dim]);
        let first = self.padding[dim].saturating_sub(reach).div_ceil(stride);
        // The last one starts at most at the last element.
        let behind = (self.input[dim] + self.padding[dim]).saturating_sub(reach).div_ceil(stride);
        let end = behind.min(self.output[dim]);
        first.min(end)..end
    }

    /// The position along `dim` that window `o` sees at place `k`, if it exists.
    fn position(&self, dim: usize, o: usize, k: usize) -> Option<usize> {
        let from_padding = o * self.stride[dim] + k * self.dilation[dim];
        from_padding.checked_sub(self.padding[dim]).filter(|&position| position < self.input[dim])
    }

    /// What the row number `row` of windows sees at a place.
    fn row(&self, row: usize, place: [usize; DIMS], inside: &Range<usize>) -> Option<Row> {
        let (o0, o1) = (row / self.output[1], row % self.output[1]);
        let i0 = self.position(0, o0, place[0])?;
        let i1 = self.position(1, o1, place[1])?;
        if inside.is_empty() {
            return None;
        }
        let column = inside.start * self.stride[2] + place[2] * self.dilation[2] - self.padding[2];
        Some(Row { from: (i0 * self.input[1] + i1) * self.input[2] + column, inside: inside.clone() })
    }

    /// Calls `visit` with the number and the coordinates of every place of a window and its existing columns.
    #[inline(always)]
    fn for_each_place(&self, mut visit: impl FnMut(usize, [usize; DIMS], Range<usize>)) {
        let [_, k1, k2] = self.kernel;
        for number in 0..self.places() {
            let place = [number / (k1 * k2), number / k2 % k1, number % k2];
            visit(number, place, self.inside(2, place[2]));
        }
    }

    /// Whether rows of windows that follow each other see rows of the input that follow each other in memory.
    fn is_flat(&self) -> bool {
        let flat = self.kernel[0] == 1 && self.input[0] == 1 && self.output[0] == 1;
        flat && self.stride[1..] == [1, 1] && self.input[2] == self.output[2]
    }

    /// Of a flat window: the rows among `rows` that see existing rows at a place, and where in the input the
    /// first existing element of the first of them is.
    fn flat_rows(&self, rows: &Range<usize>, place: [usize; DIMS], inside: &Range<usize>) -> (Range<usize>, usize) {
        let exist = self.inside(1, place[1]);
        let (start, end) = (rows.start.max(exist.start), rows.end.min(exist.end));
        if start >= end || inside.is_empty() {
            return (rows.start..rows.start, 0);
        }
        let row = start + place[1] * self.dilation[1] - self.padding[1];
        let column = inside.start + place[2] * self.dilation[2] - self.padding[2];
        (start..end, row * self.input[2] + column)
    }

    /// Writes the columns of the windows in `rows` of some planes: row `(plane, place)` of the matrix starts
    /// at a multiple of `pitch` and holds one element per window, zero where the window hangs over the edge.
    pub fn lower<T: Element>(&self, planes: &[T], rows: Range<usize>, columns: &mut [T], pitch: usize) {
        let len = rows.len() * self.output[2];
        for (number, plane) in planes.chunks_exact(self.plane().max(1)).enumerate() {
            self.for_each_place(|place, at, inside| {
                let columns = &mut columns[(number * self.places() + place) * pitch..][..len];
                if self.is_flat() {
                    self.lower_flat(plane, &rows, at, inside, columns);
                } else {
                    self.lower_rows(plane, &rows, at, inside, columns);
                }
            });
        }
    }

    /// One place of a flat window: a single copy, in which what lies beyond the edges is then cleared.
    fn lower_flat<T: Element>(
        &self,
        plane: &[T],
        rows: &Range<usize>,
        place: [usize; DIMS],
        inside: Range<usize>,
        columns: &mut [T],
    ) {
        let width = self.output[2];
        let (exist, from) = self.flat_rows(rows, place, &inside);
        let (before, rest) = columns.split_at_mut((exist.start - rows.start) * width);
        let (block, behind) = rest.split_at_mut(exist.len() * width);
        before.fill(T::default());
        behind.fill(T::default());
        if block.is_empty() {
            return;
        }
        let len = block.len() - width + inside.len();
        block[inside.start..inside.start + len].copy_from_slice(&plane[from..from + len]);
        clear_edges(block, width, &inside);
    }

    /// One place of any window, row by row.
    fn lower_rows<T: Element>(
        &self,
        plane: &[T],
        rows: &Range<usize>,
        place: [usize; DIMS],
        inside: Range<usize>,
        columns: &mut [T],
    ) {
        let (width, step) = (self.output[2], self.stride[2]);
        for (row, out) in rows.clone().zip(columns.chunks_exact_mut(width)) {
            let Some(Row { from, inside }) = self.row(row, place, &inside) else {
                out.fill(T::default());
                continue;
            };
            out[..inside.start].fill(T::default());
            out[inside.end..].fill(T::default());
            let out = &mut out[inside];
            if step == 1 {
                out.copy_from_slice(&plane[from..from + out.len()]);
            } else {
                for (out, &x) in out.iter_mut().zip(plane[from..].iter().step_by(step)) {
                    *out = x;
                }
            }
        }
    }

    /// Adds columns to the elements that the windows see: the adjoint of [`lower`](Window::lower). The columns
    /// may lose what lies beyond the edges.
    pub fn raise<T: Float>(&self, columns: &mut [T], pitch: usize, rows: Range<usize>, planes: &mut [T]) {
        dispatch(Raise { window: self, columns, pitch, rows, planes });
    }
}

/// Sets what lies before and behind the existing elements of every row to zero.
#[inline(always)]
fn clear_edges<T: Element>(block: &mut [T], width: usize, inside: &Range<usize>) {
    if inside.len() < width {
        for row in block.chunks_exact_mut(width) {
            row[..inside.start].fill(T::default());
            row[inside.end..].fill(T::default());
        }
    }
}

/// The loop of [`Window::raise`].
struct Raise<'a, T> {
    window: &'a Window,
    columns: &'a mut [T],
    pitch: usize,
    rows: Range<usize>,
    planes: &'a mut [T],
}

impl<T: Float> Kernel for Raise<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Raise { window, columns, pitch, rows, planes } = self;
        let (width, step, flat) = (window.output[2], window.stride[2], window.is_flat());
        for (number, plane) in planes.chunks_exact_mut(window.plane().max(1)).enumerate() {
            window.for_each_place(|place, at, inside| {
                let start = (number * window.places() + place) * pitch;
                let columns = &mut columns[start..start + rows.len() * width];
                if flat {
                    let (exist, from) = window.flat_rows(&rows, at, &inside);
                    let block = &mut columns[(exist.start - rows.start) * width..][..exist.len() * width];
                    if block.is_empty() {
                        return;
                    }
                    clear_edges(block, width, &inside);
                    let len = block.len() - width + inside.len();
                    for (x, &column) in plane[from..from + len].iter_mut().zip(&block[inside.start..]) {
                        *x += column;
                    }
                    return;
                }
                for (row, column) in rows.clone().zip(columns.chunks_exact(width)) {
                    let Some(Row { from, inside }) = window.row(row, at, &inside) else { continue };
                    let column = &column[inside];
                    if step == 1 {
                        for (x, &column) in plane[from..from + column.len()].iter_mut().zip(column) {
                            *x += column;
                        }
                    } else {
                        for (x, &column) in plane[from..].iter_mut().step_by(step).zip(column) {
                            *x += column;
                        }
                    }
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every element of the columns by the definition.
    fn naive(window: &Window, planes: &[f64]) -> Vec<f64> {
        let at = |o: usize, k: usize, dim: usize| {
            let i = (o * window.stride[dim] + k * window.dilation[dim]) as isize - window.padding[dim] as isize;
            (i >= 0 && i < window.input[dim] as isize).then_some(i as usize)
        };
        let ([_, k1, k2], [_, o1, o2]) = (window.kernel, window.output);
        let mut columns = Vec::new();
        for plane in planes.chunks_exact(window.plane()) {
            for k in 0..window.places() {
                for o in 0..window.count() {
                    let i0 = at(o / (o1 * o2), k / (k1 * k2), 0);
                    let i1 = at(o / o2 % o1, k / k2 % k1, 1);
                    let i2 = at(o % o2, k % k2, 2);
                    columns.push(match (i0, i1, i2) {
                        (Some(i0), Some(i1), Some(i2)) => plane[(i0 * window.input[1] + i1) * window.input[2] + i2],
                        _ => 0.0,
                    });
                }
            }
        }
        columns
    }

    fn windows() -> Vec<Window> {
        let window = |input: [usize; 3], kernel: [usize; 3], stride, padding: [usize; 3], dilation: [usize; 3]| {
            let output = std::array::from_fn(|d| {
                let stride: [usize; 3] = stride;
                (input[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d] + 1
            });
            Window { input, output, kernel, stride, padding, dilation }
        };
        vec![
            window([1, 5, 6], [1, 3, 3], [1, 1, 1], [0, 1, 1], [1, 1, 1]),
            window([1, 6, 4], [1, 3, 5], [1, 1, 1], [0, 4, 4], [1, 2, 2]),
            window([1, 7, 5], [1, 2, 3], [1, 2, 3], [0, 0, 2], [1, 2, 1]),
            window([4, 3, 5], [3, 2, 3], [2, 1, 2], [1, 1, 4], [1, 1, 2]),
            window([1, 1, 9], [1, 1, 4], [1, 1, 2], [0, 0, 3], [1, 1, 2]),
            window([1, 1, 2], [1, 1, 1], [1, 1, 1], [0, 0, 5], [1, 1, 1]),
        ]
    }

    #[test]
    fn columns_are_what_the_windows_see() {
        for window in windows() {
            let planes: Vec<f64> = (1..=2 * window.plane()).map(|i| i as f64).collect();
            let expected = naive(&window, &planes);
            let mut columns = vec![f64::NAN; expected.len()];
            window.lower(&planes, 0..window.rows(), &mut columns, window.count());
            assert_eq!(columns, expected, "{window:?}");
        }
    }

    #[test]
    fn raising_is_the_adjoint_of_lowering() {
        for window in windows() {
            let planes: Vec<f64> = (0..2 * window.plane()).map(|i| ((i * 7 % 11) as f64) - 5.0).collect();
            let columns = naive(&window, &planes);
            let other: Vec<f64> = (0..columns.len()).map(|i| ((i * 5 % 13) as f64) - 6.0).collect();
            let mut raised = vec![0.0; planes.len()];
            window.raise(&mut other.clone(), window.count(), 0..window.rows(), &mut raised);
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            assert_eq!(dot(&raised, &planes), dot(&other, &columns), "{window:?}");
        }
    }
}
