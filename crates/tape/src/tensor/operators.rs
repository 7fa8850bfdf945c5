//! `+ - * / %` and unary `-` for every mix of `&Tensor`, `Tensor` and plain numbers; `+=` and its like in
//! place; `& | ^ !` for booleans and integers; sums of iterators.
//!
//! On the right of an operator stands whatever converts into an [`Operand`]: tensors and numbers of
//! any type. On the left, numbers are `f64` or `i64`: with more types than one for each kind of
//! literal, the compiler could not tell the type of `(1.0 - &x)` before it meets `.pow(2.0)`.

use crate::{Operand, Scalar, Tensor};
use std::iter::Sum;
use std::ops::{Add, AddAssign, BitAnd, BitOr, BitXor, Div, DivAssign, Mul, MulAssign, Neg, Not, Rem, Sub, SubAssign};
use std::panic::{RefUnwindSafe, UnwindSafe};

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

/// The remainder with the sign of the divisor, as Python's `%`: [`Tensor::remainder`].
impl<'a, R: Into<Operand<'a>>> Rem<R> for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn rem(self, other: R) -> Tensor {
        self.remainder(other)
    }
}

/// The remainder with the sign of the divisor, as Python's `%`: [`Tensor::remainder`].
impl<'a, R: Into<Operand<'a>>> Rem<R> for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn rem(self, other: R) -> Tensor {
        self.remainder(other)
    }
}

macro_rules! in_place_operator {
    ($($trait:ident $method:ident = $in_place:ident;)+) => {$(
        /// In place, as in torch: every handle of the tensor sees the change.
        impl<'a, R: Into<Operand<'a>>> $trait<R> for Tensor {
            #[track_caller]
            fn $method(&mut self, other: R) {
                self.$in_place(other);
            }
        }
    )+};
}
in_place_operator! {
    AddAssign add_assign = add_;
    SubAssign sub_assign = sub_;
    MulAssign mul_assign = mul_;
    DivAssign div_assign = div_;
}

macro_rules! bitwise_operator {
    ($($trait:ident $method:ident = $function:ident;)+) => {$(
        bitwise_operator!(@pair Tensor, Tensor, $trait $method $function);
        bitwise_operator!(@pair Tensor, &Tensor, $trait $method $function);
        bitwise_operator!(@pair &Tensor, Tensor, $trait $method $function);
        bitwise_operator!(@pair &Tensor, &Tensor, $trait $method $function);
    )+};
    (@pair $left:ty, $right:ty, $trait:ident $method:ident $function:ident) => {
        impl $trait<$right> for $left {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: $right) -> Tensor {
                Tensor::$function(&self, &other)
            }
        }
    };
}
bitwise_operator! {
    BitAnd bitand = bitwise_and;
    BitOr bitor = bitwise_or;
    BitXor bitxor = bitwise_xor;
}

impl Not for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn not(self) -> Tensor {
        self.bitwise_not()
    }
}

impl Not for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn not(self) -> Tensor {
        self.bitwise_not()
    }
}

/// The sum of the tensors under broadcasting, from left to right; of none, zero in the default dtype.
impl Sum for Tensor {
    fn sum<I: Iterator<Item = Tensor>>(tensors: I) -> Tensor {
        tensors.reduce(|a, b| a + b).unwrap_or_else(|| Tensor::zeros((), crate::get_default_dtype()))
    }
}

/// The sum of the tensors under broadcasting, from left to right; of none, zero in the default dtype.
impl<'a> Sum<&'a Tensor> for Tensor {
    fn sum<I: Iterator<Item = &'a Tensor>>(tensors: I) -> Tensor {
        tensors.cloned().sum()
    }
}

// No operation leaves a tensor half-changed when it panics.
impl UnwindSafe for Tensor {}
impl RefUnwindSafe for Tensor {}

#[cfg(test)]
mod tests {
    use crate::{DType, Tensor};

    #[test]
    fn masks_are_combined_by_operators() {
        let x = Tensor::from([-1.0, 0.5, 3.0]);
        let (low, high) = (x.gt(0.0), x.lt(2.0));
        assert_eq!((&low & &high).to_vec::<bool>(), [false, true, false]);
        assert_eq!((low.clone() | high.clone()).to_vec::<bool>(), [true, true, true]);
        assert_eq!((&low ^ high.clone()).to_vec::<bool>(), [true, false, true]);
        assert_eq!((!&low).to_vec::<bool>(), [true, false, false]);
        // torch: products of booleans are their conjunction, sums their disjunction.
        assert_eq!((&low * &high).to_vec::<bool>(), [false, true, false]);
        assert_eq!((&low + &high).to_vec::<bool>(), [true, true, true]);
        assert_eq!(low.copy().mul_(&high).to_vec::<bool>(), [false, true, false]);
        assert_eq!((Tensor::from([6i64, 5]) & Tensor::from([3i64, 4])).to_vec::<i64>(), [2, 4]);
        assert_eq!((!Tensor::from([0i64, -1])).to_vec::<i64>(), [-1, 0]);
    }

    #[test]
    fn assigning_operators_change_every_handle() {
        let mut x = Tensor::from([1.0, 2.0]);
        let handle = x.clone();
        x += 1.0;
        x *= &Tensor::from([2.0, 3.0]);
        x -= Tensor::from(1.0);
        x /= 2;
        assert_eq!(handle.to_vec::<f64>(), [1.5, 4.0]);
        let w = Tensor::from([1.0, 2.0]).requires_grad_(true);
        let mut loss = w.square().sum();
        loss += w.sum();
        loss.backward().unwrap();
        assert_eq!(w.grad().unwrap().to_vec::<f64>(), [3.0, 5.0]);
    }

    #[test]
    fn remainders_have_the_sign_of_the_divisor() {
        assert_eq!((&Tensor::from([-3.0, 5.0]) % 2.0).to_vec::<f64>(), [1.0, 1.0]);
        assert_eq!((Tensor::from([-3i64, 5]) % Tensor::from(-2i64)).to_vec::<i64>(), [-1, -1]);
    }

    #[test]
    fn iterators_of_tensors_have_sums() {
        let terms = [Tensor::from(1.0f32), Tensor::from(2.5f32)];
        assert_eq!(terms.iter().sum::<Tensor>().item(), 3.5);
        let total: Tensor = terms.iter().map(|term| term * 2.0).sum();
        assert_eq!((total.item(), total.dtype()), (7.0, DType::F32));
        assert_eq!(std::iter::empty::<Tensor>().sum::<Tensor>().item(), 0.0);
    }
}
