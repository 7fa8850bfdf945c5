//! Padding and cropping at the ends of dimensions.

use super::rearrange::rearranged;
use crate::kernel::rearrange::OUTSIDE;
use crate::shape::Ints;
use crate::{Scalar, Tensor};

/// What [`Tensor::pad`] puts around a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PadMode {
    /// One number.
    Constant(f64),
    /// The elements mirrored at the first and last one, which are not repeated.
    Reflect,
    /// The first and the last element.
    Replicate,
    /// The elements from the other end.
    Circular,
}

/// The padding of one dimension, for messages.
struct Wanted<'a> {
    x: &'a Tensor,
    dim: usize,
    before: isize,
    after: isize,
}

impl Wanted<'_> {
    #[track_caller]
    fn refuse(&self, text: &str) -> ! {
        let Wanted { x, dim, before, after } = self;
        panic!("pad: {text} (padding ({before}, {after}) at dimension {dim} of shape {:?})", x.sizes())
    }
}

impl Tensor {
    /// The tensor with elements added before and after: `pad` holds two numbers per dimension, the last
    /// dimension first, as torch's `nn.functional.pad`. Negative numbers crop.
    ///
    /// ```
    /// # use tape::{PadMode, Tensor};
    /// let x = Tensor::from([[1.0, 2.0, 3.0]]);
    /// assert_eq!(x.pad([1, 1], PadMode::Constant(0.0)).to_vec::<f64>(), [0.0, 1.0, 2.0, 3.0, 0.0]);
    /// assert_eq!(x.pad([2, 0], PadMode::Reflect).to_vec::<f64>(), [3.0, 2.0, 1.0, 2.0, 3.0]);
    /// assert_eq!(x.pad([0, 2], PadMode::Replicate).to_vec::<f64>(), [1.0, 2.0, 3.0, 3.0, 3.0]);
    /// assert_eq!(x.pad([-1, 1], PadMode::Circular).to_vec::<f64>(), [2.0, 3.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If `pad` has an odd length or more numbers than two per dimension, crops more than there is, reflects
    /// as many elements as the dimension has or more, or wraps around more than once.
    #[track_caller]
    pub fn pad(&self, pad: impl Into<Ints>, mode: PadMode) -> Tensor {
        let pad = pad.into();
        if pad.len() % 2 != 0 {
            panic!("pad: Padding length must be divisible by 2, but got {:?}; two numbers per dimension", &pad[..]);
        }
        if pad.len() / 2 > self.dim() {
            panic!(
                "pad: Padding length should be less than or equal to two times the input dimension but got padding \
                 length {} and input of dimension {} (shape {:?})",
                pad.len(),
                self.dim(),
                self.sizes()
            );
        }
        let mut lists = vec![None; self.dim()];
        for (ends, dim) in pad.chunks_exact(2).zip((0..self.dim()).rev()) {
            if ends != [0, 0] {
                lists[dim] = Some(self.padded_indices(dim, ends[0], ends[1], mode));
            }
        }
        let fill = if let PadMode::Constant(value) = mode { value } else { 0.0 };
        rearranged(self, lists, Scalar::Float(fill), names(mode, pad.len() / 2))
    }

    /// Which index of dimension `dim` stands at every place of the padded one.
    #[track_caller]
    fn padded_indices(&self, dim: usize, before: isize, after: isize, mode: PadMode) -> Vec<usize> {
        let size = self.sizes()[dim] as isize;
        let wanted = Wanted { x: self, dim, before, after };
        let kept = size + before.min(0) + after.min(0);
        let places = -before..size + after;
        match mode {
            PadMode::Constant(_) => {
                if kept < 0 {
                    wanted.refuse("negative padding resulted in a negative output size, which is invalid");
                }
                places.map(|at| if (0..size).contains(&at) { at as usize } else { OUTSIDE }).collect()
            }
            PadMode::Reflect | PadMode::Replicate if size + before + after < 1 || size == 0 => {
                wanted.refuse(&format!("input ({size}) is too small. Calculated output: {}", size + before + after))
            }
            PadMode::Reflect => {
                if before >= size || after >= size {
                    wanted.refuse("Padding size should be less than the corresponding input dimension");
                }
                let mirror = |at: isize| if at < size { at.abs() } else { 2 * (size - 1) - at };
                places.map(|at| mirror(at) as usize).collect()
            }
            PadMode::Replicate => places.map(|at| at.clamp(0, size - 1) as usize).collect(),
            PadMode::Circular => {
                if kept < 0 {
                    wanted.refuse("Negative padding value is resulting in an empty dimension");
                }
                if before > kept || after > kept {
                    wanted.refuse("Padding value causes wrapping around more than once.");
                }
                // What is cropped is gone before the rest wraps around.
                let first = (-before).max(0);
                let wrapped = |at: isize| (first + (at - before.max(0)).rem_euclid(kept)) as usize;
                (0..kept + before.max(0) + after.max(0)).map(wrapped).collect()
            }
        }
    }
}

