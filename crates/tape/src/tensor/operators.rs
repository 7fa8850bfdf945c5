//! `+ - * /` and unary `-` for every mix of `&Tensor`, `Tensor` and plain numbers.
//!
//! On the right of an operator stands whatever converts into an [`Operand`]: tensors and numbers of
//! any type. On the left, numbers are `f64` or `i64`: with more types than one for each kind of
//! literal, the compiler could not tell the type of `(1.0 - &x)` before it meets `.pow(2.0)`.

use crate::{Operand, Scalar, Tensor};
use std::ops::{Add, Div, Mul, Neg, Sub};

macro_rules! operator {
    ($trait:ident $method:ident, |$number:ident, $x:ident| $flipped:expr) => {
        impl<'a, R: Into<Operand<'a>>> $trait<R> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: R) -> Tensor {
                Tensor::$method(self, other)
            }
        }
        impl<'a, R: Into<Operand<'a>>> $trait<R> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: R) -> Tensor {
                Tensor::$method(&self, other)
            }
        }
        operator!(@number f64, $trait $method, |$number, $x| $flipped);
        operator!(@number i64, $trait $method, |$number, $x| $flipped);
    };
    (@number $type:ty, $trait:ident $method:ident, |$number:ident, $x:ident| $flipped:expr) => {
        impl $trait<&Tensor> for $type {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, $x: &Tensor) -> Tensor {
                let $number = Scalar::from(self);
                $flipped
            }
        }
        impl $trait<Tensor> for $type {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, x: Tensor) -> Tensor {
                let ($number, $x) = (Scalar::from(self), &x);
                $flipped
            }
        }
    };
}
operator!(Add add, |number, x| Tensor::add(x, number));
operator!(Sub sub, |number, x| Tensor::rsub(x, number));
operator!(Mul mul, |number, x| Tensor::mul(x, number));
operator!(Div div, |number, x| Tensor::mul(&Tensor::reciprocal(x), number));

impl Neg for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(self)
    }
}

impl Neg for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(&self)
    }
}
