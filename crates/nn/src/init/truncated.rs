//! Normal numbers that are cut off.

use tape::{Tensor, no_grad};

/// Fills a tensor with normal numbers of the given mean and standard deviation, cut off outside of `[a, b]`, as
/// `torch.nn.init.trunc_normal_` (defaults: 0, 1, -2, 2).
///
/// Uniform numbers, the very ones of torch, are mapped through the inverse of the distribution, which is rounded
/// otherwise than torch's: most results of dtype `F32` have torch's bits, the others and those of dtype `F64` may
/// differ in the last places.
///
/// ```
/// use tape::{DType, Tensor};
///
/// let w = nn::init::trunc_normal_(&Tensor::empty([100], DType::F32), 0.0, 0.02, -0.04, 0.04);
/// assert!(w.abs().max().item() <= 0.04_f32.into());
/// ```
///
/// # Panics
/// If the dtype is not a floating-point type, or `a > b`.
#[track_caller]
pub fn trunc_normal_(tensor: &Tensor, mean: f64, std: f64, a: f64, b: f64) -> Tensor {
    assert!(a <= b, "trunc_normal_: the interval [{a}, {b}] is empty; exchange its ends");
    let (low, high) = (2.0 * normal_cdf((a - mean) / std) - 1.0, 2.0 * normal_cdf((b - mean) / std) - 1.0);
    no_grad(|| {
        tensor.uniform_(low, high);
        tensor.copy_(&tensor.erfinv());
        tensor.mul_(std * 2.0_f64.sqrt()).add_(mean).clamp_(a, b)
    })
}

/// The part of the standard normal distribution that lies below `x`.
fn normal_cdf(x: f64) -> f64 {
    (1.0 + Tensor::from(x / 2.0_f64.sqrt()).erf().item()) / 2.0
}
