//! Normal numbers that are cut off.

use tape::{DType, Tensor, no_grad};

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
        tensor.copy_(&erfinv(&tensor.to_dtype(DType::F64)));
        tensor.mul_(std * 2.0_f64.sqrt()).add_(mean).clamp_(a, b)
    })
}

/// The part of the standard normal distribution that lies below `x`.
fn normal_cdf(x: f64) -> f64 {
    (1.0 + Tensor::from(x / 2.0_f64.sqrt()).erf().item()) / 2.0
}

/// The inverse of the error function, for `F64`: Giles' approximation ("Approximating the erfinv function",
/// 2011, single precision) and two steps of Newton's method, which double its digits.
fn erfinv(y: &Tensor) -> Tensor {
    let start: Vec<f64> = y.to_vec::<f64>().into_iter().map(approximate_erfinv).collect();
    let start = Tensor::from_vec(start, y.sizes());
    (0..2).fold(start, |x, _| {
        let slope = std::f64::consts::FRAC_2_SQRT_PI * (-x.square()).exp();
        let better = &x - (x.erf() - y) / slope;
        // At the ends, where the slope is zero, the approximation is infinite, and right.
        Tensor::where_(&x.isfinite(), better, &x)
    })
}

/// To about seven digits.
fn approximate_erfinv(y: f64) -> f64 {
    const CENTRE: [f64; 9] = [
        2.81022636e-08,
        3.43273939e-07,
        -3.5233877e-06,
        -4.39150654e-06,
        0.00021858087,
        -0.00125372503,
        -0.00417768164,
        0.246640727,
        1.50140941,
    ];
    const TAIL: [f64; 9] = [
        -0.000200214257,
        0.000100950558,
        0.00134934322,
        -0.00367342844,
        0.00573950773,
        -0.0076224613,
        0.00943887047,
        1.00167406,
        2.83297682,
    ];
    if y.abs() == 1.0 {
        return y * f64::INFINITY;
    }
    let w = -((1.0 - y) * (1.0 + y)).ln();
    let (coefficients, w) = if w < 5.0 { (CENTRE, w - 2.5) } else { (TAIL, w.sqrt() - 3.0) };
    coefficients.iter().fold(0.0, |sum, c| sum * w + c) * y
}
