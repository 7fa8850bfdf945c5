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
    /// `self = 1 / sqrt self`.
    rsqrt_() = rsqrt;
    /// `self = self ^ 2`.
    square_() = square;
    /// `self = e ^ self - 1`.
    expm1_() = expm1;
    /// `self = ln(1 + self)`.
    log1p_() = log1p;
    /// The error function.
    erf_() = erf;
    /// The sine.
    sin_() = sin;
    /// The cosine.
    cos_() = cos;
    /// The tangent.
    tan_() = tan;
    /// The largest whole number not above each element.
    floor_() = floor;
    /// The smallest whole number not below each element.
    ceil_() = ceil;
    /// The nearest whole number, halves to the even one.
    round_() = round;
    /// Each element without its fraction.
    trunc_() = trunc;
    /// Each element without its whole part.
    frac_() = frac;
    /// `self` above zero, `negative_slope self` else.
    leaky_relu_(negative_slope: impl Into<f64>) = leaky_relu;
    /// `self` above zero, `alpha (e ^ self - 1)` else.
    elu_(alpha: impl Into<f64>) = elu;
    /// Elements below `min` become `min`.
    clamp_min_<'a>(min: impl Into<Operand<'a>>) = clamp_min;
    /// Elements above `max` become `max`.
    clamp_max_<'a>(max: impl Into<Operand<'a>>) = clamp_max;
    /// `nan` in place of NaN, `posinf` and `neginf` in place of the infinities; `None` stands for the largest
    /// and the smallest finite number of the dtype.
    nan_to_num_(nan: impl Into<f64>, posinf: impl Into<Option<f64>>, neginf: impl Into<Option<f64>>) = nan_to_num;
    /// `self = self + weight (end - self)`.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let average = Tensor::from([1.0, 2.0]);
    /// average.lerp_(&Tensor::from([3.0, 2.0]), 0.25);
    /// assert_eq!(average.to_vec::<f64>(), [1.5, 2.0]);
    /// ```
    lerp_<'a>(end: &Tensor, weight: impl Into<Operand<'a>>) = lerp;
    /// `self = self + value * a * b`.
    addcmul_(a: &Tensor, b: &Tensor, value: impl Into<f64>) = addcmul;
    /// `self = self + value * a / b`.
    addcdiv_(a: &Tensor, b: &Tensor, value: impl Into<f64>) = addcdiv;
    /// The remainder of `self / other` with the sign of `self`.
    fmod_<'a>(other: impl Into<Operand<'a>>) = fmod;
    /// The remainder of `self / other` with the sign of `other`.
    remainder_<'a>(other: impl Into<Operand<'a>>) = remainder;
    /// The magnitude of `self` with the sign of `other`.
    copysign_<'a>(other: impl Into<Operand<'a>>) = copysign;
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, grad};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// The name of an in-place form, the form, and the function that it is a form of.
    struct Form(&'static str, fn(&Tensor) -> Tensor, fn(&Tensor) -> Tensor);

    fn forms() -> Vec<Form> {
        macro_rules! forms {
            ($($name:ident($($arg:expr),*) = $out_of_place:ident),* $(,)?) => {
                vec![$(Form(stringify!($name), |x| x.$name($($arg),*), |x| x.$out_of_place($($arg),*)),)*]
            };
        }
        let mut all = forms![
            exp_() = exp,
            log_() = log,
            sqrt_() = sqrt,
            rsqrt_() = rsqrt,
            abs_() = abs,
            neg_() = neg,
            sign_() = sign,
            floor_() = floor,
            ceil_() = ceil,
            round_() = round,
            trunc_() = trunc,
            frac_() = frac,
            reciprocal_() = reciprocal,
            square_() = square,
            sin_() = sin,
            cos_() = cos,
            tan_() = tan,
            tanh_() = tanh,
            sigmoid_() = sigmoid,
            relu_() = relu,
            erf_() = erf,
            expm1_() = expm1,
            log1p_() = log1p,
        ];
        all.extend(forms![
            leaky_relu_(0.1) = leaky_relu,
            elu_(1.5) = elu,
            pow_(3) = pow,
            clamp_min_(0.9) = clamp_min,
            clamp_max_(0.9) = clamp_max,
            nan_to_num_(0.0, None, 1.0) = nan_to_num,
            fmod_(0.7) = fmod,
            remainder_(-0.7) = remainder,
            copysign_(-1.0) = copysign,
            masked_fill_(&Tensor::from([true, false, false]), 4.0) = masked_fill,
            lerp_(&Tensor::from(2.0), 0.3) = lerp,
            addcmul_(&Tensor::from(2.0), &Tensor::from(3.0), 0.5) = addcmul,
            addcdiv_(&Tensor::from(2.0), &Tensor::from(3.0), 0.5) = addcdiv,
        ]);
        all
    }

    #[test]
    fn in_place_forms_change_the_tensor_and_its_history() {
        for Form(name, in_place, out_of_place) in forms() {
            let x = Tensor::from([0.5, 1.25, 2.5]).requires_grad_(true);
            let expected = out_of_place(&(&x * 0.8));
            let y = &x * 0.8;
            assert!(in_place(&y).same(&y), "{name}");
            assert!(y.equal(&expected), "{name}: {y} instead of {expected}");
            let slopes = [y, expected].map(|y| grad((&y * &y).sum(), &x).compute().unwrap().remove(0));
            assert!(slopes[0].equal(&slopes[1]), "{name}: gradient {} instead of {}", slopes[0], slopes[1]);
        }
    }

    #[test]
    fn leaves_that_require_gradients_are_refused() {
        for Form(name, in_place, _) in forms() {
            let x = Tensor::from([0.5, 1.25, 2.5]).requires_grad_(true);
            let refused = catch_unwind(AssertUnwindSafe(|| in_place(&x))).unwrap_err();
            let message = refused.downcast_ref::<String>().expect("a formatted message");
            let expected = format!("{name}: a leaf Variable that requires grad is being used in an in-place operation");
            assert!(message.starts_with(&expected), "{name}: {message}");
            assert_eq!(x.to_vec::<f64>(), [0.5, 1.25, 2.5], "{name}");
        }
    }

    #[test]
    fn integers_do_not_hold_fractions() {
        let x = Tensor::from([1i64, -2]);
        assert_eq!(x.fmod_(2).remainder_(5).to_vec::<i64>(), [1, 0]);
        let refused = catch_unwind(AssertUnwindSafe(|| x.sin_())).unwrap_err();
        let message = refused.downcast_ref::<String>().expect("a formatted message");
        assert!(message.starts_with("sin_: result type float32 can't be cast to the desired output type int64"));
    }
}
