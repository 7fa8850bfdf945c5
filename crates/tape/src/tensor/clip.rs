//! What clipping gradients needs: the norm in torch's order, and changes of the elements in one pass.

use super::Layout;
use crate::dtype::dispatch_float;
use crate::kernel::map::{self, Unary};
use crate::kernel::parallel::Locked;
use crate::kernel::{Strided, StridedMut, copy};
use crate::vector::{norm, norm_one_by_one};
use crate::{Element, Float, Tensor};
use std::cmp::Reverse;

impl Tensor {
    /// The `p`-norm of all elements with the bits that `torch.linalg.vector_norm` has on a CPU, unrecorded.
    ///
    /// The elements are added up in the dtype and, like torch's, in the order in which they lie in memory, dense
    /// ones as [`vector::norm`](crate::vector::norm) does it. [`Tensor::norm`] has a derivative and the smaller
    /// rounding error.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[3.0f32, 0.0], [0.0, -4.0]]);
    /// assert_eq!(x.norm_in_memory_order(2.0), 5.0);
    /// assert_eq!(x.t().norm_in_memory_order(1.0), 7.0);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point.
    #[track_caller]
    pub fn norm_in_memory_order(&self, p: f64) -> f64 {
        let Layout { shape, strides, .. } = self.layout().in_memory_order();
        dispatch_float!("norm_in_memory_order", self.dtype(), T => self.with::<T, _>(|x| {
            let x = Strided { data: x.data, shape: &shape, strides: &strides };
            match x.as_slice() {
                Some(dense) => norm(dense, p).to_f64(),
                None => {
                    let mut dense = vec![T::ZERO; x.numel()];
                    copy::to_dense(x, &mut dense);
                    norm_one_by_one(&dense, p).to_f64()
                }
            }
        }))
    }

    /// Multiplies all elements by `factor`, rounded to the dtype, in one pass and unrecorded. Counts as an
    /// in-place change.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// x.i((.., 0)).scale_by(-2.0);
    /// assert_eq!(x.to_vec::<f64>(), [-2.0, 2.0, -6.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not floating point, or the tensor repeats elements (`expand`).
    #[track_caller]
    pub fn scale_by(&self, factor: f64) {
        dispatch_float!("scale_by", self.dtype(), T => self.update_each("scale_by", Scale(T::from_f64(factor))));
    }

    /// Raises elements below `min` to it, then lowers those above `max` to that, in one pass and unrecorded.
    /// Counts as an in-place change.
    ///
    /// As in torch's `clamp_`, NaN stays NaN, a bound that is NaN makes everything NaN, and `max` wins if
    /// `min` is above it.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([-2.0f32, 0.5, 2.0]);
    /// x.limit_to(-1.0, 1.0);
    /// assert_eq!(x.to_vec::<f32>(), [-1.0, 0.5, 1.0]);
    /// ```
    ///
    /// # Panics
    /// As [`scale_by`](Tensor::scale_by).
    #[track_caller]
    pub fn limit_to(&self, min: f64, max: f64) {
        if min.is_nan() || max.is_nan() {
            return self.scale_by(f64::NAN);
        }
        dispatch_float!("limit_to", self.dtype(), T => {
            self.update_each("limit_to", Limit(T::from_f64(min), T::from_f64(max)));
        });
    }

    #[track_caller]
    fn update_each<T: Float>(&self, op: &str, f: impl Unary<T>) {
        self.check_distinct(op);
        let Layout { shape, strides, .. } = self.layout().in_memory_order();
        let _locked = Locked::new();
        let mut guard = self.inner.storage.write();
        let data = self.strided_mut::<T>(&mut guard).data;
        map::unary_in_place_strided(StridedMut { data, shape: &shape, strides: &strides }, f);
    }
}

