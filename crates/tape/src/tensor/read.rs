//! Getting numbers out of tensors.

use crate::dtype::dispatch;
use crate::kernel::copy;
use crate::{Element, Tensor};

impl Tensor {
    /// The only element, converted to `f64`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([[2.5]]).item(), 2.5);
    /// assert_eq!(Tensor::from(7i64).item(), 7.0);
    /// ```
    ///
    /// # Panics
    /// If the tensor does not have exactly one element.
    #[track_caller]
    pub fn item(&self) -> f64 {
        self.item_as()
    }

    /// The only element, converted to `T`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([3.0f32]).item_as::<i64>(), 3);
    /// ```
    ///
    /// # Panics
    /// If the tensor does not have exactly one element.
    #[track_caller]
    pub fn item_as<T: Element>(&self) -> T {
        if self.numel() != 1 {
            panic!(
                "item: only one element tensors can be converted to Python scalars, but this one has {} (shape {:?}); \
                 reduce it or index one element first",
                self.numel(),
                self.sizes()
            );
        }
        dispatch!(self.dtype(), S => self.with::<S, _>(|x| x.data[0].cast()))
    }

    /// All elements in row-major order.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 2.0], [3.0, 4.0]]).t().to_vec::<f64>(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If `T` is not the tensor's own element type; convert with `to_dtype` first.
    #[track_caller]
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        if T::DTYPE != self.dtype() {
            panic!(
                "to_vec: the tensor holds {} but {} was asked for; convert with to_dtype(DType::{:?}) first",
                self.dtype(),
                T::DTYPE,
                T::DTYPE
            );
        }
        let mut values = vec![T::default(); self.numel()];
        self.with::<T, _>(|x| copy::to_dense(x, &mut values));
        values
    }

    /// Writes all elements into `out` in row-major order, converted to `T`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let mut flat = [0.0f64; 2];
    /// Tensor::from([1.5f32, 2.5]).read_into(&mut flat);
    /// assert_eq!(flat, [1.5, 2.5]);
    /// ```
    ///
    /// # Panics
    /// If `out` does not have as many elements as the tensor.
    #[track_caller]
    pub fn read_into<T: Element>(&self, out: &mut [T]) {
        if out.len() != self.numel() {
            panic!(
                "read_into: the tensor has {} elements (shape {:?}) but the slice has {}; give a slice of that length",
                self.numel(),
                self.sizes(),
                out.len()
            );
        }
        if T::DTYPE == self.dtype() {
            self.with::<T, _>(|x| copy::to_dense(x, out));
        } else {
            dispatch!(self.dtype(), S => self.with::<S, _>(|x| copy::cast_to_dense(x, out)));
        }
    }
}
