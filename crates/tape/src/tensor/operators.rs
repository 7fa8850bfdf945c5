//! `+ - * /` and unary `-` for every mix of `&Tensor`, `Tensor` and plain numbers.

use crate::{Scalar, Tensor};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Implements one operator for tensors, owned and borrowed, on both sides.
macro_rules! tensor_operator {
    ($trait:ident, $method:ident) => {
        impl $trait<&Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                Tensor::$method(self, other)
            }
        }
        impl $trait<Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                Tensor::$method(self, other)
            }
        }
        impl $trait<&Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                Tensor::$method(&self, other)
            }
        }
        impl $trait<Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                Tensor::$method(&self, other)
            }
        }
    };
}
tensor_operator!(Add, add);
tensor_operator!(Sub, sub);
tensor_operator!(Mul, mul);
tensor_operator!(Div, div);

/// Implements the operators between tensors and one type of number.
macro_rules! number_operators {
    ($($number:ty),*) => {$(
        number_operators!(@right Add add $number);
        number_operators!(@right Sub sub $number);
        number_operators!(@right Mul mul $number);
        number_operators!(@right Div div $number);
        number_operators!(@left Add add $number, |number, x| Tensor::add(x, number));
        number_operators!(@left Sub sub $number, |number, x| Tensor::rsub(x, number));
        number_operators!(@left Mul mul $number, |number, x| Tensor::mul(x, number));
        number_operators!(@left Div div $number, |number, x| Tensor::mul(&Tensor::reciprocal(x), number));
    )*};
    (@right $trait:ident $method:ident $number:ty) => {
        impl $trait<$number> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, number: $number) -> Tensor {
                Tensor::$method(self, Scalar::from(number))
            }
        }
        impl $trait<$number> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, number: $number) -> Tensor {
                Tensor::$method(&self, Scalar::from(number))
            }
        }
    };
    (@left $trait:ident $method:ident $number:ty, |$n:ident, $x:ident| $body:expr) => {
        impl $trait<&Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, $x: &Tensor) -> Tensor {
                let $n = Scalar::from(self);
                $body
            }
        }
        impl $trait<Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, x: Tensor) -> Tensor {
                let ($n, $x) = (Scalar::from(self), &x);
                $body
            }
        }
    };
}
number_operators!(f32, f64, i32, i64, usize);

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