impl Layout {
    /// The same elements with the dimension of the smallest step last, which makes a transposed dense layout a
    /// row-major one. Repeated elements stay in the order of their indices.
    fn in_memory_order(&self) -> Layout {
        let mut dims: Vec<usize> = (0..self.shape.len()).filter(|&dim| self.shape[dim] != 1).collect();
        if dims.iter().all(|&dim| self.strides[dim] != 0) {
            dims.sort_by_key(|&dim| Reverse(self.strides[dim]));
        }
        Layout {
            shape: dims.iter().map(|&dim| self.shape[dim]).collect(),
            strides: dims.iter().map(|&dim| self.strides[dim]).collect(),
            offset: self.offset,
        }
    }
}

#[derive(Clone, Copy)]
struct Scale<T>(T);

impl<T: Float> Unary<T> for Scale<T> {
    #[inline(always)]
    fn apply(self, x: T) -> T {
        x * self.0
    }
}

#[derive(Clone, Copy)]
struct Limit<T>(T, T);

impl<T: Float> Unary<T> for Limit<T> {
    #[inline(always)]
    fn apply(self, x: T) -> T {
        let raised = if x < self.0 { self.0 } else { x };
        if raised > self.1 { self.1 } else { raised }
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    /// A dense cube, the layouts to look at it through, and some that leave elements out.
    fn views(cube: &Tensor) -> Vec<Tensor> {
        vec![
            cube.clone(),
            cube.transpose(0, 2),
            cube.permute([1, 2, 0]),
            cube.slice(2, .., 2),
            cube.slice(1, 1..3, 1),
            cube.slice(2, 1..4, 1).permute([2, 0, 1]),
            cube.select(2, 3),
            cube.slice(0, 0..0, 1),
            cube.i((1, 2, 3)),
        ]
    }

    fn cube() -> Tensor {
        Tensor::arange(-30.0, 30.0, 1.0).reshape([3, 4, 5])
    }

    #[test]
    fn one_pass_changes_what_the_view_shows_and_nothing_else() {
        for k in 0..views(&cube()).len() {
            let (scaled, limited, seen) = (cube(), cube(), cube().zeros_like());
            views(&scaled)[k].scale_by(-2.0);
            views(&limited)[k].limit_to(-7.0, 11.0);
            views(&seen)[k].fill_(1.0);
            let seen = seen.ne(0);
            assert!(scaled.equal(&Tensor::where_(&seen, &(cube() * -2.0), &cube())), "view {k}");
            assert!(limited.equal(&Tensor::where_(&seen, &cube().clamp(-7.0, 11.0), &cube())), "view {k}");
            assert_eq!(scaled.version(), 1);
        }
    }

    #[test]
    fn norms_are_the_same_through_every_layout() {
        for (k, view) in views(&cube()).iter().enumerate() {
            for p in [2.0, 1.0, 0.0, f64::INFINITY] {
                // Small integers: no sum is rounded, so the order does not show.
                let expected = view.to_vec::<f64>().into_iter().map(|x| match p {
                    0.0 => f64::from(x != 0.0),
                    1.0 => x.abs(),
                    _ => x * x,
                });
                let expected = match p {
                    2.0 => expected.sum::<f64>().sqrt(),
                    f64::INFINITY => expected.fold(0.0, f64::max).sqrt(),
                    _ => expected.sum(),
                };
                assert_eq!(view.norm_in_memory_order(p), expected, "view {k}, order {p}");
            }
        }
        assert_eq!(Tensor::from([3.0]).expand([4, 4]).norm_in_memory_order(2.0), 12.0);
    }

    #[test]
    #[should_panic(expected = "more than one element of the written-to tensor refers to a single memory location")]
    fn repeated_elements_are_not_written() {
        Tensor::from([1.0]).expand([3]).scale_by(2.0);
    }

    #[test]
    #[should_panic(expected = "scale_by: not implemented for dtype int64")]
    fn integers_are_not_scaled() {
        Tensor::from([1i64]).scale_by(0.5);
    }
}