/// torch's names of the node and of its derivative's.
fn names(mode: PadMode, dims: usize) -> [&'static str; 2] {
    match (mode, dims) {
        (PadMode::Constant(_), _) => ["ConstantPadNdBackward0"; 2],
        (PadMode::Circular, _) => ["CopySlices"; 2],
        (PadMode::Reflect, 0 | 1) => ["ReflectionPad1DBackward0", "ReflectionPad1DBackwardBackward0"],
        (PadMode::Reflect, 2) => ["ReflectionPad2DBackward0", "ReflectionPad2DBackwardBackward0"],
        (PadMode::Reflect, _) => ["ReflectionPad3DBackward0", "ReflectionPad3DBackwardBackward0"],
        (PadMode::Replicate, 0 | 1) => ["ReplicationPad1DBackward0", "ReplicationPad1DBackwardBackward0"],
        (PadMode::Replicate, 2) => ["ReplicationPad2DBackward0", "ReplicationPad2DBackwardBackward0"],
        (PadMode::Replicate, _) => ["ReplicationPad3DBackward0", "ReplicationPad3DBackwardBackward0"],
    }
}

#[cfg(test)]
mod tests {
    use super::PadMode::{self, Circular, Constant, Reflect, Replicate};
    use crate::op::spread;
    use crate::{DType, Tensor, gradcheck, gradgradcheck};

    fn padded(shape: &[usize], pad: &[isize], mode: PadMode) -> Vec<i64> {
        let numel: usize = shape.iter().product();
        Tensor::arange(0, numel, 1).reshape_to(shape).pad(pad, mode).to_vec::<i64>()
    }

    #[test]
    fn ends_of_lines_are_torchs() {
        // torch.nn.functional.pad(torch.arange(6.).reshape(1, 2, 3), ...)
        assert_eq!(padded(&[1, 2, 3], &[2, 1], Reflect), [2, 1, 0, 1, 2, 1, 5, 4, 3, 4, 5, 4]);
        assert_eq!(padded(&[1, 2, 3], &[-1, 2], Reflect), [1, 2, 1, 0, 4, 5, 4, 3]);
        assert_eq!(padded(&[1, 2, 3], &[1, -1], Reflect), [1, 0, 1, 4, 3, 4]);
        assert_eq!(padded(&[1, 2, 3], &[2, 1], Replicate), [0, 0, 0, 1, 2, 2, 3, 3, 3, 4, 5, 5]);
        assert_eq!(padded(&[1, 2, 3], &[-1, 2], Replicate), [1, 2, 2, 2, 4, 5, 5, 5]);
        assert_eq!(padded(&[1, 2, 3], &[1, -1], Replicate), [0, 0, 1, 3, 3, 4]);
        assert_eq!(padded(&[1, 2, 3], &[2, 1], Circular), [1, 2, 0, 1, 2, 0, 4, 5, 3, 4, 5, 3]);
        assert_eq!(padded(&[1, 2, 3], &[-1, 2], Circular), [1, 2, 1, 2, 4, 5, 4, 5]);
        assert_eq!(padded(&[1, 2, 3], &[1, -1], Circular), [1, 0, 1, 4, 3, 4]);
        assert_eq!(padded(&[1, 2, 3], &[2, 1], Constant(0.0)), [0, 0, 0, 1, 2, 0, 0, 0, 3, 4, 5, 0]);
        assert_eq!(padded(&[1, 2, 3], &[-1, 2], Constant(0.0)), [1, 2, 0, 0, 4, 5, 0, 0]);
        assert_eq!(padded(&[1, 2, 3], &[1, -1], Constant(0.0)), [0, 0, 1, 0, 3, 4]);
    }

