//! Making tensors.

use crate::buffer::Buffer;
use crate::dtype::dispatch;
use crate::shape::{Dims, Shape, numel};
use crate::storage::{build, zeros};
use crate::{DType, Element, Scalar, Tensor};

/// Nested arrays of numbers that convert into tensors: `1.0`, `[1.0, 2.0]`, `[[1.0], [2.0]]`, and so on.
pub trait Nested {
    /// The number at the bottom.
    type Number: Element;
    /// Appends the sizes of this level and those below.
    fn sizes(&self, sizes: &mut Vec<usize>);
    /// Appends the numbers in row-major order.
    fn flatten(&self, values: &mut Vec<Self::Number>);
}

macro_rules! nested_number {
    ($($type:ty),*) => {$(
        impl Nested for $type {
            type Number = $type;
            fn sizes(&self, _: &mut Vec<usize>) {}
            fn flatten(&self, values: &mut Vec<$type>) {
                values.push(*self);
            }
        }
    )*};
}
nested_number!(f32, f64, i64, bool);

impl<N: Nested, const LEN: usize> Nested for [N; LEN] {
    type Number = N::Number;
    fn sizes(&self, sizes: &mut Vec<usize>) {
        sizes.push(LEN);
        // The sizes below an empty level are not known; torch gives them up too.
        if let Some(first) = self.first() {
            first.sizes(sizes);
        }
    }
    fn flatten(&self, values: &mut Vec<N::Number>) {
        self.iter().for_each(|row| row.flatten(values));
    }
}

impl<N: Nested> From<N> for Tensor {
    fn from(values: N) -> Tensor {
        let (mut sizes, mut flat) = (Vec::new(), Vec::new());
        values.sizes(&mut sizes);
        values.flatten(&mut flat);
        Tensor::from_buffer(Buffer::from_slice(&flat), Dims::from_vec(sizes))
    }
}

impl<T: Element> From<Vec<T>> for Tensor {
    fn from(values: Vec<T>) -> Tensor {
        Tensor::from(&values[..])
    }
}

impl<T: Element> From<&[T]> for Tensor {
    fn from(values: &[T]) -> Tensor {
        Tensor::from_buffer(Buffer::from_slice(values), Dims::from_slice(&[values.len()]))
    }
}

/// A number that fixes the dtype of [`Tensor::arange`]: integers give `I64`, `f32` and `f64` themselves.
pub trait Number: Copy + Into<Scalar> {
    /// The dtype of a tensor of such numbers.
    const DTYPE: DType;
}
impl Number for i32 {
    const DTYPE: DType = DType::I64;
}
impl Number for i64 {
    const DTYPE: DType = DType::I64;
}
impl Number for usize {
    const DTYPE: DType = DType::I64;
}
impl Number for f32 {
    const DTYPE: DType = DType::F32;
}
impl Number for f64 {
    const DTYPE: DType = DType::F64;
}

impl Tensor {
    /// A tensor of `shape` with the given elements in row-major order.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]);
    /// assert_eq!(x.i((1, 0)).item(), 4.0);
    /// ```
    ///
    /// # Panics
    /// If the number of elements is not the product of the sizes.
    #[track_caller]
    pub fn from_vec<T: Element>(values: Vec<T>, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        if values.len() != numel(&shape) {
            panic!("from_vec: shape {:?} needs {} elements but {} were given", &shape[..], numel(&shape), values.len());
        }
        Tensor::from_buffer(Buffer::from_slice(&values), shape.0)
    }

