//! In-place forms, by torch's names with a trailing underscore. Each computes the out-of-place
//! operation, writes the result into the tensor's memory, and makes the operation the tensor's history.

use super::bound::Bound;
use crate::{DType, Operand, Scalar, Tensor};

impl Tensor {
    /// Refuses a result that this tensor's dtype would cut off: fractions in integers, numbers in booleans.
    #[track_caller]
    fn check_result_type(&self, op: &str, result: DType) {
        let rank = |dtype: DType| if dtype.is_floating_point() { 2 } else { u8::from(dtype == DType::I64) };
        if rank(result) > rank(self.dtype()) {
            panic!(
                "{op}: result type {result} can't be cast to the desired output type {}; use the out-of-place form, or \
                 convert the tensor first",
                self.dtype()
            );
        }
    }
}

macro_rules! in_place {
    ($($(#[$doc:meta])* $name:ident$(<$life:lifetime>)?($($arg:ident: $type:ty),*) = $out_of_place:ident;)+) => {
        impl Tensor {
            $(
                $(#[$doc])*
                ///
                /// Returns the same tensor. Views of its memory see the change.
                ///
                /// # Panics
                /// If the result's shape is not the tensor's or its dtype is of a higher category, if the
                /// tensor repeats elements (`expand`), or if it is a leaf (or a view of one) that requires
                /// grad while recording is on.
                #[track_caller]
                pub fn $name$(<$life>)?(&self, $($arg: $type),*) -> Tensor {
                    self.replace_(stringify!($name), |x| {
                        let value = x.$out_of_place($($arg),*);
                        self.check_result_type(stringify!($name), value.dtype());
                        value
                    })
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
    add_<'a>(other: impl Into<Operand<'a>>) = add;
    /// `self = self - other`.
    sub_<'a>(other: impl Into<Operand<'a>>) = sub;
    /// `self = self * other`.
    mul_<'a>(other: impl Into<Operand<'a>>) = mul;
    /// `self = self / other`.
    div_<'a>(other: impl Into<Operand<'a>>) = div;
    /// `self = self ^ exponent`.
    pow_<'a>(exponent: impl Into<Operand<'a>>) = pow;
    /// `self = -self`.
    neg_() = neg;
    /// `self = 1 / self`.
    reciprocal_() = reciprocal;
    /// Elements below `min` become `min`, those above `max` become `max`; `None` is no bound.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([-2.0, 0.5, 2.0]);
    /// x.clamp_(-1.0, None);
    /// assert_eq!(x.to_vec::<f64>(), [-1.0, 0.5, 2.0]);
    /// ```
    clamp_<'a>(min: impl Into<Bound<'a>>, max: impl Into<Bound<'a>>) = clamp;
    /// `self = e ^ self`.
    exp_() = exp;
    /// `self = ln self`.
    log_() = log;
    /// The square root.
    sqrt_() = sqrt;
    /// The absolute value.
    abs_() = abs;
    /// The sign: -1, 0 or 1.
    sign_() = sign;
    /// The hyperbolic tangent.
    tanh_() = tanh;
    /// `1 / (1 + e ^ -self)`.
    sigmoid_() = sigmoid;
    /// The larger of each element and zero.
    relu_() = relu;
    /// `value` where the mask is true.
    masked_fill_(mask: &Tensor, value: impl Into<Scalar>) = masked_fill;
}