    #[test]
    fn edges_of_planes_and_volumes_are_torchs() {
        // torch.nn.functional.pad of arange(6.).reshape(1, 1, 2, 3) and of arange(8.).reshape(1, 1, 2, 2, 2)
        assert_eq!(padded(&[1, 1, 2, 3], &[1, 0, 1, 1], Reflect), [4, 3, 4, 5, 1, 0, 1, 2, 4, 3, 4, 5, 1, 0, 1, 2]);
        assert_eq!(
            padded(&[1, 1, 2, 2, 2], &[1, 1, 0, 1, 1, 0], Reflect),
            [
                5, 4, 5, 4, 7, 6, 7, 6, 5, 4, 5, 4, 1, 0, 1, 0, 3, 2, 3, 2, 1, 0, 1, 0, 5, 4, 5, 4, 7, 6, 7, 6, 5, 4,
                5, 4
            ]
        );
        assert_eq!(padded(&[1, 1, 2, 3], &[1, 0, 1, 1], Replicate), [0, 0, 1, 2, 0, 0, 1, 2, 3, 3, 4, 5, 3, 3, 4, 5]);
        assert_eq!(
            padded(&[1, 1, 2, 2, 2], &[1, 1, 0, 1, 1, 0], Replicate),
            [
                0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 6, 6,
                7, 7
            ]
        );
        assert_eq!(padded(&[1, 1, 2, 3], &[1, 0, 1, 1], Circular), [5, 3, 4, 5, 2, 0, 1, 2, 5, 3, 4, 5, 2, 0, 1, 2]);
        assert_eq!(
            padded(&[1, 1, 2, 2, 2], &[1, 1, 0, 1, 1, 0], Circular),
            [
                5, 4, 5, 4, 7, 6, 7, 6, 5, 4, 5, 4, 1, 0, 1, 0, 3, 2, 3, 2, 1, 0, 1, 0, 5, 4, 5, 4, 7, 6, 7, 6, 5, 4,
                5, 4
            ]
        );
        assert_eq!(
            padded(&[1, 1, 2, 3], &[1, 0, 1, 1], Constant(0.0)),
            [0, 0, 0, 0, 0, 0, 1, 2, 0, 3, 4, 5, 0, 0, 0, 0]
        );
        assert_eq!(
            padded(&[1, 1, 2, 2, 2], &[1, 1, 0, 1, 1, 0], Constant(0.0)),
            [
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 3, 0, 0, 0, 0, 0, 0, 4, 5, 0, 0, 6, 7, 0, 0, 0,
                0, 0
            ]
        );
    }
    #[test]
    fn padding_has_the_derivatives_it_claims() {
        let (plane, volume) = (spread(&[2, 3, 4], -1.0, 1.0), spread(&[1, 2, 2, 3], -1.0, 1.0));
        for mode in [Constant(0.5), Reflect, Replicate, Circular] {
            gradcheck(|x| x[0].pad([2, 1, -1, 2], mode).square(), &[&plane]).unwrap();
            gradgradcheck(|x| x[0].pad([2, 1, -1, 2], mode).square(), &[&plane]).unwrap();
            gradcheck(|x| x[0].transpose(1, 3).pad([1, 1, 0, 1, 1, 2], mode).square(), &[&volume]).unwrap();
        }
    }

    #[test]
    fn empty_tensors_and_booleans_can_be_padded() {
        let empty = Tensor::zeros([2, 0], DType::Bool);
        assert_eq!(empty.pad([1, 1], Constant(1.0)).to_vec::<bool>(), [true; 4]);
        assert_eq!(empty.pad([0, 0, 3, 0], Replicate).sizes(), [5, 0]);
        let x = Tensor::from([1.0, 2.0]);
        assert_eq!(x.pad((), Reflect).to_vec::<f64>(), [1.0, 2.0]);
        assert_eq!(x.pad([-1, -1], Constant(0.0)).sizes(), [0]);
        assert_eq!(x.pad([0, 1], Constant(f64::INFINITY)).to_vec::<f64>(), [1.0, 2.0, f64::INFINITY]);
    }

    fn panics_with(text: &str, pad: &[isize], mode: PadMode) {
        let call = || Tensor::zeros([2, 4], DType::F32).pad(pad, mode);
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains(text), "{message}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        panics_with("must be divisible by 2", &[1], Reflect);
        panics_with("padding length 6 and input of dimension 2", &[1; 6], Constant(0.0));
        panics_with("negative output size", &[-3, -2], Constant(0.0));
        panics_with(
            "should be less than the corresponding input dimension (padding (4, 0) at dimension 1",
            &[4, 0],
            Reflect,
        );
        panics_with("input (4) is too small. Calculated output: 0", &[-2, -2], Replicate);
        panics_with("wrapping around more than once", &[5, 0], Circular);
        panics_with("Negative padding value is resulting in an empty dimension", &[-3, -2], Circular);
    }
}