    /// Zeros (`false` for booleans).
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// assert_eq!(Tensor::zeros([2], DType::I64).to_vec::<i64>(), [0, 0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor does not fit this machine's memory.
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>, dtype: DType) -> Tensor {
        let shape = shape.into();
        Tensor::from_buffer(zeros(dtype, numel(&shape)), shape.0)
    }

    /// Ones (`true` for booleans).
    ///
    /// # Panics
    /// If the tensor does not fit this machine's memory.
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>, dtype: DType) -> Tensor {
        Tensor::full(shape, 1, dtype)
    }

    /// Elements of unspecified value, to be overwritten.
    ///
    /// # Panics
    /// If the tensor does not fit this machine's memory.
    #[track_caller]
    pub fn empty(shape: impl Into<Shape>, dtype: DType) -> Tensor {
        let shape = shape.into();
        Tensor::from_buffer(Buffer::new(dtype, numel(&shape)), shape.0)
    }

    /// One value everywhere.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// assert_eq!(Tensor::full([2], 0.5, DType::F32).to_vec::<f32>(), [0.5, 0.5]);
    /// ```
    ///
    /// # Panics
    /// If the tensor does not fit this machine's memory.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: impl Into<Scalar>, dtype: DType) -> Tensor {
        let (shape, value) = (shape.into(), value.into());
        dispatch!(dtype, T => {
            let value = value.cast::<T>();
            Tensor::from_buffer(build::<T>(numel(&shape), |out| out.fill(value)), shape.0)
        })
    }

    /// Zeros of this tensor's shape and dtype.
    pub fn zeros_like(&self) -> Tensor {
        Tensor::zeros(self.sizes(), self.dtype())
    }

    /// Ones of this tensor's shape and dtype.
    pub fn ones_like(&self) -> Tensor {
        Tensor::ones(self.sizes(), self.dtype())
    }

    /// Unspecified elements of this tensor's shape and dtype.
    pub fn empty_like(&self) -> Tensor {
        Tensor::empty(self.sizes(), self.dtype())
    }

    /// One value in this tensor's shape and dtype.
    pub fn full_like(&self, value: impl Into<Scalar>) -> Tensor {
        Tensor::full(self.sizes(), value, self.dtype())
    }

    /// The identity matrix of `n` rows.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// assert_eq!(Tensor::eye(2, DType::F64).to_vec::<f64>(), [1.0, 0.0, 0.0, 1.0]);
    /// ```
    pub fn eye(n: usize, dtype: DType) -> Tensor {
        dispatch!(dtype, T => {
            let buffer = build::<T>(n * n, |out| {
                out.fill(T::default());
                out.iter_mut().step_by(n + 1).for_each(|x| *x = T::from_i64(1));
            });
            Tensor::from_buffer(buffer, Dims::from_slice(&[n, n]))
        })
    }

    /// `start, start + step, ...` up to but not including `end`: `ceil((end - start) / step)` elements,
    /// each computed as `start + i * step`. The arguments' type gives the dtype: integers `I64`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::arange(0, 6, 2).to_vec::<i64>(), [0, 2, 4]);
    /// assert_eq!(Tensor::arange(1.0, 0.0, -0.5).to_vec::<f64>(), [1.0, 0.5]);
    /// ```
    ///
    /// # Panics
    /// If `step` is zero or leads away from `end`.
    #[track_caller]
    pub fn arange<N: Number>(start: N, end: N, step: N) -> Tensor {
        let (start, end, step): (Scalar, Scalar, Scalar) = (start.into(), end.into(), step.into());
        let count = ((end.to_f64() - start.to_f64()) / step.to_f64()).ceil();
        if step.to_f64() == 0.0 || !count.is_finite() {
            panic!("arange: step must be nonzero and bounds finite; got start {start}, end {end}, step {step}");
        }
        if count < 0.0 {
            panic!(
                "arange: upper bound and lower bound inconsistent with step sign; got start {start}, end {end}, step {step}"
            );
        }
        let count = count as usize;
        dispatch!(N::DTYPE, T => {
            let buffer = build::<T>(count, |out| {
                for (i, x) in out.iter_mut().enumerate() {
                    *x = match (start, step) {
                        (Scalar::Int(start), Scalar::Int(step)) => T::from_i64(start + i as i64 * step),
                        _ => T::from_f64(start.to_f64() + i as f64 * step.to_f64()),
                    };
                }
            });
            Tensor::from_buffer(buffer, Dims::from_slice(&[count]))
        })
    }

    /// `steps` evenly spaced values from `start` to `end`, both included. As torch computes it: the first
    /// half counts up from `start`, the second half down from `end`.
    ///
    /// ```
    /// # use tape::{DType, Tensor};
    /// assert_eq!(Tensor::linspace(0.0, 1.0, 3, DType::F64).to_vec::<f64>(), [0.0, 0.5, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If `dtype` is not a floating-point type.
    #[track_caller]
    pub fn linspace(start: f64, end: f64, steps: usize, dtype: DType) -> Tensor {
        crate::dtype::dispatch_float!("linspace", dtype, T => {
            let (first, last) = (T::from_f64(start), T::from_f64(end));
            let step = if steps > 1 { (last - first) / T::from_i64(steps as i64 - 1) } else { T::default() };
            let buffer = build::<T>(steps, |out| {
                for (i, x) in out.iter_mut().enumerate() {
                    *x = if i < steps / 2 || steps == 1 {
                        first + step * T::from_i64(i as i64)
                    } else {
                        last - step * T::from_i64((steps - i - 1) as i64)
                    };
                }
            });
            Tensor::from_buffer(buffer, Dims::from_slice(&[steps]))
        })
    }
}
