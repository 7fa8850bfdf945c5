//! What a reduction does with its elements.

use crate::{Element, Float};
use std::marker::PhantomData;

/// A reduction, as a pair of functions on one accumulator. Implementers mark all of them `#[inline(always)]`.
pub(crate) trait Combine: Send + Sync {
    /// Type of the elements.
    type In: Element;
    /// Type of the accumulator and of the result.
    type Out: Copy + Send + Sync;
    /// The reduction of no element.
    const START: Self::Out;
    /// Adds an element.
    fn step(acc: Self::Out, x: Self::In) -> Self::Out;
    /// Adds the reduction of other elements.
    fn join(a: Self::Out, b: Self::Out) -> Self::Out;
}

/// Element types with arithmetic and order: `f32`, `f64` and `i64` (whose arithmetic wraps around, as
/// torch's).
pub(crate) trait Number: Element {
    const ZERO: Self;
    const ONE: Self;
    /// Not above any value.
    const LOWEST: Self;
    /// Not below any value.
    const HIGHEST: Self;
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    /// Whether the value is NaN.
    fn unordered(self) -> bool;
}

macro_rules! float {
    ($type:ty) => {
        impl Number for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LOWEST: Self = <$type>::NEG_INFINITY;
            const HIGHEST: Self = <$type>::INFINITY;
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }
            #[inline(always)]
            fn unordered(self) -> bool {
                self.is_nan()
            }
        }
    };
}
float!(f32);
float!(f64);

impl Number for i64 {
    const ZERO: Self = 0;
    const ONE: Self = 1;
    const LOWEST: Self = i64::MIN;
    const HIGHEST: Self = i64::MAX;
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self.wrapping_mul(other)
    }
    #[inline(always)]
    fn unordered(self) -> bool {
        false
    }
}

/// Declares a reduction over elements of type `$T: $bound`.
macro_rules! combine {
    (
        $(#[$doc:meta])*
        $name:ident<$T:ident: $bound:ident> -> $out:ty, $start:expr, $step:expr, $join:expr
    ) => {
        $(#[$doc])*
        pub(crate) struct $name<$T>(PhantomData<$T>);

        impl<$T: $bound> Combine for $name<$T> {
            type In = $T;
            type Out = $out;
            const START: $out = $start;
            #[inline(always)]
            fn step(acc: $out, x: $T) -> $out {
                $step(acc, x)
            }
            #[inline(always)]
            fn join(a: $out, b: $out) -> $out {
                $join(a, b)
            }
        }
    };
}

combine!(
    /// The sum; zero for no element.
    Sum<T: Number> -> T, T::ZERO, T::plus, T::plus
);
combine!(
    /// The product; one for no element.
    Prod<T: Number> -> T, T::ONE, T::times, T::times
);
combine!(
    /// The sum of the squares.
    SumSquares<T: Float> -> T, T::ZERO, |acc, x| acc + x * x, |a, b| a + b
);
combine!(
    /// The largest element, or NaN if there is one.
    Max<T: Number> -> T, T::LOWEST, larger, larger
);
combine!(
    /// The smallest element, or NaN if there is one.
    Min<T: Number> -> T, T::HIGHEST, smaller, smaller
);
combine!(
    /// The number of elements that are not zero (NaN is not zero).
    CountNonzero<T: Element> -> i64, 0, |acc, x| acc + i64::from(x != T::default()), |a, b| a + b
);
combine!(
    /// Whether any element is not zero.
    Any<T: Element> -> bool, false, |acc, x| acc | (x != T::default()), |a, b| a | b
);
combine!(
    /// Whether no element is zero.
    All<T: Element> -> bool, true, |acc, x| acc & (x != T::default()), |a, b| a & b
);

// The first choice is one instruction, whose answer is `b` if either is NaN; the second one keeps a NaN in
// `a`.
#[inline(always)]
fn larger<T: Number>(a: T, b: T) -> T {
    let choice = if a > b { a } else { b };
    if a.unordered() { a } else { choice }
}

#[inline(always)]
fn smaller<T: Number>(a: T, b: T) -> T {
    let choice = if a < b { a } else { b };
    if a.unordered() { a } else { choice }
}

/// The order of an arg-reduction: whether `b` displaces `a`, seen before it.
pub(crate) trait Prefer: Send + Sync {
    /// The reduction to the value alone.
    type Value<T: Number>: Combine<In = T, Out = T>;
    /// Whether `b` comes before `a`; NaN comes before everything but NaN.
    fn displaces<T: Number>(a: T, b: T) -> bool;
}

/// The largest element.
pub(crate) struct Largest;

impl Prefer for Largest {
    type Value<T: Number> = Max<T>;
    #[inline(always)]
    fn displaces<T: Number>(a: T, b: T) -> bool {
        (b > a) | (b.unordered() & !a.unordered())
    }
}

/// The smallest element.
pub(crate) struct Smallest;

impl Prefer for Smallest {
    type Value<T: Number> = Min<T>;
    #[inline(always)]
    fn displaces<T: Number>(a: T, b: T) -> bool {
        (b < a) | (b.unordered() & !a.unordered())
    }
}
