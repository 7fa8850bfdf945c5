//! The traits of the `approx` crate for tensors, so that `assert_relative_eq!(x, y, max_relative = 1e-12)`
//! compares tensors as it does numbers.
//!
//! Tensors are equal within a tolerance if they have the same shape and dtype and all their elements are.
//! As for numbers, NaN equals nothing and an infinity itself.

use crate::{DType, Tensor};
use approx::{AbsDiffEq, RelativeEq, UlpsEq};

/// Whether `close` holds for every pair of elements, as `f64`.
fn all(a: &Tensor, b: &Tensor, close: impl Fn(f64, f64) -> bool) -> bool {
    a.sizes() == b.sizes() && a.dtype() == b.dtype() && {
        let (a, b) = (a.detach().double().to_vec::<f64>(), b.detach().double().to_vec::<f64>());
        a.iter().zip(&b).all(|(&a, &b)| close(a, b))
    }
}

/// `==` is [`Tensor::equal`]: one shape, one dtype, equal elements. (torch's elementwise `==` is the method
/// [`Tensor::eq`].)
///
/// ```
/// # use tape::Tensor;
/// assert_eq!(Tensor::from([1.0, 2.0]) * 2.0, Tensor::from([2.0, 4.0]));
/// assert_ne!(Tensor::from([1.0]), Tensor::from([[1.0]]));
/// ```
impl PartialEq for Tensor {
    fn eq(&self, other: &Tensor) -> bool {
        self.dtype() == other.dtype() && self.equal(other)
    }
}

/// ```
/// # use tape::Tensor;
/// use approx::{assert_abs_diff_eq, assert_relative_eq};
/// let x = Tensor::from([0.1, 1e6]) * 3.0;
/// assert_relative_eq!(x, Tensor::from([0.3, 3e6]), max_relative = 1e-15);
/// assert_abs_diff_eq!(x.sin(), Tensor::from([0.3, 3e6]).sin(), epsilon = 1e-9);
/// ```
impl AbsDiffEq for Tensor {
    type Epsilon = f64;

    fn default_epsilon() -> f64 {
        f64::EPSILON
    }

    fn abs_diff_eq(&self, other: &Tensor, epsilon: f64) -> bool {
        all(self, other, |a, b| f64::abs_diff_eq(&a, &b, epsilon))
    }
}

impl RelativeEq for Tensor {
    fn default_max_relative() -> f64 {
        f64::EPSILON
    }

    fn relative_eq(&self, other: &Tensor, epsilon: f64, max_relative: f64) -> bool {
        all(self, other, |a, b| f64::relative_eq(&a, &b, epsilon, max_relative))
    }
}

/// Distances are counted in the tensor's own dtype.
impl UlpsEq for Tensor {
    fn default_max_ulps() -> u32 {
        f64::default_max_ulps()
    }

    fn ulps_eq(&self, other: &Tensor, epsilon: f64, max_ulps: u32) -> bool {
        if self.dtype() == DType::F32 {
            all(self, other, |a, b| f32::ulps_eq(&(a as f32), &(b as f32), epsilon as f32, max_ulps))
        } else {
            all(self, other, |a, b| f64::ulps_eq(&a, &b, epsilon, max_ulps))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{DType, Tensor};
    use approx::{abs_diff_eq, relative_eq, ulps_eq};

    #[test]
    fn shapes_and_dtypes_count() {
        let x = Tensor::from([1.0, 2.0]);
        assert!(relative_eq!(x, x.copy()) && x == x.copy());
        assert!(!relative_eq!(x, Tensor::from([[1.0, 2.0]])) && x != Tensor::from([[1.0, 2.0]]));
        assert!(!relative_eq!(x, x.float()) && x != x.float());
        assert!(!abs_diff_eq!(x, x.i(0..1), epsilon = 10.0));
        assert!(relative_eq!(Tensor::zeros([0], DType::F32), Tensor::ones([0], DType::F32)));
    }

    #[test]
    fn tolerances_are_those_of_numbers() {
        let (x, y) = (Tensor::from([1.0, 100.0]), Tensor::from([1.0, 101.0]));
        assert!(abs_diff_eq!(x, y, epsilon = 1.0) && !abs_diff_eq!(x, y, epsilon = 0.99));
        assert!(relative_eq!(x, y, max_relative = 0.01) && !relative_eq!(x, y, max_relative = 0.009));
        let next = Tensor::from([f32::from_bits(1.0f32.to_bits() + 3)]);
        assert!(ulps_eq!(Tensor::from([1.0f32]), next, epsilon = 0.0, max_ulps = 3));
        assert!(!ulps_eq!(Tensor::from([1.0f32]), next, epsilon = 0.0, max_ulps = 2));
    }

    #[test]
    fn special_values_are_those_of_numbers() {
        let x = Tensor::from([f64::INFINITY, f64::NEG_INFINITY]);
        assert!(relative_eq!(x, x.copy()) && !relative_eq!(x, -&x));
        let nan = Tensor::from([f64::NAN]);
        assert!(!relative_eq!(nan, nan, epsilon = 1e9) && nan != nan.copy());
    }

    #[test]
    fn tensors_with_a_history_are_compared_too() {
        let x = Tensor::from([1.0]).requires_grad_(true);
        assert!(relative_eq!(&x * 2.0, Tensor::from([2.0])));
    }
}
