//! The scalars of torch's step loop: plain Python numbers and 0-dim tensors, with torch's rounding between
//! them.
//!
//! Losses are plain `f64` numbers, directional derivatives are 0-dim tensors of the gradient's dtype `T`, and
//! the step length is now one, now the other. In f64 the two kinds behave alike; in f32 the difference
//! decides which trial point a line search accepts, so it is kept.

use std::cmp::Ordering;
use std::ops::{Add, Mul, Sub};
use tape::Float;

/// A Python integer, a Python float or a 0-dim tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number<T> {
    Int(i64),
    Float(f64),
    Tensor(T),
}

/// Python's `ZeroDivisionError`: both operands were plain numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ZeroDivision;

impl<T: Float> Number<T> {
    /// The value beside a tensor: a plain number is first rounded to the tensor's dtype.
    pub(crate) fn round(self) -> T {
        match self {
            Self::Tensor(x) => x,
            plain => T::from_f64(plain.to_f64()),
        }
    }

    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Self::Int(i) => i as f64,
            Self::Float(x) => x,
            Self::Tensor(x) => x.to_f64(),
        }
    }

    pub(crate) fn abs(self) -> Self {
        match self {
            Self::Int(i) => Self::Int(i.saturating_abs()),
            Self::Float(x) => Self::Float(x.abs()),
            Self::Tensor(x) => Self::Tensor(x.abs()),
        }
    }

    /// Division. A plain number over a tensor is `reciprocal(tensor) * number`, two roundings, as torch
    /// computes it.
    pub(crate) fn divide(self, divisor: Self) -> Result<Self, ZeroDivision> {
        Ok(match (self, divisor) {
            (Self::Tensor(a), b) => Self::Tensor(a / b.round()),
            (a, Self::Tensor(b)) => Self::Tensor(T::ONE / b * a.round()),
            (_, b) if b.to_f64() == 0.0 => return Err(ZeroDivision),
            (a, b) => Self::Float(a.to_f64() / b.to_f64()),
        })
    }

    /// Python's `max(self, other)`: `self` unless `other` is greater, so a NaN in front survives.
    pub(crate) fn python_max(self, other: Self) -> Self {
        if other > self { other } else { self }
    }

    /// Python's `min(self, other)`: `self` unless `other` is smaller.
    pub(crate) fn python_min(self, other: Self) -> Self {
        if other < self { other } else { self }
    }

    /// One operation: on integers where both are (floats once the result outgrows 64 bits), on `f64` where
    /// both are plain, else on `T`.
    fn combine(
        self,
        other: Self,
        int: fn(i64, i64) -> Option<i64>,
        float: fn(f64, f64) -> f64,
        tensor: fn(T, T) -> T,
    ) -> Self {
        match (self, other) {
            (Self::Tensor(_), _) | (_, Self::Tensor(_)) => Self::Tensor(tensor(self.round(), other.round())),
            (Self::Int(a), Self::Int(b)) => int(a, b).map_or_else(|| Self::Float(float(a as f64, b as f64)), Self::Int),
            _ => Self::Float(float(self.to_f64(), other.to_f64())),
        }
    }
}

impl<T: Float> Add for Number<T> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.combine(other, i64::checked_add, |a, b| a + b, |a, b| a + b)
    }
}

impl<T: Float> Sub for Number<T> {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.combine(other, i64::checked_sub, |a, b| a - b, |a, b| a - b)
    }
}

impl<T: Float> Mul for Number<T> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        self.combine(other, i64::checked_mul, |a, b| a * b, |a, b| a * b)
    }
}

impl<T: Float> PartialEq for Number<T> {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

/// Beside a tensor a plain number is rounded to its dtype before the comparison.
impl<T: Float> PartialOrd for Number<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Tensor(_), _) | (_, Self::Tensor(_)) => self.round().partial_cmp(&other.round()),
            (Self::Int(a), Self::Int(b)) => a.partial_cmp(b),
            _ => self.to_f64().partial_cmp(&other.to_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Number::{Float, Int, Tensor};
    use super::*;

    type N = Number<f32>;

    #[test]
    fn comparisons_beside_a_tensor_are_made_in_its_dtype() {
        let order = |a: N, b: N| a.partial_cmp(&b);
        assert_eq!(order(Float(16_777_217.0), Tensor(16_777_216.0)), Some(Ordering::Equal));
        assert_eq!(order(Float(16_777_217.0), Float(16_777_216.0)), Some(Ordering::Greater));
        assert_eq!(order(Tensor(1e-10), Float(1e-10)), Some(Ordering::Equal)); // f32(1e-10) is above 1e-10
        assert_eq!(order(Tensor(f32::NAN), Int(0)), None);
    }

    #[test]
    fn a_plain_number_over_a_tensor_goes_through_the_reciprocal() {
        let direct_differs = (1..2000).filter(|&i| {
            let (a, b) = (1.1 + f64::from(i) * 0.37, 0.3 + i as f32 * 0.17);
            let Ok(Tensor(got)) = N::Float(a).divide(Tensor(b)) else { unreachable!("a tensor divides without error") };
            assert_eq!(got, 1.0 / b * a as f32);
            got != a as f32 / b
        });
        assert!(direct_differs.count() > 100);
    }

    #[test]
    fn kinds_follow_python() {
        assert!(matches!(N::Int(1) * N::Int(10), Int(10)));
        assert!(matches!(N::Int(0) + N::Float(0.5), Float(0.5)));
        assert!(matches!(N::Int(10).divide(Int(2)), Ok(Float(5.0))));
        assert!(matches!(N::Int(i64::MAX) * N::Int(10), Float(_)));
        assert_eq!(N::Float(1.0).divide(Int(0)).err(), Some(ZeroDivision));
        assert!(matches!(N::Float(1.0).divide(Tensor(0.0)), Ok(Tensor(x)) if x.is_infinite()));
    }

    #[test]
    fn min_and_max_keep_what_comes_first_beside_nan() {
        assert!(matches!(N::Tensor(f32::NAN).python_max(Int(0)).python_min(Int(1)), Tensor(x) if x.is_nan()));
        assert!(matches!(N::Float(1.0).python_min(Tensor(f32::NAN)), Float(1.0)));
        assert!(matches!(N::Int(1).python_max(Float(1.0)), Int(1)));
    }
}
