//! Loops over slices: no tensors, no graph. A kernel reads [`Strided`] views and writes a dense,
//! row-major output slice.

pub(crate) mod axis;
pub(crate) mod convolution;
pub(crate) mod copy;
pub(crate) mod distance;
#[cfg(feature = "linalg")]
pub(crate) mod factor;
pub(crate) mod gather;
pub(crate) mod loss;
pub(crate) mod map;
pub(crate) mod matmul;
pub(crate) mod moments;
pub(crate) mod normalization;
pub(crate) mod parallel;
pub(crate) mod pool;
pub(crate) mod rearrange;
pub(crate) mod reduce;
pub(crate) mod resample;
pub(crate) mod rows;
pub(crate) mod scan;
pub(crate) mod simd;
pub(crate) mod softmax;
pub(crate) mod sort;
pub(crate) mod vmath;
pub(crate) mod window;

/// A read-only strided view of a slice: `data[0]` is the first element, `strides` count elements.
/// A stride of zero repeats one element (broadcasting); strides are never negative.
#[derive(Clone, Copy)]
pub(crate) struct Strided<'a, T> {
    pub data: &'a [T],
    pub shape: &'a [usize],
    pub strides: &'a [usize],
}

impl<'a, T> Strided<'a, T> {
    pub fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    /// The elements as one dense row-major slice, if they lie that way in memory.
    pub fn as_slice(&self) -> Option<&'a [T]> {
        is_row_major(self.shape, self.strides).then(|| &self.data[..self.numel()])
    }
}

/// A writable strided view; no two indices reach the same element.
pub(crate) struct StridedMut<'a, T> {
    pub data: &'a mut [T],
    pub shape: &'a [usize],
    pub strides: &'a [usize],
}

/// Whether `strides` are those of a dense row-major array (dimensions of size one may have any stride).
#[inline]
pub(crate) fn is_row_major(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    for (&size, &stride) in shape.iter().zip(strides).rev() {
        if size != 1 {
            if stride != expected {
                // Of no elements, any arrangement is dense.
                return shape.contains(&0);
            }
            expected *= size;
        }
    }
    true
}
