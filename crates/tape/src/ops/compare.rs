//! Comparisons, logic and classification of elements; their results are booleans and have no history.

use crate::dtype::dispatch;
use crate::kernel::map::{Binary, Unary};
use crate::kernel::reduce::{self, Combine};
use crate::op::{Operand, Right, map, promoted, zip};
use crate::shape::{Dims, Ints, dim_mask};
use crate::storage::build;
use crate::{DType, Element, Tensor};

/// Declares comparisons of a tensor with a tensor or a number: the method, the function of elements, and the
/// operator.
macro_rules! comparisons {
    ($($(#[$doc:meta])* fn $method:ident: $function:ident, $operator:tt;)+) => {$(
        #[derive(Clone, Copy)]
        struct $function;

        impl<T: Element> Binary<T, T, bool> for $function {
            #[inline(always)]
            fn apply(self, a: T, b: T) -> bool {
                a $operator b
            }
        }

        impl Tensor {
            $(#[$doc])*
            #[track_caller]
            pub fn $method<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
                // Compiled here and not in every crate that calls it.
                #[track_caller]
                fn apply(this: &Tensor, other: Operand<'_>) -> Tensor {
                    match other {
                        Operand::Tensor(other) if this.dtype() == other.dtype() => dispatch!(this.dtype(), T => {
                            zip::<T, T, bool, _>(stringify!($method), this, &other, $function)
                        }),
                        Operand::Tensor(other) => {
                            let (a, b) = promoted(this, &other);
                            a.$method(b)
                        }
                        Operand::Scalar(number) => {
                            let x = this.in_dtype(number.promote(this.dtype()));
                            dispatch!(x.dtype(), T => map(&x, Right($function, number.cast::<T>())))
                        }
                    }
                }
                apply(self, other.into())
            }
        }
    )+};
}

comparisons! {
    /// Whether each element equals the other's, under broadcasting; NaN equals nothing. Operands are compared
    /// in their common dtype.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).eq(2).to_vec::<bool>(), [false, true]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    fn eq: Equal, ==;

    /// Whether each element differs from the other's, under broadcasting; NaN differs from everything.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, f64::NAN]).ne(1.0).to_vec::<bool>(), [false, true]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    fn ne: Unequal, !=;

    /// Whether each element is less than the other's, under broadcasting; false with NaN.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).lt(&Tensor::from([2.0, 2.0])).to_vec::<bool>(), [true, false]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    fn lt: Less, <;

    /// Whether each element is less than or equal to the other's, under broadcasting; false with NaN.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0, 3.0]).le(2.0).to_vec::<bool>(), [true, true, false]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    fn le: LessEqual, <=;

    /// Whether each element is greater than the other's, under broadcasting; false with NaN.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0, 3.0]).gt(2.0).to_vec::<bool>(), [false, false, true]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    fn gt: Greater, >;

    /// Whether each element is greater than or equal to the other's, under broadcasting; false with NaN.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0, 3.0]).ge(2.0).to_vec::<bool>(), [false, true, true]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    fn ge: GreaterEqual, >=;
}

/// Declares functions of two truth values.
macro_rules! logical {
    ($($(#[$doc:meta])* fn $method:ident: $function:ident, $operator:tt;)+) => {$(
        #[derive(Clone, Copy)]
        struct $function;

        impl Binary<bool> for $function {
            #[inline(always)]
            fn apply(self, a: bool, b: bool) -> bool {
                a $operator b
            }
        }

        impl Tensor {
            $(#[$doc])*
            #[track_caller]
            pub fn $method(&self, other: &Tensor) -> Tensor {
                zip::<bool, bool, bool, _>(stringify!($method), &self.bool(), &other.bool(), $function)
            }
        }
    )+};
}

logical! {
    /// Whether both elements are true, under broadcasting; numbers are true unless they are zero.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([0.5, 1.5, 2.5]);
    /// assert_eq!(x.gt(1.0).logical_and(&x.lt(2.0)).to_vec::<bool>(), [false, true, false]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    fn logical_and: And, &;

    /// Whether either element is true, under broadcasting; numbers are true unless they are zero.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let or = Tensor::from([true, false]).logical_or(&Tensor::from([0.0, 0.0]));
    /// assert_eq!(or.to_vec::<bool>(), [true, false]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    fn logical_or: Or, |;

    /// Whether exactly one element is true, under broadcasting; numbers are true unless they are zero.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let xor = Tensor::from([true, false]).logical_xor(&Tensor::from(true));
    /// assert_eq!(xor.to_vec::<bool>(), [false, true]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    fn logical_xor: Xor, ^;
}

#[derive(Clone, Copy)]
struct IsNan;
#[derive(Clone, Copy)]
struct IsInf;
#[derive(Clone, Copy)]
struct IsFinite;
/// `|a - b| <= atol + rtol |b|`.
#[derive(Clone, Copy)]
struct IsClose {
    rtol: f64,
    atol: f64,
}

macro_rules! classes {
    ($($type:ty),*) => {$(
        impl Unary<$type, bool> for IsNan {
            #[inline(always)]
            fn apply(self, x: $type) -> bool {
                x.is_nan()
            }
        }
        impl Unary<$type, bool> for IsInf {
            #[inline(always)]
            fn apply(self, x: $type) -> bool {
                x.abs() == <$type>::INFINITY
            }
        }
        impl Unary<$type, bool> for IsFinite {
            #[inline(always)]
            fn apply(self, x: $type) -> bool {
                x.abs() < <$type>::INFINITY
            }
        }
        impl Binary<$type, $type, bool> for IsClose {
            #[inline(always)]
            fn apply(self, a: $type, b: $type) -> bool {
                let (rtol, atol) = (self.rtol as $type, self.atol as $type);
                let distance = (a - b).abs();
                (a == b) | ((distance < <$type>::INFINITY) & (distance <= atol + (rtol * b).abs()))
            }
        }
    )*};
}
classes!(f32, f64);

/// A question about elements that has one answer for all integers and booleans.
fn classify<F: Unary<f32, bool> + Unary<f64, bool>>(x: &Tensor, question: F, integers: bool) -> Tensor {
    match x.dtype() {
        DType::F32 => map::<f32, bool, F>(x, question),
        DType::F64 => map::<f64, bool, F>(x, question),
        DType::I64 | DType::Bool => Tensor::full(x.sizes(), integers, DType::Bool),
    }
}

/// [`All`](reduce::All) or [`Any`](reduce::Any) over the marked dimensions.
fn quantify<C: Combine<Out = bool>>(x: &Tensor, marked: &[bool], keepdim: bool) -> Tensor {
    let sizes = x.sizes().iter().zip(marked);
    let shape: Dims = match keepdim {
        true => sizes.map(|(&size, &marked)| if marked { 1 } else { size }).collect(),
        false => sizes.filter(|(_, marked)| !**marked).map(|(&size, _)| size).collect(),
    };
    let numel = shape.iter().product();
    let buffer = build::<bool>(numel, |out| x.with::<C::In, _>(|x| reduce::reduce::<C>(x, marked, out)));
    Tensor::from_buffer(buffer, shape)
}

impl Tensor {
    /// Whether each element is false, or zero.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([0.0, 2.0]).logical_not().to_vec::<bool>(), [true, false]);
    /// ```
    pub fn logical_not(&self) -> Tensor {
        dispatch!(self.dtype(), T => map(self, Right(Equal, T::default())))
    }

    /// Whether each element is NaN.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, f64::NAN]).isnan().to_vec::<bool>(), [false, true]);
    /// ```
    pub fn isnan(&self) -> Tensor {
        classify(self, IsNan, false)
    }

    /// Whether each element is infinite, with either sign.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, f64::NEG_INFINITY]).isinf().to_vec::<bool>(), [false, true]);
    /// ```
    pub fn isinf(&self) -> Tensor {
        classify(self, IsInf, false)
    }

    /// Whether each element is neither infinite nor NaN.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert_eq!(Tensor::from([1.0, f64::NAN]).isfinite().to_vec::<bool>(), [true, false]);
    /// ```
    pub fn isfinite(&self) -> Tensor {
        classify(self, IsFinite, true)
    }

    /// Whether each `|self - other| <= atol + rtol * |other|`, under broadcasting. Equal infinities are
    /// close; NaN is close to nothing. torch's defaults are `rtol` 1e-5 and `atol` 1e-8.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let close = Tensor::from([1.0, 1.1]).isclose(&Tensor::from(1.0), 1e-5, 1e-8);
    /// assert_eq!(close.to_vec::<bool>(), [true, false]);
    /// ```
    ///
    /// # Panics
    /// If the dtypes differ, a tolerance is negative, or the shapes do not broadcast.
    #[track_caller]
    pub fn isclose(&self, other: &Tensor, rtol: f64, atol: f64) -> Tensor {
        if self.dtype() != other.dtype() {
            panic!("isclose: {} did not match {}; convert one of them with to_dtype", self.dtype(), other.dtype());
        }
        if !(rtol >= 0.0 && atol >= 0.0) {
            panic!("isclose: rtol and atol must be greater than or equal to zero, but got {rtol} and {atol}");
        }
        let close = IsClose { rtol, atol };
        match self.dtype() {
            DType::F32 => zip::<f32, f32, bool, _>("isclose", self, other, close),
            DType::F64 => zip::<f64, f64, bool, _>("isclose", self, other, close),
            DType::I64 | DType::Bool => zip::<f64, f64, bool, _>("isclose", &self.double(), &other.double(), close),
        }
    }

    /// Whether all elements are close, see [`isclose`](Tensor::isclose).
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([0.1, 0.2]);
    /// assert!((&x + 0.1).allclose(&Tensor::from([0.2, 0.3]), 1e-5, 1e-8));
    /// ```
    ///
    /// # Panics
    /// As [`isclose`](Tensor::isclose).
    #[track_caller]
    pub fn allclose(&self, other: &Tensor, rtol: f64, atol: f64) -> bool {
        self.isclose(other, rtol, atol).all().item_as()
    }

    /// Whether both tensors have the same shape and equal elements, whatever their dtypes. A tensor with NaN
    /// is not equal to itself.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert!(Tensor::from([1.0, 2.0]).equal(&Tensor::from([1i64, 2])));
    /// assert!(!Tensor::from([1.0]).equal(&Tensor::from([[1.0]])));
    /// ```
    pub fn equal(&self, other: &Tensor) -> bool {
        self.sizes() == other.sizes() && self.eq(other).all().item_as()
    }

    /// Whether any element is true, or not zero (NaN is not); false for no element.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert!(Tensor::from([0.0, 2.0]).any().item_as::<bool>());
    /// ```
    pub fn any(&self) -> Tensor {
        self.any_mask(&vec![true; self.dim()], false)
    }

    /// [`any`](Tensor::any) over dimensions `dims`; with `keepdim` they remain with size one.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[true, false], [false, false]]);
    /// assert_eq!(x.any_dim(1, false).to_vec::<bool>(), [true, false]);
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range or named twice.
    #[track_caller]
    pub fn any_dim(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        self.any_mask(&dim_mask("any", &dims.into(), self.dim()), keepdim)
    }

    /// Whether all elements are true, or not zero (NaN is not); true for no element.
    ///
    /// ```
    /// # use tape::Tensor;
    /// assert!(!Tensor::from([0.0, 2.0]).all().item_as::<bool>());
    /// ```
    pub fn all(&self) -> Tensor {
        self.all_mask(&vec![true; self.dim()], false)
    }

    /// [`all`](Tensor::all) over dimensions `dims`; with `keepdim` they remain with size one.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([[true, false], [true, true]]);
    /// assert_eq!(x.all_dim(1, false).to_vec::<bool>(), [false, true]);
    /// ```
    ///
    /// # Panics
    /// If a dimension is out of range or named twice.
    #[track_caller]
    pub fn all_dim(&self, dims: impl Into<Ints>, keepdim: bool) -> Tensor {
        self.all_mask(&dim_mask("all", &dims.into(), self.dim()), keepdim)
    }

    fn any_mask(&self, marked: &[bool], keepdim: bool) -> Tensor {
        dispatch!(self.dtype(), T => quantify::<reduce::Any<T>>(self, marked, keepdim))
    }

    fn all_mask(&self, marked: &[bool], keepdim: bool) -> Tensor {
        dispatch!(self.dtype(), T => quantify::<reduce::All<T>>(self, marked, keepdim))
    }
}

#[cfg(test)]
mod tests;
