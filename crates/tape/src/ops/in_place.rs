//! In-place forms, by torch's names with a trailing underscore. Each computes the out-of-place
//! operation, writes the result into the tensor's memory, and makes the operation the tensor's history.

use crate::{Operand, Tensor};

macro_rules! in_place {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) = $out_of_place:ident;)+) => {
        impl Tensor {
            $(
                $(#[$doc])*
                ///
                /// Returns the same tensor. Views of its memory see the change.
                ///
                /// # Panics
                /// If the result's shape is not the tensor's, or the tensor is a leaf (or a view of one)
                /// that requires grad while recording is on.
                #[track_caller]
                pub fn $name<'a>(&self, $($arg: $type),*) -> Tensor {
                    self.replace_(stringify!($name), |x| x.$out_of_place($($arg),*))
                }
            )+
        }
    };
}

in_place! {
    /// `self = self + other`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([1.0, 2.0]);
    /// x.add_(1.0).add_(&Tensor::from([1.0, 0.0]));
    /// assert_eq!(x.to_vec::<f64>(), [3.0, 3.0]);
    /// ```
    add_(other: impl Into<Operand<'a>>) = add;
    /// `self = self - other`.
    sub_(other: impl Into<Operand<'a>>) = sub;
    /// `self = self * other`.
    mul_(other: impl Into<Operand<'a>>) = mul;
    /// `self = self / other`.
    div_(other: impl Into<Operand<'a>>) = div;
    /// `self = self ^ exponent`.
    pow_(exponent: impl Into<Operand<'a>>) = pow;
    /// `self = -self`.
    neg_() = neg;
    /// `self = 1 / self`.
    reciprocal_() = reciprocal;
}
