//! Walks several strided operands of one shape row by row.

use smallvec::SmallVec;
use std::ops::Range;

/// A shape with the strides of `N` operands, with dimensions merged wherever all operands allow it.
/// The last merged dimension is the row; the others count rows.
pub(crate) struct Rows<const N: usize> {
    /// Elements in a row.
    pub len: usize,
    /// Distance between neighbours within a row, for each operand.
    pub strides: [usize; N],
    outer: SmallVec<[(usize, [usize; N]); 4]>,
}

impl<const N: usize> Rows<N> {
    pub fn new(shape: &[usize], strides: [&[usize]; N]) -> Rows<N> {
        let mut dims: SmallVec<[(usize, [usize; N]); 4]> = SmallVec::new();
        for (i, &size) in shape.iter().enumerate() {
            if size == 1 {
                continue;
            }
            let step = strides.map(|s| s[i]);
            match dims.last_mut() {
                Some((last, outer)) if (0..N).all(|k| outer[k] == step[k] * size) => {
                    *last *= size;
                    *outer = step;
                }
                _ => dims.push((size, step)),
            }
        }
        let (len, strides) = dims.pop().unwrap_or((1, [1; N]));
        Rows { len, strides, outer: dims }
    }

    pub fn count(&self) -> usize {
        if self.len == 0 { 0 } else { self.outer.iter().map(|(size, _)| size).product() }
    }

    /// Whether row `i` starts at element `i` of every operand.
    pub fn is_counting(&self) -> bool {
        matches!(self.outer[..], [(_, steps)] if steps == [1; N])
    }

    /// A walk over the rows of `range`.
    #[inline(always)]
    pub fn cursor(&self, range: Range<usize>) -> Cursor<'_, N> {
        let mut index: SmallVec<[usize; 4]> = SmallVec::from_elem(0, self.outer.len());
        let mut offsets = [0; N];
        let mut rest = range.start;
        // An empty walk may have dimensions of size zero, which nothing can be counted in.
        let dims = if range.is_empty() { 0 } else { self.outer.len() };
        for (i, (size, steps)) in self.outer[..dims].iter().enumerate().rev() {
            index[i] = rest % size;
            rest /= size;
            for k in 0..N {
                offsets[k] += index[i] * steps[k];
            }
        }
        Cursor { rows: self, index, offsets, left: range.len() }
    }

    /// Calls `visit` with each operand's offset of the first element of every row.
    #[inline]
    pub fn for_each(&self, mut visit: impl FnMut([usize; N])) {
        let mut cursor = self.cursor(0..self.count());
        while let Some(offsets) = cursor.next() {
            visit(offsets);
        }
    }
}

/// Yields each operand's offset of the first element of a row. Not an `Iterator`, because kernels need
/// it inlined whatever its size.
pub(crate) struct Cursor<'a, const N: usize> {
    rows: &'a Rows<N>,
    index: SmallVec<[usize; 4]>,
    offsets: [usize; N],
    left: usize,
}

impl<const N: usize> Cursor<'_, N> {
    #[inline(always)]
    pub fn next(&mut self) -> Option<[usize; N]> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let current = self.offsets;
        for (i, (size, steps)) in self.rows.outer.iter().enumerate().rev() {
            self.index[i] += 1;
            for (offset, step) in self.offsets.iter_mut().zip(steps) {
                *offset += step;
            }
            if self.index[i] < *size {
                break;
            }
            self.index[i] = 0;
            for (offset, step) in self.offsets.iter_mut().zip(steps) {
                *offset -= size * step;
            }
        }
        Some(current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_visit_every_element_in_order_from_any_start() {
        let shape = [2, 1, 3, 4];
        let (a, b) = ([100, 7, 1, 10], [12, 12, 4, 1]);
        let rows = Rows::new(&shape, [&a[..], &b[..]]);
        assert_eq!((rows.len, rows.strides, rows.count()), (4, [10, 1], 6));
        let mut seen = Vec::new();
        let mut cursor = rows.cursor(1..6);
        while let Some([x, y]) = cursor.next() {
            seen.push((x, y));
        }
        assert_eq!(seen, [(1, 4), (2, 8), (100, 12), (101, 16), (102, 20)]);
    }

    #[test]
    fn a_dense_operand_is_one_row() {
        let rows = Rows::new(&[2, 3, 4], [&[12, 4, 1][..]]);
        assert_eq!((rows.len, rows.count()), (24, 1));
        assert_eq!(Rows::new(&[2, 0], [&[0, 1][..]]).count(), 0);
        assert_eq!(Rows::<1>::new(&[], [&[]]).count(), 1);
    }
}
