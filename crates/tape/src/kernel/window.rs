//! Windows that move over up to three spatial dimensions, and the copies between an array and the columns
//! that hold the contents of all windows.
//!
//! One and two spatial dimensions are three whose first sizes are one. Everything here works on whole rows
//! of the output: for one place of a window, the elements that a row of windows sees there are a row of the
//! input, possibly with steps, and zeros where the windows hang over the edge.

use crate::Element;
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
    fn for_each_place(&self, mut visit: impl FnMut(usize, [usize; DIMS], Range<usize>)) {
        let [_, k1, k2] = self.kernel;
        for number in 0..self.places() {
            let place = [number / (k1 * k2), number / k2 % k1, number % k2];
            visit(number, place, self.inside(2, place[2]));
        }
    }

    /// Writes the columns of the windows in `rows` of some planes: row `(plane, place)` of the matrix starts
    /// at a multiple of `pitch` and holds one element per window, zero where the window hangs over the edge.
    pub fn lower<T: Element>(&self, planes: &[T], rows: Range<usize>, columns: &mut [T], pitch: usize) {
        let (width, step) = (self.output[2], self.stride[2]);
        for (number, plane) in planes.chunks_exact(self.plane().max(1)).enumerate() {
            self.for_each_place(|place, at, inside| {
                let start = (number * self.places() + place) * pitch;
                let columns = &mut columns[start..start + rows.len() * width];
                for (row, out) in rows.clone().zip(columns.chunks_exact_mut(width)) {
                    let Some(Row { from, inside }) = self.row(row, at, &inside) else {
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
            });
        }
    }

    /// Adds columns to the elements that the windows see: the adjoint of [`lower`](Window::lower).
    pub fn raise<T: Element + std::ops::AddAssign>(
        &self,
        columns: &[T],
        pitch: usize,
        rows: Range<usize>,
        planes: &mut [T],
    ) {
        let (width, step) = (self.output[2], self.stride[2]);
        for (number, plane) in planes.chunks_exact_mut(self.plane().max(1)).enumerate() {
            self.for_each_place(|place, at, inside| {
                let start = (number * self.places() + place) * pitch;
                let columns = &columns[start..start + rows.len() * width];
                for (row, column) in rows.clone().zip(columns.chunks_exact(width)) {
                    let Some(Row { from, inside }) = self.row(row, at, &inside) else { continue };
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
            window.raise(&other, window.count(), 0..window.rows(), &mut raised);
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            assert_eq!(dot(&raised, &planes), dot(&other, &columns), "{window:?}");
        }
    }
}
